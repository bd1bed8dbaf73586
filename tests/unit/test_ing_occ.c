// SPDX-License-Identifier: Apache-2.0
// Option tickers: roots of every kind, days, strikes, and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/occ.h"

#include <cmocka.h>

static void test_tickers(void **state)
{
    (void)state;
    static const struct {
        const char *ticker, *root, *strike;
        struct mf_date expiration;
        enum mf_option_type type;
    } cases[] = {
        {"O:AAPL250117C00150000", "AAPL", "150", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:F250117P00012500", "F", "12.5", {2025, 1, 17}, MF_OPTION_PUT},
        {"O:AAPL1250117C00150000", "AAPL1", "150", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:AAPL7250117C00150000", "AAPL7", "150", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:SPX250620P05000000", "SPX", "5000", {2025, 6, 20}, MF_OPTION_PUT},
        {"O:SPXW250613P05000000", "SPXW", "5000", {2025, 6, 13}, MF_OPTION_PUT},
        {"O:2AAPL250117C00150000", "2AAPL", "150", {2025, 1, 17}, MF_OPTION_CALL}, // flexible
        {"O:C250117C00060000", "C", "60", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:PCP1250117P00060000", "PCP1", "60", {2025, 1, 17}, MF_OPTION_PUT},
        {"O:ABCDE9240229C99999999", "ABCDE9", "99999.999", {2024, 2, 29}, MF_OPTION_CALL},
        {"O:A250117C00000001", "A", "0.001", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:A250117C00000500", "A", "0.5", {2025, 1, 17}, MF_OPTION_CALL},
        {"O:A250117C10000000", "A", "10000", {2025, 1, 17}, MF_OPTION_CALL},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_occ occ;
        struct mf_error err;
        if (ing_occ_parse(mf_str_of(cases[i].ticker), &occ, &err) < 0)
            fail_msg("%s: %s", cases[i].ticker, err.message);
        assert_string_equal(occ.root, cases[i].root);
        assert_string_equal(occ.strike, cases[i].strike);
        assert_int_equal(mf_date_cmp(occ.expiration, cases[i].expiration), 0);
        assert_int_equal(occ.type, cases[i].type);
    }
}

static void test_no_tickers(void **state)
{
    (void)state;
    static const struct {
        const char *ticker, *code;
    } cases[] = {
        {"", "bad_option_ticker"},
        {"O:", "bad_option_ticker"},
        {"AAPL250117C00150000", "bad_option_ticker"},      // no prefix
        {"O:250117C00150000", "bad_option_ticker"},        // no root
        {"O:7250117C00150000", "bad_option_ticker"},       // a root of digits only
        {"O:ABCDEFG250117C00150000", "bad_option_ticker"}, // seven characters
        {"O:aapl250117C00150000", "bad_option_ticker"},
        {"O:BRK.B250117C00150000", "bad_option_ticker"},
        {"O:AAPL250230C00150000", "bad_option_ticker"}, // no such day
        {"O:AAPL251301C00150000", "bad_option_ticker"},
        {"O:AAPL230229C00150000", "bad_option_ticker"}, // no leap year
        {"O:AAPL250117X00150000", "bad_option_ticker"},
        {"O:AAPL250117c00150000", "bad_option_ticker"},
        {"O:AAPL", "bad_option_ticker"},
        {"O:C00150000", "bad_option_ticker"},
        {"O:AAPL250117C00150000 ", "bad_option_ticker"},
        {"O:AAPL250117C001500000", "bad_strike"}, // nine digits
        {"O:AAPL250117C0150000", "bad_strike"},
        {"O:AAPL250117C", "bad_strike"},
        {"O:AAPL250117C00000000", "bad_strike"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_occ occ = {.root = "kept"};
        struct mf_error err;
        if (ing_occ_parse(mf_str_of(cases[i].ticker), &occ, &err) == 0)
            fail_msg("accepted: %s", cases[i].ticker);
        assert_string_equal(err.code, cases[i].code);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_string_equal(occ.root, "kept");
        assert_int_equal(ing_occ_parse(mf_str_of(cases[i].ticker), &occ, NULL), -1);
    }
    struct ing_occ occ;
    assert_int_equal(ing_occ_parse(MF_STR_NULL, &occ, NULL), -1);
    assert_int_equal(ing_occ_parse(MF_STR("O:AAPL250117C0015000\0"), &occ, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tickers),
        cmocka_unit_test(test_no_tickers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
