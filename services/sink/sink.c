// SPDX-License-Identifier: Apache-2.0
// Making and freeing the sink, its clock, and what it says about itself.
#include "services/sink/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#define TICK_MS 1000
#define GROUP_COMMIT_US (5 * MF_US_PER_SECOND)
// A log that ends before what was loaded, for longer than any change of leader takes.
#define SHORT_LOG_US (60 * MF_US_PER_SECOND)
#define POLL_READY_US (15 * MF_US_PER_SECOND)
// Letters that nobody acknowledges hold up everything behind them.
#define LETTERS_READY_US (10 * MF_US_PER_SECOND)
// Without a statement; then the offset rows are compared.
#define SILENCE_US (30 * MF_US_PER_SECOND)
#define POLL_ALIVE_US (60 * MF_US_PER_SECOND)

// ---- the clock: once a second

// For lag tools only: nothing reads these offsets back.
static void tell_group(struct snk_sink *sink)
{
    int64_t now_us = mf_clock_monotonic_us();
    if (now_us - sink->group_commit_us < GROUP_COMMIT_US || sink->partition_count == 0)
        return;
    sink->group_commit_us = now_us;
    struct mf_kafka_offset *offsets = mf_calloc(sink->partition_count, sizeof *offsets);
    size_t count = 0;
    for (size_t i = 0; i < sink->partition_count; i++) {
        struct snk_partition *p = &sink->partitions[i];
        if (!p->acquired || p->stored == p->committed)
            continue;
        offsets[count++] = (struct mf_kafka_offset){p->topic, p->number, p->stored};
        p->committed = p->stored;
    }
    if (count > 0)
        mf_kafka_consumer_commit_async(sink->consumer, offsets, count);
    free(offsets);
}

// Does any partition of the table's topic belong to us now?
static bool is_assigned(const struct snk_sink *sink, enum snk_table table)
{
    for (size_t i = 0; i < sink->partition_count; i++) {
        if (sink->partitions[i].table == table)
            return true;
    }
    return false;
}

// Lets one attempt through per breaker whose time has come; a success closes it (outcome.c).
static void try_tables(struct snk_sink *sink)
{
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        struct snk_breaker *breaker = &sink->breakers[table];
        if (breaker->state == SNK_BREAKER_CLOSED)
            continue;
        if (!is_assigned(sink, table)) { // its next owner finds out by itself
            snk_breaker_close(breaker);
            mf_metric_set(MF_METRIC(sink->service->metrics, &snk_metric_defs[SNK_M_TABLE_STOPPED],
                                    snk_tables[table].name),
                          0);
        } else if (snk_breaker_try(breaker, mf_clock_monotonic_us())) {
            SNK_LOG(sink, INFO, "table_tried", "trying raw.%s again", snk_tables[table].name);
            mf_deferred_schedule(sink->run);
        }
    }
}

// The same for partitions.
static void try_partitions(struct snk_sink *sink)
{
    for (size_t i = 0; i < sink->partition_count; i++) {
        struct snk_partition *p = &sink->partitions[i];
        if (!snk_breaker_try(&p->breaker, mf_clock_monotonic_us()))
            continue;
        MF_LOGF(sink->service->log, MF_LOG_INFO, "sink", "partition_tried",
                MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number)),
                "trying %s[%d] again", p->topic, p->number);
        mf_deferred_schedule(sink->run);
    }
}

// A session in which nothing is said does not notice that its server has crashed.
static void break_silence(struct snk_sink *sink)
{
    if (!snk_warehouse_may_forget(sink->warehouse))
        return;
    int64_t last_us = sink->last_commit_us > sink->checked_us ? sink->last_commit_us : sink->checked_us;
    if (mf_clock_monotonic_us() - last_us >= SILENCE_US)
        sink->recheck = true;
}

