// SPDX-License-Identifier: Apache-2.0
// The printf of the sentences in alerts, of which there are hundreds of thousands in a second of catching up:
// %s, %u, %zu, %% and, with or without a precision and a plus, %f and %g, to the letter as the C library
// writes them in the C locale, in a tenth of its time. Pure; nothing is allocated, nothing fails.
#ifndef PRC_RULES_FORMAT_H
#define PRC_RULES_FORMAT_H

#include <stdarg.h>

#include "common/base.h"

// Appends to nothing: out[size] gets what fits, terminated. Returns the length of that. size > 0.
size_t prc_format(char *out, size_t size, const char *fmt, ...) MF_PRINTF(3, 4);

#endif
