// SPDX-License-Identifier: Apache-2.0
// The order of statements of one flush: which rows go into the next one, and what follows when it is refused.
// Pure.
//
// A stack of ranges of the batch. It begins with the whole batch, cut where a statement would grow beyond the
// limits. A refused range is split: by table (a table cannot be written: the others go on without it) or by
// rows (one row is refused: halves, until it is alone). Rows of a partition always go in the order of their
// offsets.
#ifndef SNK_WORK_H
#define SNK_WORK_H

#include "services/sink/batch.h"
#include "services/sink/partition.h"

struct snk_range {
    enum snk_table table; // SNK_TABLE_MAX = all tables
    size_t begin, end;    // rows of the batch, end exclusive
};

struct snk_work {
    struct snk_range *stack;
    size_t depth, capacity;
    uint64_t bisections; // so far: the number of the last one
    size_t bisected;     // depth of the range that it began with: it ends when that is done; 0 = it has ended
};

// What a range is about; borrowed by all functions below.
struct snk_scope {
    const struct snk_batch *batch;
    const struct snk_partition *partitions;
    size_t partition_count;
};

// Where a partition's fence goes with a range: from its stored offset to `next`.
struct snk_move {
    size_t partition;
    int64_t next;
    const struct snk_row *last; // last row inserted as the log has it; NULL when none is
    bool more_to_come;          // the batch has rows of it beyond the range
};

void snk_work_free(struct snk_work *work);
void snk_work_clear(struct snk_work *work);
void snk_work_start(struct snk_work *work, const struct snk_batch *batch, struct snk_limits limits);
bool snk_work_is_done(const struct snk_work *work);
struct snk_range snk_work_current(const struct snk_work *work); // not when done (asserted)
void snk_work_pop(struct snk_work *work);

// The server refuses the data of the current range. Returns the number of the bisection that it is part of:
// that of the range that it was split from, or a new one, from 1 on. A bisection ends when all that its first
// range was split into is done, or forgotten.
uint64_t snk_work_bisect(struct snk_work *work);

// Does the row take part in the range: of its table, not rejected, its partition not excluded, not landed
// already?
bool snk_row_takes_part(const struct snk_scope *scope, struct snk_range range, size_t row);
size_t snk_range_rows(const struct snk_scope *scope, struct snk_range range);
unsigned snk_range_tables(const struct snk_scope *scope,
                          struct snk_range range); // bit per enum snk_table with rows

// The partition that all rows of the range belong to; SIZE_MAX when there are several, or no row.
size_t snk_range_partition(const struct snk_scope *scope, struct snk_range range);

// The partitions that the range moves; moves has room for partition_count. Returns how many. A partition
// moves past its last row of the range, or to its position when the range holds the last row of it in the
// batch.
size_t snk_range_moves(const struct snk_scope *scope, struct snk_range range, struct snk_move *moves);

// Replace the current range by halves (at least two rows must take part) or by one range per table (all
// tables only).
void snk_work_split_rows(struct snk_work *work, const struct snk_scope *scope);
void snk_work_split_tables(struct snk_work *work, const struct snk_scope *scope);

#endif
