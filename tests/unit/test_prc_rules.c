// SPDX-License-Identifier: Apache-2.0
// Verdicts at their thresholds, and the hygiene: fire once, cooldown, escalation, resolution after three
// clear bars.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/processor/rules.h"

static struct prc_rule_config load(char *const *env)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    static struct prc_rule_config config; // keywords borrow from the settings: keep both
    mf_buf_init(&problems, 4096);
    assert_int_equal(mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, &settings, &problems, &err),
                     0);
    prc_rule_config_check(settings, &problems);
    assert_int_equal(problems.len, 0);
    prc_rule_config_load(settings, &config);
    mf_buf_free(&problems);
    struct prc_rule_config copy = config;
    copy.keyword_count = 0;
    mf_settings_free(&settings);
    return copy;
}

static struct prc_rule_config defaults(void)
{
    char *env[] = {NULL};
    return load(env);
}

static struct prc_values liquid(void)
{
    struct prc_values values = {0};
    values.present |= UINT64_C(1) << MF_METRIC_FIELD_VOLUME_MEAN_20;
    values.v[MF_METRIC_FIELD_VOLUME_MEAN_20] = 5000;
    values.prev_same_session = true;
    return values;
}

static void set(struct prc_values *values, enum mf_metric_field field, double value)
{
    values->present |= UINT64_C(1) << field;
    values->v[field] = value;
}

static struct prc_bar bar_at(int64_t minute)
{
    return (struct prc_bar){.time_us = minute * MF_US_PER_MINUTE,
                            .end_us = (minute + 1) * MF_US_PER_MINUTE,
                            .close = 100,
                            .volume = 1};
}

static void test_thresholds_are_inclusive(void **state)
{
    (void)state;
    struct prc_rule_config config = defaults();
    static const struct {
        enum prc_rule rule;
        enum mf_metric_field field;
        enum mf_interval interval;
        double value; // of the field
        int severity; // -1 = does not hold
    } rows[] = {
        {PRC_RULE_PRICE_MOVE, MF_METRIC_FIELD_RET_1, MF_INTERVAL_1M, 0.0049999, -1},
        {PRC_RULE_PRICE_MOVE, MF_METRIC_FIELD_RET_1, MF_INTERVAL_1M, 0.005, MF_SEVERITY_INFO},
        {PRC_RULE_PRICE_MOVE, MF_METRIC_FIELD_RET_1, MF_INTERVAL_1M, -0.01, MF_SEVERITY_WARNING},
        {PRC_RULE_PRICE_MOVE, MF_METRIC_FIELD_RET_1, MF_INTERVAL_1D, -0.01, -1},
        {PRC_RULE_PRICE_MOVE, MF_METRIC_FIELD_RET_1, MF_INTERVAL_1D, 0.05, MF_SEVERITY_CRITICAL},
        {PRC_RULE_VOLUME_SPIKE, MF_METRIC_FIELD_VOLUME_Z_20, MF_INTERVAL_1M, 1.99, -1},
        {PRC_RULE_VOLUME_SPIKE, MF_METRIC_FIELD_VOLUME_Z_20, MF_INTERVAL_1M, 3, MF_SEVERITY_WARNING},
        {PRC_RULE_VOLUME_SPIKE, MF_METRIC_FIELD_VOLUME_Z_20, MF_INTERVAL_1M, -6, -1},
        {PRC_RULE_VWAP_DEV, MF_METRIC_FIELD_VWAP_DEV_PCT, MF_INTERVAL_1M, -3, MF_SEVERITY_CRITICAL},
        {PRC_RULE_VWAP_DEV, MF_METRIC_FIELD_VWAP_DEV_PCT, MF_INTERVAL_1M, 0.99, -1},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        set(&values, rows[i].field, rows[i].value);
        struct prc_verdict verdict =
            prc_rule_verdict(rows[i].rule, &config, &values, &bar, rows[i].interval, MF_ASSET_STOCK);
        assert_true(verdict.known);
        assert_int_equal(verdict.holding, rows[i].severity >= 0);
        assert_int_equal(verdict.triggered, rows[i].severity >= 0);
        if (rows[i].severity >= 0) {
            assert_int_equal(verdict.severity, rows[i].severity);
            assert_int_equal(verdict.direction, rows[i].value > 0 ? MF_DIRECTION_UP : MF_DIRECTION_DOWN);
        }
    }
}

