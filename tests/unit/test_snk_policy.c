// SPDX-License-Identifier: Apache-2.0
// What the sink does about failures, as tables.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/sink/policy.h"

#define ALL SNK_TABLE_MAX
#define ONE SNK_TABLE_BARS
#define LAST SNK_ATTEMPTS_MAX

static const struct {
    struct snk_failure failure;
    enum snk_action want;
} decisions[] = {
    {{MF_ODBC_CONNECTION, ALL, 500, 1}, SNK_ACTION_CHECK_OUTCOME},
    {{MF_ODBC_CONNECTION, ALL, 0, 1}, SNK_ACTION_CHECK_OUTCOME},
    {{MF_ODBC_CONNECTION, ALL, 500, 1000}, SNK_ACTION_CHECK_OUTCOME}, // for as long as it takes
    {{MF_ODBC_TRANSIENT, ALL, 500, 1}, SNK_ACTION_RETRY},
    {{MF_ODBC_TRANSIENT, ONE, 1, LAST - 1}, SNK_ACTION_RETRY},
    {{MF_ODBC_TRANSIENT, ALL, 500, LAST - 1}, SNK_ACTION_RETRY},
    {{MF_ODBC_TRANSIENT, ALL, 500, LAST}, SNK_ACTION_SPLIT_ROWS}, // too large for a statement timeout
    {{MF_ODBC_TRANSIENT, ONE, 2, LAST}, SNK_ACTION_SPLIT_ROWS},
    {{MF_ODBC_TRANSIENT, ALL, 1, LAST}, SNK_ACTION_HOLD_ALL},
    {{MF_ODBC_TRANSIENT, ALL, 0, LAST}, SNK_ACTION_HOLD_ALL},
    {{MF_ODBC_DATA, ALL, 500, 1}, SNK_ACTION_BISECT},
    {{MF_ODBC_DATA, ALL, 2, 1}, SNK_ACTION_BISECT},
    {{MF_ODBC_DATA, ALL, 1, 1}, SNK_ACTION_REJECT_ROW},
    {{MF_ODBC_DATA, ONE, 1, 1}, SNK_ACTION_REJECT_ROW},
    {{MF_ODBC_DATA, ALL, 0, 1}, SNK_ACTION_HOLD_ALL}, // no row to blame
    {{MF_ODBC_CONFIG, ALL, 500, 1}, SNK_ACTION_SPLIT_TABLES},
    {{MF_ODBC_CONFIG, ALL, 1, 1}, SNK_ACTION_SPLIT_TABLES}, // offsets of other tables may be in it
    {{MF_ODBC_CONFIG, ONE, 500, 1}, SNK_ACTION_STOP_TABLE},
    {{MF_ODBC_CONFIG, ALL, 0, 1}, SNK_ACTION_HOLD_ALL},
    {{MF_ODBC_CONFIG, ONE, 0, 1}, SNK_ACTION_HOLD_ALL},
    {{MF_ODBC_CAPACITY, ALL, 500, 1}, SNK_ACTION_SPLIT_TABLES},
    {{MF_ODBC_CAPACITY, ONE, 500, 1}, SNK_ACTION_STOP_TABLE},
    {{MF_ODBC_OTHER, ALL, 500, 1}, SNK_ACTION_CHECK_OUTCOME},
    {{MF_ODBC_OTHER, ALL, 500, LAST}, SNK_ACTION_SPLIT_TABLES},
    {{MF_ODBC_OTHER, ONE, 500, LAST}, SNK_ACTION_STOP_TABLE},
    {{MF_ODBC_OTHER, ONE, 0, LAST}, SNK_ACTION_HOLD_ALL},
};

