// SPDX-License-Identifier: Apache-2.0
// One pass over a bar in canonical form; the literals below are what event_encode.c writes for
// event_table.c's rows, in their order. Pure; owns nothing; the only failure is "not this way".
#include "common/event_fast.h"

#include "common/event_fast_scan.h"
#include "common/event_table.h"

struct bar_scan {
    const char *end;
    struct mf_scan_day day;
    int32_t event_day; // days since the epoch
    bool made;         // source is processor
    // Texts that the identity needs.
    struct mf_str event_time, interval, adjusted, trade_count;
};

// The next step, or NULL from this function.
#define STEP(step)       \
    do {                 \
        at = (step);     \
        if (at == NULL)  \
            return NULL; \
    } while (false)
#define LITERAL(literal) STEP(MF_SCAN_LITERAL(at, end, literal))

static const char *take_flags(const char *at, const char *end, unsigned *flags)
{
    *flags = 0;
    if (at < end && *at == ']')
        return at + 1;
    for (;;) {
        unsigned index = 0;
        LITERAL("\"");
        STEP(mf_scan_name(at, end, mf_flag_names, &index));
        LITERAL("\"");
        if (*flags >> index != 0) // in order, and each once
            return NULL;
        *flags |= 1u << index;
        if (at < end && *at == ']')
            return at + 1;
        LITERAL(",");
    }
}

static const char *take_provenance(const char *at, const char *end, struct mf_event *event)
{
    unsigned mode = 0;
    LITERAL(",\"provenance\":{\"mode\":\"");
    STEP(mf_scan_name(at, end, mf_mode_names, &mode));
    event->mode = (enum mf_provenance_mode)mode;
    event->request_id = MF_STR_NULL;
    event->page = -1;
    const char *next = MF_SCAN_LITERAL(at, end, "\",\"request_id\":\"");
    if (next != NULL) {
        STEP(mf_scan_text(next, end, &event->request_id));
        if (event->request_id.len > MF_REQUEST_ID_MAX)
            return NULL;
    }
    next = MF_SCAN_LITERAL(at, end, "\",\"page\":");
    if (next != NULL) {
        uint64_t page = 0;
        STEP(mf_scan_whole(next, end, &page));
        event->page = (int64_t)page;
        return MF_SCAN_LITERAL(at, end, "},");
    }
    return MF_SCAN_LITERAL(at, end, "\"},");
}

static const char *take_instrument(const char *at, struct bar_scan *scan, struct mf_event *event)
{
    const char *end = scan->end;
    unsigned asset_class = 0, source = 0;
    STEP(mf_scan_text(at, end, &event->symbol));
    if (!mf_symbol_is_valid(event->symbol))
        return NULL;
    LITERAL("\",\"asset_class\":\"");
    STEP(mf_scan_name(at, end, mf_asset_class_names, &asset_class));
    event->asset_class = (enum mf_asset_class)asset_class;
    LITERAL("\",\"source\":\"");
    event->source.data = at;
    STEP(mf_scan_name(at, end, mf_source_names, &source));
    event->source.len = (size_t)(at - event->source.data);
    scan->made = mf_event_is_made(event);
    LITERAL("\",\"lane\":\"");
    STEP(mf_scan_text(at, end, &event->lane));
    return mf_lane_is_valid(event->lane) ? at : NULL;
}

