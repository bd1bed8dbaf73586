// SPDX-License-Identifier: Apache-2.0
// Data only; the contract is in raw_table.h. A new event type gets a row there, a topic in topics.h, and its
// table in a migration of every dialect.
#include "common/raw_table.h"

const struct mf_raw_table mf_raw_tables[MF_RAW_MAX] = {
#define MF_RAW_TABLE_ROW(id, name, topic, type) {name, MF_TOPIC_##topic, MF_EVENT_##type},
    MF_RAW_TABLES(MF_RAW_TABLE_ROW)
#undef MF_RAW_TABLE_ROW
};
