// SPDX-License-Identifier: Apache-2.0
// The order of a batch's statements. A model of the warehouse (fence, unique rows, rows that it refuses,
// tables that are missing) takes them; whatever is refused, every other row must land once.
#include "tests/unit/snk_batch_fixture.h"

// ---- order of the statements

static void test_statements_stay_within_the_limits(void **state)
{
    struct fixture *f = *state;
    add_many(f, 0, 10);
    static const size_t want[] = {4, 4, 2};
    snk_work_start(&f->work, &f->batch, (struct snk_limits){4, 100000});
    for (size_t i = 0; i < 3; i++) {
        struct snk_range range = snk_work_current(&f->work);
        assert_int_equal(range.end - range.begin, want[i]);
        snk_work_pop(&f->work);
    }
    assert_true(snk_work_is_done(&f->work));
    // By bytes; a row larger than the limit goes alone.
    size_t bytes = snk_row_bytes(&f->batch.rows[0]);
    snk_work_start(&f->work, &f->batch, (struct snk_limits){100, 3 * bytes});
    assert_int_equal(snk_work_current(&f->work).end, 3);
    snk_work_start(&f->work, &f->batch, (struct snk_limits){100, 1});
    assert_int_equal(f->work.depth, 10);
}

static void test_a_partition_moves_to_its_position_with_its_last_row_only(void **state)
{
    struct fixture *f = *state;
    struct snk_move moves[PARTITIONS];
    add_many(f, 0, 2);
    add(f, 2);
    add(f, 0);
    f->partitions[0].position = 9;
    struct snk_scope scope = scope_of(f);
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 0, 2}, moves), 1);
    assert_int_equal(moves[0].next, 2);
    f->partitions[0].stored = 2;
    // The news row ends its partition in the batch; bars have one more row to come.
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 2, 3}, moves), 1);
    assert_int_equal(moves[0].partition, 2);
    f->partitions[2].stored = 1;
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 3, 4}, moves), 1);
    assert_int_equal(moves[0].next, 9);
    assert_ptr_equal(moves[0].last, &f->batch.rows[3]);
    // A rejected row is passed, but is not the last one inserted.
    f->batch.rows[3].rejected = true;
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 3, 4}, moves), 1);
    assert_int_equal(moves[0].next, 9);
    assert_null(moves[0].last);
    // Nor is a digest: the log has another event_id at its offset, and a restart looks for that one.
    f->batch.rows[3].rejected = false;
    f->batch.rows[3].replaced = true;
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 3, 4}, moves), 1);
    assert_int_equal(moves[0].next, 9);
    assert_null(moves[0].last);
    // Neither an excluded nor an unacquired partition moves.
    f->partitions[0].excluded = true;
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 3, 4}, moves), 0);
    f->partitions[0].excluded = false;
    f->partitions[0].acquired = false;
    assert_int_equal(snk_range_moves(&scope, (struct snk_range){SNK_TABLE_MAX, 3, 4}, moves), 0);
}

static void test_split_by_tables(void **state)
{
    struct fixture *f = *state;
    add_many(f, 0, 2);
    add(f, 4);
    f->partitions[5].position = 3; // moves without rows
    struct snk_scope scope = scope_of(f);
    snk_work_start(&f->work, &f->batch, wide);
    snk_work_split_tables(&f->work, &scope);
    static const enum snk_table want[] = {SNK_TABLE_BARS, SNK_TABLE_ALERTS, SNK_TABLE_DEAD_LETTERS};
    static const size_t rows[] = {2, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        struct snk_range range = snk_work_current(&f->work);
        assert_int_equal(range.table, want[i]);
        assert_int_equal(snk_range_rows(&scope, range), rows[i]);
        snk_flush_build(&f->flush, &scope, range, no_randomness);
        assert_int_equal(f->flush.move_count, 1);
        snk_work_pop(&f->work);
    }
    assert_true(snk_work_is_done(&f->work));
}

// ---- the model

struct model {
    int64_t next[PARTITIONS];
    bool inserted[PARTITIONS][900];
    bool poison[PARTITIONS][900];
    bool missing[SNK_TABLE_MAX];
    unsigned statements, rejected;
    unsigned limit; // bisections a minute and partition; 0 = as many as it takes
    int64_t now_us;
};

