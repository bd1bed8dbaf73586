// SPDX-License-Identifier: Apache-2.0
#include <cmocka.h>
#include "services/sink/good.h"
