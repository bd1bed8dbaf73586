// SPDX-License-Identifier: Apache-2.0
#include "services/processor/cell.h"

#include <stdlib.h>

#define BUCKETS_MIN 256

// How many cells each (partition, lane) has; a handful of lanes at a time.
struct lane_count {
    int32_t partition;
    char *lane;
    size_t cells;
    struct lane_count *next;
};

struct undo {
    struct prc_cell *copy; // as it was; NULL = it did not exist
    int32_t partition;
    char *lane, *symbol; // key of a cell that did not exist
};

struct prc_cells {
    struct prc_cell **buckets;
    size_t bucket_count, count, max_cells;
    struct lane_count *lanes;
    struct undo *undo;
    size_t undo_count, undo_capacity;
    uint64_t transaction; // number of the one that is open
};

struct prc_cells *prc_cells_new(size_t max_cells)
{
    struct prc_cells *cells = mf_calloc(1, sizeof(*cells));
    cells->bucket_count = BUCKETS_MIN;
    cells->buckets = mf_calloc(cells->bucket_count, sizeof(struct prc_cell *));
    cells->max_cells = max_cells;
    cells->transaction = 1;
    return cells;
}

static void cell_free(struct prc_cell *cell)
{
    for (size_t i = 0; i < cell->series_count; i++)
        prc_series_free(&cell->series[i]);
    free(cell->recent);
    free(cell->lane);
    free(cell->symbol);
    free(cell);
}

static struct prc_cell *cell_copy(const struct prc_cell *cell)
{
    struct prc_cell *copy = mf_alloc(sizeof(*copy));
    *copy = *cell;
    copy->lane = mf_strdup(cell->lane);
    copy->symbol = mf_strdup(cell->symbol);
    copy->next = NULL;
    for (size_t i = 0; i < cell->series_count; i++)
        copy->series[i] = prc_series_clone(cell->series[i]);
    if (cell->recent != NULL) {
        copy->recent = mf_alloc(PRC_RECENT * sizeof(*copy->recent));
        memcpy(copy->recent, cell->recent, PRC_RECENT * sizeof(*copy->recent));
    }
    return copy;
}

static uint64_t hash_key(int32_t partition, struct mf_str lane, struct mf_str symbol)
{
    uint64_t hash =
        mf_hash64(symbol.data, symbol.len) ^ (uint64_t)(uint32_t)partition * UINT64_C(0x9E3779B97F4A7C15);
    return hash * 31 + mf_hash64(lane.data, lane.len);
}

static struct prc_cell **find(struct prc_cells *cells, int32_t partition, struct mf_str lane,
                              struct mf_str symbol)
{
    struct prc_cell **at = &cells->buckets[hash_key(partition, lane, symbol) & (cells->bucket_count - 1)];
    while (*at != NULL && ((*at)->partition != partition || !mf_str_eq_c(symbol, (*at)->symbol) ||
                           !mf_str_eq_c(lane, (*at)->lane)))
        at = &(*at)->next;
    return at;
}

static struct lane_count **find_lane(struct prc_cells *cells, int32_t partition, struct mf_str lane)
{
    struct lane_count **at = &cells->lanes;
    while (*at != NULL && ((*at)->partition != partition || !mf_str_eq_c(lane, (*at)->lane)))
        at = &(*at)->next;
    return at;
}

static void lane_enter(struct prc_cells *cells, int32_t partition, struct mf_str lane)
{
    struct lane_count **at = find_lane(cells, partition, lane);
    if (*at == NULL) {
        *at = mf_calloc(1, sizeof(**at));
        (*at)->partition = partition;
        (*at)->lane = mf_strndup(lane);
    }
    (*at)->cells++;
}

static void lane_leave(struct prc_cells *cells, int32_t partition, struct mf_str lane)
{
    struct lane_count **at = find_lane(cells, partition, lane), *entry = *at;
    assert(entry != NULL);
    if (--entry->cells > 0)
        return;
    *at = entry->next;
    free(entry->lane);
    free(entry);
}

