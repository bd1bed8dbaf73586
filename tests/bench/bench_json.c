// SPDX-License-Identifier: Apache-2.0
// What one bar event costs in JSON: reading it into a tape, looking up its fields, writing it again, the
// number texts of a metric; decoding it as an event, the fast way and by the tables, everything verified.
// Prints one JSON object: CPU nanoseconds per event (the best of several rounds in which all take turns, so
// that a change of clock speed meets them all; 1000 are one second per million) and ratios to floors measured
// in the same run: for reading and decoding, yajl with callbacks that do nothing; for writing, a copy of the
// bytes; for number texts, printf("%.8f"). Usage: bench_json [EVENTS [ROUNDS]]. Exit 0, 70 when a result is
// wrong, 78 for bad arguments.
#include <stdio.h>
#include <yajl/yajl_parse.h>

#include "common/event_fast.h"
#include "tests/bench/bars.h"
#include "tests/bench/measure.h"
#include "tests/bench/report.h"

enum { SAMPLES = 512, STATISTICS = 15, EVENT_MAX = 1024 };

struct sample {
    struct mf_buf event; // as our ingestor writes it
    struct mf_json *json;
    const struct mf_json_node *root; // the event, parsed
    double statistics[STATISTICS];
};

static struct sample samples[SAMPLES];
static struct mf_json *scratch;
static struct mf_buf out;
static bool wrong; // some candidate met a result that it should not

static void make_sample(struct sample *sample, struct bench_bars *bars, uint64_t *random)
{
    struct mf_str key, value;
    while (!bench_bars_next(bars, &key, &value)) {
        // again, or cut off
    }
    mf_buf_init(&sample->event, EVENT_MAX);
    mf_buf_add_str(&sample->event, value);
    static const double scales[] = {1, 1000, 1000000};
    for (size_t i = 0; i < STATISTICS; i++)
        sample->statistics[i] = random_double(random, 0, scales[i % MF_ARRAY_LEN(scales)]);
    sample->json = mf_json_new();
    wrong |= mf_json_parse(sample->json, mf_buf_str(&sample->event), &mf_json_limits_event, &sample->root,
                           NULL) != 0;
}

static int on_nothing(void *context)
{
    (void)context;
    return 1;
}

static int on_nothing_boolean(void *context, int value)
{
    (void)context;
    (void)value;
    return 1;
}

static int on_nothing_number(void *context, const char *text, size_t len)
{
    (void)context;
    (void)text;
    (void)len;
    return 1;
}

static int on_nothing_string(void *context, const unsigned char *text, size_t len)
{
    (void)context;
    (void)text;
    (void)len;
    return 1;
}

static const yajl_callbacks empty_callbacks = {
    .yajl_null = on_nothing,
    .yajl_boolean = on_nothing_boolean,
    .yajl_number = on_nothing_number,
    .yajl_string = on_nothing_string,
    .yajl_start_map = on_nothing,
    .yajl_map_key = on_nothing_string,
    .yajl_end_map = on_nothing,
    .yajl_start_array = on_nothing,
    .yajl_end_array = on_nothing,
};

static void read_floor(const struct sample *sample)
{
    yajl_handle handle = yajl_alloc(&empty_callbacks, NULL, NULL);
    wrong |=
        yajl_parse(handle, (const unsigned char *)sample->event.data, sample->event.len) != yajl_status_ok;
    wrong |= yajl_complete_parse(handle) != yajl_status_ok;
    yajl_free(handle);
}

static const struct mf_json_node *read_event(const struct sample *sample)
{
    const struct mf_json_node *root = NULL;
    wrong |= mf_json_parse(scratch, mf_buf_str(&sample->event), &mf_json_limits_event, &root, NULL) != 0;
    return root;
}

static const char *const fields[] = {
    "schema_version", "event_type",   "event_id",    "symbol",      "asset_class", "source",
    "lane",           "event_time",   "ingest_time", "flags",       "provenance",  "interval",
    "window_end",     "session_date", "session",     "open",        "high",        "low",
    "close",          "volume",       "vwap",        "trade_count", "adjusted",    "vendor_ms",
};

static void read_tape(const struct sample *sample)
{
    wrong |= mf_json_count(read_event(sample)) != MF_ARRAY_LEN(fields);
}

static void read_fields(const struct sample *sample)
{
    const struct mf_json_node *root = read_event(sample);
    for (size_t i = 0; i < MF_ARRAY_LEN(fields); i++)
        wrong |= mf_json_get(root, fields[i]) == NULL;
}

static void decode_fast(const struct sample *sample)
{
    static struct mf_event event;
    wrong |= !mf_event_fast_bar(mf_buf_str(&sample->event), &event);
}

static void decode_by_table(const struct sample *sample)
{
    static struct mf_event event;
    wrong |= mf_event_decode_by_table(scratch, mf_buf_str(&sample->event), &event, NULL, NULL) != 0;
}

static void write_floor(const struct sample *sample)
{
    mf_buf_clear(&out);
    wrong |= mf_buf_add(&out, sample->event.data, sample->event.len) != 0;
}

