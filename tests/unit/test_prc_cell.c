// SPDX-License-Identifier: Apache-2.0
// The cells of an input partition: limits, lanes and their clocks, the dirty list, what removing one leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/cell.h"

static struct prc_cell *touch(struct prc_partition *partition, const char *lane, const char *symbol)
{
    bool full = false;
    return prc_partition_cell(partition, mf_str_of(lane), mf_str_of(symbol), true, &full);
}

static void test_limit_is_per_lane(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 2);
    bool full = false;
    struct prc_cell *a = touch(partition, "live", "A");
    assert_non_null(a);
    assert_non_null(touch(partition, "live", "B"));
    assert_null(prc_partition_cell(partition, MF_STR("live"), MF_STR("C"), true, &full));
    assert_true(full);
    assert_ptr_equal(touch(partition, "live", "A"), a); // known ones go on
    assert_non_null(touch(partition, "backfill:x", "C"));
    assert_null(prc_partition_cell(partition, MF_STR("live"), MF_STR("D"), false, &full));
    assert_false(full);
    assert_null(prc_partition_cell(partition, MF_STR("backfill:y"), MF_STR("D"), false, &full));
    assert_false(full);
    assert_null(prc_partition_lane(partition, MF_STR("backfill:y"), false)); // a question makes nothing
    prc_partition_remove(partition, &a);
    assert_null(a);
    assert_non_null(touch(partition, "live", "C")); // there is room again
    assert_int_equal(partition->count, 3);
    prc_partition_free(&partition);
    assert_null(partition);
}

static void test_lanes_are_limited(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW_BACKFILL, 0, 10);
    char lane[32];
    for (int i = 0; i < PRC_LANES_MAX; i++) {
        snprintf(lane, sizeof(lane), "backfill:%d", i);
        assert_non_null(touch(partition, lane, "A"));
    }
    bool full = false;
    assert_null(prc_partition_cell(partition, MF_STR("backfill:x"), MF_STR("A"), true, &full));
    assert_true(full);
    struct prc_cell *cell = touch(partition, "backfill:7", "A");
    prc_partition_drop_lane(partition, MF_STR("backfill:7")); // its cell is still there: so is the lane
    assert_ptr_equal(touch(partition, "backfill:7", "A"), cell);
    prc_partition_remove(partition, &cell);
    prc_partition_drop_lane(partition, MF_STR("backfill:7"));
    assert_non_null(touch(partition, "backfill:x", "A"));
    prc_partition_free(&partition);
}

static void test_clocks_never_go_back(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 10);
    struct prc_lane *lane = prc_partition_lane(partition, MF_STR("live"), true);
    assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M), INT64_MIN);
    assert_true(prc_lane_move(lane, MF_STR("polygon.bars.1m"), 100));
    assert_true(prc_lane_move(lane, MF_STR("polygon.bars.1mo"), 300));
    assert_true(prc_lane_move(lane, MF_STR("polygon.bars.1m"), 50));
    assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M), 100);
    assert_true(prc_lane_move(lane, MF_STR("polygon.bars.1m"), 200));
    assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M), 200);
    assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_5M), INT64_MIN);
    assert_int_equal(prc_lane_complete_to(lane, "poly", MF_INTERVAL_1M), INT64_MIN);
    char feed[32];
    for (int i = 2; i < PRC_FEEDS_PER_LANE_MAX; i++) {
        snprintf(feed, sizeof(feed), "yahoo.x%d", i);
        assert_true(prc_lane_move(lane, mf_str_of(feed), 1));
    }
    assert_false(prc_lane_move(lane, MF_STR("yahoo.one_more"), 1));
    assert_true(prc_lane_move(lane, MF_STR("polygon.bars.1m"), 201)); // known ones go on
    prc_partition_drop_lane(partition, MF_STR("live"));
    assert_null(prc_partition_lane(partition, MF_STR("live"), false));
    prc_partition_free(&partition);
}

static void test_recent_forgets_the_oldest(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 10);
    struct prc_cell *cell = touch(partition, "live", "A");
    bool made = false;
    for (uint64_t i = 1; i <= PRC_RECENT + 1; i++) {
        prc_cell_recent(cell, i, &made)->alerts =
            mf_calloc(PRC_NEWS_RULE_MAX, sizeof(struct prc_recent_alert));
        assert_true(made);
    }
    assert_non_null(prc_cell_recent(cell, 2, &made)->alerts);
    assert_false(made); // 256 are remembered
    assert_null(prc_cell_recent(cell, 1, &made)->alerts);
    assert_true(made); // the oldest is gone, and what it had said
    prc_partition_free(&partition);
}

// A market's tens of thousands of symbols, each known by one event.
static void test_a_symbol_known_by_one_event_is_small(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 1000);
    size_t before = prc_partition_bytes(partition);
    for (int i = 0; i < 1000; i++) {
        char symbol[16];
        bool made = false;
        snprintf(symbol, sizeof(symbol), "S%d", i);
        prc_cell_recent(touch(partition, "live", symbol), 1, &made);
        assert_true(made);
    }
    size_t each = (prc_partition_bytes(partition) - before) / 1000;
    assert_true(each < 3 * sizeof(struct prc_cell)); // and not a ring of PRC_RECENT
    assert_true(each < PRC_RECENT * sizeof(struct prc_recent) / 4);
    prc_partition_free(&partition);
}

