// SPDX-License-Identifier: Apache-2.0
// Inside live mode: live.c (series and what happens to them), live_symbols.c (which there are),
// live_heartbeat.c (what the pipeline is told about their progress).
#ifndef ING_LIVE_PRIVATE_H
#define ING_LIVE_PRIVATE_H

#include "services/ingestor/app.h"
#include "services/ingestor/live_plan.h"
#include "services/ingestor/rejects.h"

enum live_feed { LIVE_MINUTE, LIVE_DAY, LIVE_NEWS, LIVE_FEED_MAX };

struct live_symbol;

struct live_series {
    struct ing_series base; // its due.owner is this struct
    struct live_symbol *symbol;
    struct ing_watermark mark;
    struct ing_overlap overlap;
    struct ing_plan plan;
    struct ing_rejects rejects;
    int64_t range_asked_us; // real time at which the range's first page was asked for
    int64_t good_us;        // of the last range read to the present
    unsigned refusals;      // in a row; the series waits for longer each time
};

struct live_symbol {
    char *name;
    struct live_series *series[LIVE_FEED_MAX]; // NULL = feed not served
    bool keep;                                 // while a reload compares lists
};

struct live {
    struct ing_app *app;
    char *topic;
    struct live_symbol **symbols;
    size_t count;
    bool once; // warm-up only, then leave
    struct ing_symbols once_symbols;
    size_t warming; // of `once`: series not done
    bool failed;    // of `once`: some could not be done
    struct mf_timer *heartbeat_timer, *probe_timer, *gauge_timer;
    int64_t complete_us[LIVE_FEED_MAX]; // as told last; never goes back
    size_t excluded[LIVE_FEED_MAX];
    int64_t status_sent_us[LIVE_FEED_MAX]; // monotonic, of feed_status
    bool status_parked, status_broken[LIVE_FEED_MAX];
    uint64_t published[LIVE_FEED_MAX];
};

// live.c
void ing_live_begin_symbol(struct live *live, struct live_symbol *symbol);
// live_symbols.c
// Takes the settings' symbols (all, or those of the shard) as the live ones: new ones are added, others
// leave.
void ing_live_ask_refused_again(struct live *live); // those that wait because an answer was refused
int ing_live_take_symbols(struct live *live, const struct mf_settings *settings, struct mf_error *err);
void ing_live_take_list(struct live *live, const struct ing_symbols *list);
void ing_live_free_symbols(struct live *live);
// live_heartbeat.c
void ing_live_heartbeat(struct live *live);
void ing_live_gauges(struct live *live);
const char *ing_live_feed_name(enum live_feed feed, char text[64]);

#endif
