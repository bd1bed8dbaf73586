// SPDX-License-Identifier: Apache-2.0
// Verdicts of the bar rules: at their thresholds, by direction, interval, liquidity and warm-up, and what is
// particular to each.
#include "tests/unit/prc_rules_support.h"

#include <math.h>

static struct prc_verdict judge(enum prc_rule rule, const struct prc_rule_config *config, double x)
{
    struct prc_values values = liquid();
    struct prc_bar bar = bar_at(1);
    make(rule, x, &values, &bar);
    return prc_rule_verdict(rule, config, &values, &bar, interval_of(rule), MF_ASSET_STOCK);
}

// A threshold of exactly the size found is met, but for the strict rules; one step of the number to either
// side decides without doubt.
static const struct {
    enum prc_rule rule;
    double x;
    bool strict;
} to_the_digit[] = {
    {PRC_RULE_PRICE_MOVE, 0.7, false},
    {PRC_RULE_PRICE_MOVE, -1.3, false},
    {PRC_RULE_PRICE_MOVE_Z, 3.3, false},
    {PRC_RULE_PRICE_MOVE_Z, -4.1, false},
    {PRC_RULE_VELOCITY, 3.7, false},
    {PRC_RULE_VELOCITY, -6.1, false},
    {PRC_RULE_VOLUME_SPIKE, 2.2, false},
    {PRC_RULE_REL_VOLUME, 2.7, false},
    {PRC_RULE_GAP, 1.1, false},
    {PRC_RULE_GAP, -2.3, false},
    {PRC_RULE_VWAP_DEV, 1.4, false},
    {PRC_RULE_VWAP_DEV, -2.9, false},
    {PRC_RULE_VOL_REGIME, 1.7, false},
    {PRC_RULE_VOL_REGIME, 2.6, false},
    {PRC_RULE_VOL_REGIME_ATR, 2.7, false},
    {PRC_RULE_RSI_EXTREME, 72.4, false},
    {PRC_RULE_RSI_EXTREME, 24.1, false},
    {PRC_RULE_BOLLINGER_BREAK, 2.4, false},
    {PRC_RULE_BOLLINGER_BREAK, -3.2, false},
    {PRC_RULE_MTF_CONFLUENCE, 61.3, true},
    {PRC_RULE_MTF_CONFLUENCE, -70.7, true},
    {PRC_RULE_NEWS_PRICE_LINK, 2.1, false},
    {PRC_RULE_NEWS_PRICE_LINK, -3.3, false},
    {PRC_RULE_PRICE_INTEGRITY, 2.7, true},
    {PRC_RULE_PRICE_INTEGRITY, 0.4, true},
    {PRC_RULE_FEED_DISAGREE, 0.6, false},
    {PRC_RULE_FEED_DISAGREE, -1.2, false},
    {PRC_RULE_LATE_DATA, 15.5, true},
};

static bool goes_down(enum prc_rule rule, double value)
{
    return rule == PRC_RULE_RSI_EXTREME       ? value < 50
           : rule == PRC_RULE_PRICE_INTEGRITY ? value < 1
                                              : value < 0;
}

static void check_digits(enum prc_rule rule, double x, bool strict, int severity)
{
    struct prc_rule_config config = {0};
    double *level = &config.thresholds[rule][interval_of(rule)].level[severity];
    double value = judge(rule, &config, x).value;
    double size = rule == PRC_RULE_RSI_EXTREME && value < 50 ? 100 - value
                  : rule == PRC_RULE_PRICE_INTEGRITY         ? fmax(value, 1 / value)
                                                             : fabs(value);
    *level = size;
    assert_int_equal(judge(rule, &config, x).triggered, !strict);
    *level = nextafter(size, INFINITY);
    assert_false(judge(rule, &config, x).triggered);
    *level = nextafter(size, 0);
    struct prc_verdict verdict = judge(rule, &config, x);
    assert_true(verdict.known && verdict.holding && verdict.triggered);
    assert_int_equal(verdict.severity, severity);
    if (rule == PRC_RULE_LATE_DATA)
        assert_int_equal(verdict.direction, MF_DIRECTION_NONE);
    else
        assert_int_equal(verdict.direction, goes_down(rule, value) ? MF_DIRECTION_DOWN : MF_DIRECTION_UP);
    *level = 0; // off
    assert_false(judge(rule, &config, x).triggered);
}

