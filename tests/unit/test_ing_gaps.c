// SPDX-License-Identifier: Apache-2.0
// N13: minutes that most symbols have and one lacks, told from quiet ones.
#include "services/ingestor/gaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/ing_support.h"

#include <cmocka.h>

enum { SYMBOLS = 7 };
static const char *const names[SYMBOLS] = {"MMM", "HON", "KO", "PEP", "XOM", "DIS", "THIN"};

struct universe {
    struct ing_minutes minutes[SYMBOLS];
    struct ing_gap_scan scan;
    int64_t first_us; // 9:30 in New York, in the middle of an hour
};

static int64_t at(const struct universe *u, int minute)
{
    return u->first_us + minute * MF_US_PER_MINUTE;
}

// Six symbols with every minute of `count`, and one with every tenth.
static struct universe *universe_new(int count)
{
    struct universe *u = mf_calloc(1, sizeof *u);
    u->first_us = ing_time("2024-01-02T14:30:00Z");
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        for (int minute = -40; minute < count + 20; minute++) { // early trading, and what comes next
            if (symbol < SYMBOLS - 1 || minute % 10 == 0)
                ing_minutes_put(&u->minutes[symbol], at(u, minute), 1);
        }
    }
    return u;
}

static void remove_minutes(struct universe *u, int symbol, int from, int to)
{
    struct ing_minutes kept = {0};
    for (int minute = -40; minute < 500; minute++) {
        uint64_t hash = ing_minutes_get(&u->minutes[symbol], at(u, minute));
        if (hash != 0 && (minute < from || minute >= to))
            ing_minutes_put(&kept, at(u, minute), hash);
    }
    ing_minutes_free(&u->minutes[symbol]);
    u->minutes[symbol] = kept;
}

static void scan(struct universe *u, int count, size_t symbols)
{
    ing_gap_scan_begin(&u->scan, u->first_us, at(u, count));
    for (size_t i = 0; i < symbols; i++)
        ing_gap_scan_add(&u->scan, &u->minutes[i], names[i]);
    unsigned steps = 0;
    while (ing_gap_scan_step(&u->scan))
        assert_in_range(++steps, 1, 100);
}

static void universe_free(struct universe *u)
{
    for (int symbol = 0; symbol < SYMBOLS; symbol++)
        ing_minutes_free(&u->minutes[symbol]);
    ing_gap_scan_free(&u->scan);
    free(u);
}

static void expect_gap(const struct universe *u, size_t i, const char *name, int from, int to)
{
    assert_string_equal(u->scan.gaps[i].name, name);
    assert_int_equal((u->scan.gaps[i].from_us - u->first_us) / MF_US_PER_MINUTE, from);
    assert_int_equal((u->scan.gaps[i].to_us - u->first_us) / MF_US_PER_MINUTE, to);
}

static void test_nothing_is_missing(void **state)
{
    (void)state;
    struct universe *u = universe_new(390);
    scan(u, 390, SYMBOLS);
    assert_int_equal(u->scan.gap_count, 0); // also of the one that trades seldom
    assert_int_equal(u->scan.expected, 6 * 390);
    assert_int_equal(u->scan.received, 6 * 390);
    universe_free(u);
}

static void test_two_at_once(void **state)
{
    (void)state;
    struct universe *u = universe_new(390);
    remove_minutes(u, 0, 100, 103); // over the end of an hour or not is no matter
    remove_minutes(u, 1, 100, 103);
    remove_minutes(u, 1, 29, 31); // 9:59 and 10:00
    scan(u, 390, SYMBOLS);
    assert_int_equal(u->scan.gap_count, 3);
    expect_gap(u, 0, "MMM", 100, 103);
    expect_gap(u, 1, "HON", 29, 31);
    expect_gap(u, 2, "HON", 100, 103);
    assert_int_equal(u->scan.expected - u->scan.received, 8);
    // What comes after all is no gap any more
    for (int minute = 100; minute < 103; minute++)
        ing_minutes_put(&u->minutes[0], at(u, minute), 7);
    scan(u, 390, SYMBOLS);
    assert_int_equal(u->scan.gap_count, 2);
    universe_free(u);
}

static void test_quiet_minutes(void **state)
{
    (void)state;
    struct universe *u = universe_new(390);
    // Four of seven lack it: not most have it
    for (int symbol = 0; symbol < 4; symbol++)
        remove_minutes(u, symbol, 50, 55);
    // Outside of what is looked at
    remove_minutes(u, 3, -20, 0);
    remove_minutes(u, 3, 200, 260);
    scan(u, 200, SYMBOLS);
    assert_int_equal(u->scan.gap_count, 0);
    // Nothing can be said of two symbols
    remove_minutes(u, 0, 10, 20);
    scan(u, 390, 2);
    assert_int_equal(u->scan.gap_count, 0);
    assert_int_equal(u->scan.expected, 0);
    universe_free(u);
}

static void test_before_the_first_bar(void **state)
{
    (void)state;
    struct universe *u = universe_new(390);
    remove_minutes(u, 2, -40, 45); // served, or traded, from 10:15 on
    remove_minutes(u, 2, 100, 101);
    scan(u, 390, SYMBOLS);
    assert_int_equal(u->scan.gap_count, 1);
    expect_gap(u, 0, "KO", 100, 101);
    universe_free(u);
}

static void test_the_limit(void **state)
{
    (void)state;
    struct universe *u = universe_new(390);
    for (int minute = 2; minute < 160; minute += 2)
        remove_minutes(u, 4, minute, minute + 1);
    scan(u, 390, SYMBOLS);
    assert_int_equal(u->scan.gap_count, ING_GAPS_MAX);
    assert_int_equal(u->scan.expected - u->scan.received, 79); // all are counted
    universe_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_missing), cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_quiet_minutes),      cmocka_unit_test(test_before_the_first_bar),
        cmocka_unit_test(test_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
