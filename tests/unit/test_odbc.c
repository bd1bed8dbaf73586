// SPDX-License-Identifier: Apache-2.0
// The ODBC wrapper. Failing to connect is tested always; the rest needs a PostgreSQL named by
// MF_TEST_PG_HOST, MF_TEST_PG_PORT, MF_TEST_PG_DATABASE, MF_TEST_PG_USER and MF_TEST_PG_PASSWORD, and is
// skipped aloud without it.
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/odbc.h"

static struct mf_odbc_config base_config(void)
{
    return (struct mf_odbc_config){
        .dialect = MF_ODBC_POSTGRESQL,
        .driver = "PostgreSQL Unicode",
        .host = "127.0.0.1",
        .port = 1,
        .database = "marketflow",
        .user = "marketflow",
        .password = "canary-7f3a",
        .sslmode = "disable",
        .login_timeout_ms = 1000,
        .statement_timeout_ms = 500,
    };
}

// False, said aloud, when no server was given.
static bool server_config(struct mf_odbc_config *config)
{
    const char *host = getenv("MF_TEST_PG_HOST");
    const char *port = getenv("MF_TEST_PG_PORT");
    int64_t number = 0;
    *config = base_config();
    if (host == NULL || port == NULL || !mf_str_to_i64(mf_str_of(port), &number)) {
        print_message("SKIPPED: MF_TEST_PG_HOST and MF_TEST_PG_PORT name no PostgreSQL server\n");
        return false;
    }
    config->host = host;
    config->port = (int)number;
    config->database = getenv("MF_TEST_PG_DATABASE");
    config->user = getenv("MF_TEST_PG_USER");
    config->password = getenv("MF_TEST_PG_PASSWORD");
    return true;
}

#define NEED_SERVER(config)        \
    if (!server_config(&(config))) \
    skip()

static struct mf_odbc *connected(const struct mf_odbc_config *config)
{
    struct mf_odbc *connection = NULL;
    struct mf_odbc_diagnostic diagnostic;
    struct mf_error err;
    if (mf_odbc_connect(config, &connection, &diagnostic, &err) != 0)
        fail_msg("%s", err.message);
    assert_false(mf_odbc_is_dead(connection));
    return connection;
}

static void exec_ok(struct mf_odbc *connection, const char *sql)
{
    struct mf_error err;
    if (mf_odbc_exec_direct(connection, sql, NULL, &err) != 0)
        fail_msg("%s: %s", sql, err.message);
}

// First column of the first row, copied; "(null)" for SQL NULL, "(none)" without a row.
static const char *ask(struct mf_odbc *connection, const char *sql, const struct mf_str *params, size_t count)
{
    static char answer[8192];
    struct mf_odbc_statement *statement = NULL;
    struct mf_error err;
    const char *text = NULL;
    if (mf_odbc_prepare(connection, sql, &statement, NULL, &err) != 0 ||
        mf_odbc_execute(statement, params, count, NULL, &err) != 0)
        fail_msg("%s: %s", sql, err.message);
    int got = mf_odbc_fetch(statement, NULL, &err);
    assert_in_range(got, 0, 1);
    if (got == 1)
        assert_int_equal(mf_odbc_column(statement, 0, &text, NULL, &err), 0);
    snprintf(answer, sizeof answer, "%s", got == 0 ? "(none)" : text == NULL ? "(null)" : text);
    mf_odbc_statement_free(&statement);
    return answer;
}

