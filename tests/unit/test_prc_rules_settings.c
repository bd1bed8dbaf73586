// SPDX-License-Identifier: Apache-2.0
// ALERT_* settings: per interval, what cannot be meant, which settings a rule's version names.
#include "tests/unit/prc_rules_support.h"

#include <math.h>
#include <stdio.h>

static void test_thresholds_per_interval(void **state)
{
    (void)state;
    char *env[] = {(char[]){"ALERT_PRICE_MOVE_INFO=0.7"},
                   (char[]){"ALERT_PRICE_MOVE_5M_INFO=0.9"},
                   (char[]){"ALERT_PRICE_MOVE_1D_INFO=2.5"},
                   (char[]){"ALERT_VOL_REGIME_ATR_INFO=1.5"},
                   (char[]){"ALERT_VOL_REGIME_ATR_1MO_INFO=9"},
                   (char[]){"ALERT_VOL_REGIME_INFO=0"},
                   (char[]){"ALERT_NEW_52W_1D_INFO=0"},
                   (char[]){"ALERT_STALE_FEED_1H_INFO=2"},
                   (char[]){"ALERT_NEWS_CLUSTER_RATIO=4.5"},
                   (char[]){"ALERT_NEWS_SENTIMENT_CRITICAL=0.2"},
                   NULL};
    struct prc_rule_config config = rules_of(env);
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_1M].level[0] == 0.7);
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_5M].level[0] == 0.9);
    assert_true(config.thresholds[PRC_RULE_PRICE_MOVE][MF_INTERVAL_1D].level[0] == 2.5);
    assert_true(config.thresholds[PRC_RULE_VOL_REGIME_ATR][MF_INTERVAL_1D].level[0] == 1.5);
    assert_true(config.thresholds[PRC_RULE_VOL_REGIME_ATR][MF_INTERVAL_1MO].level[0] == 9);
    assert_true(config.thresholds[PRC_RULE_VOL_REGIME][MF_INTERVAL_1M].level[0] == 0);
    assert_true(config.thresholds[PRC_RULE_NEW_52W][MF_INTERVAL_1D].level[0] == 0);
    assert_true(config.thresholds[PRC_RULE_STALE_FEED][MF_INTERVAL_1H].level[0] == 2);
    assert_true(config.thresholds[PRC_RULE_STALE_FEED][MF_INTERVAL_1M].level[0] == 3);
    assert_true(config.thresholds[PRC_RULE_NEWS_SENTIMENT][0].level[2] == 0.2);
    assert_true(config.cluster_ratio == 4.5);
    // What must be reached, and what never can be.
    assert_true(config.lowest[MF_INTERVAL_5M][PRC_RULE_PRICE_MOVE] == 0.9);
    assert_true(config.lowest[MF_INTERVAL_1M][PRC_RULE_VOL_REGIME] == 2);
    assert_true(isinf(config.lowest[MF_INTERVAL_1D][PRC_RULE_NEW_52W]));
    assert_true(isinf(config.lowest[MF_INTERVAL_1H][PRC_RULE_VELOCITY]));
    assert_true(config.lowest[MF_INTERVAL_1M][PRC_RULE_MULTI_SIGNAL] == 2);
}

// All settings of all rules are there, and the defaults pass the check.
static void test_every_rule_has_its_settings(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < prc_settings_table_alerts.count; i++) {
        const struct mf_setting_def *def = &prc_settings_table_alerts.defs[i];
        for (int r = 0; r < PRC_RULE_MAX; r++)
            for (int s = 0; s < MF_SEVERITY_MAX; s++) {
                char name[64];
                snprintf(name, sizeof(name), "ALERT_%s_%s", prc_rules[r].id,
                         mf_severity_name((enum mf_severity)s));
                for (char *c = name; *c != '\0'; c++)
                    *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
                if (strcmp(name, def->name) != 0)
                    continue;
                found++;
                assert_int_equal(def->per_interval, prc_rules[r].intervals != 0);
            }
    }
    assert_int_equal(found, (size_t)PRC_RULE_MAX * MF_SEVERITY_MAX);
    struct prc_rule_config config = default_rules();
    for (int r = 0; r < PRC_RULE_MAX; r++)
        assert_int_equal(strlen(config.versions[r]), 10); // "1." and 8 digits
}

static void problems_of(char *const *env, char *out, size_t size)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 8192);
    assert_int_equal(mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, &settings, &problems, &err),
                     0);
    prc_rule_config_check(settings, &problems);
    snprintf(out, size, "%s", mf_buf_c_str(&problems));
    mf_settings_free(&settings);
    mf_buf_free(&problems);
}

