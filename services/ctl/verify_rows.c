// SPDX-License-Identifier: Apache-2.0
// The warehouse's side of verify: which keys of a window have no row, which of those offsets a loaded dead
// letter names, what has more than one row. A window is one statement, two when something is absent. Failure
// classes: those of odbc.h, FATAL for an answer that cannot be read.
#include <stdlib.h>

#include "common/json_writer.h"
#include "services/ctl/verify.h"
#include "services/ctl/warehouse.h"

#define WINDOW_JSON_MAX ((size_t)16 * 1024 * 1024)

struct ctl_rows {
    struct ctl_warehouse warehouse;
    const char *group;
    struct mf_buf json;
    size_t *absent; // places in the window
    size_t absent_count, limit;
};

int ctl_rows_open(const struct mf_settings *settings, const char *group, int64_t statement_timeout_ms,
                  struct ctl_rows **rows, struct mf_error *err)
{
    struct ctl_rows *made = mf_calloc(1, sizeof *made);
    if (ctl_warehouse_open(&made->warehouse, settings, statement_timeout_ms, err) != 0) {
        free(made);
        return -1;
    }
    made->group = group;
    mf_buf_init(&made->json, WINDOW_JSON_MAX);
    made->absent = mf_calloc(CTL_WINDOW_RECORDS, sizeof *made->absent);
    *rows = made;
    return 0;
}

void ctl_rows_free(struct ctl_rows **rows)
{
    if (*rows == NULL)
        return;
    ctl_warehouse_close(&(*rows)->warehouse);
    mf_buf_free(&(*rows)->json);
    free((*rows)->absent);
    free(*rows);
    *rows = NULL;
}

static int unreadable(struct mf_error *err, const char *what)
{
    return mf_error_set(err, MF_ERROR_FATAL, "warehouse_answer",
                        "the warehouse's answer about %s cannot be "
                        "read",
                        what);
}

static bool to_number(const char *text, int64_t *number)
{
    return text != NULL && mf_str_to_i64(mf_str_of(text), number);
}

int ctl_rows_stored(struct ctl_rows *rows, struct ctl_verification *v, struct mf_error *err)
{
    size_t count = 0;
    for (size_t t = 0; t < MF_RAW_MAX; t++)
        count += v->tables[t].partition_count;
    struct ctl_stored *items = mf_calloc(count, sizeof *items);
    size_t at = 0;
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        for (size_t p = 0; p < v->tables[t].partition_count; p++)
            items[at++] = (struct ctl_stored){.topic = v->tables[t].topic, .partition = (int32_t)p};
    }
    int result = ctl_warehouse_stored(&rows->warehouse, rows->group, items, count, err);
    at = 0;
    for (size_t t = 0; result == 0 && t < MF_RAW_MAX; t++) {
        for (size_t p = 0; p < v->tables[t].partition_count; p++)
            v->tables[t].partitions[p].stored = items[at++].next_offset;
    }
    free(items);
    return result;
}

// ---- keys without a row

static int take_absent(void *arg, const char *const *columns, struct mf_error *err)
{
    struct ctl_rows *rows = arg;
    int64_t place = 0;
    bool in_order = to_number(columns[0], &place) && place >= 0 && (size_t)place < rows->limit &&
                    (rows->absent_count == 0 || rows->absent[rows->absent_count - 1] < (size_t)place);
    if (!in_order)
        return unreadable(err, "keys");
    rows->absent[rows->absent_count++] = (size_t)place;
    return 0;
}

static int ask_keys(struct ctl_rows *rows, enum mf_raw_table_id table, const struct ctl_record *records,
                    size_t count, struct mf_error *err)
{
    struct mf_json_writer w;
    mf_buf_clear(&rows->json);
    mf_jw_init(&w, &rows->json);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        mf_jw_array_begin(&w);
        if (records[i].event_id[0] != '\0')
            mf_jw_c_string(&w, records[i].event_id);
        else
            mf_jw_null(&w);
        mf_jw_i64(&w, records[i].revision);
        mf_jw_array_end(&w);
    }
    mf_jw_array_end(&w);
    rows->absent_count = 0;
    rows->limit = count;
    const struct mf_str params[] = {mf_buf_str(&rows->json)};
    return ctl_warehouse_query(&rows->warehouse,
                               &(struct ctl_query){.name = "verify_keys",
                                                   .table = mf_raw_tables[table].name,
                                                   .params = params,
                                                   .param_count = 1,
                                                   .columns = 1,
                                                   .on_row = take_absent,
                                                   .arg = rows},
                               err);
}

// ---- dead letters

struct letters {
    struct ctl_verification *v;
    enum mf_raw_table_id table;
};