// One statement: all or nothing. Returns how it went; MF_ODBC_CLASS_MAX = well.
static enum mf_odbc_class execute(struct fixture *f, struct model *m, struct snk_range range)
{
    struct snk_scope scope = scope_of(f);
    m->statements++;
    for (enum snk_table t = 0; t < SNK_TABLE_MAX; t++) {
        if (m->missing[t] && (f->flush.tables & (1u << t)) != 0)
            return MF_ODBC_CONFIG;
    }
    for (size_t i = range.begin; i < range.end; i++) {
        const struct snk_row *row = &f->batch.rows[i];
        if (snk_row_takes_part(&scope, range, i) && m->poison[row->partition][row->offset])
            return MF_ODBC_DATA;
    }
    for (size_t i = range.begin; i < range.end; i++) {
        const struct snk_row *row = &f->batch.rows[i];
        if (!snk_row_takes_part(&scope, range, i))
            continue;
        assert_false(m->inserted[row->partition][row->offset]);
        m->inserted[row->partition][row->offset] = true;
        // The fence: a row below it would have been read and passed already.
        assert_true(row->offset >= m->next[row->partition]);
    }
    for (size_t i = 0; i < f->flush.move_count; i++) {
        struct snk_partition *p = &f->partitions[f->flush.moves[i].partition];
        assert_int_equal(m->next[f->flush.moves[i].partition], p->stored);
        assert_true(f->flush.moves[i].next > p->stored);
        m->next[f->flush.moves[i].partition] = p->stored = f->flush.moves[i].next;
    }
    return MF_ODBC_CLASS_MAX;
}

static void reject(struct fixture *f, struct model *m, struct snk_range range)
{
    struct snk_scope scope = scope_of(f);
    for (size_t i = range.begin; i < range.end; i++) {
        if (snk_row_takes_part(&scope, range, i)) {
            const struct snk_row *row = &f->batch.rows[i];
            assert_true(m->poison[row->partition][row->offset]);
            f->batch.rows[i].rejected = true;
            m->rejected++;
        }
    }
}

static void bisect(struct fixture *f, struct model *m, struct snk_range range)
{
    struct snk_scope scope = scope_of(f);
    uint64_t bisection = snk_work_bisect(&f->work);
    size_t only = snk_range_partition(&scope, range);
    unsigned limit = m->limit != 0 ? m->limit : SNK_POISON_LIMIT_MAX;
    if (only != SIZE_MAX && !snk_bisection_is_allowed(&f->partitions[only], bisection, limit, m->now_us)) {
        f->partitions[only].excluded = true;
    } else if (f->flush.rows > 1) {
        snk_work_split_rows(&f->work, &scope);
    } else {
        snk_charge_bisection(&f->partitions[only], bisection, limit, m->now_us);
        reject(f, m, range);
    }
}

static void handle(struct fixture *f, struct model *m, struct snk_range range, enum mf_odbc_class class)
{
    struct snk_scope scope = scope_of(f);
    struct snk_failure failure = {class, range.table, f->flush.rows, 1};
    switch (snk_decide(&failure)) {
    case SNK_ACTION_SPLIT_ROWS: snk_work_split_rows(&f->work, &scope); break;
    case SNK_ACTION_SPLIT_TABLES: snk_work_split_tables(&f->work, &scope); break;
    case SNK_ACTION_BISECT:
    case SNK_ACTION_REJECT_ROW: bisect(f, m, range); break;
    case SNK_ACTION_STOP_TABLE:
        for (size_t i = 0; i < PARTITIONS; i++)
            f->partitions[i].excluded |= f->partitions[i].table == range.table;
        snk_work_pop(&f->work);
        break;
    default: fail_msg("%s", snk_action_name(snk_decide(&failure)));
    }
}

static void run(struct fixture *f, struct model *m, struct snk_limits limits)
{
    snk_work_start(&f->work, &f->batch, limits);
    while (!snk_work_is_done(&f->work)) {
        struct snk_scope scope = scope_of(f);
        struct snk_range range = snk_work_current(&f->work);
        snk_flush_build(&f->flush, &scope, range, no_randomness);
        enum mf_odbc_class class = f->flush.move_count == 0 ? MF_ODBC_CLASS_MAX : execute(f, m, range);
        if (class == MF_ODBC_CLASS_MAX)
            snk_work_pop(&f->work);
        else
            handle(f, m, range, class);
    }
}

