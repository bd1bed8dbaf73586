// SPDX-License-Identifier: Apache-2.0
// Indicators of one series: pure functions from (state before, windows, bar) to (state after, values).
// Definitions and seedings: docs/indicators.md. Sums run oldest to newest and are recomputed per bar, so that
// a replay, a correction and an independent implementation give the same digits. No failure classes: every
// input bar has been validated.
#ifndef PRC_INDICATORS_H
#define PRC_INDICATORS_H

#include "common/event.h"

#define PRC_STATISTIC_END 1e15 // events carry nothing of this size and beyond
#define PRC_LOOKBACK 76        // bars behind the bar at hand that a window may reach
#define PRC_LOOKBACK_DAILY 259 // the same for 1d

// What a bar read from other series, news, metadata or its own record when it was first folded. Kept with the
// bar and used again when it is recomputed, so that a recompute depends on its own series only.
enum prc_frozen_bit {
    PRC_FROZEN_FINER_WARM = 1u << 0, // a finer weighted interval of the group was warm (mtf_confluence)
    PRC_FROZEN_SPLIT_DAY = 1u << 1,  // the cell knew a split with ex_date = the bar's session date
    PRC_FROZEN_NO_RULES = 1u << 2,   // derived while the group has a vendor series: rules never trigger
};
#define PRC_NOT_JUDGED INT64_MIN
struct prc_frozen {
    double other_close; // same bar at another provider, for feed_disagree; 0 = none
    double news_price;  // last close before the news alert whose 30 minutes the bar's end lies in; 0 = none
    int64_t late_us;    // ingest_time - window_end, for late_data; PRC_NOT_JUDGED
    int8_t mtf_signed;  // sum of weight x sign over the other warm intervals of the group
    uint8_t mtf_weight; // sum of their weights
    uint8_t mtf_count;  // how many they are
    uint8_t bits;       // enum prc_frozen_bit
};

// A bar as statistics see it. Prices in the feed's currency, volume in its units.
struct prc_bar {
    int64_t time_us, end_us; // window [start, end)
    double open, high, low, close, volume, vwap;
    bool has_vwap;
    int32_t session_day; // days since 1970-01-01 of the exchange-local date
    enum mf_session session;
    unsigned flags; // of its envelope
    enum mf_provenance_mode mode;
    struct prc_frozen frozen;
};

// The last bars' columns, oldest first, the bar at hand included as the last item.
struct prc_window {
    const double *closes, *volumes;
    const double *highs, *lows; // 1d only, else NULL
    size_t count;               // 1..PRC_LOOKBACK(_DAILY) + 1
    // What earlier bars came to, in the same places: prc_window_history of each. NULL = worked out again.
    const double *history;
    double velocity_base; // close that velocity measures from; 0 = none
};

enum prc_vol_regime { PRC_VOL_NONE, PRC_VOL_LOW, PRC_VOL_NORMAL, PRC_VOL_ELEVATED, PRC_VOL_HIGH };
enum prc_market_regime {
    PRC_MARKET_NONE,
    PRC_MARKET_RANGE,
    PRC_MARKET_VOLATILE,
    PRC_MARKET_TREND_UP,
    PRC_MARKET_TREND_DOWN
};
enum prc_momentum { PRC_MOMENTUM_NONE, PRC_MOMENTUM_NEUTRAL, PRC_MOMENTUM_BULLISH, PRC_MOMENTUM_BEARISH };
enum prc_ma_pair { PRC_MA_5_20, PRC_MA_10_50, PRC_MA_50_200, PRC_MA_PAIR_MAX };

// Everything that the next bar's values need and that is not in the window. The codec knows every field.
struct prc_indicator_state {
    uint32_t n_obs;                              // bars folded
    double ema_12, ema_20, ema_26;               // valid when n_obs >= their length
    double macd_signal;                          // sum of macd while n_obs < 34, then the EMA
    double gain, loss;                           // sums while n_obs < 15, Wilder means from then on
    double atr;                                  // the same
    double tr_sum, plus_sum, minus_sum;          // Wilder sums of TR, +DM, -DM
    double adx;                                  // sum of DX while n_obs < 28, then the mean
    double rsi, atr_pct;                         // of the last bar, valid when n_obs >= 15
    double high, low, close;                     // of the last bar
    uint8_t vol_regime, market_regime, momentum; // of the last bar
    int8_t ma_sign[PRC_MA_PAIR_MAX];             // last non-zero sign, 0 = none yet
    int32_t session_day;
    enum mf_session session;
    double vwap_weighted, vwap_volume; // of the running session
    bool vwap_proxy;                   // some bar of it had no vwap of its own
    bool has_regular;                  // a regular (or, for 1d, any) bar has been seen
    int32_t regular_day;
    double regular_close; // last close of that day's regular session
};

struct prc_values {
    uint64_t present;                  // bit per enum mf_metric_field
    double v[MF_METRIC_FIELD_MAX];     // valid where present
    uint8_t vol_regime, market_regime; // enums above, NONE = absent
    bool warm;                         // every field that the interval can have is present
    bool proxy_vwap;                   // vwap_session rests on typical prices
    // For rules; not published.
    bool has_prev_close, prev_same_session; // the previous bar is of the same session (always for 1d)
    double prev_close;
    bool has_gap; // this is the session's first regular bar and the previous regular close is known
    double gap_pct, gap_base;
    bool has_prev_rsi;
    double prev_rsi;
    unsigned volume_n; // bars behind volume_mean_20
    bool has_move_z;
    double move_z, move_sd; // signed; sd of the 20 returns before this bar
    double velocity_base;   // 0 = none
    double vol_ratio;       // r, valid with vol_regime
    uint8_t prev_vol_regime, prev_market_regime, momentum, prev_momentum;
    double momentum_delta; // c - c[15], valid with momentum
    bool has_atr_pct, has_prev_atr_pct;
    double atr_pct, prev_atr_pct;
    double ma_fast[PRC_MA_PAIR_MAX], ma_slow[PRC_MA_PAIR_MAX];
    int8_t ma_cross[PRC_MA_PAIR_MAX]; // 1 crossed upwards on this bar, -1 downwards, 0 neither
    bool has_bb;
    double bb_sd;    // population sd
    double bb_width; // (up - low) / mid
    bool has_squeeze, squeeze;
    bool has_prev_52w;
    double prev_high_52w, prev_low_52w; // of the 252 bars before this one
    int8_t mtf_sign;                    // sign(sma_10 - sma_50) of this bar; meaningful when mtf_warm
    bool mtf_warm;
    unsigned mtf_count; // warm intervals behind mtf_strength, this one included
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

// The figure of a bar that later bars look back at: 1m volatility_15m, 1d bb_width; NAN = absent. Of the
// values just computed, and the same from the closes that end with the bar.
bool prc_history_kept(enum mf_interval interval);
double prc_history_of(const struct prc_values *values, enum mf_interval interval);
double prc_window_history(const double *closes, size_t count, enum mf_interval interval);

// Weight of an interval in mtf_strength; 0 = none.
unsigned prc_mtf_weight(enum mf_interval interval);
// Names as in payloads; NULL for NONE.
const char *prc_vol_regime_name(enum prc_vol_regime regime);
const char *prc_market_regime_name(enum prc_market_regime regime);

// Periods per year for volatility_ann_pct; 0 where it is not defined for the pair.
double prc_periods_per_year(enum mf_interval interval, enum mf_asset_class asset_class);

#endif
