// SPDX-License-Identifier: Apache-2.0
// The process_* families, read from the kernel just before a scrape. A value that cannot be read stays as it
// was: under a strict sandbox parts of /proc may be missing, and a scrape must not fail for it.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/metrics_internal.h"

// The start of a small file of /proc/self as text. False when it cannot be read.
static bool read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, size - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static void set(struct mf_metrics *metrics, enum mf_common_metric id, double value)
{
    mf_metric_set(MF_METRIC0(metrics, &mf_common_metrics[id]), value);
}

static void collect_memory(struct mf_metrics *metrics)
{
    char text[128];
    if (!read_proc("/proc/self/statm", text, sizeof text))
        return;
    char *rest;
    double page = (double)sysconf(_SC_PAGESIZE);
    set(metrics, MF_M_VIRTUAL_BYTES, (double)strtoull(text, &rest, 10) * page);
    set(metrics, MF_M_RESIDENT_BYTES, (double)strtoull(rest, NULL, 10) * page);
}

// Field 20 of /proc/self/stat (proc(5)); the command in field 2 may hold blanks and brackets, so fields count
// from its closing one.
static void collect_threads(struct mf_metrics *metrics)
{
    char text[1024];
    if (!read_proc("/proc/self/stat", text, sizeof text))
        return;
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 20; field++)
        at = strchr(at + 1, ' ');
    if (at != NULL)
        set(metrics, MF_M_THREADS, (double)strtoull(at, NULL, 10));
}

static void collect_descriptors(struct mf_metrics *metrics)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        set(metrics, MF_M_MAX_FDS, (double)limit.rlim_cur);
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    int count = -1; // the folder's own descriptor
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    set(metrics, MF_M_OPEN_FDS, count);
}

static void collect(void *arg)
{
    struct mf_metrics *metrics = arg;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        set(metrics, MF_M_CPU_SECONDS,
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    collect_memory(metrics);
    collect_threads(metrics);
    collect_descriptors(metrics);
}

void mf_metrics_add_process(struct mf_metrics *metrics)
{
    // By the clock at start: ProcSubset=pid hides /proc/stat, whose boot time the usual computation needs.
    set(metrics, MF_M_START_TIME, (double)mf_clock_real_us() / 1e6);
    mf_metrics_on_collect(metrics, collect, metrics);
}
