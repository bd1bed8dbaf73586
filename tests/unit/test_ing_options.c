// SPDX-License-Identifier: Apache-2.0
// Options of the Polygon provider: requests for contracts, rows to contracts, bars of a contract.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "services/ingestor/polygon.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define CALL                                                                                           \
    "{\"ticker\":\"O:AAPL240621C00152500\",\"underlying_ticker\":\"AAPL\",\"contract_type\":\"call\"," \
    "\"expiration_date\":\"2024-06-21\",\"strike_price\":152.5,\"shares_per_contract\":100,"           \
    "\"exercise_style\":\"american\",\"cfi\":\"OCASPS\",\"primary_exchange\":\"BATO\"}"
#define PUT                                                                                           \
    "{\"ticker\":\"O:AAPL240621P00150000\",\"underlying_ticker\":\"AAPL\",\"contract_type\":\"put\"," \
    "\"expiration_date\":\"2024-06-21\",\"strike_price\":150,\"shares_per_contract\":100,"            \
    "\"exercise_style\":\"american\"}"

static struct ing_work of_list(const char *underlying, const struct ing_contract_filter *filter)
{
    struct ing_work work = ing_minute_work(underlying, "2024-06-03T04:00:00Z", "2024-06-08T04:00:00Z");
    work.feed = ING_FEED_CONTRACTS;
    work.pass = ING_PASS_ACTIVE;
    work.filter = filter;
    work.limit = 1000;
    return work;
}

static const char *url_of(struct ing_fixture *f, const struct ing_work *work, struct mf_buf *url)
{
    struct mf_error err;
    const char *endpoint = NULL;
    assert_int_equal(ing_polygon.build_request(&f->config, work, url, &endpoint, &err), 0);
    assert_string_equal(endpoint, "contracts");
    return mf_buf_c_str(url);
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    struct ing_contract_filter filter = {.type = MF_OPTION_TYPE_MAX};
    struct ing_work work = of_list("AAPL", NULL);
    assert_string_equal(url_of(f, &work, &url),
                        "https://api.massive.com/v3/reference/options/contracts?underlying_ticker=AAPL"
                        "&expired=false&sort=ticker&order=asc&limit=1000");
    work = of_list("I:SPX", &filter); // whose options are listed under the bare name
    work.pass = ING_PASS_DELISTED;
    filter = (struct ing_contract_filter){.expiration_from = {2024, 6, 3},
                                          .expiration_to = {2024, 6, 21},
                                          .strike_from = "5000",
                                          .strike_to = "5100.5",
                                          .type = MF_OPTION_PUT,
                                          .as_of = {2024, 6, 14}};
    assert_string_equal(url_of(f, &work, &url),
                        "https://api.massive.com/v3/reference/options/contracts?underlying_ticker=SPX"
                        "&contract_type=put&expiration_date.gte=2024-06-03&expiration_date.lte=2024-06-21"
                        "&strike_price.gte=5000&strike_price.lte=5100.5&as_of=2024-06-14&expired=true"
                        "&sort=ticker&order=asc&limit=1000");
    work = of_list("O:AAPL240621C00152500", &filter); // one contract: nothing to choose from
    assert_string_equal(url_of(f, &work, &url), "https://api.massive.com/v3/reference/options/contracts/"
                                                "O%3AAAPL240621C00152500?as_of=2024-06-14");
    mf_buf_free(&url);
    char feed[64];
    assert_string_equal(ing_work_feed(&work, feed), "polygon.contracts");
    work.feed = ING_FEED_OPTIONS;
    assert_string_equal(ing_work_feed(&work, feed), "polygon.options.1m");
}

static void test_contracts(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_list("AAPL", NULL);
    ing_decode_rows(f, &work, CALL "," PUT);
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.count, 0); // they are no events
    assert_int_equal(f->page.contract_count, 2);
    assert_int_equal(f->page.counts.rows, 2);
    const struct ing_contract *call = &f->page.contracts[0];
    assert_string_equal(call->ticker, "O:AAPL240621C00152500");
    assert_string_equal(call->underlying, "AAPL");
    assert_string_equal(call->strike, "152.5");
    assert_string_equal(call->shares, "100");
    assert_string_equal(call->exercise, "american");
    assert_int_equal(call->type, MF_OPTION_CALL);
    assert_int_equal(call->expiration.day, 21);
    assert_int_equal(call->listed.year, 0);
    assert_int_equal(f->page.contracts[1].type, MF_OPTION_PUT);
    ing_decode_rows(f, &work, "");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    assert_int_equal(f->page.contract_count, 0);
}

