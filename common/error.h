// SPDX-License-Identifier: Apache-2.0
// Errors are values: a fallible function returns int (0 or negative) and fills the caller's struct mf_error
// only on failure. The class is set where the cause is known and decides what the service does; the layer
// that decides logs the error, once.
#ifndef MF_ERROR_H
#define MF_ERROR_H

#include "base.h"

enum mf_error_class {
    MF_ERROR_TRANSIENT, // a dependency is away or busy: back off and retry the same thing
    MF_ERROR_POISON,    // this one record or request is bad: to the dead-letter queue, go on
    MF_ERROR_UNCERTAIN, // it may have happened: only an idempotent retry or an outcome check may follow
    MF_ERROR_CONFIG,    // a setting or an argument is wrong: the process leaves with 78, no retry helps
    MF_ERROR_FATAL,     // an invariant is broken or the instance is fenced: the process leaves with 70
    MF_ERROR_CLASS_MAX
};

#define MF_ERROR_CODE_SIZE 40
#define MF_ERROR_MESSAGE_SIZE 512

struct mf_error {
    enum mf_error_class class;
    // Stable snake_case reason, e.g. "body_too_large"; tests and the DLQ rely on it
    char code[MF_ERROR_CODE_SIZE];
    char message[MF_ERROR_MESSAGE_SIZE]; // a sentence for a person; never holds a secret
};

// sysexits(3) numbers used by every Marketflow binary.
enum mf_exit {
    MF_EXIT_OK = 0,
    MF_EXIT_INTERNAL = 70,  // internal error, or fenced by another instance
    MF_EXIT_TEMPORARY = 75, // temporary: run it again
    MF_EXIT_CONFIG = 78     // configuration or usage
};

// Fills err (which may be NULL) and returns -1, so that `return mf_error_set(err, …)` reads as one step.
// A message longer than the field is cut at a UTF-8 boundary.
int mf_error_set(struct mf_error *err, enum mf_error_class class, const char *code, const char *fmt, ...)
    MF_PRINTF(4, 5);

// Puts "context: " before the message of an error that is already set. Returns -1.
int mf_error_prefix(struct mf_error *err, const char *fmt, ...) MF_PRINTF(2, 3);

// "transient", "poison", "uncertain", "config", "fatal".
const char *mf_error_class_name(enum mf_error_class class);

// The exit code of a process that leaves because of this error: TRANSIENT, UNCERTAIN → 75, CONFIG → 78,
// else 70.
int mf_error_exit_code(const struct mf_error *err);

#endif
