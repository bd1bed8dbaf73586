// SPDX-License-Identifier: Apache-2.0
// Days in other shapes than a range: what is asked for, and that their bars are those of a range.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/bar_session.h"
#include "services/ingestor/request_range.h"
#include "services/ingestor/symbols.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define PRICES "\"o\":1.50,\"h\":2,\"l\":1,\"c\":1.25,\"v\":10.5,\"vw\":1.3,\"n\":7"

static struct ing_work day_work(enum ing_feed feed, const char *symbol, const char *day)
{
    struct ing_work work = ing_minute_work("AAPL", "2024-01-02T05:00:00Z", "2024-01-03T05:00:00Z");
    work.feed = feed;
    work.timespan = ING_TIMESPAN_DAY;
    work.market = feed == ING_FEED_GROUPED ? ING_MARKET_STOCKS : ING_MARKET_NONE;
    work.asset_class =
        feed == ING_FEED_GROUPED ? MF_ASSET_STOCK : mf_asset_class_of_symbol(mf_str_of(symbol));
    work.from_us = ing_time(day);
    work.to_us = work.from_us + MF_US_PER_DAY;
    mf_str_copy(work.symbol, sizeof work.symbol, mf_str_of(symbol));
    return work;
}

static struct ing_work grouped(void)
{
    return day_work(ING_FEED_GROUPED, "market:stocks", "2024-01-02T05:00:00Z");
}

static struct ing_work open_close(const char *symbol)
{
    return day_work(ING_FEED_OPEN_CLOSE, symbol, "2024-01-02T05:00:00Z");
}

static void check_url(struct ing_fixture *f, const struct ing_work *work, const char *wanted,
                      const char *endpoint)
{
    struct mf_buf url;
    struct mf_error err;
    const char *said;
    mf_buf_init(&url, 4096);
    assert_int_equal(ing_polygon.build_request(&f->config, work, &url, &said, &err), 0);
    assert_string_equal(mf_buf_c_str(&url), wanted);
    assert_string_equal(said, endpoint);
    mf_buf_free(&url);
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = grouped();
    check_url(f, &work,
              "https://api.massive.com/v2/aggs/grouped/locale/us/market/stocks/2024-01-02"
              "?adjusted=true&include_otc=false",
              "grouped");
    work.otc = true;
    work.adjusted = MF_ADJUSTED_NONE;
    check_url(f, &work,
              "https://api.massive.com/v2/aggs/grouped/locale/us/market/stocks/2024-01-02"
              "?adjusted=false&include_otc=true",
              "grouped");
    work = day_work(ING_FEED_PREVIOUS, "X:BTCUSD", "2024-01-02T00:00:00Z");
    check_url(f, &work, "https://api.massive.com/v2/aggs/ticker/X%3ABTCUSD/prev?adjusted=true", "previous");
    work = open_close("BRK.B");
    check_url(f, &work, "https://api.massive.com/v1/open-close/BRK.B/2024-01-02?adjusted=true", "open-close");
}

// One day of a session after the other, and nothing else.
static void test_days_asked_for(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const wanted[] = {"2023-12-29T05:00:00Z", "2024-01-02T05:00:00Z",
                                         "2024-01-03T05:00:00Z"};
    struct ing_work work = grouped();
    int64_t at_us = ing_time("2023-12-29T05:00:00Z");
    int64_t to_us = ing_time("2024-01-04T05:00:00Z");
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        at_us = ing_request_begin_us(f->calendar, &work, at_us, to_us);
        assert_int_equal(at_us, ing_time(wanted[i]));
        assert_int_equal(ing_request_pages(f->calendar, &work, at_us, to_us), 1);
        at_us = ing_request_end_us(f->calendar, &work, at_us, to_us);
        assert_int_equal(at_us, ing_time(wanted[i]) + MF_US_PER_DAY);
    }
    assert_int_equal(ing_request_begin_us(f->calendar, &work, at_us, to_us), to_us);
    to_us = ing_time("2024-01-02T05:00:00Z"); // New Year's weekend holds nothing
    assert_int_equal(ing_request_begin_us(f->calendar, &work, ing_time("2023-12-30T05:00:00Z"), to_us),
                     to_us);
    work.feed = ING_FEED_BARS;
    at_us = ing_time("2023-12-30T05:00:00Z");
    assert_int_equal(ing_request_begin_us(f->calendar, &work, at_us, to_us), at_us);
}

