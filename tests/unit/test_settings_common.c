// SPDX-License-Identifier: Apache-2.0
// The shared tables: defaults that start on one machine, every check of a single value, and what settings
// must fulfil together.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/settings.h"
#include "common/topics.h"

struct fixture {
    struct mf_settings *settings;
    struct mf_buf problems;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    mf_buf_init(&f->problems, 65536);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_settings_free(&f->settings);
    mf_buf_free(&f->problems);
    free(f);
    return 0;
}

static int parse(struct fixture *f, char *const *env)
{
    const struct mf_setting_table tables[] = {mf_settings_table_log, mf_settings_table_service,
                                              mf_settings_table_kafka, mf_settings_table_warehouse};
    struct mf_error err;
    mf_settings_free(&f->settings);
    mf_buf_clear(&f->problems);
    return mf_settings_parse(tables, MF_ARRAY_LEN(tables), env, NULL, &f->settings, &f->problems, &err);
}

static void defaults_are_right_together(void **state)
{
    struct fixture *f = *state;
    int result = parse(f, (char *const[]){NULL});
    assert_string_equal(mf_buf_c_str(&f->problems), "");
    assert_int_equal(result, 0);
    assert_string_equal(mf_settings_warnings(f->settings), "");
    static const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"KAFKA_PARTITIONS", 8},
        {"KAFKA_REPLICATION_FACTOR", 1},
        {"KAFKA_MESSAGE_TIMEOUT_MS", 300000},
        {"KAFKA_STATISTICS_MS", 5000},
        {"KAFKA_QUEUE_MESSAGES", 100000},
        {"KAFKA_QUEUE_BYTES", 16 * 1024 * 1024},
        {"KAFKA_FETCH_QUEUE_BYTES", 2 * 1024 * 1024},
        {"KAFKA_SESSION_TIMEOUT_MS", 15000},
        {"KAFKA_MAX_POLL_INTERVAL_MS", 120000},
        {"KAFKA_TRANSACTION_TIMEOUT_MS", 10000},
        {"WAREHOUSE_PORT", 5432},
        {"WAREHOUSE_LOGIN_TIMEOUT_MS", 3000},
        {"WAREHOUSE_STATEMENT_TIMEOUT_MS", 10000},
        {"WAREHOUSE_DEADLINE_MS", 20000},
        {"SHUTDOWN_GRACE_MS", 25000},
        {"LOG_STATS_MS", 60000},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(numbers); i++)
        assert_int_equal(mf_settings_integer(f->settings, numbers[i].name), numbers[i].value);
    assert_string_equal(mf_settings_string(f->settings, "KAFKA_BOOTSTRAP_SERVERS"), "127.0.0.1:9092");
    assert_string_equal(mf_settings_string(f->settings, "METRICS_LISTEN"), "127.0.0.1:9464");
    assert_string_equal(mf_settings_string(f->settings, "WAREHOUSE_SSLMODE"), "verify-full");
    assert_string_equal(mf_settings_string(f->settings, "WAREHOUSE_DRIVER"), "PostgreSQL Unicode");
    assert_null(mf_settings_string(f->settings, "WAREHOUSE_PASSWORD"));
    // One setting per topic, whose default is the table's.
    for (unsigned i = 0; i < MF_TOPIC_MAX; i++)
        assert_string_equal(mf_settings_string(f->settings, mf_topics[i].setting), mf_topics[i].default_name);
}

struct row {
    const char *entry;
    const char *problem; // NULL = accepted
};

static void check_rows(struct fixture *f, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = parse(f, (char *const[]){(char *)rows[i].entry, NULL});
        assert_string_equal(mf_buf_c_str(&f->problems), rows[i].problem != NULL ? rows[i].problem : "");
        assert_int_equal(result, rows[i].problem != NULL ? -1 : 0);
    }
}

