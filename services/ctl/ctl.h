// SPDX-License-Identifier: Apache-2.0
// The operator's command: what main.c calls and the tests look into. A command prints its result on stdout,
// what went wrong on stderr, and returns the exit code. The cores take streams and values; only the ctl_run_*
// touch stdout.
#ifndef CTL_H
#define CTL_H

#include <stdio.h>

#include "common/calendar.h"
#include "common/kafka.h"
#include "common/service.h"
#include "common/topics.h"

// ---- topics apply, topics check
int ctl_run_topics_apply(struct mf_service *service, int argc, char **argv);
int ctl_run_topics_check(struct mf_service *service, int argc, char **argv);
// What the table and the settings ask for. Names live as long as the settings.
void ctl_topics_specs(const struct mf_settings *settings, struct mf_kafka_topic_spec specs[MF_TOPIC_MAX]);
// The table of results. Returns 0 or 78.
int ctl_topics_print(const struct mf_kafka_topic_spec *specs, const struct mf_kafka_topic_report *reports,
                     size_t count, FILE *out);

// ---- calendar FROM TO
int ctl_run_calendar(struct mf_service *service, int argc, char **argv);
int ctl_calendar_print(const struct mf_calendar *calendar, struct mf_date from, struct mf_date to, FILE *out);

// ---- events validate FILE
int ctl_run_complete(struct mf_service *service, int argc, char **argv);
int ctl_run_validate(struct mf_service *service, int argc, char **argv);
// Checks every line that fd has to give. Returns 0, 78 when a line is not an event, 75 when reading or
// writing fails.
int ctl_validate(int fd, const char *name, FILE *out, FILE *summary);

// ---- verify, wait, dlq list|show|replay
int ctl_run_verify(struct mf_service *service, int argc, char **argv);
int ctl_run_wait(struct mf_service *service, int argc, char **argv);
int ctl_run_dlq_list(struct mf_service *service, int argc, char **argv);
int ctl_run_dlq_show(struct mf_service *service, int argc, char **argv);
int ctl_run_dlq_replay(struct mf_service *service, int argc, char **argv);

// ---- session.c: what commands on Kafka need

// A loop, and metrics that nobody reads.
struct ctl_kafka {
    struct mf_loop *loop;
    struct mf_metrics *metrics;
    struct mf_kafka_config config;
};
int ctl_kafka_open(const struct mf_service *service, struct ctl_kafka *kafka, struct mf_error *err);
void ctl_kafka_close(struct ctl_kafka *kafka);
// "<KAFKA_GROUP_PREFIX>-<name>" into out; false when it does not fit.
bool ctl_group_name(const struct mf_settings *settings, const char *name, char *out, size_t size);
// Reads a whole topic, read_committed, up to the end that it has now; on_message returns -1 with err to stop.
struct ctl_topic_reading {
    const char *topic;
    int64_t stall_ms;
    int (*on_message)(void *arg, const struct mf_kafka_message *message, struct mf_error *err);
    void *arg;
};
int ctl_read_topic(const struct ctl_kafka *kafka, const struct ctl_topic_reading *asked,
                   struct mf_error *err);

// How far it is, on stderr: one line rewritten each second on a terminal, else a line every ten.
struct ctl_progress {
    int64_t due_us;
    bool shown;
};
void ctl_progress(struct ctl_progress *progress, const char *fmt, ...) MF_PRINTF(2, 3);
void ctl_progress_end(struct ctl_progress *progress);
// Says on stderr what went wrong. Returns the exit code of the error.
int ctl_failed(const char *command, const struct mf_error *err);
// A whole number from min to max; false, said on stderr, when text is another. NULL leaves *value alone.
bool ctl_option_number(const char *command, const char *option, const char *text, int64_t min, int64_t max,
                       int64_t *value);

// Says on stderr what is wrong with the arguments. Returns 78.
int ctl_usage(const char *command, const char *fmt, ...) MF_PRINTF(2, 3);
// Flushes; 0, or 75 after saying on stderr that the result could not be written.
int ctl_flush(FILE *out);

#endif