static void test_thresholds_to_the_last_digit(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(to_the_digit); i++)
        for (int s = 0; s < MF_SEVERITY_MAX; s++)
            check_digits(to_the_digit[i].rule, to_the_digit[i].x, to_the_digit[i].strict, s);
}

enum { NONE = -1, INFO = MF_SEVERITY_INFO, WARNING = MF_SEVERITY_WARNING, CRITICAL = MF_SEVERITY_CRITICAL };

// The defaults of docs/processor.md: what stands in the table of the program is what the page says.
static const struct {
    enum prc_rule rule;
    double x;
    int severity;
    double threshold;
} by_default[] = {
    {PRC_RULE_PRICE_MOVE, 0.499, NONE, 0},
    {PRC_RULE_PRICE_MOVE, 0.501, INFO, 0.5},
    {PRC_RULE_PRICE_MOVE, -1.001, WARNING, 1},
    {PRC_RULE_PRICE_MOVE, 2.001, CRITICAL, 2},
    {PRC_RULE_PRICE_MOVE_Z, 2.99, NONE, 0},
    {PRC_RULE_PRICE_MOVE_Z, -3, INFO, 3},
    {PRC_RULE_PRICE_MOVE_Z, 4, WARNING, 4},
    {PRC_RULE_PRICE_MOVE_Z, 6, CRITICAL, 6},
    {PRC_RULE_VELOCITY, 2.99, NONE, 0},
    {PRC_RULE_VELOCITY, -3.01, INFO, 3},
    {PRC_RULE_VELOCITY, 5.01, WARNING, 5},
    {PRC_RULE_VELOCITY, 10.01, CRITICAL, 10},
    {PRC_RULE_VOLUME_SPIKE, 1.99, NONE, 0},
    {PRC_RULE_VOLUME_SPIKE, 2, INFO, 2},
    {PRC_RULE_VOLUME_SPIKE, 3, WARNING, 3},
    {PRC_RULE_VOLUME_SPIKE, 5, CRITICAL, 5},
    {PRC_RULE_VOLUME_SPIKE, -6, NONE, 0},
    {PRC_RULE_REL_VOLUME, 1.99, NONE, 0},
    {PRC_RULE_REL_VOLUME, 2, INFO, 2},
    {PRC_RULE_REL_VOLUME, 3, WARNING, 3},
    {PRC_RULE_REL_VOLUME, 5, CRITICAL, 5},
    {PRC_RULE_GAP, 0.99, NONE, 0},
    {PRC_RULE_GAP, -1, INFO, 1},
    {PRC_RULE_GAP, 2, WARNING, 2},
    {PRC_RULE_GAP, 4, CRITICAL, 4},
    {PRC_RULE_VWAP_DEV, 0.99, NONE, 0},
    {PRC_RULE_VWAP_DEV, 1, INFO, 1},
    {PRC_RULE_VWAP_DEV, -2, WARNING, 2},
    {PRC_RULE_VWAP_DEV, 3, CRITICAL, 3},
    {PRC_RULE_VOL_REGIME, 1.49, NONE, 0},
    {PRC_RULE_VOL_REGIME, 1.5, INFO, 1.5},
    {PRC_RULE_VOL_REGIME, 2, WARNING, 2},
    {PRC_RULE_VOL_REGIME, 0.5, INFO, 0.5},
    {PRC_RULE_VOL_REGIME, 9, WARNING, 2},
    {PRC_RULE_VOL_REGIME_ATR, 2.49, NONE, 0},
    {PRC_RULE_VOL_REGIME_ATR, 9, INFO, 2.5},
    {PRC_RULE_MARKET_REGIME, 0, NONE, 0},
    {PRC_RULE_MARKET_REGIME, 1, INFO, 25},
    {PRC_RULE_RSI_EXTREME, 69.9, NONE, 0},
    {PRC_RULE_RSI_EXTREME, 70, INFO, 70},
    {PRC_RULE_RSI_EXTREME, 99, WARNING, 80},
    {PRC_RULE_RSI_EXTREME, 30, INFO, 30},
    {PRC_RULE_RSI_EXTREME, 20, WARNING, 20},
    {PRC_RULE_RSI_EXTREME, 30.1, NONE, 0},
    {PRC_RULE_MA_CROSS, 0, NONE, 0},
    {PRC_RULE_MA_CROSS, 1, INFO, 0},
    {PRC_RULE_MOMENTUM, 0, NONE, 0},
    {PRC_RULE_MOMENTUM, -1, INFO, 0},
    {PRC_RULE_BOLLINGER_BREAK, 1.99, NONE, 0},
    {PRC_RULE_BOLLINGER_BREAK, -2, INFO, 2},
    {PRC_RULE_BOLLINGER_BREAK, 4, WARNING, 3},
    {PRC_RULE_NEW_52W, 0, NONE, 0},
    {PRC_RULE_NEW_52W, 1, INFO, 110},
    {PRC_RULE_NEW_52W, -1, INFO, 90},
    {PRC_RULE_MTF_CONFLUENCE, 60, NONE, 0},
    {PRC_RULE_MTF_CONFLUENCE, -60.01, INFO, 60},
    {PRC_RULE_MULTI_SIGNAL, 0, NONE, 0},
    {PRC_RULE_MULTI_SIGNAL, 1, CRITICAL, 2},
    {PRC_RULE_NEWS_PRICE_LINK, 1.99, NONE, 0},
    {PRC_RULE_NEWS_PRICE_LINK, -2.01, CRITICAL, 2},
    {PRC_RULE_PRICE_INTEGRITY, 2, NONE, 0},
    {PRC_RULE_PRICE_INTEGRITY, 2.01, CRITICAL, 2},
    {PRC_RULE_PRICE_INTEGRITY, 0.5, NONE, 0},
    {PRC_RULE_PRICE_INTEGRITY, 0.49, CRITICAL, 2},
    {PRC_RULE_FEED_DISAGREE, 0.49, NONE, 0},
    {PRC_RULE_FEED_DISAGREE, 0.51, INFO, 0.5},
    {PRC_RULE_FEED_DISAGREE, -1.01, WARNING, 1},
    {PRC_RULE_LATE_DATA, 15, NONE, 0},
    {PRC_RULE_LATE_DATA, 15.01, INFO, 15},
    {PRC_RULE_LATE_DATA, 2880.1, WARNING, 2880},
};

