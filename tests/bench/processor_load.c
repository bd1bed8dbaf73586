// SPDX-License-Identifier: Apache-2.0
// Fills a topic with the bars of bars.h, for tests/bench/processor. Prints one JSON object: records, bytes,
// duplicates, malformed. Usage: processor_load HOST:PORT TOPIC PARTITIONS EVENTS SYMBOLS. Exit 0, 70 when the
// broker refuses, 78 for bad arguments.
#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/kafka.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 120000, FULL_QUEUE_MS = 10 };

static void give_up(const struct mf_error *err)
{
    fprintf(stderr, "processor_load: %s\n", err->message);
    exit(MF_EXIT_INTERNAL);
}

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    (void)arg;
    if (delivery->error != NULL)
        give_up(delivery->error);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    give_up(err);
}

int main(int argc, char **argv)
{
    int64_t partitions, events, symbols;
    if (argc != 6 || !take_number(argv[3], 1000, &partitions) || !take_number(argv[4], 1000000000, &events) ||
        !take_number(argv[5], 99999, &symbols)) {
        fprintf(stderr, "usage: processor_load HOST:PORT TOPIC PARTITIONS EVENTS SYMBOLS\n");
        return MF_EXIT_CONFIG;
    }
    struct kafka_world *world = kafka_world_at(argv[1], NULL);
    struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal};
    struct mf_kafka_producer *producer;
    struct bench_bars bars;
    struct mf_error err;
    if (bench_bars_init(&bars, symbols, &err) < 0 ||
        mf_kafka_producer_new(&world->kafka, NULL, &ops, &producer, &err) < 0)
        give_up(&err);
    uint64_t records = 0, bytes = 0;
    // After the last new bar, its repeats.
    for (int64_t sent = 0; sent < events || bars.again || bars.cut; records++) {
        struct mf_kafka_record record = {.topic = argv[2]};
        sent += bench_bars_next(&bars, &record.key, &record.value);
        record.partition = (int32_t)(mf_murmur2(record.key.data, record.key.len) % (uint32_t)partitions);
        bytes += record.value.len;
        while (mf_kafka_produce(producer, &record, NULL, &err) < 0) {
            if (err.class != MF_ERROR_TRANSIENT)
                give_up(&err);
            mf_kafka_producer_flush(producer, FULL_QUEUE_MS, NULL); // full: serve reports
        }
    }
    if (mf_kafka_producer_flush(producer, WAIT_MS, &err) < 0)
        give_up(&err);
    printf("{\"records\":%llu,\"bytes\":%llu,\"duplicates\":%llu,\"malformed\":%llu}\n",
           (unsigned long long)records, (unsigned long long)bytes, (unsigned long long)bars.duplicates,
           (unsigned long long)bars.malformed);
    mf_kafka_producer_free(&producer);
    kafka_world_free(&world);
    bench_bars_clear(&bars);
    return MF_EXIT_OK;
}
