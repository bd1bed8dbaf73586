// SPDX-License-Identifier: Apache-2.0
// What is to be said of a restore while it goes on, and of one that cannot come to its end.
#include <inttypes.h>
#include <stdio.h>

#include "services/processor/engine_restore.h"

#define TELL_US (5 * MF_US_PER_SECOND)
#define OLD_FLOOR_TICKS 30

int64_t prc_restore_remaining(const struct prc_engine *engine)
{
    int64_t remaining = 0;
    if (engine->state != PRC_ENGINE_RESTORING)
        return 0;
    if (engine->restore.reader != NULL)
        remaining = mf_kafka_reader_remaining(engine->restore.reader);
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->phase == PRC_PHASE_REPLAY) {
            int64_t at = mf_kafka_consumer_position(engine->consumer, assigned->topic, assigned->number);
            remaining += assigned->committed > at && at >= 0 ? assigned->committed - at : 0;
        }
    }
    return remaining > 0 ? remaining : 0;
}

void prc_restore_describe(const struct prc_engine *engine, char *text, size_t size)
{
    static const char *const steps[] = {"waiting to try again", "reading the changelog",
                                        "asking for the committed offsets", "replaying input"};
    const struct prc_restore *restore = &engine->restore;
    if (engine->state == PRC_ENGINE_RESTORING)
        snprintf(text, size, "restoring %zu partitions: %s, %" PRIu64 " records read, %" PRId64 " to go",
                 restore->partitions, steps[restore->step], restore->records + restore->replayed,
                 prc_restore_remaining(engine));
    else if (engine->settling && !engine->draining)
        snprintf(text, size, "storing restored state: %zu symbols to go", prc_engine_dirty(engine));
    else
        snprintf(text, size, "state of %zu partitions", engine->assigned_count);
}

// State that rests on input older than half of what is retained will soon not be restorable.
static void tell_old_floors(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->assigned_count; i++) {
        struct prc_assigned *assigned = &engine->assigned[i];
        double age = prc_assigned_floor_age_seconds(assigned);
        double limit = (double)mf_topics[assigned->role].retention_ms / 2e3;
        if (age > limit && !assigned->old_floor_told)
            MF_LOGF(engine->service->log, MF_LOG_WARNING, "processor", "floor_old",
                    MF_FIELDS(mf_lf_str("topic", assigned->topic), mf_lf_i64("partition", assigned->number),
                              mf_lf_i64("floor", assigned->floor)),
                    "the state rests on input that is %.1f days old, of the %.1f that the topic keeps",
                    age / 86400, 2 * limit / 86400);
        assigned->old_floor_told = age > limit;
    }
}

void prc_restore_input_lost(struct prc_engine *engine, const char *topic, int32_t partition, int64_t end,
                            int64_t processed)
{
    struct mf_error err;
    mf_error_set(
        &err, MF_ERROR_CONFIG, "input_lost",
        "topic %s, partition %d ends at offset %" PRId64 ", below the %" PRId64
        " that were processed: the log has lost its end. To go on with what is there, delete topic %s "
        "and group %s, then marketflowctl topics apply",
        topic, (int)partition, end, processed, engine->topics[MF_TOPIC_PROCESSOR_CHANGELOG], engine->group);
    mf_service_fail(engine->service, &err, "reading input");
}

// A replay that met the log's end: a new leader's may lag, and gets time to catch up.
static void check_ends(struct prc_engine *engine, int64_t now_us)
{
    for (size_t i = 0; i < engine->assigned_count; i++) {
        const struct prc_assigned *assigned = &engine->assigned[i];
        if (assigned->phase != PRC_PHASE_REPLAY || assigned->ended_us == 0 ||
            now_us - assigned->ended_us < engine->restore_stall_ms * MF_US_PER_MS)
            continue;
        int64_t end = mf_kafka_consumer_position(engine->consumer, assigned->topic, assigned->number);
        prc_restore_input_lost(engine, assigned->topic, assigned->number, end, assigned->committed);
        return;
    }
}

void prc_restore_progress(struct prc_engine *engine)
{
    struct prc_restore *restore = &engine->restore;
    int64_t now_us = mf_clock_monotonic_us();
    if (engine->state != PRC_ENGINE_RESTORING) {
        if (engine->ticks % OLD_FLOOR_TICKS == 1)
            tell_old_floors(engine);
        return;
    }
    check_ends(engine, now_us);
    if (now_us - restore->told_us < TELL_US)
        return;
    uint64_t read = restore->records + restore->replayed;
    char text[200];
    prc_restore_describe(engine, text, sizeof text);
    MF_LOGF(engine->service->log, MF_LOG_NOTICE, "processor", "restoring",
            MF_FIELDS(mf_lf_i64("partitions", (int64_t)restore->partitions), mf_lf_i64("read", (int64_t)read),
                      mf_lf_i64("remaining", prc_restore_remaining(engine)),
                      mf_lf_i64("per_second", (int64_t)((double)(read - restore->told) * 1e6 /
                                                        (double)(now_us - restore->told_us)))),
            "%s", text);
    restore->told = read;
    restore->told_us = now_us;
}
