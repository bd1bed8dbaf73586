// SPDX-License-Identifier: Apache-2.0
// Names of the event enums, as they stand in the payloads, and the forms of symbols, lanes and flags. Pure; a
// name that is not in a table is simply not parsed.
#include "common/event_table.h"

#include <stdio.h>

const char *const mf_event_type_names[MF_EVENT_TYPE_MAX + 1] = {
    [MF_EVENT_BAR] = "bar",
    [MF_EVENT_OPTION_BAR] = "option_bar",
    [MF_EVENT_NEWS] = "news",
    [MF_EVENT_SYMBOL] = "symbol",
    [MF_EVENT_CORPORATE_ACTION] = "corporate_action",
    [MF_EVENT_FEED_STATUS] = "feed_status",
    [MF_EVENT_HEARTBEAT] = "heartbeat",
    [MF_EVENT_METRIC] = "metric",
    [MF_EVENT_ALERT] = "alert",
    [MF_EVENT_DEAD_LETTER] = "dead_letter",
};
const char *const mf_asset_class_names[MF_ASSET_CLASS_MAX + 1] = {
    [MF_ASSET_STOCK] = "stock",   [MF_ASSET_OPTION] = "option", [MF_ASSET_FX] = "fx",
    [MF_ASSET_CRYPTO] = "crypto", [MF_ASSET_INDEX] = "index",
};
const char *const mf_mode_names[MF_MODE_MAX + 1] = {
    [MF_MODE_REST] = "rest",
    [MF_MODE_WS] = "ws",
    [MF_MODE_REPLAY] = "replay",
    [MF_MODE_SYNTHETIC] = "synthetic",
};
const char *const mf_interval_names[MF_INTERVAL_MAX + 1] = {
    [MF_INTERVAL_1S] = "1s", [MF_INTERVAL_5S] = "5s",   [MF_INTERVAL_1M] = "1m",
    [MF_INTERVAL_5M] = "5m", [MF_INTERVAL_15M] = "15m", [MF_INTERVAL_30M] = "30m",
    [MF_INTERVAL_1H] = "1h", [MF_INTERVAL_4H] = "4h",   [MF_INTERVAL_1D] = "1d",
    [MF_INTERVAL_1W] = "1w", [MF_INTERVAL_1MO] = "1mo", [MF_INTERVAL_3MO] = "3mo",
    [MF_INTERVAL_1Y] = "1y",
};
const char *const mf_session_names[MF_SESSION_MAX + 1] = {
    [MF_SESSION_PRE] = "pre",
    [MF_SESSION_REGULAR] = "regular",
    [MF_SESSION_POST] = "post",
    [MF_SESSION_FULL] = "full",
};
const char *const mf_adjusted_names[MF_ADJUSTED_MAX + 1] = {
    [MF_ADJUSTED_NONE] = "none",
    [MF_ADJUSTED_SPLIT] = "split",
    [MF_ADJUSTED_SPLIT_DIV] = "split_div",
};
const char *const mf_severity_names[MF_SEVERITY_MAX + 1] = {
    [MF_SEVERITY_INFO] = "info",
    [MF_SEVERITY_WARNING] = "warning",
    [MF_SEVERITY_CRITICAL] = "critical",
};
const char *const mf_direction_names[MF_DIRECTION_MAX + 1] = {
    [MF_DIRECTION_NONE] = "none",
    [MF_DIRECTION_UP] = "up",
    [MF_DIRECTION_DOWN] = "down",
};
const char *const mf_alert_state_names[MF_ALERT_STATE_MAX + 1] = {
    [MF_ALERT_FIRING] = "firing",
    [MF_ALERT_RESOLVED] = "resolved",
};
const char *const mf_option_type_names[MF_OPTION_TYPE_MAX + 1] = {
    [MF_OPTION_CALL] = "call",
    [MF_OPTION_PUT] = "put",
};
const char *const mf_action_kind_names[MF_ACTION_KIND_MAX + 1] = {
    [MF_ACTION_SPLIT] = "split",
    [MF_ACTION_DIVIDEND] = "dividend",
    [MF_ACTION_TICKER_CHANGE] = "ticker_change",
};
const char *const mf_feed_state_names[MF_FEED_STATE_MAX + 1] = {
    [MF_FEED_OK] = "ok",         [MF_FEED_LATE] = "late",     [MF_FEED_GAP] = "gap",
    [MF_FEED_PARKED] = "parked", [MF_FEED_FAILED] = "failed",
};
const char *const mf_source_names[] = {"polygon", "alpha_vantage", "yahoo", "coinbase",
                                       "oanda",   "processor",     NULL};

// In the order of enum mf_event_flag.
const char *const mf_flag_names[] = {"is_mock",    "warmup",  "delayed", "forming",
                                     "proxy_vwap", "partial", NULL};
