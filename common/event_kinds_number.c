// SPDX-License-Identifier: Apache-2.0
// Kinds of fields that are a number: a feed's own text, whole numbers, statistics that we computed. Pure.
// A statistic has one spelling (events.md): at most 8 decimals and 15 significant digits, shortest form, no
// exponent.
#include "common/event_table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static bool is_number(struct mf_event_report *report, const struct mf_event_field *field,
                      const struct mf_json_node *node)
{
    if (mf_json_type(node) == MF_JSON_NUMBER)
        return true;
    mf_event_report_add(report, "bad_type", field->name, "must be a number, not %s",
                        mf_json_type_name(mf_json_type(node)));
    return false;
}

// Reports a value that is out of the bounds the row sets. sign: of the value.
static void check_sign(struct mf_event_report *report, const struct mf_event_field *field, int sign)
{
    if ((field->rules & MF_FIELD_POSITIVE) != 0 && sign <= 0)
        mf_event_report_add(report, "bad_value", field->name, "must be above 0");
    else if ((field->rules & MF_FIELD_NOT_NEGATIVE) != 0 && sign < 0)
        mf_event_report_add(report, "bad_value", field->name, "must not be negative");
}

// ---- decimal: struct mf_str, the feed's text.

static struct mf_str decimal_in(const struct mf_event_field *field, const void *base)
{
    return *(const struct mf_str *)mf_field_in(field, base);
}

static void decimal_clear(const struct mf_event_field *field, void *base)
{
    *(struct mf_str *)mf_field_at(field, base) = MF_STR_NULL;
}

static bool decimal_present(const struct mf_event_field *field, const void *base)
{
    return decimal_in(field, base).data != NULL;
}

static bool decimal_read(struct mf_event_report *report, const struct mf_event_field *field,
                         const struct mf_json_node *node, void *base)
{
    if (!is_number(report, field, node))
        return false;
    *(struct mf_str *)mf_field_at(field, base) = mf_json_text(node);
    return true;
}

static void decimal_check(struct mf_event_report *report, const struct mf_event_field *field,
                          const void *base)
{
    struct mf_str text = decimal_in(field, base);
    char normal[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    struct mf_error err;
    mf_fixed8 value = 0;
    if (mf_decimal_normalise(text, normal, &len, &err) != 0)
        mf_event_report_add(report, err.code, field->name, "%s", err.message);
    else if (!mf_str_eq(text, (struct mf_str){normal, len}) || !mf_decimal_to_fixed8(text, &value))
        mf_event_report_add(report, "bad_number", field->name, "must not have an exponent");
    else
        check_sign(report, field, value > 0 ? 1 : value < 0 ? -1 : 0);
}

static void decimal_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    struct mf_str text = decimal_in(field, base);
    if (out->json != NULL)
        mf_jw_number_text(out->json, text);
    if (out->hash == NULL)
        return;
    char canonical[MF_DECIMAL_TEXT_SIZE];
    size_t len = mf_decimal_canonical(text, canonical);
    mf_event_hash_item(out, mf_field_name(field), (struct mf_str){canonical, len});
}

const struct mf_field_kind mf_kind_decimal = {
    .label = "number",
    .clear = decimal_clear,
    .present = decimal_present,
    .read = decimal_read,
    .check = decimal_check,
    .emit = decimal_emit,
};

// ---- whole numbers, 64 and 32 bits wide. Absent: field->absent.

static bool whole_number_read(struct mf_event_report *report, const struct mf_event_field *field,
                              const struct mf_json_node *node, int64_t *value)
{
    if (!is_number(report, field, node))
        return false;
    struct mf_str text = mf_json_text(node);
    if (mf_str_to_i64(text, value) && !mf_str_eq_c(text, "-0"))
        return true;
    mf_event_report_add(report, "bad_value", field->name, "must be a whole number of at most 64 bits");
    return false;
}

