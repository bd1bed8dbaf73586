// SPDX-License-Identifier: Apache-2.0
// The batch, the order of its statements, and what is bound to one. A model of the warehouse (fence, unique
// rows, rows that it refuses, tables that are missing) takes the statements; whatever is refused, every other
// row must land once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/sink/flush.h"
#include "services/sink/policy.h"

#define PARTITIONS 6

struct fixture {
    struct snk_batch batch;
    struct snk_work work;
    struct snk_flush flush;
    struct snk_partition partitions[PARTITIONS];
    struct snk_checker checker;
};

static const uint64_t no_randomness[2] = {0, 0};
static const struct snk_limits wide = {1000000, 100000000};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    snk_batch_init(&f->batch);
    snk_flush_init(&f->flush);
    // Two topics with two partitions each, and one of each of two more.
    static const enum snk_table tables[PARTITIONS] = {SNK_TABLE_BARS,   SNK_TABLE_BARS,
                                                      SNK_TABLE_NEWS,   SNK_TABLE_NEWS,
                                                      SNK_TABLE_ALERTS, SNK_TABLE_DEAD_LETTERS};
    static const char *const topics[PARTITIONS] = {"t.bars", "t.bars",   "t.news",
                                                   "t.news", "t.alerts", "t.dlq"};
    for (int i = 0; i < PARTITIONS; i++)
        f->partitions[i] = (struct snk_partition){
            .table = tables[i], .topic = topics[i], .number = i % 2, .acquired = true, .epoch = 3 + i};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snk_batch_free(&f->batch);
    snk_work_free(&f->work);
    snk_flush_free(&f->flush);
    free(f);
    return 0;
}

static struct snk_scope scope_of(const struct fixture *f)
{
    return (struct snk_scope){&f->batch, f->partitions, PARTITIONS};
}

// A row at the partition's position, whose payload and id tell where it came from.
static void add(struct fixture *f, size_t partition)
{
    struct snk_partition *p = &f->partitions[partition];
    char payload[64];
    char id[MF_EVENT_ID_SIZE];
    snprintf(payload, sizeof payload, "{\"p\":%zu,\"o\":%lld}", partition, (long long)p->position);
    snprintf(id, sizeof id, "%032llx",
             (unsigned long long)partition * 1000000 + (unsigned long long)p->position);
    f->checker.event.event_id = mf_str_of(id);
    f->checker.event.ingest_time_us = 77;
    snprintf(f->checker.dedupe_key, sizeof f->checker.dedupe_key, "A|%lld|\"x\"", (long long)p->position);
    f->checker.dedupe_key_len = strlen(f->checker.dedupe_key);
    struct snk_record record = {.table = p->table,
                                .topic = p->topic,
                                .partition = p->number,
                                .offset = p->position,
                                .timestamp_ms = 5,
                                .value = mf_str_of(payload)};
    snk_batch_add(&f->batch, partition, &record, &f->checker, 1000);
    p->position++;
}

static void add_many(struct fixture *f, size_t partition, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(f, partition);
}

// ---- batch

static void test_batch_keeps_what_it_is_given(void **state)
{
    struct fixture *f = *state;
    snprintf(f->checker.flags, sizeof f->checker.flags, "is_mock,late");
    f->checker.revision = 4;
    add(f, 2);
    f->checker.flags[0] = '\0';
    add_many(f, 2, 200); // moves the memory
    const struct snk_row *row = &f->batch.rows[0];
    assert_true(mf_str_eq_c(snk_batch_payload(&f->batch, row), "{\"p\":2,\"o\":0}"));
    assert_true(mf_str_eq_c(snk_batch_flags(&f->batch, row), "is_mock,late"));
    assert_true(mf_str_eq_c(snk_batch_dedupe_key(&f->batch, row), "A|0|\"x\""));
    assert_int_equal(row->revision, 4);
    assert_int_equal(row->table, SNK_TABLE_NEWS);
    assert_int_equal(row->ingest_time_us, 77);
    assert_int_equal(f->batch.rows[200].offset, 200);
    assert_int_equal(f->batch.oldest_us, 1000);
    snk_batch_clear(&f->batch, 100);
    assert_int_equal(f->batch.count, 0);
}

