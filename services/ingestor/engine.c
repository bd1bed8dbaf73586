// SPDX-License-Identifier: Apache-2.0
// The engine's time and requests (see engine.h).
#include "services/ingestor/engine_private.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/url.h"

enum { TICK_MS = 1000, ALIVE_WITHIN_S = 15, HOSTS_MAX = 2 };
// What a dead letter shows before the encoder cuts it: above all that the largest answer (8 MiB) becomes when
// it is written with escapes and a key of one character is replaced by three.
#define RAW_MAX ((size_t)80 * 1024 * 1024)
// How far ahead a claim of the budget looks: half of the time that its grant is good for.
#define SOON_US (ING_BUDGET_GRANT_US / 2)
// A timer that is late by clock steps or suspension must not leave work lying for long.
#define PUMP_WAIT_MAX_US (30 * MF_US_PER_SECOND)

void ing_series_init(struct ing_series *series, const struct ing_config *config, uint64_t seed)
{
    series->due = (struct ing_due){.owner = series};
    series->range_last_us = INT64_MIN;
    ing_retry_init(&series->retry, config->retry_base_ms, config->retry_max_ms, seed);
    mf_buf_init(&series->body, config->body_max);
}

// Every change of state goes through here: `busy` counts the series that hold memory for an answer, and with
// them the requests that may run at once. One that only waits for acknowledgements holds none.
void ing_engine_set_state(struct ing_engine *engine, struct ing_series *series, enum ing_series_state state)
{
    bool was = series->state >= ING_SERIES_ASKED && series->state <= ING_SERIES_PUBLISHING;
    bool is = state >= ING_SERIES_ASKED && state <= ING_SERIES_PUBLISHING;
    engine->busy = engine->busy + is - was;
    if (!is)
        ing_engine_let_go(engine, series);
    series->state = state;
}

static void link_series(struct ing_engine *engine, struct ing_series *series)
{
    if (series->engine != NULL)
        return;
    series->engine = engine;
    series->previous = NULL;
    series->next = engine->all;
    if (engine->all != NULL)
        engine->all->previous = series;
    engine->all = series;
}

static void unlink_series(struct ing_engine *engine, struct ing_series *series)
{
    if (series->previous != NULL)
        series->previous->next = series->next;
    else
        engine->all = series->next;
    if (series->next != NULL)
        series->next->previous = series->previous;
    series->engine = NULL;
}

void ing_engine_wait(struct ing_engine *engine, struct ing_series *series, int64_t delay_us)
{
    ing_engine_set_state(engine, series, ING_SERIES_WAITING);
    ing_scheduler_put(&engine->schedulers[series->priority], &series->due,
                      mf_clock_monotonic_us() + delay_us);
    ing_engine_pump(engine);
}

void ing_engine_hasten(struct ing_engine *engine, struct ing_series *series)
{
    if (series->state == ING_SERIES_WAITING)
        ing_engine_wait(engine, series, 0);
}

void ing_engine_put_off(struct ing_engine *engine, struct ing_series *series, int64_t delay_us)
{
    if (series->state == ING_SERIES_WAITING && series->next_page == NULL)
        ing_engine_wait(engine, series, delay_us);
}

void ing_engine_begin(struct ing_engine *engine, struct ing_series *series, const char *next, unsigned page,
                      int64_t last_time_us, int64_t delay_us)
{
    assert(series->state == ING_SERIES_IDLE);
    link_series(engine, series);
    free(series->next_page);
    series->next_page = next != NULL && next[0] != '\0' ? mf_strdup(next) : NULL;
    series->page = page;
    ing_retry_reset(&series->retry);        // what the range before failed with counts no more
    if (!series->page_by_page || page == 0) // pages of one walk must come to an end, whoever begins them
        series->seen_count = 0;
    series->range_last_us = last_time_us;
    series->range_last_hash = 0;
    series->ends = series->answer_rejected = series->repeats = series->repeat_waits = false;
    ing_engine_wait(engine, series, delay_us);
}

