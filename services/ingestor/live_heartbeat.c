// SPDX-License-Identifier: Apache-2.0
// What live mode tells the pipeline about its progress: a heartbeat per owned partition and period ("the feed
// is complete up to …"), a feed_status when something changes, gauges. A heartbeat follows, in its partition,
// the records it speaks of.
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/live_private.h"

#define STATUS_EVERY_US (5 * MF_US_PER_MINUTE)

const char *ing_live_feed_name(enum live_feed feed, char text[64])
{
    struct ing_work work = {.feed = feed == LIVE_NEWS ? ING_FEED_NEWS : ING_FEED_BARS,
                            .timespan = feed == LIVE_DAY ? ING_TIMESPAN_DAY : ING_TIMESPAN_MINUTE};
    return ing_work_feed(&work, text);
}

static int64_t interval_of(enum live_feed feed)
{
    static const enum mf_interval intervals[LIVE_FEED_MAX] = {
        [LIVE_MINUTE] = MF_INTERVAL_1M, [LIVE_DAY] = MF_INTERVAL_1D};
    return feed == LIVE_NEWS ? MF_US_PER_SECOND : mf_interval_us(intervals[feed]);
}

// What the calendar says now, asked once for all symbols of a kind of market.
static void look(struct live *live, int64_t now_us)
{
    const struct ing_app *app = live->app;
    live->view[LIVE_SESSIONS] = ing_plan_view(app->calendar, &app->config, MF_ASSET_STOCK, now_us);
    live->view[LIVE_ALWAYS] = ing_plan_view(app->calendar, &app->config, MF_ASSET_CRYPTO, now_us);
}

// Minutes that wait for the days of their warm-up have not failed themselves: what keeps them back has.
static int64_t failing_since_us(const struct live_series *series)
{
    const struct live_symbol *symbol = series->symbol;
    const struct live_series *day = symbol->series[LIVE_DAY];
    bool waits = series == symbol->series[LIVE_MINUTE] && series->base.state == ING_SERIES_IDLE &&
                 day != NULL && day->mark.status == ING_STATUS_RUNNING;
    return waits ? day->base.failing_since_us : series->base.failing_since_us;
}

static struct ing_progress progress_of(const struct live *live, const struct live_series *series)
{
    const struct ing_work *work = &series->base.work;
    const struct ing_plan_view *view =
        &live->view[ing_market_has_sessions(work->asset_class) ? LIVE_SESSIONS : LIVE_ALWAYS];
    return (struct ing_progress){.good_us =
                                     ing_plan_view_read_to_us(view, work, &series->mark, series->good_us),
                                 .failing_since_us = failing_since_us(series)};
}

static size_t collect(const struct live *live, enum live_feed feed, struct ing_progress *progress)
{
    size_t count = 0;
    for (size_t i = 0; i < live->count; i++) {
        if (live->symbols[i]->series[feed] != NULL)
            progress[count++] = progress_of(live, live->symbols[i]->series[feed]);
    }
    return count;
}

static int64_t now_ms_aligned(void)
{
    int64_t now_us = mf_clock_real_us();
    return now_us - now_us % MF_US_PER_MS;
}

static void envelope(struct mf_event *event, enum mf_event_type type, int64_t now_us)
{
    mf_event_init(event, type);
    event->asset_class = MF_ASSET_STOCK;
    event->source = mf_str_of(ing_polygon.name);
    event->lane = MF_STR("live");
    event->event_time_us = event->ingest_time_us = now_us;
    event->mode = MF_MODE_REST;
}

// Every partition of the shard, also those without symbols: processors close windows by the clock of each
// partition.
static void send_heartbeats(struct live *live, const struct mf_event *event)
{
    const struct ing_config *config = &live->app->config;
    for (int32_t partition = 0; partition < config->partitions; partition++) {
        struct mf_error err;
        if (!ing_shard_owns(&config->shard, partition))
            continue;
        if (ing_publisher_heartbeat(live->app->publisher, NULL, live->topic, partition, event, &err) < 0) {
            mf_log_error(live->app->service->log, MF_LOG_WARNING, "live", "heartbeat_not_sent", &err,
                         "sending a heartbeat");
            return; // the next one says more
        }
        mf_metric_add(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_HEARTBEATS]), 1);
    }
}

// ---------------------------------------------------------------- feed_status

// By name, so that a person knows which symbols the progress does not speak for.
static void list_excluded(const struct live *live, enum live_feed feed, int64_t now_monotonic_us,
                          struct mf_feed_status *status)
{
    for (size_t i = 0; i < live->count && status->excluded_count < MF_FEED_EXCLUDED_MAX; i++) {
        const struct live_series *series = live->symbols[i]->series[feed];
        if (series == NULL)
            continue;
        struct ing_progress progress = progress_of(live, series);
        if (ing_progress_is_excluded(&live->app->config, &progress, now_monotonic_us))
            status->excluded[status->excluded_count++] = mf_str_of(live->symbols[i]->name);
    }
}

static int64_t newest_event(const struct live *live, enum live_feed feed)
{
    int64_t newest_us = INT64_MIN;
    for (size_t i = 0; i < live->count; i++) {
        const struct live_series *series = live->symbols[i]->series[feed];
        if (series != NULL && series->mark.last_time_us > newest_us)
            newest_us = series->mark.last_time_us;
    }
    return newest_us;
}

