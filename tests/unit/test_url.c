// SPDX-License-Identifier: Apache-2.0
// URLs: what is parsed, what is refused, where a provider's next page may lead, what a log may show.
#include "common/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/backoff.h"

#include <cmocka.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *host, *path, *query;
        int port;
        bool userinfo;
    } good[] = {
        {"https://api.massive.com", "https", "api.massive.com", "", NULL, -1, false},
        {"https://api.massive.com:443/v2/x?a=1&b=2", "https", "api.massive.com", "/v2/x", "a=1&b=2", 443,
         false},
        {"HTTP://localhost:8080/", "HTTP", "localhost", "/", NULL, 8080, false},
        {"https://[::1]:9443/x", "https", "::1", "/x", NULL, 9443, false},
        {"https://u:p@host/x", "https", "host", "/x", NULL, -1, true},
        {"https://a@b@host", "https", "host", "", NULL, -1, true},
        {"https://host?x", "https", "host", "", "x", -1, false},
        {"https://host?", "https", "host", "", "", -1, false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        struct mf_url url;
        assert_true(mf_url_parse(mf_str_of(good[i].text), &url));
        assert_true(mf_str_eq_c(url.scheme, good[i].scheme));
        assert_true(mf_str_eq_c(url.host, good[i].host));
        assert_true(mf_str_eq_c(url.path, good[i].path));
        assert_int_equal(url.port, good[i].port);
        assert_int_equal(url.has_userinfo, good[i].userinfo);
        if (good[i].query == NULL)
            assert_null(url.query.data);
        else
            assert_true(mf_str_eq_c(url.query, good[i].query));
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "api.massive.com",
        "ftp://host/",
        "file:///etc/passwd",
        "https:/host",
        "https://",
        "https:///path",
        "https://host:",
        "https://host:0",
        "https://host:65536",
        "https://host:80a",
        "https://host:123456",
        "https://[::1",
        "https://[::1]x",
        "https://[g]/",
        "https://ho st/",
        "https://host/\tx",
        "https://host/x#fragment",
        "https://host\\@evil/",
        "https://h%6fst/",
        "https://h\xc3\xb6st/",
    };
    struct mf_url url;
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        if (mf_url_parse(mf_str_of(bad[i]), &url))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(mf_url_parse(MF_STR_NULL, &url));
    assert_false(mf_url_parse(MF_STR("https://host/\0x"), &url));
}

static void test_parse_length_limit(void **state)
{
    (void)state;
    struct mf_buf text;
    mf_buf_init(&text, 2 * MF_URL_MAX);
    mf_buf_add_c(&text, "https://host/");
    while (text.len < MF_URL_MAX)
        mf_buf_add_char(&text, 'x');
    struct mf_url url;
    assert_true(mf_url_parse(mf_buf_str(&text), &url));
    mf_buf_add_char(&text, 'x');
    assert_false(mf_url_parse(mf_buf_str(&text), &url));
    mf_buf_free(&text);
}

static void test_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},    {"127.255.0.9", true},     {"localhost", true},   {"LOCALHOST", true},
        {"[::1]", true},        {"126.0.0.1", false},      {"0.0.0.0", false},    {"127.1", false},
        {"127.0.0.256", false}, {"127.0.0.1.evil", false}, {"0127.0.0.1", false}, {"127.0.0.01", false},
        {"127..0.1", false},    {"localhost.evil", false}, {"[::2]", false},      {"127.0.0.1.", false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        char text[80];
        snprintf(text, sizeof text, "http://%s/", cases[i].host);
        struct mf_url url;
        assert_true(mf_url_parse(mf_str_of(text), &url));
        if (mf_url_is_loopback(&url) != cases[i].loopback)
            fail_msg("%s", cases[i].host);
    }
}

static void test_check_base(void **state)
{
    (void)state;
    static const char *const good[] = {"https://api.massive.com", "https://gw.test:8443/polygon/",
                                       "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"};
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++)
        assert_int_equal(mf_url_check_base(good[i], NULL), 0);
    static const char *const bad[] = {"",
                                      "api.massive.com",
                                      "http://api.massive.com",
                                      "http://127.0.0.1.evil.test",
                                      "https://me:secret@api.massive.com",
                                      "https://api.massive.com?apiKey=secret",
                                      "https://api.massive.com/a/../b"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        struct mf_error err = {.class = MF_ERROR_FATAL};
        assert_int_equal(mf_url_check_base(bad[i], &err), -1);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_string_equal(err.code, "bad_base_url");
        assert_null(strstr(err.message, "secret"));
    }
}

