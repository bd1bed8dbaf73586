// SPDX-License-Identifier: Apache-2.0
// `contracts`: which option contracts there are, one JSON object per line on stdout. Nothing is published and
// nothing remembered; a row that is no contract is a warning in the log. Failure classes as the engine's;
// what could not be listed ends in 75.
#include <stdlib.h>

#include "common/clock.h"
#include "common/json_writer.h"
#include "services/ingestor/app.h"
#include "services/ingestor/contract_args.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

struct list_series {
    struct ing_series base;
    unsigned pass;
};

struct list {
    struct ing_app *app;
    struct ing_symbols underlyings;
    struct ing_contract_filter filter;
    bool expired; // those too
    struct list_series *series;
    size_t ended, failed;
    struct mf_buf line;
};

static struct list_series *of(struct ing_series *base)
{
    return (struct list_series *)(void *)base;
}

// ---------------------------------------------------------------- lines

static void write_line(const struct ing_contract *contract, struct mf_buf *out)
{
    struct mf_json_writer w;
    char date[MF_DATE_TEXT_SIZE];
    const struct mf_json_node *more = mf_json_get(contract->row, "additional_underlyings");
    mf_jw_init(&w, out);
    mf_jw_object_begin(&w);
    mf_jw_member_text(&w, "ticker", contract->ticker);
    mf_jw_member_text(&w, "underlying", contract->underlying);
    mf_jw_member_text(&w, "expiration", mf_date_format(contract->expiration, date));
    mf_jw_key(&w, "strike");
    mf_jw_number_text(&w, mf_str_of(contract->strike));
    mf_jw_member_text(&w, "type", mf_option_type_name(contract->type));
    mf_jw_key(&w, "shares_per_contract");
    mf_jw_number_text(&w, mf_str_of(contract->shares));
    mf_jw_member_text(&w, "exercise", contract->exercise);
    if (more != NULL && mf_json_type(more) == MF_JSON_ARRAY) {
        struct mf_buf raw;
        mf_buf_init(&raw, LINE_MAX_BYTES);
        ing_node_write(more, &raw);
        mf_jw_key(&w, "additional_underlyings");
        mf_jw_raw(&w, raw.overflow ? MF_STR("[]") : mf_buf_str(&raw));
        mf_buf_free(&raw);
    }
    mf_jw_object_end(&w);
    mf_buf_add_char(out, '\n');
}

static void warn(const struct list *list, const struct ing_series *series, const struct ing_item *item)
{
    const struct mf_log_field fields[] = {mf_lf_str("underlying", series->work.symbol),
                                          mf_lf_str("error_code", item->reason),
                                          mf_lf_i64("page", series->page), mf_lf_i64("index", item->index)};
    mf_log_write(list->app->service->log, MF_LOG_WARNING, "contracts", "row_refused", fields,
                 MF_ARRAY_LEN(fields), "a row of the list is no contract: %s", item->reason);
}

static void page_read(void *arg, struct ing_series *base, const struct ing_page *page)
{
    struct list *list = arg;
    mf_buf_clear(&list->line);
    for (size_t i = 0; i < page->contract_count; i++)
        write_line(&page->contracts[i], &list->line);
    (void)fwrite(mf_buf_c_str(&list->line), 1, list->line.len,
                 stdout); // what did not arrive shows at the end
    for (size_t i = 0; i < page->count; i++)
        warn(list, base, &page->items[i]);
}

// ---------------------------------------------------------------- the driver

static bool prepare(void *arg, struct ing_series *base, const struct ing_page *page, struct mf_event *event)
{
    (void)arg, (void)base, (void)page, (void)event;
    return false; // there are no events
}

static bool wanted_reject(void *arg, struct ing_series *base, uint64_t raw_hash)
{
    (void)arg, (void)base, (void)raw_hash;
    return false; // nothing is published
}

static void page_done(void *arg, struct ing_series *base, const struct ing_page_result *result)
{
    (void)arg, (void)base, (void)result;
}

static void page_failed(void *arg, struct ing_series *base)
{
    (void)arg, (void)base;
}

static void ask(struct list *list, struct list_series *series)
{
    series->base.work.pass = (enum ing_pass)series->pass;
    ing_engine_begin(list->app->engine, &series->base, NULL, 0, INT64_MIN, 0);
}

static void range_done(void *arg, struct ing_series *base, enum ing_range_end end, const struct mf_error *err)
{
    struct list *list = arg;
    struct list_series *series = of(base);
    (void)err; // it was logged
    if (end == ING_RANGE_COMPLETE && series->pass < ING_PASS_ACTIVE) {
        series->pass++;
        ask(list, series);
        return;
    }
    list->failed += end != ING_RANGE_COMPLETE;
    if (++list->ended < list->underlyings.count)
        return;
    mf_service_finish(list->app->service, list->failed == 0 ? MF_EXIT_OK : MF_EXIT_TEMPORARY,
                      list->failed == 0 ? "the contracts are listed" : "not all contracts could be listed");
}

