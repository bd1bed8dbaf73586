// SPDX-License-Identifier: Apache-2.0
// The market's own days: the provider's list of holidays and its market status, asked for at the start, once
// per period, and once soon after each opening. What they announce beside the built-in calendar is laid over
// it (market_days.h), kept on the watermarks topic for the next start, and said once. Nothing waits for the
// answers: a plan that refuses them, or an endpoint that fails, leaves the calendar as it is. See
// live_private.h.
#include <stdlib.h>

#include "common/clock.h"
#include "common/json_reader.h"
#include "services/ingestor/bar_session.h"
#include "services/ingestor/live_private.h"

// What is closed without notice shows soon after the time at which it should have opened.
#define AFTER_OPEN_US (20 * MF_US_PER_MINUTE)
#define STATE_SLACK_US (2 * MF_US_PER_MINUTE) // the exchanges' clocks and ours around an open or a close
enum { KEPT_SIZE = 32 * 1024 };

struct asked {
    struct live_series series;
    struct ing_market_said said; // by the page that is being settled
    bool answered;               // there was one in this range
    bool refusal_said;
};

struct live_days {
    struct live *live;
    struct asked holidays, status;
    struct ing_market_days in_force;
    struct mf_date unlisted; // the newest day of which it was said that the list lacks it
    struct mf_date disputed[MF_CALENDAR_NOTICES_MAX]; // in the last list
    size_t disputed_count;
};

static struct asked *of(struct live_series *series)
{
    return (struct asked *)(void *)series;
}

// ---------------------------------------------------------------- what they change

static void lay_over(struct live_days *days)
{
    struct live *live = days->live;
    size_t counts[MF_CALENDAR_DIFFERENCE_MAX] = {0};
    for (size_t i = 0; i < days->in_force.count; i++)
        counts[mf_calendar_compare(&days->in_force.notices[i])]++;
    mf_calendar_set_notices(live->app->calendar, days->in_force.notices, days->in_force.count);
    for (unsigned kind = MF_CALENDAR_SAME + 1; kind < MF_CALENDAR_DIFFERENCE_MAX; kind++)
        mf_metric_set(MF_METRIC(live->app->service->metrics, &ing_metric_defs[ING_M_ANNOUNCED],
                                mf_calendar_difference_name((enum mf_calendar_difference)kind)),
                      (double)counts[kind]);
}

static void say(const struct live_days *days, const struct ing_market_change *change)
{
    char date[MF_DATE_TEXT_SIZE];
    const struct mf_calendar_notice *notice = &change->notice;
    const char *what = mf_calendar_difference_name(mf_calendar_compare(notice));
    MF_LOGF(days->live->app->service->log, MF_LOG_WARNING, "calendar",
            change->withdrawn ? "announcement_withdrawn" : "announced_day",
            MF_FIELDS(mf_lf_str("date", mf_date_format(notice->date, date)), mf_lf_str("difference", what),
                      mf_lf_str("reason", notice->reason), mf_lf_i64("open_minute", notice->open_minute),
                      mf_lf_i64("close_minute", notice->close_minute)),
            change->withdrawn ? "the built-in calendar is right about the day after all"
                              : "the day is another than the built-in calendar has it: the exchanges say so");
}

// The same from every shard: the last one written is as good as the first.
static void keep(struct live_days *days)
{
    struct mf_buf value;
    struct mf_error err;
    mf_buf_init(&value, KEPT_SIZE);
    ing_market_days_encode(&days->in_force, &value);
    if (ing_publisher_watermark(days->live->app->publisher, NULL, mf_str_of(ing_market_days_key),
                                mf_buf_str(&value), &err) < 0)
        mf_log_error(days->live->app->service->log, MF_LOG_WARNING, "calendar", "days_not_kept", &err,
                     "keeping the announced days for the next start");
    mf_buf_free(&value);
}

static void change(struct live_days *days, const struct ing_market_change *changes, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        say(days, &changes[i]);
    lay_over(days);
    keep(days);
    ing_live_plan_again(days->live);
}

