// SPDX-License-Identifier: Apache-2.0
// Whatever a provider names as its next page, what is requested lies on the configured base and carries no
// key. Input: the next_url; its first byte chooses the base.
#include "common/url.h"

#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *base, struct mf_str rebased)
{
    struct mf_url wanted;
    struct mf_url got;
    if (!mf_url_parse(mf_str_of(base), &wanted) || !mf_url_parse(rebased, &got) || got.has_userinfo)
        abort();
    size_t len = strlen(base) - (base[strlen(base) - 1] == '/'); // by its bytes: below the base
    if (memcmp(rebased.data, base, len) != 0 ||
        (rebased.len > len && rebased.data[len] != '/' && rebased.data[len] != '?'))
        abort();
    if (!mf_str_eq(got.scheme, wanted.scheme) || !mf_str_eq(got.host, wanted.host) || got.port != wanted.port)
        abort();
    for (size_t i = 0; i + 7 < got.query.len; i++) {
        if ((i == 0 || got.query.data[i - 1] == '&') && strncasecmp(got.query.data + i, "apikey=", 7) == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const bases[] = {"https://api.massive.com", "http://127.0.0.1:8080",
                                        "https://gw.test/v/"};
    static const char *const allowed[] = {"api.polygon.io", "api.massive.com", NULL};
    if (size == 0)
        return 0;
    const char *base = bases[data[0] % MF_ARRAY_LEN(bases)];
    struct mf_buf out;
    mf_buf_init(&out, MF_URL_MAX);
    if (mf_url_rebase(base, allowed, (struct mf_str){(const char *)data + 1, size - 1}, &out, NULL) == 0)
        check(base, mf_buf_str(&out));
    mf_url_redact((struct mf_str){(const char *)data, size}, &out);
    mf_buf_free(&out);
    return 0;
}
