// SPDX-License-Identifier: Apache-2.0
// Settings and session. PostgreSQL only, so far: another dialect brings its connection string
// (common/odbc_connect.c) and its texts. Nothing is kept here; the failure classes are those of odbc.h.
#include "common/warehouse.h"

#include <stdio.h>
#include <unistd.h>

#include "common/deadline_guard.h"

// Where Debian keeps the certificates of the system; libpq 15 has no name for them.
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

void mf_warehouse_check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    int64_t deadline_ms = mf_settings_integer(settings, "WAREHOUSE_DEADLINE_MS");
    const char *dialect = mf_settings_string(settings, "WAREHOUSE_DIALECT");
    if (strcmp(dialect, "postgresql") != 0)
        mf_buf_addf(problems, "WAREHOUSE_DIALECT: '%s' is for later: this version loads PostgreSQL only\n",
                    dialect);
    if (deadline_ms <= mf_settings_integer(settings, "WAREHOUSE_LOGIN_TIMEOUT_MS") + MF_WAREHOUSE_PROBE_MS)
        mf_buf_addf(
            problems,
            "WAREHOUSE_DEADLINE_MS: must be more than WAREHOUSE_LOGIN_TIMEOUT_MS and %d ms of probing\n",
            MF_WAREHOUSE_PROBE_MS);
}

void mf_warehouse_read_settings(const struct mf_settings *settings, struct mf_warehouse_config *config)
{
    config->odbc = (struct mf_odbc_config){
        .dialect = MF_ODBC_POSTGRESQL,
        .driver = mf_settings_string(settings, "WAREHOUSE_DRIVER"),
        .host = mf_settings_string(settings, "WAREHOUSE_HOST"),
        .port = (int)mf_settings_integer(settings, "WAREHOUSE_PORT"),
        .database = mf_settings_string(settings, "WAREHOUSE_DATABASE"),
        .user = mf_settings_string(settings, "WAREHOUSE_USER"),
        .password = mf_settings_string(settings, "WAREHOUSE_PASSWORD"),
        .sslmode = mf_settings_string(settings, "WAREHOUSE_SSLMODE"),
        .ca_file = mf_settings_string(settings, "TLS_CA_FILE"),
        .login_timeout_ms = mf_settings_integer(settings, "WAREHOUSE_LOGIN_TIMEOUT_MS"),
        .statement_timeout_ms = mf_settings_integer(settings, "WAREHOUSE_STATEMENT_TIMEOUT_MS"),
    };
    if (config->odbc.ca_file == NULL && strncmp(config->odbc.sslmode, "verify-", 7) == 0 &&
        access(SYSTEM_CA_FILE, R_OK) == 0)
        config->odbc.ca_file = SYSTEM_CA_FILE;
    config->dialect = "postgresql";
    config->deadline_ms = mf_settings_integer(settings, "WAREHOUSE_DEADLINE_MS");
    snprintf(config->address, sizeof config->address, "%s:%d", config->odbc.host, config->odbc.port);
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
