// SPDX-License-Identifier: Apache-2.0
// What the tests of the rules share: configurations from the environment, values and bars to judge.
#ifndef TESTS_PRC_RULES_SUPPORT_H
#define TESTS_PRC_RULES_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/processor/rules.h"

// Without keywords, which would be borrowed from settings that are gone.
static inline struct prc_rule_config rules_of(char *const *env)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    struct prc_rule_config config;
    mf_buf_init(&problems, 4096);
    assert_int_equal(mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, &settings, &problems, &err),
                     0);
    prc_rule_config_check(settings, &problems);
    assert_string_equal(mf_buf_c_str(&problems), "");
    prc_rule_config_load(settings, &config);
    mf_buf_free(&problems);
    config.keyword_count = 0;
    mf_settings_free(&settings);
    return config;
}

static inline struct prc_rule_config default_rules(void)
{
    char *env[] = {NULL};
    return rules_of(env);
}

// The interval that a rule's tests use where it looks at several.
static inline enum mf_interval interval_of(enum prc_rule rule)
{
    unsigned mask = prc_rules[rule].intervals;
    bool minute = (mask >> MF_INTERVAL_1M & 1) != 0;
    return minute ? MF_INTERVAL_1M : (mask >> MF_INTERVAL_5M & 1) != 0 ? MF_INTERVAL_5M : MF_INTERVAL_1D;
}

static inline void set(struct prc_values *values, enum mf_metric_field field, double value)
{
    values->present |= UINT64_C(1) << field;
    values->v[field] = value;
}

static inline struct prc_values liquid(void)
{
    struct prc_values values = {.prev_same_session = true};
    set(&values, MF_METRIC_FIELD_VOLUME_MEAN_20, 5000);
    return values;
}

static inline struct prc_bar bar_at(int64_t minute)
{
    return (struct prc_bar){.time_us = minute * MF_US_PER_MINUTE,
                            .end_us = (minute + 1) * MF_US_PER_MINUTE,
                            .high = 100,
                            .low = 100,
                            .close = 100,
                            .volume = 1,
                            .frozen = {.late_us = PRC_NOT_JUDGED}};
}

static inline void make_event(enum prc_rule rule, double x, struct prc_values *values, struct prc_bar *bar)
{
    bool up = x > 0, down = x < 0;
    switch (rule) {
    case PRC_RULE_MA_CROSS:
        set(values, MF_METRIC_FIELD_SMA_20, 100);
        values->ma_cross[PRC_MA_5_20] = (int8_t)x;
        break;
    case PRC_RULE_MOMENTUM:
        values->prev_momentum = PRC_MOMENTUM_NEUTRAL;
        values->momentum = up ? PRC_MOMENTUM_BULLISH : down ? PRC_MOMENTUM_BEARISH : PRC_MOMENTUM_NEUTRAL;
        values->momentum_delta = x;
        break;
    case PRC_RULE_BOLLINGER_BREAK:
        values->has_bb = true;
        values->bb_sd = 1;
        set(values, MF_METRIC_FIELD_BB_MID, 50);
        bar->close = 50 + x;
        break;
    case PRC_RULE_NEW_52W:
        values->has_prev_52w = true;
        values->prev_high_52w = 110;
        values->prev_low_52w = 90;
        bar->high = up ? 111 : 110;
        bar->low = down ? 89 : 90;
        break;
    case PRC_RULE_MTF_CONFLUENCE:
        set(values, MF_METRIC_FIELD_MTF_STRENGTH, x);
        values->mtf_count = 3;
        break;
    case PRC_RULE_MULTI_SIGNAL:
        values->vol_regime = PRC_VOL_HIGH;
        values->momentum = down ? PRC_MOMENTUM_BEARISH : PRC_MOMENTUM_BULLISH;
        set(values, MF_METRIC_FIELD_VOLUME_Z_20, x == 0 ? 0 : 3);
        break;
    case PRC_RULE_NEWS_PRICE_LINK:
        bar->frozen.news_price = 100;
        bar->close = 100 + x;
        break;
    case PRC_RULE_PRICE_INTEGRITY:
        values->has_prev_close = true;
        values->prev_close = 64;
        bar->close = 64 * x;
        break;
    case PRC_RULE_FEED_DISAGREE:
        bar->frozen.other_close = 100;
        bar->close = 100 + x;
        break;
    case PRC_RULE_LATE_DATA: bar->frozen.late_us = (int64_t)(x * 60e6); break;
    default: fail();
    }
}

// Values on which the rule's measure is `x`, in the rule's own unit; switches: 1 = it happens upwards, -1
// downwards, 0 not.
static inline void make(enum prc_rule rule, double x, struct prc_values *values, struct prc_bar *bar)
{
    bool up = x > 0, down = x < 0;
    switch (rule) {
    case PRC_RULE_PRICE_MOVE: set(values, MF_METRIC_FIELD_RET_1, x / 100); break;
    case PRC_RULE_PRICE_MOVE_Z:
        values->has_move_z = true;
        values->move_z = x;
        break;
    case PRC_RULE_VELOCITY:
        values->velocity_base = 100;
        bar->close = 100 + x;
        break;
    case PRC_RULE_VOLUME_SPIKE: set(values, MF_METRIC_FIELD_VOLUME_Z_20, x); break;
    case PRC_RULE_REL_VOLUME: set(values, MF_METRIC_FIELD_REL_VOLUME_20, x); break;
    case PRC_RULE_GAP:
        values->has_gap = true;
        values->gap_pct = x;
        break;
    case PRC_RULE_VWAP_DEV: set(values, MF_METRIC_FIELD_VWAP_DEV_PCT, x); break;
    case PRC_RULE_VOL_REGIME:
        values->vol_ratio = x;
        values->vol_regime = x >= 2     ? PRC_VOL_HIGH
                             : x >= 1.5 ? PRC_VOL_ELEVATED
                             : x <= 0.5 ? PRC_VOL_LOW
                                        : PRC_VOL_NORMAL;
        values->prev_vol_regime = PRC_VOL_NORMAL;
        break;
    case PRC_RULE_VOL_REGIME_ATR:
        values->has_atr_pct = values->has_prev_atr_pct = true;
        values->atr_pct = x;
        break;
    case PRC_RULE_MARKET_REGIME:
        values->prev_market_regime = PRC_MARKET_RANGE;
        values->market_regime = up ? PRC_MARKET_TREND_UP : down ? PRC_MARKET_TREND_DOWN : PRC_MARKET_RANGE;
        set(values, MF_METRIC_FIELD_ADX_14, 30);
        break;
    case PRC_RULE_RSI_EXTREME:
        set(values, MF_METRIC_FIELD_RSI_14, x);
        values->has_prev_rsi = true;
        values->prev_rsi = 50;
        break;
    default: make_event(rule, x, values, bar);
    }
}

#endif
