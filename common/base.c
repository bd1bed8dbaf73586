// SPDX-License-Identifier: Apache-2.0
// String views and allocation that aborts. Owns nothing; no failure classes.
#include "common/base.h"

#include <stdio.h>
#include <stdlib.h>

struct mf_str mf_str_of(const char *c_string)
{
    if (c_string == NULL)
        return MF_STR_NULL;
    return (struct mf_str){c_string, strlen(c_string)};
}

bool mf_str_eq(struct mf_str a, struct mf_str b)
{
    // memcmp must not see NULL, even for zero bytes.
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool mf_str_eq_c(struct mf_str a, const char *c_string)
{
    return mf_str_eq(a, mf_str_of(c_string));
}

bool mf_str_starts_with(struct mf_str s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && (len == 0 || memcmp(s.data, prefix, len) == 0);
}

int mf_str_cmp(struct mf_str a, struct mf_str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool mf_str_copy(char *dst, size_t dst_size, struct mf_str s)
{
    assert(dst_size > 0);
    dst[0] = '\0';
    if (s.len >= dst_size)
        return false;
    if (s.len > 0)
        memcpy(dst, s.data, s.len);
    dst[s.len] = '\0';
    return true;
}

bool mf_str_to_i64(struct mf_str s, int64_t *out)
{
    size_t at = 0;
    bool negative = false;
    if (s.len > 0 && (s.data[0] == '-' || s.data[0] == '+')) {
        negative = s.data[0] == '-';
        at = 1;
    }
    if (at == s.len)
        return false;
    // Collected as a negative number, whose range is one larger.
    int64_t value = 0;
    for (; at < s.len; at++) {
        unsigned digit = (unsigned)(unsigned char)s.data[at] - '0';
        if (digit > 9)
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

// Length of the well-formed UTF-8 sequence at the start of text (1 to 4), 0 when there is none. The ranges
// are those of table 3-7 of the Unicode standard: the second byte carries every restriction.
static size_t utf8_sequence(const unsigned char *text, size_t len)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len < need)
        return 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0; // overlong
    else if (lead == 0xed)
        high = 0x9f; // surrogates
    else if (lead == 0xf0)
        low = 0x90; // overlong
    else if (lead == 0xf4)
        high = 0x8f; // beyond U+10FFFF
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return need;
}

bool mf_str_is_utf8(struct mf_str s)
{
    const unsigned char *text = (const unsigned char *)s.data;
    size_t at = 0;
    while (at < s.len) {
        uint64_t words[4];
        if (s.len - at >= sizeof words) {
            // A block of ASCII at a time: what nearly all market data is made of.
            memcpy(words, text + at, sizeof words);
            if (((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof words;
                continue;
            }
        }
        size_t length = utf8_sequence(text + at, s.len - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t mf_u64_text(uint64_t value, char out[MF_INTEGER_TEXT_SIZE - 1])
{
    char text[MF_INTEGER_TEXT_SIZE];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t mf_i64_text(int64_t value, char out[MF_INTEGER_TEXT_SIZE])
{
    if (value >= 0)
        return mf_u64_text((uint64_t)value, out);
    out[0] = '-';
    return 1 + mf_u64_text(-(uint64_t)value, out + 1);
}

// Going on without the memory would mean an untested path in every caller; the supervisor restarts us
// instead.
static void *checked(void *memory, size_t size)
{
    if (memory == NULL) {
        fprintf(stderr, "out of memory (%zu bytes)\n", size);
        abort();
    }
    return memory;
}

// malloc(0) may be NULL, which callers are promised never to see.
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *mf_alloc(size_t size)
{
    return checked(malloc(at_least_one(size)), size);
}

void *mf_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        return checked(calloc(1, 1), 0);
    return checked(calloc(count, size), count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void *mf_realloc(void *old, size_t size)
{
    return checked(realloc(old, at_least_one(size)), size);
}

char *mf_strdup(const char *c_string)
{
    return mf_strndup(mf_str_of(c_string));
}

char *mf_strndup(struct mf_str s)
{
    char *copy = mf_alloc(s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}
