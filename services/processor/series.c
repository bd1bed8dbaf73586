// SPDX-License-Identifier: Apache-2.0
#include "services/processor/series.h"

#include <stdlib.h>

// Everything that one recompute wants to have been published for the alerts of the ring.
#define DESIRED_MAX (PRC_RING * PRC_RULE_BAR_MAX + PRC_RULE_BAR_MAX)
struct desired {
    struct prc_transition last; // resolution or firing
    struct prc_transition firing;
    size_t index; // ring index of the firing bar, SIZE_MAX for one that fired before the ring
};

struct recompute {
    struct desired items[DESIRED_MAX];
    size_t count;
    struct prc_values values[PRC_RING]; // per ring index
};

static struct prc_slot *slot_at(struct prc_series *series, size_t index)
{
    return &series->ring[(series->ring_start + index) % PRC_RING];
}

struct prc_series *prc_series_new(const struct prc_series_key *key, enum mf_asset_class asset_class)
{
    struct prc_series *series = mf_calloc(1, sizeof(*series));
    series->key = *key;
    series->asset_class = asset_class;
    return series;
}

void prc_series_free(struct prc_series **series)
{
    if (*series == NULL)
        return;
    free((*series)->fired);
    free(*series);
    *series = NULL;
}

struct prc_series *prc_series_clone(const struct prc_series *series)
{
    struct prc_series *copy = mf_alloc(sizeof(*copy));
    *copy = *series;
    copy->fired_capacity = series->fired_count;
    copy->fired = series->fired_count > 0 ? mf_alloc(series->fired_count * sizeof(*copy->fired)) : NULL;
    if (series->fired_count > 0)
        memcpy(copy->fired, series->fired, series->fired_count * sizeof(*copy->fired));
    return copy;
}

size_t prc_series_bytes(const struct prc_series *series)
{
    return sizeof(*series) + series->fired_capacity * sizeof(*series->fired);
}

// The window that ends with ring index `index`, in scratch arrays of the caller.
static struct prc_window window_at(struct prc_series *series, size_t index, double closes[PRC_WINDOW_MAX + 1],
                                   double volumes[PRC_WINDOW_MAX + 1])
{
    size_t total = series->tail_count + index + 1;
    size_t count = total < PRC_WINDOW_MAX + 1 ? total : PRC_WINDOW_MAX + 1;
    for (size_t i = 0; i < count; i++) {
        size_t at = total - count + i; // position counted from the tail's start
        if (at < series->tail_count) {
            closes[i] = series->tail_closes[at];
            volumes[i] = series->tail_volumes[at];
        } else {
            const struct prc_slot *slot = slot_at(series, at - series->tail_count);
            closes[i] = slot->bar.close;
            volumes[i] = slot->bar.volume;
        }
    }
    return (struct prc_window){closes, volumes, count};
}

// state: before the bar at `index` → after it.
static size_t step(struct prc_series *series, size_t index, const struct prc_rule_config *config,
                   struct prc_state *state, struct prc_values *values,
                   struct prc_transition transitions[PRC_TRANSITIONS_MAX])
{
    double closes[PRC_WINDOW_MAX + 1], volumes[PRC_WINDOW_MAX + 1];
    struct prc_window window = window_at(series, index, closes, volumes);
    struct prc_indicator_state before = state->indicators;
    const struct prc_bar *bar = &slot_at(series, index)->bar;
    prc_indicators_step(&before, &window, bar, series->key.interval, series->asset_class, &state->indicators,
                        values);
    return prc_rules_step(config, values, bar, series->key.interval, series->asset_class, state->rules,
                          transitions);
}

static uint64_t hash_of_values(const struct prc_values *values)
{
    uint64_t hash =
        values->present ^ (values->warm ? 0x5bd1e995u : 0) ^ (values->proxy_vwap ? 0x1b873593u : 0);
    return hash * UINT64_C(0x9E3779B97F4A7C15) ^ mf_hash64(values->v, sizeof(values->v));
}

static void emit_metric(struct prc_slot *slot, const struct prc_series *series,
                        const struct prc_values *values, uint32_t n_obs, const struct prc_series_sink *sink)
{
    uint64_t hash = hash_of_values(values) + n_obs;
    if (slot->emitted && slot->metric_hash == hash)
        return;
    if (slot->emitted)
        slot->metric_revision++;
    slot->emitted = true;
    slot->metric_hash = hash;
    sink->metric(sink->arg, series, &slot->bar, values, n_obs, slot->metric_revision);
}

static size_t find_fired(const struct prc_series *series, enum prc_rule rule, int64_t key_time_us)
{
    for (size_t i = series->fired_count; i > 0; i--) {
        const struct prc_fired *fired = &series->fired[i - 1];
        if (fired->rule == rule && fired->key_time_us == key_time_us)
            return i - 1;
        if (fired->key_time_us < key_time_us)
            break;
    }
    return SIZE_MAX;
}

