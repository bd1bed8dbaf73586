// SPDX-License-Identifier: Apache-2.0
// Records in, records out: what passes, what becomes of it, what goes to the dead-letter queue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

static void test_a_bar_passes_unchanged_then_its_metric(void **state)
{
    struct fixture *f = *state;
    struct mf_event bar = make_bar("AAPL", "live", 0, "187.10");
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    assert_int_equal(mf_event_encode(&bar, &text, &err), 0);
    feed_bytes(f, MF_TOPIC_RAW, mf_buf_str(&text), 0);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->outs[0].role, MF_TOPIC_BARS_FILTERED);
    assert_string_equal(f->outs[0].value, mf_buf_c_str(&text));
    assert_string_equal(f->outs[0].key, "AAPL");
    assert_int_equal(f->outs[0].revision, 0);
    assert_int_equal(f->outs[1].role, MF_TOPIC_METRICS);
    assert_string_equal(f->outs[1].key, "AAPL");
    assert_true(says(&f->outs[1], "\"n_obs\":1"));
    mf_buf_free(&text);
    struct prc_cell *cell = f->live->dirty_oldest;
    assert_string_equal(cell->symbol, "AAPL");
    assert_int_equal(cell->dirty_at, 0);
    prc_cell_clean(f->live, cell);
    feed(f, &bar); // the same again: nothing
    assert_int_equal(f->count, 2);
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_BAR][PRC_DUPLICATE], 1);
    assert_int_equal(f->live->dirty_count, 0);
}

static void test_every_output_is_a_valid_event(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_MOVE, 0.5, 1, 2);
    char price[16];
    for (int minute = 0; minute < 90; minute++) {
        snprintf(price, sizeof(price), "%d.5", minute % 7 == 3 ? 103 : 100);
        struct mf_event bar = make_bar("AAPL", "live", minute, price);
        feed(f, &bar);
    }
    assert_true(count_role(f, MF_TOPIC_METRICS) >= 90 + 17);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 90 + 17 + 5 + 1); // 5m, 15m, 1h
    assert_true(count_role(f, MF_TOPIC_ALERTS) > 3);
    check_valid(f);
}

static void test_a_correction_says_its_revision(void **state)
{
    struct fixture *f = *state;
    struct mf_event first = make_bar("AAPL", "live", 0, "100"), second = make_bar("AAPL", "live", 1, "100.1");
    struct mf_event corrected = make_bar("AAPL", "live", 1, "103");
    feed(f, &first);
    feed(f, &second);
    forget(f);
    feed(f, &corrected);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->outs[0].revision, 1);
    assert_int_equal(f->outs[0].flags, PRC_OUT_CORRECTED);
    assert_true(says(&f->outs[1], "\"revision\":1"));
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_BAR][PRC_CORRECTED], 1);
}

static void test_an_old_bar_is_late(void **state)
{
    struct fixture *f = *state;
    for (int minute = 10; minute < 10 + PRC_RING + 1; minute++) {
        struct mf_event bar = make_bar("AAPL", "live", minute, "100");
        feed(f, &bar);
    }
    forget(f);
    prc_cell_clean(f->live, f->live->dirty_oldest);
    struct mf_event old = make_bar("AAPL", "live", 5, "90");
    feed(f, &old);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->outs[0].flags, PRC_OUT_LATE);
    assert_int_equal(f->live->dirty_count, 0);
}

static void test_forming_bars_pass_and_are_not_folded(void **state)
{
    struct fixture *f = *state;
    struct mf_event bar = make_bar("AAPL", "live", 0, "100");
    bar.flags = MF_FLAG_FORMING;
    feed(f, &bar);
    feed(f, &bar);
    assert_int_equal(f->count, 2);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 2);
    assert_int_equal(f->live->count, 0);
}

static const char *reason_of_last(const struct fixture *f)
{
    assert_int_equal(f->outs[f->count - 1].role, MF_TOPIC_DLQ);
    assert_true(f->outs[f->count - 1].origin);
    return text_of(&f->outs[f->count - 1], "reason");
}

static struct mf_event derived_bar(void)
{
    struct mf_event event = make_bar("AAPL", "live", 0, "100");
    event.source = event.bar.parent_source = MF_STR("processor");
    event.bar.vendor_ms = INT64_MIN;
    event.bar.revision = 0;
    event.bar.cause = MF_STR("00112233445566778899aabbccddeeff");
    return event;
}

