// SPDX-License-Identifier: Apache-2.0
// marketflowctl events validate: a file of events against the contracts. Reads in pieces: memory does not
// grow with the file, and a line above the limit is reported and skipped.
#include "services/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/event.h"

// A line may be as long as the largest event, the dead letter.
#define LINE_MAX MF_DEAD_LETTER_SIZE_MAX

struct validation {
    const char *name;
    FILE *out;
    struct mf_json *json;
    struct mf_event *event;
    struct mf_buf line; // the current one, as far as it was read
    uint64_t line_number;
    uint64_t checked, bad, problems;
};

static void print_problem(struct validation *v, const char *field, const char *message, const char *code)
{
    v->problems++;
    fprintf(v->out, "%s:%" PRIu64 ": %s: %s [%s]\n", v->name, v->line_number,
            field[0] != '\0' ? field : "record", message, code);
}

static bool is_blank(struct mf_str line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (strchr(" \t\r", line.data[i]) == NULL || line.data[i] == '\0')
            return false;
    }
    return true;
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

static void end_line(struct validation *v)
{
    v->line_number++;
    if (v->line.overflow) {
        char message[80];
        (void)snprintf(message, sizeof message, "is larger than %zu bytes and was skipped", LINE_MAX);
        v->checked++;
        v->bad++;
        print_problem(v, "", message, "line_too_large");
    } else if (!is_blank(mf_buf_str(&v->line))) {
        v->checked++;
        check_event(v, mf_buf_str(&v->line));
    }
    mf_buf_clear(&v->line);
}

static void take(struct validation *v, const char *data, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline != NULL ? (size_t)(newline - data) : len;
        (void)mf_buf_add(&v->line, data, part); // beyond the limit only the flag stays
        if (newline == NULL)
            return;
        end_line(v);
        data += part + 1;
        len -= part + 1;
    }
}

// 0 at the end of the file, else errno.
static int read_all(struct validation *v, int fd)
{
    char chunk[65536];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        take(v, chunk, (size_t)got);
        if (ferror(v->out)) // nobody reads the answer: no sense in going on
            return 0;
    }
    if (v->line.len > 0 || v->line.overflow) // a last line without its newline
        end_line(v);
    return 0;
}

int ctl_validate(int fd, const char *name, FILE *out, FILE *summary)
{
    struct validation v = {
        .name = name, .out = out, .json = mf_json_new(), .event = mf_alloc(sizeof *v.event)};
    mf_buf_init(&v.line, LINE_MAX);
    int failed = read_all(&v, fd);
    fprintf(summary, "%s: %" PRIu64 " lines checked, %" PRIu64 " with problems, %" PRIu64 " problems\n", name,
            v.checked, v.bad, v.problems);
    if (failed != 0)
        fprintf(summary, "%s: reading failed after line %" PRIu64 ": %s\n", name, v.line_number,
                strerror(failed));
    mf_buf_free(&v.line);
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
    bool standard_input = strcmp(argv[0], "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(argv[0], O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))) {
        fprintf(stderr, "marketflowctl: events validate: %s: %s\n", argv[0],
                strerror(fd < 0 ? errno : EISDIR));
        if (fd >= 0 && !standard_input)
            close(fd);
        return MF_EXIT_CONFIG;
    }
    int result = ctl_validate(fd, argv[0], stdout, stderr);
    if (!standard_input)
        close(fd);
    return result;
}