void ing_engine_end_range(struct ing_engine *engine, struct ing_series *series, enum ing_range_end end,
                          const struct mf_error *err)
{
    ing_engine_set_state(engine, series, ING_SERIES_IDLE);
    series->ends = false;
    free(series->next_page);
    free(series->request_id);
    struct mf_error *owned = series->end_error; // maybe err
    series->next_page = series->request_id = NULL;
    series->end_error = NULL;
    engine->driver.range_done(engine->driver.arg, series, end,
                              err); // what it begins while draining is not started
    free(owned);
    ing_engine_check_drained(engine);
}

// Records of it that are on their way arrive or not; nobody hears of them any more.
void ing_engine_remove(struct ing_engine *engine, struct ing_series *series)
{
    if (series->engine == NULL)
        return;
    mf_http_client_cancel(engine->http, &series->request);
    ing_engine_gate_leave(engine, series);
    ing_scheduler_remove(&engine->schedulers[series->priority], &series->due);
    ing_engine_queue_remove(engine, series);
    ing_batch_abandon(&series->batch);
    if (engine->table == series) {
        engine->table = NULL;
        mf_deferred_schedule(engine->next_page);
    }
    ing_engine_set_state(engine, series, ING_SERIES_IDLE);
    unlink_series(engine, series);
    free(series->next_page);
    free(series->result_next);
    free(series->result);
    free(series->seen);
    free(series->request_id);
    free(series->end_error);
    mf_buf_free(&series->body);
    series->next_page = series->result_next = series->request_id = NULL;
    series->seen = NULL;
    series->result = NULL;
    series->end_error = NULL;
    series->seen_count = series->seen_capacity = 0;
}

// ---------------------------------------------------------------- starting requests

// A page that the provider named, or the first of the work's range.
static int build_url(struct ing_engine *engine, struct ing_series *series, const char **endpoint,
                     struct mf_error *err)
{
    *endpoint = ing_feed_name(series->work.feed);
    const struct ing_provider *provider = engine->setup.provider;
    if (series->next_page != NULL)
        return provider->build_next(&engine->provider, mf_str_of(series->next_page), &engine->url, err);
    return provider->build_request(&engine->provider, &series->work, &engine->url, endpoint, err);
}

// The asked-for time is taken before anything is sent: the answer is at least that new, which is what
// heartbeats and the test for forming bars rely on.
static void start_request(struct ing_engine *engine, struct ing_series *series)
{
    const char *endpoint;
    struct mf_error err;
    series->asked_us = mf_clock_real_us();
    series->asked_monotonic_us = mf_clock_monotonic_us();
    series->key = engine->key;
    if (build_url(engine, series, &endpoint, &err) < 0 ||
        mf_http_client_get(engine->http, endpoint, mf_buf_c_str(&engine->url), engine->config->api_key,
                           engine->setup.provider->headers, ing_engine_on_response, series, &series->request,
                           &err) < 0) {
        mf_log_error(engine->setup.log, MF_LOG_ERROR, "fetch", "request_refused", &err, "starting a request");
        ing_engine_end_range(engine, series, ING_RANGE_REFUSED, &err);
        return;
    }
    engine->totals.requests++;
    ing_engine_gate_pass(engine, series);
    ing_engine_set_state(engine, series, ING_SERIES_ASKED);
    ing_engine_hold_request(engine, series);
}

// Time in which something was due and the limit held it.
static void note_limit(struct ing_engine *engine, int64_t now_us, bool limited)
{
    if (engine->limited_since_us != 0) {
        double seconds = (double)(now_us - engine->limited_since_us) / (double)MF_US_PER_SECOND;
        mf_metric_add(MF_METRIC0(engine->setup.metrics, &ing_metric_defs[ING_M_RATE_WAIT]), seconds);
    }
    engine->limited_since_us = limited ? now_us : 0;
}

