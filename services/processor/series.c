// SPDX-License-Identifier: Apache-2.0
// The memory of a series: slots, columns, checkpoints. Grows with its bars, so that a series of few is small.
#include "services/processor/series_private.h"

#include <stdlib.h>

struct prc_series *prc_series_new(const struct prc_series_key *key, enum mf_asset_class asset_class)
{
    struct prc_series *series = mf_calloc(1, sizeof *series);
    series->key = *key;
    series->asset_class = asset_class;
    series->mtf_sign = PRC_MTF_COLD;
    return series;
}

static void clear_slot(struct prc_slot *slot)
{
    prc_numbers_clear(&slot->numbers);
    free(slot->frozen.whole);
}

void prc_series_free(struct prc_series **series)
{
    struct prc_series *s = *series;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        clear_slot(&s->slots[i]);
    for (size_t k = 0; k < PRC_CHECKPOINTS; k++)
        free(s->checkpoints[k]);
    free(s->slots);
    free(s->columns);
    free(s->fired);
    free(s);
    *series = NULL;
}

static size_t checkpoint_bytes(uint32_t touched)
{
    return sizeof(struct prc_checkpoint) +
           (size_t)__builtin_popcount(touched) * sizeof(struct prc_rule_state);
}

size_t prc_series_bytes(const struct prc_series *series)
{
    size_t bytes =
        sizeof *series + series->capacity * sizeof *series->slots +
        series->column_capacity * prc_column_kinds(series->key.interval) * sizeof *series->columns +
        series->fired_capacity * sizeof *series->fired;
    for (size_t k = 0; k < PRC_CHECKPOINTS; k++)
        if (series->checkpoints[k] != NULL)
            bytes += checkpoint_bytes(series->checkpoints[k]->touched);
    for (size_t i = 0; i < series->count; i++) {
        if (series->slots[i].numbers.wide != NULL)
            bytes += strlen(series->slots[i].numbers.wide) + 1;
        if (series->slots[i].frozen.whole != NULL)
            bytes += sizeof(struct prc_frozen);
    }
    return bytes;
}

// What matters of a rule that is not open: its cooldown, and what severity broke it.
bool prc_rule_touched(const struct prc_rule_state *rule)
{
    return rule->open_time_us != 0 || rule->cooldown_until_us != 0 || rule->last_severity != 0;
}

struct prc_checkpoint *prc_checkpoint_pack(const struct prc_state *state)
{
    uint32_t touched = 0;
    for (size_t r = 0; r < PRC_RULE_BAR_MAX; r++)
        if (prc_rule_touched(&state->rules.of[r]))
            touched |= UINT32_C(1) << r;
    struct prc_checkpoint *checkpoint = mf_alloc(checkpoint_bytes(touched));
    checkpoint->indicators = state->indicators;
    checkpoint->open = state->rules.open;
    checkpoint->touched = touched;
    size_t kept = 0;
    for (size_t r = 0; r < PRC_RULE_BAR_MAX; r++)
        if ((touched >> r & 1) != 0)
            checkpoint->rules[kept++] = state->rules.of[r];
    return checkpoint;
}

void prc_checkpoint_unpack(const struct prc_checkpoint *checkpoint, struct prc_state *state)
{
    memset(state, 0, sizeof *state);
    if (checkpoint == NULL)
        return;
    state->indicators = checkpoint->indicators;
    state->rules.open = checkpoint->open;
    size_t kept = 0;
    for (size_t r = 0; r < PRC_RULE_BAR_MAX; r++)
        if ((checkpoint->touched >> r & 1) != 0)
            state->rules.of[r] = checkpoint->rules[kept++];
}

size_t prc_series_rewind(const struct prc_series *series, size_t index, struct prc_state *state)
{
    size_t k = index / PRC_CHECKPOINT;
    k = k < PRC_CHECKPOINTS ? k : PRC_CHECKPOINTS - 1;
    while (k > 0 && series->checkpoints[k] == NULL)
        k--;
    prc_checkpoint_unpack(series->checkpoints[k], state);
    return k * PRC_CHECKPOINT;
}

void prc_series_save(struct prc_series *series, size_t index, const struct prc_state *state)
{
    if (index == 0 || index % PRC_CHECKPOINT != 0)
        return;
    struct prc_checkpoint **place = &series->checkpoints[index / PRC_CHECKPOINT];
    free(*place);
    *place = prc_checkpoint_pack(state);
}

