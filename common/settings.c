// SPDX-License-Identifier: Apache-2.0
// Settings: one parse of the environment into an immutable object, and its readers.
// Ownership: the object owns every string it hands out. Failure class: CONFIG, with every problem listed.
#include "common/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/escape.h"
#include "common/settings_internal.h"

#define WARNINGS_MAX 65536

void mf_setting_problem(struct mf_setting_parse *parse, const char *name, const char *fmt, ...)
{
    char sentence[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    // A path or a name may hold anything; the list of problems is one line each on somebody's terminal.
    char safe[2048];
    size_t used;
    size_t len = mf_escape(MF_ESCAPE_TEXT, mf_str_of(sentence), safe, sizeof safe, &used);
    parse->problem_count++;
    mf_buf_addf(parse->problems, "%s: %.*s\n", name, (int)len, safe);
}

void mf_setting_wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

const char *mf_setting_env(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return (*env)[len + 1] != '\0' ? *env + len + 1 : NULL;
    }
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    const struct mf_setting_name *left = a;
    const struct mf_setting_name *right = b;
    return strcmp(left->name, right->name);
}

struct mf_setting_value *mf_setting_find(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_name key = {.name = name};
    const struct mf_setting_name *found =
        bsearch(&key, settings->by_name, settings->count, sizeof *settings->by_name, compare_names);
    return found != NULL ? found->value : NULL;
}

struct mf_setting_variant *mf_setting_find_variant(const struct mf_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->variant_count; i++) {
        if (strcmp(settings->variants[i].name, name) == 0)
            return &settings->variants[i];
    }
    return NULL;
}

// An object with every definition and no value yet, and its index by name.
static struct mf_settings *settings_of_tables(const struct mf_setting_table *tables, size_t table_count)
{
    struct mf_settings *settings = mf_calloc(1, sizeof *settings);
    mf_buf_init(&settings->warnings, WARNINGS_MAX);
    for (size_t i = 0; i < table_count; i++)
        settings->count += tables[i].count;
    settings->values = mf_calloc(settings->count, sizeof *settings->values);
    settings->by_name = mf_calloc(settings->count, sizeof *settings->by_name);
    struct mf_setting_value *value = settings->values;
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++)
            (value++)->def = &tables[i].defs[j];
    }
    for (size_t i = 0; i < settings->count; i++)
        settings->by_name[i] = (struct mf_setting_name){settings->values[i].def->name, &settings->values[i]};
    if (settings->count > 0)
        qsort(settings->by_name, settings->count, sizeof *settings->by_name, compare_names);
    for (size_t i = 1; i < settings->count; i++) // a name in two tables would have two values
        assert(strcmp(settings->by_name[i - 1].name, settings->by_name[i].name) != 0);
    return settings;
}

// The host's name with what a client id may not hold replaced.
static char *host_name(void)
{
    char name[101] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        return mf_strdup("localhost");
    for (char *c = name; *c != '\0'; c++) {
        bool allowed = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                       *c == '.' || *c == '_' || *c == '-';
        if (!allowed)
            *c = '-';
    }
    return mf_strdup(name);
}

static char *default_text(const struct mf_setting_def *def)
{
    if (def->default_value == NULL)
        return NULL;
    if (strcmp(def->default_value, MF_SETTING_HOST_NAME) == 0)
        return host_name();
    return mf_strdup(def->default_value);
}

// One setting: where its text comes from, then what it means. A secret whose source is wrong is not also
// missing.
static void parse_value(struct mf_setting_parse *parse, struct mf_setting_value *value)
{
    const struct mf_setting_def *def = value->def;
    size_t problems = parse->problem_count;
    if (def->type == MF_SETTING_SECRET) {
        mf_setting_secret_read(parse, value);
    } else {
        const char *given = mf_setting_env(parse->env, def->name);
        value->source = given != NULL ? MF_SETTING_FROM_ENVIRONMENT : MF_SETTING_FROM_DEFAULT;
        value->text = given != NULL ? mf_strdup(given) : NULL;
    }
    if (parse->problem_count > problems)
        return;
    if (value->text == NULL)
        value->text = default_text(def);
    if (value->text == NULL) {
        if (!def->optional)
            mf_setting_problem(parse, def->name, "is required: %s", def->description);
        return;
    }
    struct mf_buf sentence;
    mf_buf_init(&sentence, 1024);
    if (!mf_setting_value_parse(value, &sentence))
        mf_setting_problem(parse, def->name, "%s", mf_buf_c_str(&sentence));
    mf_buf_free(&sentence);
}

// Values given for one interval of a setting that allows it. A row of its own for the same name goes first:
// it has a default.
static void parse_variants(struct mf_setting_parse *parse, const struct mf_setting_def *def)
{
    const char *last = strrchr(def->name, '_');
    assert(last != NULL);
    size_t stem = (size_t)(last + 1 - def->name);
    for (char *const *entry = parse->env; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals == NULL || strncmp(*entry, def->name, stem) != 0 || equals[1] == '\0')
            continue;
        const char *interval_end = memchr(*entry + stem, '_', (size_t)(equals - *entry) - stem);
        if (interval_end == NULL)
            continue;
        struct mf_str interval = {*entry + stem, (size_t)(interval_end - *entry) - stem};
        char name[MF_SETTING_NAME_MAX];
        if (!mf_setting_is_interval(interval) || !mf_setting_variant_name(def->name, interval, name) ||
            !mf_str_eq_c((struct mf_str){*entry, (size_t)(equals - *entry)}, name) ||
            mf_setting_find(parse->settings, name) != NULL ||
            mf_setting_find_variant(parse->settings, name) != NULL)
            continue;
        struct mf_setting_value value = {.def = def, .text = mf_strdup(equals + 1)};
        struct mf_buf sentence;
        mf_buf_init(&sentence, 1024);
        if (!mf_setting_value_parse(&value, &sentence))
            mf_setting_problem(parse, name, "%s", mf_buf_c_str(&sentence));
        mf_buf_free(&sentence);
        struct mf_settings *settings = parse->settings;
        settings->variants =
            mf_realloc(settings->variants, (settings->variant_count + 1) * sizeof *settings->variants);
        struct mf_setting_variant *variant = &settings->variants[settings->variant_count++];
        *variant = (struct mf_setting_variant){.def = def, .text = value.text, .decimal = value.decimal};
        memcpy(variant->name, name, sizeof name);
    }
}

