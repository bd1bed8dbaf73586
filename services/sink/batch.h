// SPDX-License-Identifier: Apache-2.0
// Rows that were read and checked but are not in the warehouse yet, in the order in which they came. Pure.
// Limits are the caller's: it stops the intake when snk_batch_is_full says so; one record may go beyond.
#ifndef SNK_BATCH_H
#define SNK_BATCH_H

#include "common/buf.h"
#include "services/sink/record.h"

struct snk_row {
    size_t partition; // index in the engine's list
    enum snk_table table;
    int64_t offset, timestamp_ms; // of the Kafka record
    int64_t event_time_us, ingest_time_us;
    int32_t revision;
    bool rejected; // refused by the warehouse and dead-lettered: its offset is passed, nothing is inserted
    bool replaced; // its payload is a digest already
    char event_id[MF_EVENT_ID_SIZE];
    // In the batch's own memory; see snk_batch_payload and the others.
    size_t payload_at, payload_len, flags_at, flags_len, key_at, key_len;
};

struct snk_batch {
    struct snk_row *rows;
    size_t count, capacity;
    struct mf_buf bytes;
    int64_t oldest_us; // monotonic time at which the first row came
};

struct snk_limits {
    size_t rows, bytes;
};

void snk_batch_init(struct snk_batch *batch);
void snk_batch_free(struct snk_batch *batch);
// Forgets the rows; keeps the memory unless it grew far beyond `keep_bytes`.
void snk_batch_clear(struct snk_batch *batch, size_t keep_bytes);

// Copies what the checker holds (the result of snk_record_check for this record).
void snk_batch_add(struct snk_batch *batch, size_t partition, const struct snk_record *record,
                   const struct snk_checker *checker, int64_t now_us);
bool snk_batch_is_full(const struct snk_batch *batch, struct snk_limits limits);
// Bytes that the row takes in a flush statement, about.
size_t snk_row_bytes(const struct snk_row *row);

// Valid until the next change of the batch.
struct mf_str snk_batch_payload(const struct snk_batch *batch, const struct snk_row *row);
struct mf_str snk_batch_flags(const struct snk_batch *batch, const struct snk_row *row);
struct mf_str snk_batch_dedupe_key(const struct snk_batch *batch, const struct snk_row *row);
// Another payload for a row, with its event_id (the digest that takes a refused dead letter's place).
void snk_batch_replace(struct snk_batch *batch, struct snk_row *row, struct mf_str payload,
                       const char *event_id, struct mf_str dedupe_key);

#endif