// A row with one member replaced: `what` must be in CALL.
static void with(const char *what, const char *instead, char out[1024])
{
    static const char row[] = CALL;
    const char *at = strstr(row, what);
    if (at == NULL)
        fail_msg("%s is not in the row", what);
    snprintf(out, 1024, "%.*s%s%s", (int)(at - row), row, instead, at + strlen(what));
}

static void test_adjusted_and_mini(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_list("AAPL", NULL);
    char row[1024];
    with("O:AAPL240621C", "O:AAPL1240621C", row);
    ing_decode_rows(f, &work, row);
    assert_int_equal(f->page.contract_count, 1);
    assert_string_equal(f->page.contracts[0].underlying, "AAPL"); // which the root does not say
    with("\"shares_per_contract\":100", "\"shares_per_contract\":10", row);
    ing_decode_rows(f, &work, row);
    assert_string_equal(f->page.contracts[0].shares, "10");
    work = of_list("I:SPX", NULL);
    with("O:AAPL240621C00152500\",\"underlying_ticker\":\"AAPL\"",
         "O:SPXW240621C00152500\",\"underlying_ticker\":\"SPX\"", row);
    ing_decode_rows(f, &work, row);
    assert_string_equal(f->page.contracts[0].underlying, "SPX");
}

static void test_bad_contracts(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_list("AAPL", NULL);
    static const struct {
        const char *what, *instead, *reason;
    } cases[] = {
        {"C00152500", "C001525000", "bad_strike"}, // nine digits
        {"C00152500", "C00000000", "bad_strike"},
        {"O:AAPL2", "O:AAPLAPL2", "bad_option_ticker"},
        {"\"O:AAPL240621C00152500\"", "17", "missing_field"},
        {"152.5", "152.51", "contract_mismatch"},
        {"\"call\"", "\"put\"", "contract_mismatch"},
        {"\"call\"", "\"other\"", "contract_mismatch"},
        {"\"call\"", "null", "missing_field"},
        {"2024-06-21", "2024-06-22", "contract_mismatch"},
        {"2024-06-21", "2024-06-31", "bad_date"},
        {"152.5", "\"n/a\"", "bad_number"},
        {"152.5", "-152.5", "bad_number"},
        {"_contract\":100", "_contract\":0", "bad_number"},
        {"\"american\"", "\"asian\"", "bad_value"},
        {"\"american\"", "17", "bad_value"},
        {"\"exercise_style\":\"american\",", "", "missing_field"},
        {"\"shares_per_contract\":100,", "", "missing_field"},
        {"\"underlying_ticker\":\"AAPL\"", "\"underlying_ticker\":\"A APL\"", "bad_symbol"},
        {"\"cfi\":\"OCASPS\"", "\"list_date\":\"soon\"", "bad_date"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char row[1024];
        char rows[2048];
        with(cases[i].what, cases[i].instead, row);
        snprintf(rows, sizeof rows, "%s,%s,17", row, PUT);
        ing_decode_rows(f, &work, rows);
        assert_int_equal(f->page.contract_count, 1);
        assert_int_equal(f->page.count, 2);
        assert_int_equal(f->page.counts.rejected, 2);
        bool first = f->page.items[0].index == 0; // without a ticker, which orders them, it may be either
        const struct ing_item *bad = &f->page.items[first ? 0 : 1];
        const struct ing_item *number = &f->page.items[first ? 1 : 0];
        if (strcmp(bad->reason, cases[i].reason) != 0)
            fail_msg("%s: %s, not %s", row, bad->reason, cases[i].reason);
        assert_int_equal(bad->index, 0);
        assert_string_equal(number->reason, "bad_type");
        assert_int_equal(number->index, 2);
    }
}

static void test_what_was_not_asked_for(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_contract_filter filter = {.type = MF_OPTION_CALL,
                                         .expiration_from = {2024, 6, 21},
                                         .expiration_to = {2024, 6, 21},
                                         .strike_from = "152.50",
                                         .strike_to = "152.5"};
    struct ing_work work = of_list("AAPL", &filter);
    char other[1024];
    char rows[4096];
    with("\"underlying_ticker\":\"AAPL\"", "\"underlying_ticker\":\"MSFT\"", other);
    snprintf(rows, sizeof rows, "%s,%s,%s,%s", PUT, other, CALL, CALL);
    ing_decode_rows(f, &work, rows);
    assert_int_equal(f->page.contract_count, 1);
    assert_string_equal(f->page.contracts[0].ticker, "O:AAPL240621C00152500");
    assert_int_equal(f->page.counts.foreign, 1);
    assert_int_equal(f->page.counts.out_of_range, 1);
    assert_int_equal(f->page.counts.duplicates, 1);
    // Each bound by itself
    static const struct ing_contract_filter beyond[] = {
        {.type = MF_OPTION_TYPE_MAX, .expiration_from = {2024, 6, 22}},
        {.type = MF_OPTION_TYPE_MAX, .expiration_to = {2024, 6, 20}},
        {.type = MF_OPTION_TYPE_MAX, .strike_from = "152.501"},
        {.type = MF_OPTION_TYPE_MAX, .strike_to = "152.499"},
        {.type = MF_OPTION_PUT},
        {.type = MF_OPTION_TYPE_MAX, .as_of = {2024, 6, 22}}, // had expired by then
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(beyond); i++) {
        work.filter = &beyond[i];
        ing_decode_rows(f, &work, CALL);
        assert_int_equal(f->page.contract_count, 0);
        assert_int_equal(f->page.counts.out_of_range, 1);
    }
    // On its last day a contract may be on either list; before it, it has not expired.
    struct ing_contract_filter on = {.type = MF_OPTION_TYPE_MAX, .as_of = {2024, 6, 21}};
    work.filter = &on;
    for (int pass = ING_PASS_DELISTED; pass <= ING_PASS_ACTIVE; pass++) {
        work.pass = (enum ing_pass)pass;
        ing_decode_rows(f, &work, CALL);
        assert_int_equal(f->page.contract_count, 1);
    }
    on.as_of.day = 20;
    work.pass = ING_PASS_DELISTED;
    ing_decode_rows(f, &work, CALL);
    assert_int_equal(f->page.contract_count, 0);
}

static void test_order(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_list("AAPL", NULL);
    ing_decode_rows(f, &work, PUT "," CALL "," PUT);
    assert_int_equal(f->page.contract_count, 2);
    assert_string_equal(f->page.contracts[0].ticker, "O:AAPL240621C00152500");
    assert_int_equal(f->page.counts.unsorted, 1);
    assert_int_equal(f->page.counts.duplicates, 1);
    // A page as large as any is taken whole.
    struct mf_buf rows;
    mf_buf_init(&rows, 1024 * 1024);
    for (unsigned i = 1; i <= 1000; i++)
        mf_buf_addf(&rows,
                    "%s{\"ticker\":\"O:AAPL240621C%08u\",\"underlying_ticker\":\"AAPL\",\"contract_type\":"
                    "\"call\",\"expiration_date\":\"2024-06-21\",\"strike_price\":%u,\"shares_per_contract\":"
                    "100,\"exercise_style\":\"american\"}",
                    i > 1 ? "," : "", i * 1000, i);
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    assert_int_equal(f->page.contract_count, 1000);
    assert_int_equal(f->page.counts.unsorted, 0);
    mf_buf_free(&rows);
}

static void decode_one(struct ing_fixture *f, const struct ing_work *work, int status, const char *results)
{
    char body[2048];
    snprintf(body, sizeof body, "{\"status\":\"OK\",\"request_id\":\"r\"%s%s}",
             results[0] != '\0' ? ",\"results\":" : "", results);
    ing_decode(f, work, status, NULL, body);
}

static void test_details(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = of_list("O:AAPL240621C00152500", NULL);
    decode_one(f, &work, 200, CALL);
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.contract_count, 1);
    assert_int_equal(f->page.counts.rows, 1);
    decode_one(f, &work, 200, PUT); // N37
    assert_int_equal(f->page.contract_count, 0);
    assert_int_equal(f->page.counts.foreign, 1);
    decode_one(f, &work, 200, "");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    decode_one(f, &work, 200, "null");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    decode_one(f, &work, 200, "[" CALL "]");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    decode_one(f, &work, 200, "{\"ticker\":\"O:AAPL240621C00152500\"}");
    assert_int_equal(f->page.count, 1);
    assert_string_equal(f->page.items[0].reason, "missing_field");
    decode_one(f, &work, 404, "");
    assert_int_equal(f->page.answer, ING_ANSWER_UNKNOWN_TICKER);
}

