// SPDX-License-Identifier: Apache-2.0
// How far a backfill is: one line that is rewritten on a terminal, log lines elsewhere. See
// backfill_private.h.
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "services/ingestor/backfill_private.h"

enum { UNDER_WAY_SHOWN = 3 };

// Share of a series' time that is done, from 0 to 1.
static double share_of(const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    double length = (double)(mark->range.to_us - mark->range.from_us);
    int64_t at_us = mark->position_us > mark->last_time_us ? mark->position_us : mark->last_time_us;
    double part = (double)(at_us - mark->range.from_us);
    if (series->ended || part >= length)
        return 1;
    return part > 0 ? part / length : 0;
}

static double share_done(const struct backfill *backfill)
{
    double done = 0;
    for (size_t i = 0; i < backfill->count; i++)
        done += share_of(&backfill->series[i]);
    return backfill->count > 0 ? done / (double)backfill->count : 1;
}

// What is left of the time, or why no time can be told. Measured from where this process began: what others
// did before it says nothing about its pace.
static void estimate(const struct backfill *backfill, double seconds, double share, char *text, size_t size)
{
    char until[MF_TIME_TEXT_SIZE];
    int64_t parked_us = ing_limiter_parked_until_us(backfill->app->limiter);
    double gained = share - backfill->share_before;
    double left = gained > 0.0001 ? seconds * (1 - share) / gained : -1;
    if (parked_us != 0)
        snprintf(text, size, "budget used up until %s", mf_time_format_ms(parked_us, until));
    else if (left < 0 || left >= 1e9)
        snprintf(text, size, "ETA unknown");
    else
        snprintf(text, size, "ETA %02d:%02d:%02d", (int)(left / 3600), (int)(left / 60) % 60, (int)left % 60);
}

// The first of those that have a request or a page under way: "AAPL 45 %, IBM 3 %".
static void list_under_way(const struct backfill *backfill, char *text, size_t size)
{
    size_t len = 0;
    unsigned shown = 0;
    text[0] = '\0';
    for (size_t i = 0; i < backfill->count && shown < UNDER_WAY_SHOWN; i++) {
        const struct backfill_series *series = &backfill->series[i];
        if (series->ended || series->base.state < ING_SERIES_ASKED)
            continue;
        int wrote = snprintf(text + len, size - len, "%s%s %.0f %%", shown++ > 0 ? ", " : "",
                             series->base.work.symbol, share_of(series) * 100);
        len += wrote > 0 ? (size_t)wrote : 0;
        if (len >= size)
            return;
    }
}

struct progress {
    double share, rate;
    uint64_t events; // of this process
    char left[64], under_way[256];
};

static struct progress measure(const struct backfill *backfill)
{
    struct progress progress = {.share = share_done(backfill), .events = ing_backfill_events(backfill)};
    double seconds = (double)(mf_clock_monotonic_us() - backfill->started_us) / (double)MF_US_PER_SECOND;
    progress.rate = seconds > 0 ? (double)progress.events / seconds : 0;
    estimate(backfill, seconds, progress.share, progress.left, sizeof progress.left);
    list_under_way(backfill, progress.under_way, sizeof progress.under_way);
    return progress;
}

static void show(const struct backfill *backfill)
{
    struct progress now = measure(backfill);
    fprintf(stderr, "\rrun %s  %5.1f %%  %zu/%zu series  %" PRIu64 " events  %.0f/s  %s  %s\033[K%s",
            backfill->args.run_id, now.share * 100, backfill->ended, backfill->count, now.events, now.rate,
            now.left, now.under_way, backfill->finished ? "\n" : "");
    fflush(stderr);
}

static void say(struct backfill *backfill)
{
    struct progress now = measure(backfill);
    MF_LOGF(backfill->app->service->log, MF_LOG_NOTICE, "backfill", "progress",
            MF_FIELDS(mf_lf_str("run_id", backfill->args.run_id), mf_lf_f64("share", now.share),
                      mf_lf_i64("series_done", (int64_t)backfill->ended),
                      mf_lf_i64("series", (int64_t)backfill->count), mf_lf_i64("events", (int64_t)now.events),
                      mf_lf_f64("events_per_s", now.rate), mf_lf_str("under_way", now.under_way)),
            "%.1f %%, %zu of %zu series, %" PRIu64 " events, %.0f/s, %s", now.share * 100, backfill->ended,
            backfill->count, now.events, now.rate, now.left);
}

void ing_backfill_begin_progress(struct backfill *backfill)
{
    backfill->share_before = share_done(backfill);
    backfill->started_us = backfill->said_us = mf_clock_monotonic_us();
}

void ing_backfill_progress(struct backfill *backfill)
{
    int64_t every_us = backfill->app->config.progress_ms * MF_US_PER_MS;
    int64_t now_us = mf_clock_monotonic_us();
    if (!backfill->begun)
        return;
    if (backfill->terminal) {
        show(backfill);
    } else if (every_us > 0 && (now_us - backfill->said_us >= every_us || backfill->finished)) {
        backfill->said_us = now_us;
        say(backfill);
    }
}

void ing_backfill_say_ended(const struct backfill *backfill, const struct backfill_series *series)
{
    MF_LOGF(backfill->app->service->log, MF_LOG_INFO, "backfill", "series_ended",
            MF_FIELDS(mf_lf_str("symbol", series->base.work.symbol),
                      mf_lf_str("status", ing_backfill_status(series)),
                      mf_lf_i64("events_total", (int64_t)series->mark.events),
                      mf_lf_i64("pages_total", (int64_t)series->tally.pages)),
            "%s: %s, %" PRIu64 " events", series->base.work.symbol, ing_backfill_status(series),
            series->mark.events);
}
