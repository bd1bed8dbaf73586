// SPDX-License-Identifier: Apache-2.0
// Options of an underlying: the provider is asked which contracts there are, and each contract becomes a
// series of its own. There may be tens of thousands, so they are held page by page: the next page of the list
// is asked for when every contract of the one before it has ended, and only as many series as can be under
// way at once take the memory of one (slots, shared by all underlyings).
//
// What a restart knows: the underlying's watermark names the first page with a contract that is not complete,
// and contracts of that page and later ones have watermarks of their own, under their tickers. Once a page is
// complete, and all before it, the underlying's watermark moves behind it and the watermarks of its contracts
// are forgotten, in this order. See backfill_private.h.
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/backfill_private.h"
#include "services/ingestor/bar_session.h"

enum { WALKS_MAX = 8, RETRY_MS = 100 };

struct backfill_walk { // over the contracts of one underlying
    struct backfill *backfill;
    struct backfill_series *series;
    struct ing_contract *contracts; // of the page under way
    size_t count, next, under_way;
    bool listed;     // they are known
    char *next_page; // path and query of the page behind it; NULL = it is the last one
    unsigned pass, page;
    bool read;                  // a page was, by this process
    uint64_t hash, hash_before; // of the tickers of the page, of the one before it; 0 = there are none
    // The last ticker of the pages of the pass that are over; and up to which one nothing is done once more,
    // when the list is read once more.
    char done_to[ING_OCC_TICKER_MAX + 1], skip_to[ING_OCC_TICKER_MAX + 1];
    bool refused;                // which it is because of a cursor
    uint64_t page_events;        // acknowledged, of its contracts
    struct ing_tally page_tally; // of the page of the list, and of its contracts
    uint64_t events_ahead;       // the same of pages that the watermark is not behind of
    struct ing_tally tally_ahead;
    bool stuck;                   // the page is the one before it once more
    bool page_incomplete;         // one of its contracts has not ended complete
    bool stays;                   // an earlier page is not complete: so the watermark stays where it is
    bool waits;                   // a contract that is not complete may be so with the next start
    struct ing_batch *batch;      // of the watermark that moves on
    size_t forgotten;             // contracts of the page whose watermarks are in it
    bool mark_sent;               // as is the underlying's
    struct mf_timer *retry_timer; // the queue was full
};

struct backfill_slots {
    struct backfill_series **items, **free;
    size_t count, capacity, free_count;
    struct backfill_walk *walks[WALKS_MAX];
    size_t walk_count;
    size_t next_series;         // the first whose walk has not begun
    struct mf_deferred *settle; // what follows an end, outside the callback that brought it
    struct ing_tally stored;    // of contracts that earlier processes began and this one has not looked at
    uint64_t stored_events;
    bool stock_taken; // `stored` is known
};

static bool is_complete(const struct backfill_series *series)
{
    return series->mark.status == ING_STATUS_COMPLETE || series->mark.status == ING_STATUS_UNKNOWN_TICKER;
}

// ---------------------------------------------------------------- slots

static struct backfill_series *take_slot(struct backfill *backfill)
{
    struct backfill_slots *slots = backfill->slots;
    for (size_t i = slots->free_count; i > 0; i--) {
        struct backfill_series *series = slots->free[i - 1];
        if (series->marks_pending > 0) // of the contract that had it, and the series is what hears of them
            continue;
        slots->free[i - 1] = slots->free[--slots->free_count];
        return series;
    }
    if (slots->count == slots->capacity)
        return NULL;
    struct backfill_series *series = mf_calloc(1, sizeof *series);
    ing_series_init(&series->base, &backfill->app->config, mf_random_seed());
    series->base.priority = ING_PRIORITY_BACKFILL;
    slots->items[slots->count++] = series;
    return series;
}

static void free_slot(struct backfill *backfill, struct backfill_series *series)
{
    backfill->slots->free[backfill->slots->free_count++] = series;
}

