// SPDX-License-Identifier: Apache-2.0
// marketflowctl wait, between its files and tests: what there is still to wait for. Pure.
#ifndef CTL_WAIT_H
#define CTL_WAIT_H

#include "common/kafka_offsets.h"
#include "services/ctl/manifest.h"
#include "services/ctl/warehouse.h"

// A log's end that somebody's offset must reach.
struct ctl_goal {
    const char *topic;
    int32_t partition;
    int64_t low, end; // equal: there is nothing to wait for
    int64_t at;       // -1 = unknown, or never begun
};

bool ctl_goal_is_reached(const struct ctl_goal *goal);
// How many are not reached; *first: one of them. *left: offsets to go, over all.
size_t ctl_goals_behind(const struct ctl_goal *goals, size_t count, const struct ctl_goal **first,
                        uint64_t *left);
// Is the manifest about these topics and logs? CONFIG "manifest_topic" (not an input of the processor),
// "manifest_partition", "manifest_offset" (beyond the log: another cluster, or a topic made anew).
int ctl_manifest_check(const struct ctl_manifest_partition *partition, const char *const *inputs,
                       const struct mf_kafka_range *const *ranges, const size_t *counts, size_t input_count,
                       struct mf_error *err);

#endif
