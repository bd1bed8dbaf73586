// SPDX-License-Identifier: Apache-2.0
// Roll-ups: what a derived bar is made of, when it is made, again, or no more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

static const struct out *derived(const struct fixture *f, const char *interval, size_t index)
{
    char member[32];
    snprintf(member, sizeof(member), "\"interval\":\"%s\"", interval);
    return find_out(f, MF_TOPIC_BARS_FILTERED, index, "\"source\":\"processor\"", member);
}

static size_t count_derived(const struct fixture *f, const char *interval)
{
    size_t count = 0;
    while (derived(f, interval, count) != NULL)
        count++;
    return count;
}

static void test_a_window_is_summed_up(void **state)
{
    struct fixture *f = *state;
    static const char *const open[] = {"10.10", "10.2", "10", "10.3"};
    static const char *const high[] = {"10.50", "10.6", "10.60", "10.4"};
    static const char *const low[] = {"10.00", "9.90", "9.9", "10.1"};
    static const char *const close[] = {"10.2", "10.1", "10.3", "10.40"};
    static const char *const volume[] = {"0.1", "0.20", "0", "999999999999.00000001"};
    for (int minute = 0; minute < 4; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "1");
        bar.bar.open = mf_str_of(open[minute]);
        bar.bar.high = mf_str_of(high[minute]);
        bar.bar.low = mf_str_of(low[minute]);
        bar.bar.close = mf_str_of(close[minute]);
        bar.bar.volume = mf_str_of(volume[minute]);
        bar.bar.vwap =
            minute == 2 ? MF_STR_NULL : MF_STR("10.25"); // nothing was traded in it: none is missed
        bar.bar.trade_count = minute + 1;
        bar.flags = minute == 1 ? MF_FLAG_DELAYED : 0;
        bar.mode = minute == 3 ? MF_MODE_WS : MF_MODE_REST;
        feed(f, &bar);
    }
    assert_null(derived(f, "5m", 0));
    struct mf_event next = make_bar("AAPL", "live", 5, "10"); // ends a minute after the window: it closes
    feed(f, &next);
    const struct out *made = derived(f, "5m", 0);
    assert_non_null(made);
    static const char *const members[] = {"\"open\":10.10",
                                          "\"high\":10.6",
                                          "\"low\":9.90",
                                          "\"close\":10.40",
                                          "\"volume\":999999999999.30000001",
                                          "\"vwap\":10.25",
                                          "\"trade_count\":10",
                                          "\"adjusted\":\"split\"",
                                          "\"parent_source\":\"polygon\"",
                                          "\"revision\":0",
                                          "\"event_time\":\"2024-01-02T14:30:00.000Z\"",
                                          "\"window_end\":\"2024-01-02T14:35:00.000Z\"",
                                          "\"session_date\":\"2024-01-02\"",
                                          "\"session\":\"regular\"",
                                          "\"flags\":[\"delayed\"]",
                                          "\"provenance\":{\"mode\":\"ws\"}",
                                          "\"ingest_time\":\"2024-01-02T14:36:01.000Z\"",
                                          "\"lane\":\"live\"",
                                          "\"asset_class\":\"stock\""};
    for (size_t i = 0; i < MF_ARRAY_LEN(members); i++)
        if (!says(made, members[i]))
            fail_msg("%s is not in %s", members[i], made->value);
    assert_int_equal(made->revision, 0);
    assert_int_equal(made->flags, 0);
    assert_string_equal(made->key, "AAPL");
    // The record itself, its metric; then the made bar and its metric.
    assert_ptr_equal(made, &f->outs[f->count - 2]);
    assert_true(says(&f->outs[f->count - 1], "\"parent_source\":\"polygon\""));
    assert_string_equal(text_of(made, "cause"), text_of(&f->outs[f->count - 3], "cause"));
    check_valid(f);
}

static void test_what_a_derived_bar_leaves_out(void **state)
{
    struct fixture *f = *state;
    for (int minute = 0; minute < 6; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "10");
        bar.bar.vwap = minute == 1 ? MF_STR_NULL : MF_STR("10");
        bar.bar.trade_count = minute == 1 ? -1 : 7;
        bar.bar.session = minute == 0 ? MF_SESSION_PRE : MF_SESSION_REGULAR;
        feed(f, &bar);
    }
    const struct out *made = derived(f, "5m", 0);
    assert_null(strstr(made->value, "vwap\":"));
    assert_null(strstr(made->value, "trade_count\":"));
    assert_null(strstr(made->value, "vendor_ms\":"));
    assert_true(says(made, "\"session\":\"full\""));
}

