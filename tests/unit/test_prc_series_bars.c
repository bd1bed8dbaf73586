// SPDX-License-Identifier: Apache-2.0
// Single bars in a series: where they belong, what is kept of them, and in how much memory.
#include "prc_series_support.h"

static void test_placements(void **state)
{
    (void)state;
    static struct feed_bar bars[200];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    unsigned revision = 0;
    make_bars(bars, 200, MF_INTERVAL_1M, 77);
    for (size_t i = 100; i < 200; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    size_t published = ledger->published;
    assert_int_equal(feed(series, &bars[199], &config, ledger), PRC_PLACED_DUPLICATE);
    assert_int_equal(feed(series, &bars[200 - PRC_RING], &config, ledger), PRC_PLACED_DUPLICATE);
    // One beyond the ring, stored all the same: late, whatever it says.
    assert_int_equal(feed(series, &bars[199 - PRC_RING], &config, ledger), PRC_PLACED_LATE);
    assert_non_null(prc_series_find(series, bars[199 - PRC_RING].bar.bar.time_us));
    assert_int_equal(feed(series, &bars[0], &config, ledger), PRC_PLACED_LATE);
    assert_int_equal(ledger->published, published);
    assert_int_equal(prc_series_ring_count(series), PRC_RING);
    assert_int_equal(prc_series_ring_slot(series, 0)->time_us, bars[200 - PRC_RING].bar.bar.time_us);
    uint64_t random = 5;
    struct feed_bar changed = spoilt(&bars[150], &random);
    assert_int_equal(prc_series_place(series, changed.bar.bar.time_us, changed.bar.content_hash, &revision),
                     PRC_PLACED_CORRECTION);
    assert_int_equal(revision, 1);
    assert_int_equal(feed(series, &changed, &config, ledger), PRC_PLACED_CORRECTION);
    assert_int_equal(feed(series, &bars[150], &config, ledger), PRC_PLACED_CORRECTION); // A → B → A
    assert_int_equal(prc_series_place(series, changed.bar.bar.time_us, bars[150].bar.content_hash, &revision),
                     PRC_PLACED_DUPLICATE);
    assert_int_equal(revision, 2);
    prc_series_free(&series);
    free(ledger);
}

// Up to 64 bars there is no too late; the 65th makes a ring that ends before the oldest.
static void test_a_short_series_takes_any_earlier_bar(void **state)
{
    (void)state;
    static struct feed_bar bars[70];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger(), *expected;
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 70, MF_INTERVAL_1M, 123);
    for (size_t i = 70; i > 6; i--) // backwards: each but the first before all others
        assert_int_equal(feed(series, &bars[i - 1], &config, ledger), PRC_PLACED_NEW);
    assert_int_equal(feed(series, &bars[5], &config, ledger), PRC_PLACED_NEW); // the 65th
    assert_int_equal(feed(series, &bars[4], &config, ledger), PRC_PLACED_LATE);
    assert_int_equal(feed(series, &bars[5], &config, ledger), PRC_PLACED_LATE); // stored, not in the ring
    assert_int_equal(series->head.indicators.n_obs, 65);
    expected = in_order(bars + 5, 65, MF_INTERVAL_1M);
    assert_within(expected, ledger);
    assert_within(ledger, expected);
    prc_series_free(&series);
    free(ledger);
    free(expected);
}

static void test_memory_grows_with_the_bars(void **state)
{
    (void)state;
    static struct feed_bar bars[400];
    struct prc_rule_config config = rules(20);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 400, MF_INTERVAL_1M, 321);
    config.thresholds[PRC_RULE_RSI_EXTREME][MF_INTERVAL_1M] = (struct prc_thresholds){{80, 90, 0}};
    config.thresholds[PRC_RULE_MOMENTUM][MF_INTERVAL_1M] = (struct prc_thresholds){{0, 0, 0}};
    prc_rule_config_prepare(&config);
    size_t most = 0;
    assert_true(sizeof(struct prc_slot) == 128);
    for (size_t i = 0; i < 400; i++) {
        bars[i].bar.bar.frozen.other_close = bars[i].bar.bar.frozen.news_price = 0;
        feed(series, &bars[i], &config, ledger);
        size_t bytes = prc_series_bytes(series);
        if (i == 0)
            assert_true(bytes < 3584);
        most = bytes > most ? bytes : most;
        assert_true(series->count <= PRC_STORED && series->capacity <= PRC_STORED);
        assert_true(series->column_count <= PRC_LOOKBACK + PRC_STORED);
    }
    print_message("a full 1m series takes at most %zu bytes\n", most);
    assert_true(most <= (size_t)20 * 1024);
    prc_series_free(&series);
    free(ledger);
}

