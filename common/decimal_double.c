// SPDX-License-Identifier: Apache-2.0
// Number text to the nearest double, and a statistic to text, both exact and without a locale. Pure; owns
// nothing.
#include "common/decimal.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "common/decimal_parts.h"
#include "common/decimal_statistic.h"

// Wider intermediate results (x87) would round twice.
_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed as doubles");
_Static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "IEEE 754 binary64");

__extension__ typedef unsigned __int128 wide;

enum { DECIMALS_MAX = 8, SIGNIFICANT_MAX = 15, EXACT_POWER_MAX = 22 };

// The long way: the C library's strtod rounds correctly but reads the decimal point of a locale and wants a
// terminator.
static bool slow_double(struct mf_str text, double *out)
{
    char room[128];
    char *copy = text.len < sizeof room ? room : mf_alloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    // "C" is a constant of the C library: nothing is loaded and nothing allocated.
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(locale != (locale_t)0);
    double value = strtod_l(copy, NULL, locale);
    freelocale(locale);
    if (copy != room)
        free(copy);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool mf_decimal_to_double(struct mf_str text, double *out)
{
    static const double powers[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct mf_decimal_parts parts;
    if (!mf_decimal_split(text, &parts))
        return false;
    int64_t power = parts.exponent - (int64_t)parts.fraction_len;
    // W. Clinger, "How to read floating point numbers accurately" (1990): digits below 2^53 and a power of
    // ten up to 22 are both exact doubles, so one operation rounds once. Eighteen digits cannot wrap around
    // in 64 bits.
    if (parts.whole_len + parts.fraction_len > 18 || power < -EXACT_POWER_MAX || power > EXACT_POWER_MAX)
        return slow_double(text, out);
    uint64_t digits = 0;
    for (size_t i = 0; i < parts.whole_len; i++)
        digits = digits * 10 + (uint64_t)(parts.whole[i] - '0');
    for (size_t i = 0; i < parts.fraction_len; i++)
        digits = digits * 10 + (uint64_t)(parts.fraction[i] - '0');
    if (digits > UINT64_C(1) << 53)
        return slow_double(text, out);
    double value = (double)digits;
    value = power < 0 ? value / powers[-power] : value * powers[power];
    *out = parts.negative ? -value : value;
    return true;
}

static const uint64_t powers_of_ten[] = {
    1,           10,           100,           1000,           10000,
    100000,      1000000,      10000000,      100000000,      1000000000,
    10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000,
};

// magnitude × 10^decimals, rounded half to even, exactly: the mantissa times a power of ten fits 80 bits, and
// what the binary exponent cuts off is compared with one half. magnitude is 1e7 to 1e15, so that 3 to 29 bits
// are cut off.
static uint64_t scaled(double magnitude, unsigned decimals)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    uint64_t mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    unsigned shift = 1075 - (unsigned)(bits >> 52);
    wide product = (wide)mantissa * powers_of_ten[decimals];
    uint64_t quotient = (uint64_t)(product >> shift);
    wide rest = product & (((wide)1 << shift) - 1);
    wide half = (wide)1 << (shift - 1);
    if (rest > half || (rest == half && (quotient & 1) != 0))
        quotient++;
    return quotient;
}

// The same from ten million on, where fifteen significant digits bind. Returns the length.
static size_t put_large(double value, double magnitude, char *out)
{
    unsigned decimals = DECIMALS_MAX;
    uint64_t whole = (uint64_t)magnitude;
    for (unsigned digits = SIGNIFICANT_MAX - DECIMALS_MAX; whole >= powers_of_ten[digits]; digits++) {
        decimals--;
        if (decimals == 0)
            break;
    }
    uint64_t digits = scaled(magnitude, decimals);
    size_t used = 0;
    if (value < 0)
        out[used++] = '-';
    uint64_t unit = powers_of_ten[decimals];
    used += mf_digits_put(out + used, digits / unit);
    // As if there were eight decimals: what is trimmed is the same.
    uint64_t fraction = mf_digits_of((uint32_t)(digits % unit * powers_of_ten[DECIMALS_MAX - decimals]));
    if (fraction > 0) {
        out[used++] = '.';
        mf_digits_store(out + used, fraction | MF_DIGITS_ZEROS);
        used += DECIMALS_MAX - mf_digits_trailing(fraction);
    }
    return used;
}

bool mf_decimal_from_double(double value, char out[MF_DECIMAL_TEXT_SIZE], size_t *out_len)
{
    MF_UNINITIALISED struct mf_statistic text;
    size_t len;
    if (mf_statistic_of(value, &text)) {
        len = (size_t)(mf_statistic_put(out, &text) - out);
    } else {
        double magnitude = fabs(value);
        if (!(magnitude < 1e15)) // false for NaN too
            return false;
        len = put_large(value, magnitude, out);
    }
    out[len] = '\0';
    *out_len = len;
    return true;
}
