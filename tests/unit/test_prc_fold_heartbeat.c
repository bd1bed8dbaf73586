// SPDX-License-Identifier: Apache-2.0
// Heartbeats: windows that close without a bar, silent feeds, the order of what one heartbeat causes, lanes
// that end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

static int64_t minute_us(int minute)
{
    return OPEN_US + minute * MF_US_PER_MINUTE;
}

static void feed_minutes(struct fixture *f, const char *symbol, const char *lane, int from, int to)
{
    for (int minute = from; minute < to; minute++) {
        struct mf_event bar = make_bar(symbol, lane, minute, "100");
        feed(f, &bar);
    }
}

static void beat(struct fixture *f, const char *lane, const char *feed_name, int64_t complete_to_us)
{
    struct mf_event event = make_heartbeat(lane, feed_name, complete_to_us);
    feed(f, &event);
}

static const char derived_member[] = "\"source\":\"processor\"";

static void test_a_heartbeat_closes_windows(void **state)
{
    struct fixture *f = *state;
    feed_minutes(f, "AAPL", "live", 0, 5);
    forget(f);
    prc_cell_clean(f->live, f->live->dirty_oldest);
    beat(f, "live", "polygon.bars.5m", minute_us(6));                       // another feed's
    beat(f, "live", "alpha_vantage.bars.1m", minute_us(6));                 // another provider's
    beat(f, "live", "polygon.bars.1m", minute_us(5) + 9999 * MF_US_PER_MS); // not quite: lateness is 10 s
    beat(f, "live", "polygon.news", minute_us(6));
    assert_int_equal(f->count, 0);
    assert_int_equal(f->live->dirty_count, 0); // what changes nothing touches nothing
    beat(f, "live", "polygon.bars.1m", minute_us(5) + 10 * MF_US_PER_SECOND);
    assert_int_equal(f->count, 2);
    const struct out *bar = find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, NULL);
    assert_true(says(bar, "\"event_time\":\"2024-01-02T14:30:00.000Z\""));
    assert_true(says(bar, "\"ingest_time\":\"2024-01-02T14:36:11.000Z\"")); // the heartbeat's
    assert_true(says(bar, "\"asset_class\":\"stock\""));
    assert_int_equal(f->live->dirty_count, 1);
    beat(f, "live", "polygon.bars.1m", minute_us(5) + 10 * MF_US_PER_SECOND);
    beat(f, "live", "polygon.bars.1m", minute_us(1));
    assert_int_equal(f->count, 2);
    // A bar of a window that the feed had declared complete: made again.
    struct mf_event late = make_bar("AAPL", "live", 4, "101");
    forget(f);
    feed(f, &late);
    bar = find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, NULL);
    assert_true(says(bar, "\"close\":101"));
    assert_true(says(bar, "\"revision\":1"));
    check_valid(f);
}

// What was complete before the first bar came closes its window with it.
static void test_a_bar_behind_the_clock(void **state)
{
    struct fixture *f = *state;
    beat(f, "live", "polygon.bars.1m", minute_us(60));
    feed_minutes(f, "AAPL", "live", 3, 4);
    assert_non_null(find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, "\"interval\":\"5m\""));
    assert_non_null(find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, "\"interval\":\"15m\""));
    assert_non_null(find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, "\"interval\":\"1h\""));
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 4);
}

