// SPDX-License-Identifier: Apache-2.0
// The session and the settings behind it, and the statements that all dialects share. Another dialect brings
// its texts and its struct snk_dialect_ops.
#include "services/sink/warehouse.h"

#include <stdlib.h>

#include "common/json_writer.h"
#include "services/sink/warehouse_private.h"

#define PARTITIONS_JSON_MAX ((size_t)1024 * 1024)

void snk_warehouse_check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    mf_warehouse_check_settings(settings, problems);
    struct mf_warehouse_config config;
    mf_warehouse_read_settings(settings, &config);
    if (config.deadline_ms >= mf_settings_integer(settings, "KAFKA_MAX_POLL_INTERVAL_MS"))
        mf_buf_add_c(problems, "WAREHOUSE_DEADLINE_MS: must be less than KAFKA_MAX_POLL_INTERVAL_MS\n");
}

struct snk_warehouse *snk_warehouse_new(const struct mf_settings *settings, const char *group,
                                        const char *instance)
{
    struct snk_warehouse *w = mf_calloc(1, sizeof *w);
    mf_warehouse_read_settings(settings, &w->config);
    w->ops = w->config.odbc.dialect == MF_ODBC_SNOWFLAKE ? &snk_snowflake_ops : &snk_postgresql_ops;
    w->group = mf_strdup(group);
    w->instance = mf_strdup(instance);
    mf_buf_init(&w->text, SNK_STATEMENT_SIZE_MAX);
    mf_buf_init(&w->json, PARTITIONS_JSON_MAX);
    mf_buf_init(&w->rows, PARTITIONS_JSON_MAX);
    return w;
}

void snk_warehouse_reload(struct snk_warehouse *warehouse, const struct mf_settings *fresh)
{
    mf_warehouse_read_settings(fresh, &warehouse->config);
}

void snk_warehouse_free(struct snk_warehouse **warehouse)
{
    struct snk_warehouse *w = *warehouse;
    if (w == NULL)
        return;
    snk_warehouse_close(w);
    free(w->group);
    free(w->instance);
    mf_buf_free(&w->text);
    mf_buf_free(&w->json);
    mf_buf_free(&w->rows);
    free(w);
    *warehouse = NULL;
}

const char *snk_warehouse_dialect(const struct snk_warehouse *warehouse)
{
    return warehouse->config.dialect;
}

int64_t snk_warehouse_flush_ms(const struct snk_warehouse *warehouse)
{
    return warehouse->config.flush_ms;
}

const char *snk_warehouse_query_ids(const struct snk_warehouse *warehouse)
{
    return warehouse->query_ids;
}

const char *snk_warehouse_address(const struct snk_warehouse *warehouse)
{
    return warehouse->config.address;
}

void snk_warehouse_set_statement_timeout(struct snk_warehouse *warehouse, int64_t timeout_ms)
{
    warehouse->config.odbc.statement_timeout_ms = timeout_ms;
    warehouse->config.deadline_ms = timeout_ms + 10000;
}

bool snk_warehouse_is_open(const struct snk_warehouse *warehouse)
{
    return warehouse->connection != NULL && !mf_odbc_is_dead(warehouse->connection);
}

bool snk_warehouse_may_forget(const struct snk_warehouse *warehouse)
{
    return warehouse->ops->commits_later;
}

const struct mf_odbc_diagnostic *snk_warehouse_last(const struct snk_warehouse *warehouse)
{
    return &warehouse->last;
}

void snk_warehouse_close(struct snk_warehouse *warehouse)
{
    if (warehouse->connection == NULL)
        return;
    mf_warehouse_disconnect(&warehouse->config, &warehouse->connection);
    warehouse->assign = NULL;
    warehouse->read_offsets = NULL;
    memset(warehouse->flushes, 0, sizeof warehouse->flushes);
}

// A sink that writes to a schema it does not know would only find out row by row.
static int check_schema_version(struct snk_warehouse *warehouse, struct mf_error *err)
{
    struct snk_applied_list applied = {0};
    struct snk_plan plan;
    int result = snk_warehouse_list_migrations(warehouse, &applied, err);
    if (result == 0)
        result = snk_plan_migrations(warehouse->config.dialect, &applied, &plan, err);
    if (result == 0 && plan.pending > 0) {
        struct mf_str missing =
            snk_statement_version(snk_statement_migration(warehouse->config.dialect, plan.known));
        result = mf_error_set(err, MF_ERROR_CONFIG, "schema_behind",
                              "the warehouse lacks migration %.*s: run marketflow-sink migrate",
                              MF_STR_ARG(missing));
    }
    snk_applied_free(&applied);
    return result;
}

int snk_warehouse_open(struct snk_warehouse *warehouse, bool check_schema, struct mf_error *err)
{
    // Whatever is left of the old session goes first: two of them would be two writers.
    snk_warehouse_close(warehouse);
    int result = mf_warehouse_connect(&warehouse->config, &warehouse->connection, &warehouse->last, err);
    if (result != 0 || !check_schema)
        return result;
    result = check_schema_version(warehouse, err);
    if (result == 0 && warehouse->ops->transactions)
        result = mf_odbc_set_autocommit(warehouse->connection, false, &warehouse->last, err);
    if (result != 0)
        snk_warehouse_close(warehouse);
    return result;
}

int snk_warehouse_text(struct snk_warehouse *warehouse, const char *name, unsigned tables,
                       struct mf_error *err)
{
    const struct mf_sql_text *found = snk_statement_find(warehouse->config.dialect, name);
    assert(found != NULL); // a test looks for every one of them
    mf_buf_clear(&warehouse->text);
    return snk_statement_assemble((struct mf_str){found->text, found->length}, tables, &warehouse->text, err);
}

int snk_warehouse_prepare(struct snk_warehouse *warehouse, const char *name,
                          struct mf_odbc_statement **statement, struct mf_error *err)
{
    if (*statement != NULL)
        return 0;
    if (snk_warehouse_text(warehouse, name, 0, err) != 0)
        return -1;
    return mf_odbc_prepare(warehouse->connection, mf_buf_c_str(&warehouse->text), statement, &warehouse->last,
                           err);
}

int snk_warehouse_fetch(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                        const char **columns, unsigned count, struct mf_error *err)
{
    int got = mf_odbc_fetch(statement, &warehouse->last, err);
    for (unsigned i = 0; got == 1 && i < count; i++) {
        if (mf_odbc_column(statement, i, &columns[i], &warehouse->last, err) != 0)
            return -1;
    }
    return got;
}
