// SPDX-License-Identifier: Apache-2.0
// Inside of a series: its memory (series.c), what a change publishes (series_apply.c, series_publish.c).
#ifndef PRC_SERIES_PRIVATE_H
#define PRC_SERIES_PRIVATE_H

#include "services/processor/indicators_private.h"
#include "services/processor/series.h"

#define PRC_SLOTS_MIN 8

static inline size_t prc_lookback_limit(enum mf_interval interval)
{
    return interval == MF_INTERVAL_1D ? PRC_LOOKBACK_DAILY : PRC_LOOKBACK;
}

// Columns of an interval: those of enum prc_column, then the history where it is kept.
static inline size_t prc_column_kinds(enum mf_interval interval)
{
    size_t stored = interval == MF_INTERVAL_1D ? PRC_COLUMN_MAX : PRC_COLUMN_HIGH;
    return prc_history_kept(interval) ? stored + 1 : stored;
}

static inline double *prc_column(const struct prc_series *series, size_t kind)
{
    return series->columns + kind * series->column_capacity;
}

// NULL when the interval keeps none.
static inline double *prc_history_column(const struct prc_series *series)
{
    enum mf_interval interval = series->key.interval;
    return prc_history_kept(interval) ? prc_column(series, prc_column_kinds(interval) - 1) : NULL;
}

// A state as it is kept between bars: of most rules nothing but zeros.
struct prc_checkpoint {
    struct prc_indicator_state indicators;
    uint32_t open, touched; // bits per rule: as prc_rule_states.open; in rules[]
    struct prc_rule_state rules[];
};
struct prc_checkpoint *prc_checkpoint_pack(const struct prc_state *state);
void prc_checkpoint_unpack(const struct prc_checkpoint *checkpoint, struct prc_state *state);
// The newest one at hand at or before a stored bar: its state; returns the index of the bar it is before.
size_t prc_series_rewind(const struct prc_series *series, size_t index, struct prc_state *state);
// The state before slots[index], when that is a checkpoint's place.
void prc_series_save(struct prc_series *series, size_t index, const struct prc_state *state);

size_t prc_series_ring_start(const struct prc_series *series);
// Index of the first stored bar that is not before time_us.
size_t prc_series_lower_bound(const struct prc_series *series, int64_t time_us);
// Makes room for one more bar; when PRC_STORED are there the oldest leave and *index moves along.
void prc_series_make_room(struct prc_series *series, const struct prc_rule_config *config, size_t *index);
// Both take numbers.wide.
void prc_series_insert(struct prc_series *series, size_t index, struct prc_series_bar *bar);
void prc_series_replace(struct prc_series *series, size_t index, struct prc_series_bar *bar);
void prc_series_note_recent(struct prc_series *series); // after any change of the slots but an append
void prc_series_set_columns(struct prc_series *series, size_t index, const struct prc_bar *bar);

// state: before the bar at `index` → after it. Returns the number of transitions.
size_t prc_series_step(struct prc_series *series, size_t index, const struct prc_bar *bar,
                       const struct prc_rule_config *config, struct prc_state *state,
                       struct prc_values *values, struct prc_transition transitions[PRC_TRANSITIONS_MAX]);

// One call of prc_series_apply.
struct prc_apply {
    struct prc_series *series;
    const struct prc_rule_config *config;
    const struct prc_series_sink *sink;
    struct prc_applied *applied;
};
void prc_apply_metric(const struct prc_apply *apply, size_t index, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs);
// A transition of the newest bar, as it comes.
void prc_apply_transition(const struct prc_apply *apply, const struct prc_transition *transition,
                          const struct prc_values *values, const struct prc_bar *bar);
// What nothing can change any more is forgotten: fired before the ring and resolved before it, or withdrawn.
void prc_series_forget(struct prc_series *series);
size_t prc_series_find_fired(const struct prc_series *series, unsigned rule, int64_t key_time_us);

// What is remembered of published alerts, for series of contracts too.
uint16_t prc_rule_version(const struct prc_rule_config *config, unsigned rule); // digest
struct prc_fired prc_fired_of(const struct prc_transition *firing);
void prc_fired_resolve(struct prc_fired *fired, const struct prc_transition *resolution, int64_t bar_time_us);
// The last event's transition; `firing`: the firing event's own, whatever came after it.
struct prc_transition prc_fired_transition(const struct prc_fired *fired, bool firing);
bool prc_fired_is_same(const struct prc_fired *a, const struct prc_fired *b); // but for revision and version
// Fired and resolved before the ring, or withdrawn there: nothing can change it any more.
bool prc_fired_is_settled(const struct prc_fired *fired, int64_t ring_from_us);

struct prc_recompute {
    const struct prc_apply *apply;
    const struct prc_bar *cause;
    size_t first;              // index of the first bar computed
    struct prc_values *values; // from that bar on
    struct prc_fired *items;   // alerts wanted, sorted by (key_time_us, rule); revision, version unused
    size_t count, capacity;
};
void prc_recompute_want(struct prc_recompute *work, const struct prc_transition *transition,
                        int64_t bar_time_us);
void prc_recompute_want_open(struct prc_recompute *work, const struct prc_state *state);
void prc_recompute_publish(const struct prc_recompute *work);

#endif
