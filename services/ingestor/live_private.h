// SPDX-License-Identifier: Apache-2.0
// Inside live mode: live.c (the mode), live_poll.c (the polled series of each symbol), live_memory.c (what
// was published before a restart), live_reconcile.c (sessions that are pulled again), live_symbols.c (which
// symbols there are), live_days.c (the market's own days), live_heartbeat.c (what the pipeline is told
// about their progress).
//
// There may be thousands of symbols: what each keeps is small, and nothing walks all of them more often than
// a heartbeat does.
#ifndef ING_LIVE_PRIVATE_H
#define ING_LIVE_PRIVATE_H

#include "services/ingestor/app.h"
#include "services/ingestor/live_plan.h"
#include "services/ingestor/minutes.h"
#include "services/ingestor/rejects.h"

enum live_feed { LIVE_MINUTE, LIVE_DAY, LIVE_NEWS, LIVE_FEED_MAX };

// Whose sessions end together.
enum live_market { LIVE_SESSIONS, LIVE_ALWAYS, LIVE_MARKET_MAX };

struct live;
struct live_symbol;
struct live_series;
struct live_memory;
struct live_reconcile;
struct live_reference;
struct live_gaps;
struct live_days;

// What the engine's driver does for a kind of series: see struct ing_driver. NULL = nothing, or all.
struct live_kind {
    bool (*plan)(struct live *live, struct live_series *series);
    void (*page_read)(struct live *live, struct live_series *series, const struct ing_page *page);
    bool (*prepare)(struct live *live, struct live_series *series, const struct ing_page *page,
                    struct mf_event *event);
    bool (*wanted)(struct live *live, struct live_series *series, const struct mf_event *event);
    bool (*wanted_reject)(struct live *live, struct live_series *series); // is it this shard's to report?
    void (*page_done)(struct live *live, struct live_series *series, const struct ing_page_result *result);
    void (*page_failed)(struct live_series *series);
    void (*range_done)(struct live *live, struct live_series *series, enum ing_range_end end,
                       const struct mf_error *err);
};
extern const struct live_kind ing_live_poll; // live.c
void ing_live_forget_rejects(struct live_series *series);
// live_poll.c

struct live_series {
    struct ing_series base; // its due.owner is this struct
    const struct live_kind *kind;
    struct live_symbol *symbol;
    struct ing_mark mark;
    struct ing_overlap overlap;       // days and news; of minutes for a moment, from an old watermark
    struct ing_minutes_staged staged; // minutes, whose memory is the symbol's
    bool warmup, more;                // of the range under way: see struct ing_plan
    struct ing_rejects *rejects;      // NULL = there were none yet
    int64_t range_asked_us;           // real time at which the range's first page was asked for
    int64_t good_us;                  // of the last range read to the present
    unsigned refusals;                // in a row; the series waits for longer each time
    bool anew;                        // its history is another one: the next range is a warm-up
};

struct live_symbol {
    char *name;
    struct live_series *series[LIVE_FEED_MAX]; // NULL = feed not served
    struct ing_minutes minutes;
    struct ing_overlap told; // its description, other names, splits and dividends, as published
    int64_t refreshed_us;    // when it was described last; 0 = never
    int64_t actions_us;      // up to when its splits and dividends are known; 0 = they are not
    int64_t again_us;        // when it is asked about again because no answer could be had; 0 = all were
    enum mf_asset_class asset_class;
    uint32_t phase;       // its own place in every period, of 2^32
    bool keep;            // while a reload compares lists
    bool remembered;      // what was published of its minutes before is known
    bool with_market;     // its actions are among what the market is, or was last, asked about
    bool reconcile_waits; // its last session is being pulled again, or waits for that
};

struct live {
    struct ing_app *app;
    char *topic;
    struct live_symbol **symbols;
    size_t count, capacity;
    struct ing_name_index index; // of symbols
    bool once;                   // warm-up only, then leave
    struct ing_symbols once_symbols;
    struct ing_symbols coming; // of a reload, until its other settings are in place
    size_t warming;            // of `once`: series not done
    bool failed;               // of `once`: some could not be done
    struct live_memory *memory;
    struct live_reconcile *reconcile;
    struct live_reference *reference;
    struct live_gaps *gaps;
    struct live_days *days;                     // NULL = the built-in calendar alone
    struct ing_range due[LIVE_MARKET_MAX];      // newest sessions that are to be pulled again by now
    struct ing_plan_view view[LIVE_MARKET_MAX]; // as of the last heartbeat
    struct mf_timer *heartbeat_timer, *probe_timer, *gauge_timer;
    int64_t complete_us[LIVE_FEED_MAX]; // as told last; never goes back
    size_t excluded[LIVE_FEED_MAX];
    int64_t status_sent_us[LIVE_FEED_MAX]; // monotonic, of feed_status
    bool status_parked, status_broken[LIVE_FEED_MAX];
    uint64_t published[LIVE_FEED_MAX];
};

