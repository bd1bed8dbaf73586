// SPDX-License-Identifier: Apache-2.0
// Symbols are read in passes, each over the whole range: the names that a stock has had, its details, what is
// delisted, what is traded. See backfill_private.h.
#include <stdlib.h>

#include "services/ingestor/backfill_private.h"

// Only stocks are renamed and listed, and only of single ones is that asked for: it is a request each.
enum ing_pass ing_backfill_first_pass(const struct ing_work *work)
{
    bool one_stock = work->market == ING_MARKET_NONE && work->asset_class == MF_ASSET_STOCK;
    return work->feed != ING_FEED_SYMBOLS || one_stock ? ING_PASS_RENAMES : ING_PASS_DELISTED;
}

// A ticker of which no pass had a row is one that the provider does not know (N49): recorded, and no reason
// to ask again.
bool ing_backfill_next_pass(struct backfill_series *series)
{
    const struct ing_work *work = &series->base.work;
    struct ing_watermark *mark = &series->mark;
    if (work->feed != ING_FEED_SYMBOLS)
        return false;
    mark->cursor[0] = '\0';
    mark->page = 0;
    if (mark->pass + 1 < ING_PASS_MAX) {
        mark->pass++;
        return true;
    }
    bool unknown = work->market == ING_MARKET_NONE && series->rows == 0;
    if (!unknown && !series->unnamed)
        return false;
    mark->status = unknown ? ING_STATUS_UNKNOWN_TICKER : ING_STATUS_PARTIAL;
    return true;
}

void ing_backfill_forget_names(struct backfill_series *series)
{
    series->base.work.aliases = NULL;
    series->base.work.listing = NULL;
    free(series->aliases);
    series->aliases = NULL;
}

void ing_backfill_take_names(void *arg, struct ing_series *base, const struct ing_page *page)
{
    (void)arg;
    struct backfill_series *series = (struct backfill_series *)(void *)base;
    if (ing_work_is_of_details(&base->work)) {
        series->listing = page->listing;
        base->work.listing = &series->listing;
    }
    if (!ing_work_is_of_renames(&base->work))
        return;
    ing_backfill_forget_names(series);
    if (page->aliases.count == 0 && page->aliases.since.year == 0)
        return;
    series->aliases = mf_alloc(sizeof *series->aliases);
    *series->aliases = page->aliases;
    base->work.aliases = series->aliases;
}
