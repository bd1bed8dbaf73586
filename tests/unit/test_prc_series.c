// SPDX-License-Identifier: Apache-2.0
// Series: whatever the order of arrival, and wherever state was taken apart and put together again, what has
// been published equals what the sorted, final bars would have published.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/backoff.h"
#include "services/processor/series.h"

#define KEYS_MAX 16384

// The last word about every key, as a reader of the output topics would hold it, and a digest of every event
// published, in order.
struct ledger {
    struct row {
        int64_t time_us;
        int rule; // -1 = the bar's metric
        unsigned revision;
        struct prc_values values;
        uint32_t n_obs;
        struct prc_transition transition;
    } rows[KEYS_MAX];
    size_t count, published, alerts, restated, changed_rules;
    uint64_t digest;
    int64_t last_alert_bar_us; // of the bar handed to the last alert
};

static void digest(struct ledger *ledger, const void *data, size_t len)
{
    uint64_t both[2] = {ledger->digest, mf_hash64(data, len)};
    ledger->digest = mf_hash64(both, sizeof both);
}

static void digest_values(struct ledger *ledger, const struct prc_values *values)
{
    for (int f = 0; f < MF_METRIC_FIELD_MAX; f++)
        if (prc_has(values, (enum mf_metric_field)f))
            digest(ledger, &values->v[f], sizeof(double));
    uint64_t flags[] = {values->present, values->warm, values->vol_regime, values->market_regime};
    digest(ledger, flags, sizeof flags);
}

static struct row *row_of(struct ledger *ledger, int64_t time_us, int rule, unsigned revision)
{
    ledger->published++;
    for (size_t i = ledger->count; i > 0; i--)
        if (ledger->rows[i - 1].time_us == time_us && ledger->rows[i - 1].rule == rule) {
            // No revision is skipped or said twice.
            assert_int_equal(revision, ledger->rows[i - 1].revision + 1);
            return &ledger->rows[i - 1];
        }
    assert_int_equal(revision, 0);
    assert_true(ledger->count < KEYS_MAX);
    ledger->rows[ledger->count].time_us = time_us;
    ledger->rows[ledger->count].rule = rule;
    return &ledger->rows[ledger->count++];
}

static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    (void)series;
    struct ledger *ledger = arg;
    struct row *row = row_of(ledger, bar->time_us, -1, revision);
    row->revision = revision;
    row->values = *values;
    row->n_obs = n_obs;
    uint64_t facts[] = {(uint64_t)bar->time_us, revision, n_obs};
    digest(ledger, facts, sizeof facts);
    digest_values(ledger, values);
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    (void)series;
    struct ledger *ledger = arg;
    struct row *row = row_of(ledger, transition->key_time_us, (int)transition->rule, revision);
    row->revision = revision;
    row->transition = *transition;
    ledger->alerts++;
    bool firing = transition->resolution == PRC_NOT_RESOLVED;
    ledger->restated += firing && values == NULL;
    ledger->changed_rules += transition->rule_changed;
    ledger->last_alert_bar_us = bar->time_us;
    assert_true(firing || values == NULL);
    uint64_t facts[] = {transition->rule,
                        (uint64_t)transition->key_time_us,
                        revision,
                        transition->resolution,
                        (uint64_t)transition->resolved_time_us,
                        (uint64_t)transition->cooldown_until_us,
                        transition->verdict.severity,
                        transition->verdict.direction,
                        (uint64_t)bar->time_us};
    double numbers[] = {transition->verdict.value, transition->verdict.threshold, bar->close};
    digest(ledger, facts, sizeof facts);
    digest(ledger, numbers, sizeof numbers);
    if (values != NULL)
        digest_values(ledger, values);
}

static struct ledger *new_ledger(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    assert_non_null(ledger);
    return ledger;
}

