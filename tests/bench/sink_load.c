// SPDX-License-Identifier: Apache-2.0
// Fills the topics of bars and of metrics, for tests/bench/sink: the bars of bars.h, each followed by a
// metric with nearly all of its statistics, as the processor writes them. As fast as possible, then one JSON
// object: records, bytes; or at an even rate, then one line per record: topic (0 bars, 1 metrics), partition,
// offset, monotonic us at which it was handed to the producer. Usage: sink_load HOST:PORT BARS METRICS
// PARTITIONS EVENTS SYMBOLS SKIP RATE; SKIP bars of the generator were loaded before; RATE 0 = no limit. Exit
// 0, 70 when the broker refuses, 78 for bad arguments.
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/kafka.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"
#include "tests/unit/kafka_mock.h"

enum { WAIT_MS = 120000, FULL_QUEUE_MS = 10, EVENT_MAX = 8192, PROGRESS_RECORDS = 1000000 };

struct sent {
    int64_t handed_us, offset;
    int32_t partition;
    bool metric;
};

struct load {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    struct bench_bars bars;
    const char *topics[2]; // bars, metrics
    int64_t partitions, events, symbols, skip, rate;
    uint64_t random;
    struct mf_buf text;
    struct sent *sent; // by number; NULL without a rate
    uint64_t records, bytes;
    uint64_t shown; // records at the last line of progress
};

static void give_up(const struct mf_error *err)
{
    fprintf(stderr, "sink_load: %s\n", err->message);
    exit(MF_EXIT_INTERNAL);
}

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct load *load = arg;
    if (delivery->error != NULL)
        give_up(delivery->error);
    if (load->sent != NULL)
        load->sent[(uintptr_t)delivery->opaque].offset = delivery->offset;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    give_up(err);
}

static void produce(struct load *load, bool metric, struct mf_str key, struct mf_str value)
{
    struct mf_error err;
    struct mf_kafka_record record = {.topic = load->topics[metric], .key = key, .value = value};
    record.partition = (int32_t)(mf_murmur2(key.data, key.len) % (uint32_t)load->partitions);
    if (load->sent != NULL)
        load->sent[load->records] = (struct sent){mf_clock_monotonic_us(), -1, record.partition, metric};
    while (mf_kafka_produce(load->producer, &record, (void *)(uintptr_t)load->records, &err) < 0) {
        if (err.class != MF_ERROR_TRANSIENT)
            give_up(&err);
        mf_kafka_producer_flush(load->producer, FULL_QUEUE_MS, NULL); // full: serve reports
    }
    load->records++;
    load->bytes += value.len;
}

static double between(uint64_t *random, double low, double high)
{
    return low + (double)(mf_random_next(random) >> 11) / 9007199254740992.0 * (high - low);
}

// Every statistic that a minute bar has once the series is warm, in the digits that arithmetic leaves.
static void fill_values(struct load *load, struct mf_metric_event *metric)
{
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++) {
        if (i == MF_METRIC_FIELD_SMA_200 || i == MF_METRIC_FIELD_HIGH_52W || i == MF_METRIC_FIELD_LOW_52W)
            continue; // of daily bars
        bool price = (i >= MF_METRIC_FIELD_SMA_5 && i <= MF_METRIC_FIELD_EMA_26) ||
                     (i >= MF_METRIC_FIELD_BB_MID && i <= MF_METRIC_FIELD_BB_LOW);
        metric->present |= UINT64_C(1) << i;
        metric->values[i] = price   ? between(&load->random, 20, 500)
                            : i % 3 ? between(&load->random, -1, 1)
                                    : between(&load->random, 0, 100);
    }
    metric->values[MF_METRIC_FIELD_VOLUME_SUM_15M] = (double)(mf_random_next(&load->random) % 900000);
}

static struct mf_str metric_of(struct load *load, struct mf_str symbol, int64_t time_us)
{
    char cause[MF_EVENT_ID_SIZE];
    struct mf_event event;
    struct mf_error err;
    snprintf(cause, sizeof cause, "%016llx%016llx", (unsigned long long)mf_random_next(&load->random),
             (unsigned long long)mf_random_next(&load->random));
    mf_event_init(&event, MF_EVENT_METRIC);
    event.symbol = symbol;
    event.asset_class = MF_ASSET_STOCK;
    event.source = MF_STR("processor");
    event.lane = MF_STR("live");
    event.mode = MF_MODE_REST;
    event.event_time_us = time_us;
    event.ingest_time_us = time_us + 61 * MF_US_PER_SECOND;
    event.metric.interval = MF_INTERVAL_1M;
    event.metric.adjusted = MF_ADJUSTED_SPLIT;
    event.metric.bar_time_us = time_us;
    event.metric.revision = 0;
    event.metric.parent_source = MF_STR("polygon");
    event.metric.cause = mf_str_of(cause);
    event.metric.n_obs = 1000;
    event.metric.market_regime = MF_STR("trend_up");
    event.metric.vol_regime = MF_STR("NORMAL");
    fill_values(load, &event.metric);
    mf_buf_clear(&load->text);
    if (mf_event_encode(&event, &load->text, &err) != 0)
        give_up(&err);
    return mf_buf_str(&load->text);
}

