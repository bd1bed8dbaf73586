// SPDX-License-Identifier: Apache-2.0
// JSON reader: yajl's events become a tape of nodes in document order. The text is copied first, so that
// views of plain strings and numbers point into memory of our own; only strings with escapes are copied
// again. The document owns all of it. Failure class: POISON.
#include "common/json_reader.h"

#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "common/json_node.h"
#include "common/json_pool.h"

enum { TAPE_FIRST = 64, SEEN_WORDS = 4 };

static const size_t SIZE_LIMIT_MAX = (size_t)1 << 30; // offsets are 32 bits

const struct mf_json_limits mf_json_limits_event = {
    .size = (size_t)256 * 1024,
    .depth = 32,
    .string_length = (size_t)256 * 1024,
    .object_keys = 256,
    .array_items = 50000,
    .number_length = 64,
};

const struct mf_json_limits mf_json_limits_dead_letter = {
    .size = (size_t)384 * 1024,
    .depth = 32,
    .string_length = (size_t)384 * 1024,
    .object_keys = 256,
    .array_items = 50000,
    .number_length = 64,
};

const struct mf_json_limits mf_json_limits_body = {
    .size = (size_t)8 * 1024 * 1024,
    .depth = 32,
    .string_length = (size_t)256 * 1024,
    .object_keys = 256,
    .array_items = 50000,
    .number_length = 64,
};

// An object or array that is still open.
struct level {
    uint32_t node;
    uint32_t last; // the latest child; 0 = none yet, for the root is nobody's child
    uint32_t count;
    bool is_object;
    uint64_t seen[SEEN_WORDS]; // bit per 8 bits of key hash: an unset one proves a key new without a search
};

struct mf_json {
    char *text;
    size_t text_cap, text_len;
    char
        *decoded; // strings that had escapes; never longer in sum than the text, so it never moves in a parse
    size_t decoded_cap, decoded_len;
    bool has_escapes;
    struct mf_json_node *tape;
    uint32_t tape_cap, tape_len;
    struct level levels[MF_JSON_DEPTH_MAX];
    unsigned depth;
    struct mf_str key; // of the value to come
    uint32_t key_hash;
    const struct mf_json_limits *limits;
    struct mf_error *err;
    struct mf_json_pool pool;
};

struct mf_json *mf_json_new(void)
{
    return mf_calloc(1, sizeof(struct mf_json));
}

void mf_json_free(struct mf_json **json)
{
    if (json == NULL || *json == NULL)
        return;
    mf_json_trim(*json, 0);
    free(*json);
    *json = NULL;
}

void mf_json_trim(struct mf_json *json, size_t keep)
{
    // Four blocks of memory; each may keep a quarter.
    if (json->text_cap > keep / 4) {
        free(json->text);
        json->text = NULL;
        json->text_cap = 0;
    }
    if (json->decoded_cap > keep / 4) {
        free(json->decoded);
        json->decoded = NULL;
        json->decoded_cap = 0;
    }
    if (json->tape_cap * sizeof *json->tape > keep / 4) {
        free(json->tape);
        json->tape = NULL;
        json->tape_cap = 0;
    }
    if (json->pool.cap > keep / 4)
        mf_json_pool_free(&json->pool);
}

// For the callbacks, whose 0 makes yajl stop.
#define REFUSE(json, ...) (mf_error_set((json)->err, MF_ERROR_POISON, __VA_ARGS__), 0)

// A view that outlives yajl: of our copy of the text where yajl points into it, else of a copy of what yajl
// decoded.
static const char *keep_text(struct mf_json *json, const void *data, size_t len)
{
    uintptr_t at = (uintptr_t)data;
    uintptr_t start = (uintptr_t)json->text;
    if (at >= start && at - start <= json->text_len)
        return data;
    if (json->decoded_cap < json->text_len) {
        // Only ever the first one of a parse: nothing points here yet.
        assert(json->decoded_len == 0);
        free(json->decoded);
        json->decoded = mf_alloc(json->text_len);
        json->decoded_cap = json->text_len;
    }
    assert(len <= json->decoded_cap - json->decoded_len);
    char *copy = json->decoded + json->decoded_len;
    memcpy(copy, data, len);
    json->decoded_len += len;
    json->has_escapes = true;
    return copy;
}

static int add_node(struct mf_json *json, enum mf_json_type type, const char *text, size_t len)
{
    struct level *parent = json->depth > 0 ? &json->levels[json->depth - 1] : NULL;
    if (parent != NULL && !parent->is_object && parent->count >= json->limits->array_items)
        return REFUSE(json, "json_items", "an array of more than %u items", json->limits->array_items);
    if (json->tape_len >= MF_JSON_NODES_MAX)
        return REFUSE(json, "json_items", "more than %d values in all", MF_JSON_NODES_MAX);
    if (json->tape_len == json->tape_cap) {
        json->tape_cap = json->tape_cap > 0 ? json->tape_cap * 2 : TAPE_FIRST;
        json->tape = mf_realloc(json->tape, json->tape_cap * sizeof *json->tape);
    }
    uint32_t index = json->tape_len++;
    struct mf_json_node *node = &json->tape[index];
    *node = (struct mf_json_node){.text = text, .length = (uint32_t)len, .type = (uint32_t)type & 0xff};
    if (parent == NULL)
        return 1;
    if (parent->is_object) {
        node->key = json->key.data;
        node->key_length = (uint32_t)json->key.len & MF_JSON_KEY_LENGTH_MAX;
        node->key_hash = json->key_hash;
    }
    if (parent->last > 0)
        json->tape[parent->last].next = index - parent->last;
    parent->last = index;
    parent->count++;
    return 1;
}

