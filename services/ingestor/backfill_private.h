// SPDX-License-Identifier: Apache-2.0
// Inside a backfill: backfill.c (the mode: the run and its series as the watermarks topic knows them),
// backfill_series.c (ranges and what happens to them), backfill_passes.c (feeds that are read several times),
// backfill_contract.c and backfill_options.c (option contracts, and those of an underlying),
// backfill_finish.c (lane end, the run's record, abandoning), backfill_report.c (progress and the final
// JSON).
#ifndef ING_BACKFILL_PRIVATE_H
#define ING_BACKFILL_PRIVATE_H

#include "services/ingestor/app.h"
#include "services/ingestor/backfill_args.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/gap_cause.h"
#include "services/ingestor/run_owner.h"
#include "services/ingestor/universe.h"

struct backfill_walk;
struct backfill_slots;

struct backfill_series {
    struct ing_series base;
    struct backfill *backfill;
    struct ing_watermark mark;
    struct ing_tally tally;          // written with the mark
    struct ing_coverage *staged;     // with the page under way; NULL = there is none
    struct ing_coverage_shape shape; // of its coverage
    unsigned marks_pending;          // written and not acknowledged
    bool unsaved;                    // the last one was not even queued
    bool known;                      // the watermarks topic had its mark
    bool open_ended;                 // its range ends today or later
    int64_t end_us;                  // where it ends for this process; does not move
    bool ended;                      // nothing more will be asked for by this process
    bool retrying;                   // a range that the plan did not cover the last time
    size_t retry_at;                 // its place in mark.skipped
    bool from_cursor;                // the first page of this process is one in the middle
    int64_t asked_us;                // up to there the provider was asked by this process; 0 = nowhere
    bool names_asked;                // when the instrument got its name: once per process
    bool searching;                  // no symbol's: it looks for symbols (backfill_universe.c)
    bool asking_names;               // that is what is under way
    int64_t refused_at_us;           // where it went on after a cursor was refused; 0 = none was
    int64_t chunk_to_us;             // end of the range under way
    uint64_t events;                 // published by this process
    uint64_t rows;                   // of its symbol, seen by this process
    struct ing_aliases *aliases;     // other names of its symbol; NULL = none are known
    struct ing_listing listing;      // of its symbol; the work points to it once it is known
    bool unnamed;                    // the plan does not cover one or the other
    struct ing_contract contract;    // options: what the work points to once it is known
    struct backfill_walk *walk;      // of an underlying: over its contracts; of a contract: that found it
    struct {
        uint64_t found, empty, incomplete;
    } contracts;           // of an underlying, in this process
    struct mf_error error; // why it gave up, or was refused; no code = fine
};

struct backfill_universe {
    struct backfill_series *search_series; // NULL = nothing is looked for
    char search[ING_UNIVERSE_ID_LEN + 1];
    unsigned parts; // stored, or on their way
    char *next;     // page behind them
    size_t first;   // of the page's symbols, in args.symbols
    bool last;      // there is no page behind them
    bool whole;     // the list is the run's
    bool full;      // there are more symbols than can be served
};

struct backfill {
    struct ing_app *app;
    struct ing_backfill_args args;
    char lane[MF_RUN_ID_MAX + 16];
    char *topic;
    struct backfill_series *series;
    size_t count, ended;
    struct backfill_slots *slots; // options only
    struct backfill_universe universe;
    struct ing_run run;
    struct ing_owner *owner;
    bool impossible; // as it was asked for: nothing is reported
    bool begun, finished, closing, already_complete, key_rejected;
    struct mf_error error; // why the whole run stopped; no code = fine
    double share_before;   // done before this process
    int64_t said_us;       // when a log line told the progress, monotonic
    int64_t started_us;    // monotonic
    struct mf_timer *progress_timer, *finish_timer;
    struct ing_batch *batch; // of the last records
    int (*send)(struct backfill *backfill,
                struct mf_error *err); // the batch's records; -1 = the queue is full
    int32_t next_partition;            // of the lane end
    size_t next_series;                // whose watermark is forgotten next
    bool terminal;                     // stderr is one
    bool lost, manifest_written;       // the run is another process's now; the file is there
};

