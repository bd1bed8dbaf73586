// SPDX-License-Identifier: Apache-2.0
// Identity: keys, content hashes and ids, against texts written out by hand and values computed elsewhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event_samples.h"

static struct mf_event event;
static struct mf_error err;

static void test_dedupe_keys(void **state)
{
    (void)state;
    static const struct {
        enum event_sample sample;
        const char *wanted;
    } rows[] = {
        {SAMPLE_BAR, "AAPL|2024-01-02T14:30:00.000Z|bar.1m.split"},
        {SAMPLE_BAR_BARE, "BRK.B|2024-01-02T05:00:00.000Z|bar.1d.none"},
        {SAMPLE_BAR_DERIVED, "AAPL|2024-01-02T14:30:00.000Z|bar.5m.split.polygon"},
        {SAMPLE_OPTION_BAR, "AAPL|2024-01-02T14:30:00.000Z|option_bar.1m.split.O:AAPL240119C00150000"},
        {SAMPLE_NEWS, "AAPL|2024-01-02T14:30:00.000Z|news.polygon|4f1c"},
        {SAMPLE_SYMBOL, "AAPL|2024-01-02T14:30:00.000Z|symbol"},
        {SAMPLE_SPLIT, "AAPL|2024-01-02T14:30:00.000Z|corporate_action.split"},
        {SAMPLE_FEED_STATUS, "polygon.bars.1m|2024-01-02T14:30:00.000Z|feed_status.polygon.bars.1m"},
        {SAMPLE_HEARTBEAT, "|2024-01-02T14:30:00.000Z|heartbeat"},
        {SAMPLE_METRIC, "AAPL|2024-01-02T14:30:00.000Z|metric.1m.split.polygon"},
        {SAMPLE_ALERT, "AAPL|2024-01-02T14:30:00.000Z|alert.volume_spike.1m.polygon"},
        {SAMPLE_ALERT_NEWS, "AAPL|2024-01-02T14:30:00.000Z|alert.news_keyword.news.polygon.polygon|4f1c"},
        {SAMPLE_ALERT_OPTION,
         "AAPL|2024-01-02T14:30:00.000Z|alert.price_integrity.1m.polygon.O:AAPL240119C00150000"},
        {SAMPLE_DEAD_LETTER,
         "_UNKNOWN|2024-01-02T14:30:00.000Z|dead_letter.sink/market.bars.filtered/5/9007199254740993"},
        {SAMPLE_DEAD_LETTER_INGEST,
         "AAPL|2024-01-02T14:30:00.000Z|dead_letter.ingest/polygon/polygon.bars.1m/a1b2/6/17"},
    };
    char key[MF_DEDUPE_KEY_MAX];
    size_t len = 0;
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        event_sample_fill(rows[i].sample, &event);
        assert_int_equal(mf_event_dedupe_key(&event, key, &len, &err), 0);
        assert_string_equal(key, rows[i].wanted);
        assert_int_equal(len, strlen(rows[i].wanted));
    }
}

// Two shards may speak of one feed in the same millisecond: neither corrects the other.
static void test_the_status_of_a_shard(void **state)
{
    (void)state;
    char key[MF_DEDUPE_KEY_MAX];
    size_t len = 0;
    struct mf_json *json = mf_json_new();
    struct mf_event again;
    struct mf_buf text;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    event_sample_fill(SAMPLE_FEED_STATUS, &event);
    event.feed_status.shard = MF_STR("1/2");
    assert_int_equal(mf_event_dedupe_key(&event, key, &len, &err), 0);
    assert_string_equal(key, "polygon.bars.1m|2024-01-02T14:30:00.000Z|feed_status.polygon.bars.1m.1/2");
    assert_int_equal(mf_event_encode(&event, &text, &err), 0);
    assert_int_equal(mf_event_decode(json, mf_buf_str(&text), &again, NULL, &err), 0);
    assert_true(mf_str_eq_c(again.feed_status.shard, "1/2"));
    mf_buf_free(&text);
    mf_json_free(&json);
}

