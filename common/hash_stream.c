// SPDX-License-Identifier: Apache-2.0
// XXH3-128 in pieces. Pure; nothing fails. xxhash is compiled into this file, because the size of its state
// may only be relied on when header and code come from the same version.
#define XXH_INLINE_ALL
#include "common/hash.h"

#include <xxhash.h>

static_assert(sizeof(XXH3_state_t) <= sizeof(struct mf_hash128_stream), "xxhash's state outgrew ours");

void mf_hash128_begin(struct mf_hash128_stream *stream)
{
    (void)XXH3_128bits_reset((XXH3_state_t *)(void *)stream->state);
}

void mf_hash128_add(struct mf_hash128_stream *stream, const void *data, size_t len)
{
    if (len > 0)
        (void)XXH3_128bits_update((XXH3_state_t *)(void *)stream->state, data, len);
}

struct mf_hash128 mf_hash128_end(const struct mf_hash128_stream *stream)
{
    XXH128_hash_t hash = XXH3_128bits_digest((const XXH3_state_t *)(const void *)stream->state);
    return (struct mf_hash128){.high = hash.high64, .low = hash.low64};
}
