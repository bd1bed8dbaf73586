// SPDX-License-Identifier: Apache-2.0
// The fast way to read a metric against the tables: what it takes they take too, with the same event.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "event_fast_fixture.h"
#include "event_same.h"
#include "event_samples.h"

static int setup(void **state)
{
    static const struct fast_way way = {mf_event_fast_metric, mf_event_fast_read_metric,
                                        MF_EVENT_FAST_METRIC_ID_AT, same_metric_event};
    return fixture_new(state, &way);
}

static void test_samples_are_taken(void **state)
{
    struct fixture *f = *state;
    static const enum event_sample metrics[] = {SAMPLE_METRIC, SAMPLE_METRIC_COLD};
    for (size_t i = 0; i < MF_ARRAY_LEN(metrics); i++) {
        event_sample_fill(metrics[i], &f->event);
        encode(f);
        assert_true(takes(f, mf_buf_str(&f->text)));
        f->event.metric.symbol_name = MF_STR("Apple Inc.");
        f->event.metric.exchange = MF_STR("XNAS");
        f->event.metric.symbol_type = MF_STR("CS"); // the last text, nearly at the end
        encode(f);
        assert_true(takes(f, mf_buf_str(&f->text)));
    }
}

static void test_other_types_are_not_taken(void **state)
{
    struct fixture *f = *state;
    for (enum event_sample sample = 0; sample < SAMPLE_MAX; sample++) {
        event_sample_fill(sample, &f->event);
        encode(f);
        bool metric = f->event.type == MF_EVENT_METRIC;
        assert_int_equal(takes(f, mf_buf_str(&f->text)), metric);
        assert_int_equal(mf_event_decode(f->json, mf_buf_str(&f->text), &f->slow, NULL, &f->err), 0);
    }
}

static void test_a_cut_record_is_never_taken(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_METRIC, &f->event);
    f->event.metric.symbol_type = MF_STR("CS");
    encode(f);
    for (size_t len = 0; len < f->text.len; len++)
        assert_false(takes(f, (struct mf_str){f->text.data, len}));
}

// Of the sample with the fields of `event` below. Taken, or left to the tables, which take or refuse it.
static const struct {
    const char *from, *to;
    bool taken;
} variations[] = {
    {"\"ret_1\":0.25", "\"ret_1\":-0.25", true},
    {"\"ret_1\":0.25", "\"ret_1\":0", true},
    {"\"ret_1\":0.25", "\"ret_1\":-0", false},
    {"\"ret_1\":0.25", "\"ret_1\":0.250", false},
    {"\"ret_1\":0.25", "\"ret_1\":0.0", false},
    {"\"ret_1\":0.25", "\"ret_1\":00.25", false},
    {"\"ret_1\":0.25", "\"ret_1\":.25", false},
    {"\"ret_1\":0.25", "\"ret_1\":2e1", false},
    {"\"ret_1\":0.25", "\"ret_1\":0.12345678", true},
    {"\"ret_1\":0.25", "\"ret_1\":0.123456789", false},
    {"\"ret_1\":0.25", "\"ret_1\":1234567.12345678", true},
    {"\"ret_1\":0.25", "\"ret_1\":12345678.12345678", false}, // 16 significant digits
    {"\"ret_1\":0.25", "\"ret_1\":999999999999999", true},
    {"\"ret_1\":0.25", "\"ret_1\":1000000000000000", false},
    {"\"ret_1\":0.25", "\"ret_1\":null", false},
    {"\"ret_1\":0.25", "\"ret_1\": 0.25", false},
    {"\"ret_1\":0.25", "\"ret_1\":0.25,\"ret_1\":0.25", false},
    {"\"ret_1\":0.25", "\"sma_5\":1,\"ret_1\":0.25", false}, // another order
    {",\"ret_1\":0.25", "", true},
    {"\"warmup\":false", "\"warmup\":true", true},
    {"\"warmup\":false", "\"warmup\":null", false},
    {"\"revision\":0", "\"revision\":2147483647", true},
    {"\"revision\":0", "\"revision\":2147483648", false},
    {"\"revision\":0", "\"revision\":-1", false},
    {"\"n_obs\":300", "\"n_obs\":2147483648", false},
    {"\"n_obs\":300", "\"n_obs\":0300", false},
    {"\"source\":\"processor\"", "\"source\":\"polygon\"", false}, // a metric is made
    {"\"parent_source\":\"polygon\"", "\"parent_source\":\"nobody\"", false},
    {"\"vol_regime\":\"LOW\"", "\"vol_regime\":\"\"", true},
    {"\"vol_regime\":\"LOW\"", "\"vol_regime\":\"0123456789012345678901234567890123\"", false},
    {"\"vol_regime\":\"LOW\"", "\"vol_regime\":\"L\\u004fW\"", false},
    {"\"vol_regime\":\"LOW\"", "\"vol_regime\":\"L\xc3\xb6W\"", false},
    {"\"vol_regime\":\"LOW\"", "\"vol_regime\":\"LOW\",\"later\":1", false},
};

