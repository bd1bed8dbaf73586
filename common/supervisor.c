// SPDX-License-Identifier: Apache-2.0
// sd_notify. Nothing here fails for the caller: a supervisor that cannot be told notices by itself. With
// libsystemd 252 a message waits for a receiver that does not drain its socket, which is why STATUS= is sent
// once a second at most.
#include "common/supervisor.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/escape.h"

#define STATUS_INTERVAL_US MF_US_PER_SECOND
#define STATUS_SIZE 256

struct mf_supervisor {
    bool present;        // NOTIFY_SOCKET was given
    int64_t watchdog_us; // 0 = none
    int64_t last_status_us;
    char status[STATUS_SIZE]; // the last one sent
};

struct mf_supervisor *mf_supervisor_new(void)
{
    struct mf_supervisor *supervisor = mf_calloc(1, sizeof(*supervisor));
    uint64_t watchdog_us = 0;
    supervisor->present = getenv("NOTIFY_SOCKET") != NULL;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0 && watchdog_us <= INT64_MAX)
        supervisor->watchdog_us = (int64_t)watchdog_us;
    return supervisor;
}

void mf_supervisor_free(struct mf_supervisor **supervisor)
{
    free(*supervisor);
    *supervisor = NULL;
}

// A status is one line of UTF-8: a line break would begin another assignment of the protocol.
static void keep_status(struct mf_supervisor *supervisor, const char *status)
{
    size_t used;
    size_t len = mf_escape(MF_ESCAPE_TEXT, mf_str_of(status), supervisor->status, STATUS_SIZE - 1, &used);
    supervisor->status[len] = '\0';
}

void mf_supervisor_ready(struct mf_supervisor *supervisor, const char *status)
{
    if (!supervisor->present)
        return;
    keep_status(supervisor, status);
    sd_notifyf(0, "READY=1\nSTATUS=%s", supervisor->status);
}

void mf_supervisor_status(struct mf_supervisor *supervisor, const char *status, int64_t now_monotonic_us)
{
    if (!supervisor->present)
        return;
    if (supervisor->last_status_us != 0 && now_monotonic_us - supervisor->last_status_us < STATUS_INTERVAL_US)
        return; // the caller refreshes it periodically, so that the last one wins
    char before[STATUS_SIZE];
    memcpy(before, supervisor->status, sizeof before);
    keep_status(supervisor, status);
    if (strcmp(before, supervisor->status) == 0)
        return;
    supervisor->last_status_us = now_monotonic_us;
    sd_notifyf(0, "STATUS=%s", supervisor->status);
}

void mf_supervisor_reloading(struct mf_supervisor *supervisor)
{
    // systemd 253 and later hold a reload without the stamp to be stuck; 252 ignores it.
    if (supervisor->present)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)mf_clock_monotonic_us());
}

void mf_supervisor_stopping(struct mf_supervisor *supervisor, const char *status)
{
    if (!supervisor->present)
        return;
    keep_status(supervisor, status);
    sd_notifyf(0, "STOPPING=1\nSTATUS=%s", supervisor->status);
}

void mf_supervisor_extend(struct mf_supervisor *supervisor, int64_t timeout_us)
{
    if (supervisor->present)
        sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld", (long long)timeout_us);
}

int64_t mf_supervisor_watchdog_us(const struct mf_supervisor *supervisor)
{
    return supervisor->watchdog_us;
}

void mf_supervisor_ping(struct mf_supervisor *supervisor)
{
    if (supervisor->present)
        sd_notify(0, "WATCHDOG=1");
}
