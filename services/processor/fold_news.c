// SPDX-License-Identifier: Apache-2.0
// News: duplicates and edits by article, the news rules over what the cell remembers of articles.
#include "services/processor/fold_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define KEEP_NEWS_US (7 * MF_US_PER_DAY)
#define HOUR_US MF_US_PER_HOUR
#define WEEK_US (PRC_NEWS_WEEK_HOURS * MF_US_PER_HOUR)
#define LIST_SIZE 256

static const enum prc_rule rules_of[PRC_NEWS_RULE_MAX] = {
    [PRC_NEWS_KEYWORD] = PRC_RULE_NEWS_KEYWORD,
    [PRC_NEWS_SENTIMENT] = PRC_RULE_NEWS_SENTIMENT,
    [PRC_NEWS_CLUSTER] = PRC_RULE_NEWS_CLUSTER,
};

// FNV-1a over the text in lower case (ASCII): to find reprints, nothing else.
static uint64_t hash_folded(struct mf_str text)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 1099511628211u;
    }
    return hash;
}

static struct prc_article *article_at(const struct prc_cell *cell, size_t index)
{
    return &cell->articles[(cell->article_start + index) % PRC_ARTICLES];
}

// The place of the article in the ring: its own when it is an edit, else the newest.
static struct prc_article *place_of(struct prc_cell *cell, uint64_t key_hash)
{
    if (cell->articles == NULL)
        cell->articles = mf_calloc(PRC_ARTICLES, sizeof(*cell->articles));
    for (size_t i = 0; i < cell->article_count; i++)
        if (article_at(cell, i)->key_hash == key_hash)
            return article_at(cell, i);
    if (cell->article_count == PRC_ARTICLES)
        cell->article_start = (cell->article_start + 1) % PRC_ARTICLES;
    else
        cell->article_count++;
    return article_at(cell, cell->article_count - 1);
}

static void remember_article(struct prc_cell *cell, const struct mf_event *event, uint64_t key_hash)
{
    const struct mf_news *news = &event->news;
    struct prc_article *article = place_of(cell, key_hash);
    article->time_us = event->event_time_us;
    article->key_hash = key_hash;
    article->url_hash = mf_hash64(news->url_hash.data, news->url_hash.len);
    article->title_hash = hash_folded(news->title);
    article->score = prc_news_score(news);
}

static bool within(const struct prc_article *article, int64_t time_us, int64_t length_us)
{
    return article->time_us > time_us - length_us && article->time_us <= time_us;
}

// Articles of the window; one whose address or title an earlier one of it has does not count.
static size_t distinct(const struct prc_cell *cell, int64_t time_us, int64_t length_us)
{
    size_t count = 0;
    for (size_t i = 0; i < cell->article_count; i++) {
        const struct prc_article *article = article_at(cell, i);
        bool again = !within(article, time_us, length_us);
        for (size_t j = 0; j < i && !again; j++) {
            const struct prc_article *before = article_at(cell, j);
            again = within(before, time_us, length_us) &&
                    (before->url_hash == article->url_hash || before->title_hash == article->title_hash);
        }
        count += !again;
    }
    return count;
}

static void mean_score(const struct prc_cell *cell, int64_t time_us, struct prc_news_facts *facts)
{
    double sum = 0;
    for (size_t i = 0; i < cell->article_count; i++) {
        const struct prc_article *article = article_at(cell, i);
        if (!within(article, time_us, HOUR_US) || isnan(article->score))
            continue;
        sum += article->score;
        facts->scored++;
    }
    facts->mean = facts->scored > 0 ? sum / (double)facts->scored : NAN;
}

static void look_for_keywords(const struct prc_fold *fold, struct prc_news_facts *facts, char list[LIST_SIZE])
{
    const struct mf_news *news = &fold->event.news;
    const struct prc_rule_config *rules = &fold->rules;
    bool found[PRC_KEYWORDS_MAX] = {0};
    facts->words = prc_keywords_match(rules, news->title, found);
    if (news->description.data != NULL)
        facts->words += prc_keywords_match(rules, news->description, found);
    size_t len = 0;
    list[0] = '\0';
    for (size_t k = 0; k < rules->keyword_count; k++) {
        if (!found[k])
            continue;
        int n = snprintf(list + len, LIST_SIZE - len, "%s%s", len > 0 ? ", " : "", rules->keywords[k]);
        if (n > 0 && len + (size_t)n < LIST_SIZE)
            len += (size_t)n;
        else
            list[len] = '\0'; // the list is for reading; the count says how many
    }
    facts->list = list;
}

