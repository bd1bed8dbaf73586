// SPDX-License-Identifier: Apache-2.0
// Things by name: symbols of lists and of live mode, found in constant time. Open addressing, at most half
// full; grows, and is emptied as a whole. Pure. Names and values are borrowed.
#ifndef ING_NAME_INDEX_H
#define ING_NAME_INDEX_H

#include "common/base.h"

struct ing_name_index {
    struct ing_name_entry {
        const char *name; // NULL = free place
        void *value;
    } * entries;
    size_t capacity, count;
};

void ing_name_index_free(struct ing_name_index *index); // a zeroed one is empty and needs no more
// NULL when there is none of that name.
void *ing_name_index_get(const struct ing_name_index *index, struct mf_str name);
// value is not NULL; a name that is there already gets the new one.
void ing_name_index_put(struct ing_name_index *index, const char *name, void *value);

#endif
