// SPDX-License-Identifier: Apache-2.0
// Plans of live series: what is asked for next, when, and how far a feed may be called complete.
#include "services/ingestor/live_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

static const struct ing_config config = {.poll_ms = 15000,
                                         .closed_poll_ms = 300000,
                                         .news_poll_ms = 60000,
                                         .overlap_ms = 1200000,
                                         .news_overlap_ms = 7200000,
                                         .settle_ms = 5000,
                                         .heartbeat_exclude_ms = 300000,
                                         .warmup = true};

static struct ing_work work_of(const char *symbol, enum ing_timespan timespan)
{
    struct ing_work work = ing_minute_work(symbol, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    work.timespan = timespan;
    return work;
}

static struct ing_mark mark_of(enum ing_status status, const char *last)
{
    struct ing_mark mark;
    ing_mark_init(&mark);
    mark.status = status;
    if (last != NULL)
        mark.last_time_us = ing_time(last);
    return mark;
}

static void check_range(struct ing_fixture *f, const struct ing_config *settings, const struct ing_work *work,
                        const struct ing_mark *mark, const char *now, const char *from, const char *to,
                        bool warmup)
{
    struct ing_plan plan;
    assert_true(ing_plan_range(f->calendar, settings, work, mark, ing_time(now), &plan));
    char text[MF_TIME_TEXT_SIZE];
    if (plan.range.from_us != ing_time(from) || plan.range.to_us != ing_time(to))
        fail_msg("now %s: from %s", now, mf_time_format_ms(plan.range.from_us, text));
    assert_int_equal(plan.warmup, warmup);
}

static void test_minute_ranges(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of("AAPL", ING_TIMESPAN_MINUTE);
    // From the newest bar less the overlap to the last full minute
    struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, "2024-01-02T15:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-02T15:02:30Z", "2024-01-02T14:40:00Z",
                "2024-01-02T15:02:00Z", false);
    struct ing_config forming = config;
    forming.publish_forming = true;
    check_range(f, &forming, &work, &mark, "2024-01-02T15:02:30Z", "2024-01-02T14:40:00Z",
                "2024-01-02T15:03:00Z", false);
    // After a long stop: a month at a time
    struct ing_plan plan;
    assert_true(ing_plan_range(f->calendar, &config, &work, &mark, ing_time("2024-03-02T15:00:00Z"), &plan));
    assert_true(plan.more);
    assert_int_equal(plan.range.from_us, ing_time("2024-01-02T14:40:00Z"));
    assert_int_equal(plan.range.to_us, ing_time("2024-02-01T05:00:00Z"));
    // With small pages a day, and never only what has been read before
    work.limit = 60;
    mark.last_time_us = ing_time("2024-01-03T04:59:00Z");
    assert_true(ing_plan_range(f->calendar, &config, &work, &mark, ing_time("2024-03-02T15:00:00Z"), &plan));
    assert_true(plan.more);
    assert_int_equal(plan.range.from_us, ing_time("2024-01-03T04:39:00Z"));
    assert_int_equal(plan.range.to_us, ing_time("2024-01-04T05:00:00Z"));
    work.limit = 50000;
    // A new symbol on a Tuesday after a holiday: from Friday's early trading on
    mark = mark_of(ING_STATUS_RUNNING, NULL);
    check_range(f, &config, &work, &mark, "2024-01-02T15:02:30Z", "2023-12-29T09:00:00Z",
                "2024-01-02T15:02:00Z", true);
    // The same at night, before the session has begun: the two that are over
    check_range(f, &config, &work, &mark, "2024-01-03T06:00:00Z", "2023-12-29T09:00:00Z",
                "2024-01-03T06:00:00Z", true);
    // Interrupted, it goes on where it was
    mark = mark_of(ING_STATUS_RUNNING, "2024-01-02T14:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-02T15:02:30Z", "2024-01-02T14:01:00Z",
                "2024-01-02T15:02:00Z", true);
    // No warm-up wanted
    struct ing_config cold = config;
    cold.warmup = false;
    mark = mark_of(ING_STATUS_COMPLETE, NULL);
    check_range(f, &cold, &work, &mark, "2024-01-02T15:02:30Z", "2024-01-02T14:42:00Z",
                "2024-01-02T15:02:00Z", false);
    // Read before, but nothing came yet: from where it began, over an outage as well
    mark.position_us = ing_time("2024-01-02T14:42:00Z");
    check_range(f, &cold, &work, &mark, "2024-01-02T17:02:30Z", "2024-01-02T14:42:00Z",
                "2024-01-02T17:02:00Z", false);
    mark.last_time_us = ing_time("2024-01-02T17:00:00Z");
    check_range(f, &cold, &work, &mark, "2024-01-02T17:02:30Z", "2024-01-02T16:40:00Z",
                "2024-01-02T17:02:00Z", false);
    // Crypto: yesterday and today
    work = work_of("X:BTCUSD", ING_TIMESPAN_MINUTE);
    mark = mark_of(ING_STATUS_RUNNING, NULL);
    check_range(f, &config, &work, &mark, "2024-01-02T15:02:30Z", "2024-01-01T00:00:00Z",
                "2024-01-02T15:02:00Z", true);
}

