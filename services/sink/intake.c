// SPDX-License-Identifier: Apache-2.0
// What Kafka hands over: partitions, records, ends. Records become rows of the batch or dead letters; nothing
// is written to the warehouse from here but the rows that a revoke can still save.
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/sink/sink.h"

struct snk_partition *snk_find_partition(struct snk_sink *sink, const char *topic, int32_t number)
{
    for (size_t step = 0; step < sink->partition_count; step++) {
        size_t i = (sink->hint + step) % sink->partition_count;
        if (sink->partitions[i].number == number && strcmp(sink->partitions[i].topic, topic) == 0) {
            sink->hint = i;
            return &sink->partitions[i];
        }
    }
    return NULL;
}

void snk_forget_batch(struct snk_sink *sink)
{
    snk_batch_clear(&sink->batch, sink->settings.limits.bytes);
    snk_work_clear(&sink->work);
    sink->letters.older_batch = sink->letters.sent;
    sink->letters.pending = 0;
    sink->letters.failed = false;
    sink->phase = SNK_COLLECTING;
    sink->outcome_unknown = false;
    sink->attempts = 0;
    sink->refused_row = SIZE_MAX;
    sink->moved_us = 0;
    sink->moved_by_letter = false;
}

void snk_rewind(struct snk_sink *sink)
{
    snk_forget_batch(sink);
    for (size_t i = 0; i < sink->partition_count; i++) {
        struct snk_partition *p = &sink->partitions[i];
        p->excluded = false;
        p->must_seek |= p->acquired && p->position != p->stored;
        p->position = p->stored;
    }
}

// ---- the record that the warehouse knows as the last one

static void refuse_topic(struct snk_sink *sink, const struct snk_partition *p, const char *found)
{
    struct mf_error err;
    mf_error_set(
        &err, MF_ERROR_CONFIG, "topic_recreated",
        "%s[%d] is not the log that was loaded: the warehouse has event %s at offset %" PRId64 ", %s. If the "
        "topic was made anew, delete its rows of group %s in ops.sink_offsets: it is then loaded from its "
        "start, and rows that are there already are left alone",
        p->topic, p->number, p->last_event_id[0] != '\0' ? p->last_event_id : "(none)", p->last_offset, found,
        sink->group);
    snk_fail(sink, &err, "taking partitions over");
}

// A topic that was deleted and made again may have grown past the stored offset: only the event tells.
static void verify(struct snk_sink *sink, struct snk_partition *p, const struct mf_kafka_message *message)
{
    p->verify = false;
    if (message->offset != p->last_offset)
        return; // gone by retention: nothing to compare with
    char event_id[MF_EVENT_ID_SIZE];
    snk_record_event_id(sink->checker, message->value, event_id);
    if (strcmp(event_id, p->last_event_id) != 0)
        refuse_topic(sink, p, event_id[0] != '\0' ? "but another event is there" : "but no event is there");
}

// ---- records

static void refuse_record(struct snk_sink *sink, struct snk_partition *p, const struct snk_record *record,
                          const struct mf_error *refused, int64_t now_us)
{
    if (record->table != SNK_TABLE_DEAD_LETTERS) {
        snk_letters_send(sink, record, refused, 1);
        if (sink->moved_us == 0)
            sink->moved_us = now_us;
        sink->moved_by_letter = true;
        return;
    }
    // A dead letter is never dead-lettered again: its digest takes its place in the table.
    snk_log_refused(sink, record, refused, "its digest takes its place");
    struct mf_error err;
    struct mf_buf *text = &sink->letters.text;
    mf_buf_clear(text);
    struct snk_record digest = *record;
    if (snk_dead_letter_digest(record, refused, text, &err) == 0) {
        digest.value = mf_buf_str(text);
        if (snk_record_check(sink->checker, &digest, &err) == 0) {
            snk_batch_add(&sink->batch, (size_t)(p - sink->partitions), &digest, sink->checker, now_us);
            sink->batch.rows[sink->batch.count - 1].replaced = true;
            return;
        }
    }
    snk_fail(sink, &err, "keeping the digest of a dead letter");
}