// The same day, as a range has it and as these feeds do: key, content and id.
static void test_the_same_bar(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work works[3] = {day_work(ING_FEED_BARS, "AAPL", "2024-01-02T05:00:00Z"), grouped(),
                                day_work(ING_FEED_PREVIOUS, "AAPL", "2024-01-02T05:00:00Z")};
    static const char *const rows[3] = {"{\"t\":1704171600000," PRICES "}",
                                        "{\"T\":\"AAPL\",\"t\":1704229200000," PRICES "}",
                                        "{\"T\":\"AAPL\",\"t\":1704229200000," PRICES "}"};
    char ids[3][MF_EVENT_ID_SIZE], keys[3][MF_DEDUPE_KEY_MAX];
    struct mf_json *json = mf_json_new();
    struct mf_buf out;
    mf_buf_init(&out, MF_EVENT_SIZE_MAX);
    for (size_t i = 0; i < 3; i++) {
        ing_decode_rows(f, &works[i], rows[i]);
        assert_int_equal(f->page.count, 1);
        ing_event(f, 0);
        assert_int_equal(f->event.event_time_us, works[i].from_us);
        struct mf_error err;
        struct mf_event read;
        size_t len = 0;
        mf_buf_clear(&out);
        assert_int_equal(mf_event_encode(&f->event, &out, &err), 0);
        assert_int_equal(mf_event_decode(json, mf_buf_str(&out), &read, NULL, &err), 0);
        mf_str_copy(ids[i], sizeof ids[i], read.event_id);
        assert_int_equal(mf_event_dedupe_key(&read, keys[i], &len, &err), 0);
    }
    assert_string_equal(keys[0], "AAPL|2024-01-02T05:00:00.000Z|bar.1d.split");
    for (size_t i = 1; i < 3; i++) {
        assert_string_equal(ids[i], ids[0]);
        assert_string_equal(keys[i], keys[0]);
    }
    mf_buf_free(&out);
    mf_json_free(&json);
}

static void test_rows_of_a_market(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = grouped();
    const char *good = "{\"T\":\"MSFT\",\"t\":1704229200000," PRICES "}";
    static const struct {
        const char *row, *reason;
    } cases[] = {
        {"{\"t\":1704229200000," PRICES "}", "missing_field"},
        {"{\"T\":7,\"t\":1704229200000," PRICES "}", "missing_field"},
        {"{\"T\":\"\",\"t\":1704229200000," PRICES "}", "bad_symbol"},
        {"{\"T\":\"A B\",\"t\":1704229200000," PRICES "}", "bad_symbol"},
        {"{\"T\":\"AAPL\"," PRICES "}", "missing_field"},
        {"{\"T\":\"AAPL\",\"t\":\"noon\"," PRICES "}", "bad_time"},
        {"{\"T\":\"AAPL\",\"t\":1704229200000,\"o\":1,\"h\":0.5,\"l\":1,\"c\":1,\"v\":1}",
         "ohlc_inconsistent"},
        {"[]", "bad_type"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        ing_expect_rejected(f, &work, cases[i].row, good, cases[i].reason);
    // Another day is not what was asked for, twice the same ticker is once
    ing_decode_rows(f, &work,
                    "{\"T\":\"A\",\"t\":1704142800000," PRICES "},{\"T\":\"B\",\"t\":1704229200000," PRICES
                    "},"
                    "{\"T\":\"B\",\"t\":1704229200000," PRICES ",\"otc\":true}");
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.out_of_range, 1);
    assert_int_equal(f->page.counts.duplicates, 1);
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.symbol, "B"));
    assert_int_equal(f->event.bar.otc, 1);
}

