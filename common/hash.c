// SPDX-License-Identifier: Apache-2.0
// XXH3, SHA-256 and murmur2. Wrapper of xxhash and of libcrypto's digest. Pure; nothing fails.
#include "common/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <xxhash.h>

static const char hex_digits[] = "0123456789abcdef";

struct mf_hash128 mf_hash128(const void *data, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(data, len);
    return (struct mf_hash128){.high = hash.high64, .low = hash.low64};
}

uint64_t mf_hash64(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

// Eight digits at a time: a nibble per byte, then '0' to each, and from 10 on the way from '9' to 'a' as
// well.
static inline void hex32(uint32_t value, char *text)
{
    uint64_t digits = value;
    digits = (digits << 16 | digits) & UINT64_C(0x0000ffff0000ffff);
    digits = (digits << 8 | digits) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits << 4 | digits) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (digits + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    digits += UINT64_C(0x3030303030303030) + letters * ('a' - '9' - 1);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    memcpy(text, &digits, sizeof digits);
}

static void hex64(uint64_t value, char *text)
{
    hex32((uint32_t)(value >> 32), text);
    hex32((uint32_t)value, text + 8);
}

char *mf_hash128_hex(struct mf_hash128 hash, char text[33])
{
    hex64(hash.high, text);
    hex64(hash.low, text + 16);
    text[32] = '\0';
    return text;
}

void mf_sha256(const void *data, size_t len, unsigned char digest[32])
{
    // A length of 0 may come with NULL.
    int done = EVP_Digest(len > 0 ? data : "", len, digest, NULL, EVP_sha256(), NULL);
    // It fails only without memory or without a default provider; neither leaves anything sensible to do.
    assert(done == 1);
    (void)done;
}

void mf_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char digest[32])
{
    unsigned digest_len = 0;
    assert(key_len <= INT32_MAX);
    const unsigned char *done = HMAC(EVP_sha256(), key_len > 0 ? key : "", (int)key_len,
                                     len > 0 ? data : (const unsigned char *)"", len, digest, &digest_len);
    assert(done != NULL && digest_len == 32);
    (void)done;
}

char *mf_sha256_hex(const void *data, size_t len, char text[65])
{
    unsigned char digest[32];
    mf_sha256(data, len, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        text[2 * i] = hex_digits[digest[i] >> 4];
        text[2 * i + 1] = hex_digits[digest[i] & 15];
    }
    text[64] = '\0';
    return text;
}

// MurmurHash2 (A. Appleby, public domain) with the seed and byte order of
// org.apache.kafka.common.utils.Utils.murmur2: words are little-endian whatever the machine.
uint32_t mf_murmur2(const void *data, size_t len)
{
    const uint32_t mix = UINT32_C(0x5bd1e995);
    const unsigned char *bytes = data;
    uint32_t hash = UINT32_C(0x9747b28c) ^ (uint32_t)len;
    for (; len >= 4; bytes += 4, len -= 4) {
        uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                        (uint32_t)bytes[3] << 24;
        word *= mix;
        word ^= word >> 24;
        word *= mix;
        hash = hash * mix ^ word;
    }
    if (len > 0) {
        for (size_t i = len; i > 0; i--)
            hash ^= (uint32_t)bytes[i - 1] << (8 * (i - 1));
        hash *= mix;
    }
    hash ^= hash >> 13;
    hash *= mix;
    hash ^= hash >> 15;
    return hash & UINT32_C(0x7fffffff);
}
