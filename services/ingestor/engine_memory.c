// SPDX-License-Identifier: Apache-2.0
// What answers may hold in memory: those under way, those that wait, the one that is published. A request
// starts when its answer, as large as it is likely to be, still fits (INGEST_ANSWER_BYTES); one may always
// run. The true size counts once it is known, so that a wrong guess costs the next request time (see
// engine.h). Pausing a transfer instead would stop all others of its connection in HTTP/2, libcurl 7.88.
#include "services/ingestor/engine_private.h"

// A row of an aggregate as the vendor writes it has 90 to 120 bytes.
enum { BAR_BYTES = 128, ENVELOPE_BYTES = 512 };

// Bars: as many as the range can hold. Of other feeds the range says nothing: as much as answers of the feed
// usually have.
static size_t likely_size(const struct ing_engine *engine, const struct ing_series *series)
{
    const struct ing_work *work = &series->work;
    if (!ing_feed_is_of_bars(work->feed))
        return engine->usual_size[work->feed];
    int64_t length_us = mf_interval_us(ing_timespans[work->timespan].interval);
    int64_t range_us = work->to_us > work->from_us ? work->to_us - work->from_us : 0;
    int64_t rows = range_us / (length_us > 0 ? length_us : MF_US_PER_DAY) + 1;
    size_t most = rows < (int64_t)work->limit ? (size_t)rows : work->limit;
    size_t size = ENVELOPE_BYTES + most * BAR_BYTES;
    return size < engine->config->body_max ? size : engine->config->body_max;
}

bool ing_engine_has_memory(const struct ing_engine *engine, const struct ing_series *series)
{
    return ing_engine_memory_for(engine, series, 1) == 1;
}

unsigned ing_engine_memory_for(const struct ing_engine *engine, const struct ing_series *series,
                               unsigned count)
{
    size_t limit = engine->config->answer_bytes;
    size_t size = likely_size(engine, series);
    if (limit == 0 || size == 0)
        return count;
    size_t room = limit > engine->held ? (limit - engine->held) / size : 0;
    if (room == 0 && engine->held == 0)
        room = 1;
    return room < count ? (unsigned)room : count;
}

static void hold(struct ing_engine *engine, struct ing_series *series, size_t size)
{
    engine->held = engine->held - series->held_bytes + size;
    series->held_bytes = size;
}

void ing_engine_hold_request(struct ing_engine *engine, struct ing_series *series)
{
    hold(engine, series, likely_size(engine, series));
}

void ing_engine_hold_answer(struct ing_engine *engine, struct ing_series *series, size_t size, bool usual)
{
    size_t *guess = &engine->usual_size[series->work.feed];
    if (usual)
        *guess = size > *guess ? size : *guess - (*guess - size) / 8; // up at once, down slowly
    hold(engine, series, size);
}

void ing_engine_let_go(struct ing_engine *engine, struct ing_series *series)
{
    hold(engine, series, 0);
}
