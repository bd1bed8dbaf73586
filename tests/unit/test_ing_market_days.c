// SPDX-License-Identifier: Apache-2.0
// What the exchanges announce: answers of the Polygon provider, and what of them is laid over the calendar.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "services/ingestor/polygon.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define ROW(exchange, day, rest) \
    "{\"exchange\":\"" exchange "\",\"name\":\"Mourning\",\"date\":\"" day "\",\"status\":" rest "}"
#define CLOSED "\"closed\""
#define EARLY(open, close) "\"early-close\",\"open\":\"" open "\",\"close\":\"" close "\""
#define BOTH(day, rest) ROW("NYSE", day, rest) "," ROW("NASDAQ", day, rest)

// Answers are given on Tuesday, 2024-12-31, at midnight UTC: in New York it is still Monday.
static struct ing_work work_of(enum ing_feed feed)
{
    struct ing_work work = {.feed = feed,
                            .market = ING_MARKET_STOCKS,
                            .asset_class = MF_ASSET_STOCK,
                            .symbol = "market:stocks",
                            .from_us = ing_time("2024-12-31T00:00:00Z"),
                            .to_us = ing_time("2025-01-01T00:00:00Z"),
                            .limit = 1};
    return work;
}

static void decode(struct ing_fixture *f, const char *rows)
{
    static struct ing_work work; // the page points to it
    struct mf_buf body;
    work = work_of(ING_FEED_HOLIDAYS);
    mf_buf_init(&body, 1024 * 1024);
    mf_buf_addf(&body, "[%s]", rows);
    ing_decode(f, &work, 200, NULL, mf_buf_c_str(&body));
    mf_buf_free(&body);
}

static void expect_day(const struct ing_fixture *f, size_t at, const char *date, int open, int close)
{
    char text[MF_DATE_TEXT_SIZE];
    const struct mf_calendar_notice *notice = &f->page.market.days[at];
    assert_string_equal(mf_date_format(notice->date, text), date);
    assert_int_equal(notice->closed, open == 0);
    assert_int_equal(notice->open_minute, open);
    assert_int_equal(notice->close_minute, close);
}

static void test_requests(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const urls[] = {"https://api.massive.com/v1/marketstatus/upcoming",
                                       "https://api.massive.com/v1/marketstatus/now"};
    static const enum ing_feed feeds[] = {ING_FEED_HOLIDAYS, ING_FEED_MARKET_STATE};
    for (size_t i = 0; i < MF_ARRAY_LEN(feeds); i++) {
        struct ing_work work = work_of(feeds[i]);
        struct mf_error err;
        const char *endpoint = NULL;
        struct mf_buf url;
        mf_buf_init(&url, 4096);
        assert_int_equal(ing_polygon.build_request(&f->config, &work, &url, &endpoint, &err), 0);
        assert_string_equal(mf_buf_c_str(&url), urls[i]);
        assert_string_equal(endpoint, ing_feed_name(feeds[i]));
        mf_buf_free(&url);
    }
}

static void test_days_that_both_announce(void **state)
{
    struct ing_fixture *f = *state;
    decode(f, BOTH("2025-01-09", CLOSED) "," BOTH(
                  "2025-01-10",
                  EARLY("2025-01-10T14:30:00.000Z",
                        "2025-01-10T19:00:00.000Z")) "," BOTH("2025-01-13",
                                                              "\"early-close\"") "," ROW("OTC", "2025-01-14",
                                                                                         CLOSED));
    assert_int_equal(f->page.answer, ING_ANSWER_DATA);
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.rows, 7);
    assert_int_equal(f->page.counts.foreign, 1);
    assert_int_equal(f->page.market.count, 3);
    assert_int_equal(f->page.market.disputed_count, 0);
    expect_day(f, 0, "2025-01-09", 0, 0);
    expect_day(f, 1, "2025-01-10", 570, 840);
    expect_day(f, 2, "2025-01-13", 570, 780); // without times the usual ones
    assert_string_equal(f->page.market.days[0].reason, "Mourning");
    // An answer without rows announces nothing
    decode(f, "");
    assert_int_equal(f->page.answer, ING_ANSWER_EMPTY);
    assert_int_equal(f->page.market.count, 0);
}

