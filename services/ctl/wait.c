// SPDX-License-Identifier: Apache-2.0
// marketflowctl wait --manifest: until what a backfill published is in the warehouse. Two steps: the
// processor's group has passed the manifest's offsets; then the ends of the sink's topics are noted, in which
// everything that came of it lies, and the warehouse has passed those. A dependency that is away is waited
// for, too, up to the timeout.
#include "services/ctl/wait.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "common/raw_table.h"
#include "services/ctl/ctl.h"

#define COMMAND "wait"
#define TIMEOUT_S 3600
#define LOOK_MS 500
#define QUESTION_MS 10000

enum { INPUTS = 2 };
static const enum mf_topic_role input_roles[INPUTS] = {MF_TOPIC_RAW, MF_TOPIC_RAW_BACKFILL};

enum step { STEP_CHECK, STEP_PROCESSOR, STEP_NOTE, STEP_WAREHOUSE, STEP_DONE };

struct wait {
    const struct mf_settings *settings;
    struct ctl_kafka kafka;
    struct ctl_manifest manifest;
    struct mf_kafka_offsets *offsets; // of the processor's group
    struct ctl_warehouse warehouse;
    char processor[256], sink[256];
    enum step step;
    struct ctl_goal *raw, *outputs;
    size_t output_count;
    int64_t begun_us, until_us;
    struct mf_timer *timer;
    struct ctl_progress progress;
    struct mf_error trouble; // why the last look did not succeed; code "" = it did
    struct mf_error *err;
    bool failed;
};

// ---------------------------------------------------------------- steps: 1 = go on, 0 = look again, -1

static int ask_inputs(struct wait *w, struct mf_kafka_range *ranges[INPUTS], size_t counts[INPUTS],
                      const char *names[INPUTS], struct mf_error *err)
{
    for (size_t i = 0; i < INPUTS; i++) {
        names[i] = mf_topic_name(w->settings, input_roles[i]);
        if (mf_kafka_offsets_ranges(w->offsets, names[i], QUESTION_MS, &ranges[i], &counts[i], err) != 0)
            return -1;
    }
    return 0;
}

static int check(struct wait *w, struct mf_error *err)
{
    struct mf_kafka_range *ranges[INPUTS] = {NULL};
    const char *names[INPUTS] = {NULL};
    size_t counts[INPUTS] = {0};
    int result = ask_inputs(w, ranges, counts, names, err);
    for (size_t i = 0; result == 0 && i < w->manifest.count; i++) {
        const struct ctl_manifest_partition *p = &w->manifest.partitions[i];
        result =
            ctl_manifest_check(p, names, (const struct mf_kafka_range *const *)ranges, counts, INPUTS, err);
        w->raw[i] = (struct ctl_goal){p->topic, p->partition, -1, p->offset + 1, -1};
    }
    for (size_t i = 0; i < INPUTS; i++)
        free(ranges[i]);
    return result == 0 ? 1 : -1;
}

static void show(struct wait *w, const char *who, const struct ctl_goal *goals, size_t count)
{
    const struct ctl_goal *first = NULL;
    uint64_t left = 0;
    size_t behind = ctl_goals_behind(goals, count, &first, &left);
    if (behind > 0)
        ctl_progress(&w->progress,
                     "%s: %" PRIu64 " offsets to go in %zu partitions, %s [%d] is at %" PRId64 " of %" PRId64,
                     who, left, behind, first->topic, (int)first->partition, first->at, first->end);
}

static int look_at_processor(struct wait *w, struct mf_error *err)
{
    size_t count = w->manifest.count;
    struct mf_kafka_offset *items = mf_calloc(count, sizeof *items);
    const struct ctl_goal *first = NULL;
    uint64_t left = 0;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct mf_kafka_offset){w->raw[i].topic, w->raw[i].partition, -1};
    int result = count == 0 ? 0 : mf_kafka_offsets_committed(w->offsets, items, count, QUESTION_MS, err);
    for (size_t i = 0; result == 0 && i < count; i++)
        w->raw[i].at = items[i].offset;
    free(items);
    if (result != 0)
        return -1;
    show(w, w->processor, w->raw, count);
    return ctl_goals_behind(w->raw, count, &first, &left) == 0 ? 1 : 0;
}

