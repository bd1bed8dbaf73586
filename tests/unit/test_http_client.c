// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a scripted server on loopback: real sockets, every limit, every kind of failure.
// The server answers by path; what it sends and when it hangs up is exactly what the case says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/http_client.h"
#include "common/http_client_private.h"
#include "tests/unit/http_script.h"

#include <cmocka.h>

enum { BODY_MAX = 2 * 1024 * 1024 };

// ---------------------------------------------------------------- what the server says

// A gzip member that inflates to `matches` × 258 zeros: fixed Huffman codes, each match 13 bits. Its end is
// missing; the reader has to give up long before.
static void add_gzip_bomb(struct mf_buf *out, unsigned matches)
{
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    mf_buf_add(out, head, sizeof head);
    uint64_t bits = 0;
    unsigned count = 0;
    // Final block, fixed codes (1, 01 from the low bit); the literal 0 is 00110000, sent from its high bit.
    const char *start = "110"
                        "00110000";
    for (const char *c = start; *c != '\0'; c++)
        bits |= (uint64_t)(*c - '0') << count++;
    for (unsigned i = 0; i < matches; i++) {
        for (const char *c = "11000101"
                             "00000";
             *c != '\0'; c++)
            bits |= (uint64_t)(*c - '0') << count++;
        for (; count >= 8; count -= 8, bits >>= 8)
            mf_buf_add_char(out, (char)(bits & 0xff));
    }
}

