// SPDX-License-Identifier: Apache-2.0
// The loop: order, fairness, frees from inside callbacks, and what the kernel refuses. A test that could hang
// ends through a guard timer, which is a failure.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/loop.h"

struct fixture {
    struct mf_loop *loop;
    struct mf_timer *guard, *timer, *other;
    struct mf_fd *watch;
    struct mf_signal *signal;
    struct mf_deferred *deferred, *second;
    int fd;
    int calls, other_calls;
    int limit;
    char order[32];
    unsigned events;
    int64_t at_us;
};

static void on_guard(void *arg)
{
    struct fixture *f = arg;
    mf_loop_stop(f->loop);
    fail_msg("nothing ended the loop within 10 s");
}

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    struct mf_error err;
    assert_int_equal(mf_loop_new(&f->loop, &err), 0);
    f->guard = mf_timer_new(f->loop, on_guard, f);
    mf_timer_arm_ms(f->guard, 10000);
    f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(f->fd >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_fd_free(&f->watch);
    mf_timer_free(&f->guard);
    mf_timer_free(&f->timer);
    mf_timer_free(&f->other);
    mf_signal_free(&f->signal);
    mf_deferred_free(&f->deferred);
    mf_deferred_free(&f->second);
    mf_loop_free(&f->loop);
    assert_null(f->loop);
    close(f->fd);
    free(f);
    return 0;
}

static void run(struct fixture *f)
{
    struct mf_error err;
    assert_int_equal(mf_loop_run(f->loop, &err), 0);
}

static void note(struct fixture *f, char what)
{
    size_t len = strlen(f->order);
    assert_true(len + 1 < sizeof f->order);
    f->order[len] = what;
}

static void stop_now(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    f->at_us = mf_clock_monotonic_us();
    mf_loop_stop(f->loop);
}

static void timer_fires_after_its_delay(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, stop_now, f);
    assert_false(mf_timer_is_armed(f->timer));
    int64_t begin = mf_clock_monotonic_us();
    mf_timer_arm_us(f->timer, 2500);
    assert_true(mf_timer_is_armed(f->timer));
    run(f);
    assert_int_equal(f->calls, 1);
    assert_false(mf_timer_is_armed(f->timer));
    // Never early, not even by the cached time of a loop that has been busy.
    assert_true(f->at_us - begin >= 2500);
}

static void arm_after_busy_work(void *arg)
{
    struct fixture *f = arg;
    int64_t begin = mf_clock_monotonic_us();
    while (mf_clock_monotonic_us() - begin < 20000)
        ;
    f->at_us = mf_clock_monotonic_us();
    mf_timer_arm_us(f->other, 15000);
}

static void check_not_early(void *arg)
{
    struct fixture *f = arg;
    assert_true(mf_clock_monotonic_us() - f->at_us >= 15000);
    mf_loop_stop(f->loop);
}

static void delay_counts_from_the_call(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, arm_after_busy_work, f);
    f->other = mf_timer_new(f->loop, check_not_early, f);
    mf_timer_arm_us(f->timer, 0);
    run(f);
}

static void count_to_limit(void *arg)
{
    struct fixture *f = arg;
    if (++f->calls == f->limit)
        mf_loop_stop(f->loop);
}

static void periodic_timer_repeats_until_cancelled(void **state)
{
    struct fixture *f = *state;
    f->limit = 5;
    f->timer = mf_timer_new(f->loop, count_to_limit, f);
    int64_t begin = mf_clock_monotonic_us();
    mf_timer_arm_every_ms(f->timer, 2);
    run(f);
    assert_int_equal(f->calls, 5);
    assert_true(mf_clock_monotonic_us() - begin >= 10000);
    assert_true(mf_timer_is_armed(f->timer));
    mf_timer_cancel(f->timer);
    assert_false(mf_timer_is_armed(f->timer));

    f->other = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_ms(f->other, 10);
    run(f);
    assert_int_equal(f->calls, 6); // the other's call alone
}

static void fall_behind(void *arg)
{
    struct fixture *f = arg;
    int64_t begin = mf_clock_monotonic_us();
    while (f->calls == 0 && mf_clock_monotonic_us() - begin < 50000)
        ;
    f->calls++;
    f->at_us = mf_clock_monotonic_us();
    if (f->calls == f->limit)
        mf_loop_stop(f->loop);
}

