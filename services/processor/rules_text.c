// SPDX-License-Identifier: Apache-2.0
// What alerts say to people, and the numbers that go with it. One sentence each, with what was compared.
#include <math.h>

#include "services/processor/rules_format.h"
#include "services/processor/rules_table.h"

const char *prc_resolution_name(enum prc_resolution resolution)
{
    static const char *const names[] = {"", "cleared", "escalated", "corrected"};
    return names[resolution];
}

// What a sentence is made of.
struct telling {
    const char *interval;
    const struct prc_verdict *verdict;
    const struct prc_values *values;
    const struct prc_bar *bar;
    const char *way; // "above", "below"
    char *out;
    size_t size;
};

static const unsigned pair_bars[PRC_MA_PAIR_MAX][2] = {{5, 20}, {10, 50}, {50, 200}};

// Prices of the feed with up to 10 digits, what we computed with 6.
static size_t tell_moves(enum prc_rule rule, const struct telling *t)
{
    const struct prc_verdict *verdict = t->verdict;
    const struct prc_values *values = t->values;
    double close = t->bar->close;
    switch (rule) {
    case PRC_RULE_PRICE_MOVE:
        return prc_format(t->out, t->size,
                          "%s close %.10g moved %+.2f %% from the previous close %.10g (threshold %g %%)",
                          t->interval, close, verdict->value, values->prev_close, verdict->threshold);
    case PRC_RULE_PRICE_MOVE_Z:
        return prc_format(
            t->out, t->size,
            "%s close %.10g moved %+.2f %% from the previous close %.10g, %.2f times the sd of the 20 "
            "returns "
            "before (threshold %g)",
            t->interval, close, values->v[MF_METRIC_FIELD_RET_1] * 100, values->prev_close,
            fabs(verdict->value), verdict->threshold);
    case PRC_RULE_VELOCITY:
        return prc_format(t->out, t->size,
                          "%s close %.10g moved %+.2f %% from %.10g 5 minutes before (threshold %g %%)",
                          t->interval, close, verdict->value, values->velocity_base, verdict->threshold);
    case PRC_RULE_GAP:
        return prc_format(
            t->out, t->size,
            "%s open %.10g gaps %+.2f %% from the previous regular close %.10g (threshold %g %%)",
            t->interval, t->bar->open, verdict->value, values->gap_base, verdict->threshold);
    case PRC_RULE_NEWS_PRICE_LINK:
        return prc_format(
            t->out, t->size,
            "%s close %.10g moved %+.2f %% from %.10g before the news within 30 minutes (threshold %g %%)",
            t->interval, close, verdict->value, t->bar->frozen.news_price, verdict->threshold);
    case PRC_RULE_PRICE_INTEGRITY:
        return prc_format(
            t->out, t->size,
            "%s close %.10g is %.4g times the previous close %.10g without a split that day (threshold %g "
            "times, up or down)",
            t->interval, close, verdict->value, values->prev_close, verdict->threshold);
    case PRC_RULE_FEED_DISAGREE:
        return prc_format(
            t->out, t->size, "%s close %.10g is %.2f %% %s the %.10g of another provider (threshold %g %%)",
            t->interval, close, fabs(verdict->value), t->way, t->bar->frozen.other_close, verdict->threshold);
    default: return 0;
    }
}

