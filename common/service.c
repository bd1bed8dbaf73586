// SPDX-License-Identifier: Apache-2.0
// The skeleton: from the command line to the exit code. Everything a program is beyond its own work happens
// here, in one order. Errors of the service are logged here, once, and decide the exit code.
#include "common/service.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/service_internal.h"
#include "common/settings_internal.h"
#include "mf_build.h"

enum { PROBLEMS_MAX = 262144, LOG_WINDOW_MS = 60000 };

enum mf_service_state mf_service_state(const struct mf_service *service)
{
    return service->private->state;
}

const char *mf_service_metrics_address(const struct mf_service *service)
{
    return service->private->http != NULL ? mf_http_server_address(service->private->http) : "";
}

void mf_service_set_state(struct mf_service_private *p, enum mf_service_state state, const char *reason)
{
    int64_t now = mf_clock_monotonic_us();
    enum mf_service_state before = p->state;
    int64_t duration_ms = (now - p->state_since_us) / MF_US_PER_MS;
    p->state = state;
    p->state_since_us = now;
    MF_LOGF(p->service.log, MF_LOG_NOTICE, "service", "state_changed",
            MF_FIELDS(mf_lf_str("state", mf_service_state_name(state)),
                      mf_lf_str("previous", mf_service_state_name(before)), mf_lf_str("reason", reason),
                      mf_lf_i64("duration_ms", duration_ms)),
            "%s: %s (after %lld ms of %s)", mf_service_state_name(state), reason, (long long)duration_ms,
            mf_service_state_name(before));
}

// ---------------------------------------------------------------- leaving

// Which of two codes says more: a later, worse reason to leave replaces the first one. Codes that are none of
// ours count as internal.
static int severity_of(int exit_code)
{
    static const int by_severity[] = {MF_EXIT_OK, MF_EXIT_TEMPORARY, MF_EXIT_INTERNAL, MF_EXIT_CONFIG};
    for (size_t i = 0; i < MF_ARRAY_LEN(by_severity); i++) {
        if (by_severity[i] == exit_code)
            return (int)i;
    }
    return 2;
}

static void worsen(struct mf_service_private *p, int exit_code)
{
    if (severity_of(exit_code) > severity_of(p->exit_code))
        p->exit_code = exit_code;
}

// The drain did not end in time. What is in flight is given up; nothing of it was acknowledged.
static void on_grace_over(void *arg)
{
    struct mf_service_private *p = arg;
    MF_LOG(p->service.log, MF_LOG_ERROR, "service", "drain_deadline",
           "work in flight did not end within %lld ms: leaving with 75", (long long)p->grace_ms);
    worsen(p, MF_EXIT_TEMPORARY);
    mf_loop_stop(p->service.loop);
}

// Runs on a turn of its own: whoever wants to leave may be deep inside a callback of the service.
static void on_leave(void *arg)
{
    struct mf_service_private *p = arg;
    if (p->skip_drain) {
        mf_loop_stop(p->service.loop);
        return;
    }
    if (p->state != MF_SERVICE_RUNNING)
        return;
    mf_service_set_state(p, MF_SERVICE_DRAINING, p->reason);
    char status[MF_SERVICE_STATUS_MAX];
    mf_service_status_text(p, status);
    mf_supervisor_stopping(p->supervisor, status);
    mf_supervisor_extend(p->supervisor, (p->grace_ms + MF_SERVICE_GUARD_AFTER_MS + 1000) * MF_US_PER_MS);
    mf_service_guard_arm(p->service.log, p->grace_ms + MF_SERVICE_GUARD_AFTER_MS);
    p->grace = mf_timer_new(p->service.loop, on_grace_over, p);
    mf_timer_arm_ms(p->grace, p->grace_ms);
    if (p->ops->drain != NULL)
        p->ops->drain(p->ops_state);
    else
        mf_service_drained(&p->service);
}

void mf_service_finish(struct mf_service *service, int exit_code, const char *reason)
{
    struct mf_service_private *p = service->private;
    if (!p->leaving) {
        p->leaving = true;
        p->exit_code = exit_code;
        snprintf(p->reason, sizeof p->reason, "%s", reason);
    } else {
        worsen(p, exit_code);
    }
    mf_deferred_schedule(p->leave);
}

void mf_service_fail(struct mf_service *service, const struct mf_error *err, const char *doing)
{
    struct mf_service_private *p = service->private;
    // What ends the service may meet it on several ways, or for each of its partitions.
    bool said = p->leaving && strcmp(p->reason, err->code) == 0;
    if (!said)
        mf_log_error(service->log, MF_LOG_CRITICAL, "service", "service_failed", err, doing);
    if (err->class == MF_ERROR_FATAL)
        p->skip_drain = true;
    mf_service_finish(service, mf_error_exit_code(err), err->code);
}

