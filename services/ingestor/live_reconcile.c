// SPDX-License-Identifier: Apache-2.0
// The nightly reconcile (N18, N19): when a session is over, and some time more, its minutes are pulled again,
// symbol after symbol, behind all live requests. What says the same as what was published is passed over;
// what says otherwise or is new is published and becomes a correction downstream. A bar that the vendor no
// longer has stays published, because a log takes nothing back: it is counted and said. See live_private.h.
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/live_private.h"

enum { WORKERS = 4, MINUTES_MAX = 24 * 60 };

struct worker {
    struct live_series series; // its symbol: whose session it reads; NULL = it is idle
    struct ing_range session;
    uint64_t seen[(MINUTES_MAX + 63) / 64]; // minutes of the session that the vendor has
    uint64_t unchanged, corrected, added;   // of pages that are acknowledged
    uint64_t page_unchanged, page_corrected, page_added;
};

struct live_reconcile {
    struct live *live;
    struct worker workers[WORKERS];
    struct live_symbol **queue;
    size_t head, count, capacity;
};

static struct worker *of(struct live_series *series)
{
    return (struct worker *)(void *)series;
}

static enum live_market market_of(const struct live_symbol *symbol)
{
    return ing_market_has_sessions(symbol->series[LIVE_MINUTE]->base.work.asset_class) ? LIVE_SESSIONS
                                                                                       : LIVE_ALWAYS;
}

int64_t ing_live_unreconciled_us(const struct live *live, const struct live_symbol *symbol)
{
    if (!live->app->config.reconcile)
        return INT64_MAX;
    const struct ing_range *due = &live->due[market_of(symbol)];
    return symbol->series[LIVE_MINUTE]->mark.reconciled_us >= due->from_us ? due->to_us : due->from_us;
}

// ---------------------------------------------------------------- one symbol's session

// The whole session, also where the symbol was first served in the middle of it: then the day is whole too.
static bool plan(struct live *live, struct live_series *series)
{
    (void)live;
    struct ing_work *work = &series->base.work;
    series->range_asked_us = mf_clock_real_us();
    work->from_us = of(series)->session.from_us;
    work->to_us = of(series)->session.to_us;
    return true;
}

static bool prepare(struct live *live, struct live_series *series, const struct ing_page *page,
                    struct mf_event *event)
{
    (void)live, (void)series;
    return event->bar.window_end_us <= page->asked_us;
}

static bool wanted(struct live *live, struct live_series *series, const struct mf_event *event)
{
    (void)live;
    struct worker *worker = of(series);
    int64_t place = (event->event_time_us - worker->session.from_us) / MF_US_PER_MINUTE;
    uint64_t known = ing_minutes_get(&series->symbol->minutes, event->event_time_us);
    uint64_t hash = ing_live_hash(event);
    if (place >= 0 && place < MINUTES_MAX)
        worker->seen[place / 64] |= (uint64_t)1 << (place % 64);
    if (known == hash) {
        worker->page_unchanged++;
        return false;
    }
    worker->page_corrected += known != 0;
    worker->page_added += known == 0;
    ing_minutes_stage(&series->staged, event->event_time_us, hash);
    return true;
}

static void forget_page(struct worker *worker)
{
    worker->page_unchanged = worker->page_corrected = worker->page_added = 0;
}

static void page_done(struct live *live, struct live_series *series, const struct ing_page_result *result)
{
    struct worker *worker = of(series);
    struct live_series *minute = series->symbol->series[LIVE_MINUTE];
    ing_minutes_commit(&series->symbol->minutes, &series->staged);
    minute->mark.events += result->published;
    live->published[LIVE_MINUTE] += result->published;
    worker->unchanged += worker->page_unchanged;
    worker->corrected += worker->page_corrected;
    worker->added += worker->page_added;
    forget_page(worker);
}

static void page_failed(struct live_series *series)
{
    ing_minutes_rollback(&series->staged);
    forget_page(of(series));
}

