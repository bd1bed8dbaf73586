// SPDX-License-Identifier: Apache-2.0
// Bulk producing: records are gathered by partition and handed to librdkafka in one call each, which asks two
// clocks and takes three locks per call and not per record; and what arrives is not reported record by
// record (docs/kafka.md). It also lets a transaction begin with a piece of work: the first request after a
// commit is told to come again when it comes at once.
//
// A record that the full queue has no room for stays here, and is tried again when the owner sends or
// flushes, and by the timer. What librdkafka refuses for another reason is told like a failed delivery, from
// the loop.
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_producer.h"

#define GATHER_BYTES ((size_t)256 * 1024) // stays in a core's second cache
#define GATHER_RECORDS 4000
#define RECORD_BYTES_MAX (GATHER_BYTES / 4)
#define LANES_MAX 10000
#define SEND_MS 25 // nothing is kept longer than this, give or take a turn
#define RETRY_MS 1

// Records of one partition, in order. Their keys and values are in the gather's bytes.
struct kafka_lane {
    struct kafka_topic *topic;
    int32_t partition;
    size_t count, capacity;
    rd_kafka_message_t *records;
};

struct kafka_refusal {
    const struct kafka_topic *topic;
    int32_t partition;
    void *opaque;
    size_t value_len;
    int code;
};

// ---------------------------------------------------------------- life

static void on_timer(void *arg)
{
    struct mf_kafka_producer *producer = arg;
    kafka_producer_enter(producer);
    kafka_gather_send(producer);
    mf_kafka_producer_serve(producer);
    kafka_producer_leave(producer);
}

void kafka_gather_init(struct mf_kafka_producer *producer)
{
    if (producer->ops.bulk)
        producer->gather.timer = mf_timer_new(producer->client.config.loop, on_timer, producer);
}

void kafka_gather_free(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    mf_timer_free(&gather->timer);
    free(gather->bytes);
    free(gather->waiting);
    free(gather->refused);
    *gather = (struct kafka_gather){0};
}

void kafka_gather_free_lanes(struct kafka_topic *topic)
{
    for (size_t i = 0; i < topic->lane_count; i++) {
        if (topic->lanes[i] != NULL)
            free(topic->lanes[i]->records);
        free(topic->lanes[i]);
    }
    free(topic->lanes);
}

static struct kafka_lane *lane_of(struct kafka_topic *topic, size_t partition)
{
    if (partition >= topic->lane_count) {
        topic->lanes = mf_realloc(topic->lanes, (partition + 1) * sizeof(struct kafka_lane *));
        while (topic->lane_count <= partition)
            topic->lanes[topic->lane_count++] = NULL;
    }
    if (topic->lanes[partition] == NULL) {
        struct kafka_lane *made = mf_calloc(1, sizeof *made);
        made->topic = topic;
        made->partition = (int32_t)partition;
        topic->lanes[partition] = made;
    }
    return topic->lanes[partition];
}

// ---------------------------------------------------------------- handing over

static void note_sent(struct kafka_gather *gather, struct kafka_topic *topic, uint64_t count,
                      uint64_t value_bytes, uint64_t key_bytes)
{
    topic->sent += count;
    topic->sent_bytes += value_bytes;
    gather->sent += count;
    gather->sent_bytes += value_bytes + key_bytes;
}

static void refuse(struct mf_kafka_producer *producer, const struct kafka_lane *lane,
                   const rd_kafka_message_t *record)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->refused_count == gather->refused_capacity) {
        gather->refused_capacity = gather->refused_capacity * 2 + 16;
        gather->refused =
            mf_realloc(gather->refused, gather->refused_capacity * sizeof(struct kafka_refusal));
    }
    gather->refused[gather->refused_count++] = (struct kafka_refusal){.topic = lane->topic,
                                                                      .partition = lane->partition,
                                                                      .opaque = record->_private,
                                                                      .value_len = record->len,
                                                                      .code = (int)record->err};
    mf_deferred_schedule(producer->announce);
}

