// SPDX-License-Identifier: Apache-2.0
#include "services/processor/rules.h"

#include <math.h>
#include <stdio.h>

static double measure_price_move(const struct prc_values *values, bool *known)
{
    *known = prc_has(values, MF_METRIC_FIELD_RET_1) && values->prev_same_session;
    return *known ? values->v[MF_METRIC_FIELD_RET_1] * 100 : 0;
}

static double measure_volume_spike(const struct prc_values *values, bool *known)
{
    *known = prc_has(values, MF_METRIC_FIELD_VOLUME_Z_20);
    return values->v[MF_METRIC_FIELD_VOLUME_Z_20];
}

static double measure_gap(const struct prc_values *values, bool *known)
{
    *known = values->has_gap;
    return values->gap_pct;
}

static double measure_rsi(const struct prc_values *values, bool *known)
{
    *known = prc_has(values, MF_METRIC_FIELD_RSI_14);
    return values->v[MF_METRIC_FIELD_RSI_14];
}

static double measure_vwap_dev(const struct prc_values *values, bool *known)
{
    *known = prc_has(values, MF_METRIC_FIELD_VWAP_DEV_PCT);
    return values->v[MF_METRIC_FIELD_VWAP_DEV_PCT];
}

const struct prc_rule_def prc_rules[PRC_RULE_MAX] = {
    [PRC_RULE_PRICE_MOVE] = {"price_move",
                             "abs(close / previous close - 1), within one session (1d: across days)", "%",
                             measure_price_move},
    [PRC_RULE_VOLUME_SPIKE] = {"volume_spike",
                               "(volume - mean) / sd of the previous 20 bars that traded, upwards", "sd",
                               measure_volume_spike},
    [PRC_RULE_GAP] = {"gap", "abs(open / previous regular close - 1) on the session's first regular bar", "%",
                      measure_gap},
    [PRC_RULE_RSI_EXTREME] = {"rsi_extreme",
                              "RSI14 crosses the threshold upwards, or 100 - threshold downwards", "RSI",
                              measure_rsi},
    [PRC_RULE_VWAP_DEV] = {"vwap_dev", "abs(close - session VWAP) / session VWAP, intraday", "%",
                           measure_vwap_dev},
    [PRC_RULE_NEWS_KEYWORD] = {"news_keyword",
                               "distinct words of ALERT_NEWS_KEYWORDS in title and description", "words",
                               NULL},
};

bool prc_severity_of(const struct prc_thresholds *thresholds, double value, enum mf_severity *severity,
                     double *threshold)
{
    bool found = false;
    for (int s = 0; s < MF_SEVERITY_MAX; s++)
        if (thresholds->level[s] > 0 && value >= thresholds->level[s]) {
            *severity = (enum mf_severity)s;
            *threshold = thresholds->level[s];
            found = true;
        }
    return found;
}

// Thin markets make every statistic jump. Coins are counted in money, since one unit may cost 1e-7 or 1e5; fx
// has no volume worth the name.
static bool is_liquid(const struct prc_rule_config *config, const struct prc_values *values,
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

static struct prc_verdict verdict_rsi(const struct prc_thresholds *thresholds,
                                      const struct prc_values *values, double rsi)
{
    struct prc_verdict verdict = {.known = true, .value = rsi};
    bool high = rsi >= 50;
    double distance = high ? rsi : 100 - rsi;
    verdict.holding = prc_severity_of(thresholds, distance, &verdict.severity, &verdict.threshold);
    if (!verdict.holding)
        return verdict;
    double previous = high ? values->prev_rsi : 100 - values->prev_rsi;
    verdict.triggered = values->has_prev_rsi && previous < verdict.threshold;
    verdict.direction = high ? MF_DIRECTION_UP : MF_DIRECTION_DOWN;
    if (!high)
        verdict.threshold = 100 - verdict.threshold;
    return verdict;
}

struct prc_verdict prc_rule_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_values *values, const struct prc_bar *bar,
                                    enum mf_interval interval, enum mf_asset_class asset_class)
{
    struct prc_verdict verdict = {0};
    bool known = false;
    double value = prc_rules[rule].measure(values, &known);
    if (!known)
        return verdict;
    const struct prc_thresholds *thresholds = &config->thresholds[rule][interval];
    if (rule == PRC_RULE_RSI_EXTREME) {
        verdict = verdict_rsi(thresholds, values, value);
    } else {
        double size = rule == PRC_RULE_VOLUME_SPIKE ? value : fabs(value); // a quiet bar is no spike
        verdict.known = true;
        verdict.value = value;
        verdict.direction = value > 0 ? MF_DIRECTION_UP : value < 0 ? MF_DIRECTION_DOWN : MF_DIRECTION_NONE;
        verdict.holding = prc_severity_of(thresholds, size, &verdict.severity, &verdict.threshold);
        verdict.triggered = verdict.holding;
    }
    if (!is_liquid(config, values, bar, asset_class) || (bar->flags & MF_FLAG_WARMUP) != 0)
        verdict.triggered = false;
    return verdict;
}

