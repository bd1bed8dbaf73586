// SPDX-License-Identifier: Apache-2.0
// The fold of claims (see budget.h).
#include "services/ingestor/budget.h"

#include <stdlib.h>

// A want outlives the wait that its claim was told by this much: time for the process to claim again.
#define WANT_GRACE_US (2 * MF_US_PER_SECOND)
// A time stamp that lies further back than this is taken for a clock that was put right.
#define STEP_BACK_US MF_US_PER_MINUTE

void ing_budget_init(struct ing_budget *budget)
{
    *budget = (struct ing_budget){0};
}

void ing_budget_free(struct ing_budget *budget)
{
    free(budget->claims);
    ing_budget_init(budget);
}

// ---------------------------------------------------------------- time

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct ing_budget_claims *claims_at(const struct ing_budget *budget, size_t index)
{
    return &budget->claims[(budget->head + index) % budget->capacity];
}

// Index of the first claims that are newer than that.
static size_t first_after(const struct ing_budget *budget, int64_t time_us)
{
    size_t low = 0;
    size_t high = budget->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (claims_at(budget, middle)->time_us <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t asked_from(const struct ing_budget *budget, size_t index)
{
    return index < budget->count ? budget->asked - claims_at(budget, index)->asked_before : 0;
}

static uint64_t granted_from(const struct ing_budget *budget, size_t index)
{
    return index < budget->count ? budget->granted - claims_at(budget, index)->granted_before : 0;
}

// What a day begins with: requests of claims of the last second before it may start in it.
static uint64_t carried_over(const struct ing_budget *budget, int64_t day)
{
    return asked_from(budget, first_after(budget, day * MF_US_PER_DAY - ING_BUDGET_GRANT_US - 1));
}

static void begin_day(struct ing_budget *budget, int64_t day)
{
    budget->used = carried_over(budget, day);
    for (size_t i = 0; i < budget->count; i++)
        claims_at(budget, i)->granted_before = claims_at(budget, i)->asked_before;
    budget->granted = budget->asked;
    budget->want_count = 0;
    budget->day = day;
}

// The log's clock was ahead and has been put right: what was claimed counts as claimed now, which errs
// towards too few; so does the day, which goes on with the count of the one that was not.
static void step_back(struct ing_budget *budget, int64_t log_us)
{
    int64_t step_us = budget->log_us - log_us;
    for (size_t i = 0; i < budget->count; i++)
        claims_at(budget, i)->time_us = smaller(claims_at(budget, i)->time_us, log_us);
    for (size_t i = 0; i < budget->want_count; i++)
        budget->wants[i].until_us -= step_us;
    budget->held_until_us = larger(budget->held_until_us - step_us, 0);
    budget->log_us = log_us;
    budget->day = log_us / MF_US_PER_DAY;
}

// Log time does not go back: records may come a little out of the order of their stamps.
static void advance(struct ing_budget *budget, int64_t log_us)
{
    if (log_us < budget->log_us - STEP_BACK_US)
        step_back(budget, log_us);
    budget->log_us = larger(budget->log_us, log_us);
    if (budget->log_us / MF_US_PER_DAY != budget->day)
        begin_day(budget, budget->log_us / MF_US_PER_DAY);
}

// ---------------------------------------------------------------- what there is

static uint64_t room_of(uint64_t limit, uint64_t used)
{
    if (limit == 0)
        return UINT64_MAX;
    return used < limit ? limit - used : 0;
}

uint64_t ing_budget_used_today(const struct ing_budget *budget, int64_t log_us)
{
    int64_t day = larger(log_us, budget->log_us) / MF_US_PER_DAY;
    return day == budget->day ? budget->used : carried_over(budget, day);
}

// Requests that may start in the UTC day of log_us, which in its last second are those of the next day too.
static uint64_t day_room(const struct ing_budget *budget, uint64_t per_day, int64_t log_us)
{
    uint64_t used = ing_budget_used_today(budget, log_us);
    int64_t next = (log_us + ING_BUDGET_GRANT_US) / MF_US_PER_DAY;
    if (next != log_us / MF_US_PER_DAY && carried_over(budget, next) > used)
        used = carried_over(budget, next);
    return room_of(per_day, used);
}

// Of the window that ends at log_us; of a day that no record has begun yet, by what was asked for.
static uint64_t window_used(const struct ing_budget *budget, size_t first, int64_t log_us)
{
    bool new_day = log_us / MF_US_PER_DAY != budget->day;
    return new_day ? asked_from(budget, first) : granted_from(budget, first);
}

// When the window has more room than now: the oldest that count leave it.
static int64_t room_again_us(const struct ing_budget *budget, size_t first, int64_t log_us, int64_t window_us)
{
    uint64_t used = window_used(budget, first, log_us);
    while (first + 1 < budget->count && window_used(budget, first + 1, log_us) == used)
        first++;
    return claims_at(budget, first)->time_us + window_us + ING_BUDGET_GRANT_US;
}

static bool is_before(const struct ing_budget_want *want, const struct ing_budget_record *claim,
                      int64_t log_us)
{
    return want->priority < claim->priority && want->until_us > log_us &&
           strcmp(want->process, claim->process) != 0;
}

// What others of higher priority are waiting for, and when the first of these wants ends.
static uint64_t wanted_before(const struct ing_budget *budget, const struct ing_budget_record *claim,
                              int64_t log_us, int64_t *until_us)
{
    uint64_t wanted = 0;
    *until_us = INT64_MAX;
    if (log_us / MF_US_PER_DAY != budget->day)
        return 0; // a day begins without any
    for (size_t i = 0; i < budget->want_count; i++) {
        const struct ing_budget_want *want = &budget->wants[i];
        if (!is_before(want, claim, log_us))
            continue;
        wanted += want->count;
        *until_us = smaller(*until_us, want->until_us);
    }
    return wanted;
}

// ---------------------------------------------------------------- the verdict

static struct ing_budget_verdict held_by(enum ing_budget_reason reason, uint64_t granted, int64_t retry_us)
{
    return (struct ing_budget_verdict){.granted = granted, .reason = reason, .retry_us = retry_us};
}

struct ing_budget_verdict ing_budget_peek(const struct ing_budget *budget,
                                          const struct ing_budget_record *claim, int64_t log_us)
{
    const struct ing_budget_limits *limits = &claim->limits;
    log_us = larger(log_us, budget->log_us);
    if (log_us < budget->held_until_us)
        return held_by(ING_BUDGET_HELD, 0, budget->held_until_us);
    uint64_t day = day_room(budget, limits->per_day, log_us);
    if (day == 0)
        return held_by(ING_BUDGET_DAY, 0, (log_us / MF_US_PER_DAY + 1) * MF_US_PER_DAY);
    size_t first = first_after(budget, log_us - limits->window_us - ING_BUDGET_GRANT_US);
    uint64_t used = window_used(budget, first, log_us);
    uint64_t window = room_of(limits->per_minute, used);
    uint64_t room = day < window ? day : window;
    int64_t want_us = INT64_MAX;
    uint64_t wanted = wanted_before(budget, claim, log_us, &want_us);
    uint64_t left = room > wanted ? room - wanted : 0;
    if (left >= claim->count)
        return held_by(ING_BUDGET_ALL, claim->count, 0);
    // More comes when something leaves the window, or somebody ceases to want.
    int64_t retry_us = want_us;
    if (used > 0 && limits->per_minute > 0)
        retry_us = smaller(retry_us, room_again_us(budget, first, log_us, limits->window_us));
    if (retry_us == INT64_MAX) // the claim is for more than a window or what is left of the day
        retry_us = log_us + ING_BUDGET_GRANT_US;
    return held_by(room > left ? ING_BUDGET_PRIORITY : ING_BUDGET_WINDOW, left, retry_us);
}

// ---------------------------------------------------------------- the fold

static void forget_want(struct ing_budget *budget, size_t index)
{
    budget->wants[index] = budget->wants[--budget->want_count];
}

// The process's own: a claim says all that it wants. And those that are over.
static void forget_wants(struct ing_budget *budget, const char *process)
{
    for (size_t i = budget->want_count; i > 0; i--) {
        const struct ing_budget_want *want = &budget->wants[i - 1];
        if (want->until_us <= budget->log_us || strcmp(want->process, process) == 0)
            forget_want(budget, i - 1);
    }
}

// Nobody comes after the lowest priority, so its wants are of no consequence; nor is one that no room in the
// window could serve. Without place for it the want that ends first goes.
static void note_want(struct ing_budget *budget, const struct ing_budget_record *claim,
                      const struct ing_budget_verdict *verdict)
{
    if (claim->priority == ING_PRIORITY_BACKFILL ||
        (verdict->reason != ING_BUDGET_WINDOW && verdict->reason != ING_BUDGET_PRIORITY))
        return;
    if (budget->want_count == ING_BUDGET_WANTS_MAX) {
        size_t first = 0;
        for (size_t i = 1; i < budget->want_count; i++) {
            if (budget->wants[i].until_us < budget->wants[first].until_us)
                first = i;
        }
        forget_want(budget, first);
    }
    struct ing_budget_want *want = &budget->wants[budget->want_count++];
    *want = (struct ing_budget_want){.priority = claim->priority,
                                     .count = claim->count - verdict->granted,
                                     .until_us = verdict->retry_us + WANT_GRACE_US};
    mf_str_copy(want->process, sizeof want->process, mf_str_of(claim->process));
}

static void grow(struct ing_budget *budget)
{
    size_t capacity = budget->capacity == 0 ? 64 : budget->capacity * 2;
    struct ing_budget_claims *claims = mf_calloc(capacity, sizeof *claims);
    for (size_t i = 0; i < budget->count; i++)
        claims[i] = *claims_at(budget, i);
    free(budget->claims);
    budget->claims = claims;
    budget->head = 0;
    budget->capacity = capacity;
}

static void charge(struct ing_budget *budget, uint64_t asked, uint64_t granted)
{
    int64_t now_us = budget->log_us;
    size_t gone = first_after(budget, now_us - ING_BUDGET_WINDOW_MAX_US - ING_BUDGET_GRANT_US);
    if (gone > 0) {
        budget->head = (budget->head + gone) % budget->capacity;
        budget->count -= gone;
    }
    if (budget->count == 0 || claims_at(budget, budget->count - 1)->time_us != now_us) {
        if (budget->count == budget->capacity)
            grow(budget);
        *claims_at(budget, budget->count++) = (struct ing_budget_claims){
            .time_us = now_us, .granted_before = budget->granted, .asked_before = budget->asked};
    }
    budget->asked += asked;
    budget->granted += granted;
    budget->used += granted;
}

void ing_budget_fold(struct ing_budget *budget, const struct ing_budget_record *record, int64_t log_us,
                     struct ing_budget_verdict *verdict)
{
    advance(budget, larger(log_us, 0));
    if (record->kind == ING_BUDGET_HOLD) {
        budget->held_until_us = larger(budget->held_until_us, budget->log_us + record->wait_us);
        return;
    }
    forget_wants(budget, record->process);
    struct ing_budget_verdict got = ing_budget_peek(budget, record, budget->log_us);
    charge(budget, record->count, got.granted);
    note_want(budget, record, &got);
    if (verdict != NULL)
        *verdict = got;
}

uint64_t ing_budget_wanted(const struct ing_budget *budget, const char *process, int64_t log_us)
{
    for (size_t i = 0; i < budget->want_count; i++) {
        const struct ing_budget_want *want = &budget->wants[i];
        if (strcmp(want->process, process) == 0 && want->until_us > log_us)
            return want->count;
    }
    return 0;
}
