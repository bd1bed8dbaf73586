// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/kafka_consumer_setup.h"

#include <cmocka.h>

// ---------------------------------------------------------------- callbacks

static void copy(char *dst, size_t size, struct mf_str s)
{
    mf_str_copy(dst, size, s.len < size ? s : (struct mf_str){s.data, size - 1});
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct setup *setup = arg;
    setup->messages++;
    setup->in_this_turn++;
    setup->while_paused += setup->paused;
    int64_t *next = &setup->next[message->partition];
    setup->out_of_order += *next >= 0 && message->offset != *next;
    *next = message->offset + 1;
    setup->last = *message;
    setup->key_absent = message->key.data == NULL;
    setup->value_absent = message->value.data == NULL;
    copy(setup->last_key, sizeof setup->last_key, message->key);
    copy(setup->last_value, sizeof setup->last_value, message->value);
    copy(setup->last_header, sizeof setup->last_header, mf_kafka_message_header(message, "mf-flags"));
    if (setup->free_inside)
        mf_kafka_consumer_free(&setup->consumer);
    return setup->stop_after > 0 && setup->in_this_turn >= setup->stop_after ? MF_CONSUME_STOP
                                                                             : MF_CONSUME_NEXT;
}

static void on_turn_end(void *arg)
{
    struct setup *setup = arg;
    setup->turns++;
    assert_true(setup->in_this_turn > 0);
    if (setup->in_this_turn > setup->most_in_a_turn)
        setup->most_in_a_turn = setup->in_this_turn;
    setup->in_this_turn = 0;
}

static void on_assign(void *arg, struct mf_kafka_offset *offsets, size_t count)
{
    struct setup *setup = arg;
    setup->assigned++;
    setup->assigned_partitions = count;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(offsets[i].offset, -1);
        int32_t partition = offsets[i].partition;
        offsets[i].offset = setup->start[partition];
        setup->next[partition] = setup->start[partition] >= 0 ? setup->start[partition] : 0;
    }
    if (setup->pause_on_assign)
        mf_kafka_consumer_pause_all(setup->consumer);
}

static void on_revoke(void *arg, bool lost)
{
    struct setup *setup = arg;
    setup->revoked++;
    setup->lost += lost;
    assert_int_equal(mf_kafka_consumer_assigned(setup->consumer), setup->assigned_partitions);
}

static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct setup *setup = arg;
    setup->eofs++;
    assert_int_equal(mf_kafka_consumer_position(setup->consumer, topic, partition), offset);
    assert_int_equal(mf_kafka_consumer_high_watermark(setup->consumer, topic, partition), offset);
}

static int64_t on_out_of_range(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high)
{
    struct setup *setup = arg;
    assert_string_equal(topic, "t");
    setup->out_of_range++;
    setup->low = low;
    setup->high = high;
    setup->next[partition] = -1;
    return setup->reset_to == 0 ? low : setup->reset_to;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct setup *setup = arg;
    setup->fatal++;
    setup->error = *err;
}

void setup_on_closed(void *arg)
{
    struct setup *setup = arg;
    setup->closed++;
}

// ---------------------------------------------------------------- setup

struct setup *setup_new(int partitions, const char *const *settings)
{
    struct setup *setup = mf_calloc(1, sizeof *setup);
    setup->world = kafka_world_new(1, settings);
    kafka_mock_topic(setup->world, "t", partitions);
    for (int i = 0; i < PARTITIONS; i++) {
        setup->next[i] = 0;
        setup->start[i] = -1;
    }
    return setup;
}

void setup_start(struct setup *setup, bool start_at_earliest)
{
    static const char *const topics[] = {"t", NULL};
    struct mf_kafka_consumer_config config = {
        .group = "g", .topics = topics, .read_committed = true, .start_at_earliest = start_at_earliest};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message,
                                        .on_turn_end = on_turn_end,
                                        .on_assign = on_assign,
                                        .on_revoke = on_revoke,
                                        .on_eof = on_eof,
                                        .on_out_of_range = on_out_of_range,
                                        .on_fatal = on_fatal,
                                        .arg = setup};
    struct mf_error err;
    if (mf_kafka_consumer_new(&setup->world->kafka, &config, &ops, &setup->consumer, &err) < 0)
        fail_msg("%s", err.message);
}

void setup_free(struct setup *setup)
{
    mf_kafka_consumer_free(&setup->consumer);
    kafka_world_free(&setup->world);
    free(setup);
}

void setup_ignore_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

// count records to each partition, "0", "1", … as values.
void setup_fill(struct setup *setup, int partitions, size_t count)
{
    struct mf_kafka_producer_ops ops = {.on_fatal = setup_ignore_fatal};
    struct mf_kafka_producer *producer;
    struct mf_error err;
    assert_int_equal(mf_kafka_producer_new(&setup->world->kafka, NULL, &ops, &producer, &err), 0);
    for (size_t i = 0; i < count; i++) {
        char value[32];
        snprintf(value, sizeof value, "%zu", i);
        for (int32_t partition = 0; partition < partitions; partition++) {
            struct mf_kafka_record record = {.topic = "t", .partition = partition, .value = mf_str_of(value)};
            if (mf_kafka_produce(producer, &record, NULL, &err) < 0)
                fail_msg("%s", err.message);
        }
    }
    assert_int_equal(mf_kafka_producer_flush(producer, WAIT_MS, &err), 0);
    assert_int_equal(mf_kafka_producer_failed(producer), 0);
    mf_kafka_producer_free(&producer);
}

static bool got_all(void *arg)
{
    struct setup *setup = arg;
    return setup->messages >= setup->wanted;
}

void setup_run_until(struct setup *setup, size_t messages)
{
    setup->wanted = messages;
    if (!kafka_world_run(setup->world, got_all, setup, WAIT_MS))
        fail_msg("%zu of %zu messages", setup->messages, messages);
}

bool setup_is_joined(void *arg)
{
    struct setup *setup = arg;
    return mf_kafka_consumer_joined(setup->consumer);
}

bool setup_is_closed(void *arg)
{
    struct setup *setup = arg;
    return setup->closed > 0;
}

bool setup_has_failed(void *arg)
{
    struct setup *setup = arg;
    return setup->fatal > 0;
}
