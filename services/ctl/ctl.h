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

// Says on stderr what is wrong with the arguments. Returns 78.
int ctl_usage(const char *command, const char *fmt, ...) MF_PRINTF(2, 3);
// Flushes; 0, or 75 after saying on stderr that the result could not be written.
int ctl_flush(FILE *out);

#endif
