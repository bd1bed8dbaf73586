// SPDX-License-Identifier: Apache-2.0
// The first line of defence: records that may share a statement, and the letters for those that may not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/sink/record.h"

struct fixture {
    struct snk_checker *checker;
    struct mf_buf bar, metric, letter;
    struct mf_event event;
};

static void encode(const struct mf_event *event, struct mf_buf *out)
{
    struct mf_error err;
    mf_buf_init(out, MF_DEAD_LETTER_SIZE_MAX);
    if (mf_event_encode(event, out, &err) != 0)
        fail_msg("%s: %s", err.code, err.message);
}

static void envelope(struct mf_event *event, enum mf_event_type type, const char *source)
{
    mf_event_init(event, type);
    event->symbol = MF_STR("AAPL");
    event->asset_class = MF_ASSET_STOCK;
    event->source = mf_str_of(source);
    event->lane = MF_STR("live");
    event->event_time_us = INT64_C(1704205800000000);
    event->ingest_time_us = INT64_C(1704205862113000);
    event->mode = MF_MODE_REST;
}

static void make_bar(struct mf_event *event)
{
    envelope(event, MF_EVENT_BAR, "polygon");
    event->flags = MF_FLAG_IS_MOCK | MF_FLAG_WARMUP;
    event->bar.interval = MF_INTERVAL_1M;
    event->bar.window_end_us = event->event_time_us + MF_US_PER_MINUTE;
    event->bar.session_date = (struct mf_date){2024, 1, 2};
    event->bar.session = MF_SESSION_REGULAR;
    event->bar.open = MF_STR("187.15");
    event->bar.high = MF_STR("187.40");
    event->bar.low = MF_STR("186.9");
    event->bar.close = MF_STR("187.22");
    event->bar.volume = MF_STR("41203.5");
    event->bar.adjusted = MF_ADJUSTED_SPLIT;
    event->bar.vendor_ms = 1704205800000;
}

static void make_metric(struct mf_event *event)
{
    envelope(event, MF_EVENT_METRIC, "processor");
    event->metric.interval = MF_INTERVAL_1M;
    event->metric.adjusted = MF_ADJUSTED_SPLIT;
    event->metric.bar_time_us = event->event_time_us;
    event->metric.revision = 3;
    event->metric.parent_source = MF_STR("polygon");
    event->metric.cause = MF_STR("7d1f0c9b6e52a3484c1b0e9f2a6d5538");
    event->metric.n_obs = 21;
    event->metric.present = UINT64_C(1) << MF_METRIC_FIELD_RSI_14;
    event->metric.values[MF_METRIC_FIELD_RSI_14] = 61.5;
}

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->checker = snk_checker_new();
    make_bar(&f->event);
    encode(&f->event, &f->bar);
    make_metric(&f->event);
    encode(&f->event, &f->metric);
    mf_buf_init(&f->letter, MF_DEAD_LETTER_SIZE_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snk_checker_free(&f->checker);
    mf_buf_free(&f->bar);
    mf_buf_free(&f->metric);
    mf_buf_free(&f->letter);
    free(f);
    return 0;
}

static struct snk_record record_of(enum snk_table table, struct mf_str value)
{
    return (struct snk_record){.table = table,
                               .topic = "market.x",
                               .partition = 3,
                               .offset = 42,
                               .timestamp_ms = 1704205862000,
                               .value = value};
}

static void accept(struct fixture *f, const struct snk_record *record)
{
    struct mf_error err;
    if (snk_record_check(f->checker, record, &err) != 0)
        fail_msg("%s: %s", err.code, err.message);
}