// A timer that fell behind does not catch up with a burst: what it missed is skipped.
static void missed_periods_are_skipped(void **state)
{
    struct fixture *f = *state;
    f->limit = 3;
    f->timer = mf_timer_new(f->loop, fall_behind, f);
    int64_t begin = mf_clock_monotonic_us();
    mf_timer_arm_every_ms(f->timer, 5);
    run(f);
    assert_true(f->at_us - begin >= 5000 + 50000 + 5000);
}

static void cancel_self(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    mf_timer_cancel(f->timer);
}

static void periodic_timer_is_cancelled_by_its_callback(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, cancel_self, f);
    mf_timer_arm_every_ms(f->timer, 1);
    struct fixture stopper = {.loop = f->loop};
    f->other = mf_timer_new(f->loop, stop_now, &stopper);
    mf_timer_arm_ms(f->other, 10);
    run(f);
    assert_int_equal(f->calls, 1);
}

static void one_shot_replaces_period(void **state)
{
    struct fixture *f = *state;
    f->limit = 2;
    f->timer = mf_timer_new(f->loop, count_to_limit, f);
    mf_timer_arm_every_ms(f->timer, 1);
    mf_timer_arm_ms(f->timer, 1);
    struct fixture stopper = {.loop = f->loop};
    f->other = mf_timer_new(f->loop, stop_now, &stopper);
    mf_timer_arm_ms(f->other, 10);
    run(f);
    assert_int_equal(f->calls, 1);
}

static void far_and_negative_delays_are_clamped(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_us(f->timer, INT64_MAX);
    assert_true(mf_timer_is_armed(f->timer));
    mf_timer_arm_ms(f->timer, INT64_MAX);
    assert_true(mf_timer_is_armed(f->timer));
    mf_timer_arm_us(f->timer, -5);
    run(f);
    assert_int_equal(f->calls, 1);
}

static void free_self_and_other(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    mf_timer_free(&f->timer);
    mf_timer_free(&f->other);
    mf_loop_stop(f->loop);
}

// Two timers due in the same turn, each freeing both: whichever runs first, the other is never called.
static void timer_freed_by_callback_is_not_called(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, free_self_and_other, f);
    f->other = mf_timer_new(f->loop, free_self_and_other, f);
    mf_timer_arm_us(f->timer, 0);
    mf_timer_arm_us(f->other, 0);
    run(f);
    assert_int_equal(f->calls, 1);
    assert_null(f->timer);
    mf_timer_free(&f->timer); // NULL-safe
}

static void on_readable(int fd, unsigned events, void *arg)
{
    struct fixture *f = arg;
    uint64_t value;
    f->events |= events;
    f->calls++;
    if ((events & MF_FD_READ) != 0)
        assert_int_equal(read(fd, &value, sizeof value), sizeof value);
    mf_loop_stop(f->loop);
}

static void wake(struct fixture *f)
{
    uint64_t one = 1;
    assert_int_equal(write(f->fd, &one, sizeof one), sizeof one);
}

static void watch_follows_its_events(void **state)
{
    struct fixture *f = *state;
    f->watch = mf_fd_new(f->loop, f->fd, MF_FD_READ, on_readable, f);
    assert_non_null(f->watch);
    wake(f);
    run(f);
    assert_int_equal(f->events, MF_FD_READ);

    // Nothing watched: a readable descriptor is not reported; the timer ends the run.
    assert_int_equal(mf_fd_set_events(f->watch, 0), 0);
    wake(f);
    f->calls = 0;
    f->events = 0;
    f->timer = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_ms(f->timer, 5);
    run(f);
    assert_int_equal(f->events, 0);

    assert_int_equal(mf_fd_set_events(f->watch, MF_FD_READ | MF_FD_WRITE), 0);
    run(f);
    assert_int_equal(f->events, MF_FD_READ | MF_FD_WRITE);

    f->events = 0;
    assert_int_equal(mf_fd_set_events(f->watch, MF_FD_WRITE), 0);
    wake(f);
    run(f);
    assert_int_equal(f->events, MF_FD_WRITE);
}

