// SPDX-License-Identifier: Apache-2.0
// What the ingestor's tests share: a provider configuration, works, a page to decode into. Header only,
// because the helper library of the unit tests is linked to no service.
#ifndef MF_TEST_ING_SUPPORT_H
#define MF_TEST_ING_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ingestor/provider.h"

struct ing_fixture {
    struct mf_calendar *calendar;
    struct ing_provider_config config;
    struct ing_page page;
    struct mf_buf body; // of a page
    struct ing_scratch scratch;
    struct mf_event event;
};

static inline int64_t ing_time(const char *text)
{
    int64_t time_us = 0;
    if (!mf_time_parse(mf_str_of(text), &time_us))
        abort();
    return time_us;
}

static inline int ing_fixture_set_up(void **state)
{
    static const char *const hosts[] = {"api.massive.com", "api.polygon.io", NULL};
    struct ing_fixture *f = mf_calloc(1, sizeof *f);
    struct mf_error err;
    if (mf_calendar_new(&f->calendar, &err) < 0)
        abort();
    f->config = (struct ing_provider_config){.base_url = "https://api.massive.com",
                                             .allowed_hosts = hosts,
                                             .secret = "s3cret-key",
                                             .calendar = f->calendar};
    ing_page_init(&f->page);
    mf_buf_init(&f->body, 1024 * 1024);
    *state = f;
    return 0;
}

static inline int ing_fixture_tear_down(void **state)
{
    struct ing_fixture *f = *state;
    ing_page_free(&f->page);
    mf_buf_free(&f->body);
    mf_calendar_free(&f->calendar);
    free(f);
    return 0;
}

static inline struct ing_work ing_minute_work(const char *symbol, const char *from, const char *to)
{
    struct ing_work work = {.feed = ING_FEED_BARS,
                            .timespan = ING_TIMESPAN_MINUTE,
                            .adjusted = MF_ADJUSTED_SPLIT,
                            .asset_class = mf_asset_class_of_symbol(mf_str_of(symbol)),
                            .from_us = ing_time(from),
                            .to_us = ing_time(to),
                            .limit = 50000};
    mf_str_copy(work.symbol, sizeof work.symbol, mf_str_of(symbol));
    return work;
}

static inline struct ing_work ing_news_work(const char *symbol, const char *from, const char *to)
{
    struct ing_work work = ing_minute_work(symbol, from, to);
    work.feed = ING_FEED_NEWS;
    work.limit = 1000;
    return work;
}

// Asked at the end of 2024, so that nothing of that year is the future.
static inline void ing_decode(struct ing_fixture *f, const struct ing_work *work, int status,
                              const char *data_mode, const char *body)
{
    struct ing_reply reply = {.work = work,
                              .page = 0,
                              .asked_us = ing_time("2024-12-31T00:00:00Z"),
                              .status = status,
                              .body = mf_str_of(body),
                              .data_mode = mf_str_of(data_mode)};
    ing_polygon.decode(&f->config, &reply, &f->page);
}

// Makes f->event of an item, complete with what the ingestor adds; aborts the test when that is refused.
static inline int ing_try_event(struct ing_fixture *f, size_t item, struct mf_error *err)
{
    if (ing_polygon.fill_event(&f->config, &f->page, &f->page.items[item], &f->scratch, &f->event, err) < 0)
        return -1;
    f->event.lane = MF_STR("live");
    f->event.ingest_time_us = ing_time("2024-12-31T00:00:00Z");
    return 0;
}

static inline void ing_event(struct ing_fixture *f, size_t item)
{
    struct mf_error err;
    if (f->page.count <= item || f->page.items[item].reason[0] != '\0' || ing_try_event(f, item, &err) < 0)
        abort();
}

static inline void ing_encode(struct ing_fixture *f)
{
    struct mf_buf out;
    mf_buf_init(&out, MF_EVENT_SIZE_MAX);
    struct mf_error err;
    if (mf_event_encode(&f->event, &out, &err) < 0)
        abort();
    mf_buf_free(&out);
}

// Why the item is no event: by the decoder, the filling or the encoder; "" when it is one.
static inline const char *ing_verdict(struct ing_fixture *f, size_t item)
{
    static char code[MF_ERROR_CODE_SIZE];
    struct mf_error err = {.code = ""};
    struct mf_buf out;
    if (f->page.items[item].reason[0] != '\0')
        return f->page.items[item].reason;
    mf_buf_init(&out, MF_EVENT_SIZE_MAX);
    if (ing_try_event(f, item, &err) == 0 && mf_event_encode(&f->event, &out, &err) == 0)
        err.code[0] = '\0';
    mf_buf_free(&out);
    mf_str_copy(code, sizeof code, mf_str_of(err.code));
    return code;
}

// A right answer with these rows.
static inline void ing_decode_rows(struct ing_fixture *f, const struct ing_work *work, const char *rows)
{
    mf_buf_clear(&f->body); // the page's rows lie in it
    mf_buf_addf(&f->body, "{\"status\":\"OK\",\"request_id\":\"r\",\"results\":[%s]}", rows);
    ing_decode(f, work, 200, NULL, mf_buf_c_str(&f->body));
}

// Of two rows the first becomes a dead letter with the reason and its place, the second an event.
static inline void ing_expect_rejected(struct ing_fixture *f, const struct ing_work *work, const char *bad,
                                       const char *good, const char *reason)
{
    struct mf_buf rows;
    mf_buf_init(&rows, 4096);
    mf_buf_addf(&rows, "%s,%s", bad, good);
    ing_decode_rows(f, work, mf_buf_c_str(&rows));
    unsigned rejected = 0;
    for (size_t i = 0; i < f->page.count; i++) {
        const char *verdict = ing_verdict(f, i);
        bool right = strcmp(verdict, reason) == 0 && f->page.items[i].index == 0;
        rejected += verdict[0] != '\0';
        if (verdict[0] != '\0' && !right) {
            fprintf(stderr, "%s: %s\n", bad, verdict);
            abort();
        }
    }
    if (f->page.count != 2 || rejected != 1) {
        fprintf(stderr, "%s: %zu items, %u rejected\n", bad, f->page.count, rejected);
        abort();
    }
    mf_buf_free(&rows);
}

#endif
