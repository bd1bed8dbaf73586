// SPDX-License-Identifier: Apache-2.0
// What live mode keeps up to date beside bars and news: what is known about each symbol, its other names, its
// list date, its splits and dividends. One walker asks, one request at a time: what concerns the market
// first, then new symbols, then once a day all others. What was published is remembered by a hash per event
// in the watermark of the symbol, so that only changes are published, and by the shard that owns the symbol.
// See live_private.h.
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/live_private.h"

// Up to so many stocks splits and dividends are asked for by name, beyond that for the whole market by date.
enum { BY_NAME_MAX = 8 };
#define LOOK_BACK_US (7 * MF_US_PER_DAY)       // rows appear late
#define LOOK_BACK_MAX_US (400 * MF_US_PER_DAY) // as a warm-up does
#define RETRY_US (30 * MF_US_PER_MINUTE)       // after a refusal in what concerns the market, or no answer
// Where the hash of a description stands among those of events, which have times; and the list date, as a
// number.
#define DESCRIBED_US (INT64_C(9223372036) * MF_US_PER_SECOND)
enum { DESCRIPTION_ID, LISTING_ID, NOT_LISTED = 1, DAYS_BEFORE = 1000000, DAYS_MAX = 4000000 };

enum step {
    STEP_MARKET_SPLITS,
    STEP_MARKET_DIVIDENDS,
    STEP_MARKET_END,
    STEP_RENAMES = STEP_MARKET_END,
    STEP_DETAILS,
    STEP_ACTIVE,
    STEP_DELISTED,
    STEP_SPLITS,
    STEP_DIVIDENDS,
    STEP_END
};
static const enum ing_feed feeds[STEP_END] = {
    [STEP_MARKET_SPLITS] = ING_FEED_SPLITS, [STEP_MARKET_DIVIDENDS] = ING_FEED_DIVIDENDS,
    [STEP_RENAMES] = ING_FEED_SYMBOLS,      [STEP_DETAILS] = ING_FEED_SYMBOLS,
    [STEP_ACTIVE] = ING_FEED_SYMBOLS,       [STEP_DELISTED] = ING_FEED_SYMBOLS,
    [STEP_SPLITS] = ING_FEED_SPLITS,        [STEP_DIVIDENDS] = ING_FEED_DIVIDENDS};
static const enum ing_pass passes[STEP_END] = { // of symbols
    [STEP_RENAMES] = ING_PASS_RENAMES,
    [STEP_DETAILS] = ING_PASS_DETAILS,
    [STEP_ACTIVE] = ING_PASS_ACTIVE,
    [STEP_DELISTED] = ING_PASS_DELISTED};
enum { ACTION_STEPS = 2 }; // of a visit, to the market or to a symbol: splits and dividends

struct told { // of a page that is not acknowledged yet
    struct live_symbol *symbol;
    struct ing_overlap_entry entry;
    bool split;
};

struct live_reference {
    struct live_series series; // symbol NULL = of the market
    struct live *live;
    enum step step;
    bool busy;
    bool fresh;             // the symbol was not described before
    bool described;         // a pass had a row of the symbol
    bool differs;           // which says otherwise than what was published last
    bool has_details;       // of this visit, or did not get them: what differs is published
    bool given_up;          // a request of this visit failed as often as one may
    unsigned answered;      // of its action steps
    bool refused[STEP_END]; // by the plan: not asked again in this round
    int64_t round_us;       // when the round under way began
    int64_t visit_us;       // when this visit began
    int64_t market_us;      // when the market was asked about last; 0 = never
    int64_t known_us;       // when it was last and all of it was answered; 0 = never by this process
    int64_t again_us;       // of a market whose answer was refused; 0 = none was
    size_t cursor;          // of the symbols
    size_t stocks;
    struct ing_aliases aliases;
    struct ing_listing listing; // as it goes into the description
    struct ing_listing asked;   // as this visit was told; no date = none
    struct told *told;
    size_t told_count, told_capacity;
};

static struct live_reference *of(struct live_series *series)
{
    return (struct live_reference *)(void *)series;
}

// ---------------------------------------------------------------- what is asked

static bool are_few(const struct live_reference *reference)
{
    return reference->stocks <= BY_NAME_MAX;
}

// Of a symbol that is new nothing is known; one that was away when the market was asked about, or came while
// it was, lacks what that said.
static bool by_name(const struct live_reference *reference, const struct live_symbol *symbol)
{
    return are_few(reference) || symbol->actions_us == 0 || symbol->actions_us < reference->known_us;
}

