// SPDX-License-Identifier: Apache-2.0
// Backfill: a range of days for a list of symbols, once, resumable to the page. The mode: what the watermarks
// topic knows of the run, its series and their end. See backfill_private.h.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "services/ingestor/backfill_private.h"
#include "services/ingestor/bar_session.h"

enum { CHAIN_PAGE_MAX = 250, PROGRESS_MS = 500 };

static void on_progress(void *arg)
{
    ing_backfill_save_again(arg);
    ing_backfill_progress(arg);
}

static void on_finish(void *arg)
{
    ing_backfill_finish(arg);
}

static void begin_series(struct backfill *backfill);
static void on_owned(void *arg);
static void on_lost(void *arg, const struct mf_error *err);

static int create(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                  struct mf_error *err)
{
    struct backfill *backfill = mf_calloc(1, sizeof *backfill);
    *backfill = (struct backfill){.app = app, .topic = mf_strdup(app->config.topic_backfill)};
    *state = backfill;
    backfill->progress_timer = mf_timer_new(app->service->loop, on_progress, backfill);
    backfill->finish_timer = mf_timer_new(app->service->loop, on_finish, backfill);
    if (ing_backfill_args_parse(app->mode->feed, argc, argv, app->service->settings,
                                mf_date_of_utc(mf_clock_real_us()), mf_random_seed(), &backfill->args,
                                err) < 0)
        return -1;
    snprintf(backfill->lane, sizeof backfill->lane, "backfill:%s", backfill->args.run_id);
    const struct ing_owner_ops owner_ops = {.on_owned = on_owned, .on_lost = on_lost, .arg = backfill};
    backfill->owner = ing_owner_new(app, backfill->args.run_id, &owner_ops);
    backfill->started_us = mf_clock_monotonic_us();
    *driver = ing_backfill_driver(backfill);
    return 0;
}

static void backfill_free(void **state)
{
    struct backfill *backfill = *state;
    *state = NULL;
    ing_backfill_report(backfill);
    ing_batch_abandon(&backfill->batch);
    ing_owner_free(&backfill->owner);
    ing_backfill_free_universe(backfill);
    for (size_t i = 0; i < backfill->count; i++) {
        ing_engine_remove(backfill->app->engine, &backfill->series[i].base);
        ing_backfill_free_series(&backfill->series[i]);
    }
    ing_options_free(backfill);
    mf_timer_free(&backfill->progress_timer);
    mf_timer_free(&backfill->finish_timer);
    ing_backfill_args_free(&backfill->args);
    ing_run_free(&backfill->run);
    free(backfill->series);
    free(backfill->topic);
    free(backfill);
}

static const char *topic(const struct ing_app *app)
{
    return app->config.topic_backfill;
}

static bool wants_watermark(void *state, struct mf_str key)
{
    struct backfill *backfill = state;
    return ing_watermark_key_is_of_run(key, backfill->args.run_id) || ing_owner_wants(backfill->owner, key);
}

static void seen_watermark(void *state, struct mf_str key, struct mf_str value)
{
    struct backfill *backfill = state;
    ing_owner_seen(backfill->owner, key, value);
}

static void refreshed(void *state)
{
    struct backfill *backfill = state;
    ing_owner_refreshed(backfill->owner);
}

static void leave(void *state)
{
    struct backfill *backfill = state;
    struct mf_error err;
    if (ing_backfill_write_manifest(backfill, &err) < 0) {
        backfill->error = err;
        mf_service_finish(backfill->app->service, MF_EXIT_TEMPORARY, "the manifest could not be written");
    }
    ing_owner_release(backfill->owner,
                      backfill->already_complete || backfill->run.status == ING_STATUS_COMPLETE);
}

// The run as the topic knows it. CONFIG when it is another one or has been abandoned.
static int read_run(struct backfill *backfill, struct mf_json *json, struct mf_error *err)
{
    struct mf_buf key;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_run_key(backfill->args.run_id, &key);
    struct mf_str value = ing_store_get(backfill->app->store, mf_buf_str(&key));
    mf_buf_free(&key);
    mf_str_copy(backfill->run.arguments, sizeof backfill->run.arguments, mf_str_of(backfill->args.arguments));
    backfill->run.series = backfill->count;
    if (value.data == NULL)
        return 0;
    struct ing_run known;
    if (ing_run_decode(json, value, &known, err) < 0) {
        err->class = MF_ERROR_CONFIG; // nothing in this process can mend it
        return -1;
    }
    const char *run_id = backfill->args.run_id;
    if (known.status == ING_STATUS_ABANDONED || strcmp(known.arguments, backfill->args.arguments) != 0)
        ing_run_free(&known);
    if (known.status == ING_STATUS_ABANDONED)
        return mf_error_set(err, MF_ERROR_CONFIG, "run_abandoned",
                            "run %s was abandoned; use --again or another --run-id", run_id);
    if (strcmp(known.arguments, backfill->args.arguments) != 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "run_differs",
                            "run %s was begun with other arguments; use another --run-id", run_id);
    ing_run_free(&backfill->run);
    backfill->run = known;
    backfill->already_complete = known.status == ING_STATUS_COMPLETE;
    return 0;
}

