// SPDX-License-Identifier: Apache-2.0
// Inside of common: the text of a statistic below ten million, in registers, so that it can be stored in more
// than one place. mf_decimal_from_double is the contract and takes the larger ones too. Pure; inline because
// every metric has forty of them.
#ifndef MF_DECIMAL_STATISTIC_H
#define MF_DECIMAL_STATISTIC_H

#include <float.h>

#include "common/decimal_digits.h"

// Wider intermediate results (x87) would round twice.
_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles");

#define MF_STATISTIC_END 1e7     // from here on fifteen significant digits leave fewer than eight decimals
#define MF_STATISTIC_TEXT_MAX 18 // sign, eight digits, point, eight digits

struct mf_statistic {
    uint64_t whole, fraction; // characters, the first one in the lowest byte
    unsigned whole_len, fraction_len;
    unsigned sign; // 1 = a minus
};

// magnitude × 10^8, rounded half to even on the exact binary value, whose bits these are. It is below
// MF_STATISTIC_END, so the mantissa times 10^8 fits 80 bits and at least 29 of them are cut off.
static inline uint64_t mf_statistic_exact_units(uint64_t bits)
{
    __extension__ typedef unsigned __int128 wide;
    const uint64_t half = UINT64_C(1) << 63;
    unsigned biased = (unsigned)(bits >> 52);
    uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | (uint64_t)(biased > 0) << 52;
    unsigned shift = 1075 - biased - (biased == 0);
    if (shift > 81) // below half a unit, whatever the digits
        return 0;
    wide product = (wide)mantissa * MF_DIGITS_EIGHT, rest = product << (128 - shift);
    uint64_t units = (uint64_t)(product >> shift), high = (uint64_t)(rest >> 64);
    bool above = high > half || (high == half && ((uint64_t)rest != 0 || (units & 1) != 0));
    return units + above;
}

// The same, by one product of doubles where that is certain. It is below 2^50, so the half between two whole
// numbers is a double, and since rounding keeps the order, a product beside the half proves that the true
// value is on that side of it. Adding 2^52 then rounds: the whole number is the low bits of the sum.
static inline uint64_t mf_statistic_units(double magnitude, uint64_t bits)
{
    const double whole_from = 0x1p52;
    double product = magnitude * (double)MF_DIGITS_EIGHT, sum = product + whole_from;
    double off = product - (sum - whole_from); // exact
    if (__builtin_expect(__builtin_fabs(off) == 0.5, 0))
        return mf_statistic_exact_units(bits);
    uint64_t sum_bits;
    memcpy(&sum_bits, &sum, sizeof sum_bits);
    return sum_bits & ((UINT64_C(1) << 52) - 1);
}

// False when |value| is not below MF_STATISTIC_END. Always inline, so that the parts stay in registers.
__attribute__((always_inline)) static inline bool mf_statistic_of(double value, struct mf_statistic *out)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t sign = bits >> 63;
    bits &= ~(UINT64_C(1) << 63);
    double magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if (!(magnitude < MF_STATISTIC_END)) // false for NaN too
        return false;
    uint64_t units = mf_statistic_units(magnitude, bits);
    MF_UNINITIALISED uint64_t digits[2];
    mf_digits_of_two((uint32_t)(units / MF_DIGITS_EIGHT), (uint32_t)(units % MF_DIGITS_EIGHT), digits);
    unsigned leading = mf_digits_leading(digits[0]);
    out->whole = (digits[0] | MF_DIGITS_ZEROS) >> 8 * leading;
    out->whole_len = 8 - leading;
    out->fraction = digits[1] | MF_DIGITS_ZEROS;
    out->fraction_len = 8 - mf_digits_trailing(digits[1]);
    out->sign = sign != 0 && units != 0; // no -0
    return true;
}

static inline size_t mf_statistic_len(const struct mf_statistic *text)
{
    return text->sign + text->whole_len + text->fraction_len + (text->fraction_len > 0);
}

// Stores without asking what is there: the next piece overwrites what does not count. Returns the end.
static inline char *mf_statistic_put(char *at, const struct mf_statistic *text)
{
    *at = '-';
    at += text->sign;
    mf_digits_store(at, text->whole);
    at += text->whole_len;
    *at = '.';
    mf_digits_store(at + 1, text->fraction);
    return at + text->fraction_len + (text->fraction_len > 0);
}

#endif