static void refuse(struct fixture *f, const struct snk_record *record, const char *code)
{
    struct mf_error err;
    assert_int_equal(snk_record_check(f->checker, record, &err), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_string_equal(err.code, code);
}

static void test_a_bar(void **state)
{
    struct fixture *f = *state;
    struct snk_record record = record_of(SNK_TABLE_BARS, mf_buf_str(&f->bar));
    accept(f, &record);
    assert_int_equal(f->checker->revision, 0);
    assert_string_equal(f->checker->flags, "is_mock,warmup");
    assert_string_equal(f->checker->dedupe_key, "AAPL|2024-01-02T14:30:00.000Z|bar.1m.split");
    assert_int_equal(f->checker->dedupe_key_len, strlen(f->checker->dedupe_key));
}

static void test_headers_of_a_bar(void **state)
{
    struct fixture *f = *state;
    struct snk_record record = record_of(SNK_TABLE_BARS, mf_buf_str(&f->bar));
    record.revision_header = MF_STR("2");
    record.flags_header = MF_STR("late,corrected");
    accept(f, &record);
    assert_int_equal(f->checker->revision, 2);
    assert_string_equal(f->checker->flags, "is_mock,warmup,late,corrected");

    static const char *const revisions[] = {"", "x", "-1", "2147483648", "1.5", "99999999999999999999"};
    for (size_t i = 0; i < MF_ARRAY_LEN(revisions); i++) {
        record.revision_header = mf_str_of(revisions[i]);
        refuse(f, &record, "bad_revision");
    }
    record.revision_header = MF_STR("2147483647");
    accept(f, &record);
    assert_int_equal(f->checker->revision, INT32_MAX);

    static const char *const flags[] = {
        ",", "late,", "a,,b", "LATE", "late corrected", "x\"y", "abcdefghijklmnopqrstuvwxyzabcdefghij"};
    for (size_t i = 0; i < MF_ARRAY_LEN(flags); i++) {
        record.flags_header = mf_str_of(flags[i]);
        refuse(f, &record, "bad_flags");
    }
    record.flags_header = MF_STR("");
    accept(f, &record);
    assert_string_equal(f->checker->flags, "is_mock,warmup");
}

static void test_all_flags_at_once_fit(void **state)
{
    struct fixture *f = *state;
    struct mf_buf all;
    make_bar(&f->event);
    f->event.flags = MF_FLAG_ALL;
    encode(&f->event, &all);
    struct snk_record record = record_of(SNK_TABLE_BARS, mf_buf_str(&all));
    // The longest header that is accepted: 96 bytes.
    record.flags_header = MF_STR("abcdefghijklmnopqrstuvwxyzabcdef,abcdefghijklmnopqrstuvwxyzabcdef,"
                                 "abcdefghijklmnopqrstuvwxyzabcd");
    assert_int_equal(record.flags_header.len, 96);
    accept(f, &record);
    assert_true(strlen(f->checker->flags) > 96);
    record.flags_header = MF_STR("abcdefghijklmnopqrstuvwxyzabcdef,abcdefghijklmnopqrstuvwxyzabcdef,"
                                 "abcdefghijklmnopqrstuvwxyzabcde");
    refuse(f, &record, "bad_flags");
    mf_buf_free(&all);
}

static void test_revision_of_what_the_processor_made(void **state)
{
    struct fixture *f = *state;
    struct snk_record record = record_of(SNK_TABLE_METRICS, mf_buf_str(&f->metric));
    record.revision_header = MF_STR("9"); // the payload's own counts
    accept(f, &record);
    assert_int_equal(f->checker->revision, 3);
}

static void test_refused_records(void **state)
{
    struct fixture *f = *state;
    struct snk_record record = record_of(SNK_TABLE_BARS, MF_STR_NULL);
    refuse(f, &record, "empty_record");
    record.value = MF_STR("");
    refuse(f, &record, "empty_record");
    record.value = MF_STR("{\"schema_version\":\"1.0\"");
    refuse(f, &record, "json_syntax");
    record.value = MF_STR("{\"a\":1,\"a\":2}");
    refuse(f, &record, "json_duplicate_key");
    record.value = MF_STR("{\"schema_version\":\"2.0\",\"event_type\":\"bar\"}");
    refuse(f, &record, "unsupported_version");
    // Fine in itself, but on another topic.
    record.value = mf_buf_str(&f->metric);
    refuse(f, &record, "wrong_event_type");
    record = record_of(SNK_TABLE_METRICS, mf_buf_str(&f->bar));
    refuse(f, &record, "wrong_event_type");
}

static void test_event_id_of_a_record(void **state)
{
    struct fixture *f = *state;
    char id[MF_EVENT_ID_SIZE];
    struct snk_record record = record_of(SNK_TABLE_BARS, mf_buf_str(&f->bar));
    accept(f, &record);
    char want[MF_EVENT_ID_SIZE];
    mf_str_copy(want, sizeof want, f->checker->event.event_id);
    snk_record_event_id(f->checker, record.value, id);
    assert_string_equal(id, want);
    static const char *const without[] = {"", "{", "{}", "[]", "{\"event_id\":7}", "7"};
    for (size_t i = 0; i < MF_ARRAY_LEN(without); i++) {
        snk_record_event_id(f->checker, mf_str_of(without[i]), id);
        assert_string_equal(id, "");
    }
    snk_record_event_id(f->checker, MF_STR_NULL, id);
    assert_string_equal(id, "");
    snk_record_event_id(f->checker, MF_STR("{\"event_id\":\"7d1f0c9b6e52a3484c1b0e9f2a6d55387d1f0c9b\"}"),
                        id);
    assert_string_equal(id, "");
}

static void test_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct mf_error refused;
    struct mf_error err;
    struct snk_record record = record_of(SNK_TABLE_BARS, MF_STR("not \xff json"));
    assert_int_equal(snk_record_check(f->checker, &record, &refused), -1);
    assert_int_equal(snk_dead_letter(&record, &refused, 2, &f->letter, &err), 0);

    // It passes the checks of its own table, and says where it came from.
    struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
    accept(f, &letter);
    const struct mf_dead_letter *got = &f->checker->event.dead_letter;
    assert_true(mf_str_eq_c(got->stage, "sink"));
    assert_true(mf_str_eq_c(got->reason, "json_syntax"));
    assert_int_equal(got->attempts, 2);
    assert_true(mf_str_eq_c(got->origin.topic, "market.x"));
    assert_int_equal(got->origin.partition, 3);
    assert_int_equal(got->origin.offset, 42);
    assert_int_equal(f->checker->event.event_time_us, INT64_C(1704205862000000));
    unsigned char bytes[64];
    size_t len = 0;
    assert_true(mf_base64_decode(got->raw, bytes, sizeof bytes, &len));
    assert_memory_equal(bytes, record.value.data, record.value.len);
    assert_int_equal(len, record.value.len);
}

