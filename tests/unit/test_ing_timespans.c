// SPDX-License-Identifier: Apache-2.0
// Bars of every timespan: what is asked for, where their windows lie, and to which session they belong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/bar_session.h"
#include "services/ingestor/request_range.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

// Every span of the provider's has a row, and no two rows are the same series.
static void test_table(void **state)
{
    (void)state;
    static const char *const names[] = {"second",   "5second", "minute", "5minute", "15minute",
                                        "30minute", "hour",    "4hour",  "day",     "week",
                                        "month",    "quarter", "year"};
    assert_int_equal(MF_ARRAY_LEN(names), ING_TIMESPAN_MAX);
    unsigned intervals = 0;
    for (unsigned i = 0; i < ING_TIMESPAN_MAX; i++) {
        enum ing_timespan timespan;
        assert_true(ing_timespan_parse(mf_str_of(names[i]), &timespan));
        assert_int_equal(timespan, i);
        intervals |= 1u << ing_timespans[i].interval;
        int64_t length_us = mf_interval_longest_us(ing_timespans[i].interval);
        int64_t base_us = ing_timespans[i].base == ING_BASE_SECOND   ? MF_US_PER_SECOND
                          : ing_timespans[i].base == ING_BASE_MINUTE ? MF_US_PER_MINUTE
                                                                     : MF_US_PER_DAY;
        assert_int_equal(ing_timespans[i].base_count * base_us, length_us);
    }
    assert_int_equal(intervals, (1u << MF_INTERVAL_MAX) - 1);
    char text[160];
    assert_string_equal(ing_timespan_names(text),
                        "second, 5second, minute, 5minute, 15minute, 30minute, hour, "
                        "4hour, day, week, month, quarter or year");
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *symbol, *timespan;
        unsigned limit;
        const char *path;
    } cases[] = {
        {"AAPL", "second", 50000,
         "AAPL/range/1/second/1704171600000/1709268899999?adjusted=true&sort=asc&limit=50000"},
        {"AAPL", "15minute", 50000,
         "AAPL/range/15/minute/1704171600000/1709268899999?adjusted=true&sort=asc&limit=50000"},
        {"AAPL", "4hour", 50000,
         "AAPL/range/4/hour/1704171600000/1709268899999?adjusted=true&sort=asc&limit=50000"},
        // A page that could not hold a single window is asked for as one that can
        {"AAPL", "hour", 10, "AAPL/range/1/hour/1704171600000/1709268899999?adjusted=true&sort=asc&limit=60"},
        {"AAPL", "week", 50000, "AAPL/range/1/week/2024-01-02/2024-02-29?adjusted=true&sort=asc&limit=50000"},
        {"AAPL", "month", 1, "AAPL/range/1/month/2024-01-02/2024-02-29?adjusted=true&sort=asc&limit=31"},
        {"AAPL", "quarter", 91, "AAPL/range/1/quarter/2024-01-02/2024-02-29?adjusted=true&sort=asc&limit=92"},
        {"X:BTCUSD", "year", 365,
         "X%3ABTCUSD/range/1/year/2024-01-02/2024-03-01?adjusted=true&sort=asc&limit=366"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work =
            ing_minute_work(cases[i].symbol, "2024-01-02T05:00:00Z", "2024-03-01T04:55:00Z");
        assert_true(ing_timespan_parse(mf_str_of(cases[i].timespan), &work.timespan));
        work.limit = cases[i].limit;
        struct mf_buf url;
        struct mf_error err;
        const char *endpoint;
        char wanted[256];
        mf_buf_init(&url, 4096);
        assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), 0);
        snprintf(wanted, sizeof wanted, "https://api.massive.com/v2/aggs/ticker/%s", cases[i].path);
        assert_string_equal(mf_buf_c_str(&url), wanted);
        mf_buf_free(&url);
    }
}

struct place_case {
    const char *symbol;
    enum mf_interval interval;
    const char *stamp; // as the vendor sets it
    const char *start, *end, *date;
    enum mf_session session;
};

