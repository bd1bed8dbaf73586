// SPDX-License-Identifier: Apache-2.0
// What --check-config says beyond the tables: settings that contradict each other, a calendar without its
// file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/processor/config.h"
#include "services/processor/engine.h"

static void check(char *const *env, const char *wanted)
{
    const struct mf_setting_table tables[] = {mf_settings_table_kafka, prc_settings_table,
                                              prc_settings_table_alerts};
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 8192);
    assert_int_equal(mf_settings_parse(tables, MF_ARRAY_LEN(tables), env, NULL, &settings, &problems, &err),
                     0);
    prc_config_check(settings, &problems);
    assert_string_equal(mf_buf_c_str(&problems), wanted);
    mf_settings_free(&settings);
    mf_buf_free(&problems);
}

static void test_a_transaction_outlives_its_commit(void **state)
{
    (void)state;
    char timeout[] = "KAFKA_TRANSACTION_TIMEOUT_MS=1200", commit[] = "PROCESSOR_COMMIT_MS=1199";
    char *env[] = {timeout, commit, NULL};
    check(env, "");
    memcpy(strchr(commit, '=') + 1, "1200", 4);
    check(env, "KAFKA_TRANSACTION_TIMEOUT_MS: must be more than PROCESSOR_COMMIT_MS, 1200: the broker would "
               "end every transaction before it is committed\n");
}

static void test_rules_are_checked_too(void **state)
{
    (void)state;
    char *env[] = {(char[]){"ALERT_MA_CROSS_1H_WARNING=0.5"}, NULL};
    check(env, "ALERT_MA_CROSS_1H_WARNING: 0.5 is not 0 (off) or 1 (on) (interval 1h)\n");
}

static void test_a_calendar_without_its_time_zone(void **state)
{
    (void)state;
    char folder[] = "/tmp/mf-config-XXXXXX", wanted[256];
    char *env[] = {NULL};
    assert_non_null(mkdtemp(folder));
    setenv("TZDIR", folder, 1);
    (void)snprintf(wanted, sizeof wanted,
                   "TZDIR: %s/America/New_York: No such file or directory; is the tz database (tzdata) "
                   "installed?\n",
                   folder);
    check(env, wanted);
    unsetenv("TZDIR");
    rmdir(folder);
    check(env, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transaction_outlives_its_commit),
        cmocka_unit_test(test_rules_are_checked_too),
        cmocka_unit_test(test_a_calendar_without_its_time_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
