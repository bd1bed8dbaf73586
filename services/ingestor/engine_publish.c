// SPDX-License-Identifier: Apache-2.0
// From a page to records: in slices of bounded time, held up by a full queue and by nothing else, accounted
// for until the last record is acknowledged (see engine.h).
#include <stdlib.h>

#include "common/clock.h"
#include "common/url.h"
#include "services/ingestor/engine_private.h"

enum {
    LARGE_ANSWERS = 1024 * 1024,
    SLICE_ITEMS = 500,
    SLICE_CLOCK_EVERY = 32,
    SLICE_US = 4000,
    STALL_RETRY_MS = 500,
    HELD_RETRY_MS = 5,
    RAW_KEPT = 64 * 1024
};

// What goes wrong with a page, with the id of the answer that it came in, where the provider gave one.
static void log_problem(struct ing_engine *engine, const struct ing_series *series, enum mf_log_level level,
                        const char *module, const char *event, const struct mf_error *err, const char *doing)
{
    char feed[64];
    const struct mf_log_field fields[] = {mf_lf_str("symbol", series->work.symbol),
                                          mf_lf_str("feed", ing_work_feed(&series->work, feed)),
                                          mf_lf_str("error_class", mf_error_class_name(err->class)),
                                          mf_lf_str("error_code", err->code),
                                          mf_lf_str("error", err->message),
                                          mf_lf_i64("page", series->page),
                                          mf_lf_str("correlation_id", ing_engine_id_of(series))};
    mf_log_write(engine->setup.log, level, module, event, fields,
                 MF_ARRAY_LEN(fields) - (series->request_id == NULL), "%s", doing);
}

// ---------------------------------------------------------------- the next page

static uint64_t hash_of(const char *next)
{
    return mf_hash64(next, strlen(next));
}

static bool was_seen(const struct ing_series *series, uint64_t hash)
{
    for (size_t i = 0; i < series->seen_count; i++) {
        if (series->seen[i] == hash)
            return true;
    }
    return false;
}

// Only when its page is acknowledged: a page that is asked for again names the same next one.
static void note_seen(struct ing_series *series, uint64_t hash)
{
    if (series->seen_count == series->seen_capacity) {
        series->seen_capacity = series->seen_capacity < 16 ? 16 : series->seen_capacity * 2;
        series->seen = mf_realloc(series->seen, series->seen_capacity * sizeof *series->seen);
    }
    series->seen[series->seen_count++] = hash;
}

// Does the page get on from the one before it? Rows of a day or of a second may go on over the page's end;
// tickers come in the order of their names, which says nothing about times.
static bool is_advancing(const struct ing_series *series, int64_t last_us)
{
    if (series->page == 0 || last_us == INT64_MIN || ing_feed_is_of_now(series->work.feed))
        return true;
    return ing_feed_is_of_bars(series->work.feed) ? last_us > series->range_last_us
                                                  : last_us >= series->range_last_us;
}

// N09: the pages of a range must come to an end.
static const char *loop_problem(const struct ing_engine *engine, const struct ing_series *series,
                                const char *next)
{
    if (was_seen(series, hash_of(next)))
        return "next_url_repeated";
    if (series->page + 1 >= engine->config->pages_max)
        return "too_many_pages";
    return is_advancing(series, ing_page_last_time(&engine->page)) ? NULL : "page_not_advancing";
}

static void set_end_error(struct ing_series *series, const struct mf_error *err)
{
    free(series->end_error);
    series->end_error = mf_alloc(sizeof *err);
    *series->end_error = *err;
}

// Into engine->url: what the provider calls the next page, or the rest of an answer that it cut off.
static int build_next_url(struct ing_engine *engine, const struct ing_series *series, struct mf_error *err)
{
    const struct ing_provider *provider = engine->setup.provider;
    if (engine->page.next.len > 0)
        return provider->build_next(&engine->provider, engine->page.next, &engine->url, err);
    struct ing_work rest = series->work;
    const char *endpoint;
    rest.from_us = engine->page.rest_us;
    return provider->build_request(&engine->provider, &rest, &engine->url, &endpoint, err);
}

