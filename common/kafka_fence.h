// SPDX-License-Identifier: Apache-2.0
// Whose fence is it? A process is fenced when another one takes its instance id. But soon after the cluster
// was away it is our own doing as a rule: a request of a member or producer that we have given up since is
// served late, after its successor's. Then the client begins anew; a few times, because two processes with
// one id would look the same, and one of them has to leave (exit 70; the supervisor's start limit ends the
// contest).
//
// Pure; time comes in, monotonic. Failure classes: none of its own.
#ifndef MF_KAFKA_FENCE_H
#define MF_KAFKA_FENCE_H

#include "common/error.h"
#include "common/settings.h"

struct mf_kafka_fence {
    int64_t window_us; // how long after trouble a fence is put down to it
    bool worked; // the group has taken us: before that there is nothing of ours to be taken for another's
    int64_t trouble_us; // the cluster was last away or slow; 0 = never
    unsigned forgiven;  // fences put down to that, since the last quiet time or lost session
};

// The window is two sessions and a transaction's time-out, as the KAFKA_* settings have them.
void mf_kafka_fence_init(struct mf_kafka_fence *fence, const struct mf_settings *settings);
void mf_kafka_fence_worked(struct mf_kafka_fence *fence); // partitions were assigned
void mf_kafka_fence_trouble(struct mf_kafka_fence *fence, int64_t now_us);
// The group did not hear from us for a session's length, and no other process is why.
void mf_kafka_fence_session_lost(struct mf_kafka_fence *fence, int64_t now_us);
void mf_kafka_fence_quiet(struct mf_kafka_fence *fence, int64_t now_us); // all goes well
// Is the error a fence that is our own doing? Counts it.
bool mf_kafka_fence_forgives(struct mf_kafka_fence *fence, const struct mf_error *err, int64_t now_us);

#endif
