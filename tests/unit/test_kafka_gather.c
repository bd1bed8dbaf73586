// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_consumer.h"
#include "common/kafka_producer.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

enum { WAIT_MS = 20000, PARTITIONS = 3, TOPICS = 2, LARGE = 70000 };
static const char *const topic_names[TOPICS] = {"a", "b"};

struct setup {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    size_t reports, failed, pressure_up, pressure_down, progress;
    void *last_opaque;
    struct mf_error error;
    bool inside_produce, free_inside;
    // What reading finds: the values of a partition count up from 0.
    struct mf_kafka_reader *reader;
    size_t read[PARTITIONS], wrong;
    bool done;
};

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct setup *setup = arg;
    assert_false(setup->inside_produce);
    setup->reports++;
    assert_non_null(delivery->error); // nothing else is told
    setup->failed++;
    setup->error = *delivery->error;
    setup->last_opaque = delivery->opaque;
    if (setup->free_inside)
        mf_kafka_producer_free(&setup->producer);
}

static void on_pressure(void *arg, bool high)
{
    struct setup *setup = arg;
    assert_false(setup->inside_produce);
    *(high ? &setup->pressure_up : &setup->pressure_down) += 1;
}

static void on_progress(void *arg)
{
    struct setup *setup = arg;
    assert_false(setup->inside_produce);
    setup->progress++;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct setup *setup = arg;
    setup->error = *err;
}

static struct setup *setup_new(const char *transactional_id, const char *const *settings)
{
    struct setup *setup = mf_calloc(1, sizeof *setup);
    setup->world = kafka_world_new(1, settings);
    for (size_t i = 0; i < TOPICS; i++)
        kafka_mock_topic(setup->world, topic_names[i], PARTITIONS);
    struct mf_kafka_producer_ops ops = {.bulk = true,
                                        .on_delivery = on_delivery,
                                        .on_pressure = on_pressure,
                                        .on_progress = on_progress,
                                        .on_fatal = on_fatal,
                                        .arg = setup};
    struct mf_error err;
    if (mf_kafka_producer_new(&setup->world->kafka, transactional_id, &ops, &setup->producer, &err) < 0 ||
        (transactional_id != NULL && mf_kafka_txn_init(setup->producer, WAIT_MS, &err) < 0))
        fail_msg("%s", err.message);
    return setup;
}

static void setup_free(struct setup *setup)
{
    mf_kafka_reader_free(&setup->reader);
    mf_kafka_producer_free(&setup->producer);
    kafka_world_free(&setup->world);
    free(setup);
}

static int produce(struct setup *setup, const struct mf_kafka_record *record, struct mf_error *err)
{
    setup->inside_produce = true;
    int result = mf_kafka_produce(setup->producer, record, (void *)(uintptr_t)record, err);
    setup->inside_produce = false;
    return result;
}

// The number as text, and so many bytes more.
static int produce_number(struct setup *setup, const char *topic, int32_t partition, size_t number,
                          size_t padding, bool header, struct mf_error *err)
{
    static char value[LARGE + 32];
    int len = snprintf(value, 32, "%zu ", number);
    memset(value + len, 'x', padding);
    struct mf_kafka_header headers[] = {{"revision", MF_STR("1")}};
    struct mf_kafka_record record = {.topic = topic,
                                     .partition = partition,
                                     .key = MF_STR("key"),
                                     .value = {value, (size_t)len + padding},
                                     .headers = headers,
                                     .header_count = header ? 1 : 0};
    return produce(setup, &record, err);
}

static bool all_acknowledged(void *arg)
{
    struct setup *setup = arg;
    return mf_kafka_producer_outstanding(setup->producer) == 0;
}

// ---------------------------------------------------------------- reading back

static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct setup *setup = arg;
    struct mf_str number = message->value;
    number.len = strcspn(number.data, " ");
    int64_t value;
    setup->wrong += !mf_str_to_i64(number, &value) || (size_t)value != setup->read[message->partition] ||
                    message->key.len != 3;
    setup->read[message->partition]++;
}

