// SPDX-License-Identifier: Apache-2.0
// Any bytes are a series' watermark or a run's record, which stay the same when they are written and read
// again, or are refused with a reason. Input: the first byte chooses which, the rest is the record. What was
// not written here may have times finer than ours, so that only the second writing is compared.
#include <stdlib.h>

#include "services/ingestor/watermark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Reads one and writes it into out; false when it is refused.
static bool again(struct mf_json *json, struct mf_str text, bool run, struct mf_buf *out)
{
    static struct ing_watermark mark;
    struct mf_error err = {.code = ""};
    int result;
    mf_buf_clear(out);
    if (run) {
        struct ing_run read = {0};
        result = ing_run_decode(json, text, &read, &err);
        if (result == 0)
            ing_run_encode(&read, out);
        ing_run_free(&read);
    } else {
        struct ing_overlap overlap;
        struct ing_tally tally = {0};
        ing_overlap_init(&overlap);
        ing_watermark_init(&mark);
        result = ing_watermark_decode(json, text, &mark, &overlap, &err);
        if (result == 0 && ing_watermark_decode_tally(json, text, &tally, &err) == 0)
            mark.tally = &tally;
        if (result == 0)
            ing_watermark_encode(&mark, &overlap, out);
        mark.tally = NULL;
        ing_overlap_free(&overlap);
        ing_tally_free(&tally);
    }
    if (result < 0 && err.code[0] == '\0')
        abort();
    return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_buf first, second;
    if (size == 0)
        return 0;
    struct mf_json *json = mf_json_new();
    mf_buf_init(&first, ING_WATERMARK_MAX);
    mf_buf_init(&second, ING_WATERMARK_MAX);
    struct mf_str text = {(const char *)data + 1, size - 1};
    bool run = (data[0] & 1) != 0;
    if (again(json, text, run, &first) && !first.overflow) {
        if (!again(json, mf_buf_str(&first), run, &second) ||
            !again(json, mf_buf_str(&second), run, &first) ||
            !mf_str_eq(mf_buf_str(&first), mf_buf_str(&second)))
            abort();
    }
    mf_buf_free(&first);
    mf_buf_free(&second);
    mf_json_free(&json);
    return 0;
}
