// SPDX-License-Identifier: Apache-2.0
// The batch, and what is bound to a statement.
#include "tests/unit/snk_batch_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
