// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/kafka_producer.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 20000

// What a test's producer told.
struct heard {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    size_t delivered, failed;
    size_t wanted; // for heard_all
    int64_t next_offset[64];
    int32_t last_partition;
    size_t in_order;
    uintptr_t next_opaque; // reports of one partition come in the order of producing
    unsigned pressure_up, pressure_down;
    struct mf_error error;
    bool inside_produce;
    bool free_inside;
    size_t most_in_a_turn, in_this_turn;
};

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct heard *heard = arg;
    assert_false(heard->inside_produce);
    heard->in_this_turn++;
    if (delivery->error != NULL) {
        heard->failed++;
        heard->error = *delivery->error;
        assert_int_equal(delivery->offset, -1);
    } else {
        heard->delivered++;
        heard->last_partition = delivery->partition;
        if (delivery->partition < 64) {
            heard->in_order += delivery->offset == heard->next_offset[delivery->partition];
            heard->next_offset[delivery->partition] = delivery->offset + 1;
        }
    }
    if (delivery->opaque != NULL) {
        assert_int_equal((uintptr_t)delivery->opaque, heard->next_opaque);
        heard->next_opaque++;
    }
    if (heard->free_inside)
        mf_kafka_producer_free(&heard->producer);
}

static void on_pressure(void *arg, bool high)
{
    struct heard *heard = arg;
    assert_false(heard->inside_produce);
    if (high)
        heard->pressure_up++;
    else
        heard->pressure_down++;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct heard *heard = arg;
    heard->error = *err;
}

static void on_turn(int64_t duration_us, void *arg)
{
    (void)duration_us;
    struct heard *heard = arg;
    if (heard->in_this_turn > heard->most_in_a_turn)
        heard->most_in_a_turn = heard->in_this_turn;
    heard->in_this_turn = 0;
}

static struct heard *heard_new(const char *const *settings)
{
    struct heard *heard = mf_calloc(1, sizeof *heard);
    heard->world = kafka_world_new(1, settings);
    heard->next_opaque = 1;
    struct mf_kafka_producer_ops ops = {
        .on_delivery = on_delivery, .on_pressure = on_pressure, .on_fatal = on_fatal, .arg = heard};
    struct mf_error err;
    int result = mf_kafka_producer_new(&heard->world->kafka, NULL, &ops, &heard->producer, &err);
    if (result < 0)
        fail_msg("%s", err.message);
    return heard;
}

static void heard_free(struct heard *heard)
{
    mf_kafka_producer_free(&heard->producer);
    kafka_world_free(&heard->world);
    free(heard);
}

static bool heard_all(void *arg)
{
    struct heard *heard = arg;
    return heard->delivered + heard->failed >= heard->wanted;
}

static int produce(struct heard *heard, const char *topic, int32_t partition, const char *key,
                   const char *value, void *opaque, struct mf_error *err)
{
    struct mf_kafka_record record = {
        .topic = topic, .partition = partition, .key = mf_str_of(key), .value = mf_str_of(value)};
    heard->inside_produce = true;
    int result = mf_kafka_produce(heard->producer, &record, opaque, err);
    heard->inside_produce = false;
    return result;
}

static void must_produce(struct heard *heard, const char *topic, int32_t partition, const char *key,
                         const char *value, void *opaque)
{
    struct mf_error err;
    if (produce(heard, topic, partition, key, value, opaque, &err) < 0)
        fail_msg("%s", err.message);
}

