// SPDX-License-Identifier: Apache-2.0
// Tickers of the Polygon provider: requests of both passes, rows to symbol events, whole markets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define ROW(ticker, rest) "{\"ticker\":\"" ticker "\",\"name\":\"N\",\"market\":\"stocks\"" rest "}"
#define UPDATED ",\"last_updated_utc\":\"2024-03-01T00:00:00Z\""

static struct ing_work of_symbol(const char *symbol)
{
    struct ing_work work = ing_minute_work(symbol, "2024-06-03T04:00:00Z", "2024-06-04T04:00:00Z");
    work.feed = ING_FEED_SYMBOLS;
    work.pass = ING_PASS_ACTIVE;
    work.limit = 1000;
    return work;
}

static struct ing_work of_market(enum ing_market market)
{
    struct ing_work work = of_symbol("market:stocks");
    work.market = market;
    return work;
}

static const char *url_of(struct ing_fixture *f, const struct ing_work *work, struct mf_buf *url)
{
    struct mf_error err;
    const char *endpoint = NULL;
    assert_int_equal(ing_polygon.build_request(&f->config, work, url, &endpoint, &err), 0);
    assert_string_equal(endpoint, "symbols");
    return mf_buf_c_str(url);
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    struct ing_work work = of_symbol("BRK.B");
    work.pass = ING_PASS_DELISTED;
    assert_string_equal(url_of(f, &work, &url),
                        "https://api.massive.com/v3/reference/tickers?ticker=BRK.B&active=false&sort=ticker"
                        "&order=asc&limit=1000");
    work = of_market(ING_MARKET_OTC);
    assert_string_equal(url_of(f, &work, &url),
                        "https://api.massive.com/v3/reference/tickers?market=otc&active=true&sort=ticker"
                        "&order=asc&limit=1000");
    mf_buf_free(&url);
    char feed[64];
    assert_string_equal(ing_work_feed(&work, feed), "polygon.symbols");
}

// Without a time of its own a row is of the day that was asked for, and of the one under way in New York
// before that has begun there.
static void test_a_row_without_its_time(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *from, *to, *at;
    } cases[] = {// asked at 2024-12-31T00:00:00Z
                 {"2024-12-31T05:00:00Z", "2025-01-01T05:00:00Z", "2024-12-30T05:00:00Z"},
                 {"2024-12-30T05:00:00Z", "2024-12-31T05:00:00Z", "2024-12-30T05:00:00Z"},
                 {"2024-06-03T04:00:00Z", "2024-06-04T04:00:00Z", "2024-06-03T04:00:00Z"}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = of_symbol("AAPL");
        work.from_us = ing_time(cases[i].from);
        work.to_us = ing_time(cases[i].to);
        ing_decode_rows(f, &work, ROW("AAPL", ""));
        assert_int_equal(f->page.count, 1);
        assert_string_equal(f->page.items[0].reason, "");
        assert_int_equal(f->page.items[0].event_time_us, ing_time(cases[i].at));
    }
}

static void test_stock(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_symbol("AAPL");
    ing_decode_rows(
        f, &work,
        "{\"ticker\":\"AAPL\",\"name\":\"Apple Inc.\",\"market\":\"stocks\",\"locale\":\"us\","
        "\"primary_exchange\":\"XNAS\",\"type\":\"CS\",\"active\":true,\"currency_name\":\"usd\","
        "\"cik\":\"0000320193\",\"composite_figi\":\"BBG000B9XRY4\",\"list_date\":\"1980-12-12\","
        "\"share_class_figi\":\"BBG001S5N8V8\",\"last_updated_utc\":\"2024-03-01T00:00:00.123456Z\"}");
    assert_int_equal(f->page.count, 1);
    ing_event(f, 0);
    const struct mf_symbol_info *info = &f->event.symbol_info;
    assert_int_equal(f->event.type, MF_EVENT_SYMBOL);
    assert_true(mf_str_eq_c(f->event.symbol, "AAPL"));
    assert_int_equal(f->event.event_time_us, ing_time("2024-03-01T00:00:00.123Z"));
    assert_true(mf_str_eq_c(info->name, "Apple Inc."));
    assert_true(mf_str_eq_c(info->exchange, "XNAS"));
    assert_true(mf_str_eq_c(info->type, "CS"));
    assert_true(mf_str_eq_c(info->currency, "usd"));
    assert_true(mf_str_eq_c(info->figi, "BBG000B9XRY4"));
    assert_int_equal(info->list_date.year, 1980);
    assert_int_equal(info->delist_date.year, 0);
    assert_int_equal(info->active, 1);
    ing_encode(f);
}

