// SPDX-License-Identifier: Apache-2.0
// Files of lines (NDJSON) for commands: read in pieces, memory does not grow with the file, a line above the
// limit is reported and skipped. Blocking; for PLAIN commands only. Failure class: CONFIG for a file that
// cannot be opened.
#ifndef MF_LINES_H
#define MF_LINES_H

#include "buf.h"
#include "error.h"

struct mf_line {
    struct mf_str text; // without newline, carriage return, byte order mark; empty when too_large
    uint64_t number;    // 1, 2, …
    bool too_large;     // longer than the limit: skipped
};

// Opens a file, or standard input for "-". CONFIG "bad_file" (absent, not allowed, a directory).
int mf_lines_open(const char *path, int *fd, struct mf_error *err);
void mf_lines_close(int fd); // leaves standard input open
// Hands out every line that is not blank, to the end of the file or until on_line returns false. Returns 0,
// or an errno of reading. *lines: how many there were, blank ones too.
int mf_lines_read(int fd, size_t limit, bool (*on_line)(void *arg, const struct mf_line *line), void *arg,
                  uint64_t *lines);

#endif
