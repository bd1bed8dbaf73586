// SPDX-License-Identifier: Apache-2.0
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/aborts.h"

#include <cmocka.h>

static void views_compare_by_bytes(void **state)
{
    (void)state;
    assert_null(mf_str_of(NULL).data);
    assert_int_equal(mf_str_of("abc").len, 3);
    assert_true(mf_str_eq(MF_STR("abc"), mf_str_of("abc")));
    assert_true(mf_str_eq(MF_STR_NULL, MF_STR("")));
    assert_false(mf_str_eq(MF_STR("abc"), MF_STR("abd")));
    assert_false(mf_str_eq(MF_STR("abc"), MF_STR("abcd")));
    assert_true(mf_str_eq_c(MF_STR("a\0b"), "a") == false);
    assert_true(mf_str_starts_with(MF_STR("X:BTCUSD"), "X:"));
    assert_false(mf_str_starts_with(MF_STR("C:EURUSD"), "X:"));
    assert_true(mf_str_starts_with(MF_STR_NULL, ""));
    assert_false(mf_str_starts_with(MF_STR("X"), "X:"));
    assert_int_equal(mf_str_cmp(MF_STR("a"), MF_STR("a")), 0);
    assert_true(mf_str_cmp(MF_STR("a"), MF_STR("b")) < 0);
    assert_true(mf_str_cmp(MF_STR("b"), MF_STR("a")) > 0);
    assert_true(mf_str_cmp(MF_STR("a"), MF_STR("aa")) < 0);
    assert_true(mf_str_cmp(MF_STR("aa"), MF_STR("a")) > 0);
    assert_true(mf_str_cmp(MF_STR("\xff"), MF_STR("a")) > 0); // bytes, not signed chars
    assert_int_equal(mf_str_cmp(MF_STR_NULL, MF_STR("")), 0);
}

static void copy_fits_or_leaves_an_empty_text(void **state)
{
    (void)state;
    char text[4] = "old";
    assert_true(mf_str_copy(text, sizeof text, MF_STR("abc")));
    assert_string_equal(text, "abc");
    assert_false(mf_str_copy(text, sizeof text, MF_STR("abcd")));
    assert_string_equal(text, "");
    assert_true(mf_str_copy(text, sizeof text, MF_STR_NULL));
    assert_string_equal(text, "");
    assert_true(mf_str_copy(text, 1, MF_STR("")));
    assert_false(mf_str_copy(text, 1, MF_STR("a")));
}

static void integers_are_read_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+7", true, 7},
        {"0012", true, 12},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"92233720368547758070", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        int64_t value = 42;
        assert_int_equal(mf_str_to_i64(mf_str_of(cases[i].text), &value), cases[i].ok);
        assert_int_equal(value, cases[i].ok ? cases[i].value : 42);
    }
    int64_t value = 42;
    assert_false(mf_str_to_i64(MF_STR_NULL, &value));
    assert_false(mf_str_to_i64(MF_STR("1\0"), &value));
}

