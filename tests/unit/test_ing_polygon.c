// SPDX-License-Identifier: Apache-2.0
// The Polygon provider: requests, what answers mean, bars. Fixtures are written by hand in the documented
// shapes; the case numbers (N…) are those of the provider's page.
#include "services/ingestor/polygon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

static const struct {
    int status;
    const char *body; // NULL = not JSON
    enum ing_answer answer;
    const char *code, *message;
} answers[] = {
    {200, "{\"status\":\"OK\",\"results\":[{}]}", ING_ANSWER_DATA, "", NULL},
    {200, "{\"status\":\"DELAYED\",\"results\":[{}]}", ING_ANSWER_DATA, "", NULL},
    {200, "{\"results\":[{}]}", ING_ANSWER_DATA, "", NULL},
    {200, "{\"status\":\"OK\",\"results\":[]}", ING_ANSWER_EMPTY, "", NULL},   // N01
    {200, "{\"status\":\"OK\",\"results\":null}", ING_ANSWER_EMPTY, "", NULL}, // N01
    {200, "{\"status\":\"OK\"}", ING_ANSWER_EMPTY, "", NULL},                  // N01
    {200, NULL, ING_ANSWER_TRANSIENT, "not_json", NULL},                       // N03
    {200, "[]", ING_ANSWER_TRANSIENT, "not_json", NULL},
    {200, "\"down\"", ING_ANSWER_TRANSIENT, "not_json", "down"},
    {200, "{\"status\":\"OK\",\"results\":{}}", ING_ANSWER_TRANSIENT, "unexpected_shape", NULL},
    {200, "{\"status\":\"ERROR\",\"error\":\"oops\"}", ING_ANSWER_TRANSIENT, "error_status", "oops"},
    {200, "{\"status\":\"ERROR\",\"error\":\"exceeded the maximum requests per minute\"}",
     ING_ANSWER_RATE_LIMITED, "rate_limited", "exceeded the maximum requests per minute"},
    {200, "{\"status\":\"NOT_AUTHORIZED\",\"message\":\"upgrade\"}", ING_ANSWER_PLAN_LIMIT, "plan_limit",
     "upgrade"},
    // Bodies that lie: errors that travel as 200, in every form that the vendor has had.
    {200, "{\"status\":\"NOT_FOUND\",\"message\":\"no\"}", ING_ANSWER_UNKNOWN_TICKER, "unknown_ticker", "no"},
    {200, "{\"status\":\"ERROR\",\"error\":\"Unknown API Key\"}", ING_ANSWER_KEY_REJECTED, "key_rejected",
     "Unknown API Key"},
    {200, "{\"errorcode\":\"001\",\"status\":\"ERROR\",\"success\":false}", ING_ANSWER_TRANSIENT,
     "error_status", NULL},
    {200, "{\"errorcode\":\"001\",\"success\":false}", ING_ANSWER_TRANSIENT, "unexpected_shape", NULL},
    {200, "{\"error\":\"oops\"}", ING_ANSWER_TRANSIENT, "error_status", "oops"},
    {200, "{\"message\":\"oops\"}", ING_ANSWER_TRANSIENT, "error_status", "oops"},
    {200, "{\"status\":\"OK\",\"error\":\"oops\"}", ING_ANSWER_TRANSIENT, "error_status", "oops"},
    {200, "{\"status\":\"OK\",\"error\":\"oops\",\"results\":[{}]}", ING_ANSWER_DATA, "", "oops"},
    {200, "{}", ING_ANSWER_TRANSIENT, "unexpected_shape", NULL},
    {200, "{\"status\":7}", ING_ANSWER_TRANSIENT, "unexpected_shape", NULL},
    {200, "null", ING_ANSWER_TRANSIENT, "not_json", NULL},
    {200, "[{\"status\":\"OK\"}]", ING_ANSWER_TRANSIENT, "not_json", NULL},
    {302, NULL, ING_ANSWER_TRANSIENT, "redirect_refused", NULL},
    {400, "{\"status\":\"ERROR\",\"error\":\"bad\"}", ING_ANSWER_PERMANENT, "bad_request", "bad"},
    {401, "{\"status\":\"ERROR\",\"error\":\"Unknown API Key\"}", ING_ANSWER_KEY_REJECTED, "key_rejected",
     "Unknown API Key"},
    {401, NULL, ING_ANSWER_KEY_REJECTED, "key_rejected", NULL}, // N06, HTML
    {401, "[\"Unknown API Key\"]", ING_ANSWER_KEY_REJECTED, "key_rejected", NULL},
    {401, "\"Unknown API Key\"", ING_ANSWER_KEY_REJECTED, "key_rejected", "Unknown API Key"},
    {403, "\"not entitled\"", ING_ANSWER_PLAN_LIMIT, "plan_limit", "not entitled"},
    {403, NULL, ING_ANSWER_PLAN_LIMIT, "plan_limit", NULL},
    {403, "{\"status\":\"NOT_AUTHORIZED\",\"message\":\"upgrade your plan\"}", ING_ANSWER_PLAN_LIMIT,
     "plan_limit", "upgrade your plan"},
    {403, "{\"status\":\"ERROR\",\"error\":\"not entitled\"}", ING_ANSWER_PLAN_LIMIT, "plan_limit",
     "not entitled"},
    {404, "{\"status\":\"NOT_FOUND\",\"message\":\"no\"}", ING_ANSWER_UNKNOWN_TICKER, "unknown_ticker", "no"},
    {404, NULL, ING_ANSWER_PERMANENT, "not_found", NULL},
    {404, "[]", ING_ANSWER_PERMANENT, "not_found", NULL},
    {408, NULL, ING_ANSWER_TRANSIENT, "http_error", NULL},
    {414, NULL, ING_ANSWER_PERMANENT, "http_error", NULL},
    {429, "{\"status\":\"ERROR\",\"error\":\"slow down\"}", ING_ANSWER_RATE_LIMITED, "rate_limited",
     "slow down"},
    {429, NULL, ING_ANSWER_RATE_LIMITED, "rate_limited", NULL}, // N04
    {500, "{\"errorcode\":\"001\",\"status\":\"ERROR\",\"success\":false}", ING_ANSWER_TRANSIENT,
     "server_error", NULL},
    {500, "[\"oops\"]", ING_ANSWER_TRANSIENT, "server_error", NULL},
    {503, "\"overloaded\"", ING_ANSWER_TRANSIENT, "server_error", "overloaded"},
    {504, NULL, ING_ANSWER_TRANSIENT, "server_error", NULL},
    {204, NULL, ING_ANSWER_TRANSIENT, "http_error", NULL},
};

