// SPDX-License-Identifier: Apache-2.0
// What the sink loads, by the table that it shares with the operator's command (common/raw_table.h), and
// look-ups in it. Pure.
#ifndef SNK_TABLE_H
#define SNK_TABLE_H

#include "common/raw_table.h"

enum snk_table {
#define SNK_TABLE_ID(id, ...) SNK_TABLE_##id,
    MF_RAW_TABLES(SNK_TABLE_ID)
#undef SNK_TABLE_ID
        SNK_TABLE_MAX
};
// mf_raw_tables under the sink's name: by enum snk_table.
#define snk_tables mf_raw_tables

// The table whose topic has this name by the settings; SNK_TABLE_MAX when it is none of them.
enum snk_table snk_table_of_topic(const struct mf_settings *settings, const char *topic);
// The table of this name ("raw_bars"); SNK_TABLE_MAX when there is none.
enum snk_table snk_table_of_name(const char *name);

#endif
