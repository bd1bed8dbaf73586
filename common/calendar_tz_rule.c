// SPDX-License-Identifier: Apache-2.0
// The footer rule of a time zone file: a POSIX TZ string such as "EST5EDT,M3.2.0,M11.1.0", with the extension
// of RFC 8536 §3.3.1 (times from -167 to 167 hours). Pure.
#include "common/calendar_tzif.h"
#include "common/clock.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// One to three digits, at most `most`.
static bool take_number(struct cursor *c, int least, int most, int *out)
{
    int value = 0, digits = 0;
    for (; digits < 3 && c->at < c->end && is_digit(*c->at); digits++)
        value = value * 10 + (*c->at++ - '0');
    if (digits == 0 || value < least || value > most || (c->at < c->end && is_digit(*c->at)))
        return false;
    *out = value;
    return true;
}

// Three or more letters, or letters, digits and signs in angle brackets.
static bool take_name(struct cursor *c)
{
    const char *start = c->at;
    if (take(c, '<')) {
        start = c->at;
        while (c->at < c->end && (is_letter(*c->at) || is_digit(*c->at) || *c->at == '+' || *c->at == '-'))
            c->at++;
        return c->at - start >= 3 && take(c, '>');
    }
    while (c->at < c->end && is_letter(*c->at))
        c->at++;
    return c->at - start >= 3;
}

// [+-]h[hh][:mm[:ss]]
static bool take_time(struct cursor *c, int most_hours, int32_t *out)
{
    int hours = 0, minutes = 0, seconds = 0;
    bool negative = take(c, '-');
    if (!negative)
        (void)take(c, '+');
    if (!take_number(c, 0, most_hours, &hours))
        return false;
    if (take(c, ':')) {
        if (!take_number(c, 0, 59, &minutes))
            return false;
        if (take(c, ':') && !take_number(c, 0, 59, &seconds))
            return false;
    }
    int32_t value = hours * HOUR_S + minutes * MINUTE_S + seconds;
    *out = negative ? -value : value;
    return true;
}

// ",M3.2.0/2", ",J60", ",59/-1"
static bool take_change(struct cursor *c, struct mf_tz_change *change)
{
    *change = (struct mf_tz_change){.time_s = 2 * HOUR_S};
    if (!take(c, ','))
        return false;
    bool good;
    if (take(c, 'M')) {
        change->form = MF_TZ_MONTH_WEEK_DAY;
        good = take_number(c, 1, 12, &change->month) && take(c, '.') && take_number(c, 1, 5, &change->week) &&
               take(c, '.') && take_number(c, 0, 6, &change->day);
    } else if (take(c, 'J')) {
        change->form = MF_TZ_JULIAN;
        good = take_number(c, 1, 365, &change->day);
    } else {
        change->form = MF_TZ_DAY_OF_YEAR;
        good = take_number(c, 0, 365, &change->day);
    }
    return good && (!take(c, '/') || take_time(c, 167, &change->time_s));
}

bool mf_tz_rule_parse(struct mf_str text, struct mf_tz_rule *rule)
{
    struct cursor c = {text.data, text.data + text.len};
    *rule = (struct mf_tz_rule){0};
    int32_t west = 0;
    if (!take_name(&c) || !take_time(&c, 24, &west))
        return false;
    rule->offset_s = -west;
    if (c.at == c.end)
        return true;
    rule->has_dst = true;
    rule->dst_offset_s = rule->offset_s + HOUR_S;
    if (!take_name(&c))
        return false;
    if (c.at < c.end && *c.at != ',') {
        if (!take_time(&c, 24, &west))
            return false;
        rule->dst_offset_s = -west;
    }
    return take_change(&c, &rule->start) && take_change(&c, &rule->end) && c.at == c.end;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// The day that a change names in a year, as days since 1970-01-01.
static int32_t change_day(const struct mf_tz_change *change, int year)
{
    int32_t new_year = mf_date_to_days((struct mf_date){year, 1, 1});
    if (change->form == MF_TZ_DAY_OF_YEAR)
        return new_year + change->day;
    if (change->form == MF_TZ_JULIAN)
        return new_year + change->day - 1 + (is_leap(year) && change->day >= 60);
    struct mf_date first = {year, change->month, 1};
    int32_t day =
        mf_date_to_days(first) + (change->day - mf_date_weekday(first) + 7) % 7 + 7 * (change->week - 1);
    // Week 5 means the last one.
    struct mf_date next =
        change->month == 12 ? (struct mf_date){year + 1, 1, 1} : (struct mf_date){year, change->month + 1, 1};
    return day >= mf_date_to_days(next) ? day - 7 : day;
}

int32_t mf_tz_rule_offset_s(const struct mf_tz_rule *rule, int64_t time_s)
{
    if (!rule->has_dst)
        return rule->offset_s;
    // A change may be up to a week away from its day, and so in the year beside it: the latest one wins. At
    // the same moment the start does, which is how a rule says "daylight-saving time all year".
    int64_t days = (time_s + rule->offset_s) / DAY_S - ((time_s + rule->offset_s) % DAY_S < 0);
    int year = mf_date_from_days((int32_t)days).year;
    int64_t latest = INT64_MIN;
    bool dst = false;
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t start = (int64_t)change_day(&rule->start, y) * DAY_S + rule->start.time_s - rule->offset_s;
        int64_t end = (int64_t)change_day(&rule->end, y) * DAY_S + rule->end.time_s - rule->dst_offset_s;
        if (end <= time_s && end > latest) {
            latest = end;
            dst = false;
        }
        if (start <= time_s && start >= latest) {
            latest = start;
            dst = true;
        }
    }
    return dst ? rule->dst_offset_s : rule->offset_s;
}
