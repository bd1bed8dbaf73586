// SPDX-License-Identifier: Apache-2.0
// The deadline guard: a child that hangs leaves with 75 and says why; one that disarms in time goes on.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/deadline_guard.h"
#include "common/error.h"

// Runs `child` in a process of its own whose stderr is collected; returns its wait status.
static int run(void (*child)(void), char *output, size_t output_size)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        child();
        _exit(1);
    }
    close(pipe_fds[1]);
    size_t used = 0;
    ssize_t got;
    while (used + 1 < output_size && (got = read(pipe_fds[0], output + used, output_size - 1 - used)) > 0)
        used += (size_t)got;
    output[used] = '\0';
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

// A read that no signal handler's return would end: the pipe has no other end that writes.
static void hang(void)
{
    int fds[2];
    char byte;
    if (pipe(fds) != 0)
        _exit(2);
    for (;;)
        (void)!read(fds[0], &byte, 1);
}

static void hang_under_guard(void)
{
    mf_deadline_guard_arm(30, "flushing a batch");
    hang();
}

static void hang_on_the_second_use(void)
{
    mf_deadline_guard_arm(60000, "the first call");
    mf_deadline_guard_disarm();
    mf_deadline_guard_arm(30, "the second call");
    hang();
}

// Longer than the deadline in the end, but disarmed before it.
static void disarm_and_outlive_it(void)
{
    mf_deadline_guard_arm(50, "a quick call");
    mf_deadline_guard_disarm();
    int64_t until = mf_clock_monotonic_us() + 200 * MF_US_PER_MS;
    while (mf_clock_monotonic_us() < until)
        ;
    _exit(0);
}

// The signal came just as the call returned: disarmed first, delivered afterwards.
static void disarm_with_the_signal_on_its_way(void)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    mf_deadline_guard_arm(1, "a call");
    sigprocmask(SIG_BLOCK, &all, &before);
    sigset_t pending;
    do
        sigpending(&pending);
    while (!sigismember(&pending, SIGRTMIN + 3));
    mf_deadline_guard_disarm();
    sigprocmask(SIG_SETMASK, &before, NULL);
    _exit(0);
}

static void test_leaves_with_75_and_one_line(void **state)
{
    (void)state;
    char line[512];
    int status = run(hang_under_guard, line, sizeof line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MF_EXIT_TEMPORARY);
    assert_non_null(strstr(line, "flushing a batch took longer than 30 ms"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_names_the_call_that_hangs(void **state)
{
    (void)state;
    char line[512];
    int status = run(hang_on_the_second_use, line, sizeof line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MF_EXIT_TEMPORARY);
    assert_non_null(strstr(line, "the second call took longer"));
    assert_null(strstr(line, "the first call"));
}

// Whoever reads the log has stopped: stderr is a pipe without room, and its write would wait for ever.
static void hang_with_a_full_stderr(void)
{
    int fds[2];
    char bytes[4096] = {0};
    if (pipe(fds) != 0 || dup2(fds[1], STDERR_FILENO) < 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0)
        _exit(2);
    for (size_t size = sizeof bytes; size > 0; size /= 2) {
        while (write(fds[1], bytes, size) > 0)
            ;
    }
    if (fcntl(fds[1], F_SETFL, 0) != 0)
        _exit(2);
    alarm(20); // ends a child that the guard does not: by SIGALRM
    mf_deadline_guard_arm(30, "flushing a batch");
    hang();
}

static void test_leaves_although_nobody_reads_stderr(void **state)
{
    (void)state;
    char line[512];
    int status = run(hang_with_a_full_stderr, line, sizeof line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), MF_EXIT_TEMPORARY);
    assert_string_equal(line, "");
}

static void test_disarmed_in_time_does_nothing(void **state)
{
    (void)state;
    char line[512];
    int status = run(disarm_and_outlive_it, line, sizeof line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(line, "");
}

static void test_signal_on_its_way_is_ignored(void **state)
{
    (void)state;
    char line[512];
    int status = run(disarm_with_the_signal_on_its_way, line, sizeof line);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(line, "");
}

static void arm_twice(void)
{
    mf_deadline_guard_arm(1000, "one");
    mf_deadline_guard_arm(1000, "two");
    _exit(0);
}

static void test_nesting_is_a_broken_invariant(void **state)
{
    (void)state;
    char line[512];
    int status = run(arm_twice, line, sizeof line);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_knows_whether_it_is_armed(void **state)
{
    (void)state;
    assert_false(mf_deadline_guard_is_armed());
    mf_deadline_guard_disarm(); // without effect
    mf_deadline_guard_arm(60000, "a call");
    assert_true(mf_deadline_guard_is_armed());
    mf_deadline_guard_disarm();
    assert_false(mf_deadline_guard_is_armed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_with_75_and_one_line),
        cmocka_unit_test(test_names_the_call_that_hangs),
        cmocka_unit_test(test_leaves_although_nobody_reads_stderr),
        cmocka_unit_test(test_disarmed_in_time_does_nothing),
        cmocka_unit_test(test_signal_on_its_way_is_ignored),
        cmocka_unit_test(test_nesting_is_a_broken_invariant),
        cmocka_unit_test(test_knows_whether_it_is_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
