// SPDX-License-Identifier: Apache-2.0
// Results of dbt and of Great Expectations as rows of ops.dbt_run_results and ops.dq_results. Reading is
// strict: a field that is missing or of another type is an error that names file and field. Pure but for the
// memory of what was read, which the caller frees. Failure class: CONFIG throughout ("bad_file", json_* of
// the reader, "missing_field", "bad_type", "bad_value", "unsupported_version", "not_results").
#ifndef SNK_RESULTS_H
#define SNK_RESULTS_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json_reader.h"
#include "common/json_writer.h"

#define SNK_RESULTS_CHUNK ((size_t)400 * 1024)           // one statement; far below what Snowflake takes
#define SNK_RESULTS_FILE_MAX ((size_t)256 * 1024 * 1024) // a manifest of thousands of models
#define SNK_RESULTS_MESSAGE_MAX 8192                     // of a text for people; longer ones are cut
#define SNK_INVOCATION_MAX 640 // three names of 150 bytes, a time of 64, a hash, and what parts them
extern const struct mf_json_limits snk_results_limits;

enum snk_results_table { SNK_RESULTS_DBT, SNK_RESULTS_DQ, SNK_RESULTS_TABLE_MAX };
const char *snk_results_table_name(enum snk_results_table table); // "dbt_run_results"

// The rows of one invocation: each chunk is a JSON array of rows, in the order of sql/<dialect>/load_*.sql.
struct snk_results {
    enum snk_results_table table;
    char invocation_id[SNK_INVOCATION_MAX];
    struct mf_buf *chunks;
    size_t chunk_count, row_count;
    struct mf_buf row; // scratch
};
// What a file holds: one, or several for a checkpoint of Great Expectations.
struct snk_results_list {
    struct snk_results *items;
    size_t count;
};
void snk_results_free(struct snk_results_list *list);

// file: its name in errors. root: the parsed document. manifest: that of the manifest beside it, needed for
// run_results only; NULL = none.
enum snk_results_kind {
    SNK_KIND_RUN_RESULTS,
    SNK_KIND_SOURCES,
    SNK_KIND_VALIDATION, // Great Expectations: one suite
    SNK_KIND_CHECKPOINT  // Great Expectations: several of them
};
int snk_results_kind(const char *file, const struct mf_json_node *root, enum snk_results_kind *kind,
                     struct mf_error *err);
int snk_results_read(const char *file, const struct mf_json_node *root, enum snk_results_kind kind,
                     const char *manifest_file, const struct mf_json_node *manifest,
                     struct snk_results_list *list, struct mf_error *err);

// ---- between the files that read (results_field.c)

struct snk_reading {
    const char *file;
    struct mf_error *err;
    bool failed; // the first error stands; what follows is not looked at
};
// A member that must be there, or may be: NULL otherwise; null counts as absent. `where` is the path of the
// object, as "results[3]", "" for the top.
const struct mf_json_node *snk_need(struct snk_reading *reading, const struct mf_json_node *object,
                                    const char *where, const char *key, enum mf_json_type type);
const struct mf_json_node *snk_may(struct snk_reading *reading, const struct mf_json_node *object,
                                   const char *where, const char *key, enum mf_json_type type);
void snk_reading_fail(struct snk_reading *reading, const char *code, const char *where, const char *key,
                      const char *why);
// A text of 1 to `max` bytes that must be there; "" views never come back.
struct mf_str snk_need_text(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                            const char *key, size_t max);
struct mf_str snk_may_text(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                           const char *key);
// An RFC 3339 time that must be there, in UTC with microseconds.
#define SNK_TIME_SIZE 32
void snk_need_time(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                   const char *key, char out[SNK_TIME_SIZE]);

// ---- rows (results_field.c)

struct snk_results *snk_results_add(struct snk_results_list *list, enum snk_results_table table,
                                    struct mf_str invocation_id);
// Between begin and end the writer takes the row's values, without the invocation_id, which begin writes.
void snk_row_begin(struct snk_results *results, struct mf_json_writer *w);
void snk_row_end(struct snk_results *results, struct mf_json_writer *w);
void snk_row_text(struct mf_json_writer *w, struct mf_str text); // absent = null; cut when long
void snk_row_number(struct mf_json_writer *w, const struct mf_json_node *node); // NULL = null
void snk_row_whole(struct mf_json_writer *w, const struct mf_json_node *node);  // the same, else null too
// The value as JSON text in a text, without the member `without` (may be NULL); cut ones are null.
void snk_row_json(struct mf_json_writer *w, const struct mf_json_node *node, const char *without);

// ---- formats

void snk_read_run_results(struct snk_reading *reading, const struct mf_json_node *root,
                          const char *manifest_file, const struct mf_json_node *manifest,
                          struct snk_results_list *list);
void snk_read_sources(struct snk_reading *reading, const struct mf_json_node *root,
                      struct snk_results_list *list);
void snk_read_validation(struct snk_reading *reading, const struct mf_json_node *root, const char *where,
                         const struct mf_json_node *run_id, struct snk_results_list *list);
void snk_read_checkpoint(struct snk_reading *reading, const struct mf_json_node *root,
                         struct snk_results_list *list);

#endif
