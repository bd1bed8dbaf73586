// SPDX-License-Identifier: Apache-2.0
// Events written by hand, which lack their event_id.
#include "common/event.h"

static bool lacks_only_its_id(const struct mf_event_problems *problems)
{
    return problems->count == 1 && strcmp(problems->items[0].field, "event_id") == 0 &&
           strcmp(problems->items[0].code, "missing_field") == 0;
}

int mf_event_complete(struct mf_json *json, struct mf_str bytes, struct mf_event *event, struct mf_buf *out,
                      struct mf_str *whole, struct mf_event_problems *problems, struct mf_error *err)
{
    mf_buf_clear(out);
    *whole = bytes;
    if (mf_event_decode(json, bytes, event, problems, err) == 0)
        return 0;
    if (!lacks_only_its_id(problems))
        return -1;
    event->event_id = MF_STR_NULL;
    if (mf_event_encode(event, out, err) < 0)
        return -1;
    *whole = mf_buf_str(out);
    // The views of the event stay those of `bytes`; its id is read back with the rest.
    return mf_event_decode(json, *whole, event, problems, err);
}
