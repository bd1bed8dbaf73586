// SPDX-License-Identifier: Apache-2.0
// Any text is a watermark, a tally, a run or a part of a list within its limits, or is refused with a reason;
// what is taken can be written down and is taken again.
#include <stdlib.h>

#include "services/ingestor/universe.h"
#include "services/ingestor/watermark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int result, const struct mf_error *err)
{
    if (result != 0 && (err->code[0] == '\0' || err->message[0] == '\0'))
        abort();
}

// The tally there and back.
static void repeat(struct mf_json *json, const struct ing_tally *tally)
{
    struct ing_run run = {.status = ING_STATUS_RUNNING, .tally = *tally};
    struct ing_run back;
    struct mf_error err;
    struct mf_buf text;
    mf_buf_init(&text, (size_t)256 * 1024);
    ing_run_encode(&run, &text);
    if (text.overflow || ing_run_decode(json, mf_buf_str(&text), &back, &err) != 0)
        abort();
    if (back.tally.pages != tally->pages || back.tally.offsets.count != tally->offsets.count ||
        (back.tally.coverage == NULL) != (tally->coverage == NULL))
        abort();
    ing_run_free(&back);
    mf_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_str text = {(const char *)data, size};
    struct mf_json *json = mf_json_new();
    struct mf_error err = {.code = ""};
    struct ing_watermark mark;
    struct ing_tally tally = {0};
    struct ing_run run;
    struct ing_universe_part part;
    struct ing_symbols symbols = {0};
    check(ing_watermark_decode(json, text, &mark, NULL, &err), &err);
    if (ing_watermark_decode_tally(json, text, &tally, &err) == 0)
        repeat(json, &tally);
    if (ing_run_decode(json, text, &run, &err) == 0)
        ing_run_free(&run);
    check(ing_universe_decode(json, text, &part, &symbols, &err), &err);
    ing_symbols_free(&symbols);
    ing_tally_free(&tally);
    mf_json_free(&json);
    return 0;
}
