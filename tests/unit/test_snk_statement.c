// SPDX-License-Identifier: Apache-2.0
// Assembling the flush statement, and the texts that are embedded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/sink/statement.h"
#include "services/sink/table.h"

static void assemble(const char *text, unsigned set, const char *want)
{
    struct mf_buf out;
    struct mf_error err;
    mf_buf_init(&out, SNK_STATEMENT_SIZE_MAX);
    if (snk_statement_assemble(mf_str_of(text), set, &out, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(mf_buf_c_str(&out), want);
    mf_buf_free(&out);
}

static void test_parts_are_repeated_per_table(void **state)
{
    (void)state;
    static const char text[] =
        "WITH a AS (x)\n-- why?\n\n-- @each-table\n, insert_each_table AS (raw.each_table)\n"
        "-- @end\nSELECT 1\n-- @each-table\nUNION 'each_table'\n-- @end\n";
    assemble(text, 0, "WITH a AS (x)\nSELECT 1\n");
    assemble(text, 1u << SNK_TABLE_NEWS,
             "WITH a AS (x)\n, insert_raw_news AS (raw.raw_news)\nSELECT 1\nUNION 'raw_news'\n");
    assemble(text, (1u << SNK_TABLE_BARS) | (1u << SNK_TABLE_DEAD_LETTERS),
             "WITH a AS (x)\n, insert_raw_bars AS (raw.raw_bars)\n"
             ", insert_raw_dead_letters AS (raw.raw_dead_letters)\nSELECT 1\n"
             "UNION 'raw_bars'\nUNION 'raw_dead_letters'\n");
}

static void test_marked_lines_are_left_out(void **state)
{
    (void)state;
    struct mf_buf text;
    mf_buf_init(&text, SNK_STATEMENT_SIZE_MAX);
    mf_buf_add_c(&text, "a -- @repeats\nb -- @other\n-- @repeats\nc -- @repeats \nd -- @repeats\n");
    snk_statement_drop_lines(&text, "repeats");
    assert_string_equal(mf_buf_c_str(&text), "b -- @other\nc -- @repeats \n");
    snk_statement_drop_lines(&text, "none");
    assert_string_equal(mf_buf_c_str(&text), "b -- @other\nc -- @repeats \n");
    mf_buf_free(&text);
}

// The flush has the line that may be left out, once per table.
static void test_the_flush_can_look_for_repeats(void **state)
{
    (void)state;
    const struct mf_sql_text *found = snk_statement_find("postgresql", "flush");
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, SNK_STATEMENT_SIZE_MAX);
    assert_int_equal(snk_statement_assemble((struct mf_str){found->text, found->length}, 3, &text, &err), 0);
    const char *first = strstr(mf_buf_c_str(&text), "ON CONFLICT");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "ON CONFLICT"));
    snk_statement_drop_lines(&text, "repeats");
    assert_null(strstr(mf_buf_c_str(&text), "ON CONFLICT"));
    mf_buf_free(&text);
}

static void test_text_without_a_last_newline(void **state)
{
    (void)state;
    assemble("a\nb", 0, "a\nb\n");
    assemble("", 0, "");
    assemble("-- only a comment", 0, "");
}

static void test_scripts_are_taken_apart(void **state)
{
    (void)state;
    struct mf_buf out;
    mf_buf_init(&out, SNK_STATEMENT_SIZE_MAX);
    struct mf_str script = MF_STR("-- why?;\nCREATE a (\n    b, -- or;c\n    d\n);\n\n;\nLAST");
    assert_true(snk_statement_next(&script, &out));
    assert_string_equal(mf_buf_c_str(&out), "CREATE a (\n    b, -- or;c\n    d\n)\n");
    assert_true(snk_statement_next(&script, &out));
    assert_string_equal(mf_buf_c_str(&out), "LAST\n");
    assert_false(snk_statement_next(&script, &out));
    mf_buf_free(&out);
}

