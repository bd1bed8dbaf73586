// SPDX-License-Identifier: Apache-2.0
// Option bars through the fold: a series per contract, known by its repeats and corrections; the one rule
// that looks at them says what it says of other bars.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "tests/unit/prc_fold_fixture.h"
#include "tests/unit/prc_option_support.h"

static const struct prc_counts *counts_of(const struct fixture *f)
{
    return prc_fold_counts(f->fold);
}

static uint64_t counted(const struct fixture *f, enum prc_result result)
{
    return counts_of(f)->events[MF_EVENT_OPTION_BAR][result];
}

static void feed_call(struct fixture *f, int step, const char *price)
{
    struct mf_event event = make_call(step, price);
    feed(f, &event);
}

static const struct out *alert_of(const struct fixture *f, size_t index)
{
    return find_out(f, MF_TOPIC_ALERTS, index, NULL, NULL);
}

static void test_repeats_and_corrections(void **state)
{
    struct fixture *f = *state;
    feed_call(f, 0, "10");
    feed_call(f, 0, "10");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->outs[0].role, MF_TOPIC_OPTION_BARS_FILTERED);
    assert_int_equal(f->outs[0].revision, 0);
    assert_string_equal(f->outs[0].key, "AAPL");
    feed_call(f, 0, "11");
    feed_call(f, 0, "10");
    assert_int_equal(f->outs[1].revision, 1);
    assert_int_equal(f->outs[1].flags, PRC_OUT_CORRECTED);
    assert_int_equal(f->outs[2].revision, 2);
    assert_int_equal(f->count, 3);
    assert_int_equal(counted(f, PRC_DUPLICATE), 1);
    assert_int_equal(counted(f, PRC_CORRECTED), 2);
    struct mf_event other = make_call(0, "10"), daily = make_call(0, "10"); // other series, the same start
    other.option_bar.bar.adjusted = MF_ADJUSTED_NONE;
    feed(f, &other);
    daily.option_bar.bar.interval = MF_INTERVAL_1H;
    daily.option_bar.bar.window_end_us += OPTION_STEP_US;
    feed(f, &daily);
    other.source = MF_STR("yahoo");
    feed(f, &other);
    assert_int_equal(counted(f, PRC_KEPT), 4);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 0);
    check_valid(f);
}

// 64 bars of a contract may change, whatever the others of the underlying do.
static void test_late_bars(void **state)
{
    struct fixture *f = *state;
    for (int step = 1; step <= PRC_RING; step++)
        feed_call(f, step, "10");
    feed_call(f, 0, "10"); // with exactly as many as the ring holds it is taken
    assert_int_equal(counted(f, PRC_KEPT), PRC_RING + 1);
    feed_call(f, 0, "10"); // and lies before it
    feed_call(f, 0, "12");
    assert_int_equal(counted(f, PRC_LATE), 2);
    assert_int_equal(f->outs[f->count - 1].flags, PRC_OUT_LATE);
    assert_int_equal(f->outs[f->count - 1].revision, 0);
    feed_call(f, 1, "10");
    assert_int_equal(counted(f, PRC_DUPLICATE), 1);
    struct mf_event other = make_option("O:AAPL241220P00150000", LATE_2024, 0, "3");
    feed(f, &other); // another contract has a ring of its own
    assert_int_equal(counted(f, PRC_KEPT), PRC_RING + 2);
}

static void test_what_is_not_folded(void **state)
{
    struct fixture *f = *state;
    struct mf_event forming = make_call(0, "10"), own = make_call(1, "10"), future = make_call(2, "10");
    forming.flags = MF_FLAG_FORMING;
    feed(f, &forming);
    feed(f, &forming);
    assert_int_equal(count_role(f, MF_TOPIC_OPTION_BARS_FILTERED), 2);
    assert_int_equal(f->live->count, 0);
    own.source = MF_STR("processor");
    own.option_bar.bar.vendor_ms = INT64_MIN;
    own.option_bar.bar.revision = 0;
    own.option_bar.bar.parent_source = MF_STR("polygon");
    own.option_bar.bar.cause = MF_STR("0123456789abcdef0123456789abcdef");
    feed(f, &own);
    assert_string_equal(text_of(&f->outs[2], "reason"), "unexpected_type");
    future.ingest_time_us = future.event_time_us - MF_US_PER_HOUR - 1000;
    feed(f, &future);
    assert_string_equal(text_of(&f->outs[3], "reason"), "future_timestamp");
    assert_int_equal(f->live->count, 0);
}

