// SPDX-License-Identifier: Apache-2.0
// The tables as texts for people: --help, docs/settings.md, deploy/env.example. Pure; the only failure is the
// sticky overflow of the buffer.
#include "common/settings_internal.h"

enum { HELP_WIDTH = 100, HELP_INDENT = 6 };

static const char *type_name(enum mf_setting_type type)
{
    static const char *const names[MF_SETTING_TYPE_MAX] = {
        [MF_SETTING_STRING] = "text",    [MF_SETTING_INTEGER] = "whole number",
        [MF_SETTING_DECIMAL] = "number", [MF_SETTING_BOOLEAN] = "boolean",
        [MF_SETTING_CHOICE] = "choice",  [MF_SETTING_LIST] = "list",
        [MF_SETTING_SECRET] = "secret",
    };
    assert((unsigned)type < MF_SETTING_TYPE_MAX);
    return names[type];
}

static bool has_range(const struct mf_setting_def *def)
{
    return (def->type == MF_SETTING_INTEGER || def->type == MF_SETTING_DECIMAL) &&
           (def->min < 0 || def->min > 0 || def->max < 0 || def->max > 0);
}

// "1 to 512", "plaintext, ssl", or nothing.
static void add_allowed(struct mf_buf *out, const struct mf_setting_def *def)
{
    if (has_range(def))
        mf_buf_addf(out, "%.15g to %.15g", def->min, def->max);
    else if (def->type == MF_SETTING_CHOICE) {
        for (const char *c = def->choices; *c != '\0'; c++)
            mf_buf_add_c(out, *c == '|' ? ", " : (char[]){*c, '\0'});
    }
}

// Words with single blanks, broken before HELP_WIDTH.
static void add_wrapped(struct mf_buf *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column == 0 || column + 1 + word > HELP_WIDTH) {
            if (column > 0)
                mf_buf_add_char(out, '\n');
            mf_buf_addf(out, "%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            mf_buf_add_char(out, ' ');
            column++;
        }
        mf_buf_add(out, text, word);
        column += word;
        text += word;
        text += strspn(text, " \n");
    }
    mf_buf_add_char(out, '\n');
}

static void add_default(struct mf_buf *out, const struct mf_setting_def *def)
{
    if (def->default_value != NULL && def->default_value[0] != '\0')
        mf_buf_add_c(out, def->default_value);
    else
        mf_buf_add_c(out, def->default_value != NULL || def->optional ? "(unset)" : "(required)");
}

void mf_settings_help(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out)
{
    mf_buf_add_c(out, "Settings (environment variables):\n");
    for (size_t i = 0; i < table_count; i++) {
        mf_buf_addf(out, "\n  %s\n", tables[i].title);
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct mf_setting_def *def = &tables[i].defs[j];
            mf_buf_addf(out, "    %s=", def->name);
            add_default(out, def);
            if (has_range(def) || def->type == MF_SETTING_CHOICE) {
                mf_buf_add_c(out, "  [");
                add_allowed(out, def);
                mf_buf_add_char(out, ']');
            } else if (def->type == MF_SETTING_SECRET) {
                mf_buf_addf(out, "  [secret: also %s_FILE, or a credential file]", def->name);
            }
            mf_buf_add_char(out, '\n');
            add_wrapped(out, def->description);
        }
    }
}

// A cell of a Markdown table: no line break, and a bar would end it.
static void add_cell(struct mf_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            mf_buf_add_c(out, "\\|");
        else
            mf_buf_add_char(out, *text == '\n' ? ' ' : *text);
    }
}

// One row of the page: name, type, default, what is allowed, meaning.
static void add_row(struct mf_buf *out, const struct mf_setting_def *def)
{
    mf_buf_addf(out, "| `%s` | %s | ", def->name, type_name(def->type));
    if (def->default_value != NULL && def->default_value[0] != '\0') {
        mf_buf_add_char(out, '`');
        add_cell(out, def->default_value);
        mf_buf_add_char(out, '`');
    } else {
        mf_buf_add_c(out, def->default_value != NULL || def->optional ? "unset" : "**required**");
    }
    mf_buf_add_c(out, " | ");
    add_allowed(out, def);
    mf_buf_add_c(out, " | ");
    add_cell(out, def->description);
    if (def->per_interval) {
        char name[MF_SETTING_NAME_MAX];
        if (mf_setting_variant_name(def->name, MF_STR("1M"), name))
            mf_buf_addf(out, " Also per bar interval: `%s`.", name);
    }
    mf_buf_add_c(out, " |\n");
}

void mf_settings_markdown(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out)
{
    for (size_t i = 0; i < table_count; i++) {
        mf_buf_addf(out, "%s## %s\n\n", i > 0 ? "\n" : "", tables[i].title);
        mf_buf_add_c(out,
                     "| setting | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n");
        for (size_t j = 0; j < tables[i].count; j++)
            add_row(out, &tables[i].defs[j]);
    }
}

void mf_settings_env_example(const struct mf_setting_table *tables, size_t table_count, struct mf_buf *out)
{
    for (size_t i = 0; i < table_count; i++) {
        mf_buf_addf(out, "%s# ---- %s\n", i > 0 ? "\n" : "", tables[i].title);
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct mf_setting_def *def = &tables[i].defs[j];
            mf_buf_addf(out, "# %s\n", def->description);
            if (def->type == MF_SETTING_SECRET)
                mf_buf_addf(out, "#%s_FILE=\n",
                            def->name); // a secret does not belong into an environment file
            else
                mf_buf_addf(out, "#%s=%s\n", def->name, def->default_value != NULL ? def->default_value : "");
        }
    }
}