static void test_decisions(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(decisions); i++) {
        enum snk_action got = snk_decide(&decisions[i].failure);
        if (got != decisions[i].want)
            fail_msg("%zu: %s of %zu rows, attempt %u: %s, not %s", i,
                     mf_odbc_class_name(decisions[i].failure.class), decisions[i].failure.rows,
                     decisions[i].failure.attempts, snk_action_name(got), snk_action_name(decisions[i].want));
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    struct snk_partition p = {.epoch = 7, .stored = 100};
    assert_int_equal(snk_judge(&p, 120, true, 7, 120), SNK_LANDED);
    assert_int_equal(snk_judge(&p, 120, true, 7, 100), SNK_NOT_LANDED);
    assert_int_equal(snk_judge(&p, 120, true, 7, 110), SNK_ELSEWHERE);
    assert_int_equal(snk_judge(&p, 120, true, 7, 90), SNK_ELSEWHERE);
    assert_int_equal(snk_judge(&p, 120, true, 7, 0), SNK_ELSEWHERE);
    // Another epoch decides before the offset: what was written is somebody else's work now.
    assert_int_equal(snk_judge(&p, 120, true, 8, 120), SNK_FENCED);
    assert_int_equal(snk_judge(&p, 120, true, 8, 100), SNK_FENCED);
    assert_int_equal(snk_judge(&p, 120, true, 6, 100), SNK_FENCED);
    assert_int_equal(snk_judge(&p, 120, false, 0, 0), SNK_GONE);
}

static void test_names(void **state)
{
    (void)state;
    for (int a = 0; a < SNK_ACTION_MAX; a++) {
        for (int b = 0; b < a; b++)
            assert_string_not_equal(snk_action_name(a), snk_action_name(b));
    }
    for (int a = 0; a < SNK_VERDICT_MAX; a++) {
        for (int b = 0; b < a; b++)
            assert_string_not_equal(snk_verdict_name(a), snk_verdict_name(b));
    }
}

// One bisection that finds a row of the partition. False when it may not.
static bool take_bisection(struct snk_partition *p, uint64_t bisection, unsigned limit, int64_t now_us)
{
    if (!snk_bisection_is_allowed(p, bisection, limit, now_us))
        return false;
    snk_charge_bisection(p, bisection, limit, now_us);
    return true;
}

static void test_bisections_per_minute(void **state)
{
    (void)state;
    struct snk_partition p = {0};
    int64_t now = 5 * MF_US_PER_HOUR;
    uint64_t number = 40;
    for (int i = 0; i < 3; i++)
        assert_true(take_bisection(&p, number++, 3, now + i * MF_US_PER_SECOND));
    // The fourth within a minute of the first is too many, however often it is asked.
    assert_false(take_bisection(&p, number, 3, now + 3 * MF_US_PER_SECOND));
    assert_false(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE - 1));
    // The minute slides: after the first there is room for one, and only one; after the second for another.
    assert_true(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE));
    assert_false(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE));
    assert_true(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE + MF_US_PER_SECOND));
    assert_false(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE + 2 * MF_US_PER_SECOND - 1));
    assert_true(take_bisection(&p, number++, 3, now + MF_US_PER_MINUTE + 2 * MF_US_PER_SECOND));
    // Long afterwards all of it is forgotten.
    for (int i = 0; i < 3; i++)
        assert_true(take_bisection(&p, number++, 3, now + MF_US_PER_HOUR));
    assert_false(take_bisection(&p, number++, 3, now + MF_US_PER_HOUR));
}

static void test_a_bisection_counts_once_for_all_its_rows(void **state)
{
    (void)state;
    struct snk_partition p = {0};
    struct snk_partition other = {0};
    for (int row = 0; row < 500; row++) {
        assert_true(take_bisection(&p, 7, 1, row));
        assert_true(take_bisection(&other, 7, 1, row));
    }
    assert_int_equal(p.bisected_count, 1);
    assert_int_equal(other.bisected_count, 1);
    // It goes on although there is no room for another; time since is counted from its first row.
    assert_false(take_bisection(&p, 8, 1, MF_US_PER_MINUTE - 1));
    assert_true(take_bisection(&p, 7, 1, MF_US_PER_MINUTE - 1));
    assert_true(take_bisection(&p, 8, 1, MF_US_PER_MINUTE));
    assert_true(take_bisection(&other, 9, 1, MF_US_PER_MINUTE));
}

