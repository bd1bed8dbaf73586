// SPDX-License-Identifier: Apache-2.0
// Data only; the contract is in table.h. A new event type gets a row here, a topic in common/topics.h, and
// its table in a migration of every dialect.
#include "services/sink/table.h"

const struct snk_table_def snk_tables[SNK_TABLE_MAX] = {
    [SNK_TABLE_BARS] = {"raw_bars", MF_TOPIC_BARS_FILTERED, MF_EVENT_BAR},
    [SNK_TABLE_NEWS] = {"raw_news", MF_TOPIC_NEWS_FILTERED, MF_EVENT_NEWS},
    [SNK_TABLE_OPTION_BARS] = {"raw_option_bars", MF_TOPIC_OPTION_BARS_FILTERED, MF_EVENT_OPTION_BAR},
    [SNK_TABLE_ALERTS] = {"raw_alerts", MF_TOPIC_ALERTS, MF_EVENT_ALERT},
    [SNK_TABLE_METRICS] = {"raw_metrics", MF_TOPIC_METRICS, MF_EVENT_METRIC},
    [SNK_TABLE_SYMBOLS] = {"raw_symbols", MF_TOPIC_SYMBOLS_FILTERED, MF_EVENT_SYMBOL},
    [SNK_TABLE_CORPORATE_ACTIONS] = {"raw_corporate_actions", MF_TOPIC_CORPORATE_ACTIONS_FILTERED,
                                     MF_EVENT_CORPORATE_ACTION},
    [SNK_TABLE_FEED_STATUS] = {"raw_feed_status", MF_TOPIC_FEED_STATUS_FILTERED, MF_EVENT_FEED_STATUS},
    [SNK_TABLE_DEAD_LETTERS] = {"raw_dead_letters", MF_TOPIC_DLQ, MF_EVENT_DEAD_LETTER},
};

enum snk_table snk_table_of_topic(const struct mf_settings *settings, const char *topic)
{
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if (strcmp(mf_topic_name(settings, snk_tables[table].topic), topic) == 0)
            return table;
    }
    return SNK_TABLE_MAX;
}

enum snk_table snk_table_of_name(const char *name)
{
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if (strcmp(snk_tables[table].name, name) == 0)
            return table;
    }
    return SNK_TABLE_MAX;
}
