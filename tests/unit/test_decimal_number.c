// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/backoff.h"
#include "common/decimal.h"
#include "common/decimal_digits.h"

#include <cmocka.h>

static void numbers_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t mantissa;
        unsigned scale;
    } cases[] = {
        {"0", 0, 0},
        {"0.0", 0, 1},
        {"0.00000000", 0, 8},
        {"7", 7, 0},
        {"-7", -7, 0},
        {"187.10", 18710, 2},
        {"-187.1", -1871, 1},
        {"0.05", 5, 2},
        {"-0.05", -5, 2},
        {"10", 10, 0},
        {"100.00", 10000, 2},
        {"0.00000001", 1, 8},
        {"12345678.12345678", INT64_C(1234567812345678), 8},
        {"9999999999.99999999", INT64_C(999999999999999999), 8},
        {"-9999999999.99999999", -INT64_C(999999999999999999), 8},
        {"1000000000000000", INT64_C(1000000000000000), 0},
        {"999999999999999999", INT64_C(999999999999999999), 0},
        {"100000000000000000", INT64_C(100000000000000000), 0},
        {"10000000000000000.0", INT64_C(100000000000000000), 1},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_decimal_number number = {42, 42};
        char text[MF_DECIMAL_TEXT_SIZE];
        if (!mf_decimal_number_parse(mf_str_of(cases[i].text), &number))
            fail_msg("refused %s", cases[i].text);
        assert_true(number.mantissa == cases[i].mantissa);
        assert_int_equal(number.scale, cases[i].scale);
        assert_int_equal(mf_decimal_number_text(number, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "-",
        "+1",
        ".5",
        "5.",
        "-.5",
        "01",
        "-01",
        "00.5",
        "1e5",
        "1.5e",
        " 1",
        "1 ",
        "1,5",
        "1.2.3",
        "x",
        "NaN",
        "--1",
        "-0",
        "-0.0",
        "1-",
        "0x1",
        "0.000000001",         // nine decimals
        "1000000000000000000", // nineteen digits
        "1000000000000000000000",
        "10000000000.00000000",
        "18446744073709551617",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(refused); i++) {
        struct mf_decimal_number number = {42, 42};
        if (mf_decimal_number_parse(mf_str_of(refused[i]), &number))
            fail_msg("accepted '%s'", refused[i]);
        assert_true(number.mantissa == 42 && number.scale == 42);
    }
    struct mf_decimal_number number;
    assert_false(mf_decimal_number_parse(MF_STR_NULL, &number));
    assert_false(mf_decimal_number_parse(MF_STR("1\0"), &number));
    // The view's end counts, not what stands behind it.
    assert_true(mf_decimal_number_parse((struct mf_str){"12345", 2}, &number));
    assert_true(number.mantissa == 12);
}

// Any number that events may carry in 18 digits.
static struct mf_str random_text(uint64_t *random, char *text, size_t size)
{
    static const uint64_t limits[] = {10, 100, 1000, 100000, 10000000, UINT64_C(1000000000000)};
    unsigned decimals = (unsigned)(mf_random_next(random) % 9);
    uint64_t whole = mf_random_next(random) % limits[mf_random_next(random) % MF_ARRAY_LEN(limits)];
    if (whole >= UINT64_C(10000000000))
        decimals = decimals > 6 ? 6 : decimals;
    uint64_t fraction = mf_random_next(random), unit = 1;
    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    fraction = mf_random_next(random) % 4 == 0 ? 0 : fraction % unit;
    const char *sign = mf_random_next(random) % 3 == 0 && whole + fraction > 0 ? "-" : "";
    int len = decimals == 0 ? snprintf(text, size, "%s%llu", sign, (unsigned long long)whole)
                            : snprintf(text, size, "%s%llu.%0*llu", sign, (unsigned long long)whole,
                                       (int)decimals, (unsigned long long)fraction);
    return (struct mf_str){text, (size_t)len};
}

static void random_numbers_keep_their_text_and_value(void **state)
{
    (void)state;
    uint64_t random = 4;
    struct mf_decimal_number before = {0, 0};
    for (int i = 0; i < 1000000; i++) {
        char room[64], text[MF_DECIMAL_TEXT_SIZE];
        struct mf_str view = random_text(&random, room, sizeof room);
        struct mf_decimal_number number;
        mf_fixed8 units = 0, units_before = mf_decimal_number_fixed8(before);
        double wanted = 0;
        if (!mf_decimal_number_parse(view, &number))
            fail_msg("refused %s", room);
        size_t len = mf_decimal_number_text(number, text);
        if (!mf_str_eq(view, (struct mf_str){text, len}) || text[len] != '\0')
            fail_msg("%s became %s", room, text);
        assert_true(mf_decimal_to_fixed8(view, &units) && units == mf_decimal_number_fixed8(number));
        assert_true(mf_decimal_to_double(view, &wanted));
        if (mf_decimal_number_double(number) != wanted || mf_decimal_fixed8_double(units) != wanted)
            fail_msg("%s: %.17g, wanted %.17g", room, mf_decimal_number_double(number), wanted);
        assert_int_equal(mf_decimal_number_cmp(number, before),
                         (units > units_before) - (units < units_before));
        before = number;
    }
}

// What the parser says must be what the normaliser says, but for what has too many digits.
static void the_grammar_is_that_of_events(void **state)
{
    (void)state;
    static const char alphabet[] = "0011259.-.e";
    uint64_t random = 5;
    int accepted = 0;
    for (int i = 0; i < 1000000; i++) {
        char text[24], normal[MF_DECIMAL_TEXT_SIZE];
        size_t len = mf_random_next(&random) % 12, normal_len = 0;
        for (size_t at = 0; at < len; at++)
            text[at] = alphabet[mf_random_next(&random) % (sizeof alphabet - 1)];
        struct mf_str view = {text, len};
        struct mf_decimal_number number;
        bool wanted = mf_decimal_normalise(view, normal, &normal_len, NULL) == 0 &&
                      mf_str_eq(view, (struct mf_str){normal, normal_len});
        if (mf_decimal_number_parse(view, &number) != wanted)
            fail_msg("%.*s: wanted %d", (int)len, text, wanted);
        accepted += wanted;
    }
    assert_in_range(accepted, 10000, 990000);
}

static void doubles_of_large_numbers_are_the_nearest(void **state)
{
    (void)state;
    uint64_t random = 6;
    for (int i = 0; i < 300000; i++) {
        // Up to 126 bits; every second one a tie between two doubles, or a step of 10^-8 beside one.
        unsigned bits = 54 + (unsigned)(mf_random_next(&random) % 73);
        uint64_t words[2] = {mf_random_next(&random) | UINT64_C(1) << 63, mf_random_next(&random)};
        mf_fixed8 value = (mf_fixed8)(words[0] >> 1) << 64 | words[1];
        value >>= 127 - bits;
        if (mf_random_next(&random) % 2 == 0) {
            value = ((mf_fixed8)(words[0] >> 10) | 1) * 50000000;
            value = (value << words[1] % 46) + (mf_fixed8)(words[1] >> 60) % 3 - 1;
        }
        if (mf_random_next(&random) % 2 == 0)
            value = -value;
        char text[MF_DECIMAL_TEXT_SIZE];
        size_t len = mf_decimal_from_fixed8(value, text);
        double wanted = 0;
        assert_true(mf_decimal_to_double((struct mf_str){text, len}, &wanted));
        if (mf_decimal_fixed8_double(value) != wanted)
            fail_msg("%s: %.17g, wanted %.17g", text, mf_decimal_fixed8_double(value), wanted);
    }
    struct mf_decimal_number most = {INT64_C(999999999999999999), 0};
    assert_true(mf_decimal_number_double(most) == 1e18);
    assert_true(mf_decimal_number_double((struct mf_decimal_number){INT64_C(9007199254740993), 0}) ==
                9007199254740992.0);
    assert_true(mf_decimal_number_double((struct mf_decimal_number){0, 3}) == 0);
    assert_false(signbit(mf_decimal_number_double((struct mf_decimal_number){0, 3})));
    assert_true(mf_decimal_fixed8_double(0) == 0);
}

static void sums_are_exact(void **state)
{
    (void)state;
    static const struct mf_decimal_number mixed[] = {{18710, 2}, {1, 8}, {-5, 1}, {3, 0}};
    char text[MF_DECIMAL_TEXT_SIZE];
    mf_decimal_from_fixed8(mf_decimal_number_sum(mixed, MF_ARRAY_LEN(mixed)), text);
    assert_string_equal(text, "189.60000001");
    assert_true(mf_decimal_number_sum(NULL, 0) == 0);
    // Ten thousand of the largest and their opposites, and what is left between them.
    enum { COUNT = 20001 };
    static struct mf_decimal_number many[COUNT];
    for (size_t i = 0; i < COUNT - 1; i++)
        many[i] = (struct mf_decimal_number){(i % 2 == 0 ? 1 : -1) * INT64_C(999999999999999999), 0};
    many[COUNT - 1] = (struct mf_decimal_number){1, 8};
    mf_decimal_from_fixed8(mf_decimal_number_sum(many, COUNT), text);
    assert_string_equal(text, "0.00000001");
    for (size_t i = 0; i < COUNT; i++)
        many[i] = (struct mf_decimal_number){INT64_C(999999999999999999), 0};
    mf_decimal_from_fixed8(mf_decimal_number_sum(many, COUNT), text);
    assert_string_equal(text, "20000999999999999979999"); // 20001 × (10^18 - 1)
}

static void digits_are_those_of_printf(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 1000000; i++) {
        uint64_t value = mf_random_next(&random) >> (mf_random_next(&random) % 64);
        if (i < 64)
            value = i % 2 == 0 ? (UINT64_C(1) << i) : ~UINT64_C(0) >> i;
        char text[MF_DIGITS_ROOM + 1], wanted[32];
        memset(text, 'x', sizeof text);
        size_t len = mf_digits_put(text, value);
        assert_int_equal(text[MF_DIGITS_ROOM], 'x');
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
        if (len != strlen(wanted) || memcmp(text, wanted, len) != 0)
            fail_msg("%s: %.*s", wanted, (int)len, text);
    }
    for (uint32_t value = 0; value < 100000000; value += value < 200000 ? 1 : 997) {
        uint64_t digits = mf_digits_of(value);
        uint32_t back = 0;
        unsigned leading = 0, trailing = 0;
        for (unsigned i = 0; i < 8; i++) {
            uint32_t digit = (uint32_t)(digits >> 8 * i & 0xff);
            back = back * 10 + digit;
            leading += back == 0 && i < 7;
            trailing = digit == 0 ? trailing + 1 : 0;
        }
        uint64_t pair[2];
        mf_digits_of_two(value, 99999999 - value, pair);
        if (pair[0] != digits || pair[1] != mf_digits_of(99999999 - value))
            fail_msg("%u, at once with its complement: %llx", value, (unsigned long long)pair[0]);
        if (back != value || leading != mf_digits_leading(digits) || trailing != mf_digits_trailing(digits))
            fail_msg("%u: %llx", value, (unsigned long long)digits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_and_written),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(random_numbers_keep_their_text_and_value),
        cmocka_unit_test(the_grammar_is_that_of_events),
        cmocka_unit_test(doubles_of_large_numbers_are_the_nearest),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(digits_are_those_of_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
