// SPDX-License-Identifier: Apache-2.0
// For libfaketime, which answers timespec_get with the other time but does not know C11's cnd_timedwait: a
// deadline of the one would be waited for on the clock of the other. Here the wait becomes the POSIX one,
// which libfaketime does know (glibc's cnd_t and mtx_t are its pthread_cond_t and pthread_mutex_t).
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    int code = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return code == 0 ? thrd_success : code == ETIMEDOUT ? thrd_timedout : thrd_error;
}
