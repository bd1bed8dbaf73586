// SPDX-License-Identifier: Apache-2.0
// The process around the modes (see app.h).
#include "services/ingestor/app.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

enum { START_RETRY_MS = 500, DRAIN_CHECK_MS = 20 };

// The producer's queue fell below its low mark. It may do so before there is an engine.
static void on_room(void *arg)
{
    struct ing_app *app = arg;
    if (app->engine != NULL)
        ing_engine_room(app->engine);
}

static void on_fatal(void *arg, const struct mf_error *err)
{
    struct ing_app *app = arg;
    mf_service_fail(app->service, err, "publishing to Kafka");
}

static void on_limiter_fatal(void *arg, const struct mf_error *err)
{
    struct ing_app *app = arg;
    mf_service_fail(app->service, err, "following the request budget");
}

// ---------------------------------------------------------------- the start

static int wrong_partitions(const char *topic, int32_t found, int32_t wanted, struct mf_error *err)
{
    return mf_error_set(
        err, MF_ERROR_CONFIG, "partition_count",
        "%s has %d partitions and KAFKA_PARTITIONS is %d: symbols would go to other partitions than before. "
        "Set KAFKA_PARTITIONS=%d, or drain the pipeline and make the topics anew",
        topic, (int)found, (int)wanted, (int)found);
}

// Before the first record: the topics must be what the settings say.
static int check_partitions(struct ing_app *app, struct mf_error *err)
{
    const struct ing_config *config = &app->config;
    const char *const topics[] = {config->topic_raw, app->mode->topic(app), config->topic_dlq};
    for (size_t i = 0; i < MF_ARRAY_LEN(topics); i++) {
        int32_t found = 0;
        if (ing_publisher_partitions(app->publisher, topics[i], &found, err) < 0)
            return -1;
        if (found != config->partitions)
            return wrong_partitions(topics[i], found, config->partitions, err);
    }
    int32_t found = 0;
    if (ing_publisher_partitions(app->publisher, config->topic_watermarks, &found, err) < 0)
        return -1;
    return config->budget_shared ? ing_publisher_partitions(app->publisher, config->topic_budget, &found, err)
                                 : 0;
}

// A broker that is away, or topics that are made just now, are no reason to leave: not ready, and again soon.
// Said once per reason, not once per attempt.
static void wait_for(struct ing_app *app, const struct mf_error *err)
{
    bool other = strcmp(app->waiting.code, err->code) != 0;
    app->waiting = *err;
    if (other)
        mf_log_error(app->service->log, MF_LOG_WARNING, "start", "start_waits", err, "waiting for Kafka");
    mf_timer_arm_ms(app->start_timer, START_RETRY_MS);
}

static void on_start(void *arg)
{
    struct ing_app *app = arg;
    struct mf_error err;
    if (check_partitions(app, &err) < 0) {
        if (err.class == MF_ERROR_TRANSIENT || err.class == MF_ERROR_UNCERTAIN)
            wait_for(app, &err);
        else
            mf_service_fail(app->service, &err, "checking the topics");
        return;
    }
    app->checked = true;
    app->waiting.code[0] = '\0';
    if (!app->mode->asks_nothing)
        ing_limiter_start(app->limiter);
    ing_store_read(app->store);
}

// The last step of the start, and the end of each later reading. A stop that came first has the last word.
static void on_store_ready(void *arg)
{
    struct ing_app *app = arg;
    struct mf_error err;
    if (mf_service_state(app->service) == MF_SERVICE_DRAINING)
        return;
    if (app->begun) {
        app->mode->refreshed(app->state);
        return;
    }
    app->begun = true;
    if (app->mode->begin(app->state, &err) < 0)
        mf_service_fail(app->service, &err, "beginning to work");
}

static void on_store_error(void *arg, const struct mf_error *err)
{
    struct ing_app *app = arg;
    mf_service_fail(app->service, err, "reading the watermarks back");
}

static bool wants_watermark(void *arg, struct mf_str key)
{
    struct ing_app *app = arg;
    return app->mode->wants_watermark(app->state, key);
}

static void seen_watermark(void *arg, struct mf_str key, struct mf_str value)
{
    struct ing_app *app = arg;
    if (app->mode->seen_watermark != NULL)
        app->mode->seen_watermark(app->state, key, value);
}

