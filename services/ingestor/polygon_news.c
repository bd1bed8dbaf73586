// SPDX-License-Identifier: Apache-2.0
// Polygon news: rows to articles. An article about several tickers is an event of each: this side makes the
// one of the ticker that was asked for, so that every ticker's articles come from its own series. Pure.
#include "services/ingestor/polygon.h"

// Clocks of publishers are off by minutes; more than this ahead is not a time of publication (N36).
#define FUTURE_ALLOWED_US (10 * MF_US_PER_MINUTE)

// RFC 3339, or an epoch number (the CSV form of the same feed has nanoseconds). Cut to milliseconds.
static bool published(const struct mf_json_node *row, int64_t *vendor_us, int64_t *event_time_us)
{
    int64_t number;
    if (!mf_time_parse(ing_text_of(row, "published_utc"), vendor_us) &&
        !(ing_polygon_integer(row, "published_utc", &number) && mf_time_from_epoch_number(number, vendor_us)))
        return false;
    int64_t rest = *vendor_us % MF_US_PER_MS;
    *event_time_us = *vendor_us - (rest < 0 ? rest + MF_US_PER_MS : rest);
    return true;
}

static bool mentions(const struct mf_json_node *row, const char *symbol)
{
    const struct mf_json_node *tickers = mf_json_get(row, "tickers");
    for (const struct mf_json_node *t = tickers != NULL ? mf_json_first(tickers) : NULL; t != NULL;
         t = mf_json_next(t)) {
        if (mf_str_eq_c(mf_json_text(t), symbol))
            return true;
    }
    return false;
}

// Empty when the row is an event as far as its identity goes, else the reason why it is none.
static const char *identity_problem(const struct ing_page *page, const struct mf_json_node *row,
                                    struct ing_item *item)
{
    if (mf_json_type(row) != MF_JSON_OBJECT)
        return "bad_type";
    item->key = ing_text_of(row, "id");
    if (item->key.data == NULL || mf_json_get(row, "published_utc") == NULL)
        return "missing_field";
    if (!published(row, &item->vendor_us, &item->event_time_us))
        return "bad_time";
    if (item->event_time_us > page->asked_us + FUTURE_ALLOWED_US)
        return "future_timestamp";
    return "";
}

static bool take_article(const struct ing_provider_config *config, struct ing_page *page,
                         const struct mf_json_node *row, struct ing_item *item)
{
    (void)config;
    const struct ing_work *work = page->work;
    item->row = row;
    mf_str_copy(item->reason, sizeof item->reason, mf_str_of(identity_problem(page, row, item)));
    // N37: a ticker parameter that was ignored shows in articles about something else.
    if (mf_json_type(row) == MF_JSON_OBJECT && !mentions(row, work->symbol)) {
        page->counts.foreign++;
        return false;
    }
    if (item->reason[0] != '\0')
        return true;
    if (item->event_time_us < work->from_us || item->event_time_us >= work->to_us) {
        page->counts.out_of_range++;
        return false;
    }
    return true;
}

void ing_polygon_news_items(const struct ing_provider_config *config, const struct mf_json_node *rows,
                            struct ing_page *page)
{
    ing_polygon_take_rows(config, rows, page, take_article);
}

static int take_texts(const struct mf_json_node *row, const char *key, struct mf_str *texts, size_t max,
                      size_t *count, struct mf_error *err)
{
    const struct mf_json_node *list = mf_json_get(row, key);
    if (list != NULL && mf_json_count(list) > max)
        return mf_error_set(err, MF_ERROR_POISON, "too_many_items",
                            "%s has %zu items, at most %zu are allowed", key, mf_json_count(list), max);
    *count = 0;
    for (const struct mf_json_node *item = list != NULL ? mf_json_first(list) : NULL; item != NULL;
         item = mf_json_next(item)) {
        if (mf_json_type(item) == MF_JSON_STRING && mf_json_text(item).len > 0)
            texts[(*count)++] = mf_json_text(item);
    }
    return 0;
}

// The insight for the asked ticker; those for others belong to the others' events, or to nobody.
static void take_sentiment(const struct mf_json_node *row, const char *symbol, struct mf_news *news)
{
    const struct mf_json_node *insights = mf_json_get(row, "insights");
    for (const struct mf_json_node *i = insights != NULL ? mf_json_first(insights) : NULL; i != NULL;
         i = mf_json_next(i)) {
        if (!mf_str_eq_c(ing_text_of(i, "ticker"), symbol) || ing_text_of(i, "sentiment").data == NULL)
            continue;
        news->sentiment_label = ing_text_of(i, "sentiment");
        news->sentiment_reason = ing_text_of(i, "sentiment_reasoning");
        return;
    }
}

int ing_polygon_fill_news(const struct ing_provider_config *config, const struct ing_page *page,
                          const struct ing_item *item, struct ing_scratch *scratch, struct mf_event *event,
                          struct mf_error *err)
{
    (void)config;
    const struct mf_json_node *row = item->row;
    const struct mf_json_node *publisher = mf_json_get(row, "publisher");
    struct mf_news *news = &event->news;
    news->article_id = item->key;
    news->url = ing_text_of(row, "article_url");
    news->title = ing_text_of(row, "title");
    news->description = ing_text_of(row, "description");
    news->author = ing_text_of(row, "author");
    news->publisher = publisher != NULL ? ing_text_of(publisher, "name") : MF_STR_NULL;
    static const char *const required[] = {"article_url", "title", "publisher.name"};
    const struct mf_str found[] = {news->url, news->title, news->publisher};
    for (size_t i = 0; i < MF_ARRAY_LEN(required); i++) {
        if (found[i].data == NULL)
            return mf_error_set(err, MF_ERROR_POISON, "missing_field", "%s is absent", required[i]);
    }
    mf_hash128_hex(mf_hash128(news->url.data, news->url.len), scratch->url_hash);
    news->url_hash = mf_str_of(scratch->url_hash);
    if (take_texts(row, "tickers", news->tickers, MF_NEWS_TICKERS_MAX, &news->ticker_count, err) < 0 ||
        take_texts(row, "keywords", news->keywords, MF_NEWS_KEYWORDS_MAX, &news->keyword_count, err) < 0)
        return -1;
    take_sentiment(row, page->work->symbol, news);
    return 0;
}
