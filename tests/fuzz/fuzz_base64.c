// SPDX-License-Identifier: Apache-2.0
// Any bytes come back from their base64; a text that decodes is the only one of its bytes.
#include "common/hash.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    size_t text_size = (count + 2) / 3 * 4, len = 0;
    char *text = mf_alloc(text_size);
    unsigned char *bytes = mf_alloc(count);
    size_t written = mf_base64_encode(data, count, text, text_size);
    assert(written == text_size);
    bool ok = mf_base64_decode((struct mf_str){text, text_size}, bytes, count, &len);
    assert(ok && len == count && (count == 0 || memcmp(bytes, data, count) == 0));
    if (mf_base64_decode((struct mf_str){(const char *)data, count}, bytes, count, &len)) {
        written = mf_base64_encode(bytes, len, text, text_size);
        assert(written == count && (count == 0 || memcmp(text, data, count) == 0));
    }
    free(bytes);
    free(text);
    return 0;
}
