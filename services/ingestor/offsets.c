// SPDX-License-Identifier: Apache-2.0
// Offsets per partition (see offsets.h).
#include "services/ingestor/offsets.h"

#include <stdlib.h>

void ing_offsets_free(struct ing_offsets *offsets)
{
    free(offsets->items);
    *offsets = (struct ing_offsets){0};
}

// Deliveries come partition by partition, so the place is mostly the one of the time before; and the list is
// short.
void ing_offsets_note(struct ing_offsets *offsets, int32_t partition, int64_t offset)
{
    if (partition < 0 || partition >= ING_OFFSETS_MAX || offset < 0)
        return;
    size_t at = 0;
    size_t end = offsets->count;
    while (at < end) {
        size_t middle = at + (end - at) / 2;
        if (offsets->items[middle].partition < partition)
            at = middle + 1;
        else
            end = middle;
    }
    if (at < offsets->count && offsets->items[at].partition == partition) {
        if (offset > offsets->items[at].offset)
            offsets->items[at].offset = offset;
        return;
    }
    if (offsets->count == offsets->capacity) {
        offsets->capacity = offsets->capacity < 1 ? 1 : offsets->capacity * 2; // a symbol has one partition
        offsets->items = mf_realloc(offsets->items, offsets->capacity * sizeof *offsets->items);
    }
    memmove(&offsets->items[at + 1], &offsets->items[at], (offsets->count - at) * sizeof *offsets->items);
    offsets->items[at] = (struct ing_offset){.partition = partition, .offset = offset};
    offsets->count++;
}

void ing_offsets_merge(struct ing_offsets *into, const struct ing_offsets *from)
{
    for (size_t i = 0; i < from->count; i++)
        ing_offsets_note(into, from->items[i].partition, from->items[i].offset);
}

void ing_offsets_write(const struct ing_offsets *offsets, struct mf_buf *out)
{
    for (size_t i = 0; i < offsets->count; i++)
        mf_buf_addf(out, "%s%d:%lld", i > 0 ? " " : "", (int)offsets->items[i].partition,
                    (long long)offsets->items[i].offset);
}

// The number up to `end` or the text's end; moves *text behind it.
static bool take_number(struct mf_str *text, char end, int64_t *number)
{
    const char *at = memchr(text->data, end, text->len);
    size_t len = at != NULL ? (size_t)(at - text->data) : text->len;
    bool good = mf_str_to_i64((struct mf_str){text->data, len}, number) && *number >= 0;
    size_t used = at != NULL ? len + 1 : len;
    *text = (struct mf_str){text->data + used, text->len - used};
    return good;
}

bool ing_offsets_read(struct mf_str text, struct ing_offsets *offsets)
{
    while (text.len > 0) {
        int64_t partition = 0;
        int64_t offset = 0;
        if (!take_number(&text, ':', &partition) || partition >= ING_OFFSETS_MAX || text.len == 0 ||
            !take_number(&text, ' ', &offset))
            return false;
        ing_offsets_note(offsets, (int32_t)partition, offset);
    }
    return true;
}
