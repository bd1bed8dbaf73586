// SPDX-License-Identifier: Apache-2.0
// The operator's session with the warehouse: opened by the settings, statements by the names of their texts.
// Calls block, under the deadline guard. Ownership: ctl_warehouse_open/close; a statement belongs to the
// session and dies with it. Failure classes: those of odbc.h; CONFIG "no_statement" for a dialect that lacks
// a text.
#ifndef CTL_WAREHOUSE_H
#define CTL_WAREHOUSE_H

#include "common/warehouse.h"

struct ctl_warehouse {
    struct mf_warehouse_config config;
    struct mf_odbc *connection;
    struct mf_odbc_diagnostic last;
};

// CONFIG "bad_settings" when WAREHOUSE_* contradict each other, with all problems in the message. With a
// statement_timeout_ms > 0 that one instead of the settings'.
int ctl_warehouse_open(struct ctl_warehouse *warehouse, const struct mf_settings *settings,
                       int64_t statement_timeout_ms, struct mf_error *err);
void ctl_warehouse_close(struct ctl_warehouse *warehouse);
bool ctl_warehouse_has(const struct ctl_warehouse *warehouse, const char *name);

// Runs sql/<dialect>/<name>.sql (table: what each_table stands for, NULL for a text without it) and hands out
// its rows; a row's columns live until on_row returns, which returns -1 with err to end it.
struct ctl_query {
    const char *name, *table;
    const struct mf_str *params;
    size_t param_count;
    unsigned columns;
    int (*on_row)(void *arg, const char *const *columns, struct mf_error *err);
    void *arg;
};
#define CTL_COLUMNS_MAX 8
int ctl_warehouse_query(struct ctl_warehouse *warehouse, const struct ctl_query *query, struct mf_error *err);

// ---- the sink's offsets

struct ctl_stored {
    const char *topic;
    int32_t partition;
    int64_t next_offset; // out: -1 = the group has no row for it
};
int ctl_warehouse_stored(struct ctl_warehouse *warehouse, const char *group, struct ctl_stored *items,
                         size_t count, struct mf_error *err);

#endif
