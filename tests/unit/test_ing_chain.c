// SPDX-License-Identifier: Apache-2.0
// Option chains of the Polygon provider: the request, rows to events, what is left out and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "services/ingestor/polygon.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

// Decoded as of 2024-12-31T00:00Z, which is the evening of the 30th in New York.
#define DAY(stamp)                                                                                      \
    "{\"change\":0.05,\"close\":1.15,\"high\":1.20,\"last_updated\":" stamp ",\"low\":1,\"open\":1.10," \
    "\"previous_close\":1.1,\"volume\":7,\"vwap\":1.123456789}"
#define TODAY DAY("1735534800000000000") // midnight of the 30th in New York
#define DETAILS                                                                                       \
    "{\"contract_type\":\"call\",\"exercise_style\":\"american\",\"expiration_date\":\"2025-01-17\"," \
    "\"shares_per_contract\":100,\"strike_price\":152.5,\"ticker\":\"O:AAPL250117C00152500\"}"
#define GREEKS "{\"delta\":0.512345678949,\"gamma\":1.5e-05,\"theta\":-0.04,\"vega\":0.1}"
#define ROW(day, details, rest) "{\"day\":" day ",\"details\":" details rest "}"
#define REST                                                                                       \
    ",\"break_even_price\":171.5,\"greeks\":" GREEKS ",\"implied_volatility\":0.3012345678912,"    \
    "\"open_interest\":1543,\"last_quote\":{\"ask\":1.2,\"bid\":1.1,\"timeframe\":\"REAL-TIME\"}," \
    "\"underlying_asset\":{\"price\":154.07,\"ticker\":\"AAPL\",\"timeframe\":\"REAL-TIME\"}"

static struct ing_work of_chain(const char *underlying, const struct ing_contract_filter *filter)
{
    struct ing_work work = ing_minute_work(underlying, "2024-12-30T05:00:00Z", "2024-12-31T05:00:00Z");
    work.feed = ING_FEED_CHAIN;
    work.filter = filter;
    work.limit = 250;
    return work;
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf url;
    struct mf_error err;
    const char *endpoint = NULL;
    mf_buf_init(&url, 4096);
    struct ing_contract_filter filter = {.type = MF_OPTION_CALL,
                                         .expiration_from = {2025, 1, 1},
                                         .expiration_to = {2025, 1, 31},
                                         .strike_from = "150",
                                         .strike_to = "160"};
    struct ing_work work = of_chain("I:SPX", &filter);
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), 0);
    assert_string_equal(endpoint, "chain");
    assert_string_equal(mf_buf_c_str(&url),
                        "https://api.massive.com/v3/snapshot/options/I%3ASPX?contract_type=call"
                        "&expiration_date.gte=2025-01-01&expiration_date.lte=2025-01-31&strike_price.gte=150"
                        "&strike_price.lte=160&sort=ticker&order=asc&limit=250");
    mf_buf_free(&url);
    char feed[64];
    assert_string_equal(ing_work_feed(&work, feed), "polygon.chain");
}

static void test_snapshot(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_chain("AAPL", NULL);
    ing_decode_rows(f, &work, ROW(TODAY, DETAILS, REST));
    assert_int_equal(f->page.count, 1);
    ing_event(f, 0);
    const struct mf_option_bar *option = &f->event.option_bar;
    assert_int_equal(f->event.type, MF_EVENT_OPTION_BAR);
    assert_int_equal(f->event.asset_class, MF_ASSET_OPTION);
    assert_true(mf_str_eq_c(f->event.symbol, "AAPL"));
    assert_int_equal(f->event.flags, 0);
    assert_int_equal(f->event.event_time_us, ing_time("2024-12-30T05:00:00Z"));
    assert_int_equal(option->bar.interval, MF_INTERVAL_1D);
    assert_int_equal(option->bar.window_end_us, ing_time("2024-12-30T21:00:00Z"));
    assert_int_equal(option->bar.vendor_ms, INT64_C(1735534800000));
    assert_int_equal(option->bar.trade_count, -1);
    assert_true(mf_str_eq_c(option->bar.high, "1.20"));       // its own digits
    assert_true(mf_str_eq_c(option->bar.vwap, "1.12345679")); // a sum of the vendor's
    assert_true(mf_str_eq_c(option->ticker, "O:AAPL250117C00152500"));
    assert_int_equal(option->days_to_expiration, 18);
    assert_int_equal(option->snapshot.time_us, ing_time("2024-12-31T00:00:00Z"));
    assert_true(mf_str_eq_c(option->snapshot.open_interest, "1543"));
    assert_true(mf_str_eq_c(option->snapshot.implied_volatility, "0.30123457"));
    assert_true(mf_str_eq_c(option->snapshot.delta, "0.51234568"));
    assert_true(mf_str_eq_c(option->snapshot.gamma, "0.000015"));
    assert_true(mf_str_eq_c(option->snapshot.theta, "-0.04"));
    assert_true(mf_str_eq_c(option->snapshot.vega, "0.1"));
    assert_true(mf_str_eq_c(option->snapshot.underlying_price, "154.07"));
    ing_encode(f);
}

