// SPDX-License-Identifier: Apache-2.0
// Between the files of the warehouse.
#ifndef SNK_WAREHOUSE_PRIVATE_H
#define SNK_WAREHOUSE_PRIVATE_H

#include "common/warehouse.h"
#include "services/sink/policy.h"
#include "services/sink/warehouse.h"

// Flush statements that are kept prepared: one per set of tables, the least recently used one goes.
#define SNK_PREPARED_MAX 16
// The ids of a flush's statements, those that fit.
#define SNK_QUERY_IDS_SIZE 512

struct snk_prepared {
    struct mf_odbc_statement *statement;
    unsigned tables;
    bool repeats; // rows may be there already
    uint64_t used;
};

// What a dialect does its own way. Called on an open session and under the deadline guard, but for
// run_script, which arms it itself for each request; warehouse->json holds the partitions in question for
// assign and read_offsets.
struct snk_dialect_ops {
    int (*assign)(struct snk_warehouse *warehouse, const char *cluster_id, struct snk_partition *partitions,
                  size_t count, struct mf_error *err);
    int (*flush)(struct snk_warehouse *warehouse, struct snk_flush *flush, const struct snk_scope *scope,
                 struct mf_error *err);
    int (*read_offsets)(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                        const struct snk_scope *scope, struct snk_offset_row *answers, struct mf_error *err);
    int (*run_script)(struct snk_warehouse *warehouse, const struct mf_sql_text *text, struct mf_error *err);
    bool transactional_ddl; // a migration and its row in the book are one transaction
    bool commits_later;     // a commit is answered before it is safe: a server that crashes may forget it
    bool transactions;      // the sink at work ends its transactions itself: autocommit is off
    int64_t lease_s;        // how long the lease of migrations lasts unless it is renewed
};
extern const struct snk_dialect_ops snk_postgresql_ops, snk_snowflake_ops;

struct snk_warehouse {
    struct mf_warehouse_config config;
    const struct snk_dialect_ops *ops;
    char *group, *instance;
    struct mf_odbc *connection;
    struct mf_odbc_diagnostic last;
    struct mf_odbc_statement *assign, *read_offsets;
    struct snk_prepared flushes[SNK_PREPARED_MAX];
    struct snk_repeats repeats;
    uint64_t uses;
    struct mf_buf text, json, rows; // scratch: statement text, parameters
    char query_ids[SNK_QUERY_IDS_SIZE];
    char lease_owner[SNK_LEASE_OWNER_SIZE]; // of the lease that this session has; "" = it has none
};

// Prepares sql/<dialect>/<name>.sql on the session; *statement is left alone when it is set already.
int snk_warehouse_prepare(struct snk_warehouse *warehouse, const char *name,
                          struct mf_odbc_statement **statement, struct mf_error *err);
// The assembled text of sql/<dialect>/<name>.sql for a set of tables, in warehouse->text.
int snk_warehouse_text(struct snk_warehouse *warehouse, const char *name, unsigned tables,
                       struct mf_error *err);
// Fetches one row of text columns: 1, 0 at the end, -1.
int snk_warehouse_fetch(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                        const char **columns, unsigned count, struct mf_error *err);

// Renews the lease that the session has, if it has one. TRANSIENT "lease_lost" when somebody else has taken
// it.
int snk_warehouse_keep_lease(struct snk_warehouse *warehouse, struct mf_error *err);
// One request of a script, under the deadline guard.
int snk_warehouse_run(struct snk_warehouse *warehouse, const char *text, struct mf_error *err);

// Take in an executed statement's rows: those of an assignment, and offset rows (one answer per move).
int snk_warehouse_take_assigned(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                                const char *cluster_id, struct snk_partition *partitions, size_t count,
                                struct mf_error *err);
int snk_warehouse_take_offset_rows(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                                   const struct snk_flush *flush, const struct snk_scope *scope,
                                   struct snk_offset_row *answers, struct mf_error *err);

#endif
