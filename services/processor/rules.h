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

// Rules look at intervals up to a month: of quarters and years there are never enough bars for a rule to be
// warm while its symbol is listed. Part of the codec.
#define PRC_RULE_INTERVALS (MF_INTERVAL_1MO + 1)

// Thresholds per severity; 0 switches a severity off. News rules have those of interval 0 for all.
struct prc_thresholds {
    double level[MF_SEVERITY_MAX];
};

struct prc_rule_config {
    struct prc_thresholds thresholds[PRC_RULE_MAX][MF_INTERVAL_MAX];
    char versions[PRC_RULE_MAX][16]; // "<version>.<8 hex of every setting that decides the rule>"
    double min_volume, min_price;
    double cluster_ratio; // news_cluster: times the hourly mean of seven days
    int64_t cooldown_us;
    const char *keywords[PRC_KEYWORDS_MAX]; // borrowed from the settings
    size_t keyword_count;
    // Made from the above by prc_rule_config_prepare: what a size must reach for a rule to be worth a look;
    // INFINITY where it is off.
    double lowest[MF_INTERVAL_MAX][PRC_RULE_BAR_MAX];
};
// Whoever fills a config otherwise than by prc_rule_config_load (a codec, a test) ends with this.
void prc_rule_config_prepare(struct prc_rule_config *config);

struct prc_judgement { // what a bar rule looks at
    const struct prc_rule_config *config;
    const struct prc_thresholds *thresholds; // of the rule at the interval
    const struct prc_values *values;
    const struct prc_bar *bar;
    enum mf_interval interval;
};
struct prc_verdict;

struct prc_rule_def {
    const char *id;
    const char *formula; // for people: docs/rules.md
    const char *unit;    // of value and thresholds: "%", "sd", …; "switch": 1 = this severity is on
    unsigned version;    // raised when the formula changes
    unsigned intervals;  // bit per enum mf_interval it looks at; 0 = news
    unsigned warmup;     // bars (n_obs) from which it can fire
    bool liquidity;      // wants ALERT_MIN_VOLUME and ALERT_MIN_PRICE
    bool cooldown;
    // Bar rules, else NULL. Pure; fills a zeroed verdict, not regarding liquidity, warm-up flag and cooldown.
    void (*judge)(const struct prc_judgement *in, struct prc_verdict *verdict);
};
extern const struct prc_rule_def prc_rules[PRC_RULE_MAX];

// The ALERT_* settings, from the rule table's defaults.
extern const struct mf_setting_table prc_settings_table_alerts;
// One line per rule whose thresholds cannot be meant (they do not rise with the severity, a switch is neither
// 0 nor 1, an RSI beyond its scale, …), and one for too many keywords.
void prc_rule_config_check(const struct mf_settings *settings, struct mf_buf *problems);
// Settings that pass the check.
void prc_rule_config_load(const struct mf_settings *settings, struct prc_rule_config *config);

struct prc_verdict {
    bool known;                  // the rule could be evaluated
    bool holding;                // its condition stands
    bool triggered;              // it may fire now (a crossing, or a standing condition)
    enum mf_severity severity;   // when triggered
    enum mf_direction direction; // NONE unless holding
    double value, threshold;
};

// A time that may be none, which is 0: the first moment of 1970 is kept as the microsecond after it, which no
// event's time is, since those are whole milliseconds.
static inline int64_t prc_time_kept(int64_t time_us)
{
    return time_us != 0 ? time_us : 1;
}
static inline int64_t prc_time_meant(int64_t kept_us)
{
    return kept_us != 1 ? kept_us : 0;
}

// The alert of one rule that is open in a series, and what keeps it quiet. Both times are kept ones.
struct prc_rule_state {
    int64_t open_time_us; // event_time of the firing event; 0 = none open
    double open_value, open_threshold;
    int64_t cooldown_until_us; // 0 = none
    uint8_t open_severity, open_direction;
    uint8_t last_severity; // of the last firing, for "unless the severity rises"
    uint8_t clear_bars;
};

// All of one series. Zeroed = nothing open.
struct prc_rule_states {
    uint32_t open; // bit per rule: of[rule].open_time_us is not 0
    struct prc_rule_state of[PRC_RULE_BAR_MAX];
};
_Static_assert(PRC_RULE_BAR_MAX <= 32, "a bit per bar rule");
// Sets `open` from the rest, for whoever fills the states otherwise than by prc_rules_step.
void prc_rule_states_index(struct prc_rule_states *states);

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
    bool rule_changed;         // a recompute under another rule version than the one published (series.c)
};
#define PRC_TRANSITIONS_MAX (2 * PRC_RULE_BAR_MAX)

// One rule on one bar, liquidity and warm-up flag regarded, cooldown not.
struct prc_verdict prc_rule_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_values *values, const struct prc_bar *bar,
                                    enum mf_interval interval, enum mf_asset_class asset_class);

