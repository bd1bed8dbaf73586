// SPDX-License-Identifier: Apache-2.0
// Growable byte buffer that cannot be made without a maximum (house rule 6). The owner calls mf_buf_free.
// Overflow is sticky: once an append would pass the maximum, `overflow` is set, nothing more is added, and
// every later append fails too, so that a chain of appends may be checked once, at its end.
#ifndef MF_BUF_H
#define MF_BUF_H

#include <stdarg.h>

#include "base.h"

struct mf_buf {
    char *data; // NUL-terminated whenever cap > 0 (the terminator is not counted in len)
    size_t len;
    size_t cap;
    size_t max; // largest len allowed
    bool overflow;
};

void mf_buf_init(struct mf_buf *buf, size_t max);
void mf_buf_free(struct mf_buf *buf); // releases the memory; the buffer may be used again
// What `to` held is released; `from` is empty then and may be used again.
void mf_buf_move(struct mf_buf *to, struct mf_buf *from);
void mf_buf_clear(struct mf_buf *buf); // len = 0, overflow = false, memory kept
// Gives memory beyond `keep` bytes back to the allocator when the buffer is empty (after an unusually large
// use).
void mf_buf_trim(struct mf_buf *buf, size_t keep);

// Makes room for a content of `len` bytes in all, or of the maximum, at once: what is known to come need not
// grow.
void mf_buf_reserve(struct mf_buf *buf, size_t len);

// Each returns 0, or -1 on overflow, if it says nothing else.
int mf_buf_add(struct mf_buf *buf, const void *data, size_t len);
// Adds len bytes that the caller writes at once: returns their place, NULL on overflow.
char *mf_buf_extend(struct mf_buf *buf, size_t len);
int mf_buf_add_str(struct mf_buf *buf, struct mf_str s);
int mf_buf_add_c(struct mf_buf *buf, const char *c_string);
int mf_buf_add_char(struct mf_buf *buf, char c);
int mf_buf_addf(struct mf_buf *buf, const char *fmt, ...) MF_PRINTF(2, 3);
int mf_buf_vaddf(struct mf_buf *buf, const char *fmt, va_list args) MF_PRINTF(2, 0);

struct mf_str mf_buf_str(const struct mf_buf *buf); // valid until the next change
// The content as a terminated C string ("" when empty); valid until the next change.
const char *mf_buf_c_str(struct mf_buf *buf);

#endif