static void test_minutes_after_a_split(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of("AAPL", ING_TIMESPAN_MINUTE);
    // From where it was, and what is to be pulled again, whichever is older
    struct ing_mark mark = mark_of(ING_STATUS_RUNNING, NULL);
    mark.position_us = ing_time("2024-01-02T15:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-02T15:02:30Z", "2023-12-29T09:00:00Z",
                "2024-01-02T15:02:00Z", true);
    check_range(f, &config, &work, &mark, "2024-01-05T15:02:30Z", "2024-01-02T14:40:00Z",
                "2024-01-05T15:02:00Z", true);
    // and on where it was stopped
    mark.last_time_us = ing_time("2024-01-02T16:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-05T15:02:30Z", "2024-01-02T16:01:00Z",
                "2024-01-05T15:02:00Z", true);
}

static void test_day_ranges(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = work_of("AAPL", ING_TIMESPAN_DAY);
    struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, "2024-01-11T05:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-12T21:01:00Z", "2024-01-04T05:00:00Z",
                "2024-01-13T05:00:00Z", false);
    mark = mark_of(ING_STATUS_RUNNING, NULL);
    struct ing_plan plan;
    assert_true(ing_plan_range(f->calendar, &config, &work, &mark, ing_time("2024-01-12T21:01:00Z"), &plan));
    assert_true(plan.warmup);
    unsigned sessions = 0;
    struct mf_calendar_session session;
    for (struct mf_date date = mf_calendar_local_date(f->calendar, plan.range.from_us);
         mf_date_cmp(date, (struct mf_date){2024, 1, 12}) <= 0; date = mf_date_add_days(date, 1))
        sessions += mf_calendar_session_of(f->calendar, date, &session);
    assert_int_equal(sessions, ING_WARMUP_DAYS);
    mark = mark_of(ING_STATUS_COMPLETE, NULL);
    check_range(f, &config, &work, &mark, "2024-01-12T21:01:00Z", "2024-01-12T05:00:00Z",
                "2024-01-13T05:00:00Z", false);
    mark.position_us = ing_time("2024-01-09T05:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-12T21:01:00Z", "2024-01-09T05:00:00Z",
                "2024-01-13T05:00:00Z", false);
    mark = mark_of(ING_STATUS_RUNNING, NULL);
    work = work_of("X:BTCUSD", ING_TIMESPAN_DAY);
    assert_true(ing_plan_range(f->calendar, &config, &work, &mark, ing_time("2024-01-12T21:01:00Z"), &plan));
    assert_int_equal(plan.range.from_us, ing_time("2024-01-12T00:00:00Z") - ING_WARMUP_DAYS * MF_US_PER_DAY);
}

static void test_news_ranges(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, "2024-01-02T10:00:00Z");
    check_range(f, &config, &work, &mark, "2024-01-02T15:00:00Z", "2024-01-02T08:00:00Z",
                "2024-01-02T15:10:00Z", false);
    mark = mark_of(ING_STATUS_COMPLETE, NULL);
    check_range(f, &config, &work, &mark, "2024-01-02T15:00:00Z", "2024-01-02T13:00:00Z",
                "2024-01-02T15:10:00Z", false);
    mark.position_us = ing_time("2024-01-01T13:00:00Z"); // no article since
    check_range(f, &config, &work, &mark, "2024-01-02T15:00:00Z", "2024-01-01T13:00:00Z",
                "2024-01-02T15:10:00Z", false);
}

