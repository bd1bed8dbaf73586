// SPDX-License-Identifier: Apache-2.0
// Base64 of RFC 4648 §4, canonical form only (§3.5: padding present, unused bits zero). Pure.
#include "common/hash.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t mf_base64_encode(const void *data, size_t len, char *out, size_t out_size)
{
    const unsigned char *bytes = data;
    if (len > SIZE_MAX / 4 || out_size < (len + 2) / 3 * 4)
        return 0;
    size_t used = 0;
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        if (left > 1)
            group |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2)
            group |= bytes[at + 2];
        out[used++] = alphabet[group >> 18];
        out[used++] = alphabet[group >> 12 & 63];
        out[used++] = '=';
        out[used++] = '=';
        if (left > 1)
            out[used - 2] = alphabet[group >> 6 & 63];
        if (left > 2)
            out[used - 1] = alphabet[group & 63];
    }
    if (used < out_size)
        out[used] = '\0';
    return used;
}

// 0..63, or 64 for a character outside the alphabet.
static uint32_t digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool mf_base64_decode(struct mf_str text, unsigned char *out, size_t out_size, size_t *out_len)
{
    if (text.len % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    size_t total = text.len / 4 * 3 - padding;
    if (total > out_size)
        return false;
    uint32_t group = 0;
    size_t used = 0;
    for (size_t at = 0; at < text.len; at++) {
        uint32_t digit = at >= text.len - padding ? 0 : digit_of(text.data[at]);
        if (digit > 63)
            return false;
        group = group << 6 | digit;
        if (at % 4 != 3)
            continue;
        for (unsigned i = 0; i < 3 && used < total; i++)
            out[used++] = (unsigned char)(group >> (16 - 8 * i));
        // What the padding stands for must have been zero, or two texts would mean the same bytes.
        if (at + 1 == text.len && (group & ((1u << (8 * padding)) - 1)) != 0)
            return false;
        group = 0;
    }
    *out_len = total;
    return true;
}
