// SPDX-License-Identifier: Apache-2.0
// marketflowctl topics apply|check: the topic table of common/topics.h against a cluster.
#include "services/ctl/ctl.h"

#include <inttypes.h>

enum { TIMEOUT_MS = 30000, TIMEOUT_MAX_MS = 600000 };

void ctl_topics_specs(const struct mf_settings *settings, struct mf_kafka_topic_spec specs[MF_TOPIC_MAX])
{
    int32_t shared = (int32_t)mf_settings_integer(settings, "KAFKA_PARTITIONS");
    for (enum mf_topic_role role = 0; role < MF_TOPIC_MAX; role++) {
        const struct mf_topic_def *topic = &mf_topics[role];
        specs[role] = (struct mf_kafka_topic_spec){
            .name = mf_topic_name(settings, role),
            .partitions = topic->partitions == MF_TOPIC_PARTITIONS_ONE ? 1 : shared,
            .replication = (int)mf_settings_integer(settings, "KAFKA_REPLICATION_FACTOR"),
            .cleanup = topic->cleanup,
            .retention_ms = topic->retention_ms,
            .append_time = topic->append_time,
        };
    }
}

static const char *result_name(enum mf_kafka_topic_result result)
{
    switch (result) {
    case MF_KAFKA_TOPIC_CREATED: return "created";
    case MF_KAFKA_TOPIC_EXISTS: return "exists";
    case MF_KAFKA_TOPIC_DIFFERS: return "differs";
    case MF_KAFKA_TOPIC_MISSING: return "missing";
    }
    return "?";
}

int ctl_topics_print(const struct mf_kafka_topic_spec *specs, const struct mf_kafka_topic_report *reports,
                     size_t count, FILE *out)
{
    int width = (int)strlen("topic"), result = MF_EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        if ((int)strlen(specs[i].name) > width)
            width = (int)strlen(specs[i].name);
    }
    fprintf(out, "%-*s  %10s  %-7s  %9s  %s\n", width, "topic", "partitions", "cleanup", "retention",
            "result");
    for (size_t i = 0; i < count; i++) {
        char partitions[16] = "-", retention[24] = "-";
        if (reports[i].partitions >= 0)
            (void)snprintf(partitions, sizeof partitions, "%" PRId32, reports[i].partitions);
        if (specs[i].retention_ms >= 0)
            (void)snprintf(retention, sizeof retention, "%" PRId64 "d",
                           specs[i].retention_ms / MF_DAYS_MS(1));
        bool fine = reports[i].result == MF_KAFKA_TOPIC_CREATED || reports[i].result == MF_KAFKA_TOPIC_EXISTS;
        fprintf(out, "%-*s  %10s  %-7s  %9s  %s%s%s\n", width, specs[i].name, partitions, specs[i].cleanup,
                retention, result_name(reports[i].result), reports[i].detail[0] != '\0' ? ": " : "",
                reports[i].detail);
        if (!fine)
            result = MF_EXIT_CONFIG;
    }
    return result;
}

static int parse_timeout(const char *command, int argc, char **argv, int *timeout_ms)
{
    const char *text = NULL;
    const struct mf_option options[] = {{.name = "--timeout-ms", .value = &text}};
    struct mf_error err;
    int64_t value = TIMEOUT_MS;
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, &err) != 0)
        return ctl_usage(command, "%s", err.message);
    if (text != NULL && (!mf_str_to_i64(mf_str_of(text), &value) || value < 1 || value > TIMEOUT_MAX_MS))
        return ctl_usage(command, "--timeout-ms must be 1 to %d, not '%.40s'", TIMEOUT_MAX_MS, text);
    *timeout_ms = (int)value;
    return 0;
}

// Asks the cluster, and makes what is missing. The client counts what it does, although nobody reads it here.
static int ask(const struct mf_service *service, bool apply, int timeout_ms,
               const struct mf_kafka_topic_spec *specs, struct mf_kafka_topic_report *reports,
               struct mf_error *err)
{
    struct mf_metrics *metrics = mf_metrics_new();
    mf_metrics_declare(metrics, mf_common_metrics, MF_M_COMMON_MAX);
    struct mf_kafka_config config = {
        .log = service->log,
        .metrics = metrics,
        .settings = service->settings,
        .client_id = "marketflowctl",
        .instance = service->instance,
    };
    int result = mf_kafka_topics(&config, specs, MF_TOPIC_MAX, apply, timeout_ms, reports, err);
    mf_metrics_free(&metrics);
    return result;
}

static int run(const struct mf_service *service, const char *command, bool apply, int argc, char **argv)
{
    struct mf_kafka_topic_spec specs[MF_TOPIC_MAX];
    struct mf_kafka_topic_report reports[MF_TOPIC_MAX];
    struct mf_error err;
    int timeout_ms = 0;
    int result = parse_timeout(command, argc, argv, &timeout_ms);
    if (result != 0)
        return result;
    ctl_topics_specs(service->settings, specs);
    if (ask(service, apply, timeout_ms, specs, reports, &err) != 0) {
        fprintf(stderr, "marketflowctl: %s: %s [%s]\n", command, err.message, err.code);
        return mf_error_exit_code(&err);
    }
    result = ctl_topics_print(specs, reports, MF_TOPIC_MAX, stdout);
    int written = ctl_flush(stdout);
    return result != 0 ? result : written;
}

int ctl_run_topics_apply(struct mf_service *service, int argc, char **argv)
{
    return run(service, "topics apply", true, argc, argv);
}

int ctl_run_topics_check(struct mf_service *service, int argc, char **argv)
{
    return run(service, "topics check", false, argc, argv);
}
