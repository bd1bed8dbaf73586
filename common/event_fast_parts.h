// SPDX-License-Identifier: Apache-2.0
// Inside of common/event_fast*.c: what records of all types begin with, and how their identity is put
// together. Inline, because a call costs more than most steps. Pure; nothing is owned; the only failure is
// "not this way".
#ifndef MF_EVENT_FAST_PARTS_H
#define MF_EVENT_FAST_PARTS_H

#include "common/event_fast_scan.h"
#include "common/event_table.h"

struct mf_fast_scan {
    const char *end;
    struct mf_scan_day day;
    int32_t event_day; // days since the epoch
    bool made;         // source is processor
    // Texts that the identity needs.
    struct mf_str event_time, interval, adjusted, trade_count;
};

// The next step, or NULL from this function.
#define MF_STEP(step)    \
    do {                 \
        at = (step);     \
        if (at == NULL)  \
            return NULL; \
    } while (false)
#define MF_LITERAL(literal) MF_STEP(MF_SCAN_LITERAL(at, end, literal))

static inline const char *mf_fast_flags(const char *at, const char *end, unsigned *flags)
{
    *flags = 0;
    if (at < end && *at == ']')
        return at + 1;
    for (;;) {
        unsigned index = 0;
        MF_LITERAL("\"");
        MF_STEP(mf_scan_name(at, end, mf_flag_names, &index));
        MF_LITERAL("\"");
        if (*flags >> index != 0) // in order, and each once
            return NULL;
        *flags |= 1u << index;
        if (at < end && *at == ']')
            return at + 1;
        MF_LITERAL(",");
    }
}

static inline const char *mf_fast_provenance(const char *at, const char *end, struct mf_event *event)
{
    unsigned mode = 0;
    MF_LITERAL(",\"provenance\":{\"mode\":\"");
    MF_STEP(mf_scan_name(at, end, mf_mode_names, &mode));
    event->mode = (enum mf_provenance_mode)mode;
    event->request_id = MF_STR_NULL;
    event->page = -1;
    const char *next = MF_SCAN_LITERAL(at, end, "\",\"request_id\":\"");
    if (next != NULL) {
        MF_STEP(mf_scan_text(next, end, &event->request_id));
        if (event->request_id.len > MF_REQUEST_ID_MAX)
            return NULL;
    }
    next = MF_SCAN_LITERAL(at, end, "\",\"page\":");
    if (next != NULL) {
        uint64_t page = 0;
        MF_STEP(mf_scan_whole(next, end, &page));
        event->page = (int64_t)page;
        return MF_SCAN_LITERAL(at, end, "},");
    }
    return MF_SCAN_LITERAL(at, end, "\"},");
}

static inline const char *mf_fast_instrument(const char *at, struct mf_fast_scan *scan,
                                             struct mf_event *event)
{
    const char *end = scan->end;
    unsigned asset_class = 0, source = 0;
    MF_STEP(mf_scan_text(at, end, &event->symbol));
    if (!mf_symbol_is_valid(event->symbol))
        return NULL;
    MF_LITERAL("\",\"asset_class\":\"");
    MF_STEP(mf_scan_name(at, end, mf_asset_class_names, &asset_class));
    event->asset_class = (enum mf_asset_class)asset_class;
    MF_LITERAL("\",\"source\":\"");
    event->source.data = at;
    MF_STEP(mf_scan_name(at, end, mf_source_names, &source));
    event->source.len = (size_t)(at - event->source.data);
    scan->made = mf_event_is_made(event);
    MF_LITERAL("\",\"lane\":\"");
    MF_STEP(mf_scan_text(at, end, &event->lane));
    return mf_lane_is_valid(event->lane) ? at : NULL;
}

// head: the record up to its event_id; the type's own, in canonical form.
#define MF_FAST_HEAD(type)                                                                                 \
    MF_STR("{\"schema_version\":\"" MF_EVENT_SCHEMA_VERSION "\",\"event_type\":\"" type "\",\"event_id\":" \
           "\"")
