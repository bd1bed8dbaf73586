// SPDX-License-Identifier: Apache-2.0
// The log: levels, the limit on repeats, counts. A log that cannot write goes on and counts; nothing here
// fails.
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log_internal.h"

// Event ids are constants of ours: a few hundred at most. Beyond the table, ids share one limit per level.
enum { SLOT_COUNT = 512, SLOTS_USED_MAX = 384, SLOT_NAME = 48 };

// The repeat limit of one event id at one level.
struct slot {
    char event[SLOT_NAME]; // "" = free
    enum mf_log_level level;
    int64_t window_start_us; // monotonic
    unsigned lines;          // in this window
    uint64_t suppressed;     // in this window
};

struct mf_log {
    struct mf_log_identity identity;
    struct mf_log_sink sink;
    enum mf_log_level level;
    unsigned burst;
    int64_t window_us;
    struct mf_log_counts counts;
    uint64_t dropped_reported;
    size_t slots_used;
    struct slot slots[SLOT_COUNT];
    struct slot others[MF_LOG_LEVEL_MAX];
};

static const char *const level_names[MF_LOG_LEVEL_MAX] = {
    [MF_LOG_DEBUG] = "debug",     [MF_LOG_INFO] = "info",   [MF_LOG_NOTICE] = "notice",
    [MF_LOG_WARNING] = "warning", [MF_LOG_ERROR] = "error", [MF_LOG_CRITICAL] = "critical",
};

const char *mf_log_level_name(enum mf_log_level level)
{
    assert((unsigned)level < MF_LOG_LEVEL_MAX);
    return level_names[level];
}

bool mf_log_level_parse(const char *text, enum mf_log_level *level)
{
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum mf_log_level)i;
            return true;
        }
    }
    return false;
}

// A name that is too long is cut rather than refused: a log must come up.
static void take_name(char *dst, size_t size, const char *name)
{
    snprintf(dst, size, "%s", name != NULL ? name : "");
}

struct mf_log *mf_log_new(const struct mf_log_config *config)
{
    struct mf_log *log = mf_calloc(1, sizeof *log);
    log->level = config->level;
    log->burst = config->burst;
    log->window_us = config->window_ms * MF_US_PER_MS;
    // Chosen on the given descriptor: one opened again is another terminal or pipe to the kernel.
    log->identity.format = mf_log_format_choose(config->format, config->fd);
    take_name(log->identity.service, sizeof log->identity.service, config->service);
    take_name(log->identity.instance, sizeof log->identity.instance, config->instance);
    take_name(log->identity.version, sizeof log->identity.version, config->version);
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++) {
        take_name(log->others[i].event, SLOT_NAME, "other_events");
        log->others[i].level = (enum mf_log_level)i;
    }
    mf_log_sink_open(&log->sink, config->fd);
    return log;
}

void mf_log_set_level(struct mf_log *log, enum mf_log_level level)
{
    log->level = level;
}

// True when the line was taken.
static bool emit(struct mf_log *log, const struct mf_log_record *record)
{
    char line[MF_LOG_LINE_MAX];
    size_t len = mf_log_format_line(&log->identity, record, line);
    if (!mf_log_sink_write(&log->sink, line, len))
        return false;
    log->counts.written[record->level]++;
    return true;
}