// Every rule on, low enough to fire often.
static struct prc_rule_config rules(double scale)
{
    struct prc_rule_config config = {.min_volume = 0, .min_price = 0, .cooldown_us = 15 * MF_US_PER_MINUTE};
    static const struct prc_thresholds switches = {{1, 1, 1}};
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        snprintf(config.versions[r], sizeof config.versions[r], "1.%g", scale);
        for (int i = 0; i < MF_INTERVAL_MAX; i++)
            config.thresholds[r][i] = (struct prc_thresholds){{0.9 * scale, 1.5 * scale, 2 * scale}};
    }
    for (int i = 0; i < MF_INTERVAL_MAX; i++) {
        config.thresholds[PRC_RULE_RSI_EXTREME][i] = (struct prc_thresholds){{55, 60, 70}};
        config.thresholds[PRC_RULE_MARKET_REGIME][i] = switches;
        config.thresholds[PRC_RULE_MA_CROSS][i] = switches;
        config.thresholds[PRC_RULE_MOMENTUM][i] = switches;
        config.thresholds[PRC_RULE_NEW_52W][i] = switches;
        config.thresholds[PRC_RULE_MTF_CONFLUENCE][i] = (struct prc_thresholds){{20, 40, 60}};
    }
    prc_rule_config_prepare(&config);
    return config;
}

struct feed_bar {
    struct prc_series_bar bar;
    char texts[PRC_NUMBER_MAX][MF_DECIMAL_TEXT_SIZE];
};

// The numbers as texts, and what follows from them.
static void set_numbers(struct feed_bar *out, const int64_t hundredths[PRC_NUMBER_MAX])
{
    struct prc_bar *bar = &out->bar.bar;
    double *doubles[] = {&bar->open, &bar->high, &bar->low, &bar->close, &bar->volume, &bar->vwap};
    for (int f = 0; f < PRC_NUMBER_MAX; f++) {
        snprintf(out->texts[f], sizeof out->texts[f], "%lld.%02lld", (long long)(hundredths[f] / 100),
                 (long long)(hundredths[f] % 100));
        assert_true(mf_decimal_to_double(mf_str_of(out->texts[f]), doubles[f]));
    }
    bar->has_vwap = true;
    out->bar.content_hash = mf_hash64(out->texts, sizeof out->texts);
}

static void make_bars(struct feed_bar *bars, size_t count, enum mf_interval interval, uint64_t seed)
{
    int64_t cents = 10000, length = interval == MF_INTERVAL_1D ? MF_US_PER_DAY : mf_interval_us(interval);
    memset(bars, 0, count * sizeof *bars);
    for (size_t i = 0; i < count; i++) {
        int64_t wild = 1 + (int64_t)(i / 50 % 3) * 2, open = cents;
        cents += ((int64_t)(mf_random_next(&seed) % 201) - 100) * wild;
        cents = cents < 3000 ? 3000 : cents > 30000 ? 30000 : cents;
        int64_t high = (open > cents ? open : cents) + (int64_t)(mf_random_next(&seed) % 30);
        int64_t low = (open < cents ? open : cents) - (int64_t)(mf_random_next(&seed) % 30);
        int64_t shares = mf_random_next(&seed) % 17 == 0 ? 0 : 1000 + (int64_t)(mf_random_next(&seed) % 9000);
        const int64_t numbers[] = {open, high, low, cents, shares * 100, (high + low) / 2};
        set_numbers(&bars[i], numbers);
        struct prc_bar *bar = &bars[i].bar.bar;
        bar->time_us = (int64_t)(i + 1) * length;
        bar->end_us = bar->time_us + length;
        bar->session = MF_SESSION_REGULAR;
        bar->session_day = (int32_t)(i / 97);
        bar->frozen = (struct prc_frozen){.late_us = mf_random_next(&seed) % 3 != 0 ? PRC_NOT_JUDGED : 2000,
                                          .mtf_signed = (int8_t)(mf_random_next(&seed) % 50),
                                          .mtf_weight = 50,
                                          .mtf_count = 2,
                                          .other_close = mf_random_next(&seed) % 9 == 0 ? 101 : 0,
                                          .news_price = mf_random_next(&seed) % 11 == 0 ? 99 : 0};
        bars[i].bar.trade_count = PRC_NO_TRADE_COUNT;
    }
}

static struct prc_applied last_applied;

static enum prc_placement feed(struct prc_series *series, const struct feed_bar *from,
                               const struct prc_rule_config *config, struct ledger *ledger)
{
    struct prc_series_sink sink = {ledger, on_metric, on_alert};
    struct prc_series_bar bar = from->bar;
    struct mf_str texts[PRC_NUMBER_MAX];
    unsigned revision = 0;
    enum prc_placement placement = prc_series_place(series, bar.bar.time_us, bar.content_hash, &revision);
    if (placement != PRC_PLACED_NEW && placement != PRC_PLACED_CORRECTION)
        return placement;
    for (int f = 0; f < PRC_NUMBER_MAX; f++)
        texts[f] = mf_str_of(from->texts[f]);
    assert_true(prc_numbers_parse(texts, &bar.numbers));
    prc_series_apply(series, &bar, config, &sink, &last_applied);
    assert_int_equal(last_applied.revision, revision);
    assert_null(bar.numbers.wide);
    return placement;
}

