// SPDX-License-Identifier: Apache-2.0
// The engine on librdkafka's mock cluster: what is told while it waits in the middle of a record.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/service_internal.h"
#include "services/processor/engine_private.h"
#include "tests/unit/kafka_mock.h"

#define PARTITIONS 2
#define QUEUE_BYTES 1048576 // the least there is
#define VALUE_BYTES 100000
#define LATE_MS 300 // the queue is full long before

struct fixture {
    struct kafka_world *world;
    struct mf_settings *settings;
    struct mf_service service;
    struct prc_engine *engine;
};

static struct mf_settings *all_settings(const struct kafka_world *world)
{
    const struct mf_setting_table tables[] = {mf_settings_table_log, mf_settings_table_service,
                                              mf_settings_table_kafka, prc_settings_table,
                                              prc_settings_table_alerts};
    char servers[512], queue[64], partitions[64];
    char *env[] = {servers,
                   queue,
                   partitions,
                   (char[]){"KAFKA_INSTANCE_ID=tests"},
                   (char[]){"KAFKA_SESSION_TIMEOUT_MS=6000"},
                   (char[]){"KAFKA_TRANSACTION_TIMEOUT_MS=4000"},
                   (char[]){"KAFKA_MAX_POLL_INTERVAL_MS=12000"},
                   NULL};
    (void)snprintf(servers, sizeof servers, "KAFKA_BOOTSTRAP_SERVERS=%s",
                   mf_settings_string(world->settings, "KAFKA_BOOTSTRAP_SERVERS"));
    (void)snprintf(queue, sizeof queue, "KAFKA_QUEUE_BYTES=%d", QUEUE_BYTES);
    (void)snprintf(partitions, sizeof partitions, "KAFKA_PARTITIONS=%d", PARTITIONS);
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 8192);
    if (mf_settings_parse(tables, MF_ARRAY_LEN(tables), env, NULL, &settings, &problems, &err) < 0)
        fail_msg("%s", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    return settings;
}

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    struct mf_error err;
    f->world = kafka_world_new(1, NULL);
    f->settings = all_settings(f->world);
    for (int role = 0; role < MF_TOPIC_MAX; role++)
        kafka_mock_topic(f->world, mf_topics[role].default_name, PARTITIONS);
    f->service = (struct mf_service){.loop = f->world->loop,
                                     .log = f->world->log,
                                     .metrics = f->world->metrics,
                                     .settings = f->settings,
                                     .name = "processor",
                                     .instance = "tests"};
    assert_int_equal(prc_engine_new(&f->service, &f->engine, &err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    prc_engine_free(&f->engine);
    kafka_world_free(&f->world);
    mf_settings_free(&f->settings);
    free(f);
    return 0;
}

static bool is_idle(void *arg)
{
    const struct prc_engine *engine = arg;
    return engine->state == PRC_ENGINE_IDLE && engine->assigned_count == (size_t)2 * PARTITIONS;
}

static bool has_begun_anew(void *arg)
{
    const struct prc_engine *engine = arg;
    return is_idle(arg) && engine->fence.forgiven == 1 && engine->assigned[0].state != NULL;
}

// One record causes more than the queue holds, and the wait for room brings the news that the producer is
// fenced: the state that the record is being folded into stays until the record is done, then goes.
static void test_a_fence_while_a_full_queue_is_emptied(void **state)
{
    struct fixture *f = *state;
    struct prc_engine *engine = f->engine;
    assert_true(kafka_world_run(f->world, is_idle, engine, 30000));
    assert_true(engine->fence.worked); // with the first assignment
    prc_engine_trouble(engine);        // the cluster was away a moment ago: the fence is of our own doing
    assert_int_equal(prc_engine_begin(engine), 0);
    struct prc_assigned *assigned = &engine->assigned[0];
    const struct prc_partition *folded_into = assigned->state;
    assigned->in_txn = true;
    engine->txn_records = 1;
    engine->fold_partition = assigned->number;
    kafka_mock_fail_late(f->world, KAFKA_MOCK_ADD_PARTITIONS, kafka_code("INVALID_PRODUCER_EPOCH"), LATE_MS);
    char *value = mf_calloc(1, VALUE_BYTES);
    const struct prc_output output = {
        .role = MF_TOPIC_ALERTS, .key = MF_STR("AAPL"), .value = {value, VALUE_BYTES}};
    for (int i = 0; i < 1000 && !engine->txn_failed; i++)
        prc_engine_emit(engine, &output);
    free(value);
    assert_true(engine->full_us > 0); // it has waited
    assert_true(engine->txn_failed);
    assert_string_equal(engine->txn_error.code, "fenced");
    assert_int_equal(engine->state, PRC_ENGINE_OPEN);
    assert_ptr_equal(assigned->state, folded_into);
    assert_non_null(folded_into);
    // The record is done: what it did is given up, and all begins anew.
    prc_engine_begin_flush(engine);
    assert_true(kafka_world_run(f->world, has_begun_anew, engine, 30000));
}

// A session that ran out while the cluster was away: what it does late to us is our own doing.
static void test_a_lost_session_is_trouble(void **state)
{
    struct fixture *f = *state;
    struct prc_engine *engine = f->engine;
    assert_true(kafka_world_run(f->world, is_idle, engine, 30000));
    assert_int_equal(engine->fence.trouble_us, 0);
    engine->fence.forgiven = 3;
    prc_engine_consumer_ops(engine).on_revoke(engine, true);
    assert_true(engine->fence.trouble_us > 0);
    assert_int_equal(engine->fence.forgiven, 0);
}

// The service, as far as mf_service_fail needs it.
static void ignore(void *arg)
{
    (void)arg;
}

static const char *why_out_of_range(struct fixture *f, int64_t low, int64_t high)
{
    static char reason[64];
    struct mf_service_private private = {.leave = mf_deferred_new(f->world->loop, ignore, NULL)};
    const struct prc_assigned *assigned = &f->engine->assigned[0];
    f->service.private = &private;
    int64_t chosen = prc_engine_consumer_ops(f->engine).on_out_of_range(f->engine, assigned->topic,
                                                                        assigned->number, low, high);
    f->service.private = NULL;
    mf_deferred_free(&private.leave);
    assert_true(chosen == (private.leaving ? -1 : low));
    (void)snprintf(reason, sizeof reason, "%s", private.reason);
    return reason;
}

// Nothing has come since the start, so the consumer's own position says nothing.
static void test_the_groups_offset_beyond_the_log_is_a_lost_end(void **state)
{
    struct fixture *f = *state;
    struct prc_engine *engine = f->engine;
    assert_true(kafka_world_run(f->world, is_idle, engine, 30000));
    struct prc_assigned *assigned = &engine->assigned[0];
    assert_int_equal(mf_kafka_consumer_position(engine->consumer, assigned->topic, assigned->number), -1);
    assigned->next = 10;
    for (int accepts = 0; accepts < 2; accepts++) {
        engine->reset_earliest = accepts == 1;
        assert_string_equal(why_out_of_range(f, 0, 9), "input_lost");
        assert_string_equal(why_out_of_range(f, 11, 20), accepts == 1 ? "" : "offset_out_of_range");
    }
    assigned->next = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_fence_while_a_full_queue_is_emptied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_session_is_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_groups_offset_beyond_the_log_is_a_lost_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
