// SPDX-License-Identifier: Apache-2.0
// URLs of providers (see url.h). Parsing is strict on purpose: what curl, a proxy and we could read
// differently (backslashes, encoded hosts, dot segments) is refused, because a key travels with every
// request.
#include "common/url.h"

// Parameters that carry a key; their names are compared without case, after percent-decoding.
static const char *const key_parameters[] = {"apikey", "api_key", "token", "access_token"};
// Beyond those, what a log line must not show.
static const char *const secret_parameters[] = {"apikey", "api_key",   "token", "access_token", "key",
                                                "secret", "signature", "sig",   "password"};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool equal_no_case(struct mf_str a, struct mf_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

static struct mf_str slice(struct mf_str s, size_t from, size_t to)
{
    return (struct mf_str){s.data + from, to - from};
}

static size_t find_char(struct mf_str s, size_t from, const char *set)
{
    for (size_t i = from; i < s.len; i++) {
        if (s.data[i] != '\0' && strchr(set, s.data[i]) != NULL)
            return i;
    }
    return s.len;
}

// Visible ASCII without the characters that some parsers take for separators and others do not.
static bool is_clean(struct mf_str text)
{
    if (text.data == NULL || text.len == 0 || text.len > MF_URL_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#')
            return false;
    }
    return true;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One character at s[*at], a valid %xx decoded; moves *at behind it.
static char decoded_char(struct mf_str s, size_t *at)
{
    char c = s.data[*at];
    if (c == '%' && *at + 2 < s.len) {
        int high = hex_value(s.data[*at + 1]);
        int low = hex_value(s.data[*at + 2]);
        if (high >= 0 && low >= 0) {
            *at += 3;
            return (char)(unsigned char)(high * 16 + low);
        }
    }
    *at += 1;
    return c;
}

// Does the percent-encoded text decode to `wanted` (lower case), ignoring case?
static bool decodes_to(struct mf_str encoded, const char *wanted)
{
    size_t at = 0;
    while (at < encoded.len && *wanted != '\0') {
        if (lower(decoded_char(encoded, &at)) != *wanted++)
            return false;
    }
    return at == encoded.len && *wanted == '\0';
}

static bool is_one_of(struct mf_str encoded, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (decodes_to(encoded, names[i]))
            return true;
    }
    return false;
}

// "." and "..", also encoded: curl would fold them, and the path could leave the base's.
static bool has_dot_segment(struct mf_str path)
{
    for (size_t from = 0; from < path.len;) {
        size_t to = find_char(path, from, "/");
        struct mf_str segment = slice(path, from, to);
        if (decodes_to(segment, ".") || decodes_to(segment, ".."))
            return true;
        from = to + 1;
    }
    return false;
}

// Names, IPv4 and bracketed IPv6. Percent-encoded and non-ASCII names are not: they can be read in two ways.
static bool host_is_valid(struct mf_str host, bool bracketed)
{
    if (host.len == 0 || host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool ok = bracketed ? hex_value(c) >= 0 || c == ':' || c == '.'
                            : is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
        if (!ok)
            return false;
    }
    return true;
}

// "host", "host:port", "[v6]", "[v6]:port".
static bool parse_host_port(struct mf_str text, struct mf_str *host, int *port)
{
    struct mf_str rest;
    bool bracketed = text.len > 0 && text.data[0] == '[';
    if (bracketed) {
        size_t end = find_char(text, 0, "]");
        if (end == text.len)
            return false;
        *host = slice(text, 1, end);
        rest = slice(text, end + 1, text.len);
    } else {
        size_t end = find_char(text, 0, ":");
        *host = slice(text, 0, end);
        rest = slice(text, end, text.len);
    }
    *port = -1;
    if (!host_is_valid(*host, bracketed))
        return false;
    if (rest.len == 0)
        return true;
    if (rest.data[0] != ':' || rest.len < 2 || rest.len > 6)
        return false;
    int number = 0;
    for (size_t i = 1; i < rest.len; i++) {
        if (!is_digit(rest.data[i]))
            return false;
        number = number * 10 + (rest.data[i] - '0');
    }
    *port = number;
    return number >= 1 && number <= 65535;
}

bool mf_url_parse(struct mf_str text, struct mf_url *url)
{
    if (!is_clean(text))
        return false;
    size_t colon = find_char(text, 0, ":");
    struct mf_url found = {.scheme = slice(text, 0, colon)};
    if (!equal_no_case(found.scheme, MF_STR("http")) && !equal_no_case(found.scheme, MF_STR("https")))
        return false;
    if (text.len < colon + 3 || memcmp(text.data + colon, "://", 3) != 0)
        return false;
    size_t authority_at = colon + 3;
    size_t path_at = find_char(text, authority_at, "/?");
    struct mf_str authority = slice(text, authority_at, path_at);
    size_t host_at = 0;
    for (size_t i = 0; i < authority.len; i++) {
        if (authority.data[i] == '@') {
            host_at = i + 1;
            found.has_userinfo = true;
        }
    }
    if (!parse_host_port(slice(authority, host_at, authority.len), &found.host, &found.port))
        return false;
    size_t query_at = find_char(text, path_at, "?");
    found.path = slice(text, path_at, query_at);
    if (query_at < text.len)
        found.query = slice(text, query_at + 1, text.len);
    *url = found;
    return true;
}

// Four decimal numbers, the first of them 127; octal or short forms are not recognised, so they are not
// loopback.
static bool is_ipv4_loopback(struct mf_str host)
{
    size_t from = 0;
    for (int part = 0; part < 4; part++) {
        size_t to = find_char(host, from, ".");
        if ((part < 3) == (to == host.len) || to == from || to - from > 3)
            return false;
        int number = 0;
        for (size_t i = from; i < to; i++) {
            if (!is_digit(host.data[i]))
                return false;
            number = number * 10 + (host.data[i] - '0');
        }
        if (number > 255 || (host.data[from] == '0' && to - from > 1) || (part == 0 && number != 127))
            return false;
        from = to + 1;
    }
    return true;
}

bool mf_url_is_loopback(const struct mf_url *url)
{
    return equal_no_case(url->host, MF_STR("localhost")) || mf_str_eq_c(url->host, "::1") ||
           is_ipv4_loopback(url->host);
}

int mf_url_check_base(const char *base, struct mf_error *err)
{
    struct mf_url url;
    const char *problem = NULL;
    if (!mf_url_parse(mf_str_of(base), &url))
        problem = "is not an http(s) URL";
    else if (url.has_userinfo)
        problem = "must not hold a user name or a password";
    else if (url.query.data != NULL)
        problem = "must not hold a query";
    else if (has_dot_segment(url.path))
        problem = "must not hold '.' or '..' in its path";
    else if (equal_no_case(url.scheme, MF_STR("http")) && !mf_url_is_loopback(&url))
        problem = "must be https (plain http is for loopback only)";
    if (problem == NULL)
        return 0;
    struct mf_buf shown;
    mf_buf_init(&shown, 300);
    mf_url_redact(mf_str_of(base), &shown);
    mf_error_set(err, MF_ERROR_CONFIG, "bad_base_url", "the base URL '%s' %s", mf_buf_c_str(&shown), problem);
    mf_buf_free(&shown);
    return -1;
}

// The port a connection would use.
static int effective_port(const struct mf_url *url)
{
    if (url->port >= 0)
        return url->port;
    return equal_no_case(url->scheme, MF_STR("https")) ? 443 : 80;
}

static int refuse(struct mf_error *err, const char *why)
{
    return mf_error_set(err, MF_ERROR_POISON, "next_url_refused", "the provider's next page was refused: %s",
                        why);
}

// The base's path without its trailing slashes.
static struct mf_str base_path(const struct mf_url *base)
{
    struct mf_str path = base->path;
    while (path.len > 0 && path.data[path.len - 1] == '/')
        path.len--;
    return path;
}

// May the key be sent to where `next` points? Sets *at_base when that is the base's own host.
static const char *host_problem(const struct mf_url *base, const char *const *allowed_hosts,
                                const struct mf_url *next, bool *at_base)
{
    if (next->has_userinfo)
        return "it holds a user name";
    bool https = equal_no_case(next->scheme, MF_STR("https"));
    if (!https && !equal_no_case(next->scheme, base->scheme))
        return "its scheme is neither https nor the base URL's";
    if (equal_no_case(next->host, base->host)) {
        *at_base = true;
        if (next->port >= 0 && next->port != (https ? 443 : 80) && next->port != effective_port(base))
            return "its port is neither the default nor the base URL's";
        return NULL;
    }
    for (size_t i = 0; allowed_hosts != NULL && allowed_hosts[i] != NULL; i++) {
        if (!equal_no_case(next->host, mf_str_of(allowed_hosts[i])))
            continue;
        if (!https)
            return "it is not https";
        return next->port >= 0 && next->port != 443 ? "its port is not the default" : NULL;
    }
    return "its host is not an allowed one";
}

// Parameter by parameter; what carries a key is left out, however it is written.
static void add_query_without_keys(struct mf_str query, struct mf_buf *out)
{
    char separator = '?';
    for (size_t from = 0; from < query.len;) {
        size_t to = find_char(query, from, "&");
        struct mf_str parameter = slice(query, from, to);
        struct mf_str name = slice(parameter, 0, find_char(parameter, 0, "="));
        if (parameter.len > 0 && !is_one_of(name, key_parameters, MF_ARRAY_LEN(key_parameters))) {
            mf_buf_add_char(out, separator);
            mf_buf_add_str(out, parameter);
            separator = '&';
        }
        from = to + 1;
    }
}

int mf_url_rebase(const char *base, const char *const *allowed_hosts, struct mf_str next, struct mf_buf *out,
                  struct mf_error *err)
{
    if (mf_url_check_base(base, err) < 0)
        return -1;
    struct mf_url to;
    struct mf_url from = {.port = -1};
    mf_url_parse(mf_str_of(base), &to);
    bool at_base = true;
    if (!is_clean(next))
        return refuse(err, "it is empty, too long or holds characters that no URL has");
    if (next.data[0] == '/' && !mf_str_starts_with(next, "//")) {
        size_t query_at = find_char(next, 0, "?");
        from.path = slice(next, 0, query_at);
        if (query_at < next.len)
            from.query = slice(next, query_at + 1, next.len);
    } else {
        at_base = false;
        if (!mf_url_parse(next, &from))
            return refuse(err, "it is not an http(s) URL");
        const char *problem = host_problem(&to, allowed_hosts, &from, &at_base);
        if (problem != NULL)
            return refuse(err, problem);
    }
    if (has_dot_segment(from.path))
        return refuse(err, "its path holds '.' or '..'");
    // Behind a gateway (base with a path) the vendor's own host names the vendor's path, which goes below the
    // base's; the gateway's own host names the whole path.
    struct mf_str prefix = base_path(&to);
    if (at_base && prefix.len > 0) {
        bool inside = from.path.len >= prefix.len && memcmp(from.path.data, prefix.data, prefix.len) == 0 &&
                      (from.path.len == prefix.len || from.path.data[prefix.len] == '/');
        if (!inside)
            return refuse(err, "its path is outside the base URL's");
        from.path = slice(from.path, prefix.len, from.path.len);
    }
    size_t base_len = (size_t)(to.path.data != NULL ? to.path.data - base : 0);
    mf_buf_clear(out);
    mf_buf_add(out, base, base_len + prefix.len);
    mf_buf_add_str(out, from.path);
    add_query_without_keys(from.query, out);
    if (out->overflow || out->len > MF_URL_MAX) {
        mf_buf_clear(out);
        return refuse(err, "it is too long");
    }
    return 0;
}

static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int add_encoded(struct mf_buf *url, struct mf_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    int result = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved((char)c)) {
            result |= mf_buf_add_char(url, (char)c);
        } else {
            const char code[3] = {'%', digits[c >> 4], digits[c & 15]};
            result |= mf_buf_add(url, code, sizeof code);
        }
    }
    return result;
}