// What was published for the article, in a few bytes: enough to tell whether an edit says something else.
static uint32_t digest_of(enum prc_rule rule, const struct prc_verdict *verdict,
                          const struct prc_news_facts *facts)
{
    uint64_t hash = mf_hash64(&verdict->value, sizeof(verdict->value)) + (uint64_t)verdict->severity;
    if (rule == PRC_RULE_NEWS_KEYWORD)
        hash ^= mf_hash64(facts->list, strlen(facts->list));
    return (uint32_t)(hash ^ hash >> 32);
}

// Where news_price_link measures from: what the groups knew when the alert was published.
static void link_prices(struct prc_cell *cell, int64_t time_us)
{
    cell->news_time_us = prc_time_kept(time_us);
    for (size_t g = 0; g < cell->group_count; g++) {
        struct prc_group *group = cell->groups[g];
        const struct prc_slot *newest = NULL;
        int64_t newest_end = PRC_TIME_ALWAYS;
        for (int i = MF_INTERVAL_1S; i < MF_INTERVAL_1D; i++) {
            const struct prc_series *const both[] = {group->vendor[i], group->derived[i]};
            for (size_t s = 0; s < MF_ARRAY_LEN(both); s++) {
                size_t count = both[s] != NULL ? prc_series_ring_count(both[s]) : 0;
                struct prc_bar bar;
                if (count == 0)
                    continue;
                prc_slot_bar(prc_series_ring_slot(both[s], count - 1), &bar);
                if (bar.end_us <= newest_end)
                    continue;
                newest_end = bar.end_us;
                newest = prc_series_ring_slot(both[s], count - 1);
            }
        }
        group->news_price = newest != NULL ? prc_number_double(&newest->numbers, PRC_CLOSE) : 0;
    }
}

static void publish(struct prc_fold *fold, const struct prc_cell *cell, enum prc_rule rule,
                    const struct prc_recent_alert *said, const struct prc_verdict *verdict,
                    const struct prc_news_facts *facts, int64_t cooldown_until_us)
{
    if (prc_fold_replays(fold))
        return;
    char message[PRC_MESSAGE_SIZE];
    const struct mf_event *event = &fold->event;
    bool firing = said->state == PRC_NEWS_ALERT_STANDS;
    prc_fold_alert_begin(fold, cell, event->asset_class, rule, event->event_time_us,
                         prc_inherited(event->flags), event->mode);
    struct mf_alert *alert = &fold->alert.alert;
    alert->interval = MF_STR("news");
    alert->severity = (enum mf_severity)said->severity;
    alert->value = said->value;
    alert->threshold = firing ? verdict->threshold : fold->rules.thresholds[rule][0].level[said->severity];
    alert->state = firing ? MF_ALERT_FIRING : MF_ALERT_RESOLVED;
    alert->revision = said->revision;
    alert->cooldown_until_us = cooldown_until_us;
    alert->parent_source = event->source;
    alert->article_id = event->news.article_id;
    if (rule == PRC_RULE_NEWS_SENTIMENT)
        alert->direction = said->value > 0   ? MF_DIRECTION_UP
                           : said->value < 0 ? MF_DIRECTION_DOWN
                                             : MF_DIRECTION_NONE;
    size_t len = 0;
    if (firing) {
        len = prc_news_message(rule, verdict, facts, message, sizeof(message));
        prc_news_baseline(rule, facts, alert);
        fold->counts.alerts[rule][said->severity]++;
    } else {
        len = prc_resolved_message(rule, "news", PRC_RESOLVED_CORRECTED, message, sizeof(message));
        alert->reason = mf_str_of(prc_resolution_name(PRC_RESOLVED_CORRECTED));
        alert->resolved_time_us = event->ingest_time_us;
    }
    alert->message = (struct mf_str){message, len};
    struct prc_about about = {cell, NULL, event->event_time_us, (int)rule};
    prc_fold_made_emit(fold, &fold->alert, MF_TOPIC_ALERTS, &about);
}

