// SPDX-License-Identifier: Apache-2.0
// The topic table: complete, consistent, and found again by the configured names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/topics.h"

static void test_every_row_is_complete(void **state)
{
    (void)state;
    for (enum mf_topic_role role = 0; role < MF_TOPIC_MAX; role++) {
        const struct mf_topic_def *topic = &mf_topics[role];
        assert_int_equal(topic->role, role);
        assert_true(mf_str_starts_with(mf_str_of(topic->setting), "KAFKA_TOPIC_"));
        assert_true(mf_str_starts_with(mf_str_of(topic->default_name), "market."));
        assert_true(strlen(topic->written_by) > 0 && strlen(topic->carries) > 0);
        bool compact = strcmp(topic->cleanup, "compact") == 0;
        assert_true(compact || strcmp(topic->cleanup, "delete") == 0);
        // What is deleted by age needs an age; what is compacted must keep its newest values for ever.
        assert_true(compact ? topic->retention_ms == -1 : topic->retention_ms >= MF_DAYS_MS(1));
        for (enum mf_topic_role other = 0; other < role; other++) {
            assert_string_not_equal(topic->default_name, mf_topics[other].default_name);
            assert_string_not_equal(topic->setting, mf_topics[other].setting);
        }
    }
}

// The processor reads one partition and writes the same number of each output, so these counts must be one
// setting.
static void test_co_partitioned_topics_share_a_count(void **state)
{
    (void)state;
    static const enum mf_topic_role shared[] = {MF_TOPIC_RAW,           MF_TOPIC_RAW_BACKFILL,
                                                MF_TOPIC_BARS_FILTERED, MF_TOPIC_ALERTS,
                                                MF_TOPIC_METRICS,       MF_TOPIC_PROCESSOR_CHANGELOG};
    for (size_t i = 0; i < MF_ARRAY_LEN(shared); i++)
        assert_int_equal(mf_topics[shared[i]].partitions, MF_TOPIC_PARTITIONS_SHARED);
    assert_int_equal(mf_topics[MF_TOPIC_INGESTOR_WATERMARKS].partitions, MF_TOPIC_PARTITIONS_ONE);
}

static struct mf_settings *settings_with(char *const *env)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    mf_buf_init(&problems, 4096);
    struct mf_error err = {0};
    int result = mf_settings_parse(&mf_settings_table_kafka, 1, env, NULL, &settings, &problems, &err);
    if (result != 0)
        print_error("%s\n", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    assert_int_equal(result, 0);
    return settings;
}

static void test_names_come_from_the_settings(void **state)
{
    (void)state;
    char brokers[] = "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092", bars[] = "KAFKA_TOPIC_BARS_FILTERED=seed.bars";
    char *env[] = {brokers, bars, NULL};
    struct mf_settings *settings = settings_with(env);
    assert_string_equal(mf_topic_name(settings, MF_TOPIC_BARS_FILTERED), "seed.bars");
    assert_int_equal(mf_topic_role_of(settings, MF_STR("seed.bars")), MF_TOPIC_BARS_FILTERED);
    assert_int_equal(mf_topic_role_of(settings, MF_STR("market.bars.filtered")), MF_TOPIC_MAX);
    for (enum mf_topic_role role = 0; role < MF_TOPIC_MAX; role++) {
        const char *name = mf_topic_name(settings, role);
        if (role != MF_TOPIC_BARS_FILTERED)
            assert_string_equal(name, mf_topics[role].default_name);
        assert_int_equal(mf_topic_role_of(settings, mf_str_of(name)), role);
    }
    assert_int_equal(mf_topic_role_of(settings, MF_STR("market.raw2")), MF_TOPIC_MAX);
    assert_int_equal(mf_topic_role_of(settings, MF_STR_NULL), MF_TOPIC_MAX);
    mf_settings_free(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_complete),
        cmocka_unit_test(test_co_partitioned_topics_share_a_count),
        cmocka_unit_test(test_names_come_from_the_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
