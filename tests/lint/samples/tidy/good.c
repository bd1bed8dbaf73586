// SPDX-License-Identifier: Apache-2.0
int f(int flag)
{
    return flag ? 1 : 0;
}
