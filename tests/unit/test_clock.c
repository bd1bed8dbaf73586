// SPDX-License-Identifier: Apache-2.0
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "common/backoff.h"

#include <cmocka.h>

static const int64_t first_us = INT64_C(-62135596800000000); // 0001-01-01T00:00:00Z
static const int64_t last_us = INT64_C(253402300799999999);  // 9999-12-31T23:59:59.999999Z

static int64_t read_directly(clockid_t id)
{
    struct timespec now;
    assert_int_equal(clock_gettime(id, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void clocks_are_those_of_the_system(void **state)
{
    (void)state;
    // Each reading lies between two direct ones, many times over, so at many places within a second.
    for (int i = 0; i < 10000; i++) {
        int64_t before = read_directly(CLOCK_MONOTONIC);
        int64_t now = mf_clock_monotonic_us();
        assert_true(before <= now && now <= read_directly(CLOCK_MONOTONIC));
    }
    int64_t before = read_directly(CLOCK_REALTIME);
    int64_t now = mf_clock_real_us();
    int64_t after = read_directly(CLOCK_REALTIME);
    assert_true(before > after || (before <= now && now <= after)); // unless it was set back meanwhile
}

static void times_are_written_in_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t time_us;
        const char *ms, *us;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z"},
        {1704205800123999, "2024-01-02T14:30:00.123Z", "2024-01-02T14:30:00.123999Z"},
        {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999999Z"},
        {-1000, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999000Z"},
        {-1001, "1969-12-31T23:59:59.998Z", "1969-12-31T23:59:59.998999Z"},
        {951782400000000, "2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000000Z"},
        {-62135596800000000, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000000Z"},
        {-62135596800000001, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000000Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000000Z"},
        {253402300799999999, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"},
        {253402300800000000, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[MF_TIME_TEXT_SIZE];
        assert_ptr_equal(mf_time_format_ms(cases[i].time_us, text), text);
        assert_string_equal(text, cases[i].ms);
        assert_string_equal(mf_time_format_us(cases[i].time_us, text), cases[i].us);
    }
}

static void times_are_read_with_offsets_and_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_us;
    } cases[] = {
        {"2024-01-02T14:30:00Z", 1704205800000000},
        {"2024-01-02t14:30:00z", 1704205800000000},
        {"2024-01-02T14:30:00+00:00", 1704205800000000},
        {"2024-01-02T14:30:00-00:00", 1704205800000000},
        {"2024-01-02T09:30:00-05:00", 1704205800000000},
        {"2024-01-02T20:00:00+05:30", 1704205800000000},
        {"2024-01-03T14:29:00+23:59", 1704205800000000},
        {"2024-01-02T14:30:00.1Z", 1704205800100000},
        {"2024-01-02T14:30:00.000001Z", 1704205800000001},
        {"2024-01-02T14:30:00.123456789Z", 1704205800123456},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
        {"2016-12-31T23:59:60Z", 1483228800000000},        // the leap second
        {"2016-12-31T18:59:60.5-05:00", 1483228800500000}, // the same elsewhere
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        int64_t time_us = 7;
        if (!mf_time_parse(mf_str_of(cases[i].text), &time_us) || time_us != cases[i].time_us)
            fail_msg("%s: %lld", cases[i].text, (long long)time_us);
    }
}

static void anything_else_is_no_time(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2024-01-02",
        "2024-01-02 14:30:00Z",
        "2024-01-02T14:30:00",
        "2024-01-02T14:30Z",
        "2024-01-02T14:30:00.Z",
        "2024-01-02T14:30:00.1234567890Z",
        "2024-01-02T14:30:00,5Z",
        "2024-01-02T24:00:00Z",
        "2024-01-02T14:60:00Z",
        "2024-01-02T14:30:61Z",
        "2024-01-02T14:30:60Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60-05:00",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2024-01-02T14:30:00+24:00",
        "2024-01-02T14:30:00+05:60",
        "2024-01-02T14:30:00+0530",
        "2024-01-02T14:30:00+05",
        "2024-01-02T14:30:00ZZ",
        "2024-01-02T14:30:00Z ",
        " 2024-01-02T14:30:00Z",
        "2024-1-02T14:30:00Z",
        "12024-01-02T14:30:00Z",
        "-2024-01-02T14:30:00Z",
        "2024-01-02T14:30:0\xc2\xb2Z",
        "2024-01-02T+4:30:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "2024-01-02T14:30:00Y",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        int64_t time_us = 7;
        if (mf_time_parse(mf_str_of(cases[i]), &time_us))
            fail_msg("accepted %s", cases[i]);
        assert_int_equal(time_us, 7);
    }
    int64_t time_us = 7;
    assert_false(mf_time_parse(MF_STR_NULL, &time_us));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    uint64_t random = 20240102;
    for (int i = 0; i < 200000; i++) {
        int64_t time_us = first_us + (int64_t)(mf_random_next(&random) % (uint64_t)(last_us - first_us + 1));
        char text[MF_TIME_TEXT_SIZE];
        int64_t back = 0;
        assert_true(mf_time_parse(mf_str_of(mf_time_format_us(time_us, text)), &back));
        assert_true(back == time_us);
        assert_true(mf_time_parse(mf_str_of(mf_time_format_ms(time_us, text)), &back));
        int64_t of_ms = ((time_us % 1000) + 1000) % 1000;
        assert_true(back == time_us - of_ms);
        // The C library is the oracle for the calendar.
        time_t seconds = (time_t)((time_us - ((time_us % 1000000) + 1000000) % 1000000) / 1000000);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        struct mf_date date = mf_date_of_utc(time_us);
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(mf_date_weekday(date), tm.tm_wday);
    }
}

static void every_day_has_one_date(void **state)
{
    (void)state;
    struct mf_date previous = mf_date_from_days(-719162);
    assert_int_equal(previous.year * 10000 + previous.month * 100 + previous.day, 10101);
    for (int32_t days = -719162; days <= 2932896; days++) {
        struct mf_date date = mf_date_from_days(days);
        if (mf_date_to_days(date) != days || mf_date_weekday(date) != ((days % 7) + 7 + 4) % 7)
            fail_msg("day %d", days);
        if (days > -719162 && mf_date_cmp(previous, date) >= 0)
            fail_msg("order at day %d", days);
        previous = date;
    }
    assert_int_equal(previous.year * 10000 + previous.month * 100 + previous.day, 99991231);
}

static void dates_stay_within_their_years(void **state)
{
    (void)state;
    static const struct {
        struct mf_date date;
        int32_t add;
        struct mf_date sum;
    } cases[] = {
        {{2024, 2, 28}, 1, {2024, 2, 29}},
        {{2023, 2, 28}, 1, {2023, 3, 1}},
        {{2024, 1, 1}, -1, {2023, 12, 31}},
        {{1970, 1, 1}, 0, {1970, 1, 1}},
        {{9999, 12, 30}, 1, {9999, 12, 31}},
        {{9999, 12, 31}, 1, {9999, 12, 31}},
        {{1, 1, 2}, -1, {1, 1, 1}},
        {{1, 1, 1}, -1, {1, 1, 1}},
        {{2024, 1, 1}, INT32_MAX, {9999, 12, 31}},
        {{2024, 1, 1}, INT32_MIN, {1, 1, 1}},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++)
        assert_int_equal(mf_date_cmp(mf_date_add_days(cases[i].date, cases[i].add), cases[i].sum), 0);
    assert_int_equal(mf_date_from_days(INT32_MIN).year, 1);
    assert_int_equal(mf_date_from_days(INT32_MAX).year, 9999);
    assert_int_equal(mf_date_of_utc(INT64_MIN).year, 1);
    assert_int_equal(mf_date_of_utc(INT64_MAX).year, 9999);
    assert_true(mf_date_utc_midnight_us((struct mf_date){2024, 1, 2}) == INT64_C(1704153600000000));
}

static void dates_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"2024-02-29", true},   {"2000-02-29", true},
        {"0001-01-01", true},   {"9999-12-31", true},
        {"2023-02-29", false},  {"1900-02-29", false},
        {"2024-04-31", false},  {"0000-12-31", false},
        {"2024-1-02", false},   {"2024-01-02 ", false},
        {"2024-01-02T", false}, {"20240102", false},
        {"2024/01/02", false},  {"", false},
        {"2024-01-", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_date date = {7, 7, 7};
        if (mf_date_parse(mf_str_of(cases[i].text), &date) != cases[i].ok)
            fail_msg("%s: expected %d", cases[i].text, cases[i].ok);
        char text[MF_DATE_TEXT_SIZE];
        if (cases[i].ok)
            assert_string_equal(mf_date_format(date, text), cases[i].text);
        else
            assert_int_equal(date.year, 7);
    }
    struct mf_date date;
    assert_false(mf_date_parse(MF_STR_NULL, &date));
}

static void months_end_where_they_do(void **state)
{
    (void)state;
    // 1900 and 2000 are the two kinds of century years.
    static const int years[] = {1900, 2000, 2023, 2024};
    for (size_t y = 0; y < MF_ARRAY_LEN(years); y++) {
        for (int month = 1; month <= 12; month++) {
            struct mf_date next = {month == 12 ? years[y] + 1 : years[y], month % 12 + 1, 1};
            int last = mf_date_add_days(next, -1).day; // days are checked against the C library above
            for (int day = 0; day <= 99; day++) {
                char text[40];
                struct mf_date date;
                snprintf(text, sizeof text, "%04d-%02d-%02d", years[y], month, day);
                if (mf_date_parse(mf_str_of(text), &date) != (day >= 1 && day <= last))
                    fail_msg("%s", text);
            }
        }
    }
}

static void epoch_numbers_are_told_by_magnitude(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        bool ok;
        int64_t time_us;
    } cases[] = {
        {1704205800, true, 1704205800000000},
        {1704205800123, true, 1704205800123000},
        {1704205800123456, true, 1704205800123456},
        {1704205800123456789, true, 1704205800123456},
        {951868800000, true, 951868800000000}, // 2000-03-01 in ms
        {951868800, true, 951868800000000},
        {99999999, false, 0},
        {100000000, true, 100000000000000},
        {9999999999, true, 9999999999000000},
        {10000000000, false, 0},
        {99999999999, false, 0},
        {100000000000, true, 100000000000000},
        {9999999999999, true, 9999999999999000},
        {10000000000000, false, 0},
        {99999999999999, false, 0},
        {100000000000000, true, 100000000000000},
        {9999999999999999, true, 9999999999999999},
        {10000000000000000, false, 0},
        {99999999999999999, false, 0},
        {100000000000000000, true, 100000000000000},
        {INT64_MAX - 1, true, 9223372036854775},
        {0, false, 0},
        {-1704205800, false, 0},
        {INT64_MIN, false, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        int64_t time_us = 0;
        if (mf_time_from_epoch_number(cases[i].number, &time_us) != cases[i].ok ||
            time_us != cases[i].time_us)
            fail_msg("%lld: %lld", (long long)cases[i].number, (long long)time_us);
    }
}

static void timestamps_of_records_are_kept_within_events(void **state)
{
    (void)state;
    static const struct {
        int64_t given, kept;
        const char *text;
    } cases[] = {
        {1704205862113, 1704205862113, "2024-01-02T14:31:02.113Z"},
        {0, 0, "1970-01-01T00:00:00.000Z"},
        {-1, 0, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, 0, "1970-01-01T00:00:00.000Z"},
        {253402300799999, 253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, 253402300799999, "9999-12-31T23:59:59.999Z"},
        {1704205862000000, 253402300799999, "9999-12-31T23:59:59.999Z"}, // microseconds
        {INT64_MAX, 253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[MF_TIME_TEXT_SIZE];
        int64_t kept = mf_time_keep_ms(cases[i].given);
        assert_int_equal(kept, cases[i].kept);
        assert_string_equal(mf_time_format_ms(kept * MF_US_PER_MS, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_those_of_the_system),
        cmocka_unit_test(times_are_written_in_rfc_3339),
        cmocka_unit_test(times_are_read_with_offsets_and_fractions),
        cmocka_unit_test(anything_else_is_no_time),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_day_has_one_date),
        cmocka_unit_test(dates_stay_within_their_years),
        cmocka_unit_test(dates_are_read_and_written),
        cmocka_unit_test(months_end_where_they_do),
        cmocka_unit_test(epoch_numbers_are_told_by_magnitude),
        cmocka_unit_test(timestamps_of_records_are_kept_within_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
