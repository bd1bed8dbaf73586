// SPDX-License-Identifier: Apache-2.0
// From verdicts to transitions: liquidity, warm-up, and the hygiene of alerts.
#include "services/processor/rules.h"

#include <math.h>

#include "services/processor/rules_table.h"

bool prc_severity_met(const struct prc_thresholds *thresholds, double value, bool strict,
                      enum mf_severity *severity, double *threshold)
{
    bool found = false;
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        double level = thresholds->level[s];
        if (level > 0 && (strict ? value > level : value >= level)) {
            *severity = (enum mf_severity)s;
            *threshold = level;
            found = true;
        }
    }
    return found;
}

bool prc_severity_of(const struct prc_thresholds *thresholds, double value, enum mf_severity *severity,
                     double *threshold)
{
    return prc_severity_met(thresholds, value, false, severity, threshold);
}

double prc_lowest_level(const struct prc_thresholds *thresholds)
{
    double lowest = INFINITY;
    for (int s = 0; s < MF_SEVERITY_MAX; s++)
        if (thresholds->level[s] > 0 && thresholds->level[s] < lowest)
            lowest = thresholds->level[s];
    return lowest;
}

void prc_rule_config_prepare(struct prc_rule_config *config)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        double *lowest = config->lowest[i];
        for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
            bool looks = (prc_rules[r].intervals >> i & 1) != 0;
            lowest[r] = looks ? prc_lowest_level(&config->thresholds[r][i]) : INFINITY;
        }
        if (isfinite(lowest[PRC_RULE_MULTI_SIGNAL])) // its own are switches; its size is that of the spike
            lowest[PRC_RULE_MULTI_SIGNAL] = prc_lowest_level(&config->thresholds[PRC_RULE_VOLUME_SPIKE][i]);
    }
}

void prc_rule_states_index(struct prc_rule_states *states)
{
    states->open = 0;
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++)
        if (states->of[r].open_time_us != 0)
            states->open |= 1u << r;
}

int64_t prc_cooldown_us(enum prc_rule rule, const struct prc_rule_config *config, enum mf_interval interval)
{
    return interval >= MF_INTERVAL_1D || !prc_rules[rule].cooldown ? 0 : config->cooldown_us;
}

// Thin markets make every statistic jump. Coins are counted in money, since one unit may cost 1e-7 or 1e5; fx
// has no volume worth the name.
bool prc_is_liquid(const struct prc_rule_config *config, const struct prc_values *values,
                   const struct prc_bar *bar, enum mf_asset_class asset_class)
{
    if (asset_class == MF_ASSET_FX || asset_class == MF_ASSET_INDEX)
        return true;
    if (!prc_has(values, MF_METRIC_FIELD_VOLUME_MEAN_20))
        return false;
    double mean = values->v[MF_METRIC_FIELD_VOLUME_MEAN_20];
    if (asset_class == MF_ASSET_CRYPTO)
        return mean * bar->close >= config->min_volume * config->min_price;
    return mean >= config->min_volume && bar->close >= config->min_price;
}

// Bars of a warm-up are told late, those of a derived series beside a vendor's are told twice.
static bool may_trigger(const struct prc_bar *bar)
{
    return (bar->flags & MF_FLAG_WARMUP) == 0 && (bar->frozen.bits & PRC_FROZEN_NO_RULES) == 0;
}

struct prc_verdict prc_rule_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_values *values, const struct prc_bar *bar,
                                    enum mf_interval interval, enum mf_asset_class asset_class)
{
    const struct prc_rule_def *def = &prc_rules[rule];
    struct prc_verdict verdict = {0};
    struct prc_judgement in = {config, &config->thresholds[rule][interval], values, bar, interval};
    assert(rule < PRC_RULE_BAR_MAX);
    if ((def->intervals >> interval & 1) != 0)
        def->judge(&in, &verdict);
    if (verdict.triggered &&
        (!may_trigger(bar) || (def->liquidity && !prc_is_liquid(config, values, bar, asset_class))))
        verdict.triggered = false;
    return verdict;
}

