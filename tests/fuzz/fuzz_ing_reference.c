// SPDX-License-Identifier: Apache-2.0
// Any answer about instruments becomes a page whose items are sorted, of what was asked for, and either have
// a reason or can be made an event or refused. Input: the first byte chooses feed, pass and market, the rest
// is the body.
#include "services/ingestor/provider.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_calendar *calendar;
    static struct ing_page page;
    static struct ing_scratch scratch;
    static struct mf_event event;
    if (calendar == NULL && mf_calendar_new(&calendar, NULL) < 0)
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    static const struct ing_listing listing = {.date = {1980, 12, 12}, .figi = "BBG000B9XRY4"};
    static const enum ing_feed feeds[] = {ING_FEED_SYMBOLS, ING_FEED_SPLITS, ING_FEED_DIVIDENDS};
    struct ing_work work = {.feed = feeds[(data[0] & 3) % 3], .symbol = "AAPL", .limit = 10};
    work.pass = (data[0] >> 2 & 3) % ING_PASS_MAX;
    work.market = (data[0] >> 4 & 7) % ING_MARKET_MAX;
    work.listing = &listing;
    work.to_us = INT64_C(1735689600) * MF_US_PER_SECOND;
    struct ing_reply reply = {.work = &work, .asked_us = work.to_us, .status = 200};
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    if (page.aliases.count > MF_SYMBOL_ALIASES_MAX)
        abort();
    work.aliases = &page.aliases;
    for (size_t i = 0; i < page.count; i++) {
        const struct ing_item *item = &page.items[i];
        if (item->reason[0] != '\0')
            continue;
        if (item->key.len == 0 || item->event_time_us > reply.asked_us ||
            (work.market == ING_MARKET_NONE && !mf_str_eq_c(item->key, work.symbol)) ||
            (i > 0 && item->event_time_us < page.items[i - 1].event_time_us))
            abort();
        ing_polygon.fill_event(&config, &page, item, &scratch, &event, NULL);
    }
    return 0;
}
