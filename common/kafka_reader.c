// SPDX-License-Identifier: Apache-2.0
// Reads a topic, or chosen partitions of it, from the beginning to the end that was there at the start. Two
// clients, one after the other, and nothing that waits: a read_uncommitted probe first reaches the topic,
// then stands at the end of every partition until librdkafka says where that is (an end-of-partition event);
// then a read_committed client reads from the beginning until its own end-of-partition event is at or beyond
// it. Positions will not do: they do not pass the control records at the end of a transaction. An end below
// the target is a transaction still open, so it is waited for, up to stall_ms without progress.
//
// From a time on, for a topic without transactions that may be written without pause (where no end of a
// partition is ever told): both ends are asked for instead, and a record that stands before the end is
// enough.
//
// Failure classes: TRANSIENT "stalled", FATAL "log_truncated" and fatal client errors, CONFIG from making
// one.
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka_client.h"

#define METADATA_TIMEOUT_MS 1000
#define CHECKS_PER_STALL 8
#define CHECK_MIN_MS 20
#define CHECK_MAX_MS 1000

enum phase {
    PHASE_REACH, // the probe asks for partition 0: any answer says that topic and broker are there
    PHASE_COUNT, // how many partitions?
    PHASE_ENDS,  // the probe stands at the end of all
    PHASE_READ,
    PHASE_OVER // done or failed: no callback any more
};

struct mf_kafka_reader {
    struct mf_kafka_config config;
    struct mf_kafka_reader_ops ops;
    char *topic;
    char *group; // a name that librdkafka wants; nothing joins or commits
    int64_t stall_ms;
    int64_t start;   // offset of the first partition
    int64_t from_ms; // records of that time and later, in every partition; -1 = all
    int32_t *chosen; // partitions to read, NULL = all
    size_t chosen_count;
    enum phase phase;
    struct kafka_client client; // of the phase
    struct kafka_fetch fetch;
    struct kafka_partitions partitions;
    int64_t *ends;   // by place in partitions, -1 = not known yet
    int64_t *starts; // the same, from a time on; NULL = from the beginning, or `start`
    bool *reached;
    size_t waiting;  // partitions without an end, or that have not reached it
    bool assign_due; // a partition must begin elsewhere
    struct mf_timer *check;
    int64_t progress_us; // monotonic
};

static void step(struct mf_kafka_reader *reader);
static void drain(void *owner);

// ---------------------------------------------------------------- ends of the whole thing

static void over(struct mf_kafka_reader *reader)
{
    reader->phase = PHASE_OVER;
    mf_timer_cancel(reader->check);
}

static void fail(struct mf_kafka_reader *reader, const struct mf_error *err)
{
    if (reader->phase == PHASE_OVER || reader->client.dying)
        return;
    over(reader);
    reader->ops.on_error(reader->ops.arg, err);
}

static void on_fatal(void *owner, const struct mf_error *err)
{
    fail(owner, err);
}

static void destroy(struct mf_kafka_reader *reader)
{
    mf_timer_free(&reader->check);
    kafka_client_close(&reader->client);
    kafka_partitions_clear(&reader->partitions);
    free(reader->chosen);
    free(reader->ends);
    free(reader->starts);
    free(reader->reached);
    free(reader->topic);
    free(reader->group);
    free(reader);
}

static void enter(struct mf_kafka_reader *reader)
{
    reader->client.depth++;
}

static void leave(struct mf_kafka_reader *reader)
{
    if (--reader->client.depth == 0 && reader->client.dying)
        destroy(reader);
}

// ---------------------------------------------------------------- clients

static int open_client(struct mf_kafka_reader *reader, enum kafka_role role, struct mf_error *err)
{
    struct kafka_role_config role_config = {.role = role, .group = reader->group};
    rd_kafka_conf_t *conf;
    unsigned depth = reader->client.depth;
    reader->client =
        (struct kafka_client){.owner = reader, .on_fatal = on_fatal, .depth = depth, .wake = {.fd = -1}};
    kafka_fetch_init(&reader->fetch, reader->config.settings);
    if (kafka_config_new(&reader->config, &role_config, &conf, err) < 0)
        return -1;
    return kafka_client_open(&reader->client, &reader->config, role, conf, drain, err);
}