// Makes the slot the contract's. Of what was in it only what the engine keeps there stays.
static int make_contract(struct backfill_walk *walk, const struct ing_contract *contract,
                         struct backfill_series *series, struct mf_error *err)
{
    struct backfill *backfill = walk->backfill;
    struct ing_series base = series->base;
    ing_backfill_free_series(series);
    *series =
        (struct backfill_series){.base = base, .backfill = backfill, .walk = walk, .contract = *contract};
    series->base.offsets = &series->tally.offsets;
    ing_retry_reset(&series->base.retry);
    series->base.failing_since_us = 0;
    series->base.work = (struct ing_work){.feed = ING_FEED_OPTIONS,
                                          .timespan = backfill->args.timespan,
                                          .adjusted = MF_ADJUSTED_NONE,
                                          .asset_class = MF_ASSET_OPTION,
                                          .contract = &series->contract,
                                          .limit = backfill->app->config.bars_page_limit};
    mf_str_copy(series->base.work.symbol, sizeof series->base.work.symbol, mf_str_of(contract->ticker));
    ing_watermark_init(&series->mark);
    series->mark.range = ing_backfill_range_of(backfill->app->calendar, &series->base.work,
                                               backfill->args.from, backfill->args.to);
    series->mark.position_us = series->mark.range.from_us;
    struct mf_json *json = mf_json_new();
    int result = ing_backfill_read_mark(backfill, json, series, err);
    mf_json_free(&json);
    ing_options_set_range(backfill, series);
    return result;
}

// What became of a contract, of which its slot knows nothing any more hereafter.
static void account(const struct backfill_series *series)
{
    struct backfill_walk *walk = series->walk;
    struct backfill_series *of = walk->series;
    enum ing_status status = series->mark.status;
    of->contracts.found++;
    of->contracts.empty += is_complete(series) && series->mark.events == 0;
    of->contracts.incomplete += !is_complete(series);
    of->events += series->events;
    walk->page_events += series->mark.events;
    ing_tally_add(&walk->page_tally, &series->tally);
    walk->page_incomplete = walk->page_incomplete || !is_complete(series);
    walk->waits = walk->waits || status == ING_STATUS_RUNNING;
    if (series->error.code[0] == '\0' || of->error.code[0] != '\0')
        return;
    of->error = series->error;
    mf_error_prefix(&of->error, "%s", series->base.work.symbol);
}

static void add_stored(void *arg, struct mf_str key, struct mf_str value)
{
    const struct backfill *backfill = arg;
    struct ing_watermark mark;
    struct ing_tally tally = {0};
    struct mf_error err;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s|%s|", ing_polygon.name, ing_feed_name(ING_FEED_OPTIONS));
    if (!mf_str_starts_with(key, prefix) || !ing_watermark_key_is_of_run(key, backfill->args.run_id))
        return;
    struct mf_json *json = mf_json_new(); // one that cannot be read is told by its contract, later
    if (ing_watermark_decode(json, value, &mark, NULL, &err) == 0 &&
        ing_watermark_decode_tally(json, value, &tally, &err) == 0) {
        ing_tally_add(&backfill->slots->stored, &tally);
        backfill->slots->stored_events += mark.events;
    }
    ing_tally_free(&tally);
    mf_json_free(&json);
}

// Before the first contract is looked at. Single contracts are series, which have read their marks.
static void take_stock(struct backfill *backfill)
{
    if (!backfill->slots->stock_taken && !backfill->args.symbols.contracts)
        ing_store_each(backfill->app->store, add_stored, backfill);
    backfill->slots->stock_taken = true;
}

// Its mark is the slot's from now on, and no longer among those of contracts that were not looked at.
static void take_from_stored(struct backfill_slots *slots, const struct backfill_series *series)
{
    if (!series->known)
        return;
    ing_tally_subtract(&slots->stored, &series->tally);
    slots->stored_events -=
        series->mark.events < slots->stored_events ? series->mark.events : slots->stored_events;
}