static void key_rejected(void *arg, const struct mf_error *err)
{
    struct list *list = arg;
    (void)err;
    mf_service_finish(list->app->service, MF_EXIT_TEMPORARY, "the provider rejected POLYGON_API_KEY");
}

static void drained(void *arg)
{
    struct list *list = arg;
    ing_app_requests_drained(list->app);
}

// ---------------------------------------------------------------- the mode

static int parse(struct list *list, int argc, char **argv, struct mf_error *err)
{
    struct ing_contract_texts texts = {0};
    struct mf_option options[ING_CONTRACT_OPTIONS + 1];
    ing_contract_options(&texts, options);
    options[0].required = true; // --underlying
    options[ING_CONTRACT_OPTIONS] = (struct mf_option){.name = "--expired", .flag = &list->expired};
    // A day of slack: no market's date is further than that from UTC's.
    struct mf_date today = mf_date_add_days(mf_date_of_utc(mf_clock_real_us()), 1);
    if (mf_options_parse(options, MF_ARRAY_LEN(options), argc, argv, err) < 0 ||
        ing_contract_filter_parse(&texts, today, &list->filter, err) < 0)
        return -1;
    return ing_underlyings_add(&list->underlyings, texts.underlying, err);
}

static int create(struct ing_app *app, int argc, char **argv, void **state, struct ing_driver *driver,
                  struct mf_error *err)
{
    struct list *list = mf_calloc(1, sizeof *list);
    list->app = app;
    mf_buf_init(&list->line, (size_t)16 * 1024 * 1024);
    *state = list;
    if (parse(list, argc, argv, err) < 0)
        return -1;
    *driver = (struct ing_driver){.page_read = page_read,
                                  .prepare = prepare,
                                  .wanted_reject = wanted_reject,
                                  .page_done = page_done,
                                  .page_failed = page_failed,
                                  .range_done = range_done,
                                  .key_rejected = key_rejected,
                                  .drained = drained,
                                  .topic = app->config.topic_backfill,
                                  .lane = "live",
                                  .arg = list};
    return 0;
}

static const char *topic(const struct ing_app *app)
{
    return app->config.topic_backfill;
}

static bool wants_watermark(void *state, struct mf_str key)
{
    (void)state, (void)key;
    return false;
}

static int begin(void *state, struct mf_error *err)
{
    struct list *list = state;
    const struct ing_config *config = &list->app->config;
    (void)err;
    list->series = mf_calloc(list->underlyings.count, sizeof *list->series);
    for (size_t i = 0; i < list->underlyings.count; i++) {
        struct list_series *series = &list->series[i];
        struct mf_str symbol = mf_str_of(list->underlyings.items[i]);
        series->base.work = (struct ing_work){.feed = ING_FEED_CONTRACTS,
                                              .asset_class = mf_asset_class_of_symbol(symbol),
                                              .filter = &list->filter,
                                              .to_us = mf_clock_real_us(),
                                              .limit = config->reference_page_limit};
        mf_str_copy(series->base.work.symbol, sizeof series->base.work.symbol, symbol);
        ing_series_init(&series->base, config, mf_random_seed());
        series->base.priority = ING_PRIORITY_BACKFILL;
        series->pass = list->expired ? ING_PASS_DELISTED : ING_PASS_ACTIVE;
        ask(list, series);
    }
    return 0;
}

static void status(void *state, char *text, size_t size)
{
    const struct list *list = state;
    snprintf(text, size, "contracts of %zu of %zu underlyings listed", list->ended, list->underlyings.count);
}

static void list_free(void **state)
{
    struct list *list = *state;
    *state = NULL;
    for (size_t i = 0; list->series != NULL && i < list->underlyings.count; i++)
        ing_engine_remove(list->app->engine, &list->series[i].base);
    // A list that nobody got is no success.
    if (list->series != NULL && mf_service_flush("marketflow-ingestor", stdout) != MF_EXIT_OK)
        mf_service_finish(list->app->service, MF_EXIT_TEMPORARY, "the list could not be written");
    ing_symbols_free(&list->underlyings);
    mf_buf_free(&list->line);
    free(list->series);
    free(list);
}

const struct ing_mode ing_mode_contracts = {
    .name = "contracts",
    .create = create,
    .topic = topic,
    .wants_watermark = wants_watermark,
    .begin = begin,
    .status = status,
    .free = list_free,
};