static struct prc_fired *add_fired(struct prc_series *series, const struct prc_transition *firing)
{
    if (series->fired_count == series->fired_capacity) {
        series->fired_capacity = series->fired_capacity == 0 ? 4 : series->fired_capacity * 2;
        series->fired = mf_realloc(series->fired, series->fired_capacity * sizeof(*series->fired));
    }
    size_t at = series->fired_count++;
    while (at > 0 && (series->fired[at - 1].key_time_us > firing->key_time_us ||
                      (series->fired[at - 1].key_time_us == firing->key_time_us &&
                       series->fired[at - 1].rule > firing->rule))) {
        series->fired[at] = series->fired[at - 1];
        at--;
    }
    series->fired[at] = (struct prc_fired){
        .rule = firing->rule, .key_time_us = firing->key_time_us, .last = *firing, .firing = *firing};
    return &series->fired[at];
}

// An entry may be forgotten once its bar has left the ring and nothing can change it any more.
static void forget_fired(struct prc_series *series)
{
    int64_t ring_from = series->ring_count > 0 ? slot_at(series, 0)->bar.time_us : INT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < series->fired_count; i++) {
        const struct prc_fired *fired = &series->fired[i];
        bool open_in_base = series->base.rules[fired->rule].open_time_us == fired->key_time_us;
        if (fired->key_time_us >= ring_from || open_in_base)
            series->fired[kept++] = *fired;
    }
    series->fired_count = kept;
}

// In order at the end: only the new bar is computed.
static void step_head(struct prc_series *series, const struct prc_rule_config *config,
                      const struct prc_series_sink *sink)
{
    struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    struct prc_values values;
    size_t index = series->ring_count - 1;
    size_t count = step(series, index, config, &series->head, &values, transitions);
    struct prc_slot *slot = slot_at(series, index);
    emit_metric(slot, series, &values, series->head.indicators.n_obs, sink);
    for (size_t i = 0; i < count; i++) {
        const struct prc_transition *transition = &transitions[i];
        bool firing = transition->resolution == PRC_NOT_RESOLVED;
        size_t at = find_fired(series, transition->rule, transition->key_time_us);
        struct prc_fired *fired = at != SIZE_MAX ? &series->fired[at] : add_fired(series, transition);
        if (at != SIZE_MAX) { // its resolution, or a firing that had been withdrawn before
            fired->revision++;
            fired->last = *transition;
        }
        sink->alert(sink->arg, series, transition, firing ? &values : NULL, &slot->bar, fired->revision);
    }
}

static void want(struct recompute *work, const struct prc_transition *transition, size_t index)
{
    if (transition->resolution == PRC_NOT_RESOLVED) {
        assert(work->count < DESIRED_MAX);
        work->items[work->count++] = (struct desired){*transition, *transition, index};
        return;
    }
    for (size_t i = work->count; i > 0; i--) {
        struct desired *item = &work->items[i - 1];
        if (item->firing.rule == transition->rule && item->firing.key_time_us == transition->key_time_us) {
            item->last = *transition;
            return;
        }
    }
    assert(false); // a resolution always follows its firing, in the base or in the ring
}

static bool same_transition(const struct prc_transition *a, const struct prc_transition *b)
{
    return a->resolution == b->resolution && a->resolved_time_us == b->resolved_time_us &&
           a->cooldown_until_us == b->cooldown_until_us && a->verdict.severity == b->verdict.severity &&
           a->verdict.direction == b->verdict.direction && a->verdict.value == b->verdict.value &&
           a->verdict.threshold == b->verdict.threshold;
}

// Alerts that were published but would not have been: withdrawn, key and time of the firing event.
static void publish_withdrawn(struct prc_series *series, const struct recompute *work,
                              const struct prc_bar *cause, const struct prc_series_sink *sink)
{
    for (size_t i = 0; i < series->fired_count; i++) {
        struct prc_fired *fired = &series->fired[i];
        bool wanted = false;
        for (size_t j = 0; j < work->count && !wanted; j++)
            wanted = work->items[j].firing.rule == fired->rule &&
                     work->items[j].firing.key_time_us == fired->key_time_us;
        if (wanted || fired->last.resolution == PRC_RESOLVED_CORRECTED)
            continue;
        fired->last = fired->firing;
        fired->last.resolution = PRC_RESOLVED_CORRECTED;
        fired->last.resolved_time_us = cause->end_us;
        fired->last.cooldown_until_us = 0;
        fired->revision++;
        sink->alert(sink->arg, series, &fired->last, NULL, cause, fired->revision);
    }
}