static void test_default_thresholds(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    bool seen[PRC_RULE_BAR_MAX] = {0};
    for (size_t i = 0; i < MF_ARRAY_LEN(by_default); i++) {
        struct prc_verdict verdict = judge(by_default[i].rule, &config, by_default[i].x);
        seen[by_default[i].rule] = true;
        assert_true(verdict.known);
        assert_int_equal(verdict.triggered, by_default[i].severity != NONE);
        if (by_default[i].severity == NONE)
            continue;
        assert_int_equal(verdict.severity, by_default[i].severity);
        assert_true(verdict.threshold == by_default[i].threshold);
    }
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++)
        assert_true(seen[r]);
    struct prc_values values = liquid();
    struct prc_bar bar = bar_at(1);
    make(PRC_RULE_PRICE_MOVE, 1.99, &values, &bar); // a day moves more
    assert_false(prc_rule_verdict(PRC_RULE_PRICE_MOVE, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK)
                     .holding);
    make(PRC_RULE_PRICE_MOVE, 5.01, &values, &bar);
    assert_int_equal(
        prc_rule_verdict(PRC_RULE_PRICE_MOVE, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK)
            .severity,
        CRITICAL);
}

// A size beyond every default threshold.
static double strong(enum prc_rule rule)
{
    return rule == PRC_RULE_MA_CROSS || strcmp(prc_rules[rule].unit, "switch") == 0 ? 1
           : rule == PRC_RULE_LATE_DATA                                             ? 3000
                                                                                    : 90;
}

