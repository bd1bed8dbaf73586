// SPDX-License-Identifier: Apache-2.0
// Answers that are read row by row: the same pages as when they are read as one document, for right answers,
// odd ones, and thousands that were changed at random.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/backoff.h"
#include "tests/unit/ing_rows_same.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define BEGIN_MS INT64_C(1704205800000) // 2024-01-02T14:30:00Z

static struct ing_work work_of(enum ing_timespan timespan, const char *symbol)
{
    struct ing_work work = ing_minute_work(symbol, "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    work.timespan = timespan;
    return work;
}

// Whether it was read row by row.
static bool compare(struct ing_fixture *f, struct ing_two_pages *pages, const struct ing_work *work,
                    struct mf_str body)
{
    bool by_row;
    struct ing_reply reply = {
        .work = work, .asked_us = ing_time("2024-06-01T00:00:00Z"), .status = 200, .body = body};
    const char *differs = ing_two_pages_differ(pages, &f->config, &reply, &by_row);
    if (differs != NULL)
        fail_msg("%s differs: %.*s", differs, (int)(body.len < 2000 ? body.len : 2000), body.data);
    return by_row;
}

static void test_what_is_read_by_row(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        bool by_row;
        const char *body;
    } cases[] = {
        {true, "{\"results\":[{}]}"},
        {true, " { \"status\" : \"OK\" , \"results\" :\t[ { \"t\" : 1704205800000 } , {\"o\":1} ] } "},
        {true, "{\"status\":\"DELAYED\",\"results\":[{\"t\":1704205800000,\"o\":1,\"h\":\"2\",\"l\":1.0,"
               "\"c\":1e0,\"v\":0.30000000000000004,\"n\":12.0,\"vw\":null,\"otc\":true}]}"},
        {true, "{\"results\":[{\"t\":\"1704205800\",\"name\":\"caf\xc3\xa9\"}],\"next_url\":\"https://x\"}"},
        {true, "{\"a\":[{\"results\":[1]}],\"results\":[{\"t\":1704205800000}]}"},
        {true, "{\"results\":[{\"t\":-1,\"o\":-0,\"c\":1E+2,\"h\":0.5e-3}]}"},
        {false, "{\"status\":\"OK\",\"results\":[]}"},                              // nothing to read
        {false, "{\"ticker\":\"MSFT\",\"results\":[{\"t\":1704205800000}]}"},       // of another: forgotten
        {false, "{\"status\":\"ERROR\",\"error\":\"no\",\"results\":[{\"t\":1}]}"}, // an error as 200
        {false, "{\"status\":\"OK\",\"results\":null}"},
        {false, "{\"results\":[{\"t\":1,\"t\":2}]}"}, // a bad row
        {false, "{\"results\":[{\"t\":NaN},{\"t\":1704205800000}]}"},
        {false, "{\"results\":[{\"t\":01}]}"},
        {false, "{\"results\":[{\"t\":1.}]}"},
        {false, "{\"results\":[{\"t\":1e}]}"},
        {false, "{\"results\":[{\"t\":-}]}"},
        {false, "{\"results\":[{\"t\":+1}]}"},
        {false, "{\"results\":[{\"t\":truex}]}"},
        {false, "{\"results\":[{\"t\":1704205800000,\"s\":\"\\u0041\"}]}"}, // right, but not plain
        {false, "{\"results\":[{\"t\":1704205800000,\"x\":[1]}]}"},
        {false, "{\"results\":[{\"t\":1704205800000},5]}"},
        {false, "{\"results\":[{\"t\":1704205800000}],\"results\":[]}"}, // no answer at all
        {false, "{\"results\":[{\"t\":1704205800000}],\"r\\u0065sults\":[]}"},
        {false, "{\"results\":[{\"t\":1704205800000}]"},
        {false, "{\"results\":[{\"t\":1704205800000},]}"},
        {false, "{\"results\":[{\"t\":1704205800000} {\"t\":1704205860000}]}"},
        {false, "{\"results\":[{\"t\":1704205800000,}]}"},
        {false, "{\"results\":[{\"t\":1704205800000}]} x"},
        {false, "{\"results\":[{\"t\":1704205800000,\"s\":\"\xff\"}]}"},
        {false, "{\"results\":[{\"t\":1704205800000,\"s\":\"\x01\"}]}"},
        {false, "{\"results\":[{\"t\":1704205800000"},
        {false, "{\"results\":[{\"t\":1704205800000}],\"a\":NaN}"},
        {false, "[{\"results\":[{\"t\":1704205800000}]}]"},
        {false, ""},
    };
    struct ing_two_pages pages;
    struct ing_work work = work_of(ING_TIMESPAN_MINUTE, "AAPL");
    ing_two_pages_init(&pages);
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        if (compare(f, &pages, &work, mf_str_of(cases[i].body)) != cases[i].by_row)
            fail_msg("%s by row: %s", cases[i].by_row ? "not" : "was", cases[i].body);
    }
    ing_two_pages_free(&pages);
}

