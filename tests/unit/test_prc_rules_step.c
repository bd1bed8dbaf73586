// SPDX-License-Identifier: Apache-2.0
// The hygiene: fire once, cooldown, escalation, resolution after three clear bars or by the opposite; and
// what must be true of any bar.
#include "tests/unit/prc_rules_support.h"

#include <math.h>

struct tally {
    size_t fired, cleared, escalated;
};

// One price_move per minute.
static struct tally play(const struct prc_rule_config *config, const double *moves, size_t count,
                         enum mf_interval interval, int64_t first)
{
    struct prc_rule_states states = {0};
    struct tally tally = {0};
    for (size_t i = 0; i < count; i++) {
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(first + (int64_t)i);
        struct prc_transition transitions[PRC_TRANSITIONS_MAX];
        set(&values, MF_METRIC_FIELD_RET_1, moves[i] / 100);
        size_t n = prc_rules_step(config, &values, &bar, interval, MF_ASSET_STOCK, &states, transitions);
        for (size_t t = 0; t < n; t++) {
            assert_int_equal(transitions[t].rule, PRC_RULE_PRICE_MOVE);
            tally.fired += transitions[t].resolution == PRC_NOT_RESOLVED;
            tally.cleared += transitions[t].resolution == PRC_RESOLVED_CLEARED;
            tally.escalated += transitions[t].resolution == PRC_RESOLVED_ESCALATED;
            if (transitions[t].resolution == PRC_NOT_RESOLVED)
                assert_int_equal(transitions[t].key_time_us, bar.time_us);
            else
                assert_int_equal(transitions[t].resolved_time_us, bar.end_us);
        }
        bool open = states.of[PRC_RULE_PRICE_MOVE].open_time_us != 0;
        assert_int_equal(states.open, (uint32_t)open << PRC_RULE_PRICE_MOVE);
    }
    return tally;
}

static void test_hygiene(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    static const struct {
        double moves[24];
        size_t count, fired, cleared, escalated;
        enum mf_interval interval;
    } rows[] = {
        {{0.6, 0.6, 0.6, 0.6}, 4, 1, 0, 0, MF_INTERVAL_1M},     // a standing condition fires once
        {{0.6, 0, 0, 0}, 4, 1, 1, 0, MF_INTERVAL_1M},           // three clear bars resolve
        {{0.6, 0, 0, 0.6, 0, 0}, 6, 1, 0, 0, MF_INTERVAL_1M},   // two do not
        {{0.6, 0, 0, 0, 0.6, 0.6}, 6, 1, 1, 0, MF_INTERVAL_1M}, // cooldown keeps it quiet
        {{0.6, 0, 0, 0, 1.5}, 5, 2, 1, 0, MF_INTERVAL_1M},      // unless the severity rises
        {{1.5, 0, 0, 0, 0.6, 1.6}, 6, 1, 1, 0, MF_INTERVAL_1M}, // above that of the last firing
        {{0.6, 1.5, 2.5}, 3, 3, 0, 2, MF_INTERVAL_1M}, // an open one is replaced by a more severe one
        {{2.5, 1.5, 0.6}, 3, 1, 0, 0, MF_INTERVAL_1M}, // never by a milder one
        // 15 minutes later
        {{0.6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.6}, 16, 2, 1, 0, MF_INTERVAL_1M},
        {{0.6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.6}, 15, 1, 1, 0, MF_INTERVAL_1M}, // 14: too early
        {{2.5, 0, 0, 0, 2.5}, 5, 2, 1, 0, MF_INTERVAL_1D}, // a day has no cooldown
        // The opposite clears at once; it fires only when the cooldown lets it.
        {{0.6, -0.6}, 2, 1, 1, 0, MF_INTERVAL_1M},
        {{0.6, -1.5}, 2, 2, 1, 0, MF_INTERVAL_1M},
        {{2.5, -2.5, 2.5}, 3, 3, 2, 0, MF_INTERVAL_1D},
        {{0.6, 0, 0, -0.6}, 4, 1, 1, 0, MF_INTERVAL_1M},
        {{0.6, -0.4, -0.4}, 3, 1, 0, 0, MF_INTERVAL_1M}, // a move that is none the other way is merely clear
        {{0.6, -0.4, -0.4, -0.4}, 4, 1, 1, 0, MF_INTERVAL_1M},
        {{0, 0.4, -0.4, 0.1}, 4, 0, 0, 0, MF_INTERVAL_1M},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        // Whenever it is: across 1970, too, where times are 0 and below.
        for (int64_t first = -20; first <= 1; first++) {
            struct tally tally = play(&config, rows[i].moves, rows[i].count, rows[i].interval, first);
            assert_int_equal(tally.fired, rows[i].fired);
            assert_int_equal(tally.cleared, rows[i].cleared);
            assert_int_equal(tally.escalated, rows[i].escalated);
        }
    }
    config.cooldown_us = 0;
    struct tally tally = play(&config, (double[]){0.6, 0, 0, 0, 0.6}, 5, MF_INTERVAL_1M, 1);
    assert_int_equal(tally.fired, 2);
}

