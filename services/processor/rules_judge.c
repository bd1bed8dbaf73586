// SPDX-License-Identifier: Apache-2.0
// The verdict of each bar rule: pure functions of one bar's values. Each measure is written once and used
// twice: by the quick look at a bar, on which most rules have nothing to say, and by the verdict.
#include <float.h>
#include <math.h>

#include "services/processor/rules_table.h"

// Bounds of the regimes themselves (docs/indicators.md), which no setting moves.
#define VOL_REGIME_LOW 0.5
#define TREND_ADX 25
#define RANGE_ADX 20
#define VOLATILE_ATR_PCT 2.5
#define MTF_INTERVALS_MIN 3

// Measures: false = not known on this bar.

static inline bool field(const struct prc_values *values, enum mf_metric_field name, double *value)
{
    *value = values->v[name];
    return prc_has(values, name);
}

static inline bool measure_price_move(const struct prc_values *values, double *value)
{
    *value = values->v[MF_METRIC_FIELD_RET_1] * 100;
    return prc_has(values, MF_METRIC_FIELD_RET_1) && values->prev_same_session;
}

static inline bool measure_price_move_z(const struct prc_values *values, double *value)
{
    *value = values->move_z;
    return values->has_move_z && values->prev_same_session;
}

// A base of 0 says that there is none.
static inline bool measure_change(double close, double base, double *value)
{
    *value = base > 0 ? 100 * (close / base - 1) : 0;
    return base > 0;
}

static inline bool measure_bollinger(const struct prc_values *values, const struct prc_bar *bar,
                                     double *value)
{
    bool known = values->has_bb && values->bb_sd > 0;
    *value = known ? (bar->close - values->v[MF_METRIC_FIELD_BB_MID]) / values->bb_sd : 0;
    return known;
}

static inline bool measure_mtf(const struct prc_values *values, const struct prc_bar *bar, double *value)
{
    return field(values, MF_METRIC_FIELD_MTF_STRENGTH, value) && values->mtf_count >= MTF_INTERVALS_MIN &&
           (bar->frozen.bits & PRC_FROZEN_FINER_WARM) == 0;
}

// Size of a jump either way: 2 for a doubled and for a halved price.
static inline bool measure_integrity(const struct prc_values *values, const struct prc_bar *bar,
                                     double *value, double *size)
{
    bool known = values->has_prev_close && values->prev_close > 0;
    *value = known ? bar->close / values->prev_close : 1;
    *size = fmax(*value, 1 / *value);
    return known;
}

static inline bool measure_late(const struct prc_bar *bar, double *value)
{
    *value = (double)bar->frozen.late_us / (double)MF_US_PER_MINUTE;
    return bar->frozen.late_us != PRC_NOT_JUDGED;
}

static inline bool vol_regime_changes(const struct prc_values *values)
{
    return values->vol_regime != PRC_VOL_NONE && values->prev_vol_regime != PRC_VOL_NONE &&
           values->vol_regime != values->prev_vol_regime;
}

static inline bool market_regime_changes(const struct prc_values *values)
{
    return values->market_regime != PRC_MARKET_NONE && values->prev_market_regime != PRC_MARKET_NONE &&
           values->market_regime != values->prev_market_regime;
}

static inline bool momentum_has_side(const struct prc_values *values)
{
    return values->momentum == PRC_MOMENTUM_BULLISH || values->momentum == PRC_MOMENTUM_BEARISH;
}

static inline bool momentum_changes(const struct prc_values *values)
{
    return momentum_has_side(values) && values->prev_momentum != PRC_MOMENTUM_NONE &&
           values->momentum != values->prev_momentum;
}

static inline bool signals_agree(const struct prc_values *values)
{
    return momentum_has_side(values) &&
           (values->vol_regime == PRC_VOL_ELEVATED || values->vol_regime == PRC_VOL_HIGH);
}

static inline bool is_new_52w(const struct prc_values *values, const struct prc_bar *bar)
{
    return values->has_prev_52w && (bar->high > values->prev_high_52w || bar->low < values->prev_low_52w);
}

// Shared parts of the verdicts.