static void check(const struct fixture *f, const struct model *m)
{
    for (size_t p = 0; p < PARTITIONS; p++) {
        if (!f->partitions[p].excluded)
            assert_int_equal(m->next[p], f->partitions[p].position);
    }
    for (size_t i = 0; i < f->batch.count; i++) {
        const struct snk_row *row = &f->batch.rows[i];
        bool passed = row->offset < m->next[row->partition];
        assert_int_equal(m->inserted[row->partition][row->offset],
                         passed && !m->poison[row->partition][row->offset]);
    }
}

static void test_one_poison_row_among_5000(void **state)
{
    struct fixture *f = *state;
    struct model *m = mf_calloc(1, sizeof *m);
    for (size_t i = 0; i < 5000; i++)
        add(f, i % PARTITIONS);
    m->poison[2][333] = true;
    run(f, m, wide);
    check(f, m);
    assert_int_equal(m->rejected, 1);
    // The whole, two per halving (13 of them), and once more for the offset of the row itself.
    assert_in_range(m->statements, 14, 2 * 13 + 2);
    free(m);
}

// Whatever number of rows a descent finds, and of however many partitions: it is one bisection for each.
static void test_a_bisection_is_charged_once(void **state)
{
    struct fixture *f = *state;
    struct model *m = mf_calloc(1, sizeof *m);
    m->limit = 1;
    for (size_t i = 0; i < 300; i++)
        add(f, i % PARTITIONS);
    for (size_t o = 0; o < 50; o += 7)
        m->poison[0][o] = m->poison[3][o] = true;
    m->poison[1][49] = true;
    run(f, m, wide);
    check(f, m);
    assert_int_equal(m->rejected, 8 + 8 + 1);
    assert_int_equal(f->work.bisections, 1);
    static const unsigned charged[PARTITIONS] = {1, 1, 0, 1, 0, 0};
    for (size_t p = 0; p < PARTITIONS; p++) {
        assert_int_equal(f->partitions[p].bisected_count, charged[p]);
        assert_false(f->partitions[p].excluded);
    }
    free(m);
}

// A range that failed beside another is another bisection, and so is the next batch.
static void test_where_a_bisection_ends(void **state)
{
    struct fixture *f = *state;
    add_many(f, 0, 8);
    struct snk_scope scope = scope_of(f);
    snk_work_start(&f->work, &f->batch, (struct snk_limits){4, 100000});
    assert_int_equal(snk_work_bisect(&f->work), 1);
    snk_work_split_rows(&f->work, &scope);
    assert_int_equal(snk_work_bisect(&f->work), 1);
    snk_work_split_rows(&f->work, &scope);
    snk_work_pop(&f->work);
    snk_work_pop(&f->work);
    assert_int_equal(snk_work_bisect(&f->work), 1); // the second half of the first range
    snk_work_pop(&f->work);
    assert_int_equal(snk_work_bisect(&f->work), 2); // the second range
    snk_work_start(&f->work, &f->batch, wide);      // forgotten in the middle
    assert_int_equal(snk_work_bisect(&f->work), 3);
    snk_work_clear(&f->work);
    snk_work_start(&f->work, &f->batch, wide);
    assert_int_equal(snk_work_bisect(&f->work), 4);
    assert_int_equal(snk_range_partition(&scope, (struct snk_range){SNK_TABLE_MAX, 0, 8}), 0);
    assert_int_equal(snk_range_partition(&scope, (struct snk_range){SNK_TABLE_NEWS, 0, 8}), SIZE_MAX);
    add(f, 1);
    assert_int_equal(snk_range_partition(&scope, (struct snk_range){SNK_TABLE_MAX, 0, 9}), SIZE_MAX);
    assert_int_equal(snk_range_partition(&scope, (struct snk_range){SNK_TABLE_MAX, 8, 9}), 1);
}

