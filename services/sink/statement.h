// SPDX-License-Identifier: Apache-2.0
// Finds the SQL texts of a dialect and assembles the flush statement for the tables of one batch. Pure. The C
// code holds no SQL: what it knows are file names, the marks in the text, and the order of parameters and
// columns.
#ifndef SNK_STATEMENT_H
#define SNK_STATEMENT_H

#include "common/buf.h"
#include "common/error.h"
#include "common/sql_text.h"

#define SNK_STATEMENT_SIZE_MAX ((size_t)64 * 1024)

// The text sql/<dialect>/<name>.sql. NULL when there is none.
const struct mf_sql_text *snk_statement_find(const char *dialect, const char *name);

// Migrations are the texts <dialect>/NNNN_<words>.sql; index counts them in order. NULL past the last one.
const struct mf_sql_text *snk_statement_migration(const char *dialect, size_t index);
// "0001_ops" of "postgresql/0001_ops.sql". Valid for the life of the process.
struct mf_str snk_statement_version(const struct mf_sql_text *text);

// Copies the text; each part between the lines "-- @each-table" and "-- @end" comes once per table of the set
// (bit per enum snk_table), with the word each_table replaced by its name. Comment lines are left out: they
// may hold characters that the driver would take for parameter marks. FATAL "sql_template" when marks do not
// pair, or the result is too long for out.
int snk_statement_assemble(struct mf_str text, unsigned table_set, struct mf_buf *out, struct mf_error *err);

// Leaves out the lines that end with the comment `-- @<mark>`.
void snk_statement_drop_lines(struct mf_buf *text, const char *mark);

// Takes the next statement off a script: the lines up to one that ends with a semicolon, without it, comment
// lines left out. False at the end. out must have room for the longest one (asserted).
bool snk_statement_next(struct mf_str *script, struct mf_buf *out);

#endif
