// SPDX-License-Identifier: Apache-2.0
// Live mode: every symbol's minutes, days and news polled from their watermarks on, with an overlap; and the
// command `warmup`, which is the first part of it. See live_private.h.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/backfill_args.h"
#include "services/ingestor/live_private.h"

enum { PROBE_MS = 15 * 60 * 1000, GAUGE_MS = 5000 };

static struct live_series *of(struct ing_series *series)
{
    return (struct live_series *)(void *)series;
}

// ---------------------------------------------------------------- asking

// Asks for what the plan says, now or when it is due.
static void schedule(struct live *live, struct live_series *series, int64_t delay_us)
{
    // The range is planned when it is asked for; the engine only has to know when that is.
    series->base.work.from_us = series->base.work.to_us = 0;
    ing_engine_begin(live->app->engine, &series->base, NULL, 0, INT64_MIN, delay_us);
}

// Called when the series' turn has come, which may be long after it was due: the range ends with the present,
// not with the time at which it was scheduled.
static bool plan(void *arg, struct ing_series *base)
{
    struct live *live = arg;
    struct live_series *series = of(base);
    int64_t now_us = mf_clock_real_us();
    series->range_asked_us = now_us;
    if (!ing_plan_range(live->app->calendar, &live->app->config, &base->work, &series->mark, now_us,
                        &series->plan))
        return false;
    base->work.from_us = series->plan.range.from_us;
    base->work.to_us = series->plan.range.to_us;
    base->expect_data = series->plan.warmup;
    return true;
}

// The pace depends on the market: see live_plan.c.
static void schedule_poll(struct live *live, struct live_series *series)
{
    int64_t wait_us = ing_plan_wait_us(live->app->calendar, &live->app->config, &series->base.work,
                                       &series->mark, series->good_us, mf_clock_real_us());
    schedule(live, series, wait_us);
}

// The day bars of a warm-up come before the symbol's first minute.
void ing_live_begin_symbol(struct live *live, struct live_symbol *symbol)
{
    struct live_series *day = symbol->series[LIVE_DAY];
    bool day_first =
        day != NULL && day->mark.status == ING_STATUS_RUNNING && symbol->series[LIVE_MINUTE] != NULL;
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
        if (symbol->series[feed] != NULL && !(feed == LIVE_MINUTE && day_first))
            schedule(live, symbol->series[feed], 0);
    }
}

// ---------------------------------------------------------------- events

// A window that was not over when the request started is forming, whatever the answer says by now.
static bool prepare(void *arg, struct ing_series *base, const struct ing_page *page, struct mf_event *event)
{
    struct live *live = arg;
    if (event->type == MF_EVENT_BAR && event->bar.window_end_us > page->asked_us) {
        if (!live->app->config.publish_forming || live->once)
            return false;
        event->flags |= MF_FLAG_FORMING;
    }
    if (of(base)->plan.warmup)
        event->flags |= MF_FLAG_WARMUP;
    return true;
}

static bool wanted(void *arg, struct ing_series *base, const struct mf_event *event)
{
    struct live *live = arg;
    struct live_series *series = of(base);
    if (live->once)
        return true;
    struct ing_overlap_entry entry = {.event_time_us = event->event_time_us,
                                      .hash = mf_event_content_hash(event).low};
    if (event->type == MF_EVENT_NEWS)
        entry.id = mf_hash64(event->news.article_id.data, event->news.article_id.len);
    // The final bar is news even when it looks like the forming one.
    if ((event->flags & MF_FLAG_FORMING) != 0)
        entry.hash = ~entry.hash;
    if (ing_overlap_has(&series->overlap, &entry))
        return false;
    ing_overlap_stage(&series->overlap, &entry);
    return true;
}

// A bad row stays bad in every poll that reads it again; one dead letter says so.
static bool wanted_reject(void *arg, struct ing_series *base, uint64_t hash)
{
    (void)arg;
    return ing_rejects_note(&of(base)->rejects, hash);
}

// ---------------------------------------------------------------- progress

static int64_t overlap_us(const struct live *live, const struct ing_work *work)
{
    const struct ing_config *config = &live->app->config;
    if (work->feed == ING_FEED_NEWS)
        return config->news_overlap_ms * MF_US_PER_MS;
    return work->timespan == ING_TIMESPAN_DAY ? 10 * MF_US_PER_DAY : config->overlap_ms * MF_US_PER_MS;
}

static void save(struct live *live, struct live_series *series)
{
    if (!live->once)
        ing_app_save_mark(live->app, NULL, &series->base.work, NULL, &series->mark, &series->overlap);
}

// A watermark is written only when it says something new: polls that bring nothing leave no trace.
static void page_done(void *arg, struct ing_series *base, const struct ing_page_result *result)
{
    struct live *live = arg;
    struct live_series *series = of(base);
    bool moved = result->last_time_us > series->mark.last_time_us;
    ing_overlap_commit(&series->overlap);
    ing_rejects_commit(&series->rejects);
    series->mark.events += result->published;
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
        if (series->symbol->series[feed] == series)
            live->published[feed] += result->published;
    }
    if (moved) {
        series->mark.last_time_us = result->last_time_us;
        ing_overlap_forget(&series->overlap,
                           result->last_time_us - overlap_us(live, &base->work) - MF_US_PER_HOUR);
    }
    if (moved || result->published > 0)
        save(live, series);
}

