// SPDX-License-Identifier: Apache-2.0
// Watermarks and the overlap of live series: what is remembered, how it is written down, what is refused.
#include "services/ingestor/watermark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

// ---------------------------------------------------------------- overlap

static struct ing_overlap_entry entry(int64_t time_us, uint64_t id, uint64_t hash)
{
    return (struct ing_overlap_entry){.event_time_us = time_us, .id = id, .hash = hash};
}

static bool has(const struct ing_overlap *overlap, int64_t time_us, uint64_t id, uint64_t hash)
{
    struct ing_overlap_entry wanted = entry(time_us, id, hash);
    return ing_overlap_has(overlap, &wanted);
}

static void stage(struct ing_overlap *overlap, int64_t time_us, uint64_t id, uint64_t hash)
{
    struct ing_overlap_entry staged = entry(time_us, id, hash);
    ing_overlap_stage(overlap, &staged);
}

static void test_overlap(void **state)
{
    (void)state;
    struct ing_overlap overlap;
    ing_overlap_init(&overlap);
    stage(&overlap, 20, 0, 1);
    stage(&overlap, 10, 0, 2);
    assert_false(has(&overlap, 20, 0, 1)); // nothing is kept before it is acknowledged
    ing_overlap_commit(&overlap);
    assert_true(has(&overlap, 20, 0, 1));
    assert_true(has(&overlap, 10, 0, 2));
    assert_false(has(&overlap, 10, 0, 3)); // N18: another content is a correction
    assert_false(has(&overlap, 10, 5, 2)); // another article of the same time
    stage(&overlap, 10, 0, 3);
    ing_overlap_rollback(&overlap);
    ing_overlap_commit(&overlap);
    assert_true(has(&overlap, 10, 0, 2));
    stage(&overlap, 10, 0, 3);
    ing_overlap_commit(&overlap);
    assert_true(has(&overlap, 10, 0, 3));
    assert_int_equal(overlap.kept_count, 2);
    ing_overlap_forget(&overlap, 20);
    assert_int_equal(overlap.kept_count, 1);
    assert_true(has(&overlap, 20, 0, 1));
    ing_overlap_free(&overlap);
}

static void test_overlap_limit(void **state)
{
    (void)state;
    struct ing_overlap overlap;
    ing_overlap_init(&overlap);
    for (int i = 0; i < ING_OVERLAP_MAX + 10; i++)
        stage(&overlap, i, 0, 1);
    ing_overlap_commit(&overlap);
    assert_int_equal(overlap.kept_count, ING_OVERLAP_MAX);
    assert_false(has(&overlap, 9, 0, 1));
    assert_true(has(&overlap, 10, 0, 1));
    assert_true(has(&overlap, ING_OVERLAP_MAX + 9, 0, 1));
    stage(&overlap, 0, 0, 1); // older than all that is kept
    ing_overlap_commit(&overlap);
    assert_false(has(&overlap, 0, 0, 1));
    assert_int_equal(overlap.kept_count, ING_OVERLAP_MAX);
    ing_overlap_free(&overlap);
}

// ---------------------------------------------------------------- keys

