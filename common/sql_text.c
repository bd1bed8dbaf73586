// SPDX-License-Identifier: Apache-2.0
// Texts are found by name in the embedded table, which lives as long as the process: nothing here is owned.
// Failure class: FATAL for a template that does not fit together, which a test over all sets of tables rules
// out.
#include "common/sql_text.h"

#include <stdio.h>

#define MARK_EACH "-- @each-table"
#define MARK_END "-- @end"
#define PLACEHOLDER "each_table"

const struct mf_sql_text *mf_sql_find(const char *dialect, const char *name)
{
    char path[128];
    int length = snprintf(path, sizeof path, "%s/%s.sql", dialect, name);
    assert(length > 0 && (size_t)length < sizeof path);
    for (size_t i = 0; i < mf_sql_table_count; i++) {
        if (strcmp(mf_sql_table[i].name, path) == 0)
            return &mf_sql_table[i];
    }
    return NULL;
}

// The next line without its end, taken off the text.
static struct mf_str take_line(struct mf_str *text)
{
    const char *end = memchr(text->data, '\n', text->len);
    struct mf_str line = {text->data, end != NULL ? (size_t)(end - text->data) : text->len};
    size_t taken = line.len + (end != NULL ? 1 : 0);
    text->data += taken;
    text->len -= taken;
    return line;
}

// Marks are comments too, but they are looked for before.
static bool is_blank_or_comment(struct mf_str line)
{
    size_t at = 0;
    while (at < line.len && line.data[at] == ' ')
        at++;
    return at == line.len || (line.len - at >= 2 && line.data[at] == '-' && line.data[at + 1] == '-');
}

// One line into the statement, the placeholder replaced wherever it stands: in names and in literals.
static void add_line(struct mf_str line, const char *table_name, struct mf_buf *out)
{
    if (is_blank_or_comment(line))
        return;
    while (table_name != NULL) {
        const char *found = memmem(line.data, line.len, PLACEHOLDER, strlen(PLACEHOLDER));
        if (found == NULL)
            break;
        mf_buf_add(out, line.data, (size_t)(found - line.data));
        mf_buf_add_c(out, table_name);
        size_t taken = (size_t)(found - line.data) + strlen(PLACEHOLDER);
        line.data += taken;
        line.len -= taken;
    }
    mf_buf_add_str(out, line);
    mf_buf_add_char(out, '\n');
}

static void add_lines(struct mf_str text, const char *table_name, struct mf_buf *out)
{
    while (text.len > 0)
        add_line(take_line(&text), table_name, out);
}

// The lines up to the end mark, taken off the text. False when there is none.
static bool take_part(struct mf_str *text, struct mf_str *part)
{
    part->data = text->data;
    while (text->len > 0) {
        const char *start = text->data;
        struct mf_str line = take_line(text);
        if (mf_str_eq_c(line, MARK_EACH))
            return false;
        if (mf_str_eq_c(line, MARK_END)) {
            part->len = (size_t)(start - part->data);
            return true;
        }
    }
    return false;
}

int mf_sql_assemble(struct mf_str text, const char *const *tables, size_t count, struct mf_buf *out,
                    struct mf_error *err)
{
    while (text.len > 0) {
        struct mf_str line = take_line(&text);
        struct mf_str part;
        if (mf_str_eq_c(line, MARK_END))
            return mf_error_set(err, MF_ERROR_FATAL, "sql_template", "an end mark without its beginning");
        if (!mf_str_eq_c(line, MARK_EACH)) {
            add_line(line, NULL, out);
            continue;
        }
        if (!take_part(&text, &part))
            return mf_error_set(err, MF_ERROR_FATAL, "sql_template", "a part for each table without its end");
        for (size_t i = 0; i < count; i++)
            add_lines(part, tables[i], out);
    }
    if (out->overflow)
        return mf_error_set(err, MF_ERROR_FATAL, "sql_template", "the assembled statement is too long");
    return 0;
}
