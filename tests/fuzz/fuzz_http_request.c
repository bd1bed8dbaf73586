// SPDX-License-Identifier: Apache-2.0
// Requests to the metrics endpoint. More bytes never change an answer that has been given, and what is read
// lies within the text and is clean.
#include "common/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_str text = {(const char *)data, size};
    struct mf_http_request whole, part;
    enum mf_http_head result = mf_http_request_parse(text, &whole);
    for (size_t len = 0; len < size && len < 512; len++) {
        enum mf_http_head early = mf_http_request_parse((struct mf_str){text.data, len}, &part);
        assert(early == MF_HTTP_HEAD_INCOMPLETE || early == result);
    }
    if (result != MF_HTTP_HEAD_OK)
        return 0;
    assert(whole.method.data == text.data && whole.method.len > 0 && whole.path.len > 0);
    assert(whole.path.data[0] == '/' && whole.path.data + whole.path.len <= text.data + size);
    for (size_t i = 0; i < whole.path.len; i++)
        assert(whole.path.data[i] > ' ' && whole.path.data[i] < 0x7f && whole.path.data[i] != '?');
    return 0;
}
