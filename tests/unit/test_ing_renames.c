// SPDX-License-Identifier: Apache-2.0
// Ticker events of the Polygon provider: the names that a stock has had, and how they become part of what is
// said about it (N14).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "services/ingestor/polygon.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define EVENT(ticker, day) \
    "{\"ticker_change\":{\"ticker\":\"" ticker "\"},\"type\":\"ticker_change\",\"date\":\"" day "\"}"
#define FIGI "BBG000MM2P62"

static struct ing_work work_of(enum ing_pass pass)
{
    struct ing_work work = ing_minute_work("META", "2024-06-03T04:00:00Z", "2024-06-04T04:00:00Z");
    work.feed = ING_FEED_SYMBOLS;
    work.pass = pass;
    work.limit = 1000;
    return work;
}

static void decode_events(struct ing_fixture *f, const struct ing_work *work, const char *events)
{
    struct mf_buf body;
    mf_buf_init(&body, 1024 * 1024);
    mf_buf_addf(&body,
                "{\"status\":\"OK\",\"request_id\":\"r\",\"results\":{\"name\":\"Meta Platforms, Inc.\","
                "\"composite_figi\":\"" FIGI "\",\"cik\":\"0001326801\",\"events\":[%s]}}",
                events);
    ing_decode(f, work, 200, NULL, mf_buf_c_str(&body));
    mf_buf_free(&body);
}

static void expect_alias(const struct ing_fixture *f, size_t at, const char *symbol, const char *from,
                         const char *to)
{
    char text[MF_DATE_TEXT_SIZE];
    assert_string_equal(f->page.aliases.items[at].symbol, symbol);
    assert_string_equal(mf_date_format(f->page.aliases.items[at].from, text), from);
    if (to == NULL)
        assert_int_equal(f->page.aliases.items[at].to.year, 0);
    else
        assert_string_equal(mf_date_format(f->page.aliases.items[at].to, text), to);
}

static void test_request(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    struct mf_error err;
    const char *endpoint = NULL;
    struct mf_buf url;
    mf_buf_init(&url, 4096);
    assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), 0);
    assert_string_equal(mf_buf_c_str(&url),
                        "https://api.massive.com/vX/reference/tickers/META/events?types=ticker_change");
    mf_buf_free(&url);
}

static void test_names(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    decode_events(f, &work, EVENT("META", "2022-06-09") "," EVENT("FB", "2012-05-18")); // the newest first
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.aliases.count, 2);
    expect_alias(f, 0, "FB", "2012-05-18", "2022-06-08");
    expect_alias(f, 1, "META", "2022-06-09", NULL);
    assert_string_equal(f->page.aliases.figi, FIGI);
    // The change is a corporate action of its day, of the symbol that was asked for
    assert_int_equal(f->page.count, 1);
    struct mf_error err;
    assert_int_equal(
        ing_polygon.fill_event(&f->config, &f->page, &f->page.items[0], &f->scratch, &f->event, &err), 0);
    assert_int_equal(f->event.type, MF_EVENT_CORPORATE_ACTION);
    assert_int_equal(f->event.corporate_action.kind, MF_ACTION_TICKER_CHANGE);
    assert_true(mf_str_eq_c(f->event.symbol, "META"));
    assert_true(mf_str_eq_c(f->event.corporate_action.old_symbol, "FB"));
    assert_true(mf_str_eq_c(f->event.corporate_action.new_symbol, "META"));
    assert_int_equal(f->event.event_time_us, ing_time("2022-06-09T04:00:00Z"));
    // Twice a name, and back
    decode_events(f, &work,
                  EVENT("META", "2020-02-29") "," EVENT("AB", "2020-03-01") "," EVENT("META", "2022-01-01"));
    assert_int_equal(f->page.aliases.count, 3);
    expect_alias(f, 0, "META", "2020-02-29", "2020-02-29");
    expect_alias(f, 1, "AB", "2020-03-01", "2021-12-31");
    expect_alias(f, 2, "META", "2022-01-01", NULL);
    // The only name it ever had is no other name
    decode_events(f, &work, EVENT("META", "2012-05-18"));
    assert_int_equal(f->page.aliases.count, 0);
    decode_events(f, &work, "");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    assert_int_equal(f->page.aliases.count, 0);
}

static void test_repeats(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    decode_events(f, &work,
                  EVENT("FB", "2012-05-18") "," EVENT("FB", "2012-05-18") "," EVENT(
                      "FB", "2015-01-01") "," EVENT("OLD", "2022-06-09") "," EVENT("META", "2022-06-09"));
    assert_int_equal(f->page.counts.duplicates, 3);
    assert_int_equal(f->page.aliases.count, 2);
    expect_alias(f, 0, "FB", "2012-05-18", "2022-06-08");
    expect_alias(f, 1, "META", "2022-06-09", NULL); // of one day the last counts
    // N37: of an instrument that was never called so; of something else than a name
    decode_events(f, &work, EVENT("AA", "2012-05-18") "," EVENT("AB", "2022-06-09"));
    assert_int_equal(f->page.aliases.count, 0);
    assert_int_equal(f->page.counts.foreign, 2);
    decode_events(f, &work,
                  EVENT("META", "2022-06-09") ",{\"type\":\"merger\",\"date\":\"2012-05-18\"}," EVENT(
                      "FB", "2012-05-18"));
    assert_int_equal(f->page.aliases.count, 2);
    assert_int_equal(f->page.counts.foreign, 1);
    assert_int_equal(f->page.count, 1);
}

