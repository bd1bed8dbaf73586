// SPDX-License-Identifier: Apache-2.0
// JSON reader (yajl as the tokenizer behind our own limits): a flat tape of nodes with raw number text.
// Rejects, as POISON: invalid JSON or UTF-8 ("json_syntax"), NUL characters and lone surrogates
// ("json_string"), duplicate keys ("json_duplicate_key"), and anything beyond the limits ("json_depth",
// "json_string_length", "json_keys", "json_items", "json_number_length", "json_size"). NaN and Infinity are
// not JSON and fail as syntax. Ownership: the document owns every view it hands out until the next parse or
// free; parsing again reuses its memory.
#ifndef MF_JSON_READER_H
#define MF_JSON_READER_H

#include "error.h"

#define MF_JSON_DEPTH_MAX 64      // the largest depth limit that may be asked for
#define MF_JSON_NODES_MAX 1000000 // values of one document ("json_items"); 32 bytes of memory each

struct mf_json_limits {
    size_t size;          // bytes of the whole text, at most 1 GiB
    unsigned depth;       // nesting of objects and arrays
    size_t string_length; // bytes of one decoded string or key
    unsigned object_keys; // members of one object
    unsigned array_items; // items of one array
    size_t number_length; // characters of one number
};
// Kafka values: 256 KiB, depth 32, strings 256 KiB (one text may fill the event; shorter limits belong to the
// fields), 256 keys, 50 000 items, numbers of 64 characters.
extern const struct mf_json_limits mf_json_limits_event;
// Dead letters: 384 KiB and strings of that size, for they carry another value as base64; the rest the same.
extern const struct mf_json_limits mf_json_limits_dead_letter;
// Provider bodies: 8 MiB, the rest as events.
extern const struct mf_json_limits mf_json_limits_body;

enum mf_json_type {
    MF_JSON_NULL,
    MF_JSON_BOOL,
    MF_JSON_NUMBER,
    MF_JSON_STRING,
    MF_JSON_ARRAY,
    MF_JSON_OBJECT
};

struct mf_json;      // a document
struct mf_json_node; // a value in it

struct mf_json *mf_json_new(void);
void mf_json_free(struct mf_json **json);
// Parses the whole text (one value, blanks around it). On success *root is the top value; on failure it is
// left alone, and the views of the document before are gone all the same. Allocates nothing once it has seen
// a document of that size.
int mf_json_parse(struct mf_json *json, struct mf_str text, const struct mf_json_limits *limits,
                  const struct mf_json_node **root, struct mf_error *err);
// Gives back memory above `keep` bytes after an unusually large document (the views die).
void mf_json_trim(struct mf_json *json, size_t keep);

enum mf_json_type mf_json_type(const struct mf_json_node *node); // node != NULL (asserted)
const char *mf_json_type_name(enum mf_json_type type);           // "string", …
// Everything below but the two asserted ones takes NULL as an absent value: no text, no members, no sibling.
// Strings: decoded text. Numbers: the raw text. Else absent.
struct mf_str mf_json_text(const struct mf_json_node *node);
bool mf_json_bool(const struct mf_json_node *node); // BOOL only (asserted)

// Member of an object, NULL when absent (or when node is not an object). Linear in the number of members.
const struct mf_json_node *mf_json_get(const struct mf_json_node *node, const char *key);
size_t mf_json_count(const struct mf_json_node *node); // items or members; 0 for scalars
// Iteration: first child and next sibling, in document order; NULL at the end. For members, mf_json_key is
// the key.
const struct mf_json_node *mf_json_first(const struct mf_json_node *node);
const struct mf_json_node *mf_json_next(const struct mf_json_node *node);
struct mf_str mf_json_key(const struct mf_json_node *node);

#endif
