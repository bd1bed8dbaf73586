// SPDX-License-Identifier: Apache-2.0
// The wrapper around unixODBC: one connection, text in, text out. Only the ANSI entry points are used, with
// UTF-8. After every call: success, or the diagnostic records are read, classified, and kept in the caller's
// structs.
#include "common/odbc.h"

#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/odbc_private.h"

#define CONNECTION_STRING_MAX 8192
#define PARAMS_MAX 16
#define COLUMNS_MAX 16
#define COLUMN_SIZE_MAX 65536 // bytes of one column that we are willing to read
// SQL_SF_STMT_ATTR_LAST_QUERY_ID of Snowflake's sf_odbc.h: 0x4000 (driver's own) + 0x106 + 1.
#define SNOWFLAKE_LAST_QUERY_ID 0x4107

struct mf_odbc {
    SQLHENV environment;
    SQLHDBC handle;
    enum mf_odbc_dialect dialect;
    bool connected;
    bool dead;
    char *password, *key_password; // only to take them out of messages
    struct mf_odbc_statement *statements;
};

struct mf_odbc_statement {
    struct mf_odbc *connection;
    SQLHSTMT handle;
    struct mf_odbc_statement *previous, *next;
    SQLLEN lengths[PARAMS_MAX]; // read by the driver during execute
    bool cursor_open;
    SQLLEN row_count;
    struct mf_buf columns[COLUMNS_MAX]; // texts of the current row
};

// Log lines and dead letters want the message without its line breaks.
static void one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    }
}

static void read_diagnostic(struct mf_odbc *connection, SQLSMALLINT type, SQLHANDLE handle,
                            struct mf_odbc_diagnostic *diagnostic)
{
    *diagnostic = (struct mf_odbc_diagnostic){.sqlstate = "HY000"};
    SQLCHAR text[sizeof diagnostic->message] = "";
    SQLCHAR state[6] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT length = 0;
    if (SQL_SUCCEEDED(SQLGetDiagRec(type, handle, 1, state, &native, text, sizeof text, &length))) {
        mf_str_copy(diagnostic->sqlstate, sizeof diagnostic->sqlstate, mf_str_of((const char *)state));
        mf_str_copy(diagnostic->message, sizeof diagnostic->message, mf_str_of((const char *)text));
        diagnostic->native = native;
    } else {
        mf_str_copy(diagnostic->message, sizeof diagnostic->message, MF_STR("the driver gave no reason"));
    }
    one_line(diagnostic->message);
    // The driver manager cuts at a byte: what is left of a sequence that was cut in two goes too.
    size_t len = strlen(diagnostic->message);
    for (size_t cut = 0; cut < 3 && len > 0 && !mf_str_is_utf8(mf_str_of(diagnostic->message)); cut++)
        diagnostic->message[--len] = '\0';
    mf_odbc_redact(diagnostic->message, connection->password);
    mf_odbc_redact(diagnostic->message, connection->key_password);
    diagnostic->class =
        mf_odbc_classify(connection->dialect, diagnostic->sqlstate, diagnostic->native, diagnostic->message);
}

// Turns the diagnostic records of a failed call into the caller's error. `sent`: the request may have reached
// the server, so that a lost connection leaves its outcome unknown. Returns -1.
static int fail(struct mf_odbc *connection, SQLSMALLINT type, SQLHANDLE handle, bool sent, const char *doing,
                struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    struct mf_odbc_diagnostic own;
    struct mf_odbc_diagnostic *d = diagnostic != NULL ? diagnostic : &own;
    read_diagnostic(connection, type, handle, d);
    if (d->class == MF_ODBC_CONNECTION || d->class == MF_ODBC_OTHER)
        connection->dead = true;
    char code[MF_ERROR_CODE_SIZE];
    snprintf(code, sizeof code, "odbc_%s", mf_odbc_class_name(d->class));
    return mf_error_set(err, mf_odbc_error_class(d->class, sent), code, "%s: %s (SQLSTATE %s, native %d)",
                        doing, d->message, d->sqlstate, d->native);
}

// Rounded up: the ODBC attributes know whole seconds, and 0 would mean "for ever".
static SQLULEN seconds_of(int64_t ms)
{
    return ms <= 1000 ? 1 : (SQLULEN)((ms + 999) / 1000);
}

