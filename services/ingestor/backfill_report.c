// SPDX-License-Identifier: Apache-2.0
// What a backfill says at the end: one JSON object on stdout.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "services/ingestor/backfill_private.h"

const char *ing_backfill_status(const struct backfill_series *series)
{
    if (series->mark.status == ING_STATUS_RUNNING)
        return "incomplete";
    return ing_status_name(series->mark.status);
}

// The series' own watermarks are gone from a run that was complete before; its record lists those that are
// not: only tickers that the provider does not know (ing_backfill_is_complete), as "symbol=status,…".
const char *ing_backfill_status_in_run(const struct backfill *backfill, const struct backfill_series *series)
{
    const char *symbol = series->base.work.symbol;
    size_t len = strlen(symbol);
    if (!backfill->already_complete)
        return ing_backfill_status(series);
    for (const char *at = backfill->run.not_complete; *at != '\0'; at += *at == ',') {
        if (strncmp(at, symbol, len) == 0 && at[len] == '=')
            return ing_status_name(ING_STATUS_UNKNOWN_TICKER);
        at = strchrnul(at, ',');
    }
    return ing_status_name(ING_STATUS_COMPLETE);
}

// A ticker that the provider does not know is recorded and is no reason to ask again; a range that the plan
// does not cover is.
bool ing_backfill_is_complete(const struct backfill *backfill)
{
    for (size_t i = 0; i < backfill->count; i++) {
        enum ing_status status = backfill->series[i].mark.status;
        if (status != ING_STATUS_COMPLETE && status != ING_STATUS_UNKNOWN_TICKER)
            return false;
    }
    return backfill->count > 0;
}

static uint64_t events_of_type(const struct ing_engine_totals *totals, enum mf_event_type type)
{
    return totals->events[type];
}

uint64_t ing_backfill_events(const struct backfill *backfill)
{
    const struct ing_engine_totals *totals = ing_engine_totals(backfill->app->engine);
    uint64_t events = 0;
    for (unsigned type = 0; type < MF_EVENT_TYPE_MAX; type++)
        events += totals->events[type];
    return events;
}

// ---------------------------------------------------------------- the report

static void write_error(struct mf_json_writer *w, const struct mf_error *err)
{
    if (err->code[0] == '\0')
        return;
    mf_jw_key(w, "error");
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "code", err->code);
    mf_jw_member_text(w, "message", err->message);
    mf_jw_object_end(w);
}

// Of the whole run, as the watermarks have it: what a killed process did not get acknowledged was done again,
// and is counted once.
static void write_run(struct mf_json_writer *w, struct backfill *backfill)
{
    struct ing_tally total = {0};
    uint64_t events = 0;
    bool complete = backfill->already_complete || backfill->run.status == ING_STATUS_COMPLETE;
    if (complete) {
        ing_tally_add(&total, &backfill->run.tally);
        events = backfill->run.events;
    }
    for (size_t i = 0; !complete && i < backfill->count; i++) {
        ing_tally_add(&total, &backfill->series[i].tally);
        events += backfill->series[i].mark.events;
    }
    if (!complete)
        ing_options_add_under_way(backfill, &total, &events);
    mf_jw_key(w, "run");
    mf_jw_object_begin(w);
    mf_jw_member_u64(w, "events", events);
    mf_jw_member_u64(w, "pages", total.pages);
    mf_jw_member_u64(w, "duplicates", total.duplicates);
    mf_jw_member_u64(w, "out_of_range", total.out_of_range);
    mf_jw_member_u64(w, "foreign", total.foreign);
    mf_jw_member_u64(w, "rejected", total.rejected);
    mf_jw_member_u64(w, "dead_lettered", total.dead_lettered);
    mf_jw_object_end(w);
    ing_tally_free(&total);
}

// Of this process.
static void write_totals(struct mf_json_writer *w, const struct ing_engine_totals *totals)
{
    mf_jw_member_u64(w, "requests", totals->requests);
    mf_jw_member_u64(w, "pages", totals->pages);
    mf_jw_key(w, "events");
    mf_jw_object_begin(w);
    static const enum mf_event_type types[] = {MF_EVENT_BAR, MF_EVENT_NEWS, MF_EVENT_SYMBOL,
                                               MF_EVENT_CORPORATE_ACTION, MF_EVENT_OPTION_BAR};
    for (size_t i = 0; i < MF_ARRAY_LEN(types); i++)
        mf_jw_member_u64(w, mf_event_type_name(types[i]), events_of_type(totals, types[i]));
    mf_jw_object_end(w);
    mf_jw_member_u64(w, "duplicates", totals->duplicates);
    mf_jw_member_u64(w, "out_of_range", totals->out_of_range);
    mf_jw_member_u64(w, "foreign", totals->foreign);
    mf_jw_member_u64(w, "forming", totals->forming);
    mf_jw_member_u64(w, "rejected", totals->rejected);
    mf_jw_member_u64(w, "dead_lettered", totals->dead_lettered);
    mf_jw_member_u64(w, "retries", totals->retries);
    mf_jw_member_u64(w, "bytes", totals->bytes);
}

