// SPDX-License-Identifier: Apache-2.0
// marketflowctl topics: what is asked of the cluster, and how the answer is shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/ctl/ctl.h"

static struct mf_settings *settings_of(char *const *env)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    assert_int_equal(mf_settings_parse(&mf_settings_table_kafka, 1, env, NULL, &settings, &problems, &err),
                     0);
    mf_buf_free(&problems);
    return settings;
}

static void test_specs_follow_the_table_and_the_settings(void **state)
{
    (void)state;
    char partitions[] = "KAFKA_PARTITIONS=6", replicas[] = "KAFKA_REPLICATION_FACTOR=3",
         name[] = "KAFKA_TOPIC_DLQ=dead";
    char *env[] = {partitions, replicas, name, NULL};
    struct mf_settings *settings = settings_of(env);
    struct mf_kafka_topic_spec specs[MF_TOPIC_MAX];
    ctl_topics_specs(settings, specs);
    for (enum mf_topic_role role = 0; role < MF_TOPIC_MAX; role++) {
        bool one = mf_topics[role].partitions == MF_TOPIC_PARTITIONS_ONE;
        assert_int_equal(specs[role].partitions, one ? 1 : 6);
        assert_int_equal(specs[role].replication, 3);
        assert_string_equal(specs[role].cleanup, mf_topics[role].cleanup);
        assert_int_equal(specs[role].retention_ms, mf_topics[role].retention_ms);
        assert_int_equal(specs[role].append_time, role == MF_TOPIC_INGESTOR_BUDGET);
        assert_string_equal(specs[role].name, role == MF_TOPIC_DLQ ? "dead" : mf_topics[role].default_name);
    }
    mf_settings_free(&settings);
}

static void test_the_table_and_the_exit_code(void **state)
{
    (void)state;
    static const struct mf_kafka_topic_spec specs[] = {
        {.name = "market.raw", .partitions = 8, .cleanup = "delete", .retention_ms = MF_DAYS_MS(7)},
        {.name = "state", .partitions = 1, .cleanup = "compact", .retention_ms = -1},
    };
    static const struct {
        enum mf_kafka_topic_result first, second;
        int exit_code;
        const char *line;
    } rows[] = {
        {MF_KAFKA_TOPIC_CREATED, MF_KAFKA_TOPIC_EXISTS, 0,
         "state                1  compact          -  exists\n"},
        {MF_KAFKA_TOPIC_EXISTS, MF_KAFKA_TOPIC_EXISTS, 0,
         "market.raw           8  delete          7d  exists\n"},
        {MF_KAFKA_TOPIC_DIFFERS, MF_KAFKA_TOPIC_EXISTS, 78, "differs: 4 partitions instead of 8\n"},
        {MF_KAFKA_TOPIC_EXISTS, MF_KAFKA_TOPIC_MISSING, 78,
         "state                -  compact          -  missing\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_kafka_topic_report reports[2] = {
            {.result = rows[i].first, .partitions = 8},
            {.result = rows[i].second, .partitions = rows[i].second == MF_KAFKA_TOPIC_MISSING ? -1 : 1},
        };
        if (rows[i].first == MF_KAFKA_TOPIC_DIFFERS)
            snprintf(reports[0].detail, sizeof reports[0].detail, "4 partitions instead of 8");
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        assert_int_equal(ctl_topics_print(specs, reports, 2, out), rows[i].exit_code);
        fclose(out);
        static const char heading[] = "topic       partitions  cleanup  retention  result\n";
        assert_memory_equal(text, heading, sizeof heading - 1);
        if (strstr(text, rows[i].line) == NULL)
            fail_msg("'%s' is not in\n%s", rows[i].line, text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs_follow_the_table_and_the_settings),
        cmocka_unit_test(test_the_table_and_the_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
