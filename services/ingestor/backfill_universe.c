// SPDX-License-Identifier: Apache-2.0
// --universe: before anything else the run looks up which stocks there are, page by page, without publishing
// them. Each page is stored before the next one is asked for (universe.h). See backfill_private.h.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "services/ingestor/backfill_private.h"

// ---------------------------------------------------------------- what is stored

static void forget_symbols(struct backfill *backfill)
{
    ing_symbols_free(&backfill->args.symbols);
    backfill->args.symbols.max = ING_UNIVERSE_SYMBOLS_MAX;
}

// The parts of one search, as far as they follow each other. CONFIG when one cannot be read.
static int read_parts(struct backfill *backfill, struct mf_json *json, struct mf_error *err)
{
    struct backfill_universe *universe = &backfill->universe;
    struct mf_buf key;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    int result = 0;
    for (unsigned number = 0; number < ING_UNIVERSE_PARTS_MAX && !universe->whole && result == 0; number++) {
        struct ing_universe_part part;
        struct ing_symbols found = {0};
        mf_buf_clear(&key);
        ing_universe_key(backfill->args.run_id, number, &key);
        struct mf_str value = ing_store_get(backfill->app->store, mf_buf_str(&key));
        if (value.data == NULL)
            break;
        result = ing_universe_decode(json, value, &part, &found, err);
        bool follows =
            result == 0 && part.part == number && (number == 0 || strcmp(part.search, universe->search) == 0);
        for (size_t i = 0; follows && i < found.count && result == 0; i++)
            result = ing_symbols_add(&backfill->args.symbols, mf_str_of(found.items[i]), err);
        ing_symbols_free(&found);
        if (result < 0 || !follows)
            break;
        mf_str_copy(universe->search, sizeof universe->search, mf_str_of(part.search));
        universe->parts = number + 1;
        universe->whole = part.next.len == 0;
        free(universe->next);
        universe->next = mf_strndup(part.next);
    }
    mf_buf_free(&key);
    if (result < 0)
        err->class = MF_ERROR_CONFIG; // nothing in this process can mend it
    return result;
}

int ing_backfill_read_universe(struct backfill *backfill, struct mf_error *err)
{
    if (!backfill->args.universe)
        return 0;
    struct backfill_universe *universe = &backfill->universe;
    struct mf_json *json = mf_json_new();
    forget_symbols(backfill);
    universe->parts = 0;
    universe->whole = false;
    int result = read_parts(backfill, json, err);
    mf_json_free(&json);
    if (universe->whole && backfill->args.symbols.count == 0) { // serves nobody: looked for again
        universe->whole = false;
        universe->parts = 0;
    }
    if (result == 0 && universe->whole)
        ing_symbols_sort(&backfill->args.symbols);
    return result;
}

bool ing_backfill_universe_is_whole(const struct backfill *backfill)
{
    return !backfill->args.universe || backfill->universe.whole;
}

void ing_backfill_free_universe(struct backfill *backfill)
{
    struct backfill_universe *universe = &backfill->universe;
    if (universe->search_series != NULL) {
        ing_engine_remove(backfill->app->engine, &universe->search_series->base);
        ing_backfill_free_series(universe->search_series);
    }
    free(universe->search_series);
    free(universe->next);
    *universe = (struct backfill_universe){0};
}

// ---------------------------------------------------------------- the search

static void begin_search(struct backfill *backfill, bool anew)
{
    struct backfill_universe *universe = &backfill->universe;
    struct backfill_series *series = universe->search_series;
    if (anew || universe->parts == 0) {
        snprintf(universe->search, sizeof universe->search, "%016" PRIx64, mf_random_seed());
        forget_symbols(backfill);
        universe->parts = 0;
        free(universe->next);
        universe->next = NULL;
    }
    series->from_cursor = universe->parts > 0;
    ing_engine_begin(backfill->app->engine, &series->base, universe->next, universe->parts, INT64_MIN, 0);
}

void ing_backfill_search_universe(struct backfill *backfill)
{
    const struct ing_config *config = &backfill->app->config;
    struct backfill_series *series = mf_calloc(1, sizeof *series);
    backfill->universe.search_series = series;
    series->backfill = backfill;
    series->searching = true;
    series->base.work = (struct ing_work){.feed = ING_FEED_SYMBOLS,
                                          .pass = ING_PASS_ACTIVE,
                                          .market = ING_MARKET_STOCKS,
                                          .asset_class = MF_ASSET_STOCK,
                                          .from_us = 0,
                                          .to_us = mf_clock_real_us(),
                                          .limit = config->reference_page_limit};
    mf_str_copy(series->base.work.symbol, sizeof series->base.work.symbol, MF_STR("market:stocks"));
    ing_series_init(&series->base, config, mf_random_seed());
    series->base.priority = ING_PRIORITY_BACKFILL;
    begin_search(backfill, false);
}

// Is the text one of a comma-separated list? Without a list, everything is.
static bool is_listed(const char *list, struct mf_str text)
{
    if (list == NULL)
        return true;
    for (const char *at = list;; at++) {
        const char *end = strchrnul(at, ',');
        if ((size_t)(end - at) == text.len && text.len > 0 && memcmp(at, text.data, text.len) == 0)
            return true;
        if (*end == '\0')
            return false;
        at = end;
    }
}

