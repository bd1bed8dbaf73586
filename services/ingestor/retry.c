// SPDX-License-Identifier: Apache-2.0
// The retry policy (see retry.h).
#include "services/ingestor/retry.h"

enum { RETRY_AFTER_LEAST_MS = 1000 };

void ing_retry_init(struct ing_retry *retry, int64_t base_ms, int64_t max_ms, uint64_t seed)
{
    *retry = (struct ing_retry){0};
    mf_backoff_init(&retry->backoff, base_ms, max_ms, seed);
}

void ing_retry_reset(struct ing_retry *retry)
{
    mf_backoff_reset(&retry->backoff);
    retry->attempts = retry->rate_limited = 0;
    retry->asked_empty_again = false;
}

static struct ing_decision after_transient(const struct ing_retry_policy *policy, struct ing_retry *retry,
                                           const struct ing_failure *failure)
{
    retry->attempts++;
    if (policy->attempts_max > 0 && retry->attempts >= policy->attempts_max)
        return (struct ing_decision){.step = ING_STEP_GIVE_UP};
    int64_t wait_ms = mf_backoff_next_full_ms(&retry->backoff);
    if (failure->retry_after_ms > wait_ms)
        wait_ms = failure->retry_after_ms;
    const char *reason = failure->status >= 500 ? "5xx" : "transport";
    return (struct ing_decision){.step = ING_STEP_RETRY, .wait_ms = wait_ms, .metric_reason = reason};
}

// Not an exponential matter of milliseconds: the window has to pass, for all requests with the key.
static struct ing_decision after_rate_limit(const struct ing_retry_policy *policy, struct ing_retry *retry,
                                            const struct ing_failure *failure)
{
    retry->rate_limited++;
    if (policy->rate_limited_max > 0 && retry->rate_limited >= policy->rate_limited_max)
        return (struct ing_decision){.step = ING_STEP_GIVE_UP};
    int64_t wait_ms = policy->rate_limit_wait_ms;
    if (failure->retry_after_ms >= 0)
        wait_ms =
            failure->retry_after_ms > RETRY_AFTER_LEAST_MS ? failure->retry_after_ms : RETRY_AFTER_LEAST_MS;
    return (struct ing_decision){.step = ING_STEP_WAIT_ALL, .wait_ms = wait_ms, .metric_reason = "429"};
}

// N01: once, because the vendor has been seen to answer null for days that traded.
static struct ing_decision after_empty(struct ing_retry *retry, const struct ing_failure *failure)
{
    if (!failure->worth_asking_again || retry->asked_empty_again)
        return (struct ing_decision){.step = ING_STEP_TAKE};
    retry->asked_empty_again = true;
    return (struct ing_decision){.step = ING_STEP_RETRY,
                                 .wait_ms = mf_backoff_next_full_ms(&retry->backoff),
                                 .metric_reason = "empty"};
}

struct ing_decision ing_retry_decide(const struct ing_retry_policy *policy, struct ing_retry *retry,
                                     const struct ing_failure *failure)
{
    switch (failure->answer) {
    case ING_ANSWER_DATA: return (struct ing_decision){.step = ING_STEP_TAKE};
    case ING_ANSWER_EMPTY: return after_empty(retry, failure);
    case ING_ANSWER_PERMANENT: return (struct ing_decision){.step = ING_STEP_REFUSE};
    case ING_ANSWER_KEY_REJECTED: return (struct ing_decision){.step = ING_STEP_STOP_KEY};
    case ING_ANSWER_PLAN_LIMIT: return (struct ing_decision){.step = ING_STEP_SKIP_RANGE};
    case ING_ANSWER_UNKNOWN_TICKER: return (struct ing_decision){.step = ING_STEP_SKIP_SERIES};
    case ING_ANSWER_RATE_LIMITED: return after_rate_limit(policy, retry, failure);
    case ING_ANSWER_TRANSIENT: return after_transient(policy, retry, failure);
    case ING_ANSWER_MAX: break;
    }
    assert(!"no such answer");
    return (struct ing_decision){.step = ING_STEP_GIVE_UP};
}
