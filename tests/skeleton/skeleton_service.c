// SPDX-License-Identifier: Apache-2.0
// A service that does nothing but what test_skeleton.py tells it to, so that the skeleton alone is under
// test. Files in SKELETON_CONTROL switch its answers while it runs.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/service.h"

struct skeleton {
    struct mf_service *service;
    struct mf_timer *timer;
    char key[128];
    int64_t drain_ms; // -1 = never
    uint64_t flood;
    bool draining;
};

static const struct mf_setting_def defs[] = {
    {.name = "SKELETON_CONTROL",
     .type = MF_SETTING_STRING,
     .default_value = "/nonexistent",
     .description = "Folder whose files not_alive and not_ready switch the answers."},
    {.name = "SKELETON_KEY", .type = MF_SETTING_SECRET, .optional = true, .description = "A secret."},
    {.name = "SKELETON_DRAIN_MS",
     .type = MF_SETTING_INTEGER,
     .default_value = "0",
     .min = -1,
     .max = 60000,
     .description = "Time in ms that draining takes; -1 = for ever."},
    {.name = "SKELETON_STOP",
     .type = MF_SETTING_CHOICE,
     .default_value = "returns",
     .choices = "returns|hangs",
     .description = "Whether closing ends."},
    {.name = "SKELETON_START",
     .type = MF_SETTING_CHOICE,
     .default_value = "ok",
     .choices = "ok|transient|poison|uncertain|config|fatal",
     .description = "How the start ends."},
    {.name = "SKELETON_FAIL",
     .type = MF_SETTING_CHOICE,
     .default_value = "no",
     .choices = "no|transient|poison|uncertain|config|fatal",
     .description = "The class of the error that ends the running service."},
    {.name = "SKELETON_FLOOD",
     .type = MF_SETTING_BOOLEAN,
     .default_value = "no",
     .description = "Write log lines without end."},
    {.name = "SKELETON_PROVOKE",
     .type = MF_SETTING_BOOLEAN,
     .default_value = "no",
     .description = "Make the event library complain."},
    {.name = "SKELETON_BLOCK_MS",
     .type = MF_SETTING_INTEGER,
     .default_value = "0",
     .max = 60000,
     .description = "Time in ms that the first callback holds the loop."},
};
static const struct mf_setting_table table = {"Skeleton", defs, MF_ARRAY_LEN(defs)};
static const struct mf_setting_table *const tables[] = {&table, &mf_settings_table_kafka, NULL};
static const char *const own_prefixes[] = {"SKELETON_", NULL};
static const struct mf_metric_def metric_defs[] = {
    {.name = "skeleton_lines_total", .type = MF_METRIC_COUNTER, .help = "Lines of the flood."}};

static bool is_told(const struct skeleton *skeleton, const char *what)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", mf_settings_string(skeleton->service->settings, "SKELETON_CONTROL"),
             what);
    return access(path, F_OK) == 0;
}

static enum mf_error_class class_of(const char *name)
{
    for (unsigned i = 0; i < MF_ERROR_CLASS_MAX; i++) {
        if (strcmp(mf_error_class_name((enum mf_error_class)i), name) == 0)
            return (enum mf_error_class)i;
    }
    abort();
}

static void hold(int64_t ms)
{
    int64_t end = mf_clock_monotonic_us() + ms * MF_US_PER_MS;
    while (mf_clock_monotonic_us() < end)
        ;
}

static void on_timer(void *arg)
{
    struct skeleton *skeleton = arg;
    const struct mf_settings *settings = skeleton->service->settings;
    if (skeleton->draining) {
        mf_service_drained(skeleton->service);
        return;
    }
    hold(mf_settings_integer(settings, "SKELETON_BLOCK_MS"));
    const char *class = mf_settings_string(settings, "SKELETON_FAIL");
    if (strcmp(class, "no") != 0) {
        struct mf_error err;
        mf_error_set(&err, class_of(class), "told_to_fail", "told to fail");
        mf_service_fail(skeleton->service, &err, "running the skeleton");
        mf_service_fail(skeleton->service, &err, "running it still"); // is not said again
        return;
    }
    if (!mf_settings_boolean(settings, "SKELETON_FLOOD"))
        return;
    for (int i = 0; i < 100; i++) {
        MF_LOG(skeleton->service->log, MF_LOG_INFO, "skeleton", "flood", "%llu %0*d",
               (unsigned long long)skeleton->flood++, 900, 0);
    }
    mf_metric_add(MF_METRIC0(skeleton->service->metrics, &metric_defs[0]), 100);
    mf_timer_arm_ms(skeleton->timer, 1);
}

static void take_key(struct skeleton *skeleton, const struct mf_settings *settings)
{
    const char *key = mf_settings_string(settings, "SKELETON_KEY");
    snprintf(skeleton->key, sizeof skeleton->key, "%s", key != NULL ? key : "");
}

// A regular file cannot be watched, which libevent puts into its log.
static void provoke(struct mf_service *service)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct mf_fd *watch = mf_fd_new(service->loop, fd, MF_FD_READ, NULL, NULL);
    assert(fd >= 0 && watch == NULL);
    close(fd);
}

