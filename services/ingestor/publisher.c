// SPDX-License-Identifier: Apache-2.0
// Publishing with delivery accounts (see publisher.h).
#include "services/ingestor/publisher.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PARTITIONS_WAIT_MS = 200,
    // Keys and values. librdkafka adds half as much again per record. Four requests of the largest size: as
    // many as a broker gets of a partition, and one to come.
    BUSY_BYTES = 4 * 1024 * 1024
};

struct ing_batch {
    struct ing_publisher *publisher;
    struct ing_batch *next, **link; // in publisher->batches
    size_t outstanding;
    uint64_t dead_letters;
    bool sealed, abandoned, failed;
    const char *noted_topic;
    struct ing_offsets *noted; // of that topic; NULL = nobody asks
    struct mf_error err;       // of the first failure
    ing_batch_fn done;
    void *arg;
};

struct ing_publisher {
    const struct ing_config *config;
    struct mf_metrics *metrics;
    struct ing_publisher_ops ops;
    struct mf_kafka_producer *producer;
    struct mf_buf encoded;
    struct ing_batch *batches;
    bool pressure;
    bool busy; // on_room is to be called when it is over
};

// ---------------------------------------------------------------- batches

static void batch_free(struct ing_batch *batch)
{
    *batch->link = batch->next;
    if (batch->next != NULL)
        batch->next->link = batch->link;
    free(batch);
}

// Batches are found again at the end: what the producer purges is never reported, and its batches would leak.
struct ing_batch *ing_batch_new(struct ing_publisher *publisher, ing_batch_fn done, void *arg)
{
    struct ing_batch *batch = mf_calloc(1, sizeof *batch);
    *batch = (struct ing_batch){.publisher = publisher, .done = done, .arg = arg};
    batch->next = publisher->batches;
    batch->link = &publisher->batches;
    if (batch->next != NULL)
        batch->next->link = &batch->next;
    publisher->batches = batch;
    return batch;
}

// The batch is freed before its owner hears of it, so that the owner may begin another one.
static void batch_settle(struct ing_batch *batch)
{
    if (batch->outstanding > 0 || !(batch->sealed || batch->abandoned))
        return;
    ing_batch_fn done = batch->abandoned ? NULL : batch->done;
    void *arg = batch->arg;
    bool failed = batch->failed;
    struct mf_error err = batch->err;
    batch_free(batch);
    if (done != NULL)
        done(arg, failed ? &err : NULL);
}

void ing_batch_seal(struct ing_batch *batch)
{
    batch->sealed = true;
    batch_settle(batch);
}

void ing_batch_abandon(struct ing_batch **batch)
{
    if (*batch == NULL)
        return;
    (*batch)->abandoned = true;
    (*batch)->noted = NULL;
    batch_settle(*batch);
    *batch = NULL;
}

void ing_batch_note(struct ing_batch *batch, const char *topic, struct ing_offsets *offsets)
{
    batch->noted_topic = topic;
    batch->noted = offsets;
}

uint64_t ing_batch_dead_letters(const struct ing_batch *batch)
{
    return batch->dead_letters;
}

// Records without a batch (heartbeats, live watermarks) are made up for by the next ones.
static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    (void)arg;
    struct ing_batch *batch = delivery->opaque;
    if (batch == NULL)
        return;
    batch->outstanding--;
    if (batch->noted != NULL && delivery->error == NULL && strcmp(delivery->topic, batch->noted_topic) == 0)
        ing_offsets_note(batch->noted, delivery->partition, delivery->offset);
    if (delivery->error != NULL && !batch->failed) {
        batch->failed = true;
        batch->err = *delivery->error;
    }
    batch_settle(batch);
}

// ---------------------------------------------------------------- the producer

static void on_pressure(void *arg, bool high)
{
    struct ing_publisher *publisher = arg;
    publisher->pressure = high;
    if (high)
        mf_metric_add(MF_METRIC0(publisher->metrics, &ing_metric_defs[ING_M_BACKPRESSURE]), 1);
    else
        publisher->ops.on_room(publisher->ops.arg);
}