// Where the next page is, as path and query on the configured base. What is refused ends the range, after
// this page has been published.
static void take_next_url(struct ing_engine *engine, struct ing_series *series)
{
    struct mf_url url;
    struct mf_error err;
    free(series->result_next);
    series->result_next = NULL;
    if (engine->page.next.len == 0 && engine->page.rest_us == 0)
        return;
    if (build_next_url(engine, series, &err) == 0 && mf_url_parse(mf_buf_str(&engine->url), &url)) {
        const char *next = url.path.len > 0 ? url.path.data : "/";
        const char *problem = loop_problem(engine, series, next);
        if (problem == NULL) {
            series->result_next = mf_strdup(next);
            return;
        }
        mf_error_set(&err, MF_ERROR_POISON, problem, "the provider's pages do not come to an end (page %u)",
                     series->page);
    }
    series->ends = true;
    series->end = ING_RANGE_REFUSED;
    set_end_error(series, &err);
    log_problem(engine, series, MF_LOG_ERROR, "fetch", "next_page_refused", &err,
                "following the provider's pages");
}

// ---------------------------------------------------------------- items

static void trim_raw(struct ing_engine *engine)
{
    mf_buf_clear(&engine->raw);
    mf_buf_trim(&engine->raw, RAW_KEPT);
}

static int dead_letter(struct ing_engine *engine, struct ing_series *series, const struct ing_item *item,
                       const struct mf_error *why, struct mf_error *err)
{
    struct mf_buf *raw = &engine->raw;
    struct mf_buf text;
    mf_buf_init(&text, raw->max);
    ing_page_write_row(&engine->page, item, &text);
    mf_buf_clear(raw);
    ing_redact(mf_buf_str(&text), engine->config->api_key, raw);
    mf_buf_free(&text);
    uint64_t hash = mf_hash64(mf_buf_c_str(raw), raw->len);
    // A row is asked about once: the driver remembers it, and a row that waits for room comes again.
    if (engine->driver.wanted_reject != NULL && engine->reject_waiting != hash &&
        !engine->driver.wanted_reject(engine->driver.arg, series, hash)) {
        trim_raw(engine);
        return 0;
    }
    bool of_ticker = (ing_feed_is_reference(series->work.feed) || series->work.market != ING_MARKET_NONE) &&
                     mf_symbol_is_valid(item->key);
    struct ing_reject reject = {
        .work = &series->work,
        .symbol = of_ticker ? item->key : MF_STR_NULL,
        .lane = engine->driver.lane,
        .reason = why->code,
        .detail = why->message,
        .raw = mf_buf_str(raw),
        .request_id = engine->page.request_id,
        .mode = engine->page.mode,
        .flags = engine->page.flags,
        .page = series->page,
        .index = item->index,
        .time_us = series->asked_us,
        .attempts = 1,
    };
    int result = ing_publisher_dead_letter(engine->setup.publisher, series->batch, &reject, err);
    engine->reject_waiting = result < 0 && err->class != MF_ERROR_POISON ? hash : 0;
    trim_raw(engine);
    return result;
}

// A bar whose window was not over when it was asked for.
static bool is_forming(const struct ing_page *page, const struct mf_event *event)
{
    if (event->type != MF_EVENT_BAR && event->type != MF_EVENT_OPTION_BAR)
        return false;
    const struct mf_bar *bar = event->type == MF_EVENT_BAR ? &event->bar : &event->option_bar.bar;
    return bar->window_end_us > page->asked_us;
}

static uint64_t content_of(const struct mf_event *event)
{
    uint64_t hash = mf_event_content_hash(event).low;
    return hash != 0 ? hash : 1;
}

// The row that the page before ended with, as it was then. Of one that has changed since, and of one of which
// this is not known, the event is published: to say it twice is no harm.
static bool is_last_again(const struct ing_series *series, const struct mf_event *event)
{
    return ing_feed_is_of_bars(series->work.feed) && series->page > 0 &&
           event->event_time_us == series->range_last_us && series->range_last_hash == content_of(event);
}

