// SPDX-License-Identifier: Apache-2.0
// What comes from the consumer group: partitions, records, offsets that are gone.
#include <inttypes.h>
#include <stdlib.h>

#include "common/event.h"
#include "services/processor/engine_restore.h"

#define TIMED_ONE_IN 16
#define LIVE_LAG_HIGH 1000 // records: backfill waits while the live feed trails by more

// ---------------------------------------------------------------- partitions

struct prc_assigned *prc_engine_assigned(struct prc_engine *engine, const char *topic, int32_t partition)
{
    // Records come in runs of one partition; the consumer's topic names stay where they are.
    if (engine->hint < engine->assigned_count) {
        struct prc_assigned *last = &engine->assigned[engine->hint];
        if (last->number == partition && strcmp(last->topic, topic) == 0)
            return last;
    }
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->number != partition || strcmp(assigned->topic, topic) != 0)
            continue;
        engine->hint = i;
        return assigned;
    }
    return NULL;
}

void prc_assigned_drop(struct prc_assigned *assigned)
{
    prc_partition_free(&assigned->state);
    prc_history_clear(&assigned->history);
    prc_recovered_clear(&assigned->recovered);
    assigned->phase = PRC_PHASE_EMPTY;
    assigned->next = -1;
    assigned->floor_ms = assigned->ended_us = 0;
    assigned->in_txn = assigned->rebuilt = assigned->offsets_gone = assigned->has_rules = false;
}

void prc_engine_forget(struct prc_engine *engine)
{
    // The fold must not be left with rules whose words go away.
    if (engine->fold_rules != &engine->config.rules) {
        prc_fold_set_rules(engine->fold, &engine->config.rules);
        engine->fold_rules = &engine->config.rules;
    }
    for (size_t i = 0; i < engine->assigned_count; i++) {
        prc_assigned_drop(&engine->assigned[i]);
        free(engine->assigned[i].topic);
    }
    free(engine->assigned);
    engine->assigned = NULL;
    engine->assigned_count = engine->hint = 0;
}

static void on_assign(void *arg, struct mf_kafka_offset *offsets, size_t count)
{
    struct prc_engine *engine = arg;
    prc_restore_stop(engine);
    prc_engine_forget(engine);
    mf_kafka_fence_worked(&engine->fence);
    engine->restore.mismatches = 0; // those of other partitions
    engine->assigned = mf_calloc(count, sizeof(*engine->assigned));
    for (size_t i = 0; i < count; i++) {
        bool backfill = strcmp(offsets[i].topic, engine->topics[MF_TOPIC_RAW_BACKFILL]) == 0;
        engine->assigned[engine->assigned_count++] =
            (struct prc_assigned){.topic = mf_strdup(offsets[i].topic),
                                  .role = backfill ? MF_TOPIC_RAW_BACKFILL : MF_TOPIC_RAW,
                                  .number = offsets[i].partition,
                                  .next = -1};
        if (offsets[i].partition >= engine->partitions) {
            struct mf_error err;
            mf_error_set(
                &err, MF_ERROR_CONFIG, "partition_count",
                "topic %s has %d partitions or more, KAFKA_PARTITIONS says %d: keys would move between "
                "partitions. Set KAFKA_PARTITIONS if every topic has as many, else delete the topics and "
                "make them anew with marketflowctl topics apply",
                offsets[i].topic, (int)offsets[i].partition + 1, (int)engine->partitions);
            mf_service_fail(engine->service, &err, "taking partitions");
        }
    }
    mf_kafka_consumer_pause_all(engine->consumer); // until their state is there
    if (engine->state == PRC_ENGINE_IDLE && !engine->draining && count > 0)
        prc_restore_begin(engine);
}

static void on_revoke(void *arg, bool lost)
{
    struct prc_engine *engine = arg;
    if (lost && !mf_kafka_consumer_given_up(engine->consumer))
        mf_kafka_fence_session_lost(&engine->fence, mf_clock_monotonic_us());
    prc_engine_settle(engine, lost);
    prc_restore_stop(engine);
    if (engine->state == PRC_ENGINE_RESTORING)
        engine->state = PRC_ENGINE_IDLE;
    engine->txn_records = engine->txn_bytes = engine->txn_cells = 0;
    engine->txn_failed = false;
    engine->settling = engine->draining;
    prc_engine_forget(engine);
    mf_kafka_consumer_hold(engine->consumer, false);
}

