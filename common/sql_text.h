// SPDX-License-Identifier: Apache-2.0
// The SQL texts of sql/postgresql/ and sql/snowflake/, embedded at build time by cmake/EmbedSql.cmake, and
// how a statement is made of one. The C code holds no SQL: what it knows are file names, the marks in a text,
// and the order of parameters and columns. Pure; the texts live as long as the process.
#ifndef MF_SQL_TEXT_H
#define MF_SQL_TEXT_H

#include "buf.h"
#include "error.h"

struct mf_sql_text {
    const char *name; // path below sql/, such as "postgresql/0001_raw.sql"
    const char *text; // the file's bytes, followed by a NUL that is not counted
    size_t length;    // bytes of the file
};

// Sorted by name (byte order); mf_sql_table_count rows.
extern const struct mf_sql_text mf_sql_table[];
extern const size_t mf_sql_table_count;

// The text sql/<dialect>/<name>.sql. NULL when there is none.
const struct mf_sql_text *mf_sql_find(const char *dialect, const char *name);

// Appends the text; each part between the lines "-- @each-table" and "-- @end" comes once per table name,
// with the word each_table replaced by it. Comment lines are left out: they may hold characters that the
// driver would take for parameter marks. FATAL "sql_template" when marks do not pair, or the result is too
// long for out.
int mf_sql_assemble(struct mf_str text, const char *const *tables, size_t count, struct mf_buf *out,
                    struct mf_error *err);

#endif
