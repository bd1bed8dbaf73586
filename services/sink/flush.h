// SPDX-License-Identifier: Apache-2.0
// One flush statement: what is bound to it, and what its answer means. Pure; the format of the parameters is
// documented in sql/<dialect>/flush.sql.
#ifndef SNK_FLUSH_H
#define SNK_FLUSH_H

#include "common/json_writer.h"
#include "services/sink/work.h"

#define SNK_LOAD_ID_SIZE 37 // a UUID, terminated

struct snk_flush {
    struct mf_buf moves_json, payloads_json, known_json; // the parameters
    char load_id[SNK_LOAD_ID_SIZE];
    unsigned tables; // bit per enum snk_table that has rows
    size_t rows;
    struct snk_range range; // what it was built from
    struct snk_move *moves;
    size_t move_count, move_capacity;

    // The answer: for each move, whether the fence let it pass; per table, the rows that were new.
    bool *moved;
    uint64_t inserted[SNK_TABLE_MAX];
};

void snk_flush_init(struct snk_flush *flush);
void snk_flush_free(struct snk_flush *flush);

// What the answers of the warehouse are made of: a number (false for NULL and anything else), and the place
// of the move of a partition (move_count when it has none).
bool snk_answer_number(const char *text, int64_t *number);
size_t snk_flush_find_move(const struct snk_flush *flush, const struct snk_scope *scope, const char *topic,
                           int64_t partition);
// A partition as parameters name it: [topic, number].
void snk_write_partition(struct mf_json_writer *w, const struct snk_partition *partition);

// Fills the parameters for the range; the answer is reset. random: 128 random bits for the load id. A range
// that moves nothing gives move_count 0 (and has no rows): there is nothing to execute.
void snk_flush_build(struct snk_flush *flush, const struct snk_scope *scope, struct snk_range range,
                     const uint64_t random[2]);

// Not a flush but a question: a move of every acquired partition to where it is, without rows, for
// snk_warehouse_read_offsets. The answer is reset.
void snk_flush_ask(struct snk_flush *flush, const struct snk_scope *scope);

// One row of the answer: `what` is "moved" (with topic and partition) or a table's name (with the count of
// rows). FATAL "flush_answer" when it fits nothing that was asked.
int snk_flush_take_answer(struct snk_flush *flush, const struct snk_scope *scope, const char *what,
                          const char *topic, const char *partition, const char *value, struct mf_error *err);

// The moves for which take[i] holds, as JSON: see the fence of sql/<dialect>/ for the order of the items.
void snk_flush_moves_json(const struct snk_flush *flush, const struct snk_scope *scope, const bool *take,
                          struct mf_buf *out);

// The partitions of all moves, or only of those that did not pass, as JSON: parameter 1 of read_offsets.sql.
void snk_flush_partitions_json(const struct snk_flush *flush, const struct snk_scope *scope,
                               bool only_unmoved, struct mf_buf *out);

#endif
