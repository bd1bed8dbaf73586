// SPDX-License-Identifier: Apache-2.0
// The transaction: begin, flush from the loop, send offsets, commit; abort; a new producer after an outcome
// that is not known. Whatever ends otherwise than by a known commit drops the state of the partitions that it
// touched. Blocking seams: init, send offsets, commit, abort (each bounded by librdkafka's timeouts), and the
// revoke, which must finish before it returns.
#include <stdlib.h>

#include "services/processor/engine_private.h"

#define BACKLOG_RECORDS 500                     // fetched and not folded: more than came within a turn
#define BACKLOG_AGE_MAX_US (500 * MF_US_PER_MS) // of a transaction
#define INIT_TIMEOUT_MAX_MS 1000
#define INIT_TRIES_QUIET 4 // a healthy cluster needs one or two
#define SEND_OFFSETS_TRIES 3
#define METADATA_TIMEOUT_MS 2000
#define SLOW_COMMIT_US (2 * MF_US_PER_SECOND)
// A revoke, all of it: with the seconds that a commit may take, well below the watchdog's 30 s.
#define REVOKE_MAX_MS 10000
#define REVOKE_FLUSH_MS 8000
#define PIECE_MIN_US (500 * MF_US_PER_MS) // no further piece of state is begun for less

static void log_error(struct prc_engine *engine, enum mf_log_level level, const char *event,
                      const struct mf_error *err, const char *doing)
{
    mf_log_error(engine->service->log, level, "processor", event, err, doing);
}

// ---------------------------------------------------------------- the producer

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
    if (high && engine->state == PRC_ENGINE_OPEN && !engine->sending)
        prc_engine_begin_flush(engine); // a full queue stops the intake
}

static void on_progress(void *arg)
{
    struct prc_engine *engine = arg;
    if (engine->state == PRC_ENGINE_FLUSHING) {
        mf_deferred_schedule(engine->commit_now);
    } else if (engine->waiting && !mf_kafka_producer_busy(engine->producer)) {
        engine->waiting = false;
        if (engine->state == PRC_ENGINE_OPEN)
            mf_kafka_consumer_hold(engine->consumer, false);
    }
}

void prc_engine_trouble(struct prc_engine *engine)
{
    mf_kafka_fence_trouble(&engine->fence, mf_clock_monotonic_us());
}

bool prc_engine_forgives(struct prc_engine *engine, const struct mf_error *err)
{
    if (!mf_kafka_fence_forgives(&engine->fence, err, mf_clock_monotonic_us()))
        return false;
    log_error(engine, MF_LOG_WARNING, "fenced_after_trouble", err,
              "going on after the cluster was away (begun anew)");
    return true;
}

static void clear_txn(struct prc_engine *engine)
{
    for (size_t i = 0; i < engine->assigned_count; i++)
        engine->assigned[i].in_txn = false;
    engine->txn_records = engine->txn_bytes = engine->txn_cells = 0;
    engine->full_us = 0;
    engine->waiting = engine->txn_failed = false;
}

// What the open transaction has changed is not what is committed: it will be restored.
static void drop_txn(struct prc_engine *engine)
{
    mf_timer_cancel(engine->commit_timer);
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].in_txn)
            prc_assigned_drop(&engine->assigned[i]);
    clear_txn(engine);
    engine->settling = engine->draining;
}

// The producer is of no use any more: state CONNECTING makes another one. unknown: a commit was under way.
static void replace_producer(struct prc_engine *engine, const struct mf_error *err, bool unknown)
{
    if (strcmp(err->code, "fenced") == 0 && !prc_engine_forgives(engine, err)) {
        mf_service_fail(engine->service, err, "another instance uses this instance id");
        return;
    }
    if (unknown)
        mf_metric_add(engine->txn_unknown, 1);
    prc_engine_trouble(engine);
    prc_engine_stop_intake(engine);
    drop_txn(engine);
    if (engine->draining) {
        log_error(engine, MF_LOG_WARNING, "transaction_left", err, "finishing before leaving");
        prc_engine_leave(engine); // the next start settles it
        return;
    }
    prc_restore_stop(engine);
    engine->state = PRC_ENGINE_CONNECTING;
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    prc_engine_retry(engine, err, "using the transactional producer");
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct prc_engine *engine = arg;
    if (engine->sending) { // the state is in use: the abort will meet the same error
        engine->txn_failed = true;
        engine->txn_error = *err;
        return;
    }
    if (engine->state != PRC_ENGINE_CONNECTING && engine->state < PRC_ENGINE_CLOSING)
        replace_producer(engine, err, false);
}