static void publish_wanted(struct prc_series *series, const struct recompute *work,
                           const struct prc_series_sink *sink)
{
    for (size_t j = 0; j < work->count; j++) {
        const struct desired *item = &work->items[j];
        size_t at = find_fired(series, item->firing.rule, item->firing.key_time_us);
        const struct prc_values *values = item->index == SIZE_MAX ? NULL : &work->values[item->index];
        const struct prc_bar *bar =
            item->index == SIZE_MAX ? &slot_at(series, 0)->bar : &slot_at(series, item->index)->bar;
        bool resolved = item->last.resolution != PRC_NOT_RESOLVED;
        if (at == SIZE_MAX) {
            struct prc_fired *fired = add_fired(series, &item->firing);
            sink->alert(sink->arg, series, &item->firing, values, bar, 0);
            if (resolved) {
                fired->last = item->last;
                fired->revision = 1;
                sink->alert(sink->arg, series, &item->last, NULL, bar, 1);
            }
            continue;
        }
        struct prc_fired *fired = &series->fired[at];
        if (same_transition(&fired->last, &item->last) && same_transition(&fired->firing, &item->firing))
            continue;
        fired->firing = item->firing;
        fired->last = item->last;
        fired->revision++;
        sink->alert(sink->arg, series, &item->last, resolved ? NULL : values, bar, fired->revision);
    }
}

// A change inside the ring: compute everything again from the base, publish the difference.
static void recompute_ring(struct prc_series *series, const struct prc_bar *cause,
                           const struct prc_rule_config *config, const struct prc_series_sink *sink)
{
    struct recompute *work = mf_alloc(sizeof(*work));
    work->count = 0;
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        size_t at = find_fired(series, (enum prc_rule)r, series->base.rules[r].open_time_us);
        if (series->base.rules[r].open_time_us != 0 && at != SIZE_MAX)
            want(work, &series->fired[at].firing, SIZE_MAX);
    }
    series->head = series->base;
    for (size_t i = 0; i < series->ring_count; i++) {
        struct prc_transition transitions[PRC_TRANSITIONS_MAX];
        size_t count = step(series, i, config, &series->head, &work->values[i], transitions);
        emit_metric(slot_at(series, i), series, &work->values[i], series->head.indicators.n_obs, sink);
        for (size_t t = 0; t < count; t++)
            want(work, &transitions[t], i);
    }
    publish_withdrawn(series, work, cause, sink);
    publish_wanted(series, work, sink);
    free(work);
}

// The oldest bar leaves the ring: it becomes part of the base and of the tail.
static void advance_base(struct prc_series *series, const struct prc_rule_config *config)
{
    struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    struct prc_values values;
    step(series, 0, config, &series->base, &values, transitions);
    if (series->tail_count == PRC_TAIL) {
        memmove(series->tail_closes, series->tail_closes + 1, (PRC_TAIL - 1) * sizeof(double));
        memmove(series->tail_volumes, series->tail_volumes + 1, (PRC_TAIL - 1) * sizeof(double));
        series->tail_count--;
    }
    series->tail_closes[series->tail_count] = slot_at(series, 0)->bar.close;
    series->tail_volumes[series->tail_count++] = slot_at(series, 0)->bar.volume;
    series->ring_start = (series->ring_start + 1) % PRC_RING;
    series->ring_count--;
}

// Index of the first ring bar whose time is not before time_us.
static size_t lower_bound(const struct prc_series *series, int64_t time_us)
{
    size_t at = series->ring_count;
    while (at > 0 && series->ring[(series->ring_start + at - 1) % PRC_RING].bar.time_us >= time_us)
        at--;
    return at;
}

enum prc_placement prc_series_place(const struct prc_series *series, int64_t time_us, uint64_t content_hash,
                                    unsigned *revision)
{
    *revision = 0;
    size_t at = lower_bound(series, time_us);
    const struct prc_slot *slot = &series->ring[(series->ring_start + at) % PRC_RING];
    if (at < series->ring_count && slot->bar.time_us == time_us) {
        bool same = slot->content_hash == content_hash;
        *revision = same ? slot->revision : slot->revision + 1u;
        return same ? PRC_PLACED_DUPLICATE : PRC_PLACED_CORRECTION;
    }
    bool before_ring = at == 0 && (series->base.indicators.n_obs > 0 || series->ring_count == PRC_RING);
    return before_ring ? PRC_PLACED_LATE : PRC_PLACED_NEW;
}

static void insert(struct prc_series *series, size_t at, const struct prc_bar *bar, uint64_t content_hash)
{
    series->ring_count++;
    for (size_t i = series->ring_count - 1; i > at; i--)
        *slot_at(series, i) = *slot_at(series, i - 1);
    *slot_at(series, at) = (struct prc_slot){.bar = *bar, .content_hash = content_hash};
}

void prc_series_apply(struct prc_series *series, const struct prc_bar *bar, uint64_t content_hash,
                      const struct prc_rule_config *config, const struct prc_series_sink *sink)
{
    size_t at = lower_bound(series, bar->time_us);
    if (at < series->ring_count && slot_at(series, at)->bar.time_us == bar->time_us) {
        struct prc_slot *slot = slot_at(series, at);
        slot->revision++;
        slot->content_hash = content_hash;
        slot->bar = *bar;
        recompute_ring(series, bar, config, sink);
        return;
    }
    if (series->ring_count == PRC_RING) {
        assert(at > 0); // older than a full ring is LATE
        advance_base(series, config);
        forget_fired(series);
        at--;
    }
    insert(series, at, bar, content_hash);
    if (at + 1 == series->ring_count)
        step_head(series, config, sink);
    else
        recompute_ring(series, bar, config, sink);
}