static void single_values_are_checked(void **state)
{
    static const char not_listen[] = "is not address:port, as 127.0.0.1:9464 or [::1]:9464";
    char listen_problem[128];
    static const char *const bad_listen[] = {"9464",          "127.0.0.1:",      ":1",
                                             "::1:9464",      "host:9464",       "[::1:9464",
                                             "[127.0.0.1]:1", "127.0.0.1:65536", "[localhost]:1",
                                             "127.0.0.1:+1"};
    static const struct row rows[] = {
        {"KAFKA_INSTANCE_ID=a.b_c-1", NULL},
        {"KAFKA_INSTANCE_ID=a b",
         "KAFKA_INSTANCE_ID: 'a b' is not 1 to 100 of the characters A-Z a-z 0-9 . _ -\n"},
        {"KAFKA_BOOTSTRAP_SERVERS=localhost:1,[::1]:65535", NULL},
        {"KAFKA_BOOTSTRAP_SERVERS=a", "KAFKA_BOOTSTRAP_SERVERS: 'a' is not host:port[,host:port…]\n"},
        {"KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:0",
         "KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:0' is not host:port[,host:port…]\n"},
        {"KAFKA_BOOTSTRAP_SERVERS=a:65536",
         "KAFKA_BOOTSTRAP_SERVERS: 'a:65536' is not host:port[,host:port…]\n"},
        {"KAFKA_BOOTSTRAP_SERVERS=a:1,", "KAFKA_BOOTSTRAP_SERVERS: 'a:1,' is not host:port[,host:port…]\n"},
        {"KAFKA_BOOTSTRAP_SERVERS=a:1, b:2",
         "KAFKA_BOOTSTRAP_SERVERS: 'a:1, b:2' is not host:port[,host:port…]\n"},
        {"KAFKA_TOPIC_DLQ=..",
         "KAFKA_TOPIC_DLQ: '..' is not a topic name: at most 249 characters, and not . or ..\n"},
        {"KAFKA_TOPIC_DLQ=a/b", "KAFKA_TOPIC_DLQ: 'a/b' is not a topic name: A-Z a-z 0-9 . _ - only\n"},
        {"KAFKA_TOPIC_DLQ=market.raw", "KAFKA_TOPIC_DLQ: is the same topic as KAFKA_TOPIC_RAW\n"},
        {"KAFKA_PARTITIONS=513", "KAFKA_PARTITIONS: '513' is outside 1 to 512\n"},
        {"METRICS_LISTEN=[::]:0", NULL},
        {"METRICS_LISTEN=0.0.0.0:9464", NULL},
        {"METRICS_LISTEN=localhost:1", NULL},
        {"WAREHOUSE_HOST=h;Database=x", "WAREHOUSE_HOST: 'h;Database=x' may not hold ; { } or =\n"},
        {"WAREHOUSE_USER=a}b", "WAREHOUSE_USER: 'a}b' may not hold ; { } or =\n"},
        {"SHUTDOWN_GRACE_MS=0", NULL},
        {"LOG_LEVEL=warn", "LOG_LEVEL: 'warn' is none of debug, info, notice, warning, error, critical\n"},
    };
    check_rows(*state, rows, MF_ARRAY_LEN(rows));
    for (size_t i = 0; i < MF_ARRAY_LEN(bad_listen); i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "METRICS_LISTEN=%s", bad_listen[i]);
        snprintf(listen_problem, sizeof listen_problem, "METRICS_LISTEN: '%s' %s\n", bad_listen[i],
                 not_listen);
        const struct row row = {entry, listen_problem};
        check_rows(*state, &row, 1);
    }
}

