// SPDX-License-Identifier: Apache-2.0
// Digits of whole numbers, eight at a time, for the files that write numbers by the million. Pure; inline
// because a call costs as much as the digits. What stands behind the returned length may be overwritten.
#ifndef MF_DECIMAL_DIGITS_H
#define MF_DECIMAL_DIGITS_H

#include "common/base.h"

#define MF_DIGITS_ROOM 24 // bytes that mf_digits_put may touch
#define MF_DIGITS_EIGHT UINT64_C(100000000)
#define MF_DIGITS_ZEROS UINT64_C(0x3030303030303030) // "00000000"

// The eight decimal digits of value < 10^8 as bytes 0 to 9, the first digit in the lowest byte. Halves, then
// quarters, then digits are divided side by side in one word; each product by a reciprocal is exact in its
// range (P. Khuong, "How to print integers really fast", 2017).
static inline uint64_t mf_digits_of(uint32_t value)
{
    uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (twos - 10 * tens) << 8;
}

// The same for four digits.
static inline uint32_t mf_digits_of_four(uint32_t value)
{
    uint32_t hundreds = value * 10486 >> 20;
    uint32_t twos = hundreds | (value - 100 * hundreds) << 16;
    uint32_t tens = (twos * 103 >> 10) & 0x000f000f;
    return tens | (twos - 10 * tens) << 8;
}

// Eight bytes, the lowest first.
static inline void mf_digits_store(char *out, uint64_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    memcpy(out, &bytes, sizeof bytes);
}

// How many of the eight digits are zeros in front (at most seven: the last one always shows).
static inline unsigned mf_digits_leading(uint64_t digits)
{
    return (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
}

// How many of them are zeros at the end; eight for 0.
static inline unsigned mf_digits_trailing(uint64_t digits)
{
    return digits == 0 ? 8 : (unsigned)__builtin_clzll(digits) / 8;
}

// value < 10^8 without zeros in front; touches eight bytes. Returns the length.
static inline size_t mf_digits_put_few(char *out, uint32_t value)
{
    uint64_t digits = mf_digits_of(value);
    unsigned leading = mf_digits_leading(digits);
    mf_digits_store(out, (digits | MF_DIGITS_ZEROS) >> 8 * leading);
    return 8 - leading;
}

// Any value, without zeros in front; touches MF_DIGITS_ROOM bytes. Returns the length.
static inline size_t mf_digits_put(char *out, uint64_t value)
{
    if (value < MF_DIGITS_EIGHT)
        return mf_digits_put_few(out, (uint32_t)value);
    uint64_t high = value / MF_DIGITS_EIGHT;
    size_t used;
    if (high < MF_DIGITS_EIGHT) {
        used = mf_digits_put_few(out, (uint32_t)high);
    } else {
        used = mf_digits_put_few(out, (uint32_t)(high / MF_DIGITS_EIGHT));
        mf_digits_store(out + used, mf_digits_of((uint32_t)(high % MF_DIGITS_EIGHT)) | MF_DIGITS_ZEROS);
        used += 8;
    }
    mf_digits_store(out + used, mf_digits_of((uint32_t)(value % MF_DIGITS_EIGHT)) | MF_DIGITS_ZEROS);
    return used + 8;
}

#endif
