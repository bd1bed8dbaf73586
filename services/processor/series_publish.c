// SPDX-License-Identifier: Apache-2.0
// What has been published of a series' alerts, and the difference to what a recompute wants.
#include <stdlib.h>

#include "services/processor/series_private.h"

#define FIRED_MIN 4
#define WANTED_MIN 32

uint16_t prc_rule_version(const struct prc_rule_config *config, unsigned rule)
{
    const char *version = config->versions[rule];
    return (uint16_t)mf_hash64(version, strnlen(version, sizeof config->versions[rule]));
}

static int64_t ring_from(const struct prc_series *series)
{
    return series->count > 0 ? series->slots[prc_series_ring_start(series)].time_us : INT64_MAX;
}

bool prc_fired_is_settled(const struct prc_fired *fired, int64_t ring_from_us)
{
    return fired->key_time_us < ring_from_us && fired->resolution != PRC_NOT_RESOLVED &&
           (fired->resolution == PRC_RESOLVED_CORRECTED || fired->resolved_bar_us < ring_from_us);
}

size_t prc_series_find_fired(const struct prc_series *series, unsigned rule, int64_t key_time_us)
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

static bool is_before(const struct prc_fired *a, const struct prc_fired *b)
{
    return a->key_time_us != b->key_time_us ? a->key_time_us < b->key_time_us : a->rule < b->rule;
}

static struct prc_fired *add_fired(struct prc_series *series, const struct prc_fired *fired)
{
    if (series->fired_count == series->fired_capacity) {
        series->fired_capacity = series->fired_capacity < FIRED_MIN
                                     ? FIRED_MIN
                                     : series->fired_capacity + series->fired_capacity / 2;
        series->fired = mf_realloc(series->fired, series->fired_capacity * sizeof *series->fired);
    }
    size_t at = series->fired_count++;
    while (at > 0 && is_before(fired, &series->fired[at - 1])) {
        series->fired[at] = series->fired[at - 1];
        at--;
    }
    series->fired[at] = *fired;
    return &series->fired[at];
}

void prc_series_forget(struct prc_series *series)
{
    int64_t from = ring_from(series);
    if (series->fired_count == 0 || series->fired[0].key_time_us >= from)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < series->fired_count; i++)
        if (!prc_fired_is_settled(&series->fired[i], from))
            series->fired[kept++] = series->fired[i];
    series->fired_count = kept;
}

struct prc_fired prc_fired_of(const struct prc_transition *firing)
{
    return (struct prc_fired){.key_time_us = firing->key_time_us,
                              .cooldown_until_us = firing->cooldown_until_us,
                              .value = firing->verdict.value,
                              .threshold = firing->verdict.threshold,
                              .rule = (uint8_t)firing->rule,
                              .severity = (uint8_t)firing->verdict.severity,
                              .direction = (uint8_t)firing->verdict.direction};
}

void prc_fired_resolve(struct prc_fired *fired, const struct prc_transition *resolution, int64_t bar_time_us)
{
    fired->resolution = (uint8_t)resolution->resolution;
    fired->resolved_time_us = resolution->resolved_time_us;
    fired->resolved_bar_us = bar_time_us;
}

struct prc_transition prc_fired_transition(const struct prc_fired *fired, bool firing)
{
    bool open = firing || fired->resolution == PRC_NOT_RESOLVED;
    return (struct prc_transition){.rule = (enum prc_rule)fired->rule,
                                   .key_time_us = fired->key_time_us,
                                   .verdict = {.known = true,
                                               .holding = open,
                                               .triggered = open,
                                               .severity = (enum mf_severity)fired->severity,
                                               .direction = (enum mf_direction)fired->direction,
                                               .value = fired->value,
                                               .threshold = fired->threshold},
                                   .resolution =
                                       open ? PRC_NOT_RESOLVED : (enum prc_resolution)fired->resolution,
                                   .resolved_time_us = open ? 0 : fired->resolved_time_us,
                                   .cooldown_until_us = open ? fired->cooldown_until_us : 0};
}

static void publish(const struct prc_apply *apply, const struct prc_transition *transition,
                    const struct prc_values *values, const struct prc_bar *bar, uint32_t revision)
{
    apply->applied->alerts++;
    apply->sink->alert(apply->sink->arg, apply->series, transition, values, bar, revision);
}

void prc_apply_transition(const struct prc_apply *apply, const struct prc_transition *transition,
                          const struct prc_values *values, const struct prc_bar *bar)
{
    struct prc_series *series = apply->series;
    bool firing = transition->resolution == PRC_NOT_RESOLVED;
    size_t at = prc_series_find_fired(series, transition->rule, transition->key_time_us);
    struct prc_fired said = at != SIZE_MAX && !firing ? series->fired[at] : prc_fired_of(transition);
    if (!firing)
        prc_fired_resolve(&said, transition, bar->time_us);
    said.version = prc_rule_version(apply->config, transition->rule);
    if (at != SIZE_MAX) {
        said.revision = (uint16_t)(series->fired[at].revision + 1);
        series->fired[at] = said;
    } else {
        add_fired(series, &said);
    }
    publish(apply, transition, firing ? values : NULL, bar, said.revision);
}

static struct prc_fired *push(struct prc_recompute *work, const struct prc_fired *said)
{
    if (work->count == work->capacity) {
        work->capacity = work->capacity == 0 ? WANTED_MIN : work->capacity * 2;
        work->items = mf_realloc(work->items, work->capacity * sizeof *work->items);
    }
    work->items[work->count] = *said;
    return &work->items[work->count++];
}

