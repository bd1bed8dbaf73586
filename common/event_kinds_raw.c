// SPDX-License-Identifier: Apache-2.0
// Kinds of fields with rules of their own: event_id, and the bytes of a dead letter. Pure. Dead letters are
// rare, so their bytes may be decoded into memory of the moment; nothing else here allocates.
#include "common/event_table.h"

#include <stdio.h>
#include <stdlib.h>

// ---- event_id: struct mf_str; absent means "to be computed", which mf_event_encode does while it writes the
// rest.

static void id_clear(const struct mf_event_field *field, void *base)
{
    mf_kind_hex.clear(field, base);
}

static bool id_present(const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    return true;
}

static bool id_read(struct mf_event_report *report, const struct mf_event_field *field,
                    const struct mf_json_node *node, void *base)
{
    return mf_kind_hex.read(report, field, node, base);
}

static void id_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if (mf_kind_hex.present(field, base))
        mf_kind_hex.check(report, field, base);
}

static void id_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    // Room for 32 digits after the opening quote; the id is known only when every market field has been
    // walked.
    mf_jw_c_string(out->json, "00000000000000000000000000000000");
    out->event_id_at = out->json->out->len - (MF_EVENT_ID_SIZE - 1) - 1;
}

const struct mf_field_kind mf_kind_event_id = {
    .label = "hex digits",
    .clear = id_clear,
    .present = id_present,
    .read = id_read,
    .check = id_check,
    .emit = id_emit,
};

// ---- raw: the whole struct mf_dead_letter is the base of these two rows.

static const struct mf_dead_letter *letter_in(const void *base)
{
    return &((const struct mf_event *)base)->dead_letter;
}

static struct mf_dead_letter *letter_at(void *base)
{
    return &((struct mf_event *)base)->dead_letter;
}

struct mf_str mf_dead_letter_kept(const struct mf_dead_letter *letter)
{
    struct mf_str kept = letter->raw;
    if (kept.len > MF_DEAD_LETTER_RAW_MAX)
        kept.len = MF_DEAD_LETTER_RAW_KEPT;
    return kept;
}

// The decoded bytes of base64 text, in memory that the caller frees; NULL when it is not canonical base64.
static unsigned char *decode_raw(struct mf_str text, size_t *len)
{
    size_t room = text.len / 4 * 3 + 3;
    unsigned char *bytes = mf_alloc(room);
    if (mf_base64_decode(text, bytes, room, len))
        return bytes;
    free(bytes);
    return NULL;
}

static void raw_clear(const struct mf_event_field *field, void *base)
{
    (void)field;
    letter_at(base)->raw = MF_STR_NULL;
    letter_at(base)->raw_is_base64 = false;
}

static bool raw_present(const struct mf_event_field *field, const void *base)
{
    (void)field;
    return letter_in(base)->raw.data != NULL;
}

static bool raw_read(struct mf_event_report *report, const struct mf_event_field *field,
                     const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_STRING) {
        mf_event_report_add(report, "bad_type", field->name, "must be a string, not %s",
                            mf_json_type_name(mf_json_type(node)));
        return false;
    }
    letter_at(base)->raw = mf_json_text(node);
    letter_at(base)->raw_is_base64 = true;
    return true;
}

static void raw_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    const struct mf_dead_letter *letter = letter_in(base);
    if (!letter->raw_is_base64) // cut to size when it is encoded
        return;
    size_t len = 0;
    unsigned char *bytes = decode_raw(letter->raw, &len);
    size_t most = letter->raw_sha256.data != NULL ? MF_DEAD_LETTER_RAW_KEPT : MF_DEAD_LETTER_RAW_MAX;
    if (bytes == NULL)
        mf_event_report_add(report, "bad_value", field->name, "is not canonical base64");
    else if (len > most)
        mf_event_report_add(report, "bad_value", field->name, "holds %zu bytes, at most %zu are allowed", len,
                            most);
    free(bytes);
}

static void raw_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const struct mf_dead_letter *letter = letter_in(base);
    if (out->json != NULL) {
        assert(letter->raw_is_base64); // mf_event_encode sees to it
        mf_jw_string(out->json, letter->raw);
    }
    if (out->hash == NULL)
        return;
    struct mf_hash128 hash;
    if (letter->raw_is_base64) {
        size_t len = 0;
        unsigned char *bytes = decode_raw(letter->raw, &len);
        hash = mf_hash128(bytes, bytes != NULL ? len : 0);
        free(bytes);
    } else {
        struct mf_str kept = mf_dead_letter_kept(letter);
        hash = mf_hash128(kept.data, kept.len);
    }
    char text[MF_EVENT_ID_SIZE];
    mf_event_hash_item(out, mf_field_name(field), mf_str_of(mf_hash128_hex(hash, text)));
}

const struct mf_field_kind mf_kind_raw = {
    .label = "base64",
    .clear = raw_clear,
    .present = raw_present,
    .read = raw_read,
    .check = raw_check,
    .emit = raw_emit,
};

// ---- raw_size: there exactly when the bytes were cut.

static void raw_size_clear(const struct mf_event_field *field, void *base)
{
    (void)field;
    letter_at(base)->raw_size = 0;
}

static bool raw_size_present(const struct mf_event_field *field, const void *base)
{
    (void)field;
    const struct mf_dead_letter *letter = letter_in(base);
    return letter->raw_is_base64 ? letter->raw_sha256.data != NULL : letter->raw.len > MF_DEAD_LETTER_RAW_MAX;
}

static size_t raw_size_in(const void *base)
{
    const struct mf_dead_letter *letter = letter_in(base);
    return letter->raw_is_base64 ? letter->raw_size : letter->raw.len;
}

static bool raw_size_read(struct mf_event_report *report, const struct mf_event_field *field,
                          const struct mf_json_node *node, void *base)
{
    int64_t size = 0;
    if (mf_json_type(node) == MF_JSON_NUMBER && mf_str_to_i64(mf_json_text(node), &size) && size > 0) {
        letter_at(base)->raw_size = (size_t)size;
        return true;
    }
    mf_event_report_add(report, "bad_type", field->name, "must be a whole number above 0");
    return false;
}

static void raw_size_check(struct mf_event_report *report, const struct mf_event_field *field,
                           const void *base)
{
    if (raw_size_in(base) <= MF_DEAD_LETTER_RAW_MAX)
        mf_event_report_add(report, "bad_value", field->name, "is only for bytes that were cut: above %zu",
                            MF_DEAD_LETTER_RAW_MAX);
}

static void raw_size_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%zu", raw_size_in(base));
    if (out->json != NULL)
        mf_jw_number_text(out->json, (struct mf_str){text, (size_t)len});
    mf_event_hash_item(out, mf_field_name(field), (struct mf_str){text, (size_t)len});
}

const struct mf_field_kind mf_kind_raw_size = {
    .label = "whole number",
    .clear = raw_size_clear,
    .present = raw_size_present,
    .read = raw_size_read,
    .check = raw_size_check,
    .emit = raw_size_emit,
};