// ---------------------------------------------------------------- records

static void observe(struct prc_engine *engine, const struct prc_assigned *assigned, int64_t started_us)
{
    enum mf_event_type type = MF_EVENT_TYPE_MAX;
    int64_t ingested_us = 0;
    prc_fold_last(engine->fold, &type, &ingested_us);
    if (type == MF_EVENT_TYPE_MAX || engine->folding[type] == NULL)
        return;
    mf_metric_observe(engine->folding[type], (double)(mf_clock_monotonic_us() - started_us) / 1e6);
    if (ingested_us > 0 && assigned->role == MF_TOPIC_RAW)
        mf_metric_observe(engine->age[type], (double)(mf_clock_real_us() - ingested_us) / 1e6);
}

void prc_engine_fold(struct prc_engine *engine, struct prc_assigned *assigned,
                     const struct mf_kafka_message *message, prc_emit_fn emit)
{
    struct prc_input input = {.topic = message->topic,
                              .offset = message->offset,
                              .timestamp_ms = message->timestamp_ms,
                              .key = message->key,
                              .value = message->value};
    // Live records that were put back are refused or folded like any other.
    if (assigned->role == MF_TOPIC_RAW_BACKFILL)
        input.replayed = mf_kafka_message_header(message, MF_HEADER_ORIGIN_TOPIC).data != NULL;
    prc_fold_record(engine->fold, assigned->state, &input, emit, engine);
    assigned->next = message->offset + 1;
    enum mf_event_type type = MF_EVENT_TYPE_MAX;
    int64_t ingested_us = 0;
    prc_fold_last(engine->fold, &type, &ingested_us);
    if (type == MF_EVENT_HEARTBEAT) // nothing else moves a clock
        prc_history_note(&assigned->history, assigned->next, assigned->state);
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct prc_engine *engine = arg;
    struct prc_assigned *assigned = prc_engine_assigned(engine, message->topic, message->partition);
    if (engine->state == PRC_ENGINE_RESTORING && assigned != NULL && assigned->phase == PRC_PHASE_REPLAY)
        return prc_restore_message(engine, message);
    bool ready = assigned != NULL && assigned->phase == PRC_PHASE_READY && !engine->settling;
    if (engine->state == PRC_ENGINE_IDLE && ready && !engine->draining && prc_engine_begin(engine) < 0)
        return MF_CONSUME_STOP;
    if (engine->state != PRC_ENGINE_OPEN || !ready) { // it will be read again after going back
        mf_kafka_consumer_pause(engine->consumer, message->topic, message->partition);
        return MF_CONSUME_STOP;
    }
    // Three looks at the clock cost as much as a third of the fold: one record in sixteen is timed, and the
    // first of every transaction, so that at a low rate all are.
    bool timed = engine->txn_records % TIMED_ONE_IN == 0;
    int64_t started_us = timed ? mf_clock_monotonic_us() : 0;
    engine->fold_partition = message->partition;
    prc_engine_fold(engine, assigned, message, prc_engine_emit);
    if (timed)
        observe(engine, assigned, started_us);
    assigned->in_txn = true;
    engine->txn_records++;
    // Pressure is announced after the turn, when the rest of it would no longer fit into the queue.
    bool full = engine->txn_records >= engine->commit_records || engine->txn_bytes >= engine->commit_bytes ||
                mf_kafka_producer_pressure(engine->producer);
    if (!full && !engine->txn_failed) {
        if (!mf_kafka_producer_busy(engine->producer))
            return MF_CONSUME_NEXT;
        engine->waiting = true;
        mf_kafka_consumer_hold(engine->consumer, true);
        return MF_CONSUME_STOP;
    }
    if (engine->state == PRC_ENGINE_OPEN) // its announcement may have begun the flush already
        prc_engine_begin_flush(engine);
    return MF_CONSUME_STOP;
}

static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct prc_engine *engine = arg;
    if (engine->state == PRC_ENGINE_RESTORING)
        prc_restore_eof(engine, topic, partition, offset);
}

