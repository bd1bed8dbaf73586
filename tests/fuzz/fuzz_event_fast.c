// SPDX-License-Identifier: Apache-2.0
// What the fast way takes, the tables take, as the same event, and write back as the same bytes. Input: a
// record. Few hit their own event_id, so one that is read but for it is given the id that the fast way finds.
#include <stdlib.h>

#include "common/event_fast.h"
#include "tests/unit/event_same.h"

struct way {
    bool (*read)(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE]);
    bool (*take)(struct mf_str bytes, struct mf_event *event);
    bool (*same)(const struct mf_event *a, const struct mf_event *b);
    size_t id_at;
};
static const struct way ways[] = {
    {mf_event_fast_read, mf_event_fast_bar, same_bar_event, MF_EVENT_FAST_ID_AT},
    {mf_event_fast_read_metric, mf_event_fast_metric, same_metric_event, MF_EVENT_FAST_METRIC_ID_AT},
};

static void compare(const struct way *way, struct mf_str bytes, char *copy)
{
    static struct mf_event fast, slow;
    char id[MF_EVENT_ID_SIZE];
    if (!way->read(bytes, &fast, id))
        return;
    struct mf_json *json = mf_json_new();
    struct mf_buf again;
    mf_buf_init(&again, MF_EVENT_SIZE_MAX);
    memcpy(copy + way->id_at, id, MF_EVENT_ID_SIZE - 1);
    if (!way->take(bytes, &fast) || mf_event_decode_by_table(json, bytes, &slow, NULL, NULL) != 0 ||
        !way->same(&fast, &slow))
        abort();
    if (mf_event_encode(&fast, &again, NULL) != 0 || !mf_str_eq(mf_buf_str(&again), bytes))
        abort();
    mf_buf_free(&again);
    mf_json_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mf_alloc(size);
    struct mf_str bytes = {memcpy(copy, size > 0 ? (const void *)data : "", size), size};
    for (size_t i = 0; i < MF_ARRAY_LEN(ways); i++)
        compare(&ways[i], bytes, copy);
    free(copy);
    return 0;
}
