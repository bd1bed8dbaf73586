// SPDX-License-Identifier: Apache-2.0
// Any bytes are a record of the request budget, which is the same when it is written and read again and never
// breaks the fold, or are refused with a reason. Input: lines, each a record of a log that goes on.
#include <stdlib.h>

#include "services/ingestor/budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct mf_json *json, struct ing_budget *budget, struct mf_str text, int64_t log_us)
{
    struct ing_budget_record record, again;
    struct ing_budget_verdict verdict = {0};
    struct mf_error err = {.code = ""};
    struct mf_buf out;
    if (ing_budget_decode(json, text, &record, &err) < 0) {
        if (err.code[0] == '\0')
            abort();
        return;
    }
    mf_buf_init(&out, ING_BUDGET_RECORD_MAX);
    ing_budget_encode(&record, &out);
    if (ing_budget_decode(json, mf_buf_str(&out), &again, &err) < 0 || again.count != record.count ||
        again.wait_us != record.wait_us || again.priority != record.priority)
        abort();
    mf_buf_free(&out);
    ing_budget_fold(budget, &record, log_us, &verdict);
    if (verdict.granted > record.count || (verdict.reason != ING_BUDGET_ALL && verdict.retry_us <= log_us))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mf_json *json = mf_json_new();
    struct ing_budget budget;
    ing_budget_init(&budget);
    int64_t log_us = 20000 * MF_US_PER_DAY - MF_US_PER_MINUTE;
    for (size_t begin = 0, at = 0; at <= size; at++) {
        if (at < size && data[at] != '\n')
            continue;
        check(json, &budget, (struct mf_str){(const char *)data + begin, at - begin}, log_us);
        log_us += (int64_t)(at - begin) * 20 * MF_US_PER_MS; // lines of some length pass midnight
        begin = at + 1;
    }
    ing_budget_free(&budget);
    mf_json_free(&json);
    return 0;
}
