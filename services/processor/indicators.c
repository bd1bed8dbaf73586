// SPDX-License-Identifier: Apache-2.0
#include "services/processor/indicators.h"

#include <math.h>

#define VOLUME_WINDOW 20
#define RETURN_WINDOW 20
#define SMA_WINDOW 20
#define WILDER 14 // RSI and ATR: first value after this many changes

static void put(struct prc_values *values, enum mf_metric_field field, double value)
{
    if (!isfinite(value))
        return;
    values->present |= UINT64_C(1) << field;
    values->v[field] = value;
}

static double mean_of(const double *items, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += items[i];
    return sum / (double)count;
}

// Sample standard deviation, two passes.
static double sd_of(const double *items, size_t count, double mean)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (items[i] - mean) * (items[i] - mean);
    return sqrt(sum / (double)(count - 1));
}

double prc_periods_per_year(enum mf_interval interval, enum mf_asset_class asset_class)
{
    double minutes = (double)mf_interval_us(interval) / (double)MF_US_PER_MINUTE;
    if (interval >= MF_INTERVAL_1W || minutes <= 0)
        return 0;
    if (interval == MF_INTERVAL_1D)
        return asset_class == MF_ASSET_CRYPTO ? 365 : asset_class == MF_ASSET_FX ? 260 : 252;
    if (asset_class == MF_ASSET_CRYPTO)
        return 365.0 * 1440.0 / minutes;
    if (asset_class == MF_ASSET_FX)
        return 260.0 * 1440.0 / minutes;
    return 252.0 * 390.0 / minutes;
}

// Baseline B of the catalogue: the previous 20 bars that traded, the bar at hand excluded.
static void step_volume(const struct prc_window *window, const struct prc_bar *bar, struct prc_values *values)
{
    double items[VOLUME_WINDOW];
    size_t found = 0;
    for (size_t i = window->count - 1; i > 0 && found < VOLUME_WINDOW; i--)
        if (window->volumes[i - 1] > 0)
            items[VOLUME_WINDOW - ++found] = window->volumes[i - 1];
    if (found < VOLUME_WINDOW)
        return;
    double mean = mean_of(items, VOLUME_WINDOW);
    double sd = sd_of(items, VOLUME_WINDOW, mean);
    values->volume_n = VOLUME_WINDOW;
    put(values, MF_METRIC_FIELD_VOLUME_MEAN_20, mean);
    put(values, MF_METRIC_FIELD_VOLUME_SD_20, sd);
    if (bar->volume <= 0)
        return;
    if (sd > 0)
        put(values, MF_METRIC_FIELD_VOLUME_Z_20, (bar->volume - mean) / sd);
    put(values, MF_METRIC_FIELD_REL_VOLUME_20, bar->volume / mean);
}

static void step_returns(const struct prc_window *window, enum mf_interval interval,
                         enum mf_asset_class asset_class, struct prc_values *values)
{
    const double *closes = window->closes;
    size_t count = window->count;
    if (count >= 2)
        put(values, MF_METRIC_FIELD_RET_1, closes[count - 1] / closes[count - 2] - 1);
    if (count >= SMA_WINDOW)
        put(values, MF_METRIC_FIELD_SMA_20, mean_of(closes + count - SMA_WINDOW, SMA_WINDOW));
    if (count < RETURN_WINDOW + 1)
        return;
    double returns[RETURN_WINDOW];
    const double *from = closes + count - RETURN_WINDOW - 1;
    for (size_t i = 0; i < RETURN_WINDOW; i++)
        returns[i] = from[i + 1] / from[i] - 1;
    double sd = sd_of(returns, RETURN_WINDOW, mean_of(returns, RETURN_WINDOW));
    put(values, MF_METRIC_FIELD_VOLATILITY_20, sd);
    double periods = prc_periods_per_year(interval, asset_class);
    if (periods > 0)
        put(values, MF_METRIC_FIELD_VOLATILITY_ANN_PCT, sd * 100 * sqrt(periods));
}

// EMA_n: k = 2 / (n + 1), seeded by the SMA of the first n closes at index n - 1.
static void step_ema(const struct prc_indicator_state *before, struct prc_indicator_state *after,
                     const struct prc_window *window, const struct prc_bar *bar, struct prc_values *values)
{
    const double k = 2.0 / (SMA_WINDOW + 1);
    if (after->n_obs == SMA_WINDOW)
        after->ema_20 = mean_of(window->closes + window->count - SMA_WINDOW, SMA_WINDOW);
    else if (after->n_obs > SMA_WINDOW)
        after->ema_20 = before->ema_20 + k * (bar->close - before->ema_20);
    if (after->n_obs >= SMA_WINDOW)
        put(values, MF_METRIC_FIELD_EMA_20, after->ema_20);
}

// Wilder's smoothing of one quantity: sums until the 14th change, then the mean, then (13 × previous + x)
// / 14.
static double wilder(double previous, double x, uint32_t n_obs)
{
    if (n_obs < WILDER + 1)
        return previous + x;
    if (n_obs == WILDER + 1)
        return (previous + x) / WILDER;
    return ((WILDER - 1) * previous + x) / WILDER;
}

