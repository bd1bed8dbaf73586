// SPDX-License-Identifier: Apache-2.0
// Records in, records out: what passes, what becomes of it, what goes to the dead-letter queue.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/processor/fold.h"

#define OUTPUTS_MAX 20000

struct outputs {
    struct {
        enum mf_topic_role role;
        char *key, *value;
        unsigned revision, flags;
        bool origin;
    } items[OUTPUTS_MAX];
    size_t count;
};

static void on_output(void *arg, const struct prc_output *output)
{
    struct outputs *outputs = arg;
    assert_true(outputs->count < OUTPUTS_MAX);
    size_t i = outputs->count++;
    outputs->items[i].role = output->role;
    outputs->items[i].key = mf_strndup(output->key);
    outputs->items[i].value = mf_strndup(output->value);
    outputs->items[i].revision = output->revision;
    outputs->items[i].flags = output->flags;
    outputs->items[i].origin = output->origin != NULL;
}

static void forget(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->count; i++) {
        free(outputs->items[i].key);
        free(outputs->items[i].value);
    }
    outputs->count = 0;
}

static size_t count_role(const struct outputs *outputs, enum mf_topic_role role)
{
    size_t count = 0;
    for (size_t i = 0; i < outputs->count; i++)
        count += outputs->items[i].role == role;
    return count;
}

struct fixture {
    struct prc_rule_config rules;
    struct prc_fold *fold;
    struct outputs *outputs;
    int64_t offset;
};

static int setup(void **state)
{
    struct fixture *fixture = mf_calloc(1, sizeof(*fixture));
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        fixture->rules.thresholds[PRC_RULE_PRICE_MOVE][i] = (struct prc_thresholds){{0.5, 1, 2}};
        fixture->rules.thresholds[PRC_RULE_NEWS_KEYWORD][i] = (struct prc_thresholds){{1, 2, 4}};
    }
    for (int r = 0; r < PRC_RULE_MAX; r++)
        snprintf(fixture->rules.versions[r], sizeof(fixture->rules.versions[r]), "1.00000000");
    fixture->rules.keywords[0] = "merger";
    fixture->rules.keywords[1] = "earnings";
    fixture->rules.keyword_count = 2;
    fixture->fold = prc_fold_new(&fixture->rules, 4);
    fixture->outputs = mf_calloc(1, sizeof(*fixture->outputs));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    forget(fixture->outputs);
    free(fixture->outputs);
    prc_fold_free(&fixture->fold);
    free(fixture);
    return 0;
}

static void feed_at(struct fixture *fixture, enum mf_topic_role role, struct mf_str value,
                    int64_t timestamp_ms)
{
    struct prc_input input = {.role = role,
                              .topic = role == MF_TOPIC_RAW ? "market.raw" : "market.raw.backfill",
                              .partition = 3,
                              .offset = fixture->offset++,
                              .timestamp_ms = timestamp_ms,
                              .value = value};
    prc_fold_record(fixture->fold, &input, on_output, fixture->outputs);
}

static void feed_text(struct fixture *fixture, enum mf_topic_role role, struct mf_str value)
{
    feed_at(fixture, role, value, 1704205863000);
}

static void feed(struct fixture *fixture, enum mf_topic_role role, const struct mf_event *event)
{
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    if (mf_event_encode(event, &text, &err) < 0)
        fail_msg("%s: %s", err.code, err.message);
    feed_text(fixture, role, mf_buf_str(&text));
    mf_buf_free(&text);
}

static const int64_t base_us = 1704205800 * MF_US_PER_SECOND; // 2024-01-02T14:30:00Z, the regular open

static struct mf_event make_event(enum mf_event_type type, const char *symbol, const char *lane,
                                  int64_t time_us)
{
    struct mf_event event;
    mf_event_init(&event, type);
    event.symbol = mf_str_of(symbol);
    event.asset_class = MF_ASSET_STOCK;
    event.source = MF_STR("polygon");
    event.lane = mf_str_of(lane);
    event.event_time_us = time_us;
    event.ingest_time_us = time_us + 61 * MF_US_PER_SECOND;
    event.mode = MF_MODE_REST;
    return event;
}

