// SPDX-License-Identifier: Apache-2.0
// What an answer's parts mean: Retry-After, curl's result codes, and the metric families of the HTTP client.
// Pure.
#include <time.h>

#include <curl/curl.h>

#include "common/clock.h"
#include "common/http_client.h"
#include "common/http_client_private.h"

enum { RETRY_AFTER_MAX_MS = 60 * 60 * 1000 };

// Those of mf_buckets_seconds, whose number is no constant expression.
static const double duration_seconds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

const struct mf_metric_def mf_http_metrics[MF_M_HTTP_MAX] = {
    [MF_M_HTTP_REQUESTS] = {.name = "marketflow_http_client_requests_total",
                            .type = MF_METRIC_COUNTER,
                            .help = "Answers received, by status code.",
                            .labels = {"endpoint", "code"}},
    [MF_M_HTTP_ERRORS] =
        {.name = "marketflow_http_client_errors_total",
         .type = MF_METRIC_COUNTER,
         .help = "Requests without a usable answer, by kind: dns, connect, tls, timeout, eof, too_large, "
                 "parse, redirect_refused, host_refused.",
         .labels = {"endpoint", "kind"}},
    [MF_M_HTTP_DURATION] = {.name = "marketflow_http_client_request_duration_seconds",
                            .type = MF_METRIC_HISTOGRAM,
                            .help = "Time from the start of a request to its complete answer.",
                            .labels = {"endpoint"},
                            .buckets = duration_seconds,
                            .bucket_count = MF_ARRAY_LEN(duration_seconds)},
    [MF_M_HTTP_BYTES] = {.name = "marketflow_http_client_response_bytes_total",
                         .type = MF_METRIC_COUNTER,
                         .help = "Bytes received, headers included, before decompression.",
                         .labels = {"endpoint"}},
    [MF_M_HTTP_IN_FLIGHT] = {.name = "marketflow_http_client_in_flight_requests",
                             .type = MF_METRIC_GAUGE,
                             .help = "Requests under way."},
};

int64_t http_retry_after_ms(struct mf_str text, int64_t now_us)
{
    int64_t wait_ms = -1;
    int64_t number;
    char date[64];
    if (mf_str_to_i64(text, &number) && text.data[0] >= '0' && text.data[0] <= '9') {
        wait_ms = number < RETRY_AFTER_MAX_MS / 1000 ? number * 1000 : RETRY_AFTER_MAX_MS;
    } else if (mf_str_copy(date, sizeof date, text)) {
        time_t at = curl_getdate(date, NULL);
        if (at >= 0) {
            wait_ms = (int64_t)at * 1000 - now_us / MF_US_PER_MS;
            wait_ms = wait_ms < 0 ? 0 : wait_ms;
        }
    }
    return wait_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : wait_ms;
}

const char *http_transport_kind(int result)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return "dns";
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_NO_CONNECTION_AVAILABLE: return "connect";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_SHUTDOWN_FAILED: return "tls";
    case CURLE_OPERATION_TIMEDOUT: return "timeout";
    case CURLE_BAD_CONTENT_ENCODING: return "parse";
    default: return "eof";
    }
}
