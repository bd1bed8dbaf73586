// SPDX-License-Identifier: Apache-2.0
// What writing one event costs, identity included: a metric with nearly all of its statistics, a bar that the
// processor derived, an alert; by the field tables and by what mf_event_encode does. Prints one JSON object:
// CPU seconds per million events (the best of several rounds in which all take turns, so that a change of
// clock speed meets them all), bytes, and ratios to a floor measured in the same run: a copy of the same
// bytes. Usage: bench_event [EVENTS [ROUNDS]]. Exit 0, 70 when a result is wrong, 78 for bad arguments.
#include <stdio.h>

#include "common/event_write.h"
#include "tests/bench/measure.h"
#include "tests/bench/report.h"

enum { SAMPLES = 16, EVENT_MAX = 16384, KINDS = 3 };

struct sample {
    struct mf_event event;
    char numbers[6][24]; // of a bar
    char symbol[16], cause[MF_EVENT_ID_SIZE];
    struct mf_buf text;
};

static const char *const kinds[KINDS] = {"metric", "derived_bar", "alert"};
static struct sample samples[KINDS][SAMPLES];
static struct mf_buf out;
static bool wrong; // some candidate met a result that it should not

static void begin(struct sample *sample, enum mf_event_type type, unsigned number, uint64_t *random)
{
    struct mf_event *event = &sample->event;
    snprintf(sample->symbol, sizeof sample->symbol, "SYM%05u", number);
    snprintf(sample->cause, sizeof sample->cause, "%016llx%016llx",
             (unsigned long long)mf_random_next(random), (unsigned long long)mf_random_next(random));
    mf_event_init(event, type);
    event->symbol = mf_str_of(sample->symbol);
    event->asset_class = MF_ASSET_STOCK;
    event->source = MF_STR("processor");
    event->lane = MF_STR("live");
    event->event_time_us = INT64_C(1704205800000000) + number * MF_US_PER_MINUTE;
    event->ingest_time_us = event->event_time_us + 62113 * MF_US_PER_MS;
    event->mode = MF_MODE_REST;
}

// Prices with the digits that a mean leaves, ratios, percentages, volumes of minutes; 1d has no fewer.
static void fill_metric(struct sample *sample, unsigned number, uint64_t *random)
{
    begin(sample, MF_EVENT_METRIC, number, random);
    struct mf_metric_event *metric = &sample->event.metric;
    metric->interval = MF_INTERVAL_1M;
    metric->adjusted = MF_ADJUSTED_SPLIT;
    metric->bar_time_us = sample->event.event_time_us;
    metric->revision = 0;
    metric->parent_source = MF_STR("polygon");
    metric->cause = mf_str_of(sample->cause);
    metric->n_obs = 1000 + number;
    metric->market_regime = MF_STR("trend_up");
    metric->vol_regime = MF_STR("NORMAL");
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++) {
        bool daily =
            i == MF_METRIC_FIELD_SMA_200 || i == MF_METRIC_FIELD_HIGH_52W || i == MF_METRIC_FIELD_LOW_52W;
        if (daily)
            continue;
        bool price = (i >= MF_METRIC_FIELD_SMA_5 && i <= MF_METRIC_FIELD_EMA_26) ||
                     (i >= MF_METRIC_FIELD_BB_MID && i <= MF_METRIC_FIELD_BB_LOW);
        bool volume = i == MF_METRIC_FIELD_VOLUME_MEAN_20 || i == MF_METRIC_FIELD_VOLUME_SD_20;
        metric->present |= UINT64_C(1) << i;
        metric->values[i] = price    ? random_double(random, 20, 500)
                            : volume ? random_double(random, 1e4, 1e6)
                            : i % 3  ? random_double(random, -1, 1)
                                     : random_double(random, 0, 100);
    }
    metric->values[MF_METRIC_FIELD_VOLUME_SUM_15M] = (double)(mf_random_next(random) % 900000);
}

static void fill_bar(struct sample *sample, unsigned number, uint64_t *random)
{
    begin(sample, MF_EVENT_BAR, number, random);
    struct mf_bar *bar = &sample->event.bar;
    unsigned cents = 10000 + (unsigned)(mf_random_next(random) % 20000);
    bar->interval = MF_INTERVAL_5M;
    bar->window_end_us = sample->event.event_time_us + 5 * MF_US_PER_MINUTE;
    bar->session_date = mf_date_of_utc(sample->event.event_time_us);
    bar->session = MF_SESSION_REGULAR;
    bar->adjusted = MF_ADJUSTED_SPLIT;
    bar->parent_source = MF_STR("polygon");
    bar->revision = 0;
    bar->cause = mf_str_of(sample->cause);
    bar->trade_count = (int64_t)(mf_random_next(random) % 10000);
    struct mf_str *const texts[] = {&bar->open, &bar->high, &bar->low, &bar->close, &bar->vwap, &bar->volume};
    const unsigned steps[] = {5, 20, 0, 10, 8, 0};
    for (size_t i = 0; i < MF_ARRAY_LEN(texts); i++) {
        unsigned value = cents + steps[i];
        snprintf(sample->numbers[i], sizeof sample->numbers[i], i == 5 ? "%u" : "%u.%02u",
                 i == 5 ? cents * 7 : value / 100, value % 100);
        *texts[i] = mf_str_of(sample->numbers[i]);
    }
}