static void on_done(void *arg)
{
    struct setup *setup = arg;
    setup->done = true;
}

static void on_reader_error(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static bool reader_done(void *arg)
{
    struct setup *setup = arg;
    return setup->done;
}

static void read_topic(struct setup *setup, const char *topic)
{
    struct mf_kafka_reader_ops ops = {
        .on_message = on_message, .on_done = on_done, .on_error = on_reader_error, .arg = setup};
    struct mf_error err;
    memset(setup->read, 0, sizeof setup->read);
    setup->done = false;
    setup->wrong = 0;
    assert_int_equal(mf_kafka_reader_new(&setup->world->kafka, topic, WAIT_MS, &ops, &setup->reader, &err),
                     0);
    assert_true(kafka_world_run(setup->world, reader_done, setup, WAIT_MS));
    mf_kafka_reader_free(&setup->reader);
}

// ---------------------------------------------------------------- tests

static void the_order_of_a_partition_stays(void **state)
{
    (void)state;
    enum { EACH = 3000 };
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    // Gathered ones between such with headers and large ones, which go by themselves.
    for (size_t i = 0; i < EACH; i++) {
        for (size_t t = 0; t < TOPICS; t++)
            for (int32_t p = 0; p < PARTITIONS; p++)
                assert_int_equal(produce_number(setup, topic_names[t], p, i, i % 500 == 499 ? LARGE : i % 90,
                                                i % 11 == 5, &err),
                                 0);
    }
    assert_true(mf_kafka_producer_outstanding(setup->producer) > 0);
    mf_kafka_producer_send(setup->producer);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    for (size_t t = 0; t < TOPICS; t++) {
        read_topic(setup, topic_names[t]);
        assert_int_equal(setup->wrong, 0);
        for (int32_t p = 0; p < PARTITIONS; p++)
            assert_int_equal(setup->read[p], EACH);
    }
    assert_int_equal(setup->reports, 0);
    setup_free(setup);
}

static bool is_counted(void *arg)
{
    struct setup *setup = arg;
    const char *const ok[] = {"a", "ok"};
    return kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, ok) > 0;
}

static void what_nobody_sends_goes_by_itself_and_is_counted(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    assert_int_equal(produce_number(setup, "a", 1, 0, 3, false, &err), 0);
    assert_int_equal(produce_number(setup, "a", 1, 1, 3, true, &err), 0);
    assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 2);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    assert_true(kafka_world_run(setup->world, is_counted, setup, WAIT_MS));
    const char *const ok[] = {"a", "ok"}, *const bad[] = {"a", "error"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, ok), 2, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_BYTES, ok), 10, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, bad), 0, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_DELIVERY_SECONDS, ok), 1, 0);
    assert_true(mf_kafka_producer_connected(setup->producer));
    setup_free(setup);
}

static void a_flush_takes_the_gathered_along(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(produce_number(setup, "b", 2, i, 100, false, &err), 0);
    assert_int_equal(mf_kafka_producer_flush(setup->producer, WAIT_MS, &err), 0);
    assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 0);
    read_topic(setup, "b");
    assert_int_equal(setup->read[2], 500);
    setup_free(setup);
}

static bool has_failed(void *arg)
{
    struct setup *setup = arg;
    return setup->failed > 0;
}

static void a_failure_is_told_with_its_opaque(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    kafka_mock_fail(setup->world, KAFKA_MOCK_PRODUCE, kafka_code("TOPIC_AUTHORIZATION_FAILED"), 1);
    struct mf_kafka_record record = {.topic = "a", .partition = 0, .value = MF_STR("v")};
    assert_int_equal(produce(setup, &record, &err), 0);
    mf_kafka_producer_send(setup->producer);
    assert_true(kafka_world_run(setup->world, has_failed, setup, WAIT_MS));
    assert_int_equal(setup->failed, 1);
    assert_ptr_equal(setup->last_opaque, &record);
    assert_int_equal(setup->error.class, MF_ERROR_CONFIG);
    assert_int_equal(mf_kafka_producer_failed(setup->producer), 1);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    kafka_world_pass(setup->world, 20);
    const char *const ok[] = {"a", "ok"}, *const bad[] = {"a", "error"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, bad), 1, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, ok), 0, 0);
    setup_free(setup);
}