// ---------------------------------------------------------------- what was said

static struct mf_date today(const struct live_days *days)
{
    return mf_calendar_local_date(days->live->app->calendar, mf_clock_real_us());
}

static bool is_listed(const struct ing_market_said *said, struct mf_date date)
{
    for (size_t i = 0; i < said->count; i++) {
        if (mf_date_cmp(said->days[i].date, date) == 0)
            return true;
    }
    return false;
}

// A holiday by the rules that the list passes over stays one: silence announces nothing. But it is said.
static void say_unlisted(struct live_days *days, const struct ing_market_said *said)
{
    struct mf_date last = today(days);
    struct mf_date date = days->unlisted.year != 0 ? days->unlisted : last;
    for (size_t i = 0; i < said->count; i++)
        last = mf_date_cmp(said->days[i].date, last) > 0 ? said->days[i].date : last;
    while (mf_date_cmp(date, last) < 0) {
        date = mf_date_add_days(date, 1);
        const char *reason = mf_calendar_closure_reason(days->live->app->calendar, date);
        int weekday = mf_date_weekday(date);
        if (reason == NULL || weekday == 0 || weekday == 6 || is_listed(said, date))
            continue;
        char text[MF_DATE_TEXT_SIZE];
        MF_LOGF(days->live->app->service->log, MF_LOG_NOTICE, "calendar", "holiday_not_listed",
                MF_FIELDS(mf_lf_str("date", mf_date_format(date, text)), mf_lf_str("reason", reason)),
                "the provider's list lacks a holiday of the built-in calendar, which stays one");
        days->unlisted = date;
    }
}

static bool was_disputed(const struct live_days *days, struct mf_date date)
{
    for (size_t i = 0; i < days->disputed_count; i++) {
        if (mf_date_cmp(days->disputed[i], date) == 0)
            return true;
    }
    return false;
}

// One exchange alone announces the day.
static void say_disputed(struct live_days *days, const struct ing_market_said *said)
{
    char text[MF_DATE_TEXT_SIZE];
    for (size_t i = 0; i < said->disputed_count; i++) {
        if (was_disputed(days, said->disputed[i]))
            continue;
        MF_LOGF(days->live->app->service->log, MF_LOG_NOTICE, "calendar", "disputed_day",
                MF_FIELDS(mf_lf_str("date", mf_date_format(said->disputed[i], text))),
                "only one of NYSE and NASDAQ announces the day: the built-in calendar goes on");
    }
    memcpy(days->disputed, said->disputed, said->disputed_count * sizeof said->disputed[0]);
    days->disputed_count = said->disputed_count;
}

static void take_holidays(struct live_days *days, const struct ing_market_said *said)
{
    struct ing_market_change changes[ING_MARKET_CHANGES_MAX];
    change(days, changes, ing_market_days_take(&days->in_force, said, today(days), changes));
    say_unlisted(days, said);
    say_disputed(days, said);
}

// Has anything been traded since the market should have opened?
static bool has_traded(const struct live *live, int64_t now_us)
{
    struct mf_calendar_session session;
    if (!mf_calendar_session_of(live->app->calendar, mf_calendar_local_date(live->app->calendar, now_us),
                                &session))
        return false;
    for (size_t i = 0; i < live->count; i++) {
        const struct live_series *minute = live->symbols[i]->series[LIVE_MINUTE];
        if (minute != NULL && ing_market_has_sessions(minute->base.work.asset_class) &&
            minute->mark.last_time_us != INT64_MIN && minute->mark.last_time_us >= session.open_us)
            return true;
    }
    return false;
}

static bool is_possible(const struct mf_calendar *calendar, enum ing_market_state state, int64_t time_us)
{
    switch (mf_calendar_phase_at(calendar, time_us)) {
    case MF_PHASE_CLOSED: return state == ING_MARKET_CLOSED;
    case MF_PHASE_REGULAR: return state == ING_MARKET_OPEN;
    case MF_PHASE_PRE:
    case MF_PHASE_POST: return state == ING_MARKET_EXTENDED;
    }
    return false;
}

