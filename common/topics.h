// SPDX-License-Identifier: Apache-2.0
// The one table of Kafka topics: names, partitions, cleanup, retention, writers. marketflowctl creates topics
// from it, settings take their defaults from it, docs/events.md prints it.
#ifndef MF_TOPICS_H
#define MF_TOPICS_H

#include "settings.h"

enum mf_topic_partitions {
    MF_TOPIC_PARTITIONS_SHARED, // KAFKA_PARTITIONS: co-partitioned with market.raw
    MF_TOPIC_PARTITIONS_ONE
};

#define MF_HOURS_MS(h) (INT64_C(3600000) * (h))
#define MF_DAYS_MS(d) MF_HOURS_MS(24 * (d))

// X(ROLE, default name, partitions, cleanup, retention in ms (-1 = none), written by, carries)
// The setting is KAFKA_TOPIC_<ROLE>.
// clang-format off
#define MF_TOPIC_TABLE(X)                                                                                              \
    X(RAW, "market.raw", SHARED, "delete", MF_DAYS_MS(7), "ingestor", "every live event, heartbeats")                  \
    X(RAW_BACKFILL, "market.raw.backfill", SHARED, "delete", MF_DAYS_MS(7), "ingestor", "history, one lane per run")    \
    X(BARS_FILTERED, "market.bars.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor",                             \
      "bars that passed")                                                                                \
    X(NEWS_FILTERED, "market.news.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor", "news that passed")         \
    X(OPTION_BARS_FILTERED, "market.option_bars.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor",               \
      "option bars")                                                                                                   \
    X(SYMBOLS_FILTERED, "market.symbols.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor", "symbol metadata")    \
    X(CORPORATE_ACTIONS_FILTERED, "market.corporate_actions.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor",   \
      "splits, dividends, renames")                                                                                    \
    X(FEED_STATUS_FILTERED, "market.feed_status.filtered", SHARED, "delete", MF_DAYS_MS(7), "processor",               \
      "state of the feeds")                                                                                            \
    X(ALERTS, "market.alerts", SHARED, "delete", MF_DAYS_MS(7), "processor", "alerts")                                 \
    X(METRICS, "market.metrics", SHARED, "delete", MF_DAYS_MS(7), "processor", "computed statistics")                  \
    X(DLQ, "market.dlq", SHARED, "delete", MF_DAYS_MS(30), "all", "dead letters")                                      \
    X(INGESTOR_WATERMARKS, "market.ingestor.watermarks", ONE, "compact", -1, "ingestor", "its own state")              \
    X(INGESTOR_BUDGET, "market.ingestor.budget", ONE, "delete", MF_DAYS_MS(2), "ingestor",                             \
      "request budget claims, by the broker's clock")                                                             \
    X(PROCESSOR_CHANGELOG, "market.processor.changelog", SHARED, "compact", -1, "processor", "its own state")
// clang-format on

enum mf_topic_role {
#define MF_TOPIC_ROLE(role, ...) MF_TOPIC_##role,
    MF_TOPIC_TABLE(MF_TOPIC_ROLE)
#undef MF_TOPIC_ROLE
        MF_TOPIC_MAX
};

struct mf_topic_def {
    enum mf_topic_role role;
    const char *setting; // "KAFKA_TOPIC_RAW"
    const char *default_name;
    enum mf_topic_partitions partitions;
    const char *cleanup;
    int64_t retention_ms;
    bool append_time; // time stamps are the broker's (LogAppendTime)
    const char *written_by;
    const char *carries;
};
extern const struct mf_topic_def mf_topics[MF_TOPIC_MAX];

// The topic's name by the settings (which must include mf_settings_table_kafka).
const char *mf_topic_name(const struct mf_settings *settings, enum mf_topic_role role);
// The role of a topic name, MF_TOPIC_MAX when it is none of ours.
enum mf_topic_role mf_topic_role_of(const struct mf_settings *settings, struct mf_str name);

#endif
