// SPDX-License-Identifier: Apache-2.0
// What comes back: classified, decided upon, put on the table one page at a time (see engine.h).
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/engine_private.h"

// ---------------------------------------------------------------- answers that wait

// Answers that came while another page was on the table: their bodies are kept, at most as many as requests
// may run.
static void queue_add(struct ing_engine *engine, struct ing_series *series)
{
    series->queue_next = NULL;
    *engine->queue_last = series;
    engine->queue_last = &series->queue_next;
}

void ing_engine_queue_remove(struct ing_engine *engine, struct ing_series *series)
{
    for (struct ing_series **at = &engine->queue_first; *at != NULL; at = &(*at)->queue_next) {
        if (*at != series)
            continue;
        *at = series->queue_next;
        if (*at == NULL)
            engine->queue_last = at;
        series->queue_next = NULL;
        return;
    }
}

// ---------------------------------------------------------------- decisions

// An answer of any kind but a server's failure or a rejected key is a sign of life.
static void note_provider(struct ing_engine *engine, bool up)
{
    const struct mf_metric_def *def = &mf_common_metrics[MF_M_DEPENDENCY_UP];
    mf_metric_set(MF_METRIC(engine->setup.metrics, def, engine->setup.provider->name), up ? 1 : 0);
}

static void note_failure(struct ing_series *series)
{
    if (series->failing_since_us == 0)
        series->failing_since_us = mf_clock_monotonic_us();
}

// Thousands of series wait; only one that has just been answered has an answer's id.
static void set_request_id(struct ing_series *series, const char *id)
{
    free(series->request_id);
    series->request_id = id[0] != '\0' ? mf_strdup(id) : NULL;
}

const char *ing_engine_id_of(const struct ing_series *series)
{
    return series->request_id != NULL ? series->request_id : "";
}

// Once per failure, here, where it has been decided what follows. What will be repeated is a warning.
static void log_failure(struct ing_engine *engine, const struct ing_series *series,
                        const struct mf_error *err, const char *event, const struct ing_decision *decision)
{
    bool bad = decision->step != ING_STEP_RETRY && decision->step != ING_STEP_WAIT_ALL;
    char feed[64];
    const struct mf_log_field fields[] = {mf_lf_str("symbol", series->work.symbol),
                                          mf_lf_str("feed", ing_work_feed(&series->work, feed)),
                                          mf_lf_str("error_code", err->code),
                                          mf_lf_i64("page", series->page),
                                          mf_lf_i64("attempt", series->retry.attempts),
                                          mf_lf_i64("wait_ms", decision->wait_ms),
                                          mf_lf_str("correlation_id", ing_engine_id_of(series))};
    mf_log_write(engine->setup.log, bad ? MF_LOG_ERROR : MF_LOG_WARNING, "fetch", event, fields,
                 MF_ARRAY_LEN(fields) - (series->request_id == NULL), "%s", err->message);
}

static void count_retry(struct ing_engine *engine, const struct ing_series *series, const char *reason)
{
    engine->totals.retries++;
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_RETRIES];
    mf_metric_add(MF_METRIC(engine->setup.metrics, def, ing_feed_name(series->work.feed), reason), 1);
}

// No request with this key may follow; what is under way ends by itself. The driver hears of the first
// refusal only.
static void stop_key(struct ing_engine *engine, struct ing_series *series, const struct mf_error *err)
{
    bool first = !engine->parked;
    engine->parked = true;
    mf_metric_set(MF_METRIC0(engine->setup.metrics, &ing_metric_defs[ING_M_KEY_REJECTED]), 1);
    ing_engine_wait(engine, series, 0); // keeps its place; nothing starts while parked
    if (first && !engine->draining)
        engine->driver.key_rejected(engine->driver.arg, err);
}