// Records of partitions that are not taken over, or not where they should be, are read again after the seek.
static bool is_wanted(struct snk_sink *sink, struct snk_partition *p, const struct mf_kafka_message *message)
{
    if (p == NULL || !p->acquired || p->must_seek || sink->failed)
        return false;
    if (p->verify)
        verify(sink, p, message);
    if (message->offset < p->position)
        return false;
    // While a batch is on its way the partitions are paused; what comes all the same is read again later.
    if (sink->phase == SNK_FLUSHING)
        p->must_seek = true;
    return sink->phase == SNK_COLLECTING && !sink->failed;
}

bool snk_intake_is_full(const struct snk_sink *sink)
{
    return snk_batch_is_full(&sink->batch, sink->settings.limits) ||
           sink->letters.pending >= SNK_LETTERS_MAX || sink->letters.failed;
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct snk_sink *sink = arg;
    struct snk_partition *p = snk_find_partition(sink, message->topic, message->partition);
    if (!is_wanted(sink, p, message))
        return MF_CONSUME_NEXT;
    struct snk_record record = {
        .table = p->table,
        .topic = p->topic,
        .partition = p->number,
        .offset = message->offset,
        .timestamp_ms = message->timestamp_ms,
        .value = message->value,
        .revision_header = mf_kafka_message_header(message, MF_HEADER_REVISION),
        .flags_header = mf_kafka_message_header(message, MF_HEADER_FLAGS),
    };
    int64_t now_us = mf_clock_monotonic_us();
    struct mf_error refused;
    if (snk_record_check(sink->checker, &record, &refused) == 0)
        snk_batch_add(&sink->batch, (size_t)(p - sink->partitions), &record, sink->checker, now_us);
    else
        refuse_record(sink, p, &record, &refused, now_us);
    p->position = message->offset + 1;
    p->short_since_us = 0;
    return snk_intake_is_full(sink) ? MF_CONSUME_STOP : MF_CONSUME_NEXT;
}

// Full: flush now. Else the timer sees to the age of the first row.
static void on_turn_end(void *arg)
{
    struct snk_sink *sink = arg;
    if (sink->batch.count == 0 && sink->moved_us == 0)
        return;
    if (snk_intake_is_full(sink)) {
        // Until the run: another turn would come before it, and what it brings is beyond the limits.
        mf_kafka_consumer_hold(sink->consumer, true);
        mf_deferred_schedule(sink->run);
    } else {
        snk_loader_arm(sink);
    }
}

// Everything below the end has been handed over, transaction markers left out: the offset passes them too.
static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct snk_sink *sink = arg;
    struct snk_partition *p = snk_find_partition(sink, topic, partition);
    if (p == NULL || !p->acquired || p->must_seek)
        return;
    p->verify = false;
    if (offset < p->stored) {
        // A new leader may not know yet how far the log is committed; the tick watches that it does not stay
        // so.
        if (p->short_since_us == 0)
            p->short_since_us = mf_clock_monotonic_us();
        return;
    }
    p->short_since_us = 0;
    if (offset > p->position) {
        p->position = offset;
        if (sink->moved_us == 0)
            sink->moved_us = mf_clock_monotonic_us();
    }
}

// ---- assignment

static void on_assign(void *arg, struct mf_kafka_offset *offsets, size_t count)
{
    struct snk_sink *sink = arg;
    mf_kafka_fence_worked(&sink->fence);
    snk_forget_batch(sink);
    sink->rejoining = false;
    free(sink->partitions);
    sink->partitions = mf_calloc(count, sizeof *sink->partitions);
    sink->partition_count = count;
    for (size_t i = 0; i < count; i++) {
        enum snk_table table = 0;
        while (table < SNK_TABLE_MAX && strcmp(sink->topics[table], offsets[i].topic) != 0)
            table++;
        assert(table < SNK_TABLE_MAX); // only these topics were subscribed
        sink->partitions[i] = (struct snk_partition){
            .table = table, .topic = sink->topics[table], .number = offsets[i].partition, .must_seek = true};
    }
    SNK_LOG(sink, INFO, "assigned", "%zu partitions", count);
    mf_deferred_schedule(sink->run);
    // With the warehouse at hand the right offsets are known at once; else the next run seeks.
    if (count == 0 || !snk_warehouse_is_open(sink->warehouse) || snk_loader_is_holding(sink) ||
        !snk_loader_acquire(sink)) {
        mf_kafka_consumer_pause_all(sink->consumer);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct snk_partition *p = &sink->partitions[i];
        offsets[i].offset = p->verify ? p->last_offset : p->stored;
        p->must_seek = false;
    }
}

