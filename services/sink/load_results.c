// SPDX-License-Identifier: Apache-2.0
// Every file is read and judged before the first row is written; then each invocation is one transaction: is
// it there already, else its rows. Loading a file again changes nothing. Failure classes: those of results.h
// and odbc.h.
#include "services/sink/load_results.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/deadline_guard.h"
#include "common/lines.h"
#include "services/sink/results.h"
#include "services/sink/warehouse_private.h"

#define STATEMENT_TIMEOUT_MS INT64_C(60000)
#define FILES_MAX 1000
#define MANIFEST "manifest.json"

// ---------------------------------------------------------------- files

static int read_text(const char *path, struct mf_buf *text, struct mf_error *err)
{
    static char part[65536];
    int fd = -1;
    if (mf_lines_open(path, &fd, err) != 0)
        return -1;
    ssize_t got = 0;
    bool fits = true;
    while (fits && ((got = read(fd, part, sizeof part)) > 0 || (got < 0 && errno == EINTR)))
        fits = got < 0 || mf_buf_add(text, part, (size_t)got) == 0;
    int failed = got < 0 ? errno : 0;
    mf_lines_close(fd);
    if (failed != 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_file", "%s: %s", path, strerror(failed));
    return fits ? 0
                : mf_error_set(err, MF_ERROR_CONFIG, "json_size", "%s: is larger than %zu bytes", path,
                               SNK_RESULTS_FILE_MAX);
}

// The document's views live in json.
static int parse_file(const char *path, struct mf_json *json, const struct mf_json_node **root,
                      struct mf_error *err)
{
    struct mf_buf text;
    mf_buf_init(&text, SNK_RESULTS_FILE_MAX);
    int result = read_text(path, &text, err);
    if (result == 0 && mf_json_parse(json, mf_buf_str(&text), &snk_results_limits, root, err) != 0) {
        err->class = MF_ERROR_CONFIG;
        result = mf_error_prefix(err, "%s", path);
    }
    mf_buf_free(&text);
    return result;
}

// "target/manifest.json" for "target/run_results.json". The caller frees it.
static char *manifest_beside(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct mf_buf out;
    mf_buf_init(&out, (size_t)64 * 1024);
    if (slash != NULL)
        mf_buf_add(&out, path, (size_t)(slash - path) + 1);
    mf_buf_add_c(&out, MANIFEST);
    char *beside = mf_strdup(mf_buf_c_str(&out));
    mf_buf_free(&out);
    return beside;
}

static int read_file(const char *path, struct snk_results_list *list, struct mf_error *err)
{
    struct mf_json *json = mf_json_new(), *manifest_json = mf_json_new();
    const struct mf_json_node *root = NULL, *manifest = NULL;
    char *beside = manifest_beside(path);
    enum snk_results_kind kind = SNK_KIND_SOURCES;
    int result = parse_file(path, json, &root, err);
    if (result == 0)
        result = snk_results_kind(path, root, &kind, err);
    if (result == 0 && kind == SNK_KIND_RUN_RESULTS)
        result = parse_file(beside, manifest_json, &manifest, err);
    if (result == 0)
        result = snk_results_read(path, root, kind, beside, manifest, list, err);
    free(beside);
    mf_json_free(&json);
    mf_json_free(&manifest_json);
    return result;
}

// ---------------------------------------------------------------- warehouse

static int execute(struct snk_warehouse *warehouse, const char *name, struct mf_str param,
                   struct mf_odbc_statement **statement, struct mf_error *err)
{
    if (snk_warehouse_prepare(warehouse, name, statement, err) != 0)
        return -1;
    return mf_odbc_execute(*statement, &param, 1, &warehouse->last, err);
}

static int is_known(struct snk_warehouse *warehouse, const struct snk_results *results, bool *known,
                    struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    char name[64];
    const char *columns[1] = {NULL};
    snprintf(name, sizeof name, "load_%s_known", snk_results_table_name(results->table));
    int result = execute(warehouse, name, mf_str_of(results->invocation_id), &statement, err);
    int got = result == 0 ? snk_warehouse_fetch(warehouse, statement, columns, 1, err) : -1;
    if (got == 0)
        mf_error_set(err, MF_ERROR_FATAL, "results_answer", "the warehouse does not say what it knows");
    result = got == 1 ? 0 : -1;
    if (result == 0)
        *known = columns[0] == NULL || strcmp(columns[0], "0") != 0;
    mf_odbc_statement_free(&statement);
    return result;
}

static int insert(struct snk_warehouse *warehouse, const struct snk_results *results, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    char name[64];
    int result = 0;
    snprintf(name, sizeof name, "load_%s", snk_results_table_name(results->table));
    for (size_t i = 0; result == 0 && i < results->chunk_count; i++)
        result = execute(warehouse, name, mf_buf_str(&results->chunks[i]), &statement, err);
    mf_odbc_statement_free(&statement);
    return result;
}

// One transaction: all rows of the invocation, or none.
static int load(struct snk_warehouse *warehouse, const struct snk_results *results, bool *known,
                struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "loading results");
    int result = mf_odbc_set_autocommit(warehouse->connection, false, &warehouse->last, err);
    if (result == 0)
        result = is_known(warehouse, results, known, err);
    if (result == 0 && !*known)
        result = insert(warehouse, results, err);
    if (result == 0)
        result = mf_odbc_commit(warehouse->connection, &warehouse->last, err);
    else if (!mf_odbc_is_dead(warehouse->connection))
        mf_odbc_rollback(warehouse->connection, NULL, NULL);
    mf_deadline_guard_disarm();
    return result;
}

