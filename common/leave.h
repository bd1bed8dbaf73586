// SPDX-License-Identifier: Apache-2.0
// Leaving at once, from inside a signal handler: async-signal-safe (signal-safety(7)), waits for nothing.
#ifndef MF_LEAVE_H
#define MF_LEAVE_H

#include <stddef.h>

// Writes the line to stderr if there is room for it, at most PIPE_BUF bytes of it, and ends the process with
// 75 (MF_EXIT_TEMPORARY), nothing flushed. Where nobody reads stderr, the line is lost rather than the exit.
// The caller forms the line beforehand: forming one is not async-signal-safe.
_Noreturn void mf_leave_now(const char *line, size_t len);

#endif
