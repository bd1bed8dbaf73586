// SPDX-License-Identifier: Apache-2.0
// Hashes of what was reported (see rejects.h).
#include "services/ingestor/rejects.h"

#include <stdlib.h>

enum { CAPACITY_LEAST = 64 };

void ing_rejects_free(struct ing_rejects *rejects)
{
    free(rejects->table);
    *rejects = (struct ing_rejects){0};
}

// The place of the hash, or the free one where it would go. There is always a free one.
static struct ing_reject_entry *place_of(const struct ing_rejects *rejects, uint64_t hash)
{
    size_t at = hash & (rejects->capacity - 1);
    while (rejects->table[at].hash != 0 && rejects->table[at].hash != hash)
        at = (at + 1) & (rejects->capacity - 1);
    return &rejects->table[at];
}

static bool is_of_range(const struct ing_rejects *rejects, const struct ing_reject_entry *entry)
{
    return entry->range == rejects->range;
}

static bool is_acknowledged(const struct ing_rejects *rejects, const struct ing_reject_entry *entry)
{
    (void)rejects;
    return entry->acknowledged;
}

// Moves the entries that `stays` names (NULL = all) to a table with room for one more, at most half full.
static void rebuild(struct ing_rejects *rejects,
                    bool (*stays)(const struct ing_rejects *rejects, const struct ing_reject_entry *entry))
{
    struct ing_rejects old = *rejects;
    size_t count = 0;
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.table[i].hash != 0 && stays != NULL && !stays(&old, &old.table[i]))
            old.table[i].hash = 0;
        count += old.table[i].hash != 0;
    }
    rejects->count = count;
    rejects->capacity = count > 0 || stays == NULL ? CAPACITY_LEAST : 0;
    while (rejects->capacity > 0 && rejects->capacity < 2 * (count + 1))
        rejects->capacity *= 2;
    rejects->table = rejects->capacity > 0 ? mf_calloc(rejects->capacity, sizeof *rejects->table) : NULL;
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.table[i].hash != 0)
            *place_of(rejects, old.table[i].hash) = old.table[i];
    }
    free(old.table);
}

bool ing_rejects_note(struct ing_rejects *rejects, uint64_t hash)
{
    hash += hash == 0;
    if (rejects->capacity < 2 * (rejects->count + 1))
        rebuild(rejects, NULL);
    struct ing_reject_entry *place = place_of(rejects, hash);
    if (place->hash != 0) {
        place->range = rejects->range;
        return false;
    }
    if (rejects->count < ING_REJECTS_MAX) {
        *place = (struct ing_reject_entry){.hash = hash, .range = rejects->range};
        rejects->count++;
        rejects->staged++;
    }
    return true;
}

void ing_rejects_commit(struct ing_rejects *rejects)
{
    for (size_t i = 0; rejects->staged > 0 && i < rejects->capacity; i++)
        rejects->table[i].acknowledged = true;
    rejects->staged = 0;
}

void ing_rejects_rollback(struct ing_rejects *rejects)
{
    if (rejects->staged > 0)
        rebuild(rejects, is_acknowledged);
    rejects->staged = 0;
}

void ing_rejects_range_read(struct ing_rejects *rejects)
{
    if (rejects->count > 0)
        rebuild(rejects, is_of_range);
    rejects->range++;
}