static struct prc_series *new_series(enum mf_interval interval)
{
    struct prc_series_key key = {"polygon", "polygon", MF_ADJUSTED_SPLIT, interval};
    return prc_series_new(&key, MF_ASSET_STOCK);
}

// A withdrawn alert and one that never fired are the same to a reader.
static bool stands(const struct row *row)
{
    return row->rule < 0 || row->transition.resolution != PRC_RESOLVED_CORRECTED;
}

static void assert_same_row(const struct row *a, const struct row *b)
{
    if (a->rule >= 0) {
        const struct prc_transition *x = &a->transition, *y = &b->transition;
        assert_int_equal(x->resolution, y->resolution);
        assert_int_equal(x->resolved_time_us, y->resolved_time_us);
        assert_int_equal(x->verdict.severity, y->verdict.severity);
        assert_int_equal(x->verdict.direction, y->verdict.direction);
        assert_true(x->verdict.value == y->verdict.value && x->verdict.threshold == y->verdict.threshold);
        return;
    }
    assert_true(a->values.present == b->values.present);
    for (int f = 0; f < MF_METRIC_FIELD_MAX; f++)
        assert_true(!prc_has(&a->values, (enum mf_metric_field)f) || a->values.v[f] == b->values.v[f]);
    assert_int_equal(a->values.vol_regime, b->values.vol_regime);
    assert_int_equal(a->values.market_regime, b->values.market_regime);
    assert_int_equal(a->values.warm, b->values.warm);
    assert_int_equal(a->n_obs, b->n_obs);
}

// Everything that stands in a stands in b, word by word.
static void assert_within(const struct ledger *a, const struct ledger *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!stands(&a->rows[i]))
            continue;
        size_t j = 0;
        while (j < b->count && (b->rows[j].time_us != a->rows[i].time_us ||
                                b->rows[j].rule != a->rows[i].rule || !stands(&b->rows[j])))
            j++;
        assert_true(j < b->count);
        assert_same_row(&a->rows[i], &b->rows[j]);
    }
}

static struct ledger *in_order(const struct feed_bar *bars, size_t count, enum mf_interval interval)
{
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(interval);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    prc_series_free(&series);
    return ledger;
}

static const enum mf_interval kinds[] = {MF_INTERVAL_1M, MF_INTERVAL_5M, MF_INTERVAL_1H, MF_INTERVAL_1D};

// A bar with other numbers, as a feed may first have sent it.
static struct feed_bar spoilt(const struct feed_bar *bar, uint64_t *random)
{
    struct feed_bar wrong = *bar;
    const int64_t close = llround(bar->bar.bar.close * 100) + 40 + (int64_t)(mf_random_next(random) % 900);
    const int64_t numbers[] = {llround(bar->bar.bar.open * 100),   close + 5,
                               llround(bar->bar.bar.low * 100),    close,
                               llround(bar->bar.bar.volume * 300), close - 10};
    set_numbers(&wrong, numbers);
    return wrong;
}

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

