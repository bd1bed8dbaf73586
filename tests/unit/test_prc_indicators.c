// SPDX-License-Identifier: Apache-2.0
// Indicators: against figures of an independent implementation, at their first bars, and where a definition
// has an edge.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "prc_figures.h"
#include "services/processor/indicators.h"

#define BARS 310

struct history {
    size_t count;
    struct prc_bar bars[BARS];
    double closes[BARS], volumes[BARS], highs[BARS], lows[BARS], past[BARS];
    struct prc_values values[BARS];
    struct prc_indicator_state state;
};

// Folds the next bar; with_past: what earlier bars came to is handed in instead of worked out again.
static struct prc_values *fold(struct history *h, const struct prc_bar *bar, enum mf_interval interval,
                               enum mf_asset_class asset_class, bool with_past)
{
    size_t i = h->count++, reach = interval == MF_INTERVAL_1D ? PRC_LOOKBACK_DAILY : PRC_LOOKBACK;
    size_t from = i > reach ? i - reach : 0;
    assert_true(i < BARS);
    h->bars[i] = *bar;
    h->closes[i] = bar->close, h->volumes[i] = bar->volume, h->highs[i] = bar->high, h->lows[i] = bar->low;
    bool daily = interval == MF_INTERVAL_1D;
    struct prc_window window = {.closes = h->closes + from,
                                .volumes = h->volumes + from,
                                .highs = daily ? h->highs + from : NULL,
                                .lows = daily ? h->lows + from : NULL,
                                .count = i - from + 1,
                                .history = with_past ? h->past + from : NULL};
    struct prc_indicator_state before = h->state;
    memset(&h->values[i], 0xAA, sizeof h->values[i]); // nothing of an earlier bar may shine through
    prc_indicators_step(&before, &window, bar, interval, asset_class, &h->state, &h->values[i]);
    if (prc_history_kept(interval))
        h->past[i] = prc_history_of(&h->values[i], interval);
    return &h->values[i];
}

static struct history *new_history(void)
{
    struct history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    return h;
}

// The bars that the figures are about. Whole cents and shares; some bars did not trade, some have no vwap.
static void make_figure_bars(struct prc_bar *bars, size_t count)
{
    uint32_t x = 20240102;
    int cents = 15000;
    for (size_t i = 0; i < count; i++) {
        x = (x * UINT32_C(1103515245) + 12345) & 0x7fffffff;
        int open = cents, close = cents + ((int)((x >> 8) % 201) - 98) * (1 + (int)(i / 41 % 4));
        x = (x * UINT32_C(1103515245) + 12345) & 0x7fffffff;
        int high = (open > close ? open : close) + (int)((x >> 9) % 40);
        int low = (open < close ? open : close) - (int)((x >> 15) % 40);
        x = (x * UINT32_C(1103515245) + 12345) & 0x7fffffff;
        int middle = (high + low) / 2;
        double volume = (x >> 7) % 11 == 0 ? 0 : 1000 + (x >> 10) % 5000;
        bars[i] = (struct prc_bar){.time_us = (int64_t)i * MF_US_PER_MINUTE,
                                   .end_us = (int64_t)(i + 1) * MF_US_PER_MINUTE,
                                   .open = open / 100.0,
                                   .high = high / 100.0,
                                   .low = low / 100.0,
                                   .close = close / 100.0,
                                   .volume = volume,
                                   .has_vwap = i % 3 != 0,
                                   .vwap = middle / 100.0,
                                   .session = MF_SESSION_REGULAR,
                                   .session_day = (int32_t)(i / 60)};
        cents = close;
    }
}

