// SPDX-License-Identifier: Apache-2.0
// The small HTTP endpoint of every service (libevent's evhttp): GET and HEAD of /livez, /healthz, /readyz,
// /metrics. Limits: headers 8 KiB, no body, 5 s per connection. Bodies never echo configuration values.
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

// listen: "host:port" or "[v6]:port"; port 0 = any free one. Routes are copied (paths borrowed).
// CONFIG when the address cannot be parsed or bound (naming it), FATAL else.
int mf_http_server_new(struct mf_loop *loop, const char *listen, const struct mf_http_route *routes,
                       size_t route_count, struct mf_http_server **out, struct mf_error *err);
void mf_http_server_free(struct mf_http_server **server);
const char *mf_http_server_address(const struct mf_http_server *server); // the bound "host:port"

#endif
