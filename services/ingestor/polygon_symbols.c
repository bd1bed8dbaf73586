// SPDX-License-Identifier: Apache-2.0
// Polygon reference tickers: rows to what is known about an instrument. The event's time is the vendor's own
// "last updated", so that the same knowledge is the same event however often it is fetched. Pure.
#include "common/url.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"

enum { CURRENCY_MAX = 16 };

void ing_polygon_add_symbols_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url)
{
    (void)config;
    if (work->pass == ING_PASS_RENAMES) {
        ing_polygon_add_renames_path(work, url);
        return;
    }
    mf_buf_add_c(url, "/v3/reference/tickers");
    if (work->pass == ING_PASS_DETAILS) {
        mf_url_add_path_segment(url, mf_str_of(work->symbol));
        return;
    }
    if (work->market != ING_MARKET_NONE)
        mf_url_add_query(url, "market", mf_str_of(ing_markets[work->market].name));
    else
        mf_url_add_query(url, "ticker", mf_str_of(work->symbol));
    mf_url_add_query(url, "active", work->pass == ING_PASS_ACTIVE ? MF_STR("true") : MF_STR("false"));
    mf_url_add_query(url, "sort", MF_STR("ticker"));
    mf_url_add_query(url, "order", MF_STR("asc"));
}

// The day as it is written, whichever zone the time is in: a delisting carries midnight of either UTC or New
// York. True with *date left as it is when there is none.
static bool take_date(const struct mf_json_node *row, const char *key, struct mf_date *date)
{
    const struct mf_json_node *node = mf_json_get(row, key);
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return true;
    struct mf_str text = ing_text_of(row, key);
    int64_t time_us;
    if (text.len > 10 && !mf_time_parse(text, &time_us))
        return false;
    text.len = text.len > 10 ? 10 : text.len;
    return mf_date_parse(text, date);
}

// The day that was asked for, which begins later in New York than in UTC: never one that has not begun.
static int64_t day_asked_for(const struct ing_provider_config *config, const struct ing_page *page)
{
    const struct ing_work *work = page->work;
    if (work->from_us <= page->asked_us)
        return work->from_us;
    return ing_market_midnight_us(config->calendar, work->asset_class,
                                  ing_market_date(config->calendar, work->asset_class, page->asked_us));
}

// When the vendor last changed the row; without that, when the instrument was delisted, or the day that was
// asked for.
static bool known_since(const struct ing_provider_config *config, const struct ing_page *page,
                        const struct mf_json_node *row, struct ing_item *item)
{
    const struct ing_work *work = page->work;
    struct mf_date delisted = {0};
    if (ing_text_of(row, "last_updated_utc").data != NULL) {
        if (!mf_time_parse(ing_text_of(row, "last_updated_utc"), &item->vendor_us))
            return false;
    } else if (!take_date(row, "delisted_utc", &delisted)) {
        return false;
    } else {
        item->vendor_us = delisted.year > 0
                              ? ing_market_midnight_us(config->calendar, work->asset_class, delisted)
                              : day_asked_for(config, page);
    }
    int64_t rest = item->vendor_us % MF_US_PER_MS;
    item->event_time_us = item->vendor_us - (rest < 0 ? rest + MF_US_PER_MS : rest);
    return true;
}

// Empty when the row is an event as far as its identity goes.
static const char *identity_problem(const struct ing_provider_config *config, const struct ing_page *page,
                                    const struct mf_json_node *row, struct ing_item *item)
{
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    item->key = ing_text_of(row, "ticker");
    if (item->key.data == NULL)
        return "missing_field";
    if (!mf_symbol_is_valid(item->key))
        return "bad_symbol";
    if (!known_since(config, page, row, item))
        return "bad_time";
    return item->event_time_us > page->asked_us ? "future_timestamp" : "";
}

// N37: a parameter that was ignored shows in rows of another ticker or market.
static bool is_asked_for(const struct ing_work *work, const struct mf_json_node *row)
{
    if (work->market == ING_MARKET_NONE)
        return mf_str_eq_c(ing_text_of(row, "ticker"), work->symbol);
    struct mf_str market = ing_text_of(row, "market");
    return market.data == NULL || mf_str_eq_c(market, ing_markets[work->market].name);
}

