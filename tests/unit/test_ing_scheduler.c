// SPDX-License-Identifier: Apache-2.0
// The scheduler: due times in order, ties first come first served, entries moved and removed anywhere.
#include "services/ingestor/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backoff.h"

#include <cmocka.h>

static void test_order(void **state)
{
    (void)state;
    struct ing_scheduler s;
    struct ing_due due[4] = {{.owner = &due[0]}, {.owner = &due[1]}, {.owner = &due[2]}, {.owner = &due[3]}};
    ing_scheduler_init(&s);
    assert_null(ing_scheduler_first(&s));
    assert_null(ing_scheduler_take(&s, INT64_MAX));
    ing_scheduler_put(&s, &due[0], 30);
    ing_scheduler_put(&s, &due[1], 10);
    ing_scheduler_put(&s, &due[2], 10);
    ing_scheduler_put(&s, &due[3], 20);
    assert_null(ing_scheduler_take(&s, 9));
    assert_ptr_equal(ing_scheduler_take(&s, 10), &due[1]);
    assert_ptr_equal(ing_scheduler_take(&s, 10), &due[2]); // the same time: first come, first served
    assert_null(ing_scheduler_take(&s, 10));
    ing_scheduler_put(&s, &due[0], 5); // moved ahead
    assert_ptr_equal(ing_scheduler_first(&s), &due[0]);
    ing_scheduler_remove(&s, &due[0]);
    ing_scheduler_remove(&s, &due[0]); // is not in
    assert_ptr_equal(ing_scheduler_take(&s, 100), &due[3]);
    assert_int_equal(s.count, 0);
    ing_scheduler_free(&s);
}

enum { MANY = 500 };

// Against a plain search over all entries, with entries put, moved and removed at random.
static void test_many(void **state)
{
    (void)state;
    static struct ing_due due[MANY];
    struct ing_scheduler s;
    uint64_t random = 1;
    ing_scheduler_init(&s);
    for (int round = 0; round < 20000; round++) {
        struct ing_due *entry = &due[mf_random_next(&random) % MANY];
        if (mf_random_next(&random) % 3 > 0)
            ing_scheduler_put(&s, entry, (int64_t)(mf_random_next(&random) % 1000));
        else
            ing_scheduler_remove(&s, entry);
        if (mf_random_next(&random) % 16 > 0)
            continue;
        struct ing_due *wanted = NULL;
        for (int i = 0; i < MANY; i++) {
            if (due[i].place != 0 && (wanted == NULL || due[i].due_us < wanted->due_us ||
                                      (due[i].due_us == wanted->due_us && due[i].order < wanted->order)))
                wanted = &due[i];
        }
        int64_t until_us = (int64_t)(mf_random_next(&random) % 1000);
        unsigned due_count = 0;
        for (int i = 0; i < MANY; i++)
            due_count += due[i].place != 0 && due[i].due_us <= until_us;
        assert_int_equal(ing_scheduler_count(&s, until_us, MANY, NULL, NULL), due_count);
        assert_int_equal(ing_scheduler_count(&s, until_us, 3, NULL, NULL), due_count < 3 ? due_count : 3);
        assert_ptr_equal(ing_scheduler_take(&s, INT64_MAX), wanted);
    }
    ing_scheduler_free(&s);
}

// What waits behind polls that are always due has its turn all the same.
static void test_lower_priorities_do_not_starve(void **state)
{
    (void)state;
    enum { PRIORITIES = 3 };
    const int64_t now = 1000 * MF_US_PER_SECOND;
    const int64_t minute = 60 * MF_US_PER_SECOND;
    struct ing_scheduler schedulers[PRIORITIES];
    struct ing_due poll = {0};
    struct ing_due second = {0};
    struct ing_due third = {0};
    for (size_t i = 0; i < PRIORITIES; i++)
        ing_scheduler_init(&schedulers[i]);
    ing_scheduler_put(&schedulers[0], &poll, 0);
    assert_null(ing_scheduler_starved(schedulers, PRIORITIES, 100, now)); // nothing waits behind it
    ing_scheduler_put(&schedulers[1], &second, now - minute + 1);
    assert_null(ing_scheduler_starved(schedulers, PRIORITIES, 9, now)); // not for a minute
    assert_ptr_equal(ing_scheduler_starved(schedulers, PRIORITIES, 9, now + 1), &second);
    assert_null(ing_scheduler_starved(schedulers, PRIORITIES, 8, now + 1)); // the ninth turn is the polls'
    ing_scheduler_put(&schedulers[2], &third, now - 2 * minute);
    assert_ptr_equal(ing_scheduler_starved(schedulers, PRIORITIES, 9, now + 1), &third); // the oldest
    for (size_t i = 0; i < PRIORITIES; i++)
        ing_scheduler_free(&schedulers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lower_priorities_do_not_starve),
                                       cmocka_unit_test(test_order), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
