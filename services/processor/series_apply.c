// SPDX-License-Identifier: Apache-2.0
// A bar folded: an append is one step of the head, anything else a recompute from a checkpoint.
#include <stdlib.h>

#include "services/processor/series_private.h"

#define FORGET_EVERY 8 // appends

// Everything that a metric says, in one piece: absent values are not written anywhere.
static uint64_t hash_of_values(const struct prc_values *values, uint32_t n_obs)
{
    MF_UNINITIALISED struct {
        uint64_t present, rest;
        double v[MF_METRIC_FIELD_MAX];
    } said;
    size_t count = 0;
    said.present = values->present;
    said.rest = (uint64_t)n_obs << 32 | (unsigned)values->vol_regime << 16 |
                (unsigned)values->market_regime << 8 | (values->warm ? 2u : 0u) |
                (values->proxy_vwap ? 1u : 0u);
    for (uint64_t left = values->present; left != 0; left &= left - 1)
        said.v[count++] = values->v[__builtin_ctzll(left)];
    return mf_hash64(&said, 2 * sizeof(uint64_t) + count * sizeof *said.v);
}

void prc_apply_metric(const struct prc_apply *apply, size_t index, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs)
{
    struct prc_slot *slot = &apply->series->slots[index];
    uint64_t hash = hash_of_values(values, n_obs);
    if (slot->emitted && slot->metric_hash == hash)
        return;
    if (slot->emitted)
        slot->metric_revision++;
    slot->emitted = true;
    slot->metric_hash = hash;
    apply->sink->metric(apply->sink->arg, apply->series, bar, values, n_obs, slot->metric_revision);
}

// In order at the end: only the new bar is computed.
static void append(const struct prc_apply *apply, const struct prc_bar *bar)
{
    struct prc_series *series = apply->series;
    struct prc_values *values = &apply->applied->values;
    MF_UNINITIALISED struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    size_t index = series->count - 1;
    prc_series_save(series, index, &series->head);
    size_t count = prc_series_step(series, index, bar, apply->config, &series->head, values, transitions);
    prc_apply_metric(apply, index, bar, values, series->head.indicators.n_obs);
    for (size_t i = 0; i < count; i++)
        prc_apply_transition(apply, &transitions[i], values, bar);
}

// A change at `changed`: everything from there on again, and the difference to what has been published. The
// steps between the checkpoint and the change only lead there: they give what they gave before.
static void recompute(const struct prc_apply *apply, size_t changed, const struct prc_bar *cause)
{
    struct prc_series *series = apply->series;
    MF_UNINITIALISED struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    struct prc_state state;
    struct prc_recompute work = {.apply = apply, .cause = cause};
    work.first = prc_series_rewind(series, changed, &state);
    work.values = mf_alloc((series->count - work.first) * sizeof *work.values);
    prc_recompute_want_open(&work, &state);
    for (size_t i = work.first; i < series->count; i++) {
        struct prc_bar bar;
        struct prc_values *values = &work.values[i - work.first];
        if (i > work.first)
            prc_series_save(series, i, &state);
        prc_slot_bar(&series->slots[i], &bar);
        size_t count = prc_series_step(series, i, &bar, apply->config, &state, values, transitions);
        if (i >= changed)
            prc_apply_metric(apply, i, &bar, values, state.indicators.n_obs);
        for (size_t t = 0; t < count; t++)
            prc_recompute_want(&work, &transitions[t], bar.time_us);
    }
    series->head = state;
    prc_recompute_publish(&work);
    apply->applied->values = work.values[changed - work.first];
    const struct prc_values *newest = &work.values[series->count - 1 - work.first];
    series->mtf_sign = newest->mtf_warm ? newest->mtf_sign : PRC_MTF_COLD;
    free(work.items);
    free(work.values);
}

static bool is_first_of_session(const struct prc_series *series, size_t index)
{
    const struct prc_behind *newest = &series->recent[series->recent_count - 1];
    if (index + 1 == series->count && series->recent_count > 1 &&
        newest[-1].session_day == newest->session_day && newest[-1].session == newest->session)
        return false;
    const struct prc_slot *slot = &series->slots[index];
    for (size_t i = index; i > prc_series_ring_start(series); i--) {
        const struct prc_slot *earlier = &series->slots[i - 1];
        if (earlier->session_day == slot->session_day && earlier->session == slot->session)
            return false;
    }
    return true;
}

void prc_series_apply(struct prc_series *series, struct prc_series_bar *bar,
                      const struct prc_rule_config *config, const struct prc_series_sink *sink,
                      struct prc_applied *applied)
{
    struct prc_apply apply = {series, config, sink, applied};
    size_t at = prc_series_lower_bound(series, bar->bar.time_us);
    bool known = at < series->count && series->slots[at].time_us == bar->bar.time_us;
    applied->alerts = 0;
    if (known) {
        bar->bar.frozen = prc_slot_thaw(&series->slots[at]);
        prc_series_replace(series, at, bar);
    } else {
        prc_series_make_room(series, config, &at);
        prc_series_insert(series, at, bar);
    }
    applied->appended = !known && at + 1 == series->count;
    applied->revision = series->slots[at].revision;
    applied->first_of_session = is_first_of_session(series, at);
    if (applied->appended) {
        append(&apply, &bar->bar);
        series->mtf_sign = applied->values.mtf_warm ? applied->values.mtf_sign : PRC_MTF_COLD;
    } else {
        recompute(&apply, at, &bar->bar);
    }
    if (series->count % FORGET_EVERY == 0) // when does not matter: nothing asks for what is settled
        prc_series_forget(series);
}
