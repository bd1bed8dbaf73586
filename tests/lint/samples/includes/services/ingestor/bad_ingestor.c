// SPDX-License-Identifier: Apache-2.0
#include "common/good.h"
#include "good.h"
#include "services/sink/good.h" // BAD
#include "../sink/good.h" // BAD
#include <sql.h> // BAD
#include <cmocka.h> // BAD
