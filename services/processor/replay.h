// SPDX-License-Identifier: Apache-2.0
// The fold over a file of events: no broker, no clock. `replay` prints what would be published, `explain` why
// a rule fired or did not. PLAIN commands: exit 0, 75 when reading or writing failed, 78 for usage and
// settings.
#ifndef PRC_REPLAY_H
#define PRC_REPLAY_H

#include "common/service.h"
#include "services/processor/fold.h"

int prc_run_replay(struct mf_service *service, int argc, char **argv);
int prc_run_explain(struct mf_service *service, int argc, char **argv);

// Shared by the two: every line of the file, folded in order. Events of market.raw and of market.raw.backfill
// each have a partition of their own, chosen by the lane.
struct prc_replay_config {
    const char *path; // "-" = standard input
    const char *lane; // NULL = every lane
    prc_emit_fn emit;
    void *arg;
    // Looks at an event right before it is folded; may be NULL. False ends the replay.
    bool (*before)(void *arg, const struct mf_event *event);
};
struct prc_replay_counts {
    uint64_t lines, folded, other_lanes, completed; // completed: events that were given their event_id
};
int prc_replay_file(struct prc_fold *fold, const struct prc_replay_config *config,
                    struct prc_replay_counts *counts, struct mf_error *err);

#endif