static void test_what_cannot_be_meant(void **state)
{
    (void)state;
    static const struct {
        char text[64];
        const char *problem; // the whole list
    } rows[] = {
        {"ALERT_GAP_WARNING=0.5",
         "ALERT_GAP_WARNING: 0.5 is not above the threshold of the lower severity, 1 (interval 1s)\n"},
        {"ALERT_GAP_1D_WARNING=0.5",
         "ALERT_GAP_1D_WARNING: 0.5 is not above the threshold of the lower severity, 1 (interval 1d)\n"},
        {"ALERT_PRICE_MOVE_1D_CRITICAL=3", "ALERT_PRICE_MOVE_1D_CRITICAL: 3 is not above the threshold of "
                                           "the lower severity, 3 (interval 1d)\n"},
        {"ALERT_GAP_INFO=0", ""},
        {"ALERT_GAP_WARNING=0", ""},
        {"ALERT_RSI_EXTREME_INFO=20", "ALERT_RSI_EXTREME_INFO: 20 is not between 50 and 100 (interval 1s)\n"},
        {"ALERT_RSI_EXTREME_1H_CRITICAL=100",
         "ALERT_RSI_EXTREME_1H_CRITICAL: 100 is not between 50 and 100 (interval 1h)\n"},
        {"ALERT_RSI_EXTREME_INFO=50", "ALERT_RSI_EXTREME_INFO: 50 is not between 50 and 100 (interval 1s)\n"},
        {"ALERT_NEW_52W_INFO=2", "ALERT_NEW_52W_INFO: 2 is not 0 (off) or 1 (on) (interval 1d)\n"},
        {"ALERT_MA_CROSS_1H_WARNING=0.5",
         "ALERT_MA_CROSS_1H_WARNING: 0.5 is not 0 (off) or 1 (on) (interval 1h)\n"},
        {"ALERT_MULTI_SIGNAL_INFO=1", ""},
        {"ALERT_MARKET_REGIME_CRITICAL=1", ""},
        {"ALERT_MTF_CONFLUENCE_INFO=100",
         "ALERT_MTF_CONFLUENCE_INFO: 100 is not between 0 and 100 (interval 1m)\n"},
        {"ALERT_PRICE_INTEGRITY_CRITICAL=1",
         "ALERT_PRICE_INTEGRITY_CRITICAL: 1 is not above 1 (interval 1s)\n"},
        {"ALERT_VELOCITY_1D_INFO=2", "ALERT_VELOCITY_1D_INFO: velocity does not look at bars of 1d\n"},
        {"ALERT_STALE_FEED_4H_INFO=1", "ALERT_STALE_FEED_4H_INFO: stale_feed does not look at bars of 4h\n"},
        {"ALERT_NEWS_SENTIMENT_INFO=0.4",
         "ALERT_NEWS_SENTIMENT_WARNING: 0.35 is not above the threshold of the lower severity, 0.4\n"},
        {"ALERT_NEWS_SENTIMENT_CRITICAL=0.1", ""}, // of the mean: a measure of its own
        {"ALERT_NEWS_KEYWORD_WARNING=1",
         "ALERT_NEWS_KEYWORD_WARNING: 1 is not above the threshold of the lower severity, 1\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[64], problems[8192];
        memcpy(text, rows[i].text, sizeof(text));
        char *env[] = {text, NULL};
        problems_of(env, problems, sizeof(problems));
        assert_string_equal(problems, rows[i].problem);
    }
    char words[512], problems[8192];
    int len = snprintf(words, sizeof(words), "ALERT_NEWS_KEYWORDS=w");
    for (int i = 0; i < PRC_KEYWORDS_MAX; i++)
        len += snprintf(words + len, sizeof(words) - (size_t)len, ",w");
    char *env[] = {words, NULL};
    problems_of(env, problems, sizeof(problems));
    assert_string_equal(problems, "ALERT_NEWS_KEYWORDS: 65 words, at most 64\n");
    words[strlen(words) - 2] = '\0'; // 64 are allowed
    problems_of(env, problems, sizeof(problems));
    assert_string_equal(problems, "");
}

static bool changes(const char *setting, enum prc_rule rule)
{
    char text[96];
    snprintf(text, sizeof(text), "%s", setting);
    char *env[] = {text, NULL};
    struct prc_rule_config plain = default_rules(), config = rules_of(env);
    return strcmp(plain.versions[rule], config.versions[rule]) != 0;
}

static void test_versions_name_what_decides(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        enum prc_rule yes[6], no[4]; // MAX ends
    } rows[] = {
        {"ALERT_PRICE_MOVE_5M_INFO=0.6", {PRC_RULE_PRICE_MOVE, PRC_RULE_MAX}, {PRC_RULE_GAP, PRC_RULE_MAX}},
        {"ALERT_MIN_VOLUME=2000",
         {PRC_RULE_GAP, PRC_RULE_NEWS_PRICE_LINK, PRC_RULE_MAX},
         {PRC_RULE_NEWS_KEYWORD, PRC_RULE_PRICE_INTEGRITY, PRC_RULE_STALE_FEED, PRC_RULE_MAX}},
        {"ALERT_MIN_PRICE=2",
         {PRC_RULE_MULTI_SIGNAL, PRC_RULE_MAX},
         {PRC_RULE_LATE_DATA, PRC_RULE_NEWS_CLUSTER, PRC_RULE_MAX}},
        {"ALERT_COOLDOWN_MS=1000",
         {PRC_RULE_GAP, PRC_RULE_PRICE_INTEGRITY, PRC_RULE_NEWS_CLUSTER, PRC_RULE_NEWS_PRICE_LINK,
          PRC_RULE_MAX},
         {PRC_RULE_NEWS_KEYWORD, PRC_RULE_NEWS_SENTIMENT, PRC_RULE_STALE_FEED, PRC_RULE_MAX}},
        {"ALERT_VOLUME_SPIKE_1M_INFO=2.5",
         {PRC_RULE_VOLUME_SPIKE, PRC_RULE_MULTI_SIGNAL, PRC_RULE_MAX},
         {PRC_RULE_REL_VOLUME, PRC_RULE_MAX}},
        {"ALERT_VOLUME_SPIKE_5M_INFO=2.5",
         {PRC_RULE_VOLUME_SPIKE, PRC_RULE_MAX},
         {PRC_RULE_MULTI_SIGNAL, PRC_RULE_MAX}},
        {"ALERT_NEWS_KEYWORDS=fire",
         {PRC_RULE_NEWS_KEYWORD, PRC_RULE_NEWS_PRICE_LINK, PRC_RULE_MAX},
         {PRC_RULE_NEWS_CLUSTER, PRC_RULE_GAP, PRC_RULE_MAX}},
        {"ALERT_NEWS_CLUSTER_RATIO=2",
         {PRC_RULE_NEWS_CLUSTER, PRC_RULE_NEWS_PRICE_LINK, PRC_RULE_MAX},
         {PRC_RULE_NEWS_SENTIMENT, PRC_RULE_NEWS_KEYWORD, PRC_RULE_MAX}},
        {"ALERT_NEWS_SENTIMENT_WARNING=0.3",
         {PRC_RULE_NEWS_SENTIMENT, PRC_RULE_NEWS_PRICE_LINK, PRC_RULE_MAX},
         {PRC_RULE_NEWS_CLUSTER, PRC_RULE_MAX}},
        {"ALERT_STALE_FEED_INFO=2", {PRC_RULE_STALE_FEED, PRC_RULE_MAX}, {PRC_RULE_LATE_DATA, PRC_RULE_MAX}},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        for (size_t k = 0; rows[i].yes[k] != PRC_RULE_MAX; k++)
            assert_true(changes(rows[i].setting, rows[i].yes[k]));
        for (size_t k = 0; rows[i].no[k] != PRC_RULE_MAX; k++)
            assert_false(changes(rows[i].setting, rows[i].no[k]));
    }
}