static void check_figures(const struct figures *wanted, const struct prc_values *values)
{
    uint64_t present = 0;
    for (size_t f = 0; f < wanted->count; f++) {
        const struct figure *item = &wanted->items[f];
        present |= UINT64_C(1) << item->field;
        assert_true(prc_has(values, item->field));
        // The same operations in the same order: the last bit agrees, not only the last digit.
        if (values->v[item->field] != item->value)
            fail_msg("bar %zu %s: %.17g, not %.17g", wanted->bar, mf_metric_field_names[item->field],
                     values->v[item->field], item->value);
    }
    assert_int_equal(values->present, present);
    assert_int_equal(values->vol_regime, wanted->vol_regime);
    assert_int_equal(values->market_regime, wanted->market_regime);
    assert_true(values->has_move_z && values->move_z == wanted->move_z);
    assert_int_equal(values->has_squeeze && values->squeeze, wanted->squeeze);
}

static void test_figures(void **state)
{
    (void)state;
    static struct prc_bar bars[300];
    make_figure_bars(bars, 300);
    for (int with_past = 0; with_past < 2; with_past++)
        for (size_t row = 0; row < MF_ARRAY_LEN(figures); row++) {
            const struct figures *wanted = &figures[row];
            struct history *h = new_history();
            for (size_t i = 0; i < wanted->bar; i++)
                fold(h, &bars[i], wanted->interval, MF_ASSET_STOCK, with_past != 0);
            check_figures(wanted, &h->values[wanted->bar - 1]);
            free(h);
        }
}

// First bar of every field per interval; 0 = never.
static const struct {
    enum mf_metric_field field;
    size_t minute, hour, day;
} first_bars[] = {
    {MF_METRIC_FIELD_RET_1, 2, 2, 2},
    {MF_METRIC_FIELD_VOLUME_MEAN_20, 21, 21, 21},
    {MF_METRIC_FIELD_VOLUME_SD_20, 21, 21, 21},
    {MF_METRIC_FIELD_VOLUME_Z_20, 21, 21, 21},
    {MF_METRIC_FIELD_REL_VOLUME_20, 21, 21, 21},
    {MF_METRIC_FIELD_VOLATILITY_20, 21, 21, 21},
    {MF_METRIC_FIELD_VOLATILITY_ANN_PCT, 21, 21, 21},
    {MF_METRIC_FIELD_SMA_5, 5, 5, 5},
    {MF_METRIC_FIELD_SMA_10, 10, 10, 10},
    {MF_METRIC_FIELD_SMA_20, 20, 20, 20},
    {MF_METRIC_FIELD_SMA_50, 50, 50, 50},
    {MF_METRIC_FIELD_SMA_200, 0, 0, 200},
    {MF_METRIC_FIELD_EMA_12, 12, 12, 12},
    {MF_METRIC_FIELD_EMA_20, 20, 20, 20},
    {MF_METRIC_FIELD_EMA_26, 26, 26, 26},
    {MF_METRIC_FIELD_RSI_14, 15, 15, 15},
    {MF_METRIC_FIELD_MACD, 26, 26, 26},
    {MF_METRIC_FIELD_MACD_SIGNAL, 34, 34, 34},
    {MF_METRIC_FIELD_MACD_HIST, 34, 34, 34},
    {MF_METRIC_FIELD_BB_MID, 20, 20, 20},
    {MF_METRIC_FIELD_BB_UP, 20, 20, 20},
    {MF_METRIC_FIELD_BB_LOW, 20, 20, 20},
    {MF_METRIC_FIELD_ATR_14, 15, 15, 15},
    {MF_METRIC_FIELD_ADX_14, 28, 28, 28},
    {MF_METRIC_FIELD_PLUS_DI_14, 15, 15, 15},
    {MF_METRIC_FIELD_MINUS_DI_14, 15, 15, 15},
    {MF_METRIC_FIELD_VWAP_SESSION, 1, 1, 0},
    {MF_METRIC_FIELD_VWAP_DEV_PCT, 1, 1, 0},
    {MF_METRIC_FIELD_MOMENTUM_10, 11, 11, 11},
    {MF_METRIC_FIELD_ROC_10, 11, 11, 11},
    {MF_METRIC_FIELD_HIGH_52W, 0, 0, 252},
    {MF_METRIC_FIELD_LOW_52W, 0, 0, 252},
    {MF_METRIC_FIELD_POSITION_52W_PCT, 0, 0, 252},
    {MF_METRIC_FIELD_MA_15M, 15, 0, 0},
    {MF_METRIC_FIELD_MA_1H, 60, 0, 0},
    {MF_METRIC_FIELD_VOLATILITY_15M, 16, 0, 0},
    {MF_METRIC_FIELD_VOLUME_SUM_15M, 15, 0, 0},
    {MF_METRIC_FIELD_MTF_STRENGTH, 50, 50, 50},
};

