// SPDX-License-Identifier: Apache-2.0
// One write that cannot wait, then _exit. Nothing is owned; nothing can fail.
#include "common/leave.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "common/error.h"

void mf_leave_now(const char *line, size_t len)
{
    // A pipe with room takes PIPE_BUF bytes without waiting, not more (pipe(7)).
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0) {
        ssize_t ignored = write(STDERR_FILENO, line, len < PIPE_BUF ? len : PIPE_BUF);
        (void)ignored;
    }
    // _exit, because exit handlers may wait for the very thing that hangs.
    _exit(MF_EXIT_TEMPORARY);
}
