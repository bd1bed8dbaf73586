// SPDX-License-Identifier: Apache-2.0
// Great Expectations (0.18 and 1.x): a validation result of one suite, and a checkpoint result that holds
// several. Which file is which, for dbt's too. An invocation is run, suite, asset and batch: each is loaded
// once.
#include <inttypes.h>
#include <stdio.h>

#include "common/hash.h"
#include "services/sink/results.h"

#define TEXT_MAX_BYTES 150 // parts of an invocation's id
#define TYPE_MAX_BYTES 200

static const struct mf_json_node *member(const struct mf_json_node *object, const char *first,
                                         const char *second)
{
    return mf_json_get(mf_json_get(object, first), second);
}

int snk_results_kind(const char *file, const struct mf_json_node *root, enum snk_results_kind *kind,
                     struct mf_error *err)
{
    struct mf_str schema = mf_json_text(member(root, "metadata", "dbt_schema_version"));
    if (schema.data != NULL && memmem(schema.data, schema.len, "/dbt/run-results/", 17) != NULL)
        *kind = SNK_KIND_RUN_RESULTS;
    else if (schema.data != NULL && memmem(schema.data, schema.len, "/dbt/sources/", 13) != NULL)
        *kind = SNK_KIND_SOURCES;
    else if (schema.data == NULL && mf_json_get(root, "run_results") != NULL)
        *kind = SNK_KIND_CHECKPOINT;
    else if (schema.data == NULL && mf_json_get(root, "results") != NULL &&
             mf_json_get(root, "statistics") != NULL)
        *kind = SNK_KIND_VALIDATION;
    else
        return mf_error_set(err, MF_ERROR_CONFIG, "not_results",
                            "%s: is neither run_results.json nor sources.json of dbt, nor a validation or "
                            "checkpoint result of Great Expectations",
                            file);
    return 0;
}

int snk_results_read(const char *file, const struct mf_json_node *root, enum snk_results_kind kind,
                     const char *manifest_file, const struct mf_json_node *manifest,
                     struct snk_results_list *list, struct mf_error *err)
{
    struct snk_reading reading = {.file = file, .err = err};
    *list = (struct snk_results_list){0};
    switch (kind) {
    case SNK_KIND_RUN_RESULTS:
        assert(manifest != NULL);
        snk_read_run_results(&reading, root, manifest_file, manifest, list);
        break;
    case SNK_KIND_SOURCES: snk_read_sources(&reading, root, list); break;
    case SNK_KIND_VALIDATION: snk_read_validation(&reading, root, "", NULL, list); break;
    case SNK_KIND_CHECKPOINT: snk_read_checkpoint(&reading, root, list); break;
    }
    if (reading.failed)
        snk_results_free(list);
    return reading.failed ? -1 : 0;
}

// ---- one expectation

// Version 1 keys exceptions by metric; 0.18 has one.
static const struct mf_json_node *exception_of(const struct mf_json_node *info)
{
    const struct mf_json_node *raised = mf_json_get(info, "raised_exception");
    if (raised != NULL)
        return mf_json_type(raised) == MF_JSON_BOOL && mf_json_bool(raised) ? info : NULL;
    for (const struct mf_json_node *m = mf_json_first(info); m != NULL; m = mf_json_next(m)) {
        raised = mf_json_get(m, "raised_exception");
        if (raised != NULL && mf_json_type(raised) == MF_JSON_BOOL && mf_json_bool(raised))
            return m;
    }
    return NULL;
}

struct suite {
    struct mf_str name, asset, version;
    char time[SNK_TIME_SIZE];
    struct snk_results *results;
};

static struct mf_str text_in(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    bool text = node != NULL && mf_json_type(node) == MF_JSON_STRING && mf_json_text(node).len > 0;
    return text ? mf_json_text(node) : MF_STR_NULL;
}

