// SPDX-License-Identifier: Apache-2.0
// Arguments of a backfill (see backfill_args.h).
#include "services/ingestor/backfill_args.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/service.h"
#include "services/ingestor/contract_args.h"

enum { OPTIONS_MAX = 16, PREVIOUS_DAYS = 14 };

struct texts {
    struct ing_contract_texts contracts;
    const char *symbols, *symbols_file, *from, *to, *timespan, *adjusted, *run_id, *market, *manifest, *types,
        *exchanges;
    bool again, dry_run, universe, otc;
};

static int bad(struct mf_error *err, const char *option, const char *text, const char *wanted)
{
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "%s: '%.100s' is not %s", option, text,
                        wanted);
}

// What is known of symbols is known now: a run is of its day, and the same command is another run tomorrow.
static int take_dates(const struct texts *texts, struct mf_date today, struct ing_backfill_args *args,
                      struct mf_error *err)
{
    if (ing_feed_is_of_now(args->feed)) {
        args->from = args->to = today;
        if (args->feed == ING_FEED_PREVIOUS) // it may be a while ago
            args->from = mf_date_add_days(today, -PREVIOUS_DAYS);
        return 0;
    }
    if (!mf_date_parse(mf_str_of(texts->from), &args->from))
        return bad(err, "--from", texts->from, "a date like 2024-01-31");
    if (!mf_date_parse(mf_str_of(texts->to), &args->to))
        return bad(err, "--to", texts->to, "a date like 2024-01-31");
    if (mf_date_cmp(args->from, args->to) > 0)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--from %s is after --to %s", texts->from,
                            texts->to);
    if (args->from.year < 1990)
        return bad(err, "--from", texts->from, "in 1990 or later");
    // A day of slack: no market's date is further than that from UTC's.
    if (mf_date_cmp(args->to, mf_date_add_days(today, 1)) > 0)
        return bad(err, "--to", texts->to, "a day that has begun");
    return 0;
}

static int take_bar_options(const struct texts *texts, struct ing_backfill_args *args, struct mf_error *err)
{
    args->timespan = ing_feed_is_single(args->feed) ? ING_TIMESPAN_DAY : ING_TIMESPAN_MINUTE;
    args->adjusted = args->feed == ING_FEED_OPTIONS ? MF_ADJUSTED_NONE : MF_ADJUSTED_SPLIT;
    if (texts->timespan != NULL && !ing_timespan_parse(mf_str_of(texts->timespan), &args->timespan)) {
        char names[160];
        return bad(err, "--timespan", texts->timespan, ing_timespan_names(names));
    }
    if (texts->adjusted == NULL || strcmp(texts->adjusted, "split") == 0)
        return 0;
    if (strcmp(texts->adjusted, "none") != 0)
        return bad(err, "--adjusted", texts->adjusted, "split or none");
    args->adjusted = MF_ADJUSTED_NONE;
    return 0;
}

int ing_symbols_from_settings(const struct mf_settings *settings, struct ing_symbols *symbols,
                              struct mf_error *err)
{
    const char *const *items = NULL;
    size_t count = mf_settings_is_set(settings, "INGEST_SYMBOLS")
                       ? mf_settings_list(settings, "INGEST_SYMBOLS", &items)
                       : 0;
    for (size_t i = 0; i < count; i++) {
        if (ing_symbols_add(symbols, mf_str_of(items[i]), err) < 0)
            return mf_error_prefix(err, "INGEST_SYMBOLS");
    }
    const char *path = mf_settings_string(settings, "INGEST_SYMBOLS_FILE");
    return path != NULL ? ing_symbols_add_file(symbols, path, err) : 0;
}

