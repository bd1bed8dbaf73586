// SPDX-License-Identifier: Apache-2.0
// The supervisor's protocol against a socket of our own: exact messages, the limit on STATUS=, the watchdog's
// period.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/supervisor.h"

struct fixture {
    int fd;
    char folder[32];
    char path[64];
    char message[1024];
    struct mf_supervisor *supervisor;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(f->folder, sizeof f->folder, "/tmp/mf-test-notify-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/notify", f->folder);
    memcpy(address.sun_path, f->path, strlen(f->path) + 1);
    f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", f->path, 1), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    f->supervisor = mf_supervisor_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_supervisor_free(&f->supervisor);
    assert_null(f->supervisor);
    unsetenv("NOTIFY_SOCKET");
    close(f->fd);
    unlink(f->path);
    rmdir(f->folder);
    free(f);
    return 0;
}

// The next message, "" when there is none: a datagram is there when the call that sent it has returned.
static const char *next(struct fixture *f)
{
    ssize_t len = recv(f->fd, f->message, sizeof f->message - 1, 0);
    f->message[len > 0 ? len : 0] = '\0';
    return f->message;
}

static void messages_are_exact(void **state)
{
    struct fixture *f = *state;
    mf_supervisor_ready(f->supervisor, "running");
    assert_string_equal(next(f), "READY=1\nSTATUS=running");
    mf_supervisor_stopping(f->supervisor, "draining 3 records");
    assert_string_equal(next(f), "STOPPING=1\nSTATUS=draining 3 records");
    mf_supervisor_extend(f->supervisor, 1500000);
    assert_string_equal(next(f), "EXTEND_TIMEOUT_USEC=1500000");
    mf_supervisor_ping(f->supervisor);
    assert_string_equal(next(f), "WATCHDOG=1");
    int64_t before = mf_clock_monotonic_us();
    mf_supervisor_reloading(f->supervisor);
    static const char head[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_memory_equal(next(f), head, strlen(head));
    int64_t stamp;
    assert_true(mf_str_to_i64(mf_str_of(f->message + strlen(head)), &stamp));
    assert_true(stamp >= before && stamp <= mf_clock_monotonic_us());
}

static void status_is_limited_and_not_repeated(void **state)
{
    struct fixture *f = *state;
    int64_t now = 100 * MF_US_PER_SECOND;
    mf_supervisor_status(f->supervisor, "one", now);
    assert_string_equal(next(f), "STATUS=one");
    mf_supervisor_status(f->supervisor, "two", now + 999999);
    assert_string_equal(next(f), "");
    mf_supervisor_status(f->supervisor, "three", now + 1000000);
    assert_string_equal(next(f), "STATUS=three");
    mf_supervisor_status(f->supervisor, "three", now + 9000000);
    assert_string_equal(next(f), "");
    mf_supervisor_status(f->supervisor, "four", now + 9000001);
    assert_string_equal(next(f), "STATUS=four");
}

static void status_is_one_clean_line(void **state)
{
    struct fixture *f = *state;
    mf_supervisor_ready(f->supervisor, "a\nWATCHDOG=trigger\xff\x1b");
    assert_string_equal(next(f), "READY=1\nSTATUS=a\\nWATCHDOG=trigger\\xff\\x1b");
    char status[600];
    for (size_t i = 0; i + 2 < sizeof status; i += 2)
        memcpy(status + i, "é", 2);
    status[sizeof status - 2] = '\0';
    mf_supervisor_status(f->supervisor, status, MF_US_PER_SECOND);
    const char *message = next(f);
    assert_true(strlen(message) > 100 && strlen(message) < 300);
    assert_true(mf_str_is_utf8(mf_str_of(message)));
}

static void watchdog_is_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mf_supervisor_watchdog_us(f->supervisor), 0);
    static const struct {
        const char *usec, *pid;
        int64_t expected;
    } rows[] = {{"30000000", NULL, 30000000}, {"30000000", "1", 0}, {"x", NULL, 0}, {"0", NULL, 0}};
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        assert_int_equal(setenv("WATCHDOG_USEC", rows[i].usec, 1), 0);
        unsetenv("WATCHDOG_PID");
        if (rows[i].pid != NULL)
            assert_int_equal(setenv("WATCHDOG_PID", rows[i].pid, 1), 0);
        struct mf_supervisor *supervisor = mf_supervisor_new();
        assert_int_equal(mf_supervisor_watchdog_us(supervisor), rows[i].expected);
        mf_supervisor_free(&supervisor);
    }
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void nobody_is_told_without_a_socket(void **state)
{
    struct fixture *f = *state;
    unsetenv("NOTIFY_SOCKET");
    struct mf_supervisor *supervisor = mf_supervisor_new();
    mf_supervisor_ready(supervisor, "running");
    mf_supervisor_status(supervisor, "x", MF_US_PER_SECOND);
    mf_supervisor_reloading(supervisor);
    mf_supervisor_stopping(supervisor, "x");
    mf_supervisor_extend(supervisor, 1);
    mf_supervisor_ping(supervisor);
    mf_supervisor_free(&supervisor);
    assert_string_equal(next(f), "");
    mf_supervisor_free(&supervisor); // NULL-safe
}

#define NOTIFY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTIFY_TEST(messages_are_exact),
        NOTIFY_TEST(status_is_limited_and_not_repeated),
        NOTIFY_TEST(status_is_one_clean_line),
        NOTIFY_TEST(watchdog_is_read),
        NOTIFY_TEST(nobody_is_told_without_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
