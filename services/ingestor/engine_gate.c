// SPDX-License-Identifier: Apache-2.0
// What lets a request start besides the key's budget: the circuit of its endpoint and, when it repeats one
// that failed, the retry budget of the process. What is held back waits in the scheduler (see engine.h).
#include "common/clock.h"
#include "common/service.h"
#include "services/ingestor/engine_private.h"

static struct ing_circuit_policy policy_of(const struct ing_engine *engine)
{
    return (struct ing_circuit_policy){.failures_max = engine->config->circuit_failures,
                                       .open_us = engine->config->circuit_open_ms * MF_US_PER_MS};
}

static struct ing_endpoint_gate *gate_of(struct ing_engine *engine, const struct ing_series *series)
{
    return &engine->gates[ing_endpoint_of(&series->work)];
}

// A job does not wait for ever: an endpoint that as many tries in a row have found broken as one request may
// have is given up by all that wait for it.
static bool is_given_up(const struct ing_engine *engine, const struct ing_endpoint_gate *gate)
{
    return engine->setup.attempts_max > 0 && gate->circuit.openings >= engine->setup.attempts_max;
}

// ---------------------------------------------------------------- before a request

static int64_t circuit_wait_us(const struct ing_engine *engine, const struct ing_series *series,
                               int64_t now_us)
{
    struct ing_circuit_policy policy = policy_of(engine);
    return ing_circuit_wait_us(&policy, &engine->gates[ing_endpoint_of(&series->work)].circuit, now_us);
}

static unsigned repeats_left(const struct ing_engine *engine, int64_t now_us)
{
    return mf_ratelimit_available(engine->repeats, now_us);
}

struct counting {
    const struct ing_engine *engine;
    int64_t now_us;
    unsigned repeats_left;
    bool tried[ING_ENDPOINT_MAX]; // an open circuit lets one start
};

static bool counts(void *arg, const struct ing_due *due)
{
    struct counting *counting = arg;
    const struct ing_series *series = due->owner;
    enum ing_endpoint endpoint = ing_endpoint_of(&series->work);
    bool open = counting->engine->gates[endpoint].circuit.state == ING_CIRCUIT_OPEN;
    if (circuit_wait_us(counting->engine, series, counting->now_us) > 0 ||
        (open && counting->tried[endpoint]) || (series->repeats && counting->repeats_left == 0))
        return false;
    counting->tried[endpoint] = true;
    counting->repeats_left -= series->repeats;
    return true;
}

unsigned ing_engine_gate_count(const struct ing_engine *engine, enum ing_priority priority, int64_t now_us,
                               int64_t until_us, unsigned max)
{
    struct counting counting = {
        .engine = engine, .now_us = now_us, .repeats_left = repeats_left(engine, now_us)};
    return ing_scheduler_count(&engine->schedulers[priority], until_us, max, counts, &counting);
}

bool ing_engine_gate_ask(struct ing_engine *engine, struct ing_series *series, int64_t now_us)
{
    struct ing_scheduler *scheduler = &engine->schedulers[series->priority];
    struct ing_endpoint_gate *gate = gate_of(engine, series);
    int64_t wait_us = circuit_wait_us(engine, series, now_us);
    if (wait_us > 0 && is_given_up(engine, gate)) {
        ing_scheduler_remove(scheduler, &series->due);
        ing_engine_end_range(engine, series, ING_RANGE_GAVE_UP, &gate->error);
        return false;
    }
    series->held = wait_us > 0;
    // Asked for one when there is none, the budget says when there will be.
    if (wait_us == 0 && series->repeats && repeats_left(engine, now_us) == 0) {
        wait_us = mf_ratelimit_take(engine->repeats, now_us, mf_clock_real_us());
        if (!series->repeat_waits)
            mf_metric_add(MF_METRIC0(engine->setup.metrics, &ing_metric_defs[ING_M_RETRIES_HELD]), 1);
        series->repeat_waits = true;
    }
    if (wait_us > 0)
        ing_scheduler_put(scheduler, &series->due, now_us + wait_us);
    return wait_us == 0;
}

static void show(struct ing_engine *engine, enum ing_endpoint endpoint)
{
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_CIRCUIT];
    mf_metric_set(MF_METRIC(engine->setup.metrics, def, ing_endpoint_name(endpoint)),
                  engine->gates[endpoint].circuit.state);
}

void ing_engine_gate_pass(struct ing_engine *engine, struct ing_series *series)
{
    if (series->repeats)
        mf_ratelimit_take(engine->repeats, series->asked_monotonic_us, series->asked_us);
    series->repeats = series->repeat_waits = series->held = false;
    series->probing = ing_circuit_start(&gate_of(engine, series)->circuit);
    if (series->probing)
        show(engine, ing_endpoint_of(&series->work));
}

