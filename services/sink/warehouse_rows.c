// SPDX-License-Identifier: Apache-2.0
// The sink at work: assignment, flush, offset rows. What is asked and what the answers mean is the same for
// all dialects; how it is asked is theirs.
#include <stdlib.h>

#include "common/deadline_guard.h"
#include "common/json_writer.h"
#include "services/sink/warehouse_private.h"

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
    bool sound = snk_answer_number(columns[2], &p->epoch) && snk_answer_number(columns[3], &p->stored);
    if (sound && columns[5] != NULL)
        sound = snk_answer_number(columns[5], &p->last_offset) && columns[4] != NULL &&
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
    if (topic == NULL || !snk_answer_number(number_text, &number))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (partitions[i].number == number && strcmp(partitions[i].topic, topic) == 0)
            return &partitions[i];
    }
    return NULL;
}

int snk_warehouse_take_assigned(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                                const char *cluster_id, struct snk_partition *partitions, size_t count,
                                struct mf_error *err)
{
    const char *columns[7];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, statement, columns, 7, err)) == 1) {
        struct snk_partition *p = find_partition(partitions, count, columns[0], columns[1]);
        if (p == NULL)
            return mf_error_set(err, MF_ERROR_FATAL, "assign_answer",
                                "the warehouse assigned what was not asked for");
        if (p->acquired)
            return mf_error_set(err, MF_ERROR_CONFIG, "offset_row_twice",
                                "%s[%d] has two rows of group %s in ops.sink_offsets: delete all but the one "
                                "with the largest next_offset",
                                p->topic, p->number, warehouse->group);
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
            snk_write_partition(&w, &partitions[i]);
    }
    mf_jw_array_end(&w);
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "taking over partitions");
    int result = warehouse->ops->assign(warehouse, cluster_id, partitions, count, err);
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

int snk_warehouse_flush(struct snk_warehouse *warehouse, struct snk_flush *flush,
                        const struct snk_scope *scope, struct mf_error *err)
{
    warehouse->query_ids[0] = '\0';
    mf_deadline_guard_arm(warehouse->config.deadline_ms, "flushing a batch");
    int result = warehouse->ops->flush(warehouse, flush, scope, err);
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
    bool sound = columns[0] != NULL && snk_answer_number(columns[1], &number) &&
                 snk_answer_number(columns[2], &row.epoch) && snk_answer_number(columns[3], &row.next_offset);
    size_t i = sound ? snk_flush_find_move(flush, scope, columns[0], number) : flush->move_count;
    if (i == flush->move_count)
        return mf_error_set(err, MF_ERROR_FATAL, "offsets_answer", "an offset row cannot be read");
    answers[i] = row;
    return 0;
}

int snk_warehouse_take_offset_rows(struct snk_warehouse *warehouse, struct mf_odbc_statement *statement,
                                   const struct snk_flush *flush, const struct snk_scope *scope,
                                   struct snk_offset_row *answers, struct mf_error *err)
{
    const char *columns[4];
    int got;
    while ((got = snk_warehouse_fetch(warehouse, statement, columns, 4, err)) == 1) {
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
    int result = warehouse->ops->read_offsets(warehouse, flush, scope, answers, err);
    mf_deadline_guard_disarm();
    return result;
}
