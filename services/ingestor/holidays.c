// SPDX-License-Identifier: Apache-2.0
// Announced days beside the rules (see holidays.h).
#include "services/ingestor/holidays.h"

// The exchanges announce two or three years. A day of the year 9999 is a mistake, and a long walk.
enum { SATURDAY = 6, SUNDAY = 0, AHEAD_DAYS = 1500 };

static bool is_same(const struct mf_calendar_change *a, const struct mf_calendar_change *b)
{
    return a->closed == b->closed &&
           (a->closed || (a->open_minute == b->open_minute && a->close_minute == b->close_minute));
}

static bool is_shorter(const struct mf_calendar_change *a, const struct mf_calendar_change *b)
{
    return !b->closed && (a->closed || a->close_minute < b->close_minute);
}

bool ing_holidays_add(struct ing_holidays *holidays, const struct mf_calendar_change *day)
{
    size_t at = holidays->count;
    while (at > 0 && mf_date_cmp(holidays->days[at - 1].date, day->date) >= 0)
        at--;
    if (at < holidays->count && mf_date_cmp(holidays->days[at].date, day->date) == 0) {
        if (is_shorter(day, &holidays->days[at]))
            holidays->days[at] = *day;
        return true;
    }
    if (holidays->count == ING_HOLIDAYS_MAX)
        return false;
    memmove(holidays->days + at + 1, holidays->days + at, (holidays->count - at) * sizeof holidays->days[0]);
    holidays->days[at] = *day;
    holidays->count++;
    return true;
}

static const struct mf_calendar_change *announced_on(const struct ing_holidays *holidays, struct mf_date date)
{
    for (size_t i = 0; i < holidays->count; i++) {
        if (mf_date_cmp(holidays->days[i].date, date) == 0)
            return &holidays->days[i];
    }
    return NULL;
}

size_t ing_holidays_compare(const struct ing_holidays *holidays, struct mf_date today,
                            struct mf_calendar_change *changes, size_t *change_count,
                            struct ing_holiday_difference *differences, size_t most)
{
    size_t count = 0;
    *change_count = 0;
    if (holidays->count == 0)
        return 0;
    struct mf_date last = holidays->days[holidays->count - 1].date;
    struct mf_date far = mf_date_add_days(today, AHEAD_DAYS);
    if (mf_date_cmp(last, far) > 0)
        last = far;
    for (struct mf_date date = today; mf_date_cmp(date, last) <= 0; date = mf_date_add_days(date, 1)) {
        int weekday = mf_date_weekday(date);
        if (weekday == SATURDAY || weekday == SUNDAY)
            continue;
        struct mf_calendar_change rule = mf_calendar_rule(date);
        const struct mf_calendar_change *said = announced_on(holidays, date);
        struct mf_calendar_change usual = {.date = date, .open_minute = 570, .close_minute = 960};
        if (is_same(said != NULL ? said : &usual, &rule))
            continue;
        if (said != NULL)
            changes[(*change_count)++] = *said;
        if (count < most)
            differences[count] =
                (struct ing_holiday_difference){.announced = said != NULL ? *said : usual, .rule = rule};
        count++;
    }
    return count;
}