static void drop_watch(int fd MF_UNUSED, unsigned events MF_UNUSED, void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    mf_fd_free(&f->watch);
    mf_loop_stop(f->loop);
}

static void watch_is_freed_by_its_callback(void **state)
{
    struct fixture *f = *state;
    f->watch = mf_fd_new(f->loop, f->fd, MF_FD_READ, drop_watch, f);
    wake(f);
    run(f);
    assert_null(f->watch);
    f->timer = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_ms(f->timer, 2);
    run(f);
    assert_int_equal(f->calls, 2);
}

static void count_log(enum mf_loop_severity severity, const char *message, void *arg)
{
    int *lines = arg;
    (*lines)++;
    print_message("libevent (%d): %s\n", (int)severity, message);
}

static void quiet(enum mf_loop_severity severity, const char *message, void *arg)
{
    struct fixture *f = arg;
    f->other_calls++;
    assert_int_equal(severity, MF_LOOP_WARNING);
    assert_non_null(strstr(message, "Epoll"));
}

static void what_the_kernel_refuses(void **state)
{
    struct fixture *f = *state;
    mf_loop_set_log(quiet, f); // libevent says so in its log, too
    int file = open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(file >= 0);
    assert_null(mf_fd_new(f->loop, file, MF_FD_READ, on_readable, f));
    assert_int_equal(errno, EPERM);

    f->watch = mf_fd_new(f->loop, file, 0, on_readable, f);
    assert_non_null(f->watch);
    assert_int_equal(mf_fd_set_events(f->watch, MF_FD_WRITE), -1);
    assert_int_equal(mf_fd_set_events(f->watch, 0), 0);
    mf_fd_free(&f->watch);
    close(file);
    assert_int_equal(f->other_calls, 2);
    mf_loop_set_log(NULL, NULL);
}

static void no_descriptors_is_fatal(void **state MF_UNUSED)
{
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    struct mf_loop *loop = NULL;
    struct mf_error err = {0};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = mf_loop_new(&loop, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(result, -1);
    assert_int_equal(err.class, MF_ERROR_FATAL);
    assert_string_equal(err.code, "loop_unavailable");
    assert_null(loop);
}

static void on_usr1(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    mf_signal_free(&f->signal); // the case that libevent itself does not survive
    mf_loop_stop(f->loop);
}

static void signal_is_delivered_and_freed_inside(void **state)
{
    struct fixture *f = *state;
    f->signal = mf_signal_new(f->loop, SIGUSR1, on_usr1, f);
    assert_int_equal(raise(SIGUSR1), 0);
    run(f);
    assert_int_equal(f->calls, 1);
    assert_null(f->signal);
    // Unhooked: the old disposition is back.
    struct sigaction now;
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
    f->timer = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_us(f->timer, 0);
    run(f);
}

static void second_call(void *arg)
{
    note(arg, '2');
    stop_now(arg);
}

static void first_call(void *arg)
{
    note(arg, '1');
}

static void schedules(void *arg)
{
    struct fixture *f = arg;
    mf_deferred_schedule(f->deferred);
    mf_deferred_schedule(f->second);
    mf_deferred_schedule(f->deferred); // a no-op
    note(f, 't');
}

static void deferred_runs_once_after_the_callback(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, schedules, f);
    f->deferred = mf_deferred_new(f->loop, first_call, f);
    f->second = mf_deferred_new(f->loop, second_call, f);
    mf_timer_arm_us(f->timer, 0);
    run(f);
    assert_string_equal(f->order, "t12");
}

static void reschedule(void *arg)
{
    struct fixture *f = arg;
    f->other_calls++;
    mf_deferred_schedule(f->deferred);
}

// A call that always schedules itself again must not starve timers.
static void deferred_is_fair(void **state)
{
    struct fixture *f = *state;
    f->limit = 3;
    f->timer = mf_timer_new(f->loop, count_to_limit, f);
    f->deferred = mf_deferred_new(f->loop, reschedule, f);
    mf_timer_arm_every_ms(f->timer, 1);
    mf_deferred_schedule(f->deferred);
    run(f);
    assert_int_equal(f->calls, 3);
    assert_true(f->other_calls > 3);
}