static size_t tell_levels(enum prc_rule rule, const struct telling *t)
{
    const struct prc_verdict *verdict = t->verdict;
    const struct prc_values *values = t->values;
    double close = t->bar->close, value = verdict->value;
    switch (rule) {
    case PRC_RULE_VOLUME_SPIKE:
        return prc_format(t->out, t->size,
                          "%s volume %.15g is %.2f sd above its %u-bar mean %.15g (threshold %g sd)",
                          t->interval, t->bar->volume, value, values->volume_n,
                          values->v[MF_METRIC_FIELD_VOLUME_MEAN_20], verdict->threshold);
    case PRC_RULE_REL_VOLUME:
        return prc_format(t->out, t->size,
                          "%s volume %.15g is %.2f times its %u-bar mean %.15g (threshold %g)", t->interval,
                          t->bar->volume, value, values->volume_n, values->v[MF_METRIC_FIELD_VOLUME_MEAN_20],
                          verdict->threshold);
    case PRC_RULE_VWAP_DEV:
        return prc_format(t->out, t->size,
                          "%s close %.10g is %.2f %% %s the session VWAP %.6g (threshold %g %%)", t->interval,
                          close, fabs(value), t->way, values->v[MF_METRIC_FIELD_VWAP_SESSION],
                          verdict->threshold);
    case PRC_RULE_BOLLINGER_BREAK:
        return prc_format(t->out, t->size,
                          "%s close %.10g is %.2f sd %s its 20-bar mean %.6g (threshold %g sd)", t->interval,
                          close, fabs(value), t->way, values->v[MF_METRIC_FIELD_BB_MID], verdict->threshold);
    case PRC_RULE_NEW_52W:
        return prc_format(t->out, t->size, "%s %s %.10g is %s the %s %.10g of the 252 bars before",
                          t->interval, verdict->direction == MF_DIRECTION_DOWN ? "low" : "high", value,
                          t->way, verdict->direction == MF_DIRECTION_DOWN ? "lowest" : "highest",
                          verdict->threshold);
    case PRC_RULE_MTF_CONFLUENCE:
        return prc_format(t->out, t->size,
                          "%u intervals up from %s agree on the trend: strength %+.1f %% (threshold %g %%)",
                          values->mtf_count, t->interval, value, verdict->threshold);
    case PRC_RULE_LATE_DATA:
        return prc_format(t->out, t->size, "%s bar arrived %.1f minutes after its end (threshold %g)",
                          t->interval, value, verdict->threshold);
    default: return 0;
    }
}

static size_t tell_changes(enum prc_rule rule, const struct telling *t)
{
    const struct prc_verdict *verdict = t->verdict;
    const struct prc_values *values = t->values;
    double value = verdict->value;
    switch (rule) {
    case PRC_RULE_VOL_REGIME:
        return prc_format(
            t->out, t->size,
            "%s volatility of 15 bars is %.2f times the mean of the four windows before: %s (threshold %g)",
            t->interval, value, prc_vol_regime_name(values->vol_regime), verdict->threshold);
    case PRC_RULE_VOL_REGIME_ATR:
        return prc_format(t->out, t->size,
                          "%s ATR14 rose to %.2f %% of the close %.10g, from %.2f %% (threshold %g %%)",
                          t->interval, value, t->bar->close, values->prev_atr_pct, verdict->threshold);
    case PRC_RULE_MARKET_REGIME:
        return prc_format(t->out, t->size,
                          "%s market turned from %s to %s: ADX14 %.1f, ATR14 %.2f %% of the close",
                          t->interval, prc_market_regime_name(values->prev_market_regime),
                          prc_market_regime_name(values->market_regime), values->v[MF_METRIC_FIELD_ADX_14],
                          values->atr_pct);
    case PRC_RULE_RSI_EXTREME:
        return prc_format(t->out, t->size, "%s RSI14 crossed to %.2f, %s %g, from %.2f", t->interval, value,
                          t->way, verdict->threshold, values->prev_rsi);
    case PRC_RULE_MA_CROSS:
        return prc_format(t->out, t->size, "%s SMA%u %.6g crossed %s SMA%u %.6g", t->interval,
                          pair_bars[verdict->severity][0], value, t->way, pair_bars[verdict->severity][1],
                          verdict->threshold);
    case PRC_RULE_MOMENTUM:
        return prc_format(t->out, t->size,
                          "%s momentum turned %s: close %.10g is %+.2f %% from 15 bars before, 15-minute "
                          "mean %.6g, hourly mean %.6g",
                          t->interval, verdict->direction == MF_DIRECTION_DOWN ? "bearish" : "bullish",
                          t->bar->close, value, values->v[MF_METRIC_FIELD_MA_15M],
                          values->v[MF_METRIC_FIELD_MA_1H]);
    case PRC_RULE_MULTI_SIGNAL:
        return prc_format(t->out, t->size,
                          "%s momentum is %s, volatility %s (%.2f times) and volume %.2f sd above its mean "
                          "(threshold %g sd)",
                          t->interval, verdict->direction == MF_DIRECTION_DOWN ? "bearish" : "bullish",
                          prc_vol_regime_name(values->vol_regime), values->vol_ratio, value,
                          verdict->threshold);
    default: return 0;
    }
}

size_t prc_alert_message(enum prc_rule rule, const char *interval, const struct prc_verdict *verdict,
                         const struct prc_values *values, const struct prc_bar *bar, char *out, size_t size)
{
    struct telling telling = {.interval = interval, .verdict = verdict, .values = values, .bar = bar};
    telling.way = verdict->direction == MF_DIRECTION_DOWN ? "below" : "above";
    telling.out = out;
    telling.size = size;
    size_t len = tell_moves(rule, &telling);
    if (len == 0)
        len = tell_levels(rule, &telling);
    if (len == 0)
        len = tell_changes(rule, &telling);
    assert(len > 0); // every bar rule has its sentence
    return len;
}

