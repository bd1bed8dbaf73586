// SPDX-License-Identifier: Apache-2.0
// The engine: series that are due, requests that may start, pages that come back, records that are
// acknowledged. One range of one series at a time, its pages one after the other; several series at once.
// What to ask next, and what to remember, is the driver's (live.c, backfill.c).
//
// A series' life in the engine: begin → waiting for its time → asked → answer waiting → published →
// acknowledged → next page, or the range is done and the series is the driver's again. Ownership: series are
// the driver's; remove one before freeing it.
#ifndef ING_ENGINE_H
#define ING_ENGINE_H

#include "services/ingestor/limiter.h"
#include "services/ingestor/publisher.h"
#include "services/ingestor/retry.h"
#include "services/ingestor/scheduler.h"

enum ing_series_state {
    ING_SERIES_IDLE,       // with the driver
    ING_SERIES_WAITING,    // in the scheduler
    ING_SERIES_ASKED,      // request under way
    ING_SERIES_ANSWERED,   // answer kept until its turn
    ING_SERIES_PUBLISHING, // the page on the table
    ING_SERIES_SETTLING,   // everything produced, acknowledgements missing
    ING_SERIES_STATE_MAX
};

enum ing_range_end {
    ING_RANGE_COMPLETE,
    ING_RANGE_PLAN_LIMIT, // the rest of the range is not covered by the plan
    ING_RANGE_UNKNOWN_TICKER,
    ING_RANGE_REFUSED, // it can never succeed as it is
    ING_RANGE_GAVE_UP, // too many failures in a row
    ING_RANGE_END_MAX
};

struct ing_page_result { // of an acknowledged page
    unsigned page;
    int64_t asked_us;     // real time
    int64_t last_time_us; // newest event time among its rows; INT64_MIN = none
    uint64_t last_hash;   // of what that event says, when a page follows; 0 = not known
    uint64_t published, unchanged, dead_letters;
    uint64_t forming; // bars whose window was not over, and that were left out for it
    struct ing_page_counts counts;
    unsigned flags;
    const char *next; // path and query of the next page; "" = the range ends here
};

struct ing_engine;

struct ing_series {
    struct ing_work work;
    struct ing_due due;
    struct ing_retry retry;
    enum ing_series_state state;
    enum ing_priority priority;  // of its requests; changed only while the series is idle
    unsigned attempts_max;       // failures in a row before it is given up; 0 = as many as the engine's
    bool may_be_unknown;         // 404 is a right answer: nothing
    bool may_be_refused;         // a plan that does not cover it is no failure, and the driver's to say
    bool expect_data;            // an answer without rows is asked for again once
    bool page_by_page;           // each page is a range of its own: the driver begins the next one
    bool answer_rejected;        // the range ended with a dead letter for the whole answer
    struct ing_offsets *offsets; // driver's: of what is acknowledged on its topic; NULL = not kept
    int64_t failing_since_us;    // monotonic; 0 = the last request went well
    // inside the engine
    struct ing_engine *engine;
    struct ing_series *previous, *next; // of all series that the engine holds
    struct ing_series *queue_next;
    struct mf_http_request *request;
    struct ing_batch *batch;
    unsigned page;
    char *next_page; // path and query; NULL = the range's first page
    uint64_t *seen;  // hashes of the next pages of this range
    size_t seen_count, seen_capacity;
    int64_t range_last_us;    // newest event time of the range so far
    uint64_t range_last_hash; // of what that event says; 0 = not known
    int64_t asked_us, asked_monotonic_us;
    uint64_t key;                   // hash of the one that it was asked with
    struct mf_buf body;             // of an answer that waits
    size_t held_bytes;              // counted in the engine's memory for answers
    char data_mode[16];             // longer ones mean nothing
    char *request_id;               // of the answer; NULL = none was named
    struct ing_page_result *result; // of the page that is being published, or not acknowledged yet
    char *result_next;
    bool repeats;         // the next request repeats one that failed
    bool repeat_waits;    // that has been counted as waiting for the retry budget
    bool held;            // waits for its endpoint's circuit
    bool probing;         // its request finds out whether the endpoint works again
    bool ends, rejecting; // the range ends with this batch; which is a dead letter for the whole answer
    enum ing_range_end end;
    struct mf_error *end_error; // while the range ends otherwise than complete; owned
};

