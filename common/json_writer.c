// SPDX-License-Identifier: Apache-2.0
// JSON writer. The caller owns the writer and its buffer; the only failure is the buffer's overflow, which
// sticks.
#include "common/json_writer.h"

#include "common/decimal.h"

void mf_jw_init(struct mf_json_writer *w, struct mf_buf *out)
{
    *w = (struct mf_json_writer){.out = out};
}

static uint32_t level_bit(const struct mf_json_writer *w)
{
    return w->depth > 0 ? UINT32_C(1) << (w->depth - 1) : 0;
}

// Before every value: a comma where one is due. In an object a key must have gone before.
static void begin_value(struct mf_json_writer *w)
{
    uint32_t bit = level_bit(w);
    if (w->key_pending) {
        w->key_pending = false;
        return;
    }
    assert((w->in_object & bit) == 0);
    if ((w->not_first & bit) != 0)
        mf_buf_add_char(w->out, ',');
    w->not_first |= bit;
}

static void begin_level(struct mf_json_writer *w, bool is_object)
{
    begin_value(w);
    assert(w->depth < MF_JSON_WRITER_DEPTH);
    w->depth++;
    uint32_t bit = level_bit(w);
    w->not_first &= ~bit;
    w->in_object = is_object ? w->in_object | bit : w->in_object & ~bit;
    mf_buf_add_char(w->out, is_object ? '{' : '[');
}

static void end_level(struct mf_json_writer *w, bool is_object)
{
    assert(w->depth > 0 && !w->key_pending && ((w->in_object & level_bit(w)) != 0) == is_object);
    w->depth--;
    mf_buf_add_char(w->out, is_object ? '}' : ']');
}

void mf_jw_object_begin(struct mf_json_writer *w)
{
    begin_level(w, true);
}

void mf_jw_object_end(struct mf_json_writer *w)
{
    end_level(w, true);
}

void mf_jw_array_begin(struct mf_json_writer *w)
{
    begin_level(w, false);
}

void mf_jw_array_end(struct mf_json_writer *w)
{
    end_level(w, false);
}

// RFC 8259 §7: the quote, the backslash and what is below 0x20 must be escaped, nothing else.
static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct mf_buf *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "btn\0fr"; // 0x08 to 0x0d; 0x0b has no short form
    unsigned char code = (unsigned char)c;
    char escape[6] = {'\\', c};
    size_t len = 2;
    if (code >= 0x08 && code <= 0x0d && code != 0x0b) {
        escape[1] = names[code - 0x08];
    } else if (code < 0x20) {
        escape[1] = 'u';
        escape[2] = '0';
        escape[3] = '0';
        escape[4] = hex[code >> 4];
        escape[5] = hex[code & 15];
        len = 6;
    }
    mf_buf_add(out, escape, len);
}

// The text in quotes, then `after` unless it is 0. Most texts need no escape: they go in one step.
static void put_string(struct mf_buf *out, struct mf_str text, char after)
{
    size_t plain = 0;
    while (plain < text.len && is_plain(text.data[plain]))
        plain++;
    if (plain == text.len) {
        size_t size = text.len + 2 + (after != '\0');
        char *at = mf_buf_extend(out, size);
        if (at == NULL)
            return;
        at[0] = '"';
        if (text.len > 0)
            memcpy(at + 1, text.data, text.len);
        at[text.len + 1] = '"';
        if (after != '\0')
            at[text.len + 2] = after;
        return;
    }
    mf_buf_add_char(out, '"');
    for (size_t start = 0; start < text.len;) {
        size_t end = start;
        while (end < text.len && is_plain(text.data[end]))
            end++;
        mf_buf_add(out, text.data + start, end - start);
        if (end < text.len)
            put_escape(out, text.data[end++]);
        start = end;
    }
    mf_buf_add_char(out, '"');
    if (after != '\0')
        mf_buf_add_char(out, after);
}

void mf_jw_key_str(struct mf_json_writer *w, struct mf_str key)
{
    uint32_t bit = level_bit(w);
    assert((w->in_object & bit) != 0 && !w->key_pending);
    if ((w->not_first & bit) != 0)
        mf_buf_add_char(w->out, ',');
    w->not_first |= bit;
    put_string(w->out, key, ':');
    w->key_pending = true;
}

void mf_jw_key(struct mf_json_writer *w, const char *key)
{
    mf_jw_key_str(w, mf_str_of(key));
}

void mf_jw_string(struct mf_json_writer *w, struct mf_str text)
{
    begin_value(w);
    put_string(w->out, text, '\0');
}

void mf_jw_c_string(struct mf_json_writer *w, const char *text)
{
    mf_jw_string(w, mf_str_of(text));
}

void mf_jw_number_text(struct mf_json_writer *w, struct mf_str text)
{
    // A field left empty by mistake would otherwise be found by every reader of the topic.
    assert(mf_decimal_is_number(text));
    begin_value(w);
    mf_buf_add_str(w->out, text);
}

static void put_integer(struct mf_json_writer *w, uint64_t magnitude, bool negative)
{
    char text[21];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative)
        text[--at] = '-';
    begin_value(w);
    mf_buf_add(w->out, text + at, sizeof text - at);
}

void mf_jw_i64(struct mf_json_writer *w, int64_t value)
{
    put_integer(w, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void mf_jw_u64(struct mf_json_writer *w, uint64_t value)
{
    put_integer(w, value, false);
}

void mf_jw_bool(struct mf_json_writer *w, bool value)
{
    mf_jw_raw(w, value ? MF_STR("true") : MF_STR("false"));
}

void mf_jw_null(struct mf_json_writer *w)
{
    mf_jw_raw(w, MF_STR("null"));
}

void mf_jw_raw(struct mf_json_writer *w, struct mf_str json)
{
    begin_value(w);
    mf_buf_add_str(w->out, json);
}
