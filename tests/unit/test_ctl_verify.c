// SPDX-License-Identifier: Apache-2.0
// The judgement of marketflowctl verify: rows, dead letters, the sink's offset, the limit of its list,
// reports.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_reader.h"
#include "services/ctl/verify.h"

#define BARS MF_RAW_BARS
#define NEWS MF_RAW_NEWS

// Two tables: bars with two partitions, of which the sink has loaded below 100 and nothing; news with one.
static void begin(struct ctl_verification *v, size_t open_max)
{
    ctl_verification_init(v, open_max);
    v->tables[BARS] = (struct ctl_table_state){.chosen = true, .topic = "bars", .partition_count = 2};
    v->tables[BARS].partitions = mf_calloc(2, sizeof *v->tables[BARS].partitions);
    v->tables[BARS].partitions[0] = (struct ctl_partition_state){.range = {10, 200}, .stored = 100};
    v->tables[BARS].partitions[1] = (struct ctl_partition_state){.range = {0, 50}, .stored = -1};
    v->tables[NEWS] = (struct ctl_table_state){.chosen = true, .topic = "news", .partition_count = 1};
    v->tables[NEWS].partitions = mf_calloc(1, sizeof *v->tables[NEWS].partitions);
    v->tables[NEWS].partitions[0] = (struct ctl_partition_state){.range = {0, 20}, .stored = 20};
}

static struct ctl_record record(int32_t partition, int64_t offset)
{
    struct ctl_record made = {.partition = partition, .offset = offset};
    snprintf(made.event_id, sizeof made.event_id, "%08x%024x", (unsigned)partition, (unsigned)offset);
    return made;
}

static void test_everything_has_a_row(void **state)
{
    (void)state;
    struct ctl_verification v;
    begin(&v, 10);
    const struct ctl_record records[] = {record(0, 10), record(1, 0), record(0, 11)};
    ctl_judge_window(&v, BARS, records, 3, NULL, 0);
    ctl_judge_close(&v);
    struct ctl_totals totals = ctl_totals(&v);
    int exit_code = -1;
    assert_int_equal(totals.records, 3);
    assert_int_equal(totals.by_row, 3);
    assert_int_equal(totals.unverifiable, 10); // below the start of bars [0]
    assert_int_equal(totals.offsets, 190 + 50 + 20);
    assert_int_equal(v.tables[BARS].partitions[0].by_row, 2);
    assert_int_equal(v.tables[BARS].partitions[1].by_row, 1);
    assert_string_equal(ctl_verdict(&totals, &exit_code), "ok");
    assert_int_equal(exit_code, 0);
    ctl_verification_free(&v);
}

static void test_missing_and_pending(void **state)
{
    (void)state;
    struct ctl_verification v;
    begin(&v, 10);
    // The last below the sink's offset, the first at it, and one where it never was.
    const struct ctl_record records[] = {record(0, 98), record(0, 99), record(0, 100), record(1, 3)};
    const size_t absent[] = {1, 2, 3};
    ctl_judge_window(&v, BARS, records, 4, absent, 3);
    ctl_judge_close(&v);
    struct ctl_totals totals = ctl_totals(&v);
    int exit_code = -1;
    assert_int_equal(totals.by_row, 1);
    assert_int_equal(totals.missing, 1);
    assert_int_equal(totals.pending, 2);
    assert_int_equal(v.tables[BARS].partitions[0].missing, 1);
    assert_int_equal(v.tables[BARS].partitions[1].pending, 1);
    assert_string_equal(ctl_verdict(&totals, &exit_code), "missing_or_doubled");
    assert_int_equal(exit_code, 1);
    totals.missing = 0;
    assert_string_equal(ctl_verdict(&totals, &exit_code), "pending");
    assert_int_equal(exit_code, 75);
    ctl_verification_free(&v);
}

static void test_dead_letters_account_for_offsets(void **state)
{
    (void)state;
    struct ctl_verification v;
    begin(&v, 100);
    struct ctl_record records[50];
    size_t absent[50];
    for (int i = 0; i < 50; i++) {
        records[i] = record(0, 60 - i); // not in the order of the list
        absent[i] = (size_t)i;
    }
    ctl_judge_window(&v, BARS, records, 50, absent, 50);
    ctl_judge_window(&v, NEWS, (struct ctl_record[]){record(0, 7)}, 1, (size_t[]){0}, 1);
    ctl_judge_sort(&v);
    for (int offset = 20; offset <= 60; offset++)
        assert_true(ctl_judge_letter(&v, BARS, 0, offset));
    assert_true(ctl_judge_letter(&v, BARS, 0, 20)); // named twice: accounted for once
    assert_false(ctl_judge_letter(&v, BARS, 0, 61));
    assert_false(ctl_judge_letter(&v, BARS, 1, 20));
    assert_false(ctl_judge_letter(&v, NEWS, 0, 8));
    ctl_judge_drop_closed(&v);
    assert_int_equal(v.open_count, 10);
    ctl_judge_close(&v);
    struct ctl_totals totals = ctl_totals(&v);
    assert_int_equal(totals.by_letter, 41);
    assert_int_equal(totals.missing, 10);
    assert_int_equal(v.tables[BARS].partitions[0].missing, 9); // 11 to 19
    assert_int_equal(v.tables[NEWS].partitions[0].missing, 1);
    assert_int_equal(v.open[0].record.offset, 11);
    ctl_verification_free(&v);
}

