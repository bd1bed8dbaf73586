// SPDX-License-Identifier: Apache-2.0
// The table of topics and its look-ups. Pure; nothing fails.
#include "common/topics.h"

const struct mf_topic_def mf_topics[MF_TOPIC_MAX] = {
#define MF_TOPIC_ROW(role, name, partitions, cleanup, retention, writer, carries) \
    {MF_TOPIC_##role,                                                             \
     "KAFKA_TOPIC_" #role,                                                        \
     name,                                                                        \
     MF_TOPIC_PARTITIONS_##partitions,                                            \
     cleanup,                                                                     \
     retention,                                                                   \
     MF_TOPIC_##role == MF_TOPIC_INGESTOR_BUDGET,                                 \
     writer,                                                                      \
     carries},
    MF_TOPIC_TABLE(MF_TOPIC_ROW)
#undef MF_TOPIC_ROW
};

const char *mf_topic_name(const struct mf_settings *settings, enum mf_topic_role role)
{
    assert(role < MF_TOPIC_MAX);
    return mf_settings_string(settings, mf_topics[role].setting);
}

enum mf_topic_role mf_topic_role_of(const struct mf_settings *settings, struct mf_str name)
{
    for (enum mf_topic_role role = 0; role < MF_TOPIC_MAX; role++) {
        if (mf_str_eq_c(name, mf_topic_name(settings, role)))
            return role;
    }
    return MF_TOPIC_MAX;
}
