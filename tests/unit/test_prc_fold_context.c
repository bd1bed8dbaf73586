// SPDX-License-Identifier: Apache-2.0
// What a bar reads beyond its own series (other intervals, other providers, splits, its own delay), and which
// bars are worth passing on.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

static const struct out *alert_of(const struct fixture *f, const char *rule, size_t index)
{
    char member[64];
    snprintf(member, sizeof(member), "\"rule_id\":\"%s\"", rule);
    return find_out(f, MF_TOPIC_ALERTS, index, member, NULL);
}

static void feed_price(struct fixture *f, const char *source, int minute, const char *price)
{
    struct mf_event bar = make_bar("AAPL", "live", minute, price);
    bar.source = mf_str_of(source);
    feed(f, &bar);
}

static void test_providers_disagree(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    switch_on(f, PRC_RULE_FEED_DISAGREE, 0.5, 1, 0);
    for (int minute = 0; minute < 25; minute++) {
        feed_price(f, "polygon", minute, "100");
        feed_price(f, "yahoo", minute, minute == 23 ? "100.7" : "100.2");
    }
    const struct out *alert = alert_of(f, "feed_disagree", 0);
    assert_non_null(alert);
    assert_true(says(alert, "\"parent_source\":\"yahoo\""));
    assert_true(says(alert, "\"value\":0.7"));
    assert_true(says(alert, "\"severity\":\"info\""));
    assert_null(alert_of(f, "feed_disagree", 1));
    // What the other said later changes nothing: the bar had been compared.
    forget(f);
    feed_price(f, "polygon", 22, "102");
    assert_null(alert_of(f, "feed_disagree", 0));
    // Another adjustment is another price.
    struct mf_event raw = make_bar("AAPL", "live", 24, "400");
    raw.bar.adjusted = MF_ADJUSTED_NONE;
    feed(f, &raw);
    assert_null(alert_of(f, "feed_disagree", 0));
}

static struct mf_event make_split(struct mf_date ex_date)
{
    struct mf_event event = make_event(MF_EVENT_CORPORATE_ACTION, "AAPL", "live", OPEN_US);
    event.corporate_action.kind = MF_ACTION_SPLIT;
    event.corporate_action.ex_date = ex_date;
    event.corporate_action.split_from = MF_STR("1");
    event.corporate_action.split_to = MF_STR("4");
    return event;
}

static void test_integrity_knows_splits(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    struct mf_event other_day = make_split((struct mf_date){2024, 1, 3});
    struct mf_event same_day = make_split((struct mf_date){2024, 1, 2});
    feed(f, &other_day);
    feed_price(f, "polygon", 0, "100");
    feed_price(f, "polygon", 1, "49");
    const struct out *alert = alert_of(f, "price_integrity", 0);
    assert_non_null(alert);
    assert_true(says(alert, "\"value\":0.49"));
    assert_true(says(alert, "\"severity\":\"critical\""));
    assert_true(alert > find_out(f, MF_TOPIC_BARS_FILTERED, 1, NULL, NULL)); // the bar itself has passed
    restart(f);
    feed(f, &same_day);
    assert_int_equal(f->outs[0].role, MF_TOPIC_CORPORATE_ACTIONS_FILTERED);
    feed_price(f, "polygon", 0, "100");
    feed_price(f, "polygon", 1, "25");
    assert_null(alert_of(f, "price_integrity", 0));
}

// More ex-dates than are remembered: the oldest told is forgotten.
static void test_splits_are_limited(void **state)
{
    struct fixture *f = *state;
    for (int day = 0; day <= PRC_SPLITS; day++) {
        struct mf_event split = make_split((struct mf_date){2024, 1, 2 + day});
        split.event_time_us += day * MF_US_PER_MS;
        feed(f, &split);
        feed(f, &split);
    }
    bool full = false;
    const struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("AAPL"), false, &full);
    assert_int_equal(cell->split_count, PRC_SPLITS);
    assert_int_equal(cell->splits[0], mf_date_to_days((struct mf_date){2024, 1, 3}));
    assert_int_equal(cell->splits[PRC_SPLITS - 1],
                     mf_date_to_days((struct mf_date){2024, 1, 2 + PRC_SPLITS}));
}

static void test_late_data(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_LATE_DATA, 15, 2880, 0);
    static const struct {
        int64_t delay_us;
        unsigned flags;
        const char *lane;
        bool fires;
    } cases[] = {
        {15 * MF_US_PER_MINUTE, 0, "live", false},
        {15 * MF_US_PER_MINUTE + MF_US_PER_MS, 0, "live", true},
        {60 * MF_US_PER_MINUTE, MF_FLAG_DELAYED, "live", false},
        {60 * MF_US_PER_MINUTE, MF_FLAG_WARMUP, "live", false},
        {60 * MF_US_PER_MINUTE, 0, "backfill:r", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        restart(f);
        struct mf_event bar = make_bar("AAPL", cases[i].lane, 0, "100");
        bar.ingest_time_us = bar.bar.window_end_us + cases[i].delay_us;
        bar.flags = cases[i].flags;
        feed(f, &bar);
        assert_int_equal(alert_of(f, "late_data", 0) != NULL, cases[i].fires);
    }
}

