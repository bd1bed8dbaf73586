// SPDX-License-Identifier: Apache-2.0
// Why a rule fired on a bar or did not: the same verdict and the same hygiene as the fold's, put into words.
#include <math.h>
#include <stdio.h>

#include "services/processor/rules_table.h"

struct case_at_hand {
    enum prc_rule rule;
    const struct prc_rule_config *config;
    const struct prc_values *values;
    const struct prc_bar *bar;
    enum mf_interval interval;
    enum mf_asset_class asset_class;
    uint32_t n_obs;
    struct prc_verdict verdict;
    struct mf_buf *out;
};

static const struct prc_rule_def *def_of(const struct case_at_hand *c)
{
    return &prc_rules[c->rule];
}

static bool looks_at(const struct case_at_hand *c)
{
    return (def_of(c)->intervals >> c->interval & 1) != 0;
}

static const char *why_no_volume(const struct prc_values *values, const struct prc_bar *bar)
{
    if (!prc_has(values, MF_METRIC_FIELD_VOLUME_MEAN_20))
        return "fewer than 20 of the bars behind it traded";
    return bar->volume <= 0 ? "the bar has no volume" : "the previous 20 volumes do not differ";
}

// What the rule misses although the series is long enough.
static const char *what_is_missing(const struct case_at_hand *c)
{
    const struct prc_values *values = c->values;
    switch (c->rule) {
    case PRC_RULE_PRICE_MOVE:
    case PRC_RULE_PRICE_MOVE_Z:
        return !values->prev_same_session ? "the bar before belongs to another session"
                                          : "the 20 returns before do not differ";
    case PRC_RULE_VELOCITY: return "no bar of the session is 5 minutes older";
    case PRC_RULE_VOLUME_SPIKE:
    case PRC_RULE_REL_VOLUME: return why_no_volume(values, c->bar);
    case PRC_RULE_GAP: return "it is not a session's first regular bar after another session's";
    case PRC_RULE_VWAP_DEV: return "nothing has traded in the session so far";
    case PRC_RULE_VOL_REGIME: return "the four windows before have no volatility";
    case PRC_RULE_MTF_CONFLUENCE:
        return (c->bar->frozen.bits & PRC_FROZEN_FINER_WARM) != 0
                   ? "a finer interval is warm and speaks for the group"
                   : "fewer than 3 intervals are warm";
    case PRC_RULE_MULTI_SIGNAL:
        return prc_has(values, MF_METRIC_FIELD_VOLUME_Z_20) ? "the volatility regime is not known"
                                                            : why_no_volume(values, c->bar);
    case PRC_RULE_NEWS_PRICE_LINK: return "no news alert in the 30 minutes before the bar's end";
    case PRC_RULE_FEED_DISAGREE: return "no other provider had this bar when it was folded";
    case PRC_RULE_LATE_DATA: return "the arrival says nothing here: not live, warm-up or delayed";
    default: return "its statistics are not there";
    }
}

static void say_known(const struct case_at_hand *c)
{
    const struct prc_rule_def *def = def_of(c);
    if (!looks_at(c))
        mf_buf_addf(c->out, "known       no: %s does not look at bars of %s\n", def->id,
                    mf_interval_name(c->interval));
    else if (c->verdict.known)
        mf_buf_addf(c->out, "known       yes: bar %u of the series\n", c->n_obs);
    else if (c->n_obs < def->warmup)
        mf_buf_addf(c->out, "known       no: warm-up, bar %u of the series, it begins with bar %u\n",
                    c->n_obs, def->warmup);
    else
        mf_buf_addf(c->out, "known       no: %s\n", what_is_missing(c));
}

static void say_value(const struct case_at_hand *c)
{
    if (!c->verdict.known)
        return;
    struct mf_alert alert = {.severity = c->verdict.severity};
    bool is_switch = strcmp(def_of(c)->unit, "switch") == 0;
    if (c->rule != PRC_RULE_MA_CROSS || c->verdict.holding) { // without a crossing it has no pair to tell of
        mf_buf_addf(c->out, "value       %.10g%s%s\n", c->verdict.value, is_switch ? "" : " ",
                    is_switch ? "" : def_of(c)->unit);
        prc_alert_baseline(c->rule, c->values, c->bar, &alert);
    }
    if (alert.baseline_count == 0)
        return;
    mf_buf_add_c(c->out, "numbers     ");
    for (size_t i = 0; i < alert.baseline_count; i++)
        mf_buf_addf(c->out, "%s%.*s %.10g", i > 0 ? ", " : "", MF_STR_ARG(alert.baseline[i].name),
                    alert.baseline[i].value);
    mf_buf_add_c(c->out, "\n");
}

