// SPDX-License-Identifier: Apache-2.0
// What each driver error means, as a table; and the pure parts around a connection: its string, its secret.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/odbc_private.h"

#define PG MF_ODBC_POSTGRESQL
#define SF MF_ODBC_SNOWFLAKE

static const struct {
    enum mf_odbc_dialect dialect;
    const char *state;
    int native;
    const char *message;
    enum mf_odbc_class want;
} cases[] = {
    {PG, "08001", 101, "connection to server failed: Connection refused", MF_ODBC_CONNECTION},
    {PG, "08001", 101, "FATAL:  password authentication failed for user \"x\"", MF_ODBC_CONFIG},
    {PG, "08001", 101, "FATAL:  database \"x\" does not exist", MF_ODBC_CONFIG},
    {PG, "08001", 101, "FATAL:  no pg_hba.conf entry for host \"10.0.0.1\"", MF_ODBC_CONFIG},
    {PG, "08001", 101, "FATAL:  role \"x\" is not permitted to log in", MF_ODBC_CONFIG},
    {PG, "08001", 101, "root certificate file \"/x\" does not exist", MF_ODBC_CONFIG},
    {PG, "08001", 101, "FATAL:  the database system is starting up", MF_ODBC_CONNECTION},
    {PG, "08S01", 26, "server closed the connection unexpectedly", MF_ODBC_CONNECTION},
    {PG, "08003", 0, "", MF_ODBC_CONNECTION},
    {PG, "08006", 0, "", MF_ODBC_CONNECTION},
    {PG, "57P01", 7, "terminating connection due to administrator command", MF_ODBC_CONNECTION},
    {PG, "57P02", 7, "", MF_ODBC_CONNECTION},
    {PG, "57P03", 7, "", MF_ODBC_CONNECTION},
    {PG, "53300", 7, "too many clients", MF_ODBC_CONNECTION},
    {PG, "25006", 7, "cannot execute UPDATE in a read-only transaction", MF_ODBC_CONNECTION},
    {PG, "26000", 7, "prepared statement \"_PLAN0x1\" does not exist", MF_ODBC_CONNECTION},
    {PG, "0A000", 7, "cached plan must not change result type", MF_ODBC_CONNECTION},
    {PG, "0A000", 7, "something else is not supported", MF_ODBC_OTHER},
    {PG, "40003", 7, "", MF_ODBC_CONNECTION},
    {PG, "40001", 7, "could not serialize access", MF_ODBC_TRANSIENT},
    {PG, "40P01", 7, "deadlock detected", MF_ODBC_TRANSIENT},
    {PG, "55P03", 7, "", MF_ODBC_TRANSIENT},
    {PG, "57014", 1, "canceling statement due to statement timeout", MF_ODBC_TRANSIENT},
    {PG, "21000", 7, "", MF_ODBC_DATA},
    {PG, "22P02", 1, "invalid input syntax for type json", MF_ODBC_DATA},
    {PG, "22P05", 1, "unsupported Unicode escape sequence", MF_ODBC_DATA},
    {PG, "23502", 1, "", MF_ODBC_DATA},
    {PG, "23514", 1, "violates check constraint", MF_ODBC_DATA},
    {PG, "P0001", 1, "raised by a trigger", MF_ODBC_DATA},
    {PG, "53100", 7, "could not extend file: No space left on device", MF_ODBC_CAPACITY},
    {PG, "53200", 7, "", MF_ODBC_CAPACITY},
    {PG, "54000", 7, "", MF_ODBC_CAPACITY},
    {PG, "58030", 7, "", MF_ODBC_CAPACITY},
    {PG, "28000", 7, "", MF_ODBC_CONFIG},
    {PG, "28P01", 7, "", MF_ODBC_CONFIG},
    {PG, "3D000", 7, "", MF_ODBC_CONFIG},
    {PG, "3F000", 7, "", MF_ODBC_CONFIG},
    {PG, "42P01", 7, "relation \"raw.raw_bars\" does not exist", MF_ODBC_CONFIG},
    {PG, "42501", 7, "permission denied", MF_ODBC_CONFIG},
    {PG, "IM002", 0, "Data source name not found", MF_ODBC_CONFIG},
    {PG, "01000", 0, "[unixODBC][Driver Manager]Can't open lib 'x' : file not found", MF_ODBC_CONFIG},
    {PG, "HYC00", 0, "", MF_ODBC_CONFIG},
    {PG, "HYT01", 0, "timeout expired", MF_ODBC_CONNECTION},
    {PG, "XX000", 7, "internal error", MF_ODBC_OTHER},
    {PG, "HY000", 0, "", MF_ODBC_OTHER},
    {PG, "", 0, "", MF_ODBC_OTHER},
    {SF, "57014", 625, "number of waiters exceeds the 20 statements limit", MF_ODBC_TRANSIENT},
    {SF, "57014", 604, "", MF_ODBC_TRANSIENT},
    {SF, "57014", 630, "", MF_ODBC_TRANSIENT},
    {SF, "08001", 250001, "JWT token is invalid", MF_ODBC_CONFIG},
    {SF, "08001", 250001, "Could not connect to Snowflake backend", MF_ODBC_CONNECTION},
    {SF, "57P03", 606, "No active warehouse selected in the current session", MF_ODBC_CAPACITY},
    {SF, "42501", 3001, "Insufficient privileges to operate on table", MF_ODBC_CONFIG},
    {SF, "22000", 100069, "", MF_ODBC_DATA},
    {SF, "HY000", 100038, "", MF_ODBC_DATA},
    {SF, "HY000", 100132, "", MF_ODBC_DATA},
    {SF, "HY000", 390111, "", MF_ODBC_CONNECTION},
    {SF, "08001", 390112, "", MF_ODBC_CONNECTION},
    {SF, "08001", 390100, "", MF_ODBC_CONFIG},
    {SF, "28000", 394303, "", MF_ODBC_CONFIG},
    {SF, "28000", 394304, "", MF_ODBC_CONFIG},
    {SF, "42S02", 2003, "", MF_ODBC_CONFIG},
    {SF, "02000", 2003, "", MF_ODBC_CONFIG},
    {SF, "57P03", 90064, "", MF_ODBC_CAPACITY},
    {SF, "08S01", 0, "", MF_ODBC_CONNECTION},
    {SF, "HY000", 240012, "", MF_ODBC_CONNECTION},
    {SF, "40001", 0, "", MF_ODBC_TRANSIENT},
    {SF, "99999", 1, "", MF_ODBC_OTHER},
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        enum mf_odbc_class got =
            mf_odbc_classify(cases[i].dialect, cases[i].state, cases[i].native, cases[i].message);
        if (got != cases[i].want)
            fail_msg("%s native %d '%s': %s, not %s", cases[i].state, cases[i].native, cases[i].message,
                     mf_odbc_class_name(got), mf_odbc_class_name(cases[i].want));
    }
    assert_int_equal(mf_odbc_classify(PG, "42P01", 0, NULL), MF_ODBC_CONFIG);
}

