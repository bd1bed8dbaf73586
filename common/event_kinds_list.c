// SPDX-License-Identifier: Apache-2.0
// Kinds of fields that hold other values: flags, lists of texts, nested objects, lists of objects. Pure.
#include "common/event_table.h"

#include <stdio.h>

static bool has_type(struct mf_event_report *report, const struct mf_event_field *field,
                     const struct mf_json_node *node, enum mf_json_type type)
{
    if (mf_json_type(node) == type)
        return true;
    mf_event_report_add(report, "bad_type", field->name, "must be an %s, not %s", mf_json_type_name(type),
                        mf_json_type_name(mf_json_type(node)));
    return false;
}

static size_t *count_at(const struct mf_event_field *field, void *base)
{
    return (size_t *)(void *)((char *)base + field->count_offset);
}

static size_t count_in(const struct mf_event_field *field, const void *base)
{
    return *(const size_t *)(const void *)((const char *)base + field->count_offset);
}

static bool always_present(const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    return true;
}

// A list that is required is written even when it is empty.
static bool list_present(const struct mf_event_field *field, const void *base)
{
    return (field->rules & MF_FIELD_REQUIRED) != 0 || count_in(field, base) > 0;
}

static void list_clear(const struct mf_event_field *field, void *base)
{
    *count_at(field, base) = 0;
}

static bool list_fits(struct mf_event_report *report, const struct mf_event_field *field, size_t count)
{
    if (count <= field->max)
        return true;
    mf_event_report_add(report, "bad_value", field->name, "has %zu items, at most %zu are allowed", count,
                        field->max);
    return false;
}

// ---- flags: unsigned, a set of enum mf_event_flag; JSON: an array of names in the order of the enum.

static void flags_clear(const struct mf_event_field *field, void *base)
{
    *(unsigned *)mf_field_at(field, base) = 0;
}

static bool flags_read(struct mf_event_report *report, const struct mf_event_field *field,
                       const struct mf_json_node *node, void *base)
{
    if (!has_type(report, field, node, MF_JSON_ARRAY))
        return false;
    unsigned flags = 0;
    for (const struct mf_json_node *item = mf_json_first(node); item != NULL; item = mf_json_next(item)) {
        int index =
            mf_json_type(item) == MF_JSON_STRING ? mf_name_index(mf_flag_names, mf_json_text(item)) : -1;
        // Each once and in order, so that a set has one spelling.
        if (index < 0 || flags >> index != 0) {
            char names[128];
            mf_event_report_add(report, "bad_value", field->name, "must be, in this order and each once: %s",
                                mf_names_join(mf_flag_names, names, sizeof names));
            return false;
        }
        flags |= 1u << index;
    }
    *(unsigned *)mf_field_at(field, base) = flags;
    return true;
}

static void flags_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if ((*(const unsigned *)mf_field_in(field, base) & ~(unsigned)MF_FLAG_ALL) != 0)
        mf_event_report_add(report, "bad_value", field->name, "has a flag without a name");
}

static void flags_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    unsigned flags = *(const unsigned *)mf_field_in(field, base);
    mf_jw_array_begin(out->json);
    for (unsigned i = 0; mf_flag_names[i] != NULL; i++) {
        if ((flags >> i & 1) != 0)
            mf_jw_c_string(out->json, mf_flag_names[i]);
    }
    mf_jw_array_end(out->json);
}

const struct mf_field_kind mf_kind_flags = {
    .label = "list of names",
    .clear = flags_clear,
    .present = always_present,
    .read = flags_read,
    .check = flags_check,
    .emit = flags_emit,
};

// ---- texts: an array of struct mf_str and its count; field->item_size is the largest text in bytes.

static bool texts_read(struct mf_event_report *report, const struct mf_event_field *field,
                       const struct mf_json_node *node, void *base)
{
    if (!has_type(report, field, node, MF_JSON_ARRAY) || !list_fits(report, field, mf_json_count(node)))
        return false;
    struct mf_str *texts = mf_field_at(field, base);
    size_t count = 0;
    for (const struct mf_json_node *item = mf_json_first(node); item != NULL; item = mf_json_next(item)) {
        if (mf_json_type(item) != MF_JSON_STRING) {
            mf_event_report_add(report, "bad_type", field->name, "item %zu must be a string, not %s", count,
                                mf_json_type_name(mf_json_type(item)));
            return false;
        }
        texts[count++] = mf_json_text(item);
    }
    *count_at(field, base) = count;
    return true;
}

static void texts_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    const struct mf_str *texts = mf_field_in(field, base);
    size_t count = count_in(field, base);
    if (!list_fits(report, field, count))
        return;
    for (size_t i = 0; i < count; i++) {
        bool good = texts[i].len >= 1 && texts[i].len <= field->item_size && mf_str_is_utf8(texts[i]) &&
                    memchr(texts[i].data, '\0', texts[i].len) == NULL;
        if (good)
            continue;
        mf_event_report_add(report, "bad_value", field->name,
                            "item %zu must be 1 to %zu bytes of UTF-8 without NUL", i, field->item_size);
        return;
    }
}

