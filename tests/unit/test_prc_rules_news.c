// SPDX-License-Identifier: Apache-2.0
// Rules over articles and over silence: words, sentiment, clusters, stale feeds.
#include "tests/unit/prc_rules_support.h"

#include <math.h>

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

static void test_scores(void **state)
{
    (void)state;
    static const struct {
        const char *score, *label, *relevance; // NULL = left out
        double wanted;                         // NAN = none
    } rows[] = {
        {"0.35", "neutral", NULL, 0.35},
        {"-1", NULL, "0.3", -1},
        {"0.35", NULL, "0.29999999", NAN},
        {NULL, "Bearish", NULL, -1},
        {NULL, "NEGATIVE", "1", -1},
        {NULL, "Somewhat-Bearish", NULL, -0.5},
        {NULL, "neutral", NULL, 0},
        {NULL, "somewhat-bullish", NULL, 0.5},
        {NULL, "bullish", NULL, 1},
        {NULL, "positive", NULL, 1},
        {NULL, "bullis", NULL, NAN},
        {NULL, "bullish ", NULL, NAN},
        {NULL, "", NULL, NAN},
        {NULL, NULL, NULL, NAN},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_news news = {.sentiment_score = mf_str_of(rows[i].score),
                               .sentiment_label = mf_str_of(rows[i].label),
                               .sentiment_relevance = mf_str_of(rows[i].relevance)};
        double score = prc_news_score(&news);
        assert_true(isnan(rows[i].wanted) ? isnan(score) : score == rows[i].wanted);
    }
}

enum { NONE = -1, INFO = MF_SEVERITY_INFO, WARNING = MF_SEVERITY_WARNING, CRITICAL = MF_SEVERITY_CRITICAL };

static void test_sentiment(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    config.thresholds[PRC_RULE_NEWS_SENTIMENT][0] = (struct prc_thresholds){{0.2, 0.35, 0.3}};
    static const struct {
        double score, mean;
        size_t scored;
        int severity;
        double value, threshold;
    } rows[] = {
        {0.19, 0.19, 1, NONE, 0.19, 0},      {0.2, 0.2, 1, INFO, 0.2, 0.2},
        {-0.34, -0.34, 1, INFO, -0.34, 0.2}, {-0.35, -0.35, 1, WARNING, -0.35, 0.35},
        {0.9, 0.9, 2, WARNING, 0.9, 0.35},   {0.9, 0.3, 3, CRITICAL, 0.3, 0.3},
        {0.1, -0.3, 3, CRITICAL, -0.3, 0.3}, {0.9, 0.29, 3, WARNING, 0.9, 0.35},
        {0, 0.5, 9, CRITICAL, 0.5, 0.3},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_news_facts facts = {
            .score = rows[i].score, .mean = rows[i].mean, .scored = rows[i].scored};
        struct prc_verdict verdict = prc_news_verdict(PRC_RULE_NEWS_SENTIMENT, &config, &facts);
        assert_true(verdict.known);
        assert_int_equal(verdict.triggered, rows[i].severity != NONE);
        assert_true(verdict.value == rows[i].value);
        if (rows[i].severity == NONE)
            continue;
        assert_int_equal(verdict.severity, rows[i].severity);
        assert_true(verdict.threshold == rows[i].threshold);
        assert_int_equal(verdict.direction, rows[i].value < 0 ? MF_DIRECTION_DOWN : MF_DIRECTION_UP);
    }
    struct prc_news_facts none = {.score = NAN, .mean = 1, .scored = 9};
    assert_false(prc_news_verdict(PRC_RULE_NEWS_SENTIMENT, &config, &none).known);
    config.thresholds[PRC_RULE_NEWS_SENTIMENT][0].level[CRITICAL] = 0;
    none.score = 0.4;
    assert_int_equal(prc_news_verdict(PRC_RULE_NEWS_SENTIMENT, &config, &none).severity, WARNING);
}

static void test_counts(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    static const struct {
        enum prc_rule rule;
        size_t words, hour, week;
        int severity;
    } rows[] = {
        {PRC_RULE_NEWS_KEYWORD, 0, 0, 0, NONE},      {PRC_RULE_NEWS_KEYWORD, 1, 0, 0, INFO},
        {PRC_RULE_NEWS_KEYWORD, 2, 0, 0, WARNING},   {PRC_RULE_NEWS_KEYWORD, 4, 0, 0, CRITICAL},
        {PRC_RULE_NEWS_CLUSTER, 0, 4, 4, NONE},      {PRC_RULE_NEWS_CLUSTER, 0, 5, 5, WARNING},
        {PRC_RULE_NEWS_CLUSTER, 0, 5, 280, WARNING}, // 3 x 280 / 168 = 5
        {PRC_RULE_NEWS_CLUSTER, 0, 5, 281, NONE},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct prc_news_facts facts = {.words = rows[i].words, .hour = rows[i].hour, .week = rows[i].week};
        struct prc_verdict verdict = prc_news_verdict(rows[i].rule, &config, &facts);
        assert_int_equal(verdict.triggered, rows[i].severity != NONE);
        assert_int_equal(verdict.direction, MF_DIRECTION_NONE);
        if (rows[i].severity != NONE)
            assert_int_equal(verdict.severity, rows[i].severity);
    }
    config.cluster_ratio = 0; // does not ask
    struct prc_news_facts busy = {.hour = 5, .week = 5000};
    assert_true(prc_news_verdict(PRC_RULE_NEWS_CLUSTER, &config, &busy).triggered);
}

static void test_stale(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    static const struct {
        double age;
        int severity;
        double threshold;
    } rows[] = {{2.9, NONE, 0},    {3, NONE, 0},     {3.001, INFO, 3},      {5, INFO, 3},
                {5.5, WARNING, 5}, {10, WARNING, 5}, {10.001, CRITICAL, 10}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        enum mf_severity severity = MF_SEVERITY_INFO;
        double threshold = 0;
        bool stale = prc_stale_severity(&config, MF_INTERVAL_1M, rows[i].age, &severity, &threshold);
        assert_int_equal(stale, rows[i].severity != NONE);
        if (stale) {
            assert_int_equal(severity, rows[i].severity);
            assert_true(threshold == rows[i].threshold);
        }
        assert_false(prc_stale_severity(&config, MF_INTERVAL_4H, 1000, &severity, &threshold));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keywords), cmocka_unit_test(test_scores), cmocka_unit_test(test_sentiment),
        cmocka_unit_test(test_counts),   cmocka_unit_test(test_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
