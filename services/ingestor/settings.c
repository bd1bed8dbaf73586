// SPDX-License-Identifier: Apache-2.0
// Settings of the ingestor (see settings.h). Tables and checks of single values.
#include "services/ingestor/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/ratelimit.h"
#include "common/topics.h"
#include "common/url.h"

static const char *check_base_url(const char *text)
{
    return mf_url_check_base(text, NULL) == 0
               ? NULL
               : "is not a base URL: https without user name and query (plain http for loopback only)";
}

static const char *check_hosts(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-, ");
    return text[len] == '\0' ? NULL : "is not a list of host names";
}

// It becomes a header line.
static const char *check_key(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= 0x20 || *c >= 0x7f)
            return "is not a key: it holds blanks or characters that no key has";
    }
    return text[0] != '\0' ? NULL : "is empty";
}

static const char *check_shard(const char *text)
{
    struct ing_shard shard;
    return ing_shard_parse(mf_str_of(text), &shard) ? NULL : "is not i/n with i from 0 to n - 1";
}

// Minute of the day that "07:30" is; -1 when it is none.
static int minute_of(const char *text)
{
    struct mf_str hour = {text, 2};
    struct mf_str minute = {text + 3, 2};
    int64_t h;
    int64_t m;
    if (strlen(text) != 5 || text[2] != ':' || !mf_str_to_i64(hour, &h) || !mf_str_to_i64(minute, &m) ||
        h < 0 || h > 23 || m < 0 || m > 59)
        return -1;
    return (int)(h * 60 + m);
}

static const char *check_minute(const char *text)
{
    return minute_of(text) >= 0 ? NULL : "is not a time of day as 07:30";
}

#define MILLISECONDS(name_, default_, min_, max_, text)                                          \
    {                                                                                            \
        .name = (name_), .type = MF_SETTING_INTEGER, .default_value = (default_), .min = (min_), \
        .max = (max_), .description = (text)                                                     \
    }
#define COUNT(name_, default_, min_, max_, text) MILLISECONDS(name_, default_, min_, max_, text)
#define SWITCH(name_, default_, text)                                                                   \
    {                                                                                                   \
        .name = (name_), .type = MF_SETTING_BOOLEAN, .default_value = (default_), .description = (text) \
    }

static const struct mf_setting_def polygon_defs[] = {
    {.name = "POLYGON_API_KEY",
     .type = MF_SETTING_SECRET,
     .description = "Key of the provider, sent as a bearer token and nowhere else.",
     .check = check_key},
    {.name = "POLYGON_BASE_URL",
     .type = MF_SETTING_STRING,
     .default_value = "https://api.massive.com",
     .description = "Where requests go; every request, also for pages that the provider names elsewhere.",
     .check = check_base_url},
    {.name = "POLYGON_ALLOWED_HOSTS",
     .type = MF_SETTING_LIST,
     .default_value = "api.massive.com,api.polygon.io",
     .description =
         "Hosts that the provider may name in next_url besides the base URL's; others are refused.",
     .check = check_hosts},
    COUNT("POLYGON_REQUESTS_PER_MINUTE", "5", 0, MF_RATELIMIT_PER_MINUTE_MAX,
          "Requests that start with the key in any 60 s, in all processes together (INGEST_BUDGET); 0 = no "
          "limit. 5 is the free plan; keep below 6000. The same for all processes."),
    COUNT(
        "POLYGON_REQUESTS_PER_DAY", "0", 0, 10000000,
        "Requests that start with the key in one UTC day, in all processes together; 0 = no limit. Used up, "
        "nothing is asked until the day ends."),
    MILLISECONDS("POLYGON_RATE_WINDOW_MS", "60000", 1000, 60000,
                 "Window in ms that POLYGON_REQUESTS_PER_MINUTE counts in: less than a minute for a provider "
                 "that counts by shorter ones. The same for all processes; with INGEST_BUDGET=own a minute."),
    MILLISECONDS("POLYGON_DELAY_MS", "0", 0, 86400000,
                 "How far in ms the plan's data lag behind the market: 900000 for a delayed plan."),
    MILLISECONDS(
        "POLYGON_RATE_LIMIT_WAIT_MS", "61000", 100, 3600000,
        "Wait in ms after an answer 429 that does not say how long: more than the provider's window."),
    MILLISECONDS("POLYGON_CONNECT_TIMEOUT_MS", "5000", 100, 60000,
                 "Limit in ms for a connection, TLS included."),
    MILLISECONDS("POLYGON_REQUEST_TIMEOUT_MS", "60000", 100, 600000, "Limit in ms for a whole request."),
    MILLISECONDS("POLYGON_STALL_TIMEOUT_MS", "20000", 1000, 600000,
                 "A request that receives nothing for this long (ms, whole seconds) is given up."),
    COUNT("POLYGON_BODY_MAX_BYTES", "8388608", 65536, 8388608,
          "Largest answer in bytes, after decompression."),
};
const struct mf_setting_table ing_settings_polygon = {"Polygon", polygon_defs, MF_ARRAY_LEN(polygon_defs)};