// The same bars, all of which traded.
static void make_traded_bars(struct prc_bar *bars, size_t count)
{
    make_figure_bars(bars, count);
    for (size_t i = 0; i < count; i++)
        bars[i].volume += 10;
}

static void test_first_bars(void **state)
{
    (void)state;
    static const enum mf_interval intervals[] = {MF_INTERVAL_1M, MF_INTERVAL_1H, MF_INTERVAL_1D};
    static const size_t warm[] = {76, 50, 252}, vol_regime[] = {76, 0, 0}, squeeze[] = {0, 0, 139};
    static struct prc_bar bars[300];
    make_traded_bars(bars, 300);
    assert_int_equal(MF_ARRAY_LEN(first_bars), MF_METRIC_FIELD_MAX); // none is forgotten
    for (size_t t = 0; t < MF_ARRAY_LEN(intervals); t++) {
        struct history *h = new_history();
        for (size_t bar = 1; bar <= 300; bar++) {
            const struct prc_values *v = fold(h, &bars[bar - 1], intervals[t], MF_ASSET_STOCK, true);
            for (size_t f = 0; f < MF_ARRAY_LEN(first_bars); f++) {
                size_t first = t == 0   ? first_bars[f].minute
                               : t == 1 ? first_bars[f].hour
                                        : first_bars[f].day;
                assert_int_equal(prc_has(v, first_bars[f].field), first != 0 && bar >= first);
            }
            assert_int_equal(v->warm, bar >= warm[t]);
            assert_int_equal(v->vol_regime != PRC_VOL_NONE, vol_regime[t] != 0 && bar >= vol_regime[t]);
            assert_int_equal(v->market_regime != PRC_MARKET_NONE, bar >= 28);
            assert_int_equal(v->momentum != PRC_MOMENTUM_NONE, t == 0 && bar >= 60);
            assert_int_equal(v->has_move_z, bar >= 22);
            assert_int_equal(v->has_squeeze, squeeze[t] != 0 && bar >= squeeze[t]);
            assert_int_equal(v->has_prev_52w, t == 2 && bar >= 253);
            assert_int_equal(v->has_bb, bar >= 20);
            assert_int_equal(v->has_prev_rsi, bar >= 16);
            assert_int_equal(v->has_atr_pct, bar >= 15);
            assert_int_equal(v->has_prev_atr_pct, bar >= 16);
            assert_int_equal(v->has_prev_close, bar >= 2);
        }
        free(h);
    }
}

static struct prc_bar flat_bar(size_t i, double close)
{
    return (struct prc_bar){.time_us = (int64_t)i * MF_US_PER_MINUTE,
                            .end_us = (int64_t)(i + 1) * MF_US_PER_MINUTE,
                            .open = close,
                            .high = close,
                            .low = close,
                            .close = close,
                            .volume = 1000,
                            .session = MF_SESSION_REGULAR};
}

static struct history *climb(double step, size_t count, enum mf_interval interval)
{
    struct history *h = new_history();
    for (size_t i = 0; i < count; i++) {
        struct prc_bar bar = flat_bar(i, 100 + step * (double)i);
        fold(h, &bar, interval, MF_ASSET_STOCK, true);
    }
    return h;
}

