// SPDX-License-Identifier: Apache-2.0
// Snowflake's way: several statements in one transaction that the sink ends itself. RAW is append-only, so
// what keeps a row from coming twice is the fence alone: its UPDATE is the last statement before the commit,
// and unless it changed exactly the rows of the batch's partitions, nothing of the transaction stays.
//
// Statements are sent with their parameters in one request: preparing would cost a round trip of its own.
// Text and parameters stay below a megabyte, beyond which a statement cannot be looked at afterwards. Errors:
// those of odbc.h, and FATAL for an answer that cannot be. After any error the transaction is rolled back; a
// commit that failed is UNCERTAIN whatever its code, as the rows may be there.
#include <stdio.h>
#include <stdlib.h>

#include "common/json_writer.h"
#include "services/sink/warehouse_private.h"

// Of one INSERT, with room for its text, the load id, and what the driver puts around them.
#define ROWS_JSON_MAX ((size_t)1000000 - 16384)

// ---- statements

// The ids of a flush's statements, in their order; those that do not fit are left out.
static void note_query_id(struct snk_warehouse *warehouse, const struct mf_odbc_statement *statement)
{
    char id[MF_ODBC_QUERY_ID_SIZE];
    mf_odbc_query_id(statement, id);
    size_t used = strlen(warehouse->query_ids);
    if (id[0] != '\0' && used + 1 + strlen(id) < sizeof warehouse->query_ids)
        snprintf(warehouse->query_ids + used, sizeof warehouse->query_ids - used, "%s%s", used > 0 ? "," : "",
                 id);
}

// Executes sql/snowflake/<name>.sql; the statement is the caller's to free.
static int execute(struct snk_warehouse *warehouse, const char *name, unsigned tables,
                   const struct mf_str *params, size_t count, struct mf_odbc_statement **statement,
                   struct mf_error *err)
{
    if (snk_warehouse_text(warehouse, name, tables, err) != 0 ||
        mf_odbc_direct(warehouse->connection, mf_buf_c_str(&warehouse->text), params, count, statement,
                       &warehouse->last, err) != 0)
        return -1;
    note_query_id(warehouse, *statement);
    return 0;
}

// The same for a statement that changes rows: how many.
static int change(struct snk_warehouse *warehouse, const char *name, unsigned tables,
                  const struct mf_str *params, size_t count, int64_t *rows, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    if (execute(warehouse, name, tables, params, count, &statement, err) != 0)
        return -1;
    *rows = mf_odbc_row_count(statement);
    mf_odbc_statement_free(&statement);
    return 0;
}

// Ends the transaction as `result` says. The details of the error that led here are kept.
static int end(struct snk_warehouse *warehouse, int result, struct mf_error *err)
{
    if (result != 0) {
        mf_odbc_rollback(warehouse->connection, NULL, NULL);
        return -1;
    }
    if (mf_odbc_commit(warehouse->connection, &warehouse->last, err) == 0)
        return 0;
    warehouse->last.class = MF_ODBC_CONNECTION;
    err->class = MF_ERROR_UNCERTAIN;
    return -1;
}

// ---- assignment

static int assign(struct snk_warehouse *warehouse, const char *cluster_id, struct snk_partition *partitions,
                  size_t count, struct mf_error *err)
{
    struct mf_str owner[] = {mf_str_of(warehouse->group), mf_str_of(warehouse->instance),
                             mf_str_of(cluster_id), mf_buf_str(&warehouse->json)};
    struct mf_str wanted[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group)};
    struct mf_odbc_statement *statement = NULL;
    int64_t rows;
    int result = change(warehouse, "assign_create", 0, owner, MF_ARRAY_LEN(owner), &rows, err);
    if (result == 0)
        result = change(warehouse, "assign_take", 0, owner, MF_ARRAY_LEN(owner), &rows, err);
    if (result == 0)
        result = execute(warehouse, "assign", 0, wanted, MF_ARRAY_LEN(wanted), &statement, err);
    if (result == 0)
        result = snk_warehouse_take_assigned(warehouse, statement, cluster_id, partitions, count, err);
    mf_odbc_statement_free(&statement);
    return end(warehouse, result, err);
}

// ---- offset rows