static struct mf_event make_bar(const char *symbol, const char *lane, int minute, const char *close)
{
    struct mf_event event = make_event(MF_EVENT_BAR, symbol, lane, base_us + minute * MF_US_PER_MINUTE);
    event.bar.interval = MF_INTERVAL_1M;
    event.bar.window_end_us = event.event_time_us + MF_US_PER_MINUTE;
    event.bar.session_date = (struct mf_date){2024, 1, 2};
    event.bar.session = MF_SESSION_REGULAR;
    event.bar.open = event.bar.high = event.bar.low = event.bar.close = mf_str_of(close);
    event.bar.volume = MF_STR("5000");
    event.bar.adjusted = MF_ADJUSTED_SPLIT;
    event.bar.vendor_ms = event.event_time_us / 1000;
    return event;
}

static void test_a_bar_passes_unchanged_then_its_metric(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event bar = make_bar("AAPL", "live", 0, "187.10");
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    assert_int_equal(mf_event_encode(&bar, &text, &err), 0);
    feed_text(fixture, MF_TOPIC_RAW, mf_buf_str(&text));
    assert_int_equal(fixture->outputs->count, 2);
    assert_int_equal(fixture->outputs->items[0].role, MF_TOPIC_BARS_FILTERED);
    assert_string_equal(fixture->outputs->items[0].value, mf_buf_c_str(&text));
    assert_string_equal(fixture->outputs->items[0].key, "AAPL");
    assert_int_equal(fixture->outputs->items[0].revision, 0);
    assert_int_equal(fixture->outputs->items[1].role, MF_TOPIC_METRICS);
    assert_non_null(strstr(fixture->outputs->items[1].value, "\"n_obs\":1"));
    mf_buf_free(&text);
    feed(fixture, MF_TOPIC_RAW, &bar); // the same again: nothing
    assert_int_equal(fixture->outputs->count, 2);
    assert_int_equal(prc_fold_counts(fixture->fold)->events[MF_EVENT_BAR][PRC_DUPLICATE], 1);
}

static void test_every_output_is_a_valid_event(void **state)
{
    struct fixture *fixture = *state;
    struct mf_json *json = mf_json_new();
    char close[16];
    for (int minute = 0; minute < 90; minute++) {
        snprintf(close, sizeof(close), "%d.5", minute % 7 == 3 ? 103 : 100);
        struct mf_event bar = make_bar("AAPL", "live", minute, close);
        feed(fixture, MF_TOPIC_RAW, &bar);
    }
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_METRICS), 90);
    assert_true(count_role(fixture->outputs, MF_TOPIC_ALERTS) > 3);
    for (size_t i = 0; i < fixture->outputs->count; i++) {
        struct mf_event event;
        struct mf_error err;
        if (mf_event_decode(json, mf_str_of(fixture->outputs->items[i].value), &event, NULL, &err) < 0)
            fail_msg("%s in %s", err.message, fixture->outputs->items[i].value);
    }
    mf_json_free(&json);
}

static void test_a_correction_says_its_revision(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event first = make_bar("AAPL", "live", 0, "100"), second = make_bar("AAPL", "live", 1, "100.1");
    struct mf_event corrected = make_bar("AAPL", "live", 1, "103");
    feed(fixture, MF_TOPIC_RAW, &first);
    feed(fixture, MF_TOPIC_RAW, &second);
    forget(fixture->outputs);
    feed(fixture, MF_TOPIC_RAW, &corrected);
    assert_int_equal(fixture->outputs->items[0].role, MF_TOPIC_BARS_FILTERED);
    assert_int_equal(fixture->outputs->items[0].revision, 1);
    assert_int_equal(fixture->outputs->items[0].flags, PRC_OUT_CORRECTED);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_METRICS), 1);
    assert_non_null(strstr(fixture->outputs->items[1].value, "\"revision\":1"));
}

