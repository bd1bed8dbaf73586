// SPDX-License-Identifier: Apache-2.0
// Arguments of `backfill options` and `contracts`: which contracts are meant, and when two commands are one
// run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/backfill_args.h"
#include "services/ingestor/contract_args.h"

#include <cmocka.h>

#define DAYS "--from", "2024-06-03", "--to", "2024-06-14"
static const struct mf_date today = {2024, 7, 1};

static int parse(const char *const *arguments, struct ing_backfill_args *args, struct mf_error *err)
{
    char *argv[24];
    int argc = 0;
    for (; arguments[argc] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc];
    return ing_backfill_args_parse(ING_FEED_OPTIONS, argc, argv, NULL, today, 1, args, err);
}

static void test_underlyings(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    static const char *const arguments[] = {"--underlying", "XOM,AAPL", DAYS, NULL};
    if (parse(arguments, &args, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(args.symbols.count, 2);
    assert_string_equal(args.symbols.items[0], "AAPL");
    assert_int_equal(args.timespan, ING_TIMESPAN_MINUTE);
    assert_int_equal(args.filter.type, MF_OPTION_TYPE_MAX);
    // What had expired before the range cannot have traded in it; the list is that of its last day.
    assert_int_equal(mf_date_cmp(args.filter.expiration_from, args.from), 0);
    assert_int_equal(args.filter.expiration_to.year, 0);
    assert_int_equal(mf_date_cmp(args.filter.as_of, args.to), 0);
    ing_backfill_args_free(&args);
    static const char *const all[] = {"--underlying", "I:SPX",           DAYS,         "--expiration-from",
                                      "2024-06-10",   "--expiration-to", "2024-06-21", "--strike-from",
                                      "5e3",          "--strike-to",     "5100.50",    "--type",
                                      "put",          "--as-of",         "2024-06-05", NULL};
    if (parse(all, &args, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(args.symbols.items[0], "I:SPX");
    assert_int_equal(args.filter.expiration_from.day, 10);
    assert_int_equal(args.filter.expiration_to.day, 21);
    assert_string_equal(args.filter.strike_from, "5000");
    assert_string_equal(args.filter.strike_to, "5100.50");
    assert_int_equal(args.filter.type, MF_OPTION_PUT);
    assert_int_equal(args.filter.as_of.day, 5);
    ing_backfill_args_free(&args);
}

static void test_contracts(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    static const char *const arguments[] = {"--symbols", "O:SPXW240614P05000000,O:AAPL1240621C00152500", DAYS,
                                            NULL};
    if (parse(arguments, &args, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(args.symbols.count, 2);
    assert_string_equal(args.symbols.items[0], "O:AAPL1240621C00152500");
    ing_backfill_args_free(&args);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    static const char *const cases[][8] = {
        {DAYS},
        {DAYS, "--symbols", "AAPL"},
        {DAYS, "--symbols", "O:AAPL240621C001525000"},
        {DAYS, "--symbols", "O:AAPL240631C00152500"},
        {DAYS, "--underlying", "O:AAPL240621C00152500"},
        {DAYS, "--underlying", "X:BTCUSD"},
        {DAYS, "--underlying", "C:EURUSD"},
        {DAYS, "--underlying", ""},
        {DAYS, "--underlying", "A", "--symbols", "O:AAPL240621C00152500"},
        {DAYS, "--symbols", "O:AAPL240621C00152500", "--type", "put"},
        {DAYS, "--symbols", "O:AAPL240621C00152500", "--strike-to", "9"},
        {DAYS, "--underlying", "A", "--type", "calls"},
        {DAYS, "--underlying", "A", "--strike-from", "-1"},
        {DAYS, "--underlying", "A", "--strike-to", "much"},
        {DAYS, "--underlying", "A", "--strike-to", "1.123456789"},
        {DAYS, "--underlying", "A", "--expiration-to", "2024-06-31"},
        {DAYS, "--underlying", "A", "--expiration-from", "June"},
        {DAYS, "--underlying", "A", "--as-of", "2024-07-02"}, // has not begun
        {DAYS, "--underlying", "A", "--as-of", "then"},
        {DAYS, "--underlying", "A", "--adjusted", "none"}, // options never are
        {DAYS, "--underlying", "A", "--market", "stocks"},
        {DAYS, "--underlying", "A", "--expiration-to", "2024-05-31"}, // nothing of them is in the range
        {DAYS, "--underlying", "SPX,A,I:SPX"},                        // one list, twice
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        const char *arguments[9] = {NULL};
        memcpy(arguments, cases[i], sizeof cases[i]);
        struct ing_backfill_args args;
        struct mf_error err;
        if (parse(arguments, &args, &err) == 0)
            fail_msg("case %zu was accepted", i);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
    }
    static const char *const crossed[][12] = {
        {DAYS, "--underlying", "A", "--strike-from", "10", "--strike-to", "9.99"},
        {DAYS, "--underlying", "A", "--expiration-from", "2024-06-22", "--expiration-to", "2024-06-21"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(crossed); i++) {
        struct ing_backfill_args args;
        struct mf_error err;
        assert_int_equal(parse(crossed[i], &args, &err), -1);
    }
}

// The same command is the same run; whatever decides which events there will be makes it another one.
static void test_run_id(void **state)
{
    (void)state;
    static const char *const others[][12] = {
        {DAYS, "--underlying", "A"},
        {DAYS, "--underlying", "B"},
        {DAYS, "--underlying", "A", "--type", "put"},
        {DAYS, "--underlying", "A", "--strike-from", "10"},
        {DAYS, "--underlying", "A", "--strike-to", "10"},
        {DAYS, "--underlying", "A", "--expiration-to", "2024-06-21"},
        {DAYS, "--underlying", "A", "--expiration-from", "2024-06-21"},
        {DAYS, "--underlying", "A", "--as-of", "2024-06-05"},
        {DAYS, "--underlying", "A", "--timespan", "day"},
        {DAYS, "--symbols", "O:A240621C00152500"},
    };
    struct ing_backfill_args args[MF_ARRAY_LEN(others)];
    struct mf_error err;
    for (size_t i = 0; i < MF_ARRAY_LEN(others); i++) {
        if (parse(others[i], &args[i], &err) < 0)
            fail_msg("%s", err.message);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(args[i].run_id, args[k].run_id);
    }
    static const char *const same[] = {DAYS,  "--as-of",       "2024-06-14", "--underlying",
                                       "A,A", "--strike-from", "10.00",      NULL};
    struct ing_backfill_args again;
    assert_int_equal(parse(same, &again, &err), 0);
    assert_string_equal(again.run_id, args[3].run_id);
    ing_backfill_args_free(&again);
    for (size_t i = 0; i < MF_ARRAY_LEN(others); i++)
        ing_backfill_args_free(&args[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_underlyings),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_run_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
