// SPDX-License-Identifier: Apache-2.0
// Going to other offsets: seek, rewind to what is committed; and committing for lag tools. Blocking seams:
// the committed offsets are asked for with a limit of 10 s; the seek itself waits for librdkafka's main
// thread only. Failure classes: TRANSIENT (the committed offsets could not be read; nothing has moved), FATAL
// "no_offset".
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/kafka_consumer.h"

#define COMMITTED_TIMEOUT_MS 10000

static rd_kafka_topic_partition_list_t *list_of(const struct mf_kafka_offset *offsets, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition)->offset =
            offsets[i].offset;
    return list;
}

// Where a partition goes on that the group has committed nothing for.
static int without_commit(const struct mf_kafka_consumer *consumer, const struct kafka_partition *partition,
                          int64_t *next, struct mf_error *err)
{
    if (partition->start < 0 && !consumer->start_at_earliest)
        return mf_error_set(err, MF_ERROR_FATAL, "no_offset", "the group has no committed offset for %s [%d]",
                            partition->topic, (int)partition->partition);
    *next = partition->start >= 0 ? partition->start : KAFKA_AT_BEGINNING;
    return 0;
}

// Replaces every -1 of next[] by the committed offset.
static int resolve(struct mf_kafka_consumer *consumer, struct kafka_partition *const *partitions,
                   int64_t *next, size_t count, struct mf_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        if (next[i] == KAFKA_AT_COMMITTED)
            rd_kafka_topic_partition_list_add(list, partitions[i]->topic, partitions[i]->partition);
    }
    int result = 0;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (list->cnt > 0)
        code = rd_kafka_committed(consumer->client.rk, list, COMMITTED_TIMEOUT_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        result = kafka_error_set(err, (int)code, "reading the committed offsets");
    int at = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (next[i] != KAFKA_AT_COMMITTED)
            continue;
        next[i] = list->elems[at++].offset;
        if (next[i] < 0)
            result = without_commit(consumer, partitions[i], &next[i], err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

// Seeks where all partitions are being fetched; else, where one is not (yet), all are assigned anew.
static void move(struct mf_kafka_consumer *consumer, struct kafka_partition *const *partitions,
                 const int64_t *next, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        kafka_partition_moved(partitions[i], next[i]);
        rd_kafka_topic_partition_list_add(list, partitions[i]->topic, partitions[i]->partition)->offset =
            next[i] == KAFKA_AT_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : next[i];
    }
    // -1: the timeout is taken 1000 times too short before 2.1.0. No broker takes part, so nothing can hang.
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->client.rk, list, -1);
    bool failed = error != NULL;
    rd_kafka_error_destroy(error);
    for (int i = 0; i < list->cnt; i++)
        failed = failed || list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    if (failed)
        kafka_consumer_reassign(consumer);
}

void kafka_consumer_resolve_start(struct mf_kafka_consumer *consumer)
{
    struct kafka_partitions *all = &consumer->partitions;
    struct kafka_partition **partitions = mf_calloc(all->count, sizeof(struct kafka_partition *));
    int64_t *next = mf_calloc(all->count, sizeof *next);
    struct mf_error err;
    for (size_t i = 0; i < all->count; i++) {
        partitions[i] = &all->items[i];
        next[i] = all->items[i].next;
    }
    if (resolve(consumer, partitions, next, all->count, &err) == 0) {
        for (size_t i = 0; i < all->count; i++)
            partitions[i]->next = next[i];
    }
    free(partitions);
    free(next);
}

int mf_kafka_consumer_seek(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                           size_t count, struct mf_error *err)
{
    assert(!consumer->assigning); // on_assign says where to begin through its argument
    if (count == 0)
        return 0;
    if (consumer->closed != NULL)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "not_assigned", "the consumer is closing");
    struct kafka_partition **partitions = mf_calloc(count, sizeof(struct kafka_partition *));
    int64_t *next = mf_calloc(count, sizeof *next);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        partitions[i] = kafka_partitions_find(&consumer->partitions, offsets[i].topic, offsets[i].partition);
        next[i] = offsets[i].offset >= 0 ? offsets[i].offset : KAFKA_AT_COMMITTED;
        if (partitions[i] == NULL) {
            mf_error_set(err, MF_ERROR_TRANSIENT, "not_assigned", "%s [%d] is not assigned to us",
                         offsets[i].topic, (int)offsets[i].partition);
            result = -1;
        }
    }
    if (result == 0)
        result = resolve(consumer, partitions, next, count, err);
    if (result == 0)
        move(consumer, partitions, next, count);
    free(partitions);
    free(next);
    return result;
}

int mf_kafka_consumer_rewind(struct mf_kafka_consumer *consumer, struct mf_error *err)
{
    size_t count = consumer->partitions.count;
    struct mf_kafka_offset *offsets = mf_calloc(count, sizeof *offsets);
    for (size_t i = 0; i < count; i++)
        offsets[i] = (struct mf_kafka_offset){consumer->partitions.items[i].topic,
                                              consumer->partitions.items[i].partition, -1};
    int result = mf_kafka_consumer_seek(consumer, offsets, count, err);
    free(offsets);
    return result;
}

int mf_kafka_consumer_committed(struct mf_kafka_consumer *consumer, struct mf_kafka_offset *offsets,
                                size_t count, struct mf_error *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(offsets, count);
    rd_kafka_resp_err_t code = rd_kafka_committed(consumer->client.rk, list, COMMITTED_TIMEOUT_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        offsets[i].offset = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "reading the committed offsets");
    return 0;
}

void mf_kafka_consumer_commit_async(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                                    size_t count)
{
    if (count == 0)
        return;
    rd_kafka_topic_partition_list_t *list = list_of(offsets, count);
    // The result comes as an event; rd_kafka_commit would tell it to a callback only.
    if (rd_kafka_commit_queue(consumer->client.rk, list, consumer->client.queue, NULL, NULL) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        mf_metric_add(
            MF_METRIC(consumer->client.config.metrics, &mf_common_metrics[MF_M_KAFKA_COMMITS], "error"), 1);
    rd_kafka_topic_partition_list_destroy(list);
}

int mf_kafka_cluster_id(struct mf_kafka_consumer *consumer, int timeout_ms, char out[64],
                        struct mf_error *err)
{
    char *id = rd_kafka_clusterid(consumer->client.rk, timeout_ms);
    if (id == NULL)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "timeout",
                            "the cluster did not tell its id within %d ms", timeout_ms);
    bool fits = mf_str_copy(out, 64, mf_str_of(id));
    rd_kafka_mem_free(consumer->client.rk, id);
    if (!fits)
        return mf_error_set(err, MF_ERROR_FATAL, "cluster_id", "the cluster's id is longer than 63 bytes");
    return 0;
}