static const struct mf_setting_def ingest_defs[] = {
    {.name = "INGEST_SYMBOLS",
     .type = MF_SETTING_LIST,
     .optional = true,
     .description = "Symbols to serve, as the provider writes them: AAPL,X:BTCUSD,C:EURUSD,I:SPX."},
    {.name = "INGEST_SYMBOLS_FILE",
     .type = MF_SETTING_STRING,
     .optional = true,
     .description = "CSV file with a column symbol, added to INGEST_SYMBOLS; read again on SIGHUP."},
    {.name = "INGEST_SHARD",
     .type = MF_SETTING_STRING,
     .default_value = "0/1",
     .description = "i/n: this is ingestor i (from 0) of n; it serves the symbols and heartbeats of every "
                    "partition p with p mod n = i.",
     .check = check_shard},
    SWITCH("INGEST_MINUTE_BARS", "true", "Poll minute bars."),
    SWITCH("INGEST_DAY_BARS", "true", "Fetch day bars after the close."),
    SWITCH("INGEST_NEWS", "true", "Poll news."),
    {.name = "INGEST_ADJUSTED",
     .type = MF_SETTING_CHOICE,
     .default_value = "split",
     .choices = "split|none",
     .description = "Adjustment of live stock bars."},
    MILLISECONDS("INGEST_POLL_MS", "15000", 100, 3600000,
                 "Period in ms of the minute-bar poll of one symbol."),
    MILLISECONDS("INGEST_CLOSED_POLL_MS", "300000", 100, 86400000,
                 "The same while the symbol's market is closed and its last session has been read."),
    MILLISECONDS("INGEST_NEWS_POLL_MS", "60000", 100, 86400000,
                 "Period in ms of the news poll of one symbol."),
    MILLISECONDS("INGEST_OVERLAP_MS", "1200000", 60000, 86400000,
                 "How far in ms behind its newest bar a poll reads again, to see corrections."),
    MILLISECONDS("INGEST_NEWS_OVERLAP_MS", "7200000", 0, 604800000,
                 "The same for news, which may appear late and be edited."),
    {.name = "INGEST_BUDGET",
     .type = MF_SETTING_CHOICE,
     .default_value = "shared",
     .choices = "shared|own",
     .description = "Who counts requests: all processes that use the key together, by claims on "
                    "KAFKA_TOPIC_INGESTOR_BUDGET, or this process alone, anew after a restart."},
    MILLISECONDS("INGEST_SETTLE_MS", "5000", 0, 3600000,
                 "Time in ms after a window's end by which the provider has it; heartbeats wait for it."),
    MILLISECONDS("INGEST_HEARTBEAT_MS", "5000", 100, 3600000, "Period in ms of the heartbeats."),
    MILLISECONDS("INGEST_HEARTBEAT_EXCLUDE_MS", "300000", 1000, 86400000,
                 "A symbol failing for longer than this (ms) no longer holds the heartbeats back."),
    SWITCH("INGEST_MARKET_STATUS", "true",
           "Ask for the provider's holidays and market status, and follow what they announce beside the "
           "built-in calendar. Off: the built-in calendar alone."),
    MILLISECONDS("INGEST_MARKET_STATUS_MS", "86400000", 1000, 604800000,
                 "Period in ms in which they are asked for; besides, once soon after each opening."),
    SWITCH("INGEST_PUBLISH_FORMING", "false", "Publish bars whose window is not over yet, flagged forming."),
    SWITCH("INGEST_WARMUP", "true",
           "Publish 260 day bars and two sessions of minutes before the first live bar of a new symbol."),
    SWITCH("INGEST_RECONCILE", "true",
           "Pull the minutes of every session again when it is over, and publish what has changed."),
    MILLISECONDS("INGEST_RECONCILE_AFTER_MS", "1800000", 0, 43200000,
                 "How long in ms after late trading (or midnight UTC) that happens; the plan's delay and "
                 "INGEST_SETTLE_MS come on top."),
    SWITCH("INGEST_REFERENCE", "true",
           "Keep symbols, their other names, splits and dividends up to date in live mode."),
    {.name = "INGEST_REFERENCE_TIME",
     .type = MF_SETTING_STRING,
     .default_value = "07:30",
     .description = "Time of day (UTC) from which on that is asked for, once a day; new symbols are at once.",
     .check = check_minute},
    MILLISECONDS("INGEST_PROGRESS_MS", "30000", 0, 3600000,
                 "How often a backfill whose standard error is no terminal says in its log how far it is, in "
                 "ms. 0 = never."),
    COUNT("INGEST_PARALLEL", "8", 1, 64, "Requests under way at once."),
    COUNT("INGEST_ANSWER_BYTES", "16777216", 1048576, 1073741824,
          "Memory in bytes for answers that are under way, wait or are published: no request starts whose "
          "answer "
          "is likely to pass it, but one may always run. A page of 50 000 bars takes 6 MB."),
    COUNT("INGEST_BARS_PAGE_LIMIT", "50000", 1, 50000, "Base aggregates per page asked for."),
    COUNT("INGEST_NEWS_PAGE_LIMIT", "1000", 1, 1000, "Articles per page asked for."),
    COUNT("INGEST_REFERENCE_PAGE_LIMIT", "1000", 1, 1000,
          "Rows per page asked for of tickers, splits, dividends and option contracts."),
    COUNT("INGEST_PAGES_MAX", "10000", 1, 1000000,
          "Pages of one range; more is taken for a loop of the provider."),
    COUNT("INGEST_IMPLAUSIBLE_FACTOR", "5", 0, 1000,
          "A bar whose prices are so many times above or below its neighbours', between which nothing "
          "happened, is taken for another symbol's: a dead letter. 0 = none is."),
    COUNT("INGEST_RETRY_ATTEMPTS", "8", 1, 1000,
          "Failures of one request in a row after which a backfill gives the series up for now, and "
          "live mode passes on to the next symbol in what it asks once a day."),
    MILLISECONDS("INGEST_RETRY_BASE_MS", "500", 1, 60000,
                 "Shortest delay in ms before a failed request is repeated."),
    MILLISECONDS("INGEST_RETRY_MAX_MS", "60000", 1, 3600000, "Longest such delay in ms."),
    COUNT("INGEST_RETRIES_PER_MINUTE", "600", 0, MF_RATELIMIT_PER_MINUTE_MAX,
          "Requests of this process that repeat a failed one in any 60 s; what is beyond waits. 0 = no "
          "limit."),
    COUNT("INGEST_CIRCUIT_FAILURES", "10", 0, 1000000,
          "Failures in a row of one of the provider's endpoints, over all symbols, after which its requests "
          "are held back. An answer about the request itself (403, 404, 429) is none. 0 = they never are."),
    MILLISECONDS("INGEST_CIRCUIT_OPEN_MS", "30000", 100, 3600000,
                 "How long in ms they are held back before one request finds out whether the endpoint works "
                 "again."),
};
const struct mf_setting_table ing_settings_ingest = {"Ingestor", ingest_defs, MF_ARRAY_LEN(ingest_defs)};

