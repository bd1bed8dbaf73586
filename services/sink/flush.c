// SPDX-License-Identifier: Apache-2.0
// Owns the parameters of one statement and the answer to it; both are overwritten by the next build. Failure
// class: FATAL for an answer that fits nothing that was asked: then the SQL text and this code have drifted
// apart.
#include "services/sink/flush.h"

#include <stdio.h>
#include <stdlib.h>

// Above every batch that the settings allow, with room for the record that went beyond.
#define PARAMETER_MAX ((size_t)300 * 1024 * 1024)

void snk_flush_init(struct snk_flush *flush)
{
    *flush = (struct snk_flush){0};
    mf_buf_init(&flush->moves_json, PARAMETER_MAX);
    mf_buf_init(&flush->payloads_json, PARAMETER_MAX);
    mf_buf_init(&flush->known_json, PARAMETER_MAX);
}

void snk_flush_free(struct snk_flush *flush)
{
    mf_buf_free(&flush->moves_json);
    mf_buf_free(&flush->payloads_json);
    mf_buf_free(&flush->known_json);
    free(flush->moves);
    free(flush->moved);
    *flush = (struct snk_flush){0};
}

// Version 4 (random) of RFC 4122.
static void format_load_id(char out[SNK_LOAD_ID_SIZE], const uint64_t random[2])
{
    uint64_t high = (random[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    uint64_t low = (random[1] & (UINT64_MAX >> 2)) | (UINT64_C(1) << 63);
    snprintf(out, SNK_LOAD_ID_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xffff, (unsigned)(low >> 48),
             (unsigned long long)(low & UINT64_C(0xffffffffffff)));
}

// Room for a move of every partition; the answer has the same shape.
static void reserve_moves(struct snk_flush *flush, size_t partitions)
{
    if (partitions <= flush->move_capacity)
        return;
    flush->move_capacity = partitions;
    flush->moves = mf_realloc(flush->moves, partitions * sizeof *flush->moves);
    flush->moved = mf_realloc(flush->moved, partitions * sizeof *flush->moved);
}

// Parameter 1: see sql/<dialect>/flush.sql for the order of the items.
static void write_move(struct mf_json_writer *w, const struct snk_scope *scope, size_t index,
                       const struct snk_move *move)
{
    const struct snk_partition *p = &scope->partitions[move->partition];
    mf_jw_array_begin(w);
    mf_jw_u64(w, index);
    mf_jw_c_string(w, snk_tables[p->table].name);
    mf_jw_c_string(w, p->topic);
    mf_jw_i64(w, p->number);
    mf_jw_i64(w, p->epoch);
    mf_jw_i64(w, p->stored);
    mf_jw_i64(w, move->next);
    if (move->last != NULL) {
        mf_jw_c_string(w, move->last->event_id);
        mf_jw_i64(w, move->last->offset);
    } else {
        mf_jw_null(w);
        mf_jw_null(w);
    }
    mf_jw_array_end(w);
}

static void write_moves(struct snk_flush *flush, const struct snk_scope *scope)
{
    struct mf_json_writer w;
    mf_buf_clear(&flush->moves_json);
    mf_jw_init(&w, &flush->moves_json);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < flush->move_count; i++) {
        write_move(&w, scope, i, &flush->moves[i]);
        flush->moved[i] = false;
    }
    mf_jw_array_end(&w);
}

// Rows name their partition by the place of its move, which is shorter than topic and number in every row.
static size_t move_index(const struct snk_flush *flush, size_t partition)
{
    size_t i = 0;
    while (i < flush->move_count && flush->moves[i].partition != partition)
        i++;
    assert(i < flush->move_count); // a row moves its partition
    return i;
}

// Parameters 4 and 5, item by item in step. Payloads go in as they came: they were parsed before, and a
// number must not change on its way.
static void write_rows(struct snk_flush *flush, const struct snk_scope *scope, struct snk_range range)
{
    struct mf_json_writer payloads;
    struct mf_json_writer known;
    mf_buf_clear(&flush->payloads_json);
    mf_buf_clear(&flush->known_json);
    mf_jw_init(&payloads, &flush->payloads_json);
    mf_jw_init(&known, &flush->known_json);
    mf_jw_array_begin(&payloads);
    mf_jw_array_begin(&known);
    for (size_t i = range.begin; i < range.end; i++) {
        const struct snk_row *row = &scope->batch->rows[i];
        if (!snk_row_takes_part(scope, range, i))
            continue;
        mf_jw_raw(&payloads, snk_batch_payload(scope->batch, row));
        mf_jw_array_begin(&known);
        mf_jw_u64(&known, move_index(flush, row->partition));
        mf_jw_i64(&known, row->offset);
        mf_jw_i64(&known, row->revision);
        mf_jw_string(&known, snk_batch_flags(scope->batch, row));
        mf_jw_string(&known, snk_batch_dedupe_key(scope->batch, row));
        mf_jw_array_end(&known);
        flush->rows++;
    }
    mf_jw_array_end(&payloads);
    mf_jw_array_end(&known);
}

void snk_flush_build(struct snk_flush *flush, const struct snk_scope *scope, struct snk_range range,
                     const uint64_t random[2])
{
    reserve_moves(flush, scope->partition_count);
    format_load_id(flush->load_id, random);
    flush->tables = snk_range_tables(scope, range);
    flush->rows = 0;
    flush->range = range;
    memset(flush->inserted, 0, sizeof flush->inserted);
    flush->move_count = snk_range_moves(scope, range, flush->moves);
    write_moves(flush, scope);
    write_rows(flush, scope, range);
    assert(!flush->moves_json.overflow && !flush->payloads_json.overflow && !flush->known_json.overflow);
}

void snk_flush_moves_json(const struct snk_flush *flush, const struct snk_scope *scope, const bool *take,
                          struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_buf_clear(out);
    mf_jw_init(&w, out);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < flush->move_count; i++) {
        if (take[i])
            write_move(&w, scope, i, &flush->moves[i]);
    }
    mf_jw_array_end(&w);
}