// Where the client of a phase stands. Numbers where they do: what is logical ("the end") is asked for first,
// and in 2.0.2 that waits half a second when the partition's leader is not known yet.
static int64_t native_offset(const struct mf_kafka_reader *reader, const struct kafka_partition *partition)
{
    if (reader->phase == PHASE_ENDS)
        return RD_KAFKA_OFFSET_END;
    return partition->next == KAFKA_AT_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : partition->next;
}

static void assign_all(struct mf_kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reader->partitions.count);
    for (size_t i = 0; i < reader->partitions.count; i++)
        rd_kafka_topic_partition_list_add(list, reader->topic, reader->partitions.items[i].partition)
            ->offset = native_offset(reader, &reader->partitions.items[i]);
    kafka_client_assign(&reader->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    reader->assign_due = false;
    reader->progress_us = mf_clock_monotonic_us();
}

// The first `count` of what is read: of those chosen, else of all.
static void set_partitions(struct mf_kafka_reader *reader, size_t count)
{
    bool chosen = reader->chosen != NULL && reader->phase != PHASE_REACH;
    kafka_partitions_clear(&reader->partitions);
    for (size_t i = 0; i < count; i++)
        kafka_partitions_add(&reader->partitions, reader->topic, chosen ? reader->chosen[i] : (int32_t)i, 0);
    reader->waiting = count;
}

// Where a partition stands in our lists; -1 = we do not read it.
static int place_of(const struct mf_kafka_reader *reader, int32_t id)
{
    for (size_t i = 0; i < reader->partitions.count; i++) {
        if (reader->partitions.items[i].partition == id)
            return (int)i;
    }
    return -1;
}

// ---------------------------------------------------------------- phases

