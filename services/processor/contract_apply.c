// SPDX-License-Identifier: Apache-2.0
// A bar folded into the series of a contract, and what the rule says about it.
#include <stdlib.h>

#include "services/processor/contract.h"
#include "services/processor/rules_table.h"
#include "services/processor/series_private.h"

#define SLOTS_MIN 4
#define FIRED_MIN 2
#define WANTED_MAX (PRC_RING + 1) // a bar fires at most once; one may stand open before the ring

struct folding { // one call of prc_contract_apply
    struct prc_contract *contract;
    const struct prc_rule_config *config;
    const struct prc_contract_sink *sink;
    const struct prc_bar *cause;
    struct prc_fired wanted[WANTED_MAX]; // of a recompute, by time
    size_t wanted_count;
};

static size_t lower_bound(const struct prc_contract *contract, int64_t time_us)
{
    size_t low = 0, high = contract->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (contract->slots[middle].time_us < time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_before(const struct prc_contract *contract)
{
    return contract->n_obs > contract->count;
}

enum prc_placement prc_contract_place(const struct prc_contract *contract, int64_t time_us,
                                      uint64_t content_hash, unsigned *revision)
{
    *revision = 0;
    size_t at = lower_bound(contract, time_us);
    if (at < contract->count && contract->slots[at].time_us == time_us) {
        const struct prc_contract_slot *slot = &contract->slots[at];
        bool same = slot->content_hash == content_hash;
        *revision = same ? slot->revision : slot->revision + 1u;
        return same ? PRC_PLACED_DUPLICATE : PRC_PLACED_CORRECTION;
    }
    return at == 0 && has_before(contract) ? PRC_PLACED_LATE : PRC_PLACED_NEW;
}

// What the rule sees of the bar at `index`.
static void look(const struct prc_contract *contract, size_t index, struct prc_bar *bar,
                 struct prc_values *values)
{
    const struct prc_contract_slot *slot = &contract->slots[index];
    *bar = (struct prc_bar){.time_us = slot->time_us,
                            .end_us = slot->time_us + prc_window_us(slot->length),
                            .close = slot->close,
                            .session_day = slot->session_day,
                            .flags = slot->flags,
                            .mode = (enum mf_provenance_mode)slot->mode,
                            .frozen = {.late_us = PRC_NOT_JUDGED, .bits = slot->bits}};
    *values = (struct prc_values){.has_prev_close = index > 0 || has_before(contract),
                                  .prev_close = index > 0 ? slot[-1].close : contract->close_before};
}

// state: before the bar → after it. Returns the number of transitions.
static size_t step(const struct folding *f, const struct prc_bar *bar, const struct prc_values *values,
                   struct prc_rule_state *state, struct prc_transition transitions[2])
{
    const struct prc_contract *contract = f->contract;
    enum mf_interval interval = contract->key.interval;
    struct prc_verdict verdict =
        prc_rule_verdict(PRC_CONTRACT_RULE, f->config, values, bar, interval, contract->asset_class);
    if (!verdict.triggered && state->open_time_us == 0)
        return 0;
    struct prc_rule_states states = {.of[PRC_CONTRACT_RULE] = *state};
    size_t count =
        prc_rule_step(PRC_CONTRACT_RULE, &verdict, bar,
                      prc_cooldown_us(PRC_CONTRACT_RULE, f->config, interval), &states, transitions);
    *state = states.of[PRC_CONTRACT_RULE];
    return count;
}

static void tell_bar(const struct folding *f, size_t index, const struct prc_bar *bar,
                     const struct prc_values *values, const struct prc_rule_state *before)
{
    const struct prc_contract *contract = f->contract;
    uint32_t n_obs = contract->n_obs - (uint32_t)(contract->count - index - 1);
    if (f->sink->bar != NULL)
        f->sink->bar(f->sink->arg, contract, bar, values, n_obs, before);
}

// ---------------------------------------------------------------- what has been published

static size_t find_fired(const struct prc_contract *contract, int64_t key_time_us)
{
    for (size_t i = contract->fired_count; i > 0; i--)
        if (contract->fired[i - 1].key_time_us == key_time_us)
            return i - 1;
    return SIZE_MAX;
}

static void add_fired(struct prc_contract *contract, const struct prc_fired *said)
{
    if (contract->fired_count == contract->fired_capacity) {
        contract->fired_capacity = contract->fired_capacity == 0 ? FIRED_MIN : 2 * contract->fired_capacity;
        contract->fired = mf_realloc(contract->fired, contract->fired_capacity * sizeof *contract->fired);
    }
    size_t at = contract->fired_count++;
    for (; at > 0 && said->key_time_us < contract->fired[at - 1].key_time_us; at--)
        contract->fired[at] = contract->fired[at - 1];
    contract->fired[at] = *said;
}

// What nothing can change any more.
static void forget_settled(struct prc_contract *contract)
{
    size_t kept = 0;
    for (size_t i = 0; i < contract->fired_count; i++)
        if (!prc_fired_is_settled(&contract->fired[i], contract->slots[0].time_us))
            contract->fired[kept++] = contract->fired[i];
    contract->fired_count = kept;
}

static void publish(const struct folding *f, const struct prc_transition *transition,
                    const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    f->sink->alert(f->sink->arg, f->contract, transition, values, bar, revision);
}

// A transition of the newest bar, as it comes.
static void publish_transition(const struct folding *f, const struct prc_transition *transition,
                               const struct prc_values *values, const struct prc_bar *bar)
{
    struct prc_contract *contract = f->contract;
    bool firing = transition->resolution == PRC_NOT_RESOLVED;
    size_t at = find_fired(contract, transition->key_time_us);
    struct prc_fired said = at != SIZE_MAX && !firing ? contract->fired[at] : prc_fired_of(transition);
    if (!firing)
        prc_fired_resolve(&said, transition, bar->time_us);
    said.version = prc_rule_version(f->config, PRC_CONTRACT_RULE);
    if (at != SIZE_MAX) {
        said.revision = (uint16_t)(contract->fired[at].revision + 1);
        contract->fired[at] = said;
    } else {
        add_fired(contract, &said);
    }
    publish(f, transition, firing ? values : NULL, bar, said.revision);
}

// ---------------------------------------------------------------- a change inside the ring

static void want(struct folding *f, const struct prc_transition *transition, int64_t bar_time_us)
{
    if (transition->resolution == PRC_NOT_RESOLVED) {
        assert(f->wanted_count < WANTED_MAX);
        f->wanted[f->wanted_count++] = prc_fired_of(transition);
        return;
    }
    for (size_t i = f->wanted_count; i > 0; i--)
        if (f->wanted[i - 1].key_time_us == transition->key_time_us) {
            prc_fired_resolve(&f->wanted[i - 1], transition, bar_time_us);
            return;
        }
    assert(false); // a resolution always follows its firing, which the base or a later bar has
}

static void want_open(struct folding *f)
{
    const struct prc_rule_state *base = &f->contract->base;
    if (base->open_time_us == 0)
        return;
    int64_t key_time_us = prc_time_meant(base->open_time_us);
    size_t at = find_fired(f->contract, key_time_us);
    f->wanted[f->wanted_count++] =
        (struct prc_fired){.key_time_us = key_time_us,
                           .cooldown_until_us = at != SIZE_MAX ? f->contract->fired[at].cooldown_until_us : 0,
                           .value = base->open_value,
                           .threshold = base->open_threshold,
                           .rule = PRC_CONTRACT_RULE,
                           .severity = base->open_severity,
                           .direction = base->open_direction};
}

// Published, but would not have been. What fired before the ring and is not wanted was resolved by then.
static void publish_withdrawn(const struct folding *f)
{
    struct prc_contract *contract = f->contract;
    for (size_t i = 0; i < contract->fired_count; i++) {
        struct prc_fired *fired = &contract->fired[i];
        bool wanted = fired->key_time_us < contract->slots[0].time_us;
        for (size_t j = 0; j < f->wanted_count && !wanted; j++)
            wanted = f->wanted[j].key_time_us == fired->key_time_us;
        if (wanted || fired->resolution == PRC_RESOLVED_CORRECTED)
            continue;
        uint16_t version = prc_rule_version(f->config, PRC_CONTRACT_RULE);
        struct prc_transition withdrawal = {.resolution = PRC_RESOLVED_CORRECTED,
                                            .resolved_time_us = f->cause->end_us};
        prc_fired_resolve(fired, &withdrawal, f->cause->time_us);
        fired->revision++;
        struct prc_transition transition = prc_fired_transition(fired, false);
        transition.rule_changed = fired->version != version;
        fired->version = version;
        publish(f, &transition, NULL, f->cause, fired->revision);
    }
}

static void publish_wanted(const struct folding *f, const struct prc_fired *item)
{
    struct prc_contract *contract = f->contract;
    int64_t from_us = contract->slots[0].time_us;
    size_t at = find_fired(contract, item->key_time_us);
    if (at != SIZE_MAX ? prc_fired_is_same(&contract->fired[at], item) : prc_fired_is_settled(item, from_us))
        return;
    struct prc_bar bar; // that fired; its values are out of reach when it is older than the ring
    struct prc_values known;
    bool in_ring = item->key_time_us >= from_us, resolved = item->resolution != PRC_NOT_RESOLVED;
    look(contract, in_ring ? lower_bound(contract, item->key_time_us) : 0, &bar, &known);
    const struct prc_values *values = in_ring ? &known : NULL;
    struct prc_fired said = *item;
    struct prc_transition last = prc_fired_transition(item, false);
    said.version = prc_rule_version(f->config, PRC_CONTRACT_RULE);
    if (at == SIZE_MAX) {
        struct prc_transition firing = prc_fired_transition(item, true);
        said.revision = resolved ? 1 : 0;
        add_fired(contract, &said);
        publish(f, &firing, values, &bar, 0);
        if (resolved)
            publish(f, &last, NULL, &bar, 1);
        return;
    }
    last.rule_changed = contract->fired[at].version != said.version;
    said.revision = (uint16_t)(contract->fired[at].revision + 1);
    contract->fired[at] = said;
    publish(f, &last, resolved ? NULL : values, &bar, said.revision);
}

static void recompute(struct folding *f, int64_t changed_us)
{
    struct prc_contract *contract = f->contract;
    struct prc_rule_state state = contract->base;
    want_open(f);
    for (size_t i = 0; i < contract->count; i++) {
        struct prc_transition transitions[2];
        struct prc_bar bar;
        struct prc_values values;
        const struct prc_rule_state before = state;
        look(contract, i, &bar, &values);
        size_t count = step(f, &bar, &values, &state, transitions);
        contract->slots[i].clear_bars = state.clear_bars;
        if (bar.time_us >= changed_us)
            tell_bar(f, i, &bar, &values, &before);
        for (size_t t = 0; t < count; t++)
            want(f, &transitions[t], bar.time_us);
    }
    contract->head = state;
    publish_withdrawn(f);
    for (size_t j = 0; j < f->wanted_count; j++)
        publish_wanted(f, &f->wanted[j]);
}

// ---------------------------------------------------------------- bars

// The oldest bar leaves the ring. It is not judged again, since the thresholds may be others by now: the base
// becomes what was published by then.
static void leave(struct prc_contract *contract)
{
    const struct prc_contract_slot *oldest = &contract->slots[0];
    struct prc_rule_state *base = &contract->base;
    base->open_time_us = 0;
    base->clear_bars = 0;
    for (size_t i = 0; i < contract->fired_count && contract->fired[i].key_time_us <= oldest->time_us; i++) {
        const struct prc_fired *fired = &contract->fired[i];
        if (fired->resolution == PRC_RESOLVED_CORRECTED)
            continue;
        if (fired->key_time_us == oldest->time_us) {
            base->last_severity = fired->severity;
            base->cooldown_until_us = fired->cooldown_until_us;
        }
        if (fired->resolution != PRC_NOT_RESOLVED && fired->resolved_bar_us <= oldest->time_us)
            continue;
        base->open_time_us = prc_time_kept(fired->key_time_us);
        base->open_value = fired->value;
        base->open_threshold = fired->threshold;
        base->open_severity = fired->severity;
        base->open_direction = fired->direction;
        base->clear_bars = oldest->clear_bars;
    }
    contract->close_before = oldest->close;
    contract->count--;
    memmove(contract->slots, contract->slots + 1, contract->count * sizeof *contract->slots);
}

static void insert(struct prc_contract *contract, size_t index, const struct prc_contract_slot *slot)
{
    if (contract->count == contract->capacity) {
        contract->capacity = contract->capacity == 0 ? SLOTS_MIN : 2 * contract->capacity;
        contract->capacity = contract->capacity < PRC_RING ? contract->capacity : PRC_RING;
        contract->slots = mf_realloc(contract->slots, contract->capacity * sizeof *contract->slots);
    }
    memmove(contract->slots + index + 1, contract->slots + index,
            (contract->count - index) * sizeof *contract->slots);
    contract->slots[index] = *slot;
    contract->count++;
}

static void append(struct folding *f)
{
    struct prc_contract *contract = f->contract;
    struct prc_transition transitions[2];
    struct prc_bar bar;
    struct prc_values values;
    const struct prc_rule_state before = contract->head;
    look(contract, contract->count - 1, &bar, &values);
    size_t count = step(f, &bar, &values, &contract->head, transitions);
    contract->slots[contract->count - 1].clear_bars = contract->head.clear_bars;
    tell_bar(f, contract->count - 1, &bar, &values, &before);
    for (size_t t = 0; t < count; t++)
        publish_transition(f, &transitions[t], &values, &bar);
}

void prc_contract_apply(struct prc_contract *contract, const struct prc_bar *bar, uint64_t content_hash,
                        const struct prc_rule_config *config, const struct prc_contract_sink *sink)
{
    MF_UNINITIALISED struct folding f;
    f.contract = contract;
    f.config = config;
    f.sink = sink;
    f.cause = bar;
    f.wanted_count = 0;
    struct prc_contract_slot slot = {.time_us = bar->time_us,
                                     .content_hash = content_hash,
                                     .close = bar->close,
                                     .length = prc_window_pack(bar->end_us - bar->time_us),
                                     .session_day = bar->session_day,
                                     .flags = (uint8_t)bar->flags,
                                     .mode = (uint8_t)bar->mode,
                                     .bits = bar->frozen.bits};
    size_t at = lower_bound(contract, bar->time_us);
    bool known = at < contract->count && contract->slots[at].time_us == bar->time_us;
    bool appended = !known && at == contract->count;
    if (known) {
        slot.revision = (uint16_t)(contract->slots[at].revision + 1);
        slot.bits = contract->slots[at].bits;
        contract->slots[at] = slot;
    } else if (contract->count == PRC_RING && at == 0) {
        // Before the first of exactly as many as the ring holds: no close lies before it, so the rule says
        // nothing about it.
        contract->close_before = bar->close;
    } else {
        if (contract->count == PRC_RING) {
            leave(contract);
            at--;
        }
        insert(contract, at, &slot);
    }
    contract->n_obs += known ? 0 : 1;
    if (appended)
        append(&f);
    else
        recompute(&f, bar->time_us);
    if (contract->fired_count > 0)
        forget_settled(contract);
}
