// SPDX-License-Identifier: Apache-2.0
// Kafka on the loop (librdkafka 2.0.2 behind it): producer (idempotent or transactional), group consumer,
// reader of whole topics, admin. eventfd wake-up, budgeted drain, back-pressure, delivery accounting,
// statistics into metrics. Facts and traps behind every choice: docs/kafka.md.
//
// Threads: every call and every callback is on the loop's thread. librdkafka's own threads never run our
// code. Ownership: handles are freed by _free, also from inside their own callbacks; no callback after it.
// Records given to produce are copied. Callbacks come from the loop, and where a blocking call says so from
// inside it.
// Failure classes: TRANSIENT (retriable, queue full), UNCERTAIN (a commit whose outcome is unknown), FATAL
// (fenced, fatal client error), CONFIG (refused configuration, wrong partition count).
#ifndef MF_KAFKA_H
#define MF_KAFKA_H

#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "settings.h"

// What every client needs: made once per process from mf_settings_table_kafka. Everything it points to must
// outlive the clients.
struct mf_kafka_config {
    struct mf_loop *loop;
    struct mf_log *log;
    struct mf_metrics *metrics;
    const struct mf_settings *settings;
    const char *client_id; // "marketflow-ingestor"
    const char *instance;  // instance id
    int follower_wait_ms;  // how long the fetch of an idle follower waits at the broker; 0 = half a second
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
    // For many records of which each needs no report: produce gathers them by partition and hands them to
    // librdkafka a request at a time, when it is full (1 MB), 100 ms old, or asked for (send, flush, commit);
    // and on_delivery tells of failures only, those included that produce would have answered itself
    // ("unknown_partition", fatal errors). The order per partition stays; a full queue is still produce's
    // answer.
    bool bulk;
    // Once per produced record, in order per partition; with bulk only for one that failed. May be NULL (then
    // failures are only counted and reported by mf_kafka_producer_failed). Never called from inside produce;
    // for a transactional producer also from inside flush, commit and abort.
    void (*on_delivery)(void *arg, const struct mf_kafka_delivery *delivery);
    // The queue passed 80 % of its limit (true) or fell below 50 % (false), in records or bytes
    // (KAFKA_QUEUE_MESSAGES, KAFKA_QUEUE_BYTES). Never called from inside produce. May be NULL.
    void (*on_pressure)(void *arg, bool high);
    // Reports or other news were served: outstanding and busy may answer otherwise than before. Once per turn
    // that had some, from the loop, and from inside flush. May be NULL.
    void (*on_progress)(void *arg);
    // A fatal client error (class FATAL): the handle is of no use any more. For a transactional producer:
    // free and make it again, unless the code is "fenced" (another process uses our id; the message names
    // it). A transaction that the cluster ended because it was open too long is "transaction_expired". Called
    // at most once; a call that has returned the same error before does not suppress it.
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

// transactional_id NULL = idempotent producer; else transactional (call mf_kafka_txn_init first).
int mf_kafka_producer_new(const struct mf_kafka_config *config, const char *transactional_id,
                          const struct mf_kafka_producer_ops *ops, struct mf_kafka_producer **producer,
                          struct mf_error *err);
// Drops what is queued (their deliveries are not reported) and destroys the handle: milliseconds, at most 5
// s.
void mf_kafka_producer_free(struct mf_kafka_producer **producer);

// Queues one record. TRANSIENT "queue_full": stop the intake until on_pressure(false); POISON
// "record_too_large" (1 000 000 bytes); TRANSIENT "unknown_partition"; FATAL else. A partition of -1 is
// mf_murmur2(key) modulo KAFKA_PARTITIONS, or 0 for a topic of one partition (topics.h): what Java clients
// do.
int mf_kafka_produce(struct mf_kafka_producer *producer, const struct mf_kafka_record *record, void *opaque,
                     struct mf_error *err);
// Bulk: hands over what has been gathered, partition by partition, as soon as nothing of it is on its way:
// when a transaction is to end, before waiting in the loop until nothing is outstanding. Else without effect.
// flush and commit do it by themselves, abort drops it.
void mf_kafka_producer_send(struct mf_kafka_producer *producer);
// Bulk: as much is gathered as the answers to what was handed over allow (2.5 MiB): wait for on_progress
// before more is produced. Nothing is refused for it; it keeps memory and the requests on their way few.
bool mf_kafka_producer_busy(struct mf_kafka_producer *producer);
// Gathered, queued, in flight, or acknowledged and not reported yet
size_t mf_kafka_producer_outstanding(const struct mf_kafka_producer *producer);
// Keys and values of these; bulk: by their mean size.
size_t mf_kafka_producer_outstanding_bytes(const struct mf_kafka_producer *producer);
bool mf_kafka_producer_pressure(const struct mf_kafka_producer *producer);
// Deliveries that failed since new/txn begin
uint64_t mf_kafka_producer_failed(const struct mf_kafka_producer *producer);
// At least one broker up: by the statistics, and between two of them by what was last acknowledged or lost
bool mf_kafka_producer_connected(const struct mf_kafka_producer *producer);

// Blocks until nothing is outstanding or timeout_ms is over (TRANSIENT "timeout"); on_delivery is called from
// inside. Only for seams that must finish before they return (a revoke); everywhere else wait in the loop.
int mf_kafka_producer_flush(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err);

// ---------------------------------------------------------------- transactions (blocking seams, documented
// and timed)
struct mf_kafka_consumer;

struct mf_kafka_offset {
    const char *topic;
    int32_t partition;
    int64_t offset; // next to read
};

// Aborts what this transactional id left behind and fences older instances. Blocks up to timeout_ms; work
// goes on in the background, and the call may be made again. TRANSIENT "timeout": call again, or make a new
// producer first: 2.0.2 looks for the coordinator every 500 ms, a new handle at once. So the quickest start
// is 30 ms, a new producer, 60 ms, and so on. FATAL "fenced", CONFIG "not_authorized".
int mf_kafka_txn_init(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err);
int mf_kafka_txn_begin(struct mf_kafka_producer *producer, struct mf_error *err);
// Adds the input offsets, with fresh group metadata of the consumer. Call when outstanding is 0. Blocks up to
// the transaction timeout. TRANSIENT: abort and rewind ("txn_abort", "stale_generation": the group has gone
// on without us, a rebalance will come), or call again with the same arguments ("retriable"). FATAL:
// "fenced", "transaction_expired" and others: as on_fatal.
int mf_kafka_txn_send_offsets(struct mf_kafka_producer *producer, struct mf_kafka_consumer *consumer,
                              const struct mf_kafka_offset *offsets, size_t count, struct mf_error *err);
// Commits; blocks up to the transaction timeout. UNCERTAIN "outcome_unknown": free and re-create the
// producer, then rewind to the committed offsets, which tell whether it happened. TRANSIENT "txn_abort":
// abort and rewind. FATAL "fenced": leave. Never called twice for one transaction.
int mf_kafka_txn_commit(struct mf_kafka_producer *producer, struct mf_error *err);
// Drops the transaction's records. Blocks up to the transaction timeout. After any error: free and re-create.
int mf_kafka_txn_abort(struct mf_kafka_producer *producer, struct mf_error *err);

// ---------------------------------------------------------------- consumer of a group
struct mf_kafka_message {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    bool append_time;    // the time stamp is the broker's (LogAppendTime), told by the follower only
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
    // The whole new assignment (eager protocol), maybe empty. The partitions start at the group's committed
    // offsets, or where the callback sets offsets[i].offset (>= 0). The topics are borrowed until the
    // revocation. Messages come only after the callback has returned. The callback may pause partitions; it
    // must not seek. May be NULL.
    void (*on_assign)(void *arg, struct mf_kafka_offset *offsets, size_t count);
    // Finish or abandon what is in flight for all partitions before returning (blocking seam). lost: they are
    // somebody else's already, nothing may be committed. May be NULL.
    void (*on_revoke)(void *arg, bool lost);
    // End of a partition reached (offset of the next message to come; read_committed: the end of what is
    // committed). Comes again after each time that something was there. May be NULL.
    void (*on_eof)(void *arg, const char *topic, int32_t partition, int64_t offset);
    // The committed or asked offset is outside the log: [low, high) is what there is. Returns the offset to
    // go on from, or -1 to fail with CONFIG "offset_out_of_range": a person must decide. May be NULL (=
    // fail).
    int64_t (*on_out_of_range)(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high);
    // FATAL: "fenced" (names group.instance.id), "no_offset" (see start_at_earliest), fatal client errors;
    // CONFIG "offset_out_of_range". At most once; no message follows.
    void (*on_fatal)(void *arg, const struct mf_error *err);
    void *arg;
};

struct mf_kafka_consumer_config {
    const char *group;         // "marketflow-processor"
    const char *const *topics; // NULL-terminated
    bool read_committed;
    bool start_at_earliest; // first start of a group; false = an absent offset is an error
    size_t turn_messages;   // budget per turn; 0 = 500. 5 ms end a turn too
};

int mf_kafka_consumer_new(const struct mf_kafka_config *config,
                          const struct mf_kafka_consumer_config *consumer_config,
                          const struct mf_kafka_consumer_ops *ops, struct mf_kafka_consumer **consumer,
                          struct mf_error *err);
// Starts leaving: on_revoke is called from the loop, then `closed`. Keep the loop running until then. As a
// static member we stay in the group's books until the session times out, so that a restart costs no
// rebalance.
void mf_kafka_consumer_close(struct mf_kafka_consumer *consumer, void (*closed)(void *arg), void *arg);
// Milliseconds, at most 5 s; closes hard, without on_revoke, if not closed
void mf_kafka_consumer_free(struct mf_kafka_consumer **consumer);

// Pausing is counted by us: pausing a paused or resuming a running partition is a no-op. The consumer keeps
// polling.
void mf_kafka_consumer_pause_all(struct mf_kafka_consumer *consumer);
void mf_kafka_consumer_resume_all(struct mf_kafka_consumer *consumer);
void mf_kafka_consumer_pause(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition);
void mf_kafka_consumer_resume(struct mf_kafka_consumer *consumer, const char *topic, int32_t partition);
// While held, no message is handed out and no rebalance is served; fetching goes on. For the milliseconds of
// a flush: cheaper than pausing, which throws the prefetched messages away. Nothing here bounds it: held for
// longer than KAFKA_MAX_POLL_INTERVAL_MS, the consumer leaves the group and its partitions go to others.
void mf_kafka_consumer_hold(struct mf_kafka_consumer *consumer, bool hold);
// Continues from these offsets; -1 = the group's committed ones (fetched, blocking up to 10 s), for a rewind
// after an aborted transaction; without a committed one, from where on_assign began, else from the earliest
// (start_at_earliest). Queued messages from before are discarded. TRANSIENT: nothing has moved
// ("not_assigned", "timeout", …); FATAL "no_offset".
int mf_kafka_consumer_seek(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                           size_t count, struct mf_error *err);
// The group's committed offsets of these partitions into offsets[].offset, -1 = none; nothing moves. What
// other transactions are still committing is waited for. Blocks up to 10 s. TRANSIENT "timeout", ….
int mf_kafka_consumer_committed(struct mf_kafka_consumer *consumer, struct mf_kafka_offset *offsets,
                                size_t count, struct mf_error *err);
// All assigned, to committed
int mf_kafka_consumer_rewind(struct mf_kafka_consumer *consumer, struct mf_error *err);
// Commits to the group without waiting (for lag tools); result only counted.
void mf_kafka_consumer_commit_async(struct mf_kafka_consumer *consumer, const struct mf_kafka_offset *offsets,
                                    size_t count);
// At least one broker up: by the statistics, and between two of them by what was last received or lost.
// Unlike joined, which stays true without any broker until the session times out.
bool mf_kafka_consumer_connected(const struct mf_kafka_consumer *consumer);
// The group or the client has given this consumer up for good: on_fatal was told, or comes. Partitions that
// are lost then are lost because of that, and not because the cluster was away.
bool mf_kafka_consumer_given_up(const struct mf_kafka_consumer *consumer);
// Records that were fetched and not handed out yet.
size_t mf_kafka_consumer_fetched(const struct mf_kafka_consumer *consumer);
// Has an assignment, maybe empty
bool mf_kafka_consumer_joined(const struct mf_kafka_consumer *consumer);
size_t mf_kafka_consumer_assigned(const struct mf_kafka_consumer *consumer);      // partitions
int64_t mf_kafka_consumer_last_poll_us(const struct mf_kafka_consumer *consumer); // monotonic
// End of an assigned partition as last seen; -1 = unknown. Standing at the end it equals the position
// (read_committed: also behind an open transaction); before that, it counts open transactions too.
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
    // TRANSIENT "stalled" after stall_ms without progress (names the offsets; an open transaction, a missing
    // topic, no broker), FATAL "log_truncated" and else. Called once, instead of on_done.
    void (*on_error)(void *arg, const struct mf_error *err);
    void *arg;
};
// Reads the whole topic from its beginning, without a group, read_committed.
int mf_kafka_reader_new(const struct mf_kafka_config *config, const char *topic, int64_t stall_ms,
                        const struct mf_kafka_reader_ops *ops, struct mf_kafka_reader **reader,
                        struct mf_error *err);
