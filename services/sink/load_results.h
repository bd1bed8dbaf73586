// SPDX-License-Identifier: Apache-2.0
// The command that loads what dbt and Great Expectations found out (sink load-results FILE…).
#ifndef SNK_LOAD_RESULTS_H
#define SNK_LOAD_RESULTS_H

#include "common/service.h"

// argv: the files. Prints a line per invocation. Returns the exit code: 0, 75 (the warehouse is away), 78 (a
// file is not what it should be, or the schema is behind).
int snk_load_results_run(struct mf_service *service, int argc, char **argv);

#endif