// ---------------------------------------------------------------- bars

static struct ing_contract of_june(void)
{
    return (struct ing_contract){.ticker = "O:AAPL1240621C00152500",
                                 .underlying = "AAPL",
                                 .expiration = {2024, 6, 21},
                                 .type = MF_OPTION_CALL,
                                 .strike = "152.5",
                                 .shares = "10",
                                 .exercise = "american"};
}

static struct ing_work of_contract(const struct ing_contract *contract)
{
    struct ing_work work = ing_minute_work(contract->ticker, "2004-06-03T04:00:00Z", "2024-07-08T04:00:00Z");
    work.feed = ING_FEED_OPTIONS;
    work.adjusted = MF_ADJUSTED_NONE;
    work.contract = contract;
    return work;
}

static void decode_bars(struct ing_fixture *f, const struct ing_work *work, const char *time)
{
    char row[256];
    snprintf(row, sizeof row,
             "{\"o\":1.10,\"h\":1.2,\"l\":1,\"c\":1.15,\"v\":7,\"vw\":1.1,\"n\":3,\"t\":%lld}",
             (long long)(ing_time(time) / MF_US_PER_MS));
    ing_decode_rows(f, work, row);
}

static void test_bar(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_contract contract = of_june();
    struct ing_work work = of_contract(&contract);
    decode_bars(f, &work, "2024-06-03T14:30:00Z");
    ing_event(f, 0);
    const struct mf_option_bar *option = &f->event.option_bar;
    assert_int_equal(f->event.type, MF_EVENT_OPTION_BAR);
    assert_int_equal(f->event.asset_class, MF_ASSET_OPTION);
    assert_true(mf_str_eq_c(f->event.symbol, "AAPL"));
    assert_true(mf_str_eq_c(option->underlying, "AAPL"));
    assert_true(mf_str_eq_c(option->ticker, "O:AAPL1240621C00152500"));
    assert_true(mf_str_eq_c(option->strike, "152.5"));
    assert_true(mf_str_eq_c(option->shares_per_contract, "10"));
    assert_true(mf_str_eq_c(option->bar.open, "1.10"));
    assert_int_equal(option->bar.adjusted, MF_ADJUSTED_NONE);
    assert_int_equal(option->bar.session, MF_SESSION_REGULAR);
    assert_int_equal(option->days_to_expiration, 18);
    ing_encode(f);
}