static void times_must_fit_together(void **state)
{
    static const struct row rows[] = {
        {"KAFKA_TRANSACTION_TIMEOUT_MS=15000",
         "KAFKA_TRANSACTION_TIMEOUT_MS: must be less than KAFKA_SESSION_TIMEOUT_MS\n"},
        {"KAFKA_TRANSACTION_TIMEOUT_MS=14999", NULL},
        {"KAFKA_MAX_POLL_INTERVAL_MS=29999",
         "KAFKA_MAX_POLL_INTERVAL_MS: must be at least three times KAFKA_TRANSACTION_TIMEOUT_MS\n"},
        {"KAFKA_MAX_POLL_INTERVAL_MS=30000", NULL},
        {"KAFKA_SESSION_TIMEOUT_MS=120001",
         "KAFKA_MAX_POLL_INTERVAL_MS: must not be less than KAFKA_SESSION_TIMEOUT_MS\n"},
        {"WAREHOUSE_STATEMENT_TIMEOUT_MS=20000",
         "WAREHOUSE_DEADLINE_MS: must be more than WAREHOUSE_STATEMENT_TIMEOUT_MS\n"},
        {"WAREHOUSE_LOGIN_TIMEOUT_MS=20000",
         "WAREHOUSE_DEADLINE_MS: must be more than WAREHOUSE_LOGIN_TIMEOUT_MS\n"},
    };
    check_rows(*state, rows, MF_ARRAY_LEN(rows));
}

