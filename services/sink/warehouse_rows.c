// SPDX-License-Identifier: Apache-2.0
// The statements of the sink at work: assignment, flush, offset rows. Each is one autocommit statement of the
// server.
#include <stdlib.h>

#include "common/deadline_guard.h"
#include "common/json_writer.h"
#include "services/sink/warehouse_private.h"

// Columns come as text, whatever their type: NULL and anything that is no number is for the caller to refuse.
static bool to_number(const char *text, int64_t *number)
{
    return text != NULL && mf_str_to_i64(mf_str_of(text), number);
}

static void write_partition(struct mf_json_writer *w, const struct snk_partition *p)
{
    mf_jw_array_begin(w);
    mf_jw_c_string(w, p->topic);
    mf_jw_i64(w, p->number);
    mf_jw_array_end(w);
}

// ---- assignment: (topic, partition, epoch, next offset, last event_id, its offset, cluster id)

// The cluster is looked at first: under another one, offset and event mean nothing.
static int take_assigned(struct snk_partition *p, const char *cluster_id, const char *const *columns,
                         struct mf_error *err)
{
    if (columns[6] == NULL || strcmp(columns[6], cluster_id) != 0)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "cluster_changed",
            "the offsets of topic %s in ops.sink_offsets belong to Kafka cluster %s, but this one is %s: "
            "point KAFKA_BOOTSTRAP_SERVERS at that cluster, or give this one its own "
            "KAFKA_GROUP_PREFIX, or delete those rows to load the topic from its start",
            p->topic, columns[6] != NULL ? columns[6] : "(none)", cluster_id);
    p->last_offset = -1;
    p->last_event_id[0] = '\0';
    bool sound = to_number(columns[2], &p->epoch) && to_number(columns[3], &p->stored);
    if (sound && columns[5] != NULL)
        sound = to_number(columns[5], &p->last_offset) && columns[4] != NULL &&
                mf_str_copy(p->last_event_id, sizeof p->last_event_id, mf_str_of(columns[4]));
    if (!sound)
        return mf_error_set(err, MF_ERROR_FATAL, "assign_answer", "the offset row of %s[%d] cannot be read",
                            p->topic, p->number);
    // Reading begins at the last record that was loaded, if there was one, to see whether it is still the
    // same.
    p->position = p->stored;
    p->verify = p->last_offset >= 0;
    p->acquired = true;
    p->must_seek = true;
    return 0;
}

// Seventy-odd partitions at most, once per assignment: a search is good enough.
static struct snk_partition *find_partition(struct snk_partition *partitions, size_t count, const char *topic,
                                            const char *number_text)
{
    int64_t number = 0;
    if (topic == NULL || !to_number(number_text, &number))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (partitions[i].number == number && strcmp(partitions[i].topic, topic) == 0)
            return &partitions[i];
    }
    return NULL;
}

static int execute_assign(struct snk_warehouse *warehouse, const char *cluster_id,
                          struct snk_partition *partitions, size_t count, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group),
                              mf_str_of(warehouse->instance), mf_str_of(cluster_id)};
    if (snk_warehouse_prepare(warehouse, "assign", &warehouse->assign, err) != 0 ||
        mf_odbc_execute(warehouse->assign, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    const char *columns[7];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, warehouse->assign, columns, 7, err)) == 1) {
        struct snk_partition *p = find_partition(partitions, count, columns[0], columns[1]);
        if (p == NULL)
            return mf_error_set(err, MF_ERROR_FATAL, "assign_answer",
                                "the warehouse assigned what was not asked for");
        if (take_assigned(p, cluster_id, columns, err) != 0)
            return -1;
    }
    return got;
}

int snk_warehouse_assign(struct snk_warehouse *warehouse, const char *cluster_id,
                         struct snk_partition *partitions, size_t count, struct mf_error *err)
{
    struct mf_json_writer w;
    mf_buf_clear(&warehouse->json);
    mf_jw_init(&w, &warehouse->json);
    mf_jw_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        if (!partitions[i].acquired)
            write_partition(&w, &partitions[i]);
    }
    mf_jw_array_end(&w);
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "taking over partitions");
    int result = execute_assign(warehouse, cluster_id, partitions, count, err);
    if (warehouse->assign != NULL)
        mf_odbc_close_cursor(warehouse->assign);
    mf_deadline_guard_disarm();
    // An INSERT that a rule or a trigger swallowed would leave a partition without a fence.
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (!partitions[i].acquired)
            result = mf_error_set(err, MF_ERROR_FATAL, "assign_answer", "the warehouse did not assign %s[%d]",
                                  partitions[i].topic, partitions[i].number);
    }
    return result;
}

// ---- flush

