// SPDX-License-Identifier: Apache-2.0
// The exchange's calendar against what is published about it: session counts, closings, early closes, clock
// changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
    mf_calendar_free(&calendar); // NULL-safe
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

static void test_sessions_per_year(void **state)
{
    (void)state;
    static const int published[] = {
        253, 253, 254, 253, 252, 252, 254, 253, 252, 252, // 1990 to 1999
        252, 248, 252, 252, 252, 252, 251, 251, 253, 252, // 2000 to 2009
        252, 252, 250, 252, 252, 252, 252, 251, 251, 252, // 2010 to 2019
        253, 252, 251, 250, 252, 250, 251, 251, 251,      // 2020 to 2028, as announced
    };
    struct mf_calendar_session session;
    for (size_t i = 0; i < MF_ARRAY_LEN(published); i++) {
        int year = 1990 + (int)i, count = 0;
        for (struct mf_date d = {year, 1, 1}; d.year == year; d = mf_date_add_days(d, 1))
            count += mf_calendar_session_of(calendar, d, &session);
        if (count != published[i])
            fail_msg("%d has %d sessions, not %d", year, count, published[i]);
    }
}

static const struct {
    const char *date, *reason;
} closed_days[] = {
    {"1990-01-01", "New Year's Day"},
    {"1993-12-31", NULL}, // January 1 is a Saturday: not kept on the year's last Friday
    {"1995-01-02", "New Year's Day"},
    {"2010-12-31", NULL},
    {"2021-12-31", NULL},
    {"2023-01-02", "New Year's Day"},
    {"1997-01-20", NULL}, // the year before Martin Luther King Day
    {"1998-01-19", "Martin Luther King Day"},
    {"2024-01-15", "Martin Luther King Day"},
    {"1990-02-19", "Washington's Birthday"},
    {"2025-02-17", "Washington's Birthday"},
    {"1991-03-29", "Good Friday"},
    {"2000-04-21", "Good Friday"},
    {"2008-03-21", "Good Friday"},
    {"2019-04-19", "Good Friday"},
    {"2038-04-23", "Good Friday"}, // as late as it can be but for two days
    {"2024-04-01", NULL},          // Easter Monday
    {"2024-05-27", "Memorial Day"},
    {"2021-06-18", NULL},
    {"2021-06-21", NULL},
    {"2022-06-20", "Juneteenth"}, // a Sunday
    {"2023-06-19", "Juneteenth"},
    {"2027-06-18", "Juneteenth"}, // a Saturday
    {"1992-07-03", "Independence Day"},
    {"2020-07-03", "Independence Day"},
    {"2021-07-05", "Independence Day"},
    {"2024-09-02", "Labor Day"},
    {"2024-11-28", "Thanksgiving Day"},
    {"2018-11-22", "Thanksgiving Day"},
    {"1993-12-24", "Christmas Day"},
    {"2022-12-26", "Christmas Day"},
    {"2024-12-25", "Christmas Day"},
    {"1994-04-27", "funeral of President Nixon"},
    {"2001-09-10", NULL},
    {"2001-09-11", "attacks of September 11"},
    {"2001-09-14", "attacks of September 11"},
    {"2001-09-17", NULL},
    {"2004-06-11", "funeral of President Reagan"},
    {"2007-01-02", "funeral of President Ford"},
    {"2012-10-29", "Hurricane Sandy"},
    {"2012-10-30", "Hurricane Sandy"},
    {"2018-12-05", "funeral of President George H. W. Bush"},
    {"2025-01-09", "funeral of President Carter"},
    {"2024-10-14", NULL}, // Columbus Day is no holiday here
    {"2024-11-11", NULL}, // nor is Veterans Day
    {"2024-01-06", "weekend"},
    {"2024-01-07", "weekend"},
    {"1989-12-29", "outside of the calendar"},
    {"2101-01-03", "outside of the calendar"},
};

static void test_closed_days_and_their_reasons(void **state)
{
    (void)state;
    struct mf_calendar_session session;
    for (size_t i = 0; i < MF_ARRAY_LEN(closed_days); i++) {
        struct mf_date date = date_of(closed_days[i].date);
        const char *reason = mf_calendar_closure_reason(calendar, date);
        if (closed_days[i].reason == NULL ? reason != NULL
                                          : reason == NULL || strcmp(reason, closed_days[i].reason) != 0)
            fail_msg("%s: %s", closed_days[i].date, reason != NULL ? reason : "open");
        assert_int_equal(mf_calendar_session_of(calendar, date, &session), closed_days[i].reason == NULL);
    }
}

