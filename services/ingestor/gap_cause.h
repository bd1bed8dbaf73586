// SPDX-License-Identifier: Apache-2.0
// Why a slot has no bar, as far as a run can tell: what the provider's plan leaves out, what the calendar,
// other names of the instrument and the run's other symbols say. A cause is likely, not proven; those that
// nothing but a pattern speaks for are guesses and are said to be. Pure; the evidence owns its memory.
// Failure classes: none.
#ifndef ING_GAP_CAUSE_H
#define ING_GAP_CAUSE_H

#include "services/ingestor/coverage.h"
#include "services/ingestor/watermark.h"

enum ing_gap_cause {
    ING_GAP_UNKNOWN,
    ING_GAP_NOT_ASKED,        // the run has not got there
    ING_GAP_PLAN_LIMIT,       // the provider's plan does not cover it
    ING_GAP_RENAMED,          // the instrument had another name then (N14)
    ING_GAP_BEFORE_LISTING,   // nothing from the range's beginning to the first bar
    ING_GAP_NO_LONGER_TRADED, // nothing from the last bar to the range's end
    ING_GAP_HALT,             // minutes of one session, of this symbol only, and trading resumes
    ING_GAP_VENDOR_GAP,       // most other symbols of the run have it (N13)
    ING_GAP_QUIET,            // no trade: a symbol that often has none, or most others have none either
    ING_GAP_MAX
};
const char *ing_gap_cause_name(enum ing_gap_cause cause); // "unknown", …
bool ing_gap_cause_is_guess(enum ing_gap_cause cause);

// What the symbols of a run say about each other. Zero it to begin; symbols are added finished, then it is
// sorted.
struct ing_gap_evidence {
    struct ing_gap_times {
        int64_t *times;
        size_t count, capacity;
    } known_from, known_to, missing_from, missing_to;
};
void ing_gap_evidence_add(struct ing_gap_evidence *evidence, const struct ing_coverage *coverage);
void ing_gap_evidence_sort(struct ing_gap_evidence *evidence);
void ing_gap_evidence_free(struct ing_gap_evidence *evidence);

struct ing_gap_subject {
    const struct ing_coverage *coverage; // finished
    const struct ing_coverage_shape *shape;
    const struct ing_range_list *skipped; // by the plan
    const struct ing_gap_evidence *evidence;
};
enum ing_gap_cause ing_gap_cause_of(const struct ing_gap_subject *subject, const struct ing_missing *range);

#endif
