// SPDX-License-Identifier: Apache-2.0
// Polygon.io (Massive) REST: requests, what answers mean, pages. The vendor's contract and the cases that
// have bitten its users are in docs/providers.md (N01 and so on below). Pure.
#include <stdio.h>

#include "common/url.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/plausible.h"
#include "services/ingestor/polygon.h"
#include "services/ingestor/request_range.h"

static const char *const request_headers[] = {"Accept: application/json", NULL};

// ---------------------------------------------------------------- requests

static void add_time_ms(struct mf_buf *url, int64_t time_us)
{
    mf_buf_addf(url, "/%lld", (long long)(time_us / MF_US_PER_MS));
}

static void add_date(const struct ing_provider_config *config, const struct ing_work *work,
                     struct mf_buf *url, int64_t time_us)
{
    char text[MF_DATE_TEXT_SIZE];
    mf_date_format(ing_market_date(config->calendar, work->asset_class, time_us), text);
    mf_buf_addf(url, "/%s", text);
}

// Ranges of days and longer are asked by date, because the vendor snaps a range outward to whole windows
// anyway; the rest by millisecond. The vendor's range includes its end.
static void add_bars_path(const struct ing_provider_config *config, const struct ing_work *work,
                          struct mf_buf *url)
{
    const struct ing_timespan_info *span = &ing_timespans[work->timespan];
    mf_buf_add_c(url, "/v2/aggs/ticker");
    mf_url_add_path_segment(url, mf_str_of(work->symbol));
    mf_buf_addf(url, "/range/%u/%s", span->multiplier, span->span);
    if (span->base == ING_BASE_DAY) {
        add_date(config, work, url, work->from_us);
        add_date(config, work, url, work->to_us - 1);
    } else {
        add_time_ms(url, work->from_us);
        add_time_ms(url, work->to_us - 1);
    }
    mf_url_add_query(url, "adjusted", work->adjusted == MF_ADJUSTED_SPLIT ? MF_STR("true") : MF_STR("false"));
    mf_url_add_query(url, "sort", MF_STR("asc"));
}

// Oldest first: the watermark follows the pages.
static void add_news_path(const struct ing_provider_config *config, const struct ing_work *work,
                          struct mf_buf *url)
{
    (void)config;
    char text[MF_TIME_TEXT_SIZE];
    mf_buf_add_c(url, "/v2/reference/news");
    mf_url_add_query(url, "ticker", mf_str_of(work->symbol));
    mf_url_add_query(url, "published_utc.gte", mf_str_of(mf_time_format_ms(work->from_us, text)));
    mf_url_add_query(url, "published_utc.lt", mf_str_of(mf_time_format_ms(work->to_us, text)));
    mf_url_add_query(url, "sort", MF_STR("published_utc"));
    mf_url_add_query(url, "order", MF_STR("asc"));
}

// What the feeds differ in.
struct polygon_feed {
    void (*add_path)(const struct ing_provider_config *config, const struct ing_work *work,
                     struct mf_buf *url);
    void (*add_items)(const struct ing_provider_config *config, const struct mf_json_node *rows,
                      struct ing_page *page);
    int (*fill)(const struct ing_provider_config *config, const struct ing_page *page,
                const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                struct mf_error *err);
    ing_take_row *take; // many flat rows: read one by one; else NULL
};
static const struct polygon_feed polygon_feeds[ING_FEED_MAX] = {
    [ING_FEED_BARS] = {add_bars_path, ing_polygon_bar_items, ing_polygon_fill_bar, ing_polygon_take_bar},
    [ING_FEED_NEWS] = {add_news_path, ing_polygon_news_items, ing_polygon_fill_news},
    [ING_FEED_SYMBOLS] = {ing_polygon_add_symbols_path, ing_polygon_symbol_items, ing_polygon_fill_symbol},
    [ING_FEED_SPLITS] = {ing_polygon_add_actions_path, ing_polygon_action_items, ing_polygon_fill_action},
    [ING_FEED_DIVIDENDS] = {ing_polygon_add_actions_path, ing_polygon_action_items, ing_polygon_fill_action},
    [ING_FEED_OPTIONS] = {add_bars_path, ing_polygon_bar_items, ing_polygon_fill_option,
                          ing_polygon_take_bar},
    [ING_FEED_CONTRACTS] = {ing_polygon_add_contracts_path, ing_polygon_contract_items, NULL},
    [ING_FEED_CHAIN] = {ing_polygon_add_chain_path, ing_polygon_chain_items, ing_polygon_fill_chain},
    [ING_FEED_HOLIDAYS] = {ing_polygon_add_market_path, NULL, NULL},
    [ING_FEED_MARKET_STATE] = {ing_polygon_add_market_path, NULL, NULL},
    [ING_FEED_GROUPED] = {ing_polygon_add_grouped_path, ing_polygon_day_items, ing_polygon_fill_day},
    [ING_FEED_PREVIOUS] = {ing_polygon_add_previous_path, ing_polygon_day_items, ing_polygon_fill_day},
    [ING_FEED_OPEN_CLOSE] = {ing_polygon_add_open_close_path, ing_polygon_open_close_items,
                             ing_polygon_fill_open_close},
};