// ---------------------------------------------------------------- what is gone

static int64_t on_out_of_range(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high)
{
    struct prc_engine *engine = arg;
    struct prc_assigned *assigned = prc_engine_assigned(engine, topic, partition);
    if (assigned != NULL && assigned->phase == PRC_PHASE_REPLAY)
        return prc_restore_out_of_range(engine, assigned, low, high);
    int64_t asked = mf_kafka_consumer_position(engine->consumer, topic, partition);
    if (asked < 0 && assigned != NULL) // nothing has come yet: the group's offset was asked for
        asked = assigned->next;
    if (asked > high) { // not removed at the beginning, but lost at the end
        prc_restore_input_lost(engine, topic, partition, high, asked);
        return -1;
    }
    if (!engine->reset_earliest) {
        struct mf_error err;
        mf_error_set(&err, MF_ERROR_CONFIG, "offset_out_of_range",
                     "the next offset of topic %s, partition %d is not in the log, which holds %" PRId64
                     " to %" PRId64 ": records were removed before they were processed. "
                     "PROCESSOR_OFFSET_RESET=earliest accepts the loss",
                     topic, (int)partition, low, high);
        mf_service_fail(engine->service, &err, "consuming");
        return -1;
    }
    MF_LOGF(engine->service->log, MF_LOG_ERROR, "processor", "offset_out_of_range",
            MF_FIELDS(mf_lf_str("topic", topic), mf_lf_i64("partition", partition), mf_lf_i64("low", low),
                      mf_lf_i64("high", high)),
            "the next input offset is not in the log: records were removed before they were processed "
            "(going on from the earliest)");
    if (assigned != NULL)
        assigned->low = low; // restored or not, we do not go back there
    return low;
}

// A broker that was away for longer than the session may find that we have taken our own place: then we join
// anew. Somebody else in it is for the supervisor's start limit.
static void on_fatal(void *arg, const struct mf_error *err)
{
    struct prc_engine *engine = arg;
    if (err->class == MF_ERROR_CONFIG && strcmp(err->code, "offset_out_of_range") == 0)
        return; // it was refused above, with its reason
    if (engine->state >= PRC_ENGINE_CLOSING || !prc_engine_forgives(engine, err)) {
        mf_service_fail(engine->service, err, "consuming");
        return;
    }
    prc_engine_settle(engine, true);
    prc_restore_stop(engine);
    prc_engine_forget(engine);
    mf_kafka_consumer_free(&engine->consumer);
    if (engine->draining) {
        prc_engine_leave(engine);
        return;
    }
    engine->settling = false;
    engine->state = PRC_ENGINE_CONNECTING;
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    prc_engine_retry(engine, err, "joining the consumer group again");
}

struct mf_kafka_consumer_ops prc_engine_consumer_ops(struct prc_engine *engine)
{
    return (struct mf_kafka_consumer_ops){.on_message = on_message,
                                          .on_assign = on_assign,
                                          .on_revoke = on_revoke,
                                          .on_eof = on_eof,
                                          .on_out_of_range = on_out_of_range,
                                          .on_fatal = on_fatal,
                                          .arg = engine};
}

// ---------------------------------------------------------------- live before backfill

void prc_engine_balance(struct prc_engine *engine)
{
    if ((engine->state != PRC_ENGINE_IDLE && engine->state != PRC_ENGINE_OPEN) || engine->settling)
        return;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->role != MF_TOPIC_RAW_BACKFILL)
            continue;
        const char *live = engine->topics[MF_TOPIC_RAW];
        int64_t high = mf_kafka_consumer_high_watermark(engine->consumer, live, assigned->number);
        int64_t position = mf_kafka_consumer_position(engine->consumer, live, assigned->number);
        int64_t lag = high >= 0 && position >= 0 ? high - position : 0;
        if (!assigned->held_back && lag > LIVE_LAG_HIGH) {
            mf_kafka_consumer_pause(engine->consumer, assigned->topic, assigned->number);
            assigned->held_back = true;
        } else if (assigned->held_back && lag <= 0) {
            mf_kafka_consumer_resume(engine->consumer, assigned->topic, assigned->number);
            assigned->held_back = false;
        }
    }
}
