// SPDX-License-Identifier: Apache-2.0
// The series of a backfill: each is a symbol whose range is cut into what one request may hold; its progress
// is saved after every acknowledged page. What the engine tells its driver about them ends here. See
// backfill_private.h.
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/backfill_private.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/request_range.h"

static struct backfill_series *of(struct ing_series *series)
{
    return (struct backfill_series *)(void *)series;
}

// Where the series' range ends for this process: what has not begun cannot be asked for, and asking for it is
// answered as if the plan did not cover it. Taken once: an end that moves with the clock is never reached
// when a minute passes between two requests.
int64_t ing_backfill_range_end(const struct backfill *backfill, const struct backfill_series *series,
                               int64_t now_us)
{
    const struct ing_work *work = &series->base.work;
    const struct mf_calendar *calendar = backfill->app->calendar;
    int64_t end_us = now_us - now_us % MF_US_PER_MINUTE;
    if (ing_feed_is_reference(work->feed) ||
        ing_feed_is_of_now(work->feed)) // announced ahead of time, or now
        return series->mark.range.to_us;
    // A day that is asked for by itself has its bar when its session is over, and is asked for then.
    if (ing_feed_is_by_day(work->feed)) {
        struct mf_calendar_session session;
        struct mf_date today = ing_market_date(calendar, work->asset_class, now_us);
        bool over = mf_calendar_session_of(calendar, today, &session) && session.close_us <= now_us;
        end_us =
            ing_market_midnight_us(calendar, work->asset_class, over ? mf_date_add_days(today, 1) : today);
    }
    // Days and longer are asked for whole; the one that is not over is left out when it comes.
    if (ing_feed_is_of_bars(work->feed) && ing_timespans[work->timespan].base == ING_BASE_DAY) {
        struct mf_date today = ing_market_date(calendar, work->asset_class, now_us);
        end_us = ing_market_midnight_us(calendar, work->asset_class, mf_date_add_days(today, 1));
    }
    return series->mark.range.to_us < end_us ? series->mark.range.to_us : end_us;
}

// Where to go on when only the newest event is known. Articles share a second, splits a day, and more of them
// may come: theirs is read again, and repeats are known downstream.
static int64_t after_last(const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    int64_t next_us = mark->last_time_us;
    if (next_us == INT64_MIN || next_us < mark->position_us)
        return mark->position_us;
    return ing_feed_is_of_bars(series->base.work.feed) ? next_us + MF_US_PER_MS : next_us;
}

// ---------------------------------------------------------------- saving

static void on_mark_saved(void *arg, const struct mf_error *err)
{
    struct backfill_series *series = arg;
    struct backfill *backfill = series->backfill;
    series->marks_pending--;
    bool over = series->walk != NULL && series->ended; // of a contract, which nobody asks after any more
    if (err != NULL && !over && mf_service_state(backfill->app->service) == MF_SERVICE_RUNNING)
        ing_backfill_save(backfill, series); // another one is not sure to follow
    // One that was not even queued is queued again later: not from here, where the queue is still full.
    if (!series->unsaved && series->marks_pending == 0 && series->base.state == ING_SERIES_PUBLISHING)
        ing_engine_room(backfill->app->engine);
    if (series->marks_pending == 0 && over)
        ing_options_settle(backfill); // its slot is free
}

// The next page waits for the acknowledgement: after a kill, at most one page of a series is published again.
void ing_backfill_save(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_work work = series->base.work;
    struct ing_batch *batch = ing_batch_new(backfill->app->publisher, on_mark_saved, series);
    if (!ing_options_is_walk(series))
        work.feed = backfill->args.feed; // also while names or details are asked for
    series->mark.tally = &series->tally;
    series->marks_pending++;
    series->unsaved = !ing_app_save_mark(backfill->app, batch, &work, backfill->args.run_id, &series->mark);
    ing_batch_seal(batch);
}

void ing_backfill_save_again(struct backfill *backfill)
{
    for (size_t i = 0; i < backfill->count; i++) {
        if (backfill->series[i].unsaved)
            ing_backfill_save(backfill, &backfill->series[i]);
    }
}

static bool may_publish(void *arg, struct ing_series *base)
{
    struct backfill_series *series = of(base);
    if (series->unsaved)
        ing_backfill_save(arg, series);
    return series->marks_pending == 0 && !series->unsaved;
}

// ---------------------------------------------------------------- ranges

