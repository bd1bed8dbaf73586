// SPDX-License-Identifier: Apache-2.0
// What the vendor announces about the exchanges' days to come, beside the built-in calendar: which of it is
// news, and what the calendar is told. Pure.
#ifndef ING_HOLIDAYS_H
#define ING_HOLIDAYS_H

#include "common/calendar.h"

enum { ING_HOLIDAYS_MAX = MF_CALENDAR_CHANGES_MAX };

enum ing_market_state { ING_STATE_UNKNOWN, ING_STATE_CLOSED, ING_STATE_EXTENDED, ING_STATE_OPEN };

struct ing_holidays {
    struct mf_calendar_change days[ING_HOLIDAYS_MAX]; // each once, in order of time
    size_t count;
    enum ing_market_state state; // of the exchanges, now
    int64_t server_us;           // the vendor's clock; INT64_MIN = not said
};

// Adds what one exchange does on a day; what another one said of it stays when it closes the day or shortens
// it more. False when there is no room.
bool ing_holidays_add(struct ing_holidays *holidays, const struct mf_calendar_change *day);

// A day on which the announcement and the rules differ.
struct ing_holiday_difference {
    struct mf_calendar_change announced, rule;
};
// From `today` to the last announced day, but four years ahead at most: days that the rules know otherwise,
// and days that the rules close or shorten and nobody has announced (weekends aside). changes: all that is
// announced and differs, for mf_calendar_set_changes; a day that is not announced stays what the rules say.
// Returns the number of differences, of which at most `most` are written.
size_t ing_holidays_compare(const struct ing_holidays *holidays, struct mf_date today,
                            struct mf_calendar_change *changes, size_t *change_count,
                            struct ing_holiday_difference *differences, size_t most);

#endif
