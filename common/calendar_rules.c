// SPDX-License-Identifier: Apache-2.0
// Sessions of the New York Stock Exchange, 1990 to 2100, as rules and lists.
//
// Holidays: NYSE Rule 7.2 ("Holidays"): a holiday on a Saturday is kept on the Friday before, one on a Sunday
// on the Monday after; but not on a Friday that ends a month or a year, which keeps New Year's Day on a
// Saturday from closing December 31. Martin Luther King Day since 1998, Juneteenth since 2022. What the rules
// do not foresee is in the lists below, from the exchange's published special closings and the press of the
// day; an interruption shorter than half an hour is left out. Years to come follow today's rules, and a later
// decision of the exchange needs a line here.
#include "common/calendar_rules.h"

enum { OPEN = 9 * 60 + 30, CLOSE = 16 * 60, AT_1PM = 13 * 60, AT_2PM = 14 * 60 };
enum { SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY };

static const struct {
    struct mf_date date;
    const char *reason;
} closures[] = {
    {{1994, 4, 27}, "funeral of President Nixon"}, {{2001, 9, 11}, "attacks of September 11"},
    {{2001, 9, 12}, "attacks of September 11"},    {{2001, 9, 13}, "attacks of September 11"},
    {{2001, 9, 14}, "attacks of September 11"},    {{2004, 6, 11}, "funeral of President Reagan"},
    {{2007, 1, 2}, "funeral of President Ford"},   {{2012, 10, 29}, "Hurricane Sandy"},
    {{2012, 10, 30}, "Hurricane Sandy"},           {{2018, 12, 5}, "funeral of President George H. W. Bush"},
    {{2025, 1, 9}, "funeral of President Carter"},
};

static const struct {
    struct mf_date date;
    int open, close;
} changed_hours[] = {
    {{1990, 12, 27}, 11 * 60, CLOSE},      // a fire at a transformer
    {{1994, 2, 11}, OPEN, 14 * 60 + 30},   // snow
    {{1995, 12, 18}, 10 * 60 + 30, CLOSE}, // a failed computer
    {{1996, 1, 8}, 11 * 60, AT_2PM},       // a blizzard
    {{1997, 10, 27}, OPEN, 15 * 60 + 30},  // the circuit breakers
    {{1997, 12, 26}, OPEN, AT_1PM},        // the Friday after Christmas
    {{1999, 12, 31}, OPEN, AT_1PM},        // the turn to 2000
    {{2002, 9, 11}, 12 * 60, CLOSE},       // a year after the attacks
    {{2003, 12, 26}, OPEN, AT_1PM},        // the Friday after Christmas
};

// Holidays with a date, and the first year of each.
static const struct {
    int month, day, first_year;
    bool friday_before; // kept on a Friday when it falls on a Saturday
    const char *reason;
} fixed_holidays[] = {
    {1, 1, 1990, false, "New Year's Day"},
    {6, 19, 2022, true, "Juneteenth"},
    {7, 4, 1990, true, "Independence Day"},
    {12, 25, 1990, true, "Christmas Day"},
};

// Holidays on the n-th weekday of a month; 5 means the last one.
static const struct {
    int month, week, weekday, first_year;
    const char *reason;
} weekday_holidays[] = {
    {1, 3, MONDAY, 1998, "Martin Luther King Day"}, {2, 3, MONDAY, 1990, "Washington's Birthday"},
    {5, 5, MONDAY, 1990, "Memorial Day"},           {9, 1, MONDAY, 1990, "Labor Day"},
    {11, 4, THURSDAY, 1990, "Thanksgiving Day"},
};

static const char *fixed_holiday(struct mf_date date)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(fixed_holidays); i++) {
        struct mf_date day = {date.year, fixed_holidays[i].month, fixed_holidays[i].day};
        if (date.year < fixed_holidays[i].first_year)
            continue;
        int weekday = mf_date_weekday(day);
        if (weekday == SUNDAY)
            day = mf_date_add_days(day, 1);
        else if (weekday == SATURDAY && fixed_holidays[i].friday_before)
            day = mf_date_add_days(day, -1);
        if (mf_date_cmp(day, date) == 0)
            return fixed_holidays[i].reason;
    }
    return NULL;
}

