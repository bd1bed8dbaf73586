// SPDX-License-Identifier: Apache-2.0
// Escaping of outside text, one character at a time. Owns nothing, cannot fail.
#include "common/escape.h"

#include <stdio.h>

// Bytes of the character at the start of text, 0 when it is not well-formed UTF-8.
static size_t character_length(struct mf_str text)
{
    unsigned char lead = (unsigned char)text.data[0];
    if (lead < 0x80)
        return 1;
    size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len > text.len || !mf_str_is_utf8((struct mf_str){text.data, len}))
        return 0;
    return len;
}

static bool is_c1_control(struct mf_str character)
{
    return character.len == 2 && (unsigned char)character.data[0] == 0xc2 &&
           (unsigned char)character.data[1] < 0xa0;
}

// The escaped form of a character that must not appear as it is; 0 when it may.
static size_t escaped_form(enum mf_escape how, struct mf_str character, char form[MF_ESCAPE_MAX + 1])
{
    unsigned char c = (unsigned char)character.data[0];
    static const char named[] = "\b\f\n\r\t";
    const char *at = c != '\0' ? strchr(named, c) : NULL;
    if (at != NULL)
        return (size_t)snprintf(form, MF_ESCAPE_MAX + 1, "\\%c", "bfnrt"[at - named]);
    bool control = c < 0x20 || c == 0x7f;
    if (how == MF_ESCAPE_JSON) {
        if (c == '"' || c == '\\')
            return (size_t)snprintf(form, MF_ESCAPE_MAX + 1, "\\%c", c);
        return control ? (size_t)snprintf(form, MF_ESCAPE_MAX + 1, "\\u%04x", c) : 0;
    }
    // A terminal acts on C0 and C1 controls; a feed must not be able to write to it.
    if (is_c1_control(character))
        return (size_t)snprintf(form, MF_ESCAPE_MAX + 1, "\\x%02x", (unsigned char)character.data[1]);
    return control ? (size_t)snprintf(form, MF_ESCAPE_MAX + 1, "\\x%02x", c) : 0;
}

size_t mf_escape(enum mf_escape how, struct mf_str text, char *out, size_t size, size_t *used)
{
    size_t written = 0;
    size_t at = 0;
    while (at < text.len) {
        struct mf_str rest = {text.data + at, text.len - at};
        char form[MF_ESCAPE_MAX + 1];
        size_t len = character_length(rest);
        size_t form_len;
        if (len == 0) {
            // In JSON the backslash itself is escaped: the reader sees \xHH.
            form_len = (size_t)snprintf(form, sizeof form, how == MF_ESCAPE_JSON ? "\\\\x%02x" : "\\x%02x",
                                        (unsigned char)rest.data[0]);
            len = 1;
        } else {
            form_len = escaped_form(how, (struct mf_str){rest.data, len}, form);
        }
        const char *source = form_len > 0 ? form : rest.data;
        size_t need = form_len > 0 ? form_len : len;
        if (need > size - written)
            break;
        memcpy(out + written, source, need);
        written += need;
        at += len;
    }
    *used = at;
    return written;
}