// live_poll.c
// beside: how many others begin with it.
void ing_live_begin_symbol(struct live *live, struct live_symbol *symbol, size_t beside);
void ing_live_begin_minute(struct live *live, struct live_symbol *symbol,
                           size_t beside);            // its past is known now
uint64_t ing_live_hash(const struct mf_event *event); // what is remembered of it; never 0
void ing_live_save(struct live *live, const struct live_series *series);
// The mark as a start has to find it: that of a series that is to be pulled anew says so.
struct ing_mark ing_live_mark(const struct live_series *series);
// The market's days are others than they were: what waits for a time of the calendar waits for another.
void ing_live_plan_again(struct live *live);
// A split shows in the symbol's prices from now on: its adjusted history is another one.
void ing_live_split(struct live *live, struct live_symbol *symbol);
enum live_feed ing_live_feed_of(const struct live_series *series);
// live_memory.c
struct live_memory *ing_live_memory_new(struct live *live);
void ing_live_memory_free(struct live_memory **memory);
// Reads back what was published of symbols that are not remembered; their minutes begin then.
void ing_live_memory_read(struct live_memory *memory);
// live_reconcile.c
struct live_reconcile *ing_live_reconcile_new(struct live *live); // after the engine
void ing_live_reconcile_free(struct live_reconcile **reconcile);
void ing_live_reconcile_due(struct live *live, int64_t now_us);
void ing_live_reconcile_tick(struct live *live);                              // every few seconds
void ing_live_reconcile_leave(struct live *live, struct live_symbol *symbol); // which is about to be freed
// The time from which on the symbol's published minutes will be compared with the vendor's; INT64_MAX =
// never.
int64_t ing_live_unreconciled_us(const struct live *live, const struct live_symbol *symbol);
// live_reference.c
struct live_reference *ing_live_reference_new(struct live *live);
void ing_live_reference_free(struct live_reference **reference);
void ing_live_reference_tick(struct live *live);                             // every few seconds
void ing_live_reference_join(struct live *live, struct live_symbol *symbol); // takes what is known of it
void ing_live_reference_keep(struct live *live, const struct live_symbol *symbol); // for when it joins again
void ing_live_reference_leave(struct live *live, struct live_symbol *symbol); // which is about to be freed
// live_gaps.c
struct live_gaps *ing_live_gaps_new(void);
void ing_live_gaps_free(struct live_gaps **gaps);
void ing_live_gaps_tick(struct live *live);         // every few seconds, milliseconds at most
void ing_live_gaps_restart(struct live_gaps *gaps); // symbols leave
// Gaps, and minutes expected and received, as far as they are known. Is there a gap?
bool ing_live_fill_gaps(const struct live *live, struct mf_feed_status *status);
// live_days.c
struct live_days *ing_live_days_new(struct live *live); // after the engine; the calendar has what was kept
void ing_live_days_begin(struct live_days *days);
void ing_live_days_ask_again(struct live_days *days); // now
void ing_live_days_free(struct live_days **days);
// live_symbols.c
struct live_symbol *ing_live_find(const struct live *live, struct mf_str name);
void ing_live_ask_refused_again(struct live *live); // those that wait because an answer was refused
// The settings' symbols, all or those of the shard, into a zeroed list. CONFIG for a bad one, and for none.
int ing_live_read_symbols(const struct live *live, const struct mf_settings *settings,
                          struct ing_symbols *symbols, struct mf_error *err);
// These are the live ones: new ones are added, others leave.
void ing_live_take_list(struct live *live, const struct ing_symbols *list);
void ing_live_free_symbols(struct live *live);
// live_heartbeat.c
void ing_live_heartbeat(struct live *live);
void ing_live_gauges(struct live *live);
void ing_live_tell(struct live *live, enum live_feed feed); // its feed_status has changed
const char *ing_live_feed_name(enum live_feed feed, char text[64]);

#endif
