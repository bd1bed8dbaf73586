// SPDX-License-Identifier: Apache-2.0
// What the commands on Kafka share: clients' configuration, reading a topic to its end, progress. Failure
// classes: those of the clients.
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

#include "common/clock.h"
#include "services/ctl/ctl.h"

#define TERMINAL_PERIOD_US (1 * MF_US_PER_SECOND)
#define LOG_PERIOD_US (10 * MF_US_PER_SECOND)

int ctl_kafka_open(const struct mf_service *service, struct ctl_kafka *kafka, struct mf_error *err)
{
    *kafka = (struct ctl_kafka){0};
    if (mf_loop_new(&kafka->loop, err) != 0)
        return -1;
    kafka->metrics = mf_metrics_new();
    mf_metrics_declare(kafka->metrics, mf_common_metrics, MF_M_COMMON_MAX);
    kafka->config = (struct mf_kafka_config){
        .loop = kafka->loop,
        .log = service->log,
        .metrics = kafka->metrics,
        .settings = service->settings,
        .client_id = "marketflowctl",
        .instance = service->instance,
    };
    return 0;
}

void ctl_kafka_close(struct ctl_kafka *kafka)
{
    if (kafka->metrics != NULL)
        mf_metrics_free(&kafka->metrics);
    if (kafka->loop != NULL)
        mf_loop_free(&kafka->loop);
}

bool ctl_group_name(const struct mf_settings *settings, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s-%s", mf_settings_string(settings, "KAFKA_GROUP_PREFIX"), name);
    return length > 0 && (size_t)length < size;
}

// ---- reading a topic

struct reading {
    const struct ctl_kafka *kafka;
    const struct ctl_topic_reading *asked;
    struct mf_error *err;
    bool failed;
};

static void on_message(void *arg, const struct mf_kafka_message *message)
{
    struct reading *reading = arg;
    if (reading->failed || reading->asked->on_message(reading->asked->arg, message, reading->err) == 0)
        return;
    reading->failed = true;
    mf_loop_stop(reading->kafka->loop);
}

static void on_done(void *arg)
{
    struct reading *reading = arg;
    mf_loop_stop(reading->kafka->loop);
}

static void on_error(void *arg, const struct mf_error *err)
{
    struct reading *reading = arg;
    if (!reading->failed)
        *reading->err = *err;
    reading->failed = true;
    mf_loop_stop(reading->kafka->loop);
}

int ctl_read_topic(const struct ctl_kafka *kafka, const struct ctl_topic_reading *asked, struct mf_error *err)
{
    struct reading reading = {.kafka = kafka, .asked = asked, .err = err};
    const struct mf_kafka_reader_ops ops = {
        .on_message = on_message, .on_done = on_done, .on_error = on_error, .arg = &reading};
    struct mf_kafka_reader *reader = NULL;
    if (mf_kafka_reader_new(&kafka->config, asked->topic, asked->stall_ms, &ops, &reader, err) != 0)
        return -1;
    int result = mf_loop_run(kafka->loop, err);
    mf_kafka_reader_free(&reader);
    return result != 0 || reading.failed ? -1 : 0;
}

// ---- what the operator sees

void ctl_progress(struct ctl_progress *progress, const char *fmt, ...)
{
    int64_t now_us = mf_clock_monotonic_us();
    bool terminal = isatty(STDERR_FILENO) == 1;
    if (progress->due_us == 0) // nothing before the first period is over
        progress->due_us = now_us + (terminal ? TERMINAL_PERIOD_US : LOG_PERIOD_US);
    if (now_us < progress->due_us)
        return;
    progress->due_us = now_us + (terminal ? TERMINAL_PERIOD_US : LOG_PERIOD_US);
    va_list args;
    va_start(args, fmt);
    fputs(terminal ? "\r" : "", stderr);
    vfprintf(stderr, fmt, args);
    fputs(terminal ? "\033[K" : "\n", stderr);
    va_end(args);
    progress->shown = terminal;
}

void ctl_progress_end(struct ctl_progress *progress)
{
    if (progress->shown)
        fputc('\n', stderr);
    *progress = (struct ctl_progress){0};
}

int ctl_failed(const char *command, const struct mf_error *err)
{
    fprintf(stderr, "marketflowctl: %s: %s [%s]\n", command, err->message, err->code);
    return mf_error_exit_code(err);
}

bool ctl_option_number(const char *command, const char *option, const char *text, int64_t min, int64_t max,
                       int64_t *value)
{
    int64_t found = 0;
    if (text == NULL)
        return true;
    if (!mf_str_to_i64(mf_str_of(text), &found) || found < min || found > max) {
        ctl_usage(command, "%s must be %" PRId64 " to %" PRId64 ", not '%.40s'", option, min, max, text);
        return false;
    }
    *value = found;
    return true;
}
