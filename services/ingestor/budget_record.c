// SPDX-License-Identifier: Apache-2.0
// Records of the budget's topic: JSON, and what stands for a key (see budget.h).
#include <stdio.h>

#include "common/hash.h"
#include "common/json_writer.h"
#include "services/ingestor/budget.h"

enum { VERSION = 1 };
#define NUMBER_MAX (INT64_C(1) << 53) // what every JSON reader takes exactly

const char *ing_priority_name(enum ing_priority priority)
{
    static const char *const names[ING_PRIORITY_MAX] = {[ING_PRIORITY_LIVE] = "live",
                                                        [ING_PRIORITY_RECONCILE] = "reconcile",
                                                        [ING_PRIORITY_BACKFILL] = "backfill"};
    assert(priority < ING_PRIORITY_MAX);
    return names[priority];
}

void ing_budget_encode(const struct ing_budget_record *record, struct mf_buf *out)
{
    struct mf_json_writer w;
    bool claim = record->kind == ING_BUDGET_CLAIM;
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_member_u64(&w, "version", VERSION);
    mf_jw_member_text(&w, "kind", claim ? "claim" : "hold");
    mf_jw_member_text(&w, "process", record->process);
    if (claim) {
        mf_jw_member_u64(&w, "number", record->number);
        mf_jw_member_text(&w, "priority", ing_priority_name(record->priority));
        mf_jw_member_u64(&w, "count", record->count);
        mf_jw_member_u64(&w, "per_minute", record->limits.per_minute);
        mf_jw_member_u64(&w, "per_day", record->limits.per_day);
        mf_jw_member_u64(&w, "window_ms", (uint64_t)(record->limits.window_us / MF_US_PER_MS));
    } else {
        mf_jw_member_u64(&w, "wait_ms", (uint64_t)(record->wait_us / MF_US_PER_MS));
    }
    mf_jw_object_end(&w);
}

// ---------------------------------------------------------------- decoding

static int refuse(struct mf_error *err, const char *key)
{
    return mf_error_set(err, MF_ERROR_POISON, "budget_record", "no record of a request budget: %s", key);
}

static int read_number(const struct mf_json_node *root, const char *key, int64_t min, int64_t max,
                       int64_t *value, struct mf_error *err)
{
    const struct mf_json_node *node = mf_json_get(root, key);
    if (node == NULL || mf_json_type(node) != MF_JSON_NUMBER || !mf_str_to_i64(mf_json_text(node), value) ||
        *value < min || *value > max)
        return refuse(err, key);
    return 0;
}

static struct mf_str read_text(const struct mf_json_node *root, const char *key)
{
    const struct mf_json_node *node = mf_json_get(root, key);
    return node != NULL && mf_json_type(node) == MF_JSON_STRING ? mf_json_text(node) : MF_STR_NULL;
}

static int read_claim(const struct mf_json_node *root, struct ing_budget_record *record, struct mf_error *err)
{
    int64_t number = 0, count = 0, per_minute = 0, per_day = 0, window_ms = 0;
    struct mf_str priority = read_text(root, "priority");
    while (record->priority < ING_PRIORITY_MAX && !mf_str_eq_c(priority, ing_priority_name(record->priority)))
        record->priority++;
    if (record->priority == ING_PRIORITY_MAX)
        return refuse(err, "priority");
    if (read_number(root, "number", 0, NUMBER_MAX, &number, err) < 0 ||
        read_number(root, "count", 1, ING_BUDGET_COUNT_MAX, &count, err) < 0 ||
        read_number(root, "per_minute", 0, UINT32_MAX, &per_minute, err) < 0 ||
        read_number(root, "per_day", 0, UINT32_MAX, &per_day, err) < 0 ||
        read_number(root, "window_ms", ING_BUDGET_WINDOW_MIN_US / MF_US_PER_MS,
                    ING_BUDGET_WINDOW_MAX_US / MF_US_PER_MS, &window_ms, err) < 0)
        return -1;
    record->number = (uint64_t)number;
    record->count = (uint64_t)count;
    record->limits = (struct ing_budget_limits){.per_minute = (uint64_t)per_minute,
                                                .per_day = (uint64_t)per_day,
                                                .window_us = window_ms * MF_US_PER_MS};
    return 0;
}

int ing_budget_decode(struct mf_json *json, struct mf_str text, struct ing_budget_record *record,
                      struct mf_error *err)
{
    const struct mf_json_node *root;
    struct mf_error syntax;
    struct ing_budget_record read = {0};
    int64_t value = 0;
    if (text.len > ING_BUDGET_RECORD_MAX ||
        mf_json_parse(json, text, &mf_json_limits_event, &root, &syntax) < 0)
        return refuse(err, "no JSON");
    if (read_number(root, "version", VERSION, VERSION, &value, err) < 0)
        return -1;
    struct mf_str process = read_text(root, "process");
    if (process.len != ING_BUDGET_PROCESS_LEN ||
        strspn(mf_str_copy(read.process, sizeof read.process, process) ? read.process : "",
               "0123456789abcdef") != ING_BUDGET_PROCESS_LEN)
        return refuse(err, "process");
    struct mf_str kind = read_text(root, "kind");
    if (mf_str_eq_c(kind, "claim")) {
        if (read_claim(root, &read, err) < 0)
            return -1;
    } else if (mf_str_eq_c(kind, "hold")) {
        read.kind = ING_BUDGET_HOLD;
        if (read_number(root, "wait_ms", 1, ING_BUDGET_WAIT_MAX_US / MF_US_PER_MS, &value, err) < 0)
            return -1;
        read.wait_us = value * MF_US_PER_MS;
    } else {
        return refuse(err, "kind");
    }
    *record = read;
    return 0;
}

void ing_budget_id(const char *provider, const char *key, char id[ING_BUDGET_ID_LEN + 1])
{
    char text[96];
    unsigned char digest[32];
    snprintf(text, sizeof text, "marketflow request budget 1|%s", provider);
    mf_hmac_sha256(key, strlen(key), text, strlen(text), digest);
    for (size_t i = 0; i < ING_BUDGET_ID_LEN / 2; i++)
        snprintf(id + 2 * i, 3, "%02x", digest[i]);
}
