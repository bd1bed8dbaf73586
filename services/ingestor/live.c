// SPDX-License-Identifier: Apache-2.0
// Live mode: every symbol's minutes, days and news polled from their watermarks on, with an overlap; and the
// command `warmup`, which is the first part of it. Here is the mode: its start, its end, and which kind of
// series what happens to. See live_private.h.
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

void ing_live_forget_rejects(struct live_series *series)
{
    if (series->rejects == NULL)
        return;
    ing_rejects_free(series->rejects);
    free(series->rejects);
    series->rejects = NULL;
}

// ---------------------------------------------------------------- the driver

static bool plan(void *arg, struct ing_series *base)
{
    return of(base)->kind->plan(arg, of(base));
}

static void page_read(void *arg, struct ing_series *base, const struct ing_page *page)
{
    struct live_series *series = of(base);
    if (series->kind->page_read != NULL)
        series->kind->page_read(arg, series, page);
}

static bool prepare(void *arg, struct ing_series *base, const struct ing_page *page, struct mf_event *event)
{
    return of(base)->kind->prepare(arg, of(base), page, event);
}

static bool wanted(void *arg, struct ing_series *base, const struct mf_event *event)
{
    return of(base)->kind->wanted(arg, of(base), event);
}

// A bad row stays bad in every poll that reads it again; one dead letter says so.
static bool wanted_reject(void *arg, struct ing_series *base, uint64_t hash)
{
    struct live_series *series = of(base);
    if (series->kind->wanted_reject != NULL && !series->kind->wanted_reject(arg, series))
        return false;
    if (series->rejects == NULL)
        series->rejects = mf_calloc(1, sizeof *series->rejects);
    return ing_rejects_note(series->rejects, hash);
}

static void page_done(void *arg, struct ing_series *base, const struct ing_page_result *result)
{
    struct live_series *series = of(base);
    if (series->rejects != NULL)
        ing_rejects_commit(series->rejects);
    series->kind->page_done(arg, series, result);
}

static void page_failed(void *arg, struct ing_series *base)
{
    (void)arg;
    if (of(base)->rejects != NULL)
        ing_rejects_rollback(of(base)->rejects);
    of(base)->kind->page_failed(of(base));
}

static void range_done(void *arg, struct ing_series *base, enum ing_range_end end, const struct mf_error *err)
{
    struct live_series *series = of(base);
    if (series->rejects != NULL)
        ing_rejects_commit(series->rejects); // of a refused answer
    series->kind->range_done(arg, series, end, err);
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
    ing_live_reconcile_tick(arg);
    ing_live_reference_tick(arg);
    ing_live_gaps_tick(arg);
}

static void fill_driver(struct live *live, struct ing_driver *driver)
{
    *driver = (struct ing_driver){.plan = plan,
                                  .page_read = page_read,
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
    ing_live_memory_free(&live->memory);
    ing_live_reconcile_free(&live->reconcile);
    ing_live_reference_free(&live->reference);
    ing_live_gaps_free(&live->gaps);
    ing_live_days_free(&live->days);
    ing_live_free_symbols(live);
    ing_name_index_free(&live->index);
    ing_symbols_free(&live->once_symbols);
    ing_symbols_free(&live->coming);
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
    int result = ing_live_read_symbols(live, app->service->settings, &symbols, err);
    if (result == 0 && !app->config.minute_bars && !app->config.day_bars && !app->config.news)
        result = mf_error_set(err, MF_ERROR_CONFIG, "no_feeds",
                              "INGEST_MINUTE_BARS, INGEST_DAY_BARS and INGEST_NEWS are all off");
    ing_symbols_free(&symbols);
    return result;
}

static int begin(void *state, struct mf_error *err)
{
    struct live *live = state;
    live->memory = ing_live_memory_new(live);
    live->reconcile = ing_live_reconcile_new(live);
    live->reference = ing_live_reference_new(live);
    live->gaps = ing_live_gaps_new();
    if (live->app->config.market_status)
        live->days = ing_live_days_new(live);
    ing_live_reconcile_due(live, mf_clock_real_us());
    struct ing_symbols symbols = {0};
    if (ing_live_read_symbols(live, live->app->service->settings, &symbols, err) < 0)
        return -1;
    ing_live_take_list(live, &symbols);
    ing_symbols_free(&symbols);
    if (live->days != NULL)
        ing_live_days_begin(live->days);
    mf_timer_arm_every_ms(live->heartbeat_timer, live->app->config.heartbeat_ms);
    mf_timer_arm_every_ms(live->gauge_timer, GAUGE_MS);
    ing_live_reference_tick(live);
    return 0;
}

// Read and checked here, taken when the key that came with them is in place: what is added asks at once.
static int reload(void *state, const struct mf_settings *fresh, struct mf_error *err)
{
    struct live *live = state;
    struct ing_symbols symbols = {0};
    int result = ing_live_read_symbols(live, fresh, &symbols, err);
    ing_symbols_free(&live->coming);
    if (result == 0 && live->app->begun) // else they are read when the mode begins
        live->coming = symbols;
    else
        ing_symbols_free(&symbols);
    return result;
}

// What was refused is asked again with the new key, not with the old one.
static void reloaded(void *state)
{
    struct live *live = state;
    if (!live->app->begun)
        return;
    ing_live_take_list(live, &live->coming);
    ing_symbols_free(&live->coming);
    ing_live_ask_refused_again(live);
    if (live->days != NULL)
        ing_live_days_ask_again(live->days);
}

static const char *topic(const struct ing_app *app)
{
    return app->config.topic_raw;
}

// Other shards' are not kept: there may be thousands, and nobody would ever ask for them.
static bool wants_watermark(void *state, struct mf_str key)
{
    const struct live *live = state;
    const struct ing_config *config = &live->app->config;
    char symbol[MF_SYMBOL_MAX + 1];
    if (!ing_watermark_key_is_live(key))
        return mf_str_eq_c(key, ing_market_days_key);
    mf_str_copy(symbol, sizeof symbol, ing_watermark_key_symbol(key));
    return ing_shard_owns(&config->shard, ing_symbol_partition(symbol, config->partitions));
}

static void stop_timers(void *state)
{
    struct live *live = state;
    mf_timer_cancel(live->heartbeat_timer);
    mf_timer_cancel(live->probe_timer);
    mf_timer_cancel(live->gauge_timer);
    ing_live_memory_free(&live->memory);
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
    .reloaded = reloaded,
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
