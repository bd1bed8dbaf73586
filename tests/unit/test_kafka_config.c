// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/kafka_consumer.h"
#include "common/kafka_producer.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

struct property {
    const char *name, *value;
};

static void assert_properties(const struct kafka_client *client, const struct property *properties,
                              size_t count)
{
    char value[512];
    for (size_t i = 0; i < count; i++) {
        if (!kafka_client_property(client, properties[i].name, value, sizeof value))
            fail_msg("no property %s", properties[i].name);
        if (strcmp(value, properties[i].value) != 0)
            fail_msg("%s is %s and not %s", properties[i].name, value, properties[i].value);
    }
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    (void)arg;
    (void)err;
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    (void)arg;
    (void)message;
    return MF_CONSUME_NEXT;
}

static const struct mf_kafka_producer_ops producer_ops = {.on_fatal = on_fatal};
static const struct mf_kafka_consumer_ops consumer_ops = {.on_message = on_message, .on_fatal = on_fatal};
static const char *const topics[] = {"t", NULL};

static struct mf_kafka_producer *producer_new(struct kafka_world *world, const char *transactional_id)
{
    struct mf_kafka_producer *producer;
    struct mf_error err;
    int result = mf_kafka_producer_new(&world->kafka, transactional_id, &producer_ops, &producer, &err);
    if (result < 0)
        fail_msg("%s", err.message);
    return producer;
}

static void the_idempotent_producer(void **state)
{
    (void)state;
    static const struct property wanted[] = {
        {"client.id", "marketflow-tests"},
        {"enable.idempotence", "true"},
        {"request.required.acks", "-1"},
        {"queue.buffering.max.ms", "5"},
        {"compression.codec", "lz4"},
        {"partitioner", "murmur2_random"},
        {"socket.nagle.disable", "true"},
        {"log.queue", "true"},
        {"message.timeout.ms", "300000"},
        {"queue.buffering.max.messages", "5000"},
        {"queue.buffering.max.kbytes", "1025"}, // 1 048 577 bytes, rounded up
        {"retry.backoff.ms", "100"},
        {"statistics.interval.ms", "1000"},
    };
    const char *const settings[] = {"KAFKA_QUEUE_MESSAGES=5000", "KAFKA_QUEUE_BYTES=1048577", NULL};
    struct kafka_world *world = kafka_world_new(1, settings);
    struct mf_kafka_producer *producer = producer_new(world, NULL);
    // Topic properties are read from the default topic configuration.
    assert_properties(&producer->client, wanted, MF_ARRAY_LEN(wanted));
    mf_kafka_producer_free(&producer);
    assert_null(producer);
    mf_kafka_producer_free(&producer);
    mf_kafka_producer_free(NULL);
    kafka_world_free(&world);
}

static void the_transactional_producer(void **state)
{
    (void)state;
    static const struct property wanted[] = {
        {"transactional.id", "marketflow-processor.tests"},
        {"transaction.timeout.ms", "4000"},
        {"retry.backoff.ms", "2"},
        {"message.timeout.ms", "4000"}, // lowered by librdkafka
        {"enable.idempotence", "true"},
    };
    struct kafka_world *world = kafka_world_new(1, NULL);
    struct mf_kafka_producer *producer = producer_new(world, "marketflow-processor.tests");
    assert_properties(&producer->client, wanted, MF_ARRAY_LEN(wanted));
    mf_kafka_producer_free(&producer);
    kafka_world_free(&world);
}

static void the_consumer(void **state)
{
    (void)state;
    static const struct property wanted[] = {
        {"group.id", "g"},
        {"group.instance.id", "tests"},
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1200"},
        {"max.poll.interval.ms", "12000"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"}, // whatever start_at_earliest says
        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "true"},
        {"queued.max.messages.kbytes", "2097151"}, // librdkafka's limit, a byte below what was asked
        {"fetch.message.max.bytes", "131072"},
        {"fetch.min.bytes", "8192"},
    };
    const char *const settings[] = {"KAFKA_FETCH_QUEUE_BYTES=2147483647", NULL};
    struct kafka_world *world = kafka_world_new(1, settings);
    struct mf_kafka_consumer_config config = {
        .group = "g", .topics = topics, .read_committed = true, .start_at_earliest = true};
    struct mf_kafka_consumer *consumer;
    struct mf_error err;
    assert_int_equal(mf_kafka_consumer_new(&world->kafka, &config, &consumer_ops, &consumer, &err), 0);
    assert_properties(&consumer->client, wanted, MF_ARRAY_LEN(wanted));
    mf_kafka_consumer_free(&consumer);
    mf_kafka_consumer_free(&consumer);
    mf_kafka_consumer_free(NULL);
    config.read_committed = false;
    static const struct property uncommitted[] = {{"isolation.level", "read_uncommitted"}};
    assert_int_equal(mf_kafka_consumer_new(&world->kafka, &config, &consumer_ops, &consumer, &err), 0);
    assert_properties(&consumer->client, uncommitted, 1);
    mf_kafka_consumer_free(&consumer);
    kafka_world_free(&world);
}

