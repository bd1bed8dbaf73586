// SPDX-License-Identifier: Apache-2.0
// Any answer of the provider becomes a page whose items are sorted, lie in the asked range, and either have a
// reason or can be made an event or refused. Input: the first byte chooses feed, timespan and symbol, the
// rest is the body.
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
    config.implausible_factor = data[0] & 64 ? 2 : 0;
    struct ing_work work = {.feed = data[0] & 1 ? ING_FEED_NEWS : ING_FEED_BARS, .limit = 10};
    work.timespan = (data[0] >> 1 & 15) % ING_TIMESPAN_MAX;
    mf_str_copy(work.symbol, sizeof work.symbol, data[0] & 32 ? MF_STR("X:BTCUSD") : MF_STR("AAPL"));
    work.asset_class = mf_asset_class_of_symbol(mf_str_of(work.symbol));
    work.to_us = INT64_C(1735689600) * MF_US_PER_SECOND;
    struct ing_reply reply = {.work = &work, .asked_us = work.to_us, .status = data[0] & 128 ? 403 : 200};
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    for (size_t i = 0; i < page.count; i++) {
        const struct ing_item *item = &page.items[i];
        if (item->reason[0] != '\0')
            continue;
        if (item->event_time_us < 0 || item->event_time_us >= work.to_us ||
            (i > 0 && item->event_time_us < page.items[i - 1].event_time_us))
            abort();
        ing_polygon.fill_event(&config, &page, item, &scratch, &event, NULL);
    }
    return 0;
}