// Environment and connection handles of the driver manager; no network yet.
static int open_handles(struct mf_odbc *connection, const struct mf_odbc_config *config, struct mf_error *err)
{
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &connection->environment)) ||
        !SQL_SUCCEEDED(
            SQLSetEnvAttr(connection->environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0)) ||
        !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, connection->environment, &connection->handle)))
        return mf_error_set(err, MF_ERROR_FATAL, "odbc_handle", "the ODBC driver manager gives no handle");
    SQLSetConnectAttr(connection->handle, SQL_ATTR_LOGIN_TIMEOUT,
                      (SQLPOINTER)seconds_of(config->login_timeout_ms), 0);
    return 0;
}

// The one place where the connection string exists; it is wiped before the return.
static int drive_connect(struct mf_odbc *connection, const struct mf_odbc_config *config,
                         struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    struct mf_buf text;
    mf_buf_init(&text, CONNECTION_STRING_MAX);
    // All the room at once: growing would leave copies of the password behind.
    char room[CONNECTION_STRING_MAX] = "";
    mf_buf_add(&text, room, sizeof room);
    mf_buf_clear(&text);
    int result = mf_odbc_connection_string(config, &text, err);
    if (result == 0) {
        // No out-string: the driver would echo the password into it.
        SQLRETURN rc = SQLDriverConnect(connection->handle, NULL, (SQLCHAR *)text.data, (SQLSMALLINT)text.len,
                                        NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
        connection->connected = SQL_SUCCEEDED(rc);
        if (!connection->connected)
            result = fail(connection, SQL_HANDLE_DBC, connection->handle, false,
                          "connecting to the warehouse", diagnostic, err);
    } else if (diagnostic != NULL) {
        *diagnostic = (struct mf_odbc_diagnostic){.class = MF_ODBC_CONFIG, .sqlstate = "HY000"};
    }
    if (text.data != NULL)
        explicit_bzero(text.data, text.cap);
    mf_buf_free(&text);
    return result;
}

int mf_odbc_connect(const struct mf_odbc_config *config, struct mf_odbc **connection,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    struct mf_odbc *fresh = mf_calloc(1, sizeof *fresh);
    fresh->dialect = config->dialect;
    if (config->password != NULL)
        fresh->password = mf_strdup(config->password);
    if (config->key_password != NULL)
        fresh->key_password = mf_strdup(config->key_password);
    if (open_handles(fresh, config, err) != 0 || drive_connect(fresh, config, diagnostic, err) != 0) {
        mf_odbc_free(&fresh);
        return -1;
    }
    *connection = fresh;
    return 0;
}

// Frees a secret and leaves nothing of it behind; NULL-safe.
static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void mf_odbc_free(struct mf_odbc **connection)
{
    struct mf_odbc *c = *connection;
    if (c == NULL)
        return;
    while (c->statements != NULL) {
        struct mf_odbc_statement *statement = c->statements;
        mf_odbc_statement_free(&statement);
    }
    // With a transaction open, as after a commit that failed, a driver may refuse to disconnect (25000): the
    // session, and its locks, would stay for as long as the process.
    if (c->connected && !SQL_SUCCEEDED(SQLDisconnect(c->handle))) {
        SQLEndTran(SQL_HANDLE_DBC, c->handle, SQL_ROLLBACK);
        SQLDisconnect(c->handle);
    }
    if (c->handle != NULL)
        SQLFreeHandle(SQL_HANDLE_DBC, c->handle);
    if (c->environment != NULL)
        SQLFreeHandle(SQL_HANDLE_ENV, c->environment);
    wipe(c->password);
    wipe(c->key_password);
    free(c);
    *connection = NULL;
}

bool mf_odbc_is_dead(const struct mf_odbc *connection)
{
    return connection->dead;
}

int mf_odbc_set_autocommit(struct mf_odbc *connection, bool on, struct mf_odbc_diagnostic *diagnostic,
                           struct mf_error *err)
{
    SQLULEN value = on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;
    if (SQL_SUCCEEDED(SQLSetConnectAttr(connection->handle, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)value, 0)))
        return 0;
    return fail(connection, SQL_HANDLE_DBC, connection->handle, false, "setting autocommit", diagnostic, err);
}

static int end_transaction(struct mf_odbc *connection, SQLSMALLINT how, const char *doing,
                           struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    // psqlODBC answers success for a commit on a connection that it already knows to be dead.
    if (connection->dead) {
        if (diagnostic != NULL)
            *diagnostic = (struct mf_odbc_diagnostic){.class = MF_ODBC_CONNECTION, .sqlstate = "08003"};
        return mf_error_set(err, MF_ERROR_UNCERTAIN, "odbc_connection", "%s: the connection was lost before",
                            doing);
    }
    if (SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, connection->handle, how)))
        return 0;
    return fail(connection, SQL_HANDLE_DBC, connection->handle, true, doing, diagnostic, err);
}

