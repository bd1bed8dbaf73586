// SPDX-License-Identifier: Apache-2.0
// Polygon market status and holidays: answers to what both exchanges say (market_days.h). Holidays are rows,
// in a bare array; a bad one is an item with its reason, the right ones are no items. Pure.
#include <stdlib.h>
#include <strings.h>

#include "services/ingestor/polygon.h"

enum { NYSE, NASDAQ, EXCHANGES };
enum { OPEN = 9 * 60 + 30, EARLY_CLOSE = 13 * 60, CLOSE = 16 * 60 };
// What is announced lies in the next year or two; what is older than that is somebody's archive.
enum { PAST_DAYS = 31, FUTURE_DAYS = 3 * 366 };

void ing_polygon_add_market_path(const struct ing_provider_config *config, const struct ing_work *work,
                                 struct mf_buf *url)
{
    (void)config;
    mf_buf_add_c(url, work->feed == ING_FEED_HOLIDAYS ? "/v1/marketstatus/upcoming" : "/v1/marketstatus/now");
}

bool ing_polygon_is_market_answer(const struct ing_work *work, const struct mf_json_node *root)
{
    if (root == NULL)
        return false;
    if (work->feed == ING_FEED_HOLIDAYS)
        return mf_json_type(root) == MF_JSON_ARRAY;
    const struct mf_json_node *exchanges = mf_json_get(root, "exchanges");
    return exchanges != NULL && mf_json_type(exchanges) == MF_JSON_OBJECT;
}

// ---------------------------------------------------------------- holidays

struct row_of_day {
    bool said, closed;
    int open_minute, close_minute;
};
struct day {
    struct mf_date date;
    struct row_of_day rows[EXCHANGES];
    char name[64];
};
struct days {
    struct day items[MF_CALENDAR_NOTICES_MAX];
    size_t count;
};

