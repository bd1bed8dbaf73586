// SPDX-License-Identifier: Apache-2.0
#include "services/processor/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/lines.h"
#include "services/processor/config.h"

#define LINE_MAX ((size_t)1000000) // of a record: what is longer can be on no topic
#define PROGRESS_LINES 250000
#define CELLS_MAX 1000000 // a file is not a stream: memory is the reader's to mind

struct replay {
    struct prc_fold *fold;
    const struct prc_replay_config *config;
    struct prc_replay_counts *counts;
    struct prc_partition *partitions[2]; // by role: RAW, RAW_BACKFILL
    struct mf_json *json;
    struct mf_event *event;
    struct mf_buf completed; // a line that was given its event_id
};

static void fold_line(struct replay *replay, struct mf_str value, uint64_t number, bool backfill,
                      int64_t timestamp_us)
{
    struct prc_input input = {.topic =
                                  mf_topics[backfill ? MF_TOPIC_RAW_BACKFILL : MF_TOPIC_RAW].default_name,
                              .offset = (int64_t)number - 1,
                              .timestamp_ms = timestamp_us / MF_US_PER_MS,
                              .value = value};
    replay->counts->folded++;
    prc_fold_record(replay->fold, replay->partitions[backfill], &input, replay->config->emit,
                    replay->config->arg);
}

static void progress(const struct replay *replay)
{
    if (replay->counts->lines % PROGRESS_LINES == 0 && isatty(STDERR_FILENO))
        fprintf(stderr, "%s: %" PRIu64 " lines\n", replay->config->path, replay->counts->lines);
}

// Said by line, too: of the dead letter one sees only its offset.
static void tell_too_large(const struct replay *replay, const struct mf_line *line)
{
    if (line->too_large)
        fprintf(stderr, "%s:%" PRIu64 ": the record is larger than %zu bytes, as no topic has it: skipped\n",
                replay->config->path, line->number, LINE_MAX);
    else if (line->text.len > MF_DEAD_LETTER_SIZE_MAX)
        fprintf(stderr, "%s:%" PRIu64 ": the record is too large: %zu bytes, at most %zu are allowed\n",
                replay->config->path, line->number, line->text.len, MF_DEAD_LETTER_SIZE_MAX);
}

static bool on_line(void *arg, const struct mf_line *line)
{
    struct replay *replay = arg;
    struct mf_event_problems problems;
    struct mf_str value = line->text;
    replay->counts->lines++;
    progress(replay);
    tell_too_large(replay, line);
    if (line->too_large)
        return true;
    if (mf_event_complete(replay->json, value, replay->event, &replay->completed, &value, &problems, NULL) <
        0) {
        fold_line(replay, line->text, line->number, false, 0);
        return true;
    }
    replay->counts->completed += value.data != line->text.data;
    const struct mf_event *event = replay->event;
    if (replay->config->lane != NULL && !mf_str_eq_c(event->lane, replay->config->lane)) {
        replay->counts->other_lanes++;
        return true;
    }
    if (replay->config->before != NULL && !replay->config->before(replay->config->arg, event))
        return false;
    fold_line(replay, value, line->number, !mf_str_eq_c(event->lane, "live"), event->ingest_time_us);
    return true;
}

