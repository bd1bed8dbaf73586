// SPDX-License-Identifier: Apache-2.0
// Any answer about the market becomes days that a calendar can be given and bad rows with a reason, whatever
// it says; any record on the topic becomes such days or is refused. The calendar then has sessions that begin
// before they end. Input: the first byte chooses between
// the list of holidays, the state of the market and the record; the rest is the body.
#include <stdlib.h>

#include "services/ingestor/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_calendar *calendar;
    static struct ing_page page;
    static struct ing_market_days days;
    static struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    if (calendar == NULL && mf_calendar_new(&calendar, NULL) < 0)
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    struct mf_str body = {(const char *)data + 1, size - 1};
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    struct ing_work work = {.feed = (data[0] & 1) != 0 ? ING_FEED_HOLIDAYS : ING_FEED_MARKET_STATE,
                            .symbol = "market:stocks",
                            .limit = 1};
    struct ing_reply reply = {.work = &work, .asked_us = INT64_C(1735689600000000), .status = 200};
    reply.body = body;
    days.count = 0;
    mf_calendar_set_notices(calendar, NULL, 0);
    if ((data[0] & 2) != 0) {
        ing_market_days_decode(page.json, body, &days, NULL);
    } else {
        page.market = (struct ing_market_said){.count = 0};
        ing_polygon.decode(&config, &reply, &page);
        for (size_t i = 0; i < page.count; i++) {
            if (page.items[i].reason[0] == '\0')
                abort();
        }
        if (ing_market_days_take(&days, &page.market, (struct mf_date){2025, 1, 1}, changes) >
            ING_MARKET_CHANGES_MAX)
            abort();
        ing_market_days_take_state(&days, calendar, &page.market, false, changes);
    }
    mf_calendar_set_notices(calendar, days.notices, days.count);
    for (size_t i = 0; i < days.count; i++) {
        const struct mf_calendar_notice *notice = &days.notices[i];
        struct mf_calendar_session session;
        bool open = mf_calendar_session_of(calendar, notice->date, &session);
        if (mf_calendar_compare(notice) == MF_CALENDAR_SAME || open == notice->closed ||
            (open && session.open_us >= session.close_us))
            abort();
    }
    return 0;
}