static_assert(MF_FLAG_ALL == (1u << (MF_ARRAY_LEN(mf_flag_names) - 1)) - 1, "a flag without a name");

// Most names differ in their first byte, so no length is asked for.
static bool is_name(struct mf_str text, const char *name)
{
    for (size_t i = 0; i < text.len; i++)
        if (name[i] != text.data[i] || name[i] == '\0')
            return false;
    return name[text.len] == '\0';
}

int mf_name_index(const char *const *names, struct mf_str text)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (is_name(text, names[i]))
            return i;
    }
    return -1;
}

#define MF_DEFINE_NAME(function, enum_type, value, names, max) \
    const char *function(enum enum_type value)                 \
    {                                                          \
        assert((value) < (max));                               \
        return (names)[value];                                 \
    }
MF_DEFINE_NAME(mf_event_type_name, mf_event_type, type, mf_event_type_names, MF_EVENT_TYPE_MAX)
MF_DEFINE_NAME(mf_asset_class_name, mf_asset_class, asset_class, mf_asset_class_names, MF_ASSET_CLASS_MAX)
MF_DEFINE_NAME(mf_mode_name, mf_provenance_mode, mode, mf_mode_names, MF_MODE_MAX)
MF_DEFINE_NAME(mf_interval_name, mf_interval, interval, mf_interval_names, MF_INTERVAL_MAX)
MF_DEFINE_NAME(mf_session_name, mf_session, session, mf_session_names, MF_SESSION_MAX)
MF_DEFINE_NAME(mf_adjusted_name, mf_adjusted, adjusted, mf_adjusted_names, MF_ADJUSTED_MAX)
MF_DEFINE_NAME(mf_severity_name, mf_severity, severity, mf_severity_names, MF_SEVERITY_MAX)
MF_DEFINE_NAME(mf_direction_name, mf_direction, direction, mf_direction_names, MF_DIRECTION_MAX)
MF_DEFINE_NAME(mf_alert_state_name, mf_alert_state, state, mf_alert_state_names, MF_ALERT_STATE_MAX)
MF_DEFINE_NAME(mf_option_type_name, mf_option_type, type, mf_option_type_names, MF_OPTION_TYPE_MAX)
MF_DEFINE_NAME(mf_action_kind_name, mf_action_kind, kind, mf_action_kind_names, MF_ACTION_KIND_MAX)
MF_DEFINE_NAME(mf_feed_state_name, mf_feed_state, state, mf_feed_state_names, MF_FEED_STATE_MAX)

bool mf_event_type_parse(struct mf_str text, enum mf_event_type *type)
{
    int index = mf_name_index(mf_event_type_names, text);
    if (index >= 0)
        *type = (enum mf_event_type)index;
    return index >= 0;
}

bool mf_asset_class_parse(struct mf_str text, enum mf_asset_class *asset_class)
{
    int index = mf_name_index(mf_asset_class_names, text);
    if (index >= 0)
        *asset_class = (enum mf_asset_class)index;
    return index >= 0;
}

bool mf_interval_parse(struct mf_str text, enum mf_interval *interval)
{
    int index = mf_name_index(mf_interval_names, text);
    if (index >= 0)
        *interval = (enum mf_interval)index;
    return index >= 0;
}

int64_t mf_interval_us(enum mf_interval interval)
{
    static const int64_t seconds[MF_INTERVAL_MAX] = {
        [MF_INTERVAL_1S] = 1,          [MF_INTERVAL_5S] = 5,     [MF_INTERVAL_1M] = 60,
        [MF_INTERVAL_5M] = 300,        [MF_INTERVAL_15M] = 900,  [MF_INTERVAL_30M] = 1800,
        [MF_INTERVAL_1H] = 3600,       [MF_INTERVAL_4H] = 14400, [MF_INTERVAL_1D] = 24 * 3600,
        [MF_INTERVAL_1W] = 168 * 3600, [MF_INTERVAL_1MO] = 0,    [MF_INTERVAL_3MO] = 0,
        [MF_INTERVAL_1Y] = 0,
    };
    assert(interval < MF_INTERVAL_MAX);
    return seconds[interval] * MF_US_PER_SECOND;
}

int64_t mf_interval_longest_us(enum mf_interval interval)
{
    switch (interval) {
    case MF_INTERVAL_1MO: return 31 * MF_US_PER_DAY;
    case MF_INTERVAL_3MO: return 92 * MF_US_PER_DAY;
    case MF_INTERVAL_1Y: return 366 * MF_US_PER_DAY;
    default: return mf_interval_us(interval);
    }
}

