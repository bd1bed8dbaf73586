// SPDX-License-Identifier: Apache-2.0
#include "common/decimal.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"

#include <cmocka.h>

static bool same_bits(double a, double b)
{
    uint64_t bits[2];
    memcpy(&bits[0], &a, sizeof a);
    memcpy(&bits[1], &b, sizeof b);
    return bits[0] == bits[1]; // tells -0 from 0
}

static void text_becomes_the_nearest_double(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"0e-400", 0.0},
        {"187.10", 187.1},
        {"-187.1", -187.1},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"123456789e-22", 123456789e-22},
        {"9007199254740992", 9007199254740992.0},
        {"9007199254740993", 9007199254740992.0}, // halfway: to even
        {"9007199254740993.00000000000000000000000001", 9007199254740994.0},
        {"999999999999999999", 1e18},
        {"1.7976931348623157e308", DBL_MAX},
        {"4.9406564584124654e-324", 4.9406564584124654e-324},
        {"2.4703282292062327e-324", 0.0}, // below half of the smallest
        {"1e-400", 0.0},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        // Digits that decide only at the end.
        {"1.00000000000000011102230246251565404236316680908203125", 1.0},
        {"1.00000000000000011102230246251565404236316680908203124", 1.0},
        {"1.00000000000000011102230246251565404236316680908203126", 1.0000000000000002},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        double value = 42;
        assert_true(mf_decimal_to_double(mf_str_of(cases[i].text), &value));
        if (!same_bits(value, cases[i].value))
            fail_msg("%s: %.17g", cases[i].text, value);
    }
    static const char *const refused[] = {"",    "x",   "1e309", "-1e309", "1e99999999999999999999",
                                          "NaN", "inf", "0x1p3", "1,5"};
    for (size_t i = 0; i < MF_ARRAY_LEN(refused); i++) {
        double value = 42;
        if (mf_decimal_to_double(mf_str_of(refused[i]), &value))
            fail_msg("accepted '%s'", refused[i]);
        assert_true(same_bits(value, 42));
    }
}

static void long_texts_are_read_too(void **state)
{
    (void)state;
    // Around the size up to which no memory is taken.
    for (int len = 120; len < 140; len++) {
        char digits[141];
        double parsed = 0;
        snprintf(digits, sizeof digits, "1.%0*d", len - 2, 5);
        assert_true(mf_decimal_to_double((struct mf_str){digits, (size_t)len}, &parsed));
        assert_true(same_bits(parsed, 1.0));
    }
    enum { LENGTH = 5000 };
    static char text[LENGTH + 1];
    memset(text, '0', LENGTH);
    text[0] = '1'; // followed by 4993 zeros and an exponent
    double value = 42;
    snprintf(text + LENGTH - 6, 7, "e-%d", 4000);
    assert_false(mf_decimal_to_double((struct mf_str){text, LENGTH}, &value));
    snprintf(text + LENGTH - 6, 7, "e-%d", 4993);
    assert_true(mf_decimal_to_double((struct mf_str){text, LENGTH}, &value));
    assert_true(same_bits(value, 1.0));
}

// The C library's strtod, in its "C" locale, is the oracle; the view is followed by a digit that must not be
// read.
static void random_texts_agree_with_the_c_library(void **state)
{
    (void)state;
    uint64_t random = 1;
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    for (int i = 0; i < 400000; i++) {
        char text[64];
        uint64_t digits = mf_random_next(&random) >> (mf_random_next(&random) % 64);
        int len = 0;
        switch (mf_random_next(&random) % 3) {
        case 0:
            len = snprintf(text, sizeof text, "%llu.%08u", (unsigned long long)(digits >> 20),
                           (unsigned)digits % 100000000);
            break;
        case 1:
            len = snprintf(text, sizeof text, "-%llue%d", (unsigned long long)digits,
                           (int)(mf_random_next(&random) % 60) - 30);
            break;
        default: len = snprintf(text, sizeof text, "%llu", (unsigned long long)digits); break;
        }
        double value = 0;
        assert_true(mf_decimal_to_double((struct mf_str){text, (size_t)len}, &value));
        if (!same_bits(value, strtod_l(text, NULL, locale)))
            fail_msg("%s: %.17g", text, value);
        text[len] = '9';
        double beside = 0;
        assert_true(mf_decimal_to_double((struct mf_str){text, (size_t)len}, &beside));
        assert_true(same_bits(value, beside));
    }
    freelocale(locale);
}

