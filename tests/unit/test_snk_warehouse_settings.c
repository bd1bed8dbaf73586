// SPDX-License-Identifier: Apache-2.0
// The sink's warehouse as its settings have it, without a server: what is refused, what a dialect brings
// along.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/settings.h"
#include "services/sink/warehouse.h"

// The checks of the key's file are those of the settings, and have their own test.
static struct mf_settings *settings_with(const char *const *overrides)
{
    const struct mf_setting_table tables[] = {mf_settings_table_kafka, mf_settings_table_warehouse};
    char *env[16] = {(char *)"WAREHOUSE_HOST=127.0.0.1", (char *)"WAREHOUSE_SSLMODE=disable"};
    size_t used = 2;
    for (size_t i = 0; overrides != NULL && overrides[i] != NULL; i++)
        env[used++] = (char *)overrides[i];
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    if (mf_settings_parse(tables, MF_ARRAY_LEN(tables), env, NULL, &settings, &problems, &err) != 0)
        fail_msg("%s", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    return settings;
}

static void test_settings_that_cannot_be_used(void **state)
{
    (void)state;
    static const struct {
        const char *overrides[6];
        const char *want[2];
    } cases[] = {
        {{NULL}, {NULL}},
        {{"WAREHOUSE_DEADLINE_MS=20000", "WAREHOUSE_LOGIN_TIMEOUT_MS=18000", NULL},
         {"LOGIN_TIMEOUT_MS", NULL}},
        {{"WAREHOUSE_DEADLINE_MS=20000", "WAREHOUSE_LOGIN_TIMEOUT_MS=17999", NULL}, {NULL}},
        {{"WAREHOUSE_DEADLINE_MS=120000", NULL}, {"MAX_POLL_INTERVAL_MS", NULL}},
        {{"WAREHOUSE_DEADLINE_MS=119999", NULL}, {NULL}},
        // All of them at once.
        {{"WAREHOUSE_DEADLINE_MS=15000", "WAREHOUSE_LOGIN_TIMEOUT_MS=13000",
          "KAFKA_MAX_POLL_INTERVAL_MS=15000", "KAFKA_TRANSACTION_TIMEOUT_MS=5000",
          "WAREHOUSE_STATEMENT_TIMEOUT_MS=9000", NULL},
         {"LOGIN_TIMEOUT_MS", "MAX_POLL"}},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_settings *settings = settings_with(cases[i].overrides);
        struct mf_buf problems;
        mf_buf_init(&problems, 4096);
        snk_warehouse_check_settings(settings, &problems);
        assert_int_equal(problems.len == 0, cases[i].want[0] == NULL);
        for (size_t n = 0; n < 2 && cases[i].want[n] != NULL; n++)
            assert_non_null(strstr(mf_buf_c_str(&problems), cases[i].want[n]));
        mf_buf_free(&problems);
        mf_settings_free(&settings);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    const char *overrides[] = {"WAREHOUSE_DRIVER=No Such Driver", "WAREHOUSE_PORT=1", NULL};
    struct mf_settings *settings = settings_with(overrides);
    struct snk_warehouse *warehouse = snk_warehouse_new(settings, "g", "i");
    struct mf_error err;
    assert_false(snk_warehouse_is_open(warehouse));
    assert_int_equal(snk_warehouse_open(warehouse, true, &err), -1);
    assert_false(snk_warehouse_is_open(warehouse));
    snk_warehouse_close(warehouse);
    snk_warehouse_free(&warehouse);
    snk_warehouse_free(&warehouse);
    mf_settings_free(&settings);
}

static void test_what_a_dialect_brings_along(void **state)
{
    (void)state;
    static const char *const snowflake[] = {"WAREHOUSE_DIALECT=snowflake", "SNOWFLAKE_WAREHOUSE=w",
                                            "SNOWFLAKE_PRIVATE_KEY_FILE=/proc/self/environ", // mode 0400
                                            NULL};
    static const char *const ported[] = {"WAREHOUSE_DIALECT=snowflake", "SNOWFLAKE_WAREHOUSE=w",
                                         "SNOWFLAKE_PRIVATE_KEY_FILE=/proc/self/environ",
                                         "WAREHOUSE_PORT=5432", NULL};
    static const struct {
        const char *const *overrides;
        const char *dialect, *address;
        int64_t flush_ms;
    } rows[] = {
        {NULL, "postgresql", "127.0.0.1:5432", 250},
        {snowflake, "snowflake", "127.0.0.1:443", 5000},
        {ported, "snowflake", "127.0.0.1:5432", 5000},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_settings *settings = settings_with(rows[i].overrides);
        struct snk_warehouse *warehouse = snk_warehouse_new(settings, "g", "i");
        assert_string_equal(snk_warehouse_dialect(warehouse), rows[i].dialect);
        assert_string_equal(snk_warehouse_address(warehouse), rows[i].address);
        assert_int_equal(snk_warehouse_flush_ms(warehouse), rows[i].flush_ms);
        assert_string_equal(snk_warehouse_query_ids(warehouse), "");
        snk_warehouse_free(&warehouse);
        mf_settings_free(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_that_cannot_be_used),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_what_a_dialect_brings_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
