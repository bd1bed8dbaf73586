// SPDX-License-Identifier: Apache-2.0
// Where log lines leave the process, without ever waiting. Failure: a line is not taken; the log counts it.
//
// Stderr is usually a file description shared with the supervisor, a shell or other processes, so O_NONBLOCK
// must not be set on it: they would all get EAGAIN. What is done instead depends on what it is:
//   pipe, FIFO, terminal   opened again through /proc/self/fd, which makes a description of our own,
//   non-blocking socket (the journal)   send with MSG_DONTWAIT, which concerns that call alone regular file
//   written as it is: it has no reader to wait for, and the shared offset must stay shared anything else, or
//   a pipe of another user that may not be opened again: poll for room, then at most PIPE_BUF bytes,
//                          which a pipe with room takes at once unless another writer fills it in between
// A line that was taken in part (a pipe nearly full, a disk nearly full) is finished before the next one
// starts, so that a reader never sees half a line followed by another.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log_internal.h"

static int reopen(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void mf_log_sink_open(struct mf_log_sink *sink, int fd)
{
    *sink = (struct mf_log_sink){.fd = fd, .kind = MF_LOG_SINK_POLLED};
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        sink->fd = -1;
        return;
    }
    int flags = fcntl(fd, F_GETFL);
    if (S_ISSOCK(status.st_mode)) {
        sink->kind = MF_LOG_SINK_SOCKET;
    } else if (S_ISREG(status.st_mode) || (flags >= 0 && (flags & O_NONBLOCK) != 0)) {
        sink->kind = MF_LOG_SINK_DIRECT;
    } else if (S_ISFIFO(status.st_mode) || isatty(fd)) {
        int own = reopen(fd);
        if (own >= 0) {
            sink->fd = own;
            sink->owned = true;
            sink->kind = MF_LOG_SINK_DIRECT;
        }
    }
}

void mf_log_sink_close(struct mf_log_sink *sink)
{
    mf_log_sink_flush(sink);
    if (sink->owned)
        close(sink->fd);
    sink->fd = -1;
    sink->owned = false;
}

static ssize_t put_once(const struct mf_log_sink *sink, const char *data, size_t len)
{
    if (sink->kind == MF_LOG_SINK_SOCKET)
        return send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink->kind == MF_LOG_SINK_POLLED) {
        struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
        if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) {
            errno = EAGAIN;
            return -1;
        }
        if (len > PIPE_BUF)
            len = PIPE_BUF;
    }
    return write(sink->fd, data, len);
}

// Bytes taken, possibly 0. Ends at the first refusal of any kind: a full pipe and a full disk are the same
// here.
static size_t put(const struct mf_log_sink *sink, const char *data, size_t len)
{
    size_t done = 0;
    while (sink->fd >= 0 && done < len) {
        ssize_t taken = put_once(sink, data + done, len - done);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            break;
        done += (size_t)taken;
    }
    return done;
}

bool mf_log_sink_flush(struct mf_log_sink *sink)
{
    if (sink->rest_len == 0)
        return true;
    size_t done = put(sink, sink->rest, sink->rest_len);
    sink->rest_len -= done;
    memmove(sink->rest, sink->rest + done, sink->rest_len);
    return sink->rest_len == 0;
}

bool mf_log_sink_write(struct mf_log_sink *sink, const char *line, size_t len)
{
    if (!mf_log_sink_flush(sink))
        return false;
    size_t done = put(sink, line, len);
    if (done == 0)
        return false;
    sink->rest_len = len - done;
    memcpy(sink->rest, line + done, sink->rest_len);
    return true;
}
