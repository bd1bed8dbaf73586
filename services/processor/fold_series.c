// SPDX-License-Identifier: Apache-2.0
// One bar into one series, and what the series says about it as metric and alert events.
#include "services/processor/fold_private.h"

// For the callbacks of one apply.
struct applying {
    struct prc_fold *fold;
    const struct prc_cell *cell;
};

static struct mf_str metadata(const char *text)
{
    return text != NULL ? mf_str_of(text) : MF_STR_NULL;
}

static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    const struct applying *applying = arg;
    struct prc_fold *fold = applying->fold;
    const struct prc_cell *cell = applying->cell;
    if (fold->watch != NULL)
        fold->watch->bar(fold->watch->arg, cell, series, bar, values, n_obs);
    if ((bar->frozen.bits & PRC_FROZEN_NO_RULES) != 0)
        return; // the vendor's own bar of that window has the metric of this key
    unsigned flags = prc_inherited(bar->flags) | (values->proxy_vwap ? MF_FLAG_PROXY_VWAP : 0u);
    prc_fold_made_begin(fold, &fold->metric, cell, series->asset_class, bar->time_us, flags, bar->mode);
    struct mf_metric_event *metric = &fold->metric.metric;
    metric->interval = series->key.interval;
    metric->adjusted = series->key.adjusted;
    metric->bar_time_us = bar->time_us;
    metric->revision = (int)revision;
    metric->parent_source = mf_str_of(series->key.provider);
    metric->cause = fold->event.event_id;
    metric->n_obs = n_obs;
    metric->warmup = !values->warm;
    metric->present = values->present;
    memcpy(metric->values, values->v, sizeof(metric->values));
    metric->vol_regime = mf_str_of(prc_vol_regime_name((enum prc_vol_regime)values->vol_regime));
    metric->market_regime = mf_str_of(prc_market_regime_name((enum prc_market_regime)values->market_regime));
    metric->symbol_name = metadata(cell->name);
    metric->exchange = metadata(cell->exchange);
    metric->symbol_type = metadata(cell->type);
    fold->counts.metric_events++;
    struct prc_about about = {cell, series, bar->end_us, -1};
    prc_fold_made_emit(fold, &fold->metric, MF_TOPIC_METRICS, &about);
}

void prc_fold_alert_begin(struct prc_fold *fold, const struct prc_cell *cell, enum mf_asset_class asset_class,
                          enum prc_rule rule, int64_t event_time_us, unsigned flags,
                          enum mf_provenance_mode mode)
{
    prc_fold_made_begin(fold, &fold->alert, cell, asset_class, event_time_us, flags, mode);
    struct mf_alert *alert = &fold->alert.alert;
    *alert = (struct mf_alert){.rule_id = mf_str_of(prc_rules[rule].id),
                               .rule_version = mf_str_of(fold->rules.versions[rule]),
                               .adjusted = MF_ADJUSTED_MAX,
                               .cause = fold->event.event_id,
                               .symbol_name = metadata(cell->name),
                               .exchange = metadata(cell->exchange),
                               .symbol_type = metadata(cell->type)};
}

// As near as events can say it: a price of nothing that becomes one of billions is an alert all the same.
static double carried(double value)
{
    const double most = PRC_STATISTIC_END - 1;
    return value > most ? most : value < -most ? -most : value;
}

void prc_fold_alert(struct prc_fold *fold, const struct prc_alert_of *of,
                    const struct prc_transition *transition, const struct prc_values *values,
                    const struct prc_bar *bar, unsigned revision)
{
    char message[PRC_MESSAGE_SIZE];
    const char *interval = mf_interval_name(of->key->interval);
    const struct prc_verdict *verdict = &transition->verdict;
    bool resolved = transition->resolution != PRC_NOT_RESOLVED;
    prc_fold_alert_begin(fold, of->cell, of->asset_class, transition->rule, transition->key_time_us,
                         prc_inherited(bar->flags), bar->mode);
    struct mf_alert *alert = &fold->alert.alert;
    alert->interval = mf_str_of(interval);
    alert->adjusted = of->key->adjusted;
    alert->severity = verdict->severity;
    alert->direction = verdict->direction;
    alert->value = carried(verdict->value);
    alert->threshold = carried(verdict->threshold);
    alert->state = resolved ? MF_ALERT_RESOLVED : MF_ALERT_FIRING;
    alert->cooldown_until_us = transition->cooldown_until_us;
    alert->revision = (int)revision;
    alert->parent_source = mf_str_of(of->key->provider);
    alert->contract = of->contract;
    size_t len = 0;
    if (resolved) {
        alert->reason = mf_str_of(prc_resolution_name(transition->resolution));
        alert->resolved_time_us = transition->resolved_time_us;
        len = prc_resolved_message(transition->rule, interval, transition->resolution, message,
                                   sizeof(message));
    } else if (values != NULL) {
        prc_alert_baseline(transition->rule, values, bar, alert);
        len = prc_alert_message(transition->rule, interval, verdict, values, bar, message, sizeof(message));
    } else { // stands again after a correction withdrew its resolution; its bar has left the ring
        len = prc_standing_message(transition->rule, interval, message, sizeof(message));
    }
    if (transition->rule_changed) // whatever else came of it
        alert->reason = MF_STR("rule_changed");
    alert->message = (struct mf_str){message, len};
    if (!resolved)
        fold->counts.alerts[transition->rule][verdict->severity]++;
    struct prc_about about = {of->cell, of->series, bar->end_us, (int)transition->rule};
    prc_fold_made_emit(fold, &fold->alert, MF_TOPIC_ALERTS, &about);
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    const struct applying *applying = arg;
    const struct prc_alert_of of = {applying->cell, series, &series->key, series->asset_class, MF_STR_NULL};
    prc_fold_alert(applying->fold, &of, transition, values, bar, revision);
}

