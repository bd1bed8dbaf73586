// SPDX-License-Identifier: Apache-2.0
// Polygon's days in other shapes than a range: the whole market on one day (grouped), the last day of a
// ticker (previous), one day with the prices around its session (open-close). Their bars are those of the
// range feed: same time, same key, same content where they say the same, so that they are known as the same
// bars downstream. Pure.
#include "common/url.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"
#include "services/ingestor/symbols.h"

static void add_day(const struct ing_provider_config *config, const struct ing_work *work, struct mf_buf *url)
{
    char text[MF_DATE_TEXT_SIZE];
    mf_date_format(ing_market_date(config->calendar, work->asset_class, work->from_us), text);
    mf_buf_addf(url, "/%s", text);
}

static void add_adjusted(const struct ing_work *work, struct mf_buf *url)
{
    mf_url_add_query(url, "adjusted", work->adjusted == MF_ADJUSTED_SPLIT ? MF_STR("true") : MF_STR("false"));
}

void ing_polygon_add_grouped_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url)
{
    mf_buf_add_c(url, "/v2/aggs/grouped/locale/us/market/stocks");
    add_day(config, work, url);
    add_adjusted(work, url);
    mf_url_add_query(url, "include_otc", work->otc ? MF_STR("true") : MF_STR("false"));
}

void ing_polygon_add_previous_path(const struct ing_provider_config *config, const struct ing_work *work,
                                   struct mf_buf *url)
{
    (void)config;
    mf_buf_add_c(url, "/v2/aggs/ticker");
    mf_url_add_path_segment(url, mf_str_of(work->symbol));
    mf_buf_add_c(url, "/prev");
    add_adjusted(work, url);
}

void ing_polygon_add_open_close_path(const struct ing_provider_config *config, const struct ing_work *work,
                                     struct mf_buf *url)
{
    mf_buf_add_c(url, "/v1/open-close");
    mf_url_add_path_segment(url, mf_str_of(work->symbol));
    add_day(config, work, url);
    add_adjusted(work, url);
}

static bool reject(struct ing_item *item, const char *reason)
{
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(reason));
    return true;
}

// ---------------------------------------------------------------- grouped, previous

// A day's stamp is its close, and where days have no sessions that is the next one's midnight: a day that is
// not over cannot be the previous one.
static void mind_close(const struct ing_provider_config *config, const struct ing_page *page,
                       struct ing_item *item)
{
    enum mf_asset_class asset_class = page->work->asset_class;
    struct ing_window day = ing_window_of(config->calendar, asset_class, MF_INTERVAL_1D, item->vendor_us);
    if (item->vendor_us == day.start_us && day.next_us > page->asked_us &&
        !ing_market_has_sessions(asset_class))
        item->event_time_us =
            ing_window_of(config->calendar, asset_class, MF_INTERVAL_1D, day.start_us - 1).start_us;
}

// Whose bar the row is; false when it is dropped.
static bool take_day(const struct ing_provider_config *config, struct ing_page *page,
                     const struct mf_json_node *row, struct ing_item *item)
{
    const struct ing_work *work = page->work;
    item->row = row;
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return reject(item, "bad_type");
    struct mf_str ticker = ing_text_of(row, "T");
    if (work->market == ING_MARKET_NONE) { // the envelope names the ticker, the row need not
        if (ticker.data != NULL && !mf_str_eq_c(ticker, work->symbol)) {
            page->counts.foreign++;
            return false;
        }
        bool taken = ing_polygon_take_bar(config, page, row, item);
        if (taken && item->reason[0] == '\0')
            mind_close(config, page, item);
        return taken;
    }
    item->key = ticker;
    if (ticker.data == NULL)
        return reject(item, "missing_field");
    char symbol[MF_SYMBOL_MAX + 1];
    if (!mf_symbol_is_valid(ticker) || !mf_str_copy(symbol, sizeof symbol, ticker))
        return reject(item, "bad_symbol");
    if (work->only != NULL && !ing_symbols_has(work->only, symbol)) {
        page->counts.foreign++;
        return false;
    }
    return ing_polygon_take_bar(config, page, row, item);
}