static void test_a_corrected_bar_keeps_what_was_frozen(void **state)
{
    (void)state;
    static struct feed_bar bars[3];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 3, MF_INTERVAL_1M, 9);
    bars[1].bar.bar.frozen =
        (struct prc_frozen){.other_close = 12.5, .late_us = INT64_C(4000000000000000), .bits = 3};
    for (size_t i = 0; i < 3; i++)
        feed(series, &bars[i], &config, ledger);
    uint64_t random = 5;
    struct feed_bar changed = spoilt(&bars[1], &random);
    changed.bar.bar.frozen = (struct prc_frozen){.news_price = 1, .late_us = 7};
    feed(series, &changed, &config, ledger);
    struct prc_frozen kept = prc_slot_thaw(prc_series_find(series, bars[1].bar.bar.time_us));
    assert_true(kept.other_close == 12.5 && kept.news_price == 0 && kept.bits == 3);
    assert_true(kept.late_us == INT64_C(4000000000000000));
    struct prc_bar bar;
    prc_slot_bar(prc_series_find(series, bars[1].bar.bar.time_us), &bar);
    assert_true(bar.close == changed.bar.bar.close && bar.volume == changed.bar.bar.volume);
    assert_int_equal(bar.end_us, changed.bar.bar.end_us);
    prc_series_free(&series);
    free(ledger);
}

static void test_frozen_in_sixteen_bytes_and_beyond(void **state)
{
    (void)state;
    static const struct {
        struct prc_frozen frozen;
        bool whole;
    } rows[] = {
        {{.late_us = PRC_NOT_JUDGED}, false},
        {{.late_us = 900000000, .mtf_signed = -100, .mtf_weight = 100, .mtf_count = 5, .bits = 7}, false},
        {{.late_us = -5000}, false},
        {{.late_us = 1500}, true}, // no whole millisecond
        {{.late_us = INT64_C(2147483648) * 1000}, true},
        {{.late_us = INT64_C(-2147483648) * 1000}, true}, // the mark for "not judged"
        {{.late_us = PRC_NOT_JUDGED, .other_close = 1}, true},
        {{.late_us = 0, .news_price = 2}, true},
    };
    struct prc_slot slot = {0};
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        prc_slot_freeze(&slot, &rows[r].frozen);
        struct prc_frozen thawed = prc_slot_thaw(&slot);
        assert_int_equal(slot.frozen.whole != NULL, rows[r].whole);
        assert_true(thawed.late_us == rows[r].frozen.late_us && thawed.bits == rows[r].frozen.bits);
        assert_true(thawed.other_close == rows[r].frozen.other_close);
        assert_true(thawed.news_price == rows[r].frozen.news_price);
        assert_true(thawed.mtf_signed == rows[r].frozen.mtf_signed);
        assert_true(thawed.mtf_weight == rows[r].frozen.mtf_weight);
        assert_true(thawed.mtf_count == rows[r].frozen.mtf_count);
    }
    free(slot.frozen.whole);
}

static void test_numbers_keep_their_text(void **state)
{
    (void)state;
    static const struct {
        const char *texts[PRC_NUMBER_MAX];
        bool wide;
    } rows[] = {
        {{"187.10", "188", "0.0001", "187.100", "1000", "187.12345678"}, false},
        {{"187.10", "188", "0.0001", "187.100", "0", NULL}, false},
        {{"1", "1", "1", "1", "1234567890123.12345678", "2.50"}, true},
        {{"1", "1", "1", "1", "123456789012345678901234", NULL}, true},
    };
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct prc_numbers numbers;
        struct mf_str texts[PRC_NUMBER_MAX];
        for (int f = 0; f < PRC_NUMBER_MAX; f++)
            texts[f] = rows[r].texts[f] != NULL ? mf_str_of(rows[r].texts[f]) : MF_STR_NULL;
        assert_true(prc_numbers_parse(texts, &numbers));
        assert_int_equal(numbers.wide != NULL, rows[r].wide);
        for (int f = 0; f < PRC_NUMBER_MAX; f++) {
            char scratch[MF_DECIMAL_TEXT_SIZE];
            struct mf_str text = prc_number_text(&numbers, (enum prc_number_field)f, scratch);
            double value = 0;
            assert_int_equal(text.data != NULL, rows[r].texts[f] != NULL);
            if (text.data == NULL)
                continue;
            assert_true(mf_str_eq_c(text, rows[r].texts[f]));
            assert_true(mf_decimal_to_double(texts[f], &value));
            assert_true(prc_number_double(&numbers, (enum prc_number_field)f) == value);
        }
        prc_numbers_clear(&numbers);
        assert_null(numbers.wide);
    }
    struct mf_str bad[PRC_NUMBER_MAX] = {MF_STR("1"), MF_STR("1"), MF_STR("x"), MF_STR("1"), MF_STR("1")};
    struct prc_numbers numbers;
    assert_false(prc_numbers_parse(bad, &numbers));
    assert_null(numbers.wide);
    bad[2] = MF_STR_NULL; // only vwap may be absent
    assert_false(prc_numbers_parse(bad, &numbers));
}

