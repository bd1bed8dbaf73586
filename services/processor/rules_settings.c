// SPDX-License-Identifier: Apache-2.0
// ALERT_* settings: thresholds per rule and severity, liquidity, cooldown, keywords.
#include "services/processor/rules.h"

#include <stdio.h>

#include "common/hash.h"

// X(rule, SETTING STEM, also per interval, info, warning, critical, unit)
#define THRESHOLD_TABLE(X)                                                                       \
    X(PRICE_MOVE, "PRICE_MOVE", true, "0.5", "1", "2", "percent")                                \
    X(VOLUME_SPIKE, "VOLUME_SPIKE", true, "2", "3", "5", "standard deviations")                  \
    X(GAP, "GAP", true, "1", "2", "4", "percent")                                                \
    X(RSI_EXTREME, "RSI_EXTREME", true, "70", "80", "0", "RSI points above; 100 minus it below") \
    X(VWAP_DEV, "VWAP_DEV", true, "1", "2", "3", "percent")                                      \
    X(NEWS_KEYWORD, "NEWS_KEYWORD", false, "1", "2", "4", "distinct keywords")

#define LEVEL(stem, severity, value, per, unit)                                                 \
    {                                                                                           \
        .name = "ALERT_" stem "_" severity, .type = MF_SETTING_DECIMAL, .default_value = value, \
        .per_interval = per, .min = 0, .max = 1000000,                                          \
        .description = "Threshold of this severity in " unit "; 0 switches it off."             \
    }

#define THRESHOLD_DEFS(rule, stem, per, info, warning, critical, unit)                \
    LEVEL(stem, "INFO", info, per, unit), LEVEL(stem, "WARNING", warning, per, unit), \
        LEVEL(stem, "CRITICAL", critical, per, unit),

static const struct mf_setting_def defs[] = {
    THRESHOLD_TABLE(THRESHOLD_DEFS)
    // A day moves more than a minute: the daily defaults have rows of their own.
    LEVEL("PRICE_MOVE_1D", "INFO", "2", false, "percent"),
    LEVEL("PRICE_MOVE_1D", "WARNING", "3", false, "percent"),
    LEVEL("PRICE_MOVE_1D", "CRITICAL", "5", false, "percent"),
    {.name = "ALERT_MIN_VOLUME",
     .type = MF_SETTING_DECIMAL,
     .default_value = "1000",
     .max = 1e12,
     .description =
         "Mean volume of the last 20 bars below which bar rules stay silent (crypto: times ALERT_MIN_PRICE, "
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
};

const struct mf_setting_table prc_settings_table_alerts = {"Alerts", defs, MF_ARRAY_LEN(defs)};

static const char *const severity_names[MF_SEVERITY_MAX] = {"INFO", "WARNING", "CRITICAL"};
static const char *const stems[PRC_RULE_MAX] = {
#define STEM(rule, stem, ...) [PRC_RULE_##rule] = (stem),
    THRESHOLD_TABLE(STEM)
#undef STEM
};

#define NAME_SIZE 64

// Days have price_move thresholds of their own.
static void level_name(enum prc_rule rule, enum mf_interval interval, int severity, char name[NAME_SIZE])
{
    bool daily = rule == PRC_RULE_PRICE_MOVE && interval == MF_INTERVAL_1D;
    snprintf(name, NAME_SIZE, "ALERT_%s%s_%s", stems[rule], daily ? "_1D" : "", severity_names[severity]);
}

static double level_of(const struct mf_settings *settings, enum prc_rule rule, enum mf_interval interval,
                       int severity)
{
    char name[NAME_SIZE];
    level_name(rule, interval, severity, name);
    // An article has no interval, and the daily row is of one only.
    if (rule == PRC_RULE_NEWS_KEYWORD || (rule == PRC_RULE_PRICE_MOVE && interval == MF_INTERVAL_1D))
        return mf_settings_decimal(settings, name);
    return mf_settings_decimal_for(settings, name, mf_interval_name(interval));
}

static struct prc_thresholds thresholds_of(const struct mf_settings *settings, enum prc_rule rule,
                                           enum mf_interval interval)
{
    struct prc_thresholds thresholds;
    for (int s = 0; s < MF_SEVERITY_MAX; s++)
        thresholds.level[s] = level_of(settings, rule, interval, s);
    return thresholds;
}

// RSI is 0 to 100, and its lower side mirrors the upper one: below 50 both would hold at once.
static bool rsi_fits(enum mf_interval interval, const struct prc_thresholds *thresholds,
                     struct mf_buf *problems)
{
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        double level = thresholds->level[s];
        if (level <= 0 || (level > 50 && level < 100))
            continue;
        char name[NAME_SIZE];
        level_name(PRC_RULE_RSI_EXTREME, interval, s, name);
        mf_buf_addf(problems, "%s: %g is not between 50 and 100 (interval %s)\n", name, level,
                    mf_interval_name(interval));
        return false;
    }
    return true;
}

