// SPDX-License-Identifier: Apache-2.0
// Every indicator against a second implementation that follows the definitions over whole arrays.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/indicators.h"

#define BARS 200

struct history {
    struct prc_bar bars[BARS];
    double closes[BARS], volumes[BARS];
    struct prc_values values[BARS];
    uint32_t n_obs[BARS];
};

static void run(struct history *history, size_t count, enum mf_interval interval,
                enum mf_asset_class asset_class)
{
    struct prc_indicator_state state = {0};
    for (size_t i = 0; i < count; i++) {
        history->closes[i] = history->bars[i].close;
        history->volumes[i] = history->bars[i].volume;
        size_t from = i + 1 > PRC_WINDOW_MAX + 1 ? i - PRC_WINDOW_MAX : 0;
        struct prc_window window = {history->closes + from, history->volumes + from, i + 1 - from};
        struct prc_indicator_state after;
        prc_indicators_step(&state, &window, &history->bars[i], interval, asset_class, &after,
                            &history->values[i]);
        state = after;
        history->n_obs[i] = state.n_obs;
    }
}

static void random_walk(struct history *history, size_t count, uint64_t seed)
{
    double price = 100;
    for (size_t i = 0; i < count; i++) {
        double change = ((double)(mf_random_next(&seed) % 2001) - 1000) / 50000;
        double open = price;
        price *= 1 + change;
        struct prc_bar *bar = &history->bars[i];
        *bar = (struct prc_bar){.time_us = (int64_t)i * MF_US_PER_MINUTE,
                                .end_us = (int64_t)(i + 1) * MF_US_PER_MINUTE,
                                .open = open,
                                .close = price,
                                .high = fmax(open, price) * 1.001,
                                .low = fmin(open, price) * 0.999,
                                .volume = 1000 + (double)(mf_random_next(&seed) % 5000),
                                .session = MF_SESSION_REGULAR,
                                .session_day = (int32_t)(i / 60)};
        bar->has_vwap = i % 3 != 0;
        bar->vwap = (bar->high + bar->low) / 2;
    }
}

static void near(const struct prc_values *values, enum mf_metric_field field, double expected)
{
    assert_true(prc_has(values, field));
    assert_true(fabs(values->v[field] - expected) <= 1e-9 * fmax(1, fabs(expected)));
}

static double mean(const double *items, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += items[i];
    return sum / (double)count;
}

static double sample_sd(const double *items, size_t count)
{
    double m = mean(items, count), sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (items[i] - m) * (items[i] - m);
    return sqrt(sum / (double)(count - 1));
}

// RSI14 and ATR14 from their definitions, from the first bar on.
static void wilder(const struct history *h, size_t at, double *rsi, double *atr)
{
    double gain = 0, loss = 0, range = 0;
    for (size_t i = 1; i <= at; i++) {
        double change = h->closes[i] - h->closes[i - 1];
        double tr = fmax(h->bars[i].high, h->closes[i - 1]) - fmin(h->bars[i].low, h->closes[i - 1]);
        double up = change > 0 ? change : 0, down = change < 0 ? -change : 0;
        if (i <= 14) {
            gain += up / 14, loss += down / 14, range += tr / 14;
        } else {
            gain = (13 * gain + up) / 14, loss = (13 * loss + down) / 14, range = (13 * range + tr) / 14;
        }
    }
    *rsi = loss > 0 ? 100 - 100 / (1 + gain / loss) : gain > 0 ? 100 : 50;
    *atr = range;
}

static double ema20(const double *closes, size_t at)
{
    double ema = mean(closes, 20);
    for (size_t i = 20; i <= at; i++)
        ema += 2.0 / 21 * (closes[i] - ema);
    return ema;
}

