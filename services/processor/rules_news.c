// SPDX-License-Identifier: Apache-2.0
// News rules and stale_feed: pure verdicts over what the cell knows.
#include <math.h>

#include "services/processor/rules_table.h"

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

static bool same_word(struct mf_str text, const char *word)
{
    size_t i = 0;
    while (i < text.len && word[i] != '\0' && fold_case(text.data[i]) == word[i])
        i++;
    return i == text.len && word[i] == '\0';
}

double prc_news_label_score(struct mf_str label)
{
    static const struct {
        const char *label;
        double score;
    } labels[] = {{"bearish", -1}, {"negative", -1}, {"somewhat-bearish", -0.5},
                  {"neutral", 0},  {"bullish", 1},   {"somewhat-bullish", 0.5},
                  {"positive", 1}};
    for (size_t i = 0; i < MF_ARRAY_LEN(labels); i++)
        if (same_word(label, labels[i].label))
            return labels[i].score;
    return NAN;
}

double prc_news_score(const struct mf_news *news)
{
    double relevance = 1, score = NAN;
    if (news->sentiment_relevance.data != NULL &&
        (!mf_decimal_to_double(news->sentiment_relevance, &relevance) || relevance < PRC_NEWS_RELEVANCE_MIN))
        return NAN;
    if (news->sentiment_score.data != NULL)
        return mf_decimal_to_double(news->sentiment_score, &score) ? score : NAN;
    return prc_news_label_score(news->sentiment_label);
}

static void judge_words(const struct prc_thresholds *thresholds, const struct prc_news_facts *facts,
                        struct prc_verdict *verdict)
{
    verdict->known = true;
    verdict->value = (double)facts->words;
    verdict->holding = prc_severity_of(thresholds, verdict->value, &verdict->severity, &verdict->threshold);
}

// The mean of an hour weighs more than any single article.
static void judge_sentiment(const struct prc_thresholds *thresholds, const struct prc_news_facts *facts,
                            struct prc_verdict *verdict)
{
    double critical = thresholds->level[MF_SEVERITY_CRITICAL];
    struct prc_thresholds single = *thresholds;
    single.level[MF_SEVERITY_CRITICAL] = 0;
    if (!isfinite(facts->score))
        return;
    verdict->known = true;
    verdict->value = facts->score;
    verdict->holding = prc_severity_of(&single, fabs(facts->score), &verdict->severity, &verdict->threshold);
    if (critical > 0 && facts->scored >= PRC_NEWS_MEAN_MIN && fabs(facts->mean) >= critical) {
        verdict->holding = true;
        verdict->severity = MF_SEVERITY_CRITICAL;
        verdict->value = facts->mean;
        verdict->threshold = critical;
    }
    if (verdict->holding)
        verdict->direction = verdict->value < 0 ? MF_DIRECTION_DOWN : MF_DIRECTION_UP;
}

static void judge_cluster(const struct prc_thresholds *thresholds, double ratio,
                          const struct prc_news_facts *facts, struct prc_verdict *verdict)
{
    verdict->known = true;
    verdict->value = (double)facts->hour;
    if ((double)facts->hour >= ratio * ((double)facts->week / PRC_NEWS_WEEK_HOURS))
        verdict->holding =
            prc_severity_of(thresholds, verdict->value, &verdict->severity, &verdict->threshold);
}

struct prc_verdict prc_news_verdict(enum prc_rule rule, const struct prc_rule_config *config,
                                    const struct prc_news_facts *facts)
{
    struct prc_verdict verdict = {0};
    const struct prc_thresholds *thresholds = &config->thresholds[rule][0];
    assert(prc_rule_is_news(rule));
    if (rule == PRC_RULE_NEWS_KEYWORD)
        judge_words(thresholds, facts, &verdict);
    else if (rule == PRC_RULE_NEWS_SENTIMENT)
        judge_sentiment(thresholds, facts, &verdict);
    else
        judge_cluster(thresholds, config->cluster_ratio, facts, &verdict);
    verdict.triggered = verdict.holding;
    return verdict;
}

bool prc_stale_severity(const struct prc_rule_config *config, enum mf_interval interval,
                        double age_in_intervals, enum mf_severity *severity, double *threshold)
{
    return (prc_rules[PRC_RULE_STALE_FEED].intervals >> interval & 1) != 0 &&
           prc_severity_met(&config->thresholds[PRC_RULE_STALE_FEED][interval], age_in_intervals, true,
                            severity, threshold);
}
