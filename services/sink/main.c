// SPDX-License-Identifier: Apache-2.0
// marketflow-sink: loads committed events from Kafka into the warehouse, each row once.
#include <stdio.h>

#include "common/kafka.h"
#include "services/sink/load_results.h"
#include "services/sink/migrate.h"
#include "services/sink/sink.h"

// What --help prints, line for line.
// clang-format off
static const char load_results_help[] =
    "FILE is run_results.json of dbt (manifest.json is read beside it), sources.json of dbt, or a validation or\n"
    "checkpoint result of Great Expectations. Rows go to ops.dbt_run_results and ops.dq_results, once per invocation:\n"
    "loading a file again changes nothing. All files are read before the first row is written.\n"
    "Exit 0: loaded, or there already; 75: the warehouse is away; 78: a file is not what it should be, naming the\n"
    "field, or the schema is behind.";
static const char migrate_help[] =
    "Applies the migrations that the warehouse lacks, one at a time and one run at a time, and prints each.\n"
    "Running it again changes nothing. An applied migration whose text was edited is refused by name.\n"
    "--dry-run only prints what would be applied. --grants then makes the roles and gives them their rights,\n"
    "for which the user must be allowed to. --wait says how long another run is waited for.";
// clang-format on

static const struct mf_command commands[] = {
    {.kind = MF_COMMAND_SERVICE, .usage = "", .summary = "load events until stopped"},
    {.name = "migrate",
     .kind = MF_COMMAND_PLAIN,
     .usage = "[--dry-run] [--grants] [--wait SECONDS]",
     .summary = "bring the warehouse's schema up to this program",
     .help = migrate_help,
     .run = snk_migrate_run},
    {.name = "load-results",
     .kind = MF_COMMAND_PLAIN,
     .usage = "FILE…",
     .summary = "load what dbt and Great Expectations found out",
     .help = load_results_help,
     .run = snk_load_results_run},
};

static const struct mf_setting_table *const tables[] = {
    &mf_settings_table_log,       &mf_settings_table_service, &mf_settings_table_kafka,
    &mf_settings_table_warehouse, &snk_settings_table,        NULL};
static const char *const own_prefixes[] = {"SINK_", "WAREHOUSE_", "SNOWFLAKE_", NULL};

static int start(struct mf_service *service, const struct mf_command *command, int argc, char **argv,
                 void **state, struct mf_error *err)
{
    (void)command;
    struct snk_sink *sink = NULL;
    if (mf_options_parse(NULL, 0, argc, argv, err) != 0 || snk_sink_new(service, &sink, err) != 0)
        return -1;
    *state = sink;
    return 0;
}

static void drain(void *state)
{
    snk_sink_drain(state);
}

static void stop(void **state)
{
    struct snk_sink *sink = *state;
    snk_sink_free(&sink);
    *state = NULL;
}

static int reload(void *state, const struct mf_settings *fresh, struct mf_error *err)
{
    (void)err;
    snk_sink_reload(state, fresh);
    return 0;
}

static void check_ready(void *state, struct mf_health *health)
{
    snk_sink_check_ready(state, health);
}

static bool is_alive(void *state)
{
    return snk_sink_is_alive(state);
}

static void status(void *state, char *text, size_t size)
{
    snk_sink_status(state, text, size);
}

// The versions for the "process up" line.
static void libraries(char *text, size_t size)
{
    snprintf(text, size, "%s", mf_kafka_version());
}

int main(int argc, char **argv)
{
    static const struct mf_service_ops ops = {
        .name = "sink",
        .binary = "marketflow-sink",
        .summary = "Loads committed events from Kafka into the warehouse, each row once.",
        .tables = tables,
        .own_prefixes = own_prefixes,
        .metric_defs = snk_metric_defs,
        .metric_def_count = SNK_M_MAX,
        .commands = commands,
        .command_count = MF_ARRAY_LEN(commands),
        .start = start,
        .drain = drain,
        .stop = stop,
        .check_settings = snk_check_settings,
        .reload = reload,
        .check_ready = check_ready,
        .is_alive = is_alive,
        .libraries = libraries,
        .status = status,
    };
    return mf_service_main(argc, argv, &ops);
}
