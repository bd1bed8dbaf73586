// SPDX-License-Identifier: Apache-2.0
// What one bar costs in its series: all indicators and default rules, outputs counted and dropped. Prints one
// JSON object: CPU nanoseconds per append (one series; many in turn, as symbols come), per step of the
// indicators alone and per correction of a bar anywhere in the ring (best of several rounds), and the ratio
// of the append to a floor measured in the same run: the five plain sums of simple moving averages over the
// same columns. Usage: bench_series [BARS [ROUNDS]]. Exit 0, 70 when an output is missing, 78 for bad
// arguments.
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "services/processor/series.h"
#include "tests/bench/measure.h"

enum { SERIES = 500, WARM = 200, BARS_MAX = 50000000 };

struct run {
    struct prc_series *series[SERIES];
    double prices[SERIES];
    int64_t minutes[SERIES];
    uint64_t random;
    uint64_t metrics, alerts;
    struct prc_rule_config config;
    struct prc_applied applied; // of the last bar
};

static void on_metric(void *arg, const struct prc_series *series, const struct prc_bar *bar,
                      const struct prc_values *values, uint32_t n_obs, unsigned revision)
{
    (void)series, (void)bar, (void)values, (void)n_obs, (void)revision;
    ((struct run *)arg)->metrics++;
}

static void on_alert(void *arg, const struct prc_series *series, const struct prc_transition *transition,
                     const struct prc_values *values, const struct prc_bar *bar, unsigned revision)
{
    (void)series, (void)transition, (void)values, (void)bar, (void)revision;
    ((struct run *)arg)->alerts++;
}

