// SPDX-License-Identifier: Apache-2.0
// The passes over symbols: which there are for whom, what the last one says, and what is kept between them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "services/ingestor/backfill_private.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

static struct backfill_series series_of(const char *symbol, enum ing_market market)
{
    struct backfill_series series = {.mark = {.status = ING_STATUS_RUNNING}};
    struct ing_work *work = &series.base.work;
    *work = ing_minute_work(symbol, "2024-06-03T04:00:00Z", "2024-06-04T04:00:00Z");
    work->feed = ING_FEED_SYMBOLS;
    work->market = market;
    series.mark.pass = ing_backfill_first_pass(work);
    return series;
}

static void test_first(void **state)
{
    (void)state;
    assert_int_equal(series_of("META", ING_MARKET_NONE).mark.pass, ING_PASS_RENAMES);
    assert_int_equal(series_of("X:BTCUSD", ING_MARKET_NONE).mark.pass, ING_PASS_DELISTED);
    assert_int_equal(series_of("market:stocks", ING_MARKET_STOCKS).mark.pass, ING_PASS_DELISTED);
}

// Through all passes; the status is what the series has ended with.
static enum ing_status run(struct backfill_series *series, unsigned wanted_passes)
{
    unsigned passes = 1;
    for (; series->mark.status == ING_STATUS_RUNNING; passes++) {
        mf_str_copy(series->mark.cursor, sizeof series->mark.cursor, MF_STR("/v3/x?cursor=a"));
        series->mark.page = 3;
        if (!ing_backfill_next_pass(series)) {
            series->mark.status = ING_STATUS_COMPLETE;
            break;
        }
        assert_string_equal(series->mark.cursor, ""); // of the pass before
        assert_int_equal(series->mark.page, 0);
        passes -= series->mark.status != ING_STATUS_RUNNING;
    }
    assert_int_equal(passes, wanted_passes);
    return series->mark.status;
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *symbol;
        enum ing_market market;
        uint64_t rows;
        bool unnamed;
        unsigned passes;
        enum ing_status status;
    } cases[] = {
        {"META", ING_MARKET_NONE, 1, false, 4, ING_STATUS_COMPLETE},
        {"META", ING_MARKET_NONE, 1, true, 4, ING_STATUS_PARTIAL},
        {"NOSUCH", ING_MARKET_NONE, 0, false, 4, ING_STATUS_UNKNOWN_TICKER}, // N49
        {"NOSUCH", ING_MARKET_NONE, 0, true, 4, ING_STATUS_UNKNOWN_TICKER},
        {"X:BTCUSD", ING_MARKET_NONE, 1, false, 2, ING_STATUS_COMPLETE},
        {"market:indices", ING_MARKET_INDICES, 0, false, 2, ING_STATUS_COMPLETE}, // an empty market is one
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct backfill_series series = series_of(cases[i].symbol, cases[i].market);
        series.rows = cases[i].rows;
        series.unnamed = cases[i].unnamed;
        assert_int_equal(run(&series, cases[i].passes), cases[i].status);
    }
    struct backfill_series bars = series_of("META", ING_MARKET_NONE);
    bars.base.work.feed = ING_FEED_BARS;
    assert_false(ing_backfill_next_pass(&bars));
}

static void test_names(void **state)
{
    (void)state;
    struct backfill_series series = series_of("META", ING_MARKET_NONE);
    static struct ing_page page;
    page.aliases.count = 2;
    mf_str_copy(page.aliases.items[1].symbol, sizeof page.aliases.items[1].symbol, MF_STR("META"));
    ing_backfill_take_names(NULL, &series.base, &page);
    page.aliases.items[1].symbol[0] = '\0'; // a page is used again
    assert_non_null(series.base.work.aliases);
    assert_string_equal(series.base.work.aliases->items[1].symbol, "META");
    series.base.work.pass = ING_PASS_ACTIVE;
    page.aliases.count = 0;
    ing_backfill_take_names(NULL, &series.base, &page); // other pages leave them alone
    assert_int_equal(series.base.work.aliases->count, 2);
    series.base.work.pass = ING_PASS_RENAMES;
    ing_backfill_take_names(NULL, &series.base, &page);
    assert_null(series.base.work.aliases);
    ing_backfill_forget_names(&series); // none is fine
}

static void test_listing(void **state)
{
    (void)state;
    struct backfill_series series = series_of("META", ING_MARKET_NONE);
    static struct ing_page page;
    page.listing = (struct ing_listing){.date = {2012, 5, 18}, .figi = "F1"};
    ing_backfill_take_names(NULL, &series.base, &page); // of renames, which have none
    assert_null(series.base.work.listing);
    series.base.work.pass = ING_PASS_DETAILS;
    ing_backfill_take_names(NULL, &series.base, &page);
    page.listing = (struct ing_listing){0}; // a page is used again
    assert_int_equal(series.base.work.listing->date.year, 2012);
    assert_string_equal(series.base.work.listing->figi, "F1");
    ing_backfill_forget_names(&series);
    assert_null(series.base.work.listing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