static void test_placements(void **state)
{
    (void)state;
    static struct feed_bar bars[200];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    unsigned revision = 0;
    make_bars(bars, 200, MF_INTERVAL_1M, 77);
    for (size_t i = 100; i < 200; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    size_t published = ledger->published;
    assert_int_equal(feed(series, &bars[199], &config, ledger), PRC_PLACED_DUPLICATE);
    assert_int_equal(feed(series, &bars[200 - PRC_RING], &config, ledger), PRC_PLACED_DUPLICATE);
    // One beyond the ring, stored all the same: late, whatever it says.
    assert_int_equal(feed(series, &bars[199 - PRC_RING], &config, ledger), PRC_PLACED_LATE);
    assert_non_null(prc_series_find(series, bars[199 - PRC_RING].bar.bar.time_us));
    assert_int_equal(feed(series, &bars[0], &config, ledger), PRC_PLACED_LATE);
    assert_int_equal(ledger->published, published);
    assert_int_equal(prc_series_ring_count(series), PRC_RING);
    assert_int_equal(prc_series_ring_slot(series, 0)->time_us, bars[200 - PRC_RING].bar.bar.time_us);
    uint64_t random = 5;
    struct feed_bar changed = spoilt(&bars[150], &random);
    assert_int_equal(prc_series_place(series, changed.bar.bar.time_us, changed.bar.content_hash, &revision),
                     PRC_PLACED_CORRECTION);
    assert_int_equal(revision, 1);
    assert_int_equal(feed(series, &changed, &config, ledger), PRC_PLACED_CORRECTION);
    assert_int_equal(feed(series, &bars[150], &config, ledger), PRC_PLACED_CORRECTION); // A → B → A
    assert_int_equal(prc_series_place(series, changed.bar.bar.time_us, bars[150].bar.content_hash, &revision),
                     PRC_PLACED_DUPLICATE);
    assert_int_equal(revision, 2);
    prc_series_free(&series);
    free(ledger);
}

// Up to 64 bars there is no too late; the 65th makes a ring that ends before the oldest.
static void test_a_short_series_takes_any_earlier_bar(void **state)
{
    (void)state;
    static struct feed_bar bars[70];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger(), *expected;
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 70, MF_INTERVAL_1M, 123);
    for (size_t i = 70; i > 6; i--) // backwards: each but the first before all others
        assert_int_equal(feed(series, &bars[i - 1], &config, ledger), PRC_PLACED_NEW);
    assert_int_equal(feed(series, &bars[5], &config, ledger), PRC_PLACED_NEW); // the 65th
    assert_int_equal(feed(series, &bars[4], &config, ledger), PRC_PLACED_LATE);
    assert_int_equal(feed(series, &bars[5], &config, ledger), PRC_PLACED_LATE); // stored, not in the ring
    assert_int_equal(series->head.indicators.n_obs, 65);
    expected = in_order(bars + 5, 65, MF_INTERVAL_1M);
    assert_within(expected, ledger);
    assert_within(ledger, expected);
    prc_series_free(&series);
    free(ledger);
    free(expected);
}

static void test_memory_grows_with_the_bars(void **state)
{
    (void)state;
    static struct feed_bar bars[400];
    struct prc_rule_config config = rules(20);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 400, MF_INTERVAL_1M, 321);
    config.thresholds[PRC_RULE_RSI_EXTREME][MF_INTERVAL_1M] = (struct prc_thresholds){{80, 90, 0}};
    config.thresholds[PRC_RULE_MOMENTUM][MF_INTERVAL_1M] = (struct prc_thresholds){{0, 0, 0}};
    prc_rule_config_prepare(&config);
    size_t most = 0;
    assert_true(sizeof(struct prc_slot) == 128);
    for (size_t i = 0; i < 400; i++) {
        bars[i].bar.bar.frozen.other_close = bars[i].bar.bar.frozen.news_price = 0;
        feed(series, &bars[i], &config, ledger);
        size_t bytes = prc_series_bytes(series);
        if (i == 0)
            assert_true(bytes < 3584);
        most = bytes > most ? bytes : most;
        assert_true(series->count <= PRC_STORED && series->capacity <= PRC_STORED);
        assert_true(series->column_count <= PRC_LOOKBACK + PRC_STORED);
    }
    print_message("a full 1m series takes at most %zu bytes\n", most);
    assert_true(most <= (size_t)20 * 1024);
    prc_series_free(&series);
    free(ledger);
}

static void test_a_corrected_bar_keeps_what_was_frozen(void **state)
{
    (void)state;
    static struct feed_bar bars[3];
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 3, MF_INTERVAL_1M, 9);
    bars[1].bar.bar.frozen =
        (struct prc_frozen){.other_close = 12.5, .late_us = INT64_C(4000000000000000), .bits = 3};
    for (size_t i = 0; i < 3; i++)
        feed(series, &bars[i], &config, ledger);
    uint64_t random = 5;
    struct feed_bar changed = spoilt(&bars[1], &random);
    changed.bar.bar.frozen = (struct prc_frozen){.news_price = 1, .late_us = 7};
    feed(series, &changed, &config, ledger);
    struct prc_frozen kept = prc_slot_thaw(prc_series_find(series, bars[1].bar.bar.time_us));
    assert_true(kept.other_close == 12.5 && kept.news_price == 0 && kept.bits == 3);
    assert_true(kept.late_us == INT64_C(4000000000000000));
    struct prc_bar bar;
    prc_slot_bar(prc_series_find(series, bars[1].bar.bar.time_us), &bar);
    assert_true(bar.close == changed.bar.bar.close && bar.volume == changed.bar.bar.volume);
    assert_int_equal(bar.end_us, changed.bar.bar.end_us);
    prc_series_free(&series);
    free(ledger);
}

