// SPDX-License-Identifier: Apache-2.0
// May a request start? The request budget of the provider's key, shared with every other process that uses
// the key: a claim goes to market.ingestor.budget, and what comes back at its place in the log says what it
// gets (budget.h). At most one claim is under way; while it is, more requests come due and the next claim
// asks for all of them, and far from the limit for what the next half second will want as well. With
// INGEST_BUDGET=own, or without a publisher, the process counts by itself (common/ratelimit.h). Without any
// limit nothing is claimed; a 429 is told and heard of all the same.
//
// Ownership: borrowed publisher and configuration must outlive it. Failure classes: FATAL through on_fatal; a
// broker that is away is waited for, and nothing starts meanwhile.
#ifndef ING_LIMITER_H
#define ING_LIMITER_H

#include "services/ingestor/budget.h"
#include "services/ingestor/publisher.h"

struct ing_limiter;
struct mf_health;

struct ing_demand {             // of the highest priority of which something is due
    enum ing_priority priority; // ING_PRIORITY_MAX = nothing is due
    unsigned now, soon;         // requests that could start now; within the next half second, these included
};

struct ing_limiter_ops {
    struct ing_demand (*demand)(void *arg);
    void (*on_news)(void *arg); // asking again may have another answer; never from inside ask
    void *arg;
};

struct ing_limiter_config {
    const struct mf_kafka_config *kafka; // loop, log, metrics, settings
    const struct ing_config *config;
    const char *provider;
    struct ing_publisher *publisher; // NULL = the process counts by itself
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

struct ing_limiter *ing_limiter_new(const struct ing_limiter_config *config);
void ing_limiter_free(struct ing_limiter **limiter);
void ing_limiter_listen(struct ing_limiter *limiter, const struct ing_limiter_ops *ops); // before start
// The topics are there: begins to read the day's claims. Until they are read nothing may start.
void ing_limiter_start(struct ing_limiter *limiter);
// The settings were read again: another key has another budget, which is read back first.
void ing_limiter_reconfigure(struct ing_limiter *limiter, const struct ing_config *config);

// 0: a request may start now; ing_limiter_spend when it does. Else µs (> 0) after which to ask again;
// on_news may come earlier.
int64_t ing_limiter_ask(struct ing_limiter *limiter, int64_t now_us);
void ing_limiter_spend(struct ing_limiter *limiter);
// The provider said "too many": nothing with the key may start for that long, in any process.
void ing_limiter_hold(struct ing_limiter *limiter, int64_t wait_us);

// The end of the day, in real time, that the provider is parked to because its budget is used up; 0 = it is
// not.
int64_t ing_limiter_parked_until_us(const struct ing_limiter *limiter);
void ing_limiter_gauges(struct ing_limiter *limiter, int64_t now_us); // every second
void ing_limiter_check_ready(const struct ing_limiter *limiter, struct mf_health *health);

#endif
