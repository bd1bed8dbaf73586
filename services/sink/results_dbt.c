// SPDX-License-Identifier: Apache-2.0
// dbt's artifacts: run_results (schema versions 5 and 6), with names, severities and tags from the manifest
// (11 and 12) beside it, and sources (3). Formats: schemas.getdbt.com/dbt/<artifact>/v<N>.json.
#include <stdio.h>

#include "services/sink/results.h"

#define ID_MAX 1024
#define WORD_MAX 100
#define TAGS_MAX 100

// "https://schemas.getdbt.com/dbt/run-results/v6.json" is of artifact run-results in version 6.
static bool is_artifact(struct mf_str schema, const char *artifact, int version)
{
    char end[64];
    int length = snprintf(end, sizeof end, "/dbt/%s/v%d.json", artifact, version);
    size_t len = (size_t)length;
    return schema.len >= len && memcmp(schema.data + schema.len - len, end, len) == 0;
}

struct head {
    struct mf_str invocation_id, dbt_version;
    char generated_at[SNK_TIME_SIZE];
};

// The metadata of an artifact in one of two versions.
static void read_head(struct snk_reading *reading, const struct mf_json_node *root, const char *artifact,
                      int older, int newer, struct head *head)
{
    const struct mf_json_node *metadata = snk_need(reading, root, "", "metadata", MF_JSON_OBJECT);
    struct mf_str schema = snk_need_text(reading, metadata, "metadata", "dbt_schema_version", 200);
    if (!reading->failed && !is_artifact(schema, artifact, older) && !is_artifact(schema, artifact, newer)) {
        char why[100];
        snprintf(why, sizeof why, "is not that of %s in version %d or %d", artifact, older, newer);
        snk_reading_fail(reading, "unsupported_version", "metadata", "dbt_schema_version", why);
    }
    head->invocation_id = snk_need_text(reading, metadata, "metadata", "invocation_id", WORD_MAX);
    head->dbt_version = snk_need_text(reading, metadata, "metadata", "dbt_version", WORD_MAX);
    snk_need_time(reading, metadata, "metadata", "generated_at", head->generated_at);
}

static void place_text(char *out, size_t size, size_t place)
{
    snprintf(out, size, "results[%zu]", place);
}

// "test.project.not_null_x.0123" is a test.
static struct mf_str type_of_id(struct mf_str unique_id)
{
    const char *dot = memchr(unique_id.data, '.', unique_id.len);
    return (struct mf_str){unique_id.data, dot != NULL ? (size_t)(dot - unique_id.data) : unique_id.len};
}

// Nodes, unit tests and sources of a manifest by unique_id.
static const struct mf_json_node *node_of(const struct mf_json_node *manifest, struct mf_str unique_id)
{
    static const char *const maps[] = {"nodes", "unit_tests", "sources", "exposures", "saved_queries"};
    char id[ID_MAX + 1];
    if (!mf_str_copy(id, sizeof id, unique_id))
        return NULL;
    for (size_t i = 0; i < MF_ARRAY_LEN(maps); i++) {
        const struct mf_json_node *node = mf_json_get(mf_json_get(manifest, maps[i]), id);
        if (node != NULL)
            return node;
    }
    return NULL;
}

static void write_tags(struct mf_json_writer *w, const struct mf_json_node *tags)
{
    size_t count = 0;
    mf_jw_array_begin(w);
    for (const struct mf_json_node *t = mf_json_first(tags); t != NULL && count < TAGS_MAX;
         t = mf_json_next(t)) {
        if (mf_json_type(t) != MF_JSON_STRING || mf_json_text(t).len > WORD_MAX)
            continue;
        mf_jw_string(w, mf_json_text(t));
        count++;
    }
    mf_jw_array_end(w);
}

