// SPDX-License-Identifier: Apache-2.0
// The event loop on libevent 2.1. Every callback goes through a turn, which is timed for the observer.
// Ownership: a handle belongs to whoever made it; the loop owns only its base and the queue of deferred
// calls. Failure class: FATAL when the system refuses an event base or the wait itself fails.
#include "common/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/clock.h"

// libevent turns a delay into a struct timeval; a year is longer than any delay that is meant.
#define LOOP_DELAY_MAX_US (366 * MF_US_PER_DAY)

TAILQ_HEAD(deferred_queue, mf_deferred);
SLIST_HEAD(dead_signals, mf_signal);

struct mf_loop {
    struct event_base *base;
    struct event *deferred_event; // a zero timer: armed while the queue or the list of the dead is not empty
    struct deferred_queue deferred;
    uint64_t deferred_round;
    struct dead_signals dead;
    mf_turn_fn observer;
    void *observer_arg;
    size_t handles; // alive, made by others
    bool running;
    bool stop;
    char backend[64];
};

struct mf_timer {
    struct mf_loop *loop;
    struct event *event;
    mf_loop_fn fn;
    void *arg;
    int64_t period_us; // 0 = one shot
    int64_t due_us;    // monotonic, of a periodic timer
};

struct mf_fd {
    struct mf_loop *loop;
    struct event *event;
    mf_fd_fn fn;
    void *arg;
    int fd;
    unsigned events;
};

struct mf_signal {
    struct mf_loop *loop;
    struct event *event;
    mf_loop_fn fn;
    void *arg;
    SLIST_ENTRY(mf_signal) dead_entry;
};

struct mf_deferred {
    struct mf_loop *loop;
    mf_loop_fn fn;
    void *arg;
    bool queued;
    uint64_t round; // in which it was queued
    TAILQ_ENTRY(mf_deferred) entry;
};

// libevent keeps one log and one fatal callback per process, so this state cannot hang off a loop.
static mf_loop_log_fn log_fn;
static void *log_arg;

static void on_libevent_log(int severity, const char *message)
{
    static const enum mf_loop_severity of[] = {
        [EVENT_LOG_DEBUG] = MF_LOOP_DEBUG,
        [EVENT_LOG_MSG] = MF_LOOP_NOTICE,
        [EVENT_LOG_WARN] = MF_LOOP_WARNING,
        [EVENT_LOG_ERR] = MF_LOOP_ERROR,
    };
    bool known = severity >= 0 && (size_t)severity < MF_ARRAY_LEN(of);
    if (log_fn != NULL)
        log_fn(known ? of[severity] : MF_LOOP_ERROR, message, log_arg);
}

// libevent would call exit(), which runs handlers in a state that it has just declared broken.
static void on_libevent_fatal(int status)
{
    char message[64];
    snprintf(message, sizeof message, "libevent cannot go on (status %d)", status);
    if (log_fn != NULL)
        log_fn(MF_LOOP_FATAL, message, log_arg);
    abort();
}

void mf_loop_set_log(mf_loop_log_fn fn, void *arg)
{
    log_fn = fn;
    log_arg = arg;
    event_set_log_callback(fn != NULL ? on_libevent_log : NULL);
    event_set_fatal_callback(fn != NULL ? on_libevent_fatal : NULL);
}

static struct timeval timeval_of(int64_t delay_us)
{
    if (delay_us < 0)
        delay_us = 0;
    if (delay_us > LOOP_DELAY_MAX_US)
        delay_us = LOOP_DELAY_MAX_US;
    return (struct timeval){.tv_sec = delay_us / MF_US_PER_SECOND, .tv_usec = delay_us % MF_US_PER_SECOND};
}

// Without memory for an event nothing can go on (house rule 5).
static struct event *event_of(struct mf_loop *loop, evutil_socket_t fd, short what, event_callback_fn fn,
                              void *arg)
{
    struct event *event = event_new(loop->base, fd, what, fn, arg);
    if (event == NULL)
        abort();
    return event;
}

static void arm(struct event *event, int64_t delay_us)
{
    struct timeval delay = timeval_of(delay_us);
    // Adding a timer fails only for lack of memory.
    if (event_add(event, &delay) != 0)
        abort();
}

// Ends the turn that began at `begin`. The handle whose callback ran may be gone; the loop never is, because
// it is not freed from inside a callback.
static void end_turn(struct mf_loop *loop, int64_t begin)
{
    if (loop->observer != NULL)
        loop->observer(mf_clock_monotonic_us() - begin, loop->observer_arg);
}

static void run_turn(struct mf_loop *loop, mf_loop_fn fn, void *arg)
{
    int64_t begin = mf_clock_monotonic_us();
    fn(arg);
    end_turn(loop, begin);
}

static void bury_signals(struct mf_loop *loop)
{
    while (!SLIST_EMPTY(&loop->dead)) {
        struct mf_signal *signal = SLIST_FIRST(&loop->dead);
        SLIST_REMOVE_HEAD(&loop->dead, dead_entry);
        event_free(signal->event);
        free(signal);
    }
}