static void statistics_have_one_text(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {190.55, "190.55"},
        {1.0 / 3, "0.33333333"},
        {2.0 / 3, "0.66666667"},
        {-2.0 / 3, "-0.66666667"},
        {1e-8, "0.00000001"},
        {5e-9, "0.00000001"}, // the double lies above the tie
        {4.9e-9, "0"},        // no -0 either
        {-4.9e-9, "0"},
        {0.001953125, "0.00195312"}, // 2^-9, an exact tie: to even
        {0.005859375, "0.00585938"}, // 3 × 2^-9, the other way
        {-0.001953125, "-0.00195312"},
        {9999999.123456789, "9999999.12345679"}, // seven digits: eight decimals
        {10000000.12345678, "10000000.1234568"}, // eight digits: seven decimals
        {123456789.123456789, "123456789.123457"},
        {99999999.99999999, "100000000"}, // the carry
        {9999999.999999999, "10000000"},
        {123456789012345.6, "123456789012346"},
        {999999999999999.9, "1000000000000000"},
        {100000000000000.5, "100000000000000"}, // tie to even, no decimals
        {100000000000001.5, "100000000000002"},
        {4503599627370496e-3, "4503599627370.5"},
        {DBL_MIN, "0"},
        {-4.9406564584124654e-324, "0"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char out[MF_DECIMAL_TEXT_SIZE];
        size_t len = 0;
        assert_true(mf_decimal_from_double(cases[i].value, out, &len));
        assert_string_equal(out, cases[i].text);
        assert_int_equal(len, strlen(out));
    }
    static const double refused[] = {1e15, -1e15, 1e300, HUGE_VAL, -HUGE_VAL, (double)NAN, -(double)NAN};
    for (size_t i = 0; i < MF_ARRAY_LEN(refused); i++) {
        char out[MF_DECIMAL_TEXT_SIZE] = "untouched";
        size_t len = 77;
        assert_false(mf_decimal_from_double(refused[i], out, &len));
        assert_string_equal(out, "untouched");
        assert_int_equal(len, 77);
    }
}

// printf's text with the digits the contract names, then trimmed.
static void by_printf(double value, char *out, size_t size)
{
    if (fabs(value) < 1e7)
        snprintf(out, size, "%.8f", value);
    else
        snprintf(out, size, "%.15g", value);
    size_t len = strlen(out);
    if (strchr(out, 'e') != NULL) // %.15g writes 1e15, to which 999999999999999.9 carries, with an exponent
        snprintf(out, size, "%.0f", value);
    else if (strchr(out, '.') != NULL) {
        while (out[len - 1] == '0')
            out[--len] = '\0';
        if (out[len - 1] == '.')
            out[--len] = '\0';
    }
    if (strcmp(out, "-0") == 0)
        memcpy(out, "0", 2);
}

static double random_value(uint64_t *random)
{
    uint64_t bits = mf_random_next(random);
    double value = 0;
    switch (mf_random_next(random) % 6) {
    case 0: // any exponent that can show, any mantissa
        bits = (bits >> 12) | (uint64_t)(1023 - 40 + mf_random_next(random) % 95) << 52 | (bits & 1) << 63;
        memcpy(&value, &bits, sizeof value);
        return value;
    case 1: // few digits, as prices have
        return (double)(bits % 1000000000) / 10000;
    case 2: // ties: an odd number of units of 2^-k
        return ldexp((double)(bits % 4096 * 2 + 1), -(int)(mf_random_next(random) % 16));
    case 3: // near a power of ten, where a digit more begins
        value = pow(10, (double)(bits % 24) - 8);
        for (uint64_t steps = bits >> 61; steps > 0; steps--)
            value = nextafter(value, bits & 256 ? HUGE_VAL : 0);
        return value;
    case 4: // as near as doubles get to a half of the eighth decimal, where rounding turns
        value = ((double)((bits >> 14) % UINT64_C(1000000000000000) >> bits % 50) + 0.5) / 1e8;
        for (uint64_t steps = bits >> 62; steps > 0; steps--)
            value = nextafter(value, bits & 256 ? HUGE_VAL : 0);
        return bits & 512 ? -value : value;
    default: // any bits at all
        memcpy(&value, &bits, sizeof value);
        return value;
    }
}

static void random_statistics_agree_with_printf(void **state)
{
    (void)state;
    uint64_t random = 2024;
    int compared = 0;
    for (int i = 0; i < 2000000; i++) {
        double value = random_value(&random);
        char out[MF_DECIMAL_TEXT_SIZE];
        size_t len = 0;
        bool finite = isfinite(value) && fabs(value) < 1e15;
        assert_int_equal(mf_decimal_from_double(value, out, &len), finite);
        if (!finite)
            continue;
        char wanted[64];
        by_printf(value, wanted, sizeof wanted);
        if (strcmp(out, wanted) != 0)
            fail_msg("%.17g: %s, wanted %s", value, out, wanted);
        assert_int_equal(len, strlen(out));
        compared++;
        // What we write is what events may carry.
        char normalised[MF_DECIMAL_TEXT_SIZE];
        assert_int_equal(mf_decimal_normalise((struct mf_str){out, len}, normalised, &len, NULL), 0);
        assert_string_equal(normalised, out);
    }
    assert_true(compared > 1400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_the_nearest_double),       cmocka_unit_test(long_texts_are_read_too),
        cmocka_unit_test(random_texts_agree_with_the_c_library), cmocka_unit_test(statistics_have_one_text),
        cmocka_unit_test(random_statistics_agree_with_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
