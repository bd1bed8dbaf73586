// SPDX-License-Identifier: Apache-2.0
// What becomes of the rows of a range that are neither bad nor foreign: none is left out without a count, on
// whichever page it comes and however late.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#include "tests/unit/ing_engine_world.h"

enum { WAIT_MS = 20000, PAGES = 2, ROWS_MAX = 8 };

struct fixture {
    struct engine_world w;
    struct ing_series series;
    // Minutes of the range, a page after the other; closed by -1.
    const int (*pages)[ROWS_MAX];
    uint64_t published, duplicates, forming;
    unsigned ends;
    enum ing_range_end end;
};

static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    bool second = strstr(path, "cursor=two") != NULL;
    const int *minutes = f->pages[second];
    struct mf_buf body;
    mf_buf_init(&body, 100000);
    mf_buf_add_c(&body, "{\"ticker\":\"X:BTCUSD\",\"status\":\"OK\",\"results\":[");
    for (size_t i = 0; minutes[i] >= 0; i++)
        mf_buf_addf(&body, "%s{\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"t\":%lld}", i > 0 ? "," : "",
                    (long long)(f->series.work.from_us / MF_US_PER_MS + minutes[i] * 60000LL));
    mf_buf_add_c(&body, "]");
    if (!second && f->pages[1][0] >= 0)
        mf_buf_add_c(&body, ",\"next_url\":\"https://api.massive.com/v2/x?cursor=two\"");
    mf_buf_add_c(&body, "}");
    mf_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", body.len, mf_buf_c_str(&body));
    mf_buf_free(&body);
    return HTTP_SCRIPT_KEEP_OPEN;
}

// As all drivers do that publish bars which are over.
static bool prepare(void *arg, struct ing_series *series, const struct ing_page *page, struct mf_event *event)
{
    (void)arg, (void)series;
    return event->bar.window_end_us <= page->asked_us;
}

static void page_done(void *arg, struct ing_series *series, const struct ing_page_result *result)
{
    struct fixture *f = arg;
    (void)series;
    f->published += result->published;
    f->duplicates += result->counts.duplicates;
    f->forming += result->forming;
}

static void range_done(void *arg, struct ing_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    struct fixture *f = arg;
    (void)series, (void)err;
    f->end = end;
    f->ends++;
}

static int set_up(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    engine_world_begin(&f->w, answer, f);
    struct ing_driver driver = engine_world_driver(f);
    driver.prepare = prepare;
    driver.page_done = page_done;
    driver.range_done = range_done;
    engine_world_open(&f->w, &driver, 4);
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

static bool has_ended(void *arg)
{
    const struct fixture *f = arg;
    return f->ends == 1;
}

static void run(struct fixture *f, const int pages[PAGES][ROWS_MAX], int64_t from_us)
{
    f->pages = pages;
    f->series.work = ing_minute_work("X:BTCUSD", "2024-01-02T00:00:00Z", "2024-01-02T01:00:00Z");
    f->series.work.from_us = from_us;
    f->series.work.to_us = from_us + MF_US_PER_HOUR;
    ing_series_init(&f->series, &f->w.config, 1);
    ing_engine_begin(f->w.engine, &f->series, NULL, 0, INT64_MIN, 0);
    assert_true(kafka_world_run(f->w.kafka, has_ended, f, WAIT_MS));
    ing_engine_remove(f->w.engine, &f->series);
}

// N11: a row that stands pages before its time must not make duplicates of all those between, of a last page
// above all, which no next one contradicts.
static void rows_older_than_the_page_before(void **state)
{
    struct fixture *f = *state;
    static const int pages[PAGES][ROWS_MAX] = {{0, 1, 30, 2, -1}, {3, 4, 5, 30, -1}};
    run(f, pages, ing_time("2024-01-02T00:00:00Z"));
    assert_int_equal(f->end, ING_RANGE_COMPLETE);
    assert_int_equal(f->published, 7);
    assert_int_equal(f->duplicates, 1); // the last one of the page before
}

// The minute under way and the next one: whether the one before is over by then, the clock decides.
static void windows_that_are_not_over(void **state)
{
    struct fixture *f = *state;
    static const int pages[PAGES][ROWS_MAX] = {{0, 1, 2, 3, -1}, {-1}};
    int64_t now_us = mf_clock_real_us();
    run(f, pages, now_us - now_us % MF_US_PER_MINUTE - 2 * MF_US_PER_MINUTE);
    assert_int_equal(f->end, ING_RANGE_COMPLETE);
    assert_in_range(f->forming, 1, 2);
    assert_int_equal(f->published + f->forming, 4);
    assert_int_equal(ing_engine_totals(f->w.engine)->forming, f->forming);
    const struct mf_metric *metric =
        MF_METRIC(f->w.kafka->metrics, &ing_metric_defs[ING_M_RECORDS], "bar", "forming");
    assert_int_equal((int)mf_metric_value(metric), (int)f->forming);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows_older_than_the_page_before),
        CASE(windows_that_are_not_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