int prc_replay_file(struct prc_fold *fold, const struct prc_replay_config *config,
                    struct prc_replay_counts *counts, struct mf_error *err)
{
    int fd = -1;
    if (mf_lines_open(config->path, &fd, err) < 0)
        return -1;
    struct replay replay = {.fold = fold, .config = config, .counts = counts};
    replay.partitions[0] = prc_partition_new(MF_TOPIC_RAW, 0, CELLS_MAX);
    replay.partitions[1] = prc_partition_new(MF_TOPIC_RAW_BACKFILL, 0, CELLS_MAX);
    replay.json = mf_json_new();
    replay.event = mf_alloc(sizeof *replay.event);
    mf_buf_init(&replay.completed, MF_DEAD_LETTER_SIZE_MAX);
    uint64_t lines = 0;
    int failed = mf_lines_read(fd, LINE_MAX, on_line, &replay, &lines);
    mf_lines_close(fd);
    mf_buf_free(&replay.completed);
    free(replay.event);
    mf_json_free(&replay.json);
    for (size_t p = 0; p < MF_ARRAY_LEN(replay.partitions); p++)
        prc_partition_free(&replay.partitions[p]);
    if (failed != 0)
        return mf_error_set(err, MF_ERROR_TRANSIENT, "read_failed",
                            "%s: reading failed after line %" PRIu64 ": %s", config->path, lines,
                            strerror(failed));
    return 0;
}

// ---------------------------------------------------------------- marketflow-processor replay

struct printing {
    FILE *out;
    uint64_t printed[MF_TOPIC_MAX];
};

static void print(void *arg, const struct prc_output *output)
{
    struct printing *printing = arg;
    printing->printed[output->role]++;
    fwrite(output->value.data, 1, output->value.len, printing->out);
    fputc('\n', printing->out);
}

static bool can_be_written(void *arg, const struct mf_event *event)
{
    const struct printing *printing = arg;
    (void)event;
    return !ferror(printing->out); // nobody reads the answer: no sense in going on
}

static void summary(const char *path, const struct prc_replay_counts *counts, const struct printing *printing)
{
    fprintf(stderr, "%s: %" PRIu64 " lines, %" PRIu64 " folded", path, counts->lines, counts->folded);
    if (counts->other_lanes > 0)
        fprintf(stderr, ", %" PRIu64 " of other lanes", counts->other_lanes);
    if (counts->completed > 0)
        fprintf(stderr, ", %" PRIu64 " given their event_id", counts->completed);
    for (int role = 0; role < MF_TOPIC_MAX; role++)
        if (printing->printed[role] > 0)
            fprintf(stderr, "; %s %" PRIu64, mf_topics[role].default_name, printing->printed[role]);
    fputc('\n', stderr);
}

// 0, or -1 with a message.
static int arguments(int argc, char **argv, struct prc_replay_config *config, struct mf_error *err)
{
    const struct mf_option options[] = {{.name = "--lane", .value = &config->lane}};
    if (argc == 0 || (argv[0][0] == '-' && argv[0][1] != '\0'))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "FILE comes first (- for standard input)");
    config->path = argv[0];
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc - 1, argv + 1, err) < 0)
        return -1;
    if (config->lane != NULL && !mf_lane_is_valid(mf_str_of(config->lane)))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--lane: '%s' is neither live nor backfill:RUN", config->lane);
    return 0;
}

static int run(struct mf_service *service, const struct prc_replay_config *config,
               struct prc_replay_counts *counts, struct mf_error *err)
{
    struct prc_fold_config fold_config;
    struct mf_calendar *calendar = NULL;
    if (prc_fold_config_load(service->settings, &calendar, &fold_config, err) < 0)
        return -1;
    struct prc_fold *fold = prc_fold_new(&fold_config);
    int rc = prc_replay_file(fold, config, counts, err);
    prc_fold_free(&fold);
    mf_calendar_free(&calendar);
    return rc;
}

int prc_run_replay(struct mf_service *service, int argc, char **argv)
{
    struct mf_error err;
    struct printing printing = {.out = stdout};
    struct prc_replay_counts counts = {0};
    struct prc_replay_config config = {.emit = print, .before = can_be_written, .arg = &printing};
    int rc = arguments(argc, argv, &config, &err);
    if (rc == 0)
        rc = run(service, &config, &counts, &err);
    int written = mf_service_flush("marketflow-processor", stdout);
    if (rc < 0) {
        fprintf(stderr, "marketflow-processor: replay: %s\n", err.message);
        return mf_error_exit_code(&err);
    }
    summary(config.path, &counts, &printing);
    return written;
}
