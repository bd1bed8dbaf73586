// SPDX-License-Identifier: Apache-2.0
// The transaction: begin, flush from the loop, send offsets, commit; abort and rewind; a new producer after
// an outcome that is not known. Blocking seams: init, send offsets, commit, abort, rewind (each bounded by
// librdkafka's timeouts).
#include <stdlib.h>

#include "services/processor/engine_private.h"

#define FLUSH_POLL_US 500
#define INIT_TIMEOUT_MAX_MS 1000
#define SEND_OFFSETS_TRIES 3
// In a revoke: with the seconds that offsets and commit may take, well below the watchdog's 30 s.
#define REVOKE_FLUSH_MS 8000

static void log_error(struct prc_engine *engine, enum mf_log_level level, const char *event,
                      const struct mf_error *err, const char *doing)
{
    mf_log_error(engine->service->log, level, "processor", event, err, doing);
}

static void on_delivery(void *arg, const struct mf_kafka_delivery *delivery)
{
    struct prc_engine *engine = arg;
    if (delivery->error != NULL && !engine->txn_failed) {
        engine->txn_failed = true;
        engine->txn_error = *delivery->error;
        log_error(engine, MF_LOG_WARNING, "delivery_failed", delivery->error, "delivering an output");
    }
    if (engine->state == PRC_ENGINE_FLUSHING)
        mf_deferred_schedule(engine->commit_now);
}

static void on_pressure(void *arg, bool high)
{
    struct prc_engine *engine = arg;
    if (high && engine->state == PRC_ENGINE_OPEN)
        prc_engine_begin_flush(engine); // a full queue stops the intake
}

static bool is_fenced(const struct mf_error *err)
{
    return err->class == MF_ERROR_FATAL && strcmp(err->code, "fenced") == 0;
}

// The producer is of no use any more: state CONNECTING makes another one. unknown: a commit was under way.
static void replace_producer(struct prc_engine *engine, const struct mf_error *err, bool unknown)
{
    if (is_fenced(err)) {
        mf_service_fail(engine->service, err, "another instance uses this instance id");
        return;
    }
    mf_timer_cancel(engine->commit_timer);
    mf_timer_cancel(engine->flush_timer);
    prc_engine_stop_intake(engine);
    engine->outcome_unknown |= unknown;
    if (unknown)
        mf_metric_add(engine->txn_unknown, 1);
    engine->state = PRC_ENGINE_CONNECTING;
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    prc_engine_retry(engine, err, "using the transactional producer");
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct prc_engine *engine = arg;
    if (engine->state != PRC_ENGINE_CONNECTING && engine->state < PRC_ENGINE_CLOSING)
        replace_producer(engine, err, false);
}

static int make_producer(struct prc_engine *engine, struct mf_error *err)
{
    static const struct mf_kafka_producer_ops ops_template = {
        .on_delivery = on_delivery, .on_pressure = on_pressure, .on_fatal = on_fatal};
    struct mf_kafka_producer_ops ops = ops_template;
    ops.arg = engine;
    mf_kafka_producer_free(&engine->producer);
    return mf_kafka_producer_new(&engine->kafka, engine->transactional_id, &ops, &engine->producer, err);
}

// Did the transaction whose outcome was not known happen? It covers all its partitions or none.
static bool txn_was_committed(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->progress_count; i++) {
        const struct prc_progress *progress = &engine->progress[i];
        if (progress->in_txn && mf_kafka_consumer_position(engine->consumer, progress->topic,
                                                           progress->partition) < progress->next)
            return false;
    }
    return true;
}

static void clear_txn(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->progress_count; i++)
        engine->progress[i].in_txn = false;
    engine->txn_records = engine->txn_bytes = 0;
    engine->txn_failed = engine->outcome_unknown = false;
}

