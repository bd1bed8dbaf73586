// SPDX-License-Identifier: Apache-2.0
// The state machine: session, partitions, flush, one statement per turn of the loop. A run does what can be
// done now; timers, deliveries and Kafka's callbacks ask for the next one.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/sink/sink.h"

#define CLUSTER_ID_TIMEOUT_MS 100 // who has partitions has been told the cluster's id
#define KAFKA_RETRY_MS 1000
// Bounds of what a revoke may still do.
#define FINISH_STATEMENTS 100
#define FINISH_US (20 * MF_US_PER_SECOND)
#define FINISH_LETTERS_MS 2000

struct snk_scope snk_scope_of(const struct snk_sink *sink)
{
    return (struct snk_scope){&sink->batch, sink->partitions, sink->partition_count};
}

void snk_fail(struct snk_sink *sink, const struct mf_error *err, const char *doing)
{
    if (sink->failed)
        return;
    sink->failed = true;
    mf_service_fail(sink->service, err, doing);
    if (sink->draining)
        snk_loader_leave(sink);
}

static void on_closed(void *arg)
{
    struct snk_sink *sink = arg;
    mf_service_drained(sink->service);
}

void snk_loader_leave(struct snk_sink *sink)
{
    if (sink->closing)
        return;
    sink->closing = true;
    mf_kafka_consumer_close(sink->consumer, on_closed, sink);
}

// ---- holding

void snk_loader_hold(struct snk_sink *sink, int64_t delay_ms, const char *reason)
{
    sink->hold_until_us = mf_clock_monotonic_us() + delay_ms * MF_US_PER_MS;
    mf_str_copy(sink->hold_reason, sizeof sink->hold_reason, mf_str_of(reason));
    mf_timer_arm_ms(sink->hold, delay_ms);
}

bool snk_loader_is_holding(const struct snk_sink *sink)
{
    return sink->hold_until_us != 0 && mf_clock_monotonic_us() < sink->hold_until_us;
}

void snk_loader_worked(struct snk_sink *sink)
{
    mf_backoff_reset(&sink->backoff);
    sink->hold_until_us = 0;
    sink->hold_reason[0] = '\0';
}

void snk_loader_held_by(struct snk_sink *sink, const struct mf_error *err, const char *doing)
{
    if (err->class == MF_ERROR_FATAL) {
        snk_fail(sink, err, doing);
        return;
    }
    // What an operator has to put right is tried slowly; what passes by itself, sooner.
    bool slow = err->class == MF_ERROR_CONFIG || err->class == MF_ERROR_POISON;
    int64_t delay_ms = slow ? sink->settings.breaker_retry_ms : mf_backoff_next_ms(&sink->backoff);
    MF_LOGF(sink->service->log, slow ? MF_LOG_ERROR : MF_LOG_WARNING, "sink", "warehouse_unavailable",
            MF_FIELDS(mf_lf_str("error_class", mf_error_class_name(err->class)),
                      mf_lf_str("error_code", err->code), mf_lf_i64("retry_ms", delay_ms)),
            "%s: %s", doing, err->message);
    snk_loader_hold(sink, delay_ms, err->message);
}

// ---- session

// The gauges that dashboards and alerts look at.
static void show_session(struct snk_sink *sink)
{
    bool open = snk_warehouse_is_open(sink->warehouse);
    struct mf_metrics *metrics = sink->service->metrics;
    mf_metric_set(MF_METRIC0(metrics, &snk_metric_defs[SNK_M_SESSION_UP]), open ? 1 : 0);
    mf_metric_set(MF_METRIC(metrics, &mf_common_metrics[MF_M_DEPENDENCY_UP], "warehouse"), open ? 1 : 0);
}

// Bounds what a driver may leak over months, and the age of credentials.
static bool is_worn(const struct snk_sink *sink)
{
    return sink->phase == SNK_COLLECTING &&
           (sink->session_rows >= sink->settings.session_rows ||
            mf_clock_monotonic_us() - sink->session_opened_us >= sink->settings.session_ms * MF_US_PER_MS);
}

