// SPDX-License-Identifier: Apache-2.0
// Metrics: exact exposition text of every type, escaping, the bound on series, and the table of common
// families.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/metrics_internal.h"

static const double bounds[] = {0.1, 1, 2.5};
static const struct mf_metric_def counter = {
    .name = "b_total", .type = MF_METRIC_COUNTER, .help = "A counter.", .labels = {"topic", "result"}};
static const struct mf_metric_def gauge = {
    .name = "a_ratio", .type = MF_METRIC_GAUGE, .help = "A \\ gauge\nof two."};
static const struct mf_metric_def histogram = {.name = "c_seconds",
                                               .type = MF_METRIC_HISTOGRAM,
                                               .help = "A histogram.",
                                               .labels = {"table"},
                                               .buckets = bounds,
                                               .bucket_count = MF_ARRAY_LEN(bounds)};
static const struct mf_metric_def summary = {
    .name = "d_seconds", .type = MF_METRIC_SUMMARY, .help = "A summary."};

struct fixture {
    struct mf_metrics *metrics;
    struct mf_buf out;
    int collected;
};

static int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof *f);
    f->metrics = mf_metrics_new();
    mf_buf_init(&f->out, 4 * 1024 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mf_metrics_free(&f->metrics);
    assert_null(f->metrics);
    mf_buf_free(&f->out);
    free(f);
    return 0;
}

static const char *render(struct fixture *f)
{
    mf_buf_clear(&f->out);
    assert_int_equal(mf_metrics_render(f->metrics, &f->out), 0);
    return mf_buf_c_str(&f->out);
}

static void every_type_is_exposed(void **state)
{
    struct fixture *f = *state;
    mf_metric_add(MF_METRIC(f->metrics, &counter, "raw", "ok"), 2);
    mf_metric_add(MF_METRIC(f->metrics, &counter, "raw", "ok"), 1);
    mf_metric_add(MF_METRIC(f->metrics, &counter, "raw", "error"), 0);
    mf_metric_set(MF_METRIC0(f->metrics, &gauge), 1.5);
    mf_metric_add(MF_METRIC0(f->metrics, &gauge), -2);
    struct mf_metric *h = MF_METRIC(f->metrics, &histogram, "bars");
    static const double seen[] = {0.1, 0.05, 0.11, 2.5, 3};
    for (size_t i = 0; i < MF_ARRAY_LEN(seen); i++)
        mf_metric_observe(h, seen[i]);
    static const char *const quantiles[] = {"0.5", "0.99"};
    static const double values[] = {0.002, 0.25};
    struct mf_metric *s = MF_METRIC0(f->metrics, &summary);
    mf_metric_summary(s, 1.25, 10, quantiles, values, 2);
    mf_metric_summary(s, 1, 5, quantiles, values, 2);
    assert_string_equal(render(f), "# HELP a_ratio A \\\\ gauge\\nof two.\n"
                                   "# TYPE a_ratio gauge\n"
                                   "a_ratio -0.5\n"
                                   "# HELP b_total A counter.\n"
                                   "# TYPE b_total counter\n"
                                   "b_total{topic=\"raw\",result=\"ok\"} 3\n"
                                   "b_total{topic=\"raw\",result=\"error\"} 0\n"
                                   "# HELP c_seconds A histogram.\n"
                                   "# TYPE c_seconds histogram\n"
                                   "c_seconds_bucket{table=\"bars\",le=\"0.1\"} 2\n"
                                   "c_seconds_bucket{table=\"bars\",le=\"1\"} 3\n"
                                   "c_seconds_bucket{table=\"bars\",le=\"2.5\"} 4\n"
                                   "c_seconds_bucket{table=\"bars\",le=\"+Inf\"} 5\n"
                                   "c_seconds_sum{table=\"bars\"} 5.76\n"
                                   "c_seconds_count{table=\"bars\"} 5\n"
                                   "# HELP d_seconds A summary.\n"
                                   "# TYPE d_seconds summary\n"
                                   "d_seconds{quantile=\"0.5\"} 0.002\n"
                                   "d_seconds{quantile=\"0.99\"} 0.25\n"
                                   "d_seconds_sum 2.25\n"
                                   "d_seconds_count 15\n");
    assert_true(mf_metric_value(h) == 5);
    assert_true(mf_metric_value(s) == 15);
    assert_true(mf_metric_value(MF_METRIC0(f->metrics, &gauge)) == -0.5);
}