size_t mf_flags_format(unsigned flags, char *out, size_t out_size)
{
    assert(out_size > 0 && (flags & ~(unsigned)MF_FLAG_ALL) == 0);
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; mf_flag_names[i] != NULL; i++) {
        if ((flags & 1u << i) == 0)
            continue;
        int written = snprintf(out + len, out_size - len, "%s%s", len > 0 ? "," : "", mf_flag_names[i]);
        assert(written > 0 && (size_t)written < out_size - len);
        len += (size_t)written;
    }
    return len;
}

enum mf_asset_class mf_asset_class_of_symbol(struct mf_str symbol)
{
    static const struct {
        const char *prefix;
        enum mf_asset_class asset_class;
    } forms[] = {
        {"X:", MF_ASSET_CRYPTO},
        {"C:", MF_ASSET_FX},
        {"I:", MF_ASSET_INDEX},
        {"O:", MF_ASSET_OPTION},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(forms); i++) {
        if (mf_str_starts_with(symbol, forms[i].prefix))
            return forms[i].asset_class;
    }
    return MF_ASSET_STOCK;
}

// What a symbol may hold, and what a run's id may: bits, for one look at each byte.
enum { IN_SYMBOL = 1, IN_RUN_ID = 2, IN_BOTH = IN_SYMBOL | IN_RUN_ID };
static const unsigned char places[256] = {
    ['0'] = IN_BOTH,   ['1'] = IN_BOTH, ['2'] = IN_BOTH, ['3'] = IN_BOTH, ['4'] = IN_BOTH, ['5'] = IN_BOTH,
    ['6'] = IN_BOTH,   ['7'] = IN_BOTH, ['8'] = IN_BOTH, ['9'] = IN_BOTH, ['A'] = IN_BOTH, ['B'] = IN_BOTH,
    ['C'] = IN_BOTH,   ['D'] = IN_BOTH, ['E'] = IN_BOTH, ['F'] = IN_BOTH, ['G'] = IN_BOTH, ['H'] = IN_BOTH,
    ['I'] = IN_BOTH,   ['J'] = IN_BOTH, ['K'] = IN_BOTH, ['L'] = IN_BOTH, ['M'] = IN_BOTH, ['N'] = IN_BOTH,
    ['O'] = IN_BOTH,   ['P'] = IN_BOTH, ['Q'] = IN_BOTH, ['R'] = IN_BOTH, ['S'] = IN_BOTH, ['T'] = IN_BOTH,
    ['U'] = IN_BOTH,   ['V'] = IN_BOTH, ['W'] = IN_BOTH, ['X'] = IN_BOTH, ['Y'] = IN_BOTH, ['Z'] = IN_BOTH,
    ['a'] = IN_BOTH,   ['b'] = IN_BOTH, ['c'] = IN_BOTH, ['d'] = IN_BOTH, ['e'] = IN_BOTH, ['f'] = IN_BOTH,
    ['g'] = IN_BOTH,   ['h'] = IN_BOTH, ['i'] = IN_BOTH, ['j'] = IN_BOTH, ['k'] = IN_BOTH, ['l'] = IN_BOTH,
    ['m'] = IN_BOTH,   ['n'] = IN_BOTH, ['o'] = IN_BOTH, ['p'] = IN_BOTH, ['q'] = IN_BOTH, ['r'] = IN_BOTH,
    ['s'] = IN_BOTH,   ['t'] = IN_BOTH, ['u'] = IN_BOTH, ['v'] = IN_BOTH, ['w'] = IN_BOTH, ['x'] = IN_BOTH,
    ['y'] = IN_BOTH,   ['z'] = IN_BOTH, ['.'] = IN_BOTH, ['_'] = IN_BOTH, ['-'] = IN_BOTH, [':'] = IN_SYMBOL,
    ['/'] = IN_SYMBOL,
};

static bool is_made_of(struct mf_str text, unsigned place)
{
    unsigned all = place;
    for (size_t i = 0; i < text.len; i++)
        all &= places[(unsigned char)text.data[i]];
    return all != 0;
}

bool mf_symbol_is_valid(struct mf_str symbol)
{
    return symbol.len >= 1 && symbol.len <= MF_SYMBOL_MAX && is_made_of(symbol, IN_SYMBOL);
}

bool mf_source_is_known(struct mf_str source)
{
    return mf_name_index(mf_source_names, source) >= 0;
}

bool mf_lane_is_valid(struct mf_str lane)
{
    if (mf_str_eq(lane, MF_STR("live")))
        return true;
    static const size_t prefix = sizeof "backfill:" - 1;
    if (!mf_str_starts_with(lane, "backfill:") || lane.len == prefix || lane.len > prefix + MF_RUN_ID_MAX)
        return false;
    return is_made_of((struct mf_str){lane.data + prefix, lane.len - prefix}, IN_RUN_ID);
}