static void send_status(struct live *live, enum live_feed feed, size_t served, int64_t now_us,
                        int64_t now_monotonic_us)
{
    struct mf_event event;
    struct mf_error err;
    char name[64];
    envelope(&event, MF_EVENT_FEED_STATUS, now_us);
    struct mf_feed_status *status = &event.feed_status;
    status->feed = event.symbol = mf_str_of(ing_live_feed_name(feed, name));
    list_excluded(live, feed, now_monotonic_us, status);
    status->expected = status->received = (int64_t)live->published[feed];
    bool gaps = feed == LIVE_MINUTE && ing_live_fill_gaps(live, status);
    status->state = live->status_parked                                             ? MF_FEED_PARKED
                    : live->status_broken[feed]                                     ? MF_FEED_FAILED
                    : status->excluded_count > 0 && status->excluded_count < served ? MF_FEED_LATE
                    : status->excluded_count > 0                                    ? MF_FEED_FAILED
                    : gaps                                                          ? MF_FEED_GAP
                                                                                    : MF_FEED_OK;
    char shard[32];
    snprintf(shard, sizeof shard, "%u/%u", live->app->config.shard.index, live->app->config.shard.count);
    status->shard = mf_str_of(shard);
    int64_t newest_us = newest_event(live, feed);
    status->last_event_time_us = newest_us != INT64_MIN ? newest_us : now_us;
    status->lag_ms =
        live->complete_us[feed] != INT64_MIN ? (now_us - live->complete_us[feed]) / MF_US_PER_MS : 0;
    if (ing_publisher_encode(live->app->publisher, &event, &err) < 0 ||
        ing_publisher_send(live->app->publisher, NULL, live->topic, event.symbol, &err) < 0) {
        mf_log_error(live->app->service->log, MF_LOG_WARNING, "live", "feed_status_not_sent", &err,
                     "sending a feed status");
        return;
    }
    live->status_sent_us[feed] = now_monotonic_us;
}

void ing_live_tell(struct live *live, enum live_feed feed)
{
    size_t served = 0;
    for (size_t i = 0; i < live->count; i++)
        served += live->symbols[i]->series[feed] != NULL;
    send_status(live, feed, served, now_ms_aligned(), mf_clock_monotonic_us());
}

// ---------------------------------------------------------------- heartbeats

static bool is_broken(const struct live *live, enum live_feed feed)
{
    struct ing_work work = {.feed = feed == LIVE_NEWS ? ING_FEED_NEWS : ING_FEED_BARS};
    return ing_engine_is_broken(live->app->engine, &work);
}

// One feed's entry, when it is known; notes a change of the excluded symbols.
static void add_feed(struct live *live, enum live_feed feed, struct ing_progress *progress, int64_t now_us,
                     int64_t now_monotonic_us, bool parked_changed, struct mf_heartbeat *heartbeat,
                     char name[64])
{
    size_t served = collect(live, feed, progress);
    if (served == 0)
        return;
    size_t excluded = 0;
    int64_t complete_us = INT64_MIN;
    bool known = ing_complete_to(&live->app->config, progress, served, interval_of(feed), now_monotonic_us,
                                 &complete_us, &excluded);
    if (known && complete_us > live->complete_us[feed])
        live->complete_us[feed] = complete_us;
    ing_live_feed_name(feed, name);
    if (live->complete_us[feed] != INT64_MIN) {
        heartbeat->feeds[heartbeat->feed_count].name = mf_str_of(name);
        heartbeat->feeds[heartbeat->feed_count++].complete_to_us = live->complete_us[feed];
    }
    bool broken = is_broken(live, feed);
    bool changed = excluded != live->excluded[feed] || broken != live->status_broken[feed] || parked_changed;
    live->status_broken[feed] = broken;
    live->excluded[feed] = excluded;
    mf_metric_set(MF_METRIC(live->app->service->metrics, &ing_metric_defs[ING_M_EXCLUDED], name),
                  (double)excluded);
    if (changed || live->status_sent_us[feed] == 0 ||
        now_monotonic_us - live->status_sent_us[feed] > STATUS_EVERY_US)
        send_status(live, feed, served, now_us, now_monotonic_us);
}

void ing_live_heartbeat(struct live *live)
{
    struct mf_event event;
    char names[LIVE_FEED_MAX][64];
    int64_t now_us = now_ms_aligned();
    int64_t now_monotonic_us = mf_clock_monotonic_us();
    bool parked =
        ing_engine_is_parked(live->app->engine) || ing_limiter_parked_until_us(live->app->limiter) != 0;
    bool parked_changed = parked != live->status_parked;
    live->status_parked = parked;
    envelope(&event, MF_EVENT_HEARTBEAT, now_us);
    event.heartbeat.clock_us = now_us;
    look(live, now_us);
    struct ing_progress *progress = mf_calloc(live->count + 1, sizeof *progress);
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++)
        add_feed(live, (enum live_feed)feed, progress, now_us, now_monotonic_us, parked_changed,
                 &event.heartbeat, names[feed]);
    free(progress);
    send_heartbeats(live, &event);
}

// ---------------------------------------------------------------- gauges

void ing_live_gauges(struct live *live)
{
    static const struct {
        enum ing_feed feed;
        enum live_feed live;
    } feeds[] = {{ING_FEED_BARS, LIVE_MINUTE}, {ING_FEED_NEWS, LIVE_NEWS}};
    for (size_t type = 0; type < MF_ARRAY_LEN(feeds); type++) {
        int64_t oldest_us = INT64_MAX;
        for (size_t i = 0; i < live->count; i++) {
            const struct live_series *series = live->symbols[i]->series[feeds[type].live];
            if (series != NULL && series->mark.last_time_us != INT64_MIN &&
                series->mark.last_time_us < oldest_us)
                oldest_us = series->mark.last_time_us;
        }
        if (oldest_us == INT64_MAX)
            continue;
        const struct mf_metric_def *def = &ing_metric_defs[ING_M_WATERMARK];
        mf_metric_set(MF_METRIC(live->app->service->metrics, def, ing_metric_type(feeds[type].feed)),
                      (double)oldest_us / (double)MF_US_PER_SECOND);
    }
}
