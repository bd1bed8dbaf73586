// SPDX-License-Identifier: Apache-2.0
// The group consumer: turns, messages, pausing, closing. One queue carries messages, rebalances, errors, logs
// and statistics; each is an event, and a turn takes so many of them. (The batch-consume calls are not
// used: 2.0.2 skips offsets in them around pause and seek.) Failure classes: CONFIG and FATAL from making
// one; what comes later is told through the callbacks.
#include "common/kafka_consumer.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"

#define TOPICS_MAX 1000

// ---------------------------------------------------------------- messages

struct mf_str mf_kafka_message_header(const struct mf_kafka_message *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    // The call parses lazily into the message, which we own for the time of the callback.
    if (rd_kafka_message_headers(message->native, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return MF_STR_NULL;
    return (struct mf_str){value, value != NULL ? len : 0};
}

static struct mf_str view(const void *data, size_t len)
{
    return data != NULL ? (struct mf_str){data, len} : MF_STR_NULL;
}

// A message that was queued before a seek came after all: seek again, without waiting.
static void seek_again(struct mf_kafka_consumer *consumer, const struct kafka_partition *partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t offset = partition->next == KAFKA_AT_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : partition->next;
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset = offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->client.rk, list, 0);
    rd_kafka_error_destroy(error); // NULL is fine: a seek that fails shows as a gap, which is checked again
    rd_kafka_topic_partition_list_destroy(list);
}

struct turn {
    size_t messages;
    bool stop;
};

static void on_fetched(struct mf_kafka_consumer *consumer, rd_kafka_event_t *event, struct turn *turn)
{
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    if (message == NULL || consumer->client.fatal_seen)
        return;
    consumer->client.connected = true;
    const char *topic = rd_kafka_topic_name(message->rkt);
    struct kafka_partition *partition =
        kafka_partitions_find_native(&consumer->partitions, message->rkt, topic, message->partition);
    consumer->fetch.bytes += message->len + message->key_len;
    if (partition == NULL)
        return; // not ours any more
    switch (kafka_partition_accept(partition, message->offset)) {
    case KAFKA_ACCEPT_DROP: return;
    case KAFKA_ACCEPT_RESEEK: seek_again(consumer, partition); return;
    case KAFKA_ACCEPT: break;
    }
    partition->messages++;
    partition->bytes += message->len;
    turn->messages++;
    rd_kafka_timestamp_type_t type;
    struct mf_kafka_message given = {.topic = partition->topic,
                                     .partition = message->partition,
                                     .offset = message->offset,
                                     .timestamp_ms = rd_kafka_message_timestamp(message, &type),
                                     .key = view(message->key, message->key_len),
                                     .value = view(message->payload, message->len),
                                     .native = message};
    turn->stop = consumer->ops.on_message(consumer->ops.arg, &given) == MF_CONSUME_STOP;
}

static void on_committed(struct mf_kafka_consumer *consumer, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return; // nothing was asked for
    consumer->client.connected = consumer->client.connected || code == RD_KAFKA_RESP_ERR_NO_ERROR;
    mf_metric_add(MF_METRIC(consumer->client.config.metrics, &mf_common_metrics[MF_M_KAFKA_COMMITS],
                            code == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok" : "error"),
                  1);
}

static void on_event(struct mf_kafka_consumer *consumer, rd_kafka_event_t *event, struct turn *turn)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_FETCH: on_fetched(consumer, event, turn); break;
    case RD_KAFKA_EVENT_REBALANCE: kafka_consumer_on_rebalance(consumer, event); break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT: on_committed(consumer, event); break;
    default:
        if (!kafka_consumer_on_partition_error(consumer, event))
            kafka_client_event(&consumer->client, event);
        break;
    }
    rd_kafka_event_destroy(event);
}

// ---------------------------------------------------------------- turns

static void destroy(struct mf_kafka_consumer *consumer)
{
    kafka_consumer_forget_lag(consumer);
    kafka_partitions_clear(&consumer->partitions);
    kafka_consumer_show_partitions(consumer);
    kafka_client_close(&consumer->client);
    kafka_consumer_metrics_free(consumer);
    free(consumer);
}

void kafka_consumer_enter(struct mf_kafka_consumer *consumer)
{
    consumer->client.depth++;
}

void kafka_consumer_leave(struct mf_kafka_consumer *consumer)
{
    if (--consumer->client.depth == 0 && consumer->client.dying)
        destroy(consumer);
}