// Right after making it: begin at an offset of the first partition (0 = its beginning), to read on from where
// an earlier reader ended. From the beginning when the log does not reach that far.
void mf_kafka_reader_start_at(struct mf_kafka_reader *reader, int64_t offset);
// Right after making it: of every partition the records with a time stamp of from_ms (0 = all) and later
// (maybe some before), to the end that it has when a broker answers. For topics without transactions, also
// such as are written without pause. Once a broker answers, asking it for those places blocks up to a second
// and one more per partition; mostly a millisecond.
void mf_kafka_reader_since(struct mf_kafka_reader *reader, int64_t from_ms);
// Right after making it: read these partitions (at least one) instead of all. One that the topic does not
// have: CONFIG "partition_count" through on_error.
void mf_kafka_reader_choose(struct mf_kafka_reader *reader, const int32_t *partitions, size_t count);
// Offsets from where it stands to the ends that it found; -1 while those are not known. Compaction leaves
// gaps, so there may be fewer records.
int64_t mf_kafka_reader_remaining(const struct mf_kafka_reader *reader);
void mf_kafka_reader_free(struct mf_kafka_reader **reader);

// ---------------------------------------------------------------- follower: one partition, from a time on,
// for as long as it lives
struct mf_kafka_follower;
struct mf_kafka_follower_ops {
    // Every record in the order of the log; when the log does not reach back that far, or has been made anew,
    // from its beginning.
    void (*on_message)(void *arg, const struct mf_kafka_message *message);
    // All records that were there at some moment after the start have been handed over. Once.
    void (*on_current)(void *arg);
    // FATAL; once, nothing follows. A broker that is away is waited for.
    void (*on_error)(void *arg, const struct mf_error *err);
    void *arg;
};
// Reads partition 0 of the topic, without a group, read_uncommitted: the records with a time stamp of from_ms
// and later (maybe some before). Once a broker answers, asking it for that place blocks up to 1 s.
int mf_kafka_follower_new(const struct mf_kafka_config *config, const char *topic, int64_t from_ms,
                          const struct mf_kafka_follower_ops *ops, struct mf_kafka_follower **follower,
                          struct mf_error *err);