static void test_classify(void **state)
{
    (void)state;
    struct mf_json *json = mf_json_new();
    for (size_t i = 0; i < MF_ARRAY_LEN(answers); i++) {
        const struct mf_json_node *root = NULL;
        if (answers[i].body != NULL)
            assert_int_equal(
                mf_json_parse(json, mf_str_of(answers[i].body), &mf_json_limits_body, &root, NULL), 0);
        char code[MF_ERROR_CODE_SIZE] = "left";
        struct mf_str message;
        static const struct ing_work bars = {.feed = ING_FEED_BARS};
        enum ing_answer answer = ing_polygon_classify(&bars, answers[i].status, root, code, &message);
        if (answer != answers[i].answer || strcmp(code, answers[i].code) != 0 ||
            !mf_str_eq(message, mf_str_of(answers[i].message)))
            fail_msg("%d %s: %s %s", answers[i].status, answers[i].body, ing_answer_name(answer), code);
    }
    mf_json_free(&json);
}

// N07: the vendor refuses what has not begun in the words of a plan's limit. Nothing of it is missing.
static void test_the_future_is_no_plan_limit(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const refusals[] = {
        "{\"status\":\"NOT_AUTHORIZED\",\"request_id\":\"r\",\"message\":\"Your plan doesn't include this "
        "data "
        "timeframe.\"}",
        "{\"status\":\"ERROR\",\"request_id\":\"r\",\"error\":\"not entitled\"}"};
    static const struct {
        const char *from, *to;
        enum ing_answer answer;
    } cases[] = {// asked at 2024-12-31T00:00:00Z
                 {"2024-12-31T05:00:00Z", "2025-01-01T05:00:00Z", ING_ANSWER_EMPTY},
                 {"2025-06-01T05:00:00Z", "2025-07-01T05:00:00Z", ING_ANSWER_EMPTY},
                 {"2024-12-30T05:00:00Z", "2025-01-01T05:00:00Z", ING_ANSWER_PLAN_LIMIT},
                 {"2010-01-01T05:00:00Z", "2010-01-02T05:00:00Z", ING_ANSWER_PLAN_LIMIT}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases) * MF_ARRAY_LEN(refusals); i++) {
        size_t at = i / MF_ARRAY_LEN(refusals);
        struct ing_work work = ing_minute_work("AAPL", cases[at].from, cases[at].to);
        work.timespan = ING_TIMESPAN_DAY;
        ing_decode(f, &work, 403, NULL, refusals[i % MF_ARRAY_LEN(refusals)]);
        assert_int_equal(f->page.answer, cases[at].answer);
        assert_string_equal(f->page.code, cases[at].answer == ING_ANSWER_EMPTY ? "" : "plan_limit");
        assert_int_equal(f->page.count, 0);
    }
    // What is known now has begun: the day that it is asked for begins later in New York than in UTC.
    static const enum ing_feed of_now[] = {ING_FEED_SYMBOLS, ING_FEED_CONTRACTS, ING_FEED_CHAIN,
                                           ING_FEED_PREVIOUS};
    for (size_t i = 0; i < MF_ARRAY_LEN(of_now); i++) {
        struct ing_work work = ing_minute_work("AAPL", cases[0].from, cases[0].to);
        work.feed = of_now[i];
        ing_decode(f, &work, 403, NULL, refusals[0]);
        assert_int_equal(f->page.answer, ING_ANSWER_PLAN_LIMIT);
    }
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    const char *endpoint;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, NULL), 0);
    assert_string_equal(endpoint, "bars");
    assert_string_equal(
        mf_buf_c_str(&url),
        "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/minute/1704205800000/1704206399999"
        "?adjusted=true&sort=asc&limit=50000");
    // From midnight in New York to midnight: the dates of the days, the last one included.
    work = ing_minute_work("AAPL", "2024-01-02T05:00:00Z", "2024-02-01T05:00:00Z");
    work.timespan = ING_TIMESPAN_DAY;
    work.adjusted = MF_ADJUSTED_NONE;
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, NULL), 0);
    assert_string_equal(mf_buf_c_str(&url),
                        "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/2024-01-02/2024-01-31"
                        "?adjusted=false&sort=asc&limit=50000");
    work = ing_minute_work("X:BTCUSD", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z");
    work.timespan = ING_TIMESPAN_DAY;
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, NULL), 0);
    assert_non_null(strstr(mf_buf_c_str(&url), "/ticker/X%3ABTCUSD/range/1/day/2024-01-02/2024-01-02?"));
    work = ing_news_work("AAPL", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z");
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, NULL), 0);
    assert_string_equal(endpoint, "news");
    assert_string_equal(mf_buf_c_str(&url), "https://api.massive.com/v2/reference/news?ticker=AAPL"
                                            "&published_utc.gte=2024-01-02T00%3A00%3A00.000Z"
                                            "&published_utc.lt=2024-01-03T00%3A00%3A00.000Z"
                                            "&sort=published_utc&order=asc&limit=1000");
    work.to_us = work.from_us;
    struct mf_error err;
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), -1);
    assert_string_equal(err.code, "bad_work");
    // N08, N52: pages may name either of the vendor's hosts, and no other.
    assert_int_equal(ing_polygon.build_next(
                         &f->config, MF_STR("https://api.polygon.io:443/v2/x?cursor=a&apiKey=K"), &url, &err),
                     0);
    assert_string_equal(mf_buf_c_str(&url), "https://api.massive.com/v2/x?cursor=a");
    assert_int_equal(ing_polygon.build_next(&f->config, MF_STR("https://elsewhere.test/v2/x"), &url, &err),
                     -1);
    assert_string_equal(err.code, "next_url_refused");
    mf_buf_free(&url);
}

