// SPDX-License-Identifier: Apache-2.0
// Dead letters as marketflowctl dlq sees them: filters, what may be replayed, the run's name, what is
// printed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/ctl/letter.h"

struct scratch {
    struct mf_json *json;
    struct mf_event *event;
    struct mf_buf text;
    struct ctl_letter letter;
};

static int setup(void **state)
{
    struct scratch *s = mf_calloc(1, sizeof *s);
    s->json = mf_json_new();
    s->event = mf_alloc(sizeof *s->event);
    mf_buf_init(&s->text, MF_DEAD_LETTER_SIZE_MAX);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scratch *s = *state;
    mf_json_free(&s->json);
    free(s->event);
    mf_buf_free(&s->text);
    free(s);
    return 0;
}

// A letter as the sink would write it, read again from a message.
static const struct ctl_letter *letter_of(struct scratch *s, const char *topic, const char *reason,
                                          struct mf_str raw)
{
    struct mf_event event;
    mf_event_init(&event, MF_EVENT_DEAD_LETTER);
    event.symbol = MF_STR("_UNKNOWN");
    event.asset_class = MF_ASSET_STOCK;
    event.lane = MF_STR("live");
    event.source = topic != NULL ? MF_STR("processor") : MF_STR("polygon");
    event.event_time_us = event.ingest_time_us = INT64_C(1704205800000000);
    event.mode = MF_MODE_REST;
    event.dead_letter.stage = topic != NULL ? MF_STR("sink") : MF_STR("ingest");
    event.dead_letter.reason = mf_str_of(reason);
    event.dead_letter.detail = MF_STR("why\tnot");
    event.dead_letter.raw = raw;
    event.dead_letter.attempts = 1;
    event.dead_letter.origin = (struct mf_origin){.partition = -1, .offset = -1, .page = -1, .index = -1};
    if (topic != NULL) {
        event.dead_letter.origin.topic = mf_str_of(topic);
        event.dead_letter.origin.partition = 3;
        event.dead_letter.origin.offset = 17;
        event.dead_letter.origin.timestamp_ms = 5;
    } else {
        event.dead_letter.origin.provider = MF_STR("polygon");
        event.dead_letter.origin.feed = MF_STR("bars");
    }
    mf_buf_clear(&s->text);
    struct mf_error err;
    if (mf_event_encode(&event, &s->text, &err) != 0)
        fail_msg("%s", err.message);
    const struct mf_kafka_message message = {.topic = "market.dlq",
                                             .partition = 2,
                                             .offset = 40,
                                             .timestamp_ms = INT64_C(1704205800000),
                                             .value = mf_buf_str(&s->text)};
    ctl_letter_read(&message, s->json, s->event, &s->letter);
    assert_true(s->letter.readable);
    return &s->letter;
}

static void test_filters(void **state)
{
    const struct ctl_letter *letter = letter_of(*state, "market.alerts", "json_syntax", MF_STR("x"));
    static const struct {
        struct ctl_letter_options options;
        bool fits;
    } cases[] = {
        {{0}, true},
        {{.reason = "json_syntax"}, true},
        {{.reason = "json"}, false},
        {{.topic = "market.alerts"}, true},
        {{.topic = "market.metrics"}, false},
        {{.stage = "sink"}, true},
        {{.stage = "ingest"}, false},
        {{.since = "2024-01-02"}, true},
        {{.since = "2024-01-03"}, false},
        {{.until = "2024-01-02"}, false},
        {{.since = "2024-01-02T14:30:00.000Z", .until = "2024-01-02T14:30:00.001Z"}, true},
        {{.until = "2024-01-02T14:30:00.000Z"}, false}, // the end is not included
        {{.reason = "json_syntax", .topic = "market.alerts", .since = "2024-01-01", .until = "2024-02-01"},
         true},
        {{.reason = "json_syntax", .topic = "market.metrics"}, false},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ctl_letter_filter filter;
        struct mf_error err;
        assert_int_equal(ctl_letter_filter_parse(&cases[i].options, &filter, &err), 0);
        if (ctl_letter_fits(&filter, letter) != cases[i].fits)
            fail_msg("case %zu", i);
    }
    // What is no letter can be listed by its time, and fits nothing else.
    const struct ctl_letter unreadable = {.timestamp_ms = 10};
    struct ctl_letter_filter filter;
    assert_int_equal(ctl_letter_filter_parse(&(struct ctl_letter_options){0}, &filter, NULL), 0);
    assert_true(ctl_letter_fits(&filter, &unreadable));
    filter.since_ms = 11;
    assert_false(ctl_letter_fits(&filter, &unreadable));
    filter = (struct ctl_letter_filter){.until_ms = INT64_MAX, .reason = MF_STR("json_syntax")};
    assert_false(ctl_letter_fits(&filter, &unreadable));
}

static void test_filters_that_are_refused(void **state)
{
    (void)state;
    static const struct ctl_letter_options cases[] = {
        {.since = "yesterday"},
        {.until = "2024-13-01"},
        {.since = "2024-01-02", .until = "2024-01-02"},
        {.since = "2024-01-03", .until = "2024-01-02"},
        {.stage = "warehouse"},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        struct ctl_letter_filter filter;
        struct mf_error err;
        assert_int_equal(ctl_letter_filter_parse(&cases[i], &filter, &err), -1);
        assert_string_equal(err.code, "bad_arguments");
        assert_int_equal(err.class, MF_ERROR_CONFIG);
    }
}