static int build_request(const struct ing_provider_config *config, const struct ing_work *work,
                         struct mf_buf *url, const char **endpoint, struct mf_error *err)
{
    if (!mf_symbol_is_valid(mf_str_of(work->symbol)) || work->from_us >= work->to_us || work->limit == 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_work", "no request can be made for '%s'",
                            work->symbol);
    size_t base_len = strlen(config->base_url);
    while (base_len > 0 && config->base_url[base_len - 1] == '/')
        base_len--;
    mf_buf_clear(url);
    mf_buf_add(url, config->base_url, base_len);
    polygon_feeds[work->feed].add_path(config, work, url);
    // Those come on one page.
    if (!ing_work_is_beside(work) && !ing_work_is_of_contract(work) && !ing_feed_is_single(work->feed) &&
        !ing_feed_is_of_market(work->feed)) {
        char limit[16];
        snprintf(limit, sizeof limit, "%u", ing_request_limit(work));
        mf_url_add_query(url, "limit", mf_str_of(limit));
    }
    *endpoint = ing_feed_name(work->feed);
    if (url->overflow || url->len > MF_URL_MAX)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_work", "the request for '%s' is too long",
                            work->symbol);
    return 0;
}

static int build_next(const struct ing_provider_config *config, struct mf_str next, struct mf_buf *url,
                      struct mf_error *err)
{
    return mf_url_rebase(config->base_url, config->allowed_hosts, next, url, err);
}

// ---------------------------------------------------------------- what an answer means

static bool contains(struct mf_str text, const char *word)
{
    return text.len > 0 && memmem(text.data, text.len, word, strlen(word)) != NULL;
}

static enum ing_answer because(enum ing_answer answer, const char *code, char out[MF_ERROR_CODE_SIZE])
{
    mf_str_copy(out, MF_ERROR_CODE_SIZE, mf_str_of(code));
    return answer;
}

// An object that is not known by a member of its own may be any gateway's error.
static bool is_open_close(const struct mf_json_node *root)
{
    return mf_json_get(root, "from") != NULL || mf_json_get(root, "symbol") != NULL ||
           (mf_json_get(root, "status") != NULL && mf_json_get(root, "error") == NULL);
}

// What is known about one contract or ticker: the result is no list.
static bool is_one(const struct ing_work *work)
{
    return ing_work_is_of_contract(work) || ing_work_is_of_details(work);
}

