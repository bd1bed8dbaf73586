// SPDX-License-Identifier: Apache-2.0
// Polygon range aggregates: rows to bars. Prices stay the vendor's own text. Pure.
#include "services/ingestor/bar_session.h"
#include "services/ingestor/polygon.h"

static void reject(struct ing_item *item, const char *reason)
{
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(reason));
}

// N50: two windows ahead of the time of the request is no bar but a broken clock.
static bool is_future(const struct ing_page *page, int64_t event_time_us)
{
    int64_t length_us = mf_interval_us(ing_timespans[page->work->timespan].interval);
    return event_time_us > page->asked_us + 2 * length_us;
}

// Makes the row an item; false when it is dropped.
static bool take_bar(const struct ing_provider_config *config, struct ing_page *page,
                     const struct mf_json_node *row, struct ing_item *item)
{
    const struct ing_work *work = page->work;
    int64_t stamp;
    item->row = row;
    if (mf_json_type(row) != MF_JSON_OBJECT) {
        reject(item, "bad_type");
        return true;
    }
    if (mf_json_get(row, "t") == NULL) {
        reject(item, "missing_field");
        return true;
    }
    struct ing_bar_place place;
    enum mf_interval interval = ing_timespans[work->timespan].interval;
    // N33: seconds, milliseconds, microseconds or nanoseconds, by magnitude.
    if (!ing_polygon_integer(row, "t", &stamp) || !mf_time_from_epoch_number(stamp, &item->vendor_us) ||
        !ing_bar_place(config->calendar, work->asset_class, interval, item->vendor_us, &place)) {
        reject(item, "bad_time");
        return true;
    }
    item->event_time_us = place.event_time_us;
    if (is_future(page, item->event_time_us)) {
        reject(item, "future_timestamp");
        return true;
    }
    // N11: the vendor may answer more than what was asked.
    if (item->event_time_us < work->from_us || item->event_time_us >= work->to_us) {
        page->counts.out_of_range++;
        return false;
    }
    return true;
}

void ing_polygon_bar_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page)
{
    struct ing_row_walk walk;
    int64_t before_us = INT64_MIN;
    for (ing_row_walk_begin(&walk, page, rows); walk.row != NULL; ing_row_walk_next(&walk, page)) {
        struct ing_item *item = ing_page_add(page);
        item->index = walk.index;
        if (!take_bar(config, page, walk.row, item)) {
            page->count--;
            continue;
        }
        if (item->event_time_us < before_us && item->reason[0] == '\0')
            page->counts.unsorted++;
        if (item->reason[0] == '\0')
            before_us = item->event_time_us;
    }
}

// The member's number in the form events carry it, its text in `out`.
static int read_number(const struct mf_json_node *row, const char *key, char out[MF_DECIMAL_TEXT_SIZE],
                       struct mf_str *number, struct mf_error *err)
{
    const struct mf_json_node *node = mf_json_get(row, key);
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return mf_error_set(err, MF_ERROR_POISON, "missing_field", "%s is absent", key);
    struct mf_str text = ing_polygon_number(row, key);
    if (text.data == NULL)
        return mf_error_set(err, MF_ERROR_POISON, "bad_type", "%s is %s, not a number", key,
                            mf_json_type_name(mf_json_type(node)));
    size_t len = 0;
    if (mf_decimal_normalise(text, out, &len, err) < 0)
        return mf_error_prefix(err, "%s", key);
    *number = (struct mf_str){out, len};
    return 0;
}

static int fill_optional(const struct mf_json_node *row, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err)
{
    struct mf_bar *bar = &event->bar;
    const struct mf_json_node *vwap = mf_json_get(row, "vw");
    if (vwap != NULL && mf_json_type(vwap) != MF_JSON_NULL) {
        if (read_number(row, "vw", scratch->numbers[5], &bar->vwap, err) < 0)
            return -1;
        if (mf_decimal_cmp(bar->vwap, MF_STR("0")) == 0) // a window without trades has none
            bar->vwap = MF_STR_NULL;
    }
    // N29: who needs a price for the whole window takes the typical one, and the flag says so.
    if (bar->vwap.data == NULL)
        event->flags |= MF_FLAG_PROXY_VWAP;
    const struct mf_json_node *trades = mf_json_get(row, "n");
    if (trades != NULL && mf_json_type(trades) != MF_JSON_NULL &&
        !ing_polygon_integer(row, "n", &bar->trade_count))
        return mf_error_set(err, MF_ERROR_POISON, "bad_number", "n is not a whole number");
    const struct mf_json_node *otc = mf_json_get(row, "otc");
    if (otc != NULL && mf_json_type(otc) == MF_JSON_BOOL)
        bar->otc = mf_json_bool(otc) ? 1 : 0;
    return 0;
}

int ing_polygon_fill_bar(const struct ing_provider_config *config, const struct ing_page *page,
                         const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                         struct mf_error *err)
{
    const struct ing_work *work = page->work;
    struct mf_bar *bar = &event->bar;
    const struct {
        const char *key;
        struct mf_str *number;
    } wanted[] = {
        {"o", &bar->open}, {"h", &bar->high}, {"l", &bar->low}, {"c", &bar->close}, {"v", &bar->volume}};
    struct ing_bar_place place;
    bar->interval = ing_timespans[work->timespan].interval;
    if (!ing_bar_place(config->calendar, work->asset_class, bar->interval, item->vendor_us, &place))
        return mf_error_set(err, MF_ERROR_POISON, "bad_time", "t is not the start of a window");
    bar->window_end_us = place.window_end_us;
    bar->session_date = place.session_date;
    bar->session = place.session;
    bar->vendor_ms = item->vendor_us / MF_US_PER_MS;
    // Only the prices of stocks are ever rescaled, whatever was asked for.
    bar->adjusted = work->asset_class == MF_ASSET_STOCK ? work->adjusted : MF_ADJUSTED_NONE;
    for (size_t i = 0; i < MF_ARRAY_LEN(wanted); i++) {
        if (read_number(item->row, wanted[i].key, scratch->numbers[i], wanted[i].number, err) < 0)
            return -1;
    }
    return fill_optional(item->row, scratch, event, err);
}
