// SPDX-License-Identifier: Apache-2.0
// News: duplicates and corrections by article, the keyword rule.
#include "services/processor/fold_private.h"

#include <stdio.h>

struct finding {
    size_t words;
    bool fires;
    enum mf_severity severity;
    double threshold;
    char list[256]; // "earnings, merger"
};

static struct finding look_for_keywords(const struct prc_fold *fold)
{
    const struct mf_news *news = &fold->event.news;
    const struct prc_rule_config *rules = &fold->rules;
    struct finding finding = {0};
    bool found[PRC_KEYWORDS_MAX] = {0};
    finding.words = prc_keywords_match(rules, news->title, found);
    if (news->description.data != NULL)
        finding.words += prc_keywords_match(rules, news->description, found);
    size_t len = 0;
    for (size_t k = 0; k < rules->keyword_count; k++) {
        if (!found[k])
            continue;
        int n = snprintf(finding.list + len, sizeof(finding.list) - len, "%s%s", len > 0 ? ", " : "",
                         rules->keywords[k]);
        if (n > 0 && len + (size_t)n < sizeof(finding.list))
            len += (size_t)n;
        else
            finding.list[len] = '\0'; // the list is for reading; the count says how many
    }
    finding.fires = prc_severity_of(&rules->thresholds[PRC_RULE_NEWS_KEYWORD][0], (double)finding.words,
                                    &finding.severity, &finding.threshold);
    return finding;
}

static void publish(struct prc_fold *fold, struct prc_recent *entry, const struct finding *finding,
                    bool firing)
{
    char message[512];
    const struct mf_event *event = &fold->event;
    unsigned flags = event->flags & (MF_FLAG_IS_MOCK | MF_FLAG_WARMUP | MF_FLAG_DELAYED);
    prc_fold_made_begin(fold, MF_EVENT_ALERT, event->event_time_us, flags, event->mode);
    struct mf_alert *alert = &fold->made.alert;
    alert->rule_id = mf_str_of(prc_rules[PRC_RULE_NEWS_KEYWORD].id);
    alert->rule_version = mf_str_of(fold->rules.versions[PRC_RULE_NEWS_KEYWORD]);
    alert->interval = MF_STR("news");
    alert->adjusted = MF_ADJUSTED_MAX;
    alert->severity = (enum mf_severity)entry->alert_severity;
    alert->direction = MF_DIRECTION_NONE;
    alert->value = entry->alert_words;
    alert->threshold = fold->rules.thresholds[PRC_RULE_NEWS_KEYWORD][0].level[entry->alert_severity];
    alert->state = firing ? MF_ALERT_FIRING : MF_ALERT_RESOLVED;
    alert->revision = entry->alert_revision;
    alert->parent_source = event->source;
    alert->article_id = event->news.article_id;
    alert->cause = event->event_id;
    int n = 0;
    if (firing) {
        n = snprintf(message, sizeof(message), "news names %s (%zu of the watched words)", finding->list,
                     finding->words);
        fold->counts.alerts[PRC_RULE_NEWS_KEYWORD][entry->alert_severity]++;
    } else {
        n = snprintf(message, sizeof(message), "news_keyword resolved: an edit of the article withdrew it");
        alert->reason = mf_str_of(prc_resolution_name(PRC_RESOLVED_CORRECTED));
        alert->resolved_time_us = event->ingest_time_us;
    }
    alert->message = (struct mf_str){message, n > 0 ? (size_t)n : 0};
    prc_fold_made_emit(fold, MF_TOPIC_ALERTS);
}

// The difference between what the article's alert says now and what was published for it.
static void update_alert(struct prc_fold *fold, struct prc_recent *entry)
{
    struct finding finding = look_for_keywords(fold);
    bool stands = entry->alert == PRC_NEWS_ALERT_STANDS;
    if (!finding.fires && !stands)
        return;
    uint8_t words = finding.words > UINT8_MAX ? UINT8_MAX : (uint8_t)finding.words;
    uint32_t list = (uint32_t)mf_hash64(finding.list, strlen(finding.list));
    if (finding.fires && stands && entry->alert_words == words && entry->alert_list == list &&
        entry->alert_severity == finding.severity)
        return;
    if (entry->alert != PRC_NEWS_ALERT_NEVER)
        entry->alert_revision++;
    entry->alert = finding.fires ? PRC_NEWS_ALERT_STANDS : PRC_NEWS_ALERT_WITHDRAWN;
    if (finding.fires) {
        entry->alert_severity = (uint8_t)finding.severity;
        entry->alert_words = words;
        entry->alert_list = list;
    }
    publish(fold, entry, &finding, finding.fires);
}

void prc_fold_news(struct prc_fold *fold)
{
    struct prc_recent *entry = prc_fold_reference(fold, MF_TOPIC_NEWS_FILTERED);
    if (entry != NULL && (fold->event.flags & MF_FLAG_WARMUP) == 0)
        update_alert(fold, entry);
}