// `size` bytes of body in HTTP chunks, so that nothing announces the size.
static void add_chunked(struct mf_buf *out, size_t size)
{
    mf_buf_add_c(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    char block[1000];
    memset(block, 'x', sizeof block);
    for (size_t sent = 0; sent < size;) {
        size_t len = size - sent < sizeof block ? size - sent : sizeof block;
        mf_buf_addf(out, "%zx\r\n", len);
        mf_buf_add(out, block, len);
        mf_buf_add_c(out, "\r\n");
        sent += len;
    }
    mf_buf_add_c(out, "0\r\n\r\n");
}

static void add_headers_of(struct mf_buf *out, size_t size)
{
    mf_buf_add_c(out, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    for (size_t sent = 0; sent < size; sent += 1006)
        mf_buf_addf(out, "X-Pad: %0999d\r\n", 0);
    mf_buf_add_c(out, "\r\nok");
}

static const struct {
    const char *path, *answer;
    enum http_script_after after;
} scripts[] = {
    {"/ok",
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req-1\r\nX-Marketflow-Data: "
     "replay\r\n"
     "Content-Length: 11\r\n\r\n{\"status\":1",
     HTTP_SCRIPT_KEEP_OPEN},
    {"/empty", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", HTTP_SCRIPT_KEEP_OPEN},
    {"/wait", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow",
     HTTP_SCRIPT_KEEP_OPEN},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n", HTTP_SCRIPT_KEEP_OPEN},
    {"/continue",
     "HTTP/1.1 103 Early Hints\r\nX-Request-Id: wrong\r\nRetry-After: 9\r\n\r\n"
     "HTTP/1.1 200 OK\r\nX-Marketflow-Data: two words\r\nContent-Length: 2\r\n\r\nok",
     HTTP_SCRIPT_KEEP_OPEN},
    {"/gzip",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n", // its body: see answer_for
     HTTP_SCRIPT_HANG_UP},
    {"/badgzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
     HTTP_SCRIPT_KEEP_OPEN},
    {"/truncated", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", HTTP_SCRIPT_HANG_UP},
    {"/silence", "", HTTP_SCRIPT_HANG_UP},
    {"/garbage", "SSH-2.0-OpenSSH\r\n\r\n", HTTP_SCRIPT_HANG_UP},
    {"/hang", "", HTTP_SCRIPT_KEEP_OPEN},
    {"/stall", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", HTTP_SCRIPT_KEEP_OPEN},
    {"/announced", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nx", HTTP_SCRIPT_KEEP_OPEN},
};

static enum http_script_after answer_for(void *arg, const char *path, struct mf_buf *out)
{
    (void)arg;
    if (strcmp(path, "/bomb") == 0) {
        mf_buf_add_c(out, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
        add_gzip_bomb(out, 7000); // 1.8 MB of zeros in 11 kB
    } else if (strncmp(path, "/body/", 6) == 0) {
        add_chunked(out, strtoul(path + 6, NULL, 10));
    } else if (strncmp(path, "/headers/", 9) == 0) {
        add_headers_of(out, strtoul(path + 9, NULL, 10));
    }
    enum http_script_after after = HTTP_SCRIPT_HANG_UP;
    for (size_t i = 0; i < MF_ARRAY_LEN(scripts); i++) {
        if (strcmp(path, scripts[i].path) == 0) {
            mf_buf_add_c(out, scripts[i].answer);
            after = scripts[i].after;
        }
    }
    if (strcmp(path, "/gzip") == 0) {
        static const unsigned char member[] = {0x1f, 0x8b, 8,    0,    0,    0,    0, 0, 0,
                                               3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86,
                                               0xa6, 0x10, 0x36, 5,    0,    0,    0};
        mf_buf_add(out, member, sizeof member); // "hello"
    }
    return after;
}

// ---------------------------------------------------------------- the fixture

struct fixture {
    struct mf_loop *loop;
    struct mf_metrics *metrics;
    struct http_script *server;
    struct mf_http_client *client;
    struct mf_timer *guard;
    // the last answer
    unsigned answers, wanted;
    int status;
    struct mf_error err;
    bool failed, redirect_refused;
    char body[64], data_mode[32], request_id[32], content_type[64];
    size_t body_len;
    int64_t retry_after_ms;
    const char *then; // asked again from inside the callback
};

static void on_guard(void *arg)
{
    (void)arg;
    fprintf(stderr, "a case did not end within 30 s\n");
    abort();
}

static struct mf_http_client *make_client(struct fixture *f, bool plain)
{
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", http_script_port(f->server));
    const char *allowed[] = {host, "allowed.invalid", "127.0.0.1:1", NULL};
    struct mf_http_client_config config = {
        .user_agent = "marketflow-test/1",
        .allowed_hosts = allowed,
        .allow_plain_http = plain,
        .body_max = BODY_MAX,
        .connect_timeout_ms = 5000,
        .total_timeout_ms = 20000,
        .low_speed_timeout_ms = 1000,
        .connections_per_host = 4,
    };
    struct mf_http_client *client = NULL;
    struct mf_error err;
    assert_int_equal(mf_http_client_new(f->loop, NULL, f->metrics, &config, &client, &err), 0);
    return client;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct mf_error err;
    assert_int_equal(mf_loop_new(&f->loop, &err), 0);
    f->metrics = mf_metrics_new();
    f->server = http_script_new(f->loop, answer_for, NULL);
    f->client = make_client(f, true);
    f->guard = mf_timer_new(f->loop, on_guard, NULL);
    mf_timer_arm_ms(f->guard, 30000);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    mf_http_client_free(&f->client);
    http_script_free(&f->server);
    mf_timer_free(&f->guard);
    mf_metrics_free(&f->metrics);
    mf_loop_free(&f->loop);
    free(f);
    return 0;
}

static void url_of(const struct fixture *f, const char *path, char *url, size_t size)
{
    snprintf(url, size, "http://127.0.0.1:%d%s", http_script_port(f->server), path);
}

static void on_done(void *arg, const struct mf_http_response *response)
{
    struct fixture *f = arg;
    f->status = response->status;
    f->failed = response->error != NULL;
    if (f->failed)
        f->err = *response->error;
    f->redirect_refused = response->redirect_refused;
    f->retry_after_ms = response->retry_after_ms;
    f->body_len = response->body.len;
    struct mf_buf kept = {.max = 0}; // a body may be taken away
    mf_buf_move(&kept, response->body_buf);
    assert_true(f->failed ||
                (kept.len == f->body_len && (kept.len == 0 || kept.data == response->body.data)));
    mf_str_copy(f->body, sizeof f->body, f->failed ? MF_STR_NULL : mf_buf_str(&kept));
    mf_buf_free(&kept);
    mf_str_copy(f->data_mode, sizeof f->data_mode, response->data_mode);
    mf_str_copy(f->request_id, sizeof f->request_id, response->request_id);
    mf_str_copy(f->content_type, sizeof f->content_type, response->content_type);
    assert_true(response->duration_us >= 0);
    if (f->then != NULL) {
        char url[200];
        url_of(f, f->then, url, sizeof url);
        f->then = NULL;
        assert_int_equal(mf_http_client_get(f->client, "news", url, NULL, NULL, on_done, f, NULL, NULL), 0);
    }
    if (++f->answers == f->wanted)
        mf_loop_stop(f->loop);
}

static void wait_for(struct fixture *f, unsigned answers)
{
    struct mf_error err;
    f->wanted = answers;
    assert_int_equal(mf_loop_run(f->loop, &err), 0);
    assert_int_equal(f->answers, answers);
}

static void get_url(struct fixture *f, const char *url)
{
    struct mf_error err;
    f->answers = 0;
    if (mf_http_client_get(f->client, "bars", url, NULL, NULL, on_done, f, NULL, &err) < 0)
        fail_msg("%s: %s", url, err.message);
    wait_for(f, 1);
    assert_int_equal(mf_http_client_in_flight(f->client), 0);
}

static void get(struct fixture *f, const char *path)
{
    char url[200];
    url_of(f, path, url, sizeof url);
    get_url(f, url);
}

static double counted(struct fixture *f, enum mf_http_metric metric, const char *label)
{
    return mf_metric_value(MF_METRIC(f->metrics, &mf_http_metrics[metric], "bars", label));
}

// ---------------------------------------------------------------- cases

static void test_answer(void **state)
{
    struct fixture *f = *state;
    get(f, "/ok");
    assert_false(f->failed);
    assert_int_equal(f->status, 200);
    assert_string_equal(f->body, "{\"status\":1");
    assert_string_equal(f->content_type, "application/json");
    assert_string_equal(f->data_mode, "replay");
    assert_string_equal(f->request_id, "req-1");
    assert_int_equal(f->retry_after_ms, -1);
    assert_true(counted(f, MF_M_HTTP_REQUESTS, "200") == 1);
    assert_true(mf_metric_value(MF_METRIC(f->metrics, &mf_http_metrics[MF_M_HTTP_DURATION], "bars")) == 1);
    assert_true(mf_metric_value(MF_METRIC(f->metrics, &mf_http_metrics[MF_M_HTTP_BYTES], "bars")) > 11);
}

static void test_statuses(void **state)
{
    struct fixture *f = *state;
    get(f, "/empty");
    assert_int_equal(f->status, 429);
    assert_int_equal(f->body_len, 0);
    assert_int_equal(f->retry_after_ms, -1);
    get(f, "/wait");
    assert_int_equal(f->status, 429);
    assert_string_equal(f->body, "slow");
    assert_int_equal(f->retry_after_ms, 7000);
    assert_true(counted(f, MF_M_HTTP_REQUESTS, "429") == 2);
    get(f, "/continue"); // headers of an interim answer do not count; a value with a blank is no mode
    assert_int_equal(f->status, 200);
    assert_int_equal(f->retry_after_ms, -1);
    assert_string_equal(f->request_id, "");
    assert_string_equal(f->data_mode, "");
}

static void test_redirect_is_not_followed(void **state)
{
    struct fixture *f = *state;
    get(f, "/redirect");
    assert_int_equal(f->status, 302);
    assert_true(f->redirect_refused);
    assert_non_null(strstr(http_script_last_request(f->server), "GET /redirect "));
    assert_true(counted(f, MF_M_HTTP_ERRORS, "redirect_refused") == 1);
}

static void test_connection_is_reused(void **state)
{
    struct fixture *f = *state;
    get(f, "/ok");
    get(f, "/wait");
    get(f, "/ok");
    assert_int_equal(http_script_accepted(f->server), 1);
}

static void test_headers_sent(void **state)
{
    struct fixture *f = *state;
    static const char *const headers[] = {"Accept: application/json", NULL};
    char url[200];
    url_of(f, "/ok?cursor=a%2Fb", url, sizeof url);
    struct mf_http_request *request = NULL;
    assert_int_equal(
        mf_http_client_get(f->client, "bars", url, "the-key", headers, on_done, f, &request, NULL), 0);
    assert_non_null(request);
    assert_int_equal(mf_http_client_in_flight(f->client), 1);
    wait_for(f, 1);
    const char *sent = http_script_last_request(f->server);
    assert_non_null(strstr(sent, "GET /ok?cursor=a%2Fb HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "\r\nAuthorization: Bearer the-key\r\n"));
    assert_non_null(strstr(sent, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\nUser-Agent: marketflow-test/1\r\n"));
    assert_non_null(strstr(sent, "\r\nAccept-Encoding: gzip\r\n"));
}

static void test_header_injection(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"A: b\r\nC: d", NULL};
    char url[200];
    url_of(f, "/ok", url, sizeof url);
    struct mf_error err;
    assert_int_equal(mf_http_client_get(f->client, "bars", url, "k\nX: y", NULL, on_done, f, NULL, &err), -1);
    assert_string_equal(err.code, "bad_header");
    assert_null(strstr(err.message, "X: y"));
    assert_int_equal(mf_http_client_get(f->client, "bars", url, NULL, bad, on_done, f, NULL, &err), -1);
    assert_string_equal(err.code, "bad_header");
    assert_int_equal(mf_http_client_in_flight(f->client), 0);
}

static void test_gzip(void **state)
{
    struct fixture *f = *state;
    get(f, "/gzip");
    assert_false(f->failed);
    assert_string_equal(f->body, "hello");
}

static void test_failures(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path, *code, *kind;
        enum mf_error_class class;
    } cases[] = {
        {"/badgzip", "parse", "parse", MF_ERROR_TRANSIENT},
        {"/truncated", "eof", "eof", MF_ERROR_TRANSIENT},
        {"/silence", "eof", "eof", MF_ERROR_TRANSIENT},
        {"/garbage", "eof", "eof", MF_ERROR_TRANSIENT},
        {"/hang", "timeout", "timeout", MF_ERROR_TRANSIENT},
        {"/stall", "timeout", "timeout", MF_ERROR_TRANSIENT},
        {"/announced", "body_too_large", "too_large", MF_ERROR_POISON},
        {"/bomb", "body_too_large", "too_large", MF_ERROR_POISON},
        {"/headers/40000", "headers_too_large", "too_large", MF_ERROR_POISON},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        double before = counted(f, MF_M_HTTP_ERRORS, cases[i].kind);
        get(f, cases[i].path);
        if (!f->failed || f->status != 0)
            fail_msg("%s was not refused", cases[i].path);
        if (strcmp(f->err.code, cases[i].code) != 0 || f->err.class != cases[i].class)
            fail_msg("%s: %s %s", cases[i].path, f->err.code, f->err.message);
        assert_true(counted(f, MF_M_HTTP_ERRORS, cases[i].kind) == before + 1);
    }
    get(f, "/ok"); // none of it did the client any harm
    assert_int_equal(f->status, 200);
}

static void test_body_limit(void **state)
{
    struct fixture *f = *state;
    char path[64];
    snprintf(path, sizeof path, "/body/%d", BODY_MAX);
    get(f, path);
    assert_false(f->failed);
    assert_int_equal(f->body_len, BODY_MAX);
    snprintf(path, sizeof path, "/body/%d", BODY_MAX + 1);
    get(f, path);
    assert_true(f->failed);
    assert_string_equal(f->err.code, "body_too_large");
    get(f, "/headers/30000");
    assert_false(f->failed);
}

static void test_unreachable(void **state)
{
    struct fixture *f = *state;
    get_url(f, "http://127.0.0.1:1/x"); // nobody listens on the port of tcpmux
    assert_string_equal(f->err.code, "connect");
    char url[200];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/ok", http_script_port(f->server)); // speaks no TLS
    get_url(f, url);
    assert_string_equal(f->err.code, "tls");
    assert_true(counted(f, MF_M_HTTP_ERRORS, "connect") == 1);
    assert_true(counted(f, MF_M_HTTP_ERRORS, "tls") == 1);
}

static void test_host_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const refused[] = {"https://evil.invalid/", "https://127.0.0.1/",
                                          "http://allowed.invalid/", "https://allowed.invalid:8443/"};
    struct mf_error err;
    for (size_t i = 0; i < MF_ARRAY_LEN(refused); i++) {
        assert_int_equal(
            mf_http_client_get(f->client, "bars", refused[i], NULL, NULL, on_done, f, NULL, &err), -1);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_string_equal(err.code, "host_refused");
    }
    assert_true(counted(f, MF_M_HTTP_ERRORS, "host_refused") == 4);
    assert_int_equal(mf_http_client_get(f->client, "bars", "ftp://x", NULL, NULL, on_done, f, NULL, &err),
                     -1);
    assert_string_equal(err.code, "bad_url");
    struct mf_http_client *https_only = make_client(f, false);
    char url[200];
    url_of(f, "/ok", url, sizeof url);
    assert_int_equal(mf_http_client_get(https_only, "bars", url, NULL, NULL, on_done, f, NULL, &err), -1);
    assert_string_equal(err.code, "host_refused");
    mf_http_client_free(&https_only);
    assert_int_equal(http_script_accepted(f->server), 0);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    char hang[200];
    char ok[200];
    url_of(f, "/hang", hang, sizeof hang);
    url_of(f, "/ok", ok, sizeof ok);
    struct mf_http_request *request = NULL;
    assert_int_equal(mf_http_client_get(f->client, "bars", hang, NULL, NULL, on_done, f, &request, NULL), 0);
    mf_http_client_cancel(f->client, &request);
    assert_null(request);
    mf_http_client_cancel(f->client, &request); // of nothing
    assert_int_equal(mf_http_client_in_flight(f->client), 0);
    assert_int_equal(mf_http_client_get(f->client, "bars", hang, NULL, NULL, on_done, f, &request, NULL), 0);
    assert_int_equal(mf_http_client_get(f->client, "bars", ok, NULL, NULL, on_done, f, NULL, NULL), 0);
    wait_for(f, 1); // the hanging one is under way by now
    assert_int_equal(f->status, 200);
    assert_int_equal(mf_http_client_in_flight(f->client), 1);
    mf_http_client_cancel(f->client, &request);
    assert_int_equal(mf_http_client_in_flight(f->client), 0);
}

static void test_free_with_requests(void **state)
{
    struct fixture *f = *state;
    char url[200];
    url_of(f, "/hang", url, sizeof url);
    struct mf_http_client *other = make_client(f, true);
    assert_int_equal(mf_http_client_get(other, "bars", url, NULL, NULL, on_done, f, NULL, NULL), 0);
    get(f, "/ok");
    f->answers = 0;
    mf_http_client_free(&other);
    assert_null(other);
    mf_http_client_free(&other);
    assert_int_equal(f->answers, 0);
}

static void test_ask_again_from_the_callback(void **state)
{
    struct fixture *f = *state;
    char url[200];
    url_of(f, "/wait", url, sizeof url);
    f->then = "/ok";
    assert_int_equal(mf_http_client_get(f->client, "bars", url, NULL, NULL, on_done, f, NULL, NULL), 0);
    wait_for(f, 2);
    assert_int_equal(f->status, 200);
}

static void test_parallel(void **state)
{
    struct fixture *f = *state;
    char url[200];
    url_of(f, "/ok", url, sizeof url);
    for (int i = 0; i < 20; i++)
        assert_int_equal(mf_http_client_get(f->client, "bars", url, NULL, NULL, on_done, f, NULL, NULL), 0);
    wait_for(f, 20);
    assert_true(http_script_accepted(f->server) <= 4);
}

static void test_settings_of_the_client(void **state)
{
    struct fixture *f = *state;
    struct mf_http_client *client = NULL;
    struct mf_error err;
    struct mf_http_client_config config = {.ca_file = "/nonexistent/ca.pem", .body_max = 10};
    assert_int_equal(mf_http_client_new(f->loop, NULL, f->metrics, &config, &client, &err), -1);
    assert_int_equal(err.class, MF_ERROR_CONFIG);
    assert_string_equal(err.code, "bad_ca_file");
    const char *hosts[] = {"host/path", NULL};
    config = (struct mf_http_client_config){.allowed_hosts = hosts, .body_max = 10};
    assert_int_equal(mf_http_client_new(f->loop, NULL, f->metrics, &config, &client, &err), -1);
    assert_string_equal(err.code, "bad_host");
    assert_non_null(strstr(mf_http_client_version(), "libcurl"));
}

static void test_retry_after(void **state)
{
    (void)state;
    const int64_t now_us = INT64_C(1704205800) * MF_US_PER_SECOND; // Tue, 02 Jan 2024 14:30:00 GMT
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"120", 120000},
        {"3600", 3600000},
        {"99999999999999", 3600000},
        {"Tue, 02 Jan 2024 14:30:30 GMT", 30000},
        {"Tue, 02 Jan 2024 14:00:00 GMT", 0},
        {"Fri, 02 Jan 2054 14:00:00 GMT", 3600000},
        {"-5", -1},
        {"soon", -1},
        {"", -1},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        if (http_retry_after_ms(mf_str_of(cases[i].text), now_us) != cases[i].ms)
            fail_msg("%s", cases[i].text);
    }
}

static void test_spin(void **state)
{
    (void)state;
    struct http_spin spin = {0};
    int64_t now_us = 5 * MF_US_PER_SECOND;
    for (unsigned i = 0; i < HTTP_SPIN_WAKEUPS_MAX; i++)
        assert_false(http_spin_note(&spin, now_us + i, 1));
    assert_true(http_spin_note(&spin, now_us + 2000, 1));
    assert_false(http_spin_note(&spin, now_us + 2001, 2));   // something moved
    for (unsigned i = 0; i < 5 * HTTP_SPIN_WAKEUPS_MAX; i++) // many, but slowly
        assert_false(http_spin_note(&spin, now_us + (int64_t)i * 2000, 2));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_answer),
        CASE(test_statuses),
        CASE(test_redirect_is_not_followed),
        CASE(test_connection_is_reused),
        CASE(test_headers_sent),
        CASE(test_header_injection),
        CASE(test_gzip),
        CASE(test_failures),
        CASE(test_body_limit),
        CASE(test_unreachable),
        CASE(test_host_refused),
        CASE(test_cancel),
        CASE(test_free_with_requests),
        CASE(test_ask_again_from_the_callback),
        CASE(test_parallel),
        CASE(test_settings_of_the_client),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