static void test_the_longest_dedupe_key(void **state)
{
    (void)state;
    static char id[MF_DEDUPE_KEY_MAX], key[MF_DEDUPE_KEY_MAX];
    memset(id, 'x', sizeof id);
    size_t len = 0, around = strlen("AAPL|2024-01-02T14:30:00.000Z|news.");
    event_sample_fill(SAMPLE_NEWS, &event);
    event.news.article_id = (struct mf_str){id, MF_DEDUPE_KEY_MAX - 1 - around};
    assert_int_equal(mf_event_dedupe_key(&event, key, &len, &err), 0);
    assert_int_equal(len, MF_DEDUPE_KEY_MAX - 1);
    event.news.article_id.len++;
    assert_int_equal(mf_event_dedupe_key(&event, key, &len, &err), -1);
    assert_int_equal(err.class, MF_ERROR_POISON);
    assert_string_equal(err.code, "dedupe_key_too_long");
    char text[MF_EVENT_ID_SIZE];
    assert_int_equal(mf_event_id(&event, text, &err), -1);
}

static void test_kafka_keys(void **state)
{
    (void)state;
    static const struct {
        enum event_sample sample;
        const char *wanted;
    } rows[] = {
        {SAMPLE_BAR, "AAPL"},
        {SAMPLE_OPTION_BAR, "AAPL"},
        {SAMPLE_NEWS, "AAPL"},
        {SAMPLE_ALERT, "AAPL"},
        {SAMPLE_FEED_STATUS, "polygon.bars.1m"},
        {SAMPLE_DEAD_LETTER, "sink/market.bars.filtered/5/9007199254740993"},
        {SAMPLE_DEAD_LETTER_INGEST, "ingest/polygon/polygon.bars.1m/a1b2/6/17"},
    };
    char scratch[MF_EVENT_KEY_MAX];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        event_sample_fill(rows[i].sample, &event);
        assert_true(mf_str_eq_c(mf_event_key(&event, scratch), rows[i].wanted));
    }
    event_sample_fill(SAMPLE_HEARTBEAT, &event);
    assert_null(mf_event_key(&event, scratch).data);
    // Never beyond the scratch, whatever the names are.
    static char name[600];
    memset(name, 'n', sizeof name);
    event_sample_fill(SAMPLE_DEAD_LETTER, &event);
    event.dead_letter.origin.topic = (struct mf_str){name, sizeof name};
    struct mf_str key = mf_event_key(&event, scratch);
    assert_int_equal(key.len, MF_EVENT_KEY_MAX - 1);
    assert_memory_equal(key.data, "sink/nnnn", 9);
}

// What a day's bar says beside its window makes it a correction of the bar that says less, not another bar.
static void test_prices_outside_the_session(void **state)
{
    (void)state;
    struct mf_event given, read;
    struct mf_buf text;
    struct mf_json *json = mf_json_new();
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    char key[2][MF_DEDUPE_KEY_MAX];
    struct mf_hash128 content[2];
    for (int more = 0; more < 2; more++) {
        event_sample_fill(SAMPLE_BAR_BARE, &given);
        given.bar.pre_market = more == 1 ? MF_STR("0.00000020") : MF_STR_NULL;
        given.bar.after_hours = more == 1 ? MF_STR("0.0000003") : MF_STR_NULL;
        mf_buf_clear(&text);
        assert_int_equal(mf_event_encode(&given, &text, &err), 0);
        assert_int_equal(mf_event_decode(json, mf_buf_str(&text), &read, NULL, &err), 0);
        size_t len = 0;
        assert_int_equal(mf_event_dedupe_key(&read, key[more], &len, &err), 0);
        content[more] = read.content;
    }
    assert_true(mf_str_eq_c(read.bar.pre_market, "0.00000020"));
    assert_true(mf_str_eq_c(read.bar.after_hours, "0.0000003"));
    assert_string_equal(key[0], key[1]);
    assert_true(content[0].low != content[1].low);
    mf_buf_free(&text);
    mf_json_free(&json);
}

