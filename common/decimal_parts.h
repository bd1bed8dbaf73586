// SPDX-License-Identifier: Apache-2.0
// The pieces of a JSON number text, shared by the files of the decimal module only. Pure; views into the
// text.
#ifndef MF_DECIMAL_PARTS_H
#define MF_DECIMAL_PARTS_H

#include "common/base.h"

struct mf_decimal_parts {
    bool negative;
    bool has_exponent;
    const char *whole; // digits before the point: "0", or without a leading zero
    size_t whole_len;
    const char *fraction; // digits after it; NULL when there is no point
    size_t fraction_len;
    int64_t exponent; // 0 when there is none; saturated at ±1e15
};

// Splits a JSON number (RFC 8259 §6). False when the text is not exactly one.
bool mf_decimal_split(struct mf_str text, struct mf_decimal_parts *parts);

#endif
