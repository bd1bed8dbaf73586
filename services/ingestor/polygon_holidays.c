// SPDX-License-Identifier: Apache-2.0
// Polygon market status: whether the exchanges are open now, and a bare array of the days to come on which
// they are not, or not as long. Of the exchanges only New York and Nasdaq count. Pure.
#include "services/ingestor/polygon.h"

bool ing_polygon_is_of_calendar(const struct ing_work *work)
{
    return work->feed == ING_FEED_HOLIDAYS || work->feed == ING_FEED_MARKET_STATE;
}

void ing_polygon_add_calendar_path(const struct ing_provider_config *config, const struct ing_work *work,
                                   struct mf_buf *url)
{
    (void)config;
    mf_buf_add_c(url, work->feed == ING_FEED_HOLIDAYS ? "/v1/marketstatus/upcoming" : "/v1/marketstatus/now");
}

bool ing_polygon_calendar_is_right(const struct ing_work *work, const struct mf_json_node *root)
{
    if (work->feed == ING_FEED_HOLIDAYS)
        return mf_json_type(root) == MF_JSON_ARRAY;
    return mf_json_type(root) == MF_JSON_OBJECT && ing_text_of(root, "market").data != NULL;
}

// Minute of the day in New York of a member that is a time of that day; the usual one when it is absent. -1
// when it is none.
static int minute_of(const struct ing_provider_config *config, const struct mf_json_node *row,
                     const char *key, struct mf_date date, int usual)
{
    int64_t time_us;
    if (mf_json_get(row, key) == NULL)
        return usual;
    if (!mf_time_parse(ing_text_of(row, key), &time_us))
        return -1;
    int64_t minute = (time_us - mf_calendar_midnight_us(config->calendar, date)) / MF_US_PER_MINUTE;
    return minute >= 0 && minute < 24 * 60 ? (int)minute : -1;
}

// Empty when the row is a day; *wanted: of an exchange that counts.
static const char *read_day(const struct ing_provider_config *config, const struct mf_json_node *row,
                            struct mf_calendar_change *day, bool *wanted)
{
    *wanted = false;
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    struct mf_str exchange = ing_text_of(row, "exchange");
    struct mf_str status = ing_text_of(row, "status");
    if (exchange.data == NULL || status.data == NULL || mf_json_get(row, "date") == NULL)
        return "missing_field";
    if (!mf_date_parse(ing_text_of(row, "date"), &day->date))
        return "bad_date";
    *wanted = mf_str_eq_c(exchange, "NYSE") || mf_str_eq_c(exchange, "NASDAQ");
    day->closed = mf_str_eq_c(status, "closed");
    day->open_minute = minute_of(config, row, "open", day->date, 570);
    day->close_minute = minute_of(config, row, "close", day->date, 960);
    if (day->closed)
        return "";
    if (!mf_str_eq_c(status, "early-close"))
        return "bad_value";
    return day->open_minute >= 0 && day->close_minute > day->open_minute ? "" : "bad_time";
}

static void take_days(const struct ing_provider_config *config, const struct mf_json_node *root,
                      struct ing_page *page)
{
    uint32_t index = 0;
    for (const struct mf_json_node *row = mf_json_first(root); row != NULL;
         row = mf_json_next(row), index++) {
        struct mf_calendar_change day = {0};
        bool wanted;
        const char *problem = read_day(config, row, &day, &wanted);
        page->counts.rows++;
        if (problem[0] == '\0') {
            page->counts.foreign += !wanted;
            if (wanted && !ing_holidays_add(&page->holidays, &day))
                page->counts.out_of_range++;
            continue;
        }
        struct ing_item *item = ing_page_add(page);
        item->index = index;
        item->row = row;
        mf_str_copy(item->reason, sizeof item->reason, mf_str_of(problem));
        page->counts.rejected++;
    }
}

void ing_polygon_take_calendar(const struct ing_provider_config *config, const struct mf_json_node *root,
                               struct ing_page *page)
{
    if (page->work->feed == ING_FEED_HOLIDAYS) {
        take_days(config, root, page);
        return;
    }
    struct mf_str market = ing_text_of(root, "market");
    page->counts.rows = 1;
    page->holidays.state = mf_str_eq_c(market, "open")             ? ING_STATE_OPEN
                           : mf_str_eq_c(market, "extended-hours") ? ING_STATE_EXTENDED
                           : mf_str_eq_c(market, "closed")         ? ING_STATE_CLOSED
                                                                   : ING_STATE_UNKNOWN;
    mf_time_parse(ing_text_of(root, "serverTime"), &page->holidays.server_us);
}