static bool triggers(enum prc_rule rule, enum mf_interval interval, enum mf_asset_class asset_class,
                     double mean_volume, double close, unsigned flags, unsigned frozen)
{
    struct prc_rule_config config = default_rules();
    struct prc_values values = liquid();
    struct prc_bar bar = bar_at(1);
    make(rule, strong(rule), &values, &bar);
    if (mean_volume < 0)
        values.present &= ~(UINT64_C(1) << MF_METRIC_FIELD_VOLUME_MEAN_20);
    set(&values, MF_METRIC_FIELD_RET_1, 0.9);
    if (mean_volume >= 0)
        set(&values, MF_METRIC_FIELD_VOLUME_MEAN_20, mean_volume);
    if (close > 0)
        bar.close = close;
    bar.flags = flags;
    bar.frozen.bits = (uint8_t)frozen;
    struct prc_verdict verdict = prc_rule_verdict(rule, &config, &values, &bar, interval, asset_class);
    return verdict.triggered;
}

static void test_intervals(void **state)
{
    (void)state;
    static const char *const wanted[PRC_RULE_BAR_MAX] = {
        // 1s 5s 1m 5m 15m 30m 1h 4h 1d 1w 1mo
        [PRC_RULE_PRICE_MOVE] = "11111111111",      [PRC_RULE_PRICE_MOVE_Z] = "11111111111",
        [PRC_RULE_VELOCITY] = "00110000000",        [PRC_RULE_VOLUME_SPIKE] = "11111111111",
        [PRC_RULE_REL_VOLUME] = "11111111111",      [PRC_RULE_GAP] = "11111111111",
        [PRC_RULE_VWAP_DEV] = "11111111000",        [PRC_RULE_VOL_REGIME] = "00100000000",
        [PRC_RULE_VOL_REGIME_ATR] = "00011111111",  [PRC_RULE_MARKET_REGIME] = "00011111111",
        [PRC_RULE_RSI_EXTREME] = "11111111111",     [PRC_RULE_MA_CROSS] = "00011111111",
        [PRC_RULE_MOMENTUM] = "00100000000",        [PRC_RULE_BOLLINGER_BREAK] = "00011111111",
        [PRC_RULE_NEW_52W] = "00000000100",         [PRC_RULE_MTF_CONFLUENCE] = "00111011100",
        [PRC_RULE_MULTI_SIGNAL] = "00100000000",    [PRC_RULE_NEWS_PRICE_LINK] = "00110000000",
        [PRC_RULE_PRICE_INTEGRITY] = "11111111111", [PRC_RULE_FEED_DISAGREE] = "11111111111",
        [PRC_RULE_LATE_DATA] = "11111111000",
    };
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++)
        for (int i = 0; i < PRC_RULE_INTERVALS; i++)
            assert_int_equal(triggers((enum prc_rule)r, (enum mf_interval)i, MF_ASSET_STOCK, 5000, 0, 0, 0),
                             wanted[r][i] == '1');
}

