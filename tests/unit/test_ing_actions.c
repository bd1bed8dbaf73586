// SPDX-License-Identifier: Apache-2.0
// Splits and dividends of the Polygon provider: requests, rows to corporate actions, one per ticker and day
// (N16).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define SPLIT(ticker, day, from, to)                                                                     \
    "{\"id\":\"E" day "\",\"ticker\":\"" ticker "\",\"execution_date\":\"" day "\",\"split_from\":" from \
    ",\"split_to\":" to "}"
#define DIVIDEND(ticker, day, cash)                                                                       \
    "{\"id\":\"D\",\"ticker\":\"" ticker "\",\"ex_dividend_date\":\"" day "\",\"cash_amount\":" cash      \
    ",\"currency\":\"USD\",\"declaration_date\":\"2024-01-02\",\"dividend_type\":\"CD\",\"frequency\":4," \
    "\"pay_date\":\"2024-02-15\",\"record_date\":\"2024-02-12\"}"

// Twenty years, whole days of New York.
static struct ing_work work_of(enum ing_feed feed, const char *symbol)
{
    struct ing_work work = ing_minute_work(symbol, "2005-01-01T05:00:00Z", "2025-01-01T05:00:00Z");
    work.feed = feed;
    work.limit = 1000;
    return work;
}

static struct ing_work of_market(enum ing_feed feed)
{
    struct ing_work work = work_of(feed, "market:stocks");
    work.market = ING_MARKET_STOCKS;
    return work;
}

static void expect_url(struct ing_fixture *f, const struct ing_work *work, const char *wanted)
{
    struct mf_error err;
    const char *endpoint = NULL;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    assert_int_equal(ing_polygon.build_request(&f->config, work, &url, &endpoint, &err), 0);
    assert_string_equal(endpoint, ing_feed_name(work->feed));
    assert_string_equal(mf_buf_c_str(&url), wanted);
    mf_buf_free(&url);
}

static void test_requests(void **state)
{
    struct ing_work work = work_of(ING_FEED_SPLITS, "AAPL");
    expect_url(*state, &work,
               "https://api.massive.com/v3/reference/splits?ticker=AAPL&execution_date.gte=2005-01-01"
               "&execution_date.lte=2024-12-31&sort=execution_date&order=asc&limit=1000");
    work = of_market(ING_FEED_DIVIDENDS);
    expect_url(*state, &work,
               "https://api.massive.com/v3/reference/dividends?ex_dividend_date.gte=2005-01-01"
               "&ex_dividend_date.lte=2024-12-31&sort=ex_dividend_date&order=asc&limit=1000");
}

static void test_split(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_FEED_SPLITS, "AAPL");
    ing_decode_rows(f, &work,
                    SPLIT("AAPL", "2020-08-31", "1", "4") "," SPLIT("AAPL", "2014-06-09", "\"1.0\"", "7"));
    assert_int_equal(f->page.count, 2);
    assert_int_equal(f->page.counts.unsorted, 1);
    ing_event(f, 0);
    const struct mf_corporate_action *action = &f->event.corporate_action;
    assert_int_equal(f->event.type, MF_EVENT_CORPORATE_ACTION);
    assert_true(mf_str_eq_c(f->event.symbol, "AAPL"));
    assert_int_equal(f->event.event_time_us, ing_time("2014-06-09T04:00:00Z")); // midnight in New York
    assert_int_equal(action->kind, MF_ACTION_SPLIT);
    assert_int_equal(action->ex_date.day, 9);
    assert_true(mf_str_eq_c(action->split_from, "1.0")); // the vendor's text
    assert_true(mf_str_eq_c(action->split_to, "7"));
    ing_encode(f);
    ing_event(f, 1);
    assert_true(mf_str_eq_c(action->split_to, "4"));
    ing_encode(f);
}

static void test_dividend(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_market(ING_FEED_DIVIDENDS);
    ing_decode_rows(f, &work,
                    DIVIDEND("AAPL", "2024-02-09", "0.24") "," DIVIDEND("BRK.B", "2024-02-09", "0"));
    assert_int_equal(f->page.count, 2); // of one day, of two tickers
    ing_event(f, 0);
    const struct mf_corporate_action *action = &f->event.corporate_action;
    assert_true(mf_str_eq_c(f->event.symbol, "AAPL"));
    assert_int_equal(f->event.event_time_us, ing_time("2024-02-09T05:00:00Z"));
    assert_int_equal(action->kind, MF_ACTION_DIVIDEND);
    assert_true(mf_str_eq_c(action->cash_amount, "0.24"));
    assert_true(mf_str_eq_c(action->currency, "USD"));
    assert_null(action->split_from.data);
    ing_encode(f);
    ing_event(f, 1);
    assert_true(mf_str_eq_c(f->event.symbol, "BRK.B"));
    ing_encode(f);
}

