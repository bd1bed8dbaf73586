// SPDX-License-Identifier: Apache-2.0
// What the group consumer counts and shows. Nothing here can fail.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/kafka_consumer.h"

static const struct mf_metric_def *family(enum mf_common_metric metric)
{
    return &mf_common_metrics[metric];
}

void kafka_consumer_metrics_init(struct mf_kafka_consumer *consumer, const char *const *topics)
{
    struct mf_metrics *metrics = consumer->client.config.metrics;
    static const char *const kinds[] = {"assign", "revoke", "lost"};
    static const char *const results[] = {"ok", "error"};
    while (topics[consumer->topic_count] != NULL)
        consumer->topic_count++;
    consumer->topics = mf_calloc(consumer->topic_count, sizeof consumer->topics[0]);
    for (size_t i = 0; i < consumer->topic_count; i++) {
        struct kafka_consumed *topic = &consumer->topics[i];
        topic->topic = mf_strdup(topics[i]);
        topic->messages = MF_METRIC(metrics, family(MF_M_KAFKA_CONSUMED_MESSAGES), topics[i]);
        topic->bytes = MF_METRIC(metrics, family(MF_M_KAFKA_CONSUMED_BYTES), topics[i]);
        topic->assigned = MF_METRIC(metrics, family(MF_M_KAFKA_ASSIGNED), topics[i]);
        topic->paused = MF_METRIC(metrics, family(MF_M_KAFKA_PAUSED), topics[i]);
    }
    // The series exist before the first event, so that an increase from nothing is seen as one.
    for (size_t i = 0; i < MF_ARRAY_LEN(kinds); i++)
        MF_METRIC(metrics, family(MF_M_KAFKA_REBALANCES), kinds[i]);
    for (size_t i = 0; i < MF_ARRAY_LEN(results); i++)
        MF_METRIC(metrics, family(MF_M_KAFKA_COMMITS), results[i]);
}

void kafka_consumer_metrics_free(struct mf_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++)
        free(consumer->topics[i].topic);
    free(consumer->topics);
}

static struct kafka_consumed *topic_of(struct mf_kafka_consumer *consumer, const char *name)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        if (strcmp(consumer->topics[i].topic, name) == 0)
            return &consumer->topics[i];
    }
    return NULL;
}

void kafka_consumer_count(struct mf_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->partitions.count; i++) {
        struct kafka_partition *partition = &consumer->partitions.items[i];
        struct kafka_consumed *topic = partition->messages > 0 ? topic_of(consumer, partition->topic) : NULL;
        if (topic == NULL)
            continue;
        mf_metric_add(topic->messages, (double)partition->messages);
        mf_metric_add(topic->bytes, (double)partition->bytes);
        partition->messages = partition->bytes = 0;
    }
}

void kafka_consumer_show_partitions(struct mf_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        struct kafka_consumed *topic = &consumer->topics[i];
        size_t assigned = 0, paused = 0;
        for (size_t j = 0; j < consumer->partitions.count; j++) {
            bool same = strcmp(consumer->partitions.items[j].topic, topic->topic) == 0;
            assigned += same;
            paused += same && consumer->partitions.items[j].paused;
        }
        // Added as a change: another client of the process may have its own part.
        mf_metric_add(topic->assigned, (double)assigned - (double)topic->assigned_now);
        mf_metric_add(topic->paused, (double)paused - (double)topic->paused_now);
        topic->assigned_now = assigned;
        topic->paused_now = paused;
    }
}

static void show_lag(struct mf_kafka_consumer *consumer, const struct kafka_partition *partition, int64_t lag)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)partition->partition);
    const char *const labels[] = {partition->topic, number};
    struct mf_metrics *metrics = consumer->client.config.metrics;
    if (lag >= 0)
        mf_metric_set(mf_metrics_get(metrics, family(MF_M_KAFKA_CONSUMER_LAG), labels), (double)lag);
    else
        mf_metrics_remove(metrics, family(MF_M_KAFKA_CONSUMER_LAG), labels);
}

void kafka_consumer_show_lag(struct mf_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->partitions.count; i++) {
        const struct kafka_partition *partition = &consumer->partitions.items[i];
        int64_t high = mf_kafka_consumer_high_watermark(consumer, partition->topic, partition->partition);
        int64_t lag = -1; // unknown: then there is no series
        if (high >= 0 && partition->next >= 0)
            lag = high > partition->next ? high - partition->next : 0;
        show_lag(consumer, partition, lag);
    }
}

void kafka_consumer_forget_lag(struct mf_kafka_consumer *consumer)
{
    for (size_t i = 0; i < consumer->partitions.count; i++)
        show_lag(consumer, &consumer->partitions.items[i], -1);
}

void kafka_consumer_count_rebalance(struct mf_kafka_consumer *consumer, const char *kind)
{
    mf_metric_add(MF_METRIC(consumer->client.config.metrics, family(MF_M_KAFKA_REBALANCES), kind), 1);
    MF_LOGF(consumer->client.config.log, MF_LOG_INFO, "kafka", "kafka_rebalance",
            MF_FIELDS(mf_lf_str("kind", kind), mf_lf_i64("partitions", (int64_t)consumer->partitions.count)),
            "partitions of the group: %s", kind);
}