// 0 = nobody knows.
static uint64_t listing_of(const struct live_symbol *symbol)
{
    return ing_overlap_hash(&symbol->told, DESCRIBED_US, LISTING_ID);
}

static bool applies(const struct live_reference *reference, enum step step)
{
    const struct live_symbol *symbol = reference->series.symbol;
    const struct ing_config *config = &reference->live->app->config;
    bool stock = symbol != NULL && symbol->asset_class == MF_ASSET_STOCK;
    if (reference->refused[step])
        return false;
    switch (step) {
    case STEP_MARKET_SPLITS:
    case STEP_MARKET_DIVIDENDS: return config->reference && !are_few(reference);
    case STEP_RENAMES: return stock;
    case STEP_DETAILS: return stock && (reference->differs || listing_of(symbol) == 0);
    case STEP_ACTIVE: return true;
    case STEP_DELISTED: return !reference->described;
    case STEP_SPLITS:
    case STEP_DIVIDENDS: return stock && by_name(reference, symbol);
    case STEP_END: break;
    }
    return false;
}

static bool is_of_actions(enum step step)
{
    return ing_feeds[feeds[step]].type == MF_EVENT_CORPORATE_ACTION;
}

// From when on: up to when the symbol's actions are known, or those of all that the market is asked for, and
// some days before.
static int64_t since_us(const struct live_reference *reference, int64_t now_us)
{
    const struct live *live = reference->live;
    const struct live_symbol *one = reference->series.symbol;
    int64_t since_us = now_us;
    for (size_t i = 0; i < live->count && one == NULL; i++) {
        const struct live_symbol *symbol = live->symbols[i];
        if (symbol->with_market && symbol->actions_us < since_us)
            since_us = symbol->actions_us;
    }
    if (one != NULL)
        since_us = is_of_actions(reference->step) ? one->actions_us : one->refreshed_us;
    int64_t least_us = now_us - LOOK_BACK_MAX_US;
    return since_us - LOOK_BACK_US < least_us ? least_us : since_us - LOOK_BACK_US;
}

static bool plan(struct live *live, struct live_series *series)
{
    struct live_reference *reference = of(series);
    int64_t now_us = mf_clock_real_us();
    bool market = series->symbol == NULL;
    series->range_asked_us = now_us;
    series->base.work = (struct ing_work){
        .feed = feeds[reference->step],
        .market = market ? ING_MARKET_STOCKS : ING_MARKET_NONE,
        .asset_class = market ? MF_ASSET_STOCK : series->symbol->asset_class,
        .pass = passes[reference->step],
        .aliases = reference->aliases.count > 0 ? &reference->aliases : NULL,
        .listing = &reference->listing,
        .limit = live->app->config.reference_page_limit,
        .from_us = since_us(reference, now_us),
        .to_us = now_us + 1,
    };
    mf_str_copy(series->base.work.symbol, sizeof series->base.work.symbol,
                mf_str_of(market ? "market:stocks" : series->symbol->name));
    series->base.may_be_unknown = true; // that nothing is called so now is a right answer
    return true;
}

// ---------------------------------------------------------------- what comes back

static void page_read(struct live *live, struct live_series *series, const struct ing_page *page)
{
    struct live_reference *reference = of(series);
    (void)live;
    if (reference->step == STEP_RENAMES)
        reference->aliases = page->aliases;
    else if (reference->step == STEP_DETAILS)
        reference->asked = page->listing;
    else if (reference->step == STEP_ACTIVE || reference->step == STEP_DELISTED)
        reference->described = reference->described || page->count > 0;
}

// Of the market only what it was asked for: the rest comes with the symbol's own answer.
static struct live_symbol *symbol_of(const struct live_reference *reference, const struct mf_event *event)
{
    if (reference->series.symbol != NULL)
        return reference->series.symbol;
    struct live_symbol *symbol = ing_live_find(reference->live, event->symbol);
    return symbol != NULL && symbol->with_market ? symbol : NULL;
}

// What happened before the symbol was served is its past, as its warm-up is.
static bool is_past(const struct live_reference *reference, const struct live_symbol *symbol)
{
    return is_of_actions(reference->step) ? symbol->actions_us == 0 : reference->fresh;
}

