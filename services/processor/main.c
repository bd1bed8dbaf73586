// SPDX-License-Identifier: Apache-2.0
// marketflow-processor: turns raw events into filtered events, metrics and explained alerts, exactly once.
#include <stdio.h>

#include "services/processor/config.h"
#include "services/processor/engine.h"
#include "services/processor/replay.h"

// What --help prints, line for line.
// clang-format off
static const char replay_help[] =
    "Folds events (NDJSON as in docs/events.md, a missing event_id is computed) without a broker and prints the\n"
    "filtered events, metrics, alerts and dead letters that the topics would get.";
static const char explain_help[] =
    "Folds a file of events as replay does and prints every number that the rule looked at.";
// clang-format on

static const struct mf_command commands[] = {
    {.kind = MF_COMMAND_SERVICE,
     .usage = "",
     .summary = "consume market.raw and market.raw.backfill until stopped"},
    {.name = "replay",
     .kind = MF_COMMAND_PLAIN,
     .usage = "FILE|- [--lane LANE]",
     .summary = "print what a file of events would make",
     .help = replay_help,
     .run = prc_run_replay},
    {.name = "explain",
     .kind = MF_COMMAND_PLAIN,
     .usage = "FILE --symbol SYMBOL --rule RULE [--at TIME] [--interval I] [--contract T]",
     .summary = "say why a rule fired or did not",
     .help = explain_help,
     .run = prc_run_explain},
};

static const struct mf_setting_table *const tables[] = {
    &mf_settings_table_log, &mf_settings_table_service, &mf_settings_table_kafka,
    &prc_settings_table,    &prc_settings_table_alerts, NULL};
static const char *const own_prefixes[] = {"PROCESSOR_", "ALERT_", NULL};

static int start(struct mf_service *service, const struct mf_command *command, int argc, char **argv,
                 void **state, struct mf_error *err)
{
    (void)command;
    if (mf_options_parse(NULL, 0, argc, argv, err) < 0)
        return -1;
    struct prc_engine *engine = NULL;
    if (prc_engine_new(service, &engine, err) < 0)
        return -1;
    *state = engine;
    return 0;
}

static void drain(void *state)
{
    prc_engine_drain(state);
}

static void stop(void **state)
{
    struct prc_engine *engine = *state;
    prc_engine_free(&engine);
    *state = NULL;
}

static void check_ready(void *state, struct mf_health *health)
{
    prc_engine_check_ready(state, health);
}

static bool is_alive(void *state)
{
    return prc_engine_is_alive(state);
}

static void status(void *state, char *text, size_t size)
{
    prc_engine_status(state, text, size);
}

// The versions for the "process up" line.
static void libraries(char *text, size_t size)
{
    snprintf(text, size, "%s", mf_kafka_version());
}

static int print_reference(const char *what, struct mf_buf *out)
{
    if (strcmp(what, "rules") != 0)
        return -1;
    prc_rules_markdown(out);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct mf_service_ops ops = {
        .name = "processor",
        .binary = "marketflow-processor",
        .summary = "Folds raw market events into filtered events, metrics and alerts, exactly once.",
        .tables = tables,
        .own_prefixes = own_prefixes,
        .metric_defs = prc_metric_defs,
        .metric_def_count = PRC_M_MAX,
        .commands = commands,
        .command_count = MF_ARRAY_LEN(commands),
        .start = start,
        .check_settings = prc_config_check,
        .drain = drain,
        .stop = stop,
        .check_ready = check_ready,
        .is_alive = is_alive,
        .libraries = libraries,
        .status = status,
        .print_reference = print_reference,
    };
    return mf_service_main(argc, argv, &ops);
}
