// SPDX-License-Identifier: Apache-2.0
// Kinds of fields that are a struct mf_str of text: free text, symbol, source, lane, hex digits, an alert's
// interval, and the two rows that open every event. Pure.
#include "common/event_table.h"

static struct mf_str *text_at(const struct mf_event_field *field, void *base)
{
    return mf_field_at(field, base);
}

static struct mf_str text_in(const struct mf_event_field *field, const void *base)
{
    return *(const struct mf_str *)mf_field_in(field, base);
}

static void text_clear(const struct mf_event_field *field, void *base)
{
    *text_at(field, base) = MF_STR_NULL;
}

static bool text_present(const struct mf_event_field *field, const void *base)
{
    return text_in(field, base).data != NULL;
}

static bool text_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_STRING) {
        mf_event_report_add(report, "bad_type", field->name, "must be a string, not %s",
                            mf_json_type_name(mf_json_type(node)));
        return false;
    }
    *text_at(field, base) = mf_json_text(node);
    return true;
}

static void text_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = text_in(field, base);
    if (text.len == 0 && (field->rules & MF_FIELD_REQUIRED) != 0)
        mf_event_report_add(report, "bad_value", field->name, "must not be empty");
    else if (text.len > field->max)
        mf_event_report_add(report, "bad_value", field->name, "has %zu bytes, at most %zu are allowed",
                            text.len, field->max);
    else if (!mf_str_is_utf8(text) || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        mf_event_report_add(report, "bad_value", field->name, "is not UTF-8 text without NUL");
}

static void text_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = text_in(field, base);
    if (out->json != NULL)
        mf_jw_string(out->json, text);
    mf_event_hash_item(out, mf_field_name(field), text);
}

static void symbol_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if (!mf_symbol_is_valid(text_in(field, base)))
        mf_event_report_add(report, "bad_value", field->name,
                            "must be 1 to %d letters, digits or any of . : _ / -", MF_SYMBOL_MAX);
}

static void source_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    char names[128];
    if (!mf_source_is_known(text_in(field, base)))
        mf_event_report_add(report, "bad_value", field->name, "must be %s",
                            mf_names_join(mf_source_names, names, sizeof names));
}

static void lane_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if (!mf_lane_is_valid(text_in(field, base)))
        mf_event_report_add(report, "bad_value", field->name, "must be live or backfill:<run id>");
}

// field->index is the least number of digits, field->max the largest.
static void hex_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = text_in(field, base);
    bool good = text.len >= field->index && text.len <= field->max;
    for (size_t i = 0; good && i < text.len; i++)
        good = (text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f');
    if (good)
        return;
    if (field->index == field->max)
        mf_event_report_add(report, "bad_value", field->name, "must be %zu lower-case hex digits",
                            field->max);
    else
        mf_event_report_add(report, "bad_value", field->name, "must be %u to %zu lower-case hex digits",
                            field->index, field->max);
}

static void series_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = text_in(field, base);
    char names[128];
    if (!mf_str_eq_c(text, "news") && mf_name_index(mf_interval_names, text) < 0)
        mf_event_report_add(report, "bad_value", field->name, "must be news, %s",
                            mf_names_join(mf_interval_names, names, sizeof names));
}

#define MF_TEXT_KIND(kind, label_, check_) \
    const struct mf_field_kind kind = {    \
        .label = (label_),                 \
        .clear = text_clear,               \
        .present = text_present,           \
        .read = text_read,                 \
        .check = (check_),                 \
        .emit = text_emit,                 \
    }
MF_TEXT_KIND(mf_kind_text, "text", text_check);
MF_TEXT_KIND(mf_kind_symbol, "symbol", symbol_check);
MF_TEXT_KIND(mf_kind_source, "name", source_check);
MF_TEXT_KIND(mf_kind_lane, "lane", lane_check);
MF_TEXT_KIND(mf_kind_hex, "hex digits", hex_check);
MF_TEXT_KIND(mf_kind_series, "name", series_check);

// schema_version: absent in a struct means our own version.
static bool version_present(const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    return true;
}

static void version_check(struct mf_event_report *report, const struct mf_event_field *field,
                          const void *base)
{
    struct mf_str text = text_in(field, base);
    if (text.data == NULL)
        return;
    int64_t minor = 0;
    bool good = mf_str_starts_with(text, "1.") && text.len >= 3 && text.len <= 6 && text.data[2] >= '0' &&
                text.data[2] <= '9' && mf_str_to_i64((struct mf_str){text.data + 2, text.len - 2}, &minor);
    if (!good)
        mf_event_report_add(report, "unsupported_version", field->name, "'%.*s' is not a version 1.x",
                            MF_STR_ARG(text));
}

static void version_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = text_in(field, base);
    mf_jw_string(out->json, text.data != NULL ? text : MF_STR(MF_EVENT_SCHEMA_VERSION));
}

const struct mf_field_kind mf_kind_version = {
    .label = "text",
    .clear = text_clear,
    .present = version_present,
    .read = text_read,
    .check = version_check,
    .emit = version_emit,
};

// event_type: decides which table is walked, so it is read before the walk begins.
static void type_clear(const struct mf_event_field *field, void *base)
{
    (void)field, (void)base;
}

static bool type_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    (void)report, (void)field, (void)node, (void)base;
    return true;
}

static void type_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    (void)report, (void)field, (void)base;
}

static void type_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const enum mf_event_type *type = mf_field_in(field, base);
    mf_jw_c_string(out->json, mf_event_type_name(*type));
}

const struct mf_field_kind mf_kind_type = {
    .label = "name",
    .clear = type_clear,
    .present = version_present,
    .read = type_read,
    .check = type_check,
    .emit = type_emit,
};