static void texts_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const struct mf_str *texts = mf_field_in(field, base);
    size_t count = count_in(field, base);
    if (out->json != NULL)
        mf_jw_array_begin(out->json);
    for (size_t i = 0; i < count; i++) {
        if (out->json != NULL)
            mf_jw_string(out->json, texts[i]);
        mf_event_hash_item(out, mf_field_name(field), texts[i]);
    }
    if (out->json != NULL)
        mf_jw_array_end(out->json);
}

const struct mf_field_kind mf_kind_texts = {
    .label = "list of texts",
    .clear = list_clear,
    .present = list_present,
    .read = texts_read,
    .check = texts_check,
    .emit = texts_emit,
};

// ---- object: nested fields whose offsets refer to the same base.

// "provenance." + "mode", "aliases[3]." + "symbol"; the two nest at most twice.
struct nested_name {
    char text[96];
    const char *outer;
};

static void nested_enter(struct nested_name *nested, const char **prefix, const struct mf_event_field *field,
                         long index)
{
    nested->outer = *prefix;
    const char *before = *prefix != NULL ? *prefix : "";
    if (index < 0)
        (void)snprintf(nested->text, sizeof nested->text, "%s%s.", before, field->name);
    else
        (void)snprintf(nested->text, sizeof nested->text, "%s%s[%ld].", before, field->name, index);
    *prefix = nested->text;
}

static void object_clear(const struct mf_event_field *field, void *base)
{
    mf_fields_clear(field->fields, field->field_count, base);
}

static bool object_present(const struct mf_event_field *field, const void *base)
{
    for (size_t i = 0; i < field->field_count; i++) {
        if (field->fields[i].kind->present(&field->fields[i], base))
            return true;
    }
    return false;
}

static bool object_read(struct mf_event_report *report, const struct mf_event_field *field,
                        const struct mf_json_node *node, void *base)
{
    if (!has_type(report, field, node, MF_JSON_OBJECT))
        return false;
    struct nested_name nested;
    nested_enter(&nested, &report->prefix, field, -1);
    uint64_t seen = 0, bad = 0;
    mf_fields_read(report, field->fields, field->field_count, node, base, &seen, &bad);
    report->prefix = nested.outer;
    return bad == 0;
}

static void object_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    struct nested_name nested;
    nested_enter(&nested, &report->prefix, field, -1);
    mf_fields_check(report, field->fields, field->field_count, base, false, 0);
    report->prefix = nested.outer;
}

static void object_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    struct nested_name nested;
    nested_enter(&nested, &out->prefix, field, -1);
    if (out->json != NULL)
        mf_jw_object_begin(out->json);
    mf_fields_emit(out, field->fields, field->field_count, base);
    if (out->json != NULL)
        mf_jw_object_end(out->json);
    out->prefix = nested.outer;
}

const struct mf_field_kind mf_kind_object = {
    .label = "object",
    .clear = object_clear,
    .present = object_present,
    .read = object_read,
    .check = object_check,
    .emit = object_emit,
};

// ---- objects: an array of structs of item_size and its count; nested offsets refer to one item.

static bool objects_read(struct mf_event_report *report, const struct mf_event_field *field,
                         const struct mf_json_node *node, void *base)
{
    if (!has_type(report, field, node, MF_JSON_ARRAY) || !list_fits(report, field, mf_json_count(node)))
        return false;
    char *item = mf_field_at(field, base);
    size_t count = 0;
    for (const struct mf_json_node *at = mf_json_first(node); at != NULL;
         at = mf_json_next(at), item += field->item_size) {
        if (!has_type(report, field, at, MF_JSON_OBJECT))
            return false;
        struct nested_name nested;
        nested_enter(&nested, &report->prefix, field, (long)count++);
        mf_fields_clear(field->fields, field->field_count, item);
        uint64_t seen = 0, bad = 0;
        mf_fields_read(report, field->fields, field->field_count, at, item, &seen, &bad);
        report->prefix = nested.outer;
        if (bad != 0)
            return false;
    }
    *count_at(field, base) = count;
    return true;
}

static void objects_check(struct mf_event_report *report, const struct mf_event_field *field,
                          const void *base)
{
    size_t count = count_in(field, base);
    if (!list_fits(report, field, count))
        return;
    const char *item = mf_field_in(field, base);
    for (size_t i = 0; i < count; i++, item += field->item_size) {
        struct nested_name nested;
        nested_enter(&nested, &report->prefix, field, (long)i);
        mf_fields_check(report, field->fields, field->field_count, item, false, 0);
        report->prefix = nested.outer;
    }
}

static void objects_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const char *item = mf_field_in(field, base);
    size_t count = count_in(field, base);
    if (out->json != NULL)
        mf_jw_array_begin(out->json);
    for (size_t i = 0; i < count; i++, item += field->item_size) {
        struct nested_name nested;
        // Not the index: in the hash, an item begins where its first field comes again.
        nested_enter(&nested, &out->prefix, field, -1);
        if (out->json != NULL)
            mf_jw_object_begin(out->json);
        mf_fields_emit(out, field->fields, field->field_count, item);
        if (out->json != NULL)
            mf_jw_object_end(out->json);
        out->prefix = nested.outer;
    }
    if (out->json != NULL)
        mf_jw_array_end(out->json);
}

const struct mf_field_kind mf_kind_objects = {
    .label = "list of objects",
    .clear = list_clear,
    .present = list_present,
    .read = objects_read,
    .check = objects_check,
    .emit = objects_emit,
};
