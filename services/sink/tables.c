// SPDX-License-Identifier: Apache-2.0
// Settings and metrics of the sink.
#include "services/sink/sink.h"

#define INTEGER(name_, default_, min_, max_, text)                                               \
    {                                                                                            \
        .name = (name_), .type = MF_SETTING_INTEGER, .default_value = (default_), .min = (min_), \
        .max = (max_), .description = (text)                                                     \
    }

static const struct mf_setting_def defs[] = {
    INTEGER("SINK_FLUSH_ROWS", "500", 1, 10000, "Rows after which a batch is written to the warehouse."),
    INTEGER("SINK_FLUSH_BYTES", "921600", 65536, 16777216,
            "Bytes after which a batch is written to the warehouse; no statement is larger, unless one "
            "record is."),
    INTEGER("SINK_FLUSH_MS", "250", 1, 60000,
            "Age in ms at which a batch is written to the warehouse; on Snowflake 5000 unless it is set."),
    INTEGER("SINK_IDLE_COMMIT_MS", "5000", 100, 3600000,
            "Age in ms at which offsets that moved without a row are stored."),
    INTEGER("SINK_RETRY_MIN_MS", "500", 10, 60000,
            "Shortest delay in ms before a failed use of the warehouse is repeated."),
    INTEGER("SINK_RETRY_MAX_MS", "60000", 100, 3600000,
            "Longest delay in ms before it is repeated; delays grow up to it."),
    INTEGER(
        "SINK_BREAKER_RETRY_MS", "60000", 100, 86400000,
        "Delay in ms before a table that cannot be written (missing, no right, no space) is tried again, or "
        "a partition with too many refused rows."),
    INTEGER("SINK_POISON_PER_MINUTE", "3", 1, SNK_POISON_LIMIT_MAX,
            "Bisections per minute that may dead-letter rows of a partition, whatever number of rows each of "
            "them "
            "finds; with more the partition is paused, and tried again after SINK_BREAKER_RETRY_MS."),
    INTEGER("SINK_SESSION_MS", "43200000", 1000, 604800000,
            "Age in ms at which the warehouse connection is opened anew."),
    INTEGER("SINK_SESSION_ROWS", "1000000", 1000, 1000000000,
            "Rows after which the warehouse connection is opened anew."),
    {.name = "SINK_OFFSET_RESET",
     .type = MF_SETTING_CHOICE,
     .default_value = "fail",
     .choices = "fail|earliest",
     .description =
         "When retention has removed records that were not loaded: fail, or go on from the earliest one and "
         "log what was lost."},
};
const struct mf_setting_table snk_settings_table = {"Sink", defs, MF_ARRAY_LEN(defs)};

void snk_check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    snk_warehouse_check_settings(settings, problems);
    if (mf_settings_integer(settings, "SINK_RETRY_MIN_MS") >
        mf_settings_integer(settings, "SINK_RETRY_MAX_MS"))
        mf_buf_add_c(problems, "SINK_RETRY_MIN_MS: must not be more than SINK_RETRY_MAX_MS\n");
}

static const double seconds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
static const double age_seconds[] = {0.1, 0.25, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300, 900};
static const double rows[] = {1, 10, 50, 100, 500, 1000, 5000, 10000};

