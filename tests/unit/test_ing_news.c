// SPDX-License-Identifier: Apache-2.0
// News of the Polygon provider: one event per article and asked ticker (N36 to N38).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

#define ARTICLE(id, tickers, rest)                                                                          \
    "{\"id\":\"" id                                                                                         \
    "\",\"publisher\":{\"name\":\"Wire\",\"homepage_url\":\"https://w.test/\"},\"title\":\"T\","            \
    "\"article_url\":\"https://w.test/a\",\"published_utc\":\"2024-01-02T14:30:00Z\",\"tickers\":[" tickers \
    "]" rest "}"

static struct ing_work january(const char *symbol)
{
    return ing_news_work(symbol, "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
}

static void test_article(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("MSFT");
    ing_decode_rows(
        f, &work,
        ARTICLE("x1", "\"AAPL\",\"MSFT\"",
                ",\"author\":\"A\",\"description\":\"D\",\"keywords\":[\"k1\",\"\",\"k2\"],\"insights\":["
                "{\"ticker\":\"AAPL\",\"sentiment\":\"negative\",\"sentiment_reasoning\":\"no\"},"
                "{\"ticker\":\"MSFT\",\"sentiment\":\"positive\",\"sentiment_reasoning\":\"yes\"}]"));
    assert_int_equal(f->page.count, 1);
    ing_event(f, 0);
    const struct mf_news *news = &f->event.news;
    assert_int_equal(f->event.type, MF_EVENT_NEWS);
    assert_true(mf_str_eq_c(f->event.symbol, "MSFT"));
    assert_int_equal(f->event.event_time_us, ing_time("2024-01-02T14:30:00Z"));
    assert_true(mf_str_eq_c(news->article_id, "x1"));
    assert_true(mf_str_eq_c(news->publisher, "Wire"));
    assert_true(mf_str_eq_c(news->author, "A"));
    assert_int_equal(news->ticker_count, 2);
    assert_int_equal(news->keyword_count, 2);
    assert_true(mf_str_eq_c(news->sentiment_label, "positive")); // the asked ticker's, not the first
    assert_true(mf_str_eq_c(news->sentiment_reason, "yes"));
    assert_int_equal(news->url_hash.len, 32);
    ing_encode(f);
}

static void test_optional_fields(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    // No insights, no description; an insight for another ticker only; null where a list may be
    ing_decode_rows(
        f, &work,
        ARTICLE("a", "\"AAPL\"", "") "," ARTICLE("b", "\"AAPL\"",
                                                 ",\"description\":null,\"keywords\":null,\"insights\":"
                                                 "[{\"ticker\":\"ZZZ\",\"sentiment\":\"positive\"}]"));
    assert_int_equal(f->page.count, 2);
    for (size_t i = 0; i < 2; i++) {
        ing_event(f, i);
        assert_null(f->event.news.sentiment_label.data);
        assert_null(f->event.news.description.data);
        ing_encode(f);
    }
}

static void test_identity(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    // One id twice in one page is one article, the later wording; a new id with the same title and URL is
    // another article.
    ing_decode_rows(f, &work,
                    ARTICLE("a", "\"AAPL\"", "") "," ARTICLE("b", "\"AAPL\"", "") "," ARTICLE(
                        "a", "\"AAPL\"", ",\"author\":\"edited\""));
    assert_int_equal(f->page.count, 2);
    assert_int_equal(f->page.counts.duplicates, 1);
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.news.author, "edited"));
    // N37: articles that do not mention the asked ticker are not what was asked for
    ing_decode_rows(f, &work, ARTICLE("a", "\"TSLA\"", "") "," ARTICLE("b", "", ""));
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.foreign, 2);
}

