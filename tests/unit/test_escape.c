// SPDX-License-Identifier: Apache-2.0
// Escaping: every byte, the cut at the limit, and the property that the result is always UTF-8 without
// controls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/escape.h"

static void escapes(void **state MF_UNUSED)
{
    static const struct {
        enum mf_escape how;
        const char *text;
        size_t len;
        const char *expected;
    } rows[] = {
        {MF_ESCAPE_JSON, "plain é €", 12, "plain é €"},
        {MF_ESCAPE_JSON, "\"\\/", 3, "\\\"\\\\/"},
        {MF_ESCAPE_JSON, "a\nb\r\t\b\f", 7, "a\\nb\\r\\t\\b\\f"},
        {MF_ESCAPE_JSON, "\x01\x1f\x7f", 3, "\\u0001\\u001f\\u007f"},
        {MF_ESCAPE_JSON, "\0x", 2, "\\u0000x"},
        {MF_ESCAPE_JSON, "\xff\xc3", 2, "\\\\xff\\\\xc3"},
        {MF_ESCAPE_JSON, "\xc0\xaf", 2, "\\\\xc0\\\\xaf"},
        {MF_ESCAPE_JSON, "\xed\xa0\x80", 3, "\\\\xed\\\\xa0\\\\x80"},
        {MF_ESCAPE_JSON, "\xf0\x9f\x93\x88", 4, "\xf0\x9f\x93\x88"},
        {MF_ESCAPE_JSON, "", 0, ""},
        {MF_ESCAPE_TEXT, "\"\\ \n", 4, "\"\\ \\n"},
        {MF_ESCAPE_TEXT, "\x1b[2J", 4, "\\x1b[2J"},
        {MF_ESCAPE_TEXT, "\xc2\x9b\xc2\xa0", 4, "\\x9b\xc2\xa0"},
        {MF_ESCAPE_TEXT, "\xfe", 1, "\\xfe"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char out[64];
        size_t used;
        size_t len =
            mf_escape(rows[i].how, (struct mf_str){rows[i].text, rows[i].len}, out, sizeof out - 1, &used);
        out[len] = '\0';
        assert_string_equal(out, rows[i].expected);
        assert_int_equal(used, rows[i].len);
    }
}

static void cuts_between_characters(void **state MF_UNUSED)
{
    const struct mf_str text = MF_STR("a\n€\xff");
    static const struct {
        size_t size;
        const char *expected;
        size_t used;
    } rows[] = {
        {0, "", 0},     {1, "a", 1},     {2, "a", 1},      {3, "a\\n", 2},
        {5, "a\\n", 2}, {6, "a\\n€", 5}, {10, "a\\n€", 5}, {11, "a\\n€\\\\xff", 6},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char out[16];
        size_t used;
        memset(out, '#', sizeof out);
        size_t len = mf_escape(MF_ESCAPE_JSON, text, out, rows[i].size, &used);
        assert_int_equal(len, strlen(rows[i].expected));
        assert_memory_equal(out, rows[i].expected, len);
        assert_int_equal(used, rows[i].used);
        for (size_t at = rows[i].size; at < sizeof out; at++)
            assert_int_equal(out[at], '#');
    }
}

// Every pair of bytes: the result is UTF-8, has no control character, and stands for both bytes.
static void every_pair_of_bytes_is_safe(void **state MF_UNUSED)
{
    for (unsigned pair = 0; pair <= 0xffff; pair++) {
        char text[2] = {(char)(pair >> 8), (char)(pair & 0xff)};
        for (unsigned how = 0; how < 2; how++) {
            char out[2 * MF_ESCAPE_MAX];
            size_t used;
            size_t len = mf_escape((enum mf_escape)how, (struct mf_str){text, 2}, out, sizeof out, &used);
            assert_int_equal(used, 2);
            assert_true(mf_str_is_utf8((struct mf_str){out, len}));
            for (size_t i = 0; i < len; i++)
                assert_true((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(every_pair_of_bytes_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
