// SPDX-License-Identifier: Apache-2.0
// What only a real broker can show: isolation, take-overs, fences, topics. Runs when MF_TEST_KAFKA names one
// ("127.0.0.1:9092"), and is skipped, aloud, when it does not. Names are new for each run; nothing is cleaned
// up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

#define WAIT_MS 60000
#define PARTITIONS 4
#define ALL_VALUES 4000

static const char *bootstrap;
static unsigned run_number;

// "in-<process>-<number>": one prefix for topics, groups and ids of a test.
struct names {
    char in[40], out[40], group[40], txn_id[40];
};

struct member {
    struct setup *setup;
    struct mf_kafka_config kafka; // with its own instance id
    struct mf_kafka_consumer *consumer;
    struct mf_kafka_producer *producer;
    size_t messages;
    unsigned assigned, revoked, lost, fatal, closed, eofs;
    struct mf_error error;
    int64_t next[PARTITIONS]; // to commit; -1 = nothing
    bool in_txn;
};

struct setup {
    struct kafka_world *world;
    struct names names;
    struct member a, b;
    unsigned seen[ALL_VALUES]; // by value, read from the output
    size_t read;
    unsigned done, failed;
    struct mf_error error;
    size_t wanted;
};

// ---------------------------------------------------------------- topics

static void make_topics(struct setup *setup)
{
    const struct mf_kafka_topic_spec specs[] = {{setup->names.in, PARTITIONS, 1, "delete", 3600000, false},
                                                {setup->names.out, PARTITIONS, 1, "compact", -1, false}};
    struct mf_kafka_topic_report reports[2];
    struct mf_error err;
    if (mf_kafka_topics(&setup->world->kafka, specs, 2, true, WAIT_MS, reports, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(reports[0].result, MF_KAFKA_TOPIC_CREATED);
    assert_int_equal(reports[1].result, MF_KAFKA_TOPIC_CREATED);
}

static struct setup *setup_new(void)
{
    static const char *const settings[] = {"KAFKA_PARTITIONS=4", NULL};
    if (bootstrap == NULL)
        return NULL;
    struct setup *setup = mf_calloc(1, sizeof *setup);
    setup->world = kafka_world_at(bootstrap, settings);
    run_number++;
    snprintf(setup->names.in, sizeof setup->names.in, "in-%d-%u", (int)getpid(), run_number);
    snprintf(setup->names.out, sizeof setup->names.out, "out-%d-%u", (int)getpid(), run_number);
    snprintf(setup->names.group, sizeof setup->names.group, "group-%d-%u", (int)getpid(), run_number);
    snprintf(setup->names.txn_id, sizeof setup->names.txn_id, "txn-%d-%u", (int)getpid(), run_number);
    setup->a.setup = setup->b.setup = setup;
    setup->a.kafka = setup->b.kafka = setup->world->kafka;
    setup->a.kafka.instance = "a";
    setup->b.kafka.instance = "b";
    make_topics(setup);
    return setup;
}

#define NEEDS_BROKER(setup)                                                           \
    struct setup *setup = setup_new();                                                \
    if (setup == NULL) {                                                              \
        print_message("skipped: MF_TEST_KAFKA does not name a broker (host:port)\n"); \
        skip();                                                                       \
    }

static void setup_free(struct setup *setup)
{
    mf_kafka_consumer_free(&setup->a.consumer);
    mf_kafka_consumer_free(&setup->b.consumer);
    mf_kafka_producer_free(&setup->a.producer);
    mf_kafka_producer_free(&setup->b.producer);
    kafka_world_free(&setup->world);
    free(setup);
}

// ---------------------------------------------------------------- members

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct member *member = arg;
    member->fatal++;
    member->error = *err;
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct member *member = arg;
    struct mf_error err;
    if (member->producer != NULL && !member->in_txn) {
        if (mf_kafka_txn_begin(member->producer, &err) < 0)
            fail_msg("%s", err.message);
        member->in_txn = true;
    }
    if (member->producer != NULL) {
        struct mf_kafka_record record = {.topic = member->setup->names.out,
                                         .partition = message->partition,
                                         .key = message->value, // compacted: each value is its own key
                                         .value = message->value};
        if (mf_kafka_produce(member->producer, &record, NULL, &err) < 0)
            fail_msg("%s", err.message);
    }
    member->messages++;
    member->next[message->partition] = message->offset + 1;
    return MF_CONSUME_NEXT;
}

// Ends the open transaction with the offsets of what it has read.
static int commit(struct member *member, struct mf_error *err)
{
    struct mf_kafka_offset offsets[PARTITIONS];
    size_t count = 0;
    if (!member->in_txn)
        return 0;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        if (member->next[i] >= 0)
            offsets[count++] = (struct mf_kafka_offset){member->setup->names.in, i, member->next[i]};
    }
    if (mf_kafka_producer_flush(member->producer, WAIT_MS, err) < 0 ||
        mf_kafka_txn_send_offsets(member->producer, member->consumer, offsets, count, err) < 0 ||
        mf_kafka_txn_commit(member->producer, err) < 0)
        return -1;
    member->in_txn = false;
    return 0;
}

