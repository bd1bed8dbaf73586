// SPDX-License-Identifier: Apache-2.0
// The producer: idempotent or transactional, delivery accounting, back-pressure. rd_kafka_queue_poll hands
// delivery reports out as events, a batch each, which a turn may leave half served; the callback is for
// commit and abort, which serve the queue themselves. librdkafka counts the records of a batch until its
// event is destroyed, and commit and abort wait for that count: no event is kept longer than it has reports.
// Failure classes: as produce says in kafka.h; CONFIG and FATAL from making one.
#include "common/kafka_producer.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hash.h"

#define PRESSURE_HIGH_PERCENT 80
#define PRESSURE_LOW_PERCENT 50
#define TOPICS_MAX 1000
#define PARTITIONS_MAX 10000
#define RECORD_BYTES_MAX 1000000 // message.max.bytes
#define FLUSH_WAIT_MS 10
#define LAST_ABORT_MS 200

// ---------------------------------------------------------------- topics

static void topic_free(struct kafka_topic *topic)
{
    free(topic->name);
    free(topic);
}

static void take_metrics(struct kafka_topic *topic, struct mf_metrics *metrics)
{
    static const char *const results[2] = {"error", "ok"};
    const struct mf_metric_def *defs = mf_common_metrics;
    for (size_t i = 0; i < 2; i++) {
        topic->messages[i] = MF_METRIC(metrics, &defs[MF_M_KAFKA_PRODUCED_MESSAGES], topic->name, results[i]);
        topic->bytes[i] = MF_METRIC(metrics, &defs[MF_M_KAFKA_PRODUCED_BYTES], topic->name, results[i]);
    }
    topic->seconds = MF_METRIC(metrics, &defs[MF_M_KAFKA_DELIVERY_SECONDS], topic->name);
}

static struct kafka_topic *topic_new(struct mf_kafka_producer *producer, const char *name,
                                     struct mf_error *err)
{
    struct kafka_topic *topic = mf_calloc(1, sizeof *topic);
    topic->name = mf_strdup(name);
    topic->partitions = kafka_config_partitions(producer->client.config.settings, name);
    topic->found = -1;
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(producer->client.rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->native = rd_kafka_topic_new(producer->client.rk, name, conf); // takes conf
    if (topic->native == NULL) {
        kafka_error_set(err, (int)rd_kafka_last_error(), "topic '%.249s'", name);
        rd_kafka_topic_conf_destroy(conf);
        topic_free(topic);
        return NULL;
    }
    take_metrics(topic, producer->client.config.metrics);
    producer->topics =
        mf_realloc(producer->topics, (producer->topic_count + 1) * sizeof(struct kafka_topic *));
    producer->topics[producer->topic_count++] = topic;
    return topic;
}

// A service writes to a dozen topics at most, and one of them again and again.
static struct kafka_topic *topic_of(struct mf_kafka_producer *producer, const char *name,
                                    struct mf_error *err)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (strcmp(producer->topics[i]->name, name) == 0)
            return producer->topics[i];
    }
    if (producer->topic_count == TOPICS_MAX) {
        mf_error_set(err, MF_ERROR_FATAL, "too_many_topics", "a producer writes to %d topics at most",
                     TOPICS_MAX);
        return NULL;
    }
    return topic_new(producer, name, err);
}

// ---------------------------------------------------------------- pressure

static bool above(const struct mf_kafka_producer *producer, size_t percent)
{
    size_t records = producer->outstanding, bytes = producer->outstanding_bytes;
    if (producer->ops.bulk) {
        records = kafka_gather_outstanding(producer);
        bytes = kafka_gather_outstanding_bytes(producer, records);
    }
    return records * 100 > producer->limit * percent || bytes * 100 > producer->limit_bytes * percent;
}

static void tell_pressure(struct mf_kafka_producer *producer)
{
    if (producer->pressure == producer->pressure_told || producer->client.dying)
        return;
    producer->pressure_told = producer->pressure;
    if (producer->ops.on_pressure != NULL)
        producer->ops.on_pressure(producer->ops.arg, producer->pressure);
}

static void on_announce(void *arg)
{
    struct mf_kafka_producer *producer = arg;
    kafka_producer_enter(producer);
    kafka_gather_tell(producer);
    tell_pressure(producer);
    kafka_producer_leave(producer);
}

