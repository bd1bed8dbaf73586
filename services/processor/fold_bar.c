// SPDX-License-Identifier: Apache-2.0
// Bars of providers: where they belong, whether they are kept, what they cause.
#include "services/processor/fold_private.h"

#include <math.h>

#define KEEP_MINUTES 5
#define KEEP_MOVE 0.002
#define KEEP_REL_VOLUME 1.2

// As decode has read them, which it does unless one has too many digits.
static bool numbers_of(const struct mf_bar *bar, struct prc_numbers *out)
{
    const struct mf_bar_numbers *n = &bar->numbers;
    const struct mf_decimal_number numbers[PRC_NUMBER_MAX] = {n->open,  n->high,   n->low,
                                                              n->close, n->volume, n->vwap};
    if (!bar->has_numbers)
        return false;
    out->wide = NULL;
    out->has_vwap = bar->vwap.data != NULL;
    for (int f = 0; f < PRC_NUMBER_MAX; f++) {
        bool has = f != PRC_VWAP || out->has_vwap;
        out->mantissa[f] = has ? numbers[f].mantissa : 0;
        out->scale[f] = has ? numbers[f].scale : 0;
    }
    return true;
}

// Text to numbers for statistics and roll-ups; the text itself goes on unchanged. The bar's `wide` is the
// caller's.
static bool read_bar(const struct mf_event *event, struct prc_series_bar *out)
{
    const struct mf_bar *bar = &event->bar;
    const struct mf_str texts[PRC_NUMBER_MAX] = {bar->open,  bar->high,   bar->low,
                                                 bar->close, bar->volume, bar->vwap};
    if (!numbers_of(bar, &out->numbers) && !prc_numbers_parse(texts, &out->numbers))
        return false;
    out->trade_count = bar->trade_count >= 0 ? bar->trade_count : PRC_NO_TRADE_COUNT;
    out->content_hash = event->content.low;
    out->bar.time_us = event->event_time_us;
    out->bar.end_us = bar->window_end_us;
    out->bar.session_day = mf_date_to_days(bar->session_date);
    out->bar.session = bar->session;
    out->bar.flags = event->flags;
    out->bar.mode = event->mode;
    prc_fold_doubles(&out->numbers, &out->bar);
    return true;
}

static bool has_sessions(enum mf_asset_class asset_class)
{
    return asset_class == MF_ASSET_STOCK || asset_class == MF_ASSET_OPTION || asset_class == MF_ASSET_INDEX;
}

// PROCESSOR_KEEP_BARS=interesting: of a bar that may be filtered away, is it worth passing on?
static bool should_keep(struct prc_fold *fold, const struct prc_bar *bar, const struct prc_applied *applied,
                        unsigned alerts)
{
    const struct prc_values *values = &applied->values;
    if (alerts > 0 || (applied->first_of_session && bar->session == MF_SESSION_REGULAR) ||
        (prc_has(values, MF_METRIC_FIELD_RET_1) && fabs(values->v[MF_METRIC_FIELD_RET_1]) >= KEEP_MOVE) ||
        (prc_has(values, MF_METRIC_FIELD_REL_VOLUME_20) &&
         values->v[MF_METRIC_FIELD_REL_VOLUME_20] >= KEEP_REL_VOLUME))
        return true;
    int64_t since_us = prc_floor(bar->time_us, MF_US_PER_DAY), midnight_us = 0;
    struct mf_calendar_session session;
    if (has_sessions(fold->event.asset_class) &&
        prc_fold_session(fold, bar->session_day, &midnight_us, &session)) {
        if (bar->end_us == session.close_us)
            return true;
        since_us = session.open_us;
    }
    int64_t minute = prc_floor(bar->time_us - since_us, MF_US_PER_MINUTE) / MF_US_PER_MINUTE;
    return minute % KEEP_MINUTES == 0;
}