// Everything but taking a page. body and page: what a dead letter shows; NULL when there was no answer.
static void act(struct ing_engine *engine, struct ing_series *series, const struct ing_decision *decision,
                struct mf_str body, const struct ing_page *page, const struct mf_error *err)
{
    if (decision->metric_reason != NULL)
        count_retry(engine, series, decision->metric_reason);
    switch (decision->step) {
    case ING_STEP_WAIT_ALL:
        ing_limiter_hold(engine->limiter, decision->wait_ms * MF_US_PER_MS);
        log_failure(engine, series, err, "rate_limited", decision);
        ing_engine_wait(engine, series, 0);
        break;
    case ING_STEP_RETRY:
        log_failure(engine, series, err, "request_failed", decision);
        series->repeats = true;
        ing_engine_wait(engine, series, decision->wait_ms * MF_US_PER_MS);
        break;
    case ING_STEP_SKIP_RANGE:
        if (!series->may_be_refused)
            log_failure(engine, series, err, "plan_limit", decision);
        ing_engine_end_range(engine, series, ING_RANGE_PLAN_LIMIT, err);
        break;
    case ING_STEP_SKIP_SERIES:
        if (series->may_be_unknown) {
            series->failing_since_us = 0;
            ing_engine_end_range(engine, series, ING_RANGE_COMPLETE, NULL);
            break;
        }
        log_failure(engine, series, err, "unknown_ticker", decision);
        ing_engine_reject_answer(engine, series, body, page, err, ING_RANGE_UNKNOWN_TICKER);
        break;
    case ING_STEP_REFUSE:
        log_failure(engine, series, err, "request_rejected", decision);
        ing_engine_reject_answer(engine, series, body, page, err, ING_RANGE_REFUSED);
        break;
    case ING_STEP_GIVE_UP:
        log_failure(engine, series, err, "series_given_up", decision);
        ing_engine_end_range(engine, series, ING_RANGE_GAVE_UP, err);
        break;
    case ING_STEP_STOP_KEY:
        log_failure(engine, series, err, "key_rejected", decision);
        stop_key(engine, series, err);
        break;
    case ING_STEP_TAKE:
    case ING_STEP_MAX: assert(!"nothing to act upon"); break;
    }
}

static struct ing_decision decide(struct ing_engine *engine, struct ing_series *series,
                                  const struct ing_failure *failure)
{
    // The key was rotated while the request was under way: what the old one is worth is of no interest.
    if (failure->answer == ING_ANSWER_KEY_REJECTED && series->key != engine->key)
        return (struct ing_decision){.step = ING_STEP_RETRY};
    unsigned attempts_max = series->attempts_max > 0 ? series->attempts_max : engine->setup.attempts_max;
    struct ing_retry_policy policy = {.attempts_max = attempts_max,
                                      .rate_limited_max = engine->setup.rate_limited_max,
                                      .rate_limit_wait_ms = engine->config->rate_limit_wait_ms};
    return ing_retry_decide(&policy, &series->retry, failure);
}

static void fail(struct ing_engine *engine, struct ing_series *series, const struct ing_failure *failure,
                 struct mf_str body, const struct ing_page *page, const struct mf_error *err)
{
    note_failure(series);
    struct ing_decision decision = decide(engine, series, failure);
    act(engine, series, &decision, body, page, err);
}

void ing_engine_failed(struct ing_engine *engine, struct ing_series *series, const struct mf_error *err)
{
    struct ing_failure failure = {.answer = ING_ANSWER_TRANSIENT, .transport = true, .retry_after_ms = -1};
    fail(engine, series, &failure, MF_STR_NULL, NULL, err);
}

// ---------------------------------------------------------------- answers

// N01: nothing at all for a range in which the market was open.
static bool is_worth_asking_again(const struct ing_engine *engine, const struct ing_series *series)
{
    const struct ing_work *work = &series->work;
    int64_t to_us = work->to_us < series->asked_us ? work->to_us : series->asked_us;
    return series->page == 0 && series->expect_data &&
           (work->feed == ING_FEED_BARS || work->feed == ING_FEED_GROUPED) &&
           ing_session_expected(engine->setup.calendar, work->asset_class, work->from_us, to_us);
}

// The provider's words as an error value, for logs, reports and dead letters.
static void page_error(const struct ing_page *page, int status, struct mf_error *err)
{
    mf_error_set(err,
                 page->answer == ING_ANSWER_TRANSIENT || page->answer == ING_ANSWER_RATE_LIMITED
                     ? MF_ERROR_TRANSIENT
                     : MF_ERROR_POISON,
                 page->code[0] != '\0' ? page->code : "empty_answer", "the provider answered %d%s%s", status,
                 page->detail[0] != '\0' ? ": " : "", page->detail);
}

// What an answer says about the endpoint and the key, whatever it says about the request.
static void note_answer(struct ing_engine *engine, struct ing_series *series, const struct ing_page *page,
                        int status, const struct mf_error *err)
{
    note_provider(engine, status < 500 && page->answer != ING_ANSWER_KEY_REJECTED);
    if (page->answer == ING_ANSWER_TRANSIENT)
        ing_engine_gate_fails(engine, series, err);
    else
        ing_engine_gate_works(engine, series);
    if (!engine->proving || page->answer == ING_ANSWER_KEY_REJECTED)
        return;
    engine->proving = false;
    mf_metric_set(MF_METRIC0(engine->setup.metrics, &ing_metric_defs[ING_M_KEY_REJECTED]), 0);
}