static void test_an_old_bar_is_late(void **state)
{
    struct fixture *fixture = *state;
    for (int minute = 10; minute < 10 + PRC_RING + 1; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(fixture, MF_TOPIC_RAW, &bar);
    }
    forget(fixture->outputs);
    struct mf_event old = make_bar("AAPL", "live", 5, "90");
    feed(fixture, MF_TOPIC_RAW, &old);
    assert_int_equal(fixture->outputs->count, 1);
    assert_int_equal(fixture->outputs->items[0].flags, PRC_OUT_LATE);
}

static void test_forming_bars_pass_and_are_not_folded(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event bar = make_bar("AAPL", "live", 0, "100");
    bar.flags = MF_FLAG_FORMING;
    feed(fixture, MF_TOPIC_RAW, &bar);
    feed(fixture, MF_TOPIC_RAW, &bar);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_BARS_FILTERED), 2);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_METRICS), 0);
    assert_int_equal(prc_fold_cells(fixture->fold), 0);
}

static const char *reason_of_last(const struct fixture *fixture)
{
    static char reason[64];
    const char *value = fixture->outputs->items[fixture->outputs->count - 1].value;
    const char *at = strstr(value, "\"reason\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"reason\":\"%63[^\"]", reason), 1);
    return reason;
}

static void test_dead_letters(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event live = make_bar("AAPL", "live", 0, "100"),
                    backfill = make_bar("AAPL", "backfill:r", 0, "100");
    struct mf_event ahead = make_bar("AAPL", "live", 60, "100");
    ahead.ingest_time_us = base_us;
    struct mf_event alert = make_event(MF_EVENT_DEAD_LETTER, "AAPL", "live", base_us);
    alert.dead_letter.stage = alert.dead_letter.reason = alert.dead_letter.detail = alert.dead_letter.raw =
        MF_STR("x");
    alert.dead_letter.stage = MF_STR("sink");
    alert.dead_letter.attempts = 1;
    alert.dead_letter.origin.topic = MF_STR("market.alerts");
    alert.dead_letter.origin.partition = alert.dead_letter.origin.offset = 0;
    alert.dead_letter.origin.timestamp_ms = 1704205863000;
    alert.ingest_time_us = alert.event_time_us;
    feed(fixture, MF_TOPIC_RAW_BACKFILL, &live);
    assert_string_equal(reason_of_last(fixture), "lane_mismatch");
    feed(fixture, MF_TOPIC_RAW, &backfill);
    assert_string_equal(reason_of_last(fixture), "lane_mismatch");
    feed(fixture, MF_TOPIC_RAW, &ahead);
    assert_string_equal(reason_of_last(fixture), "future_timestamp");
    feed(fixture, MF_TOPIC_RAW, &alert);
    assert_string_equal(reason_of_last(fixture), "unexpected_type");
    feed_text(fixture, MF_TOPIC_RAW, MF_STR("nonsense"));
    assert_string_equal(reason_of_last(fixture), "json_syntax");
    feed_text(fixture, MF_TOPIC_RAW, MF_STR_NULL);
    assert_string_equal(reason_of_last(fixture), "no_value");
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_DLQ), 6);
    assert_int_equal(fixture->outputs->count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(fixture->outputs->items[i].origin);
    for (int i = 0; i < 5; i++) {
        char symbol[8];
        snprintf(symbol, sizeof(symbol), "S%d", i);
        struct mf_event bar = make_bar(symbol, "live", 0, "100");
        feed(fixture, MF_TOPIC_RAW, &bar);
    }
    assert_string_equal(reason_of_last(fixture), "state_limit"); // the fixture's limit is four cells
    enum mf_topic_role role = MF_TOPIC_MAX;
    uint64_t count = 0;
    assert_string_equal(prc_fold_dead_letters(fixture->fold, 0, &role, &count), "lane_mismatch");
}