void snk_flush_ask(struct snk_flush *flush, const struct snk_scope *scope)
{
    reserve_moves(flush, scope->partition_count);
    flush->tables = 0;
    flush->rows = 0;
    flush->move_count = 0;
    for (size_t i = 0; i < scope->partition_count; i++) {
        const struct snk_partition *p = &scope->partitions[i];
        if (!p->acquired)
            continue;
        flush->moved[flush->move_count] = false;
        flush->moves[flush->move_count++] = (struct snk_move){.partition = i, .next = p->stored};
    }
}

bool snk_answer_number(const char *text, int64_t *number)
{
    return text != NULL && mf_str_to_i64(mf_str_of(text), number);
}

size_t snk_flush_find_move(const struct snk_flush *flush, const struct snk_scope *scope, const char *topic,
                           int64_t partition)
{
    for (size_t i = 0; i < flush->move_count; i++) {
        const struct snk_partition *p = &scope->partitions[flush->moves[i].partition];
        if (p->number == partition && strcmp(p->topic, topic) == 0)
            return i;
    }
    return flush->move_count;
}

void snk_write_partition(struct mf_json_writer *w, const struct snk_partition *partition)
{
    mf_jw_array_begin(w);
    mf_jw_c_string(w, partition->topic);
    mf_jw_i64(w, partition->number);
    mf_jw_array_end(w);
}

// The offset is compared too: a fence that moved somewhere else than asked would be silent loss.
static int take_moved(struct snk_flush *flush, const struct snk_scope *scope, const char *topic,
                      const char *partition, const char *value, struct mf_error *err)
{
    int64_t number = 0;
    int64_t next = 0;
    if (topic == NULL || !snk_answer_number(partition, &number) || !snk_answer_number(value, &next))
        return mf_error_set(err, MF_ERROR_FATAL, "flush_answer",
                            "the warehouse answered a move without values");
    size_t i = snk_flush_find_move(flush, scope, topic, number);
    if (i == flush->move_count || flush->moves[i].next != next)
        return mf_error_set(err, MF_ERROR_FATAL, "flush_answer",
                            "the warehouse moved %s[%lld] to %lld unasked", topic, (long long)number,
                            (long long)next);
    flush->moved[i] = true;
    return 0;
}

int snk_flush_take_answer(struct snk_flush *flush, const struct snk_scope *scope, const char *what,
                          const char *topic, const char *partition, const char *value, struct mf_error *err)
{
    if (what != NULL && strcmp(what, "moved") == 0)
        return take_moved(flush, scope, topic, partition, value, err);
    enum snk_table table = what != NULL ? snk_table_of_name(what) : SNK_TABLE_MAX;
    int64_t count = 0;
    if (table == SNK_TABLE_MAX || !snk_answer_number(value, &count) || count < 0)
        return mf_error_set(err, MF_ERROR_FATAL, "flush_answer", "the warehouse answered '%s' to a flush",
                            what != NULL ? what : "(null)");
    flush->inserted[table] = (uint64_t)count;
    return 0;
}

void snk_flush_partitions_json(const struct snk_flush *flush, const struct snk_scope *scope,
                               bool only_unmoved, struct mf_buf *out)
{
    struct mf_json_writer w;
    mf_buf_clear(out);
    mf_jw_init(&w, out);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < flush->move_count; i++) {
        if (only_unmoved && flush->moved[i])
            continue;
        snk_write_partition(&w, &scope->partitions[flush->moves[i].partition]);
    }
    mf_jw_array_end(&w);
}
