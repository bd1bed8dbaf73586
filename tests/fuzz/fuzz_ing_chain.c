// SPDX-License-Identifier: Apache-2.0
// Any answer about an option chain becomes a page whose items are of the underlying that was asked for, and
// either have a reason or can be made an event or refused. Input: the first byte chooses what was asked, the
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
    static const struct ing_contract_filter filter = {
        .type = MF_OPTION_CALL, .strike_from = "100", .expiration_to = {2025, 12, 31}};
    if (calendar == NULL && mf_calendar_new(&calendar, NULL) < 0)
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    struct ing_work work = {.feed = ING_FEED_CHAIN, .limit = 10, .to_us = MF_US_PER_DAY};
    mf_str_copy(work.symbol, sizeof work.symbol, data[0] & 1 ? MF_STR("I:SPX") : MF_STR("AAPL"));
    work.asset_class = mf_asset_class_of_symbol(mf_str_of(work.symbol));
    work.filter = data[0] & 2 ? &filter : NULL;
    struct ing_reply reply = {
        .work = &work, .asked_us = INT64_C(1735603200) * MF_US_PER_SECOND, .status = 200};
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    for (size_t i = 0; i < page.count; i++) {
        const struct ing_item *item = &page.items[i];
        if (item->reason[0] != '\0')
            continue;
        if (item->key.len == 0 || item->event_time_us > reply.asked_us)
            abort();
        if (ing_polygon.fill_event(&config, &page, item, &scratch, &event, NULL) == 0 &&
            !mf_str_eq_c(event.symbol, data[0] & 1 ? "SPX" : "AAPL"))
            abort();
    }
    return 0;
}