static void test_a_jump_fires_per_contract(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    struct mf_event put = make_option("O:AAPL241220P00150000", LATE_2024, 0, "3");
    feed(f, &put);
    feed_call(f, 0, "10");
    feed_call(f, 1, "20"); // exactly twice is no jump
    assert_null(alert_of(f, 0));
    feed_call(f, 2, "40.04");
    const struct out *alert = alert_of(f, 0);
    assert_non_null(alert);
    assert_true(says(alert, "\"value\":2.002"));
    assert_true(says(alert, "\"contract\":\"O:AAPL241220C00150000\""));
    assert_true(says(alert, "\"parent_source\":\"polygon\""));
    assert_true(says(alert, "\"baseline\":{\"previous_close\":20"));
    assert_string_equal(text_of(alert, "asset_class"), "option");
    assert_string_equal(text_of(alert, "direction"), "up");
    assert_int_equal(alert[-1].role, MF_TOPIC_OPTION_BARS_FILTERED); // the bar itself has passed before
    put = make_option("O:AAPL241220P00150000", LATE_2024, 2, "1");
    feed(f, &put); // at the same time: a third of what it was
    const struct out *second = alert_of(f, 1);
    assert_non_null(second);
    assert_true(says(second, "\"contract\":\"O:AAPL241220P00150000\""));
    char id[64];
    snprintf(id, sizeof id, "%s", text_of(alert, "event_id"));
    assert_string_not_equal(text_of(second, "event_id"), id);
    for (int step = 3; step <= 5; step++)
        feed_call(f, step, "40");
    const struct out *cleared = alert_of(f, 2);
    assert_non_null(cleared);
    assert_string_equal(text_of(cleared, "reason"), "cleared");
    assert_true(says(cleared, "\"contract\":\"O:AAPL241220C00150000\""));
    assert_null(alert_of(f, 3));
    assert_int_equal(counts_of(f)->alerts[PRC_RULE_PRICE_INTEGRITY][MF_SEVERITY_CRITICAL], 2);
    check_valid(f);
}

static void test_warm_up_and_splits(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    struct mf_event warm = make_call(1, "100");
    warm.flags = MF_FLAG_WARMUP;
    feed_call(f, 0, "10");
    feed(f, &warm);
    assert_null(alert_of(f, 0));
    struct mf_event split = make_event(MF_EVENT_CORPORATE_ACTION, "AAPL", "live", OPEN_US);
    split.corporate_action.kind = MF_ACTION_SPLIT;
    split.corporate_action.ex_date = (struct mf_date){2024, 1, 2};
    split.corporate_action.split_from = MF_STR("1");
    split.corporate_action.split_to = MF_STR("4");
    feed(f, &split);
    feed_call(f, 2, "25"); // the underlying was split that day
    assert_null(alert_of(f, 0));
    feed_call(f, 48, "100"); // but not the next
    assert_non_null(alert_of(f, 0));
    split.corporate_action.ex_date = (struct mf_date){2024, 1, 3};
    split.event_time_us += MF_US_PER_MS;
    forget(f);
    feed(f, &split);
    feed_call(f, 48, "101"); // a correction keeps what its bar knew
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 1);
    assert_string_equal(text_of(alert_of(f, 0), "state"), "firing");
}

static void test_a_correction_withdraws(void **state)
{
    struct fixture *f = *state;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, 2);
    feed_call(f, 0, "10");
    feed_call(f, 1, "1000"); // a slipped point
    feed_call(f, 2, "10.1");
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 3); // up; resolved and down
    forget(f);
    feed_call(f, 1, "10");
    assert_int_equal(f->outs[0].revision, 1);
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(text_of(alert_of(f, i), "state"), "resolved");
        assert_string_equal(text_of(alert_of(f, i), "reason"), "corrected");
    }
    assert_true(says(alert_of(f, 0), "\"revision\":2"));
    assert_true(says(alert_of(f, 1), "\"revision\":1"));
    forget(f);
    feed_call(f, 1, "50"); // a jump after all
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2);
    assert_true(says(alert_of(f, 0), "\"revision\":3"));
    check_valid(f);
}

