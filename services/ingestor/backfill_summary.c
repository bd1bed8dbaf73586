// SPDX-License-Identifier: Apache-2.0
// What a run has and lacks, symbol by symbol: expected and received sessions, missing slots and their likely
// causes. The same for the final JSON and for the manifest. See backfill_private.h.
#include "common/clock.h"
#include "services/ingestor/backfill_private.h"

enum { ORDINARY_MINUTES = 390, SATURDAY = 6 };

// How far the series has been asked for, by this process or those before.
static int64_t asked_until(const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    int64_t until_us = mark->position_us > series->asked_us ? mark->position_us : series->asked_us;
    if (mark->last_time_us != INT64_MIN && mark->last_time_us + MF_US_PER_MINUTE > until_us)
        until_us = mark->last_time_us + MF_US_PER_MINUTE;
    if (mark->status == ING_STATUS_COMPLETE || mark->status == ING_STATUS_PARTIAL)
        until_us = series->end_us;
    return until_us < series->end_us ? until_us : series->end_us;
}

// What is over at all.
static int64_t over(int64_t end_us)
{
    int64_t now_us = mf_clock_real_us();
    return end_us < now_us ? end_us : now_us;
}

static void finish(const struct backfill_series *series, struct ing_coverage *finished)
{
    *finished = (struct ing_coverage){0};
    ing_coverage_copy(finished, series->tally.coverage);
    ing_coverage_finish(finished, &series->shape, over(asked_until(series)));
}

void ing_backfill_view_begin(const struct backfill *backfill, struct backfill_view *view)
{
    struct ing_gap_evidence *evidence = &view->evidence;
    *view = (struct backfill_view){0};
    for (size_t i = 0; i < backfill->count; i++) {
        struct ing_coverage finished;
        if (backfill->series[i].tally.coverage == NULL)
            continue;
        finish(&backfill->series[i], &finished);
        ing_gap_evidence_add(evidence, &finished);
        ing_coverage_free(&finished);
    }
    ing_gap_evidence_sort(evidence);
}

void ing_backfill_view_end(struct backfill_view *view)
{
    ing_gap_evidence_free(&view->evidence);
}

bool ing_backfill_closure(const struct mf_calendar *calendar, struct mf_date day, uint64_t *minutes)
{
    struct mf_calendar_session session;
    int weekday = mf_date_weekday(day);
    *minutes = ORDINARY_MINUTES;
    if (weekday == 0 || weekday == SATURDAY)
        return false;
    if (!mf_calendar_session_of(calendar, day, &session))
        return true;
    *minutes = ORDINARY_MINUTES - (uint64_t)((session.close_us - session.open_us) / MF_US_PER_MINUTE);
    return session.early_close;
}

// Of ordinary weekdays, what the calendar takes away. Decades of days are not counted anew for each of
// thousands of symbols that have the same range.
static const struct backfill_days *days_of(const struct backfill *backfill,
                                           const struct backfill_series *series, struct backfill_view *view)
{
    const struct mf_calendar *calendar = backfill->app->calendar;
    struct backfill_days *days = &view->days;
    int64_t from_us = series->mark.range.from_us;
    int64_t end_us = over(series->end_us);
    if (days->counted && days->from_us == from_us && days->end_us == end_us)
        return days;
    *days = (struct backfill_days){.counted = true, .from_us = from_us, .end_us = end_us};
    struct mf_date day = mf_calendar_local_date(calendar, from_us);
    for (; mf_calendar_midnight_us(calendar, day) < end_us; day = mf_date_add_days(day, 1)) {
        uint64_t minutes;
        struct mf_calendar_session session;
        bool closed = !mf_calendar_session_of(calendar, day, &session);
        days->sessions += !closed && session.close_us <= end_us;
        if (!ing_backfill_closure(calendar, day, &minutes))
            continue;
        days->holidays += closed;
        days->early_minutes += closed ? 0 : minutes;
    }
    return days;
}

static void count_closures(const struct backfill *backfill, const struct backfill_series *series,
                           struct backfill_view *view, struct backfill_summary *summary)
{
    if (!ing_market_has_sessions(series->shape.asset_class)) {
        summary->expected_sessions = summary->finished.sessions; // days, then
        return;
    }
    const struct backfill_days *days = days_of(backfill, series, view);
    summary->expected_sessions = days->sessions;
    summary->holiday = series->shape.days ? days->holidays : days->holidays * ORDINARY_MINUTES;
    summary->early_close = series->shape.days ? 0 : days->early_minutes;
}

