// SPDX-License-Identifier: Apache-2.0
// Gaps of the vendor's in the session under way (gaps.h), looked for again and again, a little at a time:
// what feed_status tells of them, and that they are filled. Nothing is invented for what is missing. See
// live_private.h.
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/coverage.h"
#include "services/ingestor/gaps.h"
#include "services/ingestor/live_private.h"

#define TURN_US 2000
// Minutes that follow each other in one feed_status are the same gap for several symbols.
enum { CAUSE_SIZE = 120 };

static const enum mf_asset_class groups[] = {MF_ASSET_STOCK, MF_ASSET_INDEX, MF_ASSET_CRYPTO, MF_ASSET_FX};

struct found { // in one group
    struct {
        int64_t from_us, to_us;
        char cause[CAUSE_SIZE];
    } gaps[ING_GAPS_MAX];
    size_t count;
    uint64_t expected, received;
};

struct live_gaps {
    struct ing_gap_scan scan;
    size_t group;
    bool scanning;
    struct found found[MF_ARRAY_LEN(groups)];
};

// ---------------------------------------------------------------- what was found

// "vendor_gap MMM,HON": the symbols that lack the same minutes.
static void add_found(struct found *found, const struct ing_gap *gap)
{
    for (size_t i = 0; i < found->count; i++) {
        size_t len = strlen(found->gaps[i].cause);
        if (found->gaps[i].from_us == gap->from_us && found->gaps[i].to_us == gap->to_us &&
            len + strlen(gap->name) + 2 < CAUSE_SIZE) {
            snprintf(found->gaps[i].cause + len, CAUSE_SIZE - len, ",%s", gap->name);
            return;
        }
    }
    if (found->count == ING_GAPS_MAX)
        return;
    found->gaps[found->count].from_us = gap->from_us;
    found->gaps[found->count].to_us = gap->to_us;
    snprintf(found->gaps[found->count++].cause, CAUSE_SIZE, "vendor_gap %s", gap->name);
}

static bool is_same(const struct found *a, const struct found *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++)
        same = a->gaps[i].from_us == b->gaps[i].from_us && a->gaps[i].to_us == b->gaps[i].to_us &&
               strcmp(a->gaps[i].cause, b->gaps[i].cause) == 0;
    return same;
}

static void take(struct live *live, struct live_gaps *gaps)
{
    struct found *known = &gaps->found[gaps->group];
    struct found *found = mf_calloc(1, sizeof *found);
    for (size_t i = 0; i < gaps->scan.gap_count; i++)
        add_found(found, &gaps->scan.gaps[i]);
    found->expected = gaps->scan.expected;
    found->received = gaps->scan.received;
    bool changed = !is_same(found, known);
    *known = *found;
    free(found);
    uint64_t missing = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(groups); i++)
        missing += gaps->found[i].expected - gaps->found[i].received;
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_GAP_MINUTES]),
                  (double)missing);
    if (changed)
        ing_live_tell(live, LIVE_MINUTE);
}

bool ing_live_fill_gaps(const struct live *live, struct mf_feed_status *status)
{
    uint64_t expected = 0;
    uint64_t received = 0;
    for (size_t i = 0; live->gaps != NULL && i < MF_ARRAY_LEN(groups); i++) {
        const struct found *found = &live->gaps->found[i];
        expected += found->expected;
        received += found->received;
        for (size_t j = 0; j < found->count && status->gap_count < MF_FEED_GAPS_MAX; j++)
            status->gaps[status->gap_count++] = (struct mf_feed_gap){
                found->gaps[j].from_us, found->gaps[j].to_us, mf_str_of(found->gaps[j].cause)};
    }
    if (expected > 0) {
        status->expected = (int64_t)expected;
        status->received = (int64_t)received;
    }
    return status->gap_count > 0;
}

// ---------------------------------------------------------------- looking

// The minutes of the regular session that has begun last, early trading included, as far as they are over; of
// the UTC day where there are no sessions. Once its early trading has begun, the next one has.
static bool session_of(const struct live *live, enum mf_asset_class asset_class, int64_t *first_us,
                       int64_t *to_us)
{
    const struct mf_calendar *calendar = live->app->calendar;
    int64_t complete_us = live->complete_us[LIVE_MINUTE];
    struct ing_day_slots slots;
    struct ing_coverage_shape shape = {.calendar = calendar, .asset_class = asset_class};
    if (complete_us == INT64_MIN)
        return false;
    struct mf_date date = ing_market_date(calendar, asset_class, complete_us);
    struct mf_calendar_session session;
    if (ing_market_has_sessions(asset_class)) {
        if (mf_calendar_session_of(calendar, date, &session) && session.pre_open_us > complete_us)
            date = mf_date_add_days(date, -1);
        if (!mf_calendar_session_until(calendar, date, &session))
            return false;
        date = session.date;
    }
    if (!ing_coverage_day(&shape, date, &slots))
        return false;
    int64_t end_us = slots.first_us + slots.count * slots.step_us;
    *first_us = slots.first_us;
    *to_us = end_us < complete_us ? end_us : complete_us;
    return *first_us < *to_us;
}

// What fails, or is not known yet, is no gap: feed_status names it otherwise.
static bool is_judged(const struct live_symbol *symbol, enum mf_asset_class asset_class, int64_t to_us)
{
    const struct live_series *minute = symbol->series[LIVE_MINUTE];
    return symbol->asset_class == asset_class && minute != NULL && symbol->remembered &&
           minute->mark.status == ING_STATUS_COMPLETE && minute->base.failing_since_us == 0 &&
           minute->good_us >= to_us;
}

static void begin(struct live *live, struct live_gaps *gaps)
{
    int64_t first_us = 0;
    int64_t to_us = 0;
    enum mf_asset_class asset_class = groups[gaps->group];
    bool found = session_of(live, asset_class, &first_us, &to_us);
    ing_gap_scan_begin(&gaps->scan, first_us, to_us);
    for (size_t i = 0; i < live->count && found; i++) {
        if (is_judged(live->symbols[i], asset_class, to_us))
            ing_gap_scan_add(&gaps->scan, &live->symbols[i]->minutes, live->symbols[i]->name);
    }
    gaps->scanning = true;
}

void ing_live_gaps_tick(struct live *live)
{
    struct live_gaps *gaps = live->gaps;
    int64_t end_us = mf_clock_monotonic_us() + TURN_US;
    for (size_t done = 0; done < MF_ARRAY_LEN(groups);) {
        if (!gaps->scanning)
            begin(live, gaps);
        while (gaps->scanning && mf_clock_monotonic_us() < end_us)
            gaps->scanning = ing_gap_scan_step(&gaps->scan);
        if (gaps->scanning)
            return; // on with the next tick
        take(live, gaps);
        gaps->group = (gaps->group + 1) % MF_ARRAY_LEN(groups);
        done++;
    }
}

struct live_gaps *ing_live_gaps_new(void)
{
    return mf_calloc(1, sizeof(struct live_gaps));
}

// Names and minutes of symbols that leave are not looked at again.
void ing_live_gaps_restart(struct live_gaps *gaps)
{
    if (gaps != NULL)
        gaps->scanning = false;
}

void ing_live_gaps_free(struct live_gaps **gaps)
{
    if (*gaps == NULL)
        return;
    ing_gap_scan_free(&(*gaps)->scan);
    free(*gaps);
    *gaps = NULL;
}
