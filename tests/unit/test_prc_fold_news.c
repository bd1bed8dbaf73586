// SPDX-License-Identifier: Apache-2.0
// News: duplicates and edits, keywords, sentiment, clusters, and the move that follows an alert.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

struct article {
    const char *id, *title, *url_hash;
    int minute;
    const char *score, *relevance, *label;
    unsigned flags;
};

static struct mf_event make_news(const struct article *article)
{
    struct mf_event event =
        make_event(MF_EVENT_NEWS, "AAPL", "live", OPEN_US + article->minute * MF_US_PER_MINUTE);
    event.flags = article->flags;
    event.news.article_id = mf_str_of(article->id);
    event.news.url = MF_STR("https://news.example/a");
    event.news.url_hash = mf_str_of(article->url_hash != NULL ? article->url_hash : article->id);
    event.news.title = mf_str_of(article->title);
    event.news.publisher = MF_STR("Example");
    event.news.tickers[0] = MF_STR("AAPL");
    event.news.ticker_count = 1;
    if (article->score != NULL || article->label != NULL) {
        event.news.sentiment_label = mf_str_of(article->label != NULL ? article->label : "unknown");
        event.news.sentiment_score = mf_str_of(article->score);
        event.news.sentiment_relevance = mf_str_of(article->relevance);
    }
    return event;
}

static void feed_news(struct fixture *f, struct article article)
{
    struct mf_event event = make_news(&article);
    feed(f, &event);
}

static const char *last(const struct fixture *f)
{
    return f->outs[f->count - 1].value;
}

static void test_edits_of_an_article(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_NEWS_KEYWORD, 1, 2, 4);
    struct article one = {"00112233445566aa", "Merger agreed", NULL, 0, NULL, NULL, NULL, 0};
    struct article two = one, plain = one, other = one;
    two.title = "Merger after EARNINGS";
    plain.title = "nothing to see";
    other.title = "Earnings out";
    feed_news(f, one);
    feed_news(f, one);
    assert_int_equal(count_role(f, MF_TOPIC_NEWS_FILTERED), 1);
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 1);
    feed_news(f, two); // more words: the same alert, more severe
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2);
    assert_non_null(strstr(last(f), "\"severity\":\"warning\""));
    assert_non_null(strstr(last(f), "\"revision\":1"));
    feed_news(f, plain); // the edit withdraws it
    assert_non_null(strstr(last(f), "\"state\":\"resolved\""));
    assert_non_null(strstr(last(f), "\"reason\":\"corrected\""));
    assert_non_null(strstr(last(f), "\"value\":2"));
    feed_news(f, one); // and brings it back
    assert_non_null(strstr(last(f), "\"state\":\"firing\""));
    assert_non_null(strstr(last(f), "\"revision\":3"));
    feed_news(f, other); // as many words and as severe, but the alert named the wrong one
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 5);
    assert_non_null(strstr(last(f), "earnings"));
    assert_int_equal(find_out(f, MF_TOPIC_NEWS_FILTERED, 4, NULL, NULL)->revision, 4);
    check_valid(f);
}

static void test_sentiment(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_NEWS_SENTIMENT, 0, 0.35, 0.35);
    feed_news(f, (struct article){"aa00000000000001", "a", NULL, 0, "0.34", NULL, NULL, 0});
    feed_news(f,
              (struct article){"aa00000000000002", "b", NULL, 1, "-0.9", "0.29", NULL, 0}); // of no relevance
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 0);
    feed_news(f, (struct article){"aa00000000000003", "c", NULL, 2, "-0.35", "0.3", NULL, 0});
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 1);
    assert_non_null(strstr(last(f), "\"severity\":\"warning\""));
    assert_non_null(strstr(last(f), "\"direction\":\"down\""));
    assert_non_null(strstr(last(f), "\"value\":-0.35"));
    feed_news(f, (struct article){"aa00000000000004", "d", NULL, 3, NULL, NULL, "Bullish", 0});
    assert_non_null(
        strstr(last(f), "\"severity\":\"warning\"")); // mean of three: (0.34 - 0.35 + 1) / 3 = 0.33
    assert_non_null(strstr(last(f), "\"value\":1"));
    feed_news(f, (struct article){"aa00000000000005", "e", NULL, 4, "0.81", NULL, NULL, 0});
    assert_non_null(strstr(last(f), "\"severity\":\"critical\"")); // mean of four: 0.45
    assert_non_null(strstr(last(f), "\"value\":0.45"));
    assert_non_null(strstr(last(f), "\"direction\":\"up\""));
    // An hour after the first four: (t - 60 min, t] holds the last of them only.
    feed_news(f, (struct article){"aa00000000000006", "f", NULL, 64, "0.5", NULL, NULL, 0});
    assert_non_null(strstr(last(f), "\"severity\":\"warning\""));
    assert_non_null(strstr(last(f), "\"value\":0.5"));
    check_valid(f);
}

static void test_cluster(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_NEWS_CLUSTER, 0, 5, 7);
    static const char *const titles[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        char id[32];
        snprintf(id, sizeof(id), "bb0000000000000%d", i);
        feed_news(f, (struct article){id, titles[i], NULL, i, NULL, NULL, NULL, 0});
    }
    feed_news(
        f, (struct article){"bb00000000000010", "A", NULL, 5, NULL, NULL, NULL, 0}); // a reprint of the first
    feed_news(f, (struct article){"bb00000000000011", "e", "bb00000000000001", 5, NULL, NULL, NULL, 0});
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 0);
    feed_news(f, (struct article){"bb00000000000012", "f", NULL, 6, NULL, NULL, NULL, 0}); // the fifth
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 1);
    assert_non_null(strstr(last(f), "\"value\":5"));
    assert_non_null(strstr(last(f), "\"rule_id\":\"news_cluster\""));
    feed_news(f,
              (struct article){"bb00000000000013", "g", NULL, 7, NULL, NULL, NULL, 0}); // within the cooldown
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 1);
    feed_news(f,
              (struct article){"bb00000000000014", "h", NULL, 8, NULL, NULL, NULL, 0}); // seven: more severe
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2);
    assert_non_null(strstr(last(f), "\"severity\":\"critical\""));
    feed_news(f,
              (struct article){"bb00000000000015", "i", NULL, 23, NULL, NULL, NULL, 0}); // cooldown is over
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 3);
    check_valid(f);
}