static void test_batch_is_full_at_either_limit(void **state)
{
    struct fixture *f = *state;
    assert_false(snk_batch_is_full(&f->batch, (struct snk_limits){1, 1}));
    add_many(f, 0, 3);
    assert_false(snk_batch_is_full(&f->batch, (struct snk_limits){4, 10000}));
    assert_true(snk_batch_is_full(&f->batch, (struct snk_limits){3, 10000}));
    assert_true(snk_batch_is_full(&f->batch, (struct snk_limits){4, 100}));
}

static void test_replaced_payload(void **state)
{
    struct fixture *f = *state;
    add_many(f, 5, 2);
    snk_batch_replace(&f->batch, &f->batch.rows[0], MF_STR("{\"digest\":true}"), "ffff", MF_STR("other|key"));
    assert_true(mf_str_eq_c(snk_batch_payload(&f->batch, &f->batch.rows[0]), "{\"digest\":true}"));
    assert_true(mf_str_eq_c(snk_batch_dedupe_key(&f->batch, &f->batch.rows[0]), "other|key"));
    assert_string_equal(f->batch.rows[0].event_id, "ffff");
    assert_true(mf_str_eq_c(snk_batch_payload(&f->batch, &f->batch.rows[1]), "{\"p\":5,\"o\":1}"));
}

// ---- what is bound

static void test_parameters_of_a_flush(void **state)
{
    struct fixture *f = *state;
    f->partitions[0].stored = f->partitions[0].position = 10;
    f->partitions[3].position = 7; // only markers up to here
    f->checker.revision = 2;
    snprintf(f->checker.flags, sizeof f->checker.flags, "late");
    add(f, 0);
    f->checker.flags[0] = '\0';
    f->checker.revision = 0;
    add(f, 4);
    add(f, 0);
    f->partitions[0].position = 15; // two records and three that are none
    struct snk_scope scope = scope_of(f);
    snk_work_start(&f->work, &f->batch, wide);
    snk_flush_build(&f->flush, &scope, snk_work_current(&f->work), no_randomness);
    assert_string_equal(mf_buf_c_str(&f->flush.moves_json),
                        "[[0,\"raw_bars\",\"t.bars\",0,3,10,15,\"0000000000000000000000000000000b\",11],"
                        "[1,\"raw_news\",\"t.news\",1,6,0,7,null,null],"
                        "[2,\"raw_alerts\",\"t.alerts\",0,7,0,1,\"000000000000000000000000003d0900\",0]]");
    assert_string_equal(mf_buf_c_str(&f->flush.payloads_json),
                        "[{\"p\":0,\"o\":10},{\"p\":4,\"o\":0},{\"p\":0,\"o\":11}]");
    assert_string_equal(mf_buf_c_str(&f->flush.known_json),
                        "[[0,10,2,\"late\",\"A|10|\\\"x\\\"\"],[2,0,0,\"\",\"A|0|\\\"x\\\"\"],"
                        "[0,11,0,\"\",\"A|11|\\\"x\\\"\"]]");
    assert_int_equal(f->flush.tables, (1u << SNK_TABLE_BARS) | (1u << SNK_TABLE_ALERTS));
    assert_int_equal(f->flush.rows, 3);

    struct mf_buf json;
    mf_buf_init(&json, 1000);
    f->flush.moved[1] = true;
    snk_flush_partitions_json(&f->flush, &scope, true, &json);
    assert_string_equal(mf_buf_c_str(&json), "[[\"t.bars\",0],[\"t.alerts\",0]]");
    snk_flush_partitions_json(&f->flush, &scope, false, &json);
    assert_string_equal(mf_buf_c_str(&json), "[[\"t.bars\",0],[\"t.news\",1],[\"t.alerts\",0]]");
    mf_buf_free(&json);
}

