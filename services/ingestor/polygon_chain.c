// SPDX-License-Identifier: Apache-2.0
// Polygon option chains: what is known now of each contract of an underlying, on the contract's newest day
// bar. A contract that has never traded has no such bar, and makes no event. Greeks and volatility are the
// vendor's own statistics: they are written as ours are, not digit for digit. Pure.
#include "common/url.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"

void ing_polygon_add_chain_path(const struct ing_provider_config *config, const struct ing_work *work,
                                struct mf_buf *url)
{
    (void)config;
    mf_buf_add_c(url, "/v3/snapshot/options");
    mf_url_add_path_segment(url, mf_str_of(work->symbol));
    if (work->filter != NULL)
        ing_polygon_add_filter(work->filter, url);
    mf_url_add_query(url, "sort", MF_STR("ticker"));
    mf_url_add_query(url, "order", MF_STR("asc"));
}

static const struct mf_json_node *object_of(const struct mf_json_node *row, const char *key)
{
    const struct mf_json_node *node = mf_json_get(row, key);
    return node != NULL && mf_json_type(node) == MF_JSON_OBJECT ? node : NULL;
}

// ---------------------------------------------------------------- rows

// Of a row that is an object.
static const char *problem_of(const struct ing_provider_config *config, const struct ing_page *page,
                              const struct ing_contract *contract, struct ing_item *item)
{
    int64_t stamp;
    struct ing_bar_place place;
    const struct mf_json_node *day = object_of(item->row, "day");
    if (mf_json_get(day, "last_updated") == NULL)
        return "missing_field";
    if (!ing_polygon_integer(day, "last_updated", &stamp) ||
        !mf_time_from_epoch_number(stamp, &item->vendor_us) ||
        !ing_bar_place(config->calendar, MF_ASSET_OPTION, MF_INTERVAL_1D, item->vendor_us, &place))
        return "bad_time";
    item->event_time_us = place.event_time_us;
    if (item->event_time_us > page->asked_us)
        return "future_timestamp";
    return ing_polygon_option_problem(contract, place.session_date);
}

// Makes the row an item; false when it is dropped.
static bool take_row(const struct ing_provider_config *config, struct ing_page *page, struct ing_item *item)
{
    struct ing_contract contract;
    const struct mf_json_node *details = NULL;
    const char *problem = "bad_type";
    if (mf_json_type(item->row) == MF_JSON_OBJECT) {
        details = object_of(item->row, "details");
        problem = "missing_field";
    }
    if (details != NULL) {
        item->key = ing_text_of(details, "ticker");
        problem = ing_polygon_chain_contract(page->work, item->row, &contract);
    }
    if (problem[0] == '\0') {
        const struct mf_json_node *day = object_of(item->row, "day");
        if (!ing_polygon_is_asked_for(page->work, &contract, &page->counts))
            return false;
        if (day == NULL || mf_json_count(day) == 0) {
            page->counts.out_of_range++;
            return false;
        }
        problem = problem_of(config, page, &contract, item);
    }
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(problem));
    return true;
}

void ing_polygon_chain_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                             struct ing_page *page)
{
    struct ing_row_walk walk;
    for (ing_row_walk_begin(&walk, page, rows); walk.row != NULL; ing_row_walk_next(&walk, page)) {
        struct ing_item *item = ing_page_add(page);
        item->index = walk.index;
        item->row = walk.row;
        if (!take_row(config, page, item))
            page->count--;
    }
}

// ---------------------------------------------------------------- events

static bool is_delayed(const struct mf_json_node *row)
{
    static const char *const parts[] = {"underlying_asset", "last_quote", "last_trade"};
    for (size_t i = 0; i < MF_ARRAY_LEN(parts); i++) {
        const struct mf_json_node *part = object_of(row, parts[i]);
        if (part != NULL && mf_str_eq_c(ing_text_of(part, "timeframe"), "DELAYED"))
            return true;
    }
    return false;
}

static bool says(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = object != NULL ? mf_json_get(object, key) : NULL;
    return node != NULL && mf_json_type(node) != MF_JSON_NULL;
}

