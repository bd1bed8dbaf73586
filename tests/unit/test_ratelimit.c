// SPDX-License-Identifier: Apache-2.0
#include "common/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backoff.h"
#include "tests/unit/aborts.h"

#include <cmocka.h>

static const int64_t noon_us = INT64_C(1704196800000000); // 2024-01-02T12:00:00Z

static void the_minute_window_slides(void **state)
{
    (void)state;
    struct mf_ratelimit *limit = mf_ratelimit_new(3, 0);
    assert_int_equal(mf_ratelimit_available(limit, 0), 3);
    assert_int_equal(mf_ratelimit_take(limit, 0, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 10 * MF_US_PER_SECOND, noon_us), 0);
    assert_int_equal(mf_ratelimit_available(limit, 10 * MF_US_PER_SECOND), 1);
    assert_int_equal(mf_ratelimit_take(limit, 20 * MF_US_PER_SECOND, noon_us), 0);
    assert_int_equal(mf_ratelimit_available(limit, 20 * MF_US_PER_SECOND), 0);
    assert_int_equal(mf_ratelimit_take(limit, 20 * MF_US_PER_SECOND, noon_us), 40 * MF_US_PER_SECOND);
    // One µs before the oldest leaves, and at that moment; then the next one is in the way.
    assert_int_equal(mf_ratelimit_take(limit, 60 * MF_US_PER_SECOND - 1, noon_us), 1);
    assert_int_equal(mf_ratelimit_available(limit, 60 * MF_US_PER_SECOND - 1), 0);
    assert_int_equal(mf_ratelimit_available(limit, 60 * MF_US_PER_SECOND), 1);
    assert_int_equal(mf_ratelimit_take(limit, 60 * MF_US_PER_SECOND, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 60 * MF_US_PER_SECOND, noon_us), 10 * MF_US_PER_SECOND);
    assert_int_equal(mf_ratelimit_available(limit, 1000 * MF_US_PER_SECOND), 3);
    assert_int_equal(mf_ratelimit_used_today(limit, noon_us), 4); // refusals are not counted
    mf_ratelimit_free(&limit);
    assert_null(limit);
    mf_ratelimit_free(&limit);
    mf_ratelimit_free(NULL);
}

// A greedy caller: no window of a minute, wherever it starts, holds more than the limit, and none is wasted.
static void no_window_holds_more_than_the_limit(void **state)
{
    (void)state;
    enum { LIMIT = 7, STARTS = 500 };
    struct mf_ratelimit *limit = mf_ratelimit_new(LIMIT, 0);
    int64_t starts[STARTS];
    uint64_t random = 5;
    int64_t now = 0;
    for (int n = 0; n < STARTS;) {
        int64_t wait = mf_ratelimit_take(limit, now, noon_us);
        assert_true(wait >= 0 && wait <= MF_US_PER_MINUTE);
        if (wait == 0)
            starts[n++] = now;
        now += wait > 0 ? wait : (int64_t)(mf_random_next(&random) % (12 * MF_US_PER_SECOND));
    }
    for (int n = LIMIT; n < STARTS; n++)
        assert_true(starts[n] - starts[n - LIMIT] >= MF_US_PER_MINUTE);
    mf_ratelimit_free(&limit);
}

static void the_day_is_utc(void **state)
{
    (void)state;
    const int64_t last_us = noon_us + 12 * MF_US_PER_HOUR - 1;
    struct mf_ratelimit *limit = mf_ratelimit_new(0, 2);
    assert_int_equal(mf_ratelimit_available(limit, 0), UINT32_MAX);
    assert_int_equal(mf_ratelimit_used_today(limit, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 0, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 0, last_us), 0);
    assert_int_equal(mf_ratelimit_used_today(limit, last_us), 2);
    assert_int_equal(mf_ratelimit_take(limit, 0, noon_us), 12 * MF_US_PER_HOUR);
    assert_int_equal(mf_ratelimit_take(limit, 0, last_us), 1);
    assert_int_equal(mf_ratelimit_used_today(limit, last_us + 1), 0);
    assert_int_equal(mf_ratelimit_take(limit, 0, last_us + 1), 0);
    assert_int_equal(mf_ratelimit_used_today(limit, last_us + 1), 1);
    mf_ratelimit_free(&limit);
}

