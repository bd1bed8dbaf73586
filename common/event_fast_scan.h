// SPDX-License-Identifier: Apache-2.0
// Inside of common/event_fast*.c: steps over the bytes of one record, each of which reads a literal, a text,
// a number or a time, eight bytes at a time. Pure; nothing is owned. A step takes the place where its value
// must begin and the end of the record, and returns the place behind the value. It returns NULL for what is
// wrong and for what is merely unusual: the record is then read in the general way. The place is passed and
// returned in a register: a cursor in memory would cost more than the comparisons.
#ifndef MF_EVENT_FAST_SCAN_H
#define MF_EVENT_FAST_SCAN_H

#include "clock.h"
#include "decimal.h"

#define MF_SCAN_RECORD_MIN 8  // bytes that every record has: they are read from its end
#define MF_SCAN_DIGITS_MAX 18 // of one number, on both sides of the point
#define MF_SCAN_TIME_LEN 24   // "2024-01-02T14:30:00.000Z"
#define MF_SCAN_DATE_LEN 10

static inline const char *mf_scan_bytes(const char *at, const char *end, const char *wanted, size_t len)
{
    return (size_t)(end - at) >= len && memcmp(at, wanted, len) == 0 ? at + len : NULL;
}
#define MF_SCAN_LITERAL(at, end, literal) mf_scan_bytes((at), (end), "" literal, sizeof(literal) - 1)

// ASCII up to a quote, which is left. NULL for escapes, controls, other bytes, and a text that ends with the
// record.
const char *mf_scan_text(const char *at, const char *end, struct mf_str *text);
// One of the names of a list that NULL ends, up to a quote, which is left.
const char *mf_scan_name(const char *at, const char *end, const char *const *names, unsigned *index);
// Digits without a needless zero in front, at most MF_SCAN_DIGITS_MAX.
const char *mf_scan_whole(const char *at, const char *end, uint64_t *value);
// A number of an event that is not negative: below 1e15, at most 8 decimals, MF_SCAN_DIGITS_MAX digits.
const char *mf_scan_decimal(const char *at, const char *end, struct mf_str *text,
                            struct mf_decimal_number *number);

// The date that was read last: the dates of one record are mostly the same.
struct mf_scan_day {
    const char *text; // NULL = none yet
    struct mf_date date;
    int32_t days; // since the epoch
};
const char *mf_scan_date(const char *at, const char *end, struct mf_scan_day *day);
// In exactly the form in which we write it.
const char *mf_scan_time(const char *at, const char *end, struct mf_scan_day *day, int64_t *time_us);

#endif
