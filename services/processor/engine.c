// SPDX-License-Identifier: Apache-2.0
#include "services/processor/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/processor/config.h"
#include "services/processor/engine_private.h"

#define BALANCE_MS 1000
#define PARTITIONS_TICKS 5 // seconds between two looks at the topics' partition counts
#define RETRY_BASE_MS 100
#define RETRY_MAX_MS 10000
#define POLL_STALE_US (15 * MF_US_PER_SECOND)
#define POLL_STUCK_US (60 * MF_US_PER_SECOND)

void prc_engine_retry(struct prc_engine *engine, const struct mf_error *err, const char *doing)
{
    int64_t delay_ms = mf_backoff_next_ms(&engine->backoff);
    if (&engine->last_error != err)
        engine->last_error = *err;
    mf_log_error(engine->service->log, MF_LOG_WARNING, "processor", "retrying", err, doing);
    mf_timer_arm_ms(engine->retry_timer, delay_ms);
}

void prc_engine_retry_due(void *arg)
{
    struct prc_engine *engine = arg;
    if (engine->state == PRC_ENGINE_CONNECTING)
        prc_engine_connect(engine);
    else if (engine->state == PRC_ENGINE_RESTORING)
        prc_restore_go_on(engine);
}

void prc_engine_stop_intake(struct prc_engine *engine)
{
    if (engine->consumer == NULL)
        return;
    mf_kafka_consumer_pause_all(engine->consumer);
    mf_kafka_consumer_hold(engine->consumer, false);
}

void prc_engine_start_intake(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->assigned_count; i++)
        engine->assigned[i].held_back = false;
    mf_kafka_consumer_resume_all(engine->consumer);
    mf_kafka_consumer_hold(engine->consumer, false);
}

int prc_engine_check_partitions(struct prc_engine *engine, int timeout_ms, struct mf_error *err)
{
    // An output goes to its input's partition, and so does its state: all must have the same.
    for (int role = 0; role < MF_TOPIC_MAX; role++) {
        int32_t count = 0;
        const char *topic = engine->topics[role];
        if (mf_topics[role].partitions != MF_TOPIC_PARTITIONS_SHARED)
            continue;
        if (mf_kafka_partition_count(engine->producer, topic, timeout_ms, &count, err) < 0) {
            if (strcmp(err->code, "unknown_topic") == 0)
                mf_error_set(err, err->class, "unknown_topic",
                             "topic %s does not exist: marketflowctl topics apply makes it", topic);
            return -1;
        }
        if (count != engine->partitions)
            return mf_error_set(err, MF_ERROR_CONFIG, "partition_count",
                                "topic %s has %d partitions, KAFKA_PARTITIONS says %d: keys would move "
                                "between partitions. Set KAFKA_PARTITIONS=%d if every topic has that many, "
                                "else delete the topics and make them anew with marketflowctl topics apply",
                                topic, (int)count, (int)engine->partitions, (int)count);
    }
    return 0;
}

