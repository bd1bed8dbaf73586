// SPDX-License-Identifier: Apache-2.0
// After a flush statement: what landed is counted, what failed is decided by policy.c, what is not known is
// asked.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/sink/sink.h"

static struct mf_metric *metric_of(struct snk_sink *sink, enum snk_metric id, enum snk_table table)
{
    return MF_METRIC(sink->service->metrics, &snk_metric_defs[id], snk_tables[table].name);
}

// ---- what landed

struct landed {
    uint64_t rows[SNK_TABLE_MAX];
    int64_t last_event_us[SNK_TABLE_MAX];
};

// Rows of the range whose partitions moved; called before the partitions' own offsets are. passed: bit per
// move.
static void count_landed(struct snk_sink *sink, struct snk_range range, const bool *passed,
                         struct landed *landed)
{
    struct snk_scope scope = snk_scope_of(sink);
    struct mf_metric *age[SNK_TABLE_MAX] = {NULL};
    int64_t now_us = mf_clock_real_us();
    bool *moved = mf_calloc(sink->partition_count, sizeof *moved);
    for (size_t i = 0; i < sink->flush.move_count; i++)
        moved[sink->flush.moves[i].partition] = passed[i];
    for (size_t i = range.begin; i < range.end; i++) {
        const struct snk_row *row = &sink->batch.rows[i];
        if (!moved[row->partition] || !snk_row_takes_part(&scope, range, i))
            continue;
        if (age[row->table] == NULL)
            age[row->table] = metric_of(sink, SNK_M_END_TO_END, row->table);
        mf_metric_observe(age[row->table], (double)(now_us - row->ingest_time_us) / (double)MF_US_PER_SECOND);
        landed->rows[row->table]++;
        if (row->event_time_us > landed->last_event_us[row->table])
            landed->last_event_us[row->table] = row->event_time_us;
    }
    free(moved);
}

// One table's part of a statement that went through. A success also ends whatever trouble the table was in.
static void show_landed(struct snk_sink *sink, enum snk_table table, uint64_t rows, uint64_t inserted,
                        int64_t last_event_us)
{
    const char *name = snk_tables[table].name;
    SNK_COUNT(sink, SNK_M_ROWS, inserted, name, "ok");
    SNK_COUNT(sink, SNK_M_ROWS, rows - inserted, name, "duplicate");
    SNK_COUNT(sink, SNK_M_BATCHES, 1, name, "ok");
    mf_metric_observe(metric_of(sink, SNK_M_BATCH_ROWS, table), (double)rows);
    mf_metric_set(metric_of(sink, SNK_M_LAST_COMMIT, table),
                  (double)mf_clock_real_us() / (double)MF_US_PER_SECOND);
    struct mf_metric *last_event = metric_of(sink, SNK_M_LAST_EVENT, table);
    double seconds = (double)last_event_us / (double)MF_US_PER_SECOND;
    if (seconds > mf_metric_value(last_event))
        mf_metric_set(last_event, seconds);
    if (snk_breaker_close(&sink->breakers[table])) {
        mf_metric_set(metric_of(sink, SNK_M_TABLE_STOPPED, table), 0);
        SNK_LOG(sink, NOTICE, "table_recovered", "raw.%s is written again", name);
    }
}

// inserted: per table, how many were new; NULL = not known, taken for all of them.
static void account(struct snk_sink *sink, struct snk_range range, const bool *passed,
                    const uint64_t *inserted)
{
    struct landed landed = {0};
    count_landed(sink, range, passed, &landed);
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        uint64_t rows = landed.rows[table];
        uint64_t fresh = inserted == NULL || inserted[table] > rows ? rows : inserted[table];
        if (rows > 0)
            show_landed(sink, table, rows, fresh, landed.last_event_us[table]);
        sink->rows_landed += fresh;
        sink->session_rows += (int64_t)rows;
    }
    sink->last_commit_us = mf_clock_monotonic_us();
}