static int on_null(void *context)
{
    return add_node(context, MF_JSON_NULL, NULL, 0);
}

static int on_boolean(void *context, int value)
{
    return add_node(context, MF_JSON_BOOL, NULL, value != 0);
}

static int on_number(void *context, const char *text, size_t len)
{
    struct mf_json *json = context;
    if (len > json->limits->number_length)
        return REFUSE(json, "json_number_length", "a number of more than %zu characters",
                      json->limits->number_length);
    return add_node(json, MF_JSON_NUMBER, keep_text(json, text, len), len);
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    struct mf_json *json = context;
    if (len > json->limits->string_length)
        return REFUSE(json, "json_string_length", "a string of more than %zu bytes",
                      json->limits->string_length);
    return add_node(json, MF_JSON_STRING, keep_text(json, text, len), len);
}

static bool node_has_key(const struct mf_json_node *node, const char *key, size_t len, uint32_t hash)
{
    return node->key_hash == hash && node->key_length == len &&
           (len == 0 || memcmp(node->key, key, len) == 0);
}

static const struct mf_json_node *sibling(const struct mf_json_node *node)
{
    return node->next > 0 ? node + node->next : NULL;
}

static int on_map_key(void *context, const unsigned char *text, size_t len)
{
    struct mf_json *json = context;
    struct level *object = &json->levels[json->depth - 1];
    if (len > json->limits->string_length || len > MF_JSON_KEY_LENGTH_MAX)
        return REFUSE(json, "json_string_length", "a key of more than %zu bytes",
                      json->limits->string_length);
    if (object->count >= json->limits->object_keys)
        return REFUSE(json, "json_keys", "an object of more than %u members", json->limits->object_keys);
    json->key = (struct mf_str){keep_text(json, text, len), len};
    json->key_hash = mf_json_hash_key(json->key.data, len);
    uint64_t bit = UINT64_C(1) << (json->key_hash & 63);
    uint64_t *word = &object->seen[json->key_hash >> 6 & (SEEN_WORDS - 1)];
    if ((*word & bit) != 0) {
        for (const struct mf_json_node *at = &json->tape[object->node + 1]; at != NULL; at = sibling(at)) {
            if (node_has_key(at, json->key.data, len, json->key_hash))
                return REFUSE(json, "json_duplicate_key", "two members \"%.*s\" in one object",
                              MF_STR_ARG(json->key));
        }
    }
    *word |= bit;
    return 1;
}

static int open_level(struct mf_json *json, enum mf_json_type type)
{
    if (json->depth >= json->limits->depth)
        return REFUSE(json, "json_depth", "nested deeper than %u", json->limits->depth);
    if (!add_node(json, type, NULL, 0))
        return 0;
    json->levels[json->depth++] =
        (struct level){.node = json->tape_len - 1, .is_object = type == MF_JSON_OBJECT};
    return 1;
}

static int close_level(void *context)
{
    struct mf_json *json = context;
    const struct level *closed = &json->levels[--json->depth];
    json->tape[closed->node].length = closed->count;
    return 1;
}

static int on_start_map(void *context)
{
    return open_level(context, MF_JSON_OBJECT);
}

static int on_start_array(void *context)
{
    return open_level(context, MF_JSON_ARRAY);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number, // set: every number arrives as its raw text
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = close_level,
    .yajl_start_array = on_start_array,
    .yajl_end_array = close_level,
};

static unsigned hex4(const char *text)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)text[i];
        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

// What yajl lets pass: it writes "?" for half a surrogate pair, an invalid sequence for the other half, and a
// NUL where a C program would end the string. The text is known to be JSON, so every backslash begins a whole
// escape.
static int check_escapes(struct mf_json *json)
{
    const char *end = json->text + json->text_len;
    const char *at = json->text;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (at[1] != 'u') {
            at += 2;
            continue;
        }
        unsigned code = hex4(at + 2);
        at += 6;
        if (code == 0)
            return REFUSE(json, "json_string", "a NUL character in a string");
        if (code < 0xd800 || code > 0xdfff)
            continue;
        bool paired = code < 0xdc00 && at[0] == '\\' && at[1] == 'u';
        unsigned low = paired ? hex4(at + 2) : 0;
        if (low < 0xdc00 || low > 0xdfff)
            return REFUSE(json, "json_string", "a surrogate without its pair in a string");
        at += 6;
    }
    return 1;
}

