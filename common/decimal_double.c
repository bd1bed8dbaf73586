// SPDX-License-Identifier: Apache-2.0
// Number text to the nearest double, and a statistic to text, both exact and without a locale. Pure; owns
// nothing.
#include "common/decimal.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "common/decimal_parts.h"

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
// what the binary exponent cuts off is compared with one half. magnitude is below 1e15, so its unit is below
// one.
static uint64_t scaled(double magnitude, unsigned decimals)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    unsigned biased = (unsigned)(bits >> 52);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (biased > 0)
        mantissa |= UINT64_C(1) << 52;
    unsigned shift = 1075 - (biased > 0 ? biased : 1);
    wide product = (wide)mantissa * powers_of_ten[decimals];
    if (shift > 81) // below one half, whatever the digits
        return 0;
    uint64_t quotient = (uint64_t)(product >> shift);
    wide rest = product & (((wide)1 << shift) - 1);
    wide half = (wide)1 << (shift - 1);
    if (rest > half || (rest == half && (quotient & 1) != 0))
        quotient++;
    return quotient;
}

// Two digits a step: divisions are what this conversion costs.
static size_t put_number(char *out, uint64_t value, size_t min_digits)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char buffer[20];
    size_t at = sizeof buffer;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(buffer + at, pairs + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        at -= 2;
        memcpy(buffer + at, pairs + 2 * value, 2);
    } else if (value > 0) {
        buffer[--at] = (char)('0' + value);
    }
    while (sizeof buffer - at < min_digits)
        buffer[--at] = '0';
    memcpy(out, buffer + at, sizeof buffer - at);
    return sizeof buffer - at;
}

bool mf_decimal_from_double(double value, char out[MF_DECIMAL_TEXT_SIZE], size_t *out_len)
{
    double magnitude = fabs(value);
    if (!(magnitude < 1e15)) // false for NaN too
        return false;
    // Eight decimals leave seven digits before the point; from ten million on the fifteen significant digits
    // bind.
    unsigned decimals = DECIMALS_MAX;
    uint64_t whole = (uint64_t)magnitude;
    for (unsigned digits = SIGNIFICANT_MAX - DECIMALS_MAX; whole >= powers_of_ten[digits]; digits++) {
        decimals--;
        if (decimals == 0)
            break;
    }
    uint64_t digits = scaled(magnitude, decimals);
    size_t used = 0;
    if (value < 0 && digits > 0)
        out[used++] = '-';
    uint64_t unit = powers_of_ten[decimals];
    uint64_t fraction = digits % unit;
    used += put_number(out + used, digits / unit, 1);
    if (fraction > 0) {
        out[used++] = '.';
        used += put_number(out + used, fraction, decimals);
        while (out[used - 1] == '0')
            used--;
    }
    out[used] = '\0';
    *out_len = used;
    return true;
}
