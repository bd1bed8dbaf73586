// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_consumer.h"
#include "common/kafka_producer.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 20000
#define TXN_ID "marketflow-tests.tests"

struct setup {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    struct mf_kafka_consumer *consumer;
    size_t delivered, failed;
    unsigned fatal;
    struct mf_error error;
    bool free_inside, stop_at_first;
};

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct setup *setup = arg;
    if (delivery->error != NULL)
        setup->failed++;
    else
        setup->delivered++;
    if (setup->stop_at_first)
        mf_loop_stop(setup->world->loop); // after this turn
    setup->stop_at_first = false;
    if (setup->free_inside)
        mf_kafka_producer_free(&setup->producer);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct setup *setup = arg;
    setup->fatal++;
    setup->error = *err;
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    (void)arg;
    (void)message;
    return MF_CONSUME_NEXT;
}

static void make_producer(struct setup *setup)
{
    struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal, .arg = setup};
    struct mf_error err;
    mf_kafka_producer_free(&setup->producer);
    if (mf_kafka_producer_new(&setup->world->kafka, TXN_ID, &ops, &setup->producer, &err) < 0 ||
        mf_kafka_txn_init(setup->producer, WAIT_MS, &err) < 0)
        fail_msg("%s", err.message);
}

static bool joined(void *arg)
{
    struct setup *setup = arg;
    return mf_kafka_consumer_joined(setup->consumer);
}

static void join(struct setup *setup)
{
    static const char *const topics[] = {"in", NULL};
    struct mf_kafka_consumer_config config = {
        .group = "g", .topics = topics, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message, .on_fatal = on_fatal, .arg = setup};
    struct mf_error err;
    assert_int_equal(mf_kafka_consumer_new(&setup->world->kafka, &config, &ops, &setup->consumer, &err), 0);
    assert_true(kafka_world_run(setup->world, joined, setup, WAIT_MS));
}

static struct setup *setup_new(const char *const *settings)
{
    struct setup *setup = mf_calloc(1, sizeof *setup);
    setup->world = kafka_world_new(1, settings);
    kafka_mock_topic(setup->world, "in", 2);
    kafka_mock_topic(setup->world, "out", 2);
    make_producer(setup);
    return setup;
}

static void setup_free(struct setup *setup)
{
    mf_kafka_consumer_free(&setup->consumer);
    mf_kafka_producer_free(&setup->producer);
    kafka_world_free(&setup->world);
    free(setup);
}

static void produce(struct setup *setup, size_t count)
{
    struct mf_kafka_record record = {.topic = "out", .partition = 1, .value = MF_STR("value")};
    struct mf_error err;
    for (size_t i = 0; i < count; i++) {
        if (mf_kafka_produce(setup->producer, &record, NULL, &err) < 0)
            fail_msg("%s", err.message);
    }
}

static bool flushed(void *arg)
{
    struct setup *setup = arg;
    return mf_kafka_producer_outstanding(setup->producer) == 0;
}

static void must(int result, const struct mf_error *err)
{
    if (result < 0)
        fail_msg("%s: %s", err->code, err->message);
}

static double commits(struct setup *setup, const char *result)
{
    const char *const labels[] = {result};
    return kafka_world_metric(setup->world, MF_M_KAFKA_COMMITS, labels);
}

static void begin_produce_flush_send_commit(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    join(setup);
    for (int round = 1; round <= 3; round++) {
        must(mf_kafka_txn_begin(setup->producer, &err), &err);
        produce(setup, 1000);
        assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
        struct mf_kafka_offset offsets[] = {{"in", 0, 10 * round}, {"in", 1, 20 * round}};
        must(mf_kafka_txn_send_offsets(setup->producer, setup->consumer, offsets, 2, &err), &err);
        must(mf_kafka_txn_commit(setup->producer, &err), &err);
        assert_int_equal(setup->delivered, 1000 * round);
        assert_float_equal(commits(setup, "ok"), round, 0);
    }
    assert_int_equal(setup->failed, 0);
    assert_int_equal(setup->fatal, 0);
    // The offsets of an empty transaction: everything was filtered.
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    struct mf_kafka_offset offset = {"in", 0, 1000};
    must(mf_kafka_txn_send_offsets(setup->producer, setup->consumer, &offset, 1, &err), &err);
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    setup_free(setup);
}

