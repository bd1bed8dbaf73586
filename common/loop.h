// SPDX-License-Identifier: Apache-2.0
// The event loop (libevent behind it): file descriptors, timers, deferred calls, signals. One loop per
// process, one thread. Every callback must end within 500 records or 5 ms and re-arm through the kernel or a
// timer (house rule 1). Ownership: whoever makes a handle frees it, also from inside its own callback; no
// callback follows a free.
#ifndef MF_LOOP_H
#define MF_LOOP_H

#include "error.h"

struct mf_loop;
struct mf_timer;
struct mf_fd;
struct mf_signal;
struct mf_deferred;

typedef void (*mf_loop_fn)(void *arg);
typedef void (*mf_fd_fn)(int fd, unsigned events, void *arg);
typedef void (*mf_turn_fn)(int64_t duration_us, void *arg);

#define MF_FD_READ 1u
#define MF_FD_WRITE 2u

// FATAL when the system refuses (no epoll, no descriptors).
int mf_loop_new(struct mf_loop **loop, struct mf_error *err);
void mf_loop_free(struct mf_loop **loop); // after every handle on it
// Runs until mf_loop_stop. Returns 0, or -1 FATAL. May be run again.
int mf_loop_run(struct mf_loop *loop, struct mf_error *err);
// Ends the run after the callbacks that are due in this turn; before a run: the run returns at once.
void mf_loop_stop(struct mf_loop *loop);
// Called after every callback that the loop dispatched with its duration (µs): feeds the turn-duration
// histogram.
void mf_loop_set_turn_observer(struct mf_loop *loop, mf_turn_fn fn, void *arg);
// Reason text of the backend, for the "process up" line: "libevent 2.1.12-stable epoll".
const char *mf_loop_backend(const struct mf_loop *loop);

enum mf_loop_severity {
    MF_LOOP_DEBUG,
    MF_LOOP_NOTICE,
    MF_LOOP_WARNING,
    MF_LOOP_ERROR,
    MF_LOOP_FATAL // the process ends by abort() when fn returns
};
typedef void (*mf_loop_log_fn)(enum mf_loop_severity severity, const char *message, void *arg);
// Takes libevent's own messages, which otherwise go to stderr. Per process, as libevent has it; NULL ends it.
void mf_loop_set_log(mf_loop_log_fn fn, void *arg);

// A timer starts disarmed. Delays are monotonic; 0 means "the next turn". arm_every repeats until cancelled
// or re-armed.
struct mf_timer *mf_timer_new(struct mf_loop *loop, mf_loop_fn fn, void *arg);
void mf_timer_free(struct mf_timer **timer);
void mf_timer_arm_us(struct mf_timer *timer, int64_t delay_us);
void mf_timer_arm_ms(struct mf_timer *timer, int64_t delay_ms);
void mf_timer_arm_every_ms(struct mf_timer *timer, int64_t period_ms);
void mf_timer_cancel(struct mf_timer *timer);
bool mf_timer_is_armed(const struct mf_timer *timer);

// Watches fd (non-blocking; borrowed: free the watch before closing it), level-triggered. events may be 0
// (watch nothing) and changed later. NULL with errno when the kernel cannot watch it: EPERM for a regular
// file, EBADF, ENOSPC.
struct mf_fd *mf_fd_new(struct mf_loop *loop, int fd, unsigned events, mf_fd_fn fn, void *arg);
void mf_fd_free(struct mf_fd **watch);
// 0, or -1 with errno as above; then nothing is watched.
int mf_fd_set_events(struct mf_fd *watch, unsigned events);

struct mf_signal *mf_signal_new(struct mf_loop *loop, int signal_number, mf_loop_fn fn, void *arg);
void mf_signal_free(struct mf_signal **signal);

// A call that is to run once after the current callback has returned. Scheduling an already scheduled one is
// a no-op.
struct mf_deferred *mf_deferred_new(struct mf_loop *loop, mf_loop_fn fn, void *arg);
void mf_deferred_free(struct mf_deferred **deferred);
void mf_deferred_schedule(struct mf_deferred *deferred);

#endif
