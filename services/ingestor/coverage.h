// SPDX-License-Identifier: Apache-2.0
// Which minutes (or days) of a range have a bar, and which ones lack it. A slot is what a bar is expected
// for: a minute of a regular session (around the clock where there are no sessions; currencies from Sunday to
// Friday, 17:00 New York), or a day with a session. Days come in order of time; presence is known per slot
// for the day under way only, behind it are ranges of missing slots, of which the first ING_MISSING_MAX are
// kept. Pure, on the calendar. Failure classes: none.
#ifndef ING_COVERAGE_H
#define ING_COVERAGE_H

#include "common/json_reader.h"
#include "common/json_writer.h"
#include "services/ingestor/provider.h"

#define ING_MISSING_MAX 64
#define ING_DAY_MINUTES 1440

// The slots of one day.
struct ing_day_slots {
    int64_t first_us, step_us; // of the first slot; from one to the next
    unsigned count;
};

struct ing_missing {
    int64_t from_us, to_us; // from the beginning of the first slot to the end of the last one
    uint64_t slots;         // between them; what is no session does not count
};

struct ing_coverage {
    struct mf_date day;        // under way: all before it has been looked at
    uint64_t sessions;         // looked at
    uint64_t sessions_seen;    // of these, with a bar in their slots
    uint64_t slots, missing;   // of these sessions; without a bar
    uint64_t unexamined;       // slots that were missing until their range was asked for again
    int64_t first_slot_us;     // of all; INT64_MIN = none was looked at
    int64_t first_us, last_us; // first and last slot that has a bar; INT64_MIN = none
    struct ing_missing open;   // missing up to the last slot looked at; no slots = that one has a bar
    struct ing_missing *items; // owned
    size_t count, capacity;
    uint64_t dropped;     // further ranges, counted in `missing` only
    int64_t cut_us;       // where the first of them began; INT64_MAX = there are none
    struct mf_date since; // from when the instrument has its name, as the provider says; year 0 = not known
    bool renamed;         // it had another one before
    uint8_t seen[ING_DAY_MINUTES / 8]; // of the day under way
    int64_t begins_us, ends_us;        // that day, once a bar of it came; not stored
    struct ing_day_slots today;        // its slots; likewise
};

struct ing_coverage_shape {
    const struct mf_calendar *calendar;
    enum mf_asset_class asset_class;
    bool days; // slots are days
};

// Is there anything to expect of the work? Minutes and days of bars, but not of options, most of which do not
// trade on most days (N47).
bool ing_coverage_applies(const struct ing_work *work);
struct ing_coverage_shape ing_coverage_shape_of(const struct mf_calendar *calendar,
                                                const struct ing_work *work);
void ing_coverage_copy(struct ing_coverage *to,
                       const struct ing_coverage *from); // into one that is initialised
void ing_coverage_free(struct ing_coverage *coverage);
void ing_coverage_init(struct ing_coverage *coverage, struct mf_date first);
// A bar; again is no harm, and neither is one of a day that was looked at before: its slot is not missing any
// more, as far as the range that it lay in is known.
void ing_coverage_take(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                       int64_t event_time_us);
// All before to_us has come: days that end by then are done with.
void ing_coverage_advance(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                          int64_t to_us);
// Looks at what is over of the day under way too. Nothing may be taken after it: for a copy, or at the end.
void ing_coverage_finish(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                         int64_t to_us);
// A range more, or a count more when there is no room.
void ing_coverage_add(struct ing_coverage *coverage, const struct ing_missing *item);
// The range was asked for again and its bars came after all: its missing slots become unexamined ones.
void ing_coverage_forget(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                         int64_t from_us, int64_t to_us);
// Slots within [from, to).
uint64_t ing_coverage_slots(const struct ing_coverage_shape *shape, int64_t from_us, int64_t to_us);

// False: none are expected.
bool ing_coverage_day(const struct ing_coverage_shape *shape, struct mf_date day,
                      struct ing_day_slots *slots);

// As a member "coverage" of an object; false when it is no such member's value.
void ing_coverage_write(const struct ing_coverage *coverage, struct mf_json_writer *w);
// Into one that is initialised; after false it is as it was.
bool ing_coverage_read(const struct mf_json_node *node, struct ing_coverage *coverage);

#endif
