// SPDX-License-Identifier: Apache-2.0
// Writer of metrics. The forty statistics are what it costs, so each is formatted once, in registers, and
// stored twice: in the event and in what the content hash is made of. Pure.
#include "common/decimal_statistic.h"
#include "common/event_write.h"

#define METRIC_NAME_CHECK(id, name)                                                                          \
    static_assert(sizeof(",\"" name "\":") <= sizeof((struct mf_statistic_name *)NULL)->member, "too long"); \
    static_assert(sizeof(name "=") <= sizeof((struct mf_statistic_name *)NULL)->item, "too long");
MF_METRIC_FIELD_TABLE(METRIC_NAME_CHECK)
#undef METRIC_NAME_CHECK

const struct mf_statistic_name mf_statistic_names[MF_METRIC_FIELD_MAX] = {
#define METRIC_NAME(id, name)                                             \
    [MF_METRIC_FIELD_##id] = {.member = ",\"" name "\":",                 \
                              .member_len = sizeof(",\"" name "\":") - 1, \
                              .item = name "=",                           \
                              .item_len = sizeof(name "=") - 1},
    MF_METRIC_FIELD_TABLE(METRIC_NAME)
#undef METRIC_NAME
};

// Length and colon of an item, by length; its second byte is part of it from 10 on.
static const char lengths[MF_STATISTIC_TEXT_MAX + 1][4] = {
    "0:",  "1:",  "2:",  "3:",  "4:",  "5:",  "6:",  "7:",  "8:",  "9:",
    "10:", "11:", "12:", "13:", "14:", "15:", "16:", "17:", "18:",
};

// From ten million on.
static bool write_large(struct mf_event_writer *w, const struct mf_statistic_name *name, double value)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    if (!mf_decimal_from_double(value, text, &len))
        return false;
    mf_write(w, (struct mf_str){name->member, name->member_len});
    mf_write(w, (struct mf_str){text, len});
    mf_write_content(w, (struct mf_str){name->item, name->item_len - 1u}, (struct mf_str){text, len});
    return true;
}

// Those of the rows from `first` up to `end` that are there. The two places are kept out of memory while they
// move with every number.
static bool write_statistics(struct mf_event_writer *w, const struct mf_metric_event *metric,
                             enum mf_metric_field first, enum mf_metric_field end)
{
    char *at = w->at, *content_at = w->content_at;
    for (unsigned field = first; field < (unsigned)end; field++) {
        const struct mf_statistic_name *name = &mf_statistic_names[field];
        if ((metric->present >> field & 1) == 0)
            continue;
        MF_UNINITIALISED struct mf_statistic text;
        if (!mf_statistic_of(metric->values[field], &text)) {
            w->at = at, w->content_at = content_at;
            if (!write_large(w, name, metric->values[field]))
                return false;
            at = w->at, content_at = w->content_at;
            continue;
        }
        size_t len = mf_statistic_len(&text);
        memcpy(at, name->member, sizeof name->member);
        at = mf_statistic_put(at + name->member_len, &text);
        memcpy(content_at, name->item, sizeof name->item);
        content_at += name->item_len;
        memcpy(content_at, lengths[len], sizeof lengths[len]);
        content_at = mf_statistic_put(content_at + 2 + (len >= 10), &text);
        *content_at++ = '\n';
    }
    w->at = at, w->content_at = content_at;
    return true;
}

static void write_regime(struct mf_event_writer *w, struct mf_str member, struct mf_str name,
                         struct mf_str value)
{
    if (value.data == NULL)
        return;
    mf_write(w, member);
    mf_write(w, value);
    mf_write(w, MF_STR("\""));
    mf_write_content(w, name, value);
}

static bool metric_ok(const struct mf_metric_event *metric)
{
    return (unsigned)metric->interval < MF_INTERVAL_MAX && (unsigned)metric->adjusted < MF_ADJUSTED_MAX &&
           mf_write_time_ok(metric->bar_time_us) && metric->revision >= 0 &&
           mf_source_is_known(metric->parent_source) && mf_write_hex_ok(metric->cause) &&
           metric->n_obs <= INT32_MAX && metric->with_text == 0 &&
           mf_write_plain_ok(metric->vol_regime, 32) && mf_write_plain_ok(metric->market_regime, 32) &&
           mf_write_metadata_ok(metric->symbol_name, metric->exchange, metric->symbol_type);
}

bool mf_write_metric(struct mf_event_writer *w, const struct mf_event *event)
{
    const struct mf_metric_event *metric = &event->metric;
    if (!w->made || !metric_ok(metric))
        return false;
    mf_write(w, MF_STR(",\"interval\":\""));
    mf_write_name(w, mf_interval_names, metric->interval);
    mf_write(w, MF_STR("\",\"adjusted\":\""));
    mf_write_name(w, mf_adjusted_names, metric->adjusted);
    mf_write(w, MF_STR("\",\"bar_time\":\""));
    mf_write_time(w, metric->bar_time_us);
    mf_write(w, MF_STR("\",\"revision\":"));
    mf_write_count(w, metric->revision);
    mf_write(w, MF_STR(",\"parent_source\":\""));
    mf_write(w, metric->parent_source);
    mf_write(w, MF_STR("\",\"cause\":\""));
    mf_write(w, metric->cause);
    mf_write(w, MF_STR("\",\"n_obs\":"));
    char *count = w->at;
    mf_write_count(w, metric->n_obs);
    mf_write_content(w, MF_STR("n_obs"), (struct mf_str){count, (size_t)(w->at - count)});
    struct mf_str warmup = metric->warmup ? MF_STR("true") : MF_STR("false");
    mf_write(w, MF_STR(",\"warmup\":"));
    mf_write(w, warmup);
    mf_write_content(w, MF_STR("warmup"), warmup);
    if (!write_statistics(w, metric, (enum mf_metric_field)0, MF_METRIC_FIELD_MTF_STRENGTH))
        return false;
    write_regime(w, MF_STR(",\"vol_regime\":\""), MF_STR("vol_regime"), metric->vol_regime);
    write_regime(w, MF_STR(",\"market_regime\":\""), MF_STR("market_regime"), metric->market_regime);
    if (!write_statistics(w, metric, MF_METRIC_FIELD_MTF_STRENGTH, MF_METRIC_FIELD_MAX))
        return false;
    mf_write_metadata(w, metric->symbol_name, metric->exchange, metric->symbol_type);
    return true;
}
