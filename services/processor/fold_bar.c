// SPDX-License-Identifier: Apache-2.0
// Bars: into their series; what the series says becomes metric and alert events.
#include "services/processor/fold_private.h"

// Doubles for statistics; the texts themselves go on unchanged.
static bool bar_numbers(const struct mf_event *event, struct prc_bar *out)
{
    const struct mf_bar *bar = &event->bar;
    *out = (struct prc_bar){.time_us = event->event_time_us,
                            .end_us = bar->window_end_us,
                            .has_vwap = bar->vwap.data != NULL,
                            .session_day = mf_date_to_days(bar->session_date),
                            .session = bar->session,
                            .flags = event->flags,
                            .mode = event->mode};
    const struct mf_bar_numbers *numbers = &bar->numbers;
    if (bar->has_numbers) {
        out->open = mf_decimal_number_double(numbers->open);
        out->high = mf_decimal_number_double(numbers->high);
        out->low = mf_decimal_number_double(numbers->low);
        out->close = mf_decimal_number_double(numbers->close);
        out->volume = mf_decimal_number_double(numbers->volume);
        if (out->has_vwap)
            out->vwap = mf_decimal_number_double(numbers->vwap);
        return true;
    }
    return mf_decimal_to_double(bar->open, &out->open) && mf_decimal_to_double(bar->high, &out->high) &&
           mf_decimal_to_double(bar->low, &out->low) && mf_decimal_to_double(bar->close, &out->close) &&
           mf_decimal_to_double(bar->volume, &out->volume) &&
           (!out->has_vwap || mf_decimal_to_double(bar->vwap, &out->vwap));
}

static unsigned inherited(unsigned flags)
{
    return flags & (MF_FLAG_IS_MOCK | MF_FLAG_WARMUP | MF_FLAG_DELAYED);
}

static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    struct prc_fold *fold = arg;
    unsigned flags = inherited(bar->flags) | (values->proxy_vwap ? MF_FLAG_PROXY_VWAP : 0u);
    prc_fold_made_begin(fold, MF_EVENT_METRIC, bar->time_us, flags, bar->mode);
    struct mf_metric_event *metric = &fold->made.metric;
    metric->interval = series->key.interval;
    metric->adjusted = series->key.adjusted;
    metric->bar_time_us = bar->time_us;
    metric->revision = (int)revision;
    metric->parent_source = mf_str_of(series->key.source);
    metric->cause = fold->event.event_id;
    metric->n_obs = n_obs;
    metric->warmup = !values->warm;
    metric->present = values->present;
    memcpy(metric->values, values->v, sizeof(metric->values));
    fold->counts.metric_events++;
    prc_fold_made_emit(fold, MF_TOPIC_METRICS);
}

static void baseline(struct mf_alert *alert, const char *name, double value)
{
    alert->baseline[alert->baseline_count].name = mf_str_of(name);
    alert->baseline[alert->baseline_count++].value = value;
}

