// SPDX-License-Identifier: Apache-2.0
// What the skeleton does by the clock: the tick of one second, the watchdog, the stats line.
#include <malloc.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/service_internal.h"

#define TICK_MS 1000
#define TRIM_TICKS 10
#define TRIM_QUIET_US (TRIM_TICKS * TICK_MS * MF_US_PER_MS / 20) // 5 % of a core
#define TRIM_FREE_BYTES ((size_t)2 * 1024 * 1024)

static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * MF_US_PER_SECOND + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

// A backlog leaves tens of MiB with the allocator that the trickle afterwards never needs: they go back to
// the system when the process has become quiet.
static void give_memory_back(struct mf_service_private *p)
{
    if (++p->ticks % TRIM_TICKS != 0)
        return;
    int64_t used_us = cpu_us() - p->last_cpu_us;
    p->last_cpu_us += used_us;
    if (used_us < TRIM_QUIET_US && mallinfo2().fordblks > TRIM_FREE_BYTES)
        malloc_trim(0);
}

static void on_tick(void *arg)
{
    struct mf_service_private *p = arg;
    int64_t now = mf_clock_monotonic_us();
    int64_t late = now - p->last_tick_us - TICK_MS * MF_US_PER_MS;
    mf_metric_observe(MF_METRIC0(p->service.metrics, &mf_common_metrics[MF_M_LOOP_LAG]),
                      late > 0 ? (double)late / 1e6 : 0);
    p->last_tick_us = now;
    mf_log_tick(p->service.log);
    give_memory_back(p);
    char status[MF_SERVICE_STATUS_MAX];
    mf_service_status_text(p, status);
    mf_supervisor_status(p->supervisor, status, now);
}

// Half the period is what sd_watchdog_enabled(3) advises. A loop that lives while its service does not move
// must not look healthy, so the service is asked first; a dependency that is away must not stop the pings
// (is_alive).
static void on_watchdog(void *arg)
{
    struct mf_service_private *p = arg;
    int64_t now = mf_clock_monotonic_us();
    bool alive = mf_service_is_alive(p);
    if (alive == p->ping_withheld) { // changed
        p->ping_withheld = !alive;
        if (alive)
            MF_LOG(p->service.log, MF_LOG_NOTICE, "service", "watchdog_resumed", "the service moves again");
        else
            MF_LOG(p->service.log, MF_LOG_ERROR, "service", "watchdog_withheld",
                   "the service does not move: no watchdog ping until it does");
    }
    if (!alive || now - p->last_ping_us < mf_supervisor_watchdog_us(p->supervisor) / 4)
        return;
    p->last_ping_us = now;
    mf_supervisor_ping(p->supervisor);
}

static void on_stats(void *arg)
{
    struct mf_service_private *p = arg;
    char status[MF_SERVICE_STATUS_MAX];
    mf_service_status_text(p, status);
    MF_LOG(p->service.log, MF_LOG_INFO, "service", "stats", "%s", status);
}

void mf_service_timers_start(struct mf_service_private *p)
{
    p->last_tick_us = mf_clock_monotonic_us();
    p->tick = mf_timer_new(p->service.loop, on_tick, p);
    mf_timer_arm_every_ms(p->tick, TICK_MS);
    int64_t watchdog_us = mf_supervisor_watchdog_us(p->supervisor);
    if (watchdog_us > 0) {
        int64_t half_ms = watchdog_us / 2 / MF_US_PER_MS;
        p->watchdog = mf_timer_new(p->service.loop, on_watchdog, p);
        mf_timer_arm_every_ms(p->watchdog, half_ms > 0 ? half_ms : 1);
    }
    int64_t stats_ms = mf_settings_integer(p->service.settings, "LOG_STATS_MS");
    if (stats_ms > 0) {
        p->stats = mf_timer_new(p->service.loop, on_stats, p);
        mf_timer_arm_every_ms(p->stats, stats_ms);
    }
}

void mf_service_timers_free(struct mf_service_private *p)
{
    mf_timer_free(&p->tick);
    mf_timer_free(&p->watchdog);
    mf_timer_free(&p->stats);
    mf_timer_free(&p->grace);
}
