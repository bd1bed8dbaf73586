// SPDX-License-Identifier: Apache-2.0
// Alert rules: one table (id, formula, thresholds, liquidity), each row a pure verdict over the values of one
// bar, and the hygiene that turns verdicts into events: firing once, cooldown in event time unless the
// severity rises, resolved after three clear bars. No I/O, no clock; no failure classes.
#ifndef PRC_RULES_H
#define PRC_RULES_H

#include "common/settings.h"
#include "services/processor/indicators.h"

// In the order in which a bar's alerts are published.
enum prc_rule {
    PRC_RULE_PRICE_MOVE,
    PRC_RULE_PRICE_MOVE_Z,
    PRC_RULE_VELOCITY,
    PRC_RULE_VOLUME_SPIKE,
    PRC_RULE_REL_VOLUME,
    PRC_RULE_GAP,
    PRC_RULE_VWAP_DEV,
    PRC_RULE_VOL_REGIME,
    PRC_RULE_VOL_REGIME_ATR,
    PRC_RULE_MARKET_REGIME,
    PRC_RULE_RSI_EXTREME,
    PRC_RULE_MA_CROSS,
    PRC_RULE_MOMENTUM,
    PRC_RULE_BOLLINGER_BREAK,
    PRC_RULE_NEW_52W,
    PRC_RULE_MTF_CONFLUENCE,
    PRC_RULE_MULTI_SIGNAL,
    PRC_RULE_NEWS_PRICE_LINK,
    PRC_RULE_PRICE_INTEGRITY,
    PRC_RULE_FEED_DISAGREE,
    PRC_RULE_LATE_DATA,
    PRC_RULE_BAR_MAX, // rules above look at bars
    PRC_RULE_NEWS_KEYWORD = PRC_RULE_BAR_MAX,
    PRC_RULE_NEWS_SENTIMENT,
    PRC_RULE_NEWS_CLUSTER,
    PRC_RULE_STALE_FEED,
    PRC_RULE_MAX
};

#define PRC_CLEAR_BARS 3
#define PRC_KEYWORDS_MAX 64

// Thresholds per severity; 0 switches a severity off.
struct prc_thresholds {
    double level[MF_SEVERITY_MAX];
};

struct prc_rule_config {
    struct prc_thresholds thresholds[PRC_RULE_MAX][MF_INTERVAL_MAX];
    char versions[PRC_RULE_MAX][16]; // "1.<8 hex of all thresholds of the rule>"
    double min_volume, min_price;
    double cluster_ratio; // news_cluster: times the hourly mean of seven days
    int64_t cooldown_us;
    const char *keywords[PRC_KEYWORDS_MAX]; // borrowed from the settings
    size_t keyword_count;
};

struct prc_rule_def {
    const char *id;
    const char *formula; // for people: docs/rules.md
    const char *unit;    // of value and thresholds: "%", "sd", …
    unsigned version;    // raised when the formula changes
    unsigned intervals;  // bit per enum mf_interval it looks at; 0 = not a bar rule
    unsigned warmup;     // bars before it can be known (n_obs)
    bool liquidity;      // wants ALERT_MIN_VOLUME and ALERT_MIN_PRICE
    bool cooldown;
};
extern const struct prc_rule_def prc_rules[PRC_RULE_MAX];

// The ALERT_* settings, from the rule table's defaults.
extern const struct mf_setting_table prc_settings_table_alerts;
// One line per rule whose thresholds do not rise with the severity, and one for too many keywords.
void prc_rule_config_check(const struct mf_settings *settings, struct mf_buf *problems);
// Settings that pass the check.
void prc_rule_config_load(const struct mf_settings *settings, struct prc_rule_config *config);

// Everything in it that follows from thresholds, liquidity, cooldown and keywords: versions and whatever the
// rules keep ready. After load it has been called; after the codec has read a config, it calls it.
void prc_rule_config_prepare(struct prc_rule_config *config);

struct prc_verdict {
    bool known;     // the rule could be evaluated for this bar
    bool holding;   // its condition stands
    bool triggered; // it may fire on this bar (a crossing, or a standing condition)
    enum mf_severity severity;
    enum mf_direction direction;
    double value, threshold;
};

// The alert of one rule that is open in a series, and what keeps it quiet.
struct prc_rule_state {
    int64_t open_time_us; // event_time of the firing event; 0 = none open
    double open_value, open_threshold;
    int64_t cooldown_until_us;
    uint8_t open_severity, open_direction;
    uint8_t last_severity; // of the last firing, for "unless the severity rises"
    uint8_t clear_bars;
};

enum prc_resolution {
    PRC_NOT_RESOLVED,
    PRC_RESOLVED_CLEARED,
    PRC_RESOLVED_ESCALATED,
    PRC_RESOLVED_CORRECTED
};

// One transition of one alert caused by a bar.
struct prc_transition {
    enum prc_rule rule;
    int64_t key_time_us; // event_time of the firing event
    struct prc_verdict verdict;
    enum prc_resolution resolution; // PRC_NOT_RESOLVED = firing
    int64_t resolved_time_us;
    int64_t cooldown_until_us; // 0 = none
};
#define PRC_TRANSITIONS_MAX (2 * PRC_RULE_BAR_MAX)

struct prc_verdict prc_rule_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_values *values, const struct prc_bar *bar,
                                    enum mf_interval interval, enum mf_asset_class asset_class);

// Evaluates every bar rule; updates states in place; returns the number of transitions (at most
// PRC_TRANSITIONS_MAX), ordered by rule, a resolution before the firing that replaces it.
size_t prc_rules_step(const struct prc_rule_config *config, const struct prc_values *values,
                      const struct prc_bar *bar, enum mf_interval interval, enum mf_asset_class asset_class,
                      struct prc_rule_state states[PRC_RULE_BAR_MAX],
                      struct prc_transition transitions[PRC_TRANSITIONS_MAX]);

// How many distinct keywords of the list stand in the text as whole words (ASCII case folded); their indices
// in `found`.
size_t prc_keywords_match(const struct prc_rule_config *config, struct mf_str text,
                          bool found[PRC_KEYWORDS_MAX]);
// Severity of a value against thresholds; false when below all.
bool prc_severity_of(const struct prc_thresholds *thresholds, double value, enum mf_severity *severity,
                     double *threshold);

// The sentence of an alert. Returns the length.
size_t prc_alert_message(enum prc_rule rule, const char *interval, const struct prc_verdict *verdict,
                         const struct prc_values *values, const struct prc_bar *bar, char *out, size_t size);
// The same for a resolved one.
size_t prc_resolved_message(enum prc_rule rule, const char *interval, enum prc_resolution resolution,
                            char *out, size_t size);
// A firing restated when a correction took its resolution back and its own numbers are out of reach.
size_t prc_standing_message(enum prc_rule rule, const char *interval, char *out, size_t size);
const char *prc_resolution_name(enum prc_resolution resolution); // "cleared", "escalated", "corrected"
// Reference page of the rules with their defaults.
void prc_rules_markdown(struct mf_buf *out);

#endif
