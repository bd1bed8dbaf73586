// SPDX-License-Identifier: Apache-2.0
#include "common/decimal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/backoff.h"
#include "tests/unit/aborts.h"

#include <cmocka.h>

static void json_numbers_and_nothing_else(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",      "-0",     "7",      "-7",
        "10",     "187.10", "0.5",    "-0.5",
        "1e5",    "1E5",    "1e+5",   "1E-5",
        "1.5e10", "0e0",    "0.0E-0", "123456789012345678901234567890.123456789",
    };
    static const char *const bad[] = {
        "",      "-",   "+1",    "01", "00",  "-01",   ".5",   "5.",   "1.e5", "1e",
        "1e+",   "1e-", "1e5.0", "1 ", " 1",  "1,5",   "0x10", "NaN",  "inf",  "-inf",
        "1e5e5", "--1", "1.2.3", "1f", "1_0", "\"1\"", "e5",   "1.5-",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        if (!mf_decimal_is_number(mf_str_of(good[i])))
            fail_msg("refused %s", good[i]);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        if (mf_decimal_is_number(mf_str_of(bad[i])))
            fail_msg("accepted '%s'", bad[i]);
    }
    assert_false(mf_decimal_is_number(MF_STR_NULL));
    assert_false(mf_decimal_is_number(MF_STR("1\0")));
}

static void exponents_are_expanded_and_nothing_else_changes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normalised;
    } cases[] = {
        {"0", "0"},
        {"187.10", "187.10"},
        {"-187.10", "-187.10"},
        {"12.0", "12.0"},
        {"1.5e2", "150"},
        {"1.50e1", "15.0"},
        {"150e-1", "15.0"},
        {"1E-7", "0.0000001"},
        {"-1.2E-7", "-0.00000012"},
        {"0.15e1", "1.5"},
        {"0.0015e+2", "0.15"},
        {"0.005e1", "0.05"},
        {"0e5", "0"},
        {"0.00e1", "0.0"},
        {"0e-3", "0.000"},
        {"0.000e99999999999999999999", "0"},
        {"1e15", "1000000000000000"},
        {"-1e15", "-1000000000000000"},
        {"1000000000000000", "1000000000000000"},
        {"1000000000000000.00000000", "1000000000000000.00000000"},
        {"999999999999999.99999999", "999999999999999.99999999"},
        {"-999999999999999.99999999", "-999999999999999.99999999"},
        {"0.00000001", "0.00000001"},
        {"99999999999999999999e-8", "999999999999.99999999"},
        {"0.000000000000000000000000000000001e33", "1"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char out[MF_DECIMAL_TEXT_SIZE];
        size_t len = 0;
        struct mf_error err;
        if (mf_decimal_normalise(mf_str_of(cases[i].text), out, &len, &err) != 0)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_string_equal(out, cases[i].normalised);
        assert_int_equal(len, strlen(out));
    }
}

static void what_events_cannot_carry_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"", "bad_number"},
        {"abc", "bad_number"},
        {" 1", "bad_number"},
        {"1 ", "bad_number"},
        {"+1", "bad_number"},
        {"01", "bad_number"},
        {"NaN", "bad_number"},
        {"-0", "bad_number"},
        {"-0.00", "bad_number"},
        {"-0e7", "bad_number"},
        {"0.000000001", "number_out_of_range"},
        {"1.000000000", "number_out_of_range"}, // nine decimals, though the value has none
        {"1e-9", "number_out_of_range"},
        {"0e-9", "number_out_of_range"},
        {"1.5e-8", "number_out_of_range"},
        {"1e16", "number_out_of_range"},
        {"1e999999999999999999999", "number_out_of_range"},
        {"1e-999999999999999999999", "number_out_of_range"},
        {"1000000000000001", "number_out_of_range"},
        {"2000000000000000", "number_out_of_range"},
        {"10000000000000000", "number_out_of_range"},
        {"1000000000000000.00000001", "number_out_of_range"},
        {"-1000000000000000.00000001", "number_out_of_range"},
        {"100000000000000.000000001e1", "number_out_of_range"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char out[MF_DECIMAL_TEXT_SIZE] = "untouched";
        size_t len = 77;
        struct mf_error err;
        if (mf_decimal_normalise(mf_str_of(cases[i].text), out, &len, &err) != -1)
            fail_msg("accepted %s", cases[i].text);
        assert_string_equal(err.code, cases[i].code);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_string_equal(out, "untouched");
        assert_int_equal(len, 77);
        assert_int_equal(mf_decimal_normalise(mf_str_of(cases[i].text), out, &len, NULL), -1);
    }
}