// The sentence of yajl without its line end.
static int refuse_syntax(struct mf_json *json, yajl_handle handle, size_t at)
{
    unsigned char *text = yajl_get_error(handle, 0, NULL, 0);
    struct mf_str sentence = mf_str_of((const char *)text);
    while (sentence.len > 0 && sentence.data[sentence.len - 1] == '\n')
        sentence.len--;
    int result = REFUSE(json, "json_syntax", "near byte %zu: %.*s", at, MF_STR_ARG(sentence));
    yajl_free_error(handle, text);
    return result;
}

// 1, or 0 with the error set. The handle is never freed: its memory is the pool's.
static int run_yajl(struct mf_json *json)
{
    yajl_alloc_funcs memory = {mf_json_pool_alloc, mf_json_pool_realloc, mf_json_pool_release, &json->pool};
    yajl_handle handle = yajl_alloc(&callbacks, &memory, json);
    yajl_config(handle, yajl_dont_validate_strings, 1); // done already, and more strictly
    // The blank behind the text ends a number there; without it yajl would copy the number to memory of its
    // own.
    yajl_status status = yajl_parse(handle, (const unsigned char *)json->text, json->text_len + 1);
    size_t at = yajl_get_bytes_consumed(handle);
    if (status == yajl_status_ok) { // what is missing is missing at the end; yajl counts anew there
        status = yajl_complete_parse(handle);
        at = json->text_len;
    }
    if (status == yajl_status_error)
        return refuse_syntax(json, handle, at);
    return status == yajl_status_ok;
}

int mf_json_parse(struct mf_json *json, struct mf_str text, const struct mf_json_limits *limits,
                  const struct mf_json_node **root, struct mf_error *err)
{
    assert(limits->depth <= MF_JSON_DEPTH_MAX && limits->size <= SIZE_LIMIT_MAX);
    if (text.len > limits->size)
        return mf_error_set(err, MF_ERROR_POISON, "json_size", "%zu bytes, more than %zu", text.len,
                            limits->size);
    if (!mf_str_is_utf8(text))
        return mf_error_set(err, MF_ERROR_POISON, "json_syntax", "not UTF-8");
    if (json->text_cap < text.len + 1) {
        free(json->text);
        json->text = mf_alloc(text.len + 1);
        json->text_cap = text.len + 1;
    }
    if (text.len > 0)
        memcpy(json->text, text.data, text.len);
    json->text[text.len] = ' ';
    json->text_len = text.len;
    json->decoded_len = 0;
    json->has_escapes = false;
    json->tape_len = 0;
    json->depth = 0;
    json->limits = limits;
    json->err = err;
    bool done = run_yajl(json) && (!json->has_escapes || check_escapes(json));
    json->err = NULL;
    json->limits = NULL;
    mf_json_pool_reset(&json->pool); // yajl's own memory is not needed any more
    if (!done)
        return -1;
    *root = &json->tape[0];
    return 0;
}

enum mf_json_type mf_json_type(const struct mf_json_node *node)
{
    assert(node != NULL);
    return (enum mf_json_type)node->type;
}

const char *mf_json_type_name(enum mf_json_type type)
{
    static const char *const names[] = {
        [MF_JSON_NULL] = "null",     [MF_JSON_BOOL] = "boolean", [MF_JSON_NUMBER] = "number",
        [MF_JSON_STRING] = "string", [MF_JSON_ARRAY] = "array",  [MF_JSON_OBJECT] = "object",
    };
    return (size_t)type < MF_ARRAY_LEN(names) ? names[type] : "unknown";
}

struct mf_str mf_json_text(const struct mf_json_node *node)
{
    if (node == NULL || node->text == NULL)
        return MF_STR_NULL;
    return (struct mf_str){node->text, node->length};
}

bool mf_json_bool(const struct mf_json_node *node)
{
    assert(node != NULL && node->type == MF_JSON_BOOL);
    return node->length != 0;
}

const struct mf_json_node *mf_json_get(const struct mf_json_node *node, const char *key)
{
    if (node == NULL || node->type != MF_JSON_OBJECT || node->length == 0)
        return NULL;
    size_t len = strlen(key);
    uint32_t hash = mf_json_hash_key(key, len);
    for (const struct mf_json_node *at = node + 1; at != NULL; at = sibling(at)) {
        if (node_has_key(at, key, len, hash))
            return at;
    }
    return NULL;
}

size_t mf_json_count(const struct mf_json_node *node)
{
    bool container = node != NULL && (node->type == MF_JSON_ARRAY || node->type == MF_JSON_OBJECT);
    return container ? node->length : 0;
}

const struct mf_json_node *mf_json_first(const struct mf_json_node *node)
{
    return mf_json_count(node) > 0 ? node + 1 : NULL;
}

const struct mf_json_node *mf_json_next(const struct mf_json_node *node)
{
    return node != NULL ? sibling(node) : NULL;
}

struct mf_str mf_json_key(const struct mf_json_node *node)
{
    if (node == NULL || node->key == NULL)
        return MF_STR_NULL;
    return (struct mf_str){node->key, node->key_length};
}
