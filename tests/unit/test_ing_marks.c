// SPDX-License-Identifier: Apache-2.0
// Watermarks of a backfill's series that cannot be queued: a page waits for the mark before it, and a queue
// that has no room for the mark is asked again later, not from within.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/ingestor/backfill_private.h"
#include "tests/unit/ing_engine_world.h"

enum { WAIT_MS = 20000 };

struct fixture {
    struct backfill backfill; // first: what the driver gets
    struct engine_world w;
    struct mf_service service;
    struct ing_app app;
    struct backfill_series series;
    unsigned pages, ends;
};

// By the time that the page is there, the queue has no room left.
static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    struct mf_error err;
    (void)path;
    while (ing_publisher_watermark(f->w.publisher, NULL, MF_STR("filler"), MF_STR("x"), &err) == 0)
        ;
    assert_string_equal(err.code, "queue_full");
    char body[256];
    snprintf(body, sizeof body,
             "{\"ticker\":\"SYM\",\"status\":\"OK\",\"results\":["
             "{\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"t\":%lld}]}",
             (long long)(f->series.base.work.from_us / MF_US_PER_MS));
    mf_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    return HTTP_SCRIPT_KEEP_OPEN;
}

static void page_done(void *arg, struct ing_series *series, const struct ing_page_result *result)
{
    struct fixture *f = arg;
    (void)series;
    assert_int_equal(result->published, 1);
    f->pages++;
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
    engine_world_begin_with(&f->w, answer, f, "KAFKA_QUEUE_MESSAGES=1000");
    kafka_mock_topic(f->w.kafka, f->w.config.topic_watermarks, 1);
    struct ing_driver driver = ing_backfill_driver(&f->backfill);
    driver.page_done = page_done;
    driver.range_done = range_done;
    driver.topic = "raw";
    driver.lane = "backfill:t";
    engine_world_open(&f->w, &driver, 4);
    f->service = (struct mf_service){.loop = f->w.kafka->loop, .log = f->w.kafka->log};
    f->app = (struct ing_app){.service = &f->service,
                              .config = f->w.config,
                              .calendar = f->w.calendar,
                              .publisher = f->w.publisher,
                              .engine = f->w.engine};
    f->backfill.app = &f->app;
    f->series.backfill = &f->backfill;
    f->series.base.work = ing_minute_work("SYM", "2024-01-02T14:30:00Z", "2024-01-02T15:30:00Z");
    ing_series_init(&f->series.base, &f->w.config, 1);
    ing_watermark_init(&f->series.mark);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    engine_world_end(&f->w);
    ing_backfill_free_series(&f->series);
    free(f);
    return 0;
}

static bool is_on_table(void *arg)
{
    const struct fixture *f = arg;
    return f->series.base.state == ING_SERIES_PUBLISHING;
}

static bool has_ended(void *arg)
{
    const struct fixture *f = arg;
    return f->ends > 0;
}

static void test_a_full_queue_is_not_asked_from_within(void **state)
{
    struct fixture *f = *state;
    kafka_mock_all_down(f->w.kafka, true); // what is queued stays there
    f->series.unsaved = true;              // the mark of the page before
    ing_engine_begin(f->w.engine, &f->series.base, NULL, 0, INT64_MIN, 0);
    assert_true(kafka_world_run(f->w.kafka, is_on_table, f, WAIT_MS));
    kafka_world_pass(f->w.kafka, 100); // it is tried again, and again
    assert_true(f->series.unsaved);
    assert_int_equal(f->series.marks_pending, 0);
    assert_int_equal(f->pages, 0);
    char *log = kafka_world_log(f->w.kafka);
    assert_non_null(strstr(log, "watermark_not_written"));
    free(log);
    kafka_mock_all_down(f->w.kafka, false);
    assert_true(kafka_world_run(f->w.kafka, has_ended, f, WAIT_MS));
    assert_int_equal(f->pages, 1);
    assert_false(f->series.unsaved);
    assert_int_equal(f->series.marks_pending, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_full_queue_is_not_asked_from_within, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
