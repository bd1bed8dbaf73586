// SPDX-License-Identifier: Apache-2.0
// Follows one partition: what it holds from a time on, and then what comes. Unlike the reader it has no end,
// and its fetches wait at the broker (role FOLLOWER), so that an idle topic costs two requests a second. The
// place of the time, and where the log ends just then, are asked for once the broker has answered for the
// partition, because these questions block; when the answers fail, the log is read from its beginning and to
// the first end of partition that librdkafka tells, which it does only after a fetch that brought nothing.
// Failure classes: fatal client errors through on_error, CONFIG from making one.
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_client.h"

enum { QUERY_TIMEOUT_MS = 500 };

struct mf_kafka_follower {
    struct mf_kafka_config config;
    struct mf_kafka_follower_ops ops;
    char *topic;
    char *group; // a name that librdkafka wants; nothing joins or commits
    int64_t from_ms;
    int64_t end; // of the log when the place was asked for; INT64_MAX = not known
    struct kafka_client client;
    struct kafka_partitions partitions; // one
    bool reached, placed, current;
    bool assign_due; // begins elsewhere
    bool failed;
};

static void destroy(struct mf_kafka_follower *follower)
{
    kafka_client_close(&follower->client);
    kafka_partitions_clear(&follower->partitions);
    free(follower->topic);
    free(follower->group);
    free(follower);
}

static void on_fatal(void *owner, const struct mf_error *err)
{
    struct mf_kafka_follower *follower = owner;
    follower->failed = true;
    follower->ops.on_error(follower->ops.arg, err);
}

// A number where there is one: what is logical ("the beginning") is asked for first, and in 2.0.2 that waits
// half a second when the partition's leader is not known yet.
static void assign(struct mf_kafka_follower *follower)
{
    const struct kafka_partition *partition = &follower->partitions.items[0];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, follower->topic, 0)->offset =
        partition->next == KAFKA_AT_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : partition->next;
    kafka_client_assign(&follower->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    follower->assign_due = false;
}