static bool prepare(struct live *live, struct live_series *series, const struct ing_page *page,
                    struct mf_event *event)
{
    (void)live, (void)page;
    const struct live_symbol *symbol = symbol_of(of(series), event);
    if (symbol == NULL)
        return false;
    if (event->type == MF_EVENT_CORPORATE_ACTION && is_past(of(series), symbol))
        event->flags |= MF_FLAG_WARMUP;
    return true;
}

static bool wanted(struct live *live, struct live_series *series, const struct mf_event *event)
{
    (void)live;
    struct live_reference *reference = of(series);
    struct live_symbol *symbol = symbol_of(reference, event);
    bool action = event->type == MF_EVENT_CORPORATE_ACTION;
    struct ing_overlap_entry entry = {
        .event_time_us = action ? event->event_time_us : DESCRIBED_US,
        .id = action ? 1 + (uint64_t)event->corporate_action.kind : DESCRIPTION_ID,
        .hash = mf_event_content_hash(event).low,
    };
    if (ing_overlap_has(&symbol->told, &entry))
        return false;
    // Another description may be another instrument: it is published with the details as they are now.
    if (!action && !reference->has_details) {
        reference->differs = true;
        return false;
    }
    if (reference->told_count == reference->told_capacity) {
        reference->told_capacity = reference->told_capacity < 16 ? 16 : reference->told_capacity * 2;
        reference->told = mf_realloc(reference->told, reference->told_capacity * sizeof *reference->told);
    }
    bool split = action && event->corporate_action.kind == MF_ACTION_SPLIT;
    reference->told[reference->told_count++] =
        (struct told){.symbol = symbol, .entry = entry, .split = split && !is_past(reference, symbol)};
    return true;
}

static struct ing_mark mark_of(const struct live_symbol *symbol, struct ing_work *work)
{
    struct ing_mark mark;
    ing_mark_init(&mark);
    mark.status = ING_STATUS_COMPLETE;
    mark.position_us = symbol->refreshed_us;
    if (symbol->asset_class == MF_ASSET_STOCK)
        mark.last_time_us = symbol->actions_us;
    mark.events = symbol->told.kept_count;
    *work = (struct ing_work){.feed = ING_FEED_SYMBOLS};
    mf_str_copy(work->symbol, sizeof work->symbol, mf_str_of(symbol->name));
    return mark;
}

static void save(struct live *live, const struct live_symbol *symbol)
{
    struct ing_work work;
    struct ing_mark mark = mark_of(symbol, &work);
    ing_app_save_live(live->app, &work, &mark, &symbol->told);
}

static void page_done(struct live *live, struct live_series *series, const struct ing_page_result *result)
{
    (void)result;
    struct live_reference *reference = of(series);
    for (size_t i = 0; i < reference->told_count; i++) {
        struct told *told = &reference->told[i];
        ing_overlap_add(&told->symbol->told, &told->entry);
        if (told->split) // before it is known: what a split demands must not be lost
            ing_live_split(live, told->symbol);
        if (series->symbol == NULL)
            save(live, told->symbol);
    }
    reference->told_count = 0;
}

static void page_failed(struct live_series *series)
{
    of(series)->told_count = 0;
}

// ---------------------------------------------------------------- one after the other

static void begin_step(struct live_reference *reference)
{
    struct live_series *series = &reference->series;
    reference->busy = true;
    series->base.priority = ING_PRIORITY_RECONCILE; // behind all polls
    series->base.attempts_max = reference->live->app->config.retry_attempts;
    series->base.work.from_us = series->base.work.to_us = 0;
    ing_engine_begin(reference->live->app->engine, &series->base, NULL, 0, INT64_MIN, 0);
}

// That the provider has no such day is known then as well.
static void keep_listing(struct live_reference *reference)
{
    struct live_symbol *symbol = reference->series.symbol;
    struct ing_overlap_entry entry = {.event_time_us = DESCRIBED_US, .id = LISTING_ID, .hash = NOT_LISTED};
    int64_t days = mf_date_to_days(reference->asked.date);
    reference->listing = reference->asked;
    if (reference->asked.date.year > 0)
        entry.hash = (uint64_t)(days + DAYS_BEFORE);
    ing_overlap_add(&symbol->told, &entry);
}

static struct ing_listing known_listing(const struct live_symbol *symbol)
{
    struct ing_listing listing = {.figi = ""};
    uint64_t number = listing_of(symbol);
    if (number > NOT_LISTED && number <= DAYS_MAX)
        listing.date = mf_date_from_days((int32_t)number - DAYS_BEFORE);
    return listing;
}