int mf_url_add_query(struct mf_buf *url, const char *name, struct mf_str value)
{
    bool first = url->len == 0 || memchr(url->data, '?', url->len) == NULL;
    int result = mf_buf_add_char(url, first ? '?' : '&');
    result |= add_encoded(url, mf_str_of(name));
    result |= mf_buf_add_char(url, '=');
    result |= add_encoded(url, value);
    return result;
}

int mf_url_add_path_segment(struct mf_buf *url, struct mf_str segment)
{
    int result = mf_buf_add_char(url, '/');
    result |= add_encoded(url, segment);
    return result;
}

// Copies up to the host, with "***@" in the place of a user name. Returns where the rest begins.
static size_t redact_userinfo(struct mf_str text, struct mf_buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i + 3 <= text.len && start == 0; i++) {
        if (memcmp(text.data + i, "://", 3) == 0)
            start = i + 3;
    }
    size_t end = find_char(text, start, "/?#");
    size_t host = start;
    for (size_t i = start; i < end; i++) {
        if (text.data[i] == '@')
            host = i + 1;
    }
    if (host == start)
        return 0;
    mf_buf_add_str(out, slice(text, 0, start));
    mf_buf_add_c(out, "***@");
    return host;
}

void mf_url_redact(struct mf_str text, struct mf_buf *out)
{
    if (text.data == NULL)
        return;
    size_t from = redact_userinfo(text, out);
    while (from < text.len) {
        // A parameter begins behind the separator; what comes before the first one is the path.
        size_t begin = find_char(text, from, "?&;#");
        if (begin == text.len)
            break;
        begin++;
        mf_buf_add_str(out, slice(text, from, begin));
        size_t end = find_char(text, begin, "?&;#");
        size_t equals = find_char(text, begin, "=");
        if (equals < end &&
            is_one_of(slice(text, begin, equals), secret_parameters, MF_ARRAY_LEN(secret_parameters))) {
            mf_buf_add_str(out, slice(text, begin, equals + 1));
            mf_buf_add_c(out, "***");
        } else {
            mf_buf_add_str(out, slice(text, begin, end));
        }
        from = end;
    }
    if (from < text.len)
        mf_buf_add_str(out, slice(text, from, text.len));
}
