// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <sys/stat.h>
#include "good.h"
#include "common/good.h"
#include "mf_build.h"
#include "services/sink/good.h" // BAD
#include <librdkafka/rdkafka.h> // BAD
#include "curl/curl.h" // BAD
#include <zlib.h> // BAD
#include "missing.h" // BAD
#include "../services/sink/good.h" // BAD
#  include <event2/event.h> // BAD
#include HEADER // BAD
// #include <yajl/yajl_gen.h>