static void test_what_one_says_alone(void **state)
{
    struct ing_fixture *f = *state;
    char text[MF_DATE_TEXT_SIZE];
    decode(f, ROW("NYSE", "2025-01-09", CLOSED) "," ROW("OTC", "2025-01-09", CLOSED));
    assert_int_equal(f->page.market.count, 0);
    assert_int_equal(f->page.market.disputed_count, 1);
    assert_string_equal(mf_date_format(f->page.market.disputed[0], text), "2025-01-09");
    // Where one is open for a part of the day the market is, and for as long as the one that closes last.
    decode(f, ROW("NYSE", "2025-01-09", CLOSED) "," ROW("NASDAQ", "2025-01-09", "\"early-close\""));
    assert_int_equal(f->page.market.count, 1);
    expect_day(f, 0, "2025-01-09", 570, 780);
    decode(f, ROW("nyse", "2025-01-09", EARLY("2025-01-09T15:30:00Z", "2025-01-09T19:00:00Z")) "," ROW(
                  "Nasdaq", "2025-01-09", EARLY("2025-01-09T14:30:00Z", "2025-01-09T18:00:00Z")));
    expect_day(f, 0, "2025-01-09", 570, 840);
}

static void test_bad_rows(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *row, *reason;
    } cases[] = {
        {"1", "bad_type"},
        {"null", "bad_type"},
        {"{\"date\":\"2025-01-09\",\"status\":\"closed\"}", "missing_field"},
        {"{\"exchange\":\"NYSE\",\"status\":\"closed\"}", "missing_field"},
        {"{\"exchange\":\"NYSE\",\"date\":\"2025-01-09\"}", "missing_field"},
        {ROW("NYSE", "2025-02-30", CLOSED), "bad_date"},
        {ROW("NYSE", "2025-01-09", "\"open\""), "bad_status"},
        {ROW("NYSE", "2025-01-11", "\"early-close\""), "bad_date"}, // a Saturday
        {ROW("NYSE", "2025-01-09", EARLY("2025-01-09T14:30:00Z", "2025-01-10T18:00:00Z")), "bad_time"},
        {ROW("NYSE", "2025-01-09", EARLY("2025-01-09T14:30:00Z", "2025-01-09T14:30:00Z")), "bad_time"},
        {ROW("NYSE", "2025-01-09", EARLY("2025-01-09T14:30:00Z", "2025-01-09T22:00:00Z")), "bad_time"},
        {ROW("NYSE", "2025-01-09", EARLY("half past nine", "2025-01-09T18:00:00Z")), "bad_time"},
        {ROW("NYSE", "2025-01-09", "\"early-close\",\"close\":13"), "bad_time"},
        {ROW("NYSE", "2025-01-20", "\"early-close\""), "conflicting_row"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf rows;
        mf_buf_init(&rows, 4096);
        mf_buf_addf(&rows, "%s,%s", BOTH("2025-01-20", CLOSED), cases[i].row);
        decode(f, mf_buf_c_str(&rows));
        mf_buf_free(&rows);
        if (f->page.count != 1 || strcmp(f->page.items[0].reason, cases[i].reason) != 0)
            fail_msg("%s: %s", cases[i].row, f->page.count == 1 ? f->page.items[0].reason : "no item");
        assert_int_equal(f->page.items[0].index, 2);
        assert_int_equal(f->page.counts.rejected, 1);
        assert_int_equal(f->page.market.count, 1); // the right rows count
    }
    // The same again, and what lies too far off, is no mistake of the row
    decode(f, BOTH("2025-01-20", CLOSED) "," ROW("NYSE", "2025-01-20", CLOSED) "," BOTH(
                  "2024-11-28", CLOSED) "," BOTH("2029-01-01", CLOSED));
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.duplicates, 1);
    assert_int_equal(f->page.counts.out_of_range, 4);
}

static void test_more_days_than_there_is_room_for(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf rows;
    mf_buf_init(&rows, 1024 * 1024);
    struct mf_date day = {2025, 1, 1};
    for (int i = 0; i < MF_CALENDAR_NOTICES_MAX + 3; i++, day = mf_date_add_days(day, 1)) {
        char text[MF_DATE_TEXT_SIZE];
        mf_date_format(day, text);
        mf_buf_addf(&rows,
                    "%s{\"exchange\":\"NYSE\",\"date\":\"%s\",\"status\":\"closed\"},"
                    "{\"exchange\":\"NASDAQ\",\"date\":\"%s\",\"status\":\"closed\"}",
                    i > 0 ? "," : "", text, text);
    }
    decode(f, mf_buf_c_str(&rows));
    mf_buf_free(&rows);
    assert_int_equal(f->page.market.count, MF_CALENDAR_NOTICES_MAX);
    assert_int_equal(f->page.count, 6);
    assert_string_equal(f->page.items[0].reason, "too_many_days");
}

