// SPDX-License-Identifier: Apache-2.0
// Transactions: the blocking seams of the exactly-once loop. Each call blocks for milliseconds when the
// cluster is well, and up to the transaction timeout when it is not. Commit and abort are called once with
// that timeout and never again after it: librdkafka would let a second call resume, but 2.0.2 can abort the
// process when the answer comes between the two; and its "-1" is not the rest of the transaction's time but
// for ever (docs/kafka.md). Failure classes: TRANSIENT (abort, or call again), UNCERTAIN (outcome unknown),
// FATAL, CONFIG (not allowed).
#include <librdkafka/rdkafka.h>

#include "common/clock.h"
#include "common/kafka_consumer.h"
#include "common/kafka_producer.h"

#define ABORT_FLUSH_MS 1000

// Beyond the transaction's own timeout the coordinator has ended it: waiting longer is of no use.
static int limit_ms(const struct mf_kafka_producer *producer)
{
    return kafka_config_transaction_timeout_ms(producer->client.config.settings);
}

void kafka_producer_judge_fence(const struct mf_kafka_producer *producer, struct mf_error *err)
{
    if (strcmp(err->code, "fenced") != 0)
        return;
    int64_t age_us = producer->txn_begin_us > 0 ? mf_clock_monotonic_us() - producer->txn_begin_us : 0;
    if (age_us < limit_ms(producer) * MF_US_PER_MS) {
        mf_error_prefix(err, "transactional.id '%s' is used by another, newer process",
                        producer->transactional_id);
        return;
    }
    mf_str_copy(err->code, sizeof err->code, MF_STR("transaction_expired"));
    mf_error_prefix(err, "the transaction of '%s' was open for %lld ms and has been ended by the cluster",
                    producer->transactional_id, (long long)(age_us / MF_US_PER_MS));
}

// Ends a call: error (owned, NULL = success) into err.
static int finish(struct mf_kafka_producer *producer, rd_kafka_error_t *error, const char *doing,
                  struct mf_error *err)
{
    int result = 0;
    if (error != NULL) {
        result = kafka_error_take(err, error, doing);
        kafka_producer_judge_fence(producer, err);
    }
    kafka_gather_settle(producer);
    kafka_producer_leave(producer);
    return result;
}

int mf_kafka_txn_init(struct mf_kafka_producer *producer, int timeout_ms, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    kafka_producer_enter(producer);
    producer->failed = 0;
    rd_kafka_error_t *error = rd_kafka_init_transactions(producer->client.rk, timeout_ms);
    producer->client.connected = producer->client.connected || error == NULL;
    return finish(producer, error, "starting the transactional producer", err);
}

int mf_kafka_txn_begin(struct mf_kafka_producer *producer, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    kafka_producer_enter(producer);
    producer->failed = 0;
    producer->txn_begin_us = mf_clock_monotonic_us();
    rd_kafka_error_t *error = rd_kafka_begin_transaction(producer->client.rk);
    producer->txn_open = producer->txn_open || error == NULL;
    return finish(producer, error, "beginning a transaction", err);
}

int mf_kafka_txn_send_offsets(struct mf_kafka_producer *producer, struct mf_kafka_consumer *consumer,
                              const struct mf_kafka_offset *offsets, size_t count, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    // A generation from before the first assignment would commit without any fence.
    if (!consumer->joined && !consumer->revoking)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "stale_generation",
                            "offsets cannot be sent: the consumer has no assignment");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition)->offset =
            offsets[i].offset;
    // Fresh each time: a generation kept from before goes stale on rebalances that change nothing for us.
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer->client.rk);
    kafka_producer_enter(producer);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(producer->client.rk, list, group, limit_ms(producer));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return finish(producer, error, "sending offsets to the transaction", err);
}

// Whether the transaction is still open after its end was asked for: only an abort can follow then. After a
// time-out no call may follow at all.
static bool still_open(rd_kafka_error_t *error)
{
    return error != NULL && rd_kafka_error_txn_requires_abort(error);
}

int mf_kafka_txn_commit(struct mf_kafka_producer *producer, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    struct mf_metrics *metrics = producer->client.config.metrics;
    kafka_producer_enter(producer);
    if (mf_kafka_producer_flush(producer, limit_ms(producer), err) < 0) {
        kafka_producer_leave(producer);
        return mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort",
                            "the transaction's records are not delivered");
    }
    kafka_producer_finish_batch(producer);
    rd_kafka_error_t *error = rd_kafka_commit_transaction(producer->client.rk, limit_ms(producer));
    bool unknown = error != NULL && !still_open(error);
    producer->txn_open = still_open(error);
    if (error == NULL)
        producer->txn_begin_us = 0;
    int result = finish(producer, error, "committing a transaction", err);
    // Anything but "abort it" leaves the outcome open: a time-out, and a client that broke after it had sent
    // the commit. Who is fenced or not allowed has nothing more to find out.
    if (unknown && err->class != MF_ERROR_CONFIG && strcmp(err->code, "fenced") != 0) {
        err->class = MF_ERROR_UNCERTAIN;
        mf_str_copy(err->code, sizeof err->code, MF_STR("outcome_unknown"));
    }
    mf_metric_add(MF_METRIC(metrics, &mf_common_metrics[MF_M_KAFKA_COMMITS], result == 0 ? "ok" : "error"),
                  1);
    return result;
}

int mf_kafka_txn_abort(struct mf_kafka_producer *producer, struct mf_error *err)
{
    struct mf_error spare;
    err = err != NULL ? err : &spare;
    kafka_producer_enter(producer);
    // An abort in the moment in which partitions are being added to the transaction would leave it open at
    // the coordinator, which would end it by its timeout, and fence us. What is on its way is waited for.
    kafka_gather_drop(producer);
    if (mf_kafka_producer_outstanding(producer) > 0)
        mf_kafka_producer_flush(producer, ABORT_FLUSH_MS, NULL);
    kafka_producer_finish_batch(producer);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(producer->client.rk, limit_ms(producer));
    bool unknown = error != NULL && rd_kafka_error_is_retriable(error);
    producer->txn_open = still_open(error);
    if (error == NULL)
        producer->txn_begin_us = 0;
    int result = finish(producer, error, "aborting a transaction", err);
    if (unknown && err->class == MF_ERROR_TRANSIENT) {
        err->class = MF_ERROR_UNCERTAIN;
        mf_str_copy(err->code, sizeof err->code, MF_STR("outcome_unknown"));
    }
    return result;
}