static void step_wilder(const struct prc_indicator_state *before, struct prc_indicator_state *after,
                        const struct prc_bar *bar, struct prc_values *values)
{
    if (before->n_obs == 0)
        return;
    double change = bar->close - before->close;
    double range =
        fmax(bar->high - bar->low, fmax(fabs(bar->high - before->close), fabs(bar->low - before->close)));
    after->gain = wilder(before->gain, change > 0 ? change : 0, after->n_obs);
    after->loss = wilder(before->loss, change < 0 ? -change : 0, after->n_obs);
    after->atr = wilder(before->atr, range, after->n_obs);
    if (after->n_obs < WILDER + 1)
        return;
    if (after->loss > 0)
        after->rsi = 100 - 100 / (1 + after->gain / after->loss);
    else
        after->rsi = after->gain > 0 ? 100 : 50; // no change at all: 50 by definition here
    put(values, MF_METRIC_FIELD_RSI_14, after->rsi);
    put(values, MF_METRIC_FIELD_ATR_14, after->atr);
    values->has_prev_rsi = before->n_obs >= WILDER + 1;
    values->prev_rsi = before->rsi;
}

// Session VWAP: anchored at the session's first bar; pre, regular and post each have their own.
static void step_vwap(const struct prc_indicator_state *before, struct prc_indicator_state *after,
                      const struct prc_bar *bar, struct prc_values *values)
{
    bool same =
        before->n_obs > 0 && before->session_day == bar->session_day && before->session == bar->session;
    if (!same) {
        after->vwap_weighted = after->vwap_volume = 0;
        after->vwap_proxy = false;
    }
    if (bar->volume > 0) {
        double price = bar->has_vwap ? bar->vwap : (bar->high + bar->low + bar->close) / 3;
        after->vwap_weighted += price * bar->volume;
        after->vwap_volume += bar->volume;
        after->vwap_proxy |= !bar->has_vwap;
    }
    if (after->vwap_volume <= 0)
        return;
    double vwap = after->vwap_weighted / after->vwap_volume;
    values->proxy_vwap = after->vwap_proxy;
    put(values, MF_METRIC_FIELD_VWAP_SESSION, vwap);
    put(values, MF_METRIC_FIELD_VWAP_DEV_PCT, (bar->close - vwap) / vwap * 100);
}

static bool is_daily(enum mf_interval interval)
{
    return interval >= MF_INTERVAL_1D;
}

// Opening gap against the last regular close: the session's first regular bar, or every day bar of a stock.
static void step_gap(const struct prc_indicator_state *before, struct prc_indicator_state *after,
                     const struct prc_bar *bar, enum mf_interval interval, enum mf_asset_class asset_class,
                     struct prc_values *values)
{
    if (asset_class != MF_ASSET_STOCK && asset_class != MF_ASSET_INDEX)
        return; // a market without sessions has no opening
    if (!is_daily(interval) && bar->session != MF_SESSION_REGULAR)
        return;
    bool first = !before->has_regular || before->regular_day != bar->session_day;
    if (first && before->has_regular && before->regular_close > 0) {
        values->has_gap = true;
        values->gap_base = before->regular_close;
        values->gap_pct = (bar->open / before->regular_close - 1) * 100;
    }
    after->has_regular = true;
    after->regular_day = bar->session_day;
    after->regular_close = bar->close;
}

static bool all_present(const struct prc_values *values, enum mf_interval interval)
{
    static const enum mf_metric_field always[] = {
        MF_METRIC_FIELD_RET_1,         MF_METRIC_FIELD_VOLUME_MEAN_20, MF_METRIC_FIELD_VOLUME_SD_20,
        MF_METRIC_FIELD_VOLATILITY_20, MF_METRIC_FIELD_SMA_20,         MF_METRIC_FIELD_EMA_20,
        MF_METRIC_FIELD_RSI_14,        MF_METRIC_FIELD_ATR_14};
    for (size_t i = 0; i < MF_ARRAY_LEN(always); i++)
        if (!prc_has(values, always[i]))
            return false;
    return is_daily(interval) || prc_has(values, MF_METRIC_FIELD_VWAP_SESSION);
}

void prc_indicators_step(const struct prc_indicator_state *before, const struct prc_window *window,
                         const struct prc_bar *bar, enum mf_interval interval,
                         enum mf_asset_class asset_class, struct prc_indicator_state *after,
                         struct prc_values *values)
{
    assert(before != after && window->count > 0);
    *after = *before;
    memset(values, 0, sizeof(*values));
    after->n_obs = before->n_obs + 1;
    values->has_prev_close = before->n_obs > 0;
    values->prev_close = before->close;
    values->prev_same_session =
        before->n_obs > 0 &&
        (is_daily(interval) || (before->session_day == bar->session_day && before->session == bar->session));
    step_returns(window, interval, asset_class, values);
    step_volume(window, bar, values);
    step_ema(before, after, window, bar, values);
    step_wilder(before, after, bar, values);
    if (!is_daily(interval))
        step_vwap(before, after, bar, values);
    step_gap(before, after, bar, interval, asset_class, values);
    after->close = bar->close;
    after->session_day = bar->session_day;
    after->session = bar->session;
    values->warm = all_present(values, interval);
}
