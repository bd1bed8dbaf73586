// SPDX-License-Identifier: Apache-2.0
// The fields of version 1.1, from tables (see manifest_series.h).
#include "services/ctl/manifest_series.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "services/ctl/manifest.h"

enum kind { TEXT, COUNT, TIME, DATE, TRUTH, LIST, COUNTS };

struct field {
    const char *name;
    enum kind kind;
    bool optional;
};

static const struct field root_fields[] = {
    {"manifest_version", TEXT, false},
    {"run_id", TEXT, true},
    {"raw", LIST, false},
    {"complete", TRUTH, false},
    {"written_time", TIME, false},
    {"feed", TEXT, false},
    {"timespan", TEXT, true},
    {"adjusted", TEXT, true},
    {"from", DATE, false},
    {"to", DATE, false},
    {"closures", LIST, true},
    {"series", LIST, true},
};
static const struct field closure_fields[] = {
    {"date", DATE, false}, {"cause", TEXT, false}, {"minutes", COUNT, false}, {"name", TEXT, true}};
static const struct field series_fields[] = {
    {"symbol", TEXT, false},
    {"status", TEXT, false},
    {"received", COUNT, false},
    {"expected_sessions", COUNT, true},
    {"received_sessions", COUNT, true},
    {"expected_minutes", COUNT, true},
    {"missing_minutes", COUNT, true},
    {"expected_days", COUNT, true},
    {"missing_days", COUNT, true},
    {"unexamined", COUNT, true},
    {"causes", COUNTS, true},
    {"ranges", LIST, true},
    {"ranges_left_out", COUNT, true},
};
static const struct field range_fields[] = {{"from", TIME, false},
                                            {"to", TIME, false},
                                            {"missing", COUNT, false},
                                            {"cause", TEXT, false},
                                            {"guess", TRUTH, true}};

static int refuse(struct mf_error *err, const char *code, const char *fmt, ...) MF_PRINTF(3, 4);
static int refuse(struct mf_error *err, const char *code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return mf_error_set(err, MF_ERROR_POISON, code, "%s", text);
}

static bool is_count(const struct mf_json_node *node)
{
    int64_t number = 0;
    return mf_json_type(node) == MF_JSON_NUMBER && mf_str_to_i64(mf_json_text(node), &number) && number >= 0;
}

static bool are_counts(const struct mf_json_node *node)
{
    if (mf_json_type(node) != MF_JSON_OBJECT)
        return false;
    for (const struct mf_json_node *m = mf_json_first(node); m != NULL; m = mf_json_next(m)) {
        if (!is_count(m))
            return false;
    }
    return true;
}

static bool fits(const struct mf_json_node *node, enum kind kind)
{
    int64_t time_us = 0;
    struct mf_date date;
    bool text = mf_json_type(node) == MF_JSON_STRING;
    switch (kind) {
    case TEXT: return text && mf_json_text(node).len > 0;
    case COUNT: return is_count(node);
    case TIME: return text && mf_time_parse(mf_json_text(node), &time_us);
    case DATE: return text && mf_date_parse(mf_json_text(node), &date);
    case TRUTH: return mf_json_type(node) == MF_JSON_BOOL;
    case LIST: return mf_json_type(node) == MF_JSON_ARRAY;
    case COUNTS: return are_counts(node);
    }
    return false;
}

static const char *kind_text(enum kind kind)
{
    static const char *const texts[] = {[TEXT] = "a text",
                                        [COUNT] = "a whole number from 0",
                                        [TIME] = "a time",
                                        [DATE] = "a date",
                                        [TRUTH] = "a boolean",
                                        [LIST] = "an array",
                                        [COUNTS] = "an object of whole numbers from 0"};
    return texts[kind];
}

// `where` names the object and ends in a dot unless it is empty.
static int check(const struct mf_json_node *object, const char *where, const struct field *fields,
                 size_t count, struct mf_error *err)
{
    if (mf_json_type(object) != MF_JSON_OBJECT)
        return refuse(err, "bad_type", "%s is not an object", where);
    for (const struct mf_json_node *m = mf_json_first(object); m != NULL; m = mf_json_next(m)) {
        struct mf_str key = mf_json_key(m);
        size_t i = 0;
        while (i < count && !mf_str_eq_c(key, fields[i].name))
            i++;
        if (i == count)
            return refuse(err, "unknown_field", "%s%.*s is no field of a manifest", where,
                          key.len < 60 ? (int)key.len : 60, key.data);
        if (!fits(m, fields[i].kind))
            return refuse(err, "bad_value", "%s%s is not %s", where, fields[i].name,
                          kind_text(fields[i].kind));
    }
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].optional && mf_json_get(object, fields[i].name) == NULL)
            return refuse(err, "missing_field", "%s%s is missing", where, fields[i].name);
    }
    return 0;
}

static int check_list(const struct mf_json_node *list, const char *name, const struct field *fields,
                      size_t count, struct mf_error *err)
{
    size_t place = 0;
    for (const struct mf_json_node *item = list != NULL ? mf_json_first(list) : NULL; item != NULL;
         item = mf_json_next(item)) {
        char where[80];
        snprintf(where, sizeof where, "%s[%zu].", name, place++);
        if (check(item, where, fields, count, err) != 0)
            return -1;
    }
    return 0;
}

static uint64_t count_of(const struct mf_json_node *object, const char *key)
{
    int64_t number = 0;
    const struct mf_json_node *node = mf_json_get(object, key);
    return node != NULL && mf_str_to_i64(mf_json_text(node), &number) ? (uint64_t)number : 0;
}

static int take_series(const struct mf_json_node *list, struct ctl_manifest *manifest, struct mf_error *err)
{
    if (check_list(list, "series", series_fields, MF_ARRAY_LEN(series_fields), err) != 0)
        return -1;
    for (const struct mf_json_node *item = mf_json_first(list); item != NULL; item = mf_json_next(item)) {
        char where[40];
        snprintf(where, sizeof where, "series[%zu].ranges", manifest->series);
        if (check_list(mf_json_get(item, "ranges"), where, range_fields, MF_ARRAY_LEN(range_fields), err) !=
            0)
            return -1;
        manifest->series++;
        manifest->missing += count_of(item, "missing_minutes") + count_of(item, "missing_days");
    }
    return 0;
}

int ctl_manifest_take_series(const struct mf_json_node *root, struct ctl_manifest *manifest,
                             struct mf_error *err)
{
    if (check(root, "", root_fields, MF_ARRAY_LEN(root_fields), err) != 0 ||
        check_list(mf_json_get(root, "closures"), "closures", closure_fields, MF_ARRAY_LEN(closure_fields),
                   err) != 0)
        return -1;
    manifest->is_partial = !mf_json_bool(mf_json_get(root, "complete"));
    const struct mf_json_node *series = mf_json_get(root, "series");
    manifest->knows_series = series != NULL;
    return series != NULL ? take_series(series, manifest, err) : 0;
}
