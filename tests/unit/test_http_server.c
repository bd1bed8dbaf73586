// SPDX-License-Identifier: Apache-2.0
// The endpoint over real sockets: routes, methods, limits, addresses.
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/http_server.h"

struct client {
    struct mf_loop *loop;
    struct mf_fd *watch;
    char answer[65536];
    size_t len;
};

static int say_hello(void *arg, struct mf_buf *body, const char **content_type)
{
    *content_type = "application/json";
    mf_buf_addf(body, "{\"hello\":\"%s\"}", (const char *)arg);
    return 200;
}

static int say_unavailable(void *arg, struct mf_buf *body, const char **content_type)
{
    (void)arg;
    (void)content_type;
    mf_buf_add_c(body, "not yet\n");
    return 503;
}

#define LARGE ((size_t)6 * 1024 * 1024)

static int say_much(void *arg, struct mf_buf *body, const char **content_type)
{
    (void)content_type;
    size_t bytes = *(const size_t *)arg;
    for (size_t i = 0; i < bytes; i += 16)
        mf_buf_add_c(body, "0123456789abcde\n");
    return 200;
}

static char name_of_the_world[] = "world";
static size_t large = LARGE;
static size_t too_large = 2 * LARGE;
enum { ROUTES = 4 };
static const struct mf_http_route routes[ROUTES] = {{"/hello", say_hello, name_of_the_world},
                                                    {"/busy", say_unavailable, NULL},
                                                    {"/large", say_much, &large},
                                                    {"/too_large", say_much, &too_large}};

static void on_readable(int fd, unsigned events, void *arg)
{
    struct client *client = arg;
    (void)events;
    ssize_t n = read(fd, client->answer + client->len, sizeof(client->answer) - 1 - client->len);
    if (n > 0) {
        client->len += (size_t)n;
        return;
    }
    mf_loop_stop(client->loop);
}

static void on_timeout(void *arg)
{
    (void)arg;
    fail_msg("no answer");
}

static uint16_t port_of(const struct mf_http_server *server)
{
    const char *address = mf_http_server_address(server);
    int64_t port = 0;
    assert_memory_equal(address, "127.0.0.1:", 10);
    assert_true(mf_str_to_i64(mf_str_of(address + 10), &port) && port > 0 && port <= UINT16_MAX);
    return (uint16_t)port;
}

// Sends the request and returns everything that comes back until the server closes.
static const char *ask(struct mf_loop *loop, const struct mf_http_server *server, const char *request)
{
    static struct client client;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct mf_error err;
    memset(&client, 0, sizeof(client));
    client.loop = loop;
    address.sin_port = htons(port_of(server));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    client.watch = mf_fd_new(loop, fd, MF_FD_READ, on_readable, &client);
    struct mf_timer *patience = mf_timer_new(loop, on_timeout, NULL);
    mf_timer_arm_ms(patience, 30000);
    assert_int_equal(mf_loop_run(loop, &err), 0);
    mf_timer_free(&patience);
    mf_fd_free(&client.watch);
    close(fd);
    return client.answer;
}