static void on_deferred(evutil_socket_t fd MF_UNUSED, short what MF_UNUSED, void *arg)
{
    struct mf_loop *loop = arg;
    bury_signals(loop);
    // Only what was waiting when this round began: a call that schedules itself again comes after the
    // sockets.
    loop->deferred_round++;
    struct mf_deferred *first;
    while ((first = TAILQ_FIRST(&loop->deferred)) != NULL && first->round < loop->deferred_round) {
        TAILQ_REMOVE(&loop->deferred, first, entry);
        first->queued = false;
        run_turn(loop, first->fn, first->arg);
    }
}

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    // Precise: the default clock of libevent is the coarse one, off by up to 4 ms, and epoll rounds up to
    // whole milliseconds. No cached time: a timer armed at the end of a long callback must not start in its
    // past.
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NO_CACHE_TIME |
                                      EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

// libevent 2.1 ends the process when the pair of sockets for its signals cannot be made, so that must be
// known before. It takes four descriptors: epoll, timer, and the pair.
static bool descriptors_are_left(void)
{
    int fds[4];
    size_t made = 0;
    while (made < MF_ARRAY_LEN(fds) && (fds[made] = eventfd(0, EFD_CLOEXEC)) >= 0)
        made++;
    int saved = errno;
    for (size_t i = 0; i < made; i++)
        close(fds[i]);
    errno = saved;
    return made == MF_ARRAY_LEN(fds);
}

int mf_loop_new(struct mf_loop **loop, struct mf_error *err)
{
#ifdef __SANITIZE_ADDRESS__
    // libevent's own checks of misuse; allowed once per process and before any event.
    static bool debugging;
    if (!debugging)
        event_enable_debug_mode();
    debugging = true;
#endif
    struct event_base *base = descriptors_are_left() ? base_new() : NULL;
    if (base == NULL)
        return mf_error_set(err, MF_ERROR_FATAL, "loop_unavailable", "cannot make an event loop: %s",
                            strerror(errno));
    struct mf_loop *made = mf_calloc(1, sizeof *made);
    made->base = base;
    TAILQ_INIT(&made->deferred);
    SLIST_INIT(&made->dead);
    made->deferred_event = event_of(made, -1, 0, on_deferred, made);
    snprintf(made->backend, sizeof made->backend, "libevent %s %s", event_get_version(),
             event_base_get_method(base));
    *loop = made;
    return 0;
}

void mf_loop_free(struct mf_loop **loop)
{
    if (*loop == NULL)
        return;
    struct mf_loop *dying = *loop;
    assert(!dying->running);
    assert(dying->handles == 0); // a handle that outlives its loop would point into freed memory
    bury_signals(dying);
    event_free(dying->deferred_event);
    event_base_free(dying->base);
    free(dying);
    *loop = NULL;
}

int mf_loop_run(struct mf_loop *loop, struct mf_error *err)
{
    assert(!loop->running);
    loop->running = true;
    int result = 0;
    while (result == 0 && !loop->stop) {
        // One turn of the kernel's wait at a time. event_base_loopexit is not used: it leaves an exit behind
        // that a later run would meet.
        if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
            result = mf_error_set(err, MF_ERROR_FATAL, "loop_failed", "the event loop failed: %s",
                                  strerror(errno));
    }
    loop->running = false;
    loop->stop = false;
    return result;
}

void mf_loop_stop(struct mf_loop *loop)
{
    loop->stop = true;
}

void mf_loop_set_turn_observer(struct mf_loop *loop, mf_turn_fn fn, void *arg)
{
    loop->observer = fn;
    loop->observer_arg = arg;
}

const char *mf_loop_backend(const struct mf_loop *loop)
{
    return loop->backend;
}

static void on_timer(evutil_socket_t fd MF_UNUSED, short what MF_UNUSED, void *arg)
{
    struct mf_timer *timer = arg;
    if (timer->period_us > 0) {
        // Armed before the callback, which may cancel, re-arm or free the timer. Missed periods are skipped.
        int64_t now = mf_clock_monotonic_us();
        timer->due_us += timer->period_us;
        if (timer->due_us <= now)
            timer->due_us = now + timer->period_us;
        arm(timer->event, timer->due_us - now);
    }
    run_turn(timer->loop, timer->fn, timer->arg);
}

struct mf_timer *mf_timer_new(struct mf_loop *loop, mf_loop_fn fn, void *arg)
{
    struct mf_timer *timer = mf_calloc(1, sizeof *timer);
    *timer = (struct mf_timer){.loop = loop, .fn = fn, .arg = arg};
    timer->event = event_of(loop, -1, 0, on_timer, timer);
    loop->handles++;
    return timer;
}

void mf_timer_free(struct mf_timer **timer)
{
    if (*timer == NULL)
        return;
    event_free((*timer)->event); // also takes it out of the queue of events that are due
    (*timer)->loop->handles--;
    free(*timer);
    *timer = NULL;
}

void mf_timer_arm_us(struct mf_timer *timer, int64_t delay_us)
{
    timer->period_us = 0;
    arm(timer->event, delay_us);
}

