// SPDX-License-Identifier: Apache-2.0
#include "services/processor/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/processor/engine_private.h"

#define LIVE_LAG_HIGH 1000 // records: backfill waits while the live feed trails by more
#define BALANCE_MS 1000
#define RETRY_BASE_MS 100
#define RETRY_MAX_MS 10000
#define POLL_STALE_US (15 * MF_US_PER_SECOND)
#define POLL_STUCK_US (60 * MF_US_PER_SECOND)
#define METADATA_TIMEOUT_MS 2000

struct prc_progress *prc_engine_progress(struct prc_engine *engine, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < engine->progress_count; i++)
        if (engine->progress[i].partition == partition && strcmp(engine->progress[i].topic, topic) == 0)
            return &engine->progress[i];
    engine->progress = mf_realloc(engine->progress, (engine->progress_count + 1) * sizeof(*engine->progress));
    struct prc_progress *progress = &engine->progress[engine->progress_count++];
    *progress = (struct prc_progress){.topic = mf_strdup(topic),
                                      .partition = partition,
                                      .next = -1,
                                      .backfill = strcmp(topic, engine->topics[MF_TOPIC_RAW_BACKFILL]) == 0};
    return progress;
}

static void forget_progress(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->progress_count; i++)
        free(engine->progress[i].topic);
    free(engine->progress);
    engine->progress = NULL;
    engine->progress_count = 0;
}

void prc_engine_retry(struct prc_engine *engine, const struct mf_error *err, const char *doing)
{
    int64_t delay_ms = mf_backoff_next_ms(&engine->backoff);
    if (&engine->last_error != err)
        engine->last_error = *err;
    mf_log_error(engine->service->log, MF_LOG_WARNING, "processor", "retrying", err, doing);
    mf_timer_arm_ms(engine->retry_timer, delay_ms);
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
    for (size_t i = 0; i < engine->progress_count; i++)
        engine->progress[i].held_back = false;
    mf_kafka_consumer_resume_all(engine->consumer);
    mf_kafka_consumer_hold(engine->consumer, false);
}

static void observe(struct prc_engine *engine, enum mf_event_type type, int64_t started_us,
                    int64_t ingested_us)
{
    if (engine->folding[type] == NULL)
        return;
    mf_metric_observe(engine->folding[type], (double)(mf_clock_monotonic_us() - started_us) / 1e6);
    if (ingested_us > 0)
        mf_metric_observe(engine->age[type], (double)(mf_clock_real_us() - ingested_us) / 1e6);
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct prc_engine *engine = arg;
    if (engine->state == PRC_ENGINE_IDLE && !engine->draining && prc_engine_begin(engine) < 0)
        return MF_CONSUME_STOP;
    if (engine->state != PRC_ENGINE_OPEN) { // it will be read again after the rewind
        mf_kafka_consumer_pause(engine->consumer, message->topic, message->partition);
        return MF_CONSUME_STOP;
    }
    int64_t started_us = mf_clock_monotonic_us();
    struct prc_progress *progress = prc_engine_progress(engine, message->topic, message->partition);
    struct prc_input input = {.role = progress->backfill ? MF_TOPIC_RAW_BACKFILL : MF_TOPIC_RAW,
                              .topic = message->topic,
                              .partition = message->partition,
                              .offset = message->offset,
                              .timestamp_ms = message->timestamp_ms,
                              .value = message->value};
    engine->fold_partition = message->partition;
    enum mf_event_type type = MF_EVENT_TYPE_MAX;
    int64_t ingested_us = 0;
    prc_fold_record(engine->fold, &input, prc_engine_emit, engine);
    prc_fold_last(engine->fold, &type, &ingested_us);
    if (type != MF_EVENT_TYPE_MAX)
        observe(engine, type, started_us, progress->backfill ? 0 : ingested_us);
    progress->next = message->offset + 1;
    progress->in_txn = true;
    engine->txn_records++;
    // Pressure is announced after the turn, when the rest of it would no longer fit into the queue.
    bool full = engine->txn_records >= engine->commit_records || engine->txn_bytes >= engine->commit_bytes ||
                mf_kafka_producer_pressure(engine->producer);
    if (!full && !engine->txn_failed)
        return MF_CONSUME_NEXT;
    if (engine->state == PRC_ENGINE_OPEN) // its announcement may have begun the flush already
        prc_engine_begin_flush(engine);
    return MF_CONSUME_STOP;
}

