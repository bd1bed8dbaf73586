// SPDX-License-Identifier: Apache-2.0
// What every benchmark program needs: the CPU time that it has used, and its arguments. Pure.
#ifndef MF_TESTS_BENCH_MEASURE_H
#define MF_TESTS_BENCH_MEASURE_H

#include <sys/resource.h>

#include "common/base.h"

// User and system seconds of all threads of the process so far.
static inline double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// A whole number from 1 to max.
static inline bool take_number(const char *text, int64_t max, int64_t *number)
{
    return mf_str_to_i64(mf_str_of(text), number) && *number >= 1 && *number <= max;
}

#endif
