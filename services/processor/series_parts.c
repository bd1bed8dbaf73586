// SPDX-License-Identifier: Apache-2.0
// A series taken apart and put together again, for the codec; and what a slot holds of a bar.
#include <stdlib.h>

#include "services/processor/series_private.h"

struct prc_frozen prc_slot_thaw(const struct prc_slot *slot)
{
    const struct prc_slot_frozen *kept = &slot->frozen;
    if (kept->whole != NULL)
        return *kept->whole;
    return (struct prc_frozen){.late_us = kept->late_ms == PRC_SLOT_NOT_JUDGED
                                              ? PRC_NOT_JUDGED
                                              : (int64_t)kept->late_ms * MF_US_PER_MS,
                               .mtf_signed = kept->mtf_signed,
                               .mtf_weight = kept->mtf_weight,
                               .mtf_count = kept->mtf_count,
                               .bits = kept->bits};
}

static bool late_fits(int64_t late_us)
{
    int64_t late_ms = late_us / MF_US_PER_MS;
    return late_us == PRC_NOT_JUDGED ||
           (late_us % MF_US_PER_MS == 0 && late_ms > INT32_MIN && late_ms <= INT32_MAX);
}

void prc_slot_freeze(struct prc_slot *slot, const struct prc_frozen *frozen)
{
    free(slot->frozen.whole);
    bool judged = frozen->late_us != PRC_NOT_JUDGED, fits = late_fits(frozen->late_us);
    slot->frozen = (struct prc_slot_frozen){
        .late_ms = judged && fits ? (int32_t)(frozen->late_us / MF_US_PER_MS) : PRC_SLOT_NOT_JUDGED,
        .mtf_signed = frozen->mtf_signed,
        .mtf_weight = frozen->mtf_weight,
        .mtf_count = frozen->mtf_count,
        .bits = frozen->bits};
    if (frozen->other_close != 0 || frozen->news_price != 0 || !fits) {
        slot->frozen.whole = mf_alloc(sizeof *slot->frozen.whole);
        *slot->frozen.whole = *frozen;
    }
}

void prc_slot_bar(const struct prc_slot *slot, struct prc_bar *bar)
{
    const struct prc_numbers *numbers = &slot->numbers;
    *bar = (struct prc_bar){.time_us = slot->time_us,
                            .end_us = slot->time_us + prc_window_us(slot->length),
                            .open = prc_number_double(numbers, PRC_OPEN),
                            .high = prc_number_double(numbers, PRC_HIGH),
                            .low = prc_number_double(numbers, PRC_LOW),
                            .close = prc_number_double(numbers, PRC_CLOSE),
                            .volume = prc_number_double(numbers, PRC_VOLUME),
                            .vwap = numbers->has_vwap ? prc_number_double(numbers, PRC_VWAP) : 0,
                            .has_vwap = numbers->has_vwap,
                            .session_day = slot->session_day,
                            .session = (enum mf_session)slot->session,
                            .flags = slot->flags,
                            .mode = (enum mf_provenance_mode)slot->mode,
                            .frozen = prc_slot_thaw(slot)};
}

bool prc_series_checkpoint(const struct prc_series *series, size_t index, struct prc_state *state)
{
    const struct prc_checkpoint *checkpoint = index < PRC_CHECKPOINTS ? series->checkpoints[index] : NULL;
    if (index > 0 && checkpoint == NULL)
        return false;
    prc_checkpoint_unpack(checkpoint, state);
    return true;
}

size_t prc_series_lookback(const struct prc_series *series, const double *columns[PRC_COLUMN_MAX])
{
    size_t kept = series->key.interval == MF_INTERVAL_1D ? PRC_COLUMN_MAX : PRC_COLUMN_HIGH;
    for (size_t c = 0; c < PRC_COLUMN_MAX; c++)
        columns[c] = c < kept && series->columns != NULL ? prc_column(series, c) : NULL;
    return series->column_count - series->count;
}

// The columns: look-back as given, the stored bars' from their numbers, the history from the closes.
static void restore_columns(struct prc_series *series, const struct prc_series_parts *parts)
{
    enum mf_interval interval = series->key.interval;
    size_t kinds = prc_column_kinds(interval), limit = prc_lookback_limit(interval) + PRC_STORED;
    size_t count = parts->lookback + parts->count, capacity = PRC_SLOTS_MIN;
    if (count == 0)
        return;
    while (capacity < count)
        capacity *= 2;
    series->column_capacity = capacity < limit ? capacity : limit;
    series->column_count = count;
    series->columns = mf_alloc(kinds * series->column_capacity * sizeof *series->columns);
    size_t stored = interval == MF_INTERVAL_1D ? PRC_COLUMN_MAX : PRC_COLUMN_HIGH;
    for (size_t c = 0; c < stored && parts->lookback > 0; c++)
        memcpy(prc_column(series, c), parts->column[c], parts->lookback * sizeof(double));
    for (size_t i = 0; i < parts->count; i++) {
        struct prc_bar bar;
        prc_slot_bar(&series->slots[i], &bar);
        prc_series_set_columns(series, i, &bar);
    }
    double *history = prc_history_column(series);
    for (size_t i = 0; history != NULL && i < count; i++)
        history[i] = prc_window_history(prc_column(series, PRC_COLUMN_CLOSE), i + 1, interval);
}

void prc_series_restore(struct prc_series *series, const struct prc_series_parts *parts)
{
    assert(series->count == 0 && series->capacity == 0 && parts->count <= PRC_STORED);
    series->head = parts->head;
    series->slots = parts->slots;
    series->count = series->capacity = parts->count;
    if (parts->checkpoints[0].indicators.n_obs > 0)
        series->checkpoints[0] = prc_checkpoint_pack(&parts->checkpoints[0]);
    for (size_t k = 1; k < PRC_CHECKPOINTS; k++)
        if (parts->has_checkpoint[k] && k * PRC_CHECKPOINT < parts->count)
            prc_series_save(series, k * PRC_CHECKPOINT, &parts->checkpoints[k]);
    series->behind_count = (uint8_t)(parts->behind_count < PRC_BEHIND ? parts->behind_count : PRC_BEHIND);
    for (size_t i = 0; i < series->behind_count; i++)
        series->behind[i] = parts->behind[i];
    series->fired_count = series->fired_capacity = parts->fired_count;
    if (parts->fired_count > 0) {
        series->fired = mf_alloc(parts->fired_count * sizeof *series->fired);
        memcpy(series->fired, parts->fired, parts->fired_count * sizeof *series->fired);
    }
    restore_columns(series, parts);
    prc_series_note_recent(series);
}
