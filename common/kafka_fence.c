// SPDX-License-Identifier: Apache-2.0
#include "common/kafka_fence.h"

#include <string.h>

#define FORGIVEN_MAX 3

void mf_kafka_fence_init(struct mf_kafka_fence *fence, const struct mf_settings *settings)
{
    *fence =
        (struct mf_kafka_fence){.window_us = (2 * mf_settings_integer(settings, "KAFKA_SESSION_TIMEOUT_MS") +
                                              mf_settings_integer(settings, "KAFKA_TRANSACTION_TIMEOUT_MS")) *
                                             MF_US_PER_MS};
}

void mf_kafka_fence_worked(struct mf_kafka_fence *fence)
{
    fence->worked = true;
}

void mf_kafka_fence_trouble(struct mf_kafka_fence *fence, int64_t now_us)
{
    if (fence->worked)
        fence->trouble_us = now_us;
}

void mf_kafka_fence_session_lost(struct mf_kafka_fence *fence, int64_t now_us)
{
    mf_kafka_fence_trouble(fence, now_us);
    fence->forgiven = 0;
}

void mf_kafka_fence_quiet(struct mf_kafka_fence *fence, int64_t now_us)
{
    if (now_us - fence->trouble_us > fence->window_us)
        fence->forgiven = 0;
}

bool mf_kafka_fence_forgives(struct mf_kafka_fence *fence, const struct mf_error *err, int64_t now_us)
{
    bool recent = fence->trouble_us > 0 && now_us - fence->trouble_us < fence->window_us;
    if (strcmp(err->code, "fenced") != 0 || !recent || fence->forgiven >= FORGIVEN_MAX)
        return false;
    fence->forgiven++;
    return true;
}