static void read_expectation(struct snk_reading *reading, const struct mf_json_node *item, const char *where,
                             size_t place, const struct suite *suite)
{
    struct mf_json_writer w;
    const struct mf_json_node *success = snk_need(reading, item, where, "success", MF_JSON_BOOL);
    const struct mf_json_node *config = snk_need(reading, item, where, "expectation_config", MF_JSON_OBJECT);
    const struct mf_json_node *result = snk_may(reading, item, where, "result", MF_JSON_OBJECT);
    const struct mf_json_node *info = snk_may(reading, item, where, "exception_info", MF_JSON_OBJECT);
    bool older = config != NULL && mf_json_get(config, "expectation_type") != NULL;
    struct mf_str type =
        snk_need_text(reading, config, where, older ? "expectation_type" : "type", TYPE_MAX_BYTES);
    const struct mf_json_node *kwargs = snk_need(reading, config, where, "kwargs", MF_JSON_OBJECT);
    if (reading->failed)
        return;
    struct mf_str column = text_in(kwargs, "column");
    const struct mf_json_node *raised = exception_of(info);
    char id[TYPE_MAX_BYTES + 300];
    snprintf(id, sizeof id, "%zu:%.*s:%.*s", place, MF_STR_ARG(type),
             column.len < 255 ? (int)column.len : 255, column.data != NULL ? column.data : "");
    bool cut = !mf_str_is_utf8(mf_str_of(id));
    snk_row_begin(suite->results, &w);
    mf_jw_c_string(&w, "great_expectations");
    snk_row_text(&w, suite->version);
    mf_jw_c_string(&w, suite->time);
    snk_row_text(&w, suite->name);
    if (cut)
        snprintf(id, sizeof id, "%zu:%.*s", place, MF_STR_ARG(type));
    mf_jw_c_string(&w, id);
    snk_row_text(&w, type);
    snk_row_text(&w, suite->asset);
    snk_row_text(&w, column);
    snk_row_text(&w, raised != NULL          ? MF_STR("error")
                     : mf_json_bool(success) ? MF_STR("pass")
                                             : MF_STR("fail"));
    mf_jw_bool(&w, mf_json_bool(success));
    snk_row_text(&w, text_in(config, "severity"));
    snk_row_json(&w, mf_json_get(result, "observed_value"), NULL);
    snk_row_json(&w, kwargs, "batch_id");
    snk_row_whole(&w, mf_json_get(result, "unexpected_count"));
    snk_row_text(&w, text_in(raised, "exception_message"));
    mf_jw_null(&w);
    snk_row_end(suite->results, &w);
}

// ---- one suite

// The suite's and the asset's name, where this version keeps them.
static void read_names(struct snk_reading *reading, const struct mf_json_node *root, const char *where,
                       const struct mf_json_node *meta, struct suite *suite)
{
    const struct mf_json_node *batch = mf_json_get(meta, "active_batch_definition");
    suite->name = text_in(root, "suite_name");
    if (suite->name.data == NULL)
        suite->name = text_in(meta, "expectation_suite_name");
    if (suite->name.data == NULL)
        snk_reading_fail(reading, "missing_field", where, "suite_name", "is missing");
    suite->asset = text_in(batch, "data_asset_name");
    if (suite->asset.data == NULL)
        suite->asset = text_in(root, "asset_name");
    if (suite->asset.data == NULL)
        suite->asset = text_in(mf_json_get(meta, "batch_spec"), "table_name");
    if (suite->asset.data == NULL)
        suite->asset = MF_STR("unnamed");
}