static void load_rules(struct prc_rule_config *config)
{
    char *env[] = {NULL};
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    if (mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, &settings, &problems, &err) < 0) {
        fprintf(stderr, "bench_series: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    prc_rule_config_load(settings, config);
    config->keyword_count = 0; // borrowed from the settings
    mf_settings_free(&settings);
    mf_buf_free(&problems);
}

// The minute `minute` of a random walk, as a bar of hundredths.
static struct prc_series_bar make_bar(struct run *run, double *price, int64_t minute)
{
    int64_t open = (int64_t)(*price * 100);
    int64_t close = open + (int64_t)(mf_random_next(&run->random) % 41) - 20;
    int64_t volume = 1000 + (int64_t)(mf_random_next(&run->random) % 9000);
    int64_t high = (open > close ? open : close) + 3, low = (open < close ? open : close) - 3;
    *price = (double)(close < 5000 ? 5000 : close) / 100;
    return (struct prc_series_bar){
        .bar = {.time_us = minute * MF_US_PER_MINUTE,
                .end_us = (minute + 1) * MF_US_PER_MINUTE,
                .open = (double)open / 100,
                .high = (double)high / 100,
                .low = (double)low / 100,
                .close = (double)close / 100,
                .volume = (double)volume,
                .vwap = (double)(high + low) / 200,
                .has_vwap = true,
                .session_day = (int32_t)(minute / 390),
                .session = MF_SESSION_REGULAR,
                .frozen = {.late_us = 2000000, .mtf_signed = 10, .mtf_weight = 40, .mtf_count = 3}},
        .numbers = {.mantissa = {open, high, low, close, volume, (high + low) * 5},
                    .scale = {2, 2, 2, 2, 0, 3},
                    .has_vwap = true},
        .trade_count = 20,
        .content_hash = (uint64_t)minute};
}

static void append(struct run *run, size_t s)
{
    struct prc_series_sink sink = {run, on_metric, on_alert};
    struct prc_series_bar bar = make_bar(run, &run->prices[s], run->minutes[s]++);
    unsigned revision = 0;
    if (prc_series_place(run->series[s], bar.bar.time_us, bar.content_hash, &revision) != PRC_PLACED_NEW)
        abort();
    prc_series_apply(run->series[s], &bar, &run->config, &sink, &run->applied);
}

static void start(struct run *run)
{
    struct prc_series_key key = {"polygon", "polygon", MF_ADJUSTED_SPLIT, MF_INTERVAL_1M};
    run->random = 20240102;
    run->metrics = run->alerts = 0;
    for (size_t s = 0; s < SERIES; s++) {
        run->series[s] = prc_series_new(&key, MF_ASSET_STOCK);
        run->prices[s] = 100 + (double)s / 10;
        run->minutes[s] = 1;
        for (int i = 0; i < WARM; i++)
            append(run, s);
    }
}

static void stop(struct run *run)
{
    for (size_t s = 0; s < SERIES; s++)
        prc_series_free(&run->series[s]);
}

// What making the bars costs, taken off everything that makes them.
static double measure_making(struct run *run, size_t bars)
{
    double price = 100, sum = 0, before = cpu_seconds();
    for (size_t i = 0; i < bars; i++)
        sum += make_bar(run, &price, (int64_t)i).bar.close;
    double ns = (cpu_seconds() - before) * 1e9 / (double)bars;
    return sum > 0 ? ns : 0;
}

static double measure_appends(struct run *run, size_t bars, size_t series)
{
    double before = cpu_seconds();
    for (size_t i = 0; i < bars; i++)
        append(run, i % series);
    return (cpu_seconds() - before) * 1e9 / (double)bars;
}

static double measure_corrections(struct run *run, size_t bars)
{
    struct prc_series_sink sink = {run, on_metric, on_alert};
    struct prc_series *series = run->series[0];
    double before = cpu_seconds();
    for (size_t i = 0; i < bars; i++) {
        const struct prc_slot *slot = prc_series_ring_slot(series, mf_random_next(&run->random) % PRC_RING);
        double price = 100;
        struct prc_series_bar bar = make_bar(run, &price, slot->time_us / MF_US_PER_MINUTE);
        prc_series_apply(series, &bar, &run->config, &sink, &run->applied);
    }
    return (cpu_seconds() - before) * 1e9 / (double)bars;
}

// The indicators of one bar, over and over.
static double measure_steps(struct run *run, size_t bars, const struct prc_window *window)
{
    double price = 100, sum = 0;
    struct prc_indicator_state state = run->series[0]->head.indicators, after;
    struct prc_values values;
    struct prc_series_bar bar = make_bar(run, &price, 100000);
    double before = cpu_seconds();
    for (size_t i = 0; i < bars; i++) {
        prc_indicators_step(&state, window, &bar.bar, MF_INTERVAL_1M, MF_ASSET_STOCK, &after, &values);
        state.close += (double)(i & 1) / 100;
        sum += values.v[MF_METRIC_FIELD_SMA_50];
    }
    double ns = (cpu_seconds() - before) * 1e9 / (double)bars;
    return sum > 0 ? ns : 0;
}

static double measure_floor(size_t bars, double *closes)
{
    static const size_t lengths[] = {5, 10, 20, 50, 60};
    double total = 0, before = cpu_seconds();
    for (size_t i = 0; i < bars; i++) {
        closes[i % PRC_LOOKBACK] += 0.01;
        for (size_t l = 0; l < MF_ARRAY_LEN(lengths); l++) {
            double sum = 0;
            for (size_t k = PRC_LOOKBACK + 1 - lengths[l]; k < PRC_LOOKBACK + 1; k++)
                sum += closes[k];
            total += sum / (double)lengths[l];
        }
    }
    double ns = (cpu_seconds() - before) * 1e9 / (double)bars;
    return total > 0 ? ns : 0;
}

enum { FLOOR, MAKING, STEP, APPEND, APPEND_MANY, CORRECTION, MEASURES };
static const char *const names[MEASURES] = {"floor",  "making_a_bar",       "indicators",
                                            "append", "append_500_in_turn", "correction"};

static void one_round(struct run *run, size_t bars, double best[MEASURES])
{
    double closes[PRC_LOOKBACK + 1], volumes[PRC_LOOKBACK + 1], past[PRC_LOOKBACK + 1], ns[MEASURES];
    for (size_t i = 0; i <= PRC_LOOKBACK; i++)
        closes[i] = 100 + (double)(i % 7), volumes[i] = 1000 + (double)(i % 5), past[i] = 0.5;
    struct prc_window window = {
        .closes = closes, .volumes = volumes, .count = PRC_LOOKBACK + 1, .history = past};
    ns[MAKING] = measure_making(run, bars);
    ns[FLOOR] = measure_floor(bars, closes);
    ns[STEP] = measure_steps(run, bars, &window);
    ns[APPEND] = measure_appends(run, bars, 1) - ns[MAKING];
    ns[APPEND_MANY] = measure_appends(run, bars, SERIES) - ns[MAKING];
    ns[CORRECTION] = measure_corrections(run, bars / 10 + 1);
    for (size_t m = 0; m < MEASURES; m++)
        best[m] = best[m] == 0 || ns[m] < best[m] ? ns[m] : best[m];
}

static void print_report(const struct run *run, size_t bars, size_t bytes, const double best[MEASURES])
{
    printf("{\"bench\":\"series\",\"bars\":%zu,\"series_bytes\":%zu,\"alerts\":%llu,\"cpu_ns\":{", bars,
           bytes, (unsigned long long)run->alerts);
    for (size_t m = 0; m < MEASURES; m++)
        printf("%s\"%s\":%.1f", m > 0 ? "," : "", names[m], best[m]);
    printf("},\"ratio_to_floor\":{\"indicators\":%.2f,\"append\":%.2f}}\n", best[STEP] / best[FLOOR],
           best[APPEND] / best[FLOOR]);
}

int main(int argc, char **argv)
{
    static struct run run;
    int64_t bars = 200000, rounds = 5;
    double best[MEASURES] = {0};
    if (argc > 3 || (argc > 1 && !take_number(argv[1], BARS_MAX, &bars)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_series [BARS [ROUNDS]]\n");
        return MF_EXIT_CONFIG;
    }
    load_rules(&run.config);
    start(&run);
    uint64_t appended = (uint64_t)SERIES * WARM;
    for (int64_t r = 0; r < rounds; r++) {
        one_round(&run, (size_t)bars, best);
        appended += 2 * (uint64_t)bars;
    }
    size_t bytes = 0;
    for (size_t s = 0; s < SERIES; s++)
        bytes += prc_series_bytes(run.series[s]) / SERIES;
    bool complete = run.metrics >= appended; // each append has said one thing at least
    if (complete)
        print_report(&run, (size_t)bars, bytes, best);
    else
        fprintf(stderr, "bench_series: a metric is missing\n");
    stop(&run);
    return complete ? MF_EXIT_OK : MF_EXIT_INTERNAL;
}
