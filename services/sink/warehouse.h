// SPDX-License-Identifier: Apache-2.0
// The warehouse as the sink sees it: a session that can be opened and lost, three statements, and the
// migrations. The seam between dialects: what differs between them is behind these functions and in
// sql/<dialect>/.
//
// All calls block, on purpose and alone: bounded by login and statement timeouts, and by a deadline guard
// against a server that is frozen. Ownership: snk_warehouse_new/free. Errors: those of odbc.h; "last" keeps
// the details.
#ifndef SNK_WAREHOUSE_H
#define SNK_WAREHOUSE_H

#include "common/odbc.h"
#include "services/sink/flush.h"
#include "services/sink/migrations.h"

struct snk_warehouse;

// What the tables of settings cannot say about WAREHOUSE_*: one line per problem. A dialect that this version
// does not load is one of them.
void snk_warehouse_check_settings(const struct mf_settings *settings, struct mf_buf *problems);
// Reads WAREHOUSE_* and TLS_CA_FILE (which pass the check). group and instance are copied. Does not connect.
struct snk_warehouse *snk_warehouse_new(const struct mf_settings *settings, const char *group,
                                        const char *instance);
// Takes the settings of the next session from `fresh` (a new password).
void snk_warehouse_reload(struct snk_warehouse *warehouse, const struct mf_settings *fresh);
void snk_warehouse_free(struct snk_warehouse **warehouse);
const char *snk_warehouse_dialect(const struct snk_warehouse *warehouse);
// Age at which a batch is due in this dialect where SINK_FLUSH_MS does not say.
int64_t snk_warehouse_flush_ms(const struct snk_warehouse *warehouse);
// The server's ids of the statements of the last flush, comma-separated; "" where it has none.
const char *snk_warehouse_query_ids(const struct snk_warehouse *warehouse);
// Host and port for messages; never user or password.
const char *snk_warehouse_address(const struct snk_warehouse *warehouse);
// Statements that change the schema may take long: another limit than that of the settings, before
// connecting.
void snk_warehouse_set_statement_timeout(struct snk_warehouse *warehouse, int64_t timeout_ms);

// Probe, then connect. With `check_schema`: CONFIG "schema_behind" when a migration of this program is not
// applied.
int snk_warehouse_open(struct snk_warehouse *warehouse, bool check_schema, struct mf_error *err);
// May the server forget what it committed last, when it crashes?
bool snk_warehouse_may_forget(const struct snk_warehouse *warehouse);
void snk_warehouse_close(struct snk_warehouse *warehouse);
bool snk_warehouse_is_open(const struct snk_warehouse *warehouse);
// Details of the last error that came from the driver.
const struct mf_odbc_diagnostic *snk_warehouse_last(const struct snk_warehouse *warehouse);

// Takes over the partitions that are not acquired yet: sets acquired, epoch, stored, position, verify and the
// last event. CONFIG "cluster_changed" when the offsets belong to another Kafka cluster, naming the remedy.
int snk_warehouse_assign(struct snk_warehouse *warehouse, const char *cluster_id,
                         struct snk_partition *partitions, size_t count, struct mf_error *err);

// Executes one flush and takes in its answer.
int snk_warehouse_flush(struct snk_warehouse *warehouse, struct snk_flush *flush,
                        const struct snk_scope *scope, struct mf_error *err);

// The offset rows of the moves of a flush that did not pass, or of all: one answer per move, `found` false
// without a row. answers has room for move_count; those not asked for are left alone.
struct snk_offset_row {
    bool found;
    int64_t epoch, next_offset;
};
int snk_warehouse_read_offsets(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                               const struct snk_scope *scope, bool only_unmoved,
                               struct snk_offset_row *answers, struct mf_error *err);

// ---- migrations (warehouse_schema.c); the session is open

// Who may apply migrations, and until when (UTC, by the warehouse's clock).
#define SNK_LEASE_OWNER_SIZE 128
struct snk_lease {
    char owner[SNK_LEASE_OWNER_SIZE];
    char expires_at[32];
};
// Takes the lease if it is free, over, one's own (renews it then), or that of a session that the server knows
// to be gone; *holder says who has it now. The book must be prepared. While the session has it, it is renewed
// before each migration, where DDL cannot be undone before each statement; who finds it lost by then stops
// there: TRANSIENT "lease_lost" of the calls below.
int snk_warehouse_take_lease(struct snk_warehouse *warehouse, const char *owner, struct snk_lease *holder,
                             struct mf_error *err);
// Does nothing when it is not ours.
int snk_warehouse_release_lease(struct snk_warehouse *warehouse, const char *owner, struct mf_error *err);
// The book; an empty list when there is none yet.
int snk_warehouse_list_migrations(struct snk_warehouse *warehouse, struct snk_applied_list *list,
                                  struct mf_error *err);
// Makes the book and the row of the lease; again and by several at once does no harm.
int snk_warehouse_prepare_migrations(struct snk_warehouse *warehouse, struct mf_error *err);
// The text and its row in the book, which is only written by who has the lease (asserted): in one transaction
// where the dialect can undo DDL, so that a run that lost the lease undoes all of it; elsewhere each
// statement can be run again, and beside itself.
int snk_warehouse_apply_migration(struct snk_warehouse *warehouse, const struct mf_sql_text *text,
                                  struct mf_error *err);
// Makes the roles that are not there yet and gives each its rights; again does no harm.
int snk_warehouse_apply_grants(struct snk_warehouse *warehouse, struct mf_error *err);

#endif
