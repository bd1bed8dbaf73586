// SPDX-License-Identifier: Apache-2.0
// librdkafka's statistics into the metrics. A process has several clients and the families have no label for
// them, so a client adds what has changed since its last document: counters and gauges are the sums over the
// process's clients, and a client that ends takes its part out of the gauges. Failure class: POISON of the
// JSON reader when a document is not what STATISTICS.md says.
#include <stdlib.h>

#include "common/kafka_client.h"

// A document of hundreds of partitions is about 1 MB; librdkafka writes no more than it knows of the cluster.
static const struct mf_json_limits limits = {.size = 32u << 20,
                                             .depth = 16,
                                             .string_length = 4096,
                                             .object_keys = 20000,
                                             .array_items = 100,
                                             .number_length = 40};

// What the topics of a producer and the brokers sum up to; each is one series of a family.
enum figure {
    FIGURE_TX_BYTES,
    FIGURE_RX_BYTES,
    FIGURE_TX_ERRORS,
    FIGURE_RX_ERRORS,
    FIGURE_TIMEOUTS,
    FIGURE_DISCONNECTS,
    FIGURE_BROKERS_UP,
    FIGURE_BROKERS_DOWN,
    FIGURE_QUEUE_MESSAGES,
    FIGURE_QUEUE_BYTES,
    FIGURE_QUEUE_LIMIT,
    FIGURE_MAX
};
static const struct {
    enum mf_common_metric family;
    const char *label; // NULL: a family without labels
    bool gauge;
} figures[FIGURE_MAX] = {
    [FIGURE_TX_BYTES] = {MF_M_KAFKA_TX_BYTES, NULL, false},
    [FIGURE_RX_BYTES] = {MF_M_KAFKA_RX_BYTES, NULL, false},
    [FIGURE_TX_ERRORS] = {MF_M_KAFKA_BROKER_ERRORS, "tx", false},
    [FIGURE_RX_ERRORS] = {MF_M_KAFKA_BROKER_ERRORS, "rx", false},
    [FIGURE_TIMEOUTS] = {MF_M_KAFKA_BROKER_ERRORS, "timeout", false},
    [FIGURE_DISCONNECTS] = {MF_M_KAFKA_BROKER_ERRORS, "disconnect", false},
    [FIGURE_BROKERS_UP] = {MF_M_KAFKA_BROKERS, "up", true},
    [FIGURE_BROKERS_DOWN] = {MF_M_KAFKA_BROKERS, "down", true},
    [FIGURE_QUEUE_MESSAGES] = {MF_M_KAFKA_QUEUE_MESSAGES, NULL, true},
    [FIGURE_QUEUE_BYTES] = {MF_M_KAFKA_QUEUE_BYTES, NULL, true},
    [FIGURE_QUEUE_LIMIT] = {MF_M_KAFKA_QUEUE_LIMIT, NULL, true},
};

struct kafka_stats {
    struct mf_json *json;
    struct mf_metric *series[FIGURE_MAX];
    struct mf_metric *rtt;
    double last[FIGURE_MAX]; // this client's part
    bool broker_up;
};

struct kafka_stats *kafka_stats_new(struct mf_metrics *metrics)
{
    struct kafka_stats *stats = mf_calloc(1, sizeof *stats);
    stats->json = mf_json_new();
    for (size_t i = 0; i < FIGURE_MAX; i++) {
        const struct mf_metric_def *def = &mf_common_metrics[figures[i].family];
        stats->series[i] =
            figures[i].label != NULL ? MF_METRIC(metrics, def, figures[i].label) : MF_METRIC0(metrics, def);
    }
    stats->rtt = MF_METRIC0(metrics, &mf_common_metrics[MF_M_KAFKA_BROKER_RTT]);
    return stats;
}

void kafka_stats_free(struct kafka_stats **stats)
{
    if (*stats == NULL)
        return;
    for (size_t i = 0; i < FIGURE_MAX; i++) {
        if (figures[i].gauge)
            mf_metric_add((*stats)->series[i], -(*stats)->last[i]);
    }
    mf_json_free(&(*stats)->json);
    free(*stats);
    *stats = NULL;
}

// Absent and unreadable members count as 0; librdkafka's figures are whole numbers.
static int64_t number(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    int64_t value;
    if (node == NULL || mf_json_type(node) != MF_JSON_NUMBER || !mf_str_to_i64(mf_json_text(node), &value))
        return 0;
    return value;
}