void ing_polygon_symbol_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct ing_page *page)
{
    struct ing_row_walk walk;
    for (ing_row_walk_begin(&walk, page, rows); walk.row != NULL; ing_row_walk_next(&walk, page)) {
        bool has_ticker = mf_json_type(walk.row) == MF_JSON_OBJECT && ing_text_of(walk.row, "ticker").len > 0;
        if (has_ticker && !is_asked_for(page->work, walk.row)) {
            page->counts.foreign++;
            continue;
        }
        struct ing_item *item = ing_page_add(page);
        item->index = walk.index;
        item->row = walk.row;
        mf_str_copy(item->reason, sizeof item->reason,
                    mf_str_of(identity_problem(config, page, walk.row, item)));
    }
}

// N37: the details of another ticker say nothing about this one.
void ing_polygon_take_details(const struct mf_json_node *details, struct ing_page *page)
{
    struct ing_listing *listing = &page->listing;
    if (details == NULL)
        return;
    if (!mf_str_eq_c(ing_text_of(details, "ticker"), page->work->symbol)) {
        page->counts.foreign++;
        return;
    }
    if (!take_date(details, "list_date", &listing->date)) {
        struct ing_item *item = ing_page_add(page);
        item->row = details;
        item->key = ing_text_of(details, "ticker");
        mf_str_copy(item->reason, sizeof item->reason, MF_STR("bad_date"));
        listing->date = (struct mf_date){0};
    }
    struct mf_str figi = ing_text_of(details, "composite_figi");
    if (figi.len == 0 || !mf_str_copy(listing->figi, sizeof listing->figi, figi))
        listing->figi[0] = '\0';
}

// Absent for an empty text too: "" says nothing.
static struct mf_str text_of(const struct mf_json_node *row, const char *key)
{
    struct mf_str text = ing_text_of(row, key);
    return text.len > 0 ? text : MF_STR_NULL;
}

// Pairs have a symbol (USD) beside the name (United States Dollar); stocks have a symbol called name (usd).
static struct mf_str currency_of(const struct mf_json_node *row)
{
    struct mf_str symbol = text_of(row, "currency_symbol");
    struct mf_str name = text_of(row, "currency_name");
    if (symbol.data != NULL)
        return symbol;
    return name.len <= CURRENCY_MAX ? name : MF_STR_NULL;
}

// The names of the instrument that has the ticker now: not those of one that had it before (N14).
static void take_aliases(const struct ing_aliases *aliases, struct mf_symbol_info *info)
{
    bool other = aliases != NULL && aliases->figi[0] != '\0' && info->figi.data != NULL &&
                 !mf_str_eq_c(info->figi, aliases->figi);
    info->alias_count = aliases != NULL && !other ? aliases->count : 0;
    for (size_t i = 0; i < info->alias_count; i++)
        info->aliases[i] = (struct mf_symbol_alias){.symbol = mf_str_of(aliases->items[i].symbol),
                                                    .from = aliases->items[i].from,
                                                    .to = aliases->items[i].to};
}

// Likewise of the instrument that is traded now. The list has no such day; where it did, it would be the
// row's.
static void take_listing(const struct ing_work *work, struct mf_symbol_info *info)
{
    const struct ing_listing *listing = work->listing;
    if (listing == NULL || work->pass != ING_PASS_ACTIVE || info->list_date.year > 0)
        return;
    bool other =
        listing->figi[0] != '\0' && info->figi.data != NULL && !mf_str_eq_c(info->figi, listing->figi);
    if (!other)
        info->list_date = listing->date;
}

int ing_polygon_fill_symbol(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err)
{
    (void)config, (void)scratch;
    const struct mf_json_node *row = item->row;
    struct mf_symbol_info *info = &event->symbol_info;
    event->symbol = item->key;
    event->asset_class = mf_asset_class_of_symbol(item->key);
    info->name = text_of(row, "name");
    if (info->name.data == NULL)
        return mf_error_set(err, MF_ERROR_POISON, "missing_field", "name is absent");
    info->exchange = text_of(row, "primary_exchange");
    info->type = text_of(row, "type");
    info->currency = currency_of(row);
    info->figi = text_of(row, "composite_figi");
    take_aliases(page->work->aliases, info);
    if (!take_date(row, "list_date", &info->list_date) || !take_date(row, "delisted_utc", &info->delist_date))
        return mf_error_set(err, MF_ERROR_POISON, "bad_date", "list_date or delisted_utc is not a date");
    take_listing(page->work, info);
    const struct mf_json_node *active = mf_json_get(row, "active");
    bool said = active != NULL && mf_json_type(active) == MF_JSON_BOOL;
    info->active = said ? mf_json_bool(active) : page->work->pass == ING_PASS_ACTIVE;
    return 0;
}