static void every_record_is_reported_once_and_in_order(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 1);
    mf_loop_set_turn_observer(heard->world->loop, on_turn, heard);
    for (uintptr_t i = 1; i <= COUNT; i++)
        must_produce(heard, "t", 0, "k", "some value", (void *)i);
    assert_int_equal(mf_kafka_producer_outstanding(heard->producer), COUNT);
    heard->wanted = COUNT;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_int_equal(heard->delivered, COUNT);
    assert_int_equal(heard->in_order, COUNT);
    assert_int_equal(heard->next_opaque, COUNT + 1);
    assert_int_equal(mf_kafka_producer_outstanding(heard->producer), 0);
    assert_int_equal(mf_kafka_producer_failed(heard->producer), 0);
    // A turn takes its budget, and the batches of 10 000 are cut.
    assert_true(heard->most_in_a_turn > 1);
    assert_true(heard->most_in_a_turn <= KAFKA_TURN_EVENTS);
    const char *const ok[] = {"t", "ok"}, *const bad[] = {"t", "error"};
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_PRODUCED_MESSAGES, ok), COUNT, 0);
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_PRODUCED_BYTES, ok), COUNT * 10, 0);
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_PRODUCED_MESSAGES, bad), 0, 0);
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_DELIVERY_SECONDS, ok), COUNT, 0);
    mf_loop_set_turn_observer(heard->world->loop, NULL, NULL);
    heard_free(heard);
}

static void a_key_chooses_the_partition_as_java_does(void **state)
{
    (void)state;
    static const char *const keys[] = {"AAPL", "MSFT", "X:BTCUSD", "", "polygon.bars.1m"};
    const char *const settings[] = {"KAFKA_PARTITIONS=12", NULL};
    struct heard *heard = heard_new(settings);
    kafka_mock_topic(heard->world, "market.raw", 12);
    kafka_mock_topic(heard->world, "market.ingestor.watermarks", 1);
    for (size_t i = 0; i < MF_ARRAY_LEN(keys); i++) {
        heard->wanted = heard->delivered + 1;
        must_produce(heard, "market.raw", -1, keys[i], "v", NULL);
        assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
        assert_int_equal(heard->last_partition, mf_murmur2(keys[i], strlen(keys[i])) % 12);
    }
    // A topic of one partition has nothing to choose.
    heard->wanted = heard->delivered + 1;
    must_produce(heard, "market.ingestor.watermarks", -1, "AAPL", "v", NULL);
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_int_equal(heard->last_partition, 0);
    heard_free(heard);
}

static bool pressure_is_over(void *arg)
{
    struct heard *heard = arg;
    return heard->pressure_down > 0;
}