static int make_producer(struct prc_engine *engine, struct mf_error *err)
{
    struct mf_kafka_producer_ops ops = {.bulk = true,
                                        .on_delivery = on_delivery,
                                        .on_pressure = on_pressure,
                                        .on_progress = on_progress,
                                        .on_fatal = on_fatal,
                                        .arg = engine};
    mf_kafka_producer_free(&engine->producer);
    if (mf_kafka_producer_new(&engine->kafka, engine->transactional_id, &ops, &engine->producer, err) < 0)
        return -1;
    return mf_kafka_txn_init(engine->producer, engine->init_timeout_ms, err);
}

static void init_failed(struct prc_engine *engine, const struct mf_error *err)
{
    bool fatal = err->class == MF_ERROR_FATAL || err->class == MF_ERROR_CONFIG;
    if (fatal && !prc_engine_forgives(engine, err)) {
        mf_service_fail(engine->service, err, "starting the transactional producer");
        return;
    }
    if (++engine->init_tries > INIT_TRIES_QUIET)
        prc_engine_trouble(engine);
    engine->init_timeout_ms *= 2;
    if (engine->init_timeout_ms > INIT_TIMEOUT_MAX_MS)
        engine->init_timeout_ms = INIT_TIMEOUT_MAX_MS;
    prc_engine_retry(engine, err, "starting the transactional producer");
}

void prc_engine_connect(struct prc_engine *engine)
{
    struct mf_error err;
    if (make_producer(engine, &err) < 0) {
        init_failed(engine, &err);
        return;
    }
    engine->init_tries = 0;
    if (prc_engine_check_partitions(engine, METADATA_TIMEOUT_MS, &err) < 0 ||
        prc_engine_join(engine, &err) < 0) {
        if (err.class == MF_ERROR_TRANSIENT)
            prc_engine_retry(engine, &err, "joining the consumer group");
        else
            mf_service_fail(engine->service, &err, "joining the consumer group");
        return;
    }
    prc_restore_begin(engine);
}

// ---------------------------------------------------------------- begin, flush, commit

int prc_engine_begin(struct prc_engine *engine)
{
    struct mf_error err;
    if (mf_kafka_txn_begin(engine->producer, &err) < 0) {
        replace_producer(engine, &err, false);
        return -1;
    }
    engine->state = PRC_ENGINE_OPEN;
    engine->txn_begin_us = mf_clock_monotonic_us();
    mf_timer_arm_ms(engine->commit_timer, engine->commit_ms);
    return 0;
}

void prc_engine_commit_due(void *arg)
{
    struct prc_engine *engine = arg;
    if (engine->state != PRC_ENGINE_OPEN)
        return;
    // Behind a backlog, more transactions would only cost more: it goes on to its size.
    bool old = mf_clock_monotonic_us() - engine->txn_begin_us > BACKLOG_AGE_MAX_US;
    if (!old && mf_kafka_consumer_fetched(engine->consumer) > BACKLOG_RECORDS)
        mf_timer_arm_ms(engine->commit_timer, engine->commit_ms);
    else
        prc_engine_begin_flush(engine);
}

// The transaction's own records; what they fail with fails the transaction.
static void store(struct prc_engine *engine)
{
    struct mf_error err;
    if (engine->txn_failed || prc_engine_store(engine, &err) == 0)
        return;
    engine->txn_failed = true;
    engine->txn_error = err;
    log_error(engine, MF_LOG_WARNING, "produce_failed", &err, "queueing a record of the changelog");
}

