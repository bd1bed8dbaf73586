// SPDX-License-Identifier: Apache-2.0
// What was published lately of one live series: a hash per event of the overlap window that every poll reads
// again, so that unchanged events are not published twice and corrections are. Staged while a page is under
// way, kept when its records are acknowledged, dropped when they are not. Pure; bounded: the oldest entries
// go first.
#ifndef ING_OVERLAP_H
#define ING_OVERLAP_H

#include "common/base.h"

#define ING_OVERLAP_MAX 4096 // entries of one series

struct ing_overlap_entry {
    int64_t event_time_us;
    uint64_t id;   // tells events of one time apart: of an article; 0 for bars
    uint64_t hash; // of the content
};

struct ing_overlap {
    struct ing_overlap_entry *kept, *staged; // kept: ordered by time and id
    size_t kept_count, kept_capacity, staged_count, staged_capacity;
};

void ing_overlap_init(struct ing_overlap *overlap);
void ing_overlap_free(struct ing_overlap *overlap);
// Was this event published and acknowledged with this content?
bool ing_overlap_has(const struct ing_overlap *overlap, const struct ing_overlap_entry *entry);
// What is kept of the event's content; 0 = nothing is.
uint64_t ing_overlap_hash(const struct ing_overlap *overlap, int64_t event_time_us, uint64_t id);
void ing_overlap_stage(struct ing_overlap *overlap, const struct ing_overlap_entry *entry);
void ing_overlap_commit(struct ing_overlap *overlap);   // staged entries replace or join the kept ones
void ing_overlap_rollback(struct ing_overlap *overlap); // forgets the staged ones
void ing_overlap_forget(struct ing_overlap *overlap, int64_t before_us); // kept entries older than that
// Adds to the kept ones at once: for what was read back at the start.
void ing_overlap_add(struct ing_overlap *overlap, const struct ing_overlap_entry *entry);

#endif
