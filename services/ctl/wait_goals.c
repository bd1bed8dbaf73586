// SPDX-License-Identifier: Apache-2.0
// What there is still to wait for. Pure. Failure class: CONFIG for a manifest that is about other logs.
#include "services/ctl/wait.h"

bool ctl_goal_is_reached(const struct ctl_goal *goal)
{
    return goal->end <= goal->low || goal->at >= goal->end;
}

size_t ctl_goals_behind(const struct ctl_goal *goals, size_t count, const struct ctl_goal **first,
                        uint64_t *left)
{
    size_t behind = 0;
    *left = 0;
    for (size_t i = 0; i < count; i++) {
        if (ctl_goal_is_reached(&goals[i]))
            continue;
        if (behind++ == 0)
            *first = &goals[i];
        int64_t at = goals[i].at > goals[i].low ? goals[i].at : goals[i].low;
        *left += (uint64_t)(goals[i].end - at);
    }
    return behind;
}

int ctl_manifest_check(const struct ctl_manifest_partition *partition, const char *const *inputs,
                       const struct mf_kafka_range *const *ranges, const size_t *counts, size_t input_count,
                       struct mf_error *err)
{
    size_t input = 0;
    while (input < input_count && strcmp(inputs[input], partition->topic) != 0)
        input++;
    if (input == input_count)
        return mf_error_set(err, MF_ERROR_CONFIG, "manifest_topic",
                            "%s is not a topic that the processor reads: the manifest belongs to other "
                            "KAFKA_TOPIC_RAW and KAFKA_TOPIC_RAW_BACKFILL",
                            partition->topic);
    if ((size_t)partition->partition >= counts[input])
        return mf_error_set(err, MF_ERROR_CONFIG, "manifest_partition", "%s has %zu partitions, no %d",
                            partition->topic, counts[input], (int)partition->partition);
    const struct mf_kafka_range *range = &ranges[input][partition->partition];
    if (partition->offset >= range->high)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "manifest_offset",
            "%s [%d] ends at offset %lld, below the manifest's %lld: it is of another cluster, "
            "or the topic was made anew",
            partition->topic, (int)partition->partition, (long long)range->high,
            (long long)partition->offset);
    return 0;
}
