// SPDX-License-Identifier: Apache-2.0
// URLs as far as the providers need them: parse, compare hosts, rebuild a provider's next_url on the
// configured base, and keep keys out of every text. Pure. Errors: CONFIG for base URLs, POISON for what a
// provider sends.
#ifndef MF_URL_H
#define MF_URL_H

#include "buf.h"
#include "error.h"

#define MF_URL_MAX 4096

struct mf_url { // views into the parsed text
    struct mf_str scheme, host, path,
        query; // host without brackets and port; path starts with '/' or is empty
    int port;  // -1 = none given
    bool has_userinfo;
};

// http and https only; no fragment, no control characters, at most MF_URL_MAX bytes. False when it is
// anything else.
bool mf_url_parse(struct mf_str text, struct mf_url *url);
bool mf_url_is_loopback(const struct mf_url *url); // 127.0.0.0/8, ::1, localhost

// A provider's base: https, or http to loopback only; no userinfo, no query. CONFIG "bad_base_url".
int mf_url_check_base(const char *base, struct mf_error *err);

// Rebuilds `next` (absolute, or path-only) as base + path + query. Refuses (POISON "next_url_refused") a host
// that is neither the base's nor in allowed_hosts (NULL-terminated), userinfo, another scheme than the base's
// or https, or a path outside the base's; the explicit default port counts as none. Parameters
// apiKey/apikey/token are dropped. Behind a base with a path, an allowed host names the vendor's path (it
// goes below the base's), the base's own host names the whole path. out is cleared first.
int mf_url_rebase(const char *base, const char *const *allowed_hosts, struct mf_str next, struct mf_buf *out,
                  struct mf_error *err);

// Appends "?name=value" or "&name=value", percent-encoded (RFC 3986 unreserved kept).
int mf_url_add_query(struct mf_buf *url, const char *name, struct mf_str value);
int mf_url_add_path_segment(struct mf_buf *url, struct mf_str segment); // '/' + encoded
// The URL for logs: userinfo and the values of apiKey, token, key, signature parameters are replaced by
// "***".
void mf_url_redact(struct mf_str text, struct mf_buf *out);

#endif
