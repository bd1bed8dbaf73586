// SPDX-License-Identifier: Apache-2.0
// Back to the state that belongs to the committed offsets, by one path for a start, a rebalance and an abort:
// read the changelog partitions to the ends that they have now (waiting for transactions that are open
// there), then ask for the committed offsets, check that both are of one transaction, decode, go back to the
// floors and replay to the committed offsets without outputs. In this order nobody can commit in between:
// offsets are committed under the group's generation, which is ours. Blocking seam: the committed offsets.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/processor/engine_restore.h"

#define KEYS_MAX ((size_t)1 << 30)

static void use_rules(struct prc_engine *engine, const struct prc_rule_config *rules)
{
    if (engine->fold_rules == rules)
        return;
    prc_fold_set_rules(engine->fold, rules);
    engine->fold_rules = rules;
}

void prc_restore_stop(struct prc_engine *engine)
{
    use_rules(engine, &engine->config.rules);
    mf_kafka_reader_free(&engine->restore.reader);
    prc_recovery_free(&engine->restore.recovery);
    engine->restore.step = PRC_RESTORE_WAIT;
}

static void later(struct prc_engine *engine, enum prc_restore_step step, const struct mf_error *err,
                  const char *doing)
{
    engine->restore.step = step;
    prc_engine_trouble(engine);
    prc_engine_retry(engine, err, doing);
}

// ---------------------------------------------------------------- the changelog

static void on_changelog(void *arg, const struct mf_kafka_message *message)
{
    struct prc_engine *engine = arg;
    struct mf_error err;
    engine->restore.records++;
    if (prc_recovery_add(engine->restore.recovery, message->partition, message->offset, message->key,
                         message->value, &err) < 0) {
        mf_kafka_reader_free(&engine->restore.reader);
        mf_service_fail(engine->service, &err, "reading the changelog");
    }
}

static void on_read(void *arg)
{
    struct prc_engine *engine = arg;
    mf_kafka_reader_free(&engine->restore.reader);
    engine->restore.step = PRC_RESTORE_POSITION;
    mf_timer_arm_ms(engine->retry_timer, 0);
}

static void on_read_error(void *arg, const struct mf_error *err)
{
    struct prc_engine *engine = arg;
    mf_kafka_reader_free(&engine->restore.reader);
    // Without a broker nobody is at fault: ready is false, and we wait. A transaction that stays open is for
    // a person to look at, and for the supervisor to try again.
    if (err->class == MF_ERROR_TRANSIENT && !mf_kafka_consumer_connected(engine->consumer))
        later(engine, PRC_RESTORE_WAIT, err, "reading the changelog");
    else
        mf_service_fail(engine->service, err, "reading the changelog");
}

static size_t wanted(const struct prc_engine *engine, struct prc_recovery *recovery, int32_t *numbers)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->phase != PRC_PHASE_EMPTY)
            continue;
        prc_recovery_want(recovery, assigned->role, assigned->number);
        bool known = false; // of both input topics one changelog partition
        for (size_t j = 0; j < count; j++)
            known = known || numbers[j] == assigned->number;
        if (!known)
            numbers[count++] = assigned->number;
    }
    return count;
}

static void finish(struct prc_engine *engine);

static void read_changelog(struct prc_engine *engine)
{
    struct prc_restore *restore = &engine->restore;
    struct mf_error err;
    struct mf_kafka_reader_ops ops = {
        .on_message = on_changelog, .on_done = on_read, .on_error = on_read_error, .arg = engine};
    int32_t *numbers = mf_calloc(engine->assigned_count, sizeof *numbers);
    prc_restore_stop(engine);
    restore->recovery = prc_recovery_new();
    size_t count = wanted(engine, restore->recovery, numbers);
    if (mf_kafka_reader_new(&engine->kafka, engine->topics[MF_TOPIC_PROCESSOR_CHANGELOG],
                            engine->restore_stall_ms, &ops, &restore->reader, &err) < 0) {
        later(engine, PRC_RESTORE_WAIT, &err, "reading the changelog");
    } else {
        mf_kafka_reader_choose(restore->reader, numbers, count);
        restore->step = PRC_RESTORE_READ;
    }
    free(numbers);
}

