// SPDX-License-Identifier: Apache-2.0
// What one request for bars may ask for: never more than a page holds, and nothing between two of them.
#include "services/ingestor/request_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/bar_session.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

static struct ing_work work_of(const char *symbol, const char *timespan, unsigned limit)
{
    struct ing_work work = ing_minute_work(symbol, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    assert_true(ing_timespan_parse(mf_str_of(timespan), &work.timespan));
    work.limit = limit;
    return work;
}

static void test_first_request(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *symbol, *timespan;
        unsigned limit;
        const char *from, *to, *end;
        unsigned pages;
    } cases[] = {
        // A month of minutes, as the provider advises, though a page holds more
        {"AAPL", "minute", 50000, "2024-01-02T05:00:00Z", "2024-06-01T04:00:00Z", "2024-02-01T05:00:00Z", 1},
        {"X:BTCUSD", "minute", 50000, "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z", "2024-01-31T00:00:00Z",
         1},
        // Five sessions of 960 minutes; the weekend before the sixth is free
        {"AAPL", "minute", 5000, "2024-01-08T05:00:00Z", "2024-06-01T04:00:00Z", "2024-01-16T05:00:00Z", 1},
        {"AAPL", "minute", 4799, "2024-01-08T05:00:00Z", "2024-06-01T04:00:00Z", "2024-01-12T05:00:00Z", 1},
        // Three days of 1440 minutes, weekend or not
        {"X:BTCUSD", "minute", 5000, "2024-01-05T00:00:00Z", "2024-06-01T00:00:00Z", "2024-01-08T00:00:00Z",
         1},
        {"C:EURUSD", "minute", 5000, "2024-01-05T00:00:00Z", "2024-06-01T00:00:00Z", "2024-01-08T00:00:00Z",
         1},
        // A part of a day counts as one
        {"AAPL", "minute", 1920, "2024-01-08T15:00:00Z", "2024-06-01T04:00:00Z", "2024-01-10T05:00:00Z", 1},
        // Never less than a day with bars, in pages; the days before it without any are no request of their
        // own
        {"AAPL", "minute", 400, "2024-01-08T05:00:00Z", "2024-06-01T04:00:00Z", "2024-01-09T05:00:00Z", 3},
        {"AAPL", "minute", 400, "2024-01-06T05:00:00Z", "2024-06-01T04:00:00Z", "2024-01-09T05:00:00Z", 3},
        // The hour that spring lacks
        {"AAPL", "minute", 1000, "2024-03-08T05:00:00Z", "2024-06-01T04:00:00Z", "2024-03-11T04:00:00Z", 1},
        // Days: as many sessions as the page holds
        {"AAPL", "day", 50000, "1990-01-02T05:00:00Z", "2024-06-01T04:00:00Z", "2024-06-01T04:00:00Z", 1},
        {"AAPL", "day", 4, "2024-01-11T05:00:00Z", "2024-06-01T04:00:00Z", "2024-01-18T05:00:00Z", 1},
        {"X:BTCUSD", "day", 4, "2024-01-11T00:00:00Z", "2024-06-01T00:00:00Z", "2024-01-15T00:00:00Z", 1},
        // Never beyond the end, never before it when all fits
        {"AAPL", "minute", 50000, "2024-01-08T15:00:00Z", "2024-01-08T16:00:00Z", "2024-01-08T16:00:00Z", 1},
        {"AAPL", "day", 1, "2024-01-08T05:00:00Z", "2024-01-08T15:00:00Z", "2024-01-08T15:00:00Z", 1},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = work_of(cases[i].symbol, cases[i].timespan, cases[i].limit);
        int64_t from_us = ing_time(cases[i].from);
        int64_t end_us = ing_request_end_us(f->calendar, &work, from_us, ing_time(cases[i].to));
        char text[MF_TIME_TEXT_SIZE];
        if (end_us != ing_time(cases[i].end))
            fail_msg("%zu: ends at %s", i, mf_time_format_ms(end_us, text));
        assert_int_equal(ing_request_pages(f->calendar, &work, from_us, end_us), cases[i].pages);
    }
}

// From one end to the next until all is asked for: each request gets on, holds what a page does (or a single
// day), and ends where a window does.
static void check_all(struct ing_fixture *f, const struct ing_work *work, const char *from, const char *to)
{
    const struct ing_timespan_info *span = &ing_timespans[work->timespan];
    int64_t from_us = ing_time(from);
    int64_t to_us = ing_time(to);
    unsigned requests = 0;
    while (from_us < to_us) {
        int64_t end_us = ing_request_end_us(f->calendar, work, from_us, to_us);
        assert_true(end_us > from_us && end_us <= to_us);
        struct ing_window window = ing_window_of(f->calendar, work->asset_class, span->interval, end_us);
        assert_true(end_us == to_us || window.start_us == end_us);
        uint64_t base = ing_request_base_count(f->calendar, work, from_us, end_us);
        assert_true(base <= ing_request_limit(work) ||
                    base == ing_request_base_count(f->calendar, work, from_us, from_us + 1) ||
                    ing_request_base_count(f->calendar, work, from_us, from_us + 1) == 0);
        from_us = end_us;
        requests++;
    }
    assert_true(requests > 0);
}

static void test_nothing_between_requests(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const symbols[] = {"AAPL", "I:SPX", "X:BTCUSD", "C:EURUSD"};
    static const unsigned limits[] = {1, 59, 400, 960, 1440, 5000, 49999, 50000};
    for (size_t s = 0; s < MF_ARRAY_LEN(symbols); s++) {
        for (size_t l = 0; l < MF_ARRAY_LEN(limits); l++) {
            for (unsigned t = 0; t < ING_TIMESPAN_MAX; t++) {
                struct ing_work work = work_of(symbols[s], ing_timespans[t].name, limits[l]);
                check_all(f, &work, "2023-02-26T06:30:00Z", "2024-03-19T17:00:00Z");
            }
        }
    }
}

static void test_other_feeds(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_news_work("AAPL", "2000-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
    assert_int_equal(ing_request_end_us(f->calendar, &work, work.from_us, work.to_us), work.to_us);
    assert_int_equal(ing_request_pages(f->calendar, &work, work.from_us, work.to_us), 1);
    assert_int_equal(ing_request_limit(&work), work.limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_request, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_between_requests, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_other_feeds, ing_fixture_set_up, ing_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
