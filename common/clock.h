// SPDX-License-Identifier: Apache-2.0
// Time: clocks and the text forms that Marketflow uses. int64_t microseconds (…_us) everywhere inside;
// milliseconds only where a wire format says so. Pure but for the two clock readers.
#ifndef MF_CLOCK_H
#define MF_CLOCK_H

#include "base.h"

int64_t mf_clock_real_us(void);      // CLOCK_REALTIME, Unix epoch: event stamps and calendars only
int64_t mf_clock_monotonic_us(void); // CLOCK_MONOTONIC: every delay, timeout and backoff

#define MF_TIME_TEXT_SIZE 32
#define MF_DATE_TEXT_SIZE 16

// RFC 3339 UTC with milliseconds, "2024-01-02T14:30:00.000Z" (rounds down). Years 0001 to 9999; a time
// outside them is written as the first or last moment inside. Returns text.
char *mf_time_format_ms(int64_t time_us, char text[MF_TIME_TEXT_SIZE]);
// The same with microseconds, for log lines.
char *mf_time_format_us(int64_t time_us, char text[MF_TIME_TEXT_SIZE]);
// RFC 3339 with any offset and 0 to 9 fraction digits (digits beyond µs are cut). False when it is anything
// else.
bool mf_time_parse(struct mf_str text, int64_t *time_us);

// Proleptic Gregorian calendar date.
struct mf_date {
    int year;  // 1..9999
    int month; // 1..12
    int day;   // 1..31
};

bool mf_date_parse(struct mf_str text, struct mf_date *date); // "2024-01-02", a day that exists
char *mf_date_format(struct mf_date date, char text[MF_DATE_TEXT_SIZE]);
int32_t mf_date_to_days(struct mf_date date);   // days since 1970-01-01
struct mf_date mf_date_from_days(int32_t days); // kept within the years 0001 to 9999, as the two below
int mf_date_weekday(struct mf_date date);       // 0 = Sunday … 6 = Saturday
int mf_date_cmp(struct mf_date a, struct mf_date b);
struct mf_date mf_date_add_days(struct mf_date date, int32_t days);
struct mf_date mf_date_of_utc(int64_t time_us);
int64_t mf_date_utc_midnight_us(struct mf_date date);

// Epoch number of unknown unit, as feeds send it (providers.md N33), told by its magnitude: seconds
// 1e8..1e10, ms 1e11..1e13, µs 1e14..1e16, ns 1e17..int64's end; each unit so covers 1973 to 2286 (ns: 2262),
// which holds daily history from before 2001. False between those ranges and outside them.
bool mf_time_from_epoch_number(int64_t number, int64_t *time_us);

// A record's timestamp is whatever its producer wrote (microseconds, nonsense) or -1 for none; an event's
// time has four digits for the year. The nearest millisecond from 1970-01-01T00:00:00.000Z to
// 9999-12-31T23:59:59.999Z, so that the result times MF_US_PER_MS is a time that an event may have.
int64_t mf_time_keep_ms(int64_t timestamp_ms);

#endif
