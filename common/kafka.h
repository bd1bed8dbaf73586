// SPDX-License-Identifier: Apache-2.0
// Kafka on the loop (librdkafka 2.0.2 behind it): producer (idempotent or transactional), group consumer,
// reader of whole topics, admin. eventfd wake-up, budgeted drain, back-pressure, delivery accounting,
// statistics into metrics. Facts and traps behind every choice: docs/kafka.md.
//
// Threads: every call and every callback is on the loop's thread. librdkafka's own threads never run our
// code. Ownership: handles are freed by _free; no callback after it. Records given to produce are copied.
// Failure classes: TRANSIENT (retriable, queue full), UNCERTAIN (a commit whose outcome is unknown), FATAL
// (fenced, fatal client error), CONFIG (refused configuration, wrong partition count).
#ifndef MF_KAFKA_H
#define MF_KAFKA_H

#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "settings.h"

// What every client needs: made once per process from mf_settings_table_kafka.
struct mf_kafka_config {
    struct mf_loop *loop;
    struct mf_log *log;
    struct mf_metrics *metrics;
    const struct mf_settings *settings;
    const char *client_id; // "marketflow-ingestor"
    const char *instance;  // instance id
};

struct mf_kafka_header {
    const char *name;
    struct mf_str value;
};

// ---------------------------------------------------------------- producer
struct mf_kafka_producer;

struct mf_kafka_record {
    const char *topic;
    int32_t partition;   // -1 = murmur2 of the key, as Java clients
    struct mf_str key;   // absent = no key (then partition must be given)
    struct mf_str value; // absent = tombstone
    const struct mf_kafka_header *headers;
    size_t header_count;
};

struct mf_kafka_delivery {
    void *opaque; // as given to produce
    const char *topic;
    int32_t partition;
    int64_t offset;               // -1 when failed
    const struct mf_error *error; // NULL = acknowledged by all in-sync replicas
    size_t value_len;
};

