// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_admin.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

static const char *wanted_value(const struct mf_kafka_topic_spec *spec, const char *name)
{
    static struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX];
    size_t count = kafka_topic_wanted(spec, wanted);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(wanted[i].name, name) == 0)
            return wanted[i].value;
    }
    return NULL;
}

static void a_topic_is_made_by_its_kind(void **state)
{
    (void)state;
    struct mf_kafka_topic_spec log = {"a", 8, 1, "delete", INT64_C(604800000), false};
    assert_string_equal(wanted_value(&log, "cleanup.policy"), "delete");
    assert_string_equal(wanted_value(&log, "retention.ms"), "604800000");
    assert_null(wanted_value(&log, "segment.bytes"));
    assert_null(wanted_value(&log, "min.insync.replicas"));

    struct mf_kafka_topic_spec compacted = {"b", 8, 3, "compact", -1, false};
    assert_string_equal(wanted_value(&compacted, "cleanup.policy"), "compact");
    assert_null(wanted_value(&compacted, "retention.ms"));
    assert_string_equal(wanted_value(&compacted, "segment.bytes"), "16777216");
    assert_string_equal(wanted_value(&compacted, "min.cleanable.dirty.ratio"), "0.1");
    assert_string_equal(wanted_value(&compacted, "min.insync.replicas"), "2");

    struct mf_kafka_topic_spec everything = {"c", 8, 3, "compact", INT64_MAX, true};
    struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX];
    assert_int_equal(kafka_topic_wanted(&everything, wanted), KAFKA_TOPIC_CONFIGS_MAX);
    assert_string_equal(wanted[1].value, "9223372036854775807");
}

static void what_differs_is_named_with_its_remedy(void **state)
{
    (void)state;
    struct mf_kafka_topic_spec spec = {"a", 8, 3, "delete", 1000, false};
    struct mf_kafka_topic_report report = {.result = MF_KAFKA_TOPIC_EXISTS};
    kafka_topic_found(&spec, 8, 3, &report);
    assert_int_equal(report.result, MF_KAFKA_TOPIC_EXISTS);
    assert_string_equal(report.detail, "");
    struct kafka_topic_config retention = {"retention.ms", "1000"};
    kafka_topic_compare(&retention, "1000", &report);
    kafka_topic_compare(&retention, NULL, &report); // not told: not judged
    assert_int_equal(report.result, MF_KAFKA_TOPIC_EXISTS);

    kafka_topic_found(&spec, 4, 1, &report);
    kafka_topic_compare(&retention, "86400000", &report);
    assert_int_equal(report.result, MF_KAFKA_TOPIC_DIFFERS);
    assert_int_equal(report.partitions, 4);
    assert_string_equal(report.detail,
                        "4 partitions instead of 8: set KAFKA_PARTITIONS=4 or make the topic anew; "
                        "1 replicas instead of 3: reassign the partitions; "
                        "retention.ms is 86400000, should be 1000: alter it");
}

static void a_report_longer_than_its_field_is_cut(void **state)
{
    (void)state;
    struct mf_kafka_topic_report report = {.result = MF_KAFKA_TOPIC_EXISTS};
    struct kafka_topic_config property = {"a.property.with.a.rather.long.name", "1"};
    for (int i = 0; i < 20; i++)
        kafka_topic_compare(&property, "2", &report);
    assert_int_equal(report.result, MF_KAFKA_TOPIC_DIFFERS);
    assert_int_equal(strlen(report.detail), sizeof report.detail - 1);
}

static void a_cluster_that_does_not_answer_is_transient(void **state)
{
    (void)state;
    struct kafka_world *world = kafka_world_at("127.0.0.1:9", NULL); // discard: nobody listens
    struct mf_kafka_topic_spec spec = {"a", 8, 1, "delete", 1000, false};
    struct mf_kafka_topic_report report;
    struct mf_error err;
    assert_int_equal(mf_kafka_topics(&world->kafka, &spec, 1, false, 300, &report, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    kafka_world_free(&world);
}

// The mock answers for metadata and knows no admin request: what is missing is found, and making it ends in
// time.
static void a_missing_topic_is_reported_and_not_made_for_ever(void **state)
{
    (void)state;
    struct kafka_world *world = kafka_world_new(1, NULL);
    struct mf_kafka_topic_spec spec = {"a", 8, 1, "delete", 1000, false};
    struct mf_kafka_topic_report report;
    struct mf_error err;
    assert_int_equal(mf_kafka_topics(&world->kafka, &spec, 1, false, 5000, &report, &err), 0);
    assert_int_equal(report.result, MF_KAFKA_TOPIC_MISSING);
    assert_non_null(strstr(report.detail, "marketflowctl topics apply"));
    assert_int_equal(mf_kafka_topics(&world->kafka, &spec, 1, true, 500, &report, &err), -1);
    assert_int_equal(err.class, MF_ERROR_TRANSIENT);
    assert_string_equal(err.code, "timeout");
    static struct mf_kafka_topic_spec many[1001];
    static struct mf_kafka_topic_report reports[1001];
    assert_int_equal(mf_kafka_topics(&world->kafka, many, 1001, false, 5000, reports, &err), -1);
    assert_string_equal(err.code, "too_many_topics");
    kafka_world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_made_by_its_kind),
        cmocka_unit_test(what_differs_is_named_with_its_remedy),
        cmocka_unit_test(a_report_longer_than_its_field_is_cut),
        cmocka_unit_test(a_cluster_that_does_not_answer_is_transient),
        cmocka_unit_test(a_missing_topic_is_reported_and_not_made_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
