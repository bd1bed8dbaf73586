// SPDX-License-Identifier: Apache-2.0
// Bulk producing: records are gathered by partition and handed to librdkafka a request's worth at a time, and
// not before the request before it is answered (docs/kafka.md). It lets only one request of a partition be on
// its way anyhow; but what waits behind that one keeps its thread awake, asking again and again until the
// answer comes. Handing over in pieces also asks two clocks and takes three locks per piece and not per
// record, and lets a transaction begin with a piece of work: the first request after a commit is told to come
// again when it comes at once.
//
// A record that the full queue has no room for stays here, and is tried again by the timer. What librdkafka
// refuses for another reason is told like a failed delivery, from the loop.
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_producer.h"

#define BLOCK_BYTES ((size_t)32 * 1024)
#define BLOCK_RECORDS 128
#define MIB ((size_t)1024 * 1024)
#define BEGIN_BYTES MIB          // before the first request when nothing is on its way
#define BUSY_BYTES (5 * MIB / 2) // gathered and unanswered: the owner is asked to wait
#define HELD_BYTES_MAX (8 * MIB) // then all is handed over, answered or not, as far as the queue has room
// One request: below batch.size and batch.num.messages, with what librdkafka puts around a record.
#define REQUEST_BYTES ((size_t)960000)
#define REQUEST_RECORDS 9000
#define FRAME_BYTES 20
#define SEND_MS 100 // nothing is kept longer than this because its request is not full, give or take a turn
#define RETRY_MS 1
#define SPARE_MS 1000 // what is not needed for so long is given back

struct kafka_block {
    struct kafka_block *next;
    size_t size, len; // of the bytes; in use
    size_t count;     // records, in order
    bool headers;     // one of them has some: librdkafka takes all of them one by one
    rd_kafka_message_t records[BLOCK_RECORDS];
    rd_kafka_headers_t *header_lists[BLOCK_RECORDS]; // only with headers
    char bytes[];                                    // keys and values
};

// Records of one partition, in order.
struct kafka_lane {
    struct kafka_topic *topic;
    int32_t partition;
    struct kafka_block *first, *last;
    struct kafka_block *lent; // handed over and not answered: librdkafka reads the values where they are
    size_t count, bytes;      // in the blocks
    size_t on_its_way;        // handed over and not answered
    size_t place;             // among the waiting, when count > 0
    bool urgent;              // the next request need not be full, until nothing waits here
};

struct kafka_refusal {
    const struct kafka_topic *topic;
    int32_t partition;
    void *opaque;
    size_t value_len;
    int code;
};

// ---------------------------------------------------------------- life

static bool quiet(const struct mf_kafka_producer *producer)
{
    return producer->gather.sent == 0 && producer->gather.records == 0;
}

static void clear_block(struct kafka_block *block)
{
    for (size_t i = 0; block->headers && i < block->count; i++)
        if (block->header_lists[i] != NULL)
            rd_kafka_headers_destroy(block->header_lists[i]);
    block->len = block->count = 0;
    block->headers = false;
}

static void free_blocks(struct kafka_block **blocks)
{
    while (*blocks != NULL) {
        struct kafka_block *block = *blocks;
        *blocks = block->next;
        clear_block(block);
        free(block);
    }
}

static void on_timer(void *arg)
{
    struct mf_kafka_producer *producer = arg;
    if (quiet(producer)) {
        free_blocks(&producer->gather.spare);
        return;
    }
    if (producer->gather.records > 0)
        mf_timer_arm_ms(producer->gather.timer, SEND_MS);
    kafka_gather_send(producer);
}

void kafka_gather_init(struct mf_kafka_producer *producer)
{
    if (producer->ops.bulk)
        producer->gather.timer = mf_timer_new(producer->client.config.loop, on_timer, producer);
}

void kafka_gather_stop(struct mf_kafka_producer *producer)
{
    mf_timer_free(&producer->gather.timer);
    kafka_gather_drop(producer);
}

