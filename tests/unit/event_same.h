// SPDX-License-Identifier: Apache-2.0
// Are two decoded bars or metrics the same in every field, absent values included? Where their views point is
// their own.
#ifndef TESTS_EVENT_SAME_H
#define TESTS_EVENT_SAME_H

#include "common/event.h"

static inline bool same_text(struct mf_str a, struct mf_str b)
{
    return (a.data == NULL) == (b.data == NULL) && mf_str_eq(a, b);
}

static inline bool same_number(struct mf_decimal_number a, struct mf_decimal_number b)
{
    return a.mantissa == b.mantissa && a.scale == b.scale;
}

static inline bool same_numbers(const struct mf_bar *a, const struct mf_bar *b)
{
    const struct mf_bar_numbers *x = &a->numbers, *y = &b->numbers;
    if (!a->has_numbers || !b->has_numbers)
        return a->has_numbers == b->has_numbers;
    return same_number(x->open, y->open) && same_number(x->high, y->high) && same_number(x->low, y->low) &&
           same_number(x->close, y->close) && same_number(x->volume, y->volume) &&
           same_number(x->vwap, y->vwap);
}

static inline bool same_bar(const struct mf_bar *a, const struct mf_bar *b)
{
    return a->interval == b->interval && a->window_end_us == b->window_end_us &&
           mf_date_cmp(a->session_date, b->session_date) == 0 && a->session == b->session &&
           same_text(a->open, b->open) && same_text(a->high, b->high) && same_text(a->low, b->low) &&
           same_text(a->close, b->close) && same_text(a->volume, b->volume) && same_text(a->vwap, b->vwap) &&
           a->trade_count == b->trade_count && a->adjusted == b->adjusted && a->otc == b->otc &&
           same_text(a->pre_market, b->pre_market) && same_text(a->after_hours, b->after_hours) &&
           a->vendor_ms == b->vendor_ms && same_text(a->parent_source, b->parent_source) &&
           a->revision == b->revision && same_text(a->cause, b->cause) && same_numbers(a, b);
}

static inline bool same_envelope(const struct mf_event *a, const struct mf_event *b)
{
    return same_text(a->schema_version, b->schema_version) && same_text(a->event_id, b->event_id) &&
           same_text(a->symbol, b->symbol) && a->asset_class == b->asset_class &&
           same_text(a->source, b->source) && same_text(a->lane, b->lane) &&
           a->event_time_us == b->event_time_us && a->ingest_time_us == b->ingest_time_us &&
           a->flags == b->flags && a->mode == b->mode && same_text(a->request_id, b->request_id) &&
           a->page == b->page && a->content.high == b->content.high && a->content.low == b->content.low;
}

static inline bool same_bar_event(const struct mf_event *a, const struct mf_event *b)
{
    return a->type == MF_EVENT_BAR && b->type == MF_EVENT_BAR && same_envelope(a, b) &&
           same_bar(&a->bar, &b->bar);
}

// To the last bit: also tells -0 from 0.
static inline bool same_double(double a, double b)
{
    uint64_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

static inline bool same_statistics(const struct mf_metric_event *a, const struct mf_metric_event *b)
{
    if (a->present != b->present || a->with_text != b->with_text)
        return false;
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++) {
        if ((a->present >> i & 1) != 0 &&
            (!same_double(a->values[i], b->values[i]) || !same_text(a->texts[i], b->texts[i])))
            return false;
    }
    return true;
}

static inline bool same_metric_event(const struct mf_event *a, const struct mf_event *b)
{
    const struct mf_metric_event *x = &a->metric, *y = &b->metric;
    return a->type == MF_EVENT_METRIC && b->type == MF_EVENT_METRIC && same_envelope(a, b) &&
           x->interval == y->interval && x->adjusted == y->adjusted && x->bar_time_us == y->bar_time_us &&
           x->revision == y->revision && same_text(x->parent_source, y->parent_source) &&
           same_text(x->cause, y->cause) && x->n_obs == y->n_obs && x->warmup == y->warmup &&
           same_text(x->vol_regime, y->vol_regime) && same_text(x->market_regime, y->market_regime) &&
           same_text(x->symbol_name, y->symbol_name) && same_text(x->exchange, y->exchange) &&
           same_text(x->symbol_type, y->symbol_type) && same_statistics(x, y);
}

#endif
