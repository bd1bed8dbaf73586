// SPDX-License-Identifier: Apache-2.0
// Symbol lists and files, shards, the arguments of a backfill and the run they make.
#include "services/ingestor/backfill_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "services/ingestor/settings.h"
#include "services/ingestor/universe.h"
#include "services/ingestor/watermark.h"
#include "tests/unit/ing_support.h"

#include <cmocka.h>

// ---------------------------------------------------------------- symbols

static void test_list(void **state)
{
    (void)state;
    struct ing_symbols symbols = {0};
    struct mf_error err;
    assert_int_equal(ing_symbols_add_list(&symbols, "MSFT, AAPL ,X:BTCUSD,AAPL,BRK.B", &err), 0);
    assert_int_equal(symbols.count, 4);
    assert_string_equal(symbols.items[0], "MSFT");
    assert_true(ing_symbols_has(&symbols, "BRK.B"));
    ing_symbols_sort(&symbols);
    assert_string_equal(symbols.items[0], "AAPL");
    static const char *const bad[] = {"", "A,,B", "A,", "A B", "A|B", "O:AAPL250117C00150000"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        if (ing_symbols_add_list(&symbols, bad[i], &err) == 0)
            fail_msg("accepted: '%s'", bad[i]);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        assert_string_equal(err.code, "bad_symbol");
    }
    ing_symbols_free(&symbols);
}

static void test_list_limit(void **state)
{
    (void)state;
    struct ing_symbols symbols = {0};
    struct mf_error err;
    for (int i = 0; i < ING_SYMBOLS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "S%d", i);
        assert_int_equal(ing_symbols_add(&symbols, mf_str_of(name), &err), 0);
    }
    assert_int_equal(ing_symbols_add(&symbols, MF_STR("S0"), &err), 0); // is there
    assert_int_equal(ing_symbols_add(&symbols, MF_STR("ONE"), &err), -1);
    assert_string_equal(err.code, "too_many_symbols");
    ing_symbols_free(&symbols);
}

static int add_csv(struct ing_symbols *symbols, const char *text, struct mf_error *err)
{
    return ing_symbols_add_csv(symbols, mf_str_of(text), "list.csv", err);
}

static void test_csv(void **state)
{
    (void)state;
    static const char *const good[] = {
        "symbol\nAAPL\nMSFT\n",
        "\xef\xbb\xbfname,symbol,note\r\nApple,AAPL,x\r\n\r\nMicrosoft,MSFT,\r\n",
        "\"symbol\",\"name\"\n\"AAPL\",\"Apple, \"\"Inc\"\"\"\nMSFT,\"M\"",
        " symbol \n AAPL \nMSFT",
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(good); i++) {
        struct ing_symbols symbols = {0};
        struct mf_error err;
        if (add_csv(&symbols, good[i], &err) < 0)
            fail_msg("%s: %s", good[i], err.message);
        assert_int_equal(symbols.count, 2);
        assert_string_equal(symbols.items[0], "AAPL");
        assert_string_equal(symbols.items[1], "MSFT");
        ing_symbols_free(&symbols);
    }
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "is empty"},
        {"\n\n", "is empty"},
        {"ticker\nAAPL\n", "no column"},
        {"name,symbol\nApple\n", "line 2"},
        {"symbol\nAAPL\nA B\n", "line 3"},
        {"symbol\n\"AAPL\n", "line 2"},
        {"symbol\n\"AAPL\"x\n", "line 2"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        struct ing_symbols symbols = {0};
        struct mf_error err;
        if (add_csv(&symbols, bad[i].text, &err) == 0 || strstr(err.message, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].text, err.message);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        ing_symbols_free(&symbols);
    }
    // A text of C would end there: what follows is not to be lost in silence.
    struct ing_symbols symbols = {0};
    struct mf_error err;
    assert_int_equal(ing_symbols_add_csv(&symbols, MF_STR("symbol\nAAPL\nIBM\0X\n"), "list.csv", &err), -1);
    assert_string_equal(err.message, "list.csv line 3 holds a NUL byte");
    ing_symbols_free(&symbols);
}