static void replace(struct fixture *f, const char *from, const char *to)
{
    const char *text = mf_buf_c_str(&f->text), *at = strstr(text, from);
    if (at == NULL)
        fail_msg("no %s in %s", from, text);
    replace_at(f, at, strlen(from), to);
}

static void test_a_variation_is_taken_or_left_to_the_tables(void **state)
{
    struct fixture *f = *state;
    event_sample_fill(SAMPLE_METRIC_COLD, &f->event);
    struct mf_metric_event *metric = &f->event.metric;
    metric->n_obs = 300;
    metric->warmup = false;
    metric->present = UINT64_C(1) << MF_METRIC_FIELD_RET_1;
    metric->values[MF_METRIC_FIELD_RET_1] = 0.25;
    metric->vol_regime = MF_STR("LOW");
    encode(f);
    for (size_t i = 0; i < MF_ARRAY_LEN(variations); i++) {
        replace(f, variations[i].from, variations[i].to);
        if (give_id(f, &f->other) != variations[i].taken)
            fail_msg("%s for %s", variations[i].to, variations[i].from);
        assert_int_equal(takes(f, mf_buf_str(&f->other)), variations[i].taken);
    }
}

// ---- random metrics

enum { METRICS = 2000, MUTATIONS = 8 };

static void random_metric(uint64_t *random, struct mf_event *event)
{
    event_sample_fill(SAMPLE_METRIC_COLD, event);
    struct mf_metric_event *metric = &event->metric;
    static const char *const regimes[] = {"HIGH", "trend_up", "a very long name of 32 bytes long"};
    metric->present = mf_random_next(random) & ((UINT64_C(1) << MF_METRIC_FIELD_MAX) - 1);
    for (unsigned i = 0; i < MF_METRIC_FIELD_MAX; i++) {
        double scale = 1;
        for (uint64_t j = below(random, 14); j > 0; j--)
            scale *= 10;
        metric->values[i] = ((double)(mf_random_next(random) >> 11) / 0x1p53 - 0.5) * scale;
    }
    metric->n_obs = (uint32_t)below(random, INT32_MAX);
    metric->revision = (int)below(random, INT32_MAX);
    metric->warmup = below(random, 2) == 0;
    metric->interval = (enum mf_interval)below(random, MF_INTERVAL_MAX);
    metric->adjusted = (enum mf_adjusted)below(random, MF_ADJUSTED_MAX);
    event->flags = (unsigned)below(random, MF_FLAG_ALL + 1u);
    if (below(random, 2) == 0)
        metric->vol_regime = mf_str_of(regimes[below(random, 2)]);
    if (below(random, 2) == 0)
        metric->market_regime = mf_str_of(regimes[below(random, 2)]);
    if (below(random, 2) == 0)
        metric->symbol_name = MF_STR("A name, with (marks) & more");
    if (below(random, 2) == 0)
        metric->symbol_type = MF_STR("CS");
}

static void test_random_metrics_are_taken(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = mf_random_seed(), random = seed;
    for (int i = 0; i < METRICS; i++) {
        random_metric(&random, &f->event);
        encode(f);
        if (!takes(f, mf_buf_str(&f->text)))
            fail_msg("seed %" PRIu64 ": not taken: %s", seed, mf_buf_c_str(&f->text));
    }
}

static void test_mutated_metrics_are_never_taken_wrongly(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = mf_random_seed(), random = seed;
    unsigned taken = 0;
    for (int i = 0; i < METRICS; i++) {
        random_metric(&random, &f->event);
        encode(f);
        for (int j = 0; j < MUTATIONS; j++) {
            mutate(&random, &f->text, &f->other);
            takes(f, mf_buf_str(&f->other));
            if (!give_id(f, &f->other))
                continue;
            taken++;
            if (!takes(f, mf_buf_str(&f->other)))
                fail_msg("seed %" PRIu64 ": its own id is not taken: %s", seed, mf_buf_c_str(&f->other));
        }
    }
    assert_true(taken > METRICS / 10); // digits became other digits
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_types_are_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_cut_record_is_never_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_variation_is_taken_or_left_to_the_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_metrics_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutated_metrics_are_never_taken_wrongly, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