static void test_rsi_fires_on_crossing_only(void **state)
{
    (void)state;
    struct prc_rule_config config = defaults();
    static const struct {
        double previous, now;
        bool holds, fires;
        double threshold;
    } rows[] = {{69, 71, true, true, 70},   {71, 72, true, false, 70}, {79, 81, true, true, 80},
                {31, 29, true, true, 30},   {29, 28, true, false, 30}, {21, 20, true, true, 20},
                {50, 69.9, false, false, 0}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        set(&values, MF_METRIC_FIELD_RSI_14, rows[i].now);
        values.has_prev_rsi = true;
        values.prev_rsi = rows[i].previous;
        struct prc_verdict verdict =
            prc_rule_verdict(PRC_RULE_RSI_EXTREME, &config, &values, &bar, MF_INTERVAL_1D, MF_ASSET_STOCK);
        assert_int_equal(verdict.holding, rows[i].holds);
        assert_int_equal(verdict.triggered, rows[i].fires);
        if (rows[i].holds)
            assert_true(verdict.threshold == rows[i].threshold);
    }
}

static void test_liquidity_and_warmup_silence(void **state)
{
    (void)state;
    struct prc_rule_config config = defaults();
    static const struct {
        enum mf_asset_class asset_class;
        double mean_volume, close;
        unsigned flags;
        bool fires;
    } rows[] = {{MF_ASSET_STOCK, 1000, 1, 0, true},      {MF_ASSET_STOCK, 999, 1, 0, false},
                {MF_ASSET_STOCK, 1000, 0.99, 0, false},  {MF_ASSET_STOCK, 5000, 100, MF_FLAG_WARMUP, false},
                {MF_ASSET_CRYPTO, 0.02, 60000, 0, true}, {MF_ASSET_CRYPTO, 0.01, 60000, 0, false},
                {MF_ASSET_FX, 0, 0.5, 0, true}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        set(&values, MF_METRIC_FIELD_VOLUME_MEAN_20, rows[i].mean_volume);
        set(&values, MF_METRIC_FIELD_RET_1, 0.1);
        bar.close = rows[i].close;
        bar.flags = rows[i].flags;
        struct prc_verdict verdict = prc_rule_verdict(PRC_RULE_PRICE_MOVE, &config, &values, &bar,
                                                      MF_INTERVAL_1M, rows[i].asset_class);
        assert_true(verdict.holding);
        assert_int_equal(verdict.triggered, rows[i].fires);
    }
}

// One price_move per minute; returns how often it fired and resolved.
static void play(const double *moves, size_t count, enum mf_interval interval, int64_t minutes_per_bar,
                 size_t *fired, size_t *cleared, size_t *escalated)
{
    struct prc_rule_config config = defaults();
    struct prc_rule_state states[PRC_RULE_BAR_MAX] = {0};
    *fired = *cleared = *escalated = 0;
    for (size_t i = 0; i < count; i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at((int64_t)(i + 1) * minutes_per_bar);
        struct prc_transition transitions[PRC_TRANSITIONS_MAX];
        set(&values, MF_METRIC_FIELD_RET_1, moves[i] / 100);
        size_t n = prc_rules_step(&config, &values, &bar, interval, MF_ASSET_STOCK, states, transitions);
        for (size_t t = 0; t < n; t++) {
            *fired += transitions[t].resolution == PRC_NOT_RESOLVED;
            *cleared += transitions[t].resolution == PRC_RESOLVED_CLEARED;
            *escalated += transitions[t].resolution == PRC_RESOLVED_ESCALATED;
            if (transitions[t].resolution == PRC_RESOLVED_CLEARED)
                assert_int_equal(transitions[t].resolved_time_us, bar.end_us);
        }
    }
}