static void the_queue_is_full_at_its_limit_and_not_before(void **state)
{
    (void)state;
    enum { LIMIT = 1000 };
    const char *const settings[] = {"KAFKA_QUEUE_MESSAGES=1000", NULL};
    struct heard *heard = heard_new(settings);
    kafka_mock_topic(heard->world, "t", 1);
    struct mf_error err;
    for (size_t i = 0; i < LIMIT; i++) {
        must_produce(heard, "t", 0, NULL, "v", NULL);
        assert_int_equal(mf_kafka_producer_pressure(heard->producer), i + 1 > LIMIT * 8 / 10);
    }
    assert_int_equal(produce(heard, "t", 0, NULL, "v", NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "queue_full");
    assert_int_equal(mf_kafka_producer_outstanding(heard->producer), LIMIT);
    assert_int_equal(heard->pressure_up, 0); // told from the loop
    heard->wanted = LIMIT;
    assert_true(kafka_world_run(heard->world, pressure_is_over, heard, WAIT_MS));
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_int_equal(heard->delivered, LIMIT);
    assert_int_equal(heard->pressure_up, 1);
    assert_int_equal(heard->pressure_down, 1);
    assert_false(mf_kafka_producer_pressure(heard->producer));
    must_produce(heard, "t", 0, NULL, "v", NULL);
    heard_free(heard);
}

static void bytes_press_too(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_QUEUE_BYTES=1048576", NULL};
    static char value[100001];
    memset(value, 'x', sizeof value - 1);
    struct heard *heard = heard_new(settings);
    kafka_mock_topic(heard->world, "t", 1);
    struct mf_error err;
    size_t taken = 0;
    while (produce(heard, "t", 0, NULL, value, NULL, &err) == 0) {
        taken++;
        assert_int_equal(mf_kafka_producer_pressure(heard->producer), taken * 100000 > 838860);
    }
    assert_string_equal(err.code, "queue_full");
    assert_int_equal(taken, 10); // 1 048 576 / 100 000
    heard->wanted = taken;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    heard_free(heard);
}

static void a_record_is_too_large_from_a_million_bytes(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 1);
    char *value = mf_calloc(1000001, 1);
    memset(value, 'x', 1000000);
    struct mf_error err;
    struct mf_kafka_record record = {.topic = "t", .partition = 0, .value = {value, 1000000 - 1}};
    // librdkafka allows for the framing of a batch.
    while (record.value.len > 0 && mf_kafka_produce(heard->producer, &record, NULL, &err) < 0 &&
           record.value.len > 999000)
        record.value.len--;
    size_t largest = record.value.len;
    assert_in_range(largest, 999000, 1000000);
    record.value.len = largest + 1;
    assert_int_equal(mf_kafka_produce(heard->producer, &record, NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_string_equal(err.code, "record_too_large");
    record.value.len = 1000001;
    assert_int_equal(mf_kafka_produce(heard->producer, &record, NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    heard->wanted = 1;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_int_equal(heard->delivered, 1);
    free(value);
    heard_free(heard);
}

static void a_partition_that_is_not_there_is_transient(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 2);
    struct mf_error err;
    int32_t count = 0;
    assert_int_equal(mf_kafka_partition_count(heard->producer, "t", WAIT_MS, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(produce(heard, "t", 2, NULL, "v", NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "unknown_partition");
    assert_int_equal(mf_kafka_producer_outstanding(heard->producer), 0);
    heard_free(heard);
}

static void failures_are_reported_with_their_class(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_MESSAGE_TIMEOUT_MS=1000", NULL};
    struct heard *heard = heard_new(settings);
    kafka_mock_topic(heard->world, "t", 1);
    must_produce(heard, "t", 0, NULL, "v", NULL);
    heard->wanted = 1;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_true(mf_kafka_producer_connected(heard->producer));
    kafka_mock_all_down(heard->world, true);
    must_produce(heard, "t", 0, NULL, "v", NULL);
    heard->wanted = 2;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_int_equal(heard->failed, 1);
    assert_int_equal(heard->error.class, MF_ERROR_UNCERTAIN);
    assert_string_equal(heard->error.code, "delivery_timeout");
    assert_int_equal(mf_kafka_producer_failed(heard->producer), 1);
    const char *const bad[] = {"t", "error"};
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_PRODUCED_MESSAGES, bad), 1, 0);
    // The loop went on, and so does the producer once the brokers are back.
    assert_false(mf_kafka_producer_connected(heard->producer));
    kafka_mock_all_down(heard->world, false);
    heard->wanted = 3;
    for (int tries = 0; tries < 20 && heard->delivered < 2; tries++) {
        must_produce(heard, "t", 0, NULL, "v", NULL);
        heard->wanted = heard->delivered + heard->failed + 1;
        assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    }
    assert_int_equal(heard->delivered, 2);
    assert_true(mf_kafka_producer_connected(heard->producer));
    heard_free(heard);
}

static void a_flush_waits_for_all_or_for_its_time(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 1);
    struct mf_error err;
    for (int i = 0; i < 3000; i++)
        must_produce(heard, "t", 0, NULL, "v", NULL);
    assert_int_equal(mf_kafka_producer_flush(heard->producer, WAIT_MS, &err), 0);
    assert_int_equal(heard->delivered, 3000); // from inside the call
    kafka_mock_delay(heard->world, KAFKA_MOCK_PRODUCE, 700);
    must_produce(heard, "t", 0, NULL, "v", NULL);
    assert_int_equal(mf_kafka_producer_flush(heard->producer, 50, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "timeout");
    assert_int_equal(mf_kafka_producer_outstanding(heard->producer), 1);
    heard->wanted = 3001;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    heard_free(heard);
}

static void a_producer_may_be_freed_inside_its_own_report(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 1);
    for (int i = 0; i < 100; i++)
        must_produce(heard, "t", 0, NULL, "v", NULL);
    heard->free_inside = true;
    heard->wanted = 1;
    assert_true(kafka_world_run(heard->world, heard_all, heard, WAIT_MS));
    assert_null(heard->producer);
    kafka_world_pass(heard->world, 20);
    assert_int_equal(heard->delivered, 1); // nothing after the free
    heard_free(heard);
}

static void freeing_drops_what_is_queued_without_reports(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_topic(heard->world, "t", 1);
    kafka_mock_all_down(heard->world, true);
    for (int i = 0; i < 1000; i++)
        must_produce(heard, "t", 0, NULL, "v", NULL);
    mf_kafka_producer_free(&heard->producer);
    kafka_world_pass(heard->world, 20);
    assert_int_equal(heard->delivered + heard->failed, 0);
    heard_free(heard);
}

static bool has_statistics(void *arg)
{
    struct heard *heard = arg;
    return kafka_world_metric(heard->world, MF_M_KAFKA_QUEUE_LIMIT, NULL) > 0;
}

static void statistics_reach_the_metrics(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_QUEUE_MESSAGES=4321", NULL};
    const char *const up[] = {"up"};
    struct heard *heard = heard_new(settings);
    kafka_mock_topic(heard->world, "t", 3);
    must_produce(heard, "t", 0, NULL, "v", NULL);
    assert_true(kafka_world_run(heard->world, has_statistics, heard, WAIT_MS));
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_QUEUE_LIMIT, NULL), 4321, 0);
    assert_true(kafka_world_metric(heard->world, MF_M_KAFKA_TX_BYTES, NULL) > 0);
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_BROKERS, up), 1, 0);
    // The count of partitions is known without asking.
    int32_t count = 0;
    assert_int_equal(mf_kafka_partition_count(heard->producer, "t", 0, &count, NULL), 0);
    assert_int_equal(count, 3);
    mf_kafka_producer_free(&heard->producer);
    assert_float_equal(kafka_world_metric(heard->world, MF_M_KAFKA_QUEUE_LIMIT, NULL), 0, 0);
    heard_free(heard);
}

