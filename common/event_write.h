// SPDX-License-Identifier: Apache-2.0
// Inside of common/event*.c: writers of the types of which there are millions. The tables of event_table.h
// say what an event is; a writer gives the same bytes and the same event_id as they do, in one pass without a
// step per rule, and takes only events of which it can tell at once that they are well formed. Every other
// one, whole or broken, is left to the tables. Pure; nothing is allocated but the buffer's growth.
#ifndef MF_EVENT_WRITE_H
#define MF_EVENT_WRITE_H

#include "decimal_digits.h"
#include "event_table.h"

// Appends the event as mf_event_encode would. False, out as it was, when that is for the tables to do.
bool mf_event_write(const struct mf_event *event, struct mf_buf *out);
// mf_event_encode by the tables alone: the reference for the writers, in tests and benchmarks.
int mf_event_encode_by_table(const struct mf_event *event, struct mf_buf *out, struct mf_error *err);

// ---- Between the files of the writers. Nothing asks for room: no event that a writer takes is longer than
// this, with what is touched behind its end.
#define MF_WRITE_ROOM ((size_t)6144)
#define MF_WRITE_CONTENT_ROOM ((size_t)4096)

struct mf_event_writer {
    char *at;         // next byte of the event
    char *content_at; // next byte of what the content hash is made of
    int64_t day;      // UTC day of `date`; INT64_MIN = none yet
    char date[16];    // "2024-01-02T": the times of an event nearly always share it
    bool made;        // by the processor: mf_event_is_made
};

// Checks and writes what follows the envelope, without the closing brace. False, with anything written, when
// the event is for the tables.
bool mf_write_metric(struct mf_event_writer *w, const struct mf_event *event);
bool mf_write_bar(struct mf_event_writer *w, const struct mf_event *event);
bool mf_write_alert(struct mf_event_writer *w, const struct mf_event *event);
// What is known of the symbol: part of the payload, not of the content.
bool mf_write_metadata_ok(struct mf_str name, struct mf_str exchange, struct mf_str type);
void mf_write_metadata(struct mf_event_writer *w, struct mf_str name, struct mf_str exchange,
                       struct mf_str type);

// Is it text that needs no escape and no look at its encoding: absent, or at most max bytes of printable
// ASCII but for the quote and the backslash?
bool mf_write_plain_ok(struct mf_str text, size_t max);
bool mf_write_hex_ok(struct mf_str text); // 32 lower-case hex digits
bool mf_write_time_ok(int64_t time_us);
void mf_write_time(struct mf_event_writer *w, int64_t time_us); // 24 bytes

// Texts are short: up to 32 bytes by two copies that may overlap, without a call.
static inline char *mf_write_at(char *at, struct mf_str text)
{
    const char *from = text.data;
    size_t len = text.len;
    if (__builtin_constant_p(len) || len > 32) {
        memcpy(at, from, len);
    } else if (len >= 16) {
        memcpy(at, from, 16);
        memcpy(at + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(at, from, 8);
        memcpy(at + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(at, from, 4);
        memcpy(at + len - 4, from + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            at[i] = from[i];
    }
    return at + len;
}

static inline void mf_write(struct mf_event_writer *w, struct mf_str text)
{
    w->at = mf_write_at(w->at, text);
}

// A whole number from 0 on.
static inline void mf_write_count(struct mf_event_writer *w, int64_t value)
{
    w->at += mf_digits_put(w->at, (uint64_t)value);
}

static inline void mf_write_name(struct mf_event_writer *w, const char *const *names, unsigned index)
{
    char *at = w->at;
    for (const char *name = names[index]; *name != '\0'; name++)
        *at++ = *name;
    w->at = at;
}

// An item of the content, as mf_event_hash_item adds it: name "=" length ":" value "\n".
static inline void mf_write_content(struct mf_event_writer *w, struct mf_str name, struct mf_str value)
{
    char *at = mf_write_at(w->content_at, name);
    *at++ = '=';
    at += mf_digits_put_few(at, (uint32_t)value.len);
    *at++ = ':';
    at = mf_write_at(at, value);
    *at++ = '\n';
    w->content_at = at;
}

#endif
