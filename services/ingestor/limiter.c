// SPDX-License-Identifier: Apache-2.0
// May a request start? (See limiter.h.)
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/service.h"
#include "services/ingestor/limiter_private.h"

#define RECENT_US (ING_BUDGET_GRANT_US / 2)
#define ASK_LEAST_US (2 * MF_US_PER_MS)
// A claim takes no more than this share of what is free for requests that are not due yet.
enum { FAR_SHARE = 4, SLOW_S = 5 };

static bool is_shared(const struct ing_limiter *limiter)
{
    return limiter->own == NULL;
}

static bool is_limited(const struct ing_limiter *limiter)
{
    return limiter->config->requests_per_minute > 0 || limiter->config->requests_per_day > 0;
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

void ing_limiter_unpark(struct ing_limiter *limiter)
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
    ing_limiter_record(limiter, ING_BUDGET_CLAIM, &all);
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
    int64_t log_us = ing_limiter_log_time(limiter, now_us);
    if (demand.priority == ING_PRIORITY_MAX)
        return ING_LIMITER_ASK_AGAIN_US;
    ing_limiter_record(limiter, ING_BUDGET_CLAIM, &claim);
    claim.priority = demand.priority;
    struct ing_budget_verdict verdict = ing_budget_peek(&limiter->budget, &claim, log_us);
    if (verdict.granted > 0)
        return ing_limiter_send_claim(limiter, demand.priority, count_to_claim(limiter, &demand, log_us),
                                      now_us);
    if (verdict.reason == ING_BUDGET_DAY)
        park(limiter, verdict.retry_us);
    else if (verdict.reason != ING_BUDGET_HELD && claim.priority < ING_PRIORITY_BACKFILL &&
             ing_budget_wanted(&limiter->budget, claim.process, log_us) == 0)
        return ing_limiter_send_claim(limiter, demand.priority, demand.now, now_us);
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
        ing_limiter_unpark(limiter);
    } else if (per_day > 0 && mf_ratelimit_used_today(limiter->own, real_us) >= per_day) {
        park(limiter, (real_us / MF_US_PER_DAY + 1) * MF_US_PER_DAY);
    }
    return wait_us;
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
    ing_limiter_tell_hold(limiter, now_us, wait_us);
}

int64_t ing_limiter_ask(struct ing_limiter *limiter, int64_t now_us)
{
    if (!is_shared(limiter))
        return ask_own(limiter, now_us);
    if (now_us < limiter->not_before_us)
        return limiter->not_before_us - now_us;
    if (!is_limited(limiter))
        return 0;
    if (limiter->held > 0 && now_us < limiter->sent_us + ING_LIMITER_VALID_US)
        return 0;
    limiter->held = 0;
    ing_limiter_check_claim(limiter, now_us);
    if (limiter->claimed || !limiter->current)
        return ING_LIMITER_ASK_AGAIN_US;
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
    ing_limiter_record(limiter, ING_BUDGET_CLAIM, &claim);
    claim.count = UINT64_MAX;
    return now_us < limiter->not_before_us
               ? 0
               : (double)ing_budget_peek(&limiter->budget, &claim, ing_limiter_log_time(limiter, now_us))
                     .granted;
}

void ing_limiter_gauges(struct ing_limiter *limiter, int64_t now_us)
{
    struct mf_metrics *metrics = limiter->setup.kafka->metrics;
    int64_t real_us = mf_clock_real_us();
    if (limiter->parked_us != 0 &&
        (is_shared(limiter) ? ing_limiter_log_time(limiter, now_us) : real_us) >= limiter->parked_us)
        ing_limiter_unpark(limiter);
    uint64_t used = is_shared(limiter)
                        ? ing_budget_used_today(&limiter->budget, ing_limiter_log_time(limiter, now_us))
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
    bool reading = limiter->started && is_limited(limiter) && !limiter->current;
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
    ing_limiter_follow(limiter);
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
    ing_limiter_unpark(limiter);
    if (limiter->started)
        ing_limiter_follow(limiter);
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
