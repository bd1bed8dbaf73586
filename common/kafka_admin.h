// SPDX-License-Identifier: Apache-2.0
// Inside of the Kafka wrapper: what a topic should be, and how a found one differs. Pure.
#ifndef MF_KAFKA_ADMIN_H
#define MF_KAFKA_ADMIN_H

#include "kafka.h"

#define KAFKA_TOPIC_CONFIGS_MAX 6

struct kafka_topic_config {
    const char *name;
    char value[32];
};
// The properties that a topic of this kind is made with and compared by. Returns how many.
size_t kafka_topic_wanted(const struct mf_kafka_topic_spec *spec,
                          struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX]);

// Begin with the report of a topic that exists.
void kafka_topic_found(const struct mf_kafka_topic_spec *spec, int32_t partitions, int replication,
                       struct mf_kafka_topic_report *report);
// One of its properties; NULL when the cluster does not tell it.
void kafka_topic_compare(const struct kafka_topic_config *wanted, const char *found,
                         struct mf_kafka_topic_report *report);
void kafka_topic_missing(struct mf_kafka_topic_report *report);

#endif