static void must_commit(struct member *member)
{
    struct mf_error err;
    if (commit(member, &err) < 0)
        fail_msg("%s: %s", err.code, err.message);
}

static void on_assign(void *arg, struct mf_kafka_offset *offsets, size_t count)
{
    struct member *member = arg;
    (void)offsets;
    (void)count;
    member->assigned++;
    for (int i = 0; i < PARTITIONS; i++)
        member->next[i] = -1;
}

static void on_revoke(void *arg, bool lost)
{
    struct member *member = arg;
    member->revoked++;
    member->lost += lost;
    if (!lost && member->producer != NULL)
        must_commit(member);
}

static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct member *member = arg;
    (void)topic;
    (void)partition;
    (void)offset;
    member->eofs++;
}

static void join(struct member *member)
{
    const char *const topics[] = {member->setup->names.in, NULL};
    struct mf_kafka_consumer_config config = {.group = member->setup->names.group,
                                              .topics = topics,
                                              .read_committed = true,
                                              .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message,
                                        .on_assign = on_assign,
                                        .on_revoke = on_revoke,
                                        .on_eof = on_eof,
                                        .on_fatal = on_fatal,
                                        .arg = member};
    struct mf_error err;
    if (mf_kafka_consumer_new(&member->kafka, &config, &ops, &member->consumer, &err) < 0)
        fail_msg("%s", err.message);
}

static void make_producer(struct member *member, const char *transactional_id)
{
    struct mf_kafka_producer_ops ops = {.on_fatal = on_fatal, .arg = member};
    struct mf_error err;
    mf_kafka_producer_free(&member->producer);
    if (mf_kafka_producer_new(&member->kafka, transactional_id, &ops, &member->producer, &err) < 0 ||
        (transactional_id != NULL && mf_kafka_txn_init(member->producer, WAIT_MS, &err) < 0))
        fail_msg("%s", err.message);
}

