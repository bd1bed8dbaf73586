// SPDX-License-Identifier: Apache-2.0
// What was announced for single days, laid over the exchange's rules.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/calendar.h"

static struct mf_calendar *calendar;

static int setup(void **state)
{
    (void)state;
    struct mf_error err;
    return mf_calendar_new(&calendar, &err);
}

static int teardown(void **state)
{
    (void)state;
    mf_calendar_free(&calendar);
    return 0;
}

static struct mf_date date_of(const char *text)
{
    struct mf_date date;
    assert_true(mf_date_parse(mf_str_of(text), &date));
    return date;
}

static int64_t time_of(const char *text)
{
    int64_t time_us = 0;
    assert_true(mf_time_parse(mf_str_of(text), &time_us));
    return time_us;
}

static struct mf_calendar_notice notice_of(const char *date, int open_minute, int close_minute)
{
    struct mf_calendar_notice notice = {.date = date_of(date),
                                        .closed = open_minute == 0,
                                        .open_minute = open_minute,
                                        .close_minute = close_minute};
    mf_str_copy(notice.reason, sizeof notice.reason, MF_STR("National Day of Mourning"));
    return notice;
}

// 2026-11-23 is a Monday, 26 is Thanksgiving, on 27 the exchange closes at 13:00.
static void test_what_a_notice_changes(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        int open, close;
        const char *difference;
    } cases[] = {
        {"2026-11-23", 0, 0, "closed"},
        {"2026-11-23", 570, 960, "same"},
        {"2026-11-23", 570, 780, "other_hours"},
        {"2026-11-23", 600, 960, "other_hours"},
        {"2026-11-26", 0, 0, "same"},
        {"2026-11-26", 570, 780, "opened"},
        {"2026-11-27", 570, 780, "same"},
        {"2026-11-27", 570, 840, "other_hours"},
        {"2026-11-27", 0, 0, "closed"},
        {"2026-11-28", 0, 0, "same"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_calendar_notice notice = notice_of(cases[i].date, cases[i].open, cases[i].close);
        assert_string_equal(mf_calendar_difference_name(mf_calendar_compare(&notice)), cases[i].difference);
    }
}

static void test_a_closure(void **state)
{
    (void)state;
    struct mf_calendar_notice notice = notice_of("2026-11-23", 0, 0);
    struct mf_calendar_session session;
    assert_int_equal(mf_calendar_phase_at(calendar, time_of("2026-11-23T16:00:00Z")), MF_PHASE_REGULAR);
    mf_calendar_set_notices(calendar, &notice, 1);
    assert_false(mf_calendar_session_of(calendar, notice.date, &session));
    assert_int_equal(mf_calendar_phase_at(calendar, time_of("2026-11-23T16:00:00Z")), MF_PHASE_CLOSED);
    assert_string_equal(mf_calendar_closure_reason(calendar, notice.date), "National Day of Mourning");
    assert_true(mf_calendar_session_from(calendar, notice.date, &session));
    assert_int_equal(mf_date_cmp(session.date, date_of("2026-11-24")), 0);
    assert_true(mf_calendar_session_until(calendar, notice.date, &session));
    assert_int_equal(mf_date_cmp(session.date, date_of("2026-11-20")), 0);
    // Other days are as they were, and without the notice so is this one.
    assert_true(mf_calendar_session_of(calendar, date_of("2026-11-24"), &session));
    mf_calendar_set_notices(calendar, NULL, 0);
    assert_true(mf_calendar_session_of(calendar, notice.date, &session));
    assert_null(mf_calendar_closure_reason(calendar, notice.date));
}

static void test_other_hours(void **state)
{
    (void)state;
    const struct mf_calendar_notice notices[] = {notice_of("2026-11-23", 570, 780),
                                                 notice_of("2026-11-24", 630, 960)};
    struct mf_calendar_session session;
    mf_calendar_set_notices(calendar, notices, 2);
    assert_true(mf_calendar_session_of(calendar, notices[0].date, &session));
    assert_true(session.early_close);
    assert_true(session.pre_open_us == time_of("2026-11-23T09:00:00Z"));
    assert_true(session.open_us == time_of("2026-11-23T14:30:00Z"));
    assert_true(session.close_us == time_of("2026-11-23T18:00:00Z"));
    assert_true(session.post_close_us == time_of("2026-11-23T22:00:00Z"));
    assert_true(mf_calendar_session_of(calendar, notices[1].date, &session));
    assert_false(session.early_close);
    assert_true(session.open_us == time_of("2026-11-24T15:30:00Z"));
    assert_true(session.close_us == time_of("2026-11-24T21:00:00Z"));
}

static void test_an_opening(void **state)
{
    (void)state;
    struct mf_calendar_notice notice = notice_of("2026-11-26", 570, 780);
    struct mf_calendar_session session;
    assert_string_equal(mf_calendar_closure_reason(calendar, notice.date), "Thanksgiving Day");
    mf_calendar_set_notices(calendar, &notice, 1);
    assert_null(mf_calendar_closure_reason(calendar, notice.date));
    assert_true(mf_calendar_session_of(calendar, notice.date, &session));
    assert_true(session.close_us == time_of("2026-11-26T18:00:00Z"));
}

// As many days in a row as there may be notices: the next session is found behind them.
static void test_the_longest_break(void **state)
{
    (void)state;
    struct mf_calendar_notice notices[MF_CALENDAR_NOTICES_MAX];
    struct mf_date day = date_of("2026-11-23");
    size_t count = 0;
    for (; count < MF_CALENDAR_NOTICES_MAX; day = mf_date_add_days(day, 1)) {
        struct mf_calendar_notice notice = notice_of("2026-11-23", 0, 0);
        notice.date = day;
        if (mf_calendar_compare(&notice) == MF_CALENDAR_CLOSED)
            notices[count++] = notice;
    }
    struct mf_calendar_session session;
    mf_calendar_set_notices(calendar, notices, count);
    assert_true(mf_calendar_session_from(calendar, date_of("2026-11-23"), &session));
    assert_true(mf_date_cmp(session.date, notices[count - 1].date) > 0);
    assert_true(mf_calendar_session_until(calendar, mf_date_add_days(session.date, -1), &session));
    assert_int_equal(mf_date_cmp(session.date, date_of("2026-11-20")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_notice_changes),
        cmocka_unit_test_setup_teardown(test_a_closure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_break, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
