// SPDX-License-Identifier: Apache-2.0
// Polygon splits and dividends: rows to corporate actions. A ticker has one action of a kind per day (N16):
// its event's time is midnight of the first day that it shows in the price, in New York. Pure.
#include "common/hash.h"
#include "common/url.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"

enum { PARTS = 2 };
struct action_feed {
    const char *path, *date;  // of the endpoint; the member and parameter that dates an action
    const char *parts[PARTS]; // what makes two rows of a ticker and day the same action
};
static const struct action_feed splits = {
    "/v3/reference/splits", "execution_date", {"split_from", "split_to"}};
static const struct action_feed dividends = {
    "/v3/reference/dividends", "ex_dividend_date", {"cash_amount", "currency"}};

static const struct action_feed *feed_of(const struct ing_work *work)
{
    return work->feed == ING_FEED_SPLITS ? &splits : &dividends;
}

static void add_day(const struct ing_provider_config *config, const struct ing_work *work, const char *limit,
                    int64_t time_us, struct mf_buf *url)
{
    char name[32];
    char text[MF_DATE_TEXT_SIZE];
    struct mf_str parts[] = {mf_str_of(feed_of(work)->date), mf_str_of(limit)};
    size_t len = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(parts); len += parts[i++].len) {
        assert(len + parts[i].len < sizeof name);
        memcpy(name + len, parts[i].data, parts[i].len);
    }
    name[len] = '\0';
    mf_date_format(ing_market_date(config->calendar, MF_ASSET_STOCK, time_us), text);
    mf_url_add_query(url, name, mf_str_of(text));
}

// Oldest first: the watermark follows the pages.
void ing_polygon_add_actions_path(const struct ing_provider_config *config, const struct ing_work *work,
                                  struct mf_buf *url)
{
    mf_buf_add_c(url, feed_of(work)->path);
    if (work->market == ING_MARKET_NONE)
        mf_url_add_query(url, "ticker", mf_str_of(work->symbol));
    add_day(config, work, ".gte", work->from_us, url);
    add_day(config, work, ".lte", work->to_us - 1, url);
    mf_url_add_query(url, "sort", mf_str_of(feed_of(work)->date));
    mf_url_add_query(url, "order", MF_STR("asc"));
}

// Empty when the row is an event as far as its identity goes.
static const char *identity_problem(const struct ing_provider_config *config, const struct ing_page *page,
                                    const struct mf_json_node *row, struct ing_item *item)
{
    const char *key = feed_of(page->work)->date;
    struct mf_date date;
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    item->key = ing_text_of(row, "ticker");
    if (item->key.data == NULL || mf_json_get(row, key) == NULL)
        return "missing_field";
    if (!mf_symbol_is_valid(item->key))
        return "bad_symbol";
    if (!mf_date_parse(ing_text_of(row, key), &date))
        return "bad_date";
    item->event_time_us = item->vendor_us = ing_market_midnight_us(config->calendar, MF_ASSET_STOCK, date);
    return "";
}

// Numbers by value: 1 and 1.0 are the same ratio.
static uint64_t content_of(const struct ing_work *work, const struct mf_json_node *row)
{
    struct mf_buf text;
    mf_buf_init(&text, 1024);
    for (size_t i = 0; i < PARTS; i++) {
        struct mf_str part = ing_polygon_number(row, feed_of(work)->parts[i]);
        char plain[MF_DECIMAL_TEXT_SIZE];
        char canonical[MF_DECIMAL_TEXT_SIZE];
        size_t len = 0;
        if (part.len > 0 && mf_decimal_normalise(part, plain, &len, NULL) == 0)
            part = (struct mf_str){canonical, mf_decimal_canonical((struct mf_str){plain, len}, canonical)};
        if (part.len > 0)
            mf_buf_add_str(&text, part);
        mf_buf_add_char(&text, '|');
    }
    uint64_t hash = mf_hash64(text.data, text.len);
    mf_buf_free(&text);
    return hash;
}

// Makes the row an item; false when it is dropped.
static bool take_action(const struct ing_provider_config *config, struct ing_page *page,
                        const struct mf_json_node *row, struct ing_item *item)
{
    const struct ing_work *work = page->work;
    item->row = row;
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(identity_problem(config, page, row, item)));
    // N37: a ticker parameter that was ignored shows in rows of others.
    if (work->market == ING_MARKET_NONE && item->key.data != NULL && !mf_str_eq_c(item->key, work->symbol)) {
        page->counts.foreign++;
        return false;
    }
    if (item->reason[0] != '\0')
        return true;
    // What is announced for a day that has not begun is no event yet: it comes with its day.
    if (item->event_time_us < work->from_us || item->event_time_us >= work->to_us ||
        item->event_time_us > page->asked_us) {
        page->counts.out_of_range++;
        return false;
    }
    item->content = content_of(work, row);
    return true;
}

void ing_polygon_action_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                              struct ing_page *page)
{
    ing_polygon_take_rows(config, rows, page, take_action);
}

int ing_polygon_fill_action(const struct ing_provider_config *config, const struct ing_page *page,
                            const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                            struct mf_error *err)
{
    struct mf_corporate_action *action = &event->corporate_action;
    const struct mf_json_node *row = item->row;
    event->symbol = item->key;
    event->asset_class = mf_asset_class_of_symbol(item->key);
    action->ex_date = ing_market_date(config->calendar, MF_ASSET_STOCK, item->event_time_us);
    if (page->work->feed == ING_FEED_SPLITS) {
        action->kind = MF_ACTION_SPLIT;
        if (ing_polygon_read_number(row, "split_from", scratch->numbers[0], &action->split_from, err) < 0)
            return -1;
        return ing_polygon_read_number(row, "split_to", scratch->numbers[1], &action->split_to, err);
    }
    action->kind = MF_ACTION_DIVIDEND;
    struct mf_str currency = ing_text_of(row, "currency");
    action->currency = currency.len > 0 ? currency : MF_STR_NULL;
    return ing_polygon_read_number(row, "cash_amount", scratch->numbers[0], &action->cash_amount, err);
}