// What does not fit the list is counted all the same, and the report says that it was cut.
static void test_list_has_its_limit(void **state)
{
    (void)state;
    struct ctl_verification v;
    begin(&v, 2);
    const struct ctl_record records[] = {record(0, 20), record(0, 21), record(0, 22), record(0, 150)};
    const size_t absent[] = {0, 1, 2, 3};
    ctl_judge_window(&v, BARS, records, 4, absent, 4);
    assert_true(v.open_cut);
    assert_int_equal(v.open_count, 2);
    ctl_judge_close(&v);
    struct ctl_totals totals = ctl_totals(&v);
    assert_int_equal(totals.missing, 3);
    assert_int_equal(totals.pending, 1);
    ctl_verification_free(&v);
}

// A partition that was added after the ends were noted is none of this run's.
static void test_new_partition_is_left_out(void **state)
{
    (void)state;
    struct ctl_verification v;
    begin(&v, 2);
    const struct ctl_record records[] = {record(2, 0), record(0, 20)};
    ctl_judge_window(&v, BARS, records, 2, (size_t[]){0}, 1);
    ctl_judge_close(&v);
    struct ctl_totals totals = ctl_totals(&v);
    assert_int_equal(totals.records, 1);
    assert_int_equal(totals.missing, 0);
    ctl_verification_free(&v);
}

static char *printed(const struct ctl_verification *v, bool json, size_t list_max)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (json)
        assert_true(ctl_verify_print_json(v, "marketflow-sink", list_max, out));
    else
        ctl_verify_print_table(v, list_max, out);
    fclose(out);
    return text;
}

static void found_something(struct ctl_verification *v)
{
    begin(v, 10);
    struct ctl_record nothing = {.partition = 0, .offset = 31};
    const struct ctl_record records[] = {record(0, 30), nothing, record(0, 150)};
    ctl_judge_window(v, BARS, records, 3, (size_t[]){0, 1, 2}, 3);
    v->tables[NEWS].partitions[0].doubled = 1;
    ctl_judge_doubled(v, &(struct ctl_doubled){.table = NEWS, .partition = 0, .offset = 5, .rows = 2});
    v->tables[NEWS].doubled_keys = 1;
    struct ctl_doubled key = {.table = NEWS, .partition = -1, .revision = 3, .rows = 4};
    snprintf(key.event_id, sizeof key.event_id, "%032x", 9);
    ctl_judge_doubled(v, &key);
    ctl_judge_close(v);
}

static void test_json_report(void **state)
{
    (void)state;
    struct ctl_verification v;
    found_something(&v);
    char *text = printed(&v, true, 10);
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    assert_int_equal(mf_json_parse(json, mf_str_of(text), &mf_json_limits_body, &root, NULL), 0);
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "verdict")), "missing_or_doubled"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "missing")), "2"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "doubled")), "2"));
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(root, "pending")), "1"));
    assert_false(mf_json_bool(mf_json_get(root, "lists_cut")));
    assert_int_equal(mf_json_count(mf_json_get(root, "topics")), 2);
    const struct mf_json_node *missing = mf_json_get(root, "missing_list");
    assert_int_equal(mf_json_count(missing), 2);
    assert_true(mf_str_eq_c(mf_json_text(mf_json_get(mf_json_first(missing), "offset")), "30"));
    assert_null(mf_json_get(mf_json_next(mf_json_first(missing)), "event_id"));
    assert_int_equal(mf_json_count(mf_json_get(root, "doubled_list")), 2);
    assert_int_equal(mf_json_count(mf_json_get(root, "pending_list")), 1);
    free(text);
    text = printed(&v, true, 1);
    assert_int_equal(mf_json_parse(json, mf_str_of(text), &mf_json_limits_body, &root, NULL), 0);
    assert_int_equal(mf_json_count(mf_json_get(root, "missing_list")), 1);
    assert_true(mf_json_bool(mf_json_get(root, "lists_cut")));
    free(text);
    mf_json_free(&json);
    ctl_verification_free(&v);
}

static void test_table_report(void **state)
{
    (void)state;
    struct ctl_verification v;
    found_something(&v);
    char *text = printed(&v, false, 10);
    assert_non_null(strstr(text, "missing: bars [0] offset 30 event_id "));
    assert_non_null(strstr(text, "missing: bars [0] offset 31 is no event, and no dead letter names it"));
    assert_non_null(strstr(text, "pending: bars [0] offset 150"));
    assert_non_null(strstr(text, "doubled: news [0] offset 5 has 2 rows in raw.raw_news"));
    assert_non_null(strstr(text, "revision 3 has 4 rows in raw.raw_news"));
    assert_non_null(strstr(text, "missing_or_doubled: 3 records"));
    free(text);
    ctl_verification_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_has_a_row),
        cmocka_unit_test(test_missing_and_pending),
        cmocka_unit_test(test_dead_letters_account_for_offsets),
        cmocka_unit_test(test_list_has_its_limit),
        cmocka_unit_test(test_new_partition_is_left_out),
        cmocka_unit_test(test_json_report),
        cmocka_unit_test(test_table_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