static void level(const struct prc_judgement *in, double value, double size, bool strict,
                  enum mf_direction direction, struct prc_verdict *verdict)
{
    verdict->known = true;
    verdict->value = value;
    verdict->holding =
        prc_severity_met(in->thresholds, size, strict, &verdict->severity, &verdict->threshold);
    verdict->triggered = verdict->holding;
    if (verdict->holding)
        verdict->direction = direction;
}

static void both_ways(const struct prc_judgement *in, double value, bool strict, struct prc_verdict *verdict)
{
    level(in, value, fabs(value), strict, value < 0 ? MF_DIRECTION_DOWN : MF_DIRECTION_UP, verdict);
}

static void upwards(const struct prc_judgement *in, double value, struct prc_verdict *verdict)
{
    level(in, value, value, false, MF_DIRECTION_UP, verdict); // a quiet bar is no spike
}

// Only the bar on which the threshold found is passed triggers; the condition holds from then on.
static void crossing(const struct prc_judgement *in, double value, double size, bool has_previous,
                     double previous_size, enum mf_direction direction, struct prc_verdict *verdict)
{
    level(in, value, size, false, direction, verdict);
    verdict->triggered = verdict->holding && has_previous && previous_size < verdict->threshold;
}

// Something happened or stands; which severities it has is a matter of switches.
static void switched(const struct prc_judgement *in, bool stands, double value, double threshold,
                     enum mf_direction direction, struct prc_verdict *verdict)
{
    level(in, value, stands ? 1 : 0, false, direction, verdict);
    verdict->threshold = threshold;
}

// The rules.

static void judge_price_move(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_price_move(in->values, &value))
        both_ways(in, value, false, verdict);
}

static void judge_price_move_z(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_price_move_z(in->values, &value))
        both_ways(in, value, false, verdict);
}

static void judge_velocity(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_change(in->bar->close, in->values->velocity_base, &value))
        both_ways(in, value, false, verdict);
}

static void judge_volume_spike(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (field(in->values, MF_METRIC_FIELD_VOLUME_Z_20, &value))
        upwards(in, value, verdict);
}

static void judge_rel_volume(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (field(in->values, MF_METRIC_FIELD_REL_VOLUME_20, &value))
        upwards(in, value, verdict);
}

static void judge_gap(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    if (in->values->has_gap)
        both_ways(in, in->values->gap_pct, false, verdict);
}

static void judge_vwap_dev(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (field(in->values, MF_METRIC_FIELD_VWAP_DEV_PCT, &value))
        both_ways(in, value, false, verdict);
}

static void judge_vol_regime(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    if (values->vol_regime == PRC_VOL_NONE)
        return;
    bool low = values->vol_regime == PRC_VOL_LOW;
    upwards(in, values->vol_ratio, verdict);
    if (low) { // it has one bound, and is worth no more than a note
        verdict->severity = MF_SEVERITY_INFO;
        verdict->threshold = VOL_REGIME_LOW;
        verdict->triggered = in->thresholds->level[MF_SEVERITY_INFO] > 0;
    }
    verdict->triggered =
        verdict->triggered && values->vol_regime != PRC_VOL_NORMAL && vol_regime_changes(values);
    verdict->holding = values->vol_regime != PRC_VOL_NORMAL;
    verdict->direction = !verdict->holding ? MF_DIRECTION_NONE : low ? MF_DIRECTION_DOWN : MF_DIRECTION_UP;
}

static void judge_vol_regime_atr(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    if (values->has_atr_pct)
        crossing(in, values->atr_pct, values->atr_pct, values->has_prev_atr_pct, values->prev_atr_pct,
                 MF_DIRECTION_UP, verdict);
}

static void judge_market_regime(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    if (values->market_regime == PRC_MARKET_NONE || values->prev_market_regime == PRC_MARKET_NONE)
        return;
    bool is_volatile = values->market_regime == PRC_MARKET_VOLATILE;
    double value = is_volatile ? values->atr_pct : values->v[MF_METRIC_FIELD_ADX_14];
    double threshold = is_volatile                                 ? VOLATILE_ATR_PCT
                       : values->market_regime == PRC_MARKET_RANGE ? RANGE_ADX
                                                                   : TREND_ADX;
    enum mf_direction direction = values->market_regime == PRC_MARKET_TREND_UP     ? MF_DIRECTION_UP
                                  : values->market_regime == PRC_MARKET_TREND_DOWN ? MF_DIRECTION_DOWN
                                                                                   : MF_DIRECTION_NONE;
    switched(in, market_regime_changes(values), value, threshold, direction, verdict);
}

