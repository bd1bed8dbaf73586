// SPDX-License-Identifier: Apache-2.0
// Market status: what the vendor announces, read, compared with the calendar's rules, and told to it.
#include "services/ingestor/holidays.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

static void decode(struct ing_fixture *f, struct ing_work *work, enum ing_feed feed, const char *body)
{
    *work = (struct ing_work){.feed = feed,
                              .market = ING_MARKET_STOCKS,
                              .symbol = "market:stocks",
                              .from_us = 1,
                              .to_us = 2,
                              .limit = 1};
    struct ing_reply reply = {
        .work = work, .asked_us = ing_time("2024-06-01T00:00:00Z"), .status = 200, .body = mf_str_of(body)};
    ing_polygon.decode(&f->config, &reply, &f->page);
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        enum ing_feed feed;
        const char *url;
    } cases[] = {{ING_FEED_HOLIDAYS, "https://api.massive.com/v1/marketstatus/upcoming"},
                 {ING_FEED_MARKET_STATE, "https://api.massive.com/v1/marketstatus/now"}};
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = {.feed = cases[i].feed, .symbol = "market:stocks", .to_us = 1, .limit = 1};
        const char *endpoint;
        struct mf_error err;
        struct mf_buf url;
        mf_buf_init(&url, 1000);
        assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), 0);
        assert_string_equal(mf_buf_c_str(&url), cases[i].url);
        mf_buf_free(&url);
    }
}

#define DAY(exchange, date, rest) \
    "{\"exchange\":\"" exchange "\",\"name\":\"A day\",\"date\":\"" date "\"," rest "}"
#define CLOSED "\"status\":\"closed\""
#define EARLY                                                                                           \
    "\"status\":\"early-close\",\"open\":\"2024-11-29T14:30:00.000Z\",\"close\":\"2024-11-29T18:00:00." \
    "000Z\""

static void test_upcoming(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work;
    // Both exchanges, out of order; another exchange does not count; a bare array
    decode(f, &work, ING_FEED_HOLIDAYS,
           "[" DAY("NYSE", "2024-11-29", EARLY) "," DAY("NYSE", "2024-11-28", CLOSED) "," DAY(
               "NASDAQ", "2024-11-28", CLOSED) "," DAY("OTC", "2024-11-26", CLOSED) "]");
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.foreign, 1);
    assert_int_equal(f->page.holidays.count, 2);
    assert_int_equal(f->page.holidays.days[0].date.day, 28);
    assert_true(f->page.holidays.days[0].closed);
    assert_false(f->page.holidays.days[1].closed);
    assert_int_equal(f->page.holidays.days[1].close_minute, 13 * 60);
    // Nothing is announced: right too
    decode(f, &work, ING_FEED_HOLIDAYS, "[]");
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.holidays.count, 0);
    // Bad rows are reported, the others are taken
    decode(
        f, &work, ING_FEED_HOLIDAYS,
        "[7," DAY("NYSE", "2024-11-31", CLOSED) "," DAY("NYSE", "2024-11-28", "\"status\":\"moved\"") "," DAY(
            "NYSE", "2024-11-29",
            "\"status\":\"early-close\",\"close\":\"noon\"") ",{\"exchange\":\"NYSE\"}," DAY("NASDAQ",
                                                                                             "2024-12-25",
                                                                                             CLOSED) "]");
    static const char *const reasons[] = {"bad_type", "bad_date", "bad_value", "bad_time", "missing_field"};
    assert_int_equal(f->page.count, MF_ARRAY_LEN(reasons));
    assert_int_equal(f->page.counts.rejected, MF_ARRAY_LEN(reasons));
    for (size_t i = 0; i < MF_ARRAY_LEN(reasons); i++)
        assert_string_equal(f->page.items[i].reason, reasons[i]);
    assert_int_equal(f->page.holidays.count, 1);
    // Something else than that array is no answer
    decode(f, &work, ING_FEED_HOLIDAYS, "{\"status\":\"ERROR\",\"error\":\"try later\"}");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
    decode(f, &work, ING_FEED_HOLIDAYS, "<html>");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

static void test_now(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work;
    decode(f, &work, ING_FEED_MARKET_STATE,
           "{\"market\":\"extended-hours\",\"serverTime\":\"2024-05-31T17:00:00-04:00\",\"exchanges\":{}}");
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.holidays.state, ING_STATE_EXTENDED);
    assert_int_equal(f->page.holidays.server_us, ing_time("2024-05-31T21:00:00Z"));
    decode(f, &work, ING_FEED_MARKET_STATE, "{\"market\":\"gone fishing\"}");
    assert_int_equal(f->page.holidays.state, ING_STATE_UNKNOWN);
    assert_true(f->page.holidays.server_us == INT64_MIN);
    decode(f, &work, ING_FEED_MARKET_STATE, "{\"status\":\"OK\"}");
    assert_int_not_equal(f->page.answer, ING_ANSWER_DATA);
}

