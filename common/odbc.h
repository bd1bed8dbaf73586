// SPDX-License-Identifier: Apache-2.0
// ODBC as far as the sink needs it (unixODBC behind it): connect, execute with text binds, fetch text,
// transactions, errors with SQLSTATE and native code classified by dialect. Calls block: the caller times
// them and runs them under a deadline guard. Never logs the connection string. The driver's completed
// out-string is never read (it echoes the password). Ownership: a statement belongs to its connection and
// dies with it.
#ifndef MF_ODBC_H
#define MF_ODBC_H

#include "buf.h"
#include "error.h"

enum mf_odbc_dialect { MF_ODBC_POSTGRESQL, MF_ODBC_SNOWFLAKE, MF_ODBC_DIALECT_MAX };

// What an error means for the sink (warehouse.md §4.5).
enum mf_odbc_class {
    MF_ODBC_CONNECTION, // reconnect with backoff, outcome check first
    MF_ODBC_TRANSIENT,  // the same batch again
    MF_ODBC_DATA,       // bisect, dead-letter
    MF_ODBC_CAPACITY,   // pause, alert, slow retry
    MF_ODBC_CONFIG,     // permission, missing table, bad credentials: breaker
    MF_ODBC_OTHER,      // unknown: treated like CONNECTION, but counted apart
    MF_ODBC_CLASS_MAX
};

struct mf_odbc_diagnostic {
    enum mf_odbc_class class;
    char sqlstate[6];
    int native;
    char message[400]; // first record's text, one line
};

// Pure: the one table. message is needed because psqlODBC reports wrong passwords as 08001.
enum mf_odbc_class mf_odbc_classify(enum mf_odbc_dialect dialect, const char *sqlstate, int native,
                                    const char *message);
const char *mf_odbc_class_name(enum mf_odbc_class class);

struct mf_odbc_config {
    enum mf_odbc_dialect dialect;
    const char *driver; // "PostgreSQL Unicode" or a path to a .so
    const char *host;
    int port;
    const char *database, *user;
    const char *password, *sslmode, *ca_file; // PostgreSQL
    // Snowflake: role and warehouse (the one that computes) of the session, and the private key (PEM) whose
    // public half the user has; the key's password may be NULL.
    const char *role, *compute, *key_file, *key_password;
    int64_t login_timeout_ms;
    int64_t statement_timeout_ms;
};

struct mf_odbc;
struct mf_odbc_statement;

// mf_error classes: TRANSIENT (connection, transient, capacity), POISON (data), CONFIG; UNCERTAIN when a
// statement or commit was sent and the connection was lost. diagnostic (may be NULL) has the details. code =
// "odbc_<class>".
int mf_odbc_connect(const struct mf_odbc_config *config, struct mf_odbc **connection,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);
void mf_odbc_free(struct mf_odbc **connection);
bool mf_odbc_is_dead(const struct mf_odbc *connection); // a connection-class error was seen
// Autocommit is on after connect.
int mf_odbc_set_autocommit(struct mf_odbc *connection, bool on, struct mf_odbc_diagnostic *diagnostic,
                           struct mf_error *err);
int mf_odbc_commit(struct mf_odbc *connection, struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);
int mf_odbc_rollback(struct mf_odbc *connection, struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);

// Prepares once; the statement is executed many times with text parameters (`?` markers).
int mf_odbc_prepare(struct mf_odbc *connection, const char *sql, struct mf_odbc_statement **statement,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);
void mf_odbc_statement_free(struct mf_odbc_statement **statement);
// Binds (borrowed until execute returns) and runs. A parameter with data NULL is SQL NULL.
int mf_odbc_execute(struct mf_odbc_statement *statement, const struct mf_str *params, size_t count,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);
// Next row of the result: 1 = a row, 0 = no more, -1 = error. Columns are read with mf_odbc_column (0-based).
int mf_odbc_fetch(struct mf_odbc_statement *statement, struct mf_odbc_diagnostic *diagnostic,
                  struct mf_error *err);
// Text of the column (terminated), NULL for SQL NULL; valid until the next fetch.
int mf_odbc_column(struct mf_odbc_statement *statement, unsigned column, const char **text,
                   struct mf_odbc_diagnostic *diagnostic, struct mf_error *err);
int64_t mf_odbc_row_count(const struct mf_odbc_statement *statement);
void mf_odbc_close_cursor(struct mf_odbc_statement *statement);
// One statement, sent with its parameters in one request instead of being prepared before. The statement is
// the caller's to free, also after an error of reading its result; NULL when it failed.
int mf_odbc_direct(struct mf_odbc *connection, const char *sql, const struct mf_str *params, size_t count,
                   struct mf_odbc_statement **statement, struct mf_odbc_diagnostic *diagnostic,
                   struct mf_error *err);
// The id under which the server knows the last execution of the statement: the handle for its history and for
// support. "" when the driver has none (PostgreSQL).
#define MF_ODBC_QUERY_ID_SIZE 64
void mf_odbc_query_id(const struct mf_odbc_statement *statement, char id[MF_ODBC_QUERY_ID_SIZE]);
// One statement or script without parameters (migrations).
int mf_odbc_exec_direct(struct mf_odbc *connection, const char *sql, struct mf_odbc_diagnostic *diagnostic,
                        struct mf_error *err);

// Non-blocking TCP probe on the loop's thread, bounded by timeout_ms (poll(2)): is somebody listening?
// Resolving a name may block; numeric hosts do not. TRANSIENT "probe_failed".
int mf_odbc_probe(const char *host, int port, int64_t timeout_ms, struct mf_error *err);

#endif
