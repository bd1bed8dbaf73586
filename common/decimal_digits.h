// SPDX-License-Identifier: Apache-2.0
// Digits of whole numbers, eight at a time, for the files that write numbers by the million. Pure; inline
// because a call costs as much as the digits. What stands behind the returned length may be overwritten.
#ifndef MF_DECIMAL_DIGITS_H
#define MF_DECIMAL_DIGITS_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

// The same for two values at once. Vectors cost no more for sixteen digits than for eight, and leave the rest
// of the processor to what is done beside.
static inline void mf_digits_of_two(uint32_t first, uint32_t second, uint64_t digits[2])
{
#ifdef __SSE2__
    __m128i values = _mm_set_epi64x(second, first);
    __m128i high = _mm_srli_epi64(_mm_mul_epu32(values, _mm_set1_epi32((int)0xd1b71759)), 45);
    __m128i low = _mm_sub_epi32(values, _mm_mul_epu32(high, _mm_set1_epi32(10000)));
    __m128i fours = _mm_or_si128(high, _mm_slli_epi64(low, 32));
    __m128i hundreds = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);
    __m128i rest = _mm_sub_epi16(fours, _mm_mullo_epi16(hundreds, _mm_set1_epi16(100)));
    __m128i twos = _mm_or_si128(hundreds, _mm_slli_epi32(rest, 16));
    __m128i tens = _mm_mulhi_epu16(twos, _mm_set1_epi16(6554));
    __m128i ones = _mm_sub_epi16(twos, _mm_mullo_epi16(tens, _mm_set1_epi16(10)));
    _mm_storeu_si128((__m128i *)(void *)digits, _mm_or_si128(tens, _mm_slli_epi16(ones, 8)));
#else
    digits[0] = mf_digits_of(first);
    digits[1] = mf_digits_of(second);
#endif
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
    // From the other end, because counting zeros in front is slow where nothing newer than x86-64 is asked
    // for.
    return digits == 0 ? 8 : (unsigned)__builtin_ctzll(__builtin_bswap64(digits)) / 8;
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
