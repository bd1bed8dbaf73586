// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's way: each of the sink's uses is one autocommit statement of the server, prepared once per
// session; a migration is a script in one transaction. Errors: those of odbc.h.
#include "services/sink/warehouse_private.h"

#define UNIQUE_VIOLATION "23505"

static int assign(struct snk_warehouse *warehouse, const char *cluster_id, struct snk_partition *partitions,
                  size_t count, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group),
                              mf_str_of(warehouse->instance), mf_str_of(cluster_id)};
    if (snk_warehouse_prepare(warehouse, "assign", &warehouse->assign, err) != 0 ||
        mf_odbc_execute(warehouse->assign, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    int result =
        snk_warehouse_take_assigned(warehouse, warehouse->assign, cluster_id, partitions, count, err);
    mf_odbc_close_cursor(warehouse->assign);
    return result;
}

// The slot of the set of tables: prepared already, free, or the least recently used one, which is given up.
static struct snk_prepared *slot_of(struct snk_warehouse *warehouse, unsigned tables, bool repeats)
{
    struct snk_prepared *oldest = &warehouse->flushes[0];
    for (size_t i = 0; i < SNK_PREPARED_MAX; i++) {
        struct snk_prepared *slot = &warehouse->flushes[i];
        if (slot->statement != NULL && slot->tables == tables && slot->repeats == repeats)
            return slot;
        if (slot->used < oldest->used)
            oldest = slot;
    }
    mf_odbc_statement_free(&oldest->statement);
    return oldest;
}

// The statement for this set of tables: prepared on its first use in the session, executed from then on.
static int prepare_flush(struct snk_warehouse *warehouse, unsigned tables, bool repeats,
                         struct mf_odbc_statement **statement, struct mf_error *err)
{
    struct snk_prepared *slot = slot_of(warehouse, tables, repeats);
    if (slot->statement == NULL) {
        if (snk_warehouse_text(warehouse, "flush", tables, err) != 0)
            return -1;
        if (!repeats)
            snk_statement_drop_lines(&warehouse->text, "repeats");
        if (mf_odbc_prepare(warehouse->connection, mf_buf_c_str(&warehouse->text), &slot->statement,
                            &warehouse->last, err) != 0)
            return -1;
        slot->tables = tables;
        slot->repeats = repeats;
    }
    slot->used = ++warehouse->uses;
    *statement = slot->statement;
    return 0;
}

// Parameters and columns in the order of sql/<dialect>/flush.sql.
static int execute_flush(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                         struct snk_flush *flush, const struct snk_scope *scope, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&flush->moves_json), mf_str_of(warehouse->group),
                              mf_str_of(flush->load_id), mf_buf_str(&flush->payloads_json),
                              mf_buf_str(&flush->known_json)};
    if (mf_odbc_execute(statement, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    const char *columns[4];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, statement, columns, 4, err)) == 1) {
        if (snk_flush_take_answer(flush, scope, columns[0], columns[1], columns[2], columns[3], err) != 0)
            return -1;
    }
    return got;
}

static int flush_once(struct snk_warehouse *warehouse, struct snk_flush *flush, const struct snk_scope *scope,
                      bool repeats, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    if (prepare_flush(warehouse, flush->tables, repeats, &statement, err) != 0)
        return -1;
    int result = execute_flush(warehouse, statement, flush, scope, err);
    mf_odbc_close_cursor(statement);
    return result;
}

// Were rows of the flush there already? Those of partitions that the fence held back count for it too, which
// only makes the next flushes look.
static bool found_repeats(const struct snk_flush *flush)
{
    uint64_t fresh = 0;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++)
        fresh += flush->inserted[table];
    return fresh < flush->rows;
}

// Without a look at what is there, unless rows have been met again lately. The statement that meets one has
// written nothing: it is repeated at once, looking.
static int flush_batch(struct snk_warehouse *warehouse, struct snk_flush *flush,
                       const struct snk_scope *scope, struct mf_error *err)
{
    if (warehouse->repeats.left == 0) {
        int result = flush_once(warehouse, flush, scope, false, err);
        if (result == 0 || strcmp(warehouse->last.sqlstate, UNIQUE_VIOLATION) != 0 ||
            err->class != MF_ERROR_POISON)
            return result;
        snk_repeats_surprise(&warehouse->repeats);
    }
    int result = flush_once(warehouse, flush, scope, true, err);
    if (result == 0)
        snk_repeats_looked(&warehouse->repeats, found_repeats(flush));
    return result;
}

static int read_offsets(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                        const struct snk_scope *scope, struct snk_offset_row *answers, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group)};
    if (snk_warehouse_prepare(warehouse, "read_offsets", &warehouse->read_offsets, err) != 0 ||
        mf_odbc_execute(warehouse->read_offsets, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    int result =
        snk_warehouse_take_offset_rows(warehouse, warehouse->read_offsets, flush, scope, answers, err);
    mf_odbc_close_cursor(warehouse->read_offsets);
    return result;
}

static int run_script(struct snk_warehouse *warehouse, const struct mf_sql_text *text, struct mf_error *err)
{
    return snk_warehouse_run(warehouse, text->text, err);
}

const struct snk_dialect_ops snk_postgresql_ops = {
    .assign = assign,
    .flush = flush_batch,
    .read_offsets = read_offsets,
    .run_script = run_script,
    .transactional_ddl = true,
    .commits_later = true, // synchronous_commit is off
    // Longer than any statement, during which nothing can be renewed: the server shows at once that a
    // holder's session is gone, and waiting is only for one whose machine is gone without a word.
    .lease_s = 960,
};
