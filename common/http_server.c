// SPDX-License-Identifier: Apache-2.0
// One request per connection, then it is closed: scrapers and probes come every few seconds at most, and
// nothing can be left half-open. On the loop's descriptors rather than on evhttp, which has no deadline for a
// whole connection (a client that sends a byte now and then is never closed) and, in libevent 2.1, no limit
// on their number.
//
// Ownership: the server owns its connections; each has one deadline from accept to close. Failure classes:
// CONFIG for the address. A connection that fails is closed, and nobody is told.
#include "common/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http_request.h"

#define HEAD_MAX 8192
#define CONNECTION_MS 5000
#define ACCEPT_AGAIN_MS 200                // after running out of descriptors
#define BODY_MAX ((size_t)8 * 1024 * 1024) // of an answer: a thousand series per family stay below
#define BODY_KEPT ((size_t)256 * 1024)     // memory that is not given back after an answer
#define ADDRESS_SIZE 128
enum { CONNECTIONS_MAX = 64, ACCEPTS_PER_TURN = 16, ROUTES_MAX = 8 };

struct connection {
    struct mf_http_server *server;
    int fd;
    struct mf_fd *watch;
    struct mf_timer *deadline;
    size_t head_len;
    struct mf_buf out;
    size_t sent;
    bool head_only; // HEAD: the answer's head alone goes out
    bool answered;  // out holds the answer
    bool lingering; // all is sent; what still comes is thrown away until the client closes
    char head[HEAD_MAX];
};

struct mf_http_server {
    struct mf_loop *loop;
    int fd;
    struct mf_fd *watch;
    struct mf_timer *accept_again;
    struct connection *connections[CONNECTIONS_MAX]; // oldest first
    size_t count;
    struct mf_http_route routes[ROUTES_MAX];
    size_t route_count;
    struct mf_buf body;
    char address[ADDRESS_SIZE];
};

static void release(struct connection *c)
{
    mf_timer_free(&c->deadline);
    mf_fd_free(&c->watch);
    close(c->fd);
    mf_buf_free(&c->out);
    free(c);
}

static void close_connection(struct connection *c)
{
    struct mf_http_server *server = c->server;
    size_t at = 0;
    while (server->connections[at] != c)
        at++;
    server->count--;
    for (; at < server->count; at++)
        server->connections[at] = server->connections[at + 1];
    release(c);
}

static void on_deadline(void *arg)
{
    close_connection(arg);
}

// ---------------------------------------------------------------- answers

static const char *reason_of(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

static void answer(struct connection *c, int status, const char *content_type, struct mf_str body)
{
    mf_buf_addf(&c->out,
                "HTTP/1.1 %d %s\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
                "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                status, reason_of(status), status == 405 ? "Allow: GET, HEAD\r\n" : "", content_type,
                body.len);
    if (!c->head_only)
        mf_buf_add_str(&c->out, body);
    c->answered = true;
}

static void answer_text(struct connection *c, int status, const char *text)
{
    answer(c, status, "text/plain; charset=utf-8", mf_str_of(text));
}

static void answer_request(struct connection *c, const struct mf_http_request *request)
{
    struct mf_http_server *server = c->server;
    c->head_only = mf_str_eq_c(request->method, "HEAD");
    if (request->has_body) {
        answer_text(c, 413, "a request has no body here\n");
        return;
    }
    if (!c->head_only && !mf_str_eq_c(request->method, "GET")) {
        answer_text(c, 405, "only GET and HEAD\n");
        return;
    }
    for (size_t i = 0; i < server->route_count; i++) {
        if (!mf_str_eq_c(request->path, server->routes[i].path))
            continue;
        const char *content_type = "text/plain; charset=utf-8";
        mf_buf_clear(&server->body);
        int status = server->routes[i].handler(server->routes[i].arg, &server->body, &content_type);
        if (server->body.overflow)
            answer_text(c, 500, "the answer is too large\n");
        else
            answer(c, status, content_type, mf_buf_str(&server->body));
        mf_buf_clear(&server->body);
        mf_buf_trim(&server->body, BODY_KEPT);
        return;
    }
    answer_text(c, 404, "not found\n");
}

// ---------------------------------------------------------------- one connection

// True when the connection goes on.
static bool receive_head(struct connection *c)
{
    ssize_t got = recv(c->fd, c->head + c->head_len, sizeof c->head - c->head_len, 0);
    if (got == 0)
        return false;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    c->head_len += (size_t)got;
    struct mf_http_request request;
    switch (mf_http_request_parse((struct mf_str){c->head, c->head_len}, &request)) {
    case MF_HTTP_HEAD_OK: answer_request(c, &request); return true;
    case MF_HTTP_HEAD_BAD: answer_text(c, 400, "bad request\n"); return true;
    case MF_HTTP_HEAD_INCOMPLETE:
        if (c->head_len == sizeof c->head)
            answer_text(c, 400, "the head of the request is too long\n");
        return true;
    }
    return false;
}

// Sends what the socket takes; the rest when it is writable again. True when the connection goes on.
static bool send_answer(struct connection *c)
{
    while (c->sent < c->out.len) {
        ssize_t taken = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0 && errno == EAGAIN)
            return mf_fd_set_events(c->watch, MF_FD_WRITE) == 0;
        if (taken < 0)
            return false;
        c->sent += (size_t)taken;
    }
    // Closing now could reset the connection under an answer that is still on its way, if the client has sent
    // more than we read (a refused body): say that nothing follows, and wait for the client.
    c->lingering = true;
    return shutdown(c->fd, SHUT_WR) == 0 && mf_fd_set_events(c->watch, MF_FD_READ) == 0;
}