static int take_symbols(const char *list, const char *file, const struct mf_settings *settings,
                        struct ing_symbols *symbols, struct mf_error *err)
{
    if (list != NULL && ing_symbols_add_list(symbols, list, err) < 0)
        return mf_error_prefix(err, "--symbols");
    if (file != NULL && ing_symbols_add_file(symbols, file, err) < 0)
        return mf_error_prefix(err, "--symbols-file");
    if (list == NULL && file == NULL && ing_symbols_from_settings(settings, symbols, err) < 0)
        return -1;
    if (symbols->count == 0)
        return mf_error_set(
            err, MF_ERROR_CONFIG, "bad_arguments",
            "no symbols: give --symbols, --symbols-file, INGEST_SYMBOLS or INGEST_SYMBOLS_FILE");
    ing_symbols_sort(symbols);
    return 0;
}

static int take_market(const struct texts *texts, struct ing_backfill_args *args, struct mf_error *err)
{
    char name[32];
    if (texts->symbols != NULL || texts->symbols_file != NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--market excludes --symbols and --symbols-file");
    if (args->feed != ING_FEED_SYMBOLS && strcmp(texts->market, "stocks") != 0)
        return bad(err, "--market", texts->market, "stocks, the only market with splits and dividends");
    if (!ing_market_parse(mf_str_of(texts->market), &args->market))
        return bad(err, "--market", texts->market, "stocks, otc, indices, crypto or fx");
    snprintf(name, sizeof name, "market:%s", ing_markets[args->market].name);
    return ing_symbols_add(&args->symbols, mf_str_of(name), err);
}

// What is not said follows from the range: the contracts that could trade in it, as its last day knew them.
static int complete_filter(const struct texts *texts, struct mf_date today, struct ing_backfill_args *args,
                           struct mf_error *err)
{
    struct ing_contract_filter *filter = &args->filter;
    if (mf_date_cmp(filter->expiration_from, args->from) < 0)
        filter->expiration_from = args->from;
    if (filter->as_of.year == 0)
        filter->as_of = mf_date_cmp(args->to, today) < 0 ? args->to : today;
    if (filter->expiration_to.year == 0 || mf_date_cmp(filter->expiration_to, filter->expiration_from) >= 0)
        return 0;
    return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                        "--expiration-to %s is before --from %s: no such contract can have traded",
                        texts->contracts.expiration_to, texts->from);
}

// Those of underlyings, or single ones.
static int take_contracts(const struct texts *texts, struct mf_date today, struct ing_backfill_args *args,
                          struct mf_error *err)
{
    const struct ing_contract_texts *given = &texts->contracts;
    bool single = texts->symbols != NULL || texts->symbols_file != NULL;
    if (single == (given->underlying != NULL))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "give either --underlying, or option contracts (O:…) by --symbols or "
                            "--symbols-file");
    if (single && ing_contract_texts_filter(given))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "expirations, strikes and type choose among the contracts of --underlying");
    if (ing_contract_filter_parse(given, today, &args->filter, err) < 0 ||
        complete_filter(texts, today, args, err) < 0)
        return -1;
    if (!single)
        return ing_underlyings_add(&args->symbols, given->underlying, err);
    args->symbols.contracts = true;
    return take_symbols(texts->symbols, texts->symbols_file, NULL, &args->symbols, err);
}

static bool is_list_of_codes(const char *text)
{
    static const char codes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,";
    return text[0] != '\0' && strlen(text) <= 200 && strspn(text, codes) == strlen(text);
}

// Which they are, is found out by the run.
static int take_universe(const struct texts *texts, struct ing_backfill_args *args, struct mf_error *err)
{
    if (!texts->universe && (texts->types != NULL || texts->exchanges != NULL))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--type and --exchange need --universe");
    if (texts->universe && (texts->symbols != NULL || texts->symbols_file != NULL))
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments",
                            "--universe excludes --symbols and --symbols-file");
    if (texts->types != NULL && !is_list_of_codes(texts->types))
        return bad(err, "--type", texts->types, "a list like CS,ETF");
    if (texts->exchanges != NULL && !is_list_of_codes(texts->exchanges))
        return bad(err, "--exchange", texts->exchanges, "a list like XNAS,XNYS");
    args->universe = texts->universe;
    args->types = texts->types;
    args->exchanges = texts->exchanges;
    return 0;
}

