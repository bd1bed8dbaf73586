// SPDX-License-Identifier: Apache-2.0
// The rules: one row each, from which come the definitions (rules_judge.c), the settings with their defaults
// (rules_settings.c) and the reference page. Shared by the files of the rules only.
#ifndef PRC_RULES_TABLE_H
#define PRC_RULES_TABLE_H

#include "services/processor/rules.h"

#define PRC_EVERY ((1u << PRC_RULE_INTERVALS) - 1)
#define PRC_INTRADAY ((1u << MF_INTERVAL_1D) - 1)
#define PRC_FROM_5M (PRC_EVERY & ~((1u << MF_INTERVAL_5M) - 1))
#define PRC_1M (1u << MF_INTERVAL_1M)
#define PRC_1M_5M (PRC_1M | 1u << MF_INTERVAL_5M)
#define PRC_1D (1u << MF_INTERVAL_1D)
#define PRC_WEIGHTED \
    (PRC_1M_5M | 1u << MF_INTERVAL_15M | 1u << MF_INTERVAL_1H | 1u << MF_INTERVAL_4H | PRC_1D)
#define PRC_TO_1H ((1u << MF_INTERVAL_4H) - 1)
#define PRC_NEWS 0u

#define PRC_LEVEL_TEXT(unit) "Threshold of this severity in " unit "; 0 switches it off."
#define PRC_SWITCH_TEXT(event) "1: an alert of this severity when " event "; 0: none."

