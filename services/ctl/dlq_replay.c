// SPDX-License-Identifier: Apache-2.0
// marketflowctl dlq replay: the letters that fit go back to where their records came from. A run is a
// consumer group of its own, named after the filter, so that the same command after an interruption, or a
// month later, goes on behind the last letter that it has looked at; a run goes up to the end that the topic
// has at its start. Another process with the same run fences this one.
#include "services/ctl/dlq_replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/json_writer.h"

#define COMMAND "dlq replay"
#define QUESTION_MS 30000
#define STALL_MS 60000
#define BATCH_DEFAULT 500
#define BATCH_MAX 10000

int64_t ctl_replay_left(const struct ctl_replay_run *run)
{
    int64_t left = 0;
    for (size_t p = 0; p < run->partition_count; p++) {
        const struct ctl_replay_partition *partition = &run->partitions[p];
        left += partition->done < partition->end ? partition->end - partition->done : 0;
    }
    return left;
}

void ctl_replay_stop(struct ctl_replay_run *run, const struct mf_error *err)
{
    if (err != NULL && !run->failed) {
        *run->err = *err;
        run->failed = true;
    }
    mf_loop_stop(run->kafka.loop);
}

// ---------------------------------------------------------------- consumer

static struct ctl_replay_partition *partition_of(struct ctl_replay_run *run, int32_t partition)
{
    return (size_t)partition < run->partition_count ? &run->partitions[partition] : NULL;
}

static void look_soon(struct ctl_replay_run *run)
{
    mf_kafka_consumer_hold(run->consumer, true);
    mf_deferred_schedule(run->commit);
}

static enum mf_consume on_message(void *arg, const struct mf_kafka_message *message)
{
    struct ctl_replay_run *run = arg;
    struct mf_error err;
    struct ctl_replay_partition *partition = partition_of(run, message->partition);
    if (run->failed || partition == NULL)
        return MF_CONSUME_STOP;
    if (message->offset >= partition->end) {
        // Written after the start, maybe because of a record that was replayed: another run's.
        if (partition->done < partition->end)
            partition->pending = partition->end;
        return MF_CONSUME_NEXT;
    }
    if (ctl_replay_take(run, message, &err) != 0) {
        ctl_replay_stop(run, &err);
        return MF_CONSUME_STOP;
    }
    return run->open_count >= (uint64_t)run->batch ? MF_CONSUME_STOP : MF_CONSUME_NEXT;
}

static void on_turn_end(void *arg)
{
    look_soon(arg);
}

// The marks of transactions at the end of a partition are no letters.
static void on_eof(void *arg, const char *topic, int32_t partition, int64_t offset)
{
    struct ctl_replay_run *run = arg;
    struct ctl_replay_partition *p = partition_of(run, partition);
    (void)topic;
    if (p == NULL || offset < p->end || p->done >= p->end)
        return;
    p->pending = p->end;
    look_soon(run);
}

static void on_revoke(void *arg, bool lost)
{
    (void)lost;
    ctl_replay_abort(arg);
}

// Letters that retention has removed are gone; a position beyond the log belongs to another topic.
static int64_t on_out_of_range(void *arg, const char *topic, int32_t partition, int64_t low, int64_t high)
{
    struct ctl_replay_run *run = arg;
    const struct ctl_replay_partition *p = partition_of(run, partition);
    (void)topic;
    (void)high;
    return p != NULL && p->done < low ? low : -1;
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    ctl_replay_stop(arg, err);
}

static void on_commit(void *arg)
{
    struct ctl_replay_run *run = arg;
    struct mf_error err;
    if (run->failed)
        return;
    if (ctl_replay_commit(run, &err) != 0) {
        ctl_replay_stop(run, &err);
        return;
    }
    mf_kafka_consumer_hold(run->consumer, false);
    if (ctl_replay_left(run) == 0)
        ctl_replay_stop(run, NULL);
}

// ---------------------------------------------------------------- the run

