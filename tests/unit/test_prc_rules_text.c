// SPDX-License-Identifier: Apache-2.0
// What alerts say: sentences, the numbers behind them, and the explanation of one rule on one bar.
#include "tests/unit/prc_rules_support.h"

#include <math.h>
#include <stdio.h>

// Everything that some sentence or baseline tells of.
static void fill(struct prc_values *values, struct prc_bar *bar)
{
    static const enum mf_metric_field fields[] = {
        MF_METRIC_FIELD_VOLUME_SD_20,  MF_METRIC_FIELD_VWAP_SESSION, MF_METRIC_FIELD_BB_MID,
        MF_METRIC_FIELD_ADX_14,        MF_METRIC_FIELD_PLUS_DI_14,   MF_METRIC_FIELD_MINUS_DI_14,
        MF_METRIC_FIELD_ATR_14,        MF_METRIC_FIELD_MA_15M,       MF_METRIC_FIELD_MA_1H,
        MF_METRIC_FIELD_VOLATILITY_15M};
    *values = liquid();
    *bar = bar_at(10);
    for (size_t i = 0; i < MF_ARRAY_LEN(fields); i++)
        set(values, fields[i], 10.5 + (double)i);
    set(values, MF_METRIC_FIELD_RET_1, 0.02);
    values->volume_n = 20;
    values->prev_close = 98;
    values->gap_base = 95;
    values->velocity_base = 96;
    values->prev_rsi = 66;
    values->vol_ratio = 2.25;
    values->vol_regime = PRC_VOL_HIGH;
    values->prev_market_regime = PRC_MARKET_RANGE;
    values->market_regime = PRC_MARKET_TREND_DOWN;
    values->atr_pct = 2.75;
    values->prev_atr_pct = 2.25;
    values->momentum_delta = 4;
    values->bb_sd = 1.5;
    values->prev_high_52w = 120;
    values->prev_low_52w = 80;
    values->mtf_count = 4;
    values->mtf_sign = -1;
    values->move_sd = 0.001;
    bar->open = 99;
    bar->frozen = (struct prc_frozen){.other_close = 101,
                                      .news_price = 97,
                                      .late_us = 901 * MF_US_PER_SECOND,
                                      .mtf_signed = -40,
                                      .mtf_weight = 55};
}

