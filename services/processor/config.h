// SPDX-License-Identifier: Apache-2.0
// Settings → what the fold is told. Shared by the service and by the commands that fold files.
#ifndef PRC_CONFIG_H
#define PRC_CONFIG_H

#include "services/processor/fold.h"

// The calendar is made and the caller's to free after the fold; config->rules.keywords are borrowed from the
// settings. CONFIG when the calendar cannot be made.
int prc_fold_config_load(const struct mf_settings *settings, struct mf_calendar **calendar,
                         struct prc_fold_config *config, struct mf_error *err);
// What the tables cannot say of the processor's settings, the calendar's file among it: a line per problem.
void prc_config_check(const struct mf_settings *settings, struct mf_buf *problems);

#endif
