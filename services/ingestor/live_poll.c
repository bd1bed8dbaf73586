// SPDX-License-Identifier: Apache-2.0
// The polled series of live mode: a symbol's minutes, days and news, from their watermarks on, with an
// overlap. See live_private.h.
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/live_private.h"

// What a start asks for at once, and the day bars after a close, come this far apart, series after series.
#define SPREAD_US (5 * MF_US_PER_MS)

enum live_feed ing_live_feed_of(const struct live_series *series)
{
    const struct ing_work *work = &series->base.work;
    if (work->feed == ING_FEED_NEWS)
        return LIVE_NEWS;
    return work->timespan == ING_TIMESPAN_DAY ? LIVE_DAY : LIVE_MINUTE;
}

// ---------------------------------------------------------------- asking

// Asks for what the plan says, now or when it is due.
static void schedule(struct live *live, struct live_series *series, int64_t delay_us)
{
    // The range is planned when it is asked for; the engine only has to know when that is.
    series->base.work.from_us = series->base.work.to_us = 0;
    ing_engine_begin(live->app->engine, &series->base, NULL, 0, INT64_MIN, delay_us);
}

// A series that is pulled anew keeps in its position how far it was: what came since is asked for as well.
// Days have all of it in one range, and their newest stays known.
struct ing_mark ing_live_mark(const struct live_series *series)
{
    struct ing_mark mark = series->mark;
    if (!series->anew)
        return mark;
    mark.status = ING_STATUS_RUNNING;
    if (mark.last_time_us != INT64_MIN)
        mark.position_us = mark.last_time_us;
    if (ing_live_feed_of(series) == LIVE_MINUTE)
        mark.last_time_us = INT64_MIN;
    return mark;
}

// Called when the series' turn has come, which may be long after it was due: the range ends with the present,
// not with the time at which it was scheduled.
static bool plan(struct live *live, struct live_series *series)
{
    struct ing_work *work = &series->base.work;
    int64_t now_us = mf_clock_real_us();
    series->range_asked_us = now_us;
    series->mark = ing_live_mark(series);
    series->anew = false;
    struct ing_plan next;
    bool something =
        ing_plan_range(live->app->calendar, &live->app->config, work, &series->mark, now_us, &next);
    series->warmup = series->base.expect_data = next.warmup;
    series->more = something && next.more;
    if (!something)
        return false;
    work->from_us = next.range.from_us;
    work->to_us = next.range.to_us;
    return true;
}

// The pace depends on the market (live_plan.c), the place within it on the symbol.
static int64_t wait_of(const struct live *live, const struct live_series *series)
{
    const struct ing_config *config = &live->app->config;
    int64_t now_us = mf_clock_real_us();
    int64_t wait_us = ing_plan_wait_us(live->app->calendar, config, &series->base.work, &series->mark,
                                       series->good_us, now_us);
    int64_t period_us = config->poll_ms * MF_US_PER_MS;
    switch (ing_live_feed_of(series)) {
    case LIVE_NEWS: period_us = config->news_poll_ms * MF_US_PER_MS; break;
    case LIVE_DAY: period_us = (int64_t)live->count * SPREAD_US; break;
    case LIVE_MINUTE:
    case LIVE_FEED_MAX: break;
    }
    return ing_plan_phased_us(now_us, wait_us, period_us, series->symbol->phase);
}

// The day bars of a warm-up come before the symbol's first minute, and so does what is remembered of its
// minutes.
static void begin_minute(struct live *live, struct live_symbol *symbol, int64_t delay_us)
{
    const struct live_series *day = symbol->series[LIVE_DAY];
    struct live_series *minute = symbol->series[LIVE_MINUTE];
    bool day_first = day != NULL && day->mark.status == ING_STATUS_RUNNING;
    if (minute != NULL && minute->base.state == ING_SERIES_IDLE && symbol->remembered && !day_first)
        schedule(live, minute, delay_us);
}

// The symbol's place among those that begin with it.
static int64_t spread_us(const struct live_symbol *symbol, size_t beside)
{
    return (int64_t)(((uint64_t)beside * SPREAD_US * symbol->phase) >> 32);
}

void ing_live_begin_minute(struct live *live, struct live_symbol *symbol, size_t beside)
{
    begin_minute(live, symbol, spread_us(symbol, beside));
}

void ing_live_begin_symbol(struct live *live, struct live_symbol *symbol, size_t beside)
{
    int64_t delay_us = spread_us(symbol, beside);
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
        if (symbol->series[feed] != NULL && feed != LIVE_MINUTE)
            schedule(live, symbol->series[feed], delay_us);
    }
    begin_minute(live, symbol, delay_us);
}