void kafka_producer_raise_pressure(struct mf_kafka_producer *producer)
{
    if (producer->pressure)
        return;
    producer->pressure = true;
    mf_deferred_schedule(producer->announce); // never from inside produce
}

void kafka_producer_check_pressure(struct mf_kafka_producer *producer)
{
    if (!producer->pressure && above(producer, PRESSURE_HIGH_PERCENT))
        kafka_producer_raise_pressure(producer);
}

// ---------------------------------------------------------------- reports

static void count_report(struct mf_kafka_producer *producer, struct kafka_topic *topic,
                         const rd_kafka_message_t *message)
{
    bool ok = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    producer->failed += !ok;
    mf_metric_add(topic->messages[ok], 1);
    mf_metric_add(topic->bytes[ok], (double)message->len);
    if (producer->ops.bulk) {
        topic->lost++;
        topic->lost_bytes += message->len;
        kafka_gather_answered(producer, topic, message->partition, 1);
        return;
    }
    producer->outstanding--;
    producer->outstanding_bytes -= message->len + message->key_len;
    if (!ok)
        return;
    producer->client.connected = true;
    mf_metric_observe(topic->seconds, (double)rd_kafka_message_latency(message) / 1e6);
}

void kafka_producer_tell_failure(struct mf_kafka_producer *producer, const struct mf_kafka_delivery *failure,
                                 int code)
{
    if (producer->ops.on_delivery == NULL || producer->client.dying)
        return;
    struct mf_error err;
    kafka_error_set(&err, code, "a record for %s was not acknowledged", failure->topic);
    struct mf_kafka_delivery delivery = *failure;
    delivery.error = &err;
    producer->ops.on_delivery(producer->ops.arg, &delivery);
}

static void report(struct mf_kafka_producer *producer, const rd_kafka_message_t *message)
{
    struct kafka_topic *topic = rd_kafka_topic_opaque(message->rkt);
    if (producer->ops.bulk && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_gather_answered(producer, topic, message->partition, 1);
        return;
    }
    count_report(producer, topic, message);
    if (producer->ops.on_delivery == NULL || producer->client.dying)
        return;
    struct mf_error err;
    bool ok = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!ok) {
        kafka_error_set(&err, (int)message->err, "a record for %s was not acknowledged", topic->name);
        // Whatever the code: a record that may be in the log must not be taken for lost.
        if (err.class == MF_ERROR_TRANSIENT &&
            rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED)
            err.class = MF_ERROR_UNCERTAIN;
    }
    struct mf_kafka_delivery delivery = {.opaque = message->_private,
                                         .topic = topic->name,
                                         .partition = message->partition,
                                         .offset = ok ? message->offset : -1,
                                         .error = ok ? NULL : &err,
                                         .value_len = message->len};
    producer->ops.on_delivery(producer->ops.arg, &delivery);
}

static void report_callback(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct kafka_client *client = opaque;
    report(client->owner, message);
}

// ---------------------------------------------------------------- turns

static void destroy(struct mf_kafka_producer *producer)
{
    mf_deferred_free(&producer->announce);
    kafka_gather_stop(producer);
    kafka_producer_finish_batch(producer);
    // 2.0.2 aborts the process when a handle ends while partitions wait to be added to a transaction: the
    // broker's thread answers such a request before the main thread has counted it. After the abort has begun
    // none waits any more; whether it ends does not matter, because the next init_transactions ends it.
    if (producer->txn_open)
        rd_kafka_error_destroy(rd_kafka_abort_transaction(producer->client.rk, LAST_ABORT_MS));
    // The last log lines; reports that come along are counted only.
    for (rd_kafka_event_t *event; (event = rd_kafka_queue_poll(producer->client.queue, 0)) != NULL;) {
        kafka_client_event(&producer->client, event);
        rd_kafka_event_destroy(event);
    }
    for (size_t i = 0; i < producer->topic_count; i++)
        rd_kafka_topic_destroy(producer->topics[i]->native);
    kafka_gather_free(producer, kafka_client_close(&producer->client));
    for (size_t i = 0; i < producer->topic_count; i++)
        topic_free(producer->topics[i]);
    free(producer->topics);
    free(producer->transactional_id);
    free(producer);
}

