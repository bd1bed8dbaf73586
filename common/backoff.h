// SPDX-License-Identifier: Apache-2.0
// Retry delays that grow up to a cap and are spread at random, in two forms of M. Brooker, "Exponential
// Backoff And Jitter" (2015): "decorrelated" and "full" jitter. Pure: the caller gives the randomness' seed;
// no clock.
#ifndef MF_BACKOFF_H
#define MF_BACKOFF_H

#include "base.h"

struct mf_backoff {
    int64_t base_ms, max_ms;
    int64_t previous_ms;
    uint64_t random_state; // xorshift64*; never 0
    unsigned attempts;     // delays handed out since the last reset
};

void mf_backoff_init(struct mf_backoff *backoff, int64_t base_ms, int64_t max_ms, uint64_t seed);
// Decorrelated: uniform(base, 3 × previous), capped. base_ms <= result <= max_ms.
int64_t mf_backoff_next_ms(struct mf_backoff *backoff);
// Full: the n-th since the reset (from 1) is uniform(base, base × 2^n), that bound capped at max_ms.
int64_t mf_backoff_next_full_ms(struct mf_backoff *backoff);
void mf_backoff_reset(struct mf_backoff *backoff); // after a success
uint64_t mf_random_seed(void);                     // from the kernel (getrandom)
uint64_t mf_random_next(uint64_t *state);          // xorshift64* step

#endif
