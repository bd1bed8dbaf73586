// SPDX-License-Identifier: Apache-2.0
// Claims, and what the log says about them (see limiter.h).
#include "services/ingestor/limiter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/ratelimit.h"
#include "common/service.h"

// A grant's second is measured from before its claim was sent; less a little, because time stamps of the log
// are whole milliseconds and clocks of two machines do not run alike.
#define VALID_US (ING_BUDGET_GRANT_US - 50 * MF_US_PER_MS)
#define ASK_AGAIN_US MF_US_PER_SECOND // while something is under way that on_news tells of
#define RECENT_US (ING_BUDGET_GRANT_US / 2)
#define ASK_LEAST_US (2 * MF_US_PER_MS)
// A claim takes no more than this share of what is free for requests that are not due yet.
enum { FAR_SHARE = 4, SLOW_S = 5 };

struct ing_limiter {
    struct ing_limiter_config setup;
    const struct ing_config *config;
    struct ing_limiter_ops ops;
    struct mf_ratelimit *own; // NULL = shared
    struct ing_budget budget;
    struct mf_kafka_follower *follower;
    struct mf_json *json;
    struct mf_deferred *news;
    struct ing_batch *batch; // of the claim under way
    char id[ING_BUDGET_ID_LEN + 1];
    struct ing_budget_record claim; // under way, or the last one
    bool started, current, claimed; // current: the past is read; claimed: one is under way
    bool refused_said, clock_said;
    uint64_t held;         // requests granted and not started
    int64_t sent_us;       // monotonic, of the claim
    int64_t behind_us;     // log time less monotonic time
    int64_t not_before_us; // monotonic, after a 429
    int64_t told_us;       // monotonic, end of the hold that was told
    int64_t parked_us;     // log time; 0 = not parked
    // How many start in half a second: now, and in the one before.
    int64_t recent_us;
    uint64_t recent, recent_before;
};

static bool is_shared(const struct ing_limiter *limiter)
{
    return limiter->own == NULL;
}

static bool is_limited(const struct ing_limiter *limiter)
{
    return limiter->config->requests_per_minute > 0 || limiter->config->requests_per_day > 0;
}

static void count_claim(struct ing_limiter *limiter, const char *result)
{
    const struct mf_metric_def *def = &ing_metric_defs[ING_M_BUDGET_CLAIMS];
    mf_metric_add(MF_METRIC(limiter->setup.kafka->metrics, def, result), 1);
}

static int64_t log_time(const struct ing_limiter *limiter, int64_t now_us)
{
    return now_us + limiter->behind_us;
}