struct ing_driver {
    // The range of a series whose first page is about to be asked for (again). False = nothing to ask: the
    // range is complete as it is. NULL = the range is as the work says.
    bool (*plan)(void *arg, struct ing_series *series);
    // The page was read and is about to be published. May be NULL.
    void (*page_read)(void *arg, struct ing_series *series, const struct ing_page *page);
    // May the page's first record leave now? False = not yet: what is known of the page before it is not
    // safe. Asked again soon, and at ing_engine_room. NULL = always.
    bool (*may_publish)(void *arg, struct ing_series *series);
    // Lane, ingest time and flags of an event, before it is encoded. False = not to be published.
    bool (*prepare)(void *arg, struct ing_series *series, const struct ing_page *page,
                    struct mf_event *event);
    // After it was encoded. False = published before, unchanged. NULL = publish all.
    bool (*wanted)(void *arg, struct ing_series *series, const struct mf_event *event);
    // The same for a row that is no event, by the hash of its bytes, and for a refused answer, by the hash of
    // its reason. NULL = report all.
    bool (*wanted_reject)(void *arg, struct ing_series *series, uint64_t raw_hash);
    // Every record of the page is acknowledged; what it says may be remembered.
    void (*page_done)(void *arg, struct ing_series *series, const struct ing_page_result *result);
    // A record of the page (or the refused answer's) failed: forget what was staged; the page is asked for
    // again.
    void (*page_failed)(void *arg, struct ing_series *series);
    // The series is idle again. err: why, unless COMPLETE.
    void (*range_done)(void *arg, struct ing_series *series, enum ing_range_end end,
                       const struct mf_error *err);
    void (*key_rejected)(void *arg, const struct mf_error *err);
    void (*drained)(void *arg); // after ing_engine_drain: nothing is under way any more
    const char *topic;
    const char *lane;
    void *arg;
};

struct ing_engine_totals {
    uint64_t requests, pages, events[MF_EVENT_TYPE_MAX], duplicates, unchanged, out_of_range, foreign,
        forming, rejected, dead_lettered, retries, bytes;
};

struct ing_engine_config {
    struct mf_loop *loop;
    struct mf_log *log;
    struct mf_metrics *metrics;
    const struct ing_config *config;
    const struct mf_calendar *calendar;
    const struct ing_provider *provider;
    struct ing_publisher *publisher;
    struct ing_limiter *limiter;
    struct ing_driver driver;
    unsigned attempts_max, rate_limited_max; // of the retry policy; 0 = for ever
};

// Errors: of the HTTP client.
int ing_engine_new(const struct ing_engine_config *config, struct ing_engine **engine, struct mf_error *err);
void ing_engine_free(struct ing_engine **engine);

void ing_series_init(struct ing_series *series, const struct ing_config *config, uint64_t seed);
// Hands an idle series to the engine: its work's range, from page `page` on (next: its path and query; NULL
// or "" = the first), when `delay_us` have passed. last_time_us: newest event known of the range, INT64_MIN =
// none.
void ing_engine_begin(struct ing_engine *engine, struct ing_series *series, const char *next, unsigned page,
                      int64_t last_time_us, int64_t delay_us);
void ing_engine_hasten(struct ing_engine *engine, struct ing_series *series); // waits no longer, if it waits
// Asks for the first page of its range after that time instead, if it waits for that.
void ing_engine_put_off(struct ing_engine *engine, struct ing_series *series, int64_t delay_us);
// Takes the series back, whatever it was doing, and frees what the engine kept in it. Outstanding records go
// on.
void ing_engine_remove(struct ing_engine *engine, struct ing_series *series);
void ing_engine_room(struct ing_engine *engine); // the publisher has room again
// Stops all requests; what is being published is finished; then driver.drained.
void ing_engine_drain(struct ing_engine *engine);
// After the key was rejected: goes on with the key of the configuration, which may be another one by now.
void ing_engine_resume(struct ing_engine *engine);
bool ing_engine_is_parked(const struct ing_engine *engine);
// Are the requests of such work held back because the endpoint fails again and again?
bool ing_engine_is_broken(const struct ing_engine *engine, const struct ing_work *work);
void ing_engine_check_ready(const struct ing_engine *engine, struct mf_health *health);
// Takes over changed settings.
void ing_engine_reconfigure(struct ing_engine *engine, const struct ing_config *config);

const struct ing_engine_totals *ing_engine_totals(const struct ing_engine *engine);
unsigned ing_engine_in_flight(const struct ing_engine *engine);
// Is it getting on with its work? (The loop called it lately, nothing is stuck.)
bool ing_engine_is_alive(const struct ing_engine *engine);

#endif