// A line of the log about itself; it is subject to no limit.
MF_PRINTF(6, 7)
static bool emit_own(struct mf_log *log, enum mf_log_level level, const char *event,
                     const struct mf_log_field *fields, size_t field_count, const char *fmt, ...)
{
    char message[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct mf_log_record record = {mf_clock_real_us(), level,  "log",      event,
                                   mf_str_of(message), fields, field_count};
    return emit(log, &record);
}

// Ends the window of a slot, saying what it held back: a line that is missing must leave a trace.
static void end_window(struct mf_log *log, struct slot *slot)
{
    uint64_t held = slot->suppressed;
    slot->lines = 0;
    slot->suppressed = 0;
    if (held == 0)
        return;
    const struct mf_log_field fields[] = {mf_lf_str("suppressed_event", slot->event),
                                          mf_lf_i64("suppressed", (int64_t)held)};
    if (!emit_own(log, slot->level, "suppressed", fields, MF_ARRAY_LEN(fields),
                  "%llu more lines of %s suppressed", (unsigned long long)held, slot->event))
        log->counts.dropped++;
}

// The slot of an event id at a level, made when it is new. Open addressing; nothing is ever removed, because
// ids are constants of the program.
static struct slot *find_slot(struct mf_log *log, enum mf_log_level level, const char *event)
{
    char name[SLOT_NAME];
    take_name(name, sizeof name, event);
    size_t at = (mf_hash64(name, strlen(name)) + (unsigned)level) % SLOT_COUNT;
    while (log->slots[at].event[0] != '\0') {
        if (log->slots[at].level == level && strcmp(log->slots[at].event, name) == 0)
            return &log->slots[at];
        at = (at + 1) % SLOT_COUNT;
    }
    if (log->slots_used == SLOTS_USED_MAX || name[0] == '\0')
        return &log->others[level];
    log->slots_used++;
    memcpy(log->slots[at].event, name, sizeof name);
    log->slots[at].level = level;
    return &log->slots[at];
}

// Counts a line against its limit. The window begins with its first line rather than on a fixed grid, so that
// a burst cannot straddle two windows.
static bool is_held_back(struct mf_log *log, enum mf_log_level level, const char *event)
{
    if (log->burst == 0)
        return false;
    struct slot *slot = find_slot(log, level, event);
    int64_t now = mf_clock_monotonic_us();
    if (slot->lines > 0 && now - slot->window_start_us >= log->window_us)
        end_window(log, slot);
    if (slot->lines == 0)
        slot->window_start_us = now;
    if (slot->lines < log->burst) {
        slot->lines++;
        return false;
    }
    slot->suppressed++;
    log->counts.suppressed[level]++;
    return true;
}

// Asked before anything is formatted: debug lines cost a comparison when they are off.
static bool is_wanted(const struct mf_log *log, enum mf_log_level level)
{
    assert((unsigned)level < MF_LOG_LEVEL_MAX);
    return log != NULL && level >= log->level;
}

static void write_message(struct mf_log *log, enum mf_log_level level, const char *module, const char *event,
                          const struct mf_log_field *fields, size_t field_count, struct mf_str message)
{
    if (is_held_back(log, level, event))
        return;
    struct mf_log_record record = {mf_clock_real_us(), level, module, event, message, fields, field_count};
    if (!emit(log, &record))
        log->counts.dropped++;
}

void mf_log_write(struct mf_log *log, enum mf_log_level level, const char *module, const char *event,
                  const struct mf_log_field *fields, size_t field_count, const char *fmt, ...)
{
    if (!is_wanted(log, level))
        return;
    int saved = errno;
    char message[MF_LOG_LINE_MAX]; // a longer one could not be shown whole anyway
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    struct mf_str text = len < 0 ? MF_STR("(unprintable message)") : mf_str_of(message);
    write_message(log, level, module, event, fields, field_count, text);
    errno = saved;
}

void mf_log_error(struct mf_log *log, enum mf_log_level level, const char *module, const char *event,
                  const struct mf_error *err, const char *doing)
{
    if (!is_wanted(log, level))
        return;
    int saved = errno;
    const struct mf_log_field fields[] = {mf_lf_str("error_class", mf_error_class_name(err->class)),
                                          mf_lf_str("error_code", err->code),
                                          mf_lf_str("error", err->message)};
    write_message(log, level, module, event, fields, MF_ARRAY_LEN(fields), mf_str_of(doing));
    errno = saved;
}

size_t mf_log_prepare(const struct mf_log *log, enum mf_log_level level, const char *module,
                      const char *event, const char *message, char line[MF_LOG_LINE_MAX])
{
    static const struct mf_log_identity plain = {.format = MF_LOG_FORMAT_TEXT};
    struct mf_log_record record = {mf_clock_real_us(), level, module, event, mf_str_of(message), NULL, 0};
    return mf_log_format_line(log != NULL ? &log->identity : &plain, &record, line);
}

// Says once how many lines were lost, when lines can be written again.
static void report_dropped(struct mf_log *log)
{
    uint64_t lost = log->counts.dropped - log->dropped_reported;
    if (lost == 0 || !mf_log_sink_flush(&log->sink))
        return;
    const struct mf_log_field fields[] = {mf_lf_i64("dropped", (int64_t)lost)};
    if (emit_own(log, MF_LOG_WARNING, "log_dropped", fields, MF_ARRAY_LEN(fields),
                 "%llu log lines could not be written", (unsigned long long)lost))
        log->dropped_reported += lost;
}

void mf_log_tick(struct mf_log *log)
{
    if (log == NULL)
        return;
    int saved = errno;
    int64_t now = mf_clock_monotonic_us();
    for (size_t i = 0; i < SLOT_COUNT + MF_LOG_LEVEL_MAX; i++) {
        struct slot *slot = i < SLOT_COUNT ? &log->slots[i] : &log->others[i - SLOT_COUNT];
        if (slot->suppressed > 0 && now - slot->window_start_us >= log->window_us)
            end_window(log, slot);
    }
    mf_log_sink_flush(&log->sink);
    report_dropped(log);
    errno = saved;
}

void mf_log_free(struct mf_log **log)
{
    if (*log == NULL)
        return;
    for (size_t i = 0; i < SLOT_COUNT; i++)
        end_window(*log, &(*log)->slots[i]);
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++)
        end_window(*log, &(*log)->others[i]);
    report_dropped(*log);
    mf_log_sink_close(&(*log)->sink);
    free(*log);
    *log = NULL;
}

struct mf_log_counts mf_log_counts(const struct mf_log *log)
{
    return log->counts;
}

struct mf_log_field mf_lf_str(const char *key, const char *value)
{
    return mf_lf_view(key, mf_str_of(value));
}

struct mf_log_field mf_lf_view(const char *key, struct mf_str value)
{
    return (struct mf_log_field){.key = key, .type = MF_LOG_FIELD_STR, .str = value};
}

struct mf_log_field mf_lf_i64(const char *key, int64_t value)
{
    return (struct mf_log_field){.key = key, .type = MF_LOG_FIELD_I64, .i64 = value};
}

struct mf_log_field mf_lf_f64(const char *key, double value)
{
    return (struct mf_log_field){.key = key, .type = MF_LOG_FIELD_F64, .f64 = value};
}