// The values [from, to) to the input, by turns to the partitions.
static void fill(struct setup *setup, int from, int to)
{
    struct member filler = {.setup = setup, .kafka = setup->world->kafka};
    struct mf_error err;
    make_producer(&filler, NULL);
    for (int i = from; i < to; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        struct mf_kafka_record record = {
            .topic = setup->names.in, .partition = i % PARTITIONS, .value = mf_str_of(value)};
        if (mf_kafka_produce(filler.producer, &record, NULL, &err) < 0)
            fail_msg("%s", err.message);
    }
    if (mf_kafka_producer_flush(filler.producer, WAIT_MS, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(mf_kafka_producer_failed(filler.producer), 0);
    mf_kafka_producer_free(&filler.producer);
}

// ---------------------------------------------------------------- reading the output

static void on_output(void *arg, const struct mf_kafka_message *message)
{
    struct setup *setup = arg;
    int64_t value = -1;
    assert_true(mf_str_to_i64(message->value, &value));
    assert_in_range(value, 0, ALL_VALUES - 1);
    setup->seen[value]++;
    setup->read++;
}

static void on_read(void *arg)
{
    struct setup *setup = arg;
    setup->done++;
}

static void on_read_error(void *arg, const struct mf_error *err)
{
    struct setup *setup = arg;
    setup->failed++;
    setup->error = *err;
}

static bool read_is_over(void *arg)
{
    struct setup *setup = arg;
    return setup->done + setup->failed > 0;
}

// The committed records of a topic into seen[]; false when it stalled.
static bool read_topic(struct setup *setup, const char *topic, int64_t stall_ms)
{
    struct mf_kafka_reader_ops ops = {
        .on_message = on_output, .on_done = on_read, .on_error = on_read_error, .arg = setup};
    struct mf_kafka_reader *reader;
    struct mf_error err;
    memset(setup->seen, 0, sizeof setup->seen);
    setup->read = setup->done = setup->failed = 0;
    assert_int_equal(mf_kafka_reader_new(&setup->world->kafka, topic, stall_ms, &ops, &reader, &err), 0);
    assert_true(kafka_world_run(setup->world, read_is_over, setup, WAIT_MS));
    mf_kafka_reader_free(&reader);
    return setup->done == 1;
}

static void assert_each_once(struct setup *setup, int count)
{
    if (!read_topic(setup, setup->names.out, WAIT_MS / 2))
        fail_msg("%s", setup->error.message);
    for (int i = 0; i < ALL_VALUES; i++) {
        if (setup->seen[i] != (i < count ? 1 : 0))
            fail_msg("value %d was written %u times", i, setup->seen[i]);
    }
}

static bool got_all(void *arg)
{
    struct setup *setup = arg;
    return setup->a.messages + setup->b.messages >= setup->wanted;
}

static void run_until(struct setup *setup, size_t messages)
{
    setup->wanted = messages;
    if (!kafka_world_run(setup->world, got_all, setup, WAIT_MS))
        fail_msg("%zu + %zu of %zu messages", setup->a.messages, setup->b.messages, messages);
}

// ---------------------------------------------------------------- tests

static void topics_are_made_compared_and_left_alone(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    struct mf_kafka_topic_spec specs[] = {{setup->names.in, PARTITIONS, 1, "delete", 3600000, false},
                                          {setup->names.out, PARTITIONS, 1, "compact", -1, false},
                                          {"no-such-topic", 1, 1, "delete", 1000, false}};
    struct mf_kafka_topic_report reports[3];
    struct mf_error err;
    assert_int_equal(mf_kafka_topics(&setup->world->kafka, specs, 3, false, WAIT_MS, reports, &err), 0);
    assert_int_equal(reports[0].result, MF_KAFKA_TOPIC_EXISTS);
    assert_int_equal(reports[0].partitions, PARTITIONS);
    assert_int_equal(reports[1].result, MF_KAFKA_TOPIC_EXISTS);
    assert_int_equal(reports[2].result, MF_KAFKA_TOPIC_MISSING);
    specs[0].partitions = 8;
    specs[0].retention_ms = 7200000;
    specs[1].cleanup = "delete";
    assert_int_equal(mf_kafka_topics(&setup->world->kafka, specs, 2, true, WAIT_MS, reports, &err), 0);
    assert_int_equal(reports[0].result, MF_KAFKA_TOPIC_DIFFERS);
    assert_non_null(strstr(reports[0].detail, "4 partitions instead of 8"));
    assert_non_null(strstr(reports[0].detail, "retention.ms is 3600000, should be 7200000"));
    assert_int_equal(reports[1].result, MF_KAFKA_TOPIC_DIFFERS);
    assert_non_null(strstr(reports[1].detail, "cleanup.policy is compact, should be delete"));
    // Refused by the cluster, not by us.
    struct mf_kafka_topic_spec impossible = {"impossible-topic", 1, 9, "delete", 1000, false};
    assert_int_equal(mf_kafka_topics(&setup->world->kafka, &impossible, 1, true, WAIT_MS, reports, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    setup_free(setup);
}

static bool a_is_at_the_end(void *arg)
{
    struct setup *setup = arg;
    return setup->a.eofs >= PARTITIONS;
}

static void outputs_and_offsets_are_one(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    fill(setup, 0, 1000);
    make_producer(&setup->a, setup->names.txn_id);
    join(&setup->a);
    run_until(setup, 1000);
    must_commit(&setup->a);
    assert_each_once(setup, 1000);

    // An aborted transaction leaves no output, and a rewind brings its input again.
    struct mf_error err;
    fill(setup, 1000, 2000);
    run_until(setup, 2000);
    if (mf_kafka_txn_abort(setup->a.producer, &err) < 0)
        fail_msg("%s", err.message);
    setup->a.in_txn = false;
    assert_each_once(setup, 1000);
    if (mf_kafka_consumer_rewind(setup->a.consumer, &err) < 0)
        fail_msg("%s", err.message);
    run_until(setup, 3000);
    must_commit(&setup->a);
    assert_each_once(setup, 2000);

    // Left without a word: whoever comes next gets what was not committed, under the same id at once.
    fill(setup, 2000, 3000);
    run_until(setup, 4000);
    mf_kafka_producer_free(&setup->a.producer);
    mf_kafka_consumer_free(&setup->a.consumer);
    setup->a.in_txn = false;
    make_producer(&setup->a, setup->names.txn_id);
    join(&setup->a);
    run_until(setup, 5000);
    must_commit(&setup->a);
    assert_each_once(setup, 3000);
    assert_int_equal(setup->a.fatal, 0);
    setup_free(setup);
}

static void the_end_lies_behind_the_control_records(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    make_producer(&setup->a, setup->names.txn_id);
    struct mf_error err;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(mf_kafka_txn_begin(setup->a.producer, &err), 0);
        for (int32_t partition = 0; partition < PARTITIONS; partition++) {
            struct mf_kafka_record record = {
                .topic = setup->names.in, .partition = partition, .value = MF_STR("1")};
            assert_int_equal(mf_kafka_produce(setup->a.producer, &record, NULL, &err), 0);
        }
        assert_int_equal(mf_kafka_producer_flush(setup->a.producer, WAIT_MS, &err), 0);
        int result = round == 1 ? mf_kafka_txn_abort(setup->a.producer, &err)
                                : mf_kafka_txn_commit(setup->a.producer, &err);
        if (result < 0)
            fail_msg("%s", err.message);
    }
    mf_kafka_producer_free(&setup->a.producer);
    join(&setup->a);
    assert_true(kafka_world_run(setup->world, a_is_at_the_end, setup, WAIT_MS));
    assert_int_equal(setup->a.messages, 2 * PARTITIONS); // not the aborted ones
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        // Three records and three markers.
        assert_int_equal(mf_kafka_consumer_position(setup->a.consumer, setup->names.in, partition), 6);
        assert_int_equal(mf_kafka_consumer_high_watermark(setup->a.consumer, setup->names.in, partition), 6);
    }
    setup_free(setup);
}

static void an_open_transaction_stalls_a_reader_and_says_so(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    struct mf_error err;
    make_producer(&setup->a, setup->names.txn_id);
    assert_int_equal(mf_kafka_txn_begin(setup->a.producer, &err), 0);
    struct mf_kafka_record record = {
        .topic = setup->names.out, .partition = 2, .key = MF_STR("7"), .value = MF_STR("7")};
    assert_int_equal(mf_kafka_produce(setup->a.producer, &record, NULL, &err), 0);
    assert_int_equal(mf_kafka_producer_flush(setup->a.producer, WAIT_MS, &err), 0);
    assert_false(read_topic(setup, setup->names.out, 1500));
    assert_int_equal(setup->error.class, MF_ERROR_TRANSIENT);
    assert_string_equal(setup->error.code, "stalled");
    assert_non_null(strstr(setup->error.message, "[2] stands at offset 0 of 1"));
    assert_int_equal(mf_kafka_txn_commit(setup->a.producer, &err), 0);
    assert_true(read_topic(setup, setup->names.out, WAIT_MS / 2));
    assert_int_equal(setup->seen[7], 1);
    setup_free(setup);
}

static bool b_has_joined(void *arg)
{
    struct setup *setup = arg;
    return setup->b.assigned > 0 && mf_kafka_consumer_assigned(setup->b.consumer) > 0 &&
           setup->a.assigned > 1 && mf_kafka_consumer_assigned(setup->a.consumer) > 0;
}

static void a_second_member_takes_half_and_nothing_is_lost_or_doubled(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    char other_id[64];
    snprintf(other_id, sizeof other_id, "%s-b", setup->names.txn_id);
    make_producer(&setup->a, setup->names.txn_id);
    make_producer(&setup->b, other_id);
    join(&setup->a);
    fill(setup, 0, 2000);
    run_until(setup, 500);
    join(&setup->b); // a's revocation commits what is under way
    assert_true(kafka_world_run(setup->world, b_has_joined, setup, WAIT_MS));
    assert_int_equal(setup->a.revoked, 1);
    assert_int_equal(setup->a.lost, 0);
    assert_int_equal(mf_kafka_consumer_assigned(setup->a.consumer), PARTITIONS / 2);
    assert_int_equal(mf_kafka_consumer_assigned(setup->b.consumer), PARTITIONS / 2);
    fill(setup, 2000, 4000);
    run_until(setup, 4000);
    must_commit(&setup->a);
    must_commit(&setup->b);
    assert_each_once(setup, 4000);
    assert_true(setup->b.messages > 0);
    assert_int_equal(setup->a.fatal + setup->b.fatal, 0);
    setup_free(setup);
}

static bool a_is_fenced(void *arg)
{
    struct setup *setup = arg;
    return setup->a.fatal > 0;
}

static void a_second_process_with_the_same_transactional_id_fences_the_first(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    struct mf_error err;
    make_producer(&setup->a, setup->names.txn_id);
    assert_int_equal(mf_kafka_txn_begin(setup->a.producer, &err), 0);
    make_producer(&setup->b, setup->names.txn_id);
    struct mf_kafka_record record = {
        .topic = setup->names.out, .partition = 0, .key = MF_STR("7"), .value = MF_STR("7")};
    assert_int_equal(mf_kafka_produce(setup->a.producer, &record, NULL, &err), 0);
    assert_true(kafka_world_run(setup->world, a_is_fenced, setup, WAIT_MS));
    assert_int_equal(setup->a.error.class, MF_ERROR_FATAL);
    assert_string_equal(setup->a.error.code, "fenced");
    assert_non_null(strstr(setup->a.error.message, setup->names.txn_id));
    assert_int_equal(mf_kafka_txn_commit(setup->a.producer, &err), -1);
    assert_string_equal(err.code, "fenced");
    assert_int_equal(mf_kafka_txn_begin(setup->b.producer, &err), 0);
    assert_int_equal(mf_kafka_txn_commit(setup->b.producer, &err), 0);
    assert_int_equal(setup->b.fatal, 0);
    setup_free(setup);
}

static void a_second_process_with_the_same_instance_id_fences_the_first(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    fill(setup, 0, 100);
    join(&setup->a);
    run_until(setup, 100);
    setup->b.kafka.instance = "a";
    join(&setup->b);
    assert_true(kafka_world_run(setup->world, a_is_fenced, setup, WAIT_MS));
    assert_int_equal(setup->a.error.class, MF_ERROR_FATAL);
    assert_string_equal(setup->a.error.code, "fenced");
    assert_non_null(strstr(setup->a.error.message, "group.instance.id 'a'"));
    assert_int_equal(setup->b.fatal, 0);
    run_until(setup, 200); // nothing was committed
    setup_free(setup);
}

static void on_closed(void *arg)
{
    struct member *member = arg;
    member->closed++;
}

static bool a_is_closed(void *arg)
{
    struct setup *setup = arg;
    return setup->a.closed > 0;
}

static void a_static_member_comes_back_without_a_rebalance(void **state)
{
    (void)state;
    NEEDS_BROKER(setup);
    fill(setup, 0, 100);
    make_producer(&setup->a, setup->names.txn_id);
    join(&setup->a);
    run_until(setup, 100);
    mf_kafka_consumer_close(setup->a.consumer, on_closed, &setup->a); // commits on the revocation
    assert_true(kafka_world_run(setup->world, a_is_closed, setup, WAIT_MS));
    assert_int_equal(setup->a.revoked, 1);
    assert_int_equal(setup->a.lost, 0);
    mf_kafka_consumer_free(&setup->a.consumer);
    fill(setup, 100, 200);
    join(&setup->a); // well before the session of the old one is over
    run_until(setup, 200);
    must_commit(&setup->a);
    assert_each_once(setup, 200);
    setup_free(setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_made_compared_and_left_alone),
        cmocka_unit_test(outputs_and_offsets_are_one),
        cmocka_unit_test(the_end_lies_behind_the_control_records),
        cmocka_unit_test(an_open_transaction_stalls_a_reader_and_says_so),
        cmocka_unit_test(a_second_member_takes_half_and_nothing_is_lost_or_doubled),
        cmocka_unit_test(a_second_process_with_the_same_transactional_id_fences_the_first),
        cmocka_unit_test(a_second_process_with_the_same_instance_id_fences_the_first),
        cmocka_unit_test(a_static_member_comes_back_without_a_rebalance),
    };
    bootstrap = getenv("MF_TEST_KAFKA");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
