// SPDX-License-Identifier: Apache-2.0
// Any answer about days (the whole market's, the last one, an open-close) becomes a page of day bars that
// were asked for, of symbols, each once. Input: the first byte chooses the feed, adjustment and symbols, the
// rest is the body.
#include <stdlib.h>

#include "services/ingestor/bar_session.h"
#include "services/ingestor/provider.h"
#include "services/ingestor/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum ing_feed feeds[] = {ING_FEED_GROUPED, ING_FEED_PREVIOUS, ING_FEED_OPEN_CLOSE};
    static struct mf_calendar *calendar;
    static struct ing_symbols only;
    static struct ing_page page;
    static struct ing_scratch scratch;
    static struct mf_event event;
    if (calendar == NULL &&
        (mf_calendar_new(&calendar, NULL) < 0 || ing_symbols_add(&only, MF_STR("AAPL"), NULL) < 0))
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    struct ing_work work = {.feed = feeds[(data[0] & 3) % 3], .symbol = "AAPL", .limit = 10};
    work.timespan = ING_TIMESPAN_DAY;
    work.adjusted = data[0] & 4 ? MF_ADJUSTED_SPLIT : MF_ADJUSTED_NONE;
    work.market = work.feed == ING_FEED_GROUPED ? ING_MARKET_STOCKS : ING_MARKET_NONE;
    work.only = data[0] & 8 ? &only : NULL;
    work.asset_class = work.market == ING_MARKET_NONE && data[0] & 16 ? MF_ASSET_CRYPTO : MF_ASSET_STOCK;
    work.to_us = INT64_C(1735689600) * MF_US_PER_SECOND;
    struct ing_reply reply = {.work = &work, .asked_us = work.to_us, .status = 200};
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    for (size_t i = 0; i < page.count; i++) {
        const struct ing_item *item = &page.items[i];
        if (item->reason[0] != '\0')
            continue;
        struct ing_window day =
            ing_window_of(calendar, work.asset_class, MF_INTERVAL_1D, item->event_time_us);
        if (item->event_time_us != day.start_us || item->event_time_us >= work.to_us ||
            (work.market != ING_MARKET_NONE && !mf_symbol_is_valid(item->key)) ||
            (work.market != ING_MARKET_NONE && work.only != NULL && !mf_str_eq_c(item->key, "AAPL")))
            abort();
        ing_polygon.fill_event(&config, &page, item, &scratch, &event, NULL);
    }
    return 0;
}