// Everything that came of the manifest's records is below these ends by now.
static int note_outputs(struct wait *w, struct mf_error *err)
{
    free(w->outputs);
    w->outputs = NULL;
    w->output_count = 0;
    for (size_t t = 0; t < MF_RAW_MAX; t++) {
        struct mf_kafka_range *ranges = NULL;
        size_t count = 0;
        const char *topic = mf_topic_name(w->settings, mf_raw_tables[t].topic);
        if (mf_kafka_offsets_ranges(w->offsets, topic, QUESTION_MS, &ranges, &count, err) != 0)
            return -1;
        w->outputs = mf_realloc(w->outputs, (w->output_count + count) * sizeof *w->outputs);
        for (size_t p = 0; p < count; p++)
            w->outputs[w->output_count++] =
                (struct ctl_goal){topic, (int32_t)p, ranges[p].low, ranges[p].high, -1};
        free(ranges);
    }
    return 1;
}

static int look_at_warehouse(struct wait *w, struct mf_error *err)
{
    const struct ctl_goal *first = NULL;
    uint64_t left = 0;
    if (w->warehouse.connection == NULL && ctl_warehouse_open(&w->warehouse, w->settings, 0, err) != 0)
        return -1;
    struct ctl_stored *items = mf_calloc(w->output_count, sizeof *items);
    for (size_t i = 0; i < w->output_count; i++)
        items[i] = (struct ctl_stored){w->outputs[i].topic, w->outputs[i].partition, -1};
    int result = ctl_warehouse_stored(&w->warehouse, w->sink, items, w->output_count, err);
    for (size_t i = 0; result == 0 && i < w->output_count; i++)
        w->outputs[i].at = items[i].next_offset;
    free(items);
    if (result != 0) {
        ctl_warehouse_close(&w->warehouse);
        return -1;
    }
    show(w, w->sink, w->outputs, w->output_count);
    return ctl_goals_behind(w->outputs, w->output_count, &first, &left) == 0 ? 1 : 0;
}

static int do_step(struct wait *w, struct mf_error *err)
{
    switch (w->step) {
    case STEP_CHECK: return check(w, err);
    case STEP_PROCESSOR: return look_at_processor(w, err);
    case STEP_NOTE: return note_outputs(w, err);
    case STEP_WAREHOUSE: return look_at_warehouse(w, err);
    case STEP_DONE: break;
    }
    return 0;
}

// ---------------------------------------------------------------- the run

static void finish(struct wait *w, const struct mf_error *err)
{
    if (err != NULL) {
        *w->err = *err;
        w->failed = true;
    }
    mf_loop_stop(w->kafka.loop);
}

// The time is over: says what was being waited for.
static void give_up(struct wait *w)
{
    struct mf_error err;
    const struct ctl_goal *first = NULL;
    uint64_t left = 0;
    bool sink = w->step == STEP_WAREHOUSE;
    size_t behind = ctl_goals_behind(sink ? w->outputs : w->raw, sink ? w->output_count : w->manifest.count,
                                     &first, &left);
    if (w->trouble.code[0] != '\0')
        mf_error_set(&err, MF_ERROR_TRANSIENT, "timeout", "not there in time: %s", w->trouble.message);
    else if (behind > 0)
        mf_error_set(&err, MF_ERROR_TRANSIENT, "timeout",
                     "not there in time: %s has %" PRIu64 " offsets to go in %zu partitions; %s [%d] is at "
                     "%" PRId64 " of %" PRId64,
                     sink ? w->sink : w->processor, left, behind, first->topic, (int)first->partition,
                     first->at, first->end);
    else
        mf_error_set(&err, MF_ERROR_TRANSIENT, "timeout", "not there in time");
    finish(w, &err);
}

static void on_timer(void *arg)
{
    struct wait *w = arg;
    struct mf_error err;
    int result = 1;
    while (result == 1 && w->step != STEP_DONE) {
        result = do_step(w, &err);
        w->step += result == 1 ? 1 : 0;
    }
    if (w->step == STEP_DONE) {
        finish(w, NULL);
        return;
    }
    // Who is away comes back; a topic that is not there may be made yet.
    if (result < 0 && err.class != MF_ERROR_TRANSIENT && err.class != MF_ERROR_UNCERTAIN) {
        finish(w, &err);
        return;
    }
    w->trouble = result < 0 ? err : (struct mf_error){.code = ""};
    if (result < 0)
        ctl_progress(&w->progress, "%s", err.message);
    if (mf_clock_monotonic_us() >= w->until_us)
        give_up(w);
    else
        mf_timer_arm_ms(w->timer, LOOK_MS);
}