static int take_chains(const struct texts *texts, struct mf_date today, struct ing_backfill_args *args,
                       struct mf_error *err)
{
    if (texts->contracts.underlying == NULL)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "no underlyings: give --underlying");
    if (ing_contract_filter_parse(&texts->contracts, today, &args->filter, err) < 0)
        return -1;
    return ing_underlyings_add(&args->symbols, texts->contracts.underlying, err);
}

// One series for the whole market; symbols that are given are those whose rows are kept.
static int take_grouped(const struct texts *texts, struct ing_backfill_args *args, struct mf_error *err)
{
    args->otc = texts->otc;
    args->market = ING_MARKET_STOCKS;
    if (texts->symbols != NULL && ing_symbols_add_list(&args->only, texts->symbols, err) < 0)
        return mf_error_prefix(err, "--symbols");
    if (texts->symbols_file != NULL && ing_symbols_add_file(&args->only, texts->symbols_file, err) < 0)
        return mf_error_prefix(err, "--symbols-file");
    ing_symbols_sort(&args->only);
    return ing_symbols_add(&args->symbols, MF_STR("market:stocks"), err);
}

// The symbols' series, or the one of a market.
static int take_series(const struct texts *texts, const struct mf_settings *settings, struct mf_date today,
                       struct ing_backfill_args *args, struct mf_error *err)
{
    if (args->feed == ING_FEED_OPTIONS)
        return take_contracts(texts, today, args, err);
    if (args->feed == ING_FEED_CHAIN)
        return take_chains(texts, today, args, err);
    if (args->feed == ING_FEED_GROUPED)
        return take_grouped(texts, args, err);
    if (texts->market != NULL)
        return take_market(texts, args, err);
    if (take_universe(texts, args, err) < 0)
        return -1;
    return texts->universe ? 0
                           : take_symbols(texts->symbols, texts->symbols_file, settings, &args->symbols, err);
}

int ing_warmup_args_parse(int argc, char **argv, const struct mf_settings *settings,
                          struct ing_symbols *symbols, struct mf_error *err)
{
    const char *list = NULL;
    const char *file = NULL;
    const struct mf_option options[] = {{.name = "--symbols", .value = &list},
                                        {.name = "--symbols-file", .value = &file}};
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, err) == 0 &&
        take_symbols(list, file, settings, symbols, err) == 0)
        return 0;
    ing_symbols_free(symbols);
    return -1;
}

// What makes two commands the same run: everything that decides which events there will be.
static void hash_arguments(struct ing_backfill_args *args)
{
    char from[MF_DATE_TEXT_SIZE];
    char to[MF_DATE_TEXT_SIZE];
    struct mf_buf text;
    mf_buf_init(&text, (size_t)ING_SYMBOLS_MAX * (MF_SYMBOL_MAX + 1) + 1024);
    bool bars = ing_feed_is_of_bars(args->feed) || ing_feed_is_single(args->feed);
    mf_buf_addf(&text, "1|%s|%s|%s|%s|%s|%s", ing_polygon.name, ing_feed_name(args->feed),
                bars ? ing_timespans[args->timespan].name : "-",
                bars ? mf_adjusted_name(args->adjusted) : "-", mf_date_format(args->from, from),
                mf_date_format(args->to, to));
    if (args->feed == ING_FEED_OPTIONS || args->feed == ING_FEED_CHAIN)
        ing_contract_filter_write(&args->filter, &text);
    if (args->universe)
        mf_buf_addf(&text, "|universe:stocks|%s|%s", args->types != NULL ? args->types : "-",
                    args->exchanges != NULL ? args->exchanges : "-");
    for (size_t i = 0; i < args->symbols.count; i++)
        mf_buf_addf(&text, "|%s", args->symbols.items[i]);
    for (size_t i = 0; i < args->only.count; i++)
        mf_buf_addf(&text, "|%s", args->only.items[i]);
    if (args->otc)
        mf_buf_add_c(&text, "|with otc");
    mf_hash128_hex(mf_hash128(text.data, text.len), args->arguments);
    mf_buf_free(&text);
}

