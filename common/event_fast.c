// SPDX-License-Identifier: Apache-2.0
// One pass over a bar in canonical form; the literals below are what event_encode.c writes for
// event_table.c's rows, in their order. Pure; owns nothing; the only failure is "not this way".
#include "common/event_fast.h"

#include "common/event_fast_parts.h"

static const char *take_window(const char *at, struct mf_fast_scan *scan, struct mf_event *event)
{
    const char *end = scan->end;
    struct mf_bar *bar = &event->bar;
    unsigned interval = 0, session = 0;
    MF_LITERAL("\"interval\":\"");
    scan->interval.data = at;
    MF_STEP(mf_scan_name(at, end, mf_interval_names, &interval));
    scan->interval.len = (size_t)(at - scan->interval.data);
    MF_LITERAL("\",\"window_end\":\"");
    MF_STEP(mf_scan_time(at, end, &scan->day, &bar->window_end_us));
    MF_LITERAL("\",\"session_date\":\"");
    MF_STEP(mf_scan_date(at, end, &scan->day));
    MF_LITERAL("\",\"session\":\"");
    MF_STEP(mf_scan_name(at, end, mf_session_names, &session));
    bar->interval = (enum mf_interval)interval;
    bar->session_date = scan->day.date;
    bar->session = (enum mf_session)session;
    bool good = mf_bar_window_fits(bar->interval, event->event_time_us, bar->window_end_us) &&
                mf_bar_session_fits(bar->interval, scan->event_day, scan->day.days);
    return good ? at : NULL;
}

static const char *take_market(const char *at, struct mf_fast_scan *scan, struct mf_bar *bar)
{
    const char *end = scan->end;
    struct mf_bar_numbers *numbers = &bar->numbers;
    MF_LITERAL("\",\"open\":");
    MF_STEP(mf_scan_decimal(at, end, &bar->open, &numbers->open));
    MF_LITERAL(",\"high\":");
    MF_STEP(mf_scan_decimal(at, end, &bar->high, &numbers->high));
    MF_LITERAL(",\"low\":");
    MF_STEP(mf_scan_decimal(at, end, &bar->low, &numbers->low));
    MF_LITERAL(",\"close\":");
    MF_STEP(mf_scan_decimal(at, end, &bar->close, &numbers->close));
    MF_LITERAL(",\"volume\":");
    MF_STEP(mf_scan_decimal(at, end, &bar->volume, &numbers->volume));
    bar->vwap = MF_STR_NULL;
    numbers->vwap = (struct mf_decimal_number){0};
    const char *next = MF_SCAN_LITERAL(at, end, ",\"vwap\":");
    if (next != NULL) {
        MF_STEP(mf_scan_decimal(next, end, &bar->vwap, &numbers->vwap));
        if (numbers->vwap.mantissa == 0)
            return NULL;
    }
    bar->trade_count = -1;
    next = MF_SCAN_LITERAL(at, end, ",\"trade_count\":");
    if (next != NULL) {
        uint64_t count = 0;
        MF_STEP(mf_scan_whole(next, end, &count));
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
    MF_LITERAL(",\"parent_source\":\"");
    bar->parent_source.data = at;
    MF_STEP(mf_scan_name(at, end, mf_source_names, &source));
    bar->parent_source.len = (size_t)(at - bar->parent_source.data);
    MF_LITERAL("\",\"revision\":");
    MF_STEP(mf_scan_whole(at, end, &revision));
    MF_LITERAL(",\"cause\":\"");
    if (revision > INT32_MAX || end - at < MF_EVENT_ID_SIZE)
        return NULL;
    bar->revision = (int)revision;
    bar->cause = (struct mf_str){at, MF_EVENT_ID_SIZE - 1};
    if (!mf_fast_is_hex(bar->cause))
        return NULL;
    at += bar->cause.len;
    return MF_SCAN_LITERAL(at, end, "\"}");
}

static const char *take_rest(const char *at, struct mf_fast_scan *scan, struct mf_bar *bar)
{
    const char *end = scan->end;
    unsigned adjusted = 0;
    MF_LITERAL(",\"adjusted\":\"");
    scan->adjusted.data = at;
    MF_STEP(mf_scan_name(at, end, mf_adjusted_names, &adjusted));
    scan->adjusted.len = (size_t)(at - scan->adjusted.data);
    bar->adjusted = (enum mf_adjusted)adjusted;
    MF_LITERAL("\"");
    bar->otc = -1;
    const char *yes = MF_SCAN_LITERAL(at, end, ",\"otc\":true");
    const char *no = MF_SCAN_LITERAL(at, end, ",\"otc\":false");
    if (yes != NULL || no != NULL) {
        at = yes != NULL ? yes : no;
        bar->otc = yes != NULL ? 1 : 0;
    }
    bar->pre_market = bar->after_hours = MF_STR_NULL; // few bars have them: they are not read this way
    if (scan->made)
        return take_made(at, end, bar);
    uint64_t vendor_ms = 0;
    MF_LITERAL(",\"vendor_ms\":");
    MF_STEP(mf_scan_whole(at, end, &vendor_ms));
    bar->vendor_ms = (int64_t)vendor_ms;
    bar->parent_source = MF_STR_NULL;
    bar->revision = -1;
    bar->cause = MF_STR_NULL;
    return MF_SCAN_LITERAL(at, end, "}");
}

static const char *take_bar(const char *at, struct mf_fast_scan *scan, struct mf_event *event)
{
    MF_STEP(mf_fast_envelope(at, scan, MF_EVENT_BAR, MF_FAST_HEAD("bar"), event));
    MF_STEP(take_window(at, scan, event));
    MF_STEP(take_market(at, scan, &event->bar));
    return take_rest(at, scan, &event->bar);
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
    return mf_fast_put_item(to, text, end);
}

MF_APART static char *put_content(char *to, const struct mf_fast_scan *scan, const struct mf_bar *bar)
{
    const struct mf_bar_numbers *numbers = &bar->numbers;
    const char *end = scan->end;
    to = put_number(MF_PUT_LITERAL(to, "open="), bar->open, numbers->open, end);
    to = put_number(MF_PUT_LITERAL(to, "high="), bar->high, numbers->high, end);
    to = put_number(MF_PUT_LITERAL(to, "low="), bar->low, numbers->low, end);
    to = put_number(MF_PUT_LITERAL(to, "close="), bar->close, numbers->close, end);
    to = put_number(MF_PUT_LITERAL(to, "volume="), bar->volume, numbers->volume, end);
    if (bar->vwap.data != NULL)
        to = put_number(MF_PUT_LITERAL(to, "vwap="), bar->vwap, numbers->vwap, end);
    if (scan->trade_count.data != NULL)
        to = mf_fast_put_item(MF_PUT_LITERAL(to, "trade_count="), scan->trade_count, end);
    if (bar->otc >= 0)
        to = bar->otc == 1 ? MF_PUT_LITERAL(to, "otc=4:true\n") : MF_PUT_LITERAL(to, "otc=5:false\n");
    return to;
}

MF_APART static char *put_identity(char *to, const struct mf_fast_scan *scan, const struct mf_event *event)
{
    return mf_fast_put_identity(to, scan, event, MF_STR("|bar."), event->bar.parent_source);
}

bool mf_event_fast_read(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE])
{
    MF_UNINITIALISED char text[MF_IDENTITY_ROOM];
    if (bytes.len < MF_SCAN_RECORD_MIN)
        return false;
    struct mf_fast_scan scan = {.end = bytes.data + bytes.len};
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