void prc_restore_begin(struct prc_engine *engine)
{
    struct prc_restore *restore = &engine->restore;
    unsigned mismatches = restore->mismatches;
    prc_restore_stop(engine);
    engine->state = PRC_ENGINE_RESTORING;
    prc_engine_stop_intake(engine);
    *restore = (struct prc_restore){.began_us = mf_clock_monotonic_us(), .mismatches = mismatches};
    restore->told_us = restore->began_us;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        if (engine->assigned[i].phase == PRC_PHASE_REPLAY)
            prc_assigned_drop(&engine->assigned[i]); // a replay that was broken off
        restore->partitions += engine->assigned[i].phase == PRC_PHASE_EMPTY;
    }
    if (restore->partitions == 0)
        finish(engine);
    else
        read_changelog(engine);
}

// ---------------------------------------------------------------- what was stored

// Does it belong to the committed offset?
static int check(struct prc_engine *engine, const struct prc_assigned *assigned, int64_t committed,
                 struct mf_error *err)
{
    const struct prc_recovered *recovered = &assigned->recovered;
    const char *changelog = engine->topics[MF_TOPIC_PROCESSOR_CHANGELOG];
    if (!recovered->found && committed > 0)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "state_missing",
            "%s holds no state of %s [%d], of which the group has processed everything below "
            "offset %" PRId64
            ": the topic was lost or truncated, or an earlier version without stored state ran",
            changelog, assigned->topic, (int)assigned->number, committed);
    if (!recovered->found)
        return 0;
    if (recovered->record.shape != engine->shape)
        return mf_error_set(err, MF_ERROR_CONFIG, "state_mismatch",
                            "the state of %s [%d] on %s was made with another PROCESSOR_LATENESS_MS or "
                            "PROCESSOR_ROLLUPS, or by a version with other definitions",
                            assigned->topic, (int)assigned->number, changelog);
    if (committed < 0)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "state_mismatch",
            "the state of %s [%d] on %s is as of offset %" PRId64
            ", the group has no committed offset: it was reset, had expired, or the topic was made anew",
            assigned->topic, (int)assigned->number, changelog, recovered->record.committed);
    if (recovered->record.committed != committed)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "state_mismatch",
            "the state of %s [%d] on %s is as of offset %" PRId64 ", the group has committed %" PRId64
            ": one of them was truncated, reset or written by somebody else",
            assigned->topic, (int)assigned->number, changelog, recovered->record.committed, committed);
    return 0;
}

static int64_t at_least(int64_t offset, int64_t low)
{
    return offset >= 0 && offset < low ? low : offset;
}

static void take(struct prc_engine *engine, struct prc_assigned *assigned, int64_t committed)
{
    const struct prc_recovered *recovered = &assigned->recovered;
    engine->restore.cells += recovered->cells;
    assigned->has_rules = recovered->found;
    assigned->rules = recovered->record.rules;
    assigned->next = assigned->committed = at_least(committed, assigned->low);
    assigned->rules_from = recovered->found && assigned->rules != engine->rules ? assigned->next : 0;
    assigned->floor = at_least(recovered->found ? recovered->record.floor : committed, assigned->low);
    assigned->phase = assigned->floor < assigned->committed ? PRC_PHASE_REPLAY : PRC_PHASE_READY;
    if (!recovered->found)
        mf_metric_add(engine->cold, 1);
}

// The stored state is not used: it is made again from all the input that is still there.
static void rebuild(struct prc_engine *engine, struct prc_assigned *assigned, int64_t committed,
                    struct mf_str stored_keys, const struct mf_error *why)
{
    int64_t stored = assigned->recovered.found ? assigned->recovered.record.committed : -1;
    mf_log_error(engine->service->log, MF_LOG_WARNING, "processor", "state_rebuilt", why,
                 "the state is made again from the retained input (PROCESSOR_STATE_MISMATCH=rebuild)");
    prc_partition_free(&assigned->state);
    prc_recovered_clear(&assigned->recovered);
    assigned->state = prc_partition_new(assigned->role, assigned->number, engine->max_cells);
    mf_buf_add_str(&assigned->state->removed, stored_keys);
    take(engine, assigned, committed >= 0 ? committed : stored);
    assigned->rebuilt = true;
    assigned->offsets_gone = committed < 0;
    assigned->floor = assigned->low;
    assigned->phase = assigned->committed > assigned->floor ? PRC_PHASE_REPLAY : PRC_PHASE_READY;
}