static void page_failed(void *arg, struct ing_series *base)
{
    (void)arg;
    ing_overlap_rollback(&of(base)->overlap);
    ing_rejects_rollback(&of(base)->rejects);
}

static void finish_once(struct live *live, bool ok)
{
    live->failed = live->failed || !ok;
    if (--live->warming == 0)
        mf_service_finish(live->app->service, live->failed ? MF_EXIT_TEMPORARY : MF_EXIT_OK,
                          live->failed ? "some symbols could not be warmed up" : "all symbols are warm");
}

// The warm-up is over, one way or the other: what follows is live.
static void end_warmup(struct live *live, struct live_series *series, bool ok)
{
    struct live_symbol *symbol = series->symbol;
    series->mark.status = ING_STATUS_COMPLETE;
    save(live, series);
    struct live_series *minute = symbol->series[LIVE_MINUTE];
    if (series == symbol->series[LIVE_DAY] && minute != NULL && minute->base.state == ING_SERIES_IDLE)
        schedule(live, minute, 0);
    if (live->once)
        finish_once(live, ok);
}

// Where a quiet series began is its only mark until an event comes: without it, an outage longer than the
// overlap would be a hole. Written once.
static void note_beginning(struct live *live, struct live_series *series)
{
    struct ing_watermark *mark = &series->mark;
    if (mark->last_time_us != INT64_MIN || mark->position_us != 0 || series->plan.warmup)
        return;
    mark->position_us = series->plan.range.from_us;
    save(live, series);
}

static void range_done(void *arg, struct ing_series *base, enum ing_range_end end, const struct mf_error *err)
{
    struct live *live = arg;
    struct live_series *series = of(base);
    bool was_warming = series->mark.status == ING_STATUS_RUNNING;
    bool complete = end == ING_RANGE_COMPLETE;
    series->refusals = complete ? 0 : series->refusals + 1;
    ing_rejects_commit(&series->rejects); // of a refused answer
    if (complete && base->work.to_us > base->work.from_us) {
        ing_rejects_range_read(&series->rejects);
        note_beginning(live, series);
    }
    if (complete && series->plan.more) {
        // Read to there, whether it held bars or not: the next plan goes on behind it.
        int64_t read_us =
            series->plan.range.to_us - mf_interval_us(ing_timespans[base->work.timespan].interval);
        if (read_us > series->mark.last_time_us)
            series->mark.last_time_us = read_us;
        schedule(live, series, 0);
        return;
    }
    if (complete)
        series->good_us = series->range_asked_us;
    else
        base->last_error = *err;
    bool known =
        series->good_us != 0 || series->mark.last_time_us != INT64_MIN || series->mark.position_us != 0;
    if (was_warming && end == ING_RANGE_UNKNOWN_TICKER && known && !live->once)
        was_warming = false; // it passes: the warm-up goes on where it was
    if (was_warming)
        end_warmup(live, series, complete);
    if (live->once)
        return;
    if (complete) {
        schedule_poll(live, series);
    } else {
        int64_t wait_us =
            ing_plan_refused_wait_us(&live->app->config, &base->work, end, known, series->refusals);
        if (was_warming)
            wait_us = 0; // the plan did not cover the history; the present may be
        schedule(live, series, wait_us);
    }
}

static void key_rejected(void *arg, const struct mf_error *err)
{
    struct live *live = arg;
    if (live->once) {
        mf_service_finish(live->app->service, MF_EXIT_TEMPORARY, "the provider rejected POLYGON_API_KEY");
        return;
    }
    MF_LOGF(live->app->service->log, MF_LOG_CRITICAL, "fetch", "key_rejected_all_stopped",
            MF_FIELDS(mf_lf_str("error_code", err->code)),
            "all requests stop: the provider rejected POLYGON_API_KEY; put a new key in its file and send "
            "SIGHUP (without that they are tried again in %d minutes)",
            PROBE_MS / 60000);
    mf_timer_arm_ms(live->probe_timer, PROBE_MS);
}

static void drained(void *arg)
{
    struct live *live = arg;
    ing_app_requests_drained(live->app);
}

// ---------------------------------------------------------------- the mode

// The vendor has been known to refuse good keys for a while. Those requests that may run at once are asked;
// the first refusal stops them all again.
static void on_probe(void *arg)
{
    struct live *live = arg;
    ing_engine_resume(live->app->engine);
}

static void on_heartbeat(void *arg)
{
    ing_live_heartbeat(arg);
}

static void on_gauges(void *arg)
{
    ing_live_gauges(arg);
}

static void fill_driver(struct live *live, struct ing_driver *driver)
{
    *driver = (struct ing_driver){.plan = plan,
                                  .prepare = prepare,
                                  .wanted = wanted,
                                  .wanted_reject = wanted_reject,
                                  .page_done = page_done,
                                  .page_failed = page_failed,
                                  .range_done = range_done,
                                  .key_rejected = key_rejected,
                                  .drained = drained,
                                  .topic = live->topic,
                                  .lane = "live",
                                  .arg = live};
}