// Back to the committed offsets; state and offsets agree afterwards.
static void rewind_to_committed(struct prc_engine *engine)
{
    struct mf_error err;
    if (engine->consumer != NULL && mf_kafka_consumer_rewind(engine->consumer, &err) < 0) {
        if (err.class == MF_ERROR_FATAL) {
            mf_service_fail(engine->service, &err, "rewinding to the committed offsets");
            return;
        }
        engine->state = PRC_ENGINE_REWINDING;
        prc_engine_retry(engine, &err, "rewinding to the committed offsets");
        return;
    }
    bool committed = engine->outcome_unknown && txn_was_committed(engine);
    if (committed) {
        engine->aborts = 0;
        prc_fold_commit(engine->fold);
    } else {
        prc_fold_rollback(engine->fold);
    }
    if (engine->txn_records > 0)
        MF_LOGF(engine->service->log, MF_LOG_NOTICE, "processor", "transaction_settled",
                MF_FIELDS(mf_lf_str("outcome", committed ? "committed" : "rolled_back"),
                          mf_lf_i64("records", (int64_t)engine->txn_records)),
                "the last transaction is settled, going on from the committed offsets");
    clear_txn(engine);
    if (engine->aborts == 0)
        mf_backoff_reset(&engine->backoff);
    engine->last_error.class = MF_ERROR_CLASS_MAX;
    engine->state = PRC_ENGINE_IDLE;
    prc_engine_start_intake(engine);
    prc_engine_after_commit(engine);
}

void prc_engine_connect(void *arg)
{
    struct prc_engine *engine = arg;
    struct mf_error err;
    if (engine->state == PRC_ENGINE_REWINDING) {
        rewind_to_committed(engine);
        return;
    }
    if (engine->state != PRC_ENGINE_CONNECTING)
        return;
    if (make_producer(engine, &err) < 0 ||
        mf_kafka_txn_init(engine->producer, engine->init_timeout_ms, &err) < 0) {
        if (err.class == MF_ERROR_FATAL || err.class == MF_ERROR_CONFIG) {
            mf_service_fail(engine->service, &err, "starting the transactional producer");
            return;
        }
        engine->init_timeout_ms *= 2;
        if (engine->init_timeout_ms > INIT_TIMEOUT_MAX_MS)
            engine->init_timeout_ms = INIT_TIMEOUT_MAX_MS;
        prc_engine_retry(engine, &err, "starting the transactional producer");
        return;
    }
    if (prc_engine_check_partitions(engine, &err) < 0 || prc_engine_join(engine, &err) < 0) {
        if (err.class == MF_ERROR_TRANSIENT)
            prc_engine_retry(engine, &err, "joining the consumer group");
        else
            mf_service_fail(engine->service, &err, "joining the consumer group");
        return;
    }
    rewind_to_committed(engine);
}

int prc_engine_begin(struct prc_engine *engine)
{
    struct mf_error err;
    if (mf_kafka_txn_begin(engine->producer, &err) < 0) {
        replace_producer(engine, &err, false);
        return -1;
    }
    engine->state = PRC_ENGINE_OPEN;
    mf_timer_arm_ms(engine->commit_timer, engine->commit_ms);
    return 0;
}

void prc_engine_commit_due(void *arg)
{
    struct prc_engine *engine = arg;
    if (engine->state == PRC_ENGINE_OPEN)
        prc_engine_begin_flush(engine);
}

void prc_engine_begin_flush(struct prc_engine *engine)
{
    assert(engine->state == PRC_ENGINE_OPEN);
    mf_timer_cancel(engine->commit_timer);
    engine->state = PRC_ENGINE_FLUSHING;
    mf_kafka_consumer_hold(engine->consumer, true);
    mf_timer_arm_us(engine->flush_timer, 0);
}

void prc_engine_abort(struct prc_engine *engine)
{
    struct mf_error err;
    mf_timer_cancel(engine->commit_timer);
    mf_timer_cancel(engine->flush_timer);
    prc_engine_stop_intake(engine);
    mf_metric_add(engine->txn_aborted, 1);
    if (mf_kafka_txn_abort(engine->producer, &err) < 0) {
        replace_producer(engine, &err, false);
        return;
    }
    // The first time at once; what goes on failing (a right, a topic) must not spin, and shows in /readyz.
    if (++engine->aborts == 1 || engine->draining) {
        rewind_to_committed(engine);
        return;
    }
    engine->state = PRC_ENGINE_REWINDING;
    prc_engine_retry(engine, &engine->txn_error, "repeating a transaction that failed again");
}

// The input offsets of the open transaction. Returns how many.
static size_t txn_offsets(const struct prc_engine *engine, struct mf_kafka_offset *offsets)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->progress_count; i++)
        if (engine->progress[i].in_txn)
            offsets[count++] = (struct mf_kafka_offset){
                engine->progress[i].topic, engine->progress[i].partition, engine->progress[i].next};
    return count;
}

