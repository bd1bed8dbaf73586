// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 20000
#define STALL_MS 10000
#define PARTITIONS 3

struct setup {
    struct kafka_world *world;
    struct mf_kafka_reader *reader;
    struct mf_kafka_producer *producer;
    size_t messages, out_of_order;
    int64_t next[PARTITIONS];
    unsigned done, failed;
    size_t messages_at_done;
    struct mf_error error;
    bool free_inside, produce_inside, endless;
};

static void produce(struct setup *setup, int32_t partition, const char *key, const char *value)
{
    struct mf_kafka_record record = {
        .topic = "t", .partition = partition, .key = mf_str_of(key), .value = mf_str_of(value)};
    struct mf_error err;
    if (mf_kafka_produce(setup->producer, &record, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct setup *setup = arg;
    assert_string_equal(message->topic, "t");
    setup->messages++;
    setup->out_of_order += message->offset != setup->next[message->partition];
    setup->next[message->partition] = message->offset + 1;
    if (setup->produce_inside) { // the log grows while it is read
        setup->produce_inside = false;
        produce(setup, 0, NULL, "later");
    }
    if (setup->endless && setup->done == 0) // each record that is read is followed by another one
        produce(setup, message->partition, NULL, "later");
    if (setup->free_inside)
        mf_kafka_reader_free(&setup->reader);
}

static void on_done(void *arg)
{
    struct setup *setup = arg;
    setup->done++;
    setup->messages_at_done = setup->messages;
    mf_kafka_reader_free(&setup->reader); // as owners do
}

static void on_error(void *arg, const struct mf_error *err)
{
    struct setup *setup = arg;
    setup->failed++;
    setup->error = *err;
}

static void ignore_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static struct setup *setup_new(int partitions)
{
    struct setup *setup = mf_calloc(1, sizeof *setup);
    setup->world = kafka_world_new(1, NULL);
    if (partitions > 0)
        kafka_mock_topic(setup->world, "t", partitions);
    struct mf_kafka_producer_ops ops = {.on_fatal = ignore_fatal};
    struct mf_error err;
    assert_int_equal(mf_kafka_producer_new(&setup->world->kafka, NULL, &ops, &setup->producer, &err), 0);
    return setup;
}

static void start(struct setup *setup, int64_t stall_ms)
{
    struct mf_kafka_reader_ops ops = {
        .on_message = on_message, .on_done = on_done, .on_error = on_error, .arg = setup};
    struct mf_error err;
    if (mf_kafka_reader_new(&setup->world->kafka, "t", stall_ms, &ops, &setup->reader, &err) < 0)
        fail_msg("%s", err.message);
}

static void setup_free(struct setup *setup)
{
    mf_kafka_reader_free(&setup->reader);
    mf_kafka_producer_free(&setup->producer);
    kafka_world_free(&setup->world);
    free(setup);
}

static bool is_over(void *arg)
{
    struct setup *setup = arg;
    return setup->done + setup->failed > 0;
}

static void flush(struct setup *setup)
{
    struct mf_error err;
    if (mf_kafka_producer_flush(setup->producer, WAIT_MS, &err) < 0)
        fail_msg("%s", err.message);
}

// What an earlier reader had is not read again; from an offset that the log does not have, all is.
static void reading_goes_on_from_an_offset(void **state)
{
    (void)state;
    static const struct {
        int64_t from;
        int messages;
    } cases[] = {{0, 10}, {7, 3}, {10, 0}, {1000, 10}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct setup *setup = setup_new(1);
        for (int j = 0; j < 10; j++)
            produce(setup, 0, "a", "value");
        flush(setup);
        start(setup, STALL_MS);
        mf_kafka_reader_start_at(setup->reader, cases[i].from);
        assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
        assert_int_equal(setup->done, 1);
        assert_int_equal(setup->messages, cases[i].messages);
        setup_free(setup);
    }
}

static void a_topic_is_read_from_its_beginning_to_its_end(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct setup *setup = setup_new(PARTITIONS);
    // The last partition stays empty.
    for (int i = 0; i < COUNT; i++) {
        produce(setup, 0, "a", "value");
        produce(setup, 1, "b", i % 2 == 0 ? "value" : NULL);
    }
    flush(setup);
    start(setup, STALL_MS);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_int_equal(setup->messages, 2 * COUNT);
    assert_int_equal(setup->out_of_order, 0);
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, 2 * COUNT);
    setup_free(setup);
}

// Without a pause in the writing no end of a partition is told; reading from a time on ends all the same.
static void an_endless_topic_is_read_to_where_it_ended(void **state)
{
    (void)state;
    static const int32_t chosen[] = {0, 1};
    struct setup *setup = setup_new(PARTITIONS);
    for (int i = 0; i < 3000; i++)
        produce(setup, i % PARTITIONS, "a", "value");
    flush(setup);
    setup->endless = true;
    start(setup, STALL_MS);
    mf_kafka_reader_choose(setup->reader, chosen, MF_ARRAY_LEN(chosen));
    mf_kafka_reader_since(setup->reader, 0);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_int_equal(setup->next[2], 0);
    assert_in_range(setup->messages_at_done, 2000, 4000); // and a few that came meanwhile
    flush(setup);
    setup_free(setup);
}

static void chosen_partitions_are_read_and_no_other(void **state)
{
    (void)state;
    static const int32_t chosen[] = {2, 1};
    struct setup *setup = setup_new(PARTITIONS);
    for (int i = 0; i < 30; i++)
        produce(setup, i % PARTITIONS, "a", "value");
    flush(setup);
    start(setup, STALL_MS);
    mf_kafka_reader_choose(setup->reader, chosen, MF_ARRAY_LEN(chosen));
    assert_int_equal(mf_kafka_reader_remaining(setup->reader), -1);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_int_equal(setup->messages, 20);
    assert_int_equal(setup->next[0], 0);
    assert_int_equal(setup->next[1], 10);
    assert_int_equal(setup->next[2], 10);
    setup_free(setup);
}

static void a_partition_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    static const int32_t chosen[] = {0, PARTITIONS};
    struct setup *setup = setup_new(PARTITIONS);
    start(setup, STALL_MS);
    mf_kafka_reader_choose(setup->reader, chosen, MF_ARRAY_LEN(chosen));
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->failed, 1);
    assert_int_equal(setup->error.class, MF_ERROR_CONFIG);
    assert_string_equal(setup->error.code, "partition_count");
    setup_free(setup);
}