static void run_of(const struct ctl_letter_options *options, char run[CTL_RUN_SIZE])
{
    struct ctl_letter_filter filter;
    assert_int_equal(ctl_letter_filter_parse(options, &filter, NULL), 0);
    ctl_letter_run(&filter, run);
}

static void test_run_is_the_filter(void **state)
{
    (void)state;
    static const struct ctl_letter_options filters[] = {
        {0},
        {.reason = "a"},
        {.topic = "a"},
        {.stage = "sink"},
        {.since = "2024-01-02"},
        {.until = "2024-01-02"},
        {.reason = "a", .topic = "a"},
    };
    char runs[MF_ARRAY_LEN(filters)][CTL_RUN_SIZE], again[CTL_RUN_SIZE];
    for (size_t i = 0; i < MF_ARRAY_LEN(filters); i++) {
        run_of(&filters[i], runs[i]);
        run_of(&filters[i], again);
        assert_string_equal(runs[i], again);
        assert_int_equal(strlen(runs[i]), CTL_RUN_SIZE - 1);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(runs[i], runs[j]);
    }
    // The same instant in another form is the same run.
    run_of(&(struct ctl_letter_options){.since = "2024-01-02T00:00:00.000Z"}, again);
    assert_string_equal(again, runs[4]);
}

static struct mf_settings *settings_of(void)
{
    char *environment[] = {NULL};
    struct mf_settings *settings = NULL;
    struct mf_buf problems;
    struct mf_error err;
    mf_buf_init(&problems, 4096);
    assert_int_equal(
        mf_settings_parse(&mf_settings_table_kafka, 1, environment, NULL, &settings, &problems, &err), 0);
    mf_buf_free(&problems);
    return settings;
}

static void test_what_may_be_replayed(void **state)
{
    struct scratch *s = *state;
    struct mf_settings *settings = settings_of();
    static char large[MF_DEAD_LETTER_RAW_MAX + 1];
    memset(large, 'x', sizeof large);
    const struct {
        const char *topic;
        struct mf_str raw;
        enum ctl_replay verdict;
    } cases[] = {
        {"market.raw", MF_STR("x"), CTL_REPLAY_YES},
        {"market.raw.backfill", MF_STR("x"), CTL_REPLAY_YES},
        {"market.metrics", MF_STR("\xff\xfe"), CTL_REPLAY_YES},
        {"market.metrics", {large, MF_DEAD_LETTER_RAW_MAX}, CTL_REPLAY_YES},
        {"market.metrics", {large, sizeof large}, CTL_REPLAY_CUT},
        {"market.metrics", MF_STR(""), CTL_REPLAY_EMPTY},
        {"market.dlq", MF_STR("x"), CTL_REPLAY_FOREIGN},
        {"market.processor.changelog", MF_STR("x"), CTL_REPLAY_FOREIGN},
        {"market.ingestor.watermarks", MF_STR("x"), CTL_REPLAY_FOREIGN},
        {"somebody.elses", MF_STR("x"), CTL_REPLAY_FOREIGN},
        {NULL, MF_STR("x"), CTL_REPLAY_INGEST},
    };
    for (size_t i = 0; i < MF_ARRAY_LEN(cases); i++) {
        const struct ctl_letter *letter = letter_of(s, cases[i].topic, "r", cases[i].raw);
        assert_string_equal(ctl_replay_name(ctl_letter_replay(letter, settings)),
                            ctl_replay_name(cases[i].verdict));
    }
    const struct ctl_letter unreadable = {.timestamp_ms = 1};
    assert_int_equal(ctl_letter_replay(&unreadable, settings), CTL_REPLAY_UNREADABLE);
    mf_settings_free(&settings);
}

static void test_printing(void **state)
{
    struct scratch *s = *state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    ctl_letter_print(letter_of(s, "market.alerts", "json_syntax", MF_STR("a\"b")), out);
    ctl_letter_print_json(&s->letter, true, out);
    ctl_letter_print_json(letter_of(s, NULL, "bad_time", MF_STR("\xff")), true, out);
    ctl_letter_print(&(struct ctl_letter){.partition = 1, .offset = 2}, out);
    fclose(out);
    assert_non_null(strstr(text, "2:40 "));
    assert_non_null(strstr(text, "market.alerts/3/17"));
    assert_non_null(strstr(text, "why not")); // no control character reaches a terminal
    assert_non_null(strstr(text, "\"raw_text\":\"a\\\"b\""));
    assert_non_null(strstr(text, "\"raw_base64\":\"/w==\""));
    assert_non_null(strstr(text, "\"origin\":{\"provider\":\"polygon\",\"feed\":\"bars\"}"));
    assert_non_null(strstr(text, "is no dead letter"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),           cmocka_unit_test(test_filters_that_are_refused),
        cmocka_unit_test(test_run_is_the_filter), cmocka_unit_test(test_what_may_be_replayed),
        cmocka_unit_test(test_printing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
