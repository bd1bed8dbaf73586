// SPDX-License-Identifier: Apache-2.0
// Fills market.raw for tests/bench/processor: one-minute bars of so many symbols as our ingestor writes them
// (full envelope, random walk of prices), session after session from 2024-01-02, every symbol's minute before
// the next minute; one record in a hundred is sent twice, one in a thousand is cut off in the middle. The
// same arguments give the same bytes. Prints one JSON object: records and bytes by kind. Usage:
// processor_load HOST:PORT TOPIC PARTITIONS EVENTS SYMBOLS. Exit 0, 70 when the broker refuses, 78 for bad
// arguments.
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/calendar.h"
#include "common/event.h"
#include "common/hash.h"
#include "common/kafka.h"
#include "tests/unit/kafka_mock.h"

enum { DUPLICATE_ONE_IN = 100, MALFORMED_ONE_IN = 1000, WAIT_MS = 120000, EVENT_MAX = 4096 };

struct load {
    struct kafka_world *world;
    struct mf_kafka_producer *producer;
    struct mf_calendar *calendar;
    const char *topic;
    int32_t partitions;
    int64_t events, symbols;
    double *prices; // by symbol
    uint64_t random;
    struct mf_buf text;
    uint64_t records, bytes, duplicates, malformed;
};

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

static void send(struct load *load, struct mf_str symbol, struct mf_str value)
{
    struct mf_kafka_record record = {
        .topic = load->topic,
        .partition = (int32_t)(mf_murmur2(symbol.data, symbol.len) % (uint32_t)load->partitions),
        .key = symbol,
        .value = value};
    struct mf_error err;
    while (mf_kafka_produce(load->producer, &record, NULL, &err) < 0) {
        if (err.class != MF_ERROR_TRANSIENT)
            give_up(&err);
        mf_kafka_producer_flush(load->producer, 10, NULL); // full: serve reports
    }
    load->records++;
    load->bytes += value.len;
}

// A step of the random walk, as the vendor writes it.
static void fill_bar(struct load *load, struct mf_event *event, int64_t symbol, char text[6][24])
{
    double open = load->prices[symbol];
    double close = open * (1 + ((double)(mf_random_next(&load->random) % 2001) - 1000) / 100000);
    double high = open > close ? open : close, low = open < close ? open : close;
    load->prices[symbol] = close;
    snprintf(text[0], sizeof text[0], "%.2f", open);
    snprintf(text[1], sizeof text[1], "%.2f", high + 0.01);
    snprintf(text[2], sizeof text[2], "%.2f", low - 0.01);
    snprintf(text[3], sizeof text[3], "%.2f", close);
    snprintf(text[4], sizeof text[4], "%u", (unsigned)(1000 + mf_random_next(&load->random) % 90000));
    snprintf(text[5], sizeof text[5], "%.4f", (high + low) / 2);
    event->bar.open = mf_str_of(text[0]);
    event->bar.high = mf_str_of(text[1]);
    event->bar.low = mf_str_of(text[2]);
    event->bar.close = mf_str_of(text[3]);
    event->bar.volume = mf_str_of(text[4]);
    event->bar.vwap = mf_str_of(text[5]);
    event->bar.trade_count = (int64_t)(1 + mf_random_next(&load->random) % 1000);
}

static void send_bar(struct load *load, int64_t symbol, struct mf_date date, int64_t start_us)
{
    char name[16], text[6][24];
    struct mf_event event;
    struct mf_error err;
    snprintf(name, sizeof name, "SYM%05d", (int)symbol);
    mf_event_init(&event, MF_EVENT_BAR);
    event.symbol = mf_str_of(name);
    event.asset_class = MF_ASSET_STOCK;
    event.source = MF_STR("polygon");
    event.lane = MF_STR("live");
    event.mode = MF_MODE_REST;
    event.event_time_us = start_us;
    event.ingest_time_us = start_us + 61 * MF_US_PER_SECOND;
    event.page = 0;
    event.request_id = MF_STR("6a7e466379af0a71039d60cc78e72282");
    event.bar.interval = MF_INTERVAL_1M;
    event.bar.window_end_us = start_us + MF_US_PER_MINUTE;
    event.bar.session_date = date;
    event.bar.session = MF_SESSION_REGULAR;
    event.bar.adjusted = MF_ADJUSTED_SPLIT;
    event.bar.vendor_ms = start_us / MF_US_PER_MS;
    fill_bar(load, &event, symbol, text);
    mf_buf_clear(&load->text);
    if (mf_event_encode(&event, &load->text, &err) < 0)
        give_up(&err);
    struct mf_str value = mf_buf_str(&load->text);
    send(load, event.symbol, value);
    if (mf_random_next(&load->random) % DUPLICATE_ONE_IN == 0) {
        send(load, event.symbol, value);
        load->duplicates++;
    }
    if (mf_random_next(&load->random) % MALFORMED_ONE_IN == 0) {
        send(load, event.symbol, (struct mf_str){value.data, value.len / 2});
        load->malformed++;
    }
}

static void send_all(struct load *load)
{
    struct mf_calendar_session session = {.date = {2024, 1, 1}};
    int64_t sent = 0;
    while (sent < load->events &&
           mf_calendar_session_from(load->calendar, mf_date_add_days(session.date, 1), &session)) {
        for (int64_t at = session.open_us; at < session.close_us && sent < load->events;
             at += MF_US_PER_MINUTE) {
            for (int64_t symbol = 0; symbol < load->symbols && sent < load->events; symbol++, sent++)
                send_bar(load, symbol, session.date, at);
        }
    }
    struct mf_error err;
    if (mf_kafka_producer_flush(load->producer, WAIT_MS, &err) < 0)
        give_up(&err);
}

static bool take_number(const char *text, int64_t max, int64_t *number)
{
    return mf_str_to_i64(mf_str_of(text), number) && *number >= 1 && *number <= max;
}

int main(int argc, char **argv)
{
    struct load load = {.random = 1};
    struct mf_error err;
    int64_t partitions;
    if (argc != 6 || !take_number(argv[3], 1000, &partitions) ||
        !take_number(argv[4], 1000000000, &load.events) || !take_number(argv[5], 99999, &load.symbols)) {
        fprintf(stderr, "usage: processor_load HOST:PORT TOPIC PARTITIONS EVENTS SYMBOLS\n");
        return MF_EXIT_CONFIG;
    }
    load.topic = argv[2];
    load.partitions = (int32_t)partitions;
    load.prices = mf_calloc((size_t)load.symbols, sizeof *load.prices);
    for (int64_t i = 0; i < load.symbols; i++)
        load.prices[i] = 20 + (double)(mf_random_next(&load.random) % 48000) / 100;
    mf_buf_init(&load.text, EVENT_MAX);
    load.world = kafka_world_at(argv[1], NULL);
    struct mf_kafka_producer_ops ops = {.on_delivery = on_delivery, .on_fatal = on_fatal};
    if (mf_calendar_new(&load.calendar, &err) < 0 ||
        mf_kafka_producer_new(&load.world->kafka, NULL, &ops, &load.producer, &err) < 0)
        give_up(&err);
    send_all(&load);
    printf("{\"records\":%llu,\"bytes\":%llu,\"duplicates\":%llu,\"malformed\":%llu}\n",
           (unsigned long long)load.records, (unsigned long long)load.bytes,
           (unsigned long long)load.duplicates, (unsigned long long)load.malformed);
    mf_kafka_producer_free(&load.producer);
    mf_calendar_free(&load.calendar);
    kafka_world_free(&load.world);
    mf_buf_free(&load.text);
    free(load.prices);
    return MF_EXIT_OK;
}