static void free_lanes(struct kafka_topic *topic, bool lent)
{
    for (size_t i = 0; i < topic->lane_count; i++) {
        if (topic->lanes[i] != NULL && lent)
            free_blocks(&topic->lanes[i]->lent);
        free(topic->lanes[i]);
    }
    free(topic->lanes);
}

void kafka_gather_free(struct mf_kafka_producer *producer, bool lent)
{
    struct kafka_gather *gather = &producer->gather;
    for (size_t i = 0; i < producer->topic_count; i++)
        free_lanes(producer->topics[i], lent);
    free_blocks(&gather->spare);
    free(gather->waiting);
    free(gather->refused);
    *gather = (struct kafka_gather){0};
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

// ---------------------------------------------------------------- blocks and the waiting

static struct kafka_block *add_block(struct kafka_gather *gather, struct kafka_lane *lane, size_t size)
{
    struct kafka_block *block = gather->spare;
    if (block != NULL && size <= block->size) {
        gather->spare = block->next;
    } else {
        size = size < BLOCK_BYTES ? BLOCK_BYTES : size;
        block = mf_alloc(sizeof *block + size);
        *block = (struct kafka_block){.size = size};
    }
    block->next = NULL;
    *(lane->first == NULL ? &lane->first : &lane->last->next) = block;
    lane->last = block;
    return block;
}

static void move_block(struct kafka_block **from, struct kafka_block **to)
{
    struct kafka_block *block = *from;
    *from = block->next;
    block->next = *to;
    *to = block;
}

static void take_back(struct kafka_gather *gather, struct kafka_block **blocks)
{
    while (*blocks != NULL) {
        struct kafka_block *block = *blocks;
        gather->held -= block->len;
        clear_block(block);
        if (block->size == BLOCK_BYTES) {
            move_block(blocks, &gather->spare);
        } else {
            *blocks = block->next;
            free(block);
        }
    }
}

static void begin_waiting(struct kafka_gather *gather, struct kafka_lane *lane)
{
    if (gather->waiting_count == gather->waiting_capacity) {
        gather->waiting_capacity = gather->waiting_capacity * 2 + 16;
        gather->waiting = mf_realloc(gather->waiting, gather->waiting_capacity * sizeof(struct kafka_lane *));
    }
    lane->place = gather->waiting_count;
    gather->waiting[gather->waiting_count++] = lane;
}

static void end_waiting(struct kafka_gather *gather, struct kafka_lane *lane)
{
    struct kafka_lane *last = gather->waiting[--gather->waiting_count];
    gather->waiting[lane->place] = last;
    last->place = lane->place;
    lane->urgent = false;
}

// ---------------------------------------------------------------- handing over

static void note_sent(struct kafka_gather *gather, struct kafka_lane *lane, uint64_t count,
                      uint64_t value_bytes, uint64_t key_bytes)
{
    lane->on_its_way += count;
    gather->on_its_way += count;
    lane->topic->sent += count;
    lane->topic->sent_bytes += value_bytes;
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

static size_t size_of(const rd_kafka_message_t *record)
{
    return record->len + record->key_len + FRAME_BYTES;
}

// Leaves each record's result in `err`; after the first that finds no room, none is taken.
static void produce_block(struct mf_kafka_producer *producer, const struct kafka_lane *lane,
                          struct kafka_block *block)
{
    rd_kafka_topic_t *topic = lane->topic->native;
    if (!block->headers) {
        rd_kafka_produce_batch(topic, lane->partition, 0, block->records, (int)block->count);
        return;
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < block->count; i++) {
        rd_kafka_message_t *record = &block->records[i];
        rd_kafka_headers_t *headers = block->header_lists[i];
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            code = rd_kafka_producev(
                producer->client.rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(lane->partition),
                RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(record->key, record->key_len),
                RD_KAFKA_V_VALUE(record->payload, record->len), RD_KAFKA_V_HEADERS(headers),
                RD_KAFKA_V_OPAQUE(record->_private), RD_KAFKA_V_END);
        record->err = code;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            block->header_lists[i] = NULL; // librdkafka's now
    }
}

// The first block of a lane. False when something is left for which the queue has no room.
static bool send_block(struct mf_kafka_producer *producer, struct kafka_lane *lane)
{
    struct kafka_gather *gather = &producer->gather;
    struct kafka_block *block = lane->first;
    size_t kept = 0, gone_bytes = 0;
    uint64_t sent = 0, value_bytes = 0, key_bytes = 0;
    produce_block(producer, lane, block);
    for (size_t i = 0; i < block->count; i++) {
        const rd_kafka_message_t *record = &block->records[i];
        if (record->err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            block->header_lists[kept] = block->headers ? block->header_lists[i] : NULL;
            block->records[kept++] = *record;
            continue;
        }
        if (block->headers && block->header_lists[i] != NULL)
            rd_kafka_headers_destroy(block->header_lists[i]);
        gone_bytes += size_of(record);
        if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            sent++;
            value_bytes += record->len;
            key_bytes += record->key_len;
        } else {
            refuse(producer, lane, record);
        }
    }
    note_sent(gather, lane, sent, value_bytes, key_bytes);
    gather->records -= block->count - kept;
    gather->bytes -= gone_bytes;
    lane->count -= block->count - kept;
    lane->bytes -= gone_bytes;
    block->count = kept;
    if (kept > 0)
        return false;
    move_block(&lane->first, &lane->lent);
    return true;
}

// A request's worth, or everything. The lane has records; it may not be waiting any more afterwards.
static void send_lane(struct mf_kafka_producer *producer, struct kafka_lane *lane, bool everything)
{
    size_t count = 0, bytes = 0;
    while (lane->first != NULL) {
        count += lane->first->count;
        bytes += lane->first->len + lane->first->count * FRAME_BYTES;
        if (!everything && lane->on_its_way > 0 && (bytes > REQUEST_BYTES || count > REQUEST_RECORDS))
            break;
        if (!send_block(producer, lane)) { // nobody tells when the queue has room again
            kafka_producer_raise_pressure(producer);
            mf_timer_arm_ms(producer->gather.timer, RETRY_MS);
            break;
        }
    }
    if (lane->on_its_way == 0) // all were refused: no answer comes
        take_back(&producer->gather, &lane->lent);
    if (lane->count == 0)
        end_waiting(&producer->gather, lane);
}

static bool is_due(const struct kafka_lane *lane)
{
    return lane->on_its_way == 0 && lane->count > 0 &&
           (lane->urgent || lane->bytes >= REQUEST_BYTES || lane->count >= REQUEST_RECORDS);
}

static void send_all(struct mf_kafka_producer *producer, bool everything)
{
    struct kafka_gather *gather = &producer->gather;
    for (size_t i = gather->waiting_count; i-- > 0;) // one that goes is replaced by the last
        if (everything || is_due(gather->waiting[i]))
            send_lane(producer, gather->waiting[i], everything);
    kafka_producer_check_pressure(producer);
}

void kafka_gather_send(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->records == 0)
        return;
    for (size_t i = 0; i < gather->waiting_count; i++)
        gather->waiting[i]->urgent = true;
    send_all(producer, false);
}

