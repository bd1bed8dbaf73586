// SPDX-License-Identifier: Apache-2.0
// What benchmarks of values have in common: numbers to measure with and to report.
#ifndef MF_TESTS_BENCH_REPORT_H
#define MF_TESTS_BENCH_REPORT_H

#include "common/backoff.h"
#include "common/decimal.h"
#include "common/json_writer.h"

// With all the digits that a double has, from low to high.
static inline double random_double(uint64_t *random, double low, double high)
{
    return low + (double)(mf_random_next(random) >> 11) / 9007199254740992.0 * (high - low);
}

// A member of an object, to three decimals; null when it is out of all bounds, as a ratio to nothing is.
static inline void put_number(struct mf_json_writer *w, const char *key, double value)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    double thousandths = value * 1000 + 0.5;
    mf_jw_key(w, key);
    if (thousandths >= 0 && thousandths < 0x1p53 &&
        mf_decimal_from_double((double)(int64_t)thousandths / 1000, text, &len))
        mf_jw_number_text(w, (struct mf_str){text, len});
    else
        mf_jw_null(w);
}

#endif