static void test_outputs_of_a_heartbeat_are_in_order(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    static const char *const symbols[] = {"MSFT", "AAPL", "IBM"};
    f->config.lateness_us = 30 * MF_US_PER_MINUTE;
    restart(f);
    for (size_t s = 0; s < 3; s++)
        for (int minute = 0; minute < 15; minute++) {
            struct mf_event bar = make_bar(symbols[s], "live", minute, minute < 5 ? "100" : "300");
            bar.flags =
                MF_FLAG_WARMUP; // the minutes themselves shall not fire: a derived bar inherits that, too
            feed(f, &bar);
        }
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 0);
    forget(f);
    beat(f, "live", "polygon.bars.1m", minute_us(50));
    assert_int_equal(f->count, 3 * 4 * 2);
    // Ends 14:35, 14:40, 14:45 (5m, then 15m); in each the symbols in order, of each the bar before its
    // metric.
    static const char *const ordered[] = {"AAPL", "IBM", "MSFT"};
    static const char *const intervals[] = {"5m", "5m", "5m", "15m"};
    static const int ends[] = {35, 40, 45, 45};
    size_t at = 0;
    for (int end = 0; end < 3; end++)
        for (size_t s = 0; s < 3; s++)
            for (int k = end; k < (end < 2 ? end + 1 : 4); k++)
                for (int metric = 0; metric < 2; metric++, at++) {
                    char member[64];
                    assert_string_equal(f->outs[at].key, ordered[s]);
                    assert_int_equal(f->outs[at].role, metric ? MF_TOPIC_METRICS : MF_TOPIC_BARS_FILTERED);
                    snprintf(member, sizeof(member), "\"interval\":\"%s\"", intervals[k]);
                    assert_true(says(&f->outs[at], member));
                    snprintf(member, sizeof(member), "\"window_end\":\"2024-01-02T14:%d:00.000Z\"", ends[k]);
                    assert_true(metric || says(&f->outs[at], member));
                }
    check_valid(f);
}

// Two intervals of a provider close one window of a third: the finer one makes it, whichever is named first.
static void test_the_order_of_feeds_does_not_matter(void **state)
{
    struct fixture *f = *state;
    for (size_t first = 0; first < 2; first++) {
        restart(f);
        feed_minutes(f, "AAPL", "live", 0, 5);
        struct mf_event bar = make_bar_at("AAPL", "live", MF_INTERVAL_5M, minute_us(5), "200");
        feed(f, &bar);
        forget(f);
        struct mf_event both = make_heartbeat("live", "polygon.bars.1m", minute_us(16));
        both.heartbeat.feed_count = 2;
        both.heartbeat.feeds[1] = both.heartbeat.feeds[0];
        both.heartbeat.feeds[first].name = MF_STR("polygon.bars.5m");
        feed(f, &both);
        const struct out *made =
            find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, "\"interval\":\"15m\"");
        assert_true(says(made, "\"open\":100"));
    }
}

static void test_a_lane_ends(void **state)
{
    struct fixture *f = *state;
    feed_minutes(f, "AAPL", "backfill:a", 0, 8);
    feed_minutes(f, "AAPL", "backfill:b", 0, 3);
    beat(f, "backfill:a", "polygon.bars.1m", minute_us(2));
    assert_int_equal(f->backfill->count, 2);
    forget(f);
    bool full = false;
    prc_partition_cell(f->backfill, MF_STR("backfill:a"), MF_STR("AAPL"), false, &full)->parts = 1;
    struct mf_event end = make_heartbeat("backfill:a", "polygon.bars.1m", minute_us(2));
    end.heartbeat.lane_end = true;
    feed(f, &end);
    // The second 5m, then 15m, 1h, 4h, 1d, each with its metric.
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 5);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 5);
    assert_true(
        says(find_out(f, MF_TOPIC_BARS_FILTERED, 0, "\"interval\":\"1d\"", NULL), "\"volume\":40000"));
    assert_int_equal(f->backfill->count, 1);
    assert_null(prc_partition_lane(f->backfill, MF_STR("backfill:a"), false));
    assert_string_equal(mf_buf_c_str(&f->backfill->removed), "backfill/3/backfill:a/AAPL/0\n");
    forget(f);
    feed(f, &end); // an absent lane: nothing to do
    assert_int_equal(f->count, 0);
    assert_null(prc_partition_lane(f->backfill, MF_STR("backfill:a"), false));
}