// The first offset of the time; 0 when that is not known, or nothing is that new.
static int64_t offset_of_time(struct mf_kafka_follower *follower)
{
    int64_t offset = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *where = rd_kafka_topic_partition_list_add(list, follower->topic, 0);
    where->offset = follower->from_ms;
    if (rd_kafka_offsets_for_times(follower->client.rk, list, QUERY_TIMEOUT_MS) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        where->err == RD_KAFKA_RESP_ERR_NO_ERROR && where->offset > 0)
        offset = where->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

static void tell_current(struct mf_kafka_follower *follower)
{
    if (follower->current || follower->client.dying || follower->failed)
        return;
    follower->current = true;
    follower->ops.on_current(follower->ops.arg);
}

// Where to begin, and how far the past goes.
static void place(struct mf_kafka_follower *follower)
{
    struct kafka_partition *partition = &follower->partitions.items[0];
    int64_t low = 0;
    int64_t high = 0;
    int64_t offset = offset_of_time(follower);
    if (rd_kafka_query_watermark_offsets(follower->client.rk, follower->topic, 0, &low, &high,
                                         QUERY_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        follower->end = high;
    follower->placed = true;
    partition->last = -1;
    kafka_partition_moved(partition, offset);
    follower->assign_due = true;
    if (follower->end <= (offset > low ? offset : low))
        tell_current(follower); // there is no past
}

// ---------------------------------------------------------------- events

static void on_fetched(struct mf_kafka_follower *follower, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    struct kafka_partition *partition = &follower->partitions.items[0];
    follower->reached = true;
    if (message == NULL || !follower->placed ||
        kafka_partition_accept(partition, message->offset) != KAFKA_ACCEPT)
        return;
    rd_kafka_timestamp_type_t type;
    struct mf_kafka_message given = {
        .topic = follower->topic,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = message->key != NULL ? (struct mf_str){message->key, message->key_len} : MF_STR_NULL,
        .value = message->payload != NULL ? (struct mf_str){message->payload, message->len} : MF_STR_NULL,
        .native = message};
    given.append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    follower->ops.on_message(follower->ops.arg, &given);
    if (given.offset + 1 >= follower->end)
        tell_current(follower);
}

static void on_end(struct mf_kafka_follower *follower, int64_t offset)
{
    follower->reached = true;
    if (!follower->placed)
        return;
    kafka_partition_at_end(&follower->partitions.items[0], offset);
    tell_current(follower);
}

// Where we stand is not in the log: it was made anew, or lost its end. On from its beginning.
static void on_reset(struct mf_kafka_follower *follower)
{
    struct kafka_partition *partition = &follower->partitions.items[0];
    partition->last = -1;
    kafka_partition_moved(partition, KAFKA_AT_BEGINNING);
    follower->assign_due = follower->reached = true;
}

static void on_event(struct mf_kafka_follower *follower, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
        on_fetched(follower, event);
        return;
    }
    rd_kafka_topic_partition_t *where =
        rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR ? rd_kafka_event_topic_partition(event) : NULL;
    if (where != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        on_end(follower, where->offset);
    else if (where != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        on_reset(follower);
    else
        kafka_client_event(&follower->client, event);
    if (where != NULL)
        rd_kafka_topic_partition_destroy(where);
}

// What an ended turn leads to. No event is held here.
static void step(struct mf_kafka_follower *follower)
{
    if (follower->reached && !follower->placed)
        place(follower);
    if (follower->assign_due)
        assign(follower);
}

static void drain(void *owner)
{
    struct mf_kafka_follower *follower = owner;
    int64_t end_us = mf_clock_monotonic_us() + KAFKA_TURN_US;
    bool more = false;
    if (follower->client.depth > 0)
        return;
    follower->client.depth++;
    for (size_t events = 1; !follower->client.dying && !follower->failed; events++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(follower->client.queue, 0);
        if (event == NULL) {
            more = rd_kafka_queue_length(follower->client.queue) > 0;
            break;
        }
        on_event(follower, event);
        rd_kafka_event_destroy(event);
        more = events == KAFKA_TURN_EVENTS ||
               (events % KAFKA_TURN_CLOCK_EVERY == 0 && mf_clock_monotonic_us() >= end_us);
        if (more)
            break;
    }
    if (!follower->client.dying && !follower->failed) {
        if (more)
            kafka_wake_again(&follower->client.wake);
        kafka_client_tell_fatal(&follower->client);
    }
    if (!follower->client.dying && !follower->failed)
        step(follower);
    if (--follower->client.depth == 0 && follower->client.dying)
        destroy(follower);
}

// ---------------------------------------------------------------- life

int mf_kafka_follower_new(const struct mf_kafka_config *config, const char *topic, int64_t from_ms,
                          const struct mf_kafka_follower_ops *ops, struct mf_kafka_follower **follower,
                          struct mf_error *err)
{
    assert(ops->on_message != NULL && ops->on_current != NULL && ops->on_error != NULL);
    struct mf_buf group;
    mf_buf_init(&group, 512);
    mf_buf_addf(&group, "%s-follower", config->client_id);
    struct mf_kafka_follower *made = mf_calloc(1, sizeof *made);
    *made = (struct mf_kafka_follower){.config = *config,
                                       .ops = *ops,
                                       .topic = mf_strdup(topic),
                                       .group = mf_strdup(mf_buf_c_str(&group)),
                                       .from_ms = from_ms,
                                       .end = INT64_MAX};
    mf_buf_free(&group);
    made->client = (struct kafka_client){.owner = made, .on_fatal = on_fatal, .wake = {.fd = -1}};
    kafka_partitions_add(&made->partitions, topic, 0, 0);
    struct kafka_role_config role = {.role = KAFKA_ROLE_FOLLOWER, .group = made->group};
    rd_kafka_conf_t *conf;
    if (kafka_config_new(&made->config, &role, &conf, err) < 0 ||
        kafka_client_open(&made->client, &made->config, KAFKA_ROLE_FOLLOWER, conf, drain, err) < 0) {
        destroy(made);
        return -1;
    }
    assign(made);
    *follower = made;
    return 0;
}

void mf_kafka_follower_free(struct mf_kafka_follower **follower)
{
    if (follower == NULL || *follower == NULL)
        return;
    struct mf_kafka_follower *dying = *follower;
    *follower = NULL;
    dying->client.dying = true;
    if (dying->client.depth == 0)
        destroy(dying);
}