static void test_file(void **state)
{
    (void)state;
    struct ing_symbols symbols = {0};
    struct mf_error err;
    assert_int_equal(ing_symbols_add_file(&symbols, "/nonexistent/symbols.csv", &err), -1);
    assert_non_null(strstr(err.message, "/nonexistent/symbols.csv"));
    char path[] = "/tmp/ing_symbols_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "symbol\nAAPL\n", 12), 12);
    assert_int_equal(ing_symbols_add_file(&symbols, path, &err), 0);
    assert_int_equal(symbols.count, 1);
    assert_int_equal(ftruncate(fd, (off_t)ING_SYMBOLS_FILE_MAX + 1), 0);
    assert_int_equal(ing_symbols_add_file(&symbols, path, &err), -1);
    assert_non_null(strstr(err.message, "too large"));
    close(fd);
    unlink(path);
    ing_symbols_free(&symbols);
}

static void test_shards(void **state)
{
    (void)state;
    struct ing_shard shard;
    assert_true(ing_shard_parse(MF_STR("0/1"), &shard));
    assert_true(ing_shard_parse(MF_STR("2/3"), &shard));
    assert_true(ing_shard_owns(&shard, 2));
    assert_true(ing_shard_owns(&shard, 5));
    assert_false(ing_shard_owns(&shard, 3));
    static const char *const bad[] = {"", "1", "/", "1/1", "-1/2", "a/2", "0/0", "1/2/3", "0/5000"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++)
        assert_false(ing_shard_parse(mf_str_of(bad[i]), &shard));
    // Every symbol belongs to exactly one shard, by the partition that Kafka's default partitioner gives its
    // key.
    assert_int_equal(ing_symbol_partition("AAPL", 8), mf_murmur2("AAPL", 4) % 8);
    unsigned owners = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct ing_shard one = {.index = i, .count = 3};
        owners += ing_shard_owns(&one, ing_symbol_partition("X:BTCUSD", 8));
    }
    assert_int_equal(owners, 1);
}

// ---------------------------------------------------------------- settings

static struct mf_settings *settings_with_key(const char *key, const char *const *extra)
{
    const char *env[16] = {key, NULL};
    size_t count = key != NULL ? 1 : 0;
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++)
        env[count++] = extra[i];
    env[count] = NULL;
    struct mf_setting_table tables[8];
    size_t table_count = 0;
    for (; ing_setting_tables[table_count] != NULL; table_count++)
        tables[table_count] = *ing_setting_tables[table_count];
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 65536);
    if (mf_settings_parse(tables, table_count, (char *const *)(uintptr_t)env, ing_setting_prefixes, &settings,
                          &problems, &err) < 0)
        settings = NULL;
    mf_buf_free(&problems);
    return settings;
}

static struct mf_settings *settings_of(const char *const *extra)
{
    return settings_with_key("POLYGON_API_KEY=secret", extra);
}

static void test_key(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "POLYGON_API_KEY=", "POLYGON_API_KEY=two words",
                                      "POLYGON_API_KEY=k\ny"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++)
        assert_null(settings_with_key(bad[i], NULL));
}