int mf_odbc_commit(struct mf_odbc *connection, struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    return end_transaction(connection, SQL_COMMIT, "committing", diagnostic, err);
}

int mf_odbc_rollback(struct mf_odbc *connection, struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    return end_transaction(connection, SQL_ROLLBACK, "rolling back", diagnostic, err);
}

// A statement in the list of its connection, which frees what its owners have not.
static int new_statement(struct mf_odbc *connection, struct mf_odbc_statement **statement,
                         struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    SQLHSTMT handle = NULL;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, connection->handle, &handle)))
        return fail(connection, SQL_HANDLE_DBC, connection->handle, false, "making a statement", diagnostic,
                    err);
    struct mf_odbc_statement *fresh = mf_calloc(1, sizeof *fresh);
    fresh->connection = connection;
    fresh->handle = handle;
    fresh->row_count = -1;
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        mf_buf_init(&fresh->columns[i], COLUMN_SIZE_MAX);
    fresh->next = connection->statements;
    if (fresh->next != NULL)
        fresh->next->previous = fresh;
    connection->statements = fresh;
    *statement = fresh;
    return 0;
}

int mf_odbc_prepare(struct mf_odbc *connection, const char *sql, struct mf_odbc_statement **statement,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    struct mf_odbc_statement *fresh = NULL;
    if (new_statement(connection, &fresh, diagnostic, err) != 0)
        return -1;
    if (!SQL_SUCCEEDED(SQLPrepare(fresh->handle, (SQLCHAR *)sql, SQL_NTS))) {
        fail(connection, SQL_HANDLE_STMT, fresh->handle, false, "preparing a statement", diagnostic, err);
        mf_odbc_statement_free(&fresh);
        return -1;
    }
    *statement = fresh;
    return 0;
}

void mf_odbc_statement_free(struct mf_odbc_statement **statement)
{
    struct mf_odbc_statement *s = *statement;
    if (s == NULL)
        return;
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        s->connection->statements = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    SQLFreeHandle(SQL_HANDLE_STMT, s->handle);
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        mf_buf_free(&s->columns[i]);
    free(s);
    *statement = NULL;
}

void mf_odbc_close_cursor(struct mf_odbc_statement *statement)
{
    if (!statement->cursor_open)
        return;
    SQLFreeStmt(statement->handle, SQL_CLOSE);
    statement->cursor_open = false;
}

// Everything goes as text; the SQL says what it is. The driver reads pointers and lengths during execute.
static int bind_params(struct mf_odbc_statement *s, const struct mf_str *params, size_t count,
                       struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    assert(count <= PARAMS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool absent = params[i].data == NULL;
        s->lengths[i] = absent ? SQL_NULL_DATA : (SQLLEN)params[i].len;
        // A column size of 0 is refused by the driver manager.
        SQLULEN size = params[i].len > 0 ? params[i].len : 1;
        SQLRETURN rc = SQLBindParameter(s->handle, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, SQL_C_CHAR,
                                        SQL_LONGVARCHAR, size, 0, absent ? NULL : (SQLPOINTER)params[i].data,
                                        (SQLLEN)params[i].len, &s->lengths[i]);
        if (!SQL_SUCCEEDED(rc))
            return fail(s->connection, SQL_HANDLE_STMT, s->handle, false, "binding a parameter", diagnostic,
                        err);
    }
    return 0;
}

// What came of an execution: an error, or the rows that it touched.
static int take_result(struct mf_odbc_statement *statement, SQLRETURN rc,
                       struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    if (!SQL_SUCCEEDED(rc) && rc != SQL_NO_DATA) // NO_DATA: an UPDATE or DELETE that touched no row
        return fail(statement->connection, SQL_HANDLE_STMT, statement->handle, true, "executing a statement",
                    diagnostic, err);
    statement->cursor_open = true;
    SQLLEN rows = -1;
    if (rc == SQL_NO_DATA)
        statement->row_count = 0;
    else if (SQL_SUCCEEDED(SQLRowCount(statement->handle, &rows)))
        statement->row_count = rows;
    return 0;
}

int mf_odbc_execute(struct mf_odbc_statement *statement, const struct mf_str *params, size_t count,
                    struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    // A statement whose result was not read to its end cannot be executed again.
    mf_odbc_close_cursor(statement);
    statement->row_count = -1;
    if (bind_params(statement, params, count, diagnostic, err) != 0)
        return -1;
    return take_result(statement, SQLExecute(statement->handle), diagnostic, err);
}