// The last one to end ends the run.
void ing_backfill_end_series(struct backfill *backfill, struct backfill_series *series)
{
    if (series->walk != NULL) {
        ing_options_contract_ended(backfill, series);
        return;
    }
    series->ended = true;
    backfill->ended++;
    ing_backfill_say_ended(backfill, series);
    ing_backfill_forget_names(series);
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_PENDING_RANGES];
    mf_metric_set(MF_METRIC(backfill->app->service->metrics, def, ing_metric_type(series->base.work.feed)),
                  (double)(backfill->count - backfill->ended));
    if (backfill->ended == backfill->count)
        ing_backfill_finish(backfill);
}

// A stored cursor takes the series to the page it had reached, in the middle of the chunk, whose end it
// knows: that of a chunk which is cut now may be another one.
static void begin_chunk(struct backfill *backfill, struct backfill_series *series, int64_t from_us,
                        int64_t to_us)
{
    struct ing_work *work = &series->base.work;
    struct ing_watermark *mark = &series->mark;
    bool resumed = !series->retrying && mark->cursor[0] != '\0';
    work->from_us = from_us;
    work->to_us =
        resumed ? mark->request_to_us : ing_request_end_us(backfill->app->calendar, work, from_us, to_us);
    series->chunk_to_us = work->to_us;
    if (!series->retrying)
        mark->request_to_us = work->to_us;
    work->pass = (enum ing_pass)mark->pass;
    // A day without a bar is answered as if the ticker were unknown.
    series->base.may_be_unknown = ing_work_is_beside(work) || work->feed == ING_FEED_OPEN_CLOSE;
    series->from_cursor = resumed;
    series->base.expect_data = true;
    ing_engine_begin(backfill->app->engine, &series->base, resumed ? mark->cursor : NULL,
                     resumed ? mark->page : 0, resumed ? mark->last_time_us : INT64_MIN, 0);
}

// A stock without a bar for a week and more from the range's beginning: was it called otherwise, or not there
// yet? That costs a request, so only a manifest is worth it.
static bool wants_names(const struct backfill *backfill, const struct backfill_series *series)
{
    enum { AWAY_US_DAYS = 7 };
    const struct ing_coverage *coverage = series->tally.coverage;
    return backfill->args.manifest != NULL && coverage != NULL && !series->names_asked &&
           coverage->since.year == 0 && series->base.work.asset_class == MF_ASSET_STOCK &&
           coverage->first_slot_us != INT64_MIN && coverage->first_us != INT64_MIN &&
           coverage->first_us - coverage->first_slot_us >= AWAY_US_DAYS * MF_US_PER_DAY;
}

static bool ask_names(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_work *work = &series->base.work;
    if (!wants_names(backfill, series))
        return false;
    series->names_asked = series->asking_names = true;
    work->feed = ING_FEED_SYMBOLS;
    work->pass = ING_PASS_RENAMES;
    work->from_us = series->mark.range.from_us; // of this process nothing else may have been asked for
    work->to_us = series->mark.range.to_us;
    series->base.may_be_unknown = true;
    series->base.expect_data = false;
    ing_engine_begin(backfill->app->engine, &series->base, NULL, 0, INT64_MIN, 0);
    return true;
}

// Whatever came of it, the series goes on: without names the cause is a guess.
static void names_done(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_coverage *coverage = series->tally.coverage;
    if (series->aliases != NULL) {
        coverage->since = series->aliases->since;
        coverage->renamed = series->aliases->count > 1;
    }
    ing_backfill_forget_names(series);
    series->asking_names = false;
    series->base.work.feed = backfill->args.feed;
    ing_backfill_go_on(backfill, series);
}

static void remove_skipped(struct ing_range_list *list, size_t at)
{
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof list->items[0]);
}

// The next range that the plan did not cover in an earlier start. Days without a session have nothing in
// them.
static const struct ing_range *next_skipped(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_range_list *list = &series->mark.skipped;
    while (series->retrying && series->retry_at < list->count) {
        struct ing_range *range = &list->items[series->retry_at];
        range->from_us =
            ing_request_begin_us(backfill->app->calendar, &series->base.work, range->from_us, range->to_us);
        if (range->from_us < range->to_us)
            return range;
        remove_skipped(list, series->retry_at);
    }
    series->retrying = false;
    return NULL;
}

