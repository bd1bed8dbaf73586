// SPDX-License-Identifier: Apache-2.0
// The one table of what the sink loads: topic, event type, RAW table. Each topic feeds exactly one table, so
// that a table that cannot be written stops its own topic only. Pure.
#ifndef SNK_TABLE_H
#define SNK_TABLE_H

#include "common/event.h"
#include "common/topics.h"

enum snk_table {
    SNK_TABLE_BARS,
    SNK_TABLE_NEWS,
    SNK_TABLE_OPTION_BARS,
    SNK_TABLE_ALERTS,
    SNK_TABLE_METRICS,
    SNK_TABLE_SYMBOLS,
    SNK_TABLE_CORPORATE_ACTIONS,
    SNK_TABLE_FEED_STATUS,
    SNK_TABLE_DEAD_LETTERS,
    SNK_TABLE_MAX
};

struct snk_table_def {
    const char *name; // in schema raw
    enum mf_topic_role topic;
    enum mf_event_type type;
};
extern const struct snk_table_def snk_tables[SNK_TABLE_MAX];

// The table whose topic has this name by the settings; SNK_TABLE_MAX when it is none of them.
enum snk_table snk_table_of_topic(const struct mf_settings *settings, const char *topic);
// The table of this name ("raw_bars"); SNK_TABLE_MAX when there is none.
enum snk_table snk_table_of_name(const char *name);

#endif