static void test_a_long_name_is_cut_between_characters(void **state)
{
    struct ing_fixture *f = *state;
    struct mf_buf rows;
    mf_buf_init(&rows, 4096);
    for (int exchange = 0; exchange < 2; exchange++) {
        mf_buf_addf(&rows, "%s{\"exchange\":\"%s\",\"date\":\"2025-01-09\",\"status\":\"closed\",\"name\":\"",
                    exchange > 0 ? "," : "", exchange > 0 ? "NASDAQ" : "NYSE");
        for (int i = 0; i < 50; i++)
            mf_buf_add_c(&rows, "\xc3\xa9");
        mf_buf_add_c(&rows, "\"}");
    }
    decode(f, mf_buf_c_str(&rows));
    mf_buf_free(&rows);
    assert_int_equal(strlen(f->page.market.days[0].reason), 62);
}

static void test_answers_that_are_none(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        int status;
        const char *body;
        enum ing_answer answer;
    } cases[] = {
        {200, "{\"status\":\"ERROR\",\"error\":\"no\"}", ING_ANSWER_TRANSIENT},
        {200, "{\"status\":\"OK\",\"results\":[]}", ING_ANSWER_TRANSIENT},
        {200, "{\"status\":\"NOT_AUTHORIZED\",\"message\":\"upgrade\"}", ING_ANSWER_PLAN_LIMIT},
        {200, "<html>", ING_ANSWER_TRANSIENT},
        {200, "\"text\"", ING_ANSWER_TRANSIENT},
        {200, "", ING_ANSWER_TRANSIENT},
        {403, "{\"status\":\"NOT_AUTHORIZED\",\"message\":\"upgrade\"}", ING_ANSWER_PLAN_LIMIT},
        {404, "{\"status\":\"NOT_FOUND\"}", ING_ANSWER_UNKNOWN_TICKER},
        {500, "", ING_ANSWER_TRANSIENT},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        for (enum ing_feed feed = ING_FEED_HOLIDAYS; feed <= ING_FEED_MARKET_STATE; feed++) {
            struct ing_work work = work_of(feed);
            ing_decode(f, &work, cases[i].status, NULL, cases[i].body);
            if (f->page.answer != cases[i].answer)
                fail_msg("%d %s: %s", cases[i].status, cases[i].body, ing_answer_name(f->page.answer));
        }
    }
    // Each has its own shape.
    struct ing_work work = work_of(ING_FEED_MARKET_STATE);
    ing_decode(f, &work, 200, NULL, "[]");
    assert_int_equal(f->page.answer, ING_ANSWER_TRANSIENT);
}

static void test_the_state_of_the_market(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *nyse, *nasdaq, *time;
        enum ing_market_state state;
    } cases[] = {
        {"open", "open", "2024-12-30T19:05:00-05:00", ING_MARKET_OPEN},
        {"closed", "closed", "2024-12-31T00:00:00Z", ING_MARKET_CLOSED},
        {"extended-hours", "extended-hours", "2024-12-31T00:00:00Z", ING_MARKET_EXTENDED},
        {"open", "closed", "2024-12-31T00:00:00Z", ING_MARKET_UNSAID},
        {"ajar", "ajar", "2024-12-31T00:00:00Z", ING_MARKET_UNSAID},
        {"open", "open", "2024-12-30T00:00:00Z", ING_MARKET_UNSAID}, // of another day
        {"open", "open", "noon", ING_MARKET_UNSAID},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = work_of(ING_FEED_MARKET_STATE);
        char body[256];
        snprintf(
            body, sizeof body,
            "{\"market\":\"open\",\"serverTime\":\"%s\",\"exchanges\":{\"nyse\":\"%s\",\"nasdaq\":\"%s\","
            "\"otc\":\"closed\"}}",
            cases[i].time, cases[i].nyse, cases[i].nasdaq);
        ing_decode(f, &work, 200, NULL, body);
        assert_int_equal(f->page.answer, ING_ANSWER_DATA);
        assert_int_equal(f->page.count, 0);
        assert_int_equal(f->page.market.state, cases[i].state);
    }
}

