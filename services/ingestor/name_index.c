// SPDX-License-Identifier: Apache-2.0
// Things by name (see name_index.h).
#include "services/ingestor/name_index.h"

#include <stdlib.h>

#include "common/hash.h"

enum { CAPACITY_LEAST = 32 };

void ing_name_index_free(struct ing_name_index *index)
{
    free(index->entries);
    *index = (struct ing_name_index){0};
}

// The place of the name, or the free one where it would go. There is always a free one.
static struct ing_name_entry *place_of(const struct ing_name_index *index, struct mf_str name)
{
    size_t at = mf_hash64(name.data, name.len) & (index->capacity - 1);
    while (index->entries[at].name != NULL && !mf_str_eq_c(name, index->entries[at].name))
        at = (at + 1) & (index->capacity - 1);
    return &index->entries[at];
}

void *ing_name_index_get(const struct ing_name_index *index, struct mf_str name)
{
    return index->capacity > 0 ? place_of(index, name)->value : NULL;
}

static void grow(struct ing_name_index *index)
{
    struct ing_name_index old = *index;
    index->capacity = old.capacity > 0 ? old.capacity * 2 : CAPACITY_LEAST;
    index->entries = mf_calloc(index->capacity, sizeof *index->entries);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].name != NULL)
            *place_of(index, mf_str_of(old.entries[i].name)) = old.entries[i];
    }
    free(old.entries);
}

void ing_name_index_put(struct ing_name_index *index, const char *name, void *value)
{
    assert(value != NULL);
    if (index->capacity < 2 * (index->count + 1))
        grow(index);
    struct ing_name_entry *place = place_of(index, mf_str_of(name));
    index->count += place->name == NULL;
    *place = (struct ing_name_entry){name, value};
}
