// SPDX-License-Identifier: Apache-2.0
// What holds requests back in a running engine: an endpoint that fails again and again, the retry budget, a
// key that was rejected. Bars fail when the test says so; news never does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/service.h"
#include "services/ingestor/circuit.h"

#include "tests/unit/ing_engine_world.h"

enum { WAIT_MS = 20000, BARS = 6, SERIES = BARS + 1, FAILURES = 4, OPEN_MS = 400, LOG = 64 };

struct told {
    struct ing_series series; // first, as the engine's owner
    unsigned ends;
    enum ing_range_end end;
    char code[MF_ERROR_CODE_SIZE];
};

struct fixture {
    struct engine_world w;
    struct told told[SERIES]; // the last one is of news
    int status;               // of bars; 200 = an empty page
    unsigned refusals;        // so many get the status, then all is well; 0 = all do
    unsigned keys_rejected;
    unsigned bars, news; // requests
    int64_t at_us[LOG];  // of those for bars
    unsigned wanted_ends, wanted_bars;
};

static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    bool of_bars = strstr(path, "/v2/aggs/") != NULL;
    int status = of_bars ? f->status : 200;
    if (of_bars && f->bars < LOG)
        f->at_us[f->bars] = mf_clock_monotonic_us();
    f->bars += of_bars;
    if (of_bars && f->refusals > 0 && --f->refusals == 0)
        f->status = 200; // from the next one on
    f->news += !of_bars;
    const char *body = status == 200 ? "{\"status\":\"OK\",\"results\":[]}" : "{\"status\":\"ERROR\"}";
    mf_buf_addf(out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    return HTTP_SCRIPT_KEEP_OPEN;
}

static void range_done(void *arg, struct ing_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    (void)arg;
    struct told *told = (struct told *)(void *)series;
    told->ends++;
    told->end = end;
    mf_str_copy(told->code, sizeof told->code, mf_str_of(err != NULL ? err->code : ""));
}

static void key_rejected(void *arg, const struct mf_error *err)
{
    (void)err;
    struct fixture *f = arg;
    f->keys_rejected++;
}

static void open_engine(struct fixture *f, unsigned attempts_max)
{
    struct ing_driver driver = engine_world_driver(f);
    driver.range_done = range_done;
    driver.key_rejected = key_rejected;
    driver.lane = "live";
    engine_world_open(&f->w, &driver, attempts_max);
}