// Of the event that the page ends with, which the next one may begin with.
static uint64_t hash_of_last(struct ing_engine *engine, const struct ing_series *series)
{
    const struct ing_page *page = &engine->page;
    MF_UNINITIALISED struct mf_event event;
    struct mf_error err;
    size_t i = page->count;
    while (i > 0 && (page->items[i - 1].reason[0] != '\0' ||
                     page->items[i - 1].event_time_us != series->result->last_time_us))
        i--;
    bool filled = i > 0 && engine->setup.provider->fill_event(&engine->provider, page, &page->items[i - 1],
                                                              &engine->scratch, &event, &err) == 0;
    return filled ? content_of(&event) : 0;
}

// Fills, decides, encodes, sends. The encoder checks the event, so whatever leaves here can be read by
// everybody.
static int publish_event(struct ing_engine *engine, struct ing_series *series, const struct ing_item *item,
                         struct mf_error *err)
{
    struct ing_driver *driver = &engine->driver;
    struct ing_publisher *publisher = engine->setup.publisher;
    MF_UNINITIALISED struct mf_event event; // of a size that is worth not being cleared twice
    if (engine->setup.provider->fill_event(&engine->provider, &engine->page, item, &engine->scratch, &event,
                                           err) < 0)
        return -1;
    event.ingest_time_us = engine->ingest_us;
    event.lane = mf_str_of(driver->lane);
    if (!driver->prepare(driver->arg, series, &engine->page, &event)) {
        series->result->forming += is_forming(&engine->page, &event); // the others were looked at only
        return 0;
    }
    if (ing_publisher_encode(publisher, &event, err) < 0)
        return -1;
    if (is_last_again(series, &event)) {
        series->result->counts.duplicates++;
        return 0;
    }
    // What comes again is no progress.
    bool again =
        (event.flags & MF_FLAG_FORMING) != 0 || ing_page_comes_again(&engine->page, event.event_time_us);
    if (!again && event.event_time_us > series->result->last_time_us)
        series->result->last_time_us = event.event_time_us;
    if (driver->wanted != NULL && !driver->wanted(driver->arg, series, &event)) {
        series->result->unchanged++;
        return 0;
    }
    if (ing_publisher_send(publisher, series->batch, driver->topic, event.symbol, err) < 0)
        return -1;
    series->result->published++;
    return 0;
}

// 0, or -1 when the item has to wait: TRANSIENT or FATAL.
static int publish_item(struct ing_engine *engine, struct ing_series *series, const struct ing_item *item,
                        struct mf_error *err)
{
    MF_UNINITIALISED struct mf_error why;
    if (item->reason[0] == '\0') {
        if (publish_event(engine, series, item, &why) == 0)
            return 0;
        if (why.class != MF_ERROR_POISON) {
            *err = why;
            return -1;
        }
    } else {
        mf_error_set(&why, MF_ERROR_POISON, item->reason, "the row was refused: %s", item->reason);
    }
    int result = dead_letter(engine, series, item, &why, err);
    if (result < 0 && err->class != MF_ERROR_POISON)
        return -1;
    series->result->counts.rejected += item->reason[0] == '\0'; // the others were counted with the page
    if (result == 0)
        return 0;
    // A dead letter that cannot be written either: nothing in our power is left, but it is said and counted.
    log_problem(engine, series, MF_LOG_CRITICAL, "publish", "dead_letter_lost", err, "writing a dead letter");
    return 0;
}

// ---------------------------------------------------------------- a page's end

// Counts move with the acknowledgement, so a page that is published twice counts once.
static void count_page(struct ing_engine *engine, struct ing_series *series)
{
    const struct ing_page_result *result = series->result;
    enum mf_event_type event_type = ing_work_event_type(&series->work);
    const char *type = mf_event_type_name(event_type);
    const struct {
        const char *name;
        uint64_t count;
    } records[] = {{"ok", result->published},
                   {"invalid", result->counts.rejected},
                   {"duplicate", result->counts.duplicates + result->unchanged},
                   {"out_of_range", result->counts.out_of_range},
                   {"foreign", result->counts.foreign},
                   {"forming", result->forming}};
    struct mf_metrics *metrics = engine->setup.metrics;
    for (size_t i = 0; i < MF_ARRAY_LEN(records); i++)
        mf_metric_add(MF_METRIC(metrics, &ing_metric_defs[ING_M_RECORDS], type, records[i].name),
                      (double)records[i].count);
    mf_metric_add(MF_METRIC(metrics, &ing_metric_defs[ING_M_PAGES], type), 1);
    mf_metric_set(MF_METRIC(metrics, &ing_metric_defs[ING_M_LAST_SUCCESS], type),
                  (double)series->asked_us / (double)MF_US_PER_SECOND);
    struct ing_engine_totals *totals = &engine->totals;
    totals->pages++;
    totals->events[event_type] += result->published;
    totals->duplicates += result->counts.duplicates;
    totals->unchanged += result->unchanged;
    totals->out_of_range += result->counts.out_of_range;
    totals->foreign += result->counts.foreign;
    totals->forming += result->forming;
    totals->rejected += result->counts.rejected;
    totals->dead_lettered += result->dead_letters;
}