// Sends offsets and commits; blocks. 0, or -1 with the error of the step that failed.
static int commit(struct prc_engine *engine, struct mf_error *err)
{
    struct mf_kafka_offset *offsets = mf_calloc(engine->progress_count, sizeof(*offsets));
    size_t count = txn_offsets(engine, offsets);
    int rc = -1;
    for (int try = 0; try < SEND_OFFSETS_TRIES && rc < 0; try++) {
        rc = mf_kafka_txn_send_offsets(engine->producer, engine->consumer, offsets, count, err);
        if (rc < 0 && (err->class != MF_ERROR_TRANSIENT || strcmp(err->code, "retriable") != 0))
            break;
    }
    if (rc == 0)
        rc = mf_kafka_txn_commit(engine->producer, err);
    free(offsets);
    return rc;
}

static void committed(struct prc_engine *engine, int64_t started_us)
{
    mf_metric_observe(engine->commit_block, (double)(mf_clock_monotonic_us() - started_us) / 1e6);
    mf_metric_observe(engine->txn_size, (double)engine->txn_records);
    mf_metric_add(engine->txn_committed, 1);
    prc_fold_commit(engine->fold);
    clear_txn(engine);
    engine->aborts = 0;
    mf_backoff_reset(&engine->backoff);
    engine->state = PRC_ENGINE_IDLE;
}

static void commit_failed(struct prc_engine *engine, const struct mf_error *err)
{
    if (err->class == MF_ERROR_TRANSIENT) {
        log_error(engine, MF_LOG_WARNING, "transaction_aborted", err, "committing a transaction");
        engine->txn_error = *err;
        prc_engine_abort(engine);
        return;
    }
    replace_producer(engine, err, err->class == MF_ERROR_UNCERTAIN);
}

void prc_engine_try_commit(void *arg)
{
    struct prc_engine *engine = arg;
    struct mf_error err;
    if (engine->state != PRC_ENGINE_FLUSHING)
        return;
    if (engine->txn_failed) {
        prc_engine_abort(engine);
        return;
    }
    if (mf_kafka_producer_outstanding(engine->producer) > 0) {
        mf_timer_arm_us(engine->flush_timer, FLUSH_POLL_US);
        return;
    }
    mf_timer_cancel(engine->flush_timer);
    int64_t started_us = mf_clock_monotonic_us();
    if (commit(engine, &err) < 0) {
        commit_failed(engine, &err);
        return;
    }
    committed(engine, started_us);
    mf_kafka_consumer_hold(engine->consumer, false);
    prc_engine_after_commit(engine);
}

static int finish_blocking(struct prc_engine *engine, struct mf_error *err)
{
    if (engine->txn_failed)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort",
                            "an output of the transaction was not accepted");
    int64_t started_us = mf_clock_monotonic_us();
    if (mf_kafka_producer_flush(engine->producer, REVOKE_FLUSH_MS, err) < 0)
        return -1;
    if (engine->txn_failed) // by a delivery report of the flush
        return mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort",
                            "an output of the transaction was not delivered");
    if (commit(engine, err) < 0)
        return -1;
    committed(engine, started_us);
    return 0;
}

void prc_engine_settle(struct prc_engine *engine, bool lost)
{
    struct mf_error err;
    if (engine->state != PRC_ENGINE_OPEN && engine->state != PRC_ENGINE_FLUSHING)
        return;
    mf_timer_cancel(engine->commit_timer);
    mf_timer_cancel(engine->flush_timer);
    if (lost)
        mf_error_set(&err, MF_ERROR_TRANSIENT, "txn_abort", "the partitions are somebody else's already");
    else if (finish_blocking(engine, &err) == 0)
        return;
    log_error(engine, MF_LOG_WARNING, "transaction_aborted", &err, "finishing before partitions are revoked");
    bool unknown = err.class != MF_ERROR_TRANSIENT; // then no call of this producer may follow
    mf_metric_add(unknown ? engine->txn_unknown : engine->txn_aborted, 1);
    if (!unknown && mf_kafka_txn_abort(engine->producer, &err) == 0) {
        engine->state = PRC_ENGINE_IDLE;
        return;
    }
    engine->state = PRC_ENGINE_CONNECTING; // a new producer settles what this one left
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    prc_engine_retry(engine, &err, "finishing before partitions are revoked");
}
