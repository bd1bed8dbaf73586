// SPDX-License-Identifier: Apache-2.0
// What processor_floor.c and processor_move.c are told to do, how far they have come, and what they report,
// so that both do and say the same.
#ifndef MF_TESTS_BENCH_PROCESSOR_TASK_H
#define MF_TESTS_BENCH_PROCESSOR_TASK_H

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tests/bench/dummy.h"
#include "tests/bench/measure.h"

#define TASK_ARGUMENTS "HOST:PORT INPUT OUTPUT_1 OUTPUT_2 PARTITIONS TXN_RECORDS METRIC_BYTES"
enum { TASK_ARGC = 8 };

struct task {
    const char *input, *outputs[2];
    int32_t partitions, ended_count;
    int64_t txn_records;
    struct dummies *metrics;
    int64_t *next; // by partition; -1 = nothing to commit
    bool *ended;   // by partition
    int64_t records, in_txn;
    int64_t begin_us, committed_us;
    double begin_cpu;
};

// Of TASK_ARGC arguments, which stay the caller's; false when a number is none. To be freed when true.
static inline bool task_take(struct task *task, char **argv)
{
    int64_t partitions, metric_bytes;
    if (!take_number(argv[5], 1000, &partitions) || !take_number(argv[6], 1000000, &task->txn_records) ||
        !take_number(argv[7], 1000000, &metric_bytes))
        return false;
    task->partitions = (int32_t)partitions;
    task->input = argv[2];
    task->outputs[0] = argv[3];
    task->outputs[1] = argv[4];
    task->next = mf_calloc((size_t)partitions, sizeof *task->next);
    for (int64_t i = 0; i < task->partitions; i++)
        task->next[i] = -1;
    task->ended = mf_calloc((size_t)partitions, sizeof *task->ended);
    task->metrics = dummies_new((size_t)metric_bytes);
    return true;
}

static inline void task_free(struct task *task)
{
    dummies_free(&task->metrics);
    free(task->next);
    free(task->ended);
}

// A record is there. The first one starts the clocks.
static inline void task_begin(struct task *task)
{
    if (task->records > 0)
        return;
    task->begin_us = mf_clock_monotonic_us();
    task->begin_cpu = cpu_seconds();
}

static inline void task_end_partition(struct task *task, int32_t partition)
{
    task->ended_count += !task->ended[partition];
    task->ended[partition] = true;
}

static inline bool task_has_ended(const struct task *task)
{
    return task->ended_count == task->partitions;
}

static inline void task_print(const struct task *task)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"records\":%lld,\"seconds\":%.3f,\"cpu_s\":%.3f,\"peak_rss_mib\":%.1f}\n",
           (long long)task->records, (double)(task->committed_us - task->begin_us) / 1e6,
           cpu_seconds() - task->begin_cpu, (double)usage.ru_maxrss / 1024);
    fflush(stdout);
}

#endif
