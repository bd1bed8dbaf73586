// SPDX-License-Identifier: Apache-2.0
// Texts are found by name in the embedded table, which lives as long as the process: nothing here is owned.
// Failure class: FATAL for a template that does not fit together, which a test over all sets of tables rules
// out.
#include "services/sink/statement.h"

#include <stdio.h>

#include "services/sink/table.h"

const struct mf_sql_text *snk_statement_find(const char *dialect, const char *name)
{
    return mf_sql_find(dialect, name);
}

// "0001_ops.sql" and its like; the other texts of a dialect are statements.
static bool is_migration(struct mf_str file)
{
    for (size_t i = 0; i < 4; i++) {
        if (i >= file.len || file.data[i] < '0' || file.data[i] > '9')
            return false;
    }
    return file.len > 4 && file.data[4] == '_';
}

const struct mf_sql_text *snk_statement_migration(const char *dialect, size_t index)
{
    size_t prefix = strlen(dialect);
    for (size_t i = 0; i < mf_sql_table_count; i++) {
        const char *name = mf_sql_table[i].name;
        if (strncmp(name, dialect, prefix) != 0 || name[prefix] != '/')
            continue;
        if (is_migration(mf_str_of(name + prefix + 1)) && index-- == 0)
            return &mf_sql_table[i];
    }
    return NULL;
}

struct mf_str snk_statement_version(const struct mf_sql_text *text)
{
    const char *file = strrchr(text->name, '/');
    struct mf_str version = mf_str_of(file != NULL ? file + 1 : text->name);
    assert(version.len > 4 && strcmp(version.data + version.len - 4, ".sql") == 0);
    version.len -= 4;
    return version;
}

int snk_statement_assemble(struct mf_str text, unsigned table_set, struct mf_buf *out, struct mf_error *err)
{
    const char *names[SNK_TABLE_MAX];
    size_t count = 0;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if ((table_set & (1u << table)) != 0)
            names[count++] = snk_tables[table].name;
    }
    return mf_sql_assemble(text, names, count, out, err);
}

void snk_statement_drop_lines(struct mf_buf *text, const char *mark)
{
    char comment[64];
    int length = snprintf(comment, sizeof comment, "-- @%s\n", mark);
    assert(length > 0 && (size_t)length < sizeof comment);
    size_t kept = 0;
    for (size_t at = 0; at < text->len;) {
        const char *end = memchr(text->data + at, '\n', text->len - at);
        size_t line = (end != NULL ? (size_t)(end - text->data) + 1 : text->len) - at;
        bool marked = line >= (size_t)length &&
                      memcmp(text->data + at + line - (size_t)length, comment, (size_t)length) == 0;
        if (!marked) {
            memmove(text->data + kept, text->data + at, line);
            kept += line;
        }
        at += line;
    }
    text->len = kept;
    if (text->data != NULL)
        text->data[kept] = '\0'; // as the buffer keeps it
}

bool snk_statement_next(struct mf_str *script, struct mf_buf *out)
{
    bool ended = false;
    mf_buf_clear(out);
    while (script->len > 0 && !ended) {
        const char *end = memchr(script->data, '\n', script->len);
        struct mf_str line = {script->data, end != NULL ? (size_t)(end - script->data) : script->len};
        size_t taken = line.len + (end != NULL ? 1 : 0);
        script->data += taken;
        script->len -= taken;
        ended = line.len > 0 && line.data[line.len - 1] == ';';
        if (ended)
            line.len--;
        if (line.len == 0 || mf_str_starts_with(line, "--")) {
            ended &= out->len > 0;
            continue;
        }
        mf_buf_add_str(out, line);
        mf_buf_add_char(out, '\n');
    }
    assert(!out->overflow);
    return out->len > 0;
}