static void test_class_names_are_distinct(void **state)
{
    (void)state;
    for (int a = 0; a < MF_ODBC_CLASS_MAX; a++) {
        for (int b = 0; b < a; b++)
            assert_string_not_equal(mf_odbc_class_name(a), mf_odbc_class_name(b));
    }
}

static void test_error_class(void **state)
{
    (void)state;
    // Only a lost connection makes a difference of whether the request was sent.
    assert_int_equal(mf_odbc_error_class(MF_ODBC_CONNECTION, true), MF_ERROR_UNCERTAIN);
    assert_int_equal(mf_odbc_error_class(MF_ODBC_CONNECTION, false), MF_ERROR_TRANSIENT);
    assert_int_equal(mf_odbc_error_class(MF_ODBC_OTHER, true), MF_ERROR_UNCERTAIN);
    for (int sent = 0; sent <= 1; sent++) {
        assert_int_equal(mf_odbc_error_class(MF_ODBC_TRANSIENT, sent), MF_ERROR_TRANSIENT);
        assert_int_equal(mf_odbc_error_class(MF_ODBC_CAPACITY, sent), MF_ERROR_TRANSIENT);
        assert_int_equal(mf_odbc_error_class(MF_ODBC_DATA, sent), MF_ERROR_POISON);
        assert_int_equal(mf_odbc_error_class(MF_ODBC_CONFIG, sent), MF_ERROR_CONFIG);
    }
}

static const struct mf_odbc_config good = {
    .dialect = MF_ODBC_POSTGRESQL,
    .driver = "PostgreSQL Unicode",
    .host = "db.example.org",
    .port = 5433,
    .database = "market",
    .user = "loader",
    .password = "p;a}s%s=w{o rd+",
    .sslmode = "verify-full",
    .ca_file = "/etc/ssl/own ca.pem",
    .login_timeout_ms = 3000,
    .statement_timeout_ms = 10000,
};

