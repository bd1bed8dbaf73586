// SPDX-License-Identifier: Apache-2.0
#include "common/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/aborts.h"

#include <cmocka.h>

static void set_fills_every_field(void **state)
{
    (void)state;
    struct mf_error err;
    memset(&err, 0xaa, sizeof err);
    assert_int_equal(mf_error_set(&err, MF_ERROR_POISON, "bad_number", "field %s: %d", "open", 7), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_string_equal(err.code, "bad_number");
    assert_string_equal(err.message, "field open: 7");
    assert_int_equal(mf_error_set(NULL, MF_ERROR_FATAL, "x", "y"), -1);
    assert_int_equal(mf_error_prefix(NULL, "y"), -1);
}

static void prefix_goes_before_the_message(void **state)
{
    (void)state;
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_CONFIG, "bad_setting", "not a number");
    assert_int_equal(mf_error_prefix(&err, "%s", "KAFKA_PARTITIONS"), -1);
    assert_string_equal(err.message, "KAFKA_PARTITIONS: not a number");
    assert_string_equal(err.code, "bad_setting");
    assert_int_equal(err.class, MF_ERROR_CONFIG);
}

static void an_error_may_quote_itself(void **state)
{
    (void)state;
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_TRANSIENT, "timeout", "no answer");
    mf_error_set(&err, MF_ERROR_FATAL, "gave_up", "after 3 tries: %s", err.message);
    assert_string_equal(err.message, "after 3 tries: no answer");
    mf_error_prefix(&err, "%s again", err.code);
    assert_string_equal(err.message, "gave_up again: after 3 tries: no answer");
}

// A message of `ascii` letters and then a multi-byte character is cut so that it stays UTF-8 and fits.
static void long_messages_are_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x93\x88"};
    for (size_t c = 0; c < MF_ARRAY_LEN(characters); c++) {
        size_t width = strlen(characters[c]);
        for (int ascii = MF_ERROR_MESSAGE_SIZE - 8; ascii <= MF_ERROR_MESSAGE_SIZE + 1; ascii++) {
            struct mf_error err;
            mf_error_set(&err, MF_ERROR_POISON, "x", "%0*d%s%s", ascii, 0, characters[c], characters[c]);
            size_t room = MF_ERROR_MESSAGE_SIZE - 1;
            size_t wanted = (size_t)ascii > room ? room : (size_t)ascii;
            for (int i = 0; i < 2 && (size_t)ascii <= room && wanted + width <= room; i++)
                wanted += width;
            assert_int_equal(strlen(err.message), wanted);
            assert_true(mf_str_is_utf8(mf_str_of(err.message)));
            mf_error_prefix(&err, "\xc3\xa9");
            assert_true(mf_str_is_utf8(mf_str_of(err.message)));
            assert_true(strlen(err.message) >= room - 4 && strlen(err.message) <= room);
        }
    }
}

static void set_too_long_a_code(void)
{
    char code[MF_ERROR_CODE_SIZE + 1];
    memset(code, 'c', sizeof code - 1);
    code[sizeof code - 1] = '\0';
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_POISON, code, "one beyond");
}

static void codes_have_a_limit(void **state)
{
    (void)state;
    char code[MF_ERROR_CODE_SIZE];
    memset(code, 'c', sizeof code - 1);
    code[sizeof code - 1] = '\0';
    struct mf_error err;
    mf_error_set(&err, MF_ERROR_POISON, code, "at the limit");
    assert_string_equal(err.code, code);
    assert_true(aborts(set_too_long_a_code));
}

static void classes_have_names_and_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum mf_error_class class;
        const char *name;
        int exit_code;
    } cases[] = {
        {MF_ERROR_TRANSIENT, "transient", 75}, {MF_ERROR_POISON, "poison", 70},
        {MF_ERROR_UNCERTAIN, "uncertain", 75}, {MF_ERROR_CONFIG, "config", 78},
        {MF_ERROR_FATAL, "fatal", 70},
    };
    assert_int_equal(MF_ARRAY_LEN(cases), MF_ERROR_CLASS_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_error err;
        mf_error_set(&err, cases[i].class, "x", "x");
        assert_string_equal(mf_error_class_name(err.class), cases[i].name);
        assert_int_equal(mf_error_exit_code(&err), cases[i].exit_code);
    }
    assert_string_equal(mf_error_class_name(MF_ERROR_CLASS_MAX), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_every_field),     cmocka_unit_test(prefix_goes_before_the_message),
        cmocka_unit_test(an_error_may_quote_itself), cmocka_unit_test(long_messages_are_cut_at_a_character),
        cmocka_unit_test(codes_have_a_limit),        cmocka_unit_test(classes_have_names_and_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