// The error repeats the first problem, for callers that show one line; the list has them all.
static int fail(struct mf_setting_parse *parse, struct mf_error *err)
{
    const char *text = mf_buf_c_str(parse->problems);
    int first = (int)strcspn(text, "\n");
    if (parse->problem_count == 1)
        mf_error_set(err, MF_ERROR_CONFIG, "bad_settings", "%.*s", first, text);
    else
        mf_error_set(err, MF_ERROR_CONFIG, "bad_settings", "%zu problems in the settings, the first: %.*s",
                     parse->problem_count, first, text);
    mf_settings_free(&parse->settings);
    return -1;
}

int mf_settings_parse(const struct mf_setting_table *tables, size_t table_count, char *const *env,
                      const char *const *own_prefixes, struct mf_settings **out, struct mf_buf *problems,
                      struct mf_error *err)
{
    struct mf_setting_parse parse = {
        .env = env,
        .settings = settings_of_tables(tables, table_count),
        .problems = problems,
    };
    struct mf_setting_value *value = parse.settings->values;
    for (size_t i = 0; i < table_count; i++) {
        size_t before = parse.problem_count;
        for (size_t j = 0; j < tables[i].count; j++, value++) {
            parse_value(&parse, value);
            if (value->def->per_interval)
                parse_variants(&parse, value->def);
        }
        // Only values that are right by themselves can be judged together.
        if (parse.problem_count == before)
            mf_setting_check_together(&parse, &tables[i]);
    }
    mf_setting_find_unknown(&parse, own_prefixes);
    if (parse.problem_count > 0)
        return fail(&parse, err);
    *out = parse.settings;
    return 0;
}

void mf_settings_free(struct mf_settings **settings)
{
    struct mf_settings *dying = *settings;
    if (dying == NULL)
        return;
    for (size_t i = 0; i < dying->count; i++) {
        struct mf_setting_value *value = &dying->values[i];
        if (value->def->type == MF_SETTING_SECRET)
            mf_setting_wipe(value->text);
        else
            free(value->text);
        for (size_t j = 0; j < value->item_count; j++)
            free(value->items[j]);
        free(value->items);
    }
    for (size_t i = 0; i < dying->variant_count; i++)
        free(dying->variants[i].text);
    free(dying->values);
    free(dying->by_name);
    free(dying->variants);
    mf_buf_free(&dying->warnings);
    free(dying);
    *settings = NULL;
}

void mf_settings_wipe_secrets(struct mf_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        struct mf_setting_value *value = &settings->values[i];
        if (value->def->type == MF_SETTING_SECRET && value->text != NULL)
            explicit_bzero(value->text, strlen(value->text));
    }
}

// A name that is in no table is a mistake in the program, not in its environment.
static const struct mf_setting_value *get(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_value *value = mf_setting_find(settings, name);
    assert(value != NULL); // the caller's table lacks the name
    return value;
}

const char *mf_settings_string(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_value *value = get(settings, name);
    assert(value->def->type == MF_SETTING_STRING || value->def->type == MF_SETTING_CHOICE ||
           value->def->type == MF_SETTING_SECRET);
    return value->text;
}

int64_t mf_settings_integer(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_value *value = get(settings, name);
    assert(value->def->type == MF_SETTING_INTEGER);
    return value->integer;
}

double mf_settings_decimal(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_value *value = get(settings, name);
    assert(value->def->type == MF_SETTING_DECIMAL);
    return value->decimal;
}

bool mf_settings_boolean(const struct mf_settings *settings, const char *name)
{
    const struct mf_setting_value *value = get(settings, name);
    assert(value->def->type == MF_SETTING_BOOLEAN);
    return value->boolean;
}

size_t mf_settings_list(const struct mf_settings *settings, const char *name, const char *const **items)
{
    const struct mf_setting_value *value = get(settings, name);
    assert(value->def->type == MF_SETTING_LIST);
    *items = (const char *const *)value->items;
    return value->item_count;
}

bool mf_settings_is_set(const struct mf_settings *settings, const char *name)
{
    return get(settings, name)->source != MF_SETTING_FROM_DEFAULT;
}

double mf_settings_decimal_for(const struct mf_settings *settings, const char *name, const char *interval)
{
    const struct mf_setting_value *general = get(settings, name);
    assert(general->def->type == MF_SETTING_DECIMAL && general->def->per_interval);
    char own[MF_SETTING_NAME_MAX];
    if (mf_setting_variant_name(name, mf_str_of(interval), own)) {
        const struct mf_setting_value *row = mf_setting_find(settings, own);
        if (row != NULL && row->def->type == MF_SETTING_DECIMAL)
            return row->decimal;
        const struct mf_setting_variant *variant = mf_setting_find_variant(settings, own);
        if (variant != NULL)
            return variant->decimal;
    }
    return general->decimal;
}

const char *mf_settings_warnings(const struct mf_settings *settings)
{
    return settings->warnings.len > 0 ? settings->warnings.data : "";
}
