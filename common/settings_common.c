// SPDX-License-Identifier: Apache-2.0
// The settings that services share. Data only, and the checks of single values; what several of them must
// fulfil together is in settings_check.c.
#include <arpa/inet.h>

#include "common/settings_internal.h"
#include "common/topics.h"

#define MILLISECONDS(name_, default_, min_, max_, text)                                          \
    {                                                                                            \
        .name = (name_), .type = MF_SETTING_INTEGER, .default_value = (default_), .min = (min_), \
        .max = (max_), .description = (text)                                                     \
    }

static const char *check_instance(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return text[len] == '\0' && len >= 1 && len <= 100
               ? NULL
               : "is not 1 to 100 of the characters A-Z a-z 0-9 . _ -";
}

// Kafka's own rule for topic names (org.apache.kafka.common.internals.Topic).
static const char *check_topic(const char *text)
{
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strlen(text) > 249)
        return "is not a topic name: at most 249 characters, and not . or ..";
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return text[len] == '\0' ? NULL : "is not a topic name: A-Z a-z 0-9 . _ - only";
}

static bool is_port(struct mf_str text)
{
    int64_t port;
    return text.len >= 1 && text.len <= 5 && text.data[0] != '+' && text.data[0] != '-' &&
           mf_str_to_i64(text, &port) && port >= 1 && port <= 65535;
}

static const char *check_bootstrap(const char *text)
{
    for (const char *at = text; at != NULL;) {
        size_t len = strcspn(at, ",");
        struct mf_str server = {at, len};
        at = at[len] == ',' ? at + len + 1 : NULL;
        size_t colon = len;
        while (colon > 0 && server.data[colon - 1] != ':')
            colon--;
        if (colon < 2 || memchr(server.data, ' ', len) != NULL ||
            !is_port((struct mf_str){server.data + colon, len - colon}))
            return "is not host:port[,host:port…]";
    }
    return NULL;
}

// A listener's address is a number, or localhost: no name server is asked at start.
static const char *check_listen(const char *text)
{
    static const char wrong[] = "is not address:port, as 127.0.0.1:9464 or [::1]:9464";
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (!is_port(mf_str_of(colon + 1)) && strcmp(colon + 1, "0") != 0))
        return wrong;
    struct mf_str name = {text, (size_t)(colon - text)};
    bool bracketed = name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
    if (bracketed)
        name = (struct mf_str){name.data + 1, name.len - 2};
    char host[64];
    unsigned char number[16];
    if (!mf_str_copy(host, sizeof host, name))
        return wrong;
    bool known = inet_pton(bracketed ? AF_INET6 : AF_INET, host, number) == 1;
    return known || (!bracketed && strcmp(host, "localhost") == 0) ? NULL : wrong;
}

// What would be read as another parameter of an ODBC connection string.
static const char *check_odbc_text(const char *text)
{
    return strpbrk(text, ";{}=") == NULL ? NULL : "may not hold ; { } or =";
}

static const struct mf_setting_def log_defs[] = {
    {.name = "LOG_LEVEL",
     .type = MF_SETTING_CHOICE,
     .default_value = "info",
     .choices = "debug|info|notice|warning|error|critical",
     .description = "Lines below this level are not written."},
    {.name = "LOG_FORMAT",
     .type = MF_SETTING_CHOICE,
     .default_value = "auto",
     .choices = "auto|json|text|journal",
     .description =
         "Form of the lines on stderr: auto is journal when stderr is the journal, text on a terminal, "
         "else json."},
    {.name = "LOG_BURST",
     .type = MF_SETTING_INTEGER,
     .default_value = "50",
     .min = 0,
     .max = 1000000,
     .description =
         "Lines of one event and level written per minute; further ones are counted and reported as "
         "suppressed. 0 = no limit."},
    MILLISECONDS("LOG_STATS_MS", "60000", 0, 86400000,
                 "Period in ms of the line with the service's figures; 0 = none."),
};
const struct mf_setting_table mf_settings_table_log = {"Log", log_defs, MF_ARRAY_LEN(log_defs)};

static const struct mf_setting_def service_defs[] = {
    {.name = "METRICS_LISTEN",
     .type = MF_SETTING_STRING,
     .default_value = "127.0.0.1:9464",
     .description = "Numeric address and port of /livez, /readyz and /metrics; port 0 takes any free one.",
     .check = check_listen},
    MILLISECONDS("SHUTDOWN_GRACE_MS", "25000", 0, 600000,
                 "Time in ms for work in flight after SIGTERM; then the process leaves with 75."),
};
const struct mf_setting_table mf_settings_table_service = {"Service", service_defs,
                                                           MF_ARRAY_LEN(service_defs)};