// ---------------------------------------------------------------- the end

// Everything that was produced is acknowledged: watermarks that deliveries caused are among it.
static void on_drain_check(void *arg)
{
    struct ing_app *app = arg;
    bool acknowledged = app->requests_drained && ing_publisher_outstanding(app->publisher) == 0;
    if (acknowledged && app->left) {
        mf_service_drained(app->service);
        return;
    }
    if (acknowledged) {
        app->left = true;
        if (app->mode->leave != NULL)
            app->mode->leave(app->state);
    }
    mf_timer_arm_ms(app->drain_timer, acknowledged ? 0 : DRAIN_CHECK_MS);
}

void ing_app_requests_drained(struct ing_app *app)
{
    app->requests_drained = true;
}

void ing_app_drain(struct ing_app *app)
{
    mf_timer_cancel(app->start_timer);
    if (app->mode->drain != NULL)
        app->mode->drain(app->state);
    ing_engine_drain(app->engine);
    mf_timer_arm_ms(app->drain_timer, 0);
}

// ---------------------------------------------------------------- life

// Live mode never gives a series up; a job does, so that it ends.
static int make_engine(struct ing_app *app, const struct ing_driver *driver, struct mf_error *err)
{
    bool live = app->mode == &ing_mode_live;
    enum { RATE_LIMITED_MAX = 30 };
    struct ing_engine_config config = {
        .loop = app->service->loop,
        .log = app->service->log,
        .metrics = app->service->metrics,
        .config = &app->config,
        .calendar = app->calendar,
        .provider = &ing_polygon,
        .publisher = app->publisher,
        .limiter = app->limiter,
        .driver = *driver,
        .attempts_max = live ? 0 : app->config.retry_attempts,
        .rate_limited_max = live ? 0 : RATE_LIMITED_MAX,
    };
    return ing_engine_new(&config, &app->engine, err);
}

// The mode before the publisher and the engine: wrong arguments are found without a client being made.
static int make_parts(struct ing_app *app, int argc, char **argv, struct mf_error *err)
{
    struct ing_driver driver;
    struct ing_publisher_ops publisher_ops = {.on_room = on_room, .on_fatal = on_fatal, .arg = app};
    struct ing_store_ops store_ops = {.wants = wants_watermark,
                                      .seen = seen_watermark,
                                      .on_ready = on_store_ready,
                                      .on_error = on_store_error,
                                      .arg = app};
    ing_config_fill(app->service->settings, &app->config);
    if (mf_calendar_new(&app->calendar, err) < 0 ||
        app->mode->create(app, argc, argv, &app->state, &driver, err) < 0 ||
        ing_publisher_new(&app->kafka, &app->config, &publisher_ops, &app->publisher, err) < 0)
        return -1;
    app->store = ing_store_new(&app->kafka, app->config.topic_watermarks, &store_ops);
    struct ing_limiter_config limiter = {.kafka = &app->kafka,
                                         .config = &app->config,
                                         .provider = ing_polygon.name,
                                         .publisher = app->publisher,
                                         .on_fatal = on_limiter_fatal,
                                         .arg = app};
    app->limiter = ing_limiter_new(&limiter);
    return make_engine(app, &driver, err);
}

int ing_app_new(struct mf_service *service, const struct ing_mode *mode, int argc, char **argv,
                struct ing_app **app, struct mf_error *err)
{
    struct ing_app *made = mf_calloc(1, sizeof *made);
    *made = (struct ing_app){.service = service, .mode = mode};
    made->kafka = (struct mf_kafka_config){.loop = service->loop,
                                           .log = service->log,
                                           .metrics = service->metrics,
                                           .settings = service->settings,
                                           .client_id = "marketflow-ingestor",
                                           .instance = service->instance};
    ing_metrics_declare(service->metrics);
    made->start_timer = mf_timer_new(service->loop, on_start, made);
    made->drain_timer = mf_timer_new(service->loop, on_drain_check, made);
    if (make_parts(made, argc, argv, err) < 0) {
        ing_app_free(&made);
        return -1;
    }
    mf_timer_arm_ms(made->start_timer, 0);
    *app = made;
    return 0;
}

