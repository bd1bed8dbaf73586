// SPDX-License-Identifier: Apache-2.0
// Inside of the Kafka wrapper: the producer, shared by kafka_producer.c, kafka_gather.c and kafka_txn.c.
#ifndef MF_KAFKA_PRODUCER_H
#define MF_KAFKA_PRODUCER_H

#include "kafka_client.h"

// A topic that was produced to or asked about; librdkafka's topic points back here.
struct kafka_topic {
    char *name;
    struct rd_kafka_topic_s *native;
    int32_t partitions;                       // by the settings: what a key is mapped to
    int32_t found;                            // by the cluster; -1 = not asked yet
    struct mf_metric *messages[2], *bytes[2]; // [delivered ok]
    struct mf_metric *seconds;
    // A bulk producer: by partition, NULL where none was needed; and what is not in the metrics yet.
    struct kafka_lane **lanes;
    size_t lane_count;
    uint64_t sent, sent_bytes, lost, lost_bytes; // handed over since all was acknowledged; of these, failed
};

// What a bulk producer has taken and librdkafka has not (kafka_gather.c).
struct kafka_gather {
    struct kafka_lane **waiting; // that have records, in no order
    size_t waiting_count, waiting_capacity;
    size_t records, bytes;         // in all of them
    size_t on_its_way;             // records of all lanes: handed over and not answered
    struct kafka_block *spare;     // blocks that were needed before
    size_t held;                   // bytes of keys and values in blocks, gathered or not answered
    struct kafka_refusal *refused; // librdkafka would not have them, and the owner was not told yet
    size_t refused_count, refused_told, refused_capacity;
    uint64_t sent, sent_bytes; // handed over since all was acknowledged
    int64_t begin_us;          // monotonic, of the first of these
    struct mf_timer *timer;
};

struct mf_kafka_producer {
    struct kafka_client client;
    struct mf_kafka_producer_ops ops;
    struct mf_deferred *announce; // tells about pressure outside of produce
    struct kafka_topic **topics;
    size_t topic_count;
    char *transactional_id;                // NULL: idempotent
    struct kafka_gather gather;            // a bulk producer's
    size_t outstanding, outstanding_bytes; // produced and not reported yet; not of a bulk producer
    size_t limit, limit_bytes;
    uint64_t failed;
    bool pressure;                 // what is
    bool pressure_told;            // what the owner knows
    int64_t txn_begin_us;          // monotonic, of the last transaction that was not ended; 0 = none
    bool txn_open;                 // it is begun, and its end was not tried, or was refused with "abort it"
    struct rd_kafka_op_s *reports; // a batch that the turn's budget cut
};

// A call that serves reports: the producer is not destroyed until the outermost one has left.
void kafka_producer_enter(struct mf_kafka_producer *producer);
void kafka_producer_leave(struct mf_kafka_producer *producer);

// The queue is beyond its mark, or full: the owner is told from the loop.
void kafka_producer_check_pressure(struct mf_kafka_producer *producer);
void kafka_producer_raise_pressure(struct mf_kafka_producer *producer);
// Tells a record that was not delivered; without effect once the producer is dying.
void kafka_producer_tell_failure(struct mf_kafka_producer *producer, const struct mf_kafka_delivery *failure,
                                 int code);

// The rest of a batch of reports; before a call that waits for librdkafka's count of records.
void kafka_producer_finish_batch(struct mf_kafka_producer *producer);

// A fence of a transaction that is older than its timeout is the coordinator's own doing: it ended the
// transaction and raised the epoch. Such an error gets the code "transaction_expired"; any other fence names
// the transactional.id.
void kafka_producer_judge_fence(const struct mf_kafka_producer *producer, struct mf_error *err);

// ---------------------------------------------------------------- gathering (kafka_gather.c)
void kafka_gather_init(struct mf_kafka_producer *producer);
// Before the handle is closed, and after; lent: it has ended, and nobody reads what was handed over.
void kafka_gather_stop(struct mf_kafka_producer *producer);
void kafka_gather_free(struct mf_kafka_producer *producer, bool lent);
// False: no room until librdkafka has some.
bool kafka_gather_take(struct mf_kafka_producer *producer, struct kafka_topic *topic, int32_t partition,
                       const struct mf_kafka_record *record, void *opaque);
// What has been handed over is delivered, or has failed.
void kafka_gather_answered(struct mf_kafka_producer *producer, struct kafka_topic *topic, int32_t partition,
                           size_t count);
// Everything: at once where nothing is on its way, else after the answer.
void kafka_gather_send(struct mf_kafka_producer *producer);
bool kafka_gather_busy(struct mf_kafka_producer *producer); // more is gathered than should be
void kafka_gather_drop(struct mf_kafka_producer *producer);
void kafka_gather_tell(struct mf_kafka_producer *producer); // what was refused
// Gathered, handed over and not acknowledged, or refused and not told.
size_t kafka_gather_outstanding(const struct mf_kafka_producer *producer);
size_t kafka_gather_outstanding_bytes(const struct mf_kafka_producer *producer, size_t outstanding);
void kafka_gather_settle(struct mf_kafka_producer *producer); // into the metrics, once nothing is outstanding

#endif
