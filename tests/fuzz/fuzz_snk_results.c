// SPDX-License-Identifier: Apache-2.0
// Any document is results, of whichever kind and as its own manifest, or is refused with a reason.
#include <stdlib.h>

#include "services/sink/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_json *json = mf_json_new();
    const struct mf_json_node *root = NULL;
    struct mf_error err = {.code = ""};
    enum snk_results_kind kind;
    struct snk_results_list list = {.count = 0};
    if (mf_json_parse(json, (struct mf_str){(const char *)data, size}, &snk_results_limits, &root, &err) ==
            0 &&
        snk_results_kind("f", root, &kind, &err) == 0 &&
        snk_results_read("f", root, kind, "m", root, &list, &err) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            if (list.items[i].invocation_id[0] == '\0' ||
                (list.items[i].row_count > 0) != (list.items[i].chunk_count > 0))
                abort();
        }
        snk_results_free(&list);
    } else if (err.code[0] == '\0' || list.count != 0) {
        abort();
    }
    mf_json_free(&json);
    return 0;
}