#define ROW(t)                                                                                             \
    "{\"v\":41203.5,\"vw\":187.1712,\"o\":187.15,\"c\":187.22,\"h\":187.4,\"l\":186.9,\"t\":" #t ",\"n\":" \
    "392}"

static void test_bars(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 200, "replay",
               "{\"ticker\":\"AAPL\",\"queryCount\":1,\"resultsCount\":1,\"adjusted\":true,\"results\":[" ROW(
                   1704205800000) "],"
                                  "\"status\":\"OK\",\"request_id\":\"a1b2\",\"count\":1,\"next_url\":"
                                  "\"https://api.massive.com/v2/n?cursor=c\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.count, 1);
    assert_string_equal(f->page.request_id, "a1b2");
    assert_true(mf_str_eq_c(f->page.next, "https://api.massive.com/v2/n?cursor=c"));
    ing_event(f, 0);
    struct mf_event *e = &f->event;
    assert_int_equal(e->type, MF_EVENT_BAR);
    assert_true(mf_str_eq_c(e->symbol, "AAPL"));
    assert_true(mf_str_eq_c(e->source, "polygon"));
    assert_int_equal(e->mode, MF_MODE_REPLAY);
    assert_int_equal(e->flags, 0);
    assert_int_equal(e->event_time_us, ing_time("2024-01-02T14:30:00Z"));
    assert_int_equal(e->bar.window_end_us, ing_time("2024-01-02T14:31:00Z"));
    assert_int_equal(e->bar.session, MF_SESSION_REGULAR);
    assert_int_equal(e->bar.interval, MF_INTERVAL_1M);
    assert_int_equal(e->bar.adjusted, MF_ADJUSTED_SPLIT);
    assert_int_equal(e->bar.trade_count, 392);
    assert_int_equal(e->bar.vendor_ms, 1704205800000);
    assert_true(mf_str_eq_c(e->bar.open, "187.15"));
    assert_true(mf_str_eq_c(e->bar.volume, "41203.5")); // N27
    assert_true(mf_str_eq_c(e->bar.vwap, "187.1712"));
    ing_encode(f);
}