// The slot of the set of tables: prepared already, free, or the least recently used one, which is given up.
static struct snk_prepared *slot_of(struct snk_warehouse *warehouse, unsigned tables)
{
    struct snk_prepared *oldest = &warehouse->flushes[0];
    for (size_t i = 0; i < SNK_PREPARED_MAX; i++) {
        struct snk_prepared *slot = &warehouse->flushes[i];
        if (slot->statement != NULL && slot->tables == tables)
            return slot;
        if (slot->used < oldest->used)
            oldest = slot;
    }
    mf_odbc_statement_free(&oldest->statement);
    return oldest;
}

// The statement for this set of tables: prepared on its first use in the session, executed from then on.
static int prepare_flush(struct snk_warehouse *warehouse, unsigned tables,
                         struct mf_odbc_statement **statement, struct mf_error *err)
{
    struct snk_prepared *slot = slot_of(warehouse, tables);
    if (slot->statement == NULL) {
        if (snk_warehouse_text(warehouse, "flush", tables, err) != 0 ||
            mf_odbc_prepare(warehouse->connection, mf_buf_c_str(&warehouse->text), &slot->statement,
                            &warehouse->last, err) != 0)
            return -1;
        slot->tables = tables;
    }
    slot->used = ++warehouse->uses;
    *statement = slot->statement;
    return 0;
}

// Parameters and columns in the order of sql/<dialect>/flush.sql.
static int execute_flush(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                         struct snk_flush *flush, const struct snk_scope *scope, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&flush->moves_json), mf_str_of(warehouse->group),
                              mf_str_of(flush->load_id), mf_buf_str(&flush->payloads_json),
                              mf_buf_str(&flush->known_json)};
    if (mf_odbc_execute(statement, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    const char *columns[4];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, statement, columns, 4, err)) == 1) {
        if (snk_flush_take_answer(flush, scope, columns[0], columns[1], columns[2], columns[3], err) != 0)
            return -1;
    }
    return got;
}

int snk_warehouse_flush(struct snk_warehouse *warehouse, struct snk_flush *flush,
                        const struct snk_scope *scope, struct mf_error *err)
{
    struct mf_odbc_statement *statement = NULL;
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "flushing a batch");
    int result = prepare_flush(warehouse, flush->tables, &statement, err);
    if (result == 0) {
        result = execute_flush(warehouse, statement, flush, scope, err);
        mf_odbc_close_cursor(statement);
    }
    mf_deadline_guard_disarm();
    return result;
}

// ---- offset rows: (topic, partition, epoch, next offset)

// Finds the move that the row is about and files the answer under its place.
static int take_offset_row(const struct snk_flush *flush, const struct snk_scope *scope,
                           const char *const *columns, struct snk_offset_row *answers, struct mf_error *err)
{
    int64_t number = 0;
    struct snk_offset_row row = {.found = true};
    if (columns[0] != NULL && to_number(columns[1], &number) && to_number(columns[2], &row.epoch) &&
        to_number(columns[3], &row.next_offset)) {
        for (size_t i = 0; i < flush->move_count; i++) {
            const struct snk_partition *p = &scope->partitions[flush->moves[i].partition];
            if (p->number == number && strcmp(p->topic, columns[0]) == 0) {
                answers[i] = row;
                return 0;
            }
        }
    }
    return mf_error_set(err, MF_ERROR_FATAL, "offsets_answer", "an offset row cannot be read");
}

static int execute_read(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                        const struct snk_scope *scope, struct snk_offset_row *answers, struct mf_error *err)
{
    struct mf_str params[] = {mf_buf_str(&warehouse->json), mf_str_of(warehouse->group)};
    if (snk_warehouse_prepare(warehouse, "read_offsets", &warehouse->read_offsets, err) != 0 ||
        mf_odbc_execute(warehouse->read_offsets, params, MF_ARRAY_LEN(params), &warehouse->last, err) != 0)
        return -1;
    const char *columns[4];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, warehouse->read_offsets, columns, 4, err)) == 1) {
        if (take_offset_row(flush, scope, columns, answers, err) != 0)
            return -1;
    }
    return got;
}

int snk_warehouse_read_offsets(struct snk_warehouse *warehouse, const struct snk_flush *flush,
                               const struct snk_scope *scope, bool only_unmoved,
                               struct snk_offset_row *answers, struct mf_error *err)
{
    for (size_t i = 0; i < flush->move_count; i++) {
        if (!only_unmoved || !flush->moved[i])
            answers[i] = (struct snk_offset_row){0};
    }
    snk_flush_partitions_json(flush, scope, only_unmoved, &warehouse->json);
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "reading offsets");
    int result = execute_read(warehouse, flush, scope, answers, err);
    if (warehouse->read_offsets != NULL)
        mf_odbc_close_cursor(warehouse->read_offsets);
    mf_deadline_guard_disarm();
    return result;
}
