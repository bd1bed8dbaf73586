// SPDX-License-Identifier: Apache-2.0
// A page of items, and the texts that leave it (see provider.h).
#include <stdlib.h>

#include "common/json_writer.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/provider.h"

enum { ITEMS_KEPT = 1024, JSON_KEPT = 512 * 1024, TEXT_KEPT = 64 * 1024 };
#define TEXT_MAX ((size_t)16 * 1024 * 1024)

const struct ing_feed_info ing_feeds[ING_FEED_MAX] = {
    [ING_FEED_BARS] = {"bars", MF_EVENT_BAR},
    [ING_FEED_NEWS] = {"news", MF_EVENT_NEWS},
    [ING_FEED_SYMBOLS] = {"symbols", MF_EVENT_SYMBOL},
    [ING_FEED_SPLITS] = {"splits", MF_EVENT_CORPORATE_ACTION},
    [ING_FEED_DIVIDENDS] = {"dividends", MF_EVENT_CORPORATE_ACTION},
    [ING_FEED_OPTIONS] = {"options", MF_EVENT_OPTION_BAR},
    [ING_FEED_CONTRACTS] = {"contracts", MF_EVENT_OPTION_BAR},
    [ING_FEED_CHAIN] = {"chain", MF_EVENT_OPTION_BAR},
    [ING_FEED_HOLIDAYS] = {"holidays", MF_EVENT_FEED_STATUS},
    [ING_FEED_MARKET_STATE] = {"market_state", MF_EVENT_FEED_STATUS},
    [ING_FEED_GROUPED] = {"grouped", MF_EVENT_BAR},
    [ING_FEED_PREVIOUS] = {"previous", MF_EVENT_BAR},
    [ING_FEED_OPEN_CLOSE] = {"open-close", MF_EVENT_BAR},
};

const struct ing_market_info ing_markets[ING_MARKET_MAX] = {
    [ING_MARKET_STOCKS] = {"stocks", MF_ASSET_STOCK},
    [ING_MARKET_OTC] = {"otc", MF_ASSET_STOCK},
    [ING_MARKET_INDICES] = {"indices", MF_ASSET_INDEX},
    [ING_MARKET_CRYPTO] = {"crypto", MF_ASSET_CRYPTO},
    [ING_MARKET_FX] = {"fx", MF_ASSET_FX},
};

const struct ing_timespan_info ing_timespans[ING_TIMESPAN_MAX] = {
    [ING_TIMESPAN_SECOND] = {"second", "second", 1, MF_INTERVAL_1S, ING_BASE_SECOND, 1},
    [ING_TIMESPAN_5SECOND] = {"5second", "second", 5, MF_INTERVAL_5S, ING_BASE_SECOND, 5},
    [ING_TIMESPAN_MINUTE] = {"minute", "minute", 1, MF_INTERVAL_1M, ING_BASE_MINUTE, 1},
    [ING_TIMESPAN_5MINUTE] = {"5minute", "minute", 5, MF_INTERVAL_5M, ING_BASE_MINUTE, 5},
    [ING_TIMESPAN_15MINUTE] = {"15minute", "minute", 15, MF_INTERVAL_15M, ING_BASE_MINUTE, 15},
    [ING_TIMESPAN_30MINUTE] = {"30minute", "minute", 30, MF_INTERVAL_30M, ING_BASE_MINUTE, 30},
    [ING_TIMESPAN_HOUR] = {"hour", "hour", 1, MF_INTERVAL_1H, ING_BASE_MINUTE, 60},
    [ING_TIMESPAN_4HOUR] = {"4hour", "hour", 4, MF_INTERVAL_4H, ING_BASE_MINUTE, 240},
    [ING_TIMESPAN_DAY] = {"day", "day", 1, MF_INTERVAL_1D, ING_BASE_DAY, 1},
    [ING_TIMESPAN_WEEK] = {"week", "week", 1, MF_INTERVAL_1W, ING_BASE_DAY, 7},
    [ING_TIMESPAN_MONTH] = {"month", "month", 1, MF_INTERVAL_1MO, ING_BASE_DAY, 31},
    [ING_TIMESPAN_QUARTER] = {"quarter", "quarter", 1, MF_INTERVAL_3MO, ING_BASE_DAY, 92},
    [ING_TIMESPAN_YEAR] = {"year", "year", 1, MF_INTERVAL_1Y, ING_BASE_DAY, 366},
};

