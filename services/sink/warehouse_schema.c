// SPDX-License-Identifier: Apache-2.0
// Migrations over the session. Each call is under the deadline guard, whose limit the command has set for
// long statements. Failure classes: those of odbc.h, and FATAL for an answer that cannot be read.
#include "common/deadline_guard.h"
#include "services/sink/warehouse_private.h"

// One statement without parameters; its rows go to `take`, which is told up to two columns.
static int query(struct snk_warehouse *warehouse, const char *name, unsigned columns_wanted,
                 bool (*take)(void *arg, const char *const *columns), void *arg, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    const char *columns[2] = {NULL, NULL};
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "reading the state of the schema");
    int got = -1;
    if (snk_warehouse_prepare(warehouse, name, &statement, err) == 0 &&
        mf_odbc_execute(statement, NULL, 0, &warehouse->last, err) == 0) {
        while ((got = snk_warehouse_fetch(warehouse, statement, columns, columns_wanted, err)) == 1) {
            if (!take(arg, columns)) {
                got = mf_error_set(err, MF_ERROR_FATAL, "schema_answer",
                                   "the warehouse's answer cannot be read");
                break;
            }
        }
    }
    mf_odbc_statement_free(&statement);
    mf_deadline_guard_disarm();
    return got;
}

static bool take_found(void *arg, const char *const *columns)
{
    return columns[0] != NULL && mf_str_to_i64(mf_str_of(columns[0]), arg);
}

static bool take_applied(void *arg, const char *const *columns)
{
    return snk_applied_add(arg, columns[0], columns[1]);
}

static bool take_any(void *arg, const char *const *columns)
{
    (void)arg, (void)columns;
    return true;
}

int snk_warehouse_list_migrations(struct snk_warehouse *warehouse, struct snk_applied_list *list,
                                  struct mf_error *err)
{
    // A missing table would be an error of its own; asking the catalogue first needs no rights and no
    // guessing.
    int64_t found = 0;
    snk_applied_free(list);
    if (query(warehouse, "migrations_exist", 1, take_found, &found, err) != 0)
        return -1;
    return found > 0 ? query(warehouse, "migrations_list", 2, take_applied, list, err) : 0;
}

int snk_warehouse_lock_migrations(struct snk_warehouse *warehouse, struct mf_error *err)
{
    return query(warehouse, "migrations_lock", 1, take_any, NULL, err);
}

static int run_script(struct snk_warehouse *warehouse, const char *text, struct mf_error *err)
{
    return mf_odbc_exec_direct(warehouse->connection, text, &warehouse->last, err);
}

int snk_warehouse_prepare_migrations(struct snk_warehouse *warehouse, struct mf_error *err)
{
    const struct mf_sql_text *text = snk_statement_find(warehouse->config.dialect, "migrations_prepare");
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "making the book of migrations");
    int result = run_script(warehouse, text->text, err);
    mf_deadline_guard_disarm();
    return result;
}

// The row that says so belongs to the same transaction as the migration itself.
static int record_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                            struct mf_error *err)
{
    char checksum[SNK_CHECKSUM_SIZE];
    snk_migration_checksum(text, checksum);
    struct mf_str params[] = {snk_statement_version(text), mf_str_of(checksum)};
    struct mf_odbc_statement *statement = NULL;
    int result = snk_warehouse_prepare(warehouse, "migrations_record", &statement, err);
    if (result == 0)
        result = mf_odbc_execute(statement, params, MF_ARRAY_LEN(params), &warehouse->last, err);
    mf_odbc_statement_free(&statement);
    return result;
}

int snk_warehouse_apply_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                  struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "applying a migration");
    int result = mf_odbc_set_autocommit(warehouse->connection, false, &warehouse->last, err);
    if (result == 0)
        result = run_script(warehouse, text->text, err);
    if (result == 0)
        result = record_migration(warehouse, text, err);
    // Never a commit after any error: the driver would report success for what the server has thrown away.
    if (result == 0)
        result = mf_odbc_commit(warehouse->connection, &warehouse->last, err);
    else
        mf_odbc_rollback(warehouse->connection, NULL, NULL);
    if (result == 0)
        result = mf_odbc_set_autocommit(warehouse->connection, true, &warehouse->last, err);
    mf_deadline_guard_disarm();
    return result;
}
