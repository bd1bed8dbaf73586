// SPDX-License-Identifier: Apache-2.0
// What decode takes, encode writes, and that is a fixed point. Input: one record. Few inputs hit their own
// event_id, so an event that only has a wrong one is given the right one.
#include "common/event.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fixed_point(struct mf_json *json, struct mf_event *event)
{
    struct mf_error err;
    struct mf_buf first, second;
    mf_buf_init(&first, MF_DEAD_LETTER_SIZE_MAX);
    mf_buf_init(&second, MF_DEAD_LETTER_SIZE_MAX);
    if (mf_event_encode(event, &first, &err) == 0) {
        if (mf_event_decode(json, mf_buf_str(&first), event, NULL, &err) != 0 ||
            mf_event_encode(event, &second, &err) != 0 || !mf_str_eq(mf_buf_str(&first), mf_buf_str(&second)))
            abort();
    } else if (strcmp(err.code, "event_too_large") != 0) // escapes may make a text longer
        abort();
    mf_buf_free(&first), mf_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_event event;
    struct mf_event_problems problems;
    struct mf_error err;
    struct mf_json *json = mf_json_new();
    int result = mf_event_decode(json, (struct mf_str){(const char *)data, size}, &event, &problems, &err);
    bool only_id = problems.count == 1 && strcmp(problems.items[0].code, "event_id_mismatch") == 0;
    if ((result == 0) != (problems.count == 0) || (result != 0 && err.class != MF_ERROR_POISON))
        abort();
    event.event_id = MF_STR_NULL;
    if (result == 0 || only_id)
        check_fixed_point(json, &event);
    mf_json_free(&json);
    return 0;
}
