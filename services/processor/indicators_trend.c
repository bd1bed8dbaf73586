// SPDX-License-Identifier: Apache-2.0
// Indicators that every bar so far takes part in: exponential means, Wilder's family, and the signs and
// regimes read off them.
#include "services/processor/indicators_private.h"

#define WILDER 14 // first value after this many changes
#define MACD_FROM 26
#define SIGNAL 9
#define TREND_ENTER 25 // ADX
#define TREND_STAY 20
#define VOLATILE_PCT 2.5 // ATR in percent of the close

// Exponential mean of n closes: k = 2 / (n + 1), seeded by the mean of the first n at bar n.
static double ema_step(const struct prc_step *step, double before, uint32_t n)
{
    if (step->after->n_obs > n)
        return before + 2.0 / (n + 1) * (step->bar->close - before);
    if (step->after->n_obs < n)
        return 0;
    double sum = 0;
    for (size_t i = step->window->count - n; i < step->window->count; i++)
        sum += step->window->closes[i];
    return sum / n;
}

static void step_emas(const struct prc_step *step)
{
    const struct prc_indicator_state *before = step->before;
    struct prc_indicator_state *after = step->after;
    struct prc_values *values = step->values;
    after->ema_12 = ema_step(step, before->ema_12, 12);
    after->ema_20 = ema_step(step, before->ema_20, 20);
    after->ema_26 = ema_step(step, before->ema_26, MACD_FROM);
    uint32_t n = after->n_obs;
    if (n >= 12)
        prc_put(values, MF_METRIC_FIELD_EMA_12, after->ema_12);
    if (n >= 20)
        prc_put(values, MF_METRIC_FIELD_EMA_20, after->ema_20);
    if (n < MACD_FROM)
        return;
    double macd = after->ema_12 - after->ema_26;
    const uint32_t seeded = MACD_FROM + SIGNAL - 1;
    if (n > seeded)
        after->macd_signal = before->macd_signal + 0.2 * (macd - before->macd_signal);
    else
        after->macd_signal = (before->macd_signal + macd) / (n == seeded ? SIGNAL : 1);
    prc_put(values, MF_METRIC_FIELD_EMA_26, after->ema_26);
    prc_put(values, MF_METRIC_FIELD_MACD, macd);
    if (n < seeded)
        return;
    prc_put(values, MF_METRIC_FIELD_MACD_SIGNAL, after->macd_signal);
    prc_put(values, MF_METRIC_FIELD_MACD_HIST, macd - after->macd_signal);
}

// Wilder's mean of one quantity whose first value is bar `first`'s: the sum of the first 14, then their mean,
// then (13 × previous + x) / 14.
static double wilder_mean(double before, double x, uint32_t n_obs, uint32_t first)
{
    uint32_t seeded = first + WILDER - 1;
    if (n_obs < seeded)
        return before + x;
    if (n_obs == seeded)
        return (before + x) / WILDER;
    return ((WILDER - 1) * before + x) / WILDER;
}

// Wilder's sum: of the first 14, then S − S / 14 + x.
static double wilder_sum(double before, double x, uint32_t n_obs)
{
    return n_obs <= WILDER + 1 ? before + x : before - before / WILDER + x;
}

static double true_range(const struct prc_bar *bar, double close)
{
    double range = bar->high - bar->low, up = fabs(bar->high - close), down = fabs(bar->low - close);
    range = up > range ? up : range;
    return down > range ? down : range;
}

static void step_rsi(const struct prc_step *step)
{
    struct prc_indicator_state *after = step->after;
    double change = step->bar->close - step->before->close;
    after->gain = wilder_mean(step->before->gain, change > 0 ? change : 0, after->n_obs, 2);
    after->loss = wilder_mean(step->before->loss, change < 0 ? -change : 0, after->n_obs, 2);
    if (after->n_obs <= WILDER)
        return;
    if (after->loss > 0)
        after->rsi = 100 - 100 / (1 + after->gain / after->loss);
    else
        after->rsi = after->gain > 0 ? 100 : 50; // no change at all: 50 by definition here
    prc_put(step->values, MF_METRIC_FIELD_RSI_14, after->rsi);
    step->values->has_prev_rsi = step->before->n_obs > WILDER;
    step->values->prev_rsi = step->before->rsi;
}

