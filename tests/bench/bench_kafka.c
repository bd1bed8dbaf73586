// SPDX-License-Identifier: Apache-2.0
// What the Kafka wrapper costs: producing events of 490 bytes with a report for each, draining them with a
// callback for each, and draining them with some microseconds of work for each, which fills the local queue.
// Prints one JSON object: events per second and CPU seconds per million events (all threads of the process,
// the best of several rounds) and ratios to floors measured in the same run: loops on librdkafka alone, with
// the same settings, that poll until they have everything, and that do nothing against the stall after a full
// queue. Usage: bench_kafka [EVENTS [ROUNDS [HOST:PORT]]]. Without a broker's address librdkafka's mock
// cluster serves, whose own cost is part of both sides and which keeps 5 MB per partition: for figures name a
// broker. Exit 0, 70 when an event is missing, 78 for bad arguments.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/kafka_producer.h"
#include "tests/bench/measure.h"
#include "tests/unit/kafka_mock.h"

enum { PARTITIONS = 4, EVENT_BYTES = 490, SAMPLES = 64, WORK_HASHES = 100, WAIT_MS = 120000 };

struct figure {
    double seconds, cpu; // of the best round
};

struct bench {
    struct kafka_world *world;
    const char *bootstrap;
    char topic[64];
    size_t events;
    char samples[SAMPLES][EVENT_BYTES];
    size_t done;
    int64_t begin_us;
    double begin_cpu;
    int work;      // hashes per event
    uint64_t hash; // so that they are not optimised away
    bool wrong;
};

// ---------------------------------------------------------------- measuring

static void begin(struct bench *bench)
{
    bench->begin_us = mf_clock_monotonic_us();
    bench->begin_cpu = cpu_seconds();
}

static void end(struct bench *bench, struct figure *best)
{
    double seconds = (double)(mf_clock_monotonic_us() - bench->begin_us) / 1e6;
    double cpu = cpu_seconds() - bench->begin_cpu;
    if (best->seconds == 0 || seconds < best->seconds)
        best->seconds = seconds;
    if (best->cpu == 0 || cpu < best->cpu)
        best->cpu = cpu;
    bench->wrong |= bench->done < bench->events;
}

// An event has arrived; the work that a service would do with it is some microseconds of hashing.
static void take(struct bench *bench, const void *value, size_t len)
{
    if (bench->done++ == 0)
        begin(bench); // a group's assignment is not what is measured
    for (int i = 0; i < bench->work; i++)
        bench->hash += mf_hash64(value, len);
}

// ---------------------------------------------------------------- our side

static bool all_done(void *arg)
{
    const struct bench *bench = arg;
    return bench->done >= bench->events;
}

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct bench *bench = arg;
    bench->done += delivery->error == NULL;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct bench *bench = arg;
    fprintf(stderr, "bench_kafka: %s\n", err->message);
    bench->wrong = true;
}

static void produce_ours(struct bench *bench, struct figure *best)
{
    struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal, .arg = bench};
    struct mf_kafka_producer *producer;
    struct mf_error err;
    int32_t partitions;
    bench->done = 0;
    if (mf_kafka_producer_new(&bench->world->kafka, NULL, &ops, &producer, &err) < 0 ||
        mf_kafka_partition_count(producer, bench->topic, WAIT_MS, &partitions, &err) < 0) {
        on_fatal(bench, &err);
        return;
    }
    begin(bench);
    for (size_t i = 0; i < bench->events;) {
        struct mf_kafka_record record = {.topic = bench->topic,
                                         .partition = (int32_t)(i % PARTITIONS),
                                         .key = MF_STR("AAPL"),
                                         .value = {bench->samples[i % SAMPLES], EVENT_BYTES}};
        if (mf_kafka_produce(producer, &record, NULL, &err) == 0)
            i++;
        else
            mf_kafka_producer_flush(producer, 1, NULL); // full: serve reports
    }
    mf_kafka_producer_flush(producer, WAIT_MS, NULL);
    end(bench, best);
    mf_kafka_producer_free(&producer);
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct bench *bench = arg;
    bench->wrong |= message->value.len != EVENT_BYTES;
    take(bench, message->value.data, message->value.len);
    return MF_CONSUME_NEXT;
}