// Where the run stands, and how far it goes.
static int look(struct ctl_replay_run *run, struct mf_error *err)
{
    struct mf_kafka_offsets *offsets = NULL;
    struct mf_kafka_range *ranges = NULL;
    if (mf_kafka_offsets_new(&run->kafka.config, run->group, &offsets, err) != 0)
        return -1;
    int result =
        mf_kafka_offsets_ranges(offsets, run->topic, QUESTION_MS, &ranges, &run->partition_count, err);
    struct mf_kafka_offset *stored = mf_calloc(run->partition_count, sizeof *stored);
    for (size_t p = 0; result == 0 && p < run->partition_count; p++)
        stored[p] = (struct mf_kafka_offset){run->topic, (int32_t)p, -1};
    if (result == 0)
        result = mf_kafka_offsets_committed(offsets, stored, run->partition_count, QUESTION_MS, err);
    if (result == 0)
        run->partitions = mf_calloc(run->partition_count, sizeof *run->partitions);
    for (size_t p = 0; result == 0 && p < run->partition_count; p++) {
        int64_t from = stored[p].offset > ranges[p].low ? stored[p].offset : ranges[p].low;
        run->partitions[p] = (struct ctl_replay_partition){ranges[p].high, from, -1};
    }
    free(stored);
    free(ranges);
    mf_kafka_offsets_free(&offsets);
    return result;
}

static int replay(struct ctl_replay_run *run, struct mf_error *err)
{
    const struct mf_kafka_producer_ops producer_ops = {.on_fatal = on_fatal, .arg = run};
    const struct mf_kafka_consumer_ops consumer_ops = {.on_message = on_message,
                                                       .on_turn_end = on_turn_end,
                                                       .on_revoke = on_revoke,
                                                       .on_eof = on_eof,
                                                       .on_out_of_range = on_out_of_range,
                                                       .on_fatal = on_fatal,
                                                       .arg = run};
    const char *const topics[] = {run->topic, NULL};
    const struct mf_kafka_consumer_config consumer_config = {
        .group = run->group, .topics = topics, .read_committed = true, .start_at_earliest = true};
    if (mf_kafka_producer_new(&run->kafka.config, run->group, &producer_ops, &run->producer, err) != 0 ||
        mf_kafka_txn_init(run->producer, QUESTION_MS, err) != 0)
        return -1;
    run->commit = mf_deferred_new(run->kafka.loop, on_commit, run);
    if (mf_kafka_consumer_new(&run->kafka.config, &consumer_config, &consumer_ops, &run->consumer, err) != 0)
        return -1;
    int result = mf_loop_run(run->kafka.loop, err);
    return result != 0 || run->failed ? -1 : 0;
}

// A dry run reads what the run would; it joins no group and writes nothing.
static int on_dry(void *arg, const struct mf_kafka_message *message, struct mf_error *err)
{
    struct ctl_replay_run *run = arg;
    const struct ctl_replay_partition *p = partition_of(run, message->partition);
    if (p == NULL || message->offset < p->done || message->offset >= p->end)
        return 0;
    return ctl_replay_take(run, message, err);
}

static int go(struct ctl_replay_run *run, struct mf_error *err)
{
    if (look(run, err) != 0)
        return -1;
    if (ctl_replay_left(run) == 0)
        return 0;
    if (!run->dry_run)
        return replay(run, err);
    const struct ctl_topic_reading reading = {
        .topic = run->topic, .stall_ms = STALL_MS, .on_message = on_dry, .arg = run};
    if (ctl_read_topic(&run->kafka, &reading, err) != 0)
        return -1;
    return ctl_replay_commit(run, err);
}

// ---------------------------------------------------------------- arguments and result

static void report(const struct ctl_replay_run *run)
{
    struct mf_buf buf;
    struct mf_json_writer w;
    mf_buf_init(&buf, 4096);
    mf_jw_init(&w, &buf);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "run");
    mf_jw_c_string(&w, run->run);
    mf_jw_key(&w, "dry_run");
    mf_jw_bool(&w, run->dry_run);
    for (enum ctl_replay verdict = 0; verdict < CTL_REPLAY_MAX; verdict++) {
        mf_jw_key(&w, ctl_replay_name(verdict));
        mf_jw_u64(&w, run->by[verdict]);
    }
    mf_jw_key(&w, "other");
    mf_jw_u64(&w, run->other);
    mf_jw_object_end(&w);
    printf("%s\n", mf_buf_c_str(&buf));
    mf_buf_free(&buf);
}