static void test_any_record_timestamp_makes_a_dead_letter(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t stamps[] = {
        -1, 0, INT64_MIN, INT64_MAX, INT64_C(253402300799999), INT64_C(253402300800000)};
    struct mf_json *json = mf_json_new();
    for (size_t i = 0; i < MF_ARRAY_LEN(stamps); i++) {
        struct mf_event event;
        struct mf_error err;
        feed_at(fixture, MF_TOPIC_RAW, MF_STR("nonsense"), stamps[i]);
        const char *value = fixture->outputs->items[fixture->outputs->count - 1].value;
        assert_int_equal(mf_event_decode(json, mf_str_of(value), &event, NULL, &err), 0);
    }
    mf_json_free(&json);
}

static void heartbeat(struct fixture *fixture, const char *lane, bool end)
{
    struct mf_event event = make_event(MF_EVENT_HEARTBEAT, NULL, lane, base_us);
    event.heartbeat.feed_count = 1;
    event.heartbeat.feeds[0].name = MF_STR("polygon.bars.1m");
    event.heartbeat.feeds[0].complete_to_us = base_us;
    event.heartbeat.clock_us = event.ingest_time_us;
    event.heartbeat.lane_end = end;
    feed(fixture, strcmp(lane, "live") == 0 ? MF_TOPIC_RAW : MF_TOPIC_RAW_BACKFILL, &event);
}

static void test_a_lane_ends(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event bar = make_bar("AAPL", "backfill:a", 0, "100"),
                    other = make_bar("AAPL", "backfill:b", 0, "100");
    feed(fixture, MF_TOPIC_RAW_BACKFILL, &bar);
    feed(fixture, MF_TOPIC_RAW_BACKFILL, &other);
    heartbeat(fixture, "backfill:a", false);
    assert_int_equal(prc_fold_cells(fixture->fold), 2);
    prc_fold_commit(fixture->fold);
    heartbeat(fixture, "backfill:a", true);
    assert_int_equal(prc_fold_cells(fixture->fold), 1);
    heartbeat(fixture, "backfill:a", true); // an absent lane: nothing to do
    prc_fold_rollback(fixture->fold);
    assert_int_equal(prc_fold_cells(fixture->fold), 2);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_DLQ), 0);
}

static struct mf_event make_news(const char *title)
{
    struct mf_event event = make_event(MF_EVENT_NEWS, "AAPL", "live", base_us);
    event.news.article_id = MF_STR("a1");
    event.news.url = MF_STR("https://news.example/a1");
    event.news.url_hash = MF_STR("00112233445566778899aabbccddeeff");
    event.news.title = mf_str_of(title);
    event.news.publisher = MF_STR("Example");
    event.news.tickers[0] = MF_STR("AAPL");
    event.news.ticker_count = 1;
    return event;
}

static void test_news_and_its_edits(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event plain = make_news("nothing to see"), one = make_news("Merger agreed");
    struct mf_event two = make_news("Merger after EARNINGS");
    feed(fixture, MF_TOPIC_RAW, &one);
    feed(fixture, MF_TOPIC_RAW, &one);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_NEWS_FILTERED), 1);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_ALERTS), 1);
    feed(fixture, MF_TOPIC_RAW, &two); // more words: the same alert, more severe
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_ALERTS), 2);
    const char *last = fixture->outputs->items[fixture->outputs->count - 1].value;
    assert_non_null(strstr(last, "\"severity\":\"warning\""));
    assert_non_null(strstr(last, "\"revision\":1"));
    feed(fixture, MF_TOPIC_RAW, &plain); // the edit withdraws it
    last = fixture->outputs->items[fixture->outputs->count - 1].value;
    assert_non_null(strstr(last, "\"state\":\"resolved\""));
    assert_non_null(strstr(last, "\"reason\":\"corrected\""));
    feed(fixture, MF_TOPIC_RAW, &one); // and brings it back
    last = fixture->outputs->items[fixture->outputs->count - 1].value;
    assert_non_null(strstr(last, "\"state\":\"firing\""));
    assert_non_null(strstr(last, "\"revision\":3"));
}