static void test_envelope_flags(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    // N02, synthetic data, N29
    ing_decode(f, &work, 200, "synthetic",
               "{\"ticker\":\"AAPL\",\"adjusted\":true,\"status\":\"DELAYED\",\"results\":["
               "{\"v\":0,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"t\":1704205800000}]}");
    ing_event(f, 0);
    assert_int_equal(f->event.flags, MF_FLAG_DELAYED | MF_FLAG_IS_MOCK | MF_FLAG_PROXY_VWAP);
    assert_int_equal(f->event.mode, MF_MODE_SYNTHETIC);
    assert_int_equal(f->event.bar.trade_count, -1);
    assert_null(f->event.bar.vwap.data);
    ing_encode(f); // N28: no volume, but a price
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"AAPL\",\"status\":\"OK\",\"results\":[" ROW(1704205800000) "]}");
    assert_int_equal(f->page.mode, MF_MODE_REST);
    assert_int_equal(f->page.flags, 0);
}

static void test_wrong_envelope(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"aapl\",\"status\":\"OK\",\"results\":[" ROW(1704205800000) "]}"); // N37
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    assert_string_equal(f->page.code, "wrong_ticker");
    assert_int_equal(f->page.count, 0);
    ing_decode(
        f, &work, 200, NULL,
        "{\"ticker\":\"AAPL\",\"adjusted\":false,\"status\":\"OK\",\"results\":[" ROW(1704205800000) "]}");
    assert_string_equal(f->page.code, "wrong_adjustment");
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"status\":\"OK\",\"results\":[]}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

