// SPDX-License-Identifier: Apache-2.0
// Likely causes (see gap_cause.h).
#include "services/ingestor/gap_cause.h"

#include <stdlib.h>

#include "services/ingestor/bar_session.h"

enum {
    WITNESSES_MIN = 2, // other symbols; one alone says nothing about most
    HALT_MINUTES = 5,  // the shortest trading pause
    AWAY_SESSIONS =
        5, // without any bar at an end of the range, before the instrument is taken to be not traded
    DENSE_TENTHS = 9, // of its minutes has a symbol that a minute without a trade is unusual for
    SESSION_MINUTES = 390
};

const char *ing_gap_cause_name(enum ing_gap_cause cause)
{
    static const char *const names[ING_GAP_MAX] = {
        [ING_GAP_UNKNOWN] = "unknown",
        [ING_GAP_NOT_ASKED] = "not_asked",
        [ING_GAP_PLAN_LIMIT] = "plan_limit",
        [ING_GAP_RENAMED] = "renamed",
        [ING_GAP_BEFORE_LISTING] = "before_listing",
        [ING_GAP_NO_LONGER_TRADED] = "no_longer_traded",
        [ING_GAP_HALT] = "halt",
        [ING_GAP_VENDOR_GAP] = "vendor_gap",
        [ING_GAP_QUIET] = "quiet",
    };
    assert(cause < ING_GAP_MAX);
    return names[cause];
}

bool ing_gap_cause_is_guess(enum ing_gap_cause cause)
{
    return cause == ING_GAP_HALT || cause == ING_GAP_BEFORE_LISTING || cause == ING_GAP_NO_LONGER_TRADED;
}

// ---------------------------------------------------------------- evidence

static void add_time(struct ing_gap_times *times, int64_t time_us)
{
    if (times->count == times->capacity) {
        times->capacity = times->capacity < 16 ? 16 : times->capacity * 2;
        times->times = mf_realloc(times->times, times->capacity * sizeof *times->times);
    }
    times->times[times->count++] = time_us;
}

// What lies between its first and its last bar, as far as it is known one by one.
static int64_t known_until(const struct ing_coverage *coverage)
{
    return coverage->cut_us <= coverage->last_us ? coverage->cut_us : coverage->last_us + 1;
}