// The answer's rows, NULL when there are none. The events of a ticker lie within its one result; what is
// known about one is the result; an open-close is the answer itself, unless it is an error.
static const struct mf_json_node *rows_of(const struct ing_work *work, const struct mf_json_node *root,
                                          bool *wrong)
{
    const struct mf_json_node *rows = mf_json_get(root, "results");
    *wrong = false;
    if (work->feed == ING_FEED_OPEN_CLOSE)
        return is_open_close(root) ? root : NULL;
    if (ing_work_is_of_renames(work) && rows != NULL && mf_json_type(rows) != MF_JSON_NULL) {
        *wrong = mf_json_type(rows) != MF_JSON_OBJECT;
        rows = *wrong ? NULL : mf_json_get(rows, "events");
    }
    if (rows == NULL || mf_json_type(rows) == MF_JSON_NULL)
        return NULL;
    if (ing_work_is_of_details(work) && mf_json_type(rows) == MF_JSON_ARRAY && mf_json_count(rows) == 0)
        return NULL;
    *wrong = mf_json_type(rows) != (is_one(work) ? MF_JSON_OBJECT : MF_JSON_ARRAY);
    return *wrong ? NULL : rows;
}

// An error that travels as 200: gateways have been seen to do that. Neither status nor results: it is not the
// vendor's answer, and nothing says that it is an empty one.
static enum ing_answer classify_lie(struct mf_str status, struct mf_str message,
                                    char code[MF_ERROR_CODE_SIZE])
{
    if (mf_str_eq_c(status, "NOT_AUTHORIZED"))
        return because(ING_ANSWER_PLAN_LIMIT, "plan_limit", code);
    if (mf_str_eq_c(status, "NOT_FOUND"))
        return because(ING_ANSWER_UNKNOWN_TICKER, "unknown_ticker", code);
    if (contains(message, "maximum requests"))
        return because(ING_ANSWER_RATE_LIMITED, "rate_limited", code);
    if (contains(message, "Unknown API Key"))
        return because(ING_ANSWER_KEY_REJECTED, "key_rejected", code);
    return because(ING_ANSWER_TRANSIENT,
                   status.data != NULL || message.data != NULL ? "error_status" : "unexpected_shape", code);
}

// 200 says that somebody answered, not that it was the vendor, nor that all went well.
static enum ing_answer classify_ok(const struct ing_work *work, const struct mf_json_node *root,
                                   struct mf_str message, char code[MF_ERROR_CODE_SIZE])
{
    if (ing_feed_is_of_market(work->feed) && ing_polygon_is_market_answer(work, root))
        return because(mf_json_count(root) > 0 ? ING_ANSWER_DATA : ING_ANSWER_EMPTY, "", code);
    if (root == NULL || mf_json_type(root) != MF_JSON_OBJECT)
        return because(ING_ANSWER_TRANSIENT, "not_json", code);
    if (ing_feed_is_of_market(work->feed))
        return classify_lie(ing_text_of(root, "status"), message, code);
    bool wrong;
    const struct mf_json_node *rows = rows_of(work, root, &wrong);
    if (wrong)
        return because(ING_ANSWER_TRANSIENT, "unexpected_shape", code);
    struct mf_str status = ing_text_of(root, "status");
    bool right = mf_str_eq_c(status, "OK") || mf_str_eq_c(status, "DELAYED");
    if ((right || status.data == NULL) && rows != NULL && mf_json_count(rows) > 0)
        return because(ING_ANSWER_DATA, "", code);
    if ((right || (status.data == NULL && mf_json_get(root, "results") != NULL)) &&
        ing_text_of(root, "error").data == NULL)
        return because(ING_ANSWER_EMPTY, "", code);
    return classify_lie(status, message, code);
}