static void what_is_refused_is_told_like_a_failure(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    struct mf_kafka_record record = {.topic = "a", .partition = PARTITIONS, .value = MF_STR("v")};
    assert_int_equal(produce(setup, &record, &err), 0);
    assert_int_equal(produce(setup, &record, &err), 0);
    mf_kafka_producer_send(setup->producer);
    assert_int_equal(setup->failed, 0); // told from the loop
    assert_int_equal(setup->producer->gather.held, 0);
    assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 2);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    assert_int_equal(setup->failed, 2);
    assert_string_equal(setup->error.code, "unknown_partition");
    assert_int_equal(setup->error.class, MF_ERROR_TRANSIENT);
    // The owner may free the producer when it hears of one.
    assert_int_equal(produce(setup, &record, &err), 0);
    assert_int_equal(produce(setup, &record, &err), 0);
    setup->free_inside = true;
    mf_kafka_producer_send(setup->producer);
    kafka_world_pass(setup->world, 50);
    assert_null(setup->producer);
    assert_int_equal(setup->failed, 3);
    setup_free(setup);
}

static bool failed_twice(void *arg)
{
    struct setup *setup = arg;
    return setup->failed == 2;
}

// librdkafka takes records for a partition that it has not heard about yet, and finds out later.
static void a_partition_that_turns_out_to_be_missing_does_not_block(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    struct mf_kafka_record record = {.topic = "a", .partition = PARTITIONS + 4, .value = MF_STR("v")};
    for (size_t round = 0; round < 2; round++) {
        assert_int_equal(produce(setup, &record, &err), 0);
        mf_kafka_producer_send(setup->producer);
        assert_true(kafka_world_run(setup->world, round == 0 ? has_failed : failed_twice, setup, WAIT_MS));
        assert_string_equal(setup->error.code, "unknown_partition");
    }
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    assert_int_equal(setup->producer->gather.on_its_way, 0);
    record.partition = 1000000;
    assert_int_equal(produce(setup, &record, &err), -1);
    assert_string_equal(err.code, "unknown_partition");
    static char large[1000001];
    record = (struct mf_kafka_record){.topic = "a", .value = {large, sizeof large}};
    assert_int_equal(produce(setup, &record, &err), -1);
    assert_string_equal(err.code, "record_too_large");
    setup_free(setup);
}

static bool pressure_is_over(void *arg)
{
    struct setup *setup = arg;
    return setup->pressure_down > 0;
}

static void a_full_queue_stops_the_intake_and_loses_nothing(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_QUEUE_MESSAGES=1000", "KAFKA_MESSAGE_TIMEOUT_MS=60000", NULL};
    struct setup *setup = setup_new(NULL, settings);
    struct mf_error err;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    kafka_mock_all_down(setup->world, true);
    // The queue takes 1 000, and as much as can be gathered waits before it.
    size_t taken = 0;
    while (produce_number(setup, "a", 1, taken, 50, false, &err) == 0)
        taken++;
    assert_string_equal(err.code, "queue_full");
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_true(taken > 1000);
    assert_true(mf_kafka_producer_pressure(setup->producer));
    assert_in_range(mf_kafka_producer_outstanding(setup->producer), taken, taken + 10); // and some events
    // One with headers must not overtake.
    assert_int_equal(produce_number(setup, "a", 1, taken, 50, true, &err), -1);
    assert_string_equal(err.code, "queue_full");
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, pressure_is_over, setup, WAIT_MS));
    assert_int_equal(setup->pressure_up, 1);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    assert_int_equal(setup->pressure_down, 1);
    assert_int_equal(setup->failed, 0);
    read_topic(setup, "a");
    assert_int_equal(setup->wrong, 0);
    assert_int_equal(setup->read[1], taken);
    setup_free(setup);
}

