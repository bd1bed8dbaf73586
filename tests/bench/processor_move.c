// SPDX-License-Identifier: Apache-2.0
// The processor without its fold, for tests/bench/processor: what our Kafka wrapper costs over the floor. It
// does the work of processor_floor.c, the same bytes in transactions of the same size, through the group
// consumer, produce and the transactions of common/kafka.h, driven by the loop as the processor drives them.
// Prints the floor's JSON object when it has caught up. With COMMIT_MS it then goes on until it is killed,
// and commits what comes so long after a transaction's first record, as the processor does at a low rate.
// Usage: processor_move HOST:PORT INPUT OUTPUT_1 OUTPUT_2 PARTITIONS TXN_RECORDS METRIC_BYTES [COMMIT_MS].
// Exit 0, 70, 78.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "tests/bench/processor_task.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 600000, INIT_MS = 30000, FULL_QUEUE_MS = 5000 };

enum state { IDLE, OPEN, FLUSHING };

struct move {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    struct mf_kafka_consumer *consumer;
    struct mf_deferred *commit_now;
    struct mf_timer *commit_timer;
    struct task task;
    int64_t commit_ms; // 0 = ends when it has caught up
    bool live;         // has caught up and goes on
    enum state state;
    struct mf_error err; // of the calls for every record
};

static void check(int result, const struct mf_error *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "processor_move: %s\n", err->message);
    exit(MF_EXIT_INTERNAL);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    check(-1, err);
}

static void on_failed(void *arg, const struct mf_kafka_delivery *delivery)
{
    (void)arg;
    check(delivery->error != NULL ? -1 : 0, delivery->error);
}

static bool is_done(void *arg)
{
    struct move *move = arg;
    if (move->live || !task_has_ended(&move->task) || move->state != IDLE)
        return false;
    task_print(&move->task);
    move->live = move->commit_ms > 0;
    return !move->live;
}

// ---------------------------------------------------------------- transactions

static void begin_flush(struct move *move)
{
    move->state = FLUSHING;
    mf_timer_cancel(move->commit_timer);
    mf_kafka_consumer_hold(move->consumer, true);
    mf_kafka_producer_send(move->producer);
    mf_deferred_schedule(move->commit_now);
}

static void on_commit_due(void *arg)
{
    struct move *move = arg;
    if (move->state == OPEN)
        begin_flush(move);
}

static void commit(struct move *move)
{
    struct mf_error err;
    struct mf_kafka_offset *offsets = mf_calloc((size_t)move->task.partitions, sizeof *offsets);
    size_t count = 0;
    for (int32_t i = 0; i < move->task.partitions; i++) {
        if (move->task.next[i] >= 0)
            offsets[count++] = (struct mf_kafka_offset){move->task.input, i, move->task.next[i]};
        move->task.next[i] = -1;
    }
    check(mf_kafka_txn_send_offsets(move->producer, move->consumer, offsets, count, &err), &err);
    check(mf_kafka_txn_commit(move->producer, &err), &err);
    free(offsets);
    move->task.committed_us = mf_clock_monotonic_us();
    move->task.in_txn = 0;
    move->state = IDLE;
    mf_kafka_consumer_hold(move->consumer, false);
}

static void try_commit(void *arg)
{
    struct move *move = arg;
    if (move->state == FLUSHING && mf_kafka_producer_outstanding(move->producer) == 0)
        commit(move);
}

static void on_progress(void *arg)
{
    struct move *move = arg;
    if (move->state == FLUSHING)
        mf_deferred_schedule(move->commit_now);
    else if (!mf_kafka_producer_busy(move->producer))
        mf_kafka_consumer_hold(move->consumer, false);
}