static bool may_be_dropped(const struct prc_fold *fold, enum prc_placement placement)
{
    return fold->keep_interesting && fold->partition->role == MF_TOPIC_RAW && placement == PRC_PLACED_NEW &&
           fold->event.bar.interval < MF_INTERVAL_1D;
}

// Folds the bar, whose outputs come after itself.
static void apply(struct prc_fold *fold, const struct prc_target *target, struct prc_series_bar *bar,
                  enum prc_placement placement, unsigned revision)
{
    MF_UNINITIALISED struct prc_applied applied;
    bool corrected = placement == PRC_PLACED_CORRECTION, choose = may_be_dropped(fold, placement);
    const struct prc_series *series = target->series;
    const struct prc_bar key = bar->bar; // the series takes the rest
    int64_t complete =
        prc_lane_complete_to(target->cell->home, target->group->provider, series->key.interval);
    int64_t before = prc_chain_clock(series, complete);
    if (!corrected)
        prc_fold_freeze(fold, target, false, &bar->bar);
    if (choose)
        prc_fold_collect(fold);
    else
        prc_fold_pass(fold, MF_TOPIC_BARS_FILTERED, revision, corrected ? PRC_OUT_CORRECTED : 0, NULL);
    prc_fold_apply(fold, target, bar, &applied);
    unsigned alerts = applied.alerts + prc_fold_fresh(fold, target, &key);
    enum prc_result result = corrected ? PRC_CORRECTED : PRC_KEPT;
    if (choose) {
        bool kept = should_keep(fold, &key, &applied, alerts);
        result = kept ? PRC_KEPT : PRC_DROPPED;
        if (kept)
            prc_fold_pass(fold, MF_TOPIC_BARS_FILTERED, 0, 0, NULL);
        prc_fold_flush(fold, false);
    }
    prc_fold_count(fold, result);
    struct prc_window_key window = {key.time_us, key.session_day, key.session};
    prc_fold_roll(fold, target, &window, before, prc_chain_clock(series, complete));
}

static void place(struct prc_fold *fold, struct prc_cell *cell, struct prc_group *group)
{
    const struct mf_event *event = &fold->event;
    struct prc_target target = {cell, group, group->vendor[event->bar.interval]};
    unsigned revision = 0;
    enum prc_placement placement = PRC_PLACED_NEW;
    if (target.series != NULL)
        placement = prc_series_place(target.series, event->event_time_us, event->content.low, &revision);
    if (placement == PRC_PLACED_DUPLICATE) {
        prc_fold_count(fold, PRC_DUPLICATE);
        return;
    }
    if (placement == PRC_PLACED_LATE) {
        prc_fold_count(fold, PRC_LATE);
        prc_fold_pass(fold, MF_TOPIC_BARS_FILTERED, 0, PRC_OUT_LATE, NULL);
        return;
    }
    struct prc_series_bar bar;
    if (!read_bar(event, &bar)) {
        prc_fold_dead_letter(fold, true, "bad_value", "the bar's numbers cannot be used");
        return;
    }
    if (target.series == NULL) {
        struct prc_series_key key = {.adjusted = group->adjusted, .interval = event->bar.interval};
        memcpy(key.source, group->provider, sizeof(key.source));
        memcpy(key.provider, group->provider, sizeof(key.provider));
        target.series = prc_series_new(&key, event->asset_class);
        group->vendor[key.interval] = target.series;
    }
    cell->last = target.series;
    apply(fold, &target, &bar, placement, revision);
}

void prc_fold_bar(struct prc_fold *fold)
{
    const struct mf_event *event = &fold->event;
    struct prc_cell *cell = prc_fold_bar_cell(fold, MF_TOPIC_BARS_FILTERED);
    if (cell == NULL)
        return;
    struct prc_group *group = prc_cell_group(cell, event->source, event->bar.adjusted, true);
    if (group == NULL) {
        fold->counts.state_refusals += !prc_fold_replays(fold);
        prc_fold_dead_letter(fold, true, "state_limit", "the symbol has too many groups of series");
        return;
    }
    place(fold, cell, group);
}
