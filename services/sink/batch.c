// SPDX-License-Identifier: Apache-2.0
// Rows are kept as offsets into one growing buffer, because views would move with it. Nothing here can fail:
// the caller stops the intake at its limits, far below what the buffer can hold.
#include "services/sink/batch.h"

#include <stdlib.h>

// Far above any batch: the intake stops at the limit of the settings, long before.
#define BYTES_MAX ((size_t)256 * 1024 * 1024)
// Per row beside its texts: numbers, quotes, commas.
#define ROW_OVERHEAD 48

void snk_batch_init(struct snk_batch *batch)
{
    *batch = (struct snk_batch){0};
    mf_buf_init(&batch->bytes, BYTES_MAX);
}

void snk_batch_free(struct snk_batch *batch)
{
    free(batch->rows);
    mf_buf_free(&batch->bytes);
    *batch = (struct snk_batch){0};
}

void snk_batch_clear(struct snk_batch *batch, size_t keep_bytes)
{
    batch->count = 0;
    mf_buf_clear(&batch->bytes);
    // A single large record must not be paid for until the process ends.
    if (batch->bytes.cap > 4 * keep_bytes)
        mf_buf_trim(&batch->bytes, keep_bytes);
}

// Returns where the text begins; positions stay valid when the buffer grows.
static size_t append(struct snk_batch *batch, struct mf_str text)
{
    size_t at = batch->bytes.len;
    int added = mf_buf_add_str(&batch->bytes, text);
    assert(added == 0); // the intake stops long before
    (void)added;
    return at;
}

void snk_batch_add(struct snk_batch *batch, size_t partition, const struct snk_record *record,
                   const struct snk_checker *checker, int64_t now_us)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        batch->rows = mf_realloc(batch->rows, batch->capacity * sizeof *batch->rows);
    }
    if (batch->count == 0)
        batch->oldest_us = now_us;
    struct snk_row *row = &batch->rows[batch->count++];
    *row = (struct snk_row){
        .partition = partition,
        .table = record->table,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .event_time_us = checker->event.event_time_us,
        .ingest_time_us = checker->event.ingest_time_us,
        .revision = (int32_t)checker->revision,
        .payload_len = record->value.len,
        .flags_len = strlen(checker->flags),
        .key_len = checker->dedupe_key_len,
    };
    // A checked event has an id of exactly this size.
    bool copied = mf_str_copy(row->event_id, sizeof row->event_id, checker->event.event_id);
    assert(copied);
    (void)copied;
    row->payload_at = append(batch, record->value);
    row->flags_at = append(batch, mf_str_of(checker->flags));
    row->key_at = append(batch, (struct mf_str){checker->dedupe_key, checker->dedupe_key_len});
}

bool snk_batch_is_full(const struct snk_batch *batch, struct snk_limits limits)
{
    return batch->count >= limits.rows || batch->bytes.len + batch->count * ROW_OVERHEAD >= limits.bytes;
}

size_t snk_row_bytes(const struct snk_row *row)
{
    return row->payload_len + row->flags_len + row->key_len + ROW_OVERHEAD;
}

static struct mf_str view(const struct snk_batch *batch, size_t at, size_t len)
{
    return (struct mf_str){batch->bytes.data + at, len};
}

struct mf_str snk_batch_payload(const struct snk_batch *batch, const struct snk_row *row)
{
    return view(batch, row->payload_at, row->payload_len);
}

struct mf_str snk_batch_flags(const struct snk_batch *batch, const struct snk_row *row)
{
    return view(batch, row->flags_at, row->flags_len);
}

struct mf_str snk_batch_dedupe_key(const struct snk_batch *batch, const struct snk_row *row)
{
    return view(batch, row->key_at, row->key_len);
}

void snk_batch_replace(struct snk_batch *batch, struct snk_row *row, struct mf_str payload,
                       const char *event_id, struct mf_str dedupe_key)
{
    row->payload_at = append(batch, payload);
    row->payload_len = payload.len;
    row->replaced = true;
    row->key_at = append(batch, dedupe_key);
    row->key_len = dedupe_key.len;
    bool copied = mf_str_copy(row->event_id, sizeof row->event_id, mf_str_of(event_id));
    assert(copied);
    (void)copied;
}
