// SPDX-License-Identifier: Apache-2.0
// The end of a backfill run: once it is complete, its lane is closed on every partition, then its record says
// so; and `backfill --abandon`. The order matters: a process killed in between leaves a run that is not
// complete, and the next start closes the lane again, which does nothing to a lane that is closed. A run that
// is not complete keeps its lane: what the next start brings is folded onto what is there.
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "services/ingestor/backfill_private.h"

enum { RETRY_MS = 100 };

static int send_run(struct ing_app *app, struct ing_batch *batch, const char *run_id,
                    const struct ing_run *run, struct mf_error *err)
{
    struct mf_buf key;
    struct mf_buf value;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    mf_buf_init(&value, (size_t)64 * 1024);
    ing_run_key(run_id, &key);
    ing_run_encode(run, &value);
    int result = ing_publisher_watermark(app->publisher, batch, mf_buf_str(&key), mf_buf_str(&value), err);
    mf_buf_free(&key);
    mf_buf_free(&value);
    return result;
}

void ing_backfill_save_run(struct backfill *backfill)
{
    struct mf_error err;
    if (send_run(backfill->app, NULL, backfill->args.run_id, &backfill->run, &err) < 0)
        mf_log_error(backfill->app->service->log, MF_LOG_WARNING, "watermarks", "watermark_not_written", &err,
                     "saving the run");
}

// ---------------------------------------------------------------- lane end

// One partition after the other; -1 when the queue is full: from there on again.
static int send_lane_end(struct ing_app *app, struct ing_batch *batch, const char *lane,
                         int32_t *next_partition, struct mf_error *err)
{
    struct mf_event event;
    int64_t now_us = mf_clock_real_us();
    now_us -= now_us % MF_US_PER_MS;
    mf_event_init(&event, MF_EVENT_HEARTBEAT);
    event.asset_class = MF_ASSET_STOCK;
    event.source = mf_str_of(ing_polygon.name);
    event.lane = mf_str_of(lane);
    event.event_time_us = event.ingest_time_us = now_us;
    event.mode = MF_MODE_REST;
    event.heartbeat.clock_us = now_us;
    event.heartbeat.lane_end = true;
    for (; *next_partition < app->config.partitions; ++*next_partition) {
        if (ing_publisher_heartbeat(app->publisher, batch, app->config.topic_backfill, *next_partition,
                                    &event, err) < 0)
            return -1;
    }
    return 0;
}

static void finish_with(struct backfill *backfill, int exit_code, const char *reason)
{
    backfill->finished = true;
    mf_timer_cancel(backfill->progress_timer);
    ing_backfill_progress(backfill);
    mf_service_finish(backfill->app->service, exit_code, reason);
}

// The batches of the end, one after the other. What the queue has no room for waits: a record that is passed
// over would be acknowledged by nobody, and the run would say more than it did.
static void send_on(struct backfill *backfill)
{
    struct mf_error err;
    if (backfill->send(backfill, &err) < 0)
        mf_timer_arm_ms(backfill->finish_timer, RETRY_MS);
    else
        ing_batch_seal(backfill->batch);
}

static void begin_batch(struct backfill *backfill,
                        int (*send)(struct backfill *backfill, struct mf_error *err), ing_batch_fn done)
{
    backfill->batch = ing_batch_new(backfill->app->publisher, done, backfill);
    ing_batch_note(backfill->batch, backfill->topic, &backfill->run.tally.offsets); // of the lane's end
    backfill->send = send;
    send_on(backfill);
}

// What a complete run leaves behind: its record. The series' watermarks are of no use any more.
static int send_forgotten(struct backfill *backfill, struct mf_error *err)
{
    int result = 0;
    for (; backfill->next_series < backfill->count && result == 0; backfill->next_series += result == 0) {
        struct mf_buf key;
        mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
        ing_watermark_key(&backfill->series[backfill->next_series].base.work, backfill->args.run_id, &key);
        result = ing_publisher_watermark(backfill->app->publisher, backfill->batch, mf_buf_str(&key),
                                         MF_STR_NULL, err);
        mf_buf_free(&key);
    }
    return result == 0 && !ing_backfill_forget_universe(backfill) ? -1 : result;
}

