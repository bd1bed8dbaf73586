// SPDX-License-Identifier: Apache-2.0
// What was published of one symbol's minutes: eight bytes of hash per bar, in blocks of an hour that are as
// large as there are bars. Polls read the newest minutes again and the nightly reconcile reads the whole
// session: what says the same hash is not published twice, what says another is a correction. The events
// themselves are the memory: after a restart they are read back from market.raw (live_memory.c).
//
// Hashes of a page under way are staged by the series that reads it, and join the memory when the page's
// records are acknowledged. Pure; bounded: beyond ING_MINUTES_HOURS_MAX the oldest hours go first.
#ifndef ING_MINUTES_H
#define ING_MINUTES_H

#include "common/base.h"

// The session that is not reconciled yet, the one under way, and the longest overlap of polls: three days.
enum { ING_MINUTES_HOURS_MAX = 72 };

struct ing_minutes_block;
struct ing_minutes {
    struct ing_minutes_block **blocks; // in order of time
    unsigned count, capacity;
};

struct ing_minutes_staged {
    struct {
        int64_t time_us;
        uint64_t hash;
    } * items;
    size_t count, capacity;
};

void ing_minutes_free(struct ing_minutes *minutes); // a zeroed one is empty and needs no more
// The hash of the minute that begins then; 0 = none is known.
uint64_t ing_minutes_get(const struct ing_minutes *minutes, int64_t time_us);
void ing_minutes_put(struct ing_minutes *minutes, int64_t time_us, uint64_t hash); // a hash of 0 counts as 1
// One bit per minute of the hour that begins then: is there a hash?
uint64_t ing_minutes_of_hour(const struct ing_minutes *minutes, int64_t hour_us);
bool ing_minutes_any(const struct ing_minutes *minutes, int64_t from_us, int64_t to_us); // in [from, to)
void ing_minutes_forget(struct ing_minutes *minutes, int64_t before_us); // whole hours before that time

void ing_minutes_stage(struct ing_minutes_staged *staged, int64_t time_us, uint64_t hash);
void ing_minutes_commit(struct ing_minutes *minutes, struct ing_minutes_staged *staged); // and empties it
void ing_minutes_rollback(struct ing_minutes_staged *staged); // forgets what was staged

#endif