// Of the schedule: what the limit, the free places and the turn of the others cost this request.
static void note_lateness(struct ing_engine *engine, const struct ing_series *series, int64_t now_us)
{
    char feed[64];
    int64_t late_us = now_us - series->due.due_us;
    struct mf_metric *metric =
        MF_METRIC(engine->setup.metrics, &ing_metric_defs[ING_M_LATENESS], ing_work_feed(&series->work, feed),
                  ing_priority_name(series->priority));
    mf_metric_observe(metric, (double)(late_us > 0 ? late_us : 0) / (double)MF_US_PER_SECOND);
}

// The first that is due among those of the highest priority. NULL when none is; wait_us: until one will be.
static struct ing_due *next_due(struct ing_engine *engine, int64_t now_us, int64_t *wait_us)
{
    struct ing_due *waits =
        ing_scheduler_starved(engine->schedulers, ING_PRIORITY_MAX, engine->since_lower, now_us);
    if (waits != NULL)
        return waits;
    for (int priority = 0; priority < ING_PRIORITY_MAX; priority++) {
        struct ing_due *first = ing_scheduler_first(&engine->schedulers[priority]);
        if (first != NULL && first->due_us <= now_us)
            return first;
        if (first != NULL && first->due_us - now_us < *wait_us)
            *wait_us = first->due_us - now_us;
    }
    return NULL;
}

// With a key that may be rejected again a single request finds out.
static unsigned parallel(const struct ing_engine *engine)
{
    return engine->proving ? 1 : engine->config->parallel;
}

// For a claim: what could start now, and what will have come due while its grant is good.
static struct ing_demand demand(void *arg)
{
    const struct ing_engine *engine = arg;
    int64_t now_us = mf_clock_monotonic_us();
    unsigned slots = parallel(engine) > engine->busy ? parallel(engine) - engine->busy : 1;
    for (enum ing_priority priority = 0; priority < ING_PRIORITY_MAX; priority++) {
        unsigned now = ing_engine_gate_count(engine, priority, now_us, now_us, slots);
        if (now == 0)
            continue;
        const struct ing_due *first = ing_scheduler_first(&engine->schedulers[priority]);
        unsigned fitting = ing_engine_memory_for(engine, first->owner, now);
        now = fitting > 0 ? fitting : 1;
        unsigned most = engine->proving ? slots : ING_BUDGET_COUNT_MAX;
        unsigned soon = ing_engine_gate_count(engine, priority, now_us, now_us + SOON_US, most);
        return (struct ing_demand){.priority = priority, .now = now, .soon = soon};
    }
    return (struct ing_demand){.priority = ING_PRIORITY_MAX};
}

void ing_engine_pump(struct ing_engine *engine)
{
    int64_t wait_us = PUMP_WAIT_MAX_US;
    bool limited = false;
    int64_t now_us = mf_clock_monotonic_us();
    // A range that ends at once begins its next one from in here: the loop under way sees it, however many
    // do.
    if (engine->pumping)
        return;
    engine->pumping = true;
    while (!engine->draining && !engine->parked && engine->busy < parallel(engine) &&
           !ing_publisher_pressure(engine->setup.publisher)) {
        struct ing_due *first = next_due(engine, now_us, &wait_us);
        if (first == NULL)
            break;
        struct ing_series *series = first->owner;
        if (!ing_engine_gate_ask(engine, series, now_us))
            continue;
        if (!ing_engine_has_memory(engine, series)) // the end of a page pumps again
            break;
        int64_t limit_us = ing_limiter_ask(engine->limiter, now_us);
        if (limit_us > 0) {
            limited = true;
            wait_us = limit_us;
            break;
        }
        struct ing_scheduler *scheduler = &engine->schedulers[series->priority];
        if (series->next_page == NULL && engine->driver.plan != NULL &&
            !engine->driver.plan(engine->driver.arg, series)) {
            ing_scheduler_remove(scheduler, first);
            ing_engine_end_range(engine, series, ING_RANGE_COMPLETE, NULL);
            continue;
        }
        ing_limiter_spend(engine->limiter);
        ing_scheduler_remove(scheduler, first);
        engine->since_lower = series->priority == ING_PRIORITY_LIVE ? engine->since_lower + 1 : 0;
        note_lateness(engine, series, mf_clock_monotonic_us());
        start_request(engine, series);
    }
    engine->pumping = false;
    note_limit(engine, now_us, limited);
    // Freed slots and room in the queue pump by themselves; only the passing of time needs the timer.
    mf_timer_arm_us(engine->pump_timer, wait_us < PUMP_WAIT_MAX_US ? wait_us : PUMP_WAIT_MAX_US);
}