// False when there is no session and the next attempt is timed.
static bool ensure_session(struct snk_sink *sink)
{
    struct mf_error err;
    if (snk_warehouse_is_open(sink->warehouse) && !is_worn(sink))
        return true;
    if (snk_warehouse_open(sink->warehouse, true, &err) != 0) {
        SNK_COUNT(sink, SNK_M_SESSIONS, 1, "failed");
        show_session(sink);
        snk_loader_held_by(sink, &err, "opening a warehouse session");
        return false;
    }
    SNK_COUNT(sink, SNK_M_SESSIONS, 1, "ok");
    SNK_LOG(sink, NOTICE, "warehouse_connected", "session with %s", snk_warehouse_address(sink->warehouse));
    sink->session_opened_us = mf_clock_monotonic_us();
    sink->session_rows = 0;
    sink->recheck = true;
    show_session(sink);
    return true;
}

// ---- partitions

bool snk_loader_acquire(struct snk_sink *sink)
{
    struct mf_error err;
    if (sink->cluster_id[0] == '\0' &&
        mf_kafka_cluster_id(sink->consumer, CLUSTER_ID_TIMEOUT_MS, sink->cluster_id, &err) != 0) {
        sink->cluster_id[0] = '\0';
        SNK_LOG(sink, WARNING, "cluster_id_unknown", "%s", err.message);
        snk_loader_hold(sink, KAFKA_RETRY_MS, "the Kafka cluster has not told its id yet");
        return false;
    }
    if (snk_warehouse_assign(sink->warehouse, sink->cluster_id, sink->partitions, sink->partition_count,
                             &err) == 0) {
        snk_loader_worked(sink);
        SNK_LOG(sink, INFO, "acquired", "%zu partitions taken over", sink->partition_count);
        return true;
    }
    if (strcmp(err.code, "cluster_changed") == 0)
        snk_fail(sink, &err, "taking partitions over");
    else
        snk_loader_held_by(sink, &err, "taking partitions over");
    show_session(sink);
    return false;
}

// Sends the consumer to where each partition goes on; until then what it hands out is dropped.
static bool seek(struct snk_sink *sink)
{
    struct mf_kafka_offset *offsets = mf_calloc(sink->partition_count, sizeof *offsets);
    struct mf_error err;
    size_t count = 0;
    for (size_t i = 0; i < sink->partition_count; i++) {
        const struct snk_partition *p = &sink->partitions[i];
        if (p->must_seek && p->acquired)
            offsets[count++] =
                (struct mf_kafka_offset){p->topic, p->number, p->verify ? p->last_offset : p->position};
    }
    int result = count > 0 ? mf_kafka_consumer_seek(sink->consumer, offsets, count, &err) : 0;
    free(offsets);
    if (result == 0) {
        for (size_t i = 0; i < sink->partition_count; i++)
            sink->partitions[i].must_seek &= !sink->partitions[i].acquired;
        return true;
    }
    if (err.class == MF_ERROR_FATAL)
        snk_fail(sink, &err, "seeking");
    SNK_LOG(sink, WARNING, "seek_failed", "%s", err.message);
    snk_loader_hold(sink, KAFKA_RETRY_MS, err.message);
    return false;
}

// The order matters: without the epoch there is no offset to seek to.
static bool ensure_partitions(struct snk_sink *sink)
{
    bool acquired = true;
    for (size_t i = 0; i < sink->partition_count; i++)
        acquired &= sink->partitions[i].acquired;
    return (acquired || snk_loader_acquire(sink)) && seek(sink);
}

// ---- flush

// Is there anything that the warehouse does not have yet, offsets included?
static bool is_dirty(const struct snk_sink *sink)
{
    return sink->phase == SNK_FLUSHING || sink->batch.count > 0 || sink->moved_us != 0;
}

// Monotonic time at which the batch is due; INT64_MAX = not at all.
static int64_t due_us(const struct snk_sink *sink)
{
    int64_t due = INT64_MAX;
    if (sink->draining && is_dirty(sink))
        return 0;
    if (snk_intake_is_full(sink))
        return 0;
    if (sink->batch.count > 0)
        due = sink->batch.oldest_us + sink->settings.flush_ms * MF_US_PER_MS;
    if (sink->moved_us != 0) {
        int64_t wait_ms = sink->moved_by_letter ? sink->settings.flush_ms : sink->settings.idle_commit_ms;
        int64_t moved_due = sink->moved_us + wait_ms * MF_US_PER_MS;
        due = moved_due < due ? moved_due : due;
    }
    return due;
}

