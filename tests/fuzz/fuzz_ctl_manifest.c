// SPDX-License-Identifier: Apache-2.0
// Any text is a manifest within its limits, with every partition once, or is refused with a reason.
#include <stdlib.h>

#include "services/ctl/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_manifest manifest = {0};
    struct mf_error err = {.code = ""};
    if (ctl_manifest_parse((struct mf_str){(const char *)data, size}, &manifest, &err) != 0) {
        if (err.code[0] == '\0' || err.message[0] == '\0' || manifest.partitions != NULL)
            abort();
        return 0;
    }
    if (manifest.count > CTL_MANIFEST_PARTITIONS_MAX)
        abort();
    for (size_t i = 0; i < manifest.count; i++) {
        const struct ctl_manifest_partition *p = &manifest.partitions[i];
        if (p->topic[0] == '\0' || p->partition < 0 || p->offset < 0 || p->offset == INT64_MAX)
            abort();
    }
    ctl_manifest_free(&manifest);
    return 0;
}