// Each piece of every script of the dialect without scripts begins like a statement, and none is left over.
static void test_every_script_of_snowflake_is_statements(void **state)
{
    (void)state;
    static const char *const verbs[] = {"CREATE ", "COMMENT ", "GRANT ", "INSERT ", "ALTER "};
    static const char *const others[] = {"migrations_prepare", "grants"};
    struct mf_buf out;
    size_t scripts = 0;
    size_t statements = 0;
    mf_buf_init(&out, SNK_STATEMENT_SIZE_MAX);
    for (;; scripts++) {
        const struct mf_sql_text *text =
            scripts < MF_ARRAY_LEN(others)
                ? snk_statement_find("snowflake", others[scripts])
                : snk_statement_migration("snowflake", scripts - MF_ARRAY_LEN(others));
        if (text == NULL)
            break;
        struct mf_str script = {text->text, text->length};
        while (snk_statement_next(&script, &out)) {
            bool known = false;
            for (size_t i = 0; i < MF_ARRAY_LEN(verbs); i++)
                known |= mf_str_starts_with(mf_buf_str(&out), verbs[i]);
            if (!known)
                fail_msg("%s: %s", text->name, mf_buf_c_str(&out));
            statements++;
        }
        assert_int_equal(script.len, 0);
    }
    assert_true(scripts >= MF_ARRAY_LEN(others) + 2);
    assert_true(statements > 30);
    mf_buf_free(&out);
}

// A run that outlived its lease in one long statement may still be at it when its successor comes to the same
// one: every statement of a migration must change nothing the second time, and beside itself.
static void test_migrations_of_snowflake_can_be_repeated(void **state)
{
    (void)state;
    static const char *const harmless[] = {"CREATE SCHEMA IF NOT EXISTS ", "CREATE TABLE IF NOT EXISTS ",
                                           "CREATE OR REPLACE VIEW ", "COMMENT "};
    struct mf_buf out;
    const struct mf_sql_text *text;
    mf_buf_init(&out, SNK_STATEMENT_SIZE_MAX);
    for (size_t i = 0; (text = snk_statement_migration("snowflake", i)) != NULL; i++) {
        struct mf_str script = {text->text, text->length};
        while (snk_statement_next(&script, &out)) {
            bool can = mf_str_starts_with(mf_buf_str(&out), "ALTER TABLE ") &&
                       strstr(mf_buf_c_str(&out), " ADD COLUMN IF NOT EXISTS ") != NULL;
            for (size_t k = 0; k < MF_ARRAY_LEN(harmless); k++)
                can |= mf_str_starts_with(mf_buf_str(&out), harmless[k]);
            if (!can)
                fail_msg("%s cannot be run again beside itself: %s", text->name, mf_buf_c_str(&out));
        }
    }
    mf_buf_free(&out);
}

// What the C code asks for by name is there in both dialects.
static void test_every_text_is_there(void **state)
{
    (void)state;
    static const char *const shared[] = {"assign",          "read_offsets",       "migrations_exist",
                                         "migrations_list", "migrations_prepare", "migrations_record",
                                         "lease_take",      "lease_read",         "lease_release",
                                         "grants"};
    static const char *const snowflake[] = {"session",   "assign_create", "assign_take",
                                            "read_lock", "insert",        "fence"};
    for (size_t i = 0; i < MF_ARRAY_LEN(shared); i++) {
        assert_non_null(snk_statement_find("postgresql", shared[i]));
        assert_non_null(snk_statement_find("snowflake", shared[i]));
    }
    assert_non_null(snk_statement_find("postgresql", "flush"));
    assert_null(snk_statement_find("postgresql", "no_such"));
    assert_null(snk_statement_find("sybase", "flush"));
    for (size_t i = 0; i < MF_ARRAY_LEN(snowflake); i++)
        assert_non_null(snk_statement_find("snowflake", snowflake[i]));
    // Both dialects have the same migrations, by their names.
    for (size_t i = 0; snk_statement_migration("postgresql", i) != NULL; i++) {
        const struct mf_sql_text *other = snk_statement_migration("snowflake", i);
        assert_non_null(other);
        struct mf_str want = snk_statement_version(snk_statement_migration("postgresql", i));
        assert_true(mf_str_eq(want, snk_statement_version(other)));
    }
}

