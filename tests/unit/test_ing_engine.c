// SPDX-License-Identifier: Apache-2.0
// The engine between a scripted provider and a mock cluster: pages one after the other, nothing remembered
// before it is acknowledged, failures that stay with their series, a rejected key that stops everything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

#include "tests/unit/ing_engine_world.h"

enum { WAIT_MS = 20000, SERIES_MAX = 4 };

// What the driver was told about one series.
struct told {
    struct ing_series series;
    unsigned pages, failed_pages, ends;
    uint64_t known_reject; // that was reported; 0 = none was
    uint64_t published, dead_letters;
    enum ing_range_end end;
    char code[MF_ERROR_CODE_SIZE];
    char next[256];
};

struct fixture {
    struct engine_world w;
    struct told told[SERIES_MAX];
    unsigned asked[SERIES_MAX]; // requests per series
    unsigned keys_rejected, drained;
    bool reject_key;
    bool large;             // what is refused is longer than a dead letter
    bool hold;              // no page leaves the table before SYM1's range has ended
    bool again;             // SYM0's second page begins with the row that the first one ended with
    unsigned volume;        // of all rows
    unsigned second_volume; // of those on the second page; 0 = the same
    unsigned wanted_ends;
    struct mf_kafka_reader *reader;
    struct mf_json *json;
    unsigned letters; // read back
    bool read;
};

// ---------------------------------------------------------------- the provider

// `count` minutes of SYM<n> from minute `first` of the range on, and a next page when there is one.
static void add_page(struct fixture *f, struct mf_buf *out, unsigned n, unsigned first, unsigned count,
                     const char *next)
{
    struct mf_buf body;
    mf_buf_init(&body, 100000);
    mf_buf_addf(&body, "{\"ticker\":\"SYM%u\",\"status\":\"OK\",\"results\":[", n);
    for (unsigned i = first; i < first + count; i++)
        mf_buf_addf(&body, "%s{\"v\":%u,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"t\":%lld}", i > first ? "," : "",
                    f->volume, (long long)(f->told[n].series.work.from_us / 1000 + i * 60000LL));
    mf_buf_add_c(&body, "]");
    if (next != NULL)
        mf_buf_addf(&body, ",\"next_url\":\"%s\"", next);
    mf_buf_add_c(&body, "}");
    mf_buf_addf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", body.len, mf_buf_c_str(&body));
    mf_buf_free(&body);
}

