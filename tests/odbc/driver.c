// SPDX-License-Identifier: Apache-2.0
// An ODBC driver for tests: takes what the sink calls, passes statements and parameters to a helper over a
// Unix socket, and gives back what the helper says: rows, errors with SQLSTATE and native code, or silence.
// The socket's path is the entry Socket of the driver's section in odbcinst.ini. The driver manager checks
// the order of calls; what it never lets through is not checked again.
//
// The manager serialises calls per connection (Threading in odbcinst.ini); there is no state beyond handles.
#include <odbcinst.h>
#include <signal.h>
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

#define PARAMS_MAX 16
// SQL_SF_STMT_ATTR_LAST_QUERY_ID of Snowflake's sf_odbc.h.
#define LAST_QUERY_ID 0x4107

// The names and types of parameters are those of the manager's prototypes, or plainer ones of ours.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,readability-non-const-parameter)

enum kind { KIND_ENVIRONMENT, KIND_CONNECTION, KIND_STATEMENT };

// What every handle begins with: its kind, and the diagnostic record of its last failed call.
struct handle {
    enum kind kind;
    bool failed;
    char state[6];
    SQLINTEGER native;
    char message[512];
};

struct connection {
    struct handle handle;
    int fd; // -1 = none
    long login_timeout_s;
    bool manual;         // autocommit is off
    bool in_transaction; // something was executed since the last end of one
};

struct parameter {
    const char *data;
    const SQLLEN *length;
};

struct statement {
    struct handle handle;
    struct connection *connection;
    char *sql;
    struct parameter params[PARAMS_MAX];
    size_t param_count;
    struct wire_reply reply;
    char query_id[64]; // outlives the result
    size_t next_row;
    size_t taken[WIRE_COLUMNS_MAX]; // bytes that SQLGetData has given of each column; SIZE_MAX = all
};

static SQLRETURN fail(struct handle *handle, const char *state, SQLINTEGER native, const char *message)
{
    handle->failed = true;
    snprintf(handle->state, sizeof handle->state, "%s", state);
    handle->native = native;
    snprintf(handle->message, sizeof handle->message, "[Marketflow][test driver] %s", message);
    return SQL_ERROR;
}

// ---- handles

SQLRETURN SQL_API SQLAllocHandle(SQLSMALLINT type, SQLHANDLE input, SQLHANDLE *output)
{
    static const size_t sizes[] = {sizeof(struct handle), sizeof(struct connection),
                                   sizeof(struct statement)};
    if (type < SQL_HANDLE_ENV || type > SQL_HANDLE_STMT)
        return SQL_ERROR;
    struct handle *fresh = calloc(1, sizes[type - SQL_HANDLE_ENV]);
    if (fresh == NULL)
        return SQL_ERROR;
    fresh->kind = (enum kind)(type - SQL_HANDLE_ENV);
    if (type == SQL_HANDLE_DBC)
        ((struct connection *)fresh)->fd = -1;
    if (type == SQL_HANDLE_STMT)
        ((struct statement *)fresh)->connection = input;
    *output = fresh;
    return SQL_SUCCESS;
}

static void forget_result(struct statement *s)
{
    wire_reply_free(&s->reply);
    s->next_row = 0;
}