// False when something is left for which the queue has no room.
static bool send_lane(struct mf_kafka_producer *producer, struct kafka_lane *lane)
{
    struct kafka_gather *gather = &producer->gather;
    size_t kept = 0;
    uint64_t sent = 0, value_bytes = 0, key_bytes = 0;
    // Each record carries its own result; after the first that finds no room, none is taken.
    rd_kafka_produce_batch(lane->topic->native, lane->partition, RD_KAFKA_MSG_F_COPY, lane->records,
                           (int)lane->count);
    for (size_t i = 0; i < lane->count; i++) {
        const rd_kafka_message_t *record = &lane->records[i];
        if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            sent++;
            value_bytes += record->len;
            key_bytes += record->key_len;
        } else if (record->err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            lane->records[kept++] = *record;
        } else {
            refuse(producer, lane, record);
        }
    }
    note_sent(gather, lane->topic, sent, value_bytes, key_bytes);
    gather->records -= lane->count - kept;
    lane->count = kept;
    return kept == 0;
}

static void settle_bytes(struct kafka_gather *gather)
{
    if (gather->records == 0)
        gather->len = 0; // nothing points there any more
}

void kafka_gather_send(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->records == 0)
        return;
    size_t left = 0;
    for (size_t i = 0; i < gather->waiting_count; i++) {
        if (!send_lane(producer, gather->waiting[i]))
            gather->waiting[left++] = gather->waiting[i];
    }
    gather->waiting_count = left;
    settle_bytes(gather);
    if (left > 0)
        kafka_producer_raise_pressure(producer);
    kafka_producer_check_pressure(producer);
    if (producer->pressure) // nobody tells when the queue has room again
        mf_timer_arm_ms(gather->timer, RETRY_MS);
}

void kafka_gather_drop(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    for (size_t i = 0; i < gather->waiting_count; i++)
        gather->waiting[i]->count = 0;
    gather->waiting_count = gather->records = gather->len = 0;
    gather->refused_told = gather->refused_count = 0;
}

// ---------------------------------------------------------------- gathering

// A lane with nothing in it is not waiting, and one that waits is so once.
static bool clear_lane(struct mf_kafka_producer *producer, struct kafka_lane *lane)
{
    struct kafka_gather *gather = &producer->gather;
    if (lane->count == 0)
        return true;
    if (!send_lane(producer, lane))
        return false;
    size_t at = 0;
    while (gather->waiting[at] != lane)
        at++;
    gather->waiting[at] = gather->waiting[--gather->waiting_count];
    settle_bytes(gather);
    return true;
}

static void begin(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->bytes == NULL)
        gather->bytes = mf_alloc(GATHER_BYTES);
    if (gather->sent == 0)
        gather->begin_us = mf_clock_monotonic_us();
    if (!mf_timer_is_armed(gather->timer))
        mf_timer_arm_ms(gather->timer, SEND_MS);
}

static void *keep(struct kafka_gather *gather, struct mf_str part)
{
    if (part.data == NULL)
        return NULL;
    char *kept = gather->bytes + gather->len;
    memcpy(kept, part.data, part.len);
    gather->len += part.len;
    return kept;
}

static void append(struct kafka_gather *gather, struct kafka_lane *lane, const struct mf_kafka_record *record,
                   void *opaque)
{
    if (lane->count == lane->capacity) {
        lane->capacity = lane->capacity * 2 + 32;
        lane->records = mf_realloc(lane->records, lane->capacity * sizeof(rd_kafka_message_t));
    }
    if (lane->count == 0) {
        if (gather->waiting_count == gather->waiting_capacity) {
            gather->waiting_capacity = gather->waiting_capacity * 2 + 16;
            gather->waiting =
                mf_realloc(gather->waiting, gather->waiting_capacity * sizeof(struct kafka_lane *));
        }
        gather->waiting[gather->waiting_count++] = lane;
    }
    void *value = keep(gather, record->value);
    lane->records[lane->count++] = (rd_kafka_message_t){.payload = value,
                                                        .len = record->value.len,
                                                        .key = keep(gather, record->key),
                                                        .key_len = record->key.len,
                                                        ._private = opaque};
    gather->records++;
}