static inline const char *mf_fast_envelope(const char *at, struct mf_fast_scan *scan, enum mf_event_type type,
                                           struct mf_str head, struct mf_event *event)
{
    const char *end = scan->end;
    event->type = type;
    event->schema_version =
        (struct mf_str){at + sizeof("{\"schema_version\":\"") - 1, sizeof(MF_EVENT_SCHEMA_VERSION) - 1};
    MF_STEP(mf_scan_bytes(at, end, head.data, head.len));
    event->event_id = (struct mf_str){at, MF_EVENT_ID_SIZE - 1};
    if (end - at < MF_EVENT_ID_SIZE)
        return NULL;
    at += MF_EVENT_ID_SIZE - 1;
    MF_LITERAL("\",\"symbol\":\"");
    MF_STEP(mf_fast_instrument(at, scan, event));
    MF_LITERAL("\",\"event_time\":\"");
    scan->event_time = (struct mf_str){at, MF_SCAN_TIME_LEN};
    MF_STEP(mf_scan_time(at, end, &scan->day, &event->event_time_us));
    scan->event_day = scan->day.days;
    MF_LITERAL("\",\"ingest_time\":\"");
    MF_STEP(mf_scan_time(at, end, &scan->day, &event->ingest_time_us));
    MF_LITERAL("\",\"flags\":[");
    MF_STEP(mf_fast_flags(at, end, &event->flags));
    return mf_fast_provenance(at, end, event);
}

// An event_id: lower-case hex digits.
static inline bool mf_fast_is_hex(struct mf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

// ---- identity, as event_identity.c composes it. All lengths have been checked; room is for the longest, and
// for MF_PUT_BLOCK bytes behind it.

enum { MF_PUT_BLOCK = 24, MF_IDENTITY_ROOM = 512 };

// For texts that are long, or at the end of the record.
__attribute__((noinline, cold, unused)) static void mf_fast_put_slowly(char *to, struct mf_str text)
{
    memcpy(to, text.data, text.len);
}

// A copy of fixed size where the record has bytes enough behind the text: a call costs more than the bytes.
static inline char *mf_fast_put(char *to, struct mf_str text, const char *end)
{
    if (text.len <= MF_PUT_BLOCK && end - text.data >= MF_PUT_BLOCK)
        memcpy(to, text.data, MF_PUT_BLOCK);
    else
        mf_fast_put_slowly(to, text);
    return to + text.len;
}

static inline char *mf_fast_put_literal(char *to, const char *literal, size_t len)
{
    memcpy(to, literal, len);
    return to + len;
}
#define MF_PUT_LITERAL(to, literal) mf_fast_put_literal((to), "" literal, sizeof(literal) - 1)

// "6:187.15\n"; the text has fewer than 100 bytes.
static inline char *mf_fast_put_item(char *to, struct mf_str text, const char *end)
{
    if (text.len >= 10)
        *to++ = (char)('0' + text.len / 10);
    *to++ = (char)('0' + text.len % 10);
    *to++ = ':';
    to = mf_fast_put(to, text, end);
    *to++ = '\n';
    return to;
}

// The two texts are put together in functions of their own, which do not know how large the caller's array
// is: where it is known, -D_FORTIFY_SOURCE makes a call of every copy, and they take longer than all of the
// rest. 6 numbers of at most 19 characters and their names; envelope texts of at most 300: see
// MF_IDENTITY_ROOM.
#define MF_APART __attribute__((noinline))

// source "\n" [lane "\n"] symbol "|" time "|" kind "." interval "." adjusted ["." parent] "\n" content hash.
static inline char *mf_fast_put_identity(char *to, const struct mf_fast_scan *scan,
                                         const struct mf_event *event, struct mf_str kind,
                                         struct mf_str parent_source)
{
    const char *end = scan->end;
    to = MF_PUT_LITERAL(mf_fast_put(to, event->source, end), "\n");
    if (scan->made)
        to = MF_PUT_LITERAL(mf_fast_put(to, event->lane, end), "\n");
    to = MF_PUT_LITERAL(mf_fast_put(to, event->symbol, end), "|");
    to = mf_fast_put(to, scan->event_time, end);
    to = mf_fast_put_literal(to, kind.data, kind.len);
    to = MF_PUT_LITERAL(mf_fast_put(to, scan->interval, end), ".");
    to = mf_fast_put(to, scan->adjusted, end);
    if (scan->made)
        to = mf_fast_put(MF_PUT_LITERAL(to, "."), parent_source, end);
    *to++ = '\n';
    mf_hash128_hex(event->content, to);
    return to + MF_EVENT_ID_SIZE - 1;
}

#endif