static const char *take_envelope(const char *at, struct bar_scan *scan, struct mf_event *event)
{
    const char *end = scan->end;
    event->type = MF_EVENT_BAR;
    event->schema_version =
        (struct mf_str){at + sizeof("{\"schema_version\":\"") - 1, sizeof(MF_EVENT_SCHEMA_VERSION) - 1};
    LITERAL("{\"schema_version\":\"" MF_EVENT_SCHEMA_VERSION "\",\"event_type\":\"bar\",\"event_id\":\"");
    event->event_id = (struct mf_str){at, MF_EVENT_ID_SIZE - 1};
    if (end - at < MF_EVENT_ID_SIZE)
        return NULL;
    at += MF_EVENT_ID_SIZE - 1;
    LITERAL("\",\"symbol\":\"");
    STEP(take_instrument(at, scan, event));
    LITERAL("\",\"event_time\":\"");
    scan->event_time = (struct mf_str){at, MF_SCAN_TIME_LEN};
    STEP(mf_scan_time(at, end, &scan->day, &event->event_time_us));
    scan->event_day = scan->day.days;
    LITERAL("\",\"ingest_time\":\"");
    STEP(mf_scan_time(at, end, &scan->day, &event->ingest_time_us));
    LITERAL("\",\"flags\":[");
    STEP(take_flags(at, end, &event->flags));
    return take_provenance(at, end, event);
}

static const char *take_window(const char *at, struct bar_scan *scan, struct mf_event *event)
{
    const char *end = scan->end;
    struct mf_bar *bar = &event->bar;
    unsigned interval = 0, session = 0;
    LITERAL("\"interval\":\"");
    scan->interval.data = at;
    STEP(mf_scan_name(at, end, mf_interval_names, &interval));
    scan->interval.len = (size_t)(at - scan->interval.data);
    LITERAL("\",\"window_end\":\"");
    STEP(mf_scan_time(at, end, &scan->day, &bar->window_end_us));
    LITERAL("\",\"session_date\":\"");
    STEP(mf_scan_date(at, end, &scan->day));
    LITERAL("\",\"session\":\"");
    STEP(mf_scan_name(at, end, mf_session_names, &session));
    bar->interval = (enum mf_interval)interval;
    bar->session_date = scan->day.date;
    bar->session = (enum mf_session)session;
    bool good = mf_bar_window_fits(bar->interval, event->event_time_us, bar->window_end_us) &&
                mf_bar_session_fits(bar->interval, scan->event_day, scan->day.days);
    return good ? at : NULL;
}

static const char *take_market(const char *at, struct bar_scan *scan, struct mf_bar *bar)
{
    const char *end = scan->end;
    struct mf_bar_numbers *numbers = &bar->numbers;
    LITERAL("\",\"open\":");
    STEP(mf_scan_decimal(at, end, &bar->open, &numbers->open));
    LITERAL(",\"high\":");
    STEP(mf_scan_decimal(at, end, &bar->high, &numbers->high));
    LITERAL(",\"low\":");
    STEP(mf_scan_decimal(at, end, &bar->low, &numbers->low));
    LITERAL(",\"close\":");
    STEP(mf_scan_decimal(at, end, &bar->close, &numbers->close));
    LITERAL(",\"volume\":");
    STEP(mf_scan_decimal(at, end, &bar->volume, &numbers->volume));
    bar->vwap = MF_STR_NULL;
    numbers->vwap = (struct mf_decimal_number){0};
    const char *next = MF_SCAN_LITERAL(at, end, ",\"vwap\":");
    if (next != NULL) {
        STEP(mf_scan_decimal(next, end, &bar->vwap, &numbers->vwap));
        if (numbers->vwap.mantissa == 0)
            return NULL;
    }
    bar->trade_count = -1;
    next = MF_SCAN_LITERAL(at, end, ",\"trade_count\":");
    if (next != NULL) {
        uint64_t count = 0;
        STEP(mf_scan_whole(next, end, &count));
        scan->trade_count = (struct mf_str){next, (size_t)(at - next)};
        bar->trade_count = (int64_t)count;
    }
    bar->has_numbers = true;
    return at;
}

static bool prices_fit(const struct mf_bar_numbers *numbers)
{
    // The lowest is above 0, and so are all.
    return numbers->low.mantissa > 0 && mf_decimal_number_cmp(numbers->low, numbers->open) <= 0 &&
           mf_decimal_number_cmp(numbers->open, numbers->high) <= 0 &&
           mf_decimal_number_cmp(numbers->low, numbers->close) <= 0 &&
           mf_decimal_number_cmp(numbers->close, numbers->high) <= 0;
}