#define TOPIC(role, default_name, partitions, cleanup, retention, writer, carries) \
    {.name = "KAFKA_TOPIC_" #role,                                                 \
     .type = MF_SETTING_STRING,                                                    \
     .default_value = (default_name),                                              \
     .description = "Topic of " carries ".",                                       \
     .check = check_topic},

static const struct mf_setting_def kafka_defs[] = {
    {.name = "KAFKA_BOOTSTRAP_SERVERS",
     .type = MF_SETTING_STRING,
     .default_value = "127.0.0.1:9092",
     .description = "Brokers to ask first, host:port[,host:port…].",
     .check = check_bootstrap},
    {.name = "KAFKA_INSTANCE_ID",
     .type = MF_SETTING_STRING,
     .default_value = MF_SETTING_HOST_NAME,
     .description =
         "Name of this instance, unique among the instances of the same service: group.instance.id and "
         "part of transactional.id.",
     .check = check_instance},
    {.name = "KAFKA_GROUP_PREFIX",
     .type = MF_SETTING_STRING,
     .default_value = "marketflow",
     .description = "Consumer groups and transactional ids begin with it.",
     .check = check_instance},
    {.name = "KAFKA_PARTITIONS",
     .type = MF_SETTING_INTEGER,
     .default_value = "8",
     .min = 1,
     .max = 512,
     .description =
         "Partitions of the topics that are keyed by symbol; cannot be changed while data is kept."},
    {.name = "KAFKA_REPLICATION_FACTOR",
     .type = MF_SETTING_INTEGER,
     .default_value = "1",
     .min = 1,
     .max = 32,
     .description = "Replicas of topics made by marketflowctl; 3 in production."},
    {.name = "KAFKA_SECURITY_PROTOCOL",
     .type = MF_SETTING_CHOICE,
     .default_value = "plaintext",
     .choices = "plaintext|ssl|sasl_plaintext|sasl_ssl",
     .description = "How brokers are reached; the plain ones only on loopback or a trusted network."},
    {.name = "KAFKA_SASL_MECHANISM",
     .type = MF_SETTING_CHOICE,
     .default_value = "SCRAM-SHA-512",
     .choices = "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
     .description = "Mechanism of the sasl protocols."},
    {.name = "KAFKA_SASL_USERNAME",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "User of the sasl protocols."},
    {.name = "KAFKA_SASL_PASSWORD",
     .type = MF_SETTING_SECRET,
     .optional = true,
     .description = "Password of the sasl protocols."},
    {.name = "KAFKA_CLIENT_CERTIFICATE_FILE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "Client certificate in PEM form, when brokers ask for one."},
    {.name = "KAFKA_CLIENT_KEY_FILE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "Private key of the client certificate in PEM form."},
    {.name = "KAFKA_CLIENT_KEY_PASSWORD",
     .type = MF_SETTING_SECRET,
     .optional = true,
     .description = "Password of the private key."},
    {.name = "TLS_CA_FILE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description =
         "Certificates that servers are checked against, in PEM form; unset: those of the system."},
    MILLISECONDS("KAFKA_MESSAGE_TIMEOUT_MS", "300000", 1000, 3600000,
                 "Time in ms within which a produced record must be acknowledged."),
    MILLISECONDS("KAFKA_STATISTICS_MS", "5000", 100, 3600000,
                 "Period in ms of the client's statistics in /metrics."),
    {.name = "KAFKA_QUEUE_MESSAGES",
     .type = MF_SETTING_INTEGER,
     .default_value = "100000",
     .min = 1000,
     .max = 10000000,
     .description = "Records that wait in the producer at most; the intake stops at 80 percent."},
    {.name = "KAFKA_QUEUE_BYTES",
     .type = MF_SETTING_INTEGER,
     .default_value = "16777216",
     .min = 1048576,
     .max = 2147483647,
     .description = "Bytes that wait in the producer at most."},
    {.name = "KAFKA_FETCH_QUEUE_BYTES",
     .type = MF_SETTING_INTEGER,
     .default_value = "2097152",
     .min = 1048576,
     .max = 2147483647,
     .description = "Bytes that the consumer fetches ahead at most."},
    MILLISECONDS("KAFKA_SESSION_TIMEOUT_MS", "15000", 1000, 1800000,
                 "Time in ms after which the group gives up an instance that is silent."),
    MILLISECONDS("KAFKA_MAX_POLL_INTERVAL_MS", "120000", 1000, 86400000,
                 "Time in ms that may pass between two polls of the consumer."),
    MILLISECONDS("KAFKA_TRANSACTION_TIMEOUT_MS", "10000", 1000, 900000,
                 "Time in ms after which the broker ends an open transaction."),
    MF_TOPIC_TABLE(TOPIC)};
const struct mf_setting_table mf_settings_table_kafka = {"Kafka", kafka_defs, MF_ARRAY_LEN(kafka_defs)};

static const struct mf_setting_def warehouse_defs[] = {
    {.name = "WAREHOUSE_DIALECT",
     .type = MF_SETTING_CHOICE,
     .default_value = "postgresql",
     .choices = "postgresql|snowflake",
     .description = "Kind of warehouse: which SQL texts are used."},
    {.name = "WAREHOUSE_HOST",
     .type = MF_SETTING_STRING,
     .default_value = "127.0.0.1",
     .description = "Host of the warehouse; on Snowflake <account identifier>.snowflakecomputing.com.",
     .check = check_odbc_text},
    {.name = "WAREHOUSE_PORT",
     .type = MF_SETTING_INTEGER,
     .default_value = "5432",
     .min = 1,
     .max = 65535,
     .description = "Port of the warehouse; on Snowflake 443 unless it is set."},
    {.name = "WAREHOUSE_DATABASE",
     .type = MF_SETTING_STRING,
     .default_value = "marketflow",
     .description = "Database that holds the schemas raw and ops.",
     .check = check_odbc_text},
    {.name = "WAREHOUSE_USER",
     .type = MF_SETTING_STRING,
     .default_value = "marketflow",
     .description = "User that the sink connects as.",
     .check = check_odbc_text},
    {.name = "WAREHOUSE_PASSWORD",
     .type = MF_SETTING_SECRET,
     .optional = true,
     .description = "Password of the user; unset where the server asks for none. Refused with Snowflake, "
                    "which is reached "
                    "with a key pair only."},
    {.name = "WAREHOUSE_SSLMODE",
     .type = MF_SETTING_CHOICE,
     .default_value = "verify-full",
     .choices = "disable|allow|prefer|require|verify-ca|verify-full",
     .description =
         "Protection of the connection to PostgreSQL. Any is fine on loopback; to another host, disable, "
         "allow and prefer may send everything in plain text and are answered with a warning."},
    {.name = "WAREHOUSE_DRIVER",
     .type = MF_SETTING_STRING,
     .default_value = "PostgreSQL Unicode",
     .description = "Name of the ODBC driver in odbcinst.ini, or the path of its library; on Snowflake "
                    "SnowflakeDSIIDriver unless it is set.",
     .check = check_odbc_text},
    MILLISECONDS("WAREHOUSE_LOGIN_TIMEOUT_MS", "3000", 100, 60000,
                 "Time in ms for connecting and logging in."),
    MILLISECONDS("WAREHOUSE_STATEMENT_TIMEOUT_MS", "10000", 100, 600000,
                 "Time in ms after which the server is asked to cancel a statement; Snowflake's session has "
                 "a limit of its own, 120 s."),
    MILLISECONDS("WAREHOUSE_DEADLINE_MS", "20000", 1000, 900000,
                 "Time in ms after which a call that does not return ends the process with 75; on Snowflake "
                 "60000 unless it is set."),
    {.name = "SNOWFLAKE_WAREHOUSE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "Warehouse that computes for the session; required with Snowflake.",
     .check = check_odbc_text},
    {.name = "SNOWFLAKE_ROLE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "Role of the session; unset: the user's default role.",
     .check = check_odbc_text},
    {.name = "SNOWFLAKE_PRIVATE_KEY_FILE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "Private key of the user in PEM form (PKCS#8); required with Snowflake. Nobody but its "
                    "owner may have "
                    "any right to the file (mode 0600).",
     .check = check_odbc_text},
    {.name = "SNOWFLAKE_PRIVATE_KEY_PASSWORD",
     .type = MF_SETTING_SECRET,
     .optional = true,
     .description = "Password of the private key; unset where it has none."},
};
const struct mf_setting_table mf_settings_table_warehouse = {"Warehouse", warehouse_defs,
                                                             MF_ARRAY_LEN(warehouse_defs)};
