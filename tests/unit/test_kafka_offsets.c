// SPDX-License-Identifier: Apache-2.0
// Questions about offsets, against the mock cluster: ends, commits, and who does not answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/kafka_offsets.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 20000

struct setup {
    struct kafka_world *world;
    struct mf_kafka_offsets *offsets;
};

static void begin(struct setup *setup)
{
    struct mf_error err;
    setup->world = kafka_world_new(1, NULL);
    kafka_mock_topic(setup->world, "t", 3);
    if (mf_kafka_offsets_new(&setup->world->kafka, "group", &setup->offsets, &err) != 0)
        fail_msg("%s", err.message);
}

static void end(struct setup *setup)
{
    mf_kafka_offsets_free(&setup->offsets);
    mf_kafka_offsets_free(&setup->offsets); // once more is nothing
    kafka_world_free(&setup->world);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static void fill(struct setup *setup, int32_t partition, int count)
{
    const struct mf_kafka_producer_ops ops = {.on_fatal = on_fatal};
    struct mf_kafka_producer *producer = NULL;
    struct mf_error err;
    if (mf_kafka_producer_new(&setup->world->kafka, NULL, &ops, &producer, &err) != 0)
        fail_msg("%s", err.message);
    for (int i = 0; i < count; i++) {
        const struct mf_kafka_record record = {
            .topic = "t", .partition = partition, .key = MF_STR("k"), .value = MF_STR("v")};
        if (mf_kafka_produce(producer, &record, NULL, &err) != 0)
            fail_msg("%s", err.message);
    }
    if (mf_kafka_producer_flush(producer, WAIT_MS, &err) != 0)
        fail_msg("%s", err.message);
    mf_kafka_producer_free(&producer);
}

static void test_ranges(void **state)
{
    (void)state;
    struct setup setup = {.world = NULL};
    struct mf_kafka_range *ranges = NULL;
    struct mf_error err;
    size_t count = 0;
    begin(&setup);
    fill(&setup, 1, 7);
    if (mf_kafka_offsets_ranges(setup.offsets, "t", WAIT_MS, &ranges, &count, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(count, 3);
    assert_non_null(ranges);
    assert_int_equal(ranges[0].high, 0);
    assert_int_equal(ranges[1].low, 0);
    assert_int_equal(ranges[1].high, 7);
    free(ranges);
    fill(&setup, 1, 1); // the same handle sees what came since
    ranges = NULL;
    assert_int_equal(mf_kafka_offsets_ranges(setup.offsets, "t", WAIT_MS, &ranges, &count, &err), 0);
    assert_non_null(ranges);
    assert_int_equal(ranges[1].high, 8);
    free(ranges);
    end(&setup);
}

static void test_nothing_committed(void **state)
{
    (void)state;
    struct setup setup = {.world = NULL};
    struct mf_kafka_offset items[] = {{"t", 0, 5}, {"t", 2, 6}};
    struct mf_error err;
    begin(&setup);
    if (mf_kafka_offsets_committed(setup.offsets, items, 2, WAIT_MS, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(items[0].offset, -1);
    assert_int_equal(items[1].offset, -1);
    end(&setup);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct setup setup = {.world = NULL};
    struct mf_kafka_offset items[] = {{"t", 0, 5}};
    struct mf_kafka_range *ranges = NULL;
    struct mf_error err;
    size_t count = 77;
    begin(&setup);
    kafka_mock_all_down(setup.world, true);
    assert_int_equal(mf_kafka_offsets_ranges(setup.offsets, "t", 300, &ranges, &count, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_null(ranges);
    assert_int_equal(count, 77); // set on success only
    assert_int_equal(mf_kafka_offsets_committed(setup.offsets, items, 1, 300, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_int_equal(items[0].offset, 5);
    end(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_nothing_committed),
        cmocka_unit_test(test_nobody_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