// Letters that could not be sent: their records are read again, and the rest of the batch with them.
static void retry_letters(struct snk_sink *sink)
{
    snk_rewind(sink);
    snk_loader_hold(sink, mf_backoff_next_ms(&sink->backoff), "dead letters cannot be sent");
}

// Turns the batch into work once it is due, and only when no letter is under way: its record must not be
// passed before.
static void begin_flush(struct snk_sink *sink)
{
    if (sink->letters.pending > 0)
        return;
    if (sink->letters.failed) {
        retry_letters(sink);
        return;
    }
    if (mf_clock_monotonic_us() < due_us(sink))
        return;
    snk_work_start(&sink->work, &sink->batch, sink->settings.limits);
    sink->phase = SNK_FLUSHING;
}

// The refused row's letter has been answered: the row is out, or the letter is sent again.
static bool settle_refused_row(struct snk_sink *sink)
{
    if (sink->refused_row == SIZE_MAX)
        return true;
    if (sink->letters.failed) {
        sink->letters.failed = false;
        snk_reject_row(sink);
        if (sink->letters.failed)
            snk_loader_hold(sink, mf_backoff_next_ms(&sink->backoff), "a dead letter cannot be sent");
        return false;
    }
    sink->batch.rows[sink->refused_row].rejected = true;
    sink->refused_row = SIZE_MAX;
    sink->attempts = 0;
    return true;
}

// One statement. The load id is drawn anew each time: two attempts are two loads.
static void execute(struct snk_sink *sink, struct snk_range range)
{
    struct snk_scope scope = snk_scope_of(sink);
    const uint64_t random[2] = {mf_random_seed(), mf_random_seed()};
    struct mf_error err;
    snk_flush_build(&sink->flush, &scope, range, random);
    if (sink->flush.move_count == 0) {
        snk_work_pop(&sink->work);
        return;
    }
    int64_t start_us = mf_clock_monotonic_us();
    if (snk_warehouse_flush(sink->warehouse, &sink->flush, &scope, &err) == 0)
        snk_on_flushed(sink, range, mf_clock_monotonic_us() - start_us);
    else
        snk_on_flush_failed(sink, range, &err);
    show_session(sink);
}

// A stopped partition that is being tried goes on once a batch takes it further than where it stopped. Only a
// row of it says that its table fits again: dead letters, and what retention removes, take it further as
// well.
static void watch_recovery(struct snk_sink *sink, struct snk_partition *p)
{
    if (p->breaker.state != SNK_BREAKER_TRYING || p->excluded || p->stored <= p->stopped_at)
        return;
    bool loaded = p->last_offset >= p->stopped_at;
    snk_breaker_close(&p->breaker);
    MF_LOGF(sink->service->log, loaded ? MF_LOG_NOTICE : MF_LOG_WARNING, "sink",
            loaded ? "partition_recovered" : "partition_goes_on",
            MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number)), "%s[%d] %s", p->topic,
            p->number,
            loaded ? "is loaded again"
                   : "goes on, but what stopped it was dead-lettered or is gone, not loaded");
}

// The batch is through: what was left out of it is read again. An end of partition that came meanwhile has
// moved an offset that no row carries: that is for the next one.
static void finish_batch(struct snk_sink *sink)
{
    bool ahead = false;
    for (size_t i = 0; i < sink->partition_count; i++) {
        struct snk_partition *p = &sink->partitions[i];
        watch_recovery(sink, p);
        if (p->excluded) {
            p->excluded = false;
            p->position = p->stored;
            p->must_seek = true;
        }
        ahead |= p->acquired && !p->must_seek && p->position != p->stored;
    }
    snk_forget_batch(sink);
    if (ahead)
        sink->moved_us = mf_clock_monotonic_us();
}

// One statement of the flush, or what has to come before it.
static void step(struct snk_sink *sink)
{
    if (sink->letters.pending > 0 || !settle_refused_row(sink))
        return;
    if (!snk_work_is_done(&sink->work)) {
        struct snk_range range = snk_work_current(&sink->work);
        if (sink->outcome_unknown)
            snk_resolve_outcome(sink, range);
        else
            execute(sink, range);
    }
    if (sink->phase == SNK_FLUSHING && snk_work_is_done(&sink->work))
        finish_batch(sink);
}