// What is not said is left out; the bar's own day may be an earlier one.
static void test_little_is_known(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_chain("I:SPX", NULL);
    ing_decode_rows(
        f, &work,
        ROW(DAY("1735275600000000000"), // the 27th
            "{\"contract_type\":\"call\",\"exercise_style\":\"european\",\"expiration_date\":"
            "\"2025-01-17\",\"shares_per_contract\":100,\"strike_price\":5900,\"ticker\":"
            "\"O:SPXW250117C05900000\"}",
            ",\"greeks\":{},\"implied_volatility\":null,\"underlying_asset\":{\"ticker\":\"I:SPX\","
            "\"value\":5906.94,\"timeframe\":\"DELAYED\"}"));
    ing_event(f, 0);
    const struct mf_option_bar *option = &f->event.option_bar;
    assert_true(mf_str_eq_c(f->event.symbol, "SPX"));
    assert_int_equal(f->event.flags, MF_FLAG_DELAYED);
    assert_int_equal(option->bar.session_date.day, 27);
    assert_int_equal(option->snapshot.time_us, ing_time("2024-12-31T00:00:00Z"));
    assert_null(option->snapshot.delta.data);
    assert_null(option->snapshot.implied_volatility.data);
    assert_null(option->snapshot.open_interest.data);
    assert_true(mf_str_eq_c(option->snapshot.underlying_price, "5906.94"));
    ing_encode(f);
}

static void test_an_open_session_is_forming(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_chain("AAPL", NULL);
    struct ing_reply reply = {.work = &work,
                              .asked_us = ing_time("2024-12-30T20:59:59.999Z"),
                              .status = 200,
                              .body =
                                  MF_STR("{\"status\":\"OK\",\"results\":[" ROW(TODAY, DETAILS, REST) "]}")};
    ing_polygon.decode(&f->config, &reply, &f->page);
    ing_event(f, 0);
    assert_int_equal(f->event.flags, MF_FLAG_FORMING);
    reply.asked_us = ing_time("2024-12-30T21:00:00Z");
    ing_polygon.decode(&f->config, &reply, &f->page);
    ing_event(f, 0);
    assert_int_equal(f->event.flags, 0);
}

static void test_left_out(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_contract_filter filter = {.type = MF_OPTION_TYPE_MAX, .strike_to = "152.5"};
    struct ing_work work = of_chain("AAPL", &filter);
    ing_decode_rows(f, &work,
                    ROW("{}", DETAILS, REST) "," ROW("null", DETAILS, "") // never traded
                    ",{\"details\":" DETAILS "}"
                    "," ROW(TODAY, DETAILS, ",\"underlying_asset\":{\"ticker\":\"MSFT\"}") // N37
                    "," ROW(TODAY, DETAILS, REST) "," ROW(TODAY, DETAILS, REST));
    assert_int_equal(f->page.count, 1);
    assert_int_equal(f->page.counts.out_of_range, 3);
    assert_int_equal(f->page.counts.foreign, 1);
    assert_int_equal(f->page.counts.duplicates, 1);
    mf_str_copy(filter.strike_to, sizeof filter.strike_to, MF_STR("152.4"));
    ing_decode_rows(f, &work, ROW(TODAY, DETAILS, REST));
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.out_of_range, 1);
}

#define WITHOUT_CLOSE "{\"high\":1,\"last_updated\":1735534800000000000,\"low\":1,\"open\":1,\"volume\":7}"
#define WITH(price)                                                                                         \
    "{\"close\":" price ",\"high\":1,\"last_updated\":1735534800000000000,\"low\":1,\"open\":1,\"volume\":" \
    "7}"

static void test_bad_rows(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_chain("AAPL", NULL);
    static const struct {
        const char *row, *reason;
    } cases[] = {
        {"17", "bad_type"},
        {"{\"day\":" TODAY "}", "missing_field"},
        {ROW(TODAY, "[]", ""), "missing_field"},
        {ROW(TODAY, "{\"ticker\":\"O:AAPL250117C00152500\"}", ""), "missing_field"},
        {ROW("{\"close\":1}", DETAILS, ""), "missing_field"},
        {ROW(DAY("\"noon\""), DETAILS, ""), "bad_time"},
        {ROW(DAY("4102444800000000000"), DETAILS, ""), "future_timestamp"},
        {ROW(DAY("1104555600000000000"), DETAILS, ""), "before_listing"},
        {ROW(WITHOUT_CLOSE, DETAILS, ""), "missing_field"},
        {ROW(WITH("0"), DETAILS, ""), "bad_value"},
        {ROW(WITH("2"), DETAILS, ""), "ohlc_inconsistent"},
        {ROW(WITH("\"x\""), DETAILS, ""), "bad_number"},
        {ROW(TODAY, DETAILS, ",\"implied_volatility\":\"high\""), "bad_number"},
        {ROW(TODAY, DETAILS, ",\"implied_volatility\":[]"), "bad_type"},
        {ROW(TODAY, DETAILS, ",\"implied_volatility\":-0.1"), "bad_value"},
        {ROW(TODAY, DETAILS, ",\"greeks\":{\"delta\":1e300}"), "bad_number"},
        {ROW(TODAY, DETAILS, ",\"open_interest\":-1"), "bad_value"},
        {ROW(TODAY, DETAILS, ",\"open_interest\":{}"), "bad_type"},
        {ROW(TODAY, DETAILS, ",\"underlying_asset\":{\"price\":0}"), "bad_value"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_decode_rows(f, &work, cases[i].row);
        assert_int_equal(f->page.count, 1);
        if (strcmp(ing_verdict(f, 0), cases[i].reason) != 0)
            fail_msg("%s: %s, not %s", cases[i].row, ing_verdict(f, 0), cases[i].reason);
    }
    // A contract that is gone is in no chain.
    ing_decode_rows(f, &work,
                    ROW(TODAY,
                        "{\"contract_type\":\"put\",\"exercise_style\":\"american\",\"expiration_date\":"
                        "\"2024-12-27\",\"shares_per_contract\":100,\"strike_price\":150,\"ticker\":"
                        "\"O:AAPL241227P00150000\"}",
                        ""));
    assert_string_equal(ing_verdict(f, 0), "after_expiration");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_an_open_session_is_forming),
        cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_little_is_known),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