void prc_recompute_want(struct prc_recompute *work, const struct prc_transition *transition,
                        int64_t bar_time_us)
{
    if (transition->resolution == PRC_NOT_RESOLVED) {
        struct prc_fired said = prc_fired_of(transition);
        push(work, &said);
        return;
    }
    for (size_t i = work->count; i > 0; i--) {
        struct prc_fired *item = &work->items[i - 1];
        if (item->rule == (uint8_t)transition->rule && item->key_time_us == transition->key_time_us) {
            prc_fired_resolve(item, transition, bar_time_us);
            return;
        }
    }
    assert(false); // a resolution always follows its firing, which the first state or a later bar has
}

// Alerts that stand open where the recompute starts: firing bars that it does not come by.
void prc_recompute_want_open(struct prc_recompute *work, const struct prc_state *state)
{
    const struct prc_series *series = work->apply->series;
    for (unsigned r = 0; r < PRC_RULE_BAR_MAX; r++) {
        const struct prc_rule_state *rule = &state->rules.of[r];
        if (rule->open_time_us == 0)
            continue;
        int64_t key_time_us = prc_time_meant(rule->open_time_us);
        size_t at = prc_series_find_fired(series, r, key_time_us);
        struct prc_fired said = {.key_time_us = key_time_us,
                                 .cooldown_until_us =
                                     at != SIZE_MAX ? series->fired[at].cooldown_until_us : 0,
                                 .value = rule->open_value,
                                 .threshold = rule->open_threshold,
                                 .rule = (uint8_t)r,
                                 .severity = rule->open_severity,
                                 .direction = rule->open_direction};
        push(work, &said);
        for (size_t i = work->count - 1; i > 0 && is_before(&said, &work->items[i - 1]); i--) {
            work->items[i] = work->items[i - 1];
            work->items[i - 1] = said;
        }
    }
}

bool prc_fired_is_same(const struct prc_fired *a, const struct prc_fired *b)
{
    return a->resolution == b->resolution && a->resolved_time_us == b->resolved_time_us &&
           a->cooldown_until_us == b->cooldown_until_us && a->severity == b->severity &&
           a->direction == b->direction && a->value == b->value && a->threshold == b->threshold;
}

// Alerts that were published but would not have been: withdrawn, key and time of the firing event. What fired
// before the first bar computed and is not among the wanted was resolved by then, and stays as it is.
static void publish_withdrawn(const struct prc_recompute *work)
{
    struct prc_series *series = work->apply->series;
    int64_t from = series->slots[work->first].time_us;
    for (size_t i = 0; i < series->fired_count; i++) {
        struct prc_fired *fired = &series->fired[i];
        bool wanted = fired->key_time_us < from;
        for (size_t j = 0; j < work->count && !wanted; j++)
            wanted = work->items[j].rule == fired->rule && work->items[j].key_time_us == fired->key_time_us;
        if (wanted || fired->resolution == PRC_RESOLVED_CORRECTED)
            continue;
        uint16_t version = prc_rule_version(work->apply->config, fired->rule);
        fired->resolution = PRC_RESOLVED_CORRECTED;
        fired->resolved_time_us = work->cause->end_us;
        fired->resolved_bar_us = work->cause->time_us;
        fired->revision++;
        struct prc_transition transition = prc_fired_transition(fired, false);
        transition.rule_changed = fired->version != version;
        fired->version = version;
        publish(work->apply, &transition, NULL, work->cause, fired->revision);
    }
}

// The bar that fired, and its values; those of a bar older than the ring are out of reach.
static const struct prc_values *values_of(const struct prc_recompute *work, int64_t key_time_us,
                                          struct prc_values *scratch, struct prc_bar *bar)
{
    struct prc_series *series = work->apply->series;
    size_t start = prc_series_ring_start(series), index = prc_series_lower_bound(series, key_time_us);
    bool in_ring = key_time_us >= series->slots[start].time_us;
    prc_slot_bar(&series->slots[in_ring ? index : start], bar);
    if (!in_ring)
        return NULL;
    if (index >= work->first)
        return &work->values[index - work->first];
    MF_UNINITIALISED struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    struct prc_state state;
    for (size_t i = prc_series_rewind(series, index, &state); i <= index; i++) {
        struct prc_bar earlier;
        prc_slot_bar(&series->slots[i], &earlier);
        prc_series_step(series, i, &earlier, work->apply->config, &state, scratch, transitions);
    }
    return scratch;
}

static void publish_item(const struct prc_recompute *work, const struct prc_fired *item)
{
    struct prc_series *series = work->apply->series;
    size_t at = prc_series_find_fired(series, item->rule, item->key_time_us);
    if (at != SIZE_MAX ? prc_fired_is_same(&series->fired[at], item)
                       : prc_fired_is_settled(item, ring_from(series)))
        return;
    struct prc_values scratch;
    struct prc_bar bar;
    const struct prc_values *values = values_of(work, item->key_time_us, &scratch, &bar);
    struct prc_fired said = *item;
    bool resolved = item->resolution != PRC_NOT_RESOLVED;
    struct prc_transition last = prc_fired_transition(item, false);
    said.version = prc_rule_version(work->apply->config, item->rule);
    if (at == SIZE_MAX) {
        struct prc_transition firing = prc_fired_transition(item, true);
        said.revision = resolved ? 1 : 0;
        add_fired(series, &said);
        publish(work->apply, &firing, values, &bar, 0);
        if (resolved)
            publish(work->apply, &last, NULL, &bar, 1);
        return;
    }
    last.rule_changed = series->fired[at].version != said.version;
    said.revision = (uint16_t)(series->fired[at].revision + 1);
    series->fired[at] = said;
    publish(work->apply, &last, resolved ? NULL : values, &bar, said.revision);
}

void prc_recompute_publish(const struct prc_recompute *work)
{
    publish_withdrawn(work);
    for (size_t j = 0; j < work->count; j++)
        publish_item(work, &work->items[j]);
}