void prc_engine_begin_flush(struct prc_engine *engine)
{
    assert(engine->state == PRC_ENGINE_OPEN);
    mf_timer_cancel(engine->commit_timer);
    engine->state = PRC_ENGINE_FLUSHING;
    engine->waiting = false;
    mf_kafka_consumer_hold(engine->consumer, true);
    store(engine);
    mf_kafka_producer_send(engine->producer);
    mf_deferred_schedule(engine->commit_now);
}

static void abort_txn(struct prc_engine *engine)
{
    struct mf_error err, why = engine->txn_error;
    prc_engine_stop_intake(engine);
    drop_txn(engine);
    mf_metric_add(engine->txn_aborted, 1);
    if (mf_kafka_txn_abort(engine->producer, &err) < 0) {
        replace_producer(engine, &err, false);
        return;
    }
    if (why.class == MF_ERROR_FATAL || why.class == MF_ERROR_CONFIG) {
        engine->state = PRC_ENGINE_IDLE;
        mf_service_fail(engine->service, &why, "making a transaction");
        return;
    }
    if (engine->draining) {
        prc_engine_leave(engine);
        return;
    }
    // The first time at once; what goes on failing (a right, a topic) must not spin, and shows in /readyz.
    if (++engine->aborts == 1) {
        prc_restore_begin(engine);
        return;
    }
    engine->state = PRC_ENGINE_RESTORING;
    engine->restore.step = PRC_RESTORE_WAIT;
    prc_engine_retry(engine, &why, "repeating a transaction that failed again");
}

// The input offsets of the open transaction. Returns how many.
static size_t txn_offsets(const struct prc_engine *engine, struct mf_kafka_offset *offsets)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->assigned_count; i++)
        if (engine->assigned[i].in_txn)
            offsets[count++] = (struct mf_kafka_offset){engine->assigned[i].topic, engine->assigned[i].number,
                                                        engine->assigned[i].next};
    return count;
}

// Sends offsets and commits; blocks. 0, or -1 with the error of the step that failed.
static int commit(struct prc_engine *engine, struct mf_error *err)
{
    struct mf_kafka_offset *offsets = mf_calloc(engine->assigned_count, sizeof(*offsets));
    size_t count = txn_offsets(engine, offsets);
    int64_t started_us = mf_clock_monotonic_us();
    int rc = -1;
    for (int try = 0; try < SEND_OFFSETS_TRIES && rc < 0; try++) {
        rc = mf_kafka_txn_send_offsets(engine->producer, engine->consumer, offsets, count, err);
        if (rc < 0 && (err->class != MF_ERROR_TRANSIENT || strcmp(err->code, "retriable") != 0))
            break;
    }
    if (rc == 0)
        rc = mf_kafka_txn_commit(engine->producer, err);
    free(offsets);
    int64_t ended_us = mf_clock_monotonic_us();
    mf_metric_observe(engine->commit_block, (double)(ended_us - started_us) / 1e6);
    if (ended_us - started_us > SLOW_COMMIT_US)
        prc_engine_trouble(engine);
    else if (rc == 0)
        mf_kafka_fence_quiet(&engine->fence, ended_us);
    return rc;
}

static void committed(struct prc_engine *engine)
{
    mf_metric_observe(engine->txn_size, (double)engine->txn_records);
    mf_metric_add(engine->txn_committed, 1);
    clear_txn(engine);
    engine->aborts = 0;
    mf_backoff_reset(&engine->backoff);
    engine->state = PRC_ENGINE_IDLE;
}

static void after_commit(struct prc_engine *engine)
{
    if (engine->settling && prc_engine_store_all(engine))
        return; // the next piece is on its way
    engine->settling = engine->draining;
    if (engine->draining)
        prc_engine_leave(engine);
    else
        prc_engine_start_intake(engine);
}

