// SPDX-License-Identifier: Apache-2.0
// An answer that is read row by row is the same page, with the same events and dead letters, as when it is
// read as one document. Input: the first byte chooses timespan and asset class, the rest is the body.
#include <stdlib.h>

#include "tests/unit/ing_rows_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_calendar *calendar;
    static struct ing_two_pages pages;
    if (calendar == NULL) {
        if (mf_calendar_new(&calendar, NULL) < 0)
            abort();
        ing_two_pages_init(&pages);
    }
    if (size == 0)
        return 0;
    struct ing_provider_config config = {
        .base_url = "https://h", .secret = "key", .calendar = calendar, .implausible_factor = 10};
    struct ing_work work = {.feed = ING_FEED_BARS, .timespan = data[0] & 1, .limit = 10};
    mf_str_copy(work.symbol, sizeof work.symbol, data[0] & 2 ? MF_STR("X:BTCUSD") : MF_STR("AAPL"));
    work.asset_class = mf_asset_class_of_symbol(mf_str_of(work.symbol));
    work.adjusted = MF_ADJUSTED_SPLIT;
    work.to_us = INT64_C(1735689600) * MF_US_PER_SECOND;
    struct ing_reply reply = {.work = &work, .asked_us = work.to_us, .status = data[0] & 128 ? 403 : 200};
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    bool by_row;
    if (ing_two_pages_differ(&pages, &config, &reply, &by_row) != NULL)
        abort();
    return 0;
}
