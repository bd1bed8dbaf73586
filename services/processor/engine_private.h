// SPDX-License-Identifier: Apache-2.0
// Shared by the files of the engine only.
#ifndef PRC_ENGINE_PRIVATE_H
#define PRC_ENGINE_PRIVATE_H

#include "common/backoff.h"
#include "common/kafka_fence.h"
#include "services/processor/engine.h"
#include "services/processor/recovery.h"
#include "services/processor/snapshots.h"

// A healthy coordinator answers in a few ms; librdkafka 2.0.2 itself retries only every 500 ms, so that
// giving up early and starting a new producer is quicker (0.57 s → 0.1 s after a kill).
#define PRC_INIT_TIMEOUT_FIRST_MS 30

enum prc_engine_state {
    PRC_ENGINE_CONNECTING, // no usable producer yet (start, or after an outcome that is not known)
    PRC_ENGINE_RESTORING,  // some partition's state is being read back: enum prc_restore_step
    PRC_ENGINE_IDLE,       // no transaction open
    PRC_ENGINE_OPEN,       // collecting records
    PRC_ENGINE_FLUSHING,   // intake held until every output is acknowledged
    PRC_ENGINE_CLOSING,    // leaving the group
    PRC_ENGINE_CLOSED
};

enum prc_restore_step {
    PRC_RESTORE_WAIT,     // the retry timer begins it again
    PRC_RESTORE_READ,     // the changelog
    PRC_RESTORE_POSITION, // the committed offsets, then back to the floors
    PRC_RESTORE_REPLAY    // input from the floors to the committed offsets
};

enum prc_phase {
    PRC_PHASE_EMPTY,  // the state has to be restored
    PRC_PHASE_REPLAY, // it is as of the floor
    PRC_PHASE_READY   // it is as of `next`
};

// One input partition of ours.
struct prc_assigned {
    char *topic; // owned
    enum mf_topic_role role;
    int32_t number;
    enum prc_phase phase;
    struct prc_partition *state; // NULL while EMPTY
    struct prc_history history;  // of its clocks
    int64_t next;                // offset after the last folded record; -1 = nothing was ever committed
    int64_t floor, committed;    // where its replay begins and ends; floor: of the last record, later
    int64_t low;                 // the log began here when an offset below it was asked for and given up
    int64_t ended_us;            // monotonic: the replay met the log's end below `committed`; 0 = it has not
    int64_t floor_ms;            // Kafka's time of the first record replayed; 0 = none
    bool in_txn;                 // part of the open transaction
    bool held_back;              // backfill, paused because the live feed is behind
    bool old_floor_told;
    bool rebuilt;      // made again from input; what is stored of it is still the old
    bool offsets_gone; // rebuilt, and the group has no offset of it
    // The rules record on the changelog: its hash (has_rules), and the rules while they are replayed with.
    bool has_rules;
    uint64_t rules;
    int64_t rules_from; // the present rules fold from this offset on
    struct prc_recovered recovered;
};

struct prc_restore {
    enum prc_restore_step step;
    struct mf_kafka_reader *reader;
    struct prc_recovery *recovery;
    int64_t began_us, told_us;
    uint64_t records, replayed, told;
    size_t cells, partitions;
    unsigned mismatches; // in a row: offsets of the group and of the changelog that differ
};

struct prc_engine {
    struct mf_service *service;
    struct mf_kafka_config kafka;
    struct mf_calendar *calendar;
    struct prc_fold_config config;
    struct prc_fold *fold;
    const struct prc_rule_config *fold_rules; // those that the fold has now
    uint64_t rules, shape;                    // hashes of the present ones
    struct mf_kafka_producer *producer;
    struct mf_kafka_consumer *consumer;
    const char *topics[MF_TOPIC_MAX]; // names by role
    const char *inputs[3];
    char *group, *transactional_id;

    enum prc_engine_state state;
    struct prc_assigned *assigned;
    size_t assigned_count, hint; // place of the last look-up
    struct prc_restore restore;
    struct prc_changelog changelog;
    // The open transaction.
    size_t txn_records, txn_bytes;
    size_t txn_cells;          // whose snapshots are in it: stored when it is committed
    int64_t txn_begin_us;      // monotonic
    int32_t fold_partition;    // of the record at hand: outputs go to the same one
    int64_t full_us;           // waited for a full queue within the transaction
    bool waiting;              // for answers before more is folded: the consumer is held
    bool sending;              // waits for the queue: what is told meanwhile finds a record half folded
    bool txn_failed;           // an output could not be queued or delivered: abort
    struct mf_error txn_error; // why, when txn_failed
    bool settling;           // every dirty cell is to be stored before the input goes on, or before we leave
    int64_t settle_until_us; // monotonic; when leaving

    int64_t commit_ms, snapshot_interval_us, restore_stall_ms;
    size_t commit_records, commit_bytes, max_cells;
    int32_t partitions;
    bool reset_earliest, rebuild;
    bool draining;
    int init_timeout_ms;
    unsigned init_tries; // since the last producer that worked
    unsigned aborts;     // in a row, without a commit in between
    struct mf_kafka_fence fence;
    int64_t state_bytes_us; // when they were last counted
    size_t ticks;           // of balance_timer

