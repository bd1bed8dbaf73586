// SPDX-License-Identifier: Apache-2.0
// How soon an input can be read as an output, for tests/bench/processor: sends the bars of bars.h at an even
// rate into a topic, reads another one (read_committed, fetching whatever there is at once) and takes the
// time from the input's acknowledgement to the moment in which the record of the same symbol and event_time
// is handed out. Bars that come twice or cut off are sent along and not timed, nor is the warm-up. Prints one
// JSON object: events, seconds, p50_ms, p99_ms, max_ms, unseen. Usage:
// processor_latency HOST:PORT INPUT OUTPUT PARTITIONS SYMBOLS SKIP RATE SECONDS WARM_UP_SECONDS; SKIP bars of
// the generator were loaded before. Exit 0, 70, 78.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/kafka_client.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 30000, TAIL_MS = 10000, POLL_MS = 1 };

struct bar {
    uint64_t id; // of symbol and event_time; 0 = free
    int64_t acknowledged_us, seen_us;
};

struct latency {
    struct kafka_world *world;
    rd_kafka_t *producer, *consumer;
    rd_kafka_topic_t *input;
    rd_kafka_queue_t *queue;
    struct bench_bars bars;
    int64_t partitions, symbols, skip, rate, seconds, warm_up;
    struct bar *table; // open addressing
    size_t mask;
    size_t sent, seen; // bars that are timed or warm up
};

static void fail(const char *doing, const char *why)
{
    fprintf(stderr, "processor_latency: %s: %s\n", doing, why);
    exit(MF_EXIT_INTERNAL);
}

static uint64_t id_of(struct mf_str key, struct mf_str value)
{
    static const char name[] = "\"event_time\":\"";
    const char *at = value.data != NULL ? memmem(value.data, value.len, name, sizeof name - 1) : NULL;
    if (at == NULL)
        return 0;
    at += sizeof name - 1;
    size_t left = value.len - (size_t)(at - value.data);
    const char *end = memchr(at, '"', left);
    size_t len = end != NULL ? (size_t)(end - at) : left;
    uint64_t id = mf_hash64(at, len) ^ mf_hash64(key.data, key.len) * 3;
    return id != 0 ? id : 1;
}

static struct bar *find(struct latency *latency, uint64_t id)
{
    size_t at = id & latency->mask;
    while (latency->table[at].id != 0 && latency->table[at].id != id)
        at = (at + 1) & latency->mask;
    return &latency->table[at];
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    struct bar *bar = message->_private;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("producing", rd_kafka_err2str(message->err));
    if (bar != NULL)
        bar->acknowledged_us = mf_clock_monotonic_us();
}

// ---------------------------------------------------------------- clients