// Evaluates every bar rule; updates states in place; returns the number of transitions (at most
// PRC_TRANSITIONS_MAX), ordered by rule, a resolution before the firing that replaces it.
size_t prc_rules_step(const struct prc_rule_config *config, const struct prc_values *values,
                      const struct prc_bar *bar, enum mf_interval interval, enum mf_asset_class asset_class,
                      struct prc_rule_states *states, struct prc_transition transitions[PRC_TRANSITIONS_MAX]);

// In plain lines, why the rule fired on this bar or did not: known or not, value and thresholds, liquidity,
// cooldown, what was open, what it does. states: as they were before the bar. Appends to out; returns the
// number of transitions that the bar makes.
size_t prc_rule_explain(enum prc_rule rule, const struct prc_rule_config *config,
                        const struct prc_values *values, const struct prc_bar *bar, enum mf_interval interval,
                        enum mf_asset_class asset_class, uint32_t n_obs, const struct prc_rule_states *states,
                        struct mf_buf *out);

struct prc_news_facts;
// The same for the rules that look at articles, and for stale_feed as of a heartbeat.
void prc_news_explain(enum prc_rule rule, const struct prc_rule_config *config,
                      const struct prc_news_facts *facts, struct mf_buf *out);
void prc_stale_explain(const struct prc_rule_config *config, enum mf_interval interval,
                       double age_in_intervals, bool steady, struct mf_buf *out);

// Severity of a value against thresholds (value >= threshold); false when below all.
bool prc_severity_of(const struct prc_thresholds *thresholds, double value, enum mf_severity *severity,
                     double *threshold);

static inline bool prc_rule_is_news(enum prc_rule rule)
{
    return rule >= PRC_RULE_NEWS_KEYWORD && rule <= PRC_RULE_NEWS_CLUSTER;
}

// News rules: what is known of an article and of those before it.
struct prc_news_facts {
    size_t words;     // distinct watched words found
    const char *list; // of them, for people: "earnings, merger"; may be cut
    double score;     // prc_news_score; NAN = none
    double mean;      // of the `scored` articles with a score of the last 60 minutes, this one included
    size_t scored;
    size_t hour, week; // distinct articles of the last 60 minutes and 7 days, this one included
};
#define PRC_NEWS_MEAN_MIN 3 // articles that the mean must rest on
#define PRC_NEWS_RELEVANCE_MIN 0.3
#define PRC_NEWS_WEEK_HOURS 168

// How many distinct keywords of the list stand in the text as whole words (ASCII case folded) and were not
// found before; marks them in `found`.
size_t prc_keywords_match(const struct prc_rule_config *config, struct mf_str text,
                          bool found[PRC_KEYWORDS_MAX]);
// -1 (bearish) to 1 (bullish) for the labels of the providers, case ignored; NAN for any other.
double prc_news_label_score(struct mf_str label);
// The article's sentiment for its ticker: score, else label; NAN when it has none or the relevance is given
// and below PRC_NEWS_RELEVANCE_MIN.
double prc_news_score(const struct mf_news *news);
// Pure verdicts; triggered = holding. rule: a news rule.
struct prc_verdict prc_news_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_news_facts *facts);
// Strict: an age of exactly the threshold is not stale. False when not stale.
bool prc_stale_severity(const struct prc_rule_config *config, enum mf_interval interval,
                        double age_in_intervals, enum mf_severity *severity, double *threshold);

// The sentence of an alert. Each returns the length.
size_t prc_alert_message(enum prc_rule rule, const char *interval, const struct prc_verdict *verdict,
                         const struct prc_values *values, const struct prc_bar *bar, char *out, size_t size);
size_t prc_news_message(enum prc_rule rule, const struct prc_verdict *verdict,
                        const struct prc_news_facts *facts, char *out, size_t size);
size_t prc_stale_message(const char *interval, double age_in_intervals, double threshold,
                         int64_t last_event_time_us, char *out, size_t size);
// The same for a resolved one of any rule.
size_t prc_resolved_message(enum prc_rule rule, const char *interval, enum prc_resolution resolution,
                            char *out, size_t size);
// A firing restated when a correction took its resolution back and its own numbers are out of reach.
size_t prc_standing_message(enum prc_rule rule, const char *interval, char *out, size_t size);
#define PRC_MESSAGE_SIZE 512 // enough for every message above
// The numbers behind the verdict, so that the alert can be checked by hand: appends to alert->baseline (names
// are literals), at most MF_ALERT_BASELINE_MAX.
void prc_alert_baseline(enum prc_rule rule, const struct prc_values *values, const struct prc_bar *bar,
                        struct mf_alert *alert);
void prc_news_baseline(enum prc_rule rule, const struct prc_news_facts *facts, struct mf_alert *alert);
// age_s and interval_s.
void prc_stale_baseline(enum mf_interval interval, double age_in_intervals, struct mf_alert *alert);
const char *prc_resolution_name(enum prc_resolution resolution); // "cleared", "escalated", "corrected"
// Reference page of the rules with their defaults.
void prc_rules_markdown(struct mf_buf *out);

#endif