bool kafka_gather_busy(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    if (gather->held >= BUSY_BYTES && gather->on_its_way == 0) // no answer would end it
        kafka_gather_send(producer);
    return gather->held >= BUSY_BYTES;
}

void kafka_gather_answered(struct mf_kafka_producer *producer, struct kafka_topic *topic, int32_t partition,
                           size_t count)
{
    if (partition < 0 || (size_t)partition >= topic->lane_count || topic->lanes[partition] == NULL)
        return;
    struct kafka_lane *lane = topic->lanes[partition];
    assert(lane->on_its_way >= count);
    lane->on_its_way -= count;
    producer->gather.on_its_way -= count;
    if (lane->on_its_way == 0)
        take_back(&producer->gather, &lane->lent);
    if (is_due(lane) && !producer->client.dying)
        send_lane(producer, lane, false);
}

void kafka_gather_drop(struct mf_kafka_producer *producer)
{
    struct kafka_gather *gather = &producer->gather;
    while (gather->waiting_count > 0) {
        struct kafka_lane *lane = gather->waiting[0];
        if (lane->on_its_way > 0) // a full queue may have taken a part of the first block
            move_block(&lane->first, &lane->lent);
        take_back(gather, &lane->first);
        lane->count = lane->bytes = 0;
        end_waiting(gather, lane);
    }
    gather->records = gather->bytes = 0;
    gather->refused_told = gather->refused_count = 0;
}

