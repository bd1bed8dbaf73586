// SPDX-License-Identifier: Apache-2.0
// The ring: what has been published after any order of arrival equals what the sorted, final bars would have
// published.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/series.h"

#define KEYS_MAX 4096

// The last word about every key, as a reader of the output topics would hold it.
struct ledger {
    struct {
        int64_t time_us;
        int rule; // -1 = the bar's metric
        unsigned revision;
        struct prc_values values;
        uint32_t n_obs;
        struct prc_transition transition;
    } rows[KEYS_MAX];
    size_t count;
    size_t published;
};

static size_t row_of(struct ledger *ledger, int64_t time_us, int rule, unsigned revision)
{
    ledger->published++;
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->rows[i].time_us == time_us && ledger->rows[i].rule == rule) {
            assert_int_equal(revision, ledger->rows[i].revision + 1); // no revision is skipped or said twice
            return i;
        }
    assert_int_equal(revision, 0);
    assert_true(ledger->count < KEYS_MAX);
    ledger->rows[ledger->count].time_us = time_us;
    ledger->rows[ledger->count].rule = rule;
    return ledger->count++;
}

static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    (void)series;
    struct ledger *ledger = arg;
    size_t i = row_of(ledger, bar->time_us, -1, revision);
    ledger->rows[i].revision = revision;
    ledger->rows[i].values = *values;
    ledger->rows[i].n_obs = n_obs;
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    (void)series;
    (void)values;
    (void)bar;
    struct ledger *ledger = arg;
    size_t i = row_of(ledger, transition->key_time_us, (int)transition->rule, revision);
    ledger->rows[i].revision = revision;
    ledger->rows[i].transition = *transition;
}

static struct prc_rule_config rules(void)
{
    struct prc_rule_config config = {.min_volume = 0, .min_price = 0, .cooldown_us = 15 * MF_US_PER_MINUTE};
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        config.thresholds[PRC_RULE_PRICE_MOVE][i] = (struct prc_thresholds){{0.5, 1, 1.6}};
        config.thresholds[PRC_RULE_VOLUME_SPIKE][i] = (struct prc_thresholds){{1.2, 1.5, 2}};
        config.thresholds[PRC_RULE_GAP][i] = (struct prc_thresholds){{0.5, 1, 2}};
        config.thresholds[PRC_RULE_RSI_EXTREME][i] = (struct prc_thresholds){{60, 70, 0}};
        config.thresholds[PRC_RULE_VWAP_DEV][i] = (struct prc_thresholds){{1, 2, 3}};
    }
    return config;
}

static void make_bars(struct prc_bar *bars, size_t count, uint64_t seed)
{
    double price = 100;
    for (size_t i = 0; i < count; i++) {
        double open = price;
        price *= 1 + ((double)(mf_random_next(&seed) % 2001) - 1000) / 50000;
        bars[i] = (struct prc_bar){.time_us = (int64_t)(i + 1) * MF_US_PER_MINUTE,
                                   .end_us = (int64_t)(i + 2) * MF_US_PER_MINUTE,
                                   .open = open,
                                   .close = price,
                                   .high = fmax(open, price),
                                   .low = fmin(open, price),
                                   .volume = 1000 + (double)(mf_random_next(&seed) % 9000),
                                   .session = MF_SESSION_REGULAR,
                                   .session_day = (int32_t)(i / 97)};
    }
}

static uint64_t content_of(const struct prc_bar *bar)
{
    return mf_hash64(&bar->close, sizeof(bar->close)) ^ mf_hash64(&bar->volume, sizeof(bar->volume));
}

static enum prc_placement feed(struct prc_series *series, const struct prc_bar *bar,
                               const struct prc_rule_config *config, struct ledger *ledger)
{
    struct prc_series_sink sink = {ledger, on_metric, on_alert};
    unsigned revision = 0;
    enum prc_placement placement = prc_series_place(series, bar->time_us, content_of(bar), &revision);
    if (placement == PRC_PLACED_NEW || placement == PRC_PLACED_CORRECTION)
        prc_series_apply(series, bar, content_of(bar), config, &sink);
    return placement;
}

static struct prc_series *new_series(void)
{
    struct prc_series_key key = {"polygon", MF_ADJUSTED_SPLIT, MF_INTERVAL_1M};
    return prc_series_new(&key, MF_ASSET_STOCK);
}

// A withdrawn alert and one that never fired are the same to a reader.
static bool stands(const struct ledger *ledger, size_t i)
{
    return ledger->rows[i].rule < 0 || ledger->rows[i].transition.resolution != PRC_RESOLVED_CORRECTED;
}