    struct mf_timer *commit_timer; // low rate: commit commit_ms after the first record
    struct mf_timer *retry_timer;  // connect or restore again
    struct mf_timer
        *balance_timer; // once a second: backfill waits for live, snapshots that are due, progress
    struct mf_deferred *commit_now; // answers came: perhaps the last
    struct mf_backoff backoff;
    struct mf_error last_error; // for readiness; class MF_ERROR_CLASS_MAX = none

    struct mf_metric *events[MF_EVENT_TYPE_MAX][PRC_RESULT_MAX];
    struct mf_metric *folding[MF_EVENT_TYPE_MAX], *age[MF_EVENT_TYPE_MAX];
    struct mf_metric *txn_committed, *txn_aborted, *txn_unknown, *txn_size, *commit_block, *cold;
    struct mf_metric *restore_seconds, *restored_cells, *replayed_records;
};

// engine.c
int prc_engine_join(struct prc_engine *engine, struct mf_error *err); // makes the consumer once
// For as long as there is no usable transaction: nothing is fetched, the group keeps being polled.
void prc_engine_stop_intake(struct prc_engine *engine);
void prc_engine_start_intake(struct prc_engine *engine);
void prc_engine_leave(struct prc_engine *engine); // the group, then the process
void prc_engine_retry(struct prc_engine *engine, const struct mf_error *err, const char *doing);
void prc_engine_retry_due(void *arg); // retry_timer
// CONFIG when a topic's partition count is not KAFKA_PARTITIONS. Blocks up to timeout_ms for each topic that
// has not been asked about yet.
int prc_engine_check_partitions(struct prc_engine *engine, int timeout_ms, struct mf_error *err);

// engine_input.c
struct mf_kafka_consumer_ops prc_engine_consumer_ops(struct prc_engine *engine);
struct prc_assigned *prc_engine_assigned(struct prc_engine *engine, const char *topic, int32_t partition);
void prc_engine_forget(struct prc_engine *engine);     // every assigned partition
void prc_assigned_drop(struct prc_assigned *assigned); // its state: EMPTY
// One record into the partition's state and clocks; emit NULL: a replay.
void prc_engine_fold(struct prc_engine *engine, struct prc_assigned *assigned,
                     const struct mf_kafka_message *message, prc_emit_fn emit);
void prc_engine_balance(struct prc_engine *engine); // backfill waits for live

// engine_txn.c
void prc_engine_connect(struct prc_engine *engine); // state CONNECTING
int prc_engine_begin(struct prc_engine *engine);
void prc_engine_begin_flush(struct prc_engine *engine);
// Revoke: ends the open transaction before it returns, by commit or abort, or leaves it to a new producer.
void prc_engine_settle(struct prc_engine *engine, bool lost);
void prc_engine_try_commit(void *arg);              // commit_now
void prc_engine_commit_due(void *arg);              // commit_timer
void prc_engine_trouble(struct prc_engine *engine); // the cluster is away or slow
bool prc_engine_forgives(struct prc_engine *engine, const struct mf_error *err);

// engine_changelog.c
// The transaction's own records: snapshots, tombstones, partition records. -1: abort.
int prc_engine_store(struct prc_engine *engine, struct mf_error *err);
bool prc_engine_snapshot_due(const struct prc_engine *engine); // some cell waits for longer than it may
size_t prc_engine_dirty(const struct prc_engine *engine);      // cells
// Transactions of snapshots alone until no cell is dirty. False when there is nothing to do.
bool prc_engine_store_all(struct prc_engine *engine);
int prc_engine_put(void *arg, int32_t number, struct mf_str key, struct mf_str value, struct mf_error *err);

// engine_restore.c
// Reads back the state of every EMPTY partition; goes to IDLE, at once when there is none.
void prc_restore_begin(struct prc_engine *engine);
void prc_restore_go_on(struct prc_engine *engine); // by the retry timer
void prc_restore_stop(struct prc_engine *engine);  // revoked, or leaving
enum mf_consume prc_restore_message(struct prc_engine *engine, const struct mf_kafka_message *message);
void prc_restore_eof(struct prc_engine *engine, const char *topic, int32_t partition, int64_t offset);
// The floor is not in the log. Where to go on, or -1.
int64_t prc_restore_out_of_range(struct prc_engine *engine, struct prc_assigned *assigned, int64_t low,
                                 int64_t high);
void prc_restore_progress(struct prc_engine *engine); // once a second
void prc_restore_describe(const struct prc_engine *engine, char *text, size_t size);
int64_t prc_restore_remaining(const struct prc_engine *engine);

// engine_output.c
void prc_engine_emit(void *arg, const struct prc_output *output);
// engine_metrics.c
void prc_engine_metrics_init(struct prc_engine *engine);
// How long ago the input at the floor was read, 0 = there is nothing to replay.
double prc_assigned_floor_age_seconds(const struct prc_assigned *assigned);

#endif