static bool is_weekday_of_month(struct mf_date date, int month, int week, int weekday)
{
    if (date.month != month || mf_date_weekday(date) != weekday)
        return false;
    if (week == 5)
        return mf_date_add_days(date, 7).month != month;
    return (date.day - 1) / 7 + 1 == week;
}

static const char *weekday_holiday(struct mf_date date)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(weekday_holidays); i++) {
        if (date.year >= weekday_holidays[i].first_year &&
            is_weekday_of_month(date, weekday_holidays[i].month, weekday_holidays[i].week,
                                weekday_holidays[i].weekday))
            return weekday_holidays[i].reason;
    }
    return NULL;
}

// Gregorian Easter Sunday (the anonymous algorithm of 1876, as in Meeus, Astronomical Algorithms, chapter 8).
static struct mf_date easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4;
    int f = (b + 8) / 25, g = (b - f + 1) / 3, h = (19 * a + b - d - g + 15) % 30;
    int i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7, m = (a + 11 * h + 22 * l) / 451;
    int n = h + l - 7 * m + 114;
    return (struct mf_date){year, n / 31, n % 31 + 1};
}

static const char *closed_by(struct mf_date date, int weekday)
{
    if (weekday == SUNDAY || weekday == SATURDAY)
        return "weekend";
    const char *reason = fixed_holiday(date);
    if (reason == NULL)
        reason = weekday_holiday(date);
    if (reason == NULL && weekday == FRIDAY && (date.month == 3 || date.month == 4) &&
        mf_date_cmp(mf_date_add_days(easter(date.year), -2), date) == 0)
        reason = "Good Friday";
    for (size_t i = 0; reason == NULL && i < MF_ARRAY_LEN(closures); i++) {
        if (mf_date_cmp(closures[i].date, date) == 0)
            reason = closures[i].reason;
    }
    return reason;
}

// The last session before Independence Day: since 1995, but a Wednesday only since 2013; before that, the
// exchange closed early on the Friday that followed a holiday on Thursday.
static bool is_early_july(struct mf_date date, int weekday)
{
    if (date.month != 7 || date.year < 1995)
        return false;
    if (date.day == 3)
        return weekday != WEDNESDAY || date.year >= 2013;
    return date.day == 5 && weekday == FRIDAY && date.year < 2013;
}

// Early closes by rule. Friday, December 24 is a holiday, and so is Friday, July 3.
static int rule_close(struct mf_date date, int weekday)
{
    bool after_thanksgiving =
        weekday == FRIDAY && is_weekday_of_month(mf_date_add_days(date, -1), 11, 4, THURSDAY);
    bool christmas_eve = date.month == 12 && date.day == 24;
    if (after_thanksgiving && date.year >= 1992)
        return date.year < 1993 ? AT_2PM : AT_1PM;
    if (christmas_eve)
        return date.year < 1993 ? AT_2PM : AT_1PM;
    return is_early_july(date, weekday) ? AT_1PM : CLOSE;
}

struct mf_calendar_hours mf_calendar_rules_of(struct mf_date date)
{
    struct mf_calendar_hours hours = {.open_minute = OPEN, .close_minute = CLOSE};
    int weekday = mf_date_weekday(date);
    if (date.year < MF_CALENDAR_FIRST_YEAR || date.year > MF_CALENDAR_LAST_YEAR)
        hours.closed = "outside of the calendar";
    else
        hours.closed = closed_by(date, weekday);
    if (hours.closed != NULL)
        return hours;
    hours.close_minute = rule_close(date, weekday);
    for (size_t i = 0; i < MF_ARRAY_LEN(changed_hours); i++) {
        if (mf_date_cmp(changed_hours[i].date, date) == 0) {
            hours.open_minute = changed_hours[i].open;
            hours.close_minute = changed_hours[i].close;
        }
    }
    return hours;
}
