// SPDX-License-Identifier: Apache-2.0
// The session. A statement is prepared for each use: they run for milliseconds to minutes, and a command
// makes a few hundred of them.
#include "services/ctl/warehouse.h"

#include <stdio.h>

#include "common/deadline_guard.h"
#include "common/json_writer.h"
#include "common/sql_text.h"

#define STATEMENT_MAX ((size_t)64 * 1024)
#define PROBLEMS_MAX ((size_t)4096)
#define PARTITIONS_JSON_MAX ((size_t)4 * 1024 * 1024)
#define DEADLINE_SPARE_MS 10000

int ctl_warehouse_open(struct ctl_warehouse *warehouse, const struct mf_settings *settings,
                       int64_t statement_timeout_ms, struct mf_error *err)
{
    struct mf_buf problems;
    mf_buf_init(&problems, PROBLEMS_MAX);
    mf_warehouse_check_settings(settings, &problems);
    bool sound = problems.len == 0 && !problems.overflow;
    if (!sound)
        mf_error_set(err, MF_ERROR_CONFIG, "bad_settings", "%s", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    if (!sound)
        return -1;
    *warehouse = (struct ctl_warehouse){0};
    mf_warehouse_read_settings(settings, &warehouse->config);
    if (statement_timeout_ms > 0) {
        warehouse->config.odbc.statement_timeout_ms = statement_timeout_ms;
        warehouse->config.deadline_ms = statement_timeout_ms + DEADLINE_SPARE_MS;
    }
    return mf_warehouse_connect(&warehouse->config, &warehouse->connection, &warehouse->last, err);
}

void ctl_warehouse_close(struct ctl_warehouse *warehouse)
{
    mf_warehouse_disconnect(&warehouse->config, &warehouse->connection);
}

bool ctl_warehouse_has(const struct ctl_warehouse *warehouse, const char *name)
{
    return mf_sql_find(warehouse->config.dialect, name) != NULL;
}

static int run(struct ctl_warehouse *warehouse, struct mf_odbc_statement *statement,
               const struct ctl_query *query, struct mf_error *err)
{
    if (mf_odbc_execute(statement, query->params, query->param_count, &warehouse->last, err) != 0)
        return -1;
    const char *columns[CTL_COLUMNS_MAX];
    int got;
    while ((got = mf_odbc_fetch(statement, &warehouse->last, err)) == 1) {
        for (unsigned i = 0; i < query->columns; i++) {
            if (mf_odbc_column(statement, i, &columns[i], &warehouse->last, err) != 0)
                return -1;
        }
        if (query->on_row(query->arg, columns, err) != 0)
            return -1;
    }
    return got;
}

// A schema, a table or a column that is not there, in the words of either dialect.
static bool lacks_schema(const struct mf_odbc_diagnostic *last)
{
    static const char *const states[] = {"3F000", "42P01", "42703", "42S02", "42S22"};
    for (size_t i = 0; i < MF_ARRAY_LEN(states); i++) {
        if (strcmp(last->sqlstate, states[i]) == 0)
            return true;
    }
    return false;
}

int ctl_warehouse_query(struct ctl_warehouse *warehouse, const struct ctl_query *query, struct mf_error *err)
{
    assert(query->columns <= CTL_COLUMNS_MAX);
    const struct mf_sql_text *found = mf_sql_find(warehouse->config.dialect, query->name);
    if (found == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "no_statement", "this version has no %s for %s",
                            query->name, warehouse->config.dialect);
    struct mf_buf text;
    struct mf_odbc_statement *statement = NULL;
    mf_buf_init(&text, STATEMENT_MAX);
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "asking the warehouse");
    int result = mf_sql_assemble((struct mf_str){found->text, found->length}, &query->table,
                                 query->table != NULL ? 1 : 0, &text, err);
    if (result == 0)
        result =
            mf_odbc_prepare(warehouse->connection, mf_buf_c_str(&text), &statement, &warehouse->last, err);
    if (result == 0)
        result = run(warehouse, statement, query, err);
    if (result != 0 && lacks_schema(&warehouse->last))
        mf_error_prefix(err, "the schema is not what it should be, run marketflow-sink migrate");
    mf_odbc_statement_free(&statement);
    mf_deadline_guard_disarm();
    mf_buf_free(&text);
    return result;
}

// ---- the sink's offsets: (topic, partition, owner epoch, next offset)

struct stored_answer {
    struct ctl_stored *items;
    size_t count;
};

static int take_stored(void *arg, const char *const *columns, struct mf_error *err)
{
    struct stored_answer *answer = arg;
    int64_t partition = 0, next = 0;
    if (columns[0] == NULL || !mf_str_to_i64(mf_str_of(columns[1]), &partition) ||
        !mf_str_to_i64(mf_str_of(columns[3]), &next))
        return mf_error_set(err, MF_ERROR_FATAL, "offsets_answer",
                            "a row of ops.sink_offsets cannot be read");
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->items[i].partition == partition && strcmp(answer->items[i].topic, columns[0]) == 0)
            answer->items[i].next_offset = next;
    }
    return 0;
}

int ctl_warehouse_stored(struct ctl_warehouse *warehouse, const char *group, struct ctl_stored *items,
                         size_t count, struct mf_error *err)
{
    struct mf_buf json;
    struct mf_json_writer w;
    mf_buf_init(&json, PARTITIONS_JSON_MAX);
    mf_jw_init(&w, &json);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        items[i].next_offset = -1;
        mf_jw_array_begin(&w);
        mf_jw_c_string(&w, items[i].topic);
        mf_jw_i64(&w, items[i].partition);
        mf_jw_array_end(&w);
    }
    mf_jw_array_end(&w);
    struct stored_answer answer = {items, count};
    const struct mf_str params[] = {mf_buf_str(&json), mf_str_of(group)};
    int result = ctl_warehouse_query(warehouse,
                                     &(struct ctl_query){.name = "read_offsets",
                                                         .params = params,
                                                         .param_count = MF_ARRAY_LEN(params),
                                                         .columns = 4,
                                                         .on_row = take_stored,
                                                         .arg = &answer},
                                     err);
    mf_buf_free(&json);
    return result;
}
