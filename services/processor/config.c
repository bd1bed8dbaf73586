// SPDX-License-Identifier: Apache-2.0
#include "services/processor/config.h"

int prc_fold_config_load(const struct mf_settings *settings, struct mf_calendar **calendar,
                         struct prc_fold_config *config, struct mf_error *err)
{
    memset(config, 0, sizeof *config);
    if (mf_calendar_new(calendar, err) < 0)
        return -1;
    prc_rule_config_load(settings, &config->rules);
    config->calendar = *calendar;
    config->lateness_us = mf_settings_integer(settings, "PROCESSOR_LATENESS_MS") * MF_US_PER_MS;
    config->rollups = strcmp(mf_settings_string(settings, "PROCESSOR_ROLLUPS"), "on") == 0;
    config->keep_interesting =
        strcmp(mf_settings_string(settings, "PROCESSOR_KEEP_BARS"), "interesting") == 0;
    return 0;
}