static void an_abort_purges_and_the_next_transaction_is_clean(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 5000);
    must(mf_kafka_txn_abort(setup->producer, &err), &err);
    // Every record is reported, from inside the abort: those on their way as delivered, the others as purged.
    assert_int_equal(setup->delivered + setup->failed, 5000);
    assert_int_equal(mf_kafka_producer_outstanding(setup->producer), 0);
    assert_int_equal(mf_kafka_producer_failed(setup->producer), setup->failed);
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    assert_int_equal(mf_kafka_producer_failed(setup->producer), 0);
    size_t before = setup->delivered;
    produce(setup, 10);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    assert_int_equal(setup->delivered, before + 10);
    assert_int_equal(setup->fatal, 0);
    setup_free(setup);
}

// The turn's budget cuts a batch of reports; commit and abort must not wait for what we hold.
static void a_batch_half_served_does_not_hold_up_the_end(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    for (int round = 0; round < 2; round++) {
        must(mf_kafka_txn_begin(setup->producer, &err), &err);
        produce(setup, 5000);
        setup->delivered = setup->failed = 0;
        setup->stop_at_first = true;
        kafka_world_pass(setup->world, WAIT_MS);
        assert_in_range(setup->delivered, 1, 4999);
        if (round == 0)
            must(mf_kafka_txn_commit(setup->producer, &err), &err);
        else
            must(mf_kafka_txn_abort(setup->producer, &err), &err);
        assert_int_equal(setup->delivered + setup->failed, 5000);
    }
    // And the last report of a batch lets go of it.
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, KAFKA_TURN_EVENTS - 1);
    must(mf_kafka_producer_flush(setup->producer, WAIT_MS, &err), &err);
    assert_null(setup->producer->reports);
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    setup_free(setup);
}

static void producing_outside_of_a_transaction_is_refused(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    struct mf_kafka_record record = {.topic = "out", .partition = 0, .value = MF_STR("value")};
    assert_int_equal(mf_kafka_produce(setup->producer, &record, NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    assert_int_equal(mf_kafka_txn_begin(setup->producer, &err), -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    setup_free(setup);
}

static void init_times_out_and_goes_on_in_the_background(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    struct mf_kafka_producer_ops ops = {.on_fatal = on_fatal, .arg = setup};
    mf_kafka_producer_free(&setup->producer);
    kafka_mock_delay(setup->world, KAFKA_MOCK_INIT_PRODUCER_ID, 400);
    must(mf_kafka_producer_new(&setup->world->kafka, TXN_ID, &ops, &setup->producer, &err), &err);
    assert_int_equal(mf_kafka_txn_init(setup->producer, 30, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "timeout");
    must(mf_kafka_txn_init(setup->producer, WAIT_MS, &err), &err);
    setup_free(setup);
}

static void a_commit_whose_answer_does_not_come_is_uncertain_and_bounded(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_TRANSACTION_TIMEOUT_MS=1000", NULL};
    struct setup *setup = setup_new(settings);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 10);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    kafka_mock_all_down(setup->world, true);
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), -1);
    assert_int_equal(err.class, MF_ERROR_UNCERTAIN);
    assert_string_equal(err.code, "outcome_unknown");
    assert_float_equal(commits(setup, "error"), 1, 0);
    kafka_mock_all_down(setup->world, false);
    make_producer(setup); // what the contract asks for
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 1);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    setup_free(setup);
}

static void a_moving_coordinator_is_waited_for(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 10);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    kafka_mock_fail(setup->world, KAFKA_MOCK_END_TXN, kafka_code("COORDINATOR_LOAD_IN_PROGRESS"), 3);
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    setup_free(setup);
}

static void a_stale_generation_is_aborted_and_not_fatal(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    struct mf_kafka_offset offset = {"in", 0, 10};
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    // Before the first assignment there is no generation to be fenced by.
    static const char *const topics[] = {"in", NULL};
    struct mf_kafka_consumer_config config = {.group = "g", .topics = topics, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message, .on_fatal = on_fatal, .arg = setup};
    must(mf_kafka_consumer_new(&setup->world->kafka, &config, &ops, &setup->consumer, &err), &err);
    assert_int_equal(mf_kafka_txn_send_offsets(setup->producer, setup->consumer, &offset, 1, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "stale_generation");
    assert_true(kafka_world_run(setup->world, joined, setup, WAIT_MS));

    kafka_mock_fail(setup->world, KAFKA_MOCK_TXN_OFFSET_COMMIT, kafka_code("ILLEGAL_GENERATION"), 1);
    assert_int_equal(mf_kafka_txn_send_offsets(setup->producer, setup->consumer, &offset, 1, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "stale_generation");
    must(mf_kafka_txn_abort(setup->producer, &err), &err);
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    must(mf_kafka_txn_send_offsets(setup->producer, setup->consumer, &offset, 1, &err), &err);
    must(mf_kafka_txn_commit(setup->producer, &err), &err);
    assert_int_equal(setup->fatal, 0);
    setup_free(setup);
}

static void a_failed_record_asks_for_an_abort(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    kafka_mock_fail(setup->world, KAFKA_MOCK_PRODUCE, kafka_code("MSG_SIZE_TOO_LARGE"), 1);
    produce(setup, 1);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    assert_int_equal(setup->failed, 1);
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "txn_abort");
    must(mf_kafka_txn_abort(setup->producer, &err), &err);
    setup_free(setup);
}

static void a_right_that_is_missing_is_a_matter_of_configuration(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    kafka_mock_fail(setup->world, KAFKA_MOCK_PRODUCE, kafka_code("TOPIC_AUTHORIZATION_FAILED"), 1);
    produce(setup, 1);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "not_authorized");
    must(mf_kafka_txn_abort(setup->producer, &err), &err);
    setup_free(setup);
}