static int load(struct prc_engine *engine, struct prc_assigned *assigned, int64_t committed,
                struct mf_error *err)
{
    struct prc_recovery *recovery = engine->restore.recovery;
    struct mf_buf keys;
    mf_buf_init(&keys, KEYS_MAX);
    const char *changelog = engine->topics[MF_TOPIC_PROCESSOR_CHANGELOG];
    prc_partition_free(&assigned->state);
    prc_recovered_clear(&assigned->recovered);
    assigned->rebuilt = assigned->offsets_gone = false;
    assigned->state = prc_partition_new(assigned->role, assigned->number, engine->max_cells);
    int result = prc_recovery_record(recovery, assigned->state, &assigned->recovered, err);
    if (result < 0)
        mf_error_prefix(err, "%s", changelog);
    else
        result = check(engine, assigned, committed, err);
    // The other half of a transaction may become visible a moment later: once more before that is believed.
    if (result < 0 && engine->restore.mismatches == 0)
        return -1;
    if (engine->rebuild)
        prc_recovery_keys(recovery, assigned->role, assigned->number, &keys);
    if (result == 0 && prc_recovery_cells(recovery, assigned->state, &assigned->recovered, err) < 0)
        result = mf_error_prefix(err, "%s", changelog);
    mf_buf_clear(&assigned->state->removed);
    if (result == 0)
        take(engine, assigned, committed);
    else if (engine->rebuild) {
        rebuild(engine, assigned, committed, mf_buf_str(&keys), err);
        result = 0;
    }
    mf_buf_free(&keys);
    if (result < 0)
        return -1;
    if (assigned->phase == PRC_PHASE_REPLAY)
        assigned->state->replaying = true;
    prc_history_note(&assigned->history, assigned->floor, assigned->state);
    return 0;
}

static void refuse(struct prc_engine *engine, const struct mf_error *err)
{
    struct mf_error told;
    mf_error_set(
        &told, err->class, err->code,
        "%.330s. PROCESSOR_STATE_MISMATCH=rebuild drops the stored state and makes it again from the "
        "retained input",
        err->message);
    mf_service_fail(engine->service, &told, "restoring the state");
}

// ---------------------------------------------------------------- positions

static void seek_to_floors(struct prc_engine *engine, struct mf_error *err, int *result)
{
    struct mf_kafka_offset *offsets = mf_calloc(engine->assigned_count, sizeof *offsets);
    size_t count = 0;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->phase == PRC_PHASE_REPLAY)
            offsets[count++] = (struct mf_kafka_offset){assigned->topic, assigned->number, assigned->floor};
    }
    *result = mf_kafka_consumer_seek(engine->consumer, offsets, count, err);
    free(offsets);
}

static bool all_ready(const struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].phase != PRC_PHASE_READY)
            return false;
    return true;
}

static void replay(struct prc_engine *engine)
{
    struct mf_error err;
    int result = 0;
    seek_to_floors(engine, &err, &result);
    if (result < 0) { // nothing is paused or replayed yet: from the beginning
        for (size_t i = 0; i < engine->assigned_count; i++)
            if (engine->assigned[i].phase == PRC_PHASE_REPLAY)
                prc_assigned_drop(&engine->assigned[i]);
        later(engine, PRC_RESTORE_WAIT, &err, "going back to what is replayed");
        return;
    }
    engine->restore.step = PRC_RESTORE_REPLAY;
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].phase == PRC_PHASE_REPLAY)
            mf_kafka_consumer_resume(engine->consumer, engine->assigned[i].topic, engine->assigned[i].number);
}

// Those of the partitions that are restored: count of them in offsets.
static int ask_committed(struct prc_engine *engine, struct mf_kafka_offset *offsets, struct mf_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].phase == PRC_PHASE_EMPTY)
            offsets[count++] =
                (struct mf_kafka_offset){engine->assigned[i].topic, engine->assigned[i].number, -1};
    return mf_kafka_consumer_committed(engine->consumer, offsets, count, err);
}

static int load_all(struct prc_engine *engine, const struct mf_kafka_offset *offsets, struct mf_error *err)
{
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->phase != PRC_PHASE_EMPTY || load(engine, assigned, (offsets++)->offset, err) == 0)
            continue;
        for (size_t j = 0; j <= i; j++) // the ones before it are read again with it
            if (engine->assigned[j].recovered.found || engine->assigned[j].phase != PRC_PHASE_READY)
                prc_assigned_drop(&engine->assigned[j]);
        return -1;
    }
    return 0;
}