static void test_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct mf_event live = make_bar("AAPL", "live", 0, "100"), run = make_bar("AAPL", "backfill:r", 0, "100");
    struct mf_event ahead = make_bar("AAPL", "live", 60, "100"), derived = derived_bar();
    ahead.ingest_time_us = OPEN_US;
    feed_to(f, MF_TOPIC_RAW_BACKFILL, &live);
    assert_string_equal(reason_of_last(f), "lane_mismatch");
    feed_to(f, MF_TOPIC_RAW, &run);
    assert_string_equal(reason_of_last(f), "lane_mismatch");
    feed(f, &ahead);
    assert_string_equal(reason_of_last(f), "future_timestamp");
    feed(f, &derived);
    assert_string_equal(reason_of_last(f), "unexpected_type");
    feed_bytes(f, MF_TOPIC_RAW, MF_STR("nonsense"), 0);
    assert_string_equal(reason_of_last(f), "json_syntax");
    feed_bytes(f, MF_TOPIC_RAW, MF_STR_NULL, 0);
    assert_string_equal(reason_of_last(f), "no_value");
    assert_int_equal(f->count, 6);
    assert_int_equal(f->live->count + f->backfill->count, 0);
    enum mf_topic_role role = MF_TOPIC_MAX;
    uint64_t count = 0;
    assert_string_equal(prc_fold_dead_letters(f->fold, 0, &role, &count), "lane_mismatch");
    assert_int_equal(role, MF_TOPIC_RAW_BACKFILL);
    assert_int_equal(count, 1);
}

// As many symbols as the lane takes, as many groups as a symbol takes; those that are known go on.
static void test_state_is_limited(void **state)
{
    struct fixture *f = *state;
    char symbol[8];
    for (int i = 0; i < 9; i++) {
        snprintf(symbol, sizeof(symbol), "S%d", i);
        struct mf_event bar = make_bar(symbol, "live", 0, "100");
        feed(f, &bar);
    }
    assert_string_equal(reason_of_last(f), "state_limit");
    struct mf_event known = make_bar("S3", "live", 1, "100");
    forget(f);
    feed(f, &known);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 1);
    static const char *const sources[] = {"polygon", "alpha_vantage", "yahoo", "coinbase", "oanda"};
    for (int i = 0; i < 15; i++) { // with all three adjustments 15 groups, one of which is there
        known.source = mf_str_of(sources[i % 5]);
        known.bar.adjusted = (enum mf_adjusted)(i / 5);
        feed(f, &known);
    }
    assert_int_equal(count_role(f, MF_TOPIC_DLQ), 0);
    assert_int_equal(prc_fold_counts(f->fold)->state_refusals, 1);
}

static void test_any_record_timestamp_makes_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    static const int64_t stamps[] = {
        -1, 0, INT64_MIN, INT64_MAX, INT64_C(253402300799999), INT64_C(253402300800000)};
    for (size_t i = 0; i < MF_ARRAY_LEN(stamps); i++)
        feed_bytes(f, MF_TOPIC_RAW, MF_STR("nonsense"), stamps[i]);
    assert_int_equal(count_role(f, MF_TOPIC_DLQ), MF_ARRAY_LEN(stamps));
    check_valid(f);
}

// A dead letter put back after its run has ended must not open the lane again.
static void test_a_replayed_record_of_an_ended_lane(void **state)
{
    struct fixture *f = *state;
    struct mf_event bar = make_bar("AAPL", "backfill:r", 0, "100"),
                    other = make_bar("MSFT", "backfill:r", 0, "100"),
                    live = make_bar("AAPL", "live", 0, "100");
    f->replayed = true;
    feed(f, &bar);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->outs[0].flags, PRC_OUT_LATE);
    assert_int_equal(f->backfill->count, 0);
    feed(f, &live); // the live lane never ends
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 1);
    f->replayed = false;
    feed(f, &bar);
    f->replayed = true;
    feed(f, &other); // the run goes on: taken like any other
    assert_int_equal(f->backfill->count, 2);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 3);
}

static struct mf_event make_symbol(const char *name, int minute)
{
    struct mf_event event = make_event(MF_EVENT_SYMBOL, "AAPL", "live", OPEN_US + minute * MF_US_PER_MINUTE);
    event.symbol_info.name = mf_str_of(name);
    event.symbol_info.exchange = MF_STR("XNAS");
    event.symbol_info.type = MF_STR("CS");
    event.symbol_info.active = 1;
    return event;
}