// A batch of two good rows of partition 0, then poison of it; one row of partition 1, bad in the last batch.
static void run_batch(struct fixture *f, struct model *m, bool poison_in_1)
{
    snk_batch_clear(&f->batch, 1000);
    f->partitions[0].position = f->partitions[0].stored;
    f->partitions[0].excluded = false;
    add_many(f, 0, 3);
    add(f, 1);
    m->poison[0][f->partitions[0].position - 1] = true;
    m->poison[1][f->partitions[1].position - 1] = poison_in_1;
    run(f, m, wide);
}

static void test_one_bisection_too_many_stops_its_partition(void **state)
{
    struct fixture *f = *state;
    struct model *m = mf_calloc(1, sizeof *m);
    m->limit = 3;
    m->now_us = MF_US_PER_HOUR;
    for (int i = 0; i < 3; i++, m->now_us += 10 * MF_US_PER_SECOND)
        run_batch(f, m, false);
    assert_int_equal(m->rejected, 3);
    // The fourth within the minute: nothing of partition 0 is dead-lettered, its good rows and all of the
    // other partition go on.
    run_batch(f, m, true);
    check(f, m);
    assert_true(f->partitions[0].excluded);
    assert_false(f->partitions[1].excluded);
    assert_int_equal(m->rejected, 4);
    assert_int_equal(m->next[0], 11);
    assert_int_equal(m->next[1], 4);
    assert_int_equal(f->partitions[1].bisected_count, 1);
    // Where the range has rows of it alone, no row is looked for.
    unsigned before = m->statements;
    snk_batch_clear(&f->batch, 1000);
    f->partitions[0].position = f->partitions[0].stored;
    f->partitions[0].excluded = false;
    add_many(f, 0, 64);
    run(f, m, wide);
    assert_true(f->partitions[0].excluded);
    assert_int_equal(m->statements, before + 1);
    // A minute after the first there is room for one.
    m->now_us += 31 * MF_US_PER_SECOND;
    f->partitions[0].stored = m->next[0] = 12; // the row that stopped it is gone
    run_batch(f, m, false);
    assert_false(f->partitions[0].excluded);
    assert_int_equal(m->rejected, 5);
    free(m);
}

static void test_missing_table_stops_its_own_topic(void **state)
{
    struct fixture *f = *state;
    struct model *m = mf_calloc(1, sizeof *m);
    for (size_t i = 0; i < 60; i++)
        add(f, i % PARTITIONS);
    m->missing[SNK_TABLE_NEWS] = true;
    run(f, m, wide);
    check(f, m);
    assert_int_equal(m->next[2], 0);
    assert_int_equal(m->next[0], 10);
    assert_int_equal(m->statements, 5); // all, then one for each of four tables
    assert_int_equal(m->rejected, 0);
    free(m);
}

static void test_any_mixture_lands_every_good_row_once(void **state)
{
    uint64_t random = 20240102;
    for (unsigned round = 0; round < 300; round++) {
        struct fixture *f = NULL;
        assert_int_equal(setup((void **)&f), 0);
        struct model *m = mf_calloc(1, sizeof *m);
        size_t count = mf_random_next(&random) % 200;
        for (size_t i = 0; i < count; i++)
            add(f, mf_random_next(&random) % PARTITIONS);
        unsigned one_in = 1 + (unsigned)(mf_random_next(&random) % 60);
        for (size_t p = 0; p < PARTITIONS; p++) {
            for (int64_t o = 0; o < f->partitions[p].position; o++)
                m->poison[p][o] = mf_random_next(&random) % one_in == 0;
            f->partitions[p].position += (int64_t)(mf_random_next(&random) % 3); // markers at the end
        }
        m->missing[mf_random_next(&random) % SNK_TABLE_MAX] = mf_random_next(&random) % 2 == 0;
        struct snk_limits limits = {1 + mf_random_next(&random) % 100,
                                    100 + mf_random_next(&random) % 100000};
        run(f, m, limits);
        check(f, m);
        free(m);
        teardown((void **)&f);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statements_stay_within_the_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_partition_moves_to_its_position_with_its_last_row_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_split_by_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_poison_row_among_5000, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bisection_is_charged_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_a_bisection_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_bisection_too_many_stops_its_partition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_table_stops_its_own_topic, setup, teardown),
        cmocka_unit_test(test_any_mixture_lands_every_good_row_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
