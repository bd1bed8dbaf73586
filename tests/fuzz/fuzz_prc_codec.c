// SPDX-License-Identifier: Apache-2.0
// Whatever stands on the changelog is refused or read, and what was read writes the same bytes again. Input:
// the first byte chooses part, cell, partition record or rules; the rest is the value.
#include <stdlib.h>

#include "services/processor/codec.h"

static void read_cell(struct mf_str bytes, struct mf_buf out[2])
{
    struct mf_error err;
    for (int round = 0; round < 2; round++) {
        struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 1);
        bool full = false,
             read = prc_cell_decode(partition, MF_STR("live"), MF_STR("A"), 1, bytes, &err) == 0;
        if (round == 1 && !read)
            abort();
        if (read)
            prc_cell_encode(prc_partition_cell(partition, MF_STR("live"), MF_STR("A"), false, &full),
                            &out[round]);
        prc_partition_free(&partition);
        if (!read)
            return;
        bytes = mf_buf_str(&out[0]); // canonical from here on
    }
    if (!mf_str_eq(mf_buf_str(&out[0]), mf_buf_str(&out[1])))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_error err;
    struct prc_part part;
    struct prc_partition_record record;
    static struct prc_rule_config rules;
    if (size == 0)
        return 0;
    struct mf_str value = {(const char *)data + 1, size - 1};
    struct mf_buf out[2];
    mf_buf_init(&out[0], PRC_SNAPSHOT_BYTES_MAX), mf_buf_init(&out[1], PRC_SNAPSHOT_BYTES_MAX);
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, 1);
    if (data[0] % 4 == 0 && prc_part_decode(value, &part, &err) == 0)
        prc_part_encode(&part, &out[0]);
    else if (data[0] % 4 == 1)
        read_cell(value, out);
    else if (data[0] % 4 == 2 && prc_partition_decode(value, &record, partition, &err) == 0)
        prc_partition_encode(&record, partition->lanes, &out[0]);
    else if (data[0] % 4 == 3 && prc_rules_decode(value, &rules, &out[1], &err) == 0)
        prc_rules_encode(&rules, &out[0]);
    prc_partition_free(&partition);
    mf_buf_free(&out[0]), mf_buf_free(&out[1]);
    return 0;
}