// What failed keeps its delay, and what is to go on at once does so; what is under way plans with the new
// days anyway.
void ing_live_plan_again(struct live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
            struct live_series *series = live->symbols[i]->series[feed];
            if (feed != LIVE_NEWS && series != NULL && series->refusals == 0 && series->good_us != 0 &&
                series->base.failing_since_us == 0 && !series->anew && !series->more)
                ing_engine_put_off(live->app->engine, &series->base, wait_of(live, series));
        }
    }
}

// The vendor rewrites the adjusted bars of all days before it, so what indicators look back at is pulled
// again. That it has to be is kept at once: what is under way may take long, or never end.
void ing_live_split(struct live *live, struct live_symbol *symbol)
{
    const struct ing_config *config = &live->app->config;
    bool pulled = config->warmup && config->adjusted == MF_ADJUSTED_SPLIT;
    MF_LOGF(live->app->service->log, MF_LOG_NOTICE, "live", "split",
            MF_FIELDS(mf_lf_str("symbol", symbol->name)), "%s",
            pulled ? "a split has taken effect: the symbol's warm-up is pulled again; history from before it "
                     "needs a "
                     "backfill with --again"
                   : "a split has taken effect");
    for (int feed = 0; feed < LIVE_NEWS && pulled; feed++) {
        struct live_series *series = symbol->series[feed];
        if (series == NULL || series->mark.status != ING_STATUS_COMPLETE)
            continue;
        series->anew = true;
        ing_live_save(live, series);
        ing_engine_put_off(live->app->engine, &series->base, 0);
    }
}

// ---------------------------------------------------------------- events

// A window that was not over when the request started is forming, whatever the answer says by now.
static bool prepare(struct live *live, struct live_series *series, const struct ing_page *page,
                    struct mf_event *event)
{
    if (event->type == MF_EVENT_BAR && event->bar.window_end_us > page->asked_us) {
        if (!live->app->config.publish_forming || live->once)
            return false;
        event->flags |= MF_FLAG_FORMING;
    }
    // Of a series that is pulled anew, what lies behind its old mark is news.
    if (series->warmup && (series->mark.position_us == 0 || event->event_time_us <= series->mark.position_us))
        event->flags |= MF_FLAG_WARMUP;
    return true;
}

uint64_t ing_live_hash(const struct mf_event *event)
{
    uint64_t hash = mf_event_content_hash(event).low;
    // The final bar is news even when it looks like the forming one.
    hash = (event->flags & MF_FLAG_FORMING) != 0 ? ~hash : hash;
    return hash != 0 ? hash : 1;
}

static bool wanted_minute(struct live_series *series, const struct mf_event *event)
{
    uint64_t hash = ing_live_hash(event);
    if (ing_minutes_get(&series->symbol->minutes, event->event_time_us) == hash)
        return false;
    ing_minutes_stage(&series->staged, event->event_time_us, hash);
    return true;
}

static bool wanted(struct live *live, struct live_series *series, const struct mf_event *event)
{
    if (live->once)
        return true;
    if (ing_live_feed_of(series) == LIVE_MINUTE)
        return wanted_minute(series, event);
    struct ing_overlap_entry entry = {.event_time_us = event->event_time_us, .hash = ing_live_hash(event)};
    if (event->type == MF_EVENT_NEWS)
        entry.id = mf_hash64(event->news.article_id.data, event->news.article_id.len);
    if (ing_overlap_has(&series->overlap, &entry))
        return false;
    ing_overlap_stage(&series->overlap, &entry);
    return true;
}

// ---------------------------------------------------------------- progress

static int64_t overlap_us(const struct live *live, const struct live_series *series)
{
    const struct ing_config *config = &live->app->config;
    switch (ing_live_feed_of(series)) {
    case LIVE_NEWS: return config->news_overlap_ms * MF_US_PER_MS;
    case LIVE_DAY: return 10 * MF_US_PER_DAY;
    case LIVE_MINUTE:
    case LIVE_FEED_MAX: break;
    }
    return config->overlap_ms * MF_US_PER_MS;
}

void ing_live_save(struct live *live, const struct live_series *series)
{
    struct ing_mark mark = ing_live_mark(series);
    if (!live->once)
        ing_app_save_live(live->app, &series->base.work, &mark, &series->overlap);
}

