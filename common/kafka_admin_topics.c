// SPDX-License-Identifier: Apache-2.0
// What a topic should be, and how a found one differs. Pure; nothing fails. A report that is longer than its
// field is cut.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/kafka_admin.h"

// Compacted topics are states that are read back at every start: small segments and an early cleaner keep
// what is read close to what is alive. (The cleaner never touches the active segment.)
#define COMPACT_SEGMENT_BYTES "16777216"
#define COMPACT_DIRTY_RATIO "0.1"
// With three replicas, one broker may be away and an acknowledged record is still on two disks.
#define REPLICATION_SAFE 3
#define IN_SYNC_SAFE "2"

static void want(struct kafka_topic_config *wanted, size_t *count, const char *name, const char *value)
{
    assert(*count < KAFKA_TOPIC_CONFIGS_MAX);
    wanted[*count].name = name;
    snprintf(wanted[*count].value, sizeof wanted[*count].value, "%s", value);
    (*count)++;
}

size_t kafka_topic_wanted(const struct mf_kafka_topic_spec *spec,
                          struct kafka_topic_config wanted[KAFKA_TOPIC_CONFIGS_MAX])
{
    char number[32];
    size_t count = 0;
    want(wanted, &count, "cleanup.policy", spec->cleanup);
    if (spec->retention_ms >= 0) {
        snprintf(number, sizeof number, "%" PRId64, spec->retention_ms);
        want(wanted, &count, "retention.ms", number);
    }
    if (strcmp(spec->cleanup, "compact") == 0) {
        want(wanted, &count, "segment.bytes", COMPACT_SEGMENT_BYTES);
        want(wanted, &count, "min.cleanable.dirty.ratio", COMPACT_DIRTY_RATIO);
    }
    if (spec->append_time)
        want(wanted, &count, "message.timestamp.type", "LogAppendTime");
    if (spec->replication >= REPLICATION_SAFE)
        want(wanted, &count, "min.insync.replicas", IN_SYNC_SAFE);
    return count;
}

static MF_PRINTF(2, 3) void differs(struct mf_kafka_topic_report *report, const char *fmt, ...)
{
    size_t len = strlen(report->detail);
    va_list args;
    report->result = MF_KAFKA_TOPIC_DIFFERS;
    if (len > 0 && len + 2 < sizeof report->detail) {
        memcpy(report->detail + len, "; ", 3);
        len += 2;
    }
    va_start(args, fmt);
    vsnprintf(report->detail + len, sizeof report->detail - len, fmt, args);
    va_end(args);
}

void kafka_topic_found(const struct mf_kafka_topic_spec *spec, int32_t partitions, int replication,
                       struct mf_kafka_topic_report *report)
{
    report->partitions = partitions;
    if (partitions != spec->partitions)
        differs(report, "%d partitions instead of %d: set KAFKA_PARTITIONS=%d or make the topic anew",
                (int)partitions, (int)spec->partitions, (int)partitions);
    if (spec->replication > 0 && replication != spec->replication)
        differs(report, "%d replicas instead of %d: reassign the partitions", replication, spec->replication);
}

void kafka_topic_compare(const struct kafka_topic_config *wanted, const char *found,
                         struct mf_kafka_topic_report *report)
{
    if (found != NULL && strcmp(found, wanted->value) != 0)
        differs(report, "%s is %s, should be %s: alter it", wanted->name, found, wanted->value);
}

void kafka_topic_missing(struct mf_kafka_topic_report *report)
{
    report->result = MF_KAFKA_TOPIC_MISSING;
    snprintf(report->detail, sizeof report->detail, "does not exist: marketflowctl topics apply makes it");
}