static void test_words_of_transitions(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    struct prc_rule_states states = {0};
    struct prc_transition t[PRC_TRANSITIONS_MAX];
    struct prc_values values = liquid();
    struct prc_bar first = bar_at(10), second = bar_at(11);
    set(&values, MF_METRIC_FIELD_RET_1, -0.007);
    assert_int_equal(prc_rules_step(&config, &values, &first, MF_INTERVAL_1M, MF_ASSET_STOCK, &states, t), 1);
    assert_int_equal(t[0].cooldown_until_us, first.time_us + 15 * MF_US_PER_MINUTE);
    assert_true(fabs(t[0].verdict.value + 0.7) < 1e-12 && t[0].verdict.threshold == 0.5);
    assert_int_equal(t[0].verdict.direction, MF_DIRECTION_DOWN);
    set(&values, MF_METRIC_FIELD_RET_1, -0.03);
    assert_int_equal(prc_rules_step(&config, &values, &second, MF_INTERVAL_1M, MF_ASSET_STOCK, &states, t),
                     2);
    assert_int_equal(t[0].resolution, PRC_RESOLVED_ESCALATED); // the resolution goes before what replaces it
    assert_int_equal(t[0].key_time_us, first.time_us);
    assert_int_equal(t[0].resolved_time_us, second.end_us);
    assert_int_equal(t[0].verdict.severity, MF_SEVERITY_INFO);
    assert_true(fabs(t[0].verdict.value + 0.7) < 1e-12); // the words of the firing
    assert_int_equal(t[1].verdict.severity, MF_SEVERITY_CRITICAL);
    assert_int_equal(t[1].key_time_us, second.time_us);
}

// An open alert of a rule that is switched off, or of a series that another speaks for, still ends.
static void test_open_alerts_end_anyway(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct prc_rule_config config = default_rules();
        struct prc_rule_states states = {0};
        struct prc_transition t[PRC_TRANSITIONS_MAX];
        struct prc_values values = liquid();
        struct prc_bar bar = bar_at(1);
        make(PRC_RULE_GAP, 5, &values, &bar);
        assert_int_equal(prc_rules_step(&config, &values, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, &states, t),
                         1);
        values = liquid();
        if (way == 1) {
            memset(config.thresholds[PRC_RULE_GAP], 0, sizeof(config.thresholds[PRC_RULE_GAP]));
            prc_rule_config_prepare(&config);
        }
        size_t count = 0;
        for (int minute = 2; minute <= 4; minute++) {
            assert_int_equal(count, 0);
            bar = bar_at(minute);
            bar.frozen.bits = way == 2 ? PRC_FROZEN_NO_RULES : 0;
            count = prc_rules_step(&config, &values, &bar, MF_INTERVAL_1M, MF_ASSET_STOCK, &states, t);
        }
        assert_int_equal(count, 1);
        assert_int_equal(t[0].resolution, PRC_RESOLVED_CLEARED);
        assert_int_equal(states.open, 0);
    }
}

static uint64_t next(uint64_t *seed) // xorshift: reproducible, nothing depends on its quality
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

// A bar on which each rule has some size, near its thresholds as often as not.
static void any_bar(uint64_t *seed, struct prc_values *values, struct prc_bar *bar)
{
    *values = liquid();
    for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
        enum prc_rule rule = (enum prc_rule)r;
        static const double sizes[] = {0, 0.5, 0.51, 1,  1.7, 2,  2.01, 3,  5,
                                       6, 10,  12,   20, 60,  61, 70,   80, 2900};
        double size = sizes[next(seed) % MF_ARRAY_LEN(sizes)] * (next(seed) % 3 == 0 ? -1 : 1);
        if (next(seed) % 2 == 0)
            continue; // this one has nothing to go by
        if (strcmp(prc_rules[r].unit, "switch") == 0)
            size = size < 0 ? -1 : size > 0 ? 1 : 0;
        else if (rule == PRC_RULE_VOL_REGIME || rule == PRC_RULE_PRICE_INTEGRITY ||
                 rule == PRC_RULE_RSI_EXTREME)
            size = fabs(size) + 0.1;
        else if (rule == PRC_RULE_VELOCITY || rule == PRC_RULE_FEED_DISAGREE ||
                 rule == PRC_RULE_NEWS_PRICE_LINK)
            size = fmax(size, -50);
        make(rule, size, values, bar);
    }
    values->prev_rsi = (double)(next(seed) % 101);
    values->prev_atr_pct = (double)(next(seed) % 5);
    values->prev_vol_regime = (uint8_t)(next(seed) % 5);
    values->prev_momentum = (uint8_t)(next(seed) % 4);
    values->ma_cross[PRC_MA_50_200] = (int8_t)((int)(next(seed) % 3) - 1);
    if (next(seed) % 4 == 0)
        set(values, MF_METRIC_FIELD_VOLUME_MEAN_20, 10);
    bar->flags = next(seed) % 8 == 0 ? MF_FLAG_WARMUP : 0;
    bar->frozen.bits = (uint8_t)(next(seed) % 8);
}

