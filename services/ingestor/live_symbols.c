// SPDX-License-Identifier: Apache-2.0
// The symbols of live mode: from the settings, of this shard, added and removed while running (see
// live_private.h).
#include <stdlib.h>

#include "common/backoff.h"
#include "services/ingestor/backfill_args.h"
#include "services/ingestor/live_private.h"

static void fill_work(const struct ing_config *config, const char *symbol, enum live_feed feed,
                      struct ing_work *work)
{
    *work = (struct ing_work){
        .feed = feed == LIVE_NEWS ? ING_FEED_NEWS : ING_FEED_BARS,
        .timespan = feed == LIVE_DAY ? ING_TIMESPAN_DAY : ING_TIMESPAN_MINUTE,
        .asset_class = mf_asset_class_of_symbol(mf_str_of(symbol)),
        .limit = feed == LIVE_NEWS ? config->news_page_limit : config->bars_page_limit,
    };
    work->adjusted = work->asset_class == MF_ASSET_STOCK ? config->adjusted : MF_ADJUSTED_NONE;
    mf_str_copy(work->symbol, sizeof work->symbol, mf_str_of(symbol));
}

static void mark_key(const struct live_series *series, struct mf_buf *key)
{
    mf_buf_init(key, ING_WATERMARK_KEY_MAX);
    ing_watermark_key(&series->base.work, NULL, key);
}

// Earlier versions kept the hashes of minutes in the watermark.
static void take_minutes(struct live_series *series)
{
    if (ing_live_feed_of(series) != LIVE_MINUTE)
        return;
    for (size_t i = 0; i < series->overlap.kept_count; i++)
        ing_minutes_put(&series->symbol->minutes, series->overlap.kept[i].event_time_us,
                        series->overlap.kept[i].hash);
    ing_overlap_free(&series->overlap);
}

// What the topic knew of the series; from here on the series knows better. A record that cannot be read is as
// good as none, and is said. True when there was one.
static bool read_mark(struct live *live, struct live_series *series)
{
    struct mf_buf key;
    mark_key(series, &key);
    struct mf_str value = ing_store_get(live->app->store, mf_buf_str(&key));
    bool known = value.data != NULL && !live->once;
    if (known) {
        struct mf_json *json = mf_json_new();
        struct mf_error err;
        known = ing_mark_decode(json, value, &series->mark, &series->overlap, &err) == 0;
        if (!known)
            mf_log_error(live->app->service->log, MF_LOG_ERROR, "watermarks", "bad_watermark", &err,
                         "reading a watermark; the series begins anew");
        mf_json_free(&json);
        take_minutes(series);
        ing_store_set(live->app->store, mf_buf_str(&key), MF_STR_NULL);
    }
    mf_buf_free(&key);
    return known;
}

// A series begins where its watermark says. Without one it is new: its warm-up comes first.
static struct live_series *series_new(struct live *live, struct live_symbol *symbol, enum live_feed feed)
{
    struct live_series *series = mf_calloc(1, sizeof *series);
    series->symbol = symbol;
    series->kind = &ing_live_poll;
    fill_work(&live->app->config, symbol->name, feed, &series->base.work);
    ing_series_init(&series->base, &live->app->config, mf_random_seed());
    ing_mark_init(&series->mark);
    ing_overlap_init(&series->overlap);
    bool known = read_mark(live, series);
    if (feed == LIVE_MINUTE)
        symbol->remembered = !known; // there is nothing to remember of a new one
    // News has no look-back to warm up, and nobody may have asked for one.
    if (!live->once && (feed == LIVE_NEWS || !live->app->config.warmup))
        series->mark.status = ING_STATUS_COMPLETE;
    return series;
}

// The store gets back what it knew, and what has happened since: the symbol may come again.
static void keep_mark(struct live *live, const struct live_series *series)
{
    struct mf_buf key;
    struct mf_buf value;
    struct ing_mark mark = ing_live_mark(series);
    mark_key(series, &key);
    mf_buf_init(&value, ING_WATERMARK_MAX);
    ing_mark_encode(&mark, &series->overlap, &value);
    if (mark.last_time_us != INT64_MIN || mark.position_us != 0)
        ing_store_set(live->app->store, mf_buf_str(&key), mf_buf_str(&value));
    mf_buf_free(&key);
    mf_buf_free(&value);
}

static void series_free(struct live *live, struct live_series **series)
{
    struct live_series *old = *series;
    if (old == NULL)
        return;
    *series = NULL;
    ing_engine_remove(live->app->engine, &old->base);
    ing_overlap_free(&old->overlap);
    ing_minutes_rollback(&old->staged);
    ing_live_forget_rejects(old);
    free(old);
}

static void symbol_free(struct live *live, struct live_symbol *symbol)
{
    ing_live_reconcile_leave(live, symbol);
    ing_live_reference_leave(live, symbol);
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++)
        series_free(live, &symbol->series[feed]);
    ing_minutes_free(&symbol->minutes);
    ing_overlap_free(&symbol->told);
    free(symbol->name);
    free(symbol);
}

void ing_live_free_symbols(struct live *live)
{
    for (size_t i = 0; i < live->count; i++)
        symbol_free(live, live->symbols[i]);
    live->count = 0;
}

