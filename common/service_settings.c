// SPDX-License-Identifier: Apache-2.0
// The settings of a program: read at start, read again on SIGHUP.
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/service_internal.h"

#define PROBLEMS_MAX 262144

static bool is_listed(const struct mf_setting_table *tables, size_t count,
                      const struct mf_setting_table *table)
{
    for (size_t i = 0; i < count; i++) {
        if (tables[i].defs == table->defs)
            return true;
    }
    return false;
}

size_t mf_service_tables(const struct mf_service_ops *ops,
                         struct mf_setting_table tables[MF_SERVICE_TABLES_MAX])
{
    size_t count = 0;
    for (const struct mf_setting_table *const *table = ops->tables; table != NULL && *table != NULL;
         table++) {
        assert(count < MF_SERVICE_TABLES_MAX - 2);
        tables[count++] = **table;
    }
    if (!is_listed(tables, count, &mf_settings_table_log))
        tables[count++] = mf_settings_table_log;
    if (mf_service_has_loop(ops) && !is_listed(tables, count, &mf_settings_table_service))
        tables[count++] = mf_settings_table_service;
    return count;
}

// Secrets are about to be in memory: from here on no core dump and no debugger of the same user may read
// them. Not under a sanitizer, whose leak checker attaches to its own process.
static void hide_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int mf_service_settings(const struct mf_service_ops *ops, struct mf_settings **settings,
                        struct mf_buf *problems, struct mf_error *err)
{
    hide_memory();
    struct mf_setting_table tables[MF_SERVICE_TABLES_MAX];
    size_t count = mf_service_tables(ops, tables);
    if (mf_settings_parse(tables, count, environ, ops->own_prefixes, settings, problems, err) != 0)
        return -1;
    if (ops->check_settings != NULL)
        ops->check_settings(*settings, problems);
    if (problems->len == 0)
        return 0;
    mf_settings_free(settings);
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_settings", "settings contradict each other");
}

void mf_service_log_lines(struct mf_log *log, enum mf_log_level level, const char *event, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");
        MF_LOG(log, level, "settings", event, "%.*s", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

// Takes fresh settings, or says why not.
static int take(struct mf_service_private *p, struct mf_settings **fresh, struct mf_error *err)
{
    struct mf_buf problems;
    mf_buf_init(&problems, PROBLEMS_MAX);
    int result = mf_service_settings(p->ops, fresh, &problems, err);
    if (result != 0)
        mf_service_log_lines(p->service.log, MF_LOG_ERROR, "bad_setting", mf_buf_c_str(&problems));
    mf_buf_free(&problems);
    if (result == 0 && p->ops->reload != NULL)
        result = p->ops->reload(p->ops_state, *fresh, err);
    return result;
}

// Says how it ended, in the log, in the metrics and to the supervisor.
static void finish_reload(struct mf_service_private *p, bool ok, const struct mf_error *err)
{
    struct mf_metrics *metrics = p->service.metrics;
    mf_metric_add(MF_METRIC(metrics, &mf_common_metrics[MF_M_CONFIG_RELOADS], ok ? "success" : "failure"), 1);
    char status[MF_SERVICE_STATUS_MAX + 64];
    if (ok) {
        mf_metric_set(MF_METRIC0(metrics, &mf_common_metrics[MF_M_CONFIG_LAST_RELOAD]),
                      (double)mf_clock_real_us() / 1e6);
        MF_LOG(p->service.log, MF_LOG_NOTICE, "service", "reloaded", "settings read again%s",
               p->ops->reload == NULL ? "; this service takes none of them while it runs" : "");
        mf_service_status_text(p, status);
    } else {
        mf_log_error(p->service.log, MF_LOG_ERROR, "service", "reload_failed", err,
                     "reload failed: the old settings stay");
        snprintf(status, sizeof status, "Reload failed, the old settings stay: %.180s", err->message);
    }
    // The protocol has no failure: READY=1 ends a reload either way, and STATUS= says how.
    mf_supervisor_ready(p->supervisor, status);
}

void mf_service_reload(struct mf_service_private *p)
{
    if (p->state != MF_SERVICE_RUNNING || p->leaving) {
        MF_LOG(p->service.log, MF_LOG_NOTICE, "service", "reload_ignored",
               "SIGHUP while the service is leaving");
        return;
    }
    mf_supervisor_reloading(p->supervisor);
    struct mf_settings *fresh = NULL;
    struct mf_error err;
    bool ok = take(p, &fresh, &err) == 0;
    if (!ok || p->ops->reload == NULL) {
        // Without a reload of its own the service has borrowed from the old settings alone.
        mf_settings_free(&fresh);
    } else {
        mf_settings_wipe_secrets(p->first_settings);
        mf_settings_free(&p->fresh_settings);
        p->fresh_settings = fresh;
        p->service.settings = fresh;
        mf_service_log_lines(p->service.log, MF_LOG_WARNING, "unwise_setting", mf_settings_warnings(fresh));
    }
    finish_reload(p, ok, &err);
}