// The end of a log that stays below what was loaded is a truncated or re-created topic, and new records would
// be taken for old ones.
static void watch_short_logs(struct snk_sink *sink)
{
    int64_t now_us = mf_clock_monotonic_us();
    for (size_t i = 0; i < sink->partition_count; i++) {
        const struct snk_partition *p = &sink->partitions[i];
        if (p->short_since_us == 0 || now_us - p->short_since_us < SHORT_LOG_US)
            continue;
        struct mf_error err;
        mf_error_set(
            &err, MF_ERROR_CONFIG, "topic_recreated",
            "%s[%d] ends before offset %" PRId64 ", up to which it was loaded: it lost records or was made "
            "anew. Delete its rows of group %s in ops.sink_offsets to load it from its start; rows that are "
            "there already are left alone",
            p->topic, p->number, p->stored, sink->group);
        snk_fail(sink, &err, "reading on");
        return;
    }
}

static void watch_cluster(struct snk_sink *sink)
{
    int64_t now_us = mf_clock_monotonic_us();
    if (mf_kafka_consumer_connected(sink->consumer))
        mf_kafka_fence_quiet(&sink->fence, now_us);
    else
        mf_kafka_fence_trouble(&sink->fence, now_us);
}

static void on_tick(void *arg)
{
    struct snk_sink *sink = arg;
    if (sink->failed || sink->closing)
        return;
    watch_cluster(sink);
    tell_group(sink);
    try_tables(sink);
    try_partitions(sink);
    watch_short_logs(sink);
    break_silence(sink);
    // Whatever could have been missed: a session that is worn, partitions that are not taken over yet.
    mf_deferred_schedule(sink->run);
}

static void show_stopped(struct snk_sink *sink)
{
    double stopped[SNK_TABLE_MAX] = {0};
    for (size_t i = 0; i < sink->partition_count; i++)
        stopped[sink->partitions[i].table] += sink->partitions[i].breaker.state != SNK_BREAKER_CLOSED ? 1 : 0;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        mf_metric_set(MF_METRIC(sink->service->metrics, &snk_metric_defs[SNK_M_PARTITIONS_STOPPED],
                                snk_tables[table].name),
                      stopped[table]);
}

// Gauges of the batch.
static void show_buffer(struct snk_sink *sink)
{
    double rows[SNK_TABLE_MAX] = {0};
    double bytes[SNK_TABLE_MAX] = {0};
    double oldest[SNK_TABLE_MAX] = {0};
    for (size_t i = 0; i < sink->batch.count; i++) {
        const struct snk_row *row = &sink->batch.rows[i];
        double seconds = (double)row->ingest_time_us / (double)MF_US_PER_SECOND;
        if (rows[row->table] == 0 || seconds < oldest[row->table])
            oldest[row->table] = seconds;
        rows[row->table]++;
        bytes[row->table] += (double)snk_row_bytes(row);
    }
    struct mf_metrics *metrics = sink->service->metrics;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        const char *name = snk_tables[table].name;
        mf_metric_set(MF_METRIC(metrics, &snk_metric_defs[SNK_M_BUFFER_ROWS], name), rows[table]);
        mf_metric_set(MF_METRIC(metrics, &snk_metric_defs[SNK_M_BUFFER_BYTES], name), bytes[table]);
        mf_metric_set(MF_METRIC(metrics, &snk_metric_defs[SNK_M_OLDEST], name), oldest[table]);
    }
}

// Gauges that are computed when somebody looks.
static void on_collect(void *arg)
{
    show_buffer(arg);
    show_stopped(arg);
}

// ---- making and freeing

static void read_settings(struct snk_sink *sink, const struct mf_settings *settings)
{
    sink->settings = (struct snk_settings){
        .limits = {.rows = (size_t)mf_settings_integer(settings, "SINK_FLUSH_ROWS"),
                   .bytes = (size_t)mf_settings_integer(settings, "SINK_FLUSH_BYTES")},
        .flush_ms = mf_settings_integer(settings, "SINK_FLUSH_MS"),
        .idle_commit_ms = mf_settings_integer(settings, "SINK_IDLE_COMMIT_MS"),
        .breaker_retry_ms = mf_settings_integer(settings, "SINK_BREAKER_RETRY_MS"),
        .session_ms = mf_settings_integer(settings, "SINK_SESSION_MS"),
        .session_rows = mf_settings_integer(settings, "SINK_SESSION_ROWS"),
        .poison_per_minute = (unsigned)mf_settings_integer(settings, "SINK_POISON_PER_MINUTE"),
        .skip_lost_ranges = strcmp(mf_settings_string(settings, "SINK_OFFSET_RESET"), "earliest") == 0,
    };
    mf_backoff_init(&sink->backoff, mf_settings_integer(settings, "SINK_RETRY_MIN_MS"),
                    mf_settings_integer(settings, "SINK_RETRY_MAX_MS"), mf_random_seed());
    // Copies: settings are replaced at a reload.
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        sink->topics[table] = mf_strdup(mf_topic_name(settings, snk_tables[table].topic));
    struct mf_buf group;
    mf_buf_init(&group, 1024);
    mf_buf_addf(&group, "%s-sink", mf_settings_string(settings, "KAFKA_GROUP_PREFIX"));
    sink->group = mf_strdup(mf_buf_c_str(&group));
    mf_buf_free(&group);
}

