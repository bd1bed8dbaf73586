// SPDX-License-Identifier: Apache-2.0
// The manifest of a run (docs/operating.md): what is on the topic, up to which offset, and what is not.
// Written in one piece: a reader finds the file of before or the whole new one. See backfill_private.h.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "services/ingestor/backfill_private.h"

#define MANIFEST_MAX ((size_t)64 * 1024 * 1024)
enum { RANGES_MAX = 32 }; // of a symbol, in the file

// ---------------------------------------------------------------- the file

static int failed(struct mf_error *err, const char *path, const char *doing)
{
    return mf_error_set(err, MF_ERROR_TRANSIENT, "manifest_not_written", "%s %s: %s", doing, path,
                        strerror(errno));
}

static int write_all(int fd, const char *path, struct mf_str text, struct mf_error *err)
{
    while (text.len > 0) {
        ssize_t wrote = write(fd, text.data, text.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return failed(err, path, "writing");
        text = (struct mf_str){text.data + wrote, text.len - (size_t)wrote};
    }
    return fsync(fd) == 0 ? 0 : failed(err, path, "writing");
}

// The new name is safe only when its directory is.
static void sync_directory(const char *path)
{
    struct mf_buf directory;
    const char *slash = strrchr(path, '/');
    mf_buf_init(&directory, 4096);
    mf_buf_addf(&directory, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1, slash == NULL ? "." : path);
    int fd = open(mf_buf_c_str(&directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); // not every file system can; the file itself is safe
        close(fd);
    }
    mf_buf_free(&directory);
}

static int replace_file(const char *path, struct mf_str text, struct mf_error *err)
{
    struct mf_buf fresh;
    mf_buf_init(&fresh, 8192);
    mf_buf_addf(&fresh, "%s.%ld.tmp", path, (long)getpid());
    const char *name = mf_buf_c_str(&fresh);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int result = fd >= 0 ? write_all(fd, name, text, err) : failed(err, name, "making");
    if (fd >= 0)
        close(fd);
    if (result == 0 && rename(name, path) != 0)
        result = failed(err, path, "making");
    if (result < 0 && fd >= 0)
        (void)unlink(name);
    if (result == 0)
        sync_directory(path);
    mf_buf_free(&fresh);
    return result;
}

// ---------------------------------------------------------------- its text

static void write_raw(struct mf_json_writer *w, struct backfill *backfill, bool complete)
{
    struct ing_tally tally = {0};
    const struct ing_offsets *offsets = &tally.offsets;
    uint64_t events = 0;
    ing_tally_add(&tally, &backfill->run.tally);
    for (size_t i = 0; !complete && i < backfill->count; i++)
        ing_tally_add(&tally, &backfill->series[i].tally);
    if (!complete)
        ing_options_add_under_way(backfill, &tally, &events);
    mf_jw_key(w, "raw");
    mf_jw_array_begin(w);
    for (size_t i = 0; i < offsets->count; i++) {
        mf_jw_object_begin(w);
        mf_jw_member_text(w, "topic", backfill->topic);
        mf_jw_key(w, "partition");
        mf_jw_i64(w, offsets->items[i].partition);
        mf_jw_key(w, "offset");
        mf_jw_i64(w, offsets->items[i].offset);
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
    ing_tally_free(&tally);
}

static void write_asked(struct mf_json_writer *w, const struct ing_backfill_args *args)
{
    char date[MF_DATE_TEXT_SIZE];
    mf_jw_member_text(w, "feed", ing_feed_name(args->feed));
    if (ing_feed_is_of_bars(args->feed)) {
        mf_jw_member_text(w, "timespan", ing_timespans[args->timespan].name);
        mf_jw_member_text(w, "adjusted", mf_adjusted_name(args->adjusted));
    }
    mf_jw_member_text(w, "from", mf_date_format(args->from, date));
    mf_jw_member_text(w, "to", mf_date_format(args->to, date));
}

// The days on which the exchange was closed, or closed early: the same for all symbols that have sessions.
static void write_closures(struct mf_json_writer *w, const struct backfill *backfill)
{
    const struct mf_calendar *calendar = backfill->app->calendar;
    const struct ing_backfill_args *args = &backfill->args;
    mf_jw_key(w, "closures");
    mf_jw_array_begin(w);
    for (struct mf_date day = args->from; mf_date_cmp(day, args->to) <= 0; day = mf_date_add_days(day, 1)) {
        uint64_t minutes = 0;
        char date[MF_DATE_TEXT_SIZE];
        if (!ing_backfill_closure(calendar, day, &minutes))
            continue;
        const char *reason = mf_calendar_closure_reason(calendar, day);
        mf_jw_object_begin(w);
        mf_jw_member_text(w, "date", mf_date_format(day, date));
        mf_jw_member_text(w, "cause", reason != NULL ? "holiday" : "early_close");
        mf_jw_member_u64(w, "minutes", minutes);
        if (reason != NULL)
            mf_jw_member_text(w, "name", reason);
        mf_jw_object_end(w);
    }
    mf_jw_array_end(w);
}

static void write_gap(struct mf_json_writer *w, const struct backfill_gap *gap)
{
    char text[MF_TIME_TEXT_SIZE];
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "from", mf_time_format_ms(gap->range.from_us, text));
    mf_jw_member_text(w, "to", mf_time_format_ms(gap->range.to_us, text));
    mf_jw_member_u64(w, "missing", gap->range.slots);
    mf_jw_member_text(w, "cause", ing_gap_cause_name(gap->cause));
    if (ing_gap_cause_is_guess(gap->cause)) {
        mf_jw_key(w, "guess");
        mf_jw_bool(w, true);
    }
    mf_jw_object_end(w);
}

static void write_series(struct mf_json_writer *w, const struct backfill *backfill,
                         const struct backfill_series *series, struct backfill_view *view)
{
    struct backfill_summary summary;
    ing_backfill_summarise(backfill, series, view, &summary);
    size_t shown = summary.gap_count < RANGES_MAX ? summary.gap_count : RANGES_MAX;
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "symbol", series->base.work.symbol);
    mf_jw_member_text(w, "status", ing_backfill_status(series));
    ing_backfill_write_summary(w, series, &summary);
    if (summary.covered) {
        mf_jw_key(w, "ranges");
        mf_jw_array_begin(w);
        for (size_t i = 0; i < shown; i++)
            write_gap(w, &summary.gaps[i]);
        mf_jw_array_end(w);
        mf_jw_member_u64(w, "ranges_left_out", summary.gap_count - shown + summary.finished.dropped);
    }
    mf_jw_object_end(w);
    ing_backfill_summary_free(&summary);
}