static void test_order_range_duplicates(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:33:00Z");
    // N11: one before, one behind, unsorted, one twice with another close at the end
    ing_decode(
        f, &work, 200, NULL,
        "{\"ticker\":\"AAPL\",\"status\":\"OK\",\"results\":[" ROW(1704205740000) "," ROW(
            1704205860000) "," ROW(1704205800000) "," ROW(1704205920000) "," ROW(1704205980000) ","
                                                                                                "{\"v\":1,"
                                                                                                "\"o\":1,"
                                                                                                "\"c\":1,"
                                                                                                "\"h\":1,"
                                                                                                "\"l\":1,"
                                                                                                "\"t\":"
                                                                                                "170420586000"
                                                                                                "0}]}");
    assert_int_equal(f->page.counts.rows, 6);
    assert_int_equal(f->page.counts.out_of_range, 2);
    assert_int_equal(f->page.counts.duplicates, 1);
    assert_int_equal(f->page.counts.unsorted, 2);
    assert_int_equal(f->page.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->page.items[i].event_time_us, work.from_us + (int64_t)i * MF_US_PER_MINUTE);
    ing_event(f, 1);
    assert_true(mf_str_eq_c(f->event.bar.close, "1")); // the later row stays
    assert_int_equal(ing_page_last_time(&f->page), ing_time("2024-01-02T14:32:00Z"));
}

static void test_day_bars(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("MSFT", "2019-08-01T04:00:00Z", "2019-09-01T04:00:00Z");
    work.timespan = ING_TIMESPAN_DAY;
    // N12: the same day twice, once stamped at midnight, once at the close
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"MSFT\",\"adjusted\":true,\"status\":\"OK\",\"results\":["
               "{\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"t\":1565668800000},"
               "{\"v\":2,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":1565726400000}]}");
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.duplicates, 1);
    ing_event(f, 0);
    assert_int_equal(f->event.event_time_us, ing_time("2019-08-13T04:00:00Z"));
    assert_int_equal(f->event.bar.window_end_us, ing_time("2019-08-13T20:00:00Z"));
    assert_int_equal(f->event.bar.session_date.day, 13);
    assert_int_equal(f->event.bar.session, MF_SESSION_FULL);
    assert_int_equal(f->event.bar.vendor_ms, 1565726400000);
    assert_true(mf_str_eq_c(f->event.bar.open, "2"));
    ing_encode(f);
}

static void test_number_forms(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("X:TINYUSD", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    // N31, N32: strings, exponents, integers as 12.0; N33: seconds; a window of crypto has no session
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"X:TINYUSD\",\"status\":\"OK\",\"results\":[{\"v\":\"1.5e2\",\"vw\":1e-7,\"o\":"
               "1e-7,\"c\":"
               "\"0.0000001\",\"h\":1.0E-7,\"l\":0.00000010,\"t\":1704205800,\"n\":12.0,\"otc\":true}]}");
    ing_event(f, 0);
    const struct mf_bar *bar = &f->event.bar;
    assert_true(mf_str_eq_c(bar->volume, "150"));
    assert_true(mf_str_eq_c(bar->open, "0.0000001"));
    assert_true(mf_str_eq_c(bar->high, "0.00000010"));
    assert_true(mf_str_eq_c(bar->low, "0.00000010"));
    assert_int_equal(bar->trade_count, 12);
    assert_int_equal(bar->otc, 1);
    assert_int_equal(bar->session, MF_SESSION_FULL);
    assert_int_equal(bar->adjusted, MF_ADJUSTED_NONE);
    assert_int_equal(f->event.asset_class, MF_ASSET_CRYPTO);
    assert_int_equal(bar->vendor_ms, 1704205800000);
    ing_encode(f);
    static const char *const stamps[] = {"1704205800",          "1704205800000",     "1704205800000000",
                                         "1704205800000000000", "\"1704205800000\"", "1704205800000.0",
                                         "1.7042058e12"};
    for (size_t i = 0; i < MF_ARRAY_LEN(stamps); i++) {
        char body[300];
        snprintf(body, sizeof body,
                 "{\"status\":\"OK\",\"results\":[{\"v\":600000.1,\"o\":600000,\"c\":600000,\"h\":600000,"
                 "\"l\":600000,\"t\":%s}]}",
                 stamps[i]);
        ing_decode(f, &work, 200, NULL, body);
        ing_event(f, 0);
        assert_int_equal(f->event.bar.vendor_ms, 1704205800000);
    }
}