static void test_pair(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_market(ING_MARKET_CRYPTO);
    ing_decode_rows(
        f, &work,
        "{\"ticker\":\"X:BTCUSD\",\"name\":\"Bitcoin\",\"market\":\"crypto\",\"currency_symbol\":\"USD\","
        "\"currency_name\":\"United States Dollar\",\"base_currency_symbol\":\"BTC\"" UPDATED "},"
        "{\"ticker\":\"X:ETHJPY\",\"name\":\"Ether\",\"market\":\"crypto\","
        "\"currency_name\":\"A currency with a long name\"" UPDATED "}");
    assert_int_equal(f->page.count, 2);
    ing_event(f, 0);
    assert_int_equal(f->event.asset_class, MF_ASSET_CRYPTO);
    assert_true(mf_str_eq_c(f->event.symbol_info.currency, "USD"));
    assert_null(f->event.symbol_info.exchange.data);
    assert_int_equal(f->event.symbol_info.active, 1); // of the pass: the row does not say
    ing_encode(f);
    ing_event(f, 1);
    assert_null(f->event.symbol_info.currency.data); // a name is no code
    ing_encode(f);
}

static void test_delisted(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_market(ING_MARKET_STOCKS);
    work.pass = ING_PASS_DELISTED;
    static const struct {
        const char *rest;
        const char *event_time;
    } cases[] = {
        {UPDATED ",\"delisted_utc\":\"2019-11-01T00:00:00Z\"", "2024-03-01T00:00:00Z"},
        {",\"delisted_utc\":\"2019-11-01T04:00:00Z\"", "2019-11-01T04:00:00Z"}, // New York's midnight
        {",\"delisted_utc\":\"2019-11-01\"", "2019-11-01T04:00:00Z"},
        {",\"delisted_utc\":\"2019-11-01T00:00:00Z\",\"last_updated_utc\":null", "2019-11-01T04:00:00Z"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char row[400];
        snprintf(row, sizeof row, "{\"ticker\":\"GONE\",\"name\":\"Gone\",\"active\":false%s}",
                 cases[i].rest);
        ing_decode_rows(f, &work, row);
        ing_event(f, 0);
        assert_int_equal(f->event.event_time_us, ing_time(cases[i].event_time));
        assert_int_equal(f->event.symbol_info.delist_date.year, 2019);
        assert_int_equal(f->event.symbol_info.delist_date.month, 11);
        assert_int_equal(f->event.symbol_info.delist_date.day, 1);
        assert_int_equal(f->event.symbol_info.active, 0);
        ing_encode(f);
    }
    ing_decode_rows(f, &work,
                    "{\"ticker\":\"GONE\",\"name\":\"Gone\"}"); // no date at all: the day of the run
    ing_event(f, 0);
    assert_int_equal(f->event.event_time_us, work.from_us);
    assert_int_equal(f->event.symbol_info.active, 0);
}

static void test_identity(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_market(ING_MARKET_STOCKS);
    // The same knowledge twice is one event; a ticker in use again is another one, at another time
    ing_decode_rows(f, &work,
                    ROW("AA", UPDATED) "," ROW("AB", UPDATED) "," ROW("AA", UPDATED) "," ROW(
                        "AA", ",\"last_updated_utc\":\"2012-01-01T00:00:00Z\""));
    assert_int_equal(f->page.count, 3);
    assert_int_equal(f->page.counts.duplicates, 1);
    assert_true(mf_str_eq_c(f->page.items[0].key, "AA"));
    assert_int_equal(f->page.items[0].event_time_us, ing_time("2012-01-01T00:00:00Z"));
    // N37
    ing_decode_rows(f, &work, "{\"ticker\":\"X:BTCUSD\",\"name\":\"B\",\"market\":\"crypto\"" UPDATED "}");
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.foreign, 1);
    work = of_symbol("AA");
    ing_decode_rows(f, &work, ROW("AA", UPDATED) "," ROW("AB", UPDATED));
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.foreign, 1);
}

