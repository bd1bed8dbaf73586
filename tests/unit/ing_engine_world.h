// SPDX-License-Identifier: Apache-2.0
// What the tests of a running engine share: a mock cluster, a scripted provider, and between them publisher,
// limiter and engine, as the ingestor puts them together. Header only, because the helper library of the unit
// tests is linked to no service. Include it behind what cmocka.h wants.
#ifndef MF_TEST_ING_ENGINE_WORLD_H
#define MF_TEST_ING_ENGINE_WORLD_H

#include <stdio.h>

#include "services/ingestor/engine.h"
#include "tests/unit/http_script.h"
#include "tests/unit/ing_support.h"
#include "tests/unit/kafka_mock.h"

#include <cmocka.h>

enum { ENGINE_WORLD_PARTITIONS = 2 };

struct engine_world {
    struct kafka_world *kafka;
    struct http_script *script;
    struct mf_calendar *calendar;
    struct ing_config config; // of begin; a test changes what it is about before it opens the engine
    struct ing_publisher *publisher;
    struct ing_limiter *limiter;
    struct ing_engine *engine;
    char base_url[64];
};

// ---------------------------------------------------------------- a driver that publishes all and asks for
// none

static inline bool engine_world_publish(void *arg, struct ing_series *series, const struct ing_page *page,
                                        struct mf_event *event)
{
    (void)arg, (void)series, (void)page, (void)event;
    return true;
}

static inline void engine_world_page_done(void *arg, struct ing_series *series,
                                          const struct ing_page_result *result)
{
    (void)arg, (void)series, (void)result;
}

static inline void engine_world_page_failed(void *arg, struct ing_series *series)
{
    (void)arg, (void)series;
}

static inline void engine_world_error(void *arg, const struct mf_error *err)
{
    (void)arg;
    fail_msg("%s", err->message);
}

static inline void engine_world_nothing(void *arg)
{
    (void)arg;
}

// A test puts its own functions where it looks.
static inline struct ing_driver engine_world_driver(void *arg)
{
    return (struct ing_driver){.prepare = engine_world_publish,
                               .page_done = engine_world_page_done,
                               .page_failed = engine_world_page_failed,
                               .key_rejected = engine_world_error,
                               .drained = engine_world_nothing,
                               .topic = "raw",
                               .lane = "backfill:t",
                               .arg = arg};
}

// ---------------------------------------------------------------- life

static inline void engine_world_on_room(void *arg)
{
    struct engine_world *w = arg;
    if (w->engine != NULL)
        ing_engine_room(w->engine);
}

static inline struct ing_config engine_world_config(struct engine_world *w)
{
    static const char *const hosts[] = {"api.massive.com", NULL};
    snprintf(w->base_url, sizeof w->base_url, "http://127.0.0.1:%d", http_script_port(w->script));
    return (struct ing_config){.base_url = w->base_url,
                               .api_key = "s3cret",
                               .allowed_hosts = hosts,
                               .rate_limit_wait_ms = 10,
                               .connect_timeout_ms = 5000,
                               .request_timeout_ms = 20000,
                               .low_speed_timeout_ms = 20000,
                               .body_max = (size_t)1024 * 1024,
                               .retry_base_ms = 5,
                               .retry_max_ms = 10,
                               .parallel = 4,
                               .pages_max = 100,
                               .partitions = ENGINE_WORLD_PARTITIONS,
                               .topic_dlq = "dlq",
                               .topic_watermarks = "marks"};
}

// Cluster, provider and the configuration; answer gets arg. setting: one more of the producer, or NULL.
static inline void engine_world_begin_with(struct engine_world *w, http_script_fn answer, void *arg,
                                           const char *setting)
{
    const char *const settings[] = {"KAFKA_PARTITIONS=2", "KAFKA_MESSAGE_TIMEOUT_MS=5000", setting, NULL};
    struct mf_error err;
    w->kafka = kafka_world_new(1, settings);
    kafka_mock_topic(w->kafka, "raw", ENGINE_WORLD_PARTITIONS);
    kafka_mock_topic(w->kafka, "dlq", ENGINE_WORLD_PARTITIONS);
    w->script = http_script_new(w->kafka->loop, answer, arg);
    assert_int_equal(mf_calendar_new(&w->calendar, &err), 0);
    w->config = engine_world_config(w);
}

static inline void engine_world_begin(struct engine_world *w, http_script_fn answer, void *arg)
{
    engine_world_begin_with(w, answer, arg, NULL);
}

// Publisher, limiter and engine.
static inline void engine_world_open(struct engine_world *w, const struct ing_driver *driver,
                                     unsigned attempts_max)
{
    const struct ing_publisher_ops ops = {
        .on_room = engine_world_on_room, .on_fatal = engine_world_error, .arg = w};
    const struct ing_limiter_config limiter = {
        .kafka = &w->kafka->kafka, .config = &w->config, .provider = "polygon"};
    struct mf_error err;
    if (w->publisher == NULL) {
        assert_int_equal(ing_publisher_new(&w->kafka->kafka, &w->config, &ops, &w->publisher, &err), 0);
        w->limiter = ing_limiter_new(&limiter);
    }
    const struct ing_engine_config setup = {.loop = w->kafka->loop,
                                            .log = w->kafka->log,
                                            .metrics = w->kafka->metrics,
                                            .config = &w->config,
                                            .calendar = w->calendar,
                                            .provider = &ing_polygon,
                                            .publisher = w->publisher,
                                            .limiter = w->limiter,
                                            .driver = *driver,
                                            .attempts_max = attempts_max};
    assert_int_equal(ing_engine_new(&setup, &w->engine, &err), 0);
}

static inline void engine_world_end(struct engine_world *w)
{
    ing_engine_free(&w->engine);
    ing_limiter_free(&w->limiter);
    ing_publisher_free(&w->publisher);
    http_script_free(&w->script);
    mf_calendar_free(&w->calendar);
    kafka_world_free(&w->kafka);
}

#endif
