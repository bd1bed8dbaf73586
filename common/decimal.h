// SPDX-License-Identifier: Apache-2.0
// Exact decimal text (house rule 7): a price is never re-encoded. Feed text in, feed text out; canonical form
// only for hashing; exact sums for volumes; doubles only for statistics that we compute. Locale-free. Pure.
#ifndef MF_DECIMAL_H
#define MF_DECIMAL_H

#include "buf.h"
#include "error.h"

// Widest text produced by normalisation: sign, 16 integer digits, point, 8 decimals, terminator, slack.
#define MF_DECIMAL_TEXT_SIZE 48

// Is this JSON number text (RFC 8259 §6)?
bool mf_decimal_is_number(struct mf_str text);

// Number text as events carry it: exponent expanded, nothing else changed ("187.10" stays, "1.5e2" → "150",
// "1E-7" → "0.0000001"). Rejects (POISON "bad_number" / "number_out_of_range") anything that is not a JSON
// number after trimming nothing, more than 8 decimals after expansion or an absolute value above 1e15. -0 is
// refused.
int mf_decimal_normalise(struct mf_str text, char out[MF_DECIMAL_TEXT_SIZE], size_t *out_len,
                         struct mf_error *err);

// Canonical form for content hashes: no leading zeros, no trailing zeros after the point, no point without
// decimals, no exponent, 187.10 = 187.1, 12.0 = 12. Input: normalised text. Returns the length; 0, and an
// empty text, for what is no number, has an exponent or does not fit.
size_t mf_decimal_canonical(struct mf_str text, char out[MF_DECIMAL_TEXT_SIZE]);

// Fixed point with 8 decimals in 128 bits: exact for every value that events may carry, and for sums of
// millions of them.
__extension__ typedef __int128 mf_fixed8;
// Text without exponent, at most 8 decimals and 30 digits before the point, so that sums beyond the limit of
// events can be written and read back. False when it is anything else, or -0.
bool mf_decimal_to_fixed8(struct mf_str text, mf_fixed8 *out);
// Trailing zeros trimmed, no point when whole. Returns the length.
size_t mf_decimal_from_fixed8(mf_fixed8 value, char out[MF_DECIMAL_TEXT_SIZE]);
int mf_decimal_cmp(struct mf_str a, struct mf_str b); // by value; both normalised (asserted)

// Nearest double (correctly rounded) of number text. False when the text is not a JSON number or not finite.
bool mf_decimal_to_double(struct mf_str text, double *out);
// A statistic as events carry it: at most 8 decimals and 15 significant digits, trailing zeros trimmed, no
// exponent, no -0. False (nothing written) when it is not finite or |v| >= 1e15. It is rounded once, half to
// even, on the exact binary value. The number of decimals comes first and from the value before rounding:
// min(8, 15 - d), d = digits before the point, at least 1. So below 1e7 the digits are those of
// printf("%.8f"), from 1e7 on those of printf("%.15g"), each with trailing zeros trimmed. A carry into one
// more digit (99999999.99999999 → 100000000) takes nothing back: the decimals are zeros then.
bool mf_decimal_from_double(double value, char out[MF_DECIMAL_TEXT_SIZE], size_t *out_len);

// A number in one word, for state that keeps many: mantissa / 10^scale, scale 0 to 8, at most 18 digits.
// Trailing zeros count: "187.10" is {18710, 2}, so that the text comes back as it was.
struct mf_decimal_number {
    int64_t mantissa;
    uint8_t scale;
};
// Text as events carry it (no exponent, at most 8 decimals, no -0). False, out untouched, when it is anything
// else or its digits on both sides of the point are more than 18.
bool mf_decimal_number_parse(struct mf_str text, struct mf_decimal_number *out);
// The very text that it was parsed from. Returns the length.
size_t mf_decimal_number_text(struct mf_decimal_number number, char out[MF_DECIMAL_TEXT_SIZE]);
double mf_decimal_number_wide_double(struct mf_decimal_number number); // the same, of any mantissa
// The nearest double, half to even: what mf_decimal_to_double makes of the text. Up to 2^53 mantissa and
// power are both exact, so that the division is the only step that rounds.
static inline double mf_decimal_number_double(struct mf_decimal_number number)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    const int64_t exact = INT64_C(1) << 53;
    assert(number.scale < MF_ARRAY_LEN(powers));
    if (number.mantissa > exact || number.mantissa < -exact)
        return mf_decimal_number_wide_double(number);
    return (double)number.mantissa / powers[number.scale];
}
// The same value in the unit in which sums are made, and the exact sum of any number of them that memory
// holds. Its text is mf_decimal_from_fixed8's.
mf_fixed8 mf_decimal_number_fixed8(struct mf_decimal_number number);
mf_fixed8 mf_decimal_number_sum(const struct mf_decimal_number *numbers, size_t count);
int mf_decimal_number_cmp(struct mf_decimal_number a, struct mf_decimal_number b); // by value: -1, 0, 1
double mf_decimal_fixed8_double(mf_fixed8 value);                                  // nearest, half to even

#endif