static void test_some_of_a_market(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = grouped();
    struct ing_symbols only = {0};
    struct mf_error err;
    assert_int_equal(ing_symbols_add_list(&only, "MSFT,AAPL", &err), 0);
    work.only = &only;
    ing_decode_rows(f, &work,
                    "{\"T\":\"A\",\"t\":1704229200000," PRICES "},{\"T\":\"MSFT\",\"t\":1704229200000," PRICES
                    "},"
                    "{\"T\":\"Z\",\"t\":\"noon\"}");
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.foreign, 2);
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.symbol, "MSFT"));
    ing_symbols_free(&only);
}

// Where days have no sessions, the stamp of a day's end is the next one's midnight.
static void test_previous_days(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = day_work(ING_FEED_PREVIOUS, "X:BTCUSD", "2024-12-20T00:00:00Z");
    work.to_us = ing_time("2025-01-01T00:00:00Z"); // asked at 2024-12-31T00:00:00Z
    static const struct {
        const char *stamp, *day;
    } cases[] = {{"1735516800000", "2024-12-30T00:00:00Z"},
                 {"1735603199999", "2024-12-30T00:00:00Z"},
                 {"1735603200000", "2024-12-30T00:00:00Z"},
                 {"1735534800000", "2024-12-30T00:00:00Z"}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char row[256];
        snprintf(row, sizeof row, "{\"t\":%s," PRICES "}", cases[i].stamp);
        ing_decode_rows(f, &work, row);
        ing_event(f, 0);
        assert_int_equal(f->event.event_time_us, ing_time(cases[i].day));
        assert_int_equal(f->event.bar.window_end_us, f->event.event_time_us + MF_US_PER_DAY);
        assert_int_equal(f->event.bar.vendor_ms, strtoll(cases[i].stamp, NULL, 10));
        ing_encode(f);
    }
    ing_decode_rows(f, &work, "{\"T\":\"X:ETHUSD\",\"t\":1735516800000," PRICES "}");
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.foreign, 1);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"ticker\":\"X:ETHUSD\",\"results\":[{}]}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    assert_string_equal(f->page.code, "wrong_ticker");
}

#define FLAT(more)                                                                                       \
    "{\"status\":\"OK\",\"from\":\"2024-01-02\",\"symbol\":\"AAPL\",\"open\":1.50,\"high\":2,\"low\":1," \
    "\"close\":1.25,"                                                                                    \
    "\"volume\":10.5" more "}"

static void test_open_close(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = open_close("AAPL");
    ing_decode(f, &work, 200, NULL, FLAT(",\"preMarket\":1.10,\"afterHours\":\"1.9\",\"otc\":false"));
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.counts.rows, 1);
    ing_event(f, 0);
    const struct mf_bar *bar = &f->event.bar;
    assert_int_equal(f->event.event_time_us, work.from_us);
    assert_int_equal(bar->window_end_us, ing_time("2024-01-02T21:00:00Z"));
    assert_int_equal(bar->vendor_ms, 1704171600000);
    assert_int_equal(bar->interval, MF_INTERVAL_1D);
    assert_true(mf_str_eq_c(bar->open, "1.50") && mf_str_eq_c(bar->high, "2"));
    assert_true(mf_str_eq_c(bar->low, "1") && mf_str_eq_c(bar->close, "1.25"));
    assert_true(mf_str_eq_c(bar->volume, "10.5") && bar->vwap.data == NULL && bar->trade_count == -1);
    assert_true(mf_str_eq_c(bar->pre_market, "1.10") && mf_str_eq_c(bar->after_hours, "1.9"));
    assert_int_equal(bar->otc, 0);
    assert_int_equal(f->event.flags, MF_FLAG_PROXY_VWAP);
    ing_encode(f);
    // None, null and 0: there was no such trade
    static const char *const without[] = {FLAT(""), FLAT(",\"preMarket\":null"), FLAT(",\"preMarket\":0.0")};
    for (size_t i = 0; i < MF_ARRAY_LEN(without); i++) {
        ing_decode(f, &work, 200, NULL, without[i]);
        ing_event(f, 0);
        assert_true(f->event.bar.pre_market.data == NULL && f->event.bar.after_hours.data == NULL);
        ing_encode(f);
    }
    work = open_close("I:SPX"); // an index has no volume
    ing_decode(f, &work, 200, NULL,
               "{\"status\":\"OK\",\"from\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\"close\":1}");
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.bar.volume, "0"));
    ing_encode(f);
}