size_t prc_series_ring_start(const struct prc_series *series)
{
    return series->count > PRC_RING ? series->count - PRC_RING : 0;
}

size_t prc_series_ring_count(const struct prc_series *series)
{
    return series->count - prc_series_ring_start(series);
}

const struct prc_slot *prc_series_ring_slot(const struct prc_series *series, size_t index)
{
    assert(index < prc_series_ring_count(series));
    return &series->slots[prc_series_ring_start(series) + index];
}

static int64_t newest_us(const struct prc_series *series)
{
    return series->recent_count > 0 ? series->recent[series->recent_count - 1].time_us : INT64_MIN;
}

size_t prc_series_lower_bound(const struct prc_series *series, int64_t time_us)
{
    size_t at = series->count;
    if (time_us > newest_us(series))
        return at;
    while (at > 0 && series->slots[at - 1].time_us >= time_us)
        at--;
    return at;
}

const struct prc_slot *prc_series_find(const struct prc_series *series, int64_t time_us)
{
    size_t at = prc_series_lower_bound(series, time_us);
    return at < series->count && series->slots[at].time_us == time_us ? &series->slots[at] : NULL;
}

// A series is seldom in the cache when its bar comes: what an append reads is asked for ahead.
static void prefetch(const struct prc_series *series)
{
    const char *head = (const char *)&series->head;
    for (size_t at = 0; at < sizeof series->head; at += 64)
        __builtin_prefetch(head + at, 1);
    if (series->columns == NULL || series->count == series->capacity)
        return;
    __builtin_prefetch(&series->slots[series->count], 1);
    __builtin_prefetch((const char *)&series->slots[series->count] + 64, 1);
    const double *closes = prc_column(series, PRC_COLUMN_CLOSE) + series->column_count;
    for (size_t back = 0; back <= 64 && back <= series->column_count; back += 8)
        __builtin_prefetch(closes - back, 1);
    for (size_t back = 0; back <= 24 && back <= series->column_count; back += 8)
        __builtin_prefetch(closes + series->column_capacity - back, 1);
}

enum prc_placement prc_series_place(const struct prc_series *series, int64_t time_us, uint64_t content_hash,
                                    unsigned *revision)
{
    *revision = 0;
    if (time_us > newest_us(series)) {
        prefetch(series);
        return PRC_PLACED_NEW;
    }
    if (series->head.indicators.n_obs > PRC_RING &&
        time_us < series->slots[prc_series_ring_start(series)].time_us)
        return PRC_PLACED_LATE;
    const struct prc_slot *slot = prc_series_find(series, time_us);
    if (slot == NULL)
        return PRC_PLACED_NEW;
    bool same = slot->content_hash == content_hash;
    *revision = same ? slot->revision : slot->revision + 1u;
    return same ? PRC_PLACED_DUPLICATE : PRC_PLACED_CORRECTION;
}

// Columns for one more bar. They grow to what a full series needs and no further.
static void reserve_columns(struct prc_series *series)
{
    if (series->column_count < series->column_capacity)
        return;
    size_t limit = prc_lookback_limit(series->key.interval) + PRC_STORED;
    size_t capacity = series->column_capacity == 0 ? PRC_SLOTS_MIN : series->column_capacity * 2;
    capacity = capacity < limit ? capacity : limit;
    assert(series->column_count < capacity);
    size_t kinds = prc_column_kinds(series->key.interval);
    double *columns = mf_alloc(kinds * capacity * sizeof *columns);
    for (size_t c = 0; c < kinds && series->column_count > 0; c++)
        memcpy(columns + c * capacity, prc_column(series, c), series->column_count * sizeof *columns);
    free(series->columns);
    series->columns = columns;
    series->column_capacity = capacity;
}

static struct prc_behind behind_of(const struct prc_slot *slot)
{
    return (struct prc_behind){slot->time_us, slot->session_day, slot->session};
}

