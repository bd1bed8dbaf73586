// SPDX-License-Identifier: Apache-2.0
// Look-ups; the contract is in table.h.
#include "services/sink/table.h"

enum snk_table snk_table_of_topic(const struct mf_settings *settings, const char *topic)
{
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if (strcmp(mf_topic_name(settings, snk_tables[table].topic), topic) == 0)
            return table;
    }
    return SNK_TABLE_MAX;
}

enum snk_table snk_table_of_name(const char *name)
{
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if (strcmp(snk_tables[table].name, name) == 0)
            return table;
    }
    return SNK_TABLE_MAX;
}
