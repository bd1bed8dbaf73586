// SPDX-License-Identifier: Apache-2.0
// What a restart has to know of minutes that were published: the events themselves are the memory. They are
// read back from market.raw, the shard's partitions only, from the time on at which the oldest session began
// that is not reconciled, to the ends that the partitions have just then. A symbol's minutes are polled when
// its past is known; everything else does not wait. See live_private.h.
#include <stdlib.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "services/ingestor/live_private.h"

enum { STALL_MS = 30000, RETRY_BASE_MS = 500, RETRY_MAX_MS = 30000 };
// The longest weekend: what is older has left the overlap of every poll that goes on where it was, unless the
// ingestor was away for longer, and then a few bars come twice.
#define READ_BACK_MAX_US (5 * MF_US_PER_DAY)

struct live_memory {
    struct live *live;
    struct mf_kafka_reader *reader;
    struct mf_deferred *ended; // the reader cannot be freed inside its own callback
    struct mf_timer *retry_timer;
    struct mf_backoff backoff;
    struct mf_json *json;
    int32_t *partitions;
    size_t partition_count;
    bool failed;
    bool again; // symbols joined while a reading was under way
    struct mf_error err;
    int64_t began_us; // monotonic
    uint64_t bars;
};

static bool is_awaited(const struct live_symbol *symbol)
{
    return symbol->series[LIVE_MINUTE] != NULL && !symbol->remembered;
}

// ---------------------------------------------------------------- reading

// Ours are in canonical form, whose decoding is cheap; anything else on the topic is passed over.
static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct live_memory *memory = arg;
    struct live_symbol *symbol = ing_live_find(memory->live, message->key);
    struct mf_event event;
    if (symbol == NULL || !is_awaited(symbol) ||
        mf_event_decode(memory->json, message->value, &event, NULL, NULL) < 0 || event.type != MF_EVENT_BAR ||
        event.bar.interval != MF_INTERVAL_1M || !mf_str_eq_c(event.source, ing_polygon.name) ||
        event.bar.adjusted != symbol->series[LIVE_MINUTE]->base.work.adjusted)
        return;
    ing_minutes_put(&symbol->minutes, event.event_time_us, ing_live_hash(&event));
    memory->bars++;
}

static void on_done(void *arg)
{
    struct live_memory *memory = arg;
    mf_deferred_schedule(memory->ended);
}

static void on_error(void *arg, const struct mf_error *err)
{
    struct live_memory *memory = arg;
    memory->failed = true;
    memory->err = *err;
    mf_deferred_schedule(memory->ended);
}

// The oldest time that one of the awaited symbols will read again.
static int64_t oldest_us(const struct live *live)
{
    int64_t oldest_us = INT64_MAX;
    int64_t overlap_us = live->app->config.overlap_ms * MF_US_PER_MS;
    for (size_t i = 0; i < live->count; i++) {
        const struct live_symbol *symbol = live->symbols[i];
        if (!is_awaited(symbol))
            continue;
        int64_t last_us = symbol->series[LIVE_MINUTE]->mark.last_time_us;
        int64_t session_us = ing_live_unreconciled_us(live, symbol);
        int64_t from_us =
            last_us != INT64_MIN && last_us - overlap_us < session_us ? last_us - overlap_us : session_us;
        oldest_us = from_us < oldest_us ? from_us : oldest_us;
    }
    int64_t least_us = mf_clock_real_us() - READ_BACK_MAX_US;
    return oldest_us < least_us ? least_us : oldest_us;
}

static void choose_partitions(struct live_memory *memory)
{
    const struct ing_config *config = &memory->live->app->config;
    memory->partitions = mf_realloc(memory->partitions, (size_t)config->partitions * sizeof(int32_t));
    memory->partition_count = 0;
    for (int32_t partition = 0; partition < config->partitions; partition++) {
        if (ing_shard_owns(&config->shard, partition))
            memory->partitions[memory->partition_count++] = partition;
    }
}