static void record_init(const struct ing_limiter *limiter, enum ing_budget_kind kind,
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

// ---------------------------------------------------------------- the end of the day

static void park(struct ing_limiter *limiter, int64_t until_us)
{
    char text[MF_TIME_TEXT_SIZE];
    if (limiter->parked_us == until_us)
        return;
    limiter->parked_us = until_us;
    MF_LOGF(limiter->setup.kafka->log, MF_LOG_WARNING, "fetch", "budget_used_up",
            MF_FIELDS(mf_lf_str("provider", limiter->setup.provider),
                      mf_lf_i64("per_day", limiter->config->requests_per_day),
                      mf_lf_str("until", mf_time_format_ms(until_us, text))),
            "the day's %u requests are used up: %s is asked again from %s on",
            limiter->config->requests_per_day, limiter->setup.provider, text);
}

static void unpark(struct ing_limiter *limiter)
{
    if (limiter->parked_us == 0)
        return;
    limiter->parked_us = 0;
    MF_LOGF(limiter->setup.kafka->log, MF_LOG_NOTICE, "fetch", "budget_renewed",
            MF_FIELDS(mf_lf_str("provider", limiter->setup.provider)), "a new day's requests may start");
}

int64_t ing_limiter_parked_until_us(const struct ing_limiter *limiter)
{
    return limiter->parked_us;
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

// Acknowledged: the log brings it. Failed: it may be there all the same, or come still, and then it is
// wasted; the next one has another number.
static void on_delivered(void *arg, const struct mf_error *err)
{
    struct ing_limiter *limiter = arg;
    limiter->batch = NULL;
    if (err == NULL || !limiter->claimed)
        return;
    limiter->claimed = false;
    count_claim(limiter, "lost");
    mf_log_error(limiter->setup.kafka->log, MF_LOG_WARNING, "fetch", "claim_lost", err,
                 "claiming requests of the budget");
    mf_deferred_schedule(limiter->news);
}

static int64_t send_claim(struct ing_limiter *limiter, enum ing_priority priority, uint64_t count,
                          int64_t now_us)
{
    struct mf_error err;
    struct ing_budget_record claim;
    record_init(limiter, ING_BUDGET_CLAIM, &claim);
    claim.number = limiter->claim.number + 1;
    claim.priority = priority;
    claim.count = count;
    limiter->batch = ing_batch_new(limiter->setup.publisher, on_delivered, limiter);
    if (publish(limiter, limiter->batch, &claim, &err) < 0) {
        ing_batch_abandon(&limiter->batch); // the queue is full: there is room for nothing that is fetched
        return ASK_AGAIN_US;
    }
    limiter->claim = claim;
    limiter->claimed = true;
    limiter->sent_us = now_us;
    ing_batch_seal(limiter->batch);
    return ASK_AGAIN_US;
}

void ing_limiter_hold(struct ing_limiter *limiter, int64_t wait_us)
{
    int64_t now_us = mf_clock_monotonic_us();
    if (!is_shared(limiter)) {
        mf_ratelimit_penalty(limiter->own, now_us, wait_us);
        return;
    }
    limiter->held = 0;
    if (now_us + wait_us > limiter->not_before_us)
        limiter->not_before_us = now_us + wait_us;
    // Answers that were under way together say the same; a second more is worth telling.
    if (now_us + wait_us <= limiter->told_us + MF_US_PER_SECOND)
        return;
    struct mf_error err;
    struct ing_budget_record hold;
    record_init(limiter, ING_BUDGET_HOLD, &hold);
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
    } else if (now_us >= limiter->sent_us + VALID_US) {
        count_claim(limiter, "late"); // wasted: others may have been told that its second is over
    } else {
        count_claim(limiter, verdict->granted == limiter->claim.count ? "granted" : "partial");
        limiter->held = now_us >= limiter->not_before_us ? verdict->granted : 0;
        unpark(limiter);
    }
    mf_deferred_schedule(limiter->news);
}

// Of another process, or our own from before a restart: what is granted here and not started waits too.
static void on_hold(struct ing_limiter *limiter, const struct ing_budget_record *record, int64_t now_us)
{
    int64_t left_us = limiter->budget.held_until_us - log_time(limiter, now_us);
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
static void follow(struct ing_limiter *limiter)
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

// ---------------------------------------------------------------- asking

// The next half second will want as much as the last one did: the next pages of what is under way now.
static void note_start(struct ing_limiter *limiter, int64_t now_us)
{
    if (now_us >= limiter->recent_us + RECENT_US) {
        limiter->recent_before = now_us < limiter->recent_us + 2 * RECENT_US ? limiter->recent : 0;
        limiter->recent = 0;
        limiter->recent_us = now_us;
    }
    limiter->recent++;
}

static uint64_t recent_starts(const struct ing_limiter *limiter, int64_t now_us)
{
    if (now_us >= limiter->recent_us + 2 * RECENT_US)
        return 0;
    return limiter->recent > limiter->recent_before ? limiter->recent : limiter->recent_before;
}

static uint64_t count_to_claim(const struct ing_limiter *limiter, const struct ing_demand *demand,
                               int64_t log_us)
{
    struct ing_budget_record all;
    record_init(limiter, ING_BUDGET_CLAIM, &all);
    all.priority = demand->priority;
    all.count = ING_BUDGET_COUNT_MAX;
    uint64_t share = ing_budget_peek(&limiter->budget, &all, log_us).granted / FAR_SHARE;
    uint64_t count = recent_starts(limiter, mf_clock_monotonic_us());
    if (count < demand->soon)
        count = demand->soon;
    if (count > share)
        count = share;
    if (count < demand->now)
        count = demand->now;
    return count < ING_BUDGET_COUNT_MAX ? count : ING_BUDGET_COUNT_MAX;
}

// Without room there is nothing to be had by a claim; but those whose turn is before others' say that they
// wait.
static int64_t claim_or_wait(struct ing_limiter *limiter, int64_t now_us)
{
    struct ing_demand demand = limiter->ops.demand(limiter->ops.arg);
    struct ing_budget_record claim;
    int64_t log_us = log_time(limiter, now_us);
    if (demand.priority == ING_PRIORITY_MAX)
        return ASK_AGAIN_US;
    record_init(limiter, ING_BUDGET_CLAIM, &claim);
    claim.priority = demand.priority;
    struct ing_budget_verdict verdict = ing_budget_peek(&limiter->budget, &claim, log_us);
    if (verdict.granted > 0)
        return send_claim(limiter, demand.priority, count_to_claim(limiter, &demand, log_us), now_us);
    if (verdict.reason == ING_BUDGET_DAY)
        park(limiter, verdict.retry_us);
    else if (verdict.reason != ING_BUDGET_HELD && claim.priority < ING_PRIORITY_BACKFILL &&
             ing_budget_wanted(&limiter->budget, claim.process, log_us) == 0)
        return send_claim(limiter, demand.priority, demand.now, now_us);
    int64_t wait_us = verdict.retry_us - log_us;
    return wait_us > ASK_LEAST_US ? wait_us : ASK_LEAST_US;
}

static int64_t ask_own(struct ing_limiter *limiter, int64_t now_us)
{
    if (limiter->held > 0)
        return 0;
    int64_t real_us = mf_clock_real_us();
    int64_t wait_us = mf_ratelimit_take(limiter->own, now_us, real_us);
    unsigned per_day = limiter->config->requests_per_day;
    if (wait_us == 0) {
        limiter->held = 1;
        unpark(limiter);
    } else if (per_day > 0 && mf_ratelimit_used_today(limiter->own, real_us) >= per_day) {
        park(limiter, (real_us / MF_US_PER_DAY + 1) * MF_US_PER_DAY);
    }
    return wait_us;
}

int64_t ing_limiter_ask(struct ing_limiter *limiter, int64_t now_us)
{
    if (!is_shared(limiter))
        return ask_own(limiter, now_us);
    if (now_us < limiter->not_before_us)
        return limiter->not_before_us - now_us;
    if (!is_limited(limiter))
        return 0;
    if (limiter->held > 0 && now_us < limiter->sent_us + VALID_US)
        return 0;
    limiter->held = 0;
    if (limiter->claimed || !limiter->current)
        return ASK_AGAIN_US;
    return claim_or_wait(limiter, now_us);
}

void ing_limiter_spend(struct ing_limiter *limiter)
{
    if (limiter->held == 0)
        return; // without a limit
    limiter->held--;
    note_start(limiter, mf_clock_monotonic_us());
}

// ---------------------------------------------------------------- what it shows

static double tokens(const struct ing_limiter *limiter, int64_t now_us)
{
    struct ing_budget_record claim;
    if (limiter->config->requests_per_minute == 0)
        return -1;
    if (!is_shared(limiter))
        return mf_ratelimit_available(limiter->own, now_us);
    record_init(limiter, ING_BUDGET_CLAIM, &claim);
    claim.count = UINT64_MAX;
    return now_us < limiter->not_before_us
               ? 0
               : (double)ing_budget_peek(&limiter->budget, &claim, log_time(limiter, now_us)).granted;
}

void ing_limiter_gauges(struct ing_limiter *limiter, int64_t now_us)
{
    struct mf_metrics *metrics = limiter->setup.kafka->metrics;
    int64_t real_us = mf_clock_real_us();
    if (limiter->parked_us != 0 &&
        (is_shared(limiter) ? log_time(limiter, now_us) : real_us) >= limiter->parked_us)
        unpark(limiter);
    uint64_t used = is_shared(limiter) ? ing_budget_used_today(&limiter->budget, log_time(limiter, now_us))
                                       : mf_ratelimit_used_today(limiter->own, real_us);
    mf_metric_set(MF_METRIC0(metrics, &ing_metric_defs[ING_M_RATE_TOKENS]), tokens(limiter, now_us));
    mf_metric_set(MF_METRIC0(metrics, &ing_metric_defs[ING_M_BUDGET_USED]), (double)used);
    mf_metric_set(MF_METRIC0(metrics, &ing_metric_defs[ING_M_BUDGET_PARKED]),
                  (double)limiter->parked_us / (double)MF_US_PER_SECOND);
}

void ing_limiter_check_ready(const struct ing_limiter *limiter, struct mf_health *health)
{
    char text[MF_TIME_TEXT_SIZE];
    int64_t slow_us = limiter->claimed ? mf_clock_monotonic_us() - limiter->sent_us : 0;
    bool reading = is_shared(limiter) && is_limited(limiter) && !limiter->current;
    if (limiter->parked_us != 0)
        mf_health_add(health, "budget", false, "the day's requests are used up until %s",
                      mf_time_format_ms(limiter->parked_us, text));
    else if (reading)
        mf_health_add(health, "budget", false, "reading the day's claims back");
    else if (slow_us > SLOW_S * MF_US_PER_SECOND)
        mf_health_add(health, "budget", false, "a claim is not seen for %" PRId64 " s",
                      slow_us / MF_US_PER_SECOND);
    else
        mf_health_add(health, "budget", true, "requests may start");
}

// ---------------------------------------------------------------- life

static void on_news(void *arg)
{
    struct ing_limiter *limiter = arg;
    limiter->ops.on_news(limiter->ops.arg);
}

struct ing_limiter *ing_limiter_new(const struct ing_limiter_config *config)
{
    struct ing_limiter *limiter = mf_calloc(1, sizeof *limiter);
    const struct ing_config *settings = config->config;
    *limiter = (struct ing_limiter){.setup = *config, .config = settings, .json = mf_json_new()};
    ing_budget_init(&limiter->budget);
    limiter->not_before_us = limiter->told_us = INT64_MIN;
    snprintf(limiter->claim.process, sizeof limiter->claim.process, "%016" PRIx64, mf_random_seed());
    limiter->news = mf_deferred_new(config->kafka->loop, on_news, limiter);
    if (config->publisher == NULL || !settings->budget_shared)
        limiter->own = mf_ratelimit_new(settings->requests_per_minute, settings->requests_per_day);
    else
        ing_budget_id(config->provider, settings->api_key, limiter->id);
    return limiter;
}

void ing_limiter_listen(struct ing_limiter *limiter, const struct ing_limiter_ops *ops)
{
    limiter->ops = *ops;
}

void ing_limiter_start(struct ing_limiter *limiter)
{
    if (limiter->started || !is_shared(limiter))
        return;
    limiter->started = true;
    follow(limiter);
}

void ing_limiter_reconfigure(struct ing_limiter *limiter, const struct ing_config *config)
{
    char id[ING_BUDGET_ID_LEN + 1];
    limiter->config = config;
    if (!is_shared(limiter))
        return;
    ing_budget_id(limiter->setup.provider, config->api_key, id);
    if (strcmp(id, limiter->id) == 0)
        return;
    mf_str_copy(limiter->id, sizeof limiter->id, mf_str_of(id));
    ing_batch_abandon(&limiter->batch);
    ing_budget_free(&limiter->budget);
    mf_kafka_follower_free(&limiter->follower);
    limiter->current = limiter->claimed = false;
    limiter->held = 0;
    limiter->not_before_us = limiter->told_us = INT64_MIN;
    unpark(limiter);
    if (limiter->started)
        follow(limiter);
}

void ing_limiter_free(struct ing_limiter **limiter)
{
    struct ing_limiter *old = *limiter;
    if (old == NULL)
        return;
    *limiter = NULL;
    ing_batch_abandon(&old->batch);
    mf_kafka_follower_free(&old->follower);
    mf_deferred_free(&old->news);
    mf_ratelimit_free(&old->own);
    ing_budget_free(&old->budget);
    mf_json_free(&old->json);
    free(old);
}
