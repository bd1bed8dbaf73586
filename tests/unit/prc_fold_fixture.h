// SPDX-License-Identifier: Apache-2.0
// For tests of the fold: one live and one backfill partition, events made and fed, what came out. Rules are
// off but for those that a test switches on. Include after cmocka.h.
#ifndef MF_TESTS_PRC_FOLD_FIXTURE_H
#define MF_TESTS_PRC_FOLD_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "common/calendar.h"
#include "services/processor/fold.h"

struct out {
    enum mf_topic_role role;
    char *key, *value;
    unsigned revision, flags;
    bool origin, joined;
};

struct fixture {
    struct prc_fold_config config;
    struct mf_calendar *calendar;
    struct prc_fold *fold;
    struct prc_partition *live, *backfill;
    struct out *outs;
    size_t count, capacity;
    int64_t offset;
    bool replay;   // feed without outputs
    bool replayed; // what is fed carries the header of a dead letter
};

static void on_output(void *arg, const struct prc_output *output)
{
    struct fixture *f = arg;
    if (f->count == f->capacity) {
        f->capacity = f->capacity == 0 ? 256 : f->capacity * 2;
        f->outs = mf_realloc(f->outs, f->capacity * sizeof(*f->outs));
    }
    f->outs[f->count++] = (struct out){.role = output->role,
                                       .key = mf_strndup(output->key),
                                       .value = mf_strndup(output->value),
                                       .revision = output->revision,
                                       .flags = output->flags,
                                       .origin = output->origin != NULL,
                                       .joined = output->joined != NULL};
}

static MF_UNUSED void forget(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->outs[i].key);
        free(f->outs[i].value);
    }
    f->count = 0;
}

// A fold and partitions anew, under f->config.
static MF_UNUSED void restart(struct fixture *f)
{
    forget(f);
    prc_fold_free(&f->fold);
    prc_partition_free(&f->live);
    prc_partition_free(&f->backfill);
    prc_rule_config_prepare(&f->config.rules);
    f->fold = prc_fold_new(&f->config);
    f->live = prc_partition_new(MF_TOPIC_RAW, 3, 8);
    f->backfill = prc_partition_new(MF_TOPIC_RAW_BACKFILL, 3, 8);
    f->offset = 0;
}

static MF_UNUSED int setup(void **state)
{
    struct fixture *f = mf_calloc(1, sizeof(*f));
    struct mf_error err;
    assert_int_equal(mf_calendar_new(&f->calendar, &err), 0);
    f->config.calendar = f->calendar;
    f->config.lateness_us = 10 * MF_US_PER_SECOND;
    f->config.rollups = true;
    f->config.rules.cooldown_us = 15 * MF_US_PER_MINUTE;
    f->config.rules.cluster_ratio = 3;
    for (int r = 0; r < PRC_RULE_MAX; r++)
        snprintf(f->config.rules.versions[r], sizeof(f->config.rules.versions[r]), "1.00000000");
    f->config.rules.keywords[0] = "merger";
    f->config.rules.keywords[1] = "earnings";
    f->config.rules.keyword_count = 2;
    restart(f);
    *state = f;
    return 0;
}

static MF_UNUSED int teardown(void **state)
{
    struct fixture *f = *state;
    forget(f);
    free(f->outs);
    prc_fold_free(&f->fold);
    prc_partition_free(&f->live);
    prc_partition_free(&f->backfill);
    mf_calendar_free(&f->calendar);
    free(f);
    return 0;
}

static MF_UNUSED void switch_on(struct fixture *f, enum prc_rule rule, double info, double warning,
                                double critical)
{
    for (int i = 0; i < MF_INTERVAL_MAX; i++)
        f->config.rules.thresholds[rule][i] = (struct prc_thresholds){{info, warning, critical}};
    restart(f);
}

static MF_UNUSED void feed_bytes(struct fixture *f, enum mf_topic_role role, struct mf_str value,
                                 int64_t timestamp_ms)
{
    struct prc_input input = {.topic = role == MF_TOPIC_RAW ? "market.raw" : "market.raw.backfill",
                              .offset = f->offset++,
                              .timestamp_ms = timestamp_ms,
                              .value = value,
                              .replayed = f->replayed};
    prc_fold_record(f->fold, role == MF_TOPIC_RAW ? f->live : f->backfill, &input,
                    f->replay ? NULL : on_output, f);
}

static MF_UNUSED void feed_to(struct fixture *f, enum mf_topic_role role, const struct mf_event *event)
{
    struct mf_buf text;
    struct mf_error err;
    mf_buf_init(&text, MF_EVENT_SIZE_MAX);
    if (mf_event_encode(event, &text, &err) < 0)
        fail_msg("%s: %s", err.code, err.message);
    feed_bytes(f, role, mf_buf_str(&text), 1704205863000);
    mf_buf_free(&text);
}