// The bars behind the first stored one, by which velocity finds its base.
static void keep_behind(struct prc_series *series)
{
    if (series->key.interval != MF_INTERVAL_1M && series->key.interval != MF_INTERVAL_5M)
        return;
    static_assert(PRC_BEHIND <= PRC_CHECKPOINT, "all come from the bars that leave");
    series->behind_count = PRC_BEHIND;
    for (size_t i = 0; i < PRC_BEHIND; i++)
        series->behind[i] = behind_of(&series->slots[PRC_CHECKPOINT - PRC_BEHIND + i]);
}

// The state after the first PRC_CHECKPOINT bars, when a restore has not brought it.
static void make_next_base(struct prc_series *series, const struct prc_rule_config *config)
{
    if (series->checkpoints[1] != NULL)
        return;
    struct prc_state state;
    struct prc_values values;
    struct prc_transition transitions[PRC_TRANSITIONS_MAX];
    prc_checkpoint_unpack(series->checkpoints[0], &state);
    for (size_t i = 0; i < PRC_CHECKPOINT; i++) {
        struct prc_bar bar;
        prc_slot_bar(&series->slots[i], &bar);
        prc_series_step(series, i, &bar, config, &state, &values, transitions);
    }
    prc_series_save(series, PRC_CHECKPOINT, &state);
}

// The oldest bars leave: their state becomes the base, their numbers look-back.
static void drop_oldest(struct prc_series *series, const struct prc_rule_config *config)
{
    make_next_base(series, config);
    free(series->checkpoints[0]);
    for (size_t k = 1; k < PRC_CHECKPOINTS; k++)
        series->checkpoints[k - 1] = series->checkpoints[k];
    series->checkpoints[PRC_CHECKPOINTS - 1] = NULL;
    keep_behind(series);
    for (size_t i = 0; i < PRC_CHECKPOINT; i++)
        clear_slot(&series->slots[i]);
    series->count -= PRC_CHECKPOINT;
    memmove(series->slots, series->slots + PRC_CHECKPOINT, series->count * sizeof *series->slots);
    size_t wanted = prc_lookback_limit(series->key.interval) + series->count;
    if (series->column_count <= wanted)
        return;
    for (size_t c = 0; c < prc_column_kinds(series->key.interval); c++)
        memmove(prc_column(series, c), prc_column(series, c) + (series->column_count - wanted),
                wanted * sizeof *series->columns);
    series->column_count = wanted;
}

void prc_series_make_room(struct prc_series *series, const struct prc_rule_config *config, size_t *index)
{
    if (series->count == PRC_STORED) {
        assert(*index >= PRC_CHECKPOINT); // older than the ring is LATE
        drop_oldest(series, config);
        *index -= PRC_CHECKPOINT;
    }
    reserve_columns(series);
    if (series->count < series->capacity)
        return;
    size_t capacity = series->capacity == 0 ? PRC_SLOTS_MIN : series->capacity * 2;
    series->capacity = capacity < PRC_STORED ? capacity : PRC_STORED;
    series->slots = mf_realloc(series->slots, series->capacity * sizeof *series->slots);
}

void prc_series_set_columns(struct prc_series *series, size_t index, const struct prc_bar *bar)
{
    size_t at = series->column_count - series->count + index;
    prc_column(series, PRC_COLUMN_CLOSE)[at] = bar->close;
    prc_column(series, PRC_COLUMN_VOLUME)[at] = bar->volume;
    if (series->key.interval == MF_INTERVAL_1D) {
        prc_column(series, PRC_COLUMN_HIGH)[at] = bar->high;
        prc_column(series, PRC_COLUMN_LOW)[at] = bar->low;
    }
}

static void set_slot(struct prc_slot *slot, struct prc_series_bar *bar)
{
    slot->time_us = bar->bar.time_us;
    slot->length = prc_window_pack(bar->bar.end_us - bar->bar.time_us);
    slot->content_hash = bar->content_hash;
    slot->numbers = bar->numbers;
    bar->numbers.wide = NULL;
    slot->trade_count = bar->trade_count;
    slot->session_day = bar->bar.session_day;
    slot->session = (uint8_t)bar->bar.session;
    slot->flags = (uint8_t)bar->bar.flags;
    slot->mode = (uint8_t)bar->bar.mode;
}

void prc_series_note_recent(struct prc_series *series)
{
    series->recent_count = (uint8_t)(series->count < PRC_RECENT_BARS ? series->count : PRC_RECENT_BARS);
    for (size_t i = 0; i < series->recent_count; i++)
        series->recent[i] = behind_of(&series->slots[series->count - series->recent_count + i]);
}

