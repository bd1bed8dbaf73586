// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bars.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/backoff.h"

enum { DUPLICATE_ONE_IN = 100, MALFORMED_ONE_IN = 1000, EVENT_MAX = 4096 };

static void next_session(struct bench_bars *bars)
{
    bool found =
        mf_calendar_session_from(bars->calendar, mf_date_add_days(bars->session.date, 1), &bars->session);
    assert(found); // the calendar ends in 2100
    (void)found;
    bars->at_us = bars->session.open_us;
}

int bench_bars_init(struct bench_bars *bars, int64_t symbols, struct mf_error *err)
{
    *bars = (struct bench_bars){.symbols = symbols, .random = 1, .session = {.date = {2024, 1, 1}}};
    if (mf_calendar_new(&bars->calendar, err) < 0)
        return -1;
    bars->prices = mf_calloc((size_t)symbols, sizeof *bars->prices);
    for (int64_t i = 0; i < symbols; i++)
        bars->prices[i] = 20 + (double)(mf_random_next(&bars->random) % 48000) / 100;
    mf_buf_init(&bars->text, EVENT_MAX);
    next_session(bars);
    return 0;
}

void bench_bars_clear(struct bench_bars *bars)
{
    mf_calendar_free(&bars->calendar);
    mf_buf_free(&bars->text);
    free(bars->prices);
    bars->prices = NULL;
}

// A step of the random walk, in the digits of a vendor.
static void fill_prices(struct bench_bars *bars, struct mf_bar *bar, char text[6][24])
{
    double open = bars->prices[bars->symbol];
    double close =
        open * (1 + ((double)(mf_random_next(&bars->random) % 2001) - 1000) / 1000000); // at most 0.1 %
    double high = open > close ? open : close, low = open < close ? open : close;
    bars->prices[bars->symbol] = close;
    snprintf(text[0], sizeof text[0], "%.2f", open);
    snprintf(text[1], sizeof text[1], "%.2f", high + 0.01);
    snprintf(text[2], sizeof text[2], "%.2f", low - 0.01);
    snprintf(text[3], sizeof text[3], "%.2f", close);
    snprintf(text[4], sizeof text[4], "%u", (unsigned)(1000 + mf_random_next(&bars->random) % 90000));
    snprintf(text[5], sizeof text[5], "%.4f", (high + low) / 2);
    bar->open = mf_str_of(text[0]);
    bar->high = mf_str_of(text[1]);
    bar->low = mf_str_of(text[2]);
    bar->close = mf_str_of(text[3]);
    bar->volume = mf_str_of(text[4]);
    bar->vwap = mf_str_of(text[5]);
    bar->trade_count = (int64_t)(1 + mf_random_next(&bars->random) % 1000);
}

static void encode(struct bench_bars *bars)
{
    char text[6][24];
    struct mf_event event;
    struct mf_error err;
    mf_event_init(&event, MF_EVENT_BAR);
    event.symbol = mf_str_of(bars->name);
    event.asset_class = MF_ASSET_STOCK;
    event.source = MF_STR("polygon");
    event.lane = MF_STR("live");
    event.mode = MF_MODE_REST;
    event.event_time_us = bars->at_us;
    event.ingest_time_us = bars->at_us + 61 * MF_US_PER_SECOND;
    event.page = 0;
    event.request_id = MF_STR("6a7e466379af0a71039d60cc78e72282");
    event.bar.interval = MF_INTERVAL_1M;
    event.bar.window_end_us = bars->at_us + MF_US_PER_MINUTE;
    event.bar.session_date = bars->session.date;
    event.bar.session = MF_SESSION_REGULAR;
    event.bar.adjusted = MF_ADJUSTED_SPLIT;
    event.bar.vendor_ms = bars->at_us / MF_US_PER_MS;
    fill_prices(bars, &event.bar, text);
    mf_buf_clear(&bars->text);
    int result = mf_event_encode(&event, &bars->text, &err);
    assert(result == 0); // a valid bar by construction
    (void)result;
}

bool bench_bars_next(struct bench_bars *bars, struct mf_str *key, struct mf_str *value)
{
    *key = mf_str_of(bars->name);
    *value = mf_buf_str(&bars->text);
    if (bars->again || bars->cut) {
        if (!bars->again)
            value->len /= 2;
        *(bars->again ? &bars->duplicates : &bars->malformed) += 1;
        *(bars->again ? &bars->again : &bars->cut) = false;
        return false;
    }
    snprintf(bars->name, sizeof bars->name, "SYM%05d", (int)bars->symbol);
    encode(bars);
    bars->again = mf_random_next(&bars->random) % DUPLICATE_ONE_IN == 0;
    bars->cut = mf_random_next(&bars->random) % MALFORMED_ONE_IN == 0;
    if (++bars->symbol == bars->symbols) {
        bars->symbol = 0;
        bars->at_us += MF_US_PER_MINUTE;
        if (bars->at_us >= bars->session.close_us)
            next_session(bars);
    }
    *key = mf_str_of(bars->name);
    *value = mf_buf_str(&bars->text);
    return true;
}
