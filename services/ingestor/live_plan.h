// SPDX-License-Identifier: Apache-2.0
// What a live series asks for next, and when: pure functions of its watermark, the calendar and the time. And
// how far a feed is complete, for the heartbeats.
#ifndef ING_LIVE_PLAN_H
#define ING_LIVE_PLAN_H

#include "services/ingestor/engine.h"
#include "services/ingestor/settings.h"
#include "services/ingestor/watermark.h"

enum { ING_WARMUP_DAYS = 260 }; // day bars of a warm-up: the longest look-back of an indicator

struct ing_plan {
    struct ing_range range;
    bool warmup; // what is published carries the flag
    bool more;   // the range was cut to what one request may hold: go on at once
};

// The next range of the series. False when there is nothing to ask for yet.
bool ing_plan_range(const struct mf_calendar *calendar, const struct ing_config *config,
                    const struct ing_work *work, const struct ing_mark *mark, int64_t now_us,
                    struct ing_plan *plan);

// µs from now until the series is to be asked again. good_us: when its last complete answer was asked for, 0
// = never.
int64_t ing_plan_wait_us(const struct mf_calendar *calendar, const struct ing_config *config,
                         const struct ing_work *work, const struct ing_mark *mark, int64_t good_us,
                         int64_t now_us);

// µs until a series whose request was refused is asked again; refusals counts them, this one included. A name
// that the provider has never answered for waits an hour: it is most likely wrong. For one that it has, an
// unknown ticker is a fault of the provider's that passes. Refusals wait longer each time, from the feed's
// pace to that of closed markets.
int64_t ing_plan_refused_wait_us(const struct ing_config *config, const struct ing_work *work,
                                 enum ing_range_end end, bool known, unsigned refusals);

// The midnight (event time) of the newest day whose bar must be there by now: its session has ended, plus
// settling and the plan's delay.
int64_t ing_plan_last_day_us(const struct mf_calendar *calendar, const struct ing_config *config,
                             enum mf_asset_class asset_class, int64_t now_us);

// The newest session of the market (24 hours of a UTC day where it never closes) that is due to be pulled
// again: over, settled, and INGEST_RECONCILE_AFTER_MS more. False: there is none, *session is left.
bool ing_plan_reconcile(const struct mf_calendar *calendar, const struct ing_config *config,
                        enum mf_asset_class asset_class, int64_t now_us, struct ing_range *session);

// When that minute of a UTC day was last.
int64_t ing_plan_round_us(int64_t now_us, unsigned minute);

// The time up to which the series may be called read, before settling and delay: when its last complete
// answer was asked for, or now, as long as its market is closed and all that can have come has been read. 0 =
// never read.
int64_t ing_plan_read_to_us(const struct mf_calendar *calendar, const struct ing_config *config,
                            const struct ing_work *work, const struct ing_mark *mark, int64_t good_us,
                            int64_t now_us);

// The same for thousands of series at one moment: what the calendar says of a kind of market is asked once.
struct ing_plan_view {
    int64_t now_us, last_day_us; // ing_plan_last_day_us
    bool closed;                 // now, with the last session over
    int64_t night_read_us;       // then: a good answer asked for at or after that time has read that session
};
struct ing_plan_view ing_plan_view(const struct mf_calendar *calendar, const struct ing_config *config,
                                   enum mf_asset_class asset_class, int64_t now_us);
int64_t ing_plan_view_read_to_us(const struct ing_plan_view *view, const struct ing_work *work,
                                 const struct ing_mark *mark, int64_t good_us);

// µs from now of the series' own place in the period (phase: of 2^32) that lies next to `wait_us` from now,
// if that is the period itself, and else not before it. So thousands of series with one period are not due at
// once, and one that was late is back in its place with the next turn.
int64_t ing_plan_phased_us(int64_t now_us, int64_t wait_us, int64_t period_us, uint32_t phase);

struct ing_progress {         // of one symbol in a feed
    int64_t good_us;          // of ing_plan_read_to_us
    int64_t failing_since_us; // monotonic; 0 = not failing
};
// "The feed is complete up to": over the symbols that have not failed for longer than the exclusion time, the
// oldest good answer less settling and delay, floored to the feed's interval. False when that is not known: a
// symbol has not answered yet, or there is none left. *excluded counts the failing ones.
bool ing_complete_to(const struct ing_config *config, const struct ing_progress *symbols, size_t count,
                     int64_t interval_us, int64_t now_monotonic_us, int64_t *complete_to_us,
                     size_t *excluded);
bool ing_progress_is_excluded(const struct ing_config *config, const struct ing_progress *symbol,
                              int64_t now_monotonic_us);

#endif