void mf_kafka_follower_free(struct mf_kafka_follower **follower); // also inside its callbacks

// ---------------------------------------------------------------- admin (blocking; for commands and start
// checks)
struct mf_kafka_topic_spec {
    const char *name;
    int32_t partitions;
    int replication;
    const char *cleanup;  // "delete", "compact"
    int64_t retention_ms; // -1 = leave out
    bool append_time;     // time stamps are the broker's: what is computed from them has one clock
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
// Creates what is missing when `apply`; never changes an existing topic; compares partitions, replication and
// configuration. Compacted topics are made with small segments and an early cleaner, three replicas with
// min.insync.replicas=2. Blocks up to timeout_ms. TRANSIENT "timeout", "broker_unavailable"; CONFIG when the
// cluster refuses.
int mf_kafka_topics(const struct mf_kafka_config *config, const struct mf_kafka_topic_spec *specs,
                    size_t count, bool apply, int timeout_ms, struct mf_kafka_topic_report *reports,
                    struct mf_error *err);
// Cluster id (copied, at most 63 bytes), for the sink's guard. Blocks up to timeout_ms.
int mf_kafka_cluster_id(struct mf_kafka_consumer *consumer, int timeout_ms, char out[64],
                        struct mf_error *err);
// Partition count of a topic. Blocks up to timeout_ms until it was answered once; afterwards it is what the
// statistics last told, so that partitions that are added later show. TRANSIENT "unknown_topic", "timeout",
// ….
int mf_kafka_partition_count(struct mf_kafka_producer *producer, const char *topic, int timeout_ms,
                             int32_t *count, struct mf_error *err);
const char *mf_kafka_version(void);

#endif