// What is asked of all symbols in turn.
struct backfill_view {
    struct ing_gap_evidence evidence;
    struct backfill_days {
        bool counted;
        int64_t from_us, end_us;
        uint64_t sessions, holidays, early_minutes;
    } days; // of the range that was asked about last
    struct {
        bool counted;
        int64_t from_us, to_us;
        enum mf_asset_class asset_class;
        uint64_t slots;
    } left; // likewise
};

// What one symbol has and lacks. Slots are minutes or days (coverage.h).
struct backfill_summary {
    bool covered;                                  // else only `received` is known
    bool sessions;                                 // and, of options, `expected_sessions`
    uint64_t received;                             // events, over all starts of the run
    uint64_t expected_sessions, received_sessions; // over by now; of those asked for
    uint64_t expected, missing;                    // slots; `missing` those that were not asked for included
    uint64_t unexamined;
    uint64_t causes[ING_GAP_MAX];  // of `missing`
    uint64_t holiday, early_close; // slots of ordinary weekdays that the calendar takes away: not expected
    struct backfill_gap {
        struct ing_missing range;
        enum ing_gap_cause cause;
    } gaps[ING_MISSING_MAX + 1];
    size_t gap_count;
    struct ing_coverage finished; // owned
};

// backfill_series.c
void ing_backfill_free_series(struct backfill_series *series); // what it owns, not itself
struct ing_driver ing_backfill_driver(struct backfill *backfill);
// What was not queued the last time.
void ing_backfill_save_again(struct backfill *backfill);
// Where the series' range ends for a process that begins now.
int64_t ing_backfill_range_end(const struct backfill *backfill, const struct backfill_series *series,
                               int64_t now_us);
// Begins what comes next: a range that the plan did not cover before, the next one from the position, the
// end.
void ing_backfill_go_on(struct backfill *backfill, struct backfill_series *series);
void ing_backfill_end_series(struct backfill *backfill,
                             struct backfill_series *series); // the last one ends the run
void ing_backfill_save(struct backfill *backfill, struct backfill_series *series); // its watermark
void ing_backfill_count_page(struct ing_tally *tally, const struct ing_page_result *result);
// backfill.c
// The days from `from` to `to` (included) (included) of the work's market, in whole windows.
struct ing_range ing_backfill_range_of(const struct mf_calendar *calendar, const struct ing_work *work,
                                       struct mf_date from, struct mf_date to);
// What the topic says about the series, if anything. CONFIG when that cannot be read.
int ing_backfill_read_mark(struct backfill *backfill, struct mf_json *json, struct backfill_series *series,
                           struct mf_error *err);
// backfill_contract.c
bool ing_options_is_walk(const struct backfill_series *series); // of an underlying, over its contracts
// A series that is being made: before and after its watermark is read.
void ing_options_prepare(struct backfill *backfill, struct backfill_series *series);
void ing_options_made(struct backfill *backfill, struct backfill_series *series);
// The end of a contract's range: that of the run, or its last day.
void ing_options_set_range(const struct backfill *backfill, struct backfill_series *series);
// True: what comes next is a list of contracts, or a contract's details.
bool ing_options_go_on(struct backfill *backfill, struct backfill_series *series);
void ing_options_details_read(struct backfill_series *series, const struct ing_page *page);
void ing_options_details_done(struct backfill *backfill, struct backfill_series *series,
                              enum ing_range_end end);
// backfill_options.c
void ing_options_new(struct backfill *backfill);
void ing_options_free(struct backfill *backfill);
void ing_options_settle(struct backfill *backfill); // a slot or a walk may be free
void ing_options_contract_ended(struct backfill *backfill, struct backfill_series *series);
// Adds what is acknowledged of the run's contracts and in no underlying's mark or tally yet.
void ing_options_add_under_way(struct backfill *backfill, struct ing_tally *tally, uint64_t *events);
// Of the feed contracts, as the driver's.
void ing_options_page_read(struct backfill_series *series, const struct ing_page *page);
void ing_options_page_done(struct backfill_series *series, const struct ing_page_result *result);
void ing_options_range_done(struct backfill *backfill, struct backfill_series *series,
                            enum ing_range_end end);