static const struct {
    const char *date, *open, *close, *pre, *post; // UTC
    bool early;
} session_hours[] = {
    // either side of both clock changes of 2021
    {"2021-03-12", "14:30", "21:00", "09:00", "01:00", false},
    {"2021-03-15", "13:30", "20:00", "08:00", "00:00", false},
    {"2021-11-05", "13:30", "20:00", "08:00", "00:00", false},
    {"2021-11-08", "14:30", "21:00", "09:00", "01:00", false},
    // the clocks changed on other Sundays before 2007
    {"2006-03-31", "14:30", "21:00", "09:00", "01:00", false},
    {"2006-04-03", "13:30", "20:00", "08:00", "00:00", false},
    {"2006-10-27", "13:30", "20:00", "08:00", "00:00", false},
    {"2006-10-30", "14:30", "21:00", "09:00", "01:00", false},
    // after the last transition that most files list: the footer's rule
    {"2060-03-12", "14:30", "21:00", "09:00", "01:00", false},
    {"2060-03-15", "13:30", "20:00", "08:00", "00:00", false},
    {"2060-11-05", "13:30", "20:00", "08:00", "00:00", false},
    {"2060-11-08", "14:30", "21:00", "09:00", "01:00", false},
    // early closes
    {"2020-11-27", "14:30", "18:00", "09:00", "22:00", true},
    {"2020-12-24", "14:30", "18:00", "09:00", "22:00", true},
    {"2021-11-26", "14:30", "18:00", "09:00", "22:00", true},
    {"2022-11-25", "14:30", "18:00", "09:00", "22:00", true},
    {"2024-07-03", "13:30", "17:00", "08:00", "21:00", true},
    {"2025-07-03", "13:30", "17:00", "08:00", "21:00", true},
    {"1990-11-23", "14:30", "21:00", "09:00", "01:00", false},
    {"1990-12-24", "14:30", "19:00", "09:00", "22:00", true},
    {"1992-11-27", "14:30", "19:00", "09:00", "22:00", true},
    {"1992-12-24", "14:30", "19:00", "09:00", "22:00", true},
    {"1993-11-26", "14:30", "18:00", "09:00", "22:00", true},
    {"1994-07-05", "13:30", "20:00", "08:00", "00:00", false},
    {"1995-07-03", "13:30", "17:00", "08:00", "21:00", true},
    {"1996-07-03", "13:30", "20:00", "08:00", "00:00", false}, // a Wednesday: the Friday after, instead
    {"1996-07-05", "13:30", "17:00", "08:00", "21:00", true},
    {"2002-07-05", "13:30", "17:00", "08:00", "21:00", true},
    {"2013-07-03", "13:30", "17:00", "08:00", "21:00", true},
    {"2013-07-05", "13:30", "20:00", "08:00", "00:00", false},
    {"2020-07-02", "13:30", "20:00", "08:00", "00:00", false},
    {"1997-12-26", "14:30", "18:00", "09:00", "22:00", true},
    {"2003-12-26", "14:30", "18:00", "09:00", "22:00", true},
    {"2008-12-26", "14:30", "21:00", "09:00", "01:00", false},
    {"1999-12-31", "14:30", "18:00", "09:00", "22:00", true},
    {"1998-12-31", "14:30", "21:00", "09:00", "01:00", false},
    // hours that nobody had planned
    {"1990-12-27", "16:00", "21:00", "09:00", "01:00", false},
    {"1994-02-11", "14:30", "19:30", "09:00", "22:00", true},
    {"1995-12-18", "15:30", "21:00", "09:00", "01:00", false},
    {"1996-01-08", "16:00", "19:00", "09:00", "22:00", true},
    {"1997-10-27", "14:30", "20:30", "09:00", "22:00", true},
    {"2002-09-11", "16:00", "20:00", "08:00", "00:00", false},
};

static void test_hours_of_sessions(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(session_hours); i++) {
        struct mf_calendar_session session;
        if (!mf_calendar_session_of(calendar, date_of(session_hours[i].date), &session))
            fail_msg("%s is closed", session_hours[i].date);
        char text[4][MF_TIME_TEXT_SIZE], got[64], wanted[64];
        mf_time_format_ms(session.pre_open_us, text[0]);
        mf_time_format_ms(session.open_us, text[1]);
        mf_time_format_ms(session.close_us, text[2]);
        mf_time_format_ms(session.post_close_us, text[3]);
        snprintf(got, sizeof got, "%.5s %.5s %.5s %.5s %d", text[0] + 11, text[1] + 11, text[2] + 11,
                 text[3] + 11, session.early_close);
        snprintf(wanted, sizeof wanted, "%s %s %s %s %d", session_hours[i].pre, session_hours[i].open,
                 session_hours[i].close, session_hours[i].post, session_hours[i].early);
        if (strcmp(got, wanted) != 0)
            fail_msg("%s: %s instead of %s", session_hours[i].date, got, wanted);
        assert_memory_equal(text[1], session_hours[i].date, 10);
        assert_true(session.pre_open_us < session.open_us && session.open_us < session.close_us &&
                    session.close_us < session.post_close_us);
    }
}

