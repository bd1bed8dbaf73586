// SPDX-License-Identifier: Apache-2.0
// What several of the shared settings must fulfil together. Called once the values of a table are right by
// themselves.
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings_internal.h"

static const char *text_of(const struct mf_setting_parse *parse, const char *name)
{
    return mf_settings_string(parse->settings, name);
}

static int64_t number_of(const struct mf_setting_parse *parse, const char *name)
{
    return mf_settings_integer(parse->settings, name);
}

// For what is allowed but should be a decision: the reader of the log is told at every start.
static void warn(struct mf_setting_parse *parse, const char *name, const char *sentence)
{
    mf_buf_addf(&parse->settings->warnings, "%s: %s\n", name, sentence);
}

// Is it certain that this name stays on this machine?
static bool is_loopback(struct mf_str host)
{
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = (struct mf_str){host.data + 1, host.len - 2};
    static const char local[] = "localhost";
    if (host.len == strlen(local) && strncasecmp(host.data, local, host.len) == 0)
        return true;
    if (mf_str_eq_c(host, "::1") || (host.len > 0 && host.data[0] == '/')) // a path: PostgreSQL's Unix socket
        return true;
    // Digits and dots only: "127.evil.example" is a name, not an address.
    if (!mf_str_starts_with(host, "127."))
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
            return false;
    }
    return true;
}

static bool all_loopback(const char *servers)
{
    for (const char *at = servers; at != NULL;) {
        size_t len = strcspn(at, ",");
        size_t host = len;
        while (host > 0 && at[host] != ':')
            host--;
        if (!is_loopback((struct mf_str){at, host}))
            return false;
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return true;
}

// A file that a library would fail to open later, with a poorer message and perhaps after hours.
static void check_readable(struct mf_setting_parse *parse, const char *name)
{
    const char *path = text_of(parse, name);
    if (path != NULL && access(path, R_OK) != 0)
        mf_setting_problem(parse, name, "cannot read '%.200s'", path);
}

// Half a configuration of security is the dangerous kind: a password that would not be used, a certificate
// without its key.
static void check_kafka(struct mf_setting_parse *parse)
{
    const char *protocol = text_of(parse, "KAFKA_SECURITY_PROTOCOL");
    bool sasl = strncmp(protocol, "sasl_", 5) == 0;
    bool tls = strcmp(protocol, "ssl") == 0 || strcmp(protocol, "sasl_ssl") == 0;
    if (sasl && text_of(parse, "KAFKA_SASL_USERNAME") == NULL)
        mf_setting_problem(parse, "KAFKA_SASL_USERNAME", "is required with KAFKA_SECURITY_PROTOCOL=%s",
                           protocol);
    if (sasl && text_of(parse, "KAFKA_SASL_PASSWORD") == NULL)
        mf_setting_problem(parse, "KAFKA_SASL_PASSWORD", "is required with KAFKA_SECURITY_PROTOCOL=%s",
                           protocol);
    if (!sasl &&
        (text_of(parse, "KAFKA_SASL_USERNAME") != NULL || text_of(parse, "KAFKA_SASL_PASSWORD") != NULL))
        mf_setting_problem(parse, "KAFKA_SECURITY_PROTOCOL", "'%s' would ignore the SASL user and password",
                           protocol);
    bool certificate = text_of(parse, "KAFKA_CLIENT_CERTIFICATE_FILE") != NULL;
    bool key = text_of(parse, "KAFKA_CLIENT_KEY_FILE") != NULL;
    if (certificate != key)
        mf_setting_problem(parse, certificate ? "KAFKA_CLIENT_KEY_FILE" : "KAFKA_CLIENT_CERTIFICATE_FILE",
                           "is required too: a client certificate needs its key and the other way round");
    check_readable(parse, "KAFKA_CLIENT_CERTIFICATE_FILE");
    check_readable(parse, "KAFKA_CLIENT_KEY_FILE");
    check_readable(parse, "TLS_CA_FILE");
    if (!tls && !all_loopback(text_of(parse, "KAFKA_BOOTSTRAP_SERVERS")))
        warn(parse, "KAFKA_SECURITY_PROTOCOL", "brokers beyond this host are reached in plain text");

    // A transaction must die before its owner is evicted, and the owner well before its next poll is due.
    if (number_of(parse, "KAFKA_TRANSACTION_TIMEOUT_MS") >= number_of(parse, "KAFKA_SESSION_TIMEOUT_MS"))
        mf_setting_problem(parse, "KAFKA_TRANSACTION_TIMEOUT_MS",
                           "must be less than KAFKA_SESSION_TIMEOUT_MS");
    if (number_of(parse, "KAFKA_MAX_POLL_INTERVAL_MS") < 3 * number_of(parse, "KAFKA_TRANSACTION_TIMEOUT_MS"))
        mf_setting_problem(parse, "KAFKA_MAX_POLL_INTERVAL_MS",
                           "must be at least three times KAFKA_TRANSACTION_TIMEOUT_MS");
    if (number_of(parse, "KAFKA_MAX_POLL_INTERVAL_MS") < number_of(parse, "KAFKA_SESSION_TIMEOUT_MS"))
        mf_setting_problem(parse, "KAFKA_MAX_POLL_INTERVAL_MS",
                           "must not be less than KAFKA_SESSION_TIMEOUT_MS");
}

// Two roles on one topic would read each other's records.
static void check_topics(struct mf_setting_parse *parse)
{
    static const char prefix[] = "KAFKA_TOPIC_";
    const struct mf_settings *settings = parse->settings;
    for (size_t i = 0; i < settings->count; i++) {
        const struct mf_setting_value *a = &settings->values[i];
        if (strncmp(a->def->name, prefix, strlen(prefix)) != 0)
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct mf_setting_value *b = &settings->values[j];
            if (strncmp(b->def->name, prefix, strlen(prefix)) == 0 && strcmp(a->text, b->text) == 0)
                mf_setting_problem(parse, a->def->name, "is the same topic as %s", b->def->name);
        }
    }
}