// The lower side mirrors the upper one: 30 is 100 - 70.
static void judge_rsi_extreme(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double rsi = 0;
    if (!field(in->values, MF_METRIC_FIELD_RSI_14, &rsi))
        return;
    bool high = rsi >= 50;
    double previous = in->values->prev_rsi;
    crossing(in, rsi, high ? rsi : 100 - rsi, in->values->has_prev_rsi, high ? previous : 100 - previous,
             high ? MF_DIRECTION_UP : MF_DIRECTION_DOWN, verdict);
    if (verdict->holding && !high)
        verdict->threshold = 100 - verdict->threshold;
}

// Pairs and severities go together: the slower the averages, the graver their crossing.
static void judge_ma_cross(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    static_assert((int)PRC_MA_PAIR_MAX == (int)MF_SEVERITY_MAX, "a severity per pair");
    verdict->known = prc_has(values, MF_METRIC_FIELD_SMA_20);
    for (int pair = PRC_MA_PAIR_MAX - 1; pair >= 0 && !verdict->triggered; pair--) {
        if (values->ma_cross[pair] == 0 || in->thresholds->level[pair] <= 0)
            continue;
        verdict->holding = verdict->triggered = true;
        verdict->severity = (enum mf_severity)pair;
        verdict->direction = values->ma_cross[pair] > 0 ? MF_DIRECTION_UP : MF_DIRECTION_DOWN;
        verdict->value = values->ma_fast[pair];
        verdict->threshold = values->ma_slow[pair];
    }
}

static void judge_momentum(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    if (values->momentum == PRC_MOMENTUM_NONE)
        return;
    double before = in->bar->close - values->momentum_delta;
    bool stands = momentum_has_side(values);
    switched(in, stands, values->momentum_delta * 100 / before, 0,
             values->momentum == PRC_MOMENTUM_BEARISH ? MF_DIRECTION_DOWN : MF_DIRECTION_UP, verdict);
    verdict->triggered = verdict->holding && momentum_changes(values);
}

static void judge_bollinger_break(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_bollinger(in->values, in->bar, &value))
        both_ways(in, value, false, verdict);
}

static void judge_new_52w(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    if (!values->has_prev_52w)
        return;
    bool high = in->bar->high > values->prev_high_52w;
    bool low = !high && in->bar->low < values->prev_low_52w;
    switched(in, high || low, low ? in->bar->low : in->bar->high,
             low ? values->prev_low_52w : values->prev_high_52w, low ? MF_DIRECTION_DOWN : MF_DIRECTION_UP,
             verdict);
}

static void judge_mtf_confluence(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_mtf(in->values, in->bar, &value))
        both_ways(in, value, true, verdict);
}

static void judge_multi_signal(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    const struct prc_values *values = in->values;
    double z = 0;
    if (!field(values, MF_METRIC_FIELD_VOLUME_Z_20, &z) || values->momentum == PRC_MOMENTUM_NONE ||
        values->vol_regime == PRC_VOL_NONE)
        return;
    double spike = prc_lowest_level(&in->config->thresholds[PRC_RULE_VOLUME_SPIKE][in->interval]);
    bool on = isfinite(spike); // no volume spike can be met when all of its severities are off
    switched(in, on && signals_agree(values) && z >= spike, z, on ? spike : 0,
             values->momentum == PRC_MOMENTUM_BEARISH ? MF_DIRECTION_DOWN : MF_DIRECTION_UP, verdict);
}

static void judge_news_price_link(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_change(in->bar->close, in->bar->frozen.news_price, &value))
        both_ways(in, value, false, verdict);
}

static void judge_price_integrity(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0, size = 0;
    if (!measure_integrity(in->values, in->bar, &value, &size))
        return;
    if ((in->bar->frozen.bits & PRC_FROZEN_SPLIT_DAY) != 0)
        size = 1; // explained
    level(in, value, size, true, value > 1 ? MF_DIRECTION_UP : MF_DIRECTION_DOWN, verdict);
}