void ing_backfill_take_tickers(struct backfill *backfill, const struct ing_page *page)
{
    struct backfill_universe *universe = &backfill->universe;
    universe->first = backfill->args.symbols.count;
    universe->full = false;
    for (size_t i = 0; i < page->count; i++) {
        const struct ing_item *item = &page->items[i];
        struct mf_error err;
        if (item->reason[0] != '\0' || !is_listed(backfill->args.types, ing_text_of(item->row, "type")) ||
            !is_listed(backfill->args.exchanges, ing_text_of(item->row, "primary_exchange")))
            continue;
        if (ing_symbols_add(&backfill->args.symbols, item->key, &err) < 0 &&
            strcmp(err.code, "too_many_symbols") == 0)
            universe->full = true; // other symbols that cannot be served are left out
    }
}

static void on_part_saved(void *arg, const struct mf_error *err)
{
    struct backfill_series *series = arg;
    struct backfill *backfill = series->backfill;
    series->marks_pending--;
    if (err != NULL && !backfill->finished) {
        backfill->error = *err;
        ing_backfill_finish(backfill);
        return;
    }
    if (series->base.state == ING_SERIES_PUBLISHING)
        ing_engine_room(backfill->app->engine);
    if (backfill->universe.whole && series->marks_pending == 0 && !backfill->finished)
        ing_backfill_universe_found(backfill);
}

static void search_failed(struct backfill *backfill, const struct mf_error *err)
{
    backfill->error = *err;
    if (err->class == MF_ERROR_CONFIG) // as it was asked for, no start would get further
        mf_service_fail(backfill->app->service, err, "looking for the symbols");
    ing_backfill_finish(backfill);
}

void ing_backfill_tickers_done(struct backfill *backfill, const struct ing_page_result *result)
{
    struct backfill_universe *universe = &backfill->universe;
    struct backfill_series *series = universe->search_series;
    struct ing_universe_part part = {.part = universe->parts, .next = mf_str_of(result->next)};
    struct mf_error err;
    struct mf_buf key;
    struct mf_buf value;
    series->from_cursor = false;
    if (universe->full || universe->parts + 1 >= ING_UNIVERSE_PARTS_MAX)
        return; // the end of the range says so
    mf_str_copy(part.search, sizeof part.search, mf_str_of(universe->search));
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    mf_buf_init(&value, (size_t)600 * 1024);
    ing_universe_key(backfill->args.run_id, part.part, &key);
    ing_universe_encode(&part, &backfill->args.symbols, universe->first, &value);
    struct ing_batch *batch = ing_batch_new(backfill->app->publisher, on_part_saved, series);
    int queued =
        ing_publisher_watermark(backfill->app->publisher, batch, mf_buf_str(&key), mf_buf_str(&value), &err);
    mf_buf_free(&key);
    mf_buf_free(&value);
    if (queued < 0) { // nothing else of this process is in the queue
        ing_batch_abandon(&batch);
        search_failed(backfill, &err);
        return;
    }
    universe->parts++;
    free(universe->next);
    universe->next = mf_strdup(result->next);
    universe->last = result->next[0] == '\0';
    series->marks_pending++;
    ing_batch_seal(batch);
}

void ing_backfill_search_done(struct backfill *backfill, enum ing_range_end end, const struct mf_error *err)
{
    struct backfill_universe *universe = &backfill->universe;
    struct mf_error failed;
    bool refused = end == ING_RANGE_REFUSED || end == ING_RANGE_UNKNOWN_TICKER;
    if (refused && universe->search_series->from_cursor) { // a cursor does not live for ever
        begin_search(backfill, true);
        return;
    }
    if (end != ING_RANGE_COMPLETE) {
        search_failed(backfill, err);
    } else if (universe->full || !universe->last) {
        mf_error_set(&failed, MF_ERROR_CONFIG, "too_many_symbols", "the market has more than %d such symbols",
                     ING_UNIVERSE_SYMBOLS_MAX);
        search_failed(backfill, &failed);
    } else if (backfill->args.symbols.count == 0) {
        mf_error_set(&failed, MF_ERROR_CONFIG, "no_symbols", "the market has no such symbols");
        search_failed(backfill, &failed);
    } else {
        universe->whole = true;
        if (universe->search_series->marks_pending == 0)
            ing_backfill_universe_found(backfill);
    }
}

bool ing_backfill_forget_universe(struct backfill *backfill)
{
    struct mf_error err;
    struct mf_buf key;
    int result = 0;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    while (backfill->universe.parts > 0 && result == 0) {
        mf_buf_clear(&key);
        ing_universe_key(backfill->args.run_id, backfill->universe.parts - 1, &key);
        result = ing_publisher_watermark(backfill->app->publisher, backfill->batch, mf_buf_str(&key),
                                         MF_STR_NULL, &err);
        backfill->universe.parts -= result == 0;
    }
    mf_buf_free(&key);
    return result == 0;
}
