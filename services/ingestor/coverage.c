// SPDX-License-Identifier: Apache-2.0
// Expected and received slots (see coverage.h).
#include "services/ingestor/coverage.h"

#include <stdlib.h>

#include "services/ingestor/bar_session.h"

enum { CLOSE_HOUR = 17 }; // of the currency week, New York

bool ing_coverage_applies(const struct ing_work *work)
{
    if (work->feed != ING_FEED_BARS || work->asset_class == MF_ASSET_OPTION)
        return false;
    enum mf_interval interval = ing_timespans[work->timespan].interval;
    return interval == MF_INTERVAL_1M || interval == MF_INTERVAL_1D;
}

struct ing_coverage_shape ing_coverage_shape_of(const struct mf_calendar *calendar,
                                                const struct ing_work *work)
{
    return (struct ing_coverage_shape){.calendar = calendar,
                                       .asset_class = work->asset_class,
                                       .days = ing_timespans[work->timespan].interval == MF_INTERVAL_1D};
}

void ing_coverage_init(struct ing_coverage *coverage, struct mf_date first)
{
    *coverage = (struct ing_coverage){.day = first,
                                      .first_slot_us = INT64_MIN,
                                      .first_us = INT64_MIN,
                                      .last_us = INT64_MIN,
                                      .cut_us = INT64_MAX};
}

void ing_coverage_free(struct ing_coverage *coverage)
{
    free(coverage->items);
    coverage->items = NULL;
    coverage->count = coverage->capacity = 0;
}

void ing_coverage_copy(struct ing_coverage *to, const struct ing_coverage *from)
{
    struct ing_missing *items = to->items;
    size_t capacity = to->capacity;
    if (from->count > capacity) {
        capacity = from->capacity;
        items = mf_realloc(items, capacity * sizeof *items);
    }
    *to = *from;
    to->items = items;
    to->capacity = capacity;
    if (from->count > 0)
        memcpy(items, from->items, from->count * sizeof *items);
}

void ing_coverage_add(struct ing_coverage *coverage, const struct ing_missing *item)
{
    if (coverage->count == ING_MISSING_MAX) {
        coverage->dropped++;
        if (coverage->cut_us == INT64_MAX)
            coverage->cut_us = item->from_us;
        return;
    }
    if (coverage->count == coverage->capacity) {
        coverage->capacity = coverage->capacity < 4 ? 4 : coverage->capacity * 2;
        coverage->items = mf_realloc(coverage->items, coverage->capacity * sizeof *coverage->items);
    }
    coverage->items[coverage->count++] = *item;
}

// ---------------------------------------------------------------- slots

// Of a UTC day, while the currency market is open.
static bool fx_hours(const struct mf_calendar *calendar, struct mf_date day, int64_t *from_us, int64_t *to_us)
{
    *from_us = mf_date_utc_midnight_us(day);
    *to_us = *from_us + MF_US_PER_DAY;
    int weekday = mf_date_weekday(day);
    if (weekday == 0)
        *from_us = mf_calendar_local_to_utc(calendar, day, CLOSE_HOUR, 0);
    if (weekday == 5)
        *to_us = mf_calendar_local_to_utc(calendar, day, CLOSE_HOUR, 0);
    return weekday != 6;
}

bool ing_coverage_day(const struct ing_coverage_shape *shape, struct mf_date day, struct ing_day_slots *slots)
{
    struct mf_calendar_session session;
    int64_t from_us = mf_date_utc_midnight_us(day);
    int64_t to_us = from_us + MF_US_PER_DAY;
    if (ing_market_has_sessions(shape->asset_class)) {
        if (!mf_calendar_session_of(shape->calendar, day, &session))
            return false;
        from_us = session.open_us;
        to_us = session.close_us;
    } else if (shape->asset_class == MF_ASSET_FX && !fx_hours(shape->calendar, day, &from_us, &to_us)) {
        return false;
    }
    slots->step_us = shape->days ? to_us - from_us : MF_US_PER_MINUTE;
    slots->first_us = from_us;
    slots->count = (unsigned)((to_us - from_us) / slots->step_us);
    return true;
}