static const struct sentence {
    enum prc_rule rule;
    double value, threshold;
    enum mf_direction direction;
    enum mf_severity severity;
    const char *text;
    const char *numbers; // name=value of the baseline
} sentences[] = {
    {PRC_RULE_PRICE_MOVE, 2.04, 2, MF_DIRECTION_UP, 0,
     "1m close 100 moved +2.04 % from the previous close 98 (threshold 2 %)", "previous_close=98 close=100 "},
    {PRC_RULE_PRICE_MOVE_Z, -3.5, 3, MF_DIRECTION_DOWN, 0,
     "1m close 100 moved +2.00 % from the previous close 98, 3.50 times the sd of the 20 returns before "
     "(threshold "
     "3)",
     "sd=0.001 previous_close=98 close=100 "},
    {PRC_RULE_VELOCITY, 4.17, 3, MF_DIRECTION_UP, 0,
     "1m close 100 moved +4.17 % from 96 5 minutes before (threshold 3 %)", "earlier_close=96 close=100 "},
    {PRC_RULE_VOLUME_SPIKE, 3.5, 3, MF_DIRECTION_UP, 0,
     "1m volume 1 is 3.50 sd above its 20-bar mean 5000 (threshold 3 sd)",
     "mean=5000 sd=10.5 n=20 volume=1 "},
    {PRC_RULE_REL_VOLUME, 2.5, 2, MF_DIRECTION_UP, 0,
     "1m volume 1 is 2.50 times its 20-bar mean 5000 (threshold 2)", "mean=5000 sd=10.5 n=20 volume=1 "},
    {PRC_RULE_GAP, 4.21, 4, MF_DIRECTION_UP, 0,
     "1m open 99 gaps +4.21 % from the previous regular close 95 (threshold 4 %)",
     "previous_regular_close=95 open=99 "},
    {PRC_RULE_VWAP_DEV, -1.5, 1, MF_DIRECTION_DOWN, 0,
     "1m close 100 is 1.50 % below the session VWAP 11.5 (threshold 1 %)", "vwap=11.5 close=100 "},
    {PRC_RULE_VOL_REGIME, 2.25, 2, MF_DIRECTION_UP, 1,
     "1m volatility of 15 bars is 2.25 times the mean of the four windows before: HIGH (threshold 2)",
     "volatility_15m=19.5 "},
    {PRC_RULE_VOL_REGIME_ATR, 2.75, 2.5, MF_DIRECTION_UP, 0,
     "1m ATR14 rose to 2.75 % of the close 100, from 2.25 % (threshold 2.5 %)",
     "previous_atr_pct=2.25 atr_14=16.5 close=100 "},
    {PRC_RULE_MARKET_REGIME, 13.5, 25, MF_DIRECTION_DOWN, 0,
     "1m market turned from range to trend_down: ADX14 13.5, ATR14 2.75 % of the close",
     "adx_14=13.5 plus_di_14=14.5 minus_di_14=15.5 atr_pct=2.75 "},
    {PRC_RULE_RSI_EXTREME, 71, 70, MF_DIRECTION_UP, 0, "1m RSI14 crossed to 71.00, above 70, from 66.00",
     "previous_rsi=66 "},
    {PRC_RULE_MA_CROSS, 99.5, 98.5, MF_DIRECTION_UP, MF_SEVERITY_WARNING,
     "1m SMA10 99.5 crossed above SMA50 98.5", "fast_bars=10 slow_bars=50 close=100 "},
    {PRC_RULE_MOMENTUM, 4.17, 0, MF_DIRECTION_UP, 0,
     "1m momentum turned bullish: close 100 is +4.17 % from 15 bars before, 15-minute mean 17.5, hourly mean "
     "18.5",
     "ma_15m=17.5 ma_1h=18.5 close_15_bars_before=96 close=100 "},
    {PRC_RULE_BOLLINGER_BREAK, -2.5, 2, MF_DIRECTION_DOWN, 0,
     "1m close 100 is 2.50 sd below its 20-bar mean 12.5 (threshold 2 sd)", "bb_mid=12.5 sd=1.5 close=100 "},
    {PRC_RULE_NEW_52W, 79, 80, MF_DIRECTION_DOWN, 0,
     "1m low 79 is below the lowest 80 of the 252 bars before",
     "previous_high_52w=120 previous_low_52w=80 close=100 "},
    {PRC_RULE_MTF_CONFLUENCE, -75, 60, MF_DIRECTION_DOWN, 0,
     "4 intervals up from 1m agree on the trend: strength -75.0 % (threshold 60 %)",
     "intervals=4 own_sign=-1 other_weights=55 other_signed=-40 "},
    {PRC_RULE_MULTI_SIGNAL, 2.5, 2, MF_DIRECTION_DOWN, 2,
     "1m momentum is bearish, volatility HIGH (2.25 times) and volume 2.50 sd above its mean (threshold 2 "
     "sd)",
     "mean=5000 sd=10.5 n=20 volatility_ratio=2.25 ma_15m=17.5 ma_1h=18.5 close_15_bars_before=96 "
     "close=100 "},
    {PRC_RULE_NEWS_PRICE_LINK, 3.09, 2, MF_DIRECTION_UP, 2,
     "1m close 100 moved +3.09 % from 97 before the news within 30 minutes (threshold 2 %)",
     "close_before_news=97 close=100 "},
    {PRC_RULE_PRICE_INTEGRITY, 0.25, 2, MF_DIRECTION_DOWN, 2,
     "1m close 100 is 0.25 times the previous close 98 without a split that day (threshold 2 times, up or "
     "down)",
     "previous_close=98 close=100 "},
    {PRC_RULE_FEED_DISAGREE, -0.99, 0.5, MF_DIRECTION_DOWN, 0,
     "1m close 100 is 0.99 % below the 101 of another provider (threshold 0.5 %)",
     "other_close=101 close=100 "},
    {PRC_RULE_LATE_DATA, 15.02, 15, MF_DIRECTION_NONE, 0,
     "1m bar arrived 15.0 minutes after its end (threshold 15)", "late_s=901 "},
};