static int take_letter(void *arg, const char *const *columns, struct mf_error *err)
{
    struct letters *letters = arg;
    int64_t partition = 0, offset = 0;
    if (!to_number(columns[0], &partition) || !to_number(columns[1], &offset))
        return unreadable(err, "dead letters");
    ctl_judge_letter(letters->v, letters->table, (int32_t)partition, offset);
    return 0;
}

static int ask_letters(struct ctl_rows *rows, struct ctl_verification *v, enum mf_raw_table_id table,
                       const struct ctl_record *records, struct mf_error *err)
{
    struct mf_json_writer w;
    mf_buf_clear(&rows->json);
    mf_jw_init(&w, &rows->json);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < rows->absent_count; i++) {
        mf_jw_array_begin(&w);
        mf_jw_i64(&w, records[rows->absent[i]].partition);
        mf_jw_i64(&w, records[rows->absent[i]].offset);
        mf_jw_array_end(&w);
    }
    mf_jw_array_end(&w);
    struct letters letters = {v, table};
    const struct mf_str params[] = {mf_buf_str(&rows->json), mf_str_of(v->tables[table].topic)};
    ctl_judge_sort(v);
    return ctl_warehouse_query(&rows->warehouse,
                               &(struct ctl_query){.name = "verify_letters",
                                                   .params = params,
                                                   .param_count = MF_ARRAY_LEN(params),
                                                   .columns = 2,
                                                   .on_row = take_letter,
                                                   .arg = &letters},
                               err);
}

int ctl_rows_window(struct ctl_rows *rows, struct ctl_verification *v, enum mf_raw_table_id table,
                    const struct ctl_record *records, size_t count, struct mf_error *err)
{
    assert(count <= CTL_WINDOW_RECORDS);
    if (count == 0)
        return 0;
    if (ask_keys(rows, table, records, count, err) != 0)
        return -1;
    ctl_judge_window(v, table, records, count, rows->absent, rows->absent_count);
    if (rows->absent_count == 0)
        return 0;
    if (ask_letters(rows, v, table, records, err) != 0)
        return -1;
    ctl_judge_drop_closed(v);
    return 0;
}

// ---- more than one row

struct doubles {
    struct ctl_verification *v;
    enum mf_raw_table_id table;
};

static int take_doubled_offset(void *arg, const char *const *columns, struct mf_error *err)
{
    struct doubles *doubles = arg;
    int64_t partition = 0, offset = 0, found = 0, total = 0;
    if (!to_number(columns[0], &partition) || !to_number(columns[1], &offset) ||
        !to_number(columns[2], &found) || !to_number(columns[3], &total) || partition < 0)
        return unreadable(err, "doubled offsets");
    struct ctl_table_state *state = &doubles->v->tables[doubles->table];
    if ((size_t)partition < state->partition_count)
        state->partitions[partition].doubled = (uint64_t)total;
    ctl_judge_doubled(doubles->v, &(struct ctl_doubled){.table = doubles->table,
                                                        .partition = (int32_t)partition,
                                                        .offset = offset,
                                                        .rows = (uint64_t)found});
    return 0;
}

static int take_doubled_key(void *arg, const char *const *columns, struct mf_error *err)
{
    struct doubles *doubles = arg;
    struct ctl_doubled doubled = {.table = doubles->table, .partition = -1};
    int64_t found = 0, total = 0;
    if (columns[0] == NULL || !to_number(columns[1], &doubled.revision) || !to_number(columns[2], &found) ||
        !to_number(columns[3], &total) ||
        !mf_str_copy(doubled.event_id, sizeof doubled.event_id, mf_str_of(columns[0])))
        return unreadable(err, "doubled keys");
    doubled.rows = (uint64_t)found;
    doubles->v->tables[doubles->table].doubled_keys = (uint64_t)total;
    ctl_judge_doubled(doubles->v, &doubled);
    return 0;
}

int ctl_rows_doubled(struct ctl_rows *rows, struct ctl_verification *v, enum mf_raw_table_id table,
                     struct mf_error *err)
{
    struct doubles doubles = {v, table};
    char limit[24];
    (void)snprintf(limit, sizeof limit, "%d", CTL_DOUBLED_MAX);
    const struct mf_str params[] = {mf_str_of(v->tables[table].topic), mf_str_of(limit)};
    struct ctl_query query = {.name = "verify_doubled_offsets",
                              .table = mf_raw_tables[table].name,
                              .params = params,
                              .param_count = 2,
                              .columns = 4,
                              .on_row = take_doubled_offset,
                              .arg = &doubles};
    if (ctl_warehouse_query(&rows->warehouse, &query, err) != 0)
        return -1;
    if (!ctl_warehouse_has(&rows->warehouse, "verify_doubled_keys"))
        return 0;
    query.name = "verify_doubled_keys";
    query.params = &params[1];
    query.param_count = 1;
    query.on_row = take_doubled_key;
    return ctl_warehouse_query(&rows->warehouse, &query, err);
}