static void check_place(struct ing_fixture *f, const struct place_case *c)
{
    struct ing_bar_place place;
    char text[MF_TIME_TEXT_SIZE];
    char date[MF_DATE_TEXT_SIZE];
    enum mf_asset_class asset_class = mf_asset_class_of_symbol(mf_str_of(c->symbol));
    if (!ing_bar_place(f->calendar, asset_class, c->interval, ing_time(c->stamp), &place))
        fail_msg("%s %s: refused", c->symbol, c->stamp);
    if (place.event_time_us != ing_time(c->start))
        fail_msg("%s %s begins at %s", c->symbol, c->stamp, mf_time_format_ms(place.event_time_us, text));
    if (place.window_end_us != ing_time(c->end))
        fail_msg("%s %s ends at %s", c->symbol, c->stamp, mf_time_format_ms(place.window_end_us, text));
    assert_string_equal(mf_date_format(place.session_date, date), c->date);
    if (place.session != c->session)
        fail_msg("%s %s is %s", c->symbol, c->stamp, mf_session_name(place.session));
}

#define H MF_INTERVAL_1H
#define H4 MF_INTERVAL_4H
#define W MF_INTERVAL_1W
#define MO MF_INTERVAL_1MO
#define Q MF_INTERVAL_3MO
#define Y MF_INTERVAL_1Y
static void test_places(void **state)
{
    static const struct place_case cases[] = {
        {"AAPL", MF_INTERVAL_1S, "2024-01-02T14:30:01Z", "2024-01-02T14:30:01Z", "2024-01-02T14:30:02Z",
         "2024-01-02", MF_SESSION_REGULAR},
        {"AAPL", MF_INTERVAL_5S, "2024-01-02T14:29:55Z", "2024-01-02T14:29:55Z", "2024-01-02T14:30:00Z",
         "2024-01-02", MF_SESSION_PRE},
        {"AAPL", MF_INTERVAL_30M, "2024-01-02T14:00:00Z", "2024-01-02T14:00:00Z", "2024-01-02T14:30:00Z",
         "2024-01-02", MF_SESSION_PRE},
        // The hour of the opening began before it, at 09:00: it belongs to neither session alone
        {"AAPL", H, "2024-01-02T14:00:00Z", "2024-01-02T14:00:00Z", "2024-01-02T15:00:00Z", "2024-01-02",
         MF_SESSION_FULL},
        {"AAPL", H, "2024-01-02T13:00:00Z", "2024-01-02T13:00:00Z", "2024-01-02T14:00:00Z", "2024-01-02",
         MF_SESSION_PRE},
        {"AAPL", H, "2024-01-02T20:00:00Z", "2024-01-02T20:00:00Z", "2024-01-02T21:00:00Z", "2024-01-02",
         MF_SESSION_REGULAR},
        {"AAPL", H, "2024-01-03T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-03T01:00:00Z", "2024-01-02",
         MF_SESSION_POST}, // N23
        // Four hours are counted from midnight in New York, in summer and in winter
        {"AAPL", H4, "2024-01-02T09:00:00Z", "2024-01-02T09:00:00Z", "2024-01-02T13:00:00Z", "2024-01-02",
         MF_SESSION_PRE},
        {"AAPL", H4, "2024-01-02T13:00:00Z", "2024-01-02T13:00:00Z", "2024-01-02T17:00:00Z", "2024-01-02",
         MF_SESSION_FULL},
        {"AAPL", H4, "2024-07-02T16:00:00Z", "2024-07-02T16:00:00Z", "2024-07-02T20:00:00Z", "2024-07-02",
         MF_SESSION_REGULAR},
        // N24: the afternoon of an early close
        {"AAPL", H4, "2024-07-03T16:00:00Z", "2024-07-03T16:00:00Z", "2024-07-03T20:00:00Z", "2024-07-03",
         MF_SESSION_FULL},
        {"X:BTCUSD", H4, "2024-01-02T04:00:00Z", "2024-01-02T04:00:00Z", "2024-01-02T08:00:00Z", "2024-01-02",
         MF_SESSION_FULL},
        {"X:BTCUSD", H4, "2024-01-02T05:00:00Z", "2024-01-02T05:00:00Z", "2024-01-02T09:00:00Z", "2024-01-02",
         MF_SESSION_FULL}, // cut in New York
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        check_place(*state, &cases[i]);
}

static void test_places_of_long_windows(void **state)
{
    static const struct place_case cases[] = {
        // Weeks begin on Sunday and end with Friday's close; Thursday's in one with a holiday
        {"AAPL", W, "2024-01-07T05:00:00Z", "2024-01-07T05:00:00Z", "2024-01-12T21:00:00Z", "2024-01-07",
         MF_SESSION_FULL},
        {"AAPL", W, "2024-03-24T04:00:00Z", "2024-03-24T04:00:00Z", "2024-03-28T20:00:00Z", "2024-03-24",
         MF_SESSION_FULL},
        // N22: the week in which the clocks change
        {"AAPL", W, "2024-03-10T05:00:00Z", "2024-03-10T05:00:00Z", "2024-03-15T20:00:00Z", "2024-03-10",
         MF_SESSION_FULL},
        // Another day of the same week is the same bar
        {"AAPL", W, "2024-01-08T05:00:00Z", "2024-01-07T05:00:00Z", "2024-01-12T21:00:00Z", "2024-01-07",
         MF_SESSION_FULL},
        {"X:BTCUSD", W, "2024-01-07T00:00:00Z", "2024-01-07T00:00:00Z", "2024-01-14T00:00:00Z", "2024-01-07",
         MF_SESSION_FULL},
        {"AAPL", MO, "2024-02-01T05:00:00Z", "2024-02-01T05:00:00Z", "2024-02-29T21:00:00Z", "2024-02-01",
         MF_SESSION_FULL},
        {"AAPL", MO, "2024-03-01T05:00:00Z", "2024-03-01T05:00:00Z", "2024-03-28T20:00:00Z", "2024-03-01",
         MF_SESSION_FULL}, // Good Friday was the 29th, Sunday the 31st
        {"C:EURUSD", MO, "2024-12-01T00:00:00Z", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z", "2024-12-01",
         MF_SESSION_FULL},
        {"AAPL", Q, "2024-04-01T04:00:00Z", "2024-04-01T04:00:00Z", "2024-06-28T20:00:00Z", "2024-04-01",
         MF_SESSION_FULL},
        {"AAPL", Q, "2024-10-01T04:00:00Z", "2024-10-01T04:00:00Z", "2024-12-31T21:00:00Z", "2024-10-01",
         MF_SESSION_FULL},
        {"X:BTCUSD", Q, "2024-10-01T00:00:00Z", "2024-10-01T00:00:00Z", "2025-01-01T00:00:00Z", "2024-10-01",
         MF_SESSION_FULL},
        {"AAPL", Y, "2023-01-01T05:00:00Z", "2023-01-01T05:00:00Z", "2023-12-29T21:00:00Z", "2023-01-01",
         MF_SESSION_FULL},
        {"X:BTCUSD", Y, "2024-01-01T05:00:00Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2024-01-01",
         MF_SESSION_FULL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        check_place(*state, &cases[i]);
}

// What is no start of a window is no bar of that interval (N46).
static void test_no_starts(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *symbol;
        enum mf_interval interval;
        const char *stamp;
    } cases[] = {
        {"AAPL", MF_INTERVAL_1S, "2024-01-02T14:30:00.500Z"},
        {"AAPL", MF_INTERVAL_5S, "2024-01-02T14:30:01Z"},
        {"AAPL", MF_INTERVAL_5M, "2024-01-02T14:31:00Z"},
        {"AAPL", MF_INTERVAL_30M, "2024-01-02T14:15:00Z"},
        {"AAPL", H, "2024-01-02T14:30:00Z"},
        {"AAPL", H4, "2024-01-02T12:00:00Z"},
        {"AAPL", H4, "2024-07-02T13:00:00Z"},
        {"X:BTCUSD", H4, "2024-01-02T06:00:00Z"},
    };
    struct ing_bar_place place;
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        assert_false(ing_bar_place(f->calendar, mf_asset_class_of_symbol(mf_str_of(cases[i].symbol)),
                                   cases[i].interval, ing_time(cases[i].stamp), &place));
}

// From an answer to an event that everybody can read, for each timespan.
static void test_events(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const stamps[ING_TIMESPAN_MAX] = {
        "1704205800000", "1704205800000", "1704205800000", "1704205800000", "1704205800000",
        "1704205800000", "1704207600000", "1704214800000", "1704171600000", "1704603600000",
        "1706763600000", "1704085200000", "1704085200000"};
    for (unsigned t = 0; t < ING_TIMESPAN_MAX; t++) {
        struct ing_work work = ing_minute_work("AAPL", "2024-01-01T05:00:00Z", "2024-04-01T04:00:00Z");
        work.timespan = (enum ing_timespan)t;
        char row[256];
        snprintf(row, sizeof row,
                 "{\"t\":%s,\"o\":1.50,\"h\":2,\"l\":1,\"c\":1.25,\"v\":10.5,\"vw\":1.3,\"n\":7}", stamps[t]);
        ing_decode_rows(f, &work, row);
        assert_int_equal(f->page.count, 1);
        ing_event(f, 0);
        assert_int_equal(f->event.bar.interval, ing_timespans[t].interval);
        assert_int_equal(f->event.bar.adjusted, MF_ADJUSTED_SPLIT);
        assert_int_equal(f->event.event_time_us, strtoll(stamps[t], NULL, 10) * MF_US_PER_MS);
        assert_string_equal(ing_verdict(f, 0), "");
        ing_encode(f);
    }
}

// As long as its limit, and no next page: what lies behind the last row may have been cut off.
static void test_rest_of_a_cut_answer(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *timespan, *rows, *rest; // NULL = whole
        int query_count;
    } cases[] = {
        {"minute", "{\"t\":1704205800000},{\"t\":1704205860000}", "2024-01-02T14:32:00Z", 100},
        {"minute", "{\"t\":1704205860000},{\"t\":1704205800000}", "2024-01-02T14:32:00Z", 5000},
        {"minute", "{\"t\":1704205800000},{\"t\":1704205860000}", NULL, 99},
        // N11: one ahead of its place; one behind it, which costs reading a page again.
        {"minute", "{\"t\":1704205800000},{\"t\":1704207600000},{\"t\":1704205860000}",
         "2024-01-02T14:32:00Z", 100},
        {"minute", "{\"t\":1704205860000},{\"t\":1704205920000},{\"t\":1704205800000}",
         "2024-01-02T14:31:00Z", 100},
        {"5minute", "{\"t\":1704205800000}", "2024-01-02T14:35:00Z", 96},
        {"5minute", "{\"t\":1704205800000}", NULL, 95},
        {"minute", "{\"t\":\"soon\"}", NULL, 100},      // nobody knows where it goes on
        {"minute", "{\"t\":1704239940000}", NULL, 100}, // the last minute that was asked for
        {"minute", "{\"t\":1704326340000}", NULL, 100}, // what is behind the range is not wanted
        {"4hour", "{\"t\":1704186000000}", "2024-01-02T13:00:00Z", 240},
        {"day", "{\"t\":1704171600000}", NULL, 99},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = ing_minute_work("AAPL", "2024-01-02T05:00:00Z", "2024-01-03T00:00:00Z");
        assert_true(ing_timespan_parse(mf_str_of(cases[i].timespan), &work.timespan));
        work.limit = 100;
        char body[512];
        for (int next = 0; next < 2; next++) {
            snprintf(body, sizeof body, "{\"status\":\"OK\",\"queryCount\":%d,\"results\":[%s]%s}",
                     cases[i].query_count, cases[i].rows,
                     next == 1 ? ",\"next_url\":\"https://api.polygon.io/x\"" : "");
            ing_decode(f, &work, 200, NULL, body);
            int64_t wanted_us = next == 1 || cases[i].rest == NULL ? 0 : ing_time(cases[i].rest);
            if (f->page.rest_us != wanted_us)
                fail_msg("%zu: %lld", i, (long long)f->page.rest_us);
            // How far the range is: what comes again is not among it.
            if (wanted_us != 0)
                assert_true(ing_page_last_time(&f->page) < wanted_us);
        }
    }
}

// A window of the asked range, but not yet begun two windows ahead.
static void test_future(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_minute_work("X:BTCUSD", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    const char *bar = ",\"o\":1,\"h\":2,\"l\":1,\"c\":1,\"v\":1}";
    char row[128];
    work.timespan = ING_TIMESPAN_QUARTER; // asked at the end of 2024: the third one from there is too far
    snprintf(row, sizeof row, "{\"t\":1743465600000%s", bar); // 2025-04-01
    ing_decode_rows(f, &work, row);
    assert_string_equal(f->page.items[0].reason, "");
    snprintf(row, sizeof row, "{\"t\":1751328000000%s", bar); // 2025-07-01
    ing_decode_rows(f, &work, row);
    assert_string_equal(f->page.items[0].reason, "");
    snprintf(row, sizeof row, "{\"t\":1759276800000%s", bar); // 2025-10-01
    ing_decode_rows(f, &work, row);
    assert_string_equal(f->page.items[0].reason, "future_timestamp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test_setup_teardown(test_requests, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_places, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_places_of_long_windows, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_no_starts, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_events, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_rest_of_a_cut_answer, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_future, ing_fixture_set_up, ing_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
