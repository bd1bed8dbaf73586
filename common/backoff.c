// SPDX-License-Identifier: Apache-2.0
// Jitter and the small random generator behind it. The struct is the caller's; nothing fails.
#include "common/backoff.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void mf_backoff_init(struct mf_backoff *backoff, int64_t base_ms, int64_t max_ms, uint64_t seed)
{
    assert(base_ms >= 0 && max_ms >= base_ms);
    *backoff = (struct mf_backoff){
        .base_ms = base_ms,
        .max_ms = max_ms,
        .previous_ms = base_ms,
        .random_state = seed != 0 ? seed : UINT64_C(0x9e3779b97f4a7c15), // xorshift would stay at 0 for ever
    };
}

static int64_t pick_ms(struct mf_backoff *backoff, int64_t high)
{
    // Multiply-and-shift maps 64 random bits onto the range without the bias (or the division) of a modulo.
    __extension__ typedef unsigned __int128 wide;
    uint64_t span = (uint64_t)(high - backoff->base_ms) + 1;
    uint64_t pick = (uint64_t)(((wide)mf_random_next(&backoff->random_state) * span) >> 64);
    backoff->previous_ms = backoff->base_ms + (int64_t)pick;
    backoff->attempts++;
    return backoff->previous_ms;
}

int64_t mf_backoff_next_ms(struct mf_backoff *backoff)
{
    int64_t high = backoff->max_ms;
    if (backoff->previous_ms <= backoff->max_ms / 3)
        high = backoff->previous_ms * 3;
    return pick_ms(backoff, high < backoff->base_ms ? backoff->base_ms : high);
}

int64_t mf_backoff_next_full_ms(struct mf_backoff *backoff)
{
    int64_t high = backoff->base_ms;
    for (unsigned i = 0; i <= backoff->attempts && high < backoff->max_ms; i++)
        high = high <= backoff->max_ms / 2 && high > 0 ? 2 * high : backoff->max_ms;
    return pick_ms(backoff, high);
}

void mf_backoff_reset(struct mf_backoff *backoff)
{
    backoff->previous_ms = backoff->base_ms;
    backoff->attempts = 0;
}

uint64_t mf_random_seed(void)
{
    uint64_t seed = 0;
    while (seed == 0) {
        ssize_t got = getrandom(&seed, sizeof seed, 0);
        // Eight bytes never come short and never fail once the kernel's pool is up, except by a signal before
        // that.
        if (got != (ssize_t)sizeof seed) {
            assert(got < 0 && errno == EINTR);
            seed = 0;
        }
    }
    return seed;
}

// G. Marsaglia, "Xorshift RNGs" (2003); multiplier from S. Vigna, "An experimental exploration of Marsaglia's
// xorshift generators, scrambled" (2016).
uint64_t mf_random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}
