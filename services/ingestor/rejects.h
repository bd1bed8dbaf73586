// SPDX-License-Identifier: Apache-2.0
// What a live series has reported as dead letters: bad rows stay bad in every poll that reads them again, and
// one dead letter says so. A hash per row (or refused answer), kept for as long as the polled range holds it:
// what a range that was read whole did not hold is forgotten. What a page reported counts once its records
// are acknowledged; a page that failed reports its rows again. Pure. Bounded by ING_REJECTS_MAX, which is
// above what the longest range (30 days of minutes) holds; what does not fit is reported by every poll rather
// than by none.
#ifndef ING_REJECTS_H
#define ING_REJECTS_H

#include "common/base.h"

enum { ING_REJECTS_MAX = 65536 };

struct ing_reject_entry {
    uint64_t hash;     // 0 = free place
    unsigned range;    // the last one that held it
    bool acknowledged; // or else of the page under way
};

struct ing_rejects {
    struct ing_reject_entry *table; // open addressing; capacity is 0 or a power of two
    size_t capacity, count, staged; // staged: entries that are not acknowledged
    unsigned range;                 // number of the range under way
};

void ing_rejects_free(struct ing_rejects *rejects); // a zeroed one is empty and needs no more
// Is this the first time? True = report it.
bool ing_rejects_note(struct ing_rejects *rejects, uint64_t hash);
void ing_rejects_commit(struct ing_rejects *rejects);   // the page's records are acknowledged
void ing_rejects_rollback(struct ing_rejects *rejects); // one of them is not: forget what the page noted
// The range was read whole: forget what it did not hold. After a commit.
void ing_rejects_range_read(struct ing_rejects *rejects);

#endif
