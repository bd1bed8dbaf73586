// SPDX-License-Identifier: Apache-2.0
// Kinds of fields that are a time, a date, a name of an enum or a yes/no. Pure.
#include "common/event_table.h"

static bool wrong_type(struct mf_event_report *report, const struct mf_event_field *field,
                       const struct mf_json_node *node, const char *wanted)
{
    mf_event_report_add(report, "bad_type", field->name, "must be %s, not %s", wanted,
                        mf_json_type_name(mf_json_type(node)));
    return false;
}

// ---- time: int64_t microseconds. Absent: INT64_MIN, and 0 too where the field is optional.

static int64_t time_in(const struct mf_event_field *field, const void *base)
{
    return *(const int64_t *)mf_field_in(field, base);
}

static void time_clear(const struct mf_event_field *field, void *base)
{
    *(int64_t *)mf_field_at(field, base) =
        (field->rules & MF_FIELD_REQUIRED) != 0 ? INT64_MIN : field->absent;
}

static bool time_present(const struct mf_event_field *field, const void *base)
{
    int64_t time_us = time_in(field, base);
    return time_us != INT64_MIN && ((field->rules & MF_FIELD_REQUIRED) != 0 || time_us != field->absent);
}

// One form only, "2024-01-02T14:30:00.000Z": what is read is what would be written.
static bool time_text_parse(struct mf_str text, int64_t *time_us)
{
    return text.len == 24 && text.data[10] == 'T' && text.data[17] < '6' && text.data[19] == '.' &&
           text.data[23] == 'Z' && mf_time_parse(text, time_us);
}

static bool time_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_STRING)
        return wrong_type(report, field, node, "a string");
    if (time_text_parse(mf_json_text(node), mf_field_at(field, base)))
        return true;
    mf_event_report_add(report, "bad_time", field->name, "must be RFC 3339 in UTC with milliseconds");
    return false;
}

// Years 0001 to 9999.
#define TIME_MIN_US (INT64_C(-62135596800) * MF_US_PER_SECOND)
#define TIME_END_US (INT64_C(253402300800) * MF_US_PER_SECOND)

static void time_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    int64_t time_us = time_in(field, base);
    if (time_us % MF_US_PER_MS != 0 || time_us < TIME_MIN_US || time_us >= TIME_END_US)
        mf_event_report_add(report, "bad_time", field->name, "must be whole milliseconds in years 1 to 9999");
}

static void time_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    char text[MF_TIME_TEXT_SIZE];
    mf_time_format_ms(time_in(field, base), text);
    if (out->json != NULL)
        mf_jw_c_string(out->json, text);
    mf_event_hash_item(out, mf_field_name(field), mf_str_of(text));
}

const struct mf_field_kind mf_kind_time = {
    .label = "time",
    .clear = time_clear,
    .present = time_present,
    .read = time_read,
    .check = time_check,
    .emit = time_emit,
};

// ---- date: struct mf_date. Absent: year 0.

static void date_clear(const struct mf_event_field *field, void *base)
{
    *(struct mf_date *)mf_field_at(field, base) = (struct mf_date){0};
}

static bool date_present(const struct mf_event_field *field, const void *base)
{
    return ((const struct mf_date *)mf_field_in(field, base))->year != 0;
}

static bool date_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_STRING)
        return wrong_type(report, field, node, "a string");
    if (mf_date_parse(mf_json_text(node), mf_field_at(field, base)))
        return true;
    mf_event_report_add(report, "bad_time", field->name, "must be a date, YYYY-MM-DD");
    return false;
}

static void date_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    const struct mf_date *date = mf_field_in(field, base);
    bool in_range =
        date->year >= 1 && date->year <= 9999 && date->month >= 1 && date->month <= 12 && date->day >= 1;
    if (!in_range || mf_date_cmp(mf_date_from_days(mf_date_to_days(*date)), *date) != 0)
        mf_event_report_add(report, "bad_time", field->name, "is no day of the calendar");
}

static void date_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    char text[MF_DATE_TEXT_SIZE];
    mf_date_format(*(const struct mf_date *)mf_field_in(field, base), text);
    if (out->json != NULL)
        mf_jw_c_string(out->json, text);
    mf_event_hash_item(out, mf_field_name(field), mf_str_of(text));
}

const struct mf_field_kind mf_kind_date = {
    .label = "date",
    .clear = date_clear,
    .present = date_present,
    .read = date_read,
    .check = date_check,
    .emit = date_emit,
};

// ---- name: an enum. Absent: its MAX, which is field->max. Every enum of event.h is an unsigned int to GCC
// and clang.

