// SPDX-License-Identifier: Apache-2.0
// The families that all services have. Data only; docs/metrics.md is printed from it.
#include "common/metrics.h"

#define BUCKETS(name, ...)               \
    const double name[] = {__VA_ARGS__}; \
    const size_t name##_count = MF_ARRAY_LEN(name)

BUCKETS(mf_buckets_seconds, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30);
BUCKETS(mf_buckets_turn_seconds, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1);
BUCKETS(mf_buckets_age_seconds, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900);
BUCKETS(mf_buckets_rows, 1, 10, 50, 100, 500, 1000, 5000, 10000);

#define ROW(id, name_, type_, help_, ...) \
    [MF_M_##id] = {.name = (name_), .type = MF_METRIC_##type_, .help = (help_), __VA_ARGS__}
#define LABELS(...) .labels = {__VA_ARGS__}
#define TURN .buckets = mf_buckets_turn_seconds, .bucket_count = MF_ARRAY_LEN(mf_buckets_turn_seconds)
#define SECONDS .buckets = mf_buckets_seconds, .bucket_count = MF_ARRAY_LEN(mf_buckets_seconds)

const struct mf_metric_def mf_common_metrics[MF_M_COMMON_MAX] = {
    ROW(BUILD_INFO, "marketflow_build_info", GAUGE, "Always 1; what the running binary was built from.",
        LABELS("version", "revision", "compiler")),
    ROW(CPU_SECONDS, "process_cpu_seconds_total", COUNTER, "User and system CPU time spent in seconds."),
    ROW(RESIDENT_BYTES, "process_resident_memory_bytes", GAUGE, "Resident memory size in bytes."),
    ROW(VIRTUAL_BYTES, "process_virtual_memory_bytes", GAUGE, "Virtual memory size in bytes."),
    ROW(OPEN_FDS, "process_open_fds", GAUGE, "Number of open file descriptors."),
    ROW(MAX_FDS, "process_max_fds", GAUGE, "Maximum number of open file descriptors."),
    ROW(THREADS, "process_threads", GAUGE, "Number of threads; all but one belong to libraries."),
    ROW(START_TIME, "process_start_time_seconds", GAUGE,
        "Start of the process since the Unix epoch in seconds."),
    ROW(READY, "marketflow_ready", GAUGE, "1 when /readyz answers 200, else 0."),
    ROW(DEPENDENCY_UP, "marketflow_dependency_up", GAUGE,
        "1 when the last use of the dependency worked, else 0.", LABELS("dependency")),
    ROW(LOOP_LAG, "marketflow_event_loop_lag_seconds", HISTOGRAM, "How late a timer of one second fired.",
        TURN),
    ROW(LOOP_TURN, "marketflow_event_loop_turn_seconds", HISTOGRAM,
        "Duration of one callback of the event loop.", TURN),
    ROW(CONFIG_RELOADS, "marketflow_config_reloads_total", COUNTER, "Reloads of the settings (SIGHUP).",
        LABELS("result")),
    ROW(CONFIG_LAST_RELOAD, "marketflow_config_last_reload_success_timestamp_seconds", GAUGE,
        "Last time that settings were taken, at start or by SIGHUP."),
    ROW(LOG_MESSAGES, "marketflow_log_messages_total", COUNTER, "Log lines written.", LABELS("level")),
    ROW(LOG_SUPPRESSED, "marketflow_log_suppressed_total", COUNTER,
        "Log lines held back by the limit on repeats.", LABELS("level")),
    ROW(LOG_DROPPED, "marketflow_log_dropped_total", COUNTER,
        "Log lines that could not be written at once (full pipe, full disk)."),
    ROW(KAFKA_BROKERS, "marketflow_kafka_brokers", GAUGE, "Brokers known to the clients of this process.",
        LABELS("state")),
    ROW(KAFKA_BROKER_RTT, "marketflow_kafka_broker_rtt_seconds", SUMMARY,
        "Round trip of requests to brokers, quantiles of the last statistics window."),
    ROW(KAFKA_BROKER_ERRORS, "marketflow_kafka_broker_errors_total", COUNTER,
        "Failures in talking to brokers.", LABELS("kind")),
    ROW(KAFKA_TX_BYTES, "marketflow_kafka_transmitted_bytes_total", COUNTER, "Bytes sent to brokers."),
    ROW(KAFKA_RX_BYTES, "marketflow_kafka_received_bytes_total", COUNTER, "Bytes received from brokers."),
    ROW(KAFKA_QUEUE_MESSAGES, "marketflow_kafka_producer_queue_messages", GAUGE,
        "Records waiting in the producer."),
    ROW(KAFKA_QUEUE_BYTES, "marketflow_kafka_producer_queue_bytes", GAUGE, "Bytes waiting in the producer."),
    ROW(KAFKA_QUEUE_LIMIT, "marketflow_kafka_producer_queue_limit_messages", GAUGE,
        "Records that may wait in the producer."),
    ROW(KAFKA_PRODUCED_MESSAGES, "marketflow_kafka_produced_messages_total", COUNTER,
        "Records whose delivery was reported.", LABELS("topic", "result")),
    ROW(KAFKA_PRODUCED_BYTES, "marketflow_kafka_produced_bytes_total", COUNTER,
        "Bytes of the records whose delivery was reported.", LABELS("topic", "result")),
    ROW(KAFKA_DELIVERY_SECONDS, "marketflow_kafka_delivery_duration_seconds", HISTOGRAM,
        "Time from producing a record to its acknowledgement; in a transaction, of its first one.",
        LABELS("topic"), SECONDS),
    ROW(KAFKA_CONSUMED_MESSAGES, "marketflow_kafka_consumed_messages_total", COUNTER, "Records consumed.",
        LABELS("topic")),
    ROW(KAFKA_CONSUMED_BYTES, "marketflow_kafka_consumed_bytes_total", COUNTER,
        "Bytes of the records consumed.", LABELS("topic")),
    ROW(KAFKA_CONSUMER_LAG, "marketflow_kafka_consumer_lag_messages", GAUGE,
        "Records between the position and the end of the partition.", LABELS("topic", "partition")),
    ROW(KAFKA_ASSIGNED, "marketflow_kafka_assigned_partitions", GAUGE,
        "Partitions assigned to this instance.", LABELS("topic")),
    ROW(KAFKA_PAUSED, "marketflow_kafka_paused_partitions", GAUGE, "Partitions paused by this instance.",
        LABELS("topic")),
    ROW(KAFKA_REBALANCES, "marketflow_kafka_rebalances_total", COUNTER, "Changes of the assignment.",
        LABELS("kind")),
    ROW(KAFKA_COMMITS, "marketflow_kafka_commits_total", COUNTER, "Commits of offsets.", LABELS("result")),
    ROW(KAFKA_FATAL_ERRORS, "marketflow_kafka_fatal_errors_total", COUNTER,
        "Errors after which a client had to be given up.", LABELS("code")),
    ROW(DEAD_LETTERS, "marketflow_dead_letters_total", COUNTER,
        "Records sent to the dead-letter topic, by where they came from.", LABELS("topic", "reason")),
};