static void test_the_session_before_and_after(void **state)
{
    (void)state;
    static const struct {
        const char *date, *from, *until; // NULL: none
    } rows[] = {
        {"2001-09-11", "2001-09-17", "2001-09-10"}, {"2024-01-02", "2024-01-02", "2024-01-02"},
        {"2024-12-25", "2024-12-26", "2024-12-24"}, {"2025-01-09", "2025-01-10", "2025-01-08"},
        {"1980-06-01", "1990-01-02", NULL},         {"1990-01-01", "1990-01-02", NULL},
        {"2100-12-31", "2100-12-31", "2100-12-31"}, {"2101-01-01", NULL, "2100-12-31"},
        {"9999-12-31", NULL, "2100-12-31"},         {"0001-01-01", "1990-01-02", NULL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_calendar_session session;
        struct mf_date date = date_of(rows[i].date);
        char text[MF_DATE_TEXT_SIZE];
        assert_int_equal(mf_calendar_session_from(calendar, date, &session), rows[i].from != NULL);
        if (rows[i].from != NULL)
            assert_string_equal(mf_date_format(session.date, text), rows[i].from);
        assert_int_equal(mf_calendar_session_until(calendar, date, &session), rows[i].until != NULL);
        if (rows[i].until != NULL)
            assert_string_equal(mf_date_format(session.date, text), rows[i].until);
    }
}

static void test_phases_of_the_day(void **state)
{
    (void)state;
    static const struct {
        const char *time;
        enum mf_calendar_phase phase;
        const char *local_date;
    } rows[] = {
        {"2024-01-02T08:59:59.999Z", MF_PHASE_CLOSED, "2024-01-02"},
        {"2024-01-02T09:00:00.000Z", MF_PHASE_PRE, "2024-01-02"},
        {"2024-01-02T14:29:59.999Z", MF_PHASE_PRE, "2024-01-02"},
        {"2024-01-02T14:30:00.000Z", MF_PHASE_REGULAR, "2024-01-02"},
        {"2024-01-02T20:59:59.999Z", MF_PHASE_REGULAR, "2024-01-02"},
        {"2024-01-02T21:00:00.000Z", MF_PHASE_POST, "2024-01-02"},
        // 19:30 in New York is the next day in UTC and still the same session
        {"2024-01-03T00:30:00.000Z", MF_PHASE_POST, "2024-01-02"},
        {"2024-01-03T01:00:00.000Z", MF_PHASE_CLOSED, "2024-01-02"},
        {"2024-01-03T04:59:59.999Z", MF_PHASE_CLOSED, "2024-01-02"},
        {"2024-01-03T05:00:00.000Z", MF_PHASE_CLOSED, "2024-01-03"},
        {"2024-07-03T17:00:00.000Z", MF_PHASE_POST, "2024-07-03"}, // early
        {"2024-07-03T21:00:00.000Z", MF_PHASE_CLOSED, "2024-07-03"},
        {"2024-07-04T15:00:00.000Z", MF_PHASE_CLOSED, "2024-07-04"},
        {"2024-01-06T15:00:00.000Z", MF_PHASE_CLOSED, "2024-01-06"},
        {"1985-01-07T15:00:00.000Z", MF_PHASE_CLOSED, "1985-01-07"},
        {"1969-12-31T23:59:59.999Z", MF_PHASE_CLOSED, "1969-12-31"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[MF_DATE_TEXT_SIZE];
        int64_t time_us = time_of(rows[i].time);
        if (mf_calendar_phase_at(calendar, time_us) != rows[i].phase)
            fail_msg("%s is in another phase", rows[i].time);
        assert_string_equal(mf_date_format(mf_calendar_local_date(calendar, time_us), text),
                            rows[i].local_date);
    }
}

static void test_wall_times_around_the_clock_changes(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        int hour, minute;
        const char *utc;
    } rows[] = {
        {"2021-11-07", 0, 59, "2021-11-07T04:59:00.000Z"}, {"2021-11-07", 1, 0, "2021-11-07T05:00:00.000Z"},
        {"2021-11-07", 1, 30, "2021-11-07T05:30:00.000Z"}, // twice: the first one
        {"2021-11-07", 2, 0, "2021-11-07T07:00:00.000Z"},  {"2021-03-14", 1, 59, "2021-03-14T06:59:00.000Z"},
        {"2021-03-14", 2, 0, "2021-03-14T07:00:00.000Z"}, // never: moved forward to 3:00
        {"2021-03-14", 2, 30, "2021-03-14T07:30:00.000Z"}, {"2021-03-14", 3, 0, "2021-03-14T07:00:00.000Z"},
        {"2021-07-01", 0, 0, "2021-07-01T04:00:00.000Z"},  {"2021-01-01", 0, 0, "2021-01-01T05:00:00.000Z"},
        {"2060-11-07", 1, 30, "2060-11-07T05:30:00.000Z"}, {"2060-03-14", 2, 30, "2060-03-14T07:30:00.000Z"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[MF_TIME_TEXT_SIZE];
        int64_t got = mf_calendar_local_to_utc(calendar, date_of(rows[i].date), rows[i].hour, rows[i].minute);
        assert_string_equal(mf_time_format_ms(got, text), rows[i].utc);
    }
    assert_int_equal(mf_calendar_utc_offset_s(calendar, time_of("2021-03-14T06:59:59.999Z")), -18000);
    assert_int_equal(mf_calendar_utc_offset_s(calendar, time_of("2021-03-14T07:00:00.000Z")), -14400);
    assert_int_equal(mf_calendar_utc_offset_s(calendar, time_of("2021-11-07T05:59:59.999Z")), -14400);
    assert_int_equal(mf_calendar_utc_offset_s(calendar, time_of("2021-11-07T06:00:00.000Z")), -18000);
    assert_true(mf_calendar_midnight_us(calendar, date_of("2024-01-02")) ==
                time_of("2024-01-02T05:00:00.000Z"));
}

// A day has 23, 24 or 25 hours, and its midnight is its own date's.
static void test_every_midnight(void **state)
{
    (void)state;
    unsigned lengths[3] = {0};
    for (struct mf_date d = {1990, 1, 1}; d.year <= 2100; d = mf_date_add_days(d, 1)) {
        int64_t midnight = mf_calendar_midnight_us(calendar, d);
        int64_t next = mf_calendar_midnight_us(calendar, mf_date_add_days(d, 1));
        int64_t hours = (next - midnight) / MF_US_PER_HOUR;
        assert_true(hours >= 23 && hours <= 25 && (next - midnight) % MF_US_PER_HOUR == 0);
        lengths[hours - 23]++;
        assert_int_equal(mf_date_cmp(mf_calendar_local_date(calendar, midnight), d), 0);
        assert_int_equal(mf_date_cmp(mf_calendar_local_date(calendar, midnight - 1), mf_date_add_days(d, -1)),
                         0);
    }
    assert_int_equal(lengths[0], 111); // one short and one long day a year
    assert_int_equal(lengths[2], 111);
}

static void test_the_zone_is_not_that_of_the_process(void **state)
{
    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    struct mf_calendar *other = NULL;
    struct mf_error err;
    assert_int_equal(mf_calendar_new(&other, &err), 0);
    assert_int_equal(mf_calendar_utc_offset_s(other, time_of("2024-01-02T00:00:00.000Z")), -18000);
    mf_calendar_free(&other);
    unsetenv("TZ");
}

static void test_without_a_usable_tz_database(void **state)
{
    (void)state;
    char folder[] = "/tmp/mf-calendar-XXXXXX", below[64], file[96];
    assert_non_null(mkdtemp(folder));
    setenv("TZDIR", folder, 1);
    struct mf_calendar *none = NULL;
    struct mf_error err;
    assert_int_equal(mf_calendar_new(&none, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "tz_missing");
    assert_non_null(strstr(err.message, folder));

    snprintf(below, sizeof below, "%s/America", folder);
    snprintf(file, sizeof file, "%s/New_York", below);
    assert_int_equal(mkdir(below, 0700), 0);
    FILE *out = fopen(file, "wb");
    assert_non_null(out);
    fputs("TZif of another kind", out);
    fclose(out);
    assert_int_equal(mf_calendar_new(&none, &err), -1);
    assert_string_equal(err.code, "tz_malformed");
    assert_non_null(strstr(err.message, file));
    assert_null(none);
    unlink(file);
    rmdir(below);
    rmdir(folder);
    unsetenv("TZDIR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_per_year),
        cmocka_unit_test(test_closed_days_and_their_reasons),
        cmocka_unit_test(test_hours_of_sessions),
        cmocka_unit_test(test_the_session_before_and_after),
        cmocka_unit_test(test_phases_of_the_day),
        cmocka_unit_test(test_wall_times_around_the_clock_changes),
        cmocka_unit_test(test_every_midnight),
        cmocka_unit_test(test_the_zone_is_not_that_of_the_process),
        cmocka_unit_test(test_without_a_usable_tz_database),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
