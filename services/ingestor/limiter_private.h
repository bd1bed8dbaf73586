// SPDX-License-Identifier: Apache-2.0
// Inside the limiter: limiter.c (asking, a process that counts by itself, the day's end, what it shows),
// limiter_log.c (claims and holds, written to the log and read from it).
#ifndef ING_LIMITER_PRIVATE_H
#define ING_LIMITER_PRIVATE_H

#include "common/ratelimit.h"
#include "services/ingestor/limiter.h"

// A grant's second is measured from before its claim was sent; less a little, because time stamps of the log
// are whole milliseconds and clocks of two machines do not run alike.
#define ING_LIMITER_VALID_US (ING_BUDGET_GRANT_US - 50 * MF_US_PER_MS)
#define ING_LIMITER_ASK_AGAIN_US MF_US_PER_SECOND // while something is under way that on_news tells of

struct ing_limiter {
    struct ing_limiter_config setup;
    const struct ing_config *config;
    struct ing_limiter_ops ops;
    struct mf_ratelimit *own; // NULL = shared
    struct ing_budget budget;
    struct mf_kafka_follower *follower;
    struct mf_json *json;
    struct mf_deferred *news;
    struct ing_batch *batch; // of the claim under way
    char id[ING_BUDGET_ID_LEN + 1];
    struct ing_budget_record claim; // under way, or the last one
    bool started, current, claimed; // current: the past is read; claimed: one is under way
    bool refused_said, clock_said;
    uint64_t held;         // requests granted and not started
    int64_t sent_us;       // monotonic, of the claim
    int64_t acked_us;      // monotonic, when the broker acknowledged it
    int64_t behind_us;     // log time less monotonic time
    int64_t not_before_us; // monotonic, after a 429
    int64_t told_us;       // monotonic, end of the hold that was told
    int64_t parked_us;     // log time; 0 = not parked
    // How many start in half a second: now, and in the one before.
    int64_t recent_us;
    uint64_t recent, recent_before;
};

// An acknowledged claim comes back within moments; one that has not by then is no longer in the log.
#define ING_LIMITER_CLAIM_LOST_US (30 * MF_US_PER_SECOND)

// limiter.c
void ing_limiter_unpark(struct ing_limiter *limiter);
// limiter_log.c
int64_t ing_limiter_log_time(const struct ing_limiter *limiter, int64_t now_us);
// A record of this process with the settings' limits.
void ing_limiter_record(const struct ing_limiter *limiter, enum ing_budget_kind kind,
                        struct ing_budget_record *record);
// Puts a claim under way. Returns µs after which to ask again at the latest.
int64_t ing_limiter_send_claim(struct ing_limiter *limiter, enum ing_priority priority, uint64_t count,
                               int64_t now_us);
// Forgets a claim that the broker has, and that has not come back for long.
void ing_limiter_check_claim(struct ing_limiter *limiter, int64_t now_us);
// Tells the key's other users that nothing may start until then.
void ing_limiter_tell_hold(struct ing_limiter *limiter, int64_t now_us, int64_t wait_us);
// Begins to read the log, from where it matters.
void ing_limiter_follow(struct ing_limiter *limiter);

#endif
