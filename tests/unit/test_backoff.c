// SPDX-License-Identifier: Apache-2.0
#include "common/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void delays_stay_between_base_and_maximum(void **state)
{
    (void)state;
    static const struct {
        int64_t base_ms, max_ms;
    } cases[] = {{1, 1}, {100, 30000}, {1000, 1000}, {0, 0}, {0, 50}, {1, INT64_MAX}, {INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct mf_backoff backoff;
            mf_backoff_init(&backoff, cases[i].base_ms, cases[i].max_ms, seed);
            int64_t previous = cases[i].base_ms;
            for (unsigned n = 1; n <= 200; n++) {
                int64_t delay = mf_backoff_next_ms(&backoff);
                assert_true(delay >= cases[i].base_ms && delay <= cases[i].max_ms);
                assert_true(delay / 3 <= previous);
                assert_int_equal(backoff.attempts, n);
                previous = delay;
            }
        }
    }
}

static void delays_grow_spread_and_start_again(void **state)
{
    (void)state;
    struct mf_backoff a;
    struct mf_backoff b;
    mf_backoff_init(&a, 100, 30000, 1);
    mf_backoff_init(&b, 100, 30000, 2);
    int64_t largest = 0;
    unsigned different = 0;
    for (int i = 0; i < 100; i++) {
        int64_t delay = mf_backoff_next_ms(&a);
        largest = delay > largest ? delay : largest;
        different += delay != mf_backoff_next_ms(&b);
    }
    assert_true(largest > 15000); // reaches the upper half of the range
    assert_true(different > 90);  // two instances do not retry in step
    mf_backoff_reset(&a);
    assert_int_equal(a.attempts, 0);
    assert_true(mf_backoff_next_ms(&a) <= 300);
}

// Each delay is drawn from the whole of its range: all quarters of it are met about equally often, and the
// range is [base, base × 2^n], capped.
static void full_jitter_fills_a_range_that_doubles(void **state)
{
    (void)state;
    enum { SEEDS = 4000, BASE_MS = 500, MAX_MS = 60000, DELAYS = 10 };
    unsigned quarters[DELAYS][4] = {{0}};
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct mf_backoff backoff;
        // Neighbouring seeds of a xorshift begin alike; the services' come from the kernel.
        mf_backoff_init(&backoff, BASE_MS, MAX_MS, seed * UINT64_C(0x9e3779b97f4a7c15));
        int64_t high = BASE_MS;
        for (unsigned n = 0; n < DELAYS; n++) {
            high = 2 * high < MAX_MS ? 2 * high : MAX_MS;
            int64_t delay = mf_backoff_next_full_ms(&backoff);
            assert_in_range(delay, BASE_MS, high);
            quarters[n][(delay - BASE_MS) * 4 / (high - BASE_MS + 1)]++;
        }
        mf_backoff_reset(&backoff);
        assert_in_range(mf_backoff_next_full_ms(&backoff), BASE_MS, 2 * BASE_MS);
    }
    for (unsigned n = 0; n < DELAYS; n++) {
        for (unsigned quarter = 0; quarter < 4; quarter++) // 4.5 standard deviations
            assert_in_range(quarters[n][quarter], SEEDS / 4 - 125, SEEDS / 4 + 125);
    }
}

static void full_jitter_at_the_limits(void **state)
{
    (void)state;
    static const struct {
        int64_t base_ms, max_ms;
    } cases[] = {{1, 1}, {1000, 1000}, {0, 0}, {0, 50}, {1, INT64_MAX}, {INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_backoff backoff;
        mf_backoff_init(&backoff, cases[i].base_ms, cases[i].max_ms, 7);
        for (unsigned n = 0; n < 200; n++)
            assert_in_range(mf_backoff_next_full_ms(&backoff), cases[i].base_ms, cases[i].max_ms);
    }
}

static void the_same_seed_gives_the_same_delays(void **state)
{
    (void)state;
    struct mf_backoff a;
    struct mf_backoff b;
    mf_backoff_init(&a, 100, 30000, 42);
    mf_backoff_init(&b, 100, 30000, 42);
    for (int i = 0; i < 100; i++)
        assert_int_equal(mf_backoff_next_ms(&a), mf_backoff_next_ms(&b));
}

static void first_delays_cover_their_range_evenly(void **state)
{
    (void)state;
    unsigned buckets[10] = {0};
    uint64_t random = 99;
    for (int i = 0; i < 10000; i++) {
        struct mf_backoff backoff;
        mf_backoff_init(&backoff, 100, 30000, mf_random_next(&random));
        buckets[(mf_backoff_next_ms(&backoff) - 100) * 10 / 201]++;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(buckets); i++)
        assert_true(buckets[i] > 800 && buckets[i] < 1200);
}

static void seeds_come_from_the_kernel(void **state)
{
    (void)state;
    uint64_t a = mf_random_seed();
    uint64_t b = mf_random_seed();
    assert_true(a != 0 && b != 0 && a != b);
    uint64_t state_of = UINT64_C(88172645463325252); // the generator's own definition, a thousand steps on
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++)
        last = mf_random_next(&state_of);
    assert_true(last == UINT64_C(0xcdcc9e38c264cf96));
    uint64_t one = 1;
    assert_true(mf_random_next(&one) == UINT64_C(0x47e4ce4b896cdd1d)); // first xorshift64* output of state 1
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_stay_between_base_and_maximum),
        cmocka_unit_test(delays_grow_spread_and_start_again),
        cmocka_unit_test(full_jitter_fills_a_range_that_doubles),
        cmocka_unit_test(full_jitter_at_the_limits),
        cmocka_unit_test(the_same_seed_gives_the_same_delays),
        cmocka_unit_test(first_delays_cover_their_range_evenly),
        cmocka_unit_test(seeds_come_from_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