void ing_gap_evidence_add(struct ing_gap_evidence *evidence, const struct ing_coverage *coverage)
{
    if (coverage->first_us == INT64_MIN || known_until(coverage) <= coverage->first_us)
        return;
    add_time(&evidence->known_from, coverage->first_us);
    add_time(&evidence->known_to, known_until(coverage));
    for (size_t i = 0; i < coverage->count; i++) {
        const struct ing_missing *item = &coverage->items[i];
        if (item->from_us < coverage->first_us || item->from_us > coverage->last_us)
            continue;
        add_time(&evidence->missing_from, item->from_us);
        add_time(&evidence->missing_to, item->to_us);
    }
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static void sort_times(struct ing_gap_times *times)
{
    if (times->count > 0)
        qsort(times->times, times->count, sizeof *times->times, compare_times);
}

void ing_gap_evidence_sort(struct ing_gap_evidence *evidence)
{
    sort_times(&evidence->known_from);
    sort_times(&evidence->known_to);
    sort_times(&evidence->missing_from);
    sort_times(&evidence->missing_to);
}

void ing_gap_evidence_free(struct ing_gap_evidence *evidence)
{
    free(evidence->known_from.times);
    free(evidence->known_to.times);
    free(evidence->missing_from.times);
    free(evidence->missing_to.times);
    *evidence = (struct ing_gap_evidence){0};
}

// How many are at or before time_us.
static size_t count_until(const struct ing_gap_times *times, int64_t time_us)
{
    size_t low = 0;
    size_t high = times->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (times->times[middle] <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Of the other symbols, those of which the minute is known, and those that lack it.
static void count_others(const struct ing_gap_subject *subject, int64_t at_us, size_t *known, size_t *lacking)
{
    const struct ing_gap_evidence *evidence = subject->evidence;
    const struct ing_coverage *own = subject->coverage;
    *known = count_until(&evidence->known_from, at_us) - count_until(&evidence->known_to, at_us);
    *lacking = count_until(&evidence->missing_from, at_us) - count_until(&evidence->missing_to, at_us);
    bool counted = own->first_us != INT64_MIN && at_us >= own->first_us && at_us < known_until(own);
    if (counted && *known > 0)
        (*known)--;
    if (counted && *lacking > 0)
        (*lacking)--;
}

// ---------------------------------------------------------------- causes

static bool is_leading(const struct ing_coverage *coverage, const struct ing_missing *range)
{
    return range->from_us == coverage->first_slot_us &&
           (coverage->first_us == INT64_MIN || range->to_us <= coverage->first_us);
}

static bool is_trailing(const struct ing_coverage *coverage, const struct ing_missing *range)
{
    return coverage->first_us != INT64_MIN && range->from_us > coverage->last_us;
}

static bool is_away(const struct ing_gap_subject *subject, const struct ing_missing *range)
{
    return range->slots >= (subject->shape->days ? AWAY_SESSIONS : AWAY_SESSIONS * SESSION_MINUTES);
}

static bool is_skipped(const struct ing_range_list *skipped, const struct ing_missing *range)
{
    for (size_t i = 0; i < skipped->count; i++) {
        if (range->from_us < skipped->items[i].to_us && range->to_us > skipped->items[i].from_us)
            return true;
    }
    return false;
}

// Between its first and its last bar.
static bool is_dense(const struct ing_coverage *coverage)
{
    uint64_t outside = 0;
    for (size_t i = 0; i < coverage->count; i++) {
        if (is_leading(coverage, &coverage->items[i]) || is_trailing(coverage, &coverage->items[i]))
            outside += coverage->items[i].slots;
    }
    if (is_trailing(coverage, &coverage->open))
        outside += coverage->open.slots;
    uint64_t slots = coverage->slots - outside;
    uint64_t missing = coverage->missing - outside;
    return (slots - missing) * 10 >= slots * DENSE_TENTHS;
}

static enum ing_gap_cause cause_at_the_beginning(const struct ing_gap_subject *subject,
                                                 const struct ing_missing *range)
{
    const struct ing_coverage *coverage = subject->coverage;
    if (coverage->since.year > 0) {
        int64_t since_us =
            ing_market_midnight_us(subject->shape->calendar, subject->shape->asset_class, coverage->since);
        if (since_us > range->from_us)
            return coverage->renamed ? ING_GAP_RENAMED : ING_GAP_BEFORE_LISTING;
    }
    // No bar at all may be for many reasons.
    return coverage->first_us != INT64_MIN && is_away(subject, range) ? ING_GAP_BEFORE_LISTING
                                                                      : ING_GAP_UNKNOWN;
}

// One market day at most, and over before the symbol's last bar.
static bool looks_like_a_halt(const struct ing_gap_subject *subject, const struct ing_missing *range)
{
    const struct ing_coverage_shape *shape = subject->shape;
    return !shape->days && range->slots >= HALT_MINUTES && ing_market_has_sessions(shape->asset_class) &&
           range->from_us < subject->coverage->last_us &&
           mf_date_cmp(ing_market_date(shape->calendar, shape->asset_class, range->from_us),
                       ing_market_date(shape->calendar, shape->asset_class, range->to_us - 1)) == 0;
}

enum ing_gap_cause ing_gap_cause_of(const struct ing_gap_subject *subject, const struct ing_missing *range)
{
    const struct ing_coverage *coverage = subject->coverage;
    size_t known = 0;
    size_t lacking = 0;
    if (is_skipped(subject->skipped, range))
        return ING_GAP_PLAN_LIMIT;
    if (is_leading(coverage, range)) {
        enum ing_gap_cause cause = cause_at_the_beginning(subject, range);
        if (cause != ING_GAP_UNKNOWN || coverage->first_us == INT64_MIN)
            return cause;
    }
    if (is_trailing(coverage, range) && is_away(subject, range))
        return ING_GAP_NO_LONGER_TRADED;
    if (!subject->shape->days && !is_dense(coverage))
        return ING_GAP_QUIET;
    count_others(subject, range->from_us, &known, &lacking);
    if (known < WITNESSES_MIN)
        return ING_GAP_UNKNOWN;
    if (lacking * 2 >= known)
        return ING_GAP_QUIET;
    return looks_like_a_halt(subject, range) ? ING_GAP_HALT : ING_GAP_VENDOR_GAP;
}
