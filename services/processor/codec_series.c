// SPDX-License-Identifier: Apache-2.0
// One series: checkpoints, stored bars, head, fired alerts, look-back.
#include <stdlib.h>

#include "services/processor/codec_io.h"

#define WIDE_TEXT_MAX (PRC_NUMBER_MAX * MF_DECIMAL_TEXT_SIZE)
#define FIRED_MAX ((size_t)PRC_RULE_BAR_MAX * 4096)
#define STORED_MAX PRC_STORED

static void io_indicators(struct prc_io *io, struct prc_indicator_state *s)
{
    double *const numbers[] = {
        &s->ema_12, &s->ema_20,   &s->ema_26,        &s->macd_signal, &s->gain,         &s->loss,    &s->atr,
        &s->tr_sum, &s->plus_sum, &s->minus_sum,     &s->adx,         &s->rsi,          &s->atr_pct, &s->high,
        &s->low,    &s->close,    &s->vwap_weighted, &s->vwap_volume, &s->regular_close};
    uint64_t n_obs = s->n_obs;
    prc_io_u64(io, &n_obs);
    io->bad |= n_obs > UINT32_MAX;
    s->n_obs = (uint32_t)n_obs;
    for (size_t i = 0; i < MF_ARRAY_LEN(numbers); i++)
        prc_io_double(io, numbers[i]);
    s->vol_regime = (uint8_t)prc_io_small(io, s->vol_regime, PRC_VOL_HIGH + 1);
    s->market_regime = (uint8_t)prc_io_small(io, s->market_regime, PRC_MARKET_TREND_DOWN + 1);
    s->momentum = (uint8_t)prc_io_small(io, s->momentum, PRC_MOMENTUM_BEARISH + 1);
    for (int p = 0; p < PRC_MA_PAIR_MAX; p++)
        s->ma_sign[p] = (int8_t)((int)prc_io_small(io, (unsigned)(s->ma_sign[p] + 1), 3) - 1);
    s->session_day = prc_io_i32(io, s->session_day);
    s->session = (enum mf_session)prc_io_small(io, s->session, MF_SESSION_MAX);
    prc_io_bool(io, &s->vwap_proxy);
    prc_io_bool(io, &s->has_regular);
    s->regular_day = prc_io_i32(io, s->regular_day);
}

void prc_io_rule(struct prc_io *io, struct prc_rule_state *s)
{
    prc_io_i64(io, &s->open_time_us);
    prc_io_double(io, &s->open_value);
    prc_io_double(io, &s->open_threshold);
    prc_io_i64(io, &s->cooldown_until_us);
    s->open_severity = (uint8_t)prc_io_small(io, s->open_severity, MF_SEVERITY_MAX);
    s->open_direction = (uint8_t)prc_io_small(io, s->open_direction, MF_DIRECTION_MAX);
    s->last_severity = (uint8_t)prc_io_small(io, s->last_severity, MF_SEVERITY_MAX);
    s->clear_bars = (uint8_t)prc_io_small(io, s->clear_bars, PRC_CLEAR_BARS + 1);
}

// Most rules of most series have never fired: only those that have are written, by a bit each.
static void io_state(struct prc_io *io, struct prc_state *state)
{
    static_assert(PRC_RULE_BAR_MAX <= 64, "a bit per rule");
    uint64_t touched = 0;
    io_indicators(io, &state->indicators);
    for (unsigned r = 0; r < PRC_RULE_BAR_MAX && !prc_io_reading(io); r++)
        if (prc_rule_touched(&state->rules.of[r]))
            touched |= UINT64_C(1) << r;
    prc_io_u64(io, &touched);
    io->bad |= touched >> PRC_RULE_BAR_MAX != 0;
    for (unsigned r = 0; r < PRC_RULE_BAR_MAX; r++)
        if ((touched >> r & 1) != 0)
            prc_io_rule(io, &state->rules.of[r]);
    if (prc_io_reading(io))
        prc_rule_states_index(&state->rules);
}

static void io_numbers(struct prc_io *io, struct prc_numbers *numbers)
{
    prc_io_bool(io, &numbers->has_vwap);
    prc_io_text(io, &numbers->wide, WIDE_TEXT_MAX);
    int last = numbers->has_vwap ? PRC_NUMBER_MAX : PRC_VWAP;
    for (int f = 0; f < last && numbers->wide == NULL; f++) {
        prc_io_i64(io, &numbers->mantissa[f]);
        numbers->scale[f] = (uint8_t)prc_io_small(io, numbers->scale[f], UINT8_MAX + 1);
    }
    io->bad |= prc_io_reading(io) && !prc_numbers_valid(numbers);
}

enum { HAS_OTHER = 1, HAS_NEWS = 2, HAS_LATE = 4, HAS_MTF = 8, FROZEN_MASKS = 16 };

