// SPDX-License-Identifier: Apache-2.0
// Events → JSON: one walk over the type's table writes the fields and hashes the market fields; the event_id,
// which stands before them, is filled in when they are known. Pure; POISON when the event is not one that
// decode would take.
#include "common/event_table.h"
#include "common/event_write.h"

#include <stdlib.h>

// What the envelope's rows would clear one by one, in an event that is all zeros.
static void clear_envelope(struct mf_event *event)
{
    event->asset_class = MF_ASSET_CLASS_MAX;
    event->event_time_us = event->ingest_time_us = INT64_MIN;
    event->mode = MF_MODE_MAX;
    event->page = -1;
}

// A metric's values and texts are left as they are: a bit says whether one counts, and all bits are 0. The
// rows from the first of them on are texts, absent when zero, so that the walk ends there.
void mf_event_init(struct mf_event *event, enum mf_event_type type)
{
    assert((unsigned)type < MF_EVENT_TYPE_MAX);
    const struct mf_event_table *table = mf_event_tables[type];
    size_t metric_head = offsetof(struct mf_event, metric.values);
    memset(event, 0, type == MF_EVENT_METRIC ? metric_head : offsetof(struct mf_event, bar) + table->size);
    clear_envelope(event);
    size_t row = MF_ENVELOPE_FIELD_COUNT;
    for (; row < table->count && table->fields[row].kind != &mf_kind_metric; row++)
        table->fields[row].kind->clear(&table->fields[row], event);
    event->type = type;
}

void mf_event_emit(struct mf_event_output *out, const struct mf_event *event)
{
    const struct mf_event_table *table = mf_event_tables[event->type];
    mf_fields_emit(out, table->fields, table->count, event);
}

static int too_large(struct mf_error *err, size_t limit)
{
    return mf_error_set(err, MF_ERROR_POISON, "event_too_large", "the event is larger than %zu bytes", limit);
}

// Puts the computed id in its place. An id that was given must be that one.
static int place_event_id(const struct mf_event *event, struct mf_hash128 content, char *place,
                          struct mf_error *err)
{
    char id[MF_EVENT_ID_SIZE];
    if (mf_event_id_of(event, content, id, err) != 0)
        return -1;
    if (event->event_id.data != NULL && !mf_str_eq_c(event->event_id, id))
        return mf_error_set(err, MF_ERROR_POISON, "event_id_mismatch",
                            "event_id: %.*s, but its content gives %s", MF_STR_ARG(event->event_id), id);
    memcpy(place, id, MF_EVENT_ID_SIZE - 1);
    return 0;
}

static int encode_checked(const struct mf_event *event, struct mf_buf *out, struct mf_error *err)
{
    size_t start = out->len;
    size_t limit = event->type == MF_EVENT_DEAD_LETTER ? MF_DEAD_LETTER_SIZE_MAX : MF_EVENT_SIZE_MAX;
    MF_UNINITIALISED struct mf_hash_text hash;
    mf_hash_text_begin(&hash);
    struct mf_json_writer writer;
    mf_jw_init(&writer, out);
    struct mf_event_output output = {.json = &writer, .hash = &hash};
    mf_jw_object_begin(&writer);
    mf_event_emit(&output, event);
    mf_jw_object_end(&writer);
    if (out->overflow || out->len - start > limit)
        return too_large(err, out->overflow && out->max - start < limit ? out->max - start : limit);
    return place_event_id(event, mf_hash_text_end(&hash), out->data + output.event_id_at, err);
}

// A copy with the bytes as base64, cut and hashed where they are too many. The texts are in *scratch, which
// the caller frees after the copy's last use.
static void prepare_dead_letter(const struct mf_event *event, struct mf_event *copy, char **scratch)
{
    *copy = *event;
    struct mf_dead_letter *letter = &copy->dead_letter;
    struct mf_str kept = mf_dead_letter_kept(&event->dead_letter);
    size_t room = (kept.len + 2) / 3 * 4 + 1;
    enum { SHA256_TEXT = 65 };
    *scratch = mf_alloc(room + SHA256_TEXT);
    size_t len = mf_base64_encode(kept.data, kept.len, *scratch, room);
    letter->raw_size = letter->raw.len;
    if (letter->raw.len > MF_DEAD_LETTER_RAW_MAX) {
        mf_sha256_hex(letter->raw.data, letter->raw.len, *scratch + room);
        letter->raw_sha256 = mf_str_of(*scratch + room);
    } else {
        letter->raw_sha256 = MF_STR_NULL;
    }
    letter->raw = (struct mf_str){*scratch, len};
    letter->raw_is_base64 = true;
}

int mf_event_encode_by_table(const struct mf_event *event, struct mf_buf *out, struct mf_error *err)
{
    if (out->overflow)
        return too_large(err, out->max);
    if (mf_event_check(event, NULL, err) != 0)
        return -1;
    size_t start = out->len;
    int result;
    if (event->type == MF_EVENT_DEAD_LETTER && !event->dead_letter.raw_is_base64) {
        struct mf_event copy;
        char *scratch = NULL;
        prepare_dead_letter(event, &copy, &scratch);
        result = encode_checked(&copy, out, err);
        free(scratch);
    } else {
        result = encode_checked(event, out, err);
    }
    if (result != 0) {
        out->overflow = false;
        out->len = start;
        if (out->data != NULL)
            out->data[start] = '\0';
    }
    return result;
}

int mf_event_encode(const struct mf_event *event, struct mf_buf *out, struct mf_error *err)
{
    return mf_event_write(event, out) ? 0 : mf_event_encode_by_table(event, out, err);
}