static void on_pump(void *arg)
{
    ing_engine_pump(arg);
}

static void on_slice(void *arg)
{
    ing_engine_slice(arg);
}

static void on_next_page(void *arg)
{
    ing_engine_take_next(arg);
}

// Says that the loop still comes by here; the watchdog asks for it.
static void on_tick(void *arg)
{
    struct ing_engine *engine = arg;
    engine->last_tick_us = mf_clock_monotonic_us();
    ing_limiter_gauges(engine->limiter, engine->last_tick_us);
    ing_engine_gate_gauges(engine, engine->last_tick_us);
}

void ing_engine_room(struct ing_engine *engine)
{
    ing_engine_slice(engine);
    ing_engine_pump(engine);
}

// ---------------------------------------------------------------- life

// The base's own host, "host:port" when it names one: nothing else is ever asked.
static char *base_host(const char *base_url)
{
    struct mf_url url;
    struct mf_buf text;
    mf_buf_init(&text, 300);
    bool ok = mf_url_parse(mf_str_of(base_url), &url);
    assert(ok);
    bool v6 = memchr(url.host.data, ':', url.host.len) != NULL;
    mf_buf_addf(&text, v6 ? "[%.*s]" : "%.*s", MF_STR_ARG(url.host));
    // Plain http to loopback: the client counts a host without port as https there too, by the URL's own
    // scheme.
    if (url.port >= 0)
        mf_buf_addf(&text, ":%d", url.port);
    char *host = mf_strdup(mf_buf_c_str(&text));
    mf_buf_free(&text);
    return host;
}

static int make_http(struct ing_engine *engine, struct mf_error *err)
{
    const struct ing_config *config = engine->config;
    char *host = base_host(config->base_url);
    const char *hosts[HOSTS_MAX] = {host, NULL};
    struct mf_http_client_config http = {
        .user_agent = "marketflow-ingestor",
        .ca_file = config->ca_file,
        .allowed_hosts = hosts,
        .allow_plain_http = mf_str_starts_with(mf_str_of(config->base_url), "http:"),
        .body_max = config->body_max,
        .connect_timeout_ms = config->connect_timeout_ms,
        .total_timeout_ms = config->request_timeout_ms,
        .low_speed_timeout_ms = config->low_speed_timeout_ms,
        .connections_per_host = config->parallel,
    };
    int result = mf_http_client_new(engine->setup.loop, engine->setup.log, engine->setup.metrics, &http,
                                    &engine->http, err);
    free(host);
    return result;
}

void ing_engine_reconfigure(struct ing_engine *engine, const struct ing_config *config)
{
    engine->config = config;
    engine->key = mf_hash64(config->api_key, strlen(config->api_key));
    engine->provider = (struct ing_provider_config){.base_url = config->base_url,
                                                    .allowed_hosts = config->allowed_hosts,
                                                    .secret = config->api_key,
                                                    .calendar = engine->setup.calendar,
                                                    .implausible_factor = config->implausible_factor};
}

