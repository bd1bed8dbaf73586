// SPDX-License-Identifier: Apache-2.0
// The judgement of verify. Pure but for the memory of its list, which it owns; nothing fails.
#include <stdlib.h>

#include "services/ctl/verify.h"

void ctl_verification_init(struct ctl_verification *v, size_t open_max)
{
    *v = (struct ctl_verification){.open_max = open_max};
}

void ctl_verification_free(struct ctl_verification *v)
{
    for (size_t i = 0; i < MF_RAW_MAX; i++)
        free(v->tables[i].partitions);
    free(v->open);
    free(v->doubled);
    *v = (struct ctl_verification){0};
}

// A partition that appeared after the topic was looked at is none of ours yet.
static struct ctl_partition_state *partition_of(struct ctl_verification *v, enum mf_raw_table_id table,
                                                int32_t partition)
{
    struct ctl_table_state *state = &v->tables[table];
    if (partition < 0 || (size_t)partition >= state->partition_count)
        return NULL;
    return &state->partitions[partition];
}

// A record that nothing accounts for. The sink stores its offset in the transaction of the rows: below it the
// row should be there, above it the sink has not been.
static void file_open(struct ctl_verification *v, enum mf_raw_table_id table, const struct ctl_record *record)
{
    struct ctl_partition_state *state = partition_of(v, table, record->partition);
    assert(state != NULL);
    if (record->offset < state->stored)
        state->missing++;
    else
        state->pending++;
}

static void open_add(struct ctl_verification *v, enum mf_raw_table_id table, const struct ctl_record *record)
{
    if (v->open_count == v->open_max) {
        v->open_cut = true;
        file_open(v, table, record);
        return;
    }
    if (v->open_count == v->open_room) {
        v->open_room = v->open_room == 0 ? 1024 : v->open_room * 2;
        v->open = mf_realloc(v->open, v->open_room * sizeof *v->open);
    }
    v->open[v->open_count++] = (struct ctl_open){.table = table, .record = *record};
}

void ctl_judge_window(struct ctl_verification *v, enum mf_raw_table_id table,
                      const struct ctl_record *records, size_t count, const size_t *absent,
                      size_t absent_count)
{
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        struct ctl_partition_state *state = partition_of(v, table, records[i].partition);
        bool has_row = next >= absent_count || absent[next] != i;
        next += has_row ? 0 : 1;
        if (state == NULL)
            continue;
        state->records++;
        if (has_row)
            state->by_row++;
        else
            open_add(v, table, &records[i]);
    }
    assert(next == absent_count);
}

static int compare(enum mf_raw_table_id table, int32_t partition, int64_t offset, const struct ctl_open *with)
{
    if (table != with->table)
        return table < with->table ? -1 : 1;
    if (partition != with->record.partition)
        return partition < with->record.partition ? -1 : 1;
    if (offset != with->record.offset)
        return offset < with->record.offset ? -1 : 1;
    return 0;
}

static int compare_open(const void *a, const void *b)
{
    const struct ctl_open *left = a;
    return compare(left->table, left->record.partition, left->record.offset, b);
}

void ctl_judge_sort(struct ctl_verification *v)
{
    if (v->open_count > 1)
        qsort(v->open, v->open_count, sizeof *v->open, compare_open);
    v->open_sorted = v->open_count;
}

bool ctl_judge_letter(struct ctl_verification *v, enum mf_raw_table_id table, int32_t partition,
                      int64_t offset)
{
    size_t from = 0, to = v->open_sorted;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare(table, partition, offset, &v->open[middle]);
        if (order == 0) {
            struct ctl_partition_state *state = partition_of(v, table, partition);
            if (!v->open[middle].closed && state != NULL)
                state->by_letter++;
            v->open[middle].closed = true;
            return true;
        }
        from = order > 0 ? middle + 1 : from;
        to = order < 0 ? middle : to;
    }
    return false;
}

void ctl_judge_doubled(struct ctl_verification *v, const struct ctl_doubled *doubled)
{
    if (v->doubled == NULL)
        v->doubled = mf_calloc((size_t)MF_RAW_MAX * 2 * CTL_DOUBLED_MAX, sizeof *v->doubled);
    if (v->doubled_count < (size_t)MF_RAW_MAX * 2 * CTL_DOUBLED_MAX)
        v->doubled[v->doubled_count++] = *doubled;
}

void ctl_judge_drop_closed(struct ctl_verification *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->open_count; i++) {
        if (!v->open[i].closed)
            v->open[kept++] = v->open[i];
    }
    v->open_count = v->open_sorted = kept;
}

void ctl_judge_close(struct ctl_verification *v)
{
    ctl_judge_sort(v);
    ctl_judge_drop_closed(v);
    for (size_t i = 0; i < v->open_count; i++)
        file_open(v, v->open[i].table, &v->open[i].record);
}

struct ctl_totals ctl_totals(const struct ctl_verification *v)
{
    struct ctl_totals totals = {0};
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        const struct ctl_table_state *table = &v->tables[t];
        totals.doubled += table->doubled_keys;
        for (size_t p = 0; p < table->partition_count; p++) {
            const struct ctl_partition_state *state = &table->partitions[p];
            totals.offsets += (uint64_t)(state->range.high - state->range.low);
            totals.unverifiable += (uint64_t)state->range.low;
            totals.records += state->records;
            totals.by_row += state->by_row;
            totals.by_letter += state->by_letter;
            totals.missing += state->missing;
            totals.pending += state->pending;
            totals.doubled += state->doubled;
        }
    }
    return totals;
}

const char *ctl_verdict(const struct ctl_totals *totals, int *exit_code)
{
    if (totals->missing > 0 || totals->doubled > 0) {
        *exit_code = 1;
        return "missing_or_doubled";
    }
    *exit_code = totals->pending > 0 ? MF_EXIT_TEMPORARY : MF_EXIT_OK;
    return totals->pending > 0 ? "pending" : "ok";
}