static void test_settings(void **state)
{
    (void)state;
    struct mf_settings *settings = settings_of(NULL);
    struct ing_config config;
    assert_non_null(settings);
    ing_config_fill(settings, &config);
    assert_string_equal(config.base_url, "https://api.massive.com");
    assert_string_equal(config.allowed_hosts[1], "api.polygon.io");
    assert_null(config.allowed_hosts[2]);
    assert_int_equal(config.requests_per_minute, 5);
    assert_int_equal(config.partitions, 8);
    assert_string_equal(config.topic_watermarks, "market.ingestor.watermarks");
    ing_config_free(&config);
    mf_settings_free(&settings);
    static const char *const bad[] = {"POLYGON_BASE_URL=http://api.massive.com", "INGEST_SHARD=1/1",
                                      "INGEST_POLL_MS=0", "POLYGON_ALLOWED_HOSTS=https://x",
                                      "INGEST_SYMBOL=AAPL"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        const char *const extra[] = {bad[i], NULL};
        settings = settings_of(extra);
        if (settings != NULL)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void expect_problems(const char *const *extra, const char *wanted)
{
    struct mf_buf problems;
    struct mf_settings *settings = settings_of(extra);
    mf_buf_init(&problems, 65536);
    assert_non_null(settings);
    ing_check_settings(settings, &problems);
    assert_string_equal(mf_buf_c_str(&problems), wanted);
    mf_buf_free(&problems);
    mf_settings_free(&settings);
}

// What the start would refuse, all at once.
static void test_settings_together(void **state)
{
    (void)state;
    static const char *const good[] = {"INGEST_SHARD=7/8", "INGEST_SYMBOLS=IBM,X:BTCUSD", NULL};
    expect_problems(good, "");
    static const char *const wrong[] = {"INGEST_SHARD=9/16",
                                        "INGEST_RETRY_BASE_MS=5000",
                                        "INGEST_RETRY_MAX_MS=1000",
                                        "INGEST_SYMBOLS=IBM,A B,KO,O:IBM240119C1",
                                        "INGEST_SYMBOLS_FILE=/nonexistent/symbols.csv",
                                        NULL};
    expect_problems(wrong, "INGEST_RETRY_BASE_MS: must not be more than INGEST_RETRY_MAX_MS\n"
                           "INGEST_SHARD: has more shards than KAFKA_PARTITIONS, 8\n"
                           "INGEST_SYMBOLS: 'A B' is not a symbol\n"
                           "INGEST_SYMBOLS: 'O:IBM240119C1' is an option contract, which is not served here\n"
                           "INGEST_SYMBOLS_FILE: /nonexistent/symbols.csv: No such file or directory\n");
}

static void test_too_many_symbols(void **state)
{
    (void)state;
    struct mf_buf list;
    mf_buf_init(&list, 200000);
    mf_buf_add_c(&list, "INGEST_SYMBOLS=");
    for (int i = 0; i <= ING_SYMBOLS_MAX; i++)
        mf_buf_addf(&list, "%s%c%c%c", i > 0 ? "," : "", 'A' + i / 676, 'A' + i / 26 % 26, 'A' + i % 26);
    const char *const extra[] = {mf_buf_c_str(&list), NULL};
    expect_problems(extra, "INGEST_SYMBOLS: more than 10000 symbols\n");
    mf_buf_free(&list);
}

// ---------------------------------------------------------------- backfill arguments

static const struct mf_date today = {2024, 6, 1};

static int parse(enum ing_feed feed, const char *line, uint64_t seed, struct ing_backfill_args *args,
                 struct mf_error *err)
{
    static char text[1024]; // as argv, it outlives the arguments
    char *argv[32];
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *at = text; *at != '\0' && argc < 32;) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    const char *const extra[] = {"INGEST_SYMBOLS=IBM,KO", NULL};
    struct mf_settings *settings = settings_of(extra);
    int result = ing_backfill_args_parse(feed, argc, argv, settings, today, seed, args, err);
    mf_settings_free(&settings);
    return result;
}

static void test_abandon(void **state)
{
    (void)state;
    static const struct {
        const char *argv[2];
        int argc;
        const char *says; // NULL = right
    } cases[] = {
        {{"--abandon", "some-run"}, 2, NULL},
        {{NULL},
         0,
         "backfill what? bars, grouped, previous, open-close, options, chain, news, symbols, splits, "
         "dividends or "
         "--abandon RUN"},
        {{"foo"},
         1,
         "backfill what? bars, grouped, previous, open-close, options, chain, news, symbols, splits, "
         "dividends or "
         "--abandon RUN, not 'foo'"},
        {{"--from", "2024-01-02"},
         2,
         "backfill what? bars, grouped, previous, open-close, options, chain, news, symbols, splits, "
         "dividends or "
         "--abandon RUN, not '--from'"},
        {{"--abandon", "no/run"}, 2, "--abandon: 'no/run' is not a run's id"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        const char *run_id = NULL;
        struct mf_error err = {0};
        char *argv[] = {(char *)(uintptr_t)cases[i].argv[0], (char *)(uintptr_t)cases[i].argv[1], NULL};
        assert_int_equal(ing_abandon_args_parse(cases[i].argc, argv, &run_id, &err),
                         cases[i].says == NULL ? 0 : -1);
        assert_string_equal(cases[i].says == NULL ? run_id : err.message,
                            cases[i].says == NULL ? "some-run" : cases[i].says);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    assert_int_equal(
        parse(ING_FEED_BARS,
              "--symbols MSFT,AAPL --from 2024-01-02 --to 2024-01-31 --timespan day --adjusted none", 0,
              &args, &err),
        0);
    assert_int_equal(args.timespan, ING_TIMESPAN_DAY);
    assert_int_equal(args.adjusted, MF_ADJUSTED_NONE);
    assert_int_equal(args.from.day, 2);
    assert_int_equal(args.to.day, 31);
    assert_string_equal(args.symbols.items[0], "AAPL");
    assert_int_equal(strlen(args.run_id), 16);
    ing_backfill_args_free(&args);
    assert_int_equal(parse(ING_FEED_NEWS, "--from=2024-01-02 --to=2024-01-02", 0, &args, &err), 0);
    assert_int_equal(args.symbols.count, 2); // of the settings
    ing_backfill_args_free(&args);
    assert_int_equal(parse(ING_FEED_BARS, "--from 2024-01-02 --to 2024-01-02", 0, &args, &err), 0);
    assert_int_equal(args.timespan, ING_TIMESPAN_MINUTE);
    assert_int_equal(args.adjusted, MF_ADJUSTED_SPLIT);
    ing_backfill_args_free(&args);
}

static void test_symbols_arguments(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    assert_int_equal(parse(ING_FEED_SYMBOLS, "--symbols MSFT,AAPL", 0, &args, &err), 0);
    assert_int_equal(args.symbols.count, 2);
    assert_int_equal(args.market, ING_MARKET_NONE);
    assert_int_equal(mf_date_cmp(args.from, today), 0); // a run is of its day
    ing_backfill_args_free(&args);
    assert_int_equal(parse(ING_FEED_SYMBOLS, "--market crypto", 0, &args, &err), 0);
    assert_int_equal(args.market, ING_MARKET_CRYPTO);
    assert_int_equal(args.symbols.count, 1);
    assert_string_equal(args.symbols.items[0], "market:crypto");
    ing_backfill_args_free(&args);
    static const char *const bad[] = {"--market options", "--market stocks --symbols A", "--from 2024-01-02",
                                      "--timespan day"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        if (parse(ING_FEED_SYMBOLS, bad[i], 0, &args, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
    }
    static const char days[] = "--market stocks --from 2024-01-02 --to 2024-01-31";
    assert_int_equal(parse(ING_FEED_SPLITS, days, 0, &args, &err), 0);
    assert_int_equal(args.market, ING_MARKET_STOCKS);
    assert_int_equal(args.from.day, 2);
    ing_backfill_args_free(&args);
    assert_int_equal(parse(ING_FEED_DIVIDENDS, "--market stocks", 0, &args, &err), -1); // no days
    assert_int_equal(parse(ING_FEED_SPLITS, "--market fx --from 2024-01-02 --to 2024-01-31", 0, &args, &err),
                     -1);
    assert_non_null(strstr(err.message, "--market"));
    assert_int_equal(
        parse(ING_FEED_BARS, "--market stocks --from 2024-01-02 --to 2024-01-02", 0, &args, &err), -1);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"", "--from"},
        {"--from 2024-01-02", "--to"},
        {"--from 2024-01-02 --to 2024-13-01", "--to"},
        {"--from 2024-02-30 --to 2024-03-01", "--from"},
        {"--from 2024-01-03 --to 2024-01-02", "after"},
        {"--from 1989-12-31 --to 2024-01-02", "1990"},
        {"--from 2024-01-02 --to 2024-06-03", "--to"},
        {"--from 2024-01-02 --to 2024-01-03 --timespan 2hour",
         "--timespan: '2hour' is not second, 5second, minute,"},
        {"--from 2024-01-02 --to 2024-01-03 --adjusted dividends", "--adjusted"},
        {"--from 2024-01-02 --to 2024-01-03 --symbols A,,B", "--symbols"},
        {"--from 2024-01-02 --to 2024-01-03 --symbols-file /nonexistent", "--symbols-file"},
        {"--from 2024-01-02 --to 2024-01-03 --run-id a/b", "--run-id"},
        {"--from 2024-01-02 --to 2024-01-03 --run-id a --again", "--again"},
        {"--from 2024-01-02 --to 2024-01-03 --speed fast", "--speed"},
        {"--from 2024-01-02 --to 2024-01-03 extra", "extra"},
        {"--from 2024-01-02 --to", "--to"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ing_backfill_args args;
        struct mf_error err;
        if (parse(ING_FEED_BARS, cases[i].line, 0, &args, &err) == 0)
            fail_msg("accepted: %s", cases[i].line);
        assert_int_equal(err.class, MF_ERROR_CONFIG);
        if (strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].line, err.message);
    }
    struct ing_backfill_args args;
    struct mf_error err;
    assert_int_equal(parse(ING_FEED_NEWS, "--from 2024-01-02 --to 2024-01-03 --timespan day", 0, &args, &err),
                     -1);
}

static void run_id_of(enum ing_feed feed, const char *line, uint64_t seed, char out[MF_RUN_ID_MAX + 1])
{
    struct ing_backfill_args args;
    struct mf_error err;
    if (parse(feed, line, seed, &args, &err) < 0)
        fail_msg("%s: %s", line, err.message);
    mf_str_copy(out, MF_RUN_ID_MAX + 1, mf_str_of(args.run_id));
    ing_backfill_args_free(&args);
}

static void test_run_id(void **state)
{
    (void)state;
    static const char base[] = "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-03";
    static const char *const same[] = {
        "--symbols MSFT,AAPL,MSFT --to 2024-01-03 --from 2024-01-02",
        "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-03 --timespan minute --adjusted split"};
    static const char *const other[] = {
        "--symbols AAPL --from 2024-01-02 --to 2024-01-03",
        "--symbols AAPL,MSFT --from 2024-01-01 --to 2024-01-03",
        "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-04",
        "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-03 --timespan day",
        "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-03 --adjusted none",
        "--symbols AAPL,MSFT --from 2024-01-02 --to 2024-01-03 --again",
    };
    char wanted[MF_RUN_ID_MAX + 1];
    char found[MF_RUN_ID_MAX + 1];
    run_id_of(ING_FEED_BARS, base, 1, wanted);
    for (size_t i = 0; i < MF_ARRAY_LEN(same); i++) {
        run_id_of(ING_FEED_BARS, same[i], 2, found);
        assert_string_equal(found, wanted);
    }
    for (size_t i = 0; i < MF_ARRAY_LEN(other); i++) {
        run_id_of(ING_FEED_BARS, other[i], 2, found);
        assert_string_not_equal(found, wanted);
    }
    run_id_of(ING_FEED_NEWS, base, 1, found);
    assert_string_not_equal(found, wanted);
    run_id_of(ING_FEED_BARS, other[5], 3, wanted); // --again with another seed
    run_id_of(ING_FEED_BARS, other[5], 2, found);
    assert_string_not_equal(found, wanted);
    run_id_of(ING_FEED_BARS, "--symbols A --from 2024-01-02 --to 2024-01-03 --run-id my.run_1-x", 0, found);
    assert_string_equal(found, "my.run_1-x");
}

static void test_options_of_a_run(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    assert_int_equal(parse(ING_FEED_BARS, "--from 2024-01-02 --to 2024-01-02", 0, &args, &err), 0);
    assert_null(args.manifest);
    assert_false(args.dry_run);
    char plain[33];
    memcpy(plain, args.run_id, sizeof args.run_id < sizeof plain ? sizeof args.run_id : sizeof plain);
    ing_backfill_args_free(&args);
    // They are about this start, not about what the run fetches.
    assert_int_equal(parse(ING_FEED_BARS,
                           "--from 2024-01-02 --to 2024-01-02 --manifest /tmp/m.json --dry-run", 0, &args,
                           &err),
                     0);
    assert_string_equal(args.manifest, "/tmp/m.json");
    assert_true(args.dry_run);
    assert_memory_equal(plain, args.run_id, 17);
    ing_backfill_args_free(&args);
    static const char *const bad[] = {"/tmp", "/nowhere/at/all/m.json", "/dev/null", ""};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        char text[128];
        snprintf(text, sizeof text, "--from 2024-01-02 --to 2024-01-02 --manifest=%s", bad[i]);
        assert_int_equal(parse(ING_FEED_BARS, text, 0, &args, &err), -1);
        assert_non_null(strstr(err.message, "--manifest"));
    }
}

static void test_universe(void **state)
{
    (void)state;
    struct ing_backfill_args args;
    struct mf_error err;
    char first[sizeof args.run_id];
    assert_int_equal(parse(ING_FEED_NEWS, "--universe --from 2024-01-02 --to 2024-01-02", 0, &args, &err), 0);
    assert_true(args.universe);
    assert_int_equal(args.symbols.count, 0);
    memcpy(first, args.run_id, sizeof first);
    ing_backfill_args_free(&args);
    assert_int_equal(parse(ING_FEED_NEWS,
                           "--universe --type CS,ETF --exchange XNAS --from 2024-01-02 --to 2024-01-02", 0,
                           &args, &err),
                     0);
    assert_string_equal(args.types, "CS,ETF");
    assert_string_not_equal(args.run_id, first); // others may be found
    ing_backfill_args_free(&args);
    static const char *const bad[] = {"--universe --symbols A", "--type CS", "--exchange XNAS",
                                      "--universe --type=", "--universe --type=cs"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        char text[128];
        snprintf(text, sizeof text, "%s --from 2024-01-02 --to 2024-01-02", bad[i]);
        if (parse(ING_FEED_BARS, text, 0, &args, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(err.code, "bad_arguments");
    }
    assert_int_equal(parse(ING_FEED_SPLITS, "--universe --from 2024-01-02 --to 2024-01-02", 0, &args, &err),
                     -1);
}

static void test_parts_of_a_list(void **state)
{
    (void)state;
    struct ing_symbols symbols = {0};
    struct ing_symbols back = {0};
    struct ing_universe_part part = {
        .search = "0011223344556677", .part = 3, .next = MF_STR("/v3/x?cursor=b")};
    struct ing_universe_part found;
    struct mf_error err;
    struct mf_json *json = mf_json_new();
    struct mf_buf text;
    mf_buf_init(&text, 4096);
    assert_int_equal(ing_symbols_add_list(&symbols, "OLD,AAPL,BRK.B", &err), 0);
    ing_universe_encode(&part, &symbols, 1, &text);
    assert_int_equal(ing_universe_decode(json, mf_buf_str(&text), &found, &back, &err), 0);
    assert_string_equal(found.search, part.search);
    assert_int_equal(found.part, 3);
    assert_true(mf_str_eq(found.next, part.next));
    assert_int_equal(back.count, 2);
    assert_string_equal(back.items[1], "BRK.B");
    static const char *const bad[] = {
        "",
        "{}",
        "{\"version\":2,\"search\":\"a\",\"part\":0,\"next\":\"\",\"symbols\":\"\"}",
        "{\"version\":1,\"search\":\"a\",\"part\":-1,\"next\":\"\",\"symbols\":\"\"}",
        "{\"version\":1,\"search\":\"a\",\"part\":1000,\"next\":\"\",\"symbols\":\"\"}",
        "{\"version\":1,\"search\":\"00112233445566778\",\"part\":0,\"next\":\"\",\"symbols\":\"\"}",
        "{\"version\":1,\"search\":\"a\",\"part\":0,\"symbols\":\"\"}",
        "{\"version\":1,\"search\":\"a\",\"part\":0,\"next\":\"\",\"symbols\":\"A,,B\"}"};
    for (size_t i = 0; i < MF_ARRAY_LEN(bad); i++) {
        if (ing_universe_decode(json, mf_str_of(bad[i]), &found, &back, &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(err.code, "bad_watermark");
    }
    mf_buf_clear(&text);
    ing_universe_key("run-1", 7, &text);
    assert_true(ing_watermark_key_is_of_run(mf_buf_str(&text), "run-1"));
    assert_false(ing_watermark_key_is_of_run(mf_buf_str(&text), "1"));
    assert_false(ing_watermark_key_is_live(mf_buf_str(&text)));
    mf_buf_free(&text);
    mf_json_free(&json);
    ing_symbols_free(&symbols);
    ing_symbols_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_settings_together),
        cmocka_unit_test(test_too_many_symbols),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_symbols_arguments),
        cmocka_unit_test(test_options_of_a_run),
        cmocka_unit_test(test_universe),
        cmocka_unit_test(test_parts_of_a_list),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_run_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