static const char *const vendor_hosts[] = {"api.massive.com", "api.polygon.io", NULL};

static void test_rebase(void **state)
{
    (void)state;
    static const struct {
        const char *base, *next, *expected;
    } cases[] = {
        {"https://api.massive.com", "https://api.massive.com:443/v2/a?cursor=x",
         "https://api.massive.com/v2/a?cursor=x"},
        {"https://api.massive.com", "https://api.polygon.io/v2/a?cursor=x",
         "https://api.massive.com/v2/a?cursor=x"},
        {"https://api.massive.com", "https://API.POLYGON.IO/v2/a", "https://api.massive.com/v2/a"},
        {"https://api.massive.com", "/v2/a?cursor=x", "https://api.massive.com/v2/a?cursor=x"},
        {"https://api.massive.com",
         "https://api.massive.com/v2?apiKey=K&cursor=x&APIKEY=K&token=K&api%4bey=K",
         "https://api.massive.com/v2?cursor=x"},
        {"https://api.massive.com", "https://api.massive.com/v2?apiKey=K", "https://api.massive.com/v2"},
        {"https://api.massive.com", "https://api.massive.com/v2?a=1&&b=2",
         "https://api.massive.com/v2?a=1&b=2"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080/v2", "http://127.0.0.1:8080/v2"},
        {"http://127.0.0.1:8080", "https://api.massive.com:443/v2", "http://127.0.0.1:8080/v2"},
        {"https://gw.test/poly/", "https://api.massive.com/v2?c=1", "https://gw.test/poly/v2?c=1"},
        {"https://gw.test/poly/", "https://gw.test/poly/v2?c=1", "https://gw.test/poly/v2?c=1"},
        {"https://gw.test/poly", "/poly/v2", "https://gw.test/poly/v2"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf out;
        mf_buf_init(&out, MF_URL_MAX);
        mf_buf_add_c(&out, "left from before");
        struct mf_error err;
        if (mf_url_rebase(cases[i].base, vendor_hosts, mf_str_of(cases[i].next), &out, &err) < 0)
            fail_msg("%s: %s", cases[i].next, err.message);
        assert_string_equal(mf_buf_c_str(&out), cases[i].expected);
        mf_buf_free(&out);
    }
}

static void test_rebase_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *base, *next;
    } cases[] = {
        {"https://api.massive.com", ""},
        {"https://api.massive.com", "https://evil.test/v2"},
        {"https://api.massive.com", "https://api.massive.com.evil.test/v2"},
        {"https://api.massive.com", "https://api.massive.com@evil.test/v2"},
        {"https://api.massive.com", "https://me@api.massive.com/v2"},
        {"https://api.massive.com", "http://api.massive.com/v2"},
        {"https://api.massive.com", "https://api.massive.com:8443/v2"},
        {"https://api.massive.com", "//evil.test/v2"},
        {"https://api.massive.com", "v2/x"},
        {"https://api.massive.com", "https://api.massive.com/a/%2E%2e/b"},
        {"https://api.massive.com", "https://api.massive.com/a#x"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:9090/v2"},
        {"http://127.0.0.1:8080", "http://api.massive.com/v2"},
        {"https://gw.test/poly", "https://gw.test/polyx/v2"},
        {"https://gw.test/poly", "/other"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf out;
        mf_buf_init(&out, MF_URL_MAX);
        struct mf_error err = {.class = MF_ERROR_FATAL};
        if (mf_url_rebase(cases[i].base, vendor_hosts, mf_str_of(cases[i].next), &out, &err) == 0)
            fail_msg("accepted: %s", cases[i].next);
        assert_int_equal(err.class, MF_ERROR_POISON);
        assert_string_equal(err.code, "next_url_refused");
        mf_buf_free(&out);
    }
    struct mf_buf out;
    mf_buf_init(&out, 24);
    assert_int_equal(mf_url_rebase("https://api.massive.com", NULL, MF_STR("/v2/long"), &out, NULL), -1);
    mf_buf_free(&out);
}

// Is the text the base, or something below it? By its bytes, which no parser can read in another way.
static bool lies_below(const char *base, const struct mf_buf *text)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    return text->len >= len && memcmp(text->data, base, len) == 0 &&
           (text->len == len || text->data[len] == '/' || text->data[len] == '?');
}

struct piece { // of a next page's URL
    const char *text;
    bool good;
};

static const struct piece schemes[] = {{"https", true},   {"HTTPS", true},     {"http", false},
                                       {"ftp", false},    {"file", false},     {"", false},
                                       {" https", false}, {"https%3a", false}, {"httpss", false}};
static const struct piece separators[] = {{"://", true},    {":/", false}, {":", false},
                                          {":\\\\", false}, {"//", false}, {":////", false}};
static const struct piece users[] = {{"", true},       {"me@", false},
                                     {"me:x@", false}, {"@", false},
                                     {"a@b@", false},  {"api.massive.com@", false},
                                     {"%40", false},   {"api.massive.com%40", false}};
static const struct piece hosts[] = {{"api.massive.com", true},
                                     {"API.Massive.COM", true},
                                     {"api.polygon.io", true},
                                     {"api.massive.com.", false},
                                     {"api.massive.com..", false},
                                     {".api.massive.com", false},
                                     {"api.massive.com.evil.test", false},
                                     {"evil.test", false},
                                     {"api.massive.comevil.test", false},
                                     {"api%2emassive.com", false},
                                     {"api.massive.com%00.evil.test", false},
                                     {"api.massive.com%2f.evil.test", false},
                                     {"api\xe3\x80\x82massive.com", false},
                                     {"api.massive.com\\.evil.test", false},
                                     {"api.massive.com\t", false},
                                     {"api.massive.com\r\nHost: evil.test", false},
                                     {"[::1]", false},
                                     {"[::ffff:127.0.0.1]", false},
                                     {"[api.massive.com]", false},
                                     {"127.0.0.1", false},
                                     {"2130706433", false},
                                     {"", false}};
static const struct piece ports[] = {{"", true},         {":443", true},    {":0443", true},
                                     {":80", false},     {":8443", false},  {":", false},
                                     {":443:80", false}, {":65979", false}, {":443@evil.test", false},
                                     {":-1", false}};
static const struct piece paths[] = {{"", true},
                                     {"/v2/x?cursor=a", true},
                                     {"?cursor=a", true},
                                     {"//evil.test/x", true}, // a path on the base
                                     {"/@evil.test", true},
                                     {"/x?next=https://evil.test/", true},
                                     {"/../x", false},
                                     {"/a/%2E%2e/x", false},
                                     {"/.%2e", false},
                                     {"\\@evil.test/", false},
                                     {"#@evil.test/", false},
                                     {"/x#y", false}};

// Every combination of what makes one URL look like another: only those whose pieces are all good are taken,
// and what is asked for then lies on the base.
static void test_no_next_page_leads_elsewhere(void **state)
{
    (void)state;
    static const char base[] = "https://api.massive.com";
    const size_t counts[] = {MF_ARRAY_LEN(schemes), MF_ARRAY_LEN(separators), MF_ARRAY_LEN(users),
                             MF_ARRAY_LEN(hosts),   MF_ARRAY_LEN(ports),      MF_ARRAY_LEN(paths)};
    static const struct piece *const pieces[] = {schemes, separators, users, hosts, ports, paths};
    size_t all = 1;
    size_t taken = 0;
    struct mf_buf next, out;
    mf_buf_init(&next, MF_URL_MAX);
    mf_buf_init(&out, MF_URL_MAX);
    for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++)
        all *= counts[i];
    for (size_t number = 0; number < all; number++) {
        bool good = true;
        size_t rest = number;
        mf_buf_clear(&next);
        for (size_t i = 0; i < MF_ARRAY_LEN(counts); i++) {
            const struct piece *piece = &pieces[i][rest % counts[i]];
            rest /= counts[i];
            mf_buf_add_c(&next, piece->text);
            good = good && piece->good;
        }
        bool accepted = mf_url_rebase(base, vendor_hosts, mf_buf_str(&next), &out, NULL) == 0;
        // Without a scheme and with two slashes it is another host's, with one a path.
        bool path_only = next.data[0] == '/' && next.data[1] != '/';
        if (accepted != good && !path_only)
            fail_msg("%s: %s", accepted ? "accepted" : "refused", mf_buf_c_str(&next));
        if (accepted && !lies_below(base, &out))
            fail_msg("%s leads to %s", mf_buf_c_str(&next), mf_buf_c_str(&out));
        taken += accepted;
    }
    assert_int_equal(taken, 2 * 3 * 3 * 6); // the good pieces of each kind
    mf_buf_free(&next);
    mf_buf_free(&out);
}

