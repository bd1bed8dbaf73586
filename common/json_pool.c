// SPDX-License-Identifier: Apache-2.0
// Bump allocator under yajl. The JSON reader owns the pool; running out of memory aborts.
#include "common/json_pool.h"

#include <stdlib.h>

enum {
    POOL_FIRST = 4096,           // a handle without escaped strings takes 2.4 KiB
    POOL_BLOCK_MAX = 1024 * 1024 // beyond it memory is taken and given back for each document
};

// Before each piece: its size, for realloc. The union keeps what follows aligned.
union header {
    size_t size;
    max_align_t align;
};

struct mf_json_pool_extra {
    struct mf_json_pool_extra *next;
    union header header;
};

static void free_extra(struct mf_json_pool *pool)
{
    while (pool->extra != NULL) {
        struct mf_json_pool_extra *next = pool->extra->next;
        free(pool->extra);
        pool->extra = next;
    }
}

void mf_json_pool_reset(struct mf_json_pool *pool)
{
    free_extra(pool);
    size_t cap = pool->wanted < POOL_FIRST ? POOL_FIRST : pool->wanted;
    if (cap > POOL_BLOCK_MAX)
        cap = POOL_BLOCK_MAX;
    if (cap > pool->cap) {
        free(pool->block);
        pool->block = mf_alloc(cap);
        pool->cap = cap;
    }
    pool->used = 0;
    pool->wanted = 0;
}

void mf_json_pool_free(struct mf_json_pool *pool)
{
    free_extra(pool);
    free(pool->block);
    *pool = (struct mf_json_pool){0};
}

void *mf_json_pool_alloc(void *context, size_t size)
{
    struct mf_json_pool *pool = context;
    const size_t unit = sizeof(union header);
    assert(size < SIZE_MAX / 4);
    size_t need = unit + (size + unit - 1) / unit * unit;
    pool->wanted += need;
    union header *header;
    if (need <= pool->cap - pool->used) {
        header = (union header *)(void *)(pool->block + pool->used);
        pool->used += need;
    } else {
        struct mf_json_pool_extra *extra = mf_alloc(sizeof *extra + need);
        extra->next = pool->extra;
        pool->extra = extra;
        header = &extra->header;
    }
    header->size = size;
    return header + 1;
}

void *mf_json_pool_realloc(void *context, void *old, size_t size)
{
    if (old == NULL)
        return mf_json_pool_alloc(context, size);
    size_t old_size = ((union header *)old - 1)->size;
    if (size <= old_size)
        return old;
    void *grown = mf_json_pool_alloc(context, size);
    memcpy(grown, old, old_size);
    return grown;
}

void mf_json_pool_release(void *context, void *memory)
{
    // Everything dies with the document.
    (void)context;
    (void)memory;
}
