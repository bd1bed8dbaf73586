// SPDX-License-Identifier: Apache-2.0
// What decode takes, encode writes, and that is a fixed point; what it refuses, it refuses in UTF-8. Input: a
// record. Few hit their own event_id, so an event that only has a wrong one is given the right one.
#include <stdlib.h>

#include "common/event.h"

// False when the event is too large to be written.
static bool round_trip(struct mf_json *json, struct mf_event *event, struct mf_buf *out)
{
    struct mf_error err;
    if (mf_event_encode(event, out, &err) == 0 &&
        mf_event_decode(json, mf_buf_str(out), event, NULL, &err) == 0)
        return true;
    if (strcmp(err.code, "event_too_large") != 0) // escapes may make a text longer
        abort();
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_event event;
    struct mf_event_problems problems;
    struct mf_error err = {0};
    struct mf_json *json = mf_json_new();
    struct mf_buf text[2];
    mf_buf_init(&text[0], MF_DEAD_LETTER_SIZE_MAX), mf_buf_init(&text[1], MF_DEAD_LETTER_SIZE_MAX);
    int result = mf_event_decode(json, (struct mf_str){(const char *)data, size}, &event, &problems, &err);
    if ((result == 0) != (problems.count == 0) || !mf_str_is_utf8(mf_str_of(err.message)))
        abort();
    event.event_id = MF_STR_NULL;
    bool whole = result == 0 || (problems.count == 1 && strcmp(err.code, "event_id_mismatch") == 0);
    if (whole && round_trip(json, &event, &text[0]) && round_trip(json, &event, &text[1]) &&
        !mf_str_eq(mf_buf_str(&text[0]), mf_buf_str(&text[1])))
        abort();
    mf_buf_free(&text[0]), mf_buf_free(&text[1]);
    mf_json_free(&json);
    return 0;
}
