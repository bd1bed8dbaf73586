// SPDX-License-Identifier: Apache-2.0
// What is written to the changelog: snapshots of cells, partition and rules records, tombstones; and the
// clocks as they were at earlier offsets, which a partition record needs. Snapshots decide no output, so
// their timing may use the clock. No I/O: records go to a function. Failure classes: those of that function;
// FATAL "state_limit" for a cell that is larger than a snapshot may be.
#ifndef PRC_SNAPSHOTS_H
#define PRC_SNAPSHOTS_H

#include "services/processor/codec.h"

// ---------------------------------------------------------------- clocks by offset
// The clocks of a partition's lanes as of some input offsets, oldest first: one entry per heartbeat since the
// floor.
struct prc_clocks_at {
    int64_t offset;         // after the heartbeat
    struct prc_lane *lanes; // copies: name and clocks, nothing else
};
struct prc_history {
    struct prc_clocks_at *entries;
    size_t start, count, capacity; // the first `start` are gone
    size_t thin_at;                // entries; 0 = not thinned yet
};
#define PRC_HISTORY_MAX 4096 // beyond it the oldest dirty cells are due, whatever their age

// The clocks as they are now are those as of `offset`, and on until the next note. Of many notes those stay
// that a floor may still need: what is dirty in the partition must have become so below `offset`.
void prc_history_note(struct prc_history *history, int64_t offset, const struct prc_partition *partition);
// Those as of an offset that is not below the last trim; NULL when there are none.
const struct prc_lane *prc_history_at(const struct prc_history *history, int64_t offset);
void prc_history_trim(struct prc_history *history, int64_t floor); // forgets what lies below
void prc_history_clear(struct prc_history *history);

// ---------------------------------------------------------------- records
enum prc_changelog_kind {
    PRC_CHANGELOG_CELL,
    PRC_CHANGELOG_PARTITION,
    PRC_CHANGELOG_RULES,
    PRC_CHANGELOG_TOMBSTONE,
    PRC_CHANGELOG_KIND_MAX
};
const char *prc_changelog_kind_name(enum prc_changelog_kind kind);

struct prc_changelog {
    // To the changelog partition of that number; an absent value deletes. Copied. 0, or -1: the transaction
    // cannot go on.
    int (*put)(void *arg, int32_t number, struct mf_str key, struct mf_str value, struct mf_error *err);
    void *arg;
    int share_pct;                                                           // of output bytes
    int64_t allowance;                                                       // bytes; may be below 0
    uint64_t bytes[PRC_CHANGELOG_KIND_MAX], records[PRC_CHANGELOG_KIND_MAX]; // since the start
    struct mf_buf whole, part;                                               // reused
};
#define PRC_ALLOWANCE_MAX ((int64_t)4 * 1024 * 1024)

void prc_changelog_init(struct prc_changelog *changelog, int share_pct,
                        int (*put)(void *arg, int32_t number, struct mf_str key, struct mf_str value,
                                   struct mf_error *err),
                        void *arg);
void prc_changelog_free(struct prc_changelog *changelog);
// Outputs were published: the changelog may have its share of them.
void prc_changelog_earn(struct prc_changelog *changelog, size_t output_bytes);

// The cell as of `offset`, in parts; tombstones for parts that its last snapshot had beyond these. The cell
// is clean afterwards: after an abort the state is dropped as a whole. Returns the bytes written, or -1.
int64_t prc_changelog_cell(struct prc_changelog *changelog, struct prc_partition *partition,
                           struct prc_cell *cell, int64_t offset, struct mf_error *err);
// Tombstones of the partition's removed cells.
int prc_changelog_removed(struct prc_changelog *changelog, struct prc_partition *partition,
                          struct mf_error *err);
int prc_changelog_record(struct prc_changelog *changelog, const struct prc_partition *partition,
                         const struct prc_partition_record *record, const struct prc_lane *lanes,
                         struct mf_error *err);
int prc_changelog_rules(struct prc_changelog *changelog, const struct prc_partition *partition,
                        int64_t committed, const struct prc_rule_config *rules, struct mf_error *err);

// The offset below which nothing needs to be replayed, when `next` is where the input goes on.
int64_t prc_partition_floor(const struct prc_partition *partition, int64_t next);

#endif