static void grow(struct prc_cells *cells)
{
    struct prc_cell **old = cells->buckets;
    size_t old_count = cells->bucket_count;
    cells->bucket_count *= 2;
    cells->buckets = mf_calloc(cells->bucket_count, sizeof(struct prc_cell *));
    for (size_t i = 0; i < old_count; i++)
        while (old[i] != NULL) {
            struct prc_cell *cell = old[i];
            old[i] = cell->next;
            cell->next = NULL;
            *find(cells, cell->partition, mf_str_of(cell->lane), mf_str_of(cell->symbol)) = cell;
        }
    free(old);
}

static void insert(struct prc_cells *cells, struct prc_cell *cell)
{
    if (cells->count >= cells->bucket_count)
        grow(cells);
    cell->next = NULL;
    *find(cells, cell->partition, mf_str_of(cell->lane), mf_str_of(cell->symbol)) = cell;
    cells->count++;
    lane_enter(cells, cell->partition, mf_str_of(cell->lane));
}

// Takes the cell out of the table; the caller owns it.
static struct prc_cell *take_out(struct prc_cells *cells, struct prc_cell **at)
{
    struct prc_cell *cell = *at;
    *at = cell->next;
    cell->next = NULL;
    cells->count--;
    lane_leave(cells, cell->partition, mf_str_of(cell->lane));
    return cell;
}

static struct undo *push_undo(struct prc_cells *cells)
{
    if (cells->undo_count == cells->undo_capacity) {
        cells->undo_capacity = cells->undo_capacity == 0 ? 64 : cells->undo_capacity * 2;
        cells->undo = mf_realloc(cells->undo, cells->undo_capacity * sizeof(*cells->undo));
    }
    struct undo *undo = &cells->undo[cells->undo_count++];
    memset(undo, 0, sizeof(*undo));
    return undo;
}

struct prc_cell *prc_cells_touch(struct prc_cells *cells, int32_t partition, struct mf_str lane,
                                 struct mf_str symbol, bool make, bool *full)
{
    *full = false;
    struct prc_cell *cell = *find(cells, partition, lane, symbol);
    if (cell != NULL) {
        if (cell->touched_in != cells->transaction) {
            push_undo(cells)->copy = cell_copy(cell);
            cell->touched_in = cells->transaction;
        }
        return cell;
    }
    if (!make)
        return NULL;
    const struct lane_count *entry = *find_lane(cells, partition, lane);
    if (entry != NULL && entry->cells >= cells->max_cells) {
        *full = true;
        return NULL;
    }
    cell = mf_calloc(1, sizeof(*cell));
    cell->partition = partition;
    cell->lane = mf_strndup(lane);
    cell->symbol = mf_strndup(symbol);
    cell->touched_in = cells->transaction;
    insert(cells, cell);
    struct undo *undo = push_undo(cells);
    undo->partition = partition;
    undo->lane = mf_strndup(lane);
    undo->symbol = mf_strndup(symbol);
    return cell;
}

size_t prc_cells_end_lane(struct prc_cells *cells, int32_t partition, struct mf_str lane)
{
    size_t removed = 0;
    for (size_t b = 0; b < cells->bucket_count; b++) {
        struct prc_cell **at = &cells->buckets[b];
        while (*at != NULL) {
            if ((*at)->partition != partition || !mf_str_eq_c(lane, (*at)->lane)) {
                at = &(*at)->next;
                continue;
            }
            struct prc_cell *cell = take_out(cells, at);
            removed++;
            if (cell->touched_in == cells->transaction)
                cell_free(cell); // the undo log knows what it was before
            else
                push_undo(cells)->copy = cell;
        }
    }
    return removed;
}

static void drop_undo(struct undo *undo)
{
    if (undo->copy != NULL)
        cell_free(undo->copy);
    free(undo->lane);
    free(undo->symbol);
}