// A description that differs is asked for again behind the details.
static enum step next_step(struct live_reference *reference)
{
    if (!reference->differs || reference->has_details ||
        (reference->step != STEP_ACTIVE && reference->step != STEP_DELISTED))
        return reference->step + 1;
    reference->has_details = true;
    reference->described = false;
    return STEP_DETAILS;
}

// The first step from `step` on that applies; false when there is none.
static bool begin_from(struct live_reference *reference, enum step step, enum step end)
{
    while (step < end && !applies(reference, step))
        step++;
    if (step == end)
        return false;
    reference->step = step;
    begin_step(reference);
    return true;
}

// One whose description is older than the round; those that have none come first. One of which no answer
// could be had waits, lest it kept all others from their turn.
static struct live_symbol *next_symbol(struct live_reference *reference, int64_t now_us)
{
    struct live *live = reference->live;
    struct live_symbol *oldest = NULL;
    for (size_t i = 0; i < live->count; i++) {
        size_t at = (reference->cursor + i) % live->count;
        struct live_symbol *symbol = live->symbols[at];
        if (symbol->refreshed_us >= reference->round_us || symbol->again_us > now_us)
            continue;
        if (oldest == NULL || symbol->refreshed_us == 0) {
            oldest = symbol;
            reference->cursor = at;
        }
        if (symbol->refreshed_us == 0)
            break;
    }
    return oldest;
}

// Who joins from here on is asked about by name.
static void begin_market(struct live_reference *reference)
{
    const struct live *live = reference->live;
    reference->market_us = reference->visit_us;
    reference->again_us = 0;
    for (size_t i = 0; i < live->count; i++)
        live->symbols[i]->with_market = live->symbols[i]->actions_us != 0;
}

static void go_on(struct live_reference *reference)
{
    struct live *live = reference->live;
    struct live_series *series = &reference->series;
    int64_t now_us = mf_clock_real_us();
    reference->busy = reference->fresh = reference->given_up = false;
    reference->answered = 0;
    reference->visit_us = now_us;
    series->symbol = NULL;
    bool again = reference->again_us != 0 && now_us >= reference->again_us;
    if (reference->market_us < reference->round_us || again) {
        begin_market(reference);
        if (begin_from(reference, STEP_MARKET_SPLITS, STEP_MARKET_END))
            return;
    }
    struct live_symbol *symbol =
        live->app->config.reference && live->count > 0 ? next_symbol(reference, now_us) : NULL;
    if (symbol == NULL)
        return;
    series->symbol = symbol;
    reference->fresh = symbol->refreshed_us == 0;
    reference->described = reference->differs = false;
    reference->has_details = symbol->asset_class != MF_ASSET_STOCK || listing_of(symbol) == 0;
    reference->listing = known_listing(symbol);
    reference->asked = (struct ing_listing){.figi = ""};
    reference->aliases.count = 0;
    ing_live_forget_rejects(series);
    begin_from(reference, STEP_RENAMES, STEP_END); // one always applies
}

// All was answered: the actions of those that were asked for are known up to when it was asked. What was not
// answered is asked for again with what came since, as far back as it takes.
static void end_market(struct live_reference *reference)
{
    const struct live *live = reference->live;
    if (reference->answered < ACTION_STEPS)
        return;
    reference->known_us = reference->visit_us;
    for (size_t i = 0; i < live->count; i++) {
        if (live->symbols[i]->with_market)
            live->symbols[i]->actions_us = reference->visit_us;
    }
}

// The symbol is described, as far as the vendor does that; a name that it does not know is asked about
// tomorrow again, and one of which it said nothing soon.
static void end_symbol(struct live_reference *reference)
{
    struct live_symbol *symbol = reference->series.symbol;
    int64_t now_us = mf_clock_real_us();
    if (reference->answered == ACTION_STEPS)
        symbol->actions_us = reference->visit_us;
    if (reference->given_up)
        symbol->again_us = now_us + RETRY_US;
    else
        symbol->refreshed_us = now_us;
    if (symbol->refreshed_us != 0)
        save(reference->live, symbol);
}

