// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_consumer.h"
#include "tests/unit/kafka_consumer_setup.h"

#include <cmocka.h>

static void every_message_comes_once_in_bounded_turns(void **state)
{
    (void)state;
    enum { COUNT = 20000, ALL = COUNT * PARTITIONS };
    struct setup *setup = setup_new(PARTITIONS, NULL);
    setup_fill(setup, PARTITIONS, COUNT);
    setup_start(setup, true);
    assert_false(mf_kafka_consumer_joined(setup->consumer));
    int64_t before = mf_kafka_consumer_last_poll_us(setup->consumer);
    setup_run_until(setup, ALL);
    assert_int_equal(setup->out_of_order, 0);
    assert_int_equal(setup->assigned, 1);
    assert_int_equal(setup->assigned_partitions, PARTITIONS);
    assert_int_equal(mf_kafka_consumer_assigned(setup->consumer), PARTITIONS);
    assert_true(setup->most_in_a_turn <= KAFKA_TURN_EVENTS);
    assert_true(setup->turns >= ALL / KAFKA_TURN_EVENTS);
    assert_true(mf_kafka_consumer_last_poll_us(setup->consumer) > before);
    // Nothing comes twice, and none of them waited for the fallback timer.
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, ALL);
    assert_int_equal(setup->eofs, PARTITIONS);
    const char *const topic[] = {"t"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_CONSUMED_MESSAGES, topic), ALL, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_ASSIGNED, topic), PARTITIONS, 0);
    setup_free(setup);
}

static void keys_values_and_headers_arrive_as_they_were(void **state)
{
    (void)state;
    static const struct {
        struct mf_str key, value;
    } rows[] = {
        {{"AAPL", 4}, {"bar", 3}}, {{NULL, 0}, {"bar", 3}}, {{"", 0}, {"bar", 3}},
        {{"AAPL", 4}, {NULL, 0}},  {{"AAPL", 4}, {"", 0}},
    };
    struct setup *setup = setup_new(1, NULL);
    struct mf_kafka_producer_ops ops = {.on_fatal = setup_ignore_fatal};
    struct mf_kafka_producer *producer;
    struct mf_error err;
    assert_int_equal(mf_kafka_producer_new(&setup->world->kafka, NULL, &ops, &producer, &err), 0);
    setup_start(setup, true);
    const struct mf_kafka_header headers[] = {
        {"mf-flags", MF_STR("late")}, {"mf-revision", MF_STR("3")}, {"mf-flags", MF_STR("late,corrected")}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows) * 2; i++) {
        bool with_headers = i >= MF_ARRAY_LEN(rows);
        size_t row = i % MF_ARRAY_LEN(rows);
        struct mf_kafka_record record = {.topic = "t",
                                         .partition = 0,
                                         .key = rows[row].key,
                                         .value = rows[row].value,
                                         .headers = headers,
                                         .header_count = with_headers ? MF_ARRAY_LEN(headers) : 0};
        if (mf_kafka_produce(producer, &record, NULL, &err) < 0)
            fail_msg("%s", err.message);
        setup_run_until(setup, i + 1);
        assert_int_equal(setup->key_absent, rows[row].key.data == NULL);
        assert_int_equal(setup->value_absent, rows[row].value.data == NULL);
        assert_string_equal(setup->last_key, rows[row].key.len > 0 ? "AAPL" : "");
        assert_string_equal(setup->last_value, rows[row].value.len > 0 ? "bar" : "");
        assert_string_equal(setup->last_header, with_headers ? "late,corrected" : ""); // the last one counts
        assert_true(setup->last.timestamp_ms > INT64_C(1600000000000));
    }
    mf_kafka_producer_free(&producer);
    setup_free(setup);
}

static void stop_ends_the_turn_and_loses_nothing(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 3000);
    setup->stop_after = 7;
    setup_start(setup, true);
    setup_run_until(setup, 3000);
    assert_int_equal(setup->out_of_order, 0);
    assert_int_equal(setup->most_in_a_turn, 7);
    setup_free(setup);
}

static void pausing_leaves_no_gap_and_hands_out_nothing(void **state)
{
    (void)state;
    enum { COUNT = 30000, CYCLES = 20 };
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, COUNT);
    setup_start(setup, true);
    for (size_t cycle = 1; cycle <= CYCLES; cycle++) {
        setup_run_until(setup, cycle * COUNT / CYCLES);
        mf_kafka_consumer_pause_all(setup->consumer);
        mf_kafka_consumer_pause_all(setup->consumer); // the second time means nothing
        setup->paused = true;
        kafka_world_pass(setup->world, 10);
        setup->paused = false;
        mf_kafka_consumer_resume_all(setup->consumer);
        mf_kafka_consumer_resume_all(setup->consumer);
        mf_kafka_consumer_resume(setup->consumer, "t", 0);
    }
    setup_run_until(setup, 2 * COUNT);
    assert_int_equal(setup->while_paused, 0);
    assert_int_equal(setup->out_of_order, 0);
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, 2 * COUNT);
    setup_free(setup);
}