// What the warehouse has now is what the next fence will expect.
static void move(struct snk_sink *sink, const struct snk_move *move)
{
    struct snk_partition *p = &sink->partitions[move->partition];
    p->stored = move->next;
    if (move->last != NULL) {
        p->last_offset = move->last->offset;
        memcpy(p->last_event_id, move->last->event_id, sizeof p->last_event_id);
    }
}

// ---- what is not known

// One partition, by what its row said. What was ordered to be read again is sought when the batch is through.
static void apply_verdict(struct snk_sink *sink, size_t index, enum snk_verdict verdict,
                          const struct snk_offset_row *row)
{
    const struct snk_move *moved = &sink->flush.moves[index];
    struct snk_partition *p = &sink->partitions[moved->partition];
    enum mf_log_level level =
        verdict == SNK_LANDED || verdict == SNK_NOT_LANDED ? MF_LOG_INFO : MF_LOG_WARNING;
    MF_LOGF(sink->service->log, level, "sink", "outcome",
            MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number),
                      mf_lf_str("verdict", snk_verdict_name(verdict))),
            "flush from %" PRId64 " to %" PRId64 " under epoch %" PRId64 "; the offset row has %" PRId64
            " under epoch %" PRId64,
            p->stored, moved->next, p->epoch, row->found ? row->next_offset : -1,
            row->found ? row->epoch : -1);
    if (verdict == SNK_LANDED)
        move(sink, moved);
    if (verdict == SNK_ELSEWHERE) {
        p->stored = row->next_offset;
        // Somebody moved the row by hand, or another flush did: which event was the last one is not known
        // here.
        p->last_offset = -1;
        p->excluded = true;
    }
}

// Judges the moves (all, or those that did not pass). Returns the set of verdicts, bit per enum snk_verdict.
static unsigned judge(struct snk_sink *sink, struct snk_range range, const struct snk_offset_row *rows,
                      bool only_unmoved)
{
    struct snk_flush *flush = &sink->flush;
    bool *landed = mf_calloc(flush->move_count, sizeof *landed);
    enum snk_verdict *verdicts = mf_calloc(flush->move_count, sizeof *verdicts);
    unsigned set = 0;
    for (size_t i = 0; i < flush->move_count; i++) {
        if (only_unmoved && flush->moved[i])
            continue;
        const struct snk_partition *p = &sink->partitions[flush->moves[i].partition];
        verdicts[i] = snk_judge(p, flush->moves[i].next, rows[i].found, rows[i].epoch, rows[i].next_offset);
        landed[i] = verdicts[i] == SNK_LANDED;
        set |= 1u << verdicts[i];
        SNK_COUNT(sink, SNK_M_OUTCOME_CHECKS, 1, snk_verdict_name(verdicts[i]));
    }
    if ((set & (1u << SNK_LANDED)) != 0)
        account(sink, range, landed, NULL);
    for (size_t i = 0; i < flush->move_count; i++) {
        if (!only_unmoved || !flush->moved[i])
            apply_verdict(sink, i, verdicts[i], &rows[i]);
    }
    free(landed);
    free(verdicts);
    return set;
}

// False when even that failed: held, and asked again by the next run.
static bool read_outcome(struct snk_sink *sink, struct snk_range range, bool only_unmoved, unsigned *set)
{
    struct snk_scope scope = snk_scope_of(sink);
    struct snk_offset_row *rows = mf_calloc(sink->flush.move_count, sizeof *rows);
    struct mf_error err;
    int result = snk_warehouse_read_offsets(sink->warehouse, &sink->flush, &scope, only_unmoved, rows, &err);
    if (result == 0)
        *set = judge(sink, range, rows, only_unmoved);
    else
        snk_loader_held_by(sink, &err, "reading the outcome of a flush");
    free(rows);
    return result == 0;
}