static void test_rsi_without_losses_is_100_and_without_changes_50(void **state)
{
    (void)state;
    static const struct {
        double step, rsi, plus, minus;
        enum prc_market_regime regime;
    } rows[] = {{1, 100, 100, 0, PRC_MARKET_TREND_UP},
                {-1, 0, 0, 100, PRC_MARKET_TREND_DOWN},
                {0, 50, 0, 0, PRC_MARKET_RANGE}};
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct history *h = climb(rows[r].step, 40, MF_INTERVAL_1H);
        const struct prc_values *v = &h->values[39];
        assert_true(v->v[MF_METRIC_FIELD_RSI_14] == rows[r].rsi);
        // Every range is one change of one: each directional sum equals that of the ranges, or is nothing.
        assert_true(v->v[MF_METRIC_FIELD_ATR_14] == fabs(rows[r].step));
        assert_true(v->v[MF_METRIC_FIELD_PLUS_DI_14] == rows[r].plus);
        assert_true(v->v[MF_METRIC_FIELD_MINUS_DI_14] == rows[r].minus);
        assert_true(v->v[MF_METRIC_FIELD_ADX_14] == (rows[r].step != 0 ? 100 : 0));
        assert_int_equal(v->market_regime, rows[r].regime);
        free(h);
    }
}

// A flat series divides by nothing: no z, no ratio of ranges, a regime of volatility that is absent.
static void test_flat_series(void **state)
{
    (void)state;
    struct history *h = climb(0, 300, MF_INTERVAL_1D);
    const struct prc_values *v = &h->values[299];
    assert_false(prc_has(v, MF_METRIC_FIELD_VOLUME_Z_20)); // equal volumes: sd 0
    assert_true(v->v[MF_METRIC_FIELD_VOLUME_SD_20] == 0 && v->v[MF_METRIC_FIELD_REL_VOLUME_20] == 1);
    assert_true(prc_has(v, MF_METRIC_FIELD_HIGH_52W) && !prc_has(v, MF_METRIC_FIELD_POSITION_52W_PCT));
    assert_true(v->v[MF_METRIC_FIELD_MTF_STRENGTH] == 0 && v->mtf_warm && v->mtf_sign == 0);
    assert_false(v->has_move_z);
    assert_true(v->squeeze && v->bb_width == 0); // the narrowest of equals
    assert_true(v->warm);
    free(h);
    h = climb(0, 100, MF_INTERVAL_1M);
    assert_int_equal(h->values[99].vol_regime, PRC_VOL_NONE);
    assert_int_equal(h->values[99].momentum, PRC_MOMENTUM_NEUTRAL);
    assert_true(h->values[99].warm);
    free(h);
}

// Twenty times 0.3 is not 6 in binary: equal fractions have no deviation either, and what an event cannot
// carry is left out.
static void test_equal_fractions_of_volume(void **state)
{
    (void)state;
    struct history *h = new_history();
    for (size_t i = 0; i < 22; i++) {
        struct prc_bar bar = flat_bar(i, i < 21 ? 1e-8 : 1e15);
        bar.volume = i < 21 ? 0.3 : 5;
        fold(h, &bar, MF_INTERVAL_1M, MF_ASSET_CRYPTO, true);
    }
    const struct prc_values *v = &h->values[21];
    assert_true(v->v[MF_METRIC_FIELD_VOLUME_SD_20] == 0);
    assert_false(prc_has(v, MF_METRIC_FIELD_VOLUME_Z_20));
    assert_true(prc_has(v, MF_METRIC_FIELD_REL_VOLUME_20));
    assert_false(prc_has(v, MF_METRIC_FIELD_RET_1)); // 1e23
    free(h);
}

