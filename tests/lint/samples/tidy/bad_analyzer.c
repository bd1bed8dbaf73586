// SPDX-License-Identifier: Apache-2.0
int f(int flag)
{
    int *p = 0;
    if (flag)
        return *p;
    return 0;
}
