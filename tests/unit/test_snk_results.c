// SPDX-License-Identifier: Apache-2.0
// Results of dbt and Great Expectations: the fixtures of tests/data/results as rows, and what is refused,
// naming file and field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/sink/results.h"

#define DATA MF_SOURCE_DIR "/tests/data/results/"
#define FILE_MAX ((size_t)1024 * 1024)

struct document {
    struct mf_json *json;
    const struct mf_json_node *root;
};

static struct document document_of(struct mf_str text)
{
    struct document d = {.json = mf_json_new()};
    struct mf_error err;
    if (mf_json_parse(d.json, text, &snk_results_limits, &d.root, &err) != 0)
        fail_msg("%s", err.message);
    return d;
}

static char *text_of(const char *path)
{
    static char text[FILE_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", path);
    size_t got = fread(text, 1, sizeof text - 1, file);
    text[got] = '\0';
    fclose(file);
    return text;
}

static struct document file_of(const char *path)
{
    return document_of(mf_str_of(text_of(path)));
}

// Reads a document as the command does; the manifest is that of the fixtures.
static int read_as(struct document *d, struct snk_results_list *list, struct mf_error *err)
{
    struct document manifest = file_of(DATA "target/manifest.json");
    enum snk_results_kind kind;
    int result = snk_results_kind("f.json", d->root, &kind, err);
    if (result == 0)
        result = snk_results_read("f.json", d->root, kind, "m.json", manifest.root, list, err);
    mf_json_free(&manifest.json);
    return result;
}

// Row `row` of the results, as a node of a document that the caller frees.
static const struct mf_json_node *row_of(const struct snk_results *results, size_t row, struct document *d)
{
    assert_int_equal(results->chunk_count, 1);
    *d = document_of(mf_buf_str(&results->chunks[0]));
    const struct mf_json_node *node = mf_json_first(d->root);
    while (node != NULL && row-- > 0)
        node = mf_json_next(node);
    assert_non_null(node);
    return node;
}

static const struct snk_results *at(const struct snk_results_list *list, size_t place)
{
    if (list->items == NULL || place >= list->count)
        abort();
    return &list->items[place];
}

static const struct mf_json_node *column(const struct mf_json_node *row, size_t number)
{
    const struct mf_json_node *node = mf_json_first(row);
    while (number-- > 0)
        node = mf_json_next(node);
    assert_non_null(node);
    return node;
}

// NULL = the column is null.
static void check(const struct mf_json_node *row, size_t number, const char *expected)
{
    const struct mf_json_node *node = column(row, number);
    if (expected == NULL) {
        assert_int_equal(mf_json_type(node), MF_JSON_NULL);
        return;
    }
    struct mf_str text = mf_json_text(node);
    if (!mf_str_eq_c(text, expected))
        fail_msg("column %zu is '%.*s', not '%s'", number, MF_STR_ARG(text), expected);
}

static void check_row(const struct snk_results *results, size_t row, const char *const *expected,
                      size_t count)
{
    struct document d = {.json = NULL};
    const struct mf_json_node *node = row_of(results, row, &d);
    assert_true(mf_json_count(node) >= count);
    for (size_t i = 0; i < count; i++)
        check(node, i, expected[i]);
    mf_json_free(&d.json);
}

#define INVOCATION "6f0c5c2a-3f0e-4d58-9a8e-2b1f7c9d4e11"
#define AT "2024-01-02T14:35:12.345678Z"

// What only the manifest says of some of the rows.
static void check_manifest_columns(const struct snk_results *results)
{
    struct document row = {.json = NULL};
    const struct mf_json_node *node = row_of(results, 2, &row);
    check(node, 15, "error"); // as the manifest has it: ERROR
    assert_int_equal(mf_json_count(column(node, 18)), 0);
    mf_json_free(&row.json);
    node = row_of(results, 4, &row);
    check(node, 17, "singular");
    mf_json_free(&row.json);
    node = row_of(results, 5, &row);
    check(node, 6, "unit_test");
    check(node, 17, "unit");
    mf_json_free(&row.json);
    node = row_of(results, 0, &row);
    assert_int_equal(mf_json_count(column(node, 18)), 2);
    mf_json_free(&row.json);
}

static void test_run_results(void **state)
{
    (void)state;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    struct document d = file_of(DATA "target/run_results.json");
    if (read_as(&d, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(list.count, 1);
    assert_int_equal(at(&list, 0)->table, SNK_RESULTS_DBT);
    assert_string_equal(at(&list, 0)->invocation_id, INVOCATION);
    assert_int_equal(at(&list, 0)->row_count, 8);
    static const char *const model[] = {INVOCATION,
                                        AT,
                                        "1.11.16",
                                        "build",
                                        "dev",
                                        "model.marketflow.fct_daily_prices",
                                        "model",
                                        "fct_daily_prices",
                                        "success",
                                        "12.5",
                                        NULL,
                                        "INSERT 0 1204",
                                        "Thread-1 (worker)",
                                        "\"marketflow\".\"marts_market\".\"fct_daily_prices\"",
                                        "1204",
                                        NULL,
                                        NULL,
                                        NULL};
    check_row(at(&list, 0), 1, model, MF_ARRAY_LEN(model));
    static const char *const warned[] = {
        INVOCATION,
        AT,
        "1.11.16",
        "build",
        "dev",
        "test.marketflow.accepted_values_stg_bars_interval__1m__1d.77ab01cd22",
        "test",
        "accepted_values_stg_bars_interval__1m__1d",
        "warn",
        "0.8123",
        "3",
        "Got 3 results, configured to warn if != 0",
        "Thread-1 (worker)",
        NULL,
        NULL,
        "warn",
        "interval",
        "accepted_values"};
    check_row(at(&list, 0), 3, warned, MF_ARRAY_LEN(warned));
    check_manifest_columns(at(&list, 0));
    snk_results_free(&list);
    mf_json_free(&d.json);
}

static void test_sources(void **state)
{
    (void)state;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    struct document d = file_of(DATA "target/sources.json");
    if (read_as(&d, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(list.count, 1);
    assert_int_equal(at(&list, 0)->table, SNK_RESULTS_DQ);
    assert_int_equal(at(&list, 0)->row_count, 3);
    static const char *const late[] = {"0d2f6f5e-8a53-4a2c-9f2e-77f0b0d3a0c2",
                                       "dbt_source_freshness",
                                       "1.11.16",
                                       AT,
                                       "source_freshness",
                                       "source.marketflow.market_raw.raw_news",
                                       "freshness",
                                       "source.marketflow.market_raw.raw_news",
                                       NULL,
                                       "error"};
    check_row(at(&list, 0), 1, late, MF_ARRAY_LEN(late));
    struct document row = {.json = NULL};
    const struct mf_json_node *node = row_of(at(&list, 0), 1, &row);
    assert_false(mf_json_bool(column(node, 10)));
    check(node, 12, "911.1");
    check(node, 13,
          "{\"warn_after\":{\"count\":5,\"period\":\"minute\"},\"error_after\":{\"count\":15,"
          "\"period\":\"minute\"},\"filter\":null}");
    mf_json_free(&row.json);
    node = row_of(at(&list, 0), 2, &row);
    check(node, 9, "runtime error");
    check(node, 12, NULL);
    check(node, 15, "relation \"raw.raw_alerts\" does not exist");
    mf_json_free(&row.json);
    snk_results_free(&list);
    mf_json_free(&d.json);
}

static void test_validation(void **state)
{
    (void)state;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    struct document d = file_of(DATA "gx_validation.json");
    if (read_as(&d, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(list.count, 1);
    assert_string_equal(at(&list, 0)->invocation_id,
                        "gx/nightly/2024-01-02T14:35:00.250000+00:00/raw_bars_daily/raw_bars");
    assert_int_equal(at(&list, 0)->row_count, 4);
    static const char *const between[] = {
        "gx/nightly/2024-01-02T14:35:00.250000+00:00/raw_bars_daily/raw_bars",
        "great_expectations",
        "1.5.8",
        "2024-01-02T14:35:00.250000Z",
        "raw_bars_daily",
        "1:expect_column_values_to_be_between:close",
        "expect_column_values_to_be_between",
        "raw_bars",
        "close",
        "fail"};
    check_row(at(&list, 0), 1, between, MF_ARRAY_LEN(between));
    struct document row = {.json = NULL};
    const struct mf_json_node *node = row_of(at(&list, 0), 1, &row);
    check(node, 11, "warning");
    check(node, 13, "{\"column\":\"close\",\"min_value\":0.01,\"max_value\":1000000}");
    check(node, 14, "2");
    mf_json_free(&row.json);
    node = row_of(at(&list, 0), 2, &row);
    check(node, 12, "1204");
    check(node, 9, "pass");
    mf_json_free(&row.json);
    node = row_of(at(&list, 0), 3, &row);
    check(node, 9, "error");
    check(node, 15, "column \"volume\" does not exist");
    mf_json_free(&row.json);
    snk_results_free(&list);
    mf_json_free(&d.json);
}

static void test_checkpoint(void **state)
{
    (void)state;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    struct document d = file_of(DATA "gx_checkpoint.json");
    if (read_as(&d, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(list.count, 2);
    assert_string_equal(at(&list, 0)->invocation_id, "gx//2024-01-03T01:00:00+01:00/bars/raw_bars");
    assert_string_equal(at(&list, 1)->invocation_id, "gx//2024-01-03T01:00:00+01:00/news/raw_news");
    assert_int_equal(at(&list, 0)->row_count, 2);
    struct document row = {.json = NULL};
    const struct mf_json_node *node = row_of(at(&list, 1), 0, &row);
    check(node, 2, "0.18.22");
    check(node, 3, "2024-01-03T00:00:00.000000Z");
    check(node, 9, "fail");
    mf_json_free(&row.json);
    snk_results_free(&list);
    mf_json_free(&d.json);
}

// A checkpoint over January and February of one asset is two invocations: the second is not there already.
static void test_batches_of_one_asset(void **state)
{
    (void)state;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    struct document d = file_of(DATA "gx_batches.json");
    if (read_as(&d, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_int_equal(list.count, 4);
    assert_string_not_equal(at(&list, 0)->invocation_id, at(&list, 1)->invocation_id);
    // Its members in another order are the same batch, and one without a value is the whole asset.
    assert_string_equal(at(&list, 0)->invocation_id, at(&list, 2)->invocation_id);
    assert_string_equal(at(&list, 3)->invocation_id, "gx/monthly/2024-03-01T01:00:00+00:00/bars/raw_bars");
    snk_results_free(&list);
    mf_json_free(&d.json);
}

#define META(artifact)                                                                \
    "\"metadata\":{\"dbt_schema_version\":\"https://schemas.getdbt.com/dbt/" artifact \
    ".json\",\"dbt_version\":\"1\",\"generated_at\":\"2024-01-02T00:00:00Z\",\"invocation_id\":\"i\"}"
#define RUN(results) "{" META("run-results/v6") ",\"results\":[" results "]}"
#define ID "\"unique_id\":\"model.marketflow.stg_bars\""
#define GX(rest) "{\"results\":[],\"statistics\":{},\"suite_name\":\"s\",\"meta\":{\"run_id\":{" rest "}}}"

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *names;
    } cases[] = {
        {"{}", "not_results", "f.json"},
        {"[]", "not_results", "f.json"},
        {"{" META("manifest/v12") "}", "not_results", "f.json"},
        {"{" META("run-results/v4") ",\"results\":[]}", "unsupported_version", "metadata.dbt_schema_version"},
        {"{" META("sources/v2") ",\"results\":[]}", "unsupported_version", "metadata.dbt_schema_version"},
        {"{\"metadata\":{\"dbt_schema_version\":\"/dbt/run-results/v6.json\"},\"results\":[]}",
         "missing_field", "metadata.invocation_id"},
        {"{" META("run-results/v6") "}", "missing_field", "results"},
        {"{" META("run-results/v6") ",\"results\":{}}", "bad_type", "results"},
        {RUN("{}"), "missing_field", "results[0].unique_id"},
        {RUN("{" ID "}"), "missing_field", "results[0].status"},
        {RUN("{" ID ",\"status\":\"\"}"), "bad_value", "results[0].status"},
        {RUN("{" ID ",\"status\":7}"), "bad_type", "results[0].status"},
        {RUN("{" ID ",\"status\":\"pass\"}"), "missing_field", "results[0].execution_time"},
        {RUN("{" ID ",\"status\":\"pass\",\"execution_time\":1,\"failures\":\"3\"}"), "bad_type",
         "results[0].failures"},
        {RUN("{" ID ",\"status\":\"pass\",\"execution_time\":1,\"message\":[]}"), "bad_type",
         "results[0].message"},
        {RUN("{\"unique_id\":\"test.gone\",\"status\":\"pass\",\"execution_time\":1}"), "missing_field",
         "m.json: nodes.test.gone is missing: the manifest belongs to another run"},
        {"{" META("sources/v3") ",\"results\":[{\"unique_id\":\"s\",\"status\":\"pass\"}]}", "missing_field",
         "results[0].max_loaded_at_time_ago_in_s"},
        {GX(""), "missing_field", "meta.run_id.run_time"},
        {GX("\"run_time\":\"yesterday\""), "bad_value", "meta.run_id.run_time"},
        {"{\"results\":[],\"statistics\":{},\"meta\":{\"run_id\":{\"run_time\":\"2024-01-02T00:00:00Z\"}}}",
         "missing_field", "suite_name"},
        {"{\"results\":[{\"success\":1}],\"statistics\":{},\"suite_name\":\"s\",\"meta\":{\"run_id\":"
         "{\"run_time\":\"2024-01-02T00:00:00Z\"}}}",
         "bad_type", "results[0].success"},
        {"{\"results\":[{\"success\":true,\"expectation_config\":{\"kwargs\":{}}}],\"statistics\":{},"
         "\"suite_name\":\"s\",\"meta\":{\"run_id\":{\"run_time\":\"2024-01-02T00:00:00Z\"}}}",
         "missing_field", "results[0].type"},
        {"{\"run_results\":{}}", "missing_field", "run_id"},
        {"{\"run_results\":{\"a\":{}},\"run_id\":{}}", "missing_field", "run_results[0].meta"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct snk_results_list list = {.count = 0};
        struct mf_error err = {.code = ""};
        struct document d = document_of(mf_str_of(cases[i].text));
        assert_int_equal(read_as(&d, &list, &err), -1);
        if (strcmp(err.code, cases[i].code) != 0 || strstr(err.message, cases[i].names) == NULL)
            fail_msg("%s: %s [%s]", cases[i].text, err.message, err.code);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_int_equal(list.count, 0);
        mf_json_free(&d.json);
    }
}

// A long text is cut at a character, many rows are several statements, no row is in two.
static void test_limits(void **state)
{
    (void)state;
    struct mf_buf text;
    struct snk_results_list list = {.count = 0};
    struct mf_error err;
    mf_buf_init(&text, (size_t)64 * 1024 * 1024);
    mf_buf_add_c(&text, "{" META("run-results/v6") ",\"results\":[");
    for (int i = 0; i < 300; i++) {
        mf_buf_addf(&text, "%s{" ID ",\"status\":\"error\",\"execution_time\":1,\"message\":\"x",
                    i > 0 ? "," : "");
        for (int c = 0; c < SNK_RESULTS_MESSAGE_MAX / 2; c++)
            mf_buf_add_c(&text, "\xc3\xa9");
        mf_buf_add_c(&text, "\"}");
    }
    mf_buf_add_c(&text, "]}");
    struct document d = document_of(mf_buf_str(&text));
    assert_int_equal(read_as(&d, &list, &err), 0);
    assert_int_equal(at(&list, 0)->row_count, 300);
    assert_true(at(&list, 0)->chunk_count > 1);
    size_t rows = 0;
    for (size_t c = 0; c < at(&list, 0)->chunk_count; c++) {
        assert_true(at(&list, 0)->chunks[c].len <= SNK_RESULTS_CHUNK + 2);
        struct document chunk = document_of(mf_buf_str(&at(&list, 0)->chunks[c]));
        rows += mf_json_count(chunk.root);
        struct mf_str message = mf_json_text(column(mf_json_first(chunk.root), 11));
        assert_int_equal(message.len, SNK_RESULTS_MESSAGE_MAX - 1);
        mf_json_free(&chunk.json);
    }
    assert_int_equal(rows, 300);
    snk_results_free(&list);
    mf_json_free(&d.json);
    mf_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_results),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_batches_of_one_asset),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