// One cluster is said once: what comes within the cooldown says nothing new unless it is more severe.
static bool cluster_is_quiet(const struct prc_fold *fold, struct prc_cell *cell, enum mf_severity severity)
{
    int64_t time_us = fold->event.event_time_us;
    if (cell->cluster_quiet_until_us != 0 && time_us < prc_time_meant(cell->cluster_quiet_until_us) &&
        severity <= (enum mf_severity)cell->cluster_severity)
        return true;
    cell->cluster_quiet_until_us = prc_time_kept(time_us + fold->rules.cooldown_us);
    cell->cluster_severity = (uint8_t)severity;
    return false;
}

// The difference between what the rule says of the article now and what was published of it.
static void update_alert(struct prc_fold *fold, struct prc_cell *cell, struct prc_recent *entry,
                         enum prc_news_rule which, const struct prc_news_facts *facts)
{
    enum prc_rule rule = rules_of[which];
    struct prc_verdict verdict = prc_news_verdict(rule, &fold->rules, facts);
    struct prc_recent_alert none = {0};
    const struct prc_recent_alert *before = entry->alerts != NULL ? &entry->alerts[which] : &none;
    bool stands = before->state == PRC_NEWS_ALERT_STANDS;
    uint32_t digest = verdict.triggered ? digest_of(rule, &verdict, facts) : 0;
    if (!verdict.triggered && !stands)
        return;
    if (verdict.triggered && stands && before->digest == digest)
        return;
    bool begins = verdict.triggered && !stands;
    if (which == PRC_NEWS_CLUSTER && begins && cluster_is_quiet(fold, cell, verdict.severity))
        return;
    if (entry->alerts == NULL)
        entry->alerts = mf_calloc(PRC_NEWS_RULE_MAX, sizeof(*entry->alerts));
    struct prc_recent_alert *said = &entry->alerts[which];
    if (said->state != PRC_NEWS_ALERT_NEVER)
        said->revision++;
    said->state = verdict.triggered ? PRC_NEWS_ALERT_STANDS : PRC_NEWS_ALERT_WITHDRAWN;
    if (verdict.triggered) {
        said->severity = (uint8_t)verdict.severity;
        said->value = verdict.value;
        said->digest = digest;
    }
    if (begins && (cell->news_time_us == 0 || fold->event.event_time_us > cell->news_time_us))
        link_prices(cell, fold->event.event_time_us);
    bool quiets = begins && which == PRC_NEWS_CLUSTER && fold->rules.cooldown_us > 0;
    publish(fold, cell, rule, said, &verdict, facts,
            quiets ? prc_time_meant(cell->cluster_quiet_until_us) : 0);
}

static void judge(struct prc_fold *fold, struct prc_cell *cell, struct prc_recent *entry)
{
    const struct mf_event *event = &fold->event;
    char list[LIST_SIZE];
    struct prc_news_facts facts = {.score = prc_news_score(&event->news)};
    look_for_keywords(fold, &facts, list);
    mean_score(cell, event->event_time_us, &facts);
    facts.hour = distinct(cell, event->event_time_us, HOUR_US);
    facts.week = distinct(cell, event->event_time_us, WEEK_US);
    if (fold->watch != NULL)
        fold->watch->news(fold->watch->arg, cell, event, &facts);
    for (int r = 0; r < PRC_NEWS_RULE_MAX; r++)
        update_alert(fold, cell, entry, (enum prc_news_rule)r, &facts);
}

void prc_fold_news(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    bool warmup = (event->flags & MF_FLAG_WARMUP) != 0;
    bool live = fold->partition->role == MF_TOPIC_RAW;
    if (live && !warmup && event->ingest_time_us - event->event_time_us >= KEEP_NEWS_US) {
        prc_fold_count(fold, PRC_DROPPED);
        return;
    }
    struct prc_recent *entry = NULL;
    unsigned flags = 0;
    struct prc_cell *cell = prc_fold_remembered(fold, MF_TOPIC_NEWS_FILTERED, &entry, &flags);
    if (cell == NULL)
        return;
    prc_fold_pass(fold, MF_TOPIC_NEWS_FILTERED, entry->revision, flags, cell->name != NULL ? cell : NULL);
    remember_article(cell, event, entry->key_hash);
    if (!warmup)
        judge(fold, cell, entry);
}
