// SPDX-License-Identifier: Apache-2.0
// What the exchanges announce (the provider's market status and list of holidays), and what of it is laid
// over the built-in calendar: the days on which the announcements and the rules differ. Pure. Failure class:
// POISON for stored days that cannot be read.
//
// Of the exchanges only those count that US equities are listed on: NYSE and NASDAQ, and only what both say.
// A day that one of them announces alone is disputed: it is said, and the rules stand.
//
// The list names the days that are other than usual. It is believed for days to come: what it no longer says
// is withdrawn. What it has said of a day stays when the day has come, and for some weeks behind it, because
// lists do not look back and what asks about the last session must not find one that never was.
#ifndef ING_MARKET_DAYS_H
#define ING_MARKET_DAYS_H

#include "common/buf.h"
#include "common/calendar.h"

struct mf_json;

enum ing_market_state {
    ING_MARKET_UNSAID, // nothing, nonsense, or the exchanges do not say the same
    ING_MARKET_CLOSED,
    ING_MARKET_EXTENDED, // before the opening or after the close
    ING_MARKET_OPEN,
    ING_MARKET_STATE_MAX
};
const char *ing_market_state_name(enum ing_market_state state); // "unsaid", "closed", …

struct ing_market_said {                                     // by one answer
    struct mf_calendar_notice days[MF_CALENDAR_NOTICES_MAX]; // both exchanges; any order
    size_t count;
    struct mf_date disputed[MF_CALENDAR_NOTICES_MAX]; // one of them only
    size_t disputed_count;
    enum ing_market_state state; // of both, at server_time_us
    int64_t server_time_us;
};

struct ing_market_days { // in force; each differs from the rules
    struct mf_calendar_notice notices[MF_CALENDAR_NOTICES_MAX];
    size_t count;
    struct mf_date stated; // the day that the market's state has decided: no list overrules it
};

struct ing_market_change {
    struct mf_calendar_notice notice; // as it is now, or was
    bool withdrawn;                   // the rules stand again
};
enum { ING_MARKET_CHANGES_MAX = 2 * MF_CALENDAR_NOTICES_MAX };

// Takes an answer to the list of holidays, given on the day `today` in New York. Returns how many changes
// there were; what was in force before and is said again is none.
size_t ing_market_days_take(struct ing_market_days *days, const struct ing_market_said *said,
                            struct mf_date today, struct ing_market_change changes[ING_MARKET_CHANGES_MAX]);

// Takes an answer about the market's state. It has a say only well inside of what are regular hours by the
// calendar, or by the rules: a market said to be closed there, in which nothing was traded since the opening
// (`traded`: a bar of these hours is known), is closed today; one said to be open that should be closed is
// open today. What it says of a day lists may not change any more. The calendar has the days in force. True
// when that is a change.
bool ing_market_days_take_state(struct ing_market_days *days, const struct mf_calendar *calendar,
                                const struct ing_market_said *said, bool traded,
                                struct ing_market_change *change);

// How they are kept on the watermarks topic, under a key of their own.
extern const char ing_market_days_key[];
void ing_market_days_encode(const struct ing_market_days *days, struct mf_buf *out);
// Days that the rules have come to say too are left out. POISON; *days is left then.
int ing_market_days_decode(struct mf_json *json, struct mf_str text, struct ing_market_days *days,
                           struct mf_error *err);

#endif