// backfill_passes.c
enum ing_pass ing_backfill_first_pass(const struct ing_work *work);
// After a pass: the mark is that of the next one, or of a series that has ended otherwise than complete.
// False: there is none, and nothing is to be said.
bool ing_backfill_next_pass(struct backfill_series *series);
// ing_driver.page_read: keeps the names and the listing of a symbol for its rows, which come with the next
// passes.
void ing_backfill_take_names(void *arg, struct ing_series *base, const struct ing_page *page);
void ing_backfill_forget_names(struct backfill_series *series);
// backfill_finish.c
void ing_backfill_lost(struct backfill *backfill, const struct mf_error *err); // the run is another's now
void ing_backfill_finish(struct backfill *backfill); // all series have ended, or nothing goes on
// The run was complete before: forgets what a process that was killed behind the run's record left.
void ing_backfill_finish_complete(struct backfill *backfill);
void ing_backfill_save_run(struct backfill *backfill); // at the start
// backfill_summary.c
void ing_backfill_view_begin(const struct backfill *backfill, struct backfill_view *view);
void ing_backfill_view_end(struct backfill_view *view);
void ing_backfill_summarise(const struct backfill *backfill, const struct backfill_series *series,
                            struct backfill_view *view, struct backfill_summary *summary);
void ing_backfill_summary_free(struct backfill_summary *summary);
void ing_backfill_write_summary(struct mf_json_writer *w, const struct backfill_series *series,
                                const struct backfill_summary *summary);
// Is a weekday without a session, or with a short one; minutes: what is missing of an ordinary one.
bool ing_backfill_closure(const struct mf_calendar *calendar, struct mf_date day, uint64_t *minutes);
// backfill_manifest.c: --manifest, once. TRANSIENT "manifest_not_written", which is logged.
int ing_backfill_write_manifest(struct backfill *backfill, struct mf_error *err);
// backfill_universe.c: all of it does nothing without --universe
int ing_backfill_read_universe(struct backfill *backfill, struct mf_error *err); // into args.symbols
bool ing_backfill_universe_is_whole(const struct backfill *backfill);
void ing_backfill_free_universe(struct backfill *backfill);
// Looks for the symbols that are missing; ing_backfill_universe_found or ing_backfill_finish follows.
void ing_backfill_search_universe(struct backfill *backfill);
void ing_backfill_take_tickers(struct backfill *backfill, const struct ing_page *page);
void ing_backfill_tickers_done(struct backfill *backfill, const struct ing_page_result *result);
void ing_backfill_search_done(struct backfill *backfill, enum ing_range_end end, const struct mf_error *err);
bool ing_backfill_forget_universe(struct backfill *backfill); // into the batch; false = the queue is full
// backfill.c
void ing_backfill_universe_found(struct backfill *backfill); // args.symbols are the run's
// backfill_plan.c
uint64_t ing_backfill_requests_left(const struct backfill *backfill, const struct backfill_series *series);
// How long that many requests take, of which `longest` go one after the other.
double ing_backfill_seconds(const struct ing_config *config, uint64_t requests, uint64_t longest);
void ing_backfill_print_plan(struct backfill *backfill); // --dry-run
// backfill_progress.c
void ing_backfill_begin_progress(struct backfill *backfill); // what is done now was done before
void ing_backfill_progress(struct backfill *backfill);       // twice a second, and at the end
void ing_backfill_say_ended(const struct backfill *backfill, const struct backfill_series *series);
// backfill_report.c
void ing_backfill_report(struct backfill *backfill);
void ing_backfill_flush(struct ing_app *app); // what was printed; 75 when it did not arrive
const char *ing_backfill_status(const struct backfill_series *series);
// The same, of a run that may have been complete before.
const char *ing_backfill_status_in_run(const struct backfill *backfill, const struct backfill_series *series);
uint64_t ing_backfill_events(const struct backfill *backfill); // published by this process
bool ing_backfill_is_complete(const struct backfill *backfill);

#endif