static bool has_fatal(void *arg)
{
    struct setup *setup = arg;
    return setup->fatal > 0;
}

static void a_fence_names_the_transactional_id_in_the_call_and_in_the_callback(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 1);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    kafka_mock_fail(setup->world, KAFKA_MOCK_END_TXN, kafka_code("INVALID_PRODUCER_EPOCH"), 1);
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    assert_string_equal(err.code, "fenced");
    assert_non_null(strstr(err.message, TXN_ID));
    // The handle tells it too, once.
    assert_true(kafka_world_run(setup->world, has_fatal, setup, WAIT_MS));
    assert_int_equal(setup->error.class, MF_ERROR_FATAL);
    assert_string_equal(setup->error.code, "fenced");
    assert_non_null(strstr(setup->error.message, TXN_ID));
    const char *const labels[] = {"fenced"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_FATAL_ERRORS, labels), 1, 0);
    struct mf_kafka_record record = {.topic = "out", .partition = 0, .value = MF_STR("value")};
    assert_int_equal(mf_kafka_produce(setup->producer, &record, NULL, &err), -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    kafka_world_pass(setup->world, 1500); // past the fallback timer
    assert_int_equal(setup->fatal, 1);
    setup_free(setup);
}

static void a_fence_after_the_transactions_time_is_the_clusters_doing(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_TRANSACTION_TIMEOUT_MS=1000", NULL};
    struct setup *setup = setup_new(settings);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 1);
    assert_true(kafka_world_run(setup->world, flushed, setup, WAIT_MS));
    kafka_world_pass(setup->world, 1100);
    kafka_mock_fail(setup->world, KAFKA_MOCK_END_TXN, kafka_code("INVALID_PRODUCER_EPOCH"), 1);
    assert_int_equal(mf_kafka_txn_commit(setup->producer, &err), -1);
    // For a commit the outcome has to be looked up all the same.
    assert_int_equal(err.class, MF_ERROR_UNCERTAIN);
    assert_string_equal(err.code, "outcome_unknown");
    assert_true(kafka_world_run(setup->world, has_fatal, setup, WAIT_MS));
    assert_string_equal(setup->error.code, "transaction_expired");
    make_producer(setup);
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    setup_free(setup);
}

static void a_producer_may_be_freed_inside_an_abort(void **state)
{
    (void)state;
    struct setup *setup = setup_new(NULL);
    struct mf_error err;
    must(mf_kafka_txn_begin(setup->producer, &err), &err);
    produce(setup, 100);
    setup->free_inside = true;
    struct mf_kafka_producer *producer = setup->producer;
    mf_kafka_txn_abort(producer, &err);
    assert_null(setup->producer);
    assert_int_equal(setup->delivered + setup->failed, 1);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_produce_flush_send_commit),
        cmocka_unit_test(an_abort_purges_and_the_next_transaction_is_clean),
        cmocka_unit_test(a_batch_half_served_does_not_hold_up_the_end),
        cmocka_unit_test(producing_outside_of_a_transaction_is_refused),
        cmocka_unit_test(init_times_out_and_goes_on_in_the_background),
        cmocka_unit_test(a_commit_whose_answer_does_not_come_is_uncertain_and_bounded),
        cmocka_unit_test(a_moving_coordinator_is_waited_for),
        cmocka_unit_test(a_stale_generation_is_aborted_and_not_fatal),
        cmocka_unit_test(a_failed_record_asks_for_an_abort),
        cmocka_unit_test(a_right_that_is_missing_is_a_matter_of_configuration),
        cmocka_unit_test(a_fence_names_the_transactional_id_in_the_call_and_in_the_callback),
        cmocka_unit_test(a_fence_after_the_transactions_time_is_the_clusters_doing),
        cmocka_unit_test(a_producer_may_be_freed_inside_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
