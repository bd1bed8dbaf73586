// SPDX-License-Identifier: Apache-2.0
// Migrations over the session. Each call is under the deadline guard, whose limit the command has set for
// long statements. Failure classes: those of odbc.h, and FATAL for an answer that cannot be read.
#include <stdio.h>

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

// ---- the lease of the one run that may apply migrations

// One statement with parameters: the rows that it changed, or -1.
static int64_t change(struct snk_warehouse *warehouse, const char *name, const struct mf_str *params,
                      size_t count, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "using the lease of migrations");
    int result = snk_warehouse_prepare(warehouse, name, &statement, err);
    if (result == 0)
        result = mf_odbc_execute(statement, params, count, &warehouse->last, err);
    int64_t rows = result == 0 ? mf_odbc_row_count(statement) : -1;
    mf_odbc_statement_free(&statement);
    mf_deadline_guard_disarm();
    return rows;
}

static bool take_holder(void *arg, const char *const *columns)
{
    struct snk_lease *lease = arg;
    return columns[0] != NULL && columns[1] != NULL &&
           mf_str_copy(lease->owner, sizeof lease->owner, mf_str_of(columns[0])) &&
           mf_str_copy(lease->expires_at, sizeof lease->expires_at, mf_str_of(columns[1]));
}

int snk_warehouse_take_lease(struct snk_warehouse *warehouse, const char *owner, int64_t lasts_s,
                             struct snk_lease *holder, struct mf_error *err)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)lasts_s);
    struct mf_str params[] = {mf_str_of(owner), mf_str_of(seconds), mf_str_of(owner)};
    *holder = (struct snk_lease){0};
    if (change(warehouse, "lease_take", params, MF_ARRAY_LEN(params), err) < 0)
        return -1;
    return query(warehouse, "lease_read", 2, take_holder, holder, err);
}

int snk_warehouse_release_lease(struct snk_warehouse *warehouse, const char *owner, struct mf_error *err)
{
    struct mf_str params[] = {mf_str_of(owner)};
    return change(warehouse, "lease_release", params, MF_ARRAY_LEN(params), err) < 0 ? -1 : 0;
}

// ---- applying

int snk_warehouse_prepare_migrations(struct snk_warehouse *warehouse, struct mf_error *err)
{
    const struct mf_sql_text *text = snk_statement_find(warehouse->config.dialect, "migrations_prepare");
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "making the book of migrations");
    int result = warehouse->ops->run_script(warehouse, text, err);
    mf_deadline_guard_disarm();
    return result;
}

// The row that says so: where DDL can be undone, in the same transaction as the migration itself.
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

static int apply(struct snk_warehouse *warehouse, const struct mf_sql_text *text, struct mf_error *err)
{
    int result = warehouse->ops->run_script(warehouse, text, err);
    return result == 0 ? record_migration(warehouse, text, err) : result;
}

static int apply_in_transaction(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                struct mf_error *err)
{
    int result = mf_odbc_set_autocommit(warehouse->connection, false, &warehouse->last, err);
    if (result == 0)
        result = apply(warehouse, text, err);
    // Never a commit after any error: the driver would report success for what the server has thrown away.
    if (result == 0)
        result = mf_odbc_commit(warehouse->connection, &warehouse->last, err);
    else
        mf_odbc_rollback(warehouse->connection, NULL, NULL);
    if (result == 0)
        result = mf_odbc_set_autocommit(warehouse->connection, true, &warehouse->last, err);
    return result;
}

int snk_warehouse_apply_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                  struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "applying a migration");
    int result = warehouse->ops->transactional_ddl ? apply_in_transaction(warehouse, text, err)
                                                   : apply(warehouse, text, err);
    mf_deadline_guard_disarm();
    return result;
}

int snk_warehouse_apply_grants(struct snk_warehouse *warehouse, struct mf_error *err)
{
    const struct mf_sql_text *text = snk_statement_find(warehouse->config.dialect, "grants");
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "granting rights");
    int result = warehouse->ops->run_script(warehouse, text, err);
    mf_deadline_guard_disarm();
    return result;
}