static void test_open_close_that_is_none(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = open_close("AAPL");
    static const struct {
        const char *body, *verdict;
    } cases[] = {
        {"{\"status\":\"OK\"}", "missing_field"},
        {"{\"status\":\"OK\",\"from\":\"2024-02-30\"}", "bad_date"},
        {"{\"status\":\"OK\",\"from\":20240102}", "bad_date"},
        {"{\"status\":\"OK\",\"from\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\"volume\":1}",
         "missing_field"},
        {FLAT(",\"preMarket\":true"), "bad_type"},
        {FLAT(",\"afterHours\":-1"), "bad_value"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_decode(f, &work, 200, NULL, cases[i].body);
        assert_int_equal(f->page.count, 1);
        const char *verdict = ing_verdict(f, 0);
        if (strcmp(verdict, cases[i].verdict) != 0)
            fail_msg("%zu: %s", i, verdict);
    }
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"from\":\"2024-01-03\",\"symbol\":\"AAPL\"}");
    assert_true(f->page.count == 0 && f->page.counts.out_of_range == 1);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"from\":\"2024-01-02\",\"symbol\":\"AAPB\"}");
    assert_true(f->page.count == 0 && f->page.counts.foreign == 1);
    ing_decode(f, &work, 404, NULL, "{\"status\":\"NOT_FOUND\",\"message\":\"Data not found.\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_UNKNOWN_TICKER);
    ing_decode(f, &work, 200, NULL, "<html>");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    ing_decode(f, &work, 200, NULL, "[]");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

// The answer is the row, which an error in the same place must not become.
static void test_open_close_errors(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = open_close("AAPL");
    static const struct {
        const char *body;
        enum ing_answer answer;
    } cases[] = {
        {"{\"error\":\"You've exceeded the maximum requests per minute\"}", ING_ANSWER_RATE_LIMITED},
        {"{\"message\":\"Unknown API Key\"}", ING_ANSWER_KEY_REJECTED},
        {"{\"errorcode\":\"001\",\"success\":false}", ING_ANSWER_TRANSIENT},
        {"{\"status\":\"OK\",\"error\":\"oops\"}", ING_ANSWER_TRANSIENT},
        {"{\"status\":\"NOT_FOUND\",\"message\":\"no\"}", ING_ANSWER_UNKNOWN_TICKER},
        {"{\"results\":[]}", ING_ANSWER_EMPTY},
        {"{\"symbol\":\"AAPL\",\"from\":\"2024-01-02\"}", ING_ANSWER_DATA},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_decode(f, &work, 200, NULL, cases[i].body);
        if (f->page.answer != cases[i].answer)
            fail_msg("%s: %s", cases[i].body, ing_answer_name(f->page.answer));
        assert_int_equal(f->page.count, cases[i].answer == ING_ANSWER_DATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_days_asked_for, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_bar, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_rows_of_a_market, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_some_of_a_market, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_previous_days, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_open_close, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_open_close_that_is_none, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_open_close_errors, ing_fixture_set_up, ing_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