enum kafka_taken kafka_gather_take(struct mf_kafka_producer *producer, struct kafka_topic *topic,
                                   int32_t partition, const struct mf_kafka_record *record, void *opaque)
{
    struct kafka_gather *gather = &producer->gather;
    size_t size = record->value.len + record->key.len;
    assert(partition >= 0);
    if (partition >= LANES_MAX)
        return KAFKA_TAKEN_DIRECT;
    struct kafka_lane *lane = lane_of(topic, (size_t)partition);
    if (record->header_count > 0 || size > RECORD_BYTES_MAX)
        return clear_lane(producer, lane) ? KAFKA_TAKEN_DIRECT : KAFKA_TAKEN_FULL;
    if (gather->len + size > GATHER_BYTES || gather->records == GATHER_RECORDS)
        kafka_gather_send(producer);
    if (gather->len + size > GATHER_BYTES || gather->records == GATHER_RECORDS)
        return KAFKA_TAKEN_FULL;
    if (gather->records == 0)
        begin(producer);
    append(gather, lane, record, opaque);
    return KAFKA_TAKEN;
}

void kafka_gather_count(struct mf_kafka_producer *producer, struct kafka_topic *topic, size_t value_len,
                        size_t key_len)
{
    if (producer->gather.sent == 0 && producer->gather.records == 0)
        producer->gather.begin_us = mf_clock_monotonic_us();
    note_sent(&producer->gather, topic, 1, value_len, key_len);
}

// ---------------------------------------------------------------- accounts

size_t kafka_gather_outstanding(const struct mf_kafka_producer *producer)
{
    const struct kafka_gather *gather = &producer->gather;
    int queued = rd_kafka_outq_len(producer->client.rk);
    return gather->records + (gather->refused_count - gather->refused_told) +
           (size_t)(queued > 0 ? queued : 0);
}

// By the mean size of what was handed over: nobody tells which records were acknowledged.
size_t kafka_gather_outstanding_bytes(const struct mf_kafka_producer *producer, size_t outstanding)
{
    const struct kafka_gather *gather = &producer->gather;
    uint64_t queued = outstanding - gather->records;
    if (queued > gather->sent) // events that are no records are counted too
        queued = gather->sent;
    return gather->len + (gather->sent > 0 ? (size_t)(gather->sent_bytes * queued / gather->sent) : 0);
}

void kafka_gather_tell(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    // An owner that is told may produce, and free.
    kafka_producer_enter(producer);
    while (gather->refused_told < gather->refused_count && !producer->client.dying) {
        struct kafka_refusal refusal = gather->refused[gather->refused_told++];
        producer->failed++;
        mf_metric_add(refusal.topic->messages[false], 1);
        mf_metric_add(refusal.topic->bytes[false], (double)refusal.value_len);
        struct mf_kafka_delivery failure = {.opaque = refusal.opaque,
                                            .topic = refusal.topic->name,
                                            .partition = refusal.partition,
                                            .offset = -1,
                                            .value_len = refusal.value_len};
        kafka_producer_tell_failure(producer, &failure, refusal.code);
    }
    if (gather->refused_told == gather->refused_count)
        gather->refused_told = gather->refused_count = 0;
    kafka_producer_leave(producer);
}

void kafka_gather_settle(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->sent == 0 || producer->client.dying || kafka_gather_outstanding(producer) > 0)
        return;
    double seconds = (double)(mf_clock_monotonic_us() - gather->begin_us) / 1e6;
    for (size_t i = 0; i < producer->topic_count; i++) {
        struct kafka_topic *topic = producer->topics[i];
        if (topic->sent > topic->lost) {
            producer->client.connected = true;
            mf_metric_add(topic->messages[true], (double)(topic->sent - topic->lost));
            mf_metric_add(topic->bytes[true], (double)(topic->sent_bytes - topic->lost_bytes));
            mf_metric_observe(topic->seconds, seconds);
        }
        topic->sent = topic->sent_bytes = topic->lost = topic->lost_bytes = 0;
    }
    gather->sent = gather->sent_bytes = 0;
}