size_t prc_news_message(enum prc_rule rule, const struct prc_verdict *verdict,
                        const struct prc_news_facts *facts, char *out, size_t size)
{
    assert(prc_rule_is_news(rule));
    if (rule == PRC_RULE_NEWS_KEYWORD)
        return prc_format(out, size, "news names %s (%zu of the watched words)", facts->list, facts->words);
    if (rule == PRC_RULE_NEWS_CLUSTER)
        return prc_format(out, size, "%zu articles in 60 minutes, %.2f an hour over 7 days (threshold %g)",
                          facts->hour, (double)facts->week / PRC_NEWS_WEEK_HOURS, verdict->threshold);
    if (verdict->severity == MF_SEVERITY_CRITICAL)
        return prc_format(out, size,
                          "mean sentiment of the %zu articles of 60 minutes is %+.2f (threshold %g)",
                          facts->scored, verdict->value, verdict->threshold);
    return prc_format(out, size, "sentiment of the article is %+.2f (threshold %g)", verdict->value,
                      verdict->threshold);
}

size_t prc_stale_message(const char *interval, double age_in_intervals, double threshold,
                         int64_t last_event_time_us, char *out, size_t size)
{
    char time[MF_TIME_TEXT_SIZE];
    return prc_format(out, size, "no %s bar since %s while the market is open: %.1f intervals (threshold %g)",
                      interval, mf_time_format_ms(last_event_time_us, time), age_in_intervals, threshold);
}

size_t prc_resolved_message(enum prc_rule rule, const char *interval, enum prc_resolution resolution,
                            char *out, size_t size)
{
    static const char *const why[] = {"", "the condition is clear", "a higher severity replaced it",
                                      "a correction of the bars withdrew it"};
    if (prc_rule_is_news(rule))
        return prc_format(out, size, "%s resolved: an edit of the article withdrew it", prc_rules[rule].id);
    if (rule == PRC_RULE_STALE_FEED)
        return prc_format(out, size, "%s %s resolved: a newer bar arrived", interval, prc_rules[rule].id);
    return prc_format(out, size, "%s %s resolved: %s", interval, prc_rules[rule].id, why[resolution]);
}

size_t prc_standing_message(enum prc_rule rule, const char *interval, char *out, size_t size)
{
    return prc_format(out, size, "%s %s stands again: a correction took its resolution back", interval,
                      prc_rules[rule].id);
}

static void add(struct mf_alert *alert, const char *name, double value)
{
    if (!(fabs(value) < PRC_STATISTIC_END) || alert->baseline_count == MF_ALERT_BASELINE_MAX)
        return;
    alert->baseline[alert->baseline_count].name = mf_str_of(name);
    alert->baseline[alert->baseline_count++].value = value;
}

static void add_field(struct mf_alert *alert, const char *name, const struct prc_values *values,
                      enum mf_metric_field field)
{
    if (prc_has(values, field))
        add(alert, name, values->v[field]);
}

static void add_volume(struct mf_alert *alert, const struct prc_values *values)
{
    add_field(alert, "mean", values, MF_METRIC_FIELD_VOLUME_MEAN_20);
    add_field(alert, "sd", values, MF_METRIC_FIELD_VOLUME_SD_20);
    add(alert, "n", values->volume_n);
}

static void add_momentum(struct mf_alert *alert, const struct prc_values *values, const struct prc_bar *bar)
{
    add_field(alert, "ma_15m", values, MF_METRIC_FIELD_MA_15M);
    add_field(alert, "ma_1h", values, MF_METRIC_FIELD_MA_1H);
    add(alert, "close_15_bars_before", bar->close - values->momentum_delta);
}