int prc_engine_join(struct prc_engine *engine, struct mf_error *err)
{
    if (engine->consumer != NULL)
        return 0;
    struct mf_kafka_consumer_config config = {
        .group = engine->group, .topics = engine->inputs, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = prc_engine_consumer_ops(engine);
    return mf_kafka_consumer_new(&engine->kafka, &config, &ops, &engine->consumer, err);
}

// ---------------------------------------------------------------- once a second

// Partitions that were added to a topic while we run: keys would go elsewhere than their state.
static void watch_partitions(struct prc_engine *engine)
{
    struct mf_error err;
    bool running = engine->state == PRC_ENGINE_IDLE || engine->state == PRC_ENGINE_OPEN;
    if (running && !engine->draining && engine->ticks % PARTITIONS_TICKS == 0 &&
        prc_engine_check_partitions(engine, 0, &err) < 0 && err.class == MF_ERROR_CONFIG)
        mf_service_fail(engine->service, &err, "looking at the topics' partitions");
}

static void on_tick(void *arg)
{
    struct prc_engine *engine = arg;
    engine->ticks++;
    if (engine->consumer == NULL)
        return;
    if (!mf_kafka_consumer_connected(engine->consumer))
        prc_engine_trouble(engine);
    prc_restore_progress(engine);
    prc_engine_balance(engine);
    watch_partitions(engine);
    // Cells that nothing touches any more are stored too.
    if (engine->state == PRC_ENGINE_IDLE && !engine->draining && !engine->settling &&
        prc_engine_snapshot_due(engine) && prc_engine_begin(engine) == 0)
        prc_engine_begin_flush(engine);
}

// ---------------------------------------------------------------- life

static void load_names(struct prc_engine *engine)
{
    const struct mf_settings *settings = engine->service->settings;
    for (int role = 0; role < MF_TOPIC_MAX; role++)
        engine->topics[role] = mf_topic_name(settings, (enum mf_topic_role)role);
    engine->inputs[0] = engine->topics[MF_TOPIC_RAW];
    engine->inputs[1] = engine->topics[MF_TOPIC_RAW_BACKFILL];
    struct mf_buf name;
    mf_buf_init(&name, 512);
    mf_buf_addf(&name, "%s-processor", mf_settings_string(settings, "KAFKA_GROUP_PREFIX"));
    engine->group = mf_strdup(mf_buf_c_str(&name));
    mf_buf_addf(&name, ".%s", engine->service->instance);
    engine->transactional_id = mf_strdup(mf_buf_c_str(&name));
    mf_buf_free(&name);
}

static void load_settings(struct prc_engine *engine)
{
    const struct mf_settings *settings = engine->service->settings;
    engine->commit_ms = mf_settings_integer(settings, "PROCESSOR_COMMIT_MS");
    engine->commit_records = (size_t)mf_settings_integer(settings, "PROCESSOR_COMMIT_RECORDS");
    engine->commit_bytes = (size_t)mf_settings_integer(settings, "PROCESSOR_COMMIT_BYTES");
    engine->max_cells = (size_t)mf_settings_integer(settings, "PROCESSOR_MAX_CELLS");
    engine->partitions = (int32_t)mf_settings_integer(settings, "KAFKA_PARTITIONS");
    engine->snapshot_interval_us =
        mf_settings_integer(settings, "PROCESSOR_SNAPSHOT_INTERVAL_MS") * MF_US_PER_MS;
    engine->restore_stall_ms = mf_settings_integer(settings, "PROCESSOR_RESTORE_STALL_MS");
    engine->reset_earliest = strcmp(mf_settings_string(settings, "PROCESSOR_OFFSET_RESET"), "earliest") == 0;
    engine->rebuild = strcmp(mf_settings_string(settings, "PROCESSOR_STATE_MISMATCH"), "rebuild") == 0;
    prc_changelog_init(&engine->changelog, (int)mf_settings_integer(settings, "PROCESSOR_SNAPSHOT_SHARE_PCT"),
                       prc_engine_put, engine);
}

static void make_timers(struct prc_engine *engine)
{
    struct mf_loop *loop = engine->service->loop;
    engine->commit_timer = mf_timer_new(loop, prc_engine_commit_due, engine);
    engine->retry_timer = mf_timer_new(loop, prc_engine_retry_due, engine);
    engine->balance_timer = mf_timer_new(loop, on_tick, engine);
    engine->commit_now = mf_deferred_new(loop, prc_engine_try_commit, engine);
    mf_timer_arm_every_ms(engine->balance_timer, BALANCE_MS);
    mf_timer_arm_ms(engine->retry_timer, 0);
}

int prc_engine_new(struct mf_service *service, struct prc_engine **out, struct mf_error *err)
{
    struct prc_engine *engine = mf_calloc(1, sizeof(*engine));
    if (prc_fold_config_load(service->settings, &engine->calendar, &engine->config, err) < 0) {
        free(engine);
        return -1;
    }
    engine->service = service;
    engine->last_error.class = MF_ERROR_CLASS_MAX;
    engine->fold = prc_fold_new(&engine->config);
    engine->fold_rules = &engine->config.rules;
    engine->rules = prc_rules_hash(&engine->config.rules);
    engine->shape = prc_shape_hash(&engine->config);
    load_names(engine);
    load_settings(engine);
    mf_kafka_fence_init(&engine->fence, service->settings);
    engine->kafka = (struct mf_kafka_config){.loop = service->loop,
                                             .log = service->log,
                                             .metrics = service->metrics,
                                             .settings = service->settings,
                                             .client_id = "marketflow-processor",
                                             .instance = service->instance};
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    mf_backoff_init(&engine->backoff, RETRY_BASE_MS, RETRY_MAX_MS, mf_random_seed());
    prc_engine_metrics_init(engine);
    make_timers(engine);
    *out = engine;
    return 0;
}

void prc_engine_free(struct prc_engine **out)
{
    struct prc_engine *engine = *out;
    if (engine == NULL)
        return;
    mf_timer_free(&engine->commit_timer);
    mf_timer_free(&engine->retry_timer);
    mf_timer_free(&engine->balance_timer);
    mf_deferred_free(&engine->commit_now);
    prc_restore_stop(engine);
    mf_kafka_consumer_free(&engine->consumer);
    mf_kafka_producer_free(&engine->producer);
    prc_engine_forget(engine);
    prc_changelog_free(&engine->changelog);
    prc_fold_free(&engine->fold);
    mf_calendar_free(&engine->calendar);
    free(engine->group);
    free(engine->transactional_id);
    free(engine);
    *out = NULL;
}

// ---------------------------------------------------------------- leaving

static void on_closed(void *arg)
{
    struct prc_engine *engine = arg;
    engine->state = PRC_ENGINE_CLOSED;
    mf_service_drained(engine->service);
}

void prc_engine_leave(struct prc_engine *engine)
{
    mf_timer_cancel(engine->retry_timer);
    prc_restore_stop(engine);
    engine->state = PRC_ENGINE_CLOSING;
    if (engine->consumer == NULL)
        on_closed(engine);
    else
        mf_kafka_consumer_close(engine->consumer, on_closed, engine);
}

void prc_engine_drain(struct prc_engine *engine)
{
    int64_t grace_us = mf_settings_integer(engine->service->settings, "SHUTDOWN_GRACE_MS") * MF_US_PER_MS;
    engine->draining = true;
    engine->settling = true; // so that the next start has nothing to replay
    engine->settle_until_us = mf_clock_monotonic_us() + grace_us / 2;
    if (engine->state == PRC_ENGINE_OPEN)
        prc_engine_begin_flush(engine);
    else if (engine->state == PRC_ENGINE_IDLE && prc_engine_store_all(engine))
        return;
    else if (engine->state != PRC_ENGINE_FLUSHING && engine->state < PRC_ENGINE_CLOSING)
        prc_engine_leave(engine); // nothing of ours is in flight that a restart would not settle
}

// ---------------------------------------------------------------- health

static void check_state(struct prc_engine *engine, struct mf_health *health)
{
    char text[200];
    prc_restore_describe(engine, text, sizeof text);
    bool restoring = engine->state == PRC_ENGINE_RESTORING || (engine->settling && !engine->draining);
    bool failed = restoring && engine->restore.step == PRC_RESTORE_WAIT &&
                  engine->last_error.class < MF_ERROR_CLASS_MAX;
    mf_health_add(health, "state", !restoring, "%s%s%s", text, failed ? "; " : "",
                  failed ? engine->last_error.message : "");
}

// The consumer, which says it while it runs, is made after a producer has seen every topic.
static bool is_connected(const struct prc_engine *engine)
{
    if (engine->consumer != NULL)
        return mf_kafka_consumer_connected(engine->consumer);
    return engine->producer != NULL && mf_kafka_producer_connected(engine->producer);
}

void prc_engine_check_ready(struct prc_engine *engine, struct mf_health *health)
{
    bool usable = engine->state != PRC_ENGINE_CONNECTING;
    mf_health_add(health, "transactions", usable, "%s",
                  usable                                          ? "producer initialised"
                  : engine->last_error.class < MF_ERROR_CLASS_MAX ? engine->last_error.message
                                                                  : "connecting");
    check_state(engine, health);
    // The assignment outlives a broker that is away until the session times out.
    bool connected = is_connected(engine);
    mf_health_add(health, "broker", connected, "%s", connected ? "connected" : "no broker is up");
    bool joined = engine->consumer != NULL && mf_kafka_consumer_joined(engine->consumer);
    mf_health_add(health, "group", joined, "%zu partitions assigned",
                  joined ? mf_kafka_consumer_assigned(engine->consumer) : 0);
    int64_t polled = engine->consumer != NULL ? mf_kafka_consumer_last_poll_us(engine->consumer) : 0;
    bool fresh = polled > 0 && mf_clock_monotonic_us() - polled < POLL_STALE_US;
    mf_health_add(health, "poll", fresh, "%s",
                  fresh         ? "polling"
                  : polled == 0 ? "the consumer is not made yet"
                                : "no poll for 15 s");
}

bool prc_engine_is_alive(struct prc_engine *engine)
{
    // Polling goes on without a broker, so a stale poll means a stuck pipeline, never a dead dependency.
    return engine->consumer == NULL ||
           mf_clock_monotonic_us() - mf_kafka_consumer_last_poll_us(engine->consumer) < POLL_STUCK_US;
}

void prc_engine_status(struct prc_engine *engine, char *text, size_t size)
{
    const struct prc_counts *counts = prc_fold_counts(engine->fold);
    uint64_t bars = 0;
    size_t cells = 0;
    if (engine->state == PRC_ENGINE_RESTORING) {
        prc_restore_describe(engine, text, size);
        return;
    }
    for (int r = 0; r < PRC_RESULT_MAX; r++)
        bars += counts->events[MF_EVENT_BAR][r];
    for (size_t i = 0; i < engine->assigned_count; i++)
        cells += engine->assigned[i].state != NULL ? engine->assigned[i].state->count : 0;
    snprintf(text, size, "%zu partitions, %zu symbols, %llu bars, %.0f transactions", engine->assigned_count,
             cells, (unsigned long long)bars, mf_metric_value(engine->txn_committed));
}