static void whole_number_emit(struct mf_event_output *out, const struct mf_event_field *field, int64_t value)
{
    if (out->json != NULL)
        mf_jw_i64(out->json, value);
    if (out->hash == NULL)
        return;
    char text[MF_INTEGER_TEXT_SIZE];
    mf_event_hash_item(out, mf_field_name(field), (struct mf_str){text, mf_i64_text(value, text)});
}

static void i64_clear(const struct mf_event_field *field, void *base)
{
    *(int64_t *)mf_field_at(field, base) = field->absent;
}

static bool i64_present(const struct mf_event_field *field, const void *base)
{
    return *(const int64_t *)mf_field_in(field, base) != field->absent;
}

static bool i64_read(struct mf_event_report *report, const struct mf_event_field *field,
                     const struct mf_json_node *node, void *base)
{
    int64_t value = 0;
    if (!whole_number_read(report, field, node, &value))
        return false;
    // The value that means "left out" is never a good one, but it must not read as if nothing had been there.
    if (value == field->absent) {
        mf_event_report_add(report, "bad_value", field->name, "must not be %" PRId64, value);
        return false;
    }
    *(int64_t *)mf_field_at(field, base) = value;
    return true;
}

static void i64_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    int64_t value = *(const int64_t *)mf_field_in(field, base);
    check_sign(report, field, value > 0 ? 1 : value < 0 ? -1 : 0);
}

static void i64_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    whole_number_emit(out, field, *(const int64_t *)mf_field_in(field, base));
}

const struct mf_field_kind mf_kind_i64 = {
    .label = "whole number",
    .clear = i64_clear,
    .present = i64_present,
    .read = i64_read,
    .check = i64_check,
    .emit = i64_emit,
};

// int and unsigned members alike: never negative, at most 2^31 - 1, absent -1.
static int32_t i32_in(const struct mf_event_field *field, const void *base)
{
    int32_t value = 0;
    memcpy(&value, mf_field_in(field, base), sizeof value);
    return value;
}

static void i32_set(const struct mf_event_field *field, void *base, int32_t value)
{
    memcpy(mf_field_at(field, base), &value, sizeof value);
}

static void i32_clear(const struct mf_event_field *field, void *base)
{
    i32_set(field, base, -1);
}

static bool i32_present(const struct mf_event_field *field, const void *base)
{
    return i32_in(field, base) != -1;
}

static bool i32_read(struct mf_event_report *report, const struct mf_event_field *field,
                     const struct mf_json_node *node, void *base)
{
    int64_t value = 0;
    if (!whole_number_read(report, field, node, &value))
        return false;
    if (value < 0 || value > INT32_MAX) {
        mf_event_report_add(report, "bad_value", field->name, "must be 0 to %d", INT32_MAX);
        return false;
    }
    i32_set(field, base, (int32_t)value);
    return true;
}

static void i32_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    if (i32_in(field, base) < 0)
        mf_event_report_add(report, "bad_value", field->name, "must be 0 to %d", INT32_MAX);
}

static void i32_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    whole_number_emit(out, field, i32_in(field, base));
}

const struct mf_field_kind mf_kind_i32 = {
    .label = "whole number",
    .clear = i32_clear,
    .present = i32_present,
    .read = i32_read,
    .check = i32_check,
    .emit = i32_emit,
};

// ---- statistics: double. Absent: not a number.

static bool statistic_text_ok(struct mf_str text)
{
    size_t at = text.len > 0 && text.data[0] == '-' ? 1 : 0, significant = 0, decimals = 0;
    bool point = false;
    for (; at < text.len; at++) {
        char c = text.data[at];
        if (c == '.') {
            point = true;
        } else if (c < '0' || c > '9') {
            return false; // an exponent
        } else {
            significant += significant > 0 || c != '0';
            decimals += point;
        }
    }
    bool shortest = !point || text.data[text.len - 1] != '0';
    bool minus_zero = text.len > 0 && text.data[0] == '-' && significant == 0;
    return significant <= 15 && decimals <= 8 && shortest && !minus_zero;
}

