// SPDX-License-Identifier: Apache-2.0
// Rebalances of the eager protocol, and partitions that librdkafka has stopped because an offset is not in
// the log. Blocking seams: an assignment asks for committed offsets like a rewind (kafka_consumer_seek.c), an
// offset out of range for the two ends of its log, 2 s each at most. Failure classes, told through on_fatal:
// CONFIG "offset_out_of_range", FATAL "offset_out_of_range", "no_offset".
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/kafka_consumer.h"

#define WATERMARKS_TIMEOUT_MS 2000
#define RESETS_MAX 5 // of one partition without a message in between

// An error that only the owner's end can answer; told from the drain like any other, once.
static void fail(struct mf_kafka_consumer *consumer, const struct mf_error *err)
{
    if (consumer->client.fatal_seen || consumer->client.dying)
        return;
    consumer->client.fatal_seen = true;
    mf_metric_add(
        MF_METRIC(consumer->client.config.metrics, &mf_common_metrics[MF_M_KAFKA_FATAL_ERRORS], err->code),
        1);
    consumer->client.on_fatal(consumer->client.owner, err);
}

// ---------------------------------------------------------------- assign

static int64_t native_offset(const struct kafka_partition *partition)
{
    if (partition->next == KAFKA_AT_COMMITTED)
        return RD_KAFKA_OFFSET_STORED;
    return partition->next == KAFKA_AT_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : partition->next;
}

void kafka_consumer_apply_pause(struct mf_kafka_consumer *consumer, struct kafka_partition *partition,
                                bool pause)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition);
    if (pause)
        rd_kafka_pause_partitions(consumer->client.rk, list);
    else
        rd_kafka_resume_partitions(consumer->client.rk, list);
    if (!pause)
        kafka_fetch_wake(&consumer->client);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_consumer_reassign(struct mf_kafka_consumer *consumer)
{
    struct kafka_partitions *partitions = &consumer->partitions;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)partitions->count);
    for (size_t i = 0; i < partitions->count; i++)
        rd_kafka_topic_partition_list_add(list, partitions->items[i].topic, partitions->items[i].partition)
            ->offset = native_offset(&partitions->items[i]);
    consumer->reassign_due = false;
    int code = kafka_client_assign(&consumer->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != 0) {
        struct mf_error err;
        kafka_error_set(&err, code, "assigning %zu partitions", partitions->count);
        err.class = MF_ERROR_FATAL; // we hold partitions that nobody reads
        fail(consumer, &err);
        return;
    }
    for (size_t i = 0; i < partitions->count; i++) {
        if (partitions->items[i].paused)
            kafka_consumer_apply_pause(consumer, &partitions->items[i], true);
    }
}

static void assign(struct mf_kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    size_t count = (size_t)list->cnt;
    struct mf_kafka_offset *offsets = mf_calloc(count, sizeof *offsets);
    kafka_partitions_clear(&consumer->partitions);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        const struct kafka_partition *added =
            kafka_partitions_add(&consumer->partitions, item->topic, item->partition, KAFKA_AT_COMMITTED);
        offsets[i] = (struct mf_kafka_offset){added->topic, added->partition, -1};
    }
    consumer->joined = true;
    consumer->client.connected = true; // the group's coordinator has answered
    consumer->assigning = true;
    if (consumer->ops.on_assign != NULL)
        consumer->ops.on_assign(consumer->ops.arg, offsets, count);
    consumer->assigning = false;
    if (consumer->client.dying) {
        free(offsets);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct kafka_partition *partition = &consumer->partitions.items[i];
        partition->start = offsets[i].offset >= 0 ? offsets[i].offset : -1;
        partition->next = offsets[i].offset >= 0 ? offsets[i].offset : KAFKA_AT_COMMITTED;
    }
    free(offsets);
    kafka_consumer_count_rebalance(consumer, "assign");
    // Left to librdkafka, each partition without a committed offset would come back as an error of its own
    // and be assigned anew; several in a row end the process on an assertion of 2.0.2 (rktp_started).
    kafka_consumer_resolve_start(consumer);
    kafka_consumer_reassign(consumer);
    kafka_consumer_show_partitions(consumer);
}

// ---------------------------------------------------------------- revoke

static void revoke(struct mf_kafka_consumer *consumer, bool lost)
{
    consumer->revoking = true;
    if (consumer->ops.on_revoke != NULL && !consumer->client.dying)
        consumer->ops.on_revoke(consumer->ops.arg, lost);
    consumer->revoking = false;
    consumer->joined = false;
    kafka_consumer_count_rebalance(consumer, lost ? "lost" : "revoke");
    kafka_consumer_forget_lag(consumer);
    // librdkafka keeps a pause beyond the assignment, and would hand the partition back paused. Before the
    // unassignment, and never while closing: a partition that is being stopped does not answer, and the call
    // waits for its answer without end.
    for (size_t i = 0; i < consumer->partitions.count && !consumer->closing; i++) {
        if (consumer->partitions.items[i].paused)
            kafka_consumer_apply_pause(consumer, &consumer->partitions.items[i], false);
    }
    if (consumer->closing)
        rd_kafka_assign(consumer->client.rk, NULL); // the group handler is about to end: nobody may answer
    else
        kafka_client_assign(&consumer->client, NULL);
    consumer->reassign_due = false;
    kafka_consumer_count(consumer);
    kafka_partitions_clear(&consumer->partitions);
    kafka_consumer_show_partitions(consumer);
}