// What only the manifest knows: severity, column, kind of test, tags.
static void write_from_manifest(struct snk_reading *from, const struct mf_json_node *node, const char *where,
                                struct mf_str type, struct mf_json_writer *w)
{
    bool test = mf_str_eq_c(type, "test"), unit = mf_str_eq_c(type, "unit_test");
    struct mf_str severity = snk_may_text(from, mf_json_get(node, "config"), where, "severity");
    struct mf_str generic = snk_may_text(from, mf_json_get(node, "test_metadata"), where, "name");
    char lower[WORD_MAX + 1] = "";
    if (mf_str_copy(lower, sizeof lower, severity)) {
        for (char *c = lower; *c != '\0'; c++) // "ERROR" in the manifest, "error" in a project's file
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
    }
    snk_row_text(w, test && lower[0] != '\0' ? mf_str_of(lower) : MF_STR_NULL);
    snk_row_text(w, test ? snk_may_text(from, node, where, "column_name") : MF_STR_NULL);
    if (test)
        snk_row_text(w, generic.data != NULL ? generic : MF_STR("singular"));
    else
        snk_row_text(w, unit ? MF_STR("unit") : MF_STR_NULL);
    write_tags(w, snk_may(from, node, where, "tags", MF_JSON_ARRAY));
}

struct run {
    struct head head;
    struct mf_str command, target;
    const char *manifest_file;
    const struct mf_json_node *manifest;
    struct snk_results *results;
};

static void read_result(struct snk_reading *reading, const struct mf_json_node *item, size_t place,
                        const struct run *run)
{
    char where[32];
    struct mf_json_writer w;
    place_text(where, sizeof where, place);
    struct mf_str id = snk_need_text(reading, item, where, "unique_id", ID_MAX);
    struct mf_str status = snk_need_text(reading, item, where, "status", WORD_MAX);
    const struct mf_json_node *time = snk_need(reading, item, where, "execution_time", MF_JSON_NUMBER);
    const struct mf_json_node *failures = snk_may(reading, item, where, "failures", MF_JSON_NUMBER);
    const struct mf_json_node *response = snk_may(reading, item, where, "adapter_response", MF_JSON_OBJECT);
    struct mf_str message = snk_may_text(reading, item, where, "message");
    struct mf_str thread = snk_may_text(reading, item, where, "thread_id");
    struct mf_str relation = snk_may_text(reading, item, where, "relation_name");
    if (reading->failed)
        return;
    const struct mf_json_node *node = node_of(run->manifest, id);
    struct snk_reading from = {.file = run->manifest_file, .err = reading->err};
    char node_where[ID_MAX + 16];
    snprintf(node_where, sizeof node_where, "nodes.%.*s", MF_STR_ARG(id));
    if (node == NULL)
        snk_reading_fail(&from, "missing_field", node_where, "",
                         "is missing: the manifest belongs to another run");
    struct mf_str name = snk_need_text(&from, node, node_where, "name", ID_MAX);
    struct mf_str type = snk_may_text(&from, node, node_where, "resource_type");
    type = type.data != NULL && type.len > 0 && type.len <= WORD_MAX ? type : type_of_id(id);
    if (!from.failed) {
        snk_row_begin(run->results, &w);
        mf_jw_c_string(&w, run->head.generated_at);
        snk_row_text(&w, run->head.dbt_version);
        snk_row_text(&w, run->command);
        snk_row_text(&w, run->target);
        snk_row_text(&w, id);
        snk_row_text(&w, type);
        snk_row_text(&w, name);
        snk_row_text(&w, status);
        snk_row_number(&w, time);
        snk_row_whole(&w, failures);
        snk_row_text(&w, message);
        snk_row_text(&w, thread);
        snk_row_text(&w, relation);
        snk_row_whole(&w, mf_json_get(response, "rows_affected"));
        write_from_manifest(&from, node, node_where, type, &w);
        snk_row_end(run->results, &w);
    }
    reading->failed = from.failed;
}