// A few reports at a time would be a turn of the engine for each.
static void on_progress(void *arg)
{
    struct ing_publisher *publisher = arg;
    if (!publisher->busy || mf_kafka_producer_outstanding_bytes(publisher->producer) > BUSY_BYTES / 2)
        return;
    publisher->busy = false;
    publisher->ops.on_room(publisher->ops.arg);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct ing_publisher *publisher = arg;
    publisher->ops.on_fatal(publisher->ops.arg, err);
}

int ing_publisher_new(const struct mf_kafka_config *kafka, const struct ing_config *config,
                      const struct ing_publisher_ops *ops, struct ing_publisher **publisher,
                      struct mf_error *err)
{
    struct ing_publisher *made = mf_calloc(1, sizeof *made);
    *made = (struct ing_publisher){.config = config, .metrics = kafka->metrics, .ops = *ops};
    mf_buf_init(&made->encoded, MF_DEAD_LETTER_SIZE_MAX);
    struct mf_kafka_producer_ops producer_ops = {.on_delivery = on_delivery,
                                                 .on_pressure = on_pressure,
                                                 .on_progress = on_progress,
                                                 .on_fatal = on_fatal,
                                                 .arg = made};
    if (mf_kafka_producer_new(kafka, NULL, &producer_ops, &made->producer, err) < 0) {
        ing_publisher_free(&made);
        return -1;
    }
    *publisher = made;
    return 0;
}

void ing_publisher_free(struct ing_publisher **publisher)
{
    struct ing_publisher *old = *publisher;
    if (old == NULL)
        return;
    *publisher = NULL;
    mf_kafka_producer_free(&old->producer);
    while (old->batches != NULL)  // their deliveries will not be reported any more
        batch_free(old->batches); // NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list
    mf_buf_free(&old->encoded);
    free(old);
}

bool ing_publisher_pressure(const struct ing_publisher *publisher)
{
    return publisher->pressure || mf_kafka_producer_pressure(publisher->producer);
}

bool ing_publisher_busy(struct ing_publisher *publisher)
{
    publisher->busy = mf_kafka_producer_outstanding_bytes(publisher->producer) > BUSY_BYTES;
    return publisher->busy;
}

bool ing_publisher_connected(const struct ing_publisher *publisher)
{
    return mf_kafka_producer_connected(publisher->producer);
}

size_t ing_publisher_outstanding(const struct ing_publisher *publisher)
{
    return mf_kafka_producer_outstanding(publisher->producer);
}

int ing_publisher_partitions(struct ing_publisher *publisher, const char *topic, int32_t *count,
                             struct mf_error *err)
{
    return mf_kafka_partition_count(publisher->producer, topic, PARTITIONS_WAIT_MS, count, err);
}

// ---------------------------------------------------------------- records

static int produce(struct ing_publisher *publisher, struct ing_batch *batch,
                   const struct mf_kafka_record *record, struct mf_error *err)
{
    if (mf_kafka_produce(publisher->producer, record, batch, err) < 0)
        return -1;
    if (batch != NULL)
        batch->outstanding++;
    return 0;
}

int ing_publisher_encode(struct ing_publisher *publisher, const struct mf_event *event, struct mf_error *err)
{
    mf_buf_clear(&publisher->encoded);
    return mf_event_encode(event, &publisher->encoded, err);
}

int ing_publisher_send(struct ing_publisher *publisher, struct ing_batch *batch, const char *topic,
                       struct mf_str key, struct mf_error *err)
{
    struct mf_kafka_record record = {
        .topic = topic, .partition = -1, .key = key, .value = mf_buf_str(&publisher->encoded)};
    return produce(publisher, batch, &record, err);
}