// clang-format off
// X(RULE, id, unit, version, intervals, warm-up, liquidity, cooldown, judge, info, warning, critical,
//   description of the setting, formula)
#define PRC_RULE_TABLE(X)                                                                                       \
    X(PRICE_MOVE, "price_move", "%", 1, PRC_EVERY, 2, true, true, judge_price_move, "0.5", "1", "2",            \
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(close / previous close - 1), within one session (1d: across days)")                                  \
    X(PRICE_MOVE_Z, "price_move_z", "sd", 1, PRC_EVERY, 22, true, true, judge_price_move_z, "3", "4", "6",      \
      PRC_LEVEL_TEXT("standard deviations"),                                                                    \
      "abs(return) / sd of the 20 returns before it, within one session")                                       \
    X(VELOCITY, "velocity", "%", 1, PRC_1M_5M, 2, true, true, judge_velocity, "3", "5", "10",                   \
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(close / close of at least 5 minutes before - 1), within one session")                                \
    X(VOLUME_SPIKE, "volume_spike", "sd", 1, PRC_EVERY, 21, true, true, judge_volume_spike, "2", "3", "5",      \
      PRC_LEVEL_TEXT("standard deviations"),                                                                    \
      "(volume - mean) / sd of the previous 20 bars that traded, upwards")                                      \
    X(REL_VOLUME, "rel_volume", "x", 1, PRC_EVERY, 21, true, true, judge_rel_volume, "2", "3", "5",             \
      PRC_LEVEL_TEXT("times the mean volume"),                                                                  \
      "volume / mean of the previous 20 bars that traded, upwards")                                             \
    X(GAP, "gap", "%", 1, PRC_EVERY, 2, true, true, judge_gap, "1", "2", "4",                                   \
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(open / previous regular close - 1) on the session's first regular bar")                              \
    X(VWAP_DEV, "vwap_dev", "%", 1, PRC_INTRADAY, 1, true, true, judge_vwap_dev, "1", "2", "3",                 \
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(close - session VWAP) / session VWAP")                                                               \
    X(VOL_REGIME, "vol_regime", "x", 1, PRC_1M, 77, true, true, judge_vol_regime, "1.5", "2", "0",              \
      PRC_LEVEL_TEXT("times the earlier volatility"),                                                           \
      "volatility_15m / mean of its four windows before, when vol_regime becomes ELEVATED, HIGH, or LOW (info)")\
    X(VOL_REGIME_ATR, "vol_regime_atr", "%", 1, PRC_FROM_5M, 16, true, true, judge_vol_regime_atr, "2.5", "0", "0",\
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "100 ATR14 / close crosses the threshold upwards")                                                        \
    X(MARKET_REGIME, "market_regime", "switch", 1, PRC_FROM_5M, 29, true, true, judge_market_regime, "1", "0", "0",\
      PRC_SWITCH_TEXT("market_regime changes"),                                                                 \
      "market_regime differs from that of the bar before")                                                      \
    X(RSI_EXTREME, "rsi_extreme", "RSI", 1, PRC_EVERY, 16, true, true, judge_rsi_extreme, "70", "80", "0",      \
      PRC_LEVEL_TEXT("RSI points above; 100 minus it below"),                                                   \
      "RSI14 crosses the threshold upwards, or 100 - threshold downwards")                                      \
    X(MA_CROSS, "ma_cross", "switch", 1, PRC_FROM_5M, 21, true, true, judge_ma_cross, "1", "1", "1",            \
      PRC_SWITCH_TEXT("SMA5 and SMA20 (info), SMA10 and SMA50 (warning), SMA50 and SMA200 (critical, 1d) cross"),\
      "SMA5 crosses SMA20 (info), SMA10 SMA50 (warning), SMA50 SMA200 (critical, 1d)")                          \
    X(MOMENTUM, "momentum", "switch", 1, PRC_1M, 61, true, true, judge_momentum, "1", "0", "0",                 \
      PRC_SWITCH_TEXT("momentum turns bullish or bearish"),                                                     \
      "ma_15m - ma_1h and close - close 15 bars before are of one sign, and were not on the bar before")        \
    X(BOLLINGER_BREAK, "bollinger_break", "sd", 1, PRC_FROM_5M, 20, true, true, judge_bollinger_break, "2", "3", "0",\
      PRC_LEVEL_TEXT("standard deviations"),                                                                    \
      "abs(close - SMA20) / population sd of the last 20 closes")                                               \
    X(NEW_52W, "new_52w", "switch", 1, PRC_1D, 253, true, true, judge_new_52w, "1", "0", "0",                   \
      PRC_SWITCH_TEXT("there is a new high or low of 252 days"),                                                \
      "high above, or else low below, those of the previous 252 bars")                                          \
    X(MTF_CONFLUENCE, "mtf_confluence", "%", 1, PRC_WEIGHTED, 50, true, true, judge_mtf_confluence, "60", "0", "0",\
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(mtf_strength) above the threshold over 3 or more warm intervals, on the finest of them")             \
    X(MULTI_SIGNAL, "multi_signal", "switch", 1, PRC_1M, 76, true, true, judge_multi_signal, "0", "0", "1",     \
      PRC_SWITCH_TEXT("momentum, volatility and volume agree"),                                                 \
      "momentum is not neutral, vol_regime ELEVATED or HIGH, and volume_spike's lowest threshold met")          \
    X(NEWS_PRICE_LINK, "news_price_link", "%", 1, PRC_1M_5M, 1, true, true, judge_news_price_link, "0", "0", "2",\
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(close / last close before a news alert - 1) within 30 minutes of it")                                \
    X(PRICE_INTEGRITY, "price_integrity", "x", 1, PRC_EVERY, 2, false, true, judge_price_integrity, "0", "0", "2",\
      PRC_LEVEL_TEXT("times, up or down, of the previous close"),                                               \
      "close / previous close, or its inverse, above the threshold without a split that day")                   \
    X(FEED_DISAGREE, "feed_disagree", "%", 1, PRC_EVERY, 1, true, true, judge_feed_disagree, "0.5", "1", "0",   \
      PRC_LEVEL_TEXT("percent"),                                                                                \
      "abs(close / close of the same bar at another provider - 1)")                                             \
    X(LATE_DATA, "late_data", "min", 1, PRC_INTRADAY, 1, false, true, judge_late_data, "15", "2880", "0",       \
      PRC_LEVEL_TEXT("minutes"),                                                                                \
      "minutes from the bar's end to its arrival above the threshold, live")                                    \
    X(NEWS_KEYWORD, "news_keyword", "words", 1, PRC_NEWS, 0, false, false, NULL, "1", "2", "4",                 \
      PRC_LEVEL_TEXT("distinct keywords"),                                                                      \
      "distinct words of ALERT_NEWS_KEYWORDS in title and description")                                         \
    X(NEWS_SENTIMENT, "news_sentiment", "score", 1, PRC_NEWS, 0, false, false, NULL, "0", "0.35", "0.35",       \
      PRC_LEVEL_TEXT("points of sentiment, -1 to 1, either way (critical: of the mean)"),                       \
      "abs(score) of the article; critical: abs(mean) of the 3 or more articles of 60 minutes")                 \
    X(NEWS_CLUSTER, "news_cluster", "articles", 1, PRC_NEWS, 0, false, true, NULL, "0", "5", "0",               \
      PRC_LEVEL_TEXT("articles"),                                                                               \
      "articles in 60 minutes, and ALERT_NEWS_CLUSTER_RATIO times the hourly mean of 7 days")                   \
    X(STALE_FEED, "stale_feed", "intervals", 1, PRC_TO_1H, 20, false, false, NULL, "3", "5", "10",              \
      PRC_LEVEL_TEXT("bar intervals"),                                                                          \
      "time without a bar above the threshold while the market is open, live")
// clang-format on

// The highest severity that is met, >= or, when strict, >.
bool prc_severity_met(const struct prc_thresholds *thresholds, double value, bool strict,
                      enum mf_severity *severity, double *threshold);
double prc_lowest_level(const struct prc_thresholds *thresholds); // that is on; INFINITY = none

// Rules that may trigger on the bar: a superset, found by comparing sizes with config->lowest.
uint32_t prc_rules_worth(const struct prc_rule_config *config, const struct prc_values *values,
                         const struct prc_bar *bar, enum mf_interval interval);
// What volume says of the market; false in a thin one.
bool prc_is_liquid(const struct prc_rule_config *config, const struct prc_values *values,
                   const struct prc_bar *bar, enum mf_asset_class asset_class);
int64_t prc_cooldown_us(enum prc_rule rule, const struct prc_rule_config *config, enum mf_interval interval);
// Hygiene of one rule; at most two transitions.
size_t prc_rule_step(enum prc_rule rule, const struct prc_verdict *verdict, const struct prc_bar *bar,
                     int64_t cooldown_us, struct prc_rule_states *states,
                     struct prc_transition transitions[2]);

#endif