static void range_done(struct live *live, struct live_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    (void)live, (void)err;
    struct live_reference *reference = of(series);
    bool market = series->symbol == NULL;
    if (reference->step == STEP_DETAILS && end == ING_RANGE_COMPLETE)
        keep_listing(reference);
    // Said once by the engine: the plan covers this for none, or for all.
    reference->refused[reference->step] = end == ING_RANGE_PLAN_LIMIT;
    reference->answered += end == ING_RANGE_COMPLETE && is_of_actions(reference->step);
    reference->given_up = reference->given_up || end == ING_RANGE_GAVE_UP;
    if (end != ING_RANGE_COMPLETE && market)
        reference->again_us = series->range_asked_us + RETRY_US;
    if (begin_from(reference, next_step(reference), market ? STEP_MARKET_END : STEP_END))
        return;
    if (market)
        end_market(reference);
    else
        end_symbol(reference);
    go_on(reference);
}

static const struct live_kind kind = {.plan = plan,
                                      .page_read = page_read,
                                      .prepare = prepare,
                                      .wanted = wanted,
                                      .page_done = page_done,
                                      .page_failed = page_failed,
                                      .range_done = range_done};

void ing_live_reference_tick(struct live *live)
{
    struct live_reference *reference = live->reference;
    int64_t round_us = ing_plan_round_us(mf_clock_real_us(), live->app->config.reference_minute);
    if (round_us > reference->round_us) {
        reference->round_us = round_us;
        memset(reference->refused, 0, sizeof reference->refused);
    }
    reference->stocks = 0;
    for (size_t i = 0; i < live->count; i++)
        reference->stocks += live->symbols[i]->asset_class == MF_ASSET_STOCK;
    if (!reference->busy)
        go_on(reference);
}

// ---------------------------------------------------------------- life

// Earlier versions knew of one time only.
static void take_mark(struct live_symbol *symbol, const struct ing_mark *mark)
{
    symbol->refreshed_us = mark->position_us;
    if (symbol->asset_class == MF_ASSET_STOCK)
        symbol->actions_us = mark->last_time_us != INT64_MIN ? mark->last_time_us : mark->position_us;
}

void ing_live_reference_join(struct live *live, struct live_symbol *symbol)
{
    struct ing_work work;
    struct ing_mark mark = mark_of(symbol, &work);
    struct mf_buf key;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_watermark_key(&work, NULL, &key);
    struct mf_str value = ing_store_get(live->app->store, mf_buf_str(&key));
    struct mf_json *json = mf_json_new();
    struct mf_error err;
    if (value.data != NULL && ing_mark_decode(json, value, &mark, &symbol->told, &err) == 0)
        take_mark(symbol, &mark);
    ing_store_set(live->app->store, mf_buf_str(&key), MF_STR_NULL);
    mf_json_free(&json);
    mf_buf_free(&key);
}

void ing_live_reference_keep(struct live *live, const struct live_symbol *symbol)
{
    struct ing_work work;
    struct ing_mark mark = mark_of(symbol, &work);
    struct mf_buf key;
    struct mf_buf value;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    mf_buf_init(&value, ING_WATERMARK_MAX);
    ing_watermark_key(&work, NULL, &key);
    ing_mark_encode(&mark, &symbol->told, &value);
    if (symbol->refreshed_us != 0)
        ing_store_set(live->app->store, mf_buf_str(&key), mf_buf_str(&value));
    mf_buf_free(&key);
    mf_buf_free(&value);
}

void ing_live_reference_leave(struct live *live, struct live_symbol *symbol)
{
    struct live_reference *reference = live->reference;
    if (reference == NULL)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < reference->told_count; i++) {
        reference->told[kept] = reference->told[i];
        kept += reference->told[i].symbol != symbol;
    }
    reference->told_count = kept;
    if (reference->series.symbol != symbol)
        return;
    ing_engine_remove(live->app->engine, &reference->series.base);
    reference->series.symbol = NULL;
    reference->busy = false; // the next tick goes on
}

struct live_reference *ing_live_reference_new(struct live *live)
{
    struct live_reference *reference = mf_calloc(1, sizeof *reference);
    reference->live = live;
    reference->series.kind = &kind;
    ing_series_init(&reference->series.base, &live->app->config, mf_random_seed());
    return reference;
}

void ing_live_reference_free(struct live_reference **reference)
{
    struct live_reference *old = *reference;
    if (old == NULL)
        return;
    *reference = NULL;
    if (old->live->app->engine != NULL)
        ing_engine_remove(old->live->app->engine, &old->series.base);
    ing_live_forget_rejects(&old->series);
    free(old->told);
    free(old);
}
