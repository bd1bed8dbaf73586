// SPDX-License-Identifier: Apache-2.0
// What all modes of the ingestor share: settings, clients, the start in order (partitions compared,
// watermarks read back, then the mode begins), health. A mode (live.c, backfill.c) decides what is asked for.
#ifndef ING_APP_H
#define ING_APP_H

#include "common/service.h"
#include "services/ingestor/engine.h"
#include "services/ingestor/settings.h"
#include "services/ingestor/watermark.h"
#include "services/ingestor/watermarks.h"

struct ing_app;

struct ing_mode {
    const char *name;
    enum ing_feed feed; // of a backfill
    bool asks_nothing;  // of the provider: the budget is not read
    // Fills state and the driver. CONFIG for arguments.
    int (*create)(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                  struct mf_error *err);
    // Topic that must have as many partitions as KAFKA_PARTITIONS says.
    const char *(*topic)(const struct ing_app *app);
    bool (*wants_watermark)(void *state, struct mf_str key);
    // Every record of a wanted key, in order; absent value = tombstone. May be NULL.
    void (*seen_watermark)(void *state, struct mf_str key, struct mf_str value);
    int (*begin)(void *state, struct mf_error *err); // the watermarks are there
    void (*refreshed)(void *state);                  // they were read again; NULL when they never are
    void (*drain)(void *state);                      // before the engine's requests stop; may be NULL
    void (*leave)(void *state);                      // all is acknowledged: the last records; may be NULL
    int (*reload)(void *state, const struct mf_settings *fresh, struct mf_error *err); // may be NULL
    void (*reloaded)(void *state); // the new settings, and the key, are in place; may be NULL
    void (*check_ready)(void *state, struct mf_health *health); // may be NULL
    void (*status)(void *state, char *text, size_t size);
    void (*free)(void **state);
};

struct ing_app {
    struct mf_service *service;
    struct ing_config config;
    struct mf_calendar *calendar;
    struct mf_kafka_config kafka;
    struct ing_publisher *publisher;
    struct ing_limiter *limiter;
    struct ing_engine *engine;
    struct ing_store *store;
    const struct ing_mode *mode;
    void *state;
    struct mf_timer *start_timer, *drain_timer;
    struct mf_error waiting; // what the start waits for; no code = for nothing
    bool checked, begun, requests_drained, left;
};

int ing_app_new(struct mf_service *service, const struct ing_mode *mode, int argc, char **argv,
                struct ing_app **app, struct mf_error *err);
void ing_app_free(struct ing_app **app);
void ing_app_drain(struct ing_app *app);
int ing_app_reload(struct ing_app *app, const struct mf_settings *fresh, struct mf_error *err);
void ing_app_check_ready(struct ing_app *app, struct mf_health *health);
bool ing_app_is_alive(const struct ing_app *app);
void ing_app_status(struct ing_app *app, char *text, size_t size);
// For a mode's driver: the requests have stopped, outstanding records are waited for.
void ing_app_requests_drained(struct ing_app *app);

// Writes a series' watermark. False: it could not be queued, which is no loss where the next one makes up for
// it.
bool ing_app_save_mark(struct ing_app *app, struct ing_batch *batch, const struct ing_work *work,
                       const char *run_id, const struct ing_watermark *mark);
void ing_app_save_live(struct ing_app *app, const struct ing_work *work, const struct ing_mark *mark,
                       const struct ing_overlap *overlap); // overlap may be NULL

extern const struct ing_mode ing_mode_live, ing_mode_warmup, ing_mode_abandon, ing_mode_contracts;
extern const struct ing_mode ing_modes_backfill[ING_FEED_MAX];

#endif