static void position(struct prc_engine *engine)
{
    struct mf_error err;
    struct mf_kafka_offset *offsets = mf_calloc(engine->assigned_count, sizeof *offsets);
    if (ask_committed(engine, offsets, &err) < 0) {
        if (err.class == MF_ERROR_TRANSIENT)
            later(engine, PRC_RESTORE_POSITION, &err, "asking for the committed offsets");
        else
            mf_service_fail(engine->service, &err, "asking for the committed offsets");
    } else if (load_all(engine, offsets, &err) < 0) {
        if (engine->restore.mismatches++ > 0)
            refuse(engine, &err);
        else
            later(engine, PRC_RESTORE_WAIT, &err, "restoring the state");
    } else {
        prc_recovery_free(&engine->restore.recovery);
        engine->restore.mismatches = 0;
        if (all_ready(engine))
            finish(engine);
        else
            replay(engine);
    }
    free(offsets);
}

void prc_restore_go_on(struct prc_engine *engine)
{
    switch (engine->restore.step) {
    case PRC_RESTORE_WAIT: prc_restore_begin(engine); break;
    case PRC_RESTORE_POSITION: position(engine); break;
    case PRC_RESTORE_REPLAY:
        if (all_ready(engine))
            finish(engine);
        break;
    case PRC_RESTORE_READ: break;
    }
}

// ---------------------------------------------------------------- the replay

static void replayed(struct prc_engine *engine, struct prc_assigned *assigned, int64_t next)
{
    assigned->phase = PRC_PHASE_READY;
    assigned->next = assigned->committed = next;
    assigned->state->replaying = false;
    mf_kafka_consumer_pause(engine->consumer, assigned->topic, assigned->number);
    if (all_ready(engine))
        mf_timer_arm_ms(engine->retry_timer, 0);
}

enum mf_consume prc_restore_message(struct prc_engine *engine, const struct mf_kafka_message *message)
{
    struct prc_assigned *assigned = prc_engine_assigned(engine, message->topic, message->partition);
    if (engine->restore.step != PRC_RESTORE_REPLAY)
        return MF_CONSUME_STOP;
    if (message->offset >= assigned->committed) {
        replayed(engine, assigned, assigned->committed);
        return MF_CONSUME_STOP;
    }
    bool stored = assigned->has_rules && assigned->rules != engine->rules;
    use_rules(engine, stored ? &assigned->recovered.rules : &engine->config.rules);
    if (assigned->floor_ms == 0)
        assigned->floor_ms = message->timestamp_ms;
    prc_engine_fold(engine, assigned, message, NULL);
    assigned->ended_us = 0;
    engine->restore.replayed++;
    if (assigned->next < assigned->committed)
        return MF_CONSUME_NEXT;
    replayed(engine, assigned, assigned->committed);
    return MF_CONSUME_STOP;
}

// A log that ends below what was processed has lost its end, or is another one: then the group's offsets went
// with the one that was, and a rebuild knows only how far the stored state was. What was folded of it without
// being published is new, and is folded again.
static void begin_another_log(struct prc_engine *engine, struct prc_assigned *assigned, int64_t end)
{
    MF_LOGF(engine->service->log, MF_LOG_ERROR, "processor", "input_made_anew",
            MF_FIELDS(mf_lf_str("topic", assigned->topic), mf_lf_i64("partition", assigned->number),
                      mf_lf_i64("low", assigned->low), mf_lf_i64("high", end),
                      mf_lf_i64("committed", assigned->committed)),
            "the log ends at offset %" PRId64 ", below the %" PRId64
            " that were processed: it was made anew, all of it is processed",
            end, assigned->committed);
    struct prc_partition *before = assigned->state;
    assigned->state = prc_partition_new(assigned->role, assigned->number, engine->max_cells);
    mf_buf_add_str(&assigned->state->removed, mf_buf_str(&before->removed));
    prc_partition_free(&before);
    prc_history_clear(&assigned->history);
    prc_history_note(&assigned->history, assigned->low, assigned->state);
    replayed(engine, assigned, assigned->low);
}

void prc_restore_eof(struct prc_engine *engine, const char *topic, int32_t partition, int64_t offset)
{
    struct prc_assigned *assigned = prc_engine_assigned(engine, topic, partition);
    if (assigned == NULL || assigned->phase != PRC_PHASE_REPLAY || engine->restore.step != PRC_RESTORE_REPLAY)
        return;
    if (offset >= assigned->committed)
        replayed(engine, assigned, assigned->committed);
    else if (assigned->offsets_gone)
        begin_another_log(engine, assigned, offset);
    else if (assigned->ended_us == 0)
        assigned->ended_us = mf_clock_monotonic_us();
}

