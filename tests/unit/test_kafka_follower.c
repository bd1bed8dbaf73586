// SPDX-License-Identifier: Apache-2.0
// The follower: what was there first, then what comes, also while others write without a pause.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 20000

struct setup {
    struct kafka_world *world;
    struct mf_kafka_follower *follower;
    struct mf_kafka_producer *producer;
    struct mf_timer *writer;
    int64_t messages, wanted, at_current;
    bool current, free_inside;
};

static void produce(struct setup *setup)
{
    struct mf_kafka_record record = {.topic = "t", .partition = 0, .key = MF_STR("k"), .value = MF_STR("v")};
    struct mf_error err;
    if (mf_kafka_produce(setup->producer, &record, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct setup *setup = arg;
    assert_string_equal(message->topic, "t");
    assert_int_equal(message->offset, setup->messages++); // each once, in order
    assert_true(message->timestamp_ms > 0);
    if (setup->free_inside)
        mf_kafka_follower_free(&setup->follower);
}

static void on_current(void *arg)
{
    struct setup *setup = arg;
    assert_false(setup->current);
    setup->current = true;
    setup->at_current = setup->messages;
}

static void on_error(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static void on_write(void *arg)
{
    produce(arg);
}

static struct setup *setup_new(int before)
{
    struct setup *setup = mf_calloc(1, sizeof *setup);
    struct mf_error err;
    setup->world = kafka_world_new(1, NULL);
    kafka_mock_topic(setup->world, "t", 1);
    struct mf_kafka_producer_ops ops = {.on_fatal = on_error};
    assert_int_equal(mf_kafka_producer_new(&setup->world->kafka, NULL, &ops, &setup->producer, &err), 0);
    for (int i = 0; i < before; i++)
        produce(setup);
    assert_int_equal(mf_kafka_producer_flush(setup->producer, WAIT_MS, &err), 0);
    setup->writer = mf_timer_new(setup->world->loop, on_write, setup);
    return setup;
}

static void follow(struct setup *setup)
{
    struct mf_kafka_follower_ops ops = {
        .on_message = on_message, .on_current = on_current, .on_error = on_error, .arg = setup};
    struct mf_error err;
    if (mf_kafka_follower_new(&setup->world->kafka, "t", 1000, &ops, &setup->follower, &err) < 0)
        fail_msg("%s", err.message);
}

static void setup_free(struct setup *setup)
{
    mf_kafka_follower_free(&setup->follower);
    mf_timer_free(&setup->writer);
    mf_kafka_producer_free(&setup->producer);
    kafka_world_free(&setup->world);
    free(setup);
}

static bool is_current(void *arg)
{
    const struct setup *setup = arg;
    return setup->current;
}

static bool has_all(void *arg)
{
    const struct setup *setup = arg;
    return setup->messages >= setup->wanted;
}

static bool is_freed(void *arg)
{
    const struct setup *setup = arg;
    return setup->follower == NULL;
}

static void the_past_and_then_what_comes(void **state)
{
    (void)state;
    static const int before[] = {0, 1500};
    for (size_t i = 0; i < MF_ARRAY_LEN(before); i++) {
        struct setup *setup = setup_new(before[i]);
        follow(setup);
        assert_true(kafka_world_run(setup->world, is_current, setup, WAIT_MS));
        assert_int_equal(setup->at_current, before[i]);
        for (int more = 1; more <= 2; more++) {
            setup->wanted = before[i] + more;
            produce(setup);
            assert_true(kafka_world_run(setup->world, has_all, setup, WAIT_MS));
        }
        setup_free(setup);
    }
}

// No fetch comes back without records, so that librdkafka tells no end.
static void a_busy_log_has_a_past_too(void **state)
{
    (void)state;
    struct setup *setup = setup_new(100);
    mf_timer_arm_every_ms(setup->writer, 20);
    follow(setup);
    assert_true(kafka_world_run(setup->world, is_current, setup, WAIT_MS));
    assert_true(setup->at_current >= 100);
    setup->wanted = setup->messages + 20;
    assert_true(kafka_world_run(setup->world, has_all, setup, WAIT_MS));
    setup_free(setup);
}

static void a_broker_that_is_away_is_waited_for(void **state)
{
    (void)state;
    struct setup *setup = setup_new(5);
    kafka_mock_all_down(setup->world, true);
    follow(setup);
    kafka_world_pass(setup->world, 200);
    assert_false(setup->current);
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, is_current, setup, WAIT_MS));
    assert_int_equal(setup->messages, 5);
    setup_free(setup);
}

static void a_follower_may_be_freed_at_any_time(void **state)
{
    (void)state;
    struct setup *setup = setup_new(5);
    setup->free_inside = true;
    follow(setup);
    assert_true(kafka_world_run(setup->world, is_freed, setup, WAIT_MS));
    assert_int_equal(setup->messages, 1);
    assert_false(setup->current);
    setup_free(setup);
    for (int ms = 0; ms < 30; ms += 10) {
        setup = setup_new(1);
        follow(setup);
        kafka_world_pass(setup->world, ms);
        setup_free(setup);
    }
    mf_kafka_follower_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_past_and_then_what_comes),
        cmocka_unit_test(a_busy_log_has_a_past_too),
        cmocka_unit_test(a_broker_that_is_away_is_waited_for),
        cmocka_unit_test(a_follower_may_be_freed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