static rd_kafka_t *open_client(struct latency *latency, enum kafka_role kind)
{
    struct kafka_role_config role = {.role = kind, .group = "bench-latency"};
    char why[256] = "";
    rd_kafka_conf_t *conf;
    struct mf_error err;
    if (kafka_config_new(&latency->world->kafka, &role, &conf, &err) < 0)
        fail("configuring", err.message);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    bool producing = kind == KAFKA_ROLE_PRODUCER;
    if (!producing && rd_kafka_conf_set(conf, "fetch.min.bytes", "1", why, sizeof why) != RD_KAFKA_CONF_OK)
        fail("configuring", why);
    rd_kafka_t *made = rd_kafka_new(producing ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (made == NULL)
        fail("connecting", why);
    return made;
}

static void open_all(struct latency *latency, const char *input, const char *output)
{
    latency->producer = open_client(latency, KAFKA_ROLE_PRODUCER);
    latency->input = rd_kafka_topic_new(latency->producer, input, NULL);
    latency->consumer = open_client(latency, KAFKA_ROLE_READER);
    rd_kafka_poll_set_consumer(latency->consumer);
    latency->queue = rd_kafka_queue_get_consumer(latency->consumer);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new((int)latency->partitions);
    for (int32_t i = 0; i < latency->partitions; i++) {
        int64_t low, high;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(latency->consumer, output, i, &low, &high, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            fail("asking for the end of the output", rd_kafka_err2str(code));
        rd_kafka_topic_partition_list_add(all, output, i)->offset = high;
    }
    rd_kafka_assign(latency->consumer, all);
    rd_kafka_topic_partition_list_destroy(all);
}

static void close_all(struct latency *latency)
{
    rd_kafka_queue_destroy(latency->queue);
    rd_kafka_destroy_flags(latency->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    rd_kafka_topic_destroy(latency->input);
    rd_kafka_destroy(latency->producer);
    kafka_world_free(&latency->world);
    bench_bars_clear(&latency->bars);
    free(latency->table);
}

// ---------------------------------------------------------------- sending and reading

static void send_one(struct latency *latency)
{
    struct mf_str key, value;
    struct bar *bar = NULL;
    if (bench_bars_next(&latency->bars, &key, &value)) {
        uint64_t id = id_of(key, value);
        bar = find(latency, id);
        *bar = (struct bar){.id = id};
        latency->sent++;
    }
    int32_t partition = (int32_t)(mf_murmur2(key.data, key.len) % (uint32_t)latency->partitions);
    if (rd_kafka_produce(latency->input, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.data,
                         value.len, key.data, key.len, bar) != 0)
        fail("producing", rd_kafka_err2str(rd_kafka_last_error()));
}

static void take_one(struct latency *latency, const rd_kafka_message_t *message)
{
    struct mf_str key = {message->key, message->key_len}, value = {message->payload, message->len};
    uint64_t id = id_of(key, value);
    struct bar *bar = id != 0 ? find(latency, id) : NULL;
    if (bar == NULL || bar->id == 0 || bar->seen_us != 0)
        return;
    bar->seen_us = mf_clock_monotonic_us();
    latency->seen++;
}

static void read_what_is_there(struct latency *latency)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(latency->queue, POLL_MS);
    for (; event != NULL; event = rd_kafka_queue_poll(latency->queue, 0)) {
        const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH && message != NULL)
            take_one(latency, message);
        rd_kafka_event_destroy(event);
    }
}

static double run(struct latency *latency)
{
    int64_t begin_us = mf_clock_monotonic_us();
    int64_t total_us = (latency->warm_up + latency->seconds) * MF_US_PER_SECOND;
    int64_t now_us = begin_us, records = 0;
    for (; now_us < begin_us + total_us; now_us = mf_clock_monotonic_us()) {
        for (; records < (now_us - begin_us) * latency->rate / MF_US_PER_SECOND; records++)
            send_one(latency);
        rd_kafka_poll(latency->producer, 0);
        read_what_is_there(latency);
    }
    while (latency->seen < latency->sent &&
           mf_clock_monotonic_us() < begin_us + total_us + TAIL_MS * MF_US_PER_MS) {
        rd_kafka_poll(latency->producer, 0);
        read_what_is_there(latency);
    }
    return (double)(now_us - begin_us) / 1e6;
}

// ---------------------------------------------------------------- figures

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_figures(const struct latency *latency, int64_t first_us, double seconds)
{
    double *values = mf_calloc(latency->sent, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i <= latency->mask; i++) {
        const struct bar *bar = &latency->table[i];
        if (bar->id == 0 || bar->seen_us == 0 || bar->acknowledged_us < first_us)
            continue;
        // The broker has let it be read before we took note of its acknowledgement: no time at all.
        int64_t us = bar->seen_us > bar->acknowledged_us ? bar->seen_us - bar->acknowledged_us : 0;
        values[count++] = (double)us / 1e3;
    }
    if (count == 0)
        fail("reading", "no output was seen");
    qsort(values, count, sizeof *values, by_value);
    printf("{\"events\":%zu,\"seconds\":%.3f,\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"max_ms\":%.1f,"
           "\"unseen\":%zu}\n",
           count, seconds, values[count / 2], values[count * 99 / 100], values[count - 1],
           latency->sent - latency->seen);
    free(values);
}

int main(int argc, char **argv)
{
    struct latency latency = {0};
    struct mf_error err;
    if (argc != 10 || !take_number(argv[4], 1000, &latency.partitions) ||
        !take_number(argv[5], 99999, &latency.symbols) || !mf_str_to_i64(mf_str_of(argv[6]), &latency.skip) ||
        !take_number(argv[7], 1000000, &latency.rate) || !take_number(argv[8], 3600, &latency.seconds) ||
        !take_number(argv[9], 3600, &latency.warm_up)) {
        fprintf(stderr,
                "usage: processor_latency HOST:PORT INPUT OUTPUT PARTITIONS SYMBOLS SKIP RATE SECONDS "
                "WARM_UP_SECONDS\n");
        return MF_EXIT_CONFIG;
    }
    latency.world = kafka_world_at(argv[1], NULL);
    latency.mask = 1024;
    while (latency.mask < (size_t)(latency.rate * (latency.seconds + latency.warm_up)) * 2)
        latency.mask *= 2;
    latency.table = mf_calloc(latency.mask--, sizeof *latency.table);
    if (bench_bars_init(&latency.bars, latency.symbols, &err) < 0)
        fail("making bars", err.message);
    for (int64_t bars = 0; bars < latency.skip || latency.bars.again || latency.bars.cut;) {
        struct mf_str key, value;
        bars += bench_bars_next(&latency.bars, &key, &value);
    }
    open_all(&latency, argv[2], argv[3]);
    int64_t first_us = mf_clock_monotonic_us() + latency.warm_up * MF_US_PER_SECOND;
    double seconds = run(&latency);
    print_figures(&latency, first_us, seconds);
    close_all(&latency);
    return MF_EXIT_OK;
}