static void on_assign(void *arg, struct mf_kafka_offset *offsets, size_t count)
{
    struct prc_engine *engine = arg;
    (void)offsets; // the group's committed offsets: they are part of our transactions
    prc_fold_clear(engine->fold);
    forget_progress(engine);
    mf_metric_add(engine->cold, (double)count);
    if (count > 0)
        MF_LOGF(engine->service->log, MF_LOG_WARNING, "processor", "state_cold",
                MF_FIELDS(mf_lf_i64("partitions", (int64_t)count)),
                "state starts empty: statistics warm up again, repeats of earlier records pass once");
}

static void on_revoke(void *arg, bool lost)
{
    struct prc_engine *engine = arg;
    prc_engine_settle(engine, lost);
    engine->txn_records = engine->txn_bytes = 0;
    engine->txn_failed = engine->outcome_unknown = false;
    prc_fold_clear(engine->fold);
    forget_progress(engine);
    mf_kafka_consumer_hold(engine->consumer, false);
}

static int64_t on_out_of_range(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high)
{
    struct prc_engine *engine = arg;
    MF_LOGF(
        engine->service->log, engine->reset_earliest ? MF_LOG_ERROR : MF_LOG_CRITICAL, "processor",
        "offset_out_of_range",
        MF_FIELDS(mf_lf_str("topic", topic), mf_lf_i64("partition", partition), mf_lf_i64("low", low),
                  mf_lf_i64("high", high)),
        "the next input offset is not in the log: records were removed before they were processed, or the "
        "topic was made anew (%s)",
        engine->reset_earliest ? "going on from the earliest"
                               : "PROCESSOR_OFFSET_RESET=earliest accepts the loss");
    return engine->reset_earliest ? low : -1;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct prc_engine *engine = arg;
    mf_service_fail(engine->service, err, "consuming");
}

static void balance(void *arg)
{
    struct prc_engine *engine = arg;
    if (engine->consumer == NULL || (engine->state != PRC_ENGINE_IDLE && engine->state != PRC_ENGINE_OPEN))
        return;
    for (size_t i = 0; i < engine->progress_count; i++) {
        struct prc_progress *progress = &engine->progress[i];
        if (!progress->backfill)
            continue;
        const char *live = engine->topics[MF_TOPIC_RAW];
        int64_t high = mf_kafka_consumer_high_watermark(engine->consumer, live, progress->partition);
        int64_t position = mf_kafka_consumer_position(engine->consumer, live, progress->partition);
        int64_t lag = high >= 0 && position >= 0 ? high - position : 0;
        if (!progress->held_back && lag > LIVE_LAG_HIGH) {
            mf_kafka_consumer_pause(engine->consumer, progress->topic, progress->partition);
            progress->held_back = true;
        } else if (progress->held_back && lag <= 0) {
            mf_kafka_consumer_resume(engine->consumer, progress->topic, progress->partition);
            progress->held_back = false;
        }
    }
}

