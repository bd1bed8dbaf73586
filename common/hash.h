// SPDX-License-Identifier: Apache-2.0
// Hashes behind one header: XXH3 (identity, not security) and SHA-256 (checksums of dead letters and
// migrations).
#ifndef MF_HASH_H
#define MF_HASH_H

#include "base.h"

struct mf_hash128 {
    uint64_t high, low;
};
struct mf_hash128 mf_hash128(const void *data, size_t len); // XXH3-128, seed 0
uint64_t mf_hash64(const void *data, size_t len);           // XXH3-64, seed 0

// XXH3-128 of bytes that come in pieces: the same result as mf_hash128 of the whole. Lives on the stack; no
// ownership.
struct mf_hash128_stream {
    _Alignas(64) unsigned char state[640];
};
void mf_hash128_begin(struct mf_hash128_stream *stream);
void mf_hash128_add(struct mf_hash128_stream *stream, const void *data, size_t len);
struct mf_hash128 mf_hash128_end(const struct mf_hash128_stream *stream);

// 32 lower-case hex digits, high half first (the canonical big-endian form of XXH3-128), terminated.
char *mf_hash128_hex(struct mf_hash128 hash, char text[33]);

void mf_sha256(const void *data, size_t len, unsigned char digest[32]);
char *mf_sha256_hex(const void *data, size_t len, char text[65]);
// HMAC-SHA-256 (RFC 2104) of data with a key of any length.
void mf_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char digest[32]);

// Java's murmur2 of a key, sign bit cleared: partition = mf_murmur2(key) % partition_count, as the default
// partitioner of Java clients and librdkafka's murmur2 (KIP-480 clients; seed 0x9747b28c).
uint32_t mf_murmur2(const void *data, size_t len);

// Base64 (RFC 4648 §4, with padding). Encoded size without terminator: 4 * ceil(len / 3). Returns that size,
// or 0, nothing written, when it does not fit; the text is terminated when there is a byte of room for it.
size_t mf_base64_encode(const void *data, size_t len, char *out, size_t out_size);
// Returns false on anything but canonical base64 or when out is too small.
bool mf_base64_decode(struct mf_str text, unsigned char *out, size_t out_size, size_t *out_len);

#endif
