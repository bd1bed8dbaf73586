// SPDX-License-Identifier: Apache-2.0
// Inside of the Kafka wrapper: the group consumer, shared by kafka_consumer*.c and kafka_txn.c.
#ifndef MF_KAFKA_CONSUMER_H
#define MF_KAFKA_CONSUMER_H

#include "kafka_client.h"

// What the consumer counts per topic.
struct kafka_consumed {
    char *topic;
    struct mf_metric *messages, *bytes, *assigned, *paused;
    size_t assigned_now, paused_now; // our part of the gauges
};

struct mf_kafka_consumer {
    struct kafka_client client;
    struct mf_kafka_consumer_ops ops;
    struct kafka_consumed *topics; // as subscribed
    size_t topic_count;
    size_t turn_messages;
    bool start_at_earliest;
    struct kafka_partitions partitions;
    bool joined;    // has an assignment, maybe empty
    bool assigning; // inside on_assign: librdkafka does not know the partitions yet
    bool revoking;  // inside on_revoke: they are still ours
    bool held;
    bool reassign_due; // partitions were stopped for an offset that is not there
    int64_t last_poll_us;
    void (*closed)(void *arg); // set once closing has begun
    void *closed_arg;
    bool closing, close_told;
    struct kafka_fetch fetch;
};

void kafka_consumer_enter(struct mf_kafka_consumer *consumer);
void kafka_consumer_leave(struct mf_kafka_consumer *consumer);

// kafka_consumer_rebalance.c
void kafka_consumer_on_rebalance(struct mf_kafka_consumer *consumer, struct rd_kafka_op_s *event);
// Assigns all partitions anew at their positions, pauses included: for partitions that librdkafka has
// stopped, which cannot be sought therefore.
void kafka_consumer_reassign(struct mf_kafka_consumer *consumer);
// An error that names a partition: its end, or an offset that is not there. False when it is neither.
bool kafka_consumer_on_partition_error(struct mf_kafka_consumer *consumer, struct rd_kafka_op_s *event);
// Tells librdkafka which of the partitions are paused.
void kafka_consumer_apply_pause(struct mf_kafka_consumer *consumer, struct kafka_partition *partition,
                                bool pause);
void kafka_consumer_drop_assignment(struct mf_kafka_consumer *consumer);

// kafka_consumer_seek.c
// Positions that mean "the committed offset" become that offset, or the beginning where nothing is committed
// and that is allowed. What cannot be asked now is left: librdkafka then asks by itself.
void kafka_consumer_resolve_start(struct mf_kafka_consumer *consumer);

// kafka_consumer_metrics.c
void kafka_consumer_metrics_init(struct mf_kafka_consumer *consumer, const char *const *topics);
void kafka_consumer_metrics_free(struct mf_kafka_consumer *consumer);
void kafka_consumer_count(struct mf_kafka_consumer *consumer);           // what was handed out in a turn
void kafka_consumer_show_partitions(struct mf_kafka_consumer *consumer); // assigned and paused
void kafka_consumer_show_lag(struct mf_kafka_consumer *consumer);
void kafka_consumer_forget_lag(struct mf_kafka_consumer *consumer); // before the partitions go
void kafka_consumer_count_rebalance(struct mf_kafka_consumer *consumer, const char *kind);

#endif