static void test_frozen_in_sixteen_bytes_and_beyond(void **state)
{
    (void)state;
    static const struct {
        struct prc_frozen frozen;
        bool whole;
    } rows[] = {
        {{.late_us = PRC_NOT_JUDGED}, false},
        {{.late_us = 900000000, .mtf_signed = -100, .mtf_weight = 100, .mtf_count = 5, .bits = 7}, false},
        {{.late_us = -5000}, false},
        {{.late_us = 1500}, true}, // no whole millisecond
        {{.late_us = INT64_C(2147483648) * 1000}, true},
        {{.late_us = INT64_C(-2147483648) * 1000}, true}, // the mark for "not judged"
        {{.late_us = PRC_NOT_JUDGED, .other_close = 1}, true},
        {{.late_us = 0, .news_price = 2}, true},
    };
    struct prc_slot slot = {0};
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        prc_slot_freeze(&slot, &rows[r].frozen);
        struct prc_frozen thawed = prc_slot_thaw(&slot);
        assert_int_equal(slot.frozen.whole != NULL, rows[r].whole);
        assert_true(thawed.late_us == rows[r].frozen.late_us && thawed.bits == rows[r].frozen.bits);
        assert_true(thawed.other_close == rows[r].frozen.other_close);
        assert_true(thawed.news_price == rows[r].frozen.news_price);
        assert_true(thawed.mtf_signed == rows[r].frozen.mtf_signed);
        assert_true(thawed.mtf_weight == rows[r].frozen.mtf_weight);
        assert_true(thawed.mtf_count == rows[r].frozen.mtf_count);
    }
    free(slot.frozen.whole);
}

static void test_numbers_keep_their_text(void **state)
{
    (void)state;
    static const struct {
        const char *texts[PRC_NUMBER_MAX];
        bool wide;
    } rows[] = {
        {{"187.10", "188", "0.0001", "187.100", "1000", "187.12345678"}, false},
        {{"187.10", "188", "0.0001", "187.100", "0", NULL}, false},
        {{"1", "1", "1", "1", "1234567890123.12345678", "2.50"}, true},
        {{"1", "1", "1", "1", "123456789012345678901234", NULL}, true},
    };
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct prc_numbers numbers;
        struct mf_str texts[PRC_NUMBER_MAX];
        for (int f = 0; f < PRC_NUMBER_MAX; f++)
            texts[f] = rows[r].texts[f] != NULL ? mf_str_of(rows[r].texts[f]) : MF_STR_NULL;
        assert_true(prc_numbers_parse(texts, &numbers));
        assert_int_equal(numbers.wide != NULL, rows[r].wide);
        for (int f = 0; f < PRC_NUMBER_MAX; f++) {
            char scratch[MF_DECIMAL_TEXT_SIZE];
            struct mf_str text = prc_number_text(&numbers, (enum prc_number_field)f, scratch);
            double value = 0;
            assert_int_equal(text.data != NULL, rows[r].texts[f] != NULL);
            if (text.data == NULL)
                continue;
            assert_true(mf_str_eq_c(text, rows[r].texts[f]));
            assert_true(mf_decimal_to_double(texts[f], &value));
            assert_true(prc_number_double(&numbers, (enum prc_number_field)f) == value);
        }
        prc_numbers_clear(&numbers);
        assert_null(numbers.wide);
    }
    struct mf_str bad[PRC_NUMBER_MAX] = {MF_STR("1"), MF_STR("1"), MF_STR("x"), MF_STR("1"), MF_STR("1")};
    struct prc_numbers numbers;
    assert_false(prc_numbers_parse(bad, &numbers));
    assert_null(numbers.wide);
    bad[2] = MF_STR_NULL; // only vwap may be absent
    assert_false(prc_numbers_parse(bad, &numbers));
}