static void test_contracts_are_limited(void **state)
{
    struct fixture *f = *state;
    char ticker[32];
    for (int round = 0; round < 2; round++) // all of them are remembered
        for (int i = 0; i <= PRC_CONTRACTS_MAX; i++) {
            snprintf(ticker, sizeof ticker, "O:AAPL241220C%08d", i);
            struct mf_event event = make_option(ticker, LATE_2024, 0, "10");
            feed(f, &event);
        }
    assert_int_equal(counted(f, PRC_KEPT), PRC_CONTRACTS_MAX);
    assert_int_equal(counted(f, PRC_DUPLICATE), PRC_CONTRACTS_MAX);
    assert_int_equal(count_role(f, MF_TOPIC_DLQ), 2);
    assert_string_equal(text_of(find_out(f, MF_TOPIC_DLQ, 0, NULL, NULL), "reason"), "state_limit");
    assert_int_equal(counts_of(f)->state_refusals, 2);
}

static void test_expired_contracts_are_forgotten(void **state)
{
    struct fixture *f = *state;
    bool full = false;
    const struct mf_date friday = {2024, 1, 5};
    struct mf_event weekly = make_option("O:AAPL240105C00150000", friday, 0, "10");
    feed(f, &weekly);
    feed_call(f, 0, "10");
    const struct prc_cell *cell = prc_partition_cell(f->live, MF_STR("live"), MF_STR("AAPL"), false, &full);
    size_t bytes = prc_partition_bytes(f->live);
    feed_call(f, 10 * 48, "10"); // a week after it
    assert_int_equal(cell->contracts.count, 2);
    feed_call(f, 11 * 48, "10");
    assert_int_equal(cell->contracts.count, 1);
    assert_string_equal(cell->contracts.items[0]->ticker, "O:AAPL241220C00150000");
    feed_call(f, 0, "10"); // the other is still known
    assert_int_equal(counted(f, PRC_DUPLICATE), 1);
    assert_in_range(prc_partition_bytes(f->live), bytes / 2, bytes);
    feed(f, &weekly); // and this one begins anew
    assert_int_equal(cell->contracts.count, 2);
    assert_int_equal(counted(f, PRC_KEPT), 5);
}

// ---------------------------------------------------------------- what other bars say

enum { STEPS = 400, RECORDS = 600, ROUNDS = 12 };

// Of an alert: what does not name the series.
static void verdict_of(const struct out *out, char text[1024])
{
    const char *from = strstr(out->value, "\"severity\""), *to = strstr(out->value, ",\"parent_source\"");
    assert_true(from != NULL && to != NULL && to - from < 900);
    const char *flags = strstr(out->value, "\"flags\"");
    size_t len = (size_t)snprintf(text, 1024, "%s %.20s ", text_of(out, "event_time"), flags);
    memcpy(text + len, from, (size_t)(to - from));
    text[len + (size_t)(to - from)] = '\0';
}

// The bars' own outputs apart, both series must have said the same, in the same order.
static void compare(const struct fixture *f, size_t first, size_t second, int record)
{
    size_t a = first, b = second;
    for (;; a++, b++) {
        while (a < second && f->outs[a].role != MF_TOPIC_ALERTS)
            a++;
        while (b < f->count && f->outs[b].role != MF_TOPIC_ALERTS)
            b++;
        if (a >= second || b >= f->count)
            break;
        char texts[2][1024];
        verdict_of(&f->outs[a], texts[0]);
        verdict_of(&f->outs[b], texts[1]);
        if (strcmp(texts[0], texts[1]) != 0)
            fail_msg("record %d: a bar says %s, an option bar %s", record, texts[0], texts[1]);
    }
    if (a < second || b < f->count)
        fail_msg("record %d: only one of them says %s", record, f->outs[a < second ? a : b].value);
    const struct out *bar = &f->outs[first], *option = &f->outs[second];
    assert_int_equal(second - first > 0, f->count - second > 0); // passed or not
    if (second > first) {
        assert_int_equal(bar->flags, option->flags);
        assert_int_equal(bar->revision, option->revision);
    }
}

static int any_step(uint64_t *random, int newest)
{
    uint64_t what = mf_random_next(random) % 100;
    if (what < 60)
        return newest + 1 + (what < 20 ? 1 : 0);
    if (what < 65) // before all others, as long as that is possible
        return (int)(mf_random_next(random) % 8);
    int back = (int)(mf_random_next(random) % 70);
    return newest - back > 0 ? newest - back : 0;
}

static void feed_both(struct fixture *f, int step, const char *price, unsigned flags, int record)
{
    struct mf_event option = make_call(step, price);
    struct mf_event bar = make_bar_at("IBM", "live", MF_INTERVAL_30M, option.event_time_us, price);
    bar.bar.session_date = option.option_bar.bar.session_date;
    bar.flags = option.flags = flags;
    size_t first = f->count;
    feed(f, &bar);
    size_t second = f->count;
    feed(f, &option);
    compare(f, first, second, record);
}