static void equal_values_have_one_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"187.10", "187.1"},
        {"187.1", "187.1"},
        {"12.0", "12"},
        {"12", "12"},
        {"100", "100"},
        {"0", "0"},
        {"0.00", "0"},
        {"-0.00", "0"},
        {"-0.50", "-0.5"},
        {"-10.0", "-10"},
        {"0.00000001", "0.00000001"},
        {"1000000000000000.00000000", "1000000000000000"},
        // Not normalised: nothing.
        {"1e5", ""},
        {"x", ""},
        {"", ""},
        {"1.23456789012345678901234567890123456789012345678", ""},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char out[MF_DECIMAL_TEXT_SIZE] = "x";
        assert_int_equal(mf_decimal_canonical(mf_str_of(cases[i].text), out), strlen(cases[i].canonical));
        assert_string_equal(out, cases[i].canonical);
    }
}

static void fixed_point_has_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        const char *back;
    } cases[] = {
        {"0", true, "0"},
        {"0.00000001", true, "0.00000001"},
        {"-187.10", true, "-187.1"},
        {"184467440737.09551615", true, "184467440737.09551615"}, // 2^64 - 1 units
        {"184467440737.09551616", true, "184467440737.09551616"},
        {"18446744073709551616", true, "18446744073709551616"},
        {"999999999999999999999999999999.99999999", true, "999999999999999999999999999999.99999999"},
        {"-999999999999999999999999999999.99999999", true, "-999999999999999999999999999999.99999999"},
        {"1000000000000000000000000000000", false, NULL},
        {"0.000000001", false, NULL},
        {"1e5", false, NULL},
        {"-0", false, NULL},
        {"-0.00", false, NULL},
        {"007", false, NULL},
        {"", false, NULL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        mf_fixed8 value = 42;
        assert_int_equal(mf_decimal_to_fixed8(mf_str_of(cases[i].text), &value), cases[i].ok);
        char out[MF_DECIMAL_TEXT_SIZE];
        if (cases[i].ok) {
            assert_int_equal(mf_decimal_from_fixed8(value, out), strlen(cases[i].back));
            assert_string_equal(out, cases[i].back);
        } else {
            assert_true(value == 42);
        }
    }
    // The ends of the type still have a text.
    char out[MF_DECIMAL_TEXT_SIZE];
    mf_fixed8 largest = (mf_fixed8)(~(unsigned __int128)0 >> 1);
    mf_decimal_from_fixed8(largest, out);
    assert_string_equal(out, "1701411834604692317316873037158.84105727");
    mf_decimal_from_fixed8(-largest - 1, out);
    assert_string_equal(out, "-1701411834604692317316873037158.84105728");
}

static void compare_what_is_no_number(void)
{
    (void)mf_decimal_cmp(MF_STR("1"), MF_STR("1e5"));
}

static void values_compare_as_numbers(void **state)
{
    (void)state;
    static const char *const ascending[] = {
        "-1000000000000000", "-187.2", "-187.11", "-187.1", "-0.00000001", "0",
        "0.00000001",        "0.1",    "9.99",    "10",     "10.00000001", "187.1",
        "1000000000000000",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(ascending); i++) {
        for (size_t j = 0; j < MF_ARRAY_LEN(ascending); j++) {
            int wanted = (i > j) - (i < j);
            assert_int_equal(mf_decimal_cmp(mf_str_of(ascending[i]), mf_str_of(ascending[j])), wanted);
        }
    }
    assert_int_equal(mf_decimal_cmp(MF_STR("187.10"), MF_STR("187.1")), 0);
    assert_true(aborts(compare_what_is_no_number));
}