static struct prc_transition resolve(enum prc_rule rule, struct prc_rule_state *state,
                                     const struct prc_bar *bar, enum prc_resolution resolution)
{
    struct prc_transition transition = {
        .rule = rule,
        .key_time_us = state->open_time_us,
        .verdict = {.known = true,
                    .severity = (enum mf_severity)state->open_severity,
                    .direction = (enum mf_direction)state->open_direction,
                    .value = state->open_value,
                    .threshold = state->open_threshold},
        .resolution = resolution,
        .resolved_time_us = bar->end_us,
    };
    state->open_time_us = 0;
    state->clear_bars = 0;
    return transition;
}

static struct prc_transition fire(enum prc_rule rule, struct prc_rule_state *state,
                                  const struct prc_verdict *verdict, const struct prc_bar *bar,
                                  int64_t cooldown_us)
{
    state->open_time_us = bar->time_us;
    state->open_value = verdict->value;
    state->open_threshold = verdict->threshold;
    state->open_severity = state->last_severity = (uint8_t)verdict->severity;
    state->open_direction = (uint8_t)verdict->direction;
    state->clear_bars = 0;
    state->cooldown_until_us = cooldown_us > 0 ? bar->time_us + cooldown_us : 0;
    return (struct prc_transition){.rule = rule,
                                   .key_time_us = bar->time_us,
                                   .verdict = *verdict,
                                   .cooldown_until_us = state->cooldown_until_us};
}

static size_t step_one(enum prc_rule rule, const struct prc_verdict *verdict, const struct prc_bar *bar,
                       int64_t cooldown_us, struct prc_rule_state *state, struct prc_transition *transitions)
{
    size_t count = 0;
    bool open = state->open_time_us != 0;
    if (open && verdict->holding)
        state->clear_bars = 0;
    else if (open && ++state->clear_bars >= PRC_CLEAR_BARS) {
        transitions[count++] = resolve(rule, state, bar, PRC_RESOLVED_CLEARED);
        open = false;
    }
    if (!verdict->triggered)
        return count;
    bool rises = (int)verdict->severity > (open ? state->open_severity : state->last_severity);
    bool quiet = state->cooldown_until_us != 0 && bar->time_us < state->cooldown_until_us;
    if (open && !rises)
        return count;
    if (!open && quiet && !rises)
        return count;
    if (open)
        transitions[count++] = resolve(rule, state, bar, PRC_RESOLVED_ESCALATED);
    transitions[count++] = fire(rule, state, verdict, bar, cooldown_us);
    return count;
}

