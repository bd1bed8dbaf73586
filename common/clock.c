// SPDX-License-Identifier: Apache-2.0
// Clocks, RFC 3339 texts and proleptic Gregorian dates. Pure but for the two clock readers; no time zones
// here.
#include "common/clock.h"

#include <time.h>

#include "common/decimal_digits.h"

enum { DAYS_MIN = -719162, DAYS_MAX = 2932896 }; // 0001-01-01 and 9999-12-31, counted from 1970-01-01

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    int result = clock_gettime(id, &now);
    assert(result == 0);
    (void)result;
    return (int64_t)now.tv_sec * MF_US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t mf_clock_real_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t mf_clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

// Years are counted from March, so that the leap day is a year's last and month lengths follow one straight
// line: (153 m + 2) / 5 is the first day of the m-th month from March.
int32_t mf_date_to_days(struct mf_date date)
{
    int month = date.month > 2 ? date.month - 3 : date.month + 9;
    int year = date.month > 2 ? date.year : date.year - 1;
    int era = (year >= 0 ? year : year - 399) / 400;
    int of_era = year - era * 400;
    int day_of_year = (153 * month + 2) / 5 + date.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

// days is in the range of years that have a text, so that what is counted from 0000-03-01 is never negative.
// Inline: handing the three numbers over through memory costs more than computing them.
static inline struct mf_date date_of_days(int32_t days)
{
    uint32_t shifted = (uint32_t)(days + 719468);
    uint32_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * day_of_year + 2) / 153;
    struct mf_date date;
    date.day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year = (int)(year_of_era + era * 400 + (date.month <= 2));
    return date;
}

struct mf_date mf_date_from_days(int32_t days)
{
    return date_of_days(days < DAYS_MIN ? DAYS_MIN : days > DAYS_MAX ? DAYS_MAX : days);
}

int mf_date_weekday(struct mf_date date)
{
    int weekday = (mf_date_to_days(date) + 4) % 7; // 1970-01-01 was a Thursday
    return weekday < 0 ? weekday + 7 : weekday;
}

int mf_date_cmp(struct mf_date a, struct mf_date b)
{
    if (a.year != b.year)
        return a.year < b.year ? -1 : 1;
    if (a.month != b.month)
        return a.month < b.month ? -1 : 1;
    return (a.day > b.day) - (a.day < b.day);
}

struct mf_date mf_date_add_days(struct mf_date date, int32_t days)
{
    int64_t sum = (int64_t)mf_date_to_days(date) + days;
    return mf_date_from_days(sum < DAYS_MIN ? DAYS_MIN : sum > DAYS_MAX ? DAYS_MAX : (int32_t)sum);
}

int64_t mf_date_utc_midnight_us(struct mf_date date)
{
    return (int64_t)mf_date_to_days(date) * MF_US_PER_DAY;
}

// Days since the epoch, rounded down, kept in the years 0001 to 9999.
static int32_t days_of(int64_t time_us)
{
    int64_t days = time_us / MF_US_PER_DAY - (time_us % MF_US_PER_DAY < 0);
    return days < DAYS_MIN ? DAYS_MIN : days > DAYS_MAX ? DAYS_MAX : (int32_t)days;
}

struct mf_date mf_date_of_utc(int64_t time_us)
{
    return mf_date_from_days(days_of(time_us));
}

// Every event has three times or more, so digits are made eight at a time.
static inline char *put_date(char *at, struct mf_date date)
{
    char digits[8]; // YYYYMMDD
    mf_digits_store(digits, mf_digits_of((uint32_t)(date.year * 10000 + date.month * 100 + date.day)) |
                                MF_DIGITS_ZEROS);
    memcpy(at, digits, 4);
    at[4] = '-';
    memcpy(at + 5, digits + 4, 2);
    at[7] = '-';
    memcpy(at + 8, digits + 6, 2);
    return at + 10;
}

static inline char *format_time(int64_t time_us, char *text, int fraction_digits)
{
    const int64_t first = (int64_t)DAYS_MIN * MF_US_PER_DAY;
    const int64_t last = (int64_t)(DAYS_MAX + 1) * MF_US_PER_DAY - 1;
    int64_t kept = time_us < first ? first : time_us > last ? last : time_us;
    int32_t days = days_of(kept);
    int64_t of_day = kept - (int64_t)days * MF_US_PER_DAY;
    unsigned second = (unsigned)(of_day / MF_US_PER_SECOND);
    unsigned micro = (unsigned)(of_day % MF_US_PER_SECOND);
    unsigned clock = second / 3600 * 10000 + second / 60 % 60 * 100 + second % 60;
    char digits[16]; // 00HHMMSS 00uuuuuu
    mf_digits_store(digits, mf_digits_of(clock) | MF_DIGITS_ZEROS);
    mf_digits_store(digits + 8, mf_digits_of(micro) | MF_DIGITS_ZEROS);
    char *at = put_date(text, date_of_days(days));
    *at++ = 'T';
    memcpy(at, digits + 2, 2);
    at[2] = ':';
    memcpy(at + 3, digits + 4, 2);
    at[5] = ':';
    memcpy(at + 6, digits + 6, 2);
    at[8] = '.';
    memcpy(at + 9, digits + 10, 6);
    at += 9 + fraction_digits;
    *at++ = 'Z';
    *at = '\0';
    return text;
}

char *mf_time_format_ms(int64_t time_us, char text[MF_TIME_TEXT_SIZE])
{
    return format_time(time_us, text, 3);
}

char *mf_time_format_us(int64_t time_us, char text[MF_TIME_TEXT_SIZE])
{
    return format_time(time_us, text, 6);
}