const char *ing_feed_name(enum ing_feed feed)
{
    assert(feed < ING_FEED_MAX);
    return ing_feeds[feed].name;
}

bool ing_feed_is_reference(enum ing_feed feed)
{
    return ing_feeds[feed].type == MF_EVENT_SYMBOL || ing_feeds[feed].type == MF_EVENT_CORPORATE_ACTION ||
           feed == ING_FEED_CONTRACTS || feed == ING_FEED_CHAIN;
}

bool ing_feed_is_of_now(enum ing_feed feed)
{
    return feed == ING_FEED_SYMBOLS || feed == ING_FEED_CONTRACTS || feed == ING_FEED_CHAIN ||
           feed == ING_FEED_PREVIOUS;
}

bool ing_feed_is_of_bars(enum ing_feed feed)
{
    return feed == ING_FEED_BARS || feed == ING_FEED_OPTIONS;
}

bool ing_feed_is_of_market(enum ing_feed feed)
{
    return feed == ING_FEED_HOLIDAYS || feed == ING_FEED_MARKET_STATE;
}

bool ing_feed_is_by_day(enum ing_feed feed)
{
    return feed == ING_FEED_GROUPED || feed == ING_FEED_OPEN_CLOSE;
}

bool ing_feed_is_single(enum ing_feed feed)
{
    return ing_feed_is_by_day(feed) || feed == ING_FEED_PREVIOUS;
}

bool ing_market_parse(struct mf_str text, enum ing_market *market)
{
    for (unsigned i = ING_MARKET_NONE + 1; i < ING_MARKET_MAX; i++) {
        if (mf_str_eq_c(text, ing_markets[i].name)) {
            *market = (enum ing_market)i;
            return true;
        }
    }
    return false;
}

bool ing_timespan_parse(struct mf_str text, enum ing_timespan *timespan)
{
    for (unsigned i = 0; i < ING_TIMESPAN_MAX; i++) {
        if (mf_str_eq_c(text, ing_timespans[i].name)) {
            *timespan = (enum ing_timespan)i;
            return true;
        }
    }
    return false;
}

const char *ing_timespan_names(char text[160])
{
    struct mf_buf out;
    mf_buf_init(&out, 159);
    for (unsigned i = 0; i < ING_TIMESPAN_MAX; i++)
        mf_buf_addf(&out, "%s%s",
                    i == 0                     ? ""
                    : i + 1 < ING_TIMESPAN_MAX ? ", "
                                               : " or ",
                    ing_timespans[i].name);
    mf_str_copy(text, 160, mf_buf_str(&out));
    mf_buf_free(&out);
    return text;
}

bool ing_work_is_of_renames(const struct ing_work *work)
{
    return work->feed == ING_FEED_SYMBOLS && work->pass == ING_PASS_RENAMES;
}

bool ing_work_is_of_details(const struct ing_work *work)
{
    return work->feed == ING_FEED_SYMBOLS && work->pass == ING_PASS_DETAILS;
}

bool ing_work_is_beside(const struct ing_work *work)
{
    return ing_work_is_of_renames(work) || ing_work_is_of_details(work);
}

enum mf_event_type ing_work_event_type(const struct ing_work *work)
{
    return ing_work_is_of_renames(work) ? MF_EVENT_CORPORATE_ACTION : ing_feeds[work->feed].type;
}

enum ing_endpoint ing_endpoint_of(const struct ing_work *work)
{
    if (ing_work_is_of_renames(work))
        return ING_ENDPOINT_RENAMES;
    return ing_work_is_of_details(work) ? ING_ENDPOINT_DETAILS : (enum ing_endpoint)work->feed;
}

const char *ing_endpoint_name(enum ing_endpoint endpoint)
{
    if (endpoint < ING_ENDPOINT_RENAMES)
        return ing_feed_name((enum ing_feed)endpoint);
    return endpoint == ING_ENDPOINT_RENAMES ? "renames" : "details";
}

bool ing_work_is_of_contract(const struct ing_work *work)
{
    return work->feed == ING_FEED_CONTRACTS && work->asset_class == MF_ASSET_OPTION;
}

const char *ing_work_feed(const struct ing_work *work, char text[64])
{
    struct mf_buf out;
    mf_buf_init(&out, 63);
    mf_buf_addf(&out, "%s.%s", ing_polygon.name, ing_feed_name(work->feed));
    if (ing_feed_is_of_bars(work->feed))
        mf_buf_addf(&out, ".%s", mf_interval_name(ing_timespans[work->timespan].interval));
    mf_str_copy(text, 64, mf_buf_str(&out));
    mf_buf_free(&out);
    return text;
}

