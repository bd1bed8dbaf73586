// SPDX-License-Identifier: Apache-2.0
// Between the files of the skeleton. Everything hangs off one struct mf_service_private, made by
// mf_service_main.
#ifndef MF_SERVICE_INTERNAL_H
#define MF_SERVICE_INTERNAL_H

#include "http_server.h"
#include "service.h"
#include "supervisor.h"

#define MF_SERVICE_TABLES_MAX 16
#define MF_SERVICE_STATUS_MAX 256
// Closing calls that hang are cut off this long after the grace period.
#define MF_SERVICE_GUARD_AFTER_MS 15000

// What the command line asks for.
enum mf_service_action {
    MF_ACTION_RUN,
    MF_ACTION_HELP, // of the program, or of the command when one is given
    MF_ACTION_VERSION,
    MF_ACTION_CHECK_CONFIG,
    MF_ACTION_PRINT_CONFIG,
    MF_ACTION_HEALTHCHECK,
    MF_ACTION_PRINT_REFERENCE
};

struct mf_service_call {
    enum mf_service_action action;
    const struct mf_command *command;
    bool command_given;    // by name
    const char *reference; // PRINT_REFERENCE: what
    int argc;              // what follows the command's words
    char **argv;
};

struct mf_service_private {
    struct mf_service service;
    const struct mf_service_ops *ops;
    struct mf_service_call call;
    enum mf_service_state state;
    int64_t state_since_us;
    char reason[160]; // why it leaves
    void *ops_state;
    bool started; // ops->start succeeded and ops->stop is due

    // The settings of the start stay until the end, because strings of theirs are borrowed; those of the last
    // successful reload, too.
    struct mf_settings *first_settings;
    struct mf_settings *fresh_settings;

    struct mf_supervisor *supervisor;
    struct mf_http_server *http;
    struct mf_signal *term, *interrupt, *hangup;
    struct mf_timer *tick, *watchdog, *stats, *grace;
    struct mf_deferred *leave;

    bool leaving;
    bool skip_drain;
    int exit_code;
    int64_t grace_ms;
    int64_t last_tick_us;
    unsigned ticks;
    int64_t last_cpu_us; // user and system time at the last look
    int64_t last_ping_us;
    bool ping_withheld;
};

// ---------------------------------------------------------------- service_args.c
// 0, or -1 after saying on stderr what is wrong, with the usage.
int mf_service_args_parse(int argc, char **argv, const struct mf_service_ops *ops,
                          struct mf_service_call *call);
void mf_service_usage(const struct mf_service_ops *ops, struct mf_buf *out);
void mf_service_command_usage(const struct mf_service_ops *ops, const struct mf_command *command,
                              struct mf_buf *out);
// Does the program have a command that runs on the loop, and so a metrics endpoint?
bool mf_service_has_loop(const struct mf_service_ops *ops);

// ---------------------------------------------------------------- service_settings.c
// The tables of the program: its own, and the log's and the service's where it did not name them. Returns the
// count.
size_t mf_service_tables(const struct mf_service_ops *ops,
                         struct mf_setting_table tables[MF_SERVICE_TABLES_MAX]);
// Reads the environment. -1 CONFIG with every problem in `problems`.
int mf_service_settings(const struct mf_service_ops *ops, struct mf_settings **settings,
                        struct mf_buf *problems, struct mf_error *err);
// Logs each problem, or each warning, as a line of its own.
void mf_service_log_lines(struct mf_log *log, enum mf_log_level level, const char *event, const char *lines);
// SIGHUP.
void mf_service_reload(struct mf_service_private *p);

// ---------------------------------------------------------------- service_builtin.c
// --help and its like; the exit code.
int mf_service_builtin(const struct mf_service_ops *ops, const struct mf_service_call *call);
// GET /livez at METRICS_LISTEN: 0 or 1 within two seconds (service_healthcheck.c).
int mf_service_healthcheck(const struct mf_service_ops *ops);

// ---------------------------------------------------------------- service_health.c
// Starts the endpoint and the metrics that the skeleton itself keeps. CONFIG, FATAL.
int mf_service_health_start(struct mf_service_private *p, struct mf_error *err);
bool mf_service_is_alive(const struct mf_service_private *p);
// The state and the service's own line, as for STATUS= and the stats line.
void mf_service_status_text(const struct mf_service_private *p, char text[MF_SERVICE_STATUS_MAX]);

// ---------------------------------------------------------------- service_signals.c
// SIGPIPE and SIGXFSZ ignored, the signals of the skeleton unblocked, descriptors 0 to 2 open.
void mf_service_prepare_process(void);
// From now on SIGTERM and SIGINT end the process with 75 from inside the handler.
void mf_service_second_signal_leaves(struct mf_log *log);
// Everything is closed and the exit code decided: a late signal must not change it.
void mf_service_ignore_signals(void);
// The process ends with 75 after delay_ms, whatever it is doing then; once armed it stays armed.
void mf_service_guard_arm(struct mf_log *log, int64_t delay_ms);

// ---------------------------------------------------------------- service_timers.c
void mf_service_timers_start(struct mf_service_private *p);
void mf_service_timers_free(struct mf_service_private *p);

// ---------------------------------------------------------------- service.c
void mf_service_set_state(struct mf_service_private *p, enum mf_service_state state, const char *reason);

#endif