static void retry_later(struct live_memory *memory, const struct mf_error *err)
{
    struct ing_app *app = memory->live->app;
    if (err->class != MF_ERROR_TRANSIENT && err->class != MF_ERROR_UNCERTAIN) {
        mf_service_fail(app->service, err, "reading back what was published");
        return;
    }
    mf_log_error(app->service->log, MF_LOG_WARNING, "live", "read_back_waits", err,
                 "reading back what was published");
    mf_timer_arm_ms(memory->retry_timer, mf_backoff_next_ms(&memory->backoff));
}

static void begin(void *arg)
{
    struct live_memory *memory = arg;
    struct ing_app *app = memory->live->app;
    struct mf_kafka_reader_ops ops = {
        .on_message = on_message, .on_done = on_done, .on_error = on_error, .arg = memory};
    struct mf_error err;
    memory->again = false;
    memory->began_us = mf_clock_monotonic_us();
    memory->bars = 0;
    choose_partitions(memory);
    if (mf_kafka_reader_new(&app->kafka, memory->live->topic, STALL_MS, &ops, &memory->reader, &err) < 0) {
        retry_later(memory, &err);
        return;
    }
    mf_kafka_reader_choose(memory->reader, memory->partitions, memory->partition_count);
    mf_kafka_reader_since(memory->reader, oldest_us(memory->live) / MF_US_PER_MS);
}

static void on_ended(void *arg)
{
    struct live_memory *memory = arg;
    struct live *live = memory->live;
    mf_kafka_reader_free(&memory->reader);
    if (memory->failed) {
        memory->failed = false;
        retry_later(memory, &memory->err);
        return;
    }
    mf_backoff_reset(&memory->backoff);
    if (memory->again) {
        begin(memory);
        return;
    }
    int64_t took_us = mf_clock_monotonic_us() - memory->began_us;
    MF_LOGF(live->app->service->log, MF_LOG_INFO, "live", "read_back",
            MF_FIELDS(mf_lf_i64("bars", (int64_t)memory->bars), mf_lf_i64("took_ms", took_us / MF_US_PER_MS)),
            "knows what was published of the sessions that are not reconciled");
    size_t awaited = 0;
    for (size_t i = 0; i < live->count; i++)
        awaited += is_awaited(live->symbols[i]);
    for (size_t i = 0; i < live->count; i++) {
        if (!is_awaited(live->symbols[i]))
            continue;
        live->symbols[i]->remembered = true;
        ing_live_begin_minute(live, live->symbols[i], awaited);
    }
}

// ---------------------------------------------------------------- life

struct live_memory *ing_live_memory_new(struct live *live)
{
    struct live_memory *memory = mf_calloc(1, sizeof *memory);
    memory->live = live;
    memory->json = mf_json_new();
    memory->ended = mf_deferred_new(live->app->service->loop, on_ended, memory);
    memory->retry_timer = mf_timer_new(live->app->service->loop, begin, memory);
    mf_backoff_init(&memory->backoff, RETRY_BASE_MS, RETRY_MAX_MS, mf_random_seed());
    return memory;
}

void ing_live_memory_free(struct live_memory **memory)
{
    struct live_memory *old = *memory;
    if (old == NULL)
        return;
    *memory = NULL;
    mf_kafka_reader_free(&old->reader);
    mf_deferred_free(&old->ended);
    mf_timer_free(&old->retry_timer);
    mf_json_free(&old->json);
    free(old->partitions);
    free(old);
}

void ing_live_memory_read(struct live_memory *memory)
{
    bool awaited = false;
    for (size_t i = 0; i < memory->live->count && !awaited; i++)
        awaited = is_awaited(memory->live->symbols[i]);
    if (!awaited)
        return;
    if (memory->reader != NULL || mf_timer_is_armed(memory->retry_timer))
        memory->again = true; // with those that joined
    else
        begin(memory);
}
