// SPDX-License-Identifier: Apache-2.0
// Where a bar lies in its market's day: window, session, date. Pure, on the calendar. Stocks, options and
// indices follow the US exchanges in New York time; crypto and currencies have no sessions and follow UTC
// days.
#ifndef ING_BAR_SESSION_H
#define ING_BAR_SESSION_H

#include "common/calendar.h"
#include "common/event.h"

struct ing_bar_place {
    int64_t event_time_us, window_end_us;
    struct mf_date session_date;
    enum mf_session session;
};

bool ing_market_has_sessions(enum mf_asset_class asset_class);
struct mf_date ing_market_date(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                               int64_t time_us);
int64_t ing_market_midnight_us(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                               struct mf_date date);

// The window of an interval that a time lies in. Windows are counted from the market's midnight; days begin
// at it, weeks on Sunday, months and longer ones on the first of the month.
struct ing_window {
    int64_t start_us, next_us; // [start, next): next is where the following one begins
};
struct ing_window ing_window_of(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                                enum mf_interval interval, int64_t time_us);

// Place of the bar whose vendor stamp is vendor_us. Intraday: the stamp is the start of the window and must
// be the start of one (false otherwise); the session is the one that all of the window lies in, else full. A
// day and longer: any stamp of the window will do; it begins where ing_window_of says, session_date is its
// first day, and it ends with the last session in it (stocks: the close; windows without session and other
// markets: where the next one begins).
bool ing_bar_place(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                   enum mf_interval interval, int64_t vendor_us, struct ing_bar_place *place);

// A market's day, as far as the places of its bars depend on it. Kept from one bar to the next it spares the
// calendar the same question; all zeros before the first one, and for another market or calendar.
struct ing_market_day {
    int64_t from_us, to_us; // [from, to)
    struct mf_date date;
    int64_t open_us, close_us; // of the regular session; both noon where there is none
};
bool ing_bar_place_on(struct ing_market_day *day, const struct mf_calendar *calendar,
                      enum mf_asset_class asset_class, enum mf_interval interval, int64_t vendor_us,
                      struct ing_bar_place *place);

// Does the range hold at least one whole regular session (or, without sessions, one whole interval)? Then an
// answer without a single bar is worth asking for again.
bool ing_session_expected(const struct mf_calendar *calendar, enum mf_asset_class asset_class,
                          int64_t from_us, int64_t to_us);

#endif
