// SPDX-License-Identifier: Apache-2.0
// The small HTTP endpoint of every service: GET and HEAD of /livez, /healthz, /readyz, /metrics; one request
// per connection. Limits: head of a request 8 KiB (400), no body (413), other methods 405, unknown paths 404,
// 5 s from accept to close whatever the client does, 64 connections of which the oldest makes room. Bodies
// never echo configuration values.
#ifndef MF_HTTP_SERVER_H
#define MF_HTTP_SERVER_H

#include "buf.h"
#include "loop.h"

struct mf_http_server;

// Fills `body` and returns the status code; content_type points to a literal.
typedef int (*mf_http_handler)(void *arg, struct mf_buf *body, const char **content_type);

struct mf_http_route {
    const char *path;
    mf_http_handler handler;
    void *arg;
};

// listen: "address:port", "[v6]:port" or "localhost:port"; port 0 = any free one. Routes are copied (paths
// borrowed). CONFIG when the address cannot be parsed or bound (naming it), FATAL else.
int mf_http_server_new(struct mf_loop *loop, const char *listen, const struct mf_http_route *routes,
                       size_t route_count, struct mf_http_server **out, struct mf_error *err);
void mf_http_server_free(struct mf_http_server **server);
const char *mf_http_server_address(const struct mf_http_server *server); // the bound "host:port"

#endif
