// SPDX-License-Identifier: Apache-2.0
// Options of commands: every form that is taken, and every mistake named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/service.h"

struct parsed {
    const char *from, *to;
    bool again;
};

static int parse(const char *const *words, struct parsed *parsed, struct mf_error *err)
{
    const struct mf_option options[] = {{.name = "--from", .value = &parsed->from, .required = true},
                                        {.name = "--to", .value = &parsed->to},
                                        {.name = "--again", .flag = &parsed->again}};
    int count = 0;
    while (words[count] != NULL)
        count++;
    *parsed = (struct parsed){0};
    memset(err, 0, sizeof *err);
    return mf_options_parse(options, MF_ARRAY_LEN(options), count, (char **)words, err);
}

static void forms(void **state MF_UNUSED)
{
    static const struct {
        const char *words[8];
        const char *from, *to;
        bool again;
    } rows[] = {
        {{"--from", "a"}, "a", NULL, false},   {{"--from=a"}, "a", NULL, false},
        {{"--from=a=b"}, "a=b", NULL, false},  {{"--again", "--to", "b", "--from", "a"}, "a", "b", true},
        {{"--from", "-1"}, "-1", NULL, false}, {{"--from=--x"}, "--x", NULL, false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct parsed parsed;
        struct mf_error err;
        assert_int_equal(parse(rows[i].words, &parsed, &err), 0);
        assert_string_equal(parsed.from, rows[i].from);
        assert_int_equal(parsed.to != NULL, rows[i].to != NULL);
        if (rows[i].to != NULL)
            assert_string_equal(parsed.to, rows[i].to);
        assert_int_equal(parsed.again, rows[i].again);
    }
    struct mf_error err;
    assert_int_equal(mf_options_parse(NULL, 0, 0, NULL, &err), 0);
}

static void mistakes(void **state MF_UNUSED)
{
    static const struct {
        const char *words[8];
        const char *message;
    } rows[] = {
        {{NULL}, "missing option '--from'"},
        {{"--to", "b"}, "missing option '--from'"},
        {{"--from"}, "needs a value: '--from'"},
        {{"--from="}, "needs a value: '--from'"},
        {{"--from", ""}, "needs a value: '--from'"},
        {{"--from", "--to", "b"}, "needs a value: '--from'"},
        {{"--from", "a", "--from", "b"}, "given twice: '--from'"},
        {{"--from", "a", "--again=1"}, "takes no value: '--again'"},
        {{"--from", "a", "--fro", "b"}, "unknown option '--fro'"},
        {{"--from", "a", "-a"}, "unknown option '-a'"},
        {{"--from", "a", "b"}, "unexpected word 'b'"},
        {{"--from", "a", ""}, "unexpected word ''"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct parsed parsed;
        struct mf_error err;
        assert_int_equal(parse(rows[i].words, &parsed, &err), -1);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_string_equal(err.code, "bad_arguments");
        assert_string_equal(err.message, rows[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