static void ignore_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                          const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    (void)arg, (void)series, (void)bar, (void)values, (void)n_obs, (void)revision;
}

static void ignore_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                         const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    (void)arg, (void)series, (void)transition, (void)values, (void)bar, (void)revision;
}

// The group's signs: kept together, because a bar that had to ask six series for theirs would spend more time
// waiting for memory than computing.
static void know_signs(struct prc_group *group)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        const struct prc_series *series = prc_rule_series(group, (enum mf_interval)i);
        bool weighs = prc_mtf_weight((enum mf_interval)i) != 0;
        group->mtf_signs[i] = weighs && series != NULL ? series->mtf_sign : PRC_MTF_COLD;
    }
    group->mtf_known = true;
}

static void freeze_trends(struct prc_group *group, enum mf_interval own, struct prc_frozen *frozen)
{
    if (!group->mtf_known)
        know_signs(group);
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        const int8_t sign = group->mtf_signs[i];
        if (sign == PRC_MTF_COLD || i == (int)own)
            continue;
        int weight = (int)prc_mtf_weight((enum mf_interval)i);
        frozen->mtf_signed = (int8_t)(frozen->mtf_signed + weight * sign);
        frozen->mtf_weight = (uint8_t)(frozen->mtf_weight + weight);
        frozen->mtf_count++;
        if (i < (int)own)
            frozen->bits |= PRC_FROZEN_FINER_WARM;
    }
}

void prc_fold_doubles(const struct prc_numbers *numbers, struct prc_bar *bar)
{
    bar->open = prc_number_double(numbers, PRC_OPEN);
    bar->high = prc_number_double(numbers, PRC_HIGH);
    bar->low = prc_number_double(numbers, PRC_LOW);
    bar->close = prc_number_double(numbers, PRC_CLOSE);
    bar->volume = prc_number_double(numbers, PRC_VOLUME);
    bar->has_vwap = numbers->has_vwap;
    bar->vwap = numbers->has_vwap ? prc_number_double(numbers, PRC_VWAP) : 0;
}

static double close_elsewhere(const struct prc_target *target, const struct prc_bar *bar)
{
    const struct prc_cell *cell = target->cell;
    for (size_t g = 0; g < cell->group_count; g++) {
        const struct prc_group *other = cell->groups[g];
        if (other == target->group || other->adjusted != target->group->adjusted)
            continue;
        const struct prc_series *series = prc_rule_series(other, target->series->key.interval);
        const struct prc_slot *slot = series != NULL ? prc_series_find(series, bar->time_us) : NULL;
        if (slot != NULL &&
            slot >= prc_series_ring_slot(series, 0)) // what lies before the ring is no longer known
            return prc_number_double(&slot->numbers, PRC_CLOSE);
    }
    return 0;
}

uint8_t prc_fold_split_bit(const struct prc_cell *cell, int32_t session_day)
{
    for (size_t i = 0; i < cell->split_count; i++)
        if (cell->splits[i] == session_day)
            return PRC_FROZEN_SPLIT_DAY;
    return 0;
}

void prc_fold_freeze(struct prc_fold *fold, const struct prc_target *target, bool derived,
                     struct prc_bar *bar)
{
    const struct prc_cell *cell = target->cell;
    const struct prc_group *group = target->group;
    struct prc_frozen *frozen = &bar->frozen;
    *frozen = (struct prc_frozen){.late_us = PRC_NOT_JUDGED};
    freeze_trends(target->group, target->series->key.interval, frozen);
    frozen->bits |= prc_fold_split_bit(cell, bar->session_day);
    if (derived && group->vendor[target->series->key.interval] != NULL)
        frozen->bits |= PRC_FROZEN_NO_RULES;
    if (cell->group_count > 1)
        frozen->other_close = close_elsewhere(target, bar);
    if (cell->news_time_us != 0 && bar->end_us > cell->news_time_us &&
        bar->end_us <= cell->news_time_us + PRC_LINKS_MAX_US)
        frozen->news_price = group->news_price;
    bool judged = !derived && fold->partition->role == MF_TOPIC_RAW &&
                  (bar->flags & (MF_FLAG_WARMUP | MF_FLAG_DELAYED)) == 0;
    if (judged)
        frozen->late_us = fold->event.ingest_time_us - bar->end_us;
}

void prc_fold_apply(struct prc_fold *fold, const struct prc_target *target, struct prc_series_bar *bar,
                    struct prc_applied *applied)
{
    struct applying applying = {fold, target->cell};
    struct prc_series *series = target->series;
    struct prc_series_sink sink = {&applying, on_metric, on_alert};
    if (prc_fold_replays(fold))
        sink = (struct prc_series_sink){&applying, ignore_metric, ignore_alert};
    if (series->head.indicators.n_obs == 0 || bar->bar.end_us > series->largest_end_us)
        series->largest_end_us = bar->bar.end_us;
    prc_series_apply(series, bar, &fold->rules, &sink, applied);
    struct prc_group *group = target->group;
    enum mf_interval interval = series->key.interval;
    if (group->mtf_known && prc_mtf_weight(interval) != 0)
        group->mtf_signs[interval] = prc_rule_series(group, interval)->mtf_sign;
    prc_cell_dirty(fold->partition, target->cell, fold->input->offset);
}

void prc_fold_watch(struct prc_fold *fold, const struct prc_watch *watch)
{
    fold->watch = watch;
}