void prc_cells_commit(struct prc_cells *cells)
{
    for (size_t i = 0; i < cells->undo_count; i++)
        drop_undo(&cells->undo[i]);
    cells->undo_count = 0;
    cells->transaction++;
}

// Newest first, so that a cell that was removed and made again ends as it was at the start.
void prc_cells_rollback(struct prc_cells *cells)
{
    while (cells->undo_count > 0) {
        struct undo *undo = &cells->undo[--cells->undo_count];
        struct prc_cell *copy = undo->copy;
        int32_t partition = copy != NULL ? copy->partition : undo->partition;
        struct mf_str lane = mf_str_of(copy != NULL ? copy->lane : undo->lane);
        struct mf_str symbol = mf_str_of(copy != NULL ? copy->symbol : undo->symbol);
        struct prc_cell **at = find(cells, partition, lane, symbol);
        if (*at != NULL)
            cell_free(take_out(cells, at));
        if (copy != NULL)
            insert(cells, copy);
        undo->copy = NULL;
        drop_undo(undo);
    }
    cells->transaction++;
}

void prc_cells_clear(struct prc_cells *cells)
{
    prc_cells_commit(cells);
    for (size_t b = 0; b < cells->bucket_count; b++)
        while (cells->buckets[b] != NULL)
            cell_free(take_out(cells, &cells->buckets[b]));
}

void prc_cells_free(struct prc_cells **cells)
{
    if (*cells == NULL)
        return;
    prc_cells_clear(*cells);
    free((*cells)->undo);
    free((*cells)->buckets);
    free(*cells);
    *cells = NULL;
}

size_t prc_cells_count(const struct prc_cells *cells)
{
    return cells->count;
}

size_t prc_cells_bytes(const struct prc_cells *cells)
{
    size_t bytes = sizeof(*cells) + cells->bucket_count * sizeof(struct prc_cell *);
    for (size_t b = 0; b < cells->bucket_count; b++)
        for (const struct prc_cell *cell = cells->buckets[b]; cell != NULL; cell = cell->next) {
            bytes += sizeof(*cell) + (cell->recent != NULL ? PRC_RECENT * sizeof(*cell->recent) : 0);
            for (size_t i = 0; i < cell->series_count; i++)
                bytes += prc_series_bytes(cell->series[i]);
        }
    return bytes;
}

struct prc_series *prc_cell_series(struct prc_cell *cell, const struct prc_series_key *key,
                                   enum mf_asset_class asset_class)
{
    for (size_t i = 0; i < cell->series_count; i++) {
        const struct prc_series_key *have = &cell->series[i]->key;
        if (have->interval == key->interval && have->adjusted == key->adjusted &&
            strcmp(have->source, key->source) == 0)
            return cell->series[i];
    }
    if (cell->series_count == PRC_SERIES_PER_CELL_MAX)
        return NULL;
    return cell->series[cell->series_count++] = prc_series_new(key, asset_class);
}

struct prc_recent *prc_cell_recent(struct prc_cell *cell, uint64_t key_hash, bool *made)
{
    *made = false;
    if (cell->recent == NULL)
        cell->recent = mf_calloc(PRC_RECENT, sizeof(*cell->recent));
    for (size_t i = cell->recent_count; i > 0; i--) {
        struct prc_recent *entry = &cell->recent[(cell->recent_start + i - 1) % PRC_RECENT];
        if (entry->key_hash == key_hash)
            return entry;
    }
    if (cell->recent_count == PRC_RECENT) {
        cell->recent_start = (cell->recent_start + 1) % PRC_RECENT;
        cell->recent_count--;
    }
    struct prc_recent *entry = &cell->recent[(cell->recent_start + cell->recent_count++) % PRC_RECENT];
    *entry = (struct prc_recent){.key_hash = key_hash};
    *made = true;
    return entry;
}