static void frees_second(void *arg)
{
    struct fixture *f = arg;
    note(f, '1');
    mf_deferred_free(&f->second);
    mf_deferred_free(&f->deferred);
    mf_timer_arm_us(f->timer, 0);
}

static void freed_deferred_is_not_called(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, stop_now, f);
    f->deferred = mf_deferred_new(f->loop, frees_second, f);
    f->second = mf_deferred_new(f->loop, second_call, f);
    mf_deferred_schedule(f->deferred);
    mf_deferred_schedule(f->second);
    run(f);
    assert_string_equal(f->order, "1");
}

static void on_turn(int64_t duration_us, void *arg)
{
    struct fixture *f = arg;
    f->other_calls++;
    assert_true(duration_us >= 0);
    if (f->at_us < duration_us)
        f->at_us = duration_us;
}

static void busy_then_stop(void *arg)
{
    struct fixture *f = arg;
    int64_t begin = mf_clock_monotonic_us();
    while (mf_clock_monotonic_us() - begin < 3000)
        ;
    f->at_us = 0;
    mf_loop_stop(f->loop);
}

static void observer_sees_every_turn(void **state)
{
    struct fixture *f = *state;
    mf_loop_set_turn_observer(f->loop, on_turn, f);
    f->deferred = mf_deferred_new(f->loop, first_call, f);
    f->timer = mf_timer_new(f->loop, busy_then_stop, f);
    mf_deferred_schedule(f->deferred);
    mf_timer_arm_ms(f->timer, 1);
    run(f);
    assert_int_equal(f->other_calls, 2);
    assert_true(f->at_us >= 3000);
}

static void stop_before_run_returns_at_once(void **state)
{
    struct fixture *f = *state;
    f->timer = mf_timer_new(f->loop, stop_now, f);
    mf_timer_arm_us(f->timer, 0);
    mf_loop_stop(f->loop);
    run(f);
    assert_int_equal(f->calls, 0);
    run(f); // the stop was for that run only
    assert_int_equal(f->calls, 1);
}

// A loop whose epoll descriptor is gone: the wait fails, and that is an error value, not a hang.
static void broken_wait_is_fatal(void **state MF_UNUSED)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mf_error err = {0};
        struct mf_loop *loop = NULL;
        mf_loop_set_log(NULL, NULL);
        int first = dup(2);
        close(first);
        if (mf_loop_new(&loop, &err) != 0)
            _exit(2);
        int lines = 0;
        mf_loop_set_log(count_log, &lines);
        for (int fd = first; fd < first + 8; fd++)
            close(fd);
        int result = mf_loop_run(loop, &err);
        _exit(result == -1 && err.class == MF_ERROR_FATAL && lines > 0 ? 70 : 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

static void backend_is_named(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(mf_loop_backend(f->loop), "libevent 2."));
    assert_non_null(strstr(mf_loop_backend(f->loop), "epoll"));
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timer_fires_after_its_delay),
        LOOP_TEST(delay_counts_from_the_call),
        LOOP_TEST(periodic_timer_repeats_until_cancelled),
        LOOP_TEST(periodic_timer_is_cancelled_by_its_callback),
        LOOP_TEST(missed_periods_are_skipped),
        LOOP_TEST(one_shot_replaces_period),
        LOOP_TEST(far_and_negative_delays_are_clamped),
        LOOP_TEST(timer_freed_by_callback_is_not_called),
        LOOP_TEST(watch_follows_its_events),
        LOOP_TEST(watch_is_freed_by_its_callback),
        LOOP_TEST(what_the_kernel_refuses),
        LOOP_TEST(signal_is_delivered_and_freed_inside),
        LOOP_TEST(deferred_runs_once_after_the_callback),
        LOOP_TEST(deferred_is_fair),
        LOOP_TEST(freed_deferred_is_not_called),
        LOOP_TEST(observer_sees_every_turn),
        LOOP_TEST(stop_before_run_returns_at_once),
        LOOP_TEST(backend_is_named),
        cmocka_unit_test(no_descriptors_is_fatal),
        cmocka_unit_test(broken_wait_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
