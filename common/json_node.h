// SPDX-License-Identifier: Apache-2.0
// What a node is, and how keys are told apart: private to the JSON reader (json_reader.c) and the reader of
// single rows (json_row.c), whose nodes are of one kind.
#ifndef MF_JSON_NODE_H
#define MF_JSON_NODE_H

#include "common/json_reader.h"

#define MF_JSON_KEY_LENGTH_MAX 0xffffffu // what a node can hold

// 32 bytes. A container's first child, if it has any, is the next node.
struct mf_json_node {
    const char *text; // strings: decoded; numbers: raw; else NULL
    const char *key;  // members only
    uint32_t length;  // of text; containers: number of children; booleans: the value
    uint32_t next;    // nodes from here to the next sibling; 0 = the last one
    uint32_t key_hash;
    uint32_t key_length : 24;
    uint32_t type : 8;
};

// From both ends and the length: what tells the names of fields apart. Collisions only cost a comparison.
static inline uint32_t mf_json_hash_key(const char *key, size_t len)
{
    uint64_t head = 0;
    uint64_t tail = 0;
    if (len >= 8) {
        memcpy(&head, key, 8);
        memcpy(&tail, key + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&head, key, 4);
        memcpy(&tail, key + len - 4, 4);
    } else if (len > 0) {
        head = (uint64_t)(unsigned char)key[0] | (uint64_t)(unsigned char)key[len / 2] << 8 |
               (uint64_t)(unsigned char)key[len - 1] << 16;
    }
    uint64_t mixed = (head ^ (tail << 23 | tail >> 41) ^ len) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
    return (uint32_t)((mixed * UINT64_C(0xbf58476d1ce4e5b9)) >> 32);
}

#endif
