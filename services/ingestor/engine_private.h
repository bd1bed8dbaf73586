// SPDX-License-Identifier: Apache-2.0
// Inside the engine: engine.c (time, requests), engine_answer.c (what answers mean), engine_publish.c (pages
// to records).
#ifndef ING_ENGINE_PRIVATE_H
#define ING_ENGINE_PRIVATE_H

#include "common/ratelimit.h"
#include "services/ingestor/circuit.h"
#include "services/ingestor/engine.h"

struct ing_endpoint_gate {
    struct ing_circuit circuit;
    struct mf_error error; // the last failure
};

struct ing_engine {
    struct ing_engine_config setup;
    const struct ing_config *config;
    struct ing_driver driver;
    struct ing_provider_config provider;
    struct mf_http_client *http;
    struct ing_limiter *limiter;
    struct ing_scheduler schedulers[ING_PRIORITY_MAX];
    struct ing_series *all;
    struct mf_timer *pump_timer;  // when the next series is due
    struct mf_timer *slice_timer; // the next slice of the page on the table
    struct mf_timer *tick_timer;
    struct mf_deferred *next_page; // an answer waits and the table is free
    struct ing_page page, error_page;
    struct ing_series *table; // whose page is being published
    size_t table_item;
    struct mf_buf body; // of the page on the table, whose rows lie in it
    int64_t ingest_us;  // ingest time of the page's events
    struct ing_series *queue_first, **queue_last;
    struct ing_scratch scratch;
    struct mf_buf url, raw;
    struct ing_engine_totals totals;
    unsigned since_lower;            // requests of the highest priority since the last one of a lower
    unsigned busy;                   // series asked, answered or publishing
    size_t held;                     // bytes of their answers: likely ones until they are there
    size_t usual_size[ING_FEED_MAX]; // of an answer
    int64_t limited_since_us, last_tick_us;
    uint64_t reject_waiting; // hash of the bad row that waits for room in the queue; 0 = none does
    struct ing_endpoint_gate gates[ING_ENDPOINT_MAX];
    struct mf_ratelimit *repeats; // of requests that failed
    bool draining, drained, parked, stalled, pumping;
    uint64_t key; // hash of the configuration's
    bool proving; // the key was rejected; one request at a time until one is answered otherwise
};

// engine.c
void ing_engine_wait(struct ing_engine *engine, struct ing_series *series, int64_t delay_us);
void ing_engine_pump(struct ing_engine *engine);
void ing_engine_set_state(struct ing_engine *engine, struct ing_series *series, enum ing_series_state state);
void ing_engine_end_range(struct ing_engine *engine, struct ing_series *series, enum ing_range_end end,
                          const struct mf_error *err);
void ing_engine_check_drained(struct ing_engine *engine);
// engine_memory.c: what a series' answer holds, from the request until nothing of it is needed
bool ing_engine_has_memory(const struct ing_engine *engine, const struct ing_series *series);
// Of so many requests like the series' next one, those whose answers fit.
unsigned ing_engine_memory_for(const struct ing_engine *engine, const struct ing_series *series,
                               unsigned count);
void ing_engine_hold_request(struct ing_engine *engine, struct ing_series *series);
// usual: is it of the size that answers have? Failures are small and say nothing of it.
void ing_engine_hold_answer(struct ing_engine *engine, struct ing_series *series, size_t size, bool usual);
void ing_engine_let_go(struct ing_engine *engine, struct ing_series *series);
// engine_answer.c
const char *ing_engine_id_of(const struct ing_series *series); // of its answer, "" = none
void ing_engine_on_response(void *arg, const struct mf_http_response *response);
void ing_engine_take_next(struct ing_engine *engine);
void ing_engine_queue_remove(struct ing_engine *engine, struct ing_series *series);
// Repeats the request later, or ends the range: a failure that no answer explains (a record not
// acknowledged).
void ing_engine_failed(struct ing_engine *engine, struct ing_series *series, const struct mf_error *err);
// engine_gate.c
// How many of a priority that are due at until_us could start now, at most max.
unsigned ing_engine_gate_count(const struct ing_engine *engine, enum ing_priority priority, int64_t now_us,
                               int64_t until_us, unsigned max);
// True: the series may start. Else it waits, or its range has ended.
bool ing_engine_gate_ask(struct ing_engine *engine, struct ing_series *series, int64_t now_us);
void ing_engine_gate_pass(struct ing_engine *engine, struct ing_series *series); // its request has started
// It was answered, well or not: the endpoint works. Or it failed in a way that is worth repeating.
void ing_engine_gate_works(struct ing_engine *engine, struct ing_series *series);
void ing_engine_gate_fails(struct ing_engine *engine, struct ing_series *series, const struct mf_error *err);
void ing_engine_gate_leave(struct ing_engine *engine, struct ing_series *series);
void ing_engine_gate_gauges(struct ing_engine *engine, int64_t now_us);
// engine_publish.c
void ing_engine_publish(struct ing_engine *engine, struct ing_series *series);
void ing_engine_slice(struct ing_engine *engine);
// A dead letter for the whole answer; the range ends with `end` when it is acknowledged.
void ing_engine_reject_answer(struct ing_engine *engine, struct ing_series *series, struct mf_str body,
                              const struct ing_page *page, const struct mf_error *err,
                              enum ing_range_end end);

#endif
