// SPDX-License-Identifier: Apache-2.0
// The head of a request: what is read, what is refused, and that a prefix is never more than incomplete.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/http_request.h"

static enum mf_http_head parse(const char *text, struct mf_http_request *request)
{
    return mf_http_request_parse(mf_str_of(text), request);
}

static void good_heads(void **state MF_UNUSED)
{
    static const struct {
        const char *text, *method, *path;
        bool has_body;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "GET", "/", false},
        {"GET /livez HTTP/1.0\n\n", "GET", "/livez", false},
        {"HEAD /metrics?name=x&y HTTP/1.1\r\nHost: a\r\nAccept:text/plain\r\n\r\n", "HEAD", "/metrics",
         false},
        {"GET /a?b?c HTTP/1.1\r\n\r\n", "GET", "/a", false},
        {"PROPFIND /x HTTP/1.1\r\n\r\nrest", "PROPFIND", "/x", false},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "GET", "/", false},
        {"POST / HTTP/1.1\r\ncontent-LENGTH: \t 12 \r\n\r\n", "POST", "/", true},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", "/", true},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", "GET", "/", true},
        {"GET / HTTP/1.1\r\nX-Text: caf\xc3\xa9\r\n\r\n", "GET", "/", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_http_request request;
        assert_int_equal(parse(rows[i].text, &request), MF_HTTP_HEAD_OK);
        assert_true(mf_str_eq_c(request.method, rows[i].method));
        assert_true(mf_str_eq_c(request.path, rows[i].path));
        assert_int_equal(request.has_body, rows[i].has_body);
        // Any prefix up to the blank line is incomplete: the answer never depends on how bytes arrive.
        size_t head = (size_t)(strstr(rows[i].text, "\n\r\n") != NULL
                                   ? strstr(rows[i].text, "\n\r\n") + 3 - rows[i].text
                                   : strstr(rows[i].text, "\n\n") + 2 - rows[i].text);
        for (size_t len = 0; len < head; len++)
            assert_int_equal(mf_http_request_parse((struct mf_str){rows[i].text, len}, &request),
                             MF_HTTP_HEAD_INCOMPLETE);
    }
}

static void bad_heads(void **state MF_UNUSED)
{
    static const char *const rows[] = {
        "\r\n",
        "GET\r\n",
        "GET /\r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET  / HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n",
        "G@T / HTTP/1.1\r\n",
        "GET http://host/ HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "GET /a\x01 HTTP/1.1\r\n",
        "GET /\xc3\xa9 HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n",
        "GET / HTTP/1.1\r\n: value\r\n",
        "GET / HTTP/1.1\r\nName : value\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n folded\r\n",
        "GET / HTTP/1.1\r\nA: \x01\r\n",
        "GET / HTTP/1.1\r\nContent-Length:\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1,1\r\n",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        struct mf_http_request request;
        if (parse(rows[i], &request) != MF_HTTP_HEAD_BAD)
            fail_msg("row %zu: %s", i, rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_heads), cmocka_unit_test(bad_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