void snk_read_run_results(struct snk_reading *reading, const struct mf_json_node *root,
                          const char *manifest_file, const struct mf_json_node *manifest,
                          struct snk_results_list *list)
{
    struct run run = {.manifest_file = manifest_file, .manifest = manifest};
    struct head manifest_head;
    struct snk_reading from = {.file = manifest_file, .err = reading->err};
    read_head(reading, root, "run-results", 5, 6, &run.head);
    if (reading->failed)
        return;
    read_head(&from, manifest, "manifest", 11, 12, &manifest_head);
    reading->failed = from.failed;
    const struct mf_json_node *args = snk_may(reading, root, "", "args", MF_JSON_OBJECT);
    run.command = snk_may_text(reading, args, "args", "which");
    run.target = snk_may_text(reading, args, "args", "target");
    const struct mf_json_node *results = snk_need(reading, root, "", "results", MF_JSON_ARRAY);
    if (reading->failed)
        return;
    run.results = snk_results_add(list, SNK_RESULTS_DBT, run.head.invocation_id);
    size_t place = 0;
    for (const struct mf_json_node *i = mf_json_first(results); i != NULL && !reading->failed;
         i = mf_json_next(i))
        read_result(reading, i, place++, &run);
}

// ---- source freshness

static void read_source(struct snk_reading *reading, const struct mf_json_node *item, size_t place,
                        const struct head *head, struct snk_results *results)
{
    char where[32];
    struct mf_json_writer w;
    place_text(where, sizeof where, place);
    struct mf_str id = snk_need_text(reading, item, where, "unique_id", ID_MAX);
    struct mf_str status = snk_need_text(reading, item, where, "status", WORD_MAX);
    bool ran = !mf_str_eq_c(status, "runtime error");
    // One that failed to run has an error, and neither age nor criteria.
    struct mf_str error = snk_may_text(reading, item, where, "error");
    const struct mf_json_node *age =
        ran ? snk_need(reading, item, where, "max_loaded_at_time_ago_in_s", MF_JSON_NUMBER) : NULL;
    const struct mf_json_node *criteria =
        ran ? snk_need(reading, item, where, "criteria", MF_JSON_OBJECT) : NULL;
    const struct mf_json_node *time = snk_may(reading, item, where, "execution_time", MF_JSON_NUMBER);
    if (reading->failed)
        return;
    snk_row_begin(results, &w);
    mf_jw_c_string(&w, "dbt_source_freshness");
    snk_row_text(&w, head->dbt_version);
    mf_jw_c_string(&w, head->generated_at);
    mf_jw_c_string(&w, "source_freshness");
    snk_row_text(&w, id); // the check, and what it looked at
    mf_jw_c_string(&w, "freshness");
    snk_row_text(&w, id);
    mf_jw_null(&w);
    snk_row_text(&w, status);
    mf_jw_bool(&w, mf_str_eq_c(status, "pass"));
    snk_row_text(&w, mf_str_eq_c(status, "warn") ? MF_STR("warn") : MF_STR_NULL);
    snk_row_text(&w, mf_json_text(age));
    snk_row_json(&w, criteria, NULL);
    mf_jw_null(&w);
    snk_row_text(&w, error);
    snk_row_number(&w, time);
    snk_row_end(results, &w);
}

void snk_read_sources(struct snk_reading *reading, const struct mf_json_node *root,
                      struct snk_results_list *list)
{
    struct head head;
    read_head(reading, root, "sources", 3, 3, &head);
    const struct mf_json_node *results = snk_need(reading, root, "", "results", MF_JSON_ARRAY);
    if (reading->failed)
        return;
    struct snk_results *made = snk_results_add(list, SNK_RESULTS_DQ, head.invocation_id);
    size_t place = 0;
    for (const struct mf_json_node *i = mf_json_first(results); i != NULL && !reading->failed;
         i = mf_json_next(i))
        read_source(reading, i, place++, &head, made);
}