// Rules whose baseline is more than a base and the close.
static void statistics_of(enum prc_rule rule, const struct prc_values *values, const struct prc_bar *bar,
                          struct mf_alert *alert)
{
    switch (rule) {
    case PRC_RULE_VOLUME_SPIKE:
    case PRC_RULE_REL_VOLUME:
        add_volume(alert, values);
        add(alert, "volume", bar->volume);
        break;
    case PRC_RULE_VOL_REGIME:
        add_field(alert, "volatility_15m", values, MF_METRIC_FIELD_VOLATILITY_15M);
        break;
    case PRC_RULE_VOL_REGIME_ATR:
        add(alert, "previous_atr_pct", values->prev_atr_pct);
        add_field(alert, "atr_14", values, MF_METRIC_FIELD_ATR_14);
        add(alert, "close", bar->close);
        break;
    case PRC_RULE_MARKET_REGIME:
        add_field(alert, "adx_14", values, MF_METRIC_FIELD_ADX_14);
        add_field(alert, "plus_di_14", values, MF_METRIC_FIELD_PLUS_DI_14);
        add_field(alert, "minus_di_14", values, MF_METRIC_FIELD_MINUS_DI_14);
        add(alert, "atr_pct", values->atr_pct);
        break;
    case PRC_RULE_MA_CROSS:
        add(alert, "fast_bars", pair_bars[alert->severity][0]);
        add(alert, "slow_bars", pair_bars[alert->severity][1]);
        add(alert, "close", bar->close);
        break;
    case PRC_RULE_MOMENTUM:
        add_momentum(alert, values, bar);
        add(alert, "close", bar->close);
        break;
    case PRC_RULE_BOLLINGER_BREAK:
        add_field(alert, "bb_mid", values, MF_METRIC_FIELD_BB_MID);
        add(alert, "sd", values->bb_sd);
        add(alert, "close", bar->close);
        break;
    case PRC_RULE_MTF_CONFLUENCE:
        add(alert, "intervals", values->mtf_count);
        add(alert, "own_sign", values->mtf_sign);
        add(alert, "other_weights", bar->frozen.mtf_weight);
        add(alert, "other_signed", bar->frozen.mtf_signed);
        break;
    case PRC_RULE_MULTI_SIGNAL:
        add_volume(alert, values);
        add(alert, "volatility_ratio", values->vol_ratio);
        add_momentum(alert, values, bar);
        add(alert, "close", bar->close);
        break;
    default: assert(false);
    }
}

void prc_alert_baseline(enum prc_rule rule, const struct prc_values *values, const struct prc_bar *bar,
                        struct mf_alert *alert)
{
    switch (rule) {
    case PRC_RULE_PRICE_MOVE_Z:
        add(alert, "sd", values->move_sd);
        // fallthrough
    case PRC_RULE_PRICE_MOVE:
    case PRC_RULE_PRICE_INTEGRITY: add(alert, "previous_close", values->prev_close); break;
    case PRC_RULE_VELOCITY: add(alert, "earlier_close", values->velocity_base); break;
    case PRC_RULE_GAP:
        add(alert, "previous_regular_close", values->gap_base);
        add(alert, "open", bar->open);
        return;
    case PRC_RULE_VWAP_DEV: add_field(alert, "vwap", values, MF_METRIC_FIELD_VWAP_SESSION); break;
    case PRC_RULE_RSI_EXTREME: add(alert, "previous_rsi", values->prev_rsi); return;
    case PRC_RULE_NEW_52W:
        add(alert, "previous_high_52w", values->prev_high_52w);
        add(alert, "previous_low_52w", values->prev_low_52w);
        break;
    case PRC_RULE_NEWS_PRICE_LINK: add(alert, "close_before_news", bar->frozen.news_price); break;
    case PRC_RULE_FEED_DISAGREE: add(alert, "other_close", bar->frozen.other_close); break;
    case PRC_RULE_LATE_DATA:
        add(alert, "late_s", (double)bar->frozen.late_us / (double)MF_US_PER_SECOND);
        return;
    default: statistics_of(rule, values, bar, alert); return;
    }
    add(alert, "close", bar->close);
}

void prc_news_baseline(enum prc_rule rule, const struct prc_news_facts *facts, struct mf_alert *alert)
{
    assert(prc_rule_is_news(rule));
    if (rule == PRC_RULE_NEWS_SENTIMENT) {
        add(alert, "score", facts->score);
        add(alert, "mean_60m", facts->mean);
        add(alert, "articles_60m", (double)facts->scored);
    } else if (rule == PRC_RULE_NEWS_CLUSTER) {
        add(alert, "articles_7d", (double)facts->week);
        add(alert, "hourly_mean_7d", (double)facts->week / PRC_NEWS_WEEK_HOURS);
    }
}

void prc_stale_baseline(enum mf_interval interval, double age_in_intervals, struct mf_alert *alert)
{
    double seconds = (double)mf_interval_us(interval) / (double)MF_US_PER_SECOND;
    add(alert, "interval_s", seconds);
    add(alert, "age_s", age_in_intervals * seconds);
}