int mf_odbc_direct(struct mf_odbc *connection, const char *sql, const struct mf_str *params, size_t count,
                   struct mf_odbc_statement **statement, struct mf_odbc_diagnostic *diagnostic,
                   struct mf_error *err)
{
    struct mf_odbc_statement *fresh = NULL;
    if (new_statement(connection, &fresh, diagnostic, err) != 0)
        return -1;
    int result = bind_params(fresh, params, count, diagnostic, err);
    if (result == 0) {
        SQLRETURN rc = SQLExecDirect(fresh->handle, (SQLCHAR *)sql, SQL_NTS);
        result = take_result(fresh, rc, diagnostic, err);
    }
    if (result != 0)
        mf_odbc_statement_free(&fresh);
    *statement = fresh;
    return result;
}

void mf_odbc_query_id(const struct mf_odbc_statement *statement, char id[MF_ODBC_QUERY_ID_SIZE])
{
    id[0] = '\0';
    if (statement->connection->dialect != MF_ODBC_SNOWFLAKE)
        return;
    char text[2 * MF_ODBC_QUERY_ID_SIZE] = "";
    SQLINTEGER length = 0;
    if (!SQL_SUCCEEDED(SQLGetStmtAttr(statement->handle, SNOWFLAKE_LAST_QUERY_ID, text,
                                      sizeof text - 2 * sizeof(SQLWCHAR), &length)))
        return;
    // The driver manager does not know the attribute: from a Unicode driver its text may come in UTF-16.
    // Letters, digits and hyphens are all that an id has.
    size_t used = 0;
    for (size_t i = 0; i < sizeof text && used + 1 < MF_ODBC_QUERY_ID_SIZE; i++) {
        char c = text[i];
        bool sound = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        if (sound)
            id[used++] = c;
        else if (c != '\0' || (i > 0 && text[i - 1] == '\0'))
            break;
    }
    id[used] = '\0';
}

int mf_odbc_fetch(struct mf_odbc_statement *statement, struct mf_odbc_diagnostic *diagnostic,
                  struct mf_error *err)
{
    SQLRETURN rc = SQLFetch(statement->handle);
    if (rc == SQL_NO_DATA)
        return 0;
    if (SQL_SUCCEEDED(rc))
        return 1;
    return fail(statement->connection, SQL_HANDLE_STMT, statement->handle, true, "fetching a row", diagnostic,
                err);
}

int mf_odbc_column(struct mf_odbc_statement *statement, unsigned column, const char **text,
                   struct mf_odbc_diagnostic *diagnostic, struct mf_error *err)
{
    assert(column < COLUMNS_MAX);
    struct mf_buf *whole = &statement->columns[column];
    mf_buf_clear(whole);
    // Longer values come in pieces: SUCCESS_WITH_INFO until the last one.
    char part[1024];
    for (;;) {
        SQLLEN length = 0;
        SQLRETURN rc =
            SQLGetData(statement->handle, (SQLUSMALLINT)(column + 1), SQL_C_CHAR, part, sizeof part, &length);
        if (rc == SQL_NO_DATA)
            break; // everything was read by the calls before
        if (!SQL_SUCCEEDED(rc))
            return fail(statement->connection, SQL_HANDLE_STMT, statement->handle, true, "reading a column",
                        diagnostic, err);
        if (length == SQL_NULL_DATA) {
            *text = NULL;
            return 0;
        }
        mf_buf_add_c(whole, part);
        if (rc == SQL_SUCCESS)
            break;
    }
    if (whole->overflow)
        return mf_error_set(err, MF_ERROR_FATAL, "odbc_column_too_long", "a column is longer than %d bytes",
                            COLUMN_SIZE_MAX);
    *text = mf_buf_c_str(whole);
    return 0;
}

int64_t mf_odbc_row_count(const struct mf_odbc_statement *statement)
{
    return (int64_t)statement->row_count;
}

int mf_odbc_exec_direct(struct mf_odbc *connection, const char *sql, struct mf_odbc_diagnostic *diagnostic,
                        struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    if (new_statement(connection, &statement, diagnostic, err) != 0)
        return -1;
    assert(statement != NULL);
    SQLRETURN rc = SQLExecDirect(statement->handle, (SQLCHAR *)sql, SQL_NTS);
    int result = 0;
    // A script gives one result per statement; an error in the middle shows when its turn comes.
    while (SQL_SUCCEEDED(rc))
        rc = SQLMoreResults(statement->handle);
    if (rc != SQL_NO_DATA)
        result =
            fail(connection, SQL_HANDLE_STMT, statement->handle, true, "executing a script", diagnostic, err);
    mf_odbc_statement_free(&statement);
    return result;
}
