// SPDX-License-Identifier: Apache-2.0
// An event filled from the input row by row, well formed or not: what mf_event_encode makes of it is what the
// field tables alone make of it, and a refusal has the same words. Bytes are taken in turn, 0 when used up.
#include <stdlib.h>

#include "common/event_write.h"

static const uint8_t *input;
static size_t left;

static uint64_t take(size_t size)
{
    uint64_t value = 0;
    size_t count = size < left ? size : left;
    memcpy(&value, input, count);
    input += count, left -= count;
    return value;
}

// A length and its bytes; 255 is an absent text.
static struct mf_str take_text(void)
{
    size_t len = take(1);
    struct mf_str text = {len == 255 ? NULL : (const char *)input, len == 255 ? 0 : len < left ? len : left};
    input += text.len, left -= text.len;
    return text;
}

static void fill(const struct mf_event_field *row, struct mf_event *event)
{
    void *at = mf_field_at(row, event);
    if (row->kind == &mf_kind_object) {
        for (size_t i = 0; i < row->field_count; i++)
            fill(&row->fields[i], event);
    } else if (row->kind == &mf_kind_metric) {
        event->metric.present |= (uint64_t)(take(1) % 8 != 0) << row->index;
        *(uint64_t *)(void *)&event->metric.values[row->index] = take(8);
    } else if (row->kind == &mf_kind_name) {
        *(unsigned *)at = (unsigned)take(1);
    } else if (row->kind == &mf_kind_time) {
        *(int64_t *)at = (int64_t)(take(6) * 1000 + take(1));
    } else if (row->kind == &mf_kind_i64) {
        *(int64_t *)at = (int64_t)take(8);
    } else if (row->kind == &mf_kind_i32 || row->kind == &mf_kind_bool || row->kind == &mf_kind_flags) {
        *(int32_t *)at = (int32_t)take(4);
    } else if (row->kind == &mf_kind_plain_bool) {
        *(bool *)at = take(1) % 2 != 0;
    } else if (row->kind == &mf_kind_date) {
        *(struct mf_date *)at = (struct mf_date){(int)take(2), (int)take(1), (int)take(1)};
    } else if (row->kind == &mf_kind_statistic) {
        *(uint64_t *)at = take(8);
    } else if (row->kind == &mf_kind_baseline) {
        size_t count = take(1) % (MF_ALERT_BASELINE_MAX + 1);
        event->alert.baseline_count = count;
        for (size_t i = 0; i < count; i++) {
            event->alert.baseline[i].name = take_text();
            *(uint64_t *)(void *)&event->alert.baseline[i].value = take(8);
        }
    } else if (row->kind != &mf_kind_type) {
        *(struct mf_str *)at = take_text(); // every other kind that these types have
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum mf_event_type types[] = {MF_EVENT_METRIC, MF_EVENT_BAR, MF_EVENT_ALERT};
    static struct mf_event event;
    struct mf_error errors[2] = {0};
    struct mf_buf out[2];
    input = data, left = size;
    mf_event_init(&event, types[take(1) % MF_ARRAY_LEN(types)]);
    const struct mf_event_table *table = mf_event_tables[event.type];
    for (size_t row = 0; row < table->count; row++)
        fill(&table->fields[row], &event);
    mf_buf_init(&out[0], MF_EVENT_SIZE_MAX), mf_buf_init(&out[1], MF_EVENT_SIZE_MAX);
    if (mf_event_encode_by_table(&event, &out[0], &errors[0]) !=
            mf_event_encode(&event, &out[1], &errors[1]) ||
        !mf_str_eq(mf_buf_str(&out[0]), mf_buf_str(&out[1])) ||
        strcmp(errors[0].message, errors[1].message) != 0)
        abort();
    mf_buf_free(&out[0]), mf_buf_free(&out[1]);
    return 0;
}