// From the verdicts to the next step of the flush.
static void settle(struct snk_sink *sink, unsigned verdicts)
{
    if ((verdicts & ((1u << SNK_FENCED) | (1u << SNK_GONE))) != 0) {
        snk_rejoin(sink);
        return;
    }
    if ((verdicts & (1u << SNK_NOT_LANDED)) != 0)
        return; // the same range again; what landed takes no part in it any more
    snk_work_pop(&sink->work);
    sink->attempts = 0;
}

void snk_resolve_outcome(struct snk_sink *sink, struct snk_range range)
{
    unsigned verdicts = 0;
    if (!read_outcome(sink, range, false, &verdicts))
        return;
    sink->outcome_unknown = false;
    settle(sink, verdicts);
}

void snk_on_flushed(struct snk_sink *sink, struct snk_range range, int64_t duration_us)
{
    struct snk_flush *flush = &sink->flush;
    snk_loader_worked(sink);
    // The only handle on what the server did, and with it for its support.
    if (snk_warehouse_query_ids(sink->warehouse)[0] != '\0')
        MF_LOGF(sink->service->log, MF_LOG_INFO, "sink", "batch_flushed",
                MF_FIELDS(mf_lf_str("query_id", snk_warehouse_query_ids(sink->warehouse)),
                          mf_lf_str("load_id", flush->load_id), mf_lf_i64("rows", (int64_t)flush->rows)),
                "%zu rows of %zu partitions", flush->rows, flush->move_count);
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if ((flush->tables & (1u << table)) != 0)
            mf_metric_observe(metric_of(sink, SNK_M_FLUSH_SECONDS, table),
                              (double)duration_us / (double)MF_US_PER_SECOND);
    }
    account(sink, range, flush->moved, flush->inserted);
    bool all = true;
    for (size_t i = 0; i < flush->move_count; i++) {
        if (flush->moved[i])
            move(sink, &flush->moves[i]);
        all &= flush->moved[i];
    }
    if (all) {
        snk_work_pop(&sink->work);
        sink->attempts = 0;
        return;
    }
    // The fence held a partition back: its row says why.
    unsigned verdicts = 0;
    if (!read_outcome(sink, range, true, &verdicts)) {
        sink->outcome_unknown = true;
        return;
    }
    settle(sink, verdicts);
    if ((verdicts & (1u << SNK_NOT_LANDED)) != 0 && ++sink->attempts >= SNK_ATTEMPTS_MAX)
        snk_loader_hold(sink, sink->settings.breaker_retry_ms,
                        "the fence refuses a flush although epoch and offset are as expected");
}

// ---- what failed

// The topic of the table is paused by the next run; its rows leave this flush and are read again later.
static void stop_table(struct snk_sink *sink, enum snk_table table, const char *reason)
{
    snk_breaker_open(&sink->breakers[table], mf_clock_monotonic_us(), sink->settings.breaker_retry_ms,
                     reason);
    mf_metric_set(metric_of(sink, SNK_M_TABLE_STOPPED, table), 1);
    SNK_LOG(sink, ERROR, "table_stopped",
            "raw.%s cannot be written, its topic is paused, next try in %" PRId64 " ms: %s",
            snk_tables[table].name, sink->settings.breaker_retry_ms, reason);
    for (size_t i = 0; i < sink->partition_count; i++)
        sink->partitions[i].excluded |= sink->partitions[i].table == table;
    sink->attempts = 0;
}

// The row as the record that it was; of its headers only the revision, which the caller keeps in `revision`.
static struct snk_record record_of(const struct snk_sink *sink, const struct snk_row *row, char *revision,
                                   size_t size)
{
    const struct snk_partition *p = &sink->partitions[row->partition];
    struct snk_record record = {.table = row->table,
                                .topic = p->topic,
                                .partition = p->number,
                                .offset = row->offset,
                                .timestamp_ms = row->timestamp_ms,
                                .value = snk_batch_payload(&sink->batch, row)};
    if (row->revision > 0) {
        snprintf(revision, size, "%" PRId32, row->revision);
        record.revision_header = mf_str_of(revision);
    }
    return record;
}