static void test_waits_after_refusals(void **state)
{
    (void)state;
    const struct {
        const char *symbol; // NULL = news
        enum ing_range_end end;
        bool known;
        unsigned refusals;
        int64_t wait_ms;
    } cases[] = {
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, false, 1, 3600000}, // never seen: most likely a wrong name
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, false, 9, 3600000},
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, true, 1, 15000}, // one bad answer costs one poll
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, true, 2, 30000},
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, true, 6, 300000},
        {"AAPL", ING_RANGE_UNKNOWN_TICKER, true, 4000000000, 300000},
        {"AAPL", ING_RANGE_REFUSED, true, 1, 15000},
        {"AAPL", ING_RANGE_REFUSED, false, 3, 60000},
        {NULL, ING_RANGE_REFUSED, true, 1, 60000},
        {NULL, ING_RANGE_REFUSED, true, 9, 300000},
        {"AAPL", ING_RANGE_PLAN_LIMIT, true, 1, 300000},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = cases[i].symbol != NULL
                                   ? work_of(cases[i].symbol, ING_TIMESPAN_MINUTE)
                                   : ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
        int64_t wait_us =
            ing_plan_refused_wait_us(&config, &work, cases[i].end, cases[i].known, cases[i].refusals);
        assert_int_equal(wait_us, cases[i].wait_ms * MF_US_PER_MS);
    }
}

static void test_last_day(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *now, *day;
        enum mf_asset_class asset_class;
    } cases[] = {
        {"2024-01-02T20:59:00Z", "2023-12-29T05:00:00Z",
         MF_ASSET_STOCK}, // before the close; Monday was a holiday
        {"2024-01-02T21:00:04Z", "2023-12-29T05:00:00Z", MF_ASSET_STOCK}, // closed, not settled
        {"2024-01-02T21:00:05Z", "2024-01-02T05:00:00Z", MF_ASSET_STOCK},
        {"2024-01-03T04:59:00Z", "2024-01-02T05:00:00Z", MF_ASSET_STOCK},
        {"2024-01-06T12:00:00Z", "2024-01-05T05:00:00Z", MF_ASSET_STOCK},
        {"2020-11-27T18:00:05Z", "2020-11-27T05:00:00Z", MF_ASSET_STOCK}, // closed early
        {"2024-01-02T23:59:00Z", "2024-01-01T00:00:00Z", MF_ASSET_CRYPTO},
        {"2024-01-03T00:00:05Z", "2024-01-02T00:00:00Z", MF_ASSET_CRYPTO},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        if (ing_plan_last_day_us(f->calendar, &config, cases[i].asset_class, ing_time(cases[i].now)) !=
            ing_time(cases[i].day))
            fail_msg("%s", cases[i].now);
    }
}

