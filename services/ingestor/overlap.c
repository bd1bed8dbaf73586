// SPDX-License-Identifier: Apache-2.0
// Hashes of the overlap window (see overlap.h).
#include "services/ingestor/overlap.h"

#include <stdlib.h>

enum { KEPT_LEAST = 8 };

void ing_overlap_init(struct ing_overlap *overlap)
{
    *overlap = (struct ing_overlap){0};
}

void ing_overlap_free(struct ing_overlap *overlap)
{
    free(overlap->kept);
    free(overlap->staged);
    *overlap = (struct ing_overlap){0};
}

static int compare(const struct ing_overlap_entry *a, const struct ing_overlap_entry *b)
{
    if (a->event_time_us != b->event_time_us)
        return a->event_time_us < b->event_time_us ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

// Index of the first kept entry that is not before `entry`.
static size_t lower_bound(const struct ing_overlap *overlap, const struct ing_overlap_entry *entry)
{
    size_t low = 0;
    size_t high = overlap->kept_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&overlap->kept[middle], entry) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ing_overlap_has(const struct ing_overlap *overlap, const struct ing_overlap_entry *entry)
{
    size_t at = lower_bound(overlap, entry);
    return at < overlap->kept_count && compare(&overlap->kept[at], entry) == 0 &&
           overlap->kept[at].hash == entry->hash;
}

uint64_t ing_overlap_hash(const struct ing_overlap *overlap, int64_t event_time_us, uint64_t id)
{
    struct ing_overlap_entry entry = {.event_time_us = event_time_us, .id = id};
    size_t at = lower_bound(overlap, &entry);
    bool found = at < overlap->kept_count && compare(&overlap->kept[at], &entry) == 0;
    return found ? overlap->kept[at].hash : 0;
}

static void drop_first(struct ing_overlap *overlap, size_t count)
{
    if (count == 0)
        return;
    overlap->kept_count -= count;
    memmove(overlap->kept, overlap->kept + count, overlap->kept_count * sizeof *overlap->kept);
}

void ing_overlap_add(struct ing_overlap *overlap, const struct ing_overlap_entry *entry)
{
    size_t at = lower_bound(overlap, entry);
    if (at < overlap->kept_count && compare(&overlap->kept[at], entry) == 0) {
        overlap->kept[at] = *entry;
        return;
    }
    if (overlap->kept_count == ING_OVERLAP_MAX) {
        if (at == 0)
            return; // older than all that is remembered
        drop_first(overlap, 1);
        at--;
    }
    if (overlap->kept_count == overlap->kept_capacity) {
        overlap->kept_capacity =
            overlap->kept_capacity < KEPT_LEAST ? KEPT_LEAST : overlap->kept_capacity * 2;
        overlap->kept = mf_realloc(overlap->kept, overlap->kept_capacity * sizeof *overlap->kept);
    }
    memmove(overlap->kept + at + 1, overlap->kept + at, (overlap->kept_count - at) * sizeof *overlap->kept);
    overlap->kept[at] = *entry;
    overlap->kept_count++;
}

void ing_overlap_stage(struct ing_overlap *overlap, const struct ing_overlap_entry *entry)
{
    if (overlap->staged_count == overlap->staged_capacity) {
        overlap->staged_capacity = overlap->staged_capacity < 16 ? 16 : overlap->staged_capacity * 2;
        overlap->staged = mf_realloc(overlap->staged, overlap->staged_capacity * sizeof *overlap->staged);
    }
    overlap->staged[overlap->staged_count++] = *entry;
}

void ing_overlap_commit(struct ing_overlap *overlap)
{
    for (size_t i = 0; i < overlap->staged_count; i++)
        ing_overlap_add(overlap, &overlap->staged[i]);
    ing_overlap_rollback(overlap);
}

// Series wait far longer than they read: nothing is kept for the next page.
void ing_overlap_rollback(struct ing_overlap *overlap)
{
    free(overlap->staged);
    overlap->staged = NULL;
    overlap->staged_count = overlap->staged_capacity = 0;
}

void ing_overlap_forget(struct ing_overlap *overlap, int64_t before_us)
{
    struct ing_overlap_entry bound = {.event_time_us = before_us};
    drop_first(overlap, lower_bound(overlap, &bound));
    if (overlap->kept_capacity <= KEPT_LEAST || overlap->kept_count > overlap->kept_capacity / 4)
        return;
    overlap->kept_capacity = overlap->kept_count + KEPT_LEAST; // a year of days was read once
    overlap->kept = mf_realloc(overlap->kept, overlap->kept_capacity * sizeof *overlap->kept);
}