// ---------------------------------------------------------------- in force

static struct mf_date date_of(const char *text)
{
    struct mf_date date;
    assert_true(mf_date_parse(mf_str_of(text), &date));
    return date;
}

static size_t take(struct ing_fixture *f, struct ing_market_days *days, const char *today, const char *rows,
                   struct ing_market_change *changes)
{
    decode(f, rows);
    return ing_market_days_take(days, &f->page.market, date_of(today), changes);
}

static void test_only_what_differs_is_in_force(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_market_days days = {.count = 0};
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    const char *rows =
        BOTH("2025-01-01", CLOSED) "," BOTH("2025-01-08", CLOSED) "," BOTH("2025-07-03", "\"early-close\"");
    assert_int_equal(take(f, &days, "2024-12-31", rows, changes), 1);
    assert_int_equal(days.count, 1);
    assert_false(changes[0].withdrawn);
    assert_int_equal(mf_date_cmp(changes[0].notice.date, date_of("2025-01-08")), 0);
    // Said again it is nothing new; said otherwise it is.
    assert_int_equal(take(f, &days, "2025-01-02", rows, changes), 0);
    assert_int_equal(take(f, &days, "2025-01-02", BOTH("2025-01-08", "\"early-close\""), changes), 1);
    assert_int_equal(mf_calendar_compare(&days.notices[0]), MF_CALENDAR_OTHER_HOURS);
    // What is no longer said of a day to come is withdrawn.
    assert_int_equal(take(f, &days, "2025-01-07", BOTH("2025-01-20", CLOSED), changes), 1);
    assert_true(changes[0].withdrawn);
    assert_int_equal(days.count, 0);
}

static void test_days_that_have_come_stay(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_market_days days = {.count = 0};
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    assert_int_equal(take(f, &days, "2025-01-07", BOTH("2025-01-08", CLOSED), changes), 1);
    assert_int_equal(take(f, &days, "2025-01-08", "", changes), 0); // lists may begin with tomorrow
    assert_int_equal(take(f, &days, "2025-02-06", "", changes), 0);
    assert_int_equal(days.count, 1);
    assert_int_equal(take(f, &days, "2025-02-08", "", changes), 0); // a month later nobody asks back for it
    assert_int_equal(days.count, 0);
    // On the day itself the exchanges may still change their mind
    take(f, &days, "2025-01-07", BOTH("2025-01-08", CLOSED), changes);
    assert_int_equal(take(f, &days, "2025-01-08", BOTH("2025-01-08", "\"early-close\""), changes), 1);
    assert_int_equal(days.notices[0].close_minute, 780);
}

static bool take_state(struct ing_fixture *f, struct ing_market_days *days, enum ing_market_state state,
                       const char *when, bool traded, struct ing_market_change *change)
{
    struct ing_market_said said = {.state = state, .server_time_us = ing_time(when)};
    mf_calendar_set_notices(f->calendar, days->notices, days->count);
    return ing_market_days_take_state(days, f->calendar, &said, traded, change);
}

static void test_a_market_that_stays_closed(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_market_days days = {.count = 0};
    struct ing_market_change change;
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    const char *noon = "2025-01-08T17:00:00Z";
    assert_false(take_state(f, &days, ING_MARKET_CLOSED, "2025-01-08T14:40:00Z", false, &change)); // early
    assert_false(take_state(f, &days, ING_MARKET_CLOSED, noon, true, &change)); // and yet it trades
    assert_false(take_state(f, &days, ING_MARKET_EXTENDED, noon, false, &change));
    assert_false(take_state(f, &days, ING_MARKET_OPEN, noon, false, &change));
    assert_false(take_state(f, &days, ING_MARKET_CLOSED, "2025-01-08T20:50:00Z", false, &change)); // late
    assert_false(take_state(f, &days, ING_MARKET_CLOSED, "2025-01-11T17:00:00Z", false, &change)); // Saturday
    assert_true(take_state(f, &days, ING_MARKET_CLOSED, noon, false, &change));
    assert_int_equal(mf_calendar_compare(&change.notice), MF_CALENDAR_CLOSED);
    assert_false(take_state(f, &days, ING_MARKET_CLOSED, noon, false, &change)); // known by now
    assert_int_equal(take(f, &days, "2025-01-08", BOTH("2025-01-08", "\"early-close\""), changes), 0);
    // It opens after all
    assert_true(take_state(f, &days, ING_MARKET_OPEN, noon, false, &change));
    assert_true(change.withdrawn);
    assert_int_equal(days.count, 0);
}