static void add_error(struct mf_buf *out, int status, const char *body)
{
    mf_buf_addf(out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

enum { LARGE = 600 * 1024 };

// Bad rows and answers as they come: longer than a dead letter may be when that is wanted.
static void add_refused(struct fixture *f, struct mf_buf *out, int status, const char *before,
                        const char *after)
{
    char *pad = mf_calloc(1, LARGE + 1);
    memset(pad, 'x', f->large ? LARGE : 1);
    size_t len = strlen(before) + strlen(pad) + strlen(after);
    mf_buf_addf(out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status, len);
    mf_buf_add_c(out, before);
    mf_buf_add_c(out, pad);
    mf_buf_add_c(out, after);
    free(pad);
}

// SYM0: two pages. SYM1: fails twice, then one page. SYM2: unknown. SYM3: a bad row, then a foreign next
// page.
static enum http_script_after answer(void *arg, const char *path, struct mf_buf *out)
{
    struct fixture *f = arg;
    unsigned n = (unsigned)(strstr(path, "SYM")[3] - '0');
    assert_in_range(n, 0, SERIES_MAX - 1);
    unsigned asked = f->asked[n]++;
    if (f->reject_key) {
        add_error(out, 401, "{\"status\":\"ERROR\",\"error\":\"Unknown API Key\"}");
    } else if (n == 0 && strstr(path, "cursor=two") != NULL) {
        f->volume = f->second_volume != 0 ? f->second_volume : 1;
        add_page(f, out, 0, f->again ? 2 : 3, f->again ? 3 : 2, NULL);
    } else if (n == 0) {
        f->volume = 1;
        add_page(f, out, 0, 0, 3, "https://api.massive.com/v2/aggs/ticker/SYM0/x?cursor=two&apiKey=k");
    } else if (n == 1 && f->hold) {
        add_error(out, 403, "{\"status\":\"NOT_AUTHORIZED\",\"message\":\"upgrade\"}");
    } else if (n == 1 && asked < 2) {
        add_error(out, asked == 0 ? 502 : 429, "<html>");
    } else if (n == 1) {
        add_page(f, out, 1, 0, 1, NULL);
    } else if (n == 2) {
        add_refused(
            f, out, 404,
            "{\"status\":\"NOT_FOUND\",\"message\":\"key s3cret\",\"request_id\":\"r-42\",\"more\":\"",
            "\"}");
    } else {
        add_refused(f, out, 200,
                    "{\"status\":\"OK\",\"request_id\":\"r-43\",\"results\":[{\"t\":NaN,\"more\":\"",
                    "\"}],\"next_url\":\"https://elsewhere.test/\"}");
    }
    return HTTP_SCRIPT_KEEP_OPEN;
}

// ---------------------------------------------------------------- the driver

static struct told *of(struct ing_series *series)
{
    return (struct told *)(void *)series;
}

static void page_done(void *arg, struct ing_series *series, const struct ing_page_result *result)
{
    (void)arg;
    struct told *told = of(series);
    assert_int_equal(result->page, told->pages);
    told->pages++;
    told->published += result->published;
    told->dead_letters += result->dead_letters;
    mf_str_copy(told->next, sizeof told->next, mf_str_of(result->next));
}

// One is remembered per series; a failed page takes it back.
static bool wanted_reject(void *arg, struct ing_series *series, uint64_t hash)
{
    (void)arg;
    struct told *told = of(series);
    if (told->known_reject == hash)
        return false;
    told->known_reject = hash;
    return true;
}

static void page_failed(void *arg, struct ing_series *series)
{
    (void)arg;
    of(series)->failed_pages++;
    of(series)->known_reject = 0;
}

static void range_done(void *arg, struct ing_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    (void)arg;
    struct told *told = of(series);
    assert_int_equal(series->state, ING_SERIES_IDLE);
    assert_int_equal(end != ING_RANGE_COMPLETE, err != NULL);
    told->ends++;
    told->end = end;
    if (err != NULL)
        mf_str_copy(told->code, sizeof told->code, mf_str_of(err->code));
}

static bool may_publish(void *arg, struct ing_series *series)
{
    const struct fixture *f = arg;
    (void)series;
    return !f->hold || f->told[1].ends > 0;
}

static void key_rejected(void *arg, const struct mf_error *err)
{
    struct fixture *f = arg;
    assert_string_equal(err->code, "key_rejected");
    f->keys_rejected++;
}

static void drained(void *arg)
{
    struct fixture *f = arg;
    f->drained++;
}

// ---------------------------------------------------------------- the fixture

static int set_up(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->volume = 1;
    engine_world_begin(&f->w, answer, f);
    f->w.config.rate_limit_wait_ms = 200;
    f->w.config.retry_base_ms = 10;
    f->w.config.retry_max_ms = 50;
    struct ing_driver driver = engine_world_driver(f);
    driver.wanted_reject = wanted_reject;
    driver.may_publish = may_publish;
    driver.page_done = page_done;
    driver.page_failed = page_failed;
    driver.range_done = range_done;
    driver.key_rejected = key_rejected;
    driver.drained = drained;
    engine_world_open(&f->w, &driver, 4);
    for (unsigned n = 0; n < SERIES_MAX; n++) {
        char symbol[8];
        snprintf(symbol, sizeof symbol, "SYM%u", n);
        f->told[n].series.work = ing_minute_work(symbol, "2024-01-02T14:30:00Z", "2024-01-02T15:30:00Z");
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

static bool all_ended(void *arg)
{
    const struct fixture *f = arg;
    unsigned ends = 0;
    for (unsigned n = 0; n < SERIES_MAX; n++)
        ends += f->told[n].ends;
    return ends == f->wanted_ends;
}

static void begin(struct fixture *f, unsigned n)
{
    ing_engine_begin(f->w.engine, &f->told[n].series, NULL, 0, INT64_MIN, 0);
}

static void run_until_ended(struct fixture *f, unsigned ends)
{
    f->wanted_ends = ends;
    assert_true(kafka_world_run(f->w.kafka, all_ended, f, WAIT_MS));
}

// ---------------------------------------------------------------- cases

static void test_pages(void **state)
{
    struct fixture *f = *state;
    begin(f, 0);
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->told[0].pages, 2);
    assert_int_equal(f->told[0].published, 5);
    assert_int_equal(f->asked[0], 2);
    assert_null(strstr(http_script_last_request(f->w.script), "apiKey")); // N08, N52
    assert_non_null(strstr(http_script_last_request(f->w.script), "Authorization: Bearer s3cret"));
    assert_int_equal(ing_engine_totals(f->w.engine)->events[MF_EVENT_BAR], 5);
    assert_int_equal(ing_engine_totals(f->w.engine)->pages, 2);
    // Both requests were due at some time, and the schedule's lateness knows of both.
    const struct mf_metric *late =
        MF_METRIC(f->w.kafka->metrics, &ing_metric_defs[ING_M_LATENESS], "polygon.bars.1m", "live");
    assert_int_equal((int)mf_metric_value(late), 2);
    // The same again from the second page on, as a resumed run does. What the newest event that it knows said
    // is not known any more: it is published again.
    ing_engine_begin(f->w.engine, &f->told[0].series, "/v2/aggs/ticker/SYM0/x?cursor=two", 1,
                     f->told[0].series.work.from_us + 3 * MF_US_PER_MINUTE, 0);
    f->told[0].pages = 1;
    run_until_ended(f, 2);
    assert_int_equal(f->told[0].published, 7);
}

// N11: a row that is there twice at the boundary of two pages, and one that has changed between them.
static void test_the_last_row_of_the_page_before(void **state)
{
    struct fixture *f = *state;
    f->again = true;
    begin(f, 0);
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].published, 5);
    assert_int_equal(ing_engine_totals(f->w.engine)->duplicates, 1);
    f->told[0].pages = 0;
    f->second_volume = 2;
    begin(f, 0);
    run_until_ended(f, 2);
    assert_int_equal(f->told[0].published, 5 + 6);
    assert_int_equal(ing_engine_totals(f->w.engine)->duplicates, 1);
}

static bool one_page(void *arg)
{
    const struct fixture *f = arg;
    return f->told[0].pages == 1;
}

static bool asked_once(void *arg)
{
    const struct fixture *f = arg;
    return f->asked[0] == 1 && ing_publisher_outstanding(f->w.publisher) > 0;
}

static void test_nothing_before_the_acknowledgement(void **state)
{
    struct fixture *f = *state;
    kafka_mock_delay(f->w.kafka, KAFKA_MOCK_PRODUCE, 700);
    begin(f, 0);
    assert_true(kafka_world_run(f->w.kafka, asked_once, f, WAIT_MS));
    kafka_world_pass(f->w.kafka, 200);
    assert_int_equal(f->told[0].pages, 0); // published, not acknowledged: nothing may be remembered
    assert_int_equal(f->asked[0], 1);      // and the next page waits
    assert_true(kafka_world_run(f->w.kafka, one_page, f, WAIT_MS));
    assert_string_equal(f->told[0].next, "/v2/aggs/ticker/SYM0/x?cursor=two");
    run_until_ended(f, 1);
}

static void test_a_lost_record_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    kafka_mock_fail(f->w.kafka, KAFKA_MOCK_PRODUCE, kafka_code("MSG_SIZE_TOO_LARGE"), 1);
    begin(f, 0);
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].failed_pages, 1);
    assert_int_equal(f->told[0].pages, 2);
    assert_int_equal(f->asked[0], 3);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
}