// The trend of the hours is read by the minutes, as it was when they came.
static void test_trends_of_other_intervals(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    restart(f);
    char price[16];
    for (int hour = 0; hour < 60; hour++) { // rises for 60 hours: warm from 50 on, up
        snprintf(price, sizeof(price), "%d", 100 + hour);
        struct mf_event bar =
            make_bar_at("AAPL", "live", MF_INTERVAL_1H, OPEN_US - (60 - hour) * MF_US_PER_HOUR, price);
        bar.bar.session_date = mf_date_of_utc(bar.event_time_us);
        feed(f, &bar);
    }
    for (int minute = 0; minute < 60; minute++) {
        snprintf(price, sizeof(price), "%d", 200 - minute);
        feed_price(f, "polygon", minute, price);
    }
    const struct out *early = find_out(f, MF_TOPIC_METRICS, 5, "\"interval\":\"1m\"", NULL);
    const struct out *late = find_out(f, MF_TOPIC_METRICS, 55, "\"interval\":\"1m\"", NULL);
    assert_true(says(early, "\"mtf_strength\":100")); // of the hours alone
    assert_true(says(late, "\"mtf_strength\":50"));   // 15 up, 5 down: (15 - 5) / 20
    const struct out *hour = find_out(f, MF_TOPIC_METRICS, 55, "\"interval\":\"1h\"", NULL);
    assert_true(says(hour, "\"mtf_strength\":100"));
    // A correction of an hour restates no minute.
    forget(f);
    for (int h = 1; h < 40; h++) {
        struct mf_event bar = make_bar_at("AAPL", "live", MF_INTERVAL_1H, OPEN_US - h * MF_US_PER_HOUR, "1");
        bar.bar.session_date = mf_date_of_utc(bar.event_time_us);
        feed(f, &bar);
    }
    assert_null(find_out(f, MF_TOPIC_METRICS, 0, "\"interval\":\"1m\"", NULL));
    feed_price(f, "polygon", 60, "140"); // but the next one reads it: 15 down, 5 down
    assert_true(says(find_out(f, MF_TOPIC_METRICS, 0, "\"interval\":\"1m\"", NULL), "\"mtf_strength\":-100"));
}

struct bar_kept {
    const char *why;
    int minute;
    const char *close, *volume;
    bool kept;
};

static void test_only_interesting_bars_are_kept(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    f->config.keep_interesting = true;
    restart(f);
    for (int minute = 0; minute < 30; minute++)
        feed_price(f, "polygon", minute, "100");
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 30);      // dropped bars make metrics all the same
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 6); // the first, and every fifth minute
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_BAR][PRC_DROPPED], 24);
    static const struct bar_kept cases[] = {
        {"nothing", 31, "100", "5000", false},           {"a move", 32, "100.2", "5000", true},
        {"a smaller move", 33, "100.01", "5000", false}, // 0.19 %
        {"volume", 34, "100.01", "6100", true},          {"the last minute", 389, "100.01", "5000", true},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        forget(f);
        struct mf_event bar = make_bar("AAPL", "live", cases[i].minute, cases[i].close);
        bar.bar.volume = mf_str_of(cases[i].volume);
        feed(f, &bar);
        if ((count_role(f, MF_TOPIC_BARS_FILTERED) == 1) != cases[i].kept)
            fail_msg("%s", cases[i].why);
        assert_int_equal(count_role(f, MF_TOPIC_METRICS), 1);
        assert_int_equal(f->outs[0].role, cases[i].kept ? MF_TOPIC_BARS_FILTERED : MF_TOPIC_METRICS);
    }
}

static void test_what_is_always_kept(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    f->config.keep_interesting = true;
    restart(f);
    for (int minute = 0; minute < 30; minute++)
        feed_price(f, "polygon", minute, "100");
    forget(f);
    struct mf_event corrected = make_bar("AAPL", "live", 7, "100.001"), day, backfill;
    feed(f, &corrected);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 1);
    day = make_bar_at("AAPL", "live", MF_INTERVAL_1D, OPEN_US - 14 * MF_US_PER_HOUR - 30 * MF_US_PER_MINUTE,
                      "1");
    day.bar.session = MF_SESSION_FULL;
    feed(f, &day);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 2);
    for (int minute = 1; minute < 4; minute++) {
        backfill = make_bar("AAPL", "backfill:r", minute, "100");
        feed(f, &backfill);
    }
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 5);
}

// An alert makes its bar interesting; the bar comes first.
static void test_a_bar_with_an_alert_is_kept(void **state)
{
    struct fixture *f = *state;
    f->config.rollups = false;
    f->config.keep_interesting = true;
    switch_on(f, PRC_RULE_LATE_DATA, 1, 0, 0);
    for (int minute = 0; minute < 10; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        if (minute == 2)
            bar.ingest_time_us = bar.bar.window_end_us + 2 * MF_US_PER_MINUTE;
        feed(f, &bar);
    }
    static const char *const times[] = {
        "2024-01-02T14:30:00.000Z", "2024-01-02T14:32:00.000Z",
        "2024-01-02T14:35:00.000Z"}; // the last one: it resolves, and is a fifth
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(text_of(find_out(f, MF_TOPIC_BARS_FILTERED, i, NULL, NULL), "event_time"),
                            times[i]);
    assert_int_equal(f->outs[3].role, MF_TOPIC_BARS_FILTERED);
    assert_int_equal(f->outs[4].role, MF_TOPIC_METRICS);
    assert_int_equal(f->outs[5].role, MF_TOPIC_ALERTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_providers_disagree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integrity_knows_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splits_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trends_of_other_intervals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_interesting_bars_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_always_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bar_with_an_alert_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