// Five in an hour are nothing where five in an hour are usual: 3 × the mean of the week's hours.
static void test_a_busy_name_is_no_cluster(void **state)
{
    struct fixture *f = *state;
    f->config.rules.cluster_ratio = 24;
    switch_on(f, PRC_RULE_NEWS_CLUSTER, 0, 5, 0);
    char id[32], title[16];
    for (int i = 0; i < 40; i++) { // one in two hours: with the five below 45 in 168 h, × 24 = 6.4
        snprintf(id, sizeof(id), "cc%014d", i);
        snprintf(title, sizeof(title), "t%d", i);
        feed_news(f, (struct article){id, title, NULL, i * 120, NULL, NULL, NULL, 0});
    }
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof(id), "dd%014d", i);
        snprintf(title, sizeof(title), "u%d", i);
        feed_news(f, (struct article){id, title, NULL, 39 * 120 + 1 + i, NULL, NULL, NULL, 0});
        assert_int_equal(count_role(f, MF_TOPIC_ALERTS), i == 5 ? 1 : 0); // seven of 46: 6.57
    }
}

static void test_warm_up_and_old_news(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_NEWS_KEYWORD, 1, 2, 4);
    feed_news(f, (struct article){"ee00000000000001", "merger", NULL, 0, NULL, NULL, NULL, MF_FLAG_WARMUP});
    assert_int_equal(count_role(f, MF_TOPIC_NEWS_FILTERED), 1);
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 0);
    struct article article = {"ee00000000000002", "x", NULL, 0, NULL, NULL, NULL, 0};
    struct mf_event old = make_news(&article);
    old.ingest_time_us = old.event_time_us + 7 * MF_US_PER_DAY;
    feed(f, &old);
    assert_int_equal(count_role(f, MF_TOPIC_NEWS_FILTERED), 1);
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_NEWS][PRC_DROPPED], 1);
    feed(f, &old); // it leaves no trace
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_NEWS][PRC_DROPPED], 2);
    old.lane = MF_STR("backfill:r"); // history is passed whole
    feed(f, &old);
    assert_int_equal(count_role(f, MF_TOPIC_NEWS_FILTERED), 2);
    article.id = "ee00000000000003";
    old = make_news(&article);
    old.ingest_time_us = old.event_time_us + 7 * MF_US_PER_DAY - MF_US_PER_MS;
    feed(f, &old);
    assert_int_equal(count_role(f, MF_TOPIC_NEWS_FILTERED), 3);
}

static void test_news_are_joined_by_headers(void **state)
{
    struct fixture *f = *state;
    feed_news(f, (struct article){"ff00000000000001", "a", NULL, 0, NULL, NULL, NULL, 0});
    assert_false(f->outs[0].joined);
    struct mf_event symbol = make_event(MF_EVENT_SYMBOL, "AAPL", "live", OPEN_US);
    symbol.symbol_info.name = MF_STR("Apple Inc.");
    symbol.symbol_info.active = 1;
    feed(f, &symbol);
    feed_news(f, (struct article){"ff00000000000002", "b", NULL, 0, NULL, NULL, NULL, 0});
    assert_true(f->outs[2].joined);
    assert_null(strstr(f->outs[2].value, "symbol_name"));
}

// Minute bars around an alert: measured from what was known when it was published, for half an hour.
static void test_the_price_after_an_alert(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < MF_INTERVAL_MAX; i++)
        f->config.rules.thresholds[PRC_RULE_NEWS_KEYWORD][i] = (struct prc_thresholds){{1, 2, 4}};
    switch_on(f, PRC_RULE_NEWS_PRICE_LINK, 0, 0, 2);
    for (int minute = 0; minute < 75; minute++) {
        const char *price = minute < 30 ? "100" : minute == 40 || minute >= 60 ? "103" : "101";
        struct mf_event bar = make_bar("AAPL", "live", minute, price);
        if (minute == 30)
            feed_news(f, (struct article){"ab00000000000001", "merger", NULL, 30, NULL, NULL, NULL, 0});
        feed(f, &bar);
    }
    const struct out *alert = find_out(f, MF_TOPIC_ALERTS, 1, "\"interval\":\"1m\"", "\"state\":\"firing\"");
    assert_null(alert); // the bar of minute 60 ends 31 minutes after the news
    alert = find_out(f, MF_TOPIC_ALERTS, 0, "\"interval\":\"1m\"", "\"state\":\"firing\"");
    assert_non_null(alert);
    assert_true(says(alert, "\"rule_id\":\"news_price_link\""));
    assert_true(says(alert, "\"event_time\":\"2024-01-02T15:10:00.000Z\""));
    assert_true(says(alert, "\"value\":3")); // from the 100 before the news
    check_valid(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_edits_of_an_article, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentiment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_busy_name_is_no_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_warm_up_and_old_news, setup, teardown),
        cmocka_unit_test_setup_teardown(test_news_are_joined_by_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_price_after_an_alert, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