static int start_job(struct mf_service *service, int argc, char **argv, struct mf_error *err)
{
    const char *count = NULL;
    bool forever = false;
    const struct mf_option options[] = {{.name = "--count", .value = &count, .required = true},
                                        {.name = "--forever", .flag = &forever}};
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, err) != 0)
        return -1;
    if (!forever) {
        assert(mf_service_state(service) == MF_SERVICE_STARTING);
        printf("{\"count\":\"%s\",\"listen\":\"%s\"}\n", count, mf_service_metrics_address(service));
        fflush(stdout);
        mf_service_finish(service, MF_EXIT_OK, "job done");
    }
    return 0;
}

static int start(struct mf_service *service, const struct mf_command *command, int argc, char **argv,
                 void **state, struct mf_error *err)
{
    const char *wanted = mf_settings_string(service->settings, "SKELETON_START");
    if (strcmp(wanted, "ok") != 0)
        return mf_error_set(err, class_of(wanted), "told_to_fail", "told not to start");
    if (command->kind == MF_COMMAND_JOB && start_job(service, argc, argv, err) != 0)
        return -1;
    if (mf_settings_boolean(service->settings, "SKELETON_PROVOKE"))
        provoke(service);
    struct skeleton *skeleton = mf_calloc(1, sizeof *skeleton);
    skeleton->service = service;
    skeleton->drain_ms = mf_settings_integer(service->settings, "SKELETON_DRAIN_MS");
    take_key(skeleton, service->settings);
    skeleton->timer = mf_timer_new(service->loop, on_timer, skeleton);
    mf_timer_arm_ms(skeleton->timer, 1);
    *state = skeleton;
    return 0;
}

static void drain(void *state)
{
    struct skeleton *skeleton = state;
    skeleton->draining = true;
    mf_timer_cancel(skeleton->timer);
    if (skeleton->drain_ms >= 0)
        mf_timer_arm_ms(skeleton->timer, skeleton->drain_ms);
}

static void stop(void **state)
{
    struct skeleton *skeleton = *state;
    if (strcmp(mf_settings_string(skeleton->service->settings, "SKELETON_STOP"), "hangs") == 0) {
        for (;;)
            pause();
    }
    mf_timer_free(&skeleton->timer);
    free(skeleton);
    *state = NULL;
}

static void check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    if (mf_settings_boolean(settings, "SKELETON_FLOOD") && mf_settings_boolean(settings, "SKELETON_PROVOKE"))
        mf_buf_add_c(problems, "SKELETON_FLOOD: does not go with SKELETON_PROVOKE\n");
}

static int reload(void *state, const struct mf_settings *fresh, struct mf_error *err)
{
    struct skeleton *skeleton = state;
    if (is_told(skeleton, "refuse"))
        return mf_error_set(err, MF_ERROR_CONFIG, "refused", "told to refuse");
    take_key(skeleton, fresh);
    return 0;
}

static void check_ready(void *state, struct mf_health *health)
{
    bool ready = !is_told(state, "not_ready");
    mf_health_add(health, "control", ready, "%s", ready ? "no \"file\"" : "told not to be");
}

static bool is_alive(void *state)
{
    return !is_told(state, "not_alive");
}

static void status(void *state, char *text, size_t size)
{
    const struct skeleton *skeleton = state;
    // Only the length of the secret is shown: enough to see a reload.
    snprintf(text, size, "key of %zu bytes, tick %lld", strlen(skeleton->key),
             (long long)(mf_clock_monotonic_us() / (MF_US_PER_SECOND / 10)));
}

static void libraries(char *text, size_t size)
{
    snprintf(text, size, "libskeleton 1.0 dumpable %d", prctl(PR_GET_DUMPABLE));
}

static int run_plain(struct mf_service *service, int argc, char **argv)
{
    printf("plain %d %s %s\n", argc, argc > 0 ? argv[0] : "",
           service->settings != NULL ? "settings" : "bare");
    return argc > 0 ? MF_EXIT_OK : MF_EXIT_TEMPORARY;
}

static int print_reference(const char *what, struct mf_buf *out)
{
    return strcmp(what, "own") == 0 ? mf_buf_add_c(out, "own reference\n") : -1;
}

static const struct mf_command commands[] = {
    {.kind = MF_COMMAND_SERVICE, .summary = "run until stopped"},
    {.name = "job one",
     .kind = MF_COMMAND_JOB,
     .usage = "--count N [--forever]",
     .summary = "finish",
     .help = "More."},
    {.name = "plain", .kind = MF_COMMAND_PLAIN, .usage = "WORD", .summary = "print", .run = run_plain},
    {.name = "bare",
     .kind = MF_COMMAND_PLAIN,
     .usage = "WORD",
     .summary = "print",
     .run = run_plain,
     .no_settings = true},
};

int main(int argc, char **argv)
{
    static const struct mf_service_ops ops = {
        .name = "skeleton",
        .binary = "marketflow-skeleton",
        .summary = "Does nothing, in every way.",
        .tables = tables,
        .own_prefixes = own_prefixes,
        .metric_defs = metric_defs,
        .metric_def_count = MF_ARRAY_LEN(metric_defs),
        .commands = commands,
        .command_count = MF_ARRAY_LEN(commands),
        .start = start,
        .drain = drain,
        .stop = stop,
        .check_settings = check_settings,
        .reload = reload,
        .check_ready = check_ready,
        .is_alive = is_alive,
        .status = status,
        .libraries = libraries,
        .print_reference = print_reference,
    };
    return mf_service_main(argc, argv, &ops);
}