// The producer first: the consumer's first record may already be one for the dead-letter queue.
static int start_kafka(struct snk_sink *sink, struct mf_error *err)
{
    struct mf_service *service = sink->service;
    sink->kafka = (struct mf_kafka_config){.loop = service->loop,
                                           .log = service->log,
                                           .metrics = service->metrics,
                                           .settings = service->settings,
                                           .client_id = "marketflow-sink",
                                           .instance = service->instance};
    if (snk_letters_start(sink, err) != 0)
        return -1;
    mf_kafka_fence_init(&sink->fence, service->settings);
    return snk_intake_join(sink, err);
}

int snk_sink_new(struct mf_service *service, struct snk_sink **sink, struct mf_error *err)
{
    struct snk_sink *fresh = mf_calloc(1, sizeof *fresh);
    fresh->service = service;
    fresh->refused_row = SIZE_MAX;
    read_settings(fresh, service->settings);
    snk_batch_init(&fresh->batch);
    snk_flush_init(&fresh->flush);
    fresh->checker = snk_checker_new();
    fresh->run = mf_deferred_new(service->loop, snk_loader_run, fresh);
    fresh->age = mf_timer_new(service->loop, snk_loader_run, fresh);
    fresh->hold = mf_timer_new(service->loop, snk_loader_run, fresh);
    fresh->tick = mf_timer_new(service->loop, on_tick, fresh);
    fresh->warehouse = snk_warehouse_new(service->settings, fresh->group, service->instance);
    if (!mf_settings_is_set(service->settings, "SINK_FLUSH_MS"))
        fresh->settings.flush_ms = snk_warehouse_flush_ms(fresh->warehouse);
    if (start_kafka(fresh, err) != 0) {
        snk_sink_free(&fresh);
        return -1;
    }
    snk_metrics_start(fresh);
    mf_metrics_on_collect(service->metrics, on_collect, fresh);
    mf_timer_arm_every_ms(fresh->tick, TICK_MS);
    mf_deferred_schedule(fresh->run);
    *sink = fresh;
    return 0;
}

void snk_sink_free(struct snk_sink **sink)
{
    struct snk_sink *s = *sink;
    if (s == NULL)
        return;
    s->failed = true; // nothing is begun any more from inside what follows
    mf_kafka_consumer_free(&s->consumer);
    mf_kafka_producer_free(&s->letters.producer);
    snk_warehouse_free(&s->warehouse);
    mf_timer_free(&s->tick);
    mf_timer_free(&s->hold);
    mf_timer_free(&s->age);
    mf_deferred_free(&s->run);
    snk_checker_free(&s->checker);
    snk_batch_free(&s->batch);
    snk_work_free(&s->work);
    snk_flush_free(&s->flush);
    mf_buf_free(&s->letters.text);
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        free(s->topics[table]);
    free(s->group);
    free(s->partitions);
    free(s);
    *sink = NULL;
}

void snk_sink_drain(struct snk_sink *sink)
{
    sink->draining = true;
    if (sink->failed)
        snk_loader_leave(sink);
    else
        mf_deferred_schedule(sink->run);
}

void snk_sink_reload(struct snk_sink *sink, const struct mf_settings *fresh)
{
    snk_warehouse_reload(sink->warehouse, fresh);
}

// ---- what it says about itself

