// SPDX-License-Identifier: Apache-2.0
// What folding costs without Kafka: the bars of bars.h through the fold with the default rules, outputs
// counted and dropped. Prints one JSON object: CPU seconds per million records (best of several rounds), of
// them those of decoding, of folding (what a replay does beyond decoding) and of encoding what comes out, the
// outputs, and the ratio to a floor measured in the same run: parsing the same bytes with yajl and nothing
// else. Usage: bench_fold [EVENTS [ROUNDS]] [--rollups on|off] [--symbols N]. Exit 0, 70 when an output is
// missing, 78 for bad arguments.
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "services/processor/fold.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"

enum { SYMBOLS_MAX = 100000 };

struct records {
    struct mf_buf bytes; // key, value, key, value, …
    size_t *ends;        // two for each
    size_t count;
};

struct counted {
    uint64_t outputs, bytes, metrics;
    size_t state_bytes;
};

struct options {
    int64_t events, rounds, symbols;
    bool rollups;
};

static void fill(struct records *records, const struct options *options)
{
    struct bench_bars bars;
    struct mf_error err;
    size_t events = (size_t)options->events;
    if (bench_bars_init(&bars, options->symbols, &err) < 0) {
        fprintf(stderr, "bench_fold: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    mf_buf_init(&records->bytes, SIZE_MAX / 8);
    records->ends = mf_calloc(events, 2 * sizeof *records->ends);
    for (records->count = 0; records->count < events; records->count++) {
        struct mf_str key, value;
        bench_bars_next(&bars, &key, &value);
        mf_buf_add_str(&records->bytes, key);
        records->ends[2 * records->count] = records->bytes.len;
        mf_buf_add_str(&records->bytes, value);
        records->ends[2 * records->count + 1] = records->bytes.len;
    }
    bench_bars_clear(&bars);
}

static struct mf_str piece_at(const struct records *records, size_t piece)
{
    size_t from = piece == 0 ? 0 : records->ends[piece - 1];
    return (struct mf_str){records->bytes.data + from, records->ends[piece] - from};
}

static struct mf_str record_at(const struct records *records, size_t i)
{
    return piece_at(records, 2 * i + 1);
}

static void count(void *arg, const struct prc_output *output)
{
    struct counted *counted = arg;
    counted->outputs++;
    counted->bytes += output->value.len;
    counted->metrics += output->role == MF_TOPIC_METRICS;
}

// emit NULL: the same work but for what is said about it.
static double fold_all(const struct records *records, const struct prc_fold_config *config, prc_emit_fn emit,
                       struct counted *counted)
{
    struct prc_fold *fold = prc_fold_new(config);
    struct prc_partition *partition = prc_partition_new(MF_TOPIC_RAW, 0, SYMBOLS_MAX);
    double begin = cpu_seconds();
    for (size_t i = 0; i < records->count; i++) {
        struct prc_input input = {.topic = "market.raw",
                                  .offset = (int64_t)i,
                                  .timestamp_ms = 1704205863000,
                                  .key = piece_at(records, 2 * i),
                                  .value = record_at(records, i)};
        prc_fold_record(fold, partition, &input, emit, counted);
    }
    double seconds = cpu_seconds() - begin;
    counted->state_bytes = prc_partition_bytes(partition);
    prc_partition_free(&partition);
    prc_fold_free(&fold);
    return seconds;
}

static double decode_all(const struct records *records)
{
    static struct mf_event event;
    struct mf_json *json = mf_json_new();
    struct mf_error err;
    double begin = cpu_seconds();
    for (size_t i = 0; i < records->count; i++)
        mf_event_decode(json, record_at(records, i), &event, NULL, &err);
    double seconds = cpu_seconds() - begin;
    mf_json_free(&json);
    return seconds;
}

static double parse_all(const struct records *records)
{
    double begin = cpu_seconds();
    for (size_t i = 0; i < records->count; i++) {
        struct mf_str value = record_at(records, i);
        static const yajl_callbacks none;
        yajl_handle handle = yajl_alloc(&none, NULL, NULL);
        yajl_parse(handle, (const unsigned char *)value.data, value.len);
        yajl_free(handle);
    }
    return cpu_seconds() - begin;
}

static void load_config(struct prc_fold_config *config, struct mf_calendar **calendar,
                        struct mf_settings **settings)
{
    char *const env[] = {NULL};
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    if (mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, settings, &problems, &err) < 0 ||
        mf_calendar_new(calendar, &err) < 0) {
        fprintf(stderr, "bench_fold: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    prc_rule_config_load(*settings, &config->rules);
    config->calendar = *calendar;
    config->lateness_us = 10 * MF_US_PER_SECOND;
    mf_buf_free(&problems);
}

// EVENTS and ROUNDS by place, the others by name, in any order.
static bool read_options(int argc, char **argv, struct options *options)
{
    int places = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--rollups") == 0 && (strcmp(value, "on") == 0 || strcmp(value, "off") == 0))
            options->rollups = strcmp(argv[++i], "on") == 0;
        else if (strcmp(argv[i], "--symbols") == 0 && take_number(value, SYMBOLS_MAX, &options->symbols))
            i++;
        else if (places == 0 ? take_number(argv[i], 10000000, &options->events)
                             : places == 1 && take_number(argv[i], 1000, &options->rounds))
            places++;
        else
            return false;
    }
    return true;
}

struct times {
    double decode, replay, all, parse; // CPU seconds, best of the rounds
};

static void least(double *best, double seconds, bool first)
{
    if (first || seconds < *best)
        *best = seconds;
}

static void print(const struct options *options, const struct times *times, const struct counted *counted)
{
    double millions = (double)options->events / 1e6;
    printf("{\"events\":%lld,\"symbols\":%lld,\"rollups\":%s,\"outputs\":%llu,\"metrics\":%llu,"
           "\"output_bytes\":%llu,\"state_bytes_per_symbol\":%llu,\"cpu_seconds_per_million\":%.2f,"
           "\"decode_s\":%.2f,\"fold_s\":%.2f,\"encode_s\":%.2f,\"yajl_cpu_seconds_per_million\":%.2f,"
           "\"ratio_to_yajl\":%.2f}\n",
           (long long)options->events, (long long)options->symbols, options->rollups ? "true" : "false",
           (unsigned long long)counted->outputs, (unsigned long long)counted->metrics,
           (unsigned long long)counted->bytes,
           (unsigned long long)(counted->state_bytes / (size_t)options->symbols), times->all / millions,
           times->decode / millions, (times->replay - times->decode) / millions,
           (times->all - times->replay) / millions, times->parse / millions, times->all / times->parse);
}

int main(int argc, char **argv)
{
    struct options options = {.events = 200000, .rounds = 3, .symbols = 500, .rollups = true};
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: bench_fold [EVENTS [ROUNDS]] [--rollups on|off] [--symbols N]\n");
        return MF_EXIT_CONFIG;
    }
    static struct prc_fold_config config;
    struct mf_calendar *calendar = NULL;
    struct mf_settings *settings;
    struct records records;
    struct counted counted = {0}, none = {0};
    struct times times = {0};
    load_config(&config, &calendar, &settings);
    config.rollups = options.rollups;
    fill(&records, &options);
    for (int64_t round = 0; round < options.rounds; round++) {
        counted = (struct counted){0};
        least(&times.all, fold_all(&records, &config, count, &counted), round == 0);
        least(&times.replay, fold_all(&records, &config, NULL, &none), round == 0);
        least(&times.decode, decode_all(&records), round == 0);
        least(&times.parse, parse_all(&records), round == 0);
    }
    print(&options, &times, &counted);
    bool complete =
        counted.outputs >= 2 * counted.metrics && counted.metrics * 100 >= (uint64_t)options.events * 95;
    mf_settings_free(&settings);
    mf_calendar_free(&calendar);
    mf_buf_free(&records.bytes);
    free(records.ends);
    return complete ? MF_EXIT_OK : MF_EXIT_INTERNAL;
}
