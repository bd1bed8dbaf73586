// SPDX-License-Identifier: Apache-2.0
// The writers' common part: which events are taken, the envelope, the identity. Pure.
#include "common/event_write.h"

#define NAME_MAX_FAST 256 // longer names of symbols are the tables' business
// Source, lane, dedupe key (an alert's article_id is the longest part of one), content hash, and what is
// touched behind the end.
#define IDENTITY_ROOM ((size_t)768)

// Bytes from 0x20 to 0x7e but for the quote and the backslash, eight at a time: a byte below n borrows when n
// is taken away from it, one equal to c is below 1 after an exclusive or with c, and whatever a borrow marks
// by mistake lies above a byte that is marked rightly. Bytes above 0x7e have the top bit, now or after adding
// 1.
static bool word_is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t marked = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word | (word + ones);
    return (marked & ones * 0x80) == 0;
}

bool mf_write_plain_ok(struct mf_str text, size_t max)
{
    if (text.len > max)
        return false;
    size_t at = 0;
    uint64_t word;
    for (; text.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if (!word_is_plain(word))
            return false;
    }
    for (; at < text.len; at++) {
        unsigned char c = (unsigned char)text.data[at];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            return false;
    }
    return true;
}

// For bytes below 0x80: the top bit of each that is at least n.
static uint64_t at_least(uint64_t word, unsigned n)
{
    return word + UINT64_C(0x0101010101010101) * (0x80 - n);
}

bool mf_write_hex_ok(struct mf_str text)
{
    if (text.len != MF_EVENT_ID_SIZE - 1)
        return false;
    uint64_t good = ~UINT64_C(0);
    for (size_t at = 0; at < text.len; at += sizeof good) {
        uint64_t word;
        memcpy(&word, text.data + at, sizeof word);
        uint64_t low = word & UINT64_C(0x7f7f7f7f7f7f7f7f);
        uint64_t digit = at_least(low, '0') & ~at_least(low, '9' + 1);
        uint64_t letter = at_least(low, 'a') & ~at_least(low, 'f' + 1);
        good &= (digit | letter) & ~word;
    }
    return (good & UINT64_C(0x8080808080808080)) == UINT64_C(0x8080808080808080);
}

// Whole milliseconds from 1970 to 9999; the tables know what came before.
bool mf_write_time_ok(int64_t time_us)
{
    return time_us >= 0 && time_us < INT64_C(253402300800) * MF_US_PER_SECOND && time_us % MF_US_PER_MS == 0;
}

void mf_write_time(struct mf_event_writer *w, int64_t time_us)
{
    int64_t day = time_us / MF_US_PER_DAY;
    if (day != w->day) {
        w->day = day;
        mf_date_format(mf_date_from_days((int32_t)day), w->date);
        w->date[10] = 'T';
    }
    uint32_t ms = (uint32_t)((time_us - day * MF_US_PER_DAY) / MF_US_PER_MS);
    uint32_t second = ms / 1000, minute = second / 60, hour = minute / 60;
    ms %= 1000;
    // HHMMSSmm
    char digits[8];
    mf_digits_store(digits, mf_digits_of(hour * 1000000 + minute % 60 * 10000 + second % 60 * 100 + ms / 10) |
                                MF_DIGITS_ZEROS);
    memcpy(w->at, w->date, sizeof w->date);
    char *at = w->at + 11;
    memcpy(at, digits, 2);
    at[2] = ':';
    memcpy(at + 3, digits + 2, 2);
    at[5] = ':';
    memcpy(at + 6, digits + 4, 2);
    at[8] = '.';
    memcpy(at + 9, digits + 6, 2);
    at[11] = (char)('0' + ms % 10);
    at[12] = 'Z';
    w->at += 24;
}

static void write_metadata(struct mf_event_writer *w, struct mf_str member, struct mf_str value)
{
    if (value.data == NULL)
        return;
    mf_write(w, member);
    mf_write(w, value);
    mf_write(w, MF_STR("\""));
}