static void test_hygiene(void **state)
{
    (void)state;
    static const struct {
        double moves[24];
        size_t count, fired, cleared, escalated;
        enum mf_interval interval;
    } rows[] = {
        {{0.6, 0.6, 0.6, 0.6}, 4, 1, 0, 0, MF_INTERVAL_1M},     // a standing condition fires once
        {{0.6, 0, 0, 0}, 4, 1, 1, 0, MF_INTERVAL_1M},           // three clear bars resolve
        {{0.6, 0, 0, 0.6, 0, 0}, 6, 1, 0, 0, MF_INTERVAL_1M},   // two do not
        {{0.6, 0, 0, 0, 0.6, 0.6}, 6, 1, 1, 0, MF_INTERVAL_1M}, // cooldown keeps it quiet
        {{0.6, 0, 0, 0, 1.5}, 5, 2, 1, 0, MF_INTERVAL_1M},      // unless the severity rises
        {{0.6, 1.5, 2.5}, 3, 3, 0, 2, MF_INTERVAL_1M}, // an open one is replaced by a more severe one
        {{2.5, 1.5, 0.6}, 3, 1, 0, 0, MF_INTERVAL_1M}, // never by a milder one
        {{0.6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.6}, 16, 2, 1, 0, MF_INTERVAL_1M}, // 15 minutes
                                                                                             // later
        {{2.5, 0, 0, 0, 2.5}, 5, 2, 1, 0, MF_INTERVAL_1D}, // a day has no cooldown
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        size_t fired = 0, cleared = 0, escalated = 0;
        play(rows[i].moves, rows[i].count, rows[i].interval, 1, &fired, &cleared, &escalated);
        assert_int_equal(fired, rows[i].fired);
        assert_int_equal(cleared, rows[i].cleared);
        assert_int_equal(escalated, rows[i].escalated);
    }
}

static void test_keywords(void **state)
{
    (void)state;
    struct prc_rule_config config = {.keywords = {"earnings", "SEC", "merger"}, .keyword_count = 3};
    static const struct {
        const char *text;
        size_t found;
    } rows[] = {{"Q3 EARNINGS beat; merger talks", 2},
                {"sector seconds", 0},
                {"the sec, again: SEC", 1},
                {"pre-merger earnings", 2},
                {"earnings\xc3\xa9", 0},
                {"", 0},
                {"SEC", 1},
                {"merger2 xmerger sec", 1}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        bool found[PRC_KEYWORDS_MAX] = {0};
        assert_int_equal(prc_keywords_match(&config, mf_str_of(rows[i].text), found), rows[i].found);
        assert_int_equal(prc_keywords_match(&config, mf_str_of(rows[i].text), found), 0); // counted once
    }
}

static void test_settings(void **state)
{
    (void)state;
    char info[] = "ALERT_PRICE_MOVE_INFO=0.7", five[] = "ALERT_PRICE_MOVE_5M_INFO=0.9";
    char daily[] = "ALERT_PRICE_MOVE_1D_INFO=2.5", gap[] = "ALERT_GAP_WARNING=0.5";
    char rsi[] = "ALERT_RSI_EXTREME_INFO=20", volume[] = "ALERT_MIN_VOLUME=2000";
    char *env[] = {info, five, daily, NULL};
    struct prc_rule_config config = load(env), plain = defaults();
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_1M].level[0] == 0.7);
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_5M].level[0] == 0.9);
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_1D].level[0] == 2.5);
    assert_string_not_equal(config.versions[PRC_RULE_PRICE_MOVE], plain.versions[PRC_RULE_PRICE_MOVE]);
    assert_string_equal(config.versions[PRC_RULE_GAP], plain.versions[PRC_RULE_GAP]);
    char *thinner[] = {volume, NULL};
    config = load(thinner); // decides every bar rule, and no news rule
    assert_string_not_equal(config.versions[PRC_RULE_GAP], plain.versions[PRC_RULE_GAP]);
    assert_string_equal(config.versions[PRC_RULE_NEWS_KEYWORD], plain.versions[PRC_RULE_NEWS_KEYWORD]);
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    char *wrong[] = {gap, rsi, NULL};
    mf_buf_init(&problems, 4096);
    assert_int_equal(
        mf_settings_parse(&prc_settings_table_alerts, 1, wrong, NULL, &settings, &problems, &err), 0);
    prc_rule_config_check(settings, &problems);
    assert_non_null(strstr(mf_buf_c_str(&problems), "ALERT_GAP_WARNING: 0.5 is not above"));
    assert_non_null(strstr(mf_buf_c_str(&problems), "ALERT_RSI_EXTREME_INFO: 20 is not between 50 and 100"));
    assert_null(strstr(mf_buf_c_str(&problems), "ALERT_PRICE_MOVE"));
    mf_settings_free(&settings);
    mf_buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_are_inclusive),
        cmocka_unit_test(test_rsi_fires_on_crossing_only),
        cmocka_unit_test(test_liquidity_and_warmup_silence),
        cmocka_unit_test(test_hygiene),
        cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