void mf_service_drained(struct mf_service *service)
{
    if (service->private->state == MF_SERVICE_DRAINING)
        mf_loop_stop(service->loop);
}

static void on_termination(struct mf_service_private *p, const char *name)
{
    mf_service_second_signal_leaves(p->service.log);
    if (p->leaving) {
        MF_LOG(p->service.log, MF_LOG_NOTICE, "service", "already_leaving",
               "%s while leaving for a reason of its own; a second one leaves at once", name);
        return;
    }
    // A job that is told to stop has not done what it was asked to.
    mf_service_finish(&p->service, p->call.command->kind == MF_COMMAND_JOB ? MF_EXIT_TEMPORARY : MF_EXIT_OK,
                      name);
}

static void on_term(void *arg)
{
    on_termination(arg, "SIGTERM");
}

static void on_interrupt(void *arg)
{
    on_termination(arg, "SIGINT");
}

static void on_hangup(void *arg)
{
    mf_service_reload(arg);
}

// ---------------------------------------------------------------- running

static void on_loop_log(enum mf_loop_severity severity, const char *message, void *arg)
{
    static const enum mf_log_level levels[] = {
        [MF_LOOP_DEBUG] = MF_LOG_DEBUG, [MF_LOOP_NOTICE] = MF_LOG_INFO,    [MF_LOOP_WARNING] = MF_LOG_WARNING,
        [MF_LOOP_ERROR] = MF_LOG_ERROR, [MF_LOOP_FATAL] = MF_LOG_CRITICAL,
    };
    MF_LOG(arg, levels[severity], "loop", "libevent", "%s", message);
    if (severity == MF_LOOP_FATAL)
        _exit(MF_EXIT_INTERNAL);
}

// One line that says what is running, for whoever reads the log later: versions, digest of the settings,
// address.
static void log_up(const struct mf_service_private *p)
{
    char digest[17];
    char libraries[256] = "";
    mf_settings_digest(p->service.settings, digest);
    if (p->ops->libraries != NULL)
        p->ops->libraries(libraries, sizeof libraries);
    MF_LOGF(p->service.log, MF_LOG_NOTICE, "service", "process_up",
            MF_FIELDS(mf_lf_str("revision", MF_REVISION), mf_lf_str("settings_digest", digest),
                      mf_lf_str("listen", mf_http_server_address(p->http)), mf_lf_i64("pid", getpid()),
                      mf_lf_str("command", p->call.command->name)),
            "%s %s up: %s%s%s", p->ops->binary, MF_VERSION, mf_loop_backend(p->service.loop),
            libraries[0] != '\0' ? ", " : "", libraries);
}

static void start_signals(struct mf_service_private *p)
{
    p->leave = mf_deferred_new(p->service.loop, on_leave, p);
    p->term = mf_signal_new(p->service.loop, SIGTERM, on_term, p);
    p->interrupt = mf_signal_new(p->service.loop, SIGINT, on_interrupt, p);
    p->hangup = mf_signal_new(p->service.loop, SIGHUP, on_hangup, p);
}

// Everything up to the point where the service can be called ready.
static int start_parts(struct mf_service_private *p, struct mf_error *err)
{
    if (mf_loop_new(&p->service.loop, err) != 0)
        return -1;
    mf_loop_set_log(on_loop_log, p->service.log);
    p->supervisor = mf_supervisor_new();
    start_signals(p);
    mf_service_set_state(p, MF_SERVICE_STARTING, "settings read");
    if (mf_service_health_start(p, err) != 0)
        return -1;
    mf_service_timers_start(p);
    if (p->ops->start(&p->service, p->call.command, p->call.argc, p->call.argv, &p->ops_state, err) != 0)
        return -1;
    p->started = true;
    return 0;
}

static int start(struct mf_service_private *p)
{
    struct mf_error err;
    if (start_parts(p, &err) == 0)
        return 0;
    mf_log_error(p->service.log, MF_LOG_CRITICAL, "service", "start_failed", &err, "cannot start");
    p->exit_code = mf_error_exit_code(&err);
    if (strcmp(err.code, "bad_arguments") == 0) {
        struct mf_buf usage;
        mf_buf_init(&usage, 65536);
        mf_service_command_usage(p->ops, p->call.command, &usage);
        fprintf(stderr, "%s", mf_buf_c_str(&usage));
        mf_buf_free(&usage);
    }
    return -1;
}

// READY=1 means that settings, endpoint and clients are there, not that any dependency answers: a broker that
// is away at boot must not become a restart loop.
static void run(struct mf_service_private *p)
{
    struct mf_error err;
    char status[MF_SERVICE_STATUS_MAX];
    log_up(p);
    mf_service_set_state(p, MF_SERVICE_RUNNING, "started");
    mf_service_status_text(p, status);
    mf_supervisor_ready(p->supervisor, status);
    if (mf_loop_run(p->service.loop, &err) != 0) {
        mf_log_error(p->service.log, MF_LOG_CRITICAL, "service", "loop_failed", &err, "running the loop");
        worsen(p, MF_EXIT_INTERNAL);
    }
}

