// SPDX-License-Identifier: Apache-2.0
// Signals beyond the loop: what must work while a closing call blocks, and so cannot go through it. The
// handlers do nothing but leave (leave.h).
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/leave.h"
#include "common/service_internal.h"

// A real-time signal of the skeleton's own; the deadline guard of single calls has another.
#define GUARD_SIGNAL (SIGRTMIN + 4)

// What a handler says last. Formed before it is needed, because forming it is not async-signal-safe.
struct last_words {
    char line[MF_LOG_LINE_MAX];
    size_t len;
};
static struct last_words second_signal_words;
static struct last_words guard_words;

static void on_second_signal(int number MF_UNUSED)
{
    mf_leave_now(second_signal_words.line, second_signal_words.len);
}

static void on_guard(int number MF_UNUSED)
{
    mf_leave_now(guard_words.line, guard_words.len);
}

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        abort(); // only for a number that is no signal
}

void mf_service_prepare_process(void)
{
    // A descriptor 0 to 2 that is closed would be given to the next socket, and log lines would go into it. A
    // result has nowhere to go then: writing it fails, as it should.
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0)
            break; // else it is the lowest free one, this one
    }
    // One heap for us and one for librdkafka's threads: an arena per thread keeps what a backlog needed once.
    mallopt(M_ARENA_MAX, 2);
    // A reader that goes away and a file at its limit are errors of a write, not ends of the process.
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGXFSZ, SIG_IGN);
    // Whoever started us may have blocked what we must hear.
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < MF_ARRAY_LEN(heard); i++)
        sigaddset(&set, heard[i]);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void mf_service_second_signal_leaves(struct mf_log *log)
{
    second_signal_words.len =
        mf_log_prepare(log, MF_LOG_WARNING, "service", "second_signal",
                       "second signal: leaving at once with 75", second_signal_words.line);
    set_handler(SIGTERM, on_second_signal);
    set_handler(SIGINT, on_second_signal);
}

void mf_service_ignore_signals(void)
{
    set_handler(SIGTERM, SIG_IGN);
    set_handler(SIGINT, SIG_IGN);
    set_handler(SIGHUP, SIG_IGN);
}

void mf_service_guard_arm(struct mf_log *log, int64_t delay_ms)
{
    static timer_t timer;
    static bool made;
    if (made)
        return;
    guard_words.len = mf_log_prepare(log, MF_LOG_CRITICAL, "service", "close_hangs",
                                     "closing takes too long: leaving with 75", guard_words.line);
    set_handler(GUARD_SIGNAL, on_guard);
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, GUARD_SIGNAL);
    sigprocmask(SIG_UNBLOCK, &own, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = GUARD_SIGNAL};
    struct itimerspec once = {.it_value = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000}};
    made = true;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &once, NULL) != 0)
        MF_LOG(log, MF_LOG_WARNING, "service", "no_guard", "no timer for the guard of closing: %s",
               strerror(errno));
}