static void step_atr(const struct prc_step *step, double range)
{
    struct prc_indicator_state *after = step->after;
    struct prc_values *values = step->values;
    after->atr = wilder_mean(step->before->atr, range, after->n_obs, 2);
    if (after->n_obs <= WILDER)
        return;
    after->atr_pct = 100 * after->atr / step->bar->close;
    prc_put(values, MF_METRIC_FIELD_ATR_14, after->atr);
    values->has_atr_pct = isfinite(after->atr_pct);
    values->atr_pct = after->atr_pct;
    values->has_prev_atr_pct = step->before->n_obs > WILDER && isfinite(step->before->atr_pct);
    values->prev_atr_pct = step->before->atr_pct;
}

// Directional movement: which of the two sides of the range moved further out.
static void step_adx(const struct prc_step *step, double range)
{
    const struct prc_indicator_state *before = step->before;
    struct prc_indicator_state *after = step->after;
    struct prc_values *values = step->values;
    double up = step->bar->high - before->high, down = before->low - step->bar->low;
    uint32_t n = after->n_obs;
    after->tr_sum = wilder_sum(before->tr_sum, range, n);
    after->plus_sum = wilder_sum(before->plus_sum, up > down && up > 0 ? up : 0, n);
    after->minus_sum = wilder_sum(before->minus_sum, down > up && down > 0 ? down : 0, n);
    if (n <= WILDER)
        return;
    double plus = after->tr_sum == 0 ? 0 : 100 * after->plus_sum / after->tr_sum;
    double minus = after->tr_sum == 0 ? 0 : 100 * after->minus_sum / after->tr_sum;
    double dx = plus + minus == 0 ? 0 : 100 * fabs(plus - minus) / (plus + minus);
    prc_put(values, MF_METRIC_FIELD_PLUS_DI_14, plus);
    prc_put(values, MF_METRIC_FIELD_MINUS_DI_14, minus);
    after->adx = wilder_mean(before->adx, dx, n, WILDER + 1);
    if (n < 2 * WILDER)
        return;
    prc_put(values, MF_METRIC_FIELD_ADX_14, after->adx);
}

// Enters a trend above 25 and leaves it below 20, so that it does not flap in between.
static void step_market_regime(const struct prc_step *step)
{
    struct prc_values *values = step->values;
    uint8_t was = step->before->market_regime;
    values->prev_market_regime = was;
    if (prc_has(values, MF_METRIC_FIELD_ADX_14) && values->has_atr_pct) {
        double adx = values->v[MF_METRIC_FIELD_ADX_14];
        bool trend = was == PRC_MARKET_TREND_UP || was == PRC_MARKET_TREND_DOWN;
        bool up = values->v[MF_METRIC_FIELD_PLUS_DI_14] > values->v[MF_METRIC_FIELD_MINUS_DI_14];
        if (adx > TREND_ENTER || (trend && adx >= TREND_STAY))
            values->market_regime = up ? PRC_MARKET_TREND_UP : PRC_MARKET_TREND_DOWN;
        else
            values->market_regime = values->atr_pct > VOLATILE_PCT ? PRC_MARKET_VOLATILE : PRC_MARKET_RANGE;
    }
    step->after->market_regime = values->market_regime;
}

// A cross is a change of sign; a mean that touches the other has crossed nothing yet.
static void step_crosses(const struct prc_step *step)
{
    static const enum mf_metric_field pairs[PRC_MA_PAIR_MAX][2] = {
        [PRC_MA_5_20] = {MF_METRIC_FIELD_SMA_5, MF_METRIC_FIELD_SMA_20},
        [PRC_MA_10_50] = {MF_METRIC_FIELD_SMA_10, MF_METRIC_FIELD_SMA_50},
        [PRC_MA_50_200] = {MF_METRIC_FIELD_SMA_50, MF_METRIC_FIELD_SMA_200}};
    struct prc_values *values = step->values;
    for (size_t p = 0; p < PRC_MA_PAIR_MAX; p++) {
        if (!prc_has(values, pairs[p][0]) || !prc_has(values, pairs[p][1]))
            continue;
        values->ma_fast[p] = values->v[pairs[p][0]];
        values->ma_slow[p] = values->v[pairs[p][1]];
        int8_t sign = prc_sign(values->ma_fast[p] - values->ma_slow[p]), was = step->before->ma_sign[p];
        if (sign == 0)
            continue;
        values->ma_cross[p] = was != 0 && sign != was ? sign : 0;
        step->after->ma_sign[p] = sign;
    }
}

void prc_step_trend(const struct prc_step *step)
{
    step_emas(step);
    if (step->before->n_obs > 0) {
        double range = true_range(step->bar, step->before->close);
        step_rsi(step);
        step_atr(step, range);
        step_adx(step, range);
    }
    step_market_regime(step);
    step_crosses(step);
}
