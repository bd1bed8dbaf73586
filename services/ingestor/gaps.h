// SPDX-License-Identifier: Apache-2.0
// Minutes that the vendor owes (N13). A minute without trades has no bar, so one that is missing says nothing
// by itself; but a minute that most of the symbols have and one lacks is a gap of the vendor's, if that
// symbol trades in most of such minutes. Before its first bar of the session nothing is expected of a symbol.
//
// A scan of one session over symbols of one kind, in steps that each look at one hour of all, or at a few
// symbols: begin, add, step until it is done. Pure. Bounded: the first ING_GAPS_MAX gaps are kept, all are
// counted.
#ifndef ING_GAPS_H
#define ING_GAPS_H

#include "services/ingestor/minutes.h"

enum { ING_GAPS_MAX = 64, ING_GAP_HOURS_MAX = 26, ING_GAP_SYMBOLS_LEAST = 3 };

struct ing_gap {
    const char *name; // of the symbol
    int64_t from_us, to_us;
};

struct ing_gap_scan {
    struct ing_gap_member {
        const struct ing_minutes *minutes;
        const char *name;
        uint16_t expected, received; // minutes that most have
        bool started;                // had a bar in the hours so far
    } * members;
    size_t count, capacity;
    int64_t first_us, to_us, hour_us; // the session's first minute; what is looked at; where its hours begin
    unsigned hours;
    uint64_t most[ING_GAP_HOURS_MAX]; // per hour a bit per minute that most have
    unsigned pass, at;
    uint64_t expected, received; // by symbols that are judged, in all
    struct ing_gap gaps[ING_GAPS_MAX];
    size_t gap_count;
};

// Empties the scan for the minutes [first_us, to_us), which lie within a day.
void ing_gap_scan_begin(struct ing_gap_scan *scan, int64_t first_us, int64_t to_us);
void ing_gap_scan_add(struct ing_gap_scan *scan, const struct ing_minutes *minutes,
                      const char *name);           // borrowed
bool ing_gap_scan_step(struct ing_gap_scan *scan); // false: that was the last one
void ing_gap_scan_free(struct ing_gap_scan *scan);

#endif
