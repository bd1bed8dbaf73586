// SPDX-License-Identifier: Apache-2.0
// Nothing is owned, nothing can fail.
#include "services/sink/breaker.h"

void snk_breaker_open(struct snk_breaker *breaker, int64_t now_us, int64_t retry_ms, const char *reason)
{
    breaker->state = SNK_BREAKER_OPEN;
    breaker->retry_at_us = now_us + retry_ms * MF_US_PER_MS;
    if (!mf_str_copy(breaker->reason, sizeof breaker->reason, mf_str_of(reason)))
        mf_str_copy(breaker->reason, sizeof breaker->reason, MF_STR("the reason is too long to be kept"));
}

bool snk_breaker_try(struct snk_breaker *breaker, int64_t now_us)
{
    if (breaker->state != SNK_BREAKER_OPEN || now_us < breaker->retry_at_us)
        return false;
    breaker->state = SNK_BREAKER_TRYING;
    return true;
}

bool snk_breaker_close(struct snk_breaker *breaker)
{
    bool was_closed = breaker->state == SNK_BREAKER_CLOSED;
    *breaker = (struct snk_breaker){0};
    return !was_closed;
}