static void test_keys(void **state)
{
    (void)state;
    struct ing_work bars = ing_minute_work("X:BTCUSD", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z");
    struct ing_work news = ing_news_work("AAPL", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z");
    struct mf_buf key;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_watermark_key(&bars, NULL, &key);
    assert_string_equal(mf_buf_c_str(&key), "polygon|bars|X:BTCUSD|minute|split");
    assert_true(ing_watermark_key_is_live(mf_buf_str(&key)));
    assert_true(mf_str_eq_c(ing_watermark_key_symbol(mf_buf_str(&key)), "X:BTCUSD"));
    assert_true(mf_str_eq_c(ing_watermark_key_symbol(MF_STR("polygon|bars")), ""));
    assert_false(ing_watermark_key_is_of_run(mf_buf_str(&key), "split"));
    mf_buf_clear(&key);
    ing_watermark_key(&news, "run-1", &key);
    assert_string_equal(mf_buf_c_str(&key), "polygon|news|AAPL|-|-|run-1");
    assert_false(ing_watermark_key_is_live(mf_buf_str(&key)));
    assert_true(ing_watermark_key_is_of_run(mf_buf_str(&key), "run-1"));
    assert_false(ing_watermark_key_is_of_run(mf_buf_str(&key), "1"));
    assert_false(ing_watermark_key_is_of_run(mf_buf_str(&key), "other"));
    mf_buf_clear(&key);
    ing_run_key("run-1", &key);
    assert_true(ing_watermark_key_is_of_run(mf_buf_str(&key), "run-1"));
    assert_false(ing_watermark_key_is_live(mf_buf_str(&key)));
    assert_false(ing_watermark_key_is_of_run(MF_STR("x|run-1"), "run-1"));
    mf_buf_free(&key);
}

// ---------------------------------------------------------------- values

// A live series keeps a part of its watermark; what it does not know is not written.
static void test_mark(void **state)
{
    (void)state;
    struct mf_buf text;
    struct mf_error err;
    struct mf_json *json = mf_json_new();
    struct ing_mark read_back;
    struct ing_mark mark;
    mf_buf_init(&text, ING_WATERMARK_MAX);
    ing_mark_init(&mark);
    assert_int_equal(mark.status, ING_STATUS_RUNNING);
    ing_mark_encode(&mark, NULL, &text);
    assert_null(strstr(mf_buf_c_str(&text), "reconciled"));
    assert_int_equal(ing_mark_decode(json, mf_buf_str(&text), &read_back, NULL, &err), 0);
    assert_int_equal(read_back.reconciled_us, 0);
    assert_true(read_back.last_time_us == INT64_MIN);
    mark = (struct ing_mark){.status = ING_STATUS_COMPLETE,
                             .position_us = ing_time("2024-01-01T09:00:00Z"),
                             .last_time_us = ing_time("2024-01-02T20:59:00Z"),
                             .reconciled_us = ing_time("2024-01-02T09:00:00Z"),
                             .events = 960};
    mf_buf_clear(&text);
    ing_mark_encode(&mark, NULL, &text);
    assert_int_equal(ing_mark_decode(json, mf_buf_str(&text), &read_back, NULL, &err), 0);
    assert_memory_equal(&read_back, &mark, sizeof mark);
    assert_int_equal(ing_mark_decode(json, MF_STR("{\"version\":1,\"status\":\"complete\",\"reconciled\":7}"),
                                     &read_back, NULL, &err),
                     -1);
    assert_string_equal(err.code, "bad_watermark");
    mf_json_free(&json);
    mf_buf_free(&text);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct ing_watermark mark;
    struct ing_watermark back;
    struct ing_overlap overlap;
    struct ing_overlap read_back;
    struct mf_buf text;
    struct mf_json *json = mf_json_new();
    ing_watermark_init(&mark);
    ing_overlap_init(&overlap);
    ing_overlap_init(&read_back);
    mf_buf_init(&text, 100000);
    mark.status = ING_STATUS_PARTIAL;
    mark.range = (struct ing_range){ing_time("2024-01-02T05:00:00Z"), ing_time("2024-02-01T05:00:00Z")};
    mark.position_us = ing_time("2024-01-10T05:00:00Z");
    mark.last_time_us = ing_time("2024-01-09T21:59:00.123Z");
    mark.request_to_us = ing_time("2024-01-20T05:00:00Z");
    mark.page = 7;
    mark.pass = ING_PASS_ACTIVE;
    mark.events = 12345678901;
    mf_str_copy(mark.cursor, sizeof mark.cursor, MF_STR("/v2/aggs?cursor=a%2Fb\"\\"));
    ing_range_list_add(&mark.skipped, (struct ing_range){mark.range.from_us, mark.position_us});
    for (uint64_t i = 0; i < ING_OVERLAP_SAVED + 5; i++) {
        struct ing_overlap_entry added =
            entry(mark.last_time_us / 1000 * 1000 + (int64_t)i * 60000000, i, UINT64_MAX - i);
        ing_overlap_add(&overlap, &added);
    }
    ing_watermark_encode(&mark, &overlap, &text);
    assert_int_equal(ing_watermark_decode(json, mf_buf_str(&text), &back, &read_back, NULL), 0);
    assert_int_equal(back.status, mark.status);
    assert_int_equal(back.range.from_us, mark.range.from_us);
    assert_int_equal(back.range.to_us, mark.range.to_us);
    assert_int_equal(back.position_us, mark.position_us);
    assert_int_equal(back.last_time_us, mark.last_time_us);
    assert_int_equal(back.page, 7);
    assert_int_equal(back.pass, ING_PASS_ACTIVE);
    assert_int_equal(back.events, mark.events);
    assert_string_equal(back.cursor, mark.cursor);
    assert_int_equal(back.request_to_us, mark.request_to_us);
    assert_int_equal(back.skipped.count, 1);
    assert_int_equal(back.skipped.items[0].to_us, mark.position_us);
    assert_int_equal(read_back.kept_count, ING_OVERLAP_SAVED); // the newest of them
    assert_memory_equal(read_back.kept, overlap.kept + 5, ING_OVERLAP_SAVED * sizeof *overlap.kept);
    // A cursor that leads nobody knows how far is not followed: its pages may end before the range does
    mark.request_to_us = mark.position_us;
    mf_buf_clear(&text);
    ing_watermark_encode(&mark, NULL, &text);
    assert_int_equal(ing_watermark_decode(json, mf_buf_str(&text), &back, NULL, NULL), 0);
    assert_string_equal(back.cursor, "");
    assert_int_equal(back.page, 0);
    ing_overlap_free(&overlap);
    ing_overlap_free(&read_back);
    mf_buf_free(&text);
    mf_json_free(&json);
}

static void test_fresh_mark(void **state)
{
    (void)state;
    struct ing_watermark mark;
    struct ing_watermark back;
    struct mf_buf text;
    struct mf_json *json = mf_json_new();
    mf_buf_init(&text, 10000);
    ing_watermark_init(&mark);
    ing_watermark_encode(&mark, NULL, &text);
    assert_string_equal(mf_buf_c_str(&text),
                        "{\"version\":1,\"status\":\"running\",\"page\":0,\"events\":0}");
    assert_int_equal(ing_watermark_decode(json, mf_buf_str(&text), &back, NULL, NULL), 0);
    assert_int_equal(back.last_time_us, INT64_MIN);
    assert_int_equal(back.position_us, 0);
    assert_string_equal(back.cursor, "");
    // A live series that was read and had nothing yet
    mark.position_us = ing_time("2024-01-02T14:42:00Z");
    mf_buf_clear(&text);
    ing_watermark_encode(&mark, NULL, &text);
    assert_int_equal(ing_watermark_decode(json, mf_buf_str(&text), &back, NULL, NULL), 0);
    assert_int_equal(back.position_us, mark.position_us);
    assert_int_equal(back.last_time_us, INT64_MIN);
    mf_buf_free(&text);
    mf_json_free(&json);
}

static void test_bad_values(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "not json",
        "[]",
        "{}",
        "{\"version\":2,\"status\":\"running\"}",
        "{\"version\":1}",
        "{\"version\":1,\"status\":\"sleeping\"}",
        "{\"version\":1,\"status\":\"running\",\"page\":-1}",
        "{\"version\":1,\"status\":\"running\",\"page\":99999999}",
        "{\"version\":1,\"status\":\"running\",\"pass\":9}",
        "{\"version\":1,\"status\":\"running\",\"events\":1.5}",
        "{\"version\":1,\"status\":\"running\",\"last_time\":\"noon\"}",
        "{\"version\":1,\"status\":\"running\",\"skipped\":[{\"from\":\"2024-01-02T00:00:00Z\"}]}",
        "{\"version\":1,\"status\":\"running\",\"overlap\":[\"1 2\"]}",
        "{\"version\":1,\"status\":\"running\",\"overlap\":[\"1 2 g\"]}",
        "{\"version\":1,\"status\":\"running\",\"overlap\":[\"1 2 3 4\"]}",
        "{\"version\":1,\"status\":\"running\",\"overlap\":[\"11111111111111111 2 3\"]}",
    };
    struct mf_json *json = mf_json_new();
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        struct ing_watermark mark = {.page = 42};
        struct ing_overlap overlap;
        struct mf_error err;
        ing_overlap_init(&overlap);
        if (ing_watermark_decode(json, mf_str_of(bad[i]), &mark, &overlap, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_string_equal(err.code, "bad_watermark");
        assert_int_equal(mark.page, 42); // set on success only
        ing_overlap_free(&overlap);
    }
    mf_json_free(&json);
}

static void test_runs(void **state)
{
    (void)state;
    struct ing_run run = {.status = ING_STATUS_COMPLETE, .series = 5, .events = 12154};
    struct ing_run back;
    struct mf_buf text;
    struct mf_json *json = mf_json_new();
    mf_buf_init(&text, 10000);
    mf_str_copy(run.arguments, sizeof run.arguments, MF_STR("0123456789abcdef0123456789abcdef"));
    mf_str_copy(run.not_complete, sizeof run.not_complete, MF_STR("ZZZZ=unknown_ticker"));
    ing_run_encode(&run, &text);
    assert_int_equal(ing_run_decode(json, mf_buf_str(&text), &back, NULL), 0);
    assert_int_equal(back.status, ING_STATUS_COMPLETE);
    assert_int_equal(back.events, 12154);
    assert_string_equal(back.arguments, run.arguments);
    assert_string_equal(back.not_complete, run.not_complete);
    struct mf_error err;
    assert_int_equal(ing_run_decode(json, MF_STR("{\"version\":1,\"status\":\"x\"}"), &back, &err), -1);
    assert_string_equal(err.code, "bad_watermark");
    mf_buf_free(&text);
    mf_json_free(&json);
}

static void test_ranges(void **state)
{
    (void)state;
    struct ing_range_list list = {.count = 0};
    assert_true(ing_range_list_add(&list, (struct ing_range){0, 10}));
    assert_true(ing_range_list_add(&list, (struct ing_range){10, 20})); // touches: joined
    assert_true(ing_range_list_add(&list, (struct ing_range){15, 18})); // lies within
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].to_us, 20);
    for (int i = 1; i < ING_SKIPPED_MAX; i++)
        assert_true(ing_range_list_add(&list, (struct ing_range){i * 100, i * 100 + 1}));
    assert_false(ing_range_list_add(&list, (struct ing_range){100000, 100001}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlap),    cmocka_unit_test(test_overlap_limit),
        cmocka_unit_test(test_mark),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_fresh_mark),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_runs),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
