// SPDX-License-Identifier: Apache-2.0
// What to do after an answer: one table from what the answer means to the next step. Pure; the only state is
// the caller's backoff and counters of one series.
#ifndef ING_RETRY_H
#define ING_RETRY_H

#include "common/backoff.h"
#include "services/ingestor/provider.h"

struct ing_retry_policy {
    unsigned attempts_max;      // failures of one request in a row before the series is given up; 0 = never
    unsigned rate_limited_max;  // the same for refusals by the provider's limit; 0 = never
    int64_t rate_limit_wait_ms; // after a 429 that does not say how long: a whole window
};

struct ing_retry { // per series; ing_retry_init, then ing_retry_reset after every right answer
    struct mf_backoff backoff;
    unsigned attempts, rate_limited;
    bool asked_empty_again;
};

enum ing_step {
    ING_STEP_TAKE,        // publish the page and go on
    ING_STEP_RETRY,       // the same request again after wait_ms
    ING_STEP_WAIT_ALL,    // nothing of this key for wait_ms, then the same request again
    ING_STEP_SKIP_RANGE,  // the plan does not cover it: recorded as partial
    ING_STEP_SKIP_SERIES, // unknown ticker: recorded, not asked again
    ING_STEP_REFUSE,      // the request can never succeed: dead letter, the series ends
    ING_STEP_GIVE_UP,     // too many failures: the series stays resumable
    ING_STEP_STOP_KEY,    // all work with the key ends
    ING_STEP_MAX
};

struct ing_failure { // what came instead of, or with, a page
    enum ing_answer answer;
    bool transport;          // no complete answer at all
    int status;              // HTTP status, 0 for transport failures
    int64_t retry_after_ms;  // -1 = not said
    bool worth_asking_again; // an empty answer where data must be
};

struct ing_decision {
    enum ing_step step;
    int64_t wait_ms;
    const char *metric_reason; // of marketflow_http_client_retries_total: "429", "5xx", "transport", "empty";
                               // NULL = no retry
};

void ing_retry_init(struct ing_retry *retry, int64_t base_ms, int64_t max_ms, uint64_t seed);
void ing_retry_reset(struct ing_retry *retry);
struct ing_decision ing_retry_decide(const struct ing_retry_policy *policy, struct ing_retry *retry,
                                     const struct ing_failure *failure);

#endif