// Does the first line about the event hold the text?
static bool logged_with(const char *log, const char *event, const char *text)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    const char *at = strstr(log, wanted);
    assert_non_null(at);
    while (at > log && at[-1] != '\n')
        at--;
    size_t len = strcspn(at, "\n");
    return memmem(at, len, text, strlen(text)) != NULL;
}

static void test_failures_stay_with_their_series(void **state)
{
    struct fixture *f = *state;
    for (unsigned n = 0; n < SERIES_MAX; n++)
        begin(f, n);
    run_until_ended(f, 4);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->told[1].end, ING_RANGE_COMPLETE); // after a 502 and a 429
    assert_int_equal(f->asked[1], 3);
    assert_int_equal(f->told[2].end, ING_RANGE_UNKNOWN_TICKER);
    assert_int_equal(f->asked[2], 1);
    assert_int_equal(f->told[3].end,
                     ING_RANGE_REFUSED); // what its page had is a dead letter, and it was published
    assert_string_equal(f->told[3].code, "next_url_refused");
    assert_int_equal(f->told[3].dead_letters, 1);
    assert_int_equal(ing_engine_totals(f->w.engine)->dead_lettered, 2);
    assert_int_equal(ing_engine_totals(f->w.engine)->retries, 2);
    char *log = kafka_world_log(f->w.kafka);
    assert_null(strstr(log, "s3cret")); // N53
    // What went wrong can be found again by the provider's id of the answer; one without an id has no empty
    // one.
    assert_true(logged_with(log, "unknown_ticker", "\"correlation_id\":\"r-42\""));
    assert_true(logged_with(log, "next_page_refused", "\"correlation_id\":\"r-43\""));
    assert_false(logged_with(log, "rate_limited", "correlation_id"));
    free(log);
}