// One asset may be validated in several batches of one run, a month each for example: what tells them apart,
// as "/" and a hash. "" when the batch is the whole asset.
static void batch_text(const struct mf_json_node *meta, char *out, size_t size)
{
    const struct mf_json_node *of = member(meta, "active_batch_definition", "batch_identifiers");
    uint64_t hash = 0;
    bool whole = true;
    bool object = of != NULL && mf_json_type(of) == MF_JSON_OBJECT;
    for (const struct mf_json_node *m = object ? mf_json_first(of) : NULL; m != NULL; m = mf_json_next(m)) {
        struct mf_str key = mf_json_key(m), value = mf_json_text(m);
        if (mf_json_type(m) != MF_JSON_STRING && mf_json_type(m) != MF_JSON_NUMBER)
            continue;
        // The order of the members is not told by their writer: a sum has none.
        uint64_t pair[2] = {mf_hash64(key.data, key.len), mf_hash64(value.data, value.len)};
        hash += mf_hash64(pair, sizeof pair);
        whole = false;
    }
    snprintf(out, size, "/%016" PRIx64, hash);
    if (whole)
        out[0] = '\0';
}

void snk_read_validation(struct snk_reading *reading, const struct mf_json_node *root, const char *where,
                         const struct mf_json_node *run_id, struct snk_results_list *list)
{
    struct suite suite = {.name = MF_STR_NULL};
    char path[200], invocation[SNK_INVOCATION_MAX], batch[24];
    const char *dot = where[0] != '\0' ? "." : "";
    const struct mf_json_node *meta = snk_need(reading, root, where, "meta", MF_JSON_OBJECT);
    const struct mf_json_node *results = snk_need(reading, root, where, "results", MF_JSON_ARRAY);
    snprintf(path, sizeof path, "%s%smeta.run_id", where, dot);
    if (run_id == NULL)
        run_id = snk_need(reading, meta, path, "run_id", MF_JSON_OBJECT);
    if (reading->failed)
        return;
    read_names(reading, root, where, meta, &suite);
    struct mf_str run_name = text_in(run_id, "run_name");
    struct mf_str run_time = snk_need_text(reading, run_id, path, "run_time", 64);
    snk_need_time(reading, run_id, path, "run_time", suite.time);
    suite.version = text_in(meta, "great_expectations_version");
    suite.version =
        suite.version.data != NULL && suite.version.len <= TEXT_MAX_BYTES ? suite.version : MF_STR("unknown");
    if (!reading->failed && (suite.name.len > TEXT_MAX_BYTES || suite.asset.len > TEXT_MAX_BYTES ||
                             run_name.len > TEXT_MAX_BYTES))
        snk_reading_fail(reading, "bad_value", where, "suite_name",
                         "the names of run, suite and asset must have at most 150 bytes each");
    if (reading->failed)
        return;
    batch_text(meta, batch, sizeof batch);
    snprintf(invocation, sizeof invocation, "gx/%.*s/%.*s/%.*s/%.*s%s", MF_STR_ARG(run_name),
             MF_STR_ARG(run_time), MF_STR_ARG(suite.name), MF_STR_ARG(suite.asset), batch);
    suite.results = snk_results_add(list, SNK_RESULTS_DQ, mf_str_of(invocation));
    size_t place = 0;
    for (const struct mf_json_node *i = mf_json_first(results); i != NULL && !reading->failed;
         i = mf_json_next(i)) {
        char item_where[240];
        snprintf(item_where, sizeof item_where, "%s%sresults[%zu]", where, dot, place);
        read_expectation(reading, i, item_where, place++, &suite);
    }
}

void snk_read_checkpoint(struct snk_reading *reading, const struct mf_json_node *root,
                         struct snk_results_list *list)
{
    const struct mf_json_node *run_id = snk_need(reading, root, "", "run_id", MF_JSON_OBJECT);
    const struct mf_json_node *results = snk_need(reading, root, "", "run_results", MF_JSON_OBJECT);
    size_t place = 0;
    for (const struct mf_json_node *i = mf_json_first(results); i != NULL && !reading->failed;
         i = mf_json_next(i)) {
        char where[40];
        snprintf(where, sizeof where, "run_results[%zu]", place++);
        // 0.18 wraps the result beside those of its actions.
        const struct mf_json_node *inner = mf_json_get(i, "validation_result");
        snk_read_validation(reading, inner != NULL ? inner : i, where, run_id, list);
    }
}
