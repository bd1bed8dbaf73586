// SPDX-License-Identifier: Apache-2.0
// Names of enums and the forms of symbols, lanes and flags.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/event.h"

static void test_types_and_intervals_parse_back(void **state)
{
    (void)state;
    for (enum mf_event_type type = 0; type < MF_EVENT_TYPE_MAX; type++) {
        enum mf_event_type parsed = MF_EVENT_TYPE_MAX;
        assert_true(mf_event_type_parse(mf_str_of(mf_event_type_name(type)), &parsed));
        assert_int_equal(parsed, type);
    }
    for (enum mf_interval interval = 0; interval < MF_INTERVAL_MAX; interval++) {
        enum mf_interval parsed = MF_INTERVAL_MAX;
        assert_true(mf_interval_parse(mf_str_of(mf_interval_name(interval)), &parsed));
        assert_int_equal(parsed, interval);
    }
    for (enum mf_asset_class asset_class = 0; asset_class < MF_ASSET_CLASS_MAX; asset_class++) {
        enum mf_asset_class parsed = MF_ASSET_CLASS_MAX;
        assert_true(mf_asset_class_parse(mf_str_of(mf_asset_class_name(asset_class)), &parsed));
        assert_int_equal(parsed, asset_class);
    }
    enum mf_event_type type = MF_EVENT_NEWS;
    enum mf_interval interval = MF_INTERVAL_1H;
    static const char *const wrong[] = {"", "BAR", "bars", "1M", "1min", "60", "trade"};
    for (size_t i = 0; i < MF_ARRAY_LEN(wrong); i++) {
        assert_false(mf_event_type_parse(mf_str_of(wrong[i]), &type));
        assert_false(mf_interval_parse(mf_str_of(wrong[i]), &interval));
    }
    assert_true(type == MF_EVENT_NEWS && interval == MF_INTERVAL_1H); // untouched
}

static void test_names_of_the_other_enums(void **state)
{
    (void)state;
    assert_string_equal(mf_mode_name(MF_MODE_SYNTHETIC), "synthetic");
    assert_string_equal(mf_session_name(MF_SESSION_FULL), "full");
    assert_string_equal(mf_adjusted_name(MF_ADJUSTED_SPLIT_DIV), "split_div");
    assert_string_equal(mf_severity_name(MF_SEVERITY_CRITICAL), "critical");
    assert_string_equal(mf_direction_name(MF_DIRECTION_NONE), "none");
    assert_string_equal(mf_alert_state_name(MF_ALERT_RESOLVED), "resolved");
    assert_string_equal(mf_option_type_name(MF_OPTION_PUT), "put");
    assert_string_equal(mf_action_kind_name(MF_ACTION_TICKER_CHANGE), "ticker_change");
    assert_string_equal(mf_feed_state_name(MF_FEED_PARKED), "parked");
}

static void test_lengths_of_intervals(void **state)
{
    (void)state;
    static const struct {
        enum mf_interval interval;
        int64_t seconds;
    } rows[] = {
        {MF_INTERVAL_1S, 1},     {MF_INTERVAL_5S, 5},      {MF_INTERVAL_1M, 60},   {MF_INTERVAL_5M, 300},
        {MF_INTERVAL_15M, 900},  {MF_INTERVAL_30M, 1800},  {MF_INTERVAL_1H, 3600}, {MF_INTERVAL_4H, 14400},
        {MF_INTERVAL_1D, 86400}, {MF_INTERVAL_1W, 604800}, {MF_INTERVAL_1MO, 0},   {MF_INTERVAL_3MO, 0},
        {MF_INTERVAL_1Y, 0},
    };
    assert_int_equal(MF_ARRAY_LEN(rows), MF_INTERVAL_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++)
        assert_int_equal(mf_interval_us(rows[i].interval), rows[i].seconds * MF_US_PER_SECOND);
    for (size_t i = 0; i < MF_ARRAY_LEN(rows) && rows[i].seconds > 0; i++)
        assert_int_equal(mf_interval_longest_us(rows[i].interval), rows[i].seconds * MF_US_PER_SECOND);
    assert_int_equal(mf_interval_longest_us(MF_INTERVAL_1MO), 31 * MF_US_PER_DAY);
    assert_int_equal(mf_interval_longest_us(MF_INTERVAL_3MO), 92 * MF_US_PER_DAY);
    assert_int_equal(mf_interval_longest_us(MF_INTERVAL_1Y), 366 * MF_US_PER_DAY);
}

