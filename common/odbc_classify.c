// SPDX-License-Identifier: Apache-2.0
// What a driver's error means for the sink: one table, by dialect, SQLSTATE and native code. Pure.
//
// The first row that fits decides, so exceptions stand above the class they are taken from. States: appendix
// A of the PostgreSQL manual; appendix A of the ODBC reference for the driver manager's own (HY…, IM…,
// 08S01).
#include "common/odbc_private.h"

#define ANY_DIALECT MF_ODBC_DIALECT_MAX
#define ANY_NATIVE 0

struct rule {
    enum mf_odbc_dialect dialect;
    const char *state; // prefix of the SQLSTATE
    int native;        // ANY_NATIVE = whatever it is
    const char *text;  // part of the message that must be there; NULL = none
    enum mf_odbc_class class;
};

#define PG MF_ODBC_POSTGRESQL
#define SF MF_ODBC_SNOWFLAKE

// clang-format off: a table, one entry per line
static const struct rule rules[] = {
    // The driver manager, whatever the dialect.
    {ANY_DIALECT, "01000", ANY_NATIVE, "Can't open lib", MF_ODBC_CONFIG},
    {ANY_DIALECT, "IM", ANY_NATIVE, NULL, MF_ODBC_CONFIG},      // no such driver, no such data source
    {ANY_DIALECT, "HYC00", ANY_NATIVE, NULL, MF_ODBC_CONFIG},   // optional feature not implemented
    {ANY_DIALECT, "HYT", ANY_NATIVE, NULL, MF_ODBC_CONNECTION}, // login or statement timed out on our side

    // psqlODBC reports every failure to connect as 08001; only its text tells whose fault it is.
    {PG, "08001", ANY_NATIVE, "authentication failed", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "does not exist", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "no pg_hba.conf entry", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "is not permitted to log in", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "no password supplied", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "certificate", MF_ODBC_CONFIG},
    {PG, "08001", ANY_NATIVE, "does not support SSL", MF_ODBC_CONFIG},
    {PG, "08", ANY_NATIVE, NULL, MF_ODBC_CONNECTION},
    {PG, "57P", ANY_NATIVE, NULL, MF_ODBC_CONNECTION},   // shutdown, crash, starting up
    {PG, "53300", ANY_NATIVE, NULL, MF_ODBC_CONNECTION}, // too many connections
    {PG, "25006", ANY_NATIVE, NULL, MF_ODBC_CONNECTION}, // read-only: a standby after a failover; look again
    {PG, "26000", ANY_NATIVE, NULL, MF_ODBC_CONNECTION}, // prepared statement gone: prepare on a new session
    {PG, "0A000", ANY_NATIVE, "cached plan", MF_ODBC_CONNECTION}, // table altered under a prepared statement
    {PG, "40003", ANY_NATIVE, NULL, MF_ODBC_CONNECTION},          // completion unknown
    {PG, "40", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},              // serialization failure, deadlock
    {PG, "55P03", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},           // lock not available
    {PG, "55006", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},           // object in use
    {PG, "57014", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},           // cancelled: statement timeout
    {PG, "21000", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {PG, "22", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {PG, "23", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {PG, "44000", ANY_NATIVE, NULL, MF_ODBC_DATA}, // WITH CHECK OPTION
    {PG, "P0", ANY_NATIVE, NULL, MF_ODBC_DATA},    // raised by a trigger about the row it was given
    {PG, "53", ANY_NATIVE, NULL, MF_ODBC_CAPACITY},
    {PG, "54", ANY_NATIVE, NULL, MF_ODBC_CAPACITY},
    {PG, "58", ANY_NATIVE, NULL, MF_ODBC_CAPACITY}, // input/output error of the server
    {PG, "28", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
    {PG, "3D000", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
    {PG, "3F000", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
    {PG, "42", ANY_NATIVE, NULL, MF_ODBC_CONFIG},

    // Snowflake: the native code decides where states are shared.
    {SF, "57014", 625, NULL, MF_ODBC_TRANSIENT}, // too many waiters for a lock
    {SF, "57014", 604, NULL, MF_ODBC_TRANSIENT}, // cancelled
    {SF, "57014", 630, NULL, MF_ODBC_TRANSIENT}, // statement timeout
    {SF, "57014", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},
    {SF, "", 390100, NULL, MF_ODBC_CONFIG}, // wrong user or password
    {SF, "", 394303, NULL, MF_ODBC_CONFIG}, // token refused: clock skew
    {SF, "", 394304, NULL, MF_ODBC_CONFIG}, // token refused: another key
    // The same of older drivers, as 250001 and 08001.
    {SF, "", ANY_NATIVE, "JWT token is invalid", MF_ODBC_CONFIG},
    {SF, "", 390104, NULL, MF_ODBC_CONNECTION},
    {SF, "", 390111, NULL, MF_ODBC_CONNECTION}, // session gone
    {SF, "", 390112, NULL, MF_ODBC_CONNECTION}, // session expired
    {SF, "", 390114, NULL, MF_ODBC_CONNECTION}, // master token expired
    {SF, "", 240011, NULL, MF_ODBC_CONNECTION},
    {SF, "", 240012, NULL, MF_ODBC_CONNECTION},
    {SF, "", 100038, NULL, MF_ODBC_DATA}, // casts
    {SF, "", 100069, NULL, MF_ODBC_DATA}, // JSON
    {SF, "", 100132, NULL, MF_ODBC_DATA},
    {SF, "", 2003, NULL, MF_ODBC_CONFIG}, // no such object, or no right to see it
    {SF, "08", ANY_NATIVE, NULL, MF_ODBC_CONNECTION},
    {SF, "40", ANY_NATIVE, NULL, MF_ODBC_TRANSIENT},
    {SF, "57P03", ANY_NATIVE, NULL, MF_ODBC_CAPACITY}, // warehouse suspended, quota used up
    {SF, "53", ANY_NATIVE, NULL, MF_ODBC_CAPACITY},
    {SF, "21000", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {SF, "22", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {SF, "23", ANY_NATIVE, NULL, MF_ODBC_DATA},
    {SF, "28", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
    {SF, "42", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
    {SF, "02000", ANY_NATIVE, NULL, MF_ODBC_CONFIG},
};
// clang-format on

static bool fits(const struct rule *rule, enum mf_odbc_dialect dialect, const char *state, int native,
                 const char *message)
{
    if (rule->dialect != ANY_DIALECT && rule->dialect != dialect)
        return false;
    if (strncmp(state, rule->state, strlen(rule->state)) != 0)
        return false;
    if (rule->native != ANY_NATIVE && rule->native != native)
        return false;
    return rule->text == NULL || strstr(message, rule->text) != NULL;
}

enum mf_odbc_class mf_odbc_classify(enum mf_odbc_dialect dialect, const char *sqlstate, int native,
                                    const char *message)
{
    assert(dialect < MF_ODBC_DIALECT_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(rules); i++) {
        if (fits(&rules[i], dialect, sqlstate, native, message != NULL ? message : ""))
            return rules[i].class;
    }
    return MF_ODBC_OTHER;
}

const char *mf_odbc_class_name(enum mf_odbc_class class)
{
    static const char *const names[MF_ODBC_CLASS_MAX] = {"connection", "transient", "data",
                                                         "capacity",   "config",    "other"};
    return class < MF_ODBC_CLASS_MAX ? names[class] : "unknown";
}

enum mf_error_class mf_odbc_error_class(enum mf_odbc_class class, bool sent)
{
    switch (class) {
    case MF_ODBC_CONNECTION:
    case MF_ODBC_OTHER:
    case MF_ODBC_CLASS_MAX: break;
    case MF_ODBC_TRANSIENT:
    case MF_ODBC_CAPACITY: return MF_ERROR_TRANSIENT;
    case MF_ODBC_DATA: return MF_ERROR_POISON;
    case MF_ODBC_CONFIG: return MF_ERROR_CONFIG;
    }
    return sent ? MF_ERROR_UNCERTAIN : MF_ERROR_TRANSIENT;
}