char *mf_date_format(struct mf_date date, char text[MF_DATE_TEXT_SIZE])
{
    assert(date.year >= 1 && date.year <= 9999);
    *put_date(text, date) = '\0';
    return text;
}

// Cursor over a text: every step says whether it matched, so that a format reads as one conjunction.
struct cursor {
    const char *at, *end;
};

static struct cursor cursor_of(struct mf_str text)
{
    const char *start = text.data != NULL ? text.data : ""; // no arithmetic on NULL
    return (struct cursor){start, start + text.len};
}

static bool take_char(struct cursor *in, char wanted)
{
    if (in->at == in->end || *in->at != wanted)
        return false;
    in->at++;
    return true;
}

static bool take_digits(struct cursor *in, int width, int low, int high, int *out)
{
    if (in->end - in->at < width)
        return false;
    int value = 0;
    for (int i = 0; i < width; i++) {
        unsigned digit = (unsigned)(unsigned char)*in->at++ - '0';
        if (digit > 9)
            return false;
        value = value * 10 + (int)digit;
    }
    *out = value;
    return value >= low && value <= high;
}

static bool take_date(struct cursor *in, struct mf_date *date)
{
    return take_digits(in, 4, 1, 9999, &date->year) && take_char(in, '-') &&
           take_digits(in, 2, 1, 12, &date->month) && take_char(in, '-') &&
           take_digits(in, 2, 1, days_in_month(date->year, date->month), &date->day);
}

bool mf_date_parse(struct mf_str text, struct mf_date *date)
{
    struct cursor in = cursor_of(text);
    struct mf_date parsed;
    if (!take_date(&in, &parsed) || in.at != in.end)
        return false;
    *date = parsed;
    return true;
}

// ".123456789" → microseconds, further digits cut; no point at all is 0.
static bool take_fraction(struct cursor *in, int64_t *micro)
{
    *micro = 0;
    if (!take_char(in, '.'))
        return true;
    int count = 0;
    for (; in->at != in->end && *in->at >= '0' && *in->at <= '9'; in->at++, count++) {
        if (count < 6)
            *micro = *micro * 10 + (*in->at - '0');
    }
    for (int i = count; i < 6; i++)
        *micro *= 10;
    return count >= 1 && count <= 9;
}

static bool take_offset(struct cursor *in, int64_t *offset_us)
{
    *offset_us = 0;
    if (take_char(in, 'Z') || take_char(in, 'z'))
        return true;
    bool west = take_char(in, '-');
    if (!west && !take_char(in, '+'))
        return false;
    int hour = 0;
    int minute = 0;
    if (!take_digits(in, 2, 0, 23, &hour) || !take_char(in, ':') || !take_digits(in, 2, 0, 59, &minute))
        return false;
    *offset_us = (hour * 60 + minute) * (west ? -MF_US_PER_MINUTE : MF_US_PER_MINUTE);
    return true;
}

bool mf_time_parse(struct mf_str text, int64_t *time_us)
{
    struct cursor in = cursor_of(text);
    struct mf_date date;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t micro = 0;
    int64_t offset = 0;
    if (!take_date(&in, &date) || !(take_char(&in, 'T') || take_char(&in, 't')) ||
        !take_digits(&in, 2, 0, 23, &hour) || !take_char(&in, ':') || !take_digits(&in, 2, 0, 59, &minute) ||
        !take_char(&in, ':') || !take_digits(&in, 2, 0, 60, &second) || !take_fraction(&in, &micro) ||
        !take_offset(&in, &offset) || in.at != in.end)
        return false;
    int64_t in_day = (int64_t)hour * MF_US_PER_HOUR + (int64_t)minute * MF_US_PER_MINUTE +
                     (int64_t)second * MF_US_PER_SECOND;
    int64_t parsed = mf_date_utc_midnight_us(date) + in_day - offset;
    // RFC 3339 §5.7: second 60 exists at the end of a month in UTC only. Unix time has no name for it; it
    // becomes the second that follows, so that order is kept.
    if (second == 60 && (parsed % MF_US_PER_DAY != 0 || mf_date_of_utc(parsed).day != 1))
        return false;
    parsed += micro;
    // An offset can lead out of the years that have a text.
    if (parsed < (int64_t)DAYS_MIN * MF_US_PER_DAY || parsed >= (int64_t)(DAYS_MAX + 1) * MF_US_PER_DAY)
        return false;
    *time_us = parsed;
    return true;
}

bool mf_time_from_epoch_number(int64_t number, int64_t *time_us)
{
    // Each unit has the two decades that hold 1973-03-03 to 2286-11-20; the decade between two units is
    // nobody's.
    static const struct {
        int64_t low, high; // low <= number < high
        int64_t multiply, divide;
    } units[] = {
        {INT64_C(100000000), INT64_C(10000000000), MF_US_PER_SECOND, 1},
        {INT64_C(100000000000), INT64_C(10000000000000), MF_US_PER_MS, 1},
        {INT64_C(100000000000000), INT64_C(10000000000000000), 1, 1},
        {INT64_C(100000000000000000), INT64_MAX, 1, 1000}, // int64 nanoseconds end in 2262
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(units); i++) {
        if (number >= units[i].low && number < units[i].high) {
            *time_us = number * units[i].multiply / units[i].divide;
            return true;
        }
    }
    return false;
}

int64_t mf_time_keep_ms(int64_t timestamp_ms)
{
    const int64_t last_ms = INT64_C(253402300799999); // 9999-12-31T23:59:59.999Z
    return timestamp_ms < 0 ? 0 : timestamp_ms > last_ms ? last_ms : timestamp_ms;
}