struct mf_kafka_producer_ops {
    // Once per produced record, in order per partition. May be NULL (then failures are only counted and
    // reported by mf_kafka_producer_failed). Never called from inside produce.
    void (*on_delivery)(void *arg, const struct mf_kafka_delivery *delivery);
    // The queue passed 80 % of its limit (true) or fell below 50 % (false). May be NULL.
    void (*on_pressure)(void *arg, bool high);
    // A fatal client error (class FATAL): the handle is of no use any more. For a transactional producer:
    // free and make it again, unless the code is "fenced".
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

// transactional_id NULL = idempotent producer; else transactional (call mf_kafka_txn_init first).
int mf_kafka_producer_new(const struct mf_kafka_config *config, const char *transactional_id,
                          const struct mf_kafka_producer_ops *ops, struct mf_kafka_producer **producer,
                          struct mf_error *err);
// Purges what is queued (their deliveries are not reported) and destroys the handle, bounded in time.
void mf_kafka_producer_free(struct mf_kafka_producer **producer);

// Queues one record. TRANSIENT "queue_full": stop the intake until on_pressure(false); POISON
// "record_too_large"; TRANSIENT "unknown_partition"; FATAL else.
int mf_kafka_produce(struct mf_kafka_producer *producer, const struct mf_kafka_record *record, void *opaque,
                     struct mf_error *err);
// Queued or in flight, unserved reports too
size_t mf_kafka_producer_outstanding(const struct mf_kafka_producer *producer);
bool mf_kafka_producer_pressure(const struct mf_kafka_producer *producer);
// Deliveries that failed since new/txn begin
uint64_t mf_kafka_producer_failed(const struct mf_kafka_producer *producer);
// At least one broker up (statistics)
bool mf_kafka_producer_connected(const struct mf_kafka_producer *producer);
// Serves delivery reports now (also done from the loop by itself). Bounded by the turn budget.
void mf_kafka_producer_serve(struct mf_kafka_producer *producer);

// Blocks until nothing is outstanding or timeout_ms is over (TRANSIENT "timeout"); on_delivery is called from inside. Only
// for seams that must finish before they return (a revoke); everywhere else wait in the loop.
int mf_kafka_producer_flush(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err);

// ---------------------------------------------------------------- transactions (blocking seams, documented
// and timed)
struct mf_kafka_consumer;

struct mf_kafka_offset {
    const char *topic;
    int32_t partition;
    int64_t offset; // next to read
};

// Aborts what this transactional id left behind and fences older instances. Blocks up to timeout_ms.
// TRANSIENT "timeout" (try again, better with a new producer), FATAL "fenced".
int mf_kafka_txn_init(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err);
int mf_kafka_txn_begin(struct mf_kafka_producer *producer, struct mf_error *err);
// Adds the input offsets, with fresh group metadata of the consumer. Call when outstanding is 0.
// TRANSIENT (abort and rewind: code "txn_abort"; retry the call: "retriable"), FATAL ("fenced",
// "stale_generation"…).
int mf_kafka_txn_send_offsets(struct mf_kafka_producer *producer, struct mf_kafka_consumer *consumer,
                              const struct mf_kafka_offset *offsets, size_t count, struct mf_error *err);
// Commits with -1 (until the transaction timeout). UNCERTAIN: free and re-create the producer, then rewind to
// the committed offsets. TRANSIENT "txn_abort": abort and rewind. FATAL: leave.
int mf_kafka_txn_commit(struct mf_kafka_producer *producer, struct mf_error *err);
int mf_kafka_txn_abort(struct mf_kafka_producer *producer, struct mf_error *err); // UNCERTAIN as above

// ---------------------------------------------------------------- consumer of a group
struct mf_kafka_message {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct mf_str key;   // absent when null
    struct mf_str value; // absent when null
    const void *native;  // for mf_kafka_message_header
};
// The last header of that name; absent when there is none.
struct mf_str mf_kafka_message_header(const struct mf_kafka_message *message, const char *name);

enum mf_consume {
    MF_CONSUME_NEXT, // go on with the turn
    MF_CONSUME_STOP  // this message is taken, but end the turn now
};

struct mf_kafka_consumer_ops {
    enum mf_consume (*on_message)(void *arg, const struct mf_kafka_message *message);
    // After each turn in which at least one message came (batch boundaries for flush decisions). May be NULL.
    void (*on_turn_end)(void *arg);
    // The whole new assignment (eager protocol). Partitions are assigned, at the group's committed offsets or
    // at `start` of each offset after the callback: the callback may set offsets[i].offset (>= 0) to start
    // elsewhere, or leave -1 for the committed one. Messages come only after the callback has returned. May
    // pause partitions afterwards.
    void (*on_assign)(void *arg, struct mf_kafka_offset *offsets, size_t count);
    // Finish or abandon what is in flight for all partitions before returning (blocking seam). lost: they are
    // somebody else's already, nothing may be committed.
    void (*on_revoke)(void *arg, bool lost);
    // End of a partition reached (offset of the next message to come). May be NULL.
    void (*on_eof)(void *arg, const char *topic, int32_t partition, int64_t offset);
    // The committed or asked offset is outside the log: [low, high) is what there is. Returns the offset to
    // go on from, or -1 to fail with FATAL "offset_out_of_range". May be NULL (= fail).
    int64_t (*on_out_of_range)(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high);
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

struct mf_kafka_consumer_config {
    const char *group;         // "marketflow-processor"
    const char *const *topics; // NULL-terminated
    bool read_committed;
    bool start_at_earliest; // first start of a group; false = an absent offset is an error
    size_t turn_messages;   // budget per turn; 0 = 500
};

int mf_kafka_consumer_new(const struct mf_kafka_config *config,
                          const struct mf_kafka_consumer_config *consumer_config,
                          const struct mf_kafka_consumer_ops *ops, struct mf_kafka_consumer **consumer,
                          struct mf_error *err);
// Starts leaving: on_revoke is called from the loop, then `closed`. Keep the loop running until then.
void mf_kafka_consumer_close(struct mf_kafka_consumer *consumer, void (*closed)(void *arg), void *arg);
// Bounded in time; closes hard if not closed
void mf_kafka_consumer_free(struct mf_kafka_consumer **consumer);

// Pausing is counted by us: pausing a paused or resuming a running partition is a no-op. The consumer keeps
// polling.
void mf_kafka_consumer_pause_all(struct mf_kafka_consumer *consumer);
void mf_kafka_consumer_resume_all(struct mf_kafka_consumer *consumer);
void mf_kafka_consumer_pause(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition);
void mf_kafka_consumer_resume(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition);
// While held, no message is handed out and no rebalance is served; fetching goes on. For the milliseconds of a flush:
// cheaper than pausing, which throws the prefetched messages away. Asserted to be shorter than the poll interval by whoever
// holds.
void mf_kafka_consumer_hold(struct mf_kafka_consumer *consumer, bool hold);
// Continues from these offsets; -1 = the group's committed ones (fetched, blocking up to 10 s), for a rewind
// after an aborted transaction. Queued messages from before are discarded.
int mf_kafka_consumer_seek(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                           size_t count, struct mf_error *err);
// All assigned, to committed
int mf_kafka_consumer_rewind(struct mf_kafka_consumer *consumer, struct mf_error *err);
// Commits to the group without waiting (for lag tools); result only counted.
void mf_kafka_consumer_commit_async(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                                    size_t count);
// Has an assignment, maybe empty
bool mf_kafka_consumer_joined(const struct mf_kafka_consumer *consumer);
size_t mf_kafka_consumer_assigned(const struct mf_kafka_consumer *consumer);      // partitions
int64_t mf_kafka_consumer_last_poll_us(const struct mf_kafka_consumer *consumer); // monotonic
// High watermark of an assigned partition as last seen (read_committed: last stable offset); -1 = unknown.
int64_t mf_kafka_consumer_high_watermark(const struct mf_kafka_consumer *consumer, const char *topic,
                                         int32_t partition);
// Next to be handed out
int64_t mf_kafka_consumer_position(const struct mf_kafka_consumer *consumer, const char *topic,
                                   int32_t partition);
// Leaves and joins the group again (after losing a fence): partitions come back through on_assign.
void mf_kafka_consumer_rejoin(struct mf_kafka_consumer *consumer);

// ---------------------------------------------------------------- reader: a topic (or partitions) from
// offset to its end
struct mf_kafka_reader;
struct mf_kafka_reader_ops {
    void (*on_message)(void *arg, const struct mf_kafka_message *message);
    // All partitions read to the high watermarks found at the start. Called once.
    void (*on_done)(void *arg);
    // TRANSIENT "stalled" after stall_ms without progress, FATAL else
    void (*on_error)(void *arg, const struct mf_error *err);
    void *arg;
};
// Reads the whole topic from its beginning, without a group, read_committed.
int mf_kafka_reader_new(const struct mf_kafka_config *config, const char *topic, int64_t stall_ms,
                        const struct mf_kafka_reader_ops *ops, struct mf_kafka_reader **reader,
                        struct mf_error *err);
void mf_kafka_reader_free(struct mf_kafka_reader **reader);

// ---------------------------------------------------------------- admin (blocking; for commands and start
// checks)
struct mf_kafka_topic_spec {
    const char *name;
    int32_t partitions;
    int replication;
    const char *cleanup;  // "delete", "compact"
    int64_t retention_ms; // -1 = leave out
};
enum mf_kafka_topic_result {
    MF_KAFKA_TOPIC_CREATED,
    MF_KAFKA_TOPIC_EXISTS,
    MF_KAFKA_TOPIC_DIFFERS,
    MF_KAFKA_TOPIC_MISSING
};
struct mf_kafka_topic_report {
    enum mf_kafka_topic_result result;
    int32_t partitions; // as found
    char detail[200];   // what differs, and the remedy
};
// Creates what is missing when `apply`; never changes an existing topic's partition count; compares
// configuration.
int mf_kafka_topics(const struct mf_kafka_config *config, const struct mf_kafka_topic_spec *specs,
                    size_t count, bool apply, int timeout_ms, struct mf_kafka_topic_report *reports,
                    struct mf_error *err);
// Cluster id (copied, at most 63 bytes), for the sink's guard. Blocks up to timeout_ms.
int mf_kafka_cluster_id(struct mf_kafka_consumer *consumer, int timeout_ms, char out[64],
                        struct mf_error *err);
// Partition count of a topic, -1 when unknown yet; non-blocking after the first metadata answer.
int mf_kafka_partition_count(struct mf_kafka_producer *producer, const char *topic, int timeout_ms,
                             int32_t *count, struct mf_error *err);
const char *mf_kafka_version(void);

#endif