void kafka_producer_enter(struct mf_kafka_producer *producer)
{
    producer->client.depth++;
}

void kafka_producer_leave(struct mf_kafka_producer *producer)
{
    if (--producer->client.depth == 0 && producer->client.dying)
        destroy(producer);
}

// The reports of one batch, until the budget ends. Returns how many there were.
static size_t serve_batch(struct mf_kafka_producer *producer, size_t budget, int64_t end_us)
{
    size_t served = 0;
    const rd_kafka_message_t *message;
    while (served < budget && (message = rd_kafka_event_message_next(producer->reports)) != NULL) {
        report(producer, message);
        if (++served % KAFKA_TURN_CLOCK_EVERY == 0 && mf_clock_monotonic_us() >= end_us)
            break;
    }
    if (rd_kafka_event_message_count(producer->reports) == 0) {
        rd_kafka_event_destroy(producer->reports);
        producer->reports = NULL;
    }
    return served;
}

void kafka_producer_finish_batch(struct mf_kafka_producer *producer)
{
    while (producer->reports != NULL)
        serve_batch(producer, SIZE_MAX, INT64_MAX);
}

// The reports of one event are those of one request. A bulk producer only counts those that went well.
static void take_reports(struct mf_kafka_producer *producer, rd_kafka_event_t *event)
{
    producer->reports = event;
    if (!producer->ops.bulk)
        return;
    size_t count = rd_kafka_event_message_count(event);
    const rd_kafka_message_t *first = rd_kafka_event_message_next(event);
    if (first == NULL)
        return;
    if (first->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        report(producer, first);
        return;
    }
    struct kafka_topic *topic = rd_kafka_topic_opaque(first->rkt);
    int32_t partition = first->partition;
    producer->reports = NULL;
    rd_kafka_event_destroy(event); // before more is handed over: the queue counts them until then
    kafka_gather_answered(producer, topic, partition, count);
}

// Up to `budget` reports and other events. False when nothing was there to begin with.
static bool serve(struct mf_kafka_producer *producer, size_t budget, int wait_ms)
{
    int64_t end_us = mf_clock_monotonic_us() + KAFKA_TURN_US;
    bool any = false;
    for (size_t served = 0; served < budget && !producer->client.dying; wait_ms = 0) {
        if (producer->reports == NULL) {
            rd_kafka_event_t *event = rd_kafka_queue_poll(producer->client.queue, wait_ms);
            if (event == NULL)
                break;
            served++;
            if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
                take_reports(producer, event);
            } else {
                kafka_client_event(&producer->client, event);
                rd_kafka_event_destroy(event);
            }
        } else {
            served += serve_batch(producer, budget - served, end_us);
        }
        any = true;
        if (mf_clock_monotonic_us() >= end_us)
            break;
    }
    return any;
}

static void after_serve(struct mf_kafka_producer *producer)
{
    kafka_gather_tell(producer);
    kafka_gather_settle(producer);
    if (producer->pressure && !above(producer, PRESSURE_LOW_PERCENT))
        producer->pressure = false;
    tell_pressure(producer);
    kafka_client_tell_fatal(&producer->client);
    if (producer->ops.on_progress != NULL && !producer->client.dying)
        producer->ops.on_progress(producer->ops.arg);
    if (!producer->client.dying &&
        (producer->reports != NULL || rd_kafka_queue_length(producer->client.queue) > 0))
        kafka_wake_again(&producer->client.wake);
}

static void drain(void *arg)
{
    struct mf_kafka_producer *producer = arg;
    if (producer->client.depth > 0) // asked for from inside a callback: the turn under way goes on anyway
        return;
    kafka_producer_enter(producer);
    serve(producer, KAFKA_TURN_EVENTS, 0);
    after_serve(producer);
    kafka_producer_leave(producer);
}