// By the calendar with what has been announced, around an open or a close with some slack.
static void compare_state(const struct live *live, const struct ing_market_said *said, int64_t now_us)
{
    const struct mf_calendar *calendar = live->app->calendar;
    bool same = is_possible(calendar, said->state, now_us) ||
                is_possible(calendar, said->state, now_us - STATE_SLACK_US) ||
                is_possible(calendar, said->state, now_us + STATE_SLACK_US);
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_STATE_DIFFERS]), !same);
    mf_metric_set(MF_METRIC0(live->app->service->metrics, &ing_metric_defs[ING_M_CLOCK_SKEW]),
                  (double)(said->server_time_us - now_us) / (double)MF_US_PER_SECOND);
    if (!same)
        MF_LOGF(live->app->service->log, MF_LOG_WARNING, "calendar", "market_state_differs",
                MF_FIELDS(mf_lf_str("provider", ing_market_state_name(said->state))),
                "the provider says that the market is in another state than the calendar has it");
}

static void take_status(struct live_days *days, const struct ing_market_said *said, int64_t asked_us)
{
    struct live *live = days->live;
    struct ing_market_change changed;
    if (said->state == ING_MARKET_UNSAID)
        return;
    bool traded = has_traded(live, said->server_time_us);
    if (ing_market_days_take_state(&days->in_force, live->app->calendar, said, traded, &changed))
        change(days, &changed, 1);
    compare_state(live, said, asked_us);
}

// ---------------------------------------------------------------- asking

static void ask(struct live_days *days, struct asked *asked, int64_t delay_us)
{
    asked->answered = false;
    asked->series.base.work.from_us = asked->series.base.work.to_us = 0;
    ing_engine_begin(days->live->app->engine, &asked->series.base, NULL, 0, INT64_MIN, delay_us);
}

// A period from now, or soon after the next opening by the calendar, if that is earlier.
static int64_t wait_us(const struct live_days *days)
{
    const struct ing_app *app = days->live->app;
    int64_t now_us = mf_clock_real_us();
    int64_t wait_us = app->config.market_status_ms * MF_US_PER_MS;
    struct mf_calendar_session session;
    struct mf_date date = mf_calendar_local_date(app->calendar, now_us);
    if (!mf_calendar_session_from(app->calendar, date, &session))
        return wait_us;
    if (session.open_us + AFTER_OPEN_US <= now_us &&
        !mf_calendar_session_from(app->calendar, mf_date_add_days(date, 1), &session))
        return wait_us;
    int64_t opening_us = session.open_us + AFTER_OPEN_US - now_us;
    return opening_us > 0 && opening_us < wait_us ? opening_us : wait_us;
}

// It has no range in time, but requests have one.
static bool plan(struct live *live, struct live_series *series)
{
    (void)live;
    series->range_asked_us = mf_clock_real_us();
    series->base.work.from_us = series->range_asked_us;
    series->base.work.to_us = series->range_asked_us + MF_US_PER_DAY;
    return true;
}

static void page_read(struct live *live, struct live_series *series, const struct ing_page *page)
{
    (void)live;
    of(series)->said = page->market;
}

static bool prepare(struct live *live, struct live_series *series, const struct ing_page *page,
                    struct mf_event *event)
{
    (void)live, (void)series, (void)page, (void)event;
    return false; // no row becomes an event
}

// Every shard reads the same list: one of them reports what is wrong with it.
static bool wanted_reject(struct live *live, struct live_series *series)
{
    const struct ing_config *config = &live->app->config;
    return ing_shard_owns(&config->shard, ing_symbol_partition(series->base.work.symbol, config->partitions));
}

static void page_done(struct live *live, struct live_series *series, const struct ing_page_result *result)
{
    (void)live, (void)result;
    of(series)->answered = true;
}

static void page_failed(struct live_series *series)
{
    (void)series;
}

