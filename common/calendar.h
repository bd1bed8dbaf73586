// SPDX-License-Identifier: Apache-2.0
// US-equity calendar (NYSE/Nasdaq) from 1990-01-01 to 2100-12-31: sessions, holidays by the exchange's rules,
// early closes (13:00 New York), one-off closures, pre (04:00) and post (to 20:00, 17:00 on early closes)
// hours. New York time comes from the system's tz database, read once (TZif, RFC 8536); nothing here depends
// on the TZ variable. Sources of the rules: NYSE Rule 7.2 holidays and the exchange's published closings.
//
// What no rule knows can be laid over them day by day, as notices: see mf_calendar_set_notices. A calendar
// without notices, which is how every one begins, depends on nothing but the rules and the tz database.
#ifndef MF_CALENDAR_H
#define MF_CALENDAR_H

#include "clock.h"
#include "error.h"

struct mf_calendar;

struct mf_calendar_session {
    struct mf_date date;
    int64_t pre_open_us, open_us, close_us, post_close_us; // UTC
    bool early_close;
};

// Reads <zoneinfo>/America/New_York (TZDIR, else /usr/share/zoneinfo). CONFIG when it is absent or malformed.
int mf_calendar_new(struct mf_calendar **calendar, struct mf_error *err);
void mf_calendar_free(struct mf_calendar **calendar);

// False when the exchange is closed that day or the date is out of range.
bool mf_calendar_session_of(const struct mf_calendar *calendar, struct mf_date date,
                            struct mf_calendar_session *session);
// The first session on or after / on or before the date; false when out of range.
bool mf_calendar_session_from(const struct mf_calendar *calendar, struct mf_date date,
                              struct mf_calendar_session *session);
bool mf_calendar_session_until(const struct mf_calendar *calendar, struct mf_date date,
                               struct mf_calendar_session *session);

enum mf_calendar_phase { MF_PHASE_CLOSED, MF_PHASE_PRE, MF_PHASE_REGULAR, MF_PHASE_POST };
enum mf_calendar_phase mf_calendar_phase_at(const struct mf_calendar *calendar, int64_t time_us);

// New York wall clock.
struct mf_date mf_calendar_local_date(const struct mf_calendar *calendar, int64_t time_us);
int32_t mf_calendar_utc_offset_s(const struct mf_calendar *calendar, int64_t time_us); // -18000 or -14400
// UTC of a New York wall time; ambiguous times take the first, skipped ones move forward.
int64_t mf_calendar_local_to_utc(const struct mf_calendar *calendar, struct mf_date date, int hour,
                                 int minute);
int64_t mf_calendar_midnight_us(const struct mf_calendar *calendar, struct mf_date date);

// Why the exchange is closed: "weekend", "New Year's Day", "Hurricane Sandy", …; NULL when it is open. Of a
// notice it is the notice's own text, valid until the next mf_calendar_set_notices.
const char *mf_calendar_closure_reason(const struct mf_calendar *calendar, struct mf_date date);

// ---------------------------------------------------------------- notices

// What was announced for one day.
struct mf_calendar_notice {
    struct mf_date date;
    bool closed;
    int open_minute, close_minute; // of the day in New York when it is not closed: 570 and 960 are usual
    char reason[64];               // "" = none was given
};
enum { MF_CALENDAR_NOTICES_MAX = 64 };

enum mf_calendar_difference {
    MF_CALENDAR_SAME,        // the rules say so too
    MF_CALENDAR_CLOSED,      // a session by the rules does not take place
    MF_CALENDAR_OTHER_HOURS, // it opens or closes at another time
    MF_CALENDAR_OPENED,      // a session takes place where the rules have a holiday
    MF_CALENDAR_DIFFERENCE_MAX
};
const char *mf_calendar_difference_name(enum mf_calendar_difference difference); // "same", "closed", …
// What the notice changes about the rules. Pure: other notices play no part.
enum mf_calendar_difference mf_calendar_compare(const struct mf_calendar_notice *notice);

// Lays these notices over the rules and forgets all earlier ones; count 0 leaves the rules alone. Their dates
// differ from each other and there are at most MF_CALENDAR_NOTICES_MAX (asserted). From then on every
// function of this header answers with them.
void mf_calendar_set_notices(struct mf_calendar *calendar, const struct mf_calendar_notice *notices,
                             size_t count);

#endif