// The page's next contract; false when its slot is still free.
static bool begin_contract(struct backfill_walk *walk, struct backfill_series *slot)
{
    struct mf_error err;
    const struct ing_contract *contract = &walk->contracts[walk->next++];
    bool right = make_contract(walk, contract, slot, &err) == 0;
    if (!right)
        slot->error = err; // its watermark cannot be read: the contract stays incomplete
    else
        take_from_stored(walk->backfill->slots, slot);
    if (!right || slot->mark.status != ING_STATUS_RUNNING) {
        account(slot);
        slot->ended = true;
        return false;
    }
    walk->under_way++;
    ing_backfill_go_on(walk->backfill, slot);
    return true;
}

static void fill_slots(struct backfill_walk *walk)
{
    while (walk->listed && walk->next < walk->count) {
        struct backfill_series *slot = take_slot(walk->backfill);
        if (slot == NULL)
            return;
        if (!begin_contract(walk, slot))
            free_slot(walk->backfill, slot);
    }
}

void ing_options_contract_ended(struct backfill *backfill, struct backfill_series *series)
{
    series->ended = true;
    account(series);
    series->walk->under_way--;
    free_slot(backfill, series);
    ing_options_settle(backfill);
}

// ---------------------------------------------------------------- walks

static void forget_page(struct backfill_walk *walk)
{
    free(walk->contracts);
    free(walk->next_page);
    walk->contracts = NULL;
    walk->next_page = NULL;
    walk->count = walk->next = walk->forgotten = 0;
    walk->page_events = 0;
    ing_tally_free(&walk->page_tally);
    walk->listed = walk->page_incomplete = walk->mark_sent = walk->stuck = false;
}

static void free_walk(struct backfill_walk *walk)
{
    ing_batch_abandon(&walk->batch);
    mf_timer_free(&walk->retry_timer);
    forget_page(walk);
    ing_tally_free(&walk->tally_ahead);
    walk->series->walk = NULL;
    free(walk);
}

static void end_walk(struct backfill_walk *walk)
{
    struct backfill *backfill = walk->backfill;
    struct backfill_series *series = walk->series;
    struct backfill_slots *slots = backfill->slots;
    for (size_t i = 0; i < slots->walk_count; i++) {
        if (slots->walks[i] == walk)
            slots->walks[i] = slots->walks[--slots->walk_count];
    }
    series->mark.events += walk->events_ahead + walk->page_events;
    ing_tally_add(&series->tally, &walk->tally_ahead);
    ing_tally_add(&series->tally, &walk->page_tally);
    free_walk(walk);
    ing_options_settle(backfill);
    ing_backfill_end_series(backfill, series);
}

static void ask_page(struct backfill_walk *walk, const char *next)
{
    struct ing_series *base = &walk->series->base;
    base->work.pass = (enum ing_pass)walk->pass;
    base->work.from_us = walk->series->mark.range.from_us;
    base->work.to_us = walk->series->mark.range.to_us;
    ing_engine_begin(walk->backfill->app->engine, base, next, walk->page, INT64_MIN, 0);
}

// From the page that its watermark names on.
static void begin_walk(struct backfill *backfill, struct backfill_series *series)
{
    struct backfill_slots *slots = backfill->slots;
    struct backfill_walk *walk = mf_calloc(1, sizeof *walk);
    *walk = (struct backfill_walk){.backfill = backfill,
                                   .series = series,
                                   .pass = series->mark.pass,
                                   .page = series->mark.page,
                                   .stays = series->open_ended};
    slots->walks[slots->walk_count++] = walk;
    series->walk = walk;
    mf_str_copy(walk->done_to, sizeof walk->done_to, mf_str_of(series->mark.listed));
    series->from_cursor = series->mark.cursor[0] != '\0';
    if (!series->from_cursor)
        mf_str_copy(walk->skip_to, sizeof walk->skip_to, mf_str_of(walk->done_to));
    ask_page(walk, series->from_cursor ? series->mark.cursor : NULL);
}

