// SPDX-License-Identifier: Apache-2.0
// JSON → events: parse, find the type's table, read its fields, check them, compare event_id; bars and
// metrics in canonical form go the fast way (event_fast.h). Pure but for the memory of the caller's JSON
// document; every problem has class POISON.
#include "common/event_fast.h"
#include "common/event_table.h"

// Room for a dead letter's bytes, which are one long string. Every field's own limit is in its table.
static const struct mf_json_limits decode_limits = {
    .size = MF_DEAD_LETTER_SIZE_MAX,
    .depth = 32,
    .string_length = MF_DEAD_LETTER_SIZE_MAX,
    .object_keys = 256,
    .array_items = 50000,
    .number_length = 64,
};

// The two fields without which nothing else can be understood. False when reported.
static bool read_head(struct mf_event_report *report, const struct mf_json_node *root,
                      enum mf_event_type *type)
{
    static const char *const names[] = {"schema_version", "event_type"};
    struct mf_str texts[MF_ARRAY_LEN(names)] = {MF_STR_NULL};
    for (size_t i = 0; i < MF_ARRAY_LEN(names); i++) {
        const struct mf_json_node *node = mf_json_get(root, names[i]);
        if (node == NULL)
            mf_event_report_add(report, "missing_field", names[i], "is required");
        else if (mf_json_type(node) != MF_JSON_STRING)
            mf_event_report_add(report, "bad_type", names[i], "must be a string, not %s",
                                mf_json_type_name(mf_json_type(node)));
        else
            texts[i] = mf_json_text(node);
    }
    if (report->count > 0)
        return false;
    // Before the type: another major version may have other types.
    if (!mf_str_starts_with(texts[0], "1."))
        mf_event_report_add(report, "unsupported_version", names[0], "'%.*s' is not a version 1.x",
                            texts[0].len < 40 ? (int)texts[0].len : 40, texts[0].data);
    else if (!mf_event_type_parse(texts[1], type))
        mf_event_report_add(report, "unknown_event_type", names[1],
                            "'%.*s' is none of schema " MF_EVENT_SCHEMA_VERSION,
                            texts[1].len < 40 ? (int)texts[1].len : 40, texts[1].data);
    return report->count == 0;
}

static void check_size(struct mf_event_report *report, enum mf_event_type type, size_t size)
{
    if (type != MF_EVENT_DEAD_LETTER && size > MF_EVENT_SIZE_MAX)
        mf_event_report_add(report, "json_size", "", "the record has %zu bytes, at most %zu are allowed",
                            size, MF_EVENT_SIZE_MAX);
}

// A whole dead letter's size is not in its payload, because it can be told from the bytes.
static void complete_dead_letter(struct mf_event_report *report, struct mf_dead_letter *letter)
{
    if (letter->raw_sha256.data != NULL)
        return;
    if (letter->raw_size != 0)
        mf_event_report_add(report, "missing_field", "raw_sha256", "is required with raw_size");
    size_t padding = 0;
    while (padding < 2 && padding < letter->raw.len && letter->raw.data[letter->raw.len - 1 - padding] == '=')
        padding++;
    size_t whole = letter->raw.len / 4 * 3;
    letter->raw_size = whole > padding ? whole - padding : 0;
}

static void check_event_id(struct mf_event_report *report, struct mf_event *event)
{
    char id[MF_EVENT_ID_SIZE];
    struct mf_error err;
    event->content = mf_event_content_hash(event);
    if (mf_event_id_of(event, event->content, id, &err) != 0)
        mf_event_report_add(report, err.code, "", "%s", err.message);
    else if (!mf_str_eq_c(event->event_id, id))
        mf_event_report_add(report, "event_id_mismatch", "event_id", "the content gives %s", id);
}

static void take_numbers(struct mf_bar *bar)
{
    struct mf_bar_numbers *numbers = &bar->numbers;
    bar->has_numbers = mf_decimal_number_parse(bar->open, &numbers->open) &&
                       mf_decimal_number_parse(bar->high, &numbers->high) &&
                       mf_decimal_number_parse(bar->low, &numbers->low) &&
                       mf_decimal_number_parse(bar->close, &numbers->close) &&
                       mf_decimal_number_parse(bar->volume, &numbers->volume) &&
                       (bar->vwap.data == NULL || mf_decimal_number_parse(bar->vwap, &numbers->vwap));
}

int mf_event_decode_by_table(struct mf_json *json, struct mf_str bytes, struct mf_event *event,
                             struct mf_event_problems *problems, struct mf_error *err)
{
    if (problems != NULL)
        problems->count = 0;
    struct mf_event_report report = {.problems = problems, .err = err};
    struct mf_error json_err;
    const struct mf_json_node *root = NULL;
    enum mf_event_type type = MF_EVENT_TYPE_MAX;
    if (mf_json_parse(json, bytes, &decode_limits, &root, &json_err) != 0) {
        mf_event_report_add(&report, json_err.code, "", "%s", json_err.message);
        return -1;
    }
    if (mf_json_type(root) != MF_JSON_OBJECT) {
        mf_event_report_add(&report, "bad_type", "", "must be an object, not %s",
                            mf_json_type_name(mf_json_type(root)));
        return -1;
    }
    if (!read_head(&report, root, &type))
        return -1;
    check_size(&report, type, bytes.len);
    mf_event_init(event, type);
    uint64_t seen = 0, bad = 0;
    mf_fields_read(&report, mf_event_tables[type]->fields, mf_event_tables[type]->count, root, event, &seen,
                   &bad);
    if (type == MF_EVENT_DEAD_LETTER)
        complete_dead_letter(&report, &event->dead_letter);
    mf_event_check_fields(&report, event, bad);
    if (report.count == 0)
        check_event_id(&report, event);
    if (report.count == 0 && type == MF_EVENT_BAR)
        take_numbers(&event->bar);
    if (report.count == 0 && type == MF_EVENT_OPTION_BAR)
        take_numbers(&event->option_bar.bar);
    return report.count > 0 ? -1 : 0;
}

int mf_event_decode(struct mf_json *json, struct mf_str bytes, struct mf_event *event,
                    struct mf_event_problems *problems, struct mf_error *err)
{
    // Which of the two it cannot be, its first bytes tell.
    if (!mf_event_fast_bar(bytes, event) && !mf_event_fast_metric(bytes, event))
        return mf_event_decode_by_table(json, bytes, event, problems, err);
    if (problems != NULL)
        problems->count = 0;
    return 0;
}
