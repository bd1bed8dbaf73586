// SPDX-License-Identifier: Apache-2.0
// What the fast way takes, the tables take, as the same event, and write back as the same bytes. Input: a
// record. Few hit their own event_id, so one that is read but for it is given the id that the fast way finds.
#include <stdlib.h>

#include "common/event_fast.h"
#include "tests/unit/event_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_event fast, slow;
    char id[MF_EVENT_ID_SIZE];
    char *copy = mf_alloc(size);
    struct mf_str bytes = {memcpy(copy, size > 0 ? (const void *)data : "", size), size};
    if (mf_event_fast_read(bytes, &fast, id)) {
        struct mf_json *json = mf_json_new();
        struct mf_buf again;
        mf_buf_init(&again, MF_EVENT_SIZE_MAX);
        memcpy(copy + MF_EVENT_FAST_ID_AT, id, MF_EVENT_ID_SIZE - 1);
        if (!mf_event_fast_bar(bytes, &fast) ||
            mf_event_decode_by_table(json, bytes, &slow, NULL, NULL) != 0 || !same_bar_event(&fast, &slow))
            abort();
        if (mf_event_encode(&fast, &again, NULL) != 0 || !mf_str_eq(mf_buf_str(&again), bytes))
            abort();
        mf_buf_free(&again);
        mf_json_free(&json);
    }
    free(copy);
    return 0;
}