// Why letters were left where they are, and what to do instead.
static void advise(const struct ctl_replay_run *run)
{
    if (run->by[CTL_REPLAY_INGEST] > 0)
        fprintf(stderr,
                "%" PRIu64
                " letters of stage ingest never were records: run the backfill of their symbols and "
                "days again (marketflow-ingestor backfill … --again); dlq list --stage ingest names them\n",
                run->by[CTL_REPLAY_INGEST]);
    if (run->by[CTL_REPLAY_CUT] > 0)
        fprintf(stderr, "%" PRIu64 " letters hold only the beginning of a record above 256 KiB\n",
                run->by[CTL_REPLAY_CUT]);
    if (run->by[CTL_REPLAY_EMPTY] > 0)
        fprintf(stderr, "%" PRIu64 " letters hold no bytes\n", run->by[CTL_REPLAY_EMPTY]);
    if (run->by[CTL_REPLAY_FOREIGN] > 0)
        fprintf(stderr, "%" PRIu64 " letters come from a topic that no service reads\n",
                run->by[CTL_REPLAY_FOREIGN]);
    if (run->by[CTL_REPLAY_UNREADABLE] > 0)
        fprintf(stderr, "%" PRIu64 " records are no dead letters\n", run->by[CTL_REPLAY_UNREADABLE]);
}

static bool run_is_valid(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return text[len] == '\0' && len >= 1 && len <= 64;
}

static bool parse(struct ctl_replay_run *run, int argc, char **argv)
{
    struct ctl_letter_options options = {0};
    const char *name = NULL, *batch = NULL;
    const struct mf_option known[] = {
        {.name = "--reason", .value = &options.reason}, {.name = "--topic", .value = &options.topic},
        {.name = "--stage", .value = &options.stage},   {.name = "--since", .value = &options.since},
        {.name = "--until", .value = &options.until},   {.name = "--run", .value = &name},
        {.name = "--batch", .value = &batch},           {.name = "--dry-run", .flag = &run->dry_run}};
    struct mf_error err;
    if (mf_options_parse(known, MF_ARRAY_LEN(known), argc, argv, &err) != 0 ||
        ctl_letter_filter_parse(&options, &run->filter, &err) != 0) {
        ctl_usage(COMMAND, "%s", err.message);
        return false;
    }
    if (name != NULL && !run_is_valid(name)) {
        ctl_usage(COMMAND, "--run must be 1 to 64 of the characters A-Z a-z 0-9 . _ -");
        return false;
    }
    if (name != NULL)
        snprintf(run->run, sizeof run->run, "%s", name);
    else
        ctl_letter_run(&run->filter, run->run);
    return ctl_option_number(COMMAND, "--batch", batch, 1, BATCH_MAX, &run->batch);
}

static void begin(struct ctl_replay_run *run, const struct mf_service *service, struct mf_error *err)
{
    char name[96];
    snprintf(name, sizeof name, "dlq-replay.%s", run->run);
    bool named = ctl_group_name(service->settings, name, run->group, sizeof run->group);
    assert(named); // the prefix has at most 100 characters
    run->err = err;
    run->settings = service->settings;
    run->topic = mf_topic_name(service->settings, MF_TOPIC_DLQ);
    run->json = mf_json_new();
    run->raw_json = mf_json_new();
    run->event = mf_alloc(sizeof *run->event);
    run->raw_event = mf_alloc(sizeof *run->raw_event);
    run->raw = mf_alloc(MF_DEAD_LETTER_RAW_MAX);
}

static void end(struct ctl_replay_run *run)
{
    mf_kafka_consumer_free(&run->consumer);
    mf_kafka_producer_free(&run->producer);
    mf_deferred_free(&run->commit);
    ctl_kafka_close(&run->kafka);
    mf_json_free(&run->json);
    mf_json_free(&run->raw_json);
    free(run->event);
    free(run->raw_event);
    free(run->raw);
    free(run->partitions);
}

int ctl_run_dlq_replay(struct mf_service *service, int argc, char **argv)
{
    struct ctl_replay_run run = {.batch = BATCH_DEFAULT};
    struct mf_error err;
    if (!parse(&run, argc, argv))
        return MF_EXIT_CONFIG;
    begin(&run, service, &err);
    int result = ctl_kafka_open(service, &run.kafka, &err);
    if (result == 0)
        result = go(&run, &err);
    ctl_progress_end(&run.progress);
    report(&run);
    advise(&run);
    int exit_code = ctl_flush(stdout);
    if (result != 0) {
        // Else its records would hold up the readers of their topics until the broker ends the transaction.
        if (run.open && err.class == MF_ERROR_TRANSIENT)
            mf_kafka_txn_abort(run.producer, NULL);
        exit_code = ctl_failed(COMMAND, &err);
        if (!run.dry_run)
            fprintf(stderr, "what was replayed is committed; the same command goes on behind it\n");
    }
    end(&run);
    return exit_code;
}