static void test_groups_are_limited(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 10);
    struct prc_cell *cell = touch(partition, "live", "A");
    assert_null(prc_cell_group(cell, MF_STR("polygon"), MF_ADJUSTED_SPLIT, false));
    for (int i = 0; i < PRC_GROUPS_PER_CELL_MAX; i++) {
        char provider[16];
        snprintf(provider, sizeof(provider), "source%d", i);
        struct prc_group *group = prc_cell_group(cell, mf_str_of(provider), MF_ADJUSTED_SPLIT, true);
        assert_non_null(group);
        assert_ptr_equal(prc_cell_group(cell, mf_str_of(provider), MF_ADJUSTED_SPLIT, true), group);
    }
    assert_null(prc_cell_group(cell, MF_STR("source1"), MF_ADJUSTED_NONE, true));
    assert_non_null(prc_cell_group(cell, MF_STR("source1"), MF_ADJUSTED_SPLIT, true));
    assert_null(prc_cell_group(cell, MF_STR("source"), MF_ADJUSTED_SPLIT, false)); // no prefix will do
    prc_partition_free(&partition);
}

static void test_the_dirty_list_keeps_the_order(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 10);
    struct prc_cell *a = touch(partition, "live", "A"), *b = touch(partition, "live", "B"),
                    *c = touch(partition, "live", "C");
    assert_int_equal(a->dirty_at, -1);
    prc_cell_dirty(partition, b, 5);
    prc_cell_dirty(partition, a, 6);
    prc_cell_dirty(partition, c, 7);
    prc_cell_dirty(partition, b, 8); // its first change counts
    assert_int_equal(b->dirty_at, 5);
    assert_int_equal(partition->dirty_count, 3);
    assert_ptr_equal(partition->dirty_oldest, b);
    assert_ptr_equal(b->newer, a);
    assert_ptr_equal(partition->dirty_newest, c);
    prc_cell_clean(partition, a); // from the middle
    prc_cell_clean(partition, a);
    assert_ptr_equal(b->newer, c);
    assert_ptr_equal(c->older, b);
    prc_partition_remove(partition, &b);
    assert_ptr_equal(partition->dirty_oldest, c);
    prc_cell_clean(partition, c);
    assert_null(partition->dirty_oldest);
    assert_null(partition->dirty_newest);
    assert_int_equal(partition->dirty_count, 0);
    prc_partition_free(&partition);
}

static void test_a_stored_cell_leaves_tombstones(void **state)
{
    (void)state;
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW_BACKFILL, 3, 10);
    struct prc_cell *stored = touch(partition, "backfill:r", "A"),
                    *fresh = touch(partition, "backfill:r", "B");
    stored->parts = 2;
    prc_partition_remove(partition, &fresh);
    assert_int_equal(partition->removed.len, 0); // the changelog knows nothing of it
    prc_partition_remove(partition, &stored);
    assert_string_equal(mf_buf_c_str(&partition->removed),
                        "backfill/3/backfill:r/A/0\nbackfill/3/backfill:r/A/1\n");
    prc_partition_free(&partition);
}

// Against a plain array: cells come and go, their number and identity are right, nothing leaks.
static void test_many_cells_come_and_go(void **state)
{
    (void)state;
    enum { SYMBOLS = 1500 };
    static const char *const lanes[] = {"live", "backfill:a", "backfill:b"};
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, SYMBOLS);
    struct prc_cell *there[MF_ARRAY_LEN(lanes)][SYMBOLS] = {{NULL}};
    uint64_t seed = 20261, random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t count = 0, bytes = prc_partition_bytes(partition);
    for (int step = 0; step < 20000; step++) {
        size_t lane = mf_random_next(&random) % MF_ARRAY_LEN(lanes);
        size_t s = mf_random_next(&random) % SYMBOLS;
        char name[16];
        bool full = false;
        snprintf(name, sizeof(name), "SYM%zu", s);
        struct prc_cell **cell = &there[lane][s];
        assert_ptr_equal(prc_partition_cell(partition, mf_str_of(lanes[lane]), mf_str_of(name), false, &full),
                         *cell);
        if (*cell != NULL) {
            if (mf_random_next(&random) % 3 == 0) {
                prc_partition_remove(partition, cell);
                count--;
            }
            continue;
        }
        *cell = touch(partition, lanes[lane], name);
        count++;
    }
    assert_int_equal(partition->count, count);
    assert_true(prc_partition_bytes(partition) > bytes + count * sizeof(struct prc_cell));
    prc_partition_free(&partition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_is_per_lane),
        cmocka_unit_test(test_lanes_are_limited),
        cmocka_unit_test(test_clocks_never_go_back),
        cmocka_unit_test(test_recent_forgets_the_oldest),
        cmocka_unit_test(test_a_symbol_known_by_one_event_is_small),
        cmocka_unit_test(test_groups_are_limited),
        cmocka_unit_test(test_the_dirty_list_keeps_the_order),
        cmocka_unit_test(test_a_stored_cell_leaves_tombstones),
        cmocka_unit_test(test_many_cells_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