static void test_reference_page(void **state)
{
    (void)state;
    struct mf_buf page;
    mf_buf_init(&page, (size_t)64 * 1024);
    prc_rules_markdown(&page);
    const char *text = mf_buf_c_str(&page);
    assert_false(page.overflow);
    for (int r = 0; r < PRC_RULE_MAX; r++) {
        char start[64];
        snprintf(start, sizeof(start), "\n| %s | ", prc_rules[r].id);
        assert_non_null(strstr(text, start));
    }
    static const char *const parts[] = {"\n| price_move, 1d | 1d | ",
                                        "\n| velocity | 1m 5m | ",
                                        "\n| vwap_dev | up to 4h | ",
                                        "\n| ma_cross | 5m to 1mo | ",
                                        "\n| news_keyword | news | ",
                                        "\n| gap | up to 1mo | ",
                                        "| % | 0.5 | 1 | 2 | 2 | yes | yes |\n",
                                        "| min | 15 | 2880 | 0 | 1 | no | yes |\n"};
    for (size_t i = 0; i < MF_ARRAY_LEN(parts); i++)
        assert_non_null(strstr(text, parts[i]));
    mf_buf_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_per_interval), cmocka_unit_test(test_every_rule_has_its_settings),
        cmocka_unit_test(test_what_cannot_be_meant),    cmocka_unit_test(test_versions_name_what_decides),
        cmocka_unit_test(test_reference_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
