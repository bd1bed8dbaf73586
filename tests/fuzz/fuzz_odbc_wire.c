// SPDX-License-Identifier: Apache-2.0
// Whatever comes over the test driver's socket, a reply is either refused or whole: as many cells as rows and
// columns say, each a text or NULL.
#include "tests/odbc/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_reply reply;
    if (!wire_parse((const char *)data, size, &reply))
        return 0;
    if (reply.columns > WIRE_COLUMNS_MAX || (reply.row_count > 0 && reply.columns == 0))
        abort();
    for (size_t i = 0; i < reply.columns * reply.row_count; i++) {
        if (reply.cells[i] != NULL && strlen(reply.cells[i]) > size)
            abort();
    }
    wire_reply_free(&reply);
    return 0;
}