int mf_kafka_producer_flush(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err)
{
    // Not rd_kafka_flush: it would wait for a batch that we have not finished.
    int64_t end_us = mf_clock_monotonic_us() + timeout_ms * MF_US_PER_MS;
    kafka_producer_enter(producer);
    kafka_gather_send(producer);
    while (mf_kafka_producer_outstanding(producer) > 0 && !producer->client.dying) {
        int64_t left_us = end_us - mf_clock_monotonic_us();
        if (left_us <= 0)
            break;
        serve(producer, KAFKA_TURN_EVENTS, left_us < FLUSH_WAIT_MS * MF_US_PER_MS ? 1 : FLUSH_WAIT_MS);
        kafka_gather_tell(producer);
        kafka_gather_send(producer); // what a full queue had no room for
    }
    size_t outstanding = mf_kafka_producer_outstanding(producer);
    after_serve(producer);
    kafka_producer_leave(producer);
    if (outstanding == 0)
        return 0;
    return mf_error_set(err, MF_ERROR_TRANSIENT, "timeout", "%zu records are not acknowledged after %d ms",
                        outstanding, timeout_ms);
}

// ---------------------------------------------------------------- life

static void tell_fatal(void *owner, const struct mf_error *err)
{
    struct mf_kafka_producer *producer = owner;
    struct mf_error told = *err;
    kafka_producer_judge_fence(producer, &told);
    producer->ops.on_fatal(producer->ops.arg, &told);
}

// The cluster may have more or fewer partitions by now.
static void on_statistics(void *owner, const struct mf_json_node *root)
{
    struct mf_kafka_producer *producer = owner;
    for (size_t i = 0; i < producer->topic_count; i++) {
        int32_t count = kafka_stats_partition_count(root, producer->topics[i]->name);
        if (count > 0)
            producer->topics[i]->found = count;
    }
}

int mf_kafka_producer_new(const struct mf_kafka_config *config, const char *transactional_id,
                          const struct mf_kafka_producer_ops *ops, struct mf_kafka_producer **producer,
                          struct mf_error *err)
{
    struct kafka_role_config role = {.role = transactional_id != NULL ? KAFKA_ROLE_TRANSACTIONAL
                                                                      : KAFKA_ROLE_PRODUCER,
                                     .transactional_id = transactional_id};
    rd_kafka_conf_t *conf;
    assert(ops->on_fatal != NULL);
    if (kafka_config_new(config, &role, &conf, err) < 0)
        return -1;
    rd_kafka_conf_set_dr_msg_cb(conf, report_callback);
    struct mf_kafka_producer *made = mf_calloc(1, sizeof *made);
    made->ops = *ops;
    made->client.owner = made;
    made->client.on_fatal = tell_fatal;
    made->client.on_statistics = on_statistics;
    made->transactional_id = transactional_id != NULL ? mf_strdup(transactional_id) : NULL;
    // Of the same values as in the configuration: the pressure marks are shares of them.
    made->limit = (size_t)mf_settings_integer(config->settings, "KAFKA_QUEUE_MESSAGES");
    made->limit_bytes = (size_t)mf_settings_integer(config->settings, "KAFKA_QUEUE_BYTES");
    if (kafka_client_open(&made->client, config, role.role, conf, drain, err) < 0) {
        free(made->transactional_id);
        free(made);
        return -1;
    }
    made->announce = mf_deferred_new(config->loop, on_announce, made);
    kafka_gather_init(made);
    *producer = made;
    return 0;
}

void mf_kafka_producer_free(struct mf_kafka_producer **producer)
{
    if (producer == NULL || *producer == NULL)
        return;
    struct mf_kafka_producer *dying = *producer;
    *producer = NULL;
    dying->client.dying = true;
    if (dying->client.depth == 0)
        destroy(dying);
}

// ---------------------------------------------------------------- producing

static int32_t partition_of(const struct kafka_topic *topic, const struct mf_kafka_record *record)
{
    if (record->partition >= 0)
        return record->partition;
    assert(record->key.data != NULL);
    return (int32_t)(mf_murmur2(record->key.data, record->key.len) % (uint32_t)topic->partitions);
}

static rd_kafka_resp_err_t produce_headers(struct mf_kafka_producer *producer,
                                           const struct kafka_topic *topic, int32_t partition,
                                           const struct mf_kafka_record *record, void *opaque)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct mf_kafka_header *header = &record->headers[i];
        rd_kafka_header_add(headers, header->name, -1, header->value.data, (ssize_t)header->value.len);
    }
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer->client.rk, RD_KAFKA_V_RKT(topic->native), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key.data, record->key.len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value.data, record->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return code;
}