void snk_reject_row(struct snk_sink *sink)
{
    char revision[16];
    const struct snk_row *row = &sink->batch.rows[sink->refused_row];
    struct snk_record record = record_of(sink, row, revision, sizeof revision);
    snk_letters_send(sink, &record, &sink->refused, sink->attempts > 0 ? sink->attempts : 1);
}

// A dead letter that the table refuses is not dead-lettered again: its digest takes its place, once.
static bool replace_by_digest(struct snk_sink *sink, struct snk_row *row)
{
    char revision[16];
    struct snk_record record = record_of(sink, row, revision, sizeof revision);
    struct mf_error err;
    struct mf_buf *text = &sink->letters.text;
    mf_buf_clear(text);
    if (row->replaced || snk_dead_letter_digest(&record, &sink->refused, text, &err) != 0)
        return false;
    snk_log_refused(sink, &record, &sink->refused, "its digest takes its place");
    record.value = mf_buf_str(text);
    if (snk_record_check(sink->checker, &record, &err) != 0)
        return false;
    char event_id[MF_EVENT_ID_SIZE];
    mf_str_copy(event_id, sizeof event_id, sink->checker->event.event_id);
    snk_batch_replace(&sink->batch, row, record.value, event_id,
                      (struct mf_str){sink->checker->dedupe_key, sink->checker->dedupe_key_len});
    sink->attempts = 0;
    return true;
}

// The partition alone is paused by the next run: what the others send fits.
static void stop_partition(struct snk_sink *sink, struct snk_partition *p)
{
    struct mf_error why = sink->refused;
    mf_error_prefix(
        &why,
        "raw.%s refused rows of it in more than %u bisections within a minute, which is no poison "
        "row but a table that does not fit; mend what it names, it is tried again every %" PRId64 " ms",
        snk_tables[p->table].name, sink->settings.poison_per_minute, sink->settings.breaker_retry_ms);
    snk_breaker_open(&p->breaker, mf_clock_monotonic_us(), sink->settings.breaker_retry_ms, why.message);
    MF_LOGF(sink->service->log, MF_LOG_ERROR, "sink", "partition_stopped",
            MF_FIELDS(mf_lf_str("topic", p->topic), mf_lf_i64("partition", p->number)),
            "%s[%d] is paused: %s", p->topic, p->number, why.message);
    p->stopped_at = p->stored;
    p->excluded = true;
    sink->attempts = 0;
}

// The one row that is left in the range is the one that the warehouse does not want.
static void refuse_row(struct snk_sink *sink, struct snk_range range)
{
    struct snk_scope scope = snk_scope_of(sink);
    size_t index = range.begin;
    while (!snk_row_takes_part(&scope, range, index))
        index++;
    struct snk_row *row = &sink->batch.rows[index];
    if (row->table != SNK_TABLE_DEAD_LETTERS) {
        sink->refused_row = index;
        snk_reject_row(sink);
    } else if (!replace_by_digest(sink, row)) {
        stop_table(sink, row->table, sink->refused.message);
    }
}

// The server refuses the data of the range: halves, until the row is alone. A partition that has had its
// bisections is stopped as soon as the range has rows of it alone; where several share the range, the halves
// tell which of them is to blame.
static void bisect(struct snk_sink *sink, struct snk_range range)
{
    struct snk_scope scope = snk_scope_of(sink);
    uint64_t before = sink->work.bisections;
    uint64_t bisection = snk_work_bisect(&sink->work);
    const struct mf_odbc_diagnostic *why = snk_warehouse_last(sink->warehouse);
    mf_error_set(&sink->refused, MF_ERROR_POISON, "warehouse_rejected", "SQLSTATE %s, native %d: %s",
                 why->sqlstate, why->native, why->message);
    unsigned limit = sink->settings.poison_per_minute;
    int64_t now_us = mf_clock_monotonic_us();
    size_t only = snk_range_partition(&scope, range);
    if (only != SIZE_MAX && !snk_bisection_is_allowed(&sink->partitions[only], bisection, limit, now_us)) {
        stop_partition(sink, &sink->partitions[only]);
        return;
    }
    mf_metric_add(MF_METRIC0(sink->service->metrics, &snk_metric_defs[SNK_M_BISECTIONS]),
                  (double)(bisection - before));
    if (sink->flush.rows > 1) {
        snk_work_split_rows(&sink->work, &scope);
        sink->attempts = 0;
    } else {
        snk_charge_bisection(&sink->partitions[only], bisection, limit, now_us);
        refuse_row(sink, range);
    }
}

