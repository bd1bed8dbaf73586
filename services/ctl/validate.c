// SPDX-License-Identifier: Apache-2.0
// marketflowctl events validate: a file of events against the contracts. Reads in pieces: memory does not
// grow with the file, and a line above the limit is reported and skipped.
#include "services/ctl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/event.h"
#include "common/lines.h"

// A line may be as long as the largest event, the dead letter.
#define LINE_MAX MF_DEAD_LETTER_SIZE_MAX

struct validation {
    const char *name;
    FILE *out;
    struct mf_json *json;
    struct mf_event *event;
    uint64_t line_number;
    uint64_t checked, bad, problems;
};

static void print_problem(struct validation *v, const char *field, const char *message, const char *code)
{
    v->problems++;
    fprintf(v->out, "%s:%" PRIu64 ": %s: %s [%s]\n", v->name, v->line_number,
            field[0] != '\0' ? field : "record", message, code);
}

static void check_event(struct validation *v, struct mf_str line)
{
    struct mf_event_problems problems;
    if (mf_event_decode(v->json, line, v->event, &problems, NULL) == 0)
        return;
    v->bad++;
    size_t shown = problems.count < MF_EVENT_PROBLEMS_MAX ? problems.count : MF_EVENT_PROBLEMS_MAX;
    for (size_t i = 0; i < shown; i++)
        print_problem(v, problems.items[i].field, problems.items[i].message, problems.items[i].code);
    if (problems.count > shown) {
        char message[64];
        (void)snprintf(message, sizeof message, "%zu more problems are not shown", problems.count - shown);
        print_problem(v, "", message, "too_many_problems");
        v->problems += problems.count - shown - 1;
    }
}

static bool on_line(void *arg, const struct mf_line *line)
{
    struct validation *v = arg;
    v->line_number = line->number;
    v->checked++;
    if (line->too_large) {
        char message[80];
        (void)snprintf(message, sizeof message, "is larger than %zu bytes and was skipped", LINE_MAX);
        v->bad++;
        print_problem(v, "", message, "line_too_large");
    } else {
        check_event(v, line->text);
    }
    return !ferror(v->out); // nobody reads the answer: no sense in going on
}

int ctl_validate(int fd, const char *name, FILE *out, FILE *summary)
{
    struct validation v = {
        .name = name, .out = out, .json = mf_json_new(), .event = mf_alloc(sizeof *v.event)};
    uint64_t lines = 0;
    int failed = mf_lines_read(fd, LINE_MAX, on_line, &v, &lines);
    fprintf(summary, "%s: %" PRIu64 " lines checked, %" PRIu64 " with problems, %" PRIu64 " problems\n", name,
            v.checked, v.bad, v.problems);
    if (failed != 0)
        fprintf(summary, "%s: reading failed after line %" PRIu64 ": %s\n", name, lines, strerror(failed));
    mf_json_free(&v.json);
    free(v.event);
    int written = ctl_flush(out);
    if (failed != 0 || written != MF_EXIT_OK)
        return MF_EXIT_TEMPORARY;
    return v.bad > 0 ? MF_EXIT_CONFIG : MF_EXIT_OK;
}

int ctl_run_validate(struct mf_service *service, int argc, char **argv)
{
    (void)service;
    if (argc != 1)
        return ctl_usage("events validate", "one FILE is needed, - for standard input");
    struct mf_error err;
    int fd = -1;
    if (mf_lines_open(argv[0], &fd, &err) < 0) {
        fprintf(stderr, "marketflowctl: events validate: %s\n", err.message);
        return MF_EXIT_CONFIG;
    }
    int result = ctl_validate(fd, argv[0], stdout, stderr);
    mf_lines_close(fd);
    return result;
}