static void range_done(struct live *live, struct live_series *series, enum ing_range_end end,
                       const struct mf_error *err)
{
    struct live_days *days = live->days;
    struct asked *asked = of(series);
    if (asked->answered) {
        if (series->rejects != NULL)
            ing_rejects_range_read(series->rejects);
        asked->refusal_said = false;
        if (asked == &days->holidays)
            take_holidays(days, &asked->said);
        else
            take_status(days, &asked->said, series->range_asked_us);
    } else if (!asked->refusal_said && (end == ING_RANGE_PLAN_LIMIT || end == ING_RANGE_COMPLETE)) {
        asked->refusal_said = true;
        MF_LOGF(live->app->service->log, MF_LOG_NOTICE, "calendar", "market_status_not_offered",
                MF_FIELDS(mf_lf_str("feed", ing_feed_name(series->base.work.feed)),
                          mf_lf_str("error_code", end == ING_RANGE_COMPLETE ? "not_found" : err->code)),
                "the provider does not offer this to the key: the built-in calendar goes on without it");
    }
    ask(days, asked, wait_us(days));
}

static const struct live_kind kind = {.plan = plan,
                                      .page_read = page_read,
                                      .prepare = prepare,
                                      .wanted_reject = wanted_reject,
                                      .page_done = page_done,
                                      .page_failed = page_failed,
                                      .range_done = range_done};

// ---------------------------------------------------------------- life

// What earlier starts were told. A record that cannot be read is as good as none, and is said.
static void read_kept(struct live_days *days)
{
    const struct ing_app *app = days->live->app;
    struct mf_str value = ing_store_get(app->store, mf_str_of(ing_market_days_key));
    if (value.data == NULL)
        return;
    struct mf_json *json = mf_json_new();
    struct mf_error err;
    if (ing_market_days_decode(json, value, &days->in_force, &err) < 0)
        mf_log_error(app->service->log, MF_LOG_ERROR, "calendar", "bad_market_days", &err,
                     "reading the announced days back");
    else if (days->in_force.count > 0)
        MF_LOGF(app->service->log, MF_LOG_INFO, "calendar", "announced_days_kept",
                MF_FIELDS(mf_lf_i64("days", (int64_t)days->in_force.count)),
                "days that were announced before the start are other than the built-in calendar has them");
    mf_json_free(&json);
}

static void asked_init(struct live_days *days, struct asked *asked, enum ing_feed feed)
{
    struct live_series *series = &asked->series;
    ing_series_init(&series->base, &days->live->app->config, mf_random_seed());
    series->kind = &kind;
    series->base.may_be_unknown = series->base.may_be_refused = true;
    series->base.work = (struct ing_work){
        .feed = feed, .market = ING_MARKET_STOCKS, .asset_class = MF_ASSET_STOCK, .limit = 1};
    mf_str_copy(series->base.work.symbol, sizeof series->base.work.symbol, MF_STR("market:stocks"));
}

struct live_days *ing_live_days_new(struct live *live)
{
    struct live_days *days = mf_calloc(1, sizeof *days);
    days->live = live;
    asked_init(days, &days->holidays, ING_FEED_HOLIDAYS);
    asked_init(days, &days->status, ING_FEED_MARKET_STATE);
    read_kept(days);
    lay_over(days);
    return days;
}

void ing_live_days_begin(struct live_days *days)
{
    ask(days, &days->holidays, 0);
    ask(days, &days->status, 0);
}

void ing_live_days_ask_again(struct live_days *days)
{
    ing_engine_hasten(days->live->app->engine, &days->holidays.series.base);
    ing_engine_hasten(days->live->app->engine, &days->status.series.base);
}

void ing_live_days_free(struct live_days **days)
{
    struct live_days *old = *days;
    if (old == NULL)
        return;
    *days = NULL;
    struct asked *both[] = {&old->holidays, &old->status};
    for (size_t i = 0; i < MF_ARRAY_LEN(both); i++) {
        if (old->live->app->engine != NULL)
            ing_engine_remove(old->live->app->engine, &both[i]->series.base);
        ing_live_forget_rejects(&both[i]->series);
    }
    free(old);
}