// The question after a new session: where is every partition that is ours, whatever waits in the batch?
static void test_all_acquired_partitions_are_asked_for(void **state)
{
    struct fixture *f = *state;
    add_many(f, 0, 3);
    f->partitions[0].stored = 7;
    f->partitions[1].acquired = false;
    struct snk_scope scope = scope_of(f);
    snk_flush_ask(&f->flush, &scope);
    assert_int_equal(f->flush.move_count, PARTITIONS - 1);
    assert_int_equal(f->flush.rows, 0);
    assert_int_equal(f->flush.tables, 0);
    assert_int_equal(f->flush.moves[0].partition, 0);
    assert_int_equal(f->flush.moves[0].next, 7); // where it is: judged as landed when the warehouse agrees
    assert_int_equal(f->flush.moves[1].partition, 2);
    for (size_t i = 0; i < f->flush.move_count; i++)
        assert_false(f->flush.moved[i]);
}

static void test_load_id_is_a_random_uuid(void **state)
{
    struct fixture *f = *state;
    struct snk_scope scope = scope_of(f);
    snk_work_start(&f->work, &f->batch, wide);
    snk_flush_build(&f->flush, &scope, snk_work_current(&f->work), no_randomness);
    assert_string_equal(f->flush.load_id, "00000000-0000-4000-8000-000000000000");
    static const uint64_t ones[2] = {UINT64_MAX, UINT64_MAX};
    snk_flush_build(&f->flush, &scope, snk_work_current(&f->work), ones);
    assert_string_equal(f->flush.load_id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_int_equal(f->flush.move_count, 0); // nothing moved: nothing to do
}

static void test_answer(void **state)
{
    struct fixture *f = *state;
    struct mf_error err;
    add_many(f, 0, 2);
    add(f, 2);
    struct snk_scope scope = scope_of(f);
    snk_work_start(&f->work, &f->batch, wide);
    snk_flush_build(&f->flush, &scope, snk_work_current(&f->work), no_randomness);
    assert_int_equal(snk_flush_take_answer(&f->flush, &scope, "moved", "t.bars", "0", "2", &err), 0);
    assert_int_equal(snk_flush_take_answer(&f->flush, &scope, "raw_bars", NULL, NULL, "1", &err), 0);
    assert_true(f->flush.moved[0]);
    assert_false(f->flush.moved[1]);
    assert_int_equal(f->flush.inserted[SNK_TABLE_BARS], 1);
    static const char *const bad[][4] = {
        {"moved", "t.bars", "1", "2"},  {"moved", "t.bars", "0", "3"},  {"moved", "t.else", "0", "2"},
        {"moved", NULL, "0", "2"},      {"moved", "t.bars", "x", "2"},  {"moved", "t.bars", "0", NULL},
        {"raw_bars", NULL, NULL, "-1"}, {"raw_bars", NULL, NULL, NULL}, {"raw_else", NULL, NULL, "1"},
        {NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        assert_int_equal(
            snk_flush_take_answer(&f->flush, &scope, bad[i][0], bad[i][1], bad[i][2], bad[i][3], &err), -1);
        assert_int_equal(err.class, MF_ERROR_FATAL);
    }
}

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

static void handle(struct fixture *f, struct model *m, struct snk_range range, enum mf_odbc_class class)
{
    struct snk_scope scope = scope_of(f);
    struct snk_failure failure = {class, range.table, f->flush.rows, 1};
    switch (snk_decide(&failure)) {
    case SNK_ACTION_SPLIT_ROWS: snk_work_split_rows(&f->work, &scope); break;
    case SNK_ACTION_SPLIT_TABLES: snk_work_split_tables(&f->work, &scope); break;
    case SNK_ACTION_REJECT_ROW: reject(f, m, range); break;
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
        cmocka_unit_test_setup_teardown(test_batch_keeps_what_it_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_batch_is_full_at_either_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_payload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parameters_of_a_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_acquired_partitions_are_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load_id_is_a_random_uuid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statements_stay_within_the_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_partition_moves_to_its_position_with_its_last_row_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_split_by_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_poison_row_among_5000, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_table_stops_its_own_topic, setup, teardown),
        cmocka_unit_test(test_any_mixture_lands_every_good_row_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
