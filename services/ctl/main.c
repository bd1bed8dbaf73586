// SPDX-License-Identifier: Apache-2.0
// marketflowctl: the operator's command.
#include "services/ctl/ctl.h"

#include "common/event.h"

// What --help prints, line for line.
// clang-format off
static const char topics_apply_help[] =
    "An existing topic is never changed. Exit 0: all are as they should be; 75: the broker is away;\n"
    "78: something differs, and the table says what and what to do.";

static const char calendar_help[] =
    "FROM and TO are dates (2024-01-02) from 1990 to 2100, both included. Times are UTC; early is true when\n"
    "the exchange closes before 16:00 in New York.";

static const char events_validate_help[] =
    "FILE - is standard input. Each problem is a line FILE:LINE: field: message [code] on standard output;\n"
    "how many lines were checked is on standard error. Exit 0: no problem; 78: at least one.";

static const char events_complete_help[] =
    "FILE - is standard input. Valid events go to standard output, one per line; each other line is\n"
    "reported on standard error as FILE:LINE: message [code]. Exit 0: all are valid; 78: some are not.";

static const char verify_help[] =
    "Compares each topic, up to the end that it has now, with its table: a record is accounted for when its\n"
    "(event_id, revision) has a row, or a dead letter names its topic, partition and offset. Doubled: two rows for\n"
    "one offset, or for one key where the warehouse enforces it. What is below the log's start cannot be verified\n"
    "and is counted. --topics takes topics or tables; --list is how many of each kind are named (100); --timeout-s\n"
    "bounds each statement (300). Needs WAREHOUSE_* as the sink does, with a user that may read raw and ops.\n"
    "Exit 0: nothing missing, nothing doubled; 1: something is, and is listed; 75: the sink has not loaded everything\n"
    "yet (nothing else is wrong), or a dependency is away.";

static const char wait_help[] =
    "FILE names the last acknowledged offset per raw partition (docs/operating.md); - is standard input.\n"
    "Waits until the processor's group has passed them, notes the ends of the sink's topics, and waits until\n"
    "the warehouse has passed those. Who is away is waited for, too, N seconds at most (3600).\n"
    "Exit 0: it is all there, and one JSON object says so; 75: not in time, naming what is behind; 78: not a\n"
    "manifest, or one of another cluster.";

static const char dlq_list_help[] =
    "--topic is where the refused record was read, --stage ingest, process or sink. TIME is a date or a time\n"
    "(2024-01-02T14:30:00.000Z) of the letter itself; --until is not included. json is one object per line.\n"
    "At most N letters are shown (1000); how many there were is on standard error.";

static const char dlq_show_help[] =
    "The letter as dlq list names it. raw_text are the bytes where they are UTF-8, else raw_base64.";

static const char dlq_replay_help[] =
    "Each goes to its topic and partition with the header mf-replayed. Records and position are one transaction\n"
    "of at most N records (500), so the same command after an interruption goes on where it stood: nothing is lost,\n"
    "nothing is sent twice. It goes up to the end that the topic has now; later, the same filter takes the letters\n"
    "that have come since. Another filter is another run; --run names one, and a new name begins anew. --dry-run\n"
    "only counts. Letters of stage ingest are no records: their backfill is to be run again.\n"
    "Exit 0: done, and one JSON object counts what became of the letters; 75: interrupted, give the command again.";
// clang-format on

static const struct mf_command commands[] = {
    {
        .name = "topics apply",
        .kind = MF_COMMAND_PLAIN,
        .usage = "[--timeout-ms N]",
        .summary = "make the topics that are missing, compare the others",
        .help = topics_apply_help,
        .run = ctl_run_topics_apply,
    },
    {
        .name = "topics check",
        .kind = MF_COMMAND_PLAIN,
        .usage = "[--timeout-ms N]",
        .summary = "compare the topics with what they should be, change nothing",
        .help = "Exit codes as for topics apply; a missing topic is a difference.",
        .run = ctl_run_topics_check,
    },
    {
        .name = "calendar",
        .kind = MF_COMMAND_PLAIN,
        .usage = "FROM TO",
        .summary = "sessions of the US stock exchanges as CSV: session,open,close,early",
        .help = calendar_help,
        .no_settings = true,
        .run = ctl_run_calendar,
    },
    {
        .name = "events validate",
        .kind = MF_COMMAND_PLAIN,
        .usage = "FILE",
        .summary = "check a file of events, one JSON object per line, against the contracts",
        .help = events_validate_help,
        .no_settings = true,
        .run = ctl_run_validate,
    },
    {
        .name = "events complete",
        .kind = MF_COMMAND_PLAIN,
        .usage = "FILE",
        .summary = "give events written by hand their event_id and the canonical form",
        .help = events_complete_help,
        .no_settings = true,
        .run = ctl_run_complete,
    },
    {
        .name = "verify",
        .kind = MF_COMMAND_PLAIN,
        .usage = "[--topics A,B] [--format table|json] [--list N] [--timeout-s N]",
        .summary = "is every record of the sink's topics in the warehouse, once?",
        .help = verify_help,
        .run = ctl_run_verify,
    },
    {
        .name = "wait",
        .kind = MF_COMMAND_PLAIN,
        .usage = "--manifest FILE [--timeout-s N]",
        .summary = "wait until what a backfill published is in the warehouse",
        .help = wait_help,
        .run = ctl_run_wait,
    },
    {
        .name = "dlq list",
        .kind = MF_COMMAND_PLAIN,
        .usage = "[--reason CODE] [--topic TOPIC] [--stage STAGE] [--since TIME] [--until TIME] [--format "
                 "table|json] [--limit N]",
        .summary = "the dead letters on the topic, those that fit",
        .help = dlq_list_help,
        .run = ctl_run_dlq_list,
    },
    {
        .name = "dlq show",
        .kind = MF_COMMAND_PLAIN,
        .usage = "PARTITION:OFFSET",
        .summary = "one dead letter with the bytes of its record, as JSON",
        .help = dlq_show_help,
        .run = ctl_run_dlq_show,
    },
    {
        .name = "dlq replay",
        .kind = MF_COMMAND_PLAIN,
        .usage = "[--reason CODE] [--topic TOPIC] [--stage STAGE] [--since TIME] [--until TIME] [--dry-run] "
                 "[--run ID] [--batch N]",
        .summary = "send the records of dead letters back to where they came from",
        .help = dlq_replay_help,
        .run = ctl_run_dlq_replay,
    },
};

static const struct mf_setting_table *const tables[] = {&mf_settings_table_log, &mf_settings_table_kafka,
                                                        &mf_settings_table_warehouse, NULL};

static int print_reference(const char *what, struct mf_buf *out)
{
    if (strcmp(what, "events") != 0)
        return -1;
    mf_events_markdown(out);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct mf_service_ops ops = {
        .name = "ctl",
        .binary = "marketflowctl",
        .summary = "The operator's command: topics, what the warehouse holds, dead letters, event contracts, "
                   "calendar.",
        .tables = tables,
        .commands = commands,
        .command_count = MF_ARRAY_LEN(commands),
        .print_reference = print_reference,
    };
    return mf_service_main(argc, argv, &ops);
}