// What the next polls read again stays, and of minutes what the reconcile will.
static void forget(struct live *live, struct live_series *series)
{
    int64_t before_us = series->mark.last_time_us - overlap_us(live, series) - MF_US_PER_HOUR;
    if (ing_live_feed_of(series) != LIVE_MINUTE) {
        ing_overlap_forget(&series->overlap, before_us);
        return;
    }
    int64_t session_us = ing_live_unreconciled_us(live, series->symbol);
    ing_minutes_forget(&series->symbol->minutes, before_us < session_us ? before_us : session_us);
}

// A watermark is written only when it says something new: polls that bring nothing leave no trace.
static void page_done(struct live *live, struct live_series *series, const struct ing_page_result *result)
{
    bool moved = result->last_time_us > series->mark.last_time_us;
    ing_overlap_commit(&series->overlap);
    ing_minutes_commit(&series->symbol->minutes, &series->staged);
    series->mark.events += result->published;
    live->published[ing_live_feed_of(series)] += result->published;
    if (moved) {
        series->mark.last_time_us = result->last_time_us;
        forget(live, series);
    }
    if (moved || result->published > 0)
        ing_live_save(live, series);
}

static void page_failed(struct live_series *series)
{
    ing_overlap_rollback(&series->overlap);
    ing_minutes_rollback(&series->staged);
}

static void finish_once(struct live *live, bool ok)
{
    live->failed = live->failed || !ok;
    if (--live->warming == 0)
        mf_service_finish(live->app->service, live->failed ? MF_EXIT_TEMPORARY : MF_EXIT_OK,
                          live->failed ? "some symbols could not be warmed up" : "all symbols are warm");
}

// The warm-up is over, one way or the other: what follows is live. One that brought nothing leaves the mark
// where it was.
static void end_warmup(struct live *live, struct live_series *series, bool ok)
{
    struct live_symbol *symbol = series->symbol;
    series->mark.status = ING_STATUS_COMPLETE;
    if (series->mark.last_time_us == INT64_MIN && series->mark.position_us != 0)
        series->mark.last_time_us = series->mark.position_us;
    ing_live_save(live, series);
    if (series == symbol->series[LIVE_DAY])
        begin_minute(live, symbol, 0);
    if (live->once)
        finish_once(live, ok);
}

// Where a quiet series began is its only mark until an event comes: without it, an outage longer than the
// overlap would be a hole. Written once.
static void note_beginning(struct live *live, struct live_series *series)
{
    struct ing_mark *mark = &series->mark;
    if (mark->last_time_us != INT64_MIN || mark->position_us != 0 || series->warmup)
        return;
    mark->position_us = series->base.work.from_us;
    ing_live_save(live, series);
}

// Read to the range's end, whether it held bars or not: the next plan goes on behind it.
static void go_on(struct live *live, struct live_series *series)
{
    int64_t read_us =
        series->base.work.to_us - mf_interval_us(ing_timespans[series->base.work.timespan].interval);
    if (read_us > series->mark.last_time_us)
        series->mark.last_time_us = read_us;
    schedule(live, series, 0);
}

static void range_done(struct live *live, struct live_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    (void)err;
    const struct ing_work *work = &series->base.work;
    bool was_warming = series->mark.status == ING_STATUS_RUNNING;
    bool complete = end == ING_RANGE_COMPLETE;
    series->refusals = complete ? 0 : series->refusals + 1;
    if (complete && work->to_us > work->from_us) {
        if (series->rejects != NULL)
            ing_rejects_range_read(series->rejects);
        if (series->rejects != NULL && series->rejects->count == 0)
            ing_live_forget_rejects(series);
        note_beginning(live, series);
    }
    if (complete && series->more) {
        go_on(live, series);
        return;
    }
    if (complete)
        series->good_us = series->range_asked_us;
    bool known =
        series->good_us != 0 || series->mark.last_time_us != INT64_MIN || series->mark.position_us != 0;
    if (was_warming && end == ING_RANGE_UNKNOWN_TICKER && known && !live->once)
        was_warming = false; // it passes: the warm-up goes on where it was
    if (was_warming)
        end_warmup(live, series, complete);
    if (live->once)
        return;
    if (complete) {
        schedule(live, series, series->anew ? 0 : wait_of(live, series));
        return;
    }
    int64_t wait_us = ing_plan_refused_wait_us(&live->app->config, work, end, known, series->refusals);
    // The plan did not cover the history; the present may be.
    schedule(live, series, was_warming ? 0 : wait_us);
}

const struct live_kind ing_live_poll = {.plan = plan,
                                        .prepare = prepare,
                                        .wanted = wanted,
                                        .page_done = page_done,
                                        .page_failed = page_failed,
                                        .range_done = range_done};