enum ing_answer ing_polygon_classify(const struct ing_work *work, int status, const struct mf_json_node *root,
                                     char code[MF_ERROR_CODE_SIZE], struct mf_str *message)
{
    bool object = root != NULL && mf_json_type(root) == MF_JSON_OBJECT;
    *message = MF_STR_NULL;
    if (object) {
        *message = ing_text_of(root, "error");
        if (message->data == NULL)
            *message = ing_text_of(root, "message");
    } else if (root != NULL && mf_json_type(root) == MF_JSON_STRING) {
        *message = mf_json_text(root);
    }
    switch (status) {
    case 200: return classify_ok(work, root, *message, code);
    case 400: return because(ING_ANSWER_PERMANENT, "bad_request", code);
    case 401: return because(ING_ANSWER_KEY_REJECTED, "key_rejected", code);
    case 403: return because(ING_ANSWER_PLAN_LIMIT, "plan_limit", code);
    // Without the vendor's envelope it is another server's word: a wrong base URL, not an unknown ticker.
    case 404:
        return object ? because(ING_ANSWER_UNKNOWN_TICKER, "unknown_ticker", code)
                      : because(ING_ANSWER_PERMANENT, "not_found", code);
    case 408:
    case 425: return because(ING_ANSWER_TRANSIENT, "http_error", code);
    case 429: return because(ING_ANSWER_RATE_LIMITED, "rate_limited", code);
    default: break;
    }
    if (status >= 500)
        return because(ING_ANSWER_TRANSIENT, "server_error", code);
    if (status >= 400)
        return because(ING_ANSWER_PERMANENT, "http_error", code);
    return because(ING_ANSWER_TRANSIENT, status >= 300 ? "redirect_refused" : "http_error", code);
}

// ---------------------------------------------------------------- numbers

struct mf_str ing_polygon_number(const struct mf_json_node *object, const char *key)
{
    const struct mf_json_node *node = mf_json_get(object, key);
    if (node == NULL || (mf_json_type(node) != MF_JSON_NUMBER && mf_json_type(node) != MF_JSON_STRING))
        return MF_STR_NULL;
    return mf_json_text(node);
}

bool ing_polygon_integer(const struct mf_json_node *object, const char *key, int64_t *out)
{
    struct mf_str text = ing_polygon_number(object, key);
    if (mf_str_to_i64(text, out))
        return true;
    char plain[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    if (text.len == 0 || mf_decimal_normalise(text, plain, &len, NULL) < 0)
        return false;
    char canonical[MF_DECIMAL_TEXT_SIZE];
    len = mf_decimal_canonical((struct mf_str){plain, len}, canonical);
    return len > 0 && mf_str_to_i64((struct mf_str){canonical, len}, out);
}

// ---------------------------------------------------------------- pages

static void skip_lost(struct ing_row_walk *walk, const struct ing_page *page)
{
    while (walk->lost_at < walk->lost_count && page->items[walk->lost_at].index == walk->index) {
        walk->lost_at++;
        walk->index++;
    }
}

void ing_row_walk_begin(struct ing_row_walk *walk, const struct ing_page *page,
                        const struct mf_json_node *rows)
{
    *walk =
        (struct ing_row_walk){.row = rows != NULL ? mf_json_first(rows) : NULL, .lost_count = page->count};
    skip_lost(walk, page);
}

void ing_row_walk_next(struct ing_row_walk *walk, const struct ing_page *page)
{
    walk->row = mf_json_next(walk->row);
    walk->index++;
    skip_lost(walk, page);
}

// What the rows of an answer are taken with, one after the other.
struct taking {
    const struct ing_provider_config *config;
    ing_take_row *take;
    int64_t before_us; // the event time of the row before
};

// The item that the row has become; NULL when it was dropped.
static struct ing_item *take_row(struct taking *taking, struct ing_page *page, const struct mf_json_node *row,
                                 uint32_t index)
{
    struct ing_item *item = ing_page_add(page);
    item->index = index;
    if (!taking->take(taking->config, page, row, item)) {
        page->count--;
        return NULL;
    }
    if (item->reason[0] == '\0') {
        page->counts.unsorted += item->event_time_us < taking->before_us;
        taking->before_us = item->event_time_us;
    }
    return item;
}

// The row is read again when it becomes an event.
static void take_row_read(void *arg, struct ing_page *page, const struct mf_json_node *row,
                          struct mf_str text, uint32_t index)
{
    struct ing_item *item = take_row(arg, page, row, index);
    if (item == NULL)
        return;
    item->row = NULL;
    item->raw = text;
}

void ing_polygon_take_rows(const struct ing_provider_config *config, const struct mf_json_node *rows,
                           struct ing_page *page, ing_take_row *take)
{
    struct taking taking = {.config = config, .take = take, .before_us = INT64_MIN};
    struct ing_row_walk walk;
    for (ing_row_walk_begin(&walk, page, rows); walk.row != NULL; ing_row_walk_next(&walk, page))
        take_row(&taking, page, walk.row, walk.index);
}

// Row by row, if that is how this feed's answers are read and this one can be.
static bool parse_rows(const struct ing_provider_config *config, struct mf_str body, struct ing_page *page,
                       const struct mf_json_node **root)
{
    struct taking taking = {
        .config = config, .take = polygon_feeds[page->work->feed].take, .before_us = INT64_MIN};
    struct ing_row_taker taker = {.take = take_row_read, .arg = &taking};
    return taking.take != NULL && ing_page_parse_rows(page, body, "results", &taker, root);
}

// N37: the answer must be about what was asked. A page of another ticker, or in another adjustment, is the
// vendor's mistake and passes; nothing of it is used.
static const char *envelope_problem(const struct ing_work *work, const struct mf_json_node *root)
{
    if (!ing_feed_is_of_bars(work->feed) && !ing_feed_is_single(work->feed))
        return NULL;
    struct mf_str ticker = ing_text_of(root, "ticker");
    if (ticker.data != NULL && !mf_str_eq_c(ticker, work->symbol))
        return "wrong_ticker";
    const struct mf_json_node *adjusted = mf_json_get(root, "adjusted");
    if (adjusted != NULL && mf_json_type(adjusted) == MF_JSON_BOOL && work->asset_class == MF_ASSET_STOCK &&
        mf_json_bool(adjusted) != (work->adjusted == MF_ADJUSTED_SPLIT))
        return "wrong_adjustment";
    return NULL;
}

// It goes into events and log lines, so only plain visible text does.
static void keep_request_id(struct ing_page *page, struct mf_str id)
{
    if (id.len == 0 || id.len >= ING_REQUEST_ID_SIZE)
        return;
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] <= 0x20 || id.data[i] >= 0x7f)
            return;
    }
    mf_str_copy(page->request_id, sizeof page->request_id, id);
}