// Of an underlying, as far as this process came by its contracts.
static void write_contracts(struct mf_json_writer *w, const struct backfill_series *series)
{
    mf_jw_key(w, "contracts");
    mf_jw_object_begin(w);
    mf_jw_member_u64(w, "found", series->contracts.found);
    mf_jw_member_u64(w, "empty", series->contracts.empty);
    mf_jw_member_u64(w, "incomplete", series->contracts.incomplete);
    mf_jw_object_end(w);
}

// What became of one symbol.
static void write_series(struct mf_json_writer *w, const struct backfill *backfill,
                         const struct backfill_series *series, struct backfill_view *view)
{
    struct backfill_summary summary;
    bool known = !backfill->already_complete || series->known;
    mf_jw_key(w, series->base.work.symbol);
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "status", ing_backfill_status_in_run(backfill, series));
    mf_jw_member_u64(w, "events", series->events);
    if (known)
        mf_jw_member_u64(w, "events_total", series->mark.events);
    if (known && series->tally.coverage != NULL) {
        ing_backfill_summarise(backfill, series, view, &summary);
        ing_backfill_write_summary(w, series, &summary);
        ing_backfill_summary_free(&summary);
    }
    if (series->mark.last_time_us != INT64_MIN) {
        char text[MF_TIME_TEXT_SIZE];
        mf_jw_member_text(w, "last_time", mf_time_format_ms(series->mark.last_time_us, text));
    }
    if (ing_options_is_walk(series))
        write_contracts(w, series);
    if (series->mark.skipped.count > 0)
        mf_jw_member_u64(w, "skipped_ranges", series->mark.skipped.count);
    write_error(w, &series->error);
    mf_jw_object_end(w);
}

// Of a run that was stopped before its watermarks could be read.
static void write_unknown(struct mf_json_writer *w, const char *symbol)
{
    mf_jw_key(w, symbol);
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "status", "incomplete");
    mf_jw_member_u64(w, "events", 0);
    mf_jw_object_end(w);
}

static void write_report(struct backfill *backfill, struct mf_buf *out)
{
    struct mf_json_writer w;
    char seconds[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    bool complete = backfill->already_complete || backfill->run.status == ING_STATUS_COMPLETE;
    double elapsed = (double)(mf_clock_monotonic_us() - backfill->started_us) / (double)MF_US_PER_SECOND;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_member_text(&w, "run_id", backfill->args.run_id);
    mf_jw_member_text(&w, "lane", backfill->lane);
    mf_jw_key(&w, "complete");
    mf_jw_bool(&w, complete);
    mf_jw_key(&w, "complete_before");
    mf_jw_bool(&w, backfill->already_complete);
    write_totals(&w, ing_engine_totals(backfill->app->engine));
    if (backfill->begun)
        write_run(&w, backfill);
    mf_jw_key(&w, "seconds");
    if (mf_decimal_from_double(elapsed, seconds, &len))
        mf_jw_number_text(&w, (struct mf_str){seconds, len});
    else
        mf_jw_i64(&w, 0);
    if (backfill->run.not_complete[0] != '\0')
        mf_jw_member_text(&w, "not_complete", backfill->run.not_complete);
    write_error(&w, &backfill->error);
    if (backfill->manifest_written)
        mf_jw_member_text(&w, "manifest", backfill->args.manifest);
    mf_jw_key(&w, "symbols");
    mf_jw_object_begin(&w);
    struct backfill_view view;
    ing_backfill_view_begin(backfill, &view);
    for (size_t i = 0; backfill->begun && i < backfill->count; i++)
        write_series(&w, backfill, &backfill->series[i], &view);
    ing_backfill_view_end(&view);
    for (size_t i = 0; !backfill->begun && i < backfill->args.symbols.count; i++)
        write_unknown(&w, backfill->args.symbols.items[i]);
    mf_jw_object_end(&w);
    mf_jw_object_end(&w);
    mf_buf_add_char(out, '\n');
}

// A result that nobody got is no success, whatever became of the run.
void ing_backfill_flush(struct ing_app *app)
{
    if (mf_service_flush("marketflow-ingestor", stdout) != MF_EXIT_OK)
        mf_service_finish(app->service, MF_EXIT_TEMPORARY, "the result could not be written");
}

void ing_backfill_report(struct backfill *backfill)
{
    if (backfill->impossible || mf_service_state(backfill->app->service) == MF_SERVICE_STARTING)
        return;
    if (backfill->args.dry_run) {
        ing_backfill_print_plan(backfill);
        return;
    }
    struct mf_buf out;
    mf_buf_init(&out, (size_t)64 * 1024 * 1024);
    write_report(backfill, &out);
    (void)fwrite(out.data, 1, out.len, stdout);
    ing_backfill_flush(backfill->app);
    mf_buf_free(&out);
}
