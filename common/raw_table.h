// SPDX-License-Identifier: Apache-2.0
// The one table of what the warehouse's schema raw holds: table, the topic that feeds it, the event type.
// Each topic feeds exactly one table, so that a table that cannot be written stops its own topic only. Pure.
#ifndef MF_RAW_TABLE_H
#define MF_RAW_TABLE_H

#include "event.h"
#include "topics.h"

// X(NAME, table, role of the topic, event type)
// clang-format off
#define MF_RAW_TABLES(X)                                                                \
    X(BARS, "raw_bars", BARS_FILTERED, BAR)                                             \
    X(NEWS, "raw_news", NEWS_FILTERED, NEWS)                                            \
    X(OPTION_BARS, "raw_option_bars", OPTION_BARS_FILTERED, OPTION_BAR)                 \
    X(ALERTS, "raw_alerts", ALERTS, ALERT)                                              \
    X(METRICS, "raw_metrics", METRICS, METRIC)                                          \
    X(SYMBOLS, "raw_symbols", SYMBOLS_FILTERED, SYMBOL)                                 \
    X(CORPORATE_ACTIONS, "raw_corporate_actions", CORPORATE_ACTIONS_FILTERED, CORPORATE_ACTION) \
    X(FEED_STATUS, "raw_feed_status", FEED_STATUS_FILTERED, FEED_STATUS)                \
    X(DEAD_LETTERS, "raw_dead_letters", DLQ, DEAD_LETTER)
// clang-format on

struct mf_raw_table {
    const char *name; // in schema raw
    enum mf_topic_role topic;
    enum mf_event_type type;
};

enum mf_raw_table_id {
#define MF_RAW_TABLE_ID(id, ...) MF_RAW_##id,
    MF_RAW_TABLES(MF_RAW_TABLE_ID)
#undef MF_RAW_TABLE_ID
        MF_RAW_MAX
};

extern const struct mf_raw_table mf_raw_tables[MF_RAW_MAX];

#endif
