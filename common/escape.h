// SPDX-License-Identifier: Apache-2.0
// Outside text made safe for one line of JSON or for a terminal. Pure; nothing can fail: what does not fit is
// left out and the caller is told.
#ifndef MF_ESCAPE_H
#define MF_ESCAPE_H

#include "base.h"

enum mf_escape {
    MF_ESCAPE_JSON, // content of a JSON string (RFC 8259 §7)
    MF_ESCAPE_TEXT  // for people: control characters visible, quotes and backslashes as they are
};

// The longest form of one input byte: \u001f.
#define MF_ESCAPE_MAX 6

// Writes the escaped form of as many whole characters of text as fit into size bytes, without a terminator.
// Returns the bytes written; *used is how much of text they stand for. A byte that is not part of well-formed
// UTF-8 appears as the four characters \xHH, so that no byte is lost and the result is always valid UTF-8.
size_t mf_escape(enum mf_escape how, struct mf_str text, char *out, size_t size, size_t *used);

#endif