void mf_timer_arm_ms(struct mf_timer *timer, int64_t delay_ms)
{
    bool far = delay_ms > LOOP_DELAY_MAX_US / MF_US_PER_MS;
    mf_timer_arm_us(timer, far ? LOOP_DELAY_MAX_US : delay_ms * MF_US_PER_MS);
}

void mf_timer_arm_every_ms(struct mf_timer *timer, int64_t period_ms)
{
    assert(period_ms > 0 && period_ms <= LOOP_DELAY_MAX_US / MF_US_PER_MS);
    timer->period_us = period_ms * MF_US_PER_MS;
    timer->due_us = mf_clock_monotonic_us() + timer->period_us;
    arm(timer->event, timer->period_us);
}

void mf_timer_cancel(struct mf_timer *timer)
{
    timer->period_us = 0;
    event_del(timer->event);
}

bool mf_timer_is_armed(const struct mf_timer *timer)
{
    return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    struct mf_fd *watch = arg;
    struct mf_loop *loop = watch->loop;
    unsigned events = ((what & EV_READ) != 0 ? MF_FD_READ : 0) | ((what & EV_WRITE) != 0 ? MF_FD_WRITE : 0);
    int64_t begin = mf_clock_monotonic_us();
    watch->fn(fd, events, watch->arg);
    end_turn(loop, begin);
}

struct mf_fd *mf_fd_new(struct mf_loop *loop, int fd, unsigned events, mf_fd_fn fn, void *arg)
{
    struct mf_fd *watch = mf_calloc(1, sizeof *watch);
    *watch = (struct mf_fd){.loop = loop, .fn = fn, .arg = arg, .fd = fd};
    watch->event = event_of(loop, fd, EV_PERSIST, on_fd, watch);
    loop->handles++;
    if (mf_fd_set_events(watch, events) != 0)
        mf_fd_free(&watch);
    return watch;
}

void mf_fd_free(struct mf_fd **watch)
{
    if (*watch == NULL)
        return;
    int saved = errno; // of a refused mf_fd_new
    event_free((*watch)->event);
    (*watch)->loop->handles--;
    free(*watch);
    *watch = NULL;
    errno = saved;
}

int mf_fd_set_events(struct mf_fd *watch, unsigned events)
{
    assert((events & ~(MF_FD_READ | MF_FD_WRITE)) == 0);
    if (events == watch->events)
        return 0;
    event_del(watch->event);
    watch->events = 0;
    if (events == 0)
        return 0;
    short what = (short)(EV_PERSIST | ((events & MF_FD_READ) != 0 ? EV_READ : 0) |
                         ((events & MF_FD_WRITE) != 0 ? EV_WRITE : 0));
    if (event_assign(watch->event, watch->loop->base, watch->fd, what, on_fd, watch) != 0 ||
        event_add(watch->event, NULL) != 0)
        return -1;
    watch->events = events;
    return 0;
}

static void on_signal(evutil_socket_t number MF_UNUSED, short what MF_UNUSED, void *arg)
{
    struct mf_signal *signal = arg;
    run_turn(signal->loop, signal->fn, signal->arg);
}

struct mf_signal *mf_signal_new(struct mf_loop *loop, int signal_number, mf_loop_fn fn, void *arg)
{
    struct mf_signal *signal = mf_calloc(1, sizeof *signal);
    *signal = (struct mf_signal){.loop = loop, .fn = fn, .arg = arg};
    signal->event = event_of(loop, signal_number, EV_SIGNAL | EV_PERSIST, on_signal, signal);
    if (event_add(signal->event, NULL) != 0)
        abort(); // only for a number that is no signal, or without memory
    loop->handles++;
    return signal;
}

void mf_signal_free(struct mf_signal **signal)
{
    if (*signal == NULL)
        return;
    struct mf_loop *loop = (*signal)->loop;
    // libevent 2.1 touches a signal's event after its callback (libevent#1287): unhook now, free in a later
    // turn.
    event_del((*signal)->event);
    SLIST_INSERT_HEAD(&loop->dead, *signal, dead_entry);
    arm(loop->deferred_event, 0);
    loop->handles--;
    *signal = NULL;
}

struct mf_deferred *mf_deferred_new(struct mf_loop *loop, mf_loop_fn fn, void *arg)
{
    struct mf_deferred *deferred = mf_calloc(1, sizeof *deferred);
    *deferred = (struct mf_deferred){.loop = loop, .fn = fn, .arg = arg};
    loop->handles++;
    return deferred;
}

void mf_deferred_free(struct mf_deferred **deferred)
{
    if (*deferred == NULL)
        return;
    struct mf_loop *loop = (*deferred)->loop;
    if ((*deferred)->queued)
        TAILQ_REMOVE(&loop->deferred, *deferred, entry);
    loop->handles--;
    free(*deferred);
    *deferred = NULL;
}

void mf_deferred_schedule(struct mf_deferred *deferred)
{
    struct mf_loop *loop = deferred->loop;
    if (deferred->queued)
        return;
    deferred->queued = true;
    deferred->round = loop->deferred_round;
    TAILQ_INSERT_TAIL(&loop->deferred, deferred, entry);
    arm(loop->deferred_event, 0);
}