uint64_t ing_coverage_slots(const struct ing_coverage_shape *shape, int64_t from_us, int64_t to_us)
{
    uint64_t count = 0;
    struct ing_day_slots slots;
    if (from_us >= to_us)
        return 0;
    struct mf_date day = ing_market_date(shape->calendar, shape->asset_class, from_us);
    struct mf_date last = ing_market_date(shape->calendar, shape->asset_class, to_us - 1);
    for (; mf_date_cmp(day, last) <= 0; day = mf_date_add_days(day, 1)) {
        if (!ing_coverage_day(shape, day, &slots))
            continue;
        // Slots that begin in [from, to).
        int64_t skip =
            from_us > slots.first_us ? (from_us - slots.first_us + slots.step_us - 1) / slots.step_us : 0;
        int64_t end =
            to_us > slots.first_us ? (to_us - slots.first_us + slots.step_us - 1) / slots.step_us : 0;
        end = end < (int64_t)slots.count ? end : (int64_t)slots.count;
        count += end > skip ? (uint64_t)(end - skip) : 0;
    }
    return count;
}

// ---------------------------------------------------------------- days

// What was missing up to here is a range of its own. Without room only the count knows of it.
static void close_open(struct ing_coverage *coverage)
{
    if (coverage->open.slots == 0)
        return;
    ing_coverage_add(coverage, &coverage->open);
    coverage->open = (struct ing_missing){0};
}

static bool is_seen(const struct ing_coverage *coverage, unsigned slot)
{
    return (coverage->seen[slot / 8] >> (slot % 8) & 1) != 0;
}

static void look_at_slot(struct ing_coverage *coverage, int64_t at_us, int64_t end_us, bool seen)
{
    if (coverage->first_slot_us == INT64_MIN)
        coverage->first_slot_us = at_us;
    coverage->slots++;
    if (seen) {
        close_open(coverage);
        if (coverage->first_us == INT64_MIN)
            coverage->first_us = at_us;
        coverage->last_us = at_us;
        return;
    }
    coverage->missing++;
    if (coverage->open.slots++ == 0)
        coverage->open.from_us = at_us;
    coverage->open.to_us = end_us;
}

// Slots that end after until_us are not expected yet.
static void look_at_day(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                        int64_t until_us)
{
    struct ing_day_slots slots;
    if (!ing_coverage_day(shape, coverage->day, &slots))
        return;
    unsigned looked = 0;
    bool any = false;
    for (; looked < slots.count; looked++) {
        int64_t at_us = slots.first_us + (int64_t)looked * slots.step_us;
        if (at_us + slots.step_us > until_us)
            break;
        bool seen = is_seen(coverage, looked);
        any = any || seen;
        look_at_slot(coverage, at_us, at_us + slots.step_us, seen);
    }
    coverage->sessions += looked > 0;
    coverage->sessions_seen += any;
}

static void next_day(struct ing_coverage *coverage, const struct ing_coverage_shape *shape)
{
    look_at_day(coverage, shape, INT64_MAX);
    memset(coverage->seen, 0, sizeof coverage->seen);
    coverage->day = mf_date_add_days(coverage->day, 1);
    coverage->begins_us = coverage->ends_us = 0; // not known
}

// Once per day, not once per bar.
static void begin_day(struct ing_coverage *coverage, const struct ing_coverage_shape *shape)
{
    coverage->begins_us = ing_market_midnight_us(shape->calendar, shape->asset_class, coverage->day);
    coverage->ends_us =
        ing_market_midnight_us(shape->calendar, shape->asset_class, mf_date_add_days(coverage->day, 1));
    if (!ing_coverage_day(shape, coverage->day, &coverage->today))
        coverage->today = (struct ing_day_slots){.step_us = MF_US_PER_MINUTE};
}

// ---------------------------------------------------------------- later bars

// What is left of a range without [from, to).
static void keep_rest(struct ing_coverage *kept, const struct ing_coverage_shape *shape,
                      const struct ing_missing *item, int64_t from_us, int64_t to_us)
{
    const struct ing_missing left = {item->from_us, from_us,
                                     ing_coverage_slots(shape, item->from_us, from_us)};
    const struct ing_missing right = {to_us, item->to_us, ing_coverage_slots(shape, to_us, item->to_us)};
    if (left.slots > 0)
        ing_coverage_add(kept, &left);
    if (right.slots > 0)
        ing_coverage_add(kept, &right);
}