static void test_metadata_is_joined(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    struct mf_event before = make_bar("AAPL", "live", 0, "100"), after = make_bar("AAPL", "live", 1, "300"),
                    other = make_bar("MSFT", "live", 1, "110");
    struct mf_event symbol = make_symbol("Apple Inc.", 0), renamed = make_symbol("Apple", 0);
    feed(f, &before);
    assert_string_equal(text_of(&f->outs[1], "symbol_name"), "");
    feed(f, &symbol);
    feed(f, &symbol);
    feed(f, &after);
    assert_int_equal(count_role(f, MF_TOPIC_SYMBOLS_FILTERED), 1);
    const struct out *metric = find_out(f, MF_TOPIC_METRICS, 1, NULL, NULL);
    const struct out *alert = find_out(f, MF_TOPIC_ALERTS, 0, NULL, NULL);
    assert_string_equal(text_of(metric, "symbol_name"), "Apple Inc.");
    assert_string_equal(text_of(metric, "exchange"), "XNAS");
    assert_string_equal(text_of(alert, "symbol_type"), "CS");
    char id[64];
    snprintf(id, sizeof(id), "%s", text_of(metric, "event_id"));
    check_valid(f);
    restart(f); // another name, the same statistics: the same event
    feed(f, &before);
    feed(f, &renamed);
    feed(f, &after);
    assert_string_equal(text_of(find_out(f, MF_TOPIC_METRICS, 1, NULL, NULL), "symbol_name"), "Apple");
    assert_string_equal(text_of(find_out(f, MF_TOPIC_METRICS, 1, NULL, NULL), "event_id"), id);
    feed(f, &other); // another symbol: not its name
    assert_string_equal(text_of(find_out(f, MF_TOPIC_METRICS, 2, NULL, NULL), "symbol_name"), "");
}

static void test_reference_events_are_remembered(void **state)
{
    struct fixture *f = *state;
    struct mf_event one = make_symbol("Apple Inc.", 0), other = make_symbol("Apple", 0);
    struct mf_event status = make_event(MF_EVENT_FEED_STATUS, "polygon.bars.1m", "live", OPEN_US);
    status.feed_status.state = MF_FEED_OK;
    status.feed_status.feed = MF_STR("polygon.bars.1m");
    status.feed_status.expected = status.feed_status.received = 1;
    status.feed_status.last_event_time_us = OPEN_US;
    status.feed_status.lag_ms = 0;
    feed(f, &one);
    feed(f, &one);
    feed(f, &other);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->outs[1].revision, 1);
    assert_int_equal(f->outs[1].flags, PRC_OUT_CORRECTED);
    feed(f, &status);
    assert_int_equal(f->outs[2].role, MF_TOPIC_FEED_STATUS_FILTERED);
    assert_string_equal(f->outs[2].key, "polygon.bars.1m");
}

// What a replay does to the state is what the outputs' maker did, and nothing comes out of it.
static void test_a_replay_says_nothing_and_spares_restored_cells(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_MOVE, 0.5, 1, 2);
    struct mf_event bar;
    f->replay = true;
    for (int minute = 0; minute < 20; minute++) {
        bar = make_bar("AAPL", "live", minute, minute % 2 == 0 ? "100" : "103");
        feed(f, &bar);
    }
    feed_bytes(f, MF_TOPIC_RAW, MF_STR("nonsense"), 0);
    struct mf_event beat = make_heartbeat("live", "polygon.bars.1m", OPEN_US + 60 * MF_US_PER_MINUTE);
    feed(f, &beat);
    assert_int_equal(f->count, 0);
    assert_int_equal(prc_fold_counts(f->fold)->metric_events, 0);
    assert_int_equal(prc_fold_counts(f->fold)->events[MF_EVENT_BAR][PRC_KEPT], 0);
    bool full = false;
    struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("AAPL"), false, &full);
    struct prc_series *series = cell->groups[0]->vendor[MF_INTERVAL_1M];
    assert_int_equal(series->head.indicators.n_obs, 20);
    assert_int_equal(cell->groups[0]->derived[MF_INTERVAL_5M]->head.indicators.n_obs, 4);
    cell->restored_at = f->offset + 2; // the next two records are in its snapshot
    bar = make_bar("AAPL", "live", 20, "100");
    feed(f, &bar);
    bar = make_bar("AAPL", "live", 21, "100");
    feed(f, &bar);
    assert_int_equal(series->head.indicators.n_obs, 20);
    bar = make_bar("AAPL", "live", 22, "100");
    feed(f, &bar);
    assert_int_equal(series->head.indicators.n_obs, 21);
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
        cmocka_unit_test_setup_teardown(test_state_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_record_timestamp_makes_a_dead_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replayed_record_of_an_ended_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metadata_is_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reference_events_are_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replay_says_nothing_and_spares_restored_cells, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