static void numbers_of(const struct mf_alert *alert, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < alert->baseline_count; i++)
        len += (size_t)snprintf(out + len, size - len, "%.*s=%g ", MF_STR_ARG(alert->baseline[i].name),
                                alert->baseline[i].value);
}

static void test_sentences(void **state)
{
    (void)state;
    bool told[PRC_RULE_BAR_MAX] = {0};
    for (size_t i = 0; i < MF_ARRAY_LEN(sentences); i++) {
        const struct sentence *row = &sentences[i];
        struct prc_values values;
        struct prc_bar bar;
        struct mf_alert alert = {.severity = row->severity};
        char text[PRC_MESSAGE_SIZE], numbers[512], cut[10];
        fill(&values, &bar);
        struct prc_verdict verdict = {.known = true,
                                      .holding = true,
                                      .triggered = true,
                                      .severity = row->severity,
                                      .direction = row->direction,
                                      .value = row->value,
                                      .threshold = row->threshold};
        size_t len = prc_alert_message(row->rule, "1m", &verdict, &values, &bar, text, sizeof(text));
        assert_string_equal(text, row->text);
        assert_int_equal(len, strlen(text));
        assert_int_equal(prc_alert_message(row->rule, "1m", &verdict, &values, &bar, cut, sizeof(cut)), 9);
        prc_alert_baseline(row->rule, &values, &bar, &alert);
        assert_true(alert.baseline_count <= MF_ALERT_BASELINE_MAX);
        numbers_of(&alert, numbers, sizeof(numbers));
        assert_string_equal(numbers, row->numbers);
        told[row->rule] = true;
    }
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++)
        assert_true(told[r]);
}

static void test_news_sentences(void **state)
{
    (void)state;
    struct prc_news_facts facts = {
        .words = 2, .list = "SEC, merger", .score = 0.5, .mean = -0.4, .scored = 3, .hour = 6, .week = 84};
    static const struct {
        enum prc_rule rule;
        struct prc_verdict verdict;
        const char *text, *numbers;
    } rows[] = {
        {PRC_RULE_NEWS_KEYWORD,
         {.value = 2, .threshold = 2},
         "news names SEC, merger (2 of the watched words)",
         ""},
        {PRC_RULE_NEWS_SENTIMENT,
         {.value = 0.5, .threshold = 0.35, .severity = MF_SEVERITY_WARNING},
         "sentiment of the article is +0.50 (threshold 0.35)",
         "score=0.5 mean_60m=-0.4 articles_60m=3 "},
        {PRC_RULE_NEWS_SENTIMENT,
         {.value = -0.4, .threshold = 0.35, .severity = MF_SEVERITY_CRITICAL},
         "mean sentiment of the 3 articles of 60 minutes is -0.40 (threshold 0.35)",
         "score=0.5 mean_60m=-0.4 articles_60m=3 "},
        {PRC_RULE_NEWS_CLUSTER,
         {.value = 6, .threshold = 5},
         "6 articles in 60 minutes, 0.50 an hour over 7 days (threshold 5)",
         "articles_7d=84 hourly_mean_7d=0.5 "},
    };
    char text[PRC_MESSAGE_SIZE], numbers[512];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_alert alert = {0};
        prc_news_message(rows[i].rule, &rows[i].verdict, &facts, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        prc_news_baseline(rows[i].rule, &facts, &alert);
        numbers_of(&alert, numbers, sizeof(numbers));
        assert_string_equal(numbers, rows[i].numbers);
    }
    struct mf_alert alert = {0};
    prc_stale_message("5m", 3.5, 3, INT64_C(1704205800000000), text, sizeof(text));
    assert_string_equal(
        text,
        "no 5m bar since 2024-01-02T14:30:00.000Z while the market is open: 3.5 intervals (threshold 3)");
    prc_stale_baseline(MF_INTERVAL_5M, 3.5, &alert);
    numbers_of(&alert, numbers, sizeof(numbers));
    assert_string_equal(numbers, "interval_s=300 age_s=1050 ");
}