static void numbers_are_those_of_prometheus(void **state MF_UNUSED)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-1, "-1"},
        {0.1, "0.1"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
        {1700000000.123, "1700000000.123"},
        {999999999999999, "999999999999999"},
        {1e21, "1e+21"},
        {0.0001, "0.0001"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(rows); i++) {
        char text[40];
        mf_metric_number(rows[i].value, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void label_values_are_escaped_and_cut(void **state)
{
    struct fixture *f = *state;
    mf_metric_add(MF_METRIC(f->metrics, &counter, "a\"b\\c\nd", "\xff"), 1);
    assert_non_null(strstr(render(f), "b_total{topic=\"a\\\"b\\\\c\\nd\",result=\"\\\\xff\"} 1\n"));

    char value[300];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    value[127] = '\xc3'; // the limit falls into a character
    value[128] = '\xa9';
    struct mf_metric *cut = MF_METRIC(f->metrics, &counter, value, "");
    assert_ptr_equal(cut, MF_METRIC(f->metrics, &counter, value, ""));
    value[127] = '\0';
    char expected[400];
    snprintf(expected, sizeof expected, "topic=\"%s\",result=\"\"}", value);
    assert_non_null(strstr(render(f), expected));
}

static void labels_do_not_run_together(void **state)
{
    struct fixture *f = *state;
    struct mf_metric *first = MF_METRIC(f->metrics, &counter, "ab", "c");
    struct mf_metric *second = MF_METRIC(f->metrics, &counter, "a", "bc");
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(first, MF_METRIC(f->metrics, &counter, "ab", "c"));
}

static void nan_is_counted_in_the_last_bucket(void **state)
{
    struct fixture *f = *state;
    mf_metric_observe(MF_METRIC(f->metrics, &histogram, "x"), NAN);
    assert_non_null(strstr(render(f), "le=\"2.5\"} 0\nc_seconds_bucket{table=\"x\",le=\"+Inf\"} 1\n"));
}

static void series_are_bounded(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3 * MF_METRIC_SERIES_MAX; i++) {
        char topic[24];
        snprintf(topic, sizeof topic, "topic-%d", i);
        mf_metric_add(MF_METRIC(f->metrics, &counter, topic, "ok"), 1);
    }
    struct mf_metric *other = MF_METRIC(f->metrics, &counter, "other", "other");
    assert_true(mf_metric_value(other) == 2 * MF_METRIC_SERIES_MAX + 1);
    size_t lines = 0;
    for (const char *at = render(f); (at = strstr(at, "\nb_total{")) != NULL; at++)
        lines++;
    assert_int_equal(lines, MF_METRIC_SERIES_MAX);

    // A removed series makes room; the pointer of another one stays good.
    struct mf_metric *kept = MF_METRIC(f->metrics, &counter, "topic-7", "ok");
    static const char *const gone[] = {"topic-5", "ok"};
    mf_metrics_remove(f->metrics, &counter, gone);
    mf_metrics_remove(f->metrics, &counter, gone);
    assert_null(strstr(render(f), "\"topic-5\""));
    mf_metric_add(kept, 4);
    assert_non_null(strstr(render(f), "b_total{topic=\"topic-7\",result=\"ok\"} 5\n"));
}

static void declared_families_show_before_their_first_event(void **state)
{
    struct fixture *f = *state;
    static const struct mf_metric_def defs[] = {
        {.name = "x_total", .type = MF_METRIC_COUNTER, .help = "X.", .labels = {"result"}},
        {.name = "y_rows", .type = MF_METRIC_HISTOGRAM, .help = "Y.", .buckets = bounds, .bucket_count = 1},
        {.name = "w_up", .type = MF_METRIC_GAUGE, .help = "W."},
    };
    mf_metrics_declare(f->metrics, defs, MF_ARRAY_LEN(defs));
    assert_string_equal(render(f), "# HELP w_up W.\n# TYPE w_up gauge\nw_up 0\n"
                                   "# HELP x_total X.\n# TYPE x_total counter\n"
                                   "# HELP y_rows Y.\n# TYPE y_rows histogram\n"
                                   "y_rows_bucket{le=\"0.1\"} 0\ny_rows_bucket{le=\"+Inf\"} 0\n"
                                   "y_rows_sum 0\ny_rows_count 0\n");
}

static void on_collect(void *arg)
{
    struct fixture *f = arg;
    f->collected++;
    mf_metric_set(MF_METRIC0(f->metrics, &gauge), f->collected);
}

static void collectors_run_before_each_render(void **state)
{
    struct fixture *f = *state;
    mf_metrics_on_collect(f->metrics, on_collect, f);
    mf_metrics_on_collect(f->metrics, on_collect, f);
    assert_non_null(strstr(render(f), "\na_ratio 2\n"));
    assert_non_null(strstr(render(f), "\na_ratio 4\n"));
}

static void overflow_is_reported(void **state)
{
    struct fixture *f = *state;
    struct mf_buf small;
    mf_buf_init(&small, 20);
    mf_metric_set(MF_METRIC0(f->metrics, &gauge), 1);
    assert_int_equal(mf_metrics_render(f->metrics, &small), -1);
    mf_buf_free(&small);
}

static double value_of(struct fixture *f, enum mf_common_metric id)
{
    return mf_metric_value(MF_METRIC0(f->metrics, &mf_common_metrics[id]));
}

static void process_values_are_plausible(void **state)
{
    struct fixture *f = *state;
    double before = (double)mf_clock_real_us() / 1e6;
    mf_metrics_add_process(f->metrics);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    render(f);
    double open_fds = value_of(f, MF_M_OPEN_FDS);
    assert_true(open_fds >= 5);
    close(fds[0]);
    close(fds[1]);
    render(f);
    assert_true(value_of(f, MF_M_OPEN_FDS) == open_fds - 2);
    assert_true(value_of(f, MF_M_MAX_FDS) >= open_fds);
    assert_true(value_of(f, MF_M_THREADS) >= 1 && value_of(f, MF_M_THREADS) < 100);
    assert_true(value_of(f, MF_M_RESIDENT_BYTES) >= 65536);
    assert_true(value_of(f, MF_M_VIRTUAL_BYTES) > value_of(f, MF_M_RESIDENT_BYTES));
    assert_true(value_of(f, MF_M_CPU_SECONDS) >= 0 && value_of(f, MF_M_CPU_SECONDS) < 3600);
    assert_true(value_of(f, MF_M_START_TIME) >= before - 1);
    assert_true(value_of(f, MF_M_START_TIME) <= (double)mf_clock_real_us() / 1e6);
}

// The rules of naming that a linter of the exposition checks (promtool check metrics).
static void common_table_is_sound(void **state)
{
    struct fixture *f = *state;
    mf_metrics_declare(f->metrics, mf_common_metrics, MF_M_COMMON_MAX);
    for (size_t i = 0; i < MF_M_COMMON_MAX; i++) {
        const struct mf_metric_def *def = &mf_common_metrics[i];
        assert_non_null(def->name);
        size_t len = strlen(def->name);
        bool total = len > 6 && strcmp(def->name + len - 6, "_total") == 0;
        assert_int_equal(total, def->type == MF_METRIC_COUNTER);
        assert_true(strncmp(def->name, "marketflow_", 11) == 0 || strncmp(def->name, "process_", 8) == 0);
        assert_int_equal(def->buckets != NULL, def->type == MF_METRIC_HISTOGRAM);
        for (size_t j = 1; def->buckets != NULL && j < def->bucket_count; j++)
            assert_true(def->buckets[j] > def->buckets[j - 1]);
        assert_int_equal(def->help[strlen(def->help) - 1], '.');
    }
    mf_buf_clear(&f->out);
    mf_metrics_markdown(&counter, 1, &f->out);
    assert_string_equal(mf_buf_c_str(&f->out),
                        "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
                        "| `b_total` | counter | `topic`, `result` | A counter. |\n");
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(every_type_is_exposed),
        cmocka_unit_test(numbers_are_those_of_prometheus),
        METRICS_TEST(label_values_are_escaped_and_cut),
        METRICS_TEST(labels_do_not_run_together),
        METRICS_TEST(nan_is_counted_in_the_last_bucket),
        METRICS_TEST(series_are_bounded),
        METRICS_TEST(declared_families_show_before_their_first_event),
        METRICS_TEST(collectors_run_before_each_render),
        METRICS_TEST(overflow_is_reported),
        METRICS_TEST(process_values_are_plausible),
        METRICS_TEST(common_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
