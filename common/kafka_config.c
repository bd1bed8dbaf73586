// SPDX-License-Identifier: Apache-2.0
// What every client is configured with. The reasons, and the measurements behind the numbers: docs/kafka.md.
// Failure class: CONFIG when librdkafka refuses a value (it names the property; secrets are never repeated).
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "common/kafka_client.h"
#include "common/topics.h"

#define PRODUCERS (1u << KAFKA_ROLE_PRODUCER | 1u << KAFKA_ROLE_TRANSACTIONAL)
#define CONSUMERS \
    (1u << KAFKA_ROLE_CONSUMER | 1u << KAFKA_ROLE_READER | 1u << KAFKA_ROLE_PROBE | 1u << KAFKA_ROLE_FOLLOWER)
#define EVERY (PRODUCERS | CONSUMERS | 1u << KAFKA_ROLE_ADMIN)

#define QUEUED_KBYTES_MAX 2097151 // librdkafka's own limit

struct fixed {
    unsigned roles; // mask
    const char *name;
    const char *value;
};

static const struct fixed fixed_properties[] = {
    {EVERY, "log.queue", "true"},
    {EVERY, "log.thread.name", "false"},
    {EVERY, "log.connection.close", "false"}, // brokers close idle connections as a matter of course
    {EVERY, "socket.nagle.disable", "true"},
    {EVERY, "socket.keepalive.enable", "true"},
    {EVERY, "reconnect.backoff.max.ms", "1000"},
    {EVERY, "topic.metadata.refresh.interval.ms", "30000"}, // new topics and partitions are seen within this

    {PRODUCERS, "enable.idempotence", "true"},
    {PRODUCERS, "acks", "all"},
    {1u << KAFKA_ROLE_PRODUCER, "linger.ms", "5"},
    {1u << KAFKA_ROLE_TRANSACTIONAL, "linger.ms", "1"}, // a bulk producer gathers by itself
    {PRODUCERS, "compression.type", "lz4"},
    {PRODUCERS, "batch.num.messages", "10000"},
    // We pass the partition; this is for the record without one, which produce refuses.
    {PRODUCERS, "partitioner", "murmur2_random"},
    {1u << KAFKA_ROLE_TRANSACTIONAL, "retry.backoff.ms", "2"},

    {CONSUMERS, "enable.auto.commit", "false"},
    {CONSUMERS, "enable.auto.offset.store", "false"},
    {CONSUMERS, "enable.partition.eof", "true"},
    // A missing or lost offset is a decision of the owner, never of a default.
    {CONSUMERS, "auto.offset.reset", "error"},
    {CONSUMERS, "fetch.wait.max.ms", "20"},
    {CONSUMERS, "fetch.min.bytes", "8192"},
    {CONSUMERS, "fetch.message.max.bytes", "131072"},
    {CONSUMERS, "fetch.max.bytes", "4194304"},
    {CONSUMERS, "receive.message.max.bytes", "33554432"},
    {1u << KAFKA_ROLE_CONSUMER, "partition.assignment.strategy", "range"},
    {1u << KAFKA_ROLE_PROBE, "isolation.level", "read_uncommitted"},
    {1u << KAFKA_ROLE_READER, "isolation.level", "read_committed"},
    {1u << KAFKA_ROLE_FOLLOWER, "isolation.level", "read_uncommitted"},
    // A record is handed over the moment it is there; without any, two requests a second.
    {1u << KAFKA_ROLE_FOLLOWER, "fetch.wait.max.ms", "500"},
    {1u << KAFKA_ROLE_FOLLOWER, "fetch.min.bytes", "1"},
};

// A configuration under construction: after the first refusal nothing more is set.
struct build {
    const struct mf_settings *settings;
    rd_kafka_conf_t *conf;
    struct mf_error *err;
    bool failed;
};

static void refused(struct build *build, const char *name, const char *why)
{
    build->failed = true;
    mf_error_set(build->err, MF_ERROR_CONFIG, "kafka_config", "the Kafka client refuses %s: %s", name, why);
}

