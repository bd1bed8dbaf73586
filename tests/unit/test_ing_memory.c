// SPDX-License-Identifier: Apache-2.0
// What answers may hold in memory: requests start as far as their likely answers fit, one always does, and
// the size that answers of a feed turn out to have is the next guess.
#include "services/ingestor/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/http_script.h"
#include "tests/unit/ing_support.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

enum { WAIT_MS = 20000, SERIES = 4, PARTITIONS = 2, BODY_MAX = 1024 * 1024 };

struct fixture {
    struct kafka_world *world;
    struct http_script *script;
    struct mf_calendar *calendar;
    struct ing_config config;
    struct ing_publisher *publisher;
    struct ing_limiter *limiter;
    struct ing_engine *engine;
    struct ing_series series[SERIES];
    char base_url[64];
    size_t padding;   // of an answer
    unsigned at_once; // requests, at most
    unsigned ends, asked;
};

static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    (void)path;
    unsigned at_once = ing_engine_in_flight(f->engine);
    f->at_once = at_once > f->at_once ? at_once : f->at_once;
    f->asked++;
    struct mf_buf body;
    mf_buf_init(&body, BODY_MAX);
    mf_buf_addf(&body, "{\"status\":\"OK\",\"results\":[]}%*s", (int)f->padding, "");
    mf_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.len);
    mf_buf_add_str(out, mf_buf_str(&body));
    mf_buf_free(&body);
    return HTTP_SCRIPT_KEEP_OPEN;
}

static bool prepare(void *arg, struct ing_series *series, const struct ing_page *page, struct mf_event *event)
{
    (void)arg, (void)series, (void)page, (void)event;
    return true;
}

static void page_done(void *arg, struct ing_series *series, const struct ing_page_result *result)
{
    (void)arg, (void)series, (void)result;
}

static void page_failed(void *arg, struct ing_series *series)
{
    (void)arg, (void)series;
    fail();
}

static void range_done(void *arg, struct ing_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    struct fixture *f = arg;
    (void)series, (void)err;
    assert_int_equal(end, ING_RANGE_COMPLETE);
    f->ends++;
}

static void on_room(void *arg)
{
    struct fixture *f = arg;
    if (f->engine != NULL)
        ing_engine_room(f->engine);
}

static void on_error(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void fill_config(struct fixture *f)
{
    snprintf(f->base_url, sizeof f->base_url, "http://127.0.0.1:%d", http_script_port(f->script));
    f->config = (struct ing_config){.base_url = f->base_url,
                                    .connect_timeout_ms = 5000,
                                    .request_timeout_ms = 20000,
                                    .low_speed_timeout_ms = 20000,
                                    .body_max = BODY_MAX,
                                    .retry_base_ms = 5,
                                    .retry_max_ms = 10,
                                    .parallel = SERIES,
                                    .pages_max = 100,
                                    .partitions = PARTITIONS,
                                    .topic_dlq = "dlq"};
}

static int set_up(void **state)
{
    static const char *const settings[] = {"KAFKA_PARTITIONS=2", NULL};
    struct fixture *f = mf_calloc(1, sizeof *f);
    struct mf_error err;
    f->padding = 1;
    f->world = kafka_world_new(1, settings);
    f->script = http_script_new(f->world->loop, answer, f);
    assert_int_equal(mf_calendar_new(&f->calendar, &err), 0);
    fill_config(f);
    struct ing_publisher_ops ops = {.on_room = on_room, .on_fatal = on_error, .arg = f};
    assert_int_equal(ing_publisher_new(&f->world->kafka, &f->config, &ops, &f->publisher, &err), 0);
    struct ing_limiter_config limiter = {
        .kafka = &f->world->kafka, .config = &f->config, .provider = "polygon"};
    f->limiter = ing_limiter_new(&limiter);
    struct ing_engine_config setup = {.loop = f->world->loop,
                                      .log = f->world->log,
                                      .metrics = f->world->metrics,
                                      .config = &f->config,
                                      .calendar = f->calendar,
                                      .provider = &ing_polygon,
                                      .publisher = f->publisher,
                                      .limiter = f->limiter,
                                      .driver = {.prepare = prepare,
                                                 .page_done = page_done,
                                                 .page_failed = page_failed,
                                                 .range_done = range_done,
                                                 .key_rejected = on_error,
                                                 .drained = nothing,
                                                 .topic = "raw",
                                                 .lane = "backfill:t",
                                                 .arg = f}};
    assert_int_equal(ing_engine_new(&setup, &f->engine, &err), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    ing_engine_free(&f->engine);
    ing_limiter_free(&f->limiter);
    ing_publisher_free(&f->publisher);
    http_script_free(&f->script);
    mf_calendar_free(&f->calendar);
    kafka_world_free(&f->world);
    free(f);
    return 0;
}

static bool all_ended(void *arg)
{
    const struct fixture *f = arg;
    return f->ends == SERIES;
}

// All series at once; returns how many requests were under way together.
static unsigned run(struct fixture *f, struct ing_work work)
{
    f->ends = f->at_once = f->asked = 0;
    for (unsigned n = 0; n < SERIES; n++) {
        f->series[n].work = work;
        f->series[n].may_be_unknown = true;
        ing_series_init(&f->series[n], &f->config, n + 1);
        ing_engine_begin(f->engine, &f->series[n], NULL, 0, INT64_MIN, 0);
    }
    assert_true(kafka_world_run(f->world, all_ended, f, WAIT_MS));
    assert_int_equal(f->asked, SERIES);
    for (unsigned n = 0; n < SERIES; n++)
        ing_engine_remove(f->engine, &f->series[n]);
    return f->at_once;
}

// A month of minutes fills the largest answer.
static void bars_by_their_range(void **state)
{
    struct fixture *f = *state;
    struct ing_work month = ing_minute_work("X:BTCUSD", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    struct ing_work hour = ing_minute_work("X:BTCUSD", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z");
    static const struct {
        size_t answer_bytes;
        unsigned at_once;
    } cases[] = {
        {0, SERIES}, {2 * BODY_MAX, 2}, {2 * BODY_MAX - 1, 1}, {1, 1}, {(size_t)SERIES * BODY_MAX, SERIES}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        f->config.answer_bytes = cases[i].answer_bytes;
        assert_int_equal(run(f, month), cases[i].at_once);
    }
    f->config.answer_bytes = BODY_MAX;
    assert_int_equal(run(f, hour), SERIES);
    // A page is asked for in rows too.
    month.limit = 1000;
    assert_int_equal(run(f, month), SERIES);
}

static void other_feeds_by_what_came_before(void **state)
{
    struct fixture *f = *state;
    struct ing_work work = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    f->config.answer_bytes = BODY_MAX;
    f->padding = 200 * 1024;
    assert_int_equal(run(f, work), SERIES); // nothing is known
    assert_int_equal(run(f, work), SERIES); // 800 KiB
    f->padding = 1000 * 1024;
    assert_in_range(run(f, work), 1, SERIES); // while it is found out
    f->padding = 1;
    assert_int_equal(run(f, work), 1); // and is not forgotten at once
    unsigned runs = 0;
    while (run(f, work) < SERIES)
        assert_true(++runs < 10);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bars_by_their_range),
        CASE(other_feeds_by_what_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
