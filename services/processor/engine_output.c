// SPDX-License-Identifier: Apache-2.0
// Outputs of the fold to the partition of the input, with the headers that the pipeline adds.
#include <stdio.h>

#include "common/kafka_origin.h"
#include "services/processor/engine_private.h"

#define HEADERS_MAX (2 + MF_ORIGIN_HEADERS)
#define FULL_QUEUE_MS 5000

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

// What one record causes can be more than a small queue holds: then what is there is sent first, here and
// now.
static int produce(struct prc_engine *engine, const struct mf_kafka_record *record, struct mf_error *err)
{
    if (mf_kafka_produce(engine->producer, record, NULL, err) == 0)
        return 0;
    if (strcmp(err->code, "queue_full") != 0 ||
        mf_kafka_producer_flush(engine->producer, FULL_QUEUE_MS, err) < 0)
        return -1;
    return mf_kafka_produce(engine->producer, record, NULL, err);
}

void prc_engine_emit(void *arg, const struct prc_output *output)
{
    struct prc_engine *engine = arg;
    if (engine->txn_failed)
        return; // the transaction will be aborted and the record folded again
    struct headers headers = {.count = 0};
    static const char *const flag_texts[] = {"", "late", "corrected", "late,corrected"};
    if (output->revision > 0) {
        snprintf(headers.revision, sizeof headers.revision, "%u", output->revision);
        add(&headers, MF_HEADER_REVISION, mf_str_of(headers.revision));
    }
    if (output->flags != 0)
        add(&headers, MF_HEADER_FLAGS, mf_str_of(flag_texts[output->flags & 3u]));
    if (output->origin != NULL) {
        assert(headers.count + MF_ORIGIN_HEADERS <= HEADERS_MAX);
        mf_kafka_origin_headers(output->origin, &headers.origin, headers.items + headers.count);
        headers.count += MF_ORIGIN_HEADERS;
    }
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