static int take_run_id(const struct texts *texts, uint64_t again_seed, struct ing_backfill_args *args,
                       struct mf_error *err)
{
    if (texts->run_id != NULL && texts->again)
        return mf_error_set(err, MF_ERROR_CONFIG, "bad_arguments", "--run-id and --again exclude each other");
    args->again = texts->again;
    if (texts->run_id != NULL) {
        char lane[MF_RUN_ID_MAX + 16];
        int len = snprintf(lane, sizeof lane, "backfill:%s", texts->run_id);
        if (len < 0 || (size_t)len >= sizeof lane || !mf_lane_is_valid((struct mf_str){lane, (size_t)len}))
            return bad(err, "--run-id", texts->run_id, "1 to 64 of A-Z a-z 0-9 . _ -");
        mf_str_copy(args->run_id, sizeof args->run_id, mf_str_of(texts->run_id));
        return 0;
    }
    char hex[33];
    struct {
        char arguments[32];
        uint64_t seed;
    } again = {.seed = again_seed};
    memcpy(again.arguments, args->arguments, sizeof again.arguments);
    mf_str_copy(hex, sizeof hex, mf_str_of(args->arguments));
    if (texts->again)
        mf_hash128_hex(mf_hash128(&again, sizeof again), hex);
    mf_str_copy(args->run_id, sizeof args->run_id, (struct mf_str){hex, 16});
    return 0;
}

static size_t add_options(struct mf_option options[OPTIONS_MAX], size_t count, const struct mf_option *added,
                          size_t added_count)
{
    assert(count + added_count <= OPTIONS_MAX);
    memcpy(options + count, added, added_count * sizeof *added);
    return count + added_count;
}

// Found out now, not at the end of a run of hours.
static int take_manifest(const struct texts *texts, struct ing_backfill_args *args, struct mf_error *err)
{
    struct stat status;
    struct mf_buf directory;
    args->manifest = texts->manifest;
    args->dry_run = texts->dry_run;
    if (texts->manifest == NULL)
        return 0;
    const char *slash = strrchr(texts->manifest, '/');
    mf_buf_init(&directory, 4096);
    mf_buf_addf(&directory, "%.*s", slash == NULL ? 1 : (int)(slash - texts->manifest) + 1,
                slash == NULL ? "." : texts->manifest);
    bool writable = !directory.overflow && access(mf_buf_c_str(&directory), W_OK | X_OK) == 0;
    mf_buf_free(&directory);
    bool other = stat(texts->manifest, &status) == 0 && !S_ISREG(status.st_mode);
    if (texts->manifest[0] == '\0' || other || !writable)
        return bad(err, "--manifest", texts->manifest, "a file in a directory that can be written");
    return 0;
}