static void judge_feed_disagree(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_change(in->bar->close, in->bar->frozen.other_close, &value))
        both_ways(in, value, false, verdict);
}

static void judge_late_data(const struct prc_judgement *in, struct prc_verdict *verdict)
{
    double value = 0;
    if (measure_late(in->bar, &value))
        level(in, value, value, true, MF_DIRECTION_NONE, verdict);
}

const struct prc_rule_def prc_rules[PRC_RULE_MAX] = {
#define DEFINITION(rule, id_, unit_, version_, intervals_, warmup_, liquid, cools, judge_, info, warning, \
                   critical, words, formula_)                                                             \
    [PRC_RULE_##rule] = {.id = (id_),                                                                     \
                         .formula = (formula_),                                                           \
                         .unit = (unit_),                                                                 \
                         .version = (version_),                                                           \
                         .intervals = (intervals_),                                                       \
                         .warmup = (warmup_),                                                             \
                         .liquidity = (liquid),                                                           \
                         .cooldown = (cools),                                                             \
                         .judge = (judge_)},
    PRC_RULE_TABLE(DEFINITION)
#undef DEFINITION
};

// Sizes against the lowest thresholds that are on; what decides besides is left to the verdict.
uint32_t prc_rules_worth(const struct prc_rule_config *config, const struct prc_values *values,
                         const struct prc_bar *bar, enum mf_interval interval)
{
    const double *lowest = config->lowest[interval];
    uint32_t worth = 0;
    double value = 0, size = 0;
#define LOOK(rule, known, size) \
    worth |= (uint32_t)((known) && (size) >= lowest[PRC_RULE_##rule]) << PRC_RULE_##rule
    LOOK(PRICE_MOVE, measure_price_move(values, &value), fabs(value));
    LOOK(PRICE_MOVE_Z, measure_price_move_z(values, &value), fabs(value));
    LOOK(VELOCITY, measure_change(bar->close, values->velocity_base, &value), fabs(value));
    LOOK(VOLUME_SPIKE, field(values, MF_METRIC_FIELD_VOLUME_Z_20, &value), value);
    LOOK(MULTI_SIGNAL, signals_agree(values) && field(values, MF_METRIC_FIELD_VOLUME_Z_20, &value), value);
    LOOK(REL_VOLUME, field(values, MF_METRIC_FIELD_REL_VOLUME_20, &value), value);
    LOOK(GAP, values->has_gap, fabs(values->gap_pct));
    LOOK(VWAP_DEV, field(values, MF_METRIC_FIELD_VWAP_DEV_PCT, &value), fabs(value));
    LOOK(VOL_REGIME, vol_regime_changes(values),
         values->vol_regime == PRC_VOL_LOW ? DBL_MAX : values->vol_ratio);
    LOOK(VOL_REGIME_ATR, values->has_atr_pct, values->atr_pct);
    LOOK(MARKET_REGIME, market_regime_changes(values), 1);
    LOOK(RSI_EXTREME, field(values, MF_METRIC_FIELD_RSI_14, &value), value >= 50 ? value : 100 - value);
    LOOK(MA_CROSS, (values->ma_cross[0] | values->ma_cross[1] | values->ma_cross[2]) != 0, 1);
    LOOK(MOMENTUM, momentum_changes(values), 1);
    LOOK(BOLLINGER_BREAK, measure_bollinger(values, bar, &value), fabs(value));
    LOOK(NEW_52W, is_new_52w(values, bar), 1);
    LOOK(MTF_CONFLUENCE, measure_mtf(values, bar, &value), fabs(value));
    LOOK(NEWS_PRICE_LINK, measure_change(bar->close, bar->frozen.news_price, &value), fabs(value));
    LOOK(PRICE_INTEGRITY, measure_integrity(values, bar, &value, &size), size);
    LOOK(FEED_DISAGREE, measure_change(bar->close, bar->frozen.other_close, &value), fabs(value));
    LOOK(LATE_DATA, measure_late(bar, &value), value);
#undef LOOK
    return worth;
}