// A day of minutes: every window once, in order of (end, interval), the longest from the regular session
// only.
static void test_the_whole_chain(void **state)
{
    struct fixture *f = *state;
    for (int minute = -30; minute < 420; minute++) { // 14:00 to 21:30 UTC; the session is 14:30 to 21:00
        char price[16];
        snprintf(price, sizeof(price), "%d", 1000 + minute);
        struct mf_event bar = make_bar("AAPL", "live", minute, price);
        bar.bar.session = minute < 0 ? MF_SESSION_PRE : minute < 390 ? MF_SESSION_REGULAR : MF_SESSION_POST;
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "5m"), 89); // the last one is open yet
    assert_int_equal(count_derived(f, "15m"), 29);
    assert_int_equal(count_derived(f, "1h"), 7);
    assert_int_equal(count_derived(f, "4h"), 2); // 12:00 and 16:00 New York of 8:00, 12:00, 16:00
    assert_int_equal(count_derived(f, "1d"), 1);
    const struct out *day = derived(f, "1d", 0);
    assert_true(says(day, "\"event_time\":\"2024-01-02T05:00:00.000Z\""));
    assert_true(says(day, "\"window_end\":\"2024-01-02T21:00:00.000Z\""));
    assert_true(says(day, "\"open\":1000"));
    assert_true(says(day, "\"close\":1389"));
    assert_true(says(day, "\"volume\":1950000"));
    assert_true(says(day, "\"session\":\"full\""));
    assert_true(says(derived(f, "4h", 0), "\"event_time\":\"2024-01-02T13:00:00.000Z\""));
    // 16:00 New York ends a window of each: shortest first.
    const char *const order[] = {"5m", "15m", "1h", "4h", "1d"};
    const struct out *last = NULL;
    for (size_t i = 0; i < MF_ARRAY_LEN(order); i++)
        for (size_t k = 0; derived(f, order[i], k) != NULL; k++)
            if (says(derived(f, order[i], k), "\"window_end\":\"2024-01-02T21:00:00.000Z\"")) {
                assert_true(last == NULL || last < derived(f, order[i], k));
                last = derived(f, order[i], k);
            }
    assert_ptr_equal(last, day);
    check_valid(f);
}

static void test_crypto_days_are_utc_days_of_hours(void **state)
{
    struct fixture *f = *state;
    int64_t midnight = INT64_C(1704153600) * MF_US_PER_SECOND; // 2024-01-02T00:00:00Z
    for (int hour = 0; hour <= 24; hour++) {
        struct mf_event bar =
            make_bar_at("X:BTCUSD", "live", MF_INTERVAL_1H, midnight + hour * MF_US_PER_HOUR, "42000.5");
        bar.asset_class = MF_ASSET_CRYPTO;
        bar.bar.session = MF_SESSION_FULL;
        bar.bar.session_date = (struct mf_date){2024, 1, hour < 24 ? 2 : 3};
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "4h"), 6);
    assert_int_equal(count_derived(f, "1d"), 1);
    assert_true(says(derived(f, "4h", 0), "\"event_time\":\"2024-01-02T00:00:00.000Z\""));
    assert_true(says(derived(f, "1d", 0), "\"window_end\":\"2024-01-03T00:00:00.000Z\""));
    assert_true(says(derived(f, "1d", 0), "\"volume\":120000"));
}

static void test_a_correction_goes_up_the_chain(void **state)
{
    struct fixture *f = *state;
    for (int minute = 0; minute < 62; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "1h"), 1); // 14:00 to 15:00
    forget(f);
    struct mf_event spike = make_bar("AAPL", "live", 7, "100");
    spike.bar.high = MF_STR("120");
    feed(f, &spike);
    assert_int_equal(count_derived(f, "5m"), 1);
    assert_int_equal(count_derived(f, "15m"), 1);
    assert_int_equal(count_derived(f, "1h"), 1);
    assert_true(derived(f, "5m", 0) < derived(f, "15m", 0) && derived(f, "15m", 0) < derived(f, "1h", 0));
    for (size_t i = 0; i < 3; i++) {
        static const char *const intervals[] = {"5m", "15m", "1h"};
        const struct out *made = derived(f, intervals[i], 0);
        assert_true(says(made, "\"high\":120"));
        assert_true(says(made, "\"revision\":1"));
        assert_int_equal(made->revision, 0); // no headers on what the processor makes
    }
    forget(f);
    struct mf_event quiet = make_bar("AAPL", "live", 7, "100");
    quiet.bar.high = MF_STR("120");
    quiet.bar.otc = 1; // a correction that no derived bar shows
    feed(f, &quiet);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 1);
    forget(f);
    struct mf_event inside = make_bar("AAPL", "live", 60, "90"); // in windows that are open: nothing yet
    feed(f, &inside);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 1);
}