struct live_symbol *ing_live_find(const struct live *live, struct mf_str name)
{
    return ing_name_index_get(&live->index, name);
}

static void add_symbol(struct live *live, const char *name, size_t beside)
{
    const struct ing_config *config = &live->app->config;
    bool served[LIVE_FEED_MAX] = {[LIVE_MINUTE] = config->minute_bars || live->once,
                                  [LIVE_DAY] = config->day_bars || live->once,
                                  [LIVE_NEWS] = config->news && !live->once};
    struct live_symbol *symbol = mf_calloc(1, sizeof *symbol);
    symbol->name = mf_strdup(name);
    symbol->keep = symbol->remembered = true;
    symbol->asset_class = mf_asset_class_of_symbol(mf_str_of(name));
    if (!live->once)
        ing_live_reference_join(live, symbol);
    symbol->phase = (uint32_t)mf_hash64(name, strlen(name));
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
        if (served[feed])
            symbol->series[feed] = series_new(live, symbol, (enum live_feed)feed);
    }
    if (live->count == live->capacity) {
        live->capacity = live->capacity < 16 ? 16 : live->capacity * 2;
        live->symbols = mf_realloc(live->symbols, live->capacity * sizeof(struct live_symbol *));
    }
    live->symbols[live->count++] = symbol;
    ing_name_index_put(&live->index, symbol->name, symbol);
    ing_live_begin_symbol(live, symbol, beside);
}

// A symbol that a reload no longer names. Its watermarks stay, should it come back.
static void drop(struct live *live, struct live_symbol *symbol)
{
    for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
        if (symbol->series[feed] != NULL)
            keep_mark(live, symbol->series[feed]);
    }
    ing_live_reference_keep(live, symbol);
    symbol_free(live, symbol);
}

// Dropping one may start requests of others, whose plans look at all symbols: by then those that leave are no
// longer among them.
static void drop_others(struct live *live)
{
    size_t kept = 0;
    size_t left = 0;
    struct live_symbol **leavers = mf_calloc(live->count + 1, sizeof(struct live_symbol *));
    ing_live_gaps_restart(live->gaps);
    ing_name_index_free(&live->index);
    for (size_t i = 0; i < live->count; i++) {
        if (!live->symbols[i]->keep) {
            leavers[left++] = live->symbols[i];
            continue;
        }
        live->symbols[kept] = live->symbols[i];
        ing_name_index_put(&live->index, live->symbols[kept]->name, live->symbols[kept]);
        kept++;
    }
    live->count = kept;
    for (size_t i = 0; i < left; i++)
        drop(live, leavers[i]);
    free(leavers);
}

void ing_live_take_list(struct live *live, const struct ing_symbols *list)
{
    size_t before = live->count;
    for (size_t i = 0; i < live->count; i++)
        live->symbols[i]->keep = ing_symbols_has(list, live->symbols[i]->name);
    drop_others(live);
    size_t removed = before - live->count;
    size_t kept = live->count;
    for (size_t i = 0; i < list->count; i++) {
        if (ing_live_find(live, mf_str_of(list->items[i])) == NULL)
            add_symbol(live, list->items[i], list->count - kept);
    }
    if (live->memory != NULL)
        ing_live_memory_read(live->memory);
    MF_LOGF(live->app->service->log, MF_LOG_NOTICE, "live", "symbols_taken",
            MF_FIELDS(mf_lf_i64("symbols", (int64_t)live->count),
                      mf_lf_i64("added", (int64_t)(live->count - kept)),
                      mf_lf_i64("removed", (int64_t)removed)),
            "serving %zu symbols", live->count);
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_SYMBOLS]),
                  (double)live->count);
}

// Whoever sends SIGHUP may have mended what was refused.
void ing_live_ask_refused_again(struct live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        live->symbols[i]->again_us = 0;
        for (int feed = 0; feed < LIVE_FEED_MAX; feed++) {
            struct live_series *series = live->symbols[i]->series[feed];
            if (series != NULL && series->refusals > 0)
                ing_engine_hasten(live->app->engine, &series->base);
        }
    }
}

// All or nothing: the list is complete and checked before the first series is touched.
int ing_live_read_symbols(const struct live *live, const struct mf_settings *settings,
                          struct ing_symbols *symbols, struct mf_error *err)
{
    const struct ing_config *config = &live->app->config;
    struct ing_symbols all = {0};
    struct ing_symbols mine = {0};
    int result = ing_symbols_from_settings(settings, &all, err);
    if (result == 0 && all.count == 0)
        result =
            mf_error_set(err, MF_ERROR_CONFIG, "no_symbols", "set INGEST_SYMBOLS or INGEST_SYMBOLS_FILE");
    for (size_t i = 0; i < all.count && result == 0; i++) {
        int32_t partition = ing_symbol_partition(all.items[i], config->partitions);
        if (ing_shard_owns(&config->shard, partition))
            result = ing_symbols_add(&mine, mf_str_of(all.items[i]), err);
    }
    ing_symbols_free(&all);
    if (result == 0)
        *symbols = mine;
    else
        ing_symbols_free(&mine);
    return result;
}