// Another word in the place of the first: as many words and as severe, but the alert named the wrong one.
static void test_an_edit_to_another_word_is_said(void **state)
{
    struct fixture *fixture = *state;
    struct mf_event one = make_news("Merger agreed"), other = make_news("Earnings out");
    feed(fixture, MF_TOPIC_RAW, &one);
    feed(fixture, MF_TOPIC_RAW, &other);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_ALERTS), 2);
    const char *last = fixture->outputs->items[fixture->outputs->count - 1].value;
    assert_non_null(strstr(last, "earnings"));
    assert_non_null(strstr(last, "\"revision\":1"));
}

// Another producer's idea of what the symbol is: silent bars must not become loud when they leave the ring.
static void test_a_series_keeps_its_asset_class(void **state)
{
    struct fixture *fixture = *state;
    fixture->rules.min_volume = 1000000;
    prc_fold_free(&fixture->fold);
    fixture->fold = prc_fold_new(&fixture->rules, 4);
    for (int minute = 0; minute < 130; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, minute == 30 ? "110" : "100");
        bar.asset_class = minute < 64 ? MF_ASSET_STOCK : MF_ASSET_FX; // which needs no volume
        feed(fixture, MF_TOPIC_RAW, &bar);
        if (minute != 95)
            continue;
        bar = make_bar("AAPL", "live", 90, "100.5"); // recomputes the ring from a base that is past minute 30
        bar.asset_class = MF_ASSET_FX;
        feed(fixture, MF_TOPIC_RAW, &bar);
    }
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_BARS_FILTERED), 131);
    assert_int_equal(count_role(fixture->outputs, MF_TOPIC_ALERTS), 0);
}

// Cutting the input into transactions, some of them undone and folded again, changes no byte of what is
// committed.
static void test_rollback_and_replay_give_the_same_bytes(void **state)
{
    struct fixture *plain = *state, *cut = NULL;
    setup((void **)&cut);
    enum { COUNT = 400 };
    struct outputs *kept = mf_calloc(1, sizeof(*kept));
    uint64_t random = 99;
    for (int from = 0; from < COUNT;) {
        int to = from + 1 + (int)((random = random * 6364136223846793005u + 1442695040888963407u) >> 60);
        bool undo = (random >> 40) % 3 == 0;
        for (int pass = 0; pass < (undo ? 2 : 1); pass++) {
            for (int i = from; i < to && i < COUNT; i++) {
                char close[24];
                int minute = i - (i % 7 == 6 ? 3 : 0); // now and then a correction of an earlier minute
                snprintf(close, sizeof(close), "%d.%d", i % 14 < 2 ? 104 : 100, i * i % 5);
                struct mf_event bar = make_bar(i % 2 == 0 ? "AAPL" : "MSFT", "live", minute, close);
                feed(cut, MF_TOPIC_RAW, &bar);
                if (pass == 0)
                    feed(plain, MF_TOPIC_RAW, &bar);
            }
            if (undo && pass == 0) {
                prc_fold_rollback(cut->fold);
                forget(cut->outputs);
            }
        }
        prc_fold_commit(cut->fold);
        for (size_t i = 0; i < cut->outputs->count; i++)
            kept->items[kept->count++] = cut->outputs->items[i];
        cut->outputs->count = 0;
        from = to;
    }
    assert_int_equal(kept->count, plain->outputs->count);
    for (size_t i = 0; i < kept->count; i++) {
        assert_int_equal(kept->items[i].role, plain->outputs->items[i].role);
        assert_string_equal(kept->items[i].value, plain->outputs->items[i].value);
    }
    assert_true(count_role(kept, MF_TOPIC_ALERTS) > 20);
    forget(kept);
    free(kept);
    teardown((void **)&cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_bar_passes_unchanged_then_its_metric, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_output_is_a_valid_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_correction_says_its_revision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_old_bar_is_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forming_bars_pass_and_are_not_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_record_timestamp_makes_a_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lane_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_news_and_its_edits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_edit_to_another_word_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_series_keeps_its_asset_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollback_and_replay_give_the_same_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