// False after having said what is wrong.
static bool rises(enum prc_rule rule, enum mf_interval interval, const struct prc_thresholds *thresholds,
                  struct mf_buf *problems)
{
    double last = 0;
    for (int s = 0; s < MF_SEVERITY_MAX; s++) {
        double level = thresholds->level[s];
        if (level <= 0)
            continue;
        if (level <= last) {
            char name[NAME_SIZE];
            level_name(rule, interval, s, name);
            mf_buf_addf(problems,
                        "%s: %g is not above the threshold of the lower severity, %g (interval %s)\n", name,
                        level, last, mf_interval_name(interval));
            return false;
        }
        last = level;
    }
    return true;
}

void prc_rule_config_check(const struct mf_settings *settings, struct mf_buf *problems)
{
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        bool ok = true;
        for (int i = 0; i < MF_INTERVAL_MAX && ok; i++) {
            struct prc_thresholds thresholds = thresholds_of(settings, (enum prc_rule)r, (enum mf_interval)i);
            ok = rises((enum prc_rule)r, (enum mf_interval)i, &thresholds, problems) &&
                 (r != PRC_RULE_RSI_EXTREME || rsi_fits((enum mf_interval)i, &thresholds, problems));
        }
    }
    const char *const *words = NULL;
    size_t count = mf_settings_list(settings, "ALERT_NEWS_KEYWORDS", &words);
    if (count > PRC_KEYWORDS_MAX)
        mf_buf_addf(problems, "ALERT_NEWS_KEYWORDS: %zu words, at most %d\n", count, PRC_KEYWORDS_MAX);
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    return hash * UINT64_C(0x9E3779B97F4A7C15) + mf_hash64(data, len);
}

// The version names every setting that decides the rule: thresholds, and liquidity and cooldown or the words.
static void set_version(enum prc_rule rule, struct prc_rule_config *config)
{
    uint64_t hash = mf_hash64(config->thresholds[rule], sizeof(config->thresholds[rule]));
    if (rule == PRC_RULE_NEWS_KEYWORD) {
        for (size_t k = 0; k < config->keyword_count; k++)
            hash = mix(hash, config->keywords[k], strlen(config->keywords[k]));
    } else {
        hash = mix(hash, &config->min_volume, sizeof config->min_volume);
        hash = mix(hash, &config->min_price, sizeof config->min_price);
        hash = mix(hash, &config->cooldown_us, sizeof config->cooldown_us);
    }
    snprintf(config->versions[rule], sizeof(config->versions[rule]), "1.%08x", (unsigned)(hash >> 32));
}

void prc_rule_config_load(const struct mf_settings *settings, struct prc_rule_config *config)
{
    memset(config, 0, sizeof(*config));
    for (int r = 0; r < PRC_RULE_MAX; r++)
        for (int i = 0; i < MF_INTERVAL_MAX; i++)
            config->thresholds[r][i] = thresholds_of(settings, (enum prc_rule)r, (enum mf_interval)i);
    config->min_volume = mf_settings_decimal(settings, "ALERT_MIN_VOLUME");
    config->min_price = mf_settings_decimal(settings, "ALERT_MIN_PRICE");
    config->cooldown_us = mf_settings_integer(settings, "ALERT_COOLDOWN_MS") * MF_US_PER_MS;
    const char *const *words = NULL;
    config->keyword_count = mf_settings_list(settings, "ALERT_NEWS_KEYWORDS", &words);
    assert(config->keyword_count <= PRC_KEYWORDS_MAX);
    for (size_t k = 0; k < config->keyword_count; k++)
        config->keywords[k] = words[k];
    for (int r = 0; r < PRC_RULE_MAX; r++)
        set_version((enum prc_rule)r, config);
}

static void markdown_row(struct mf_buf *out, enum prc_rule rule, const char *only,
                         const struct mf_setting_def *level)
{
    mf_buf_addf(out, "| %s%s | %s | %s | %s | %s | %s |\n", prc_rules[rule].id, only, prc_rules[rule].formula,
                prc_rules[rule].unit, level[0].default_value, level[1].default_value, level[2].default_value);
}

void prc_rules_markdown(struct mf_buf *out)
{
    mf_buf_add_c(
        out,
        "| rule | formula | unit | info | warning | critical |\n| --- | --- | --- | --- | --- | --- |\n");
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        markdown_row(out, (enum prc_rule)r, "", &defs[(size_t)r * MF_SEVERITY_MAX]);
        if (r == PRC_RULE_PRICE_MOVE) // its daily row stands behind those of all rules
            markdown_row(out, PRC_RULE_PRICE_MOVE, ", 1d", &defs[(size_t)PRC_RULE_MAX * MF_SEVERITY_MAX]);
    }
}