// The numbers behind the verdict, so that the alert can be checked by hand.
static void explain(enum prc_rule rule, const struct prc_values *values, const struct prc_bar *bar,
                    struct mf_alert *alert)
{
    switch (rule) {
    case PRC_RULE_PRICE_MOVE:
        baseline(alert, "previous_close", values->prev_close);
        baseline(alert, "close", bar->close);
        break;
    case PRC_RULE_VOLUME_SPIKE:
        baseline(alert, "mean", values->v[MF_METRIC_FIELD_VOLUME_MEAN_20]);
        baseline(alert, "sd", values->v[MF_METRIC_FIELD_VOLUME_SD_20]);
        baseline(alert, "n", values->volume_n);
        break;
    case PRC_RULE_GAP:
        baseline(alert, "previous_regular_close", values->gap_base);
        baseline(alert, "open", bar->open);
        break;
    case PRC_RULE_RSI_EXTREME: baseline(alert, "previous_rsi", values->prev_rsi); break;
    case PRC_RULE_VWAP_DEV:
        baseline(alert, "vwap", values->v[MF_METRIC_FIELD_VWAP_SESSION]);
        baseline(alert, "close", bar->close);
        break;
    default: assert(false);
    }
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    struct prc_fold *fold = arg;
    char message[256];
    const char *interval = mf_interval_name(series->key.interval);
    bool resolved = transition->resolution != PRC_NOT_RESOLVED;
    prc_fold_made_begin(fold, MF_EVENT_ALERT, transition->key_time_us, inherited(bar->flags), bar->mode);
    struct mf_alert *alert = &fold->made.alert;
    alert->rule_id = mf_str_of(prc_rules[transition->rule].id);
    alert->rule_version = mf_str_of(fold->rules.versions[transition->rule]);
    alert->interval = mf_str_of(interval);
    alert->adjusted = series->key.adjusted;
    alert->severity = transition->verdict.severity;
    alert->direction = transition->verdict.direction;
    alert->value = transition->verdict.value;
    alert->threshold = transition->verdict.threshold;
    alert->state = resolved ? MF_ALERT_RESOLVED : MF_ALERT_FIRING;
    alert->cooldown_until_us = transition->cooldown_until_us;
    alert->revision = (int)revision;
    alert->parent_source = mf_str_of(series->key.source);
    alert->cause = fold->event.event_id;
    size_t len = 0;
    if (resolved) {
        alert->reason = mf_str_of(prc_resolution_name(transition->resolution));
        alert->resolved_time_us = transition->resolved_time_us;
        len = prc_resolved_message(transition->rule, interval, transition->resolution, message,
                                   sizeof(message));
    } else if (values != NULL) {
        explain(transition->rule, values, bar, alert);
        len = prc_alert_message(transition->rule, interval, &transition->verdict, values, bar, message,
                                sizeof(message));
    } else { // stands again after a correction withdrew its resolution; its bar has left the ring
        len = prc_standing_message(transition->rule, interval, message, sizeof(message));
    }
    alert->message = (struct mf_str){message, len};
    if (!resolved)
        fold->counts.alerts[transition->rule][transition->verdict.severity]++;
    prc_fold_made_emit(fold, MF_TOPIC_ALERTS);
}

void prc_fold_bar(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    struct prc_bar bar;
    if ((event->flags & MF_FLAG_FORMING) != 0) { // not final: passed on, never folded
        prc_fold_count(fold, PRC_KEPT);
        prc_fold_pass(fold, MF_TOPIC_BARS_FILTERED, 0, 0);
        return;
    }
    struct prc_series_key key = {.adjusted = event->bar.adjusted, .interval = event->bar.interval};
    if (!bar_numbers(event, &bar) || !mf_str_copy(key.source, sizeof(key.source), event->source)) {
        prc_fold_dead_letter(fold, true, "bad_value", "the bar's numbers or source cannot be used");
        return;
    }
    struct prc_cell *cell = prc_fold_cell(fold);
    if (cell == NULL)
        return;
    struct prc_series *series = prc_cell_series(cell, &key, event->asset_class);
    if (series == NULL) {
        fold->counts.state_refusals++;
        prc_fold_dead_letter(fold, true, "state_limit", "the symbol has too many series");
        return;
    }
    struct prc_series_sink sink = {fold, on_metric, on_alert};
    unsigned revision = 0;
    uint64_t content = event->content.low;
    enum prc_placement placement = prc_series_place(series, bar.time_us, content, &revision);
    static const enum prc_result results[] = {PRC_KEPT, PRC_CORRECTED, PRC_DUPLICATE, PRC_LATE};
    static const unsigned flags[] = {0, PRC_OUT_CORRECTED, 0, PRC_OUT_LATE};
    prc_fold_count(fold, results[placement]);
    if (placement == PRC_PLACED_DUPLICATE)
        return;
    prc_fold_pass(fold, MF_TOPIC_BARS_FILTERED, revision, flags[placement]);
    if (placement != PRC_PLACED_LATE)
        prc_series_apply(series, &bar, content, &fold->rules, &sink);
}