static void test_conflicts_and_the_limit(void **state)
{
    (void)state;
    struct ing_holidays holidays = {0};
    struct mf_calendar_change day = {.date = {2024, 7, 3}, .open_minute = 570, .close_minute = 780};
    assert_true(ing_holidays_add(&holidays, &day));
    day.close_minute = 900; // the other exchange stays open for longer
    assert_true(ing_holidays_add(&holidays, &day));
    assert_int_equal(holidays.days[0].close_minute, 780);
    day.closed = true;
    assert_true(ing_holidays_add(&holidays, &day));
    assert_true(holidays.days[0].closed);
    day.closed = false;
    assert_true(ing_holidays_add(&holidays, &day));
    assert_true(holidays.days[0].closed);
    assert_int_equal(holidays.count, 1);
    for (int i = 1; i < ING_HOLIDAYS_MAX; i++) {
        day.date = mf_date_add_days(day.date, 1);
        assert_true(ing_holidays_add(&holidays, &day));
    }
    day.date = mf_date_add_days(day.date, 1);
    assert_false(ing_holidays_add(&holidays, &day));
}

static void test_compare(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_calendar_change changes[ING_HOLIDAYS_MAX];
    struct ing_holiday_difference differences[8];
    size_t count = 9;
    struct ing_holidays holidays = {0};
    struct mf_date today = {2024, 11, 25};
    assert_int_equal(ing_holidays_compare(&holidays, today, changes, &count, differences, 8), 0);
    assert_int_equal(count, 0); // nothing is announced, nothing differs
    // What the rules know: Thanksgiving and the day behind it
    struct mf_calendar_change thursday = {.date = {2024, 11, 28}, .closed = true};
    struct mf_calendar_change friday = {.date = {2024, 11, 29}, .open_minute = 570, .close_minute = 780};
    ing_holidays_add(&holidays, &thursday);
    ing_holidays_add(&holidays, &friday);
    assert_int_equal(ing_holidays_compare(&holidays, today, changes, &count, differences, 8), 0);
    // A day of mourning, a shortened one; Christmas Eve is not announced
    struct mf_calendar_change mourning = {.date = {2024, 12, 3}, .closed = true};
    struct mf_calendar_change shortened = {.date = {2024, 12, 26}, .open_minute = 570, .close_minute = 780};
    struct mf_calendar_change christmas = {.date = {2024, 12, 25}, .closed = true};
    ing_holidays_add(&holidays, &shortened);
    ing_holidays_add(&holidays, &mourning);
    ing_holidays_add(&holidays, &christmas);
    assert_int_equal(ing_holidays_compare(&holidays, today, changes, &count, differences, 8), 3);
    assert_int_equal(count, 2); // a day that is not announced stays what it was
    assert_int_equal(differences[1].rule.close_minute, 780);
    assert_int_equal(differences[1].announced.close_minute, 960);
    struct mf_calendar_session session;
    mf_calendar_set_changes(f->calendar, changes, count);
    assert_false(mf_calendar_session_of(f->calendar, mourning.date, &session));
    assert_string_equal(mf_calendar_closure_reason(f->calendar, mourning.date), "announced");
    assert_true(mf_calendar_session_of(f->calendar, shortened.date, &session));
    assert_true(session.early_close);
    assert_int_equal(session.close_us, ing_time("2024-12-26T18:00:00Z"));
    assert_int_equal(session.post_close_us, ing_time("2024-12-26T22:00:00Z"));
    assert_true(mf_calendar_session_until(f->calendar, mourning.date, &session));
    assert_int_equal(session.date.day, 2);
    assert_int_equal(mf_calendar_phase_at(f->calendar, ing_time("2024-12-03T16:00:00Z")), MF_PHASE_CLOSED);
    // The rules stay as they are, and so does the calendar without announcements
    assert_false(mf_calendar_rule(mourning.date).closed);
    mf_calendar_set_changes(f->calendar, NULL, 0);
    assert_true(mf_calendar_session_of(f->calendar, mourning.date, &session));
    // Days that are over are nobody's concern
    assert_int_equal(
        ing_holidays_compare(&holidays, (struct mf_date){2024, 12, 27}, changes, &count, differences, 8), 0);
}

// A day of the year 9999 is a mistake: what is nearer is compared, and no three million days are.
static void test_a_day_that_is_too_far(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work;
    struct mf_calendar_change changes[ING_HOLIDAYS_MAX];
    struct ing_holiday_difference differences[1];
    size_t count = 0;
    decode(f, &work, ING_FEED_HOLIDAYS,
           "[" DAY("NYSE", "2024-08-14", CLOSED) "," DAY("NYSE", "9999-12-31", CLOSED) "]");
    assert_int_equal(f->page.holidays.count, 2);
    size_t all = ing_holidays_compare(&f->page.holidays, (struct mf_date){2024, 8, 1}, changes, &count,
                                      differences, MF_ARRAY_LEN(differences));
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].date.day, 14);
    assert_in_range(all, 1, 100); // and closures of some years, which nobody has announced
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_upcoming),
        cmocka_unit_test(test_now),      cmocka_unit_test(test_conflicts_and_the_limit),
        cmocka_unit_test(test_compare),  cmocka_unit_test(test_a_day_that_is_too_far),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