// What only derived bars have.
static const char *take_made(const char *at, const char *end, struct mf_bar *bar)
{
    unsigned source = 0;
    uint64_t revision = 0;
    bar->vendor_ms = INT64_MIN;
    LITERAL(",\"parent_source\":\"");
    bar->parent_source.data = at;
    STEP(mf_scan_name(at, end, mf_source_names, &source));
    bar->parent_source.len = (size_t)(at - bar->parent_source.data);
    LITERAL("\",\"revision\":");
    STEP(mf_scan_whole(at, end, &revision));
    LITERAL(",\"cause\":\"");
    if (revision > INT32_MAX || end - at < MF_EVENT_ID_SIZE)
        return NULL;
    bar->revision = (int)revision;
    bar->cause = (struct mf_str){at, MF_EVENT_ID_SIZE - 1};
    for (size_t i = 0; i < bar->cause.len; i++, at++) {
        if (!((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f')))
            return NULL;
    }
    return MF_SCAN_LITERAL(at, end, "\"}");
}

static const char *take_rest(const char *at, struct bar_scan *scan, struct mf_bar *bar)
{
    const char *end = scan->end;
    unsigned adjusted = 0;
    LITERAL(",\"adjusted\":\"");
    scan->adjusted.data = at;
    STEP(mf_scan_name(at, end, mf_adjusted_names, &adjusted));
    scan->adjusted.len = (size_t)(at - scan->adjusted.data);
    bar->adjusted = (enum mf_adjusted)adjusted;
    LITERAL("\"");
    bar->otc = -1;
    const char *yes = MF_SCAN_LITERAL(at, end, ",\"otc\":true");
    const char *no = MF_SCAN_LITERAL(at, end, ",\"otc\":false");
    if (yes != NULL || no != NULL) {
        at = yes != NULL ? yes : no;
        bar->otc = yes != NULL ? 1 : 0;
    }
    if (scan->made)
        return take_made(at, end, bar);
    uint64_t vendor_ms = 0;
    LITERAL(",\"vendor_ms\":");
    STEP(mf_scan_whole(at, end, &vendor_ms));
    bar->vendor_ms = (int64_t)vendor_ms;
    bar->parent_source = MF_STR_NULL;
    bar->revision = -1;
    bar->cause = MF_STR_NULL;
    return MF_SCAN_LITERAL(at, end, "}");
}

static const char *take_bar(const char *at, struct bar_scan *scan, struct mf_event *event)
{
    STEP(take_envelope(at, scan, event));
    STEP(take_window(at, scan, event));
    STEP(take_market(at, scan, &event->bar));
    return take_rest(at, scan, &event->bar);
}

// ---- identity, as event_identity.c composes it. All lengths have been checked; room is for the longest, and
// for PUT_BLOCK bytes behind it.

enum { PUT_BLOCK = 24, IDENTITY_ROOM = 512 };

// For texts that are long, or at the end of the record.
__attribute__((noinline, cold)) static void put_slowly(char *to, struct mf_str text)
{
    memcpy(to, text.data, text.len);
}

// A copy of fixed size where the record has bytes enough behind the text: a call costs more than the bytes.
static inline char *put(char *to, struct mf_str text, const char *end)
{
    if (text.len <= PUT_BLOCK && end - text.data >= PUT_BLOCK)
        memcpy(to, text.data, PUT_BLOCK);
    else
        put_slowly(to, text);
    return to + text.len;
}

static inline char *put_literal(char *to, const char *literal, size_t len)
{
    memcpy(to, literal, len);
    return to + len;
}
#define PUT_LITERAL(to, literal) put_literal((to), "" literal, sizeof(literal) - 1)

// "6:187.15\n"; the text has fewer than 100 bytes.
static inline char *put_item(char *to, struct mf_str text, const char *end)
{
    if (text.len >= 10)
        *to++ = (char)('0' + text.len / 10);
    *to++ = (char)('0' + text.len % 10);
    *to++ = ':';
    to = put(to, text, end);
    *to++ = '\n';
    return to;
}

// The same of a number in its canonical form: no zeros at the end of the decimals.
static inline char *put_number(char *to, struct mf_str text, struct mf_decimal_number number, const char *end)
{
    if (number.scale > 0) {
        size_t whole = text.len - number.scale;
        while (text.len > whole && text.data[text.len - 1] == '0')
            text.len--;
        if (text.len == whole)
            text.len--; // the point
    }
    return put_item(to, text, end);
}

// The two texts are put together in functions of their own, which do not know how large the caller's array
// is: where it is known, -D_FORTIFY_SOURCE makes a call of every copy, and they take longer than all of the
// rest. 6 numbers of at most 19 characters and their names; envelope texts of at most 300: see IDENTITY_ROOM.
#define APART __attribute__((noinline))

APART static char *put_content(char *to, const struct bar_scan *scan, const struct mf_bar *bar)
{
    const struct mf_bar_numbers *numbers = &bar->numbers;
    const char *end = scan->end;
    to = put_number(PUT_LITERAL(to, "open="), bar->open, numbers->open, end);
    to = put_number(PUT_LITERAL(to, "high="), bar->high, numbers->high, end);
    to = put_number(PUT_LITERAL(to, "low="), bar->low, numbers->low, end);
    to = put_number(PUT_LITERAL(to, "close="), bar->close, numbers->close, end);
    to = put_number(PUT_LITERAL(to, "volume="), bar->volume, numbers->volume, end);
    if (bar->vwap.data != NULL)
        to = put_number(PUT_LITERAL(to, "vwap="), bar->vwap, numbers->vwap, end);
    if (scan->trade_count.data != NULL)
        to = put_item(PUT_LITERAL(to, "trade_count="), scan->trade_count, end);
    if (bar->otc >= 0)
        to = bar->otc == 1 ? PUT_LITERAL(to, "otc=4:true\n") : PUT_LITERAL(to, "otc=5:false\n");
    return to;
}

APART static char *put_identity(char *to, const struct bar_scan *scan, const struct mf_event *event)
{
    const char *end = scan->end;
    to = PUT_LITERAL(put(to, event->source, end), "\n");
    if (scan->made)
        to = PUT_LITERAL(put(to, event->lane, end), "\n");
    to = PUT_LITERAL(put(to, event->symbol, end), "|");
    to = PUT_LITERAL(put(to, scan->event_time, end), "|bar.");
    to = PUT_LITERAL(put(to, scan->interval, end), ".");
    to = put(to, scan->adjusted, end);
    if (scan->made)
        to = put(PUT_LITERAL(to, "."), event->bar.parent_source, end);
    *to++ = '\n';
    mf_hash128_hex(event->content, to);
    return to + MF_EVENT_ID_SIZE - 1;
}

bool mf_event_fast_read(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE])
{
    MF_UNINITIALISED char text[IDENTITY_ROOM];
    if (bytes.len < MF_SCAN_RECORD_MIN)
        return false;
    struct bar_scan scan = {.end = bytes.data + bytes.len};
    if (take_bar(bytes.data, &scan, event) != scan.end || !prices_fit(&event->bar.numbers))
        return false;
    event->content = mf_hash128(text, (size_t)(put_content(text, &scan, &event->bar) - text));
    mf_hash128_hex(mf_hash128(text, (size_t)(put_identity(text, &scan, event) - text)), id);
    return true;
}

bool mf_event_fast_bar(struct mf_str bytes, struct mf_event *event)
{
    char id[MF_EVENT_ID_SIZE];
    return mf_event_fast_read(bytes, event, id) &&
           memcmp(event->event_id.data, id, MF_EVENT_ID_SIZE - 1) == 0;
}