// They came with the record that the letter holds, and may be what was wrong with it.
static void test_headers_of_a_dead_letter_are_not_its_own(void **state)
{
    struct fixture *f = *state;
    struct mf_error refused;
    struct mf_error err;
    struct snk_record record = record_of(SNK_TABLE_BARS, mf_buf_str(&f->bar));
    record.revision_header = MF_STR("abc");
    assert_int_equal(snk_record_check(f->checker, &record, &refused), -1);
    assert_string_equal(refused.code, "bad_revision");
    assert_int_equal(snk_dead_letter(&record, &refused, 1, &f->letter, &err), 0);
    static const char *const headers[][2] = {{"abc", "NOT FLAGS"}, {"3", "late"}, {"\xff", ""}};
    for (size_t i = 0; i < MF_ARRAY_LEN(headers); i++) {
        struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
        letter.revision_header = mf_str_of(headers[i][0]);
        letter.flags_header = mf_str_of(headers[i][1]);
        accept(f, &letter);
        assert_int_equal(f->checker->revision, 0);
        assert_string_equal(f->checker->flags, "");
    }
}

static void test_dead_letter_of_nothing_and_of_too_much(void **state)
{
    struct fixture *f = *state;
    struct mf_error refused = {.class = MF_ERROR_POISON, .code = "empty_record", .message = "no value"};
    struct mf_error err;
    struct snk_record record = record_of(SNK_TABLE_BARS, MF_STR_NULL);
    record.timestamp_ms = -1; // the broker knew none
    assert_int_equal(snk_dead_letter(&record, &refused, 1, &f->letter, &err), 0);
    struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
    accept(f, &letter);
    assert_int_equal(f->checker->event.event_time_us, 0);

    // Beyond 256 KiB the bytes are cut; size and hash tell what there was.
    size_t size = 1000000;
    char *much = mf_alloc(size);
    memset(much, 'z', size);
    record.value = (struct mf_str){much, size};
    mf_buf_clear(&f->letter);
    assert_int_equal(snk_dead_letter(&record, &refused, 1, &f->letter, &err), 0);
    letter.value = mf_buf_str(&f->letter);
    accept(f, &letter);
    assert_int_equal(f->checker->event.dead_letter.raw_size, size);
    free(much);
}