static void test_waits(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *symbol, *now, *good, *last;
        enum ing_timespan timespan;
        int64_t wait_s;
    } cases[] = {
        // Minutes: at the usual pace in every part of the session, and at night until the session has been
        // read
        {"AAPL", "2024-01-02T15:00:00Z", "2024-01-02T14:59:45Z", NULL, ING_TIMESPAN_MINUTE, 15},
        {"AAPL", "2024-01-03T00:30:00Z", "2024-01-03T00:29:00Z", NULL, ING_TIMESPAN_MINUTE, 15},
        {"AAPL", "2024-01-03T01:10:00Z", "2024-01-03T01:09:00Z", NULL, ING_TIMESPAN_MINUTE, 15},
        {"AAPL", "2024-01-03T01:21:00Z", "2024-01-03T01:20:30Z", NULL, ING_TIMESPAN_MINUTE, 300},
        {"AAPL", "2024-01-06T12:00:00Z", "2024-01-06T11:55:00Z", NULL, ING_TIMESPAN_MINUTE, 300},
        {"AAPL", "2024-01-03T08:58:20Z", "2024-01-03T08:58:00Z", NULL, ING_TIMESPAN_MINUTE,
         100}, // until early trading
        {"X:BTCUSD", "2024-01-06T12:00:00Z", "2024-01-06T11:59:00Z", NULL, ING_TIMESPAN_MINUTE, 15},
        // Days: missing, there until late trading is over, there until the next close
        {"AAPL", "2024-01-02T21:00:10Z", "2024-01-02T21:00:06Z", "2023-12-29T05:00:00Z", ING_TIMESPAN_DAY,
         300},
        {"AAPL", "2024-01-02T21:00:15Z", "2024-01-02T21:00:10Z", "2024-01-02T05:00:00Z", ING_TIMESPAN_DAY,
         14390},
        {"AAPL", "2024-01-03T20:00:05Z", "2024-01-03T01:00:10Z", "2024-01-02T05:00:00Z", ING_TIMESPAN_DAY,
         3600},
        {"AAPL", "2024-01-06T12:00:00Z", "2024-01-06T02:00:00Z", "2024-01-05T05:00:00Z", ING_TIMESPAN_DAY,
         21600}, // at most
        {"X:BTCUSD", "2024-01-02T23:00:05Z", "2024-01-02T00:01:00Z", "2024-01-01T00:00:00Z", ING_TIMESPAN_DAY,
         3600},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_work work = work_of(cases[i].symbol, cases[i].timespan);
        struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, cases[i].last);
        int64_t wait_us = ing_plan_wait_us(f->calendar, &config, &work, &mark, ing_time(cases[i].good),
                                           ing_time(cases[i].now));
        if (wait_us != cases[i].wait_s * MF_US_PER_SECOND)
            fail_msg("%s at %s: %lld s", cases[i].symbol, cases[i].now,
                     (long long)(wait_us / MF_US_PER_SECOND));
    }
    struct ing_work news = ing_news_work("AAPL", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, NULL);
    // A series that began on a day which is none after all waits for the next close, not for a bar before it
    struct ing_work day = work_of("AAPL", ING_TIMESPAN_DAY);
    mark.position_us = ing_time("2024-01-06T05:00:00Z");
    assert_int_equal(ing_plan_wait_us(f->calendar, &config, &day, &mark, ing_time("2024-01-06T12:00:00Z"),
                                      ing_time("2024-01-06T12:00:01Z")),
                     21600 * MF_US_PER_SECOND);
    mark.position_us = 0;
    assert_int_equal(
        ing_plan_wait_us(f->calendar, &config, &news, &mark, 0, ing_time("2024-01-06T12:00:00Z")),
        60 * MF_US_PER_SECOND);
}

static void test_read_to(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work minute = work_of("AAPL", ING_TIMESPAN_MINUTE);
    struct ing_work day = work_of("AAPL", ING_TIMESPAN_DAY);
    struct ing_mark mark = mark_of(ING_STATUS_COMPLETE, "2024-01-05T05:00:00Z");
    int64_t saturday = ing_time("2024-01-06T12:00:00Z");
    int64_t friday_night = ing_time("2024-01-06T02:00:00Z");
    int64_t friday = ing_time("2024-01-05T20:00:00Z");
    // Nothing comes on a Saturday: what was read on Friday night is complete now
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &minute, &mark, friday_night, saturday),
                     saturday);
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &minute, &mark, friday, saturday), friday);
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &minute, &mark, 0, saturday), 0);
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &day, &mark, friday_night, saturday),
                     saturday);
    mark = mark_of(ING_STATUS_COMPLETE, "2024-01-04T05:00:00Z"); // Friday's bar is missing
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &day, &mark, friday_night, saturday),
                     friday_night);
    struct ing_work crypto = work_of("X:BTCUSD", ING_TIMESPAN_MINUTE);
    assert_int_equal(ing_plan_read_to_us(f->calendar, &config, &crypto, &mark, friday_night, saturday),
                     friday_night);
}

static void test_phases(void **state)
{
    (void)state;
    const int64_t second = MF_US_PER_SECOND;
    const int64_t period = 60 * second;
    int64_t now = ing_time("2024-01-02T15:00:10Z");
    const uint32_t quarter = 1u << 30;
    // In its own place of the next period, and again when it was late or early by less than a half
    assert_int_equal(ing_plan_phased_us(now, period, period, quarter), 65 * second);
    assert_int_equal(ing_plan_phased_us(now + 5 * second, period, period, quarter), 60 * second);
    assert_int_equal(ing_plan_phased_us(now + 30 * second, period, period, quarter), 35 * second);
    assert_int_equal(ing_plan_phased_us(now + 40 * second, period, period, quarter), 85 * second);
    // A wait that is no period is not cut short
    assert_int_equal(ing_plan_phased_us(now, 600 * second, period, quarter), 605 * second);
    assert_int_equal(ing_plan_phased_us(now, 7 * second, 0, quarter), 7 * second);
    // Many of them are spread over the whole period
    unsigned tenths[10] = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        int64_t due =
            now + ing_plan_phased_us(now, period, period, (uint32_t)(i * ((uint64_t)1 << 32) / 1000));
        tenths[due % period / (6 * second)]++;
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(tenths); i++)
        assert_in_range(tenths[i], 99, 101);
}

