// SPDX-License-Identifier: Apache-2.0
// The walks over a table of fields: clear, read, check, emit; and the report that collects what is wrong.
// Pure; every problem has class POISON.
#include "common/escape.h"
#include "common/event_table.h"

#include <stdio.h>

void mf_event_report_add(struct mf_event_report *report, const char *code, const char *name, const char *fmt,
                         ...)
{
    char field[sizeof((struct mf_event_problem *)NULL)->field];
    char message[sizeof((struct mf_event_problem *)NULL)->message];
    char text[256];
    (void)snprintf(field, sizeof field, "%s%s", report->prefix != NULL ? report->prefix : "", name);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    // A message may quote the record, cut anywhere. It becomes the detail of a dead letter, so it must be
    // UTF-8.
    size_t used = 0;
    message[mf_escape(MF_ESCAPE_TEXT, mf_str_of(text), message, sizeof message - 1, &used)] = '\0';
    if (report->count == 0 || report->lacks_id) {
        // Who writes an event by hand leaves its id out, and wants to hear what else is wrong.
        report->lacks_id = strcmp(code, "missing_field") == 0 && strcmp(field, "event_id") == 0;
        (void)mf_error_set(report->err, MF_ERROR_POISON, code, "%s%s%s", field, field[0] != '\0' ? ": " : "",
                           message);
    }
    report->count++;
    if (report->problems == NULL)
        return;
    if (report->problems->count < MF_EVENT_PROBLEMS_MAX) {
        struct mf_event_problem *problem = &report->problems->items[report->problems->count];
        (void)snprintf(problem->code, sizeof problem->code, "%s", code);
        (void)snprintf(problem->field, sizeof problem->field, "%s", field);
        (void)snprintf(problem->message, sizeof problem->message, "%s", message);
    }
    report->problems->count++;
}

char *mf_names_join(const char *const *names, char *out, size_t out_size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; names[i] != NULL && len < out_size; i++) {
        const char *glue = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";
        int written = snprintf(out + len, out_size - len, "%s%s", glue, names[i]);
        len += written > 0 ? (size_t)written : 0;
    }
    return out;
}

void mf_fields_clear(const struct mf_event_field *fields, size_t count, void *base)
{
    for (size_t i = 0; i < count; i++)
        fields[i].kind->clear(&fields[i], base);
}

// The row of a member's name, looked for from `hint` on, because members usually come in canonical order.
static size_t find_row(const struct mf_event_field *fields, size_t count, size_t hint, struct mf_str name)
{
    for (size_t tried = 0; tried < count; tried++) {
        size_t row = hint + tried < count ? hint + tried : hint + tried - count;
        if (mf_str_eq(name, mf_field_name(&fields[row])))
            return row;
    }
    return count;
}

void mf_fields_read(struct mf_event_report *report, const struct mf_event_field *fields, size_t count,
                    const struct mf_json_node *object, void *base, uint64_t *seen, uint64_t *bad)
{
    assert(count <= MF_EVENT_FIELDS_MAX);
    *seen = *bad = 0;
    size_t hint = 0;
    for (const struct mf_json_node *node = mf_json_first(object); node != NULL; node = mf_json_next(node)) {
        size_t row = find_row(fields, count, hint, mf_json_key(node));
        if (row >= count) // unknown: a later minor version's
            continue;
        hint = row + 1 < count ? row + 1 : 0;
        *seen |= UINT64_C(1) << row;
        if (!fields[row].kind->read(report, &fields[row], node, base))
            *bad |= UINT64_C(1) << row;
    }
    for (size_t row = 0; row < count; row++) {
        if ((fields[row].rules & MF_FIELD_REQUIRED) == 0 || (*seen >> row & 1) != 0)
            continue;
        mf_event_report_add(report, "missing_field", fields[row].name, "is required");
        *bad |= UINT64_C(1) << row;
    }
}

void mf_fields_check(struct mf_event_report *report, const struct mf_event_field *fields, size_t count,
                     const void *base, bool made, uint64_t skip)
{
    for (size_t row = 0; row < count; row++) {
        const struct mf_event_field *field = &fields[row];
        if ((skip >> row & 1) != 0)
            continue;
        unsigned owner = field->rules & (MF_FIELD_MADE | MF_FIELD_FED);
        bool owned = owner == (made ? (unsigned)MF_FIELD_MADE : (unsigned)MF_FIELD_FED);
        if (!field->kind->present(field, base)) {
            if ((field->rules & MF_FIELD_REQUIRED) != 0 || owned)
                mf_event_report_add(report, "missing_field", field->name, "is required%s",
                                    owner == 0 ? ""
                                    : made     ? " from the processor"
                                               : " from a feed");
        } else if (owner != 0 && !owned) {
            mf_event_report_add(report, "bad_value", field->name, "has no place in an event %s",
                                made ? "of the processor" : "of a feed");
        } else {
            field->kind->check(report, field, base);
        }
    }
}

void mf_fields_emit(struct mf_event_output *out, const struct mf_event_field *fields, size_t count,
                    const void *base)
{
    for (size_t row = 0; row < count; row++) {
        const struct mf_event_field *field = &fields[row];
        bool content = (field->rules & MF_FIELD_CONTENT) != 0;
        if ((out->json == NULL && !content) || !field->kind->present(field, base))
            continue;
        struct mf_event_output to = *out;
        if (!content)
            to.hash = NULL;
        if (to.json != NULL)
            mf_jw_plain_key(to.json, mf_field_name(field));
        field->kind->emit(&to, field, base);
        out->event_id_at = to.event_id_at;
    }
}

void mf_event_hash_item(struct mf_event_output *out, struct mf_str name, struct mf_str value)
{
    if (out->hash == NULL)
        return;
    size_t prefix_len = out->prefix != NULL ? strlen(out->prefix) : 0;
    char *head = mf_hash_text_room(out->hash, prefix_len + name.len + 2 + MF_INTEGER_TEXT_SIZE);
    if (prefix_len > 0)
        memcpy(head, out->prefix, prefix_len);
    memcpy(head + prefix_len, name.data, name.len);
    size_t len = prefix_len + name.len;
    head[len++] = '=';
    len += mf_u64_text(value.len, head + len);
    head[len++] = ':';
    out->hash->len += len;
    mf_hash_text_add(out->hash, value);
    mf_hash_text_add(out->hash, MF_STR("\n"));
}