static void go_to_next_page(struct backfill_walk *walk)
{
    char *next = walk->next_page;
    walk->next_page = NULL;
    walk->hash_before = walk->hash != 0 ? walk->hash : walk->hash_before;
    forget_page(walk);
    if (next != NULL) {
        walk->page++;
        ask_page(walk, next);
    } else if (walk->pass < ING_PASS_ACTIVE) {
        walk->pass++;
        walk->page = 0;
        walk->hash_before = 0;
        walk->done_to[0] = walk->skip_to[0] = '\0';
        walk->refused = false;
        ask_page(walk, NULL);
    } else {
        if (walk->stays && !walk->waits && !walk->series->open_ended)
            walk->series->mark.status = ING_STATUS_PARTIAL;
        end_walk(walk);
    }
    free(next);
}

static void on_moved(void *arg, const struct mf_error *err)
{
    struct backfill_walk *walk = arg;
    walk->batch = NULL;
    if (err == NULL) {
        go_to_next_page(walk);
        return;
    }
    walk->series->error = *err;
    walk->series->mark.status = ING_STATUS_RUNNING;
    end_walk(walk);
}

// The underlying's watermark, then nothing for each contract of the page; -1 when the queue is full.
static int send_moved(struct backfill_walk *walk, struct mf_error *err)
{
    struct backfill *backfill = walk->backfill;
    struct ing_work work = {.feed = ING_FEED_OPTIONS, .timespan = backfill->args.timespan};
    struct mf_buf key;
    struct mf_buf value;
    int result = 0;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    mf_buf_init(&value, (size_t)64 * 1024);
    while (result == 0 && (!walk->mark_sent || walk->forgotten < walk->count)) {
        mf_buf_clear(&key);
        if (!walk->mark_sent)
            ing_watermark_encode(&walk->series->mark, NULL, &value);
        else
            mf_str_copy(work.symbol, sizeof work.symbol, mf_str_of(walk->contracts[walk->forgotten].ticker));
        ing_watermark_key(walk->mark_sent ? &work : &walk->series->base.work, backfill->args.run_id, &key);
        result = ing_publisher_watermark(backfill->app->publisher, walk->batch, mf_buf_str(&key),
                                         walk->mark_sent ? MF_STR_NULL : mf_buf_str(&value), err);
        if (result == 0 && walk->mark_sent)
            walk->forgotten++;
        walk->mark_sent = walk->mark_sent || result == 0;
    }
    mf_buf_free(&key);
    mf_buf_free(&value);
    return result;
}

static void send_on(void *arg)
{
    struct backfill_walk *walk = arg;
    struct mf_error err;
    if (send_moved(walk, &err) < 0)
        mf_timer_arm_ms(walk->retry_timer, RETRY_MS);
    else
        ing_batch_seal(walk->batch);
}

static void page_over(struct backfill_walk *walk)
{
    struct ing_watermark *mark = &walk->series->mark;
    walk->stays = walk->stays || walk->page_incomplete;
    for (size_t i = 0; i < walk->count; i++) {
        if (strcmp(walk->contracts[i].ticker, walk->done_to) > 0)
            mf_str_copy(walk->done_to, sizeof walk->done_to, mf_str_of(walk->contracts[i].ticker));
    }
    if (walk->stays) {
        walk->events_ahead += walk->page_events;
        ing_tally_add(&walk->tally_ahead, &walk->page_tally);
        go_to_next_page(walk);
        return;
    }
    mark->events += walk->page_events;
    ing_tally_add(&walk->series->tally, &walk->page_tally);
    walk->page_events = 0;
    ing_tally_free(&walk->page_tally); // it is in the mark from now on
    mark->tally = &walk->series->tally;
    mark->request_to_us = mark->range.to_us; // of the whole list
    mark->cursor[0] = mark->listed[0] = '\0';
    mark->page = 0;
    if (walk->next_page != NULL)
        mf_str_copy(mark->listed, sizeof mark->listed, mf_str_of(walk->done_to));
    if (walk->next_page == NULL && walk->pass == ING_PASS_ACTIVE)
        mark->status = ING_STATUS_COMPLETE;
    else if (walk->next_page == NULL)
        mark->pass = walk->pass + 1;
    else if (mf_str_copy(mark->cursor, sizeof mark->cursor, mf_str_of(walk->next_page)))
        mark->page = walk->page + 1;
    else
        mark->cursor[0] = '\0'; // the next start begins the pass anew
    if (walk->retry_timer == NULL)
        walk->retry_timer = mf_timer_new(walk->backfill->app->service->loop, send_on, walk);
    walk->batch = ing_batch_new(walk->backfill->app->publisher, on_moved, walk);
    send_on(walk);
}