static void test_bad_rows(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_market(ING_MARKET_STOCKS);
    static const struct {
        const char *row, *reason;
    } cases[] = {
        {"[]", "bad_type"},
        {"{\"name\":\"N\"}", "missing_field"},
        {"{\"ticker\":7,\"name\":\"N\"}", "missing_field"},
        {"{\"ticker\":\"AB\"}", "missing_field"}, // no name
        {"{\"ticker\":\"AB\",\"name\":\"\"}", "missing_field"},
        {"{\"ticker\":\"A B\",\"name\":\"N\"}", "bad_symbol"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"last_updated_utc\":\"lately\"}", "bad_time"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"last_updated_utc\":\"2099-01-01T00:00:00Z\"}",
         "future_timestamp"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"delisted_utc\":\"2019-02-30\"}", "bad_time"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"delisted_utc\":\"x\"" UPDATED "}", "bad_date"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"list_date\":19801212" UPDATED "}", "bad_date"},
        {"{\"ticker\":\"AB\",\"name\":\"N\",\"list_date\":\"2019-11-01Txx\"" UPDATED "}", "bad_date"},
        {"{\"ticker\":\"AB\",\"name\":\"N\\ud800\"" UPDATED "}", "json_string"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_expect_rejected(f, &work, cases[i].row, ROW("GOOD", UPDATED), cases[i].reason);
    }
}

// What the list does not say comes from the details, into the row of the instrument that is traded now.
static void test_details(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *details, *row, *date; // "" = none
        enum ing_pass pass;
    } cases[] = {
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12\"", "", "1980-12-12", ING_PASS_ACTIVE},
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12T00:00:00Z\"", "", "1980-12-12", ING_PASS_ACTIVE},
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12\",\"composite_figi\":\"F1\"",
         ",\"composite_figi\":\"F1\"", "1980-12-12", ING_PASS_ACTIVE},
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12\",\"composite_figi\":\"F1\"",
         ",\"composite_figi\":\"F2\"", "", ING_PASS_ACTIVE}, // N14: the ticker is in use again
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12\"", "", "", ING_PASS_DELISTED},
        {"\"ticker\":\"AA\",\"list_date\":\"1980-12-12\"", ",\"list_date\":\"1990-01-02\"", "1990-01-02",
         ING_PASS_ACTIVE},
        {"\"ticker\":\"AA\"", "", "", ING_PASS_ACTIVE},
        {"\"ticker\":\"AA\",\"list_date\":null", "", "", ING_PASS_ACTIVE},
        {"\"ticker\":\"AB\",\"list_date\":\"1980-12-12\"", "", "", ING_PASS_ACTIVE}, // N37
        {"\"list_date\":\"1980-12-12\"", "", "", ING_PASS_ACTIVE},
    };
    struct ing_work work = of_symbol("AA");
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char body[400];
        char date[MF_DATE_TEXT_SIZE] = "";
        snprintf(body, sizeof body, "{\"status\":\"OK\",\"results\":{%s}}", cases[i].details);
        work.pass = ING_PASS_DETAILS;
        ing_decode(f, &work, 200, NULL, body);
        assert_int_equal(f->page.answer, ING_ANSWER_DATA);
        assert_int_equal(f->page.count, 0); // nothing of it is an event
        assert_int_equal(f->page.counts.rows, 1);
        const struct ing_listing listing = f->page.listing;
        struct ing_work list = of_symbol("AA");
        list.pass = cases[i].pass;
        list.listing = &listing;
        snprintf(body, sizeof body, "{\"ticker\":\"AA\",\"name\":\"N\",\"market\":\"stocks\"%s%s}", UPDATED,
                 cases[i].row);
        ing_decode_rows(f, &list, body);
        ing_event(f, 0);
        if (f->event.symbol_info.list_date.year > 0)
            mf_date_format(f->event.symbol_info.list_date, date);
        if (strcmp(date, cases[i].date) != 0)
            fail_msg("%zu: %s", i, date);
        ing_encode(f);
    }
}

static void test_other_details(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    struct ing_work work = of_symbol("BRK.B");
    work.pass = ING_PASS_DETAILS;
    assert_string_equal(url_of(f, &work, &url), "https://api.massive.com/v3/reference/tickers/BRK.B");
    assert_string_equal(ing_endpoint_name(ing_endpoint_of(&work)), "details");
    assert_int_equal(ing_work_event_type(&work), MF_EVENT_SYMBOL);
    mf_buf_free(&url);
    work = of_symbol("AA");
    work.pass = ING_PASS_DETAILS;
    ing_decode(f, &work, 200, NULL,
               "{\"status\":\"OK\",\"results\":{\"ticker\":\"AA\",\"list_date\":\"1980-13-12\"}}");
    assert_int_equal(f->page.count, 1);
    assert_string_equal(ing_verdict(f, 0), "bad_date");
    assert_int_equal(f->page.listing.date.year, 0);
    ing_decode(f, &work, 404, NULL, "{\"status\":\"NOT_FOUND\",\"message\":\"Ticker not found.\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_UNKNOWN_TICKER);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"results\":null}");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"results\":[]}");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"results\":[{\"ticker\":\"AA\"}]}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

static void test_markets(void **state)
{
    (void)state;
    enum ing_market market = ING_MARKET_NONE;
    for (unsigned i = ING_MARKET_NONE + 1; i < ING_MARKET_MAX; i++) {
        assert_true(ing_market_parse(mf_str_of(ing_markets[i].name), &market));
        assert_int_equal(market, i);
    }
    assert_false(ing_market_parse(MF_STR(""), &market));
    assert_false(ing_market_parse(MF_STR("options"), &market));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_without_its_time),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_stock),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_delisted),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_other_details),
        cmocka_unit_test(test_markets),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
