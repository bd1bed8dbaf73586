// SPDX-License-Identifier: Apache-2.0
// One-minute bars for benchmarks, as our ingestor writes them (full envelope, random walk of prices): session
// after session from 2024-01-02, every symbol's minute before the next minute; one in a hundred comes twice,
// one in a thousand a second time cut off in the middle. The same arguments give the same bytes.
#ifndef MF_TESTS_BENCH_BARS_H
#define MF_TESTS_BENCH_BARS_H

#include "common/calendar.h"
#include "common/event.h"

struct bench_bars {
    struct mf_calendar *calendar;
    struct mf_calendar_session session;
    int64_t symbols, at_us, symbol; // the bar to come
    double *prices;                 // by symbol
    uint64_t random;
    char name[16];
    struct mf_buf text;
    bool again, cut; // the last one is to come once more, whole or cut off
    uint64_t duplicates, malformed;
};

// CONFIG without time zone data.
int bench_bars_init(struct bench_bars *bars, int64_t symbols, struct mf_error *err);
void bench_bars_clear(struct bench_bars *bars);
// The next record; key and value live until the next call. True when it is a bar that was not there before.
bool bench_bars_next(struct bench_bars *bars, struct mf_str *key, struct mf_str *value);

#endif