// True when the budget ended the turn and not the queue.
static bool take_turn(struct mf_kafka_consumer *consumer, struct turn *turn)
{
    int64_t end_us = consumer->last_poll_us + KAFKA_TURN_US;
    for (size_t events = 1; events <= consumer->turn_messages; events++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->client.queue, 0);
        if (event == NULL) // after an event of librdkafka's own this does not mean that the queue is empty
            return rd_kafka_queue_length(consumer->client.queue) > 0;
        on_event(consumer, event, turn);
        if (turn->stop || consumer->client.dying || consumer->held)
            return true;
        if (events % KAFKA_TURN_CLOCK_EVERY == 0 && mf_clock_monotonic_us() >= end_us)
            return true;
    }
    return true;
}

static void tell_closed(struct mf_kafka_consumer *consumer)
{
    if (consumer->closed == NULL || consumer->close_told || consumer->client.dying)
        return;
    if (consumer->closing && rd_kafka_consumer_closed(consumer->client.rk) == 0)
        return;
    // A close that librdkafka refused, after a fatal error, brings no rebalance: what we held is somebody
    // else's.
    kafka_consumer_drop_assignment(consumer);
    consumer->close_told = true;
    if (!consumer->client.dying)
        consumer->closed(consumer->closed_arg);
}

static void drain(void *arg)
{
    struct mf_kafka_consumer *consumer = arg;
    if (consumer->client.depth > 0 || consumer->held || consumer->close_told)
        return;
    struct turn turn = {0};
    kafka_consumer_enter(consumer);
    consumer->last_poll_us = mf_clock_monotonic_us();
    bool more = take_turn(consumer, &turn);
    kafka_consumer_count(consumer);
    if (turn.messages > 0 && !consumer->client.dying && consumer->ops.on_turn_end != NULL)
        consumer->ops.on_turn_end(consumer->ops.arg);
    kafka_client_tell_fatal(&consumer->client);
    if (consumer->reassign_due && !consumer->client.dying && !consumer->client.fatal_seen)
        kafka_consumer_reassign(consumer);
    if (!consumer->client.dying) {
        kafka_fetch_turn(&consumer->fetch, &consumer->client);
        tell_closed(consumer);
    }
    if (more && !consumer->client.dying)
        kafka_wake_again(&consumer->client.wake);
    kafka_consumer_leave(consumer);
}

// ---------------------------------------------------------------- life

static void tell_fatal(void *owner, const struct mf_error *err)
{
    struct mf_kafka_consumer *consumer = owner;
    struct mf_error told = *err;
    if (strcmp(told.code, "fenced") == 0)
        mf_error_prefix(&told, "group.instance.id '%s' is used by another, newer process",
                        consumer->client.config.instance);
    consumer->ops.on_fatal(consumer->ops.arg, &told);
}

static void on_statistics(void *owner, const struct mf_json_node *root)
{
    (void)root;
    kafka_consumer_show_lag(owner);
}

static int subscribe(struct mf_kafka_consumer *consumer, struct mf_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)consumer->topic_count);
    for (size_t i = 0; i < consumer->topic_count; i++)
        rd_kafka_topic_partition_list_add(list, consumer->topics[i].topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "subscribing");
    return 0;
}

int mf_kafka_consumer_new(const struct mf_kafka_config *config,
                          const struct mf_kafka_consumer_config *consumer_config,
                          const struct mf_kafka_consumer_ops *ops, struct mf_kafka_consumer **consumer,
                          struct mf_error *err)
{
    struct kafka_role_config role = {.role = KAFKA_ROLE_CONSUMER,
                                     .group = consumer_config->group,
                                     .read_committed = consumer_config->read_committed};
    rd_kafka_conf_t *conf;
    assert(ops->on_message != NULL && ops->on_fatal != NULL);
    if (kafka_config_new(config, &role, &conf, err) < 0)
        return -1;
    struct mf_kafka_consumer *made = mf_calloc(1, sizeof *made);
    made->ops = *ops;
    made->client.owner = made;
    made->client.on_fatal = tell_fatal;
    made->client.on_statistics = on_statistics;
    made->turn_messages =
        consumer_config->turn_messages > 0 ? consumer_config->turn_messages : KAFKA_TURN_EVENTS;
    made->start_at_earliest = consumer_config->start_at_earliest;
    made->last_poll_us = mf_clock_monotonic_us();
    if (kafka_client_open(&made->client, config, KAFKA_ROLE_CONSUMER, conf, drain, err) < 0) {
        free(made);
        return -1;
    }
    kafka_consumer_metrics_init(made, consumer_config->topics);
    kafka_fetch_init(&made->fetch, config->settings);
    if (subscribe(made, err) < 0) {
        destroy(made);
        return -1;
    }
    *consumer = made;
    return 0;
}

