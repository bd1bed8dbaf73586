// SPDX-License-Identifier: Apache-2.0
// Reads one flat object at a time, where it stands, without a document: rows of an answer of fifty thousand
// are looked at one by one, and held once. It takes the common case only and says no to everything else,
// which does not mean that it is wrong: the JSON reader decides then. Whatever it takes, the JSON reader
// takes as the same value. No failure classes.
#ifndef MF_JSON_ROW_H
#define MF_JSON_ROW_H

#include "common/json_reader.h"

#define MF_JSON_ROW_MEMBERS_MAX 16

struct mf_json_row; // room for one row

struct mf_json_row *mf_json_row_new(void);
void mf_json_row_free(struct mf_json_row **row); // NULL-safe
// The object at the very beginning of the text: at most MF_JSON_ROW_MEMBERS_MAX members with keys of their
// own, which are numbers of at most 64 characters, strings of at most 256 bytes without escapes, booleans or
// null. Returns its length with both braces, and *root, whose views point into the text and live until the
// next read; or 0 when it is none that is taken. The text must be UTF-8 as a whole; that is not looked at.
size_t mf_json_row_read(struct mf_json_row *row, struct mf_str text, const struct mf_json_node **root);

#endif
