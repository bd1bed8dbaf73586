// SPDX-License-Identifier: Apache-2.0
// ALERT_* settings: thresholds per rule and severity, liquidity, cooldown, news; which of them cannot be
// meant, and which decide a rule's version.
#include <math.h>
#include <stdio.h>

#include "common/hash.h"
#include "services/processor/rules_table.h"

#define LEVEL(stem, severity, value, per, text)                                                 \
    {                                                                                           \
        .name = "ALERT_" stem "_" severity, .type = MF_SETTING_DECIMAL, .default_value = value, \
        .per_interval = per, .min = 0, .max = 1000000, .description = text                      \
    }
#define LEVELS(stem, info, warning, critical, per, text)                              \
    LEVEL(stem, "INFO", info, per, text), LEVEL(stem, "WARNING", warning, per, text), \
        LEVEL(stem, "CRITICAL", critical, per, text),
#define RULE_LEVELS(rule, id, unit, version, intervals, warmup, liquidity, cooldown, judge, info, warning, \
                    critical, text, formula)                                                               \
    LEVELS(#rule, info, warning, critical, (intervals) != 0, text)

static const struct mf_setting_def defs[] = {
    PRC_RULE_TABLE(RULE_LEVELS)
    // A day moves more than a minute: the daily defaults have rows of their own.
    LEVELS("PRICE_MOVE_1D", "2", "3", "5", false,
           PRC_LEVEL_TEXT("percent")){.name = "ALERT_MIN_VOLUME",
                                      .type = MF_SETTING_DECIMAL,
                                      .default_value = "1000",
                                      .max = 1e12,
                                      .description = "Mean volume of the last 20 bars below which bar rules "
                                                     "stay silent (crypto: times ALERT_MIN_PRICE, "
                                                     "in money)."},
    {.name = "ALERT_MIN_PRICE",
     .type = MF_SETTING_DECIMAL,
     .default_value = "1",
     .max = 1e9,
     .description = "Close below which bar rules stay silent for stocks and options."},
    {.name = "ALERT_COOLDOWN_MS",
     .type = MF_SETTING_INTEGER,
     .default_value = "900000",
     .max = 86400000,
     .description =
         "Event time in ms for which an intraday rule stays quiet after firing unless the severity rises."},
    {.name = "ALERT_NEWS_KEYWORDS",
     .type = MF_SETTING_LIST,
     .default_value = "earnings,guidance,SEC,recall,merger,halt,bankruptcy,downgrade,breach",
     .description = "Words that news_keyword looks for in title and description; whole words, case ignored."},
    {.name = "ALERT_NEWS_CLUSTER_RATIO",
     .type = MF_SETTING_DECIMAL,
     .default_value = "3",
     .max = 1000,
     .description = "Times the hourly mean of seven days that an hour's articles must come to for "
                    "news_cluster; 0 does not ask."},
};

const struct mf_setting_table prc_settings_table_alerts = {"Alerts", defs, MF_ARRAY_LEN(defs)};

static const char *const severity_names[MF_SEVERITY_MAX] = {"INFO", "WARNING", "CRITICAL"};
static const char *const stems[PRC_RULE_MAX] = {
#define STEM(rule, ...) [PRC_RULE_##rule] = #rule,
    PRC_RULE_TABLE(STEM)
#undef STEM
};

#define NAME_SIZE 64

static bool looks_at(enum prc_rule rule, int interval)
{
    return (prc_rules[rule].intervals >> interval & 1) != 0;
}

static bool is_daily_move(enum prc_rule rule, enum mf_interval interval)
{
    return rule == PRC_RULE_PRICE_MOVE && interval == MF_INTERVAL_1D;
}

// The setting that holds for the interval: its own where it was given one that differs, else the general one.
// Returns the value.
static double find_level(const struct mf_settings *settings, enum prc_rule rule, enum mf_interval interval,
                         int severity, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "ALERT_%s%s_%s", stems[rule], is_daily_move(rule, interval) ? "_1D" : "",
             severity_names[severity]);
    double general = mf_settings_decimal(settings, name);
    if (prc_rule_is_news(rule) ||
        is_daily_move(rule, interval)) // an article has no interval, the row only one
        return general;
    double own = mf_settings_decimal_for(settings, name, mf_interval_name(interval));
    if (own != general) {
        char upper[8] = {0};
        const char *text = mf_interval_name(interval);
        for (size_t i = 0; text[i] != '\0' && i + 1 < sizeof(upper); i++)
            upper[i] = (char)(text[i] >= 'a' ? text[i] - 'a' + 'A' : text[i]);
        snprintf(name, NAME_SIZE, "ALERT_%s_%s_%s", stems[rule], upper, severity_names[severity]);
    }
    return own;
}

static struct prc_thresholds thresholds_of(const struct mf_settings *settings, enum prc_rule rule,
                                           enum mf_interval interval)
{
    char name[NAME_SIZE];
    struct prc_thresholds thresholds;
    for (int s = 0; s < MF_SEVERITY_MAX; s++)
        thresholds.level[s] = find_level(settings, rule, interval, s, name);
    return thresholds;
}

