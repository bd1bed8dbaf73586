// SPDX-License-Identifier: Apache-2.0
// Minutes that most have and one lacks (see gaps.h).
#include "services/ingestor/gaps.h"

#include <stdlib.h>

enum { MINUTES = 60, SYMBOLS_PER_STEP = 100 };
enum pass { PASS_MOST, PASS_COUNT, PASS_LIST, PASS_OVER };

void ing_gap_scan_free(struct ing_gap_scan *scan)
{
    free(scan->members);
    *scan = (struct ing_gap_scan){0};
}

void ing_gap_scan_begin(struct ing_gap_scan *scan, int64_t first_us, int64_t to_us)
{
    struct ing_gap_member *members = scan->members;
    size_t capacity = scan->capacity;
    *scan =
        (struct ing_gap_scan){.members = members, .capacity = capacity, .first_us = first_us, .to_us = to_us};
    scan->hour_us = first_us - first_us % MF_US_PER_HOUR;
    while (scan->hours < ING_GAP_HOURS_MAX && scan->hour_us + scan->hours * MF_US_PER_HOUR < to_us)
        scan->hours++;
}

void ing_gap_scan_add(struct ing_gap_scan *scan, const struct ing_minutes *minutes, const char *name)
{
    if (scan->count == scan->capacity) {
        scan->capacity = scan->capacity < 16 ? 16 : scan->capacity * 2;
        scan->members = mf_realloc(scan->members, scan->capacity * sizeof *scan->members);
    }
    scan->members[scan->count++] = (struct ing_gap_member){.minutes = minutes, .name = name};
}

static int64_t start_of(const struct ing_gap_scan *scan, unsigned hour)
{
    return scan->hour_us + hour * MF_US_PER_HOUR;
}

// Bits of the minutes of an hour that the scan looks at.
static uint64_t looked_at(const struct ing_gap_scan *scan, unsigned hour)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < MINUTES; i++) {
        int64_t time_us = start_of(scan, hour) + i * MF_US_PER_MINUTE;
        bits |= (uint64_t)(time_us >= scan->first_us && time_us < scan->to_us) << i;
    }
    return bits;
}

// A minute counts where more than half of those have it that have a bar in this hour at all.
static void find_most(struct ing_gap_scan *scan, unsigned hour)
{
    unsigned have[MINUTES] = {0};
    size_t present = 0;
    uint64_t bits = looked_at(scan, hour);
    for (size_t i = 0; i < scan->count; i++) {
        uint64_t own = ing_minutes_of_hour(scan->members[i].minutes, start_of(scan, hour)) & bits;
        present += own != 0;
        for (; own != 0; own &= own - 1)
            have[__builtin_ctzll(own)]++;
    }
    scan->most[hour] = 0;
    for (unsigned i = 0; i < MINUTES && present >= ING_GAP_SYMBOLS_LEAST; i++)
        scan->most[hour] |= (uint64_t)(have[i] * 2 > present) << i;
}

// What is expected of a symbol in an hour, and what of that it has.
static uint64_t expected_of(const struct ing_gap_scan *scan, const struct ing_gap_member *member,
                            unsigned hour, bool *started, uint64_t *own)
{
    uint64_t expected = scan->most[hour];
    *own = ing_minutes_of_hour(member->minutes, start_of(scan, hour)) & looked_at(scan, hour);
    if (!*started)
        expected &= *own != 0 ? ~(((uint64_t)1 << __builtin_ctzll(*own)) - 1) : 0;
    *started = *started || *own != 0;
    *own &= expected;
    return expected;
}

static void count_hour(struct ing_gap_scan *scan, unsigned hour)
{
    for (size_t i = 0; i < scan->count; i++) {
        struct ing_gap_member *member = &scan->members[i];
        uint64_t own;
        uint64_t expected = expected_of(scan, member, hour, &member->started, &own);
        member->expected = (uint16_t)(member->expected + __builtin_popcountll(expected));
        member->received = (uint16_t)(member->received + __builtin_popcountll(own));
    }
}

static void add_gap(struct ing_gap_scan *scan, const char *name, int64_t time_us)
{
    struct ing_gap *last = scan->gap_count > 0 ? &scan->gaps[scan->gap_count - 1] : NULL;
    if (last != NULL && last->name == name && last->to_us == time_us)
        last->to_us += MF_US_PER_MINUTE;
    else if (scan->gap_count < ING_GAPS_MAX)
        scan->gaps[scan->gap_count++] = (struct ing_gap){name, time_us, time_us + MF_US_PER_MINUTE};
}

static void list_gaps(struct ing_gap_scan *scan, const struct ing_gap_member *member)
{
    bool started = false;
    for (unsigned hour = 0; hour < scan->hours; hour++) {
        uint64_t own;
        uint64_t missing = expected_of(scan, member, hour, &started, &own);
        for (missing &= ~own; missing != 0; missing &= missing - 1)
            add_gap(scan, member->name, start_of(scan, hour) + __builtin_ctzll(missing) * MF_US_PER_MINUTE);
    }
}

// One that has less than half of what most have trades too seldom for a missing bar to say anything.
static void judge(struct ing_gap_scan *scan, const struct ing_gap_member *member)
{
    if (member->received * 2 < member->expected)
        return;
    scan->expected += member->expected;
    scan->received += member->received;
    if (member->received < member->expected)
        list_gaps(scan, member);
}

bool ing_gap_scan_step(struct ing_gap_scan *scan)
{
    if (scan->pass == PASS_MOST && scan->at < scan->hours)
        find_most(scan, scan->at++);
    else if (scan->pass == PASS_COUNT && scan->at < scan->hours)
        count_hour(scan, scan->at++);
    for (unsigned n = 0; scan->pass == PASS_LIST && n < SYMBOLS_PER_STEP && scan->at < scan->count; n++)
        judge(scan, &scan->members[scan->at++]);
    if (scan->at < (scan->pass == PASS_LIST ? scan->count : scan->hours))
        return true;
    scan->pass++;
    scan->at = 0;
    return scan->pass < PASS_OVER;
}
