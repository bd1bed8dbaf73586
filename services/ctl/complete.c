// SPDX-License-Identifier: Apache-2.0
// marketflowctl events complete: events written by hand get their event_id and the canonical form.
#include "services/ctl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/event.h"
#include "common/lines.h"

struct completion {
    const char *name;
    FILE *out;
    struct mf_json *json;
    struct mf_event *event;
    struct mf_buf whole;
    uint64_t events, bad;
};

static bool on_line(void *arg, const struct mf_line *line)
{
    struct completion *c = arg;
    struct mf_event_problems problems;
    struct mf_error err;
    struct mf_str whole;
    c->events++;
    if (line->too_large)
        mf_error_set(&err, MF_ERROR_POISON, "line_too_large", "is larger than %zu bytes",
                     MF_DEAD_LETTER_SIZE_MAX);
    if (line->too_large ||
        mf_event_complete(c->json, line->text, c->event, &c->whole, &whole, &problems, &err) < 0) {
        c->bad++;
        fprintf(stderr, "%s:%" PRIu64 ": %s [%s]\n", c->name, line->number, err.message, err.code);
        return true;
    }
    fwrite(whole.data, 1, whole.len, c->out);
    fputc('\n', c->out);
    return !ferror(c->out); // nobody reads the answer: no sense in going on
}

int ctl_run_complete(struct mf_service *service, int argc, char **argv)
{
    (void)service;
    if (argc != 1)
        return ctl_usage("events complete", "one FILE is needed, - for standard input");
    struct mf_error err;
    int fd = -1;
    if (mf_lines_open(argv[0], &fd, &err) < 0) {
        fprintf(stderr, "marketflowctl: events complete: %s\n", err.message);
        return MF_EXIT_CONFIG;
    }
    struct completion c = {
        .name = argv[0], .out = stdout, .json = mf_json_new(), .event = mf_alloc(sizeof *c.event)};
    mf_buf_init(&c.whole, MF_DEAD_LETTER_SIZE_MAX);
    uint64_t lines = 0;
    int failed = mf_lines_read(fd, MF_DEAD_LETTER_SIZE_MAX, on_line, &c, &lines);
    mf_lines_close(fd);
    mf_buf_free(&c.whole);
    mf_json_free(&c.json);
    free(c.event);
    if (failed != 0)
        fprintf(stderr, "%s: reading failed after line %" PRIu64 ": %s\n", argv[0], lines, strerror(failed));
    int written = ctl_flush(stdout);
    if (failed != 0 || written != MF_EXIT_OK)
        return MF_EXIT_TEMPORARY;
    return c.bad > 0 ? MF_EXIT_CONFIG : MF_EXIT_OK;
}