// The input of the content hash, as the reference page describes it.
static void test_content_hash_is_that_of_the_documented_text(void **state)
{
    (void)state;
    static const struct {
        enum event_sample sample;
        const char *text;
    } rows[] = {
        {SAMPLE_BAR,
         "open=6:187.15\nhigh=5:187.4\nlow=5:186.9\nclose=6:187.22\nvolume=7:41203.5\nvwap=8:187.1712\n"
         "trade_count=3:392\notc=5:false\n"},
        {SAMPLE_BAR_BARE,
         "open=9:0.0000001\nhigh=9:0.0000001\nlow=9:0.0000001\nclose=9:0.0000001\nvolume=1:0\n"},
        {SAMPLE_OPTION_SNAPSHOT,
         "open=6:187.15\nhigh=5:187.4\nlow=5:186.9\nclose=6:187.22\nvolume=7:41203.5\nvwap=8:187.1712\n"
         "trade_count=3:392\nsnapshot.open_interest=4:1543\nsnapshot.implied_volatility=6:0.3016\n"
         "snapshot.delta=5:-0.51\nsnapshot.gamma=6:0.0001\nsnapshot.theta=7:-0.0405\nsnapshot.vega=1:0\n"
         "snapshot.underlying_price=6:187.15\n"},
        {SAMPLE_NEWS,
         "url=32:https://news.example/a?b=1&c=\"x\"\n"
         "title=24:Äpfel \xf0\x9f\x8d\x8e: \"up\"\n\x1f= 3:x\ndescription=0:\nauthor=9:A. Writer\n"
         "publisher=12:Example Wire\ntickers=4:AAPL\ntickers=4:MSFT\nkeywords=8:earnings\n"
         "sentiment.label=8:positive\nsentiment.score=5:-0.35\nsentiment.relevance=1:1\n"
         "sentiment.reason=11:Sales grew.\n"},
        {SAMPLE_SYMBOL, "name=20:Meta Platforms, Inc.\nexchange=4:XNAS\ntype=2:CS\ncurrency=3:usd\n"
                        "figi=12:BBG000MM2P62\nlist_date=10:2012-05-18\ndelist_date=10:2030-02-28\n"
                        "aliases.symbol=2:FB\naliases.to=10:2022-06-08\naliases.symbol=4:META\n"
                        "aliases.from=10:2022-06-09\nactive=4:true\n"},
        {SAMPLE_SPLIT, "ex_date=10:2024-01-02\nsplit_from=1:1\nsplit_to=1:4\n"},
        {SAMPLE_HEARTBEAT, "feeds.name=15:polygon.bars.1m\nfeeds.time=24:2024-01-02T14:30:00.000Z\n"
                           "feeds.name=12:polygon.news\nfeeds.time=24:2024-01-02T13:30:00.000Z\n"
                           "clock=24:2024-01-02T14:30:00.001Z\n"},
        {SAMPLE_METRIC_COLD, "n_obs=1:1\nwarmup=4:true\n"},
        {SAMPLE_ALERT,
         "rule_version=10:1.5f2a90c1\nseverity=7:warning\ndirection=2:up\nvalue=3:4.2\nthreshold=1:3\n"
         "baseline.name=4:mean\nbaseline.value=7:11000.5\nbaseline.name=2:sd\nbaseline.value=6:7190.1\n"
         "state=6:firing\ncooldown_until=24:2024-01-02T14:45:00.000Z\n"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        event_sample_fill(rows[i].sample, &event);
        struct mf_hash128 hash = mf_event_content_hash(&event);
        struct mf_hash128 wanted = mf_hash128(rows[i].text, strlen(rows[i].text));
        if (hash.high != wanted.high || hash.low != wanted.low)
            fail_msg("the content hash of '%s' is another one", event_sample_name(rows[i].sample));
    }
}

// Computed with the Python package xxhash from the same texts.
static void test_ids_computed_elsewhere(void **state)
{
    (void)state;
    static const struct {
        enum event_sample sample;
        const char *content, *id;
    } rows[] = {
        {SAMPLE_BAR, "f4a59b539d7ed8f3d9faebd1d878e181", "7ccf367fb78426add71483d707dbef78"},
        {SAMPLE_ALERT, "30903b1b573a63390c3cd653605932be", "7b4c56311d234ce2ee4510e77c7158d9"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[MF_EVENT_ID_SIZE];
        event_sample_fill(rows[i].sample, &event);
        assert_string_equal(mf_hash128_hex(mf_event_content_hash(&event), text), rows[i].content);
        assert_int_equal(mf_event_id(&event, text, &err), 0);
        assert_string_equal(text, rows[i].id);
    }
}

static void id_of(char id[MF_EVENT_ID_SIZE])
{
    assert_int_equal(mf_event_id(&event, id, &err), 0);
}

static void test_the_same_number_spelled_otherwise_is_the_same_content(void **state)
{
    (void)state;
    char id[MF_EVENT_ID_SIZE], other[MF_EVENT_ID_SIZE];
    event_sample_fill(SAMPLE_BAR, &event);
    id_of(id);
    static const char *const spellings[] = {"187.4", "187.40", "187.400", "187.40000000"};
    for (size_t i = 0; i < MF_ARRAY_LEN(spellings); i++) {
        event.bar.high = mf_str_of(spellings[i]);
        id_of(other);
        assert_string_equal(other, id);
    }
    event.bar.high = MF_STR("187.40000001");
    id_of(other);
    assert_string_not_equal(other, id);
}

// Two different articles whose texts, run together, read the same.
static void test_no_two_contents_share_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *title, *description;
        size_t tickers;
        const char *ticker[2];
    } rows[] = {
        {"ab", "c", 1, {"A"}},   {"a", "bc", 1, {"A"}},  {"ab\ndescription=1:c", NULL, 1, {"A"}},
        {"abc", NULL, 1, {"A"}}, {"abc", "", 1, {"A"}},  {"abc", "", 2, {"A", "B"}},
        {"abc", "", 1, {"A,B"}}, {"abc", "", 1, {"AB"}}, {"abc", "", 0, {0}},
    };
    char ids[MF_ARRAY_LEN(rows)][MF_EVENT_ID_SIZE];
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        event_sample_fill(SAMPLE_NEWS_BARE, &event);
        event.news.title = mf_str_of(rows[i].title);
        event.news.description = mf_str_of(rows[i].description);
        event.news.ticker_count = rows[i].tickers;
        for (size_t t = 0; t < rows[i].tickers; t++)
            event.news.tickers[t] = mf_str_of(rows[i].ticker[t]);
        id_of(ids[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
}

static void test_what_belongs_to_the_identity_and_what_does_not(void **state)
{
    (void)state;
    char id[MF_EVENT_ID_SIZE], other[MF_EVENT_ID_SIZE];
    event_sample_fill(SAMPLE_BAR, &event);
    id_of(id);
    event.ingest_time_us += MF_US_PER_SECOND;
    event.flags = MF_FLAG_WARMUP;
    event.mode = MF_MODE_SYNTHETIC;
    event.request_id = MF_STR_NULL;
    event.page = 7;
    event.lane = MF_STR("backfill:r1"); // the same bar, fetched again later
    event.bar.vendor_ms += 1;
    id_of(other);
    assert_string_equal(other, id);
    event.source = MF_STR("yahoo");
    id_of(other);
    assert_string_not_equal(other, id);

    // What the processor makes of a lane is that lane's.
    event_sample_fill(SAMPLE_ALERT, &event);
    id_of(id);
    event.alert.revision = 5;
    event.alert.message = MF_STR("other words");
    event.alert.cause = MF_STR("ffffffffffffffffffffffffffffffff");
    id_of(other);
    assert_string_equal(other, id);
    event.lane = MF_STR("backfill:r1");
    id_of(other);
    assert_string_not_equal(other, id);
}

// The examples of the contract: whole but for their ids, which only show the form of an id.
static void test_examples_of_the_contract(void **state)
{
    (void)state;
    static const char *const examples[] = {
        "{\"schema_version\":\"1.0\",\"event_type\":\"bar\",\"event_id\":"
        "\"7d1f0c9b6e52a3484c1b0e9f2a6d5538\","
        "\"symbol\":\"AAPL\",\"asset_class\":\"stock\",\"source\":\"polygon\",\"lane\":\"live\","
        "\"event_time\":\"2024-01-02T14:30:00.000Z\",\"ingest_time\":\"2024-01-02T14:31:02.113Z\",\"flags\":["
        "],"
        "\"provenance\":{\"mode\":\"rest\",\"request_id\":\"a1b2\",\"page\":0},\"interval\":\"1m\","
        "\"window_end\":\"2024-01-02T14:31:00.000Z\",\"session_date\":\"2024-01-02\",\"session\":\"regular\","
        "\"open\":187.15,\"high\":187.4,\"low\":186.9,\"close\":187.22,\"volume\":41203.5,\"vwap\":187.1712,"
        "\"trade_count\":392,\"adjusted\":\"split\",\"vendor_ms\":1704205800000}",
        "{\"schema_version\":\"1.0\",\"event_type\":\"alert\",\"event_id\":"
        "\"0b9e4f7714c5d2a8936b1d0c58fa7e21\","
        "\"symbol\":\"AAPL\",\"asset_class\":\"stock\",\"source\":\"processor\",\"lane\":\"live\","
        "\"event_time\":\"2024-01-02T14:30:00.000Z\",\"ingest_time\":\"2024-01-02T14:31:02.113Z\",\"flags\":["
        "],"
        "\"provenance\":{\"mode\":\"rest\"},\"rule_id\":\"volume_spike\",\"rule_version\":\"1.5f2a90c1\","
        "\"interval\":\"1m\",\"severity\":\"warning\",\"direction\":\"up\",\"value\":4.2,\"threshold\":3,"
        "\"baseline\":{\"mean\":11000.5,\"sd\":7190.1,\"n\":20},"
        "\"message\":\"1m volume 41203.5 is 4.2 sd above its 20-bar mean 11000.5\",\"state\":\"firing\","
        "\"revision\":0,\"cause\":\"7d1f0c9b6e52a3484c1b0e9f2a6d5538\"}",
    };
    struct mf_json *json = mf_json_new();
    struct mf_event_problems problems;
    struct mf_buf text;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(examples); i++) {
        assert_int_equal(mf_event_decode(json, mf_str_of(examples[i]), &event, &problems, &err), -1);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.items[0].code, "event_id_mismatch");
        // With the right id, the same bytes come out again.
        mf_buf_clear(&text);
        event.event_id = MF_STR_NULL;
        assert_int_equal(mf_event_encode(&event, &text, &err), 0);
        static const size_t id_at =
            sizeof "{\"schema_version\":\"1.0\",\"event_type\":\"bar\",\"event_id\":\"" - 1;
        size_t start = id_at + (i == 1 ? 2 : 0); // "alert" is two letters longer than "bar"
        assert_memory_equal(text.data, examples[i], start);
        assert_string_equal(text.data + start + 32, examples[i] + start + 32);
    }
    mf_buf_free(&text);
    mf_json_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dedupe_keys),
        cmocka_unit_test(test_the_status_of_a_shard),
        cmocka_unit_test(test_the_longest_dedupe_key),
        cmocka_unit_test(test_kafka_keys),
        cmocka_unit_test(test_prices_outside_the_session),
        cmocka_unit_test(test_content_hash_is_that_of_the_documented_text),
        cmocka_unit_test(test_ids_computed_elsewhere),
        cmocka_unit_test(test_the_same_number_spelled_otherwise_is_the_same_content),
        cmocka_unit_test(test_no_two_contents_share_a_text),
        cmocka_unit_test(test_what_belongs_to_the_identity_and_what_does_not),
        cmocka_unit_test(test_examples_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