static bool statistic_parse(struct mf_event_report *report, const struct mf_event_field *field,
                            const struct mf_json_node *node, double *value)
{
    if (!is_number(report, field, node))
        return false;
    if (statistic_text_ok(mf_json_text(node)) && mf_decimal_to_double(mf_json_text(node), value))
        return true;
    mf_event_report_add(
        report, "bad_number", field->name,
        "must have at most 8 decimals and 15 significant digits, no exponent and no needless zero");
    return false;
}

static void statistic_check_value(struct mf_event_report *report, const struct mf_event_field *field,
                                  double value)
{
    if (!isfinite(value) || fabs(value) >= 1e15)
        mf_event_report_add(report, "number_out_of_range", field->name, "must be finite and below 1e15");
}

static void statistic_emit_text(struct mf_event_output *out, const struct mf_event_field *field,
                                struct mf_str text)
{
    if (out->json != NULL)
        mf_jw_raw(out->json, text); // checked, or written by ourselves
    mf_event_hash_item(out, mf_field_name(field), text);
}

static void statistic_emit_value(struct mf_event_output *out, const struct mf_event_field *field,
                                 double value)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    bool written = mf_decimal_from_double(value, text, &len);
    assert(written); // checked before
    (void)written;
    statistic_emit_text(out, field, (struct mf_str){text, len});
}

static double statistic_in(const struct mf_event_field *field, const void *base)
{
    return *(const double *)mf_field_in(field, base);
}

static void statistic_clear(const struct mf_event_field *field, void *base)
{
    *(double *)mf_field_at(field, base) = NAN;
}

static bool statistic_present(const struct mf_event_field *field, const void *base)
{
    return !isnan(statistic_in(field, base));
}

static bool statistic_read(struct mf_event_report *report, const struct mf_event_field *field,
                           const struct mf_json_node *node, void *base)
{
    return statistic_parse(report, field, node, mf_field_at(field, base));
}

static void statistic_check(struct mf_event_report *report, const struct mf_event_field *field,
                            const void *base)
{
    statistic_check_value(report, field, statistic_in(field, base));
}

static void statistic_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    statistic_emit_value(out, field, statistic_in(field, base));
}

const struct mf_field_kind mf_kind_statistic = {
    .label = "statistic",
    .clear = statistic_clear,
    .present = statistic_present,
    .read = statistic_read,
    .check = statistic_check,
    .emit = statistic_emit,
};

// ---- one of the metric's values; field->index says which.

static void metric_clear(const struct mf_event_field *field, void *base)
{
    struct mf_metric_event *metric = &((struct mf_event *)base)->metric;
    metric->present &= ~(UINT64_C(1) << field->index);
    metric->with_text &= ~(UINT64_C(1) << field->index);
}

static bool metric_present(const struct mf_event_field *field, const void *base)
{
    return (((const struct mf_event *)base)->metric.present >> field->index & 1) != 0;
}

static bool metric_read(struct mf_event_report *report, const struct mf_event_field *field,
                        const struct mf_json_node *node, void *base)
{
    struct mf_metric_event *metric = &((struct mf_event *)base)->metric;
    if (!statistic_parse(report, field, node, &metric->values[field->index]))
        return false;
    metric->present |= UINT64_C(1) << field->index;
    metric->with_text |= UINT64_C(1) << field->index;
    metric->texts[field->index] = mf_json_text(node);
    return true;
}

static void metric_check(struct mf_event_report *report, const struct mf_event_field *field, const void *base)
{
    statistic_check_value(report, field, ((const struct mf_event *)base)->metric.values[field->index]);
}

static void metric_emit(struct mf_event_output *out, const struct mf_event_field *field, const void *base)
{
    const struct mf_metric_event *metric = &((const struct mf_event *)base)->metric;
    if ((metric->with_text >> field->index & 1) != 0)
        statistic_emit_text(out, field, metric->texts[field->index]);
    else
        statistic_emit_value(out, field, metric->values[field->index]);
}

const struct mf_field_kind mf_kind_metric = {
    .label = "statistic",
    .clear = metric_clear,
    .present = metric_present,
    .read = metric_read,
    .check = metric_check,
    .emit = metric_emit,
};