static bool on_table(void *arg)
{
    const struct fixture *f = arg;
    return f->told[0].series.state == ING_SERIES_PUBLISHING;
}

// N07: a refusal that is a right answer comes while another's page is on the table, and leaves that alone.
static void test_the_future_is_refused(void **state)
{
    struct fixture *f = *state;
    f->hold = true;
    f->told[1].series.work = ing_minute_work("SYM1", "2199-01-02T14:30:00Z", "2199-01-02T15:30:00Z");
    begin(f, 0);
    assert_true(kafka_world_run(f->w.kafka, on_table, f, WAIT_MS));
    begin(f, 1);
    run_until_ended(f, 2);
    assert_int_equal(f->told[1].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->told[1].pages, 0);
    assert_int_equal(f->asked[1], 1);
    assert_int_equal(f->told[1].series.failing_since_us, 0);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->told[0].pages, 2);
    assert_int_equal(f->told[0].published, 5);
    assert_int_equal(ing_engine_in_flight(f->w.engine), 0);
}

// What may be unknown is a complete range without anything: no dead letter, no complaint.
static void test_what_may_be_unknown(void **state)
{
    struct fixture *f = *state;
    f->told[2].series.may_be_unknown = true;
    begin(f, 2);
    run_until_ended(f, 1);
    assert_int_equal(f->told[2].end, ING_RANGE_COMPLETE);
    assert_int_equal(f->told[2].pages, 0);
    assert_int_equal(f->asked[2], 1);
    assert_int_equal(f->told[2].series.failing_since_us, 0);
    assert_int_equal(ing_engine_totals(f->w.engine)->dead_lettered, 0);
}

// The same question is answered in the same way every time; one dead letter says so.
static void test_a_refused_answer_is_reported_once(void **state)
{
    struct fixture *f = *state;
    kafka_mock_fail(f->w.kafka, KAFKA_MOCK_PRODUCE, kafka_code("MSG_SIZE_TOO_LARGE"), 1);
    begin(f, 2);
    run_until_ended(f, 1);
    assert_int_equal(f->told[2].failed_pages, 1); // the first dead letter was lost, and was written again
    assert_int_equal(f->asked[2], 2);
    for (unsigned again = 2; again < 5; again++) {
        begin(f, 2);
        run_until_ended(f, again);
        assert_int_equal(f->told[2].end, ING_RANGE_UNKNOWN_TICKER);
        assert_string_equal(f->told[2].code, "unknown_ticker");
    }
    assert_int_equal(f->asked[2], 5);
    assert_int_equal(ing_engine_totals(f->w.engine)->dead_lettered, 1);
}

static void on_letter(void *arg, const struct mf_kafka_message *message)
{
    struct fixture *f = arg;
    struct mf_event event;
    struct mf_event_problems problems;
    struct mf_error err;
    assert_int_equal(mf_event_decode(f->json, message->value, &event, &problems, &err), 0);
    assert_true(event.dead_letter.raw_size > LARGE);
    assert_int_equal(event.dead_letter.raw_sha256.len, 64);
    f->letters++;
}

static void on_read(void *arg)
{
    struct fixture *f = arg;
    f->read = true;
}

