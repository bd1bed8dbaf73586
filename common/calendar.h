// SPDX-License-Identifier: Apache-2.0
// US-equity calendar (NYSE/Nasdaq) from 1990-01-01 to 2100-12-31: sessions, holidays by the exchange's rules,
// early closes (13:00 New York), one-off closures, pre (04:00) and post (to 20:00, 17:00 on early closes)
// hours. New York time comes from the system's tz database, read once (TZif, RFC 8536); nothing here depends
// on the TZ variable. Sources of the rules: NYSE Rule 7.2 holidays and the exchange's published closings.
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

// Days on which the exchange does otherwise than its rules say, as somebody has announced: they count instead
// of the rules from now on, and replace all that were set before. Copied; the rules stay as they are.
#define MF_CALENDAR_CHANGES_MAX 128
struct mf_calendar_change {
    struct mf_date date;
    bool closed;
    int open_minute, close_minute; // of the day in New York, unless closed; 570 and 960 on a usual one
};
void mf_calendar_set_changes(struct mf_calendar *calendar, const struct mf_calendar_change *changes,
                             size_t count); // at most MF_CALENDAR_CHANGES_MAX
// What the rules alone say, in the same form.
struct mf_calendar_change mf_calendar_rule(struct mf_date date);

enum mf_calendar_phase { MF_PHASE_CLOSED, MF_PHASE_PRE, MF_PHASE_REGULAR, MF_PHASE_POST };
enum mf_calendar_phase mf_calendar_phase_at(const struct mf_calendar *calendar, int64_t time_us);

// New York wall clock.
struct mf_date mf_calendar_local_date(const struct mf_calendar *calendar, int64_t time_us);
int32_t mf_calendar_utc_offset_s(const struct mf_calendar *calendar, int64_t time_us); // -18000 or -14400
// UTC of a New York wall time; ambiguous times take the first, skipped ones move forward.
int64_t mf_calendar_local_to_utc(const struct mf_calendar *calendar, struct mf_date date, int hour,
                                 int minute);
int64_t mf_calendar_midnight_us(const struct mf_calendar *calendar, struct mf_date date);

// Why the exchange is closed: "weekend", "New Year's Day", "Hurricane Sandy", …, "announced" for a change
// that was set; NULL when it is open.
const char *mf_calendar_closure_reason(const struct mf_calendar *calendar, struct mf_date date);

#endif