static void report(const struct wait *w)
{
    struct mf_buf buf;
    struct mf_json_writer json;
    mf_buf_init(&buf, 4096);
    mf_jw_init(&json, &buf);
    mf_jw_object_begin(&json);
    if (w->manifest.run_id[0] != '\0') {
        mf_jw_key(&json, "run_id");
        mf_jw_c_string(&json, w->manifest.run_id);
    }
    if (w->manifest.knows_series || w->manifest.is_partial) {
        mf_jw_key(&json, "complete");
        mf_jw_bool(&json, !w->manifest.is_partial);
    }
    if (w->manifest.knows_series) {
        mf_jw_member_u64(&json, "symbols", w->manifest.series);
        mf_jw_member_u64(&json, "missing", w->manifest.missing);
    }
    mf_jw_key(&json, "raw_partitions");
    mf_jw_u64(&json, w->manifest.count);
    mf_jw_key(&json, "output_partitions");
    mf_jw_u64(&json, w->output_count);
    mf_jw_key(&json, "waited_ms");
    mf_jw_i64(&json, (mf_clock_monotonic_us() - w->begun_us) / MF_US_PER_MS);
    mf_jw_object_end(&json);
    printf("%s\n", mf_buf_c_str(&buf));
    mf_buf_free(&buf);
}

static int run(struct wait *w, struct mf_service *service, struct mf_error *err)
{
    w->settings = service->settings;
    w->err = err;
    w->raw = mf_calloc(w->manifest.count, sizeof *w->raw);
    bool named = ctl_group_name(w->settings, "processor", w->processor, sizeof w->processor) &&
                 ctl_group_name(w->settings, "sink", w->sink, sizeof w->sink);
    assert(named); // the prefix has at most 100 characters
    if (ctl_kafka_open(service, &w->kafka, err) != 0 ||
        mf_kafka_offsets_new(&w->kafka.config, w->processor, &w->offsets, err) != 0)
        return -1;
    w->timer = mf_timer_new(w->kafka.loop, on_timer, w);
    mf_timer_arm_ms(w->timer, 0);
    int result = mf_loop_run(w->kafka.loop, err);
    return result != 0 || w->failed ? -1 : 0;
}

static void end(struct wait *w)
{
    mf_timer_free(&w->timer);
    mf_kafka_offsets_free(&w->offsets);
    ctl_warehouse_close(&w->warehouse);
    ctl_kafka_close(&w->kafka);
    ctl_manifest_free(&w->manifest);
    free(w->raw);
    free(w->outputs);
}

int ctl_run_wait(struct mf_service *service, int argc, char **argv)
{
    const char *path = NULL, *timeout = NULL;
    const struct mf_option known[] = {{.name = "--manifest", .value = &path, .required = true},
                                      {.name = "--timeout-s", .value = &timeout}};
    struct wait w = {0};
    struct mf_error err;
    int64_t timeout_s = TIMEOUT_S;
    if (mf_options_parse(known, MF_ARRAY_LEN(known), argc, argv, &err) != 0)
        return ctl_usage(COMMAND, "%s", err.message);
    if (!ctl_option_number(COMMAND, "--timeout-s", timeout, 0, 604800, &timeout_s))
        return MF_EXIT_CONFIG;
    if (ctl_manifest_read(path, &w.manifest, &err) != 0) {
        ctl_failed(COMMAND, &err);
        return MF_EXIT_CONFIG;
    }
    w.begun_us = mf_clock_monotonic_us();
    w.until_us = w.begun_us + timeout_s * MF_US_PER_SECOND;
    int result = run(&w, service, &err);
    ctl_progress_end(&w.progress);
    if (result == 0)
        report(&w);
    int exit_code = result == 0 ? ctl_flush(stdout) : ctl_failed(COMMAND, &err);
    end(&w);
    return exit_code;
}
