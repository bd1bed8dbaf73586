// SPDX-License-Identifier: Apache-2.0
// A fence of our own doing is told from another process's, by what went before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_fence.h"

#include <cmocka.h>

#define WINDOW_US (40 * MF_US_PER_SECOND)
#define NOON_US (1000 * MF_US_PER_SECOND)

static const struct mf_error fenced = {.class = MF_ERROR_FATAL, .code = "fenced"};

static struct mf_kafka_fence fence_that(bool worked)
{
    struct mf_kafka_fence fence = {.window_us = WINDOW_US};
    if (worked)
        mf_kafka_fence_worked(&fence);
    return fence;
}

static void test_without_trouble_it_is_another(void **state)
{
    (void)state;
    struct mf_kafka_fence fence = fence_that(true);
    assert_false(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    mf_kafka_fence_trouble(&fence, NOON_US - WINDOW_US); // too long ago
    assert_false(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    mf_kafka_fence_trouble(&fence, NOON_US - WINDOW_US + 1);
    assert_true(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
}

static void test_before_the_first_assignment_nothing_is_ours(void **state)
{
    (void)state;
    struct mf_kafka_fence fence = fence_that(false);
    mf_kafka_fence_trouble(&fence, NOON_US);
    assert_false(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
}

static void test_other_errors_are_not_forgiven(void **state)
{
    (void)state;
    struct mf_kafka_fence fence = fence_that(true);
    const struct mf_error other = {.class = MF_ERROR_FATAL, .code = "denied"};
    mf_kafka_fence_trouble(&fence, NOON_US);
    assert_false(mf_kafka_fence_forgives(&fence, &other, NOON_US));
    assert_int_equal(fence.forgiven, 0);
}

// Two processes with one id fence each other without end: one of them gives way.
static void test_three_times_and_no_more(void **state)
{
    (void)state;
    struct mf_kafka_fence fence = fence_that(true);
    for (int i = 0; i < 3; i++) {
        mf_kafka_fence_trouble(&fence, NOON_US);
        assert_true(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    }
    mf_kafka_fence_trouble(&fence, NOON_US);
    assert_false(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    mf_kafka_fence_quiet(&fence, NOON_US + WINDOW_US); // not long enough
    assert_false(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    mf_kafka_fence_quiet(&fence, NOON_US + WINDOW_US + 1);
    mf_kafka_fence_trouble(&fence, NOON_US + WINDOW_US + 2);
    assert_true(mf_kafka_fence_forgives(&fence, &fenced, NOON_US + WINDOW_US + 3));
}

// A session runs out by itself only: another process would have fenced us before.
static void test_a_lost_session_begins_the_count_anew(void **state)
{
    (void)state;
    struct mf_kafka_fence fence = fence_that(true);
    mf_kafka_fence_trouble(&fence, NOON_US);
    for (int i = 0; i < 3; i++)
        assert_true(mf_kafka_fence_forgives(&fence, &fenced, NOON_US));
    mf_kafka_fence_session_lost(&fence, NOON_US + 1);
    assert_true(mf_kafka_fence_forgives(&fence, &fenced, NOON_US + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_trouble_it_is_another),
        cmocka_unit_test(test_before_the_first_assignment_nothing_is_ours),
        cmocka_unit_test(test_other_errors_are_not_forgiven),
        cmocka_unit_test(test_three_times_and_no_more),
        cmocka_unit_test(test_a_lost_session_begins_the_count_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
