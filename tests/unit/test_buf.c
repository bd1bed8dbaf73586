// SPDX-License-Identifier: Apache-2.0
#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void appends_of_every_kind_add_up(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 1000);
    assert_string_equal(mf_buf_c_str(&buf), "");
    assert_non_null(mf_buf_str(&buf).data);
    assert_int_equal(mf_buf_add(&buf, "ab", 2), 0);
    assert_int_equal(mf_buf_add(&buf, NULL, 0), 0);
    assert_int_equal(mf_buf_add_str(&buf, MF_STR("cd")), 0);
    assert_int_equal(mf_buf_add_c(&buf, "ef"), 0);
    assert_int_equal(mf_buf_add_char(&buf, 'g'), 0);
    assert_int_equal(mf_buf_addf(&buf, "%d|%s", 42, "h"), 0);
    assert_string_equal(mf_buf_c_str(&buf), "abcdefg42|h");
    assert_int_equal(buf.len, 11);
    assert_true(mf_str_eq_c(mf_buf_str(&buf), "abcdefg42|h"));
    mf_buf_free(&buf);
    assert_int_equal(buf.max, 1000); // may be used again
    assert_int_equal(mf_buf_add_c(&buf, "x"), 0);
    mf_buf_free(&buf);
}

static void growth_keeps_the_content(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(mf_buf_add_char(&buf, (char)('a' + i % 26)), 0);
    assert_int_equal(buf.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    mf_buf_clear(&buf);
    mf_buf_free(&buf);
    // A formatted text longer than the room that was left, behind another one.
    mf_buf_add_c(&buf, "ab");
    assert_int_equal(mf_buf_addf(&buf, "%0300d|", 7), 0);
    assert_int_equal(buf.len, 303);
    assert_memory_equal(buf.data, "ab00", 4);
    assert_string_equal(buf.data + 300, "07|");
    mf_buf_clear(&buf);
    assert_int_equal(mf_buf_addf(&buf, "%0500000d", 7), 0);
    assert_int_equal(buf.len, 500000);
    assert_int_equal(buf.data[499999], '7');
    mf_buf_free(&buf);
}

static void the_maximum_is_exact_for_every_append(void **state)
{
    (void)state;
    for (size_t max = 0; max <= 300; max += 60) {
        for (int kind = 0; kind < 3; kind++) {
            struct mf_buf buf;
            mf_buf_init(&buf, max);
            char text[301];
            memset(text, 'x', sizeof text);
            // At the limit, then one beyond.
            assert_int_equal(mf_buf_add(&buf, text, max), 0);
            assert_int_equal(buf.len, max);
            assert_false(buf.overflow);
            assert_true(buf.cap <= max + 1);
            int result = kind == 0   ? mf_buf_add_char(&buf, 'y')
                         : kind == 1 ? mf_buf_addf(&buf, "%s", "y")
                                     : mf_buf_add(&buf, text, sizeof text);
            assert_int_equal(result, -1);
            assert_true(buf.overflow);
            assert_int_equal(buf.len, max);
            assert_int_equal(strlen(buf.data), max);
            mf_buf_free(&buf);
        }
        struct mf_buf buf;
        mf_buf_init(&buf, max);
        assert_int_equal(mf_buf_addf(&buf, "%*s", (int)max, ""), 0);
        assert_int_equal(buf.len, max);
        mf_buf_free(&buf);
        assert_int_equal(mf_buf_addf(&buf, "%*s", (int)max + 1, ""), -1);
        assert_int_equal(buf.len, 0);
        mf_buf_free(&buf);
    }
}

static void extended_room_is_the_callers(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 500);
    mf_buf_add_c(&buf, "ab");
    memset(mf_buf_extend(&buf, 298), 'x', 298); // the block moves
    assert_int_equal(buf.len, 300);
    assert_int_equal(buf.data[300], '\0');
    assert_memory_equal(buf.data, "abxx", 4);
    assert_non_null(mf_buf_extend(&buf, 0));
    assert_non_null(mf_buf_extend(&buf, 200));
    assert_null(mf_buf_extend(&buf, 1));
    assert_true(buf.overflow);
    assert_null(mf_buf_extend(&buf, 0));
    assert_int_equal(buf.len, 500);
    mf_buf_free(&buf);
}