void ing_app_free(struct ing_app **app)
{
    struct ing_app *old = *app;
    if (old == NULL)
        return;
    *app = NULL;
    mf_timer_free(&old->start_timer);
    mf_timer_free(&old->drain_timer);
    // The mode's series live in the engine; its last words need the engine's totals.
    if (old->state != NULL)
        old->mode->free(&old->state);
    ing_engine_free(&old->engine);
    ing_limiter_free(&old->limiter);
    ing_store_free(&old->store);
    ing_publisher_free(&old->publisher);
    mf_calendar_free(&old->calendar);
    ing_config_free(&old->config);
    free(old);
}

int ing_app_reload(struct ing_app *app, const struct mf_settings *fresh, struct mf_error *err)
{
    struct ing_config config;
    ing_config_fill(fresh, &config);
    if (app->mode->reload != NULL && app->mode->reload(app->state, fresh, err) < 0) {
        ing_config_free(&config);
        return -1;
    }
    // In place: publisher and engine hold its address. The strings of the old one stay until the process
    // ends.
    ing_config_free(&app->config);
    app->config = config;
    ing_limiter_reconfigure(app->limiter, &app->config);
    ing_engine_reconfigure(app->engine, &app->config);
    if (ing_engine_is_parked(app->engine))
        ing_engine_resume(app->engine); // the key may be another one
    if (app->mode->reloaded != NULL)
        app->mode->reloaded(app->state);
    return 0;
}

void ing_app_check_ready(struct ing_app *app, struct mf_health *health)
{
    bool room = !ing_publisher_pressure(app->publisher);
    mf_health_add(health, "kafka", ing_publisher_connected(app->publisher), "%s",
                  ing_publisher_connected(app->publisher) ? "connected" : "no broker is up");
    mf_health_add(health, "queue", room, "%zu records are not acknowledged",
                  ing_publisher_outstanding(app->publisher));
    mf_health_add(health, "start", app->begun, "%s",
                  app->begun                       ? "done"
                  : app->waiting.code[0] != '\0'   ? app->waiting.message
                  : ing_store_is_ready(app->store) ? "beginning"
                                                   : "reading the watermarks back");
    bool parked = ing_engine_is_parked(app->engine);
    mf_health_add(health, "key", !parked, "%s",
                  parked ? "the provider rejected POLYGON_API_KEY" : "not rejected");
    ing_limiter_check_ready(app->limiter, health);
    ing_engine_check_ready(app->engine, health);
    if (app->mode->check_ready != NULL)
        app->mode->check_ready(app->state, health);
}

bool ing_app_is_alive(const struct ing_app *app)
{
    return ing_engine_is_alive(app->engine);
}

void ing_app_status(struct ing_app *app, char *text, size_t size)
{
    if (!app->begun) {
        snprintf(text, size, "%s: waiting: %s", app->mode->name,
                 app->waiting.code[0] != '\0' ? app->waiting.code : "the watermarks");
        return;
    }
    app->mode->status(app->state, text, size);
}

static bool save(struct ing_app *app, struct ing_batch *batch, const struct ing_work *work,
                 const char *run_id, struct mf_str value)
{
    struct mf_buf key;
    struct mf_error err;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_watermark_key(work, run_id, &key);
    bool queued = ing_publisher_watermark(app->publisher, batch, mf_buf_str(&key), value, &err) == 0;
    if (!queued)
        mf_log_error(app->service->log, MF_LOG_WARNING, "watermarks", "watermark_not_written", &err,
                     "saving a watermark");
    mf_buf_free(&key);
    return queued;
}

bool ing_app_save_mark(struct ing_app *app, struct ing_batch *batch, const struct ing_work *work,
                       const char *run_id, const struct ing_watermark *mark)
{
    struct mf_buf value;
    mf_buf_init(&value, ING_WATERMARK_MAX);
    ing_watermark_encode(mark, NULL, &value);
    bool queued = save(app, batch, work, run_id, mf_buf_str(&value));
    mf_buf_free(&value);
    return queued;
}

void ing_app_save_live(struct ing_app *app, const struct ing_work *work, const struct ing_mark *mark,
                       const struct ing_overlap *overlap)
{
    struct mf_buf value;
    mf_buf_init(&value, ING_WATERMARK_MAX);
    ing_mark_encode(mark, overlap, &value);
    save(app, NULL, work, NULL, mf_buf_str(&value));
    mf_buf_free(&value);
}
