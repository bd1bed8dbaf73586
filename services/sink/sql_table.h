// SPDX-License-Identifier: Apache-2.0
//
// The SQL texts of sql/postgresql/ and sql/snowflake/, embedded at build time by cmake/EmbedSql.cmake. Read
// only, for the life of the process.
#ifndef SNK_SQL_TABLE_H
#define SNK_SQL_TABLE_H

#include <stddef.h>

struct snk_sql_text {
    const char *name; // path below sql/, such as "postgresql/0001_raw.sql"
    const char *text; // the file's bytes, followed by a NUL that is not counted
    size_t length;    // bytes of the file
};

// Sorted by name (byte order); snk_sql_table_count rows.
extern const struct snk_sql_text snk_sql_table[];
extern const size_t snk_sql_table_count;

#endif