// Who can read the key can be the user.
static void check_key_file(struct mf_setting_parse *parse, const char *name)
{
    struct stat found;
    const char *path = text_of(parse, name);
    if (path == NULL)
        mf_setting_problem(parse, name, "is required with WAREHOUSE_DIALECT=snowflake");
    else if (stat(path, &found) != 0 || !S_ISREG(found.st_mode) || access(path, R_OK) != 0)
        mf_setting_problem(parse, name, "cannot read '%.200s'", path);
    else if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        mf_setting_problem(parse, name, "'%.200s' has mode %04o; others may read or change it: chmod 0600",
                           path, (unsigned)(found.st_mode & 07777));
}

static void check_snowflake(struct mf_setting_parse *parse)
{
    check_key_file(parse, "SNOWFLAKE_PRIVATE_KEY_FILE");
    if (text_of(parse, "SNOWFLAKE_WAREHOUSE") == NULL)
        mf_setting_problem(parse, "SNOWFLAKE_WAREHOUSE", "is required with WAREHOUSE_DIALECT=snowflake");
    if (text_of(parse, "WAREHOUSE_PASSWORD") != NULL)
        mf_setting_problem(
            parse, "WAREHOUSE_PASSWORD",
            "Snowflake is reached with a key pair only: give SNOWFLAKE_PRIVATE_KEY_FILE instead");
    if (!mf_settings_is_set(parse->settings, "WAREHOUSE_HOST"))
        mf_setting_problem(parse, "WAREHOUSE_HOST", "is required with WAREHOUSE_DIALECT=snowflake");
}

static void check_warehouse(struct mf_setting_parse *parse)
{
    if (strcmp(text_of(parse, "WAREHOUSE_DIALECT"), "snowflake") == 0) {
        check_snowflake(parse);
        return;
    }
    const char *mode = text_of(parse, "WAREHOUSE_SSLMODE");
    bool plain = strcmp(mode, "disable") == 0 || strcmp(mode, "allow") == 0 || strcmp(mode, "prefer") == 0;
    if (plain && !is_loopback(mf_str_of(text_of(parse, "WAREHOUSE_HOST"))))
        warn(parse, "WAREHOUSE_SSLMODE",
             "the warehouse is on another host and may be reached in plain text, "
             "password included; use verify-full");
    // The server's own limit must have had its chance before the process is ended.
    if (number_of(parse, "WAREHOUSE_STATEMENT_TIMEOUT_MS") >= number_of(parse, "WAREHOUSE_DEADLINE_MS"))
        mf_setting_problem(parse, "WAREHOUSE_DEADLINE_MS",
                           "must be more than WAREHOUSE_STATEMENT_TIMEOUT_MS");
    if (number_of(parse, "WAREHOUSE_LOGIN_TIMEOUT_MS") >= number_of(parse, "WAREHOUSE_DEADLINE_MS"))
        mf_setting_problem(parse, "WAREHOUSE_DEADLINE_MS", "must be more than WAREHOUSE_LOGIN_TIMEOUT_MS");
}

void mf_setting_check_together(struct mf_setting_parse *parse, const struct mf_setting_table *table)
{
    if (table->defs == mf_settings_table_kafka.defs) {
        check_kafka(parse);
        check_topics(parse);
    } else if (table->defs == mf_settings_table_warehouse.defs) {
        check_warehouse(parse);
    }
}