// Would another statement have a chance now?
static bool can_go_on(const struct snk_sink *sink)
{
    return !sink->failed && !sink->rejoining && !snk_loader_is_holding(sink) &&
           snk_warehouse_is_open(sink->warehouse) && sink->partition_count > 0;
}

// What can be done now, one statement at most.
static void advance(struct snk_sink *sink)
{
    if (!ensure_session(sink) || !ensure_partitions(sink))
        return;
    if (sink->phase == SNK_COLLECTING && sink->recheck && !snk_recheck(sink))
        return;
    if (sink->phase == SNK_COLLECTING)
        begin_flush(sink);
    if (sink->phase == SNK_FLUSHING)
        step(sink);
    // More of the flush, or partitions to be sought after it, in a turn of its own.
    bool more = sink->phase == SNK_FLUSHING && sink->letters.pending == 0;
    for (size_t i = 0; i < sink->partition_count && !more; i++)
        more = sink->partitions[i].must_seek;
    if (more && !sink->failed && !snk_loader_is_holding(sink))
        mf_deferred_schedule(sink->run);
}

void snk_loader_finish(struct snk_sink *sink)
{
    int64_t until_us = mf_clock_monotonic_us() + FINISH_US;
    for (unsigned i = 0; i < FINISH_STATEMENTS && can_go_on(sink) && is_dirty(sink); i++) {
        struct mf_error err;
        if (mf_clock_monotonic_us() > until_us)
            return;
        if (sink->letters.pending > 0 &&
            mf_kafka_producer_flush(sink->letters.producer, FINISH_LETTERS_MS, &err) != 0)
            return;
        if (sink->phase == SNK_COLLECTING) {
            if (sink->letters.pending > 0 || sink->letters.failed)
                return;
            snk_work_start(&sink->work, &sink->batch, sink->settings.limits);
            sink->phase = SNK_FLUSHING;
        }
        step(sink);
    }
}

// ---- intake and timers

// A flush that goes on in the next turn only holds the consumer: pausing throws away what was fetched. What
// may take longer (a letter, the warehouse's return) pauses, so that rebalances are served meanwhile.
static void apply_pauses(struct snk_sink *sink)
{
    bool flushing = sink->phase == SNK_FLUSHING && sink->letters.pending == 0 && can_go_on(sink);
    mf_kafka_consumer_hold(sink->consumer, flushing);
    if (flushing)
        return;
    bool stop = sink->phase == SNK_FLUSHING || sink->draining || !can_go_on(sink) || snk_intake_is_full(sink);
    for (size_t i = 0; i < sink->partition_count; i++) {
        const struct snk_partition *p = &sink->partitions[i];
        if (stop || !p->acquired || p->breaker.state == SNK_BREAKER_OPEN ||
            sink->breakers[p->table].state == SNK_BREAKER_OPEN)
            mf_kafka_consumer_pause(sink->consumer, p->topic, p->number);
        else
            mf_kafka_consumer_resume(sink->consumer, p->topic, p->number);
    }
}

void snk_loader_arm(struct snk_sink *sink)
{
    int64_t due = due_us(sink);
    // What is overdue while nothing may be tried waits for the timer of the hold.
    if (sink->phase != SNK_COLLECTING || due == INT64_MAX || sink->letters.pending > 0 ||
        snk_loader_is_holding(sink)) {
        mf_timer_cancel(sink->age);
        return;
    }
    int64_t delay_us = due - mf_clock_monotonic_us();
    mf_timer_arm_us(sink->age, delay_us > 1000 ? delay_us : 1000);
}

// A drain ends when nothing is left to write, or when it cannot be written now: the next start goes on from
// there.
static void leave_when_drained(struct snk_sink *sink)
{
    if (!sink->draining || sink->closing)
        return;
    if (can_go_on(sink) && sink->letters.pending > 0)
        return; // the last delivery asks for the next run
    if (can_go_on(sink) && is_dirty(sink)) {
        mf_deferred_schedule(sink->run);
        return;
    }
    snk_loader_leave(sink);
}

void snk_loader_run(void *arg)
{
    struct snk_sink *sink = arg;
    if (sink->closing)
        return;
    if (!sink->failed && !sink->rejoining && !snk_loader_is_holding(sink))
        advance(sink);
    if (sink->failed) {
        mf_kafka_consumer_hold(sink->consumer, false);
        return;
    }
    apply_pauses(sink);
    snk_loader_arm(sink);
    leave_when_drained(sink);
}