static void say_levels(struct mf_buf *out, enum prc_rule rule, const struct prc_thresholds *thresholds)
{
    mf_buf_add_c(out, "thresholds  ");
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        const char *name = mf_severity_name((enum mf_severity)s);
        mf_buf_add_c(out, s > 0 ? ", " : "");
        if (thresholds->level[s] <= 0)
            mf_buf_addf(out, "%s off", name);
        else if (strcmp(prc_rules[rule].unit, "switch") == 0)
            mf_buf_addf(out, "%s on", name);
        else
            mf_buf_addf(out, "%s %g", name, thresholds->level[s]);
    }
    mf_buf_addf(out, "; %s\n", prc_rules[rule].formula);
}

static void say_thresholds(const struct case_at_hand *c)
{
    if (!looks_at(c))
        return;
    say_levels(c->out, c->rule, &c->config->thresholds[c->rule][c->interval]);
    if (!c->verdict.known)
        return;
    if (c->verdict.holding && c->verdict.direction != MF_DIRECTION_NONE)
        mf_buf_addf(c->out, "condition   holds, %s\n", mf_direction_name(c->verdict.direction));
    else
        mf_buf_addf(c->out, "condition   %s\n", c->verdict.holding ? "holds" : "does not hold");
}

static void say_liquidity(const struct case_at_hand *c)
{
    const struct prc_rule_config *config = c->config;
    if (!def_of(c)->liquidity || c->asset_class == MF_ASSET_FX || c->asset_class == MF_ASSET_INDEX) {
        mf_buf_add_c(c->out, "liquidity   not asked for\n");
        return;
    }
    bool liquid = prc_is_liquid(config, c->values, c->bar, c->asset_class);
    mf_buf_addf(c->out, "liquidity   %s: ", liquid ? "enough" : "too little");
    if (!prc_has(c->values, MF_METRIC_FIELD_VOLUME_MEAN_20)) {
        mf_buf_add_c(c->out, "fewer than 20 of the bars behind it traded\n");
        return;
    }
    double mean = c->values->v[MF_METRIC_FIELD_VOLUME_MEAN_20];
    if (c->asset_class == MF_ASSET_CRYPTO)
        mf_buf_addf(c->out, "mean volume %.10g x close %.10g = %.10g, at least %.10g\n", mean, c->bar->close,
                    mean * c->bar->close, config->min_volume * config->min_price);
    else
        mf_buf_addf(c->out, "mean volume %.10g, at least %.10g; close %.10g, at least %.10g\n", mean,
                    config->min_volume, c->bar->close, config->min_price);
}

static void say_standing(const struct case_at_hand *c, const struct prc_rule_state *state)
{
    char time[MF_TIME_TEXT_SIZE];
    if (state->open_time_us != 0)
        mf_buf_addf(c->out, "open        %s since the bar of %s, value %.10g, %u clear bars of %d\n",
                    mf_severity_name((enum mf_severity)state->open_severity),
                    mf_time_format_ms(prc_time_meant(state->open_time_us), time), state->open_value,
                    state->clear_bars, PRC_CLEAR_BARS);
    else
        mf_buf_add_c(c->out, "open        nothing\n");
    if (prc_cooldown_us(c->rule, c->config, c->interval) == 0)
        mf_buf_add_c(c->out, "cooldown    none\n");
    else if (state->cooldown_until_us == 0)
        mf_buf_add_c(c->out, "cooldown    none running\n");
    else
        mf_buf_addf(c->out, "cooldown    until %s, %s; a severity above %s ends it\n",
                    mf_time_format_ms(prc_time_meant(state->cooldown_until_us), time),
                    c->bar->time_us < prc_time_meant(state->cooldown_until_us) ? "running" : "over",
                    mf_severity_name((enum mf_severity)state->last_severity));
}

// Why nothing fired, the first reason that alone would do.
static const char *why_silent(const struct case_at_hand *c, const struct prc_rule_state *before)
{
    const struct prc_verdict *verdict = &c->verdict;
    if (!verdict->known)
        return "it cannot be known";
    if (!isfinite(c->config->lowest[c->interval][c->rule]))
        return "every severity is off";
    if (!verdict->holding)
        return "the condition does not hold";
    if ((c->bar->flags & MF_FLAG_WARMUP) != 0)
        return "bars of a warm-up fire nothing";
    if ((c->bar->frozen.bits & PRC_FROZEN_NO_RULES) != 0)
        return "the provider's own bars of this interval speak for it";
    if (def_of(c)->liquidity && !prc_is_liquid(c->config, c->values, c->bar, c->asset_class))
        return "too little liquidity";
    if (!verdict->triggered)
        return "only the bar on which it begins fires, when a threshold is met";
    if (before->open_time_us != 0)
        return "it is open already, and the severity does not rise";
    return "the cooldown is running, and the severity does not rise";
}