// Hands one record to librdkafka by itself.
static rd_kafka_resp_err_t produce_one(struct mf_kafka_producer *producer, const struct kafka_topic *topic,
                                       int32_t partition, const struct mf_kafka_record *record, void *opaque)
{
    // Without headers the older call does: it has no list of arguments to walk and looks up no topic.
    if (record->header_count > 0)
        return produce_headers(producer, topic, partition, record, opaque);
    if (rd_kafka_produce(topic->native, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)record->value.data,
                         record->value.len, record->key.data, record->key.len, opaque) != 0)
        return rd_kafka_last_error();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t gather_one(struct mf_kafka_producer *producer, struct kafka_topic *topic,
                                      int32_t partition, const struct mf_kafka_record *record, void *opaque)
{
    if (partition >= PARTITIONS_MAX)
        return RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (record->value.len + record->key.len > RECORD_BYTES_MAX)
        return RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    bool taken = kafka_gather_take(producer, topic, partition, record, opaque);
    return taken ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__QUEUE_FULL;
}

static void count_produced(struct mf_kafka_producer *producer, const struct mf_kafka_record *record)
{
    producer->outstanding++;
    producer->outstanding_bytes += record->value.len + record->key.len;
    kafka_producer_check_pressure(producer);
}

// Apart from mf_kafka_produce, which has no error object of its own: the compiler clears every variable, and
// this one would cost as much as the rest of the call.
static int produce_failed(struct mf_kafka_producer *producer, const struct kafka_topic *topic,
                          int32_t partition, size_t value_len, rd_kafka_resp_err_t code, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        kafka_producer_raise_pressure(producer);
    if (code == RD_KAFKA_RESP_ERR__FATAL && kafka_client_fatal(&producer->client, err))
        return -1;
    return kafka_error_set(err, (int)code, "producing %zu bytes to %s [%d]", value_len, topic->name,
                           (int)partition);
}

int mf_kafka_produce(struct mf_kafka_producer *producer, const struct mf_kafka_record *record, void *opaque,
                     struct mf_error *err)
{
    struct kafka_topic *topic = topic_of(producer, record->topic, err);
    if (topic == NULL)
        return -1;
    int32_t partition = partition_of(topic, record);
    rd_kafka_resp_err_t code;
    if (producer->ops.bulk)
        code = gather_one(producer, topic, partition, record, opaque);
    else
        code = produce_one(producer, topic, partition, record, opaque);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return produce_failed(producer, topic, partition, record->value.len, code, err);
    if (!producer->ops.bulk)
        count_produced(producer, record);
    return 0;
}

void mf_kafka_producer_send(struct mf_kafka_producer *producer)
{
    if (producer->ops.bulk)
        kafka_gather_send(producer);
}

bool mf_kafka_producer_busy(struct mf_kafka_producer *producer)
{
    return producer->ops.bulk && kafka_gather_busy(producer);
}

size_t mf_kafka_producer_outstanding(const struct mf_kafka_producer *producer)
{
    return producer->ops.bulk ? kafka_gather_outstanding(producer) : producer->outstanding;
}

size_t mf_kafka_producer_outstanding_bytes(const struct mf_kafka_producer *producer)
{
    if (producer->ops.bulk)
        return kafka_gather_outstanding_bytes(producer, kafka_gather_outstanding(producer));
    return producer->outstanding_bytes;
}

bool mf_kafka_producer_pressure(const struct mf_kafka_producer *producer)
{
    return producer->pressure;
}

uint64_t mf_kafka_producer_failed(const struct mf_kafka_producer *producer)
{
    return producer->failed;
}

bool mf_kafka_producer_connected(const struct mf_kafka_producer *producer)
{
    return producer->client.connected;
}

int mf_kafka_partition_count(struct mf_kafka_producer *producer, const char *topic, int timeout_ms,
                             int32_t *count, struct mf_error *err)
{
    struct kafka_topic *known = topic_of(producer, topic, err);
    if (known == NULL)
        return -1;
    if (known->found < 0 &&
        kafka_client_partition_count(&producer->client, known->native, timeout_ms, &known->found, err) < 0)
        return -1;
    *count = known->found;
    return 0;
}