int64_t prc_restore_out_of_range(struct prc_engine *engine, struct prc_assigned *assigned, int64_t low,
                                 int64_t high)
{
    if (high < assigned->committed && !assigned->offsets_gone) {
        prc_restore_input_lost(engine, assigned->topic, assigned->number, high, assigned->committed);
        return -1;
    }
    if (!assigned->rebuilt && !engine->reset_earliest) {
        struct mf_error err;
        mf_error_set(&err, MF_ERROR_CONFIG, "floor_out_of_range",
                     "topic %s, partition %d: input from offset %" PRId64
                     " on is needed to make the state again, the log holds %" PRId64 " to %" PRId64
                     ". PROCESSOR_OFFSET_RESET=earliest accepts a state that lacks what is gone",
                     assigned->topic, (int)assigned->number, assigned->floor, low, high);
        mf_service_fail(engine->service, &err, "replaying input");
        return -1;
    }
    MF_LOGF(engine->service->log, assigned->rebuilt ? MF_LOG_NOTICE : MF_LOG_ERROR, "processor",
            "floor_out_of_range",
            MF_FIELDS(mf_lf_str("topic", assigned->topic), mf_lf_i64("partition", assigned->number),
                      mf_lf_i64("floor", assigned->floor), mf_lf_i64("low", low), mf_lf_i64("high", high)),
            "input from offset %" PRId64 " on is needed to make the state again, the log holds %" PRId64
            " to %" PRId64 " (going on from the earliest)",
            assigned->floor, low, high);
    assigned->floor = assigned->low = low;
    if (low >= assigned->committed || high < assigned->committed)
        replayed(engine, assigned, low); // nothing of it is left, or it is another log
    return low;
}

// ---------------------------------------------------------------- the end

// Where a record was passed over while its partition's state was not there.
static int seek_to_next(struct prc_engine *engine, struct mf_error *err)
{
    struct mf_kafka_offset *offsets = mf_calloc(engine->assigned_count, sizeof *offsets);
    size_t count = 0;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        int64_t at = mf_kafka_consumer_position(engine->consumer, assigned->topic, assigned->number);
        if (at >= 0 && at != assigned->next)
            offsets[count++] = (struct mf_kafka_offset){assigned->topic, assigned->number, assigned->next};
    }
    int result = mf_kafka_consumer_seek(engine->consumer, offsets, count, err);
    free(offsets);
    return result;
}

static void tell(struct prc_engine *engine)
{
    struct prc_restore *restore = &engine->restore;
    double seconds = (double)(mf_clock_monotonic_us() - restore->began_us) / 1e6;
    if (restore->partitions == 0)
        return;
    mf_metric_observe(engine->restore_seconds, seconds);
    mf_metric_add(engine->restored_cells, (double)restore->cells);
    mf_metric_add(engine->replayed_records, (double)restore->replayed);
    MF_LOGF(engine->service->log, MF_LOG_NOTICE, "processor", "state_restored",
            MF_FIELDS(mf_lf_i64("partitions", (int64_t)restore->partitions),
                      mf_lf_i64("cells", (int64_t)restore->cells),
                      mf_lf_i64("changelog_records", (int64_t)restore->records),
                      mf_lf_i64("replayed", (int64_t)restore->replayed)),
            "state restored in %.2f s", seconds);
}

static void finish(struct prc_engine *engine)
{
    struct mf_error err;
    use_rules(engine, &engine->config.rules);
    if (engine->consumer != NULL && seek_to_next(engine, &err) < 0) {
        later(engine, PRC_RESTORE_WAIT, &err, "going to the committed offsets");
        return;
    }
    bool settle = false;
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        // What was folded under other rules, or by another way, is stored before anything new is folded.
        settle = settle || assigned->rebuilt || (assigned->has_rules && assigned->rules != engine->rules);
        assigned->in_txn = assigned->rebuilt && assigned->next >= 0;
        assigned->rebuilt = assigned->offsets_gone = false;
        prc_recovered_clear(&assigned->recovered);
    }
    tell(engine);
    engine->restore.partitions = 0;
    if (engine->aborts == 0)
        mf_backoff_reset(&engine->backoff);
    engine->last_error.class = MF_ERROR_CLASS_MAX;
    engine->state = PRC_ENGINE_IDLE;
    if (settle && prc_engine_store_all(engine))
        return;
    prc_engine_start_intake(engine);
}
