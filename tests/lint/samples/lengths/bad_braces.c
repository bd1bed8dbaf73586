// SPDX-License-Identifier: Apache-2.0
// BAD FILE
int f(void)
{
    if (1) {
}
