// SPDX-License-Identifier: Apache-2.0
// Ground floor: string views, allocation that aborts, small helpers. No failure classes: nothing here can
// fail except by running out of memory, which ends the process (house rule 5).
#ifndef MF_BASE_H
#define MF_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MF_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MF_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#define MF_UNUSED __attribute__((unused))
// For a large buffer on a hot path that is written before it is read: without it, -ftrivial-auto-var-init
// clears it on every call.
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define MF_UNINITIALISED __attribute__((uninitialized))
#endif
#endif
#ifndef MF_UNINITIALISED
#define MF_UNINITIALISED
#endif

#define MF_US_PER_MS INT64_C(1000)
#define MF_US_PER_SECOND INT64_C(1000000)
#define MF_US_PER_MINUTE (60 * MF_US_PER_SECOND)
#define MF_US_PER_HOUR (60 * MF_US_PER_MINUTE)
#define MF_US_PER_DAY (24 * MF_US_PER_HOUR)

// A borrowed run of bytes, not NUL-terminated. {NULL, 0} means "absent"; data != NULL with len 0 is an empty
// string.
struct mf_str {
    const char *data;
    size_t len;
};

#define MF_STR(literal) ((struct mf_str){(literal), sizeof(literal) - 1})
#define MF_STR_NULL ((struct mf_str){NULL, 0})
// For printf: printf("%.*s", MF_STR_ARG(s))
#define MF_STR_ARG(s) (int)(s).len, (s).data != NULL ? (s).data : ""

// View of a C string; NULL gives the absent view.
struct mf_str mf_str_of(const char *c_string);
bool mf_str_eq(struct mf_str a, struct mf_str b);
bool mf_str_eq_c(struct mf_str a, const char *c_string);
bool mf_str_starts_with(struct mf_str s, const char *prefix);
// memcmp order, shorter first on a tie; negative, 0 or positive.
int mf_str_cmp(struct mf_str a, struct mf_str b);
// Copies into dst (always terminated). Returns false, with dst empty, when it does not fit.
bool mf_str_copy(char *dst, size_t dst_size, struct mf_str s);
// Decimal integer with optional sign, the whole view. Returns false on anything else or on overflow.
bool mf_str_to_i64(struct mf_str s, int64_t *out);
// Digits of a number, not terminated; returns how many bytes. Ten times as fast as printf, which shows where
// every record has a dozen of them.
#define MF_INTEGER_TEXT_SIZE 21
size_t mf_u64_text(uint64_t value, char out[MF_INTEGER_TEXT_SIZE - 1]);
size_t mf_i64_text(int64_t value, char out[MF_INTEGER_TEXT_SIZE]);
// Is every byte part of well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF)?
bool mf_str_is_utf8(struct mf_str s);

// Allocation. The result is never NULL; the caller owns it and frees it with free(). Size 0 is allowed.
void *mf_alloc(size_t size);
void *mf_calloc(size_t count, size_t size);
void *mf_realloc(void *old, size_t size);
char *mf_strdup(const char *c_string);
char *mf_strndup(struct mf_str s); // terminated copy of a view

#endif
