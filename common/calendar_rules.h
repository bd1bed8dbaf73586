// SPDX-License-Identifier: Apache-2.0
// Inside of common/calendar*.c: on which days, and from when to when by the clock of New York, the exchange
// is open. Pure; nothing fails. Sources are named in calendar_rules.c.
#ifndef MF_CALENDAR_RULES_H
#define MF_CALENDAR_RULES_H

#include "clock.h"

#define MF_CALENDAR_FIRST_YEAR 1990
#define MF_CALENDAR_LAST_YEAR 2100

struct mf_calendar_hours {
    const char *closed;            // why it is closed; NULL when open
    int open_minute, close_minute; // of the day; 570 and 960 unless changed
};
struct mf_calendar_hours mf_calendar_rules_of(struct mf_date date);

#endif
