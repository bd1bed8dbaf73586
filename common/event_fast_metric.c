// SPDX-License-Identifier: Apache-2.0
// One pass over a metric in canonical form, as event_write_metric.c writes it: what the content hash is made
// of is put together while the statistics are read. Pure; owns nothing; the only failure is "not this way".
#include "common/event_fast.h"
#include "common/event_fast_parts.h"

// Forty items of at most 24 bytes of name, length and 25 of number; regimes; what is touched behind the end.
enum { CONTENT_ROOM = 4096, REGIME_MAX = 32, NAME_MAX_BYTES = 1024, METADATA_MAX = 64 };

struct metric_scan {
    struct mf_fast_scan common;
    char *content_at;
};

// A number of at most 15 significant digits and 8 decimals is one division of two exact doubles away from
// what the tables make of it (W. D. Clinger, "How to read floating point numbers accurately", 1990).
static const char *take_value(const char *at, const char *end, struct mf_str *text, double *value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    struct mf_decimal_number number;
    const char *start = at;
    bool minus = at < end && *at == '-';
    MF_STEP(mf_scan_decimal(at + minus, end, text, &number));
    bool shortest = number.scale == 0 || at[-1] != '0';
    if (!shortest || number.mantissa >= INT64_C(1000000000000000) || (minus && number.mantissa == 0))
        return NULL;
    *text = (struct mf_str){start, (size_t)(at - start)};
    double magnitude = (double)number.mantissa / powers[number.scale];
    *value = minus ? -magnitude : magnitude;
    return at;
}

static void put_item(struct metric_scan *scan, struct mf_str name, struct mf_str value)
{
    char *to = mf_fast_put_literal(scan->content_at, name.data, name.len);
    scan->content_at = mf_fast_put_item(to, value, scan->common.end);
}

// Those of the rows from `first` up to `last` that are there, in their order.
static const char *take_statistics(const char *at, struct metric_scan *scan, struct mf_metric_event *metric,
                                   unsigned first, unsigned last)
{
    const char *end = scan->common.end;
    for (unsigned field = first; field < last; field++) {
        const struct mf_statistic_name *name = &mf_statistic_names[field];
        const char *next = mf_scan_bytes(at, end, name->member, name->member_len);
        if (next == NULL)
            continue;
        MF_STEP(take_value(next, end, &metric->texts[field], &metric->values[field]));
        metric->present |= UINT64_C(1) << field;
        memcpy(scan->content_at, name->item, sizeof name->item);
        scan->content_at = mf_fast_put_item(scan->content_at + name->item_len, metric->texts[field], end);
    }
    return at;
}

// As mf_scan_text, also for the text that nothing but a brace follows.
static const char *scan_last_text(const char *at, const char *end, struct mf_str *text)
{
    const char *start = at;
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80)
        at++;
    *text = (struct mf_str){start, (size_t)(at - start)};
    return at < end && *at == '"' ? at : NULL;
}

// A text that may be left out; at most max bytes.
static const char *take_text(const char *at, const char *end, struct mf_str member, size_t max,
                             struct mf_str *text)
{
    const char *next = mf_scan_bytes(at, end, member.data, member.len);
    *text = MF_STR_NULL;
    if (next == NULL)
        return at;
    MF_STEP(scan_last_text(next, end, text));
    return text->len <= max ? at + 1 : NULL;
}

static const char *take_series(const char *at, struct metric_scan *scan, struct mf_metric_event *metric)
{
    struct mf_fast_scan *common = &scan->common;
    const char *end = common->end;
    unsigned index = 0;
    MF_LITERAL("\"interval\":\"");
    common->interval.data = at;
    MF_STEP(mf_scan_name(at, end, mf_interval_names, &index));
    common->interval.len = (size_t)(at - common->interval.data);
    metric->interval = (enum mf_interval)index;
    MF_LITERAL("\",\"adjusted\":\"");
    common->adjusted.data = at;
    MF_STEP(mf_scan_name(at, end, mf_adjusted_names, &index));
    common->adjusted.len = (size_t)(at - common->adjusted.data);
    metric->adjusted = (enum mf_adjusted)index;
    MF_LITERAL("\",\"bar_time\":\"");
    MF_STEP(mf_scan_time(at, end, &common->day, &metric->bar_time_us));
    uint64_t revision = 0;
    MF_LITERAL("\",\"revision\":");
    MF_STEP(mf_scan_whole(at, end, &revision));
    metric->revision = (int)revision;
    MF_LITERAL(",\"parent_source\":\"");
    metric->parent_source.data = at;
    MF_STEP(mf_scan_name(at, end, mf_source_names, &index));
    metric->parent_source.len = (size_t)(at - metric->parent_source.data);
    return revision <= INT32_MAX ? at : NULL;
}