// The series goes on, or is the driver's again.
static void after_page(struct ing_engine *engine, struct ing_series *series)
{
    if (series->ends) {
        ing_engine_end_range(engine, series, series->end, series->end_error);
        return;
    }
    if (series->result_next == NULL) {
        ing_engine_end_range(engine, series, ING_RANGE_COMPLETE, NULL);
        return;
    }
    note_seen(series, hash_of(series->result_next));
    if (series->page_by_page) {
        ing_engine_end_range(engine, series, ING_RANGE_COMPLETE, NULL);
        return;
    }
    free(series->next_page);
    series->next_page = series->result_next;
    series->result_next = NULL;
    series->page++;
    if (engine->draining) {
        ing_engine_set_state(engine, series, ING_SERIES_IDLE);
        ing_engine_check_drained(engine);
        return;
    }
    ing_engine_wait(engine, series, 0);
}

// All records of the page are acknowledged, or one of them never will be.
static void on_batch_done(void *arg, const struct mf_error *err)
{
    struct ing_series *series = arg;
    struct ing_engine *engine = series->engine;
    series->batch = NULL;
    if (err != NULL) {
        struct mf_error copy = *err;
        engine->driver.page_failed(engine->driver.arg, series);
        series->ends = series->rejecting = false;
        ing_engine_failed(engine, series, &copy);
        ing_engine_check_drained(engine);
        return;
    }
    if (series->rejecting) {
        engine->totals.dead_lettered++;
        series->rejecting = false;
        series->answer_rejected = true;
        ing_engine_end_range(engine, series, series->end, series->end_error);
        return;
    }
    count_page(engine, series);
    if (series->result->last_time_us > series->range_last_us) {
        series->range_last_us = series->result->last_time_us;
        series->range_last_hash = series->result->last_hash;
    }
    series->result->next = series->result_next != NULL ? series->result_next : "";
    struct ing_page_result *result = series->result;
    series->result = NULL; // thousands of series wait, few are between two pages
    engine->driver.page_done(engine->driver.arg, series, result);
    free(result);
    after_page(engine, series);
}

// Everything is produced: the table is free for the next page while the acknowledgements come in.
static void finish_page(struct ing_engine *engine, struct ing_series *series)
{
    struct ing_batch *batch = series->batch;
    series->result->dead_letters = ing_batch_dead_letters(batch);
    if (series->result_next != NULL && ing_feed_is_of_bars(series->work.feed))
        series->result->last_hash = hash_of_last(engine, series);
    engine->table = NULL;
    ing_engine_set_state(engine, series, ING_SERIES_SETTLING);
    if (engine->held < LARGE_ANSWERS) // else the next page takes the same again
        ing_page_trim(&engine->page);
    mf_buf_free(&engine->body);
    if (engine->queue_first != NULL)
        mf_deferred_schedule(engine->next_page);
    ing_batch_seal(batch); // the series may be anywhere after this
    ing_engine_pump(engine);
}

// ---------------------------------------------------------------- slices

