// SPDX-License-Identifier: Apache-2.0
// Fields with their errors, and rows in chunks.
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/sink/results.h"

#define VALUE_MAX ((size_t)4096) // of a JSON value kept as text
#define ROW_MAX ((size_t)128 * 1024)
#define CHUNK_MAX (SNK_RESULTS_CHUNK + ROW_MAX + 16)

// Manifests hold the whole project with its macros; their strings are SQL.
const struct mf_json_limits snk_results_limits = {.size = SNK_RESULTS_FILE_MAX,
                                                  .depth = 30,
                                                  .string_length = (size_t)16 * 1024 * 1024,
                                                  .object_keys = 100000,
                                                  .array_items = 1000000,
                                                  .number_length = 64};

const char *snk_results_table_name(enum snk_results_table table)
{
    static const char *const names[SNK_RESULTS_TABLE_MAX] = {"dbt_run_results", "dq_results"};
    assert(table < SNK_RESULTS_TABLE_MAX);
    return names[table];
}

// ---- fields

void snk_reading_fail(struct snk_reading *reading, const char *code, const char *where, const char *key,
                      const char *why)
{
    if (reading->failed)
        return;
    reading->failed = true;
    mf_error_set(reading->err, MF_ERROR_CONFIG, code, "%s: %s%s%s %s", reading->file, where,
                 where[0] != '\0' && key[0] != '\0' ? "." : "", key, why);
}

const struct mf_json_node *snk_may(struct snk_reading *reading, const struct mf_json_node *object,
                                   const char *where, const char *key, enum mf_json_type type)
{
    const struct mf_json_node *node = reading->failed ? NULL : mf_json_get(object, key);
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return NULL;
    if (mf_json_type(node) != type) {
        char why[64];
        snprintf(why, sizeof why, "must be %s %s, not %s",
                 type == MF_JSON_OBJECT || type == MF_JSON_ARRAY ? "an" : "a", mf_json_type_name(type),
                 mf_json_type_name(mf_json_type(node)));
        snk_reading_fail(reading, "bad_type", where, key, why);
        return NULL;
    }
    return node;
}

const struct mf_json_node *snk_need(struct snk_reading *reading, const struct mf_json_node *object,
                                    const char *where, const char *key, enum mf_json_type type)
{
    const struct mf_json_node *node = snk_may(reading, object, where, key, type);
    if (node == NULL)
        snk_reading_fail(reading, "missing_field", where, key, "is missing");
    return node;
}

struct mf_str snk_may_text(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                           const char *key)
{
    return mf_json_text(snk_may(reading, object, where, key, MF_JSON_STRING));
}

struct mf_str snk_need_text(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                            const char *key, size_t max)
{
    struct mf_str text = mf_json_text(snk_need(reading, object, where, key, MF_JSON_STRING));
    char why[64];
    snprintf(why, sizeof why, "must have 1 to %zu bytes", max);
    if (text.data != NULL && (text.len == 0 || text.len > max))
        snk_reading_fail(reading, "bad_value", where, key, why);
    return reading->failed ? MF_STR("?") : text;
}

void snk_need_time(struct snk_reading *reading, const struct mf_json_node *object, const char *where,
                   const char *key, char out[SNK_TIME_SIZE])
{
    struct mf_str text = snk_need_text(reading, object, where, key, 64);
    int64_t time_us = 0;
    out[0] = '\0';
    if (reading->failed)
        return;
    if (mf_time_parse(text, &time_us))
        mf_time_format_us(time_us, out);
    else
        snk_reading_fail(reading, "bad_value", where, key, "is not a time like 2024-01-02T14:30:00.000000Z");
}

// ---- rows

struct snk_results *snk_results_add(struct snk_results_list *list, enum snk_results_table table,
                                    struct mf_str invocation_id)
{
    list->items = mf_realloc(list->items, (list->count + 1) * sizeof *list->items);
    struct snk_results *results = &list->items[list->count++];
    *results = (struct snk_results){.table = table};
    bool fits = mf_str_copy(results->invocation_id, sizeof results->invocation_id, invocation_id);
    assert(fits); // the readers see to it
    mf_buf_init(&results->row, ROW_MAX);
    return results;
}