// Bars that did not trade are left out of the baseline, which reaches 76 bars back and no further.
static void test_volume_baseline_skips_bars_that_did_not_trade(void **state)
{
    (void)state;
    struct history *h = new_history();
    for (size_t i = 0; i < 200; i++) {
        struct prc_bar bar = flat_bar(i, 100);
        bar.volume = i % 4 == 0 ? 100 + (double)i : 0;
        if (i > 100)
            bar.volume = 0;
        fold(h, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, true);
    }
    // Every fourth bar: the 20th is index 76, and the bar after it reaches back to index 1, to 19 of them.
    assert_false(prc_has(&h->values[76], MF_METRIC_FIELD_VOLUME_MEAN_20));
    assert_false(prc_has(&h->values[77], MF_METRIC_FIELD_VOLUME_MEAN_20));
    assert_false(prc_has(&h->values[77], MF_METRIC_FIELD_VOLUME_Z_20));
    free(h);
    h = new_history();
    for (size_t i = 0; i < 200; i++) {
        struct prc_bar bar = flat_bar(i, 100);
        bar.volume = i % 3 == 0 ? 100 + (double)i : 0;
        if (i > 90)
            bar.volume = 0;
        fold(h, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, true);
    }
    const struct prc_values *v = &h->values[78]; // indices 18, 21, …, 75: mean volume 146.5
    assert_true(v->v[MF_METRIC_FIELD_VOLUME_MEAN_20] == 146.5 && v->volume_n == 20);
    assert_true(v->v[MF_METRIC_FIELD_REL_VOLUME_20] == 178 / 146.5);
    assert_false(prc_has(&h->values[79], MF_METRIC_FIELD_REL_VOLUME_20)); // did not trade itself
    assert_true(prc_has(&h->values[79], MF_METRIC_FIELD_VOLUME_MEAN_20));
    assert_false(prc_has(&h->values[199], MF_METRIC_FIELD_VOLUME_MEAN_20)); // nothing for 100 bars
    assert_false(h->values[199].warm);
    free(h);
}

static void test_vwap_is_anchored_per_session(void **state)
{
    (void)state;
    static const struct {
        int32_t day;
        enum mf_session session;
        double volume, vwap; // 0 = none of its own
        double expected;     // 0 = absent
        bool proxy;
    } rows[] = {
        {1, MF_SESSION_PRE, 0, 0, 0, false},          {1, MF_SESSION_PRE, 10, 0, 102, true},
        {1, MF_SESSION_REGULAR, 10, 100, 100, false}, {1, MF_SESSION_REGULAR, 30, 104, 103, false},
        {1, MF_SESSION_REGULAR, 0, 500, 103, false},  {1, MF_SESSION_REGULAR, 40, 0, 102.5, true},
        {1, MF_SESSION_POST, 0, 0, 0, false},         {2, MF_SESSION_POST, 5, 7, 7, false},
    };
    struct history *h = new_history();
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct prc_bar bar = flat_bar(r, 101);
        bar.high = 105, bar.low = 100; // typical price 102
        bar.session_day = rows[r].day, bar.session = rows[r].session, bar.volume = rows[r].volume;
        bar.has_vwap = rows[r].vwap != 0, bar.vwap = rows[r].vwap;
        const struct prc_values *v = fold(h, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, true);
        assert_int_equal(prc_has(v, MF_METRIC_FIELD_VWAP_SESSION), rows[r].expected != 0);
        assert_int_equal(prc_has(v, MF_METRIC_FIELD_VWAP_DEV_PCT), rows[r].expected != 0);
        assert_int_equal(v->proxy_vwap, rows[r].proxy);
        if (rows[r].expected == 0)
            continue;
        assert_true(v->v[MF_METRIC_FIELD_VWAP_SESSION] == rows[r].expected);
        assert_true(v->v[MF_METRIC_FIELD_VWAP_DEV_PCT] == (101 - rows[r].expected) / rows[r].expected * 100);
    }
    free(h);
}

static void test_gap_only_on_the_first_regular_bar(void **state)
{
    (void)state;
    static const struct {
        int32_t day;
        enum mf_session session;
        double open, close, gap;
        bool has;
    } rows[] = {
        {1, MF_SESSION_REGULAR, 99, 100, 0, false},
        {1, MF_SESSION_POST, 100, 150, 0, false},
        {2, MF_SESSION_PRE, 200, 90, 0, false},
        {2, MF_SESSION_REGULAR, 110, 80, 110.0 / 100 * 100 - 100, true},
        {2, MF_SESSION_REGULAR, 60, 80, 0, false},
        {3, MF_SESSION_REGULAR, 60, 60, -25, true},
    };
    for (int stock = 0; stock < 2; stock++) {
        struct history *h = new_history();
        for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
            struct prc_bar bar = flat_bar(r, rows[r].close);
            bar.open = rows[r].open, bar.session_day = rows[r].day, bar.session = rows[r].session;
            const struct prc_values *v =
                fold(h, &bar, MF_INTERVAL_5M, stock ? MF_ASSET_STOCK : MF_ASSET_CRYPTO, true);
            assert_int_equal(v->has_gap, stock && rows[r].has); // a market without sessions has no opening
            if (v->has_gap)
                assert_true(fabs(v->gap_pct - rows[r].gap) < 1e-9);
            bool same = r > 0 && rows[r - 1].day == rows[r].day && rows[r - 1].session == rows[r].session;
            assert_int_equal(v->prev_same_session, r > 0 && (same || !stock));
        }
        free(h);
    }
}