static void what_cannot_be_formatted_counts_as_overflow(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 100);
    mf_buf_add_c(&buf, "ab");
    assert_int_equal(mf_buf_addf(&buf, "%lc", 0x20acU), -1); // no such character in the "C" locale
    assert_true(buf.overflow);
    assert_string_equal(mf_buf_c_str(&buf), "ab");
    mf_buf_free(&buf);
}

static void overflow_sticks_until_cleared(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 4);
    assert_int_equal(mf_buf_add_c(&buf, "abc"), 0);
    assert_int_equal(mf_buf_add_c(&buf, "de"), -1);
    assert_int_equal(mf_buf_add_c(&buf, "d"), -1); // would fit, but the text would have a hole
    assert_int_equal(mf_buf_addf(&buf, "d"), -1);
    assert_int_equal(mf_buf_add(&buf, NULL, 0), -1);
    assert_string_equal(mf_buf_c_str(&buf), "abc");
    mf_buf_clear(&buf);
    assert_false(buf.overflow);
    assert_string_equal(mf_buf_c_str(&buf), "");
    assert_int_equal(mf_buf_add_c(&buf, "wxyz"), 0);
    assert_string_equal(mf_buf_c_str(&buf), "wxyz");
    mf_buf_free(&buf);
}

static void trim_gives_memory_back_when_empty(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 1 << 20);
    assert_int_equal(mf_buf_addf(&buf, "%0100000d", 1), 0);
    size_t cap = buf.cap;
    mf_buf_trim(&buf, 1000);
    assert_int_equal(buf.cap, cap); // not while it holds something
    mf_buf_clear(&buf);
    mf_buf_trim(&buf, cap);
    assert_int_equal(buf.cap, cap);
    mf_buf_trim(&buf, 1000);
    assert_int_equal(buf.cap, 1000);
    assert_int_equal(mf_buf_addf(&buf, "%02000d", 1), 0);
    assert_int_equal(buf.len, 2000);
    mf_buf_clear(&buf);
    mf_buf_trim(&buf, 0);
    assert_int_equal(buf.cap, 0);
    assert_string_equal(mf_buf_c_str(&buf), "");
    assert_int_equal(mf_buf_add_c(&buf, "again"), 0);
    mf_buf_free(&buf);
}

static void a_moved_content_is_not_copied(void **state)
{
    (void)state;
    struct mf_buf from, to;
    mf_buf_init(&from, 100);
    mf_buf_init(&to, 5);
    mf_buf_add_c(&to, "old");
    mf_buf_add_c(&from, "content");
    const char *data = from.data;
    mf_buf_move(&to, &from);
    assert_ptr_equal(to.data, data);
    assert_int_equal(to.max, 100); // of what it holds now
    assert_int_equal(from.len, 0);
    assert_string_equal(mf_buf_c_str(&from), "");
    assert_int_equal(mf_buf_add_c(&from, "again"), 0);
    mf_buf_move(&from, &to);
    assert_string_equal(mf_buf_c_str(&from), "content");
    mf_buf_free(&from);
    mf_buf_free(&to);
}

static void reserved_room_is_not_moved(void **state)
{
    (void)state;
    struct mf_buf buf;
    mf_buf_init(&buf, 10000);
    mf_buf_add_c(&buf, "a");
    mf_buf_reserve(&buf, 9000);
    const char *data = buf.data;
    assert_string_equal(data, "a");
    assert_int_equal(mf_buf_addf(&buf, "%08999d", 1), 0);
    assert_ptr_equal(buf.data, data);
    mf_buf_reserve(&buf, 100); // it has more
    assert_int_equal(buf.len, 9000);
    mf_buf_reserve(&buf, SIZE_MAX); // the maximum is the most
    assert_int_equal(mf_buf_addf(&buf, "%01000d", 1), 0);
    assert_int_equal(mf_buf_add_char(&buf, 'x'), -1);
    mf_buf_reserve(&buf, SIZE_MAX);
    assert_int_equal(buf.len, 10000);
    mf_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_of_every_kind_add_up),
        cmocka_unit_test(growth_keeps_the_content),
        cmocka_unit_test(the_maximum_is_exact_for_every_append),
        cmocka_unit_test(overflow_sticks_until_cleared),
        cmocka_unit_test(what_cannot_be_formatted_counts_as_overflow),
        cmocka_unit_test(extended_room_is_the_callers),
        cmocka_unit_test(trim_gives_memory_back_when_empty),
        cmocka_unit_test(a_moved_content_is_not_copied),
        cmocka_unit_test(reserved_room_is_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