// Half of them come with an exponent, and all with more digits than they are worth.
static int read_statistic(const struct mf_json_node *object, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                          struct mf_str *number, struct mf_error *err)
{
    double value = 0;
    size_t len = 0;
    if (!says(object, key))
        return 0;
    struct mf_str text = ing_polygon_number(object, key);
    if (text.data == NULL)
        return mf_error_set(err, MF_ERROR_POISON, "bad_type", "%s is not a number", key);
    if (!mf_decimal_to_double(text, &value) || !mf_decimal_from_double(value, out, &len))
        return mf_error_set(err, MF_ERROR_POISON, "bad_number", "%s is not a number that events carry", key);
    *number = (struct mf_str){out, len};
    return 0;
}

static int fill_snapshot(const struct ing_page *page, const struct mf_json_node *row,
                         char numbers[][MF_DECIMAL_TEXT_SIZE], struct mf_option_bar *option,
                         struct mf_error *err)
{
    const struct mf_json_node *greeks = object_of(row, "greeks");
    const struct mf_json_node *asset = object_of(row, "underlying_asset");
    int64_t rest = page->asked_us % MF_US_PER_MS;
    option->snapshot.time_us = page->asked_us - rest;
    const struct {
        const struct mf_json_node *object;
        const char *key;
        struct mf_str *number;
    } statistics[] = {
        {row, "implied_volatility", &option->snapshot.implied_volatility},
        {greeks, "delta", &option->snapshot.delta},
        {greeks, "gamma", &option->snapshot.gamma},
        {greeks, "theta", &option->snapshot.theta},
        {greeks, "vega", &option->snapshot.vega},
    };
    size_t at = 0;
    for (; at < MF_ARRAY_LEN(statistics); at++) {
        if (read_statistic(statistics[at].object, statistics[at].key, numbers[at], statistics[at].number,
                           err) < 0)
            return -1;
    }
    if (says(row, "open_interest") &&
        ing_polygon_read_number(row, "open_interest", numbers[at], &option->snapshot.open_interest, err) < 0)
        return -1;
    const char *price = says(asset, "price") ? "price" : "value"; // an index has a value
    if (!says(asset, price))
        return 0;
    return ing_polygon_read_number(asset, price, numbers[at + 1], &option->snapshot.underlying_price, err);
}

static int fill_day(const struct mf_json_node *day, char numbers[][MF_DECIMAL_TEXT_SIZE],
                    struct mf_event *event, struct mf_error *err)
{
    struct mf_bar *bar = &event->option_bar.bar;
    const struct {
        const char *key;
        struct mf_str *number;
    } wanted[] = {{"open", &bar->open},
                  {"high", &bar->high},
                  {"low", &bar->low},
                  {"close", &bar->close},
                  {"volume", &bar->volume}};
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        if (ing_polygon_read_number(day, wanted[i].key, numbers[i], wanted[i].number, err) < 0)
            return -1;
    }
    if (says(day, "vwap") && ing_polygon_read_number(day, "vwap", numbers[5], &bar->vwap, err) < 0)
        return -1;
    if (bar->vwap.data != NULL && mf_decimal_cmp(bar->vwap, MF_STR("0")) == 0)
        bar->vwap = MF_STR_NULL;
    if (bar->vwap.data == NULL)
        event->flags |= MF_FLAG_PROXY_VWAP;
    return 0;
}

int ing_polygon_fill_chain(const struct ing_provider_config *config, const struct ing_page *page,
                           const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                           struct mf_error *err)
{
    struct mf_option_bar *option = &event->option_bar;
    struct ing_bar_place place;
    const char *problem = ing_polygon_chain_contract(page->work, item->row, &scratch->contract);
    assert(problem[0] == '\0'); // it was an item then
    (void)problem;
    bool placed = ing_bar_place(config->calendar, MF_ASSET_OPTION, MF_INTERVAL_1D, item->vendor_us, &place);
    assert(placed);
    (void)placed;
    option->bar.interval = MF_INTERVAL_1D;
    option->bar.window_end_us = place.window_end_us;
    option->bar.session_date = place.session_date;
    option->bar.session = place.session;
    option->bar.adjusted = MF_ADJUSTED_NONE;
    option->bar.vendor_ms = item->vendor_us / MF_US_PER_MS;
    if (place.window_end_us > page->asked_us)
        event->flags |= MF_FLAG_FORMING;
    if (is_delayed(item->row))
        event->flags |= MF_FLAG_DELAYED;
    ing_polygon_fill_contract(&scratch->contract, event);
    if (fill_day(mf_json_get(item->row, "day"), scratch->numbers, event, err) < 0)
        return -1;
    return fill_snapshot(page, item->row, scratch->more_numbers, option, err);
}
