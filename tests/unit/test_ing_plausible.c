// SPDX-License-Identifier: Apache-2.0
// N15: bars of another symbol among a symbol's own are found; splits, crashes and cheap prices are none.
#include "services/ingestor/plausible.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backoff.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

enum { FACTOR = 5, BARS_MAX = 40 };

// Bars that open, move and close at one price each; "l-h" is written as two numbers.
struct bar {
    double low, high, close;
};

// Marks what is implausible: bit i is the i-th bar.
static uint64_t judge(struct ing_fixture *f, const char *symbol, unsigned factor, const struct bar *bars,
                      size_t count)
{
    struct ing_work work = ing_minute_work(symbol, "2024-01-02T14:30:00Z", "2024-01-02T20:30:00Z");
    struct mf_buf rows;
    mf_buf_init(&rows, 100000);
    for (size_t i = 0; i < count; i++)
        mf_buf_addf(&rows, "%s{\"v\":1,\"o\":%.6f,\"c\":%.6f,\"h\":%.6f,\"l\":%.6f,\"t\":%lld}",
                    i > 0 ? "," : "", bars[i].close, bars[i].close, bars[i].high, bars[i].low,
                    1704205800000LL + (long long)i * 60000);
    f->config.implausible_factor = factor;
    ing_decode_rows(f, &work, mf_buf_c_str(&rows));
    mf_buf_free(&rows);
    assert_int_equal(f->page.count, count);
    uint64_t marked = 0;
    for (size_t i = 0; i < count; i++) {
        const char *reason = f->page.items[i].reason;
        assert_true(reason[0] == '\0' || strcmp(reason, "implausible_price") == 0);
        if (reason[0] != '\0')
            marked |= UINT64_C(1) << i;
    }
    assert_int_equal(f->page.counts.rejected, __builtin_popcountll(marked));
    return marked;
}

static uint64_t judge_closes(struct ing_fixture *f, const char *symbol, const double *closes, size_t count)
{
    struct bar bars[BARS_MAX];
    for (size_t i = 0; i < count; i++)
        bars[i] = (struct bar){closes[i] * 0.99, closes[i] * 1.01, closes[i]};
    return judge(f, symbol, FACTOR, bars, count);
}

static void test_rows_of_another_symbol(void **state)
{
    struct ing_fixture *f = *state;
    static const struct {
        const char *what, *symbol;
        double closes[8];
        uint64_t marked;
    } cases[] = {
        {"one bar far above", "AAPL", {187, 187.2, 4100, 187.1, 187, 187, 187, 187}, 0x4},
        {"one bar far below", "AAPL", {187, 187.2, 9.5, 187.1, 187, 187, 187, 187}, 0x4},
        {"three in a row", "AAPL", {187, 4100, 4101, 4099, 187, 187, 187, 187}, 0xe},
        {"two symbols", "AAPL", {187, 4100, 12, 187, 187, 187, 187, 187}, 0x6},
        {"twice", "AAPL", {187, 4100, 187, 187, 9, 188, 187, 187}, 0x12},
        {"currencies", "C:USDJPY", {151, 1.08, 151, 151, 151, 151, 151, 151}, 0x2},
        {"a split 1:10 stays", "AAPL", {1200, 1210, 121, 120, 119, 121, 122, 120}, 0},
        {"a split 20:1 stays", "AAPL", {120, 121, 2420, 2400, 2410, 2405, 2420, 2400}, 0},
        {"a day that was not adjusted for 4:1", "AAPL", {100, 101, 404, 102, 101, 102, 101, 101}, 0},
        {"a crash and half a way back", "AAPL", {100, 15, 16, 30, 35, 40, 42, 45}, 0},
        {"the last bar", "AAPL", {187, 187, 187, 187, 187, 187, 187, 4100}, 0},
        {"the first bar", "AAPL", {4100, 187, 187, 187, 187, 187, 187, 187}, 0},
        {"cheap", "AAPL", {0.01, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}, 0},
        {"down to less than one", "AAPL", {5, 0.5, 5, 5, 5, 5, 5, 5}, 0},
        {"crypto is not judged", "X:BTCUSD", {187, 187.2, 4100, 187.1, 187, 187, 187, 187}, 0},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        uint64_t marked = judge_closes(f, cases[i].symbol, cases[i].closes, 8);
        if (marked != cases[i].marked)
            fail_msg("%s: %llx", cases[i].what, (unsigned long long)marked);
    }
}

// A trade far off within a bar that also has the right price is the market's own.
static void test_a_wide_bar_is_left_alone(void **state)
{
    struct ing_fixture *f = *state;
    static const struct bar bars[] = {
        {39, 40, 40}, {0.01, 40, 0.01}, {1.5, 41, 1.6}, {39, 41, 40}, {39, 40, 40}};
    assert_int_equal(judge(f, "ACN", FACTOR, bars, MF_ARRAY_LEN(bars)), 0);
}

static void test_it_can_be_turned_off(void **state)
{
    struct ing_fixture *f = *state;
    static const struct bar bars[] = {{187, 187, 187}, {4100, 4100, 4100}, {187, 187, 187}};
    assert_int_equal(judge(f, "AAPL", FACTOR, bars, MF_ARRAY_LEN(bars)), 2);
    assert_int_equal(judge(f, "AAPL", 0, bars, MF_ARRAY_LEN(bars)), 0);
}

// Random walks with splits of every usual ratio at random places, several of them apart: never a word.
static void test_splits_are_never_marked(void **state)
{
    struct ing_fixture *f = *state;
    static const double ratios[] = {2, 3, 4, 5, 7, 10, 20, 50, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01};
    uint64_t random = 15;
    for (unsigned run = 0; run < 400; run++) {
        double closes[BARS_MAX];
        double level = 20 + (double)(mf_random_next(&random) % 500);
        size_t split_at = mf_random_next(&random) % BARS_MAX;
        double ratio = ratios[mf_random_next(&random) % MF_ARRAY_LEN(ratios)];
        for (size_t i = 0; i < BARS_MAX; i++) {
            level *= 0.97 + (double)(mf_random_next(&random) % 61) / 1000;
            if (i == split_at)
                level /= ratio;
            closes[i] = level;
        }
        assert_int_equal(judge_closes(f, "AAPL", closes, BARS_MAX), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_another_symbol),
        cmocka_unit_test(test_a_wide_bar_is_left_alone),
        cmocka_unit_test(test_it_can_be_turned_off),
        cmocka_unit_test(test_splits_are_never_marked),
    };
    return cmocka_run_group_tests(tests, ing_fixture_set_up, ing_fixture_tear_down);
}