static void security_must_be_whole(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *env[6];
        const char *problems;
    } rows[] = {
        {{"KAFKA_SECURITY_PROTOCOL=sasl_ssl"},
         "KAFKA_SASL_USERNAME: is required with KAFKA_SECURITY_PROTOCOL=sasl_ssl\n"
         "KAFKA_SASL_PASSWORD: is required with KAFKA_SECURITY_PROTOCOL=sasl_ssl\n"},
        {{"KAFKA_SECURITY_PROTOCOL=sasl_ssl", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p"}, ""},
        {{"KAFKA_SASL_PASSWORD=p"},
         "KAFKA_SECURITY_PROTOCOL: 'plaintext' would ignore the SASL user and password\n"},
        {{"KAFKA_SECURITY_PROTOCOL=ssl", "KAFKA_CLIENT_CERTIFICATE_FILE=/proc/self/exe"},
         "KAFKA_CLIENT_KEY_FILE: is required too: a client certificate needs its key and the other way "
         "round\n"},
        {{"KAFKA_SECURITY_PROTOCOL=ssl", "KAFKA_CLIENT_KEY_FILE=/proc/self/exe"},
         "KAFKA_CLIENT_CERTIFICATE_FILE: is required too: a client certificate needs its key and the other "
         "way "
         "round\n"},
        {{"TLS_CA_FILE=/nonexistent/ca.pem"}, "TLS_CA_FILE: cannot read '/nonexistent/ca.pem'\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        int result = parse(f, (char *const *)rows[i].env);
        assert_string_equal(mf_buf_c_str(&f->problems), rows[i].problems);
        assert_int_equal(result, rows[i].problems[0] != '\0' ? -1 : 0);
    }
}

static void snowflake_wants_a_key_that_nobody_else_can_read(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/mf_test_key_XXXXXX";
    char key[64];
    char mode[160];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(key, sizeof key, "SNOWFLAKE_PRIVATE_KEY_FILE=%s", path);
    snprintf(mode, sizeof mode,
             "SNOWFLAKE_PRIVATE_KEY_FILE: '%s' has mode 0640; others may read or change it: chmod 0600\n",
             path);
    const struct {
        mode_t mode;
        const char *env[7];
        const char *problems;
    } rows[] = {
        {0600, {key, "WAREHOUSE_DIALECT=snowflake", "WAREHOUSE_HOST=a.b", "SNOWFLAKE_WAREHOUSE=w"}, ""},
        {0400,
         {key, "WAREHOUSE_DIALECT=snowflake", "WAREHOUSE_HOST=a.b", "SNOWFLAKE_WAREHOUSE=w",
          "SNOWFLAKE_ROLE=r", "SNOWFLAKE_PRIVATE_KEY_PASSWORD=p"},
         ""},
        {0640, {key, "WAREHOUSE_DIALECT=snowflake", "WAREHOUSE_HOST=a.b", "SNOWFLAKE_WAREHOUSE=w"}, mode},
        {0640, {key}, ""}, // of no meaning to PostgreSQL
        {0600,
         {"SNOWFLAKE_PRIVATE_KEY_FILE=/nonexistent/k", "WAREHOUSE_DIALECT=snowflake", "WAREHOUSE_HOST=a.b",
          "SNOWFLAKE_WAREHOUSE=w"},
         "SNOWFLAKE_PRIVATE_KEY_FILE: cannot read '/nonexistent/k'\n"},
        {0600,
         {"WAREHOUSE_DIALECT=snowflake", "WAREHOUSE_PASSWORD=p"},
         "SNOWFLAKE_PRIVATE_KEY_FILE: is required with WAREHOUSE_DIALECT=snowflake\n"
         "SNOWFLAKE_WAREHOUSE: is required with WAREHOUSE_DIALECT=snowflake\n"
         "WAREHOUSE_PASSWORD: Snowflake is reached with a key pair only: give SNOWFLAKE_PRIVATE_KEY_FILE "
         "instead\n"
         "WAREHOUSE_HOST: is required with WAREHOUSE_DIALECT=snowflake\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        assert_int_equal(fchmod(fd, rows[i].mode), 0);
        int result = parse(f, (char *const *)rows[i].env);
        assert_string_equal(mf_buf_c_str(&f->problems), rows[i].problems);
        assert_int_equal(result, rows[i].problems[0] != '\0' ? -1 : 0);
    }
    close(fd);
    unlink(path);
}

static void plain_text_to_another_host_is_warned_about(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *env[6];
        const char *warning; // "" = none
    } rows[] = {
        {{"WAREHOUSE_SSLMODE=disable"}, ""},
        {{"WAREHOUSE_SSLMODE=disable", "WAREHOUSE_HOST=localhost"}, ""},
        {{"WAREHOUSE_SSLMODE=disable", "WAREHOUSE_HOST=/run/postgresql"}, ""},
        {{"WAREHOUSE_SSLMODE=disable", "WAREHOUSE_HOST=::1"}, ""},
        {{"WAREHOUSE_SSLMODE=require", "WAREHOUSE_HOST=db.example"}, ""},
        {{"WAREHOUSE_SSLMODE=disable", "WAREHOUSE_HOST=db.example"}, "WAREHOUSE_SSLMODE: "},
        {{"WAREHOUSE_SSLMODE=allow", "WAREHOUSE_HOST=10.0.0.1"}, "WAREHOUSE_SSLMODE: "},
        {{"WAREHOUSE_SSLMODE=prefer", "WAREHOUSE_HOST=127.evil.example"}, "WAREHOUSE_SSLMODE: "},
        {{"KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1,LOCALHOST:2,[::1]:3"}, ""},
        {{"KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1,k:2"}, "KAFKA_SECURITY_PROTOCOL: "},
        {{"KAFKA_BOOTSTRAP_SERVERS=k:2", "KAFKA_SECURITY_PROTOCOL=ssl"}, ""},
        {{"KAFKA_BOOTSTRAP_SERVERS=k:2", "KAFKA_SECURITY_PROTOCOL=sasl_plaintext", "KAFKA_SASL_USERNAME=u",
          "KAFKA_SASL_PASSWORD=p"},
         "KAFKA_SECURITY_PROTOCOL: "},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        assert_int_equal(parse(f, (char *const *)rows[i].env), 0);
        const char *warnings = mf_settings_warnings(f->settings);
        if (rows[i].warning[0] == '\0')
            assert_string_equal(warnings, "");
        else
            assert_memory_equal(warnings, rows[i].warning, strlen(rows[i].warning));
    }
}

#define COMMON_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMON_TEST(defaults_are_right_together),
        COMMON_TEST(single_values_are_checked),
        COMMON_TEST(times_must_fit_together),
        COMMON_TEST(security_must_be_whole),
        COMMON_TEST(snowflake_wants_a_key_that_nobody_else_can_read),
        COMMON_TEST(plain_text_to_another_host_is_warned_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
