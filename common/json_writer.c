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

// Before every value: is a comma due? In an object a key must have gone before.
static bool begin_value(struct mf_json_writer *w)
{
    uint32_t bit = level_bit(w);
    if (w->key_pending) {
        w->key_pending = false;
        return false;
    }
    assert((w->in_object & bit) == 0);
    bool comma = (w->not_first & bit) != 0;
    w->not_first |= bit;
    return comma;
}

static void put_value(struct mf_json_writer *w, const char *text, size_t len)
{
    bool comma = begin_value(w);
    char *at = mf_buf_extend(w->out, len + comma);
    if (at == NULL)
        return;
    if (comma)
        *at++ = ',';
    if (len > 0)
        memcpy(at, text, len);
}

static void begin_level(struct mf_json_writer *w, bool is_object)
{
    assert(w->depth < MF_JSON_WRITER_DEPTH);
    put_value(w, is_object ? "{" : "[", 1);
    w->depth++;
    uint32_t bit = level_bit(w);
    w->not_first &= ~bit;
    w->in_object = is_object ? w->in_object | bit : w->in_object & ~bit;
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

// Does one of eight bytes need an escape? A byte below n borrows when n is taken away from it and had its top
// bit clear before; a byte equal to c is below 1 after an exclusive or with c. A borrow can only mark bytes
// above a marked one.
static bool word_is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ ones * '"';
    uint64_t backslash = word ^ ones * '\\';
    uint64_t marked =
        ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    return (marked & ones * 0x80) == 0;
}

// How many bytes from the start need no escape.
static size_t plain_run(const char *text, size_t len)
{
    size_t run = 0;
    uint64_t word;
    for (; len - run >= sizeof word; run += sizeof word) {
        memcpy(&word, text + run, sizeof word);
        if (!word_is_plain(word))
            break;
    }
    if (run > 0 && len - run < sizeof word) {
        // The rest of a long text, together with bytes that were seen already.
        memcpy(&word, text + len - sizeof word, sizeof word);
        if (word_is_plain(word))
            return len;
    }
    while (run < len && is_plain(text[run]))
        run++;
    return run;
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

// The text in quotes, a comma before it and a colon behind it where they are due.
static void put_plain(struct mf_buf *out, bool comma, struct mf_str text, bool colon)
{
    char *at = mf_buf_extend(out, text.len + 2 + comma + colon);
    if (at == NULL)
        return;
    if (comma)
        *at++ = ',';
    *at++ = '"';
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    at[text.len] = '"';
    if (colon)
        at[text.len + 1] = ':';
}

// The same for any text. Most need no escape: they go in one step.
static void put_string(struct mf_buf *out, bool comma, struct mf_str text, bool colon)
{
    size_t plain = plain_run(text.data, text.len);
    if (plain == text.len) {
        put_plain(out, comma, text, colon);
        return;
    }
    mf_buf_add_c(out, comma ? ",\"" : "\"");
    mf_buf_add(out, text.data, plain);
    for (size_t at = plain; at < text.len;) {
        put_escape(out, text.data[at++]);
        plain = plain_run(text.data + at, text.len - at);
        mf_buf_add(out, text.data + at, plain);
        at += plain;
    }
    mf_buf_add_c(out, colon ? "\":" : "\"");
}

// Is a comma due before the key?
static bool begin_key(struct mf_json_writer *w)
{
    uint32_t bit = level_bit(w);
    assert((w->in_object & bit) != 0 && !w->key_pending);
    bool comma = (w->not_first & bit) != 0;
    w->not_first |= bit;
    w->key_pending = true;
    return comma;
}

void mf_jw_key_str(struct mf_json_writer *w, struct mf_str key)
{
    put_string(w->out, begin_key(w), key, true);
}

void mf_jw_plain_key(struct mf_json_writer *w, struct mf_str key)
{
    put_plain(w->out, begin_key(w), key, true);
}

void mf_jw_key(struct mf_json_writer *w, const char *key)
{
    mf_jw_key_str(w, mf_str_of(key));
}

void mf_jw_string(struct mf_json_writer *w, struct mf_str text)
{
    put_string(w->out, begin_value(w), text, false);
}

void mf_jw_c_string(struct mf_json_writer *w, const char *text)
{
    mf_jw_string(w, mf_str_of(text));
}

void mf_jw_number_text(struct mf_json_writer *w, struct mf_str text)
{
    // A field left empty by mistake would otherwise be found by every reader of the topic.
    assert(mf_decimal_is_number(text));
    put_value(w, text.data, text.len);
}

void mf_jw_i64(struct mf_json_writer *w, int64_t value)
{
    char text[MF_INTEGER_TEXT_SIZE];
    put_value(w, text, mf_i64_text(value, text));
}

void mf_jw_u64(struct mf_json_writer *w, uint64_t value)
{
    char text[MF_INTEGER_TEXT_SIZE];
    put_value(w, text, mf_u64_text(value, text));
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
    put_value(w, json.data, json.len);
}

void mf_jw_member_u64(struct mf_json_writer *w, const char *key, uint64_t value)
{
    mf_jw_key(w, key);
    mf_jw_u64(w, value);
}

void mf_jw_member_text(struct mf_json_writer *w, const char *key, const char *text)
{
    mf_jw_key(w, key);
    mf_jw_c_string(w, text);
}
