// SPDX-License-Identifier: Apache-2.0
// What stands on the changelog: records are collected as they are read, the newest per key, then made into
// the state of input partitions. Pure but for memory. Ownership: prc_recovery_new/free. Failure classes:
// FATAL "state_corrupt" (a record that is not ours, a snapshot with parts missing), CONFIG "state_missing"
// (what was stored is not all there), and what the codec says.
#ifndef PRC_RECOVERY_H
#define PRC_RECOVERY_H

#include "services/processor/codec.h"

struct prc_recovery;

struct prc_recovery *prc_recovery_new(void);
void prc_recovery_free(struct prc_recovery **out);
// The records of this input partition are kept; those of others are passed over.
void prc_recovery_want(struct prc_recovery *recovery, enum mf_topic_role role, int32_t number);
// The next record of a changelog partition; an absent value deletes the key. Key and value are copied.
int prc_recovery_add(struct prc_recovery *recovery, int32_t changelog_partition, int64_t offset,
                     struct mf_str key, struct mf_str value, struct mf_error *err);
uint64_t prc_recovery_records(const struct prc_recovery *recovery); // added, wanted or not

// What was stored of one input partition besides its cells. prc_recovered_clear frees the texts.
struct prc_recovered {
    bool found; // there is a partition record; else nothing below is set
    struct prc_partition_record record;
    struct prc_rule_config rules; // those of the record
    struct mf_buf words;          // owner of their keywords
    size_t cells;
};
void prc_recovered_clear(struct prc_recovered *recovered);
// The partition record, which says whether the cells can be used. FATAL as above, CONFIG "state_missing": no
// rules.
int prc_recovery_record(struct prc_recovery *recovery, struct prc_partition *partition,
                        struct prc_recovered *recovered, struct mf_error *err);
// Decodes the cells into the partition (which prc_recovery_record has prepared), and gives the memory of what
// was collected back as it goes. FATAL as above, CONFIG "state_missing": fewer than were stored.
int prc_recovery_cells(struct prc_recovery *recovery, struct prc_partition *partition,
                       struct prc_recovered *recovered, struct mf_error *err);
// The keys of what is kept of its cells, each ended by a newline: for their tombstones, should they not be
// used. Before prc_recovery_cells, which lets go of them.
void prc_recovery_keys(const struct prc_recovery *recovery, enum mf_topic_role role, int32_t number,
                       struct mf_buf *keys);

#endif