static void fill_alert(struct sample *sample, unsigned number, uint64_t *random)
{
    begin(sample, MF_EVENT_ALERT, number, random);
    struct mf_alert *alert = &sample->event.alert;
    alert->rule_id = MF_STR("volume_spike");
    alert->rule_version = MF_STR("1.5f2a90c1");
    alert->interval = MF_STR("1m");
    alert->adjusted = MF_ADJUSTED_SPLIT;
    alert->severity = MF_SEVERITY_WARNING;
    alert->direction = MF_DIRECTION_UP;
    alert->value = random_double(random, 3, 9);
    alert->threshold = 3;
    alert->baseline[0].name = MF_STR("mean");
    alert->baseline[0].value = random_double(random, 1e4, 1e6);
    alert->baseline[1].name = MF_STR("sd");
    alert->baseline[1].value = random_double(random, 1e3, 1e5);
    alert->baseline[2].name = MF_STR("n");
    alert->baseline[2].value = 20;
    alert->baseline_count = 3;
    alert->message = MF_STR("1m volume 41203.5 is 4.2 sd above its 20-bar mean 11000.5");
    alert->state = MF_ALERT_FIRING;
    alert->cooldown_until_us = sample->event.event_time_us + 15 * MF_US_PER_MINUTE;
    alert->revision = 0;
    alert->parent_source = MF_STR("polygon");
    alert->cause = mf_str_of(sample->cause);
}

static void copy(const struct sample *sample)
{
    mf_buf_clear(&out);
    wrong |= mf_buf_add(&out, sample->text.data, sample->text.len) != 0;
}

static void by_table(const struct sample *sample)
{
    mf_buf_clear(&out);
    wrong |= mf_event_encode_by_table(&sample->event, &out, NULL) != 0 || out.len != sample->text.len;
}

static void encode(const struct sample *sample)
{
    mf_buf_clear(&out);
    wrong |= mf_event_encode(&sample->event, &out, NULL) != 0 || out.len != sample->text.len;
}

static void init(const struct sample *sample)
{
    static struct mf_event event;
    mf_event_init(&event, sample->event.type);
    wrong |= event.event_time_us != INT64_MIN;
}

static struct candidate {
    const char *name;
    void (*run)(const struct sample *sample);
    double best_s[KINDS]; // per event
} candidates[] = {
    {"copy_floor", copy, {0}},
    {"by_table", by_table, {0}},
    {"encode", encode, {0}},
    {"init", init, {0}},
};

static void run_round(int64_t events)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++) {
            double start = cpu_seconds();
            for (int64_t n = 0; n < events; n++)
                candidates[i].run(&samples[kind][n % SAMPLES]);
            double seconds = (cpu_seconds() - start) / (double)events;
            double *best = &candidates[i].best_s[kind];
            if (*best <= 0 || seconds < *best)
                *best = seconds;
        }
    }
}

static void put_kind(struct mf_json_writer *w, size_t kind)
{
    size_t bytes = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        bytes += samples[kind][i].text.len;
    mf_jw_key(w, kinds[kind]);
    mf_jw_object_begin(w);
    put_number(w, "bytes", (double)bytes / SAMPLES);
    mf_jw_key(w, "cpu_s_per_million");
    mf_jw_object_begin(w);
    for (size_t i = 0; i < MF_ARRAY_LEN(candidates); i++)
        put_number(w, candidates[i].name, candidates[i].best_s[kind] * 1e6);
    mf_jw_object_end(w);
    mf_jw_key(w, "ratio_to_floor");
    mf_jw_object_begin(w);
    for (size_t i = 1; i < MF_ARRAY_LEN(candidates); i++)
        put_number(w, candidates[i].name, candidates[i].best_s[kind] / candidates[0].best_s[kind]);
    mf_jw_object_end(w);
    mf_jw_object_end(w);
}

static void print_report(int64_t events, int64_t rounds)
{
    struct mf_json_writer w;
    mf_buf_clear(&out);
    mf_jw_init(&w, &out);
    mf_jw_object_begin(&w);
    mf_jw_key(&w, "bench");
    mf_jw_c_string(&w, "event");
    put_number(&w, "events", (double)events);
    put_number(&w, "rounds", (double)rounds);
    put_number(&w, "metric_statistics", __builtin_popcountll(samples[0][0].event.metric.present));
    for (size_t kind = 0; kind < KINDS; kind++)
        put_kind(&w, kind);
    mf_jw_object_end(&w);
    puts(mf_buf_c_str(&out));
}

int main(int argc, char **argv)
{
    static void (*const fill[KINDS])(struct sample *, unsigned, uint64_t *) = {fill_metric, fill_bar,
                                                                               fill_alert};
    int64_t events = 100000, rounds = 7;
    if (argc > 3 || (argc > 1 && !take_number(argv[1], INT32_MAX, &events)) ||
        (argc > 2 && !take_number(argv[2], 1000, &rounds))) {
        fprintf(stderr, "usage: bench_event [EVENTS [ROUNDS]]\n");
        return MF_EXIT_CONFIG;
    }
    uint64_t random = 20240102;
    mf_buf_init(&out, EVENT_MAX);
    for (unsigned i = 0; i < KINDS * SAMPLES; i++) {
        struct sample *sample = &samples[i / SAMPLES][i % SAMPLES];
        fill[i / SAMPLES](sample, i % SAMPLES, &random);
        mf_buf_init(&sample->text, EVENT_MAX);
        wrong |= mf_event_encode_by_table(&sample->event, &sample->text, NULL) != 0;
    }
    for (int64_t i = 0; i < rounds && !wrong; i++)
        run_round(events);
    if (wrong)
        fprintf(stderr, "bench_event: a result is wrong\n");
    else
        print_report(events, rounds);
    for (unsigned i = 0; i < KINDS * SAMPLES; i++)
        mf_buf_free(&samples[i / SAMPLES][i % SAMPLES].text);
    mf_buf_free(&out);
    return wrong ? MF_EXIT_INTERNAL : MF_EXIT_OK;
}
