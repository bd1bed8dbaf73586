// SPDX-License-Identifier: Apache-2.0
// What answers may hold in memory: requests start as far as their likely answers fit, one always does, and
// the size that answers of a feed turn out to have is the next guess.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/ing_engine_world.h"

enum { WAIT_MS = 20000, SERIES = 4, BODY_MAX = 1024 * 1024 };

struct fixture {
    struct engine_world w;
    struct ing_series series[SERIES];
    size_t padding;   // of an answer
    bool failing;     // instead, in few words
    unsigned at_once; // requests, at most
    unsigned ends, asked;
};

static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    (void)path;
    unsigned at_once = ing_engine_in_flight(f->w.engine);
    f->at_once = at_once > f->at_once ? at_once : f->at_once;
    f->asked++;
    if (f->failing) {
        mf_buf_add_c(out, "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}");
        return HTTP_SCRIPT_KEEP_OPEN;
    }
    struct mf_buf body;
    mf_buf_init(&body, BODY_MAX);
    mf_buf_addf(&body, "{\"status\":\"OK\",\"results\":[]}%*s", (int)f->padding, "");
    mf_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.len);
    mf_buf_add_str(out, mf_buf_str(&body));
    mf_buf_free(&body);
    return HTTP_SCRIPT_KEEP_OPEN;
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

static int set_up(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->padding = 1;
    engine_world_begin(&f->w, answer, f);
    f->w.config.parallel = SERIES;
    f->w.config.body_max = BODY_MAX;
    struct ing_driver driver = engine_world_driver(f);
    driver.page_failed = page_failed;
    driver.range_done = range_done;
    engine_world_open(&f->w, &driver, 0);
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
        ing_series_init(&f->series[n], &f->w.config, n + 1);
        ing_engine_begin(f->w.engine, &f->series[n], NULL, 0, INT64_MIN, 0);
    }
    assert_true(kafka_world_run(f->w.kafka, all_ended, f, WAIT_MS));
    assert_int_equal(f->asked, SERIES);
    for (unsigned n = 0; n < SERIES; n++)
        ing_engine_remove(f->w.engine, &f->series[n]);
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
        f->w.config.answer_bytes = cases[i].answer_bytes;
        assert_int_equal(run(f, month), cases[i].at_once);
    }
    f->w.config.answer_bytes = BODY_MAX;
    assert_int_equal(run(f, hour), SERIES);
    // A page is asked for in rows too.
    month.limit = 1000;
    assert_int_equal(run(f, month), SERIES);
}

static void other_feeds_by_what_came_before(void **state)
{
    struct fixture *f = *state;
    struct ing_work work = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    f->w.config.answer_bytes = BODY_MAX;
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

// They are short, and say nothing of the answers to come.
static void failures_are_not_what_comes(void **state)
{
    struct fixture *f = *state;
    struct ing_work work = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    f->w.config.answer_bytes = BODY_MAX;
    f->padding = 1000 * 1024;
    assert_in_range(run(f, work), 1, SERIES);
    assert_int_equal(run(f, work), 1);
    f->failing = true;
    for (unsigned i = 0; i < 10; i++)
        run(f, work);
    f->failing = false;
    assert_int_equal(run(f, work), 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bars_by_their_range),
        CASE(other_feeds_by_what_came_before),
        CASE(failures_are_not_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