// Between which a threshold makes sense, bounds excluded; at others the rule would always hold, or never.
static const struct {
    double above, below; // below 0 = no bound
} bounds[PRC_RULE_MAX] = {
    [PRC_RULE_RSI_EXTREME] = {50, 100}, // its lower side mirrors the upper one: below 50 both would hold
    [PRC_RULE_MTF_CONFLUENCE] = {0, 100},
    [PRC_RULE_PRICE_INTEGRITY] = {1, 0},
};

// What is wrong with one threshold that is not 0; "" = nothing.
static void judge_level(enum prc_rule rule, double level, double lower, char *why, size_t size)
{
    why[0] = '\0';
    if (strcmp(prc_rules[rule].unit, "switch") == 0) {
        if (level != 1)
            snprintf(why, size, "is not 0 (off) or 1 (on)");
    } else if (bounds[rule].below > 0 && (level <= bounds[rule].above || level >= bounds[rule].below)) {
        snprintf(why, size, "is not between %g and %g", bounds[rule].above, bounds[rule].below);
    } else if (level <= bounds[rule].above) {
        snprintf(why, size, "is not above %g", bounds[rule].above);
    } else if (level <= lower) {
        snprintf(why, size, "is not above the threshold of the lower severity, %g", lower);
    }
}

// False after having said what is wrong with a rule's thresholds at an interval.
static bool check_levels(const struct mf_settings *settings, enum prc_rule rule, enum mf_interval interval,
                         struct mf_buf *problems)
{
    double lower = 0;
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        char name[NAME_SIZE], why[96];
        double level = find_level(settings, rule, interval, s, name);
        if (level <= 0)
            continue;
        if (rule == PRC_RULE_NEWS_SENTIMENT && s == MF_SEVERITY_CRITICAL)
            lower = 0; // of the mean, the others of one article
        judge_level(rule, level, lower, why, sizeof(why));
        if (why[0] != '\0') {
            if (prc_rule_is_news(rule))
                mf_buf_addf(problems, "%s: %g %s\n", name, level, why);
            else
                mf_buf_addf(problems, "%s: %g %s (interval %s)\n", name, level, why,
                            mf_interval_name(interval));
            return false;
        }
        lower = level;
    }
    return true;
}

// A threshold given for an interval that the rule does not look at would be silently without effect.
static bool check_interval(const struct mf_settings *settings, enum prc_rule rule, enum mf_interval interval,
                           struct mf_buf *problems)
{
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        char name[NAME_SIZE], general[NAME_SIZE];
        find_level(settings, rule, interval, s, name);
        snprintf(general, sizeof(general), "ALERT_%s_%s", stems[rule], severity_names[s]);
        if (strcmp(name, general) == 0)
            continue;
        mf_buf_addf(problems, "%s: %s does not look at bars of %s\n", name, prc_rules[rule].id,
                    mf_interval_name(interval));
        return false;
    }
    return true;
}

void prc_rule_config_check(const struct mf_settings *settings, struct mf_buf *problems)
{
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        enum prc_rule rule = (enum prc_rule)r;
        bool ok = true;
        for (int i = 0; i < (prc_rule_is_news(rule) ? 1 : MF_INTERVAL_MAX) && ok; i++)
            ok = prc_rule_is_news(rule) || looks_at(rule, i)
                     ? check_levels(settings, rule, (enum mf_interval)i, problems)
                     : check_interval(settings, rule, (enum mf_interval)i, problems);
    }
    const char *const *words = NULL;
    size_t count = mf_settings_list(settings, "ALERT_NEWS_KEYWORDS", &words);
    if (count > PRC_KEYWORDS_MAX)
        mf_buf_addf(problems, "ALERT_NEWS_KEYWORDS: %zu words, at most %d\n", count, PRC_KEYWORDS_MAX);
}

static void mix(uint64_t *hash, const void *data, size_t len)
{
    *hash = *hash * UINT64_C(0x9E3779B97F4A7C15) + mf_hash64(data, len);
}

static void mix_levels(uint64_t *hash, const struct prc_rule_config *config, enum prc_rule rule)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++)
        if (looks_at(rule, i) || (prc_rule_is_news(rule) && i == 0))
            mix(hash, &config->thresholds[rule][i], sizeof(config->thresholds[rule][i]));
}

// What decides a news rule besides its thresholds.
static void mix_news(uint64_t *hash, const struct prc_rule_config *config, enum prc_rule rule)
{
    if (rule == PRC_RULE_NEWS_KEYWORD)
        for (size_t k = 0; k < config->keyword_count; k++)
            mix(hash, config->keywords[k], strlen(config->keywords[k]));
    if (rule == PRC_RULE_NEWS_CLUSTER) {
        mix(hash, &config->cluster_ratio, sizeof(config->cluster_ratio));
        mix(hash, &config->cooldown_us, sizeof(config->cooldown_us));
    }
}