static void test_reconcile(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_config later = config;
    later.reconcile_after_ms = 1800000;
    static const struct {
        const char *now, *from, *to;
        enum mf_asset_class asset_class;
    } cases[] = {
        // Not over; over and not settled; due; due until the next one is
        {"2024-01-02T20:00:00Z", "2023-12-29T09:00:00Z", "2023-12-30T01:00:00Z", MF_ASSET_STOCK},
        {"2024-01-03T01:30:04Z", "2023-12-29T09:00:00Z", "2023-12-30T01:00:00Z", MF_ASSET_STOCK},
        {"2024-01-03T01:30:05Z", "2024-01-02T09:00:00Z", "2024-01-03T01:00:00Z", MF_ASSET_STOCK},
        {"2024-01-03T20:00:00Z", "2024-01-02T09:00:00Z", "2024-01-03T01:00:00Z", MF_ASSET_STOCK},
        {"2024-01-07T20:00:00Z", "2024-01-05T09:00:00Z", "2024-01-06T01:00:00Z", MF_ASSET_STOCK},
        {"2020-11-27T22:30:05Z", "2020-11-27T09:00:00Z", "2020-11-27T22:00:00Z", MF_ASSET_STOCK}, // early
        {"2024-01-03T00:30:04Z", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", MF_ASSET_CRYPTO},
        {"2024-01-03T00:30:05Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", MF_ASSET_CRYPTO},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_range session = {0};
        assert_true(
            ing_plan_reconcile(f->calendar, &later, cases[i].asset_class, ing_time(cases[i].now), &session));
        if (session.from_us != ing_time(cases[i].from) || session.to_us != ing_time(cases[i].to))
            fail_msg("%s", cases[i].now);
    }
}

static void test_complete_to(void **state)
{
    (void)state;
    const int64_t minute = MF_US_PER_MINUTE;
    struct ing_config delayed = config;
    delayed.delay_ms = 900000;
    int64_t good = ing_time("2024-01-02T15:02:30Z");
    int64_t complete = 0;
    size_t excluded = 9;
    struct ing_progress symbols[3] = {{good, 0}, {good - 40 * MF_US_PER_SECOND, 0}, {good, 0}};
    int64_t now = 100 * minute;
    assert_true(ing_complete_to(&config, symbols, 3, minute, now, &complete, &excluded));
    assert_int_equal(complete, ing_time("2024-01-02T15:01:00Z")); // 15:01:50 less 5 s, floored
    assert_int_equal(excluded, 0);
    assert_true(ing_complete_to(&delayed, symbols, 3, minute, now, &complete, &excluded));
    assert_int_equal(complete, ing_time("2024-01-02T14:46:00Z"));
    // One that never answered holds the feed back, until it has failed for long enough
    symbols[1] = (struct ing_progress){0, now - 300 * MF_US_PER_SECOND};
    assert_false(ing_complete_to(&config, symbols, 3, minute, now, &complete, &excluded));
    symbols[1].failing_since_us--;
    assert_true(ing_complete_to(&config, symbols, 3, minute, now, &complete, &excluded));
    assert_int_equal(complete, ing_time("2024-01-02T15:02:00Z"));
    assert_int_equal(excluded, 1);
    // All of them fail, or there are none: nothing is known
    symbols[0] = symbols[2] = symbols[1];
    assert_false(ing_complete_to(&config, symbols, 3, minute, now, &complete, &excluded));
    assert_int_equal(excluded, 3);
    assert_false(ing_complete_to(&config, symbols, 0, minute, now, &complete, &excluded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minute_ranges),
        cmocka_unit_test(test_minutes_after_a_split),
        cmocka_unit_test(test_day_ranges),
        cmocka_unit_test(test_news_ranges),
        cmocka_unit_test(test_waits_after_refusals),
        cmocka_unit_test(test_last_day),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_read_to),
        cmocka_unit_test(test_complete_to),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_reconcile),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