// Slots of the range are not missing any more. How many of them were.
static uint64_t cut_out(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                        int64_t from_us, int64_t to_us)
{
    struct ing_coverage kept = *coverage;
    uint64_t forgotten = 0;
    kept.items = NULL;
    kept.count = kept.capacity = 0;
    // With the range that is still growing: it goes on as a new one.
    struct ing_missing *open = &coverage->open;
    if (open->slots > 0 && open->from_us < to_us && open->to_us > from_us) {
        kept.open = (struct ing_missing){0};
        ing_coverage_add(coverage, open);
    }
    for (size_t i = 0; i < coverage->count; i++) {
        const struct ing_missing *item = &coverage->items[i];
        int64_t begin_us = item->from_us > from_us ? item->from_us : from_us;
        int64_t end_us = item->to_us < to_us ? item->to_us : to_us;
        if (begin_us >= end_us) {
            ing_coverage_add(&kept, item);
            continue;
        }
        forgotten += ing_coverage_slots(shape, begin_us, end_us);
        keep_rest(&kept, shape, item, begin_us, end_us);
    }
    ing_coverage_free(coverage);
    *coverage = kept;
    coverage->missing -= forgotten < coverage->missing ? forgotten : coverage->missing;
    return forgotten;
}

void ing_coverage_forget(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                         int64_t from_us, int64_t to_us)
{
    coverage->unexamined += cut_out(coverage, shape, from_us, to_us);
}

// ---------------------------------------------------------------- bars

// Is all of the range missing, as far as is known?
static bool is_missing(const struct ing_coverage *coverage, int64_t from_us, int64_t to_us)
{
    const struct ing_missing *open = &coverage->open;
    bool found = open->slots > 0 && open->from_us <= from_us && open->to_us >= to_us;
    for (size_t i = 0; i < coverage->count && !found; i++)
        found = coverage->items[i].from_us <= from_us && coverage->items[i].to_us >= to_us;
    return found;
}

// A bar of a day that was looked at. What is known of the slot is put right; where it lay in a range that is
// counted only, or was looked at by nobody, it stays as it is.
static void take_late(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                      int64_t event_time_us)
{
    struct ing_day_slots slots;
    struct mf_date day = ing_market_date(shape->calendar, shape->asset_class, event_time_us);
    if (!ing_coverage_day(shape, day, &slots))
        return;
    int64_t at_us = slots.first_us;
    if (!shape->days)
        at_us = event_time_us - (event_time_us - at_us) % slots.step_us;
    if (!is_missing(coverage, at_us, at_us + slots.step_us))
        return;
    coverage->sessions_seen +=
        is_missing(coverage, slots.first_us, slots.first_us + (int64_t)slots.count * slots.step_us);
    (void)cut_out(coverage, shape, at_us, at_us + slots.step_us);
    if (coverage->first_us == INT64_MIN || at_us < coverage->first_us)
        coverage->first_us = at_us;
    if (at_us > coverage->last_us)
        coverage->last_us = at_us;
}

void ing_coverage_take(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                       int64_t event_time_us)
{
    if (event_time_us >= coverage->ends_us) {
        struct mf_date day = ing_market_date(shape->calendar, shape->asset_class, event_time_us);
        while (mf_date_cmp(coverage->day, day) < 0)
            next_day(coverage, shape);
        begin_day(coverage, shape);
    }
    if (event_time_us < coverage->begins_us) {
        take_late(coverage, shape, event_time_us);
        return;
    }
    // A day's bar carries the market's midnight, whatever the session's hours.
    const struct ing_day_slots *today = &coverage->today;
    int64_t slot = shape->days ? 0 : (event_time_us - today->first_us) / today->step_us;
    if (slot < (int64_t)today->count && (shape->days || event_time_us >= today->first_us))
        coverage->seen[slot / 8] |= (uint8_t)(1u << (slot % 8));
}

void ing_coverage_advance(struct ing_coverage *coverage, const struct ing_coverage_shape *shape,
                          int64_t to_us)
{
    struct mf_date end = ing_market_date(shape->calendar, shape->asset_class, to_us);
    while (mf_date_cmp(coverage->day, end) < 0)
        next_day(coverage, shape);
}

void ing_coverage_finish(struct ing_coverage *coverage, const struct ing_coverage_shape *shape, int64_t to_us)
{
    ing_coverage_advance(coverage, shape, to_us);
    look_at_day(coverage, shape, to_us);
    memset(coverage->seen, 0, sizeof coverage->seen);
}