// To the topic of its lane.
static MF_UNUSED void feed(struct fixture *f, const struct mf_event *event)
{
    feed_to(f, mf_str_eq_c(event->lane, "live") ? MF_TOPIC_RAW : MF_TOPIC_RAW_BACKFILL, event);
}

#define OPEN_US (INT64_C(1704205800) * MF_US_PER_SECOND) // 2024-01-02T14:30:00Z, a regular open

static MF_UNUSED struct mf_event make_event(enum mf_event_type type, const char *symbol, const char *lane,
                                            int64_t time_us)
{
    struct mf_event event;
    mf_event_init(&event, type);
    event.symbol = mf_str_of(symbol);
    event.asset_class = MF_ASSET_STOCK;
    event.source = MF_STR("polygon");
    event.lane = mf_str_of(lane);
    event.event_time_us = time_us;
    event.ingest_time_us = time_us + 61 * MF_US_PER_SECOND;
    event.mode = MF_MODE_REST;
    return event;
}

// A bar of 2024-01-02 (regular) that begins `start_us` and knows one price.
static MF_UNUSED struct mf_event make_bar_at(const char *symbol, const char *lane, enum mf_interval interval,
                                             int64_t start_us, const char *price)
{
    struct mf_event event = make_event(MF_EVENT_BAR, symbol, lane, start_us);
    event.bar.interval = interval;
    event.bar.window_end_us = start_us + mf_interval_us(interval);
    event.ingest_time_us = event.bar.window_end_us + MF_US_PER_SECOND;
    event.bar.session_date = (struct mf_date){2024, 1, 2};
    event.bar.session = MF_SESSION_REGULAR;
    event.bar.open = event.bar.high = event.bar.low = event.bar.close = mf_str_of(price);
    event.bar.volume = MF_STR("5000");
    event.bar.adjusted = MF_ADJUSTED_SPLIT;
    event.bar.vendor_ms = event.event_time_us / 1000;
    return event;
}

static MF_UNUSED struct mf_event make_bar(const char *symbol, const char *lane, int minute, const char *price)
{
    return make_bar_at(symbol, lane, MF_INTERVAL_1M, OPEN_US + minute * MF_US_PER_MINUTE, price);
}

static MF_UNUSED struct mf_event make_heartbeat(const char *lane, const char *feed_name,
                                                int64_t complete_to_us)
{
    struct mf_event event = make_event(MF_EVENT_HEARTBEAT, NULL, lane, complete_to_us);
    event.heartbeat.feed_count = 1;
    event.heartbeat.feeds[0].name = mf_str_of(feed_name);
    event.heartbeat.feeds[0].complete_to_us = complete_to_us;
    event.heartbeat.clock_us = complete_to_us + MF_US_PER_SECOND;
    return event;
}

static MF_UNUSED size_t count_role(const struct fixture *f, enum mf_topic_role role)
{
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        count += f->outs[i].role == role;
    return count;
}

// Has the payload this member, written as in "\"open\":1.5"?
static MF_UNUSED bool says(const struct out *out, const char *member)
{
    const char *at = strstr(out->value, member);
    return at != NULL && (at[strlen(member)] == ',' || at[strlen(member)] == '}');
}

// The index-th output of the role whose payload has all the members; NULL when there are not so many.
static MF_UNUSED const struct out *find_out(const struct fixture *f, enum mf_topic_role role, size_t index,
                                            const char *member, const char *second)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->outs[i].role == role && (member == NULL || says(&f->outs[i], member)) &&
            (second == NULL || says(&f->outs[i], second)) && index-- == 0)
            return &f->outs[i];
    return NULL;
}

// Text of a string member, "" when it is not there; until the next call.
static MF_UNUSED const char *text_of(const struct out *out, const char *name)
{
    static char text[256];
    char member[64];
    int len = snprintf(member, sizeof(member), "\"%s\":\"", name);
    const char *at = strstr(out->value, member);
    text[0] = '\0';
    if (at != NULL && sscanf(at + len, "%255[^\"]", text) != 1)
        text[0] = '\0';
    return text;
}

// Every output but the dead letters is an event that can be read.
static MF_UNUSED void check_valid(const struct fixture *f)
{
    struct mf_json *json = mf_json_new();
    for (size_t i = 0; i < f->count; i++) {
        struct mf_event event;
        struct mf_error err;
        if (mf_event_decode(json, mf_str_of(f->outs[i].value), &event, NULL, &err) < 0)
            fail_msg("%s in %s", err.message, f->outs[i].value);
    }
    mf_json_free(&json);
}

#endif