static void say_verdict(const struct case_at_hand *c, const struct prc_rule_state *before,
                        const struct prc_transition *transitions, size_t count)
{
    char text[PRC_MESSAGE_SIZE], time[MF_TIME_TEXT_SIZE];
    bool fires = false;
    for (size_t i = 0; i < count; i++) {
        const struct prc_transition *transition = &transitions[i];
        if (transition->resolution != PRC_NOT_RESOLVED) {
            mf_buf_addf(c->out, "verdict     resolves the alert of %s (%s)\n",
                        mf_time_format_ms(transition->key_time_us, time),
                        prc_resolution_name(transition->resolution));
            continue;
        }
        fires = true;
        prc_alert_message(c->rule, mf_interval_name(c->interval), &transition->verdict, c->values, c->bar,
                          text, sizeof(text));
        mf_buf_addf(c->out, "verdict     fires %s: %s\n", mf_severity_name(transition->verdict.severity),
                    text);
    }
    if (!fires)
        mf_buf_addf(c->out, "verdict     does not fire: %s\n", why_silent(c, before));
}

size_t prc_rule_explain(enum prc_rule rule, const struct prc_rule_config *config,
                        const struct prc_values *values, const struct prc_bar *bar, enum mf_interval interval,
                        enum mf_asset_class asset_class, uint32_t n_obs, const struct prc_rule_states *states,
                        struct mf_buf *out)
{
    assert(rule < PRC_RULE_BAR_MAX);
    struct case_at_hand c = {
        rule,      config,
        values,    bar,
        interval,  asset_class,
        n_obs,     .verdict = prc_rule_verdict(rule, config, values, bar, interval, asset_class),
        .out = out};
    struct prc_rule_states after = *states;
    struct prc_transition transitions[2];
    size_t count =
        prc_rule_step(rule, &c.verdict, bar, prc_cooldown_us(rule, config, interval), &after, transitions);
    mf_buf_addf(out, "rule        %s %s, bar of %s\n", prc_rules[rule].id, config->versions[rule],
                mf_interval_name(interval));
    say_known(&c);
    say_value(&c);
    say_thresholds(&c);
    say_liquidity(&c);
    say_standing(&c, &states->of[rule]);
    say_verdict(&c, &states->of[rule], transitions, count);
    return count;
}

void prc_news_explain(enum prc_rule rule, const struct prc_rule_config *config,
                      const struct prc_news_facts *facts, struct mf_buf *out)
{
    char text[PRC_MESSAGE_SIZE];
    struct prc_verdict verdict = prc_news_verdict(rule, config, facts);
    mf_buf_addf(out, "rule        %s %s\n", prc_rules[rule].id, config->versions[rule]);
    if (rule == PRC_RULE_NEWS_KEYWORD)
        mf_buf_addf(out, "numbers     %zu of %zu watched words: %s\n", facts->words, config->keyword_count,
                    facts->words > 0 ? facts->list : "none");
    else if (rule == PRC_RULE_NEWS_SENTIMENT && !verdict.known)
        mf_buf_addf(out,
                    "known       no: the article has no sentiment for its ticker, or a relevance below %g\n",
                    PRC_NEWS_RELEVANCE_MIN);
    else if (rule == PRC_RULE_NEWS_SENTIMENT)
        mf_buf_addf(
            out, "numbers     score %g; mean %g of the %zu articles of the last 60 minutes (at least %d)\n",
            facts->score, facts->mean, facts->scored, PRC_NEWS_MEAN_MIN);
    else
        mf_buf_addf(
            out, "numbers     %zu distinct articles in 60 minutes; %zu in 7 days, %g per hour, times %g\n",
            facts->hour, facts->week, (double)facts->week / PRC_NEWS_WEEK_HOURS, config->cluster_ratio);
    say_levels(out, rule, &config->thresholds[rule][0]);
    if (!verdict.triggered) {
        mf_buf_add_c(out, "verdict     does not fire: the condition does not hold\n");
        return;
    }
    prc_news_message(rule, &verdict, facts, text, sizeof(text));
    mf_buf_addf(out, "verdict     %s: %s%s\n", mf_severity_name(verdict.severity), text,
                rule == PRC_RULE_NEWS_CLUSTER ? " (said once within the cooldown)" : "");
}

void prc_stale_explain(const struct prc_rule_config *config, enum mf_interval interval,
                       double age_in_intervals, bool steady, struct mf_buf *out)
{
    enum mf_severity severity = MF_SEVERITY_INFO;
    double threshold = 0;
    bool late = prc_stale_severity(config, interval, age_in_intervals, &severity, &threshold);
    mf_buf_addf(out, "rule        %s %s\n", prc_rules[PRC_RULE_STALE_FEED].id,
                config->versions[PRC_RULE_STALE_FEED]);
    mf_buf_addf(out, "value       the last bar is %.10g intervals of %s old\n", age_in_intervals,
                mf_interval_name(interval));
    say_levels(out, PRC_RULE_STALE_FEED, &config->thresholds[PRC_RULE_STALE_FEED][interval]);
    mf_buf_addf(out, "steady      %s: 20 of the last 30 intervals before it must have bars\n",
                steady ? "yes" : "no");
    if (late && steady)
        mf_buf_addf(out, "verdict     %s: above %g (said once per severity)\n", mf_severity_name(severity),
                    threshold);
    else
        mf_buf_addf(out, "verdict     does not fire: %s\n",
                    late ? "the series is too quiet to be missed" : "the last bar is not old enough");
}
