// SPDX-License-Identifier: Apache-2.0
// The warehouse by the settings: which dialect, where, as whom, and opening a session with it. What the sink
// and the operator's command share; statements are their own, the texts are in sql_text.h.
//
// Calls block: bounded by the login timeout, and by a deadline guard against a server that is frozen.
#ifndef MF_WAREHOUSE_H
#define MF_WAREHOUSE_H

#include "odbc.h"
#include "settings.h"

#define MF_WAREHOUSE_PROBE_MS 2000

// The strings are the settings' own, which must outlive it.
struct mf_warehouse_config {
    struct mf_odbc_config odbc;
    const char *dialect; // folder below sql/
    int64_t deadline_ms; // for each use of the session
    int64_t flush_ms;    // age at which a batch is written, where no setting says otherwise
    char address[300];   // host and port for messages; never user or password
};

// What the tables of settings cannot say about WAREHOUSE_*: one line per problem. A dialect that this version
// does not know is one of them.
void mf_warehouse_check_settings(const struct mf_settings *settings, struct mf_buf *problems);
// Reads WAREHOUSE_* and TLS_CA_FILE (which pass the check).
void mf_warehouse_read_settings(const struct mf_settings *settings, struct mf_warehouse_config *config);

// Probe, then connect, under the deadline guard. Errors: those of mf_odbc_probe and mf_odbc_connect; *last
// has the details.
int mf_warehouse_connect(const struct mf_warehouse_config *config, struct mf_odbc **connection,
                         struct mf_odbc_diagnostic *last, struct mf_error *err);
// Closes the session under the deadline guard; NULL-safe.
void mf_warehouse_disconnect(const struct mf_warehouse_config *config, struct mf_odbc **connection);

#endif