// One line per failed statement, with what is done about it: the story of a bisection can be read from the
// log.
static void log_failure(struct snk_sink *sink, enum snk_action action, const struct mf_error *err)
{
    const struct mf_odbc_diagnostic *why = snk_warehouse_last(sink->warehouse);
    MF_LOGF(sink->service->log, MF_LOG_WARNING, "sink", "flush_failed",
            MF_FIELDS(mf_lf_str("error_code", err->code), mf_lf_str("sqlstate", why->sqlstate),
                      mf_lf_i64("native", why->native), mf_lf_i64("rows", (int64_t)sink->flush.rows),
                      mf_lf_i64("partitions", (int64_t)sink->flush.move_count),
                      mf_lf_i64("attempt", sink->attempts), mf_lf_str("load_id", sink->flush.load_id),
                      mf_lf_str("query_id", snk_warehouse_query_ids(sink->warehouse)),
                      mf_lf_str("action", snk_action_name(action))),
            "%s", err->message);
    SNK_COUNT(sink, SNK_M_RETRIES, 1, snk_action_name(action));
    for (enum snk_table table = 0; table < SNK_TABLE_MAX; table++) {
        if ((sink->flush.tables & (1u << table)) != 0)
            SNK_COUNT(sink, SNK_M_BATCHES, 1, snk_tables[table].name, "failed");
    }
}

static void act(struct snk_sink *sink, struct snk_range range, enum snk_action action,
                const struct mf_error *err)
{
    struct snk_scope scope = snk_scope_of(sink);
    switch (action) {
    case SNK_ACTION_CHECK_OUTCOME:
        // The statement may have been committed just before the connection went: the offset rows will tell.
        sink->outcome_unknown = true;
        snk_warehouse_close(sink->warehouse);
        snk_loader_hold(sink, mf_backoff_next_ms(&sink->backoff), err->message);
        break;
    case SNK_ACTION_RETRY: snk_loader_hold(sink, mf_backoff_next_ms(&sink->backoff), err->message); break;
    case SNK_ACTION_BISECT:
    case SNK_ACTION_REJECT_ROW: bisect(sink, range); break;
    case SNK_ACTION_SPLIT_ROWS:
        snk_work_split_rows(&sink->work, &scope);
        sink->attempts = 0;
        break;
    case SNK_ACTION_SPLIT_TABLES:
        snk_work_split_tables(&sink->work, &scope);
        sink->attempts = 0;
        break;
    case SNK_ACTION_STOP_TABLE: stop_table(sink, range.table, err->message); break;
    case SNK_ACTION_HOLD_ALL:
    case SNK_ACTION_MAX:
        // The batch stays in memory and the same range is tried again.
        sink->attempts = 0;
        snk_loader_hold(sink, sink->settings.breaker_retry_ms, err->message);
        break;
    }
}

void snk_on_flush_failed(struct snk_sink *sink, struct snk_range range, const struct mf_error *err)
{
    if (err->class == MF_ERROR_FATAL) {
        snk_fail(sink, err, "flushing a batch");
        return;
    }
    sink->attempts++;
    struct snk_failure failure = {.class = snk_warehouse_last(sink->warehouse)->class,
                                  .table = range.table,
                                  .rows = sink->flush.rows,
                                  .attempts = sink->attempts};
    enum snk_action action = snk_decide(&failure);
    log_failure(sink, action, err);
    act(sink, range, action, err);
}
