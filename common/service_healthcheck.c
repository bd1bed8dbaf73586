// SPDX-License-Identifier: Apache-2.0
// --healthcheck: one GET /livez to the process that listens on METRICS_LISTEN, for images that have no curl.
// Reads only that setting, so that a broken secret cannot make a healthy process look dead.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/service_internal.h"

#define HEALTHCHECK_US (2 * MF_US_PER_SECOND)

// The address to connect to: a listener on all addresses is asked over loopback. 0 when it is none.
static socklen_t address_of(const char *listen, struct sockaddr_storage *address)
{
    const char *colon = strrchr(listen, ':');
    int64_t port = 0;
    char host[64];
    if (colon == NULL || !mf_str_to_i64(mf_str_of(colon + 1), &port) || port < 1 || port > 65535)
        return 0;
    struct mf_str name = {listen, (size_t)(colon - listen)};
    if (name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']')
        name = (struct mf_str){name.data + 1, name.len - 2};
    if (!mf_str_copy(host, sizeof host, mf_str_eq_c(name, "localhost") ? MF_STR("127.0.0.1") : name))
        return 0;
    memset(address, 0, sizeof *address);
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    if (memcmp(&v6->sin6_addr, &in6addr_any, sizeof in6addr_any) == 0)
        v6->sin6_addr = in6addr_loopback;
    return sizeof *v6;
}

// True when one of the events is there before the deadline; an error on the descriptor counts as an event.
static bool wait_for(int fd, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left = deadline_us - mf_clock_monotonic_us();
        struct pollfd one = {.fd = fd, .events = events};
        if (left <= 0)
            return false;
        int ready = poll(&one, 1, (int)(left / MF_US_PER_MS) + 1);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

// Asks on a connecting socket. True when the answer begins with the status 200.
static bool ask(int fd, int64_t deadline_us)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char wanted[] = "HTTP/1.1 200";
    char answer[sizeof wanted] = "";
    size_t have = 0;
    int failure = 0;
    socklen_t size = sizeof failure;
    if (!wait_for(fd, POLLOUT, deadline_us) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 ||
        failure != 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        return false;
    while (have < strlen(wanted) && wait_for(fd, POLLIN, deadline_us)) {
        ssize_t got = recv(fd, answer + have, strlen(wanted) - have, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        have += got > 0 ? (size_t)got : 0;
    }
    return have == strlen(wanted) && memcmp(answer, wanted, have) == 0;
}

static bool is_live(const char *listen)
{
    struct sockaddr_storage address;
    socklen_t size = address_of(listen, &address);
    if (size == 0)
        return false;
    int64_t deadline_us = mf_clock_monotonic_us() + HEALTHCHECK_US;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool connecting = connect(fd, (const struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS;
    bool live = connecting && ask(fd, deadline_us);
    close(fd);
    return live;
}

int mf_service_healthcheck(const struct mf_service_ops *ops)
{
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    int code = 1;
    if (mf_settings_parse(&mf_settings_table_service, 1, environ, NULL, &settings, &problems, &err) != 0) {
        fprintf(stderr, "%s: %s\n", ops->binary, err.message);
    } else {
        const char *listen = mf_settings_string(settings, "METRICS_LISTEN");
        code = is_live(listen) ? 0 : 1;
        if (code != 0)
            fprintf(stderr, "%s: no healthy answer from %s/livez\n", ops->binary, listen);
    }
    mf_settings_free(&settings);
    mf_buf_free(&problems);
    return code;
}
