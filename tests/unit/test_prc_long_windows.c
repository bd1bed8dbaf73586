// SPDX-License-Identifier: Apache-2.0
// Bars of quarters and years: their windows fit into a series, they have metrics and no rules, and nothing is
// made of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/prc_fold_fixture.h"

static void test_window_lengths(void **state)
{
    (void)state;
    static const int64_t lengths_us[] = {0,
                                         MF_US_PER_MS,
                                         MF_US_PER_MINUTE,
                                         23400123 * MF_US_PER_MS,
                                         31 * MF_US_PER_DAY + MF_US_PER_HOUR - MF_US_PER_MS,
                                         37 * MF_US_PER_DAY,
                                         38 * MF_US_PER_DAY,
                                         92 * MF_US_PER_DAY + MF_US_PER_HOUR - MF_US_PER_SECOND,
                                         366 * MF_US_PER_DAY + MF_US_PER_HOUR};
    for (size_t i = 0; i < MF_ARRAY_LEN(lengths_us); i++)
        assert_int_equal(prc_window_us(prc_window_pack(lengths_us[i])), lengths_us[i]);
}

// The index-th quarter from 1990 on, or year.
static struct mf_event make_long(const struct fixture *f, enum mf_interval interval, int index,
                                 const char *price)
{
    int months = interval == MF_INTERVAL_1Y ? 12 : 3, month = index * months;
    struct mf_date from = {1990 + month / 12, month % 12 + 1, 1};
    struct mf_date to = {1990 + (month + months) / 12, (month + months) % 12 + 1, 1};
    struct mf_calendar_session last;
    assert_true(mf_calendar_session_until(f->calendar, mf_date_add_days(to, -1), &last));
    int64_t start_us = mf_calendar_midnight_us(f->calendar, from);
    struct mf_event event = make_bar_at("AAPL", "backfill:q", interval, start_us, price);
    event.bar.window_end_us = last.close_us;
    event.ingest_time_us = last.close_us + MF_US_PER_DAY;
    event.bar.session_date = from;
    event.bar.session = MF_SESSION_FULL;
    return event;
}

static const struct prc_series *series_of(struct fixture *f, enum mf_interval interval)
{
    bool full = false;
    struct prc_cell *cell =
        prc_partition_cell(f->backfill, MF_STR("backfill:q"), MF_STR("AAPL"), false, &full);
    assert_non_null(cell);
    assert_int_equal(cell->group_count, 1);
    for (int i = 0; i < MF_INTERVAL_MAX; i++)
        assert_null(cell->groups[0]->derived[i]);
    return cell->groups[0]->vendor[interval];
}

static void check_interval(struct fixture *f, enum mf_interval interval)
{
    enum { BARS = 30 };
    char price[16];
    for (int r = 0; r < PRC_RULE_MAX; r++)
        switch_on(f, (enum prc_rule)r, 0.01, 0.01, 0.01);
    struct mf_event bar;
    for (int i = 0; i < BARS; i++) {
        snprintf(price, sizeof price, "%d", i % 7 == 3 ? 500 : 100 + i);
        bar = make_long(f, interval, i, price);
        feed(f, &bar);
    }
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), BARS);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), BARS);
    assert_int_equal(count_role(f, MF_TOPIC_ALERTS), 0);
    assert_int_equal(f->count, 2 * BARS);
    char member[32];
    snprintf(member, sizeof member, "\"interval\":\"%s\"", mf_interval_name(interval));
    const struct out *metric = find_out(f, MF_TOPIC_METRICS, BARS - 1, member, "\"n_obs\":30");
    assert_null(metric); // it is the first one that says 30
    metric = find_out(f, MF_TOPIC_METRICS, 0, member, "\"n_obs\":30");
    assert_non_null(metric);
    assert_non_null(strstr(metric->value, "\"sma_20\":"));
    assert_null(strstr(metric->value, "\"volatility_ann_pct\":"));
    // The window is what it was
    const struct prc_series *series = series_of(f, interval);
    const struct prc_slot *slot = prc_series_ring_slot(series, prc_series_ring_count(series) - 1);
    assert_int_equal(slot->time_us + prc_window_us(slot->length), bar.bar.window_end_us);
    assert_int_equal(series->largest_end_us, bar.bar.window_end_us);
    // Again: a duplicate. With another close: a correction, and what comes after it is recomputed.
    forget(f);
    feed(f, &bar);
    assert_int_equal(f->count, 0);
    bar = make_long(f, interval, BARS - 2, "333");
    feed(f, &bar);
    assert_int_equal(count_role(f, MF_TOPIC_BARS_FILTERED), 1);
    assert_int_equal(f->outs[0].revision, 1);
    assert_int_equal(count_role(f, MF_TOPIC_METRICS), 2);
    check_valid(f);
}

static void test_quarters(void **state)
{
    check_interval(*state, MF_INTERVAL_3MO);
}

static void test_years(void **state)
{
    check_interval(*state, MF_INTERVAL_1Y);
}

// Two windows ahead of its own time of ingest is no bar but a broken clock.
static void test_future(void **state)
{
    struct fixture *f = *state;
    struct mf_event bar = make_long(f, MF_INTERVAL_3MO, 40, "100");
    bar.ingest_time_us = bar.event_time_us - 2 * 92 * MF_US_PER_DAY;
    feed(f, &bar);
    assert_int_equal(count_role(f, MF_TOPIC_DLQ), 0);
    bar.ingest_time_us -= MF_US_PER_MS;
    feed(f, &bar);
    assert_int_equal(count_role(f, MF_TOPIC_DLQ), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_lengths),
        cmocka_unit_test_setup_teardown(test_quarters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_years, setup, teardown),
        cmocka_unit_test_setup_teardown(test_future, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
