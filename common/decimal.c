// SPDX-License-Identifier: Apache-2.0
// Exact decimal text: grammar, normalisation, canonical form, fixed point. Conversions to and from double are
// in decimal_double.c. Pure; owns nothing. Failure class: POISON (a feed's number is bad).
#include "common/decimal.h"

#include "common/decimal_parts.h"

__extension__ typedef unsigned __int128 wide;

enum {
    DECIMALS_MAX = 8,
    WHOLE_DIGITS_MAX = 16,       // 1e15 has sixteen
    FIXED8_WHOLE_DIGITS_MAX = 30 // 10^30 units of 10^-8 stay below 2^127
};

static const uint64_t FIXED8_UNIT = 100000000;

static size_t digits_at(const char *text, size_t len, size_t at)
{
    size_t count = 0;
    while (at + count < len && text[at + count] >= '0' && text[at + count] <= '9')
        count++;
    return count;
}

// [eE][+-]?[0-9]+ at text[*at]. The value saturates far beyond what any text could shift back into range.
static bool split_exponent(struct mf_str text, size_t *at, struct mf_decimal_parts *parts)
{
    const int64_t saturated = INT64_C(1000000000000000);
    size_t next = *at + 1;
    bool negative = false;
    if (next < text.len && (text.data[next] == '+' || text.data[next] == '-'))
        negative = text.data[next++] == '-';
    size_t count = digits_at(text.data, text.len, next);
    if (count == 0)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < count && value < saturated; i++)
        value = value * 10 + (text.data[next + i] - '0');
    if (value > saturated)
        value = saturated;
    parts->exponent = negative ? -value : value;
    parts->has_exponent = true;
    *at = next + count;
    return true;
}

bool mf_decimal_split(struct mf_str text, struct mf_decimal_parts *parts)
{
    if (text.len == 0)
        return false;
    *parts = (struct mf_decimal_parts){.negative = text.data[0] == '-'};
    size_t at = parts->negative ? 1 : 0;
    parts->whole = text.data + at;
    parts->whole_len = digits_at(text.data, text.len, at);
    if (parts->whole_len == 0 || (parts->whole[0] == '0' && parts->whole_len > 1))
        return false;
    at += parts->whole_len;
    if (at < text.len && text.data[at] == '.') {
        parts->fraction = text.data + at + 1;
        parts->fraction_len = digits_at(text.data, text.len, at + 1);
        if (parts->fraction_len == 0)
            return false;
        at += 1 + parts->fraction_len;
    }
    if (at < text.len && (text.data[at] | 0x20) == 'e' && !split_exponent(text, &at, parts))
        return false;
    return at == text.len;
}

bool mf_decimal_is_number(struct mf_str text)
{
    struct mf_decimal_parts parts;
    return mf_decimal_split(text, &parts);
}

static char digit_of(const struct mf_decimal_parts *parts, size_t index)
{
    return index < parts->whole_len ? parts->whole[index] : parts->fraction[index - parts->whole_len];
}

static bool is_zero(const struct mf_decimal_parts *parts)
{
    for (size_t i = 0; i < parts->whole_len + parts->fraction_len; i++) {
        if (digit_of(parts, i) != '0')
            return false;
    }
    return true;
}

// Is this plain text (at most sixteen digits before the point) above 1e15?
static bool above_limit(const char *digits, size_t whole_len, size_t len)
{
    if (whole_len < WHOLE_DIGITS_MAX)
        return false;
    if (digits[0] != '1')
        return true;
    for (size_t i = 1; i < len; i++) {
        if (digits[i] != '0' && digits[i] != '.')
            return true;
    }
    return false;
}

// Moves the point by the exponent. `point` counts the digits before it, of the digit row whole ++ fraction;
// it may lie outside the row. Returns the length written, 0 when the number has too many digits on either
// side.
static size_t expand(const struct mf_decimal_parts *parts, char *out, size_t *whole_len)
{
    int64_t count = (int64_t)(parts->whole_len + parts->fraction_len);
    int64_t point = (int64_t)parts->whole_len + parts->exponent;
    int64_t first = 0; // first digit that is not a leading zero
    while (first < count && digit_of(parts, (size_t)first) == '0')
        first++;
    int64_t whole = first == count ? 0 : point - first;
    if (whole > WHOLE_DIGITS_MAX || count - point > DECIMALS_MAX)
        return 0;
    size_t used = 0;
    if (parts->negative)
        out[used++] = '-';
    size_t start = used;
    for (int64_t i = first; i < first + whole; i++)
        out[used++] = i < count ? digit_of(parts, (size_t)i) : '0';
    if (used == start)
        out[used++] = '0';
    *whole_len = used - start;
    if (count > point) {
        out[used++] = '.';
        for (int64_t i = point; i < count; i++)
            out[used++] = i < 0 ? '0' : digit_of(parts, (size_t)i);
    }
    return used;
}

