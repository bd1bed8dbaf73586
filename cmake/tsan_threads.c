// SPDX-License-Identifier: Apache-2.0
//
// C11 threads for the thread sanitizer, compiled into every executable of its build. The sanitizer knows
// pthread_create only; librdkafka starts its threads with libc's thrd_create, and without the state that the
// sanitizer keeps for each, their first allocation ends the program. These two take the place of libc's, by
// way of the calls that are known (glibc's thrd_t is its pthread_t). Locks need no such help: what librdkafka
// does is left out of the reports (sanitizer_options.c).
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

static_assert(sizeof(thrd_t) == sizeof(pthread_t), "thrd_t is a pthread_t");

struct start {
    thrd_start_t run;
    void *arg;
};

static void *run_thread(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.run(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (start == NULL)
        return thrd_nomem;
    *start = (struct start){run, arg};
    int error = pthread_create(thread, NULL, run_thread, start);
    if (error != 0)
        free(start);
    return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error;
}

int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result != NULL)
        *result = (int)(intptr_t)value;
    return thrd_success;
}
