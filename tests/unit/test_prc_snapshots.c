// SPDX-License-Identifier: Apache-2.0
// The clocks of a partition by offset: what a floor can ask for is there, and no more is kept.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/processor/snapshots.h"
#include "tests/unit/prc_fold_fixture.h"

static void clocks_are_those_of_the_offset(void **state)
{
    struct fixture *f = *state;
    struct prc_history history = {0};
    prc_history_note(&history, 0, f->live);
    for (int64_t i = 1; i <= 50; i++) {
        struct mf_event beat = make_heartbeat("live", "polygon.bars.1m", OPEN_US + i * MF_US_PER_MINUTE);
        feed(f, &beat);
        prc_history_note(&history, i * 10, f->live);
    }
    assert_null(prc_history_at(&history, 9)); // no lane was known yet
    for (int64_t floor = 0; floor <= 500; floor += 7) {
        prc_history_trim(&history, floor);
        for (int64_t at = floor; at <= 505; at++) {
            const struct prc_lane *lane = prc_history_at(&history, at);
            assert_int_equal(lane == NULL, at < 10);
            if (lane != NULL)
                assert_int_equal(prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M),
                                 OPEN_US + (at < 500 ? at / 10 : 50) * MF_US_PER_MINUTE);
        }
    }
    assert_true(history.count - history.start <= 2);
    prc_history_clear(&history);
}

static int64_t complete_at(const struct prc_history *history, int64_t offset)
{
    const struct prc_lane *lane = prc_history_at(history, offset);
    assert_non_null(lane);
    return prc_lane_complete_to(lane, "polygon", MF_INTERVAL_1M);
}

// A replay from far back: cells become dirty now and then, nothing is stored, heartbeats go on for days.
static void a_long_replay_keeps_the_clocks_of_dirty_cells_only(void **state)
{
    enum { BEATS = 10 * PRC_HISTORY_MAX, CELLS = 4 };
    struct fixture *f = *state;
    struct prc_history history = {0};
    int64_t dirty_at[CELLS];
    f->replay = true;
    prc_history_note(&history, 0, f->live);
    for (int64_t i = 1; i <= BEATS; i++) {
        struct mf_event beat = make_heartbeat("live", "polygon.bars.1m", OPEN_US + i * MF_US_PER_SECOND);
        if (i % (BEATS / CELLS) == 1) {
            char name[] = "A0";
            bool full = false;
            size_t c = (size_t)(i / (BEATS / CELLS));
            name[1] = (char)('0' + c);
            struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), mf_str_of(name), true, &full);
            dirty_at[c] = i * 10;
            prc_cell_dirty(f->live, cell, dirty_at[c]);
        }
        feed(f, &beat);
        prc_history_note(&history, i * 10 + 1, f->live);
        assert_true(history.count - history.start <= 2 * PRC_HISTORY_MAX);
    }
    assert_null(prc_history_at(&history, dirty_at[0])); // before the first heartbeat
    for (size_t c = 1; c < CELLS; c++)
        assert_int_equal(complete_at(&history, dirty_at[c]),
                         OPEN_US + (dirty_at[c] / 10 - 1) * MF_US_PER_SECOND);
    assert_int_equal(complete_at(&history, INT64_MAX), OPEN_US + BEATS * MF_US_PER_SECOND);
    prc_history_clear(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clocks_are_those_of_the_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_replay_keeps_the_clocks_of_dirty_cells_only, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