// A ticker of which not one of the days that were asked for is known, is not known itself (N49). There is
// nothing to be known of days without a session (N51).
static bool is_unknown(const struct backfill *backfill, const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    return series->base.work.feed == ING_FEED_OPEN_CLOSE && mark->events == 0 && series->rows == 0 &&
           ing_request_begin_us(backfill->app->calendar, &series->base.work, mark->range.from_us,
                                series->end_us) < series->end_us;
}

static enum ing_status status_at_the_end(const struct backfill *backfill,
                                         const struct backfill_series *series)
{
    if (series->mark.skipped.count > 0)
        return ING_STATUS_PARTIAL;
    return is_unknown(backfill, series) ? ING_STATUS_UNKNOWN_TICKER : ING_STATUS_COMPLETE;
}

// The next range: first those that the plan did not cover in an earlier start, then on from the position.
void ing_backfill_go_on(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_watermark *mark = &series->mark;
    if (ing_options_go_on(backfill, series))
        return;
    const struct ing_range *skipped = next_skipped(backfill, series);
    if (skipped != NULL) {
        begin_chunk(backfill, series, skipped->from_us, skipped->to_us);
        return;
    }
    if (mark->cursor[0] == '\0')
        mark->position_us = ing_request_begin_us(backfill->app->calendar, &series->base.work,
                                                 mark->position_us, series->end_us);
    if (mark->position_us < series->end_us) {
        begin_chunk(backfill, series, mark->position_us, series->end_us);
        return;
    }
    if (ask_names(backfill, series))
        return;
    if (!series->open_ended)
        mark->status = status_at_the_end(backfill, series);
    ing_backfill_save(backfill, series);
    ing_backfill_end_series(backfill, series);
}

static void add_skipped(struct ing_range_list *list, struct ing_range range)
{
    // Without room the last entry grows over what lies between: asked for again, but not forgotten.
    if (!ing_range_list_add(list, range))
        list->items[list->count - 1].to_us = range.to_us;
}

// True: the series goes on with its next pass, or has ended otherwise than complete.
static bool begin_next_pass(struct backfill *backfill, struct backfill_series *series)
{
    if (!ing_backfill_next_pass(series))
        return false;
    ing_backfill_save(backfill, series);
    if (series->mark.status == ING_STATUS_RUNNING)
        ing_backfill_go_on(backfill, series);
    else
        ing_backfill_end_series(backfill, series);
    return true;
}

// The chunk is done, or is given up as not covered.
static void chunk_done(struct backfill *backfill, struct backfill_series *series, bool covered)
{
    struct ing_watermark *mark = &series->mark;
    if (series->retrying) {
        struct ing_range *skipped = &mark->skipped.items[series->retry_at];
        if (covered && series->tally.coverage != NULL)
            ing_coverage_forget(series->tally.coverage, &series->shape, series->base.work.from_us,
                                series->chunk_to_us);
        if (!covered)
            series->retry_at++;
        else if (series->chunk_to_us >= skipped->to_us)
            remove_skipped(&mark->skipped, series->retry_at);
        else
            skipped->from_us = series->chunk_to_us;
    } else {
        int64_t from_us = after_last(series);
        series->asked_us = series->chunk_to_us;
        if (!covered)
            add_skipped(&mark->skipped, (struct ing_range){from_us, series->chunk_to_us});
        mark->position_us = series->chunk_to_us;
        mark->cursor[0] = '\0';
        mark->page = 0;
        // The end of a range that is still growing is asked for again by the next start, but for whole days,
        // and for what the plan left out, which is asked for again as such.
        if (covered && series->open_ended && series->chunk_to_us >= series->end_us &&
            !ing_feed_is_by_day(series->base.work.feed))
            mark->position_us = from_us;
        if (series->tally.coverage != NULL)
            ing_coverage_advance(series->tally.coverage, &series->shape, mark->position_us);
    }
    ing_backfill_save(backfill, series);
    if (!series->retrying && series->open_ended && series->chunk_to_us >= series->end_us)
        ing_backfill_end_series(backfill, series);
    else
        ing_backfill_go_on(backfill, series);
}

// ---------------------------------------------------------------- the driver

static bool prepare(void *arg, struct ing_series *base, const struct ing_page *page, struct mf_event *event)
{
    (void)arg;
    if (of(base)->searching)
        return false; // looked at, not published
    if (!ing_feed_is_of_bars(page->work->feed))
        return true;
    const struct mf_bar *bar = event->type == MF_EVENT_BAR ? &event->bar : &event->option_bar.bar;
    return bar->window_end_us <= page->asked_us; // never a forming bar
}