// Up to 16 members, 64 characters of a number and 256 of a string are plain; a document takes more.
static void test_limits_of_a_row(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_two_pages pages;
    struct ing_work work = work_of(ING_TIMESPAN_MINUTE, "AAPL");
    struct mf_buf body;
    mf_buf_init(&body, 4096);
    ing_two_pages_init(&pages);
    for (int more = 0; more < 2; more++) {
        mf_buf_clear(&body);
        mf_buf_add_c(&body, "{\"results\":[{\"t\":1704205800000");
        for (int i = 0; i < 15 + more; i++)
            mf_buf_addf(&body, ",\"k%d\":%d", i, i);
        mf_buf_add_c(&body, "}]}");
        assert_int_equal(compare(f, &pages, &work, mf_buf_str(&body)), more == 0);
        mf_buf_clear(&body);
        mf_buf_addf(&body, "{\"results\":[{\"t\":1704205800000,\"s\":\"%0*d\"}]}", 256 + more, 1);
        assert_int_equal(compare(f, &pages, &work, mf_buf_str(&body)), more == 0);
        mf_buf_clear(&body);
        mf_buf_addf(&body, "{\"results\":[{\"t\":1704205800000,\"o\":1.%0*d}]}", 62 + more, 1);
        assert_int_equal(compare(f, &pages, &work, mf_buf_str(&body)), more == 0);
    }
    mf_buf_free(&body);
    ing_two_pages_free(&pages);
}

static void add_rows(struct mf_buf *body, const char *ticker, unsigned count, uint64_t *random)
{
    mf_buf_addf(body, "{\"ticker\":\"%s\",\"resultsCount\":1,\"adjusted\":true,\"results\":[", ticker);
    for (unsigned i = 0; i < count; i++) {
        unsigned price = 1000 + (unsigned)(mf_random_next(random) % 9000);
        mf_buf_addf(
            body, "%s{\"v\":%u.%u,\"vw\":%u.5,\"o\":%u,\"c\":%u.1,\"h\":%u,\"l\":%u.05,\"t\":%lld,\"n\":%u}",
            i > 0 ? "," : "", price, price % 7, price, price, price, price + 9, price - 9,
            (long long)(BEGIN_MS + i * 60000LL), price % 100);
    }
    mf_buf_add_c(body, "],\"status\":\"OK\",\"request_id\":\"r\",\"count\":1}");
}

// As many rows as an answer may have, and one more, which no answer is allowed.
static void test_limit_of_rows(void **state)
{
    struct ing_fixture *f = *state;
    enum { ROWS_MAX = 51000 };
    struct ing_two_pages pages;
    struct ing_work work = work_of(ING_TIMESPAN_MINUTE, "X:BTCUSD");
    struct mf_buf body;
    uint64_t random = 1;
    mf_buf_init(&body, (size_t)8 * 1024 * 1024);
    ing_two_pages_init(&pages);
    add_rows(&body, "X:BTCUSD", ROWS_MAX, &random);
    assert_true(compare(f, &pages, &work, mf_buf_str(&body)));
    assert_int_equal(pages.by_row.count, ROWS_MAX);
    assert_int_equal(pages.by_row.counts.rows, ROWS_MAX);
    mf_buf_clear(&body);
    add_rows(&body, "X:BTCUSD", ROWS_MAX + 1, &random);
    assert_false(compare(f, &pages, &work, mf_buf_str(&body)));
    assert_int_equal(pages.by_row.answer, ING_ANSWER_TRANSIENT);
    // What was a page of rows before is none for the next feed.
    struct ing_work news = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    mf_buf_clear(&body);
    add_rows(&body, "X:BTCUSD", 10, &random);
    assert_true(compare(f, &pages, &work, mf_buf_str(&body)));
    assert_false(compare(f, &pages, &news, MF_STR("{\"status\":\"OK\",\"results\":[]}")));
    assert_int_equal(pages.by_row.count, 0);
    mf_buf_free(&body);
    ing_two_pages_free(&pages);
}

// A byte of the answer becomes another, goes, or comes twice.
static void mutate(struct mf_buf *body, uint64_t *random)
{
    static const char bytes[] = "0129.-+eE\"\\{}[]:, \ntfnulNvwochl\x80\xc3\xa9\x01x";
    for (unsigned changes = 1 + (unsigned)(mf_random_next(random) % 3); changes > 0; changes--) {
        size_t at = (size_t)(mf_random_next(random) % body->len);
        switch (mf_random_next(random) % 4) {
        case 0: body->data[at] = bytes[mf_random_next(random) % (sizeof bytes - 1)]; break;
        case 1: memmove(body->data + at, body->data + at + 1, body->len-- - at); break;
        case 2: body->data[at] = body->data[mf_random_next(random) % body->len]; break;
        default:
            mf_buf_add_char(body, ' ');
            memmove(body->data + at + 1, body->data + at, body->len - at - 1);
        }
    }
}

static void test_changed_at_random(void **state)
{
    struct ing_fixture *f = *state;
    enum { ROUNDS = 20000 };
    struct ing_two_pages pages;
    struct mf_buf body;
    uint64_t random = 20240102;
    unsigned by_row = 0;
    f->config.implausible_factor = 2; // so that prices are judged, and often found wanting
    mf_buf_init(&body, 100000);
    ing_two_pages_init(&pages);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const char *symbol = round % 3 == 0 ? "X:BTCUSD" : "AAPL";
        struct ing_work work = work_of(round % 2 == 0 ? ING_TIMESPAN_MINUTE : ING_TIMESPAN_DAY, symbol);
        mf_buf_clear(&body);
        add_rows(&body, symbol, 1 + round % 4, &random);
        mutate(&body, &random);
        by_row += compare(f, &pages, &work, mf_buf_str(&body));
    }
    // Both ways are gone often, or nothing was compared.
    assert_in_range(by_row, ROUNDS / 10, ROUNDS * 9 / 10);
    mf_buf_free(&body);
    ing_two_pages_free(&pages);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, ing_fixture_set_up, ing_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_read_by_row),
        CASE(test_limits_of_a_row),
        CASE(test_limit_of_rows),
        CASE(test_changed_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