static void test_bad_events(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    static const struct {
        const char *event, *reason;
    } cases[] = {
        {"{\"type\":\"ticker_change\",\"date\":\"2012-05-18\"}", "missing_field"},
        {"{\"ticker_change\":{\"ticker\":\"FB\"}}", "missing_field"},
        {"{\"ticker_change\":\"FB\",\"date\":\"2012-05-18\"}", "bad_symbol"},
        {EVENT("F B", "2012-05-18"), "bad_symbol"},
        {EVENT("FB", "2012-05-32"), "bad_date"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf events;
        mf_buf_init(&events, 4096);
        mf_buf_addf(&events, "%s,%s", EVENT("META", "2022-06-09"), cases[i].event);
        decode_events(f, &work, mf_buf_c_str(&events));
        assert_int_equal(f->page.count, 1);
        assert_int_equal(f->page.counts.rejected, 1);
        assert_int_equal(f->page.items[0].index, 1);
        assert_string_equal(f->page.items[0].reason, cases[i].reason);
        mf_buf_free(&events);
    }
    decode_events(f, &work, "[],7"); // of no type, so of this one
    assert_int_equal(f->page.count, 2);
    assert_string_equal(f->page.items[0].reason, "bad_type");
}

static void test_shapes(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    static const struct {
        const char *body;
        enum ing_answer answer;
    } cases[] = {
        {"{\"status\":\"OK\",\"results\":{\"name\":\"M\"}}", ING_ANSWER_EMPTY},
        {"{\"status\":\"OK\",\"results\":{\"events\":null}}", ING_ANSWER_EMPTY},
        {"{\"status\":\"OK\",\"results\":null}", ING_ANSWER_EMPTY},
        {"{\"status\":\"OK\"}", ING_ANSWER_EMPTY},
        {"{\"status\":\"OK\",\"results\":[]}", ING_ANSWER_TRANSIENT},
        {"{\"status\":\"OK\",\"results\":{\"events\":{}}}", ING_ANSWER_TRANSIENT},
        {"{\"status\":\"OK\",\"results\":{\"events\":[{\"date\":NaN}]}}", ING_ANSWER_TRANSIENT},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_decode(f, &work, 200, NULL, cases[i].body);
        if (f->page.answer != cases[i].answer || f->page.aliases.count != 0)
            fail_msg("%s: %s", cases[i].body, ing_answer_name(f->page.answer));
    }
    // Elsewhere an object is no list of rows
    work = work_of(ING_PASS_ACTIVE);
    ing_decode(f, &work, 200, NULL, "{\"status\":\"OK\",\"results\":{\"events\":[]}}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

static void test_limit(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    struct mf_buf events;
    mf_buf_init(&events, 65536);
    mf_buf_add_c(&events, EVENT("META", "2022-06-09"));
    for (int i = 0; i < MF_SYMBOL_ALIASES_MAX; i++)
        mf_buf_addf(&events, "," EVENT("OLD%d", "%d-01-02"), i, 1900 + i);
    decode_events(f, &work, mf_buf_c_str(&events));
    assert_int_equal(f->page.aliases.count, MF_SYMBOL_ALIASES_MAX);
    expect_alias(f, 0, "OLD1", "1901-01-02", "1902-01-01"); // the newest that there is room for
    expect_alias(f, MF_SYMBOL_ALIASES_MAX - 1, "META", "2022-06-09", NULL);
    mf_buf_free(&events);
}

static void decode_row(struct ing_fixture *f, const struct ing_work *work, const char *figi)
{
    char body[512];
    snprintf(
        body, sizeof body,
        "{\"status\":\"OK\",\"results\":[{\"ticker\":\"META\",\"name\":\"Meta\",\"market\":\"stocks\"%s%s%s,"
        "\"last_updated_utc\":\"2024-03-01T00:00:00Z\"}]}",
        figi != NULL ? ",\"composite_figi\":\"" : "", figi != NULL ? figi : "", figi != NULL ? "\"" : "");
    ing_decode(f, work, 200, NULL, body);
}

static void test_names_of_a_symbol(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of(ING_PASS_RENAMES);
    decode_events(f, &work, EVENT("META", "2022-06-09") "," EVENT("FB", "2012-05-18"));
    struct ing_aliases aliases = f->page.aliases;
    work = work_of(ING_PASS_ACTIVE);
    work.aliases = &aliases;
    static const struct {
        const char *figi;
        size_t count;
    } cases[] = {{FIGI, 2}, {NULL, 2}, {"BBG00OTHER00", 0}}; // the last: who had the ticker before
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        decode_row(f, &work, cases[i].figi);
        ing_event(f, 0);
        assert_int_equal(f->event.symbol_info.alias_count, cases[i].count);
        ing_encode(f);
    }
    decode_row(f, &work, FIGI);
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.symbol_info.aliases[0].symbol, "FB"));
    assert_int_equal(f->event.symbol_info.aliases[0].to.day, 8);
    assert_int_equal(f->event.symbol_info.aliases[1].to.year, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_bad_events),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_names_of_a_symbol),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
