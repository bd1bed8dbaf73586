// SPDX-License-Identifier: Apache-2.0
// One log line from one record: JSON (RFC 8259), the same with a syslog priority for the journal, or text for
// people. Pure but for mf_log_format_choose; cannot fail: what does not fit is cut and marked.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/escape.h"
#include "common/log_internal.h"

#define CUT_MARK "…"
#define JSON_END "}\n"
#define JSON_END_CUT ",\"truncated\":true}\n"
// Fields are kept ahead of a long message: they are what dashboards and tests read.
#define FIELDS_MAX 4096
#define NAME_MAX_BYTES 96

// A piece of the line: bytes up to end, and whether anything had to be left out.
struct piece {
    char *data;
    size_t len, end;
    bool cut;
};

static void put(struct piece *p, const char *text, size_t len)
{
    if (len > p->end - p->len) {
        p->cut = true;
        return;
    }
    memcpy(p->data + p->len, text, len);
    p->len += len;
}

static void put_c(struct piece *p, const char *text)
{
    put(p, text, strlen(text));
}

// Escaped text in at most `limit` bytes, the mark included when it is cut.
static void put_escaped(struct piece *p, enum mf_escape how, struct mf_str text, size_t limit)
{
    size_t room = p->end - p->len;
    if (limit > room)
        limit = room;
    size_t used;
    size_t written = mf_escape(how, text, p->data + p->len, limit, &used);
    if (used < text.len) {
        p->cut = true;
        size_t mark = strlen(CUT_MARK);
        if (limit < mark)
            return;
        written = mf_escape(how, text, p->data + p->len, limit - mark, &used);
        memcpy(p->data + p->len + written, CUT_MARK, mark);
        written += mark;
    }
    p->len += written;
}

// ,"key":"value" for the names that are in every line
static void put_json_name(struct piece *p, const char *key, const char *value)
{
    put(p, ",\"", 2);
    put_c(p, key);
    put(p, "\":\"", 3);
    put_escaped(p, MF_ESCAPE_JSON, mf_str_of(value), NAME_MAX_BYTES);
    put(p, "\"", 1);
}

// A number as JSON allows it; JSON has no way to say NaN or infinity.
static size_t number_text(const struct mf_log_field *field, char *text, size_t size)
{
    if (field->type == MF_LOG_FIELD_I64)
        return (size_t)snprintf(text, size, "%lld", (long long)field->i64);
    if (!isfinite(field->f64))
        return (size_t)snprintf(text, size, "null");
    size_t len = (size_t)snprintf(text, size, "%.9g", field->f64);
    // A library may have set a locale whose point is a comma.
    char *comma = memchr(text, ',', len);
    if (comma != NULL)
        *comma = '.';
    return len;
}

// One field whole, or cut with its mark, or not at all: half a key would break the line.
static void put_json_field(struct piece *p, const struct mf_log_field *field)
{
    char number[40];
    size_t number_len = field->type != MF_LOG_FIELD_STR ? number_text(field, number, sizeof number) : 0;
    size_t fixed = strlen(field->key) + 4; // ,"":
    size_t need = fixed + (number_len > 0 ? number_len : 2 + strlen(CUT_MARK));
    if (need > p->end - p->len) {
        p->cut = true;
        return;
    }
    put(p, ",\"", 2);
    put_c(p, field->key);
    put(p, "\":", 2);
    if (number_len > 0) {
        put(p, number, number_len);
        return;
    }
    put(p, "\"", 1);
    put_escaped(p, MF_ESCAPE_JSON, field->str, p->end - p->len - 1);
    put(p, "\"", 1);
}

// The field is left out when its string is absent.
static bool is_absent(const struct mf_log_field *field)
{
    return field->type == MF_LOG_FIELD_STR && field->str.data == NULL;
}