void kafka_consumer_drop_assignment(struct mf_kafka_consumer *consumer)
{
    if (consumer->joined)
        revoke(consumer, true);
}

void kafka_consumer_on_rebalance(struct mf_kafka_consumer *consumer, struct rd_kafka_op_s *event)
{
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        assign(consumer, rd_kafka_event_topic_partition_list(event));
    else
        revoke(consumer, rd_kafka_assignment_lost(consumer->client.rk) != 0);
}

// ---------------------------------------------------------------- offsets that are not there

// One end of a partition's log: -2 the first offset, -1 the next one to come (ListOffsets). Not
// rd_kafka_query_watermark_offsets, which ignores its timeout before 2.3.0 (librdkafka#4460).
static int log_end(struct mf_kafka_consumer *consumer, const struct kafka_partition *partition, int64_t which,
                   int64_t *offset, struct mf_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(consumer->client.rk, list, WATERMARKS_TIMEOUT_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "asking for the offsets of %s [%d]", partition->topic,
                               (int)partition->partition);
    return 0;
}

static int no_offset(struct mf_kafka_consumer *consumer, struct kafka_partition *partition,
                     struct mf_error *err)
{
    if (!consumer->start_at_earliest)
        return mf_error_set(err, MF_ERROR_FATAL, "no_offset", "the group has no committed offset for %s [%d]",
                            partition->topic, (int)partition->partition);
    kafka_partition_moved(partition, KAFKA_AT_BEGINNING);
    return 0;
}

static int out_of_range(struct mf_kafka_consumer *consumer, struct kafka_partition *partition, int64_t asked,
                        struct mf_error *err)
{
    int64_t low, high, chosen = -1;
    if (log_end(consumer, partition, RD_KAFKA_OFFSET_BEGINNING, &low, err) < 0 ||
        log_end(consumer, partition, RD_KAFKA_OFFSET_END, &high, err) < 0) {
        if (err->class != MF_ERROR_TRANSIENT)
            return -1;
        partition
            ->resets--; // the broker is away again: assigned anew at the same offset, as often as it takes
        return 0;
    }
    if (consumer->ops.on_out_of_range != NULL)
        chosen = consumer->ops.on_out_of_range(consumer->ops.arg, partition->topic, partition->partition, low,
                                               high);
    // Where to go on is not decided: that is for a person, not for another start.
    if (chosen < 0 || chosen == asked)
        return mf_error_set(err, chosen < 0 ? MF_ERROR_CONFIG : MF_ERROR_FATAL, "offset_out_of_range",
                            "offset %lld of %s [%d] is not in the log, which holds %lld to %lld",
                            (long long)asked, partition->topic, (int)partition->partition, (long long)low,
                            (long long)high);
    partition->last = -1; // what was handed out once may be gone: it need not be reached again
    partition->reset_from = asked;
    kafka_partition_moved(partition, chosen);
    return 0;
}

static void on_reset(struct mf_kafka_consumer *consumer, struct kafka_partition *partition, int64_t asked)
{
    struct mf_error err;
    int result;
    // Said again: the partition was assigned anew for another one's sake before this one's turn came.
    if (asked >= 0 ? asked == partition->reset_from : partition->next == KAFKA_AT_BEGINNING)
        return;
    if (++partition->resets > RESETS_MAX)
        result =
            mf_error_set(&err, MF_ERROR_FATAL, "offset_out_of_range", "%s [%d] has no offset to start from",
                         partition->topic, (int)partition->partition);
    else if (asked < 0)
        result = no_offset(consumer, partition, &err);
    else
        result = out_of_range(consumer, partition, asked, &err);
    if (result < 0)
        fail(consumer, &err);
    else
        consumer->reassign_due = true; // at the end of the turn, once for all that it brings
}

bool kafka_consumer_on_partition_error(struct mf_kafka_consumer *consumer, struct rd_kafka_op_s *event)
{
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_ERROR)
        return false;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR__PARTITION_EOF && code != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return false;
    rd_kafka_topic_partition_t *where = rd_kafka_event_topic_partition(event);
    if (where == NULL)
        return false;
    struct kafka_partition *partition =
        kafka_partitions_find(&consumer->partitions, where->topic, where->partition);
    int64_t offset = where->offset;
    rd_kafka_topic_partition_destroy(where);
    if (partition == NULL)
        return true; // not ours any more
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        on_reset(consumer, partition, offset);
        return true;
    }
    kafka_partition_at_end(partition, offset);
    if (partition->end >= 0 && consumer->ops.on_eof != NULL)
        consumer->ops.on_eof(consumer->ops.arg, partition->topic, partition->partition, offset);
    return true;
}
