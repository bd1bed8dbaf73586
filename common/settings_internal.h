// SPDX-License-Identifier: Apache-2.0
// Between the files of the settings: parsed values and the work of one parse.
#ifndef MF_SETTINGS_INTERNAL_H
#define MF_SETTINGS_INTERNAL_H

#include "settings.h"

#define MF_SETTING_VALUE_MAX 65536 // bytes of one value
#define MF_SETTING_ITEMS_MAX 20000 // items of one list
#define MF_SETTING_NAME_MAX 128
#define MF_SETTING_SECRET_MAX 65536

enum mf_setting_source {
    MF_SETTING_FROM_DEFAULT,
    MF_SETTING_FROM_ENVIRONMENT,
    MF_SETTING_FROM_FILE,
    MF_SETTING_FROM_CREDENTIAL
};

struct mf_setting_value {
    const struct mf_setting_def *def;
    enum mf_setting_source source;
    char *text; // NULL = unset
    int64_t integer;
    double decimal;
    bool boolean;
    char **items;
    size_t item_count;
};

// A value given for one bar interval only.
struct mf_setting_variant {
    const struct mf_setting_def *def;
    char name[MF_SETTING_NAME_MAX];
    char *text;
    double decimal;
};

struct mf_setting_name {
    const char *name;
    struct mf_setting_value *value;
};

struct mf_settings {
    struct mf_setting_value *values; // in the order of the tables
    size_t count;
    struct mf_setting_name *by_name; // the same, sorted
    struct mf_setting_variant *variants;
    size_t variant_count;
    struct mf_buf warnings;
};

struct mf_setting_parse {
    char *const *env;
    struct mf_settings *settings;
    struct mf_buf *problems;
    size_t problem_count;
};

// Adds "NAME: sentence\n" to the problems.
void mf_setting_problem(struct mf_setting_parse *parse, const char *name, const char *fmt, ...)
    MF_PRINTF(3, 4);
// The value of a variable, NULL when absent or empty: an empty variable counts as not given, because that is
// what "NAME=${NAME:-}" in a compose file leaves behind.
const char *mf_setting_env(char *const *env, const char *name);

// Reads value->text by its definition into the typed members (settings_value.c). False with a sentence about
// what is wrong, which never holds a secret.
bool mf_setting_value_parse(struct mf_setting_value *value, struct mf_buf *sentence);
// "." as the point, no exponent, at most 15 significant digits, so that the double is the nearest one.
bool mf_setting_decimal_parse(const char *text, double *value);
// "1m" → "1M"; false when it is no bar interval.
bool mf_setting_is_interval(struct mf_str upper_case);
// The name of a setting for one interval: ALERT_GAP_INFO, "1d" → ALERT_GAP_1D_INFO. False when it does not
// fit.
bool mf_setting_variant_name(const char *name, struct mf_str interval, char out[MF_SETTING_NAME_MAX]);

// Where a secret comes from (settings_secret.c): sets value->text and ->source, or adds problems.
void mf_setting_secret_read(struct mf_setting_parse *parse, struct mf_setting_value *value);
// Variables of our own prefixes that nothing knows (settings_unknown.c).
void mf_setting_find_unknown(struct mf_setting_parse *parse, const char *const *own_prefixes);
// What several settings must fulfil together, for the tables of settings_common.c (settings_check.c).
void mf_setting_check_together(struct mf_setting_parse *parse, const struct mf_setting_table *table);

struct mf_setting_value *mf_setting_find(const struct mf_settings *settings,
                                         const char *name); // NULL = unknown
struct mf_setting_variant *mf_setting_find_variant(const struct mf_settings *settings, const char *name);
void mf_setting_wipe(char *text); // explicit_bzero and free; NULL-safe

#endif
