// SPDX-License-Identifier: Apache-2.0
// Error values. Owns nothing: the caller's struct holds everything.
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const class_names[MF_ERROR_CLASS_MAX] = {
    [MF_ERROR_TRANSIENT] = "transient", [MF_ERROR_POISON] = "poison", [MF_ERROR_UNCERTAIN] = "uncertain",
    [MF_ERROR_CONFIG] = "config",       [MF_ERROR_FATAL] = "fatal",
};

// Takes an unfinished UTF-8 sequence off the end of a text that was cut, so that it stays valid JSON string
// content.
static void drop_cut_sequence(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead >= 0xc0 && len - start + 1 < need)
        text[start - 1] = '\0';
}

// Formats into text, cut to its size.
MF_PRINTF(3, 0) static void format(char *text, size_t size, const char *fmt, va_list args)
{
    int written = vsnprintf(text, size, fmt, args);
    if (written < 0)
        text[0] = '\0';
    else if ((size_t)written >= size)
        drop_cut_sequence(text, size - 1);
}

int mf_error_set(struct mf_error *err, enum mf_error_class class, const char *code, const char *fmt, ...)
{
    assert((unsigned)class < MF_ERROR_CLASS_MAX);
    if (err == NULL)
        return -1;
    // Formatted aside first: an argument may be the old message of the same error.
    char message[MF_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    format(message, sizeof message, fmt, args);
    va_end(args);
    // A code is a constant of ours; one that does not fit would be cut differently by every reader.
    bool fits = mf_str_copy(err->code, sizeof err->code, mf_str_of(code));
    assert(fits);
    (void)fits;
    err->class = class;
    memcpy(err->message, message, strlen(message) + 1);
    return -1;
}

int mf_error_prefix(struct mf_error *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    char message[MF_ERROR_MESSAGE_SIZE];
    va_list args;
    va_start(args, fmt);
    format(message, sizeof message, fmt, args);
    va_end(args);
    size_t used = strlen(message);
    int written = snprintf(message + used, sizeof message - used, ": %s", err->message);
    if (written >= 0 && (size_t)written >= sizeof message - used)
        drop_cut_sequence(message, sizeof message - 1);
    memcpy(err->message, message, strlen(message) + 1);
    return -1;
}

const char *mf_error_class_name(enum mf_error_class class)
{
    return (unsigned)class < MF_ERROR_CLASS_MAX ? class_names[class] : "unknown";
}

int mf_error_exit_code(const struct mf_error *err)
{
    switch (err->class) {
    case MF_ERROR_TRANSIENT:
    case MF_ERROR_UNCERTAIN: return MF_EXIT_TEMPORARY;
    case MF_ERROR_CONFIG: return MF_EXIT_CONFIG;
    case MF_ERROR_POISON:
    case MF_ERROR_FATAL:
    case MF_ERROR_CLASS_MAX: break;
    }
    return MF_EXIT_INTERNAL;
}