// The page is decoded: it is published (true), or its failure is dealt with.
static bool take_page(struct ing_engine *engine, struct ing_series *series, const struct ing_page *page,
                      int status, int64_t retry_after_ms, struct mf_str body)
{
    struct ing_failure failure = {.answer = page->answer,
                                  .status = status,
                                  .retry_after_ms = retry_after_ms,
                                  .worth_asking_again = is_worth_asking_again(engine, series)};
    set_request_id(series, page->request_id);
    struct mf_error err;
    page_error(page, status, &err);
    note_answer(engine, series, page, status, &err);
    struct ing_decision decision = decide(engine, series, &failure);
    if (decision.step == ING_STEP_TAKE && page == &engine->page) {
        ing_engine_publish(engine, series);
        return true;
    }
    // A refusal that is a right answer (N07): there is nothing to publish, and the table may be another's.
    if (decision.step == ING_STEP_TAKE) {
        ing_retry_reset(&series->retry);
        series->failing_since_us = 0;
        ing_engine_end_range(engine, series, ING_RANGE_COMPLETE, NULL);
        return false;
    }
    if (page->answer != ING_ANSWER_EMPTY)
        note_failure(series);
    if (strcmp(page->code, "not_json") == 0) {
        const struct mf_metric_def *def = &mf_http_metrics[MF_M_HTTP_ERRORS];
        mf_metric_add(MF_METRIC(engine->setup.metrics, def, ing_feed_name(series->work.feed), "parse"), 1);
    }
    if (engine->table == series) // there is nothing on it to publish; the body stays until this is over
        engine->table = NULL;
    act(engine, series, &decision, body, page, &err);
    return false;
}

static void decode(struct ing_engine *engine, struct ing_series *series, int status, struct mf_str body,
                   struct ing_page *page)
{
    struct ing_reply reply = {
        .work = &series->work,
        .page = series->page,
        .asked_us = series->asked_us,
        .status = status,
        .body = body,
        .data_mode = series->data_mode[0] != '\0' ? mf_str_of(series->data_mode) : MF_STR_NULL,
        .request_id = series->request_id != NULL ? mf_str_of(series->request_id) : MF_STR_NULL,
    };
    engine->setup.provider->decode(&engine->provider, &reply, page);
}

// One page is decoded and published at a time, whatever the number of requests: its memory is the largest
// there is. The body is held once, from the socket to the last row's event.
static void put_on_table(struct ing_engine *engine, struct ing_series *series, struct mf_buf *body)
{
    mf_buf_move(&engine->body, body);
    struct mf_str text = mf_buf_str(&engine->body);
    engine->table = series;
    ing_engine_set_state(engine, series, ING_SERIES_PUBLISHING);
    decode(engine, series, 200, text, &engine->page);
    if (take_page(engine, series, &engine->page, 200, -1, text))
        return;
    mf_buf_free(&engine->body);
    mf_deferred_schedule(engine->next_page);
}

void ing_engine_take_next(struct ing_engine *engine)
{
    struct ing_series *series = engine->queue_first;
    if (engine->table != NULL || series == NULL)
        return;
    ing_engine_queue_remove(engine, series);
    put_on_table(engine, series, &series->body);
}

// No complete answer. What was too large will be so again; everything else is worth another try.
static void on_transport_failure(struct ing_engine *engine, struct ing_series *series,
                                 const struct mf_error *err)
{
    bool poison = err->class == MF_ERROR_POISON; // too large: it will be so again
    struct ing_failure failure = {.answer = poison ? ING_ANSWER_PERMANENT : ING_ANSWER_TRANSIENT,
                                  .transport = true,
                                  .retry_after_ms = -1};
    set_request_id(series, "");
    note_provider(engine, poison);
    if (poison)
        ing_engine_gate_works(engine, series);
    else
        ing_engine_gate_fails(engine, series, err);
    fail(engine, series, &failure, MF_STR_NULL, NULL, err);
}

void ing_engine_on_response(void *arg, const struct mf_http_response *response)
{
    struct ing_series *series = arg;
    struct ing_engine *engine = series->engine;
    series->request = NULL;
    engine->totals.bytes += response->wire_bytes;
    if (response->error == NULL)
        ing_engine_hold_answer(engine, series, response->body.len, response->status == 200);
    mf_str_copy(series->data_mode, sizeof series->data_mode, response->data_mode);
    char id[ING_REQUEST_ID_SIZE];
    mf_str_copy(id, sizeof id, response->request_id);
    set_request_id(series, id);
    if (response->error != NULL) {
        on_transport_failure(engine, series, response->error);
    } else if (response->status != 200) {
        decode(engine, series, response->status, response->body, &engine->error_page);
        take_page(engine, series, &engine->error_page, response->status, response->retry_after_ms,
                  response->body);
        ing_page_trim(&engine->error_page);
    } else if (engine->table == NULL && engine->queue_first == NULL) {
        put_on_table(engine, series, response->body_buf);
    } else {
        mf_buf_move(&series->body, response->body_buf);
        ing_engine_set_state(engine, series, ING_SERIES_ANSWERED);
        queue_add(engine, series);
        if (engine->table == NULL)
            mf_deferred_schedule(engine->next_page);
    }
    ing_engine_pump(engine);
}