int ing_backfill_read_mark(struct backfill *backfill, struct mf_json *json, struct backfill_series *series,
                           struct mf_error *err)
{
    struct mf_buf key;
    struct ing_watermark known;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_watermark_key(&series->base.work, backfill->args.run_id, &key);
    struct mf_str value = ing_store_get(backfill->app->store, mf_buf_str(&key));
    mf_buf_free(&key);
    if (value.data == NULL)
        return 0;
    if (ing_watermark_decode(json, value, &known, NULL, err) < 0) {
        err->class = MF_ERROR_CONFIG;
        return -1;
    }
    if (ing_watermark_decode_tally(json, value, &series->tally, err) < 0) {
        err->class = MF_ERROR_CONFIG;
        return -1;
    }
    series->mark = known;
    series->known = true;
    // A symbol's few rows are read from the beginning: they say together whether it is known.
    if (backfill->args.feed == ING_FEED_SYMBOLS && backfill->args.market == ING_MARKET_NONE) {
        series->mark.pass = ing_backfill_first_pass(&series->base.work);
        series->mark.page = 0;
        series->mark.cursor[0] = '\0';
    }
    series->retrying = known.skipped.count > 0;
    if (known.status == ING_STATUS_PARTIAL || known.status == ING_STATUS_REFUSED)
        series->mark.status = ING_STATUS_RUNNING; // asked for again: plans and providers change
    return 0;
}

static unsigned page_limit(const struct ing_config *config, enum ing_feed feed)
{
    if (feed == ING_FEED_CHAIN && config->reference_page_limit > CHAIN_PAGE_MAX)
        return CHAIN_PAGE_MAX;
    if (ing_feed_is_reference(feed))
        return config->reference_page_limit;
    return feed == ING_FEED_NEWS ? config->news_page_limit : config->bars_page_limit;
}

// The range in the symbol's own market: a day of stocks begins at midnight in New York, one of crypto at
// midnight UTC. Windows that are longer than a day are taken whole at both ends.
struct ing_range ing_backfill_range_of(const struct mf_calendar *calendar, const struct ing_work *work,
                                       struct mf_date from, struct mf_date to)
{
    enum mf_asset_class asset_class = work->asset_class;
    enum mf_interval interval =
        ing_feed_is_of_bars(work->feed) ? ing_timespans[work->timespan].interval : MF_INTERVAL_1D;
    if (interval < MF_INTERVAL_1D)
        interval = MF_INTERVAL_1D;
    int64_t from_us = ing_market_midnight_us(calendar, asset_class, from);
    int64_t last_us = ing_market_midnight_us(calendar, asset_class, to);
    return (struct ing_range){ing_window_of(calendar, asset_class, interval, from_us).start_us,
                              ing_window_of(calendar, asset_class, interval, last_us).next_us};
}

// Pairs and indices are never split and pay nothing; without sessions there is no open-close.
static bool asks_nothing(const struct ing_work *work)
{
    if (ing_feeds[work->feed].type == MF_EVENT_CORPORATE_ACTION)
        return work->asset_class != MF_ASSET_STOCK;
    return work->feed == ING_FEED_OPEN_CLOSE && !ing_market_has_sessions(work->asset_class);
}