// Of a run that was complete before, the symbols' records are mostly gone: then nothing is said about them.
static bool knows_series(const struct backfill *backfill)
{
    for (size_t i = 0; backfill->already_complete && i < backfill->count; i++) {
        if (!backfill->series[i].known)
            return false;
    }
    return backfill->count > 0;
}

static void write_manifest(struct mf_json_writer *w, struct backfill *backfill)
{
    char now[MF_TIME_TEXT_SIZE];
    bool complete = backfill->already_complete || backfill->run.status == ING_STATUS_COMPLETE;
    mf_jw_object_begin(w);
    mf_jw_member_text(w, "manifest_version", "1.1");
    mf_jw_member_text(w, "run_id", backfill->args.run_id);
    mf_jw_key(w, "complete");
    mf_jw_bool(w, complete);
    mf_jw_member_text(w, "written_time", mf_time_format_ms(mf_clock_real_us(), now));
    write_asked(w, &backfill->args);
    write_raw(w, backfill, complete);
    if (backfill->args.feed == ING_FEED_BARS)
        write_closures(w, backfill);
    if (knows_series(backfill)) {
        struct backfill_view view;
        ing_backfill_view_begin(backfill, &view);
        mf_jw_key(w, "series");
        mf_jw_array_begin(w);
        for (size_t i = 0; i < backfill->count; i++)
            write_series(w, backfill, &backfill->series[i], &view);
        mf_jw_array_end(w);
        ing_backfill_view_end(&view);
    }
    mf_jw_object_end(w);
}

int ing_backfill_write_manifest(struct backfill *backfill, struct mf_error *err)
{
    if (backfill->args.manifest == NULL || backfill->args.dry_run || backfill->manifest_written ||
        !backfill->begun || backfill->lost)
        return 0;
    struct mf_buf text;
    struct mf_json_writer w;
    mf_buf_init(&text, MANIFEST_MAX);
    mf_jw_init(&w, &text);
    write_manifest(&w, backfill);
    mf_buf_add_char(&text, '\n');
    int result = text.overflow ? mf_error_set(err, MF_ERROR_TRANSIENT, "manifest_not_written",
                                              "the manifest is larger than %zu bytes", MANIFEST_MAX)
                               : replace_file(backfill->args.manifest, mf_buf_str(&text), err);
    mf_buf_free(&text);
    if (result < 0)
        mf_log_error(backfill->app->service->log, MF_LOG_ERROR, "backfill", "manifest_not_written", err,
                     "writing the manifest");
    backfill->manifest_written = result == 0;
    return result;
}
