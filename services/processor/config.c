// SPDX-License-Identifier: Apache-2.0
#include "services/processor/config.h"

#include <inttypes.h>

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

void prc_config_check(const struct mf_settings *settings, struct mf_buf *problems)
{
    struct mf_calendar *calendar = NULL;
    struct mf_error err;
    int64_t commit_ms = mf_settings_integer(settings, "PROCESSOR_COMMIT_MS");
    prc_rule_config_check(settings, problems);
    if (mf_settings_integer(settings, "KAFKA_TRANSACTION_TIMEOUT_MS") <= commit_ms)
        mf_buf_addf(problems,
                    "KAFKA_TRANSACTION_TIMEOUT_MS: must be more than PROCESSOR_COMMIT_MS, %" PRId64
                    ": the broker would end every transaction before it is committed\n",
                    commit_ms);
    if (mf_calendar_new(&calendar, &err) < 0) // as every start and every replay would
        mf_buf_addf(problems, "TZDIR: %s\n", err.message);
    mf_calendar_free(&calendar);
}