// N16: 216 times the same split, one of another ratio between them.
static void test_one_per_day(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_FEED_SPLITS, "AAPL");
    struct mf_buf rows;
    mf_buf_init(&rows, 65536);
    mf_buf_add_c(&rows, SPLIT("AAPL", "2020-08-31", "1", "4"));
    for (int i = 1; i < 216; i++)
        mf_buf_add_c(&rows, "," SPLIT("AAPL", "2020-08-31", "1.0", "\"4\""));
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.duplicates, 215);
    assert_int_equal(f->page.counts.rejected, 0);
    mf_buf_add_c(&rows, "," SPLIT("AAPL", "2020-08-31", "1", "2") "," SPLIT("AAPL", "2020-08-31", "1", "2"));
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    assert_int_equal(f->page.count, 2);
    assert_int_equal(f->page.counts.duplicates, 216);
    assert_int_equal(f->page.counts.rejected, 1);
    assert_string_equal(f->page.items[0].reason, "conflicting_row"); // the last word counts
    ing_event(f, 1);
    assert_true(mf_str_eq_c(f->event.corporate_action.split_to, "2"));
    // The last word counts, though another one stood between
    mf_buf_add_c(&rows, "," SPLIT("AAPL", "2020-08-31", "1", "4"));
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    assert_int_equal(f->page.count, 2);
    assert_int_equal(f->page.counts.duplicates, 217);
    assert_int_equal(f->page.counts.rejected, 1);
    ing_event(f, 1);
    assert_true(mf_str_eq_c(f->event.corporate_action.split_to, "4"));
    mf_buf_free(&rows);
}

static void test_not_asked_for(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_FEED_SPLITS, "AAPL");
    ing_decode_rows(f, &work,
                    SPLIT("AAPL", "2004-12-31", "1", "2") "," SPLIT("AAPL", "2025-01-01", "1", "2") "," SPLIT(
                        "TSLA", "2020-08-31", "1", "5"));
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.out_of_range, 2);
    assert_int_equal(f->page.counts.foreign, 1);
    // Announced, but its day has not begun when it is asked for: 2024-12-31 00:00 UTC
    ing_decode_rows(f, &work,
                    SPLIT("AAPL", "2024-12-31", "1", "2") "," SPLIT("AAPL", "2024-12-30", "1", "2"));
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.out_of_range, 1);
}

static void test_bad_rows(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        enum ing_feed feed;
        const char *row, *reason;
    } cases[] = {
        {ING_FEED_SPLITS, "7", "bad_type"},
        {ING_FEED_SPLITS, "{\"execution_date\":\"2020-08-31\"}", "missing_field"},
        {ING_FEED_SPLITS, "{\"ticker\":\"AB\",\"split_from\":1,\"split_to\":4}", "missing_field"},
        {ING_FEED_SPLITS, SPLIT("A B", "2020-08-31", "1", "4"), "bad_symbol"},
        {ING_FEED_SPLITS, SPLIT("AB", "2020-02-30", "1", "4"), "bad_date"},
        {ING_FEED_SPLITS, SPLIT("AB", "", "1", "4"), "bad_date"},
        {ING_FEED_SPLITS, SPLIT("AB", "2020-08-31", "0", "4"), "bad_value"},
        {ING_FEED_SPLITS, SPLIT("AB", "2020-08-31", "1", "-4"), "bad_value"},
        {ING_FEED_SPLITS, SPLIT("AB", "2020-08-31", "1", "null"), "missing_field"},
        {ING_FEED_SPLITS, SPLIT("AB", "2020-08-31", "1", "NaN"), "json_syntax"},
        {ING_FEED_SPLITS, "{\"ticker\":\"AB\",\"execution_date\":\"2020-08-31\",\"split_from\":1}",
         "missing_field"},
        {ING_FEED_DIVIDENDS, DIVIDEND("AB", "2020-08-31", "-0.1"), "bad_value"},
        {ING_FEED_DIVIDENDS, DIVIDEND("AB", "2020-08-31", "{}"), "bad_type"},
        {ING_FEED_DIVIDENDS, DIVIDEND("AB", "2020-08-31", "0.123456789"), "number_out_of_range"},
        {ING_FEED_DIVIDENDS, "{\"ticker\":\"AB\",\"ex_dividend_date\":20200831}", "bad_date"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = of_market(cases[i].feed);
        ing_expect_rejected(f, &work, cases[i].row,
                            cases[i].feed == ING_FEED_SPLITS ? SPLIT("GOOD", "2020-08-31", "1", "4")
                                                             : DIVIDEND("GOOD", "2020-08-31", "1"),
                            cases[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),      cmocka_unit_test(test_split),
        cmocka_unit_test(test_dividend),      cmocka_unit_test(test_one_per_day),
        cmocka_unit_test(test_not_asked_for), cmocka_unit_test(test_bad_rows),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