// The block that a full queue has taken a part of stays lent, though the rest of it is dropped.
static void what_is_dropped_of_a_block_does_not_free_the_rest(void **state)
{
    (void)state;
    enum { QUEUE = 1000, COUNT = 2000, IN_A_BLOCK = 128 };
    const char *const settings[] = {"KAFKA_QUEUE_MESSAGES=1000", NULL};
    struct setup *setup = setup_new(NULL, settings);
    struct mf_error err;
    const struct kafka_gather *gather = &setup->producer->gather;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(produce_number(setup, "a", 1, 1000 + i, 50, i % 200 == 3, &err), 0);
    mf_kafka_producer_send(setup->producer);
    assert_int_equal(gather->on_its_way, QUEUE);
    size_t each = gather->held / COUNT;
    kafka_gather_drop(setup->producer);
    size_t blocks = (QUEUE + IN_A_BLOCK - 1) / IN_A_BLOCK;
    assert_int_equal(gather->held, blocks * IN_A_BLOCK * each);
    assert_int_equal(mf_kafka_producer_flush(setup->producer, WAIT_MS, &err), 0);
    assert_int_equal(gather->held, 0);
    setup_free(setup);
}

static void bytes_press_too(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_QUEUE_BYTES=1048576", NULL};
    struct setup *setup = setup_new(NULL, settings);
    struct mf_error err;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    kafka_mock_all_down(setup->world, true);
    size_t taken = 0;
    for (; !mf_kafka_producer_pressure(setup->producer); taken++)
        assert_int_equal(produce_number(setup, "a", 0, taken, 1000, false, &err), 0);
    assert_in_range(taken * 1000, 800000, 1100000); // known when a piece is handed over
    setup_free(setup);
}

static bool not_busy(void *arg)
{
    struct setup *setup = arg;
    return setup->progress > 0 && !mf_kafka_producer_busy(setup->producer);
}

static void without_answers_it_gets_busy_and_refuses_nothing(void **state)
{
    (void)state;
    enum { EACH = 1000, COUNT = 12000 };
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    kafka_mock_all_down(setup->world, true);
    setup->progress = 0;
    size_t busy_at = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(produce_number(setup, "a", 0, i, EACH, i % 100 == 7, &err), 0);
        if (busy_at == 0 && mf_kafka_producer_busy(setup->producer))
            busy_at = i;
    }
    assert_in_range(busy_at * EACH, 2000000, 3000000);
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, not_busy, setup, WAIT_MS));
    mf_kafka_producer_send(setup->producer);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS));
    assert_false(mf_kafka_producer_busy(setup->producer));
    read_topic(setup, "a");
    assert_int_equal(setup->wrong, 0);
    assert_int_equal(setup->read[0], COUNT);
    setup_free(setup);
}

static bool something_is_on_its_way(void *arg)
{
    struct setup *setup = arg;
    return setup->producer->gather.on_its_way > 0;
}

static void a_request_waits_here_for_the_answer_to_the_one_before(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    const struct kafka_gather *gather = &setup->producer->gather;
    int32_t count;
    assert_int_equal(mf_kafka_partition_count(setup->producer, "a", WAIT_MS, &count, &err), 0);
    kafka_mock_all_down(setup->world, true);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(produce_number(setup, "a", 1, i, 1000, false, &err), 0);
    mf_kafka_producer_send(setup->producer);
    mf_kafka_producer_send(setup->producer);
    assert_true(something_is_on_its_way(setup));
    assert_in_range(gather->on_its_way * 1000, 800000, 1000000); // one request's worth
    assert_int_equal(gather->on_its_way + gather->records, COUNT);
    assert_in_range(mf_kafka_producer_outstanding(setup->producer), COUNT, COUNT + 10); // and some events
    kafka_mock_all_down(setup->world, false);
    assert_true(kafka_world_run(setup->world, all_acknowledged, setup, WAIT_MS)); // the rest by itself
    read_topic(setup, "a");
    assert_int_equal(setup->wrong, 0);
    assert_int_equal(setup->read[1], COUNT);
    setup_free(setup);
}