static void test_against_definitions(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct history h = {0};
        random_walk(&h, BARS, seed * 7919);
        run(&h, BARS, MF_INTERVAL_1M, MF_ASSET_STOCK);
        for (size_t i = 20; i < BARS; i++) {
            double returns[20], rsi, atr;
            for (size_t k = 0; k < 20; k++)
                returns[k] = h.closes[i - 19 + k] / h.closes[i - 20 + k] - 1;
            const struct prc_values *v = &h.values[i];
            near(v, MF_METRIC_FIELD_RET_1, h.closes[i] / h.closes[i - 1] - 1);
            near(v, MF_METRIC_FIELD_SMA_20, mean(h.closes + i - 19, 20));
            near(v, MF_METRIC_FIELD_EMA_20, ema20(h.closes, i));
            near(v, MF_METRIC_FIELD_VOLATILITY_20, sample_sd(returns, 20));
            near(v, MF_METRIC_FIELD_VOLATILITY_ANN_PCT, sample_sd(returns, 20) * 100 * sqrt(252.0 * 390));
            near(v, MF_METRIC_FIELD_VOLUME_MEAN_20, mean(h.volumes + i - 20, 20));
            near(v, MF_METRIC_FIELD_VOLUME_SD_20, sample_sd(h.volumes + i - 20, 20));
            near(v, MF_METRIC_FIELD_VOLUME_Z_20,
                 (h.volumes[i] - mean(h.volumes + i - 20, 20)) / sample_sd(h.volumes + i - 20, 20));
            near(v, MF_METRIC_FIELD_REL_VOLUME_20, h.volumes[i] / mean(h.volumes + i - 20, 20));
            wilder(&h, i, &rsi, &atr);
            near(v, MF_METRIC_FIELD_RSI_14, rsi);
            near(v, MF_METRIC_FIELD_ATR_14, atr);
            assert_true(v->warm);
        }
    }
}

static void test_warm_up_is_never_partial(void **state)
{
    (void)state;
    static const struct {
        enum mf_metric_field field;
        size_t first; // index of the first bar that has it
    } rows[] = {{MF_METRIC_FIELD_RET_1, 1},           {MF_METRIC_FIELD_SMA_20, 19},
                {MF_METRIC_FIELD_EMA_20, 19},         {MF_METRIC_FIELD_VOLATILITY_20, 20},
                {MF_METRIC_FIELD_VOLUME_MEAN_20, 20}, {MF_METRIC_FIELD_RSI_14, 14},
                {MF_METRIC_FIELD_ATR_14, 14},         {MF_METRIC_FIELD_VWAP_SESSION, 0}};
    struct history h = {0};
    random_walk(&h, 40, 5);
    run(&h, 40, MF_INTERVAL_1M, MF_ASSET_STOCK);
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++)
        for (size_t i = 0; i < 40; i++)
            assert_int_equal(prc_has(&h.values[i], rows[r].field), i >= rows[r].first);
    assert_int_equal(h.n_obs[39], 40);
    assert_false(h.values[19].warm);
    assert_true(h.values[20].warm);
}

static void test_session_vwap_restarts_and_falls_back(void **state)
{
    (void)state;
    struct history h = {0};
    random_walk(&h, 130, 9);
    for (size_t i = 0; i < 130; i++)
        h.bars[i].has_vwap = i >= 60;
    run(&h, 130, MF_INTERVAL_1M, MF_ASSET_STOCK);
    double weighted = 0, volume = 0;
    for (size_t i = 60; i < 120; i++) {
        weighted += h.bars[i].vwap * h.bars[i].volume;
        volume += h.bars[i].volume;
        near(&h.values[i], MF_METRIC_FIELD_VWAP_SESSION, weighted / volume);
        assert_false(h.values[i].proxy_vwap);
    }
    assert_true(h.values[59].proxy_vwap); // typical prices only
    near(&h.values[0], MF_METRIC_FIELD_VWAP_SESSION, (h.bars[0].high + h.bars[0].low + h.bars[0].close) / 3);
    near(&h.values[120], MF_METRIC_FIELD_VWAP_SESSION, h.bars[120].vwap); // a new session
    run(&h, 130, MF_INTERVAL_1D, MF_ASSET_STOCK);
    assert_false(prc_has(&h.values[100], MF_METRIC_FIELD_VWAP_SESSION)); // a day has no session VWAP
}