static bool is_over(const struct backfill_walk *walk)
{
    return walk->listed && walk->next == walk->count && walk->under_way == 0 && walk->batch == NULL;
}

// Walks that may begin, contracts that may be asked about, pages that are over: one turn of each, for an end
// of any of them comes by here again.
static void settle(void *arg)
{
    struct backfill *backfill = arg;
    struct backfill_slots *slots = backfill->slots;
    take_stock(backfill);
    for (; slots->walk_count < WALKS_MAX && slots->next_series < backfill->count; slots->next_series++) {
        struct backfill_series *series = &backfill->series[slots->next_series];
        if (ing_options_is_walk(series) && series->mark.status == ING_STATUS_RUNNING && !series->ended)
            begin_walk(backfill, series);
    }
    for (size_t i = 0; i < slots->walk_count; i++)
        fill_slots(slots->walks[i]);
    for (size_t i = slots->walk_count; i > 0; i--) { // an end puts the last one into the place of what ended
        if (i <= slots->walk_count && is_over(slots->walks[i - 1]))
            page_over(slots->walks[i - 1]);
    }
}

void ing_options_settle(struct backfill *backfill)
{
    mf_deferred_schedule(backfill->slots->settle);
}

void ing_options_new(struct backfill *backfill)
{
    struct backfill_slots *slots = mf_calloc(1, sizeof *slots);
    // Twice as many as requests may run, so that one is due whenever one ends.
    slots->capacity = 2 * (size_t)backfill->app->config.parallel;
    slots->items = mf_calloc(slots->capacity, sizeof(struct backfill_series *));
    slots->free = mf_calloc(slots->capacity, sizeof(struct backfill_series *));
    slots->settle = mf_deferred_new(backfill->app->service->loop, settle, backfill);
    backfill->slots = slots;
}

void ing_options_free(struct backfill *backfill)
{
    struct backfill_slots *slots = backfill->slots;
    if (slots == NULL)
        return;
    backfill->slots = NULL;
    for (size_t i = 0; i < slots->walk_count; i++)
        free_walk(slots->walks[i]);
    for (size_t i = 0; i < slots->count; i++) {
        ing_engine_remove(backfill->app->engine, &slots->items[i]->base);
        ing_backfill_free_series(slots->items[i]);
        free(slots->items[i]);
    }
    mf_deferred_free(&slots->settle);
    ing_tally_free(&slots->stored);
    free(slots->items);
    free(slots->free);
    free(slots);
}

// ---------------------------------------------------------------- what is not in the underlyings' marks

void ing_options_add_under_way(struct backfill *backfill, struct ing_tally *tally, uint64_t *events)
{
    const struct backfill_slots *slots = backfill->slots;
    if (slots == NULL)
        return;
    take_stock(backfill);
    ing_tally_add(tally, &slots->stored);
    *events += slots->stored_events;
    for (size_t i = 0; i < slots->walk_count; i++) {
        ing_tally_add(tally, &slots->walks[i]->page_tally);
        ing_tally_add(tally, &slots->walks[i]->tally_ahead);
        *events += slots->walks[i]->page_events + slots->walks[i]->events_ahead;
    }
    for (size_t i = 0; i < slots->count; i++) {
        if (slots->items[i]->ended)
            continue; // its walk has it
        ing_tally_add(tally, &slots->items[i]->tally);
        *events += slots->items[i]->mark.events;
    }
}

// ---------------------------------------------------------------- the driver