static void a_clock_set_back_over_midnight_frees_nothing(void **state)
{
    (void)state;
    const int64_t midnight_us = noon_us + 12 * MF_US_PER_HOUR;
    struct mf_ratelimit *limit = mf_ratelimit_new(0, 1);
    assert_int_equal(mf_ratelimit_take(limit, 0, midnight_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 0, midnight_us - 1), MF_US_PER_DAY + 1);
    assert_int_equal(mf_ratelimit_used_today(limit, midnight_us - 1), 1);
    // A clock that was a year ahead for a moment must not stop the feed for a year.
    assert_int_equal(mf_ratelimit_take(limit, 0, midnight_us - 365 * MF_US_PER_DAY), 0);
    assert_int_equal(mf_ratelimit_take(limit, 0, -1), 0); // before 1970: the last µs of its day
    assert_int_equal(mf_ratelimit_take(limit, 0, -1), 1);
    mf_ratelimit_free(&limit);
}

static void both_windows_must_agree(void **state)
{
    (void)state;
    struct mf_ratelimit *limit = mf_ratelimit_new(1, 2);
    assert_int_equal(mf_ratelimit_take(limit, 0, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, 1, noon_us), MF_US_PER_MINUTE - 1);
    assert_int_equal(mf_ratelimit_take(limit, MF_US_PER_MINUTE, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, MF_US_PER_MINUTE, noon_us),
                     12 * MF_US_PER_HOUR); // the longer wait
    mf_ratelimit_free(&limit);
    limit = mf_ratelimit_new(0, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(mf_ratelimit_take(limit, 0, noon_us), 0);
    assert_int_equal(mf_ratelimit_used_today(limit, noon_us), 1000);
    mf_ratelimit_free(&limit);
}

static void a_penalty_stops_everything(void **state)
{
    (void)state;
    struct mf_ratelimit *limit = mf_ratelimit_new(0, 0);
    mf_ratelimit_penalty(limit, 100, 5000);
    assert_int_equal(mf_ratelimit_take(limit, 100, noon_us), 5000);
    assert_int_equal(mf_ratelimit_available(limit, 5099), 0);
    mf_ratelimit_penalty(limit, 100, 10); // a late answer does not shorten it
    assert_int_equal(mf_ratelimit_take(limit, 5099, noon_us), 1);
    assert_int_equal(mf_ratelimit_available(limit, 5100), UINT32_MAX);
    assert_int_equal(mf_ratelimit_take(limit, 5100, noon_us), 0);
    mf_ratelimit_penalty(limit, 5100, 0); // unknown: a whole window
    assert_int_equal(mf_ratelimit_take(limit, 5100, noon_us), MF_US_PER_MINUTE);
    mf_ratelimit_free(&limit);
}

static void ask_for_more_than_the_largest(void)
{
    struct mf_ratelimit *limit = mf_ratelimit_new(MF_RATELIMIT_PER_MINUTE_MAX + 1, 0);
    mf_ratelimit_free(&limit);
}

static void the_largest_limit_works(void **state)
{
    (void)state;
    struct mf_ratelimit *limit = mf_ratelimit_new(MF_RATELIMIT_PER_MINUTE_MAX, 0);
    for (int64_t i = 0; i < MF_RATELIMIT_PER_MINUTE_MAX; i++)
        assert_int_equal(mf_ratelimit_take(limit, i, noon_us), 0);
    assert_int_equal(mf_ratelimit_take(limit, MF_RATELIMIT_PER_MINUTE_MAX, noon_us),
                     MF_US_PER_MINUTE - MF_RATELIMIT_PER_MINUTE_MAX);
    assert_int_equal(mf_ratelimit_available(limit, MF_US_PER_MINUTE + 9), 10);
    mf_ratelimit_free(&limit);
    assert_true(aborts(ask_for_more_than_the_largest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_minute_window_slides),
        cmocka_unit_test(no_window_holds_more_than_the_limit),
        cmocka_unit_test(the_day_is_utc),
        cmocka_unit_test(a_clock_set_back_over_midnight_frees_nothing),
        cmocka_unit_test(both_windows_must_agree),
        cmocka_unit_test(a_penalty_stops_everything),
        cmocka_unit_test(the_largest_limit_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
