// SPDX-License-Identifier: Apache-2.0
// JSON writer into a struct mf_buf: compact, in the order of the calls, commas and escapes handled. Numbers
// are written from text or integers only; there is no writer for doubles (house rule 7): use
// mf_decimal_from_double first. Errors: only the buffer's overflow, checked once at the end. Misuse (a value
// where a key is due) is asserted.
#ifndef MF_JSON_WRITER_H
#define MF_JSON_WRITER_H

#include "buf.h"

#define MF_JSON_WRITER_DEPTH 32

struct mf_json_writer {
    struct mf_buf *out;
    unsigned depth;
    uint32_t in_object; // bit per level
    uint32_t not_first; // bit per level
    bool key_pending;
};

void mf_jw_init(struct mf_json_writer *w, struct mf_buf *out);
void mf_jw_object_begin(struct mf_json_writer *w);
void mf_jw_object_end(struct mf_json_writer *w);
void mf_jw_array_begin(struct mf_json_writer *w);
void mf_jw_array_end(struct mf_json_writer *w);
void mf_jw_key(struct mf_json_writer *w, const char *key);
void mf_jw_key_str(struct mf_json_writer *w, struct mf_str key);
void mf_jw_plain_key(struct mf_json_writer *w, struct mf_str key); // one that is known to need no escape
// Must be UTF-8; control characters are escaped
void mf_jw_string(struct mf_json_writer *w, struct mf_str text);
void mf_jw_c_string(struct mf_json_writer *w, const char *text);
void mf_jw_number_text(struct mf_json_writer *w, struct mf_str text); // JSON number text, verbatim
void mf_jw_i64(struct mf_json_writer *w, int64_t value);
void mf_jw_u64(struct mf_json_writer *w, uint64_t value);
void mf_jw_bool(struct mf_json_writer *w, bool value);
void mf_jw_null(struct mf_json_writer *w);
void mf_jw_raw(struct mf_json_writer *w, struct mf_str json); // already valid JSON
// A key and its value.
void mf_jw_member_u64(struct mf_json_writer *w, const char *key, uint64_t value);
void mf_jw_member_text(struct mf_json_writer *w, const char *key, const char *text);

#endif