// Minutes that were published and that the vendor's answer did not hold.
static uint64_t count_vanished(const struct worker *worker)
{
    const struct ing_work *work = &worker->series.base.work;
    uint64_t vanished = 0;
    for (int64_t time_us = work->from_us; time_us < work->to_us; time_us += MF_US_PER_MINUTE) {
        int64_t place = (time_us - worker->session.from_us) / MF_US_PER_MINUTE;
        bool seen = (worker->seen[place / 64] >> (place % 64) & 1) != 0;
        vanished += !seen && ing_minutes_get(&worker->series.symbol->minutes, time_us) != 0;
    }
    return vanished;
}

static void tell(const struct live *live, const struct worker *worker, uint64_t vanished)
{
    const struct {
        const char *result;
        uint64_t count;
    } counts[] = {{"unchanged", worker->unchanged},
                  {"corrected", worker->corrected},
                  {"added", worker->added},
                  {"vanished", vanished}};
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++)
        mf_metric_add(
            MF_METRIC(live->app->service->metrics, &ing_metric_defs[ING_M_RECONCILED], counts[i].result),
            (double)counts[i].count);
    if (worker->corrected + worker->added + vanished == 0)
        return;
    char from[MF_TIME_TEXT_SIZE];
    MF_LOGF(live->app->service->log, vanished > 0 ? MF_LOG_WARNING : MF_LOG_INFO, "live",
            "session_reconciled",
            MF_FIELDS(mf_lf_str("symbol", worker->series.symbol->name),
                      mf_lf_str("from", mf_time_format_ms(worker->session.from_us, from)),
                      mf_lf_i64("unchanged", (int64_t)worker->unchanged),
                      mf_lf_i64("corrected", (int64_t)worker->corrected),
                      mf_lf_i64("added", (int64_t)worker->added), mf_lf_i64("vanished", (int64_t)vanished)),
            "the session's minutes were pulled again%s",
            vanished > 0 ? "; the provider no longer has all that it had, and what was published stays" : "");
}

// ---------------------------------------------------------------- symbol after symbol

static void begin_next(struct live_reconcile *reconcile, struct worker *worker)
{
    struct live *live = reconcile->live;
    worker->series.symbol = NULL;
    if (reconcile->count == 0)
        return;
    struct live_symbol *symbol = reconcile->queue[reconcile->head];
    reconcile->head = (reconcile->head + 1) % reconcile->capacity;
    reconcile->count--;
    struct live_series *series = &worker->series;
    worker->session = live->due[market_of(symbol)];
    worker->unchanged = worker->corrected = worker->added = 0;
    memset(worker->seen, 0, sizeof worker->seen);
    forget_page(worker);
    ing_live_forget_rejects(series);
    series->symbol = symbol;
    series->base.work = symbol->series[LIVE_MINUTE]->base.work;
    series->base.expect_data = true;
    series->base.attempts_max = live->app->config.retry_attempts;
    series->base.work.from_us = series->base.work.to_us = 0;
    ing_engine_begin(live->app->engine, &series->base, NULL, 0, INT64_MIN, 0);
}

// One that was refused is not asked for again tonight: the engine has said why, and the next session has its
// own turn. One that only failed lets the others pass: the next tick puts it behind them.
static void range_done(struct live *live, struct live_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    (void)err;
    struct worker *worker = of(series);
    struct live_symbol *symbol = series->symbol;
    struct live_series *minute = symbol->series[LIVE_MINUTE];
    if (end == ING_RANGE_COMPLETE)
        tell(live, worker, count_vanished(worker));
    symbol->reconcile_waits = false;
    if (end != ING_RANGE_GAVE_UP) {
        minute->mark.reconciled_us = worker->session.from_us;
        ing_live_save(live, minute);
    }
    begin_next(live->reconcile, worker);
}

static const struct live_kind kind = {.plan = plan,
                                      .prepare = prepare,
                                      .wanted = wanted,
                                      .page_done = page_done,
                                      .page_failed = page_failed,
                                      .range_done = range_done};

static void enqueue(struct live_reconcile *reconcile, struct live_symbol *symbol)
{
    symbol->reconcile_waits = true;
    if (reconcile->count == reconcile->capacity) {
        size_t capacity = reconcile->capacity < 16 ? 16 : reconcile->capacity * 2;
        struct live_symbol **queue = mf_calloc(capacity, sizeof(struct live_symbol *));
        for (size_t i = 0; i < reconcile->count; i++)
            queue[i] = reconcile->queue[(reconcile->head + i) % reconcile->capacity];
        free(reconcile->queue);
        reconcile->queue = queue;
        reconcile->capacity = capacity;
        reconcile->head = 0;
    }
    reconcile->queue[(reconcile->head + reconcile->count++) % reconcile->capacity] = symbol;
}