static_assert(sizeof(enum mf_interval) == sizeof(unsigned), "enums are read and written as unsigned");

static unsigned name_in(const struct mf_event_field *field, const void *base)
{
    return *(const unsigned *)mf_field_in(field, base);
}

static void name_clear(const struct mf_event_field *field, void *base)
{
    *(unsigned *)mf_field_at(field, base) = (unsigned)field->max;
}

static bool name_present(const struct mf_event_field *field, const void *base)
{
    return name_in(field, base) != field->max;
}

static bool name_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_STRING)
        return wrong_type(report, field, node, "a string");
    int index = mf_name_index(field->names, mf_json_text(node));
    if (index >= 0) {
        *(unsigned *)mf_field_at(field, base) = (unsigned)index;
        return true;
    }
    char names[128];
    mf_event_report_add(report, "bad_value", field->name, "must be %s",
                        mf_names_join(field->names, names, sizeof names));
    return false;
}

static void name_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if (name_in(field, base) > field->max)
        mf_event_report_add(report, "bad_value", field->name, "is not a value of its enum");
}

static void name_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const char *name = field->names[name_in(field, base)];
    if (out->json != NULL)
        mf_jw_c_string(out->json, name);
    mf_event_hash_item(out, mf_field_name(field), mf_str_of(name));
}

const struct mf_field_kind mf_kind_name = {
    .label = "name",
    .clear = name_clear,
    .present = name_present,
    .read = name_read,
    .check = name_check,
    .emit = name_emit,
};

// ---- yes or no, in three shapes: an int with -1 for absent, a bool that is always there, a bool written
// only when true.

static void emit_bool(struct mf_event_output *out, const struct mf_event_field *field, bool value)
{
    if (out->json != NULL)
        mf_jw_bool(out->json, value);
    mf_event_hash_item(out, mf_field_name(field), mf_str_of(value ? "true" : "false"));
}

static void bool_clear(const struct mf_event_field *field, void *base)
{
    *(int *)mf_field_at(field, base) = -1;
}

static bool bool_present(const struct mf_event_field *field, const void *base)
{
    return *(const int *)mf_field_in(field, base) != -1;
}

static bool bool_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_BOOL)
        return wrong_type(report, field, node, "true or false");
    *(int *)mf_field_at(field, base) = mf_json_bool(node) ? 1 : 0;
    return true;
}

static void bool_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    int value = *(const int *)mf_field_in(field, base);
    if (value != 0 && value != 1)
        mf_event_report_add(report, "bad_value", field->name, "must be true or false");
}

static void bool_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    emit_bool(out, field, *(const int *)mf_field_in(field, base) == 1);
}

const struct mf_field_kind mf_kind_bool = {
    .label = "true or false",
    .clear = bool_clear,
    .present = bool_present,
    .read = bool_read,
    .check = bool_check,
    .emit = bool_emit,
};

static void plain_bool_clear(const struct mf_event_field *field, void *base)
{
    *(bool *)mf_field_at(field, base) = false;
}

static bool plain_bool_present(const struct mf_event_field *field, const void *base)
{
    (void)field, (void)base;
    return true;
}

static bool plain_bool_read(struct mf_event_report *report, const struct mf_event_field *field,
                            const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_BOOL)
        return wrong_type(report, field, node, "true or false");
    *(bool *)mf_field_at(field, base) = mf_json_bool(node);
    return true;
}

static void plain_bool_check(struct mf_event_report *report, const struct mf_event_field *field,
                             const void *base)
{
    (void)report, (void)field, (void)base;
}

static void plain_bool_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    emit_bool(out, field, *(const bool *)mf_field_in(field, base));
}

const struct mf_field_kind mf_kind_plain_bool = {
    .label = "true or false",
    .clear = plain_bool_clear,
    .present = plain_bool_present,
    .read = plain_bool_read,
    .check = plain_bool_check,
    .emit = plain_bool_emit,
};

static bool true_present(const struct mf_event_field *field, const void *base)
{
    return *(const bool *)mf_field_in(field, base);
}

static bool true_read(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node, void *base)
{
    if (mf_json_type(node) != MF_JSON_BOOL)
        return wrong_type(report, field, node, "true");
    if (mf_json_bool(node)) {
        *(bool *)mf_field_at(field, base) = true;
        return true;
    }
    mf_event_report_add(report, "bad_value", field->name, "must be true, or left out");
    return false;
}

const struct mf_field_kind mf_kind_true = {
    .label = "true",
    .clear = plain_bool_clear,
    .present = true_present,
    .read = true_read,
    .check = plain_bool_check,
    .emit = plain_bool_emit,
};
