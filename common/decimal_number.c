// SPDX-License-Identifier: Apache-2.0
// Decimal numbers in one machine word, for state that keeps millions of them: the text and back, exact sums,
// the nearest double. Pure; owns nothing; nothing fails but the reading of a text.
#include <float.h>
#include <math.h>

#include "common/decimal.h"
#include "common/decimal_digits.h"

__extension__ typedef unsigned __int128 wide;

enum { DECIMALS_MAX = 8, DIGITS_MAX = 18 };

static const uint32_t powers_of_ten[DECIMALS_MAX + 1] = {1,      10,      100,      1000,     10000,
                                                         100000, 1000000, 10000000, 100000000};

// Digits from text[*at] on, which moves behind them. text has no more of them than 64 bits hold.
static uint64_t take_digits(struct mf_str text, size_t *at, uint64_t value)
{
    for (; *at < text.len; ++*at) {
        unsigned digit = (unsigned)(unsigned char)text.data[*at] - '0';
        if (digit > 9)
            break;
        value = value * 10 + digit;
    }
    return value;
}

bool mf_decimal_number_parse(struct mf_str text, struct mf_decimal_number *out)
{
    size_t start = text.len > 0 && text.data[0] == '-' ? 1 : 0, at = start, decimals = 0;
    if (text.len - start > DIGITS_MAX + 1) // the digits and a point
        return false;
    uint64_t value = take_digits(text, &at, 0);
    size_t whole = at - start;
    if (whole == 0 || (whole > 1 && text.data[start] == '0'))
        return false;
    if (at < text.len && text.data[at] == '.') {
        size_t point = at++;
        value = take_digits(text, &at, value);
        decimals = at - point - 1;
        if (decimals == 0)
            return false;
    }
    bool minus_zero = start == 1 && value == 0;
    if (at != text.len || decimals > DECIMALS_MAX || whole + decimals > DIGITS_MAX || minus_zero)
        return false;
    out->mantissa = start == 1 ? -(int64_t)value : (int64_t)value;
    out->scale = (uint8_t)decimals;
    return true;
}

size_t mf_decimal_number_text(struct mf_decimal_number number, char out[MF_DECIMAL_TEXT_SIZE])
{
    assert(number.scale <= DECIMALS_MAX);
    uint64_t magnitude = number.mantissa < 0 ? 0 - (uint64_t)number.mantissa : (uint64_t)number.mantissa;
    size_t used = 0;
    if (number.mantissa < 0)
        out[used++] = '-';
    if (number.scale == 0) {
        used += mf_digits_put(out + used, magnitude);
    } else {
        uint32_t unit = powers_of_ten[number.scale];
        used += mf_digits_put(out + used, magnitude / unit);
        out[used++] = '.';
        // The fraction's digits are the last of eight.
        uint64_t digits = mf_digits_of((uint32_t)(magnitude % unit)) | MF_DIGITS_ZEROS;
        mf_digits_store(out + used, digits >> 8 * (8 - number.scale));
        used += number.scale;
    }
    out[used] = '\0';
    return used;
}

// The double nearest to magnitude / divisor, half to even.
static double quotient(wide magnitude, uint32_t divisor)
{
    // Both are exact doubles, so that the division is the only step that rounds.
    if (magnitude <= (wide)1 << DBL_MANT_DIG)
        return (double)(uint64_t)magnitude / divisor;
    // As many bits as there is room for: at least 99 of the quotient. What the division leaves over is not 0
    // far below the last bit that counts, which one more bit says as well.
    uint64_t high = (uint64_t)(magnitude >> 64);
    int shift = high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)magnitude);
    wide dividend = magnitude << shift;
    wide bits = dividend / divisor;
    bits |= dividend % divisor != 0;
    return ldexp((double)bits, -shift);
}

double mf_decimal_number_wide_double(struct mf_decimal_number number)
{
    assert(number.scale <= DECIMALS_MAX);
    uint64_t magnitude = number.mantissa < 0 ? 0 - (uint64_t)number.mantissa : (uint64_t)number.mantissa;
    double value = quotient(magnitude, powers_of_ten[number.scale]);
    return number.mantissa < 0 ? -value : value;
}

mf_fixed8 mf_decimal_number_fixed8(struct mf_decimal_number number)
{
    assert(number.scale <= DECIMALS_MAX);
    return (mf_fixed8)number.mantissa * powers_of_ten[DECIMALS_MAX - number.scale];
}

mf_fixed8 mf_decimal_number_sum(const struct mf_decimal_number *numbers, size_t count)
{
    mf_fixed8 sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += mf_decimal_number_fixed8(numbers[i]);
    return sum;
}

int mf_decimal_number_cmp(struct mf_decimal_number a, struct mf_decimal_number b)
{
    if (a.scale == b.scale)
        return (a.mantissa > b.mantissa) - (a.mantissa < b.mantissa);
    mf_fixed8 left = mf_decimal_number_fixed8(a), right = mf_decimal_number_fixed8(b);
    return (left > right) - (left < right);
}

double mf_decimal_fixed8_double(mf_fixed8 value)
{
    double magnitude = quotient(value < 0 ? -(wide)value : (wide)value, powers_of_ten[DECIMALS_MAX]);
    return value < 0 ? -magnitude : magnitude;
}