static const char *take_counts(const char *at, struct metric_scan *scan, struct mf_metric_event *metric)
{
    const char *end = scan->common.end;
    uint64_t count = 0;
    MF_LITERAL("\",\"cause\":\"");
    metric->cause = (struct mf_str){at, MF_EVENT_ID_SIZE - 1};
    if (end - at < MF_EVENT_ID_SIZE || !mf_fast_is_hex(metric->cause))
        return NULL;
    at += metric->cause.len;
    MF_LITERAL("\",\"n_obs\":");
    const char *digits = at;
    MF_STEP(mf_scan_whole(at, end, &count));
    if (count > INT32_MAX)
        return NULL;
    metric->n_obs = (uint32_t)count;
    put_item(scan, MF_STR("n_obs="), (struct mf_str){digits, (size_t)(at - digits)});
    MF_LITERAL(",\"warmup\":");
    const char *yes = MF_SCAN_LITERAL(at, end, "true"), *no = MF_SCAN_LITERAL(at, end, "false");
    if (yes == NULL && no == NULL)
        return NULL;
    metric->warmup = yes != NULL;
    put_item(scan, MF_STR("warmup="), (struct mf_str){at, metric->warmup ? 4 : 5});
    return metric->warmup ? yes : no;
}

static const char *take_regimes(const char *at, struct metric_scan *scan, struct mf_metric_event *metric)
{
    const char *end = scan->common.end;
    MF_STEP(take_text(at, end, MF_STR(",\"vol_regime\":\""), REGIME_MAX, &metric->vol_regime));
    MF_STEP(take_text(at, end, MF_STR(",\"market_regime\":\""), REGIME_MAX, &metric->market_regime));
    if (metric->vol_regime.data != NULL)
        put_item(scan, MF_STR("vol_regime="), metric->vol_regime);
    if (metric->market_regime.data != NULL)
        put_item(scan, MF_STR("market_regime="), metric->market_regime);
    return at;
}

static const char *take_metric(const char *at, struct metric_scan *scan, struct mf_event *event)
{
    struct mf_metric_event *metric = &event->metric;
    const char *end = scan->common.end;
    MF_STEP(mf_fast_envelope(at, &scan->common, MF_EVENT_METRIC, MF_FAST_HEAD("metric"), event));
    if (!scan->common.made)
        return NULL;
    MF_STEP(take_series(at, scan, metric));
    MF_STEP(take_counts(at, scan, metric));
    metric->present = 0;
    MF_STEP(take_statistics(at, scan, metric, 0, MF_METRIC_FIELD_MTF_STRENGTH));
    MF_STEP(take_regimes(at, scan, metric));
    MF_STEP(take_statistics(at, scan, metric, MF_METRIC_FIELD_MTF_STRENGTH, MF_METRIC_FIELD_MAX));
    metric->with_text = metric->present;
    MF_STEP(take_text(at, end, MF_STR(",\"symbol_name\":\""), NAME_MAX_BYTES, &metric->symbol_name));
    MF_STEP(take_text(at, end, MF_STR(",\"exchange\":\""), METADATA_MAX, &metric->exchange));
    MF_STEP(take_text(at, end, MF_STR(",\"symbol_type\":\""), METADATA_MAX, &metric->symbol_type));
    return MF_SCAN_LITERAL(at, end, "}");
}

MF_APART static char *put_identity(char *to, const struct mf_fast_scan *scan, const struct mf_event *event)
{
    return mf_fast_put_identity(to, scan, event, MF_STR("|metric."), event->metric.parent_source);
}

// Apart for the same reason as the texts: it must not know how large the room is.
MF_APART static bool read_metric(struct mf_str bytes, struct mf_event *event, char *room, char *id)
{
    struct metric_scan scan = {.common = {.end = bytes.data + bytes.len}, .content_at = room};
    if (take_metric(bytes.data, &scan, event) != scan.common.end)
        return false;
    event->content = mf_hash128(room, (size_t)(scan.content_at - room));
    mf_hash128_hex(mf_hash128(room, (size_t)(put_identity(room, &scan.common, event) - room)), id);
    return true;
}

bool mf_event_fast_read_metric(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE])
{
    MF_UNINITIALISED char room[CONTENT_ROOM];
    return bytes.len >= MF_SCAN_RECORD_MIN && read_metric(bytes, event, room, id);
}

bool mf_event_fast_metric(struct mf_str bytes, struct mf_event *event)
{
    char id[MF_EVENT_ID_SIZE];
    return mf_event_fast_read_metric(bytes, event, id) &&
           memcmp(event->event_id.data, id, MF_EVENT_ID_SIZE - 1) == 0;
}