static void push_recent(struct prc_series *series, const struct prc_slot *slot)
{
    if (series->recent_count == PRC_RECENT_BARS)
        memmove(series->recent, series->recent + 1, (PRC_RECENT_BARS - 1) * sizeof *series->recent);
    else
        series->recent_count++;
    series->recent[series->recent_count - 1] = behind_of(slot);
}

void prc_series_insert(struct prc_series *series, size_t index, struct prc_series_bar *bar)
{
    size_t behind = series->count - index;
    memmove(series->slots + index + 1, series->slots + index, behind * sizeof *series->slots);
    series->slots[index] = (struct prc_slot){0};
    set_slot(&series->slots[index], bar);
    prc_slot_freeze(&series->slots[index], &bar->bar.frozen);
    for (size_t c = 0; c < prc_column_kinds(series->key.interval) && behind > 0; c++) {
        double *at = prc_column(series, c) + series->column_count - behind;
        memmove(at + 1, at, behind * sizeof *at);
    }
    series->count++;
    series->column_count++;
    prc_series_set_columns(series, index, &bar->bar);
    if (behind == 0)
        push_recent(series, &series->slots[index]);
    else
        prc_series_note_recent(series);
}

void prc_series_replace(struct prc_series *series, size_t index, struct prc_series_bar *bar)
{
    struct prc_slot *slot = &series->slots[index];
    prc_numbers_clear(&slot->numbers);
    set_slot(slot, bar);
    slot->revision++;
    prc_series_set_columns(series, index, &bar->bar);
    prc_series_note_recent(series); // its session may be another now
}

// The close that velocity measures from: of the newest bar that starts at least five minutes earlier, in the
// same session; 0 = none.
static double velocity_base(const struct prc_series *series, size_t index, const struct prc_bar *bar)
{
    if (series->key.interval != MF_INTERVAL_1M && series->key.interval != MF_INTERVAL_5M)
        return 0;
    for (size_t back = 1; back <= PRC_BEHIND && back <= index + series->behind_count; back++) {
        struct prc_behind earlier;
        size_t from_end = series->count - 1 - index + back;
        if (from_end < series->recent_count)
            earlier = series->recent[series->recent_count - 1 - from_end];
        else if (back <= index)
            earlier = behind_of(&series->slots[index - back]);
        else
            earlier = series->behind[series->behind_count + index - back];
        if (earlier.time_us > bar->time_us - 5 * MF_US_PER_MINUTE)
            continue;
        bool same = series->asset_class == MF_ASSET_CRYPTO ||
                    (earlier.session_day == bar->session_day && earlier.session == bar->session);
        return same
                   ? prc_column(series, PRC_COLUMN_CLOSE)[series->column_count - series->count + index - back]
                   : 0;
    }
    return 0;
}

size_t prc_series_step(struct prc_series *series, size_t index, const struct prc_bar *bar,
                       const struct prc_rule_config *config, struct prc_state *state,
                       struct prc_values *values, struct prc_transition transitions[PRC_TRANSITIONS_MAX])
{
    enum mf_interval interval = series->key.interval;
    size_t at = series->column_count - series->count + index, limit = prc_lookback_limit(interval);
    size_t from = at > limit ? at - limit : 0;
    double *past = prc_history_column(series);
    bool daily = interval == MF_INTERVAL_1D;
    struct prc_window window = {.closes = prc_column(series, PRC_COLUMN_CLOSE) + from,
                                .volumes = prc_column(series, PRC_COLUMN_VOLUME) + from,
                                .highs = daily ? prc_column(series, PRC_COLUMN_HIGH) + from : NULL,
                                .lows = daily ? prc_column(series, PRC_COLUMN_LOW) + from : NULL,
                                .count = at - from + 1,
                                .history = past != NULL ? past + from : NULL,
                                .velocity_base = velocity_base(series, index, bar)};
    struct prc_indicator_state before = state->indicators;
    prc_indicators_step(&before, &window, bar, interval, series->asset_class, &state->indicators, values);
    if (past != NULL)
        past[at] = prc_history_of(values, interval);
    return prc_rules_step(config, values, bar, interval, series->asset_class, &state->rules, transitions);
}
