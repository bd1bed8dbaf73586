// SPDX-License-Identifier: Apache-2.0
// Shared by the restore's files and by what the consumer tells: the end of an input log that was lost.
#ifndef PRC_ENGINE_RESTORE_H
#define PRC_ENGINE_RESTORE_H

#include "services/processor/engine_private.h"

// The log ends at `end`, below what was processed, and new records must not be taken for that: CONFIG
// "input_lost", with what to do, ends the service.
void prc_restore_input_lost(struct prc_engine *engine, const char *topic, int32_t partition, int64_t end,
                            int64_t processed);

#endif
