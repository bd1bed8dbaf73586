// SPDX-License-Identifier: Apache-2.0
#define NAME "strcpy(" // sprintf(x)
static int resleep(int x)
{
    return mf_signal_new(x) + x;
}