// ---------------------------------------------------------------- gathering

static struct kafka_block *room_for(struct mf_kafka_producer *producer, struct kafka_lane *lane, size_t size)
{
    struct kafka_gather *gather = &producer->gather;
    if (lane->first != NULL && lane->last->len + size <= lane->last->size &&
        lane->last->count < BLOCK_RECORDS)
        return lane->last;
    if (gather->held >= HELD_BYTES_MAX) {
        send_all(producer, true);
        if (gather->records > 0) // the queue is full
            return NULL;
    }
    kafka_producer_check_pressure(producer);
    return add_block(gather, lane, size);
}

static void *keep(struct kafka_block *block, struct mf_str part)
{
    if (part.data == NULL)
        return NULL;
    char *kept = block->bytes + block->len;
    memcpy(kept, part.data, part.len);
    block->len += part.len;
    return kept;
}

static void keep_headers(struct kafka_block *block, const struct mf_kafka_record *record)
{
    if (record->header_count > 0 && !block->headers) {
        memset(block->header_lists, 0, sizeof block->header_lists);
        block->headers = true;
    }
    if (!block->headers)
        return;
    rd_kafka_headers_t *list = NULL;
    if (record->header_count > 0)
        list = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct mf_kafka_header *header = &record->headers[i];
        rd_kafka_header_add(list, header->name, -1, header->value.data, (ssize_t)header->value.len);
    }
    block->header_lists[block->count] = list;
}

static void append(struct kafka_gather *gather, struct kafka_lane *lane, struct kafka_block *block,
                   const struct mf_kafka_record *record, void *opaque)
{
    keep_headers(block, record);
    void *value = keep(block, record->value);
    rd_kafka_message_t *kept = &block->records[block->count++];
    *kept = (rd_kafka_message_t){.payload = value,
                                 .len = record->value.len,
                                 .key = keep(block, record->key),
                                 .key_len = record->key.len,
                                 ._private = opaque};
    gather->held += record->value.len + record->key.len;
    if (lane->count++ == 0)
        begin_waiting(gather, lane);
    lane->bytes += size_of(kept);
    gather->bytes += size_of(kept);
    gather->records++;
}

bool kafka_gather_take(struct mf_kafka_producer *producer, struct kafka_topic *topic, int32_t partition,
                       const struct mf_kafka_record *record, void *opaque)
{
    struct kafka_gather *gather = &producer->gather;
    assert(partition >= 0);
    struct kafka_lane *lane = lane_of(topic, (size_t)partition);
    struct kafka_block *block = room_for(producer, lane, record->value.len + record->key.len);
    if (block == NULL)
        return false;
    if (gather->records == 0) {
        mf_timer_arm_ms(gather->timer, SEND_MS);
        if (gather->sent == 0)
            gather->begin_us = mf_clock_monotonic_us();
    }
    append(gather, lane, block, record, opaque);
    if (gather->sent > 0) {
        if (is_due(lane))
            send_lane(producer, lane, false);
    } else if (gather->bytes >= BEGIN_BYTES) {
        kafka_gather_send(producer);
    }
    return true;
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
    return gather->bytes + (gather->sent > 0 ? (size_t)(gather->sent_bytes * queued / gather->sent) : 0);
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
    if (gather->spare != NULL)
        mf_timer_arm_ms(gather->timer, SPARE_MS);
}
