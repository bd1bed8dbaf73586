// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_consumer.h"
#include "tests/unit/kafka_consumer_setup.h"

#include <cmocka.h>

static void a_seek_drops_what_was_queued(void **state)
{
    (void)state;
    enum { COUNT = 20000, SEEKS = 300 };
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, COUNT);
    setup_start(setup, true);
    uint64_t random = 20261121;
    size_t target = 0;
    for (int i = 0; i < SEEKS; i++) {
        target = setup->messages + 1 + random % 700;
        random = random * 6364136223846793005u + 1442695040888963407u;
        setup_run_until(setup, target);
        int64_t a = (int64_t)(random >> 33) % COUNT, b = (int64_t)(random >> 13) % COUNT;
        struct mf_kafka_offset offsets[] = {{"t", 0, a}, {"t", 1, b}};
        struct mf_error err;
        if (mf_kafka_consumer_seek(setup->consumer, offsets, 2, &err) < 0)
            fail_msg("%s", err.message);
        setup->next[0] = a;
        setup->next[1] = b;
        assert_int_equal(mf_kafka_consumer_position(setup->consumer, "t", 0), a);
    }
    target = setup->messages + (size_t)(COUNT - setup->next[0] + COUNT - setup->next[1]);
    setup_run_until(setup, target);
    assert_int_equal(setup->out_of_order, 0);
    kafka_world_pass(setup->world, 50);
    assert_int_equal(setup->messages, target);
    struct mf_kafka_offset foreign = {"t", 7, 0};
    struct mf_error err;
    assert_int_equal(mf_kafka_consumer_seek(setup->consumer, &foreign, 1, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "not_assigned");
    setup_free(setup);
}

static bool has_committed(void *arg)
{
    struct setup *setup = arg;
    const char *const ok[] = {"ok"};
    return kafka_world_metric(setup->world, MF_M_KAFKA_COMMITS, ok) >= 1;
}

static void a_rewind_goes_to_the_committed_offsets(void **state)
{
    (void)state;
    struct setup *setup = setup_new(2, NULL);
    struct mf_error err;
    setup_fill(setup, 2, 5000);
    setup_start(setup, true);
    setup_run_until(setup, 10000);
    struct mf_kafka_offset offset = {"t", 1, 4000};
    mf_kafka_consumer_commit_async(setup->consumer, &offset, 1);
    assert_true(kafka_world_run(setup->world, has_committed, setup, WAIT_MS));
    struct mf_kafka_offset asked[] = {{"t", 0, 7}, {"t", 1, 7}};
    assert_int_equal(mf_kafka_consumer_committed(setup->consumer, asked, 2, &err), 0);
    assert_int_equal(asked[0].offset, -1);
    assert_int_equal(asked[1].offset, 4000);
    assert_true(mf_kafka_consumer_position(setup->consumer, "t", 1) > 4000); // nothing moves by asking
    if (mf_kafka_consumer_rewind(setup->consumer, &err) < 0)
        fail_msg("%s", err.message);
    // Nothing is committed for the other one: from the earliest, as at the first start.
    setup->next[0] = 0;
    setup->next[1] = 4000;
    assert_int_equal(mf_kafka_consumer_position(setup->consumer, "t", 1), 4000);
    assert_int_equal(mf_kafka_consumer_position(setup->consumer, "t", 0), -1);
    setup_run_until(setup, 16000);
    assert_int_equal(setup->out_of_order, 0);
    setup_free(setup);
}

static void the_owner_says_where_to_start(void **state)
{
    (void)state;
    struct setup *setup = setup_new(2, NULL);
    struct mf_error err;
    setup_fill(setup, 2, 100);
    setup->start[0] = setup->next[0] = 60;
    setup->start[1] = setup->next[1] = 0;
    setup_start(setup, false);
    setup_run_until(setup, 140);
    assert_int_equal(setup->out_of_order, 0);
    // And that is where a rewind without a committed offset goes.
    assert_int_equal(mf_kafka_consumer_rewind(setup->consumer, &err), 0);
    setup->next[0] = 60;
    setup->next[1] = 0;
    setup_run_until(setup, 280);
    assert_int_equal(setup->out_of_order, 0);
    assert_int_equal(setup->fatal, 0);
    setup_free(setup);
}

static void an_absent_offset_is_fatal_unless_the_start_is_allowed(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 10);
    setup_start(setup, false);
    assert_true(kafka_world_run(setup->world, setup_has_failed, setup, WAIT_MS));
    assert_int_equal(setup->error.class, MF_ERROR_FATAL);
    assert_string_equal(setup->error.code, "no_offset");
    assert_non_null(strstr(setup->error.message, "t [0]"));
    assert_int_equal(setup->messages, 0);
    setup_free(setup);
}

static void an_offset_outside_of_the_log_is_the_owners_decision(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 1000);
    setup->start[0] = 5000;
    setup->reset_to = 900;
    setup_start(setup, false);
    setup_run_until(setup, 100);
    assert_int_equal(setup->low, 0);
    assert_int_equal(setup->high, 1000);
    assert_int_equal(setup->last.offset, 999);
    // Again, while it runs, and this time it is refused.
    setup->reset_to = -1;
    struct mf_kafka_offset offset = {"t", 0, 77777};
    struct mf_error err;
    assert_int_equal(mf_kafka_consumer_seek(setup->consumer, &offset, 1, &err), 0);
    assert_true(kafka_world_run(setup->world, setup_has_failed, setup, WAIT_MS));
    assert_int_equal(setup->error.class, MF_ERROR_CONFIG);
    assert_string_equal(setup->error.code, "offset_out_of_range");
    assert_non_null(strstr(setup->error.message, "77777"));
    assert_non_null(strstr(setup->error.message, "1000"));
    setup_free(setup);
}

