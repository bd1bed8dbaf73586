// SPDX-License-Identifier: Apache-2.0
// Between the files of marketflowctl dlq replay: the run's state, and its transactions.
#ifndef CTL_DLQ_REPLAY_H
#define CTL_DLQ_REPLAY_H

#include "common/kafka_offsets.h"
#include "services/ctl/letter.h"

// One partition of the dead-letter topic.
struct ctl_replay_partition {
    int64_t end;     // the run goes up to here
    int64_t done;    // committed: the next letter to look at
    int64_t pending; // the same after the open transaction; -1 = it has none of this partition
};

struct ctl_replay_run {
    const struct mf_settings *settings;
    struct ctl_kafka kafka;
    struct ctl_letter_filter filter;
    char run[72], group[256];
    bool dry_run;
    int64_t batch;
    const char *topic; // of dead letters
    struct ctl_replay_partition *partitions;
    size_t partition_count;
    struct mf_json *json, *raw_json;
    struct mf_event *event, *raw_event;
    unsigned char *raw;

    struct mf_kafka_producer *producer;
    struct mf_kafka_consumer *consumer;
    struct mf_deferred *commit;
    bool open;           // a transaction
    uint64_t open_count; // records in it
    uint64_t open_by[CTL_REPLAY_MAX], open_other;
    uint64_t by[CTL_REPLAY_MAX], other; // committed: by what became of them; those that did not fit
    struct ctl_progress progress;
    struct mf_error *err;
    bool failed;
};

// Letters that there still are to look at.
int64_t ctl_replay_left(const struct ctl_replay_run *run);
// Ends the run: with an error, or without.
void ctl_replay_stop(struct ctl_replay_run *run, const struct mf_error *err);

// ---- transactions (dlq_replay_txn.c)

// Judges a letter, and puts its record into the open transaction where it is to be replayed. -1: the run
// ends.
int ctl_replay_take(struct ctl_replay_run *run, const struct mf_kafka_message *message, struct mf_error *err);
// Records and position, in one.
int ctl_replay_commit(struct ctl_replay_run *run, struct mf_error *err);
// The partitions are taken from us: nothing of the open transaction has happened.
void ctl_replay_abort(struct ctl_replay_run *run);

#endif
