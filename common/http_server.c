// SPDX-License-Identifier: Apache-2.0
// evhttp with the limits set. Whoever answers is a function of the service; nothing here knows what is
// served.
#include "common/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HEADERS_MAX 8192
#define TIMEOUT_S 5
#define BODY_MAX ((size_t)4 * 1024 * 1024) // of an answer: a thousand series per family stay far below
#define ROUTES_MAX 8
#define ADDRESS_SIZE 128

struct mf_http_server {
    struct evhttp *http;
    struct mf_http_route routes[ROUTES_MAX];
    size_t route_count;
    struct mf_buf body;
    char address[ADDRESS_SIZE];
};

static void reply(struct evhttp_request *request, int status, const char *content_type, struct mf_str body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *out = evbuffer_new();
    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) { // libevent 2.1 would send the body
        char length[24];
        snprintf(length, sizeof(length), "%zu", body.len);
        evhttp_add_header(headers, "Content-Length", length);
        body.len = 0;
    }
    if (out == NULL || evbuffer_add(out, body.data, body.len) != 0)
        abort(); // out of memory
    evhttp_send_reply(request, status, NULL, out);
    evbuffer_free(out);
}

static void reply_text(struct evhttp_request *request, int status, const char *text)
{
    reply(request, status, "text/plain; charset=utf-8", mf_str_of(text));
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct mf_http_server *server = arg;
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
        reply_text(request, 405, "only GET and HEAD\n");
        return;
    }
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    for (size_t i = 0; path != NULL && i < server->route_count; i++) {
        if (strcmp(path, server->routes[i].path) != 0)
            continue;
        const char *content_type = "text/plain; charset=utf-8";
        mf_buf_clear(&server->body);
        int status = server->routes[i].handler(server->routes[i].arg, &server->body, &content_type);
        if (server->body.overflow)
            reply_text(request, 500, "the answer is too large\n");
        else
            reply(request, status, content_type, mf_buf_str(&server->body));
        return;
    }
    reply_text(request, 404, "not found\n");
}

// "host:port" or "[v6]:port".
static bool split_listen(const char *listen, char host[ADDRESS_SIZE], uint16_t *port)
{
    const char *colon = strrchr(listen, ':');
    int64_t number = 0;
    if (colon == NULL || !mf_str_to_i64(mf_str_of(colon + 1), &number) || number < 0 || number > UINT16_MAX)
        return false;
    struct mf_str name = {listen, (size_t)(colon - listen)};
    if (name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']') {
        name.data++;
        name.len -= 2;
    } else if (memchr(name.data, ':', name.len) != NULL) {
        return false; // an IPv6 address without brackets
    }
    *port = (uint16_t)number;
    return name.len > 0 && mf_str_copy(host, ADDRESS_SIZE, name);
}

static void remember_address(struct mf_http_server *server, evutil_socket_t fd)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(bound);
    char host[INET6_ADDRSTRLEN] = "", port[8] = "";
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool v6 = bound.ss_family == AF_INET6;
    snprintf(server->address, sizeof(server->address), "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

int mf_http_server_new(struct mf_loop *loop, const char *listen, const struct mf_http_route *routes,
                       size_t route_count, struct mf_http_server **out, struct mf_error *err)
{
    char host[ADDRESS_SIZE];
    uint16_t port = 0;
    assert(route_count <= ROUTES_MAX);
    if (!split_listen(listen, host, &port))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_listen", "'%s' is not host:port or [IPv6]:port",
                            listen);
    struct mf_http_server *server = mf_calloc(1, sizeof(*server));
    mf_buf_init(&server->body, BODY_MAX);
    memcpy(server->routes, routes, route_count * sizeof(*routes));
    server->route_count = route_count;
    server->http = evhttp_new(mf_loop_native(loop));
    if (server->http == NULL) {
        mf_http_server_free(&server);
        return mf_error_set(err, MF_ERROR_FATAL, "http_server", "the HTTP server cannot be made");
    }
    // Every method gets here so that the answer can be 405; libevent itself would say 501.
    evhttp_set_allowed_methods(server->http, UINT16_MAX);
    evhttp_set_max_headers_size(server->http, HEADERS_MAX);
    evhttp_set_max_body_size(server->http, 0);
    evhttp_set_timeout(server->http, TIMEOUT_S);
    evhttp_set_gencb(server->http, on_request, server);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(server->http, host, port);
    if (bound == NULL) {
        int reason = errno;
        mf_http_server_free(&server);
        return mf_error_set(err, MF_ERROR_CONFIG, "cannot_listen", "cannot listen on %s: %s", listen,
                            strerror(reason));
    }
    remember_address(server, evhttp_bound_socket_get_fd(bound));
    *out = server;
    return 0;
}

void mf_http_server_free(struct mf_http_server **server)
{
    if (*server == NULL)
        return;
    if ((*server)->http != NULL)
        evhttp_free((*server)->http);
    mf_buf_free(&(*server)->body);
    free(*server);
    *server = NULL;
}

const char *mf_http_server_address(const struct mf_http_server *server)
{
    return server->address;
}
