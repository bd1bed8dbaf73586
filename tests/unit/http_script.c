// SPDX-License-Identifier: Apache-2.0
// See http_script.h.
#include "tests/unit/http_script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"

enum { CONNECTIONS_MAX = 16, REQUEST_MAX = 64 * 1024, ANSWER_MAX = 16 * 1024 * 1024 };

struct connection {
    struct http_script *script; // NULL = free slot
    int fd;
    struct mf_fd *watch;
    struct mf_buf in, out;
    size_t sent;
    enum http_script_after after;
};

struct http_script {
    struct mf_loop *loop;
    http_script_fn fn;
    void *arg;
    int fd, port;
    struct mf_fd *watch;
    struct connection connections[CONNECTIONS_MAX];
    size_t accepted;
    struct mf_buf last_request;
};

static void connection_close(struct connection *c)
{
    if (c->script == NULL)
        return;
    mf_fd_free(&c->watch);
    close(c->fd);
    mf_buf_free(&c->in);
    mf_buf_free(&c->out);
    *c = (struct connection){.fd = -1};
}

static void connection_write(struct connection *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            mf_fd_set_events(c->watch, MF_FD_READ | MF_FD_WRITE);
            return;
        }
        if (n <= 0) {
            connection_close(c);
            return;
        }
        c->sent += (size_t)n;
    }
    bool answered = c->out.len > 0 || c->after == HTTP_SCRIPT_HANG_UP;
    mf_buf_clear(&c->out);
    c->sent = 0;
    if (answered && c->after == HTTP_SCRIPT_HANG_UP)
        connection_close(c);
    else
        mf_fd_set_events(c->watch, MF_FD_READ);
}

// Answers when a whole request is there. A TLS hello is answered as a server of plain HTTP does.
static bool connection_take(struct connection *c)
{
    if (c->in.data[0] == 0x16) {
        mf_buf_add_c(&c->out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        c->after = HTTP_SCRIPT_HANG_UP;
        return true;
    }
    if (strstr(mf_buf_c_str(&c->in), "\r\n\r\n") == NULL)
        return false;
    char path[2048] = "";
    if (sscanf(c->in.data, "GET %2047s", path) != 1)
        abort();
    mf_buf_clear(&c->script->last_request);
    mf_buf_add_str(&c->script->last_request, mf_buf_str(&c->in));
    mf_buf_clear(&c->in);
    c->after = c->script->fn(c->script->arg, path, &c->out);
    return true;
}

static void on_connection(int fd, unsigned events, void *arg)
{
    struct connection *c = arg;
    if ((events & MF_FD_READ) != 0) {
        char block[4096];
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n <= 0) {
            connection_close(c);
            return;
        }
        mf_buf_add(&c->in, block, (size_t)n);
        if (!connection_take(c))
            return;
    }
    connection_write(c);
}

static void on_accept(int fd, unsigned events, void *arg)
{
    (void)events;
    struct http_script *script = arg;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *slot = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX && slot == NULL; i++) {
        if (script->connections[i].script == NULL)
            slot = &script->connections[i];
    }
    if (client < 0 || slot == NULL)
        abort();
    *slot = (struct connection){.script = script, .fd = client};
    mf_buf_init(&slot->in, REQUEST_MAX);
    mf_buf_init(&slot->out, ANSWER_MAX);
    slot->watch = mf_fd_new(script->loop, client, MF_FD_READ, on_connection, slot);
    script->accepted++;
}

struct http_script *http_script_new(struct mf_loop *loop, http_script_fn fn, void *arg)
{
    struct http_script *script = mf_calloc(1, sizeof *script);
    *script = (struct http_script){.loop = loop, .fn = fn, .arg = arg};
    script->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (script->fd < 0 || bind(script->fd, (struct sockaddr *)&address, len) != 0 ||
        listen(script->fd, 16) != 0 || getsockname(script->fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    script->port = ntohs(address.sin_port);
    script->watch = mf_fd_new(loop, script->fd, MF_FD_READ, on_accept, script);
    mf_buf_init(&script->last_request, REQUEST_MAX);
    return script;
}

void http_script_free(struct http_script **script)
{
    struct http_script *old = *script;
    if (old == NULL)
        return;
    *script = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        connection_close(&old->connections[i]);
    mf_fd_free(&old->watch);
    close(old->fd);
    mf_buf_free(&old->last_request);
    free(old);
}

int http_script_port(const struct http_script *script)
{
    return script->port;
}

const char *http_script_last_request(struct http_script *script)
{
    return mf_buf_c_str(&script->last_request);
}

size_t http_script_accepted(const struct http_script *script)
{
    return script->accepted;
}