static void on_read_error(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static bool is_read(void *arg)
{
    const struct fixture *f = arg;
    return f->read;
}

// A row and an answer that are longer than a dead letter: what is left of them says how long they were.
static void test_what_is_cut_says_so(void **state)
{
    struct fixture *f = *state;
    struct mf_kafka_reader_ops ops = {
        .on_message = on_letter, .on_done = on_read, .on_error = on_read_error, .arg = f};
    struct mf_error err;
    f->large = true;
    begin(f, 2);
    begin(f, 3);
    run_until_ended(f, 2);
    f->json = mf_json_new();
    assert_int_equal(mf_kafka_reader_new(&f->w.kafka->kafka, "dlq", WAIT_MS, &ops, &f->reader, &err), 0);
    assert_true(kafka_world_run(f->w.kafka, is_read, f, WAIT_MS));
    assert_int_equal(f->letters, 2);
    mf_kafka_reader_free(&f->reader);
    mf_json_free(&f->json);
}

static bool parked(void *arg)
{
    const struct fixture *f = arg;
    return f->keys_rejected > 0;
}

static void test_a_rejected_key(void **state)
{
    struct fixture *f = *state;
    f->reject_key = true;
    for (unsigned n = 0; n < 2; n++)
        begin(f, n);
    assert_true(kafka_world_run(f->w.kafka, parked, f, WAIT_MS));
    kafka_world_pass(f->w.kafka, 100); // what was under way comes in
    unsigned asked = f->asked[0] + f->asked[1];
    kafka_world_pass(f->w.kafka, 200);
    assert_int_equal(f->asked[0] + f->asked[1], asked); // N06: no hammering
    assert_int_equal(f->keys_rejected, 1);
    assert_true(ing_engine_is_parked(f->w.engine));
    f->reject_key = false;
    f->asked[1] = 2;
    ing_engine_resume(f->w.engine);
    run_until_ended(f, 2);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
}

static void test_patience_ends(void **state)
{
    struct fixture *f = *state;
    snprintf(f->w.base_url, sizeof f->w.base_url, "http://127.0.0.1:%d", http_script_port(f->w.script));
    http_script_free(&f->w.script); // nobody listens any more
    begin(f, 0);
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].end, ING_RANGE_GAVE_UP);
    assert_string_equal(f->told[0].code, "connect");
    assert_int_equal(ing_engine_totals(f->w.engine)->requests, 4);
    assert_true(f->told[0].series.failing_since_us != 0);
}

static bool is_drained(void *arg)
{
    const struct fixture *f = arg;
    return f->drained > 0;
}

static void test_drain(void **state)
{
    struct fixture *f = *state;
    kafka_mock_delay(f->w.kafka, KAFKA_MOCK_PRODUCE, 300);
    begin(f, 0);
    assert_true(kafka_world_run(f->w.kafka, asked_once, f, WAIT_MS));
    ing_engine_drain(f->w.engine);
    assert_int_equal(f->drained, 0); // the page on its way is worth waiting for
    assert_true(kafka_world_run(f->w.kafka, is_drained, f, WAIT_MS));
    assert_int_equal(f->told[0].pages, 1);
    assert_int_equal(f->asked[0], 1); // nothing new was asked for
    assert_int_equal(f->drained, 1);
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    for (unsigned n = 0; n < 2; n++)
        begin(f, n);
    ing_engine_remove(f->w.engine, &f->told[0].series);
    ing_engine_remove(f->w.engine, &f->told[0].series); // is gone
    run_until_ended(f, 1);
    assert_int_equal(f->told[0].pages, 0);
    assert_int_equal(f->told[1].end, ING_RANGE_COMPLETE);
    begin(f, 0); // a removed series may come back
    run_until_ended(f, 2);
    assert_int_equal(f->told[0].end, ING_RANGE_COMPLETE);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_pages),
        CASE(test_the_last_row_of_the_page_before),
        CASE(test_nothing_before_the_acknowledgement),
        CASE(test_a_lost_record_is_asked_for_again),
        CASE(test_failures_stay_with_their_series),
        CASE(test_the_future_is_refused),
        CASE(test_what_may_be_unknown),
        CASE(test_a_refused_answer_is_reported_once),
        CASE(test_what_is_cut_says_so),
        CASE(test_a_rejected_key),
        CASE(test_patience_ends),
        CASE(test_drain),
        CASE(test_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
