// SPDX-License-Identifier: Apache-2.0
// Between the files of the ODBC wrapper and their tests; pure functions.
#ifndef MF_ODBC_PRIVATE_H
#define MF_ODBC_PRIVATE_H

#include "common/odbc.h"

// The class of the mf_error for a driver's error; `sent`: the request may have reached the server.
enum mf_error_class mf_odbc_error_class(enum mf_odbc_class class, bool sent);

// The DSN-less connection string. It holds the password: wipe it, never log it. CONFIG "odbc_bad_setting"
// when a value has characters that its place in the string cannot carry, naming the setting's role.
int mf_odbc_connection_string(const struct mf_odbc_config *config, struct mf_buf *out, struct mf_error *err);

// Puts "***" over every copy of the secret in the text (in place; shorter secrets than 4 bytes are left
// alone, as they would black out ordinary words).
void mf_odbc_redact(char *text, const char *secret);

#endif
