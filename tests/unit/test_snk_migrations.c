// SPDX-License-Identifier: Apache-2.0
// What is to be applied, and what is refused, from the book of applied migrations.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/sink/migrations.h"

#define PG "postgresql"

static size_t embedded(void)
{
    size_t count = 0;
    while (snk_statement_migration(PG, count) != NULL)
        count++;
    return count;
}

// A book with the first `count` migrations of this program.
static struct snk_applied_list book_of(size_t count)
{
    struct snk_applied_list list = {0};
    for (size_t i = 0; i < count; i++) {
        const struct mf_sql_text *text = snk_statement_migration(PG, i);
        char checksum[SNK_CHECKSUM_SIZE];
        char version[SNK_VERSION_SIZE];
        snk_migration_checksum(text, checksum);
        mf_str_copy(version, sizeof version, snk_statement_version(text));
        assert_true(snk_applied_add(&list, version, checksum));
    }
    return list;
}

static void test_each_stage_of_the_way(void **state)
{
    (void)state;
    for (size_t done = 0; done <= embedded(); done++) {
        struct snk_applied_list book = book_of(done);
        struct snk_plan plan;
        struct mf_error err;
        assert_int_equal(snk_plan_migrations(PG, &book, &plan, &err), 0);
        assert_int_equal(plan.known, done);
        assert_int_equal(plan.pending, embedded() - done);
        assert_int_equal(plan.newer, 0);
        assert_null(plan.newest);
        snk_applied_free(&book);
    }
}

static void test_edited_migration_is_named(void **state)
{
    (void)state;
    struct snk_applied_list book = book_of(embedded());
    struct snk_plan plan;
    struct mf_error err;
    book.items[1].checksum[0] ^= 1;
    assert_int_equal(snk_plan_migrations(PG, &book, &plan, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "migration_edited");
    assert_non_null(strstr(err.message, "sql/postgresql/"));
    assert_non_null(strstr(err.message, book.items[1].version));
    snk_applied_free(&book);
}

static void test_gap_is_named(void **state)
{
    (void)state;
    struct snk_applied_list book = book_of(embedded());
    struct snk_plan plan;
    struct mf_error err;
    memmove(&book.items[0], &book.items[1], (book.count - 1) * sizeof book.items[0]);
    book.count--;
    assert_int_equal(snk_plan_migrations(PG, &book, &plan, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "migration_gap");
    assert_non_null(strstr(err.message, book.items[0].version));
    snk_applied_free(&book);
}

static void test_newer_schema_is_told(void **state)
{
    (void)state;
    struct snk_applied_list book = book_of(embedded());
    struct snk_plan plan;
    struct mf_error err;
    assert_true(snk_applied_add(&book, "9002_later", "00"));
    assert_true(snk_applied_add(&book, "9001_next", "00"));
    assert_int_equal(snk_plan_migrations(PG, &book, &plan, &err), 0);
    assert_int_equal(plan.pending, 0);
    assert_int_equal(plan.newer, 2);
    assert_string_equal(plan.newest, "9002_later");
    snk_applied_free(&book);
}

static void test_checksum_is_that_of_the_bytes(void **state)
{
    (void)state;
    char checksum[SNK_CHECKSUM_SIZE];
    snk_migration_checksum(&(struct mf_sql_text){"x/0001_a.sql", "abc", 3}, checksum);
    assert_string_equal(checksum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_book_has_limits(void **state)
{
    (void)state;
    struct snk_applied_list book = {0};
    char longer[SNK_VERSION_SIZE + 1];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_false(snk_applied_add(&book, NULL, "00"));
    assert_false(snk_applied_add(&book, "0001_a", NULL));
    assert_false(snk_applied_add(&book, longer, "00"));
    assert_false(snk_applied_add(&book, "0001_a", longer));
    for (size_t i = 0; i < SNK_MIGRATIONS_MAX; i++)
        assert_true(snk_applied_add(&book, "0001_a", "00"));
    assert_false(snk_applied_add(&book, "0001_a", "00"));
    snk_applied_free(&book);
    assert_int_equal(book.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_stage_of_the_way),
        cmocka_unit_test(test_edited_migration_is_named),
        cmocka_unit_test(test_gap_is_named),
        cmocka_unit_test(test_newer_schema_is_told),
        cmocka_unit_test(test_checksum_is_that_of_the_bytes),
        cmocka_unit_test(test_book_has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