static int make_series(struct backfill *backfill, struct mf_json *json, struct backfill_series *series,
                       const char *symbol, struct mf_error *err)
{
    const struct ing_backfill_args *args = &backfill->args;
    const struct mf_calendar *calendar = backfill->app->calendar;
    const struct ing_config *config = &backfill->app->config;
    struct ing_work *work = &series->base.work;
    ing_backfill_free_series(series); // of the first look
    *series = (struct backfill_series){.backfill = backfill};
    *work = (struct ing_work){
        .feed = args->feed,
        .timespan = args->timespan,
        .market = args->market,
        .otc = args->otc,
        .only = args->only.count > 0 ? &args->only : NULL,
        .asset_class = args->market == ING_MARKET_NONE ? mf_asset_class_of_symbol(mf_str_of(symbol))
                                                       : ing_markets[args->market].asset_class,
        .limit = page_limit(config, args->feed),
    };
    work->adjusted = work->asset_class == MF_ASSET_STOCK ? args->adjusted : MF_ADJUSTED_NONE;
    mf_str_copy(work->symbol, sizeof work->symbol, mf_str_of(symbol));
    ing_series_init(&series->base, config, mf_random_seed());
    series->base.priority = ING_PRIORITY_BACKFILL;
    ing_watermark_init(&series->mark);
    series->base.offsets = &series->tally.offsets;
    series->shape = ing_coverage_shape_of(calendar, work);
    series->mark.pass = ing_backfill_first_pass(work);
    series->mark.range = ing_backfill_range_of(calendar, work, args->from, args->to);
    series->mark.position_us = series->mark.range.from_us;
    int64_t now_us = mf_clock_real_us();
    struct mf_date today = ing_market_date(calendar, work->asset_class, now_us);
    struct mf_date last = ing_market_date(calendar, work->asset_class, series->mark.range.to_us - 1);
    // What is known now is known now: a later start of the run would have nothing to add.
    series->open_ended = !ing_feed_is_of_now(args->feed) && mf_date_cmp(last, today) >= 0;
    work->filter = args->feed == ING_FEED_OPTIONS || args->feed == ING_FEED_CHAIN ? &args->filter : NULL;
    if (args->feed == ING_FEED_OPTIONS)
        ing_options_prepare(backfill, series);
    if (ing_backfill_read_mark(backfill, json, series, err) < 0)
        return -1;
    // A run that was begun before coverage was kept has none: what came then cannot be told any more.
    if (!series->known && ing_coverage_applies(work)) {
        series->tally.coverage = mf_alloc(sizeof *series->tally.coverage);
        ing_coverage_init(series->tally.coverage, args->from);
    }
    series->end_us = ing_backfill_range_end(backfill, series, now_us);
    if (args->feed == ING_FEED_OPTIONS)
        ing_options_made(backfill, series);
    if (asks_nothing(work)) {
        series->open_ended = false;
        series->end_us = series->mark.position_us;
    }
    return 0;
}

// As many as there are symbols by now.
static void have_series(struct backfill *backfill)
{
    size_t count = backfill->args.symbols.count;
    if (count == backfill->count)
        return;
    assert(backfill->count == 0); // a list that is whole stays as it is
    backfill->series = mf_calloc(count, sizeof *backfill->series);
    backfill->count = count;
}

// What the first look found. By the second one, another process may have completed the run, and its list is
// gone.
static void forget_series(struct backfill *backfill)
{
    for (size_t i = 0; i < backfill->count; i++)
        ing_backfill_free_series(&backfill->series[i]);
    free(backfill->series);
    backfill->series = NULL;
    backfill->count = 0;
}

static int read_all(struct backfill *backfill, struct mf_error *err)
{
    struct mf_json *json = mf_json_new();
    if (backfill->args.universe)
        forget_series(backfill);
    int result = ing_backfill_read_universe(backfill, err);
    if (result == 0 && ing_backfill_universe_is_whole(backfill))
        have_series(backfill);
    if (result == 0)
        result = read_run(backfill, json, err);
    for (size_t i = 0; i < backfill->count && result == 0; i++)
        result = make_series(backfill, json, &backfill->series[i], backfill->args.symbols.items[i], err);
    mf_json_free(&json);
    return result;
}

// What the topic says about the run, once more when other processes had to stop first.
static int take_stock(struct backfill *backfill, struct mf_error *err)
{
    if (read_all(backfill, err) < 0) {
        backfill->impossible = true;
        return -1;
    }
    backfill->begun = true;
    if (backfill->already_complete && !backfill->args.dry_run)
        ing_backfill_finish_complete(backfill);
    return 0;
}