static struct feed_bar plain_bar(int64_t minute, int32_t day, int64_t cents)
{
    struct feed_bar out = {0};
    const int64_t numbers[] = {cents, cents, cents, cents, 100000, cents};
    set_numbers(&out, numbers);
    out.bar.bar.time_us = minute * MF_US_PER_MINUTE;
    out.bar.bar.end_us = (minute + 1) * MF_US_PER_MINUTE;
    out.bar.bar.session = MF_SESSION_REGULAR;
    out.bar.bar.session_day = day;
    out.bar.bar.frozen.late_us = PRC_NOT_JUDGED;
    return out;
}

// velocity measures from the newest bar that is at least five minutes older, in the same session.
static void test_velocity_base(void **state)
{
    (void)state;
    static const struct {
        int64_t minute;
        int32_t day;
        int64_t base; // cents; 0 = none
    } rows[] = {{100, 1, 0},    {104, 1, 0}, {105, 1, 1000}, {106, 1, 1000}, {110, 1, 1002},
                {130, 1, 1004}, {140, 2, 0}, {144, 2, 0},    {145, 2, 1006}};
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct feed_bar bar = plain_bar(rows[r].minute, rows[r].day, 1000 + (int64_t)r);
        feed(series, &bar, &config, ledger);
        assert_true(last_applied.values.velocity_base == (double)rows[r].base / 100);
        assert_int_equal(last_applied.first_of_session, rows[r].minute == 100 || rows[r].minute == 140);
    }
    prc_series_free(&series);
    // Across bars that are no longer stored: a dense series has its base at every bar from the sixth on.
    series = new_series(MF_INTERVAL_1M);
    struct ledger *dense = new_ledger();
    for (int64_t i = 0; i < 300; i++) {
        struct feed_bar bar = plain_bar(i, 1, 1000 + i);
        feed(series, &bar, &config, dense);
        assert_true(last_applied.values.velocity_base == (i < 5 ? 0 : (double)(1000 + i - 5) / 100));
        bar = plain_bar(i > 40 ? i - 40 : 0, 1, 1000 + (i > 40 ? i - 40 : 0) + (i % 2 == 0 ? 3 : 0));
        feed(series, &bar, &config, dense);
        bar = plain_bar(i > 40 ? i - 40 : 0, 1, 1000 + (i > 40 ? i - 40 : 0));
        feed(series, &bar, &config, dense);
    }
    prc_series_free(&series);
    free(ledger);
    free(dense);
}

// What a recompute changes because the rules are others now says so.
static void test_a_change_of_rules_is_named(void **state)
{
    (void)state;
    static struct feed_bar bars[100];
    struct prc_rule_config strict = rules(1), lax = rules(50);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 100, MF_INTERVAL_1M, 8);
    for (size_t i = 0; i < 99; i++)
        feed(series, &bars[i], &strict, ledger);
    assert_true(series->fired_count > 0);
    uint64_t random = 5;
    struct feed_bar wrong = spoilt(&bars[98], &random);
    feed(series, &wrong, &strict, ledger);
    assert_int_equal(ledger->changed_rules, 0);
    size_t alerts = ledger->alerts;
    feed(series, &bars[98], &lax, ledger);
    assert_true(ledger->alerts > alerts && ledger->changed_rules > 0);
    assert_int_equal(last_applied.alerts, ledger->alerts - alerts);
    prc_series_free(&series);
    free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placements),
        cmocka_unit_test(test_a_short_series_takes_any_earlier_bar),
        cmocka_unit_test(test_memory_grows_with_the_bars),
        cmocka_unit_test(test_a_corrected_bar_keeps_what_was_frozen),
        cmocka_unit_test(test_frozen_in_sixteen_bytes_and_beyond),
        cmocka_unit_test(test_numbers_keep_their_text),
        cmocka_unit_test(test_velocity_base),
        cmocka_unit_test(test_a_change_of_rules_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