static void test_bisections_at_the_limits_of_the_limit(void **state)
{
    (void)state;
    struct snk_partition p = {0};
    assert_true(take_bisection(&p, 1, 1, 0));
    assert_false(take_bisection(&p, 2, 1, MF_US_PER_MINUTE - 1));
    assert_true(take_bisection(&p, 3, 1, MF_US_PER_MINUTE));
    p = (struct snk_partition){0};
    for (unsigned i = 1; i <= SNK_POISON_LIMIT_MAX; i++)
        assert_true(take_bisection(&p, i, SNK_POISON_LIMIT_MAX, 1));
    assert_false(take_bisection(&p, 1000, SNK_POISON_LIMIT_MAX, 1));
}

static void test_repeats(void **state)
{
    (void)state;
    struct snk_repeats repeats = {0};
    snk_repeats_surprise(&repeats);
    assert_int_equal(repeats.left, SNK_REPEATS_MIN);
    snk_repeats_looked(&repeats, false);
    assert_int_equal(repeats.left, SNK_REPEATS_MIN - 1);
    snk_repeats_looked(&repeats, true); // and the stretch begins again
    assert_int_equal(repeats.left, SNK_REPEATS_MIN);
    for (unsigned i = 0; i < SNK_REPEATS_MIN; i++)
        snk_repeats_looked(&repeats, false);
    assert_int_equal(repeats.left, 0);
    snk_repeats_looked(&repeats, false);
    assert_int_equal(repeats.left, 0);
    snk_repeats_surprise(&repeats);
    assert_int_equal(repeats.left, 2 * SNK_REPEATS_MIN);
    snk_repeats_looked(&repeats, true);
    assert_int_equal(repeats.left, 2 * SNK_REPEATS_MIN);
    for (unsigned i = 0; i < 32; i++)
        snk_repeats_surprise(&repeats);
    assert_int_equal(repeats.left, SNK_REPEATS_MAX);
    assert_int_equal(repeats.stretch, SNK_REPEATS_MAX);
}

static void test_breaker(void **state)
{
    (void)state;
    struct snk_breaker breaker = {0};
    assert_false(snk_breaker_try(&breaker, 1));
    assert_false(snk_breaker_close(&breaker));

    snk_breaker_open(&breaker, 1000, 60, "raw.raw_bars is missing");
    assert_int_equal(breaker.state, SNK_BREAKER_OPEN);
    assert_string_equal(breaker.reason, "raw.raw_bars is missing");
    assert_false(snk_breaker_try(&breaker, 1000 + 60 * MF_US_PER_MS - 1));
    assert_true(snk_breaker_try(&breaker, 1000 + 60 * MF_US_PER_MS));
    assert_int_equal(breaker.state, SNK_BREAKER_TRYING);
    assert_false(snk_breaker_try(&breaker, INT64_MAX / 2)); // one try at a time
    // It fails again: open again, with the new reason.
    snk_breaker_open(&breaker, 2000, 60, "permission denied");
    assert_string_equal(breaker.reason, "permission denied");
    assert_true(snk_breaker_try(&breaker, 2000 + 60 * MF_US_PER_MS));
    assert_true(snk_breaker_close(&breaker));
    assert_int_equal(breaker.state, SNK_BREAKER_CLOSED);
    assert_false(snk_breaker_close(&breaker));
}

static void test_breaker_keeps_a_reason_of_any_length(void **state)
{
    (void)state;
    struct snk_breaker breaker = {0};
    char reason[2000];
    memset(reason, 'x', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    snk_breaker_open(&breaker, 0, 1, reason);
    assert_true(strlen(breaker.reason) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bisections_per_minute),
        cmocka_unit_test(test_a_bisection_counts_once_for_all_its_rows),
        cmocka_unit_test(test_bisections_at_the_limits_of_the_limit),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_breaker),
        cmocka_unit_test(test_breaker_keeps_a_reason_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