static struct live *live_new(struct ing_app *app, bool once)
{
    struct live *live = mf_calloc(1, sizeof *live);
    *live = (struct live){.app = app, .once = once, .topic = mf_strdup(app->config.topic_raw)};
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++)
        live->complete_us[feed] = INT64_MIN;
    live->heartbeat_timer = mf_timer_new(app->service->loop, on_heartbeat, live);
    live->probe_timer = mf_timer_new(app->service->loop, on_probe, live);
    live->gauge_timer = mf_timer_new(app->service->loop, on_gauges, live);
    return live;
}

static void live_free(void **state)
{
    struct live *live = *state;
    *state = NULL;
    ing_live_free_symbols(live);
    ing_symbols_free(&live->once_symbols);
    mf_timer_free(&live->heartbeat_timer);
    mf_timer_free(&live->probe_timer);
    mf_timer_free(&live->gauge_timer);
    free(live->symbols);
    free(live->topic);
    free(live);
}

static int create(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                  struct mf_error *err)
{
    if (mf_options_parse(NULL, 0, argc, argv, err) < 0)
        return -1;
    struct live *live = live_new(app, false);
    *state = live;
    fill_driver(live, driver);
    struct ing_symbols symbols = {0};
    int result = ing_symbols_from_settings(app->service->settings, &symbols, err);
    if (result == 0 && symbols.count == 0)
        result =
            mf_error_set(err, MF_ERROR_CONFIG, "no_symbols", "set INGEST_SYMBOLS or INGEST_SYMBOLS_FILE");
    if (result == 0 && !app->config.minute_bars && !app->config.day_bars && !app->config.news)
        result = mf_error_set(err, MF_ERROR_CONFIG, "no_feeds",
                              "INGEST_MINUTE_BARS, INGEST_DAY_BARS and INGEST_NEWS are all off");
    ing_symbols_free(&symbols);
    return result;
}

static int begin(void *state, struct mf_error *err)
{
    struct live *live = state;
    if (ing_live_take_symbols(live, live->app->service->settings, err) < 0)
        return -1;
    mf_timer_arm_every_ms(live->heartbeat_timer, live->app->config.heartbeat_ms);
    mf_timer_arm_every_ms(live->gauge_timer, GAUGE_MS);
    return 0;
}

static int reload(void *state, const struct mf_settings *fresh, struct mf_error *err)
{
    struct live *live = state;
    if (live->app->begun) {
        if (ing_live_take_symbols(live, fresh, err) < 0)
            return -1;
        ing_live_ask_refused_again(live);
        return 0;
    }
    struct ing_symbols symbols = {0}; // taken when the mode begins
    int result = ing_symbols_from_settings(fresh, &symbols, err);
    ing_symbols_free(&symbols);
    return result;
}

static const char *topic(const struct ing_app *app)
{
    return app->config.topic_raw;
}

static bool wants_watermark(void *state, struct mf_str key)
{
    (void)state;
    return ing_watermark_key_is_live(key);
}

static void stop_timers(void *state)
{
    struct live *live = state;
    mf_timer_cancel(live->heartbeat_timer);
    mf_timer_cancel(live->probe_timer);
}

static void status(void *state, char *text, size_t size)
{
    struct live *live = state;
    uint64_t published =
        live->published[LIVE_MINUTE] + live->published[LIVE_DAY] + live->published[LIVE_NEWS];
    snprintf(
        text, size, "%s%zu symbols, %" PRIu64 " events, %u requests under way, %zu records unacknowledged",
        ing_engine_is_parked(live->app->engine) ? "key rejected, nothing is asked: " : "", live->count,
        published, ing_engine_in_flight(live->app->engine), ing_publisher_outstanding(live->app->publisher));
}

const struct ing_mode ing_mode_live = {
    .name = "live",
    .create = create,
    .topic = topic,
    .wants_watermark = wants_watermark,
    .begin = begin,
    .drain = stop_timers,
    .reload = reload,
    .status = status,
    .free = live_free,
};

// ---------------------------------------------------------------- warmup

static int warmup_create(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                         struct mf_error *err)
{
    struct live *live = live_new(app, true);
    *state = live;
    app->config.warmup = true; // that is what was asked for
    fill_driver(live, driver);
    return ing_warmup_args_parse(argc, argv, app->service->settings, &live->once_symbols, err);
}

static bool warmup_wants(void *state, struct mf_str key)
{
    (void)state, (void)key;
    return false;
}

static int warmup_begin(void *state, struct mf_error *err)
{
    (void)err;
    struct live *live = state;
    live->warming = live->once_symbols.count * 2; // day and minute series
    ing_live_take_list(live, &live->once_symbols);
    return 0;
}

const struct ing_mode ing_mode_warmup = {
    .name = "warmup",
    .create = warmup_create,
    .topic = topic,
    .wants_watermark = warmup_wants,
    .begin = warmup_begin,
    .status = status,
    .free = live_free,
};