static void test_answers(void **state)
{
    (void)state;
    struct mf_loop *loop = NULL;
    struct mf_http_server *server = NULL;
    struct mf_error err;
    assert_int_equal(mf_loop_new(&loop, &err), 0);
    assert_int_equal(mf_http_server_new(loop, "127.0.0.1:0", routes, ROUTES, &server, &err), 0);
    char long_header[9500];
    snprintf(long_header, sizeof(long_header), "GET /hello HTTP/1.0\r\nX-Long: %09000d\r\n\r\n", 7);
    const struct {
        const char *request, *status, *contains, *lacks;
    } rows[] = {
        {"GET /hello HTTP/1.0\r\n\r\n", "200", "{\"hello\":\"world\"}", NULL},
        {"GET /hello HTTP/1.0\r\n\r\n", "200", "Content-Type: application/json", NULL},
        {"GET /hello?x=1 HTTP/1.0\r\n\r\n", "200", "world", NULL},
        {"HEAD /hello HTTP/1.0\r\n\r\n", "200", "", "world"},
        {"GET /busy HTTP/1.0\r\n\r\n", "503", "not yet", NULL},
        {"GET /nothing HTTP/1.0\r\n\r\n", "404", "", NULL},
        {"HEAD /nothing HTTP/1.0\r\n\r\n", "404", "Content-Length: 10", "not found"},
        {"GET / HTTP/1.0\r\n\r\n", "404", "", NULL},
        {"DELETE /hello HTTP/1.0\r\n\r\n", "405", "Allow: GET, HEAD", "world"},
        {"POST /hello HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "405", "", "world"},
        {"POST /hello HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "413", "", "world"},
        {long_header, "400", "", "world"},
        {"nonsense\r\n\r\n", "400", "", "world"},
        {"GET /too_large HTTP/1.1\r\n\r\n", "500", "the answer is too large", NULL},
        {"GET /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "413", "", "world"},
        {"GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "413", "", "world"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        const char *answer = ask(loop, server, rows[i].request);
        if (strncmp(answer + 9, rows[i].status, 3) != 0)
            fail_msg("row %zu: %.60s", i, answer);
        assert_non_null(strstr(answer, rows[i].contains));
        if (rows[i].lacks != NULL && strstr(answer, rows[i].lacks) != NULL)
            fail_msg("row %zu: %s", i, answer);
    }
    mf_http_server_free(&server);
    assert_null(server);
    mf_loop_free(&loop);
}

static void test_addresses(void **state)
{
    (void)state;
    struct mf_loop *loop = NULL;
    struct mf_error err;
    assert_int_equal(mf_loop_new(&loop, &err), 0);
    static const char *const wrong[] = {
        "",       "nowhere",     "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:80", "127.0.0.1:8x"};
    for (size_t i = 0; i < MF_ARRAY_LEN(wrong); i++) {
        struct mf_http_server *server = NULL;
        assert_int_equal(mf_http_server_new(loop, wrong[i], routes, ROUTES, &server, &err), -1);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_string_equal(err.code, "bad_listen");
        assert_null(server);
    }
    struct mf_http_server *first = NULL, *second = NULL;
    assert_int_equal(mf_http_server_new(loop, "127.0.0.1:0", routes, ROUTES, &first, &err), 0);
    assert_int_equal(mf_http_server_new(loop, mf_http_server_address(first), routes, ROUTES, &second, &err),
                     -1);
    assert_string_equal(err.code, "cannot_listen");
    assert_non_null(strstr(err.message, mf_http_server_address(first)));
    mf_http_server_free(&first);
    mf_loop_free(&loop);
}

// ---------------------------------------------------------------- clients that behave badly

struct crowd {
    struct mf_loop *loop;
    struct mf_http_server *server;
    struct mf_timer *patience, *drip;
    struct mf_fd *watch;
    int fd;
    int turns;
    size_t dripped;
    bool closed;
};

static void on_patience(void *arg)
{
    struct crowd *crowd = arg;
    mf_loop_stop(crowd->loop);
    fail_msg("it did not come");
}

static void on_turn(int64_t duration_us MF_UNUSED, void *arg)
{
    struct crowd *crowd = arg;
    crowd->turns++;
}

static int crowd_setup(void **state)
{
    struct crowd *crowd = mf_calloc(1, sizeof *crowd);
    struct mf_error err;
    assert_int_equal(mf_loop_new(&crowd->loop, &err), 0);
    mf_loop_set_turn_observer(crowd->loop, on_turn, crowd);
    assert_int_equal(mf_http_server_new(crowd->loop, "127.0.0.1:0", routes, ROUTES, &crowd->server, &err), 0);
    crowd->patience = mf_timer_new(crowd->loop, on_patience, crowd);
    mf_timer_arm_ms(crowd->patience, 30000);
    crowd->fd = -1;
    *state = crowd;
    return 0;
}

static int crowd_teardown(void **state)
{
    struct crowd *crowd = *state;
    mf_timer_free(&crowd->patience);
    mf_timer_free(&crowd->drip);
    mf_fd_free(&crowd->watch);
    if (crowd->fd >= 0)
        close(crowd->fd);
    mf_http_server_free(&crowd->server);
    mf_loop_free(&crowd->loop);
    free(crowd);
    return 0;
}

static int connect_to(const struct mf_http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(port_of(server));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void on_drip(void *arg)
{
    struct crowd *crowd = arg;
    static const char head[] = "GET /hello HTTP/1.1\r\nX-Slow: ";
    char c = crowd->dripped < strlen(head) ? head[crowd->dripped] : 'x';
    if (send(crowd->fd, &c, 1, MSG_NOSIGNAL) == 1)
        crowd->dripped++;
}

static void on_closed(int fd, unsigned events MF_UNUSED, void *arg)
{
    struct crowd *crowd = arg;
    char rest[1024];
    if (recv(fd, rest, sizeof rest, 0) > 0)
        return;
    crowd->closed = true;
    mf_loop_stop(crowd->loop);
}

// A client that sends a byte every tenth of a second is never idle, and is closed all the same.
static void test_slow_client_is_closed(void **state)
{
    struct crowd *crowd = *state;
    struct mf_error err;
    crowd->fd = connect_to(crowd->server);
    crowd->watch = mf_fd_new(crowd->loop, crowd->fd, MF_FD_READ, on_closed, crowd);
    crowd->drip = mf_timer_new(crowd->loop, on_drip, crowd);
    mf_timer_arm_every_ms(crowd->drip, 100);
    int64_t begin = mf_clock_monotonic_us();
    assert_int_equal(mf_loop_run(crowd->loop, &err), 0);
    assert_true(crowd->closed);
    assert_true(mf_clock_monotonic_us() - begin >= 5 * MF_US_PER_SECOND);
    assert_true(crowd->dripped > 10);
}

// More idle connections than the server holds: a probe still gets its answer, and the oldest is gone.
static void test_crowd_does_not_keep_a_probe_out(void **state)
{
    struct crowd *crowd = *state;
    int fds[100];
    for (size_t i = 0; i < MF_ARRAY_LEN(fds); i++) {
        fds[i] = connect_to(crowd->server);
        if (i % 50 != 49) // the listener's backlog holds this many
            continue;
        const char *answer = ask(crowd->loop, crowd->server, "GET /hello HTTP/1.0\r\n\r\n");
        assert_non_null(strstr(answer, "world"));
    }
    char c;
    assert_int_equal(recv(fds[0], &c, 1, 0), 0);                      // closed
    assert_int_equal(recv(fds[MF_ARRAY_LEN(fds) - 1], &c, 1, 0), -1); // still open
    for (size_t i = 0; i < MF_ARRAY_LEN(fds); i++)
        close(fds[i]);
}

static void raise_limit(void *arg)
{
    const struct rlimit *limit = arg;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
}

// Out of descriptors: no busy loop, and the waiting client is answered once there is one again.
static void test_no_descriptors_is_survived(void **state)
{
    struct crowd *crowd = *state;
    struct rlimit old;
    struct mf_error err;
    crowd->fd = connect_to(crowd->server);
    crowd->watch = mf_fd_new(crowd->loop, crowd->fd, MF_FD_READ, on_closed, crowd);
    static const char request[] = "GET /hello HTTP/1.0\r\n\r\n";
    assert_int_equal(send(crowd->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    crowd->drip = mf_timer_new(crowd->loop, raise_limit, &old);
    mf_timer_arm_ms(crowd->drip, 500);
    int result = mf_loop_run(crowd->loop, &err);
    raise_limit(&old);
    assert_int_equal(result, 0);
    assert_true(crowd->closed);
    assert_true(crowd->turns < 100);
}

static void on_slow_read(int fd, unsigned events MF_UNUSED, void *arg)
{
    struct crowd *crowd = arg;
    char part[65536];
    ssize_t got = recv(fd, part, sizeof part, 0);
    if (got > 0) {
        crowd->dripped += (size_t)got;
        return;
    }
    crowd->closed = got == 0;
    mf_loop_stop(crowd->loop);
}

// An answer that does not fit into the socket's buffer goes out in parts, as the client reads.
static void test_large_answer_waits_for_its_reader(void **state)
{
    struct crowd *crowd = *state;
    struct mf_error err;
    crowd->fd = connect_to(crowd->server);
    static const char request[] = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(send(crowd->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    crowd->watch = mf_fd_new(crowd->loop, crowd->fd, MF_FD_READ, on_slow_read, crowd);
    assert_int_equal(mf_loop_run(crowd->loop, &err), 0);
    assert_true(crowd->closed);
    assert_true(crowd->dripped > LARGE && crowd->dripped < LARGE + 1024);
}

static void test_server_goes_with_its_connections(void **state)
{
    struct crowd *crowd = *state;
    struct mf_error err;
    crowd->fd = connect_to(crowd->server);
    const char *answer = ask(crowd->loop, crowd->server, "HEAD /busy HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 8\r\n"));
    assert_non_null(strstr(answer, "Connection: close\r\n\r\n"));
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n")), 4); // and no body
    mf_http_server_free(&crowd->server);
    crowd->watch = mf_fd_new(crowd->loop, crowd->fd, MF_FD_READ, on_closed, crowd);
    assert_int_equal(mf_loop_run(crowd->loop, &err), 0);
    assert_true(crowd->closed);
}

#define CROWD_TEST(name) cmocka_unit_test_setup_teardown(name, crowd_setup, crowd_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_addresses),
        CROWD_TEST(test_slow_client_is_closed),
        CROWD_TEST(test_crowd_does_not_keep_a_probe_out),
        CROWD_TEST(test_no_descriptors_is_survived),
        CROWD_TEST(test_large_answer_waits_for_its_reader),
        CROWD_TEST(test_server_goes_with_its_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
