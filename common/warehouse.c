// SPDX-License-Identifier: Apache-2.0
// Settings and session. What dialects do not share here is a row of a table, the connection string
// (common/odbc_connect.c), and the text of what a session begins with. Nothing is kept here; the failure
// classes are those of odbc.h.
#include "common/warehouse.h"

#include <stdio.h>
#include <unistd.h>

#include "common/deadline_guard.h"
#include "common/sql_text.h"

// Where Debian keeps the certificates of the system; libpq 15 has no name for them.
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

#define SESSION_TEXT_MAX 4096

// What a setting is in a dialect when the environment does not say.
static const struct dialect {
    const char *name, *driver;
    enum mf_odbc_dialect odbc;
    int port;
    int64_t deadline_ms;
    // On Snowflake each statement keeps a billed warehouse awake, and is slow to start.
    int64_t flush_ms;
} dialects[] = {
    {"postgresql", "PostgreSQL Unicode", MF_ODBC_POSTGRESQL, 5432, 20000, 250},
    {"snowflake", "SnowflakeDSIIDriver", MF_ODBC_SNOWFLAKE, 443, 60000, 5000},
};

// The settings are a choice of the two.
static const struct dialect *dialect_of(const struct mf_settings *settings)
{
    return &dialects[strcmp(mf_settings_string(settings, "WAREHOUSE_DIALECT"), dialects[1].name) == 0 ? 1
                                                                                                      : 0];
}

static int64_t number_or(const struct mf_settings *settings, const char *name, int64_t otherwise)
{
    return mf_settings_is_set(settings, name) ? mf_settings_integer(settings, name) : otherwise;
}

void mf_warehouse_check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    int64_t deadline_ms = number_or(settings, "WAREHOUSE_DEADLINE_MS", dialect_of(settings)->deadline_ms);
    if (deadline_ms <= mf_settings_integer(settings, "WAREHOUSE_LOGIN_TIMEOUT_MS") + MF_WAREHOUSE_PROBE_MS)
        mf_buf_addf(
            problems,
            "WAREHOUSE_DEADLINE_MS: must be more than WAREHOUSE_LOGIN_TIMEOUT_MS and %d ms of probing\n",
            MF_WAREHOUSE_PROBE_MS);
}

void mf_warehouse_read_settings(const struct mf_settings *settings, struct mf_warehouse_config *config)
{
    const struct dialect *dialect = dialect_of(settings);
    bool named = mf_settings_is_set(settings, "WAREHOUSE_DRIVER");
    config->odbc = (struct mf_odbc_config){
        .dialect = dialect->odbc,
        .driver = named ? mf_settings_string(settings, "WAREHOUSE_DRIVER") : dialect->driver,
        .host = mf_settings_string(settings, "WAREHOUSE_HOST"),
        .port = (int)number_or(settings, "WAREHOUSE_PORT", dialect->port),
        .database = mf_settings_string(settings, "WAREHOUSE_DATABASE"),
        .user = mf_settings_string(settings, "WAREHOUSE_USER"),
        .password = mf_settings_string(settings, "WAREHOUSE_PASSWORD"),
        .sslmode = mf_settings_string(settings, "WAREHOUSE_SSLMODE"),
        .ca_file = mf_settings_string(settings, "TLS_CA_FILE"),
        .role = mf_settings_string(settings, "SNOWFLAKE_ROLE"),
        .compute = mf_settings_string(settings, "SNOWFLAKE_WAREHOUSE"),
        .key_file = mf_settings_string(settings, "SNOWFLAKE_PRIVATE_KEY_FILE"),
        .key_password = mf_settings_string(settings, "SNOWFLAKE_PRIVATE_KEY_PASSWORD"),
        .login_timeout_ms = mf_settings_integer(settings, "WAREHOUSE_LOGIN_TIMEOUT_MS"),
        .statement_timeout_ms = mf_settings_integer(settings, "WAREHOUSE_STATEMENT_TIMEOUT_MS"),
    };
    if (config->odbc.ca_file == NULL && strncmp(config->odbc.sslmode, "verify-", 7) == 0 &&
        access(SYSTEM_CA_FILE, R_OK) == 0)
        config->odbc.ca_file = SYSTEM_CA_FILE;
    config->dialect = dialect->name;
    config->deadline_ms = number_or(settings, "WAREHOUSE_DEADLINE_MS", dialect->deadline_ms);
    config->flush_ms = dialect->flush_ms;
    snprintf(config->address, sizeof config->address, "%s:%d", config->odbc.host, config->odbc.port);
}

// What every session of the dialect begins with, if it has such a text.
static int begin_session(const struct mf_warehouse_config *config, struct mf_odbc *connection,
                         struct mf_odbc_diagnostic *last, struct mf_error *err)
{
    const struct mf_sql_text *found = mf_sql_find(config->dialect, "session");
    if (found == NULL)
        return 0;
    struct mf_buf text;
    mf_buf_init(&text, SESSION_TEXT_MAX);
    int result = mf_sql_assemble((struct mf_str){found->text, found->length}, NULL, 0, &text, err);
    if (result == 0)
        result = mf_odbc_exec_direct(connection, mf_buf_c_str(&text), last, err);
    mf_buf_free(&text);
    return result;
}

int mf_warehouse_connect(const struct mf_warehouse_config *config, struct mf_odbc **connection,
                         struct mf_odbc_diagnostic *last, struct mf_error *err)
{
    *last = (struct mf_odbc_diagnostic){.class = MF_ODBC_CONNECTION, .sqlstate = "08001"};
    // The probe keeps a server that is plainly away from costing a whole login timeout on the loop.
    mf_deadline_guard_arm(config->deadline_ms, "connecting to the warehouse");
    int result = mf_odbc_probe(config->odbc.host, config->odbc.port, MF_WAREHOUSE_PROBE_MS, err);
    if (result == 0)
        result = mf_odbc_connect(&config->odbc, connection, last, err);
    if (result == 0 && begin_session(config, *connection, last, err) != 0) {
        mf_odbc_free(connection);
        result = -1;
    }
    mf_deadline_guard_disarm();
    return result;
}

void mf_warehouse_disconnect(const struct mf_warehouse_config *config, struct mf_odbc **connection)
{
    if (*connection == NULL)
        return;
    mf_deadline_guard_arm(config->deadline_ms, "closing the warehouse connection");
    mf_odbc_free(connection); // takes its statements along
    mf_deadline_guard_disarm();
}