// A bar and its metric; the generator's repeats and halves are left out.
static void send_pair(struct load *load)
{
    struct mf_str key, value;
    int64_t time_us;
    do {
        time_us = load->bars.at_us;
    } while (!bench_bars_next(&load->bars, &key, &value));
    produce(load, false, key, value);
    if (load->records < (uint64_t)load->events)
        produce(load, true, key, metric_of(load, key, time_us));
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

// A load of minutes must not look like one that hangs.
static void show_progress(struct load *load)
{
    if (load->records < load->shown + PROGRESS_RECORDS)
        return;
    load->shown = load->records;
    fprintf(stderr, "%llu of %lld events\n", (unsigned long long)load->records, (long long)load->events);
}

static void run(struct load *load)
{
    struct mf_error err;
    int64_t begin_us = mf_clock_monotonic_us();
    while (load->records < (uint64_t)load->events) {
        int64_t passed_us = mf_clock_monotonic_us() - begin_us;
        int64_t due = load->rate > 0 ? passed_us * load->rate / MF_US_PER_SECOND : load->events;
        while (load->records < (uint64_t)due && load->records < (uint64_t)load->events) {
            send_pair(load);
            show_progress(load);
        }
        if (load->rate > 0)
            kafka_world_run(load->world, never, NULL, 1);
    }
    if (mf_kafka_producer_flush(load->producer, WAIT_MS, &err) < 0)
        give_up(&err);
}

static bool read_arguments(struct load *load, int argc, char **argv)
{
    return argc == 9 && take_number(argv[4], 1000, &load->partitions) &&
           take_number(argv[5], 1000000000, &load->events) && take_number(argv[6], 99999, &load->symbols) &&
           mf_str_to_i64(mf_str_of(argv[7]), &load->skip) && load->skip >= 0 &&
           mf_str_to_i64(mf_str_of(argv[8]), &load->rate) && load->rate >= 0;
}

int main(int argc, char **argv)
{
    struct load load = {.random = 7};
    struct mf_error err;
    if (!read_arguments(&load, argc, argv)) {
        fprintf(stderr, "usage: sink_load HOST:PORT BARS METRICS PARTITIONS EVENTS SYMBOLS SKIP RATE\n");
        return MF_EXIT_CONFIG;
    }
    load.topics[0] = argv[2];
    load.topics[1] = argv[3];
    load.world = kafka_world_at(argv[1], NULL);
    struct mf_kafka_producer_ops ops = {
        .bulk = load.rate == 0, .on_delivery = on_delivery, .on_fatal = on_fatal, .arg = &load};
    if (bench_bars_init(&load.bars, load.symbols, &err) < 0 ||
        mf_kafka_producer_new(&load.world->kafka, NULL, &ops, &load.producer, &err) < 0)
        give_up(&err);
    mf_buf_init(&load.text, EVENT_MAX);
    if (load.rate > 0)
        load.sent = mf_calloc((size_t)load.events, sizeof *load.sent);
    struct mf_str key, value;
    for (int64_t bars = 0; bars < load.skip;)
        bars += bench_bars_next(&load.bars, &key, &value);
    run(&load);
    for (uint64_t i = 0; load.sent != NULL && i < load.records; i++)
        printf("%d %d %lld %lld\n", load.sent[i].metric, load.sent[i].partition,
               (long long)load.sent[i].offset, (long long)load.sent[i].handed_us);
    if (load.sent == NULL)
        printf("{\"records\":%llu,\"bytes\":%llu}\n", (unsigned long long)load.records,
               (unsigned long long)load.bytes);
    mf_kafka_producer_free(&load.producer);
    kafka_world_free(&load.world);
    bench_bars_clear(&load.bars);
    mf_buf_free(&load.text);
    free(load.sent);
    return MF_EXIT_OK;
}