static bool given_back(void *arg)
{
    struct setup *setup = arg;
    return setup->producer->gather.spare == NULL;
}

static void idle_it_keeps_no_memory(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(produce_number(setup, "a", 1, i, 1000, false, &err), 0);
    assert_int_equal(mf_kafka_producer_flush(setup->producer, WAIT_MS, &err), 0);
    assert_non_null(setup->producer->gather.spare);
    assert_int_equal(setup->producer->gather.held, 0);
    assert_true(kafka_world_run(setup->world, given_back, setup, WAIT_MS));
    setup_free(setup);
}

static void a_transaction_is_complete_when_it_is_committed(void **state)
{
    (void)state;
    struct setup *setup = setup_new("tests", NULL);
    struct mf_error err;
    for (size_t round = 0; round < 3; round++) {
        assert_int_equal(mf_kafka_txn_begin(setup->producer, &err), 0);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(produce_number(setup, "a", 0, round * 100 + i, 10, i == 50, &err), 0);
        assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), 0);
        assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 0);
        const char *const ok[] = {"a", "ok"};
        assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PRODUCED_MESSAGES, ok),
                           (double)(round + 1) * 100, 0);
    }
    read_topic(setup, "a");
    assert_int_equal(setup->wrong, 0);
    assert_int_equal(setup->read[0], 300);
    setup_free(setup);
}

static void an_abort_drops_what_was_gathered(void **state)
{
    (void)state;
    struct setup *setup = setup_new("tests", NULL);
    struct mf_error err;
    assert_int_equal(mf_kafka_txn_begin(setup->producer, &err), 0);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(produce_number(setup, "a", 0, 77, 10, false, &err), 0);
    assert_int_equal(mf_kafka_txn_abort(setup->producer, &err), 0);
    assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 0);
    // Not even the mock, which knows no isolation, has got them.
    assert_int_equal(mf_kafka_txn_begin(setup->producer, &err), 0);
    assert_int_equal(produce_number(setup, "a", 0, 0, 10, false, &err), 0);
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), 0);
    read_topic(setup, "a");
    assert_int_equal(setup->wrong, 0);
    assert_int_equal(setup->read[0], 1);
    setup_free(setup);
}

static void freeing_drops_what_was_gathered(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL, NULL);
    struct mf_error err;
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(produce_number(setup, "a", (int32_t)(i % PARTITIONS), i, 10, false, &err), 0);
    mf_kafka_producer_free(&setup->producer);
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->reports, 0);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_a_partition_stays),
        cmocka_unit_test(what_nobody_sends_goes_by_itself_and_is_counted),
        cmocka_unit_test(a_flush_takes_the_gathered_along),
        cmocka_unit_test(a_failure_is_told_with_its_opaque),
        cmocka_unit_test(what_is_refused_is_told_like_a_failure),
        cmocka_unit_test(a_partition_that_turns_out_to_be_missing_does_not_block),
        cmocka_unit_test(a_full_queue_stops_the_intake_and_loses_nothing),
        cmocka_unit_test(what_is_dropped_of_a_block_does_not_free_the_rest),
        cmocka_unit_test(bytes_press_too),
        cmocka_unit_test(without_answers_it_gets_busy_and_refuses_nothing),
        cmocka_unit_test(a_request_waits_here_for_the_answer_to_the_one_before),
        cmocka_unit_test(idle_it_keeps_no_memory),
        cmocka_unit_test(a_transaction_is_complete_when_it_is_committed),
        cmocka_unit_test(an_abort_drops_what_was_gathered),
        cmocka_unit_test(freeing_drops_what_was_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
