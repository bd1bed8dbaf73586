// SPDX-License-Identifier: Apache-2.0
// Outputs of the fold to the partition of the input, with the headers that the pipeline adds; records of the
// changelog. Blocking seam: when one record causes more than the queue holds (a heartbeat that closes the
// windows of every symbol), what is there is sent first, here and now: at most FULL_MAX_US within a
// transaction. Everywhere else the intake has stopped long before (pressure).
#include <stdio.h>

#include "common/kafka_origin.h"
#include "services/processor/engine_private.h"

#define HEADERS_MAX (5 + MF_ORIGIN_HEADERS)
#define FULL_MAX_US (5 * MF_US_PER_SECOND)

struct headers {
    struct mf_kafka_header items[HEADERS_MAX];
    size_t count;
    char revision[16];
    struct mf_origin_texts origin;
};

static void add(struct headers *headers, const char *name, struct mf_str value)
{
    assert(headers->count < HEADERS_MAX);
    headers->items[headers->count++] = (struct mf_kafka_header){name, value};
}

static int produce(struct prc_engine *engine, const struct mf_kafka_record *record, struct mf_error *err)
{
    if (mf_kafka_produce(engine->producer, record, NULL, err) == 0)
        return 0;
    int64_t left_us = FULL_MAX_US - engine->full_us;
    if (strcmp(err->code, "queue_full") != 0 || left_us < MF_US_PER_MS)
        return -1;
    int64_t started_us = mf_clock_monotonic_us();
    engine->sending = true;
    int result = mf_kafka_producer_flush(engine->producer, (int)(left_us / MF_US_PER_MS), err);
    engine->sending = false;
    engine->full_us += mf_clock_monotonic_us() - started_us;
    return result < 0 ? -1 : mf_kafka_produce(engine->producer, record, NULL, err);
}

static void add_symbol(struct headers *headers, const struct prc_cell *cell)
{
    if (cell->name != NULL)
        add(headers, MF_HEADER_SYMBOL_NAME, mf_str_of(cell->name));
    if (cell->exchange != NULL)
        add(headers, MF_HEADER_SYMBOL_EXCHANGE, mf_str_of(cell->exchange));
    if (cell->type != NULL)
        add(headers, MF_HEADER_SYMBOL_TYPE, mf_str_of(cell->type));
}

static void make_headers(const struct prc_output *output, struct headers *headers)
{
    static const char *const flag_texts[] = {"", "late", "corrected", "late,corrected"};
    headers->count = 0;
    if (output->revision > 0) {
        snprintf(headers->revision, sizeof headers->revision, "%u", output->revision);
        add(headers, MF_HEADER_REVISION, mf_str_of(headers->revision));
    }
    if (output->flags != 0)
        add(headers, MF_HEADER_FLAGS, mf_str_of(flag_texts[output->flags & 3u]));
    if (output->joined != NULL)
        add_symbol(headers, output->joined);
    if (output->origin != NULL) {
        assert(headers->count + MF_ORIGIN_HEADERS <= HEADERS_MAX);
        mf_kafka_origin_headers(output->origin, &headers->origin, headers->items + headers->count);
        headers->count += MF_ORIGIN_HEADERS;
    }
}

void prc_engine_emit(void *arg, const struct prc_output *output)
{
    struct prc_engine *engine = arg;
    if (engine->txn_failed)
        return; // the transaction will be aborted and the record folded again
    struct headers headers;
    make_headers(output, &headers);
    struct mf_kafka_record record = {.topic = engine->topics[output->role],
                                     .partition = engine->fold_partition,
                                     .key = output->key,
                                     .value = output->value,
                                     .headers = headers.items,
                                     .header_count = headers.count};
    struct mf_error err;
    if (produce(engine, &record, &err) < 0) {
        engine->txn_failed = true;
        engine->txn_error = err;
        mf_log_error(engine->service->log, MF_LOG_WARNING, "processor", "produce_failed", &err,
                     "queueing an output");
        return;
    }
    engine->txn_bytes += output->value.len;
}

int prc_engine_put(void *arg, int32_t number, struct mf_str key, struct mf_str value, struct mf_error *err)
{
    struct prc_engine *engine = arg;
    struct mf_kafka_record record = {.topic = engine->topics[MF_TOPIC_PROCESSOR_CHANGELOG],
                                     .partition = number,
                                     .key = key,
                                     .value = value};
    return produce(engine, &record, err);
}
