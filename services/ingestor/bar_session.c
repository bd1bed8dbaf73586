// SPDX-License-Identifier: Apache-2.0
// Places of bars in the market's day (see bar_session.h).
#include "services/ingestor/bar_session.h"

bool ing_market_has_sessions(enum mf_asset_class asset_class)
{
    return asset_class == MF_ASSET_STOCK || asset_class == MF_ASSET_OPTION || asset_class == MF_ASSET_INDEX;
}

struct mf_date ing_market_date(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                               int64_t time_us)
{
    return ing_market_has_sessions(asset_class) ? mf_calendar_local_date(calendar, time_us)
                                                : mf_date_of_utc(time_us);
}

int64_t ing_market_midnight_us(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                               struct mf_date date)
{
    return ing_market_has_sessions(asset_class) ? mf_calendar_midnight_us(calendar, date)
                                                : mf_date_utc_midnight_us(date);
}

static struct mf_date first_of_months(int32_t month)
{
    return (struct mf_date){.year = month / 12, .month = month % 12 + 1, .day = 1};
}

// Months that a window is long; 0 = it is not made of months.
static int32_t months_of(enum mf_interval interval)
{
    switch (interval) {
    case MF_INTERVAL_1MO: return 1;
    case MF_INTERVAL_3MO: return 3;
    case MF_INTERVAL_1Y: return 12;
    default: return 0;
    }
}

struct ing_window ing_window_of(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                                enum mf_interval interval, int64_t time_us)
{
    struct mf_date date = ing_market_date(calendar, asset_class, time_us);
    struct mf_date next = mf_date_add_days(date, 1);
    if (interval < MF_INTERVAL_1D) {
        int64_t length_us = mf_interval_us(interval);
        int64_t midnight_us = ing_market_midnight_us(calendar, asset_class, date);
        int64_t tomorrow_us = ing_market_midnight_us(calendar, asset_class, next);
        int64_t start_us = time_us - (time_us - midnight_us) % length_us;
        int64_t next_us = start_us + length_us;
        return (struct ing_window){start_us, next_us < tomorrow_us ? next_us : tomorrow_us};
    }
    int32_t months = months_of(interval);
    if (months > 0) {
        int32_t first = date.year * 12 + date.month - 1;
        first -= first % months;
        date = first_of_months(first);
        next = first_of_months(first + months);
    } else if (interval == MF_INTERVAL_1W) {
        date = mf_date_add_days(date, -mf_date_weekday(date));
        next = mf_date_add_days(date, 7);
    }
    return (struct ing_window){ing_market_midnight_us(calendar, asset_class, date),
                               ing_market_midnight_us(calendar, asset_class, next)};
}

// The day that the time lies on. A bar of a day on which the exchange is closed: overnight venues report
// some. Before noon it leads up to a session, after noon it follows one.
static void find_day(struct ing_market_day *day, const struct mf_calendar *calendar,
                     enum mf_asset_class asset_class, int64_t time_us)
{
    if (time_us >= day->from_us && time_us < day->to_us)
        return;
    day->date = ing_market_date(calendar, asset_class, time_us);
    day->from_us = ing_market_midnight_us(calendar, asset_class, day->date);
    day->to_us = ing_market_midnight_us(calendar, asset_class, mf_date_add_days(day->date, 1));
    if (!ing_market_has_sessions(asset_class))
        return;
    struct mf_calendar_session session;
    bool open = mf_calendar_session_of(calendar, day->date, &session);
    day->open_us = open ? session.open_us : mf_calendar_local_to_utc(calendar, day->date, 12, 0);
    day->close_us = open ? session.close_us : day->open_us;
}

static enum mf_session session_at(const struct ing_market_day *day, int64_t time_us)
{
    if (time_us < day->open_us)
        return MF_SESSION_PRE;
    return time_us < day->close_us ? MF_SESSION_REGULAR : MF_SESSION_POST;
}

// A day and longer: it ends with the last session in it, as its prices do.
static void place_days(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                       enum mf_interval interval, int64_t vendor_us, struct ing_bar_place *place)
{
    struct ing_window window = ing_window_of(calendar, asset_class, interval, vendor_us);
    *place = (struct ing_bar_place){
        .event_time_us = window.start_us,
        .window_end_us = window.next_us,
        .session_date = ing_market_date(calendar, asset_class, window.start_us),
        .session = MF_SESSION_FULL,
    };
    struct mf_calendar_session session;
    struct mf_date last = ing_market_date(calendar, asset_class, window.next_us - 1);
    if (ing_market_has_sessions(asset_class) && mf_calendar_session_until(calendar, last, &session) &&
        session.open_us > window.start_us)
        place->window_end_us = session.close_us;
}

// Midnights of both markets lie on whole hours, so only longer windows depend on one. Of those, the ones of
// coins and currencies are found cut in UTC as well as in New York.
static bool is_start(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                     enum mf_interval interval, int64_t vendor_us)
{
    int64_t length_us = mf_interval_us(interval);
    if (length_us <= MF_US_PER_HOUR)
        return vendor_us % length_us == 0;
    return ing_window_of(calendar, asset_class, interval, vendor_us).start_us == vendor_us ||
           (!ing_market_has_sessions(asset_class) &&
            ing_window_of(calendar, MF_ASSET_STOCK, interval, vendor_us).start_us == vendor_us);
}

bool ing_bar_place(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                   enum mf_interval interval, int64_t vendor_us, struct ing_bar_place *place)
{
    struct ing_market_day day = {0};
    return ing_bar_place_on(&day, calendar, asset_class, interval, vendor_us, place);
}

bool ing_bar_place_on(struct ing_market_day *day, const struct mf_calendar *calendar,
                      enum mf_asset_class asset_class, enum mf_interval interval, int64_t vendor_us,
                      struct ing_bar_place *place)
{
    if (interval >= MF_INTERVAL_1D) {
        place_days(calendar, asset_class, interval, vendor_us, place);
        return true;
    }
    if (!is_start(calendar, asset_class, interval, vendor_us))
        return false;
    int64_t length_us = mf_interval_us(interval);
    find_day(day, calendar, asset_class, vendor_us);
    *place = (struct ing_bar_place){
        .event_time_us = vendor_us,
        .window_end_us = vendor_us + length_us,
        .session_date = day->date,
        .session = MF_SESSION_FULL,
    };
    if (!ing_market_has_sessions(asset_class))
        return true;
    place->session = session_at(day, vendor_us);
    // Sessions open and close on half hours; what is longer may lie on both sides.
    if (length_us > MF_US_PER_HOUR / 2 && session_at(day, place->window_end_us - 1) != place->session)
        place->session = MF_SESSION_FULL;
    return true;
}

bool ing_session_expected(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                          int64_t from_us, int64_t to_us)
{
    if (!ing_market_has_sessions(asset_class))
        return to_us - from_us >= MF_US_PER_HOUR;
    struct mf_calendar_session session;
    struct mf_date date = mf_calendar_local_date(calendar, from_us);
    // The range may begin in the middle of a session; then the next one counts.
    for (int i = 0; i < 2; i++) {
        if (!mf_calendar_session_from(calendar, date, &session))
            return false;
        if (session.open_us >= from_us)
            return session.close_us <= to_us;
        date = mf_date_add_days(session.date, 1);
    }
    return false;
}
