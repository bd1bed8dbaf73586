// SPDX-License-Identifier: Apache-2.0
// The cell table: limits, lanes, and a rollback that puts back exactly what was.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/cell.h"

static struct prc_cell *touch(struct prc_cells *cells, int32_t partition, const char *lane,
                              const char *symbol)
{
    bool full = false;
    return prc_cells_touch(cells, partition, mf_str_of(lane), mf_str_of(symbol), true, &full);
}

static void test_limit_is_per_partition_and_lane(void **state)
{
    (void)state;
    struct prc_cells *cells = prc_cells_new(2);
    bool full = false;
    assert_non_null(touch(cells, 0, "live", "A"));
    assert_non_null(touch(cells, 0, "live", "B"));
    assert_null(prc_cells_touch(cells, 0, MF_STR("live"), MF_STR("C"), true, &full));
    assert_true(full);
    assert_non_null(touch(cells, 0, "live", "A")); // known ones go on
    assert_non_null(touch(cells, 1, "live", "C"));
    assert_non_null(touch(cells, 0, "backfill:x", "C"));
    assert_null(prc_cells_touch(cells, 0, MF_STR("live"), MF_STR("D"), false, &full));
    assert_false(full);
    prc_cells_commit(cells);
    assert_int_equal(prc_cells_end_lane(cells, 0, MF_STR("live")), 2);
    assert_non_null(touch(cells, 0, "live", "C")); // there is room again
    assert_int_equal(prc_cells_count(cells), 3);
    prc_cells_free(&cells);
    assert_null(cells);
}

static void test_recent_forgets_the_oldest(void **state)
{
    (void)state;
    struct prc_cells *cells = prc_cells_new(10);
    struct prc_cell *cell = touch(cells, 0, "live", "A");
    bool made = false;
    for (uint64_t i = 1; i <= PRC_RECENT + 1; i++) {
        prc_cell_recent(cell, i, &made);
        assert_true(made);
    }
    prc_cell_recent(cell, 2, &made);
    assert_false(made); // 256 are remembered
    prc_cell_recent(cell, 1, &made);
    assert_true(made); // the oldest is gone
    prc_cells_free(&cells);
}

static void test_series_limit(void **state)
{
    (void)state;
    struct prc_cells *cells = prc_cells_new(10);
    struct prc_cell *cell = touch(cells, 0, "live", "A");
    for (int i = 0; i < PRC_SERIES_PER_CELL_MAX; i++) {
        struct prc_series_key key = {.interval = MF_INTERVAL_1M};
        snprintf(key.source, sizeof(key.source), "source%d", i);
        assert_non_null(prc_cell_series(cell, &key, MF_ASSET_STOCK));
        assert_ptr_equal(prc_cell_series(cell, &key, MF_ASSET_STOCK),
                         prc_cell_series(cell, &key, MF_ASSET_STOCK));
    }
    struct prc_series_key one_more = {.source = "x", .interval = MF_INTERVAL_1M};
    assert_null(prc_cell_series(cell, &one_more, MF_ASSET_STOCK));
    prc_cells_free(&cells);
}

// A cell's only mutable content here is one remembered entry's revision: the model is an array of numbers.
enum { SYMBOLS = 12, LANES = 3 };
struct model {
    int value[LANES][SYMBOLS]; // -1 = no cell
};

static const char *const lanes[LANES] = {"live", "backfill:a", "backfill:b"};

static void act(struct prc_cells *cells, struct model *model, uint64_t *random)
{
    int lane = (int)(mf_random_next(random) % LANES), symbol = (int)(mf_random_next(random) % SYMBOLS);
    if (mf_random_next(random) % 16 == 0) {
        prc_cells_end_lane(cells, 3, mf_str_of(lanes[lane]));
        for (int s = 0; s < SYMBOLS; s++)
            model->value[lane][s] = -1;
        return;
    }
    char name[16];
    bool made = false;
    snprintf(name, sizeof(name), "S%d", symbol);
    struct prc_recent *entry = prc_cell_recent(touch(cells, 3, lanes[lane], name), 1, &made);
    entry->revision++;
    int *value = &model->value[lane][symbol];
    *value = *value < 0 ? 1 : *value + 1;
}

static void compare(struct prc_cells *cells, const struct model *model)
{
    size_t count = 0;
    for (int lane = 0; lane < LANES; lane++)
        for (int s = 0; s < SYMBOLS; s++) {
            char name[16];
            bool full = false, made = false;
            snprintf(name, sizeof(name), "S%d", s);
            struct prc_cell *cell =
                prc_cells_touch(cells, 3, mf_str_of(lanes[lane]), mf_str_of(name), false, &full);
            assert_int_equal(cell != NULL, model->value[lane][s] >= 0);
            if (cell == NULL)
                continue;
            count++;
            assert_int_equal(prc_cell_recent(cell, 1, &made)->revision, model->value[lane][s]);
        }
    assert_int_equal(prc_cells_count(cells), count);
}

static void test_rollback_is_exact(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct prc_cells *cells = prc_cells_new(100);
        uint64_t random = seed * 31337;
        struct model now, committed;
        memset(&now, 0xff, sizeof(now));
        committed = now;
        for (int transaction = 0; transaction < 20; transaction++) {
            for (uint64_t n = mf_random_next(&random) % 20; n > 0; n--)
                act(cells, &now, &random);
            if (mf_random_next(&random) % 2 == 0) {
                prc_cells_commit(cells);
                committed = now;
            } else {
                prc_cells_rollback(cells);
                now = committed;
            }
            compare(cells, &now);
        }
        prc_cells_free(&cells);
    }
}

static void test_many_cells(void **state)
{
    (void)state;
    struct prc_cells *cells = prc_cells_new(5000);
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "SYM%d", i);
        assert_non_null(touch(cells, i % 4, "live", name));
    }
    assert_int_equal(prc_cells_count(cells), 5000);
    prc_cells_rollback(cells);
    assert_int_equal(prc_cells_count(cells), 0);
    prc_cells_free(&cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_is_per_partition_and_lane),
        cmocka_unit_test(test_recent_forgets_the_oldest),
        cmocka_unit_test(test_series_limit),
        cmocka_unit_test(test_rollback_is_exact),
        cmocka_unit_test(test_many_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
