// SPDX-License-Identifier: Apache-2.0
// What the test driver says to its helper and hears from it: JSON behind a length of four bytes, most
// significant first, over a Unix socket. Requests are built as text; replies are parsed by wire_parse, which
// trusts nothing. Out of memory aborts. Failure: false, with nothing to free.
#ifndef ODBC_WIRE_H
#define ODBC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_REPLY_MAX ((size_t)16 * 1024 * 1024)
#define WIRE_COLUMNS_MAX 16

// The answer to one request. Cells are row by row, NULL for SQL NULL.
struct wire_reply {
    bool ok;
    bool crash;        // the driver is to end the process, as one with a bug would
    char state[6];     // when not ok
    int64_t native;    // when not ok
    char message[512]; // when not ok
    char query_id[64]; // "" when there is none
    int64_t rows;      // touched by the statement
    size_t columns;    // of the result; 0 when the statement has none
    size_t row_count;  // rows of the result
    char **cells;      // columns * row_count texts
};

// Parses {"ok":…,"crash":…,"state":…,"native":…,"message":…,"query_id":…,"rows":…,"columns":…,"data":[[…]]};
// keys may be absent, unknown ones are refused, every row of data must have `columns` cells (which comes
// before).
bool wire_parse(const char *text, size_t len, struct wire_reply *reply);
void wire_reply_free(struct wire_reply *reply);

// A growing text.
struct wire_text {
    char *data;
    size_t len, capacity;
};
void wire_add(struct wire_text *text, const char *literal);
// As a JSON string, with its quotes; NULL becomes null. Bytes are taken as UTF-8.
void wire_add_string(struct wire_text *text, const char *data, size_t len);
void wire_text_free(struct wire_text *text);

// One request and its reply. False when the connection is gone, or what came is no reply.
bool wire_call(int fd, const struct wire_text *request, struct wire_reply *reply);

#endif
