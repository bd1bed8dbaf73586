// SPDX-License-Identifier: Apache-2.0
// Series as a whole: whatever the order of arrival, and wherever state was taken apart and put together
// again, what has been published equals what the sorted, final bars would have published.
#include "prc_series_support.h"

static const enum mf_interval kinds[] = {MF_INTERVAL_1M, MF_INTERVAL_5M, MF_INTERVAL_1H, MF_INTERVAL_1D};

struct arrival {
    size_t bar;
    bool wrong;
};

// Bars up to `reach` places out of order, a quarter of them first with wrong numbers.
static size_t shuffled(struct arrival *arrivals, size_t count, size_t reach, uint64_t *random)
{
    size_t made = 0;
    for (size_t block = 0; block < count; block += reach) {
        size_t order[PRC_RING], size = block + reach < count ? reach : count - block;
        for (size_t i = 0; i < size; i++)
            order[i] = block + i;
        for (size_t i = size - 1; i > 0; i--) {
            size_t j = mf_random_next(random) % (i + 1), swap = order[i];
            order[i] = order[j], order[j] = swap;
        }
        for (size_t i = 0; i < size; i++) {
            if (mf_random_next(random) % 4 == 0)
                arrivals[made++] = (struct arrival){order[i], true};
            arrivals[made++] = (struct arrival){order[i], false};
        }
    }
    return made;
}

enum { COUNT = 330, REACH = 30 };

static void test_any_order_within_the_ring(void **state)
{
    (void)state;
    static struct feed_bar bars[COUNT];
    static struct arrival arrivals[2 * COUNT];
    struct prc_rule_config config = rules(1);
    size_t alerts = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        enum mf_interval interval = kinds[seed % MF_ARRAY_LEN(kinds)];
        print_message("seed %llu, %s\n", (unsigned long long)seed, mf_interval_name(interval));
        uint64_t random = seed;
        make_bars(bars, COUNT, interval, seed * 104729);
        struct ledger *expected = in_order(bars, COUNT, interval), *ledger = new_ledger();
        struct prc_series *series = new_series(interval);
        size_t count = shuffled(arrivals, COUNT, REACH, &random);
        for (size_t i = 0; i < count; i++) {
            struct feed_bar bar = bars[arrivals[i].bar];
            if (arrivals[i].wrong)
                bar = spoilt(&bar, &random);
            feed(series, &bar, &config, ledger);
        }
        assert_within(expected, ledger);
        assert_within(ledger, expected);
        alerts += expected->alerts;
        assert_true(ledger->published > expected->published); // there was something to put right
        prc_series_free(&series);
        free(ledger);
        free(expected);
    }
    assert_true(alerts > 1000); // the comparison is about something
}

// One correction at every place of the ring: as if the bar had come right at once.
static void test_a_correction_leaves_no_trace(void **state)
{
    (void)state;
    static struct feed_bar bars[140];
    struct prc_rule_config config = rules(1);
    uint64_t random = 99;
    make_bars(bars, 140, MF_INTERVAL_1M, 4711);
    struct ledger *expected = in_order(bars, 140, MF_INTERVAL_1M);
    for (size_t back = 1; back <= PRC_RING; back++) {
        struct ledger *ledger = new_ledger();
        struct prc_series *series = new_series(MF_INTERVAL_1M);
        for (size_t i = 0; i < 140; i++) {
            struct feed_bar bar = bars[i];
            if (i == 140 - back)
                bar = spoilt(&bar, &random);
            feed(series, &bar, &config, ledger);
        }
        assert_int_equal(feed(series, &bars[140 - back], &config, ledger), PRC_PLACED_CORRECTION);
        assert_false(last_applied.appended);
        assert_within(expected, ledger);
        assert_within(ledger, expected);
        prc_series_free(&series);
        free(ledger);
    }
    free(expected);
}

// The same series put together from its parts, with all checkpoints or with the base alone.
static struct prc_series *rebuilt(const struct prc_series *series, bool checkpoints)
{
    struct prc_series *copy = prc_series_new(&series->key, series->asset_class);
    struct prc_series_parts parts = {.head = series->head,
                                     .count = series->count,
                                     .behind = series->behind,
                                     .behind_count = series->behind_count,
                                     .fired = series->fired,
                                     .fired_count = series->fired_count};
    for (size_t k = 0; k < PRC_CHECKPOINTS; k++)
        parts.has_checkpoint[k] =
            prc_series_checkpoint(series, k, &parts.checkpoints[k]) && (k == 0 || checkpoints);
    parts.lookback = prc_series_lookback(series, parts.column);
    parts.slots = calloc(series->count + 1, sizeof *parts.slots);
    for (size_t i = 0; i < series->count; i++) {
        struct prc_frozen frozen = prc_slot_thaw(&series->slots[i]);
        parts.slots[i] = series->slots[i];
        parts.slots[i].frozen.whole = NULL;
        prc_slot_freeze(&parts.slots[i], &frozen);
        if (series->slots[i].numbers.wide != NULL)
            parts.slots[i].numbers.wide = mf_strndup(mf_str_of(series->slots[i].numbers.wide));
    }
    prc_series_restore(copy, &parts);
    return copy;
}

// Event for event the same, wherever and however often state was taken apart.
static void test_any_layout_of_checkpoints_publishes_the_same(void **state)
{
    (void)state;
    static struct feed_bar bars[COUNT];
    static struct arrival arrivals[2 * COUNT];
    struct prc_rule_config config = rules(1);
    size_t restated = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        enum mf_interval interval = kinds[seed % MF_ARRAY_LEN(kinds)];
        uint64_t random = seed * 31, dice = seed;
        print_message("seed %llu, %s\n", (unsigned long long)seed, mf_interval_name(interval));
        make_bars(bars, COUNT, interval, seed * 7919);
        size_t count = shuffled(arrivals, COUNT, seed % 3 == 0 ? 60 : 20, &random);
        struct prc_series *one = new_series(interval), *other = new_series(interval);
        struct ledger *a = new_ledger(), *b = new_ledger();
        for (size_t i = 0; i < count; i++) {
            struct feed_bar bar = bars[arrivals[i].bar];
            if (arrivals[i].wrong)
                bar = spoilt(&bar, &random);
            feed(one, &bar, &config, a);
            struct prc_applied applied = last_applied;
            feed(other, &bar, &config, b);
            assert_int_equal(applied.alerts, last_applied.alerts);
            assert_int_equal(applied.first_of_session, last_applied.first_of_session);
            assert_true(a->digest == b->digest);
            assert_true(a->published == b->published);
            if (mf_random_next(&dice) % 5 == 0) {
                struct prc_series *copy = rebuilt(other, mf_random_next(&dice) % 4 == 0);
                prc_series_free(&other);
                other = copy;
            }
        }
        restated += a->restated;
        assert_int_equal(one->fired_count, other->fired_count);
        prc_series_free(&one);
        prc_series_free(&other);
        free(a);
        free(b);
    }
    assert_true(restated > 0); // a firing whose bar had left the ring stood again
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_within_the_ring),
        cmocka_unit_test(test_a_correction_leaves_no_trace),
        cmocka_unit_test(test_any_layout_of_checkpoints_publishes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