static void format_json(const struct mf_log_identity *identity, const struct mf_log_record *record,
                        struct piece *p)
{
    static const int priorities[] = {7, 6, 5, 4, 3, 2}; // syslog(3), by level
    char fields[FIELDS_MAX];
    struct piece f = {.data = fields, .end = sizeof fields};
    for (size_t i = 0; i < record->field_count; i++) {
        if (!is_absent(&record->fields[i]))
            put_json_field(&f, &record->fields[i]);
    }
    p->end = MF_LOG_LINE_MAX - strlen(JSON_END_CUT);
    char time[MF_TIME_TEXT_SIZE] = "";
    if (identity->format == MF_LOG_FORMAT_JOURNAL) {
        char priority[8];
        snprintf(priority, sizeof priority, "<%d>", priorities[record->level]);
        put_c(p, priority);
    }
    put_c(p, "{\"ts\":\"");
    put_c(p, mf_time_format_us(record->time_us, time));
    put_c(p, "\",\"level\":\"");
    put_c(p, mf_log_level_name(record->level));
    put_c(p, "\"");
    put_json_name(p, "service", identity->service);
    put_json_name(p, "instance", identity->instance);
    put_json_name(p, "version", identity->version);
    put_json_name(p, "module", record->module);
    put_json_name(p, "event", record->event);
    put_c(p, ",\"msg\":\"");
    put_escaped(p, MF_ESCAPE_JSON, record->message, p->end - p->len - f.len - 1);
    put_c(p, "\"");
    put(p, fields, f.len);
    const char *end = p->cut || f.cut ? JSON_END_CUT : JSON_END;
    p->end = MF_LOG_LINE_MAX;
    put_c(p, end);
}

static void put_text_field(struct piece *p, const struct mf_log_field *field)
{
    char number[40];
    size_t number_len = field->type != MF_LOG_FIELD_STR ? number_text(field, number, sizeof number) : 0;
    size_t need = strlen(field->key) + 2 + (number_len > 0 ? number_len : 2 + strlen(CUT_MARK));
    if (need > p->end - p->len) {
        p->cut = true;
        return;
    }
    put(p, " ", 1);
    put_c(p, field->key);
    put(p, "=", 1);
    if (number_len > 0) {
        put(p, number, number_len);
        return;
    }
    bool quoted = field->str.len == 0 || memchr(field->str.data, ' ', field->str.len) != NULL;
    if (quoted)
        put(p, "\"", 1);
    put_escaped(p, MF_ESCAPE_TEXT, field->str, p->end - p->len - 1);
    if (quoted)
        put(p, "\"", 1);
}

static void format_text(const struct mf_log_record *record, struct piece *p)
{
    char fields[FIELDS_MAX];
    struct piece f = {.data = fields, .end = sizeof fields};
    for (size_t i = 0; i < record->field_count; i++) {
        if (!is_absent(&record->fields[i]))
            put_text_field(&f, &record->fields[i]);
    }
    p->end = MF_LOG_LINE_MAX - strlen(" " CUT_MARK "\n");
    char time[MF_TIME_TEXT_SIZE] = "";
    char head[64];
    snprintf(head, sizeof head, "%s %-8s ", mf_time_format_us(record->time_us, time),
             mf_log_level_name(record->level));
    put_c(p, head);
    put_escaped(p, MF_ESCAPE_TEXT, mf_str_of(record->module), NAME_MAX_BYTES);
    put_c(p, " ");
    put_escaped(p, MF_ESCAPE_TEXT, mf_str_of(record->event), NAME_MAX_BYTES);
    put_c(p, ": ");
    put_escaped(p, MF_ESCAPE_TEXT, record->message, p->end - p->len - f.len);
    put(p, fields, f.len);
    p->end = MF_LOG_LINE_MAX;
    if (f.cut)
        put_c(p, " " CUT_MARK);
    put_c(p, "\n");
}

size_t mf_log_format_line(const struct mf_log_identity *identity, const struct mf_log_record *record,
                          char line[MF_LOG_LINE_MAX]) // NOLINT(readability-non-const-parameter): by the piece
{
    struct piece p = {.data = line, .end = MF_LOG_LINE_MAX};
    if (identity->format == MF_LOG_FORMAT_TEXT)
        format_text(record, &p);
    else
        format_json(identity, record, &p);
    return p.len;
}

// $JOURNAL_STREAM is "device:inode" of the stream that the service manager connected (systemd.exec(5)). That
// it is set proves nothing: a child may have sent its stderr elsewhere.
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(fd, &status) != 0)
        return false;
    char own[64];
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(stream, own) == 0;
}

enum mf_log_format mf_log_format_choose(enum mf_log_format wanted, int fd)
{
    if (wanted != MF_LOG_FORMAT_AUTO)
        return wanted;
    if (is_journal(fd))
        return MF_LOG_FORMAT_JOURNAL;
    return isatty(fd) ? MF_LOG_FORMAT_TEXT : MF_LOG_FORMAT_JSON;
}