static void on_series_forgotten(void *arg, const struct mf_error *err)
{
    struct backfill *backfill = arg;
    backfill->batch = NULL;
    (void)err; // a series' watermark that stays is overwritten or left alone: the run's record decides
    finish_with(backfill, MF_EXIT_OK, "the run is complete");
}

// The manifest first: it is written from the series' marks.
static void forget_marks(struct backfill *backfill)
{
    struct mf_error failed;
    if (ing_backfill_write_manifest(backfill, &failed) < 0) { // the next start can: the series' marks stay
        backfill->error = failed;
        finish_with(backfill, MF_EXIT_TEMPORARY, "the manifest could not be written");
        return;
    }
    begin_batch(backfill, send_forgotten, on_series_forgotten);
}

void ing_backfill_finish_complete(struct backfill *backfill)
{
    bool left = backfill->universe.parts > 0;
    for (size_t i = 0; i < backfill->count; i++)
        left = left || backfill->series[i].known;
    if (left)
        forget_marks(backfill);
    else
        mf_service_finish(backfill->app->service, MF_EXIT_OK, "the run is complete already");
}

static void on_run_saved(void *arg, const struct mf_error *err)
{
    struct backfill *backfill = arg;
    backfill->batch = NULL;
    if (err != NULL) { // the lane is closed, but the run does not know: the next start says it again
        backfill->run.status = ING_STATUS_RUNNING;
        backfill->error = *err;
        finish_with(backfill, MF_EXIT_TEMPORARY, "the run's record could not be saved");
        return;
    }
    // Only now: without the record, the series' watermarks are all that keeps the next start from fetching
    // anew.
    forget_marks(backfill);
}

static void list_not_complete(struct backfill *backfill)
{
    struct mf_buf list;
    backfill->run.events = 0;
    mf_buf_init(&list, sizeof backfill->run.not_complete - 1);
    for (size_t i = 0; i < backfill->count; i++) {
        const struct backfill_series *series = &backfill->series[i];
        backfill->run.events += series->mark.events;
        ing_tally_add(&backfill->run.tally, &series->tally);
        if (series->mark.status != ING_STATUS_COMPLETE)
            mf_buf_addf(&list, "%s%s=%s", list.len > 0 ? "," : "", series->base.work.symbol,
                        ing_backfill_status(series));
    }
    mf_str_copy(backfill->run.not_complete, sizeof backfill->run.not_complete, mf_buf_str(&list));
    mf_buf_free(&list);
}

static int send_complete(struct backfill *backfill, struct mf_error *err)
{
    return send_run(backfill->app, backfill->batch, backfill->args.run_id, &backfill->run, err);
}

static void on_lane_closed(void *arg, const struct mf_error *err)
{
    struct backfill *backfill = arg;
    backfill->batch = NULL;
    if (err != NULL) {
        backfill->error = *err;
        finish_with(backfill, MF_EXIT_TEMPORARY, "the lane could not be closed");
        return;
    }
    backfill->run.status = ING_STATUS_COMPLETE;
    list_not_complete(backfill);
    begin_batch(backfill, send_complete, on_run_saved);
}

static int send_lane(struct backfill *backfill, struct mf_error *err)
{
    return send_lane_end(backfill->app, backfill->batch, backfill->lane, &backfill->next_partition, err);
}

static void close_lane(void *arg)
{
    struct backfill *backfill = arg;
    begin_batch(backfill, send_lane, on_lane_closed);
}

// Will a later start with the same arguments ask for more?
static bool may_go_on(const struct backfill *backfill)
{
    for (size_t i = 0; i < backfill->count; i++) {
        if (backfill->series[i].open_ended)
            return true;
    }
    return backfill->ended < backfill->count || !ing_backfill_is_complete(backfill);
}

void ing_backfill_finish(struct backfill *backfill)
{
    if (backfill->finished)
        return;
    if (backfill->batch != NULL) { // the queue may have room by now
        send_on(backfill);
        return;
    }
    if (may_go_on(backfill)) {
        finish_with(backfill, MF_EXIT_TEMPORARY, "the run is not complete: start it again");
        return;
    }
    // Behind a lane end of this process, another one's records would be folded as if the lane were new, and
    // the other way round: only the owner closes it.
    if (!backfill->closing)
        ing_owner_check(backfill->owner, close_lane, backfill);
    backfill->closing = true;
}

