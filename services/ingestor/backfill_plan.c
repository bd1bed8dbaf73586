// SPDX-License-Identifier: Apache-2.0
// --dry-run: what a start of the run would ask for, and what that costs in requests and time. Nothing is
// asked and nothing is written: it is computed from the arguments, the settings and what the watermarks topic
// knows of the run. See backfill_private.h.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "services/ingestor/backfill_private.h"
#include "services/ingestor/request_range.h"

enum {
    REQUEST_MS = 500, // assumed: from a request's start until its page is published
    ROWS_MAX = 20     // of the table; the JSON has all
};

struct cost {
    uint64_t requests,
        longest;    // of all series; of the one that has most, whose requests go one after the other
    uint64_t names; // that may come on top
    size_t left;    // series that have something to ask for
};

// ---------------------------------------------------------------- requests

// Of bars at most that many; of other feeds nobody knows before the first page, so at least one.
static uint64_t requests_of(const struct backfill *backfill, struct ing_work *work, int64_t from_us,
                            int64_t to_us)
{
    const struct mf_calendar *calendar = backfill->app->calendar;
    uint64_t requests = 0;
    int64_t start_us = ing_request_begin_us(calendar, work, from_us, to_us);
    while (start_us < to_us) {
        int64_t end_us = ing_request_end_us(calendar, work, start_us, to_us);
        requests += ing_request_pages(calendar, work, start_us, end_us);
        start_us = ing_request_begin_us(calendar, work, end_us, to_us);
    }
    return requests;
}

// The pages that are left of the request that a cursor is in.
static uint64_t pages_left(const struct backfill *backfill, const struct ing_watermark *mark,
                           struct ing_work *work)
{
    unsigned pages = ing_request_pages(backfill->app->calendar, work, mark->position_us, mark->request_to_us);
    return pages > mark->page ? pages - mark->page : 1;
}

uint64_t ing_backfill_requests_left(const struct backfill *backfill, const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    struct ing_work work = series->base.work;
    uint64_t requests = 0;
    if (mark->status != ING_STATUS_RUNNING)
        return 0;
    // Of a list of contracts, whose number nobody knows, the passes; likewise of symbols.
    if (work.feed == ING_FEED_SYMBOLS || ing_options_is_walk(series))
        return (uint64_t)(ING_PASS_MAX - mark->pass);
    for (size_t i = 0; i < mark->skipped.count; i++)
        requests +=
            requests_of(backfill, &work, mark->skipped.items[i].from_us, mark->skipped.items[i].to_us);
    int64_t from_us = mark->position_us;
    if (mark->cursor[0] != '\0') {
        requests += pages_left(backfill, mark, &work);
        from_us = mark->request_to_us;
    }
    requests += requests_of(backfill, &work, from_us, series->end_us);
    bool details = work.feed == ING_FEED_OPTIONS && work.contract == NULL && requests > 0;
    return requests + details;
}

static bool may_ask_names(const struct backfill *backfill, const struct backfill_series *series)
{
    return backfill->args.manifest != NULL && series->tally.coverage != NULL &&
           series->base.work.asset_class == MF_ASSET_STOCK && series->mark.status == ING_STATUS_RUNNING;
}

static struct cost cost_of(const struct backfill *backfill)
{
    // Without the list, all that is known is that it has to be looked up.
    struct cost cost = {0};
    cost.requests = cost.longest = !backfill->already_complete && !ing_backfill_universe_is_whole(backfill);
    for (size_t i = 0; i < backfill->count && !backfill->already_complete; i++) {
        const struct backfill_series *series = &backfill->series[i];
        uint64_t requests = ing_backfill_requests_left(backfill, series);
        cost.requests += requests;
        cost.left += requests > 0;
        cost.longest = requests > cost.longest ? requests : cost.longest;
        cost.names += may_ask_names(backfill, series);
    }
    return cost;
}

// ---------------------------------------------------------------- time

// The slowest of three: the budget, what runs at once, the longest series.
double ing_backfill_seconds(const struct ing_config *config, uint64_t requests, uint64_t longest)
{
    double each = REQUEST_MS / 1000.0;
    uint64_t lanes = config->parallel > 0 ? config->parallel : 1;
    uint64_t rounds = (requests + lanes - 1) / lanes;
    double seconds = (double)rounds * each;
    if ((double)longest * each > seconds)
        seconds = (double)longest * each;
    if (requests == 0)
        return 0;
    uint64_t windows = config->requests_per_minute > 0 ? (requests - 1) / config->requests_per_minute : 0;
    uint64_t days = config->requests_per_day > 0 ? (requests - 1) / config->requests_per_day : 0;
    double waiting = (double)windows * (double)config->rate_window_ms / 1000.0;
    seconds = waiting > seconds ? waiting : seconds;
    return (double)days * 86400.0 > seconds ? (double)days * 86400.0 : seconds;
}

// ---------------------------------------------------------------- JSON

static void write_seconds(struct mf_json_writer *w, const char *key, double seconds)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    mf_jw_key(w, key);
    if (mf_decimal_from_double(seconds, text, &len))
        mf_jw_number_text(w, (struct mf_str){text, len});
    else
        mf_jw_i64(w, 0);
}

static void write_time(struct mf_json_writer *w, const char *key, int64_t time_us)
{
    char text[MF_TIME_TEXT_SIZE];
    mf_jw_member_text(w, key, mf_time_format_ms(time_us, text));
}

