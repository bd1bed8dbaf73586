// SPDX-License-Identifier: Apache-2.0
// Parsing of a request's head. Owns nothing.
#include "common/http_request.h"

#include <strings.h>

// tchar of RFC 9110 §5.6.2
static bool is_token(struct mf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len > 0;
}

// No control characters; in a target no blanks and nothing beyond ASCII either.
static bool is_clean(struct mf_str text, bool target)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == 0x7f || (c < 0x20 && (target || c != '\t')) || (target && (c == ' ' || c >= 0x80)))
            return false;
    }
    return true;
}

// The text before the first `c`, which is taken off together with it. False when there is none.
static bool cut(struct mf_str *rest, char c, struct mf_str *before)
{
    const char *at = rest->len > 0 ? memchr(rest->data, c, rest->len) : NULL;
    if (at == NULL)
        return false;
    size_t len = (size_t)(at - rest->data);
    *before = (struct mf_str){rest->data, len};
    *rest = (struct mf_str){at + 1, rest->len - len - 1};
    return true;
}

// One line without its end; false when there is no whole line.
static bool take_line(struct mf_str *rest, struct mf_str *line)
{
    if (!cut(rest, '\n', line))
        return false;
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool parse_request_line(struct mf_str line, struct mf_http_request *request)
{
    struct mf_str target;
    if (!cut(&line, ' ', &request->method) || !cut(&line, ' ', &target))
        return false;
    bool version = mf_str_eq_c(line, "HTTP/1.1") || mf_str_eq_c(line, "HTTP/1.0");
    if (!version || !is_token(request->method) || !is_clean(target, true) || !mf_str_starts_with(target, "/"))
        return false;
    const char *query = memchr(target.data, '?', target.len);
    request->path = (struct mf_str){target.data, query != NULL ? (size_t)(query - target.data) : target.len};
    return true;
}

static struct mf_str trimmed(struct mf_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = (struct mf_str){text.data + 1, text.len - 1};
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool equals_no_case(struct mf_str text, const char *lower)
{
    return text.len == strlen(lower) && strncasecmp(text.data, lower, text.len) == 0;
}

static bool parse_header(struct mf_str line, struct mf_http_request *request)
{
    struct mf_str name;
    // A line that begins with a blank would continue the one before it (obsolete folding): its name is no
    // token.
    if (!cut(&line, ':', &name) || !is_token(name) || !is_clean(line, false))
        return false;
    struct mf_str value = trimmed(line);
    if (equals_no_case(name, "transfer-encoding")) {
        request->has_body = true;
    } else if (equals_no_case(name, "content-length")) {
        if (value.len == 0)
            return false;
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] < '0' || value.data[i] > '9')
                return false;
            request->has_body |= value.data[i] != '0';
        }
    }
    return true;
}

enum mf_http_head mf_http_request_parse(struct mf_str text, struct mf_http_request *request)
{
    struct mf_http_request parsed = {.has_body = false};
    struct mf_str line;
    if (!take_line(&text, &line))
        return MF_HTTP_HEAD_INCOMPLETE;
    if (!parse_request_line(line, &parsed))
        return MF_HTTP_HEAD_BAD;
    while (take_line(&text, &line)) {
        if (line.len == 0) {
            *request = parsed;
            return MF_HTTP_HEAD_OK;
        }
        if (!parse_header(line, &parsed))
            return MF_HTTP_HEAD_BAD;
    }
    return MF_HTTP_HEAD_INCOMPLETE;
}