static void test_liquidity_and_silence(void **state)
{
    (void)state;
    static const struct {
        enum mf_asset_class asset_class;
        double mean_volume, close; // -1 = no 20 bars that traded
        bool liquid;
    } rows[] = {{MF_ASSET_STOCK, 1000, 1, true},       {MF_ASSET_STOCK, 999, 1, false},
                {MF_ASSET_STOCK, 1000, 0.99, false},   {MF_ASSET_STOCK, -1, 100, false},
                {MF_ASSET_OPTION, 999, 5, false},      {MF_ASSET_CRYPTO, 0.02, 60000, true},
                {MF_ASSET_CRYPTO, 0.01, 60000, false}, {MF_ASSET_FX, -1, 0.5, true},
                {MF_ASSET_INDEX, -1, 0.5, true}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++)
        assert_int_equal(triggers(PRC_RULE_PRICE_MOVE, MF_INTERVAL_1M, rows[i].asset_class,
                                  rows[i].mean_volume, rows[i].close, 0, 0),
                         rows[i].liquid);
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        enum prc_rule rule = (enum prc_rule)r;
        enum mf_interval interval = interval_of(rule);
        bool asks = rule != PRC_RULE_PRICE_INTEGRITY && rule != PRC_RULE_LATE_DATA;
        assert_true(triggers(rule, interval, MF_ASSET_STOCK, 5000, 0, 0, 0));
        assert_int_equal(triggers(rule, interval, MF_ASSET_STOCK, 10, 0, 0, 0), !asks);
        assert_true(triggers(rule, interval, MF_ASSET_FX, 10, 0, 0, 0));
        assert_false(triggers(rule, interval, MF_ASSET_STOCK, 5000, 0, MF_FLAG_WARMUP, 0));
        assert_false(triggers(rule, interval, MF_ASSET_STOCK, 5000, 0, 0, PRC_FROZEN_NO_RULES));
        assert_true(triggers(rule, interval, MF_ASSET_STOCK, 5000, 0, MF_FLAG_DELAYED, 0));
    }
}

static void test_crossings(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    config.thresholds[PRC_RULE_VOL_REGIME_ATR][MF_INTERVAL_1D] = (struct prc_thresholds){{2.5, 4, 0}};
    static const struct {
        enum prc_rule rule;
        double previous, now; // previous < 0 = none
        bool holds, fires;
        double threshold;
    } rows[] = {{PRC_RULE_RSI_EXTREME, 69, 71, true, true, 70},
                {PRC_RULE_RSI_EXTREME, 70, 72, true, false, 70},
                {PRC_RULE_RSI_EXTREME, 79, 81, true, true, 80},
                {PRC_RULE_RSI_EXTREME, 31, 29, true, true, 30},
                {PRC_RULE_RSI_EXTREME, 30, 28, true, false, 30},
                {PRC_RULE_RSI_EXTREME, 21, 20, true, true, 20},
                {PRC_RULE_RSI_EXTREME, 75, 25, true, true, 30},
                {PRC_RULE_RSI_EXTREME, -1, 90, true, false, 80},
                {PRC_RULE_RSI_EXTREME, 50, 69.9, false, false, 0},
                {PRC_RULE_VOL_REGIME_ATR, 2.4, 2.5, true, true, 2.5},
                {PRC_RULE_VOL_REGIME_ATR, 2.5, 3.9, true, false, 2.5},
                {PRC_RULE_VOL_REGIME_ATR, 3.9, 4, true, true, 4},
                {PRC_RULE_VOL_REGIME_ATR, 4.5, 3.9, true, false, 2.5},
                {PRC_RULE_VOL_REGIME_ATR, -1, 3.9, true, false, 2.5},
                {PRC_RULE_VOL_REGIME_ATR, 2.6, 2.4, false, false, 0}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        make(rows[i].rule, rows[i].now, &values, &bar);
        values.has_prev_rsi = values.has_prev_atr_pct = rows[i].previous >= 0;
        values.prev_rsi = values.prev_atr_pct = rows[i].previous;
        struct prc_verdict verdict =
            prc_rule_verdict(rows[i].rule, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK);
        assert_int_equal(verdict.holding, rows[i].holds);
        assert_int_equal(verdict.triggered, rows[i].fires);
        assert_true(!rows[i].holds || verdict.threshold == rows[i].threshold);
    }
}