static bool has_logged(void *arg)
{
    struct heard *heard = arg;
    char *log = kafka_world_log(heard->world);
    bool found =
        strstr(log, "\"event\":\"librdkafka\"") != NULL && strstr(log, "\"client\":\"producer\"") != NULL;
    free(log);
    return found;
}

static void logs_come_through_the_log(void **state)
{
    (void)state;
    struct heard *heard = heard_new(NULL);
    kafka_mock_all_down(heard->world, true);
    must_produce(heard, "t", 0, NULL, "v", NULL);
    assert_true(kafka_world_run(heard->world, has_logged, heard, WAIT_MS));
    heard_free(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_reported_once_and_in_order),
        cmocka_unit_test(a_key_chooses_the_partition_as_java_does),
        cmocka_unit_test(the_queue_is_full_at_its_limit_and_not_before),
        cmocka_unit_test(bytes_press_too),
        cmocka_unit_test(a_record_is_too_large_from_a_million_bytes),
        cmocka_unit_test(a_partition_that_is_not_there_is_transient),
        cmocka_unit_test(failures_are_reported_with_their_class),
        cmocka_unit_test(a_flush_waits_for_all_or_for_its_time),
        cmocka_unit_test(a_producer_may_be_freed_inside_its_own_report),
        cmocka_unit_test(freeing_drops_what_is_queued_without_reports),
        cmocka_unit_test(statistics_reach_the_metrics),
        cmocka_unit_test(logs_come_through_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
