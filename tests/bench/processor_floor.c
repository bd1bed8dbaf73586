// SPDX-License-Identifier: Apache-2.0
// The floor under the processor's cost, for tests/bench/processor: librdkafka alone moves the same bytes. It
// reads a topic to its end and, in transactions of so many records, writes each record's payload to one topic
// and as many dummy bytes as a metric has to another, with the input offsets; nothing is parsed. One thread
// and no loop: it polls until it has everything. Settings are those of our clients, and what is known to slow
// librdkafka 2.0.2 down is seen to: the fetch stall, the first requests of a transaction, a commit before the
// queue is empty. Prints one JSON object: records, seconds and CPU seconds of the process from the first
// record to the last commit, peak memory. Usage:
// processor_floor HOST:PORT INPUT OUTPUT_1 OUTPUT_2 PARTITIONS TXN_RECORDS METRIC_BYTES. Exit 0, 70, 78.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kafka_client.h"
#include "tests/bench/processor_task.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 60000, PRODUCE_MAX = 500 };
#define HOLD_BACK_US 1500 // before the first record of a transaction: see docs/kafka.md

struct floor {
    struct kafka_world *world;
    const char *bootstrap;
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *outputs[2];
    struct task task;
};

static void check(const char *doing, rd_kafka_error_t *error)
{
    if (error == NULL)
        return;
    fprintf(stderr, "processor_floor: %s: %s\n", doing, rd_kafka_error_string(error));
    exit(MF_EXIT_INTERNAL);
}

static rd_kafka_t *open_client(struct floor *floor, enum kafka_role kind)
{
    struct kafka_role_config role = {
        .role = kind, .transactional_id = "bench-floor", .group = "bench-floor", .read_committed = true};
    bool producing = kind == KAFKA_ROLE_TRANSACTIONAL;
    char why[256] = "";
    rd_kafka_conf_t *conf;
    struct mf_error err;
    if (kafka_config_new(&floor->world->kafka, &role, &conf, &err) < 0) {
        fprintf(stderr, "processor_floor: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    rd_kafka_t *made = rd_kafka_new(producing ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (made == NULL) {
        fprintf(stderr, "processor_floor: %s\n", why);
        exit(MF_EXIT_INTERNAL);
    }
    return made;
}

static void open_all(struct floor *floor)
{
    floor->producer = open_client(floor, KAFKA_ROLE_TRANSACTIONAL);
    check("init", rd_kafka_init_transactions(floor->producer, WAIT_MS));
    for (int i = 0; i < 2; i++)
        floor->outputs[i] = rd_kafka_topic_new(floor->producer, floor->task.outputs[i], NULL);
    floor->consumer = open_client(floor, KAFKA_ROLE_CONSUMER);
    rd_kafka_poll_set_consumer(floor->consumer);
    floor->queue = rd_kafka_queue_get_consumer(floor->consumer);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(floor->task.partitions);
    for (int32_t i = 0; i < floor->task.partitions; i++)
        rd_kafka_topic_partition_list_add(all, floor->task.input, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(floor->consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
}

// A broker thread that sleeps because its queue was full is woken by this.
static void wake_fetching(struct floor *floor)
{
    check("wake", rd_kafka_sasl_set_credentials(floor->consumer, "none", "none"));
}

static void commit(struct floor *floor)
{
    while (rd_kafka_outq_len(floor->producer) > 0)
        rd_kafka_poll(floor->producer, 1);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(floor->task.partitions);
    for (int32_t i = 0; i < floor->task.partitions; i++)
        if (floor->task.next[i] >= 0)
            rd_kafka_topic_partition_list_add(offsets, floor->task.input, i)->offset = floor->task.next[i];
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(floor->consumer);
    check("offsets", rd_kafka_send_offsets_to_transaction(floor->producer, offsets, group, WAIT_MS));
    check("commit", rd_kafka_commit_transaction(floor->producer, -1));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    floor->task.in_txn = 0;
    floor->task.committed_us = mf_clock_monotonic_us();
}

static void produce(struct floor *floor, int output, int32_t partition, const rd_kafka_message_t *message,
                    const void *value, size_t len)
{
    while (rd_kafka_produce(floor->outputs[output], partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value,
                            len, message->key, message->key_len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "processor_floor: produce: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
            exit(MF_EXIT_INTERNAL);
        }
        rd_kafka_poll(floor->producer, 1);
    }
}

static void take(struct floor *floor, const rd_kafka_message_t *message)
{
    task_begin(&floor->task);
    if (floor->task.in_txn == 0) {
        check("begin", rd_kafka_begin_transaction(floor->producer));
        while (mf_clock_monotonic_us() - floor->task.committed_us < HOLD_BACK_US)
            rd_kafka_poll(floor->producer, 1);
    }
    produce(floor, 0, message->partition, message, message->payload, message->len);
    struct mf_str metric = dummies_next(floor->task.metrics);
    produce(floor, 1, message->partition, message, metric.data, metric.len);
    floor->task.next[message->partition] = message->offset + 1;
    floor->task.records++;
    if (++floor->task.in_txn >= floor->task.txn_records)
        commit(floor);
    else if (floor->task.in_txn % PRODUCE_MAX == 0)
        rd_kafka_poll(floor->producer, 0);
}

static void on_error(struct floor *floor, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    rd_kafka_topic_partition_t *where = rd_kafka_event_topic_partition(event);
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF && where != NULL)
        task_end_partition(&floor->task, where->partition);
    if (where != NULL)
        rd_kafka_topic_partition_destroy(where);
}

static void move_all(struct floor *floor)
{
    int peak = 0;
    while (!task_has_ended(&floor->task)) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(floor->queue, 100);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH)
            take(floor, rd_kafka_event_message_next(event));
        else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            on_error(floor, event);
        rd_kafka_event_destroy(event);
        if (floor->task.records % PRODUCE_MAX != 0)
            continue;
        int queued = (int)rd_kafka_queue_length(floor->queue);
        if (queued * 2 <= peak) {
            wake_fetching(floor);
            peak = queued;
        }
        peak = queued > peak ? queued : peak;
    }
    if (floor->task.in_txn > 0)
        commit(floor);
}

static void close_all(struct floor *floor)
{
    rd_kafka_queue_destroy(floor->queue);
    rd_kafka_destroy_flags(floor->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    for (int i = 0; i < 2; i++)
        rd_kafka_topic_destroy(floor->outputs[i]);
    rd_kafka_destroy(floor->producer);
    kafka_world_free(&floor->world);
    task_free(&floor->task);
}

int main(int argc, char **argv)
{
    struct floor floor = {0};
    if (argc != TASK_ARGC || !task_take(&floor.task, argv)) {
        fprintf(stderr, "usage: processor_floor " TASK_ARGUMENTS "\n");
        return MF_EXIT_CONFIG;
    }
    floor.world = kafka_world_at(argv[1], NULL);
    open_all(&floor);
    move_all(&floor);
    task_print(&floor.task);
    close_all(&floor);
    return MF_EXIT_OK;
}
