// SPDX-License-Identifier: Apache-2.0
// The last acknowledged offset per partition of one topic. Pure; the list owns its memory. Failure classes:
// none.
#ifndef ING_OFFSETS_H
#define ING_OFFSETS_H

#include "common/buf.h"

#define ING_OFFSETS_MAX 512 // KAFKA_PARTITIONS is at most that

struct ing_offset {
    int32_t partition;
    int64_t offset;
};

struct ing_offsets {          // zero it to begin
    struct ing_offset *items; // by partition
    size_t count, capacity;
};

void ing_offsets_free(struct ing_offsets *offsets);
// Keeps the larger offset of the partition. What is outside 0 … ING_OFFSETS_MAX - 1 is left out.
void ing_offsets_note(struct ing_offsets *offsets, int32_t partition, int64_t offset);
void ing_offsets_merge(struct ing_offsets *into, const struct ing_offsets *from);
// As a text: "0:48211 5:1043".
void ing_offsets_write(const struct ing_offsets *offsets, struct mf_buf *out);
bool ing_offsets_read(struct mf_str text, struct ing_offsets *offsets); // adds; false = not such a text

#endif