static void io_frozen(struct prc_io *io, struct prc_frozen *frozen)
{
    unsigned mask = (frozen->other_close != 0 ? HAS_OTHER : 0u) | (frozen->news_price != 0 ? HAS_NEWS : 0u) |
                    (frozen->late_us != PRC_NOT_JUDGED ? HAS_LATE : 0u) |
                    (frozen->mtf_count != 0 ? HAS_MTF : 0u);
    mask = prc_io_small(io, mask, FROZEN_MASKS);
    frozen->bits = (uint8_t)prc_io_small(io, frozen->bits, UINT8_MAX + 1);
    if (prc_io_reading(io))
        frozen->late_us = PRC_NOT_JUDGED;
    if ((mask & HAS_OTHER) != 0)
        prc_io_double(io, &frozen->other_close);
    if ((mask & HAS_NEWS) != 0)
        prc_io_double(io, &frozen->news_price);
    if ((mask & HAS_LATE) != 0)
        prc_io_i64(io, &frozen->late_us);
    if ((mask & HAS_MTF) != 0) {
        frozen->mtf_signed = (int8_t)((int)prc_io_small(io, (unsigned)(frozen->mtf_signed + 128), 256) - 128);
        frozen->mtf_weight = (uint8_t)prc_io_small(io, frozen->mtf_weight, UINT8_MAX + 1);
        frozen->mtf_count = (uint8_t)prc_io_small(io, frozen->mtf_count, UINT8_MAX + 1);
    }
}

// previous: the bar before it, whose time and day the deltas are taken from.
static void io_slot(struct prc_io *io, struct prc_slot *slot, const struct prc_slot *previous)
{
    prc_io_time_after(io, &slot->time_us, previous->time_us);
    slot->session_day = prc_io_day_after(io, slot->session_day, previous->session_day);
    slot->length = prc_io_u32(io, slot->length);
    prc_io_fixed(io, &slot->content_hash);
    prc_io_fixed(io, &slot->metric_hash);
    io_numbers(io, &slot->numbers);
    struct prc_frozen frozen = prc_slot_thaw(slot);
    io_frozen(io, &frozen);
    if (prc_io_reading(io))
        prc_slot_freeze(slot, &frozen);
    prc_io_i64(io, &slot->trade_count);
    slot->revision = (uint16_t)prc_io_small(io, slot->revision, UINT16_MAX + 1);
    slot->metric_revision = (uint16_t)prc_io_small(io, slot->metric_revision, UINT16_MAX + 1);
    slot->session = (uint8_t)prc_io_small(io, slot->session, MF_SESSION_MAX);
    slot->flags = (uint8_t)prc_io_small(io, slot->flags, MF_FLAG_ALL + 1);
    slot->mode = (uint8_t)prc_io_small(io, slot->mode, MF_MODE_MAX);
    prc_io_bool(io, &slot->emitted);
}

void prc_io_fired(struct prc_io *io, struct prc_fired *fired)
{
    uint64_t revision = fired->revision, version = fired->version;
    prc_io_i64(io, &fired->key_time_us);
    prc_io_i64(io, &fired->cooldown_until_us);
    prc_io_i64(io, &fired->resolved_time_us);
    prc_io_i64(io, &fired->resolved_bar_us);
    prc_io_double(io, &fired->value);
    prc_io_double(io, &fired->threshold);
    prc_io_u64(io, &revision);
    prc_io_u64(io, &version);
    io->bad |= revision > UINT16_MAX || version > UINT16_MAX;
    fired->revision = (uint16_t)revision;
    fired->version = (uint16_t)version;
    fired->rule = (uint8_t)prc_io_small(io, fired->rule, PRC_RULE_BAR_MAX);
    fired->severity = (uint8_t)prc_io_small(io, fired->severity, MF_SEVERITY_MAX);
    fired->direction = (uint8_t)prc_io_small(io, fired->direction, MF_DIRECTION_MAX);
    fired->resolution = (uint8_t)prc_io_small(io, fired->resolution, PRC_RESOLVED_CORRECTED + 1);
}

// The bars before the first stored one, as far as the look-back by time needs them.
static void io_behind(struct prc_io *io, struct prc_behind behind[PRC_BEHIND], size_t *count)
{
    prc_io_count(io, count, PRC_BEHIND);
    for (size_t i = 0; i < *count; i++) {
        prc_io_i64(io, &behind[i].time_us);
        behind[i].session_day = prc_io_i32(io, behind[i].session_day);
        behind[i].session = (uint8_t)prc_io_small(io, behind[i].session, MF_SESSION_MAX);
    }
}

static void io_tail(struct prc_io *io, struct prc_series *series)
{
    prc_io_i64(io, &series->largest_end_us);
    series->feeds = (uint16_t)prc_io_small(io, series->feeds, UINT16_MAX + 1);
    prc_io_i64(io, &series->stale_since_us);
    prc_io_double(io, &series->stale_value);
    prc_io_double(io, &series->stale_threshold);
    series->stale_revision = (uint16_t)prc_io_small(io, series->stale_revision, UINT16_MAX + 1);
    series->stale_severity = (uint8_t)prc_io_small(io, series->stale_severity, MF_SEVERITY_MAX);
    series->mtf_sign = (int8_t)((int)prc_io_small(io, (unsigned)(series->mtf_sign + 1), 4) - 1);
}

