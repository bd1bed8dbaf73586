// SPDX-License-Identifier: Apache-2.0
// The sink: committed events from Kafka into the warehouse, each row once. Offsets live with the rows; the
// group's own are only told for lag tools.
//
// One state machine, driven by snk_loader_run: open a session, take partitions over, fill a batch, flush it.
// Whatever fails leaves the work where it is; the next run goes on from there. Nothing here waits but the
// statements themselves. Ownership: snk_sink_new/free; borrowed: the service.
#ifndef SNK_SINK_H
#define SNK_SINK_H

#include "common/backoff.h"
#include "common/kafka.h"
#include "common/kafka_fence.h"
#include "common/service.h"
#include "services/sink/policy.h"
#include "services/sink/warehouse.h"

// Letters under way at which the intake stops: what must be read again if they fail stays small.
#define SNK_LETTERS_MAX 500
#define SNK_LETTERS_KEPT 512

enum snk_phase {
    SNK_COLLECTING, // records go into the batch
    SNK_FLUSHING    // the batch is on its way; no record is taken
};

// Whose letter it is, for the log.
struct snk_letter {
    uint64_t number;   // of the letter; 0 = none
    const char *topic; // of the refused record, as partition and offset are
    int32_t partition;
    int64_t offset;
    char event_id[MF_EVENT_ID_SIZE]; // "" when it has none that can be read
};

// Letters on their way to market.dlq. Offsets do not pass a record before its letter is acknowledged.
struct snk_letters {
    struct mf_kafka_producer *producer;
    struct mf_buf text;
    uint64_t sent;        // letters so far: the number of the last one
    uint64_t older_batch; // up to this number they belong to an older batch: their deliveries do not count
    struct snk_letter recent[SNK_LETTERS_KEPT]; // by number, the oldest overwritten
    size_t pending;
    int64_t
        pending_since_us; // monotonic time at which the oldest of them was sent, or one was last acknowledged
    bool failed;
};

struct snk_settings {
    struct snk_limits limits;
    int64_t flush_ms, idle_commit_ms, breaker_retry_ms, session_ms;
    int64_t session_rows;
    unsigned poison_per_minute;
    bool skip_lost_ranges; // SINK_OFFSET_RESET=earliest
};

struct snk_sink {
    struct mf_service *service;
    struct snk_settings settings;
    char *topics[SNK_TABLE_MAX];
    char *group;
    struct mf_kafka_config kafka;
    struct mf_kafka_consumer *consumer;
    struct mf_kafka_fence fence;
    char cluster_id[64];
    struct snk_warehouse *warehouse;

    struct snk_partition *partitions; // of the current assignment
    size_t partition_count, hint;

    enum snk_phase phase;
    struct snk_checker *checker;
    struct snk_batch batch;
    struct snk_work work;
    struct snk_flush flush;
    struct snk_letters letters;
    int64_t moved_us; // monotonic time since which offsets wait to be stored without a row; 0 = none do
    bool moved_by_letter;
    bool outcome_unknown;    // of the current range: read the offset rows before anything else
    unsigned attempts;       // at the current range
    size_t refused_row;      // of the batch, being dead-lettered; SIZE_MAX = none
    struct mf_error refused; // why

    struct snk_breaker breakers[SNK_TABLE_MAX];
    struct mf_backoff backoff;
    int64_t hold_until_us; // monotonic; nothing is tried before; 0 = no hold
    char hold_reason[MF_ERROR_MESSAGE_SIZE];
    int64_t session_opened_us;
    int64_t session_rows;

    struct mf_deferred *run;
    struct mf_timer *age, *hold, *tick;
    int64_t group_commit_us;
    bool draining, closing, failed, rejoining;
    bool recheck;       // compare the stored offsets with ours before the next batch
    int64_t checked_us; // monotonic; when that was done last
    uint64_t rows_landed;
    int64_t last_commit_us; // monotonic; 0 = none yet
};

// CONFIG when a setting cannot be used. Does not touch the network.
int snk_sink_new(struct mf_service *service, struct snk_sink **sink, struct mf_error *err);
void snk_sink_free(struct snk_sink **sink);
// Flushes what is buffered if the warehouse is there, leaves the group, then calls mf_service_drained.
void snk_sink_drain(struct snk_sink *sink);
// The warehouse's next session uses a new password; everything else is as it was at the start.
void snk_sink_reload(struct snk_sink *sink, const struct mf_settings *fresh);
void snk_sink_check_ready(struct snk_sink *sink, struct mf_health *health);
bool snk_sink_is_alive(const struct snk_sink *sink);
void snk_sink_status(const struct snk_sink *sink, char *text, size_t size);

// ---- intake.c: what Kafka hands over
int snk_intake_join(struct snk_sink *sink,
                    struct mf_error *err); // joins the group, with a consumer of its own
