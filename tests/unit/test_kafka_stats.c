// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_client.h"

#include <cmocka.h>

static double value(struct mf_metrics *metrics, enum mf_common_metric metric, const char *label)
{
    const char *const labels[] = {label};
    return mf_metric_value(
        mf_metrics_get(metrics, &mf_common_metrics[metric], label != NULL ? labels : NULL));
}

static const struct mf_json_node *update(struct kafka_stats *stats, const char *json)
{
    const struct mf_json_node *root;
    struct mf_error err;
    if (kafka_stats_update(stats, mf_str_of(json), &root, &err) < 0)
        fail_msg("%s", err.message);
    return root;
}

// Shortened from what librdkafka writes.
#define BROKER(name, source, state, errors)                                                         \
    "\"" name "\":{\"name\":\"" name "\",\"nodeid\":1,\"source\":\"" source "\",\"state\":\"" state \
    "\",\"txerrs\":" errors ",\"rxerrs\":2,\"req_timeouts\":3,\"disconnects\":4,"                   \
    "\"rtt\":{\"min\":1,\"max\":9000,\"sum\":12000,\"cnt\":3,\"p50\":3000,\"p95\":8000,\"p99\":9000}}"
#define PRODUCER(brokers, queued, tx)                                                                   \
    "{\"type\":\"producer\",\"msg_cnt\":" queued ",\"msg_size\":1000,\"msg_max\":5000,\"tx_bytes\":" tx \
    ",\"rx_bytes\":70,\"brokers\":{" brokers "},\"topics\":{}}"

static void figures_of_a_producer(void **state)
{
    (void)state;
    struct mf_metrics *metrics = mf_metrics_new();
    struct kafka_stats *stats = kafka_stats_new(metrics);
    assert_false(kafka_stats_broker_up(stats));
    update(
        stats,
        PRODUCER(BROKER("a:1/1", "learned", "UP", "5") "," BROKER("b:1/2", "learned", "DOWN", "1") "," BROKER(
                     "c:1/3", "learned", "INIT", "0") "," BROKER("GroupCoordinator", "logical", "UP", "0"),
                 "10", "900"));
    assert_true(kafka_stats_broker_up(stats));
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKERS, "up"), 1, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKERS, "down"), 1, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "tx"), 6, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "rx"), 8, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "timeout"), 12, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "disconnect"), 16, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_RTT, NULL), 12, 0); // four windows of three samples
    assert_float_equal(value(metrics, MF_M_KAFKA_TX_BYTES, NULL), 900, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_RX_BYTES, NULL), 70, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_MESSAGES, NULL), 10, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_BYTES, NULL), 1000, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_LIMIT, NULL), 5000, 0);
    kafka_stats_free(&stats);
    kafka_stats_free(&stats);
    mf_metrics_free(&metrics);
}

static void clients_add_up_and_take_their_part_along(void **state)
{
    (void)state;
    struct mf_metrics *metrics = mf_metrics_new();
    struct kafka_stats *a = kafka_stats_new(metrics), *b = kafka_stats_new(metrics);
    update(a, PRODUCER(BROKER("a:1/1", "learned", "UP", "1"), "10", "100"));
    update(b, PRODUCER(BROKER("a:1/1", "learned", "UP", "1"), "7", "50"));
    update(a, PRODUCER(BROKER("a:1/1", "learned", "UP", "4"), "3", "250"));
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_MESSAGES, NULL), 10, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_TX_BYTES, NULL), 300, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "tx"), 5, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKERS, "up"), 2, 0);
    // A broker that is gone takes its counters along: the sum must not fall.
    update(a, PRODUCER("", "3", "250"));
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKER_ERRORS, "tx"), 5, 0);
    assert_false(kafka_stats_broker_up(a));
    kafka_stats_free(&a);
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_MESSAGES, NULL), 7, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_QUEUE_LIMIT, NULL), 5000, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKERS, "up"), 1, 0);
    assert_float_equal(value(metrics, MF_M_KAFKA_TX_BYTES, NULL), 300, 0); // a counter stays
    kafka_stats_free(&b);
    assert_float_equal(value(metrics, MF_M_KAFKA_BROKERS, "up"), 0, 0);
    mf_metrics_free(&metrics);
}

static void partitions_that_the_cluster_has_are_counted(void **state)
{
    (void)state;
    struct mf_metrics *metrics = mf_metrics_new();
    struct kafka_stats *stats = kafka_stats_new(metrics);
    const struct mf_json_node *root =
        update(stats, "{\"type\":\"consumer\",\"topics\":{\"a\":{\"partitions\":{\"0\":{\"unknown\":false},"
                      "\"1\":{\"unknown\":false},\"7\":{\"unknown\":true},\"-1\":{\"unknown\":false}}},"
                      "\"b\":{\"partitions\":{\"-1\":{\"unknown\":false}}},\"c\":{}}}");
    assert_int_equal(kafka_stats_partition_count(root, "a"), 2);
    assert_int_equal(kafka_stats_partition_count(root, "b"), -1);
    assert_int_equal(kafka_stats_partition_count(root, "c"), -1);
    assert_int_equal(kafka_stats_partition_count(root, "d"), -1);
    kafka_stats_free(&stats);
    mf_metrics_free(&metrics);
}

static void odd_documents_change_nothing(void **state)
{
    (void)state;
    static const char *const documents[] = {"", "{", "null",
                                            "{\"brokers\":3,\"topics\":[],\"tx_bytes\":\"x\"}"};
    struct mf_metrics *metrics = mf_metrics_new();
    struct kafka_stats *stats = kafka_stats_new(metrics);
    update(stats, PRODUCER(BROKER("a:1/1", "learned", "UP", "1"), "10", "100"));
    for (size_t i = 0; i < MF_ARRAY_LEN(documents); i++) {
        const struct mf_json_node *root;
        struct mf_error err;
        int result = kafka_stats_update(stats, mf_str_of(documents[i]), &root, &err);
        assert_int_equal(result, i < 2 ? -1 : 0);
        if (result < 0)
            assert_int_equal(err.class, MF_ERROR_POISON);
    }
    assert_float_equal(value(metrics, MF_M_KAFKA_TX_BYTES, NULL), 100, 0);
    kafka_stats_free(&stats);
    mf_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_a_producer),
        cmocka_unit_test(clients_add_up_and_take_their_part_along),
        cmocka_unit_test(partitions_that_the_cluster_has_are_counted),
        cmocka_unit_test(odd_documents_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