static int load_all(struct snk_warehouse *warehouse, const struct snk_results_list *lists, char **files,
                    size_t count, struct mf_error *err)
{
    for (size_t f = 0; f < count; f++) {
        for (size_t i = 0; i < lists[f].count; i++) {
            const struct snk_results *results = &lists[f].items[i];
            bool known = false;
            if (load(warehouse, results, &known, err) != 0)
                return mf_error_prefix(err, "%s", files[f]);
            printf("%s: invocation %s: %zu rows in ops.%s%s\n", files[f], results->invocation_id,
                   results->row_count, snk_results_table_name(results->table),
                   known ? " were there already" : "");
        }
    }
    return 0;
}

static int run(struct mf_service *service, char **files, size_t count, struct snk_results_list *lists,
               struct mf_error *err)
{
    for (size_t f = 0; f < count; f++) {
        if (read_file(files[f], &lists[f], err) != 0)
            return -1;
    }
    struct snk_warehouse *warehouse = snk_warehouse_new(service->settings, "", service->instance);
    snk_warehouse_set_statement_timeout(warehouse, STATEMENT_TIMEOUT_MS);
    int result = snk_warehouse_open(warehouse, true, err);
    if (result == 0)
        result = load_all(warehouse, lists, files, count, err);
    snk_warehouse_free(&warehouse);
    return result;
}

int snk_load_results_run(struct mf_service *service, int argc, char **argv)
{
    struct mf_error err;
    if (argc < 1 || argc > FILES_MAX || (argv[0][0] == '-' && argv[0][1] != '\0')) {
        fprintf(stderr,
                "marketflow-sink: load-results: 1 to %d files are needed; see marketflow-sink "
                "load-results --help\n",
                FILES_MAX);
        return MF_EXIT_CONFIG;
    }
    size_t count = (size_t)argc;
    struct snk_results_list *lists = mf_calloc(count, sizeof *lists);
    int result = run(service, argv, count, lists, &err);
    for (size_t f = 0; f < count; f++)
        snk_results_free(&lists[f]);
    free(lists);
    int written = mf_service_flush("marketflow-sink", stdout);
    if (result == 0)
        return written;
    mf_log_error(service->log, MF_LOG_ERROR, "results", "load_results_failed", &err, "loading results");
    return mf_error_exit_code(&err);
}