int prc_engine_check_partitions(struct prc_engine *engine, struct mf_error *err)
{
    // An output goes to its input's partition, so all must have the same.
    static const enum mf_topic_role roles[] = {MF_TOPIC_RAW,
                                               MF_TOPIC_RAW_BACKFILL,
                                               MF_TOPIC_BARS_FILTERED,
                                               MF_TOPIC_NEWS_FILTERED,
                                               MF_TOPIC_OPTION_BARS_FILTERED,
                                               MF_TOPIC_SYMBOLS_FILTERED,
                                               MF_TOPIC_CORPORATE_ACTIONS_FILTERED,
                                               MF_TOPIC_FEED_STATUS_FILTERED,
                                               MF_TOPIC_ALERTS,
                                               MF_TOPIC_METRICS,
                                               MF_TOPIC_DLQ};
    for (size_t i = 0; i < MF_ARRAY_LEN(roles) && !engine->partitions_checked; i++) {
        int32_t count = 0;
        const char *topic = engine->topics[roles[i]];
        if (mf_kafka_partition_count(engine->producer, topic, METADATA_TIMEOUT_MS, &count, err) < 0)
            return -1;
        if (count != engine->partitions)
            return mf_error_set(
                err, MF_ERROR_CONFIG, "partition_count",
                "topic %s has %d partitions, KAFKA_PARTITIONS says %d: set KAFKA_PARTITIONS=%d, or "
                "create the topics anew with marketflowctl topics apply",
                topic, (int)count, (int)engine->partitions, (int)count);
    }
    engine->partitions_checked = true;
    return 0;
}

int prc_engine_join(struct prc_engine *engine, struct mf_error *err)
{
    if (engine->consumer != NULL)
        return 0;
    struct mf_kafka_consumer_config config = {
        .group = engine->group, .topics = engine->inputs, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message,
                                        .on_assign = on_assign,
                                        .on_revoke = on_revoke,
                                        .on_out_of_range = on_out_of_range,
                                        .on_fatal = on_fatal,
                                        .arg = engine};
    return mf_kafka_consumer_new(&engine->kafka, &config, &ops, &engine->consumer, err);
}

static void load_settings(struct prc_engine *engine)
{
    const struct mf_settings *settings = engine->service->settings;
    for (int role = 0; role < MF_TOPIC_MAX; role++)
        engine->topics[role] = mf_topic_name(settings, (enum mf_topic_role)role);
    engine->inputs[0] = engine->topics[MF_TOPIC_RAW];
    engine->inputs[1] = engine->topics[MF_TOPIC_RAW_BACKFILL];
    engine->commit_ms = mf_settings_integer(settings, "PROCESSOR_COMMIT_MS");
    engine->commit_records = (size_t)mf_settings_integer(settings, "PROCESSOR_COMMIT_RECORDS");
    engine->commit_bytes = (size_t)mf_settings_integer(settings, "PROCESSOR_COMMIT_BYTES");
    engine->partitions = (int32_t)mf_settings_integer(settings, "KAFKA_PARTITIONS");
    engine->reset_earliest = strcmp(mf_settings_string(settings, "PROCESSOR_OFFSET_RESET"), "earliest") == 0;
    struct mf_buf name;
    mf_buf_init(&name, 512);
    mf_buf_addf(&name, "%s-processor", mf_settings_string(settings, "KAFKA_GROUP_PREFIX"));
    engine->group = mf_strdup(mf_buf_c_str(&name));
    mf_buf_addf(&name, ".%s", engine->service->instance);
    engine->transactional_id = mf_strdup(mf_buf_c_str(&name));
    mf_buf_free(&name);
}

struct prc_engine *prc_engine_new(struct mf_service *service)
{
    struct prc_engine *engine = mf_calloc(1, sizeof(*engine));
    engine->service = service;
    engine->last_error.class = MF_ERROR_CLASS_MAX;
    prc_rule_config_load(service->settings, &engine->rules);
    load_settings(engine);
    engine->kafka = (struct mf_kafka_config){.loop = service->loop,
                                             .log = service->log,
                                             .metrics = service->metrics,
                                             .settings = service->settings,
                                             .client_id = "marketflow-processor",
                                             .instance = service->instance};
    engine->fold =
        prc_fold_new(&engine->rules, (size_t)mf_settings_integer(service->settings, "PROCESSOR_MAX_CELLS"));
    engine->commit_timer = mf_timer_new(service->loop, prc_engine_commit_due, engine);
    engine->flush_timer = mf_timer_new(service->loop, prc_engine_try_commit, engine);
    engine->retry_timer = mf_timer_new(service->loop, prc_engine_connect, engine);
    engine->balance_timer = mf_timer_new(service->loop, balance, engine);
    engine->commit_now = mf_deferred_new(service->loop, prc_engine_try_commit, engine);
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    mf_backoff_init(&engine->backoff, RETRY_BASE_MS, RETRY_MAX_MS, mf_random_seed());
    prc_engine_metrics_init(engine);
    mf_timer_arm_every_ms(engine->balance_timer, BALANCE_MS);
    mf_timer_arm_ms(engine->retry_timer, 0);
    return engine;
}