static void drop_staged(struct backfill_series *series)
{
    if (series->staged != NULL)
        ing_coverage_free(series->staged);
    free(series->staged);
    series->staged = NULL;
}

// A copy, because the page may fail, and is then read again.
static void stage_coverage(struct backfill_series *series)
{
    if (series->tally.coverage == NULL || series->retrying || series->asking_names)
        return;
    if (series->staged == NULL)
        series->staged = mf_calloc(1, sizeof *series->staged);
    ing_coverage_copy(series->staged, series->tally.coverage);
}

static void page_read(void *arg, struct ing_series *base, const struct ing_page *page)
{
    if (base->work.feed == ING_FEED_CONTRACTS) {
        ing_options_page_read(of(base), page);
        return;
    }
    if (of(base)->searching) {
        ing_backfill_take_tickers(arg, page);
        return;
    }
    ing_backfill_take_names(arg, base, page);
    stage_coverage(of(base));
}

static bool wanted(void *arg, struct ing_series *base, const struct mf_event *event)
{
    (void)arg;
    struct backfill_series *series = of(base);
    if (series->staged != NULL)
        ing_coverage_take(series->staged, &series->shape, event->event_time_us);
    return true;
}

void ing_backfill_count_page(struct ing_tally *tally, const struct ing_page_result *result)
{
    tally->pages++;
    tally->duplicates += result->counts.duplicates;
    tally->out_of_range += result->counts.out_of_range;
    tally->foreign += result->counts.foreign;
    tally->rejected += result->counts.rejected;
    tally->dead_lettered += result->dead_letters;
}

static void keep_tally(struct backfill_series *series, const struct ing_page_result *result)
{
    struct ing_tally *tally = &series->tally;
    ing_backfill_count_page(tally, result);
    if (series->staged != NULL) {
        struct ing_coverage before = *tally->coverage;
        *tally->coverage = *series->staged;
        *series->staged = before;
        drop_staged(series);
    }
}

// A page of a range that the plan did not cover before: the next start goes on behind it, as from a position.
static void keep_retried(struct backfill *backfill, struct backfill_series *series,
                         const struct ing_page_result *result)
{
    struct ing_range *skipped = &series->mark.skipped.items[series->retry_at];
    int64_t next_us = result->last_time_us;
    if (ing_feed_is_of_bars(series->base.work.feed) && next_us != INT64_MIN)
        next_us += MF_US_PER_MS;
    if (result->next[0] == '\0' || next_us <= skipped->from_us || next_us >= series->chunk_to_us)
        return; // the end of the chunk saves more
    if (series->tally.coverage != NULL)
        ing_coverage_forget(series->tally.coverage, &series->shape, skipped->from_us, next_us);
    skipped->from_us = next_us;
    ing_backfill_save(backfill, series);
}

static void page_done(void *arg, struct ing_series *base, const struct ing_page_result *result)
{
    struct backfill *backfill = arg;
    struct backfill_series *series = of(base);
    struct ing_watermark *mark = &series->mark;
    if (base->work.feed == ING_FEED_CONTRACTS) {
        ing_options_page_done(series, result);
        return;
    }
    if (series->searching) {
        ing_backfill_tickers_done(backfill, result);
        return;
    }
    series->events += result->published;
    if (!ing_work_is_beside(&base->work))
        series->rows += result->counts.rows - result->counts.foreign;
    mark->events += result->published;
    keep_tally(series, result);
    if (series->asking_names)
        return;
    series->from_cursor = false;
    if (series->retrying) {
        keep_retried(backfill, series, result);
        return;
    }
    if (result->last_time_us > mark->last_time_us)
        mark->last_time_us = result->last_time_us;
    if (result->next[0] == '\0')
        return; // the end of the chunk saves more
    mark->page = result->page + 1;
    if (!mf_str_copy(mark->cursor, sizeof mark->cursor, mf_str_of(result->next)))
        mark->page = 0;
    ing_backfill_save(backfill, series);
}

static void page_failed(void *arg, struct ing_series *base)
{
    (void)arg;
    drop_staged(of(base));
}