const char *ing_answer_name(enum ing_answer answer)
{
    static const char *const names[ING_ANSWER_MAX] = {
        [ING_ANSWER_DATA] = "data",
        [ING_ANSWER_EMPTY] = "empty",
        [ING_ANSWER_PERMANENT] = "permanent",
        [ING_ANSWER_KEY_REJECTED] = "key_rejected",
        [ING_ANSWER_PLAN_LIMIT] = "plan_limit",
        [ING_ANSWER_UNKNOWN_TICKER] = "unknown_ticker",
        [ING_ANSWER_RATE_LIMITED] = "rate_limited",
        [ING_ANSWER_TRANSIENT] = "transient",
    };
    assert(answer < ING_ANSWER_MAX);
    return names[answer];
}

void ing_page_init(struct ing_page *page)
{
    *page = (struct ing_page){
        .json = mf_json_new(), .row = mf_json_row_new(), .day = mf_calloc(1, sizeof *page->day)};
    mf_buf_init(&page->repaired, TEXT_MAX);
    mf_buf_init(&page->lost, TEXT_MAX);
}

void ing_page_free(struct ing_page *page)
{
    mf_json_free(&page->json);
    mf_buf_free(&page->repaired);
    mf_buf_free(&page->lost);
    mf_json_row_free(&page->row);
    free(page->day);
    free(page->items);
    free(page->contracts);
    *page = (struct ing_page){0};
}

// A page of fifty thousand rows comes once in a backfill; its memory must not stay for the live polls.
void ing_page_trim(struct ing_page *page)
{
    ing_page_forget_rows(page);
    if (page->capacity > ITEMS_KEPT) {
        free(page->items);
        page->items = NULL;
        page->capacity = 0;
    }
    free(page->contracts);
    page->contracts = NULL;
    page->contract_count = page->contract_capacity = 0;
    mf_buf_clear(&page->repaired);
    mf_buf_trim(&page->repaired, TEXT_KEPT);
    mf_buf_clear(&page->lost);
    mf_buf_trim(&page->lost, TEXT_KEPT);
    mf_json_trim(page->json, JSON_KEPT);
}

void ing_page_forget_rows(struct ing_page *page)
{
    page->count = page->row_count = 0;
    page->rows = MF_STR_NULL;
    page->counts = (struct ing_page_counts){0};
    page->newest_us = page->last_us = INT64_MIN;
    page->next = MF_STR_NULL;
    page->rest_us = 0;
}

void ing_page_reserve(struct ing_page *page, size_t count)
{
    if (page->capacity >= count)
        return;
    free(page->items); // nothing is lost: it is for the beginning of a page
    assert(page->count == 0);
    page->items = mf_alloc(count * sizeof *page->items);
    page->capacity = count;
}

// The pointer is good until the next one is added.
struct ing_item *ing_page_add(struct ing_page *page)
{
    if (page->count == page->capacity) {
        page->capacity = page->capacity < 64 ? 64 : page->capacity * 2;
        page->items = mf_realloc(page->items, page->capacity * sizeof *page->items);
    }
    struct ing_item *item = &page->items[page->count++];
    *item = (struct ing_item){.event_time_us = INT64_MIN, .vendor_us = INT64_MIN};
    return item;
}

// The place in the answer decides last, which makes the order total and the sort as good as stable.
static int compare_items(const void *left, const void *right)
{
    const struct ing_item *a = left;
    const struct ing_item *b = right;
    if (a->event_time_us != b->event_time_us)
        return a->event_time_us < b->event_time_us ? -1 : 1;
    int by_key = mf_str_cmp(a->key, b->key);
    if (by_key != 0)
        return by_key;
    return a->index < b->index ? -1 : a->index > b->index;
}

static bool is_again(const struct ing_item *before, const struct ing_item *item)
{
    return before->reason[0] == '\0' && item->reason[0] == '\0' &&
           before->event_time_us == item->event_time_us && mf_str_eq(before->key, item->key);
}

// Of the items [from, to), which are one event, the last is moved to `kept`, and those that say otherwise
// before it. Returns where the next one goes.
static size_t keep_last(struct ing_page *page, size_t from, size_t to, size_t kept)
{
    struct ing_item *items = page->items;
    size_t first = kept;
    for (size_t i = from; i + 1 < to; i++) {
        bool said_before = kept > first && items[i].content == items[kept - 1].content;
        if (said_before || items[i].content == items[to - 1].content) {
            page->counts.duplicates++;
            continue;
        }
        mf_str_copy(items[i].reason, sizeof items[i].reason, MF_STR("conflicting_row"));
        page->counts.rejected++;
        items[kept++] = items[i];
    }
    items[kept++] = items[to - 1];
    return kept;
}