static size_t put_wide(char *out, unsigned __int128 value)
{
    char reversed[40];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

// Writes units × 10^-8 in one of many ways: any split of its digits by a point, zeros behind, the exponent
// that makes up for it.
static size_t spell(char *out, mf_fixed8 units, uint64_t *random)
{
    char digits[64] = "";
    unsigned __int128 magnitude = units < 0 ? -(unsigned __int128)units : (unsigned __int128)units;
    size_t count = put_wide(digits, magnitude);
    int exponent = -8;
    while (count > 1 && digits[count - 1] == '0' && mf_random_next(random) % 4 != 0) {
        count--;
        exponent++;
    }
    size_t point = 1 + mf_random_next(random) % count;
    exponent += (int)(count - point);
    size_t used = 0;
    if (units < 0)
        out[used++] = '-';
    memcpy(out + used, digits, point);
    used += point;
    if (point < count) {
        out[used++] = '.';
        memcpy(out + used, digits + point, count - point);
        used += count - point;
    }
    uint64_t style = mf_random_next(random);
    const char *letter = exponent >= 0 && style & 1 ? "e+" : style & 2 ? "E" : "e";
    return used + (size_t)snprintf(out + used, 16, "%s%0*d", letter, (int)(style >> 2 & 3), exponent);
}

// The oracle is 128-bit integer arithmetic: the value is known before the text is made.
static void every_spelling_of_a_value_means_that_value(void **state)
{
    (void)state;
    uint64_t random = 187;
    const uint64_t limit_units = UINT64_C(100000000);
    for (int i = 0; i < 300000; i++) {
        unsigned width = (unsigned)(mf_random_next(&random) % 77);
        unsigned __int128 wide = (unsigned __int128)mf_random_next(&random) << 64 | mf_random_next(&random);
        mf_fixed8 units = (mf_fixed8)(wide >> (127 - width));
        if (units > (mf_fixed8)limit_units * INT64_C(1000000000000000))
            continue;
        units = mf_random_next(&random) % 2 && units != 0 ? -units : units;
        char text[96];
        struct mf_str spelled = {text, spell(text, units, &random)};
        char normalised[MF_DECIMAL_TEXT_SIZE];
        size_t len = 0;
        struct mf_error err;
        if (mf_decimal_normalise(spelled, normalised, &len, &err) != 0)
            fail_msg("%.*s: %s", MF_STR_ARG(spelled), err.message);
        mf_fixed8 back = 0;
        assert_true(mf_decimal_to_fixed8((struct mf_str){normalised, len}, &back));
        if (back != units)
            fail_msg("%.*s became %s", MF_STR_ARG(spelled), normalised);
        char canonical[MF_DECIMAL_TEXT_SIZE];
        char fixed[MF_DECIMAL_TEXT_SIZE];
        mf_decimal_canonical((struct mf_str){normalised, len}, canonical);
        mf_decimal_from_fixed8(units, fixed);
        assert_string_equal(canonical, fixed);
        // Normalising again changes nothing.
        char again[MF_DECIMAL_TEXT_SIZE];
        assert_int_equal(mf_decimal_normalise((struct mf_str){normalised, len}, again, &len, NULL), 0);
        assert_string_equal(again, normalised);
    }
}

static void sums_are_exact(void **state)
{
    (void)state;
    // A million times 0.1 is what doubles get wrong.
    mf_fixed8 sum = 0;
    mf_fixed8 tenth = 0;
    assert_true(mf_decimal_to_fixed8(MF_STR("0.1"), &tenth));
    for (int i = 0; i < 1000000; i++)
        sum += tenth;
    char out[MF_DECIMAL_TEXT_SIZE];
    mf_decimal_from_fixed8(sum, out);
    assert_string_equal(out, "100000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_numbers_and_nothing_else),
        cmocka_unit_test(exponents_are_expanded_and_nothing_else_changes),
        cmocka_unit_test(what_events_cannot_carry_is_refused),
        cmocka_unit_test(equal_values_have_one_canonical_form),
        cmocka_unit_test(fixed_point_has_limits),
        cmocka_unit_test(values_compare_as_numbers),
        cmocka_unit_test(every_spelling_of_a_value_means_that_value),
        cmocka_unit_test(sums_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
