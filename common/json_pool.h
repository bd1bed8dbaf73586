// SPDX-License-Identifier: Apache-2.0
// Memory for one yajl handle, private to the JSON reader. yajl cannot be reset for the next document and
// allocates six times per handle; here that is a few additions in a block that is reused for every document.
// Nothing is given back before the reset, which ends the life of everything handed out. No failure classes.
#ifndef MF_JSON_POOL_H
#define MF_JSON_POOL_H

#include "common/base.h"

struct mf_json_pool_extra;

struct mf_json_pool {
    char *block;
    size_t cap, used;
    size_t wanted;                    // bytes asked for since the reset, those beyond the block included
    struct mf_json_pool_extra *extra; // what did not fit the block
};

// Forgets everything handed out. The block grows to what the last document needed, up to a bound: what is
// needed repeatedly is allocated once.
void mf_json_pool_reset(struct mf_json_pool *pool);
void mf_json_pool_free(struct mf_json_pool *pool); // releases all memory; the pool may be used again

// The three functions that yajl is given, with the pool as their context. Results are never NULL and are
// aligned for any type.
void *mf_json_pool_alloc(void *context, size_t size);
void *mf_json_pool_realloc(void *context, void *old, size_t size);
void mf_json_pool_release(void *context, void *memory);

#endif