static void assert_same_outcome(const struct ledger *a, const struct ledger *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!stands(a, i))
            continue;
        size_t j = 0;
        while (j < b->count && (b->rows[j].time_us != a->rows[i].time_us ||
                                b->rows[j].rule != a->rows[i].rule || !stands(b, j)))
            j++;
        assert_true(j < b->count);
        if (a->rows[i].rule < 0) {
            assert_int_equal(a->rows[i].values.present, b->rows[j].values.present);
            assert_memory_equal(a->rows[i].values.v, b->rows[j].values.v, sizeof(a->rows[i].values.v));
            assert_int_equal(a->rows[i].n_obs, b->rows[j].n_obs);
        } else {
            const struct prc_transition *x = &a->rows[i].transition, *y = &b->rows[j].transition;
            assert_int_equal(x->resolution, y->resolution);
            assert_int_equal(x->resolved_time_us, y->resolved_time_us);
            assert_int_equal(x->verdict.severity, y->verdict.severity);
            assert_true(x->verdict.value == y->verdict.value);
        }
    }
}

static struct ledger *in_order(const struct prc_bar *bars, size_t count)
{
    struct prc_rule_config config = rules();
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    struct prc_series *series = new_series();
    for (size_t i = 0; i < count; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    prc_series_free(&series);
    return ledger;
}

// Bars arrive up to 30 places out of order, some first with wrong numbers that are corrected later.
static void test_any_order_within_the_ring(void **state)
{
    (void)state;
    enum { COUNT = 300, REACH = 30 };
    struct prc_rule_config config = rules();
    size_t alerts = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct prc_bar bars[COUNT];
        make_bars(bars, COUNT, seed * 104729);
        struct ledger *expected = in_order(bars, COUNT);
        struct ledger *ledger = calloc(1, sizeof(*ledger));
        struct prc_series *series = new_series();
        uint64_t random = seed;
        for (size_t block = 0; block < COUNT; block += REACH) {
            size_t order[REACH];
            for (size_t i = 0; i < REACH; i++)
                order[i] = block + i;
            for (size_t i = REACH - 1; i > 0; i--) {
                size_t j = mf_random_next(&random) % (i + 1), swap = order[i];
                order[i] = order[j], order[j] = swap;
            }
            for (size_t i = 0; i < REACH; i++) {
                struct prc_bar wrong = bars[order[i]];
                wrong.close *= 1.05, wrong.high = fmax(wrong.high, wrong.close), wrong.volume *= 3;
                if (mf_random_next(&random) % 4 == 0)
                    feed(series, &wrong, &config, ledger);
                feed(series, &bars[order[i]], &config, ledger);
            }
        }
        assert_same_outcome(expected, ledger);
        assert_same_outcome(ledger, expected);
        for (size_t i = 0; i < expected->count; i++)
            alerts += expected->rows[i].rule >= 0;
        assert_true(ledger->published > expected->published); // there was something to put right
        prc_series_free(&series);
        free(ledger);
        free(expected);
    }
    assert_true(alerts > 1000); // the comparison is about something
}

static void test_placements(void **state)
{
    (void)state;
    struct prc_rule_config config = rules();
    struct prc_bar bars[200];
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    struct prc_series *series = new_series();
    make_bars(bars, 200, 77);
    for (size_t i = 100; i < 200; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    size_t published = ledger->published;
    assert_int_equal(feed(series, &bars[199], &config, ledger), PRC_PLACED_DUPLICATE);
    assert_int_equal(feed(series, &bars[199 - PRC_RING + 1], &config, ledger), PRC_PLACED_DUPLICATE);
    assert_int_equal(feed(series, &bars[199 - PRC_RING], &config, ledger),
                     PRC_PLACED_LATE); // one beyond the ring
    assert_int_equal(feed(series, &bars[0], &config, ledger), PRC_PLACED_LATE);
    assert_int_equal(ledger->published, published);
    struct prc_bar changed = bars[150];
    changed.volume += 1;
    unsigned revision = 0;
    assert_int_equal(prc_series_place(series, changed.time_us, content_of(&changed), &revision),
                     PRC_PLACED_CORRECTION);
    assert_int_equal(revision, 1);
    assert_int_equal(feed(series, &changed, &config, ledger), PRC_PLACED_CORRECTION);
    assert_int_equal(feed(series, &bars[150], &config, ledger), PRC_PLACED_CORRECTION); // A → B → A
    assert_int_equal(prc_series_place(series, changed.time_us, content_of(&bars[150]), &revision),
                     PRC_PLACED_DUPLICATE);
    assert_int_equal(revision, 2);
    prc_series_free(&series);
    free(ledger);
}

static void test_clone_is_independent(void **state)
{
    (void)state;
    struct prc_rule_config config = rules();
    struct prc_bar bars[150];
    make_bars(bars, 150, 4242);
    struct ledger *first = calloc(1, sizeof(*first));
    struct prc_series *series = new_series();
    for (size_t i = 0; i < 100; i++)
        feed(series, &bars[i], &config, first);
    struct prc_series *copy = prc_series_clone(series);
    struct ledger *second = calloc(1, sizeof(*second));
    *second = *first;
    for (size_t i = 100; i < 150; i++)
        feed(series, &bars[i], &config, first);
    for (size_t i = 100; i < 150; i++)
        feed(copy, &bars[i], &config, second);
    assert_int_equal(first->published, second->published);
    assert_same_outcome(first, second);
    prc_series_free(&series);
    prc_series_free(&copy);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_within_the_ring),
        cmocka_unit_test(test_placements),
        cmocka_unit_test(test_clone_is_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