// After the answer: what the client still sends is read and thrown away until it closes, or the deadline
// does.
static bool discard(struct connection *c)
{
    ssize_t got = recv(c->fd, c->head, sizeof c->head, 0);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

// One read or one write's worth per turn, in whatever state the connection is.
static void on_connection(int fd MF_UNUSED, unsigned events MF_UNUSED, void *arg)
{
    struct connection *c = arg;
    bool goes_on;
    if (c->lingering)
        goes_on = discard(c);
    else
        goes_on = (c->answered || receive_head(c)) && (!c->answered || send_answer(c));
    if (!goes_on)
        close_connection(c);
}

static void add_connection(struct mf_http_server *server, int fd)
{
    // A newcomer takes the place of the oldest: holding many connections must not keep a probe out.
    if (server->count == CONNECTIONS_MAX)
        close_connection(server->connections[0]);
    struct connection *c = mf_alloc(sizeof *c);
    memset(c, 0, offsetof(struct connection, head));
    c->server = server;
    c->fd = fd;
    mf_buf_init(&c->out, BODY_MAX + HEAD_MAX);
    server->connections[server->count++] = c;
    c->deadline = mf_timer_new(server->loop, on_deadline, c);
    mf_timer_arm_ms(c->deadline, CONNECTION_MS);
    c->watch = mf_fd_new(server->loop, fd, MF_FD_READ, on_connection, c);
    if (c->watch == NULL)
        close_connection(c);
}

// ---------------------------------------------------------------- the listener

static void on_accept_again(void *arg)
{
    struct mf_http_server *server = arg;
    if (mf_fd_set_events(server->watch, MF_FD_READ) != 0)
        mf_timer_arm_ms(server->accept_again, ACCEPT_AGAIN_MS);
}

static void on_acceptable(int fd, unsigned events MF_UNUSED, void *arg)
{
    struct mf_http_server *server = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            add_connection(server, client);
            continue;
        }
        // Without a free descriptor the listener stays readable: watching it on would be a busy loop.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            mf_fd_set_events(server->watch, 0);
            mf_timer_arm_ms(server->accept_again, ACCEPT_AGAIN_MS);
        }
        return; // nobody is waiting, or the one who was has gone
    }
}

// "host:port" or "[v6]:port"; the host is a number or localhost, so that no name server is asked. 0 when it
// is none.
static socklen_t parse_listen(const char *listen, struct sockaddr_storage *address)
{
    const char *colon = strrchr(listen, ':');
    int64_t port = 0;
    if (colon == NULL || colon[1] == '+' || !mf_str_to_i64(mf_str_of(colon + 1), &port) || port < 0 ||
        port > UINT16_MAX)
        return 0;
    struct mf_str name = {listen, (size_t)(colon - listen)};
    bool bracketed = name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
    char host[64];
    if (bracketed)
        name = (struct mf_str){name.data + 1, name.len - 2};
    if (!mf_str_copy(host, sizeof host, mf_str_eq_c(name, "localhost") ? MF_STR("127.0.0.1") : name))
        return 0;
    memset(address, 0, sizeof *address);
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    if (!bracketed && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    if (!bracketed || inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    return sizeof *v6;
}

static void remember_address(struct mf_http_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound;
    memset(&bound, 0, sizeof bound);
    socklen_t size = sizeof bound;
    char host[INET6_ADDRSTRLEN] = "";
    if (getsockname(server->fd, &bound.any, &size) != 0)
        return;
    bool v6 = bound.any.sa_family == AF_INET6;
    const void *number = v6 ? (const void *)&bound.v6.sin6_addr : (const void *)&bound.v4.sin_addr;
    inet_ntop(bound.any.sa_family, number, host, sizeof host);
    snprintf(server->address, sizeof server->address, v6 ? "[%s]:%u" : "%s:%u", host,
             (unsigned)ntohs(v6 ? bound.v6.sin6_port : bound.v4.sin_port));
}

// A listening socket, or -1 with errno.
static int open_listener(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int mf_http_server_new(struct mf_loop *loop, const char *listen, const struct mf_http_route *routes,
                       size_t route_count, struct mf_http_server **out, struct mf_error *err)
{
    assert(route_count <= ROUTES_MAX);
    struct sockaddr_storage address;
    socklen_t size = parse_listen(listen, &address);
    if (size == 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_listen",
                            "'%s' is not address:port or [IPv6 address]:port", listen);
    int fd = open_listener(&address, size);
    if (fd < 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "cannot_listen", "cannot listen on %s: %s", listen,
                            strerror(errno));
    struct mf_http_server *server = mf_calloc(1, sizeof *server);
    server->loop = loop;
    server->fd = fd;
    memcpy(server->routes, routes, route_count * sizeof *routes);
    server->route_count = route_count;
    mf_buf_init(&server->body, BODY_MAX);
    remember_address(server);
    server->accept_again = mf_timer_new(loop, on_accept_again, server);
    server->watch = mf_fd_new(loop, fd, MF_FD_READ, on_acceptable, server);
    if (server->watch == NULL) {
        mf_error_set(err, MF_ERROR_FATAL, "cannot_listen", "cannot watch %s: %s", listen, strerror(errno));
        mf_http_server_free(&server);
        return -1;
    }
    *out = server;
    return 0;
}

void mf_http_server_free(struct mf_http_server **server)
{
    if (*server == NULL)
        return;
    for (size_t i = 0; i < (*server)->count; i++)
        release((*server)->connections[i]);
    mf_fd_free(&(*server)->watch);
    mf_timer_free(&(*server)->accept_again);
    close((*server)->fd);
    mf_buf_free(&(*server)->body);
    free(*server);
    *server = NULL;
}

const char *mf_http_server_address(const struct mf_http_server *server)
{
    return server->address;
}
