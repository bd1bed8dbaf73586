// SPDX-License-Identifier: Apache-2.0
// Cells: all state that the records of one (input partition, lane, symbol) can touch, and the table that
// holds them, with an undo log per transaction: the first touch of a cell keeps a copy, which a rollback puts
// back.
#ifndef PRC_CELL_H
#define PRC_CELL_H

#include "services/processor/series.h"

#define PRC_SERIES_PER_CELL_MAX 32
#define PRC_RECENT 256 // article ids and reference events remembered per cell

enum prc_news_alert { PRC_NEWS_ALERT_NEVER, PRC_NEWS_ALERT_STANDS, PRC_NEWS_ALERT_WITHDRAWN };

struct prc_recent { // one remembered key
    uint64_t key_hash, content_hash;
    uint16_t revision;       // of the event
    uint16_t alert_revision; // of the alert last published for it (news)
    uint8_t alert;           // enum prc_news_alert
    uint8_t alert_severity, alert_words;
    uint32_t alert_list; // hash of the words that the alert names
};

struct prc_cell {
    int32_t partition;
    char *lane, *symbol;
    struct prc_series *series[PRC_SERIES_PER_CELL_MAX];
    size_t series_count;
    struct prc_recent *recent; // ring, NULL until the first
    size_t recent_start, recent_count;
    uint64_t touched_in; // number of the transaction that has a copy of it
    struct prc_cell *next;
};

struct prc_cells;

// max_cells: per (partition, lane).
struct prc_cells *prc_cells_new(size_t max_cells);
void prc_cells_free(struct prc_cells **cells);

// The cell, ready to be changed (copied into the undo log on its first touch in this transaction); made when
// absent and `make`. NULL when absent or when the lane is full (*full is set).
struct prc_cell *prc_cells_touch(struct prc_cells *cells, int32_t partition, struct mf_str lane,
                                 struct mf_str symbol, bool make, bool *full);
// Removes a lane's cells of a partition (end of the lane). Undone by a rollback.
size_t prc_cells_end_lane(struct prc_cells *cells, int32_t partition, struct mf_str lane);
// Everything since the last commit stands / is put back exactly.
void prc_cells_commit(struct prc_cells *cells);
void prc_cells_rollback(struct prc_cells *cells);
void prc_cells_clear(struct prc_cells *cells); // all cells go (partitions revoked)
size_t prc_cells_count(const struct prc_cells *cells);
size_t prc_cells_bytes(const struct prc_cells *cells);

// The series of that key, made for that class when absent; NULL when the cell holds PRC_SERIES_PER_CELL_MAX
// already.
struct prc_series *prc_cell_series(struct prc_cell *cell, const struct prc_series_key *key,
                                   enum mf_asset_class asset_class);
// The entry of a key hash; made (with made = true) when absent, the oldest is forgotten beyond PRC_RECENT.
struct prc_recent *prc_cell_recent(struct prc_cell *cell, uint64_t key_hash, bool *made);

#endif