static struct feed_bar plain_bar(int64_t minute, int32_t day, int64_t cents)
{
    struct feed_bar out = {0};
    const int64_t numbers[] = {cents, cents, cents, cents, 100000, cents};
    set_numbers(&out, numbers);
    out.bar.bar.time_us = minute * MF_US_PER_MINUTE;
    out.bar.bar.end_us = (minute + 1) * MF_US_PER_MINUTE;
    out.bar.bar.session = MF_SESSION_REGULAR;
    out.bar.bar.session_day = day;
    out.bar.bar.frozen.late_us = PRC_NOT_JUDGED;
    return out;
}

// velocity measures from the newest bar that is at least five minutes older, in the same session.
static void test_velocity_base(void **state)
{
    (void)state;
    static const struct {
        int64_t minute;
        int32_t day;
        int64_t base; // cents; 0 = none
    } rows[] = {{100, 1, 0},    {104, 1, 0}, {105, 1, 1000}, {106, 1, 1000}, {110, 1, 1002},
                {130, 1, 1004}, {140, 2, 0}, {144, 2, 0},    {145, 2, 1006}};
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    for (size_t r = 0; r < MF_ARRAY_LEN(rows); r++) {
        struct feed_bar bar = plain_bar(rows[r].minute, rows[r].day, 1000 + (int64_t)r);
        feed(series, &bar, &config, ledger);
        assert_true(last_applied.values.velocity_base == (double)rows[r].base / 100);
        assert_int_equal(last_applied.first_of_session, rows[r].minute == 100 || rows[r].minute == 140);
    }
    prc_series_free(&series);
    // Across bars that are no longer stored: a dense series has its base at every bar from the sixth on.
    series = new_series(MF_INTERVAL_1M);
    struct ledger *dense = new_ledger();
    for (int64_t i = 0; i < 300; i++) {
        struct feed_bar bar = plain_bar(i, 1, 1000 + i);
        feed(series, &bar, &config, dense);
        assert_true(last_applied.values.velocity_base == (i < 5 ? 0 : (double)(1000 + i - 5) / 100));
        bar = plain_bar(i > 40 ? i - 40 : 0, 1, 1000 + (i > 40 ? i - 40 : 0) + (i % 2 == 0 ? 3 : 0));
        feed(series, &bar, &config, dense);
        bar = plain_bar(i > 40 ? i - 40 : 0, 1, 1000 + (i > 40 ? i - 40 : 0));
        feed(series, &bar, &config, dense);
    }
    prc_series_free(&series);
    free(ledger);
    free(dense);
}

// What a recompute changes because the rules are others now says so.
static void test_a_change_of_rules_is_named(void **state)
{
    (void)state;
    static struct feed_bar bars[100];
    struct prc_rule_config strict = rules(1), lax = rules(50);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(MF_INTERVAL_1M);
    make_bars(bars, 100, MF_INTERVAL_1M, 8);
    for (size_t i = 0; i < 99; i++)
        feed(series, &bars[i], &strict, ledger);
    assert_true(series->fired_count > 0);
    uint64_t random = 5;
    struct feed_bar wrong = spoilt(&bars[98], &random);
    feed(series, &wrong, &strict, ledger);
    assert_int_equal(ledger->changed_rules, 0);
    size_t alerts = ledger->alerts;
    feed(series, &bars[98], &lax, ledger);
    assert_true(ledger->alerts > alerts && ledger->changed_rules > 0);
    assert_int_equal(last_applied.alerts, ledger->alerts - alerts);
    prc_series_free(&series);
    free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_within_the_ring),
        cmocka_unit_test(test_a_correction_leaves_no_trace),
        cmocka_unit_test(test_any_layout_of_checkpoints_publishes_the_same),
        cmocka_unit_test(test_placements),
        cmocka_unit_test(test_a_short_series_takes_any_earlier_bar),
        cmocka_unit_test(test_memory_grows_with_the_bars),
        cmocka_unit_test(test_a_corrected_bar_keeps_what_was_frozen),
        cmocka_unit_test(test_frozen_in_sixteen_bytes_and_beyond),
        cmocka_unit_test(test_numbers_keep_their_text),
        cmocka_unit_test(test_velocity_base),
        cmocka_unit_test(test_a_change_of_rules_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
