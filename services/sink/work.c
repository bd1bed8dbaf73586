// SPDX-License-Identifier: Apache-2.0
// The stack owns only its own memory; scopes are borrowed. Nothing here can fail. Order is what must hold: a
// range is always done before anything to its right, so the offsets of a partition never go backwards.
#include "services/sink/work.h"

#include <stdlib.h>

void snk_work_free(struct snk_work *work)
{
    free(work->stack);
    *work = (struct snk_work){0};
}

void snk_work_clear(struct snk_work *work)
{
    work->depth = 0;
    work->bisected = 0;
}

static void push(struct snk_work *work, struct snk_range range)
{
    if (work->depth == work->capacity) {
        work->capacity = work->capacity == 0 ? 32 : work->capacity * 2;
        work->stack = mf_realloc(work->stack, work->capacity * sizeof *work->stack);
    }
    work->stack[work->depth++] = range;
}

// Turns round what was pushed since `from`, so that it is taken in the order in which it was pushed.
static void reverse(struct snk_work *work, size_t from)
{
    for (size_t low = from, high = work->depth; low + 1 < high; low++) {
        high--;
        struct snk_range kept = work->stack[low];
        work->stack[low] = work->stack[high];
        work->stack[high] = kept;
    }
}

void snk_work_start(struct snk_work *work, const struct snk_batch *batch, struct snk_limits limits)
{
    snk_work_clear(work);
    size_t begin = 0;
    size_t bytes = 0;
    // An empty batch still makes one range: offsets may have to move without a row.
    for (size_t i = 0; i < batch->count; i++) {
        size_t more = snk_row_bytes(&batch->rows[i]);
        if (i > begin && (i - begin >= limits.rows || bytes + more > limits.bytes)) {
            push(work, (struct snk_range){SNK_TABLE_MAX, begin, i});
            begin = i;
            bytes = 0;
        }
        bytes += more;
    }
    push(work, (struct snk_range){SNK_TABLE_MAX, begin, batch->count});
    reverse(work, 0);
}

bool snk_work_is_done(const struct snk_work *work)
{
    return work->depth == 0;
}

struct snk_range snk_work_current(const struct snk_work *work)
{
    assert(work->depth > 0);
    return work->stack[work->depth - 1];
}

void snk_work_pop(struct snk_work *work)
{
    assert(work->depth > 0);
    work->depth--;
    if (work->depth < work->bisected)
        work->bisected = 0;
}

uint64_t snk_work_bisect(struct snk_work *work)
{
    assert(work->depth > 0);
    if (work->bisected == 0) {
        work->bisected = work->depth;
        work->bisections++;
    }
    return work->bisections;
}

// Rows below the stored offset have landed already: an outcome check may have found them there.
static bool is_in_scope(const struct snk_scope *scope, struct snk_range range, const struct snk_row *row)
{
    const struct snk_partition *p = &scope->partitions[row->partition];
    return (range.table == SNK_TABLE_MAX || row->table == range.table) && !p->excluded &&
           row->offset >= p->stored;
}

bool snk_row_takes_part(const struct snk_scope *scope, struct snk_range range, size_t row)
{
    assert(row < scope->batch->count);
    return is_in_scope(scope, range, &scope->batch->rows[row]) && !scope->batch->rows[row].rejected;
}

size_t snk_range_rows(const struct snk_scope *scope, struct snk_range range)
{
    size_t count = 0;
    for (size_t i = range.begin; i < range.end; i++)
        count += snk_row_takes_part(scope, range, i) ? 1 : 0;
    return count;
}

unsigned snk_range_tables(const struct snk_scope *scope, struct snk_range range)
{
    unsigned set = 0;
    for (size_t i = range.begin; i < range.end; i++) {
        if (snk_row_takes_part(scope, range, i))
            set |= 1u << scope->batch->rows[i].table;
    }
    return set;
}

size_t snk_range_partition(const struct snk_scope *scope, struct snk_range range)
{
    size_t found = SIZE_MAX;
    for (size_t i = range.begin; i < range.end; i++) {
        if (!snk_row_takes_part(scope, range, i))
            continue;
        if (found != SIZE_MAX && found != scope->batch->rows[i].partition)
            return SIZE_MAX;
        found = scope->batch->rows[i].partition;
    }
    return found;
}

// Does the partition move, and where to? `move` holds what the range and the rest of the batch have of it.
static bool finish_move(const struct snk_partition *p, enum snk_table table, struct snk_move *move)
{
    if (!p->acquired || p->excluded || (table != SNK_TABLE_MAX && p->table != table))
        return false;
    if (!move->more_to_come)
        move->next = p->position;
    return move->next > p->stored;
}

size_t snk_range_moves(const struct snk_scope *scope, struct snk_range range, struct snk_move *moves)
{
    // First a slot for every partition, then those that move are pushed together.
    for (size_t i = 0; i < scope->partition_count; i++)
        moves[i] = (struct snk_move){.partition = i, .next = -1};
    for (size_t i = range.begin; i < scope->batch->count; i++) {
        const struct snk_row *row = &scope->batch->rows[i];
        struct snk_move *move = &moves[row->partition];
        if (i >= range.end) {
            move->more_to_come = true;
            continue;
        }
        move->next = row->offset + 1;
        // A digest's event_id is not that of the record in the log: it could not be recognised there.
        if (!row->rejected && !row->replaced)
            move->last = row;
    }
    size_t count = 0;
    for (size_t i = 0; i < scope->partition_count; i++) {
        if (finish_move(&scope->partitions[i], range.table, &moves[i]))
            moves[count++] = moves[i];
    }
    return count;
}

void snk_work_split_rows(struct snk_work *work, const struct snk_scope *scope)
{
    struct snk_range range = snk_work_current(work);
    size_t rows = snk_range_rows(scope, range);
    assert(rows >= 2);
    // Half of the rows that count, not of the range: rows that are out of it would make the halves uneven.
    size_t middle = range.begin;
    for (size_t seen = 0; seen < rows / 2; middle++)
        seen += snk_row_takes_part(scope, range, middle) ? 1 : 0;
    work->depth--; // not done: what a bisection began with goes on as its halves
    push(work, (struct snk_range){range.table, middle, range.end});
    push(work, (struct snk_range){range.table, range.begin, middle});
}

void snk_work_split_tables(struct snk_work *work, const struct snk_scope *scope)
{
    struct snk_range range = snk_work_current(work);
    assert(range.table == SNK_TABLE_MAX);
    unsigned set = snk_range_tables(scope, range);
    // Tables without rows here may still have offsets to move.
    struct snk_move *moves = mf_calloc(scope->partition_count, sizeof *moves);
    size_t count = snk_range_moves(scope, range, moves);
    for (size_t i = 0; i < count; i++)
        set |= 1u << scope->partitions[moves[i].partition].table;
    free(moves);
    work->depth--;
    size_t from = work->depth;
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if ((set & (1u << table)) != 0)
            push(work, (struct snk_range){table, range.begin, range.end});
    }
    reverse(work, from);
}