// A loopback socket that listens; with accept_none its backlog answers the handshake and nobody ever speaks.
static int listener(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void connect_fails(const struct mf_odbc_config *config, enum mf_odbc_class odbc_class,
                          enum mf_error_class class)
{
    struct mf_odbc *connection = NULL;
    struct mf_odbc_diagnostic diagnostic;
    struct mf_error err;
    assert_int_equal(mf_odbc_connect(config, &connection, &diagnostic, &err), -1);
    assert_null(connection);
    if (diagnostic.class != odbc_class)
        fail_msg("%s: %s", mf_odbc_class_name(diagnostic.class), err.message);
    assert_int_equal(err.class, class);
    assert_null(strstr(err.message, config->password));
    assert_null(strstr(diagnostic.message, config->password));
}

static void test_connection_refused(void **state)
{
    (void)state;
    struct mf_odbc_config config = base_config();
    int fd = listener(&config.port);
    close(fd);
    connect_fails(&config, MF_ODBC_CONNECTION, MF_ERROR_TRANSIENT);
}

static void test_mute_server_is_bounded_by_the_login_timeout(void **state)
{
    (void)state;
    struct mf_odbc_config config = base_config();
    int fd = listener(&config.port);
    connect_fails(&config, MF_ODBC_CONNECTION, MF_ERROR_TRANSIENT); // a hang would be the test's time-out
    close(fd);
}

static void test_unknown_driver(void **state)
{
    (void)state;
    struct mf_odbc_config config = base_config();
    config.driver = "No Such Driver";
    connect_fails(&config, MF_ODBC_CONFIG, MF_ERROR_CONFIG);
    config.driver = "/nowhere/libnothing.so";
    connect_fails(&config, MF_ODBC_CONFIG, MF_ERROR_CONFIG);
}

static void test_bad_setting(void **state)
{
    (void)state;
    struct mf_odbc_config config = base_config();
    config.database = "a;b";
    connect_fails(&config, MF_ODBC_CONFIG, MF_ERROR_CONFIG);
}

static void test_probe(void **state)
{
    (void)state;
    struct mf_error err;
    int port;
    int fd = listener(&port);
    assert_int_equal(mf_odbc_probe("127.0.0.1", port, 1000, &err), 0);
    assert_int_equal(mf_odbc_probe("localhost", port, 1000, &err), 0);
    close(fd);
    assert_int_equal(mf_odbc_probe("127.0.0.1", port, 1000, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "probe_failed");
    assert_int_equal(mf_odbc_probe("no such host", port, 1000, &err), -1);
    assert_string_equal(err.code, "probe_failed");
}

static void test_probe_of_a_unix_socket(void **state)
{
    (void)state;
    char folder[] = "/tmp/mf_test_odbc_XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct mf_error err;
    assert_int_equal(mf_odbc_probe(folder, 5432, 1000, &err), 0);
    close(fd);
    assert_int_equal(mf_odbc_probe(folder, 5432, 1000, &err), -1);
    unlink(address.sun_path);
    rmdir(folder);
}

static void test_wrong_password_and_database(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc_config wrong = config;
    wrong.password = "canary-wrong-password";
    connect_fails(&wrong, MF_ODBC_CONFIG, MF_ERROR_CONFIG);
    wrong = config;
    wrong.database = "no_such_database";
    connect_fails(&wrong, MF_ODBC_CONFIG, MF_ERROR_CONFIG);
}

static void test_password_of_any_characters(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *admin = connected(&config);
    if (strcmp(ask(admin, "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user", NULL,
                   0),
               "1") != 0) {
        print_message("SKIPPED: %s may not create roles\n", config.user);
        mf_odbc_free(&admin);
        skip();
    }
    exec_ok(admin, "DROP ROLE IF EXISTS mf_test_odd");
    exec_ok(admin, "CREATE ROLE mf_test_odd LOGIN PASSWORD E'a;b}c{d%41+e f=\\'g\"h\\\\i\xc3\xa4'");
    config.user = "mf_test_odd";
    config.password = "a;b}c{d%41+e f='g\"h\\i\xc3\xa4";
    struct mf_odbc *odd = connected(&config);
    mf_odbc_free(&odd);
    exec_ok(admin, "DROP ROLE mf_test_odd");
    mf_odbc_free(&admin);
}

static void test_session_settings(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    assert_string_equal(ask(connection, "SHOW client_encoding", NULL, 0), "UTF8");
    assert_string_equal(ask(connection, "SHOW statement_timeout", NULL, 0), "500ms");
    assert_string_equal(ask(connection, "SHOW TimeZone", NULL, 0), "UTC");
    assert_string_equal(ask(connection, "SHOW jit", NULL, 0), "off");
    mf_odbc_free(&connection);
}

static void test_text_comes_back_as_it_went(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    static const char utf8[] = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x93\x88 ' \" \\ {}? %";
    assert_string_equal(ask(connection, "SELECT ?::text", (struct mf_str[]){MF_STR(utf8)}, 1), utf8);
    assert_string_equal(ask(connection, "SELECT ?::text", (struct mf_str[]){MF_STR("")}, 1), "");
    assert_string_equal(ask(connection, "SELECT ?::text", (struct mf_str[]){MF_STR_NULL}, 1), "(null)");
    assert_string_equal(ask(connection, "SELECT 1 WHERE false", NULL, 0), "(none)");
    // Longer than one piece of the column reader, and not NUL-terminated where it ends.
    char longer[5001];
    memset(longer, 'x', sizeof longer);
    assert_string_equal(
        ask(connection, "SELECT length(?::text)", (struct mf_str[]){{longer, sizeof longer - 1}}, 1), "5000");
    longer[sizeof longer - 1] = '\0';
    assert_string_equal(ask(connection, "SELECT ?::text", (struct mf_str[]){{longer, 5000}}, 1), longer);
    mf_odbc_free(&connection);
}

static void test_columns_stay_until_the_next_row(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    struct mf_odbc_statement *statement = NULL;
    struct mf_error err;
    const char *columns[3];
    assert_int_equal(mf_odbc_prepare(connection,
                                     "SELECT i, 'text ' || i, NULL FROM generate_series(1, 2) AS i",
                                     &statement, NULL, &err),
                     0);
    assert_int_equal(mf_odbc_execute(statement, NULL, 0, NULL, &err), 0);
    for (int row = 1; row <= 2; row++) {
        assert_int_equal(mf_odbc_fetch(statement, NULL, &err), 1);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(mf_odbc_column(statement, i, &columns[i], NULL, &err), 0);
        assert_string_equal(columns[0], row == 1 ? "1" : "2");
        assert_string_equal(columns[1], row == 1 ? "text 1" : "text 2");
        assert_null(columns[2]);
    }
    assert_int_equal(mf_odbc_fetch(statement, NULL, &err), 0);
    mf_odbc_free(&connection);
}

static void test_large_parameter(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    size_t size = 1000000;
    char *large = mf_alloc(size);
    memset(large, 'y', size);
    assert_string_equal(ask(connection, "SELECT length(?::text)", (struct mf_str[]){{large, size}}, 1),
                        "1000000");
    free(large);
    mf_odbc_free(&connection);
}

static void test_statement_is_reused_and_counts_rows(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    struct mf_odbc_statement *statement = NULL;
    struct mf_error err;
    exec_ok(connection, "CREATE TEMPORARY TABLE t (a integer PRIMARY KEY)");
    assert_int_equal(mf_odbc_prepare(connection, "INSERT INTO t SELECT ?::int ON CONFLICT DO NOTHING",
                                     &statement, NULL, &err),
                     0);
    static const struct {
        const char *value;
        int64_t rows;
    } steps[] = {{"1", 1}, {"2", 1}, {"1", 0}, {"3", 1}};
    for (size_t i = 0; i < MF_ARRAY_LEN(steps); i++) {
        struct mf_str value = mf_str_of(steps[i].value);
        assert_int_equal(mf_odbc_execute(statement, &value, 1, NULL, &err), 0);
        assert_int_equal(mf_odbc_row_count(statement), steps[i].rows);
    }
    assert_string_equal(ask(connection, "SELECT count(*) FROM t", NULL, 0), "3");
    // The statement dies with its connection.
    mf_odbc_free(&connection);
}

static void fails_with(struct mf_odbc *connection, const char *sql, enum mf_error_class class,
                       const char *code, const char *sqlstate)
{
    struct mf_odbc_diagnostic diagnostic;
    struct mf_error err;
    assert_int_equal(mf_odbc_exec_direct(connection, sql, &diagnostic, &err), -1);
    assert_string_equal(diagnostic.sqlstate, sqlstate);
    assert_string_equal(err.code, code);
    assert_int_equal(err.class, class);
    assert_null(strchr(diagnostic.message, '\n'));
}

static void test_errors_leave_the_connection_alive(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    exec_ok(connection, "CREATE TEMPORARY TABLE t (a integer CHECK (a > 0))");
    fails_with(connection, "INSERT INTO t VALUES (0)", MF_ERROR_POISON, "odbc_data", "23514");
    fails_with(connection, "SELECT '{'::jsonb", MF_ERROR_POISON, "odbc_data", "22P02");
    fails_with(connection, "SELECT * FROM no_such_table", MF_ERROR_CONFIG, "odbc_config", "42P01");
    fails_with(connection, "SELECT pg_sleep(30)", MF_ERROR_TRANSIENT, "odbc_transient", "57014");
    assert_false(mf_odbc_is_dead(connection));
    assert_string_equal(ask(connection, "SELECT count(*) FROM t", NULL, 0), "0");
    mf_odbc_free(&connection);
}

static void test_transactions(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    struct mf_error err;
    exec_ok(connection, "CREATE TEMPORARY TABLE t (a integer CHECK (a > 0))");
    assert_int_equal(mf_odbc_set_autocommit(connection, false, NULL, &err), 0);
    exec_ok(connection, "INSERT INTO t VALUES (1)");
    assert_int_equal(mf_odbc_commit(connection, NULL, &err), 0);
    exec_ok(connection, "INSERT INTO t VALUES (2)");
    assert_int_equal(mf_odbc_rollback(connection, NULL, &err), 0);
    // A failed statement does not take the work before it along (Protocol=7.4-2).
    exec_ok(connection, "INSERT INTO t VALUES (3)");
    assert_int_equal(mf_odbc_exec_direct(connection, "INSERT INTO t VALUES (0)", NULL, &err), -1);
    exec_ok(connection, "INSERT INTO t VALUES (4)");
    assert_int_equal(mf_odbc_commit(connection, NULL, &err), 0);
    assert_int_equal(mf_odbc_set_autocommit(connection, true, NULL, &err), 0);
    assert_string_equal(ask(connection, "SELECT string_agg(a::text, ',' ORDER BY a) FROM t", NULL, 0),
                        "1,3,4");
    mf_odbc_free(&connection);
}

static void test_scripts(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    struct mf_error err;
    exec_ok(connection, "-- a comment; with a semicolon and a ?\n"
                        "CREATE TEMPORARY TABLE t (a text);\n"
                        "INSERT INTO t VALUES ('x;y'), ('?');\n"
                        "DO $$ BEGIN INSERT INTO t VALUES ('in a block;'); END $$;\n"
                        "COMMENT ON TABLE t IS 'what?';\n");
    assert_string_equal(ask(connection, "SELECT count(*) FROM t", NULL, 0), "3");
    // An error in the middle is an error of the script.
    assert_int_equal(
        mf_odbc_exec_direct(connection,
                            "INSERT INTO t VALUES ('one'); SELECT 1/0; INSERT INTO t VALUES ('two');", NULL,
                            &err),
        -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    mf_odbc_free(&connection);
}

static void test_lost_connection_is_uncertain(void **state)
{
    (void)state;
    struct mf_odbc_config config;
    NEED_SERVER(config);
    struct mf_odbc *connection = connected(&config);
    struct mf_odbc *other = connected(&config);
    struct mf_odbc_diagnostic diagnostic;
    struct mf_error err;
    exec_ok(connection, "CREATE TEMPORARY TABLE t (a integer)");
    assert_int_equal(mf_odbc_set_autocommit(connection, false, NULL, &err), 0);
    exec_ok(connection, "INSERT INTO t VALUES (1)");
    struct mf_str pid = mf_str_of(ask(connection, "SELECT pg_backend_pid()", NULL, 0));
    char copy[32];
    mf_str_copy(copy, sizeof copy, pid);
    assert_string_equal(
        ask(other, "SELECT pg_terminate_backend(?::int)", (struct mf_str[]){mf_str_of(copy)}, 1), "1");
    // The backend is gone when its activity row is.
    while (strcmp(ask(other, "SELECT count(*) FROM pg_stat_activity WHERE pid = ?::int",
                      (struct mf_str[]){mf_str_of(copy)}, 1),
                  "0") != 0)
        ;
    assert_int_equal(mf_odbc_exec_direct(connection, "INSERT INTO t VALUES (2)", &diagnostic, &err), -1);
    assert_int_equal(err.class, MF_ERROR_UNCERTAIN);
    assert_int_equal(diagnostic.class, MF_ODBC_CONNECTION);
    assert_true(mf_odbc_is_dead(connection));
    // The driver itself would answer success here.
    assert_int_equal(mf_odbc_commit(connection, &diagnostic, &err), -1);
    assert_int_equal(err.class, MF_ERROR_UNCERTAIN);
    mf_odbc_free(&connection);
    mf_odbc_free(&other);
    mf_odbc_free(&other); // NULL-safe
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_mute_server_is_bounded_by_the_login_timeout),
        cmocka_unit_test(test_unknown_driver),
        cmocka_unit_test(test_bad_setting),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_probe_of_a_unix_socket),
        cmocka_unit_test(test_wrong_password_and_database),
        cmocka_unit_test(test_password_of_any_characters),
        cmocka_unit_test(test_session_settings),
        cmocka_unit_test(test_text_comes_back_as_it_went),
        cmocka_unit_test(test_columns_stay_until_the_next_row),
        cmocka_unit_test(test_large_parameter),
        cmocka_unit_test(test_statement_is_reused_and_counts_rows),
        cmocka_unit_test(test_errors_leave_the_connection_alive),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_lost_connection_is_uncertain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