// A replay of the end of a lane must not take a cell that was made after it.
// Not even by mistake: a symbol's whole live history would go.
static void test_the_live_lane_has_no_end(void **state)
{
    struct fixture *f = *state;
    feed_minutes(f, "AAPL", "live", 0, 4);
    forget(f);
    struct mf_event end = make_heartbeat("live", "polygon.bars.1m", minute_us(60));
    end.heartbeat.lane_end = true;
    feed(f, &end);
    assert_int_equal(f->count, 1);
    const struct out *letter = find_out(f, MF_TOPIC_DLQ, 0, "\"reason\":\"lane_mismatch\"", NULL);
    assert_non_null(strstr(letter->value, "lane live has no end"));
    assert_int_equal(f->live->count, 1);
    // Nor does its clock move: the window is still open, and closes with the next one that may.
    forget(f);
    beat(f, "live", "polygon.bars.1m", minute_us(6));
    assert_non_null(find_out(f, MF_TOPIC_BARS_FILTERED, 0, derived_member, NULL));
}

static void test_a_replayed_lane_end_spares_the_next_life(void **state)
{
    struct fixture *f = *state;
    feed_minutes(f, "AAPL", "backfill:a", 0, 3);
    feed_minutes(f, "MSFT", "backfill:a", 0, 3);
    bool full = false;
    prc_partition_cell(f->backfill, MF_STR("backfill:a"), MF_STR("AAPL"), false, &full)->restored_at = 1000;
    struct mf_event end = make_heartbeat("backfill:a", "polygon.bars.1m", minute_us(2));
    end.heartbeat.lane_end = true;
    f->replay = true;
    feed(f, &end);
    assert_int_equal(f->backfill->count, 1);
    struct prc_lane *lane = prc_partition_lane(f->backfill, MF_STR("backfill:a"), false);
    assert_int_equal(lane->cells, 1);
    assert_int_equal(lane->clock_count, 0);
}

static void test_lanes_and_feeds_are_limited(void **state)
{
    struct fixture *f = *state;
    char lane[32], name[32];
    for (int i = 0; i < PRC_FEEDS_PER_LANE_MAX + 1; i++) {
        snprintf(name, sizeof(name), "polygon.x%d", i);
        beat(f, "live", name, minute_us(1));
    }
    assert_int_equal(f->count, 1);
    assert_string_equal(text_of(&f->outs[0], "reason"), "state_limit");
    for (int i = 0; i < PRC_LANES_MAX + 1; i++) {
        snprintf(lane, sizeof(lane), "backfill:%d", i);
        beat(f, lane, "polygon.bars.1m", minute_us(1));
    }
    assert_int_equal(f->count, 2);
    assert_string_equal(text_of(&f->outs[1], "reason"), "state_limit");
}

static const struct out *stale(const struct fixture *f, size_t index)
{
    return find_out(f, MF_TOPIC_ALERTS, index, "\"rule_id\":\"stale_feed\"", NULL);
}

static void test_a_silent_feed_is_stale(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_STALE_FEED, 3, 5, 10);
    feed_minutes(f, "AAPL", "live", 0, 30); // the last one begins at minute 29
    // The clock of make_heartbeat is a second after complete_to.
    beat(f, "live", "polygon.bars.1m", minute_us(32) - MF_US_PER_SECOND); // exactly 3: not yet
    beat(f, "live", "polygon.bars.5m", minute_us(40)); // moves the clock, names another feed
    assert_null(stale(f, 0));
    beat(f, "live", "polygon.bars.1m", minute_us(33)); // the clock does not go back to 33: 11 intervals
    const struct out *alert = stale(f, 0);
    assert_non_null(alert);
    assert_true(says(alert, "\"severity\":\"critical\""));
    assert_true(says(alert, "\"event_time\":\"2024-01-02T14:59:00.000Z\""));
    assert_true(says(alert, "\"threshold\":10"));
    assert_true(says(alert, "\"state\":\"firing\""));
    assert_true(says(alert, "\"parent_source\":\"polygon\""));
    beat(f, "live", "polygon.bars.1m", minute_us(50));
    assert_null(stale(f, 1)); // said once
    struct mf_event same = make_bar("AAPL", "live", 29, "101"), newer = make_bar("AAPL", "live", 41, "100");
    feed(f, &same); // a correction is no newer bar
    assert_null(stale(f, 1));
    forget(f);
    feed(f, &newer);
    alert = stale(f, 0);
    assert_true(says(alert, "\"state\":\"resolved\""));
    assert_true(says(alert, "\"reason\":\"cleared\""));
    assert_true(says(alert, "\"resolved_time\":\"2024-01-02T15:12:00.000Z\""));
    assert_true(says(alert, "\"revision\":1"));
    assert_true(says(alert, "\"event_time\":\"2024-01-02T14:59:00.000Z\""));
    assert_true(alert > find_out(f, MF_TOPIC_METRICS, 0, "\"interval\":\"1m\"", NULL));
    check_valid(f);
}

