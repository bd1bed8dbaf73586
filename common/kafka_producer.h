// SPDX-License-Identifier: Apache-2.0
// Inside of the Kafka wrapper: the producer, shared by kafka_producer*.c and kafka_txn.c.
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
};

struct mf_kafka_producer {
    struct kafka_client client;
    struct mf_kafka_producer_ops ops;
    struct mf_deferred *announce; // tells about pressure outside of produce
    struct kafka_topic **topics;
    size_t topic_count;
    char *transactional_id;                // NULL: idempotent
    size_t outstanding, outstanding_bytes; // produced and not reported yet
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

// The rest of a batch of reports; before a call that waits for librdkafka's count of records.
void kafka_producer_finish_batch(struct mf_kafka_producer *producer);

// A fence of a transaction that is older than its timeout is the coordinator's own doing: it ended the
// transaction and raised the epoch. Such an error gets the code "transaction_expired"; any other fence names
// the transactional.id.
void kafka_producer_judge_fence(const struct mf_kafka_producer *producer, struct mf_error *err);

#endif
