// SPDX-License-Identifier: Apache-2.0
// marketflow-ingestor: fetches bars and news from a provider, normalises, validates and publishes them.
#include <malloc.h>
#include <stdio.h>

#include "services/ingestor/app.h"

// Instead of symbols.
#define UNIVERSE "--universe [--type CS,ETF] [--exchange XNAS,XNYS]"
// Of every run, at the end of a usage line.
#define RUN_OPTIONS "[--run-id ID|--again] [--manifest FILE] [--dry-run]"

// What --help prints, line for line.
// clang-format off
static const char backfill_bars_help[] =
    "Both days are included. Without --symbols and --symbols-file, the symbols are those of INGEST_SYMBOLS and\n"
    "INGEST_SYMBOLS_FILE. The same command after an interruption resumes the same run at the page it had reached;\n"
    "--again makes a new run. SPAN is second, 5second, minute (unless given), 5minute, 15minute, 30minute, hour, 4hour,\n"
    "day, week, month, quarter or year; windows longer than a day are fetched whole at both ends, and a run whose last\n"
    "one is not over is not complete. Progress goes to stderr on a terminal, one JSON object to stdout at the end.\n"
    "--universe takes all stocks that the provider lists as active when the run is first started, of these types and\n"
    "listed at these exchanges; the list stays the run's. --manifest writes what is on the topic and what is missing to a\n"
    "file, in one step.\n"
    "--dry-run says how many requests the rest of the run takes, and how long; nothing is asked for or written.\n"
    "Exit 0: complete. 75: not complete, start it again. 78: bad arguments.";
static const char backfill_symbols_help[] =
    "As backfill bars. Delisted instruments are asked for first, then those that trade. With --market, all of a\n"
    "market, without the names that its symbols have had before. The same command is another run every day (UTC).";
static const char backfill_actions_help[] =
    "As backfill bars. The days are those on which the action first shows in the price. With --market, all symbols.";
static const char backfill_options_help[] =
    "Bars of option contracts, as backfill bars. With --underlying, the provider is asked which contracts there were\n"
    "on the day --as-of (else the day --to) and which had expired by then; those that could trade between --from and\n"
    "--to are fetched. Expirations, strikes (both included) and --type choose among them. Or the contracts are given\n"
    "as the provider writes them (O:AAPL250117C00150000). A contract without trades is nothing out of the ordinary.";
static const char backfill_chain_help[] =
    "What the provider knows now of each contract (greeks, implied volatility, open interest, price of the underlying),\n"
    "as the snapshot of the contract's newest day bar, flagged forming while its session is open. Contracts that have\n"
    "never traded have no bar and are left out. Expirations and strikes are included. The same command is another run\n"
    "every day (UTC), and with --again.";
static const char contracts_help[] =
    "One JSON object per line on stdout: ticker, underlying, expiration, strike, type, shares_per_contract, exercise,\n"
    "and additional_underlyings where the provider has them. Nothing is published; Kafka is asked for the request\n"
    "budget. Expirations and strikes are included. --as-of: the contracts as they were listed on that day, else today;\n"
    "--expired: those too that had expired by then. Exit 0: all listed. 75: not all. 78: bad arguments.";
static const char backfill_grouped_help[] =
    "As backfill bars. One request for the day bars of all US stocks, for each day with a session that is over; with\n"
    "--symbols or --symbols-file, only those of the named ones are published; with --otc, also those of stocks traded\n"
    "over the counter.";
static const char backfill_previous_help[] =
    "As backfill bars. One request for each symbol: its newest day bar. The same command is another run every day (UTC).";
static const char backfill_open_close_help[] =
    "As backfill bars. One request for each symbol and day with a session that is over: its day bar, with the prices\n"
    "before and after the session and without vwap and trade count. Coins and currencies have none.";
// clang-format on