const struct mf_setting_table *const ing_setting_tables[] = {
    &ing_settings_polygon,      &ing_settings_ingest,   &mf_settings_table_kafka,
    &mf_settings_table_service, &mf_settings_table_log, NULL};
const char *const ing_setting_prefixes[] = {"POLYGON_", "INGEST_", NULL};

static unsigned count_of(const struct mf_settings *settings, const char *name)
{
    return (unsigned)mf_settings_integer(settings, name);
}

// The list, terminated as the HTTP client and the URL code want it.
static const char *const *hosts_of(const struct mf_settings *settings)
{
    const char *const *items = NULL;
    size_t count = mf_settings_list(settings, "POLYGON_ALLOWED_HOSTS", &items);
    const char **hosts = mf_calloc(count + 1, sizeof *hosts);
    for (size_t i = 0; i < count; i++)
        hosts[i] = items[i];
    return hosts;
}

static void fill_provider(const struct mf_settings *settings, struct ing_config *config)
{
    config->base_url = mf_settings_string(settings, "POLYGON_BASE_URL");
    config->api_key = mf_settings_string(settings, "POLYGON_API_KEY");
    config->ca_file = mf_settings_string(settings, "TLS_CA_FILE");
    config->allowed_hosts = hosts_of(settings);
    config->requests_per_minute = count_of(settings, "POLYGON_REQUESTS_PER_MINUTE");
    config->requests_per_day = count_of(settings, "POLYGON_REQUESTS_PER_DAY");
    config->rate_window_ms = mf_settings_integer(settings, "POLYGON_RATE_WINDOW_MS");
    config->delay_ms = mf_settings_integer(settings, "POLYGON_DELAY_MS");
    config->rate_limit_wait_ms = mf_settings_integer(settings, "POLYGON_RATE_LIMIT_WAIT_MS");
    config->connect_timeout_ms = mf_settings_integer(settings, "POLYGON_CONNECT_TIMEOUT_MS");
    config->request_timeout_ms = mf_settings_integer(settings, "POLYGON_REQUEST_TIMEOUT_MS");
    config->low_speed_timeout_ms = mf_settings_integer(settings, "POLYGON_STALL_TIMEOUT_MS");
    config->body_max = (size_t)mf_settings_integer(settings, "POLYGON_BODY_MAX_BYTES");
}