static void test_periods_per_year(void **state)
{
    (void)state;
    static const struct {
        enum mf_interval interval;
        enum mf_asset_class asset_class;
        double periods;
    } rows[] = {
        {MF_INTERVAL_1D, MF_ASSET_STOCK, 252},   {MF_INTERVAL_1D, MF_ASSET_INDEX, 252},
        {MF_INTERVAL_1D, MF_ASSET_OPTION, 252},  {MF_INTERVAL_1D, MF_ASSET_CRYPTO, 365},
        {MF_INTERVAL_1D, MF_ASSET_FX, 260},      {MF_INTERVAL_1M, MF_ASSET_STOCK, 98280},
        {MF_INTERVAL_5M, MF_ASSET_STOCK, 19656}, {MF_INTERVAL_1H, MF_ASSET_CRYPTO, 8760},
        {MF_INTERVAL_15M, MF_ASSET_FX, 24960},   {MF_INTERVAL_1S, MF_ASSET_CRYPTO, 31536000},
        {MF_INTERVAL_1W, MF_ASSET_STOCK, 0},     {MF_INTERVAL_1MO, MF_ASSET_FX, 0},
    };
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++)
        assert_true(fabs(prc_periods_per_year(rows[r].interval, rows[r].asset_class) - rows[r].periods) <
                    1e-6 * (rows[r].periods + 1));
}

static void test_mtf_adds_what_was_frozen(void **state)
{
    (void)state;
    static const struct {
        enum mf_interval interval;
        double step;
        int8_t signed_sum;
        uint8_t weight, count;
        double expected; // NAN = absent
        unsigned intervals;
    } rows[] = {
        {MF_INTERVAL_1H, 1, 0, 0, 0, 100, 1},    {MF_INTERVAL_1H, 1, -40, 40, 1, -2500.0 / 55, 2},
        {MF_INTERVAL_1D, -1, 60, 60, 5, 20, 6},  {MF_INTERVAL_4H, 0, 15, 15, 2, 1500.0 / 40, 3},
        {MF_INTERVAL_30M, 1, 40, 40, 1, NAN, 0}, {MF_INTERVAL_1S, 1, 40, 40, 1, NAN, 0},
    };
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct history *h = climb(rows[r].step, 59, rows[r].interval);
        struct prc_bar bar = flat_bar(59, 100 + rows[r].step * 59);
        bar.frozen = (struct prc_frozen){
            .mtf_signed = rows[r].signed_sum, .mtf_weight = rows[r].weight, .mtf_count = rows[r].count};
        const struct prc_values *v = fold(h, &bar, rows[r].interval, MF_ASSET_STOCK, true);
        assert_int_equal(prc_has(v, MF_METRIC_FIELD_MTF_STRENGTH), !isnan(rows[r].expected));
        assert_int_equal(v->mtf_count, rows[r].intervals);
        if (!isnan(rows[r].expected))
            assert_true(v->v[MF_METRIC_FIELD_MTF_STRENGTH] == rows[r].expected);
        free(h);
    }
    struct history *cold = new_history(); // not warm itself: the others speak alone
    struct prc_bar bar = flat_bar(0, 100);
    bar.frozen = (struct prc_frozen){.mtf_signed = -20, .mtf_weight = 40, .mtf_count = 2};
    const struct prc_values *v = fold(cold, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, true);
    assert_true(v->v[MF_METRIC_FIELD_MTF_STRENGTH] == -50 && v->mtf_count == 2 && !v->mtf_warm);
    free(cold);
}