// Slots that were not asked for, of many symbols the same ones.
static uint64_t slots_left(const struct backfill_series *series, struct backfill_view *view)
{
    int64_t from_us = over(asked_until(series));
    int64_t to_us = over(series->end_us);
    if (from_us >= to_us)
        return 0;
    bool same = view->left.counted && view->left.from_us == from_us && view->left.to_us == to_us &&
                view->left.asset_class == series->shape.asset_class;
    if (!same) {
        view->left.counted = true;
        view->left.from_us = from_us;
        view->left.to_us = to_us;
        view->left.asset_class = series->shape.asset_class;
        view->left.slots = ing_coverage_slots(&series->shape, from_us, to_us);
    }
    return view->left.slots;
}

static uint64_t cause_of_range(const struct backfill_series *series, const struct ing_gap_evidence *evidence,
                               const struct ing_missing *range, struct backfill_summary *summary)
{
    const struct ing_gap_subject subject = {.coverage = &summary->finished,
                                            .shape = &series->shape,
                                            .skipped = &series->mark.skipped,
                                            .evidence = evidence};
    enum ing_gap_cause cause = ing_gap_cause_of(&subject, range);
    struct backfill_gap *gap = &summary->gaps[summary->gap_count++];
    *gap = (struct backfill_gap){.range = *range, .cause = cause};
    summary->causes[cause] += range->slots;
    return range->slots;
}

// Every range has a cause; what was only counted has none.
static void find_causes(const struct backfill_series *series, const struct ing_gap_evidence *evidence,
                        struct backfill_summary *summary)
{
    const struct ing_coverage *finished = &summary->finished;
    uint64_t explained = 0;
    for (size_t i = 0; i < finished->count; i++)
        explained += cause_of_range(series, evidence, &finished->items[i], summary);
    if (finished->open.slots > 0)
        explained += cause_of_range(series, evidence, &finished->open, summary);
    summary->causes[ING_GAP_UNKNOWN] += finished->missing > explained ? finished->missing - explained : 0;
}

void ing_backfill_summarise(const struct backfill *backfill, const struct backfill_series *series,
                            struct backfill_view *view, struct backfill_summary *summary)
{
    *summary = (struct backfill_summary){.received = series->mark.events};
    // Most contracts trade on few days: of each it is known how many there were, and no more is expected.
    if (backfill->args.feed == ING_FEED_OPTIONS) {
        summary->sessions = true;
        summary->expected_sessions = days_of(backfill, series, view)->sessions;
    }
    if (series->tally.coverage == NULL)
        return;
    summary->covered = true;
    finish(series, &summary->finished);
    const struct ing_coverage *finished = &summary->finished;
    find_causes(series, &view->evidence, summary);
    count_closures(backfill, series, view, summary);
    uint64_t left = slots_left(series, view);
    bool running = series->mark.status == ING_STATUS_RUNNING;
    summary->causes[running ? ING_GAP_NOT_ASKED : ING_GAP_UNKNOWN] += left;
    summary->received_sessions = finished->sessions_seen;
    summary->unexamined = finished->unexamined;
    summary->expected = finished->slots + left;
    summary->missing = finished->missing + left;
}

void ing_backfill_summary_free(struct backfill_summary *summary)
{
    ing_coverage_free(&summary->finished);
}

// ---------------------------------------------------------------- as JSON

void ing_backfill_write_summary(struct mf_json_writer *w, const struct backfill_series *series,
                                const struct backfill_summary *summary)
{
    mf_jw_member_u64(w, "received", summary->received);
    if (summary->covered || summary->sessions)
        mf_jw_member_u64(w, "expected_sessions", summary->expected_sessions);
    if (!summary->covered)
        return;
    mf_jw_member_u64(w, "received_sessions", summary->received_sessions);
    mf_jw_member_u64(w, series->shape.days ? "expected_days" : "expected_minutes", summary->expected);
    mf_jw_member_u64(w, series->shape.days ? "missing_days" : "missing_minutes", summary->missing);
    if (summary->unexamined > 0)
        mf_jw_member_u64(w, "unexamined", summary->unexamined);
    mf_jw_key(w, "causes");
    mf_jw_object_begin(w);
    for (unsigned i = 0; i < ING_GAP_MAX; i++) {
        if (summary->causes[i] > 0)
            mf_jw_member_u64(w, ing_gap_cause_name((enum ing_gap_cause)i), summary->causes[i]);
    }
    if (summary->holiday > 0)
        mf_jw_member_u64(w, "holiday", summary->holiday);
    if (summary->early_close > 0)
        mf_jw_member_u64(w, "early_close", summary->early_close);
    mf_jw_object_end(w);
}