void ing_page_arrange(struct ing_page *page)
{
    if (page->count == 0)
        return;
    qsort(page->items, page->count, sizeof *page->items, compare_items);
    size_t kept = 0;
    for (size_t from = 0, to = 0; from < page->count; from = to) {
        for (to = from + 1; to < page->count && is_again(&page->items[from], &page->items[to]);)
            to++;
        kept = keep_last(page, from, to, kept);
    }
    page->count = kept;
}

bool ing_page_comes_again(const struct ing_page *page, int64_t event_time_us)
{
    return page->rest_us != 0 && event_time_us >= page->rest_us;
}

int64_t ing_page_last_time(const struct ing_page *page)
{
    for (size_t i = page->count; i > 0; i--) {
        const struct ing_item *item = &page->items[i - 1];
        if (item->reason[0] == '\0' && !ing_page_comes_again(page, item->event_time_us))
            return item->event_time_us;
    }
    return INT64_MIN;
}

static void write_children(struct mf_json_writer *w, const struct mf_json_node *node);

static void write_node(struct mf_json_writer *w, const struct mf_json_node *node)
{
    switch (mf_json_type(node)) {
    case MF_JSON_NULL: mf_jw_null(w); break;
    case MF_JSON_BOOL: mf_jw_bool(w, mf_json_bool(node)); break;
    case MF_JSON_NUMBER: mf_jw_number_text(w, mf_json_text(node)); break;
    case MF_JSON_STRING: mf_jw_string(w, mf_json_text(node)); break;
    case MF_JSON_ARRAY:
        mf_jw_array_begin(w);
        write_children(w, node);
        mf_jw_array_end(w);
        break;
    case MF_JSON_OBJECT:
        mf_jw_object_begin(w);
        write_children(w, node);
        mf_jw_object_end(w);
        break;
    }
}

// The depth is the reader's limit.
static void write_children(struct mf_json_writer *w, const struct mf_json_node *node)
{
    for (const struct mf_json_node *child = mf_json_first(node); child != NULL; child = mf_json_next(child)) {
        if (mf_json_type(node) == MF_JSON_OBJECT)
            mf_jw_key_str(w, mf_json_key(child));
        write_node(w, child);
    }
}

void ing_node_write(const struct mf_json_node *node, struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_jw_init(&w, out);
    write_node(&w, node);
}

void ing_page_write_row(const struct ing_page *page, const struct ing_item *item, struct mf_buf *out)
{
    const struct mf_json_node *row = ing_page_row(page, item);
    if (row != NULL)
        ing_node_write(row, out);
    else
        mf_buf_add_str(out, item->raw);
}

struct mf_str ing_text_of(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    return node != NULL && mf_json_type(node) == MF_JSON_STRING ? mf_json_text(node) : MF_STR_NULL;
}

void ing_redact(struct mf_str text, const char *secret, struct mf_buf *out)
{
    size_t len = secret != NULL ? strlen(secret) : 0;
    while (len > 0 && text.len >= len) {
        const char *at = memmem(text.data, text.len, secret, len);
        if (at == NULL)
            break;
        size_t before = (size_t)(at - text.data);
        mf_buf_add(out, text.data, before);
        mf_buf_add_c(out, "***");
        text.data += before + len;
        text.len -= before + len;
    }
    mf_buf_add_str(out, text);
}

void ing_safe_text(struct mf_str text, const char *secret, char out[ING_DETAIL_SIZE])
{
    struct mf_buf clean;
    mf_buf_init(&clean, TEXT_MAX);
    if (text.len > 0)
        ing_redact(text, secret, &clean);
    struct mf_str line = mf_buf_str(&clean);
    if (line.len > ING_DETAIL_SIZE - 1) {
        line.len = ING_DETAIL_SIZE - 1;
        while (line.len > 0 && ((unsigned char)line.data[line.len] & 0xc0) == 0x80)
            line.len--;
    }
    if (!mf_str_is_utf8(line))
        line.len = 0;
    mf_str_copy(out, ING_DETAIL_SIZE, line.len > 0 ? line : MF_STR(""));
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    mf_buf_free(&clean);
}