// A cross is reported once, on the bar on which the sign turned; touching is no turn.
static void test_crosses(void **state)
{
    (void)state;
    struct history *h = new_history();
    size_t crosses[2] = {0, 0};
    int8_t last = 0;
    for (size_t i = 0; i < 300; i++) {
        double close = 100 + (i / 40 % 2 == 0 ? 1 : -1) * (double)(i % 40);
        struct prc_bar bar = flat_bar(i, close);
        const struct prc_values *v = fold(h, &bar, MF_INTERVAL_1H, MF_ASSET_STOCK, true);
        assert_int_equal(v->ma_cross[PRC_MA_50_200], 0);
        if (i + 1 < 20)
            continue;
        double distance = v->v[MF_METRIC_FIELD_SMA_5] - v->v[MF_METRIC_FIELD_SMA_20];
        int8_t sign = (int8_t)((distance > 0) - (distance < 0));
        int8_t expected = sign != 0 && last != 0 && sign != last ? sign : 0;
        assert_int_equal(v->ma_cross[PRC_MA_5_20], expected);
        assert_true(v->ma_fast[PRC_MA_5_20] == v->v[MF_METRIC_FIELD_SMA_5]);
        if (expected != 0)
            crosses[expected > 0]++;
        last = sign != 0 ? sign : last;
    }
    assert_true(crosses[0] >= 3 && crosses[1] >= 3);
    free(h);
}

// A quarter of an hour ten times as lively, or as dull, as the hour before it.
static void test_vol_regimes(void **state)
{
    (void)state;
    static const struct {
        double size; // of the last 15 returns, of those before it 0.01
        enum prc_vol_regime regime;
    } rows[] = {{0.1, PRC_VOL_HIGH},     {0.021, PRC_VOL_HIGH},   {0.017, PRC_VOL_ELEVATED},
                {0.014, PRC_VOL_NORMAL}, {0.006, PRC_VOL_NORMAL}, {0.004, PRC_VOL_LOW}};
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct history *h = new_history();
        double close = 100;
        for (size_t i = 0; i < 91; i++) {
            double size = i < 76 ? 0.01 : rows[r].size;
            close *= 1 + (i % 2 == 0 ? size : -size);
            struct prc_bar bar = flat_bar(i, close);
            fold(h, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, true);
        }
        assert_int_equal(h->values[90].vol_regime, rows[r].regime);
        assert_true(fabs(h->values[90].vol_ratio - rows[r].size / 0.01) < 0.01 * rows[r].size / 0.01);
        assert_int_equal(h->values[75].vol_regime, PRC_VOL_NORMAL);
        free(h);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_null(prc_vol_regime_name(PRC_VOL_NONE));
    assert_string_equal(prc_vol_regime_name(PRC_VOL_ELEVATED), "ELEVATED");
    assert_string_equal(prc_vol_regime_name(PRC_VOL_HIGH), "HIGH");
    assert_null(prc_market_regime_name(PRC_MARKET_NONE));
    assert_string_equal(prc_market_regime_name(PRC_MARKET_RANGE), "range");
    assert_string_equal(prc_market_regime_name(PRC_MARKET_TREND_DOWN), "trend_down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_first_bars),
        cmocka_unit_test(test_rsi_without_losses_is_100_and_without_changes_50),
        cmocka_unit_test(test_flat_series),
        cmocka_unit_test(test_equal_fractions_of_volume),
        cmocka_unit_test(test_volume_baseline_skips_bars_that_did_not_trade),
        cmocka_unit_test(test_vwap_is_anchored_per_session),
        cmocka_unit_test(test_gap_only_on_the_first_regular_bar),
        cmocka_unit_test(test_periods_per_year),
        cmocka_unit_test(test_mtf_adds_what_was_frozen),
        cmocka_unit_test(test_crosses),
        cmocka_unit_test(test_vol_regimes),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
