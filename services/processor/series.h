// SPDX-License-Identifier: Apache-2.0
// One series: a ring of the last 64 bars, which may still change, a tail of look-back behind it, a base
// (state as of the ring's start) and a head (state after its last bar). A change inside the ring recomputes
// from the base what the ring would have given and reports the difference to what was emitted. Pure but for
// memory; no failure classes.
#ifndef PRC_SERIES_H
#define PRC_SERIES_H

#include "common/hash.h"
#include "services/processor/rules.h"

#define PRC_RING 64
#define PRC_TAIL PRC_WINDOW_MAX

struct prc_series_key { // what makes two series of a cell different
    char source[24];
    enum mf_adjusted adjusted;
    enum mf_interval interval;
};

struct prc_state {
    struct prc_indicator_state indicators;
    struct prc_rule_state rules[PRC_RULE_BAR_MAX];
};

struct prc_slot {
    struct prc_bar bar;
    uint64_t content_hash; // of the bar's market fields, for duplicates
    uint64_t metric_hash;  // of the computed fields last emitted
    uint16_t revision;
    uint16_t metric_revision;
    bool emitted; // a metric has been emitted for it
};

// An alert that this series has published and may still have to change.
struct prc_fired {
    enum prc_rule rule;
    int64_t key_time_us;
    unsigned revision;            // of the last event published for the key
    struct prc_transition last;   // what that event said
    struct prc_transition firing; // the firing event's own words
};

struct prc_series {
    struct prc_series_key key;
    enum mf_asset_class asset_class; // of its first bar, whatever a later one says: state depends on it
    struct prc_state base, head;
    double tail_closes[PRC_TAIL], tail_volumes[PRC_TAIL];
    size_t tail_count;
    struct prc_slot ring[PRC_RING];
    size_t ring_start, ring_count;
    struct prc_fired *fired; // sorted by (key_time_us, rule)
    size_t fired_count, fired_capacity;
};

enum prc_placement {
    PRC_PLACED_NEW,        // appended or inserted
    PRC_PLACED_CORRECTION, // same time, other content
    PRC_PLACED_DUPLICATE,  // same time, same content: nothing changes
    PRC_PLACED_LATE        // older than the ring: state untouched
};

// What one record made the series say, in the order in which it is to be published.
struct prc_series_sink {
    void *arg;
    // Computed values of the bar at `bar`; revision 0 is the first emission.
    void (*metric)(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                   const struct prc_values *values, uint32_t n_obs, unsigned revision);
    // values belong to the bar that fired; NULL for resolutions, and for a firing restated after its bar left
    // the ring.
    void (*alert)(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                  const struct prc_values *values, const struct prc_bar *bar, unsigned revision);
};

struct prc_series *prc_series_new(const struct prc_series_key *key, enum mf_asset_class asset_class);
void prc_series_free(struct prc_series **series);
struct prc_series *prc_series_clone(const struct prc_series *series);

// Where a final bar belongs; content_hash decides between duplicate and correction. Changes nothing.
// *revision is the revision that the bar will have.
enum prc_placement prc_series_place(const struct prc_series *series, int64_t time_us, uint64_t content_hash,
                                    unsigned *revision);
// Folds a bar whose placement is NEW or CORRECTION.
void prc_series_apply(struct prc_series *series, const struct prc_bar *bar, uint64_t content_hash,
                      const struct prc_rule_config *config, const struct prc_series_sink *sink);
size_t prc_series_bytes(const struct prc_series *series);

#endif