static void an_empty_topic_is_done_at_once(void **state)
{
    (void)state;
    struct setup *setup = setup_new(PARTITIONS);
    start(setup, STALL_MS);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_int_equal(setup->messages, 0);
    setup_free(setup);
}

static void what_comes_later_is_not_waited_for(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1);
    for (int i = 0; i < 100; i++)
        produce(setup, 0, NULL, "value");
    flush(setup);
    setup->produce_inside = true;
    start(setup, STALL_MS);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_in_range(setup->messages_at_done, 100, 101);
    assert_int_equal(setup->out_of_order, 0);
    setup_free(setup);
}

static void a_missing_topic_stalls_and_says_so(void **state)
{
    (void)state;
    struct setup *setup = setup_new(0);
    // The mock makes a topic when it is asked about, unless it is told not to know it.
    kafka_mock_topic_error(setup->world, "t", kafka_code("UNKNOWN_TOPIC_OR_PART"));
    start(setup, 500);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->failed, 1);
    assert_int_equal(setup->error.class, MF_ERROR_TRANSIENT);
    assert_string_equal(setup->error.code, "stalled");
    assert_non_null(strstr(setup->error.message, "does not exist"));
    setup_free(setup);
}

static void a_dead_broker_stalls_and_nothing_blocks(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1);
    produce(setup, 0, NULL, "value");
    flush(setup);
    kafka_mock_all_down(setup->world, true);
    start(setup, 300);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->failed, 1);
    assert_string_equal(setup->error.code, "stalled");
    kafka_world_pass(setup->world, 500);
    assert_int_equal(setup->failed, 1); // once
    setup_free(setup);
}

static bool has_read(void *arg)
{
    struct setup *setup = arg;
    return setup->messages > 0;
}

static void a_broker_that_comes_back_is_gone_on_with(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1);
    for (int i = 0; i < 10; i++)
        produce(setup, 0, NULL, "value");
    flush(setup);
    kafka_mock_all_down(setup->world, true);
    start(setup, STALL_MS);
    kafka_world_pass(setup->world, 300);
    assert_int_equal(setup->messages, 0);
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, is_over, setup, WAIT_MS));
    assert_int_equal(setup->done, 1);
    assert_int_equal(setup->messages, 10);
    setup_free(setup);
}

static void a_reader_may_be_freed_inside_its_own_message(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1);
    for (int i = 0; i < 10; i++)
        produce(setup, 0, NULL, "value");
    flush(setup);
    setup->free_inside = true;
    start(setup, STALL_MS);
    assert_true(kafka_world_run(setup->world, has_read, setup, WAIT_MS));
    assert_null(setup->reader);
    assert_int_equal(setup->messages, 1);
    assert_int_equal(setup->done, 0);
    setup_free(setup);
}

static void a_reader_may_be_freed_at_any_time(void **state)
{
    (void)state;
    for (int ms = 0; ms < 40; ms += 4) {
        struct setup *setup = setup_new(PARTITIONS);
        produce(setup, 0, NULL, "value");
        flush(setup);
        start(setup, STALL_MS);
        kafka_world_pass(setup->world, ms);
        mf_kafka_reader_free(&setup->reader);
        mf_kafka_reader_free(NULL);
        setup_free(setup);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_read_from_its_beginning_to_its_end),
        cmocka_unit_test(reading_goes_on_from_an_offset),
        cmocka_unit_test(chosen_partitions_are_read_and_no_other),
        cmocka_unit_test(an_endless_topic_is_read_to_where_it_ended),
        cmocka_unit_test(a_partition_that_is_not_there_is_an_error),
        cmocka_unit_test(an_empty_topic_is_done_at_once),
        cmocka_unit_test(what_comes_later_is_not_waited_for),
        cmocka_unit_test(a_missing_topic_stalls_and_says_so),
        cmocka_unit_test(a_dead_broker_stalls_and_nothing_blocks),
        cmocka_unit_test(a_broker_that_comes_back_is_gone_on_with),
        cmocka_unit_test(a_reader_may_be_freed_inside_its_own_message),
        cmocka_unit_test(a_reader_may_be_freed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