// N48
static void test_life(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_contract contract = of_june();
    struct ing_work work = of_contract(&contract);
    static const struct {
        const char *time, *reason;
        bool listed;
    } cases[] = {
        {"2024-06-21T19:59:00Z", "", false},
        {"2024-06-24T14:30:00Z", "after_expiration", false},
        {"2024-06-22T04:00:00Z", "after_expiration", false},
        {"2009-06-23T14:30:00Z", "", false},
        {"2005-06-23T14:30:00Z", "before_listing", false},
        {"2024-04-30T19:59:00Z", "before_listing", true},
        {"2024-05-01T13:30:00Z", "", true},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        contract.listed = cases[i].listed ? (struct mf_date){2024, 5, 1} : (struct mf_date){0};
        decode_bars(f, &work, cases[i].time);
        assert_int_equal(f->page.count, 1);
        assert_string_equal(ing_verdict(f, 0), cases[i].reason);
    }
    // Also beyond the range: what cannot be is reported, not merely dropped.
    work.to_us = ing_time("2024-06-22T04:00:00Z");
    decode_bars(f, &work, "2024-06-24T14:30:00Z");
    assert_string_equal(ing_verdict(f, 0), "after_expiration");
}

static void test_unknown(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_contract contract = of_june();
    struct ing_work work = of_contract(&contract);
    decode_bars(f, &work, "2024-06-03T14:30:00Z");
    work.contract = NULL;
    assert_string_equal(ing_verdict(f, 0), "unknown_contract");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_adjusted_and_mini),
        cmocka_unit_test(test_bad_contracts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_what_was_not_asked_for),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