void ing_backfill_lost(struct backfill *backfill, const struct mf_error *err)
{
    if (backfill->finished || backfill->batch != NULL)
        return; // all was published and the lane is being closed: the newer process will find the run
                // complete
    backfill->error = *err;
    backfill->lost = true;
    mf_log_error(backfill->app->service->log, MF_LOG_WARNING, "backfill", "run_lost", err, "leaving the run");
    finish_with(backfill, MF_EXIT_TEMPORARY, err->message);
}

// ---------------------------------------------------------------- abandon

struct abandon {
    struct ing_app *app;
    char run_id[MF_RUN_ID_MAX + 1];
    char lane[MF_RUN_ID_MAX + 16];
    struct ing_batch *batch;
    struct mf_timer *timer;
    int32_t next_partition;
    size_t series, at; // watermarks forgotten; looked at in this turn
    bool run_sent, full, done;
    bool complete; // there is nothing to abandon
    struct ing_owner *owner;
};

static bool never_prepare(void *arg, struct ing_series *series, const struct ing_page *page,
                          struct mf_event *event)
{
    (void)arg, (void)series, (void)page, (void)event;
    return false;
}

static void abandon_drained(void *arg)
{
    struct abandon *abandon = arg;
    ing_app_requests_drained(abandon->app);
}

static void abandon_send(void *arg);
static void abandon_owned(void *arg);
static void abandon_lost(void *arg, const struct mf_error *err);

static int abandon_create(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                          struct mf_error *err)
{
    struct abandon *abandon = mf_calloc(1, sizeof *abandon);
    const char *run_id = NULL;
    abandon->app = app;
    *state = abandon;
    abandon->timer = mf_timer_new(app->service->loop, abandon_send, abandon);
    if (ing_abandon_args_parse(argc, argv, &run_id, err) < 0)
        return -1;
    mf_str_copy(abandon->run_id, sizeof abandon->run_id, mf_str_of(run_id));
    snprintf(abandon->lane, sizeof abandon->lane, "backfill:%s", run_id);
    const struct ing_owner_ops owner_ops = {
        .on_owned = abandon_owned, .on_lost = abandon_lost, .arg = abandon};
    abandon->owner = ing_owner_new(app, run_id, &owner_ops);
    *driver = (struct ing_driver){.prepare = never_prepare,
                                  .drained = abandon_drained,
                                  .topic = app->config.topic_backfill,
                                  .lane = abandon->lane,
                                  .arg = abandon};
    return 0;
}

static bool abandon_wants(void *state, struct mf_str key)
{
    struct abandon *abandon = state;
    return ing_watermark_key_is_of_run(key, abandon->run_id) || ing_owner_wants(abandon->owner, key);
}

static void abandon_seen(void *state, struct mf_str key, struct mf_str value)
{
    struct abandon *abandon = state;
    ing_owner_seen(abandon->owner, key, value);
}

static void abandon_refreshed(void *state)
{
    struct abandon *abandon = state;
    ing_owner_refreshed(abandon->owner);
}

static void abandon_leave(void *state)
{
    struct abandon *abandon = state;
    ing_owner_release(abandon->owner, abandon->done || abandon->complete);
}

static void on_abandoned(void *arg, const struct mf_error *err)
{
    struct abandon *abandon = arg;
    abandon->batch = NULL;
    abandon->done = err == NULL;
    mf_service_finish(abandon->app->service, err == NULL ? MF_EXIT_OK : MF_EXIT_TEMPORARY,
                      err == NULL ? "the run is abandoned" : err->code);
}

// Of the keys in the store's order, those that the queue took before are passed over.
static void forget_key(void *arg, struct mf_str key, struct mf_str value)
{
    (void)value;
    struct abandon *abandon = arg;
    struct mf_error err;
    if (mf_str_starts_with(key, "run|") || ing_owner_wants(abandon->owner, key) || abandon->full ||
        abandon->at++ < abandon->series)
        return;
    abandon->full =
        ing_publisher_watermark(abandon->app->publisher, abandon->batch, key, MF_STR_NULL, &err) < 0;
    abandon->series += !abandon->full;
}