struct snk_partition *snk_find_partition(struct snk_sink *sink, const char *topic, int32_t number);
// Forgets the batch and reads all of it again; deliveries of its letters do not count any more.
void snk_rewind(struct snk_sink *sink);
void snk_forget_batch(struct snk_sink *sink);
// Rows, bytes or letters under way are at their limit: the intake stops.
bool snk_intake_is_full(const struct snk_sink *sink);

// ---- letters.c: dead letters
int snk_letters_start(struct snk_sink *sink, struct mf_error *err);
// What was refused and what becomes of it, with the record's event_id as correlation_id when it has one.
void snk_log_refused(struct snk_sink *sink, const struct snk_record *record, const struct mf_error *refused,
                     const char *consequence);
// Sends one; when it cannot be sent, letters.failed says so. A record of market.dlq is never given here
// (asserted).
void snk_letters_send(struct snk_sink *sink, const struct snk_record *record, const struct mf_error *refused,
                      unsigned attempts);

// ---- loader.c: the state machine
void snk_loader_run(void *arg);
// Sets the timer for when the batch is due.
void snk_loader_arm(struct snk_sink *sink);
// Inside a revoke: flushes what can be flushed without waiting.
void snk_loader_finish(struct snk_sink *sink);
// Nothing is tried for delay_ms; the reason is for /readyz.
void snk_loader_hold(struct snk_sink *sink, int64_t delay_ms, const char *reason);
bool snk_loader_is_holding(const struct snk_sink *sink);
// The sink cannot go on: logged once, the service leaves.
void snk_fail(struct snk_sink *sink, const struct mf_error *err, const char *doing);
// Leaves the group, then tells the service that it is drained.
void snk_loader_leave(struct snk_sink *sink);
// Takes unacquired partitions over (the session is open); does not seek. False when it held or failed.
bool snk_loader_acquire(struct snk_sink *sink);
struct snk_scope snk_scope_of(const struct snk_sink *sink);

// What failed beside a flush (opening, assigning, reading offsets): held, or the service leaves.
void snk_loader_held_by(struct snk_sink *sink, const struct mf_error *err, const char *doing);
// A statement worked: the next failure begins with the shortest delay.
void snk_loader_worked(struct snk_sink *sink);

// ---- outcome.c: after a statement
void snk_on_flushed(struct snk_sink *sink, struct snk_range range, int64_t duration_us);
void snk_on_flush_failed(struct snk_sink *sink, struct snk_range range, const struct mf_error *err);
// The answer of the current range never came: reads the offset rows of its flush and decides.
void snk_resolve_outcome(struct snk_sink *sink, struct snk_range range);
// Somebody else has our partitions, or their rows are gone: only a new assignment gives a new epoch.
void snk_rejoin(struct snk_sink *sink);
// Is what the warehouse has still what we think? A server that crashed may have lost the last flushes
// (synchronous_commit is off), and a partition that nothing comes in would never notice. Partitions that are
// behind are read again from there. False when held, or when the group is joined anew. Not during a flush.
bool snk_recheck(struct snk_sink *sink);
// Sends the letter of the refused row (again).
void snk_reject_row(struct snk_sink *sink);

// ---- tables.c
extern const struct mf_setting_table snk_settings_table;
void snk_check_settings(const struct mf_settings *settings, struct mf_buf *problems);
enum snk_metric {
    SNK_M_ROWS,               // table, result
    SNK_M_BATCHES,            // table, result
    SNK_M_BATCH_ROWS,         // table
    SNK_M_FLUSH_SECONDS,      // table
    SNK_M_BUFFER_ROWS,        // table
    SNK_M_BUFFER_BYTES,       // table
    SNK_M_OLDEST,             // table
    SNK_M_RETRIES,            // reason
    SNK_M_SESSION_UP,         //
    SNK_M_AUTH_EXPIRY,        //
    SNK_M_END_TO_END,         // table
    SNK_M_LAST_COMMIT,        // table
    SNK_M_LAST_EVENT,         // table
    SNK_M_SESSIONS,           // result
    SNK_M_OUTCOME_CHECKS,     // verdict
    SNK_M_BISECTIONS,         //
    SNK_M_TABLE_STOPPED,      // table
    SNK_M_PARTITIONS_STOPPED, // table
    SNK_M_MAX
};
extern const struct mf_metric_def snk_metric_defs[SNK_M_MAX];
// Series exist before the first event.
void snk_metrics_start(struct snk_sink *sink);
#define SNK_COUNT(sink, id, amount, ...) \
    mf_metric_add(MF_METRIC((sink)->service->metrics, &snk_metric_defs[id], __VA_ARGS__), (double)(amount))
#define SNK_LOG(sink, level, event, ...) \
    MF_LOG((sink)->service->log, MF_LOG_##level, "sink", event, __VA_ARGS__)

#endif
