// SPDX-License-Identifier: Apache-2.0
// The skeleton every Marketflow binary runs on: main is `return mf_service_main(argc, argv, &ops);`.
// States INIT → STARTING → RUNNING → DRAINING → STOPPED, each logged once with its reason and duration and
// mirrored to STATUS=. Order: arguments → settings (all errors at once, exit 78) → log → SIGPIPE → loop →
// signals → start → one "process up" line → READY=1 → loop → drain → stop → exit code.
#ifndef MF_SERVICE_H
#define MF_SERVICE_H

#include <stdio.h>

#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "settings.h"

enum mf_service_state {
    MF_SERVICE_INIT,
    MF_SERVICE_STARTING,
    MF_SERVICE_RUNNING,
    MF_SERVICE_DRAINING,
    MF_SERVICE_STOPPED,
    MF_SERVICE_STATE_MAX
};

// What a running service is given. Borrowed: everything lives until after ops->stop.
struct mf_service {
    struct mf_loop *loop;
    struct mf_log *log;
    struct mf_metrics *metrics;
    const struct mf_settings *settings;
    const char *name;     // "ingestor"
    const char *instance; // KAFKA_INSTANCE_ID, by default the host's name
    struct mf_service_private *private;
};

// One named check of /readyz; fill through mf_health_add. The overall answer is 200 only if all are ok.
struct mf_health;
void mf_health_add(struct mf_health *health, const char *check, bool ok, const char *fmt, ...)
    MF_PRINTF(4, 5);

enum mf_command_kind {
    MF_COMMAND_SERVICE, // runs on the loop until SIGTERM (the default command, name NULL)
    // Runs on the loop until mf_service_finish (backfill); sd_notify and HTTP as a service, but on any free
    // port when METRICS_LISTEN is not given or in use. Stopped by a signal it leaves with 75: it is not done.
    MF_COMMAND_JOB,
    MF_COMMAND_PLAIN // `run` is called with settings and log only, without a loop, and returns the exit code
                     // (migrate)
};

struct mf_command {
    const char *name; // NULL for the command without a name; two words allowed ("backfill bars")
    enum mf_command_kind kind;
    const char *usage;   // "--symbols A,B --from DATE --to DATE [--timespan minute|day]"
    const char *summary; // one line
    const char *help;    // paragraphs after the usage, may be NULL
    bool no_settings;    // PLAIN commands that need no environment at all (events validate)
    int (*run)(struct mf_service *service, int argc, char **argv); // PLAIN: argv after the command's words
};

struct mf_service_ops {
    const char *name;                             // "ingestor": the binary is marketflow-<name>
    const char *binary;                           // "marketflow-ingestor"
    const char *summary;                          // for --help
    const struct mf_setting_table *const *tables; // NULL-terminated
    const char *const *own_prefixes;              // see mf_settings_parse
    const struct mf_metric_def *metric_defs;
    size_t metric_def_count;
    const struct mf_metric_def *client_metric_defs; // of a client in common/ that it uses (HTTP); may be NULL
    size_t client_metric_def_count;
    const struct mf_command *commands; // the first is the default
    size_t command_count;

    // Creates the service's state; must not wait for the network. argv: what follows the command's words.
    // Errors: CONFIG for arguments (exit 78; with the command's usage for the code "bad_arguments"), else by
    // class.
    int (*start)(struct mf_service *service, const struct mf_command *command, int argc, char **argv,
                 void **state, struct mf_error *err);
    // Begin to drain: stop the intake, finish what is in flight, then call mf_service_drained. Deadline
    // SHUTDOWN_GRACE_MS; after it the process stops with 75.
    void (*drain)(void *state);
    void (*stop)(void **state); // close clients and free; called exactly once when start succeeded
    // What the tables cannot say: settings that contradict each other. Appends one line per problem, as
    // mf_settings_parse does. Part of every start, of --check-config and of a reload. May be NULL.
    void (*check_settings)(const struct mf_settings *settings, struct mf_buf *problems);
    // SIGHUP: settings re-read (secret files, symbol list). All or nothing: on -1 the old ones stay. On 0 the
    // service has taken what it needs from `fresh`; service->settings is `fresh` from then on. May be NULL.
    int (*reload)(void *state, const struct mf_settings *fresh, struct mf_error *err);
    void (*check_ready)(void *state, struct mf_health *health);
    // Own progress check: gates WATCHDOG=1 and /livez; may be NULL
    bool (*is_alive)(void *state);
    void (*status)(void *state, char *text, size_t size); // one line for STATUS= and the periodic stats line
    // Versions of the libraries that the service uses, for the "process up" line: "librdkafka 2.0.2, libcurl
    // 7.88.1". May be NULL.
    void (*libraries)(char *text, size_t size);
    // Reference tables beyond settings and metrics for --print-reference; may be NULL.
    int (*print_reference)(const char *what, struct mf_buf *out);
};

// Runs the process and returns its exit code. Built in: --help, --version, --check-config, --print-config,
// --healthcheck (GET /livez on METRICS_LISTEN, 0 or 1 within 2 s), --print-reference settings|metrics|env|….
int mf_service_main(int argc, char **argv, const struct mf_service_ops *ops);

enum mf_service_state mf_service_state(const struct mf_service *service);
const char *mf_service_state_name(enum mf_service_state state); // "running"
// Starts a drain that ends in `exit_code` (JOB done, or an internal decision to leave). Idempotent; the first
// code wins unless a later one is worse.
void mf_service_finish(struct mf_service *service, int exit_code, const char *reason);
// The service cannot go on: logs err (critical; not again while it leaves for the same code), then drains and
// exits by its class. FATAL skips the drain.
void mf_service_fail(struct mf_service *service, const struct mf_error *err, const char *doing);
// The end of a command's result: MF_EXIT_OK, or MF_EXIT_TEMPORARY with a sentence on stderr when some of what
// was written to `out` did not arrive (a full disk, a reader that is gone, a closed descriptor).
int mf_service_flush(const char *binary, FILE *out);
void mf_service_drained(struct mf_service *service); // called by the service when its drain is complete
// The service's last known address of the metrics endpoint ("127.0.0.1:9401"; useful when the port was 0).
const char *mf_service_metrics_address(const struct mf_service *service);

// Option parsing for commands: `--name value` and `--name=value`; flags take no value. Unknown options,
// missing values and left-over words are CONFIG errors naming them.
struct mf_option {
    const char *name;   // "--symbols"
    const char **value; // set to the text when given; NULL for a flag
    bool *flag;         // set to true when given; NULL for a valued option
    bool required;
};
int mf_options_parse(const struct mf_option *options, size_t count, int argc, char **argv,
                     struct mf_error *err);

#endif