bool mf_write_metadata_ok(struct mf_str name, struct mf_str exchange, struct mf_str type)
{
    return mf_write_plain_ok(name, NAME_MAX_FAST) && mf_write_plain_ok(exchange, 64) &&
           mf_write_plain_ok(type, 64);
}

void mf_write_metadata(struct mf_event_writer *w, struct mf_str name, struct mf_str exchange,
                       struct mf_str type)
{
    write_metadata(w, MF_STR(",\"symbol_name\":\""), name);
    write_metadata(w, MF_STR(",\"exchange\":\""), exchange);
    write_metadata(w, MF_STR(",\"symbol_type\":\""), type);
}

static bool envelope_ok(const struct mf_event *event)
{
    return event->schema_version.data == NULL && mf_symbol_is_valid(event->symbol) &&
           (unsigned)event->asset_class < MF_ASSET_CLASS_MAX && mf_source_is_known(event->source) &&
           mf_lane_is_valid(event->lane) && mf_write_time_ok(event->event_time_us) &&
           mf_write_time_ok(event->ingest_time_us) && (event->flags & ~(unsigned)MF_FLAG_ALL) == 0 &&
           (unsigned)event->mode < MF_MODE_MAX && mf_write_plain_ok(event->request_id, 128) &&
           event->page >= -1;
}

static void write_flags(struct mf_event_writer *w, unsigned flags)
{
    bool first = true;
    mf_write(w, MF_STR(",\"flags\":["));
    for (unsigned i = 0; flags >> i != 0; i++) {
        if ((flags >> i & 1) == 0)
            continue;
        mf_write(w, first ? MF_STR("\"") : MF_STR(",\""));
        mf_write_name(w, mf_flag_names, i);
        mf_write(w, MF_STR("\""));
        first = false;
    }
    mf_write(w, MF_STR("]"));
}

// Returns the place of the event_id's digits, which are known only when everything has been written.
static char *write_envelope(struct mf_event_writer *w, const struct mf_event *event)
{
    mf_write(w, MF_STR("{\"schema_version\":\"" MF_EVENT_SCHEMA_VERSION "\",\"event_type\":\""));
    mf_write_name(w, mf_event_type_names, event->type);
    mf_write(w, MF_STR("\",\"event_id\":\""));
    char *event_id = w->at;
    w->at += MF_EVENT_ID_SIZE - 1;
    mf_write(w, MF_STR("\",\"symbol\":\""));
    mf_write(w, event->symbol);
    mf_write(w, MF_STR("\",\"asset_class\":\""));
    mf_write_name(w, mf_asset_class_names, event->asset_class);
    mf_write(w, MF_STR("\",\"source\":\""));
    mf_write(w, event->source);
    mf_write(w, MF_STR("\",\"lane\":\""));
    mf_write(w, event->lane);
    mf_write(w, MF_STR("\",\"event_time\":\""));
    mf_write_time(w, event->event_time_us);
    mf_write(w, MF_STR("\",\"ingest_time\":\""));
    mf_write_time(w, event->ingest_time_us);
    mf_write(w, MF_STR("\""));
    write_flags(w, event->flags);
    mf_write(w, MF_STR(",\"provenance\":{\"mode\":\""));
    mf_write_name(w, mf_mode_names, event->mode);
    mf_write(w, MF_STR("\""));
    if (event->request_id.data != NULL) {
        mf_write(w, MF_STR(",\"request_id\":\""));
        mf_write(w, event->request_id);
        mf_write(w, MF_STR("\""));
    }
    if (event->page != -1) {
        mf_write(w, MF_STR(",\"page\":"));
        mf_write_count(w, event->page);
    }
    mf_write(w, MF_STR("}"));
    return event_id;
}

static bool write_rest(struct mf_event_writer *w, const struct mf_event *event)
{
    switch (event->type) {
    case MF_EVENT_METRIC: return mf_write_metric(w, event);
    case MF_EVENT_BAR: return mf_write_bar(w, event);
    case MF_EVENT_ALERT: return mf_write_alert(w, event);
    default: return false;
    }
}

