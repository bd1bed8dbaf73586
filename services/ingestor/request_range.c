// SPDX-License-Identifier: Apache-2.0
// Ranges of requests (see request_range.h).
#include "services/ingestor/request_range.h"

#include "services/ingestor/bar_session.h"

// The vendor's advice for minutes and hours: at most a month in one request.
enum { INTRADAY_DAYS_MAX = 30, SESSION_HOURS = 16, DAY_HOURS = 24 };

static const struct ing_timespan_info *span_of(const struct ing_work *work)
{
    return &ing_timespans[work->timespan];
}

unsigned ing_request_limit(const struct ing_work *work)
{
    if (!ing_feed_is_of_bars(work->feed) || work->limit >= span_of(work)->base_count)
        return work->limit;
    return span_of(work)->base_count;
}

// Base aggregates of a day on which the market is open all its hours.
static uint64_t per_day(const struct ing_work *work)
{
    uint64_t hours = ing_market_has_sessions(work->asset_class) ? SESSION_HOURS : DAY_HOURS;
    switch (span_of(work)->base) {
    case ING_BASE_SECOND: return hours * 3600;
    case ING_BASE_MINUTE: return hours * 60;
    case ING_BASE_DAY: break;
    }
    return 1;
}

// Days of the market from `from` on, without `to`, on which there are bars.
static uint64_t open_days(const struct mf_calendar *calendar, const struct ing_work *work,
                          struct mf_date from, struct mf_date to)
{
    int64_t days = (int64_t)mf_date_to_days(to) - mf_date_to_days(from);
    uint64_t open = 0;
    struct mf_calendar_session session;
    if (!ing_market_has_sessions(work->asset_class))
        return days > 0 ? (uint64_t)days : 0;
    for (struct mf_date date = from; mf_date_cmp(date, to) < 0; date = mf_date_add_days(date, 1))
        open += mf_calendar_session_of(calendar, date, &session);
    return open;
}

uint64_t ing_request_base_count(const struct mf_calendar *calendar, const struct ing_work *work,
                                int64_t from_us, int64_t to_us)
{
    if (from_us >= to_us)
        return 0;
    struct mf_date from = ing_market_date(calendar, work->asset_class, from_us);
    struct mf_date last = ing_market_date(calendar, work->asset_class, to_us - 1);
    return per_day(work) * open_days(calendar, work, from, mf_date_add_days(last, 1));
}

// The first day behind `from` that no longer fits into the page; at most `most` days on.
static struct mf_date first_beyond(const struct mf_calendar *calendar, const struct ing_work *work,
                                   struct mf_date from, int64_t most)
{
    uint64_t room = ing_request_limit(work) / per_day(work);
    struct mf_calendar_session session;
    if (room >= (uint64_t)most) // every day could be open: no need to look
        return mf_date_add_days(from, (int32_t)most);
    bool sessions = ing_market_has_sessions(work->asset_class);
    room = room > 0 ? room : 1;
    struct mf_date date = from;
    for (int64_t days = 0; days < most; days++, date = mf_date_add_days(date, 1)) {
        bool open = !sessions || mf_calendar_session_of(calendar, date, &session);
        if (open && room == 0)
            break;
        room -= open;
    }
    return date;
}

int64_t ing_request_begin_us(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                             int64_t to_us)
{
    if (!ing_feed_is_by_day(work->feed) || from_us >= to_us)
        return from_us;
    struct mf_calendar_session session;
    struct mf_date date = ing_market_date(calendar, work->asset_class, from_us);
    if (!mf_calendar_session_from(calendar, date, &session))
        return to_us;
    int64_t begin_us = mf_calendar_midnight_us(calendar, session.date);
    if (begin_us < from_us)
        begin_us = from_us;
    return begin_us < to_us ? begin_us : to_us;
}

int64_t ing_request_end_us(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                           int64_t to_us)
{
    if (ing_feed_is_by_day(work->feed) && from_us < to_us) {
        int64_t next_us = ing_window_of(calendar, work->asset_class, MF_INTERVAL_1D, from_us).next_us;
        return next_us < to_us ? next_us : to_us;
    }
    if (!ing_feed_is_of_bars(work->feed) || from_us >= to_us)
        return to_us;
    enum mf_asset_class asset_class = work->asset_class;
    enum mf_interval interval = span_of(work)->interval;
    struct mf_date from = ing_market_date(calendar, asset_class, from_us);
    struct mf_date last = ing_market_date(calendar, asset_class, to_us - 1);
    int64_t most = (int64_t)mf_date_to_days(last) - mf_date_to_days(from) + 1;
    if (span_of(work)->base != ING_BASE_DAY && most > INTRADAY_DAYS_MAX)
        most = INTRADAY_DAYS_MAX;
    struct mf_date end = first_beyond(calendar, work, from, most);
    int64_t end_us = ing_market_midnight_us(calendar, asset_class, end);
    if (end_us >= to_us)
        return to_us;
    struct ing_window window = ing_window_of(calendar, asset_class, interval, end_us);
    if (window.start_us > from_us)
        return window.start_us; // what begins behind it belongs to the next request
    window = ing_window_of(calendar, asset_class, interval, from_us);
    return window.next_us < to_us ? window.next_us : to_us;
}

unsigned ing_request_pages(const struct mf_calendar *calendar, const struct ing_work *work, int64_t from_us,
                           int64_t to_us)
{
    if (!ing_feed_is_of_bars(work->feed))
        return 1;
    uint64_t limit = ing_request_limit(work);
    uint64_t base = ing_request_base_count(calendar, work, from_us, to_us);
    return base <= limit ? 1 : (unsigned)((base + limit - 1) / limit);
}