static void write_value(struct mf_json_writer *w, const struct mf_json_node *node)
{
    bool is_object = mf_json_type(node) == MF_JSON_OBJECT;
    if (mf_json_type(node) == MF_JSON_NUMBER) {
        mf_jw_number_text(w, mf_json_text(node));
        return;
    }
    if (mf_json_type(node) == MF_JSON_STRING) {
        mf_jw_string(w, mf_json_text(node));
        return;
    }
    is_object ? mf_jw_object_begin(w) : mf_jw_array_begin(w);
    for (const struct mf_json_node *at = mf_json_first(node); at != NULL; at = mf_json_next(at)) {
        if (is_object)
            mf_jw_key_str(w, mf_json_key(at));
        write_value(w, at);
    }
    is_object ? mf_jw_object_end(w) : mf_jw_array_end(w);
}

static void write_event(const struct sample *sample)
{
    struct mf_json_writer w;
    mf_buf_clear(&out);
    mf_jw_init(&w, &out);
    write_value(&w, sample->root);
    wrong |= !mf_str_eq(mf_buf_str(&out), mf_buf_str(&sample->event));
}

static void texts_floor(const struct sample *sample)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    for (size_t i = 0; i < STATISTICS; i++)
        wrong |= snprintf(text, sizeof text, "%.8f", sample->statistics[i]) < 1;
}

static void texts_exact(const struct sample *sample)
{
    char text[MF_DECIMAL_TEXT_SIZE];
    size_t len = 0;
    for (size_t i = 0; i < STATISTICS; i++)
        wrong |= !mf_decimal_from_double(sample->statistics[i], text, &len) || len == 0;
}

static struct candidate {
    const char *name;
    void (*run)(const struct sample *sample);
    const char *floor; // name of the candidate to compare with; NULL for a floor
    double best_ns;
} candidates[] = {
    {"yajl_floor", read_floor, NULL, 0},
    {"read", read_tape, "yajl_floor", 0},
    {"read_and_get", read_fields, "yajl_floor", 0},
    {"decode", decode_fast, "yajl_floor", 0},
    {"decode_by_table", decode_by_table, "yajl_floor", 0},
    {"copy_floor", write_floor, NULL, 0},
    {"write", write_event, "copy_floor", 0},
    {"printf_floor", texts_floor, NULL, 0},
    {"number_texts", texts_exact, "printf_floor", 0},
};

static void run_round(int64_t events)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++) {
        double start = cpu_seconds();
        for (int64_t n = 0; n < events; n++)
            candidates[i].run(&samples[n % SAMPLES]);
        double ns = (cpu_seconds() - start) * 1e9 / (double)events;
        if (candidates[i].best_ns <= 0 || ns < candidates[i].best_ns)
            candidates[i].best_ns = ns;
    }
}

static double best_of(const char *name)
{
    for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++) {
        if (strcmp(candidates[i].name, name) == 0)
            return candidates[i].best_ns;
    }
    return 0;
}

static void print_report(int64_t events, int64_t rounds)
{
    struct mf_json_writer w;
    size_t bytes = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        bytes += samples[i].event.len;
    mf_buf_clear(&out);
    mf_jw_init(&w, &out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "bench");
    mf_jw_c_string(&w, "json");
    put_number(&w, "events", (double)events);
    put_number(&w, "rounds", (double)rounds);
    put_number(&w, "event_bytes", (double)bytes / SAMPLES);
    mf_jw_key(&w, "cpu_ns_per_event");
    mf_jw_object_begin(&w);
    for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++)
        put_number(&w, candidates[i].name, candidates[i].best_ns);
    mf_jw_object_end(&w);
    mf_jw_key(&w, "ratio_to_floor");
    mf_jw_object_begin(&w);
    for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++) {
        if (candidates[i].floor != NULL)
            put_number(&w, candidates[i].name, candidates[i].best_ns / best_of(candidates[i].floor));
    }
    mf_jw_object_end(&w);
    mf_jw_object_end(&w);
    puts(mf_buf_c_str(&out));
}

static void free_all(void)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        mf_json_free(&samples[i].json);
        mf_buf_free(&samples[i].event);
    }
    mf_json_free(&scratch);
    mf_buf_free(&out);
}

int main(int argc, char **argv)
{
    int64_t events = 100000, rounds = 7;
    if (argc > 3 || (argc > 1 && !take_number(argv[1], INT32_MAX, &events)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_json [EVENTS [ROUNDS]]\n");
        return MF_EXIT_CONFIG;
    }
    uint64_t random = 20240102;
    struct bench_bars bars;
    struct mf_error err;
    if (bench_bars_init(&bars, SAMPLES, &err) < 0) {
        fprintf(stderr, "bench_json: %s\n", err.message);
        return MF_EXIT_INTERNAL;
    }
    scratch = mf_json_new();
    mf_buf_init(&out, (size_t)EVENT_MAX * 4);
    for (unsigned i = 0; i < SAMPLES; i++)
        make_sample(&samples[i], &bars, &random);
    bench_bars_clear(&bars);
    for (int64_t i = 0; i < rounds && !wrong; i++)
        run_round(events);
    if (wrong)
        fprintf(stderr, "bench_json: a result is wrong\n");
    else
        print_report(events, rounds);
    free_all();
    return wrong ? MF_EXIT_INTERNAL : MF_EXIT_OK;
}
