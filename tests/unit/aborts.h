// SPDX-License-Identifier: Apache-2.0
// Does a misuse end the process, as an assertion does, instead of going on? Runs it in a child whose stderr
// is closed.
#ifndef MF_TEST_ABORTS_H
#define MF_TEST_ABORTS_H

#include "common/base.h"

bool aborts(void (*run)(void));

#endif
