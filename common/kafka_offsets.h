// SPDX-License-Identifier: Apache-2.0
// Questions about offsets, for commands: the ends of a topic's partitions, what a group has committed. Asks
// as nobody: joins no group and reads no record. Every call blocks up to its timeout. Ownership: _new/_free;
// the ranges are the caller's. Failure classes: TRANSIENT when the cluster does not answer in time or does
// not know the topic, CONFIG when it refuses, FATAL else.
#ifndef MF_KAFKA_OFFSETS_H
#define MF_KAFKA_OFFSETS_H

#include "kafka.h"

struct mf_kafka_offsets;

// The log of one partition: offsets low <= o < high; equal when it holds nothing.
struct mf_kafka_range {
    int64_t low;
    int64_t high; // open transactions included
};

// group: whose commits can be asked for, not empty. config->loop may be NULL.
int mf_kafka_offsets_new(const struct mf_kafka_config *config, const char *group,
                         struct mf_kafka_offsets **offsets, struct mf_error *err);
void mf_kafka_offsets_free(struct mf_kafka_offsets **offsets);
// The ranges of all partitions of the topic: *count of them, to be freed with free().
int mf_kafka_offsets_ranges(struct mf_kafka_offsets *offsets, const char *topic, int timeout_ms,
                            struct mf_kafka_range **ranges, size_t *count, struct mf_error *err);
// What the group has committed into items[].offset, -1 = nothing. What a transaction is still committing is
// waited for.
int mf_kafka_offsets_committed(struct mf_kafka_offsets *offsets, struct mf_kafka_offset *items, size_t count,
                               int timeout_ms, struct mf_error *err);

#endif
