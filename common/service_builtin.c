// SPDX-License-Identifier: Apache-2.0
// What a program answers about itself, before anything touches the network.
#include <errno.h>
#include <stdio.h>

#include "common/service_internal.h"
#include "mf_build.h"

#define TEXT_MAX ((size_t)4 * 1024 * 1024)

// A reader that is gone or a full disk is temporary: run it again. The reason may be of a write long ago.
int mf_service_flush(const char *binary, FILE *out)
{
    bool failed_before = ferror(out) != 0;
    if (fflush(out) == 0 && !failed_before)
        return MF_EXIT_OK;
    fprintf(stderr, "%s: cannot write the result: %s\n", binary,
            failed_before ? "an earlier write failed" : strerror(errno));
    return MF_EXIT_TEMPORARY;
}

static int print(const struct mf_service_ops *ops, const struct mf_buf *text)
{
    errno = 0;
    (void)fwrite(text->data != NULL ? text->data : "", 1, text->len, stdout);
    int result = mf_service_flush(ops->binary, stdout);
    return text->overflow ? MF_EXIT_TEMPORARY : result;
}

static int help(const struct mf_service_ops *ops, const struct mf_service_call *call, struct mf_buf *out)
{
    if (call->command_given) {
        mf_service_command_usage(ops, call->command, out);
        return print(ops, out);
    }
    struct mf_setting_table tables[MF_SERVICE_TABLES_MAX];
    size_t count = mf_service_tables(ops, tables);
    mf_service_usage(ops, out);
    mf_buf_add_char(out, '\n');
    mf_settings_help(tables, count, out);
    return print(ops, out);
}

// Problems and warnings go to stderr, so that stdout is the answer alone.
static int config(const struct mf_service_ops *ops, bool check, struct mf_buf *out)
{
    struct mf_settings *settings = NULL;
    struct mf_error err;
    if (mf_service_settings(ops, &settings, out, &err) != 0) {
        fprintf(stderr, "%s", mf_buf_c_str(out));
        return MF_EXIT_CONFIG;
    }
    const char *warnings = mf_settings_warnings(settings);
    if (warnings[0] != '\0')
        fprintf(stderr, "%s", warnings);
    if (check)
        mf_buf_add_c(out, "configuration ok\n");
    else
        mf_settings_print(settings, out);
    mf_settings_free(&settings);
    return print(ops, out);
}

// One section of the page that is put together from all programs.
static void metrics_reference(const struct mf_service_ops *ops, struct mf_buf *out)
{
    if (!mf_service_has_loop(ops))
        return;
    mf_buf_add_c(out, "## Every service\n\n");
    mf_metrics_markdown(mf_common_metrics, MF_M_COMMON_MAX, out);
    if (ops->metric_def_count == 0)
        return;
    mf_buf_addf(out, "\n## The %s\n\n", ops->name);
    mf_metrics_markdown(ops->metric_defs, ops->metric_def_count, out);
    if (ops->client_metric_def_count == 0)
        return;
    mf_buf_addf(out, "\n## Clients of the %s\n\n", ops->name);
    mf_metrics_markdown(ops->client_metric_defs, ops->client_metric_def_count, out);
}

static int reference(const struct mf_service_ops *ops, const char *what, struct mf_buf *out)
{
    struct mf_setting_table tables[MF_SERVICE_TABLES_MAX];
    size_t count = mf_service_tables(ops, tables);
    if (strcmp(what, "settings") == 0) {
        mf_settings_markdown(tables, count, out);
    } else if (strcmp(what, "env") == 0) {
        mf_settings_env_example(tables, count, out);
    } else if (strcmp(what, "metrics") == 0) {
        metrics_reference(ops, out);
    } else if (ops->print_reference == NULL || ops->print_reference(what, out) != 0) {
        fprintf(stderr, "%s: there is no reference '%s'\n", ops->binary, what);
        return MF_EXIT_CONFIG;
    }
    return print(ops, out);
}

int mf_service_builtin(const struct mf_service_ops *ops, const struct mf_service_call *call)
{
    struct mf_buf out;
    mf_buf_init(&out, TEXT_MAX);
    int code = MF_EXIT_INTERNAL;
    switch (call->action) {
    case MF_ACTION_HELP: code = help(ops, call, &out); break;
    case MF_ACTION_VERSION:
        mf_buf_addf(&out, "%s %s (%s)\n", ops->binary, MF_VERSION, MF_REVISION);
        code = print(ops, &out);
        break;
    case MF_ACTION_CHECK_CONFIG: code = config(ops, true, &out); break;
    case MF_ACTION_PRINT_CONFIG: code = config(ops, false, &out); break;
    case MF_ACTION_HEALTHCHECK: code = mf_service_healthcheck(ops); break;
    case MF_ACTION_PRINT_REFERENCE: code = reference(ops, call->reference, &out); break;
    case MF_ACTION_RUN: assert(!"not built in"); break;
    }
    mf_buf_free(&out);
    return code;
}