static void test_volume_decimals(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("X:BTCUSD", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"303067.6562332156", "303067.65623322"},
        {"0.30000000000000004", "0.30000000"},
        {"1.123456785", "1.12345678"}, // half to even
        {"1.123456775", "1.12345678"},
        {"1.1234567851", "1.12345679"},
        {"9.9999999999", "10.00000000"},
        {"\"0.1234567891\"", "0.12345679"},
        {"12.12345678", "12.12345678"},
        {"7", "7"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char body[300];
        snprintf(body, sizeof body,
                 "{\"status\":\"OK\",\"results\":[{\"v\":%s,\"vw\":%s,\"o\":9,\"c\":9,\"h\":9,\"l\":9,\"t\":"
                 "1704205800000}]}",
                 cases[i].text, cases[i].text);
        ing_decode(f, &work, 200, NULL, body);
        ing_event(f, 0);
        if (!mf_str_eq_c(f->event.bar.volume, cases[i].expected) ||
            !mf_str_eq_c(f->event.bar.vwap, cases[i].expected))
            fail_msg("%s: %.*s", cases[i].text, MF_STR_ARG(f->event.bar.volume));
    }
    // A price is never rounded, and a volume that is no number is none.
    ing_decode(f, &work, 200, NULL,
               "{\"status\":\"OK\",\"results\":[{\"v\":1,\"o\":9.123456789,\"c\":9,\"h\":10,\"l\":9,\"t\":"
               "1704205800000}]}");
    assert_string_equal(ing_verdict(f, 0), "number_out_of_range");
    static const char *const bad[] = {"1.2.345678901", ".9999999999", "09.9999999999", "9.9999999999x"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        char body[300];
        snprintf(body, sizeof body,
                 "{\"status\":\"OK\",\"results\":[{\"v\":\"%s\",\"o\":9,\"c\":9,\"h\":9,\"l\":9,\"t\":"
                 "1704205800000}]}",
                 bad[i]);
        ing_decode(f, &work, 200, NULL, body);
        assert_string_equal(ing_verdict(f, 0), "bad_number");
    }
}

static void test_index_without_volume(void **state)
{
    struct ing_fixture *f = *state;
    static const char body[] =
        "{\"status\":\"OK\",\"results\":[{\"o\":9,\"c\":9,\"h\":9,\"l\":9,\"t\":1704205800000}]}";
    struct ing_work work = ing_minute_work("I:SPX", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 200, NULL, body);
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.bar.volume, "0"));
    assert_int_equal(f->event.bar.session, MF_SESSION_REGULAR);
    ing_encode(f);
    work = ing_minute_work("SPY", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 200, NULL, body);
    assert_string_equal(ing_verdict(f, 0), "missing_field");
}