static int set_up(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->status = 502;
    engine_world_begin(&f->w, answer, f);
    f->w.config.circuit_failures = FAILURES;
    f->w.config.circuit_open_ms = OPEN_MS;
    f->w.config.parallel = 2;
    open_engine(f, 0);
    for (unsigned n = 0; n < SERIES; n++) {
        char symbol[8];
        snprintf(symbol, sizeof symbol, "SYM%u", n);
        f->told[n].series.work = n < BARS
                                     ? ing_minute_work(symbol, "2024-01-02T14:30:00Z", "2024-01-02T15:30:00Z")
                                     : ing_news_work(symbol, "2024-01-02T14:30:00Z", "2024-01-02T15:30:00Z");
        ing_series_init(&f->told[n].series, &f->w.config, n + 1);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    engine_world_end(&f->w);
    free(f);
    return 0;
}

static void begin(struct fixture *f, unsigned n)
{
    ing_engine_begin(f->w.engine, &f->told[n].series, NULL, 0, INT64_MIN, 0);
}

static bool all_ended(void *arg)
{
    const struct fixture *f = arg;
    unsigned ends = 0;
    for (unsigned n = 0; n < SERIES; n++)
        ends += f->told[n].ends;
    return ends >= f->wanted_ends;
}

static void run_until_ended(struct fixture *f, unsigned ends)
{
    f->wanted_ends = ends;
    assert_true(kafka_world_run(f->w.kafka, all_ended, f, WAIT_MS));
}

static bool asked(void *arg)
{
    const struct fixture *f = arg;
    return f->bars >= f->wanted_bars;
}

static void run_until_asked(struct fixture *f, unsigned bars)
{
    f->wanted_bars = bars;
    assert_true(kafka_world_run(f->w.kafka, asked, f, WAIT_MS));
}

static bool is_broken(void *arg)
{
    const struct fixture *f = arg;
    return ing_engine_is_broken(f->w.engine, &f->told[0].series.work);
}

static double metric(struct fixture *f, enum ing_metric metric, const char *label)
{
    const char *const labels[] = {label, NULL};
    return mf_metric_value(mf_metrics_get(f->w.kafka->metrics, &ing_metric_defs[metric], labels));
}

// ---------------------------------------------------------------- circuits

static void a_failing_endpoint_is_left_alone(void **state)
{
    struct fixture *f = *state;
    for (unsigned n = 0; n < SERIES; n++)
        begin(f, n);
    assert_true(kafka_world_run(f->w.kafka, is_broken, f, WAIT_MS));
    assert_in_range(f->bars, FAILURES, FAILURES + 1); // two at once: one more may have been under way
    assert_true(metric(f, ING_M_CIRCUIT, "bars") == ING_CIRCUIT_OPEN);
    run_until_ended(f, 1); // news goes on
    assert_int_equal(f->told[BARS].end, ING_RANGE_COMPLETE);
    assert_false(ing_engine_is_broken(f->w.engine, &f->told[BARS].series.work));
    assert_true(metric(f, ING_M_CIRCUIT, "news") == ING_CIRCUIT_CLOSED);
    // One at a time, after each wait. What was under way when it opened may have been answered after that.
    unsigned before = f->bars;
    int64_t last_us = f->at_us[before > FAILURES + 1 ? before - 1 : FAILURES - 1];
    run_until_asked(f, before + 3);
    for (unsigned i = before; i < before + 3; last_us = f->at_us[i++])
        assert_true(f->at_us[i] - last_us >= OPEN_MS * MF_US_PER_MS);
    f->status = 200;
    run_until_ended(f, SERIES); // and all at once when one has found out
    assert_false(is_broken(f));
    for (unsigned n = 0; n < SERIES; n++)
        assert_int_equal(f->told[n].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->bars, before + 3 + BARS);
    assert_true(metric(f, ING_M_CIRCUIT_OPENED, "bars") == 1);
    assert_true(metric(f, ING_M_CIRCUIT, "bars") == ING_CIRCUIT_CLOSED);
    char *log = kafka_world_log(f->w.kafka);
    assert_non_null(strstr(log, "\"event\":\"circuit_opened\""));
    assert_non_null(strstr(log, "\"event\":\"circuit_closed\""));
    free(log);
}

// Answers about the request say that the endpoint works.
static void an_answer_about_the_request_is_no_failure(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int status;
        enum ing_range_end end;
    } cases[] = {{403, ING_RANGE_PLAN_LIMIT}, {404, ING_RANGE_UNKNOWN_TICKER}, {400, ING_RANGE_REFUSED}};
    unsigned ends = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        f->status = cases[i].status;
        for (unsigned n = 0; n < BARS; n++)
            begin(f, n);
        run_until_ended(f, ends += BARS);
        for (unsigned n = 0; n < BARS; n++)
            assert_int_equal(f->told[n].end, cases[i].end);
        assert_false(is_broken(f));
    }
    f->status = 429; // waited out by the limiter, and asked again
    for (unsigned n = 0; n < BARS; n++)
        begin(f, n);
    run_until_asked(f, f->bars + 3 * FAILURES);
    assert_false(is_broken(f));
    assert_true(metric(f, ING_M_CIRCUIT_OPENED, "bars") == 0);
}

// A series that leaves while its request finds out makes way for another one.
static void the_one_that_finds_out_may_leave(void **state)
{
    struct fixture *f = *state;
    for (unsigned n = 0; n < BARS; n++)
        begin(f, n);
    assert_true(kafka_world_run(f->w.kafka, is_broken, f, WAIT_MS));
    f->status = 200;
    unsigned left = BARS;
    for (unsigned n = 0; n < BARS - 1; n++) {
        ing_engine_remove(f->w.engine, &f->told[n].series);
        left--;
    }
    run_until_ended(f, left);
    assert_int_equal(f->told[BARS - 1].end, ING_RANGE_COMPLETE);
}

static void a_job_gives_a_broken_endpoint_up(void **state)
{
    struct fixture *f = *state;
    enum { ATTEMPTS = 2 };
    ing_engine_free(&f->w.engine);
    f->w.config.circuit_failures = ATTEMPTS;
    f->w.config.circuit_open_ms = 100;
    f->w.config.parallel = 1;
    open_engine(f, 3);
    for (unsigned n = 0; n < BARS; n++)
        begin(f, n);
    run_until_ended(f, BARS);
    for (unsigned n = 0; n < BARS; n++) {
        assert_int_equal(f->told[n].end, ING_RANGE_GAVE_UP);
        assert_string_equal(f->told[n].code, "server_error");
    }
    assert_in_range(f->bars, ATTEMPTS + 2, ATTEMPTS + 3); // not three for each
}