SQLRETURN SQL_API SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
    if (type == SQL_HANDLE_STMT) {
        struct statement *s = handle;
        forget_result(s);
        free(s->sql);
    }
    free(handle);
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLFreeStmt(SQLHSTMT handle, SQLUSMALLINT option)
{
    struct statement *s = handle;
    if (option == SQL_CLOSE)
        forget_result(s);
    else if (option == SQL_RESET_PARAMS)
        s->param_count = 0;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLGetDiagRec(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record, SQLCHAR *state,
                                SQLINTEGER *native, SQLCHAR *text, SQLSMALLINT size, SQLSMALLINT *length)
{
    (void)type;
    const struct handle *h = handle;
    if (record != 1 || !h->failed)
        return SQL_NO_DATA;
    if (state != NULL)
        memcpy(state, h->state, sizeof h->state);
    if (native != NULL)
        *native = h->native;
    if (length != NULL)
        *length = (SQLSMALLINT)strlen(h->message);
    if (text == NULL || size <= 0)
        return SQL_SUCCESS_WITH_INFO;
    bool whole = (size_t)snprintf((char *)text, (size_t)size, "%s", h->message) < (size_t)size;
    return whole ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
}

// The driver manager takes errors only from a driver that has this too; it does without the answers.
SQLRETURN SQL_API SQLGetDiagField(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT record, SQLSMALLINT field,
                                  SQLPOINTER value, SQLSMALLINT size, SQLSMALLINT *length)
{
    (void)type, (void)size, (void)length;
    const struct handle *h = handle;
    if (record == 0 && field == SQL_DIAG_NUMBER) {
        *(SQLINTEGER *)value = h->failed ? 1 : 0;
        return SQL_SUCCESS;
    }
    return SQL_NO_DATA;
}

// ---- attributes and what the driver manager asks

SQLRETURN SQL_API SQLSetEnvAttr(SQLHENV handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    (void)handle, (void)attribute, (void)value, (void)length;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLSetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    (void)handle, (void)attribute, (void)value, (void)length;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLGetStmtAttr(SQLHSTMT handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size,
                                 SQLINTEGER *length)
{
    struct statement *s = handle;
    if (attribute != LAST_QUERY_ID)
        return fail(&s->handle, "HYC00", 0, "this attribute is not kept");
    snprintf(value, size > 0 ? (size_t)size : 0, "%s", s->query_id);
    if (length != NULL)
        *length = (SQLINTEGER)strlen(s->query_id);
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLGetInfo(SQLHDBC handle, SQLUSMALLINT what, SQLPOINTER value, SQLSMALLINT size,
                             SQLSMALLINT *length)
{
    struct connection *c = handle;
    switch (what) {
    case SQL_DRIVER_ODBC_VER:
        snprintf(value, (size_t)size, "03.52");
        if (length != NULL)
            *length = 5;
        return SQL_SUCCESS;
    case SQL_CURSOR_COMMIT_BEHAVIOR:
    case SQL_CURSOR_ROLLBACK_BEHAVIOR: *(SQLUSMALLINT *)value = SQL_CB_CLOSE; return SQL_SUCCESS;
    default: return fail(&c->handle, "HYC00", 0, "this is not known");
    }
}

// ---- the helper

// One request. SQL_SUCCESS with the reply (the caller's to free), or the diagnostic set from what happened.
static SQLRETURN call(struct connection *c, struct handle *who, struct wire_text *request,
                      struct wire_reply *reply)
{
    who->failed = false;
    bool answered = c->fd >= 0 && wire_call(c->fd, request, reply);
    wire_text_free(request);
    if (!answered) {
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
        return fail(who, "08S01", 0, "the connection is lost");
    }
    if (reply->crash)
        raise(SIGSEGV);
    if (reply->ok)
        return SQL_SUCCESS;
    fail(who, reply->state, (SQLINTEGER)reply->native, reply->message);
    wire_reply_free(reply);
    return SQL_ERROR;
}

// A request that has only a name and perhaps one text.
static SQLRETURN ask(struct connection *c, const char *op, const char *key, const char *text, size_t len)
{
    struct wire_text request = {0};
    struct wire_reply reply;
    wire_add(&request, "{\"op\":\"");
    wire_add(&request, op);
    wire_add(&request, "\"");
    if (key != NULL) {
        wire_add(&request, ",\"");
        wire_add(&request, key);
        wire_add(&request, "\":");
        wire_add_string(&request, text, len);
    }
    wire_add(&request, "}");
    SQLRETURN rc = call(c, &c->handle, &request, &reply);
    if (rc == SQL_SUCCESS)
        wire_reply_free(&reply);
    return rc;
}

// ---- connections

// The value of a key of the connection string; false when it is not there.
static bool value_of(const char *string, const char *key, char *value, size_t size)
{
    size_t len = strlen(key);
    for (const char *at = string; at != NULL && *at != '\0'; at = strchr(at, ';')) {
        at += *at == ';';
        if (strncasecmp(at, key, len) == 0 && at[len] == '=') {
            snprintf(value, size, "%.*s", (int)strcspn(at + len + 1, ";"), at + len + 1);
            return true;
        }
    }
    return false;
}

// Waits no longer than the login timeout for the first answer, then as long as it takes.
static void limit_waiting(int fd, long seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

SQLRETURN SQL_API SQLDriverConnect(SQLHDBC handle, SQLHWND window, SQLCHAR *in, SQLSMALLINT in_length,
                                   SQLCHAR *out, SQLSMALLINT out_size, SQLSMALLINT *out_length,
                                   SQLUSMALLINT completion)
{
    (void)window, (void)out, (void)out_size, (void)out_length, (void)completion;
    struct connection *c = handle;
    char driver[256];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = in_length == SQL_NTS ? strlen((const char *)in) : (size_t)in_length;
    char *string = strndup((const char *)in, length);
    if (string == NULL)
        return SQL_ERROR;
    bool named = value_of(string, "Driver", driver, sizeof driver) &&
                 SQLGetPrivateProfileString(driver, "Socket", "", address.sun_path, sizeof address.sun_path,
                                            "odbcinst.ini") > 0;
    c->fd = named ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        free(string);
        return fail(&c->handle, "08001", 0, "no helper listens at the Socket of odbcinst.ini");
    }
    limit_waiting(c->fd, c->login_timeout_s);
    SQLRETURN rc = ask(c, "connect", "string", string, length);
    free(string);
    if (rc == SQL_SUCCESS)
        limit_waiting(c->fd, 0);
    else if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    } else {
        fail(&c->handle, "HYT01", 0, "the helper does not answer within the login timeout");
    }
    return rc;
}

SQLRETURN SQL_API SQLDisconnect(SQLHDBC handle)
{
    struct connection *c = handle;
    if (c->fd >= 0 && c->in_transaction)
        return fail(&c->handle, "25000", 0, "a transaction is open"); // as the specification allows
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLSetConnectAttr(SQLHDBC handle, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    (void)length;
    struct connection *c = handle;
    if (attribute == SQL_ATTR_LOGIN_TIMEOUT)
        c->login_timeout_s = (long)(size_t)value;
    if (attribute != SQL_ATTR_AUTOCOMMIT)
        return SQL_SUCCESS;
    SQLRETURN rc =
        ask(c, (size_t)value == SQL_AUTOCOMMIT_ON ? "autocommit_on" : "autocommit_off", NULL, NULL, 0);
    if (rc == SQL_SUCCESS)
        c->manual = (size_t)value != SQL_AUTOCOMMIT_ON;
    return rc;
}

SQLRETURN SQL_API SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT how)
{
    struct connection *c = handle;
    if (type != SQL_HANDLE_DBC)
        return SQL_ERROR;
    SQLRETURN rc = ask(c, how == SQL_COMMIT ? "commit" : "rollback", NULL, NULL, 0);
    if (rc == SQL_SUCCESS)
        c->in_transaction = false;
    return rc;
}

// ---- statements

SQLRETURN SQL_API SQLPrepare(SQLHSTMT handle, SQLCHAR *text, SQLINTEGER length)
{
    struct statement *s = handle;
    forget_result(s);
    free(s->sql);
    s->sql = length == SQL_NTS ? strdup((const char *)text) : strndup((const char *)text, (size_t)length);
    return s->sql != NULL ? SQL_SUCCESS : SQL_ERROR;
}

SQLRETURN SQL_API SQLBindParameter(SQLHSTMT handle, SQLUSMALLINT number, SQLSMALLINT direction,
                                   SQLSMALLINT c_type, SQLSMALLINT sql_type, SQLULEN column_size,
                                   SQLSMALLINT digits, SQLPOINTER value, SQLLEN size, SQLLEN *length)
{
    (void)sql_type, (void)column_size, (void)digits, (void)size;
    struct statement *s = handle;
    if (direction != SQL_PARAM_INPUT || c_type != SQL_C_CHAR || number < 1 || number > PARAMS_MAX)
        return fail(&s->handle, "HYC00", 0, "only texts are bound here");
    s->params[number - 1] = (struct parameter){value, length};
    if (number > s->param_count)
        s->param_count = number;
    return SQL_SUCCESS;
}

static void add_parameter(struct wire_text *request, const struct parameter *p)
{
    bool absent = p->data == NULL || (p->length != NULL && *p->length == SQL_NULL_DATA);
    bool terminated = p->length == NULL || *p->length == SQL_NTS;
    size_t length = absent ? 0 : terminated ? strlen(p->data) : (size_t)*p->length;
    wire_add_string(request, absent ? NULL : p->data, length);
}

SQLRETURN SQL_API SQLExecute(SQLHSTMT handle)
{
    struct statement *s = handle;
    struct wire_text request = {0};
    forget_result(s);
    wire_add(&request, "{\"op\":\"execute\",\"sql\":");
    wire_add_string(&request, s->sql, strlen(s->sql));
    wire_add(&request, ",\"params\":[");
    for (size_t i = 0; i < s->param_count; i++) {
        if (i > 0)
            wire_add(&request, ",");
        add_parameter(&request, &s->params[i]);
    }
    wire_add(&request, "]}");
    s->connection->in_transaction = s->connection->manual;
    SQLRETURN rc = call(s->connection, &s->handle, &request, &s->reply);
    if (rc != SQL_SUCCESS) {
        s->reply = (struct wire_reply){0};
        return rc;
    }
    memcpy(s->query_id, s->reply.query_id, sizeof s->query_id);
    // As the specification wants it of an UPDATE or DELETE that touched no row.
    return s->reply.columns == 0 && s->reply.rows == 0 ? SQL_NO_DATA : SQL_SUCCESS;
}

SQLRETURN SQL_API SQLExecDirect(SQLHSTMT handle, SQLCHAR *text, SQLINTEGER length)
{
    SQLRETURN rc = SQLPrepare(handle, text, length);
    return rc == SQL_SUCCESS ? SQLExecute(handle) : rc;
}

SQLRETURN SQL_API SQLNumResultCols(SQLHSTMT handle, SQLSMALLINT *count)
{
    *count = (SQLSMALLINT)((struct statement *)handle)->reply.columns;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLRowCount(SQLHSTMT handle, SQLLEN *count)
{
    *count = (SQLLEN)((struct statement *)handle)->reply.rows;
    return SQL_SUCCESS;
}

SQLRETURN SQL_API SQLMoreResults(SQLHSTMT handle)
{
    forget_result(handle);
    return SQL_NO_DATA;
}

SQLRETURN SQL_API SQLFetch(SQLHSTMT handle)
{
    struct statement *s = handle;
    if (s->next_row >= s->reply.row_count)
        return SQL_NO_DATA;
    s->next_row++;
    memset(s->taken, 0, sizeof s->taken);
    return SQL_SUCCESS;
}

// Texts only, in as many pieces as the caller's room makes of them.
SQLRETURN SQL_API SQLGetData(SQLHSTMT handle, SQLUSMALLINT column, SQLSMALLINT c_type, SQLPOINTER value,
                             SQLLEN size, SQLLEN *length)
{
    struct statement *s = handle;
    if (s->next_row == 0 || column < 1 || column > s->reply.columns || c_type != SQL_C_CHAR || size < 1)
        return fail(&s->handle, "07009", 0, "there is no such column");
    const char *cell = s->reply.cells[(s->next_row - 1) * s->reply.columns + column - 1];
    size_t *taken = &s->taken[column - 1];
    if (*taken == SIZE_MAX)
        return SQL_NO_DATA;
    if (cell == NULL) {
        *length = SQL_NULL_DATA;
        *taken = SIZE_MAX;
        return SQL_SUCCESS;
    }
    size_t left = strlen(cell) - *taken;
    size_t part = left < (size_t)size ? left : (size_t)size - 1;
    memcpy(value, cell + *taken, part);
    ((char *)value)[part] = '\0';
    *length = (SQLLEN)left;
    *taken = part == left ? SIZE_MAX : *taken + part;
    if (part == left)
        return SQL_SUCCESS;
    fail(&s->handle, "01004", 0, "there is more of the column");
    return SQL_SUCCESS_WITH_INFO;
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name,readability-non-const-parameter)
