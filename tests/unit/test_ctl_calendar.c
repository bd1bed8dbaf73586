// SPDX-License-Identifier: Apache-2.0
// marketflowctl calendar: the CSV.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/ctl/ctl.h"

static struct mf_calendar *calendar;

static int setup(void **state)
{
    (void)state;
    struct mf_error err;
    return mf_calendar_new(&calendar, &err);
}

static int teardown(void **state)
{
    (void)state;
    mf_calendar_free(&calendar);
    return 0;
}

static void expect_csv(struct mf_date from, struct mf_date to, const char *wanted)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(ctl_calendar_print(calendar, from, to, out), 0);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_sessions_between_two_dates(void **state)
{
    (void)state;
    expect_csv((struct mf_date){2024, 11, 27}, (struct mf_date){2024, 12, 2},
               "session,open,close,early\n"
               "2024-11-27,2024-11-27T14:30:00.000Z,2024-11-27T21:00:00.000Z,false\n"
               "2024-11-29,2024-11-29T14:30:00.000Z,2024-11-29T18:00:00.000Z,true\n"
               "2024-12-02,2024-12-02T14:30:00.000Z,2024-12-02T21:00:00.000Z,false\n");
    expect_csv((struct mf_date){2024, 1, 6}, (struct mf_date){2024, 1, 7}, "session,open,close,early\n");
    expect_csv((struct mf_date){2100, 12, 31}, (struct mf_date){2100, 12, 31},
               "session,open,close,early\n"
               "2100-12-31,2100-12-31T14:30:00.000Z,2100-12-31T21:00:00.000Z,false\n");
}

static void test_a_result_that_cannot_be_written(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(
        ctl_calendar_print(calendar, (struct mf_date){1990, 1, 1}, (struct mf_date){2100, 12, 31}, full), 75);
    fclose(full);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {NULL},
        {"2024-01-02", NULL},
        {"2024-01-02", "2024-01-03", "2024-01-04", NULL},
        {"2024-01-02", "2024-02-30", NULL},
        {"2024-01-02", "yesterday", NULL},
        {"2024-01-03", "2024-01-02", NULL},
        {"1989-12-31", "2024-01-02", NULL},
        {"2024-01-02", "2101-01-01", NULL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char words[3][16], *argv[3] = {words[0], words[1], words[2]};
        int argc = 0;
        for (; rows[i][argc] != NULL; argc++)
            snprintf(words[argc], sizeof words[argc], "%s", rows[i][argc]);
        assert_int_equal(ctl_run_calendar(NULL, argc, argv), 78);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_between_two_dates),
        cmocka_unit_test(test_a_result_that_cannot_be_written),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