static size_t columns_of(enum mf_interval interval)
{
    return interval == MF_INTERVAL_1D ? PRC_COLUMN_MAX : PRC_COLUMN_HIGH;
}

static size_t lookback_limit(enum mf_interval interval)
{
    return interval == MF_INTERVAL_1D ? PRC_LOOKBACK_DAILY : PRC_LOOKBACK;
}

static void write_series(struct prc_io *io, struct prc_series *series)
{
    const struct prc_slot none = {0};
    const double *column[PRC_COLUMN_MAX] = {NULL};
    size_t lookback = prc_series_lookback(series, column), behind = series->behind_count;
    for (size_t k = 0; k < PRC_CHECKPOINTS; k++) {
        struct prc_state state;
        bool has = prc_series_checkpoint(series, k, &state);
        prc_io_bool(io, &has);
        if (has)
            io_state(io, &state);
    }
    io_state(io, &series->head);
    prc_io_count(io, &series->count, STORED_MAX);
    for (size_t i = 0; i < series->count; i++)
        io_slot(io, &series->slots[i], i > 0 ? &series->slots[i - 1] : &none);
    prc_io_count(io, &series->fired_count, FIRED_MAX);
    for (size_t i = 0; i < series->fired_count; i++)
        prc_io_fired(io, &series->fired[i]);
    io_behind(io, series->behind, &behind);
    prc_io_count(io, &lookback, lookback_limit(series->key.interval));
    for (size_t c = 0; c < columns_of(series->key.interval); c++)
        for (size_t i = 0; i < lookback; i++) {
            double value = column[c][i];
            prc_io_double(io, &value);
        }
}

static void read_slots(struct prc_io *io, struct prc_series_parts *parts)
{
    const struct prc_slot none = {0};
    prc_io_count(io, &parts->count, STORED_MAX);
    parts->slots = mf_calloc(parts->count + 1, sizeof *parts->slots);
    for (size_t i = 0; i < parts->count; i++) {
        io_slot(io, &parts->slots[i], i > 0 ? &parts->slots[i - 1] : &none);
        io->bad |= i > 0 && parts->slots[i].time_us <= parts->slots[i - 1].time_us;
    }
}

// What it reads is handed over to the series, or freed when it cannot be right.
static void read_series(struct prc_io *io, struct prc_series *series)
{
    struct prc_series_parts parts = {0};
    for (size_t k = 0; k < PRC_CHECKPOINTS; k++) {
        prc_io_bool(io, &parts.has_checkpoint[k]);
        if (parts.has_checkpoint[k])
            io_state(io, &parts.checkpoints[k]);
    }
    io_state(io, &parts.head);
    read_slots(io, &parts);
    prc_io_count(io, &parts.fired_count, FIRED_MAX);
    if ((size_t)(io->end - io->at) < parts.fired_count) // each takes more than a byte
        io->bad = true;
    struct prc_fired *fired = io->bad ? NULL : mf_calloc(parts.fired_count + 1, sizeof *fired);
    for (size_t i = 0; i < parts.fired_count && !io->bad; i++)
        prc_io_fired(io, &fired[i]);
    struct prc_behind behind[PRC_BEHIND] = {0};
    io_behind(io, behind, &parts.behind_count);
    parts.behind = behind;
    prc_io_count(io, &parts.lookback, lookback_limit(series->key.interval));
    double *values = mf_calloc(PRC_COLUMN_MAX * (parts.lookback + 1), sizeof *values);
    for (size_t c = 0; c < columns_of(series->key.interval); c++) {
        parts.column[c] = values + c * parts.lookback;
        for (size_t i = 0; i < parts.lookback; i++)
            prc_io_double(io, &values[c * parts.lookback + i]);
    }
    parts.fired = fired;
    if (!io->bad) {
        prc_series_restore(series, &parts);
    } else {
        for (size_t i = 0; i < parts.count; i++) {
            prc_numbers_clear(&parts.slots[i].numbers);
            free(parts.slots[i].frozen.whole);
        }
        free(parts.slots);
    }
    free(fired);
    free(values);
}

void prc_io_series(struct prc_io *io, struct prc_series **series)
{
    struct prc_series_key key = {.interval = MF_INTERVAL_1M};
    unsigned class = 0;
    if (!prc_io_reading(io)) {
        key = (*series)->key;
        class = (*series)->asset_class;
    }
    prc_io_name(io, key.source, sizeof key.source);
    prc_io_name(io, key.provider, sizeof key.provider);
    key.adjusted = (enum mf_adjusted)prc_io_small(io, key.adjusted, MF_ADJUSTED_MAX);
    key.interval = (enum mf_interval)prc_io_small(io, key.interval, MF_INTERVAL_MAX);
    class = prc_io_small(io, class, MF_ASSET_CLASS_MAX);
    if (prc_io_reading(io))
        *series = prc_series_new(&key, (enum mf_asset_class) class);
    io_tail(io, *series);
    if (prc_io_reading(io))
        read_series(io, *series);
    else
        write_series(io, *series);
    if (prc_io_reading(io) && io->bad)
        prc_series_free(series);
}