static void fill_times(const struct mf_settings *settings, struct ing_config *config)
{
    config->poll_ms = mf_settings_integer(settings, "INGEST_POLL_MS");
    config->closed_poll_ms = mf_settings_integer(settings, "INGEST_CLOSED_POLL_MS");
    config->news_poll_ms = mf_settings_integer(settings, "INGEST_NEWS_POLL_MS");
    config->overlap_ms = mf_settings_integer(settings, "INGEST_OVERLAP_MS");
    config->news_overlap_ms = mf_settings_integer(settings, "INGEST_NEWS_OVERLAP_MS");
    config->settle_ms = mf_settings_integer(settings, "INGEST_SETTLE_MS");
    config->heartbeat_ms = mf_settings_integer(settings, "INGEST_HEARTBEAT_MS");
    config->heartbeat_exclude_ms = mf_settings_integer(settings, "INGEST_HEARTBEAT_EXCLUDE_MS");
    config->reconcile_after_ms = mf_settings_integer(settings, "INGEST_RECONCILE_AFTER_MS");
    config->retry_base_ms = mf_settings_integer(settings, "INGEST_RETRY_BASE_MS");
    config->retry_max_ms = mf_settings_integer(settings, "INGEST_RETRY_MAX_MS");
    config->circuit_open_ms = mf_settings_integer(settings, "INGEST_CIRCUIT_OPEN_MS");
    config->market_status_ms = mf_settings_integer(settings, "INGEST_MARKET_STATUS_MS");
}