static void refused(const char *text, size_t max)
{
    struct mf_buf out;
    struct mf_error err;
    mf_buf_init(&out, max);
    assert_int_equal(snk_statement_assemble(mf_str_of(text), 1, &out, &err), -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    assert_string_equal(err.code, "sql_template");
    mf_buf_free(&out);
}

static void test_bad_templates_are_refused(void **state)
{
    (void)state;
    refused("-- @each-table\nx\n", 1000);
    refused("-- @end\n", 1000);
    refused("-- @each-table\n-- @each-table\nx\n-- @end\n-- @end\n", 1000);
    refused("longer than the limit\n", 10);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void test_real_flush_statement(void **state)
{
    (void)state;
    const struct mf_sql_text *flush = snk_statement_find("postgresql", "flush");
    assert_non_null(flush);
    struct mf_buf out;
    struct mf_error err;
    mf_buf_init(&out, SNK_STATEMENT_SIZE_MAX);
    unsigned all = (1u << SNK_TABLE_MAX) - 1;
    for (unsigned set = 0; set <= all; set++) {
        mf_buf_clear(&out);
        assert_int_equal(snk_statement_assemble((struct mf_str){flush->text, flush->length}, set, &out, &err),
                         0);
        const char *sql = mf_buf_c_str(&out);
        assert_int_equal(occurrences(sql, "?"), 5); // the parameters, and nothing that looks like one
        assert_int_equal(occurrences(sql, "each_table"), 0);
        for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
            char insert[64];
            snprintf(insert, sizeof insert, "INSERT INTO raw.%s (", snk_tables[table].name);
            assert_int_equal(occurrences(sql, insert), (set >> table) & 1);
        }
    }
    mf_buf_free(&out);
}

static void test_migrations_in_order(void **state)
{
    (void)state;
    struct mf_str before = MF_STR("");
    size_t count = 0;
    const struct mf_sql_text *text;
    while ((text = snk_statement_migration("postgresql", count)) != NULL) {
        struct mf_str version = snk_statement_version(text);
        int64_t number = 0;
        // Numbered without gaps from 0001.
        assert_true(mf_str_to_i64((struct mf_str){version.data, 4}, &number));
        assert_int_equal(number, count + 1);
        assert_true(mf_str_cmp(before, version) < 0);
        before = version;
        count++;
    }
    assert_true(count >= 2);
    assert_true(mf_str_eq_c(snk_statement_version(snk_statement_migration("postgresql", 0)), "0001_ops"));
    assert_null(snk_statement_migration("sybase", 0));
}

static void test_tables_by_name(void **state)
{
    (void)state;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        assert_int_equal(snk_table_of_name(snk_tables[table].name), table);
        for (enum snk_table other = 0; other < table; other++)
            assert_int_not_equal(snk_tables[table].topic, snk_tables[other].topic);
    }
    assert_int_equal(snk_table_of_name("raw_nothing"), SNK_TABLE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_repeated_per_table),
        cmocka_unit_test(test_marked_lines_are_left_out),
        cmocka_unit_test(test_the_flush_can_look_for_repeats),
        cmocka_unit_test(test_text_without_a_last_newline),
        cmocka_unit_test(test_scripts_are_taken_apart),
        cmocka_unit_test(test_every_script_of_snowflake_is_statements),
        cmocka_unit_test(test_migrations_of_snowflake_can_be_repeated),
        cmocka_unit_test(test_every_text_is_there),
        cmocka_unit_test(test_bad_templates_are_refused),
        cmocka_unit_test(test_real_flush_statement),
        cmocka_unit_test(test_migrations_in_order),
        cmocka_unit_test(test_tables_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