static void test_resolutions(void **state)
{
    (void)state;
    static const struct {
        enum prc_rule rule;
        enum prc_resolution resolution;
        const char *text;
    } rows[] = {
        {PRC_RULE_GAP, PRC_RESOLVED_CLEARED, "1m gap resolved: the condition is clear"},
        {PRC_RULE_GAP, PRC_RESOLVED_ESCALATED, "1m gap resolved: a higher severity replaced it"},
        {PRC_RULE_GAP, PRC_RESOLVED_CORRECTED, "1m gap resolved: a correction of the bars withdrew it"},
        {PRC_RULE_NEWS_SENTIMENT, PRC_RESOLVED_CORRECTED,
         "news_sentiment resolved: an edit of the article withdrew it"},
        {PRC_RULE_STALE_FEED, PRC_RESOLVED_CLEARED, "1m stale_feed resolved: a newer bar arrived"},
    };
    char text[PRC_MESSAGE_SIZE];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        size_t len = prc_resolved_message(rows[i].rule, "1m", rows[i].resolution, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(rows[i].text));
    }
    prc_standing_message(PRC_RULE_GAP, "1m", text, sizeof(text));
    assert_string_equal(text, "1m gap stands again: a correction took its resolution back");
    assert_string_equal(prc_resolution_name(PRC_RESOLVED_CLEARED), "cleared");
    assert_string_equal(prc_resolution_name(PRC_RESOLVED_ESCALATED), "escalated");
    assert_string_equal(prc_resolution_name(PRC_RESOLVED_CORRECTED), "corrected");
}

// The parts that must be in the explanation; what the step does and what it says agree.
static void expect(enum prc_rule rule, double x, enum mf_interval interval, unsigned flags, uint32_t n_obs,
                   const struct prc_rule_states *states, size_t transitions, const char *const *parts)
{
    struct prc_rule_config config = default_rules();
    struct prc_values values = liquid();
    struct prc_bar bar = bar_at(10);
    struct mf_buf out;
    mf_buf_init(&out, 8192);
    if (x != 0)
        make(rule, x, &values, &bar);
    if (rule == PRC_RULE_VOLUME_SPIKE)
        set(&values, MF_METRIC_FIELD_VOLUME_SD_20, 12);
    bar.flags = flags;
    assert_int_equal(
        prc_rule_explain(rule, &config, &values, &bar, interval, MF_ASSET_STOCK, n_obs, states, &out),
        transitions);
    const char *text = mf_buf_c_str(&out);
    for (; *parts != NULL; parts++)
        if (strstr(text, *parts) == NULL)
            fail_msg("'%s' is not in:\n%s", *parts, text);
    mf_buf_free(&out);
}