// A late arrival in a window that is closed is one more constituent; in a gap it makes the window.
static void test_an_insertion_into_a_closed_window(void **state)
{
    struct fixture *f = *state;
    static const int minutes[] = {0, 1, 11, 12, 20};
    for (size_t i = 0; i < MF_ARRAY_LEN(minutes); i++) {
        struct mf_event bar = make_bar("AAPL", "live", minutes[i], "100");
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "5m"), 2); // a gap is never filled
    forget(f);
    struct mf_event late = make_bar("AAPL", "live", 3, "101"), gap = make_bar("AAPL", "live", 6, "102");
    feed(f, &late);
    assert_true(says(derived(f, "5m", 0), "\"close\":101"));
    assert_true(says(derived(f, "5m", 0), "\"revision\":1"));
    feed(f, &gap);
    assert_true(says(derived(f, "5m", 1), "\"event_time\":\"2024-01-02T14:35:00.000Z\""));
    assert_true(says(derived(f, "5m", 1), "\"revision\":0"));
    assert_int_equal(count_derived(f, "15m"), 2); // and the 15 minutes that both lie in, twice
}

static void test_a_window_that_left_the_ring_is_only_counted(void **state)
{
    struct fixture *f = *state;
    for (int minute = 0; minute < PRC_RING + 2; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    forget(f);
    struct mf_event bar =
        make_bar("AAPL", "live", 3, "105"); // minute 2 is the ring's first: 0 and 1 are gone
    feed(f, &bar);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 1);
    assert_int_equal(prc_fold_counts(f->fold)->rollups_missed, 1);
    bar = make_bar("AAPL", "live", 5, "105");
    feed(f, &bar);
    assert_int_equal(count_derived(f, "5m"), 1);
}

// A vendor's 5m bars feed the chain where they came first; both 5m series are kept.
static void test_the_first_feeder_stays(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        struct mf_event bar =
            make_bar_at("AAPL", "live", MF_INTERVAL_5M, OPEN_US + i * 5 * MF_US_PER_MINUTE, "200");
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "15m"), 1);
    for (int minute = 0; minute < 31; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "5m"), 6);
    assert_int_equal(count_derived(f, "15m"), 1);
    assert_true(says(derived(f, "15m", 0), "\"open\":200"));
    // The vendor has 5m bars: what is derived beside them publishes no metric, whose key would be theirs.
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 4 + 1 + 31);
}

// With an hour's lateness everything closes at once: still every window once, its parts before it.
static void test_a_clock_that_jumps(void **state)
{
    struct fixture *f = *state;
    f->config.lateness_us = MF_US_PER_HOUR;
    restart(f);
    for (int minute = 0; minute < 30; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    assert_null(derived(f, "5m", 0));
    forget(f);
    struct mf_event bar = make_bar("AAPL", "live", 90, "100"); // 15:00 and no further
    feed(f, &bar);
    bar = make_bar("AAPL", "live", 100, "100");
    feed(f, &bar);
    assert_int_equal(count_derived(f, "5m"), 6);
    assert_int_equal(count_derived(f, "15m"), 2);
    assert_int_equal(count_derived(f, "1h"), 1);
    assert_true(derived(f, "5m", 2) < derived(f, "15m", 0));
    assert_true(derived(f, "15m", 0) < derived(f, "5m", 3));
    assert_true(derived(f, "15m", 1) < derived(f, "1h", 0));
    assert_true(says(derived(f, "1h", 0), "\"revision\":0"));
}

static void test_roll_ups_can_be_off(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    restart(f);
    for (int minute = 0; minute < 30; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    assert_int_equal(f->count, 60);
}

static void test_a_volume_beyond_events_makes_no_bar(void **state)
{
    struct fixture *f = *state;
    for (int minute = 0; minute < 7; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        bar.bar.volume = minute < 5 ? MF_STR("999999999999999.00000001") : MF_STR("1");
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "5m"), 0);
    assert_int_equal(prc_fold_counts(f->fold)->rollups_missed, 1);
}

// The day that closes is not that of the newest bar, which has the date of the day before.
static void test_session_dates_that_run_backwards(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 26; i++) {
        struct mf_event bar =
            make_bar_at("AAPL", "live", MF_INTERVAL_15M, OPEN_US + i * 15 * MF_US_PER_MINUTE, "100");
        if (i == 25)
            bar.bar.session_date = (struct mf_date){2024, 1, 1};
        feed(f, &bar);
    }
    assert_int_equal(count_derived(f, "1d"), 1); // of the first of January, over long ago
    struct mf_event end =
        make_heartbeat("live", "polygon.bars.15m", OPEN_US + 390 * MF_US_PER_MINUTE + 10 * MF_US_PER_SECOND);
    forget(f);
    feed(f, &end);
    assert_int_equal(count_derived(f, "1d"), 1);
    assert_non_null(
        find_out(f, MF_TOPIC_BARS_FILTERED, 0, "\"event_time\":\"2024-01-02T05:00:00.000Z\"", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_window_is_summed_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_derived_bar_leaves_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_whole_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crypto_days_are_utc_days_of_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_correction_goes_up_the_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_insertion_into_a_closed_window, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_window_that_left_the_ring_is_only_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_first_feeder_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_jumps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_dates_that_run_backwards, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roll_ups_can_be_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_volume_beyond_events_makes_no_bar, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