// A producer may write any timestamp; its record is refused for what it is, and the letter is an event.
static void test_letters_of_records_with_odd_timestamps(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t given, kept;
    } cases[] = {
        {INT64_C(1704205862000000), INT64_C(253402300799999)}, // microseconds
        {INT64_C(253402300800000), INT64_C(253402300799999)},  // the year 10000
        {INT64_MAX, INT64_C(253402300799999)},
        {INT64_MIN, 0},
    };
    struct mf_error refused = {.class = MF_ERROR_POISON, .code = "json_syntax", .message = "no JSON"};
    struct mf_error err;
    for (size_t i = 0; i < 2 * MF_ARRAY_LEN(cases); i++) {
        struct snk_record record = record_of(SNK_TABLE_BARS, MF_STR("poison"));
        record.timestamp_ms = cases[i / 2].given;
        mf_buf_clear(&f->letter);
        int result = i % 2 == 0 ? snk_dead_letter(&record, &refused, 1, &f->letter, &err)
                                : snk_dead_letter_digest(&record, &refused, &f->letter, &err);
        if (result != 0)
            fail_msg("%lld: %s: %s", (long long)record.timestamp_ms, err.code, err.message);
        struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
        accept(f, &letter);
        const struct mf_event *event = &f->checker->event;
        assert_int_equal(event->event_time_us, cases[i / 2].kept * MF_US_PER_MS);
        assert_int_equal(event->ingest_time_us, cases[i / 2].kept * MF_US_PER_MS);
        assert_int_equal(event->dead_letter.origin.timestamp_ms, cases[i / 2].kept);
    }
}

static void test_dead_letter_with_a_message_that_is_no_text(void **state)
{
    struct fixture *f = *state;
    struct mf_error refused = {
        .class = MF_ERROR_POISON, .code = "warehouse_22021", .message = "byte \xff\xfe"};
    struct mf_error err;
    struct snk_record record = record_of(SNK_TABLE_BARS, MF_STR("x"));
    assert_int_equal(snk_dead_letter(&record, &refused, 1, &f->letter, &err), 0);
    struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
    accept(f, &letter);
    assert_true(mf_str_eq_c(f->checker->event.dead_letter.detail, "warehouse_22021"));
}

static void test_digest_of_a_bad_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct mf_error refused;
    struct mf_error err;
    struct snk_record record = record_of(SNK_TABLE_DEAD_LETTERS, MF_STR("garbage"));
    assert_int_equal(snk_record_check(f->checker, &record, &refused), -1);
    assert_int_equal(snk_dead_letter_digest(&record, &refused, &f->letter, &err), 0);
    struct snk_record letter = record_of(SNK_TABLE_DEAD_LETTERS, mf_buf_str(&f->letter));
    accept(f, &letter);
    const struct mf_dead_letter *got = &f->checker->event.dead_letter;
    assert_true(mf_str_eq_c(got->reason, "bad_dead_letter"));
    assert_int_equal(got->raw.len, 0);
    char detail[600];
    mf_str_copy(detail, sizeof detail, got->detail);
    char digest[65];
    assert_non_null(strstr(detail, "7 bytes"));
    assert_non_null(strstr(detail, mf_sha256_hex("garbage", 7, digest)));
    assert_non_null(strstr(detail, "json_syntax"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_bar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_of_a_bar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_flags_at_once_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revision_of_what_the_processor_made, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_event_id_of_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_of_a_dead_letter_are_not_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letter_of_nothing_and_of_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_letters_of_records_with_odd_timestamps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letter_with_a_message_that_is_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_digest_of_a_bad_dead_letter, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