static void drop_partitions(struct snk_sink *sink)
{
    snk_forget_batch(sink);
    free(sink->partitions);
    sink->partitions = NULL;
    sink->partition_count = 0;
    sink->hint = 0;
    sink->rejoining = false;
}

// The last chance for what is buffered; what does not make it is no loss, its next owner reads it again.
static void on_revoke(void *arg, bool lost)
{
    struct snk_sink *sink = arg;
    if (!lost)
        snk_loader_finish(sink);
    else if (!mf_kafka_consumer_given_up(sink->consumer))
        mf_kafka_fence_session_lost(&sink->fence, mf_clock_monotonic_us());
    SNK_LOG(sink, INFO, "revoked", "%zu partitions%s, %zu rows not written are left to their next owner",
            sink->partition_count, lost ? " lost" : "", sink->batch.count);
    drop_partitions(sink);
}

// The log begins after what was loaded. New to us: it simply starts there. Else records are gone that nobody
// loaded.
static int64_t out_of_range(struct snk_sink *sink, struct snk_partition *p, int64_t low)
{
    struct mf_error err;
    p->position = low;
    // To be stored even if no record follows: else the next start would find the gap again.
    if (sink->moved_us == 0)
        sink->moved_us = mf_clock_monotonic_us();
    if (p->stored == 0 && p->last_offset < 0) {
        SNK_LOG(sink, INFO, "starts_late", "%s[%d] begins at offset %" PRId64, p->topic, p->number, low);
        return low;
    }
    if (sink->settings.skip_lost_ranges) {
        MF_LOGF(sink->service->log, MF_LOG_ERROR, "sink", "records_lost",
                MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number),
                          mf_lf_i64("from", p->stored), mf_lf_i64("to", low)),
                "retention removed offsets %" PRId64 " to %" PRId64 " of %s[%d] before they were loaded",
                p->stored, low - 1, p->topic, p->number);
        return low;
    }
    mf_error_set(&err, MF_ERROR_CONFIG, "records_lost",
                 "retention removed offsets %" PRId64 " to %" PRId64 " of %s[%d] before they were loaded; "
                 "SINK_OFFSET_RESET=earliest goes on without them",
                 p->stored, low - 1, p->topic, p->number);
    snk_fail(sink, &err, "reading on");
    return -1;
}

static int64_t on_out_of_range(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high)
{
    struct snk_sink *sink = arg;
    struct snk_partition *p = snk_find_partition(sink, topic, partition);
    if (p == NULL || !p->acquired)
        return low; // the run seeks as soon as the warehouse has told where to
    p->verify = false;
    if (p->stored > high) {
        refuse_topic(sink, p, "but the log ends before it");
        return -1;
    }
    return p->stored >= low ? p->stored : out_of_range(sink, p, low);
}

// A broker that was away for longer than the session may find that we have taken our own place: then we join
// anew. What was not written is read again.
static void on_fatal(void *arg, const struct mf_error *err)
{
    struct snk_sink *sink = arg;
    struct mf_error failed;
    if (sink->failed || sink->closing ||
        !mf_kafka_fence_forgives(&sink->fence, err, mf_clock_monotonic_us())) {
        snk_fail(sink, err, "consuming");
        return;
    }
    MF_LOGF(sink->service->log, MF_LOG_WARNING, "sink", "fenced_after_trouble",
            MF_FIELDS(mf_lf_str("error_code", err->code)), "joining the group again: %s", err->message);
    drop_partitions(sink);
    mf_kafka_consumer_free(&sink->consumer);
    if (snk_intake_join(sink, &failed) < 0)
        snk_fail(sink, &failed, "joining the group again");
}

int snk_intake_join(struct snk_sink *sink, struct mf_error *err)
{
    const char *topics[SNK_TABLE_MAX + 1] = {NULL};
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        topics[table] = sink->topics[table];
    const struct mf_kafka_consumer_config config = {
        .group = sink->group, .topics = topics, .read_committed = true, .start_at_earliest = true};
    const struct mf_kafka_consumer_ops ops = {.on_message = on_message,
                                              .on_turn_end = on_turn_end,
                                              .on_assign = on_assign,
                                              .on_revoke = on_revoke,
                                              .on_eof = on_eof,
                                              .on_out_of_range = on_out_of_range,
                                              .on_fatal = on_fatal,
                                              .arg = sink};
    return mf_kafka_consumer_new(&sink->kafka, &config, &ops, &sink->consumer, err);
}