static void one_partition_pauses_alone(void **state)
{
    (void)state;
    const char *const topic[] = {"t"};
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, 1000);
    setup->pause_on_assign = true; // before librdkafka knows the partitions
    setup_start(setup, true);
    assert_true(kafka_world_run(setup->world, setup_is_joined, setup, WAIT_MS));
    kafka_world_pass(setup->world, 100);
    assert_int_equal(setup->messages, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PAUSED, topic), 2, 0);
    mf_kafka_consumer_resume(setup->consumer, "t", 1);
    setup_run_until(setup, 1000);
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, 1000);
    assert_int_equal(setup->next[0], 0);
    assert_int_equal(setup->next[1], 1000);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PAUSED, topic), 1, 0);
    mf_kafka_consumer_resume(setup->consumer, "t", 0);
    mf_kafka_consumer_pause(setup->consumer, "t", 7); // not ours: nothing
    setup_run_until(setup, 2000);
    assert_int_equal(setup->out_of_order, 0);
    setup_free(setup);
}

static void a_held_consumer_hands_out_nothing_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 20000);
    setup_start(setup, true);
    setup_run_until(setup, 1000);
    mf_kafka_consumer_hold(setup->consumer, true);
    size_t before = setup->messages;
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, before);
    mf_kafka_consumer_hold(setup->consumer, false);
    setup_run_until(setup, 20000);
    assert_int_equal(setup->out_of_order, 0);
    setup_free(setup);
}

static bool is_connected(void *arg)
{
    const struct setup *setup = arg;
    return mf_kafka_consumer_connected(setup->consumer);
}

static bool is_disconnected(void *arg)
{
    return !is_connected(arg);
}

// The assignment does not: it lasts until the session times out.
static void the_connection_shows_whether_a_broker_is_up(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_STATISTICS_MS=200", NULL};
    struct setup *setup = setup_new(1, settings);
    setup_fill(setup, 1, 10);
    setup_start(setup, true);
    assert_false(mf_kafka_consumer_connected(setup->consumer));
    setup_run_until(setup, 10);
    assert_true(mf_kafka_consumer_connected(setup->consumer));
    kafka_mock_all_down(setup->world, true);
    assert_true(kafka_world_run(setup->world, is_disconnected, setup, WAIT_MS));
    assert_true(mf_kafka_consumer_joined(setup->consumer));
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, is_connected, setup, WAIT_MS));
    setup_free(setup);
}

static void closing_revokes_once_and_then_tells(void **state)
{
    (void)state;
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, 1000);
    setup_start(setup, true);
    setup_run_until(setup, 2000);
    mf_kafka_consumer_hold(setup->consumer, true); // a close lets go
    mf_kafka_consumer_close(setup->consumer, setup_on_closed, setup);
    mf_kafka_consumer_close(setup->consumer, setup_on_closed, setup);
    assert_true(kafka_world_run(setup->world, setup_is_closed, setup, WAIT_MS));
    assert_int_equal(setup->closed, 1);
    assert_int_equal(setup->revoked, 1);
    assert_int_equal(setup->lost, 0);
    assert_int_equal(mf_kafka_consumer_assigned(setup->consumer), 0);
    const char *const topic[] = {"t"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_ASSIGNED, topic), 0, 0);
    kafka_world_pass(setup->world, 1100); // past the fallback timer
    assert_int_equal(setup->closed, 1);
    setup_free(setup);
}

static void a_consumer_that_has_not_joined_closes_too(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_start(setup, true);
    mf_kafka_consumer_close(setup->consumer, setup_on_closed, setup);
    assert_true(kafka_world_run(setup->world, setup_is_closed, setup, WAIT_MS));
    assert_int_equal(setup->revoked, 0);
    setup_free(setup);
}

static void freeing_without_a_close_is_quick_and_silent(void **state)
{
    (void)state;
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, 1000);
    setup_start(setup, true);
    setup_run_until(setup, 100);
    mf_kafka_consumer_free(&setup->consumer);
    assert_int_equal(setup->revoked, 0);
    size_t before = setup->messages;
    kafka_world_pass(setup->world, 20);
    assert_int_equal(setup->messages, before);
    setup_free(setup);
}

static void a_consumer_may_be_freed_inside_its_own_message(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 100);
    setup->free_inside = true;
    setup_start(setup, true);
    setup_run_until(setup, 1);
    assert_null(setup->consumer);
    assert_int_equal(setup->messages, 1);
    assert_int_equal(setup->turns, 0);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_once_in_bounded_turns),
        cmocka_unit_test(keys_values_and_headers_arrive_as_they_were),
        cmocka_unit_test(stop_ends_the_turn_and_loses_nothing),
        cmocka_unit_test(pausing_leaves_no_gap_and_hands_out_nothing),
        cmocka_unit_test(one_partition_pauses_alone),
        cmocka_unit_test(a_held_consumer_hands_out_nothing_and_keeps_what_it_has),
        cmocka_unit_test(the_connection_shows_whether_a_broker_is_up),
        cmocka_unit_test(closing_revokes_once_and_then_tells),
        cmocka_unit_test(a_consumer_that_has_not_joined_closes_too),
        cmocka_unit_test(freeing_without_a_close_is_quick_and_silent),
        cmocka_unit_test(a_consumer_may_be_freed_inside_its_own_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