static void produce(struct move *move, int output, const struct mf_kafka_message *message,
                    struct mf_str value)
{
    struct mf_kafka_record record = {.topic = move->task.outputs[output],
                                     .partition = message->partition,
                                     .key = message->key,
                                     .value = value};
    if (mf_kafka_produce(move->producer, &record, NULL, &move->err) == 0)
        return;
    if (move->err.class == MF_ERROR_TRANSIENT) // a full queue
        check(mf_kafka_producer_flush(move->producer, FULL_QUEUE_MS, &move->err), &move->err);
    check(mf_kafka_produce(move->producer, &record, NULL, &move->err), &move->err);
}

// ---------------------------------------------------------------- input

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct move *move = arg;
    task_begin(&move->task);
    if (move->state == IDLE) {
        check(mf_kafka_txn_begin(move->producer, &move->err), &move->err);
        move->state = OPEN;
        if (move->live)
            mf_timer_arm_ms(move->commit_timer, move->commit_ms);
    }
    produce(move, 0, message, message->value);
    produce(move, 1, message, dummies_next(move->task.metrics));
    move->task.next[message->partition] = message->offset + 1;
    move->task.records++;
    move->task.in_txn++;
    bool full = move->task.in_txn == move->task.txn_records || mf_kafka_producer_pressure(move->producer);
    if (!full && !mf_kafka_producer_busy(move->producer))
        return MF_CONSUME_NEXT;
    if (full)
        begin_flush(move);
    else
        mf_kafka_consumer_hold(move->consumer, true);
    return MF_CONSUME_STOP;
}

static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    (void)topic;
    (void)offset;
    struct move *move = arg;
    task_end_partition(&move->task, partition);
    if (!move->live && task_has_ended(&move->task) && move->state == OPEN)
        begin_flush(move);
}

// ---------------------------------------------------------------- all of it

static void open_all(struct move *move)
{
    struct mf_error err;
    struct mf_kafka_producer_ops producer_ops = {.bulk = true,
                                                 .on_delivery = on_failed,
                                                 .on_progress = on_progress,
                                                 .on_fatal = on_fatal,
                                                 .arg = move};
    check(mf_kafka_producer_new(&move->world->kafka, "bench-move", &producer_ops, &move->producer, &err),
          &err);
    check(mf_kafka_txn_init(move->producer, INIT_MS, &err), &err);
    const char *const topics[] = {move->task.input, NULL};
    char group[80];
    snprintf(group, sizeof group, "bench-move-%d-%lld", (int)getpid(), (long long)mf_clock_monotonic_us());
    struct mf_kafka_consumer_config config = {
        .group = group, .topics = topics, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {
        .on_message = on_message, .on_eof = on_eof, .on_fatal = on_fatal, .arg = move};
    check(mf_kafka_consumer_new(&move->world->kafka, &config, &ops, &move->consumer, &err), &err);
    move->commit_now = mf_deferred_new(move->world->loop, try_commit, move);
    move->commit_timer = mf_timer_new(move->world->loop, on_commit_due, move);
}

static void close_all(struct move *move)
{
    mf_deferred_free(&move->commit_now);
    mf_timer_free(&move->commit_timer);
    mf_kafka_consumer_free(&move->consumer);
    mf_kafka_producer_free(&move->producer);
    kafka_world_free(&move->world);
    task_free(&move->task);
}

int main(int argc, char **argv)
{
    struct move move = {0};
    if (argc < TASK_ARGC || argc > TASK_ARGC + 1 || !task_take(&move.task, argv) ||
        (argc > TASK_ARGC && !take_number(argv[TASK_ARGC], 10000, &move.commit_ms))) {
        fprintf(stderr, "usage: processor_move " TASK_ARGUMENTS " [COMMIT_MS]\n");
        task_free(&move.task);
        return MF_EXIT_CONFIG;
    }
    move.world = kafka_world_at(argv[1], NULL);
    open_all(&move);
    if (!kafka_world_run(move.world, is_done, &move, WAIT_MS)) {
        fprintf(stderr, "processor_move: not done after %d s\n", WAIT_MS / 1000);
        return MF_EXIT_INTERNAL;
    }
    close_all(&move);
    return MF_EXIT_OK;
}