static void consume_ours(struct bench *bench, struct figure *best)
{
    const char *const topics[] = {bench->topic, NULL};
    char group[80];
    snprintf(group, sizeof group, "bench-%d-%lld", (int)getpid(), (long long)mf_clock_monotonic_us());
    struct mf_kafka_consumer_config config = {
        .group = group, .topics = topics, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer_ops ops = {.on_message = on_message, .on_fatal = on_fatal, .arg = bench};
    struct mf_kafka_consumer *consumer;
    struct mf_error err;
    bench->done = 0;
    if (mf_kafka_consumer_new(&bench->world->kafka, &config, &ops, &consumer, &err) < 0) {
        on_fatal(bench, &err);
        return;
    }
    kafka_world_run(bench->world, all_done, bench, WAIT_MS);
    end(bench, best);
    mf_kafka_consumer_free(&consumer);
}

// ---------------------------------------------------------------- the floors

// The settings that the wrapper gives its clients.
static rd_kafka_conf_t *same_settings(struct bench *bench, enum kafka_role role)
{
    struct kafka_role_config config = {.role = role, .group = "bench-floor"};
    rd_kafka_conf_t *conf;
    struct mf_error err;
    if (kafka_config_new(&bench->world->kafka, &config, &conf, &err) < 0) {
        fprintf(stderr, "bench_kafka: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    return conf;
}

static void count_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct bench *bench = opaque;
    bench->done += message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void produce_bare(struct bench *bench, struct figure *best)
{
    rd_kafka_conf_t *conf = same_settings(bench, KAFKA_ROLE_PRODUCER);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_conf_set_opaque(conf, bench);
    rd_kafka_conf_set_dr_msg_cb(conf, count_report);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, bench->topic, NULL);
    if (rd_kafka_metadata(rk, 0, topic, &metadata, WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    bench->done = 0;
    begin(bench);
    for (size_t i = 0; i < bench->events;) {
        if (rd_kafka_produce(topic, (int32_t)(i % PARTITIONS), RD_KAFKA_MSG_F_COPY,
                             bench->samples[i % SAMPLES], EVENT_BYTES, "AAPL", 4, NULL) == 0)
            i++;
        else
            rd_kafka_poll(rk, 1);
    }
    rd_kafka_flush(rk, WAIT_MS);
    end(bench, best);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

static void consume_bare(struct bench *bench, struct figure *best)
{
    rd_kafka_conf_t *conf = same_settings(bench, KAFKA_ROLE_READER);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, bench->topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, all);
    rd_kafka_topic_partition_list_destroy(all);
    bench->done = 0;
    int64_t give_up_us = mf_clock_monotonic_us() + WAIT_MS * MF_US_PER_MS;
    while (bench->done < bench->events && mf_clock_monotonic_us() < give_up_us) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 100);
        const rd_kafka_message_t *message = event != NULL ? rd_kafka_event_message_next(event) : NULL;
        if (message != NULL && message->len == EVENT_BYTES)
            take(bench, message->payload, message->len);
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    end(bench, best);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

// ---------------------------------------------------------------- all of it

static void make_topic(struct bench *bench)
{
    snprintf(bench->topic, sizeof bench->topic, "bench-%d-%lld", (int)getpid(),
             (long long)mf_clock_monotonic_us());
    if (bench->bootstrap == NULL) {
        kafka_mock_topic(bench->world, bench->topic, PARTITIONS);
        return;
    }
    struct mf_kafka_topic_spec spec = {bench->topic, PARTITIONS, 1, "delete", 3600000, false};
    struct mf_kafka_topic_report report;
    struct mf_error err;
    if (mf_kafka_topics(&bench->world->kafka, &spec, 1, true, WAIT_MS, &report, &err) < 0) {
        fprintf(stderr, "bench_kafka: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
}

// Like the JSON of bars: a third of the bytes differ from event to event, the others repeat.
static void make_samples(struct bench *bench)
{
    uint64_t random = 1;
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        for (size_t i = 0; i < EVENT_BYTES; i++)
            bench->samples[sample][i] =
                (char)(i % 3 == 0 ? '0' + mf_random_next(&random) % 10 : 'a' + i % 26);
    }
}

static void print_side(const struct bench *bench, const char *name, const struct figure *figure)
{
    double millions = (double)bench->events / 1e6;
    printf("\"%s\":{\"events_per_second\":%.0f,\"cpu_seconds_per_million\":%.2f}", name,
           (double)bench->events / figure->seconds, figure->cpu / millions);
}

static void print_pair(const struct bench *bench, const char *name, const struct figure *ours,
                       const struct figure *bare)
{
    printf("\"%s\":{", name);
    print_side(bench, "ours", ours);
    printf(",");
    print_side(bench, "bare", bare);
    printf(",\"rate_ratio\":%.3f,\"cpu_ratio\":%.3f}", bare->seconds / ours->seconds, ours->cpu / bare->cpu);
}

int main(int argc, char **argv)
{
    int64_t events = 20000, rounds = 3;
    if (argc > 4 || (argc > 1 && !take_number(argv[1], 100000000, &events)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_kafka [EVENTS [ROUNDS [HOST:PORT]]]\n");
        return MF_EXIT_CONFIG;
    }
    static struct bench bench;
    bench = (struct bench){.events = (size_t)events, .bootstrap = argc > 3 ? argv[3] : NULL};
    struct figure produce[2] = {{0}}, drain[2] = {{0}}, working[2] = {{0}};
    bench.world = bench.bootstrap != NULL ? kafka_world_at(bench.bootstrap, NULL) : kafka_world_new(1, NULL);
    make_samples(&bench);
    for (int64_t round = 0; round < rounds && !bench.wrong; round++) {
        // Each side drains what the other has produced, and both find it in the page cache.
        make_topic(&bench);
        produce_bare(&bench, &produce[1]);
        consume_ours(&bench, &drain[0]);
        bench.work = WORK_HASHES;
        consume_ours(&bench, &working[0]);
        bench.work = 0;
        make_topic(&bench);
        produce_ours(&bench, &produce[0]);
        consume_bare(&bench, &drain[1]);
        bench.work = WORK_HASHES;
        consume_bare(&bench, &working[1]);
        bench.work = 0;
    }
    printf("{\"broker\":\"%s\",\"events\":%lld,\"event_bytes\":%d,\"rounds\":%lld,",
           bench.bootstrap != NULL ? "real" : "mock", (long long)events, (int)EVENT_BYTES, (long long)rounds);
    print_pair(&bench, "produce", &produce[0], &produce[1]);
    printf(",");
    print_pair(&bench, "drain", &drain[0], &drain[1]);
    printf(",");
    print_pair(&bench, "drain_working", &working[0], &working[1]);
    printf("}\n");
    kafka_world_free(&bench.world);
    return bench.wrong ? MF_EXIT_INTERNAL : MF_EXIT_OK;
}
