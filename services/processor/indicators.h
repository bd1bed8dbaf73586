// SPDX-License-Identifier: Apache-2.0
// Indicators of one series: pure functions from (state before, windows, bar) to (state after, values).
// Definitions and seedings: docs/indicators.md. Sums run oldest to newest and are recomputed per bar, so that
// a replay, a correction and an independent implementation give the same digits. No failure classes: every
// input bar has been validated.
#ifndef PRC_INDICATORS_H
#define PRC_INDICATORS_H

#include "common/event.h"

#define PRC_WINDOW_MAX 76 // bars of look-back behind the bar at hand

// A bar as statistics see it. Prices in the feed's currency, volume in its units.
struct prc_bar {
    int64_t time_us, end_us; // window [start, end)
    double open, high, low, close, volume, vwap;
    bool has_vwap;
    int32_t session_day; // days since 1970-01-01 of the exchange-local date
    enum mf_session session;
    unsigned flags; // of its envelope
    enum mf_provenance_mode mode;
};

// The last bars' closes and volumes, oldest first, the bar at hand included as the last item.
struct prc_window {
    const double *closes;
    const double *volumes;
    size_t count; // 1..PRC_WINDOW_MAX + 1
};

// Everything that the next bar's values need and that is not in the window.
struct prc_indicator_state {
    uint32_t n_obs;    // bars folded
    double ema_20;     // valid when n_obs >= 20
    double gain, loss; // sums while n_obs < 15, Wilder means from then on
    double atr;        // the same
    double rsi;        // valid when n_obs >= 15; rules look at the previous bar's
    double close;      // of the last bar
    int32_t session_day;
    enum mf_session session;
    double vwap_weighted, vwap_volume; // of the running session
    bool vwap_proxy;                   // some bar of it had no vwap of its own
    bool has_regular;                  // a regular (or, for 1d, any) bar has been seen
    int32_t regular_day;
    double regular_close; // last close of that day's regular session
};

struct prc_values {
    uint64_t present; // bit per enum mf_metric_field
    double v[MF_METRIC_FIELD_MAX];
    bool warm;       // every field that the interval can have is present
    bool proxy_vwap; // vwap_session rests on typical prices
    // For rules; not published.
    bool has_prev_close, prev_same_session; // the previous bar is of the same session (always for 1d)
    double prev_close;
    bool has_gap; // this is the session's first regular bar and the previous regular close is known
    double gap_pct, gap_base;
    bool has_prev_rsi;
    double prev_rsi;
    unsigned volume_n; // bars behind volume_mean_20
};

static inline bool prc_has(const struct prc_values *values, enum mf_metric_field field)
{
    return (values->present >> field & 1u) != 0;
}

// Folds one bar. `before` and `after` may not alias. Bars with volume 0 take no part in VWAP and volume
// statistics.
void prc_indicators_step(const struct prc_indicator_state *before, const struct prc_window *window,
                         const struct prc_bar *bar, enum mf_interval interval,
                         enum mf_asset_class asset_class, struct prc_indicator_state *after,
                         struct prc_values *values);

// Periods per year for volatility_ann_pct; 0 where it is not defined for the pair.
double prc_periods_per_year(enum mf_interval interval, enum mf_asset_class asset_class);

#endif
