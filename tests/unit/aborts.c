// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/aborts.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool aborts(void (*run)(void))
{
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        // Expected, so it leaves neither a core file nor a message, and no handler of the test sees it.
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        close(STDERR_FILENO);
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigaction(SIGABRT, &by_default, NULL);
        run();
        _exit(0);
    }
    int status = 0;
    pid_t ended = waitpid(child, &status, 0);
    assert(ended == child);
    // A sanitizer may be the first to notice, and ends the process with a status of its own.
    return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) != 0;
}
