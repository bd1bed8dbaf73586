// SPDX-License-Identifier: Apache-2.0
// Inside the HTTP client: the binding of a curl multi handle to the loop. Private to common/http_client*.c
// and its test. Ownership: whoever calls http_multi_new frees it; easy handles stay the caller's.
#ifndef MF_HTTP_CLIENT_PRIVATE_H
#define MF_HTTP_CLIENT_PRIVATE_H

#include "common/loop.h"

// Counts a descriptor's wake-ups without progress. A descriptor that stays readable although nobody reads it
// (stale resolver or connection descriptors: curl#14280, curl#21960) would otherwise take a whole core.
#define HTTP_SPIN_WAKEUPS_MAX 1000
struct http_spin {
    int64_t window_start_us;
    uint64_t progress;
    unsigned wakeups;
};
// One wake-up at `now_us` with the client's progress counter. True when there were more than
// HTTP_SPIN_WAKEUPS_MAX within a second and none of them moved the counter.
bool http_spin_note(struct http_spin *spin, int64_t now_us, uint64_t progress);

// Retry-After in ms from now: seconds or an HTTP date (RFC 9110 §10.2.3), a date in the past is 0, at most an
// hour; -1 when it is neither.
int64_t http_retry_after_ms(struct mf_str text, int64_t now_us);
// The kind of a failed transfer by its CURLcode: the label of the metric and the code of the error.
const char *http_transport_kind(int result);

struct http_multi;

struct http_multi_ops {
    // A transfer has ended; the easy handle (void *: a CURL *) is already removed from the multi. Called from
    // the loop, never from inside curl. Must not free the multi.
    void (*finished)(void *arg, void *easy, int curl_code);
    // The multi handle cannot be trusted any more; free it, with its transfers. Called as the last act of a
    // turn.
    void (*broken)(void *arg, const char *why);
    void *arg;
};

// connections_per_host: 0 = no limit. FATAL when curl refuses.
int http_multi_new(struct mf_loop *loop, unsigned connections_per_host, const struct http_multi_ops *ops,
                   struct http_multi **multi, struct mf_error *err);
// All easy handles must have been removed before.
void http_multi_free(struct http_multi **multi);
int http_multi_add(struct http_multi *multi, void *easy, struct mf_error *err);
void http_multi_remove(struct http_multi *multi, void *easy);
void http_multi_progress(struct http_multi *multi); // bytes came or went

#endif