static void write_part(struct mf_event_writer *w, struct mf_str part)
{
    if (part.data == NULL)
        return;
    mf_write(w, MF_STR("."));
    mf_write(w, part);
}

// Between the lines of the identity (event_identity.c): ".<interval>.<adjusted>[.<parent source>]".
static void write_series(struct mf_event_writer *w, enum mf_interval interval, enum mf_adjusted adjusted,
                         struct mf_str parent_source)
{
    mf_write(w, MF_STR("."));
    mf_write_name(w, mf_interval_names, interval);
    mf_write(w, MF_STR("."));
    mf_write_name(w, mf_adjusted_names, adjusted);
    write_part(w, parent_source);
}

// The same text that mf_event_id_of hashes, in one piece: every part has passed its check, so all are short
// and there is room.
static struct mf_hash128 hash_identity(const struct mf_event_writer *event_writer,
                                       const struct mf_event *event, struct mf_hash128 content)
{
    MF_UNINITIALISED char text[IDENTITY_ROOM];
    struct mf_event_writer w = *event_writer;
    w.at = text;
    mf_write(&w, event->source);
    mf_write(&w, MF_STR("\n"));
    if (w.made) {
        mf_write(&w, event->lane);
        mf_write(&w, MF_STR("\n"));
    }
    mf_write(&w, event->symbol);
    mf_write(&w, MF_STR("|"));
    mf_write_time(&w, event->event_time_us);
    mf_write(&w, MF_STR("|"));
    mf_write_name(&w, mf_event_type_names, event->type);
    if (event->type == MF_EVENT_METRIC) {
        const struct mf_metric_event *metric = &event->metric;
        write_series(&w, metric->interval, metric->adjusted, metric->parent_source);
    } else if (event->type == MF_EVENT_BAR) {
        write_series(&w, event->bar.interval, event->bar.adjusted, event->bar.parent_source);
    } else {
        write_part(&w, event->alert.rule_id);
        write_part(&w, event->alert.interval);
        write_part(&w, event->alert.parent_source);
        write_part(&w, event->alert.article_id);
        write_part(&w, event->alert.contract);
    }
    mf_write(&w, MF_STR("\n"));
    mf_hash128_hex(content, w.at); // and a terminator
    w.at += MF_EVENT_ID_SIZE - 1;
    assert((size_t)(w.at - text) < sizeof text);
    return mf_hash128(text, (size_t)(w.at - text));
}

// The id must be the one that was given, if one was.
static bool place_event_id(const struct mf_event_writer *w, const struct mf_event *event,
                           struct mf_hash128 content, char *place)
{
    char id[MF_EVENT_ID_SIZE];
    mf_hash128_hex(hash_identity(w, event, content), id);
    if (event->event_id.data != NULL && !mf_str_eq_c(event->event_id, id))
        return false;
    memcpy(place, id, MF_EVENT_ID_SIZE - 1);
    return true;
}

bool mf_event_write(const struct mf_event *event, struct mf_buf *out)
{
    bool taken =
        event->type == MF_EVENT_METRIC || event->type == MF_EVENT_BAR || event->type == MF_EVENT_ALERT;
    if (!taken || out->overflow || out->max - out->len < MF_WRITE_ROOM || !envelope_ok(event))
        return false;
    MF_UNINITIALISED char content[MF_WRITE_CONTENT_ROOM];
    size_t start = out->len;
    char *text = mf_buf_extend(out, MF_WRITE_ROOM);
    struct mf_event_writer w = {
        .at = text, .content_at = content, .day = INT64_MIN, .made = mf_event_is_made(event)};
    char *event_id = write_envelope(&w, event);
    bool written = write_rest(&w, event);
    if (written) {
        mf_write(&w, MF_STR("}"));
        assert((size_t)(w.at - text) < MF_WRITE_ROOM && (size_t)(w.content_at - content) < sizeof content);
        written = place_event_id(&w, event, mf_hash128(content, (size_t)(w.content_at - content)), event_id);
    }
    out->len = written ? start + (size_t)(w.at - text) : start;
    out->data[out->len] = '\0';
    return written;
}
