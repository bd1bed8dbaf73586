// SPDX-License-Identifier: Apache-2.0
// Hashes of minutes (see minutes.h).
#include "services/ingestor/minutes.h"

#include <stdlib.h>

enum { MINUTES = 60, GROWTH = 6 };

// Hours of early and late trading have few bars: only those that there are take room.
struct ing_minutes_block {
    int64_t hour;      // since 1970
    uint64_t have;     // a bit per minute with a bar
    uint64_t hashes[]; // of these, in order of time
};

static int64_t hour_of(int64_t time_us)
{
    return time_us / MF_US_PER_HOUR - (time_us % MF_US_PER_HOUR < 0);
}

static uint64_t bit_of(int64_t time_us)
{
    return (uint64_t)1 << (time_us - hour_of(time_us) * MF_US_PER_HOUR) / MF_US_PER_MINUTE;
}

// Where the hash of that minute is, or would go.
static unsigned index_of(const struct ing_minutes_block *block, uint64_t bit)
{
    return (unsigned)__builtin_popcountll(block->have & (bit - 1));
}

// Room for as many hashes, in steps that waste nothing of what the allocator rounds up to.
static size_t size_for(unsigned count)
{
    unsigned capacity = count / GROWTH * GROWTH + GROWTH - 1;
    return sizeof(struct ing_minutes_block) + (capacity < MINUTES ? capacity : MINUTES) * sizeof(uint64_t);
}

void ing_minutes_free(struct ing_minutes *minutes)
{
    for (unsigned i = 0; i < minutes->count; i++)
        free(minutes->blocks[i]);
    free(minutes->blocks);
    *minutes = (struct ing_minutes){0};
}

// Where the first block is that is not before the hour. Mostly it is the last one, or behind it.
static unsigned place_of(const struct ing_minutes *minutes, int64_t hour)
{
    unsigned at = minutes->count;
    while (at > 0 && minutes->blocks[at - 1]->hour >= hour)
        at--;
    return at;
}

static struct ing_minutes_block *find(const struct ing_minutes *minutes, int64_t hour)
{
    unsigned at = place_of(minutes, hour);
    return at < minutes->count && minutes->blocks[at]->hour == hour ? minutes->blocks[at] : NULL;
}

static void drop_first(struct ing_minutes *minutes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(minutes->blocks[i]);
    minutes->count -= count;
    if (count > 0)
        memmove(minutes->blocks, minutes->blocks + count,
                minutes->count * sizeof(struct ing_minutes_block *));
}

// The hour's block, made when there is none; NULL when it is older than all that is remembered.
static struct ing_minutes_block **block_of(struct ing_minutes *minutes, int64_t hour)
{
    unsigned found = place_of(minutes, hour);
    if (found < minutes->count && minutes->blocks[found]->hour == hour)
        return &minutes->blocks[found];
    if (minutes->count == ING_MINUTES_HOURS_MAX) {
        if (hour < minutes->blocks[0]->hour)
            return NULL;
        drop_first(minutes, 1);
    }
    if (minutes->count == minutes->capacity) {
        minutes->capacity += minutes->capacity < 8 ? 4 : 8; // hours of a session come one by one
        minutes->blocks = mf_realloc(minutes->blocks, minutes->capacity * sizeof(struct ing_minutes_block *));
    }
    unsigned at = place_of(minutes, hour);
    memmove(minutes->blocks + at + 1, minutes->blocks + at,
            (minutes->count - at) * sizeof(struct ing_minutes_block *));
    minutes->blocks[at] = mf_calloc(1, size_for(0));
    minutes->blocks[at]->hour = hour;
    minutes->count++;
    return &minutes->blocks[at];
}

uint64_t ing_minutes_get(const struct ing_minutes *minutes, int64_t time_us)
{
    const struct ing_minutes_block *block = find(minutes, hour_of(time_us));
    uint64_t bit = bit_of(time_us);
    return block != NULL && (block->have & bit) != 0 ? block->hashes[index_of(block, bit)] : 0;
}

void ing_minutes_put(struct ing_minutes *minutes, int64_t time_us, uint64_t hash)
{
    struct ing_minutes_block **at = block_of(minutes, hour_of(time_us));
    uint64_t bit = bit_of(time_us);
    if (at == NULL)
        return;
    struct ing_minutes_block *block = *at;
    unsigned index = index_of(block, bit);
    unsigned count = (unsigned)__builtin_popcountll(block->have);
    if ((block->have & bit) == 0) {
        if (size_for(count + 1) > size_for(count))
            *at = block = mf_realloc(block, size_for(count + 1));
        memmove(block->hashes + index + 1, block->hashes + index, (count - index) * sizeof block->hashes[0]);
        block->have |= bit;
    }
    block->hashes[index] = hash != 0 ? hash : 1;
}

uint64_t ing_minutes_of_hour(const struct ing_minutes *minutes, int64_t hour_us)
{
    const struct ing_minutes_block *block = find(minutes, hour_of(hour_us));
    return block != NULL ? block->have : 0;
}

bool ing_minutes_any(const struct ing_minutes *minutes, int64_t from_us, int64_t to_us)
{
    for (unsigned i = 0; i < minutes->count; i++) {
        int64_t hour_us = minutes->blocks[i]->hour * MF_US_PER_HOUR;
        for (uint64_t have = minutes->blocks[i]->have; have != 0; have &= have - 1) {
            int64_t time_us = hour_us + __builtin_ctzll(have) * MF_US_PER_MINUTE;
            if (time_us >= from_us && time_us < to_us)
                return true;
        }
    }
    return false;
}

void ing_minutes_forget(struct ing_minutes *minutes, int64_t before_us)
{
    drop_first(minutes, place_of(minutes, hour_of(before_us)));
}

void ing_minutes_stage(struct ing_minutes_staged *staged, int64_t time_us, uint64_t hash)
{
    if (staged->count == staged->capacity) {
        staged->capacity = staged->capacity < 4 ? 4 : staged->capacity * 2;
        staged->items = mf_realloc(staged->items, staged->capacity * sizeof *staged->items);
    }
    staged->items[staged->count].time_us = time_us;
    staged->items[staged->count++].hash = hash;
}

void ing_minutes_commit(struct ing_minutes *minutes, struct ing_minutes_staged *staged)
{
    for (size_t i = 0; i < staged->count; i++)
        ing_minutes_put(minutes, staged->items[i].time_us, staged->items[i].hash);
    ing_minutes_rollback(staged);
}

// Thousands of series stage something once a minute, a few at a time: nothing is kept for the next time.
void ing_minutes_rollback(struct ing_minutes_staged *staged)
{
    free(staged->items);
    *staged = (struct ing_minutes_staged){0};
}