static void test_volatility_regime(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    static const struct {
        uint8_t previous, now;
        double ratio;
        bool holds, fires;
        int severity, direction;
        double threshold;
    } volatility[] = {
        {PRC_VOL_NORMAL, PRC_VOL_ELEVATED, 1.6, true, true, INFO, MF_DIRECTION_UP, 1.5},
        {PRC_VOL_ELEVATED, PRC_VOL_HIGH, 2.5, true, true, WARNING, MF_DIRECTION_UP, 2},
        {PRC_VOL_HIGH, PRC_VOL_ELEVATED, 1.6, true, true, INFO, MF_DIRECTION_UP, 1.5},
        {PRC_VOL_HIGH, PRC_VOL_HIGH, 2.5, true, false, WARNING, MF_DIRECTION_UP, 2},
        {PRC_VOL_HIGH, PRC_VOL_LOW, 0.4, true, true, INFO, MF_DIRECTION_DOWN, 0.5},
        {PRC_VOL_LOW, PRC_VOL_LOW, 0.4, true, false, INFO, MF_DIRECTION_DOWN, 0.5},
        {PRC_VOL_LOW, PRC_VOL_NORMAL, 1, false, false, INFO, MF_DIRECTION_NONE, 0},
        {PRC_VOL_NONE, PRC_VOL_HIGH, 2.5, true, false, WARNING, MF_DIRECTION_UP, 2},
        {PRC_VOL_NORMAL, PRC_VOL_NONE, 0, false, false, INFO, MF_DIRECTION_NONE, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(volatility); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        values.vol_regime = volatility[i].now;
        values.prev_vol_regime = volatility[i].previous;
        values.vol_ratio = volatility[i].ratio;
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_VOL_REGIME, &config, &values, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK);
        assert_int_equal(verdict.known, volatility[i].now != PRC_VOL_NONE);
        assert_int_equal(verdict.holding, volatility[i].holds);
        assert_int_equal(verdict.triggered, volatility[i].fires);
        assert_int_equal(verdict.direction, volatility[i].direction);
        if (volatility[i].holds) {
            assert_int_equal(verdict.severity, volatility[i].severity);
            assert_true(verdict.threshold == volatility[i].threshold);
        }
    }
    // Info off: LOW has no severity left.
    config.thresholds[PRC_RULE_VOL_REGIME][MF_INTERVAL_1M].level[INFO] = 0;
    assert_false(judge(PRC_RULE_VOL_REGIME, &config, 0.4).triggered);
    assert_true(judge(PRC_RULE_VOL_REGIME, &config, 2.4).triggered);
    assert_false(judge(PRC_RULE_VOL_REGIME, &config, 1.6).triggered);
}

static void test_market_regime(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    static const struct {
        uint8_t previous, now;
        bool fires;
        int direction;
        double value, threshold;
    } market[] = {
        {PRC_MARKET_RANGE, PRC_MARKET_TREND_UP, true, MF_DIRECTION_UP, 31, 25},
        {PRC_MARKET_TREND_UP, PRC_MARKET_TREND_DOWN, true, MF_DIRECTION_DOWN, 31, 25},
        {PRC_MARKET_TREND_UP, PRC_MARKET_VOLATILE, true, MF_DIRECTION_NONE, 3.1, 2.5},
        {PRC_MARKET_VOLATILE, PRC_MARKET_RANGE, true, MF_DIRECTION_NONE, 31, 20},
        {PRC_MARKET_RANGE, PRC_MARKET_RANGE, false, 0, 0, 0},
        {PRC_MARKET_NONE, PRC_MARKET_TREND_UP, false, 0, 0, 0},
        {PRC_MARKET_RANGE, PRC_MARKET_NONE, false, 0, 0, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(market); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        values.market_regime = market[i].now;
        values.prev_market_regime = market[i].previous;
        set(&values, MF_METRIC_FIELD_ADX_14, 31);
        values.atr_pct = 3.1;
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_MARKET_REGIME, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK);
        assert_int_equal(verdict.holding, market[i].fires); // holds on the bar of the change only
        assert_int_equal(verdict.triggered, market[i].fires);
        if (!market[i].fires)
            continue;
        assert_int_equal(verdict.direction, market[i].direction);
        assert_true(verdict.value == market[i].value && verdict.threshold == market[i].threshold);
    }
}