static int begin(void *state, struct mf_error *err)
{
    struct backfill *backfill = state;
    if (backfill->args.feed == ING_FEED_OPTIONS)
        ing_options_new(backfill);
    backfill->terminal = isatty(STDERR_FILENO) == 1;
    backfill->started_us = mf_clock_monotonic_us();
    if (take_stock(backfill, err) < 0)
        return -1;
    MF_LOGF(
        backfill->app->service->log, MF_LOG_NOTICE, "backfill", "run_begun",
        MF_FIELDS(mf_lf_str("run_id", backfill->args.run_id), mf_lf_i64("series", (int64_t)backfill->count)),
        "run %s%s", backfill->args.run_id, backfill->already_complete ? " is complete already" : "");
    if (backfill->args.dry_run)
        mf_service_finish(backfill->app->service, MF_EXIT_OK, "the plan is made");
    else if (!backfill->already_complete)
        ing_owner_claim(backfill->owner);
    return 0;
}

// The store has nothing of these series: the list is older than the first of their marks.
void ing_backfill_universe_found(struct backfill *backfill)
{
    struct mf_error err;
    struct mf_json *json = mf_json_new();
    int result = 0;
    ing_symbols_sort(&backfill->args.symbols);
    have_series(backfill);
    backfill->run.series = backfill->count;
    for (size_t i = 0; i < backfill->count && result == 0; i++)
        result = make_series(backfill, json, &backfill->series[i], backfill->args.symbols.items[i], &err);
    mf_json_free(&json);
    if (result < 0) {
        mf_service_fail(backfill->app->service, &err, "beginning to work");
        return;
    }
    MF_LOGF(backfill->app->service->log, MF_LOG_NOTICE, "backfill", "universe_found",
            MF_FIELDS(mf_lf_i64("series", (int64_t)backfill->count)), "the market has %zu such symbols",
            backfill->count);
    ing_backfill_save_run(backfill);
    begin_series(backfill);
}

static void on_owned(void *arg)
{
    struct backfill *backfill = arg;
    struct mf_error err;
    if (take_stock(backfill, &err) < 0) {
        mf_service_fail(backfill->app->service, &err, "beginning to work");
        return;
    }
    if (backfill->already_complete)
        return;
    ing_backfill_save_run(backfill);
    if (ing_backfill_universe_is_whole(backfill))
        begin_series(backfill);
    else
        ing_backfill_search_universe(backfill);
}

static void begin_series(struct backfill *backfill)
{
    mf_metric_set(MF_METRIC0(backfill->app->service->metrics, &ing_metric_defs[ING_M_SYMBOLS]),
                  (double)backfill->count);
    ing_backfill_begin_progress(backfill);
    mf_timer_arm_every_ms(backfill->progress_timer, PROGRESS_MS);
    for (size_t i = 0; i < backfill->count; i++) {
        struct backfill_series *series = &backfill->series[i];
        if (series->mark.status == ING_STATUS_RUNNING)
            ing_backfill_go_on(backfill, series);
        else
            ing_backfill_end_series(backfill, series);
    }
}

static void on_lost(void *arg, const struct mf_error *err)
{
    ing_backfill_lost(arg, err);
}

static void status(void *state, char *text, size_t size)
{
    struct backfill *backfill = state;
    snprintf(text, size, "run %s: %zu of %zu series done, %" PRIu64 " events, %u requests under way",
             backfill->args.run_id, backfill->ended, backfill->count, ing_backfill_events(backfill),
             ing_engine_in_flight(backfill->app->engine));
}

#define BACKFILL_MODE(name_, feed_)                \
    [feed_] = {.name = "backfill " name_,          \
               .feed = (feed_),                    \
               .create = create,                   \
               .topic = topic,                     \
               .wants_watermark = wants_watermark, \
               .seen_watermark = seen_watermark,   \
               .begin = begin,                     \
               .refreshed = refreshed,             \
               .leave = leave,                     \
               .status = status,                   \
               .free = backfill_free}

const struct ing_mode ing_modes_backfill[ING_FEED_MAX] = {
    BACKFILL_MODE("bars", ING_FEED_BARS),           BACKFILL_MODE("news", ING_FEED_NEWS),
    BACKFILL_MODE("symbols", ING_FEED_SYMBOLS),     BACKFILL_MODE("splits", ING_FEED_SPLITS),
    BACKFILL_MODE("dividends", ING_FEED_DIVIDENDS), BACKFILL_MODE("grouped", ING_FEED_GROUPED),
    BACKFILL_MODE("previous", ING_FEED_PREVIOUS),   BACKFILL_MODE("open-close", ING_FEED_OPEN_CLOSE),
    BACKFILL_MODE("options", ING_FEED_OPTIONS),     BACKFILL_MODE("chain", ING_FEED_CHAIN),
};