void ing_engine_slice(struct ing_engine *engine)
{
    struct ing_series *series = engine->table;
    if (series == NULL || series->batch == NULL)
        return;
    const struct ing_driver *driver = &engine->driver;
    if (engine->table_item == 0 && driver->may_publish != NULL && !driver->may_publish(driver->arg, series)) {
        mf_timer_arm_ms(engine->slice_timer, HELD_RETRY_MS);
        return;
    }
    int64_t end_us = mf_clock_monotonic_us() + SLICE_US;
    for (unsigned n = 1; engine->table_item < engine->page.count; n++) {
        MF_UNINITIALISED struct mf_error err;
        if (n % SLICE_CLOCK_EVERY == 0 && ing_publisher_busy(engine->setup.publisher)) {
            mf_timer_arm_ms(engine->slice_timer, STALL_RETRY_MS); // its reports come sooner
            return;
        }
        if (publish_item(engine, series, &engine->page.items[engine->table_item], &err) < 0) {
            if (!engine->stalled && strcmp(err.code, "queue_full") != 0)
                log_problem(engine, series, MF_LOG_WARNING, "publish", "publishing_waits", &err,
                            "publishing a page");
            engine->stalled = true;
            mf_timer_arm_ms(engine->slice_timer, STALL_RETRY_MS); // the queue's room comes sooner
            return;
        }
        engine->stalled = false;
        engine->table_item++;
        if (n == SLICE_ITEMS || (n % SLICE_CLOCK_EVERY == 0 && mf_clock_monotonic_us() >= end_us)) {
            mf_timer_arm_us(engine->slice_timer, 0);
            return;
        }
    }
    mf_timer_cancel(engine->slice_timer);
    finish_page(engine, series);
}

void ing_engine_publish(struct ing_engine *engine, struct ing_series *series)
{
    const struct ing_page *page = &engine->page;
    ing_retry_reset(&series->retry);
    series->failing_since_us = 0;
    series->ends = series->rejecting = false;
    series->batch = ing_batch_new(engine->setup.publisher, on_batch_done, series);
    if (series->offsets != NULL)
        ing_batch_note(series->batch, engine->driver.topic, series->offsets);
    free(series->result);
    series->result = mf_alloc(sizeof *series->result);
    *series->result = (struct ing_page_result){.page = series->page,
                                               .asked_us = series->asked_us,
                                               .last_time_us = INT64_MIN,
                                               .counts = page->counts,
                                               .flags = page->flags};
    take_next_url(engine, series);
    if (engine->driver.page_read != NULL)
        engine->driver.page_read(engine->driver.arg, series, page);
    engine->table_item = 0;
    engine->reject_waiting = 0;
    int64_t now_us = mf_clock_real_us();
    engine->ingest_us = now_us - now_us % MF_US_PER_MS;
    ing_engine_slice(engine);
}

void ing_engine_reject_answer(struct ing_engine *engine, struct ing_series *series, struct mf_str body,
                              const struct ing_page *page, const struct mf_error *err, enum ing_range_end end)
{
    struct ing_driver *driver = &engine->driver;
    // Known by its reason: the words may name the request or the range, which are others every time.
    if (driver->wanted_reject != NULL &&
        !driver->wanted_reject(driver->arg, series, mf_hash64(err->code, strlen(err->code)))) {
        ing_engine_end_range(engine, series, end, err);
        return;
    }
    mf_buf_clear(&engine->raw);
    if (body.len > 0)
        ing_redact(body, engine->config->api_key, &engine->raw); // whole: the encoder cuts, and says so
    struct ing_reject reject = {
        .work = &series->work,
        .lane = driver->lane,
        .reason = err->code,
        .detail = err->message,
        .raw = mf_buf_str(&engine->raw),
        .request_id = page != NULL ? page->request_id : "",
        .mode = page != NULL ? page->mode : MF_MODE_REST,
        .flags = page != NULL ? page->flags : 0,
        .page = series->page,
        .index = -1,
        .time_us = series->asked_us,
        .attempts = series->retry.attempts + 1,
    };
    struct mf_error failed;
    series->batch = ing_batch_new(engine->setup.publisher, on_batch_done, series);
    int result = ing_publisher_dead_letter(engine->setup.publisher, series->batch, &reject, &failed);
    trim_raw(engine);
    if (result < 0) {
        ing_batch_abandon(&series->batch);
        driver->page_failed(driver->arg, series);
        ing_engine_failed(engine, series, &failed);
        return;
    }
    series->ends = series->rejecting = true;
    series->end = end;
    set_end_error(series, err);
    ing_engine_set_state(engine, series, ING_SERIES_SETTLING);
    ing_batch_seal(series->batch);
}