// URLs that are right but for some bytes, on each kind of base: whatever is taken lies below it, and no key
// is in it.
static void test_changed_bytes_lead_nowhere_else(void **state)
{
    (void)state;
    static const char *const bases[] = {"https://api.massive.com", "http://127.0.0.1:8080",
                                        "https://gw.test:8443/v/", "http://[::1]:9"};
    static const char *const starts[] = {"https://api.massive.com:443/v2/aggs/x?cursor=abc&apiKey=K3Y",
                                         "http://127.0.0.1:8080/v2?apikey=K3Y&c=1",
                                         "https://gw.test:8443/v/n?c=1&api%4Bey=K3Y",
                                         "https://api.polygon.io/n?ACCESS_TOKEN=K3Y",
                                         "/v/n?token=K3Y",
                                         "http://[::1]:9/x?api_key=K3Y"};
    static const char odd[] = "@:/\\?#%.[]&=;\t\r\n 0aA\x80-_+*";
    uint64_t random = 8;
    size_t taken = 0;
    struct mf_buf out;
    mf_buf_init(&out, MF_URL_MAX);
    for (unsigned run = 0; run < 200000; run++) {
        char next[128];
        const char *base = bases[mf_random_next(&random) % MF_ARRAY_LEN(bases)];
        size_t len = strlen(starts[run % MF_ARRAY_LEN(starts)]);
        memcpy(next, starts[run % MF_ARRAY_LEN(starts)], len);
        size_t key_at =
            (size_t)(strstr(starts[run % MF_ARRAY_LEN(starts)], "K3Y") - starts[run % MF_ARRAY_LEN(starts)]);
        size_t name_at = key_at;
        while (next[name_at - 1] != '?' && next[name_at - 1] != '&')
            name_at--;
        bool name_changed = false;
        for (unsigned changes = 0; changes < run % 4; changes++) {
            size_t at = mf_random_next(&random) % len;
            char old = next[at];
            next[at] = odd[mf_random_next(&random) % (sizeof odd - 1)];
            // Its own bytes, or where the query begins.
            bool around = at + 1 >= name_at || old == '?' || next[at] == '?';
            name_changed = name_changed || (at <= key_at && around);
        }
        struct mf_error err;
        if (mf_url_rebase(base, vendor_hosts, (struct mf_str){next, len}, &out, &err) < 0) {
            assert_string_equal(err.code, "next_url_refused");
            continue;
        }
        taken++;
        if (!lies_below(base, &out) || (!name_changed && strstr(mf_buf_c_str(&out), "K3Y") != NULL))
            fail_msg("%.*s leads to %s", (int)len, next, mf_buf_c_str(&out));
    }
    assert_true(taken > 20000);
    mf_buf_free(&out);
}