static const struct mf_command commands[] = {
    {.kind = MF_COMMAND_SERVICE, .usage = "", .summary = "poll the symbols of INGEST_SYMBOLS until stopped"},
    {.name = "backfill bars",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE|" UNIVERSE
              "] --from DATE --to DATE [--timespan SPAN] [--adjusted "
              "split|none] " RUN_OPTIONS,
     .summary = "fetch a range of bars, then exit",
     .help = backfill_bars_help},
    {.name = "backfill options",
     .kind = MF_COMMAND_JOB,
     .usage = "--underlying A,B|--symbols O:…,…|--symbols-file FILE --from DATE --to DATE [--timespan SPAN] "
              "[--expiration-from DATE] [--expiration-to DATE] [--strike-from N] [--strike-to N] "
              "[--type call|put] [--as-of DATE] " RUN_OPTIONS,
     .summary = "fetch a range of option bars, then exit",
     .help = backfill_options_help},
    {.name = "backfill chain",
     .kind = MF_COMMAND_JOB,
     .usage =
         "--underlying A,B [--expiration-from DATE] [--expiration-to DATE] [--strike-from N] [--strike-to N] "
         "[--type call|put] " RUN_OPTIONS,
     .summary = "fetch option chains as they are now, then exit",
     .help = backfill_chain_help},
    {.name = "backfill grouped",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE] --from DATE --to DATE [--adjusted split|none] "
              "[--otc] " RUN_OPTIONS,
     .summary = "fetch the day bars of the whole market, then exit",
     .help = backfill_grouped_help},
    {.name = "backfill previous",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE] [--adjusted split|none] " RUN_OPTIONS,
     .summary = "fetch the symbols' newest day bars, then exit",
     .help = backfill_previous_help},
    {.name = "backfill open-close",
     .kind = MF_COMMAND_JOB,
     .usage =
         "[--symbols A,B|--symbols-file FILE] --from DATE --to DATE [--adjusted split|none] " RUN_OPTIONS,
     .summary = "fetch day bars with the prices around the session, then exit",
     .help = backfill_open_close_help},
    {.name = "backfill news",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE|" UNIVERSE "] --from DATE --to DATE " RUN_OPTIONS,
     .summary = "fetch a range of news, then exit",
     .help = "As backfill bars."},
    {.name = "backfill symbols",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE|--market stocks|otc|indices|crypto|fx] " RUN_OPTIONS,
     .summary = "fetch what is known about symbols today, then exit",
     .help = backfill_symbols_help},
    {.name = "backfill splits",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE|--market stocks] --from DATE --to DATE " RUN_OPTIONS,
     .summary = "fetch a range of splits, then exit",
     .help = backfill_actions_help},
    {.name = "backfill dividends",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE|--market stocks] --from DATE --to DATE " RUN_OPTIONS,
     .summary = "fetch a range of dividends, then exit",
     .help = backfill_actions_help},
    {.name = "backfill",
     .kind = MF_COMMAND_JOB,
     .usage = "--abandon RUN",
     .summary = "close the lane of an interrupted run for good"},
    {.name = "contracts",
     .kind = MF_COMMAND_JOB,
     .usage =
         "--underlying A,B [--expiration-from DATE] [--expiration-to DATE] [--strike-from N] [--strike-to N] "
         "[--type call|put] [--as-of DATE] [--expired]",
     .summary = "list option contracts, then exit",
     .help = contracts_help},
    {.name = "warmup",
     .kind = MF_COMMAND_JOB,
     .usage = "[--symbols A,B|--symbols-file FILE]",
     .summary = "publish the symbols' warm-up to the live lane again, then exit"},
};

static int start(struct mf_service *service, const struct mf_command *command, int argc, char **argv,
                 void **state, struct mf_error *err)
{
    static const struct ing_mode *const modes[MF_ARRAY_LEN(commands)] = {
        &ing_mode_live,
        &ing_modes_backfill[ING_FEED_BARS],
        &ing_modes_backfill[ING_FEED_OPTIONS],
        &ing_modes_backfill[ING_FEED_CHAIN],
        &ing_modes_backfill[ING_FEED_GROUPED],
        &ing_modes_backfill[ING_FEED_PREVIOUS],
        &ing_modes_backfill[ING_FEED_OPEN_CLOSE],
        &ing_modes_backfill[ING_FEED_NEWS],
        &ing_modes_backfill[ING_FEED_SYMBOLS],
        &ing_modes_backfill[ING_FEED_SPLITS],
        &ing_modes_backfill[ING_FEED_DIVIDENDS],
        &ing_mode_abandon,
        &ing_mode_contracts,
        &ing_mode_warmup,
    };
    struct ing_app *app = NULL;
    if (ing_app_new(service, modes[command - commands], argc, argv, &app, err) < 0)
        return -1;
    *state = app;
    return 0;
}

static void drain(void *state)
{
    ing_app_drain(state);
}

static void stop(void **state)
{
    struct ing_app *app = *state;
    ing_app_free(&app);
    *state = NULL;
}

static int reload(void *state, const struct mf_settings *fresh, struct mf_error *err)
{
    return ing_app_reload(state, fresh, err);
}

static void check_ready(void *state, struct mf_health *health)
{
    ing_app_check_ready(state, health);
}

static bool is_alive(void *state)
{
    return ing_app_is_alive(state);
}

static void status(void *state, char *text, size_t size)
{
    ing_app_status(state, text, size);
}

static void libraries(char *text, size_t size)
{
    snprintf(text, size, "%s, %s", mf_kafka_version(), mf_http_client_version());
}

// glibc 2.36 moves its bounds up to the largest block that was freed: after the first large answer, answers
// would lie in the heap, in pieces, and twice as much would stay there. Bounds that are set stay: an answer
// is given back whole, and the buffers of a Kafka request, about 1 MB, are used again.
static void bound_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 2 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

int main(int argc, char **argv)
{
    bound_heap();
    static const struct mf_service_ops ops = {
        .name = "ingestor",
        .binary = "marketflow-ingestor",
        .summary = "Fetches market data from a provider and publishes it to Kafka, losing nothing.",
        .tables = ing_setting_tables,
        .own_prefixes = ing_setting_prefixes,
        .metric_defs = ing_metric_defs,
        .metric_def_count = ING_M_MAX,
        .client_metric_defs = mf_http_metrics,
        .client_metric_def_count = MF_M_HTTP_MAX,
        .commands = commands,
        .command_count = MF_ARRAY_LEN(commands),
        .start = start,
        .drain = drain,
        .check_settings = ing_check_settings,
        .stop = stop,
        .reload = reload,
        .check_ready = check_ready,
        .is_alive = is_alive,
        .status = status,
        .libraries = libraries,
    };
    return mf_service_main(argc, argv, &ops);
}