static void test_bars_without_volume_stay_out(void **state)
{
    (void)state;
    struct history h = {0};
    random_walk(&h, 60, 3);
    for (size_t i = 0; i < 60; i += 2)
        h.bars[i].volume = 0;
    run(&h, 60, MF_INTERVAL_1M, MF_ASSET_STOCK);
    double traded[20];
    for (size_t k = 0; k < 20; k++)
        traded[k] = h.bars[59 - 2 * (20 - k)].volume;
    near(&h.values[59], MF_METRIC_FIELD_VOLUME_MEAN_20, mean(traded, 20));
    assert_false(prc_has(&h.values[58], MF_METRIC_FIELD_VOLUME_Z_20)); // a bar without volume has no z
    assert_false(prc_has(&h.values[58], MF_METRIC_FIELD_REL_VOLUME_20));
}

static void test_extremes_of_rsi(void **state)
{
    (void)state;
    struct history h = {0};
    random_walk(&h, 60, 3);
    for (size_t i = 0; i < 60; i++)
        h.bars[i].close = 100 + (double)i;
    run(&h, 30, MF_INTERVAL_1D, MF_ASSET_STOCK);
    near(&h.values[29], MF_METRIC_FIELD_RSI_14, 100);
    for (size_t i = 0; i < 60; i++)
        h.bars[i].close = 100;
    run(&h, 30, MF_INTERVAL_1D, MF_ASSET_STOCK);
    near(&h.values[29], MF_METRIC_FIELD_RSI_14, 50);
    for (size_t i = 0; i < 60; i++)
        h.bars[i].volume = 7; // constant: no deviation, hence no z
    run(&h, 30, MF_INTERVAL_1D, MF_ASSET_STOCK);
    assert_false(prc_has(&h.values[29], MF_METRIC_FIELD_VOLUME_Z_20));
}

static void test_gap_is_the_first_regular_bar_only(void **state)
{
    (void)state;
    struct history h = {0};
    random_walk(&h, 10, 3);
    for (size_t i = 0; i < 10; i++)
        h.bars[i].session_day = i < 4 ? 1 : 2;
    h.bars[4].session = MF_SESSION_PRE;
    run(&h, 10, MF_INTERVAL_1M, MF_ASSET_STOCK);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(h.values[i].has_gap, i == 5);
    assert_true(fabs(h.values[5].gap_pct - (h.bars[5].open / h.bars[3].close - 1) * 100) < 1e-9);
    run(&h, 10, MF_INTERVAL_1M, MF_ASSET_CRYPTO);
    assert_false(h.values[5].has_gap);
}

static void test_periods_per_year(void **state)
{
    (void)state;
    assert_true(prc_periods_per_year(MF_INTERVAL_1D, MF_ASSET_STOCK) == 252);
    assert_true(prc_periods_per_year(MF_INTERVAL_1M, MF_ASSET_STOCK) == 252.0 * 390);
    assert_true(prc_periods_per_year(MF_INTERVAL_1M, MF_ASSET_CRYPTO) == 365.0 * 1440);
    assert_true(prc_periods_per_year(MF_INTERVAL_5M, MF_ASSET_FX) == 260.0 * 1440 / 5);
    assert_true(prc_periods_per_year(MF_INTERVAL_1MO, MF_ASSET_STOCK) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_definitions),
        cmocka_unit_test(test_warm_up_is_never_partial),
        cmocka_unit_test(test_session_vwap_restarts_and_falls_back),
        cmocka_unit_test(test_bars_without_volume_stay_out),
        cmocka_unit_test(test_extremes_of_rsi),
        cmocka_unit_test(test_gap_is_the_first_regular_bar_only),
        cmocka_unit_test(test_periods_per_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