// Closes everything, in the reverse order of its making. Nothing answers any more: handlers use what is
// going.
static void stop(struct mf_service_private *p)
{
    mf_service_guard_arm(p->service.log, MF_SERVICE_GUARD_AFTER_MS);
    if (p->state == MF_SERVICE_RUNNING)
        mf_supervisor_stopping(p->supervisor, p->reason);
    mf_http_server_free(&p->http);
    if (p->started)
        p->ops->stop(&p->ops_state);
    p->started = false;
    mf_service_timers_free(p);
    mf_signal_free(&p->term);
    mf_signal_free(&p->interrupt);
    mf_signal_free(&p->hangup);
    mf_service_ignore_signals();
    mf_deferred_free(&p->leave);
    char reason[64];
    snprintf(reason, sizeof reason, "exit code %d", p->exit_code);
    mf_service_set_state(p, MF_SERVICE_STOPPED, reason);
    mf_loop_set_log(NULL, NULL);
    mf_loop_free(&p->service.loop);
    mf_metrics_free(&p->service.metrics);
    mf_supervisor_free(&p->supervisor);
}

static void run_on_loop(struct mf_service_private *p)
{
    p->grace_ms = mf_settings_integer(p->service.settings, "SHUTDOWN_GRACE_MS");
    if (start(p) == 0)
        run(p);
    stop(p);
}

// ---------------------------------------------------------------- before running

// The log by its settings; without settings (they are bad, or none are wanted) by the descriptor alone.
static struct mf_log *make_log(const struct mf_service_ops *ops, const struct mf_settings *settings,
                               const char *instance)
{
    static const char *const formats[] = {"auto", "json", "text", "journal"};
    struct mf_log_config config = {
        .fd = STDERR_FILENO,
        .level = MF_LOG_INFO,
        .format = MF_LOG_FORMAT_AUTO,
        .service = ops->name,
        .instance = instance,
        .version = MF_VERSION,
        .window_ms = LOG_WINDOW_MS,
    };
    if (settings != NULL) {
        mf_log_level_parse(mf_settings_string(settings, "LOG_LEVEL"), &config.level);
        for (unsigned i = 0; i < MF_ARRAY_LEN(formats); i++) {
            if (strcmp(mf_settings_string(settings, "LOG_FORMAT"), formats[i]) == 0)
                config.format = (enum mf_log_format)i;
        }
        config.burst = (unsigned)mf_settings_integer(settings, "LOG_BURST");
    }
    return mf_log_new(&config);
}

// The settings, or -1 after logging every problem.
static int load(struct mf_service_private *p)
{
    if (p->call.command->no_settings)
        return 0;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, PROBLEMS_MAX);
    int result = mf_service_settings(p->ops, &p->first_settings, &problems, &err);
    if (result != 0) {
        struct mf_log *log = make_log(p->ops, NULL, "");
        mf_service_log_lines(log, MF_LOG_CRITICAL, "bad_setting", mf_buf_c_str(&problems));
        mf_log_free(&log);
    }
    mf_buf_free(&problems);
    return result;
}

static void run_command(struct mf_service_private *p)
{
    char host[65] = "";
    gethostname(host, sizeof host - 1);
    p->service.settings = p->first_settings;
    p->service.instance = host;
    if (p->first_settings != NULL && mf_setting_find(p->first_settings, "KAFKA_INSTANCE_ID") != NULL)
        p->service.instance = mf_settings_string(p->first_settings, "KAFKA_INSTANCE_ID");
    p->service.log = make_log(p->ops, p->first_settings, p->service.instance);
    if (p->first_settings != NULL)
        mf_service_log_lines(p->service.log, MF_LOG_WARNING, "unwise_setting",
                             mf_settings_warnings(p->first_settings));
    if (p->call.command->kind == MF_COMMAND_PLAIN)
        p->exit_code = p->call.command->run(&p->service, p->call.argc, p->call.argv);
    else
        run_on_loop(p);
    mf_log_free(&p->service.log);
    mf_settings_free(&p->fresh_settings);
    mf_settings_free(&p->first_settings);
}

int mf_service_main(int argc, char **argv, const struct mf_service_ops *ops)
{
    struct mf_service_private p = {
        .ops = ops,
        .service = {.name = ops->name},
        .state_since_us = mf_clock_monotonic_us(),
    };
    p.service.private = &p;
    mf_service_prepare_process();
    if (mf_service_args_parse(argc, argv, ops, &p.call) != 0)
        return MF_EXIT_CONFIG;
    if (p.call.action != MF_ACTION_RUN)
        return mf_service_builtin(ops, &p.call);
    if (load(&p) != 0)
        return MF_EXIT_CONFIG;
    run_command(&p);
    return p.exit_code;
}
