// SPDX-License-Identifier: Apache-2.0
// Arguments of `backfill`, `warmup` and what follows from them: the symbols, the range, the run's id. Reads
// the symbol file and nothing else. Failure class: CONFIG, naming the option.
#ifndef ING_BACKFILL_ARGS_H
#define ING_BACKFILL_ARGS_H

#include "common/event.h"
#include "common/settings.h"
#include "services/ingestor/provider.h"
#include "services/ingestor/symbols.h"

struct ing_backfill_args {
    enum ing_feed feed;
    enum ing_timespan timespan; // bars only
    enum mf_adjusted adjusted;  // bars and days
    bool otc;                   // grouped: with what is traded over the counter
    struct ing_symbols only;    // grouped: the symbols wanted, sorted; none = all
    struct mf_date from, to;    // both included, days of each symbol's market; symbols: the day of the run
    enum ing_market market;     // reference feeds: all of a market, which is then the only one of the symbols
    struct ing_symbols symbols; // sorted; options: the underlyings, or option contracts
    struct ing_contract_filter filter; // options of underlyings; with as_of, and no day before `from`
    char run_id[MF_RUN_ID_MAX + 1];
    char arguments[33]; // hash of feed, timespan, adjusted, dates and symbols (or market)
    bool again;
    bool universe;                 // the symbols are those that the provider lists on the first start
    const char *types, *exchanges; // of them, comma-separated, borrowed from argv; NULL = all
    bool dry_run;                  // nothing is asked for and nothing is written
    const char *manifest;          // file to write, borrowed from argv; NULL = none
};

// Options after the command's words. Without --symbols, --symbols-file and --market the settings' symbols are
// taken.
// again_seed makes the run id of --again. today_utc bounds the dates.
int ing_backfill_args_parse(enum ing_feed feed, int argc, char **argv, const struct mf_settings *settings,
                            struct mf_date today_utc, uint64_t again_seed, struct ing_backfill_args *args,
                            struct mf_error *err);
void ing_backfill_args_free(struct ing_backfill_args *args);

// `backfill --abandon RUN`: the run's id (borrowed from argv).
int ing_abandon_args_parse(int argc, char **argv, const char **run_id, struct mf_error *err);

// `warmup`: --symbols and --symbols-file, else the settings' symbols.
int ing_warmup_args_parse(int argc, char **argv, const struct mf_settings *settings,
                          struct ing_symbols *symbols, struct mf_error *err);

// INGEST_SYMBOLS and INGEST_SYMBOLS_FILE of the settings together; may be none.
int ing_symbols_from_settings(const struct mf_settings *settings, struct ing_symbols *symbols,
                              struct mf_error *err);

#endif
