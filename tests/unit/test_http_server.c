// SPDX-License-Identifier: Apache-2.0
// The endpoint over real sockets: routes, methods, limits, addresses.
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

static char name_of_the_world[] = "world";
static const struct mf_http_route routes[] = {{"/hello", say_hello, name_of_the_world},
                                              {"/busy", say_unavailable, NULL}};

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

// Sends the request and returns everything that comes back until the server closes.
static const char *ask(struct mf_loop *loop, const struct mf_http_server *server, const char *request)
{
    static struct client client;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct mf_error err;
    int port = 0;
    memset(&client, 0, sizeof(client));
    client.loop = loop;
    assert_int_equal(sscanf(mf_http_server_address(server), "127.0.0.1:%d", &port), 1);
    address.sin_port = htons((uint16_t)port);
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
    assert_int_equal(mf_http_server_new(loop, "127.0.0.1:0", routes, 2, &server, &err), 0);
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
        {"GET / HTTP/1.0\r\n\r\n", "404", "", NULL},
        {"DELETE /hello HTTP/1.0\r\n\r\n", "405", "Allow: GET, HEAD", "world"},
        {"POST /hello HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "405", "", "world"},
        {"POST /hello HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "413", "", "world"},
        {long_header, "400", "", "world"},
        {"nonsense\r\n\r\n", "400", "", "world"},
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
        assert_int_equal(mf_http_server_new(loop, wrong[i], routes, 2, &server, &err), -1);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_string_equal(err.code, "bad_listen");
        assert_null(server);
    }
    struct mf_http_server *first = NULL, *second = NULL;
    assert_int_equal(mf_http_server_new(loop, "127.0.0.1:0", routes, 2, &first, &err), 0);
    assert_int_equal(mf_http_server_new(loop, mf_http_server_address(first), routes, 2, &second, &err), -1);
    assert_string_equal(err.code, "cannot_listen");
    assert_non_null(strstr(err.message, mf_http_server_address(first)));
    mf_http_server_free(&first);
    mf_loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
