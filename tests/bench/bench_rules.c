// SPDX-License-Identifier: Apache-2.0
// What the rules cost on a bar: values of a quiet random walk, on whose minutes nothing fires, and of a wild
// one. Prints one JSON object: ns per bar (best of several rounds), transitions per bar, and the ratio to a
// floor measured in the same run: hashing the same values, which a metric costs anyway. Usage: bench_rules
// [BARS [ROUNDS]]. Exit 0, 70 when the quiet walk fired or the wild one did not, 78 for bad arguments.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "services/processor/rules.h"
#include "tests/bench/measure.h"

enum { POOL = 256, STEPS_BEFORE = 400, BEHIND = PRC_LOOKBACK_DAILY };

struct walk {
    struct prc_values values[POOL];
    struct prc_bar bars[POOL];
    enum mf_interval interval;
};

static double uniform(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0;
}

// The values of the last POOL bars of a walk whose steps are `step` large; the volumes vary with it.
static void fill(struct walk *walk, enum mf_interval interval, double step)
{
    enum { BARS = STEPS_BEFORE + POOL };
    static double closes[BARS], volumes[BARS], highs[BARS], lows[BARS];
    struct prc_indicator_state state = {0}, after;
    uint64_t seed = 1;
    walk->interval = interval;
    for (int i = 0; i < BARS; i++) {
        struct prc_values *values = &walk->values[i % POOL];
        struct prc_bar *bar = &walk->bars[i % POOL];
        double before = i == 0 ? 100 : closes[i - 1];
        closes[i] = before * (1 + step * (uniform(&seed) - 0.5) - 0.002 * (before / 100 - 1));
        volumes[i] = 5000 * (1 + 20 * step * (uniform(&seed) - 0.5));
        highs[i] = fmax(before, closes[i]) * (1 + step / 8);
        lows[i] = fmin(before, closes[i]) * (1 - step / 8);
        *bar = (struct prc_bar){.time_us = (i + 1) * MF_US_PER_MINUTE,
                                .end_us = (i + 2) * MF_US_PER_MINUTE,
                                .open = before,
                                .high = highs[i],
                                .low = lows[i],
                                .close = closes[i],
                                .volume = volumes[i],
                                .session = MF_SESSION_REGULAR,
                                .frozen = {.late_us = MF_US_PER_SECOND}};
        size_t from = i > BEHIND ? (size_t)(i - BEHIND) : 0;
        struct prc_window window = {.closes = closes + from,
                                    .volumes = volumes + from,
                                    .highs = highs + from,
                                    .lows = lows + from,
                                    .count = (size_t)i + 1 - from,
                                    .velocity_base = i >= 5 ? closes[i - 5] : 0};
        prc_indicators_step(&state, &window, bar, interval, MF_ASSET_STOCK, &after, values);
        state = after;
    }
}

// Returns ns per bar.
static double step_all(const struct prc_rule_config *config, const struct walk *walk, int64_t bars,
                       uint64_t *made)
{
    static struct prc_rule_states states;
    static struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    memset(&states, 0, sizeof(states));
    *made = 0;
    double begin = cpu_seconds();
    for (int64_t i = 0; i < bars; i++)
        *made += prc_rules_step(config, &walk->values[i % POOL], &walk->bars[i % POOL], walk->interval,
                                MF_ASSET_STOCK, &states, transitions);
    return (cpu_seconds() - begin) * 1e9 / (double)bars;
}

static double hash_all(const struct walk *walk, int64_t bars, uint64_t *sum)
{
    double begin = cpu_seconds();
    for (int64_t i = 0; i < bars; i++)
        *sum += mf_hash64(walk->values[i % POOL].v, sizeof(walk->values[0].v));
    return (cpu_seconds() - begin) * 1e9 / (double)bars;
}

static void load_rules(struct prc_rule_config *rules, struct mf_settings **settings)
{
    char *const env[] = {NULL};
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 65536);
    if (mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, settings, &problems, &err) < 0) {
        fprintf(stderr, "bench_rules: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    mf_buf_free(&problems);
    prc_rule_config_load(*settings, rules);
}

int main(int argc, char **argv)
{
    int64_t bars = 2000000, rounds = 5;
    if (argc > 3 || (argc > 1 && !take_number(argv[1], INT32_MAX, &bars)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_rules [BARS [ROUNDS]]\n");
        return MF_EXIT_CONFIG;
    }
    static const struct {
        const char *name;
        enum mf_interval interval;
        double step;
    } walks[] = {{"quiet_1m", MF_INTERVAL_1M, 0.001},
                 {"quiet_1d", MF_INTERVAL_1D, 0.001},
                 {"wild_1m", MF_INTERVAL_1M, 0.04},
                 {"wild_1d", MF_INTERVAL_1D, 0.1}};
    static struct prc_rule_config rules;
    static struct walk walk;
    struct mf_settings *settings = NULL;
    load_rules(&rules, &settings);
    bool as_meant = true;
    double floor_ns = INFINITY;
    uint64_t sum = 0;
    printf("{\"bars\":%lld", (long long)bars);
    for (size_t w = 0; w < MF_ARRAY_LEN(walks); w++) {
        double best = INFINITY;
        uint64_t made = 0;
        fill(&walk, walks[w].interval, walks[w].step);
        for (int64_t round = 0; round < rounds; round++) {
            best = fmin(best, step_all(&rules, &walk, bars, &made));
            floor_ns = fmin(floor_ns, hash_all(&walk, bars, &sum));
        }
        double each = (double)made / (double)bars;
        as_meant = as_meant && (w == 0 ? each < 0.05 : made > 0);
        printf(",\"%s_ns\":%.1f,\"%s_transitions_per_bar\":%.3f,\"%s_ratio\":%.2f", walks[w].name, best,
               walks[w].name, each, walks[w].name, best / floor_ns);
    }
    printf(",\"hash_ns\":%.1f,\"checksum\":%llu}\n", floor_ns, (unsigned long long)(sum & 0xffff));
    mf_settings_free(&settings);
    return as_meant ? MF_EXIT_OK : MF_EXIT_INTERNAL;
}