static void test_build(void **state)
{
    (void)state;
    struct mf_buf url;
    mf_buf_init(&url, MF_URL_MAX);
    mf_buf_add_c(&url, "https://h");
    assert_int_equal(mf_url_add_path_segment(&url, MF_STR("X:BTC/USD")), 0);
    assert_int_equal(mf_url_add_query(&url, "published_utc.gte", MF_STR("2024-01-02T00:00:00Z")), 0);
    assert_int_equal(mf_url_add_query(&url, "t", MF_STR("a b&c=\xc3\xa9~")), 0);
    assert_string_equal(mf_buf_c_str(&url),
                        "https://h/X%3ABTC%2FUSD?published_utc.gte=2024-01-02T00%3A00%3A00Z"
                        "&t=a%20b%26c%3D%C3%A9~");
    mf_buf_free(&url);
    mf_buf_init(&url, 5);
    assert_int_equal(mf_url_add_query(&url, "name", MF_STR("value")), -1);
    mf_buf_free(&url);
}

static void test_redact(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"https://u:p@h/x?apiKey=K&a=1", "https://***@h/x?apiKey=***&a=1"},
        {"https://h/x?a=1&TOKEN=K#key=Z", "https://h/x?a=1&TOKEN=***#key=***"},
        {"/v2?cursor=x&api%4Bey=K;signature=S", "/v2?cursor=x&api%4Bey=***;signature=***"},
        {"https://h/x@y?keys=1", "https://h/x@y?keys=1"},
        {"https://h/x?apiKey", "https://h/x?apiKey"},
        {"plain text", "plain text"},
        {"", ""},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct mf_buf out;
        mf_buf_init(&out, MF_URL_MAX);
        mf_url_redact(mf_str_of(cases[i].text), &out);
        assert_string_equal(mf_buf_c_str(&out), cases[i].expected);
        mf_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_length_limit),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_check_base),
        cmocka_unit_test(test_rebase),
        cmocka_unit_test(test_rebase_refuses),
        cmocka_unit_test(test_no_next_page_leads_elsewhere),
        cmocka_unit_test(test_changed_bytes_lead_nowhere_else),
        cmocka_unit_test(test_build),
        cmocka_unit_test(test_redact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
