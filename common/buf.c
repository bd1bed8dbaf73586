// SPDX-License-Identifier: Apache-2.0
// Growable byte buffer with a maximum. The struct's owner owns the memory; the only failure is the sticky
// overflow.
#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_CAP = 256 };

void mf_buf_init(struct mf_buf *buf, size_t max)
{
    // Room for the terminator and for doubling without wrapping around.
    assert(max < SIZE_MAX / 4);
    *buf = (struct mf_buf){.max = max};
}

void mf_buf_free(struct mf_buf *buf)
{
    free(buf->data);
    *buf = (struct mf_buf){.max = buf->max};
}

void mf_buf_move(struct mf_buf *to, struct mf_buf *from)
{
    free(to->data);
    *to = *from;
    *from = (struct mf_buf){.max = from->max};
}

void mf_buf_clear(struct mf_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void mf_buf_trim(struct mf_buf *buf, size_t keep)
{
    if (buf->len > 0 || buf->cap <= keep)
        return;
    if (keep == 0) {
        free(buf->data);
        buf->data = NULL;
    } else {
        buf->data = mf_realloc(buf->data, keep);
        buf->data[0] = '\0';
    }
    buf->cap = keep;
}

// Makes room for `more` bytes and the terminator; -1 (sticky) when that would pass the maximum.
static int reserve(struct mf_buf *buf, size_t more)
{
    if (buf->overflow || more > buf->max - buf->len) {
        buf->overflow = true;
        return -1;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return 0;
    size_t cap = buf->cap < BUF_FIRST_CAP ? BUF_FIRST_CAP : buf->cap;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    buf->data = mf_realloc(buf->data, cap);
    buf->cap = cap;
    return 0;
}

void mf_buf_reserve(struct mf_buf *buf, size_t len)
{
    size_t most = buf->max < len ? buf->max : len;
    if (buf->overflow || most < buf->cap)
        return;
    buf->data = mf_realloc(buf->data, most + 1);
    buf->data[buf->len] = '\0';
    buf->cap = most + 1;
}

int mf_buf_add(struct mf_buf *buf, const void *data, size_t len)
{
    if (reserve(buf, len) != 0)
        return -1;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

char *mf_buf_extend(struct mf_buf *buf, size_t len)
{
    if (reserve(buf, len) != 0)
        return NULL;
    char *place = buf->data + buf->len;
    buf->len += len;
    buf->data[buf->len] = '\0';
    return place;
}

int mf_buf_add_str(struct mf_buf *buf, struct mf_str s)
{
    return mf_buf_add(buf, s.data, s.len);
}

int mf_buf_add_c(struct mf_buf *buf, const char *c_string)
{
    return mf_buf_add(buf, c_string, strlen(c_string));
}

int mf_buf_add_char(struct mf_buf *buf, char c)
{
    return mf_buf_add(buf, &c, 1);
}

int mf_buf_vaddf(struct mf_buf *buf, const char *fmt, va_list args)
{
    if (reserve(buf, 0) != 0)
        return -1;
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int written = vsnprintf(buf->data + buf->len, room, fmt, args);
    if (written >= 0 && (size_t)written >= room && reserve(buf, (size_t)written) == 0)
        written = vsnprintf(buf->data + buf->len, buf->cap - buf->len, fmt, again);
    va_end(again);
    if (written < 0) // only an encoding error of %ls or a result beyond INT_MAX
        buf->overflow = true;
    if (!buf->overflow)
        buf->len += (size_t)written;
    buf->data[buf->len] = '\0';
    return buf->overflow ? -1 : 0;
}

int mf_buf_addf(struct mf_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int result = mf_buf_vaddf(buf, fmt, args);
    va_end(args);
    return result;
}

struct mf_str mf_buf_str(const struct mf_buf *buf)
{
    // An empty buffer is an empty string, not an absent one.
    return (struct mf_str){buf->data != NULL ? buf->data : "", buf->len};
}

const char *mf_buf_c_str(struct mf_buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}