static void test_moving_averages_cross(void **state)
{
    (void)state;
    static const struct {
        int8_t cross[3];
        double on[3];
        int severity, direction;
    } rows[] = {
        {{1, 0, 0}, {1, 1, 1}, INFO, MF_DIRECTION_UP},
        {{0, -1, 0}, {1, 1, 1}, WARNING, MF_DIRECTION_DOWN},
        {{1, -1, 0}, {1, 1, 1}, WARNING, MF_DIRECTION_DOWN},
        {{1, -1, 1}, {1, 1, 1}, CRITICAL, MF_DIRECTION_UP},
        {{1, -1, 1}, {1, 1, 0}, WARNING, MF_DIRECTION_DOWN},
        {{1, -1, 1}, {1, 0, 0}, INFO, MF_DIRECTION_UP},
        {{1, -1, 1}, {0, 0, 0}, NONE, MF_DIRECTION_NONE},
        {{0, 0, 0}, {1, 1, 1}, NONE, MF_DIRECTION_NONE},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_rule_config config = default_rules();
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        set(&values, MF_METRIC_FIELD_SMA_20, 20);
        for (int p = 0; p < 3; p++) {
            config.thresholds[PRC_RULE_MA_CROSS][MF_INTERVAL_1D].level[p] = rows[i].on[p];
            values.ma_cross[p] = rows[i].cross[p];
            values.ma_fast[p] = 10 + p;
            values.ma_slow[p] = 20 + p;
        }
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_MA_CROSS, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK);
        assert_int_equal(verdict.triggered, rows[i].severity != NONE);
        assert_int_equal(verdict.holding, verdict.triggered);
        assert_int_equal(verdict.direction, rows[i].direction);
        if (verdict.triggered) {
            assert_int_equal(verdict.severity, rows[i].severity);
            assert_true(verdict.value == 10 + rows[i].severity && verdict.threshold == 20 + rows[i].severity);
        }
    }
}

static void test_momentum_and_its_company(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    struct prc_bar bar = bar_at(1);
    static const struct {
        uint8_t previous, now;
        bool holds, fires;
    } turns[] = {{PRC_MOMENTUM_NEUTRAL, PRC_MOMENTUM_BULLISH, true, true},
                 {PRC_MOMENTUM_BULLISH, PRC_MOMENTUM_BEARISH, true, true},
                 {PRC_MOMENTUM_BULLISH, PRC_MOMENTUM_BULLISH, true, false},
                 {PRC_MOMENTUM_NONE, PRC_MOMENTUM_BULLISH, true, false},
                 {PRC_MOMENTUM_BULLISH, PRC_MOMENTUM_NEUTRAL, false, false}};
    for (size_t i = 0; i < MF_ARRAY_LEN(turns); i++) {
        struct prc_values values = liquid();
        values.prev_momentum = turns[i].previous;
        values.momentum = turns[i].now;
        values.momentum_delta = turns[i].now == PRC_MOMENTUM_BEARISH ? -25 : 20;
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_MOMENTUM, &config, &values, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK);
        assert_int_equal(verdict.holding, turns[i].holds);
        assert_int_equal(verdict.triggered, turns[i].fires);
        assert_true(verdict.value == (turns[i].now == PRC_MOMENTUM_BEARISH ? -20 : 25)); // of 125 and of 80
    }
    static const struct {
        uint8_t momentum, regime;
        double z, spike; // spike: the lowest threshold of volume_spike, 0 = all off
        bool fires;
    } rows[] = {{PRC_MOMENTUM_BULLISH, PRC_VOL_ELEVATED, 2, 2, true},
                {PRC_MOMENTUM_BEARISH, PRC_VOL_HIGH, 2, 2, true},
                {PRC_MOMENTUM_NEUTRAL, PRC_VOL_HIGH, 9, 2, false},
                {PRC_MOMENTUM_BULLISH, PRC_VOL_NORMAL, 9, 2, false},
                {PRC_MOMENTUM_BULLISH, PRC_VOL_LOW, 9, 2, false},
                {PRC_MOMENTUM_BULLISH, PRC_VOL_HIGH, 1.9, 2, false},
                {PRC_MOMENTUM_BULLISH, PRC_VOL_HIGH, 1.9, 1.8, true},
                {PRC_MOMENTUM_BULLISH, PRC_VOL_HIGH, 9, 0, false}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_values values = liquid();
        values.momentum = rows[i].momentum;
        values.vol_regime = rows[i].regime;
        set(&values, MF_METRIC_FIELD_VOLUME_Z_20, rows[i].z);
        config.thresholds[PRC_RULE_VOLUME_SPIKE][MF_INTERVAL_1M] =
            (struct prc_thresholds){{0, rows[i].spike}};
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_MULTI_SIGNAL, &config, &values, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK);
        assert_true(verdict.known);
        assert_int_equal(verdict.triggered, rows[i].fires);
        if (rows[i].fires) {
            assert_int_equal(verdict.severity, CRITICAL);
            assert_true(verdict.threshold == rows[i].spike && verdict.value == rows[i].z);
            assert_int_equal(verdict.direction,
                             rows[i].momentum == PRC_MOMENTUM_BULLISH ? MF_DIRECTION_UP : MF_DIRECTION_DOWN);
        }
    }
}