static struct prc_transition resolve(enum prc_rule rule, struct prc_rule_states *states,
                                     const struct prc_bar *bar, enum prc_resolution resolution)
{
    struct prc_rule_state *state = &states->of[rule];
    struct prc_transition transition = {
        .rule = rule,
        .key_time_us = prc_time_meant(state->open_time_us),
        .verdict = {.known = true,
                    .severity = (enum mf_severity)state->open_severity,
                    .direction = (enum mf_direction)state->open_direction,
                    .value = state->open_value,
                    .threshold = state->open_threshold},
        .resolution = resolution,
        .resolved_time_us = bar->end_us,
    };
    states->open &= ~(1u << rule);
    state->open_time_us = 0;
    state->clear_bars = 0;
    return transition;
}

static struct prc_transition fire(enum prc_rule rule, struct prc_rule_states *states,
                                  const struct prc_verdict *verdict, const struct prc_bar *bar,
                                  int64_t cooldown_us)
{
    struct prc_rule_state *state = &states->of[rule];
    states->open |= 1u << rule;
    state->open_time_us = prc_time_kept(bar->time_us);
    state->open_value = verdict->value;
    state->open_threshold = verdict->threshold;
    state->open_severity = state->last_severity = (uint8_t)verdict->severity;
    state->open_direction = (uint8_t)verdict->direction;
    state->clear_bars = 0;
    state->cooldown_until_us = cooldown_us > 0 ? prc_time_kept(bar->time_us + cooldown_us) : 0;
    return (struct prc_transition){.rule = rule,
                                   .key_time_us = bar->time_us,
                                   .verdict = *verdict,
                                   .cooldown_until_us = prc_time_meant(state->cooldown_until_us)};
}

static bool is_opposite(const struct prc_rule_state *state, const struct prc_verdict *verdict)
{
    return verdict->holding && verdict->direction != MF_DIRECTION_NONE &&
           state->open_direction != MF_DIRECTION_NONE && verdict->direction != state->open_direction;
}

size_t prc_rule_step(enum prc_rule rule, const struct prc_verdict *verdict, const struct prc_bar *bar,
                     int64_t cooldown_us, struct prc_rule_states *states,
                     struct prc_transition transitions[2])
{
    struct prc_rule_state *state = &states->of[rule];
    size_t count = 0;
    bool open = state->open_time_us != 0;
    bool opposite = open && is_opposite(state, verdict);
    if (open && verdict->holding && !opposite) {
        state->clear_bars = 0;
    } else if (open && (opposite || ++state->clear_bars >= PRC_CLEAR_BARS)) {
        transitions[count++] = resolve(rule, states, bar, PRC_RESOLVED_CLEARED);
        open = false;
    }
    if (!verdict->triggered)
        return count;
    bool rises = (int)verdict->severity > (open ? state->open_severity : state->last_severity);
    bool quiet = state->cooldown_until_us != 0 && bar->time_us < prc_time_meant(state->cooldown_until_us);
    if (open && !rises)
        return count;
    if (!open && quiet && !rises)
        return count;
    if (open)
        transitions[count++] = resolve(rule, states, bar, PRC_RESOLVED_ESCALATED);
    transitions[count++] = fire(rule, states, verdict, bar, cooldown_us);
    return count;
}

// Most bars have nothing open and nothing near a threshold: they touch no state at all.
size_t prc_rules_step(const struct prc_rule_config *config, const struct prc_values *values,
                      const struct prc_bar *bar, enum mf_interval interval, enum mf_asset_class asset_class,
                      struct prc_rule_states *states, struct prc_transition transitions[PRC_TRANSITIONS_MAX])
{
    uint32_t left = states->open;
    size_t count = 0;
    if (may_trigger(bar))
        left |= prc_rules_worth(config, values, bar, interval);
    for (; left != 0; left &= left - 1) {
        enum prc_rule rule = (enum prc_rule)__builtin_ctz(left);
        struct prc_verdict verdict = prc_rule_verdict(rule, config, values, bar, interval, asset_class);
        if (verdict.triggered || (states->open >> rule & 1) != 0)
            count += prc_rule_step(rule, &verdict, bar, prc_cooldown_us(rule, config, interval), states,
                                   transitions + count);
    }
    return count;
}
