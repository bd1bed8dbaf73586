// SPDX-License-Identifier: Apache-2.0
// Migrations over the session. Each request is under the deadline guard, whose limit the command has set for
// long statements. Failure classes: those of odbc.h, TRANSIENT for a lease that was lost, and FATAL for an
// answer that cannot be read.
#include <inttypes.h>
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

int snk_warehouse_take_lease(struct snk_warehouse *warehouse, const char *owner, struct snk_lease *holder,
                             struct mf_error *err)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%" PRId64, warehouse->ops->lease_s);
    struct mf_str params[] = {mf_str_of(owner), mf_str_of(seconds), mf_str_of(owner)};
    *holder = (struct snk_lease){0};
    warehouse->lease_owner[0] = '\0';
    if (change(warehouse, "lease_take", params, MF_ARRAY_LEN(params), err) < 0 ||
        query(warehouse, "lease_read", 2, take_holder, holder, err) != 0)
        return -1;
    if (strcmp(holder->owner, owner) == 0)
        mf_str_copy(warehouse->lease_owner, sizeof warehouse->lease_owner, mf_str_of(owner));
    return 0;
}

static int lease_lost(const char *holder, struct mf_error *err)
{
    return mf_error_set(
        err, MF_ERROR_TRANSIENT, "lease_lost",
        "the lease in ops.schema_lease was over, and '%s' has it now: this run applies nothing more", holder);
}

int snk_warehouse_keep_lease(struct snk_warehouse *warehouse, struct mf_error *err)
{
    char owner[SNK_LEASE_OWNER_SIZE];
    struct snk_lease holder;
    if (!mf_str_copy(owner, sizeof owner, mf_str_of(warehouse->lease_owner)) || owner[0] == '\0')
        return 0;
    if (snk_warehouse_take_lease(warehouse, owner, &holder, err) != 0)
        return -1;
    return warehouse->lease_owner[0] != '\0' ? 0 : lease_lost(holder.owner, err);
}

int snk_warehouse_release_lease(struct snk_warehouse *warehouse, const char *owner, struct mf_error *err)
{
    struct mf_str params[] = {mf_str_of(owner)};
    warehouse->lease_owner[0] = '\0';
    return change(warehouse, "lease_release", params, MF_ARRAY_LEN(params), err) < 0 ? -1 : 0;
}

// ---- applying

int snk_warehouse_run(struct snk_warehouse *warehouse, const char *text, struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "changing the schema");
    int result = mf_odbc_exec_direct(warehouse->connection, text, &warehouse->last, err);
    mf_deadline_guard_disarm();
    return result;
}

static int run_script(struct snk_warehouse *warehouse, const char *name, struct mf_error *err)
{
    return warehouse->ops->run_script(warehouse, snk_statement_find(warehouse->config.dialect, name), err);
}

int snk_warehouse_prepare_migrations(struct snk_warehouse *warehouse, struct mf_error *err)
{
    return run_script(warehouse, "migrations_prepare", err);
}

// The row that says so: where DDL can be undone, in the same transaction as the migration itself.
static int record_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                            struct mf_error *err)
{
    char checksum[SNK_CHECKSUM_SIZE];
    snk_migration_checksum(text, checksum);
    struct mf_str params[] = {snk_statement_version(text), mf_str_of(checksum),
                              mf_str_of(warehouse->lease_owner)};
    int64_t rows = change(warehouse, "migrations_record", params, MF_ARRAY_LEN(params), err);
    if (rows < 0)
        return -1;
    return rows == 1 ? 0 : lease_lost("another run", err);
}

static int end_transaction(struct snk_warehouse *warehouse, int result, struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "ending the transaction of a migration");
    // Never a commit after any error: the driver would report success for what the server has thrown away.
    if (result == 0)
        result = mf_odbc_commit(warehouse->connection, &warehouse->last, err);
    else
        mf_odbc_rollback(warehouse->connection, NULL, NULL);
    // After a failure too: what follows (the lease is given back) is no part of a transaction.
    int restored = mf_odbc_set_autocommit(warehouse->connection, true, result == 0 ? &warehouse->last : NULL,
                                          result == 0 ? err : NULL);
    mf_deadline_guard_disarm();
    return result == 0 ? restored : result;
}

static int apply_in_transaction(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                struct mf_error *err)
{
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "beginning the transaction of a migration");
    int result = mf_odbc_set_autocommit(warehouse->connection, false, &warehouse->last, err);
    mf_deadline_guard_disarm();
    if (result != 0)
        return -1;
    result = warehouse->ops->run_script(warehouse, text, err);
    if (result == 0)
        result = record_migration(warehouse, text, err);
    return end_transaction(warehouse, result, err);
}

// Where each statement commits by itself.
static int apply_by_statement(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                              struct mf_error *err)
{
    if (warehouse->ops->run_script(warehouse, text, err) != 0 ||
        snk_warehouse_keep_lease(warehouse, err) != 0)
        return -1;
    return record_migration(warehouse, text, err);
}

int snk_warehouse_apply_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                  struct mf_error *err)
{
    assert(warehouse->lease_owner[0] != '\0');
    if (snk_warehouse_keep_lease(warehouse, err) != 0)
        return -1;
    return warehouse->ops->transactional_ddl ? apply_in_transaction(warehouse, text, err)
                                             : apply_by_statement(warehouse, text, err);
}

int snk_warehouse_apply_grants(struct snk_warehouse *warehouse, struct mf_error *err)
{
    return run_script(warehouse, "grants", err);
}
