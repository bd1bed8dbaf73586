// SPDX-License-Identifier: Apache-2.0
// What the tests of series share: bars as a feed gives them, and a ledger of what a series has published.
#ifndef TESTS_PRC_SERIES_SUPPORT_H
#define TESTS_PRC_SERIES_SUPPORT_H

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

static inline void digest(struct ledger *ledger, const void *data, size_t len)
{
    uint64_t both[2] = {ledger->digest, mf_hash64(data, len)};
    ledger->digest = mf_hash64(both, sizeof both);
}

static inline void digest_values(struct ledger *ledger, const struct prc_values *values)
{
    for (int f = 0; f < MF_METRIC_FIELD_MAX; f++)
        if (prc_has(values, (enum mf_metric_field)f))
            digest(ledger, &values->v[f], sizeof(double));
    uint64_t flags[] = {values->present, values->warm, values->vol_regime, values->market_regime};
    digest(ledger, flags, sizeof flags);
}

static inline struct row *row_of(struct ledger *ledger, int64_t time_us, int rule, unsigned revision)
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

static inline void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
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

static inline void on_alert(void *arg, const struct prc_series *series,
                            const struct prc_transition *transition, const struct prc_values *values,
                            const struct prc_bar *bar, unsigned revision)
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

static inline struct ledger *new_ledger(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    assert_non_null(ledger);
    return ledger;
}

// Every rule on, low enough to fire often.
static inline struct prc_rule_config rules(double scale)
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
static inline void set_numbers(struct feed_bar *out, const int64_t hundredths[PRC_NUMBER_MAX])
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

static inline void make_bars(struct feed_bar *bars, size_t count, enum mf_interval interval, uint64_t seed)
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

static inline enum prc_placement feed(struct prc_series *series, const struct feed_bar *from,
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

static inline struct prc_series *new_series(enum mf_interval interval)
{
    struct prc_series_key key = {"polygon", "polygon", MF_ADJUSTED_SPLIT, interval};
    return prc_series_new(&key, MF_ASSET_STOCK);
}

// A withdrawn alert and one that never fired are the same to a reader.
static inline bool stands(const struct row *row)
{
    return row->rule < 0 || row->transition.resolution != PRC_RESOLVED_CORRECTED;
}

static inline void assert_same_row(const struct row *a, const struct row *b)
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
static inline void assert_within(const struct ledger *a, const struct ledger *b)
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

static inline struct ledger *in_order(const struct feed_bar *bars, size_t count, enum mf_interval interval)
{
    struct prc_rule_config config = rules(1);
    struct ledger *ledger = new_ledger();
    struct prc_series *series = new_series(interval);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(feed(series, &bars[i], &config, ledger), PRC_PLACED_NEW);
    prc_series_free(&series);
    return ledger;
}

// A bar with other numbers, as a feed may first have sent it.
static inline struct feed_bar spoilt(const struct feed_bar *bar, uint64_t *random)
{
    struct feed_bar wrong = *bar;
    const int64_t close = llround(bar->bar.bar.close * 100) + 40 + (int64_t)(mf_random_next(random) % 900);
    const int64_t numbers[] = {llround(bar->bar.bar.open * 100),   close + 5,
                               llround(bar->bar.bar.low * 100),    close,
                               llround(bar->bar.bar.volume * 300), close - 10};
    set_numbers(&wrong, numbers);
    return wrong;
}

#endif