// A list that goes round would never come to an end: a page of the same tickers as the one before it.
static void list_read(struct backfill_walk *walk, const struct ing_page *page)
{
    struct mf_buf tickers;
    forget_page(walk);
    mf_buf_init(&tickers, (page->contract_count + 1) * sizeof(struct ing_contract));
    walk->contracts = mf_calloc(page->contract_count + 1, sizeof *walk->contracts);
    for (size_t i = 0; i < page->contract_count; i++) {
        const struct ing_contract *contract = &page->contracts[i];
        mf_buf_add_c(&tickers, contract->ticker);
        if (strcmp(contract->ticker, walk->skip_to) <= 0)
            continue; // it was done when the list was read for the first time
        walk->contracts[walk->count] = *contract;
        walk->contracts[walk->count++].row = NULL;
    }
    walk->read = true;
    walk->hash = page->contract_count > 0 ? mf_hash64(mf_buf_c_str(&tickers), tickers.len) : 0;
    walk->stuck = walk->hash != 0 && walk->hash == walk->hash_before;
    mf_buf_free(&tickers);
}

void ing_options_page_read(struct backfill_series *series, const struct ing_page *page)
{
    if (ing_work_is_of_contract(&series->base.work))
        ing_options_details_read(series, page);
    else
        list_read(series->walk, page);
}

void ing_options_page_done(struct backfill_series *series, const struct ing_page_result *result)
{
    bool single = ing_work_is_of_contract(&series->base.work);
    series->from_cursor = false;
    ing_backfill_count_page(single ? &series->tally : &series->walk->page_tally, result);
    if (!single && result->next[0] != '\0') {
        free(series->walk->next_page);
        series->walk->next_page = mf_strdup(result->next);
    }
}

// A cursor does not live for ever: the stored one, or the one of a page whose contracts took long. Where the
// provider leads is not asked for again (N08, N09); nor is a list that is refused twice at one place.
static void list_refused(struct backfill_series *series, bool cursor)
{
    struct backfill_walk *walk = series->walk;
    bool again = walk->refused && strcmp(walk->skip_to, walk->done_to) == 0;
    if (!cursor || again) {
        series->mark.status = ING_STATUS_REFUSED;
        end_walk(walk);
        return;
    }
    walk->refused = true;
    mf_str_copy(walk->skip_to, sizeof walk->skip_to, mf_str_of(walk->done_to));
    series->from_cursor = false; // the pass once more
    series->error.code[0] = '\0';
    walk->page = 0;
    walk->hash_before = 0;
    ask_page(walk, NULL);
}

// Of an underlying that had contracts, or has them in the other pass, the provider does know the name.
static void list_unknown(struct backfill_series *series, bool cursor)
{
    struct backfill_walk *walk = series->walk;
    if (cursor || walk->read || series->known) {
        list_refused(series, cursor);
        return;
    }
    series->mark.status = ING_STATUS_UNKNOWN_TICKER;
    ing_backfill_save(walk->backfill, series);
    end_walk(walk);
}

void ing_options_range_done(struct backfill *backfill, struct backfill_series *series, enum ing_range_end end)
{
    if (ing_work_is_of_contract(&series->base.work)) {
        ing_options_details_done(backfill, series, end);
        return;
    }
    struct backfill_walk *walk = series->walk;
    bool further = series->from_cursor || walk->page > 0;
    switch (end) {
    case ING_RANGE_COMPLETE:
        if (walk->stuck) {
            mf_error_set(&series->error, MF_ERROR_POISON, "page_not_advancing",
                         "the provider's list of contracts does not come to an end (page %u)", walk->page);
            list_refused(series, false);
            break;
        }
        walk->listed = true;
        ing_options_settle(backfill);
        break;
    case ING_RANGE_PLAN_LIMIT:
        series->mark.status = ING_STATUS_PARTIAL;
        end_walk(walk);
        break;
    case ING_RANGE_REFUSED:
        list_refused(series, series->from_cursor || (walk->page > 0 && series->base.answer_rejected));
        break;
    case ING_RANGE_UNKNOWN_TICKER: list_unknown(series, further); break;
    case ING_RANGE_GAVE_UP: end_walk(walk); break;
    case ING_RANGE_END_MAX: break;
    }
}