static void test_a_market_that_is_open_where_it_should_not_be(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_market_days days = {.count = 0};
    struct ing_market_change change;
    // An early close of the rules that does not take place, and a holiday
    assert_false(take_state(f, &days, ING_MARKET_OPEN, "2025-07-03T17:10:00Z", false, &change));
    assert_true(take_state(f, &days, ING_MARKET_OPEN, "2025-07-03T17:20:00Z", false, &change));
    assert_int_equal(mf_calendar_compare(&change.notice), MF_CALENDAR_OTHER_HOURS);
    assert_true(take_state(f, &days, ING_MARKET_OPEN, "2025-01-20T15:00:00Z", false, &change));
    assert_int_equal(mf_calendar_compare(&change.notice), MF_CALENDAR_OPENED);
    assert_false(take_state(f, &days, ING_MARKET_OPEN, "2025-01-19T15:00:00Z", false, &change)); // Sunday
    assert_int_equal(days.count, 2);
    // What is seen to be open is not closed by a list, today.
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    assert_int_equal(take(f, &days, "2025-01-20", BOTH("2025-01-20", CLOSED), changes), 1); // 3 July is gone
    assert_int_equal(mf_calendar_compare(&days.notices[0]), MF_CALENDAR_OPENED);
}

static void test_days_are_kept(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_market_days days = {.count = 0};
    struct ing_market_days again = {.count = 0};
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    struct mf_json *json = mf_json_new();
    struct mf_error err;
    struct mf_buf text;
    mf_buf_init(&text, 65536);
    take(f, &days, "2025-01-07", BOTH("2025-01-08", CLOSED) "," BOTH("2025-01-10", "\"early-close\""),
         changes);
    ing_market_days_encode(&days, &text);
    assert_int_equal(ing_market_days_decode(json, mf_buf_str(&text), &again, &err), 0);
    assert_int_equal(again.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mf_date_cmp(again.notices[i].date, days.notices[i].date), 0);
        assert_int_equal(again.notices[i].closed, days.notices[i].closed);
        assert_int_equal(again.notices[i].close_minute, days.notices[i].close_minute);
        assert_string_equal(again.notices[i].reason, "Mourning");
    }
    static const char *const bad[] = {
        "",
        "[]",
        "{\"version\":2,\"days\":[]}",
        "{\"version\":1,\"days\":[1]}",
        "{\"version\":1,\"days\":[{\"date\":\"soon\"}]}",
        "{\"version\":1,\"days\":[{\"date\":\"2025-01-08\",\"open_minute\":600,\"close_minute\":600}]}",
        "{\"version\":1,\"days\":[{\"date\":\"2025-01-08\",\"open_minute\":-1,\"close_minute\":600}]}"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        assert_int_equal(ing_market_days_decode(json, mf_str_of(bad[i]), &again, &err), -1);
        assert_string_equal(err.code, "bad_market_days");
        assert_int_equal(again.count, 2);
    }
    // What the rules have come to say is no longer beside them.
    assert_int_equal(ing_market_days_decode(
                         json, MF_STR("{\"version\":1,\"days\":[{\"date\":\"2025-01-09\"}]}"), &again, &err),
                     0);
    assert_int_equal(again.count, 0);
    mf_buf_free(&text);
    mf_json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_days_that_both_announce, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_what_one_says_alone, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bad_rows, ing_fixture_set_up, ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_more_days_than_there_is_room_for, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_name_is_cut_between_characters, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_answers_that_are_none, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_the_state_of_the_market, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_differs_is_in_force, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_days_that_have_come_stay, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_market_that_stays_closed, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_market_that_is_open_where_it_should_not_be, ing_fixture_set_up,
                                        ing_fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_days_are_kept, ing_fixture_set_up, ing_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