// The quick look at a bar leaves nothing out, whatever the bar: with nothing open, exactly the rules fire
// whose verdict says so. The same input gives the same output to the bit.
static void test_step_agrees_with_verdicts(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules(), off = {0};
    uint64_t seed = 88172645463325252u;
    size_t fired = 0;
    prc_rule_config_prepare(&off);
    for (int round = 0; round < 20000; round++) {
        struct prc_values values;
        struct prc_bar bar = bar_at(round + 1);
        struct prc_rule_states states, again;
        struct prc_transition t[PRC_TRANSITIONS_MAX], other[PRC_TRANSITIONS_MAX];
        memset(&states, 0, sizeof(states));
        memset(&again, 0, sizeof(again));
        memset(t, 0, sizeof(t));
        memset(other, 0, sizeof(other));
        any_bar(&seed, &values, &bar);
        enum mf_interval interval = (enum mf_interval)(next(&seed) % MF_INTERVAL_MAX);
        enum mf_asset_class asset_class = (enum mf_asset_class)(next(&seed) % MF_ASSET_CLASS_MAX);
        size_t count = prc_rules_step(&config, &values, &bar, interval, asset_class, &states, t);
        size_t at = 0;
        for (int r = 0; r < PRC_RULE_BAR_MAX; r++) {
            struct prc_verdict verdict =
                prc_rule_verdict((enum prc_rule)r, &config, &values, &bar, interval, asset_class);
            if (!verdict.triggered)
                continue;
            assert_true(at < count);
            assert_int_equal(t[at].rule, r);
            assert_int_equal(t[at].verdict.severity, verdict.severity);
            assert_true(verdict.holding && isfinite(verdict.value) && isfinite(verdict.threshold));
            at++;
        }
        assert_int_equal(at, count);
        fired += count;
        assert_int_equal(prc_rules_step(&config, &values, &bar, interval, asset_class, &again, other), count);
        assert_memory_equal(t, other, sizeof(t));
        assert_memory_equal(&states, &again, sizeof(states));
        memset(&again, 0, sizeof(again));
        assert_int_equal(prc_rules_step(&off, &values, &bar, interval, asset_class, &again, other), 0);
        assert_int_equal(again.open, 0);
    }
    assert_true(fired > 20000); // the bars were worth the trouble
}

// With alerts open: what the step does to one rule is what it does to the rule alone, and at most two
// transitions per rule come, in order.
static void test_sequences(void **state)
{
    (void)state;
    struct prc_rule_config config = default_rules();
    struct prc_rule_states states = {0};
    uint64_t seed = 42;
    size_t resolved = 0, firing = 0;
    for (int minute = 1; minute < 20000; minute++) {
        struct prc_values values;
        struct prc_bar bar = bar_at(minute);
        struct prc_transition t[PRC_TRANSITIONS_MAX];
        any_bar(&seed, &values, &bar);
        uint32_t before = states.open;
        size_t count = prc_rules_step(&config, &values, &bar, MF_INTERVAL_5M, MF_ASSET_STOCK, &states, t);
        for (size_t i = 0; i < count; i++) {
            uint32_t bit = 1u << t[i].rule;
            if (t[i].resolution != PRC_NOT_RESOLVED) {
                assert_true((before & bit) != 0); // only what was open ends
                before &= ~bit;
                resolved++;
            } else {
                assert_true((before & bit) == 0); // nothing fires that is open
                before |= bit;
                firing++;
            }
            assert_true(i == 0 || t[i - 1].rule < t[i].rule ||
                        (t[i - 1].rule == t[i].rule && t[i - 1].resolution != PRC_NOT_RESOLVED));
        }
        assert_int_equal(before, states.open);
        struct prc_rule_states index = states;
        prc_rule_states_index(&index);
        assert_int_equal(index.open, states.open);
    }
    assert_true(resolved > 1000 && firing >= resolved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hygiene),
        cmocka_unit_test(test_words_of_transitions),
        cmocka_unit_test(test_open_alerts_end_anyway),
        cmocka_unit_test(test_step_agrees_with_verdicts),
        cmocka_unit_test(test_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
