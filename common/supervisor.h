// SPDX-License-Identifier: Apache-2.0
// The process supervisor's protocol (sd_notify of libsystemd). All calls are no-ops without NOTIFY_SOCKET.
// A status is one line; what would break it is escaped, what is too long is cut.
#ifndef MF_SUPERVISOR_H
#define MF_SUPERVISOR_H

#include "base.h"

struct mf_supervisor;

struct mf_supervisor *mf_supervisor_new(void);
void mf_supervisor_free(struct mf_supervisor **supervisor);
void mf_supervisor_ready(struct mf_supervisor *supervisor, const char *status);
// Sends STATUS= when it differs from the last one, at most once a second: what comes earlier is left out, so
// call it periodically with the present text.
void mf_supervisor_status(struct mf_supervisor *supervisor, const char *status, int64_t now_monotonic_us);
void mf_supervisor_reloading(struct mf_supervisor *supervisor); // with MONOTONIC_USEC
void mf_supervisor_stopping(struct mf_supervisor *supervisor, const char *status);
void mf_supervisor_extend(struct mf_supervisor *supervisor, int64_t timeout_us); // EXTEND_TIMEOUT_USEC
// The watchdog period in µs, 0 when there is none (WATCHDOG_USEC, WATCHDOG_PID).
int64_t mf_supervisor_watchdog_us(const struct mf_supervisor *supervisor);
void mf_supervisor_ping(struct mf_supervisor *supervisor); // WATCHDOG=1

#endif
