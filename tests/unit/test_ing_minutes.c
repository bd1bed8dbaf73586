// SPDX-License-Identifier: Apache-2.0
// What is remembered of minutes, and things by name: values, limits, and what thousands of symbols cost.
#include "services/ingestor/minutes.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/ingestor/live_private.h"
#include "services/ingestor/name_index.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

static const int64_t minute = MF_US_PER_MINUTE, hour = MF_US_PER_HOUR;

static void test_values(void **state)
{
    (void)state;
    struct ing_minutes minutes = {0};
    int64_t nine = ing_time("2024-01-02T09:00:00Z");
    assert_int_equal(ing_minutes_get(&minutes, nine), 0);
    ing_minutes_put(&minutes, nine + 59 * minute, 7);
    ing_minutes_put(&minutes, nine + 60 * minute, 8);
    ing_minutes_put(&minutes, nine - minute, 6); // an older hour joins in its place
    ing_minutes_put(&minutes, nine, 0);          // there is something
    assert_int_equal(ing_minutes_get(&minutes, nine + 59 * minute), 7);
    assert_int_equal(ing_minutes_get(&minutes, nine + 60 * minute), 8);
    assert_int_equal(ing_minutes_get(&minutes, nine - minute), 6);
    assert_int_equal(ing_minutes_get(&minutes, nine), 1);
    assert_int_equal(ing_minutes_get(&minutes, nine + minute), 0);
    assert_int_equal(minutes.count, 3);
    assert_true(ing_minutes_of_hour(&minutes, nine) == ((uint64_t)1 | (uint64_t)1 << 59));
    assert_true(ing_minutes_of_hour(&minutes, nine + 2 * hour) == 0);
    assert_true(ing_minutes_any(&minutes, nine + 59 * minute, nine + 60 * minute));
    assert_false(ing_minutes_any(&minutes, nine + minute, nine + 59 * minute));
    ing_minutes_forget(&minutes, nine + 30 * minute); // whole hours only
    assert_int_equal(minutes.count, 2);
    assert_int_equal(ing_minutes_get(&minutes, nine - minute), 0);
    assert_int_equal(ing_minutes_get(&minutes, nine), 1);
    ing_minutes_put(&minutes, -minute, 5); // before 1970, the same
    assert_int_equal(ing_minutes_get(&minutes, -minute), 5);
    ing_minutes_free(&minutes);
}

static void test_limit(void **state)
{
    (void)state;
    struct ing_minutes minutes = {0};
    int64_t first = ing_time("2024-01-02T00:00:00Z");
    for (int i = 0; i < ING_MINUTES_HOURS_MAX + 2; i++)
        ing_minutes_put(&minutes, first + i * hour, 3);
    assert_int_equal(minutes.count, ING_MINUTES_HOURS_MAX);
    assert_int_equal(ing_minutes_get(&minutes, first + hour), 0);
    assert_int_equal(ing_minutes_get(&minutes, first + 2 * hour), 3);
    ing_minutes_put(&minutes, first, 3); // older than all that is remembered
    assert_int_equal(ing_minutes_get(&minutes, first), 0);
    assert_int_equal(minutes.count, ING_MINUTES_HOURS_MAX);
    ing_minutes_free(&minutes);
}

static void test_nothing_before_the_acknowledgement(void **state)
{
    (void)state;
    struct ing_minutes minutes = {0};
    struct ing_minutes_staged staged = {0};
    for (int i = 0; i < 100; i++)
        ing_minutes_stage(&staged, i * minute, 9);
    assert_int_equal(ing_minutes_get(&minutes, 0), 0);
    ing_minutes_rollback(&staged);
    ing_minutes_stage(&staged, 5 * minute, 4);
    ing_minutes_commit(&minutes, &staged);
    assert_int_equal(staged.count, 0);
    assert_int_equal(ing_minutes_get(&minutes, 5 * minute), 4);
    assert_int_equal(ing_minutes_get(&minutes, 6 * minute), 0);
    ing_minutes_rollback(&staged);
    ing_minutes_free(&minutes);
}

static void test_names(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct ing_name_index index = {0};
    static char names[COUNT][16];
    assert_null(ing_name_index_get(&index, MF_STR("A")));
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "SYM%d", i);
        ing_name_index_put(&index, names[i], names[i]);
    }
    assert_int_equal(index.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(ing_name_index_get(&index, mf_str_of(names[i])), names[i]);
    assert_null(ing_name_index_get(&index, MF_STR("SYM3000")));
    assert_null(ing_name_index_get(&index, MF_STR("SYM")));
    ing_name_index_put(&index, names[7], names[8]);
    assert_ptr_equal(ing_name_index_get(&index, mf_str_of(names[7])), names[8]);
    assert_int_equal(index.count, COUNT);
    ing_name_index_free(&index);
}

// What 5 000 stocks with three feeds and a whole day of minutes keep: with what the process needs anyway, it
// has to stay below 64 MiB.
static void test_memory_of_many(void **state)
{
    (void)state;
    enum { SYMBOLS = 5000, HOURS = 16 };
    size_t before = mallinfo2().uordblks;
    struct ing_minutes *all = mf_calloc(SYMBOLS, sizeof *all);
    void **series = mf_calloc(SYMBOLS * LIVE_FEED_MAX, sizeof *series);
    for (int i = 0; i < SYMBOLS; i++) {
        for (int m = 0; m < HOURS * 60; m++)
            ing_minutes_put(&all[i], m * minute, (uint64_t)m + 1);
        for (int feed = 0; feed < LIVE_FEED_MAX; feed++)
            series[i * LIVE_FEED_MAX + feed] = mf_calloc(1, sizeof(struct live_series));
    }
    size_t used = mallinfo2().uordblks - before;
    print_message("5000 symbols: %zu bytes of a series, %.1f MiB with a day of minutes\n",
                  sizeof(struct live_series), (double)used / (1024 * 1024));
    assert_true(used < (size_t)51 * 1024 * 1024); // a sanitizer's allocator says 0
    for (int i = 0; i < SYMBOLS; i++)
        ing_minutes_free(&all[i]);
    for (int i = 0; i < SYMBOLS * LIVE_FEED_MAX; i++)
        free(series[i]);
    free(series);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_nothing_before_the_acknowledgement),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_memory_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
