// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_client.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

static void classes_and_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        enum mf_error_class class;
        const char *reason;
    } rows[] = {
        {"_FENCED", MF_ERROR_FATAL, "fenced"},
        {"INVALID_PRODUCER_EPOCH", MF_ERROR_FATAL, "fenced"},
        {"PRODUCER_FENCED", MF_ERROR_FATAL, "fenced"},
        {"FENCED_INSTANCE_ID", MF_ERROR_FATAL, "fenced"},
        {"_QUEUE_FULL", MF_ERROR_TRANSIENT, "queue_full"},
        {"_TIMED_OUT", MF_ERROR_TRANSIENT, "timeout"},
        {"_TRANSPORT", MF_ERROR_TRANSIENT, "broker_unavailable"},
        {"_ALL_BROKERS_DOWN", MF_ERROR_TRANSIENT, "broker_unavailable"},
        {"NOT_LEADER_FOR_PARTITION", MF_ERROR_TRANSIENT, "broker_unavailable"},
        {"COORDINATOR_NOT_AVAILABLE", MF_ERROR_TRANSIENT, "broker_unavailable"},
        {"NOT_ENOUGH_REPLICAS", MF_ERROR_TRANSIENT, "not_enough_replicas"},
        {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", MF_ERROR_UNCERTAIN, "not_enough_replicas"},
        {"_MSG_TIMED_OUT", MF_ERROR_UNCERTAIN, "delivery_timeout"},
        {"_PURGE_QUEUE", MF_ERROR_TRANSIENT, "purged"},
        {"_PURGE_INFLIGHT", MF_ERROR_UNCERTAIN, "purged_in_flight"},
        {"UNKNOWN_TOPIC_OR_PART", MF_ERROR_TRANSIENT, "unknown_topic"},
        {"_UNKNOWN_PARTITION", MF_ERROR_TRANSIENT, "unknown_partition"},
        {"ILLEGAL_GENERATION", MF_ERROR_TRANSIENT, "stale_generation"},
        {"UNKNOWN_MEMBER_ID", MF_ERROR_TRANSIENT, "stale_generation"},
        {"MSG_SIZE_TOO_LARGE", MF_ERROR_POISON, "record_too_large"},
        {"TOPIC_AUTHORIZATION_FAILED", MF_ERROR_CONFIG, "not_authorized"},
        {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", MF_ERROR_CONFIG, "not_authorized"},
        {"SASL_AUTHENTICATION_FAILED", MF_ERROR_CONFIG, "authentication_failed"},
        {"OFFSET_OUT_OF_RANGE", MF_ERROR_FATAL, "offset_out_of_range"},
        // Not in the table: nobody has thought about it, so nothing retries it.
        {"_BAD_MSG", MF_ERROR_FATAL, "kafka_fatal"},
        {"INVALID_TXN_STATE", MF_ERROR_FATAL, "kafka_fatal"},
        {"_FATAL", MF_ERROR_FATAL, "kafka_fatal"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_error err;
        assert_int_equal(kafka_error_set(&err, kafka_code(rows[i].code), "doing %s", "this"), -1);
        assert_int_equal(err.class, rows[i].class);
        assert_string_equal(err.code, rows[i].reason);
        // What was done, and librdkafka's name of the error for whoever searches for it.
        assert_ptr_equal(strstr(err.message, "doing this: "), err.message);
        assert_non_null(strstr(err.message, rows[i].code));
    }
}

static void every_code_has_a_class_and_a_reason_that_fits(void **state)
{
    (void)state;
    int count = 0;
    for (const char *name; (name = kafka_code_name(count)) != NULL; count++) {
        const char *reason = NULL;
        enum mf_error_class class = kafka_error_class(kafka_code(name), &reason);
        assert_true(class < MF_ERROR_CLASS_MAX);
        assert_true(strlen(reason) > 0 && strlen(reason) < MF_ERROR_CODE_SIZE);
        assert_int_equal(strspn(reason, "abcdefghijklmnopqrstuvwxyz_"), strlen(reason));
    }
    assert_true(count > 100);
}

static void a_code_of_a_later_version_is_fatal(void **state)
{
    (void)state;
    struct mf_error err;
    kafka_error_set(&err, 31999, "doing this");
    assert_int_equal(err.class, MF_ERROR_FATAL);
    assert_string_equal(err.code, "kafka_fatal");
    assert_int_equal(kafka_error_set(NULL, 31999, "nobody listens"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_and_reasons),
        cmocka_unit_test(every_code_has_a_class_and_a_reason_that_fits),
        cmocka_unit_test(a_code_of_a_later_version_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