int ing_engine_new(const struct ing_engine_config *config, struct ing_engine **engine, struct mf_error *err)
{
    struct ing_engine *made = mf_calloc(1, sizeof *made);
    *made = (struct ing_engine){.setup = *config, .driver = config->driver};
    ing_engine_reconfigure(made, config->config);
    made->limiter = config->limiter;
    made->repeats = mf_ratelimit_new(config->config->retries_per_minute, 0);
    for (int priority = 0; priority < ING_PRIORITY_MAX; priority++)
        ing_scheduler_init(&made->schedulers[priority]);
    ing_page_init(&made->page);
    ing_page_init(&made->error_page);
    mf_buf_init(&made->url, MF_URL_MAX);
    mf_buf_init(&made->raw, RAW_MAX);
    mf_buf_init(&made->body, made->config->body_max);
    made->queue_last = &made->queue_first;
    made->pump_timer = mf_timer_new(config->loop, on_pump, made);
    made->slice_timer = mf_timer_new(config->loop, on_slice, made);
    made->tick_timer = mf_timer_new(config->loop, on_tick, made);
    made->next_page = mf_deferred_new(config->loop, on_next_page, made);
    if (make_http(made, err) < 0) {
        ing_engine_free(&made);
        return -1;
    }
    struct ing_limiter_ops ops = {.demand = demand, .on_news = on_pump, .arg = made};
    ing_limiter_listen(made->limiter, &ops);
    on_tick(made);
    mf_timer_arm_every_ms(made->tick_timer, TICK_MS);
    *engine = made;
    return 0;
}

void ing_engine_free(struct ing_engine **engine)
{
    struct ing_engine *old = *engine;
    if (old == NULL)
        return;
    *engine = NULL;
    while (old->all != NULL)
        ing_engine_remove(old, old->all);
    mf_http_client_free(&old->http);
    mf_timer_free(&old->pump_timer);
    mf_timer_free(&old->slice_timer);
    mf_timer_free(&old->tick_timer);
    mf_deferred_free(&old->next_page);
    for (int priority = 0; priority < ING_PRIORITY_MAX; priority++)
        ing_scheduler_free(&old->schedulers[priority]);
    mf_ratelimit_free(&old->repeats);
    ing_page_free(&old->page);
    ing_page_free(&old->error_page);
    mf_buf_free(&old->url);
    mf_buf_free(&old->raw);
    mf_buf_free(&old->body);
    free(old);
}

void ing_engine_drain(struct ing_engine *engine)
{
    engine->draining = true;
    struct ing_series *next;
    for (struct ing_series *series = engine->all; series != NULL; series = next) {
        next = series->next;
        // What is on the table or on its way to the broker is finished: its watermark is worth having.
        if (series->state != ING_SERIES_PUBLISHING && series->state != ING_SERIES_SETTLING)
            ing_engine_remove(engine, series);
    }
    mf_timer_cancel(engine->pump_timer);
    ing_engine_check_drained(engine);
}

void ing_engine_check_drained(struct ing_engine *engine)
{
    if (!engine->draining || engine->drained)
        return;
    for (const struct ing_series *series = engine->all; series != NULL; series = series->next) {
        if (series->state == ING_SERIES_PUBLISHING || series->state == ING_SERIES_SETTLING)
            return;
    }
    engine->drained = true;
    engine->driver.drained(engine->driver.arg);
}

// One request at a time finds out whether the key is good now: a refusal parks the engine again.
void ing_engine_resume(struct ing_engine *engine)
{
    engine->proving = engine->proving || engine->parked;
    engine->parked = false;
    ing_engine_pump(engine);
}

bool ing_engine_is_parked(const struct ing_engine *engine)
{
    return engine->parked;
}

const struct ing_engine_totals *ing_engine_totals(const struct ing_engine *engine)
{
    return &engine->totals;
}

unsigned ing_engine_in_flight(const struct ing_engine *engine)
{
    return mf_http_client_in_flight(engine->http);
}

bool ing_engine_is_alive(const struct ing_engine *engine)
{
    return mf_clock_monotonic_us() - engine->last_tick_us < ALIVE_WITHIN_S * MF_US_PER_SECOND;
}