static bool ranges_are_told(void *arg)
{
    struct setup *setup = arg;
    return setup->out_of_range >= PARTITIONS;
}

// librdkafka ends the process when partitions are assigned anew faster than it can stop them.
static void all_partitions_outside_of_the_log_are_told_once_each(void **state)
{
    (void)state;
    struct setup *setup = setup_new(PARTITIONS, NULL);
    setup_fill(setup, PARTITIONS, 100);
    for (int i = 0; i < PARTITIONS; i++)
        setup->start[i] = 5000 + i;
    setup_start(setup, false); // reset_to 0: the beginning
    setup_run_until(setup, 100 * PARTITIONS);
    assert_int_equal(setup->out_of_range, PARTITIONS);
    assert_int_equal(setup->fatal, 0);
    // And again while it runs, with a rejoin on its heels.
    struct mf_error err;
    struct mf_kafka_offset offsets[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++)
        offsets[i] = (struct mf_kafka_offset){"t", i, 7000 + i};
    setup->out_of_range = 0;
    assert_int_equal(mf_kafka_consumer_seek(setup->consumer, offsets, PARTITIONS, &err), 0);
    assert_true(kafka_world_run(setup->world, ranges_are_told, setup, WAIT_MS));
    mf_kafka_consumer_rejoin(setup->consumer);
    for (int i = 0; i < PARTITIONS; i++)
        setup->start[i] = 0;
    setup->messages = 0;
    setup_run_until(setup, 100 * PARTITIONS);
    assert_int_equal(setup->fatal, 0);
    setup_free(setup);
}

static bool joined_again(void *arg)
{
    struct setup *setup = arg;
    return setup->assigned >= 2;
}

static void a_paused_partition_comes_back_running_after_a_rejoin(void **state)
{
    (void)state;
    struct setup *setup = setup_new(2, NULL);
    setup_fill(setup, 2, 100);
    setup_start(setup, true);
    setup_run_until(setup, 200);
    mf_kafka_consumer_pause_all(setup->consumer);
    mf_kafka_consumer_rejoin(setup->consumer);
    assert_true(kafka_world_run(setup->world, joined_again, setup, WAIT_MS));
    assert_int_equal(setup->revoked, 1);
    assert_int_equal(setup->assigned_partitions, 2);
    setup_run_until(setup, 400); // nothing was committed
    assert_int_equal(setup->out_of_order, 0);
    const char *const topic[] = {"t"}, *const revoke[] = {"revoke"}, *const assign[] = {"assign"};
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_PAUSED, topic), 0, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_REBALANCES, revoke), 1, 0);
    assert_float_equal(kafka_world_metric(setup->world, MF_M_KAFKA_REBALANCES, assign), 2, 0);
    setup_free(setup);
}

static bool has_lag(void *arg)
{
    struct setup *setup = arg;
    const char *const labels[] = {"t", "0"};
    return kafka_world_metric(setup->world, MF_M_KAFKA_CONSUMER_LAG, labels) == 900;
}

static void lag_is_what_is_left_and_goes_with_the_partition(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    setup_fill(setup, 1, 1000);
    setup->stop_after = 1;
    setup_start(setup, true);
    setup_run_until(setup, 100);
    mf_kafka_consumer_pause_all(setup->consumer);
    assert_int_equal(mf_kafka_consumer_position(setup->consumer, "t", 0), setup->messages);
    struct mf_kafka_offset offset = {"t", 0, 100};
    struct mf_error err;
    assert_int_equal(mf_kafka_consumer_seek(setup->consumer, &offset, 1, &err), 0);
    assert_int_equal(mf_kafka_consumer_high_watermark(setup->consumer, "t", 0), 1000);
    assert_int_equal(mf_kafka_consumer_high_watermark(setup->consumer, "t", 1), -1);
    assert_true(kafka_world_run(setup->world, has_lag, setup, WAIT_MS));
    mf_kafka_consumer_free(&setup->consumer);
    struct mf_buf text;
    mf_buf_init(&text, 1 << 20);
    assert_int_equal(mf_metrics_render(setup->world->metrics, &text), 0);
    assert_null(strstr(mf_buf_c_str(&text), "consumer_lag_messages{"));
    mf_buf_free(&text);
    setup_free(setup);
}

static void the_cluster_id_is_told(void **state)
{
    (void)state;
    struct setup *setup = setup_new(1, NULL);
    char id[64];
    struct mf_error err;
    setup_start(setup, true);
    assert_int_equal(mf_kafka_cluster_id(setup->consumer, WAIT_MS, id, &err), 0);
    assert_true(strlen(id) > 0);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seek_drops_what_was_queued),
        cmocka_unit_test(a_rewind_goes_to_the_committed_offsets),
        cmocka_unit_test(the_owner_says_where_to_start),
        cmocka_unit_test(an_absent_offset_is_fatal_unless_the_start_is_allowed),
        cmocka_unit_test(an_offset_outside_of_the_log_is_the_owners_decision),
        cmocka_unit_test(all_partitions_outside_of_the_log_are_told_once_each),
        cmocka_unit_test(a_paused_partition_comes_back_running_after_a_rejoin),
        cmocka_unit_test(lag_is_what_is_left_and_goes_with_the_partition),
        cmocka_unit_test(the_cluster_id_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
