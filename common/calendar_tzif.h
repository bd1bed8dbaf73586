// SPDX-License-Identifier: Apache-2.0
// Inside of common/calendar*.c: time zone files (TZif, RFC 8536, versions 2 to 4) and their footer rule
// (POSIX TZ string, RFC 8536 §3.3.1). Read from bytes, without I/O. Ownership: _parse allocates, _free frees.
// Failure class: CONFIG, code "tz_malformed", for anything that is not such a file; leap-second files are
// refused too.
#ifndef MF_CALENDAR_TZIF_H
#define MF_CALENDAR_TZIF_H

#include "error.h"

#define MF_TZIF_SIZE_MAX ((size_t)256 * 1024)

struct mf_tzif;

int mf_tzif_parse(struct mf_str bytes, struct mf_tzif **tz, struct mf_error *err);
void mf_tzif_free(struct mf_tzif **tz);

// Seconds east of UTC at a moment (Unix seconds). Years outside 1 to 9999 read as the nearest of them.
int32_t mf_tzif_offset_s(const struct mf_tzif *tz, int64_t time_s);
// The moment of a wall time, given as if it were UTC: an ambiguous one is taken the first time, a skipped one
// as if the clock had not been changed yet, which moves it forward by the change.
int64_t mf_tzif_to_utc_s(const struct mf_tzif *tz, int64_t local_s);

// The footer rule alone.
struct mf_tz_change {
    enum { MF_TZ_MONTH_WEEK_DAY, MF_TZ_JULIAN, MF_TZ_DAY_OF_YEAR } form;
    int month, week, day; // day: weekday 0..6, Julian 1..365 without February 29, or 0..365
    int32_t time_s;       // after local midnight, -167 h to 167 h
};
struct mf_tz_rule {
    int32_t offset_s; // standard time, seconds east
    bool has_dst;
    int32_t dst_offset_s;
    struct mf_tz_change start, end; // of daylight-saving time
};
bool mf_tz_rule_parse(struct mf_str text, struct mf_tz_rule *rule);
int32_t mf_tz_rule_offset_s(const struct mf_tz_rule *rule, int64_t time_s);

#endif
