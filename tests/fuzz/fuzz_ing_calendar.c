// SPDX-License-Identifier: Apache-2.0
// Whatever the vendor announces about the exchanges' days, each is told once, in order of time, and the
// calendar that has been told has sessions that begin before they end. Input: the first byte chooses the
// feed and the status, the rest is the body.
#include <stdlib.h>

#include "services/ingestor/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct mf_calendar *calendar, const struct ing_holidays *holidays)
{
    struct mf_calendar_change changes[ING_HOLIDAYS_MAX];
    struct ing_holiday_difference differences[4];
    struct mf_date today = {2024, 6, 3};
    size_t count = 0;
    if (holidays->count > ING_HOLIDAYS_MAX)
        abort();
    for (size_t i = 1; i < holidays->count; i++) {
        if (mf_date_cmp(holidays->days[i - 1].date, holidays->days[i].date) >= 0)
            abort();
    }
    ing_holidays_compare(holidays, today, changes, &count, differences, MF_ARRAY_LEN(differences));
    if (count > holidays->count)
        abort();
    mf_calendar_set_changes(calendar, changes, count);
    for (size_t i = 0; i < count; i++) {
        struct mf_calendar_session session;
        bool open = mf_calendar_session_of(calendar, changes[i].date, &session);
        if (open && (changes[i].closed || session.open_us >= session.close_us))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_calendar *calendar;
    static struct ing_page page;
    if (calendar == NULL && mf_calendar_new(&calendar, NULL) < 0)
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    mf_calendar_set_changes(calendar, NULL, 0);
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    struct ing_work work = {.feed = data[0] & 1 ? ING_FEED_MARKET_STATE : ING_FEED_HOLIDAYS, .limit = 10};
    work.to_us = MF_US_PER_DAY;
    struct ing_reply reply = {.work = &work, .asked_us = INT64_C(1717400000) * MF_US_PER_SECOND};
    reply.status = data[0] & 2 ? 404 : 200;
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    for (size_t i = 0; i < page.count; i++) {
        if (page.items[i].reason[0] == '\0')
            abort();
    }
    check(calendar, &page.holidays);
    return 0;
}
