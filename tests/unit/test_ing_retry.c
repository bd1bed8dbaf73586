// SPDX-License-Identifier: Apache-2.0
// The retry policy: every answer's next step, and when patience ends.
#include "services/ingestor/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct ing_retry_policy policy = {
    .attempts_max = 3, .rate_limited_max = 2, .rate_limit_wait_ms = 61000};
static const struct ing_retry_policy patient = {.rate_limit_wait_ms = 61000};

static struct ing_retry fresh(void)
{
    struct ing_retry retry;
    ing_retry_init(&retry, 100, 1000, 7);
    return retry;
}

static struct ing_failure failure(enum ing_answer answer)
{
    return (struct ing_failure){.answer = answer, .status = 200, .retry_after_ms = -1};
}

static void test_steps(void **state)
{
    (void)state;
    static const struct {
        enum ing_answer answer;
        enum ing_step step;
    } cases[] = {
        {ING_ANSWER_DATA, ING_STEP_TAKE},
        {ING_ANSWER_EMPTY, ING_STEP_TAKE},
        {ING_ANSWER_PERMANENT, ING_STEP_REFUSE},
        {ING_ANSWER_KEY_REJECTED, ING_STEP_STOP_KEY},
        {ING_ANSWER_PLAN_LIMIT, ING_STEP_SKIP_RANGE},
        {ING_ANSWER_UNKNOWN_TICKER, ING_STEP_SKIP_SERIES},
        {ING_ANSWER_RATE_LIMITED, ING_STEP_WAIT_ALL},
        {ING_ANSWER_TRANSIENT, ING_STEP_RETRY},
    };
    assert_int_equal(MF_ARRAY_LEN(cases), ING_ANSWER_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_retry retry = fresh();
        struct ing_failure f = failure(cases[i].answer);
        struct ing_decision decision = ing_retry_decide(&policy, &retry, &f);
        assert_int_equal(decision.step, cases[i].step);
        bool again = decision.step == ING_STEP_RETRY || decision.step == ING_STEP_WAIT_ALL;
        assert_int_equal(decision.metric_reason != NULL, again);
        assert_int_equal(decision.wait_ms > 0, again);
    }
}

static void test_transient(void **state)
{
    (void)state;
    struct ing_retry retry = fresh();
    struct ing_failure f = failure(ING_ANSWER_TRANSIENT);
    f.status = 503;
    struct ing_decision decision = ing_retry_decide(&policy, &retry, &f);
    assert_string_equal(decision.metric_reason, "5xx");
    assert_in_range(decision.wait_ms, 100, 1000);
    f.status = 0;
    f.retry_after_ms = 5000; // longer than the backoff: the server knows better
    decision = ing_retry_decide(&policy, &retry, &f);
    assert_string_equal(decision.metric_reason, "transport");
    assert_int_equal(decision.wait_ms, 5000);
    assert_int_equal(ing_retry_decide(&policy, &retry, &f).step, ING_STEP_GIVE_UP); // the third in a row
    ing_retry_reset(&retry);
    assert_int_equal(ing_retry_decide(&policy, &retry, &f).step, ING_STEP_RETRY);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ing_retry_decide(&patient, &retry, &f).step, ING_STEP_RETRY);
}

static void test_rate_limit(void **state)
{
    (void)state;
    struct ing_retry retry = fresh();
    struct ing_failure f = failure(ING_ANSWER_RATE_LIMITED);
    f.status = 429;
    struct ing_decision decision = ing_retry_decide(&policy, &retry, &f); // N04: a whole window
    assert_int_equal(decision.wait_ms, 61000);
    assert_string_equal(decision.metric_reason, "429");
    assert_int_equal(retry.attempts, 0); // no failure of the request's own
    assert_int_equal(ing_retry_decide(&policy, &retry, &f).step, ING_STEP_GIVE_UP);
    ing_retry_reset(&retry);
    static const struct {
        int64_t retry_after_ms, wait_ms;
    } cases[] = {{0, 1000}, {999, 1000}, {30000, 30000}, {3600000, 3600000}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        f.retry_after_ms = cases[i].retry_after_ms;
        assert_int_equal(ing_retry_decide(&patient, &retry, &f).wait_ms, cases[i].wait_ms);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct ing_retry retry = fresh();
    struct ing_failure f = failure(ING_ANSWER_EMPTY);
    f.worth_asking_again = true; // N01: once
    assert_string_equal(ing_retry_decide(&policy, &retry, &f).metric_reason, "empty");
    assert_int_equal(ing_retry_decide(&policy, &retry, &f).step, ING_STEP_TAKE);
    ing_retry_reset(&retry);
    assert_int_equal(ing_retry_decide(&policy, &retry, &f).step, ING_STEP_RETRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_transient),
                                       cmocka_unit_test(test_rate_limit), cmocka_unit_test(test_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