void prc_engine_free(struct prc_engine **out)
{
    struct prc_engine *engine = *out;
    if (engine == NULL)
        return;
    mf_timer_free(&engine->commit_timer);
    mf_timer_free(&engine->flush_timer);
    mf_timer_free(&engine->retry_timer);
    mf_timer_free(&engine->balance_timer);
    mf_deferred_free(&engine->commit_now);
    mf_kafka_consumer_free(&engine->consumer);
    mf_kafka_producer_free(&engine->producer);
    forget_progress(engine);
    prc_fold_free(&engine->fold);
    free(engine->group);
    free(engine->transactional_id);
    free(engine);
    *out = NULL;
}

static void on_closed(void *arg)
{
    struct prc_engine *engine = arg;
    engine->state = PRC_ENGINE_CLOSED;
    mf_service_drained(engine->service);
}

static void leave(struct prc_engine *engine)
{
    mf_timer_cancel(engine->retry_timer);
    engine->state = PRC_ENGINE_CLOSING;
    if (engine->consumer == NULL)
        on_closed(engine);
    else
        mf_kafka_consumer_close(engine->consumer, on_closed, engine);
}

void prc_engine_after_commit(struct prc_engine *engine)
{
    if (engine->draining && engine->state == PRC_ENGINE_IDLE)
        leave(engine);
}

void prc_engine_drain(struct prc_engine *engine)
{
    engine->draining = true;
    if (engine->state == PRC_ENGINE_OPEN)
        prc_engine_begin_flush(engine);
    else if (engine->state != PRC_ENGINE_FLUSHING && engine->state != PRC_ENGINE_CLOSING)
        leave(engine); // nothing of ours is in flight that a restart would not settle
}

void prc_engine_check_ready(struct prc_engine *engine, struct mf_health *health)
{
    bool usable = engine->state != PRC_ENGINE_CONNECTING && engine->state != PRC_ENGINE_REWINDING;
    mf_health_add(health, "transactions", usable, "%s",
                  usable                                          ? "producer initialised"
                  : engine->last_error.class < MF_ERROR_CLASS_MAX ? engine->last_error.message
                                                                  : "connecting");
    // The assignment outlives a broker that is away until the session times out.
    bool connected = engine->consumer != NULL && mf_kafka_consumer_connected(engine->consumer);
    mf_health_add(health, "broker", connected, "%s", connected ? "connected" : "no broker is up");
    bool joined = engine->consumer != NULL && mf_kafka_consumer_joined(engine->consumer);
    mf_health_add(health, "group", joined, "%zu partitions assigned",
                  joined ? mf_kafka_consumer_assigned(engine->consumer) : 0);
    int64_t polled = engine->consumer != NULL ? mf_kafka_consumer_last_poll_us(engine->consumer) : 0;
    bool fresh = polled > 0 && mf_clock_monotonic_us() - polled < POLL_STALE_US;
    mf_health_add(health, "poll", fresh, "%s", fresh ? "polling" : "no poll for 15 s");
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
    for (int r = 0; r < PRC_RESULT_MAX; r++)
        bars += counts->events[MF_EVENT_BAR][r];
    snprintf(text, size, "%zu partitions, %zu symbols, %llu bars, %.0f transactions",
             engine->consumer != NULL ? mf_kafka_consumer_assigned(engine->consumer) : 0,
             prc_fold_cells(engine->fold), (unsigned long long)bars, mf_metric_value(engine->txn_committed));
}
