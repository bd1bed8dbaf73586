// SPDX-License-Identifier: Apache-2.0
#include <string.h>
int f(const char *a, const char *b)
{
    if (strcmp(a, b))
        return 1;
    return 0;
}