static int read_offsets(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                        const struct snk_scope *scope, struct snk_offset_row *answers, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group)};
    struct mf_odbc_statement *statement = NULL;
    int64_t rows;
    int result = change(warehouse, "read_lock", 0, params, MF_ARRAY_LEN(params), &rows, err);
    if (result == 0)
        result = execute(warehouse, "read_offsets", 0, params, MF_ARRAY_LEN(params), &statement, err);
    if (result == 0)
        result = snk_warehouse_take_offset_rows(warehouse, statement, flush, scope, answers, err);
    mf_odbc_statement_free(&statement);
    return end(warehouse, result, err);
}

// ---- flush

// A flush under way: which moves it tries, and the partitions that these are about.
struct attempt {
    struct snk_warehouse *warehouse;
    struct snk_flush *flush;
    const struct snk_scope *scope;
    bool *take;   // by move
    bool *writes; // by partition
    size_t moves;
};

static void write_row(struct mf_json_writer *w, const struct snk_scope *scope, const struct snk_row *row)
{
    const struct snk_partition *p = &scope->partitions[row->partition];
    mf_jw_array_begin(w);
    mf_jw_c_string(w, p->topic);
    mf_jw_i64(w, p->number);
    mf_jw_i64(w, row->offset);
    mf_jw_i64(w, row->revision);
    mf_jw_string(w, snk_batch_flags(scope->batch, row));
    mf_jw_string(w, snk_batch_dedupe_key(scope->batch, row));
    mf_jw_raw(w, snk_batch_payload(scope->batch, row));
    mf_jw_array_end(w);
}

static bool is_wanted(const struct attempt *a, enum snk_table table, size_t row)
{
    const struct snk_row *r = &a->scope->batch->rows[row];
    return r->table == table && a->writes[r->partition] && snk_row_takes_part(a->scope, a->flush->range, row);
}

// As many rows of the table as one statement carries, from *at on. Returns how many they are.
static int64_t fill(struct attempt *a, enum snk_table table, size_t *at)
{
    struct mf_buf *json = &a->warehouse->rows;
    struct mf_json_writer w;
    int64_t rows = 0;
    mf_buf_clear(json);
    mf_jw_init(&w, json);
    mf_jw_array_begin(&w);
    for (; *at < a->flush->range.end; (*at)++) {
        if (!is_wanted(a, table, *at))
            continue;
        const struct snk_row *row = &a->scope->batch->rows[*at];
        // Quotes and controls of flags and key may grow when they are escaped, by six at most.
        size_t most = row->payload_len + 6 * (row->flags_len + row->key_len) +
                      strlen(a->scope->partitions[row->partition].topic) + 128;
        if (rows > 0 && json->len + most > ROWS_JSON_MAX)
            break;
        write_row(&w, a->scope, row);
        rows++;
    }
    mf_jw_array_end(&w);
    assert(!json->overflow); // one record is far smaller than a statement
    return rows;
}

static int insert_table(struct attempt *a, enum snk_table table, struct mf_error *err)
{
    size_t at = a->flush->range.begin;
    int64_t sent;
    while ((sent = fill(a, table, &at)) > 0) {
        struct mf_str params[] = {mf_str_of(a->flush->load_id), mf_buf_str(&a->warehouse->rows)};
        int64_t inserted = 0;
        if (change(a->warehouse, "insert", 1u << table, params, MF_ARRAY_LEN(params), &inserted, err) != 0)
            return -1;
        if (inserted != sent)
            return mf_error_set(err, MF_ERROR_FATAL, "insert_answer",
                                "raw.%s took %lld rows of %lld: the statement does not do what it should",
                                snk_tables[table].name, (long long)inserted, (long long)sent);
        a->flush->inserted[table] += (uint64_t)sent;
    }
    return 0;
}

// The INSERTs and the fence. *moved: the offset rows that it changed.
static int write_all(struct attempt *a, int64_t *moved, struct mf_error *err)
{
    struct snk_warehouse *warehouse = a->warehouse;
    memset(a->flush->inserted, 0, sizeof a->flush->inserted);
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if ((a->flush->tables & (1u << table)) != 0 && insert_table(a, table, err) != 0)
            return -1;
    }
    snk_flush_moves_json(a->flush, a->scope, a->take, &warehouse->json);
    struct mf_str params[] = {mf_str_of(warehouse->group), mf_str_of(a->flush->load_id),
                              mf_buf_str(&warehouse->json)};
    return change(warehouse, "fence", 0, params, MF_ARRAY_LEN(params), moved, err);
}