// ---------------------------------------------------------------- the retry budget

static void repeats_wait_for_their_budget(void **state)
{
    struct fixture *f = *state;
    enum { PER_MINUTE = 3 };
    ing_engine_free(&f->w.engine);
    f->w.config.circuit_failures = 0;
    f->w.config.retries_per_minute = PER_MINUTE;
    open_engine(f, 0);
    for (unsigned n = 0; n < BARS; n++)
        begin(f, n);
    run_until_asked(f, BARS + PER_MINUTE);
    kafka_world_pass(f->w.kafka, 300); // many times the longest delay
    assert_int_equal(f->bars, BARS + PER_MINUTE);
    assert_true(metric(f, ING_M_RETRIES_HELD, NULL) >= 1);
    begin(f, BARS); // what is no repeat goes on
    run_until_ended(f, 1);
    assert_int_equal(f->told[BARS].end, ING_RANGE_COMPLETE);
    ing_engine_remove(f->w.engine, &f->told[0].series);
    f->status = 200;
    begin(f, 0); // so does one that begins anew
    run_until_ended(f, 2);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
}

// ---------------------------------------------------------------- the key

static bool is_rejected(void *arg)
{
    const struct fixture *f = arg;
    return f->keys_rejected > 0 && ing_engine_in_flight(f->w.engine) == 0;
}

// N06: each try with a rejected key is one request, however many are due.
static void a_rejected_key_is_tried_with_one_request(void **state)
{
    struct fixture *f = *state;
    f->status = 401;
    for (unsigned n = 0; n < BARS; n++)
        begin(f, n);
    assert_true(kafka_world_run(f->w.kafka, is_rejected, f, WAIT_MS));
    assert_true(metric(f, ING_M_KEY_REJECTED, NULL) == 1);
    for (unsigned tries = 0; tries < 3; tries++) {
        unsigned before = f->bars;
        f->keys_rejected = 0;
        ing_engine_resume(f->w.engine);
        assert_true(kafka_world_run(f->w.kafka, is_rejected, f, WAIT_MS));
        kafka_world_pass(f->w.kafka, 50);
        assert_int_equal(f->bars, before + 1);
    }
    f->status = 200;
    ing_engine_resume(f->w.engine);
    run_until_ended(f, BARS);
    assert_true(metric(f, ING_M_KEY_REJECTED, NULL) == 0);
}

// N52: what the old key is worth says nothing about the one that is in place when the answer comes.
static void a_late_refusal_of_the_old_key_is_no_refusal_of_the_new_one(void **state)
{
    struct fixture *f = *state;
    f->status = 401;
    begin(f, 0);
    assert_int_equal(f->told[0].series.state, ING_SERIES_ASKED);
    f->w.config.api_key = "rotated";
    ing_engine_reconfigure(f->w.engine, &f->w.config);
    f->refusals = 1;
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->bars, 2);
    assert_int_equal(f->keys_rejected, 0);
    assert_false(ing_engine_is_parked(f->w.engine));
}

// ---------------------------------------------------------------- patience

// Live mode has no end of patience but where others wait behind a series; the next range begins afresh.
static void a_series_may_be_less_patient_than_the_engine(void **state)
{
    struct fixture *f = *state;
    enum { ATTEMPTS = 3 };
    f->told[0].series.attempts_max = ATTEMPTS;
    for (unsigned ranges = 1; ranges <= 2; ranges++) {
        begin(f, 0);
        run_until_ended(f, ranges);
        assert_int_equal(f->told[0].end, ING_RANGE_GAVE_UP);
        assert_int_equal(f->bars, ranges * ATTEMPTS);
    }
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_failing_endpoint_is_left_alone),
        CASE(an_answer_about_the_request_is_no_failure),
        CASE(the_one_that_finds_out_may_leave),
        CASE(a_job_gives_a_broken_endpoint_up),
        CASE(repeats_wait_for_their_budget),
        CASE(a_rejected_key_is_tried_with_one_request),
        CASE(a_late_refusal_of_the_old_key_is_no_refusal_of_the_new_one),
        CASE(a_series_may_be_less_patient_than_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