// A window of samples in µs: its sum and count are added up, the quantiles are those of the window.
static void add_rtt(struct kafka_stats *stats, const struct mf_json_node *broker)
{
    static const char *const names[] = {"0.5", "0.95", "0.99"};
    const struct mf_json_node *window = mf_json_get(broker, "rtt");
    int64_t count = number(window, "cnt");
    if (count <= 0)
        return;
    const double values[] = {(double)number(window, "p50") / 1e6, (double)number(window, "p95") / 1e6,
                             (double)number(window, "p99") / 1e6};
    mf_metric_summary(stats->rtt, (double)number(window, "sum") / 1e6, (double)count, names, values,
                      MF_ARRAY_LEN(values));
}

static void add_broker(struct kafka_stats *stats, const struct mf_json_node *broker, double now[FIGURE_MAX])
{
    now[FIGURE_TX_ERRORS] += (double)number(broker, "txerrs");
    now[FIGURE_RX_ERRORS] += (double)number(broker, "rxerrs");
    now[FIGURE_TIMEOUTS] += (double)number(broker, "req_timeouts");
    now[FIGURE_DISCONNECTS] += (double)number(broker, "disconnects");
    add_rtt(stats, broker);
    struct mf_str state = mf_json_text(mf_json_get(broker, "state"));
    bool up = mf_str_eq_c(state, "UP") || mf_str_eq_c(state, "UPDATE");
    stats->broker_up = stats->broker_up || up;
    // Coordinators are second connections to the same brokers; a broker nobody has asked for anything yet
    // (INIT) is neither up nor down.
    if (mf_str_eq_c(mf_json_text(mf_json_get(broker, "source")), "logical") || mf_str_eq_c(state, "INIT"))
        return;
    now[up ? FIGURE_BROKERS_UP : FIGURE_BROKERS_DOWN] += 1;
}

static void publish(struct kafka_stats *stats, const double now[FIGURE_MAX])
{
    for (size_t i = 0; i < FIGURE_MAX; i++) {
        double change = now[i] - stats->last[i];
        // A broker that left the cluster takes its counters along: they start again from what is left.
        if (figures[i].gauge || change > 0)
            mf_metric_add(stats->series[i], change);
        stats->last[i] = now[i];
    }
}

int kafka_stats_update(struct kafka_stats *stats, struct mf_str json, const struct mf_json_node **root,
                       struct mf_error *err)
{
    if (mf_json_parse(stats->json, json, &limits, root, err) < 0)
        return -1;
    double now[FIGURE_MAX] = {0};
    stats->broker_up = false;
    const struct mf_json_node *brokers = mf_json_get(*root, "brokers");
    for (const struct mf_json_node *broker = mf_json_first(brokers); broker != NULL;
         broker = mf_json_next(broker))
        add_broker(stats, broker, now);
    now[FIGURE_TX_BYTES] = (double)number(*root, "tx_bytes");
    now[FIGURE_RX_BYTES] = (double)number(*root, "rx_bytes");
    if (mf_str_eq_c(mf_json_text(mf_json_get(*root, "type")), "producer")) {
        now[FIGURE_QUEUE_MESSAGES] = (double)number(*root, "msg_cnt");
        now[FIGURE_QUEUE_BYTES] = (double)number(*root, "msg_size");
        now[FIGURE_QUEUE_LIMIT] = (double)number(*root, "msg_max");
    }
    publish(stats, now);
    return 0;
}

bool kafka_stats_broker_up(const struct kafka_stats *stats)
{
    return stats->broker_up;
}

int32_t kafka_stats_partition_count(const struct mf_json_node *root, const char *topic)
{
    const struct mf_json_node *found = mf_json_get(mf_json_get(root, "topics"), topic);
    if (found == NULL)
        return -1;
    int32_t count = 0;
    const struct mf_json_node *partitions = mf_json_get(found, "partitions");
    for (const struct mf_json_node *item = mf_json_first(partitions); item != NULL;
         item = mf_json_next(item)) {
        int64_t id;
        const struct mf_json_node *unknown = mf_json_get(item, "unknown");
        bool known = unknown == NULL || mf_json_type(unknown) != MF_JSON_BOOL || !mf_json_bool(unknown);
        // -1 is where records wait for a partition; "unknown" ones are wished for, but not in the metadata.
        if (known && mf_str_to_i64(mf_json_key(item), &id) && id >= 0)
            count++;
    }
    return count > 0 ? count : -1;
}