void mf_kafka_consumer_close(struct mf_kafka_consumer *consumer, void (*closed)(void *arg), void *arg)
{
    if (consumer->closed != NULL)
        return;
    consumer->closed = closed;
    consumer->closed_arg = arg;
    consumer->held = false;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->client.rk, consumer->client.queue);
    consumer->closing = error == NULL;
    rd_kafka_error_destroy(error);
    kafka_wake_again(&consumer->client.wake);
}

void mf_kafka_consumer_free(struct mf_kafka_consumer **consumer)
{
    if (consumer == NULL || *consumer == NULL)
        return;
    struct mf_kafka_consumer *dying = *consumer;
    *consumer = NULL;
    dying->client.dying = true;
    if (dying->client.depth == 0)
        destroy(dying);
}

void mf_kafka_consumer_rejoin(struct mf_kafka_consumer *consumer)
{
    struct mf_error err;
    // The new subscription waits inside librdkafka until the revocation has been served.
    rd_kafka_unsubscribe(consumer->client.rk);
    if (subscribe(consumer, &err) < 0)
        mf_log_error(consumer->client.config.log, MF_LOG_ERROR, "kafka", "kafka_rejoin_failed", &err,
                     "joining the group again");
}

// ---------------------------------------------------------------- pausing

static void pause_partition(struct mf_kafka_consumer *consumer, struct kafka_partition *partition, bool pause)
{
    if (partition == NULL || partition->paused == pause)
        return;
    partition->paused = pause;
    // While assigning, it is told once the partitions are assigned; while closing, nobody may answer.
    if (!consumer->assigning && consumer->closed == NULL)
        kafka_consumer_apply_pause(consumer, partition, pause);
}

static void pause_all(struct mf_kafka_consumer *consumer, bool pause)
{
    for (size_t i = 0; i < consumer->partitions.count; i++)
        pause_partition(consumer, &consumer->partitions.items[i], pause);
    kafka_consumer_show_partitions(consumer);
}

void mf_kafka_consumer_pause_all(struct mf_kafka_consumer *consumer)
{
    pause_all(consumer, true);
}

void mf_kafka_consumer_resume_all(struct mf_kafka_consumer *consumer)
{
    pause_all(consumer, false);
}

static void pause_one(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition, bool pause)
{
    pause_partition(consumer, kafka_partitions_find(&consumer->partitions, topic, partition), pause);
    kafka_consumer_show_partitions(consumer);
}

void mf_kafka_consumer_pause(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition)
{
    pause_one(consumer, topic, partition, true);
}

void mf_kafka_consumer_resume(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition)
{
    pause_one(consumer, topic, partition, false);
}

void mf_kafka_consumer_hold(struct mf_kafka_consumer *consumer, bool hold)
{
    if (consumer->held == hold)
        return;
    consumer->held = hold;
    if (!hold)
        kafka_wake_again(&consumer->client.wake);
}

// ---------------------------------------------------------------- questions

bool mf_kafka_consumer_connected(const struct mf_kafka_consumer *consumer)
{
    return consumer->client.connected;
}

bool mf_kafka_consumer_given_up(const struct mf_kafka_consumer *consumer)
{
    return consumer->client.fatal_seen || rd_kafka_fatal_error(consumer->client.rk, NULL, 0) != 0;
}

size_t mf_kafka_consumer_fetched(const struct mf_kafka_consumer *consumer)
{
    return rd_kafka_queue_length(consumer->client.queue);
}

bool mf_kafka_consumer_joined(const struct mf_kafka_consumer *consumer)
{
    return consumer->joined;
}

size_t mf_kafka_consumer_assigned(const struct mf_kafka_consumer *consumer)
{
    return consumer->partitions.count;
}

int64_t mf_kafka_consumer_last_poll_us(const struct mf_kafka_consumer *consumer)
{
    return consumer->last_poll_us;
}

// The look-up changes nothing but its hint.
static struct kafka_partition *find(const struct mf_kafka_consumer *consumer, const char *topic,
                                    int32_t partition)
{
    struct kafka_partitions partitions = consumer->partitions;
    return kafka_partitions_find(&partitions, topic, partition);
}

int64_t mf_kafka_consumer_position(const struct mf_kafka_consumer *consumer, const char *topic,
                                   int32_t partition)
{
    const struct kafka_partition *found = find(consumer, topic, partition);
    return found != NULL && found->next >= 0 ? found->next : -1;
}

int64_t mf_kafka_consumer_high_watermark(const struct mf_kafka_consumer *consumer, const char *topic,
                                         int32_t partition)
{
    const struct kafka_partition *found = find(consumer, topic, partition);
    int64_t low, high;
    if (found == NULL)
        return -1;
    if (found->end >= 0)
        return found->end; // the end as this isolation level sees it
    if (rd_kafka_get_watermark_offsets(consumer->client.rk, topic, partition, &low, &high) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    return high >= 0 ? high : -1;
}
