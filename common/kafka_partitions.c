// SPDX-License-Identifier: Apache-2.0
// The partitions of an assignment and the check of every offset that is handed out. Pure: no librdkafka call.
//
// What the check knows: after an offset was handed out, it must not come again without a seek (librdkafka can
// refetch after a resume, #4636); and after going back from beyond offset L, which was handed out once, the
// first message must be at or below L, because the log still has a message there. One above it was queued
// before the seek. Only when the log has lost L meanwhile (retention, compaction) is that wrong; so after
// three seeks that did not help the message is taken.
#include <stdlib.h>

#include "common/kafka_client.h"

#define RESEEKS_MAX 3

void kafka_partitions_clear(struct kafka_partitions *partitions)
{
    for (size_t i = 0; i < partitions->count; i++)
        free(partitions->items[i].topic);
    free(partitions->items);
    *partitions = (struct kafka_partitions){0};
}

struct kafka_partition *kafka_partitions_add(struct kafka_partitions *partitions, const char *topic,
                                             int32_t partition, int64_t start)
{
    partitions->items = mf_realloc(partitions->items, (partitions->count + 1) * sizeof partitions->items[0]);
    struct kafka_partition *added = &partitions->items[partitions->count++];
    *added = (struct kafka_partition){.topic = mf_strdup(topic),
                                      .partition = partition,
                                      .next = start,
                                      .start = start,
                                      .last = -1,
                                      .must_reach = -1,
                                      .reset_from = -1,
                                      .end = -1};
    return added;
}

struct kafka_partition *kafka_partitions_find(struct kafka_partitions *partitions, const char *topic,
                                              int32_t partition)
{
    for (size_t i = 0; i < partitions->count; i++) {
        struct kafka_partition *item = &partitions->items[i];
        if (item->partition == partition && strcmp(item->topic, topic) == 0)
            return item;
    }
    return NULL;
}

struct kafka_partition *kafka_partitions_find_native(struct kafka_partitions *partitions,
                                                     const struct rd_kafka_topic_s *native, const char *topic,
                                                     int32_t partition)
{
    // Messages come in runs of one partition.
    if (partitions->hint < partitions->count) {
        struct kafka_partition *item = &partitions->items[partitions->hint];
        if (item->partition == partition && item->native == native)
            return item;
    }
    for (size_t i = 0; i < partitions->count; i++) {
        struct kafka_partition *item = &partitions->items[i];
        if (item->partition != partition)
            continue;
        if (item->native != native && strcmp(item->topic, topic) != 0)
            continue;
        item->native = native;
        partitions->hint = i;
        return item;
    }
    return NULL;
}

enum kafka_accept kafka_partition_accept(struct kafka_partition *partition, int64_t offset)
{
    if (offset < partition->next)
        return KAFKA_ACCEPT_DROP;
    if (partition->must_reach >= 0 && offset > partition->must_reach && partition->reseeks < RESEEKS_MAX) {
        partition->reseeks++;
        return KAFKA_ACCEPT_RESEEK;
    }
    partition->must_reach = -1;
    partition->reseeks = partition->resets = 0;
    partition->reset_from = -1;
    partition->next = offset + 1;
    partition->last = offset;
    partition->end = -1;
    return KAFKA_ACCEPT;
}

void kafka_partition_moved(struct kafka_partition *partition, int64_t next)
{
    // A seek forwards, or to where we stand, says nothing about what comes first.
    bool back = next != KAFKA_AT_COMMITTED && partition->last >= 0 && next <= partition->last;
    partition->must_reach = back ? partition->last : -1;
    partition->reseeks = 0;
    partition->next = next;
    partition->end = -1;
}

void kafka_partition_at_end(struct kafka_partition *partition, int64_t offset)
{
    // Control records move the end beyond the last message; an end that was queued before a seek is behind us
    // or beyond what must still come.
    if (offset < partition->next || partition->must_reach >= 0)
        return;
    partition->next = offset;
    partition->end = offset;
}
