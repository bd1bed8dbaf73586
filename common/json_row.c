// SPDX-License-Identifier: Apache-2.0
// Rows without a document (see json_row.h). Nodes are those of the JSON reader, so that mf_json_get and its
// like read them.
#include "common/json_row.h"

#include <stdlib.h>

#include "common/json_node.h"

enum { NUMBER_MAX = 64, STRING_MAX = 256 };

struct mf_json_row {
    struct mf_json_node nodes[1 + MF_JSON_ROW_MEMBERS_MAX]; // the object, its members
};

// Where the reading stands. Nothing is read at `end` or behind it.
struct cursor {
    const char *at, *end;
};

struct mf_json_row *mf_json_row_new(void)
{
    return mf_calloc(1, sizeof(struct mf_json_row));
}

void mf_json_row_free(struct mf_json_row **row)
{
    free(*row);
    *row = NULL;
}

static char peek(const struct cursor *c)
{
    return c->at < c->end ? *c->at : '\0';
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

// Behind the opening quote; false at an escape, a control character, or too far from it.
static bool take_string(struct cursor *c, struct mf_str *text)
{
    const char *from = c->at;
    const char *limit = c->end - from > STRING_MAX ? from + STRING_MAX + 1 : c->end;
    const char *at = from;
    while (at < limit && *at != '"') {
        if ((unsigned char)*at < 0x20 || *at == '\\')
            return false;
        at++;
    }
    if (at == limit)
        return false;
    *text = (struct mf_str){from, (size_t)(at - from)};
    c->at = at + 1;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

// RFC 8259 §6: [-] (0 | 1-9 digits) [. digits] [e [+-] digits]
static bool take_number(struct cursor *c, struct mf_str *text)
{
    const char *from = c->at;
    const char *end = c->end;
    const char *at = from + (peek(c) == '-');
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return false;
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return false;
    }
    *text = (struct mf_str){from, (size_t)(at - from)};
    c->at = at;
    return text->len <= NUMBER_MAX;
}

static bool take_word(struct cursor *c, struct mf_str word)
{
    if ((size_t)(c->end - c->at) < word.len || memcmp(c->at, word.data, word.len) != 0)
        return false;
    c->at += word.len;
    return true;
}

// What follows a word or a number directly is the caller's to check: only a blank, a comma or a brace may.
static bool take_value(struct cursor *c, struct mf_json_node *node)
{
    struct mf_str text = MF_STR_NULL;
    unsigned type;
    bool value = false;
    switch (peek(c)) {
    case '"':
        c->at++;
        type = MF_JSON_STRING;
        if (!take_string(c, &text))
            return false;
        break;
    case 't':
    case 'f':
        type = MF_JSON_BOOL;
        value = *c->at == 't';
        if (!take_word(c, value ? MF_STR("true") : MF_STR("false")))
            return false;
        break;
    case 'n':
        type = MF_JSON_NULL;
        if (!take_word(c, MF_STR("null")))
            return false;
        break;
    default:
        type = MF_JSON_NUMBER;
        if (!take_number(c, &text))
            return false;
    }
    node->text = text.data;
    node->length = type == MF_JSON_BOOL ? value : (uint32_t)text.len;
    node->type = type & 0xff;
    return true;
}

static bool has_key(const struct mf_json_row *row, uint32_t count, const struct mf_json_node *member)
{
    for (uint32_t i = 1; i <= count; i++) {
        const struct mf_json_node *other = &row->nodes[i];
        if (other->key_hash == member->key_hash && other->key_length == member->key_length &&
            memcmp(other->key, member->key, member->key_length) == 0)
            return true;
    }
    return false;
}

// From the key's opening quote to behind the value.
static bool take_member(struct cursor *c, struct mf_json_row *row, uint32_t count, uint64_t *seen)
{
    struct mf_json_node *node = &row->nodes[count + 1];
    struct mf_str key;
    if (!take(c, '"') || !take_string(c, &key))
        return false;
    *node = (struct mf_json_node){.key = key.data,
                                  .key_length = (uint32_t)key.len & MF_JSON_KEY_LENGTH_MAX,
                                  .key_hash = mf_json_hash_key(key.data, key.len),
                                  .next = 1};
    uint64_t bit = UINT64_C(1) << (node->key_hash & 63);
    if ((*seen & bit) != 0 && has_key(row, count, node))
        return false;
    *seen |= bit;
    skip_blanks(c);
    if (!take(c, ':'))
        return false;
    skip_blanks(c);
    return take_value(c, node);
}

size_t mf_json_row_read(struct mf_json_row *row, struct mf_str text, const struct mf_json_node **root)
{
    struct cursor c = {text.data, text.data + text.len};
    uint32_t count = 0;
    uint64_t seen = 0;
    if (!take(&c, '{'))
        return 0;
    skip_blanks(&c);
    if (!take(&c, '}')) {
        do {
            skip_blanks(&c);
            if (count == MF_JSON_ROW_MEMBERS_MAX || !take_member(&c, row, count, &seen))
                return 0;
            count++;
            skip_blanks(&c);
        } while (take(&c, ','));
        if (!take(&c, '}'))
            return 0;
        row->nodes[count].next = 0;
    }
    row->nodes[0] = (struct mf_json_node){.length = count, .type = MF_JSON_OBJECT};
    *root = row->nodes;
    return (size_t)(c.at - text.data);
}
