// SPDX-License-Identifier: Apache-2.0
// Between the files of the warehouse.
#ifndef SNK_WAREHOUSE_PRIVATE_H
#define SNK_WAREHOUSE_PRIVATE_H

#include "common/warehouse.h"
#include "services/sink/warehouse.h"

// Flush statements that are kept prepared: one per set of tables, the least recently used one goes.
#define SNK_PREPARED_MAX 16

struct snk_prepared {
    struct mf_odbc_statement *statement;
    unsigned tables;
    uint64_t used;
};

struct snk_warehouse {
    struct mf_warehouse_config config;
    char *group, *instance;
    struct mf_odbc *connection;
    struct mf_odbc_diagnostic last;
    struct mf_odbc_statement *assign, *read_offsets;
    struct snk_prepared flushes[SNK_PREPARED_MAX];
    uint64_t uses;
    struct mf_buf text, json; // scratch: statement text, a parameter
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

#endif
