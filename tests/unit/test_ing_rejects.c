// SPDX-License-Identifier: Apache-2.0
// What a live series has reported as dead letters: once per range that holds it, whatever becomes of a page.
#include "services/ingestor/rejects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// How many of the rows first..first + count - 1 are to be reported. Their hashes share their low bits, so
// that places collide.
static unsigned poll(struct ing_rejects *rejects, uint64_t first, uint64_t count)
{
    unsigned reported = 0;
    for (uint64_t i = first; i < first + count; i++)
        reported += ing_rejects_note(rejects, i << 4);
    return reported;
}

static unsigned poll_whole(struct ing_rejects *rejects, uint64_t first, uint64_t count)
{
    unsigned reported = poll(rejects, first, count);
    ing_rejects_commit(rejects);
    ing_rejects_range_read(rejects);
    return reported;
}

static void test_a_range_reports_once(void **state)
{
    (void)state;
    struct ing_rejects rejects = {0};
    assert_int_equal(poll_whole(&rejects, 0, 1500), 1500); // a day of minutes, and more
    for (int again = 0; again < 3; again++)
        assert_int_equal(poll_whole(&rejects, 0, 1500), 0);
    assert_int_equal(poll_whole(&rejects, 20, 1500), 20); // the range moves on
    assert_int_equal(rejects.count, 1500);                // and what it left is forgotten
    assert_int_equal(poll_whole(&rejects, 0, 21), 20);
    assert_int_equal(poll_whole(&rejects, 0, 0), 0);
    assert_int_equal(rejects.count, 0);
    assert_null(rejects.table); // no memory for a series without bad rows
    ing_rejects_free(&rejects);
}

static void test_pages(void **state)
{
    (void)state;
    struct ing_rejects rejects = {0};
    assert_int_equal(poll(&rejects, 0, 100), 100);
    assert_int_equal(poll(&rejects, 0, 100), 0); // twice in one page
    ing_rejects_commit(&rejects);
    assert_int_equal(poll(&rejects, 50, 100), 50);
    ing_rejects_rollback(&rejects); // only what the failed page brought is reported again
    assert_int_equal(rejects.count, 100);
    assert_int_equal(poll(&rejects, 50, 100), 50);
    ing_rejects_commit(&rejects);
    ing_rejects_rollback(&rejects); // nothing is under way
    // The range ended early: what its next attempt finds is known
    assert_int_equal(poll(&rejects, 0, 150), 0);
    ing_rejects_range_read(&rejects);
    assert_int_equal(poll_whole(&rejects, 0, 150), 0);
    ing_rejects_free(&rejects);
}

static void test_limit(void **state)
{
    (void)state;
    struct ing_rejects rejects = {0};
    assert_int_equal(poll_whole(&rejects, 0, ING_REJECTS_MAX), ING_REJECTS_MAX);
    assert_int_equal(poll(&rejects, 0, ING_REJECTS_MAX + 10), 10);
    assert_int_equal(poll(&rejects, ING_REJECTS_MAX, 10), 10); // without room: rather twice than never
    ing_rejects_commit(&rejects);
    assert_int_equal(rejects.count, ING_REJECTS_MAX);
    ing_rejects_range_read(&rejects);
    assert_int_equal(poll(&rejects, 0, 10), 0);
    ing_rejects_free(&rejects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_range_reports_once),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
