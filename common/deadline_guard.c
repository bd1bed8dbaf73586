// SPDX-License-Identifier: Apache-2.0
// The timer's signal is delivered on the thread that is stuck in the call (librdkafka's threads block all
// signals), so its handler may use async-signal-safe functions only: the line is composed when the guard is
// armed.
#include "common/deadline_guard.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/leave.h"

static struct {
    bool made;
    timer_t timer;
    volatile sig_atomic_t armed;
    char line[256];
    size_t line_len;
} guard;

// The disarming side clears `armed` first, so a signal that was already on its way does nothing.
static void on_deadline(int signal_number)
{
    (void)signal_number;
    if (guard.armed)
        mf_leave_now(guard.line, guard.line_len);
}

// A real-time signal of our own: the loop keeps SIGALRM and its like out of this.
static void make_timer(void)
{
    struct sigaction action = {.sa_handler = on_deadline};
    sigemptyset(&action.sa_mask);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3};
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGRTMIN + 3);
    if (sigaction(SIGRTMIN + 3, &action, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &guard.timer) != 0 ||
        sigprocmask(SIG_UNBLOCK, &own, NULL) != 0) {
        // Without the guard a frozen server would hold the process for ever; better not to run at all.
        fprintf(stderr, "deadline guard: no timer (errno %d)\n", errno);
        abort();
    }
    guard.made = true;
}

static void set_timer(int64_t delay_ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(delay_ms / 1000), .tv_nsec = (long)(delay_ms % 1000) * 1000000}};
    int result = timer_settime(guard.timer, 0, &when, NULL);
    assert(result == 0);
    (void)result;
}

void mf_deadline_guard_arm(int64_t deadline_ms, const char *doing)
{
    assert(!guard.armed);
    assert(deadline_ms > 0);
    if (!guard.made)
        make_timer();
    int length =
        snprintf(guard.line, sizeof guard.line,
                 "{\"level\":\"critical\",\"module\":\"deadline_guard\",\"event\":\"deadline_passed\","
                 "\"msg\":\"%s took longer than %lld ms: leaving with %d\"}\n",
                 doing, (long long)deadline_ms, MF_EXIT_TEMPORARY);
    assert(length > 0 && (size_t)length < sizeof guard.line);
    guard.line_len = (size_t)length;
    guard.armed = 1;
    set_timer(deadline_ms);
}

void mf_deadline_guard_disarm(void)
{
    if (!guard.armed)
        return;
    guard.armed = 0;
    set_timer(0);
}

bool mf_deadline_guard_is_armed(void)
{
    return guard.armed != 0;
}
