// SPDX-License-Identifier: Apache-2.0
// marketflowctl wait: the manifest's format with every way to get it wrong, and what there is to wait for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "services/ctl/wait.h"

static void test_manifest(void **state)
{
    (void)state;
    struct ctl_manifest manifest;
    struct mf_error err;
    const struct mf_str text =
        MF_STR(" {\"manifest_version\":\"1.0\",\"run_id\":\"a1b2.c-d_e\",\"raw\":["
               "{\"topic\":\"market.raw.backfill\",\"partition\":7,\"offset\":9223372036854775806},"
               "{\"offset\":0,\"partition\":511,\"topic\":\"market.raw\"}]}\n");
    assert_int_equal(ctl_manifest_parse(text, &manifest, &err), 0);
    assert_string_equal(manifest.run_id, "a1b2.c-d_e");
    assert_int_equal(manifest.count, 2);
    assert_string_equal(manifest.partitions[0].topic, "market.raw.backfill");
    assert_int_equal(manifest.partitions[0].partition, 7);
    assert_true(manifest.partitions[0].offset == INT64_MAX - 1);
    assert_int_equal(manifest.partitions[1].partition, 511);
    assert_int_equal(manifest.partitions[1].offset, 0);
    ctl_manifest_free(&manifest);
    assert_int_equal(ctl_manifest_parse(MF_STR("{\"manifest_version\":\"1.0\",\"raw\":[]}"), &manifest, &err),
                     0);
    assert_int_equal(manifest.count, 0);
    assert_string_equal(manifest.run_id, "");
    ctl_manifest_free(&manifest);
}

#define HEAD "{\"manifest_version\":\"1.0\",\"raw\":["
#define ONE "{\"topic\":\"t\",\"partition\":0,\"offset\":1}"

static void test_what_is_no_manifest(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *names;
    } cases[] = {
        {"", "json_syntax", ""},
        {"[]", "bad_type", "the manifest"},
        {"{}", "missing_field", "manifest_version"},
        {"{\"manifest_version\":1,\"raw\":[]}", "bad_type", "manifest_version"},
        {"{\"manifest_version\":\"1.2\",\"raw\":[]}", "unsupported_version", "1.2"},
        {"{\"manifest_version\":\"1.1\",\"raw\":[]}", "missing_field", "complete"},
        {"{\"manifest_version\":\"1.0\"}", "missing_field", "raw"},
        {"{\"manifest_version\":\"1.0\",\"raw\":{}}", "bad_type", "raw"},
        {"{\"manifest_version\":\"1.0\",\"raw\":[],\"extra\":1}", "unknown_field", "extra"},
        {"{\"manifest_version\":\"1.0\",\"raw\":[],\"raw\":[]}", "json_duplicate_key", "raw"},
        {"{\"manifest_version\":\"1.0\",\"run_id\":\"\",\"raw\":[]}", "bad_value", "run_id"},
        {"{\"manifest_version\":\"1.0\",\"run_id\":\"a b\",\"raw\":[]}", "bad_value", "run_id"},
        {HEAD "1]}", "bad_type", "raw[0]"},
        {HEAD "{\"partition\":0,\"offset\":1}]}", "missing_field", "raw[0].topic"},
        {HEAD "{\"topic\":\"t\",\"offset\":1}]}", "missing_field", "raw[0].partition"},
        {HEAD ONE ",{\"topic\":\"t\",\"partition\":1}]}", "missing_field", "raw[1].offset"},
        {HEAD "{\"topic\":\"\",\"partition\":0,\"offset\":1}]}", "bad_value", "raw[0].topic"},
        {HEAD "{\"topic\":\"a b\",\"partition\":0,\"offset\":1}]}", "bad_value", "raw[0].topic"},
        {HEAD "{\"topic\":\"t\",\"partition\":512,\"offset\":1}]}", "bad_value", "raw[0].partition"},
        {HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":-1}]}", "bad_value", "raw[0].offset"},
        {HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":1.5}]}", "bad_value", "raw[0].offset"},
        {HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":9223372036854775807}]}", "bad_value",
         "raw[0].offset"},
        {HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":\"1\"}]}", "bad_type", "raw[0].offset"},
        {HEAD "{\"topic\":\"t\",\"partition\":0,\"offset\":1,\"more\":2}]}", "unknown_field", "raw[0].more"},
        {HEAD ONE "," ONE "]}", "duplicate_partition", "raw[0] and raw[1]"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ctl_manifest manifest = {.count = 77};
        struct mf_error err;
        assert_int_equal(ctl_manifest_parse(mf_str_of(cases[i].text), &manifest, &err), -1);
        if (strcmp(err.code, cases[i].code) != 0 || strstr(err.message, cases[i].names) == NULL)
            fail_msg("%s: %s [%s]", cases[i].text, err.message, err.code);
        assert_int_equal(manifest.count, 77); // set on success only
        assert_int_equal(err.class, MF_ERROR_POISON);
    }
}