static void test_bad_rows(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    static const struct {
        const char *row, *reason;
    } cases[] = {
        // N30
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":1,\"l\":2,\"t\":1704205800000}", "ohlc_inconsistent"},
        {"{\"v\":1,\"o\":2,\"c\":9,\"h\":3,\"l\":2,\"t\":1704205800000}", "ohlc_inconsistent"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":3,\"l\":-1,\"t\":1704205800000}", "bad_value"},
        {"{\"v\":1,\"o\":0,\"c\":2,\"h\":3,\"l\":0,\"t\":1704205800000}", "bad_value"},
        {"{\"v\":-1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":1704205800000}", "bad_value"},
        {"{\"v\":1,\"o\":2,\"c\":NaN,\"h\":2,\"l\":2,\"t\":1704205800000}", "json_syntax"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":Infinity,\"l\":2,\"t\":1704205800000}", "json_syntax"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":1704205800000,\"t\":1704205800000}",
         "json_duplicate_key"},
        {"{\"v\":1,\"o\":2,\"h\":2,\"l\":2,\"t\":1704205800000}", "missing_field"},
        {"{\"v\":1,\"o\":2,\"c\":null,\"h\":2,\"l\":2,\"t\":1704205800000}", "missing_field"},
        {"{\"v\":1,\"o\":2,\"c\":\"n/a\",\"h\":2,\"l\":2,\"t\":1704205800000}", "bad_number"},
        {"{\"v\":1,\"o\":2,\"c\":[2],\"h\":2,\"l\":2,\"t\":1704205800000}", "bad_type"},
        {"{\"v\":1,\"o\":2,\"c\":2.1234567890123,\"h\":3,\"l\":2,\"t\":1704205800000}",
         "number_out_of_range"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":10000000000000000,\"l\":2,\"t\":1704205800000}",
         "number_out_of_range"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":1704205800000,\"n\":1.5}", "bad_number"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2}", "missing_field"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":\"noon\"}", "bad_time"},
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":17042058}", "bad_time"}, // N33: ambiguous
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":1704205801000}",
         "bad_time"}, // no window starts there
        {"{\"v\":1,\"o\":2,\"c\":2,\"h\":2,\"l\":2,\"t\":4102444800000}", "future_timestamp"}, // N50
        {"7", "bad_type"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf body;
        mf_buf_init(&body, 4096);
        mf_buf_addf(&body, "{\"ticker\":\"AAPL\",\"status\":\"OK\",\"results\":[%s,%s,%s]}",
                    ROW(1704205860000), cases[i].row, ROW(1704205920000));
        ing_decode(f, &work, 200, NULL, mf_buf_c_str(&body));
        assert_int_equal(f->page.answer, ING_ANSWER_DATA);
        if (f->page.count != 3 || f->page.counts.rows != 3)
            fail_msg("%s: %zu items", cases[i].row, f->page.count);
        unsigned bad = 0;
        for (size_t k = 0; k < 3; k++) {
            const char *reason = ing_verdict(f, k);
            bad += reason[0] != '\0';
            if (reason[0] != '\0' && (strcmp(reason, cases[i].reason) != 0 || f->page.items[k].index != 1))
                fail_msg("%s: %s at %u", cases[i].row, reason, f->page.items[k].index);
        }
        assert_int_equal(bad, 1); // the rows beside it are taken
        mf_buf_free(&body);
    }
}

static void test_empty_answers(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 200, NULL, "{\"ticker\":\"AAPL\",\"resultsCount\":0,\"status\":\"OK\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"AAPL\",\"resultsCount\":390,\"status\":\"OK\",\"results\":null}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT); // 390 rows are not none
    assert_string_equal(f->page.code, "rows_missing");
    // N10
    ing_decode(f, &work, 200, NULL,
               "{\"ticker\":\"AAPL\",\"status\":\"OK\",\"results\":[],\"next_url\":\"/v2/n?cursor=c\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.count, 0);
    assert_int_equal(ing_page_last_time(&f->page), INT64_MIN);
}

static void test_details_hold_no_key(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T14:30:00Z", "2024-01-02T14:40:00Z");
    ing_decode(f, &work, 403, NULL,
               "{\"status\":\"ERROR\",\"error\":\"Your key s3cret-key is bad;\\nsee ?apiKey=s3cret-key\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_PLAN_LIMIT);
    assert_string_equal(f->page.detail, "Your key *** is bad; see ?apiKey=***"); // N53
    ing_decode(f, &work, 502, NULL, "<html>502</html>");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    assert_true(f->page.detail[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify),
        cmocka_unit_test(test_the_future_is_no_plan_limit),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_bars),
        cmocka_unit_test(test_envelope_flags),
        cmocka_unit_test(test_wrong_envelope),
        cmocka_unit_test(test_order_range_duplicates),
        cmocka_unit_test(test_day_bars),
        cmocka_unit_test(test_number_forms),
        cmocka_unit_test(test_volume_decimals),
        cmocka_unit_test(test_index_without_volume),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_empty_answers),
        cmocka_unit_test(test_details_hold_no_key),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