static void take_mode(struct ing_page *page, struct mf_str data_mode)
{
    page->mode = MF_MODE_REST;
    if (mf_str_eq_c(data_mode, "replay"))
        page->mode = MF_MODE_REPLAY;
    if (mf_str_eq_c(data_mode, "synthetic")) {
        page->mode = MF_MODE_SYNTHETIC;
        page->flags |= MF_FLAG_IS_MOCK;
    }
}

// Items in order of time, counted; and whether this is the end.
static void take_rows(const struct ing_provider_config *config, const struct mf_json_node *root,
                      struct ing_page *page)
{
    bool wrong;
    const struct mf_json_node *rows = rows_of(page->work, root, &wrong);
    page->counts.rows = (rows != NULL ? mf_json_count(rows) : 0) + page->count;
    if (is_one(page->work))
        page->counts.rows = page->counts.rows > 0;
    if (page->rows.data != NULL) { // they have been taken
        page->counts.rows = page->row_count;
    } else if (ing_work_is_of_renames(page->work)) {
        const struct mf_json_node *result = rows != NULL ? mf_json_get(root, "results") : NULL;
        ing_polygon_rename_items(config, rows,
                                 result != NULL ? ing_text_of(result, "composite_figi") : MF_STR_NULL, page);
    } else if (ing_work_is_of_details(page->work)) {
        ing_polygon_take_details(rows, page);
    } else {
        polygon_feeds[page->work->feed].add_items(config, rows, page);
    }
    for (size_t i = 0; i < page->count; i++)
        page->counts.rejected += page->items[i].reason[0] != '\0';
    ing_page_arrange(page);
    if (page->work->feed == ING_FEED_BARS)
        ing_plausible_mark(page, config->implausible_factor);
    page->next = ing_text_of(root, "next_url");
    if (ing_feed_is_of_bars(page->work->feed))
        ing_polygon_find_rest(config, root, page);
    // An answer that counts rows and has none is not an empty one: the vendor has been seen to answer null
    // for days that traded (N01), and a page passed over would be a hole in a history that looks complete.
    int64_t announced = 0;
    if (page->counts.rows == 0 && ing_polygon_integer(root, "resultsCount", &announced) && announced > 0)
        page->answer = because(ING_ANSWER_TRANSIENT, "rows_missing", page->code);
    // N10: an empty page with more behind it is not the end. Rows that were all not JSON are still rows.
    else if (page->answer == ING_ANSWER_EMPTY && (page->next.len > 0 || page->count > 0))
        page->answer = ING_ANSWER_DATA;
}