// Where the time begins in a partition, and where its log ends just now. Blocks up to METADATA_TIMEOUT_MS.
static int ask_partition(struct mf_kafka_reader *reader, size_t place, rd_kafka_topic_partition_list_t *list,
                         struct mf_error *err)
{
    int32_t id = reader->partitions.items[place].partition;
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(reader->client.rk, reader->topic, id, &low,
                                                                &high, METADATA_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error_set(err, (int)code, "asking for the end of %s [%d]", reader->topic, (int)id);
    const rd_kafka_topic_partition_t *where = rd_kafka_topic_partition_list_find(list, reader->topic, id);
    bool none = where == NULL || where->err != RD_KAFKA_RESP_ERR_NO_ERROR || where->offset < 0;
    int64_t start = reader->from_ms == 0 ? low : none ? high : where->offset < low ? low : where->offset;
    reader->starts[place] = start;
    reader->ends[place] = start < high ? high : 0; // 0 = there is nothing to read
    return 0;
}

// The ends of all, without standing there: the probe is not needed for it any more.
static int ask_range(struct mf_kafka_reader *reader, struct mf_error *err)
{
    size_t count = reader->partitions.count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, reader->topic, reader->partitions.items[i].partition)
            ->offset = reader->from_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(reader->client.rk, list, METADATA_TIMEOUT_MS);
    int result = code == RD_KAFKA_RESP_ERR_NO_ERROR
                     ? 0
                     : kafka_error_set(err, (int)code, "asking where a time begins in %s", reader->topic);
    reader->starts = mf_calloc(count, sizeof *reader->starts);
    for (size_t i = 0; i < count && result == 0; i++)
        result = ask_partition(reader, i, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    if (result == 0) {
        reader->waiting = 0;
        return 0;
    }
    reader->phase = PHASE_COUNT; // all of it again, with the next check
    free(reader->starts);
    free(reader->ends);
    free(reader->reached);
    reader->starts = reader->ends = NULL;
    reader->reached = NULL;
    return -1;
}

static int count_partitions(struct mf_kafka_reader *reader, struct mf_error *err)
{
    int32_t count = 0;
    rd_kafka_topic_t *native = rd_kafka_topic_new(reader->client.rk, reader->topic, NULL);
    if (native == NULL)
        return kafka_error_set(err, (int)rd_kafka_last_error(), "reading %s", reader->topic);
    // A broker has just answered for this topic: this takes a round trip.
    int result = kafka_client_partition_count(&reader->client, native, METADATA_TIMEOUT_MS, &count, err);
    rd_kafka_topic_destroy(native);
    if (result < 0)
        return -1;
    for (size_t i = 0; i < reader->chosen_count; i++) {
        if (reader->chosen[i] >= count)
            return mf_error_set(err, MF_ERROR_CONFIG, "partition_count",
                                "%s has %d partitions, no partition %d", reader->topic, (int)count,
                                (int)reader->chosen[i]);
    }
    size_t wanted = reader->chosen != NULL ? reader->chosen_count : (size_t)count;
    reader->ends = mf_calloc(wanted, sizeof *reader->ends);
    reader->reached = mf_calloc(wanted, sizeof *reader->reached);
    for (size_t i = 0; i < wanted; i++)
        reader->ends[i] = -1;
    reader->phase = PHASE_ENDS;
    set_partitions(reader, wanted);
    if (reader->from_ms >= 0)
        return ask_range(reader, err);
    assign_all(reader);
    return 0;
}

static void begin_reading(struct mf_kafka_reader *reader)
{
    struct mf_error err;
    kafka_client_close(&reader->client);
    reader->phase = PHASE_READ;
    set_partitions(reader, reader->partitions.count);
    reader->partitions.items[0].next = reader->partitions.items[0].start = reader->start;
    for (size_t i = 0; i < reader->partitions.count && reader->starts != NULL; i++)
        reader->partitions.items[i].next = reader->partitions.items[i].start = reader->starts[i];
    // A partition that has never had a record has nothing to wait for.
    for (size_t i = 0; i < reader->partitions.count; i++) {
        reader->reached[i] = reader->ends[i] == 0;
        reader->waiting -= reader->reached[i];
    }
    if (reader->waiting == 0)
        return;
    if (open_client(reader, KAFKA_ROLE_READER, &err) < 0)
        fail(reader, &err);
    else
        assign_all(reader);
}

// What an ended turn leads to. No event is held here, so a client may be closed.
static void step(struct mf_kafka_reader *reader)
{
    struct mf_error err;
    if (reader->phase == PHASE_COUNT && count_partitions(reader, &err) < 0 && err.class != MF_ERROR_TRANSIENT)
        fail(reader, &err); // else asked again with the next check
    if (reader->assign_due && reader->phase != PHASE_OVER)
        assign_all(reader);
    if (reader->phase == PHASE_ENDS && reader->waiting == 0)
        begin_reading(reader);
    if (reader->phase == PHASE_READ && reader->waiting == 0) {
        over(reader);
        reader->ops.on_done(reader->ops.arg);
    }
}

// ---------------------------------------------------------------- events

static void on_fetched(struct mf_kafka_reader *reader, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    if (reader->phase == PHASE_REACH)
        reader->phase = PHASE_COUNT;
    if (message == NULL || reader->phase != PHASE_READ)
        return; // what came to the probe
    struct kafka_partition *partition = kafka_partitions_find_native(
        &reader->partitions, message->rkt, rd_kafka_topic_name(message->rkt), message->partition);
    reader->fetch.bytes += message->len + message->key_len;
    if (partition == NULL || kafka_partition_accept(partition, message->offset) != KAFKA_ACCEPT)
        return;
    reader->progress_us = mf_clock_monotonic_us();
    rd_kafka_timestamp_type_t type;
    struct mf_kafka_message given = {
        .topic = reader->topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = message->key != NULL ? (struct mf_str){message->key, message->key_len} : MF_STR_NULL,
        .value = message->payload != NULL ? (struct mf_str){message->payload, message->len} : MF_STR_NULL,
        .native = message};
    reader->ops.on_message(reader->ops.arg, &given);
    size_t place = (size_t)(partition - reader->partitions.items);
    if (reader->starts != NULL && !reader->reached[place] && message->offset + 1 >= reader->ends[place]) {
        reader->reached[place] = true;
        reader->waiting--;
    }
}

static void on_end(struct mf_kafka_reader *reader, int32_t id, int64_t offset)
{
    if (reader->phase == PHASE_REACH) {
        reader->phase = PHASE_COUNT;
        return;
    }
    int place = place_of(reader, id);
    if (place < 0)
        return;
    reader->progress_us = mf_clock_monotonic_us();
    if (reader->phase == PHASE_ENDS && reader->ends[place] < 0) {
        reader->ends[place] = offset;
        reader->waiting--;
    }
    if (reader->phase != PHASE_READ || reader->reached[place])
        return;
    kafka_partition_at_end(&reader->partitions.items[place], offset);
    if (offset >= reader->ends[place]) {
        reader->reached[place] = true;
        reader->waiting--;
        return;
    }
    int64_t low, high;
    struct mf_error err;
    if (rd_kafka_get_watermark_offsets(reader->client.rk, reader->topic, id, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0 || high >= reader->ends[place])
        return; // a transaction is open there
    mf_error_set(
        &err, MF_ERROR_FATAL, "log_truncated",
        "%s [%d] ended at offset %lld when reading began and now ends at %lld: the log was truncated",
        reader->topic, (int)id, (long long)reader->ends[place], (long long)high);
    fail(reader, &err);
}

// The log does not begin where we wanted to: it never did, or the oldest records went away before they were
// read (retention). On from those that are there.
static void on_reset(struct mf_kafka_reader *reader, int32_t id)
{
    if (reader->phase == PHASE_REACH) {
        reader->phase = PHASE_COUNT;
        return;
    }
    int place = place_of(reader, id);
    if (place < 0 || reader->phase == PHASE_OVER)
        return;
    struct kafka_partition *partition = &reader->partitions.items[place];
    partition->last = -1; // what was handed out once may be gone
    kafka_partition_moved(partition, KAFKA_AT_BEGINNING);
    reader->assign_due = true; // once for all that the turn brings
}

static void on_event(struct mf_kafka_reader *reader, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
        on_fetched(reader, event);
        return;
    }
    rd_kafka_topic_partition_t *where =
        rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR ? rd_kafka_event_topic_partition(event) : NULL;
    if (where != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        on_end(reader, where->partition, where->offset);
    else if (where != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        on_reset(reader, where->partition);
    else
        kafka_client_event(&reader->client, event);
    if (where != NULL)
        rd_kafka_topic_partition_destroy(where);
}

static void drain(void *owner)
{
    struct mf_kafka_reader *reader = owner;
    int64_t end_us = mf_clock_monotonic_us() + KAFKA_TURN_US;
    bool more = false;
    if (reader->client.depth > 0)
        return;
    enter(reader);
    for (size_t events = 1; !reader->client.dying && reader->phase != PHASE_OVER; events++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(reader->client.queue, 0);
        if (event == NULL) {
            more = rd_kafka_queue_length(reader->client.queue) > 0;
            break;
        }
        on_event(reader, event);
        rd_kafka_event_destroy(event);
        more = events == KAFKA_TURN_EVENTS ||
               (events % KAFKA_TURN_CLOCK_EVERY == 0 && mf_clock_monotonic_us() >= end_us);
        if (more)
            break;
    }
    if (!reader->client.dying && reader->phase != PHASE_OVER) {
        if (more)
            kafka_wake_again(&reader->client.wake);
        kafka_fetch_turn(&reader->fetch, &reader->client);
        kafka_client_tell_fatal(&reader->client);
    }
    if (!reader->client.dying)
        step(reader);
    leave(reader);
}

// ---------------------------------------------------------------- waiting

static void stalled(struct mf_kafka_reader *reader)
{
    struct mf_error err;
    size_t place = 0;
    while (reader->phase == PHASE_READ && place + 1 < reader->partitions.count && reader->reached[place])
        place++;
    if (reader->phase == PHASE_READ)
        mf_error_set(
            &err, MF_ERROR_TRANSIENT, "stalled",
            "%s [%d] stands at offset %lld of %lld for %lld ms: a transaction is open there, or no broker "
            "answers",
            reader->topic, (int)reader->partitions.items[place].partition,
            (long long)reader->partitions.items[place].next, (long long)reader->ends[place],
            (long long)reader->stall_ms);
    else
        mf_error_set(
            &err, MF_ERROR_TRANSIENT, "stalled",
            "the end of %s is not known after %lld ms: no broker answers, or the topic does not exist",
            reader->topic, (long long)reader->stall_ms);
    fail(reader, &err);
}

static void on_check(void *arg)
{
    struct mf_kafka_reader *reader = arg;
    enter(reader);
    if (mf_clock_monotonic_us() - reader->progress_us >= reader->stall_ms * MF_US_PER_MS)
        stalled(reader);
    else if (reader->phase == PHASE_COUNT)
        step(reader);
    leave(reader);
}

static int64_t check_period_ms(int64_t stall_ms)
{
    int64_t period = stall_ms / CHECKS_PER_STALL;
    if (period < CHECK_MIN_MS)
        return CHECK_MIN_MS;
    return period > CHECK_MAX_MS ? CHECK_MAX_MS : period;
}

// ---------------------------------------------------------------- life

int mf_kafka_reader_new(const struct mf_kafka_config *config, const char *topic, int64_t stall_ms,
                        const struct mf_kafka_reader_ops *ops, struct mf_kafka_reader **reader,
                        struct mf_error *err)
{
    assert(ops->on_message != NULL && ops->on_done != NULL && ops->on_error != NULL);
    struct mf_buf group;
    mf_buf_init(&group, 512);
    mf_buf_addf(&group, "%s-reader", config->client_id);
    struct mf_kafka_reader *made = mf_calloc(1, sizeof *made);
    *made = (struct mf_kafka_reader){.config = *config,
                                     .ops = *ops,
                                     .topic = mf_strdup(topic),
                                     .group = mf_strdup(mf_buf_c_str(&group)),
                                     .stall_ms = stall_ms,
                                     .from_ms = -1,
                                     .phase = PHASE_REACH};
    mf_buf_free(&group);
    made->check = mf_timer_new(config->loop, on_check, made);
    if (open_client(made, KAFKA_ROLE_PROBE, err) < 0) {
        destroy(made);
        return -1;
    }
    set_partitions(made, 1);
    assign_all(made);
    mf_timer_arm_every_ms(made->check, check_period_ms(stall_ms));
    *reader = made;
    return 0;
}

void mf_kafka_reader_start_at(struct mf_kafka_reader *reader, int64_t offset)
{
    assert(reader->phase == PHASE_REACH && offset >= 0);
    reader->start = offset;
}

void mf_kafka_reader_since(struct mf_kafka_reader *reader, int64_t from_ms)
{
    assert(reader->phase == PHASE_REACH && from_ms >= 0);
    reader->from_ms = from_ms;
}

void mf_kafka_reader_choose(struct mf_kafka_reader *reader, const int32_t *partitions, size_t count)
{
    assert(reader->phase == PHASE_REACH && reader->chosen == NULL && count > 0);
    reader->chosen = mf_alloc(count * sizeof *reader->chosen);
    memcpy(reader->chosen, partitions, count * sizeof *reader->chosen);
    reader->chosen_count = count;
}

int64_t mf_kafka_reader_remaining(const struct mf_kafka_reader *reader)
{
    int64_t remaining = 0;
    if (reader->phase < PHASE_READ)
        return -1;
    for (size_t i = 0; i < reader->partitions.count && reader->phase == PHASE_READ; i++) {
        int64_t next = reader->partitions.items[i].next;
        if (!reader->reached[i] && next < reader->ends[i])
            remaining += reader->ends[i] - (next > 0 ? next : 0);
    }
    return remaining;
}

void mf_kafka_reader_free(struct mf_kafka_reader **reader)
{
    if (reader == NULL || *reader == NULL)
        return;
    struct mf_kafka_reader *dying = *reader;
    *reader = NULL;
    dying->client.dying = true;
    if (dying->client.depth == 0)
        destroy(dying);
}
