// SPDX-License-Identifier: Apache-2.0
// /livez, /readyz, /metrics and the metrics that the skeleton keeps itself. Bodies hold no configuration
// values but what a check says of itself.
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/escape.h"
#include "common/service_internal.h"
#include "mf_build.h"

#define TICK_LATE_US (10 * MF_US_PER_SECOND)

struct mf_health {
    struct mf_buf *out; // NULL = only the result is wanted
    size_t checks;
    bool ok;
};

// A JSON string; a text beyond the buffer is cut between characters.
static void add_json_string(struct mf_buf *out, const char *text)
{
    char escaped[1024];
    size_t used;
    size_t len = mf_escape(MF_ESCAPE_JSON, mf_str_of(text), escaped, sizeof escaped, &used);
    mf_buf_add_char(out, '"');
    mf_buf_add(out, escaped, len);
    mf_buf_add_char(out, '"');
}

void mf_health_add(struct mf_health *health, const char *check, bool ok, const char *fmt, ...)
{
    health->ok &= ok;
    if (health->out == NULL)
        return;
    char detail[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    mf_buf_add_c(health->out, health->checks++ > 0 ? "," : "");
    add_json_string(health->out, check);
    mf_buf_addf(health->out, ":{\"ok\":%s,\"detail\":", ok ? "true" : "false");
    add_json_string(health->out, detail);
    mf_buf_add_char(health->out, '}');
}

static const char *state_name(enum mf_service_state state)
{
    static const char *const names[MF_SERVICE_STATE_MAX] = {
        [MF_SERVICE_INIT] = "init",       [MF_SERVICE_STARTING] = "starting",
        [MF_SERVICE_RUNNING] = "running", [MF_SERVICE_DRAINING] = "draining",
        [MF_SERVICE_STOPPED] = "stopped",
    };
    assert((unsigned)state < MF_SERVICE_STATE_MAX);
    return names[state];
}

const char *mf_service_state_name(enum mf_service_state state)
{
    return state_name(state);
}

// All checks, the skeleton's own first: a service that starts or drains is never ready.
static bool check_all(const struct mf_service_private *p, struct mf_buf *out)
{
    struct mf_health health = {.out = out, .ok = true};
    mf_health_add(&health, "service", p->state == MF_SERVICE_RUNNING && !p->leaving, "%s",
                  state_name(p->state));
    if (p->started && p->ops->check_ready != NULL)
        p->ops->check_ready(p->ops_state, &health);
    return health.ok;
}

bool mf_service_is_alive(const struct mf_service_private *p)
{
    // The tick runs every second; late means that the loop has just been held up for that long.
    if (mf_clock_monotonic_us() - p->last_tick_us > MF_US_PER_SECOND + TICK_LATE_US)
        return false;
    return !p->started || p->ops->is_alive == NULL || p->ops->is_alive(p->ops_state);
}

void mf_service_status_text(const struct mf_service_private *p, char text[MF_SERVICE_STATUS_MAX])
{
    char own[MF_SERVICE_STATUS_MAX - 32] = "";
    if (p->started && p->ops->status != NULL)
        p->ops->status(p->ops_state, own, sizeof own);
    snprintf(text, MF_SERVICE_STATUS_MAX, "%s%s%s", state_name(p->state), own[0] != '\0' ? ": " : "", own);
}

static int on_livez(void *arg, struct mf_buf *body, const char **content_type)
{
    *content_type = "text/plain; charset=utf-8";
    bool alive = mf_service_is_alive(arg);
    mf_buf_add_c(body, alive ? "ok\n" : "not alive\n");
    return alive ? 200 : 503;
}

static int on_readyz(void *arg, struct mf_buf *body, const char **content_type)
{
    *content_type = "application/json";
    struct mf_buf checks;
    mf_buf_init(&checks, 65536);
    bool ok = check_all(arg, &checks);
    mf_buf_addf(body, "{\"status\":\"%s\",\"checks\":{", ok ? "ok" : "unavailable");
    mf_buf_add_str(body, mf_buf_str(&checks));
    mf_buf_add_c(body, "}}\n");
    mf_buf_free(&checks);
    return ok ? 200 : 503;
}

static int on_metrics(void *arg, struct mf_buf *body, const char **content_type)
{
    const struct mf_service_private *p = arg;
    *content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (mf_metrics_render(p->service.metrics, body) == 0)
        return 200;
    return 500;
}

// Values that are kept elsewhere, taken over just before a scrape.
static void on_collect(void *arg)
{
    const struct mf_service_private *p = arg;
    struct mf_metrics *metrics = p->service.metrics;
    mf_metric_set(MF_METRIC0(metrics, &mf_common_metrics[MF_M_READY]), check_all(p, NULL));
    struct mf_log_counts counts = mf_log_counts(p->service.log);
    mf_metric_set(MF_METRIC0(metrics, &mf_common_metrics[MF_M_LOG_DROPPED]), (double)counts.dropped);
    for (unsigned i = 0; i < MF_LOG_LEVEL_MAX; i++) {
        const char *level = mf_log_level_name((enum mf_log_level)i);
        mf_metric_set(MF_METRIC(metrics, &mf_common_metrics[MF_M_LOG_MESSAGES], level),
                      (double)counts.written[i]);
        mf_metric_set(MF_METRIC(metrics, &mf_common_metrics[MF_M_LOG_SUPPRESSED], level),
                      (double)counts.suppressed[i]);
    }
}

static void on_turn(int64_t duration_us, void *arg)
{
    mf_metric_observe(arg, (double)duration_us / 1e6);
}

static void start_metrics(struct mf_service_private *p)
{
    struct mf_metrics *metrics = mf_metrics_new();
    p->service.metrics = metrics;
    mf_metrics_declare(metrics, mf_common_metrics, MF_M_COMMON_MAX);
    mf_metrics_declare(metrics, p->ops->metric_defs, p->ops->metric_def_count);
    mf_metrics_declare(metrics, p->ops->client_metric_defs, p->ops->client_metric_def_count);
    mf_metrics_add_process(metrics);
    mf_metrics_on_collect(metrics, on_collect, p);
    mf_metric_set(
        MF_METRIC(metrics, &mf_common_metrics[MF_M_BUILD_INFO], MF_VERSION, MF_REVISION, __VERSION__), 1);
    mf_metric_set(MF_METRIC0(metrics, &mf_common_metrics[MF_M_CONFIG_LAST_RELOAD]),
                  (double)mf_clock_real_us() / 1e6);
    // Known results exist before the first event, so that a rate over them has a beginning.
    MF_METRIC(metrics, &mf_common_metrics[MF_M_CONFIG_RELOADS], "success");
    MF_METRIC(metrics, &mf_common_metrics[MF_M_CONFIG_RELOADS], "failure");
    mf_loop_set_turn_observer(p->service.loop, on_turn,
                              MF_METRIC0(metrics, &mf_common_metrics[MF_M_LOOP_TURN]));
}

int mf_service_health_start(struct mf_service_private *p, struct mf_error *err)
{
    start_metrics(p);
    const struct mf_http_route routes[] = {{"/livez", on_livez, p},
                                           {"/healthz", on_livez, p},
                                           {"/readyz", on_readyz, p},
                                           {"/metrics", on_metrics, p}};
    static const char any_port[] = "127.0.0.1:0";
    bool job = p->call.command->kind == MF_COMMAND_JOB;
    const char *listen = mf_settings_string(p->service.settings, "METRICS_LISTEN");
    // A job is run beside the service, often with the same environment: the address is the service's then.
    if (job && !mf_settings_is_set(p->service.settings, "METRICS_LISTEN"))
        listen = any_port;
    int result = mf_http_server_new(p->service.loop, listen, routes, MF_ARRAY_LEN(routes), &p->http, err);
    if (result == 0 || !job || err->class != MF_ERROR_CONFIG)
        return result;
    mf_log_error(p->service.log, MF_LOG_NOTICE, "service", "listen_elsewhere", err,
                 "the metrics of this job are on another port");
    return mf_http_server_new(p->service.loop, any_port, routes, MF_ARRAY_LEN(routes), &p->http, err);
}