#define ROW(id, name_, type_, help_, ...) \
    [SNK_M_##id] = {.name = "marketflow_sink_" name_, .type = MF_METRIC_##type_, .help = (help_), __VA_ARGS__}
#define LABELS(...) .labels = {__VA_ARGS__}
#define BUCKETS(array) .buckets = (array), .bucket_count = MF_ARRAY_LEN(array)

const struct mf_metric_def snk_metric_defs[SNK_M_MAX] = {
    ROW(ROWS, "rows_total", COUNTER,
        "Rows by what became of them: ok (new in the warehouse), duplicate (there before), rejected "
        "(dead-lettered).",
        LABELS("table", "result")),
    ROW(BATCHES, "batches_total", COUNTER, "Flush statements that had rows of the table.",
        LABELS("table", "result")),
    ROW(BATCH_ROWS, "batch_rows", HISTOGRAM, "Rows of the table in one flush statement.", LABELS("table"),
        BUCKETS(rows)),
    ROW(FLUSH_SECONDS, "flush_duration_seconds", HISTOGRAM,
        "Duration of the flush statements that had rows of the table.", LABELS("table"), BUCKETS(seconds)),
    ROW(BUFFER_ROWS, "buffer_rows", GAUGE, "Rows read but not in the warehouse yet.", LABELS("table")),
    ROW(BUFFER_BYTES, "buffer_bytes", GAUGE, "Bytes of those rows.", LABELS("table")),
    ROW(OLDEST, "oldest_buffered_timestamp_seconds", GAUGE,
        "ingest_time of the oldest of those rows, Unix seconds; 0 without rows.", LABELS("table")),
    ROW(RETRIES, "retries_total", COUNTER, "Statements that failed, by what was done about it.",
        LABELS("reason")),
    ROW(SESSION_UP, "session_up", GAUGE, "1 while a warehouse session is open, else 0."),
    ROW(AUTH_EXPIRY, "auth_expiry_timestamp_seconds", GAUGE,
        "When the session's credentials expire, Unix seconds; 0 = they do not."),
    ROW(END_TO_END, "end_to_end_seconds", HISTOGRAM, "From ingest_time to the row being committed.",
        LABELS("table"), BUCKETS(age_seconds)),
    ROW(LAST_COMMIT, "last_commit_timestamp_seconds", GAUGE,
        "Last commit of rows of the table, Unix seconds.", LABELS("table")),
    ROW(LAST_EVENT, "last_event_timestamp_seconds", GAUGE,
        "Largest event_time committed to the table, Unix seconds.", LABELS("table")),
    ROW(SESSIONS, "sessions_total", COUNTER, "Attempts to open a warehouse session.", LABELS("result")),
    ROW(OUTCOME_CHECKS, "outcome_checks_total", COUNTER,
        "Partitions whose offset row was read because a flush gave no clear answer, by verdict.",
        LABELS("verdict")),
    ROW(BISECTIONS, "bisections_total", COUNTER,
        "Descents from a statement whose data the warehouse refused to the rows that it refuses."),
    ROW(TABLE_STOPPED, "table_stopped", GAUGE,
        "1 while the table cannot be written and its topic is paused, else 0.", LABELS("table")),
    ROW(PARTITIONS_STOPPED, "partitions_stopped", GAUGE,
        "Partitions of the table's topic that are paused because too many bisections found rows of them.",
        LABELS("table")),
};

// Counters that exist from the start can be alerted on before the first event.
static void start_table(struct snk_sink *sink, const char *table)
{
    struct mf_metrics *metrics = sink->service->metrics;
    static const char *const results[] = {"ok", "duplicate", "rejected"};
    for (size_t i = 0; i < MF_ARRAY_LEN(results); i++)
        MF_METRIC(metrics, &snk_metric_defs[SNK_M_ROWS], table, results[i]);
    MF_METRIC(metrics, &snk_metric_defs[SNK_M_BATCHES], table, "ok");
    MF_METRIC(metrics, &snk_metric_defs[SNK_M_BATCHES], table, "failed");
    static const enum snk_metric by_table[] = {
        SNK_M_BATCH_ROWS, SNK_M_FLUSH_SECONDS, SNK_M_BUFFER_ROWS,   SNK_M_BUFFER_BYTES,
        SNK_M_OLDEST,     SNK_M_END_TO_END,    SNK_M_TABLE_STOPPED, SNK_M_PARTITIONS_STOPPED};
    for (size_t i = 0; i < MF_ARRAY_LEN(by_table); i++)
        MF_METRIC(metrics, &snk_metric_defs[by_table[i]], table);
}

void snk_metrics_start(struct snk_sink *sink)
{
    struct mf_metrics *metrics = sink->service->metrics;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        start_table(sink, snk_tables[table].name);
    for (enum snk_action action = 0; action < SNK_ACTION_MAX; action++)
        MF_METRIC(metrics, &snk_metric_defs[SNK_M_RETRIES], snk_action_name(action));
    for (enum snk_verdict verdict = 0; verdict < SNK_VERDICT_MAX; verdict++)
        MF_METRIC(metrics, &snk_metric_defs[SNK_M_OUTCOME_CHECKS], snk_verdict_name(verdict));
    MF_METRIC(metrics, &snk_metric_defs[SNK_M_SESSIONS], "ok");
    MF_METRIC(metrics, &snk_metric_defs[SNK_M_SESSIONS], "failed");
}