static void test_flags_as_text(void **state)
{
    (void)state;
    char text[MF_FLAGS_TEXT_SIZE];
    static const struct {
        unsigned flags;
        const char *wanted;
    } rows[] = {
        {0, ""},
        {MF_FLAG_WARMUP, "warmup"},
        {MF_FLAG_PARTIAL | MF_FLAG_IS_MOCK, "is_mock,partial"},
        {MF_FLAG_ALL, "is_mock,warmup,delayed,forming,proxy_vwap,partial"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        assert_int_equal(mf_flags_format(rows[i].flags, text, sizeof text), strlen(rows[i].wanted));
        assert_string_equal(text, rows[i].wanted);
    }
}

static void test_symbols(void **state)
{
    (void)state;
    static const struct {
        const char *symbol;
        enum mf_asset_class asset_class;
        bool valid;
    } rows[] = {
        {"AAPL", MF_ASSET_STOCK, true},
        {"BRK.B", MF_ASSET_STOCK, true},
        {"BACpL", MF_ASSET_STOCK, true},
        {"_UNKNOWN", MF_ASSET_STOCK, true},
        {"X:BTCUSD", MF_ASSET_CRYPTO, true},
        {"C:EURUSD", MF_ASSET_FX, true},
        {"I:SPX", MF_ASSET_INDEX, true},
        {"O:AAPL250117C00150000", MF_ASSET_OPTION, true},
        {"BTC-USD", MF_ASSET_STOCK, true},
        {"EUR_USD/x", MF_ASSET_STOCK, true},
        {"", MF_ASSET_STOCK, false},
        {"A B", MF_ASSET_STOCK, false},
        {"A|B", MF_ASSET_STOCK, false},
        {"AAPL\n", MF_ASSET_STOCK, false},
        {"\xc3\x84", MF_ASSET_STOCK, false},
        {"0123456789012345678901234567890123456789012345678901234567890123", MF_ASSET_STOCK, true},
        {"01234567890123456789012345678901234567890123456789012345678901234", MF_ASSET_STOCK, false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_str symbol = mf_str_of(rows[i].symbol);
        assert_int_equal(mf_symbol_is_valid(symbol), rows[i].valid);
        assert_int_equal(mf_asset_class_of_symbol(symbol), rows[i].asset_class);
    }
    assert_false(mf_symbol_is_valid(MF_STR("A\0B")));
    assert_false(mf_symbol_is_valid(MF_STR_NULL));
}

static void test_lanes_and_sources(void **state)
{
    (void)state;
    static const struct {
        const char *lane;
        bool valid;
    } rows[] = {
        {"live", true},
        {"backfill:1", true},
        {"backfill:Ab9._-", true},
        {"backfill:", false},
        {"backfill", false},
        {"Live", false},
        {"live ", false},
        {"backfill:a b", false},
        {"replay:1", false},
        {"backfill:a:b", false},
        {"", false},
        {"backfill:0123456789012345678901234567890123456789012345678901234567890123", true},
        {"backfill:01234567890123456789012345678901234567890123456789012345678901234", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++)
        assert_int_equal(mf_lane_is_valid(mf_str_of(rows[i].lane)), rows[i].valid);
    static const char *const sources[] = {"polygon",  "alpha_vantage", "yahoo",
                                          "coinbase", "oanda",         "processor"};
    for (size_t i = 0; i < MF_ARRAY_LEN(sources); i++)
        assert_true(mf_source_is_known(mf_str_of(sources[i])));
    assert_false(mf_source_is_known(MF_STR("Polygon")));
    assert_false(mf_source_is_known(MF_STR_NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_intervals_parse_back),
        cmocka_unit_test(test_names_of_the_other_enums),
        cmocka_unit_test(test_lengths_of_intervals),
        cmocka_unit_test(test_flags_as_text),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_lanes_and_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
