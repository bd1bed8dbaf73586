// SPDX-License-Identifier: Apache-2.0
// Request budget in two windows: per minute (a sliding window, exact: the last N start times are kept) and
// per day (UTC day of the real clock). Pure: time comes in as an argument. 0 means "no limit" for either
// window.
#ifndef MF_RATELIMIT_H
#define MF_RATELIMIT_H

#include "base.h"

struct mf_ratelimit;

#define MF_RATELIMIT_PER_MINUTE_MAX 100000

struct mf_ratelimit *mf_ratelimit_new(unsigned per_minute, unsigned per_day);
void mf_ratelimit_free(struct mf_ratelimit **limit);
// May a request start now? Returns 0 and counts it, else the µs to wait (> 0), nothing counted.
int64_t mf_ratelimit_take(struct mf_ratelimit *limit, int64_t monotonic_us, int64_t real_us);
// The server said "too many" (429): nothing may start before monotonic_us + wait_us (a whole window by
// default).
void mf_ratelimit_penalty(struct mf_ratelimit *limit, int64_t monotonic_us, int64_t wait_us);
// Requests that could start now within the minute window (UINT32_MAX when unlimited).
unsigned mf_ratelimit_available(const struct mf_ratelimit *limit, int64_t monotonic_us);
unsigned mf_ratelimit_used_today(const struct mf_ratelimit *limit, int64_t real_us);

#endif