static struct prc_verdict judge_bar(enum prc_rule rule, const struct prc_values *values,
                                    const struct prc_bar *bar)
{
    struct prc_rule_config config = default_rules();
    return prc_rule_verdict(rule, &config, values, bar, interval_of(rule), MF_ASSET_STOCK);
}

static bool known(enum prc_rule rule, const struct prc_values *values, const struct prc_bar *bar)
{
    return judge_bar(rule, values, bar).known;
}

// What takes a measure's meaning away.
static void test_what_cannot_be_known(void **state)
{
    (void)state;
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        assert_false(known((enum prc_rule)r, &values, &bar)); // nothing is there
        make((enum prc_rule)r, strong((enum prc_rule)r), &values, &bar);
        assert_true(known((enum prc_rule)r, &values, &bar));
        values.prev_same_session = false;
        bool crosses = r != PRC_RULE_PRICE_MOVE && r != PRC_RULE_PRICE_MOVE_Z;
        assert_int_equal(known((enum prc_rule)r, &values, &bar), crosses);
    }
    struct prc_values values = liquid();
    struct prc_bar bar = bar_at(1);
    make(PRC_RULE_MTF_CONFLUENCE, 90, &values, &bar);
    values.mtf_count = 2;
    assert_false(known(PRC_RULE_MTF_CONFLUENCE, &values, &bar));
    values.mtf_count = 3;
    bar.frozen.bits = PRC_FROZEN_FINER_WARM;
    assert_false(known(PRC_RULE_MTF_CONFLUENCE, &values, &bar));
    make(PRC_RULE_BOLLINGER_BREAK, 3, &values, &bar);
    values.bb_sd = 0;
    assert_false(known(PRC_RULE_BOLLINGER_BREAK, &values, &bar));
    bar = bar_at(1);
    make(PRC_RULE_PRICE_INTEGRITY, 3, &values, &bar);
    bar.frozen.bits = PRC_FROZEN_SPLIT_DAY;
    struct prc_rule_config config = default_rules();
    assert_false(
        prc_rule_verdict(PRC_RULE_PRICE_INTEGRITY, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK)
            .holding);
    values.velocity_base = 0.0625; // a price may be tiny
    bar.close = 0.125;
    assert_true(judge_bar(PRC_RULE_VELOCITY, &values, &bar).value == 100);
    make(PRC_RULE_NEW_52W, 1, &values, &bar); // a high and a low at once: the high speaks
    bar.low = 1;
    assert_int_equal(
        prc_rule_verdict(PRC_RULE_NEW_52W, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK).direction,
        MF_DIRECTION_UP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_to_the_last_digit),
        cmocka_unit_test(test_default_thresholds),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_liquidity_and_silence),
        cmocka_unit_test(test_crossings),
        cmocka_unit_test(test_volatility_regime),
        cmocka_unit_test(test_market_regime),
        cmocka_unit_test(test_moving_averages_cross),
        cmocka_unit_test(test_momentum_and_its_company),
        cmocka_unit_test(test_what_cannot_be_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
