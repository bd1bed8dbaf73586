// SPDX-License-Identifier: Apache-2.0
// The log of claims and holds: what this process writes to it, and what it says (see limiter.h).
#include <inttypes.h>

#include "common/clock.h"
#include "services/ingestor/limiter_private.h"

static void count_claim(struct ing_limiter *limiter, const char *result)
{
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_BUDGET_CLAIMS];
    mf_metric_add(MF_METRIC(limiter->setup.kafka->metrics, def, result), 1);
}

int64_t ing_limiter_log_time(const struct ing_limiter *limiter, int64_t now_us)
{
    return now_us + limiter->behind_us;
}

void ing_limiter_record(const struct ing_limiter *limiter, enum ing_budget_kind kind,
                        struct ing_budget_record *record)
{
    *record = (struct ing_budget_record){
        .kind = kind,
        .count = 1,
        .limits = {.per_minute = limiter->config->requests_per_minute,
                   .per_day = limiter->config->requests_per_day,
                   .window_us = limiter->config->rate_window_ms * MF_US_PER_MS},
    };
    mf_str_copy(record->process, sizeof record->process, mf_str_of(limiter->claim.process));
}

// ---------------------------------------------------------------- writing

static int publish(struct ing_limiter *limiter, struct ing_batch *batch,
                   const struct ing_budget_record *record, struct mf_error *err)
{
    struct mf_buf text;
    mf_buf_init(&text, ING_BUDGET_RECORD_MAX);
    ing_budget_encode(record, &text);
    int result =
        ing_publisher_budget(limiter->setup.publisher, batch, mf_str_of(limiter->id), mf_buf_str(&text), err);
    mf_buf_free(&text);
    return result;
}

static void lose_claim(struct ing_limiter *limiter, const struct mf_error *err)
{
    limiter->claimed = false;
    count_claim(limiter, "lost");
    mf_log_error(limiter->setup.kafka->log, MF_LOG_WARNING, "fetch", "claim_lost", err,
                 "claiming requests of the budget");
}

// Acknowledged: the log brings it. Failed: it may be there all the same, or come still, and then it is
// wasted; the next one has another number.
static void on_delivered(void *arg, const struct mf_error *err)
{
    struct ing_limiter *limiter = arg;
    limiter->batch = NULL;
    limiter->acked_us = mf_clock_monotonic_us();
    if (err == NULL || !limiter->claimed)
        return;
    lose_claim(limiter, err);
    mf_deferred_schedule(limiter->news);
}

void ing_limiter_check_claim(struct ing_limiter *limiter, int64_t now_us)
{
    struct mf_error err;
    if (!limiter->claimed || limiter->batch != NULL || now_us - limiter->acked_us < ING_LIMITER_CLAIM_LOST_US)
        return;
    mf_error_set(&err, MF_ERROR_UNCERTAIN, "claim_not_seen", "acknowledged, and not seen for %d s",
                 (int)(ING_LIMITER_CLAIM_LOST_US / MF_US_PER_SECOND));
    lose_claim(limiter, &err);
}

int64_t ing_limiter_send_claim(struct ing_limiter *limiter, enum ing_priority priority, uint64_t count,
                               int64_t now_us)
{
    struct mf_error err;
    struct ing_budget_record claim;
    ing_limiter_record(limiter, ING_BUDGET_CLAIM, &claim);
    claim.number = limiter->claim.number + 1;
    claim.priority = priority;
    claim.count = count;
    limiter->batch = ing_batch_new(limiter->setup.publisher, on_delivered, limiter);
    if (publish(limiter, limiter->batch, &claim, &err) < 0) {
        ing_batch_abandon(&limiter->batch); // the queue is full: there is room for nothing that is fetched
        return ING_LIMITER_ASK_AGAIN_US;
    }
    limiter->claim = claim;
    limiter->claimed = true;
    limiter->sent_us = now_us;
    ing_batch_seal(limiter->batch);
    return ING_LIMITER_ASK_AGAIN_US;
}

void ing_limiter_tell_hold(struct ing_limiter *limiter, int64_t now_us, int64_t wait_us)
{
    // Answers that were under way together say the same; a second more is worth telling.
    if (now_us + wait_us <= limiter->told_us + MF_US_PER_SECOND)
        return;
    struct mf_error err;
    struct ing_budget_record hold;
    ing_limiter_record(limiter, ING_BUDGET_HOLD, &hold);
    hold.wait_us = wait_us < MF_US_PER_MS             ? MF_US_PER_MS
                   : wait_us > ING_BUDGET_WAIT_MAX_US ? ING_BUDGET_WAIT_MAX_US
                                                      : wait_us;
    if (publish(limiter, NULL, &hold, &err) < 0) {
        mf_log_error(limiter->setup.kafka->log, MF_LOG_WARNING, "fetch", "hold_not_told", &err,
                     "telling the key's other users to wait");
        return;
    }
    limiter->told_us = now_us + wait_us;
}

// ---------------------------------------------------------------- the log

