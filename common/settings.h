// SPDX-License-Identifier: Apache-2.0
// Settings from the environment, by one typed table per service. The table drives parsing, --check-config,
// --print-config, --help, deploy/env.example and docs/settings.md. Parsing never writes into live values: it
// makes a new immutable struct mf_settings, or a list of every problem at once. A secret X is read from the
// file named by X_FILE, else from $CREDENTIALS_DIRECTORY/<x in lower case>, else from X; two sources at once
// are an error. One trailing newline is cut; 64 KiB at most; a world-readable file is refused unless it lies
// under /run/secrets or the credentials directory. An empty variable counts as not given.
#ifndef MF_SETTINGS_H
#define MF_SETTINGS_H

#include "buf.h"
#include "error.h"

enum mf_setting_type {
    MF_SETTING_STRING,
    MF_SETTING_INTEGER, // int64_t; a suffix is not allowed: the unit is in the name (…_MS, …_BYTES)
    MF_SETTING_DECIMAL, // double, "." as the point, no exponent
    MF_SETTING_BOOLEAN, // true/false, yes/no, on/off, 1/0
    MF_SETTING_CHOICE,  // one of `choices`
    MF_SETTING_LIST,    // comma-separated, blanks trimmed, empty items refused
    MF_SETTING_SECRET,  // a string that is never printed
    MF_SETTING_TYPE_MAX
};

// As default_value: the host's name, characters beyond A-Z a-z 0-9 . _ - replaced by "-".
#define MF_SETTING_HOST_NAME "(host name)"

struct mf_setting_def {
    const char *name; // "KAFKA_BOOTSTRAP_SERVERS"
    enum mf_setting_type type;
    const char *default_value; // text as in the environment; NULL = required (or, for `optional`, unset)
    bool optional;             // unset is fine and reads as NULL / "not set"
    // The name may also be given per bar interval, inserted before its last word: ALERT_PRICE_MOVE_INFO also
    // as ALERT_PRICE_MOVE_1M_INFO. Read with mf_settings_decimal_for.
    bool per_interval;
    double min, max;         // INTEGER and DECIMAL; both 0 = unlimited
    const char *choices;     // CHOICE: "plaintext|ssl|sasl_ssl"
    const char *description; // one sentence for people; says the unit
    // Optional extra check of the text (a URL, a host:port, …): returns NULL or a sentence saying what is
    // wrong.
    const char *(*check)(const char *text);
};

struct mf_setting_table {
    const char *title; // heading in the reference page: "Kafka", "Ingestor"
    const struct mf_setting_def *defs;
    size_t count;
};

struct mf_settings;

// One line per problem in `problems` ("KAFKA_PARTITIONS: 'x' is not a whole number"), never holding a
// secret's value. `env` is environ-shaped (NULL-terminated "NAME=value"). Returns 0 with *out set, or -1
// CONFIG with all problems listed. An unknown variable whose name starts with a prefix of `own_prefixes`
// ("INGEST_", …; NULL-terminated, may be NULL) is a problem too, naming the nearest known setting: a typo
// must not pass as a default.
int mf_settings_parse(const struct mf_setting_table *tables, size_t table_count, char *const *env,
                      const char *const *own_prefixes, struct mf_settings **out, struct mf_buf *problems,
                      struct mf_error *err);
void mf_settings_free(struct mf_settings **settings); // secrets are wiped

// Overwrites the secrets, which read as "" from then on: for settings that are only kept for their other
// strings.
void mf_settings_wipe_secrets(struct mf_settings *settings);
// What is accepted but unwise (plain text to another host): one sentence per line, "" when there is none.
const char *mf_settings_warnings(const struct mf_settings *settings);

// Readers. The name must be in the tables and of that type (asserted). Strings live as long as the settings.
// STRING, CHOICE, SECRET; NULL = unset
const char *mf_settings_string(const struct mf_settings *settings, const char *name);
int64_t mf_settings_integer(const struct mf_settings *settings, const char *name);
double mf_settings_decimal(const struct mf_settings *settings, const char *name);
bool mf_settings_boolean(const struct mf_settings *settings, const char *name);
size_t mf_settings_list(const struct mf_settings *settings, const char *name, const char *const **items);
bool mf_settings_is_set(const struct mf_settings *settings, const char *name); // given in the environment
// per_interval settings: the value for this interval ("1m", "1d"), else the general one.
double mf_settings_decimal_for(const struct mf_settings *settings, const char *name, const char *interval);

// "NAME=value  # default|environment" per line, secrets as "********" or "(unset)".
void mf_settings_print(const struct mf_settings *settings, struct mf_buf *out);
// 16 hex digits over all names and values except secrets: the settings digest of the "process up" line.
void mf_settings_digest(const struct mf_settings *settings, char digest[17]);
// Help section (wrapped text) and Markdown reference of the tables.
void mf_settings_help(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out);
void mf_settings_markdown(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out);
// "# description\n#NAME=default\n" per setting: deploy/env.example.
void mf_settings_env_example(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out);

// Tables shared by the services (settings_common.c).
extern const struct mf_setting_table mf_settings_table_log;     // LOG_LEVEL, LOG_FORMAT
extern const struct mf_setting_table mf_settings_table_service; // METRICS_LISTEN, SHUTDOWN_GRACE_MS
// KAFKA_*: connection, security, partitions, topic names
extern const struct mf_setting_table mf_settings_table_kafka;
extern const struct mf_setting_table mf_settings_table_warehouse; // WAREHOUSE_*

#endif