static void test_explanations(void **state)
{
    (void)state;
    static const struct prc_rule_states fresh;
    struct prc_rule_states open = {0};
    open.of[PRC_RULE_VOLUME_SPIKE] = (struct prc_rule_state){.open_time_us = 9 * MF_US_PER_MINUTE,
                                                             .open_value = 2.5,
                                                             .open_severity = MF_SEVERITY_INFO,
                                                             .open_direction = MF_DIRECTION_UP,
                                                             .cooldown_until_us = 24 * MF_US_PER_MINUTE,
                                                             .clear_bars = 2};
    prc_rule_states_index(&open);
    struct prc_rule_states quiet = open;
    quiet.of[PRC_RULE_VOLUME_SPIKE].open_time_us = 0;
    prc_rule_states_index(&quiet);
    enum prc_rule spike = PRC_RULE_VOLUME_SPIKE;
    expect(spike, 3.25, MF_INTERVAL_1M, 0, 40, &fresh, 1,
           (const char *[]){"rule        volume_spike 1.", "known       yes: bar 40 of the series\n",
                            "value       3.25 sd\n", "numbers     mean 5000, sd 12, n 0, volume 1\n",
                            "thresholds  info 2, warning 3, critical 5; (volume - mean)",
                            "condition   holds, up\n",
                            "liquidity   enough: mean volume 5000, at least 1000; close 100, at least 1\n",
                            "open        nothing\n", "cooldown    none running\n",
                            "verdict     fires warning: 1m volume 1 is 3.25 sd above", NULL});
    expect(spike, 1.5, MF_INTERVAL_1M, 0, 40, &fresh, 0,
           (const char *[]){"condition   does not hold\n",
                            "verdict     does not fire: the condition does not hold\n", NULL});
    expect(spike, 1.5, MF_INTERVAL_1M, 0, 40, &open, 1,
           (const char *[]){
               "open        info since the bar of 1970-01-01T00:09:00.000Z, value 2.5, 2 clear bars of 3\n",
               "verdict     resolves the alert of 1970-01-01T00:09:00.000Z (cleared)\n", NULL});
    expect(spike, 2.5, MF_INTERVAL_1M, 0, 40, &open, 0,
           (const char *[]){"does not fire: it is open already, and the severity does not rise\n", NULL});
    expect(
        spike, 3.5, MF_INTERVAL_1M, 0, 40, &open, 2,
        (const char *[]){
            "resolves the alert of 1970-01-01T00:09:00.000Z (escalated)\nverdict     fires warning", NULL});
    expect(spike, 2.5, MF_INTERVAL_1M, 0, 40, &quiet, 0,
           (const char *[]){
               "cooldown    until 1970-01-01T00:24:00.000Z, running; a severity above info ends it\n",
               "does not fire: the cooldown is running", NULL});
    expect(spike, 3.5, MF_INTERVAL_1M, MF_FLAG_WARMUP, 40, &fresh, 0,
           (const char *[]){"does not fire: bars of a warm-up fire nothing\n", NULL});
    expect(spike, 0, MF_INTERVAL_1M, 0, 12, &fresh, 0,
           (const char *[]){"known       no: warm-up, bar 12 of the series, it begins with bar 21\n",
                            "does not fire: it cannot be known\n", NULL});
    expect(spike, 0, MF_INTERVAL_1M, 0, 40, &fresh, 0,
           (const char *[]){"known       no: the previous 20 volumes do not differ\n", NULL});
    expect(PRC_RULE_VELOCITY, 9, MF_INTERVAL_1D, 0, 40, &fresh, 0,
           (const char *[]){"known       no: velocity does not look at bars of 1d\n", NULL});
    expect(PRC_RULE_PRICE_INTEGRITY, 3, MF_INTERVAL_1D, 0, 40, &fresh, 1,
           (const char *[]){"liquidity   not asked for\n", "cooldown    none\n", "value       3 x\n",
                            "thresholds  info off, warning off, critical 2;", NULL});
    expect(PRC_RULE_NEW_52W, 1, MF_INTERVAL_1D, 0, 400, &fresh, 1,
           (const char *[]){"thresholds  info on, warning off, critical off;", "value       111\n", NULL});
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) // each has a reason for what it cannot know
        expect((enum prc_rule)r, 0, interval_of((enum prc_rule)r), 0, 1000, &fresh, 0,
               (const char *[]){"known       no: ", "does not fire: it cannot be known\n", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_news_sentences),
        cmocka_unit_test(test_resolutions),
        cmocka_unit_test(test_explanations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
