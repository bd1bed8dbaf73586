// SPDX-License-Identifier: Apache-2.0
// Request budget per sliding minute and per UTC day. The caller owns the object; nothing fails.
#include "common/ratelimit.h"

#include <stdlib.h>

struct mf_ratelimit {
    unsigned per_minute, per_day; // 0 = no limit
    int64_t *starts;              // ring of the last per_minute start times, monotonic µs
    unsigned head;                // index of the oldest one
    unsigned count;
    int64_t not_before_us; // end of a penalty
    int64_t day;           // UTC day number that used_today belongs to
    unsigned used_today;
};

struct mf_ratelimit *mf_ratelimit_new(unsigned per_minute, unsigned per_day)
{
    assert(per_minute <= MF_RATELIMIT_PER_MINUTE_MAX);
    struct mf_ratelimit *limit = mf_calloc(1, sizeof *limit);
    limit->per_minute = per_minute;
    limit->per_day = per_day;
    limit->starts = mf_calloc(per_minute, sizeof *limit->starts);
    limit->not_before_us = INT64_MIN;
    limit->day = INT64_MIN;
    return limit;
}

void mf_ratelimit_free(struct mf_ratelimit **limit)
{
    if (limit == NULL || *limit == NULL)
        return;
    free((*limit)->starts);
    free(*limit);
    *limit = NULL;
}

static int64_t utc_day(int64_t real_us)
{
    int64_t day = real_us / MF_US_PER_DAY;
    return day - (real_us % MF_US_PER_DAY < 0);
}

// Does the stored count belong to this moment? A clock stepped back over midnight keeps the later day's
// count, which errs towards too few requests; a larger step back means that the stored day was never real.
static bool same_day(const struct mf_ratelimit *limit, int64_t day)
{
    return limit->day == day || (limit->day != INT64_MIN && limit->day == day + 1);
}

static int64_t start_at(const struct mf_ratelimit *limit, unsigned index)
{
    return limit->starts[(limit->head + index) % limit->per_minute];
}

// How many of the kept starts have left the window: they are in time order, so the first live one is searched
// for.
static unsigned expired(const struct mf_ratelimit *limit, int64_t monotonic_us)
{
    unsigned low = 0;
    unsigned high = limit->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (start_at(limit, middle) <= monotonic_us - MF_US_PER_MINUTE)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t mf_ratelimit_take(struct mf_ratelimit *limit, int64_t monotonic_us, int64_t real_us)
{
    int64_t wait = 0;
    if (limit->not_before_us > monotonic_us)
        wait = limit->not_before_us - monotonic_us;
    if (limit->per_minute > 0) {
        unsigned gone = expired(limit, monotonic_us);
        limit->head = (limit->head + gone) % limit->per_minute;
        limit->count -= gone;
        if (limit->count == limit->per_minute)
            wait = larger(wait, start_at(limit, 0) + MF_US_PER_MINUTE - monotonic_us);
    }
    int64_t day = utc_day(real_us);
    if (!same_day(limit, day)) {
        limit->day = day;
        limit->used_today = 0;
    }
    if (limit->per_day > 0 && limit->used_today >= limit->per_day)
        wait = larger(wait, (limit->day + 1) * MF_US_PER_DAY - real_us);
    if (wait > 0)
        return wait;
    if (limit->per_minute > 0)
        limit->starts[(limit->head + limit->count++) % limit->per_minute] = monotonic_us;
    limit->used_today++;
    return 0;
}

void mf_ratelimit_penalty(struct mf_ratelimit *limit, int64_t monotonic_us, int64_t wait_us)
{
    int64_t until = monotonic_us + (wait_us > 0 ? wait_us : MF_US_PER_MINUTE);
    // An answer that was under way when the penalty began must not shorten it.
    limit->not_before_us = larger(limit->not_before_us, until);
}

unsigned mf_ratelimit_available(const struct mf_ratelimit *limit, int64_t monotonic_us)
{
    if (limit->not_before_us > monotonic_us)
        return 0;
    if (limit->per_minute == 0)
        return UINT32_MAX;
    return limit->per_minute - (limit->count - expired(limit, monotonic_us));
}

unsigned mf_ratelimit_used_today(const struct mf_ratelimit *limit, int64_t real_us)
{
    return same_day(limit, utc_day(real_us)) ? limit->used_today : 0;
}