static void decode(const struct ing_provider_config *config, const struct ing_reply *reply,
                   struct ing_page *page)
{
    page->work = reply->work;
    page->asked_us = reply->asked_us;
    page->number = reply->page;
    page->code[0] = page->detail[0] = page->request_id[0] = '\0';
    page->flags = 0;
    ing_page_forget_rows(page);
    *page->day = (struct ing_market_day){0}; // the market may be another one
    page->aliases.count = 0;
    page->listing = (struct ing_listing){0};
    page->contract_count = 0;
    take_mode(page, reply->data_mode);
    keep_request_id(page, reply->request_id);
    const struct mf_json_node *root = NULL;
    struct mf_error err = {.message = ""};
    if (!parse_rows(config, reply->body, page, &root) &&
        ing_page_parse(page, reply->body, "results", &root, &err) < 0)
        root = NULL;
    struct mf_str message;
    page->answer = ing_polygon_classify(page->work, reply->status, root, page->code, &message);
    if (root == NULL && message.data == NULL && reply->body.len > 0)
        message = mf_str_of(err.message);
    ing_safe_text(message, config->secret, page->detail);
    if (root == NULL)
        return;
    keep_request_id(page, ing_text_of(root, "request_id"));
    // N07: what has not begun is refused in the same words as what the plan does not cover. Nothing of it is
    // missing. What is known now has begun, whatever day it is in the market.
    if (page->answer == ING_ANSWER_PLAN_LIMIT && page->work->from_us > page->asked_us &&
        !ing_feed_is_of_now(page->work->feed))
        page->answer = because(ING_ANSWER_EMPTY, "", page->code);
    if (page->answer != ING_ANSWER_DATA && page->answer != ING_ANSWER_EMPTY) {
        ing_page_forget_rows(page);
        return;
    }
    const char *problem = envelope_problem(page->work, root);
    if (problem != NULL) {
        page->answer = because(ING_ANSWER_TRANSIENT, problem, page->code);
        ing_page_forget_rows(page);
        return;
    }
    if (mf_str_eq_c(ing_text_of(root, "status"), "DELAYED"))
        page->flags |= MF_FLAG_DELAYED;
    if (ing_feed_is_of_market(page->work->feed))
        ing_polygon_take_market(config, root, page);
    else
        take_rows(config, root, page);
}

static int fill_event(const struct ing_provider_config *config, const struct ing_page *page,
                      const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                      struct mf_error *err)
{
    // Contracts and days have no items that are events.
    assert(polygon_feeds[page->work->feed].fill != NULL);
    mf_event_init(event, ing_work_event_type(page->work));
    event->symbol = mf_str_of(page->work->symbol);
    event->asset_class = page->work->asset_class;
    event->source = mf_str_of(ing_polygon.name);
    event->event_time_us = item->event_time_us;
    event->flags = page->flags;
    event->mode = page->mode;
    event->page = page->number;
    if (page->request_id[0] != '\0')
        event->request_id = mf_str_of(page->request_id);
    if (ing_work_is_of_renames(page->work))
        return ing_polygon_fill_rename(config, page, item, event, err);
    struct ing_item with_row;
    if (item->row == NULL) { // read again, where the answer stands
        with_row = *item;
        with_row.row = ing_page_row(page, item);
        item = &with_row;
    }
    return polygon_feeds[page->work->feed].fill(config, page, item, scratch, event, err);
}

const struct ing_provider ing_polygon = {
    .name = "polygon",
    .headers = request_headers,
    .build_request = build_request,
    .build_next = build_next,
    .decode = decode,
    .fill_event = fill_event,
};