// The version names every setting that decides the rule, those of rules it looks at included.
static void set_version(enum prc_rule rule, struct prc_rule_config *config)
{
    const struct prc_rule_def *def = &prc_rules[rule];
    uint64_t hash = def->version;
    mix_levels(&hash, config, rule);
    mix_news(&hash, config, rule);
    if (def->liquidity) {
        mix(&hash, &config->min_volume, sizeof(config->min_volume));
        mix(&hash, &config->min_price, sizeof(config->min_price));
    }
    if (def->cooldown)
        mix(&hash, &config->cooldown_us, sizeof(config->cooldown_us));
    if (rule == PRC_RULE_MULTI_SIGNAL)
        mix(&hash, &config->thresholds[PRC_RULE_VOLUME_SPIKE][MF_INTERVAL_1M], sizeof(struct prc_thresholds));
    for (int r = PRC_RULE_NEWS_KEYWORD; r <= PRC_RULE_NEWS_CLUSTER && rule == PRC_RULE_NEWS_PRICE_LINK; r++) {
        mix_levels(&hash, config, (enum prc_rule)r);
        mix_news(&hash, config, (enum prc_rule)r);
    }
    snprintf(config->versions[rule], sizeof(config->versions[rule]), "%u.%08x", def->version,
             (unsigned)(hash >> 32));
}

void prc_rule_config_load(const struct mf_settings *settings, struct prc_rule_config *config)
{
    memset(config, 0, sizeof(*config));
    for (int r = 0; r < PRC_RULE_MAX; r++)
        for (int i = 0; i < PRC_RULE_INTERVALS; i++)
            if (looks_at((enum prc_rule)r, i) || prc_rule_is_news((enum prc_rule)r))
                config->thresholds[r][i] = thresholds_of(settings, (enum prc_rule)r, (enum mf_interval)i);
    config->min_volume = mf_settings_decimal(settings, "ALERT_MIN_VOLUME");
    config->min_price = mf_settings_decimal(settings, "ALERT_MIN_PRICE");
    config->cluster_ratio = mf_settings_decimal(settings, "ALERT_NEWS_CLUSTER_RATIO");
    config->cooldown_us = mf_settings_integer(settings, "ALERT_COOLDOWN_MS") * MF_US_PER_MS;
    const char *const *words = NULL;
    config->keyword_count = mf_settings_list(settings, "ALERT_NEWS_KEYWORDS", &words);
    assert(config->keyword_count <= PRC_KEYWORDS_MAX);
    for (size_t k = 0; k < config->keyword_count; k++)
        config->keywords[k] = words[k];
    for (int r = 0; r < PRC_RULE_MAX; r++)
        set_version((enum prc_rule)r, config);
    prc_rule_config_prepare(config);
}

// "1m", "5m to 1mo", "up to 1h", else a list.
static void add_intervals(struct mf_buf *out, unsigned mask)
{
    if (mask == 0) {
        mf_buf_add_c(out, "news");
        return;
    }
    unsigned first = (unsigned)__builtin_ctz(mask), last = 31 - (unsigned)__builtin_clz(mask);
    bool whole = mask == ((2u << last) - 1) - ((1u << first) - 1);
    if (whole && first < last && first == 0) {
        mf_buf_addf(out, "up to %s", mf_interval_name((enum mf_interval)last));
    } else if (whole && last - first > 3) {
        mf_buf_addf(out, "%s to %s", mf_interval_name((enum mf_interval)first),
                    mf_interval_name((enum mf_interval)last));
    } else {
        const char *blank = "";
        for (unsigned i = first; i <= last; i++)
            if ((mask >> i & 1) != 0) {
                mf_buf_addf(out, "%s%s", blank, mf_interval_name((enum mf_interval)i));
                blank = " ";
            }
    }
}

static void markdown_row(struct mf_buf *out, enum prc_rule rule, const char *only,
                         const struct mf_setting_def *level)
{
    const struct prc_rule_def *def = &prc_rules[rule];
    mf_buf_addf(out, "| %s%s | ", def->id, only);
    if (only[0] != '\0')
        mf_buf_add_c(out, "1d");
    else
        add_intervals(out, def->intervals);
    mf_buf_addf(out, " | %s | %s | %s | %s | %s | ", def->formula, def->unit, level[0].default_value,
                level[1].default_value, level[2].default_value);
    if (def->warmup > 0)
        mf_buf_addf(out, "%u", def->warmup);
    mf_buf_addf(out, " | %s | %s |\n", def->liquidity ? "yes" : "no", def->cooldown ? "yes" : "no");
}

void prc_rules_markdown(struct mf_buf *out)
{
    mf_buf_add_c(out,
                 "| rule | bars of | formula | unit | info | warning | critical | from bar | liquidity | "
                 "cooldown |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        markdown_row(out, (enum prc_rule)r, "", &defs[(size_t)r * MF_SEVERITY_MAX]);
        if (r == PRC_RULE_PRICE_MOVE) // its daily row stands behind those of all rules
            markdown_row(out, PRC_RULE_PRICE_MOVE, ", 1d", &defs[(size_t)PRC_RULE_MAX * MF_SEVERITY_MAX]);
    }
}
