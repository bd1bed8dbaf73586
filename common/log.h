// SPDX-License-Identifier: Apache-2.0
// Structured log: one line per record on a descriptor, JSON or text; never blocks, never exceeds 8 KiB a
// line, limits repeats. JSON fields: ts (RFC 3339, UTC, µs), level, service, instance, version, module, event
// (a stable snake_case id), msg, then the fields of the call, and "truncated":true when something was cut.
// Control characters are escaped, and so are bytes that are not UTF-8 (as \xHH). A line that cannot be
// written at once (full pipe, full disk) is dropped and counted; the service goes on, and says how many were
// dropped once it can. Ownership: mf_log_new/mf_log_free; the strings given to a call are copied into the
// line before it returns. errno is left as it was. The process ignores SIGPIPE and SIGXFSZ. For URLs use
// mf_url_redact (url.h) first.
#ifndef MF_LOG_H
#define MF_LOG_H

#include "error.h"

struct mf_log;

enum mf_log_level {
    MF_LOG_DEBUG,
    MF_LOG_INFO,
    MF_LOG_NOTICE,
    MF_LOG_WARNING,
    MF_LOG_ERROR,
    MF_LOG_CRITICAL,
    MF_LOG_LEVEL_MAX
};

enum mf_log_format {
    MF_LOG_FORMAT_AUTO, // journal prefix when stderr is the journal, text on a terminal, else JSON
    MF_LOG_FORMAT_JSON,
    MF_LOG_FORMAT_TEXT,
    MF_LOG_FORMAT_JOURNAL, // JSON with a "<N>" syslog priority prefix
    MF_LOG_FORMAT_MAX
};

#define MF_LOG_LINE_MAX 8192 // bytes, newline included

struct mf_log_config {
    int fd;                  // borrowed, usually 2; never waited for, its flags never changed (log_sink.c)
    enum mf_log_level level; // records below it are not formatted at all
    enum mf_log_format format;
    const char *service;
    const char *instance;
    const char *version;
    // Repeats of one event id per level: at most `burst` lines in `window_ms`; the rest are counted and a
    // "suppressed N" line follows when the window ends. 0 = unlimited.
    unsigned burst;
    int64_t window_ms;
};

struct mf_log *mf_log_new(const struct mf_log_config *config);
void mf_log_free(struct mf_log **log);
void mf_log_set_level(struct mf_log *log, enum mf_log_level level);

// Optional typed fields. Keys are literals; a NULL string value leaves the field out.
struct mf_log_field {
    const char *key;
    enum { MF_LOG_FIELD_STR, MF_LOG_FIELD_I64, MF_LOG_FIELD_F64 } type;
    struct mf_str str;
    int64_t i64;
    double f64;
};
struct mf_log_field mf_lf_str(const char *key, const char *value);
struct mf_log_field mf_lf_view(const char *key, struct mf_str value);
struct mf_log_field mf_lf_i64(const char *key, int64_t value);
struct mf_log_field mf_lf_f64(const char *key, double value);

// event: stable snake_case id; module: "kafka", "http", … The log may be NULL (nothing is written).
void mf_log_write(struct mf_log *log, enum mf_log_level level, const char *module, const char *event,
                  const struct mf_log_field *fields, size_t field_count, const char *fmt, ...)
    MF_PRINTF(7, 8);

// MF_LOG(log, MF_LOG_INFO, "kafka", "assigned", "%zu partitions", n);
#define MF_LOG(log, level, module, event, ...) \
    mf_log_write((log), (level), (module), (event), NULL, 0, __VA_ARGS__)
// MF_LOGF(log, MF_LOG_INFO, "kafka", "assigned", MF_FIELDS(mf_lf_str("topic", t), mf_lf_i64("partition", p)),
// "…");
#define MF_FIELDS(...)                          \
    (const struct mf_log_field[]){__VA_ARGS__}, \
        sizeof((const struct mf_log_field[]){__VA_ARGS__}) / sizeof(struct mf_log_field)
#define MF_LOGF(log, level, module, event, ...) mf_log_write((log), (level), (module), (event), __VA_ARGS__)

// The error as fields error_class, error_code and error (its message), with a sentence of what was being
// done.
void mf_log_error(struct mf_log *log, enum mf_log_level level, const char *module, const char *event,
                  const struct mf_error *err, const char *doing);

// Forms a line now that a signal handler can write later, when forming it would not be safe. Its time is that
// of this call. Returns its length. The log may be NULL: plain text then.
size_t mf_log_prepare(const struct mf_log *log, enum mf_log_level level, const char *module,
                      const char *event, const char *message, char line[MF_LOG_LINE_MAX]);

// Call once a second or so: writes pending "suppressed N" lines whose window is over, and how many lines were
// dropped since the last such report.
void mf_log_tick(struct mf_log *log);

struct mf_log_counts {
    uint64_t written[MF_LOG_LEVEL_MAX];
    uint64_t suppressed[MF_LOG_LEVEL_MAX]; // by the repeat limit
    uint64_t dropped;                      // could not be written: full pipe, full disk
};
struct mf_log_counts mf_log_counts(const struct mf_log *log);

bool mf_log_level_parse(const char *text, enum mf_log_level *level);
const char *mf_log_level_name(enum mf_log_level level);

#endif