// A cursor does not live for ever: the stored one, or the one of a page that comes much later. A further
// refusal at the same place is meant. Where the provider leads is not asked for again (N08, N09).
static bool is_stale_cursor(const struct backfill_series *series)
{
    bool cursor = series->from_cursor || (series->base.page > 0 && series->base.answer_rejected);
    return cursor && !series->retrying && after_last(series) != series->refused_at_us;
}

// Nothing that this process could do would change the answer. The next start tries again: plans and providers
// change.
static void refused(struct backfill *backfill, struct backfill_series *series)
{
    struct ing_watermark *mark = &series->mark;
    if (is_stale_cursor(series)) { // once more, from the newest event on
        series->from_cursor = false;
        mark->position_us = series->refused_at_us = after_last(series);
        mark->cursor[0] = '\0';
        mark->page = 0;
        series->error.code[0] = '\0';
        ing_backfill_go_on(backfill, series);
        return;
    }
    mark->cursor[0] = '\0';
    mark->page = 0;
    mark->status = ING_STATUS_REFUSED;
    ing_backfill_save(backfill, series);
    ing_backfill_end_series(backfill, series);
}

// There are no parts of a pass that could be left out: the next start asks for it again. Without its other
// names or its list date a symbol is still worth having.
static void not_covered(struct backfill *backfill, struct backfill_series *series)
{
    if (series->base.work.feed != ING_FEED_SYMBOLS) {
        chunk_done(backfill, series, false);
        return;
    }
    bool beside = ing_work_is_beside(&series->base.work);
    series->unnamed = series->unnamed || beside;
    if (beside && begin_next_pass(backfill, series))
        return;
    series->mark.status = ING_STATUS_PARTIAL;
    ing_backfill_save(backfill, series);
    ing_backfill_end_series(backfill, series);
}

static void range_done(void *arg, struct ing_series *base, enum ing_range_end end, const struct mf_error *err)
{
    struct backfill *backfill = arg;
    struct backfill_series *series = of(base);
    if (series->searching) {
        ing_backfill_search_done(backfill, end, err);
        return;
    }
    series->tally.dead_lettered += base->answer_rejected;
    if (series->asking_names) {
        names_done(backfill, series);
        return;
    }
    if (end != ING_RANGE_COMPLETE)
        series->error = *err;
    if (base->work.feed == ING_FEED_CONTRACTS) {
        ing_options_range_done(backfill, series, end);
        return;
    }
    switch (end) {
    case ING_RANGE_COMPLETE:
        if (!begin_next_pass(backfill, series))
            chunk_done(backfill, series, true);
        break;
    case ING_RANGE_PLAN_LIMIT: not_covered(backfill, series); break;
    case ING_RANGE_REFUSED: refused(backfill, series); break;
    case ING_RANGE_UNKNOWN_TICKER:
        if (is_stale_cursor(series)) {
            refused(backfill, series);
            break;
        }
        series->mark.status = ING_STATUS_UNKNOWN_TICKER;
        ing_backfill_save(backfill, series);
        ing_backfill_end_series(backfill, series);
        break;
    case ING_RANGE_GAVE_UP: ing_backfill_end_series(backfill, series); break;
    case ING_RANGE_END_MAX: break;
    }
}

// The key is the same for all series: the run ends here, resumable.
static void key_rejected(void *arg, const struct mf_error *err)
{
    struct backfill *backfill = arg;
    backfill->key_rejected = true;
    mf_error_set(&backfill->error, MF_ERROR_TRANSIENT, "key_rejected",
                 "the provider rejected POLYGON_API_KEY (%s)", err->message);
    mf_service_finish(backfill->app->service, MF_EXIT_TEMPORARY, "the provider rejected POLYGON_API_KEY");
}

static void drained(void *arg)
{
    struct backfill *backfill = arg;
    ing_app_requests_drained(backfill->app);
}

void ing_backfill_free_series(struct backfill_series *series)
{
    ing_backfill_forget_names(series);
    ing_tally_free(&series->tally);
    drop_staged(series);
}

struct ing_driver ing_backfill_driver(struct backfill *backfill)
{
    return (struct ing_driver){.page_read = page_read,
                               .may_publish = may_publish,
                               .prepare = prepare,
                               .wanted = wanted,
                               .page_done = page_done,
                               .page_failed = page_failed,
                               .range_done = range_done,
                               .key_rejected = key_rejected,
                               .drained = drained,
                               .topic = backfill->topic,
                               .lane = backfill->lane,
                               .arg = backfill};
}