// N36: whoever is asked for has the article as an event of their own, with their own insight or none.
static void test_one_article_for_eight_tickers(void **state)
{
    struct ing_fixture *f = *state;
    static const char *const tickers[] = {"AAPL", "MSFT", "GOOG", "AMZN", "META", "NVDA", "TSLA", "IBM"};
    char ids[MF_ARRAY_LEN(tickers)][MF_EVENT_ID_SIZE];
    for (size_t i = 0; i < MF_ARRAY_LEN(tickers); i++) {
        struct ing_work work = january(tickers[i]);
        ing_decode_rows(f, &work,
                        ARTICLE("x8",
                                "\"AAPL\",\"MSFT\",\"GOOG\",\"AMZN\",\"META\",\"NVDA\",\"TSLA\",\"IBM\"",
                                ",\"insights\":[{\"ticker\":\"NVDA\",\"sentiment\":\"positive\"},"
                                "{\"ticker\":\"ZZZ\",\"sentiment\":\"negative\"}]"));
        assert_int_equal(f->page.count, 1);
        ing_event(f, 0);
        assert_true(mf_str_eq_c(f->event.symbol, tickers[i]));
        assert_true(mf_str_eq_c(f->event.news.article_id, "x8"));
        bool own = strcmp(tickers[i], "NVDA") == 0;
        assert_true(mf_str_eq(f->event.news.sentiment_label, own ? MF_STR("positive") : MF_STR_NULL));
        ing_encode(f);
        assert_int_equal(mf_event_id(&f->event, ids[i], NULL), 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    }
}

static void test_bad_articles(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    static const struct {
        const char *row, *reason;
    } cases[] = {
        {"{\"title\":\"T\",\"tickers\":[\"AAPL\"],\"published_utc\":\"2024-01-02T14:30:00Z\"}",
         "missing_field"},
        {"{\"id\":\"a\",\"tickers\":[\"AAPL\"]}", "missing_field"},
        {"{\"id\":\"a\",\"tickers\":[\"AAPL\"],\"published_utc\":\"yesterday\"}", "bad_time"},
        {"{\"id\":\"a\",\"tickers\":[\"AAPL\"],\"published_utc\":\"2099-12-31T00:00:00Z\"}",
         "future_timestamp"},
        {"{\"id\":\"a\",\"tickers\":[\"AAPL\"],\"published_utc\":\"2024-01-02T14:30:00Z\"}", "missing_field"},
        {"{\"id\":\"a\\u0000\",\"tickers\":[\"AAPL\"]}", "json_string"},
        {"{\"id\":\"a\\ud800\",\"tickers\":[\"AAPL\"]}", "json_string"},
        {"[]", "bad_type"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        ing_expect_rejected(f, &work, cases[i].row, ARTICLE("good", "\"AAPL\"", ""), cases[i].reason);
    }
}

static void test_text(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    // N38: emoji as escapes and as bytes, letters beyond ASCII, a description of 100 kB
    struct mf_buf rows;
    mf_buf_init(&rows, 256 * 1024);
    mf_buf_add_c(&rows, "{\"id\":\"a\",\"publisher\":{\"name\":\"W\"},\"title\":\"up \\ud83d\\ude80 "
                        "\xf0\x9f\x93\x88 \xc3\xbc\","
                        "\"article_url\":\"https://w.test/a\",\"published_utc\":\"2024-01-02T14:30:00Z\","
                        "\"tickers\":[\"AAPL\"],\"description\":\"");
    for (int i = 0; i < 20480; i++)
        mf_buf_add_c(&rows, "long ");
    mf_buf_add_c(&rows, "\"}");
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    ing_event(f, 0);
    assert_true(mf_str_eq_c(f->event.news.title, "up \xf0\x9f\x9a\x80 \xf0\x9f\x93\x88 \xc3\xbc"));
    assert_int_equal(f->event.news.description.len, 102400);
    ing_encode(f);
    mf_buf_free(&rows);
}

static void test_times(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    static const struct {
        const char *text;
        int64_t ms; // after 14:30:00
    } cases[] = {
        {"\"2024-01-02T14:30:00Z\"", 0},
        {"\"2024-01-02T09:30:00-05:00\"", 0},
        {"\"2024-01-02T14:30:00.123456Z\"", 123},
        {"1704205800000000000", 0}, // the CSV form's nanoseconds
        {"1704205800", 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char row[400];
        snprintf(row, sizeof row,
                 "{\"id\":\"a\",\"publisher\":{\"name\":\"W\"},\"title\":\"T\",\"article_url\":\"u\","
                 "\"published_utc\":%s,"
                 "\"tickers\":[\"AAPL\"]}",
                 cases[i].text);
        ing_decode_rows(f, &work, row);
        ing_event(f, 0);
        assert_int_equal(f->event.event_time_us - ing_time("2024-01-02T14:30:00Z"), cases[i].ms * 1000);
    }
    ing_decode_rows(f, &work,
                    "{\"id\":\"a\",\"published_utc\":\"2023-12-31T23:59:59Z\",\"tickers\":[\"AAPL\"]}");
    assert_int_equal(f->page.count, 0);
    assert_int_equal(f->page.counts.out_of_range, 1);
}

static void test_list_limits(void **state)
{
    struct ing_fixture *f = *state;
    struct ing_work work = january("AAPL");
    for (int extra = 0; extra < 2; extra++) {
        struct mf_buf row;
        mf_buf_init(&row, 64 * 1024);
        mf_buf_add_c(&row,
                     "{\"id\":\"a\",\"publisher\":{\"name\":\"W\"},\"title\":\"T\",\"article_url\":\"u\","
                     "\"published_utc\":\"2024-01-02T14:30:00Z\",\"tickers\":[\"AAPL\"],\"keywords\":[\"k\"");
        for (int i = 1; i < MF_NEWS_KEYWORDS_MAX + extra; i++)
            mf_buf_addf(&row, ",\"k%d\"", i);
        mf_buf_add_c(&row, "]}");
        ing_decode_rows(f, &work, mf_buf_c_str(&row));
        assert_string_equal(ing_verdict(f, 0), extra == 0 ? "" : "too_many_items");
        mf_buf_free(&row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_article),      cmocka_unit_test(test_optional_fields),
        cmocka_unit_test(test_identity),     cmocka_unit_test(test_one_article_for_eight_tickers),
        cmocka_unit_test(test_bad_articles), cmocka_unit_test(test_text),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_list_limits),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
