// SPDX-License-Identifier: Apache-2.0
// Series by due time: a binary heap of entries that live inside their owners. Equal times keep the order in
// which they were put. Pure; time comes in. The scheduler owns no entry; remove one before its owner is
// freed.
#ifndef ING_SCHEDULER_H
#define ING_SCHEDULER_H

#include "common/base.h"

struct ing_due {
    int64_t due_us;
    uint64_t order;
    size_t place; // in the heap, from 1; 0 = not in it
    void *owner;
};

struct ing_scheduler {
    struct ing_due **heap; // from index 1
    size_t count, capacity;
    uint64_t next_order;
};

void ing_scheduler_init(struct ing_scheduler *scheduler);
void ing_scheduler_free(struct ing_scheduler *scheduler);
void ing_scheduler_put(struct ing_scheduler *scheduler, struct ing_due *due, int64_t due_us); // also moves
void ing_scheduler_remove(struct ing_scheduler *scheduler, struct ing_due *due); // no-op when not in
// The first entry, NULL when there is none.
struct ing_due *ing_scheduler_first(const struct ing_scheduler *scheduler);
// How many of those that `counts` (NULL = all) are due at that time, at most max.
typedef bool ing_due_counts(void *arg, const struct ing_due *due);
unsigned ing_scheduler_count(const struct ing_scheduler *scheduler, int64_t until_us, unsigned max,
                             ing_due_counts *counts, void *arg);
// Of schedulers in the order of their priority: what has been due for a minute behind the first one, once
// that has had nine turns in a row (`turns`): a budget that polls use up must not keep the rest from ever
// being asked. The oldest; NULL when there is none, or it is not its turn.
struct ing_due *ing_scheduler_starved(const struct ing_scheduler *schedulers, size_t count, unsigned turns,
                                      int64_t now_us);
// Takes out and returns the first entry that is due at now_us; NULL when none is.
struct ing_due *ing_scheduler_take(struct ing_scheduler *scheduler, int64_t now_us);

#endif