// The options that the feed's command has.
static size_t options_of(enum ing_feed feed, struct texts *texts, struct mf_option options[OPTIONS_MAX])
{
    const struct mf_option common[] = {{.name = "--run-id", .value = &texts->run_id},
                                       {.name = "--again", .flag = &texts->again},
                                       {.name = "--manifest", .value = &texts->manifest},
                                       {.name = "--dry-run", .flag = &texts->dry_run}};
    const struct mf_option symbols[] = {{.name = "--symbols", .value = &texts->symbols},
                                        {.name = "--symbols-file", .value = &texts->symbols_file}};
    const struct mf_option dates[] = {{.name = "--from", .value = &texts->from, .required = true},
                                      {.name = "--to", .value = &texts->to, .required = true}};
    const struct mf_option of_bars[] = {{.name = "--timespan", .value = &texts->timespan}};
    const struct mf_option of_prices[] = {{.name = "--adjusted", .value = &texts->adjusted}};
    const struct mf_option of_grouped[] = {{.name = "--otc", .flag = &texts->otc}};
    const struct mf_option of_reference[] = {{.name = "--market", .value = &texts->market}};
    const struct mf_option of_universe[] = {{.name = "--universe", .flag = &texts->universe},
                                            {.name = "--type", .value = &texts->types},
                                            {.name = "--exchange", .value = &texts->exchanges}};
    struct mf_option of_contracts[ING_CONTRACT_OPTIONS];
    ing_contract_options(&texts->contracts, of_contracts);
    bool chain = feed == ING_FEED_CHAIN;
    size_t count = add_options(options, 0, common, MF_ARRAY_LEN(common));
    if (!chain)
        count = add_options(options, count, symbols, MF_ARRAY_LEN(symbols));
    if (!ing_feed_is_of_now(feed))
        count = add_options(options, count, dates, MF_ARRAY_LEN(dates));
    if (ing_feed_is_of_bars(feed))
        count = add_options(options, count, of_bars, MF_ARRAY_LEN(of_bars));
    if (feed == ING_FEED_BARS || ing_feed_is_single(feed)) // only the prices of stocks are ever adjusted
        count = add_options(options, count, of_prices, MF_ARRAY_LEN(of_prices));
    if (feed == ING_FEED_GROUPED)
        count = add_options(options, count, of_grouped, MF_ARRAY_LEN(of_grouped));
    if (feed == ING_FEED_OPTIONS || chain) // a chain is as of now
        count = add_options(options, count, of_contracts, ING_CONTRACT_OPTIONS - chain);
    if (feed == ING_FEED_BARS || feed == ING_FEED_NEWS)
        count = add_options(options, count, of_universe, MF_ARRAY_LEN(of_universe));
    if (ing_feed_is_reference(feed) && !chain)
        count = add_options(options, count, of_reference, MF_ARRAY_LEN(of_reference));
    return count;
}

int ing_backfill_args_parse(enum ing_feed feed, int argc, char **argv, const struct mf_settings *settings,
                            struct mf_date today_utc, uint64_t again_seed, struct ing_backfill_args *args,
                            struct mf_error *err)
{
    struct texts texts = {0};
    struct mf_option options[OPTIONS_MAX];
    size_t count = options_of(feed, &texts, options);
    *args = (struct ing_backfill_args){.feed = feed};
    if (mf_options_parse(options, count, argc, argv, err) < 0 || take_manifest(&texts, args, err) < 0 ||
        take_dates(&texts, today_utc, args, err) < 0 || take_bar_options(&texts, args, err) < 0 ||
        take_series(&texts, settings, today_utc, args, err) < 0) {
        ing_backfill_args_free(args);
        return -1;
    }
    hash_arguments(args);
    if (take_run_id(&texts, again_seed, args, err) < 0) {
        ing_backfill_args_free(args);
        return -1;
    }
    return 0;
}

void ing_backfill_args_free(struct ing_backfill_args *args)
{
    ing_symbols_free(&args->symbols);
    ing_symbols_free(&args->only);
}

int ing_abandon_args_parse(int argc, char **argv, const char **run_id, struct mf_error *err)
{
    const char *text = NULL;
    const struct mf_option options[] = {{.name = "--abandon", .value = &text, .required = true}};
    if (argc == 0) // of all that follows the word backfill, only this is left
        return mf_error_set(
            err, MF_ERROR_CONFIG, "bad_arguments",
            "backfill what? bars, grouped, previous, open-close, options, chain, news, symbols, splits, "
            "dividends or --abandon RUN");
    if (!mf_str_starts_with(mf_str_of(argv[0]), "--abandon"))
        return mf_error_set(
            err, MF_ERROR_CONFIG, "bad_arguments",
            "backfill what? bars, grouped, previous, open-close, options, chain, news, symbols, splits, "
            "dividends or --abandon RUN, not '%.100s'",
            argv[0]);
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, err) < 0)
        return -1;
    assert(text != NULL); // required
    char lane[MF_RUN_ID_MAX + 16];
    int len = text != NULL ? snprintf(lane, sizeof lane, "backfill:%s", text) : -1;
    if (len < 0 || (size_t)len >= sizeof lane || !mf_lane_is_valid((struct mf_str){lane, (size_t)len}))
        return bad(err, "--abandon", text != NULL ? text : "", "a run's id");
    *run_id = text;
    return 0;
}