static void security(void **state)
{
    (void)state;
    static const struct property wanted[] = {
        {"security.protocol", "sasl_ssl"},
        {"sasl.mechanisms", "SCRAM-SHA-256"},
        {"sasl.username", "someone"},
        {"sasl.password", "correct horse"},
        {"enable.ssl.certificate.verification", "true"},
        {"ssl.endpoint.identification.algorithm", "https"},
    };
    const char *const settings[] = {"KAFKA_SECURITY_PROTOCOL=sasl_ssl", "KAFKA_SASL_MECHANISM=SCRAM-SHA-256",
                                    "KAFKA_SASL_USERNAME=someone", "KAFKA_SASL_PASSWORD=correct horse", NULL};
    struct kafka_world *world = kafka_world_at("127.0.0.1:9", settings);
    struct mf_kafka_producer *producer = producer_new(world, NULL);
    assert_properties(&producer->client, wanted, MF_ARRAY_LEN(wanted));
    kafka_world_pass(world, 50); // refused connections are logged meanwhile
    mf_kafka_producer_free(&producer);
    char *log = kafka_world_log(world);
    assert_non_null(strstr(log, "librdkafka"));
    assert_null(strstr(log, "correct horse"));
    free(log);
    kafka_world_free(&world);
}

static void what_librdkafka_refuses_is_a_config_error_without_secrets(void **state)
{
    (void)state;
    // A CA file that is no certificate passes the settings and not the client.
    const char *const settings[] = {"KAFKA_SECURITY_PROTOCOL=ssl", "TLS_CA_FILE=" MF_SOURCE_DIR "/LICENSE",
                                    NULL};
    struct kafka_world *world = kafka_world_at("127.0.0.1:9", settings);
    struct mf_kafka_producer *producer = NULL;
    struct mf_error err;
    assert_int_equal(mf_kafka_producer_new(&world->kafka, NULL, &producer_ops, &producer, &err), -1);
    assert_null(producer);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "kafka_config");
    kafka_world_free(&world);
}

static void secrets_are_masked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *masked;
    } rows[] = {
        {"nothing to hide", "nothing to hide"},
        {"password s3cr3t-and-long!", "password ********!"},
        {"s3cr3t-and-long,s3cr3t-and-long", "********,********"},
        {"key xy", "key **"}, // a mask is never longer than what it hides
        {"xyxyx", "****x"},
        {"", ""},
    };
    const char *const settings[] = {"KAFKA_SECURITY_PROTOCOL=sasl_ssl", "KAFKA_SASL_USERNAME=someone",
                                    "KAFKA_SASL_PASSWORD=s3cr3t-and-long", "KAFKA_CLIENT_KEY_PASSWORD=xy",
                                    NULL};
    struct kafka_world *world = kafka_world_at("127.0.0.1:9", settings);
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[64];
        mf_str_copy(text, sizeof text, mf_str_of(rows[i].text));
        kafka_config_redact(world->settings, text);
        assert_string_equal(text, rows[i].masked);
    }
    kafka_world_free(&world);
}

static void partitions_follow_the_topic(void **state)
{
    (void)state;
    const char *const settings[] = {"KAFKA_PARTITIONS=12", "KAFKA_TOPIC_INGESTOR_WATERMARKS=own.name", NULL};
    struct kafka_world *world = kafka_world_at("127.0.0.1:9", settings);
    assert_int_equal(kafka_config_partitions(world->settings, "market.raw"), 12);
    assert_int_equal(kafka_config_partitions(world->settings, "somebody.elses"), 12);
    assert_int_equal(kafka_config_partitions(world->settings, "own.name"), 1);
    assert_int_equal(kafka_config_partitions(world->settings, "market.ingestor.watermarks"), 12);
    kafka_world_free(&world);
}

static void the_version_is_named(void **state)
{
    (void)state;
    assert_ptr_equal(strstr(mf_kafka_version(), "librdkafka "), mf_kafka_version());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_idempotent_producer),
        cmocka_unit_test(the_transactional_producer),
        cmocka_unit_test(the_consumer),
        cmocka_unit_test(security),
        cmocka_unit_test(what_librdkafka_refuses_is_a_config_error_without_secrets),
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(partitions_follow_the_topic),
        cmocka_unit_test(the_version_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