// One check per stopped table, with the reason that it was stopped for.
static void check_tables(struct snk_sink *sink, struct mf_health *health)
{
    bool ok = true;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        const struct snk_breaker *breaker = &sink->breakers[table];
        if (breaker->state != SNK_BREAKER_OPEN)
            continue;
        ok = false;
        mf_health_add(health, snk_tables[table].name, false, "raw.%s cannot be written: %s",
                      snk_tables[table].name, breaker->reason);
    }
    if (ok)
        mf_health_add(health, "tables", true, "all tables can be written");
}

// The first of the stopped partitions with its reason, and how many there are.
static void check_partitions(struct snk_sink *sink, struct mf_health *health)
{
    const struct snk_partition *first = NULL;
    size_t stopped = 0;
    for (size_t i = 0; i < sink->partition_count; i++) {
        const struct snk_partition *p = &sink->partitions[i];
        if (p->breaker.state != SNK_BREAKER_OPEN)
            continue;
        first = first != NULL ? first : p;
        stopped++;
    }
    if (first == NULL)
        mf_health_add(health, "partitions", true, "no partition is stopped");
    else
        mf_health_add(health, "partitions", false, "%zu stopped, the first %s[%d]: %s", stopped, first->topic,
                      first->number, first->breaker.reason);
}

static void check_letters(struct snk_sink *sink, struct mf_health *health)
{
    const struct snk_letters *letters = &sink->letters;
    int64_t waiting_us = letters->pending > 0 ? mf_clock_monotonic_us() - letters->pending_since_us : 0;
    mf_health_add(health, "dead_letters", waiting_us < LETTERS_READY_US,
                  "%zu dead letters not acknowledged, for %" PRId64 " ms", letters->pending,
                  waiting_us / MF_US_PER_MS);
}

// The assignment outlives a broker that is away until the session times out: the connection is a question of
// its own.
static void check_broker(struct snk_sink *sink, struct mf_health *health)
{
    bool connected = mf_kafka_consumer_connected(sink->consumer);
    mf_health_add(health, "broker", connected, "%s", connected ? "connected" : "no broker is up");
}

void snk_sink_check_ready(struct snk_sink *sink, struct mf_health *health)
{
    check_broker(sink, health);
    int64_t silence_us = mf_clock_monotonic_us() - mf_kafka_consumer_last_poll_us(sink->consumer);
    bool joined = mf_kafka_consumer_joined(sink->consumer);
    if (!joined)
        mf_health_add(health, "kafka", false, "no partitions have been assigned yet");
    else
        mf_health_add(health, "kafka", silence_us < POLL_READY_US,
                      "%zu partitions, polled %" PRId64 " ms ago", sink->partition_count,
                      silence_us / MF_US_PER_MS);
    bool open = snk_warehouse_is_open(sink->warehouse);
    if (open && !snk_loader_is_holding(sink))
        mf_health_add(health, "warehouse", true, "session open");
    else
        mf_health_add(health, "warehouse", false, "%s",
                      sink->hold_reason[0] != '\0' ? sink->hold_reason : "no session with the warehouse yet");
    check_tables(sink, health);
    check_partitions(sink, health);
    check_letters(sink, health);
}

bool snk_sink_is_alive(const struct snk_sink *sink)
{
    return mf_clock_monotonic_us() - mf_kafka_consumer_last_poll_us(sink->consumer) < POLL_ALIVE_US;
}

void snk_sink_status(const struct snk_sink *sink, char *text, size_t size)
{
    char commit[64] = "none yet";
    if (sink->last_commit_us != 0)
        snprintf(commit, sizeof commit, "%" PRId64 " s ago",
                 (mf_clock_monotonic_us() - sink->last_commit_us) / MF_US_PER_SECOND);
    unsigned stopped = 0;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        stopped += sink->breakers[table].state != SNK_BREAKER_CLOSED ? 1 : 0;
    for (size_t i = 0; i < sink->partition_count; i++)
        stopped += sink->partitions[i].breaker.state != SNK_BREAKER_CLOSED ? 1 : 0;
    snprintf(text, size,
             "%zu partitions, warehouse %s, %zu rows buffered, %" PRIu64 " loaded, last commit %s%s",
             sink->partition_count, snk_warehouse_is_open(sink->warehouse) ? "up" : "down", sink->batch.count,
             sink->rows_landed, commit, stopped > 0 ? ", some tables or partitions stopped" : "");
}