static void test_staleness_rises(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_STALE_FEED, 3, 5, 10);
    feed_minutes(f, "AAPL", "live", 0, 30);
    static const char *const severities[] = {"\"severity\":\"info\"", "\"severity\":\"warning\"",
                                             "\"severity\":\"critical\""};
    static const int at[] = {33, 35, 42};
    for (int i = 0; i < 3; i++) {
        char revision[24];
        snprintf(revision, sizeof(revision), "\"revision\":%d", i);
        beat(f, "live", "polygon.bars.1m", minute_us(at[i]));
        assert_true(says(stale(f, (size_t)i), severities[i]));
        assert_true(says(stale(f, (size_t)i), revision));
        beat(f, "live", "polygon.bars.1m", minute_us(at[i]));
        assert_null(stale(f, (size_t)i + 1));
    }
    assert_int_equal(prc_fold_counts(f->fold)->alerts[PRC_RULE_STALE_FEED][MF_SEVERITY_CRITICAL], 1);
}

// Closed markets, slow series, few bars, backfill lanes: silence means nothing there.
static void test_when_silence_is_no_matter(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_STALE_FEED, 3, 5, 10);
    feed_minutes(f, "AAPL", "live", 0, 30);
    beat(f, "live", "polygon.bars.1m", minute_us(390)); // the close: 21:00
    assert_null(stale(f, 0));
    beat(f, "live", "polygon.bars.1m", minute_us(24 * 60 + 2)); // two minutes into the next session
    assert_null(stale(f, 0));
    beat(f, "live", "polygon.bars.1m", minute_us(24 * 60 + 4)); // now it should have said something
    assert_non_null(stale(f, 0));
    restart(f);
    for (int minute = 0; minute < 30; minute++) { // every other minute: slow by nature
        struct mf_event bar = make_bar("AAPL", "live", 2 * minute, "100");
        feed(f, &bar);
    }
    feed_minutes(f, "IBM", "live", 0, 19);
    feed_minutes(f, "MSFT", "backfill:r", 0, 30);
    beat(f, "live", "polygon.bars.1m", minute_us(200));
    beat(f, "backfill:r", "polygon.bars.1m", minute_us(200));
    assert_null(stale(f, 0));
    struct mf_event crypto;
    for (int minute = 0; minute < 20; minute++) {
        crypto = make_bar("X:BTCUSD", "live", minute, "42000");
        crypto.asset_class = MF_ASSET_CRYPTO;
        feed(f, &crypto);
        crypto.symbol = MF_STR("C:EURUSD");
        crypto.asset_class = MF_ASSET_FX;
        feed(f, &crypto);
    }
    beat(f, "live", "polygon.bars.1m", minute_us(1000)); // at night: crypto and fx go on
    assert_string_equal(stale(f, 0)->key, "C:EURUSD");
    assert_string_equal(stale(f, 1)->key, "X:BTCUSD");
    assert_null(stale(f, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_heartbeat_closes_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bar_behind_the_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outputs_of_a_heartbeat_are_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_order_of_feeds_does_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lane_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_live_lane_has_no_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replayed_lane_end_spares_the_next_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lanes_and_feeds_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_feed_is_stale, setup, teardown),
        cmocka_unit_test_setup_teardown(test_staleness_rises, setup, teardown),
        cmocka_unit_test_setup_teardown(test_when_silence_is_no_matter, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
