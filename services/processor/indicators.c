// SPDX-License-Identifier: Apache-2.0
#include "services/processor/indicators.h"

#include <stddef.h>

#include "services/processor/indicators_private.h"

double prc_periods_per_year(enum mf_interval interval, enum mf_asset_class asset_class)
{
    if (interval >= MF_INTERVAL_1W)
        return 0;
    double days = asset_class == MF_ASSET_CRYPTO ? 365 : asset_class == MF_ASSET_FX ? 260 : 252;
    if (interval == MF_INTERVAL_1D)
        return days;
    double per_day = asset_class == MF_ASSET_CRYPTO || asset_class == MF_ASSET_FX ? 1440 : 390;
    return days * per_day / ((double)mf_interval_us(interval) / (double)MF_US_PER_MINUTE);
}

unsigned prc_mtf_weight(enum mf_interval interval)
{
    static const uint8_t weights[MF_INTERVAL_MAX] = {
        [MF_INTERVAL_1M] = 5,  [MF_INTERVAL_5M] = 5,  [MF_INTERVAL_15M] = 10,
        [MF_INTERVAL_1H] = 15, [MF_INTERVAL_4H] = 25, [MF_INTERVAL_1D] = 40};
    assert(interval < MF_INTERVAL_MAX);
    return weights[interval];
}

const char *prc_vol_regime_name(enum prc_vol_regime regime)
{
    static const char *const names[] = {NULL, "LOW", "NORMAL", "ELEVATED", "HIGH"};
    return names[regime];
}

const char *prc_market_regime_name(enum prc_market_regime regime)
{
    static const char *const names[] = {NULL, "range", "volatile", "trend_up", "trend_down"};
    return names[regime];
}

// Session VWAP: anchored at the session's first bar; pre, regular and post each have their own.
static void step_vwap(const struct prc_step *step)
{
    const struct prc_indicator_state *before = step->before;
    struct prc_indicator_state *after = step->after;
    const struct prc_bar *bar = step->bar;
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
    step->values->proxy_vwap = after->vwap_proxy;
    prc_put(step->values, MF_METRIC_FIELD_VWAP_SESSION, vwap);
    prc_put(step->values, MF_METRIC_FIELD_VWAP_DEV_PCT, (bar->close - vwap) / vwap * 100);
}

// Opening gap against the last regular close: the session's first regular bar, or every day bar of a stock.
static void step_gap(const struct prc_step *step)
{
    const struct prc_indicator_state *before = step->before;
    struct prc_indicator_state *after = step->after;
    const struct prc_bar *bar = step->bar;
    if (step->asset_class != MF_ASSET_STOCK && step->asset_class != MF_ASSET_INDEX)
        return; // a market without sessions has no opening
    if (!prc_is_daily(step->interval) && bar->session != MF_SESSION_REGULAR)
        return;
    bool first = !before->has_regular || before->regular_day != bar->session_day;
    if (first && before->has_regular && before->regular_close > 0) {
        step->values->has_gap = true;
        step->values->gap_base = before->regular_close;
        step->values->gap_pct = (bar->open / before->regular_close - 1) * 100;
    }
    after->has_regular = true;
    after->regular_day = bar->session_day;
    after->regular_close = bar->close;
}

// Agreement of the trends of all intervals: this one's is known now, the others' were frozen with the bar.
static void step_mtf(const struct prc_step *step)
{
    struct prc_values *values = step->values;
    unsigned weight = prc_mtf_weight(step->interval);
    if (weight == 0)
        return;
    double sum = step->bar->frozen.mtf_signed;
    unsigned total = step->bar->frozen.mtf_weight;
    values->mtf_count = step->bar->frozen.mtf_count;
    values->mtf_warm = prc_has(values, MF_METRIC_FIELD_SMA_10) && prc_has(values, MF_METRIC_FIELD_SMA_50);
    if (values->mtf_warm) {
        values->mtf_sign = prc_sign(values->v[MF_METRIC_FIELD_SMA_10] - values->v[MF_METRIC_FIELD_SMA_50]);
        sum += (double)weight * values->mtf_sign;
        total += weight;
        values->mtf_count++;
    }
    if (total > 0)
        prc_put(values, MF_METRIC_FIELD_MTF_STRENGTH, 100 * sum / total);
}

static bool is_warm(const struct prc_values *values, enum mf_interval interval, uint32_t n_obs)
{
    uint32_t wanted = interval == MF_INTERVAL_1D ? 252 : interval == MF_INTERVAL_1M ? PRC_LOOKBACK : 50;
    return n_obs >= wanted && prc_has(values, MF_METRIC_FIELD_VOLUME_MEAN_20);
}

void prc_indicators_step(const struct prc_indicator_state *before, const struct prc_window *window,
                         const struct prc_bar *bar, enum mf_interval interval,
                         enum mf_asset_class asset_class, struct prc_indicator_state *after,
                         struct prc_values *values)
{
    assert(before != after && window->count > 0);
    *after = *before;
    values->present = 0; // and v only where present
    memset((char *)values + offsetof(struct prc_values, vol_regime), 0,
           sizeof(*values) - offsetof(struct prc_values, vol_regime));
    after->n_obs = before->n_obs + 1;
    values->has_prev_close = before->n_obs > 0;
    values->prev_close = before->close;
    values->prev_same_session =
        before->n_obs > 0 && (prc_is_daily(interval) || asset_class == MF_ASSET_CRYPTO ||
                              (before->session_day == bar->session_day && before->session == bar->session));
    values->velocity_base = window->velocity_base;
    values->prev_vol_regime = before->vol_regime;
    values->prev_momentum = before->momentum;
    const struct prc_step step = {before, after, window, bar, interval, asset_class, values};
    prc_step_windows(&step);
    prc_step_trend(&step);
    if (!prc_is_daily(interval))
        step_vwap(&step);
    step_gap(&step);
    step_mtf(&step);
    after->vol_regime = values->vol_regime;
    after->momentum = values->momentum;
    after->high = bar->high;
    after->low = bar->low;
    after->close = bar->close;
    after->session_day = bar->session_day;
    after->session = bar->session;
    values->warm = is_warm(values, interval, after->n_obs);
}