static bool is_word(struct mf_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

// The minute of the day in New York; `otherwise` when the row names no time. False when it is not one of that
// day.
static bool minute_of(const struct mf_calendar *calendar, const struct mf_json_node *row, const char *key,
                      struct mf_date date, int otherwise, int *minute)
{
    const struct mf_json_node *node = mf_json_get(row, key);
    int64_t time_us;
    *minute = otherwise;
    if (node == NULL || mf_json_type(node) == MF_JSON_NULL)
        return true;
    if (mf_json_type(node) != MF_JSON_STRING || !mf_time_parse(mf_json_text(node), &time_us) ||
        mf_date_cmp(mf_calendar_local_date(calendar, time_us), date) != 0)
        return false;
    *minute = (int)((time_us - mf_calendar_midnight_us(calendar, date)) / MF_US_PER_MINUTE);
    return true;
}

// Empty, or why the row says nothing about a day.
static const char *read_row(const struct mf_calendar *calendar, const struct mf_json_node *row,
                            struct mf_date *date, struct row_of_day *said)
{
    struct mf_str status = ing_text_of(row, "status");
    if (status.data == NULL || mf_json_get(row, "date") == NULL)
        return "missing_field";
    if (!mf_date_parse(ing_text_of(row, "date"), date))
        return "bad_date";
    *said = (struct row_of_day){.said = true, .closed = mf_str_eq_c(status, "closed")};
    if (said->closed)
        return "";
    if (!mf_str_eq_c(status, "early-close"))
        return "bad_status";
    int weekday = mf_date_weekday(*date);
    if (weekday == 0 || weekday == 6)
        return "bad_date";
    return minute_of(calendar, row, "open", *date, OPEN, &said->open_minute) &&
                   minute_of(calendar, row, "close", *date, EARLY_CLOSE, &said->close_minute) &&
                   said->open_minute < said->close_minute && said->close_minute <= CLOSE
               ? ""
               : "bad_time";
}

static struct day *day_of(struct days *days, struct mf_date date)
{
    for (size_t i = 0; i < days->count; i++) {
        if (mf_date_cmp(days->items[i].date, date) == 0)
            return &days->items[i];
    }
    if (days->count == MF_ARRAY_LEN(days->items))
        return NULL;
    days->items[days->count] = (struct day){.date = date};
    return &days->items[days->count++];
}

// Words of the provider's for logs, cut where a character begins.
static void take_name(const struct ing_provider_config *config, const struct mf_json_node *row, char name[64])
{
    char safe[ING_DETAIL_SIZE];
    ing_safe_text(ing_text_of(row, "name"), config->secret, safe);
    size_t len = strlen(safe);
    len = len < 63 ? len : 63;
    while (len > 0 && !mf_str_is_utf8((struct mf_str){safe, len}))
        len--;
    mf_str_copy(name, 64, (struct mf_str){safe, len});
}

// Of an exchange and a day the first row counts: others are the same, or bad.
static const char *take_row(const struct ing_provider_config *config, struct ing_page *page,
                            const struct mf_json_node *row, struct days *days)
{
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    struct mf_str exchange = ing_text_of(row, "exchange");
    if (exchange.data == NULL)
        return "missing_field";
    bool nasdaq = is_word(exchange, "NASDAQ");
    if (!nasdaq && !is_word(exchange, "NYSE")) {
        page->counts.foreign++;
        return "";
    }
    struct mf_date date = {0};
    struct row_of_day said;
    const char *problem = read_row(config->calendar, row, &date, &said);
    if (problem[0] != '\0')
        return problem;
    struct mf_date today = mf_calendar_local_date(config->calendar, page->asked_us);
    if (mf_date_cmp(date, mf_date_add_days(today, -PAST_DAYS)) < 0 ||
        mf_date_cmp(date, mf_date_add_days(today, FUTURE_DAYS)) > 0) {
        page->counts.out_of_range++;
        return "";
    }
    struct day *day = day_of(days, date);
    if (day == NULL)
        return "too_many_days";
    struct row_of_day *known = &day->rows[nasdaq ? NASDAQ : NYSE];
    if (known->said) {
        bool same = known->closed == said.closed && known->open_minute == said.open_minute &&
                    known->close_minute == said.close_minute;
        page->counts.duplicates += same;
        return same ? "" : "conflicting_row";
    }
    *known = said;
    if (day->name[0] == '\0')
        take_name(config, row, day->name);
    return "";
}

// Both exchanges are closed, or one of them is open for a part of the day: then the market is.
static void agree(const struct day *day, struct ing_market_said *said)
{
    const struct row_of_day *nyse = &day->rows[NYSE];
    const struct row_of_day *nasdaq = &day->rows[NASDAQ];
    if (!nyse->said || !nasdaq->said) {
        said->disputed[said->disputed_count++] = day->date;
        return;
    }
    struct mf_calendar_notice *notice = &said->days[said->count++];
    *notice = (struct mf_calendar_notice){.date = day->date, .closed = nyse->closed && nasdaq->closed};
    mf_str_copy(notice->reason, sizeof notice->reason, mf_str_of(day->name));
    if (notice->closed)
        return;
    const struct row_of_day *one = nyse->closed ? nasdaq : nyse;
    const struct row_of_day *other = nasdaq->closed ? nyse : nasdaq;
    notice->open_minute = one->open_minute < other->open_minute ? one->open_minute : other->open_minute;
    notice->close_minute = one->close_minute > other->close_minute ? one->close_minute : other->close_minute;
}

static void take_holidays(const struct ing_provider_config *config, const struct mf_json_node *rows,
                          struct ing_page *page)
{
    struct days *days = mf_calloc(1, sizeof *days);
    uint32_t index = 0;
    for (const struct mf_json_node *row = mf_json_first(rows); row != NULL;
         row = mf_json_next(row), index++) {
        const char *problem = take_row(config, page, row, days);
        if (problem[0] == '\0')
            continue;
        struct ing_item *item = ing_page_add(page);
        item->index = index;
        item->row = row;
        mf_str_copy(item->reason, sizeof item->reason, mf_str_of(problem));
    }
    page->counts.rows = index;
    page->counts.rejected = page->count;
    for (size_t i = 0; i < days->count; i++)
        agree(&days->items[i], &page->market);
    free(days);
    ing_page_arrange(page);
}

// ---------------------------------------------------------------- the state

static enum ing_market_state state_of(struct mf_str text)
{
    if (mf_str_eq_c(text, "open"))
        return ING_MARKET_OPEN;
    if (mf_str_eq_c(text, "closed"))
        return ING_MARKET_CLOSED;
    return mf_str_eq_c(text, "extended-hours") ? ING_MARKET_EXTENDED : ING_MARKET_UNSAID;
}

// The server's time has to be about that of the request, or what was open then is of no use.
static void take_state(const struct mf_json_node *root, struct ing_page *page)
{
    struct ing_market_said *said = &page->market;
    const struct mf_json_node *exchanges = mf_json_get(root, "exchanges");
    enum ing_market_state nyse = state_of(ing_text_of(exchanges, "nyse"));
    enum ing_market_state nasdaq = state_of(ing_text_of(exchanges, "nasdaq"));
    page->counts.rows = 1;
    if (nyse != nasdaq || !mf_time_parse(ing_text_of(root, "serverTime"), &said->server_time_us) ||
        llabs(said->server_time_us - page->asked_us) > MF_US_PER_HOUR)
        return;
    said->state = nyse;
}

void ing_polygon_take_market(const struct ing_provider_config *config, const struct mf_json_node *root,
                             struct ing_page *page)
{
    page->market = (struct ing_market_said){.state = ING_MARKET_UNSAID};
    if (page->work->feed == ING_FEED_HOLIDAYS)
        take_holidays(config, root, page);
    else
        take_state(root, page);
}
