// SPDX-License-Identifier: Apache-2.0
// HTTP client on the loop (curl multi behind it): GET only, body cap on the decoded size, deadlines, no
// redirects, host allow-list, connection reuse. An answer with any status is a success here; who asked
// classifies it. Failure classes of a finished request: TRANSIENT for transport ("dns", "connect", "tls",
// "timeout", "eof"), POISON "body_too_large", CONFIG/POISON "host_refused" before anything is sent.
#ifndef MF_HTTP_CLIENT_H
#define MF_HTTP_CLIENT_H

#include "log.h"
#include "loop.h"
#include "metrics.h"

struct mf_http_client;
struct mf_http_request;

struct mf_http_client_config {
    const char *user_agent;
    const char *ca_file;              // NULL = the system's
    const char *const *allowed_hosts; // NULL-terminated, "host" or "host:port"; anything else is refused
    bool allow_plain_http;            // only ever for a loopback base
    size_t body_max;                  // bytes, decoded
    int64_t connect_timeout_ms;
    int64_t total_timeout_ms;
    int64_t low_speed_timeout_ms; // less than 1 B/s this long
    unsigned connections_per_host;
};

struct mf_http_response {
    int status;                   // 200, 429, …; 0 when the request failed
    const struct mf_error *error; // set when there is no complete answer; else NULL
    struct mf_str body;           // decoded
    struct mf_buf *body_buf;      // where it lies: who moves it out (mf_buf_move) keeps the body
    struct mf_str content_type;
    int64_t retry_after_ms;   // -1 = header absent or not understood; clamped to an hour
    struct mf_str data_mode;  // value of X-Marketflow-Data, absent when there is none
    struct mf_str request_id; // value of X-Request-Id, absent when there is none
    int64_t duration_us;
    size_t wire_bytes;
    bool redirect_refused; // a 3xx with Location
};

// The response and its views live only during the call. The request handle is dead when it returns.
typedef void (*mf_http_done_fn)(void *arg, const struct mf_http_response *response);

// CONFIG when the TLS settings cannot be used; FATAL when curl lacks the asynchronous resolver.
int mf_http_client_new(struct mf_loop *loop, struct mf_log *log, struct mf_metrics *metrics,
                       const struct mf_http_client_config *config, struct mf_http_client **client,
                       struct mf_error *err);
// Cancels what is in flight (no callbacks) and frees.
void mf_http_client_free(struct mf_http_client **client);

// Starts a GET. `endpoint` is the metrics label ("bars", "news"). bearer (NULL = none) is sent as
// Authorization and wiped from our memory afterwards; headers: NULL-terminated "Name: value" lines, may be
// NULL. Errors: POISON "host_refused" / "bad_url"; nothing was sent then and done is not called.
int mf_http_client_get(struct mf_http_client *client, const char *endpoint, const char *url,
                       const char *bearer, const char *const *headers, mf_http_done_fn done, void *arg,
                       struct mf_http_request **request, struct mf_error *err);
// Cancels without a callback. Sets *request to NULL.
void mf_http_client_cancel(struct mf_http_client *client, struct mf_http_request **request);
unsigned mf_http_client_in_flight(const struct mf_http_client *client);
// Versions for the "process up" line.
const char *mf_http_client_version(void);

// Families: marketflow_http_client_* of deploy.md §5.3. Declared by the service that uses the client.
enum mf_http_metric {
    MF_M_HTTP_REQUESTS, // endpoint, code
    MF_M_HTTP_ERRORS,   // endpoint, kind
    MF_M_HTTP_DURATION, // endpoint
    MF_M_HTTP_BYTES,    // endpoint
    MF_M_HTTP_IN_FLIGHT,
    MF_M_HTTP_MAX
};
extern const struct mf_metric_def mf_http_metrics[MF_M_HTTP_MAX];

#endif