void snk_results_free(struct snk_results_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct snk_results *results = &list->items[i];
        for (size_t c = 0; c < results->chunk_count; c++)
            mf_buf_free(&results->chunks[c]);
        free(results->chunks);
        mf_buf_free(&results->row);
    }
    free(list->items);
    *list = (struct snk_results_list){0};
}

void snk_row_begin(struct snk_results *results, struct mf_json_writer *w)
{
    mf_buf_clear(&results->row);
    mf_jw_init(w, &results->row);
    mf_jw_array_begin(w);
    mf_jw_c_string(w, results->invocation_id);
}

static struct mf_buf *chunk_for(struct snk_results *results, size_t size)
{
    struct mf_buf *last = results->chunk_count > 0 ? &results->chunks[results->chunk_count - 1] : NULL;
    if (last != NULL && last->len + size < SNK_RESULTS_CHUNK) {
        last->len--; // the closing bracket
        mf_buf_add_c(last, ",");
        return last;
    }
    results->chunks = mf_realloc(results->chunks, (results->chunk_count + 1) * sizeof *results->chunks);
    last = &results->chunks[results->chunk_count++];
    mf_buf_init(last, CHUNK_MAX);
    mf_buf_add_c(last, "[");
    return last;
}

void snk_row_end(struct snk_results *results, struct mf_json_writer *w)
{
    mf_jw_array_end(w);
    assert(!results->row.overflow); // every text of a row is bounded
    struct mf_buf *chunk = chunk_for(results, results->row.len);
    mf_buf_add_str(chunk, mf_buf_str(&results->row));
    mf_buf_add_c(chunk, "]");
    assert(!chunk->overflow);
    results->row_count++;
}

void snk_row_text(struct mf_json_writer *w, struct mf_str text)
{
    if (text.data == NULL) {
        mf_jw_null(w);
        return;
    }
    if (text.len > SNK_RESULTS_MESSAGE_MAX) {
        text.len = SNK_RESULTS_MESSAGE_MAX;
        while (text.len > 0 && ((unsigned char)text.data[text.len] & 0xC0) == 0x80)
            text.len--; // not inside of a character
    }
    mf_jw_string(w, text);
}

void snk_row_number(struct mf_json_writer *w, const struct mf_json_node *node)
{
    if (node != NULL && mf_json_type(node) == MF_JSON_NUMBER)
        mf_jw_number_text(w, mf_json_text(node));
    else
        mf_jw_null(w);
}

void snk_row_whole(struct mf_json_writer *w, const struct mf_json_node *node)
{
    int64_t value = 0;
    if (node != NULL && mf_json_type(node) == MF_JSON_NUMBER && mf_str_to_i64(mf_json_text(node), &value))
        mf_jw_i64(w, value);
    else
        mf_jw_null(w);
}

// Depth is bounded by the reader's limit, which is below the writer's.
static void write_value(struct mf_json_writer *w, const struct mf_json_node *node, const char *without)
{
    switch (mf_json_type(node)) {
    case MF_JSON_NULL: mf_jw_null(w); return;
    case MF_JSON_BOOL: mf_jw_bool(w, mf_json_bool(node)); return;
    case MF_JSON_NUMBER: mf_jw_number_text(w, mf_json_text(node)); return;
    case MF_JSON_STRING: mf_jw_string(w, mf_json_text(node)); return;
    case MF_JSON_ARRAY: mf_jw_array_begin(w); break;
    case MF_JSON_OBJECT: mf_jw_object_begin(w); break;
    }
    bool object = mf_json_type(node) == MF_JSON_OBJECT;
    for (const struct mf_json_node *m = mf_json_first(node); m != NULL; m = mf_json_next(m)) {
        if (object && without != NULL && mf_str_eq_c(mf_json_key(m), without))
            continue;
        if (object)
            mf_jw_key_str(w, mf_json_key(m));
        write_value(w, m, NULL);
    }
    if (object)
        mf_jw_object_end(w);
    else
        mf_jw_array_end(w);
}

void snk_row_json(struct mf_json_writer *w, const struct mf_json_node *node, const char *without)
{
    struct mf_buf text;
    struct mf_json_writer inner;
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL) {
        mf_jw_null(w);
        return;
    }
    mf_buf_init(&text, VALUE_MAX);
    mf_jw_init(&inner, &text);
    write_value(&inner, node, without);
    if (text.overflow)
        mf_jw_null(w);
    else
        mf_jw_string(w, mf_buf_str(&text));
    mf_buf_free(&text);
}