static const struct {
    struct mf_str text;
    bool ok;
} utf8_cases[] = {
    {MF_STR(""), true},
    {MF_STR("plain ascii, longer than a word"), true},
    {MF_STR("with a\0NUL"), true},
    {MF_STR("caf\xc3\xa9"), true},
    {MF_STR("\xe2\x82\xac 12"), true},
    {MF_STR("12345678\xf0\x9f\x93\x88"), true},
    {MF_STR("\xed\x9f\xbf\xee\x80\x80"), true}, // either side of the surrogates
    {MF_STR("\xf4\x8f\xbf\xbf"), true},         // U+10FFFF
    {MF_STR("\xf4\x90\x80\x80"), false},        // U+110000
    {MF_STR("\xf5\x80\x80\x80"), false},
    {MF_STR("\xed\xa0\x80"), false},     // U+D800
    {MF_STR("\xed\xbf\xbf"), false},     // U+DFFF
    {MF_STR("\xc0\x80"), false},         // overlong NUL
    {MF_STR("\xc1\xbf"), false},         // overlong
    {MF_STR("\xe0\x9f\xbf"), false},     // overlong
    {MF_STR("\xe0\xa0\x80"), true},      // U+0800
    {MF_STR("\xf0\x8f\xbf\xbf"), false}, // overlong
    {MF_STR("\xf0\x90\x80\x80"), true},  // U+10000
    {MF_STR("\x80"), false},             // continuation without lead
    {MF_STR("\xc3"), false},             // cut
    {MF_STR("\xe2\x82"), false},
    {MF_STR("\xf0\x9f\x93"), false},
    {MF_STR("\xc3(\xa9"), false},
    {MF_STR("\xe2\x82("), false},
    {MF_STR("0123456789012345678901234567890\xe2\x82\xac"), true}, // across the end of a block
    {MF_STR("0123456789012345678901234567890\xe2\x82"), false},
    {MF_STR("01234567890123456789012345678901\xe2\x82\xac"), true}, // right behind it
    {MF_STR("01234567890123456789012345678901\x82"), false},
    {MF_STR("0123456\xff"
            "01234567"
            "01234567"
            "01234567"),
     false}, // in each word of it
    {MF_STR("01234567"
            "\xff"
            "1234567"
            "01234567"
            "01234567"),
     false},
    {MF_STR("01234567"
            "01234567"
            "0123456\xff"
            "01234567"),
     false},
    {MF_STR("01234567"
            "01234567"
            "01234567"
            "\xff"
            "1234567"),
     false},
    {MF_STR("\xfe"), false},
    {MF_STR("\xff"), false},
};

static void utf8_is_checked_to_the_letter(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(utf8_cases); i++) {
        if (mf_str_is_utf8(utf8_cases[i].text) != utf8_cases[i].ok)
            fail_msg("case %zu: expected %d", i, utf8_cases[i].ok);
    }
    assert_true(mf_str_is_utf8(MF_STR_NULL));
}

// Every code point is well-formed but the surrogates: an encoder of the definition is the oracle.
static void utf8_accepts_exactly_the_scalar_values(void **state)
{
    (void)state;
    for (uint32_t code = 0x80; code < 0x120000; code += code < 0x11000 ? 1 : 61) {
        unsigned char text[4];
        size_t len;
        if (code < 0x800) {
            text[0] = (unsigned char)(0xc0 | code >> 6);
            len = 2;
        } else if (code < 0x10000) {
            text[0] = (unsigned char)(0xe0 | code >> 12);
            len = 3;
        } else {
            text[0] = (unsigned char)(0xf0 | code >> 18);
            len = 4;
        }
        for (size_t i = 1; i < len; i++)
            text[i] = (unsigned char)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3f));
        bool wanted = code < 0x110000 && (code < 0xd800 || code > 0xdfff);
        if (mf_str_is_utf8((struct mf_str){(char *)text, len}) != wanted)
            fail_msg("U+%04X: expected %d", code, wanted);
    }
}

static void ask_for_more_than_there_is(void)
{
    free(mf_alloc(SIZE_MAX / 2));
}

static void ask_for_more_than_can_be_counted(void)
{
    free(mf_calloc(SIZE_MAX / 2, 4));
}

static void allocations_are_never_null(void **state)
{
    (void)state;
    void *empty = mf_alloc(0);
    assert_non_null(empty);
    empty = mf_realloc(empty, 0);
    assert_non_null(empty);
    free(empty);
    unsigned char *zeroed = mf_calloc(3, 5);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(zeroed[i], 0);
    free(zeroed);
    free(mf_calloc(0, 8));
    free(mf_calloc(8, 0));
    char *copy = mf_strndup((struct mf_str){"abcdef", 3});
    assert_string_equal(copy, "abc");
    free(copy);
    copy = mf_strndup(MF_STR_NULL);
    assert_string_equal(copy, "");
    free(copy);
    copy = mf_strdup("abc");
    assert_string_equal(copy, "abc");
    free(copy);
    assert_true(aborts(ask_for_more_than_there_is));
    assert_true(aborts(ask_for_more_than_can_be_counted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_by_bytes),
        cmocka_unit_test(copy_fits_or_leaves_an_empty_text),
        cmocka_unit_test(integers_are_read_whole),
        cmocka_unit_test(utf8_is_checked_to_the_letter),
        cmocka_unit_test(utf8_accepts_exactly_the_scalar_values),
        cmocka_unit_test(allocations_are_never_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
