// SPDX-License-Identifier: Apache-2.0
//
// The embedded SQL is the SQL of the tree: every row equals its file byte for byte, rows are sorted, and
// every file of both dialects has its row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/sql_text.h"

static void test_rows_are_the_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < mf_sql_table_count; i++) {
        const struct mf_sql_text *row = &mf_sql_table[i];
        char path[512];
        assert_in_range(snprintf(path, sizeof path, "%s/sql/%s", MF_SOURCE_DIR, row->name), 1,
                        sizeof path - 1);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        for (size_t n = 0; n < row->length; n++)
            assert_int_equal(fgetc(file), (unsigned char)row->text[n]);
        assert_int_equal(fgetc(file), EOF);
        assert_int_equal(row->text[row->length], '\0');
        fclose(file);
    }
}

static void test_rows_are_sorted_and_complete(void **state)
{
    (void)state;
    for (size_t i = 1; i < mf_sql_table_count; i++)
        assert_true(strcmp(mf_sql_table[i - 1].name, mf_sql_table[i].name) < 0);

    size_t files = 0;
    for (size_t i = 0; i < 2; i++) {
        static const char *const patterns[] = {MF_SOURCE_DIR "/sql/postgresql/*.sql",
                                               MF_SOURCE_DIR "/sql/snowflake/*.sql"};
        glob_t found = {0};
        if (glob(patterns[i], 0, NULL, &found) == 0)
            files += found.gl_pathc;
        globfree(&found);
    }
    assert_int_not_equal(files, 0);
    assert_int_equal(files, mf_sql_table_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_the_files),
        cmocka_unit_test(test_rows_are_sorted_and_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