#define ROOT                                                                                                 \
    "{\"manifest_version\":\"1.1\",\"run_id\":\"r\",\"complete\":false,\"written_time\":\"2024-01-02T00:00:" \
    "00.000Z\","                                                                                             \
    "\"feed\":\"bars\",\"timespan\":\"minute\",\"adjusted\":\"split\",\"from\":\"2024-01-01\",\"to\":"       \
    "\"2024-01-02\",\"raw\":[]"
#define SERIES ROOT ",\"series\":["
#define SYMBOL "\"symbol\":\"A\",\"status\":\"complete\",\"received\":1"

static void test_what_symbols_have(void **state)
{
    (void)state;
    struct ctl_manifest manifest;
    struct mf_error err;
    struct mf_str text = MF_STR(
        ROOT
        ",\"closures\":[{\"date\":\"2024-01-01\",\"cause\":\"holiday\",\"minutes\":390,\"name\":\"New Year's "
        "Day\"}],"
        "\"series\":[{" SYMBOL ",\"expected_sessions\":1,\"received_sessions\":1,\"expected_minutes\":390,"
        "\"missing_minutes\":2,\"unexamined\":0,\"causes\":{\"halt\":2},\"ranges\":[{\"from\":"
        "\"2024-01-02T14:30:00.000Z\",\"to\":\"2024-01-02T14:32:00.000Z\",\"missing\":2,\"cause\":\"halt\","
        "\"guess\":true}],\"ranges_left_out\":0},{" SYMBOL ",\"missing_days\":5}]}");
    assert_int_equal(ctl_manifest_parse(text, &manifest, &err), 0);
    assert_true(manifest.is_partial);
    assert_true(manifest.knows_series);
    assert_int_equal(manifest.series, 2);
    assert_int_equal(manifest.missing, 7);
    ctl_manifest_free(&manifest);
    assert_int_equal(ctl_manifest_parse(MF_STR(ROOT "}"), &manifest, &err), 0);
    assert_false(manifest.knows_series);
    ctl_manifest_free(&manifest);
    static const struct {
        const char *text, *code, *names;
    } cases[] = {
        {ROOT ",\"more\":1}", "unknown_field", "more"},
        {ROOT ",\"closures\":[{\"cause\":\"holiday\",\"minutes\":1}]}", "missing_field", "closures[0].date"},
        {ROOT ",\"closures\":[{\"date\":\"2024-02-30\",\"cause\":\"holiday\",\"minutes\":1}]}", "bad_value",
         "closures[0].date is not a date"},
        {SERIES "1]}", "bad_type", "series[0]"},
        {SERIES "{}]}", "missing_field", "series[0].symbol"},
        {SERIES "{" SYMBOL "},{" SYMBOL ",\"x\":1}]}", "unknown_field", "series[1].x"},
        {SERIES "{" SYMBOL ",\"missing_minutes\":-1}]}", "bad_value", "series[0].missing_minutes"},
        {SERIES "{" SYMBOL ",\"causes\":{\"halt\":\"2\"}}]}", "bad_value", "series[0].causes"},
        {SERIES "{" SYMBOL ",\"ranges\":[{\"from\":\"x\"}]}]}", "bad_value", "series[0].ranges[0].from"},
        {SERIES "{" SYMBOL ",\"ranges\":[{}]}]}", "missing_field", "series[0].ranges[0].from"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        assert_int_equal(ctl_manifest_parse(mf_str_of(cases[i].text), &manifest, &err), -1);
        if (strcmp(err.code, cases[i].code) != 0 || strstr(err.message, cases[i].names) == NULL)
            fail_msg("%s: %s [%s]", cases[i].text, err.message, err.code);
    }
}

static void many(struct mf_buf *text, unsigned count)
{
    mf_buf_add_c(text, HEAD);
    for (unsigned i = 0; i < count; i++)
        mf_buf_addf(text, "%s{\"topic\":\"t%u\",\"partition\":%u,\"offset\":1}", i > 0 ? "," : "", i / 512,
                    i % 512);
    mf_buf_add_c(text, "]}");
}

static void test_limit_of_partitions(void **state)
{
    (void)state;
    struct ctl_manifest manifest;
    struct mf_error err;
    struct mf_buf text;
    mf_buf_init(&text, CTL_MANIFEST_SIZE_MAX);
    many(&text, CTL_MANIFEST_PARTITIONS_MAX);
    assert_int_equal(ctl_manifest_parse(mf_buf_str(&text), &manifest, &err), 0);
    assert_int_equal(manifest.count, CTL_MANIFEST_PARTITIONS_MAX);
    ctl_manifest_free(&manifest);
    mf_buf_clear(&text);
    many(&text, CTL_MANIFEST_PARTITIONS_MAX + 1);
    assert_int_equal(ctl_manifest_parse(mf_buf_str(&text), &manifest, &err), -1);
    assert_string_equal(err.code, "json_items");
    mf_buf_free(&text);
}

static void test_file_that_is_not_there(void **state)
{
    (void)state;
    struct ctl_manifest manifest;
    struct mf_error err;
    assert_int_equal(ctl_manifest_read("/nowhere/manifest.json", &manifest, &err), -1);
    assert_string_equal(err.code, "bad_file");
    assert_int_equal(err.class, MF_ERROR_CONFIG);
}

static void test_goals(void **state)
{
    (void)state;
    const struct ctl_goal goals[] = {
        {"a", 0, 0, 10, 10},  // there
        {"a", 1, 0, 10, 9},   // one to go
        {"a", 2, 5, 5, -1},   // nothing in the log
        {"a", 3, 5, 15, -1},  // never begun: the whole log
        {"a", 4, 0, 10, 300}, // beyond
    };
    const struct ctl_goal *first = NULL;
    uint64_t left = 0;
    assert_int_equal(ctl_goals_behind(goals, MF_ARRAY_LEN(goals), &first, &left), 2);
    assert_ptr_equal(first, &goals[1]);
    assert_int_equal(left, 11);
    assert_int_equal(ctl_goals_behind(goals, 1, &first, &left), 0);
    assert_int_equal(left, 0);
    assert_int_equal(ctl_goals_behind(NULL, 0, &first, &left), 0);
}

static void test_manifest_of_other_logs(void **state)
{
    (void)state;
    const char *const inputs[] = {"market.raw", "market.raw.backfill"};
    const struct mf_kafka_range raw[] = {{0, 10}}, backfill[] = {{5, 20}, {0, 0}};
    const struct mf_kafka_range *const ranges[] = {raw, backfill};
    const size_t counts[] = {1, 2};
    static const struct {
        struct ctl_manifest_partition partition;
        const char *code; // NULL = fine
    } cases[] = {
        {{"market.raw", 0, 9}, NULL},
        {{"market.raw.backfill", 0, 19}, NULL},
        {{"market.raw.backfill", 0, 1}, NULL}, // gone by retention: it was there
        {{"market.raw", 0, 10}, "manifest_offset"},
        {{"market.raw.backfill", 1, 0}, "manifest_offset"},
        {{"market.raw", 1, 0}, "manifest_partition"},
        {{"market.bars", 0, 0}, "manifest_topic"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_error err = {.code = ""};
        int result = ctl_manifest_check(&cases[i].partition, inputs, ranges, counts, 2, &err);
        assert_int_equal(result, cases[i].code == NULL ? 0 : -1);
        assert_string_equal(err.code, cases[i].code == NULL ? "" : cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_what_is_no_manifest),
        cmocka_unit_test(test_what_symbols_have),
        cmocka_unit_test(test_limit_of_partitions),
        cmocka_unit_test(test_file_that_is_not_there),
        cmocka_unit_test(test_goals),
        cmocka_unit_test(test_manifest_of_other_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