// Something of the session was published, and what was to come of it by polls has come.
static bool is_due(const struct live *live, struct live_symbol *symbol)
{
    struct live_series *minute = symbol->series[LIVE_MINUTE];
    const struct ing_range *due = &live->due[market_of(symbol)];
    if (symbol->reconcile_waits || !symbol->remembered || due->to_us == 0 ||
        minute->mark.status != ING_STATUS_COMPLETE || minute->mark.reconciled_us >= due->from_us ||
        minute->good_us < due->to_us)
        return false;
    if (ing_minutes_any(&symbol->minutes, due->from_us, due->to_us))
        return true;
    minute->mark.reconciled_us = due->from_us; // saved with what comes next
    return false;
}

void ing_live_reconcile_due(struct live *live, int64_t now_us)
{
    const struct ing_config *config = &live->app->config;
    ing_plan_reconcile(live->app->calendar, config, MF_ASSET_STOCK, now_us, &live->due[LIVE_SESSIONS]);
    ing_plan_reconcile(live->app->calendar, config, MF_ASSET_CRYPTO, now_us, &live->due[LIVE_ALWAYS]);
}

void ing_live_reconcile_tick(struct live *live)
{
    struct live_reconcile *reconcile = live->reconcile;
    if (!live->app->config.reconcile)
        return;
    ing_live_reconcile_due(live, mf_clock_real_us());
    for (size_t i = 0; i < live->count; i++) {
        if (live->symbols[i]->series[LIVE_MINUTE] != NULL && is_due(live, live->symbols[i]))
            enqueue(reconcile, live->symbols[i]);
    }
    size_t busy = 0;
    for (size_t i = 0; i < WORKERS; i++) {
        if (reconcile->workers[i].series.symbol == NULL)
            begin_next(reconcile, &reconcile->workers[i]);
        busy += reconcile->workers[i].series.symbol != NULL;
    }
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_RECONCILE_PENDING]),
                  (double)(reconcile->count + busy));
}

// ---------------------------------------------------------------- life

struct live_reconcile *ing_live_reconcile_new(struct live *live)
{
    struct live_reconcile *reconcile = mf_calloc(1, sizeof *reconcile);
    reconcile->live = live;
    for (size_t i = 0; i < WORKERS; i++) {
        struct live_series *series = &reconcile->workers[i].series;
        ing_series_init(&series->base, &live->app->config, mf_random_seed());
        series->base.priority = ING_PRIORITY_RECONCILE;
        series->kind = &kind;
    }
    return reconcile;
}

void ing_live_reconcile_leave(struct live *live, struct live_symbol *symbol)
{
    struct live_reconcile *reconcile = live->reconcile;
    if (reconcile == NULL || !symbol->reconcile_waits)
        return;
    for (size_t i = 0, kept = 0, count = reconcile->count; i < count; i++) {
        struct live_symbol *other = reconcile->queue[(reconcile->head + i) % reconcile->capacity];
        reconcile->queue[(reconcile->head + kept) % reconcile->capacity] = other;
        kept += other != symbol;
        reconcile->count = kept;
    }
    for (size_t i = 0; i < WORKERS; i++) {
        struct live_series *series = &reconcile->workers[i].series;
        if (series->symbol != symbol)
            continue;
        ing_engine_remove(live->app->engine, &series->base);
        ing_minutes_rollback(&series->staged);
        begin_next(reconcile, &reconcile->workers[i]);
    }
}

void ing_live_reconcile_free(struct live_reconcile **reconcile)
{
    struct live_reconcile *old = *reconcile;
    if (old == NULL)
        return;
    *reconcile = NULL;
    for (size_t i = 0; i < WORKERS; i++) {
        struct live_series *series = &old->workers[i].series;
        if (old->live->app->engine != NULL)
            ing_engine_remove(old->live->app->engine, &series->base);
        ing_minutes_rollback(&series->staged);
        ing_live_forget_rejects(series);
    }
    free(old->queue);
    free(old);
}