// Of a place in an answer, not of a Kafka record: it cannot be replayed, only asked for again.
static void fill_dead_letter(const struct ing_reject *reject, const char *feed, struct mf_event *event)
{
    mf_event_init(event, MF_EVENT_DEAD_LETTER);
    bool of_market = reject->work->market != ING_MARKET_NONE; // the row's ticker may be what is wrong
    event->symbol = of_market ? MF_STR("_UNKNOWN") : mf_str_of(reject->work->symbol);
    event->asset_class = reject->work->asset_class;
    if (reject->symbol.data != NULL) {
        event->symbol = reject->symbol;
        event->asset_class = mf_asset_class_of_symbol(reject->symbol);
    }
    event->source = mf_str_of(ing_polygon.name);
    event->lane = mf_str_of(reject->lane);
    event->event_time_us = event->ingest_time_us = reject->time_us - reject->time_us % MF_US_PER_MS;
    event->mode = reject->mode;
    event->flags = reject->flags & MF_FLAG_IS_MOCK;
    event->page = reject->page;
    struct mf_dead_letter *letter = &event->dead_letter;
    letter->stage = MF_STR("ingest");
    letter->reason = mf_str_of(reject->reason);
    letter->detail = reject->detail[0] != '\0' ? mf_str_of(reject->detail) : letter->reason;
    letter->raw = reject->raw.data != NULL ? reject->raw : MF_STR("");
    letter->raw_size = letter->raw.len;
    letter->attempts = reject->attempts;
    letter->origin = (struct mf_origin){.provider = event->source,
                                        .feed = mf_str_of(feed),
                                        .page = reject->page,
                                        .index = reject->index,
                                        .partition = -1,
                                        .offset = -1,
                                        .timestamp_ms = -1};
    if (reject->request_id[0] != '\0')
        event->request_id = letter->origin.request_id = mf_str_of(reject->request_id);
}

int ing_publisher_dead_letter(struct ing_publisher *publisher, struct ing_batch *batch,
                              const struct ing_reject *reject, struct mf_error *err)
{
    struct mf_event event;
    char feed[64];
    char page[24];
    char index[24];
    char key[MF_EVENT_KEY_MAX];
    ing_work_feed(reject->work, feed);
    fill_dead_letter(reject, feed, &event);
    if (ing_publisher_encode(publisher, &event, err) < 0)
        return -1;
    snprintf(page, sizeof page, "%lld", (long long)reject->page);
    snprintf(index, sizeof index, "%lld", (long long)reject->index);
    const struct mf_kafka_header headers[] = {
        {MF_HEADER_ORIGIN_PROVIDER, event.source},
        {MF_HEADER_ORIGIN_FEED, mf_str_of(feed)},
        {MF_HEADER_ORIGIN_PAGE, mf_str_of(page)},
        {MF_HEADER_ORIGIN_INDEX, mf_str_of(index)},
        {MF_HEADER_ORIGIN_REQUEST, mf_str_of(reject->request_id)},
    };
    struct mf_kafka_record record = {
        .topic = publisher->config->topic_dlq,
        .partition = -1,
        .key = mf_event_key(&event, key),
        .value = mf_buf_str(&publisher->encoded),
        .headers = headers,
        .header_count = MF_ARRAY_LEN(headers) - (reject->request_id[0] == '\0' ? 1 : 0),
    };
    if (produce(publisher, batch, &record, err) < 0)
        return -1;
    if (batch != NULL)
        batch->dead_letters++;
    const struct mf_metric_def *def = &mf_common_metrics[MF_M_DEAD_LETTERS];
    mf_metric_add(MF_METRIC(publisher->metrics, def, "provider", reject->reason), 1);
    return 0;
}

int ing_publisher_heartbeat(struct ing_publisher *publisher, struct ing_batch *batch, const char *topic,
                            int32_t partition, const struct mf_event *event, struct mf_error *err)
{
    if (ing_publisher_encode(publisher, event, err) < 0)
        return -1;
    struct mf_kafka_record record = {
        .topic = topic, .partition = partition, .value = mf_buf_str(&publisher->encoded)};
    return produce(publisher, batch, &record, err);
}

int ing_publisher_watermark(struct ing_publisher *publisher, struct ing_batch *batch, struct mf_str key,
                            struct mf_str value, struct mf_error *err)
{
    // One partition: the order of a key's values is the order of writing.
    struct mf_kafka_record record = {
        .topic = publisher->config->topic_watermarks, .partition = 0, .key = key, .value = value};
    return produce(publisher, batch, &record, err);
}

int ing_publisher_budget(struct ing_publisher *publisher, struct ing_batch *batch, struct mf_str key,
                         struct mf_str value, struct mf_error *err)
{
    struct mf_kafka_record record = {
        .topic = publisher->config->topic_budget, .partition = 0, .key = key, .value = value};
    return produce(publisher, batch, &record, err);
}