// Which of the moves still stand, after the fence has refused? Those whose offset row has the epoch and the
// offset that they expect.
static int drop_stale(struct attempt *a, struct mf_error *err)
{
    struct snk_offset_row *rows = mf_calloc(a->flush->move_count, sizeof *rows);
    snk_flush_partitions_json(a->flush, a->scope, false, &a->warehouse->json);
    int result = read_offsets(a->warehouse, a->flush, a->scope, rows, err);
    for (size_t i = 0; result == 0 && i < a->flush->move_count; i++) {
        size_t index = a->flush->moves[i].partition;
        const struct snk_partition *p = &a->scope->partitions[index];
        if (!a->take[i] || (rows[i].found && rows[i].epoch == p->epoch && rows[i].next_offset == p->stored))
            continue;
        a->take[i] = a->writes[index] = false;
        a->moves--;
    }
    free(rows);
    return result;
}

// One transaction after the other until one stands: each is without the partitions that held up the one
// before. What is still refused when nothing stale is left is the caller's to find out.
static int try_all(struct attempt *a, struct mf_error *err)
{
    while (a->moves > 0) {
        size_t tried = a->moves;
        int64_t moved = 0;
        int result = write_all(a, &moved, err);
        if (result == 0 && moved > (int64_t)tried)
            result = mf_error_set(err, MF_ERROR_CONFIG, "offset_row_twice",
                                  "a partition has two rows of group %s in ops.sink_offsets: delete all but "
                                  "the one with the largest next_offset",
                                  a->warehouse->group);
        if (result != 0 || moved == (int64_t)tried)
            return end(a->warehouse, result, err);
        if (mf_odbc_rollback(a->warehouse->connection, &a->warehouse->last, err) != 0 ||
            drop_stale(a, err) != 0)
            return -1;
        if (a->moves == tried)
            a->moves = 0;
    }
    return 0;
}

static int flush_batch(struct snk_warehouse *warehouse, struct snk_flush *flush,
                       const struct snk_scope *scope, struct mf_error *err)
{
    struct attempt a = {.warehouse = warehouse, .flush = flush, .scope = scope, .moves = flush->move_count};
    a.take = mf_calloc(flush->move_count, sizeof *a.take);
    a.writes = mf_calloc(scope->partition_count, sizeof *a.writes);
    for (size_t i = 0; i < flush->move_count; i++)
        a.take[i] = a.writes[flush->moves[i].partition] = true;
    int result = try_all(&a, err);
    for (size_t i = 0; result == 0 && i < flush->move_count; i++)
        flush->moved[i] = a.moves > 0 && a.take[i];
    if (a.moves == 0)
        memset(flush->inserted, 0, sizeof flush->inserted);
    free(a.take);
    free(a.writes);
    return result;
}

// ---- migrations

// DDL commits by itself, and a request has one statement: one after the other, each by who has the lease
// then. A statement that outlives the lease may meet the same statement of a successor, which changes
// nothing: a test holds the texts to statements that can be run again and beside themselves.
static int run_script(struct snk_warehouse *warehouse, const struct mf_sql_text *text, struct mf_error *err)
{
    struct mf_str script = {text->text, text->length};
    while (snk_statement_next(&script, &warehouse->text)) {
        char *statement = mf_strdup(mf_buf_c_str(&warehouse->text)); // renewing the lease uses the buffer
        int result = snk_warehouse_keep_lease(warehouse, err);
        if (result == 0)
            result = snk_warehouse_run(warehouse, statement, err);
        free(statement);
        if (result != 0)
            return -1;
    }
    return 0;
}

const struct snk_dialect_ops snk_snowflake_ops = {
    .assign = assign,
    .flush = flush_batch,
    .read_offsets = read_offsets,
    .run_script = run_script,
    .transactions = true,
    .lease_s = 60, // renewed before each statement
};