int mf_decimal_normalise(struct mf_str text, char out[MF_DECIMAL_TEXT_SIZE], size_t *out_len,
                         struct mf_error *err)
{
    struct mf_decimal_parts parts;
    if (!mf_decimal_split(text, &parts))
        return mf_error_set(err, MF_ERROR_POISON, "bad_number", "not a JSON number");
    if (parts.negative && is_zero(&parts))
        return mf_error_set(err, MF_ERROR_POISON, "bad_number", "negative zero");
    char plain[MF_DECIMAL_TEXT_SIZE];
    size_t len = text.len;
    size_t whole_len = parts.whole_len;
    bool fits = parts.whole_len <= WHOLE_DIGITS_MAX && parts.fraction_len <= DECIMALS_MAX;
    if (parts.has_exponent) {
        len = expand(&parts, plain, &whole_len);
        fits = len > 0;
    } else if (fits) {
        memcpy(plain, text.data, len);
    }
    size_t sign = parts.negative ? 1 : 0;
    if (!fits || above_limit(plain + sign, whole_len, len - sign))
        return mf_error_set(err, MF_ERROR_POISON, "number_out_of_range",
                            "more than %d decimals, or beyond 1e15", DECIMALS_MAX);
    memcpy(out, plain, len);
    out[len] = '\0';
    *out_len = len;
    return 0;
}

size_t mf_decimal_canonical(struct mf_str text, char out[MF_DECIMAL_TEXT_SIZE])
{
    struct mf_decimal_parts parts;
    out[0] = '\0';
    if (text.len >= MF_DECIMAL_TEXT_SIZE || !mf_decimal_split(text, &parts) || parts.has_exponent)
        return 0;
    size_t decimals = parts.fraction_len;
    while (decimals > 0 && parts.fraction[decimals - 1] == '0')
        decimals--;
    size_t used = 0;
    if (parts.negative && (decimals > 0 || parts.whole[0] != '0'))
        out[used++] = '-';
    memcpy(out + used, parts.whole, parts.whole_len);
    used += parts.whole_len;
    if (decimals > 0) {
        out[used++] = '.';
        memcpy(out + used, parts.fraction, decimals);
        used += decimals;
    }
    out[used] = '\0';
    return used;
}

static uint64_t number_of(const char *digits, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value * 10 + (uint64_t)(digits[i] - '0');
    return value;
}

bool mf_decimal_to_fixed8(struct mf_str text, mf_fixed8 *out)
{
    struct mf_decimal_parts parts;
    if (!mf_decimal_split(text, &parts) || parts.has_exponent || parts.whole_len > FIXED8_WHOLE_DIGITS_MAX ||
        parts.fraction_len > DECIMALS_MAX)
        return false;
    static const uint32_t scale[DECIMALS_MAX + 1] = {100000000, 10000000, 1000000, 100000, 10000,
                                                     1000,      100,      10,      1};
    const uint64_t shift = UINT64_C(1000000000000000);
    size_t high = parts.whole_len > 15 ? parts.whole_len - 15 : 0;
    wide whole =
        (wide)number_of(parts.whole, high) * shift + number_of(parts.whole + high, parts.whole_len - high);
    uint64_t fraction = number_of(parts.fraction, parts.fraction_len) * scale[parts.fraction_len];
    mf_fixed8 value = (mf_fixed8)(whole * FIXED8_UNIT + fraction);
    if (parts.negative && value == 0)
        return false;
    *out = parts.negative ? -value : value;
    return true;
}

// Decimal digits of value, at least min_digits (zeros in front). Returns the length.
static size_t put_number(char *out, uint64_t value, size_t min_digits)
{
    char reversed[20];
    size_t len = 0;
    while (value > 0 || len < min_digits) {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

size_t mf_decimal_from_fixed8(mf_fixed8 value, char out[MF_DECIMAL_TEXT_SIZE])
{
    const uint64_t chunk = UINT64_C(10000000000000000000); // 10^19
    wide magnitude = value < 0 ? -(wide)value : (wide)value;
    wide whole;
    uint64_t fraction;
    if (magnitude <= UINT64_MAX) { // a 128-bit division is a call of its own
        whole = (uint64_t)magnitude / FIXED8_UNIT;
        fraction = (uint64_t)magnitude % FIXED8_UNIT;
    } else {
        whole = magnitude / FIXED8_UNIT;
        fraction = (uint64_t)(magnitude % FIXED8_UNIT);
    }
    size_t used = 0;
    if (value < 0)
        out[used++] = '-';
    if (whole > UINT64_MAX) {
        used += put_number(out + used, (uint64_t)(whole / chunk), 1);
        used += put_number(out + used, (uint64_t)(whole % chunk), 19);
    } else {
        used += put_number(out + used, (uint64_t)whole, 1);
    }
    if (fraction > 0) {
        out[used++] = '.';
        used += put_number(out + used, fraction, DECIMALS_MAX);
        while (out[used - 1] == '0')
            used--;
    }
    out[used] = '\0';
    return used;
}

int mf_decimal_cmp(struct mf_str a, struct mf_str b)
{
    mf_fixed8 left = 0;
    mf_fixed8 right = 0;
    bool normalised = mf_decimal_to_fixed8(a, &left) && mf_decimal_to_fixed8(b, &right);
    assert(normalised);
    (void)normalised;
    return (left > right) - (left < right);
}
