// SPDX-License-Identifier: Apache-2.0
int f(void)
{
    int a[2] = {0, 1};
    return a[1];
}
