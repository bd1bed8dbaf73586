// SPDX-License-Identifier: Apache-2.0
// Deadline for a call that cannot be interrupted: between arm and disarm, if deadline_ms passes, the process
// writes one line to stderr (lost where nobody reads it) and leaves with 75 (_exit, nothing is flushed).
// Meant for the blocking ODBC calls: a frozen server holds them for ever, and leaving is safe where the
// outcome can be read back after a restart. State: one POSIX timer per process, made on first use. Not for
// use by several threads.
#ifndef MF_DEADLINE_GUARD_H
#define MF_DEADLINE_GUARD_H

#include "base.h"

// Starts the countdown. `doing` is a literal that completes the sentence "<doing> took longer than …".
// Nesting is asserted against; deadline_ms must be positive.
void mf_deadline_guard_arm(int64_t deadline_ms, const char *doing);
// Stops it. Without effect when it is not armed.
void mf_deadline_guard_disarm(void);
bool mf_deadline_guard_is_armed(void);

#endif