static void on_own_claim(struct ing_limiter *limiter, const struct ing_budget_verdict *verdict,
                         int64_t now_us)
{
    limiter->claimed = false;
    limiter->behind_us = limiter->budget.log_us - now_us;
    if (verdict->granted == 0) {
        count_claim(limiter, "refused");
    } else if (now_us >= limiter->sent_us + ING_LIMITER_VALID_US) {
        count_claim(limiter, "late"); // wasted: others may have been told that its second is over
    } else {
        count_claim(limiter, verdict->granted == limiter->claim.count ? "granted" : "partial");
        limiter->held = now_us >= limiter->not_before_us ? verdict->granted : 0;
        ing_limiter_unpark(limiter);
    }
    mf_deferred_schedule(limiter->news);
}

// Of another process, or our own from before a restart: what is granted here and not started waits too.
static void on_hold(struct ing_limiter *limiter, const struct ing_budget_record *record, int64_t now_us)
{
    int64_t left_us = limiter->budget.held_until_us - ing_limiter_log_time(limiter, now_us);
    bool own = strcmp(record->process, limiter->claim.process) == 0;
    if (left_us <= 0 || own)
        return;
    limiter->held = 0;
    if (now_us + left_us > limiter->not_before_us)
        limiter->not_before_us = now_us + left_us;
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_BUDGET_HOLDS];
    mf_metric_add(MF_METRIC0(limiter->setup.kafka->metrics, def), 1);
    MF_LOGF(limiter->setup.kafka->log, MF_LOG_WARNING, "fetch", "budget_held",
            MF_FIELDS(mf_lf_str("provider", limiter->setup.provider),
                      mf_lf_i64("wait_ms", left_us / MF_US_PER_MS)),
            "another process with the key was told to ask less: nothing starts for %" PRId64 " ms",
            left_us / MF_US_PER_MS);
    mf_deferred_schedule(limiter->news);
}

// Said once: it will be so again.
static void note_odd(struct ing_limiter *limiter, const struct mf_kafka_message *message,
                     const struct mf_error *refused)
{
    struct mf_log *log = limiter->setup.kafka->log;
    if (refused != NULL && !limiter->refused_said) {
        limiter->refused_said = true;
        mf_log_error(log, MF_LOG_WARNING, "fetch", "budget_record_refused", refused,
                     "reading the budget's claims");
    }
    if (refused == NULL && !message->append_time && !limiter->clock_said) {
        limiter->clock_said = true;
        MF_LOGF(log, MF_LOG_WARNING, "fetch", "budget_clock", MF_FIELDS(mf_lf_str("topic", message->topic)),
                "the time stamps of %s are the writers', so their clocks have to agree: set "
                "message.timestamp.type=LogAppendTime",
                message->topic);
    }
}

static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct ing_limiter *limiter = arg;
    struct ing_budget_record record;
    struct ing_budget_verdict verdict;
    struct mf_error err;
    if (!mf_str_eq_c(message->key, limiter->id))
        return; // of another key
    if (ing_budget_decode(limiter->json, message->value, &record, &err) < 0) {
        note_odd(limiter, message, &err);
        return;
    }
    note_odd(limiter, message, NULL);
    ing_budget_fold(&limiter->budget, &record, message->timestamp_ms * MF_US_PER_MS, &verdict);
    int64_t now_us = mf_clock_monotonic_us();
    if (record.kind == ING_BUDGET_HOLD)
        on_hold(limiter, &record, now_us);
    else if (limiter->claimed && strcmp(record.process, limiter->claim.process) == 0 &&
             record.number == limiter->claim.number)
        on_own_claim(limiter, &verdict, now_us);
}

static void on_current(void *arg)
{
    struct ing_limiter *limiter = arg;
    limiter->current = true;
    mf_deferred_schedule(limiter->news);
}

static void on_error(void *arg, const struct mf_error *err)
{
    struct ing_limiter *limiter = arg;
    limiter->setup.on_fatal(limiter->setup.arg, err);
}

// From where the day's claims begin, and a window and the longest hold before it. This clock and the log's
// may differ by two hours about which day it is.
void ing_limiter_follow(struct ing_limiter *limiter)
{
    struct mf_kafka_follower_ops ops = {
        .on_message = on_message, .on_current = on_current, .on_error = on_error, .arg = limiter};
    struct mf_error err;
    int64_t real_us = mf_clock_real_us();
    int64_t from_us = real_us - 2 * MF_US_PER_HOUR;
    from_us -= from_us % MF_US_PER_DAY + ING_BUDGET_WAIT_MAX_US + MF_US_PER_HOUR;
    limiter->behind_us = real_us - mf_clock_monotonic_us(); // until the log says better
    if (mf_kafka_follower_new(limiter->setup.kafka, limiter->config->topic_budget, from_us / MF_US_PER_MS,
                              &ops, &limiter->follower, &err) < 0)
        limiter->setup.on_fatal(limiter->setup.arg, &err);
}