static void fill_ingest(const struct mf_settings *settings, struct ing_config *config)
{
    config->implausible_factor = count_of(settings, "INGEST_IMPLAUSIBLE_FACTOR");
    config->retries_per_minute = count_of(settings, "INGEST_RETRIES_PER_MINUTE");
    config->circuit_failures = count_of(settings, "INGEST_CIRCUIT_FAILURES");
    config->retry_attempts = count_of(settings, "INGEST_RETRY_ATTEMPTS");
    config->progress_ms = mf_settings_integer(settings, "INGEST_PROGRESS_MS");
    config->parallel = count_of(settings, "INGEST_PARALLEL");
    config->answer_bytes = (size_t)mf_settings_integer(settings, "INGEST_ANSWER_BYTES");
    config->bars_page_limit = count_of(settings, "INGEST_BARS_PAGE_LIMIT");
    config->news_page_limit = count_of(settings, "INGEST_NEWS_PAGE_LIMIT");
    config->reference_page_limit = count_of(settings, "INGEST_REFERENCE_PAGE_LIMIT");
    config->pages_max = count_of(settings, "INGEST_PAGES_MAX");
    config->publish_forming = mf_settings_boolean(settings, "INGEST_PUBLISH_FORMING");
    config->warmup = mf_settings_boolean(settings, "INGEST_WARMUP");
    config->minute_bars = mf_settings_boolean(settings, "INGEST_MINUTE_BARS");
    config->day_bars = mf_settings_boolean(settings, "INGEST_DAY_BARS");
    config->reference = mf_settings_boolean(settings, "INGEST_REFERENCE");
    config->reference_minute = (unsigned)minute_of(mf_settings_string(settings, "INGEST_REFERENCE_TIME"));
    config->reconcile = mf_settings_boolean(settings, "INGEST_RECONCILE");
    config->news = mf_settings_boolean(settings, "INGEST_NEWS");
    config->market_status = mf_settings_boolean(settings, "INGEST_MARKET_STATUS");
    bool split = strcmp(mf_settings_string(settings, "INGEST_ADJUSTED"), "split") == 0;
    config->adjusted = split ? MF_ADJUSTED_SPLIT : MF_ADJUSTED_NONE;
    ing_shard_parse(mf_str_of(mf_settings_string(settings, "INGEST_SHARD")), &config->shard);
    config->partitions = (int32_t)mf_settings_integer(settings, "KAFKA_PARTITIONS");
    config->topic_raw = mf_topic_name(settings, MF_TOPIC_RAW);
    config->topic_backfill = mf_topic_name(settings, MF_TOPIC_RAW_BACKFILL);
    config->topic_dlq = mf_topic_name(settings, MF_TOPIC_DLQ);
    config->budget_shared = strcmp(mf_settings_string(settings, "INGEST_BUDGET"), "shared") == 0;
    config->topic_budget = mf_topic_name(settings, MF_TOPIC_INGESTOR_BUDGET);
    config->topic_watermarks = mf_topic_name(settings, MF_TOPIC_INGESTOR_WATERMARKS);
}

void ing_config_fill(const struct mf_settings *settings, struct ing_config *config)
{
    *config = (struct ing_config){0};
    fill_provider(settings, config);
    fill_times(settings, config);
    fill_ingest(settings, config);
}

void ing_config_free(struct ing_config *config)
{
    free((void *)(uintptr_t)config->allowed_hosts);
    config->allowed_hosts = NULL;
}

// ---------------------------------------------------------------- together

// Each wrong item of the list, and what is wrong with the file: all that can be mended at once is said at
// once.
static void check_symbols(const struct mf_settings *settings, struct mf_buf *problems)
{
    enum { SAID_MAX = 20 };
    struct ing_symbols symbols = {0};
    struct mf_error err;
    const char *const *items = NULL;
    size_t count = mf_settings_is_set(settings, "INGEST_SYMBOLS")
                       ? mf_settings_list(settings, "INGEST_SYMBOLS", &items)
                       : 0;
    size_t said = 0;
    for (size_t i = 0; i < count && said < SAID_MAX && symbols.count < ING_SYMBOLS_MAX; i++) {
        if (ing_symbols_add(&symbols, mf_str_of(items[i]), &err) == 0)
            continue;
        said++;
        mf_buf_addf(problems, "INGEST_SYMBOLS: %s\n", err.message);
    }
    if (said == SAID_MAX)
        mf_buf_add_c(problems, "INGEST_SYMBOLS: and maybe more\n");
    if (count > ING_SYMBOLS_MAX)
        mf_buf_addf(problems, "INGEST_SYMBOLS: more than %d symbols\n", ING_SYMBOLS_MAX);
    const char *path = mf_settings_string(settings, "INGEST_SYMBOLS_FILE");
    if (path != NULL && ing_symbols_add_file(&symbols, path, &err) < 0)
        mf_buf_addf(problems, "INGEST_SYMBOLS_FILE: %s\n", err.message);
    ing_symbols_free(&symbols);
}

void ing_check_settings(const struct mf_settings *settings, struct mf_buf *problems)
{
    struct ing_config config;
    ing_config_fill(settings, &config);
    if (config.retry_max_ms < config.retry_base_ms)
        mf_buf_add_c(problems, "INGEST_RETRY_BASE_MS: must not be more than INGEST_RETRY_MAX_MS\n");
    if (!config.budget_shared && config.rate_window_ms != MF_US_PER_MINUTE / MF_US_PER_MS)
        mf_buf_add_c(problems, "POLYGON_RATE_WINDOW_MS: is a minute with INGEST_BUDGET=own\n");
    if (config.shard.count > (unsigned)config.partitions)
        mf_buf_addf(problems, "INGEST_SHARD: has more shards than KAFKA_PARTITIONS, %d\n",
                    (int)config.partitions);
    ing_config_free(&config);
    check_symbols(settings, problems);
}