static void set(struct build *build, const char *name, const char *value)
{
    char why[256];
    if (build->failed || value == NULL)
        return;
    if (rd_kafka_conf_set(build->conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        refused(build, name, why);
}

static void set_secret(struct build *build, const char *name, const char *value)
{
    if (build->failed || value == NULL)
        return;
    if (rd_kafka_conf_set(build->conf, name, value, NULL, 0) != RD_KAFKA_CONF_OK)
        refused(build, name, "the value is not valid");
}

static void set_number(struct build *build, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    set(build, name, text);
}

static int64_t number_of(const struct build *build, const char *setting)
{
    return mf_settings_integer(build->settings, setting);
}

static const char *text_of(const struct build *build, const char *setting)
{
    return mf_settings_string(build->settings, setting);
}

// A property that only later versions know; true when this one does.
static bool set_if_known(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    return rd_kafka_conf_set(conf, name, value, NULL, 0) == RD_KAFKA_CONF_OK;
}

bool kafka_config_has_fetch_backoff(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool known = set_if_known(conf, "fetch.queue.backoff.ms", "10");
    rd_kafka_conf_destroy(conf);
    return known;
}

static void set_connection(struct build *build)
{
    const char *protocol = text_of(build, "KAFKA_SECURITY_PROTOCOL");
    set(build, "bootstrap.servers", text_of(build, "KAFKA_BOOTSTRAP_SERVERS"));
    set(build, "security.protocol", protocol);
    if (strncmp(protocol, "sasl", 4) == 0) {
        set(build, "sasl.mechanism", text_of(build, "KAFKA_SASL_MECHANISM"));
        set(build, "sasl.username", text_of(build, "KAFKA_SASL_USERNAME"));
        set_secret(build, "sasl.password", text_of(build, "KAFKA_SASL_PASSWORD"));
    }
    if (strcmp(protocol, "ssl") == 0 || strcmp(protocol, "sasl_ssl") == 0) {
        // The defaults of today, said aloud: nobody reaches a broker whose certificate or name is wrong.
        set(build, "enable.ssl.certificate.verification", "true");
        set(build, "ssl.endpoint.identification.algorithm", "https");
        set(build, "ssl.ca.location", text_of(build, "TLS_CA_FILE"));
        set(build, "ssl.certificate.location", text_of(build, "KAFKA_CLIENT_CERTIFICATE_FILE"));
        set(build, "ssl.key.location", text_of(build, "KAFKA_CLIENT_KEY_FILE"));
        set_secret(build, "ssl.key.password", text_of(build, "KAFKA_CLIENT_KEY_PASSWORD"));
    }
}

static void set_producer(struct build *build, const struct kafka_role_config *role)
{
    set_number(build, "queue.buffering.max.messages", number_of(build, "KAFKA_QUEUE_MESSAGES"));
    // Rounded up, so that a record of the whole size still fits.
    set_number(build, "queue.buffering.max.kbytes", (number_of(build, "KAFKA_QUEUE_BYTES") + 1023) / 1024);
    if (role->role == KAFKA_ROLE_TRANSACTIONAL) {
        set(build, "transactional.id", role->transactional_id);
        set_number(build, "transaction.timeout.ms", number_of(build, "KAFKA_TRANSACTION_TIMEOUT_MS"));
    } else {
        set_number(build, "message.timeout.ms", number_of(build, "KAFKA_MESSAGE_TIMEOUT_MS"));
    }
}

static void set_consumer(struct build *build, const struct kafka_role_config *role,
                         const struct mf_kafka_config *config)
{
    set(build, "group.id", role->group);
    int64_t kbytes = (number_of(build, "KAFKA_FETCH_QUEUE_BYTES") + 1023) / 1024;
    set_number(build, "queued.max.messages.kbytes", kbytes < QUEUED_KBYTES_MAX ? kbytes : QUEUED_KBYTES_MAX);
    set_if_known(build->conf, "fetch.queue.backoff.ms", "10");
    if (role->role == KAFKA_ROLE_FOLLOWER && config->follower_wait_ms > 0)
        set_number(build, "fetch.wait.max.ms", config->follower_wait_ms);
    if (role->role != KAFKA_ROLE_CONSUMER)
        return;
    set(build, "isolation.level", role->read_committed ? "read_committed" : "read_uncommitted");
    set(build, "group.instance.id", config->instance);
    set_number(build, "session.timeout.ms", number_of(build, "KAFKA_SESSION_TIMEOUT_MS"));
    set_number(build, "heartbeat.interval.ms", number_of(build, "KAFKA_SESSION_TIMEOUT_MS") / 5);
    set_number(build, "max.poll.interval.ms", number_of(build, "KAFKA_MAX_POLL_INTERVAL_MS"));
}

int kafka_config_new(const struct mf_kafka_config *config, const struct kafka_role_config *role,
                     struct rd_kafka_conf_s **conf, struct mf_error *err)
{
    struct build build = {.settings = config->settings, .conf = rd_kafka_conf_new(), .err = err};
    set(&build, "client.id", config->client_id);
    for (size_t i = 0; i < MF_ARRAY_LEN(fixed_properties); i++) {
        const struct fixed *property = &fixed_properties[i];
        if ((property->roles & 1u << role->role) != 0)
            set(&build, property->name, property->value);
    }
    set_connection(&build);
    set_number(&build, "statistics.interval.ms", number_of(&build, "KAFKA_STATISTICS_MS"));
    if ((PRODUCERS & 1u << role->role) != 0)
        set_producer(&build, role);
    if ((CONSUMERS & 1u << role->role) != 0)
        set_consumer(&build, role, config);
    if (build.failed) {
        rd_kafka_conf_destroy(build.conf);
        return -1;
    }
    *conf = build.conf;
    return 0;
}

const char *kafka_role_name(enum kafka_role role)
{
    static const char *const names[KAFKA_ROLE_MAX] = {
        [KAFKA_ROLE_PRODUCER] = "producer", [KAFKA_ROLE_TRANSACTIONAL] = "transactional producer",
        [KAFKA_ROLE_CONSUMER] = "consumer", [KAFKA_ROLE_READER] = "reader",
        [KAFKA_ROLE_PROBE] = "probe",       [KAFKA_ROLE_FOLLOWER] = "follower",
        [KAFKA_ROLE_ADMIN] = "admin",
    };
    assert(role < KAFKA_ROLE_MAX);
    return names[role];
}

int32_t kafka_config_partitions(const struct mf_settings *settings, const char *topic)
{
    enum mf_topic_role role = mf_topic_role_of(settings, mf_str_of(topic));
    if (role < MF_TOPIC_MAX && mf_topics[role].partitions == MF_TOPIC_PARTITIONS_ONE)
        return 1;
    return (int32_t)mf_settings_integer(settings, "KAFKA_PARTITIONS");
}

int kafka_config_transaction_timeout_ms(const struct mf_settings *settings)
{
    return (int)mf_settings_integer(settings, "KAFKA_TRANSACTION_TIMEOUT_MS");
}

void kafka_config_redact(const struct mf_settings *settings, char *text)
{
    static const char *const secrets[] = {"KAFKA_SASL_PASSWORD", "KAFKA_CLIENT_KEY_PASSWORD"};
    static const char mask[] = "********";
    for (size_t i = 0; i < MF_ARRAY_LEN(secrets); i++) {
        const char *secret = mf_settings_string(settings, secrets[i]);
        size_t len = secret != NULL ? strlen(secret) : 0;
        if (len == 0)
            continue;
        for (char *at = strstr(text, secret); at != NULL; at = strstr(at, secret)) {
            // In place: a longer mask is cut to the secret's length, a shorter one closes up.
            size_t shown = len < sizeof mask - 1 ? len : sizeof mask - 1;
            memcpy(at, mask, shown);
            memmove(at + shown, at + len, strlen(at + len) + 1);
            at += shown;
        }
    }
}