size_t prc_rules_step(const struct prc_rule_config *config, const struct prc_values *values,
                      const struct prc_bar *bar, enum mf_interval interval, enum mf_asset_class asset_class,
                      struct prc_rule_state states[PRC_RULE_BAR_MAX],
                      struct prc_transition transitions[PRC_TRANSITIONS_MAX])
{
    int64_t cooldown_us = interval >= MF_INTERVAL_1D ? 0 : config->cooldown_us;
    size_t count = 0;
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        struct prc_verdict verdict =
            prc_rule_verdict((enum prc_rule)r, config, values, bar, interval, asset_class);
        count += step_one((enum prc_rule)r, &verdict, bar, cooldown_us, &states[r], transitions + count);
    }
    return count;
}

static char fold_case(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// Letters, digits and every byte of a multi-byte character belong to words.
static bool is_word(char c)
{
    return (fold_case(c) >= 'a' && fold_case(c) <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

static bool contains_word(struct mf_str text, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= text.len; at++) {
        size_t i = 0;
        while (i < len && fold_case(text.data[at + i]) == fold_case(word[i]))
            i++;
        bool starts = at == 0 || !is_word(text.data[at - 1]);
        bool ends = at + len == text.len || !is_word(text.data[at + len]);
        if (i == len && starts && ends)
            return true;
    }
    return false;
}

size_t prc_keywords_match(const struct prc_rule_config *config, struct mf_str text,
                          bool found[PRC_KEYWORDS_MAX])
{
    size_t added = 0;
    for (size_t k = 0; k < config->keyword_count; k++)
        if (!found[k] && contains_word(text, config->keywords[k])) {
            found[k] = true;
            added++;
        }
    return added;
}

const char *prc_resolution_name(enum prc_resolution resolution)
{
    static const char *const names[] = {"", "cleared", "escalated", "corrected"};
    return names[resolution];
}

size_t prc_alert_message(enum prc_rule rule, const char *interval, const struct prc_verdict *verdict,
                         const struct prc_values *values, const struct prc_bar *bar, char *out, size_t size)
{
    const char *way = verdict->direction == MF_DIRECTION_DOWN ? "below" : "above";
    double value = verdict->value;
    int n = 0;
    switch (rule) {
    case PRC_RULE_PRICE_MOVE:
        n = snprintf(out, size, "%s close %g moved %+.2f %% from the previous close %g (threshold %g %%)",
                     interval, bar->close, value, values->prev_close, verdict->threshold);
        break;
    case PRC_RULE_VOLUME_SPIKE:
        n = snprintf(out, size, "%s volume %.15g is %.2f sd above its %u-bar mean %.15g (threshold %g sd)",
                     interval, bar->volume, value, values->volume_n,
                     values->v[MF_METRIC_FIELD_VOLUME_MEAN_20], verdict->threshold);
        break;
    case PRC_RULE_GAP:
        n = snprintf(out, size,
                     "%s open %g gaps %+.2f %% from the previous regular close %g (threshold %g %%)",
                     interval, bar->open, value, values->gap_base, verdict->threshold);
        break;
    case PRC_RULE_RSI_EXTREME:
        n = snprintf(out, size, "%s RSI14 crossed to %.2f, %s %g, from %.2f", interval, value, way,
                     verdict->threshold, values->prev_rsi);
        break;
    case PRC_RULE_VWAP_DEV:
        n = snprintf(out, size, "%s close %g is %.2f %% %s the session VWAP %g (threshold %g %%)", interval,
                     bar->close, fabs(value), way, values->v[MF_METRIC_FIELD_VWAP_SESSION],
                     verdict->threshold);
        break;
    default: assert(false);
    }
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t prc_resolved_message(enum prc_rule rule, const char *interval, enum prc_resolution resolution,
                            char *out, size_t size)
{
    static const char *const why[] = {"", "the condition stayed clear for 3 bars",
                                      "a higher severity replaced it",
                                      "a correction of the bars withdrew it"};
    int n = snprintf(out, size, "%s %s resolved: %s", interval, prc_rules[rule].id, why[resolution]);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t prc_standing_message(enum prc_rule rule, const char *interval, char *out, size_t size)
{
    int n = snprintf(out, size, "%s %s stands again: a correction took its resolution back", interval,
                     prc_rules[rule].id);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