static void test_connection_string(void **state)
{
    (void)state;
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, 8192);
    assert_int_equal(mf_odbc_connection_string(&good, &text, &err), 0);
    const char *s = mf_buf_c_str(&text);
    assert_non_null(strstr(s, "Driver=PostgreSQL Unicode;"));
    assert_non_null(strstr(s, "Servername=db.example.org;"));
    assert_non_null(strstr(s, "Port=5433;"));
    assert_non_null(strstr(s, "SSLmode=verify-full;"));
    assert_non_null(strstr(s, "sslrootcert='/etc/ssl/own ca.pem'"));
    assert_non_null(strstr(s, "statement_timeout=10000"));
    assert_non_null(strstr(s, "Protocol=7.4-2;"));
    assert_non_null(strstr(s, "CommLog=0;"));
    // Every byte of the password is encoded: nothing of it can end the value or read as another key.
    assert_non_null(strstr(s, "Password=%70%3B%61%7D%73%25%73%3D%77%7B%6F%20%72%64%2B;"));
    assert_null(strstr(s, good.password));
    mf_buf_free(&text);
}

static void refused(struct mf_odbc_config config, const char *named)
{
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, 8192);
    assert_int_equal(mf_odbc_connection_string(&config, &text, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_non_null(strstr(err.message, named));
    mf_buf_free(&text);
}

static void test_connection_string_refuses_what_it_cannot_carry(void **state)
{
    (void)state;
    struct mf_odbc_config config = good;
    config.host = "db;Port=1";
    refused(config, "host");
    config = good;
    config.user = "a{b";
    refused(config, "user");
    config = good;
    config.database = "line\nbreak";
    refused(config, "database");
    config = good;
    config.ca_file = "/etc/'x'";
    refused(config, "CA file");
}

static void test_snowflake_string_has_a_key_and_no_password(void **state)
{
    (void)state;
    struct mf_buf text;
    struct mf_error err;
    struct mf_odbc_config config = {.dialect = MF_ODBC_SNOWFLAKE,
                                    .driver = "SnowflakeDSIIDriver",
                                    .host = "a-b.snowflakecomputing.com",
                                    .port = 443,
                                    .database = "MARKETFLOW",
                                    .user = "LOADER",
                                    .password = "never-in-there",
                                    .compute = "LOAD_WH",
                                    .key_file = "/run/keys/snowflake.p8",
                                    .login_timeout_ms = 3001};
    mf_buf_init(&text, 8192);
    assert_int_equal(mf_odbc_connection_string(&config, &text, &err), 0);
    assert_string_equal(
        mf_buf_c_str(&text),
        "Driver=SnowflakeDSIIDriver;Server=a-b.snowflakecomputing.com;Database=MARKETFLOW;"
        "Warehouse=LOAD_WH;UID=LOADER;PRIV_KEY_FILE=/run/keys/snowflake.p8;Port=443;Schema=OPS;"
        "AUTHENTICATOR=SNOWFLAKE_JWT;CLIENT_SESSION_KEEP_ALIVE=true;LOGIN_TIMEOUT=4;");
    config.role = "SINK";
    config.key_password = "word";
    mf_buf_clear(&text);
    assert_int_equal(mf_odbc_connection_string(&config, &text, &err), 0);
    assert_non_null(strstr(mf_buf_c_str(&text), ";Role=SINK;PRIV_KEY_FILE_PWD=word;"));
    config.key_password = "a;b";
    refused(config, "key password");
    config.key_password = NULL;
    config.compute = "x{";
    refused(config, "compute warehouse");
    mf_buf_free(&text);
}

static void test_connection_string_has_a_limit(void **state)
{
    (void)state;
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, 100);
    assert_int_equal(mf_odbc_connection_string(&good, &text, &err), -1);
    assert_string_equal(err.code, "odbc_bad_setting");
    mf_buf_free(&text);
}

static void test_redact(void **state)
{
    (void)state;
    char text[] = "cannot log in with hunter22 (hunter22)";
    mf_odbc_redact(text, "hunter22");
    assert_string_equal(text, "cannot log in with *** (***)");
    mf_odbc_redact(text, NULL);
    mf_odbc_redact(text, "in"); // too short to be told from ordinary words
    assert_string_equal(text, "cannot log in with *** (***)");
    char stars[] = "*******";
    mf_odbc_redact(stars, "****"); // the replacement is not searched again
    assert_string_equal(stars, "******");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_class_names_are_distinct),
        cmocka_unit_test(test_error_class),
        cmocka_unit_test(test_connection_string),
        cmocka_unit_test(test_connection_string_refuses_what_it_cannot_carry),
        cmocka_unit_test(test_snowflake_string_has_a_key_and_no_password),
        cmocka_unit_test(test_connection_string_has_a_limit),
        cmocka_unit_test(test_redact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
