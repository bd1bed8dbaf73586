// SPDX-License-Identifier: Apache-2.0
// Shared by the files of the engine only.
#ifndef PRC_ENGINE_PRIVATE_H
#define PRC_ENGINE_PRIVATE_H

#include "common/backoff.h"
#include "services/processor/engine.h"

// A healthy coordinator answers in a few ms; librdkafka 2.0.2 itself retries only every 500 ms, so that
// giving up early and starting a new producer is quicker (0.57 s → 0.1 s after a kill).
#define PRC_INIT_TIMEOUT_FIRST_MS 30

enum prc_engine_state {
    PRC_ENGINE_CONNECTING, // no usable producer yet (start, or after an outcome that is not known)
    PRC_ENGINE_REWINDING,  // aborted; the consumer has to go back to what is committed
    PRC_ENGINE_IDLE,       // no transaction open
    PRC_ENGINE_OPEN,       // collecting records
    PRC_ENGINE_FLUSHING,   // intake held until every output is acknowledged
    PRC_ENGINE_CLOSING,    // leaving the group
    PRC_ENGINE_CLOSED
};

// Progress of one input partition within the open transaction.
struct prc_progress {
    char *topic; // owned
    int32_t partition;
    int64_t next;   // offset after the last folded record; -1 = none since the assignment
    bool in_txn;    // part of the open transaction
    bool backfill;  // of market.raw.backfill
    bool held_back; // paused because the live feed is behind
};

struct prc_engine {
    struct mf_service *service;
    struct mf_kafka_config kafka;
    struct prc_rule_config rules;
    struct prc_fold *fold;
    struct mf_kafka_producer *producer;
    struct mf_kafka_consumer *consumer;
    const char *topics[MF_TOPIC_MAX]; // names by role
    const char *inputs[3];
    char *group, *transactional_id;

    enum prc_engine_state state;
    struct prc_progress *progress;
    size_t progress_count;
    // The open transaction.
    size_t txn_records, txn_bytes;
    int32_t fold_partition;    // of the record at hand: outputs go to the same one
    bool txn_failed;           // an output could not be queued or delivered: abort
    struct mf_error txn_error; // why, when txn_failed
    bool outcome_unknown;      // the last commit may or may not have happened

    int64_t commit_ms;
    size_t commit_records, commit_bytes;
    int32_t partitions;
    bool reset_earliest;
    bool draining, partitions_checked;
    int init_timeout_ms;
    unsigned aborts; // in a row, without a commit in between

    struct mf_timer *commit_timer;  // low rate: commit commit_ms after the first record
    struct mf_timer *flush_timer;   // looks whether the queue is empty, 0.5 ms apart
    struct mf_timer *retry_timer;   // connect and rewind again
    struct mf_timer *balance_timer; // backfill waits for live, once a second
    struct mf_deferred *commit_now; // the last delivery report came
    struct mf_backoff backoff;
    struct mf_error last_error; // for readiness; class MF_ERROR_CLASS_MAX = none

    struct mf_metric *events[MF_EVENT_TYPE_MAX][PRC_RESULT_MAX];
    struct mf_metric *folding[MF_EVENT_TYPE_MAX], *age[MF_EVENT_TYPE_MAX];
    struct mf_metric *txn_committed, *txn_aborted, *txn_unknown, *txn_size, *commit_block, *cold;
};

// engine_txn.c
void prc_engine_connect(void *arg); // retry_timer, state CONNECTING
void prc_engine_begin_flush(struct prc_engine *engine);
void prc_engine_abort(struct prc_engine *engine);
// Revoke: ends the open transaction before it returns, by commit or abort, or leaves it to a new producer.
void prc_engine_settle(struct prc_engine *engine, bool lost);
void prc_engine_try_commit(void *arg); // flush_timer, commit_now
void prc_engine_commit_due(void *arg); // commit_timer
int prc_engine_begin(struct prc_engine *engine);
// engine_output.c
void prc_engine_emit(void *arg, const struct prc_output *output);
// engine_metrics.c
void prc_engine_metrics_init(struct prc_engine *engine);
// engine.c
int prc_engine_check_partitions(struct prc_engine *engine, struct mf_error *err);
int prc_engine_join(struct prc_engine *engine, struct mf_error *err); // makes the consumer once
// For as long as there is no usable transaction: nothing is fetched, the group keeps being polled.
void prc_engine_stop_intake(struct prc_engine *engine);
void prc_engine_start_intake(struct prc_engine *engine);
void prc_engine_after_commit(struct prc_engine *engine); // leaves now when draining
struct prc_progress *prc_engine_progress(struct prc_engine *engine, const char *topic, int32_t partition);
void prc_engine_retry(struct prc_engine *engine, const struct mf_error *err, const char *doing);

#endif
