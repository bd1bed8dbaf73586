// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
int f(void)
{
    int a[2];
    a[2] = 1;
    return a[0];
}