// Of bars and of what is asked for by itself the requests are known, up to empty pages; of lists the first.
static const char *bound_of(const struct backfill *backfill)
{
    bool walks = backfill->count > 0 && ing_options_is_walk(&backfill->series[0]);
    bool known = ing_feed_is_of_bars(backfill->args.feed) || ing_feed_is_single(backfill->args.feed);
    return known && !walks && ing_backfill_universe_is_whole(backfill) ? "at most" : "at least";
}

static void write_cost(struct mf_json_writer *w, const struct backfill *backfill, const struct cost *cost)
{
    const struct ing_config *config = &backfill->app->config;
    mf_jw_member_u64(w, "requests", cost->requests);
    mf_jw_member_text(w, "bound", bound_of(backfill));
    mf_jw_member_u64(w, "requests_for_names", cost->names);
    write_seconds(w, "seconds", ing_backfill_seconds(config, cost->requests, cost->longest));
    mf_jw_key(w, "assumed");
    mf_jw_object_begin(w);
    write_seconds(w, "seconds_per_request", REQUEST_MS / 1000.0);
    mf_jw_member_u64(w, "parallel", config->parallel);
    mf_jw_member_u64(w, "requests_per_minute", config->requests_per_minute);
    mf_jw_member_u64(w, "requests_per_day", config->requests_per_day);
    mf_jw_object_end(w);
}

static void write_series(struct mf_json_writer *w, const struct backfill *backfill,
                         const struct backfill_series *series)
{
    const struct ing_watermark *mark = &series->mark;
    mf_jw_key(w, series->base.work.symbol);
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "status", ing_backfill_status_in_run(backfill, series));
    mf_jw_member_u64(w, "requests",
                     backfill->already_complete ? 0 : ing_backfill_requests_left(backfill, series));
    write_time(w, "from", mark->range.from_us);
    write_time(w, "to", mark->range.to_us);
    if (series->known && !backfill->already_complete) {
        write_time(w, "done_until", mark->position_us);
        mf_jw_member_u64(w, "events_total", mark->events);
        if (mark->cursor[0] != '\0')
            mf_jw_member_u64(w, "next_page", mark->page);
    }
    mf_jw_object_end(w);
}

static void write_plan(const struct backfill *backfill, const struct cost *cost, struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_member_text(&w, "run_id", backfill->args.run_id);
    mf_jw_key(&w, "dry_run");
    mf_jw_bool(&w, true);
    mf_jw_key(&w, "complete_before");
    mf_jw_bool(&w, backfill->already_complete);
    if (backfill->args.universe) {
        mf_jw_key(&w, "universe_known");
        mf_jw_bool(&w, backfill->universe.whole);
    }
    mf_jw_member_text(&w, "feed", ing_feed_name(backfill->args.feed));
    mf_jw_member_u64(&w, "series", backfill->count);
    mf_jw_member_u64(&w, "series_left", cost->left);
    write_cost(&w, backfill, cost);
    mf_jw_key(&w, "symbols");
    mf_jw_object_begin(&w);
    for (size_t i = 0; i < backfill->count; i++)
        write_series(&w, backfill, &backfill->series[i]);
    mf_jw_object_end(&w);
    mf_jw_object_end(&w);
    mf_buf_add_char(out, '\n');
}

// ---------------------------------------------------------------- the table

static void print_row(const struct backfill *backfill, const struct backfill_series *series)
{
    char from[MF_TIME_TEXT_SIZE];
    char to[MF_TIME_TEXT_SIZE];
    mf_time_format_ms(series->mark.position_us, from);
    mf_time_format_ms(series->end_us, to);
    fprintf(stderr, "%-16s %-14s %.16sZ  %.16sZ %10" PRIu64 "\n", series->base.work.symbol,
            ing_backfill_status_in_run(backfill, series), from, to,
            backfill->already_complete ? 0 : ing_backfill_requests_left(backfill, series));
}

static void print_table(const struct backfill *backfill, const struct cost *cost)
{
    const struct ing_config *config = &backfill->app->config;
    int64_t seconds = (int64_t)ing_backfill_seconds(config, cost->requests, cost->longest);
    size_t shown = backfill->count < ROWS_MAX ? backfill->count : ROWS_MAX;
    fprintf(stderr, "%-16s %-14s %-17s  %-17s %10s\n", "symbol", "status", "from", "to", "requests");
    for (size_t i = 0; i < shown; i++)
        print_row(backfill, &backfill->series[i]);
    if (shown < backfill->count)
        fprintf(stderr, "and %zu more\n", backfill->count - shown);
    fprintf(stderr,
            "run %s: %zu of %zu series left, %s %" PRIu64 " requests, %02" PRId64
            ":%02d:%02d at %u at once and %d ms each",
            backfill->args.run_id, cost->left, backfill->count, bound_of(backfill), cost->requests,
            seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60), config->parallel, REQUEST_MS);
    if (config->requests_per_minute > 0)
        fprintf(stderr, ", %u requests a minute", config->requests_per_minute);
    if (config->requests_per_day > 0)
        fprintf(stderr, ", %u a day", config->requests_per_day);
    fputc('\n', stderr);
}

void ing_backfill_print_plan(struct backfill *backfill)
{
    struct mf_buf out;
    if (!backfill->begun)
        return;
    struct cost cost = cost_of(backfill);
    mf_buf_init(&out, (size_t)64 * 1024 * 1024);
    write_plan(backfill, &cost, &out);
    if (backfill->terminal)
        print_table(backfill, &cost);
    (void)fwrite(out.data, 1, out.len, stdout);
    ing_backfill_flush(backfill->app);
    mf_buf_free(&out);
}
