// SPDX-License-Identifier: Apache-2.0
// `marketflow-sink migrate [--dry-run]`: brings the warehouse's schema up to this program, once, whoever else
// tries.
#ifndef SNK_MIGRATE_H
#define SNK_MIGRATE_H

#include "common/service.h"

// The command; prints what it did on stdout and returns the exit code: 0 the schema is up to date (or would
// be, with
// --dry-run), 75 the warehouse is away, 78 a setting, a right or an edited migration is in the way.
int snk_migrate_run(struct mf_service *service, int argc, char **argv);

#endif