// ---------------------------------------------------------------- after it

// Those that the circuit held are due now: to start, or to be given up.
static void release(struct ing_engine *engine, enum ing_endpoint endpoint)
{
    int64_t now_us = mf_clock_monotonic_us();
    for (struct ing_series *series = engine->all; series != NULL; series = series->next) {
        if (!series->held || series->state != ING_SERIES_WAITING ||
            ing_endpoint_of(&series->work) != endpoint)
            continue;
        series->held = false;
        ing_scheduler_put(&engine->schedulers[series->priority], &series->due, now_us);
    }
}

void ing_engine_gate_works(struct ing_engine *engine, struct ing_series *series)
{
    enum ing_endpoint endpoint = ing_endpoint_of(&series->work);
    series->probing = false;
    if (!ing_circuit_work(&engine->gates[endpoint].circuit))
        return;
    show(engine, endpoint);
    MF_LOGF(engine->setup.log, MF_LOG_NOTICE, "fetch", "circuit_closed",
            MF_FIELDS(mf_lf_str("endpoint", ing_endpoint_name(endpoint))),
            "%s is answered again: its requests start", ing_endpoint_name(endpoint));
    release(engine, endpoint);
}

static void say_opened(struct ing_engine *engine, enum ing_endpoint endpoint, const struct mf_error *err)
{
    const char *name = ing_endpoint_name(endpoint);
    const struct ing_circuit *circuit = &engine->gates[endpoint].circuit;
    mf_metric_add(MF_METRIC(engine->setup.metrics, &ing_metric_defs[ING_M_CIRCUIT_OPENED], name), 1);
    MF_LOGF(engine->setup.log, MF_LOG_WARNING, "fetch", "circuit_opened",
            MF_FIELDS(mf_lf_str("endpoint", name), mf_lf_str("error_code", err->code),
                      mf_lf_i64("failures", circuit->failures),
                      mf_lf_i64("wait_ms", engine->config->circuit_open_ms)),
            "%u requests for %s failed in a row: one is tried every %lld ms", circuit->failures, name,
            (long long)engine->config->circuit_open_ms);
}

void ing_engine_gate_fails(struct ing_engine *engine, struct ing_series *series, const struct mf_error *err)
{
    struct ing_circuit_policy policy = policy_of(engine);
    enum ing_endpoint endpoint = ing_endpoint_of(&series->work);
    struct ing_endpoint_gate *gate = &engine->gates[endpoint];
    bool probe = series->probing;
    series->probing = false;
    gate->error = *err;
    if (ing_circuit_fail(&policy, &gate->circuit, probe, mf_clock_monotonic_us()))
        say_opened(engine, endpoint, err);
    show(engine, endpoint);
    if (probe && is_given_up(engine, gate))
        release(engine, endpoint);
}

// The series leaves with its request unanswered.
void ing_engine_gate_leave(struct ing_engine *engine, struct ing_series *series)
{
    if (series->probing) {
        ing_circuit_abandon(&gate_of(engine, series)->circuit, mf_clock_monotonic_us());
        show(engine, ing_endpoint_of(&series->work));
        release(engine, ing_endpoint_of(&series->work));
    }
    series->probing = series->repeats = series->repeat_waits = series->held = false;
}

// ---------------------------------------------------------------- what it shows

bool ing_engine_is_broken(const struct ing_engine *engine, const struct ing_work *work)
{
    return engine->gates[ing_endpoint_of(work)].circuit.state != ING_CIRCUIT_CLOSED;
}

void ing_engine_gate_gauges(struct ing_engine *engine, int64_t now_us)
{
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_RETRY_TOKENS];
    unsigned left = repeats_left(engine, now_us);
    mf_metric_set(MF_METRIC0(engine->setup.metrics, def),
                  engine->config->retries_per_minute > 0 ? (double)left : -1);
}

void ing_engine_check_ready(const struct ing_engine *engine, struct mf_health *health)
{
    for (enum ing_endpoint endpoint = 0; endpoint < ING_ENDPOINT_MAX; endpoint++) {
        const struct ing_endpoint_gate *gate = &engine->gates[endpoint];
        // What nothing waits for may fail without the service being less ready.
        if (gate->circuit.state == ING_CIRCUIT_CLOSED ||
            (endpoint < ING_ENDPOINT_RENAMES && ing_feed_is_of_market((enum ing_feed)endpoint)))
            continue;
        mf_health_add(health, "circuits", false, "%s is %s after %u failures in a row: %s",
                      ing_endpoint_name(endpoint), ing_circuit_state_name(gate->circuit.state),
                      gate->circuit.failures, gate->error.message);
        return; // the first one says enough
    }
    mf_health_add(health, "circuits", true, "all closed");
}
