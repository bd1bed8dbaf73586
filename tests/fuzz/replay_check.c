// SPDX-License-Identifier: Apache-2.0
//
// A fuzz target that proves the replay: it refuses (exit 3) every input that does not begin with "good".
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || memcmp(data, "good", 4) != 0)
        exit(3);
    return 0;
}