static void abandon_send(void *arg)
{
    struct abandon *abandon = arg;
    struct ing_app *app = abandon->app;
    const struct ing_run run = {.status = ING_STATUS_ABANDONED};
    struct mf_error err;
    abandon->full = send_lane_end(app, abandon->batch, abandon->lane, &abandon->next_partition, &err) < 0 ||
                    (!abandon->run_sent && send_run(app, abandon->batch, abandon->run_id, &run, &err) < 0);
    if (!abandon->full) {
        abandon->run_sent = true;
        abandon->at = 0;
        ing_store_each(app->store, forget_key, abandon);
    }
    if (abandon->full)
        mf_timer_arm_ms(abandon->timer, RETRY_MS);
    else
        ing_batch_seal(abandon->batch);
}

// Is there such a run? One that is complete is left alone: its lane is closed, and with another record the
// same command would fetch it all again. A record that cannot be read is one more reason to abandon it.
static bool abandon_look(struct abandon *abandon)
{
    struct mf_buf key;
    struct ing_run run;
    struct mf_error err;
    mf_buf_init(&key, ING_WATERMARK_KEY_MAX);
    ing_run_key(abandon->run_id, &key);
    struct mf_str value = ing_store_get(abandon->app->store, mf_buf_str(&key));
    mf_buf_free(&key);
    if (value.data == NULL)
        return false;
    struct mf_json *json = mf_json_new();
    bool read = ing_run_decode(json, value, &run, &err) == 0;
    abandon->complete = read && run.status == ING_STATUS_COMPLETE;
    if (read)
        ing_run_free(&run);
    mf_json_free(&json);
    if (abandon->complete)
        mf_service_finish(abandon->app->service, MF_EXIT_OK, "the run is complete: nothing to abandon");
    return true;
}

// A process that still works on the run stops first: what it published behind the lane end would open the
// lane again.
static void abandon_owned(void *arg)
{
    struct abandon *abandon = arg;
    (void)abandon_look(abandon);
    if (abandon->complete)
        return;
    ing_owner_rest(abandon->owner); // the list of keys must not change under abandon_send
    abandon->batch = ing_batch_new(abandon->app->publisher, on_abandoned, abandon);
    abandon_send(abandon);
}

static void abandon_lost(void *arg, const struct mf_error *err)
{
    struct abandon *abandon = arg;
    mf_service_fail(abandon->app->service, err, "abandoning the run");
}

static int abandon_begin(void *state, struct mf_error *err)
{
    struct abandon *abandon = state;
    if (!abandon_look(abandon))
        return mf_error_set(err, MF_ERROR_CONFIG, "unknown_run", "there is no run %s", abandon->run_id);
    if (!abandon->complete)
        ing_owner_claim(abandon->owner);
    return 0;
}

static const char *abandon_topic(const struct ing_app *app)
{
    return app->config.topic_backfill;
}

static void abandon_status(void *state, char *text, size_t size)
{
    struct abandon *abandon = state;
    snprintf(text, size, "abandoning run %s", abandon->run_id);
}

static void abandon_free(void **state)
{
    struct abandon *abandon = *state;
    *state = NULL;
    if (abandon->done)
        printf("{\"run_id\":\"%s\",\"abandoned\":true,\"series\":%zu}\n", abandon->run_id, abandon->series);
    if (abandon->complete)
        printf("{\"run_id\":\"%s\",\"abandoned\":false,\"reason\":\"the run is complete\"}\n",
               abandon->run_id);
    if (abandon->done || abandon->complete)
        ing_backfill_flush(abandon->app);
    ing_batch_abandon(&abandon->batch);
    ing_owner_free(&abandon->owner);
    mf_timer_free(&abandon->timer);
    free(abandon);
}

const struct ing_mode ing_mode_abandon = {
    .name = "backfill --abandon",
    .asks_nothing = true,
    .create = abandon_create,
    .topic = abandon_topic,
    .wants_watermark = abandon_wants,
    .seen_watermark = abandon_seen,
    .begin = abandon_begin,
    .refreshed = abandon_refreshed,
    .leave = abandon_leave,
    .status = abandon_status,
    .free = abandon_free,
};