void ing_polygon_day_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page)
{
    ing_polygon_take_rows(config, rows, page, take_day);
}

int ing_polygon_fill_day(const struct ing_provider_config *config, const struct ing_page *page,
                         const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err)
{
    if (page->work->market != ING_MARKET_NONE)
        event->symbol = item->key;
    return ing_polygon_fill_bar(config, page, item, scratch, event, err);
}

// ---------------------------------------------------------------- open-close

// Empty when the answer is an event as far as its identity goes.
static const char *identity_problem(const struct ing_provider_config *config, const struct ing_page *page,
                                    const struct mf_json_node *row, struct ing_item *item)
{
    struct mf_date date;
    if (mf_json_get(row, "from") == NULL)
        return "missing_field";
    if (!mf_date_parse(ing_text_of(row, "from"), &date))
        return "bad_date";
    item->event_time_us = item->vendor_us =
        ing_market_midnight_us(config->calendar, page->work->asset_class, date);
    return "";
}

void ing_polygon_open_close_items(const struct ing_provider_config *config, const struct mf_json_node *answer,
                                  struct ing_page *page)
{
    const struct ing_work *work = page->work;
    if (answer == NULL)
        return;
    page->counts.rows = 1;
    // N37: another ticker's day.
    struct mf_str symbol = ing_text_of(answer, "symbol");
    if (symbol.data != NULL && !mf_str_eq_c(symbol, work->symbol)) {
        page->counts.foreign++;
        return;
    }
    struct ing_item *item = ing_page_add(page);
    item->row = answer;
    reject(item, identity_problem(config, page, answer, item));
    if (item->reason[0] == '\0' &&
        (item->event_time_us < work->from_us || item->event_time_us >= work->to_us)) {
        page->counts.out_of_range++;
        page->count--;
    }
}

// A price that need not be there; 0 is the vendor's way of saying that there was none.
static int read_optional(const struct mf_json_node *row, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                         struct mf_str *number, struct mf_error *err)
{
    const struct mf_json_node *node = mf_json_get(row, key);
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return 0;
    if (ing_polygon_read_number(row, key, out, number, err) < 0)
        return -1;
    if (mf_decimal_cmp(*number, MF_STR("0")) == 0)
        *number = MF_STR_NULL;
    return 0;
}

int ing_polygon_fill_open_close(const struct ing_provider_config *config, const struct ing_page *page,
                                const struct ing_item *item, struct ing_scratch *scratch,
                                struct mf_event *event, struct mf_error *err)
{
    struct mf_bar *bar = &event->bar;
    const struct {
        const char *key;
        struct mf_str *number;
    } wanted[] = {{"open", &bar->open},
                  {"high", &bar->high},
                  {"low", &bar->low},
                  {"close", &bar->close},
                  {"volume", &bar->volume}};
    if (ing_polygon_place_bar(config, page, item, bar, err) < 0)
        return -1;
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        bool none =
            page->work->asset_class == MF_ASSET_INDEX && mf_json_get(item->row, wanted[i].key) == NULL;
        if (none && wanted[i].number == &bar->volume)
            *wanted[i].number = MF_STR("0"); // an index is no instrument
        else if (ing_polygon_read_number(item->row, wanted[i].key, scratch->numbers[i], wanted[i].number,
                                         err) < 0)
            return -1;
    }
    event->flags |= MF_FLAG_PROXY_VWAP; // N29: there is none
    const struct mf_json_node *otc = mf_json_get(item->row, "otc");
    if (otc != NULL && mf_json_type(otc) == MF_JSON_BOOL)
        bar->otc = mf_json_bool(otc) ? 1 : 0;
    if (read_optional(item->row, "preMarket", scratch->numbers[5], &bar->pre_market, err) < 0)
        return -1;
    return read_optional(item->row, "afterHours", scratch->numbers[6], &bar->after_hours, err);
}