static void test_they_say_what_other_bars_say(void **state)
{
    struct fixture *f = *state;
    static const char *const prices[] = {"10", "11", "12.5", "15", "20.01", "8", "4", "31"};
    uint64_t seed = mf_random_seed(), random = seed;
    size_t alerts = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    f->config.rollups = false;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 1.2, 1.5, 2);
    for (int round = 0; round < ROUNDS; round++) {
        f->config.rules.cooldown_us = round % 3 == 0 ? 0 : round % 3 * MF_US_PER_HOUR;
        restart(f);
        int newest = 8;
        for (int record = 0; record < RECORDS && newest < STEPS; record++) {
            int step = any_step(&random, newest);
            newest = step > newest ? step : newest;
            unsigned flags = mf_random_next(&random) % 20 == 0 ? MF_FLAG_WARMUP : 0;
            flags |= mf_random_next(&random) % 20 == 0 ? MF_FLAG_DELAYED : 0;
            feed_both(f, step, prices[mf_random_next(&random) % MF_ARRAY_LEN(prices)], flags, record);
        }
        alerts += count_role(f, MF_TOPIC_ALERTS);
    }
    assert_true(alerts > 1000);
    check_valid(f);
}

static void test_what_leaves_the_ring(void **state)
{
    struct fixture *f = *state;
    char price[32];
    double rising = 10;
    f->config.rollups = false;
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 1.2, 0, 0);
    for (int step = 1; step <= PRC_RING; step++)
        feed_both(f, step, "10", 0, step);
    feed_both(f, 0, "100", 0, 0); // before exactly as many as the ring holds: their first has jumped
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2 * 2); // fired, and cleared since
    int step = PRC_RING + 1, last = step + PRC_RING + 5;
    for (; step <= last; step++) { // one alert, which stands until its bar has left
        rising *= 1.25;
        snprintf(price, sizeof price, "%.4f", rising);
        feed_both(f, step, price, 0, step);
    }
    for (int i = 0; i < PRC_CLEAR_BARS; i++)
        feed_both(f, step + i, price, 0, step + i);
    forget(f);
    snprintf(price, sizeof price, "%.4f", rising * 1.25);
    feed_both(f, step + PRC_CLEAR_BARS - 1, price, 0, step); // it was not over
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 2);
    assert_string_equal(text_of(alert_of(f, 1), "state"), "firing");
    assert_non_null(strstr(alert_of(f, 1)->value, "stands again"));
    check_valid(f);
}

static void other_threshold(struct fixture *f, double level)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++)
        f->config.rules.thresholds[PRC_RULE_PRICE_INTEGRITY][i].level[MF_SEVERITY_CRITICAL] = level;
    prc_rule_config_prepare(&f->config.rules);
    prc_fold_set_rules(f->fold, &f->config.rules);
}

// Jumps at 1 and 70 of the height; between them the thresholds change, and bar 1 leaves the ring; then bar 60
// is told again with other content, so that the ring is judged from its start. Returns the alert events.
static size_t jump_and_correct(struct fixture *f, double before, double after, const char *low)
{
    f->config.rules.cooldown_us = 100 * OPTION_STEP_US; // reaches beyond the ring
    switch_on(f, PRC_RULE_PRICE_INTEGRITY, 0, 0, before);
    for (int step = 0; step <= 80; step++) {
        if (step == 5)
            other_threshold(f, after);
        feed_call(f, step, step < 1 || step >= 70 ? low : "25");
    }
    size_t said = count_role(f, MF_TOPIC_ALERTS);
    feed_call(f, 60, "25.1");
    assert_int_equal(counted(f, PRC_CORRECTED), 1);
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), said); // it changes nothing that was said
    return said;
}

// What a bar said under the thresholds of its time stands when it is out of reach, its cooldown too.
static void test_thresholds_that_change_behind_the_ring(void **state)
{
    struct fixture *f = *state;
    // Fired and resolved under 2; the fall at 70 is quiet because of it, though 2.4 would not have fired
    // at 1.
    assert_int_equal(jump_and_correct(f, 2, 2.4, "10"), 2);
    // Not fired under 3, and no reason for silence at 70, though 2 would have fired at 1.
    restart(f);
    assert_int_equal(jump_and_correct(f, 3, 2, "10"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repeats_and_corrections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_bars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_jump_fires_per_contract, setup, teardown),
        cmocka_unit_test_setup_teardown(test_warm_up_and_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_correction_withdraws, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contracts_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expired_contracts_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_thresholds_that_change_behind_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_leaves_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_they_say_what_other_bars_say, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
