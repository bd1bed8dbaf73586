// SPDX-License-Identifier: Apache-2.0
// Metrics registry with Prometheus text output (exposition format 0.0.4). Families are rows of static tables
// from which docs/metrics.md is generated; a sample is found or made by its label values. Not thread-safe:
// one loop. A family holds at most MF_METRIC_SERIES_MAX series; beyond that, samples go to one series whose
// label values are all "other", so that cardinality is bounded whatever the input.
#ifndef MF_METRICS_H
#define MF_METRICS_H

#include "buf.h"

enum mf_metric_type {
    MF_METRIC_COUNTER,
    MF_METRIC_GAUGE,
    MF_METRIC_HISTOGRAM,
    MF_METRIC_SUMMARY,
    MF_METRIC_TYPE_MAX
};

#define MF_METRIC_LABELS_MAX 4
#define MF_METRIC_SERIES_MAX 1000

struct mf_metric_def {
    const char *name; // base units, counters end in _total
    enum mf_metric_type type;
    const char *help;
    const char *labels[MF_METRIC_LABELS_MAX + 1]; // NULL-terminated
    const double *buckets;                        // HISTOGRAM: ascending upper bounds, +Inf implied
    size_t bucket_count;
};

extern const double mf_buckets_seconds[]; // 0.005 … 30, for durations
extern const size_t mf_buckets_seconds_count;
extern const double mf_buckets_turn_seconds[]; // 0.0001 … 1, for loop turns
extern const size_t mf_buckets_turn_seconds_count;
extern const double mf_buckets_age_seconds[]; // 0.1 … 900
extern const size_t mf_buckets_age_seconds_count;
extern const double mf_buckets_rows[]; // 1 … 10000
extern const size_t mf_buckets_rows_count;

struct mf_metrics;
struct mf_metric; // one series; lives as long as the registry or until removed

struct mf_metrics *mf_metrics_new(void);
void mf_metrics_free(struct mf_metrics **metrics);

// Finds or makes the series of `def` with these label values (as many as def->labels; copied). Never NULL.
// def must outlive the registry (static tables). Keep the pointer for hot paths.
struct mf_metric *mf_metrics_get(struct mf_metrics *metrics, const struct mf_metric_def *def,
                                 const char *const *label_values);
#define MF_METRIC(metrics, def, ...) mf_metrics_get((metrics), (def), (const char *const[]){__VA_ARGS__})
#define MF_METRIC0(metrics, def) mf_metrics_get((metrics), (def), NULL)
// Removes one series (a revoked partition's lag). The pointer is dead afterwards.
void mf_metrics_remove(struct mf_metrics *metrics, const struct mf_metric_def *def,
                       const char *const *label_values);
// Makes the family appear in the output even without series (HELP and TYPE lines), and one series when it has
// no labels.
void mf_metrics_declare(struct mf_metrics *metrics, const struct mf_metric_def *defs, size_t count);

void mf_metric_add(struct mf_metric *metric, double amount); // COUNTER (amount >= 0), GAUGE
// GAUGE; COUNTER only for totals kept elsewhere
void mf_metric_set(struct mf_metric *metric, double value);
void mf_metric_observe(struct mf_metric *metric, double value); // HISTOGRAM
// SUMMARY from elsewhere (librdkafka windows): adds to sum and count, replaces quantiles ("0.5", …; at most
// 4).
void mf_metric_summary(struct mf_metric *metric, double sum_add, double count_add,
                       const char *const *quantiles, const double *values, size_t quantile_count);
// COUNTER/GAUGE value, HISTOGRAM/SUMMARY count; for tests
double mf_metric_value(const struct mf_metric *metric);

// Called before each render, to refresh gauges that are cheaper to read than to keep.
void mf_metrics_on_collect(struct mf_metrics *metrics, void (*fn)(void *arg), void *arg);
// Sets the start time to now and keeps the process_* families (below) fresh at each render.
void mf_metrics_add_process(struct mf_metrics *metrics);
// Text format 0.0.4, families sorted by name. Returns 0, or -1 on buffer overflow.
int mf_metrics_render(struct mf_metrics *metrics, struct mf_buf *out);
// One Markdown table for docs/metrics.md.
void mf_metrics_markdown(const struct mf_metric_def *defs, size_t count, struct mf_buf *out);

// Families common to all services (metric_table.c); see deploy.md §5.2 for names.
enum mf_common_metric {
    MF_M_BUILD_INFO, // version, revision, compiler
    MF_M_CPU_SECONDS,
    MF_M_RESIDENT_BYTES,
    MF_M_VIRTUAL_BYTES,
    MF_M_OPEN_FDS,
    MF_M_MAX_FDS,
    MF_M_THREADS,
    MF_M_START_TIME,
    MF_M_READY,
    MF_M_DEPENDENCY_UP,  // dependency
    MF_M_LOOP_LAG,       // histogram: drift of a 1 s timer
    MF_M_LOOP_TURN,      // histogram: duration of one callback
    MF_M_CONFIG_RELOADS, // result
    MF_M_CONFIG_LAST_RELOAD,
    MF_M_LOG_MESSAGES,   // level
    MF_M_LOG_SUPPRESSED, // level
    MF_M_LOG_DROPPED,
    MF_M_KAFKA_BROKERS,       // state
    MF_M_KAFKA_BROKER_RTT,    // summary
    MF_M_KAFKA_BROKER_ERRORS, // kind
    MF_M_KAFKA_TX_BYTES,
    MF_M_KAFKA_RX_BYTES,
    MF_M_KAFKA_QUEUE_MESSAGES,
    MF_M_KAFKA_QUEUE_BYTES,
    MF_M_KAFKA_QUEUE_LIMIT,
    MF_M_KAFKA_PRODUCED_MESSAGES, // topic, result
    MF_M_KAFKA_PRODUCED_BYTES,    // topic, result
    MF_M_KAFKA_DELIVERY_SECONDS,  // topic
    MF_M_KAFKA_CONSUMED_MESSAGES, // topic
    MF_M_KAFKA_CONSUMED_BYTES,    // topic
    MF_M_KAFKA_CONSUMER_LAG,      // topic, partition
    MF_M_KAFKA_ASSIGNED,          // topic
    MF_M_KAFKA_PAUSED,            // topic
    MF_M_KAFKA_REBALANCES,        // kind
    MF_M_KAFKA_COMMITS,           // result
    MF_M_KAFKA_FATAL_ERRORS,      // code
    MF_M_DEAD_LETTERS,            // topic (where it came from; "provider" for the ingestor), reason
    MF_M_COMMON_MAX
};
extern const struct mf_metric_def mf_common_metrics[MF_M_COMMON_MAX];

#endif
