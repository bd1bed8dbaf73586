// SPDX-License-Identifier: Apache-2.0
// What folding costs without Kafka: the bars of bars.h through the fold with the default rules, outputs
// counted and dropped. Prints one JSON object: CPU seconds per million records (best of several rounds), the
// outputs, and the ratio to a floor measured in the same run: parsing the same bytes with yajl and nothing
// else. Usage: bench_fold [EVENTS [ROUNDS]]. Exit 0, 70 when an output is missing, 78 for bad arguments.
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "services/processor/fold.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"

enum { SYMBOLS = 500, COMMIT_EVERY = 10000 };

struct records {
    struct mf_buf bytes;
    size_t *ends;
    size_t count;
};

struct counted {
    uint64_t outputs, bytes, metrics;
};

static void fill(struct records *records, size_t events)
{
    struct bench_bars bars;
    struct mf_error err;
    if (bench_bars_init(&bars, SYMBOLS, &err) < 0) {
        fprintf(stderr, "bench_fold: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    mf_buf_init(&records->bytes, SIZE_MAX / 8);
    records->ends = mf_calloc(events, sizeof *records->ends);
    for (records->count = 0; records->count < events; records->count++) {
        struct mf_str key, value;
        bench_bars_next(&bars, &key, &value);
        mf_buf_add_str(&records->bytes, value);
        records->ends[records->count] = records->bytes.len;
    }
    bench_bars_clear(&bars);
}

static struct mf_str record_at(const struct records *records, size_t i)
{
    size_t from = i == 0 ? 0 : records->ends[i - 1];
    return (struct mf_str){records->bytes.data + from, records->ends[i] - from};
}

static void count(void *arg, const struct prc_output *output)
{
    struct counted *counted = arg;
    counted->outputs++;
    counted->bytes += output->value.len;
    counted->metrics += output->role == MF_TOPIC_METRICS;
}

static double fold_all(const struct records *records, const struct prc_rule_config *rules,
                       struct counted *counted)
{
    struct prc_fold *fold = prc_fold_new(rules, 100000);
    double begin = cpu_seconds();
    for (size_t i = 0; i < records->count; i++) {
        struct prc_input input = {.role = MF_TOPIC_RAW,
                                  .topic = "market.raw",
                                  .offset = (int64_t)i,
                                  .timestamp_ms = 1704205863000,
                                  .value = record_at(records, i)};
        prc_fold_record(fold, &input, count, counted);
        if ((i + 1) % COMMIT_EVERY == 0)
            prc_fold_commit(fold);
    }
    double seconds = cpu_seconds() - begin;
    prc_fold_free(&fold);
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

static void load_rules(struct prc_rule_config *rules, struct mf_settings **settings)
{
    char *const env[] = {NULL};
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    if (mf_settings_parse(&prc_settings_table_alerts, 1, env, NULL, settings, &problems, &err) < 0) {
        fprintf(stderr, "bench_fold: %s\n", err.message);
        exit(MF_EXIT_INTERNAL);
    }
    prc_rule_config_load(*settings, rules);
    mf_buf_free(&problems);
}

int main(int argc, char **argv)
{
    int64_t events = 200000, rounds = 3;
    if (argc > 3 || (argc > 1 && !take_number(argv[1], 10000000, &events)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_fold [EVENTS [ROUNDS]]\n");
        return MF_EXIT_CONFIG;
    }
    static struct prc_rule_config rules;
    struct mf_settings *settings;
    struct records records;
    struct counted counted = {0};
    load_rules(&rules, &settings);
    fill(&records, (size_t)events);
    double fold = 0, parse = 0;
    for (int64_t round = 0; round < rounds; round++) {
        counted = (struct counted){0};
        double seconds = fold_all(&records, &rules, &counted);
        fold = round == 0 || seconds < fold ? seconds : fold;
        seconds = parse_all(&records);
        parse = round == 0 || seconds < parse ? seconds : parse;
    }
    double millions = (double)events / 1e6;
    printf("{\"events\":%lld,\"outputs\":%llu,\"metrics\":%llu,\"output_bytes\":%llu,"
           "\"cpu_seconds_per_million\":%.2f,\"yajl_cpu_seconds_per_million\":%.2f,\"ratio_to_yajl\":%.2f}\n",
           (long long)events, (unsigned long long)counted.outputs, (unsigned long long)counted.metrics,
           (unsigned long long)counted.bytes, fold / millions, parse / millions, fold / parse);
    bool complete = counted.outputs >= 2 * counted.metrics && counted.metrics * 100 >= (uint64_t)events * 95;
    mf_settings_free(&settings);
    mf_buf_free(&records.bytes);
    free(records.ends);
    return complete ? MF_EXIT_OK : MF_EXIT_INTERNAL;
}
