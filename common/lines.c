// SPDX-License-Identifier: Apache-2.0
#include "common/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
    struct mf_buf line; // the current one, as far as it was read
    uint64_t number;
    bool (*on_line)(void *arg, const struct mf_line *line);
    void *arg;
};

int mf_lines_open(const char *path, int *fd, struct mf_error *err)
{
    if (strcmp(path, "-") == 0) {
        *fd = STDIN_FILENO;
        return 0;
    }
    struct stat status;
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    int problem = opened < 0 ? errno : fstat(opened, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (problem == 0) {
        *fd = opened;
        return 0;
    }
    if (opened >= 0)
        close(opened);
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_file", "%s: %s", path, strerror(problem));
}

void mf_lines_close(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

static bool is_blank(struct mf_str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    return true;
}

// What an editor adds to a file of JSON lines: carriage returns, and a byte order mark before the first.
static struct mf_str without_decoration(struct mf_str line, bool first)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t skip = first && line.len >= 3 && memcmp(line.data, mark, 3) == 0 ? 3 : 0;
    line = (struct mf_str){line.data + skip, line.len - skip};
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool end_line(struct reading *reading)
{
    bool too_large = reading->line.overflow, wanted = true;
    struct mf_str text =
        too_large ? MF_STR("") : without_decoration(mf_buf_str(&reading->line), reading->number == 0);
    struct mf_line line = {.text = text, .number = ++reading->number, .too_large = too_large};
    if (too_large || !is_blank(text))
        wanted = reading->on_line(reading->arg, &line);
    mf_buf_clear(&reading->line);
    return wanted;
}

// False when no more is wanted.
static bool take(struct reading *reading, const char *data, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline != NULL ? (size_t)(newline - data) : len;
        mf_buf_add(&reading->line, data, part); // beyond the limit only the flag stays
        if (newline == NULL)
            return true;
        if (!end_line(reading))
            return false;
        data += part + 1;
        len -= part + 1;
    }
    return true;
}

int mf_lines_read(int fd, size_t limit, bool (*on_line)(void *arg, const struct mf_line *line), void *arg,
                  uint64_t *lines)
{
    char chunk[65536];
    struct reading reading = {.on_line = on_line, .arg = arg};
    int failed = 0;
    bool wanted = true;
    mf_buf_init(&reading.line, limit);
    while (wanted) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        failed = got < 0 ? errno : 0;
        if (got <= 0)
            break;
        wanted = take(&reading, chunk, (size_t)got);
    }
    if (wanted && (reading.line.len > 0 || reading.line.overflow)) // a last line without its newline
        end_line(&reading);
    *lines = reading.number;
    mf_buf_free(&reading.line);
    return failed;
}