void prc_engine_try_commit(void *arg)
{
    struct prc_engine *engine = arg;
    struct mf_error err;
    if (engine->state != PRC_ENGINE_FLUSHING)
        return;
    if (engine->txn_failed) {
        abort_txn(engine);
        return;
    }
    if (mf_kafka_producer_outstanding(engine->producer) > 0)
        return; // on_progress comes
    if (commit(engine, &err) == 0) {
        bool settling = engine->settling;
        committed(engine);
        if (settling)
            after_commit(engine);
        else
            mf_kafka_consumer_hold(engine->consumer, false);
    } else if (err.class == MF_ERROR_TRANSIENT) {
        log_error(engine, MF_LOG_WARNING, "transaction_aborted", &err, "committing a transaction");
        engine->txn_error = err;
        abort_txn(engine);
    } else {
        replace_producer(engine, &err, err.class == MF_ERROR_UNCERTAIN);
    }
}

// ---------------------------------------------------------------- before partitions go

static int finish_blocking(struct prc_engine *engine, int flush_ms, struct mf_error *err)
{
    if (engine->txn_failed)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort",
                            "an output of the transaction was not accepted");
    if (mf_kafka_producer_flush(engine->producer, flush_ms, err) < 0)
        return -1;
    if (engine->txn_failed) // by a delivery report of the flush
        return mf_error_set(err, MF_ERROR_TRANSIENT, "txn_abort",
                            "an output of the transaction was not delivered");
    if (commit(engine, err) < 0)
        return -1;
    committed(engine);
    return 0;
}

// The open transaction, then as many snapshots as there is time for: whoever gets the partitions has less to
// replay. -1: the transaction of *err is still open.
static int finish_all(struct prc_engine *engine, struct mf_error *err)
{
    int64_t budget_ms = mf_settings_integer(engine->service->settings, "KAFKA_MAX_POLL_INTERVAL_MS") / 5;
    int64_t end_us =
        mf_clock_monotonic_us() + (budget_ms < REVOKE_MAX_MS ? budget_ms : REVOKE_MAX_MS) * MF_US_PER_MS;
    if (engine->state == PRC_ENGINE_OPEN) {
        engine->settling = true;
        store(engine);
    }
    if (engine->state != PRC_ENGINE_IDLE && finish_blocking(engine, REVOKE_FLUSH_MS, err) < 0)
        return -1;
    engine->settling = true;
    int64_t left_us;
    while (prc_engine_dirty(engine) > 0 && (left_us = end_us - mf_clock_monotonic_us()) >= PIECE_MIN_US) {
        if (prc_engine_begin(engine) < 0)
            return 0; // a new producer is on its way; nothing is open
        mf_timer_cancel(engine->commit_timer);
        store(engine);
        if (finish_blocking(engine, (int)(left_us / MF_US_PER_MS), err) < 0)
            return -1;
    }
    return 0;
}

void prc_engine_settle(struct prc_engine *engine, bool lost)
{
    struct mf_error err;
    bool open = engine->state == PRC_ENGINE_OPEN || engine->state == PRC_ENGINE_FLUSHING;
    if (!open && (engine->state != PRC_ENGINE_IDLE || lost))
        return;
    mf_timer_cancel(engine->commit_timer);
    if (lost)
        mf_error_set(&err, MF_ERROR_TRANSIENT, "txn_abort", "the partitions are somebody else's already");
    else if (finish_all(engine, &err) == 0)
        return;
    log_error(engine, MF_LOG_WARNING, "transaction_aborted", &err, "finishing before partitions are revoked");
    bool unknown = err.class != MF_ERROR_TRANSIENT; // then no call of this producer may follow
    mf_metric_add(unknown ? engine->txn_unknown : engine->txn_aborted, 1);
    drop_txn(engine);
    if (!unknown && mf_kafka_txn_abort(engine->producer, &err) == 0) {
        engine->state = PRC_ENGINE_IDLE;
        return;
    }
    prc_engine_trouble(engine);
    engine->state = PRC_ENGINE_CONNECTING; // a new producer settles what this one left
    engine->init_timeout_ms = PRC_INIT_TIMEOUT_FIRST_MS;
    prc_engine_retry(engine, &err, "finishing before partitions are revoked");
}
