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

struct mf_json_row *mf_json_row_new(void)
{
    return mf_calloc(1, sizeof(struct mf_json_row));
}

void mf_json_row_free(struct mf_json_row **row)
{
    free(*row);
    *row = NULL;
}

// Functions that read return what is behind, or NULL when it is not what they take. They pass the place on by
// value: through a pointer it would be written to memory after every byte. Nothing is read at `end`.

static inline const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

// From behind the opening quote to behind the closing one; no escape and no control character.
static inline const char *read_string(const char *at, const char *end, struct mf_str *text)
{
    const char *from = at;
    const char *limit = end - from > STRING_MAX ? from + STRING_MAX + 1 : end;
    while (at < limit && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    if (at == limit || *at != '"')
        return NULL;
    *text = (struct mf_str){from, (size_t)(at - from)};
    return at + 1;
}

// Eight at a time: with the digits' common bits taken away, a byte above 9 has a high bit, or gets one by
// adding 6 (Lemire's test). What carries from one byte to the next lies behind a byte that is no digit.
static inline const char *skip_digits(const char *at, const char *end)
{
    uint64_t word;
    while ((size_t)(end - at) >= sizeof word) {
        memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word ^= UINT64_C(0x3030303030303030);
        uint64_t other = (word | (word + UINT64_C(0x0606060606060606))) & UINT64_C(0xf0f0f0f0f0f0f0f0);
        if (other != 0)
            return at + __builtin_ctzll(other) / 8;
        at += sizeof word;
    }
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

// RFC 8259 §6: [-] (0 | 1-9 digits) [. digits] [e [+-] digits]
static inline const char *read_number(const char *from, const char *end, struct mf_str *text)
{
    const char *digits = from + (from < end && *from == '-');
    const char *at = skip_digits(digits, end);
    if (at == digits || (*digits == '0' && at - digits > 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        digits += digits < end && (*digits == '+' || *digits == '-');
        at = skip_digits(digits, end);
        if (at == digits)
            return NULL;
    }
    *text = (struct mf_str){from, (size_t)(at - from)};
    return text->len <= NUMBER_MAX ? at : NULL;
}

static const char *read_word(const char *at, const char *end, struct mf_json_node *node)
{
    static const struct {
        struct mf_str word;
        enum mf_json_type type;
        uint32_t value;
    } words[] = {
        {{"true", 4}, MF_JSON_BOOL, 1}, {{"false", 5}, MF_JSON_BOOL, 0}, {{"null", 4}, MF_JSON_NULL, 0}};
    for (size_t i = 0; i < MF_ARRAY_LEN(words); i++) {
        struct mf_str word = words[i].word;
        if ((size_t)(end - at) < word.len || memcmp(at, word.data, word.len) != 0)
            continue;
        node->text = NULL;
        node->length = words[i].value;
        node->type = (uint32_t)words[i].type & 0xff;
        return at + word.len;
    }
    return NULL;
}

// What follows a word or a number directly is the caller's to check: only a blank, a comma or a brace may.
static inline const char *read_value(const char *at, const char *end, struct mf_json_node *node)
{
    struct mf_str text;
    bool string = at < end && *at == '"';
    if (at < end && *at >= 'a')
        return read_word(at, end, node);
    at = string ? read_string(at + 1, end, &text) : read_number(at, end, &text);
    if (at == NULL)
        return NULL;
    node->text = text.data;
    node->length = (uint32_t)text.len;
    node->type = string ? MF_JSON_STRING : MF_JSON_NUMBER;
    return at;
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
static inline const char *read_member(const char *at, const char *end, struct mf_json_row *row,
                                      uint32_t count, uint64_t *seen)
{
    struct mf_json_node *node = &row->nodes[count + 1];
    struct mf_str key;
    if (at == end || *at != '"' || (at = read_string(at + 1, end, &key)) == NULL)
        return NULL;
    node->key = key.data;
    node->key_length = (uint32_t)key.len & MF_JSON_KEY_LENGTH_MAX;
    node->key_hash = mf_json_hash_key(key.data, key.len);
    node->next = 1;
    uint64_t bit = UINT64_C(1) << (node->key_hash & 63);
    if ((*seen & bit) != 0 && has_key(row, count, node))
        return NULL;
    *seen |= bit;
    at = skip_blanks(at, end);
    if (at == end || *at != ':')
        return NULL;
    return read_value(skip_blanks(at + 1, end), end, node);
}

size_t mf_json_row_read(struct mf_json_row *row, struct mf_str text, const struct mf_json_node **root)
{
    const char *at = text.data;
    const char *end = text.data + text.len;
    uint32_t count = 0;
    uint64_t seen = 0;
    if (at == end || *at != '{')
        return 0;
    at = skip_blanks(at + 1, end);
    bool empty = at < end && *at == '}';
    for (bool more = !empty; more; more = *at++ == ',') {
        if (count == MF_JSON_ROW_MEMBERS_MAX)
            return 0;
        at = read_member(skip_blanks(at, end), end, row, count++, &seen);
        if (at == NULL || (at = skip_blanks(at, end)) == end || (*at != ',' && *at != '}'))
            return 0;
    }
    row->nodes[count].next = 0;
    row->nodes[0] = (struct mf_json_node){.length = count, .type = MF_JSON_OBJECT};
    *root = row->nodes;
    return (size_t)(at + empty - text.data);
}
